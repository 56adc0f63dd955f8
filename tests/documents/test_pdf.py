"""PDF: pages, paragraphs, what is damaged, encrypted or scanned."""

import io

import pytest
from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    BooleanObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    NumberObject,
    StreamObject,
    TextStringObject,
)

from hybrid.documents.builder import TextBuilder
from hybrid.documents.cells import TextRun
from hybrid.documents.layout import Page, add_pages
from hybrid.documents.segmentation import whole


def paragraph(*lines, x=72, y=700, size=10, font="F1"):
    return [(x, y - 12 * index, size, font, line) for index, line in enumerate(lines)]


@pytest.fixture
def drawn(make_pdf):
    """Build a PDF of one page from drawing operators: drawn(content, change=None, **keys of the page)."""

    def call(content, change=None):
        writer = PdfWriter(clone_from=PdfReader(io.BytesIO(make_pdf([[(1, 1, 1, "F1", "x")]]))))
        page = writer.pages[0]
        stream = StreamObject()
        stream.set_data(content.encode("latin-1"))
        page[NameObject("/Contents")] = writer._add_object(stream)
        if change:
            change(writer, page)
        data = io.BytesIO()
        writer.write(data)
        return data.getvalue()

    return call


def test_paragraphs_headings_pages_and_title(read_one, blocks_of, make_pdf):
    first = [
        (72, 740, 18, "F2", "About Goats"),
        *paragraph("Goats are exam-", "ples of animals that climb well and", "they do so often."),
        *paragraph("Second paragraph starts here and", "goes on over the end of the", y=640),
    ]
    second = [*paragraph("page without a stop.", y=740), *paragraph("x = 1", "y = 2", y=600, font="F3")]
    document = read_one("a.pdf", make_pdf([first, [], second], info="<b>My</b> title"))
    assert document.title == "My title"
    assert blocks_of(document) == [
        ("heading", 1, "About Goats"),
        ("paragraph", 0, "Goats are examples of animals that climb well and they do so often."),
        ("paragraph", 0, "Second paragraph starts here and goes on over the end of the page without a stop."),
        ("code", 0, "x = 1\ny = 2"),
    ]
    assert document.metadata == {"pages": "3", "pages_without_text": "1"}
    assert document.pages[0] == 0
    assert document.text[document.pages[1] :].startswith("page without a stop.")
    assert document.pages[1] == document.pages[2]


def test_headers_footers_and_page_numbers_go(read_one, make_pdf):
    pages = [
        [
            (72, 780, 9, "F1", "Goat Manual, Release 4"),
            *paragraph(f"Text of page number {word} is here.", "It ends."),
            (300, 40, 9, "F1", str(number)),
        ]
        for number, word in enumerate(("one", "two", "three", "four"), start=1)
    ]
    text = read_one("a.pdf", make_pdf(pages)).text
    assert "Release" not in text
    assert text.count("page number") == 4
    assert text.endswith("It ends.")


def texts_of(document):
    return [document.text[block.start : block.end] for block in document.blocks]


@pytest.mark.parametrize(
    ("edges", "kept"),
    [
        (["Patient: A", "Patient: B", "Patient: C"], True),
        (["1500", "1730", "990"], True),
        (["1 Introduction", "2 Methods", "4 Results"], True),
        (["ACME 2024"] * 3, False),
        (["i", "ii", "iii"], False),
        (["Page 1 of 3", "Page 2 of 3", "Page 3 of 3"], False),
        (["12 | ACME", "13 | ACME", "14 | ACME"], False),
    ],
)
@pytest.mark.parametrize("y", [770, 40])
def test_only_what_repeats_or_counts_up_is_a_running_head(read_one, make_pdf, edges, kept, y):
    pages = [
        [(60, y, 11, "F1", edge), *paragraph(f"The {word} page has text.", y=400)]
        for edge, word in zip(edges, ("first", "second", "third"), strict=True)
    ]
    document = read_one("a.pdf", make_pdf(pages))
    assert [edge in texts_of(document) for edge in edges] == [kept] * 3
    left_out = {part.kind: (part.count, part.lost) for part in document.left_out}
    assert left_out == ({} if kept else {"running head": (3, False)})


