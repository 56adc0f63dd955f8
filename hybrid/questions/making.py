"""Make a question set from a corpus that has no gold answers.

Takes an index, something that searches it and a size, gives checked questions and what was dropped and
why. Every question is checked by round trip: its answers are verbatim parts of its evidence, retrieval
finds the evidence, the question does not hold the answer, and nothing is asked twice.

A question that retrieval finds only far down stays in the set, and so does one that the bare generator
answers: dropping either would make an arm look better than it is. Both are labelled instead.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from hybrid.errors import UsageError
from hybrid.files import hash_text
from hybrid.questions import slices
from hybrid.questions.candidates import is_usable
from hybrid.questions.foreign import foreign_questions
from hybrid.questions.likeness import Seen, key_of
from hybrid.questions.splits import FRESH, held_out
from hybrid.questions.spreading import Placed
from hybrid.questions.wording import short_title
from hybrid.text.words import contains
from hybrid.types import Evidence, Hit, Question, Span, TokenCounter

Search: TypeAlias = Callable[[Sequence[str]], list[list[Hit]]]
ClosedBook: TypeAlias = Callable[[Sequence[str]], list[str]]

# How deep the evidence of a question may be before the question counts as ambiguous.
ROUND_TRIP_DEPTH = 50
_BATCH = 64
# Asked again and again, "which package is it in" measures what is frequent and not what is read.
_SAME_ANSWER = 4
# What a term means is one fact, however many documents say it.
_ONE_FACT = "cloze:definition"


@dataclass(frozen=True, slots=True)
class MakingSettings:
    """What set to make.

    ``unanswerable`` and ``hold_out`` are shares from 0 to 1: of the questions without an answer, and of
    the documents that no adapter may be trained on. ``k`` is how many hits an answer will be read from.
    """

    count: int = 200
    unanswerable: float = 0.15
    hold_out: float = 0.2
    k: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse sizes and shares that make no sense."""
        if self.count < 1:
            raise UsageError(f"a set of {self.count} questions was asked for, expected 1 or more")
        for name, share in (("unanswerable", self.unanswerable), ("hold-out", self.hold_out)):
            if not 0 <= share <= 1:
                raise UsageError(f"the share {name} is {share}, expected 0 to 1", hint="for example 0.15")
        if self.k < 1:
            raise UsageError(f"k is {self.k}, expected 1 or more hits")


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many candidates were left out for a reason."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class MadeSet:
    """The questions in the order of their ids, and what was left out."""

    questions: tuple[Question, ...]
    dropped: tuple[Dropped, ...]

    def kinds(self) -> tuple[tuple[str, int], ...]:
        """Return how many questions were made by each rule, most first."""
        return tuple(Counter(question.made for question in self.questions).most_common())


def make_questions(
    candidates: Iterator[Placed],
    settings: MakingSettings,
    *,
    search: Search,
    counter: TokenCounter,
    foreign: Sequence[Question] = (),
    closed_book: ClosedBook | None = None,
) -> MadeSet:
    """Make a set.

    Args:
        candidates: in the order in which they are wanted, as ``spread`` yields them.
        settings: size, shares and seed.
        search: returns the best 50 hits of each question, best first.
        counter: tells which questions are full of jargon; the embedder is one.
        foreign: questions about something else, of which up to half of the unanswerable ones are taken.
        closed_book: what the generator answers without any passage; None leaves that check out.

    Raises:
        UsageError: no candidate is left.
    """
    making = _Making(candidates, settings, search)
    wanted = round(settings.count * settings.unanswerable)
    # half of each kind: one tells whether an arm knows its domain, the other whether it knows its sources
    unanswerable = foreign_questions(
        foreign, (wanted + 1) // 2, search=search, k=settings.k, drop=making.drop
    )
    answerable = making.take(settings.count - wanted, making.answerable)
    unanswerable += making.take(wanted - len(unanswerable), making.withheld)
    if not answerable and not unanswerable:
        reasons = ", ".join(f"{count} {reason}" for reason, count in making.dropped.most_common(3))
        raise UsageError(
            "the corpus holds nothing that a question can be made of" + (f" ({reasons})" if reasons else ""),
            hint="write a set by hand (JSON lines with `question` and `answers`), or ask for --generator",
        )
    known = _known(answerable, closed_book)
    labelled = _labelled([*answerable, *unanswerable], known, counter, settings)
    dropped = tuple(Dropped(reason, count) for reason, count in sorted(making.dropped.items()))
    return MadeSet(tuple(sorted(labelled, key=lambda question: question.id)), dropped)


