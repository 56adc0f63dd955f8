"""Word documents: what a reader of the printed page sees, whatever Word wraps it in."""

import itertools
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid.types import Document

NAMES = " ".join(
    f'xmlns:{prefix}="{address}"'
    for prefix, address in {
        "w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
        "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
        "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
        "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
        "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
        "v": "urn:schemas-microsoft-com:vml",
        "o": "urn:schemas-microsoft-com:office:office",
    }.items()
)
TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"


def relations(targets):
    inside = "".join(
        f'<Relationship Id="{name}" Type="{TYPES}/{name.rstrip("0123456789")}" Target="{target}"/>'
        for name, target in targets.items()
    )
    return f'<Relationships xmlns="{RELATIONS}">{inside}</Relationships>'


def part(inside, before="", tag="document"):
    return f"{before}<w:{tag} {NAMES}>{inside}</w:{tag}>"


def p(inside, properties=""):
    """Return a paragraph; what is no XML is its only run."""
    inside = inside if inside.startswith("<") else t(inside)
    return f"<w:p><w:pPr>{properties}</w:pPr>{inside}</w:p>"


def t(text, properties=""):
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def styled(name, text):
    return p(text, f'<w:pStyle w:val="{name}"/>')


def up(text):
    return t(text, '<w:vertAlign w:val="superscript"/>')


def row(*cells, marks=""):
    cells = [cell if cell.startswith("<w:tc") else tc(cell) for cell in cells]
    return f"<w:tr><w:trPr>{marks}</w:trPr>{''.join(cells)}</w:tr>"


def tc(inside, properties=""):
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inside if inside.startswith('<') else p(inside)}</w:tc>"


def tbl(*rows):
    return f"<w:tbl><w:tblPr/><w:tblGrid/>{''.join(rows)}</w:tbl>"


def control(inside, properties=""):
    return f"<w:sdt><w:sdtPr>{properties}</w:sdtPr><w:sdtContent>{inside}</w:sdtContent></w:sdt>"


def field(instruction, result="", form=""):
    marks = [f'<w:r><w:fldChar w:fldCharType="{mark}"/></w:r>' for mark in ("begin", "separate", "end")]
    begin, separate, end = marks
    if form:
        begin = f'<w:r><w:fldChar w:fldCharType="begin"><w:ffData>{form}</w:ffData></w:fldChar></w:r>'
    told = f"<w:r><w:instrText>{instruction}</w:instrText></w:r>"
    return (
        begin
        + (told if instruction[:1] != "<" else instruction)
        + (separate + result if result else "")
        + end
    )


@pytest.fixture
def read_word(read_one, make_zip):
    """Read a document whose body is given, and other parts by the type of their relationship."""

    def call(body, before="", **parts):
        entries = {
            "_rels/.rels": relations({"officeDocument": "word/document.xml"}),
            "word/_rels/document.xml.rels": relations({name: f"{name}.xml" for name in parts}),
            "word/document.xml": part(f"<w:body>{body}</w:body>", before),
        }
        for name, inside in parts.items():
            if inside:
                entries[f"word/{name}.xml"] = part(inside, tag=name)
        return read_one("a.docx", make_zip("a.docx", entries))

    return call


def lines(document):
    return document.text.replace("\n\n", "\n").split("\n")


def told(document):
    return {one.kind: (one.count, one.lost) for one in document.left_out}


def test_tracked_changes_are_in_their_final_state(read_word):
    gone = "<w:del><w:r><w:delText>30</w:delText></w:r></w:del>"
    document = read_word(
        p(t("Due within ") + gone + f"<w:ins>{t('60')}</w:ins>" + t(" days."))
        + p(f"<w:moveFrom>{t('old place')}</w:moveFrom><w:moveTo>{t('the court of Bremen')}</w:moveTo>")
        + p(t("One ") + gone, "<w:rPr><w:del/></w:rPr>")
        + p("paragraph.")
        + p(gone, "<w:rPr><w:del/></w:rPr>")
        + tbl(row("a", "b"), row("gone", "gone", marks="<w:del/>"), row("new", "row", marks="<w:ins/>"))
    )
    assert lines(document) == [
        "Due within 60 days.",
        "the court of Bremen",
        "One paragraph.",
        "a | b",
        "new | row",
    ]
    assert told(document) == {"deleted text": (5, False)}


