"""Presentations: slides in the order shown, with their tables, charts, diagrams and notes."""

import base64
import io
import zipfile

import pptx
import pytest
from lxml import etree
from pptx.chart.data import BubbleChartData, CategoryChartData, XyChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.oxml import parse_xml
from pptx.util import Inches

PLACE = Inches(1), Inches(1), Inches(4), Inches(1)
BLANK, CONTENT, TITLE_ONLY = 6, 1, 5
NAMES = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:a14="http://schemas.microsoft.com/office/drawing/2010/main" '
    'xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)


PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
)


def saved(deck, change=None):
    """Return the bytes of a presentation, its parts changed by name."""
    stream = io.BytesIO()
    deck.save(stream)
    if change is None:
        return stream.getvalue()
    changed = io.BytesIO()
    with zipfile.ZipFile(stream) as old, zipfile.ZipFile(changed, "w") as new:
        parts = {name: old.read(name) for name in old.namelist()}
        for name, data in change(parts).items():
            new.writestr(name, data)
    return changed.getvalue()


@pytest.fixture
def deck():
    return pptx.Presentation()


@pytest.fixture
def slide(deck):
    return deck.slides.add_slide(deck.slide_layouts[BLANK])


def test_slides_are_pages(read_one, blocks_of, deck):
    first = deck.slides.add_slide(deck.slide_layouts[CONTENT])
    first.placeholders[1].text_frame.text = "They climb"
    first.placeholders[1].text_frame.add_paragraph().text = "Often"
    first.shapes.title.text = "Goats"
    first.notes_slide.notes_text_frame.text = "Show the picture"
    second = deck.slides.add_slide(deck.slide_layouts[BLANK])
    table = second.shapes.add_table(2, 2, *PLACE).table
    for row, values in enumerate((("name", "legs"), ("goat", "4"))):
        for column, text in enumerate(values):
            table.cell(row, column).text = text
    group = second.shapes.add_group_shape().shapes.add_group_shape()
    group.shapes.add_textbox(*PLACE).text_frame.text = "In a group"
    document = read_one("a.pptx", saved(deck))
    assert document.title == "Goats"
    assert blocks_of(document) == [
        ("heading", 1, "Goats"),
        ("list", 0, "- They climb\n- Often"),
        ("paragraph", 0, "Show the picture"),
        ("table", 0, "name | legs\ngoat | 4"),
        ("paragraph", 0, "In a group"),
    ]
    assert document.pages == (0, document.text.index("name | legs"))
    assert document.blocks[3].columns == ("name", "legs")
    assert "2 slides" in read_one("a.pptx", saved(deck), max_pages=1).reason


def test_hidden_slides_and_the_order_of_the_show(read_one, deck):
    for text in ("second", "first", "hidden"):
        added = deck.slides.add_slide(deck.slide_layouts[BLANK])
        added.shapes.add_textbox(*PLACE).text_frame.text = text
    added._element.set("show", "0")
    order = deck.slides._sldIdLst
    order.insert(0, order[1])
    document = read_one("a.pptx", saved(deck))
    assert document.text.split() == ["first", "second", "hidden"]
    assert document.metadata["hidden_slides"] == "3"


def test_what_repeats_comes_once_and_numbers_of_pages_never(read_one, deck):
    layout = deck.slide_layouts[BLANK]
    layout.shapes._spTree.append(parse_xml(shape("<a:p><a:r><a:t>Confidential</a:t></a:r></a:p>")))
    for at in (1, 2):
        added = deck.slides.add_slide(layout)
        added.shapes._spTree.append(parse_xml(shape(f"<a:p><a:r><a:t>{at} of 2</a:t></a:r></a:p>", "sldNum")))
        added.shapes._spTree.append(parse_xml(shape("<a:p><a:r><a:t>ACME</a:t></a:r></a:p>", "ftr")))
        added.shapes.add_textbox(*PLACE).text_frame.text = f"Text {at}"
    assert read_one("a.pptx", saved(deck)).text.split("\n\n") == ["ACME", "Text 1", "Confidential", "Text 2"]


def shape(paragraphs, place=""):
    held = f'<p:ph type="{place}"/>' if place else ""
    return (
        f'<p:sp {NAMES}><p:nvSpPr><p:cNvPr id="99" name="x"/><p:cNvSpPr/><p:nvPr>{held}</p:nvPr></p:nvSpPr>'
        f"<p:spPr/><p:txBody><a:bodyPr/>{paragraphs}</p:txBody></p:sp>"
    )


