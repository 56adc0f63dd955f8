"""The adaptation service of a domain: adapters are made, measured, put in use, repaired and taken away."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from hybrid.adaptation.checking import Bench, Repair, Rework, check_generator, repair, settings_of, tell
from hybrid.adaptation.data.examples import NOTHING, Given, load_given
from hybrid.adaptation.data.material import Objective, TrainingRequest, question_sets, taught_by
from hybrid.adaptation.elsewhere import kind_of, named, prove_active, take_in
from hybrid.adaptation.embedding import EmbedderWorkshop
from hybrid.adaptation.export import leave
from hybrid.adaptation.forgetting import refusal_changes
from hybrid.adaptation.methods.deltas import Ablation, BlockDrift, Recipe, Worth, measure_drift
from hybrid.adaptation.methods.generator import Rendered, Trial
from hybrid.adaptation.methods.labels import SelfRound, SelfTraining
from hybrid.adaptation.methods.preferences import JudgedRound
from hybrid.adaptation.store import AdapterStore, in_use, still_in_use
from hybrid.adaptation.suites import Suite, load_suite, probe_texts, shipped_suite
from hybrid.adaptation.values import AdapterKind, Card, Destination, Note, QueryPair, Reasons, Steps, silent
from hybrid.adaptation.workshop import GeneratorWorkshop, Material, Rounds
from hybrid.changes import together
from hybrid.config import AdaptationSettings, Settings
from hybrid.doctor import Diagnosis
from hybrid.errors import ConfigError, UsageError
from hybrid.generation.prompts import load_prompts
from hybrid.grounding.judge import load_grounder
from hybrid.index.sync import Progress, discard, put_in_force, reembed
from hybrid.models import Embedder, EmbedderFingerprint, Generator
from hybrid.models.adapters import adapter_digest
from hybrid.models.engines import EngineGenerator
from hybrid.models.generator import TransformersGenerator
from hybrid.models.gguf import Precision
from hybrid.models.labels import HEAD
from hybrid.models.loading import generator_folder, load_embedder
from hybrid.models.resolve import fetch
from hybrid.report import Pareto, Tried, pareto_front
from hybrid.retrieval import Retriever
from hybrid.trust import Endpoint
from hybrid.types import Question

_UNKNOWN = "not stated"


@dataclass(frozen=True, slots=True)
class Adaptation:
    """The adapters of a domain, and all that is done with them.

    What training and measuring need is loaded when they are asked for. Question sets that lie in the domain
    never leak into what is trained on. To name an adapter that is not there is an ``AdapterError``,
    a full disk a ``StorageError``.

    Many verbs take ``name``, of the adapter that is made (without it the next free one); ``given``, the
    user's own data, as the adapter was trained on where it is measured; ``suites``, files or folders with
    items of one's own, beside what ships for the kinds that they have not; ``items``, at most so many of
    each kind; ``note``, told what is done, and ``progress``, told how far it is.

    Args:
        store: keeps the adapters, and has the gate that each of them must pass.
        settings: of models, retrieval, generation and adaptation.
        generator: gives the generator without an adapter.
        embedder: gives the embedder without an adapter.
        retriever: gives a search over the domain as it is in force.

    Example:
        >>> adaptation = Assistant("manual").adaptation           # doctest: +SKIP
        >>> card = adaptation.tune_generator(adaptation.material())  # doctest: +SKIP
        >>> adaptation.promote(card.name)                         # doctest: +SKIP
    """

    store: AdapterStore
    settings: Settings
    generator: Callable[[], Generator]
    embedder: Callable[[], Embedder]
    retriever: Callable[[], Retriever]

    # --- made

    def given(self, paths: Sequence[Path]) -> Given:
        """Return the user's own data of all files together.

        Raises:
            UsageError: a file is missing or empty, or a line is no example; the message names the line.
        """
        generation = self.settings.generation
        return load_given(paths, load_prompts(generation.language, generation.prompt))

    def material(
        self,
        objectives: Sequence[str] = (),
        *,
        against: Sequence[Question] = (),
        apart: Sequence[Question] = (),
        given: Given | None = None,
        licence: str = _UNKNOWN,
        mix: bool = False,
        start: str = "",
        note: Note = silent,
    ) -> Material:
        """Make what a generator is trained on.

        Args:
            objectives: what it is to learn: reading, instruction, label, text or preference. Without one,
                what the given data is good for, else reading.
            against: questions that must not leak, beside those of the domain.
            apart: questions whose documents are not trained on at all.
            given: the user's own data.
            licence: of the documents and the data, for the card.
            mix: make examples of the documents beside those that are given.
            start: the adapter that training will begin with, whose own mistakes preferences are made of.
            note: told what is being made.

        Raises:
            UsageError: an objective that there is not, too little to train on, or all labels are equal.
        """
        learned = _objectives(objectives, given or NOTHING)
        note(f"making examples: {', '.join(learned)}")
        request = TrainingRequest(self._against(against), apart, given or NOTHING, mix, licence)
        return self._workshop.material(learned, request, start=start)

    def tune_generator(
        self, material: Material, *, name: str = "", start: str = "", progress: Steps = silent
    ) -> Card:
        """Train a generator adapter and store it; what was interrupted goes on where it was.

        Training begins with the adapter ``start``, without it with one that does nothing.

        Raises:
            UsageError: too little to train on, or the name is taken.
            TrainingFailed: the loss is not a number, or validation got no better.
            IndexLocked: another process trains an adapter of this domain.
            StorageError: the disk is full; no earlier adapter is touched.
        """
        return self._workshop.tune(material, name=name, start=start, progress=progress)

    def tune_embedder(
        self,
        *,
        against: Sequence[Question] = (),
        apart: Sequence[Question] = (),
        given: Sequence[QueryPair] = (),
        mix: bool = False,
        name: str = "",
        licence: str = _UNKNOWN,
        note: Note = silent,
        progress: Steps = silent,
    ) -> Card:
        """Make query-passage pairs, train an embedder adapter on them, and store it.

        ``against``, ``apart``, ``mix`` and ``licence`` are as for ``material``; what is given is all that is
        trained on, unless pairs of the documents are mixed in.

        Raises:
            UsageError: too few pairs, or the name is taken.
            TrainingFailed: the loss is not a number, or validation got no better.
        """
        own = Given(pairs=tuple(given))
        request = TrainingRequest(self._against(against), apart, own, mix, licence)
        return self._embedders.tune(request, name=name, note=note, progress=progress)

    def improve(
        self,
        *,
        name: str,
        start: str = "",
        rounds: int = 3,
        samples: int = 4,
        licence: str = _UNKNOWN,
        told: Callable[[JudgedRound], None] = silent,
        progress: Steps = silent,
    ) -> list[JudgedRound]:
        """Let the judge choose among sampled answers and learn what it prefers, while that holds elsewhere.

        All rounds are returned, the first of which is the generator as it was, or with the adapter ``start``;
        the last one that is kept is stored. ``name`` stands before the number of the round, ``samples`` are
        answers to each question, and ``told`` is told every round.

        Raises:
            UsageError: the documents give no questions.
        """
        grounder = load_grounder(self.settings, self.store.domain, embedder=self.embedder())
        made = Rounds(self._workshop, name, licence, self._against(()), progress)
        return made.improve(grounder, start=start, rounds=rounds, samples=samples, told=told)

    def self_train(
        self,
        labelled: Sequence[Question],
        unlabelled: Sequence[Question],
        *,
        name: str,
        rounds: int = 3,
        confidence: float = 0.95,
        licence: str = _UNKNOWN,
        told: Callable[[SelfRound], None] = silent,
        progress: Steps = silent,
    ) -> SelfTraining:
        """Learn labels that people gave and those that the generator gives itself and is sure of.

        All rounds are returned, the best of which is stored, and what a person should label. ``name`` stands
        before the number of the round; from a calibrated ``confidence`` on (0 to 1) its own label is learned.

        Raises:
            UsageError: too few labelled questions, or one without options.
            TrainingFailed: the loss is not a number, or validation got no better.
        """
        for question in (*labelled, *unlabelled):
            if not question.options:
                raise UsageError(f"{question.id} has no `options`", hint="self-training learns labels")
        made = Rounds(self._workshop, name, licence, self._against(()), progress)
        return made.self_train(labelled, unlabelled, rounds=rounds, confidence=confidence, told=told)

    def try_out(self, material: Material, shown: int) -> tuple[list[Rendered], Trial]:
        """Return some examples as the model sees them, and what training on all would take."""
        return self._workshop.try_out(material, shown)

    def with_best_rank(self, material: Material, *, note: Note = silent) -> Adaptation:
        """Return a service whose rank validates best after a part of the training with each of a few."""
        return self._with(self._workshop.with_best_rank(material, progress=note).settings.adaptation)

    # --- measured

    def check(
        self,
        name: str,
        *,
        suites: Sequence[Path] = (),
        items: int | None = None,
        tasks: Sequence[str] = (),
        complete: bool = True,
        note: Note = silent,
        progress: Progress | None = None,
    ) -> Card:
        """Measure what an adapter cost, and of an embedder what it gained; write it into its card.

        For a generator, ``tasks`` of lm-eval are measured as well; for an embedder, ``suites`` are
        collections in BEIR's format beside the general one. What need not be ``complete`` ends where the gate
        has refused it.

        Raises:
            AdapterError: there is no such adapter, or it cannot serve with the model.
            ExtraMissing: tasks are named, and the harness is not installed.
            UsageError: a suite or a task that cannot be measured, or one that is not for this kind.
        """
        card = self.store.card(name)
        if card.kind is AdapterKind.GENERATOR:
            suite, against = _suite(suites), self._against(())
            return check_generator(
                self.store,
                name,
                self.tunable,
                suite,
                asked=partial(self._workshop.asked, card, suite, against=against, items=items, note=note),
                enough=None if complete else self.store.budget,
                tasks=tasks,
                items=items,
                seed=self.settings.adaptation.seed,
                note=note,
            )
        if items is not None or tasks:
            raise UsageError("--items and --task are for adapters of the generator")
        return self._embedders.check(name, suites, self._against(()), progress)

    def tradeoff(self, kind: AdapterKind, *, note: Note = silent) -> Pareto:
        """Return what adapters gained against what they lost, of those that were measured alike.

        Raises:
            UsageError: none has both a gain and a loss.
        """
        cards = [card for card in self.store.cards() if card.kind is kind]
        measured = [
            Tried(card.name, card.gain, card.general_loss)
            for card in cards
            if card.gain is not None and card.general_loss is not None
        ]
        alike = Counter((one.gain.measure, one.loss.measure) for one in measured)
        usual = [measures for measures, _ in alike.most_common(1)]
        chosen = [one for one in measured if (one.gain.measure, one.loss.measure) in usual]
        if left := [card.name for card in cards if card.name not in {one.name for one in chosen}]:
            note(f"not measured, or not in the same way: {', '.join(left)}")
        if not chosen:
            raise UsageError(
                f"no adapter of the {kind} has both a gain and a loss",
                hint="measure one: hybrid adapters check NAME",
            )
        # a point of nDCG, which is counted from 0 to 1, is a hundredth
        points, nats = self.store.budget.points / 100, self.store.budget.nats
        return pareto_front(chosen, budget=nats if kind is AdapterKind.GENERATOR else points)

    # --- put in use, and taken away

    def promote(
        self, name: str, *, force: bool = False, note: Note = silent, progress: Progress | None = None
    ) -> Reasons:
        """Put an adapter in use if the gate lets it through; one that was never checked is checked first.

        An embedder is in use when the domain is searched with it, so the domain is embedded with it, unless
        it is already. Until the last moment the generation in force answers.

        With ``force`` it is put in use whatever stands against it, unmeasured too, and that is returned.

        Raises:
            GateFailed: something stands against it; what was in use stays in use.
        """
        embedded = self.prepare(name, force=force, note=note, progress=progress)
        with together(self.store.domain.parent):
            overruled = self.store.promote(name, force=force)
            if embedded is not None:
                put_in_force(self.store.domain, embedded)
        return overruled

    def prepare(
        self, name: str, *, force: bool = False, note: Note = silent, progress: Progress | None = None
    ) -> EmbedderFingerprint | None:
        """Do all of ``promote`` but the switch; return what embedded the domain, None of a generator."""
        if not force:
            card = self.store.card(name)
            if not card.forgetting:
                self.check(name, complete=False, note=note, progress=progress)
            elif not card.measures_refusal and not self.store.reasons(name).against:
                # it was refused before all was measured, by a smaller budget
                self._measure_refusal(card, note)
            self.store.require_passed(name)
        generates = self.store.card(name).kind is AdapterKind.GENERATOR
        return None if generates else self._embedded(name, progress)

    def _measure_refusal(self, card: Card, note: Note) -> None:
        """Write into a card what the adapter declines, beside what was measured of it."""
        asked = self._workshop.asked(card, _suite(()), against=self._against(()), note=note)
        base, seed = self.tunable, self.settings.adaptation.seed
        found = refusal_changes(base, base.adapted(self.store.folder(card.name)), asked, seed=seed)
        self.store.annotate(card.name, forgetting=(*card.forgetting, *found))

    def rollback(self, kind: AdapterKind, *, progress: Progress | None = None) -> str | None:
        """Put the adapter that was in use before back in use; return its name, None for the base.

        Raises:
            UsageError: none is in use.
        """
        before = self.store.before(kind)
        embedded = self._embedded(before, progress) if kind is AdapterKind.EMBEDDER else None
        with together(self.store.domain.parent):
            if embedded is not None:
                put_in_force(self.store.domain, embedded)
            return self.store.rollback(kind)

    def remove(self, name: str) -> None:
        """Remove an adapter that is not in use, with what it embedded.

        Raises:
            UsageError: it is in use.
        """
        card = self.store.card(name)
        if in_use(self.store, card.kind) == name:
            raise still_in_use(name, card.kind)
        digest = adapter_digest(self.store.folder(name))
        self.store.remove(name)
        if card.kind is AdapterKind.EMBEDDER:
            discard(self.store.domain, digest)

    def take_in(self, folder: Path, *, name: str = "", note: Note = silent) -> Card:
        """Take in an adapter that plain PEFT wrote; nothing is known of its data, gain and cost.

        It is stored if it fits the model, changes what it says, and could be read without running anything.

        Raises:
            AdapterError: it is pickled, of a kind that cannot be served, or does not fit.
            UsageError: there is no such folder, or the name is taken.
        """
        kind, models = kind_of(folder), self.settings.models
        self.store.require_free(name)
        generates = kind is AdapterKind.GENERATOR
        base = self._workshop.base if generates else self._embedders.base
        with tempfile.TemporaryDirectory() as beside:
            built = Path(beside) / "adapter"
            card, notes = take_in(folder, kind, base, built)
            with named(built, folder):
                if generates:
                    self.tunable.adapted(built)
                else:
                    load_embedder(models, built).embed_queries(["a question"])
            for each in notes:
                note(each)
            return self.store.add(name, built, card)

    def export(
        self,
        name: str,
        out: Path,
        destination: Destination = Destination.PEFT,
        *,
        precision: Precision = Precision.F16,
        note: Note = silent,
    ) -> Path:
        """Write an adapter as another program takes it; what cannot travel is merged into its base.

        ``out`` is a folder, for GGUF a file, for PEFT an archive too, and must not be there yet;
        ``precision`` is that of the matrices in GGUF.

        Raises:
            AdapterError: there is no such adapter, or the destination cannot take it.
            ModelError: the base cannot be written as GGUF, or the file says something else than the model.
            UsageError: ``out`` is there, or the base is not on this machine.
        """
        folder, models = self.store.folder(name), self.settings.models
        kind = self.store.card(name).kind
        if models.endpoint and kind is AdapterKind.GENERATOR and destination is not Destination.PEFT:
            raise UsageError(
                "the generator is an endpoint's", hint="unset models.endpoint, or use --for peft"
            )
        return leave(
            folder,
            partial(generator_folder, models.generator, offline=models.offline)
            if kind is AdapterKind.GENERATOR
            else partial(fetch, models.embedder, offline=models.offline),
            out,
            destination,
            generator=lambda: self.tunable,
            precision=precision,
            note=note,
        )

    def prove(self, name: str, endpoint: Endpoint) -> Diagnosis:
        """Say whether an adapter of the generator is active at an endpoint that serves it by its name.

        Raises:
            AdapterError: there is no such adapter, or it does not fit the generator.
            ConfigError: offline, and the endpoint is on another machine.
            RemoteError: the endpoint refused.
            UsageError: the generator is not on this machine.
        """
        models = self.settings.models
        if models.offline and not endpoint.is_loopback:
            raise ConfigError(f"offline, and the endpoint is on another machine: {endpoint}")
        asked = [question.text for question in self._against(())]
        return prove_active(
            self.tunable, self.store.folder(name), endpoint, base=models.generator, questions=asked
        )

    # --- repaired

    def repair(
        self,
        name: str,
        *,
        given: Given | None = None,
        train: bool = True,
        suites: Sequence[Path] = (),
        items: int | None = None,
        note: Note = silent,
    ) -> Repair:
        """Try smaller strength, then more rehearsal, until a generator adapter forgets no more than it may.

        What is found is kept with what was measured of it, under a name of its own unless nothing had to be
        changed; it is not put in use.

        Without ``train`` nothing is tuned anew with more rehearsal if strength is not enough.

        Raises:
            UsageError: it is the embedder's, whose strength was chosen when it was tuned; or a head of
                labels, which changes no weight.
        """
        card = self.store.card(name)
        if card.kind is AdapterKind.EMBEDDER:
            raise UsageError(
                f"{name} is the embedder's, whose strength was chosen when it was tuned",
                hint="tune again: hybrid adapt embedder",
            )
        if (self.store.folder(name) / HEAD).is_file():
            raise UsageError(
                f"{name} is a head of labels: it changes no weight of the generator, so it forgets nothing",
                hint="more or better labelled examples are what helps it: hybrid adapt generator --data",
            )
        bench = self._bench(card, given, suites, items, note)
        found = repair(
            self.store.folder(name),
            bench.assess,
            budget=self.store.budget,
            retrain=bench.retrain if train else None,
            progress=lambda attempt: note(tell(attempt)),
        )
        return found if found.best is None else replace(found, kept=bench.keep(found.best))

    # --- made of others

    def combine(
        self,
        names: Sequence[str],
        recipe: Recipe,
        *,
        weights: Sequence[float] = (),
        name: str = "",
        given: Given | None = None,
        suites: Sequence[Path] = (),
        items: int | None = None,
        note: Note = silent,
    ) -> Card:
        """Merge generator adapters into a new one, with its gain and forgetting in its card.

        ``weights`` are one for each; without them they are found on validation examples.

        Raises:
            UsageError: they are not of one generator, or there is nothing to choose weights by.
            AdapterError: one is not there, or is no LoRA whose change can be added.
        """
        self.store.require_free(name)
        with Rework(self.store, names) as rework:
            bench = self._bench(rework.card, given, suites, items, note)
            return rework.combine(bench, recipe, weights, name)

    def ablate(
        self,
        name: str,
        *,
        keep: bool = False,
        given: Given | None = None,
        suites: Sequence[Path] = (),
        items: int | None = None,
        note: Note = silent,
        progress: Callable[[Worth], None] = silent,
    ) -> tuple[Ablation, Card | None]:
        """Tell what each part of a generator adapter brings and costs.

        With ``keep`` it is kept without the parts that cost more than they bring, as a new adapter, whose
        card is returned too.

        Raises:
            UsageError: it is not the generator's, or there are no examples to measure on.
            AdapterError: it is not there, or is no LoRA that can be taken apart.
        """
        with Rework(self.store, [name]) as rework:
            bench = self._bench(rework.card, given, suites, items, note)
            return rework.ablate(bench, keep=keep, progress=progress)

    def drift(self, name: str) -> tuple[BlockDrift, ...]:
        """Return how far a generator adapter moved each block of the model, on text of both kinds.

        Raises:
            AdapterError: it is not there, or cannot serve with the model.
            UsageError: it is not the generator's.
        """
        if self.store.card(name).kind is AdapterKind.EMBEDDER:
            raise UsageError(f"{name} is the embedder's", hint="`hybrid adapt embedder` tells what it moved")
        general = probe_texts()
        index, base, folder = self.retriever().index, self.tunable, self.store.folder(name)
        sources = sorted(index.sources())
        documents = map(index.document, sources[:: max(1, len(sources) // len(general))][: len(general)])
        longest = max(map(len, general))
        texts = [document.text[:longest] for document in documents if document is not None]
        return measure_drift(base, base.adapted(folder), folder, texts, general)

    def _bench(
        self, card: Card, given: Given | None, suites: Sequence[Path], items: int | None, note: Note
    ) -> Bench:
        """Return what measures adapters as the one of a card was made."""
        usual, suite = self.settings.adaptation, _suite(suites)
        return Bench(
            self._with(settings_of(card, usual))._workshop,
            card,
            suite if items is None else suite.sample(items, seed=usual.seed),
            given or NOTHING,
            self._against(()),
            usual.seed,
            note,
        )

    def _with(self, adaptation: AdaptationSettings) -> Adaptation:
        return replace(self, settings=replace(self.settings, adaptation=adaptation))

    # --- what all of them need

    @property
    def tunable(self) -> TransformersGenerator:
        """Return the generator without an adapter, whose weights are on this machine.

        Raises:
            UsageError: they are not.
        """
        generator = self.generator()
        if isinstance(generator, EngineGenerator):
            return generator.torch
        if not isinstance(generator, TransformersGenerator):
            raise UsageError(
                f"the generator {generator.name!r} cannot be tuned: its weights are not on this machine",
                hint="unset models.endpoint, and name a model of the hub or a folder as models.generator",
            )
        return generator

    @property
    def _workshop(self) -> GeneratorWorkshop:

        return GeneratorWorkshop(self.store, self.settings, self.tunable, self.retriever)

    @property
    def _embedders(self) -> EmbedderWorkshop:
        return EmbedderWorkshop(self.store, self.settings, self.embedder)

    def _embedded(self, name: str | None, progress: Progress | None) -> EmbedderFingerprint:
        """Embed the domain with an adapter, or without one, unless it is; return what did it."""
        found = self.embedder() if name is None else self._embedders.adapted(name)
        reembed(self.store.domain, found, progress=progress)
        return found.fingerprint

    def _against(self, further: Sequence[Question]) -> list[Question]:
        """Return the questions that may not leak: those of the domain and further ones."""
        return [*question_sets(self.store.domain / "questions"), *further]


def _objectives(named: Sequence[str], given: Given) -> list[Objective]:
    for name in named:
        if name not in list(Objective):
            raise UsageError(
                f"--learn {name!r} is not one of: {', '.join(Objective)}", hint="for example --learn reading"
            )
    if named:
        return [Objective(name) for name in dict.fromkeys(named)]
    found = taught_by(given)
    if Objective.READING in found and Objective.INSTRUCTION in found:
        found.remove(Objective.INSTRUCTION)  # questions teach both
    return found or [Objective.READING]


def _suite(paths: Sequence[Path]) -> Suite:
    """Return the items of one's own, with those that ship for the kinds that are not among them."""
    shipped = shipped_suite()
    return shipped.with_own(load_suite(*paths)) if paths else shipped
