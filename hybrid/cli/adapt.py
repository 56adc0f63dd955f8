"""Commands that make adapters: adapt examples, adapt generator, adapt embedder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.assistant import Assistant
from hybrid.cli import console
from hybrid.cli.adapters import told
from hybrid.cli.judging import put_in_use
from hybrid.cli.options import (
    Config,
    Domain,
    EffortOption,
    Indexes,
    Json,
    Offline,
    assistant_for,
    settings_from,
)
from hybrid.config import Effort, Method
from hybrid.errors import UsageError

if TYPE_CHECKING:
    from hybrid.adaptation.examples.files import Given
    from hybrid.adaptation.examples.material import Objective
    from hybrid.adaptation.store.card import Card
    from hybrid.adaptation.values import LeftOut
    from hybrid.tuning import EmbedderWorkshop, Material
    from hybrid.types import Question

app = typer.Typer(
    help="Make adapters: tune the generator or the embedder to a domain.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Learn = Annotated[
    list[str] | None,
    typer.Option("--learn", help="reading, label, instruction or text; default: what the data is good for."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Write the training examples, JSON lines.")]
DataFiles = Annotated[list[Path] | None, typer.Option("--data", help="Your own examples, JSON lines.")]
Against = Annotated[list[Path] | None, typer.Option("--against", help="Question sets that must not leak.")]
Apart = Annotated[
    list[Path] | None, typer.Option("--apart", help="Question sets whose documents are not trained on.")
]
Licence = Annotated[str, typer.Option("--licence", help="Of documents and data, for the card.")]
Layers = Annotated[
    float | None, typer.Option("--layers", help="Share of the layers, from the top, that are tuned.")
]
Check = Annotated[
    bool, typer.Option("--check/--no-check", help="Measure gain and forgetting, and promote if it passes.")
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Another one makes another adapter.")]

_SHOWN = 10
_JARGON = 8
_WIDTH = 600
_TOLD_EVERY_SECONDS = 10.0


@app.command("examples")
def examples(
    domain: Domain = None,
    learn: Learn = None,
    data: DataFiles = None,
    against: Against = None,
    apart: Apart = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the training examples, JSON lines.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show ten as the model sees them, with memory and time.")
    ] = False,
    seed: Seed = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
    effort: EffortOption = None,
    offline: Offline = False,
) -> None:
    """Make the examples that a generator would be tuned on, and say what was left out."""
    assistant = _assistant(domain, config, indexes, effort, offline, {"seed": seed})
    material = _material(assistant, learn, data, against, apart, "not stated")
    document: dict[str, Any] = _counted(material)
    if out is not None:
        from hybrid.adaptation.examples.files import save_examples

        save_examples(out, material.examples.train)
        console.note(f"written: {out}")
        document["path"] = str(out)
    if dry_run:
        document |= _try_out(assistant, material, shown=not as_json)
    if as_json:
        console.json_document(document)
    elif out is not None:
        console.data(str(out))


@app.command("generator")
def generator(
    domain: Domain = None,
    learn: Learn = None,
    data: DataFiles = None,
    against: Against = None,
    apart: Apart = None,
    name: Annotated[str, typer.Option("--name", help="Of the adapter; default: the next number.")] = "",
    method: Annotated[
        Method | None, typer.Option("--method", help="lora, rslora, dora, qlora, full.")
    ] = None,
    rank: Annotated[
        str | None, typer.Option("--rank", help="A number, or auto: tried on validation.")
    ] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", help="How often all examples are seen.")] = None,
    rate: Annotated[
        float | None, typer.Option("--learning-rate", help="The highest one; default: by method.")
    ] = None,
    rehearsal: Annotated[
        float | None, typer.Option("--rehearsal", help="Share of tokens that keep the model what it was.")
    ] = None,
    divergence: Annotated[
        float | None, typer.Option("--divergence", help="Weight of the divergence from the base on them.")
    ] = None,
    layers: Layers = None,
    licence: Licence = "not stated",
    seed: Seed = None,
    check: Check = True,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
    effort: EffortOption = None,
    offline: Offline = False,
) -> int:
    """Tune the generator to a domain; the adapter is promoted only if it forgot no more than its budget."""
    own = {
        "method": method,
        "rank": None if rank == "auto" else rank,
        "epochs": epochs,
        "learning_rate": rate,
        "rehearsal": rehearsal,
        "divergence": divergence,
        "layers": layers,
        "seed": seed,
    }
    assistant = _assistant(domain, config, indexes, effort, offline, own)
    material = _material(assistant, learn, data, against, apart, licence)
    workshop = assistant.workshop()
    if rank == "auto":
        workshop = workshop.with_best_rank(material, progress=console.note)
    card = workshop.tune(material, name=name, progress=_TrainingProgress())
    if not card.name:
        return 0  # a further process of the same training: the first one says and keeps what came of it
    console.note(f"{card.name}: {told(card.gain, named=True)}; trained in {card.seconds / 60:.1f} min")
    return _finish(assistant, card, check=check, as_json=as_json)


@app.command("embedder")
def embedder(
    domain: Domain = None,
    data: DataFiles = None,
    against: Against = None,
    apart: Apart = None,
    name: Annotated[str, typer.Option("--name", help="Of the adapter; default: the next number.")] = "",
    licence: Licence = "not stated",
    seed: Seed = None,
    check: Check = True,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
    effort: EffortOption = None,
    offline: Offline = False,
) -> int:
    """Tune the embedder to the words of a domain; it is put in use only if it finds more and loses little."""
    from hybrid.adaptation.examples.material import question_sets

    assistant = _assistant(domain, config, indexes, effort, offline, {"seed": seed})
    workshop = assistant.embedder_workshop()
    card = workshop.tune(
        against=[*question_sets(assistant.folder / "questions"), *_sets(against)],
        apart=_sets(apart),
        given=given_data(assistant, data or ()).pairs,
        name=name,
        licence=licence,
        note=console.note,
        progress=_TrainingProgress(),
    )
    console.note(f"{card.name}: strength {card.strength:g}; trained in {card.seconds / 60:.1f} min")
    _tell_jargon(assistant, workshop, card.name)
    return _finish(assistant, card, check=check, as_json=as_json)


def _tell_jargon(assistant: Assistant, workshop: EmbedderWorkshop, name: str) -> None:
    """Say how many pieces the words of the domain break into, and whose neighbours changed most."""
    from hybrid.adaptation.forgetting.general import probe_texts
    from hybrid.adaptation.queries.jargon import domain_terms, report_jargon
    from hybrid.models.loading import load_embedder

    index, base = workshop.retriever.index, workshop.retriever.embedder
    documents = [index.document(source) for source in index.sources()]
    texts = [document.text for document in documents if document is not None]
    tuned = load_embedder(assistant.settings.models, assistant.adapters.folder(name))
    report = report_jargon(domain_terms(texts, base, common=probe_texts()), base, tuned)
    broken = ", ".join(f"{term.word} ({term.pieces})" for term in report.fragmented[:_JARGON])
    moved = ", ".join(each.word for each in report.moved[:_JARGON])
    console.note(f"words of the domain: {report.pieces_per_word:.2f} pieces each; most broken: {broken}")
    if moved:
        console.note(f"neighbours changed most: {moved}; on average {report.kept:.0%} were kept")


def _finish(assistant: Assistant, card: Card, *, check: bool, as_json: bool) -> int:
    """Check and promote, or say what was made."""
    if check:
        return put_in_use(assistant, card.name, force=False, as_json=as_json)
    if as_json:
        console.json_document({"adapter": card.name, "in_use": False, "card": card})
    else:
        console.data(card.name)
    return 0


def _assistant(
    domain: str | None,
    config: Path | None,
    indexes: str | None,
    effort: Effort | None,
    offline: bool,
    adaptation: dict[str, Any],
) -> Assistant:
    settings = settings_from(config, indexes=indexes, effort=effort, offline=offline, adaptation=adaptation)
    return assistant_for(settings, domain)


def _material(
    assistant: Assistant,
    learn: list[str] | None,
    data: list[Path] | None,
    against: list[Path] | None,
    apart: list[Path] | None,
    licence: str,
) -> Material:
    from hybrid.adaptation.examples.material import question_sets

    given = given_data(assistant, data or ())
    objectives = _objectives(learn, given)
    begun = time.perf_counter()
    console.note(f"making examples: {', '.join(objectives)}")
    material = assistant.workshop().material(
        objectives,
        against=[*question_sets(assistant.folder / "questions"), *_sets(against)],
        apart=_sets(apart),
        given=given,
        licence=licence,
    )
    _tell(material, time.perf_counter() - begun)
    return material


def _sets(paths: Sequence[Path] | None) -> list[Question]:
    from hybrid.questions.files import load_questions

    return [question for path in paths or () for question in load_questions(path)]


def given_data(assistant: Assistant, paths: Sequence[Path]) -> Given:
    """Return the user's own data of all files together."""
    from hybrid.adaptation.examples.files import Given, load_given
    from hybrid.generation.prompts import load_prompts

    prompts = load_prompts(assistant.settings.generation.language)
    parts = [load_given(path, prompts) for path in paths]
    return Given(
        tuple(question for part in parts for question in part.questions),
        tuple(example for part in parts for example in part.examples),
        tuple(pair for part in parts for pair in part.pairs),
    )


