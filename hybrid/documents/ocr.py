"""Scanned pages: the words of their pictures, by tesseract (optical character recognition)."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache

import pypdfium2 as pdfium

from hybrid.config import DocumentSettings
from hybrid.documents.cells import Stroke, TextRun
from hybrid.documents.layout import Page
from hybrid.documents.source import Unreadable
from hybrid.errors import ExtraMissing

_ENGINE = "tesseract"
_DOTS = 300
_POINTS = 72 / _DOTS
# A page as large as a poster is drawn with fewer dots.
_MOST_PIXELS = 30_000_000
_LINE, _WORD = "4", "5"
# Words that the engine itself believes less are marks and dirt.
_LEAST_SURE = 30.0


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
    scale = min(1 / _POINTS, (_MOST_PIXELS / max(width * height, 1)) ** 0.5)
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