def test_wrapped_text_stays(read_word):
    document = read_word(
        control(p("In a block."))
        + control(control(p(t("Twice ") + control(t("wrapped."))), "<w:alias/>"))
        + p(f"<w:smartTag>{t('Tag, ')}</w:smartTag><w:customXml>{t('custom, ')}</w:customXml>")
        + p(f"<w:hyperlink>{t('link')}</w:hyperlink>")
        + control(p("Click here to enter text."), "<w:showingPlcHdr/>")
        + tbl(row("Rent", tc(control(p("850 euros")))), control(row("Deposit", "1700 euros")))
        + tbl(f"<w:tr>{tc('Start')}{control(tc('1 May'))}</w:tr>", row("End", "2 May"))
        + control(tbl(row("Table in a control")))
        + f"<w:customXml>{p('In custom XML.')}</w:customXml>"
    )
    assert lines(document) == [
        "In a block.",
        "Twice wrapped.",
        "Tag, custom,",
        "link",
        "Rent | 850 euros",
        "Deposit | 1700 euros",
        "Start | 1 May",
        "End | 2 May",
        "Table in a control",
        "In custom XML.",
    ]
    assert told(document) == {"prompt of an empty field": (1, False)}


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ('<w:fldSimple w:instr="REF x"><w:r><w:t>result</w:t></w:r></w:fldSimple>', "result"),
        (field(" MERGEFIELD name ", t("Jane")), "Jane"),
        (
            field(field("MERGEFIELD x", t("1")) + "<w:r><w:instrText>= 1 yes</w:instrText></w:r>", t("yes")),
            "yes",
        ),
        (field('XE "entry of an index"') + t("shown"), "shown"),
        (t("ticked ") + field("FORMCHECKBOX", form="<w:checkBox><w:checked/></w:checkBox>"), "ticked ☒"),
        (t("not ") + field("FORMCHECKBOX", form='<w:checkBox><w:default w:val="0"/></w:checkBox>'), "not ☐"),
        (
            field(
                "FORMDROPDOWN",
                form='<w:ddList><w:result w:val="1"/><w:listEntry w:val="red"/>'
                '<w:listEntry w:val="blue"/></w:ddList>',
            ),
            "blue",
        ),
        (field(r" EQ \f(1,2)"), "(1)/(2)"),
        ('<w:r><w:fldChar w:fldCharType="begin"/></w:r>' + t("never ended"), "never ended"),
    ],
)
def test_fields_give_their_result(read_word, inside, text):
    assert read_word(p(inside)).text == text


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        (t("10") + up("6") + t(" cells"), "10^6 cells"),
        (t("5") + up("1") + up("2") + t(" units"), "5^12 units"),
        (t("H") + t("2", '<w:vertAlign w:val="subscript"/>') + t("O"), "H2O"),
        (t("log") + t("2", '<w:vertAlign w:val="subscript"/>') + t("8"), "log_2 8"),
        (t("for ") + t("50 ", "<w:strike/>") + t("euros", "<w:dstrike/>") + t(" 40"), "for ~~50 euros~~ 40"),
        (t("5", "<w:strike/>") + t("5", '<w:strike w:val="0"/>'), "~~5~~5"),
        (t("see note") + up("12") + t("."), "see note [12]."),
        (t("an area of 3 m") + up("2"), "an area of 3 m^2"),
        (t("x") + t("2", '<w:position w:val="6"/>'), "x^2"),
        (t("on the 1") + up("st") + t(" of May"), "on the 1st of May"),
        (t("25") + up("o") + t("C"), "25°C"),
        (t("Ca") + up("2+"), "Ca^2+"),
        (
            "<w:r><w:t>non</w:t><w:noBreakHyphen/><w:t>stop</w:t><w:br/><w:t>co</w:t><w:softHyphen/><w:t>op</w:t></w:r>",
            "non-stop\ncoop",
        ),
        ('<w:r><w:sym w:font="Symbol" w:char="F061"/><w:sym w:font="Wingdings" w:char="F0FC"/></w:r>', "α✓"),
        (t("\uf0b3 3", '<w:rFonts w:ascii="Symbol"/>'), "≥ 3"),
    ],
)
def test_characters_keep_their_meaning(read_word, inside, text):
    assert read_word(p(inside)).text == text


