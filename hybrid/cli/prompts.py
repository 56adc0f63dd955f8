"""Commands on the versions of prompts: prompts list, prompts diff, prompts rollback."""

from __future__ import annotations

import difflib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from hybrid.assistant import Assistant
from hybrid.cli import console
from hybrid.cli.options import Context, shared
from hybrid.errors import UsageError
from hybrid.index.generations import domains

app = typer.Typer(help="Which prompts a domain answers by, and answered by before.", no_args_is_help=True)

Version = Annotated[str, Argument(help="The beginning of its digest.")]


@app.command("list")
@shared("as_json", "config", "indexes", "domain")
def list_prompts(context: Context) -> None:
    """List the versions of the prompts that answered in each domain, since when, and which is in force."""
    settings = context.settings()
    named = [context.domain] if context.domain else list(domains(Path(settings.indexes)))
    found = []
    for name in named:
        own = Assistant(name, settings=settings)
        now = own.prompts_in_force
        uses = own.prompts.uses()
        found += [{"domain": name, **asdict(use), "in_force": False} for use in uses]
        if not uses or uses[-1].digest != now:
            given = settings.generation
            said = {"digest": now, "language": given.language, "prompt": given.prompt, "since": ""}
            found.append({"domain": name, **said, "in_force": False})
        found[-1]["in_force"] = True
    if context.as_json:
        console.json_document(found)
        return
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
    console.table(("domain", "digest", "prompt", "since", ""), rows)


@app.command("diff")
@shared("config", "indexes", "domain")
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


@app.command("rollback")
@shared()
def rollback(
    context: Context,
    to: Annotated[str, Option("--to", help="The beginning of its digest; default: the one before.")] = "",
) -> None:
    """Answer by an earlier version again, at once and until the settings name another prompt."""
    own = context.assistant()
    before = own.prompts_in_force
    after = own.restore_prompts(to)
    decided = own.decided
    if decided is not None and "prompt=" in decided.name:
        console.note(f"note: the arm that was decided on names its own prompt: {decided.name}")
    told = {"domain": own.domain, "before": before, "after": after}
    context.show(told, f"{own.domain}: prompts {after} instead of {before}")
