"""A share of traffic: sticky, of the right size, in one arm; false alarms stay below their level."""

import dataclasses
import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid import Assistant, load_settings
from hybrid.decision.adopted import adopt
from hybrid.domains import Assistants
from hybrid.errors import AdapterError, UsageError
from hybrid.grounding.values import Claim, ClaimVerdict, Status
from hybrid.operations.feedback import Feedback, KeptAnswer, RatedAnswer, TrialSide, Vote, kept_answer
from hybrid.operations.traffic import (
    Shadows,
    TrafficSplit,
    TrialMetric,
    assign,
    end_where_usual,
    read_split,
    start_split,
    stop_split,
    trial_result,
)
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.types import Answer, Arm, Document, Span

_SPLIT = TrafficSplit("salt", "rag:k=2", 0.5, False, TrialMetric.VOTES, 400, 0.05, "2026-11-29T12:00:00")


@given(st.text(), st.text(), st.floats(0.01, 1))
def test_a_conversation_stays_in_its_arm_and_another_salt_is_another_draw(conversation, salt, share):
    split = dataclasses.replace(_SPLIT, experiment=salt, share=share)
    assert split.treats(conversation) is split.treats(conversation)
    assert dataclasses.replace(split, share=1.0).treats(conversation)
    # a larger share takes nobody out
    wider = dataclasses.replace(split, share=min(1.0, share * 1.5))
    assert wider.treats(conversation) or not split.treats(conversation)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_the_share_is_right_and_independent_of_another_trial(share):
    split, other = (dataclasses.replace(_SPLIT, experiment=name, share=share) for name in ("one", "two"))
    treated = np.array([[each.treats(f"c{n}") for each in (split, other)] for n in range(20_000)])
    error = np.sqrt(share * (1 - share) / len(treated))
    assert np.abs(treated.mean(axis=0) - share).max() < 4 * error
    assert abs(np.corrcoef(treated.T)[0, 1]) < 4 / np.sqrt(len(treated))


def rated(conversation, value, *, treated, beside="", text="It is 5432.", verdicts=None, n=0, **kept):
    trial = TrialSide("salt", treated, beside)
    answer = Answer("q", text, Arm.RAG, "extractive", domain="manual", **kept)
    one = KeptAnswer(
        f"{conversation}-{n}-{treated}",
        n,
        answer,
        (),
        conversation,
        f"state {treated}",
        None,
        verdicts,
        trial,
    )
    votes = (Vote(value, "", "", 0.0),) if value else ()
    return RatedAnswer(one, votes)


def votes(generator, conversations, *, usual, other, split=_SPLIT):
    """Return answers of conversations, one to three each, whose votes depend on the arm and the person."""
    found = []
    for place in range(conversations):
        conversation = f"{generator.integers(2**60)}"
        treated = split.treats(conversation)
        taste = generator.normal(0, 0.15)
        for turn in range(generator.integers(1, 4)):
            liked = generator.random() < np.clip((other if treated else usual) + taste, 0, 1)
            value = (1 if liked else -1) * (generator.random() < 0.6)
            found.append(rated(conversation, value, treated=treated, n=3 * place + turn))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("share", "rate"), [(0.5, 0.6), (0.2, 0.97)])
def test_false_alarms_over_all_looks_stay_below_their_level(share, rate):
    split = dataclasses.replace(_SPLIT, share=share)
    generator = np.random.default_rng(0)
    runs = [votes(generator, 400, usual=rate, other=rate, split=split) for _ in range(200)]
    alarms = sum(trial_result(split, run).better is not None for run in runs)
    assert alarms <= 0.05 * len(runs)


@pytest.mark.slow
def test_what_is_there_is_found_in_its_direction_and_stays_found():
    generator = np.random.default_rng(1)
    better = votes(generator, 400, usual=0.5, other=0.85)
    assert trial_result(_SPLIT, better).better is True
    looks = [trial_result(_SPLIT, better[:n]) for n in range(0, len(better), 40)]
    found = [look.better for look in looks]
    assert found == sorted(found, key=lambda shown: shown is not None)  # once shown, always shown
    assert trial_result(_SPLIT, votes(generator, 400, usual=0.85, other=0.5)).better is False


def test_asking_between_looks_says_what_the_look_before_said():
    answers = votes(np.random.default_rng(2), 400, usual=0.5, other=0.9)
    ends = _SPLIT.looks.ends
    begun = list(dict.fromkeys(one.kept.conversation for one in answers))

    def at(conversations):
        there = set(begun[:conversations])
        return trial_result(_SPLIT, [one for one in answers if one.kept.conversation in there])

    early = at(ends[0] - 1)
    assert early.difference is early.interval is early.better is None
    assert f"the first look is at {ends[0]}" in early.sentence
    first, between = at(ends[0]), at(ends[1] - 1)
    assert (first.difference, first.interval) == (between.difference, between.interval)
    assert first.next_look == between.next_look == ends[1]
    last = at(400)
    assert last.next_look == 0
    assert last.states == (1, 1)
    assert last.sentence.startswith("rag:k=2 is better than what the domain decided on: +")
    assert "95 % interval" in last.sentence and last.sentence.endswith("of them by it.")


