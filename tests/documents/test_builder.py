"""A text under construction: the form of a table."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.documents.builder import TextBuilder
from hybrid.types import BlockKind

CELLS = st.one_of(st.none(), st.text(alphabet="ab1 |\n¦", max_size=6))


def table_of(rows, **named):
    builder = TextBuilder(10_000)
    builder.add(BlockKind.PARAGRAPH, "Before")
    builder.add_table(rows, **named)
    document = builder.document("a.html")
    block = document.blocks[-1]
    return document.text[block.start : block.end], block


def test_header_rows_become_the_names_of_the_columns():
    heads = [["Item", "2019", None, "2018"], ["Item", "Q1", "Q2", ""]]
    text, block = table_of([*heads, ["Oil", "1", "2"]], heads=2, caption="Table 1:\nSales", line=7)
    assert block.columns == ("Item", "2019, Q1", "2019, Q2", "2018")
    assert text == "Item | 2019, Q1 | 2019, Q2 | 2018\nOil | 1 | 2 |"
    assert (block.kind, block.caption, block.line) == (BlockKind.TABLE, "Table 1: Sales", 7)


def test_rows_of_a_very_wide_table_are_lists_of_named_cells():
    names = ["Plant", *(f"Gauge {number}" for number in range(1, 40))]
    builder = TextBuilder(10_000)
    builder.add_table([names, ["Aldo", *map(str, range(39))], ["Brine", "", *["7"] * 38]], line=3)
    document = builder.document("a.md")
    rows = [(document.text[block.start : block.end].split("\n"), block) for block in document.blocks]
    assert [(row[:2], len(row), block.line) for row, block in rows] == [
        (["Plant: Aldo", "Gauge 1: 0"], 40, 5),
        (["Plant: Brine", "Gauge 2: 7"], 39, 6),
    ]
    assert all(block.kind is BlockKind.LIST and block.columns == tuple(names) for _, block in rows)
    unnamed = TextBuilder(10_000)
    unnamed.add_table([["", *names[1:]], ["Aldo", *["7"] * 39]])
    assert unnamed.document("a.md").text.startswith("Column 1: Aldo\nGauge 1: 7\n")


@pytest.mark.parametrize(
    ("rows", "heads", "text", "columns"),
    [
        ([["a", "b"], ["c", "d"]], 0, "a | b\nc | d", ()),
        ([["a\nb", "c | d"], ["x||y", "|"]], 1, "a b | c ¦ d\nx||y | ¦", ("a b", "c ¦ d")),
        ([["", "2019"], ["", ""], ["Oil", "5"]], 1, "| 2019\nOil | 5", ("", "2019")),
        ([["Year", None, "Sum"], ["2019", "", "5"]], 1, "Year | Sum\n2019 | 5", ("Year", "Sum")),
    ],
)
def test_each_line_has_a_cell_for_each_column(rows, heads, text, columns):
    found, block = table_of(rows, heads=heads)
    assert (found, block.columns) == (text, columns)


@pytest.mark.slow
@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=4), st.integers(0, 2))
def test_lone_bars_part_cells_whatever_they_hold(rows, heads):
    text, block = table_of([*rows, ["end", "| of it"]], heads=heads)
    lines = [[cell.strip() for cell in re.split(r"(?<!\S)\|(?!\S)", line)] for line in text.split("\n")]
    assert len({len(line) for line in lines}) == 1
    assert tuple(lines[0]) == (block.columns or tuple(lines[0]))
