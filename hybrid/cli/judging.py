"""Commands that judge adapters and put them in use: adapters check, promote, rollback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.adaptation.values import AdapterKind, Card
from hybrid.assistant import Assistant
from hybrid.cli import console
from hybrid.cli.adapters import Name, told
from hybrid.cli.options import Config, Domain, Indexes, Json, Offline, assistant_for, settings_from
from hybrid.errors import EXIT_GATE_FAILED, UsageError

if TYPE_CHECKING:
    from hybrid.adaptation.gate import Budget
    from hybrid.adaptation.forgetting.general import Suite
    from hybrid.adaptation.gate import Reasons

Suites = Annotated[
    list[Path] | None,
    typer.Option("--suite", help="Items of your own, a file or a folder, for the kinds that are in it."),
]
Items = Annotated[int | None, typer.Option("--items", help="At most so many of each kind.")]
Tasks = Annotated[
    list[str] | None, typer.Option("--task", help="A task of lm-eval, measured as well; may be repeated.")
]
Force = Annotated[bool, typer.Option("--force", help="Whatever stands against it.")]


def check(
    name: Name,
    suite: Suites = None,
    items: Items = None,
    task: Tasks = None,
    domain: Domain = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
    offline: Offline = False,
) -> int:
    """Measure what an adapter made the model forget, and write it into its card; ends with 7 if too much."""
    from hybrid.adaptation.gate import reasons

    assistant = assistant_for(settings_from(config, indexes=indexes, offline=offline), domain)
    card = checked(assistant, name, suites=suite or (), items=items, tasks=task or ())
    found = reasons(card, budget_of(assistant))
    if as_json:
        console.json_document(
            {"adapter": card.name, "passed": not found.against, "found": found, "card": card}
        )
    else:
        _show(card)
        _explain(found)
    return EXIT_GATE_FAILED if found.against else 0


def promote(
    name: Name,
    force: Force = False,
    domain: Domain = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
    offline: Offline = False,
) -> int:
    """Put an adapter in use if it gained and did not forget too much; checked first if it never was."""
    assistant = assistant_for(settings_from(config, indexes=indexes, offline=offline), domain)
    return put_in_use(assistant, name, force=force, as_json=as_json)


def rollback(
    kind: Annotated[AdapterKind, typer.Argument(help="generator or embedder.", case_sensitive=False)],
    domain: Domain = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
    offline: Offline = False,
) -> None:
    """Put the adapter that was in use before back in use, or the base if there was none."""
    assistant = assistant_for(settings_from(config, indexes=indexes, offline=offline), domain)
    if kind is AdapterKind.EMBEDDER:
        search_with(assistant, assistant.adapters.before(kind))
    name = assistant.adapters.rollback(kind)
    if as_json:
        console.json_document({"domain": assistant.domain, "kind": kind, "in_use": name})
    else:
        console.data(f"in use for the {kind}: {name or 'the base'}")


def put_in_use(assistant: Assistant, name: str, *, force: bool, as_json: bool) -> int:
    """Promote an adapter unless something stands against it; say so, and return the exit code."""
    from hybrid.adaptation.gate import reasons

    card = assistant.adapters.card(name)
    if not card.forgetting and not force:
        card = checked(assistant, name)
        if not as_json:
            _show(card)
    found = reasons(card, budget_of(assistant))
    refused = bool(found.against) and not force
    if not refused:
        if card.kind is AdapterKind.EMBEDDER:
            search_with(assistant, name)
        assistant.adapters.promote(name, lambda _: ())
    if as_json:
        console.json_document({"adapter": name, "in_use": not refused, "found": found})
    else:
        _explain(found)
        console.data(f"{name} is not put in use" if refused else f"in use for the {card.kind}: {name}")
    return EXIT_GATE_FAILED if refused else 0


def search_with(assistant: Assistant, name: str | None) -> None:
    """Embed the domain with an adapter, or without one, and search that from now on."""
    from hybrid.adaptation.gate import switch_embedder
    from hybrid.models.loading import load_embedder

    folder = None if name is None else assistant.adapters.folder(name)
    embedder = load_embedder(assistant.settings.models, folder)
    with console.progress() as progress:
        switch_embedder(assistant.folder, embedder, progress=progress)


def checked(
    assistant: Assistant,
    name: str,
    *,
    suites: Sequence[Path] = (),
    items: int | None = None,
    tasks: Sequence[str] = (),
) -> Card:
    """Measure what an adapter made its model forget, and of an embedder what it gained; return its card."""
    if assistant.adapters.card(name).kind is AdapterKind.EMBEDDER:
        if items is not None or tasks:
            raise UsageError("--items and --task are for adapters of the generator")
        return _checked_embedder(assistant, name, suites)
    from hybrid.adaptation.checking import check

    return check(
        assistant.adapters,
        name,
        assistant.workshop().generator,
        suite_for(suites),
        tasks=tasks,
        items=items,
        seed=assistant.settings.adaptation.seed,
        progress=lambda doing: console.note(f"measuring {doing}"),
    )


def _checked_embedder(assistant: Assistant, name: str, suites: Sequence[Path]) -> Card:
    from hybrid.adaptation.examples.material import question_sets
    from hybrid.adaptation.forgetting.collection import general_set, read_collection
    from hybrid.adaptation.checking import check_embedder
    from hybrid.models.loading import load_embedder

    models = assistant.settings.models
    with console.progress() as progress:
        return check_embedder(
            assistant.adapters,
            name,
            load_embedder(models),
            load_embedder(models, assistant.adapters.folder(name)),
            assistant.settings,
            general=[general_set(), *(read_collection(path) for path in suites)],
            against=question_sets(assistant.folder / "questions"),
            progress=progress,
        )


def suite_for(paths: Sequence[Path]) -> Suite:
    """Return the items of one's own, with those that ship for the kinds that are not among them."""
    from hybrid.adaptation.forgetting.benchmark_files import load_suite
    from hybrid.adaptation.forgetting.general import shipped_suite
    from hybrid.adaptation.checking import with_own

    return with_own(shipped_suite(), load_suite(*paths)) if paths else shipped_suite()


def budget_of(assistant: Assistant) -> Budget:
    """Return how much may be forgotten, by the settings."""
    from hybrid.adaptation.gate import Budget

    chosen = assistant.settings.adaptation
    return Budget(chosen.budget_nats, chosen.budget_points)


def _show(card: Card) -> None:
    digits = {"nats": 3, "bits": 3}
    rows = [
        (
            change.measure,
            f"{change.before:.{digits.get(change.unit, 1)}f}",
            f"{change.after:.{digits.get(change.unit, 1)}f}",
            told(change),
            str(change.items),
        )
        for change in ((card.gain,) if card.gain is not None else ()) + card.forgetting
    ]
    console.table(("measure", "before", "after", "change (90 % interval)", "items"), rows)


def _explain(found: Reasons) -> None:
    for line in found.against:
        console.note(f"against it: {line}")
    for line in found.advice:
        console.note(f"  → {line}")
