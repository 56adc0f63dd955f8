import dataclasses
import json
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.decision.values import Bound, Gate, Look
from hybrid.report import report_json, report_text, words
from hybrid.statistics import Interval

_KEYS = {
    "verdict", "arm", "sentence", "interim", "effects", "intervals", "costs", "currency", "gates", "reasons",
    "flips", "slices", "questions_needed", "sources_needed", "blocking", "margin_needed",
    "detectable", "questions", "sources", "synthetic", "order", "rivals", "ungated",
    "margin", "level", "metric", "replicates", "seed", "looks",
}  # fmt: skip


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


def test_points_have_one_decimal_and_a_real_minus_sign():
    assert words.points(0.7126) == "71.3"
    assert words.points(-0.021, signed=True) == "−2.1"
    assert words.points(0.021, signed=True) == "+2.1"
    assert words.points(-0.0001, signed=True) == "0.0"


def test_an_interval_names_both_ends():
    assert words.span(Interval(-0.01, 0.2, 0.95), signed=True) == "−1.0 to +20.0"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, "not measured"),
        (0, "0 USD"),
        (0.000123, "0.00012 USD"),
        (0.0251, "0.025 USD"),
        (12.5, "12.50 USD"),
        (1234.5, "1,234.50 USD"),
    ],
)
def test_money_keeps_two_digits_that_matter(value, read):
    assert words.money(value, "USD").replace("\u00a0", " ") == read


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (0.0004, "0.4 ms"),
        (0.34, "340 ms"),
        (0.9996, "1.0 s"),
        (1.24, "1.2 s"),
        (45.2, "45 s"),
        (300, "5.0 min"),
    ],
)
def test_seconds_choose_their_unit(value, read):
    assert words.seconds(value).replace("\u00a0", " ") == read


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_reads_not_known(value):
    for read in (words.points, words.plain, words.seconds, words.megabytes, words.probability, words.percent):
        assert read(value) == "not known"
    assert words.money(value, "USD") == "not known"


@pytest.mark.parametrize(
    ("value", "read"), [(0, "0"), (0.1, "0.1"), (0.0123, "0.0123"), (1234.4, "1,234"), (-0.5, "−0.5")]
)
def test_plain_numbers_have_three_digits_that_matter(value, read):
    assert words.plain(value) == read


def test_a_small_p_value_is_not_zero():
    assert (words.probability(0.0), words.probability(0.0312)) == ("< 0.001", "0.031")


def test_a_gate_reads_as_a_rule():
    assert words.gate_rule(Gate("hallucinated", Bound.AT_MOST, 0.1)) == "hallucinated ≤ 0.1"


@given(st.text(max_size=80), st.integers(1, 60))
def test_a_shortened_text_has_its_length_and_both_ends(text, length):
    short = words.shortened(text, length)
    assert len(short) <= max(length, 2)
    assert short == text if len(text) <= length else short.startswith(text[0])


def test_control_and_bidi_characters_are_written_out():
    assert words.visible("a\x00b\x1b[31m \u202egnp.exe\u2066") == "a\\x00b\\x1b[31m \\u202egnp.exe\\u2066"
    assert words.visible("lone \ud800 half") == "lone \\ud800 half"


def test_line_ends_of_any_system_are_line_ends():
    assert words.visible("a\r\nb\rc\u2028d") == "a\nb\nc\nd"


def test_writing_of_other_languages_is_kept():
    # a joiner, a soft hyphen, accents and an emoji belong to texts
    text = "95\u00a0% می\u200cخواهم Donau\u00addampf é 👩‍🔬 日本"
    assert words.visible(text) == text


def test_numbers_in_attributes_are_short():
    assert (words.place(1.5), words.place(2.0), words.place(-0.001)) == ("1.5", "2", "0")


def through_json(decision):
    return json.loads(json.dumps(report_json(decision), allow_nan=False))


def test_the_object_has_the_promised_keys(decided):
    assert set(through_json(decided.decision)) == _KEYS


def test_a_decided_verdict_names_its_arm(decided):
    found = through_json(decided.decision)
    assert (found["verdict"], found["arm"], found["questions_needed"]) == ("decided", "rag", 0)


def test_an_undecided_verdict_has_no_arm_but_the_interim_one(undecided):
    found = through_json(undecided.decision)
    assert (found["verdict"], found["arm"], found["interim"]) == ("undecided", None, "rag")
    assert found["questions_needed"] == 430


def test_effects_intervals_costs_gates_and_slices_are_flat_records(decided):
    found = through_json(decided.decision)
    first = found["effects"][0]
    assert set(first) == {
        "arm", "other", "difference", "low", "high", "confidence", "claim", "p", "permutation_p", "shown",
    }  # fmt: skip
    assert (first["arm"], first["other"], first["claim"], first["shown"]) == (
        "rag",
        "both",
        "not worse",
        True,
    )
    assert set(found["intervals"][0]) == {"arm", "mean", "low", "high", "confidence"}
    assert [cost["arm"] for cost in found["costs"]] == ["base", "rag", "adapter", "both"]
    assert found["costs"][2]["money"] is None
    gate = {
        "arm": "base",
        "measure": "groundedness",
        "comparison": ">=",
        "limit": 0.8,
        "value": None,
        "passed": False,
    }
    assert gate in found["gates"]
    assert found["slices"][1]["means"] == {"base": 0.0, "rag": 0.55, "adapter": 0.61, "both": 0.73}


def test_what_is_not_finite_is_null(undecided):
    effect = dataclasses.replace(
        undecided.decision.effects[0], p=math.nan, interval=Interval(-math.inf, math.inf, 0.95)
    )
    decision = dataclasses.replace(undecided.decision, detectable=math.inf, effects=(effect,))
    found = through_json(decision)
    assert found["detectable"] is None
    assert (found["effects"][0]["p"], found["effects"][0]["low"], found["effects"][0]["high"]) == (
        None,
        None,
        None,
    )


def test_looks_of_a_sequential_decision_are_told(decided):
    decision = dataclasses.replace(decided.decision, looks=(Look(20, 80, ("base", "rag"), 0.01),))
    assert through_json(decision)["looks"] == [
        {"questions": 20, "answers": 80, "arms": ["base", "rag"], "level": 0.01}
    ]
