"""The command that finds a model that writes, asks once, and writes the settings."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from hybrid.cli import console
from hybrid.cli.options import Context, shared
from hybrid.config import Reader, load, user_file, write_settings
from hybrid.errors import ConfigError, ModelMissing, UsageError
from hybrid.models.resolve import SMALL, is_small
from hybrid.trust import Endpoint, Secret

if TYPE_CHECKING:
    from hybrid.models.discovery import ModelServer

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
    from hybrid.models.discovery import PORTS, ask_server, find_servers

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
        found = ask_server(named, key=Secret(os.environ.get("HYBRID_API_KEY", "").strip()))
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
    """Return the server and the model that are to write.

    Raises:
        UsageError: the model is none of them, or nobody can be asked.
        ModelMissing: there is none, or none that is large enough to be taken unasked.
    """
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
