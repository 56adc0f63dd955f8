"""The commands evaluate and compare, on models without weights."""

import json

import pytest

from hybrid.assistant import Assistant
from hybrid.cli import console
from hybrid.cli.app import run
from hybrid.cli.evaluate import show_side_by_side
from hybrid.cli.options import Context
from hybrid.config import load_settings
from hybrid.decision.adopted import adopt
from hybrid.evaluation.outcomes import Outcome, Retrieved
from hybrid.operations.traffic import read_split, start_split
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.types import Citation, Span

_FILES = {
    "port.txt": "The default port of the server is 5432.",
    "night.txt": "The server restarts every night at two.",
}
_ROWS = [
    {"id": "q1", "question": "What is the default port of the server?", "answers": ["5432"],
     "evidence": [{"source": "port.txt", "quote": _FILES["port.txt"]}]},
    {"id": "q2", "question": "When does the server restart?", "answers": ["every night"]},
    {"id": "q3", "question": "Sourdough oven temperature?", "answerable": False},
    {"id": "q4", "question": "Is the default port of the server 5432?", "answers": ["yes"],
     "options": ["yes", "no"]},
]  # fmt: skip


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "asked.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in _ROWS))
    return path


class Broken(ScriptedGenerator):
    """Answer all but one question."""

    broken = True

    def generate(self, conversations, *, max_new_tokens, stop=()):
        if self.broken and any("restart" in turns[-1].content for turns in conversations):
            raise RuntimeError("out of order")
        return super().generate(conversations, max_new_tokens=max_new_tokens, stop=stop)


@pytest.fixture
def domain(tmp_path, write_files, monkeypatch):
    """A domain of two files whose commands use the fakes; gives its assistant."""
    settings = load_settings({"documents": {"workers": 1}, "grounding": {"scorer": "align"}}, environment={})
    generator = Broken(["The default port is 5432 [1]."])
    generator.broken = False
    assistant = Assistant("manual", settings=settings, embedder=HashEmbedder(64), generator=generator)
    assistant.index(write_files(tmp_path / "docs", _FILES))
    monkeypatch.setattr(Context, "assistant", lambda self, settings=None, indexed=True: assistant)
    return assistant