@pytest.mark.parametrize(
    ("paragraphs", "text"),
    [
        ('<a:p><a:r><a:t>10</a:t></a:r><a:r><a:rPr baseline="30000"/><a:t>6</a:t></a:r></a:p>', "10^6"),
        ('<a:p><a:r><a:t>H</a:t></a:r><a:r><a:rPr baseline="-25000"/><a:t>2</a:t></a:r></a:p>', "H2"),
        (
            '<a:p><a:r><a:rPr strike="sngStrike"/><a:t>50</a:t></a:r><a:r><a:t> 40</a:t></a:r></a:p>',
            "~~50~~ 40",
        ),
        ("<a:p><a:r><a:t>a</a:t></a:r><a:br/><a:r><a:t>b</a:t></a:r></a:p>", "a b"),
        ('<a:p><a:r><a:t>on </a:t></a:r><a:fld type="slidenum"><a:t>7</a:t></a:fld></a:p>', "on"),
        ('<a:p><a:fld type="datetime1"><a:t>4 May</a:t></a:fld></a:p>', "4 May"),
        (
            '<a:p><mc:AlternateContent><mc:Choice Requires="a14"><a14:m><m:oMath><m:f><m:num><m:r><m:t>1'
            "</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath></a14:m></mc:Choice><mc:Fallback><a:r>"
            "<a:t>not shown</a:t></a:r></mc:Fallback></mc:AlternateContent></a:p>",
            "1/2",
        ),
        (
            '<a:p><a:pPr><a:buAutoNum type="arabicPeriod" startAt="3"/></a:pPr><a:r><a:t>x</a:t></a:r></a:p>'
            '<a:p><a:pPr lvl="1"><a:buAutoNum type="alphaLcParenBoth"/></a:pPr><a:r><a:t>y</a:t></a:r></a:p>'
            '<a:p><a:pPr><a:buAutoNum type="arabicPeriod" startAt="3"/></a:pPr><a:r><a:t>z</a:t></a:r></a:p>'
            '<a:p><a:pPr><a:buChar char="*"/></a:pPr><a:r><a:t>w</a:t></a:r></a:p>',
            "3. x\n  (a) y\n4. z\n- w",
        ),
        ("<a:p><a:r><a:t>one</a:t></a:r></a:p><a:p><a:r><a:t>two</a:t></a:r></a:p>", "one\ntwo"),
    ],
)
def test_text_of_shapes(read_one, deck, slide, paragraphs, text):
    slide.shapes._spTree.append(parse_xml(shape(paragraphs)))
    assert read_one("a.pptx", saved(deck)).text == text


def test_merged_cells(read_one, deck, slide):
    table = slide.shapes.add_table(3, 3, *PLACE).table
    table.cell(0, 1).merge(table.cell(0, 2))
    table.cell(1, 0).merge(table.cell(2, 0))
    texts = {
        (0, 0): "Region",
        (0, 1): "Sales",
        (1, 0): "North",
        (1, 1): "1",
        (1, 2): "2",
        (2, 1): "3",
        (2, 2): "4",
    }
    for place, text in texts.items():
        table.cell(*place).text = text
    (block,) = read_one("a.pptx", saved(deck)).blocks
    assert block.columns == ("Region", "Sales", "Sales")
    assert read_one("a.pptx", saved(deck)).text.split("\n")[1:] == ["North | 1 | 2", "North | 3 | 4"]


def add_chart(slide, kind, data, title=""):
    chart = slide.shapes.add_chart(kind, *PLACE, data).chart
    if title:
        chart.chart_title.text_frame.text = title
    return chart


def test_a_chart_is_a_table(read_one, deck, slide):
    data = CategoryChartData()
    data.categories = ["North", "South"]
    data.add_series("2023", (19.2, None))
    data.add_series("2024", (21.400000000000002, 7))
    chart = add_chart(slide, XL_CHART_TYPE.COLUMN_CLUSTERED, data, "Revenue")
    chart.value_axis.axis_title.text_frame.text = "EUR million"
    document = read_one("a.pptx", saved(deck))
    table = document.blocks[-1]
    assert document.text == "Revenue (EUR million)\n\n| 2023 | 2024\nNorth | 19.2 | 21.4\nSouth |  | 7"
    assert (table.caption, table.columns) == ("Revenue (EUR million)", ("", "2023", "2024"))


def test_charts_of_other_kinds(read_one, deck, slide):
    points = XyChartData()
    first = points.add_series("A")
    first.add_data_point(1, 10)
    first.add_data_point(2.5, 20)
    add_chart(slide, XL_CHART_TYPE.XY_SCATTER, points)
    levels = CategoryChartData(number_format="0.0%")
    for year in ("2023", "2024"):
        category = levels.add_category(year)
        for quarter in ("Q1", "Q2"):
            category.add_sub_category(quarter)
    levels.add_series("Share", (0.1, 0.25, 0.3, 0.4))
    add_chart(slide, XL_CHART_TYPE.COLUMN_CLUSTERED, levels)
    bubbles = BubbleChartData()
    bubbles.add_series("B").add_data_point(1, 2, 30)
    plot = add_chart(slide, XL_CHART_TYPE.BUBBLE, bubbles).plots[0]
    plot.series[0].points[0].data_label.text_frame.text = "Oslo"
    assert read_one("a.pptx", saved(deck)).text.split("\n") == [
        "| A",
        "1 | 10",
        "2.5 | 20",
        "",
        "| Share",
        "2023 Q1 | 10%",
        "2023 Q2 | 25%",
        "2024 Q1 | 30%",
        "2024 Q2 | 40%",
        "",
        "| B | B (size)",
        "1 | 2 | 30",
        "",
        "Oslo",
    ]


