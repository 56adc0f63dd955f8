"""Make adapters, once or in rounds: from documents to examples, training, and a card in the store."""

from __future__ import annotations

import contextlib
import math
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path

from hybrid.adaptation.data.examples import Given, require_examples
from hybrid.adaptation.data.material import (
    Objective,
    Split,
    TrainingRequest,
    make_examples,
    reading_questions,
)
from hybrid.adaptation.forgetting import AskedQuestion, domain_questions, general_questions
from hybrid.adaptation.methods.embedder import TunedEmbedder
from hybrid.adaptation.methods.encoding import as_example, encode_all
from hybrid.adaptation.methods.generator import (
    Base,
    Rendered,
    Trial,
    TunedGenerator,
    best_rank,
    render,
    try_out,
    tune_generator,
)
from hybrid.adaptation.methods.holding import FISHER_TOKENS, rehearsal_examples
from hybrid.adaptation.methods.labels import (
    SelfRound,
    SelfTraining,
    label_sets,
    self_train,
    split_labelled,
    tune_labels,
)
from hybrid.adaptation.methods.loop import best_of, is_main
from hybrid.adaptation.methods.preferences import JudgedRound, Posed, improve, posed, with_own_mistakes
from hybrid.adaptation.store import AdapterStore
from hybrid.adaptation.suites import Suite, probe_texts
from hybrid.adaptation.values import (
    AdapterKind,
    Card,
    Data,
    Example,
    ExampleKind,
    Examples,
    Note,
    PreferencePair,
    Setting,
    Sifted,
    Steps,
    silent,
)
from hybrid.config import Method, Reader, Settings
from hybrid.errors import IndexError_, UsageError
from hybrid.files import folder_lock, hash_text
from hybrid.generation.prompts import load_prompts
from hybrid.grounding.judge import Grounder
from hybrid.models.device import Placement, choose_placement, versions
from hybrid.models.dialogue import Dialogue
from hybrid.models.generator import TransformersGenerator
from hybrid.models.loading import generator_folder
from hybrid.models.resolve import cache_folder
from hybrid.retrieval import Retriever
from hybrid.types import Question

# Where training is written down while it runs; a dot in front: no adapter.
WORK = ".work"
# So many questions of held-out documents tell what is declined.
_DECLINED = 24
# A question that is asked gives one pair at the most, for which several answers are written.
_QUESTIONS = 0.25
_CHECKS = 40


@dataclass(frozen=True, slots=True)
class Material:
    """What an adapter is made of: examples, rehearsal, general texts to look at, and the licence."""

    examples: Examples
    rehearsal: tuple[Example, ...]
    probe: tuple[Example, ...]
    objectives: tuple[Objective, ...]
    licence: str
    reader: Reader = Reader.GENERATOR

    @property
    def data(self) -> Data:
        """Return what the card says of it."""
        train, pairs = self.examples.train, self.examples.preferences
        rows = [repr(astuple(example)) for example in (*train, *self.rehearsal)]
        rows += [repr(astuple(pair)) for pair in pairs]
        counts = Counter(str(example.kind) for example in train)
        counts += Counter({str(Objective.PREFERENCE): len(pairs)})
        left_out = {left.reason: left.count for left in self.examples.left_out}
        return Data(hash_text(*rows), self.licence, dict(sorted(counts.items())), left_out)