def test_what_stands_elsewhere_too_is_no_running_head(read_one, make_pdf):
    lines = ["Words that fill the page."] * 9
    first = [(60, 770, 11, "F2", "Progress"), *paragraph(*lines, y=700)]
    inside = [*paragraph(*lines, y=770), (60, 500, 11, "F2", "Progress"), *paragraph(*lines, y=470)]
    document = read_one("a.pdf", make_pdf([first, inside, first, inside, first]))
    assert document.text.count("Progress") == 5


def test_a_page_without_text_is_lost(read_one, make_pdf):
    document = read_one("a.pdf", make_pdf([paragraph("First."), [], paragraph("Third.")]))
    (part,) = document.left_out
    assert (part.kind, part.count, part.lost) == ("page without text", 1, True)


def test_columns_are_read_one_after_the_other(read_one, make_pdf):
    left = paragraph("Left column starts and", "goes on to the right", y=700)
    right = paragraph("column where it ends.", x=320, y=700)
    assert read_one("a.pdf", make_pdf([left + right])).text == (
        "Left column starts and goes on to the right column where it ends."
    )


def test_a_heading_beside_a_line_of_another_column_is_no_part_of_it(read_one, make_pdf):
    lines = [f"of line {at} of the left one, which goes on and on" for at in range(9)]
    left = paragraph(*lines, y=700)
    right = paragraph(
        *(f"right line {at} is of another thing than the left" for at in range(3)), x=312, y=700
    )
    heads = [(304, 700 - 12 * 4, 12, "F2", "References")]
    below = paragraph("See the other paper of the same author, 2020.", x=304, y=700 - 12 * 6)
    text = read_one("a.pdf", make_pdf([left + right + heads + below])).text
    assert " ".join(lines) in text.replace("\n", " ") and "\n\nReferences\n\n" in text


def test_a_margin_with_headings_of_its_own_is_read_apart(read_one, make_pdf):
    def column(x, y, *texts):
        return [(x, y - 17 * at, 12 if text.isupper() else 10, "F1", text) for at, text in enumerate(texts)]

    margin = column(40, 700, "CONTACT", "Jane Doe", "Rome", "SKILLS", "Python")
    main = column(200, 692, "WORK", "2019 to 2024: ACME", "2015 to 2019: Globex", "SCHOOL", "Rome, 2015")
    text = read_one("a.pdf", make_pdf([margin + main])).text.replace("\n", " ")
    assert text.index("Python") < text.index("WORK")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["הוא", "5432", "הפורט"], "הפורט 5432 הוא"),
        (["ברשת", "server", "one", "הפורט", "כן"], "כן הפורט server one ברשת"),
        (["see", "הפורט", "here"], "see הפורט here"),
    ],
)
def test_words_of_a_line_are_in_the_order_of_its_script(words, text):
    pieces = [TextRun(word, 50.0 * at, 50.0 * at + 46, 700, 10) for at, word in enumerate(words)]
    assert [piece.text for piece in whole(pieces, [])] == [text]


def test_a_hyphen_stays_where_the_text_has_it(read_one, make_pdf):
    lines = paragraph(
        "A high-level view of a user-", "friendly thing: user-friendly is a high-", "level word."
    )
    assert read_one("a.pdf", make_pdf([lines])).text == (
        "A high-level view of a user-friendly thing: user-friendly is a high-level word."
    )


def test_a_hyphen_between_numbers_and_names_stays(read_one, make_pdf):
    lines = paragraph(
        *("The micro-", "controller of the long-", "term project is state-of-the-", "art and costs 10-"),
        *(
            "20 euros. E-",
            "mail us; non-",
            "European; see pages 5-",
            "7 and ISO-",
            "9001; pre-",
            "and postwar.",
        ),
    )
    assert read_one("a.pdf", make_pdf([lines])).text == (
        "The microcontroller of the long-term project is state-of-the-art and costs 10-20 euros. E-mail us; "
        "non-European; see pages 5-7 and ISO-9001; pre- and postwar."
    )


