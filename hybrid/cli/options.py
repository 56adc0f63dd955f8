"""Options that several commands share, and what becomes of them.

Takes flags, gives settings, a domain's name, an assistant.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from hybrid.assistant import Assistant
from hybrid.config import Effort, RetrievalMode, Settings, load_settings
from hybrid.errors import IndexMissing, UsageError
from hybrid.index.generations import domains

Domain = Annotated[
    str | None, typer.Option("--domain", "-d", help="The domain; default: the only one there is.")
]
Json = Annotated[bool, typer.Option("--json", help="Write one JSON document to stdout.")]
Config = Annotated[Path | None, typer.Option("--config", help="Settings file instead of hybrid.toml.")]
Indexes = Annotated[str | None, typer.Option("--indexes", help="Folder that holds the domains.")]
EffortOption = Annotated[Effort | None, typer.Option("--effort", help="One dial for speed against quality.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never ask the hub for a model.")]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="Only documents with KEY=VALUE; source and title take * and ?."),
]
Mode = Annotated[RetrievalMode | None, typer.Option("--mode", help="Which side finds the passages.")]
Count = Annotated[int | None, typer.Option("-k", help="How many hits.")]
Reranker = Annotated[str | None, typer.Option("--reranker", help="A cross-encoder, by name or folder.")]


def settings_from(
    config: Path | None,
    *,
    indexes: str | None = None,
    effort: Effort | None = None,
    offline: bool = False,
    documents: dict[str, Any] | None = None,
    retrieval: dict[str, Any] | None = None,
    generation: dict[str, Any] | None = None,
    models: dict[str, Any] | None = None,
    decision: dict[str, Any] | None = None,
    adaptation: dict[str, Any] | None = None,
) -> Settings:
    """Merge the flags of a command with file, environment and defaults."""
    flags: dict[str, Any] = {
        "indexes": indexes,
        "effort": effort,
        "documents": documents or {},
        "retrieval": retrieval or {},
        "generation": generation or {},
        "decision": decision or {},
        "adaptation": adaptation or {},
        "models": (models or {}) | {"offline": offline or None},
    }
    return load_settings(flags, file=config)


def existing_domain(settings: Settings, name: str | None) -> str:
    """Return the domain that is meant: the one named, the one in the settings, or the only one.

    Raises:
        IndexMissing: there is none.
        UsageError: there are several and none is named.
    """
    wanted = name or settings.domain
    there = list(domains(Path(settings.indexes)))
    if wanted:
        if wanted not in there:
            known = (
                f"domains in {settings.indexes}: {', '.join(there)}" if there else "nothing was indexed yet"
            )
            raise IndexMissing(f"there is no domain {wanted!r}; {known}", hint="hybrid index FOLDER")
        return wanted
    if len(there) == 1:
        return there[0]
    if not there:
        raise IndexMissing(
            f"there is no index in the folder {settings.indexes!r}",
            hint="build one with: hybrid index FOLDER",
        )
    raise UsageError(f"there are several domains: {', '.join(there)}", hint="name one with --domain")


def new_domain(settings: Settings, name: str | None, folder: Path) -> str:
    """Return the name for the domain of a folder: the one given, or the folder's own."""
    if name or settings.domain:
        return name or settings.domain
    own = re.sub(r"[^\w.-]+", "-", folder.resolve().stem if folder.is_file() else folder.resolve().name)
    return own.strip("-.") or "documents"


def conditions(where: list[str] | None) -> dict[str, str]:
    """Return KEY=VALUE options as a mapping.

    Raises:
        UsageError: one has no ``=``.
    """
    parsed: dict[str, str] = {}
    for text in where or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(
                f"--where {text!r} is not KEY=VALUE", hint="for example: --where 'source=guide/*'"
            )
        if key in parsed:
            raise UsageError(
                f"--where {key} is given twice", hint="one condition a key; patterns take * and ?"
            )
        parsed[key] = value
    return parsed


def assistant_for(settings: Settings, domain: str | None) -> Assistant:
    """Return an assistant for an existing domain."""
    return Assistant(existing_domain(settings, domain), settings=settings)
