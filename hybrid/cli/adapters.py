"""Commands on the adapters of a domain: adapters list, show, remove, merge, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybrid.adaptation.values import AdapterKind, Card
from hybrid.adaptation.store import in_use
from hybrid.adaptation.values import Change
from hybrid.assistant import Assistant
from hybrid.cli import console
from hybrid.cli.options import Config, Domain, Indexes, Json, Offline, assistant_for, settings_from
from hybrid.errors import AdapterError, HybridError, UsageError
from hybrid.index.reembedding import discard
from hybrid.models.adapters import adapter_digest

app = typer.Typer(
    help="What was tuned: list, check, put in use, take away.", no_args_is_help=True, rich_markup_mode=None
)

Name = Annotated[str, typer.Argument(help="The name of an adapter.")]
Out = Annotated[Path, typer.Option("--out", help="Where to; it must not be there yet.")]

_GENERAL_TEXT = "general text"
_DIGITS = {"points": 1, "nats": 3, "bits": 3}


@app.command("list")
def list_(
    domain: Domain = None, as_json: Json = False, config: Config = None, indexes: Indexes = None
) -> None:
    """Show the adapters of a domain: what each gained, what it cost, and which is in use."""
    assistant = assistant_for(settings_from(config, indexes=indexes), domain)
    store = assistant.adapters
    used = {kind: _in_use(assistant, kind) for kind in AdapterKind}
    cards = []
    for name in store.names():
        try:
            cards.append(store.card(name))
        except AdapterError as error:
            # one damaged card must not hide the others
            console.note(f"error: {console.printable(str(error))}")
    if as_json:
        rows = [
            {"in_use": used[card.kind] == card.name, "bytes": _size(assistant, card.name), "card": card}
            for card in cards
        ]
        console.json_document({"domain": assistant.domain, "adapters": rows})
        return
    if not cards:
        console.note("no adapters yet; make one with: hybrid adapt generator, or hybrid adapt embedder")
        return
    console.table(
        ("name", "of the", "method", "gain", "general loss", "in use", "MB", "made"),
        [
            (
                card.name,
                card.kind,
                card.method,
                told(card.gain),
                told(general_of(card)),
                "yes" if used[card.kind] == card.name else "",
                f"{_size(assistant, card.name) / 1e6:.1f}",
                card.created[:10],
            )
            for card in cards
        ],
    )


@app.command("show")
def show(
    name: Name,
    domain: Domain = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
) -> None:
    """Show the card of an adapter: base, data, settings, curve, gain and forgetting."""
    assistant = assistant_for(settings_from(config, indexes=indexes), domain)
    card = assistant.adapters.card(name)
    serves = _in_use(assistant, card.kind) == name
    if as_json:
        console.json_document({"in_use": serves, "bytes": _size(assistant, name), "card": card})
        return
    lines = [
        ("adapter", f"{card.name}, of the {card.kind}" + (", in use" if serves else "")),
        ("base", f"{card.base} (weights {card.base_digest[:12]})"),
        ("method", f"{card.method}, strength {card.strength:g}, seed {card.seed}"),
        ("settings", ", ".join(f"{key} {value}" for key, value in card.settings.items())),
        ("data", ", ".join(f"{count} {kind}" for kind, count in card.data.counts.items())),
        ("licence", card.data.licence),
        ("training", f"{card.seconds / 60:.1f} min, {card.created}"),
        ("made from", card.parent),
        ("reads as", card.reader or ""),
        ("gain", told(card.gain, named=True) if card.gain is not None else "not measured"),
        *(("forgetting", told(change, named=True)) for change in card.forgetting),
        *(("curve", f"step {p.step}: {p.domain:.4f}{_of_general(p.general)}") for p in card.curve),
        ("made with", ", ".join(f"{package} {version}" for package, version in card.versions.items())),
    ]
    for label, text in lines:
        if text:
            console.data(f"{label:<11} {console.one_line(text, 200)}")


@app.command("remove")
def remove(
    name: Name,
    domain: Domain = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
) -> None:
    """Remove an adapter that is not in use."""
    assistant = assistant_for(settings_from(config, indexes=indexes), domain)
    card = assistant.adapters.card(name)
    if _in_use(assistant, card.kind) == name:
        raise UsageError(
            f"{name} is in use and cannot be removed",
            hint=f"go back first: hybrid adapters rollback {card.kind}",
        )
    digest = adapter_digest(assistant.adapters.folder(name))
    assistant.adapters.remove(name)
    if card.kind is AdapterKind.EMBEDDER:
        discard(assistant.folder, digest)
    if as_json:
        console.json_document({"domain": assistant.domain, "removed": name})
    else:
        console.data(f"removed {name}")


@app.command("merge")
def merge(
    name: Name,
    out: Out,
    domain: Domain = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
    offline: Offline = False,
) -> None:
    """Write base and adapter as one model, which loads without this package."""
    from hybrid.adaptation.export import merge
    from hybrid.models.loading import generator_folder
    from hybrid.models.resolve import fetch

    assistant = assistant_for(settings_from(config, indexes=indexes, offline=offline), domain)
    models = assistant.settings.models
    if assistant.adapters.card(name).kind is AdapterKind.GENERATOR:
        if models.endpoint:
            raise UsageError("the generator is an endpoint's", hint="unset models.endpoint to merge")
        base = generator_folder(models.generator, offline=models.offline)
    else:
        base = fetch(models.embedder, offline=models.offline)
    _written(merge(assistant.adapters.folder(name), base, out), as_json=as_json)


@app.command("export")
def export(
    name: Name,
    out: Out,
    domain: Domain = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
) -> None:
    """Write an adapter in PEFT's format with its card: a folder, or an archive (.zip, .tar, .tar.gz)."""
    from hybrid.adaptation.export import export

    assistant = assistant_for(settings_from(config, indexes=indexes), domain)
    _written(export(assistant.adapters.folder(name), out), as_json=as_json)


def told(change: Change | None, *, named: bool = False) -> str:
    """Return a change with its interval on one line; a dash where nothing was measured."""
    if change is None:
        return "-"
    digits = _DIGITS.get(change.unit, 3)
    bounds = f"{change.low:+.{digits}f} to {change.high:+.{digits}f}"
    text = f"{change.change:+.{digits}f} {change.unit} ({bounds})"
    if not named:
        return text
    values = f"{change.before:.{digits}f} → {change.after:.{digits}f}"
    return f"{change.measure} {values}: {text}, {change.items} items"


def _in_use(assistant: Assistant, kind: AdapterKind) -> str | None:
    """Return the adapter that serves; what is wrong with the index or a pointer hides no adapter."""
    try:
        return in_use(assistant.adapters, kind)
    except HybridError as error:
        console.note(f"error: {console.printable(str(error))}")
        return None


def general_of(card: Card) -> Change | None:
    """Return the change of general text, or the first that was measured."""
    named = [change for change in card.forgetting if change.measure == _GENERAL_TEXT]
    return next(iter([*named, *card.forgetting]), None)


def _of_general(value: float | None) -> str:
    return "" if value is None else f", general {value:.4f}"


def _size(assistant: Assistant, name: str) -> int:
    return sum(path.stat().st_size for path in assistant.adapters.folder(name).rglob("*") if path.is_file())


def _written(path: Path, *, as_json: bool) -> None:
    if as_json:
        console.json_document({"path": str(path)})
    else:
        console.data(str(path))
