import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.grounding.quantities import implied_numbers, quantities, same_number, same_quantity


def only(text):
    (found,) = quantities(text)
    return found


@pytest.mark.parametrize(
    ("text", "value", "step"),
    [
        ("5432", 5432, 1),
        ("1,234.5", 1234.5, 0.1),
        ("1\u202f234\u202f567", 1234567, 1),
        (".5", 0.5, 0.1),
        ("0.05", 0.05, 0.01),
        ("1.2 million", 1.2e6, 1e5),
        ("5bn", 5e9, 1e9),
        ("10k", 1e4, 1e3),
        ("21st", 21, 1),
        ("twenty-one", 21, 1),
        ("two hundred and fifty", 250, 1),
        ("three hundred thousand", 3e5, 1),
        ("Twelve", 12, 1),
    ],
)
def test_a_number_is_read(text, value, step):
    found = only(text)
    assert found.value == pytest.approx(value)
    assert found.step == pytest.approx(step)
    assert (found.span.start, found.span.end) == (0, len(text))


@pytest.mark.parametrize("text", ["COVID-19", "B12", "5G", "3D", "SHA256", "v2", "no number", "", "1" * 500])
def test_what_is_part_of_a_name_is_none(text):
    assert quantities(text) == []


def test_a_version_is_compared_as_written():
    found = only("1.2.3")
    assert found.value is None
    assert same_number(found, only("1.2.3")) and not same_number(found, only("1.2.4"))
    assert not same_number(found, only("1.2"))


@pytest.mark.parametrize("text", ["one", "two", "first", "third", "hundred"])
def test_words_that_often_count_nothing_are_weak(text):
    assert only(text).weak


@pytest.mark.parametrize("text", ["1", "four", "two hundred", "3rd"])
def test_other_numbers_are_not_weak(text):
    assert not only(text).weak


@pytest.mark.parametrize("text", ["about 5", "more than 5", "nearly $5", "~5", "up to US$5"])
def test_a_number_behind_about_is_loose(text):
    assert only(text).loose


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5", "5.0"),
        ("1,000", "1000"),
        ("1.2 million", "1,234,567"),
        ("30%", "29.7 percent"),
        ("half a dozen 6", "six"),
        ("about 100", "92"),
        ("5 mg", "0.005 g"),
        ("5 milligrams", "5mg"),
        ("2 hours", "120 minutes"),
        ("one year", "12 months"),
        ("5 kg", "5"),
        ("$5 million", "5 million dollars"),
        ("3 pounds", "£3"),
        ("3 pounds", "3 lb"),
    ],
)
def test_the_same_said_differently(one, other):
    assert same_quantity(quantities(one)[-1], quantities(other)[-1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("127", "128"),
        ("5 mg", "5 kg"),
        ("5%", "5 mg"),
        ("1,234,567", "1.2 million"),
        ("about 100", "50"),
        ("5.4", "5.6"),
    ],
)
def test_what_is_not_the_same(one, other):
    assert not same_quantity(only(one), only(other))


def test_a_number_with_another_unit_is_the_same_number():
    assert same_number(only("5 mg"), only("5 kg"))


def test_words_imply_numbers():
    assert implied_numbers({"both", "half", "cat"}) == {2.0, 0.5, 50.0}


@given(st.text(st.characters(), max_size=60))
def test_any_text_is_read_within_itself(text):
    for found in quantities(text):
        assert 0 <= found.span.start < found.span.end <= len(text)
        assert found.value is None or 0 <= found.value < float("inf")
        assert same_quantity(found, found)


@given(st.integers(0, 10**9), st.sampled_from(["mg", "km", "hours", "%", "dollars", ""]))
def test_a_number_is_found_again_with_separators(number, unit):
    assert same_quantity(only(f"{number} {unit}".strip()), only(f"{number:,} {unit}".strip()))


@pytest.mark.parametrize(
    "text", ["1" * 100_000, "1," * 50_000, "one " * 25_000, "1.1" * 30_000, "5 " * 50_000, " " * 100_000]
)
def test_odd_texts_are_read_in_time(text):
    quantities(text)