def test_a_side_that_nobody_had_says_that_nothing_can_be_said():
    answers = [rated(f"{n}", 1, treated=False, n=n) for n in range(400)]
    assert trial_result(_SPLIT, answers).sentence == (
        "Nothing can be said of rag:k=2: 400 of 400 conversations, and only 0 of them by it."
    )


def test_a_conversation_counts_once_however_long_it_is():
    long = [rated("one", 1, treated=True, n=n) for n in range(99)]
    short = [rated(f"{n}", -1, treated=n % 2 == 0, n=100 + n) for n in range(60)]
    split = dataclasses.replace(_SPLIT, planned=61)
    result = trial_result(split, long + short)
    assert (result.conversations, result.treated) == (61, 31)
    assert result.difference == pytest.approx(1 / 31)


def _judged(*statuses):
    return tuple(ClaimVerdict(Claim("x", Span(0, 1)), status) for status in statuses)


@pytest.mark.parametrize(
    ("metric", "one", "score"),
    [
        (TrialMetric.VOTES, rated("c", 1, treated=True), 1.0),
        (TrialMetric.VOTES, rated("c", 0, treated=True), 0.5),
        (TrialMetric.VOTES, rated("c", -1, treated=True), 0.0),
        (TrialMetric.ANSWERED, rated("c", 0, treated=True, abstained=True), 0.0),
        (TrialMetric.ANSWERED, rated("c", 0, treated=True), 1.0),
        (TrialMetric.GROUNDED, rated("c", 0, treated=True), None),
        (TrialMetric.GROUNDED, rated("c", 0, treated=True, abstained=True), 0.0),
        (TrialMetric.GROUNDED, rated("c", 0, treated=True, verdicts=_judged(Status.NOT_CHECKABLE)), 0.0),
        (
            TrialMetric.GROUNDED,
            rated("c", 0, treated=True, verdicts=_judged(Status.SUPPORTED, Status.CONTRADICTED)),
            0.5,
        ),
    ],
)
def test_what_an_answer_scores(metric, one, score):
    assert metric.score(one) == score


def test_a_shadow_is_held_against_the_answer_beside_it():
    split = dataclasses.replace(_SPLIT, shadow=True, metric=TrialMetric.GROUNDED, planned=40)
    answers = []
    for n in range(40):
        right = _judged(Status.SUPPORTED, Status.SUPPORTED)
        half = _judged(Status.SUPPORTED, Status.NOT_IN_EVIDENCE)
        shown = rated(f"c{n}", 0, treated=False, n=n, verdicts=half)
        answers += [
            shown,
            rated(f"c{n}", 0, treated=True, n=n, beside=shown.kept.id, verdicts=right, text="5"),
        ]
    result = trial_result(split, [*answers, rated("c1", 0, treated=False, n=99)])
    assert result.difference == 0.5
    assert result.better is True
    assert result.unjudged == 1
    assert result.agreement == 0.0
    assert "40 of 40 conversations, each answered by both, with 0 % of the words alike" in result.sentence


@pytest.fixture
def assistants():
    settings = load_settings({}, environment={})
    own = {"embedder": HashEmbedder(64), "generator": ScriptedGenerator(["It is 5432 [1]."])}
    document = Document("port.txt", "The default port of the server is 5432.")
    Assistant("manual", settings=settings, **own).update([document])
    return Assistants(settings=settings, **own)


def test_a_trial_holds_from_the_next_question_on_and_ends(assistants):
    manual = assistants["manual"]
    assert assign(assistants, "c1").trials == {}
    split = start_split(manual, "rag:k=2", share=0.5)
    names = [f"c{n}" for n in range(200)]
    treated = {name for name in names if split.treats(name)}
    assert 60 < len(treated) < 140
    for name in names:
        found = assign(assistants, name)
        assert found.arms == ({"manual": "rag:k=2"} if name in treated else {})
        assert found.trials == {"manual": TrialSide(split.experiment, name in treated)}
    assert assign(assistants, "").trials == {}
    with pytest.raises(UsageError, match="on trial already"):
        start_split(manual, "rag:k=3", share=0.1)
    assert stop_split(manual) == split
    assert assign(assistants, names[0]).trials == {}
    with pytest.raises(UsageError, match="nothing is on trial"):
        stop_split(manual)


def test_an_arm_that_the_library_put_in_force_is_on_trial_no_longer(assistants):
    manual = assistants["manual"]
    start_split(manual, "rag:k=2", share=0.5)
    assert assign(assistants, "c1").trials != {}
    adopt(manual.folder, "rag:k=2", experiment="", sentence="By hand.")
    assert assign(assistants, "c1").trials == {}
    assert end_where_usual(manual).arm == "rag:k=2"
    assert (read_split(manual), end_where_usual(manual)) == (None, None)


