"""The options that every command shares, as one context."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import typer
from typer import Option

from hybrid.assistant import Assistant
from hybrid.cli import console
from hybrid.config import CONFIG_FILE, Effort, Settings, load
from hybrid.domains import Assistants
from hybrid.errors import IndexMissing, UsageError, did_you_mean
from hybrid.index.generations import domains

_Result = TypeVar("_Result")
_Command: TypeAlias = Callable[..., _Result]

Domain = Annotated[str | None, Option("--domain", "-d", help="The domain; default: the only one there is.")]
Json = Annotated[bool, Option("--json", help="Write one JSON document to stdout.")]
Config = Annotated[Path | None, Option("--config", help="Settings file instead of hybrid.toml.")]
Indexes = Annotated[str | None, Option("--indexes", help="Folder that holds the domains.")]
EffortOption = Annotated[Effort | None, Option("--effort", help="One dial for speed against quality.")]
Offline = Annotated[bool, Option("--offline", help="Never ask the hub for a model.")]
# Of several commands, and not of all.
AsUser = Annotated[
    list[str] | None,
    Option("--as-user", help="Who asks, and again for each group of that user; finds what they may read."),
]
Count = Annotated[int | None, Option("-k", help="How many hits.")]
Reranker = Annotated[str | None, Option("--reranker", help="A cross-encoder, by name or folder.")]
ExecutorName = Annotated[
    str, Option("--executor", help="Who works: serial, threads[:N], processes[:N], ray, ray://HOST:PORT.")
]


@dataclass(frozen=True, slots=True)
class Context:
    """What a command is told beside its own options: which domain and settings, and how to answer.

    Every field is an option of the command, with the same name, default and help everywhere.
    """

    domain: Domain = None
    as_json: Json = False
    config: Config = None
    indexes: Indexes = None
    effort: EffortOption = None
    offline: Offline = False

    def settings(self, sections: Mapping[str, Mapping[str, Any]] | None = None) -> Settings:
        """Merge these options, and those of the command by section, with file, environment and defaults.

        A value of None was not given and sets nothing.
        """
        own = dict(sections or {})
        own["models"] = {**own.get("models", {}), "offline": self.offline or None}
        loaded = load({"indexes": self.indexes, "effort": self.effort} | own, file=self.config)
        if loaded.by_folder:
            console.note(f"settings: {CONFIG_FILE} of this folder sets {', '.join(loaded.by_folder)}")
        return loaded.settings

    def assistant(self, settings: Settings | None = None, *, indexed: bool = True) -> Assistant:
        """Return an assistant for the domain that is meant, which has to exist if ``indexed``."""
        settings = settings or self.settings()
        name = self.existing_domain(settings) if indexed else self.domain or settings.domain or "none"
        return Assistant(name, settings=settings)

    def assistants(self, settings: Settings | None = None) -> Assistants | None:
        """Return what answers over several domains; None where one is named, set or alone."""
        settings = settings or self.settings()
        named = self.named(settings)
        if len(named) == 1 or (not named and len(list(domains(Path(settings.indexes)))) < 2):
            return None
        return Assistants(domains=named or None, settings=settings)

    def named(self, settings: Settings) -> list[str]:
        """Return the domains that are named, with commas; none where all are meant."""
        return [name.strip() for name in (self.domain or settings.domain).split(",") if name.strip()]

    def existing_domain(self, settings: Settings) -> str:
        """Return the domain that is meant: the one named, the one in the settings, or the only one."""
        wanted = self.domain or settings.domain
        there = list(domains(Path(settings.indexes)))
        if wanted in there or (not wanted and len(there) == 1):
            return wanted or there[0]
        if wanted:
            known = f"domains in {settings.indexes}: {', '.join(there) or 'none'}"
            hint = did_you_mean(wanted, there, "build one with: hybrid index FOLDER")
            raise IndexMissing(f"there is no domain {wanted!r}; {known}", hint=hint)
        if there:
            raise UsageError(f"there are several domains: {', '.join(there)}", hint="name one with --domain")
        found = f"there is no index in the folder {settings.indexes!r}"
        raise IndexMissing(found, hint="build one with: hybrid index FOLDER")

    def show(self, document: object, *lines: str) -> None:
        """Write the result: with --json as one JSON document, else as these lines."""
        if self.as_json:
            console.json_document(document)
            return
        for line in lines:
            console.data(line)

    def show_table(self, document: object, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write the result: with --json as one JSON document, else as a table."""
        if self.as_json:
            console.json_document(document)
        else:
            console.table(header, rows)


def shared(*names: str) -> Callable[[_Command[_Result]], _Command[_Result]]:
    """Give a command the options that are fields of a parameter, as those of ``Context`` are.

    Every parameter that is a dataclass becomes the options that its fields are, and is handed over as one.
    ``names`` are those of the fields of ``Context`` that are options here; all without one.

    Example:
        >>> @app.command("rollback")                             # doctest: +SKIP
        ... @shared()
        ... def rollback(context: Context) -> None: ...
    """

    def with_context(command: Callable[..., _Result]) -> Callable[..., _Result]:
        told = _parameters(command)
        kinds = {one.name: one.annotation for one in told if hasattr(one.annotation, "__dataclass_fields__")}
        options = {
            name: [one for one in _parameters(kind) if kind is not Context or not names or one.name in names]
            for name, kind in kinds.items()
        }

        @functools.wraps(command)
        def call(**given: Any) -> _Result:
            for name, kind in kinds.items():
                given[name] = kind(**{one.name: given.pop(one.name) for one in options[name]})
            return command(**given)

        # typer reads the options of a command off its signature; those of all commands come last
        told = [*(one for one in told if one.annotation is not Context), *told[:1]]
        parameters = [option for one in told for option in options.get(one.name, [one])]
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return call

    return with_context


def group(help: str) -> typer.Typer:
    """Return a group of commands, which shows its help where none is named."""
    return typer.Typer(help=help, short_help=help, no_args_is_help=True, rich_markup_mode=None)


def verb(
    app: typer.Typer, name: str, *names: str
) -> Callable[[Callable[..., _Result]], Callable[..., _Result]]:
    """Make a function a command of a group, with options as ``shared`` gives them."""
    return lambda command: app.command(name, short_help=first_line(command))(shared(*names)(command))


def first_line(command: Callable[..., Any]) -> str:
    """Return what a list of commands says of one, whole, where typer would cut it."""
    return (command.__doc__ or "").strip().partition("\n")[0]


def _parameters(called: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = inspect.signature(called, eval_str=True).parameters.values()
    return [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
