"""Tests of what an adapter made a model forget: general ability, refusal, retrieval."""

import contextlib
import dataclasses
import json
import math
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.adaptation import forgetting as measuring
from hybrid.adaptation.data.material import reading_questions
from hybrid.adaptation.forgetting import (
    Answers,
    AskedQuestion,
    Item,
    answers,
    changes,
    domain_questions,
    general_questions,
    measure,
    measure_tasks,
    refusal_changes,
)
from hybrid.adaptation.methods.encoding import compare, paired_change, pieces
from hybrid.adaptation.suites import (
    Probe,
    Suite,
    SuitePassage,
    choice_of,
    shipped_suite,
)
from hybrid.adaptation.values import COUNTINGS, NATS, Budget, Change, Declining, ExampleKind, Measure, judge
from hybrid.config import Reader, load_settings
from hybrid.errors import AdapterError, ExtraMissing, UsageError
from hybrid.generation.prompts import load_prompts
from hybrid.testing import ScriptedGenerator
from hybrid.types import Message, MessageRole

_WORDS = ["the port", "a server", "the default", "of it", "in a port", "to the server"]
KNOWN = '"The port is 5432." [1]\n5432'
UNKNOWN = "I don't know."
INVENTED = "It is the third door on the left."


@pytest.fixture(scope="module")
def suite():
    """A small suite that fits into 256 characters of context."""
    passages = tuple(
        SuitePassage(
            f"p{number}",
            "odd" if number % 2 else "even",
            f"{_WORDS[number % 6]} is {number} and {_WORDS[-1]}",
            f"d{number}",
        )
        for number in range(12)
    )
    choices = tuple(
        choice_of(f"Which {number}?", f"{number}", [f"{number + 1}", "none"]) for number in range(12)
    )
    probes = tuple(Probe(f"say {word}", "any", f"say {word}", "[a-m]") for word in _WORDS)
    return Suite("small", passages, shipped_suite().pairs[::14][:14], choices, probes)


@pytest.fixture(scope="module")
def adapted(tiny_generator, tiny_generator_folder, make_adapter, tmp_path_factory):
    """The tiny model with an adapter of random weights, which knows nothing any more."""
    return tiny_generator.adapted(
        make_adapter(tiny_generator_folder, tmp_path_factory.mktemp("a") / "random", size=1.0)
    )


def named(found, name):
    return next(change for change in found if change.measure == name)


@pytest.mark.slow
def test_no_adapter_changes_exactly_nothing(tiny_generator, suite):
    found = measure(tiny_generator, tiny_generator, suite)
    assert {change.measure for change in changes(found)} == set(Measure)
    for change in changes(found):
        if not COUNTINGS[change.measure].bounded:
            assert (change.change, change.low, change.high) == (0, 0, 0), change
    assert all(item.before == item.after for item in found)


def test_an_adapter_of_zeros_changes_exactly_nothing(tiny_generator, tiny_generator_folder, suite):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_generator_folder)
    wrapped = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "down_proj"])).eval()

    class Wrapped:
        dialogue, context_tokens = tiny_generator.dialogue, tiny_generator.context_tokens

        def __init__(self, on):
            self.on = on

        @contextlib.contextmanager
        def lent(self):
            with contextlib.nullcontext() if self.on else wrapped.disable_adapter():
                yield wrapped

    texts = [stretch for passage in suite.passages for stretch in pieces(tiny_generator, passage.text)]
    found = list(compare(Wrapped(False), Wrapped(True), texts))
    assert len(found) == len(texts) > 0
    for apart in found:
        assert apart.before == apart.after
        assert apart.divergence == 0


@pytest.mark.slow
def test_an_adapter_without_effect_passes_the_gate_and_a_random_one_does_not(tiny_generator, suite, adapted):
    assert judge(changes(measure(tiny_generator, tiny_generator, suite)), Budget()).passed
    assert not judge(changes(measure(tiny_generator, adapted, suite)), Budget()).passed