def test_a_number_at_the_begin_of_a_line_is_no_item_of_a_list(read_one, make_pdf, blocks_of):
    prose = paragraph(
        "The gearbox of the crane is filled with oil of class VG",
        "220. Every five hundred hours the level is checked by the man that",
        "B. Example named.",
    )
    steps = paragraph("1. Open the valve by two turns of the wheel", "2. Close it and wait", y=640)
    document = read_one("a.pdf", make_pdf([[*prose, *steps]]))
    assert [(kind, text.split("\n")[0][:18]) for kind, _, text in blocks_of(document)] == [
        ("paragraph", "The gearbox of the"),
        ("list", "1. Open the valve "),
        ("list", "2. Close it and wa"),
    ]
    assert "VG 220. Every" in document.text and "that B. Example named." in document.text


RAISED = "BT /F1 10 Tf 60 700 Td {} ET"
UP, DOWN, BACK = "/F1 6 Tf 4 Ts", "/F1 6 Tf -2 Ts", "/F1 10 Tf 0 Ts"


@pytest.mark.parametrize(
    ("before", "raised", "text"),
    [
        ("It had 10", "6", "It had 10^6 end"),
        ("It had 5", "3", "It had 5^3 end"),
        ("It had 10", "-3", "It had 10^-3 end"),
        ("It had 45 km", "2", "It had 45 km^2 end"),
        ("See the note", "12", "See the note [12] end"),
        ("In 2019", "1", "In 2019 [1] end"),
        ("Sales of 1,234", "a", "Sales of 1,234 [a] end"),
        ("On the 21", "st", "On the 21st end"),
        ("It has 1024", "2", "It has 1024^2 end"),
    ],
)
def test_a_raised_number_does_not_change_the_one_before_it(read_one, drawn, before, raised, text):
    content = RAISED.format(f"({before}) Tj {UP} ({raised}) Tj {BACK} ( end) Tj")
    assert read_one("a.pdf", drawn(content)).text == text


def test_a_lowered_number_stays(read_one, drawn):
    content = RAISED.format(f"(H) Tj {DOWN} (2) Tj {BACK} (O is water) Tj")
    assert read_one("a.pdf", drawn(content)).text == "H2O is water"


@pytest.mark.parametrize("aside", [(0.4, 0), (0, 0.3), (0.8, 0), (0.5, -0.3)])
def test_what_is_drawn_twice_is_read_once(read_one, drawn, aside):
    draw = "BT /F1 11 Tf {} {} Td (Total amount 1,122 in 11 wells) Tj ET "
    data = drawn(draw.format(60, 740) + draw.format(60 + aside[0], 740 + aside[1]))
    assert read_one("a.pdf", data).text == "Total amount 1,122 in 11 wells"


def test_letters_set_apart_are_one_word(read_one, drawn):
    data = drawn("BT /F1 12 Tf 3 Tc 60 700 Td (TRACKED TITLE) Tj ET")
    assert read_one("a.pdf", data).text == "TRACKED TITLE"


@pytest.mark.parametrize("matrix", ["1 0 0 1 60 {}", "0 1 -1 0 {} 60", "-1 0 0 -1 500 {}", "0 -1 1 0 {} 700"])
def test_turned_pages_are_read_as_their_lines_run(read_one, drawn, matrix):
    steps = (700, 688) if matrix[0] == "1" or matrix.startswith("0 -1") else (100, 112)
    lines = zip(steps, ("The first line of it", "and the second one."), strict=True)
    data = drawn(" ".join(f"BT /F1 10 Tf {matrix.format(at)} Tm ({line}) Tj ET" for at, line in lines))
    assert read_one("a.pdf", data).text == "The first line of it and the second one."