class _Making:
    """The candidates that are left, and what was seen and dropped so far."""

    def __init__(self, candidates: Iterator[Placed], settings: MakingSettings, search: Search) -> None:
        self._candidates, self._settings, self._search = candidates, settings, search
        self._seen, self._places, self._answers = Seen(), set[str](), Counter[str]()
        self.dropped: Counter[str] = Counter()

    def drop(self, reason: str) -> None:
        """Count what is left out."""
        self.dropped[reason] += 1

    def take(self, count: int, check: Callable[[Placed, Sequence[Hit]], Question | None]) -> list[Question]:
        """Return so many questions that pass a check, fewer where the candidates run out."""
        kept: list[Question] = []
        while len(kept) < count:
            # no more than are likely to be needed: what is searched and not used is wasted
            batch = self._fresh(min(_BATCH, count - len(kept)))
            if not batch:
                break
            found = self._search([placed.candidate.text for placed in batch])
            for placed, hits in zip(batch, found, strict=True):
                if question := check(placed, hits):
                    kept.append(question)
        return kept

    def _fresh(self, count: int) -> list[Placed]:
        """Return the next candidates that are well formed and that nothing before them resembles."""
        return list(islice(filter(self._is_fresh, self._candidates), count))

    def _is_fresh(self, placed: Placed) -> bool:
        candidate, source = placed.candidate, placed.document.source
        if not is_usable(candidate, placed.document.text):
            self.drop("malformed: the answer is not in its evidence, or in the question")
            return False
        place = hash_text(source, str(candidate.evidence.start), key_of(candidate.answers[0]))
        answer = hash_text(candidate.made, key_of(candidate.answers[0]))
        if place in self._places or self._seen.like(candidate.text):
            self.drop("duplicate: asked already in nearly the same words, or for the same place")
            return False
        if self._answers[answer] >= (1 if candidate.made == _ONE_FACT else _SAME_ANSWER):
            self.drop("monotonous: the same answer too often")
            return False
        self._places.add(place)
        self._answers[answer] += 1
        self._seen.add(candidate.text, source)
        return True

    def answerable(self, placed: Placed, hits: Sequence[Hit]) -> Question | None:
        """Return the question, or None if the corpus does not single out its answer."""
        source = placed.document.source
        if all(hit.chunk.source != source for hit in hits[:ROUND_TRIP_DEPTH]):
            self.drop(f"ambiguous: its document is not among the first {ROUND_TRIP_DEPTH} hits")
            return None
        if self._has_a_namesake(placed, hits):
            self.drop("ambiguous: another document has the same title")
            return None
        question = as_question(placed)
        easy = any(holds_part(hit, source, placed.candidate.evidence) for hit in hits[: self._settings.k])
        labels = () if easy else (slices.HARD_TO_FIND,)
        return dataclasses.replace(question, slices=labels)

    def withheld(self, placed: Placed, hits: Sequence[Hit]) -> Question | None:
        """Return the question without its document, or None if another document answers it."""
        source, answers = placed.document.source, placed.candidate.answers
        others = [hit for hit in hits if hit.chunk.source != source][: 2 * self._settings.k]
        if any(contains(hit.chunk.embedded_text, answer) for hit in others for answer in answers):
            self.drop("answerable: the withheld answer stands in another document")
            return None
        question = dataclasses.replace(as_question(placed), answers=(), answerable=False, evidence=())
        identity = hash_text("withheld", question.id)[:12]
        return dataclasses.replace(question, id=f"q-{identity}", withheld=(source,), made="withheld")

    @staticmethod
    def _has_a_namesake(placed: Placed, hits: Sequence[Hit]) -> bool:
        """Tell whether a hit from another document stands below the same title.

        The question names its document by title; two documents of one title would both be meant.
        """
        title = key_of(short_title(placed.document))
        return any(
            hit.chunk.source != placed.document.source
            and hit.chunk.headings
            and key_of(hit.chunk.headings[0]) in (title, key_of(placed.document.title))
            for hit in hits
        )


def as_question(placed: Placed) -> Question:
    """Return a candidate as a question with its evidence."""
    document, candidate = placed.document, placed.candidate
    span = candidate.evidence
    quote = document.text[span.start : span.end]
    assert all(answer in quote for answer in candidate.answers), "checked by is_usable"
    return Question(
        # by content: the same corpus and seed give the same file, and an edit elsewhere moves no id
        id=f"q-{hash_text(document.source, candidate.text, *candidate.answers)[:12]}",
        text=candidate.text,
        answers=candidate.answers,
        evidence=(Evidence(document.source, quote, span),),
        source=document.source,
        made=candidate.made,
    )


def holds_part(hit: Hit, source: str, span: Span) -> bool:
    """Tell whether a hit holds a part of a stretch of a document."""
    chunk = hit.chunk
    return chunk.source == source and chunk.start < span.end and span.start < chunk.end


def _known(questions: Sequence[Question], closed_book: ClosedBook | None) -> set[str]:
    """Return the ids of the questions that are answered without the corpus."""
    if closed_book is None or not questions:
        return set()
    said = closed_book([question.text for question in questions])
    return {
        question.id
        for question, text in zip(questions, said, strict=True)
        if any(contains(text, answer) for answer in question.answers)
    }


def _labelled(
    questions: Sequence[Question], known: set[str], counter: TokenCounter, settings: MakingSettings
) -> list[Question]:
    technical = slices.jargon([question.text for question in questions], counter)
    labelled = []
    for question, is_technical in zip(questions, technical, strict=True):
        fresh = bool(question.source) and held_out(
            question.source, share=settings.hold_out, seed=settings.seed
        )
        labels = [
            label
            for label, holds in (
                (slices.NUMERIC, slices.numeric(question.answers)),
                (slices.JARGON, is_technical),
                (slices.UNANSWERABLE, not question.answerable),
                (slices.KNOWN, question.id in known),
                (FRESH, fresh),
            )
            if holds
        ]
        own = tuple(dict.fromkeys((*question.slices, *labels)))
        labelled.append(dataclasses.replace(question, slices=own))
    return labelled
