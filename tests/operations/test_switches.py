"""Arm, adapters and generation are switched together and back, and the log has all of it."""

import threading

import pytest

from hybrid import Assistant, load_settings
from hybrid.adaptation.values import AdapterKind
from hybrid.changes import Switched, read_changes
from hybrid.decision import adopted
from hybrid.errors import AdapterError, GateFailed, IndexMissing, UsageError
from hybrid.index.generations import current
from hybrid.operations.switches import disagreements, promote, prompts_in_force, rollback
from hybrid.operations.traffic import read_split, start_split, stop_split
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.types import Document


@pytest.fixture
def assistant():
    tuned = {f"generator-00{n}": [f"tuned {n}"] for n in (1, 2)}
    generator = ScriptedGenerator(["It is 5432 [1]."], tuned=tuned)
    settings = load_settings({}, environment={})
    assistant = Assistant("manual", settings=settings, embedder=HashEmbedder(64), generator=generator)
    assistant.update([Document("port.txt", "The default port of the server is 5432.")])
    assistant.update([Document("night.txt", "The server restarts every night at two.")])
    return assistant


@pytest.fixture
def keep(assistant, keep_adapter):
    base = {"base": assistant.generator.name, "base_digest": assistant.generator.digest}
    return lambda name: keep_adapter(assistant.folder, name, promote=False, **base)


def state(assistant):
    in_use = assistant.adapters.promoted(AdapterKind.GENERATOR)
    decided = assistant.asked.decided
    return decided and decided.name, in_use, current(assistant.folder)


def log(assistant):
    return [(one.what, one.before, one.after) for one in read_changes(assistant.folder.parent)]


def test_what_is_promoted_together_is_taken_back_together(assistant, keep):
    keep("generator-001")
    before = state(assistant)
    assert before == (None, None, "000002")
    named = {"arm": "adapter", "adapters": ["generator-001"], "generation": "000001"}
    changes = promote(assistant, **named, force=True, why="try it")
    assert state(assistant) == ("adapter:generator_adapter=generator-001", "generator-001", "000001")
    assert assistant.ask("What is the default port?").text == "tuned 1"
    assert {(one.batch, one.why) for one in changes} == {(3, "try it")}
    back = rollback(assistant)
    assert state(assistant) == before
    assert {(one.batch, one.undoes, one.why) for one in back} == {(6, 3, "3 taken back")}
    # the next one goes further back, and never forward again
    assert [(one.before, one.after) for one in rollback(assistant)] == [("000002", "000001")]
    with pytest.raises(IndexMissing, match="no generation before 000001"):
        rollback(assistant)
    assert list(disagreements(assistant, read_changes(assistant.folder.parent))) == []


def test_one_thing_alone_is_taken_back(assistant, keep):
    keep("generator-001")
    keep("generator-002")
    promote(assistant, arm="rag:k=2", adapters=["generator-001"], force=True)
    promote(assistant, arm="rag:k=3", adapters=["generator-002"], force=True, why="more")
    rollback(assistant, Switched.ARM)
    assert state(assistant) == ("rag:k=2", "generator-002", "000002")
    assert assistant.asked.because == "It was put in force by hand. (experiment )"
    rollback(assistant, Switched.GENERATION)
    assert state(assistant) == ("rag:k=2", "generator-002", "000001")
    # what is left of the last switch, then all of the one before
    rollback(assistant)
    assert state(assistant) == ("rag:k=2", "generator-001", "000001")
    rollback(assistant, Switched.GENERATOR)
    rollback(assistant)
    assert state(assistant) == (None, None, "000001")
    with pytest.raises(UsageError, match="the log has no arm"):
        rollback(assistant, Switched.ARM)


def test_prompts_are_switched_with_the_arm_and_back(assistant):
    question = "What is the default port?"
    assistant.ask(question, arm="base")
    first = prompts_in_force(assistant)
    settings = load_settings({"generation": {"prompt": "terse"}}, environment={})
    terse = Assistant("manual", settings=settings, embedder=HashEmbedder(64), generator=assistant.generator)
    terse.ask(question, arm="base")
    second = prompts_in_force(terse)
    changes = promote(terse, prompt=first[:6], arm="base")
    assert [(one.what, one.after) for one in changes] == [(Switched.PROMPT, first), (Switched.ARM, "base")]
    assert (prompts_in_force(terse), state(terse)[0]) == (first, "base")
    rollback(terse)
    assert (prompts_in_force(terse), state(terse)[0]) == (second, None)


def test_a_decision_comes_back_with_its_reason(assistant):
    adopted.adopt(assistant.folder, "rag:k=2", experiment="first", sentence="Run rag:k=2.")
    promote(assistant, arm="base")
    rollback(assistant, why="no good")
    assert (assistant.asked.because, adopted.experiment(assistant.folder)) == (
        "Run rag:k=2. (experiment first)",
        "first",
    )
    assert [one.why for one in read_changes(assistant.folder.parent)][-3:] == [
        "Run rag:k=2.",
        "It was put in force by hand.",
        "no good",
    ]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({}, UsageError),
        ({"arm": "wizard"}, UsageError),
        ({"arm": "both:generator_adapter=none-such"}, AdapterError),
        ({"arm": "rag:k=2", "adapters": ["none-such"]}, AdapterError),
        ({"arm": "rag:k=2", "generation": "000009"}, IndexMissing),
        ({"arm": "rag:k=2", "generation": "../000001"}, IndexMissing),
    ],
)
def test_what_cannot_be_switched_leaves_all_as_it_was(assistant, wrong, error):
    before, logged = state(assistant), log(assistant)
    with pytest.raises(error):
        promote(assistant, **wrong)
    assert (state(assistant), log(assistant)) == (before, logged)


