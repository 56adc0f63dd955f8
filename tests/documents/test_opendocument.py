"""OpenDocument: texts, sheets and slides as LibreOffice writes them."""

import pytest

from hybrid.types import Rejected

_SPACES = {
    "office": "office",
    "text": "text",
    "table": "table",
    "draw": "drawing",
    "style": "style",
    "fo": "xsl-fo-compatible",
    "svg": "svg-compatible",
    "form": "form",
    "presentation": "presentation",
    "chart": "chart",
    "meta": "meta",
}
NAMES = " ".join(
    f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0"' for short, long in _SPACES.items()
)
WIDE = ' table:number-columns-spanned="2"'
NAMES += ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"'


@pytest.fixture
def opened(make_zip, read_one):
    """Read a file of the given body: opened("a.odt", "<text:p>…", styles="", …) -> Document."""

    def call(name, body, *, styles="", running="", parts=(), **settings):
        kind = {"odt": "text", "ods": "spreadsheet", "odp": "presentation"}[name[-3:]]
        content = (
            f"<office:document-content {NAMES}><office:automatic-styles>{styles}</office:automatic-styles>"
            f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
        )
        masters = f"<office:master-styles>{running}</office:master-styles>"
        entries = {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": content,
            "styles.xml": f"<office:document-styles {NAMES}>{masters}</office:document-styles>",
            **dict(parts),
        }
        return read_one(name, make_zip(name, entries), **settings)

    return call


def test_headings_paragraphs_and_blanks(opened, blocks_of):
    document = opened(
        "lease.odt",
        '<text:p text:style-name="P1">Lease</text:p><text:h text:outline-level="2">Term</text:h>'
        '<text:p>It ends on<text:s text:c="2"/>31<text:tab/>May<text:line-break/>&lt;7&gt; &amp;.</text:p>',
        styles='<style:style style:name="P1" style:family="paragraph" style:parent-style-name="Title"/>',
    )
    assert document.title == "Lease"
    assert blocks_of(document) == [
        ("heading", 1, "Lease"),
        ("heading", 2, "Term"),
        ("paragraph", 0, "It ends on 31 May\n<7> &."),
    ]


def test_lists_count_as_their_style_says_and_go_on_where_they_say_so(opened):
    says = ((1, 1, "", ".", 1, 4), (2, "a", "(", ")", 1, 1), (3, 1, "", "", 3, 1))
    levels = "".join(
        f'<text:list-level-style-number text:level="{n}" style:num-format="{sign}" '
        f'style:num-prefix="{before}" style:num-suffix="{after}" text:display-levels="{shown}" '
        f'text:start-value="{start}"/>'
        for n, sign, before, after, shown, start in says
    )
    style = f'<text:list-style style:name="L1">{levels}</text:list-style>'
    style += (
        '<text:list-style style:name="L2"><text:list-level-style-bullet text:level="1"/></text:list-style>'
    )

    def item(text, inner="", says=""):
        return f"<text:list-item{says}>{f'<text:p>{text}</text:p>' * bool(text)}{inner}</text:list-item>"

    def listed(inner, says=""):
        return f"<text:list{says}>{inner}</text:list>"

    first = listed(
        item("Close the valve", listed(item("inner", listed(item("deep"))) + item("other")))
        + item("Drain", says=' text:start-value="9"')
        + "<text:list-header><text:p>A word</text:p></text:list-header>",
        ' xml:id="one" text:style-name="L1"',
    )
    again = listed(item("Open it"), ' text:style-name="L1" text:continue-numbering="true"')
    named = listed(item("Close it"), ' text:style-name="L1" text:continue-list="one"')
    anew = listed(item("New") + item("", listed(item("below"))), ' text:style-name="L1"')
    points = listed(item("Point"), ' text:style-name="L2"')
    document = opened(
        "steps.odt", "<text:p>Wait.</text:p>".join((first, again, named, anew, points)), styles=style
    )
    assert document.text.split("\n\nWait.\n\n") == [
        "4. Close the valve\n  (a) inner\n    4.a.1 deep\n  (b) other\n9. Drain\n  A word",
        "10. Open it",
        "10. Close it",
        "4. New\n  (a) below",
        "- Point",
    ]