def m(name, **parts):
    return f"<m:{name}>{''.join(f'<m:{key}>{inside}</m:{key}>' for key, inside in parts.items())}</m:{name}>"


def x(text):
    return f"<m:r><w:rPr><w:i/></w:rPr><m:t>{text}</m:t></m:r>"


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        (x("E=m") + m("sSup", e=x("c"), sup=x("2")), "E=mc^2"),
        (m("f", num=x("m"), den=x("2")) + m("sSup", e=x("v"), sup=x("2")) + x("+1"), "(m/2)v^2+1"),
        (m("f", num=x("a+b"), den=x("2")), "(a+b)/2"),
        (m("rad", deg="", e=x("x+1")), "√(x+1)"),
        (m("sSubSup", e=x("x"), sub=x("i"), sup=x("n+1")), "x_i^(n+1)"),
        (m("nary", naryPr='<m:chr m:val="∑"/>', sub=x("i=1"), sup=x("n"), e=x("i")), "∑_(i=1)^n i"),
        (x("f") + m("d", e=x("x")), "f(x)"),
        (m("d", dPr='<m:begChr m:val="["/><m:endChr m:val=""/>', e=x("x")), "[x"),
        (m("m", mr=m("e", e=x("1")) + m("e", e=x("2"))), "1, 2"),
        (m("func", fName=x("sin"), e=x("x")), "sin x"),
    ],
)
def test_equations_are_legible(read_word, inside, text):
    assert read_word(p(f"<m:oMathPara><m:oMath>{inside}</m:oMath></m:oMathPara>")).text == text


def test_a_text_box_is_read_once(read_word):
    inside = f"<w:txbxContent>{p('In a box.')}</w:txbxContent>"
    box = (
        f'<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wps:txbx>{inside}</wps:txbx>'
        f"</w:drawing></mc:Choice><mc:Fallback><w:pict><v:textbox>{inside}</v:textbox></w:pict></mc:Fallback>"
        "</mc:AlternateContent></w:r>"
    )
    old = f"<w:r><w:pict><v:textbox>{inside}</v:textbox></w:pict></w:r>"
    document = read_word(
        p(t("Anchor.") + box) + p(old) + tbl(row("h", "k"), row(tc(p(t("cell ") + box)), "v"))
    )
    assert lines(document) == ["Anchor.", "In a box.", "In a box.", "h | k", "cell In a box. | v"]


def reference(kind, number):
    return f'<w:r><w:{kind}Reference w:id="{number}"/></w:r>'


def test_notes_follow_the_paragraph_of_their_mark(read_word):
    document = read_word(
        p(t("Fixed.") + reference("footnote", 2) + t(" Lawful.") + reference("endnote", 2))
        + tbl(row("h", "k"), row(tc(p(t("cell") + reference("footnote", 3))), "v"))
        + p(f"<w:del>{reference('footnote', 4)}</w:del>{t('End.')}{reference('comment', 0)}"),
        footnotes='<w:footnote w:type="separator" w:id="0"/>'
        + "".join(f'<w:footnote w:id="{at}">{p(f"Note {at}.")}</w:footnote>' for at in (2, 3, 4)),
        endnotes=f'<w:endnote w:id="2">{p("See the statute.")}</w:endnote>'
        f'<w:endnote w:id="5">{p("No mark leads here.")}</w:endnote>',
        comments=f'<w:comment w:id="0">{p("Check this!")}</w:comment>',
    )
    assert lines(document) == [
        "Fixed. [1] Lawful. [i]",
        "[1] Note 2.",
        "[i] See the statute.",
        "h | k",
        "cell [2] | v",
        "[2] Note 3.",
        "End.",
        "No mark leads here.",
    ]
    assert told(document) == {"comment": (1, False)}


