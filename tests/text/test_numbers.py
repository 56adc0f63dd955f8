from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.text.numbers import (
    figure,
    implied_numbers,
    lone_quantity,
    quantities,
    same_number,
    same_quantity,
)


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


@pytest.mark.slow
@given(st.text(st.characters(), max_size=60))
def test_any_text_is_read_within_itself(text):
    text = f"{text}\n\nIt weighs 7,777 kg."
    known = quantities(text)
    assert known[-1].value == 7_777
    for found in known:
        assert 0 <= found.span.start < found.span.end <= len(text)
        assert found.value is None or 0 <= found.value < float("inf")
        assert same_quantity(found, found)


@pytest.mark.slow
@given(st.integers(0, 10**9), st.sampled_from(["mg", "km", "hours", "%", "dollars", ""]))
def test_a_number_is_found_again_with_separators(number, unit):
    assert same_quantity(only(f"{number} {unit}".strip()), only(f"{number:,} {unit}".strip()))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5432", 5432),
        ("5432.", 5432),
        ("(1812)", 1812),
        ("1,234.5", 1234.5),
        ("1,000,000", 1e6),
        ("1.234,5", 1234.5),
        ("1.234.567", 1234567),
        ("3,5", 3.5),
        ("1\u202f234", 1234),
        ("1\u00a0234\u00a0567.25", 1234567.25),
        ("1'234", 1234),
        ("1_000", 1000),
        ("-3", -3),
        ("−3", -3),
        ("minus 3", -3),
        ("+3", 3),
        (".5", 0.5),
        ("2e-3", 0.002),
        ("1.5×10^6", 1.5e6),
        ("1.5 x 10⁶", 1.5e6),
        ("10⁻³", 0.001),
        ("10**3", 1000),
        ("zero", 0),
        ("Twelve", 12),
        ("٣", 3),
        ("approximately 7", 7),
        ("~7", 7),
    ],
)
def test_a_numeral_is_read_in_an_answer(text, number):
    found = lone_quantity(text)
    assert (found.number, found.magnitude, found.units) == (pytest.approx(number), 1.0, ())


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("5 minutes", 300, "second"),
        ("5-minute", 300, "second"),
        ("five min", 300, "second"),
        ("250ms", 0.25, "second"),
        ("1.5e3 ms", 1.5, "second"),
        ("2 hours", 7200, "second"),
        ("3 days", 259200, "second"),
        ("2 KiB", 2048, "byte"),
        ("16 bytes", 16, "byte"),
        ("10 Mbit", 1e7, "bit"),
        ("50 %", 50, "percent"),
        ("50 per cent", 50, "percent"),
        ("2.5 km", 2500, "metre"),
        ("30 mg", 0.03, "gram"),
        ("2.4 GHz", 2.4e9, "hertz"),
        ("$5 million", 5e6, "dollar"),
        ("-$5", -5, "dollar"),
        ("20 °C", 20, "celsius"),
        ("10k", 10_000, ""),
        ("two hundred", 200, ""),
    ],
)
def test_the_unit_of_an_answer_is_read(text, value, unit):
    found = lone_quantity(text)
    assert {meaning.kind for meaning in found.units} == ({unit} if unit else set())
    size = found.units[0].size if found.units else 1.0
    assert found.number * found.magnitude * size == pytest.approx(value)


NO_QUANTITIES = """
2020-05-12|12/05/2020|1.2.3|192.168.0.1|10:30|SHA-256|sha256|v2.1|0x1F|pg_upgrade_14|1,2,3|1e400|..5
one of them|someone|x|
"""


@pytest.mark.parametrize("text", [*NO_QUANTITIES.replace("\n", "|").split("|"), "9" * 400])
def test_what_is_no_quantity_in_an_answer(text):
    assert quantities(text, terse=True) == []


def test_several_quantities_of_an_answer_keep_their_order():
    found = quantities("Between 10 and 20 MB in 3.5 s, see v2.1", terse=True)
    kinds = [(q.number, {meaning.kind for meaning in q.units}) for q in found]
    assert kinds == [(10, set()), (20, {"byte"}), (3.5, {"second"})]
    assert [q.number for q in quantities("10-20", terse=True)] == [10, 20]


