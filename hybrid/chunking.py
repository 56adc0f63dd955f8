"""Documents are split into chunks along their structure, within a budget of tokens."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hybrid.config import ChunkSettings
from hybrid.errors import ConfigError
from hybrid.text.rows import is_record
from hybrid.text.sentences import sentence_spans, stripped
from hybrid.types import Block, BlockKind, Chunk, Document, FileLine, Span, TokenCounter

# Changes with the way of splitting: files are split again when it does.
CHUNKING_VERSION = 4
# So many characters may not fit into the path of what is below, which is all that tells of a bare heading.
_LONG_TITLE = 80

# What "0 = as much as the embedder takes" means for an embedder that takes whole books.
_SENSIBLE_TOKENS = 256
# Torn apart, a table or a program says little: they are kept whole whenever they fit.
_RIGID = (BlockKind.CODE, BlockKind.TABLE)
# Where so many characters name the columns a row fills chunks by itself, and no name finds its cell.
_LONGEST_NAMES = 2_000
# What leads to a table ends so, or speaks of it, and is no longer than a sentence.
_SHOWS = re.compile(r":$|\btable\b|\bfollow(?:s|ing)\b|\bbelow\b|\(.*\bin \w+s\b.*\)", re.IGNORECASE)
_NAMED = 300
# A word longer than any is one token, "unknown", to most models: so many letters count as one at least.
_LETTERS, _UNKNOWN = 8, 100
# A chunk at least this full is closed rather than topped up with a part of the next block.
_FULL_ENOUGH = 0.5


@dataclass(frozen=True, slots=True)
class SizedChunk:
    """A chunk and the number of tokens of its embedded text."""

    chunk: Chunk
    tokens: int


@dataclass(frozen=True, slots=True)
class _TableHead:
    """What stands above the rows of a table, and how many tokens it takes.

    ``record`` is where the record begins whose first field this is, -1 above a table.
    """

    caption: str
    columns: tuple[str, ...]
    tokens: int
    record: int = -1


@dataclass(frozen=True, slots=True)
class _Cut:
    """A chunk that is not measured yet."""

    span: Span
    headings: tuple[str, ...]
    head: _TableHead | None


@dataclass(frozen=True, slots=True)
class _Atom:
    """The smallest stretch that is kept whole.

    ``opens`` marks the first of a block, ``rigid`` a block of code or a table, ``head`` the row of a table.
    """

    start: int
    end: int
    tokens: int
    opens: bool
    rigid: bool
    block_tokens: int
    head: _TableHead | None


@dataclass(frozen=True, slots=True)
class _Headed:
    """A stretch below one heading path; ``title`` is where its own heading stands."""

    headings: tuple[str, ...]
    title: Block | None
    blocks: tuple[Block, ...]


def chunk_document(
    document: Document, counter: TokenCounter, settings: ChunkSettings, *, max_tokens: int
) -> list[SizedChunk]:
    """Split a document; ``chunk.text == document.text[chunk.start:chunk.end]``, always.

    Headings are not part of a chunk's text: they stand in its path, which is embedded before the text. Inside
    a section, sentences, list items, table rows and lines of code are packed greedily; a block that fits into
    a chunk of its own is not torn apart for the sake of filling the one before it. Without blocks paragraphs
    are found by blank lines. Sizes are in tokens as ``counter`` counts, alike the embedder, which takes
    ``max_tokens``.

    Raises:
        ConfigError: the settings ask for more tokens than the embedder takes.
    """
    limit = token_limit(settings, max_tokens)
    drafts: list[_Cut] = []
    for section in _sections(document):
        headings = _fitting_path(section.headings, counter, min(settings.heading_tokens, limit // 3))
        if section.title is not None and section.blocks and headings and headings[-1] != section.headings[-1]:
            # what a path has no room for, such as a paragraph above a rule of Markdown, is text too
            section = replace(section, blocks=(section.title, *section.blocks))
        drafts += _section_drafts(document, section, headings, counter, settings, limit)
    # one call for the whole document: a call costs as much as the tokens of a short chunk
    counts = counter.count_tokens([_chunk(document, draft).embedded_text for draft in drafts])
    sized: list[SizedChunk] = []
    for draft, tokens in zip(drafts, counts, strict=True):
        fits = [(draft, tokens)] if tokens <= limit else _halved(document, draft, counter, limit)
        for part, part_tokens in fits:
            sized.append(SizedChunk(_chunk(document, part, ordinal=len(sized)), part_tokens))
    return _with_lines(document, sized)


def as_one_chunk(document: Document, counter: TokenCounter, settings: ChunkSettings) -> SizedChunk:
    """Return all of a document as one chunk below its title, however long it is."""
    title = (document.title,) if document.title else ()
    headings = _fitting_path(title, counter, settings.heading_tokens)
    chunk = _chunk(document, _Cut(Span(0, len(document.text)), headings, None))
    return SizedChunk(chunk, counter.count_tokens([chunk.embedded_text])[0])


def _chunk(document: Document, draft: _Cut, *, ordinal: int = 0) -> Chunk:
    span, head = draft.span, draft.head
    return Chunk(
        source=document.source,
        ordinal=ordinal,
        start=span.start,
        end=span.end,
        text=document.text[span.start : span.end],
        headings=draft.headings,
        page=bisect_right(document.pages, span.start) or None,
        metadata=document.metadata,
        caption=head.caption if head else "",
        columns=head.columns if head else (),
    )


def _with_lines(document: Document, sized: list[SizedChunk]) -> list[SizedChunk]:
    """Return chunks that know where their blocks begin in the user's file, if it has lines."""
    lines = list(_lines_of(document))
    if not lines:
        return sized
    offsets = [line.offset for line in lines]
    found: list[SizedChunk] = []
    now = lines[0]
    for item in sized:
        start = item.chunk.start
        first, last = bisect_right(offsets, start), bisect_left(offsets, item.chunk.end)
        # where the chunk begins, counted on from the nearest line before that is known
        known = max(now, lines[max(first - 1, 0)], key=lambda line: line.offset)
        if known.offset <= start:
            now = FileLine(start, known.number + document.text.count("\n", known.offset, start))
        begun = (now, *lines[first:last]) if now.offset == start else tuple(lines[first:last])
        found.append(replace(item, chunk=replace(item.chunk, lines=begun)))
    return found


