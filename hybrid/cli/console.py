"""The terminal: data on stdout, progress and notes on stderr, all of it made printable."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid.errors import StorageError
from hybrid.files import json_text
from hybrid.freshness import Drift
from hybrid.index.sync import Progress, Stage
from hybrid.text.folding import columns_of
from hybrid.types import Chunk, Citation, Rejected, Span, counted, plain

if TYPE_CHECKING:
    from rich.progress import TaskID

_PLAIN_EVERY_SECONDS = 5.0
_SHOWN_REJECTED = 20
# Terminals that follow links, by what they say of themselves.
_FOLLOW_LINKS = frozenset(
    {
        *("iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "Tabby", "rio", "foot", "foot-extra"),
        *("xterm-kitty", "xterm-ghostty", "alacritty", "contour", "wezterm"),
    }
)
_FOLLOWING, _FIRST_VTE = ("KITTY_WINDOW_ID", "WT_SESSION", "KONSOLE_VERSION", "DOMTERM"), 5000
_SHORTEST_TITLE = 12
_UNDERLINE = re.compile("(\x1b\\[2?4m)")


def data(text: str) -> None:
    """Write a line of the result."""
    _write(_shown(text) + "\n")


def piece(text: str) -> None:
    """Write a part of a line of the result at once."""
    _write(_shown(text))
    flush()


def note(text: str) -> None:
    """Write a line beside the result."""
    sys.stderr.write(printable(text) + "\n")


def flush() -> None:
    """Hand over what was written.

    Raises:
        StorageError: nobody takes it.
    """
    with told():
        sys.stdout.flush()


def _write(text: str) -> None:
    with told():
        sys.stdout.write(text)


@contextmanager
def told() -> Iterator[None]:
    """Say what became of a result that cannot be written, as on a full disk."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        raise StorageError(
            f"the result cannot be written to standard output: {error.strerror}",
            hint="make room where it goes, or send it elsewhere; what the command did stands",
        ) from error


def drop_output() -> None:
    """Let what is still to be written go nowhere: flushing it at exit would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def width() -> int:
    """Return how wide the result may be: as the terminal, and readable where there is none."""
    return min(shutil.get_terminal_size((100, 24)).columns, 120)


def json_document(value: object) -> None:
    """Write one JSON document."""
    _write(_json(value, indent=2) + "\n")


def json_line(value: object) -> None:
    """Write one JSON value on a line of its own."""
    _write(_json(value) + "\n")


def prompt(text: str) -> None:
    """Ask for input, beside the result."""
    sys.stderr.write(printable(text))
    sys.stderr.flush()


def _json(value: object, *, indent: int | None = None) -> str:
    # inside of a string only: the document itself is spaces, line ends and ASCII
    return _written_out(json_text(plain(value), indent=indent), "\n", lambda letter: json.dumps(letter)[1:-1])


def printable(text: str) -> str:
    """Return text that cannot steer the terminal: what is not printable is written out as its number.

    Printable are also line end and tabulator, every kind of space, and the joiners that some scripts need.
    """
    return _written_out(text, "\n\t\u200c\u200d", lambda letter: f"\\x{ord(letter):02x}")


def _written_out(text: str, kept: str, written: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in kept or unicodedata.category(c) == "Zs" else written(c) for c in text
    )


def one_line(text: str, width: int) -> str:
    """Return text on one line, shortened."""
    return _shortened(" ".join(text.split()), width)


def name(text: str, width: int = 200) -> str:
    """Return the name of a file or a domain on one line, shortened; its blanks are part of it."""
    return _shortened(text.replace("\n", " ").replace("\t", " "), width)


def _shortened(text: str, width: int) -> str:
    flat = printable(text)
    return flat if len(flat) <= width else flat[: width - 1] + "…"


def cited(citation: Citation, room: int = 160) -> str:
    """Return where a citation stands: title and heading, page or line, and the file."""
    return ", ".join(filter(None, (cited_place(citation, room), cited_file(citation))))


def cited_place(citation: Citation, room: int) -> str:
    """Return title and heading, page or line of a citation, in so many characters; the title gives way."""
    where = f"page {citation.page}" if citation.page else f"line {citation.line}" if citation.line else ""
    room -= len(where) + 2
    heading = one_line(citation.heading, max(room, 20))
    titled = citation.title and room - len(heading) > _SHORTEST_TITLE
    title = one_line(citation.title, room - len(heading) - 3) if titled else ""
    return ", ".join(filter(None, (" › ".join(filter(None, (title, heading))), where)))


def cited_file(citation: Citation) -> str:
    """Return the file of a citation."""
    return name(citation.source, 100)


def link(before: str, text: str, *, target: Path | None) -> None:
    """Write a line that ends with a name, which leads to its file in terminals that know how (OSC 8)."""
    shown = printable(text)
    if target is not None and links():
        shown = f"\x1b]8;;{target.as_uri()}\x1b\\{shown}\x1b]8;;\x1b\\"
    _write(f"{printable(before)}{shown}\n")


def links() -> bool:
    """Tell whether the result goes to a terminal that is known to follow links; FORCE_HYPERLINK decides."""
    if not _styled():
        return False
    told = os.environ
    if "FORCE_HYPERLINK" in told:
        return told["FORCE_HYPERLINK"] not in ("", "0")
    vte = told.get("VTE_VERSION", "")
    known = told.get("TERM_PROGRAM", "") in _FOLLOW_LINKS or told.get("TERM", "") in _FOLLOW_LINKS
    return known or any(name in told for name in _FOLLOWING) or (vte.isdigit() and int(vte) >= _FIRST_VTE)


class Wrapped:
    """Write pieces of text in whole words, each line within the width of the terminal; elsewhere as it is."""

    def __init__(self) -> None:
        self._width = width() if sys.stdout.isatty() else 0
        self._column, self._blank, self._word = 0, "", ""

    def write(self, text: str) -> None:
        """Write what is known to be whole words; the last one waits for what follows it."""
        if not self._width:
            piece(text)
            return
        for part in re.findall(r"\s+|\S+", text):
            if part.isspace():
                self._end_word()
                self._blank += part
            else:
                self._word += part
        flush()

    def close(self) -> None:
        """Write what is left, and end the line."""
        self._end_word()
        piece("\n")

    def _end_word(self) -> None:
        if not self._word:
            return
        line, size = self._blank.rpartition("\n")[2], columns_of(self._word)
        begun = len(line) if "\n" in self._blank else self._column + len(line)
        if begun and begun + size > self._width and "\n" not in self._blank:
            self._blank, begun = "\n", 0
        _write(_shown(self._blank + self._word))
        self._column, self._blank, self._word = begun + size, "", ""


def place(chunk: Chunk, span: Span | None = None) -> str:
    """Return where a chunk stands, or a stretch of its document that it holds."""
    span = span or Span(chunk.start, chunk.end)
    return _place(chunk.source, chunk.page, chunk.line_at(span.start), span)


def _place(source: str, page: int | None, line: int | None, span: Span) -> str:
    """Return where something stands in a document: page or line, characters."""
    parts = [
        name(source, 100),
        f"page {page}" if page else "",
        f"line {line}" if line else "",
        f"characters {span.start}-{span.end}",
    ]
    return ", ".join(filter(None, parts))


def underlined(text: str) -> str:
    """Return text underlined, or as it is where the result does not go to a terminal that wants it."""
    return f"\x1b[4m{printable(text)}\x1b[24m" if _styled() else text


def _styled() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _shown(text: str) -> str:
    """Return text made printable; the underlines of this module stay, which steer nothing else."""
    if not _styled():
        return printable(text)
    return "".join(part if _UNDERLINE.fullmatch(part) else printable(part) for part in _UNDERLINE.split(text))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table with aligned columns; numbers to the right."""
    cells = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        parts = [
            cell.rjust(width) if _is_number(cell) else cell.ljust(width)
            for cell, width in zip(row, widths, strict=True)
        ]
        data("  ".join(parts).rstrip())


