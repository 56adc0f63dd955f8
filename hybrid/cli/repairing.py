"""Commands on the price of a gain: adapters repair, adapters tradeoff."""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.adaptation.store.card import AdapterKind, Card
from hybrid.assistant import Assistant
from hybrid.cli import console
from hybrid.cli.adapt import given_data
from hybrid.cli.adapters import Name, general_of
from hybrid.cli.judging import Items, Suites, budget_of, suite_for
from hybrid.cli.options import Config, Domain, Indexes, Json, Offline, assistant_for, settings_from
from hybrid.errors import EXIT_GATE_FAILED, UsageError

if TYPE_CHECKING:
    from hybrid.adaptation.examples.files import Given
    from hybrid.adaptation.forgetting.general import Suite
    from hybrid.adaptation.store.repair import Assessment, Attempt
    from hybrid.config import AdaptationSettings
    from hybrid.report import Tried
    from hybrid.tuning import Material, Workshop

DataFiles = Annotated[
    list[Path] | None, typer.Option("--data", help="Your own examples, as they were given to `hybrid adapt`.")
]


def repair(
    name: Name,
    data: DataFiles = None,
    train: Annotated[
        bool, typer.Option(help="Tune anew with more rehearsal if strength is not enough.")
    ] = True,
    suite: Suites = None,
    items: Items = None,
    domain: Domain = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
    offline: Offline = False,
) -> int:
    """Try smaller strength, then more rehearsal, until the adapter forgets no more than it may."""
    from hybrid.adaptation.store.repair import repair, tell

    assistant = assistant_for(settings_from(config, indexes=indexes, offline=offline), domain)
    card = assistant.adapters.card(name)
    if card.kind is AdapterKind.EMBEDDER:
        raise UsageError(
            f"{name} is the embedder's, whose strength was chosen when it was tuned",
            hint="tune again: hybrid adapt embedder",
        )
    bench = _Bench(assistant, card, given_data(assistant, data or []), suite_for(suite or ()), items)

    def told(attempt: Attempt) -> None:
        console.note(tell(attempt))

    found = repair(
        assistant.adapters.folder(name),
        bench.assess,
        budget=budget_of(assistant),
        retrain=bench.retrain if train else None,
        progress=told,
    )
    best = None if found.best is None else bench.keep(found.best)
    if as_json:
        tried = [{"tried": attempt.name, "attempt": attempt} for attempt in found.attempts]
        console.json_document({"adapter": name, "repaired": best, "attempts": tried})
    elif best is None:
        console.data(
            f"{name} is not repaired: nothing that was tried stays inside the budget and still gains"
        )
    else:
        console.data(f"{best} stays inside the budget; put it in use: hybrid adapters promote {best}")
    return 0 if best is not None else EXIT_GATE_FAILED


def tradeoff(
    kind: Annotated[
        AdapterKind, typer.Argument(help="generator or embedder.", case_sensitive=False)
    ] = AdapterKind.GENERATOR,
    report: Annotated[Path | None, typer.Option("--report", help="Write it as one HTML file.")] = None,
    domain: Domain = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
) -> None:
    """Show what each adapter gained in the domain against what it lost in general, and which are best."""
    from hybrid.files import write_atomic
    from hybrid.report import pareto_front, pareto_html, pareto_json, pareto_text

    assistant = assistant_for(settings_from(config, indexes=indexes), domain)
    budget = budget_of(assistant)
    # a point of nDCG, which is counted from 0 to 1, is a hundredth
    limit = budget.nats if kind is AdapterKind.GENERATOR else budget.points / 100
    found = pareto_front(_tried(assistant, kind), budget=limit)
    if report is not None:
        write_atomic(report, pareto_html(found, title=f"{assistant.domain}: the {kind}"))
        console.note(f"report: {report}")
    if as_json:
        console.json_document(pareto_json(found))
    else:
        console.data(pareto_text(found))


