"""Rows of tables as sentences, and what of them a question asks for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.text.rows import TableRow, closed, markdown, sayings, spoken
from hybrid.types import Span

_SALES = ("", "Years Ended September 30, 2019", "Years Ended September 30, 2018", "2017")
_TEXT = """The table presents sales.

 | Years Ended September 30, 2019 | Years Ended September 30, 2018 | 2017
Revenue: |  |  |
Fixed Price | $  1,452.4 | $1,146.2 | 1,036.9
Total sales | $1,496.5 | $1,202.9 | $1,107.7
Share of services | 12% | 13% | 14%
EPS (per share) | $1.5 | 1.6 | 1.7
Founded | 2001 | 2002 | n/a"""


def _rows(text, columns, caption=""):
    return [saying.row for saying in sayings(text, caption, columns) if saying.row]


def test_a_row_is_a_sentence_with_names_unit_and_scale():
    said = [saying.text for saying in sayings(_TEXT, "Sales (in millions)", ("", "2019", "2018", "2017"))]
    assert said[-5:] == [
        "Revenue, Fixed Price: 2019 $ 1,452.4 million; 2018 $1,146.2 million; 2017 1,036.9 million",
        "Total sales: 2019 $1,496.5 million; 2018 $1,202.9 million; 2017 $1,107.7 million",
        "Share of services: 2019 12%; 2018 13%; 2017 14%",
        "EPS (per share): 2019 $1.5; 2018 1.6; 2017 1.7",
        "Founded: 2019 2001; 2018 2002; 2017 n/a",
    ]


def test_each_sentence_stands_where_it_was_read_and_the_head_is_none():
    found = sayings(_TEXT, "", _SALES)
    assert [_TEXT[one.span.start : one.span.end].split(" | ")[0] for one in found] == [
        "The table presents sales.",
        "Revenue:",
        "Fixed Price",
        "Total sales",
        "Share of services",
        "EPS (per share)",
        "Founded",
    ]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (
            "What is the amount of total sales in 2019?",
            "Total sales, Years Ended September 30, 2019: $1,496.5 million",
        ),
        ("What were total sales in 2017?", "Total sales, 2017: $1,107.7 million"),
        (
            "How did total sales change from 2018 to 2017?",
            "Total sales: Years Ended September 30, 2018 $1,202.9 million; 2017 $1,107.7 million",
        ),
        (
            "In which year were total sales the largest?",
            "Total sales: Years Ended September 30, 2019 $1,496.5 million; "
            "Years Ended September 30, 2018 $1,202.9 million; 2017 $1,107.7 million",
        ),
    ],
)
def test_the_cells_are_said_whose_columns_are_named(question, said):
    row = next(row for row in _rows(_TEXT, _SALES, "in $ millions") if row.label == "Total sales")
    assert row.asked(question) == said


@pytest.mark.parametrize(
    ("line", "columns", "question", "said"),
    [
        (
            "P055 | a part | 85 | 3.5",
            ("Part", "Description", "Stock in Bremen", "Price in euros"),
            "What is the stock in Bremen of part P055?",
            "P055, Stock in Bremen: 85",
        ),
        (
            "P055 | Bremen | 85",
            ("Part", "City", "Stock"),
            "What is the stock in Bremen of part P055?",
            "P055, Bremen, Stock: 85",
        ),
        ("Ann | chair", ("Name", "Role"), "Who is Ann?", "Ann, Role: chair"),
        (" | 5", ("", "Total"), "How many?", "Total: 5"),
    ],
)
def test_which_row_it_is_is_said_beside_the_cell(line, columns, question, said):
    (row,) = _rows(line, columns)
    assert row.asked(question) == said


@pytest.mark.parametrize(
    ("above", "scale"),
    [
        ("NOTES (Tabular amounts in millions, unless otherwise disclosed)", " million"),
        ("Harbour Co (All amounts expressed in thousands of euros)\n\nNote 4", " thousand"),
        ("Notes (in billions)\n\nNote 5 (in thousands, except per share data)", " thousand"),
        ("Notes (shares in thousands, except per share data)", ""),
        ("We sold more (in thousands of pieces) than before.", ""),
        ("", ""),
    ],
)
def test_the_scale_is_what_the_text_above_declares(above, scale):
    (row,) = _rows(f"{above}\n\nSales | 5,000".lstrip(), ("", "2019"))
    assert row.sentence() == f"Sales, 2019: 5,000{scale}"
    assert _rows(f"{above}\n\nMargin | 5 %".lstrip(), ("", "2019"))[0].sentence() == "Margin, 2019: 5 %"


@pytest.mark.parametrize(
    ("caption", "scale"),
    [
        ("(in thousands)", " thousand"),
        ("Sales, $ in millions, except per share", " million"),
        ("(in millions of dollars)", " million"),
        ("EUR million", " million"),
        ("($000s)", " thousand"),
        ("Sales in Bremen", ""),
        ("", ""),
    ],
)
def test_the_scale_is_what_the_table_says(caption, scale):
    (row,) = _rows("Sales | 5,000", ("", "2019"), caption)
    assert row.sentence() == f"Sales, 2019: 5,000{scale}"


def test_without_columns_a_table_is_said_line_by_line_and_pairs_by_their_labels():
    assert [one.text for one in sayings("a | 1 | x\nb | 2 | y")] == ["a | 1 | x", "b | 2 | y"]
    assert [one.text for one in sayings("Dear you,\n\nDate | 12 May\nDue | 11 June")][1:] == [
        "Date: 12 May",
        "Due: 11 June",
    ]


def test_a_table_is_shown_with_its_head():
    columns = ("Part", "Stock")
    assert markdown("Part | Stock\nP1 | 5", "T", columns) == "Part | Stock\n---|---\nP1 | 5"
    assert markdown("P2 | 7\nP3 | 8", "T", columns) == "T\nPart | Stock\n---|---\nP2 | 7\nP3 | 8"
    assert markdown("Just text.", "T", columns) == "Just text."


def test_what_is_read_leads_back_to_the_text():
    read = spoken(_TEXT, "(in millions)", _SALES)
    assert "Total sales: Years Ended September 30, 2019 $1,496.5 million;" in read.text
    begin = read.text.index("$1,496.5")
    span = read.origin(Span(begin, begin + 8))
    assert _TEXT[span.start : span.end] == "Total sales | $1,496.5 | $1,202.9 | $1,107.7"
    begin = read.text.index("presents")
    span = read.origin(Span(begin, begin + 8))
    assert _TEXT[span.start : span.end] == "presents"
    assert spoken("Just text.").origin(Span(0, 4)) == Span(0, 4)


@given(
    st.text(st.sampled_from("ab1 |\n.$:"), max_size=60), st.lists(st.sampled_from(["", "a", "1"]), max_size=4)
)
def test_nothing_is_read_that_does_not_stand_there(text, columns):
    read = spoken(text, "", tuple(columns))
    whole = read.origin(Span(0, len(read.text)))
    assert 0 <= whole.start <= whole.end <= len(text)
    for one in sayings(text, "", tuple(columns)):
        assert 0 <= one.span.start < one.span.end <= len(text)
        assert one.row is None or one.row.cells != tuple(columns)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("Revenue | 45.2 | 47.9", "Revenue: 2023 45.2 million; 2024 47.9 million"),
        (
            "Passengers (thousands) | 733 | 763",
            "Passengers (thousands): 2023 733 thousand; 2024 763 thousand",
        ),
        ("Cancelled departures | 21 | 47", "Cancelled departures: 2023 21; 2024 47"),
    ],
)
def test_the_scale_of_money_counts_no_departures_and_the_row_knows_its_own_best(row, said):
    text = f"{row}\nOther | 1 | 2\n"
    found = sayings(text, "Key figures (money in million EUR)", ("", "2023", "2024"))
    assert found[0].text == said


def test_a_sentence_of_cells_has_one_end():
    assert [closed(text) for text in ("Remedy Press the button.", "Total: 5", "Really?")] == [
        "Remedy Press the button.",
        "Total: 5.",
        "Really?",
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("Earnings per common share — diluted | $2.41 | $2.70", "2019 $2.41; 2018 $2.70"),
        ("Basic EPS | $2.41 | $2.70", "2019 $2.41; 2018 $2.70"),
        ("Revenue, as per note 3 | $241 | $270", "2019 $241 thousand; 2018 $270 thousand"),
    ],
)
def test_what_one_share_earns_is_not_in_thousands(row, said):
    found = sayings(f"{row}\nOther | 1 | 2\n", "Income (in thousands)", ("", "2019", "2018"))
    assert found[0].text.partition(": ")[2] == said


@pytest.mark.parametrize(
    ("row", "above"),
    [
        ("Revenue by country | $M | $M", "Revenue by country"),
        ("Share | % | %", "Share"),
        ("Sales | €m | ", "Sales"),
        ("Losses carried forward:(1) |  | ", "Losses carried forward:"),
        ("Price | € | ", ""),
        ("Currency | EUR | USD", ""),
        ("Format | csv | json", ""),
        ("Revenue | $5 | $6", ""),
        ("Phase 2 |  | ", ""),
        (" | $M | $M", ""),
    ],
)
def test_a_row_of_units_or_with_the_mark_of_a_note_names_the_rows_below_it(row, above):
    found = sayings(f"{row}\nState | 1 | 2\n", "", ("", "2019", "2018"))
    assert (found[0].row is None) is bool(above)
    assert found[-1].row.group == above
    assert found[-1].text == ("Losses carried forward, State" if above.endswith(":") else "State") + (
        ": 2019 1; 2018 2"
    )


def test_a_row_of_one_cell_a_year_is_about_what_stands_above_it():
    columns = ("FY 2012", "FY 2013", "Met?")
    row = TableRow(Span(0, 1), ("5.5", "4.3", "Met"), columns, "", "Days to pay a claim")
    assert row.asked("What were the days to pay a claim in 2012?") == "Days to pay a claim, FY 2012: 5.5"
    assert replace(row, columns=("Year", "2012", "2013")).label != row.label


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What does a 7 m boat pay per month?", "6 to 9 m, Per month: 245"),
        ("What is the price for a year?", "6 to 9 m, Per year: 2,390"),
        ("What does it cost?", "6 to 9 m: Per month 245; Per year 2,390"),
    ],
)
def test_a_period_that_tells_columns_apart_chooses_one(question, said):
    (row,) = _rows("6 to 9 m | 245 | 2,390", ("Length", "Per month", "Per year"))
    assert row.asked(question) == said
