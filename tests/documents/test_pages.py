"""The picture of a page: the stretch is marked where it stands, and a hostile file costs a reason."""

import io
import struct
import zlib

import numpy as np
import pytest

from hybrid.config import DocumentSettings
from hybrid.documents.pages import _found, page_image
from hybrid.errors import UsageError

_SETTINGS = DocumentSettings()


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
