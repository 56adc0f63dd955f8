"""`hybrid decide --from` as a user types it: verdicts, JSON, gates, reports, and bad input."""

import json
import re
import time
from pathlib import Path

import numpy as np
import pytest

from hybrid.cli.app import run

TORCHHUB = str(Path(__file__).parents[1] / "golden" / "torchhub.csv")


def decided(capsys, *arguments, code=0):
    assert run(["decide", "--effort", "quick", *map(str, arguments)]) == code
    return capsys.readouterr()


def as_json(capsys, *arguments, code=0):
    return json.loads(decided(capsys, *arguments, "--json", code=code).out)


def written(path, columns, *, sources=None):
    """Write a table of outcomes: written(path, {"a": [1, 0]})."""
    lines = [",".join(["question", *(["source"] if sources else []), *columns])]
    for row, scores in enumerate(zip(*columns.values(), strict=True)):
        source = [sources[row]] if sources else []
        lines.append(",".join([f"q{row}", *source, *map(str, scores)]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def clear(tmp_path):
    """A table where the dear arm is right far more often."""
    generator = np.random.default_rng(0)
    base, both = (generator.random(120) < share for share in (0.3, 0.8))
    return written(tmp_path / "clear.csv", {"base": base.astype(int), "both": both.astype(int)})


@pytest.fixture
def tie(tmp_path):
    generator = np.random.default_rng(1)
    base, both = (generator.random(60) < 0.6 for _ in range(2))
    return written(tmp_path / "tie.csv", {"base": base.astype(int), "both": both.astype(int)})


# --- verdicts -------------------------------------------------------------------------------------------


def test_a_clear_table_is_decided(clear, capsys):
    shown = decided(capsys, "--from", clear)
    assert shown.out.startswith("DECIDED")
    assert "Run both" in shown.out
    assert shown.err == ""


def test_a_tie_is_undecided_and_no_failure(tie, capsys):
    shown = decided(capsys, "--from", tie)
    assert shown.out.startswith("UNDECIDED")
    assert "until then run base" in " ".join(shown.out.split())


def test_json_is_one_object_with_all_that_was_promised(clear, capsys):
    whole = as_json(capsys, "--from", clear)
    promised = {"verdict", "arm", "effects", "intervals", "costs", "gates", "reasons", "questions_needed"}
    assert promised <= set(whole)
    assert (whole["verdict"], whole["arm"], whole["questions_needed"]) == ("decided", "both", 0)
    (effect,) = whole["effects"]
    assert effect["low"] <= effect["difference"] <= effect["high"]
    assert [interval["arm"] for interval in whole["intervals"]] == ["base", "both"]


def test_undecided_is_null_with_a_number(tie, capsys):
    whole = as_json(capsys, "--from", tie)
    assert (whole["verdict"], whole["arm"]) == ("undecided", None)
    assert whole["questions_needed"] >= 1


@pytest.mark.slow
@pytest.mark.parametrize("budget", [(), ("--budget", 100_000)])
@pytest.mark.parametrize(
    ("arms", "arm"),
    [("adapter,both_dense", None), ("adapter,both_bm25", "adapter"), (None, "both_oracle")],
)
def test_torchhub(arms, arm, budget, capsys):
    chosen = ("--arms", arms) if arms else ()
    assert as_json(capsys, "--from", TORCHHUB, *chosen, *budget)["arm"] == arm


@pytest.mark.slow
def test_the_margin_and_the_level_are_heard(tmp_path, capsys):
    table = written(tmp_path / "t.csv", {"base": [1] * 285 + [0] * 15, "both": [1] * 300})  # 5 points behind
    assert as_json(capsys, "--from", table)["arm"] == "both"
    assert as_json(capsys, "--from", table, "--margin", "0.15")["arm"] == "base"
    whole = as_json(capsys, "--from", table, "--level", "0.01")
    assert whole["intervals"][0]["confidence"] == pytest.approx(0.98)


def test_costs_order_the_arms_and_are_shown(tmp_path, capsys):
    table = written(tmp_path / "t.csv", {"base": [1, 0] * 250, "both": [1, 0] * 250})
    costs = tmp_path / "costs.toml"
    costs.write_text('[base]\nmoney = 9\n["both"]\nmoney = 2\np50 = 0.5\n')
    whole = as_json(capsys, "--from", table, "--costs", costs)
    assert whole["arm"] == "both"
    assert {cost["arm"]: cost["money"] for cost in whole["costs"]} == {"base": 9.0, "both": 2.0}


@pytest.mark.slow
def test_gold_judgements_are_joined(tmp_path, capsys):
    generator = np.random.default_rng(2)
    truth = {arm: (generator.random(300) < share).astype(int) for arm, share in (("a", 0.8), ("b", 0.5))}
    seen = {"a": truth["a"], "b": np.maximum(truth["b"], generator.random(300) < 0.95).astype(int)}
    table = written(tmp_path / "seen.csv", seen)
    gold = written(tmp_path / "gold.csv", {arm: column[:120] for arm, column in truth.items()})
    assert as_json(capsys, "--from", table)["arm"] == "b"
    assert as_json(capsys, "--from", table, "--gold", gold)["arm"] == "a"
    few = written(tmp_path / "few.csv", {arm: column[:20] for arm, column in truth.items()})
    assert "at least 50" in decided(capsys, "--from", table, "--gold", few, code=2).err
    assert "--budget" in decided(capsys, "--from", table, "--gold", gold, "--budget", 100, code=2).err


# --- gates, budget, report ------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_is_required_and_not_met_ends_with_7(clear, tie, capsys):
    assert decided(capsys, "--from", clear, "--require", "decided").err == ""
    assert decided(capsys, "--from", clear, "--require", "arm=both").err == ""
    assert "arm base was required" in decided(capsys, "--from", clear, "--require", "arm=base", code=7).err
    shown = decided(capsys, "--from", tie, "--require", "decided", code=7)
    assert "undecided" in shown.err
    assert shown.out.startswith("UNDECIDED")


def test_a_gate_that_no_arm_passes_ends_with_7_and_a_verdict(clear, capsys):
    whole = as_json(capsys, "--from", clear, "--require", "groundedness>=0.8", code=7)
    assert (whole["verdict"], whole["arm"], whole["questions_needed"]) == ("undecided", None, None)
    assert whole["ungated"] == "both"
    assert [gate["passed"] for gate in whole["gates"]] == [False, False]


def test_a_gate_that_the_best_fails_moves_the_verdict(clear, tmp_path, capsys):
    costs = tmp_path / "costs.toml"
    costs.write_text("[base]\np95 = 1\n[both]\np95 = 3\n")
    whole = as_json(capsys, "--from", clear, "--costs", costs, "--require", "p95<=2")
    assert (whole["arm"], whole["ungated"]) == ("base", "both")


@pytest.mark.slow
def test_a_budget_is_kept(tie, capsys):
    whole = as_json(capsys, "--from", tie, "--budget", 50)
    assert 0 < whole["looks"][-1]["answers"] <= 50
    assert "budget" in decided(capsys, "--from", tie, "--budget", 1, code=2).err
    assert "--budget" in decided(capsys, "--from", tie, "--budget", 0, code=2).err


def test_a_report_is_one_page_without_a_network(clear, tmp_path, capsys):
    page = tmp_path / "new" / "report.html"
    shown = decided(capsys, "--from", clear, "--report", page)
    assert str(page) in shown.err
    text = page.read_text(encoding="utf-8")
    assert "Run both" in text
    assert not re.search(r'(?:src|href)="https?:', text)
    assert "<script" not in text


# --- tables at the edge ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "arm"),
    [
        ({"base": [1], "both": [0]}, None),
        ({"base": [0], "both": [1]}, None),
        ({"base": [1] * 40, "both": [1] * 40}, None),
        ({"base": [0] * 40, "both": [0] * 40}, None),
        ({"base": [1] * 400, "both": [1] * 400}, "base"),
        ({"base": [0] * 400, "both": [0] * 400}, "base"),
        ({"base": [0] * 60, "both": [1] * 50 + [0] * 10}, "both"),
        ({"base": [1] * 50 + [0] * 10, "both": [0] * 60}, "base"),
        ({"base": [0.3] * 700, "rag": [0.3] * 700, "adapter": [0.3] * 700, "both": [0.3] * 700}, "base"),
    ],
)
def test_tables_at_the_edge_have_a_stated_verdict(columns, arm, tmp_path, capsys):
    table = written(tmp_path / "edge.csv", columns)
    whole = as_json(capsys, "--from", table)
    assert whole["arm"] == arm
    assert (whole["questions_needed"] == 0) == (arm is not None)
    assert arm is not None or whole["questions_needed"] >= 1
    shown = decided(capsys, "--from", table)
    assert not re.search(r"\b(nan|inf)\b", shown.out, re.IGNORECASE)
    assert as_json(capsys, "--from", table, "--budget", 10**6)["arm"] == arm


def test_questions_of_one_source_are_too_few_whatever_their_number(tmp_path, capsys):
    table = written(tmp_path / "t.csv", {"base": [0] * 80, "both": [1] * 80}, sources=["page"] * 80)
    whole = as_json(capsys, "--from", table)
    assert whole["arm"] is None
    assert any("Too few" in line for line in whole["reasons"])
    assert (whole["sources_needed"], whole["blocking"]["other"]) == (4, "base")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("question,a,b\n", "no rows"),
        ("question\nx\n", "two arms or more, found: none"),
        ("question,a\nx,1\n", "two arms or more, found: a"),
        ("a,b\n1,0\n", "`question`"),
        ("question,a,b\nx,1,\n", "line 2: b has no score"),
        ("question,a,b\nx,1,nan\n", "line 2: b is nan"),
        ("question,a,b\nx,1,maybe\n", "line 2: b is 'maybe'"),
        ("question,a,b\nx,1,0\nx,1,0\n", "line 3"),
        ("question,a,b\nx,1,0,1\n", "line 2: expected 3 columns, found 4"),
    ],
)
@pytest.mark.parametrize("budget", [(), ("--budget", "50")])
def test_a_bad_table_ends_with_2_and_names_the_place(text, words, budget, tmp_path, capsys):
    table = tmp_path / "bad.csv"
    table.write_text(text)
    shown = decided(capsys, "--from", table, *budget, "--json", code=2)
    assert words in shown.err
    assert "→" in shown.err or "no rows" in words
    assert shown.out == ""
    assert "Traceback" not in shown.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--from", "none.csv"), 2, "none.csv"),
        ((), 2, "--from"),
        (("set.jsonl", "--from", TORCHHUB), 2, "not both"),
        (("--from", TORCHHUB, "--arms", "adapter,nobody"), 2, "no arm 'nobody'"),
        (("--from", TORCHHUB, "--arms", "adapter,adapter"), 2, "named twice"),
        (("--from", TORCHHUB, "--arms", "adapter"), 2, "two arms or more"),
        (("--from", TORCHHUB, "--costs", "none.toml"), 2, "none.toml"),
        (("--from", TORCHHUB, "--gold", "none.csv"), 2, "none.csv"),
        (("--from", TORCHHUB, "--require", "p95<2"), 2, "p95<2"),
        (("--from", TORCHHUB, "--margin", "2"), 3, "margin"),
        (("--from", TORCHHUB, "--margin", "0"), 3, "margin"),
        (("--from", TORCHHUB, "--level", "0.6"), 3, "level"),
        (("--from", TORCHHUB, "--seed", "-1"), 2, "--seed"),
    ],
)
def test_a_call_that_makes_no_sense_says_so(arguments, code, words, capsys):
    shown = decided(capsys, *arguments, code=code)
    assert words in shown.err
    assert shown.out == ""
    assert "Traceback" not in shown.err


