import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.decision.values import Gate, Side
from hybrid.report import words
from hybrid.statistics import Interval


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
    assert words.gate_rule(Gate("hallucinated", Side.AT_MOST, 0.1)) == "hallucinated ≤ 0.1"


@given(st.text(max_size=80), st.integers(1, 60))
def test_a_shortened_text_has_its_length_and_both_ends(text, length):
    short = words.shortened(text, length)
    assert len(short) <= max(length, 2)
    assert short == text if len(text) <= length else short.startswith(text[0])