def _objectives(learn: list[str] | None, given: Given) -> list[Objective]:
    """Return what is to be learned: as told, else labels where there are some, else reading.

    Raises:
        UsageError: an objective that there is not.
    """
    from hybrid.adaptation.examples.material import Objective

    named = [part.strip() for text in learn or () for part in text.split(",")]
    for name in named:
        if name not in list(Objective):
            raise UsageError(
                f"--learn {name!r} is not one of: {', '.join(Objective)}", hint="for example --learn reading"
            )
    if named:
        return [Objective(name) for name in dict.fromkeys(named)]
    labelled = any(question.options for question in given.questions) or any(e.options for e in given.examples)
    return [Objective.LABEL if labelled else Objective.READING]


def _tell(material: Material, seconds: float) -> None:
    counts = ", ".join(f"{count} {kind}" for kind, count in material.data.counts.items())
    found = material.examples
    console.note(
        f"{len(found.train)} examples to train on ({counts}), {len(found.validation)} to validate, "
        f"{len(material.rehearsal)} of rehearsal; {seconds:.0f} s"
    )
    _tell_left_out(found.left_out)


def _tell_left_out(left_out: Sequence[LeftOut]) -> None:
    for left in left_out:
        console.note(f"left out {left.count}, {left.reason}")


def _counted(material: Material) -> dict[str, Any]:
    return {
        "train": len(material.examples.train),
        "validation": len(material.examples.validation),
        "rehearsal": len(material.rehearsal),
        "kinds": dict(material.data.counts),
        "left_out": material.examples.left_out,
    }