def _lines_of(document: Document) -> Iterator[FileLine]:
    for block in filter(lambda block: block.line, document.blocks):
        yield FileLine(block.start, block.line)
        starts = [block.start + part.start for part in _lines(document.text[block.start : block.end])]
        # the fields of a record stand on one line
        if is_record(document.source) or (block.kind is BlockKind.LIST and block.columns):
            yield from (FileLine(start, block.line) for start in starts[1:])
        elif block.kind is BlockKind.TABLE:
            # below the head of a table stands a line of dashes, which is no row
            yield from (FileLine(start, block.line + 2) for start in starts[1:2])


def token_limit(settings: ChunkSettings, max_tokens: int) -> int:
    """Return how many tokens a chunk with its heading path may have."""
    if settings.max_tokens > max_tokens:
        raise ConfigError(
            f"`chunks.max_tokens` is {settings.max_tokens}, the embedder takes {max_tokens}: the rest "
            "would be cut off silently",
            hint=f"set it to {max_tokens} or less, or to 0",
        )
    return settings.max_tokens or min(max_tokens, _SENSIBLE_TOKENS)


def _sections(document: Document) -> Iterator[_Headed]:
    """Group the blocks below their headings."""
    path: list[tuple[int, str]] = [(0, document.title)] if document.title else []
    title: Block | None = None
    body: list[Block] = []
    for block in document.blocks or _paragraphs(document.text):
        if block.kind is not BlockKind.HEADING:
            body.append(block)
            continue
        # a heading without a body is in the path of what is below it, or else a section of its own
        is_long = title is not None and title.end - title.start > _LONG_TITLE
        if body or (title is not None and (is_long or block.level <= title.level)):
            yield _Headed(_titles(path), title, tuple(body))
        level = max(block.level, 1)
        path = [entry for entry in path if entry[0] < level]
        path.append((level, " ".join(document.text[block.start : block.end].split())))
        title, body = block, []
    if body or title is not None:
        yield _Headed(_titles(path), title, tuple(body))


def _titles(path: list[tuple[int, str]]) -> tuple[str, ...]:
    """Return the path without a title that only repeats the one above it."""
    titles = [title for _, title in path]
    return tuple(title for place, title in enumerate(titles) if place == 0 or title != titles[place - 1])


def _paragraphs(text: str) -> Iterator[Block]:
    start = 0
    for part in text.split("\n\n"):
        if part.strip():
            yield Block(BlockKind.PARAGRAPH, start, start + len(part))
        start += len(part) + 2