def test_the_rest_stays_where_a_part_is_missing_or_damaged(read_word):
    document = read_word(
        p(t("Body.") + reference("footnote", 2)) + '<w:sectPr><w:headerReference r:id="header1"/></w:sectPr>',
        footnotes="",
        header1="<w:p><w:r><w:t>cut",
    )
    assert document.text.endswith("Body.")
    assert {kind for kind, (_, lost) in told(document).items() if lost} == {
        "footnotes that cannot be read",
        "damaged stretch of XML",
    }


def test_what_nobody_reads_is_told(read_word):
    document = read_word(
        p("Text.")
        + '<w:altChunk r:id="x"/>'
        + p("<w:r><w:object><o:OLEObject/></w:object></w:r>")
        + p(t("seen") + t("hidden", "<w:vanish/>"))
    )
    assert lines(document) == ["Text.", "seen"]
    assert told(document) == {
        "inserted file": (1, True),
        "embedded object": (1, True),
        "hidden text": (1, False),
    }


PAGE = "<h2>Terms</h2><p>Within 42 days.</p><ul><li>a</li></ul><table><tr><th>x<th>y<tr><td>1<td>2</table>"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("chunk.html", PAGE),
        (
            "chunk.mht",
            f"MIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b\n"
            f"Content-Type: text/html\n\n{PAGE}\n--b\nContent-Type: image/png\n\nx\n--b--\n",
        ),
    ],
)
def test_a_page_that_word_inserts_is_read(read_one, make_zip, blocks_of, name, data):
    entries = {
        "_rels/.rels": relations({"officeDocument": "word/document.xml"}),
        "word/_rels/document.xml.rels": relations({"aFChunk": name}),
        "word/document.xml": part(
            f'<w:body>{p("Before.")}<w:altChunk r:id="aFChunk"/>{p("After.")}</w:body>'
        ),
        f"word/{name}": data,
    }
    document = read_one("a.docx", make_zip("a.docx", entries))
    assert [text for _, _, text in blocks_of(document)] == [
        *("Before.", "Terms", "Within 42 days.", "- a", "x | y\n1 | 2", "After.")
    ]
    assert not document.left_out


def test_headers_and_footers_come_once_without_page_numbers(read_word):
    header = p("Document QM-7781") + tbl(row("Revision", "3"))
    page = p(t("Page ") + field("PAGE", t("7")) + t(" of ") + field("NUMPAGES", t("9")))
    kinds = "".join(f'<w:headerReference r:id="header{at}"/>' for at in (1, 2))
    document = read_word(
        p("Body.") + f'<w:sectPr>{kinds}<w:footerReference r:id="footer1"/></w:sectPr>',
        header1=header,
        header2=header,
        footer1=page + p(t("Valid from 3 March 2024, page ") + '<w:fldSimple w:instr="PAGE"/>'),
    )
    assert lines(document) == ["Document QM-7781", "Revision", "3", "Body.", "Valid from 3 March 2024, page"]


def style(name, called, based="", level=None):
    outline = "" if level is None else f'<w:pPr><w:outlineLvl w:val="{level}"/></w:pPr>'
    known = f'<w:name w:val="{called}"/><w:basedOn w:val="{based}"/>'
    return f'<w:style w:styleId="{name}">{known}{outline}</w:style>'


STYLES = (
    style("berschrift1", "heading 1")
    + style("Own", "Chapter", "berschrift1")
    + style("Contents", "TOC Heading", "berschrift1", 9)
    + style("Law", "Law", level=1)
    + style("A", "a", "B")
    + style("B", "b", "A")
    + style("Who", "Author", "T")
    + style("T", "Title")
)


def test_headings_by_style_and_outline(read_word, blocks_of):
    names = ("berschrift1", "Own", "Contents", "Law", "A", "Heading3", "Titre4", "Title", "Who", "T")
    body = "".join(styled(name, name) for name in names) + p("Outlined", '<w:outlineLvl w:val="2"/>')
    body += p("Not outlined", '<w:pStyle w:val="Own"/><w:outlineLvl w:val="9"/>')
    levels = [level for _, level, _ in blocks_of(read_word(body, styles=STYLES))]
    assert levels == [1, 1, 0, 2, 0, 3, 4, 1, 0, 1, 3, 0]


