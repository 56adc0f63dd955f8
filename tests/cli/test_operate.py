"""promote, rollback, history and traffic from the command line."""

import json
from contextlib import closing
from pathlib import Path

import pytest

from hybrid import Assistant, load_settings
from hybrid.cli.app import run
from hybrid.operations.feedback import Feedback, TrialSide, kept_answer
from hybrid.operations.traffic import read_split
from hybrid.testing import HashEmbedder
from hybrid.tracing import names
from hybrid.tracing.spans import TraceSpan
from hybrid.tracing.store import TraceStore
from hybrid.types import Answer, Arm, Document


@pytest.fixture
def manual(monkeypatch):
    monkeypatch.setattr("hybrid.arms.load_embedder", lambda *_: HashEmbedder(64))
    assistant = Assistant("manual", settings=load_settings({}, environment={}), embedder=HashEmbedder(64))
    for source in ("port.txt", "night.txt"):
        assistant.update([Document(source, "The default port of the server is 5432.")])
    return assistant


def document(capsys, *arguments, code=0):
    capsys.readouterr()
    assert run([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_a_switch_and_its_way_back_are_told_and_stand_in_the_history(manual, capsys):
    assert run(["promote", "--arm", "rag:k=2", "--generation", "000001", "--why", "as before"]) == 0
    assert [line.split("  ", 3)[-1] for line in capsys.readouterr().out.splitlines()] == [
        "manual  generation 000002 → 000001: as before",
        "manual  arm none → rag:k=2: as before",
    ]
    back = document(capsys, "rollback", "arm")["changes"]
    assert [(one["what"], one["before"], one["after"]) for one in back] == [("arm", "rag:k=2", "")]
    assert back[0]["held"] == {"arm": "rag:k=2", "experiment": "", "sentence": "as before"}
    assert len(document(capsys, "history")["changes"]) == 5
    assert document(capsys, "history", "--domain", "other")["changes"] == []
    (manual.folder / "CURRENT").write_text("000002\n")
    assert run(["history"]) == 0
    assert "the generation is 000002, and the log says 000001" in capsys.readouterr().err
    log = manual.folder.parent / "changes.jsonl"
    log.write_text(log.read_text().replace("rag:k=2", "rag:k=9"))
    assert run(["history"]) == 4
    assert "is not what was written there" in capsys.readouterr().err
    assert run(["promote"]) == 2


@pytest.mark.slow
def test_a_trial_is_started_looked_at_and_stopped(manual, capsys):
    assert run(["traffic", "show"]) == 2
    assert run(["traffic", "start", "rag:k=2", "--share", "0.5", "--conversations", "60"]) == 0
    assert "rag:k=2 is on trial; the first look is at 10 conversations" in capsys.readouterr().out
    split = read_split(manual)
    store = Feedback.of(manual.settings)
    for name in map(str, range(60)):
        answer = Answer("q", "a", Arm.RAG, "extractive", domain="manual")
        side = TrialSide(split.experiment, split.treats(name))
        store.keep(kept_answer(name, answer, conversation=name, identity=name, trial=side))
    store.close()
    assert document(capsys, "traffic", "show")["sentence"].startswith("Undecided whether rag:k=2 is better")
    assert run(["traffic", "stop"]) == 0
    assert "what answers was changed meanwhile" in capsys.readouterr().err
    assert run(["traffic", "stop"]) == 2


def test_without_answers_that_are_kept_there_is_no_trial(manual, capsys, monkeypatch):
    monkeypatch.setenv("HYBRID_FEEDBACK__KEEP_DAYS", "0")
    assert run(["traffic", "start", "rag:k=2"]) == 2
    assert "answers are not kept" in capsys.readouterr().err
    assert read_split(manual) is None


@pytest.mark.slow
def test_gathers_what_replicas_kept(tmp_path, capsys):
    folders = [str(tmp_path / name) for name in ("one", "two")]
    for place, folder in enumerate(folders):
        kept = Feedback(Path(folder) / "feedback.sqlite", keep_days=30)
        for name in (f"only {place}", "both"):
            kept.keep(kept_answer(name, Answer("q", "a", Arm.RAG, "extractive")))
        # of one voter the later word counts, of two both
        kept.vote("both", 1 - 2 * place)
        kept.vote("both", -1, as_user=f"user {place}")
        kept.prefer("both", [f"only {place}", "both"])
        kept.close()
        with TraceStore(Path(folder) / "traces.sqlite") as traces:
            traces.add([TraceSpan(f"{place:032x}", f"{place:016x}", "", names.ASK, "CHAIN", 1, 2)])
    for named, answers in ((folders, 3), (folders[::-1], 0)):
        assert document(capsys, "gather", *named) == {"answers": answers, "traces": 2}
        with closing(Feedback(tmp_path / "indexes" / "feedback.sqlite", keep_days=30)) as all_of_them:
            scores = {rated.kept.id: rated.score for rated in all_of_them.rated()}
            rejected = {one.rejected.id for one in all_of_them.preferences()}
        assert (scores, rejected) == ({"only 0": 0, "only 1": 0, "both": -3}, {"only 0", "only 1"})
    with TraceStore(tmp_path / "indexes" / "traces.sqlite", read_only=True) as traces:
        assert len(list(traces.traces())) == 2
    assert run(["gather", str(tmp_path / "three")]) == 2
    assert "holds no feedback.sqlite" in capsys.readouterr().err
