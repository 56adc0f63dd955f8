"""Commands on files before they are indexed: documents show."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hybrid.cli import console
from hybrid.cli.options import Context, group, verb
from hybrid.documents import ReaderPool, by_suffix, scan
from hybrid.errors import EXIT_PARTIAL, UsageError
from hybrid.types import Block, Document, LeftOut, Rejected, share_kept

app = group("See what the readers make of a file.")


@verb(app, "show")
def show(
    context: Context,
    path: Annotated[Path, Argument(help="A file, or a folder of them.")],
    text_field: Annotated[str | None, Option("--text-field", help="Field of a CSV or JSONL row.")] = None,
) -> int:
    """Show what the reader hands over of a file, block by block, and what it leaves out."""
    settings = context.settings({"documents": {"text_field": text_field}}).documents
    found = scan(path, settings)
    if not found.files and not found.rejected:
        what = f"no reader for {by_suffix(found.unread)}" if found.unread else "it is empty"
        raise UsageError(
            f"nothing of {path} can be read: {what}", hint="hybrid documents show FILE says which are"
        )
    with ReaderPool(settings) as pool:
        items = [*found.rejected, *(item for batch in pool.read(found.files) for item in batch.items)]
    if context.as_json:
        console.json_document({"items": items})
    else:
        for item in items:
            _show(item)
    if found.unread:
        console.note(f"no reader for {console.one_line(by_suffix(found.unread), 400)}")
    whole = all(isinstance(item, Document) and not any(part.lost for part in item.left_out) for item in items)
    return 0 if whole and not found.unread else EXIT_PARTIAL


def described(parts: Sequence[LeftOut]) -> str:
    """Return what was left out on one line: how often of each kind, how long, and whether it is lost."""
    return "; ".join(
        (
            f"{part.count:,} of {part.of:,} pages {part.kind[5:]}"
            if part.of
            else f"{part.count:,} x {part.kind}"
        )
        + (f" ({part.characters:,} characters)" if part.characters else "")
        + (", lost" if part.lost else "")
        for part in sorted(parts, key=lambda part: not part.lost)
    )


def kept(characters: int, parts: Sequence[LeftOut], *, digits: int = 0) -> str:
    """Return which share of a file's characters is kept, as far as they could be counted."""
    unread = any(part.lost and not part.characters for part in parts)
    return f"{share_kept(characters, parts):.{digits}%}{' of what could be read' * unread} kept"


def _show(item: Document | Rejected) -> None:
    name = console.name(item.source, 100)
    if isinstance(item, Rejected):
        console.data(f"{name}: not read: {item.reason}")
        return
    pages = f", {len(item.pages):,} pages" if item.pages else ""
    share = kept(len(item.text), item.left_out, digits=1)
    console.data(f"{name}: {item.title!r}, {len(item.text):,} characters{pages}, {share}")
    for field, value in item.metadata.items():
        console.data(f"  {field} = {value}")
    if item.left_out:
        console.data(f"  left out: {described(item.left_out)}")
    last = 0
    for place, blocks in groupby(item.blocks, key=lambda block: _page(item, block)):
        _show_empty(last + 1, place)
        last = place
        if place:
            console.data(f"  page {place}")
        for block in blocks:
            _show_block(item.text[block.start : block.end], block)
    _show_empty(last + 1, len(item.pages) + 1)


def _show_empty(first: int, stop: int) -> None:
    for place in range(first, stop):
        console.data(f"  page {place}: no text begins here")


def _page(document: Document, block: Block) -> int:
    return bisect_right(document.pages, block.start)


def _show_block(text: str, block: Block) -> None:
    level = f" {block.level}" if block.level else ""
    line = f", line {block.line}" if block.line else ""
    console.data(f"    [{block.kind.value}{level}{line}]")
    if block.caption:
        console.data(f"      caption: {block.caption}")
    if block.columns:
        console.data(f"      columns: {' | '.join(block.columns)}")
    for part in text.split("\n"):
        console.data(f"      {part}")