def lvl(depth, style, text, start=1):
    return (
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="{start}"/><w:numFmt w:val="{style}"/>'
        f'<w:lvlText w:val="{text}"/></w:lvl>'
    )


def kind(number, inside):
    return f'<w:abstractNum w:abstractNumId="{number}">{inside}</w:abstractNum>'


def num(number, kind, inside=""):
    return f'<w:num w:numId="{number}"><w:abstractNumId w:val="{kind}"/>{inside}</w:num>'


NUMBERING = (
    kind(0, lvl(0, "decimal", "%1.") + lvl(1, "lowerLetter", "%2)") + lvl(2, "upperRoman", "%1.%3"))
    + kind(1, lvl(0, "bullet", "*"))
    + kind(4, lvl(0, "bullet", "☒"))
    + num(5, 4)
    + kind(2, '<w:numStyleLink w:val="L"/>')
    + kind(3, '<w:styleLink w:val="L"/>' + lvl(0, "decimalZero", "§ %1", start=4))
    + num(1, 0)
    + num(2, 1)
    + num(3, 0, '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/></w:lvlOverride>')
    + num(4, 2)
)


def item(text, number, level=0):
    return p(text, f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{number}"/></w:numPr>')


def test_lists_have_their_numbers(read_word, blocks_of):
    asked = [(1, 0), (1, 1), (1, 1), (1, 2), (1, 0), (1, 1), (2, 0), (3, 0), (3, 0), (4, 0), (5, 0)]
    document = read_word("".join(item("x", *one) for one in asked) + item("off", 0), numbering=NUMBERING)
    *rest, last = blocks_of(document)
    labels = ["1.", "  a)", "  b)", "    1.I", "2.", "  a)", "-", "7.", "8.", "§ 04", "☒"]
    assert rest == [("list", 0, "\n".join(f"{label} x" for label in labels))]
    assert last == ("paragraph", 0, "off")


def test_numbered_headings_keep_their_number(read_word):
    heading = p(
        "Scope", '<w:outlineLvl w:val="0"/><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    )
    contents = styled("TOC1", "1. Scope<w:tab/>3") + styled("TOC1", "2. Elsewhere 9")
    document = read_word(contents + heading, numbering=NUMBERING)
    assert lines(document) == ["2. Elsewhere 9", "1. Scope"]
    assert told(document) == {"table of contents": (1, False)}


def span(columns, text=""):
    return tc(text, f'<w:gridSpan w:val="{columns}"/>')


def merged(text, start=False):
    return tc(text, '<w:vMerge w:val="restart"/>' if start else "<w:vMerge/>")


def table_of(document):
    (block,) = [block for block in document.blocks if block.kind == "table"]
    return document.text[block.start : block.end].split("\n"), block


def test_tables_have_columns_and_a_caption(read_word):
    head = "<w:tblHeader/>"
    document = read_word(
        styled("Caption", "Table 2: Prices")
        + p("(in millions)")
        + tbl(
            row(merged("Region", start=True), span(2, "2019"), marks=head),
            row(merged(""), "Q1", "Q2", marks=head),
            row(merged("North", start=True), "1", "2"),
            row(merged(""), "3", "4"),
        )
    )
    rows, block = table_of(document)
    assert block.columns == ("Region", "2019, Q1", "2019, Q2")
    assert rows[1:] == ["North | 1 | 2", "North | 3 | 4"]
    assert block.caption == "Table 2: Prices (in millions)"
    assert lines(document)[:2] == ["Table 2: Prices", "(in millions)"]


@pytest.mark.parametrize(
    ("before", "after", "caption"),
    [
        (p("Table 1. Sales"), "", "Table 1. Sales"),
        (p(f"{t('Tableau ')}{field('SEQ Tableau', t('1'))}"), "", "Tableau 1"),
        ("", styled("Caption", "Table 4: below"), "Table 4: below"),
        ("", styled("Caption", "Of the next") + tbl(row("one")) + tbl(row("a")), "Of the next"),
        (styled("Caption", "Figure 4: above"), "", ""),
        (p("Prose."), p("Prose."), ""),
        (p("Table A.1 Sales"), "", "Table A.1 Sales"),
        (p("Tableau II : ventes"), "", "Tableau II : ventes"),
        (p("Table of contents"), "", ""),
        (p("Table 3 shows sales. It is long."), "", ""),
    ],
)
def test_captions_stand_before_or_after(read_word, before, after, caption):
    _, block = table_of(read_word(before + tbl(row("a", "b"), row("1", "2")) + after))
    assert block.caption == caption


CHART = """<c:chartSpace xmlns:c="c"><c:ser><c:tx><c:v>2024</c:v></c:tx><c:cat><c:strLit><c:pt idx="0">
<c:v>North</c:v></c:pt></c:strLit></c:cat><c:val><c:numLit><c:formatCode>"USD" 0</c:formatCode>
<c:pt idx="0"><c:v>19.2</c:v></c:pt>
</c:numLit></c:val></c:ser></c:chartSpace>"""


def test_a_chart_in_a_document_is_a_table(read_word):
    shown = '<w:r><w:drawing><c:chart xmlns:c="c" r:id="chart1"/></w:drawing></w:r>'
    document = read_word(p(t("See the chart.") + shown) + styled("Caption", "Figure 1: Sales"), chart1=CHART)
    rows, block = table_of(document)
    assert rows == ["| 2024", "North | USD 19.2"]
    assert block.caption == "Figure 1: Sales"


def test_a_picture_is_read_by_its_words_or_told(read_word):
    def shown(words):
        names = "<w:inline><w:docPr descr='{}'/><w:pic/></w:inline>"
        return f"<w:r><w:drawing>{names.format(words)}</w:drawing></w:r>"

    document = read_word(p(shown("Wiring of the pump, red is 12 V")) + p(shown("x.png")) + p("Text"))
    assert lines(document) == ["Wiring of the pump, red is 12 V", "Text"]
    assert told(document) == {"image": (1, False)}


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (tbl(row(merged("c"), "1"), row(merged("d"), "2")), ["c | 1", "d | 2"]),
        (tbl(row(span(100_000_000, "wide"), "b"), row("1", "2")), ["wide | b", "1 | 2"]),
        (tbl(row("a", "b"), row("x", tc(p("1") + p("2")))), ["a | b", "x | 1 2"]),
        (tbl(row(span(2, "The name")), row("a", "b"), row("1", "2")), ["The name", "", "a | b", "1 | 2"]),
        (tbl(row("1", "2"), row("3", "4")), ["1 | 2", "3 | 4"]),
        (tbl(row("only", "row")), ["only | row"]),
        (tbl(row(tc(p("a") + p("layout")), "b")), ["a", "", "layout", "", "b"]),
        (
            tbl(row(tc(p("x") + tbl(row("h", "k"), row("1", "2")))), row("y")),
            ["x", "", "h | k", "1 | 2", "", "y"],
        ),
        (
            tbl(row("a", "b"), row("x", tc(p("in") + tbl(row("h", "k"), row("1", "2"))))),
            ["a | b", "x | in", "", "h | k", "1 | 2"],
        ),
    ],
)
def test_tables_of_any_shape(read_word, table, rows):
    assert read_word(table).text.split("\n") == rows


