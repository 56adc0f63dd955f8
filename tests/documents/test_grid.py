"""Tables of HTML: spans, heads, titles and units, whether marked or not."""

import pytest

from hybrid.documents.grid import count_heads
from hybrid.types import BlockKind


@pytest.fixture
def table_of(read_one):
    """Return text, columns and caption of the last table of a page."""

    def call(html):
        document = read_one("a.html", html)
        block = [block for block in document.blocks if block.kind is BlockKind.TABLE][-1]
        return document.text[block.start : block.end], block.columns, block.caption

    return call


def table(rows, cell="td"):
    lines = (
        "".join(f"<{cell}>{text}</{cell}>" for text in line.split("|")) for line in rows.strip().split("\n")
    )
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


@pytest.mark.parametrize(
    ("html", "text", "columns"),
    [
        ("<tr><th>a<th>b<tr><td>1<td>2", "a | b\n1 | 2", ("a", "b")),
        ("<tr><th>a<td>1<tr><th>b<td>2", "a | 1\nb | 2", ()),
        ("<tr><td><th>2019<tr><th>Oil<td>5", "| 2019\nOil | 5", ("", "2019")),
        ("<thead><tr><td>a<td>b</thead><tr><td>x<td>y", "a | b\nx | y", ("a", "b")),
        (
            "<tr><th rowspan=2>Item<th colspan=2>2019<tr><th>Q1<th>Q2<tr><td>Oil<td>1<td>2",
            "Item | 2019, Q1 | 2019, Q2\nOil | 1 | 2",
            ("Item", "2019, Q1", "2019, Q2"),
        ),
        (
            "<tr><th>Region<th>Town<tr><td rowspan=2>North<td>Kiel<tr><td>Jena<tr><td colspan=2>None",
            "Region | Town\nNorth | Kiel\nNorth | Jena\nNone |",
            ("Region", "Town"),
        ),
        ("<tr><th>a<th>b<tr><td>1<td rowspan=0>2<tr><td>3", "a | b\n1 | 2\n3 | 2", ("a", "b")),
        (
            "<tr><th><th colspan=2>2019<th><tr><td>Sales<td>$<td>1,496<td><tr><td>Loss<td>(<td>5<td>)",
            "| 2019\nSales | $1,496\nLoss | (5)",
            ("", "2019"),
        ),
        ("<tr><th>V<th>Code<tr><td>5<td><pre>x |\ny</pre>", "V | Code\n5 | x ¦ y", ("V", "Code")),
        ("<tr><th>V<tr><td>5<td>6", "V |\n5 | 6", ("V", "")),
        ("<tr><th>A<th>B</tr><tr><td><ul><li>5 V<li>12 V</ul><td>b", "A | B\n5 V 12 V | b", ("A", "B")),
    ],
)
def test_marked_heads_and_spans(table_of, html, text, columns):
    assert table_of(f"<table>{html}</table>")[:2] == (text, columns)


@pytest.mark.parametrize(
    ("rows", "columns", "caption"),
    [
        ("|2019|2018\nOil|5|6", ("", "2019", "2018"), ""),
        (
            "||Years ended June 30,|\n|2019|2018|2017\n||(in millions)|\nOil|$5|6|7",
            ("", "Years ended June 30, 2019", "Years ended June 30, 2018", "Years ended June 30, 2017"),
            "(in millions)",
        ),
        ("Income||\n|2019|2018\nOil|5|6", ("", "2019", "2018"), "Income"),
        ("Name|Legs|Since\nGoat|4|Dec 1, 2001", ("Name", "Legs", "Since"), ""),
        ("Part|March 31, 2019|Q2 2018\nOil|5|6", ("Part", "March 31, 2019", "Q2 2018"), ""),
        ("Rent|850 euros\nDeposit|1700 euros\nStart|1 May", (), ""),
        ("Name|Jane\nTown|Kiel", (), ""),
        ("Name|Jane\nAge|44\nTown|Kiel", (), ""),
        ("Part|Stock\nP1|85\nP2|90", ("Part", "Stock"), ""),
        ("Name|Town|Role\nJane|Kiel|cook\nJoe|Jena|clerk", ("Name", "Town", "Role"), ""),
        ("Oil|5|6\nGas|7|8", (), ""),
    ],
)
def test_heads_that_nothing_marks(table_of, rows, columns, caption):
    _, found, named = table_of(table(rows))
    assert found == columns
    assert named == caption


@pytest.mark.parametrize(
    ("before", "inside", "caption"),
    [
        ("", "<caption>Table 3: Sales</caption>", "Table 3: Sales"),
        ("", "<tr><th colspan=2>Sales by region</th></tr>", "Sales by region"),
        ("<p>Table 3: Sales</p><p>(in millions)</p>", "", "Table 3: Sales (in millions)"),
        ("<p>A long story.</p>", "", ""),
        ("<figure><figcaption>Table 3: Sales</figcaption>", "", "Table 3: Sales"),
    ],
)
def test_the_line_that_names_a_table(read_one, table_of, before, inside, caption):
    page = f"{before}<table>{inside}<tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
    assert table_of(page) == ("a | b\n1 | 2", ("a", "b"), caption)
    assert read_one("a.html", page).text.count("Sales") == caption.count("Sales")


@pytest.mark.parametrize(
    "html",
    [
        "<table role=presentation><tr><td>a</td><td>b</td></tr></table>",
        "<table><tr><td><h2>a</h2></td><td>b</td></tr></table>",
        "<table><tr><td><p>a</p><p>b</p><p>c</p></td><td>d</td></tr></table>",
        f"<table><tr><td>{'long prose ' * 80}</td><td>b</td></tr></table>",
        "<table><tr><td>a</td></tr><tr><td>b</td></tr></table>",
    ],
)
def test_a_table_for_the_layout_is_none(read_one, html):
    kinds = {block.kind for block in read_one("a.html", html).blocks}
    assert kinds
    assert BlockKind.TABLE not in kinds


def test_a_table_within_one_for_the_layout(table_of):
    inner = "<table><tr><th>a<th>b<tr><td>1<td>2</table>"
    assert table_of(f"<table><tr><td>left<td>{inner}</table>")[0] == "a | b\n1 | 2"


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows",
    [
        "<tr><td colspan=1000 rowspan=65000>x" * 2_000,
        "<tr>" + "<td rowspan=9999>x" * 2_000 + "<tr><td>y" * 2_000,
        "<tr>" + "<td>x" * 20_000 + "<tr><td>y" * 20_000,
        "<tr><td rowspan=3>x<td colspan=999999999>y" * 500,
    ],
)
def test_hostile_spans_are_bounded(read_one, rows):
    assert "x" in read_one("a.html", f"<table>{rows}</table>").text


def test_a_damaged_table_whose_first_row_has_no_cell_has_no_head():
    assert count_heads([[], ["port", "5432"], ["host", "1"]]) == 0
