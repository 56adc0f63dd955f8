import dataclasses
import unicodedata

import pytest

from hybrid.report import report_text


def cells(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_asked(decided, width):
    results = decided.decision.arms
    strange = tuple(
        dataclasses.replace(result, arm=name)
        for result, name in zip(results, ("base", "rag", "日本語" * 9, "W" * 90), strict=True)
    )
    decision = dataclasses.replace(
        decided.decision, arms=strange, reasons=("日本語" * 60, "word " * 80, "x" * 300)
    )
    text = report_text(decision, width=width)
    assert max(map(cells, text.splitlines())) <= width


def test_the_verdict_is_the_first_line_and_the_sentence_follows(undecided):
    lines = report_text(undecided.decision).splitlines()
    assert lines[0] == "UNDECIDED"
    assert lines[1].startswith("Undecided between rag and both")


def test_columns_stand_under_each_other(decided):
    lines = report_text(decided.decision, material=decided.material).splitlines()
    first = lines.index("Arms") + 1
    table = lines[first : first + 5]
    assert table[0].split()[:2] == ["arm", "score"]
    assert [row[: table[0].index("score") + len("score")].split()[-1] for row in table[1:]] == [
        "0.0", "69.5", "52.5", "71.7",
    ]  # fmt: skip
    assert table[1].split()[-2:] == ["60", "0"]  # failed, declined


def test_a_name_cannot_steer_the_terminal(decided):
    decision = dataclasses.replace(
        decided.decision, sentence="Run \x1b[2Jrag \u202enow", reasons=("\x07bell",)
    )
    text = report_text(decision)
    assert not any(ord(c) < 32 and c != "\n" for c in text)
    assert "\u202e" not in text


def test_gates_slices_and_flips_are_told(decided):
    text = report_text(decided.decision)
    assert "! both is better" in text
    assert "groundedness ≥ 0.8  not measured  failed" in text
    assert "What would change this" in text


def test_the_same_decision_gives_the_same_text(decided):
    assert report_text(decided.decision) == report_text(decided.decision)