BOLD = "<w:p><w:r><w:rPr><w:b/></w:rPr><w:t>{}</w:t></w:r></w:p>"


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        ((row("Rent", "850 euros"), row("Deposit", "1700 euros")), ()),
        ((row("Name:", "Jane"), row("Born:", "1987")), ()),
        ((row("Landlord", "Max, Berlin"), row("Tenant", "Jane, Bremen"), row("Object", "Flat 4")), ()),
        ((row("Item", "2019", "2018"), row("Oil", "1", "2")), ("Item", "2019", "2018")),
        (
            (row(tc(BOLD.format("Term")), tc(BOLD.format("Meaning"))), row("Rent", "a sum")),
            ("Term", "Meaning"),
        ),
    ],
)
def test_a_first_row_like_the_others_names_no_columns(read_word, rows, columns):
    assert table_of(read_word(tbl(*rows)))[1].columns == columns


@pytest.mark.parametrize(
    ("before", "inside", "text", "is_lost"),
    [
        ('<!DOCTYPE d [<!ENTITY co "ACME">]>', "by &co; only", "by ACME only", False),
        ("", "5&nbsp;km", "5\u00a0km", True),
        ("", "to &unknown; and back", "to &unknown; and back", True),
    ],
)
def test_an_entity_cuts_nothing(read_word, before, inside, text, is_lost):
    document = read_word(p(inside) + p("Rest."), before)
    assert lines(document) == [text, "Rest."]
    assert bool(document.left_out) is is_lost


