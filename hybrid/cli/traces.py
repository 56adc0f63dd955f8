"""Commands for what was done for every question: traces list, traces show, traces export."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hybrid.cli import console
from hybrid.cli.options import Context, group, verb
from hybrid.config import Settings
from hybrid.errors import UsageError
from hybrid.tracing import names
from hybrid.tracing.names import TraceOutcome
from hybrid.tracing.otlp import otlp_json
from hybrid.tracing.spans import TraceSpan
from hybrid.tracing.store import TRACES_FILE, TraceStore
from hybrid.types import plain

app = group("What was done for every question, stage by stage.")

Hours = Annotated[float | None, Option("--hours", help="Only of the last so many hours.")]

_LISTED = (names.DOMAIN, names.ARM, names.OUTCOME)
_BAR = 40
_SHOWN = 60


@verb(app, "list", "as_json", "config", "indexes", "domain")
def list_traces(
    context: Context,
    count: Annotated[int, Option("--count", "-n", min=1, help="At most so many.")] = 20,
    arm: Annotated[str, Option("--arm", help="Only of this arm, as it was named.")] = "",
    outcome: Annotated[TraceOutcome | None, Option("--outcome", help="Only those that ended so.")] = None,
    hours: Hours = None,
) -> None:
    """List the questions that were asked, the latest first: how long each took, and what became of it."""
    with _store(context.settings()) as store:
        found = list(
            store.asked(
                since=_since(hours), domain=context.domain or "", arm=arm, outcome=outcome or "", limit=count
            )
        )
    if not found and not context.as_json:
        console.note("no question was traced, or none that fits")
        return
    rows = [
        (
            f"{datetime.fromtimestamp(one.start / 1e9):%Y-%m-%d %H:%M:%S}",
            one.trace,
            f"{(one.end - one.start) / 1e6:.0f} ms",
            *(console.name(str(one.attributes.get(key, ""))) for key in _LISTED),
            one.error,
        )
        for one in found
    ]
    context.show_table(found, ("when", "trace", "took", "domain", "arm", "outcome", "error"), rows)


@verb(app, "show", "as_json", "config", "indexes")
def show(
    context: Context,
    trace: Annotated[str, Argument(help="Its name or how that begins; default: the latest.")] = "",
) -> None:
    """Show a trace as a waterfall: each stage, when it began, and how long it took."""
    with _store(context.settings()) as store:
        if not (name := trace or next((one.trace for one in store.asked(limit=1)), "")):
            raise UsageError("no question was traced yet", hint='hybrid ask "...", or hybrid serve')
        spans = store.trace(name)
    context.show({"trace": spans[0].trace, "spans": plain(spans)}, *_waterfall(spans))


@verb(app, "export", "config", "indexes")
def export(context: Context, hours: Hours = None) -> None:
    """Write traces as JSON lines of OTLP, as collectors read them from a file; the oldest first."""
    with _store(context.settings()) as store:
        for spans in store.traces(_since(hours)):
            console.json_line(otlp_json(spans))


def _store(settings: Settings) -> TraceStore:
    return TraceStore(Path(settings.indexes) / TRACES_FILE, read_only=True)


def _since(hours: float | None) -> int:
    return 0 if hours is None else int((time.time() - hours * 3_600) * 1e9)


def _waterfall(spans: Sequence[TraceSpan]) -> Iterator[str]:
    """Return a line a stage, indented below the one that it is part of, and what is known of the question."""
    begun, ended = min(one.start for one in spans), max(one.end for one in spans)
    ids = {one.id for one in spans}
    depths: dict[str, int] = {}
    yield f"{spans[0].trace}  {datetime.fromtimestamp(begun / 1e9):%Y-%m-%d %H:%M:%S}"
    for one in spans:
        depths[one.id] = depths[one.parent] + 1 if one.parent in ids and one.parent in depths else 0
        left = round((one.start - begun) / max(ended - begun, 1) * _BAR)
        wide = max(round((one.end - one.start) / max(ended - begun, 1) * _BAR), 1)
        bar = (" " * min(left, _BAR - 1) + "█" * wide)[:_BAR].ljust(_BAR)
        name = "  " * depths[one.id] + one.name
        took = f"{(one.end - one.start) / 1e6:8.1f} ms"
        yield f"{name:<20} {bar} {took}  {one.kind.lower()}  {one.error}".rstrip()
    for key, value in spans[0].attributes.items():
        if key != names.QUESTION_VECTOR:
            yield f"  {key}: {console.one_line(str(value), _SHOWN)}"
