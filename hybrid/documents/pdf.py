"""PDF files: their text page by page, as far as they hold any; scanned pages are not read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from pypdf import PageObject, PasswordType, PdfReader
from pypdf.errors import DependencyError, EmptyFileError, FileNotDecryptedError
from pypdf.generic import FloatObject

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder
from hybrid.documents.layout import Line, add_lines
from hybrid.documents.source import SourceFile, Unreadable, check_pages
from hybrid.types import Document

# pypdf mistakes the width of another glyph for that of the blank in some subset fonts, and then runs
# words together. From this gap on (in thousandths of the font size) there is a blank: kerning stays
# below it, and the blank of a tightly set line above.
_WORD_GAP = 160
_SURE_GAP = 1_000
_MONOSPACED = ("mono", "courier", "consol", "menlo", "cmtt", "typewriter")
_BOLD = ("bold", "black", "heavy", "cmbx")
_LIGATURES = dict(enumerate(("ff", "fi", "fl", "ffi", "ffl", "st", "st"), start=0xFB00))
# Below this share of letters and digits, a font has no mapping to characters and the text is noise.
_MIN_LEGIBLE = 0.3
_GLYPH_NAMES = re.compile(r"/[A-Za-z]{0,8}\d{1,5}(?=/|\s|$)")

_Numbers = Sequence[float]


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a PDF file."""
    reader = _open(file)
    pages: list[list[Line]] = []
    errors: list[str] = []
    for index in range(_count_pages(reader, settings)):
        try:
            pages.append(page_lines(reader.pages[index]))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  one broken page must not cost the others
            pages.append([])
            errors.append(f"{type(error).__name__}: {error}"[:120])
    _refuse_textless(pages, errors)
    builder = TextBuilder(settings.max_characters)
    add_lines(builder, pages)
    without_text = sum(not lines for lines in pages) - len(errors)
    counts = {"pages": len(pages), "pages_without_text": without_text, "pages_unreadable": len(errors)}
    metadata = {name: str(count) for name, count in counts.items() if count}
    title, author = _properties(reader)
    yield builder.document(file.source, title=title, metadata={"author": author, **metadata})


def page_lines(page: PageObject) -> list[Line]:
    """Return the lines of a page in the order in which it draws them, which follows columns too."""
    collector = _Collector()
    page.extract_text(visitor_operand_before=_widen_gaps, visitor_text=collector.take)
    collector.end_line()
    return collector.lines


def _open(file: SourceFile) -> PdfReader:
    try:
        reader = PdfReader(file.path, strict=False)
        # many files are encrypted with an empty password, only to forbid printing
        if reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED:
            raise Unreadable("encrypted: it opens only with a password; save it without one")
    except DependencyError as error:
        raise Unreadable(
            "encrypted with AES: needs the extra: pip install 'hybrid-assistant[pdf]'"
        ) from error
    except EmptyFileError as error:
        raise Unreadable("empty: the file has no bytes") from error
    return reader


def _count_pages(reader: PdfReader, settings: DocumentSettings) -> int:
    try:
        pages = len(reader.pages)
    except FileNotDecryptedError as error:
        raise Unreadable("encrypted: it opens only with a password; save it without one") from error
    check_pages(pages, settings)
    if not pages:
        raise Unreadable("damaged or empty: a PDF without pages")
    return pages


def _refuse_textless(pages: list[list[Line]], errors: list[str]) -> None:
    text = _GLYPH_NAMES.sub("", "".join(line.text for lines in pages for line in lines))
    count = f"{len(pages):,} page{'s' * (len(pages) > 1)}"
    if errors and len(errors) == len(pages):
        raise Unreadable(f"damaged: {count}, none of which can be read ({errors[0]})")
    if not any(pages):
        broken = f", {len(errors):,} of them damaged" if errors else ""
        raise Unreadable(f"no text: {count}{broken}, probably scanned or drawn; run OCR first")
    visible = [character for character in text if not character.isspace()]
    legible = sum(character.isalnum() for character in visible)
    if not visible or legible < _MIN_LEGIBLE * len(visible):
        raise Unreadable(f"no legible text: {count}, but the fonts do not name their letters; run OCR first")


def _properties(reader: PdfReader) -> tuple[str, str]:
    try:
        found = reader.metadata
        return (str(found.title or ""), str(found.author or "")) if found else ("", "")
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  a title is not worth losing the text for
        return "", ""


def _widen_gaps(operator: bytes, operands: list[Any], _cm: _Numbers, _tm: _Numbers) -> None:
    """Make word gaps so wide that pypdf sees them, and move back by as much."""
    if operator != b"TJ" or not operands or not isinstance(operands[0], list):
        return
    pieces: list[Any] = []
    for piece in operands[0]:
        if isinstance(piece, int | float) and -_SURE_GAP < piece <= -_WORD_GAP:
            pieces += (FloatObject(piece - _SURE_GAP), FloatObject(_SURE_GAP))
        else:
            pieces.append(piece)
    operands[0][:] = pieces


class _Collector:
    """Puts the fragments that pypdf reports together into lines."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._texts: list[str] = []
        self._fonts: list[str] = []
        self._place: tuple[float, float, float] | None = None

    def take(self, text: str, cm: _Numbers, tm: _Numbers, font: Any, size: float) -> None:
        name = str((font or {}).get("/BaseFont", "")).lower()
        for index, part in enumerate(text.translate(_LIGATURES).split("\n")):
            if index:
                self.end_line()
            if not part:
                continue
            self._texts.append(part)
            self._fonts += [name] * len(part.strip())
            if self._place is None and part.strip():
                self._place = _place(cm, tm, size)

    def end_line(self) -> None:
        text, self._texts = "".join(self._texts).strip(), []
        fonts, self._fonts = self._fonts, []
        place, self._place = self._place, None
        if text and place is not None:
            bold = _is_mostly(fonts, _BOLD)
            self.lines.append(Line(text, *place, bold=bold, monospaced=_is_mostly(fonts, _MONOSPACED)))


def _place(cm: _Numbers, tm: _Numbers, size: float) -> tuple[float, float, float]:
    """Return how far right, how high and how large the text stands, as its reader would turn the page."""
    right = (tm[0] * cm[0] + tm[1] * cm[2], tm[0] * cm[1] + tm[1] * cm[3])
    up = (tm[2] * cm[0] + tm[3] * cm[2], tm[2] * cm[1] + tm[3] * cm[3])
    x, y = tm[4] * cm[0] + tm[5] * cm[2] + cm[4], tm[4] * cm[1] + tm[5] * cm[3] + cm[5]
    if abs(right[1]) > abs(right[0]):
        x, y = (y, -x) if right[1] > 0 else (-y, x)
    elif right[0] < 0:
        x, y = -x, -y
    return x, y, abs(size) * math.hypot(*up)


def _is_mostly(fonts: list[str], names: tuple[str, ...]) -> bool:
    known: dict[str, bool] = {font: any(name in font for name in names) for font in set(fonts)}
    return bool(fonts) and sum(known[font] for font in fonts) > 0.9 * len(fonts)
