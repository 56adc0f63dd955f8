"""PDF files: the boxes of their characters become pieces of lines; scanned pages are not read."""

from __future__ import annotations

import contextlib
import ctypes
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cache
from itertools import groupby, repeat
from typing import Any

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as api
from numpy.typing import NDArray
from pypdf import PdfReader

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder
from hybrid.documents.cells import RIGHT_TO_LEFT, Stroke, TextRun
from hybrid.documents.layout import Page, add_pages
from hybrid.documents.segmentation import NUMBER_GAP, NUMBER_SIGNS, OTHER_GAP, whole
from hybrid.documents.signs import raised
from hybrid.documents.source import SourceFile, Unreadable, check_pages
from hybrid.types import BY_OCR, Document

# In sizes of the font: from the first gap on there is a blank (kerning stays below it, the blank of a tightly
# set line above), from the second on another piece begins (the blanks of a justified line stay below).
_WORD_GAP = 0.16
_PIECE_GAP = 0.9
# A page of more is no page for a reader, and would cost the memory of a thousand.
_MAX_OBJECTS = 200_000
_MAX_BOXES = 3_000
# A page of fewer may be a picture with a head.
_FEW_CHARACTERS = 300
_MONOSPACED = ("mono", "courier", "consol", "menlo", "cmtt", "typewriter")
_BOLD = ("bold", "black", "heavy", "cmbx", "demi")
_BOLD_WEIGHT = 600
_LIGATURES = dict(enumerate(("ff", "fi", "fl", "ffi", "ffl", "st", "st"), start=0xFB00))
_HYPHENS = (0x02, 0xFFFE)  # PDFium's names of a hyphen at the end of a line
_UNSEEN = np.zeros(1 << 16, bool)
for _first, _last in ((0, 1), (3, 0x20), (0x7F, 0xA0), (0xAD, 0xAD), (0x2000, 0x200B), (0x3000, 0x3000)):
    _UNSEEN[_first : _last + 1] = True
_TRACKED = re.compile(r"\S \S \S \S\b")  # letters that are set apart
# Below this share of letters and digits, a font has no mapping to characters and the text is noise.
_MIN_LEGIBLE = 0.3
_NO_TITLE = re.compile(
    r"\W*(?:untitled|anonymous|unspecified)\W*"
    r"|.*\.(?:docx?|xlsx?|pptx?|od[tsp]|rtf|txt|md|html?|tex|dvi|pdf|indd|qxd)|Microsoft \w+ - .*",
    re.I,
)
_OCR = "run OCR first, or set documents.ocr"
_LOCKED = "encrypted: it opens only with a password; save it without one"

_ENDS_NUMBER, _STARTS_NUMBER = (np.isin(np.arange(128), [ord(c) for c in signs]) for signs in NUMBER_SIGNS)

_Floats = NDArray[np.float64]


def _fast(function: Any, result: Any, *arguments: Any) -> Any:
    """Return a function of PDFium for calls by the thousand: the GIL is kept.

    Without the types of its arguments they are not converted, which takes half of a call's time: whole
    numbers as they are, addresses as ``_address`` has them.
    """
    return ctypes.PYFUNCTYPE(result, *arguments)(ctypes.cast(function, ctypes.c_void_p).value or 0)


_address = ctypes.c_void_p.from_param
_unicode_of = _fast(api.FPDFText_GetUnicode, ctypes.c_uint)
_size_of = _fast(api.FPDFText_GetFontSize, ctypes.c_double)
_object_of = _fast(api.FPDFText_GetTextObject, ctypes.c_void_p)
_box_of = _fast(api.FPDFText_GetLooseCharBox, None)
_matrix_of = _fast(api.FPDFText_GetMatrix, None)
_origin_of = _fast(api.FPDFText_GetCharOrigin, None)
_is_made_up = _fast(api.FPDFText_IsGenerated, ctypes.c_int)
_object_at = _fast(api.FPDFPage_GetObject, ctypes.c_void_p)
_type_of = _fast(api.FPDFPageObj_GetType, ctypes.c_int, ctypes.c_void_p)
_bounds_of = _fast(api.FPDFPageObj_GetBounds, ctypes.c_int, ctypes.c_void_p)
_font_of = _fast(api.FPDFTextObj_GetFont, ctypes.c_void_p, ctypes.c_void_p)


