"""Workbooks: tables with their columns, numbers as they are shown, and what is told of the rest."""

import pytest

NAMES = (
    'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)
TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STYLES = f"""<styleSheet {NAMES}><numFmts><numFmt numFmtId="170" formatCode="#,##0.00\\ [$€-407]"/>
<numFmt numFmtId="171" formatCode="#,##0,"/><numFmt numFmtId="172" formatCode="[h]:mm"/>
<numFmt numFmtId="173" formatCode="00000"/><numFmt numFmtId="174" formatCode="(000) 000-0000"/>
<numFmt numFmtId="175" formatCode="# ?/?"/><numFmt numFmtId="176" formatCode="mmmm"/>
<numFmt numFmtId="177" formatCode="#,##0.00&quot; kr&quot;"/>
<numFmt numFmtId="178" formatCode="[$USD] #,##0.00"/>
<numFmt numFmtId="179" formatCode="0.0,,&quot;M&quot;"/>
<numFmt numFmtId="180" formatCode="0\\ &quot;°C&quot;"/>
<numFmt numFmtId="181" formatCode="&quot;Yes&quot;;&quot;Yes&quot;;&quot;No&quot;"/></numFmts>
<fonts><font/><font><b/></font><font><strike/></font></fonts><cellXfs>
<xf numFmtId="0" fontId="0"/><xf numFmtId="0" fontId="1"/>
<xf numFmtId="10" fontId="0"/><xf numFmtId="14" fontId="0"/><xf numFmtId="22" fontId="0"/>
<xf numFmtId="170" fontId="0"/><xf numFmtId="171" fontId="0"/><xf numFmtId="172" fontId="0"/>
<xf numFmtId="11" fontId="0"/><xf numFmtId="173" fontId="0"/><xf numFmtId="174" fontId="0"/>
<xf numFmtId="175" fontId="0"/><xf numFmtId="21" fontId="0"/><xf numFmtId="46" fontId="0"/>
<xf numFmtId="176" fontId="0"/><xf numFmtId="0" fontId="2"/><xf numFmtId="177" fontId="0"/>
<xf numFmtId="178" fontId="0"/><xf numFmtId="179" fontId="0"/><xf numFmtId="180" fontId="0"/>
<xf numFmtId="181" fontId="0"/></cellXfs>
</styleSheet>"""
STRINGS = f"""<sst {NAMES}><si><t>会議</t><rPh sb="0" eb="2"><t>カイギ</t></rPh></si>
<si><r><t>H</t></r><r><t>2O</t></r></si>
<si><r><t>10</t></r><r><rPr><vertAlign val="superscript"/></rPr><t>6</t></r>
<r><rPr><strike/></rPr><t> 5</t></r></si>
</sst>"""


def relations(targets):
    inside = "".join(
        f'<Relationship Id="{name}" Type="{TYPES}/{kind}" Target="{target}"/>'
        for name, kind, target in targets
    )
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{inside}</Relationships>'


@pytest.fixture
def read_book(read_one, make_zip):
    """Read a workbook from its sheets by name: rows of cells, or XML."""

    def call(sheets, parts=None, hidden=(), **settings):
        listed = "".join(
            f'<sheet name="{name}" r:id="s{n}" state="{"hidden" if name in hidden else "visible"}"/>'
            for n, name in enumerate(sheets)
        )
        targets = [(f"s{n}", "worksheet", f"s{n}.xml") for n in range(len(sheets))]
        targets += [("t", "sharedStrings", "t.xml"), ("y", "styles", "y.xml")]
        entries = {
            "_rels/.rels": relations([("a", "officeDocument", "xl/workbook.xml")]),
            "xl/workbook.xml": f"<workbook {NAMES}><sheets>{listed}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": relations(targets),
            "xl/t.xml": STRINGS,
            "xl/y.xml": STYLES,
        }
        for n, content in enumerate(sheets.values()):
            inside = content if isinstance(content, str) else "".join(map(row, content))
            inside, _, below = inside.partition("|")
            entries[f"xl/s{n}.xml"] = f"<worksheet {NAMES}><sheetData>{inside}</sheetData>{below}</worksheet>"
        return read_one("a.xlsx", make_zip("a.xlsx", entries | (parts or {})), **settings)

    return call


def cell(value, style=0, place="", formula=""):
    kind, held = ("n", value) if isinstance(value, (int, float)) else ("str", value)
    held = "" if value is None else f"<v>{held}</v>"
    return f'<c s="{style}" t="{kind}"{f" r={chr(34)}{place}{chr(34)}" if place else ""}>{formula}{held}</c>'


def row(values, place=""):
    cells = "".join(value if str(value).startswith("<c") else cell(value) for value in values)
    return f"<row{f' r={chr(34)}{place}{chr(34)}' if place else ''}>{cells}</row>"


def test_sheets_are_tables_with_columns_and_captions(read_book, blocks_of):
    first = [["Price list"], ["Item", "2023", "2024"], ["Pump", 10, 12], ["Valve", 7, 8]]
    document = read_book(
        {"Prices": first, "Sheet2": [["only a remark"]], "Old": [["Aside", 5]]}, hidden=("Old",)
    )
    assert blocks_of(document) == [
        ("heading", 1, "Prices"),
        ("paragraph", 0, "Price list"),
        ("table", 0, "Item | 2023 | 2024\nPump | 10 | 12\nValve | 7 | 8"),
        ("paragraph", 0, "only a remark"),
        ("heading", 1, "Old"),
        ("table", 0, "Aside | 5"),
    ]
    table = document.blocks[2]
    assert (table.caption, table.columns) == ("Price list", ("Item", "2023", "2024"))
    assert document.metadata == {"hidden_sheets": "Old"}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (cell(0.1 + 0.2), "0.3"),
        (cell(4711000123456), "4711000123456"),
        (cell(0.123456, 2), "12.35%"),
        (cell(45356, 3), "2024-03-05"),
        (cell(45356.604166667, 4), "2024-03-05 14:30"),
        (cell(1200.499, 5), "€1200.5"),
        (cell(1234567, 6), "1235"),
        (cell(1.5, 7), "36:00"),
        (cell(1.53125, 7), "36:45"),
        (cell(0.000012, 8), "1.2e-05"),
        (cell(1067, 9), "01067"),
        (cell(5551234567, 10), "(555) 123-4567"),
        (cell(0.5, 11), "0.5"),
        (cell(0.00237268518, 12), "00:03:25"),
        (cell(1.0000578703, 13), "24:00:05"),
        (cell(45356, 14), "2024-03-05"),
        (cell("gone", 15), "~~gone~~"),
        ('<c t="s"><v>2</v></c>', "10^6 ~~5~~"),
        ('<c t="s"><v>0</v></c>', "会議"),
        ('<c t="s"><v>1</v></c>', "H2O"),
        ('<c t="b"><v>1</v></c>', "TRUE"),
        ('<c t="e"><v>#DIV/0!</v></c>', "#DIV/0!"),
        ('<c t="inlineStr"><is><t>a  b</t></is></c>', "a b"),
        (cell("00123"), "00123"),
        (cell(7, formula="<f>A1+1</f>"), "7"),
        ("<c><f>A1</f><v></v></c>", "=A1"),
        (cell(90.5, 16), "90.5 kr"),
        (cell(1200, 17), "USD 1200"),
        (cell(1234567, 18), "1.2M"),
        (cell(21, 19), "21 °C"),
        (cell(1, 20), "Yes"),
        (cell(0, 20), "No"),
    ],
)
def test_cells_say_what_they_show(read_book, written, shown):
    assert read_book({"Sheet1": [["key", written]]}).text == f"key | {shown}"