def test_strict_files_and_other_names_of_the_main_part(read_one, make_zip):
    strict = "http://purl.oclc.org/ooxml/wordprocessingml/main"
    text = f'<document xmlns="{strict}"><body><p><r><t>Strict.</t></r></p></body></document>'
    start = relations({"officeDocument": "/other/main.xml"}).replace(TYPES, strict)
    assert (
        read_one("a.docx", make_zip("a.docx", {"_rels/.rels": start, "other/main.xml": text})).text
        == "Strict."
    )
    assert read_one("a.docm", make_zip("b.docm", {"Word\\Document.xml": text})).text == "Strict."
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    types = f'<Types><Override PartName="/x.xml" ContentType="{kind}"/></Types>'
    named = make_zip("c.docx", {"[Content_Types].xml": types, "x.xml": text})
    assert read_one("a.docx", named).text == "Strict."


def wrapped(inner, *names):
    around = [st.builds(f"<w:{name}>{{}}</w:{name}>".format, inner) for name in names]
    return st.one_of(*around, st.builds(control, inner), st.lists(inner, min_size=1, max_size=3).map("".join))


def boxed(inside):
    return f"<w:r><w:pict><v:textbox><w:txbxContent>{inside}</w:txbxContent></v:textbox></w:pict></w:r>"


RUNS = st.recursive(
    st.just(t("@ ")) | st.just(up("st") + t("@ ")),
    lambda inner: wrapped(
        inner, "ins", "moveTo", "hyperlink", "smartTag", "customXml", "fldSimple", "unknown"
    ),
    max_leaves=4,
)
BLOCKS = st.recursive(
    st.builds(p, RUNS) | st.builds(p, RUNS, st.just("<w:rPr><w:del/></w:rPr>")),
    lambda inner: (
        wrapped(inner, "ins", "customXml", "unknown")
        | st.builds(lambda inside: p(t("@ ") + boxed(inside)), inner)
        | st.lists(
            st.lists(inner.map(tc), min_size=1, max_size=3).map(lambda cells: row(*cells)), max_size=3
        ).map(lambda rows: tbl(*rows))
    ),
    max_leaves=8,
)


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.lists(BLOCKS, min_size=1, max_size=3).map("".join))
def test_every_word_comes_once(read_word, body):
    count = itertools.count()
    body = re.sub("@", lambda _: f"w{next(count)}", p(t("@ ")) + body)
    words = re.findall(r"w\d+", read_word(body).text)
    assert sorted(words) == sorted(f"w{at}" for at in range(next(count)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        p("".join(t(f"{at * 7919 % 100_003} ") for at in range(100_000))),
        tbl(*(row(*map(str, range(2_000))) for _ in range(10))),
        tbl(row(*"x" * 2_000), *(row("a") for _ in range(20_000))),
        p('<w:r><w:fldChar w:fldCharType="begin"/></w:r>' * 20_000 + t("word ") * 20_000),
        p("x" + "".join(reference("footnote", at) for at in range(20_000))),
    ],
    ids=["runs", "columns", "ragged", "fields", "notes"],
)
@pytest.mark.timeout(30)
def test_work_is_bounded(read_word, body):
    assert isinstance(read_word(body), Document)


def test_a_note_that_moved_with_its_text_stays(read_word):
    mark = reference("footnote", 2)
    document = read_word(
        p(f"<w:moveFrom>{t('Old.')}{mark}</w:moveFrom>") + p(f"<w:moveTo>{t('New.')}{mark}</w:moveTo>"),
        footnotes=f'<w:footnote w:id="2">{p("Note.")}</w:footnote>',
    )
    assert lines(document) == ["New. [1]", "[1] Note."]
    assert told(document) == {"deleted text": (1, False)}
