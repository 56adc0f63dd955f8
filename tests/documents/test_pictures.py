"""Pictures of pages: a stretch is marked where it stands, and a scanned page is read by an engine."""

import io
import shutil
import struct
import zlib

import numpy as np
import pytest

from hybrid.config import DocumentSettings
from hybrid.documents import ReaderPool
from hybrid.documents.pictures import _found, page_image, recognised, require_engine
from hybrid.errors import ExtraMissing, UsageError

_SETTINGS = DocumentSettings()
LINES = (("Notice", "period"), ("six", "weeks", "smudge"))


def _pixels(png):
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    stream, data, size = io.BytesIO(png[8:]), b"", (0, 0)
    while head := stream.read(8):
        length, kind = struct.unpack(">I4s", head)
        content, checksum = stream.read(length), stream.read(4)
        assert zlib.crc32(kind + content) == int.from_bytes(checksum, "big")
        size = struct.unpack(">II", content[:8]) if kind == b"IHDR" else size
        data += content if kind == b"IDAT" else b""
    width, height = size
    rows = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + width * 3)
    return rows[:, 1:].reshape(height, width, 3)


def test_a_quote_is_found_whatever_its_blanks_signs_and_letters():
    assert list(_found("theportis5432", "The port\n is 5,432!")) == list(range(13))
    assert list(_found("anything", "nowhere here")) == []
    assert list(_found("anything", "")) == []


def test_of_a_quote_that_breaks_off_the_words_that_are_there_are_found():
    page = "onetwothreefourfivesix"
    assert list(_found(page, "one two three four five six seven eight")) == list(range(len(page)))


@pytest.mark.slow
def test_the_stretch_is_marked_where_it_stands(make_pdf, tmp_path):
    path = tmp_path / "a.pdf"
    lines = [(72, 700, 12, "F1", "The first line."), (72, 300, 12, "F1", "Zebras live in Africa.")]
    path.write_bytes(make_pdf([[(72, 700, 12, "F1", "Another page.")], lines]))
    pixels = _pixels(page_image(path, 2, "Zebras live  in Africa", _SETTINGS))
    yellow = (pixels[:, :, 0] > 200) & (pixels[:, :, 2] < 150)
    rows, columns = np.nonzero(yellow)
    height, width = yellow.shape
    assert 0.6 < rows.min() / height < rows.max() / height < 0.65  # 300 of 800 points from below
    assert 0.1 < columns.min() / width < 0.15
    assert not _marked(page_image(path, 2, "nothing of this page", _SETTINGS))


def _marked(png):
    pixels = _pixels(png)
    return bool(((pixels[:, :, 0] > 200) & (pixels[:, :, 2] < 150)).any())


@pytest.mark.slow
@pytest.mark.parametrize("page", [0, 3])
def test_what_cannot_be_drawn_is_said(make_pdf, tmp_path, page):
    path = tmp_path / "a.pdf"
    path.write_bytes(make_pdf([[(72, 700, 12, "F1", "One.")]]) if page else b"no PDF")
    with pytest.raises(UsageError, match=f"page {page} of a.pdf cannot be drawn"):
        page_image(path, page, "", _SETTINGS)


@pytest.mark.slow
def test_a_page_as_large_as_a_field_is_drawn_small(make_pdf, tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(make_pdf([[(72, 70, 12, "F1", "One.")]]).replace(b"[0 0 600 800]", b"[0 0 5 14000]"))
    height, width, _ = _pixels(page_image(path, 1, "", _SETTINGS)).shape
    assert height * width <= 4_100_000


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

    document = pdfium.PdfDocument(make_pdf([[(60, 700, 24, "F1", "Notice period: six weeks")]]))
    page = recognised(document[0], DocumentSettings(ocr="eng"))
    assert " ".join(piece.text for piece in page.pieces) == "Notice period: six weeks"
    document.close()
