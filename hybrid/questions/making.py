"""Question sets made from a corpus without gold answers, each question checked by round trip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

from hybrid.errors import UsageError
from hybrid.files import hash_text
from hybrid.models import Generator
from hybrid.questions import splits
from hybrid.questions.candidates import is_usable
from hybrid.questions.checking import Seen, key_of, quotes, shared_run
from hybrid.questions.values import Candidate
from hybrid.questions.wording import short_title
from hybrid.text.words import contains, share_supported
from hybrid.types import Document, Evidence, Hit, Message, MessageRole, Question, Span, TokenCounter

_BEGINNING = 5


@dataclass(frozen=True, slots=True)
class Placed:
    """A candidate and the document that it is from."""

    document: Document
    candidate: Candidate


def spread(
    sources: Sequence[str], read: Callable[[str], tuple[Document, Sequence[Candidate]]], *, seed: int
) -> Iterator[Placed]:
    """Yield one candidate a document, then a second one of each, and so on, see ``in_turns``.

    Of the kinds that a document has left, the one that was taken least is next, and of a kind what begins as
    few before it did: "What is the package of" suits every page of some manuals.
    """
    taken: Counter[str] = Counter()

    def left(source: str) -> Iterator[Placed]:
        document, candidates = read(source)
        kinds: dict[str, list[Candidate]] = {}
        for candidate in sorted(
            candidates, key=lambda one: splits.unit_hash(str(seed), document.source, one.text)
        ):
            kinds.setdefault(candidate.made, []).append(candidate)
        while kinds:
            # kinds are in the order of their candidates, which the seed decides
            made = min(kinds, key=lambda kind: taken[kind])
            candidate = min(kinds[made], key=lambda one: taken[_beginning(one)])
            kinds[made].remove(candidate)
            if not kinds[made]:
                del kinds[made]
            taken.update((made, _beginning(candidate)))
            yield Placed(document, candidate)

    return splits.in_turns(sources, left, seed=seed)


def _beginning(candidate: Candidate) -> str:
    return " ".join(candidate.text.split()[:_BEGINNING])


_WORDED_AT_ONCE = 16
_NEW_TOKENS = 64
_SENSIBLE_WORDS = range(5, 41)
# A question that shares less with its passage is about something else.
_SUPPORTED = 0.5
_PROMPT = (
    "Write one question that a user of the document “{title}” could ask and whose answer is exactly the "
    "text below. Do not use the answer in the question. Write only the question.\n\n"
    "Passage:\n{passage}\n\nAnswer: {answer}"
)


def reworded(candidates: Iterator[Placed], generator: Generator) -> Iterator[Placed]:
    """Yield the candidates whose question the generator could word; the others are passed over.

    The answer and its evidence stay those that the rules found. A model of a few hundred million parameters
    repeats the passage or asks about something else, which is why this is off unless it is asked for.
    """
    while batch := list(islice(candidates, _WORDED_AT_ONCE)):
        written = generator.generate([[_ask(placed)] for placed in batch], max_new_tokens=_NEW_TOKENS)
        for placed, generation in zip(batch, written, strict=True):
            question = generation.text.strip().strip('"“”').strip()
            if _is_sensible(question, placed):
                candidate = replace(placed.candidate, text=question, made=f"generated:{generator.name}")
                yield Placed(placed.document, candidate)


def _ask(placed: Placed) -> Message:
    content = _PROMPT.format(
        title=short_title(placed.document), passage=_evidence_of(placed), answer=placed.candidate.answers[0]
    )
    return Message(MessageRole.USER, content)


def _evidence_of(placed: Placed) -> str:
    span = placed.candidate.evidence
    return placed.document.text[span.start : span.end]


def _is_sensible(question: str, placed: Placed) -> bool:
    one_question = question.endswith("?") and "\n" not in question and question.count("?") == 1
    if not one_question or len(question.split()) not in _SENSIBLE_WORDS:
        return False
    if any(contains(question, answer) for answer in placed.candidate.answers):
        return False
    about = f"{placed.document.title}\n{_evidence_of(placed)}"
    return share_supported(question, about) >= _SUPPORTED


# A passage that holds so much of a question's content words is about the same thing.
_SAME_TOPIC = 0.7


def foreign_questions(
    questions: Sequence[Question],
    count: int,
    *,
    search: Callable[[Sequence[str]], list[list[Hit]]],
    k: int,
    drop: Callable[[str], None],
) -> list[Question]:
    """Return up to so many questions that the corpus does not answer.

    A question is left out when one of its gold answers stands in the first 2k hits, or when one hit holds
    70 % of its content words: that is the same topic, and the corpus may well say the answer in other
    words. A question without gold cannot be checked and is left out too.
    """
    known = [question for question in questions if question.answerable and question.answers]
    ordered = sorted(known, key=lambda question: hash_text(question.id, question.text))
    kept: list[Question] = []
    if not count or not ordered:
        return kept
    for question, hits in zip(ordered, search([question.text for question in ordered]), strict=True):
        texts = [hit.chunk.embedded_text for hit in hits[: 2 * k]]
        if any(contains(text, answer) for text in texts for answer in question.answers):
            drop("answerable: the foreign answer stands in the corpus")
        elif any(share_supported(question.text, text) >= _SAME_TOPIC for text in texts):
            drop("answerable: the foreign question is about something in the corpus")
        else:
            identity = hash_text("foreign", question.id, question.text)[:12]
            kept.append(Question(f"q-{identity}", question.text, answerable=False, made="foreign"))
        if len(kept) == count:
            break
    return kept


Search: TypeAlias = Callable[[Sequence[str]], list[list[Hit]]]
ClosedBook: TypeAlias = Callable[[Sequence[str]], list[str]]

# How deep the evidence of a question may be before the question counts as ambiguous.
ROUND_TRIP_DEPTH = 50
_BATCH = 64
# QuestionAnswer again and again, "which package is it in" measures what is frequent and not what is read.
_SAME_ANSWER = 4
# At most one in so many questions begins with the same words.
_SAME_BEGINNING = 10
# So many words that another document shares with question and evidence are about the same thing.
_SAME_WORDS = 3


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
    """Make a set; every question is checked by round trip.

    Its answers are verbatim parts of its evidence, retrieval finds the evidence, the question does not hold
    the answer, and nothing is asked twice. A question that retrieval finds only far down stays in the set, so
    does one that the bare generator answers: dropping either would make an arm look better than it is. Both
    are labelled, and so is one whose words are mostly those of its evidence, which any search finds.
    Candidates are in the order in which they are wanted, as ``spread`` yields them. ``search`` returns the
    best 50 hits of each question, best first; ``counter`` tells which questions are full of jargon, as the
    embedder does. ``foreign`` are questions about something else, of which up to half of the unanswerable
    ones are taken. ``closed_book`` is what the generator answers without any passage; None leaves that check
    out.

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
            fresh = filter(self._is_fresh, self._candidates)
            batch = list(islice(fresh, min(_BATCH, count - len(kept))))
            if not batch:
                break
            found = self._search([placed.candidate.text for placed in batch])
            for placed, hits in zip(batch, found, strict=True):
                if question := check(placed, hits):
                    kept.append(question)
        return kept

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
        if self._answers[answer] >= _SAME_ANSWER:
            self.drop("monotonous: the same answer too often")
            return False
        beginning = _beginning(candidate)
        if self._answers[beginning] >= max(self._settings.count // _SAME_BEGINNING, _SAME_ANSWER):
            self.drop("monotonous: the same question of one thing after another")
            return False
        self._places.add(place)
        self._answers.update((answer, beginning))
        self._seen.add(candidate.text, source)
        return True

    def answerable(self, placed: Placed, hits: Sequence[Hit]) -> Question | None:
        """Return the question, or None if the corpus does not single out its answer."""
        source = placed.document.source
        if all(hit.chunk.source != source for hit in hits[:ROUND_TRIP_DEPTH]):
            self.drop(f"ambiguous: its document is not among the first {ROUND_TRIP_DEPTH} hits")
            return None
        question = as_question(placed)
        if _is_said_elsewhere(question, hits):
            self.drop("ambiguous: another document says something else in the same words")
            return None
        easy = any(holds_part(hit, source, placed.candidate.evidence) for hit in hits[: self._settings.k])
        labels = ((splits.HARD_TO_FIND, not easy), (splits.QUOTING, quotes(question)))
        return replace(question, slices=tuple(label for label, holds in labels if holds))

    def withheld(self, placed: Placed, hits: Sequence[Hit]) -> Question | None:
        """Return the question without its document, or None if another document answers it."""
        source, answers = placed.document.source, placed.candidate.answers
        others = [hit for hit in hits if hit.chunk.source != source][: 2 * self._settings.k]
        if any(contains(hit.chunk.embedded_text, answer) for hit in others for answer in answers):
            self.drop("answerable: the withheld answer stands in another document")
            return None
        question = replace(as_question(placed), answers=(), answerable=False, evidence=())
        identity = hash_text("withheld", question.id)[:12]
        return replace(question, id=f"q-{identity}", withheld=(source,), made="withheld")


def _is_said_elsewhere(question: Question, hits: Sequence[Hit]) -> bool:
    """Tell whether another document holds the words that question and evidence share, and no answer.

    "How do I run the ranker?" is answered on the page of each ranker, and by each of them otherwise.
    """
    shared = shared_run(question.text, question.evidence[0].quote)
    return len(shared.split()) >= _SAME_WORDS and any(
        # most hits lack one of the words, which is seen much sooner
        all(word in text.lower() for word in shared.split())
        and contains(text, shared)
        and not any(contains(text, answer) for answer in question.answers)
        for text in (hit.chunk.text for hit in hits if hit.chunk.source != question.source)
    )


def as_question(placed: Placed) -> Question:
    """Return a candidate as a question with its evidence."""
    document, candidate = placed.document, placed.candidate
    span = candidate.evidence
    quote = document.text[span.start : span.end]
    assert all(contains(quote, answer) for answer in candidate.answers), "checked by is_usable"
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
    technical = splits.jargon([question.text for question in questions], counter)
    labelled = []
    for question, is_technical in zip(questions, technical, strict=True):
        fresh = bool(question.source) and splits.held_out(
            question.source, share=settings.hold_out, seed=settings.seed
        )
        labels = [
            label
            for label, holds in (
                (splits.NUMERIC, splits.numeric(question.answers)),
                (splits.JARGON, is_technical),
                (splits.UNANSWERABLE, not question.answerable),
                (splits.KNOWN, question.id in known),
                (splits.FRESH, fresh),
            )
            if holds
        ]
        own = tuple(dict.fromkeys((*question.slices, *labels)))
        labelled.append(replace(question, slices=own))
    return labelled