def test_every_item_is_paired_and_named(tiny_generator, suite, adapted):
    found = measure(tiny_generator, adapted, suite)
    counts = {name: sum(item.measure == name for item in found) for name in Measure}
    texts, pairs, choices, probes = (
        len(part) for part in (suite.passages, suite.pairs, suite.choices, suite.probes)
    )
    assert counts == {
        Measure.TEXT: texts,
        Measure.DIVERGENCE: texts,
        Measure.PAIRS: pairs,
        Measure.PAIRS_RIGHT: pairs,
        Measure.CHOICES: choices,
        Measure.CHOICES_RIGHT: choices,
        Measure.FORMATS: probes,
    }
    assert len({(item.measure, item.id) for item in found}) == len(found)


def test_texts_are_counted_by_token(tiny_generator, suite, adapted):
    found = measure(tiny_generator, adapted, suite)
    text = named(changes(found), Measure.TEXT)
    rows = [item for item in found if item.measure == Measure.TEXT]
    whole = sum(item.weight for item in rows)
    assert text.before == pytest.approx(sum(item.before * item.weight for item in rows) / whole)
    assert text.change == pytest.approx(sum((i.after - i.before) * i.weight for i in rows) / whole)
    assert named(changes(found), Measure.DIVERGENCE).change > 0


@pytest.mark.slow
def test_the_answers_of_the_base_are_kept(tiny_generator, suite, adapted, monkeypatch, tmp_path):
    monkeypatch.setenv("HYBRID_CACHE", str(tmp_path))
    first = measure(tiny_generator, adapted, suite)
    (kept,) = (tmp_path / "general").iterdir()
    asked = []
    real = measuring.answers
    monkeypatch.setattr(measuring, "answers", lambda model, own: asked.append(model) or real(model, own))
    assert measure(tiny_generator, adapted, suite) == first
    assert asked == [adapted]
    assert json.loads(kept.read_text())["followed"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["", "{", '{"margins": [1], "options": [], "followed": []}', '{"margins": "x"}', "[]"]
)
def test_a_damaged_cache_is_measured_anew(tiny_generator, suite, monkeypatch, tmp_path, text):
    monkeypatch.setenv("HYBRID_CACHE", str(tmp_path))
    first = measure(tiny_generator, tiny_generator, suite)
    (kept,) = (tmp_path / "general").iterdir()
    kept.write_text(text)
    assert measure(tiny_generator, tiny_generator, suite) == first


@pytest.mark.slow
def test_another_suite_has_answers_of_its_own(tiny_generator, suite, monkeypatch, tmp_path):
    monkeypatch.setenv("HYBRID_CACHE", str(tmp_path))
    measure(tiny_generator, tiny_generator, suite)
    measure(tiny_generator, tiny_generator, dataclasses.replace(suite, pairs=suite.pairs[:-1]))
    assert len(list((tmp_path / "general").iterdir())) == 2


def test_a_suite_of_one_kind_is_measured(tiny_generator, suite, adapted):
    found = measure(tiny_generator, adapted, Suite("pairs", pairs=suite.pairs))
    assert [change.measure for change in changes(found)] == [Measure.PAIRS, Measure.PAIRS_RIGHT]


def test_an_empty_suite_is_refused(tiny_generator):
    with pytest.raises(UsageError, match="has no items"):
        measure(tiny_generator, tiny_generator, Suite("empty"))


@pytest.mark.slow
def test_weights_that_are_no_numbers_are_refused(tiny_generator, suite, monkeypatch):
    real = measuring.answers
    calls = []

    def broken(model, own):
        calls.append(model)
        found = real(model, own)
        return (
            found if len(calls) == 1 else dataclasses.replace(found, margins=(math.nan,) * len(found.margins))
        )

    monkeypatch.setenv("HYBRID_CACHE", str(Path.cwd() / "fresh"))
    monkeypatch.setattr(measuring, "answers", broken)
    with pytest.raises(AdapterError, match="nan after"):
        measure(tiny_generator, tiny_generator, suite)


@pytest.mark.slow
def test_answers_of_a_model_are_in_the_order_of_the_suite(tiny_generator, suite):
    found = answers(tiny_generator, suite)
    turned = answers(
        tiny_generator, dataclasses.replace(suite, pairs=suite.pairs[::-1], choices=suite.choices[::-1])
    )
    assert found.margins == pytest.approx(turned.margins[::-1], abs=0.05)
    assert [len(values) for values in found.options] == [len(choice.options) for choice in suite.choices]