def test_the_numbers_of_headings_are_drawn(opened, blocks_of):
    outline = "".join(
        f'<text:outline-level-style text:level="{n}" style:num-format="1" text:display-levels="{n}"/>'
        for n in (1, 2)
    )
    heads = [(1, "Scope"), (1, "Terms"), (2, "Price"), (2, "Delivery")]
    document = opened(
        "a.odt",
        "".join(f'<text:h text:outline-level="{n}">{text}</text:h>' for n, text in heads)
        + "<text:p>x</text:p>",
        styles=f"<text:outline-style>{outline}</text:outline-style>",
    )
    assert [text for _, _, text in blocks_of(document)][:4] == [
        "1 Scope",
        "2 Terms",
        "2.1 Price",
        "2.2 Delivery",
    ]


def test_raised_and_struck_text_notes_and_boxes(opened):
    styles = "".join(
        f'<style:style style:name="{name}"><style:text-properties {says}/></style:style>'
        for name, says in {
            "T1": 'style:text-position="super 58%"',
            "T2": 'style:text-line-through-style="solid"',
        }.items()
    )
    document = opened(
        "a.odt",
        '<text:p>10<text:span text:style-name="T1">6</text:span> cells at <text:span text:style-name="T2">40'
        "</text:span> 50 euros<text:note><text:note-citation>1</text:note-citation><text:note-body>"
        "<text:p>Net.</text:p></text:note-body></text:note>.<draw:frame><draw:text-box><text:p>Boxed</text:p>"
        "</draw:text-box></draw:frame></text:p><text:p>After.</text:p>",
        styles=styles,
    )
    assert document.text == "10^6 cells at ~~40~~ 50 euros[1].\n\n[1] Net.\n\nBoxed\n\nAfter."


def test_a_table_has_its_heads_and_spans(opened):
    cell = "<table:table-cell{}><text:p>{}</text:p></table:table-cell>".format
    document = opened(
        "rent.odt",
        "<table:table><table:table-column/><table:table-header-rows><table:table-row>"
        f"{cell('', 'Item')}{cell('', 'Rent')}</table:table-row></table:table-header-rows><table:table-row>"
        f"{cell('', 'Hall 9')}{cell('', '850 euros')}</table:table-row><table:table-row>"
        f"{cell(WIDE, 'Paid monthly')}<table:covered-table-cell/>"
        "</table:table-row></table:table>",
    )
    (table,) = document.blocks
    assert table.columns == ("Item", "Rent")
    assert document.text.split("\n")[:2] == ["Item | Rent", "Hall 9 | 850 euros"]
    assert "Paid monthly" in document.text


def test_a_table_within_a_cell_follows_as_its_own(opened, blocks_of):
    def table(*cells):
        inside = "".join(f"<table:table-cell>{cell}</table:table-cell>" for cell in cells)
        return f"<table:table><table:table-row>{inside}</table:table-row></table:table>"

    said = "<text:p>{}</text:p>".format
    inner = table(said("in 1"), said("in 2"))
    document = opened("a.odt", table(said("Left") + inner, said("R")) + said("After."))
    assert blocks_of(document) == [
        ("table", 0, "Left | R"),
        ("table", 0, "in 1 | in 2"),
        ("paragraph", 0, "After."),
    ]


