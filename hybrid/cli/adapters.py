"""Commands on the adapters of a domain: list, show, check, promote, roll back, repair, take away."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from hybrid.adaptation.store import in_use
from hybrid.adaptation.values import AdapterKind, Card, Change, Destination, Merging, Reasons
from hybrid.assistant import Assistant
from hybrid.cli import console
from hybrid.cli.options import Context, group, verb
from hybrid.errors import EXIT_GATE_FAILED, AdapterError, GateFailed, HybridError
from hybrid.models.gguf import Precision

app = group("What was tuned: list, check, put in use, take away.")

Name = Annotated[str, Argument(help="The name of an adapter.")]
Suites = Annotated[
    list[Path] | None,
    Option("--suite", help="Items of your own, a file or a folder, for the kinds that are in it."),
]
Items = Annotated[int | None, Option("--items", help="At most so many of each kind.")]
GivenData = Annotated[
    list[Path] | None, Option("--data", help="Your own examples, as they were given to `hybrid adapt`.")
]
_Kind = Argument(help="generator or embedder.", case_sensitive=False)

_DIGITS = {"points": 1, "nats": 3}


@verb(app, "list")
def list_(context: Context) -> None:
    """Show the adapters of a domain: what each gained, what it cost, and which is in use."""
    assistant = context.assistant()
    used = {kind: _in_use(assistant, kind) for kind in AdapterKind}
    cards = []
    for name in assistant.adapters.names():
        try:
            cards.append(assistant.adapters.card(name))
        except AdapterError as error:
            # one damaged card must not hide the others
            console.note(f"error: {error}")
    if context.as_json:
        rows = [
            {"in_use": used[card.kind] == card.name, "bytes": _size(assistant, card.name), "card": card}
            for card in cards
        ]
        console.json_document({"domain": assistant.domain, "adapters": rows})
    elif not cards:
        console.note("no adapters yet; make one with: hybrid adapt generator, or hybrid adapt embedder")
    else:
        console.table(
            ("name", "of the", "method", "gain", "general loss", "in use", "MB", "made"),
            [
                (
                    card.name,
                    card.kind,
                    card.method,
                    told(card.gain),
                    told(card.general_loss),
                    "yes" if used[card.kind] == card.name else "",
                    f"{_size(assistant, card.name) / 1e6:.1f}",
                    card.created[:10],
                )
                for card in cards
            ],
        )


@verb(app, "show")
def show(context: Context, name: Name) -> None:
    """Show the card of an adapter: base, data, settings, curve, gain and forgetting."""
    assistant = context.assistant()
    card = assistant.adapters.card(name)
    serves = _in_use(assistant, card.kind) == name
    lines = [
        ("adapter", f"{card.name}, of the {card.kind}" + (", in use" if serves else "")),
        ("base", f"{card.base} (weights {card.base_digest[:12]})"),
        ("method", f"{card.method}, strength {card.strength:g}, seed {card.seed}"),
        ("settings", ", ".join(f"{key} {value}" for key, value in card.settings.items())),
        ("data", ", ".join(f"{count} {kind}" for kind, count in card.data.counts.items()) or "not stated"),
        ("left out", "; ".join(f"{count}, {why}" for why, count in card.data.left_out.items())),
        ("licence", card.data.licence),
        ("training", f"{card.seconds / 60:.1f} min, {card.created}"),
        ("ended", str(card.settings.get("ended", ""))),
        ("made from", card.parent),
        ("reads as", card.reader or ""),
        ("gain", told(card.gain, named=True) if card.gain is not None else "not measured"),
        *(("forgetting", told(change, named=True)) for change in card.forgetting),
        ("refusal", "does not apply: it chooses among labels" if card.chooses else ""),
        *(("curve", f"step {p.step}: {p.domain:.4f}{_of_general(p.general)}") for p in card.curve),
        ("made with", ", ".join(f"{package} {version}" for package, version in card.versions.items())),
    ]
    context.show(
        {"in_use": serves, "bytes": _size(assistant, name), "card": card},
        *(f"{label:<11} {console.one_line(text, 200)}" for label, text in lines if text),
    )


@verb(app, "check")
def check(
    context: Context,
    name: Name,
    suite: Suites = None,
    items: Items = None,
    task: Annotated[
        list[str] | None, Option("--task", help="A task of lm-eval, measured as well; may be repeated.")
    ] = None,
) -> int:
    """Measure what an adapter made the model forget, and write it into its card; ends with 7 if too much."""
    assistant = context.assistant()
    with console.progress() as progress:
        card = assistant.adaptation.check(
            name, suites=suite or (), items=items, tasks=task or (), note=console.note, progress=progress
        )
    found = assistant.adapters.reasons(name)
    if context.as_json:
        console.json_document({"adapter": name, "passed": not found.against, "found": found, "card": card})
    else:
        _show(card)
        _explain(found)
    return EXIT_GATE_FAILED if found.against else 0


@verb(app, "promote")
def promote(
    context: Context,
    name: Name,
    force: Annotated[bool, Option("--force", help="Whatever stands against it.")] = False,
) -> int:
    """Put an adapter in use if it gained and did not forget too much; checked first if it never was."""
    return put_in_use(context, context.assistant(), name, force=force)


@verb(app, "rollback")
def rollback(context: Context, kind: Annotated[AdapterKind, _Kind]) -> None:
    """Put the adapter that was in use before back in use, or the base if there was none."""
    assistant = context.assistant()
    with console.progress() as progress:
        name = assistant.adaptation.rollback(kind, progress=progress)
    context.show(
        {"domain": assistant.domain, "kind": kind, "in_use": name},
        f"in use for the {kind}: {name or 'the base'}",
    )


@verb(app, "repair")
def repair(
    context: Context,
    name: Name,
    data: GivenData = None,
    train: Annotated[bool, Option(help="Tune anew with more rehearsal if strength is not enough.")] = True,
    suite: Suites = None,
    items: Items = None,
) -> int:
    """Try smaller strength, then more rehearsal, until the adapter forgets no more than it may."""
    service = context.assistant().adaptation
    found = service.repair(
        name, given=service.given(data or ()), train=train, suites=suite or (), items=items, note=console.note
    )
    tried = [{"tried": attempt.name, "attempt": attempt} for attempt in found.attempts]
    context.show(
        {"adapter": name, "repaired": found.kept or None, "attempts": tried},
        f"{found.kept} stays inside the budget; put it in use: hybrid adapters promote {found.kept}"
        if found.kept
        else f"{name} is not repaired: nothing that was tried stays inside the budget and still gains",
    )
    return 0 if found.kept else EXIT_GATE_FAILED


@verb(app, "combine")
def combine(
    context: Context,
    names: Annotated[list[str], Argument(help="The names of two or more adapters.")],
    by: Annotated[Merging, Option("--by", help="How changes become one.")] = Merging.TIES,
    weight: Annotated[
        list[float] | None, Option("--weight", help="One for each, in order; default: tried on validation.")
    ] = None,
    density: Annotated[float, Option("--density", help="Share of entries that TIES and DARE keep.")] = 0.5,
    rank: Annotated[int, Option("--rank", min=0, help="Of the new one; default: by the way.")] = 0,
    seed: Annotated[int, Option("--seed", min=0, help="Of what DARE drops.")] = 0,
    name: Annotated[str, Option("--name", help="Of the new one; default: the next number.")] = "",
    data: GivenData = None,
    suite: Suites = None,
    items: Items = None,
) -> int:
    """Merge adapters of the generator into one, and put that in use if it passes like any other."""
    from hybrid.adaptation.methods.deltas import Recipe

    assistant = context.assistant()
    service = assistant.adaptation
    card = service.combine(
        names,
        Recipe(by, density, rank, seed),
        weights=weight or (),
        name=name,
        given=service.given(data or ()),
        suites=suite or (),
        items=items,
        note=console.note,
    )
    console.note(f"{card.name}, of {card.parent} by weights {card.settings['weights']}: {told(card.gain)}")
    return put_in_use(context, assistant, card.name)


@verb(app, "ablate")
def ablate(
    context: Context,
    name: Name,
    keep: Annotated[
        bool, Option("--keep", help="Keep it without what costs more than it brings, as a new one.")
    ] = False,
    data: GivenData = None,
    suite: Suites = None,
    items: Items = None,
) -> int:
    """Show which blocks, layers and directions of an adapter carry its gain, and which what was forgotten."""
    assistant = context.assistant()
    service = assistant.adaptation
    found, card = service.ablate(
        name,
        keep=keep,
        given=service.given(data or ()),
        suites=suite or (),
        items=items,
        note=console.note,
        progress=lambda worth: console.note(f"measured: {worth.group.name}"),
    )
    rows = [(one.group.name, one.brings, one.costs, one.pays) for one in (found.whole, *found.parts)]
    keys = ("part", "brings", "costs", "pays")
    context.show_table(
        {
            "adapter": name,
            "parts": [dict(zip(keys, row, strict=True)) for row in rows],
            "kept": card and card.name,
        },
        ("part", "brings, nats", "costs, nats", ""),
        [
            (part, f"{brings:+.4f}", f"{costs:+.4f}", "" if pays else "costs more than it brings")
            for part, brings, costs, pays in rows
        ],
    )
    if card is None:
        return 0
    against = assistant.adapters.reasons(card.name)
    console.note(f"{card.name}, without {card.settings['without']}: {told(card.gain)}")
    _explain(against)
    return EXIT_GATE_FAILED if against.against else 0


@verb(app, "drift")
def drift(
    context: Context,
    name: Name,
    out: Annotated[Path | None, Option("--out", help="Write it as a picture, SVG.")] = None,
) -> None:
    """Show how far an adapter of the generator moved each block of the model."""
    from hybrid.files import write_atomic
    from hybrid.report import drift_picture

    assistant = context.assistant()
    found = assistant.adaptation.drift(name)
    if out is not None:
        write_atomic(out, drift_picture(found, f"{assistant.domain}: {name}"))
        console.note(f"picture: {out}")
    context.show_table(
        {"adapter": name, "blocks": found},
        ("block", "angle, domain", "angle, general", "change of the weights", "effective rank"),
        [
            (
                str(each.block),
                f"{each.domain:.2f}°",
                f"{each.general:.2f}°",
                f"{100 * each.change:.2f} %",
                f"{each.rank:.1f}",
            )
            for each in found
        ],
    )


@verb(app, "tradeoff")
def tradeoff(
    context: Context,
    kind: Annotated[AdapterKind, _Kind] = AdapterKind.GENERATOR,
    report: Annotated[Path | None, Option("--report", help="Write it as one HTML file.")] = None,
) -> None:
    """Show what each adapter gained in the domain against what it lost in general, and which are best."""
    from hybrid.files import write_atomic
    from hybrid.report import pareto_html, pareto_json, pareto_text

    assistant = context.assistant()
    found = assistant.adaptation.tradeoff(kind, note=console.note)
    if report is not None:
        write_atomic(report, pareto_html(found, title=f"{assistant.domain}: the {kind}"))
        console.note(f"report: {report}")
    context.show(pareto_json(found), pareto_text(found))


@verb(app, "remove")
def remove(context: Context, name: Name) -> None:
    """Remove an adapter that is not in use."""
    assistant = context.assistant()
    assistant.adaptation.remove(name)
    context.show({"domain": assistant.domain, "removed": name}, f"removed {name}")


@verb(app, "add")
def add(
    context: Context,
    folder: Annotated[Path, Argument(help="What PEFT wrote: adapter_config.json and weights.")],
    name: Annotated[str, Option("--name", help="Of the adapter; default: the next number.")] = "",
) -> None:
    """Take in an adapter that was made by plain PEFT (axolotl, unsloth, TRL), if it fits the model."""
    card = context.assistant().adaptation.take_in(folder, name=name, note=console.note)
    console.note(f"what it forgot is measured by: hybrid adapters check {card.name}")
    console.note(f"whether it helps: hybrid evaluate FILE --arm adapter:generator_adapter={card.name}")
    context.show({"adapter": card.name, "in_use": False, "card": card}, card.name)


@verb(app, "export")
def export(
    context: Context,
    name: Name,
    out: Annotated[Path, Argument(help="Where to; it must not be there yet.")],
    destination: Annotated[
        Destination,
        Option(
            "--for",
            help="Who takes it. peft: a folder or an archive (.zip, .tar, .tar.gz). merged: a model of its "
            "own. gguf: a file for llama.cpp. vllm: a folder and a line that starts it. ollama: a Modelfile.",
        ),
    ] = Destination.PEFT,
    precision: Annotated[Precision, Option(help="Of the matrices in GGUF.")] = Precision.F16,
) -> None:
    """Write an adapter as another program takes it: checked, merged where it must be, and compared."""
    service = context.assistant().adaptation
    path = service.export(name, out, destination, precision=precision, note=console.note)
    context.show({"path": str(path), "for": destination}, str(path))


def put_in_use(context: Context, assistant: Assistant, name: str, *, force: bool = False) -> int:
    """Promote an adapter unless something stands against it; say so, and return the exit code."""
    card = assistant.adapters.card(name)
    refused = False
    with console.progress() as progress:
        try:
            found = assistant.adaptation.promote(name, force=force, note=console.note, progress=progress)
        except GateFailed as error:
            refused, found = True, Reasons(error.against, error.advice)
    if context.as_json:
        console.json_document({"adapter": name, "in_use": not refused, "found": found})
    else:
        if not card.forgetting and not force:
            _show(assistant.adapters.card(name))  # measured just now
        _explain(found)
        console.data(f"{name} is not put in use" if refused else f"in use for the {card.kind}: {name}")
    return EXIT_GATE_FAILED if refused else 0


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
        console.note(f"error: {error}")
        return None


def _of_general(value: float | None) -> str:
    return "" if value is None else f", general {value:.4f}"


def _size(assistant: Assistant, name: str) -> int:
    return sum(path.stat().st_size for path in assistant.adapters.folder(name).rglob("*") if path.is_file())


def _show(card: Card) -> None:
    rows = [
        (
            change.measure,
            f"{change.before:.{_DIGITS.get(change.unit, 1)}f}",
            f"{change.after:.{_DIGITS.get(change.unit, 1)}f}",
            told(change),
            str(change.items),
        )
        for change in (*([card.gain] if card.gain else []), *card.forgetting)
    ]
    console.table(("measure", "before", "after", "change (90 % interval)", "items"), rows)


def _explain(found: Reasons) -> None:
    for line in found.against:
        console.note(f"against it: {line}")
    for line in found.advice:
        console.note(f"  → {line}")
