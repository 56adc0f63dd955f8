"""Scanned pages: what the engine says becomes lines with their places, and is told."""

import shutil

import pytest

from hybrid.config import DocumentSettings
from hybrid.documents import ReaderPool
from hybrid.documents.ocr import require_engine
from hybrid.errors import ExtraMissing

LINES = (("Notice", "period"), ("six", "weeks", "smudge"))


def table():
    """Return what the engine says of the lines: words with boxes in dots, the last one hardly sure."""
    rows = ["level\tpage\tblock\tpar\tline\tword\tleft\ttop\twidth\theight\tconf\ttext"]
    for number, words in enumerate(LINES):
        top = 300 + 60 * number
        rows.append("\t".join(map(str, (4, 1, 1, 1, number, 0, 250, top, 900, 50, -1, ""))))
        for place, word in enumerate(words):
            sure = 12.0 if word == "smudge" else 96.5
            box = (250 + 200 * place, top, 180, 50)
            rows.append("\t".join(map(str, (5, 1, 1, 1, number, place, *box, sure, word))))
    return "\n".join(rows)


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """Put a program of the engine's name on the path that reads the same in every picture."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "said.tsv").write_text(table())
    program = tmp_path / "bin" / "tesseract"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --list-langs ] && echo eng && exit\n/bin/cat {tmp_path}/bin/said.tsv\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    require_engine.cache_clear()
    yield
    require_engine.cache_clear()


def test_a_page_without_text_is_read_and_told_and_the_others_stay(engine, read_one, make_pdf):
    data = make_pdf([[(60, 700, 11, "F1", "Printed text")], []])
    document = read_one("a.pdf", data, ocr="eng")
    assert document.text == "Printed text\n\nNotice period six weeks"
    assert document.metadata["pages_by_ocr"] == "1"
    (part,) = document.left_out
    assert (part.kind, part.count, part.of, part.lost) == ("page read by OCR", 1, 2, False)


def test_it_is_off_unless_it_is_asked_for(engine, read_one, make_pdf):
    assert read_one("a.pdf", make_pdf([[]])).reason.startswith("no text: 1 page")


def test_an_engine_or_a_language_that_is_missing_says_what_to_install(engine, monkeypatch):
    with ReaderPool(DocumentSettings(ocr="eng")):
        pass
    with pytest.raises(ExtraMissing, match="does not know deu") as caught:
        ReaderPool(DocumentSettings(ocr="eng+deu"))
    assert "tesseract-ocr-deu" in caught.value.hint
    monkeypatch.setenv("PATH", "")
    require_engine.cache_clear()
    with pytest.raises(ExtraMissing, match="no tesseract") as caught:
        ReaderPool(DocumentSettings(ocr="eng"))
    assert "apt-get install tesseract-ocr" in caught.value.hint


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_the_engine_reads_a_picture(read_one, make_pdf):
    import pypdfium2 as pdfium

    from hybrid.documents.ocr import recognised

    document = pdfium.PdfDocument(make_pdf([[(60, 700, 24, "F1", "Notice period: six weeks")]]))
    page = recognised(document[0], DocumentSettings(ocr="eng"))
    assert " ".join(piece.text for piece in page.pieces) == "Notice period: six weeks"
    document.close()
