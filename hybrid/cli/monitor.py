"""Commands that say what domains in use do: monitor, and traces list, show, export."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hybrid.cli import console
from hybrid.cli.options import Context, group, shared, verb
from hybrid.config import Settings
from hybrid.errors import EXIT_GATE_FAILED, EXIT_PARTIAL, HybridError, UsageError
from hybrid.index.generations import domains
from hybrid.operations.monitor import (
    CalibrationWindow,
    Facet,
    Observation,
    Usage,
    calibrated,
    load_window,
    notify,
    observations,
    save_window,
    usage,
    watch,
)
from hybrid.tracing import names
from hybrid.tracing.names import TraceOutcome
from hybrid.tracing.otlp import otlp_json
from hybrid.tracing.spans import TraceSpan
from hybrid.tracing.store import TRACES_FILE, TraceStore
from hybrid.types import plain

_DAY = 86_400.0


@shared("as_json", "config", "indexes", "domain", "offline")
def monitor(
    context: Context,
    by: Annotated[
        list[Facet] | None, Option("--by", help="What to count by; default: domain and arm.")
    ] = None,
    hours: Annotated[float | None, Option("--hours", help="Count the last so many hours.")] = None,
    calibrate: Annotated[
        bool,
        Option(
            "--calibrate",
            help="From now on hold the domains against what they did in these hours; 6 if some are left out.",
        ),
    ] = False,
) -> int:
    """Count what was asked, and hold it against the calibration windows; 7 if something changed.

    Drift of questions and of retrieval scores, and bounds on failed, unsupported and disliked answers that
    hold however often one looks.
    """
    settings, parts = context.settings(), by or [Facet.DOMAIN, Facet.ARM]
    since = 0.0 if hours is None else time.time() - 3_600 * hours
    seen = observations(settings, domain=context.domain or "")
    counted = [one for one in seen if one.at >= since]
    names = [context.existing_domain(settings)] if context.domain else list(domains(Path(settings.indexes)))
    if calibrate:
        return _calibrate(context, Path(settings.indexes), names, counted)
    windows = [window for name in names if (window := load_window(Path(settings.indexes) / name))]
    _note_gaps(settings, names, windows)
    own = settings.monitor
    found = watch(windows, seen, level=own.level, tolerance=own.tolerance, now=time.time())
    groups = usage(counted, parts)
    if context.as_json:
        document = {"usage": groups, "shifts": found.shifts, "risks": found.risks, "alerts": found.alerts}
        console.json_document(document | {"calibrated": [_told(one) for one in windows]})
    else:
        console.table((*parts, *_HEADER), [_row(one) for one in groups])
        for sentence in found.sentences:
            console.data(f"ALERT  {sentence}" if sentence in found.alerts else sentence)
    if found.alerts and own.webhook:
        try:
            notify(own.webhook, found.alerts, offline=settings.models.offline)
        except HybridError as error:
            # the exit code says it all the same
            console.note(f"error: {error}")
    return EXIT_GATE_FAILED if found.alerts else 0


def _calibrate(context: Context, indexes: Path, names: Sequence[str], counted: Sequence[Observation]) -> int:
    """Keep a window of each domain that can have one, and say of the others why not."""
    made: list[CalibrationWindow] = []
    left_out: dict[str, str] = {}
    for name in names:
        try:
            made.append(calibrated(name, counted, now=time.time()))
        except UsageError as error:
            if len(names) == 1:
                raise
            left_out[name] = str(error)
    if left_out and not made:
        raise UsageError(
            "; ".join(left_out.values()),
            hint="count more hours, or wait, and then name one: hybrid monitor --calibrate --domain NAME",
        )
    for one in made:
        save_window(indexes / one.domain, one)
    context.show({"calibrated": [_told(one) for one in made], "left_out": left_out}, *map(_sentence, made))
    for name, why in left_out.items():
        console.note(f"left out: {why}; later: hybrid monitor --calibrate --domain {name}")
    return EXIT_PARTIAL if left_out else 0


_HEADER = ("asked", "p50", "p95", "p99", "failed", "abstained", "grounded", "liked")


def _row(one: Usage) -> tuple[str, ...]:
    seconds = ("" if value is None else f"{value:.2f} s" for value in (one.p50, one.p95, one.p99))
    shares = (
        "" if value is None else f"{value:.1%}"
        for value in (one.failed, one.abstained, one.groundedness, one.liked)
    )
    # what no domain took has none
    return (*(console.name(part) or "none" for part in one.group), str(one.asked), *seconds, *shares)


def _note_gaps(settings: Settings, names: Sequence[str], windows: Sequence[CalibrationWindow]) -> None:
    """Say what is not looked at, and where bounds do not reach back to the calibration window."""
    if missing := [name for name in names if name not in {window.domain for window in windows}]:
        console.note(f"no calibration window: {', '.join(missing)}; hybrid monitor --calibrate makes it")
    days = settings.tracing.days
    for window in windows:
        if window.until > time.time():
            console.note(
                f"{window.domain}: by the clock the calibration window ends in the future, and nothing is "
                "held against it until then; set the clock right, or calibrate anew"
            )
        if window.until < time.time() - days * _DAY:
            console.note(
                f"{window.domain}: traces are kept for {days:g} days, and the calibration window is older: "
                "the bounds begin later than it ends; calibrate anew, or raise tracing.days"
            )


def _told(window: CalibrationWindow) -> dict[str, object]:
    """Return what a calibration window is, without what is in it."""
    counts = {"questions": len(window.questions), "scores": len(window.scores)}
    return {key: getattr(window, key) for key in ("domain", "since", "until")} | counts


def _sentence(window: CalibrationWindow) -> str:
    begun, ended = (
        f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}" for at in (window.since, window.until)
    )
    return f"{window.domain}: calibrated on {len(window.scores)} conversations, {begun} to {ended} UTC"


traces_app = group("What was done for every question, stage by stage.")

Hours = Annotated[float | None, Option("--hours", help="Only of the last so many hours.")]

_LISTED = (names.DOMAIN, names.ARM, names.OUTCOME)
_BAR = 40
_SHOWN = 60


@verb(traces_app, "list", "as_json", "config", "indexes", "domain")
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


@verb(traces_app, "show", "as_json", "config", "indexes")
def show_trace(
    context: Context,
    trace: Annotated[str, Argument(help="Its name or how that begins; default: the latest.")] = "",
) -> None:
    """Show a trace as a waterfall: each stage, when it began, and how long it took."""
    with _store(context.settings()) as store:
        if not (name := trace or next((one.trace for one in store.asked(limit=1)), "")):
            raise UsageError("no question was traced yet", hint='hybrid ask "...", or hybrid serve')
        spans = store.trace(name)
    context.show({"trace": spans[0].trace, "spans": plain(spans)}, *_waterfall(spans))


@verb(traces_app, "export", "config", "indexes")
def export_traces(context: Context, hours: Hours = None) -> None:
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