@pytest.mark.slow
def test_a_hundred_thousand_rows_take_less_than_ten_seconds(tmp_path, capsys):
    generator = np.random.default_rng(3)
    right = generator.random((100_000, 2)) < (0.5, 0.6)
    rows = [f"question {row},document {row // 100},{int(a)},{int(b)}" for row, (a, b) in enumerate(right)]
    table = tmp_path / "long.csv"
    table.write_text("question,source,base,both\n" + "\n".join(rows) + "\n")
    begun = time.perf_counter()
    assert as_json(capsys, "--from", table)["arm"] == "both"
    assert time.perf_counter() - begun < 10


def test_one_arm_is_refused_before_anything_is_looked_for(capsys):
    assert run(["decide", "questions.jsonl", "--arms", "rag"]) == 2
    assert "two arms or more, found: rag" in capsys.readouterr().err


def test_the_score_itself_can_be_a_gate(clear, capsys):
    assert as_json(capsys, "--from", clear, "--require", "score>=0.5")["arm"] == "both"
    nothing = as_json(capsys, "--from", clear, "--require", "score>=0.99", code=7)
    assert (nothing["arm"], nothing["verdict"]) == (None, "undecided")


def test_a_report_that_cannot_be_written_is_refused_at_once(clear, tmp_path, capsys):
    assert run(["decide", "--from", str(clear), "--report", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err
    assert run(["decide", "--from", str(clear), "--report", str(clear / "x.html")]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.slow
def test_the_report_of_a_sequential_replay_shows_no_question_that_was_not_asked(tmp_path, capsys):
    page = tmp_path / "report.html"
    decided(capsys, "--from", TORCHHUB, "--budget", "400", "--report", page)
    assert "Worst questions" not in page.read_text(encoding="utf-8")