def test_what_is_left_out_is_told(opened):
    document = opened(
        "a.odt",
        "<text:tracked-changes><text:changed-region><text:deletion><office:change-info><dc:creator>A</dc:creator>"
        "</office:change-info><text:p>ninety days</text:p></text:deletion></text:changed-region>"
        "</text:tracked-changes><text:table-of-content><text:index-body><text:p>Scope 1</text:p>"
        "</text:index-body></text:table-of-content><text:p>Sixty days."
        "<office:annotation><text:p>Sure?</text:p></office:annotation>"
        "<draw:frame><draw:image/></draw:frame><draw:frame><draw:object-ole/></draw:frame></text:p>",
    )
    assert document.text == "Sixty days."
    told = {part.kind: part.lost for part in document.left_out}
    assert told == {
        "deleted text": False,
        "table of contents": False,
        "comment": False,
        "image": False,
        "embedded object": True,
    }


def test_descriptions_formulas_charts_and_fields(opened):
    chart = (
        f"<office:document-content {NAMES}><office:body><office:chart><chart:chart><chart:title>"
        "<text:p>Sales</text:p></chart:title><table:table><table:table-row><table:table-cell><text:p>North"
        "</text:p></table:table-cell><table:table-cell><text:p>19.2</text:p></table:table-cell>"
        "</table:table-row></table:table></chart:chart></office:chart></office:body></office:document-content>"
    )
    math = "<math xmlns='http://www.w3.org/1998/Math/MathML'><msup><mi>x</mi><mn>2</mn></msup></math>"
    frame = "<draw:frame>{}</draw:frame>".format
    document = opened(
        "a.odt",
        '<office:forms><form:form><form:checkbox form:id="c1" form:label="agreed" '
        'form:current-state="checked"/>'
        "</form:form></office:forms><text:p>Area "
        + frame('<draw:object xlink:href="./Object 1"/>')
        + " of "
        + frame("<draw:image/><svg:desc>The pump seen from above, with its valves</svg:desc>")
        + '<draw:control draw:control="c1"/></text:p><text:p>Chart'
        + frame('<draw:object xlink:href="./Object 2"/><draw:image/>')
        + "</text:p>",
        parts={"Object 1/content.xml": math, "Object 2/content.xml": chart},
    )
    assert document.text == (
        "Area x^2 of The pump seen from above, with its valves [x] agreed\n\nChart\n\nSales\n\nNorth | 19.2"
    )
    assert not document.left_out


def test_the_edges_of_pages_are_read_once(opened):
    line = "<text:p>QM-7781 confidential, page <text:page-number>1</text:page-number></text:p>"
    edge = f"<style:footer>{line}</style:footer>"
    running = "".join(f'<style:master-page style:name="{name}">{edge}</style:master-page>' for name in "AB")
    assert opened("a.odt", "<text:p>Text.</text:p>", running=running).text == (
        "Text.\n\nQM-7781 confidential, page"
    )
    counted = (
        "<text:p>Page <text:page-number>1</text:page-number> of <text:page-count>3</text:page-count></text:p>"
    )
    foot = f'<style:master-page style:name="A"><style:footer>{counted}</style:footer></style:master-page>'
    assert opened("b.odt", "<text:p>Text.</text:p>", running=foot).text == "Text."


def test_sheets_are_tables_whatever_is_repeated(opened):
    def row(*cells, repeated=1):
        inner = "".join(f"<table:table-cell><text:p>{one}</text:p></table:table-cell>" for one in cells)
        inner += '<table:table-cell table:number-columns-repeated="16000"/>'
        return f'<table:table-row table:number-rows-repeated="{repeated}">{inner}</table:table-row>'

    document = opened(
        "stock.ods",
        '<table:table table:name="Stock"><table:table-column/>'
        + row("Part", "Count")
        + row("A-100", "17<office:annotation><text:p>checked</text:p></office:annotation>")
        + row("A-200", "4", repeated=2)
        + row(repeated=1_000_000)
        + "</table:table><table:table table:name='Sheet2'>"
        + row("Only a note")
        + "</table:table>",
    )
    assert document.text == "Stock\n\nPart | Count\nA-100 | 17\nA-200 | 4\nA-200 | 4\n\nOnly a note"
    assert document.blocks[1].columns == ("Part", "Count")
    assert [part.kind for part in document.left_out] == ["comment"]