def with_fields(writer, page):
    """Fill in four fields, and write two notes onto the page."""

    def add(place, **keys):
        rectangle = [150, place, 350, place + 20]
        values = {"/Type": NameObject("/Annot"), "/Rect": ArrayObject(map(FloatObject, rectangle))}
        values |= {"/Subtype": NameObject("/Widget")} | {f"/{key}": value for key, value in keys.items()}
        added = DictionaryObject({NameObject(key): value for key, value in values.items()})
        return writer._add_object(added)

    text = TextStringObject
    shown = ArrayObject([ArrayObject([text("b"), text("blue")]), text("red")])
    fields = [
        add(655, FT=NameObject("/Tx"), T=text("name"), V=text("Jane Example")),
        add(625, FT=NameObject("/Ch"), T=text("colour"), V=text("b"), Opt=shown),
        add(595, FT=NameObject("/Btn"), T=text("agreed"), V=NameObject("/Yes"), AS=NameObject("/Yes")),
        add(565, FT=NameObject("/Btn"), T=text("spam"), V=NameObject("/Off"), AS=NameObject("/Off")),
    ]
    notes = [
        add(500, Subtype=NameObject("/FreeText"), Contents=text("Approved on 4 May")),
        add(450, Subtype=NameObject("/Text"), Contents=text("Ask again")),
    ]
    page[NameObject("/Annots")] = ArrayObject(fields + notes)
    form = DictionaryObject({NameObject("/Fields"): ArrayObject(fields)})
    writer._root_object[NameObject("/AcroForm")] = form


def test_what_is_filled_in_is_read(read_one, drawn):
    labels = "BT /F1 11 Tf 60 660 Td (Name:) Tj ET BT /F1 11 Tf 60 630 Td (Colour:) Tj ET"
    document = read_one("a.pdf", drawn(labels, with_fields))
    lines = document.text.replace("\n\n", "\n").split("\n")
    assert lines == ["Name: Jane Example", "Colour: blue", "agreed: yes", "spam: no", "Approved on 4 May"]
    assert [(part.kind, part.characters, part.lost) for part in document.left_out] == [("comment", 9, False)]
    labelled = f"{labels} BT /F1 11 Tf 60 600 Td (Agreed:) Tj ET"
    assert "Agreed: yes" in read_one("a.pdf", drawn(labelled, with_fields)).text.split("\n")


def test_a_form_that_is_all_fields_is_not_scanned(read_one, drawn):
    document = read_one("a.pdf", drawn("", with_fields))
    assert "name: Jane Example" in document.text
    assert "spam" not in document.text


def test_attached_files_forms_without_a_page_and_secrets_are_not_read_and_told(read_one, make_pdf):
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(make_pdf([paragraph("Hidden goats.")]))))
    writer.add_attachment("inner.txt", b"Nine bar.")
    names = {"/FT": "/Tx", "/Subtype": "/Widget"}
    field = DictionaryObject({NameObject(key): NameObject(value) for key, value in names.items()})
    field[NameObject("/T")], field[NameObject("/V")] = TextStringObject("password"), TextStringObject("xyzzy")
    field[NameObject("/Ff")] = NumberObject(1 << 13)
    field[NameObject("/Rect")] = ArrayObject(map(NumberObject, (10, 10, 90, 30)))
    placed = writer._add_object(field)
    writer.pages[0][NameObject("/Annots")] = ArrayObject([placed])
    form = {"/Fields": ArrayObject([placed]), "/XFA": TextStringObject("<xdp/>")}
    root = writer._root_object
    root[NameObject("/AcroForm")] = DictionaryObject({NameObject(key): form[key] for key in form})
    root[NameObject("/NeedsRendering")] = BooleanObject(True)
    data = io.BytesIO()
    writer.write(data)
    document = read_one("a.pdf", data.getvalue())
    assert "xyzzy" not in document.text
    assert {(part.kind, part.lost) for part in document.left_out} == {
        ("attached file", True),
        ("form that only some viewers draw (XFA)", True),
    }