def document(capsys, *arguments, code=0):
    assert run([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_evaluate_shows_the_metrics_of_one_arm(domain, questions, capsys):
    assert run(["evaluate", str(questions)]) == 0
    shown = capsys.readouterr()
    rows = {line[:24].strip(): line[24:].strip() for line in shown.out.splitlines()}
    assert shown.out.split()[0] == "rag"
    assert rows["declined, unanswerable"] == "1.00"
    assert rows["failed"] == "0.00"
    assert "rag: 4 of 4" in shown.err
    assert "outcomes: " in shown.err


@pytest.mark.slow
def test_compare_has_an_arm_a_column_and_everything_in_json(domain, questions, capsys):
    found = document(capsys, "compare", str(questions), "--arms", "base,rag,rag:reader=generator")
    assert [arm["arm"] for arm in found["arms"]] == ["base", "rag", "rag:reader=generator"]
    means = [{one["metric"]: one["mean"] for one in arm["metrics"]["means"]} for arm in found["arms"]]
    assert [mean["failed"] for mean in means] == [0, 0, 0]
    assert means[1]["contains_gold"] > means[0]["contains_gold"]
    assert found["arms"][0]["cost"]["p50"] > 0
    assert found["questions"] == 4
    assert found["judge"] == "word alignment, fake/hash"
    assert means[1]["groundedness"] == 1.0 and means[0]["groundedness"] is None
    assert run(["compare", str(questions)]) == 0
    assert capsys.readouterr().out.split()[:2] == ["base", "rag"]


@pytest.mark.slow
def test_what_was_asked_is_not_asked_again(domain, questions, capsys):
    first = document(capsys, "evaluate", str(questions), "--arm", "base")
    asked = len(domain.generator.history)
    assert asked == 3  # the fourth is judged, not written
    assert document(capsys, "evaluate", str(questions), "--arm", "base") == first
    document(capsys, "compare", str(questions))
    assert len(domain.generator.history) == asked


@pytest.mark.slow
def test_failed_answers_are_counted_told_and_asked_again_on_demand(domain, questions, capsys):
    domain.generator.broken = True
    found = document(capsys, "compare", str(questions), "--arms", "base,rag", code=6)
    failed = {arm["arm"]: arm["metrics"]["failed"] for arm in found["arms"]}
    assert failed == {"base": 1, "rag": 0}
    domain.generator.broken = False
    assert run(["compare", str(questions)]) == 6
    told = capsys.readouterr().err
    assert "1 answers failed" in told
    assert "out of order" in told
    assert "--retry" in told
    assert run(["compare", str(questions), "--retry"]) == 0


@pytest.mark.slow
def test_incomplete_answers_are_counted_and_told_and_nothing_written_is_a_failure(domain, questions, capsys):
    domain.generator.incomplete = "cut at 160 tokens"
    assert run(["evaluate", str(questions), "--arm", "base"]) == 0
    shown = capsys.readouterr()
    assert "3 answers are incomplete and score by what is there; the first: cut at 160 tokens" in shown.err
    assert {line.split()[-1] for line in shown.out.splitlines() if line.startswith("incomplete")} == {"3"}
    domain.generator.replies = [""]
    assert run(["evaluate", str(questions), "--arm", "base"]) == 6
    shown = capsys.readouterr()
    assert "3 answers failed and score as failures; the first: cut at 160 tokens" in shown.err
    assert "incomplete" not in shown.out


@pytest.mark.slow
def test_a_set_of_the_domain_is_named_without_its_path(domain, questions, capsys):
    own = domain.folder / "questions"
    own.mkdir()
    (own / "made.jsonl").write_bytes(questions.read_bytes())
    assert document(capsys, "evaluate", "made")["questions"] == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["compare", "nowhere.jsonl"], 2, "no question set 'nowhere.jsonl'"),
        (["compare", "FILE", "--arms", "rag,both"], 5, "adapter"),
        (["compare", "FILE", "--arms", "rag:kk=3"], 3, "did you mean 'k'?"),
        (["evaluate", "FILE", "--arm", "rag:k=-1"], 3, "`retrieval.k`"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_runs(
    domain, questions, capsys, arguments, code, message
):
    assert run([str(questions) if part == "FILE" else part for part in arguments]) == code
    assert message in capsys.readouterr().err
    assert domain.generator.history == []
    assert not (domain.folder / "experiments").exists()


# --- one question ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("text", ["What is the default port of the server?", "port?", "the port"])
def test_one_question_is_answered_side_by_side_and_not_written_down(domain, capsys, monkeypatch, text):
    monkeypatch.setattr(console, "width", lambda: 100)
    assert run(["compare", text]) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.split() == ["base", "rag"]
    assert any("port.txt" in line for line in rest)
    assert not (domain.folder / "experiments").exists()
    found = document(capsys, "compare", text, "--arms", "base,rag")
    assert found["question"] == text
    assert [arm["arm"] for arm in found["arms"]] == ["base", "rag"]


_CITED = Outcome(
    "k", "rag", "1", "The default port of the server is 5432. [1]",
    citations=(Citation(1, "port.txt", 0, 39, "The default port of the server is 5432.", 3),),
    passages=(Retrieved("port.txt", Span(0, 39), "The default port of the server is 5432.", 1.0),),
    confidence=0.8, seconds=0.25,
)  # fmt: skip
_FAILED = Outcome("k", "base", "1", "", error="RuntimeError: out of \x1b[31morder", seconds=1.5)


def test_a_narrow_terminal_has_the_arms_below_each_other(capsys):
    show_side_by_side([_FAILED, _CITED], width=60)
    lines = capsys.readouterr().out.splitlines()
    assert lines.index("base") < lines.index("rag")
    assert max(map(len, lines)) <= 60
    assert any("failed: RuntimeError" in line for line in lines)
    assert "\x1b" not in "\n".join(lines)
    assert any("[1] page 3, port.txt" in line for line in lines)
    assert any("0.25 s" in line for line in lines)


def test_a_wide_terminal_has_the_arms_in_columns(capsys):
    show_side_by_side([_FAILED, _CITED], width=100)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["base", "rag"]
    assert max(map(len, lines)) <= 100
    column = lines[0].index("rag")
    assert any(line[column:].startswith("The default port") for line in lines)


@pytest.fixture
def many(tmp_path):
    """Forty questions that only the page about the port answers, each of a source of its own."""
    text = "What is the default port of the server, number {}?"
    rows = [
        {"id": f"m{n}", "question": text.format(n), "answers": ["5432"], "source": f"s{n}"} for n in range(40)
    ]
    path = tmp_path / "many.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.slow
def test_a_decision_is_adopted_only_if_what_was_required_is_met(domain, many, capsys):
    domain.generator.replies = ["I would not know the number."]
    arguments = ["decide", str(many), "--arms", "base,rag", "--effort", "quick"]
    assert run([*arguments, "--require", "arm=base"]) == 7
    assert not (domain.folder / "DECISION").exists()
    adopt(domain.folder, "base", experiment="", sentence="By hand.")
    start_split(domain, "rag", share=0.5)
    assert run(arguments) == 0
    shown = capsys.readouterr()
    assert "Run rag" in shown.out
    assert "uses rag from now on" in shown.err
    assert "the trial of rag ended" in shown.err and read_split(domain) is None
    assert json.loads((domain.folder / "DECISION").read_text())["arm"] == "rag"


@pytest.mark.slow
def test_where_one_arm_quotes_and_another_writes_judgements_are_asked_for(domain, many, capsys):
    domain.generator.replies = ["It is what somebody wrote on the wall of the room."]
    many.write_text(many.read_text().replace("5432", "port 5432"))
    assert run(["decide", str(many), "--arms", "base,rag", "--effort", "quick", "--json"]) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert found["judging"]["reasons"] == ["rag quotes what was retrieved and base does not"]
    assert found["judging"]["judgements"] == 40
    assert found["judging"]["prospect"]["effect"]["arm"] == found["arm"] == "rag"
    assert found["caution"] not in shown.err
    assert "caution: judge 40 answers of each arm by hand (--explain says why)" in shown.err
    assert "Judge 40 answers of each arm by hand, which are all" in found["caution"]
    (page,) = domain.folder.glob("experiments/*/report.html")
    assert "rag quotes what was retrieved and base does not" in page.read_text()


@pytest.mark.slow
def test_an_arm_without_a_single_answer_is_told_and_nothing_is_adopted(domain, many, capsys):
    domain.generator.broken = True
    many.write_text(
        many.read_text().replace("What is the default port", "When does it restart, and what is the port")
    )
    assert run(["decide", str(many), "--effort", "quick"]) == 5
    assert "the arm base answered none of 40 questions" in capsys.readouterr().err
    assert not (domain.folder / "DECISION").exists()


def test_a_label_is_chosen_by_the_arm_that_was_decided_on_for_labels(domain, capsys):
    adopt(domain.folder, "base", experiment="e1", sentence="Run base.", labels=True)
    assert run(["ask", "Which kind of rule is this?", "--options", "notice, leave,notice"]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines()[0] in ("notice", "leave")
    assert shown.rstrip().endswith("of the likelihood, by base")
    assert run(["ask", "Which kind of rule is this?", "--options", "notice"]) == 2
    assert "two or more" in capsys.readouterr().err


def test_where_labels_were_decided_on_the_explanation_says_how_one_is_chosen(domain, capsys):
    adopt(domain.folder, "base", experiment="e1", sentence="Run base.", labels=True)
    assert run(["ask", "Which port is it?", "--explain"]) == 0
    shown = capsys.readouterr().out
    assert "arm rag: the decision is about labels alone, and open questions go to rag" in shown
    assert "Run base." not in shown
    assert "`hybrid ask --options A,B,C`" in shown