def test_merged_cells_stand_in_each_row_and_a_table_goes_on_below_an_empty_row(read_book):
    rows = (
        row(["Region", "2023", None, "2024"], 1)
        + row([None, "Q1", "Q2", "Q1"], 2)
        + row(["North", 1, 2, 3], 3)
    )
    rows += row(["South", 4, 5, 6], 5) + row([cell(7, place="B6"), 8, 9], 6)
    areas = "".join(f'<mergeCell ref="{area}"/>' for area in ("A1:A2", "B1:C1", "A5:A6", "A1:XFD1048576"))
    document = read_book({"Sheet1": f"{rows}|<mergeCells>{areas}</mergeCells>"})
    assert document.blocks[0].columns == ("Region", "2023, Q1", "2023, Q2", "2024, Q1")
    assert document.text.split("\n")[1:] == ["North | 1 | 2 | 3", "South | 4 | 5 | 6", "South | 7 | 8 | 9"]


def test_a_bold_row_or_one_with_a_filter_names_the_columns(read_book):
    texts = [["How long?", "Three months"], ["How much?", "800 euros"]]
    bold = "".join(map(row, [[cell("Question", 1), cell("Answer", 1)], *texts]))
    filtered = "".join(map(row, [["Question", "Answer"], *texts])) + '|<autoFilter ref="A1:B3"/>'
    for sheet in (bold, filtered):
        assert read_book({"Sheet1": sheet}).blocks[0].columns == ("Question", "Answer")