@dataclass(frozen=True, slots=True)
class GeneratorWorkshop:
    """Where generator adapters of a domain are made."""

    store: AdapterStore
    settings: Settings
    generator: TransformersGenerator
    retriever: Callable[[], Retriever]

    def material(
        self, objectives: Sequence[Objective], request: TrainingRequest, *, start: str = ""
    ) -> Material:
        """Make what a generator is trained on; ``hybrid.tuning`` says of what."""
        dialogue = self.generator.dialogue
        examples = make_examples(
            self.retriever(),
            self.settings,
            objectives,
            request,
            count=lambda texts: [len(ids) for ids in dialogue.tokens(texts)],
        )
        if examples.preferences:
            own = with_own_mistakes(examples.preferences, self.beginning(start))
            examples = replace(examples, preferences=tuple(own))
        reads = not {Objective.READING, Objective.PREFERENCE}.isdisjoint(objectives)
        reader = Reader.QUOTING if reads else Reader.GENERATOR
        return self.finished(examples, objectives, request.licence, reader, start)

    def finished(
        self, examples: Examples, objectives: Sequence[Objective], licence: str, reader: Reader, start: str
    ) -> Material:
        """Return what is short enough, with the rehearsal and the general texts that go with it."""
        dialogue, adaptation = self.generator.dialogue, self.settings.adaptation
        examples, tokens = _short(examples, dialogue, adaptation.max_tokens)
        if not start and self._by_head(examples):  # leaves the base as it is: there is nothing to hold
            return Material(examples, (), (), tuple(objectives), licence)
        mixed = round(tokens * adaptation.rehearsal / (1 - adaptation.rehearsal))
        with self.generator.lent() as module:
            rehearsal = rehearsal_examples(
                module,
                dialogue,
                digest=self.generator.base_weights,
                tokens=max(mixed, FISHER_TOKENS if adaptation.ewc else 0),
                seed=adaptation.seed,
                cache=cache_folder(),
            )
        probe = [Example(ExampleKind.TEXT, (), text, made="general") for text in probe_texts()]
        return Material(examples, tuple(rehearsal), tuple(probe), tuple(objectives), licence, reader)

    def tune(
        self,
        material: Material,
        *,
        name: str = "",
        parent: str = "",
        start: str = "",
        progress: Steps = silent,
    ) -> Card:
        """Train a generator adapter and store it; what was interrupted goes on where it was."""
        settings, base, store = self.settings.adaptation, self.base, self.store
        store.require_free(name)
        work = self.store.domain / "adapters" / WORK
        # of several processes that share the training one writes
        with folder_lock(work) if is_main() else contextlib.nullcontext():
            if is_main():
                shutil.rmtree(work / "built", ignore_errors=True)
            if not start and self._by_head(material.examples):
                made = tune_labels(self.generator, material.examples, settings, out=work / "built")
            else:
                made = tune_generator(
                    base,
                    material.examples,
                    settings,
                    out=work / "built",
                    placement=self._placement,
                    rehearsal=material.rehearsal,
                    probe=material.probe,
                    over=self._over,
                    start=store.folder(start) if start else None,
                    state=work / "state",
                    progress=progress,
                )
            made.fit.require_better()
            card = self._card(base, material, made, parent or start)
            if not is_main():
                return card
            return store.add(name, made.folder, card)

    def _by_head(self, examples: Examples) -> bool:
        """Tell whether labels are learned as labels, by a head: they are fixed sets, and all there is."""
        lora = self.settings.adaptation.method is Method.LORA
        return lora and not examples.preferences and label_sets(examples.train) is not None

    def beginning(self, start: str) -> TransformersGenerator:
        """Return the generator that training begins with: an adapter's, or the base where none is named."""
        return self.generator.adapted(self.store.folder(start)) if start else self.generator

    def asked(
        self,
        card: Card,
        suite: Suite,
        *,
        against: Sequence[Question],
        items: int | None = None,
        note: Note = silent,
    ) -> list[AskedQuestion]:
        """Return what tells whether an adapter declines where it should; what cannot be asked is told."""
        if card.chooses:
            note("refusal is not measured: this adapter chooses among labels, and declines nothing")
            return []
        generation = self.settings.generation
        general = general_questions(suite, load_prompts(generation.language, generation.prompt))
        try:
            made = reading_questions(
                self.retriever(),
                self.settings,
                lambda split: split.held_out,
                against=against,
                count=min(items or _DECLINED, _DECLINED),
                reader=card.reader or Reader.GENERATOR,
            )
        except IndexError_ as error:
            note(f"refusal in the domain is not measured: {error}")
            return general
        if not made:
            note("refusal in the domain is not measured: the held-out documents give no questions")
        return [*domain_questions(made), *general]

    def try_out(self, material: Material, shown: int) -> tuple[list[Rendered], Trial]:
        """Return some examples as the model sees them, and what training on all would take."""
        settings = self.settings.adaptation
        train = [*material.examples.train, *map(as_example, material.examples.preferences)]
        some = train[:: max(1, len(train) // shown)][:shown]
        trial = try_out(
            self.base,
            material.examples,
            settings,
            self._placement,
            rehearsal=material.rehearsal,
            over=self._over,
        )
        return render(some, self.base, max_tokens=settings.max_tokens), trial

    def with_best_rank(self, material: Material, *, progress: Note) -> GeneratorWorkshop:
        """Return a workshop whose rank validates best after a part of the training with each of a few."""
        if self._by_head(material.examples):
            raise UsageError(
                "labels are learned by a head on the generator, which has no rank to try",
                hint="leave --rank out, or tune the words of the labels: --method rslora",
            )
        best = best_rank(
            self.base,
            material.examples,
            self.settings.adaptation,
            placement=self._placement,
            progress=progress,
        )
        adaptation = replace(self.settings.adaptation, rank=best)
        return replace(self, settings=replace(self.settings, adaptation=adaptation))

    @property
    def base(self) -> Base:
        """Return the model that is tuned."""
        models = self.settings.models
        return Base(generator_folder(models.generator, offline=models.offline), models.generator)

    @property
    def _over(self) -> list[Path]:
        """Return the folders of the adapters that a fusion is over."""
        return [self.store.folder(name) for name in self.settings.adaptation.over]

    @property
    def _placement(self) -> Placement:
        return choose_placement(self.settings.models.device, self.settings.models.dtype)

    def _card(self, base: Base, material: Material, made: TunedGenerator, parent: str) -> Card:
        chosen: dict[str, Setting] = {
            "learning_rate": made.plan.learning_rate,
            "objectives": ", ".join(material.objectives),
            "ended": made.fit.ended,
            "tokens": made.tokens,
            **({"not adapted": made.untouched} if made.untouched else {}),
        }
        card = card_of(AdapterKind.GENERATOR, base, made, material.data, self.settings)
        return replace(
            card, settings={**card.settings, **chosen}, reader=material.reader, gain=made.gain, parent=parent
        )


def card_of(
    kind: AdapterKind, base: Base, made: TunedGenerator | TunedEmbedder, data: Data, settings: Settings
) -> Card:
    """Return the card of what was tuned just now."""
    values = asdict(settings.adaptation)
    plain: dict[str, Setting] = {
        key: value
        if isinstance(value, (bool, int, float)) and math.isfinite(value)
        else ",".join(value)
        if isinstance(value, tuple)
        else str(value)
        for key, value in values.items()
    }
    return Card(
        name="",
        kind=kind,
        base=base.name,
        base_digest=base.digest,
        method=made.plan.method,
        data=data,
        settings=plain | {"rank": made.plan.rank, "alpha": made.plan.alpha},
        curve=made.fit.curve,
        strength=made.strength,
        seconds=made.fit.seconds,
        seed=settings.adaptation.seed,
        versions=versions(),
    )


def _short(examples: Examples, dialogue: Dialogue, max_tokens: int) -> tuple[Examples, int]:
    """Return what is short enough, what was too long among that left out; and the tokens to train on."""
    found = encode_all(examples, dialogue, max_tokens=max_tokens)
    long: Counter[str] = Counter()
    for part in (found.train, found.validation, found.pairs, found.checks):
        long += Counter({left.reason: left.count for left in part.left_out})
    left_out = (*examples.left_out, *(Sifted(reason, count) for reason, count in long.items()))
    kept = Examples(
        tuple(item.example for item in found.train.encoded),
        tuple(item.example for item in found.validation.encoded),
        left_out,
        tuple(item.pair for item in found.pairs.encoded),
        tuple(item.pair for item in found.checks.encoded),
    )
    if long and not examples.preferences:
        require_examples(
            kept.train,
            made_from="the training data",
            checked=len(kept.validation),
            left_out=left_out,
            hint="shorten them, or raise adaptation.max_tokens",
        )
    return kept, found.tokens


@dataclass(frozen=True, slots=True)
class Rounds:
    """What adapters are made in rounds with.

    Those of a run are named after it, with their number: a run that was interrupted goes on behind the last
    one that is there, and at its end the best one is left.
    """

    workshop: GeneratorWorkshop
    name: str
    licence: str
    against: Sequence[Question]
    progress: Steps

    def improve(
        self,
        grounder: Grounder,
        *,
        start: str,
        rounds: int,
        samples: int,
        told: Callable[[JudgedRound], None],
    ) -> list[JudgedRound]:
        """Learn from the judge; ``hybrid.tuning`` says what the rest is."""
        workshop, settings = self.workshop, self.workshop.settings.adaptation

        def asked(part: Callable[[Split], frozenset[str]], count: int) -> list[Posed]:
            index, own = workshop.retriever(), workshop.settings
            reads = Reader.GENERATOR
            return posed(reading_questions(index, own, part, against=self.against, count=count, reader=reads))

        def learn(pairs: Sequence[PreferencePair], begin: str, number: int) -> str:
            examples, objectives = Examples((), (), (), tuple(pairs)), (Objective.PREFERENCE,)
            return self._learned(
                number,
                lambda: workshop.finished(examples, objectives, self.licence, Reader.GENERATOR, begin),
                start=begin,
            )

        train = asked(lambda split: split.training, round(_QUESTIONS * settings.examples))
        checks = asked(lambda split: split.validation, _CHECKS)
        if not train or not checks:
            raise UsageError(
                f"the documents give {len(train)} questions to learn from and {len(checks)} to tell by",
                hint="add documents",
            )
        done = improve(
            workshop.beginning,
            learn,
            grounder,
            train,
            checks,
            start=start,
            rounds=rounds,
            samples=samples,
            seed=settings.seed,
            tolerance=settings.budget_refusal,
            progress=told,
        )
        best = best_of(done)
        self._leave(best.name, [one.name for one in done[1:]])
        if best.change is not None:
            workshop.store.annotate(best.name, gain=best.change)
        return done

    def self_train(
        self,
        labelled: Sequence[Question],
        unlabelled: Sequence[Question],
        *,
        rounds: int,
        confidence: float,
        told: Callable[[SelfRound], None],
    ) -> SelfTraining:
        """Learn from labels that are given and from those that the teacher is sure of."""
        generation = self.workshop.settings.generation

        def learn(questions: Sequence[Question], number: int) -> str:
            given = Given(questions=tuple(questions))
            request = TrainingRequest(self.against, given=given, licence=self.licence)
            return self._learned(number, lambda: self.workshop.material([Objective.LABEL], request))

        found = self_train(
            self.workshop.beginning,
            learn,
            split_labelled(labelled, seed=self.workshop.settings.adaptation.seed),
            unlabelled,
            load_prompts(generation.language, generation.prompt),
            rounds=rounds,
            confidence=confidence,
            progress=told,
        )
        self._leave(found.best.name, [one.name for one in found.rounds])
        return found

    def _learned(self, number: int, material: Callable[[], Material], *, start: str = "") -> str:
        """Return the name of a round's adapter, which is trained unless it is there."""
        name = f"{self.name}-{number}"
        if name not in self.workshop.store.names():
            self.workshop.tune(material(), name=name, start=start, progress=self.progress)
        return name

    def _leave(self, best: str, made: Sequence[str]) -> None:
        """Remove what is not the best."""
        for name in made if is_main() else ():
            if name != best:
                self.workshop.store.remove(name)
