"""Adapters measured, repaired, merged and taken apart: gain and forgetting of each."""

from __future__ import annotations

import functools
import math
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from hybrid.adaptation.data.examples import Given
from hybrid.adaptation.data.material import Objective, TrainingRequest
from hybrid.adaptation.export import scale
from hybrid.adaptation.forgetting import AskedQuestion, changes, measure, measure_tasks, refusal_changes
from hybrid.adaptation.methods.deltas import (
    Ablation,
    Deltas,
    Recipe,
    Worth,
    ablate_deltas,
    merge_deltas,
    read_deltas,
    search_weights,
    without,
    write_deltas,
)
from hybrid.adaptation.methods.encoding import (
    EncodedExamples,
    Told,
    encode_all,
    gain_of,
    halve,
    log_likelihoods,
    pieces,
    served_losses,
    worth,
)
from hybrid.adaptation.store import AdapterStore, write_card
from hybrid.adaptation.suites import Suite
from hybrid.adaptation.values import (
    AdapterKind,
    Budget,
    Card,
    Change,
    Data,
    Examples,
    GateVerdict,
    Measure,
    Note,
    Setting,
    judge,
    silent,
)
from hybrid.adaptation.workshop import GeneratorWorkshop, Material
from hybrid.config import AdaptationSettings, Method, Reader
from hybrid.errors import UsageError
from hybrid.files import adapter_of, hash_text
from hybrid.models.adapters import read_adapter, read_config
from hybrid.models.generator import TransformersGenerator
from hybrid.types import Question

# Both as tried, cheapest first: of the change, and of the training tokens.
STRENGTHS = (0.75, 0.5, 0.25)
REHEARSALS = (0.3, 0.5)
# A smaller strength that keeps less of the gain than this is kept as a last resort only.
_WORTH = 0.5


def check_generator(
    store: AdapterStore,
    name: str,
    generator: TransformersGenerator,
    suite: Suite,
    *,
    asked: Callable[[], Sequence[AskedQuestion]] = tuple,
    enough: Budget | None = None,
    tasks: Sequence[str] = (),
    items: int | None = None,
    seed: int = 0,
    note: Note = silent,
) -> Card:
    """Measure what an adapter made the generator forget, and write it into its card; return the card.

    With a budget that is ``enough``, what is refused by it is not ``asked`` what it declines.
    """
    adapted = generator.adapted(store.folder(name))
    drawn = suite if items is None else suite.sample(items, seed=seed)
    found = forgotten(generator, adapted, drawn, asked, enough=enough, seed=seed, note=note)
    if tasks:
        note(f"measuring lm-eval: {', '.join(tasks)}")
        found += measure_tasks(generator, adapted, tasks, items=items, seed=seed)
    return store.annotate(name, forgetting=found)


def forgotten(
    base: TransformersGenerator,
    adapted: TransformersGenerator,
    suite: Suite,
    asked: Callable[[], Sequence[AskedQuestion]],
    *,
    enough: Budget | None,
    seed: int,
    note: Note = silent,
) -> tuple[Change, ...]:
    """Return what an adapter cost in general and in declining; the answers take most of the time.

    What breaks the budget that is ``enough`` is refused whatever it declines, and is not asked for answers.
    """

    def progress(doing: str) -> None:
        note(f"measuring {doing}")

    found = changes(measure(base, adapted, suite, progress=progress), seed=seed)
    if enough is not None and judge(found, enough).breaches:
        note("refusal is not measured of what is refused already; `hybrid adapters check` measures all")
        return found
    return found + refusal_changes(base, adapted, asked(), seed=seed, progress=progress)


def gain_in_service(
    base: TransformersGenerator, adapted: TransformersGenerator, validation: Sequence[Told]
) -> Change | None:
    """Return what an adapter gained, by the generator that serves it; None without examples to tell by.

    ``validation``: examples or pairs; those that told when to stop are left out.
    """
    proof = halve(validation).proof
    if not proof:
        return None
    before, after = (
        worth(functools.partial(served_losses, subject), proof, subject.dialogue)
        for subject in (base, adapted)
    )
    return gain_of(before, after, proof)