def test_slides_are_pages_with_their_titles_first_and_their_notes(opened, blocks_of):
    def page(title, text, notes=""):
        box = "<draw:text-box><text:p>{}</text:p></draw:text-box>"
        frame = f'<draw:frame presentation:class="{{}}">{box}</draw:frame>'
        told = f"<presentation:notes>{frame.format('notes', notes)}</presentation:notes>" if notes else ""
        return f"<draw:page>{frame.format('outline', text)}{frame.format('title', title)}{told}</draw:page>"

    document = opened(
        "deck.odp",
        page("Sales", "8,410 pumps.", "Say it slowly.")
        + page("Next", "More.")
        + "<draw:page><draw:frame><draw:image/></draw:frame></draw:page>",
    )
    assert blocks_of(document) == [
        ("heading", 1, "Sales"),
        ("paragraph", 0, "8,410 pumps."),
        ("paragraph", 0, "Say it slowly."),
        ("heading", 1, "Next"),
        ("paragraph", 0, "More."),
    ]
    assert len(document.pages) == 3
    assert {part.kind: part.lost for part in document.left_out} == {"image": False, "page without text": True}


def test_what_all_slides_show_is_read_once_and_places_to_fill_in_are_not(opened):
    box = "<draw:frame{}><draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame>".format
    layout = box("", "Lindhof internal") + box(' presentation:class="title"', "Click to edit the title")
    document = opened(
        "deck.odp",
        "<presentation:footer-decl>Board meeting</presentation:footer-decl>"
        f"<draw:page>{box('', 'Text.')}</draw:page>",
        running=f'<style:master-page style:name="A">{layout}</style:master-page>',
    )
    assert document.text == "Text.\n\nLindhof internal\n\nBoard meeting"


def test_rows_that_are_folded_or_cut_are_told(opened):
    def row(text, says=""):
        inner = "".join(f"<table:table-cell><text:p>{one}</text:p></table:table-cell>" for one in text)
        return f"<table:table-row{says}>{inner}</table:table-row>"

    folded = f'<table:table-row-group table:display="false">{row("gh")}</table:table-row-group>'
    columns = '<table:table-column/><table:table-column table:visibility="collapse"/><table:table-column/>'
    filtered = row("cd", ' table:visibility="filter"')
    often = row("ef", ' table:number-rows-repeated="1200"')
    document = opened("a.ods", f"<table:table>{columns}{row('ab')}{filtered}{folded}{often}</table:table>")
    assert {"c | d", "g | h", "e | f"} <= set(document.text.split("\n"))
    assert document.metadata == {"hidden_rows": "2", "hidden_columns": "1"}
    assert [(part.kind, part.characters) for part in document.left_out] == [("repeated cells", 400)]


def test_a_hidden_slide_a_covered_cell_and_a_formula_without_value_are_told(opened):
    style = (
        '<style:style style:name="H"><style:drawing-page-properties presentation:visibility="hidden"/>'
        "</style:style>"
    )
    page = (
        "<draw:page{}><draw:frame><draw:text-box><text:p>x</text:p></draw:text-box></draw:frame></draw:page>"
    )
    deck = opened("a.odp", page.format("") + page.format(' draw:style-name="H"'), styles=style)
    assert deck.metadata == {"hidden_slides": "2"}
    cells = (
        '<table:table-cell table:formula="of:=[.A1]*2"/><table:table-cell><text:p>a</text:p>'
        "</table:table-cell><table:covered-table-cell><text:p>under</text:p></table:covered-table-cell>"
        "<table:covered-table-cell/>"
    )
    sheet = opened("a.ods", f"<table:table><table:table-row>{cells}</table:table-row></table:table>")
    assert sheet.text == "=[.A1]*2 | a"
    assert {part.kind: (part.count, part.lost) for part in sheet.left_out} == {
        "formula whose value is not in the file": (1, True),
        "hidden text": (1, False),
    }


