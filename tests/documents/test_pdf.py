"""PDF: pages, paragraphs, what is damaged, encrypted or scanned."""

import io

import pytest
from pypdf import PdfReader, PdfWriter

from hybrid.documents.builder import TextBuilder
from hybrid.documents.grid import Piece
from hybrid.documents.layout import Page, add_pages


def paragraph(*lines, x=72, y=700, size=10, font="F1"):
    return [(x, y - 12 * index, size, font, line) for index, line in enumerate(lines)]


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


def test_columns_are_read_one_after_the_other(read_one, make_pdf):
    left = paragraph("Left column starts and", "goes on to the right", y=700)
    right = paragraph("column where it ends.", x=320, y=700)
    assert read_one("a.pdf", make_pdf([left + right])).text == (
        "Left column starts and goes on to the right column where it ends."
    )


def test_a_hyphen_stays_where_the_text_has_it(read_one, make_pdf):
    lines = paragraph(
        "A high-level view of a user-", "friendly thing: user-friendly is a high-", "level word."
    )
    assert read_one("a.pdf", make_pdf([lines])).text == (
        "A high-level view of a user-friendly thing: user-friendly is a high-level word."
    )


def test_tight_word_gaps_are_seen(read_one, make_pdf):
    data = make_pdf([[(72, 700, 10, "F1", "x")]])
    old = b"(x) Tj"
    new = b"[(two) -170 (words) 20 (!)] TJ"
    # pypdf rebuilds the cross references that no longer fit
    document = read_one("a.pdf", data.replace(old, new))
    assert document.text == "two words!"


def test_no_text_is_rejected(read_one, make_pdf):
    item = read_one("a.pdf", make_pdf([[], []]))
    assert item.reason == "no text: 2 pages, probably scanned or drawn; run OCR first"


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
    lines = [Piece("Goats . . . . . . 3", 72, 200, 700, 10), Piece("Sheep . . . . . . 7", 72, 200, 688, 10)]
    add_pages(builder, [Page(lines, [])])
    assert builder.document("a").text == "Goats … 3\nSheep … 7"