def _tried(assistant: Assistant, kind: AdapterKind) -> list[Tried]:
    """Return the adapters whose gain and loss were measured alike: by what most of them have."""
    from hybrid.report import Tried

    cards = [card for card in assistant.adapters.cards() if card.kind is kind]
    measured = [
        Tried(card.name, card.gain, loss)
        for card in cards
        if card.gain is not None and (loss := general_of(card)) is not None
    ]
    alike = Counter((one.gain.measure, one.loss.measure) for one in measured)
    usual = [measures for measures, _ in alike.most_common(1)]
    chosen = [one for one in measured if (one.gain.measure, one.loss.measure) in usual]
    left = [card.name for card in cards if card.name not in {one.name for one in chosen}]
    if left:
        console.note(f"not measured, or not in the same way: {', '.join(left)}")
    if not chosen:
        raise UsageError(
            f"no adapter of the {kind} has both a gain and a loss",
            hint="measure one: hybrid adapters check NAME",
        )
    return chosen


class _Bench:
    """An adapter under repair: what it learned from, and what it is measured on."""

    def __init__(
        self, assistant: Assistant, card: Card, given: Given, suite: Suite, items: int | None
    ) -> None:
        self._assistant, self._card, self._given = assistant, card, given
        self._settings = _settings_of(card, assistant.settings.adaptation)
        self._seed = assistant.settings.adaptation.seed
        self._suite = suite if items is None else suite.sample(items, seed=self._seed)
        self._workshop = self._with(self._settings)
        self._material = self._make(self._workshop)

    def assess(self, folder: Path, strength: float) -> Assessment:
        """Measure the adapter of a folder at a strength, on held-out examples and in general."""
        from hybrid.adaptation.forgetting.measurement import measure
        from hybrid.adaptation.store.checking import gain_in_service
        from hybrid.adaptation.store.repair import Assessment
        from hybrid.adaptation.training.encoding import encode

        generator = self._workshop.generator
        validation = self._material.examples.validation
        encoded = encode(validation, generator.dialogue, max_tokens=self._settings.max_tokens).encoded
        adapted = generator.adapted(folder, strength=strength)
        gain = gain_in_service(generator, adapted, encoded)
        return Assessment(gain, measure(generator, adapted, self._suite, seed=self._seed).changes)

    def retrain(self, rehearsal: float) -> Path:
        """Tune the adapter anew with a share of rehearsal; return its folder."""
        console.note(f"tuning anew with {100 * rehearsal:g} % rehearsal")
        workshop = self._with(dataclasses.replace(self._settings, rehearsal=rehearsal))
        made = workshop.tune(self._make(workshop), parent=self._card.name)
        return self._assistant.adapters.folder(made.name)

    def keep(self, best: Attempt) -> str:
        """Keep the best attempt with what was measured of it; return the name of its adapter."""
        from hybrid.adaptation.store.scaling import scale

        store, found = self._assistant.adapters, best.assessment
        if best.strength == 1:
            return store.annotate(best.folder.name, gain=found.gain, forgetting=found.general).name
        name = store.new_name(AdapterKind.GENERATOR)
        card = store.card(best.folder.name)
        built = self._assistant.folder / "adapters" / f".{name}.scaled"
        try:
            scale(best.folder, best.strength, built, base=self._base)
            weaker = dataclasses.replace(
                card,
                strength=card.strength * best.strength,
                parent=card.name,
                gain=found.gain,
                forgetting=found.general,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            return store.add(name, built, weaker).name
        finally:
            shutil.rmtree(built, ignore_errors=True)

    @property
    def _base(self) -> Path:
        from hybrid.models.loading import generator_folder

        models = self._assistant.settings.models
        return generator_folder(models.generator, offline=models.offline)

    def _with(self, adaptation: AdaptationSettings) -> Workshop:
        workshop = self._assistant.workshop()
        settings = dataclasses.replace(workshop.settings, adaptation=adaptation)
        return dataclasses.replace(workshop, settings=settings)

    def _make(self, workshop: Workshop) -> Material:
        from hybrid.adaptation.examples.material import Objective, question_sets

        objectives = str(self._card.settings.get("objectives", Objective.READING)).split(", ")
        return workshop.material(
            [Objective(objective) for objective in objectives],
            against=question_sets(self._assistant.folder / "questions"),
            given=self._given,
            licence=self._card.data.licence,
        )


def _settings_of(card: Card, usual: AdaptationSettings) -> AdaptationSettings:
    """Return the settings that an adapter was made with, as its card has them."""
    from pydantic import TypeAdapter

    from hybrid.config import AdaptationSettings

    kept = {key: value for key, value in card.settings.items() if key in AdaptationSettings.__slots__}
    return TypeAdapter(AdaptationSettings).validate_python(dataclasses.asdict(usual) | kept)
