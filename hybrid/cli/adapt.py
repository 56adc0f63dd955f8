"""Commands that make adapters: adapt examples, adapt generator, adapt embedder."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from hybrid.assistant import Assistant
from hybrid.cli import console
from hybrid.cli.adapters import put_in_use, told
from hybrid.cli.options import Context, group, verb
from hybrid.config import Method, ShownPassages, Targets

if TYPE_CHECKING:
    from hybrid.adaptation.methods.labels import SelfRound
    from hybrid.adaptation.methods.loop import Round
    from hybrid.adaptation.methods.preferences import JudgedRound
    from hybrid.adaptation.values import Card
    from hybrid.adaptation.workshop import Material
    from hybrid.types import Question

app = group("Make adapters: tune the generator or the embedder to a domain.")

Learn = Annotated[
    list[str] | None,
    Option("--learn", help="reading, label, instruction, text, preference; default: by the data."),
]
DataFiles = Annotated[list[Path] | None, Option("--data", help="Your own examples, JSON lines.")]
Mix = Annotated[bool, Option("--mix", help="Make examples of the documents, beside your own.")]
Against = Annotated[list[Path] | None, Option("--against", help="Question sets that must not leak.")]
Apart = Annotated[
    list[Path] | None, Option("--apart", help="Question sets whose documents are not trained on.")
]
Name = Annotated[str, Option("--name", help="Of the adapter; default: the next number.")]
Licence = Annotated[str, Option("--licence", help="Of documents and data, for the card.")]
Check = Annotated[
    bool, Option("--check/--no-check", help="Measure gain and forgetting, and promote if it passes.")
]
ShowPassages = Annotated[
    ShownPassages | None,
    Option("--passages", help="Which label examples show passages; auto: those about an indexed one."),
]
Seed = Annotated[int | None, Option("--seed", min=0, help="Another one makes another adapter.")]

_SHOWN = 10
_WIDTH = 600
_TOLD_EVERY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Taught:
    """What a model is to learn from; the fields are options."""

    learn: Learn = None
    data: DataFiles = None
    mix: Mix = False
    against: Against = None
    apart: Apart = None

    def material(self, assistant: Assistant, licence: str = "not stated", start: str = "") -> Material:
        """Return the examples, and say how many there are."""
        service, begun = assistant.adaptation, time.perf_counter()
        material = service.material(
            [part.strip() for text in self.learn or () for part in text.split(",")],
            against=_questions(self.against),
            apart=_questions(self.apart),
            given=service.given(self.data or ()),
            mix=self.mix,
            licence=licence,
            start=start,
            note=console.note,
        )
        counts = ", ".join(f"{count} {kind}" for kind, count in material.data.counts.items())
        found = material.examples
        console.note(
            f"{len(found.train) + len(found.preferences)} examples to train on ({counts}), "
            f"{len(found.validation) + len(found.checks)} to validate, "
            f"{len(material.rehearsal)} of rehearsal; {time.perf_counter() - begun:.0f} s"
        )
        for left in found.left_out:
            console.note(f"left out {left.count}, {left.reason}")
        return material


@dataclass(frozen=True, slots=True)
class Tuned:
    """How a generator is changed; the fields are options, under the names of the settings."""

    method: Annotated[
        Method | None, Option("--method", help="How it is changed; docs/how-to/adapt.md says when.")
    ] = None
    targets: Annotated[
        Targets | None, Option("--targets", help="Modules: queries and values, feed-forward, all.")
    ] = None
    over: Annotated[str | None, Option("--over", help="Of a fusion: bottleneck adapters, one,two.")] = None
    rank: Annotated[str | None, Option("--rank", help="A number, or auto: tried on validation.")] = None
    epochs: Annotated[float | None, Option("--epochs", help="How often all examples are seen.")] = None
    learning_rate: Annotated[
        float | None, Option("--learning-rate", help="The highest one; default: by method.")
    ] = None
    rehearsal: Annotated[
        float | None, Option("--rehearsal", help="Share of tokens that keep the model what it was.")
    ] = None
    divergence: Annotated[
        float | None, Option("--divergence", help="Weight of the divergence from the base on them.")
    ] = None
    ewc: Annotated[float | None, Option("--ewc", help="Weight of what a change costs the base: EWC.")] = None
    l2: Annotated[float | None, Option("--l2", help="Weight of the squared change.")] = None
    stop_nats: Annotated[float | None, Option("--stop-nats", help="End when general loss rose by more.")] = (
        None
    )
    upper_first: Annotated[
        float | None, Option("--upper-first", help="Share of steps with the upper layers alone.")
    ] = None
    layers: Annotated[
        float | None, Option("--layers", help="Share of the layers, from the top, that are tuned.")
    ] = None


@verb(app, "examples")
def examples(
    context: Context,
    taught: Taught,
    out: Annotated[Path | None, Option("--out", help="Write the training examples, JSON lines.")] = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Show ten as the model sees them, with memory and time.")
    ] = False,
    passages: ShowPassages = None,
    seed: Seed = None,
) -> None:
    """Make the examples that a generator would be tuned on, and say what was left out."""
    assistant = context.assistant(context.settings({"adaptation": {"seed": seed, "passages": passages}}))
    material = taught.material(assistant)
    document: dict[str, Any] = {
        "train": len(material.examples.train),
        "validation": len(material.examples.validation),
        "preferences": len(material.examples.preferences),
        "rehearsal": len(material.rehearsal),
        "kinds": dict(material.data.counts),
        "left_out": material.examples.left_out,
    }
    if out is not None:
        from hybrid.adaptation.data.examples import save_examples

        save_examples(out, material.examples.train)
        console.note(f"written: {out}")
        document["path"] = str(out)
    if dry_run:
        document |= _try_out(assistant, material, shown=not context.as_json)
    context.show(document, *([] if out is None else [str(out)]))


@verb(app, "generator")
def generator(
    context: Context,
    taught: Taught,
    tuned: Tuned,
    name: Name = "",
    start: Annotated[str, Option("--start", help="The adapter to begin with.")] = "",
    passages: ShowPassages = None,
    licence: Licence = "not stated",
    seed: Seed = None,
    check: Check = True,
) -> int:
    """Tune the generator to a domain; the adapter is promoted only if it forgot no more than its budget."""
    own = dataclasses.asdict(tuned) | {"passages": passages, "seed": seed}
    own["over"] = None if tuned.over is None else tuned.over.split(",")
    own["rank"] = None if tuned.rank == "auto" else tuned.rank
    assistant = context.assistant(context.settings({"adaptation": own}))
    material = taught.material(assistant, licence, start)
    service = assistant.adaptation
    if tuned.rank == "auto":
        service = service.with_best_rank(material, note=console.note)
    card = service.tune_generator(material, name=name, start=start, progress=_TrainingProgress())
    if not card.name:
        return 0  # a further process of the same training: the first one says and keeps what came of it
    console.note(f"{card.name}: {told(card.gain, named=True)}; trained in {card.seconds / 60:.1f} min")
    if "not adapted" in card.settings:
        console.note(f"not adapted: {card.settings['not adapted']}")
    return _finish(context, assistant, card, check=check)


@verb(app, "improve")
def improve(
    context: Context,
    name: Annotated[str, Option("--name", help="Of the run; a number of the round follows.")] = "judged",
    start: Annotated[str, Option("--start", help="The adapter to begin with.")] = "",
    rounds: Annotated[int, Option("--rounds", min=1, help="At most.")] = 3,
    samples: Annotated[int, Option("--samples", min=2, help="Answers to each question.")] = 4,
    licence: Licence = "not stated",
    seed: Seed = None,
    check: Check = True,
) -> int:
    """Let the judge choose among sampled answers, and learn what it prefers, in rounds (RLAIF by DPO)."""
    from hybrid.adaptation.methods.loop import best_of

    assistant = context.assistant(context.settings({"adaptation": {"seed": seed}}))

    def told_round(done: JudgedRound) -> None:
        _tell(
            done,
            f"{done.name or 'the base'}: reward {done.reward:.3f}",
            f", {done.words:.0f} words, declines {done.declined:.0%} of what has an answer, "
            f"{done.declined_rightly:.0%} of what has none",
        )

    done = assistant.adaptation.improve(
        name=name,
        start=start,
        rounds=rounds,
        samples=samples,
        licence=licence,
        told=told_round,
        progress=_TrainingProgress(),
    )
    best = best_of(done).name
    if best == start:
        context.show({"adapter": start or None, "in_use": False, "rounds": done}, "nothing better was found")
        return 0
    return _finish(context, assistant, assistant.adapters.card(best), check=check)


@verb(app, "self-train")
def self_train(
    context: Context,
    data: Annotated[Path, Option("--data", help="Labelled questions, a question set with options.")],
    unlabelled: Annotated[Path, Option("--unlabelled", help="Questions with options, no answers.")],
    review: Annotated[
        Path, Option("--review", help="Where what is left goes, for `hybrid questions review`.")
    ] = Path("review.jsonl"),
    name: Annotated[str, Option("--name", help="Of the run; a number follows.")] = "self-trained",
    rounds: Annotated[int, Option("--rounds", min=1, help="At most.")] = 3,
    confidence: Annotated[
        float, Option("--confidence", min=0.5, max=1, help="From which on its labels are learned.")
    ] = 0.95,
    licence: Licence = "not stated",
    seed: Seed = None,
    check: Check = True,
) -> int:
    """Learn labels, then those that the generator itself gives and is sure of; a clean set decides."""
    from hybrid.adaptation.methods.labels import for_review
    from hybrid.questions.files import save_questions

    assistant = context.assistant(context.settings({"adaptation": {"seed": seed}}))

    def told_round(done: SelfRound) -> None:
        own = len(done.learned)
        _tell(done, f"{done.name}: {own} labels of its own; {done.right:.1%} of the clean set right")

    found = assistant.adaptation.self_train(
        _questions([data]),
        _questions([unlabelled]),
        name=name,
        rounds=rounds,
        confidence=confidence,
        licence=licence,
        told=told_round,
        progress=_TrainingProgress(),
    )
    if waiting := for_review(found.doubtful):
        save_questions(review, waiting)
        console.note(f"{len(waiting)} questions are left for a person: hybrid questions review {review}")
    return _finish(context, assistant, assistant.adapters.card(found.best.name), check=check)


@verb(app, "embedder")
def embedder(
    context: Context,
    data: DataFiles = None,
    mix: Mix = False,
    against: Against = None,
    apart: Apart = None,
    name: Name = "",
    licence: Licence = "not stated",
    seed: Seed = None,
    check: Check = True,
) -> int:
    """Tune the embedder to the words of a domain; it is put in use only if it finds more and loses little."""
    assistant = context.assistant(context.settings({"adaptation": {"seed": seed}}))
    service = assistant.adaptation
    card = service.tune_embedder(
        against=_questions(against),
        apart=_questions(apart),
        given=service.given(data or ()).pairs,
        mix=mix,
        name=name,
        licence=licence,
        note=console.note,
        progress=_TrainingProgress(),
    )
    console.note(f"{card.name}: strength {card.strength:g}; trained in {card.seconds / 60:.1f} min")
    return _finish(context, assistant, card, check=check)


def _tell(done: Round, measured: str, rest: str = "") -> None:
    grown = "" if done.change is None else f" ({told(done.change)})"
    ended = f"; {done.ended}{'' if done.kept else ': not kept'}" if done.ended else ""
    console.note(f"{measured}{grown}{rest}{ended}")


def _finish(context: Context, assistant: Assistant, card: Card, *, check: bool) -> int:
    """Check and promote, or say what was made."""
    if check:
        return put_in_use(context, assistant, card.name)
    context.show({"adapter": card.name, "in_use": False, "card": card}, card.name)
    return 0


def _questions(paths: list[Path] | None) -> list[Question]:
    from hybrid.questions.files import load_questions

    return [question for path in paths or () for question in load_questions(path)]


def _try_out(assistant: Assistant, material: Material, *, shown: bool) -> dict[str, Any]:
    """Show ten examples, and what training would take."""
    from hybrid.adaptation.data.examples import mixed_forms

    warnings = mixed_forms(material.examples.train)
    for warning in warnings:
        console.note(f"warning: {warning}; a model learns one form best")
    rendered, trial = assistant.adaptation.try_out(material, _SHOWN)
    if shown:
        for number, each in enumerate(rendered, start=1):
            console.data(f"── {number}: {each.kind}, {each.source or 'given'}")
            console.data(f"masked, {each.given_tokens} tokens:\n{console.printable(each.given[-_WIDTH:])}")
            console.data(
                f"learned, {each.learned_tokens} tokens:\n{console.printable(each.learned[:_WIDTH])}\n"
            )
        batch = assistant.settings.adaptation.batch
        console.data(
            f"{trial.steps} steps of {batch} examples, {trial.tokens:,} tokens: "
            f"about {trial.seconds / 60:.1f} min and {trial.megabytes / 1000:.1f} GB"
        )
    return {"examples": rendered, "training": trial, "warnings": warnings}


class _TrainingProgress:
    """Tell how far training is, every few seconds, with the time that is left."""

    def __init__(self) -> None:
        self._begun, self._first = time.monotonic(), 0
        self._pace = console.Pace(_TOLD_EVERY_SECONDS)

    def __call__(self, step: int, steps: int, loss: float) -> None:
        if not self._first:
            self._first, self._begun = step, time.monotonic()
        elif self._pace.due(last=step == steps):
            left = (time.monotonic() - self._begun) / (step - self._first) * (steps - step)
            console.note(f"step {step} of {steps}, loss {loss:.3f}, {left:.0f} s left")
