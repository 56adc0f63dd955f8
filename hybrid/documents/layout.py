"""Pieces of text on pages in reading order, as headings, paragraphs, lists, tables and listings.

Each page is put in order first (``segmentation``), then the lines of all of them (layout analysis): running
heads go, paragraphs run over columns and pages, hyphens are mended.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import NamedTuple

from hybrid.documents.builder import CJK, TextBuilder
from hybrid.documents.cells import CAPTION, Row, Stroke, Table, TextRun, rows_of
from hybrid.documents.segmentation import SENTENCE_END, arrange
from hybrid.types import CELLS, BlockKind

# what no list begins with: a number other than one, a capital other than A and I
_LATER_ITEM = re.compile(r"(?!1[.)])\d{1,3}[.)]\s|(?![AI])[A-Z]\.\s")
_ITEM = re.compile(r"(?:[•◦▪‣∙·●○■–—*-]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)]|\[\d{1,3}\])\s+\S")
_NUMBERED = re.compile(
    r"(?:chapter|section|appendix|annex|part)\b|(?:[A-Z]|\d{1,3})(?:\.\d{1,3})*\.?\s+\S", re.I
)
_LEADER = re.compile(r"\s*(?:\.\s?){4,}|\s*(?:\.\s?){3}(?=\d+$)")
_NUMBERS = re.compile(r"\d+|(?<![^\W\d_])[ivxlc]{1,7}(?![^\W\d_])", re.IGNORECASE)
_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_BROKEN = re.compile(r"(\S*\w)-$")
# what stands before a hyphen that stays, also at the end of a line
_COMPOUND = re.compile(
    r"\w|.*[-\d].*|[A-Z]+"
    r"|(?i:well|self|non|long|short|high|low|half|cross|ex|full|part|mid|two|three|four|five|year)"
)
_TWO_WORDS = re.compile(r"(?:and|or|to|und|oder|bis|et|y)\b")
_CJK_BLANK = re.compile(f"(?<={CJK})[ \u3000](?={CJK})")
_SCALE = re.compile(r"\b(?:thousand|million|billion|percent|dollar|euro|unaudited|except)", re.I)
# A text at the edge of so many pages is a running head (they differ on left and right pages).
_MIN_REPEATS = 3
_EDGE = 0.15
_TURNED = 5_000
_EDGE_ROWS = 4
_LOOSE_STEP = 1.25
_HEADING_STEP = 1.4
_HEADING_SIZE = 1.12
_HEADING_LENGTH = 200
_BOLD_HEADING_LENGTH = 100
_CAPTION_LENGTH = 300
_LEVELS = 6
# characters: a line of fewer ends before the end of its column
_SHORT = 30


class Page(NamedTuple):
    """What stands on a page: text, lines and rectangles, its frame, how many characters are not in its text.

    These are of comments, or signs to which the font gives no letter.

    ``by_ocr`` says that the text was read from a picture, ``pictured`` that one fills half of the page, and
    little else is on it.
    """

    pieces: list[TextRun]
    boxes: list[Stroke]
    frame: Stroke = Stroke(0, 0, 0, 0)
    comments: int = 0
    unnamed: int = 0
    by_ocr: bool = False
    pictured: bool = False


@dataclass(slots=True)
class _Group:
    """Lines that belong together; ``turns`` holds the line numbers at which a page begins."""

    lines: list[TextRun] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    step_before: float = 0.0


def add_pages(builder: TextBuilder, pages: list[Page]) -> int:
    """Append the blocks of all pages, and mark where each page begins; return how many have no text.

    A picture of a page has none, whatever running head was put on it.
    """
    kept = _without_edges(builder, pages)
    textless = sum(
        not rest.pieces and (page.pictured or not page.pieces) for page, rest in zip(pages, kept, strict=True)
    )
    lines = [arrange(page.pieces, page.boxes) for page in kept]
    if any(lines):
        _Layout(builder, [line for page in lines for line in page if not line.table]).run(lines)
    return textless


class _Layout:
    def __init__(self, builder: TextBuilder, lines: list[TextRun]) -> None:
        self._builder = builder
        sizes: Counter[float] = Counter()
        for line in lines:
            sizes[round(line.size, 1)] += len(line.text)
        self._body = sizes.most_common(1)[0][0] if sizes else 1.0
        self._steps = _usual_steps(lines)
        self._leading = self._steps.get(round(self._body), 1.2 * self._body)
        self._words = Counter(word for line in lines for word in _WORD.findall(line.text.lower()))
        large = sorted({round(s) for s in sizes if s >= _HEADING_SIZE * self._body}, reverse=True)
        self._levels = {size: min(rank, _LEVELS) for rank, size in enumerate(large, start=1)}
        self._above = ""
        self._table: Table | None = None

    def run(self, pages: list[list[TextRun]]) -> None:
        group = _Group()
        waiting = 0
        for page in pages:
            waiting += 1
            for line in page:
                if line.table:
                    self._add(group)
                    group = _Group()
                    waiting = self._add_table(line.table, waiting)
                    continue
                if group.lines and self._is_border(group, line, new_page=waiting > 0):
                    step = group.lines[-1].y - line.y
                    self._add(group)
                    group = _Group(step_before=step)
                if waiting and not group.lines:
                    self._start_pages(waiting)
                elif waiting:
                    group.turns += [len(group.lines)] * waiting
                waiting = 0
                group.lines.append(line)
        self._add(group)
        self._start_pages(waiting)

    def _start_pages(self, count: int) -> None:
        for _ in range(count):
            self._builder.start_page()

    def _add_table(self, table: Table, waiting: int) -> int:
        """Append a table, to that of the page before where it goes on; return the pages still to begin."""
        table = table._replace(
            rows=[[self._mended(cell.split("\n")) for cell in row] for row in table.rows],
            columns=tuple(self._mended(name.split("\n")) for name in table.columns),
            caption=[self._mended(line.split("\n")) for line in table.caption],
        )
        before, self._table = self._table, table
        if waiting and self._above.endswith(".") and not CAPTION.match(self._above):
            self._above = ""  # the last sentence of the page before
        goes_on = waiting and before and not table.caption and not self._above
        rows = "\n".join(CELLS.join(row) for row in table.rows)
        if goes_on and before and before.goes_on_in(table):
            if table.columns:
                self._builder.leave_out("repeated table head", len(CELLS.join(table.columns)))
            for _ in range(waiting):
                self._builder.start_page(inside=1)
            self._builder.extend(rows, glue="\n")
            self._table = table._replace(columns=before.columns)
            return 0
        self._start_pages(waiting)
        for line in table.caption:
            self._builder.add(BlockKind.PARAGRAPH, line)
        caption = " ".join([self._above, *table.caption]).strip()
        text = "\n".join([CELLS.join(table.columns), rows]).strip("\n")
        self._builder.add(BlockKind.TABLE, text, caption=caption, columns=table.columns)
        self._above = ""
        return 0

    def _is_border(self, group: _Group, line: TextRun, *, new_page: bool) -> bool:
        # where the step down is larger than usual, size or weight changes, a line is indented, or an item
        # begins; a paragraph may run over the end of a column or a page
        last = group.lines[-1]
        if abs(line.size - last.size) > 0.08 * last.size:
            return True
        if (line.bold, line.monospaced) != (last.bold, last.monospaced):
            return True
        if (
            line.parted and last.parted and not line.monospaced
        ):  # rows of a form, or of what is no table otherwise
            return True
        has_leader, follows_one = _has_leader(line.text), _has_leader(last.text)
        if line.monospaced or has_leader or follows_one:
            return new_page or has_leader != follows_one
        step, leading = last.y - line.y, self._steps.get(round(line.size), 1.2 * line.size)
        if _ITEM.match(line.text):
            in_step = 0 < step < _LOOSE_STEP * leading
            return not (in_step and _goes_on_with_a_number(group.lines[0], last, line))
        if new_page or step < -0.5 * leading or step > 4 * leading:
            # the next column or page: the same paragraph only if the sentence plainly goes on
            if step > 0 and not new_page and len(last.text) < _SHORT:
                return True
            return last.text.endswith(SENTENCE_END) or not (
                line.text[0].islower()
                or _BROKEN.search(last.text[-40:])
                or _goes_on_in_cjk(last.text, line.text)
            )
        shift, far = line.x - last.x, 0.8 * line.size
        if shift > far and not _ITEM.match(group.lines[0].text):
            return True
        ends_early = len(last.text) < _SHORT and last.text.endswith(SENTENCE_END[:4])
        return step > _LOOSE_STEP * leading or ends_early or (shift < -far and len(group.lines) > 1)

    def _add(self, group: _Group) -> None:
        if not group.lines:
            return
        self._table = None
        has_leader = _has_leader(group.lines[0].text)
        level = 0 if has_leader else self._heading_level(group)
        # a word or two alone, as where a term is defined
        is_term = len(group.lines) == 1 and len(group.lines[0].text.split()) <= 3
        if level:
            self._add_text(BlockKind.HEADING, group, level=level)
        elif has_leader:
            self._builder.add(
                BlockKind.LIST, "\n".join(_LEADER.sub(" … ", line.text) for line in group.lines)
            )
        elif group.lines[0].monospaced and not is_term:
            self._builder.add(BlockKind.CODE, "\n".join(_indented(group.lines)))
        else:
            kind = BlockKind.LIST if _ITEM.match(group.lines[0].text) else BlockKind.PARAGRAPH
            self._add_text(kind, group)
        text = " ".join(line.text for line in group.lines)
        self._above = _caption_in(text, is_heading=level > 0, before=self._above)

    def _heading_level(self, group: _Group) -> int:
        first = group.lines[0]
        text = " ".join(line.text for line in group.lines)
        if len(text) > _HEADING_LENGTH or sum(map(str.isalpha, text)) < 3:
            return 0
        if level := self._levels.get(round(first.size), 0):
            return level if first.size >= _HEADING_SIZE * self._body else 0
        stands_off = group.step_before > _HEADING_STEP * self._leading or group.step_before <= 0
        if not first.bold or len(text) > _BOLD_HEADING_LENGTH or text[-1] in ".,;:0123456789":
            return 0
        is_title = bool(_NUMBERED.match(text)) or (stands_off and first.text[:1].isupper())
        return min(len(self._levels) + 1, _LEVELS) if is_title and first.size >= 0.95 * self._body else 0

    def _add_text(self, kind: BlockKind, group: _Group, *, level: int = 0) -> None:
        parts = list(self._joined(group))
        self._builder.add(kind, parts[0][1], level=level)
        for pages, text in parts[1:]:
            glue, text = (" ", text[1:]) if text.startswith(" ") else ("", text)
            for _ in range(pages):
                self._builder.start_page(inside=len(glue))
            self._builder.extend(text, glue=glue)

    def _joined(self, group: _Group) -> Iterator[tuple[int, str]]:
        """Yield (pages that begin here, text up to the next page), word breaks mended."""
        texts = [line.text for line in group.lines]
        starts = [0, *sorted(set(group.turns)), len(texts)]
        for start, stop in pairwise(starts):
            text = self._mended(texts[start:stop])
            if start:
                kept, glue = self._seam(texts[start - 1], texts[start])
                text = glue + text
            if stop < len(texts):  # the hyphen before the end of a page goes with it
                kept, _ = self._seam(texts[stop - 1], texts[stop])
                text = text[: len(text) - len(texts[stop - 1]) + kept]
            yield group.turns.count(start), text

    def _mended(self, lines: list[str]) -> str:
        """Return the lines as one text."""
        parts = []
        for last, line in pairwise([*lines, ""]):
            kept, glue = self._seam(last, line)
            parts += [last[:kept], glue] if line else [last]
        text = "".join(parts)
        return text if text.isascii() else _CJK_BLANK.sub("", text)

    def _seam(self, last: str, line: str) -> tuple[int, str]:
        """Return how many characters of a line stay before the next one, and what stands between them."""
        if _goes_on_in_cjk(last, line):
            return len(last), ""
        broken = _BROKEN.search(last[-40:]) if last[-1:] == "-" else None
        if not broken or _TWO_WORDS.match(line):
            return len(last), " "
        return len(last) - self._is_one_word(broken[1], line), ""

    def _is_one_word(self, start: str, rest: str) -> bool:
        """Return whether the hyphen goes: it stays where the text has the word only with it."""
        match = _WORD.match(rest)
        if not match or not rest[0].islower():
            return False
        end, start = match[0].lower(), re.sub(r"^\W+", "", start)
        if self._words[start.lower() + end]:
            return True
        # words of their own, more often than here
        are_two = self._words[start.lower()] > 1 and self._words[end] > 1
        return not (are_two or self._words[f"{start.lower()}-{end}"] or _COMPOUND.fullmatch(start))


def _has_leader(text: str) -> bool:
    return (".." in text or ". ." in text) and _LEADER.search(text) is not None


def _goes_on_in_cjk(last: str, line: str) -> bool:
    return last[-1:] > "\u2e80" and bool(re.match(CJK, last[-1]) and re.match(CJK, line[:1]))


def _caption_in(text: str, *, is_heading: bool, before: str) -> str:
    """Return what of the text above a table names it."""
    text = " ".join(text.split())
    if _SCALE.search(text) and len(text) < 80 and before:
        return f"{before} {text}"
    if is_heading or CAPTION.match(text):
        return text[:_CAPTION_LENGTH]
    if text.endswith(":") or len(text) < 120:
        return re.split(r"(?<=[.!?])\s(?=\D)", text)[-1][-_CAPTION_LENGTH:]
    return ""


def _goes_on_with_a_number(first: TextRun, last: TextRun, line: TextRun) -> bool:
    """Tell whether a line that begins like an item, with ``220.`` or ``B.``, is only the rest of a sentence.

    No list begins with these; in a list, its items would stand where the first one does.
    """
    if not _LATER_ITEM.match(line.text) or last.text.endswith(SENTENCE_END) or len(last.text) < _SHORT:
        return False
    near = 0.5 * line.size
    return abs(line.x - last.x) < near and not (_ITEM.match(first.text) and abs(line.x - first.x) < near)


def _usual_steps(lines: list[TextRun]) -> dict[int, float]:
    """Return the most frequent step from line to line for each size of text."""
    steps: dict[int, Counter[float]] = defaultdict(Counter)
    for last, line in pairwise(lines):
        step = last.y - line.y
        if 0 < step < 2 * max(line.size, 1.0) and abs(line.size - last.size) < 0.5:
            steps[round(line.size)][round(step * 2) / 2] += len(line.text)
    return {size: counts.most_common(1)[0][0] for size, counts in steps.items()}


def _indented(lines: list[TextRun]) -> Iterator[str]:
    left = min(line.x for line in lines)
    for line in lines:
        # a glyph of a monospaced font is 0.6 of its size wide
        blanks = round((line.x - left) / (0.6 * line.size)) if line.size else 0
        yield " " * min(max(blanks, 0), 80) + line.text


class _Edge(NamedTuple):
    """A piece of the outermost row of a page at its top or bottom."""

    page: int
    piece: TextRun
    pattern: str
    numbers: tuple[int, ...]
    height: int


def _without_edges(builder: TextBuilder, pages: list[Page]) -> list[Page]:
    """Leave out what returns at the top or the bottom of the pages, and numbers that count them."""
    # what is turned stands below the page
    turned = [[piece for piece in page.pieces if piece.y < page.frame.bottom - _TURNED] for page in pages]
    rows = [
        rows_of([piece for piece in page.pieces if piece.y >= page.frame.bottom - _TURNED]) for page in pages
    ]
    # what stands elsewhere on the pages, too, is a heading and no running head
    inner = Counter(piece.text for page in rows for row in page[_EDGE_ROWS:-_EDGE_ROWS] for piece in row)
    for top in (True, False):
        active = list(range(len(pages)))
        for _ in range(_EDGE_ROWS):
            edges = [edge for page in active for edge in _edges(page, pages[page], rows[page], top=top)]
            active = []
            for edge in _repeated(edges, inner):
                builder.leave_out("running head", len(edge.piece.text))
                row = rows[edge.page][0 if top else -1]
                row.remove(edge.piece)
                if not row:
                    rows[edge.page].remove(row)
                    rest = rows[edge.page]
                    if rest and abs(rest[0 if top else -1][0].y - edge.piece.y) < 3 * edge.piece.size:
                        active.append(edge.page)
    kept = [[*chain.from_iterable(rest), *beside] for rest, beside in zip(rows, turned, strict=True)]
    # a document that repeats itself on every page has no edges but the text itself
    return (
        [page._replace(pieces=rest) for page, rest in zip(pages, kept, strict=True)] if any(kept) else pages
    )


def _edges(number: int, page: Page, rows: list[Row], *, top: bool) -> Iterator[_Edge]:
    row, inner = (rows if top else rows[::-1])[:2] if len(rows) > 1 else (*rows, [], [])[:2]
    if 1 < len(row) <= len(inner) and abs(row[0].y - inner[0].y) < 2.2 * row[0].size:
        return  # the heads of a table
    for piece in row:
        height = page.frame.top - piece.y if top else piece.y - page.frame.bottom
        if height < _EDGE * (page.frame.top - page.frame.bottom):
            numbers = tuple(map(_number, _NUMBERS.findall(piece.text)))
            yield _Edge(number, piece, _NUMBERS.sub("#", piece.text), numbers, round(height / 4))


def _number(text: str) -> int:
    if text.isdigit():
        return int(text[:9])
    values = [*(_ROMAN[letter] for letter in text.lower()), 0]
    return sum(-value if value < after else value for value, after in pairwise(values))


def _repeated(edges: list[_Edge], inner: Counter[str]) -> list[_Edge]:
    """Return the edges whose text is on others, too, or would be but for a number that counts the pages."""
    groups: dict[tuple[object, ...], list[_Edge]] = defaultdict(list)
    for edge in edges:
        if inner[edge.piece.text] < 2:
            groups[edge.pattern, edge.numbers, edge.height].append(edge)
        for place, value in enumerate(edge.numbers):
            rest = edge.numbers[:place] + edge.numbers[place + 1 :]
            groups[edge.pattern, rest, place, value - edge.page].append(edge)
    found: dict[tuple[int, TextRun], _Edge] = {}
    for key, group in groups.items():
        on = {edge.page for edge in group}
        if len(on) >= (_MIN_REPEATS if len(key) == 3 or group[0].pattern == "#" else _MIN_REPEATS - 1):
            found |= {(edge.page, edge.piece): edge for edge in group}
    return list(found.values())
