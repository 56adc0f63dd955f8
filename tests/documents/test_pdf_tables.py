"""PDF: tables with and without lines, their heads and captions, and what only looks like one."""

from itertools import pairwise

import pytest

WIDTHS = {",": 0.278, ".": 0.278, " ": 0.278, "(": 0.333, ")": 0.333}


def right(x, y, text, font="F1"):
    """Return a number whose last character ends at x."""
    return (x - 9 * sum(WIDTHS.get(character, 0.556) for character in text), y, 9, font, text)


def table_of(document):
    (block,) = [block for block in document.blocks if block.kind == "table"]
    return block, document.text[block.start : block.end].split("\n")


def rows(y, *lines, xs=(60, 210, 360)):
    return [
        (x, y - 14 * number, 10, "F1", cell)
        for number, line in enumerate(lines)
        for x, cell in zip(xs, line, strict=True)
        if cell
    ]


GOODS = (("Item", "Qty", "Price"), ("Bolt", "10", "4.50"), ("Nut", "", "2.10"), ("Washer", "30", "0.30"))


@pytest.mark.parametrize("by_column", [False, True])
def test_cells_are_apart_in_whatever_order_they_are_drawn(read_one, make_pdf, by_column):
    pieces = rows(700, *GOODS)
    block, lines = table_of(read_one("a.pdf", make_pdf([sorted(pieces) if by_column else pieces])))
    assert block.columns == ("Item", "Qty", "Price")
    assert lines == ["Item | Qty | Price", "Bolt | 10 | 4.50", "Nut |  | 2.10", "Washer | 30 | 0.30"]


def test_rows_of_words_below_bold_heads_are_no_heads(read_one, make_pdf):
    heads = [
        (x, y, size, "F2", text) for x, y, size, _, text in rows(700, ("Level", "Repair", "At weekends"))
    ]
    body = [("X", "two days", "four days"), ("Y", "five days", "six days"), ("Z", "nine days", "-")]
    block, lines = table_of(read_one("a.pdf", make_pdf([[*heads, *rows(686, *body)]])))
    assert block.columns == ("Level", "Repair", "At weekends")
    assert lines[1:] == [" | ".join(row) for row in body]


def test_heads_of_several_lines_units_and_captions(read_one, make_pdf):
    page = [
        (60, 735, 11, "F2", "CONSOLIDATED STATEMENTS OF INCOME"),
        (60, 722, 9, "F1", "(In millions, except per share amounts)"),
        *((310, 705, 9, "F1", "Three Months Ended"), (450, 705, 9, "F1", "Six Months Ended")),
        *((335, 694, 9, "F1", "June 30,"), (468, 694, 9, "F1", "June 30,")),
        *(right(x, 680, year) for x, year in ((345, "2019"), (400, "2018"), (485, "2019"), (540, "2018"))),
    ]
    body = [
        ("Revenue:",),
        ("Products", "$ 1,234", "$ 1,100", "$ 2,400", "$ 2,200"),
        ("Services", "567", "500", "1,100", "1,000"),
        ("Net loss attributable to the holders of",),
        ("common shares of the parent", "(12)", "(14)", "(25)", "(28)"),
    ]
    for number, (label, *values) in enumerate(body):
        y = 664 - 13 * number
        page.append((60, y, 9, "F1", label))
        for x, value in zip((345, 400, 485, 540), values, strict=False):
            page += [(x - 42, y, 9, "F1", "$")] * value.startswith("$")
            page.append(right(x, y, value.removeprefix("$ ")))
    block, lines = table_of(read_one("a.pdf", make_pdf([page])))
    assert block.caption == "CONSOLIDATED STATEMENTS OF INCOME (In millions, except per share amounts)"
    assert block.columns[1] == "Three Months Ended June 30, 2019"
    assert block.columns[4] == "Six Months Ended June 30, 2018"
    assert lines[1:] == [
        "Revenue: |  |  |  |",
        "Products | $1,234 | $1,100 | $2,400 | $2,200",
        "Services | 567 | 500 | 1,100 | 1,000",
        "Net loss attributable to the holders of common shares of the parent | (12) | (14) | (25) | (28)",
    ]


@pytest.mark.parametrize("repeated", [True, False])
def test_a_table_goes_on_over_pages(read_one, make_pdf, repeated):
    def body(first, y):
        return rows(y, *((f"Bolt {chr(first + k)}", str(10 * k + 3), f"{k}.50") for k in range(5)))

    head = rows(740, GOODS[0])
    pages = [head + body(65, 726), *((head if repeated else []) + body(70 + 5 * k, 726) for k in range(2))]
    document = read_one("a.pdf", make_pdf(pages))
    block, lines = table_of(document)
    assert block.columns == GOODS[0]
    assert len(lines) == 16
    assert document.text[document.pages[1] :].startswith("Bolt F")
    assert [part.kind for part in document.left_out] == ["repeated table head"] * repeated


def boxed(make_pdf, lines, boxes):
    """Return a page with rectangles drawn below its lines."""
    data = make_pdf([lines])
    start = data.index(b"stream\n") + len(b"stream\n")
    drawn = "".join(f"{x} {y} {w} {h} re S\n" for x, y, w, h in boxes).encode()
    # the cross references are rebuilt
    return data[:start].replace(b"/Length ", b"/Length 9") + drawn + data[start:]


