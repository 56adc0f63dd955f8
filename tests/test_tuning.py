"""The adaptation service, from Python: adapters are checked, put in use by the gate, and repaired."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from hybrid import Assistant, load_settings
from hybrid.adaptation.data.examples import Given
from hybrid.adaptation.store import read_card
from hybrid.adaptation.suites import Suite
from hybrid.adaptation.values import AdapterKind, Change, Destination, Example, ExampleKind, PreferencePair
from hybrid.config import Method
from hybrid.errors import AdapterError, GateFailed, UsageError
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.types import Message, MessageRole, Question

GAIN = Change("label accuracy", 50.0, 70.0, 20.0, 12.0, 27.5, "points", 120, True)


def _settings(models, **adaptation):
    values = {
        "models": {"dtype": "float32"} | models,
        "chunks": {"overlap_tokens": 0, "heading_tokens": 4},
        "documents": {"workers": 1},
        "grounding": {"scorer": "align"},
        "adaptation": {"max_tokens": 200, "rehearsal": 0.0, "epochs": 0.4, "hold_out": 0.0} | adaptation,
    }
    return load_settings(values, environment={})


@pytest.fixture
def domain(tmp_path, tiny_generator_folder, tiny_embedder_folder, write_files):
    """An indexed domain served by the tiny models."""
    models = {"generator": str(tiny_generator_folder), "embedder": str(tiny_embedder_folder)}
    assistant = Assistant("manual", settings=_settings(models))
    docs = {"port.txt": "The port is 5432.", "night.txt": "The server is in the port."}
    assistant.index(write_files(tmp_path / "docs", docs))
    return assistant


@pytest.fixture
def suite(tmp_path, monkeypatch, write_files):
    """Texts that forgetting is measured on, instead of those that ship."""
    words = (
        "the port of the server",
        "a server is in the port",
        "the default is a port",
        "and to the server",
    )
    texts = {
        f"{n}.txt": " ".join(words[(n + step) % 4] for step in range(n % 3 + 12)) + f" number {n}."
        for n in range(12)
    }
    monkeypatch.setattr("hybrid.tuning.shipped_suite", lambda: Suite("general"))
    return [write_files(tmp_path / "suite", texts)]


@pytest.fixture
def kept(domain, tiny_generator_folder, make_adapter, tmp_path):
    """Two adapters with a gain that nobody checked: one that does little, and one that breaks the model."""
    for name, size in (("gentle", 1e-4), ("brutal", 1.0)):
        built = make_adapter(tiny_generator_folder, tmp_path / name, size=size)
        domain.adapters.add(name, built, dataclasses.replace(read_card(built), gain=GAIN))
    return domain


@pytest.mark.slow
def test_the_gate_has_the_budget_of_the_settings_and_stands_before_use(kept, suite):
    with pytest.raises(GateFailed, match="was not measured"):
        kept.adapters.promote("gentle")
    service = kept.adaptation
    said = []
    assert service.check("gentle", suites=suite, note=said.append).forgetting
    assert said[0].startswith("measuring ")
    assert said[-1] == "refusal in the domain is not measured: the held-out documents give no questions"
    assert service.promote("gentle").against == ()
    service.check("brutal", suites=suite)
    with pytest.raises(GateFailed, match="general text: lost more than it may") as caught:
        service.promote("brutal")
    assert caught.value.advice
    assert kept.adapters.promoted(AdapterKind.GENERATOR) == "gentle"
    assert service.promote("brutal", force=True).against == caught.value.against
    assert service.rollback(AdapterKind.GENERATOR) == "gentle"
    assert service.rollback(AdapterKind.GENERATOR) is None
    generous = dataclasses.replace(kept.settings.adaptation, budget_nats=1e3, budget_points=100.0)
    settings = dataclasses.replace(kept.settings, adaptation=generous)
    assert Assistant("manual", settings=settings).adaptation.promote("brutal").against == ()


@pytest.mark.slow
def test_what_was_never_checked_is_checked_by_the_service_first(kept, suite, monkeypatch):
    from hybrid.adaptation.suites import load_suite

    monkeypatch.setattr("hybrid.tuning.shipped_suite", lambda: load_suite(*suite))
    kept.adaptation.promote("gentle")
    assert kept.adapters.card("gentle").forgetting
    assert kept.adapters.promoted(AdapterKind.GENERATOR) == "gentle"
    with pytest.raises(GateFailed):
        kept.adaptation.promote("brutal")
    # what was cut short there is measured where the budget would let it through
    generous = dataclasses.replace(kept.settings.adaptation, budget_nats=1e3, budget_points=100.0)
    settings = dataclasses.replace(kept.settings, adaptation=generous)
    said = []
    assert Assistant("manual", settings=settings).adaptation.promote("brutal", note=said.append).against == ()
    assert said == ["refusal in the domain is not measured: the held-out documents give no questions"]


@pytest.mark.slow
def test_an_embedder_is_searched_with_from_its_promotion_to_its_rollback(
    domain, tiny_embedder_adapter_folder, tmp_path
):
    loss = Change("dense retrieval, general", 0.5, 0.4, -0.1, -0.15, -0.05, "nDCG", 40, True)
    built = shutil.copytree(tiny_embedder_adapter_folder, tmp_path / "built")
    card = dataclasses.replace(read_card(built), gain=dataclasses.replace(GAIN, unit="nDCG"))
    domain.adapters.add("embedder-001", built, dataclasses.replace(card, forgetting=(loss,)))
    before, service = domain.search("port"), domain.adaptation
    generations = list((domain.folder / "generations").iterdir())
    with pytest.raises(GateFailed, match=r"lost more than 0\.01"):
        service.promote("embedder-001")
    # refused before anything was embedded
    assert list((domain.folder / "generations").iterdir()) == generations
    domain.adapters.annotate("embedder-001", forgetting=[dataclasses.replace(loss, low=-0.001)])
    service.promote("embedder-001")
    assert [hit.dense for hit in domain.search("port")] != [hit.dense for hit in before]
    with pytest.raises(UsageError, match="is in use"):
        service.remove("embedder-001")
    assert service.rollback(AdapterKind.EMBEDDER) is None
    assert domain.search("port") == before
    service.remove("embedder-001")
    assert domain.adapters.names() == []


def _labels(count=40):
    return Given(
        examples=tuple(
            Example(
                ExampleKind.LABEL,
                (Message(MessageRole.USER, f"is {'port' if n % 2 else 'server'} {n * 37 % 101} a port"),),
                "yes" if n % 2 else "no",
                f"s{n}",
                options=("yes", "no"),
            )
            for n in range(count)
        )
    )


@pytest.mark.slow
def test_an_adapter_is_made_from_given_labels_and_exported(domain, tmp_path):
    # a head over a frozen model leaves no merged one
    chosen = dataclasses.replace(domain.settings.adaptation, method=Method.RSLORA)
    settings = dataclasses.replace(domain.settings, adaptation=chosen)
    service, said = Assistant("manual", settings=settings).adaptation, []
    material = service.material(given=_labels(), licence="CC0-1.0", note=said.append)
    assert said == ["making examples: label"]
    card = service.tune_generator(material, name="mine")
    assert (card.name, card.data.licence) == ("mine", "CC0-1.0")
    assert domain.adapters.card("mine") == card
    assert service.export("mine", tmp_path / "away.zip").is_file()
    assert (service.export("mine", tmp_path / "merged", Destination.MERGED) / "config.json").is_file()
    with pytest.raises(AdapterError, match="there is no adapter 'other'"):
        service.check("other")


@pytest.mark.slow
def test_a_head_of_labels_has_no_rank_to_try_and_nothing_to_repair(domain):
    service = domain.adaptation
    material = service.material(given=_labels())
    with pytest.raises(UsageError, match="no rank to try"):
        service.with_best_rank(material)
    service.tune_generator(material, name="head")
    with pytest.raises(UsageError, match="changes no weight"):
        service.repair("head")


@pytest.mark.slow
def test_questions_of_the_domain_never_leak_into_material(domain):
    (domain.folder / "questions").mkdir()
    asked = [
        Question(f"q{n}", example.prompt[0].content, (example.completion,))
        for n, example in enumerate(_labels(10).examples)
    ]
    from hybrid.questions.files import save_questions

    save_questions(domain.folder / "questions" / "set.jsonl", asked)
    examples = domain.adaptation.material(given=_labels()).examples
    told = {turn.content for example in examples.train for turn in example.prompt}
    assert len(examples.train) + len(examples.validation) == 30
    assert not told & {question.text for question in asked}


@pytest.mark.slow
def test_an_objective_that_there_is_not_is_refused(domain):
    with pytest.raises(UsageError, match="reading, instruction, label, text"):
        domain.adaptation.material(["wisdom"])


@pytest.mark.slow
def test_an_adapter_inside_its_budget_is_kept_as_it_is_by_repair(domain, suite):
    generous = dataclasses.replace(
        domain.settings.adaptation,
        method=Method.RSLORA,
        rank=4,
        learning_rate=1e-2,
        epochs=6.0,
        batch=4,
        validation=0.5,
        budget_nats=1e3,
        budget_points=100.0,
    )
    settings = dataclasses.replace(domain.settings, adaptation=generous)
    service, said = Assistant("manual", settings=settings).adaptation, []
    card = service.tune_generator(service.material(given=_labels(80)), name="mine")
    assert card.gain.change > 0
    found = service.repair("mine", given=_labels(80), train=False, suites=suite, note=said.append)
    assert (found.kept, [attempt.name for attempt in found.attempts]) == ("mine", ["as tuned"])
    assert said[-1].startswith("as tuned: gain") and said[-1].endswith("passes")
    assert domain.adapters.card("mine").forgetting == found.best.assessment.general
    with pytest.raises(UsageError, match="too few"):
        service.repair("mine", given=_labels(80), suites=suite, items=1)


def test_the_tradeoff_is_that_of_adapters_that_were_measured_alike(domain, keep_adapter):
    loss = Change("general text", 3.10, 3.12, 0.02, 0.01, 0.03, "nats", 200, False)
    keep_adapter(domain.folder, "gentle", gain=GAIN, forgetting=(loss,))
    keep_adapter(domain.folder, "unchecked", gain=GAIN)
    said = []
    found = domain.adaptation.tradeoff(AdapterKind.GENERATOR, note=said.append)
    assert [(point.name, point.front, point.inside) for point in found.points] == [("gentle", True, True)]
    assert found.budget == domain.settings.adaptation.budget_nats
    assert said == ["not measured, or not in the same way: unchecked"]
    with pytest.raises(UsageError, match="no adapter of the embedder"):
        domain.adaptation.tradeoff(AdapterKind.EMBEDDER)


def test_a_generator_elsewhere_is_not_tuned(tmp_path):
    own = {"embedder": HashEmbedder(64), "generator": ScriptedGenerator(["x"])}
    service = Assistant("manual", settings=_settings({}), **own).adaptation
    with pytest.raises(UsageError, match="weights are not on this machine"):
        service.material()


@pytest.fixture
def pair(domain, suite):
    """Two adapters that learned the same labels, and those."""
    changes = {"method": Method.RSLORA, "rank": 4, "learning_rate": 1e-2, "epochs": 4.0, "batch": 4}
    changes |= {"validation": 0.5}
    limits = {"budget_nats": 1e3, "budget_points": 100.0}
    for seed, name in enumerate(("one", "two")):
        chosen = dataclasses.replace(domain.settings.adaptation, **changes, **limits, seed=seed)
        settings = dataclasses.replace(domain.settings, adaptation=chosen)
        service = Assistant("manual", settings=settings).adaptation
        service.tune_generator(service.material(given=_labels(80)), name=name)
    return service


@pytest.mark.slow
def test_two_adapters_become_one_by_weights_of_validation(pair, suite):
    from hybrid.adaptation.methods.deltas import Recipe
    from hybrid.adaptation.values import Merging

    said = []
    card = pair.combine(
        ["one", "two"], Recipe(Merging.TIES), given=_labels(80), suites=suite, note=said.append
    )
    assert (card.name, card.parent, card.settings["merged"]) == ("generator-001", "one + two", "ties")
    assert said[0].startswith("weights 0.5, 0.5: validation loss") and len(said) > 4
    assert card.gain is not None and card.forgetting and pair.store.card(card.name) == card
    counts = [pair.store.card(name).data.counts["label"] for name in ("one", "two")]
    assert card.data.counts == {"label": sum(counts)}
    both = pair.combine(
        ["one", "two"], Recipe(Merging.CAT), weights=(1.0, 0.0), name="cat", given=_labels(80), suites=suite
    )
    assert both.settings["rank"] == 8
    one, cat = (pair.tunable.adapted(pair.store.folder(name)) for name in ("one", "cat"))
    asked = [[Message(MessageRole.USER, "is port 5 a port")]]
    assert cat.log_likelihoods(asked, [["yes", "no"]])[0] == pytest.approx(
        one.log_likelihoods(asked, [["yes", "no"]])[0], abs=1e-4
    )
    with pytest.raises(UsageError, match="expected two or more"):
        pair.combine(["one"], Recipe(), weights=(1.0,), given=_labels(80), suites=suite)
    assert not list(pair.store.domain.glob("adapters/.*rework"))


@pytest.mark.slow
def test_an_adapter_is_kept_without_the_parts_that_do_not_pay(pair, suite, monkeypatch):
    from hybrid.adaptation.methods.deltas import Worth

    found, card = pair.ablate("one", given=_labels(80), suites=suite)
    assert card is None and found.whole.brings > 0 and len(found.parts) == 7
    # the largest direction is made out to cost much
    monkeypatch.setattr(Worth, "pays", property(lambda worth: worth.group.name != "direction 1"))
    _, card = pair.ablate("one", keep=True, given=_labels(80), suites=suite)
    assert (card.parent, card.settings["without"]) == ("one", "direction 1")
    assert card.forgetting and pair.store.card(card.name) == card


@pytest.mark.slow
def test_rounds_of_self_training_leave_the_best_adapter_and_go_on_where_they_were(domain, monkeypatch):
    def asked(count, first, answered):
        return [
            Question(
                f"q{n}",
                f"is {'port' if n % 2 else 'server'} {n} a port",
                ("yes" if n % 2 else "no",) if answered else (),
                options=("yes", "no"),
                source=f"s{n}",
            )
            for n in range(first, first + count)
        ]

    service = domain.adaptation
    with pytest.raises(UsageError, match="to train, to calibrate and to decide by"):
        service.self_train(asked(12, 0, True), [], name="own")
    with pytest.raises(UsageError, match="has no `options`"):
        service.self_train([Question("q", "which port")], [], name="own")
    rounds = []
    found = service.self_train(
        asked(80, 0, True), asked(20, 500, False), name="own", rounds=1, told=rounds.append
    )
    assert rounds[0].name == "own-0"
    assert domain.adapters.names() == [found.best.name]
    assert domain.adapters.card(found.best.name).chooses
    # what is there already is not trained again
    monkeypatch.setattr("hybrid.adaptation.workshop.tune_generator", lambda *_, **__: pytest.fail("trained"))
    if found.best.name == "own-0":
        again = service.self_train(asked(80, 0, True), [], name="own", rounds=1)
        assert again.best.right == found.best.right


@pytest.mark.slow
def test_rounds_with_the_judge_need_documents_that_give_questions(domain):
    with pytest.raises(UsageError, match="0 questions to learn from"):
        domain.adaptation.improve(name="judged")


@pytest.mark.slow
def test_rows_that_are_too_long_are_told_and_written_into_the_card(domain):
    rows = tuple(
        Example(
            ExampleKind.INSTRUCTION,
            (Message(MessageRole.USER, f"the port {n}"),),
            "server " * (200 if n % 2 else 2),
        )
        for n in range(32)
    )
    material = domain.adaptation.material(given=Given(examples=rows))
    assert len(material.examples.train) + len(material.examples.validation) == 16
    reason = "longer than 200 tokens (adaptation.max_tokens)"
    assert [(left.count, left.reason) for left in material.examples.left_out] == [(16, reason)]
    card = domain.adaptation.tune_generator(material)
    assert domain.adapters.card(card.name).data.left_out == {reason: 16}
    too_long = tuple(row for row in rows if len(row.completion) > 100)
    with pytest.raises(UsageError, match=r"gives 0 examples to train on of 16.* longer than 200 tokens"):
        domain.adaptation.material(given=Given(examples=too_long))
    pairs = tuple(
        PreferencePair(row.prompt, "the port", row.completion, f"s{n}") for n, row in enumerate(rows)
    )
    preferring = domain.adaptation.material(given=Given(preferences=pairs))
    assert [(left.count, left.reason) for left in preferring.examples.left_out] == [(16, reason)]
    assert len(preferring.examples.preferences) + len(preferring.examples.checks) == 16


@pytest.mark.slow
def test_drift_is_told_for_each_block_and_not_of_an_embedder(kept, tiny_embedder_adapter_folder, tmp_path):
    found = kept.adaptation.drift("brutal")
    assert len(found) == 2 and found[1].domain > kept.adaptation.drift("gentle")[1].domain > 0
    built = shutil.copytree(tiny_embedder_adapter_folder, tmp_path / "embedder")
    kept.adapters.add("embedder-001", built, read_card(built))
    with pytest.raises(UsageError, match="is the embedder's"):
        kept.adaptation.drift("embedder-001")


@pytest.fixture
def judging(domain, scripted_judge):
    return domain


@pytest.mark.slow
def test_rounds_with_the_judge_leave_the_best_with_what_it_gained_and_go_on_where_they_were(judging):
    service = judging.adaptation

    def die(done):
        if done.name == "judged-1":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        service.improve(name="judged", told=die)
    assert judging.adapters.names() == ["judged-1"]


@pytest.mark.slow
def test_what_the_judge_gains_stands_on_the_card(judging):
    done = judging.adaptation.improve(name="judged")
    assert [(one.name, one.kept) for one in done] == [("", True), ("judged-1", True), ("judged-2", False)]
    assert judging.adapters.names() == ["judged-1"]
    card = judging.adapters.card("judged-1")
    assert card.gain == done[1].change and card.gain.change == pytest.approx(40.0)
    assert (card.reader, card.data.counts) == ("generator", {"preference": 12})


@pytest.mark.slow
def test_an_adapter_of_plain_peft_is_taken_in_and_served_but_not_promoted_unmeasured(
    domain, tiny_adapter_folder, tiny_wide_generator_folder, make_adapter, tmp_path
):
    theirs = shutil.copytree(tiny_adapter_folder, tmp_path / "theirs")
    (theirs / "card.json").unlink()
    told = []
    card = domain.adaptation.take_in(theirs, name="theirs", note=told.append)
    assert domain.adapters.card("theirs") == card
    assert told[0] == "its data, licence, gain and cost are not known"
    assert "its gain was not measured: there was nothing held out to measure it on" in (
        domain.adapters.reasons("theirs").against
    )
    assert domain.adaptation.promote("theirs", force=True).against
    with pytest.raises(UsageError, match="already"):
        domain.adaptation.take_in(theirs, name="theirs")
    wide = make_adapter(tiny_wide_generator_folder, tmp_path / "wide")
    (wide / "card.json").unlink()
    with pytest.raises(AdapterError, match="cannot be merged into the model"):
        domain.adaptation.take_in(wide)
    idle = make_adapter(Path(domain.settings.models.generator), tmp_path / "idle", size=0.0)
    with pytest.raises(AdapterError, match="changes nothing"):
        domain.adaptation.take_in(idle)
    assert domain.adapters.names() == ["theirs"]
