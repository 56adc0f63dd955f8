"""Commands on the set-up: init, models, config, doctor, completion."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from hybrid.cli import console
from hybrid.cli.options import Context, group, shared, verb
from hybrid.config import Reader, load, settings_dict, settings_schema, user_file, write_settings
from hybrid.doctor import Health, configured_models, diagnose, small_writer
from hybrid.errors import ConfigError, ModelMissing, UsageError
from hybrid.models.resolve import SMALL, Origin, fetch, how_to_get, is_small
from hybrid.trust import Endpoint

if TYPE_CHECKING:
    from hybrid.models.servers import ModelServer

models_app = group("Where models come from.")
config_app = group("Settings and where they come from.")

_SHELLS = ("bash", "zsh", "fish")


@verb(models_app, "list", "as_json", "config", "offline")
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


@verb(models_app, "get", "as_json", "config", "offline")
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


@verb(config_app, "show", "as_json", "config", "effort")
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


@verb(config_app, "check", "as_json", "config")
def config_check(context: Context) -> None:
    """Check the settings; the exit code is 3 when something is wrong."""
    small = small_writer(context.settings())
    context.show({"valid": True}, "the settings are valid")
    if small:
        console.note(f"{small.found}\n  → {small.mend}")


@verb(config_app, "schema", "as_json")
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


_GET_ONE = "start one, such as: ollama pull llama3.1 && ollama serve; or name it with --endpoint URL"


@shared("as_json", "config")
def init(
    context: Context,
    endpoint: Annotated[
        str | None, Option("--endpoint", help="Ask this server instead of the usual ports.")
    ] = None,
    model: Annotated[str | None, Option("--model", help="The model that is to write.")] = None,
    yes: Annotated[bool, Option("--yes", "-y", help="Take the first one found, and do not ask.")] = False,
) -> None:
    """Find a server of models on this machine, ask once, and write settings by which it writes the answers.

    Ollama, LM Studio, llama.cpp and vLLM are looked for at their usual ports, and nothing else is asked.
    Without one the extractive reader answers, which quotes the documents and needs no model.
    """
    servers = _found(endpoint)
    choices = [(server, name) for server in servers for name in server.writers]
    chosen, name = _chosen(choices, model, ask=not (yes or model))
    path = context.config or user_file(os.environ)
    if path is None:
        raise ConfigError("there is no home folder for settings", hint="name a file with --config")
    models = {"endpoint": str(chosen.endpoint), "generator": name}
    write_settings(path, {"models": models, "generation": {"reader": str(Reader.WRITER)}})
    context.show(
        {"servers": servers, "settings": {"models": models}, "written": str(path)},
        f"{name} ({chosen.kind}, {chosen.endpoint}) writes the answers from now on",
        f"written to {path}",
    )
    _warn(path, models)


def _found(endpoint: str | None) -> list[ModelServer]:
    from hybrid.models.servers import PORTS, ask_server, find_servers, server_key

    if endpoint is None:
        servers = find_servers()
        places = ", ".join(f"{port} ({kind})" for port, kind in PORTS.items())
        if not servers:
            raise ModelMissing(
                f"no server lists models on this machine, at the ports {places}", hint=_GET_ONE
            )
    else:
        named = Endpoint(endpoint)
        if named.login:
            raise ConfigError("an address with a password is not written down", hint="use $HYBRID_API_KEY")
        found = ask_server(named, key=server_key())
        if found is None:
            raise ModelMissing(f"{named} lists no models", hint=f"it often ends in /v1; {_GET_ONE}")
        servers = [found]
    for server in servers:
        if server.locked:
            console.note(
                f"{server.kind} at {server.endpoint} wants a key: set $HYBRID_API_KEY, name --endpoint"
            )
    return servers


def _chosen(
    choices: list[tuple[ModelServer, str]], model: str | None, *, ask: bool
) -> tuple[ModelServer, str]:
    """Return the server and the model that are to write."""
    there = ", ".join(dict.fromkeys(name for _, name in choices)) or "none"
    if model is not None:
        for choice in choices:
            if choice[1] == model:
                return choice
        raise UsageError(f"no server lists the model {model!r}; there are: {there}")
    large = [choice for choice in choices if not is_small(choice[1])]
    if not large:
        raise ModelMissing(
            f"no model of {SMALL:.0f} billion parameters or more is there: {there}",
            hint="get one, such as: ollama pull llama3.1; a small one writes worse than the extractive "
            "reader quotes, and is taken with --model NAME all the same",
        )
    return large[_asked(large)] if ask else large[0]


def _asked(choices: list[tuple[ModelServer, str]]) -> int:
    """Ask which one, once; Enter is the first."""
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked: standard input is no terminal", hint="hybrid init --yes")
    for number, (server, name) in enumerate(choices, start=1):
        console.note(f"{number:2}. {name}  ({server.kind}, {server.endpoint})")
    console.prompt("Which one is to write the answers? [1, or n for none] ")
    said = sys.stdin.readline().strip().lower()
    if said in ("", "y", "yes"):
        return 0
    if said.isdecimal() and 1 <= int(said) <= len(choices):
        return int(said) - 1
    raise UsageError(f"{said!r} is none of them: nothing was written", hint="the extractive reader answers")


def _warn(path: Path, models: dict[str, str]) -> None:
    """Say what wins over what was just written."""
    loaded = load(file=path)
    for key, value in models.items():
        if str(getattr(loaded.settings.models, key)) != value:
            console.note(f"{loaded.origins[f'models.{key}']} sets models.{key} to something else, and wins")