def test_a_cell_that_only_has_a_value_shows_it(opened):
    cells = '<table:table-cell office:value="17"/><table:table-cell office:date-value="2024-05-01"/>'
    row = f"<table:table-row>{cells}</table:table-row>"
    assert opened("a.ods", f"<table:table>{row}</table:table>").text == "17 | 2024-05-01"


def test_title_and_author_are_those_of_the_file(opened):
    meta = (
        f"<office:document-meta {NAMES}><office:meta><dc:title>Lease of hall 9</dc:title>"
        "<meta:initial-creator>Mira Holm</meta:initial-creator></office:meta></office:document-meta>"
    )
    document = opened("a.odt", "<text:p>Text.</text:p>", parts={"meta.xml": meta})
    assert (document.title, document.metadata) == ("Lease of hall 9", {"author": "Mira Holm"})


def _text(body, before=""):
    whole = f"<office:body><office:text>{body}</office:text></office:body>"
    return {"content.xml": f"{before}<office:document-content {NAMES}>{whole}</office:document-content>"}


_BOMB = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 30}">' for n in range(9))
_HOSTILE = {
    "encrypted": ({"META-INF/manifest.xml": "<m><encryption-data/></m>"}, "encrypted"),
    "no xml": ({"content.xml": "no xml"}, "damaged"),
    "no body": ({"content.xml": "<a/>"}, "damaged"),
    "entities": (_text("<text:p>&e9;</text:p>", f'<!DOCTYPE a [{_BOMB}<!ENTITY e0 "lol">]>'), "no text"),
    "too deep": (_text("<text:section>" * 300 + "<text:p>x</text:p>" + "</text:section>" * 300), "no text"),
}


@pytest.mark.parametrize(("parts", "reason"), _HOSTILE.values(), ids=_HOSTILE)
def test_hostile_files_cost_a_reason(opened, parts, reason):
    found = opened("a.odt", "<text:p>x</text:p>", parts=parts)
    assert isinstance(found, Rejected)
    assert reason in found.reason


def test_an_archive_that_grows_without_end_is_not_unpacked(opened):
    found = opened("a.odt", "<text:p>x</text:p>" + " " * (6 << 20))
    assert "zip bomb" in found.reason


def test_an_entity_that_is_a_file_is_not_opened(opened):
    outside = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    document = opened("a.odt", "", parts=_text("<text:p>See &e;.</text:p>", outside))
    assert document.text == "See &e;."
    assert [part.lost for part in document.left_out] == [True]


def test_what_is_nested_is_read(opened):
    nested = "<text:section>" * 100 + "<text:p>x</text:p>" + "</text:section>" * 100
    assert opened("a.odt", nested).text == "x"


def test_cells_without_number_are_bounded(opened):
    row = (
        '<table:table-row table:number-rows-repeated="1000000"><table:table-cell '
        'table:number-columns-repeated="16000"><text:p>x</text:p></table:table-cell></table:table-row>'
    )
    found = opened("a.ods", f'<table:table table:name="A">{row * 5}</table:table>')
    assert isinstance(found, Rejected)
    assert "filled cells" in found.reason


def test_hidden_text_is_left_out_and_told(opened):
    style = '<style:style style:name="H"><style:text-properties text:display="none"/></style:style>'
    document = opened(
        "a.odt",
        '<text:p>Shown <text:span text:style-name="H">span</text:span>end.</text:p>'
        '<text:section text:display="none"><text:p>section</text:p></text:section>'
        '<text:p text:style-name="H">style</text:p>'
        '<text:p><text:hidden-paragraph text:is-hidden="true"/>paragraph</text:p>'
        '<text:p><text:hidden-paragraph text:is-hidden="false"/>Kept.</text:p>',
        styles=style,
    )
    assert document.text == "Shown end.\n\nKept."
    assert [(part.kind, part.count) for part in document.left_out] == [("hidden text", 4)]