@dataclass(frozen=True, slots=True)
class Assessment:
    """What an adapter gains on held-out documents, None if that cannot be measured, and what it costs."""

    gain: Change | None
    general: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: the adapter in ``folder`` at a strength; ``rehearsal`` is None where nothing was retrained.

    ``kept`` is the share of the first gain that is left, None where that is not known or was no gain.
    """

    folder: Path
    strength: float
    rehearsal: float | None
    assessment: Assessment
    verdict: GateVerdict
    kept: float | None

    @property
    def name(self) -> str:
        """Return what was tried, in a few words."""
        parts = [] if self.rehearsal is None else [f"rehearsal {100 * self.rehearsal:g} %"]
        if self.strength != 1:
            parts.append(f"strength {self.strength:g}")
        return ", ".join(parts) or "as tuned"


@dataclass(frozen=True, slots=True)
class Repair:
    """Everything that was tried, in this order, and the best that passes; None where none does.

    ``kept`` is the name of the adapter that the best became, empty before it was kept.
    """

    attempts: tuple[Attempt, ...]
    best: Attempt | None
    kept: str = ""


def repair(
    folder: Path,
    assess: Callable[[Path, float], Assessment],
    *,
    budget: Budget,
    retrain: Callable[[float], Path] | None = None,
    progress: Callable[[Attempt], None] = silent,
) -> Repair:
    """Try smaller strengths, then retraining with more rehearsal, until one passes and is worth it.

    The best is the one that passes with the largest gain; without a measured gain, the first that passes. An
    adapter that passes but no longer gains anything is none.

    ``retrain``: makes the adapter anew with a share of rehearsal, None where that cannot be done.
    """
    attempts: list[Attempt] = []
    for rehearsal in (None, *(REHEARSALS if retrain is not None else ())):
        path = folder if rehearsal is None or retrain is None else retrain(rehearsal)
        for strength in (1.0, *STRENGTHS):
            found = assess(path, strength)
            first = attempts[0].assessment.gain if attempts else found.gain
            kept = _kept(found.gain, first)
            attempts.append(Attempt(path, strength, rehearsal, found, judge(found.general, budget), kept))
            progress(attempts[-1])
            if attempts[-1].verdict.passed:
                break
        # what kept too little of the gain is not settled for before more rehearsal was tried
        if attempts[-1].verdict.passed and (attempts[-1].kept is None or attempts[-1].kept >= _WORTH):
            break
    return Repair(tuple(attempts), _best(attempts))


def tell(attempt: Attempt) -> str:
    """Return in one line what an attempt bought."""
    text = next((c for c in attempt.assessment.general if c.measure == Measure.TEXT), None)
    gain = attempt.assessment.gain
    parts = []
    if gain is not None:
        share = "" if attempt.kept is None else f" ({100 * attempt.kept:.0f} % of the first)"
        parts.append(f"gain {gain.upwards[0]:+.3g} {gain.unit}{share}")
    if text is not None:
        parts.append(f"general text {text.change:+.3f} nats, at most {text.high:+.3f}")
    breached = ", ".join(breach.measure for breach in attempt.verdict.breaches) or "want of a measure"
    parts.append("passes" if attempt.verdict.passed else f"refused for {breached}")
    return f"{attempt.name}: {'; '.join(parts)}".replace("-", "\u2212")


def settings_of(card: Card, usual: AdaptationSettings) -> AdaptationSettings:
    """Return the settings that an adapter was made with, as its card has them, else the usual ones."""
    kept: dict[str, object] = {
        key: value for key, value in card.settings.items() if key in AdaptationSettings.__slots__
    }
    kept["over"] = [name for name in str(kept.get("over", "")).split(",") if name]
    settings: AdaptationSettings = adapter_of(AdaptationSettings).validate_python(asdict(usual) | kept)
    return settings


@dataclass(frozen=True)
class Bench:
    """An adapter under repair: how it was made, what it learned from, and what it is measured on."""

    workshop: GeneratorWorkshop
    card: Card
    suite: Suite
    given: Given
    against: Sequence[Question]
    seed: int
    note: Note

    @functools.cached_property
    def _examples(self) -> Examples:
        return self._material(self.workshop).examples

    @functools.cached_property
    def _asked(self) -> list[AskedQuestion]:
        return self.workshop.asked(self.card, self.suite, against=self.against)

    def assess(self, folder: Path, strength: float) -> Assessment:
        """Measure the adapter of a folder at a strength, on held-out examples and in general."""
        generator = self.workshop.generator
        adapted = generator.adapted(folder, strength=strength)
        proved: Sequence[Told] = self._encoded.validation.encoded
        if self._examples.preferences:
            proved = self._encoded.checks.encoded
        gain = gain_in_service(generator, adapted, proved)
        budget = self.workshop.store.budget
        general = forgotten(
            generator, adapted, self.suite, lambda: self._asked, enough=budget, seed=self.seed
        )
        return Assessment(gain, general)

    def losses(self, folder: Path | None, *, general: bool = True) -> tuple[float, float]:
        """Return the loss of the examples that tell when to stop and of general text, in nats a token.

        It is that with the adapter of a folder, or of the base. What proves the gain is not looked at, so
        that choosing by these does not spoil the proof.
        """
        generator = self.workshop.generator
        adapted = generator if folder is None else generator.adapted(folder)
        stop = halve(self._encoded.validation.encoded).stop
        if not stop:
            raise UsageError(
                "there are no validation examples to choose by",
                hint="give the data that it was trained on: --data FILE",
            )
        tokens = [item.judged for item in stop]
        domain = np.average(served_losses(adapted, stop), weights=tokens)
        cut = [piece for passage in self.suite.passages for piece in pieces(adapted, passage.text)]
        if not general or not cut:
            return float(domain), math.nan
        judged = sum(stretch.judged for stretch in cut)
        return float(domain), -sum(log_likelihoods(adapted, cut)) / judged

    @functools.cached_property
    def _encoded(self) -> EncodedExamples:
        limit = self.workshop.settings.adaptation.max_tokens
        return encode_all(self._examples, self.workshop.generator.dialogue, max_tokens=limit)

    def retrain(self, rehearsal: float) -> Path:
        """Tune the adapter anew with a share of rehearsal; return its folder."""
        self.note(f"tuning anew with {100 * rehearsal:g} % rehearsal")
        settings = self.workshop.settings
        adaptation = replace(settings.adaptation, rehearsal=rehearsal)
        workshop = replace(self.workshop, settings=replace(settings, adaptation=adaptation))
        made = workshop.tune(self._material(workshop), parent=self.card.name)
        return workshop.store.folder(made.name)

    def keep(self, best: Attempt) -> str:
        """Keep the best attempt with what was measured of it; return the name of its adapter."""
        store, found = self.workshop.store, best.assessment
        if best.strength == 1:
            return store.annotate(best.folder.name, gain=found.gain, forgetting=found.general).name
        card = store.card(best.folder.name)
        built = store.domain / "adapters" / f".{card.name}.scaled"
        try:
            scale(best.folder, best.strength, built, base=self.workshop.base.folder)
            weaker = replace(card, strength=card.strength * best.strength, parent=card.name)
            return self.stored(built, weaker, found).name
        finally:
            shutil.rmtree(built, ignore_errors=True)

    def stored(self, built: Path, card: Card, found: Assessment, name: str = "") -> Card:
        """Store what was written anew, with what was measured of it; return its card."""
        told = replace(card, gain=found.gain, forgetting=found.general, created="")
        return self.workshop.store.add(name, built, told)

    def _material(self, workshop: GeneratorWorkshop) -> Material:
        objectives = str(self.card.settings.get("objectives", Objective.READING)).split(", ")
        request = TrainingRequest(self.against, given=self.given, licence=self.card.data.licence)
        return workshop.material([Objective(objective) for objective in objectives], request)


def _best(attempts: Sequence[Attempt]) -> Attempt | None:
    passing = [attempt for attempt in attempts if attempt.verdict.passed]
    gaining = [
        attempt
        for attempt in passing
        if attempt.assessment.gain is None or attempt.assessment.gain.upwards[0] > 0
    ]
    return max(gaining, key=_worth, default=None)


def _worth(attempt: Attempt) -> float:
    gain = attempt.assessment.gain
    return attempt.strength if gain is None else gain.upwards[0]


def _kept(gain: Change | None, first: Change | None) -> float | None:
    if gain is None or first is None or first.upwards[0] <= 0:
        return None
    return gain.upwards[0] / first.upwards[0]


class Rework:
    """Adapters of a store taken apart and put together, in a folder that is gone at the end."""

    def __init__(self, store: AdapterStore, names: Sequence[str]) -> None:
        cards = [store.card(name) for name in names]
        bases = {(card.base_digest, card.kind) for card in cards}
        if len(bases) > 1 or cards[0].kind is not AdapterKind.GENERATOR:
            told = ", ".join(f"{card.name} of the {card.kind} {card.base}" for card in cards)
            raise UsageError(f"{told}: expected adapters of one generator")
        folders = [store.folder(name) for name in names]
        for folder, card in zip(folders, cards, strict=True):
            read_adapter(folder, card.base_digest, base=card.base)
        self.parts: tuple[Deltas, ...] = tuple(map(read_deltas, folders))
        self.card = cards[0] if len(cards) == 1 else _blend(cards)
        self._like = [read_config(folder) for folder in folders]
        self._work = store.domain / "adapters" / f".{'+'.join(names)[:80]}.rework"

    def __enter__(self) -> Rework:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._work, ignore_errors=True)

    def written(self, deltas: Deltas) -> Path:
        """Write changes as an adapter that can be measured; the one before is gone."""
        shutil.rmtree(self._work, ignore_errors=True)
        write_deltas(self._work, deltas, self._like)
        write_card(self._work, replace(self.card, weights=""))
        return self._work

    def keep(self, deltas: Deltas, bench: Bench, name: str, settings: Mapping[str, Setting]) -> Card:
        """Store changes as a new adapter, with what was measured of it in its card."""
        found = bench.assess(self.written(deltas), 1.0)
        told = {**self.card.settings, **settings}
        return bench.stored(self._work, replace(self.card, settings=told, parent=self.card.name), found, name)

    def combine(self, bench: Bench, recipe: Recipe, weights: Sequence[float], name: str) -> Card:
        """Merge the adapters into one, store it with what was measured of it, and return its card.

        ``weights``: one for each; without them those of the least loss on validation are taken.
        """

        def loss(tried: Sequence[float]) -> float:
            folder = self.written(merge_deltas(self.parts, tried, recipe).deltas)
            found, _ = bench.losses(folder, general=False)
            bench.note(f"weights {_told(tried)}: validation loss {found:.4f}")
            return found

        chosen = tuple(weights) or search_weights(len(self.parts), loss)
        made = merge_deltas(self.parts, chosen, recipe)
        settings: dict[str, Setting] = {
            "merged": recipe.by,
            "weights": _told(chosen),
            "density": recipe.density,
            "rank": max(len(delta.down) for delta in made.deltas.values()),
            "kept": round(made.kept, 4),
        }
        return self.keep(made.deltas, bench, name, settings)

    def ablate(
        self, bench: Bench, *, keep: bool, progress: Callable[[Worth], None]
    ) -> tuple[Ablation, Card | None]:
        """Tell what each part of the adapter brings and costs; with ``keep`` keep those that pay.

        Returns:
            What was measured, and the card of what was kept: None where that was not wanted, or every part
            pays.
        """
        (deltas,) = self.parts

        def losses(some: Deltas | None) -> tuple[float, float]:
            return bench.losses(None if some is None else self.written(some))

        found = ablate_deltas(deltas, losses, progress)
        if not keep or not found.unpaid:
            return found, None
        dropped = ", ".join(group.name for group in found.unpaid)
        return found, self.keep(without(deltas, found.unpaid), bench, "", {"without": dropped})


def _told(weights: Sequence[float]) -> str:
    return ", ".join(f"{weight:g}" for weight in weights)


def _blend(cards: Sequence[Card]) -> Card:
    """Return the card of what comes of several adapters."""
    counts = sum((Counter(card.data.counts) for card in cards), Counter[str]())
    learned = [part for card in cards for part in str(card.settings.get("objectives", "reading")).split(", ")]
    quoting = any(card.reader is Reader.QUOTING for card in cards)
    return replace(
        cards[0],
        name=" + ".join(card.name for card in cards),
        method=Method.LORA,
        data=Data(
            hash_text(*(card.data.digest for card in cards)),
            "; ".join(dict.fromkeys(card.data.licence for card in cards)),
            dict(sorted(counts.items())),
        ),
        settings={"objectives": ", ".join(dict.fromkeys(learned))},
        curve=(),
        strength=1.0,
        reader=Reader.QUOTING if quoting else cards[0].reader,
        seconds=sum(card.seconds for card in cards),
    )