@cache
def _room(size: int) -> tuple[_Floats, list[Any]]:
    """Return memory for numbers of eight bytes, kept from page to page, and the address of each of them."""
    room = np.zeros(size)
    return room, [_address(at) for at in range(room.ctypes.data, room.ctypes.data + room.nbytes, 8)]


def _written(function: Any, text: Any, at: list[int], width: int, *places: int) -> _Floats:
    """Return what a function writes for each character: so many numbers of eight bytes, from `places` on."""
    size = width * len(at)
    room, slots = _room(1 << size.bit_length())
    room[:size] = 0.0  # of the page before, where a function has nothing to write
    deque(map(function, repeat(text), at, *(slots[place:size:width] for place in places)), maxlen=0)
    return room[:size].reshape(-1, width)


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a PDF file."""
    builder = TextBuilder(settings.max_characters)
    title = author = ""
    try:
        document = pdfium.PdfDocument(file.path)
    except pdfium.PdfiumError as error:
        pages, errors = _read_with_pypdf(file, settings, error)
    else:
        with contextlib.closing(document):
            _check_count(len(document), settings)
            document.init_forms()
            for _ in range(document.count_attachments()):
                builder.leave_out("attached file", lost=True)
            if document.get_formtype() == api.FORMTYPE_XFA_FULL:
                builder.leave_out("form that only some viewers draw (XFA)", lost=True)
            title, author = (document.get_metadata_value(name) for name in ("Title", "Author"))
            pages, errors = _each_page(len(document), lambda index: _read_page(document, index, settings))
    _refuse_textless(pages, errors)
    for page in pages:
        if page.comments:
            builder.leave_out("comment", page.comments)
        if page.unnamed:
            builder.leave_out("sign that its font does not name", page.unnamed, lost=True)
    without_text, by_ocr = add_pages(builder, pages) - len(errors), sum(page.by_ocr for page in pages)
    told = (("page without text", without_text, True), ("page that cannot be read", len(errors), True))
    for kind, count, lost in (*told, (BY_OCR, by_ocr, False)):
        for _ in range(count):
            builder.leave_out(kind, lost=lost)
    counts = {"pages": len(pages), "pages_without_text": without_text, "pages_unreadable": len(errors)}
    metadata = {name: str(count) for name, count in (counts | {"pages_by_ocr": by_ocr}).items() if count}
    # what the file was called that it was printed from says nothing that a heading would not say better
    title, author = ("" if _NO_TITLE.fullmatch(name.strip()) else name for name in (title, author))
    yield builder.document(file.source, title=title, metadata={"author": author, **metadata})


def _read_page(document: pdfium.PdfDocument, index: int, settings: DocumentSettings) -> Page:
    page = read_page(document, index)
    if page.pieces or not settings.ocr:
        return page
    from hybrid.documents.pictures import recognised  # it starts a program, and is off unless it is asked for

    with contextlib.closing(document[index]) as picture:
        found = recognised(picture, settings)
    return found._replace(pieces=whole(found.pieces, []), comments=page.comments) if found.pieces else page


def read_page(document: pdfium.PdfDocument, index: int) -> Page:
    """Return the pieces of text of a page, and the lines and boxes drawn on it."""
    page = document[index]
    with contextlib.closing(page), contextlib.closing(page.get_textpage()) as text:
        count = api.FPDFPage_CountObjects(page)
        if max(count, api.FPDFText_CountChars(text)) > _MAX_OBJECTS:
            raise Unreadable(f"more than {_MAX_OBJECTS:,} objects on a page")
        codes = _codes(text)
        frame, glyphs = Stroke(*page.get_bbox()), _Glyphs.of(text, codes)
        turned = glyphs.turned if glyphs else 0
        half = 0.5 * frame.area
        # but for what fills the page
        drawn = [box for box in _boxes(page, count, api.FPDF_PAGEOBJ_PATH) if box.area < half]
        boxes = [box.turned(turned) for box in drawn] if turned else drawn
        pieces = list(glyphs.pieces(boxes)) if glyphs else []
        notes, comments = _notes(document, page, pieces, turned)
        is_short = sum(len(piece.text) for piece in pieces) < _FEW_CHARACTERS
        pictures = _boxes(page, count, api.FPDF_PAGEOBJ_IMAGE)
        pictured = is_short and any(box.area > half for box in pictures)
    unnamed = int((codes == 0).sum())
    pieces = whole(pieces + notes, boxes)
    return Page(pieces, boxes, frame.turned(turned), comments, unnamed, pictured=pictured)


def _each_page(count: int, read_one: Callable[[int], Page]) -> tuple[list[Page], list[str]]:
    """Return the pages, empty where one cannot be read, and why: one must not cost the others."""
    pages: list[Page] = []
    errors: list[str] = []
    for index in range(count):
        try:
            pages.append(read_one(index))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001  a hostile page may raise anything from a library
            pages.append(Page([], []))
            name = "" if isinstance(error, Unreadable) else f"{type(error).__name__}: "
            errors.append(f"{name}{error}"[:120])
    return pages, errors


def _check_count(pages: int, settings: DocumentSettings) -> None:
    check_pages(pages, settings)
    if not pages:
        raise Unreadable("damaged or empty: a PDF without pages")


def _read_with_pypdf(
    file: SourceFile, settings: DocumentSettings, reason: pdfium.PdfiumError
) -> tuple[list[Page], list[str]]:
    """Read a file that PDFium cannot open: lines without their places on the page."""
    if reason.err_code in (api.FPDF_ERR_PASSWORD, api.FPDF_ERR_SECURITY):
        raise Unreadable(_LOCKED) from reason
    try:
        reader = PdfReader(file.path, strict=False)
        is_locked, count = reader.is_encrypted, len(reader.pages)
    except (AttributeError, TypeError, LookupError, ValueError, ArithmeticError, AssertionError) as error:
        # what stands there is of another kind than it takes for granted
        raise Unreadable("damaged: the list of its pages cannot be read") from error
    if is_locked:
        raise Unreadable(_LOCKED) from reason
    _check_count(count, settings)

    def read_one(index: int) -> Page:
        lines = enumerate(reader.pages[index].extract_text().translate(_LIGATURES).split("\n"))
        return Page(
            [TextRun(line.strip(), 0, 500, -12.0 * row, 10) for row, line in lines if line.strip()], []
        )

    return _each_page(count, read_one)


def _refuse_textless(pages: list[Page], errors: list[str]) -> None:
    count = f"{len(pages):,} page{'s' * (len(pages) > 1)}"
    if len(errors) == len(pages):
        raise Unreadable(f"damaged: {count}, none of which can be read ({errors[0]})")
    if not any(page.pieces for page in pages):
        broken = f", {len(errors):,} of them damaged" if errors else ""
        raise Unreadable(f"no text: {count}{broken}, probably scanned or drawn; {_OCR}")
    text = "".join(piece.text for page in pages for piece in page.pieces)
    visible = len(text) - text.count(" ")
    if sum(map(str.isalnum, text)) < _MIN_LEGIBLE * visible:
        raise Unreadable(f"no legible text: {count}, but the fonts do not name their letters; {_OCR}")


def _boxes(page: pdfium.PdfPage, count: int, kind: int) -> Iterator[Stroke]:
    """Return the boxes of the objects of a kind."""
    handle = _address(ctypes.cast(page.raw, ctypes.c_void_p).value)
    objects = list(map(_object_at, repeat(handle), range(min(count, _MAX_BOXES))))
    wanted = [drawn for drawn in objects if _type_of(drawn) == kind]
    room, slots = _room(1 << (4 * len(wanted)).bit_length())
    sides = (slots[side : 4 * len(wanted) : 4] for side in range(4))
    found = list(map(_bounds_of, wanted, *sides))
    numbers = room.view(np.float32)[: 8 * len(wanted) : 2].reshape(-1, 4).tolist()
    return (Stroke(*box) for box, is_there in zip(numbers, found, strict=True) if is_there)


@dataclass(frozen=True, slots=True)
class _Glyphs:
    """The visible characters of a page in the order in which they are drawn, as arrays.

    ``left``, ``right`` and ``base`` are turned so that a line runs to the right; ``view`` numbers the
    directions of the lines, the most frequent first, which is ``turned`` by so many degrees.
    """

    text: Any
    turned: int
    index: NDArray[np.int64]
    codes: NDArray[np.uint32]
    left: _Floats
    right: _Floats
    base: _Floats
    size: _Floats
    view: NDArray[np.int64]
    blank: NDArray[np.bool_]

    @classmethod
    def of(cls, page: pdfium.PdfTextPage, codes: NDArray[np.uint32]) -> _Glyphs | None:
        """Return the characters, None where there is none to see."""
        text = _address(ctypes.cast(page.raw, ctypes.c_void_p).value)
        unseen = _UNSEEN[np.minimum(codes, 0xFFFF)]
        index = np.flatnonzero(~unseen)
        if not index.size:
            return None
        # letters may each end a line, where PDFium takes a page for one that is written downwards
        blanks = np.cumsum(unseen & (codes != 0x0A) & (codes != 0x0D))[index]
        codes = codes[index]
        codes[(codes == _HYPHENS[0]) | (codes == _HYPHENS[1])] = ord("-")
        boxes = _written(_box_of, text, index.tolist(), 2, 0).view(np.float32)
        left, top, right, bottom = boxes.T.astype(float)
        # characters of one font on one line have the same top and bottom
        apart = (np.abs(np.diff(top)) > 0.01) | (np.abs(np.diff(bottom)) > 0.01)
        runs = np.flatnonzero(np.append(True, apart))
        lengths = np.diff(np.append(runs, index.size))
        first = index[runs].tolist()
        a, b, c, d = _written(_matrix_of, text, first, 3, 0).view(np.float32).T.astype(float)[:4]
        size = np.fromiter(map(_size_of, repeat(text), first), float, runs.size)
        size = np.repeat(np.maximum(np.abs(size) * np.hypot(c, d), 0.1), lengths)
        x, base = np.repeat(_written(_origin_of, text, first, 2, 0, 1), lengths, axis=0).T
        angle = np.repeat(np.round(np.degrees(np.arctan2(b, a))).astype(int) % 360, lengths)
        view, turned = np.zeros(index.size, np.int64), 0
        if angle.any():
            angles, view, counts = np.unique(angle, return_inverse=True, return_counts=True)
            turned = int(angles[counts.argmax()])
            view = np.argsort(np.argsort(-counts, kind="stable"))[view]
            cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
            middle = (left + right) / 2 * cos + (top + bottom) / 2 * sin
            half = np.abs((right - left) / 2 * cos) + np.abs((top - bottom) / 2 * sin)
            # the lines of another direction stand below those of the first
            left, right, base = middle - half, middle + half, base * cos - x * sin - 10_000.0 * view
        blank = np.append(True, np.diff(blanks) > 0)
        return cls(text, turned, index, codes, left, right, base, size, view, blank)._once()

    def _once(self) -> _Glyphs:
        """Return the characters without those drawn again a little aside, which looks bold."""
        height, place = np.round(self.base).astype(int), (self.left / (0.15 * self.size)).astype(int)
        keys = np.sort((self.codes.astype(int) << 40) + (height % (1 << 20) << 20) + place % (1 << 20))
        if not (np.diff(keys) == 0).any():
            return self
        order = np.lexsort((self.index, self.left, height, self.codes))
        same = (np.diff(self.codes[order]) == 0) & (np.diff(height[order]) == 0)
        width = (self.right - self.left)[order]
        same &= np.abs(np.diff(width)) < 0.02 * self.size[order][1:]  # letters of one ligature have its box
        width = np.minimum(width[1:], width[:-1])
        aside = np.clip(0.16 * self.size[order][1:], 0.3 * width, 0.7 * width)
        same &= np.diff(self.left[order]) < aside
        same &= np.abs(np.diff(self.index[order])) > 1
        keep = np.ones(self.codes.size, bool)
        keep[np.maximum(order[1:], order[:-1])[same]] = False
        arrays = (getattr(self, item.name)[keep] for item in fields(self)[2:])
        return _Glyphs(self.text, self.turned, *arrays)

    def pieces(self, boxes: list[Stroke]) -> Iterator[TextRun]:
        """Yield the stretches of text without wide gaps."""
        size = np.maximum(self.size[1:], self.size[:-1])
        gap = np.maximum(self.left[1:] - self.right[:-1], self.left[:-1] - self.right[1:])
        alike = np.minimum(self.size[1:], self.size[:-1]) > 0.85 * size
        # a heading of the next column may stand on the line of another
        ends = (gap > np.where(alike, _PIECE_GAP, OTHER_GAP) * size) | (np.diff(self.view) != 0)
        ends |= np.abs(np.diff(self.base)) > np.where(alike, 0.15, 0.6) * size
        ends_number = _ENDS_NUMBER[np.minimum(self.codes[:-1], 127)]
        ends |= (gap > NUMBER_GAP * size) & ends_number & _STARTS_NUMBER[np.minimum(self.codes[1:], 127)]
        ends |= (gap > _WORD_GAP * size) & ends_number & (self.codes[1:] == ord("$"))
        for box in boxes:
            if box.is_upright:
                crossed = (self.right[:-1] <= box.left + 2) & (self.left[1:] >= box.right - 2)
                ends |= crossed & (self.base[1:] > box.bottom) & (self.base[1:] < box.top)
        blank = self.blank.copy()
        blank[1:] = blank[1:] & alike | (gap > _WORD_GAP * size)
        starts = np.flatnonzero(np.append(True, ends))
        blank[starts] = False
        stops = np.append(starts[1:], self.index.size)
        scripts = np.append(0, np.cumsum(~alike))
        letters = np.insert(self.codes, np.flatnonzero(blank), 32).astype("<u4")
        string = letters.tobytes().decode("utf-32-le", "replace")
        has_ligatures = bool((letters >= 0xFB00).any())
        places = np.arange(self.index.size) + np.cumsum(blank)
        columns = (
            starts,
            stops,
            places[starts],
            places[stops - 1] + 1,
            np.minimum.reduceat(self.left, starts),
            np.maximum.reduceat(self.right, starts),
            self.base[starts],
            self.size[starts],
            scripts[stops - 1] > scripts[starts],
        )
        fonts: dict[int, tuple[bool, bool]] = {}
        for start, stop, begin, end, left, right, base, high, mixed in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            text = string[begin:end]
            if mixed:
                text = self._with_scripts(start, stop, blank)
                main = start + int(self.size[start:stop].argmax())
                base, high = float(self.base[main]), float(self.size[main])
            if _TRACKED.match(text):
                text = self._tracked(start, stop, gap)
            if RIGHT_TO_LEFT.search(text):
                text = self._logical(start, stop, blank)
            if has_ligatures:
                text = text.translate(_LIGATURES)
            bold, mono = self._font(start, fonts)
            for at in (stop - 1, (start + stop) // 2) if bold or mono else ():
                also = self._font(at, fonts)
                bold, mono = bold and also[0], mono and also[1]
            yield TextRun(text, left, right, base, high, bold, mono)

    def _tracked(self, start: int, stop: int, gap: _Floats) -> str:
        """Return letters that are set apart without the blanks that PDFium makes up between them."""
        usual = np.median(gap[start : stop - 1])
        text = chr(self.codes[start])
        for k in range(start + 1, stop):
            between = range(int(self.index[k - 1]) + 1, int(self.index[k]))
            is_blank = any(not _is_made_up(self.text, at) for at in between)
            is_blank |= bool(gap[k - 1] > usual + 0.5 * self.size[k])
            text += " " * is_blank + chr(self.codes[k])
        return text

    def _logical(self, start: int, stop: int, blank: NDArray[np.bool_]) -> str:
        """Return text from right to left as it is read, where its letters come in the order of the page."""
        words: list[list[int]] = []
        for k in range(start, stop):
            if blank[k] or not words:
                words.append([])
            words[-1].append(k)
        texts = []
        for word in words:
            text = "".join(chr(self.codes[k]) for k in word)
            is_turned = len(word) > 1 and bool((np.diff(self.left[word]) > 0).all())
            turned = is_turned and bool(RIGHT_TO_LEFT.search(text)) and not any(map(str.isdigit, text))
            texts.append(text[::-1] if turned else text)
        return " ".join(texts)

    def _with_scripts(self, start: int, stop: int, blank: NDArray[np.bool_]) -> str:
        """Return the text with a mark where a raised number would change the number before it."""
        large, text = self.size[start:stop].max(), ""
        line = self.base[start + int(self.size[start:stop].argmax())]

        def script(k: int) -> tuple[bool, bool]:
            small = bool(self.size[k] < 0.85 * large)
            return small, small and bool(self.base[k] > line + 0.15 * large)

        for (small, is_raised), places in groupby(range(start, stop), script):
            piece = "".join(" " * bool(blank[k]) + chr(self.codes[k]) for k in places)
            space = piece[: len(piece) - len(piece.lstrip())]
            text += space + raised(text + space, piece) if small and is_raised and text else piece
        return text

    def _font(self, at: int, known: dict[int, tuple[bool, bool]]) -> tuple[bool, bool]:
        """Return whether the font of a character is bold, and whether it is monospaced."""
        font = _font_of(_object_of(self.text, int(self.index[at]))) or 0
        if font not in known:
            name = ctypes.create_string_buffer(200)
            handle = ctypes.cast(font, api.FPDF_FONT)
            if font:
                api.FPDFFont_GetBaseFontName(handle, name, len(name))
            lower = name.value.decode("latin-1").lower()
            weight = api.FPDFFont_GetWeight(handle) if font else 0
            bold = weight >= _BOLD_WEIGHT or any(word in lower for word in _BOLD)
            known[font] = bold, any(word in lower for word in _MONOSPACED)
        return known[font]


def _codes(page: pdfium.PdfTextPage) -> NDArray[np.uint32]:
    text = _address(ctypes.cast(page.raw, ctypes.c_void_p).value)
    count = api.FPDFText_CountChars(page)
    buffer = (ctypes.c_ushort * (count + 1))()
    if count and api.FPDFText_GetText(page, 0, count, buffer) == count + 1:
        codes = np.frombuffer(buffer, np.uint16)[:count].astype(np.uint32)
        if not ((codes >= 0xD800) & (codes < 0xE000)).any():
            return codes
    codes = np.fromiter(map(_unicode_of, repeat(text), range(count)), np.uint32, count)
    # letters of formulas and pictures are two halves, the second of which is passed over like an end of line
    first = np.flatnonzero((codes[:-1] >> 10 == 0xD800 >> 10) & (codes[1:] >> 10 == 0xDC00 >> 10))
    codes[first] = 0x10000 + ((codes[first] & 0x3FF) << 10 | codes[first + 1] & 0x3FF)
    codes[first + 1] = 0x0D
    return codes


def _notes(
    document: pdfium.PdfDocument, page: pdfium.PdfPage, pieces: list[TextRun], turned: int
) -> tuple[list[TextRun], int]:
    """Return what is filled in or written onto a page, and how many characters comments have."""
    notes: list[TextRun] = []
    comments = 0
    for index in range(api.FPDFPage_GetAnnotCount(page)):
        handle = api.FPDFPage_GetAnnot(page, index)
        kind = api.FPDFAnnot_GetSubtype(handle)
        hidden = api.FPDFAnnot_GetFlags(handle) & api.FPDF_ANNOT_FLAG_HIDDEN
        if kind == api.FPDF_ANNOT_WIDGET and document.formenv and not hidden:
            text, name = _field(document.formenv, handle, is_alone=not pieces)
        else:
            text, name = _string(api.FPDFAnnot_GetStringValue, handle, b"Contents"), ""
            if kind not in (api.FPDF_ANNOT_FREETEXT, api.FPDF_ANNOT_WIDGET) or hidden:
                comments += len(text) * (kind not in (api.FPDF_ANNOT_LINK, api.FPDF_ANNOT_POPUP))
                text = ""
        if text.strip():
            sides = api.FS_RECTF()
            api.FPDFAnnot_GetRect(handle, sides)
            box = Stroke(sides.left, sides.bottom, sides.right, sides.top).turned(turned)
            notes += _placed(text, name, box, pieces)
        api.FPDFPage_CloseAnnot(handle)
    return notes, comments


def _field(form: pdfium.PdfFormEnv, handle: Any, *, is_alone: bool) -> tuple[str, str]:
    """Return the value of a form field, and its name; an empty box on a page without text is no text."""
    kind = api.FPDFAnnot_GetFormFieldType(form, handle)
    name = _string(api.FPDFAnnot_GetFormFieldAlternateName, form, handle)
    name = name or _string(api.FPDFAnnot_GetFormFieldName, form, handle).split(".")[-1]
    if kind in (api.FPDF_FORMFIELD_CHECKBOX, api.FPDF_FORMFIELD_RADIOBUTTON):
        checked = api.FPDFAnnot_IsChecked(form, handle)
        if kind == api.FPDF_FORMFIELD_RADIOBUTTON:
            value = _string(api.FPDFAnnot_GetFormFieldExportValue, form, handle)
            return (f"{name}: {value}" if checked else ""), ""
        return ("" if is_alone and not checked else f"{name}: {'yes' if checked else 'no'}"), ""
    is_secret = api.FPDFAnnot_GetFormFieldFlags(form, handle) & api.FPDF_FORMFLAG_TEXT_PASSWORD
    of_text = kind not in (api.FPDF_FORMFIELD_PUSHBUTTON, api.FPDF_FORMFIELD_SIGNATURE)
    if not of_text or (kind == api.FPDF_FORMFIELD_TEXTFIELD and is_secret):
        return "", ""
    options = range(api.FPDFAnnot_GetOptionCount(form, handle))
    chosen = [at for at in options if api.FPDFAnnot_IsOptionSelected(form, handle, at)]
    # what is shown of an option is not what the file calls it, and several may be chosen
    labels = [_string(api.FPDFAnnot_GetOptionLabel, form, handle, at) for at in chosen]
    return ", ".join(labels) or _string(api.FPDFAnnot_GetFormFieldValue, form, handle), name


def _placed(text: str, name: str, box: Stroke, pieces: list[TextRun]) -> Iterator[TextRun]:
    """Yield the lines of a value: on the line of the label before it, with the field's name if none is."""
    same = [p for p in pieces if box.bottom - 3 <= p.y <= box.top and p.x < box.left]
    label = max(same, key=lambda piece: piece.end, default=None)
    y, size = (label.y, label.size) if label else (box.top - 10.0, 10.0)
    said, _, value = text.partition(": ")
    if not label and name:
        text = f"{name}: {text}"
    elif label and value and label.text.rstrip(" :").casefold() == said.casefold():
        text = value  # a box that is named as its label says
    for row, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")):
        if line.strip():
            yield TextRun(line.strip(), box.left, max(box.right, box.left + 1), y - row * 1.2 * size, size)


def _string(function: Callable[..., int], *arguments: Any) -> str:
    size = function(*arguments, None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    function(*arguments, ctypes.cast(buffer, ctypes.POINTER(api.FPDF_WCHAR)), size)
    return buffer.raw[: size - 2].decode("utf-16-le", "replace")