def test_charts_that_stand_in_one_another_are_read_once(opened):
    chart = '<draw:frame><draw:object xlink:href="./{}"/></draw:frame>'.format
    row = (
        "<table:table-row><table:table-cell><text:p>{}</text:p>{}</table:table-cell></table:table-row>".format
    )
    parts = {
        f"O{n}/content.xml": f"<x {NAMES}><table:table>{row(f'chart {n}', chart(f'O{1 - n}') * 2)}"
        "</table:table></x>"
        for n in (0, 1)
    }
    document = opened("a.odt", f"<text:p>Text{chart('O0')}</text:p>", parts=parts)
    assert [document.text.count(f"chart {n}") for n in (0, 1)] == [1, 1]
    assert [part.kind for part in document.left_out if part.lost] == ["embedded object"]


def test_what_is_repeated_without_end_costs_a_reason(opened):
    cell = '<table:table-cell table:number-columns-repeated="100">{}</table:table-cell>'.format
    row = '<table:table-row table:number-rows-repeated="1000">{}</table:table-row>'.format
    many = row(cell("<text:p>a</text:p>")) * 30
    rejected = opened("a.odt", f"<table:table>{many}</table:table>")
    assert isinstance(rejected, Rejected)
    assert "repeated" in rejected.reason


def test_a_hidden_sheet_is_read_and_named(opened):
    style = '<style:style style:name="T"><style:table-properties table:display="false"/></style:style>'
    table = (
        '<table:table table:name="{0}" table:style-name="{1}"><table:table-row><table:table-cell>'
        "<text:p>in {0}</text:p></table:table-cell></table:table-row></table:table>"
    ).format
    document = opened("a.ods", table("Open", "") + table("Rates", "T"), styles=style)
    assert "in Rates" in document.text
    assert document.metadata["hidden_sheets"] == "Rates"


def test_an_item_that_begins_with_a_heading_has_its_number_once(opened, blocks_of):
    style = '<text:list-style style:name="L"><text:list-level-style-number text:level="1" '
    style += 'style:num-format="1" style:num-suffix="."/></text:list-style>'
    texts = ("<text:h>Scope</text:h><text:p>All.</text:p>", "<text:p>Halls</text:p><text:h>Rent</text:h>")
    items = "".join(f"<text:list-item>{text}</text:list-item>" for text in texts)
    document = opened("a.odt", f'<text:list text:style-name="L">{items}</text:list>', styles=style)
    assert [text for _, _, text in blocks_of(document)] == ["1. Scope", "All.\n2. Halls", "Rent"]


def test_a_table_in_a_box_in_a_cell_stands_where_it_is(opened):
    cell = "<table:table-cell>{}</table:table-cell>".format
    row = "<table:table-row>{}</table:table-row>".format
    pair = f"<table:table>{row(cell('<text:p>N</text:p>') + cell('<text:p>1</text:p>'))}</table:table>"
    box = f"<draw:frame><draw:text-box><text:p>Above</text:p>{pair}</draw:text-box></draw:frame>"
    outer = row(cell(f"<text:p>A{box}</text:p>") + cell("<text:p>B</text:p>"))
    assert opened("a.odt", f"<table:table>{outer}</table:table>").text == "A | B\n\nAbove\n\nN | 1"


def test_formulas_without_a_name_of_their_language_are_whole_and_empty_rows_are_no_text(opened):
    cell = "<table:table-cell {}/>".format
    sums = ("=SUM([.A1:.A3])", "of:=SUM([.B1:.B3])")
    row = "".join(cell(f'table:formula="{one}" office:value-type="float"') for one in sums)
    sheet = f'<table:table table:name="S"><table:table-row>{row}</table:table-row></table:table>'
    assert "=SUM([.A1:.A3]) | =SUM([.B1:.B3])" in opened("a.ods", sheet).text
    many = f'<table:table-row table:number-rows-repeated="9999999">{cell("")}</table:table-row>'
    assert not opened("a.odt", f"<text:p>x</text:p><table:table>{many}</table:table>").left_out