def _fitting_path(headings: tuple[str, ...], counter: TokenCounter, budget: int) -> tuple[str, ...]:
    """Return the innermost titles that fit the budget; one that is too long alone is cut at a token."""
    kept: list[str] = []
    left = budget
    counts = counter.count_tokens([f" > {title}" for title in headings]) if headings else []
    for title, tokens in zip(reversed(headings), reversed(counts), strict=True):
        if tokens > left:
            if not kept and left > 0:
                kept.append(title[: counter.token_spans(title)[left - 1].end])
            break
        kept.append(title)
        left -= tokens
    return tuple(reversed(kept))


def _section_drafts(
    document: Document,
    section: _Headed,
    headings: tuple[str, ...],
    counter: TokenCounter,
    settings: ChunkSettings,
    limit: int,
) -> Iterator[_Cut]:
    path_tokens = counter.count_tokens([" > ".join(headings)])[0] if headings else 0
    budget = max(limit - path_tokens, 1)
    blocks = section.blocks
    if not blocks and section.title is not None:
        blocks = (section.title,)
    units = _units(document, blocks, counter, budget, head_tokens=limit // 2)
    for span, head in _pack(units, budget, settings.overlap_tokens):
        yield _Cut(span, headings, head)


def _units(
    document: Document, blocks: Sequence[Block], counter: TokenCounter, budget: int, *, head_tokens: int
) -> list[_Atom]:
    """Cut blocks into the stretches that are kept whole, none above the budget."""
    text, before = document.text, (None, *blocks)
    heads = [
        _head(block, _leading(text, last), counter, head_tokens)
        for last, block in zip(before, blocks, strict=False)
    ]
    spans: list[list[Span]] = []
    for block in blocks:
        inner = text[block.start : block.end]
        parts = sentence_spans(inner) if block.kind is BlockKind.PARAGRAPH else _lines(inner)
        spans.append([Span(block.start + part.start, block.start + part.end) for part in parts])
    texts = [text[part.start : part.end] for parts in spans for part in parts]
    counts = map(_size, texts, counter.count_tokens(texts))
    units: list[_Atom] = []
    for block, head, parts in zip(blocks, heads, spans, strict=True):
        sized = [(part, next(counts)) for part in parts]
        whole = sum(tokens for _, tokens in sized)
        if block.kind is BlockKind.LIST and (
            block.columns or (is_record(document.source) and whole > budget)
        ):
            # a record that fills several chunks: each begins with its first field, which says whose it is
            first, tokens = sized[0]
            fits = tokens <= head_tokens
            head = _TableHead(text[first.start : first.end], (), tokens, block.start) if fits else None
        room = budget - head.tokens if head else budget
        whole += budget - room
        pieces = [
            piece
            for part, tokens in sized
            for piece in ([(part, tokens)] if tokens <= room else _hard_split(text, part, counter, room))
        ]
        units.extend(
            _Atom(part.start, part.end, tokens, place == 0, block.kind in _RIGID, whole, head)
            for place, (part, tokens) in enumerate(pieces)
        )
    return units


def _size(text: str, tokens: int) -> int:
    return tokens if len(text) <= _LETTERS * tokens else max(tokens, len("".join(text.split())) // _LETTERS)


def _leading(text: str, block: Block | None) -> str:
    """Return the sentence before a table that says what it shows, such as "Sales were (in millions):"."""
    if block is None or block.kind is not BlockKind.PARAGRAPH:
        return ""
    (*_, last) = [Span(0, 0), *sentence_spans(text[block.start : block.end])]
    sentence = text[block.start + last.start : block.start + last.end]
    shows = _SHOWS.search(sentence) is not None and len(sentence) <= _NAMED
    return " ".join(sentence.split()) if shows else ""


def _head(block: Block, leading: str, counter: TokenCounter, budget: int) -> _TableHead | None:
    """Return what stands above the rows of a table; what is too long for a chunk to bear is left out."""
    if block.kind is not BlockKind.TABLE:
        return None
    best = _TableHead("", (), 0)
    names = block.columns if sum(map(len, block.columns)) <= _LONGEST_NAMES else ()
    named = block.caption or leading
    for caption, columns in (("", names), (named, ()), (named, names)):
        embedded = Chunk("", 0, 0, 0, "", caption=caption, columns=columns).embedded_text
        tokens = counter.count_tokens([embedded])[0]
        if tokens <= budget:
            best = _TableHead(caption, columns, tokens)
    return best


def _lines(text: str) -> list[Span]:
    spans, start = [], 0
    for line in text.split("\n"):
        # indentation is part of a line of code, the end of a line is not
        if line.strip():
            spans.append(Span(start, start + len(line.rstrip())))
        start += len(line) + 1
    return spans


def _hard_split(text: str, part: Span, counter: TokenCounter, budget: int) -> list[tuple[Span, int]]:
    """Cut a stretch without any better place, at tokens and if it can be at white space."""
    inner = text[part.start : part.end]
    tokens = [piece for token in counter.token_spans(inner) for piece in _known(token)]
    pieces: list[tuple[Span, int]] = []
    first = 0
    while first < len(tokens):
        last = min(first + budget, len(tokens))
        if last < len(tokens):
            apart = [
                n for n in range(first + max(budget // 2, 1), last) if tokens[n].start > tokens[n - 1].end
            ]
            last = apart[-1] if apart else last
        end = len(inner) if last == len(tokens) else tokens[last].start
        start = 0 if first == 0 else tokens[first].start
        if span := stripped(inner, start, end):
            pieces.append((Span(part.start + span.start, part.start + span.end), last - first))
        first = last
    # a stretch that the tokeniser ignores altogether still belongs to the text
    return pieces or [(part, 1)]


def _known(token: Span) -> list[Span]:
    """Return a token, or pieces of one that is longer than any word."""
    if token.end - token.start <= _UNKNOWN:
        return [token]
    starts = range(token.start, token.end, _LETTERS)
    return [Span(start, min(start + _LETTERS, token.end)) for start in starts]


def _pack(units: list[_Atom], budget: int, overlap: int) -> Iterator[tuple[Span, _TableHead | None]]:
    """Fill chunks greedily; each but the first begins with the end of the one before.

    Rows of two tables share a chunk only where the same stands above both, and a long record shares none.
    """
    first, tokens, head = 0, 0, None
    for place, unit in enumerate(units):
        other = None not in (head, unit.head) and head != unit.head
        other = other or (place > 0 and _record_of(units[place - 1]) != _record_of(unit))
        own = unit.head.tokens if unit.head and not head else 0
        torn = unit.opens and tokens + unit.block_tokens > budget >= unit.block_tokens
        close = other or (torn and (unit.rigid or tokens >= budget * _FULL_ENOUGH))
        full = tokens + own + unit.tokens > budget or close
        whole = unit.opens and unit.block_tokens <= budget
        needed = unit.block_tokens if whole else unit.tokens + (unit.head.tokens if unit.head else 0)
        if full and place > first:
            yield Span(units[first].start, units[place - 1].end), head
            first, tokens = _step_back(units, first, place, min(overlap, budget - needed))
            head = None
        if unit.head and not head:
            head, tokens = unit.head, tokens + unit.head.tokens
        tokens += unit.tokens
    if units:
        yield Span(units[first].start, units[-1].end), head


def _record_of(unit: _Atom) -> int:
    return unit.head.record if unit.head else -1


def _step_back(units: list[_Atom], begun: int, place: int, room: int) -> tuple[int, int]:
    """Return where the next chunk begins and how many tokens it has before the unit at ``place``."""
    first, tokens = place, 0
    while first > begun + 1 and tokens + units[first - 1].tokens <= room:
        before = units[first - 1]
        if before.head not in (None, units[place].head) or _record_of(before) != _record_of(units[place]):
            break  # rows that would stand below the head of another table, or below none
        first -= 1
        tokens += units[first].tokens
    return first, tokens


def _halved(document: Document, draft: _Cut, counter: TokenCounter, limit: int) -> list[tuple[_Cut, int]]:
    """Halve a stretch until it fits: the sum over its pieces was below the count of the whole."""
    span = draft.span
    tokens = counter.count_tokens([_chunk(document, draft).embedded_text])[0]
    if tokens <= limit or span.end - span.start < 2:
        return [(draft, tokens)]
    inner = document.text[span.start : span.end]
    middle = len(inner) // 2
    mark = "\n" if draft.head and "\n" in inner[1:middle] else " "  # a table between rows
    cut = span.start + (inner.rfind(mark, 1, middle) + 1 or middle)
    halves = [stripped(document.text, span.start, cut), stripped(document.text, cut, span.end)]
    return [
        fit for half in halves if half for fit in _halved(document, replace(draft, span=half), counter, limit)
    ]