def test_running_heads_of_turned_pages_go(read_one, make_pdf):
    writer = PdfWriter()
    for word in ("first", "second", "third"):
        content = (
            f"BT /F1 9 Tf 0 1 -1 0 30 60 Tm (ACME) Tj ET BT /F1 9 Tf 0 1 -1 0 200 60 Tm (The {word}.) Tj ET"
        )
        page = writer.add_page(PdfReader(io.BytesIO(make_pdf([[(1, 1, 1, "F1", "x")]]))).pages[0])
        stream = StreamObject()
        stream.set_data(content.encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
        page[NameObject("/Rotate")] = NumberObject(90)
    data = io.BytesIO()
    writer.write(data)
    assert texts_of(read_one("a.pdf", data.getvalue())) == ["The first.", "The second.", "The third."]


def test_letters_of_formulas_are_whole(read_one, drawn):
    def name(writer, page):
        stream = StreamObject()
        stream.set_data(
            b"1 begincodespacerange <00> <FF> endcodespacerange 1 beginbfchar <41> <D835DC5B> endbfchar"
        )
        font = page["/Resources"]["/Font"]["/F1"].get_object()
        font[NameObject("/ToUnicode")] = writer._add_object(stream)

    document = read_one("a.pdf", drawn("BT /F1 9 Tf 60 700 Td (A) Tj ET", name))
    assert (document.text, document.left_out) == ("\U0001d45b", ())


def test_values_at_the_right_margin_stay_with_their_labels(read_one, make_pdf):
    widths = dict.fromkeys("ABE", 667) | dict.fromkeys("NUR", 722) | dict.fromkeys("I: .,", 278)
    lines = [
        ("Owner: Ada Berg", "IBAN: AB89 3704 0044 0532 0130 00"),
        ("Old balance of 1 March", "1.234,56 EUR"),
    ]
    page = [(50, 780, 9, "F1", "Statement Nr. 3")]
    for row, (label, value) in enumerate(lines):
        left = 500 - 9 * sum(widths.get(letter, 556) for letter in value) / 1000
        page += [(50, 740 - 12 * row, 9, "F1", label), (left, 740 - 12 * row, 9, "F1", value)]
    document = read_one("a.pdf", make_pdf([page]))
    assert "Old balance of 1 March | 1.234,56 EUR" in document.text
    assert [block.caption for block in document.blocks if block.caption] == ["Statement Nr. 3"]


def test_an_array_of_any_length_is_no_damage(read_one, drawn):
    def fill(writer, page):
        page[NameObject("/Long")] = ArrayObject([NumberObject(1)] * 200_000)

    assert read_one("a.pdf", drawn("BT /F1 9 Tf 60 700 Td (Text.) Tj ET", fill)).text == "Text."


def test_a_page_of_too_many_objects_is_refused(read_one, make_pdf, monkeypatch):
    from hybrid.documents import pdf

    monkeypatch.setattr(pdf, "_MAX_OBJECTS", 20)
    pages = [paragraph("Few."), paragraph(*["Many characters."] * 9), paragraph("Few again.")]
    document = read_one("a.pdf", make_pdf(pages))
    assert texts_of(document) == ["Few.", "Few again."]
    (part,) = document.left_out
    assert (part.kind, part.count, part.lost) == ("page that cannot be read", 1, True)
    assert "more than 20 objects" in read_one("b.pdf", make_pdf(pages[1:2])).reason


def test_pypdf_reads_what_pdfium_cannot_open(read_one, make_pdf, monkeypatch):
    from hybrid.documents import pdf

    def refuse(path):
        raise pdf.pdfium.PdfiumError("no", err_code=3)

    monkeypatch.setattr(pdf.pdfium, "PdfDocument", refuse)
    document = read_one("a.pdf", make_pdf([paragraph("One line", "and another."), paragraph("Next.")]))
    assert document.text == "One line and another.\n\nNext."


def test_a_damaged_list_of_pages_is_told(read_one, make_pdf, monkeypatch):
    from hybrid.documents import pdf

    def refuse(path):
        raise pdf.pdfium.PdfiumError("no", err_code=3)

    monkeypatch.setattr(pdf.pdfium, "PdfDocument", refuse)
    sound = make_pdf([paragraph("One line", "and another.")])
    item = read_one("a.pdf", sound.replace(b"trailer", b"trailer (a)", 1))
    assert "damaged" in item.reason and "Error" not in item.reason


def test_tight_word_gaps_are_seen(read_one, make_pdf):
    data = make_pdf([[(72, 700, 10, "F1", "x")]])
    old = b"(x) Tj"
    new = b"[(two) -170 (words) 20 (!)] TJ"
    # pypdf rebuilds the cross references that no longer fit
    document = read_one("a.pdf", data.replace(old, new))
    assert document.text == "two words!"


def test_a_picture_of_a_page_with_a_running_head_has_no_text(read_one, make_pdf):
    head = (60, 780, 9, "F1", "ACME contracts")
    pages = [[head, (60, 500, 11, "F1", f"Text {name}.")] for name in ("one", "two", "three")]
    data = make_pdf([*pages, [head], [head]])
    picture = b"q 600 0 0 800 0 0 cm BI /W 1 /H 1 /CS /G /BPC 8 ID x EI Q\n"
    before, after = data.rsplit(b"stream\nBT", 1)
    document = read_one(
        "a.pdf", before.replace(b"/Length ", b"/Length 9") + b"stream\n" + picture + b"BT" + after
    )
    assert document.metadata["pages_without_text"] == "1"
    assert [(one.kind, one.count, one.of) for one in document.left_out if one.lost] == [
        ("page without text", 1, 5)
    ]


def test_no_text_is_rejected(read_one, make_pdf):
    item = read_one("a.pdf", make_pdf([[], []]))
    assert item.reason == "no text: 2 pages, probably scanned or drawn; run OCR first, or set documents.ocr"


def test_fonts_without_letters_are_rejected(read_one, make_pdf):
    assert "no legible text" in read_one("a.pdf", make_pdf([paragraph("\\\\#%&/ !-.,+ ~~ x")])).reason


@pytest.mark.slow
def test_too_many_pages(read_one, make_pdf):
    item = read_one("a.pdf", make_pdf([[]] * 5_001))
    assert "5,001 pages are more than the limit of 5,000" in item.reason
    assert "documents.max_pages" in item.reason


@pytest.mark.parametrize("password", ["", "secret"])
@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-256"])
def test_encryption(read_one, make_pdf, password, algorithm):
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(make_pdf([paragraph("Hidden goats.")]))))
    writer.encrypt(user_password=password, owner_password="owner", algorithm=algorithm)
    stream = io.BytesIO()
    writer.write(stream)
    item = read_one("a.pdf", stream.getvalue())
    if password:
        assert item.reason.startswith("encrypted")
    else:
        assert item.text == "Hidden goats."


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_files_are_read_or_rejected(read_one, make_pdf, share):
    data = make_pdf([paragraph("Goats.")] * 5)
    item = read_one("a.pdf", data[: int(len(data) * share)])
    assert getattr(item, "reason", "damaged").split()[0].rstrip(":") in ("damaged", "no")