def _try_out(assistant: Assistant, material: Material, *, shown: bool) -> dict[str, Any]:
    """Show ten examples, and what training would take."""
    settings = assistant.settings.adaptation
    rendered, trial = assistant.workshop().try_out(material, _SHOWN)
    if shown:
        for number, each in enumerate(rendered, start=1):
            console.data(f"── {number}: {each.kind}, {each.source or 'given'}")
            console.data(f"masked, {each.given_tokens} tokens:\n{console.printable(each.given[-_WIDTH:])}")
            console.data(
                f"learned, {each.learned_tokens} tokens:\n{console.printable(each.learned[:_WIDTH])}\n"
            )
        console.data(
            f"{trial.steps} steps of {settings.batch} examples, {trial.tokens:,} tokens: about "
            f"{trial.seconds / 60:.1f} min and {trial.megabytes / 1000:.1f} GB; "
            f"{trial.left_out} examples are too long"
        )
    return {"examples": rendered, "training": trial}


class _TrainingProgress:
    """Tell how far training is, every few seconds, with the time that is left."""

    def __init__(self) -> None:
        self._begun = self._shown = time.monotonic()
        self._first = 0

    def __call__(self, step: int, steps: int, loss: float) -> None:
        now = time.monotonic()
        if not self._first:
            self._first, self._begun = step, now
        elif step == steps or now - self._shown >= _TOLD_EVERY_SECONDS:
            self._shown = now
            left = (now - self._begun) / (step - self._first) * (steps - step)
            console.note(f"step {step} of {steps}, loss {loss:.3f}, {left:.0f} s left")