@pytest.mark.parametrize(
    ("text", "prose", "answer"),
    [
        # a dash is a minus only in an answer
        ("-5", [5], [-5]),
        ("pages 10-20", [10, 20], [10, 20]),
        # so are bytes, days and units that are not known
        ("5b", [5e9], [5]),
        ("5m", [5e6], [5]),
        ("3D", [], [3]),
        ("5G", [], [5]),
        ("5apples", [], [5]),
        # parts of dates and times, ordinals in words, and one of several count nothing in an answer
        ("2020-05-12", [2020, 5, 12], []),
        ("10:30", [10, 30], []),
        ("the third", [3], []),
        ("one of them", [1], []),
        # in both alike
        ("3,5 kg", [3.5], [3.5]),
        ("1.234,5", [1234.5], [1234.5]),
        ("1.234.567", [1234567], [1234567]),
        ("1.234.567,8", [1234567.8], [1234567.8]),
        ("1,2,3", [], []),
        ("1.5×10^6 and 10⁻³", [1.5e6, 0.001], [1.5e6, 0.001]),
        ("2e-3", [0.002], [0.002]),
        ("March\u00a013,\u00a01969", [13, 1969], [13, 1969]),
        ("twenty-one", [21], [21]),
        ("one thousand two hundred and five", [1205], [1205]),
        ("two hundred thousand", [2e5], [2e5]),
        ("between two and three million", [2, 3e6], [2, 3e6]),
        ("six and seven-year-olds", [6, 7], [6, 7]),
        ("the first five years", [1, 5], [5]),
        ("a four second delay", [4], [4]),
        ("COVID-19, B12 and SHA-256", [], []),
    ],
)
def test_prose_and_answers_are_read_alike_but_for_what_an_answer_means(text, prose, answer):
    assert [found.value for found in quantities(text)] == pytest.approx(prose)
    assert [found.value for found in quantities(text, terse=True)] == pytest.approx(answer)


def test_a_word_behind_a_number_may_say_what_is_counted():
    assert lone_quantity("64 connections") is None
    assert lone_quantity("64 connections", counting=True).number == 64
    assert lone_quantity("2 of the 3 servers", counting=True) is None
    assert lone_quantity("21st") is None


@given(st.text(st.characters(), max_size=60))
def test_any_answer_is_read_within_itself(text):
    text = f"{text} and 7,777 kg"
    known = quantities(text, terse=True)
    assert known[-1].value == 7_777
    for found in known:
        assert 0 <= found.span.start < found.span.end <= len(text)
        assert abs(found.value) < float("inf")


@pytest.mark.slow
@given(st.text(alphabet="0123456789.,-−e×^ kMGBs%$'\u202f", max_size=30))
def test_anything_like_a_number_is_read_in_an_answer_without_an_error(text):
    found = quantities(f"{text} and 7,777 kg", terse=True)
    assert found[-1].number == 7_777
    for quantity in found:
        assert quantity.number == quantity.number and abs(quantity.number) < float("inf")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("1" * 100_000, (0, 0)),
        ("1," * 50_000, (0, 0)),
        ("one " * 25_000, (25_000, 25_000)),
        ("1.1" * 30_000, (1, 0)),
        ("5 " * 50_000, (50_000, 50_000)),
        (" " * 100_000, (0, 0)),
    ],
)
def test_odd_texts_are_read_in_time(text, counts, within):
    with within(8):
        assert (len(quantities(text)), len(quantities(text, terse=True))) == counts


WRITTEN = [
    ("1234", "1234", None),
    ("1,234", "1234", False),
    ("1,234.50", "1234.50", False),
    ("1.234", "1.234", False),
    ("1.234,5", "1234.5", True),
    ("1.234.567", "1234567", True),
    ("1.234.567.890", "1234567890", True),
    ("12,50", "12.50", True),
    ("0,500", "0.500", True),
    ("1\u202f234", "1234", None),
]


@pytest.mark.parametrize(("written", "value", "comma"), WRITTEN)
def test_a_cell_and_a_sentence_read_a_numeral_alike(written, value, comma):
    found = figure(f" €{written} a year ")
    assert (found.before, found.written, found.unit) == ("€", written, "a year")
    assert (found.value, found.comma) == (Decimal(value), comma)
    assert only(written).value == pytest.approx(float(value))


def test_a_figure_may_be_negative():
    assert [figure(cell).value for cell in ("-5 °C", "−1,5", "–3")] == [-5, Decimal("-1.5"), -3]


@pytest.mark.parametrize("cell", ["", "none", "6–10", "2019-03-01", "1.2.3", "192.168.100.101", "about 5"])
def test_a_cell_that_is_no_number_is_no_figure(cell):
    assert figure(cell) is None