DIAGRAM = """<dgm:dataModel {names}><dgm:ptLst><dgm:pt modelId="0" type="doc"/>{points}</dgm:ptLst>
<dgm:cxnLst><dgm:cxn modelId="8" srcId="0" destId="1" srcOrd="1"/>
<dgm:cxn modelId="9" srcId="0" destId="2" srcOrd="0"/>
<dgm:cxn modelId="7" srcId="1" destId="3" srcOrd="0"/>
<dgm:cxn modelId="6" type="presOf" srcId="1" destId="4"/></dgm:cxnLst></dgm:dataModel>"""


def test_a_diagram_is_a_list(read_one, deck, slide):
    points = "".join(
        f'<dgm:pt modelId="{at}"><dgm:t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></dgm:t></dgm:pt>'
        for at, text in enumerate(("Plan", "Start", "Ask"), 1)
    )
    points += '<dgm:pt modelId="4" type="pres"><dgm:t><a:p><a:r><a:t>Plan</a:t></a:r></a:p></dgm:t></dgm:pt>'
    frame = (
        f'<p:graphicFrame {NAMES}><p:nvGraphicFramePr><p:cNvPr id="5" name="d"/><p:cNvGraphicFramePr/>'
        '<p:nvPr/></p:nvGraphicFramePr><p:xfrm/><a:graphic><a:graphicData uri="d"><dgm:relIds r:dm="rId77"/>'
        "</a:graphicData></a:graphic></p:graphicFrame>"
    )
    slide.shapes._spTree.append(etree.fromstring(frame))

    def change(parts):
        name = "ppt/slides/_rels/slide1.xml.rels"
        kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/diagramData"
        link = f'<Relationship Id="rId77" Type="{kind}" Target="../diagrams/data1.xml"/></Relationships>'
        parts[name] = parts[name].replace(b"</Relationships>", link.encode())
        return parts | {"ppt/diagrams/data1.xml": DIAGRAM.format(names=NAMES, points=points)}

    assert read_one("a.pptx", saved(deck, change)).text == "- Start\n- Plan\n  - Ask"


def test_what_is_missing_is_told_and_the_rest_stays(read_one, deck, slide):
    data = CategoryChartData()
    data.categories = ["North"]
    data.add_series("2023", (1,))
    add_chart(slide, XL_CHART_TYPE.PIE, data)
    slide.shapes.add_textbox(*PLACE).text_frame.text = "Text"
    slide.notes_slide.notes_text_frame.text = "Notes"
    gone = deck.slides.add_slide(deck.slide_layouts[BLANK])
    gone.shapes.add_textbox(*PLACE).text_frame.text = "Gone"
    lost = ("ppt/slides/slide2.xml", "ppt/notesSlides/notesSlide1.xml", "ppt/charts/chart")

    def change(parts):
        return {name: data for name, data in parts.items() if not name.startswith(lost)}

    document = read_one("a.pptx", saved(deck, change))
    assert document.text == "Text"
    assert len(document.pages) == 2
    assert {one.kind for one in document.left_out if one.lost} == {
        "charts that cannot be read",
        "notes that cannot be read",
        "page that cannot be read",
    }


def test_pictures_speak_or_are_told_and_a_slide_of_them_has_no_text(read_one, deck, slide):
    slide.shapes.add_picture(io.BytesIO(PICTURE), *PLACE)
    spoken = deck.slides.add_slide(deck.slide_layouts[BLANK]).shapes.add_picture(io.BytesIO(PICTURE), *PLACE)
    spoken._element.nvPicPr.cNvPr.set("descr", "Wiring of the pump")
    deck.slides.add_slide(deck.slide_layouts[BLANK])
    document = read_one("a.pptx", saved(deck))
    assert document.text == "Wiring of the pump"
    assert {(one.kind, one.count, one.of, one.lost) for one in document.left_out} == {
        ("image", 1, 0, False),
        ("page without text", 1, 3, True),
    }


def test_comments_and_objects_are_told(read_one, deck, slide):
    slide.shapes.add_textbox(*PLACE).text_frame.text = "Text"
    slide.shapes.add_ole_object(io.BytesIO(b"any"), "Package", *PLACE)

    def change(parts):
        name = "ppt/slides/_rels/slide1.xml.rels"
        kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/comments"
        link = f'<Relationship Id="rId77" Type="{kind}" Target="/ppt/comments/comment1.xml"/></Relationships>'
        parts[name] = parts[name].replace(b"</Relationships>", link.encode())
        comments = f"<p:cmLst {NAMES}><p:cm><p:text>Really?</p:text></p:cm></p:cmLst>"
        return parts | {"ppt/comments/comment1.xml": comments}

    document = read_one("a.pptx", saved(deck, change))
    assert document.text == "Text"
    assert {(one.kind, one.characters, one.lost) for one in document.left_out} == {
        ("comment", 7, False),
        ("embedded object", 0, True),
    }