# --- laws of the scores -------------------------------------------------------------------------------
@given(st.lists(st.floats(-40, 40), min_size=2, max_size=6), st.floats(-100, 100))
def test_shares_are_probabilities_and_only_differences_count(values, shift):
    shares = [measuring._share(values, place) for place in range(len(values))]
    assert sum(shares) == pytest.approx(1)
    moved = [value + shift for value in values]
    assert measuring._share(moved, 0) == pytest.approx(shares[0], abs=1e-9)


@given(st.floats(-700, 700))
def test_the_share_of_a_pair_is_the_logistic_function_of_its_margin(margin):
    assert measuring._share((margin, 0.0), 0) == pytest.approx(1 / (1 + math.exp(-margin)), abs=1e-12)


_VALUES = st.lists(st.tuples(st.floats(0, 9), st.floats(1, 300)), min_size=12, max_size=40)


@pytest.mark.slow
@given(_VALUES)
def test_equal_items_have_changed_by_nothing(values):
    items = [Item(Measure.TEXT, str(n), value, value, weight) for n, (value, weight) in enumerate(values)]
    (change,) = changes(items)
    assert (change.change, change.low, change.high) == (0, 0, 0)


@pytest.mark.slow
@given(_VALUES, st.floats(-0.5, 0.5))
def test_a_shift_of_all_items_is_the_change(values, shift):
    items = [Item(Measure.TEXT, str(n), value, value + shift, 100.0) for n, (value, _) in enumerate(values)]
    (change,) = changes(items)
    assert change.change == pytest.approx(shift, abs=1e-9)
    assert change.low <= change.change + 1e-9
    assert change.high >= change.change - 1e-9


def test_one_measure_after_the_other_in_the_order_of_the_items():
    items = [
        Item(Measure.PAIRS, "a", 0.5, 0.25),
        Item(Measure.TEXT, "b", 3.0, 3.5, 10),
        Item(Measure.PAIRS, "c", 0.5, 0.75),
    ]
    found = changes(items)
    assert [change.measure for change in found] == [Measure.PAIRS, Measure.TEXT]
    assert found[0].change == 0
    assert (found[0].before, found[0].unit) == (50, "points")


def test_more_tokens_weigh_more():
    items = [Item(Measure.TEXT, "a", 2.0, 3.0, 300), Item(Measure.TEXT, "b", 2.0, 2.0, 100)]
    (change,) = changes(items)
    assert change.change == pytest.approx(0.75)


def test_answers_can_be_empty(tiny_generator):
    assert answers(tiny_generator, Suite("texts")) == Answers((), (), ())


# --- the small model itself ---------------------------------------------------------------------------
@pytest.fixture(scope="module")
def small_model():
    from hybrid.config import ModelSettings
    from hybrid.models.loading import load_generator

    return load_generator(ModelSettings(offline=True, device="cpu"))


@pytest.mark.real_model
@pytest.mark.slow
def test_the_suite_tells_what_the_small_model_knows_and_that_an_adapter_forgot_it(
    small_model, make_adapter, tmp_path
):
    from hybrid.models.loading import generator_folder

    folder = generator_folder(small_model.name, offline=True)
    adapter = make_adapter(folder, tmp_path / "forgetful", base_name=small_model.name)
    found = changes(measure(small_model, small_model.adapted(adapter), shipped_suite().sample(16)))
    before = {change.measure: change.before for change in found}
    assert 2.5 < before[Measure.TEXT] < 4
    assert before[Measure.PAIRS] > 80
    assert before[Measure.CHOICES] > 55
    assert before[Measure.FORMATS] > 70
    verdict = judge(found, Budget())
    assert not verdict.passed
    assert any(breach.forgot for breach in verdict.breaches)


def _change(before, after, sources=None, **options):
    names = sources or [f"s{place}" for place in range(len(before))]
    return paired_change("m", before, after, names, dataclasses.replace(NATS, **options))


