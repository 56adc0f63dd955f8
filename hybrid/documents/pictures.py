"""Pictures of PDF pages: drawn for a reader with a stretch marked, and the words of scanned ones (OCR)."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import subprocess
import sys
import unicodedata
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid.config import DocumentSettings
from hybrid.documents.cells import Stroke, TextRun
from hybrid.documents.layout import Page
from hybrid.documents.source import Unreadable, cap_memory
from hybrid.errors import ExtraMissing, UsageError

if TYPE_CHECKING:
    import numpy as np
    import pypdfium2 as pdfium
    from numpy.typing import NDArray

# `-P` keeps the current folder, which may be hostile, off the path of the child.
_START = "import sys; sys.path.insert(0, sys.argv[1]); from hybrid.documents.pictures import main; main()"
_PACKAGE_ROOT = os.fspath(Path(__file__).resolve().parents[2])
_WIDTH = 1_100  # pixels: sharp in a dialog of half that on a dense screen
_MOST_PIXELS = 4_000_000
_MOST_SECONDS = 20.0
_MOST_CHARACTERS = 50_000
_LONGEST_QUOTE = 8_000
# So many words together are a place; the text of a document is laid out anew, so a long quote may break.
_TOGETHER = 6
# What is left of red, green and blue under the marker: white becomes yellow, ink stays ink.
_MARKER = (1.0, 0.9, 0.42)
_PNG = b"\x89PNG\r\n\x1a\n"
_ENGINE = "tesseract"
_DOTS = 300
_POINTS = 72 / _DOTS
# A page as large as a poster is drawn with fewer dots.
_MOST_DOTS = 30_000_000
_LINE, _WORD = "4", "5"
# Words that the engine itself believes less are marks and dirt.
_LEAST_SURE = 30.0


def page_image(path: Path, page: int, quote: str, settings: DocumentSettings) -> bytes:
    """Return a page of a PDF as PNG, with a quote marked where it is found.

    Args:
        path: of the file.
        page: from 1.
        quote: a stretch of the text of its document.
        settings: how much memory and time the drawing may take.

    Raises:
        UsageError: it cannot be drawn: no such page, a damaged file, or more than the limits.
    """
    asked = {"path": str(path), "page": page, "quote": quote[:_LONGEST_QUOTE]}
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _START, _PACKAGE_ROOT],
            input=json.dumps(asked | {"megabytes": settings.max_memory_megabytes}).encode(),
            capture_output=True,
            timeout=min(settings.max_seconds, _MOST_SECONDS),
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(
            f"page {page} of {path.name} cannot be drawn", hint="open the file itself; its text is here"
        ) from error
    return done.stdout


def main() -> None:
    """Draw what stdin asks for, and write the picture to stdout."""
    asked = json.loads(sys.stdin.buffer.read())
    import numpy as np
    import pypdfium2 as pdfium

    cap_memory(asked["megabytes"])
    with contextlib.closing(pdfium.PdfDocument(asked["path"])) as document:
        document.init_forms()
        page = document[asked["page"] - 1]
        width, height = page.get_size()
        scale = min(_WIDTH / width, (_MOST_PIXELS / (width * height)) ** 0.5)
        bitmap = page.render(scale=scale, rev_byteorder=True)
        pixels = np.array(bitmap.to_numpy()[:, :, :3])
        place = bitmap.get_posconv(page).to_bitmap
        with contextlib.closing(page.get_textpage()) as text:
            for left, bottom, right, top in _lines(text, asked["quote"]):
                (x0, y0), (x1, y1) = place(left, bottom), place(right, top)
                rows = slice(max(min(y0, y1), 0), max(y0, y1, 0) + 1)
                columns = slice(max(min(x0, x1), 0), max(x0, x1, 0) + 1)
                pixels[rows, columns] = (pixels[rows, columns] * _MARKER).astype(np.uint8)
        sys.stdout.buffer.write(_png(pixels))


def _lines(text: Any, quote: str) -> list[Stroke]:
    """Return the boxes of the lines of a page that a quote stands on."""
    import pypdfium2.raw as api

    letters, places = [], []
    for index in range(min(text.count_chars(), _MOST_CHARACTERS)):
        folded = _folded(chr(api.FPDFText_GetUnicode(text, index)))
        letters.append(folded)
        places += [index] * len(folded)
    boxes: list[Stroke] = []
    for index in sorted({places[at] for at in _found("".join(letters), quote)}):
        new, old = Stroke(*text.get_charbox(index, loose=True)), boxes[-1] if boxes else None
        if old and abs(new.top - old.top) + abs(new.bottom - old.bottom) < (old.top - old.bottom) / 2:
            low = min(old.left, new.left), min(old.bottom, new.bottom)
            boxes[-1] = Stroke(*low, max(old.right, new.right), max(old.top, new.top))
        else:
            boxes.append(new)
    return boxes


def _found(page: str, quote: str) -> Iterator[int]:
    """Yield the places of the letters of a quote: of all of it, else of some words after the other."""
    words = [folded for word in quote.split() if (folded := _folded(word))]
    runs = ["".join(words)]
    if runs[0] not in page:
        runs = ["".join(words[start : start + _TOGETHER]) for start in range(len(words) - _TOGETHER + 1)]
    for run in filter(None, runs):
        start = page.find(run)
        yield from range(start, start + len(run)) if start >= 0 else ()


def _folded(text: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text).casefold()))


def _png(pixels: NDArray[np.uint8]) -> bytes:
    """Return an image of rows, columns and three colours as a PNG file."""
    height, width, _ = pixels.shape

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return _PNG + part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows, 6)) + part(b"IEND", b"")


@cache
def require_engine(languages: str) -> None:
    """Check that the engine is here and knows the languages, such as ``eng+deu``.

    Raises:
        ExtraMissing: one of them is not installed.
    """
    if shutil.which(_ENGINE) is None:
        hint = (
            "install it (apt-get install tesseract-ocr, brew install tesseract), or leave documents.ocr empty"
        )
        raise ExtraMissing(
            f"documents.ocr is {languages!r}, and there is no {_ENGINE} to read with", hint=hint
        )
    known = _run("--list-langs").split()
    if missing := [name for name in languages.split("+") if name not in known]:
        hint = "install them (apt-get install tesseract-ocr-deu), or set documents.ocr to others"
        raise ExtraMissing(f"{_ENGINE} does not know {', '.join(missing)}", hint=hint)


def recognised(page: pdfium.PdfPage, settings: DocumentSettings) -> Page:
    """Return what the picture of a page says, with the places of its words."""
    width, height = page.get_size()
    scale = min(1 / _POINTS, (_MOST_DOTS / max(width * height, 1)) ** 0.5)
    bitmap = page.render(scale=scale, grayscale=True)
    pixels = bitmap.to_numpy().reshape(bitmap.height, bitmap.width)
    image = b"P5 %d %d 255\n" % (bitmap.width, bitmap.height) + pixels.tobytes()
    dots = str(round(72 * scale))
    found = _run("stdin", "stdout", "-l", settings.ocr, "--dpi", dots, "tsv", image=image, settings=settings)
    return Page(list(_words(found, scale, height)), [], Stroke(0, 0, width, height), by_ocr=True)


def _words(table: str, scale: float, height: float) -> list[TextRun]:
    """Return the words of the engine's table; those of a line stand on one height."""
    words: list[TextRun] = []
    rows = [cells for row in table.split("\n")[1:] if len(cells := row.split("\t")) > 11]
    heights = sorted(int(cells[9]) / scale for cells in rows if cells[0] == _LINE)
    usual = heights[len(heights) // 2] if heights else 0.0
    base = size = 0.0
    for cells in rows:
        if cells[0] not in (_LINE, _WORD):
            continue
        left, top, wide, high = (int(cell) / scale for cell in cells[6:10])
        if cells[0] == _LINE:
            # lines without letters that reach below or above are as large as the others
            size = usual if 0.7 * usual < high < 1.4 * usual else max(high, 1.0)
            base = height - top - high + 0.2 * size
        elif float(cells[10]) >= _LEAST_SURE and (text := cells[11].strip()):
            words.append(TextRun(text, left, left + wide, base, size))
    return words


def _run(*arguments: str, image: bytes = b"", settings: DocumentSettings | None = None) -> str:
    try:
        done = subprocess.run(
            [_ENGINE, *arguments],
            input=image,
            capture_output=True,
            check=True,
            timeout=settings.max_seconds if settings else 60,
            # it would take all cores for a page, and the pool reads several files at once
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", b"") or b""
        raise Unreadable(f"{_ENGINE} failed: {said.decode('utf-8', 'replace')[:200] or error}") from error
    return done.stdout.decode("utf-8", "replace")