def test_an_arm_on_trial_is_promoted_once_its_trial_was_stopped(assistant):
    start_split(assistant, "rag:k=2", share=0.5)
    with pytest.raises(UsageError, match="rag:k=2 is on trial since") as error:
        promote(assistant, arm="rag:k=2")
    assert "hybrid traffic stop" in error.value.hint
    promote(assistant, arm="rag:k=3")
    stop_split(assistant)
    promote(assistant, arm="rag:k=2")
    assert state(assistant)[0] == "rag:k=2"


def test_the_trial_of_an_arm_that_a_rollback_puts_in_force_ends(assistant):
    promote(assistant, arm="rag:k=2")
    promote(assistant, arm="rag:k=3")
    start_split(assistant, "rag:k=2", share=0.5)
    changes = rollback(assistant)
    assert [(one.what, one.before, one.after) for one in changes] == [
        (Switched.ARM, "rag:k=3", "rag:k=2"),
        (Switched.TRIAL, "rag:k=2", ""),
    ]
    assert read_split(assistant) is None
    rollback(assistant)  # the trial is no switch that is taken back
    assert (state(assistant)[0], read_split(assistant)) == (None, None)


def test_the_trial_of_another_arm_goes_on(assistant):
    start_split(assistant, "rag:k=2", share=0.5)
    promote(assistant, arm="rag:k=3")
    rollback(assistant)
    assert read_split(assistant).arm == "rag:k=2"


def test_prompts_that_are_not_kept_are_refused_with_what_to_do(assistant):
    with pytest.raises(UsageError, match="0 versions of the prompts begin with 'xx'") as error:
        promote(assistant, prompt="xx")
    assert "hybrid prompts list" in error.value.hint


def test_an_adapter_that_the_gate_refuses_switches_nothing(assistant, keep, monkeypatch):
    keep("generator-001")
    monkeypatch.setattr("hybrid.tuning.Adaptation.check", lambda *_, **__: None)
    with pytest.raises(GateFailed):
        promote(assistant, arm="rag:k=2", adapters=["generator-001"])
    assert state(assistant) == (None, None, "000002")


def test_a_switch_that_fails_half_way_is_taken_back_and_the_log_says_so(assistant, keep):
    keep("generator-001")
    with pytest.raises(IndexMissing):
        promote(assistant, adapters=["generator-001"], generation="000009", force=True)
    assert state(assistant) == (None, None, "000002")
    assert log(assistant)[-2:] == [
        (Switched.GENERATOR, "", "generator-001"),
        (Switched.GENERATOR, "generator-001", ""),
    ]


def test_the_library_is_logged_too_and_a_hand_on_the_files_shows(assistant, keep):
    keep("generator-001")
    assistant.adapters.promote("generator-001", force=True)
    assistant.adapters.rollback(AdapterKind.GENERATOR)
    assistant.rollback()
    start_split(assistant, "rag:k=2", share=0.5)
    stop_split(assistant)
    assert log(assistant) == [
        (Switched.GENERATION, "", "000001"),
        (Switched.GENERATION, "000001", "000002"),
        (Switched.GENERATOR, "", "generator-001"),
        (Switched.GENERATOR, "generator-001", ""),
        (Switched.GENERATION, "000002", "000001"),
        (Switched.TRIAL, "", "rag:k=2"),
        (Switched.TRIAL, "rag:k=2", ""),
    ]
    (assistant.folder / "CURRENT").write_text("000002\n")
    (warned,) = disagreements(assistant, read_changes(assistant.folder.parent))
    assert warned == "manual: the generation is 000002, and the log says 000001"
    assistant.delete()
    assert log(assistant)[-1] == (Switched.GENERATION, "000002", "")


def test_an_index_that_is_older_than_the_log_still_goes_back(assistant):
    (assistant.folder.parent / "changes.jsonl").unlink()
    (change,) = rollback(assistant)
    assert (change.before, change.after) == ("000002", "000001")


@pytest.mark.slow
def test_whoever_asks_during_a_switch_is_answered_by_the_old_or_the_new(assistant, keep):
    keep("generator-001")
    keep("generator-002")
    arms = {n: f"adapter:generator_adapter=generator-00{n}" for n in (1, 2)}
    promote(assistant, arm=arms[1], generation="000001", force=True)
    stop, seen = threading.Event(), set()

    def ask():
        while not stop.is_set():
            serving = assistant.asked.serving(None)
            seen.add((serving.name, serving.retriever and serving.retriever.index.manifest.generation))

    assistant.ask("What is the default port?", arm="rag:k=2")
    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(5):
        promote(assistant, arm="rag:k=2", generation="000002")
        promote(assistant, arm="rag:k=1", generation="000001")
    stop.set()
    asking.join()
    assert seen <= {(arms[1], None), ("rag:k=2", "000002"), ("rag:k=1", "000001")}
    assert len(seen) > 1
