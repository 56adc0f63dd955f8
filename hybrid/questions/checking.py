"""Faults of a question set (duplicates, leaks, contradictions), and its review by a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum
from pathlib import Path

from hybrid.errors import UsageError
from hybrid.questions.files import load_questions, save_questions
from hybrid.questions.splits import FRESH
from hybrid.text.words import contains, tokens, word_runs
from hybrid.types import ANSWERED_BY, FEEDBACK, REVIEWED, Document, Evidence, Question

_SHINGLE = 3
NEAR = 0.8


def key_of(text: str) -> str:
    """Return what two spellings of the same text have in common: the words, without case and marks."""
    return " ".join(tokens(text))


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    """Return the runs of so many words; of a shorter text the whole of it, of an empty one nothing."""
    words = tokens(text)
    return frozenset(word_runs(words, _SHINGLE) or [tuple(words)] if words else ())


class Seen:
    """The texts seen so far; tells which of them a new one resembles.

    Two texts are near-duplicates when they share ``NEAR`` of all their word trigrams (Jaccard, Broder
    1997). Shared trigrams are counted by an inverted index, so that nothing is compared pair by pair.
    """

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._names: list[str] = []
        self._holders: dict[tuple[str, ...], list[int]] = {}

    def like(self, text: str) -> str | None:
        """Return the name of the first text that is a near-duplicate, or None."""
        own = shingles(text)
        shared = Counter(holder for shingle in own for holder in self._holders.get(shingle, ()))
        near = [
            holder
            for holder, count in shared.items()
            if count >= NEAR * (len(own) + self._sizes[holder] - count)
        ]
        return self._names[min(near)] if near else None

    def add(self, text: str, name: str) -> None:
        """Remember a text under a name."""
        own = shingles(text)
        for shingle in own:
            self._holders.setdefault(shingle, []).append(len(self._names))
        self._names.append(name)
        self._sizes.append(len(own))


def runs_of(texts: Iterable[str], length: int) -> frozenset[tuple[str, ...]]:
    """Return all runs of so many words; shorter texts have none."""
    return frozenset(run for text in texts for run in word_runs(tokens(text), length))


# A question is a quotation when so much of it, and so many words, stand in its evidence in one run.
_QUOTED, _QUOTED_WORDS = 0.6, 5


def shared_run(text: str, other: str) -> str:
    """Return the longest run of words that stands in both texts."""
    own, theirs = tokens(text), tokens(other)
    longest = SequenceMatcher(None, own, theirs, autojunk=False).find_longest_match()
    return " ".join(own[longest.a : longest.a + longest.size])


def quotes(question: Question) -> bool:
    """Tell whether a question is worded as its evidence is, so that a search for the words finds it.

    That is so when one run of five words or more that makes 60 % of it stands in the evidence.
    """
    runs = [len(shared_run(question.text, evidence.quote).split()) for evidence in question.evidence]
    return max(runs, default=0) >= max(_QUOTED * len(tokens(question.text)), _QUOTED_WORDS)


def without_source(questions: Sequence[Question]) -> list[Question]:
    """Return the answerable questions of no known document; statistics take each for a source of its own."""
    return [q for q in questions if q.answerable and not (q.source or q.evidence)]


# Eight words in a row are hardly shared by chance; Brown et al. 2020 used 8 to 13 to find contamination.
LEAK_WORDS = 8


class Severity(StrEnum):
    """Whether a set can be used as it is."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: the question, the kind of fault, what was found and what to do."""

    question: str
    kind: str
    severity: Severity
    found: str
    advice: str