def rejected(items: Sequence[Rejected], *, skipped: int) -> None:
    """List on stderr what was not indexed and why."""
    if skipped:
        note(f"{counted(skipped, 'file')} skipped: hidden, excluded, or styles, scripts and fonts")
    if items:
        note(f"{len(items)} not indexed:")
    for item in items[:_SHOWN_REJECTED]:
        note(f"  {name(item.source, 60)}: {one_line(item.reason, 200)}")
    if len(items) > _SHOWN_REJECTED:
        note(f"  … and {len(items) - _SHOWN_REJECTED} more; `hybrid status --files` lists all")


def older(drifts: Mapping[str, Drift]) -> None:
    """Say on stderr which domains are older than the folders that they were built from."""
    for domain, drift in drifts.items():
        counts = f"{drift.added} new, {drift.changed} changed, {drift.removed} gone"
        folder = one_line(drift.folder, 200)
        note(f"note: {folder} changed since it was indexed ({counts}); hybrid index {folder} -d {domain}")


@contextmanager
def progress() -> Iterator[Progress]:
    """Show the stages of an update on stderr, with rate and time left; plain lines without a terminal."""
    if not sys.stderr.isatty():
        yield _PlainProgress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[Stage, TaskID] = {}

        def show(stage: Stage, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, rate="")
            speed = bars.tasks[tasks[stage]].speed
            bars.update(tasks[stage], completed=done, rate=f"{speed:.0f}/s" if speed else "")

        yield show


class Pace:
    """Let a line of progress through every so many seconds, and the last one."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._shown = seconds, time.monotonic()

    def due(self, *, last: bool) -> bool:
        """Tell whether a line is to be shown now."""
        now = time.monotonic()
        if not last and now - self._shown < self._seconds:
            return False
        self._shown = now
        return True


def counting(seconds: float, unit: str = "") -> Callable[[str, int, int], None]:
    """Return what tells how far something is, by name: at its end, and every so many seconds until then."""
    pace = Pace(seconds)

    def tell(name: str, done: int, total: int) -> None:
        if pace.due(last=done == total):
            note(f"{one_line(name, 60)}: {done} of {total} {unit}".rstrip())

    return tell


class _PlainProgress:
    """One line every few seconds, for logs."""

    def __init__(self) -> None:
        self._stage: Stage | None = None
        self._begun, self._pace = time.monotonic(), Pace(_PLAIN_EVERY_SECONDS)

    def __call__(self, stage: Stage, done: int, total: int) -> None:
        if stage is not self._stage:
            self._stage, self._begun, self._pace = stage, time.monotonic(), Pace(_PLAIN_EVERY_SECONDS)
        if not self._pace.due(last=done == total):
            return
        spent = time.monotonic() - self._begun
        left = f", {spent / done * (total - done):.0f} s left" if 0 < done < total else ""
        rate = f", {done / spent:.0f}/s" if spent > 1 else ""
        note(f"{stage}: {done} of {total}{rate}{left}")


def _is_number(cell: str) -> bool:
    return cell.replace(".", "", 1).replace(",", "").replace("%", "").replace("-", "", 1).isdigit()
