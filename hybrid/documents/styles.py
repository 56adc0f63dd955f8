"""What a word processor means by its styles: levels, labels, names of tables, contents, heads of pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hybrid.documents.builder import RawBlock, TextBuilder, one_line
from hybrid.documents.markup import count_heads, is_table_name, is_unit, tags
from hybrid.types import BlockKind

# the names of built-in styles are English where Word wrote the file, and the user's elsewhere
_HEADING = re.compile(
    r"(?:heading|ü?berschrift|titre|título|titolo|kop|rubrik|nagłówek|заголовок|标题|標題|見出し)\s?([1-9])\b",
    re.IGNORECASE,
)
LIST_STYLE = re.compile(r"list ?(?:bullet|number) ?(\d?)$", re.IGNORECASE)
CONTENTS_STYLE = re.compile(r"toc ?\d", re.IGNORECASE)
CAPTION_STYLE = re.compile("(?:table )?caption$", re.IGNORECASE)
# boxes of a form are drawn as the signs of a list
BOXES = frozenset("☐☑☒✓✔✗✘")
PAGE_FIELDS = ("PAGE", "NUMPAGES", "SECTIONPAGES")
# stands for the number of a page until the line around it is known
PAGE = "\0"
_FIGURE = re.compile(r"fig|abb|图|圖|図", re.IGNORECASE)
# the words that count pages
_COUNTING = tags(
    "page pages pg pag pág p pp sheet of seite seiten blatt s von página páginas pagina pagine de di da do du"
    " sur sida sidan side av af sivu strona str z ze strana stránka strany oldal sayfa страница стр лист из"
    " 第 页 頁 共 ページ 페이지 쪽 σελίδα από van"
)
_AT_ENDS = " |/·•–—-"
_LONGEST_NAME = 300


def named_level(name: str) -> int:
    """Return the level that a name says; who wrote it, and when, is written like a title and is none."""
    match = _HEADING.match(name)
    return int(match[1]) if match else int(name.lower() == "title")


def block_of(text: str, *, level: int = 0, label: str = "", depth: int = 0, role: str = "") -> RawBlock:
    """Return a paragraph by what its style says: a heading, an item of a list, or one with a role."""
    if level and len(text) <= _LONGEST_NAME:
        numbered = f"{label} {one_line(text)}" if label not in ("", "-") else one_line(text)
        return RawBlock(BlockKind.HEADING, numbered, level)
    if role == "contents":
        return RawBlock(BlockKind.PARAGRAPH, text, role=role)
    if label:
        return RawBlock(BlockKind.LIST, f"{'  ' * depth}{label} {one_line(text)}", role="item")
    return RawBlock(BlockKind.PARAGRAPH, text, role=role or "caption" * is_table_name(text))


def table_blocks(grid: list[tuple[str | None, ...]], heads: int) -> Iterator[RawBlock]:
    """Yield a table below its name, which a row of one cell above all others is; heads are found if none."""
    while len(grid) > 1 and grid[0] and grid[0][0] and not any(cell is not None for cell in grid[0][1:]):
        yield RawBlock(BlockKind.PARAGRAPH, grid.pop(0)[0] or "", role="caption")
        heads -= 1
    heads = heads if 0 < heads < len(grid) else count_heads(grid)
    yield RawBlock(BlockKind.TABLE, "", rows=tuple(grid), heads=heads)


def running_text(text: str) -> str:
    """Return what the head or foot of a page says, without the lines that only count the pages."""
    return "\n".join(filter(None, map(_without_page, text.split("\n"))))


def _without_page(line: str) -> str:
    if PAGE not in line:
        return one_line(line)
    rest = line.replace(PAGE, " ")
    return one_line(rest).strip(_AT_ENDS) if set(re.findall(r"\w+", rest.lower())) - _COUNTING else ""


def named(blocks: Sequence[RawBlock], builder: TextBuilder) -> Iterator[RawBlock]:
    """Yield the blocks, tables with their names, without lines of contents that a heading repeats."""
    headings = {one_line(block.text) for block in blocks if block.kind is BlockKind.HEADING}
    headings |= {text.partition(" ")[2] for text in headings if text[:1].isdigit()}
    for at, block in enumerate(blocks):
        if block.role == "contents" and len(block.text) <= _LONGEST_NAME:
            entry = one_line(re.sub(r"[\s.…]*(?:\d+|[ivxlc]+)?$", "", block.text))
            if entry in headings or entry.partition(" ")[2] in headings:
                builder.leave_out("table of contents", len(block.text))
                continue
        if block.kind is BlockKind.TABLE and not block.caption:
            block = replace(block, caption=_caption(blocks, at))
        yield block


def _caption(blocks: Sequence[RawBlock], at: int) -> str:
    """Return the lines that name a table: those right above it, else the one right below."""
    names: list[str] = []
    for block in reversed(blocks[max(0, at - 3) : at]):
        counts = block.kind is BlockKind.PARAGRAPH and is_unit(block.text)
        if not counts and not _is_name(block, blocks[at]):
            break
        names.insert(0, block.text)
    below = blocks[at + 1 : at + 3]
    if not names and below and _is_name(below[0], blocks[at]):
        is_of_next = len(below) > 1 and below[1].kind is BlockKind.TABLE
        return "" if is_of_next else below[0].text
    return " ".join(names)


def _is_name(block: RawBlock, beside: RawBlock) -> bool:
    return block.role == "caption" and (beside.role == "chart" or not _FIGURE.match(block.text))