def test_what_cannot_be_tried_is_refused_before_it_begins(assistants):
    manual = assistants["manual"]
    with pytest.raises(UsageError, match="no arm"):
        start_split(manual, "wizard", share=0.1)
    with pytest.raises(UsageError, match="rag is what answers already"):
        start_split(manual, "rag", share=0.1)
    with pytest.raises(AdapterError):
        start_split(manual, "both:generator_adapter=none-such", share=0.1)
    for wrong in ({"share": 0.0}, {"share": 1.0}, {"share": 0.1, "planned": 100}):
        with pytest.raises(UsageError):
            start_split(manual, "rag:k=2", **wrong)
    with pytest.raises(UsageError, match=r"a share of 1\.5"):
        start_split(manual, "rag:k=2", share=1.5, shadow=True)
    with pytest.raises(UsageError, match="nobody votes"):
        start_split(manual, "rag:k=2", share=0.1, shadow=True, metric=TrialMetric.VOTES)
    # the judge holds answers against passages, and one of the two has none
    with pytest.raises(UsageError, match="base answers without passages"):
        start_split(manual, "base", share=0.1, shadow=True)
    with pytest.raises(UsageError, match="base:max_new_tokens=9 answers without passages"):
        start_split(manual, "base:max_new_tokens=9", share=0.5, metric=TrialMetric.GROUNDED)
    adopt(manual.folder, "base", experiment="", sentence="By hand.")
    with pytest.raises(UsageError, match="base answers without passages"):
        start_split(manual, "rag", share=0.1, shadow=True)
    assert read_split(manual) is None
    assert start_split(manual, "rag", share=0.1, shadow=True, metric=TrialMetric.ANSWERED).arm == "rag"


def test_a_foreign_trial_chooses_no_model_and_a_damaged_one_says_so(assistants):
    manual = assistants["manual"]
    start_split(manual, "rag:k=2", share=0.5)
    path = manual.folder / "TRAFFIC"
    for change in ({"arm": "rag:endpoint=http://elsewhere.example/v1"}, {"share": "all"}, {"schema": 9}):
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        with pytest.raises(UsageError, match="TRAFFIC"):
            assign(assistants, "c1")
        path.unlink()
        start_split(manual, "rag:k=2", share=0.5)
    path.write_text("{")
    with pytest.raises(UsageError, match="no JSON"):
        assign(assistants, "c1")


@pytest.mark.slow
def test_a_shadow_answers_beside_and_is_kept_unseen(assistants, tmp_path):
    manual = assistants["manual"]
    split = start_split(manual, "rag:k=2:reader=generator", share=1.0, shadow=True)
    found = assign(assistants, "c1")
    assert found.arms == {}
    answer = assistants.ask("What is the default port of the server?")
    kept = kept_answer("one", answer, conversation="c1", trial=found.trials["manual"])
    store = Feedback(tmp_path / "feedback.sqlite", keep_days=1)
    store.keep(kept)
    shadows = Shadows(assistants, store)
    # of small talk and of another trial there is none
    shadows.follow(dataclasses.replace(kept, id="two", trial=None))
    shadows.follow(dataclasses.replace(kept, id="three", trial=TrialSide("other", False)))
    shadows.follow(kept)
    while (shadow := store.answer("one-shadow")) is None:
        time.sleep(0.01)
    assert shadow.answer.variant == "rag:k=2:reader=generator"
    assert shadow.trial == TrialSide(split.experiment, True, beside="one")
    assert shadow.verdicts and shadow.identity != ""
    result = trial_result(split, store.rated(experiment=split.experiment))
    assert (result.unjudged, result.states) == (1, (1, 1))
    assert result.agreement is not None
    stop_split(manual)
    shadows.follow(dataclasses.replace(kept, id="four"))
    shadows.close()
    assert [one.kept.id for one in store.rated()] == ["one", "one-shadow"]
    store.close()


def test_a_shadow_that_fails_counts_as_one_that_declined(assistants, tmp_path, monkeypatch):
    split = start_split(assistants["manual"], "rag:k=2", share=1.0, shadow=True)
    answer = assistants.ask("What is the default port of the server?")
    kept = kept_answer("one", answer, conversation="c1", trial=assign(assistants, "c1").trials["manual"])
    store = Feedback(tmp_path / "feedback.sqlite", keep_days=1)
    shadows = Shadows(assistants, store)

    def fail(*_, **__):
        raise AdapterError("gone")

    monkeypatch.setattr(Assistant, "ask", fail)
    shadows.follow(kept)
    shadows.close()
    (rated,) = store.rated(experiment=split.experiment)
    store.close()
    assert rated.kept.answer.text == "gone"
    assert split.metric.score(rated) == 0.0