@pytest.mark.slow
@given(st.lists(st.floats(0, 9), min_size=2, max_size=40))
def test_what_did_not_change_changed_by_exactly_nothing(values):
    change = _change(values, values)
    assert (change.change, change.low, change.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("count", [5, 60])
def test_the_interval_holds_the_change_and_scales(count):
    generator = np.random.default_rng(0)
    before = generator.normal(3, 1, count)
    after = before + generator.normal(0.1, 0.05, count)
    change, points = _change(before, after), _change(before, after, unit="points")
    assert 0 < change.low < change.change < change.high < 0.3
    assert points.high == pytest.approx(100 * change.high)
    assert change.after - change.before == pytest.approx(change.change)


def test_small_changes_of_losses_have_small_intervals():
    # the smoothing that rights and wrongs need would drown a change of a hundredth of a nat
    generator = np.random.default_rng(1)
    before = generator.normal(3, 1, 80)
    change = _change(before, before + generator.normal(0.01, 0.004, 80))
    assert change.high - change.low < 0.003


def test_rights_and_wrongs_that_never_differed_may_still_differ():
    change = _change([1.0] * 30, [1.0] * 30, bounded=True)
    assert change.change == 0.0
    assert change.low < 0 < change.high


def test_one_source_says_nothing_about_others():
    change = _change([1.0, 2.0], [1.5, 2.6], sources=["one", "one"])
    assert change.high == math.inf and change.low == -math.inf


def test_items_of_one_source_are_not_independent():
    generator = np.random.default_rng(2)
    before = generator.normal(3, 1, 60)
    after = before + np.repeat(generator.normal(0.1, 0.3, 12), 5)
    together = _change(before, after, sources=[f"s{place // 5}" for place in range(60)])
    apart = _change(before, after)
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


class Lent:
    """A generator that lends a name instead of a model."""

    context_tokens = 64

    def __init__(self, name):
        self.name = name
        self.dialogue = SimpleNamespace(tokenizer=f"tokenizer of {name}")

    @contextlib.contextmanager
    def lent(self):
        yield self.name


def sample(number, value, **more):
    return {"doc_id": number, "filter": "none", "metrics": ["acc"], "acc": value} | more


@pytest.fixture
def lm_eval(monkeypatch):
    """Put a harness in place that answers what is set: answers[model] = results."""
    fake = SimpleNamespace(answers={}, calls=[])

    def simple_evaluate(**options):
        fake.calls.append(options)
        found = fake.answers[options["model"].pretrained]
        if isinstance(found, Exception):
            raise found
        return found

    top, models, hub = (
        ModuleType(name) for name in ("lm_eval", "lm_eval.models", "lm_eval.models.huggingface")
    )
    top.simple_evaluate = simple_evaluate
    hub.HFLM = lambda **options: SimpleNamespace(**options)
    for module in (top, models, hub):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(measuring, "find_spec", lambda name: object())
    return fake


def results(values, *, metric="acc", rising=True, task="arc_easy"):
    rows = [sample(n, value) | {"metrics": [metric], metric: value} for n, value in enumerate(values)]
    return {"samples": {task: rows}, "higher_is_better": {task: {metric: rising}}}


_BASE, _ADAPTED = Lent("base"), Lent("adapted")


def test_samples_are_paired_by_document(lm_eval):
    lm_eval.answers = {
        "base": results([1.0] * 40),
        "adapted": results([0.0] * 20 + [1.0] * 20),
    }
    (change,) = measure_tasks(_BASE, _ADAPTED, ["arc_easy"], items=40, seed=3)
    assert (change.measure, change.unit, change.items) == ("arc_easy: acc", "points", 40)
    assert (change.before, change.after, change.change) == (100, 50, -50)
    assert change.high < -20
    assert not judge([change], Budget()).passed
    first = lm_eval.calls[0]
    assert (first["tasks"], first["limit"], first["log_samples"]) == (["arc_easy"], 40, True)
    assert first["model"].tokenizer == "tokenizer of base"


def test_only_numbers_from_0_to_1_with_a_direction_are_taken(lm_eval):
    found = results([1.0] * 12)
    for row in found["samples"]["arc_easy"]:
        row |= {"metrics": ["acc", "word_perplexity", "tokens", "unknown"]}
        row |= {"word_perplexity": (3.0, 7), "tokens": 80, "unknown": 0.5}
    lm_eval.answers = {"base": found, "adapted": found}
    changes = measure_tasks(_BASE, _ADAPTED, ["arc_easy"])
    assert [change.measure for change in changes] == ["arc_easy: acc"]
    assert changes[0].change == 0


def test_filters_are_measures_of_their_own(lm_eval):
    rows = [sample(n, 1.0, filter=name) for n in range(12) for name in ("strict", "loose")]
    found = {"samples": {"gsm8k": rows}, "higher_is_better": {"gsm8k": {"acc": True}}}
    lm_eval.answers = {"base": found, "adapted": found}
    names = {change.measure for change in measure_tasks(_BASE, _ADAPTED, ["gsm8k"])}
    assert names == {"gsm8k: acc, strict", "gsm8k: acc, loose"}


def test_a_metric_that_should_fall_is_read_the_other_way(lm_eval):
    lm_eval.answers = {
        "base": results([0.1] * 30, metric="error", rising=False),
        "adapted": results([0.9] * 30, metric="error", rising=False),
    }
    (change,) = measure_tasks(_BASE, _ADAPTED, ["arc_easy"])
    assert not change.higher_is_better


def test_a_task_without_such_a_metric_is_refused(lm_eval):
    found = {"samples": {"wikitext": [sample(0, 0.5) | {"metrics": []}]}, "higher_is_better": {}}
    lm_eval.answers = {"base": found, "adapted": found}
    with pytest.raises(UsageError, match="no metric is a number from 0 to 1"):
        measure_tasks(_BASE, _ADAPTED, ["wikitext"])


@pytest.mark.parametrize("error", [KeyError("Tasks not found: nonsense"), ConnectionError("no network")])
def test_what_the_harness_cannot_do_is_told(lm_eval, error):
    lm_eval.answers = {"base": error}
    with pytest.raises(UsageError, match="lm-eval cannot run nonsense"):
        measure_tasks(_BASE, _ADAPTED, ["nonsense"])


def test_without_the_harness_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setattr(measuring, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match="arc_easy needs: lm-eval") as caught:
        measure_tasks(_BASE, _ADAPTED, ["arc_easy"])
    assert caught.value.hint == "pip install 'hybrid-assistant[harness]'"


def asked(answers):
    """One question a document."""
    return [
        AskedQuestion((Message(MessageRole.USER, f"question {n}"),), answer, f"d{n}")
        for n, answer in enumerate(answers)
    ]


def found(before, after, questions):
    base, adapted = ScriptedGenerator(before, name="before"), ScriptedGenerator(after, name="after")
    return {one.measure: one for one in refusal_changes(base, adapted, questions)}


def test_what_is_declined_and_what_is_answered_is_counted_apart():
    questions = asked(["5432"] * 6 + [""] * 6)
    before = [KNOWN] * 5 + [INVENTED] + [INVENTED] * 4 + [UNKNOWN] * 2
    after = [KNOWN] * 2 + [UNKNOWN] * 4 + [UNKNOWN] * 6
    told = found(before, after, questions)
    rates = {name: (round(one.before), round(one.after)) for name, one in told.items()}
    assert rates == {
        Declining.WRONGLY: (0, 67),
        Declining.ANSWERED: (83, 33),
        Declining.LOST: (0, 50),
        Declining.RIGHTLY: (33, 100),
    }
    assert [told[name].higher_is_better for name in (Declining.WRONGLY, Declining.RIGHTLY)] == [False, True]
    assert told[Declining.ANSWERED].items == 6


def test_an_answer_without_the_gold_words_is_none():
    told = found([INVENTED], [INVENTED], asked(["5432"]))
    assert (told[Declining.ANSWERED].after, told[Declining.WRONGLY].after) == (0, 0)


def test_the_same_generator_lost_nothing():
    replies = [KNOWN, UNKNOWN, INVENTED] * 4
    told = found(replies, replies, asked(["5432"] * 6 + [""] * 6))
    assert {one.change for one in told.values()} == {0.0}
    assert judge([text(), *told.values()], Budget()).passed


def text():
    return Change(Measure.TEXT, 3.0, 3.0, 0.0, -0.01, 0.01, "nats", 80, False)


def test_the_gate_has_a_budget_of_its_own_for_it():
    told = found([KNOWN] * 40, [UNKNOWN] * 20 + [KNOWN] * 20, asked(["5432"] * 40))
    verdict = judge([text(), *told.values()], Budget())
    assert {breach.measure for breach in verdict.breaches} == {Declining.WRONGLY, Declining.ANSWERED}
    assert {breach.limit for breach in verdict.breaches} == {5.0}
    assert any("--learn preference" in line for line in verdict.advice)
    assert judge([text(), *told.values()], Budget(refusal=80.0)).passed


def test_a_single_refusal_is_not_shown_to_be_a_loss():
    told = found([KNOWN] * 40, [UNKNOWN] + [KNOWN] * 39, asked(["5432"] * 40))
    assert told[Declining.WRONGLY].change == pytest.approx(2.5)
    assert judge([text(), *told.values()], Budget()).passed


def test_what_does_not_fit_is_left_out():
    long = AskedQuestion((Message(MessageRole.USER, "word " * 3_000),), "5432", "d")
    assert found([KNOWN], [KNOWN], [long]) == {}
    assert found([KNOWN], [KNOWN], [long, *asked(["5432"])])[Declining.WRONGLY].items == 1


def test_the_base_is_asked_once():
    base, questions = ScriptedGenerator([KNOWN], name="kept"), asked(["5432"] * 3)
    first, again = (refusal_changes(base, ScriptedGenerator([UNKNOWN]), questions) for _ in range(2))
    assert first == again
    assert len(base.history) == 3


def test_general_questions_are_asked_of_the_base_once_for_all_domains():
    base = ScriptedGenerator([UNKNOWN], name="of two domains")
    general = AskedQuestion((Message(MessageRole.USER, "Who am I?"),), "", "Who am I?", general=True)
    for text in ("the one", "the other"):
        own = AskedQuestion((Message(MessageRole.USER, text),), "", text)
        refusal_changes(base, ScriptedGenerator([UNKNOWN]), [own, general])
    assert len(base.history) == 3


def test_general_questions_are_those_of_the_suite_with_and_without_an_answer():
    suite = Suite("s", choices=(choice_of("What is ice?", "water", ["salt"]),), unanswerable=("Who am I?",))
    easy, open_ = general_questions(suite, load_prompts("en", ""))
    assert (easy.answer, open_.answer) == ("water", "")
    assert easy.prompt[-1].content == "What is ice?"
    told = found([KNOWN, UNKNOWN], [UNKNOWN, INVENTED], [easy, open_])
    rates = {name: (one.before, one.after) for name, one in told.items()}
    assert rates == {Declining.GENERAL_WRONGLY: (0, 100), Declining.GENERAL_RIGHTLY: (100, 0)}


def test_what_ships_has_enough_of_each():
    questions = general_questions(shipped_suite(), load_prompts("en", ""))
    assert sum(not one.answer for one in questions) == sum(bool(one.answer) for one in questions) == 24


@pytest.mark.slow
def test_the_domain_is_asked_of_held_out_documents_with_the_passage_and_without(tools):
    settings = load_settings({"adaptation": {"hold_out": 0.5}}, environment={})
    made = reading_questions(
        tools, settings, lambda split: split.held_out, against=(), count=20, reader=Reader.GENERATOR
    )
    questions = domain_questions(made)
    assert {bool(one.answer) for one in questions} == {True, False}
    kinds = [example.kind for example in made]
    assert kinds.count(ExampleKind.READING) == kinds.count(ExampleKind.ABSTENTION)
    split_off = {one.source for one in questions}
    assert 0 < len(split_off) < len(tools.index.sources())
    for one in questions:
        assert one.prompt[0].content == load_prompts("en", "").rag_system
