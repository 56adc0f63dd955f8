"""Commands on a domain in use: promote, rollback, history, gather, traffic, and versions of its prompts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from hybrid.changes import LoggedChange, Switched, read_changes
from hybrid.cli import console
from hybrid.cli.options import Context, group, shared, verb
from hybrid.config import Settings
from hybrid.errors import UsageError
from hybrid.index.generations import domains
from hybrid.operations.feedback import FEEDBACK_FILE, Feedback, TrialMetric
from hybrid.types import plain

if TYPE_CHECKING:
    from hybrid.operations.traffic import TrafficSplit
import difflib
from dataclasses import asdict

from hybrid.assistant import Assistant

traffic_app = group("Try another arm on a share of the conversations.")

_Why = Option("--why", help="In words, for the log.")


@shared()
def promote(
    context: Context,
    arm: Annotated[str, Option("--arm", help="That answers where none is named.")] = "",
    adapter: Annotated[list[str] | None, Option("--adapter", help="To be in use; repeat it.")] = None,
    prompt: Annotated[str, Option("--prompt", help="A version of `hybrid prompts list`.")] = "",
    generation: Annotated[str, Option("--generation", help="Of the index, such as 000003.")] = "",
    force: Annotated[bool, Option("--force", help="Whatever stands against an adapter.")] = False,
    why: Annotated[str, _Why] = "",
) -> None:
    """Switch arm, adapters, prompts and index generation of a domain at once."""
    from hybrid.operations import switches

    with console.progress() as progress:
        changes = switches.promote(
            context.assistant(),
            arm=arm,
            adapters=adapter or (),
            prompt=prompt,
            generation=generation,
            force=force,
            why=why,
            note=console.note,
            progress=progress,
        )
    _show(context, changes)


@shared()
def rollback(
    context: Context,
    what: Annotated[
        Switched | None, Argument(help="The last switch of this alone; default: the last of all.")
    ] = None,
    why: Annotated[str, _Why] = "",
) -> None:
    """Take back the last switch of a domain, with all that was switched together."""
    from hybrid.operations import switches

    _show(context, switches.rollback(context.assistant(), what, why=why))


@shared()
def history(context: Context) -> None:
    """Show what was switched when and by whom, after the log was found to be whole."""
    from hybrid.operations.switches import disagreements

    settings = context.settings()
    changes = read_changes(Path(settings.indexes))
    named = context.domain or settings.domain
    _show(context, [one for one in changes if not named or one.domain == named])
    for name in domains(Path(settings.indexes)):
        if not named or name == named:
            told = Context(domain=name, config=context.config, indexes=context.indexes)
            for line in disagreements(told.assistant(settings), changes):
                console.note(f"warning: {line}")


def _show(context: Context, changes: Sequence[LoggedChange]) -> None:
    if not changes and not context.as_json:
        console.note("nothing was switched")
    rows = [plain(one) | {"held": _held(one)} for one in changes]
    context.show({"changes": rows}, *map(_line, changes))


def _held(change: LoggedChange) -> object:
    """Return what the file had before as JSON, null for none; what is no JSON as text."""
    try:
        return json.loads(change.held or "null")
    except ValueError:
        return change.held


def _line(change: LoggedChange) -> str:
    why = f": {console.one_line(change.why, 160)}" if change.why else ""
    switched = f"{change.what} {change.before or 'none'} → {change.after or 'none'}"
    return f"{change.number}  {change.time}  {change.by}  {change.domain}  {switched}{why}"


@verb(traffic_app, "start")
def start(
    context: Context,
    arm: Annotated[str, Argument(help="Such as both:generator_adapter=generator-002.")],
    share: Annotated[float, Option("--share", help="Of the conversations, up to 1.")] = 0.1,
    shadow: Annotated[
        bool, Option("--shadow", help="It answers beside the usual arm, and nobody is shown it.")
    ] = False,
    metric: Annotated[
        TrialMetric | None, Option("--metric", help="Default: votes; with --shadow grounded.")
    ] = None,
    conversations: Annotated[int, Option("--conversations", help="So many at the most.")] = 2_000,
) -> None:
    """Have a share of the conversations answered by another arm, from the next question on."""
    from hybrid.operations.traffic import start_split

    settings = context.settings()
    opened(settings).close()  # what is not kept cannot be held against anything
    split = start_split(
        context.assistant(settings), arm, share=share, shadow=shadow, metric=metric, planned=conversations
    )
    looks = split.looks.ends
    context.show(split, f"{split.arm} is on trial; the first look is at {looks[0]:,} conversations")


@verb(traffic_app, "show")
def show(context: Context) -> None:
    """Say in one sentence what the trial has shown so far; it may be asked at any time."""
    from hybrid.operations.traffic import read_split

    settings = context.settings()
    split = read_split(context.assistant(settings))
    if split is None:
        raise UsageError("nothing is on trial", hint="hybrid traffic start ARM")
    _tell(context, settings, split)


@shared("as_json", "config", "indexes")
def gather(
    context: Context, folders: Annotated[list[Path], Argument(help="Their folders of indexes.")]
) -> None:
    """Take in the answers, votes and traces that other replicas kept; it may be done again."""
    from hybrid.tracing.store import TRACES_FILE, TraceStore

    settings = context.settings()
    counts = {"answers": 0, "traces": 0}
    with (
        closing(opened(settings)) as feedback,
        TraceStore(
            feedback.path.with_name(TRACES_FILE),
            days=settings.tracing.days,
            megabytes=settings.tracing.megabytes,
        ) as traces,
    ):
        for folder in folders:
            theirs = folder / FEEDBACK_FILE, folder / TRACES_FILE
            if not any(path.is_file() for path in theirs):
                raise UsageError(f"{folder} holds no {FEEDBACK_FILE} and no {TRACES_FILE}", hint="--indexes")
            counts["answers"] += feedback.take_in(theirs[0]) if theirs[0].is_file() else 0
            counts["traces"] += traces.take_in(theirs[1]) if theirs[1].is_file() else 0
    context.show(counts, f"{counts['answers']:,} new answers, {counts['traces']:,} traces")


@verb(traffic_app, "stop")
def stop(context: Context) -> None:
    """Have all conversations answered as usual again, and say what the trial has shown."""
    from hybrid.operations.traffic import stop_split

    settings = context.settings()
    _tell(context, settings, stop_split(context.assistant(settings)))


def _tell(context: Context, settings: Settings, split: TrafficSplit) -> None:
    from hybrid.operations.traffic import trial_result

    with closing(opened(settings)) as feedback:
        result = trial_result(split, feedback.rated(experiment=split.experiment))
    context.show({"sentence": result.sentence, "result": result}, result.sentence)
    if result.unjudged:
        console.note(f"{result.unjudged} answers have no score, for nobody judged them")
    if max(result.states) > 1:
        console.note(f"what answers was changed meanwhile: states on each side {result.states}")


def opened(settings: Settings) -> Feedback:
    """Return what the server keeps of answers."""
    feedback = Feedback.of(settings)
    if feedback is None:
        raise UsageError("answers are not kept: feedback.keep_days is 0", hint="set it to a number of days")
    return feedback


prompts_app = group("Which prompts a domain answers by, and answered by before.")

Version = Annotated[str, Argument(help="The beginning of its digest.")]


@verb(prompts_app, "list", "as_json", "config", "indexes", "domain")
def list_prompts(context: Context) -> None:
    """List the versions of the prompts that answered in each domain, since when, and which is in force."""
    from hybrid.operations.switches import prompts_in_force

    settings = context.settings()
    named = [context.domain] if context.domain else list(domains(Path(settings.indexes)))
    found = []
    for name in named:
        own = Assistant(name, settings=settings)
        now = prompts_in_force(own)
        uses = own.prompts.uses()
        found += [{"domain": name, **asdict(use), "in_force": False} for use in uses]
        if not uses or uses[-1].digest != now:
            given = settings.generation
            said = {"digest": now, "language": given.language, "prompt": given.prompt, "since": ""}
            found.append({"domain": name, **said, "in_force": False})
        found[-1]["in_force"] = True
    rows = [
        (
            console.name(str(one["domain"])),
            str(one["digest"]),
            ".".join(filter(None, (str(one["language"]), console.name(str(one["prompt"]))))),
            str(one["since"]) or "not used yet",
            "in force" if one["in_force"] else "",
        )
        for one in found
    ]
    context.show_table(found, ("domain", "digest", "prompt", "since", ""), rows)


@verb(prompts_app, "diff", "config", "indexes", "domain")
def diff(context: Context, old: Version = "", new: Version = "") -> None:
    """Show what differs between two versions; default: the one before, and the one in force."""
    own = context.assistant().prompts
    uses = [use.digest for use in own.uses()]
    if not uses and not new:
        raise UsageError("no prompts were in use yet", hint="ask something, or name two versions")
    new = own.find(new or uses[-1])
    others = [version for version in uses if version != new]
    if not old and not others:
        raise UsageError("no other prompts were in use", hint="hybrid prompts list shows all that were")
    old = own.find(old or others[-1])
    before, after = (own.text(version).splitlines() for version in (old, new))
    for line in difflib.unified_diff(before, after, old, new, lineterm=""):
        console.data(line)


@verb(prompts_app, "rollback")
def rollback_prompts(
    context: Context,
    to: Annotated[str, Option("--to", help="The beginning of its digest; default: the one before.")] = "",
) -> None:
    """Answer by an earlier version again, at once and until the settings name another prompt."""
    from hybrid.operations.switches import prompts_in_force, restore_prompts

    own = context.assistant()
    before = prompts_in_force(own)
    after = restore_prompts(own, to)
    decided = own.asked.decided
    if decided is not None and "prompt=" in decided.name:
        console.note(f"note: the arm that was decided on names its own prompt: {decided.name}")
    told = {"domain": own.domain, "before": before, "after": after}
    context.show(told, f"{own.domain}: prompts {after} instead of {before}")