def test_two_bold_rows_are_heads_and_a_line_of_its_own_names_the_next_table(read_book):
    bold = [
        [cell(text, 1) if text else None for text in line]
        for line in (["", "2023", "2024"], ["Region", "H1", "H2"])
    ]
    tables = [["North", 1, 2], [], ["Costs"], [], ["Key", "2024"], ["rent", 5]]
    document = read_book(
        {"Sheet1": "".join(row(line, at) for at, line in enumerate([*bold, *tables], 1) if line)}
    )
    found = [(block.kind.value, block.columns, block.caption) for block in document.blocks]
    assert found == [
        ("table", ("Region", "2023, H1", "2024, H2"), ""),
        ("paragraph", (), ""),
        ("table", ("Key", "2024"), "Costs"),
    ]


@pytest.mark.parametrize("group", [[["Europe"]], [["Europe"], []]])
def test_a_group_below_an_empty_row_keeps_the_columns(read_book, group):
    lines = [[None, "2023", "2024"], ["Ohio", 1, 2], [], *group, ["Spain", 3, 4]]
    document = read_book({"Sheet1": "".join(row(line, at) for at, line in enumerate(lines, 1) if line)})
    assert [block.columns for block in document.blocks if block.columns] == [("", "2023", "2024")] * 2
    assert (document.blocks[-1].caption, document.text.split("\n")[-1]) == ("Europe", "Spain | 3 | 4")


def test_tables_beside_one_another_are_two(read_book):
    def rows(*lines):
        return "".join(
            f'<row r="{n}">' + "".join(cell(value, place=f"{at}{n}") for at, value in line.items()) + "</row>"
            for n, line in enumerate(lines, start=1)
        )

    first = {"A": "Costs", "E": "Ships"}
    heads = {"A": "Item", "B": "Q1", "E": "Ship", "F": "Built"}
    body = [{"A": "Fuel", "B": 1200, "E": "Aurora", "F": 1999}, {"E": "Borealis", "F": 2004}]
    document = read_book({"Sheet1": rows(first, heads, *body)})
    tables = [(block.caption, block.columns) for block in document.blocks if block.columns]
    assert tables == [("Costs", ("Item", "Q1")), ("Ships", ("Ship", "Built"))]
    assert "Aurora | 1999\nBorealis | 2004" in document.text
    below = read_book({"Sheet1": rows({"A": "Plan"}, {}, heads, *body)})
    assert [block.caption for block in below.blocks if block.columns] == ["Plan", "Plan"]
    record = [{"A": "Name", "C": "City", "D": "Land"}, {"A": "Ada", "C": "Oslo", "D": "NO"}]
    assert read_book({"Sheet1": rows(*record)}).text == "Name | City | Land\nAda | Oslo | NO"


def test_labels_and_values_are_no_columns(read_book):
    form = [["Name:", "Jane", "Dept:", "QA"], ["Born:", 1987, "Room:", 12]]
    assert read_book({"Sheet1": form}).blocks[0].columns == ()


