"""Training and validation examples of a domain, split by document; what is held out is in neither."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from hybrid.adaptation.data.examples import (
    MORE,
    NOTHING,
    Count,
    Given,
    Sieve,
    counted,
    instruction_examples,
    label_examples,
    require_examples,
    sift_examples,
    sift_questions,
    text_examples,
    windows,
)
from hybrid.adaptation.data.reading import NEAR_MISS_SHARE, WITHOUT_SHARE, ReadingLesson
from hybrid.adaptation.values import Example, ExampleKind, Examples, PreferencePair, Sifted
from hybrid.config import Reader, Settings, ShownPassages
from hybrid.errors import UsageError
from hybrid.generation.prompts import Passage, load_prompts, pack
from hybrid.index import Index
from hybrid.questions.files import load_questions
from hybrid.questions.making import MakingSettings, Placed, as_question, make_questions, spread
from hybrid.questions.sets import deep_search, read_candidates
from hybrid.questions.splits import FRESH, held_out, unit_hash
from hybrid.retrieval import Retriever
from hybrid.types import Document, Hit, Question

# What `hybrid questions make` holds out unless it is told otherwise: another seed of training moves no
# document out of a question set's reach.
HOLD_OUT_SEED = 0
# As many of a small set of one's own tell when to stop.
_LEAST_CHECKED = 8
_NO_QUOTE = "no quote: no sentence of the evidence bears the answer out"
_WITHOUT_EVIDENCE = (
    "reading is learned from questions with `evidence`; to learn the answers as they are: --learn instruction"
)
_THOUGHTS = "thoughts before an answer, which are not served (the answers stay)"
# A question gives two pairs, and a pair costs what two examples cost.
_QUESTIONS_A_PAIR = 0.25
# Tokens of a template around two turns, and of a label.
_LABEL_ROOM = 32


class Objective(StrEnum):
    """What a generator is to learn: to read passages, to answer without them, to choose, to go on writing.

    Or which of two answers is better.
    """

    READING = "reading"
    INSTRUCTION = "instruction"
    LABEL = "label"
    TEXT = "text"
    PREFERENCE = "preference"


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """What an adapter is to be made of, beside the documents of its domain.

    ``against`` are questions that must not leak, ``apart`` those whose documents are held out as a whole,
    ``given`` the user's own data, which is all that is trained on unless ``mix`` asks for examples of the
    documents as well. ``licence`` is that of documents and data, for the card.
    """

    against: Sequence[Question] = ()
    apart: Sequence[Question] = ()
    given: Given = NOTHING
    mix: bool = False
    licence: str = "not stated"

    @property
    def sieve(self) -> Sieve:
        """Return what tells leaks."""
        return Sieve([*self.against, *self.apart])


@dataclass(frozen=True, slots=True)
class Split:
    """The documents of a domain in three parts."""

    training: frozenset[str]
    validation: frozenset[str]
    held_out: frozenset[str]


def split_sources(
    sources: Iterable[str], *, hold_out: float, validation: float, seed: int, also: Iterable[str] = ()
) -> Split:
    """Split documents by their names alone, so that one that is added moves no other.

    ``hold_out``: share that is never trained on; the same documents whatever the seed. ``validation``: share
    of the others that tells when to stop; one at least where there are two. ``also``: documents that are held
    out in any case.
    """
    everything, extra = set(sources), set(also)
    apart = {
        source
        for source in everything
        if source in extra or held_out(source, share=hold_out, seed=HOLD_OUT_SEED)
    }
    drawn = {source: unit_hash("validation", str(seed), source) for source in sorted(everything - apart)}
    chosen = {source for source, place in drawn.items() if place < validation}
    if len(drawn) > 1 and validation > 0:
        order = sorted(drawn, key=drawn.__getitem__)
        chosen = (chosen or {order[0]}) - {order[-1]}
    return Split(frozenset(set(drawn) - chosen), frozenset(chosen), frozenset(apart))


def question_sets(folder: Path) -> list[Question]:
    """Return the questions of all sets in a folder, ``<domain>/questions``; none where there is no folder."""
    return [question for path in sorted(folder.glob("*.jsonl")) for question in load_questions(path)]


def split_for(
    index: Index, settings: Settings, against: Sequence[Question], apart: Sequence[Question]
) -> Split:
    """Return how the documents of an index are split for training.

    ``against``: question sets; documents of their fresh questions are held out. ``apart``: questions all of
    whose documents are held out.
    """
    fresh = [question for question in against if FRESH in question.slices]
    return split_sources(
        index.sources(),
        hold_out=settings.adaptation.hold_out,
        validation=settings.adaptation.validation,
        seed=settings.adaptation.seed,
        also={source for question in (*fresh, *apart) for source in _sources_of(question)},
    )


def make_examples(
    retriever: Retriever,
    settings: Settings,
    objectives: Sequence[Objective],
    request: TrainingRequest,
    *,
    count: Count,
) -> Examples:
    """Make the examples of a domain: all that is given, and of what is not as many as the settings say."""
    split = split_for(retriever.index, settings, request.against, request.apart)
    making = _ExampleMaking(retriever, settings, split, request.sieve, count)
    wanted, share = settings.adaptation.examples, settings.adaptation.validation
    own = request.given
    mine, checked = making.given(own, objectives)
    made = [each for each in objectives if request.mix or each not in taught_by(own)]
    train, left_out = sift_examples([*making.part(split.training, made, wanted), *mine], making.sieve)
    looks = max(round(wanted * share / (1 - share)), 1)
    validation, left_out_too = sift_examples(
        [*making.part(split.validation, made, looks), *checked], making.sieve, after=train
    )
    preferences, checks = making.preferences(
        own, objectives, *((wanted, looks) if Objective.PREFERENCE in made else (0, 0))
    )
    total: Counter[str] = Counter()
    for part in (*making.left_out, *left_out, *left_out_too):
        total[part.reason] += part.count
    dropped = tuple(Sifted(reason, count) for reason, count in sorted(total.items()))
    if not preferences:
        require_examples(
            train,
            made_from="the training data" if own != NOTHING else "the corpus",
            checked=len(validation),
            left_out=dropped,
            hint=_WITHOUT_EVIDENCE if total[_NO_QUOTE] else MORE,
        )
    thoughts = (Sifted(_THOUGHTS, own.thoughts),) if own.thoughts else ()
    return Examples(tuple(train), tuple(validation), (*dropped, *thoughts), tuple(preferences), tuple(checks))


def reading_questions(
    retriever: Retriever,
    settings: Settings,
    part: Callable[[Split], frozenset[str]],
    *,
    against: Sequence[Question],
    count: int,
    reader: Reader,
) -> list[Example]:
    """Return questions of some documents, each with the passage that answers it and without.

    ``against``: the question sets of the domain, whose fresh documents are held out; what they ask is left
    out, unless it is asked of held-out documents, which nobody trains on.
    """
    split = split_for(retriever.index, settings, against, ())
    sources = part(split)
    sieve = Sieve(() if sources <= split.held_out else against)
    making = _ExampleMaking(retriever, settings, split, sieve, lambda texts: [len(text) for text in texts])
    lesson = replace(making.lesson(None).even, reader=reader)
    return lesson.examples(making.questions(sources, count))


def taught_by(given: Given) -> list[Objective]:
    """Return what a user's data teaches."""
    asked, kinds = given.questions, {example.kind for example in given.examples}
    open_ended = any(not question.options for question in asked)
    found = {
        Objective.LABEL: any(question.options for question in asked) or ExampleKind.LABEL in kinds,
        Objective.READING: open_ended or ExampleKind.READING in kinds,
        Objective.INSTRUCTION: open_ended or ExampleKind.INSTRUCTION in kinds,
        Objective.TEXT: ExampleKind.TEXT in kinds,
        Objective.PREFERENCE: bool(given.preferences),
    }
    return [objective for objective, there in found.items() if there]


