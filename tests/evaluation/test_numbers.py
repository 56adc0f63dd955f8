import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.evaluation.numbers import (
    Quantity,
    contains_numeral,
    is_numeric,
    lone_quantity,
    numeric_match,
    quantities,
)


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
def test_a_numeral_is_read(text, number):
    assert lone_quantity(text) == Quantity(pytest.approx(number))


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
def test_a_unit_is_converted(text, value, unit):
    found = lone_quantity(text)
    assert {meaning.kind for meaning in found.units} == ({unit} if unit else set())
    size = found.units[0].size if found.units else 1.0
    assert found.number * found.magnitude * size == pytest.approx(value)


NO_QUANTITIES = """
2020-05-12|12/05/2020|1.2.3|192.168.0.1|10:30|SHA-256|sha256|v2.1|0x1F|pg_upgrade_14|1,2,3|1e400|..5
one of them|someone|x|
"""


@pytest.mark.parametrize("text", [*NO_QUANTITIES.replace("\n", "|").split("|"), "9" * 400])
def test_what_is_no_quantity(text):
    assert quantities(text) == []


def test_several_quantities_keep_their_order():
    found = quantities("Between 10 and 20 MB in 3.5 s, see v2.1")
    kinds = [(q.number, {meaning.kind for meaning in q.units}) for q in found]
    assert kinds == [(10, set()), (20, {"byte"}), (3.5, {"second"})]
    assert [q.number for q in quantities("10-20")] == [10, 20]


def test_only_a_quantity_alone_is_a_numeric_gold():
    assert is_numeric(["5432", "5 MB", "about 3 days."])
    for golds in ([], ["port 113", "113"], ["10 to 20"], ["5 apples"], [""]):
        assert not is_numeric(golds)


@pytest.mark.parametrize(
    ("answer", "golds", "expected"),
    [
        ("The port is 5432.", ["5432"], 1.0),
        ("The port is 5433.", ["5432"], 0.0),
        # whole numbers must be equal, however near: years, ports, counts
        ("In 1999", ["1998"], 0.0),
        ("255 MB", ["256 MB"], 0.0),
        # what was rounded or converted may differ by 0.5 %
        ("about 3.14", ["3.14159"], 1.0),
        ("about 3.1", ["3.14159"], 0.0),
        ("2 million", ["1,999,000"], 1.0),
        ("1 year", ["365 days"], 1.0),
        ("127.0 MB", ["128.5 MB"], 0.0),
        # among several
        ("It is 3, 5 or 7", ["7"], 1.0),
        ("It is 3, 5 or 7", ["6"], 0.0),
        ("It is 7", ["6", "7"], 1.0),
        # a unit with a second meaning is the same unit
        ("1004 pounds", ["£1000"], 0.0),
        ("501 nanometres", ["500 nm"], 0.0),
        ("1004 mm", ["1000 millimetres"], 0.0),
        ("5 MB", ["5 MiB"], 1.0),
        ("1.07 GB", ["1 GiB"], 1.0),
        ("512 B", ["512 KB"], 0.0),
        ("4096 B", ["4 kB"], 1.0),
        ("3 d", ["72 h"], 1.0),
        ("5 d", ["5 h"], 0.0),
        ("¥500", ["$500"], 0.0),
        # units
        ("5 minutes", ["300 seconds"], 1.0),
        ("5 minutes", ["5 seconds"], 0.0),
        ("5 km", ["5 s"], 0.0),
        ("5", ["5 s"], 1.0),
        ("5 s", ["5"], 1.0),
        ("300", ["5 minutes"], 0.0),
        ("50 %", ["50"], 1.0),
        ("50 %", ["0.5 s"], 0.0),
        # a kB is 1000 or 1024 bytes, a KiB is not
        ("8192 bytes", ["8 kB"], 1.0),
        ("8000 bytes", ["8 kB"], 1.0),
        ("8000 bytes", ["8 KiB"], 0.0),
        ("1 GB", ["1024 MB"], 1.0),
        ("1 GB", ["1000 MB"], 1.0),
        ("-5", ["5"], 0.0),
        ("5", ["-5"], 0.0),
        ("0", ["0"], 1.0),
        ("0.001", ["0"], 0.0),
        ("five", ["5"], 1.0),
        ("1.234,50", ["1,234.5"], 1.0),
        ("", ["5"], 0.0),
        ("5", [], 0.0),
        ("5", ["no number"], 0.0),
    ],
)
def test_a_match_by_hand(answer, golds, expected):
    assert numeric_match(answer, golds) == expected


def test_the_tolerance_is_a_share_of_the_gold():
    assert numeric_match("10.9", ["10"], tolerance=0.1) == 1.0
    assert numeric_match("11.1", ["10"], tolerance=0.1) == 0.0
    assert numeric_match("8.9", ["10"], tolerance=0.1) == 0.0
    # of the gold, not of the answer: 10.5 is within 5 % of 11, 10 is not within 5 % of 10.6
    assert numeric_match("10.5", ["11.0"], tolerance=0.05) == 1.0
    assert numeric_match("10.6", ["10.0"], tolerance=0.058) == 0.0


@pytest.mark.parametrize(
    ("answer", "gold", "expected"),
    [
        ("on 2020-05-12", "2020", 1.0),
        ("PostgreSQL-16", "16", 1.0),
        ("5.", "5", 1.0),
        ("5.5", "5", 0.0),
        ("at -5", "5", 0.0),
        ("1,500", "500", 0.0),
    ],
)
def test_a_numeral_is_not_found_inside_another(answer, gold, expected):
    assert contains_numeral(answer, [gold]) == expected


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_text_is_read_without_an_error(answer, gold):
    assert numeric_match(answer, [gold]) in (0.0, 1.0)
    assert contains_numeral(answer, [gold]) in (0.0, 1.0)


@given(st.text(alphabet="0123456789.,-−e×^ kMGBs%$'\u202f", max_size=30))
def test_anything_like_a_number_is_read_without_an_error(text):
    for quantity in quantities(text):
        assert quantity.number == quantity.number and abs(quantity.number) < float("inf")


@given(st.integers(-(10**12), 10**12), st.sampled_from(["", " s", " MB", " %", " km", " million"]))
def test_every_way_to_write_a_whole_number_matches_itself(value, unit):
    written = f"{value:,}{unit}"
    assert numeric_match(f"It is {written}.", [f"{value}{unit}"]) == 1.0
    assert numeric_match(f"It is {value + 1}{unit}.", [written]) == 0.0


@given(st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 3)))
def test_a_decimal_matches_itself(value):
    assert numeric_match(f"{value:.3f}", [f"{value:,.3f}"]) == 1.0