def test_what_is_not_in_the_file_is_told(read_book):
    anchored = """<xdr:wsDr xmlns:xdr="d" xmlns:a="a"><xdr:twoCellAnchor><xdr:sp><xdr:txBody>
    <a:p><a:r><a:t>Call 112</a:t></a:r></a:p></xdr:txBody></xdr:sp></xdr:twoCellAnchor></xdr:wsDr>"""
    drawn = relations([("d", "drawing", "d.xml"), ("c", "comments", "c.xml"), ("o", "package", "o.docx")])
    comments = f"<comments {NAMES}><comment><text><t>Check this</t></text></comment></comments>"
    parts = {"xl/_rels/s0.xml.rels": drawn, "xl/d.xml": anchored, "xl/c.xml": comments}
    document = read_book({"Sheet1": [["Sum", cell(None, formula="<f>A1+A2</f>")]], "Sheet2": "<row"}, parts)
    assert document.text == "Sum | =A1+A2\n\nCall 112"
    assert {(part.kind, part.lost) for part in document.left_out} == {
        ("formula whose value is not in the file", True),
        ("comment", False),
        ("embedded object", True),
        ("damaged stretch of XML", True),  # the second sheet ends within a row
    }


def test_a_chart_without_values_of_its_own_is_its_title(read_book):
    title = "<c:title><c:tx><c:rich><a:p><a:r><a:t>Sales</a:t></a:r></a:p></c:rich></c:tx></c:title>"
    series = "<c:ser><c:val><c:numRef><c:f>'Sheet1'!$B$2:$B$3</c:f></c:numRef></c:val></c:ser>"
    chart = (
        f"<c:chartSpace xmlns:c='c' xmlns:a='a'><c:chart>{title}<c:plotArea><c:barChart>{series}</c:barChart>"
    )
    frame = f'<c:chart xmlns:c="c" {NAMES} r:id="k"/>'
    drawing = f"<xdr:wsDr xmlns:xdr='d'><xdr:twoCellAnchor><xdr:graphicFrame>{frame}</xdr:graphicFrame>"
    parts = {
        "xl/_rels/s0.xml.rels": relations([("d", "drawing", "d.xml")]),
        "xl/d.xml": f"{drawing}</xdr:twoCellAnchor></xdr:wsDr>",
        "xl/_rels/d.xml.rels": relations([("k", "chart", "k.xml")]),
        "xl/k.xml": f"{chart}</c:plotArea></c:chart></c:chartSpace>",
    }
    document = read_book({"Sheet1": [["North", "South"], ["1", "2"]]}, parts)
    assert (document.text, document.left_out) == ("North | South\n1 | 2\n\nSales", ())


def test_cells_far_apart_and_long_sheets_are_bounded(read_book):
    far = row([cell("x", place="A1"), cell("y", place="XFD1")], 1) + row(
        [cell("z", place="B1048576")], 1048576
    )
    assert read_book({"Sheet1": far}).text == "x | y\n\nz"
    assert "no workbook" in read_book({}, {"xl/workbook.xml": b"PK"}).reason
    assert "no text in it" in read_book({"Sheet1": []}).reason


def test_what_is_printed_above_and_below_a_sheet_is_said_once(read_book):
    printed = (
        '<headerFooter><oddHeader>&amp;L&amp;"Arial,Bold"&amp;12QM-7781 R&amp;&amp;D&amp;R'
        "Page &amp;P of &amp;N"
        "</oddHeader><oddFooter>&amp;CSeite &amp;P / &amp;N</oddFooter></headerFooter>"
    )
    text = read_book({name: row(["a"]) + "|" + printed for name in ("One", "Two")}).text
    assert text == "One\n\na\n\nQM-7781 R&D\n\nTwo\n\na"


def test_rows_and_columns_that_are_hidden_are_read_and_counted(read_book):
    rows = (
        row(["Part", "Count", "Price"]) + row(["Seal", 1, 2]) + "<row hidden='1'>" + row(["Bolt", 3, 4])[5:]
    )
    hidden = '<cols><col min="2" max="2" hidden="1"/><col min="9" max="16384" hidden="1"/></cols>'
    document = read_book({"A": f"{rows}|{hidden}"})
    assert "Bolt | 3 | 4" in document.text
    assert document.metadata == {"hidden_rows": "1", "hidden_columns": "1"}
