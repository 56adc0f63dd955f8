"""Commands on the set-up: models, config, doctor, completion."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from typer import Argument, Option

from hybrid.cli import console
from hybrid.cli.options import Context, shared
from hybrid.config import load, settings_dict, settings_schema
from hybrid.doctor import Health, configured_models, diagnose, small_writer
from hybrid.errors import UsageError
from hybrid.models.resolve import Origin, fetch, how_to_get
from hybrid.trust import Endpoint

models_app = typer.Typer(help="Where models come from.", no_args_is_help=True, rich_markup_mode=None)
config_app = typer.Typer(
    help="Settings and where they come from.", no_args_is_help=True, rich_markup_mode=None
)

_SHELLS = ("bash", "zsh", "fish")


@models_app.command("list")
@shared("as_json", "config", "offline")
def models_list(context: Context) -> None:
    """Show for each configured model where it would come from and whether it is there."""
    models = configured_models(context.settings().models)
    if context.as_json:
        console.json_document({"models": models})
        return
    for model in models:
        state = "here" if model.here else ("to be fetched" if model.origin == Origin.HUB else "missing")
        console.data(f"{model.role:9}  {model.name}  {model.origin}  {state}")
        if not model.here:
            console.note(f"  → {how_to_get(model.name)}")


@models_app.command("get")
@shared("as_json", "config", "offline")
def models_get(
    context: Context, name: Annotated[str, Argument(help="A name on the hub, or a folder.")]
) -> None:
    """Make a model available on this machine, and say where it lies."""
    path = str(fetch(name, offline=context.settings().models.offline))
    context.show({"name": name, "path": path}, path)


@shared("domain", "as_json", "config", "indexes", "offline")
def doctor(
    context: Context,
    endpoint: Annotated[
        str, Option(help="Prove that an adapter is active at this address, and check nothing else.")
    ] = "",
    adapter: Annotated[str, Option(help="Its name here and there.")] = "",
) -> int:
    """Check Python, device, models, extras, disk and every index; the exit code is 1 if one check is bad."""
    if bool(endpoint) != bool(adapter):
        raise UsageError("--endpoint and --adapter go together")
    found = (
        [context.assistant().adaptation.prove(adapter, Endpoint(endpoint))]
        if adapter
        else diagnose(context.settings())
    )
    bad = any(each.verdict is Health.BAD for each in found)
    context.show(
        {"healthy": not bad, "checks": found},
        *(
            f"{number:2}. {each.verdict:4}  {each.name}: {each.found}"
            + (f"\n          → {each.mend}" if each.mend else "")
            for number, each in enumerate(found, start=1)
        ),
    )
    return int(bad)


@config_app.command("show")
@shared("as_json", "config", "effort")
def config_show(context: Context) -> None:
    """Show the settings in force, and where those come from that are not the default."""
    loaded = load({"effort": context.effort}, file=context.config)
    values = settings_dict(loaded.settings)
    if context.as_json:
        console.json_document(values)
        return
    for key, value in values.items():
        if isinstance(value, dict):
            console.data(f"\n[{key}]")
            for inner, setting in value.items():
                console.data(_assigned(inner, setting, loaded.origins.get(f"{key}.{inner}")))
        else:
            console.data(_assigned(key, value, loaded.origins.get(key)))


@config_app.command("check")
@shared("as_json", "config")
def config_check(context: Context) -> None:
    """Check the settings; the exit code is 3 when something is wrong."""
    small = small_writer(context.settings())
    context.show({"valid": True}, "the settings are valid")
    if small:
        console.note(f"{small.found}\n  → {small.mend}")


@config_app.command("schema")
@shared("as_json")
def config_schema(context: Context) -> None:
    """Write the JSON schema of hybrid.toml."""
    console.json_document(settings_schema())


@shared("as_json")
def completion(context: Context, shell: Annotated[str, Argument(help="bash, zsh or fish.")]) -> None:
    """Write the completion script of a shell, to be sourced by it."""
    if shell not in _SHELLS:
        raise UsageError(f"{shell!r} is not a known shell", hint=f"one of: {', '.join(_SHELLS)}")
    # of typer's own making; a process of ours would find its modules in the current folder first
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="hybrid", complete_var="_HYBRID_COMPLETE", shell=shell)
    context.show({"shell": shell, "script": script}, script.rstrip())


def _assigned(key: str, value: object, origin: str | None) -> str:
    # what JSON writes for text, numbers, truth and lists is TOML as well
    line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
    return f"{line}  # {console.one_line(origin, 100)}" if origin else line