class _ExampleMaking:
    """What the parts share, and what was left out so far."""

    def __init__(
        self, retriever: Retriever, settings: Settings, split: Split, sieve: Sieve, count: Count
    ) -> None:
        self.split, self.sieve = split, sieve
        self.left_out: list[Sifted] = []
        self._retriever, self._settings, self._count = retriever, settings, count
        self._prompts = load_prompts(settings.generation.language, settings.generation.prompt)

    def part(self, sources: frozenset[str], objectives: Sequence[Objective], wanted: int) -> list[Example]:
        """Return the examples made from some of the documents."""
        examples: list[Example] = []
        reading = max(1, round(wanted * (1 - WITHOUT_SHARE - NEAR_MISS_SHARE)))
        if Objective.READING in objectives or Objective.INSTRUCTION in objectives:
            needed = wanted if Objective.INSTRUCTION in objectives else reading
            questions = self.questions(sources, needed)
            if Objective.READING in objectives:
                examples += self._reading(questions[:reading], sources)
            if Objective.INSTRUCTION in objectives:
                examples += instruction_examples(questions, self._prompts)
        if Objective.TEXT in objectives:
            examples += self._texts(sources, wanted)
        return examples

    def given(self, given: Given, objectives: Sequence[Objective]) -> tuple[list[Example], list[Example]]:
        """Return what a user's data gives for training and for validation."""
        questions, left_out = sift_questions(given.questions, self.sieve)
        usable = [q for q in questions if not self.split.held_out.intersection(_sources_of(q))]
        own = [example for example in given.examples if example.source not in self.split.held_out]
        units = [*(q.unit for q in usable), *(example.source or _said(example) for example in own)]
        apart_units = self._checked(units)
        parts: tuple[list[Example], list[Example]] = ([], [])
        for place, examples in enumerate(parts):
            asked = [question for question in usable if (question.unit in apart_units) == bool(place)]
            if Objective.LABEL in objectives:
                examples += self._labels(asked)
            if Objective.INSTRUCTION in objectives:
                examples += instruction_examples(asked, self._prompts)
            if Objective.READING in objectives:
                open_ended = [question for question in asked if not question.options]
                shown = self.split.training | (self.split.validation if place else frozenset())
                examples += self._reading(open_ended, shown)
        for example in own:
            parts[(example.source or _said(example)) in apart_units].extend(self._fitting(example))
        apart = len(questions) - len(usable) + len(given.examples) - len(own)
        self.left_out += [
            *left_out,
            *counted(["held out: given, and of a document that is held out"] * apart),
        ]
        return parts

    def _checked(self, units: Sequence[str]) -> frozenset[str]:
        """Return what of that which is given tells when to stop, and whether it helped.

        What is of a document goes where the document goes. Of all else some are drawn by their names; of a
        small set a quarter, or there would be nothing to tell by.
        """
        chosen = {unit for unit in units if self._is_checked(unit)}
        free = set(units) - chosen - self.split.training
        least = min(len(set(units)) // 4, _LEAST_CHECKED) if self._settings.adaptation.validation else 0
        return frozenset([*chosen, *sorted(free, key=self._drawn)[: max(least - len(chosen), 0)]])

    def preferences(
        self, given: Given, objectives: Sequence[Objective], wanted: int, looks: int
    ) -> tuple[list[PreferencePair], list[PreferencePair]]:
        """Return pairs for training and for validation: contrastive ones made, and those given."""
        if Objective.PREFERENCE not in objectives:
            return [], []
        split = self.split
        parts: tuple[list[PreferencePair], list[PreferencePair]] = ([], [])
        shown = (split.training, split.training | split.validation)
        for place, sources in enumerate((split.training, split.validation) if wanted else ()):
            count = math.ceil(_QUESTIONS_A_PAIR * (looks if place else wanted))
            parts[place].extend(self.lesson(shown[place]).even.pairs(self.questions(sources, count)))
        for pair in given.preferences:
            if pair.source not in split.held_out:
                said = _said(Example(ExampleKind.INSTRUCTION, pair.prompt, pair.chosen))
                parts[self._is_checked(pair.source or said)].append(pair)
        for pairs in parts:
            reasons = [
                self.sieve.example(Example(ExampleKind.INSTRUCTION, pair.prompt, pair.chosen))
                for pair in pairs
            ]
            pairs[:] = [pair for pair, reason in zip(pairs, reasons, strict=True) if not reason]
            self.left_out += counted(reasons)
        return parts

    def _is_checked(self, unit: str) -> bool:
        if unit in self.split.training or unit in self.split.validation:
            return unit in self.split.validation
        return self._drawn(unit) < self._settings.adaptation.validation

    def _drawn(self, unit: str) -> float:
        return unit_hash("validation", str(self._settings.adaptation.seed), unit)

    def _fitting(self, example: Example) -> Iterator[Example]:
        """Yield an example; of plain text that is too long for one, its windows."""
        limit = self._settings.adaptation.max_tokens
        if example.kind is not ExampleKind.TEXT or self._count([example.completion])[0] <= limit:
            yield example
            return
        for window in windows(example.completion, self._count, max_tokens=limit):
            yield replace(example, completion=example.completion[window.start : window.end])

    def lesson(self, sources: frozenset[str] | None) -> ReadingLesson:
        """Return what makes examples of reading, with passages of some documents."""
        seed = self._settings.adaptation.seed
        return ReadingLesson(self._retriever, self._settings.generation, seed, sources)

    def questions(self, sources: frozenset[str], wanted: int) -> list[Question]:
        """Return questions made from documents, without those that a question set asks."""
        index, adaptation = self._retriever.index, self._settings.adaptation
        if not sources:
            return []
        leaks: list[str] = []

        def fresh() -> Iterator[Placed]:
            documents = spread(
                sorted(sources), lambda source: read_candidates(index, source), seed=adaptation.seed
            )
            for placed in documents:
                reason = self.sieve.question(as_question(placed))
                leaks.append(reason)
                if not reason:
                    yield placed

        making = MakingSettings(
            wanted, unanswerable=0.0, hold_out=0.0, k=self._settings.retrieval.k, seed=adaptation.seed
        )
        embedder = self._retriever.embedder
        try:
            made = make_questions(fresh(), making, search=deep_search(self._retriever), counter=embedder)
        except UsageError:
            # one part of a small corpus may hold nothing to ask; too little in all is an error later
            return []
        finally:
            self.left_out += counted(leaks)
        self.left_out += [Sifted(dropped.reason, dropped.count) for dropped in made.dropped]
        return list(made.questions)

    def _reading(self, questions: Sequence[Question], sources: frozenset[str]) -> list[Example]:
        if not questions:
            return []
        # validation sees passages of all documents that are not held out, as a reader would
        shown = sources if sources <= self.split.training else sources | self.split.training
        examples = self.lesson(shown).examples(questions)
        asked = sum(question.answerable for question in questions)
        read = sum(example.kind is ExampleKind.READING for example in examples)
        self.left_out += counted([_NO_QUOTE] * (asked - read))
        return examples

    def _labels(self, questions: Sequence[Question]) -> list[Example]:
        """Return label examples; those that show passages are asked as ``both`` asks, some without as well.

        Passages are what retrieval gives, right or wrong, but for those of documents that are held out.
        """
        wanted, index = self._settings.adaptation.passages, self._retriever.index
        there = frozenset(index.sources())
        shown = [
            question
            for question in questions
            if question.options
            and wanted is not ShownPassages.NEVER
            and (wanted is ShownPassages.ALWAYS or not there.isdisjoint(_sources_of(question)))
        ]
        if not shown:
            return label_examples(questions, self._prompts)
        search = self._retriever.search_all
        found = search([q.text for q in shown], exclude=[q.withheld for q in shown])
        seed, known = str(self._settings.adaptation.seed), {question.id for question in shown}
        bare = [
            question
            for question in questions
            if question.id not in known or unit_hash("bare", seed, question.id) < WITHOUT_SHARE
        ]
        passages = [self._packed(question, hits) for question, hits in zip(shown, found, strict=True)]
        return [*label_examples(shown, self._prompts, passages), *label_examples(bare, self._prompts)]

    def _packed(self, question: Question, hits: Sequence[Hit]) -> list[Passage]:
        """Return the passages that fit, as those of the arm ``both`` and as training takes them."""
        generation, held_out = self._settings.generation, self.split.held_out
        most = min(generation.context_tokens, self._settings.adaptation.max_tokens - _LABEL_ROOM)

        def measure(passages: Sequence[Passage]) -> int:
            prompt = self._prompts.choice(question.text, question.options, passages)
            return sum(self._count([turn.content for turn in prompt])) + _LABEL_ROOM

        return pack([hit for hit in hits if hit.chunk.source not in held_out], measure, most)

    def _texts(self, sources: frozenset[str], wanted: int) -> list[Example]:
        index, adaptation = self._retriever.index, self._settings.adaptation
        documents = (index.document(source) for source in sorted(sources))
        there: Iterator[Document] = (document for document in documents if document is not None)
        found = list(text_examples(there, self._count, max_tokens=adaptation.max_tokens))
        if len(found) <= wanted:
            return found
        self.left_out += counted(["not needed: there is more plain text"] * (len(found) - wanted))
        chosen = sorted(
            range(len(found)), key=lambda n: unit_hash(str(adaptation.seed), found[n].source, str(n))
        )
        return [found[place] for place in sorted(chosen[:wanted])]


def _sources_of(question: Question) -> set[str]:
    return {question.unit, *(evidence.source for evidence in question.evidence), *question.withheld}


def _said(example: Example) -> str:
    return "\n".join((*(turn.content for turn in example.prompt), example.completion))
