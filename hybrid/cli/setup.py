"""Commands on the set-up: models, config, completion."""

from __future__ import annotations

from typing import Annotated

import typer

from hybrid.cli import console
from hybrid.cli.options import Config, EffortOption, Json, Offline, settings_from
from hybrid.config import load, settings_dict, settings_schema
from hybrid.errors import UsageError
from hybrid.models.resolve import Origin, fetch, how_to_get, locate

models_app = typer.Typer(help="Where models come from.", no_args_is_help=True, rich_markup_mode=None)
config_app = typer.Typer(
    help="Settings and where they come from.", no_args_is_help=True, rich_markup_mode=None
)

_SHELLS = ("bash", "zsh", "fish")


@models_app.command("list")
def models_list(as_json: Json = False, config: Config = None, offline: Offline = False) -> None:
    """Show for each configured model where it would come from and whether it is there."""
    settings = settings_from(config, offline=offline).models
    names = {"embedder": settings.embedder, "generator": settings.generator, "reranker": settings.reranker}
    rows = []
    for role, name in names.items():
        if not name:
            continue
        location = locate(name, offline=settings.offline)
        if role == "generator" and settings.endpoint:
            rows.append(
                {"role": role, "name": name, "origin": "endpoint", "path": settings.endpoint, "here": True}
            )
            continue
        here = location.path is not None
        rows.append(
            {
                "role": role,
                "name": name,
                "origin": location.origin,
                "path": str(location.path or ""),
                "here": here,
            }
        )
    if as_json:
        console.json_document({"models": rows})
        return
    for row in rows:
        state = "here" if row["here"] else ("to be fetched" if row["origin"] is Origin.HUB else "missing")
        console.data(f"{row['role']:9}  {row['name']}  {row['origin']}  {state}")
        if not row["here"]:
            console.note(f"  → {how_to_get(str(row['name']))}")


@models_app.command("get")
def models_get(
    name: Annotated[str, typer.Argument(help="A name on the hub, or a folder.")],
    as_json: Json = False,
    config: Config = None,
    offline: Offline = False,
) -> None:
    """Make a model available on this machine, and say where it lies."""
    path = fetch(name, offline=settings_from(config, offline=offline).models.offline)
    if as_json:
        console.json_document({"name": name, "path": str(path)})
    else:
        console.data(str(path))


@config_app.command("show")
def config_show(as_json: Json = False, config: Config = None, effort: EffortOption = None) -> None:
    """Show the settings in force, and where those come from that are not the default."""
    loaded = load({"effort": effort}, file=config)
    values = settings_dict(loaded.settings)
    if as_json:
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
def config_check(as_json: Json = False, config: Config = None) -> None:
    """Check the settings; the exit code is 3 when something is wrong."""
    settings_from(config)
    if as_json:
        console.json_document({"valid": True})
    else:
        console.data("the settings are valid")


@config_app.command("schema")
def config_schema(as_json: Json = False) -> None:
    """Write the JSON schema of hybrid.toml."""
    console.json_document(settings_schema())


def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish.")], as_json: Json = False
) -> None:
    """Write the completion script of a shell, to be sourced by it."""
    if shell not in _SHELLS:
        raise UsageError(f"{shell!r} is not a known shell", hint=f"one of: {', '.join(_SHELLS)}")
    # of typer's own making; a process of ours would find its modules in the current folder first
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="hybrid", complete_var="_HYBRID_COMPLETE", shell=shell)
    if as_json:
        console.json_document({"shell": shell, "script": script})
    else:
        console.data(script.rstrip())


def _assigned(key: str, value: object, origin: str | None) -> str:
    return f"{key} = {_toml(value)}" + (f"  # {console.one_line(origin, 100)}" if origin else "")


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