def test_the_lines_of_a_cell_stay_together_between_rules(read_one, make_pdf):
    lines = [
        *((62, 690, 9, "F2", "Measure"), (202, 690, 9, "F2", "Meaning"), (402, 690, 9, "F2", "Result")),
        *(
            (62, 664, 9, "F1", "Percent of offices"),
            (62, 653, 9, "F1", "that answer in time"),
            (402, 658, 9, "F1", "43%"),
        ),
        *((202, 664, 9, "F1", "How many offices gave an"), (202, 653, 9, "F1", "answer within a month")),
        *((62, 630, 9, "F1", "Cost"), (202, 630, 9, "F1", "In dollars"), (402, 630, 9, "F1", "1,200")),
    ]
    levels = (705, 680, 645, 620)
    boxes = [(60, y, 440, 0.5) for y in levels]
    block, found = table_of(read_one("a.pdf", boxed(make_pdf, lines, boxes)))
    assert block.columns == ("Measure", "Meaning", "Result")
    assert found[1:] == [
        "Percent of offices that answer in time | How many offices gave an answer within a month | 43%",
        "Cost | In dollars | 1,200",
    ]


def test_labels_and_values_are_pairs(read_one, make_pdf):
    page = rows(
        700,
        *(
            ("Age:", "85", "Seat:", "Left"),
            ("Certificate:", "Private", "Rating:", ""),
            ("Engine:", "O-320", "Fuel:", "No"),
        ),
        xs=(60, 150, 300, 390),
    )
    block, lines = table_of(read_one("a.pdf", make_pdf([page])))
    assert lines == ["Age: 85", "Seat: Left", "Certificate: Private", "Rating:", "Engine: O-320", "Fuel: No"]
    assert block.columns == ()


def test_columns_of_prose_are_no_table(read_one, make_pdf, blocks_of):
    words = "the quick brown fox jumps over one lazy dog"
    left = [(60, 700 - 12 * k, 10, "F1", f"{k} {words}") for k in range(8)]
    moved = [(310, 695 - 12 * k, 10, "F1", f"{words} {k}") for k in range(8)]
    ((kind, _, text), *rest) = blocks_of(read_one("a.pdf", make_pdf([left + moved])))
    assert kind == "paragraph"
    assert "table" not in [block[0] for block in rest]
    text = " ".join([text, *(block[2] for block in rest)])
    assert text.index(f"7 {words}") < text.index(f"{words} 0")


def framed(xs, ys, skip=()):
    """Return the sides of cells between these places, but for the floors to skip."""
    uprights = [(x, ys[-1], 0.5, ys[0] - ys[-1]) for x in xs]
    pairs = list(pairwise(xs))
    return uprights + [(a, y, b - a, 0.5) for y in ys for a, b in pairs if (a, y) not in skip]


def test_cells_in_frames_may_be_narrow_and_span_rows(read_one, make_pdf):
    lines = [
        *((62, 690, 9, "F2", "Pos"), (84, 690, 9, "F2", "Article"), (402, 690, 9, "F2", "Price")),
        *(
            (62, 650, 9, "F1", "1"),
            (84, 665, 9, "F1", "Pump with a long name that"),
            (402, 660, 9, "F1", "12.50"),
        ),
        *((84, 655, 9, "F1", "goes on"), (84, 630, 9, "F1", "Valve"), (402, 630, 9, "F1", "4.00")),
    ]
    boxes = framed((60, 82, 400, 500), (705, 680, 645, 620), skip={(60, 645)})
    block, found = table_of(read_one("a.pdf", boxed(make_pdf, lines, boxes)))
    assert block.columns == ("Pos", "Article", "Price")
    assert found[1:] == ["1 | Pump with a long name that goes on | 12.50", "1 | Valve | 4.00"]


def test_a_frame_around_rows_that_no_line_parts_is_read_by_its_text(read_one, make_pdf):
    page = rows(690, ("Item", "2019", "2018"), ("Oil", "10", "20"), ("Gas", "30", "40"), xs=(62, 202, 402))
    boxes = framed((60, 200, 400, 500), (705, 685, 600))
    _, found = table_of(read_one("a.pdf", boxed(make_pdf, page, boxes)))
    assert found == ["Item | 2019 | 2018", "Oil | 10 | 20", "Gas | 30 | 40"]


def test_dates_at_the_margin_stay_with_what_they_date(read_one, make_pdf):
    page = []
    for y, what, when in (
        (700, "Port of Bergen", "2019 - today"),
        (640, "Nordlys AS of Oslo", "2017 - 2019"),
    ):
        page += [(50, y, 10, "F1", f"Engineer, {what}"), (420, y, 10, "F1", when)]
        page += [(50, y - 12 * n, 10, "F1", f"Led part {n} of the renewal of the piers.") for n in (1, 2, 3)]
    text = read_one("a.pdf", make_pdf([page])).text
    assert "Port of Bergen 2019 - today" in text.replace(" | ", " ")
    assert "AS of Oslo 2017 - 2019" in text.replace(" | ", " ")


def test_a_roster_of_words_and_dashes_has_one_row_of_heads(read_one, make_pdf):
    lines = (("", "Mon", "Tue"), ("Early", "Ada", "Bo"), ("Late", "Cleo", ""), ("Night", "-", "Eva"))
    boxes = framed((60, 200, 350, 500), (702, 686, 672, 658, 644))
    block, found = table_of(read_one("a.pdf", boxed(make_pdf, rows(690, *lines, xs=(62, 202, 352)), boxes)))
    assert block.columns == ("", "Mon", "Tue")
    assert found[1:] == ["Early | Ada | Bo", "Late | Cleo |", "Night | - | Eva"]