@dataclass(frozen=True, slots=True)
class Findings:
    """All faults of a set, in the order of its questions.

    ``quoting`` of the ``evident``, those with evidence, are worded as it is; ``alone`` are of no document.
    """

    questions: int
    findings: tuple[Finding, ...]
    evident: int = 0
    quoting: int = 0
    alone: int = 0

    @property
    def errors(self) -> int:
        """Return how many of them make the set unfit for use."""
        return sum(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def warnings(self) -> int:
        """Return how many of them are worth a look."""
        return len(self.findings) - self.errors


def check_questions(
    questions: Sequence[Question],
    *,
    document: Callable[[str], Document | None] | None = None,
    seen: Iterable[str] = (),
) -> Findings:
    """Check a set.

    ``document`` returns one by its source: with it the evidence is looked up. ``seen`` are texts that an
    adapter was trained on: with them leaks are looked for.
    """
    trained = list(seen)
    found: list[Finding] = []
    for question in questions:
        found.extend(_alone(question))
        for evidence in question.evidence:
            found.extend(_evidence(question, evidence, document))
        found.extend(_withheld(question, document))
    found.extend(_twice(questions))
    found.extend(_leaks(questions, trained))
    if len(questions) == 1:
        found.append(_warning(questions[0], "one question only", "the set holds a single question"))
    order = {question.id: place for place, question in reversed(list(enumerate(questions)))}
    ordered = tuple(sorted(found, key=lambda finding: order[finding.question]))
    evident = [question for question in questions if question.evidence]
    return Findings(
        len(questions), ordered, len(evident), sum(map(quotes, evident)), len(without_source(questions))
    )


# What is to be done about each kind of fault.
_ADVICE = {
    "contradiction": "name the document in the question, or correct one of them",
    "duplicate": "drop one of them",
    "empty gold": "remove it",
    "empty question": "write it or drop the line",
    "evidence not at its offsets": "the document has changed: make the set again, or correct the offsets",
    "evidence not in its document": "quote verbatim, or name the right document",
    "evidence without a document": "index it, name the right domain with --domain, or drop the question",
    "gold in the question": "ask it in other words, unless it is a choice between things that it names",
    "gold not among the options": "spell it as the option, or add the option",
    "gold not in its evidence": "correct the quote or the answer, or add what is said there in other words",
    "leak": "take it out of the training data and train again, or drop the question",
    "near-duplicate": "keep one of them: two count as one observation",
    "no gold": "add `answers`, or set `answerable` to false",
    "one question only": "no comparison can be decided by it; add more",
    "shared words": "see whether it is the question or a passage",
    "unanswerable with evidence": "put the source into `withheld`, or set `answerable` to true",
    "unanswerable with gold": "set `answerable` to true, or remove the answers",
    "withheld without a document": "it is not a question of this domain any more; look at it again",
}


def _error(question: Question, kind: str, found: str) -> Finding:
    return Finding(question.id, kind, Severity.ERROR, found, _ADVICE[kind])


def _warning(question: Question, kind: str, found: str) -> Finding:
    return Finding(question.id, kind, Severity.WARNING, found, _ADVICE[kind])


def _alone(question: Question) -> Iterator[Finding]:
    """Yield what is wrong with a question by itself."""
    if not tokens(question.text):
        yield _error(question, "empty question", f"the text is {question.text!r}")
    golds = [answer for answer in question.answers if answer.strip()]
    if len(golds) < len(question.answers):
        yield _error(question, "empty gold", "a gold answer is blank")
    if question.answerable and not golds:
        yield _error(question, "no gold", "it is answerable and has no gold answer")
    if not question.answerable and golds:
        yield _error(
            question, "unanswerable with gold", f"it is unanswerable and has the gold answer {golds[0]!r}"
        )
    if question.options:
        yield from _options(question, golds)
    elif question.answerable and (given := [gold for gold in golds if contains(question.text, gold)]):
        yield _warning(question, "gold in the question", f"the question holds its answer {given[0]!r}")


def _options(question: Question, golds: Sequence[str]) -> Iterator[Finding]:
    missing = [gold for gold in golds if gold not in question.options]
    if missing:
        yield _error(
            question,
            "gold not among the options",
            f"the gold answer {missing[0]!r} is none of {', '.join(question.options)}",
        )


def _evidence(
    question: Question, evidence: Evidence, document: Callable[[str], Document | None] | None
) -> Iterator[Finding]:
    if question.answerable and not any(contains(evidence.quote, gold) for gold in question.answers):
        # an answer may be said in other words, or its evidence may be one of several parts of it
        together = " ".join(part.quote for part in question.evidence)
        if question.answers and not any(contains(together, gold) for gold in question.answers):
            kind = _warning if question.made.removeprefix(REVIEWED) in ("gold", FEEDBACK) else _error
            yield kind(
                question,
                "gold not in its evidence",
                f"no gold answer stands in the quote “{evidence.quote[:80]}”",
            )
    if document is None:
        return
    there = document(evidence.source)
    if there is None:
        yield _error(
            question, "evidence without a document", f"the index holds no document {evidence.source!r}"
        )
        return
    yield from _place(question, evidence, there)


def _place(question: Question, evidence: Evidence, document: Document) -> Iterator[Finding]:
    if evidence.span is not None:
        at = document.text[evidence.span.start : evidence.span.end]
        if at != evidence.quote:
            yield _error(
                question,
                "evidence not at its offsets",
                f"characters {evidence.span.start}–{evidence.span.end} of {document.source} "
                f"are “{at[:60]}”, not “{evidence.quote[:60]}”",
            )
    elif " ".join(evidence.quote.split()) not in " ".join(document.text.split()):
        yield _error(
            question,
            "evidence not in its document",
            f"“{evidence.quote[:80]}” does not stand in {document.source}",
        )


def _withheld(question: Question, document: Callable[[str], Document | None] | None) -> Iterator[Finding]:
    """Yield an unanswerable question whose own evidence may be retrieved after all."""
    if question.answerable:
        return
    open_ = [part.source for part in question.evidence if part.source not in question.withheld]
    if open_:
        yield _error(
            question,
            "unanswerable with evidence",
            f"it is unanswerable, and its evidence {open_[0]!r} may be retrieved",
        )
    for source in question.withheld if document else ():
        if document is not None and document(source) is None:
            yield _warning(
                question, "withheld without a document", f"the withheld source {source!r} is not in the index"
            )


def _twice(questions: Sequence[Question]) -> Iterator[Finding]:
    """Yield questions that are there twice, and alike questions with unlike answers."""
    first: dict[str, Question] = {}
    near = Seen()
    for question in questions:
        key = key_of(question.text)
        if not key:
            continue
        if key in first:
            if finding := _same(question, first[key]):
                yield finding
        elif other := near.like(question.text):
            yield _warning(question, "near-duplicate", f"it is worded nearly as {other!r}")
        first.setdefault(key, question)
        near.add(question.text, question.id)


def _same(question: Question, before: Question) -> Finding | None:
    if question.withheld != before.withheld:
        return None  # asked twice on purpose: with its document and without
    own, others = ({key_of(answer) for answer in each.answers} for each in (question, before))
    if question.answerable != before.answerable or (own.isdisjoint(others) and (own or others)):
        return _error(question, "contradiction", f"{before.id!r} asks the same and has another answer")
    return _error(question, "duplicate", f"{before.id!r} asks the same")


def _leaks(questions: Sequence[Question], trained: Sequence[str]) -> Iterator[Finding]:
    """Yield questions that an adapter saw, or that stand too near to what it saw.

    A training text that holds the question, or nearly is it, is a leak. A shared run of words may be one,
    or the text that both quote: for a fresh question, whose document may not be trained on, it is an
    error too, and else it is worth a look.
    """
    if not trained:
        return
    near = Seen()
    for place, text in enumerate(trained, start=1):
        near.add(text, f"text {place}")
    everything = " \n ".join(f" {key_of(text)} " for text in trained)
    runs = runs_of(trained, LEAK_WORDS)
    for question in questions:
        key = key_of(question.text)
        own = runs_of([f"{question.text} {answer}" for answer in question.answers or ("",)], LEAK_WORDS)
        if key and f" {key} " in everything:
            yield _error(question, "leak", "the training data holds the question")
        elif other := near.like(question.text):
            yield _error(question, "leak", f"{other} of the training data is nearly the same")
        elif shared := sorted(own & runs):
            found = f"the training data holds “{' '.join(shared[0])}”"
            if FRESH in question.slices:
                yield _error(question, "leak", f"{found}, and the question is labelled fresh")
            else:
                yield _warning(question, "shared words", found)


class Review:
    """The review of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._questions = load_questions(path)

    def __len__(self) -> int:
        """Return how many questions the file holds."""
        return len(self._questions)

    def open_questions(self) -> list[Question]:
        """Return the questions that nobody has accepted yet, in the order of the file."""
        return [question for question in self._questions if not question.reviewed]

    def accept(self, question: Question) -> None:
        """Keep a question, as it is or as it was edited."""
        reviewed = replace(question, made=REVIEWED + question.made)
        self._save([reviewed if other.id == question.id else other for other in self._questions])

    def drop(self, question: Question) -> None:
        """Take a question out of the file.

        Raises:
            UsageError: it is the last one.
        """
        left = [other for other in self._questions if other.id != question.id]
        if not left:
            raise UsageError(f"nothing would be left of {self.path}", hint="delete the file instead")
        self._save(left)

    def _save(self, questions: Sequence[Question]) -> None:
        save_questions(self.path, questions)
        self._questions = list(questions)


def edited(question: Question, *, text: str, answers: Sequence[str]) -> Question:
    """Return a question with another text or other answers; what is blank stays as it was.

    Of the evidence only what has one of the other answers in it stays, and they are no arm's text.
    """
    golds = tuple(stripped for answer in answers if (stripped := answer.strip()))
    same = golds in ((), question.answers)
    return replace(
        question,
        text=text.strip() or question.text,
        answers=golds or question.answers,
        answerable=question.answerable or bool(golds),
        slices=tuple(name for name in question.slices if same or not name.startswith(ANSWERED_BY)),
        evidence=tuple(
            part for part in question.evidence if same or any(contains(part.quote, gold) for gold in golds)
        ),
    )