def test_a_broken_page_does_not_cost_the_others(read_one, make_pdf, monkeypatch):
    from hybrid.documents import pdf

    real = pdf.read_page

    def fail_on_second(document, index):
        if index == 1:
            raise RecursionError
        return real(document, index)

    monkeypatch.setattr(pdf, "read_page", fail_on_second)
    document = read_one("a.pdf", make_pdf([paragraph("One."), paragraph("Two."), paragraph("Three.")]))
    assert "Two" not in document.text
    assert document.metadata == {"pages": "3", "pages_unreadable": "1"}
    assert len(document.pages) == 3

    def fail(document, index):
        raise KeyError("/Contents")

    monkeypatch.setattr(pdf, "read_page", fail)
    assert "none of which can be read (KeyError" in read_one("a.pdf", make_pdf([paragraph("One.")])).reason


def test_libraries_stay_silent(read_one, make_pdf, capfd, caplog):
    read_one("a.pdf", make_pdf([paragraph("Goats.")])[:-200])
    read_one("a.pdf", b"%PDF-1.4\ngarbage\n%%EOF")
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_contents_lines_keep_their_lines():
    builder = TextBuilder(1000)
    lines = [
        TextRun("Goats . . . . . . 3", 72, 200, 700, 10),
        TextRun("Sheep . . . . . . 7", 72, 200, 688, 10),
    ]
    add_pages(builder, [Page(lines, [])])
    assert builder.document("a").text == "Goats … 3\nSheep … 7"


def test_a_line_without_blanks_costs_no_more_for_its_length(read_one, make_pdf, within):
    pages = [[(50, 700 - 12 * row, 10, "F1", letter * 30_000) for row in range(2)] for letter in "AB"]
    with within(5):
        assert read_one("a.pdf", make_pdf(pages)).text.startswith("AAA")
