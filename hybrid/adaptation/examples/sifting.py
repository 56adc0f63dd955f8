"""What may not be trained on: leaks from question sets, duplicates, what is too long. Everything is counted.

Takes questions or examples and the question sets that will be asked, gives what is left and how much was left
out for which reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hybrid.adaptation.values import Example, ExampleKind, LeftOut
from hybrid.files import hash_text
from hybrid.questions.checking import LEAK_WORDS
from hybrid.questions.likeness import Seen, key_of, runs_of
from hybrid.questions.splits import FRESH
from hybrid.types import Evidence, Question

_SAME = "leak: a question set asks the same, or nearly the same"
_HOLDS = "leak: the text holds a question of a question set"
_PLACE = "leak: a question set asks for the same place of a document"
_RUNS = f"leak: {LEAK_WORDS} words in a row are shared with a question on a held-out document"
_TWICE = "duplicate: there already in the same or nearly the same words"
_CONTRADICTS = "contradiction: there already with another answer"
# A question as short as "what is it?" stands in many a text by accident.
_TELLING_WORDS = 4


class Sieve:
    """Question sets, laid out so that a text can be held against all of them at once."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._near = Seen()
        self._keys: set[str] = set()
        self._openings: dict[tuple[str, ...], list[str]] = {}
        self._places: dict[str, list[tuple[Evidence, frozenset[str]]]] = {}
        fresh = [question for question in questions if FRESH in question.slices]
        texts = [f"{question.text} {answer}" for question in fresh for answer in question.answers or ("",)]
        self._runs = runs_of(texts, LEAK_WORDS)
        for question in questions:
            self._near.add(question.text, question.id)
            key = key_of(question.text)
            self._keys.add(key)
            if len(words := key.split()) >= _TELLING_WORDS:
                self._openings.setdefault(tuple(words[:_TELLING_WORDS]), []).append(key)
            answers = frozenset(key_of(answer) for answer in question.answers)
            for evidence in question.evidence:
                self._places.setdefault(evidence.source, []).append((evidence, answers))

    def question(self, question: Question) -> str:
        """Return why a question may not be trained on; empty if it may."""
        if key_of(question.text) in self._keys or self._near.like(question.text):
            return _SAME
        answers = {key_of(answer) for answer in question.answers}
        for own in question.evidence:
            for other, others in self._places.get(own.source, ()):
                if answers & others and _overlap(own, other):
                    return _PLACE
        texts = [f"{question.text} {answer}" for answer in question.answers or ("",)]
        return _RUNS if self._runs & runs_of(texts, LEAK_WORDS) else ""

    def example(self, example: Example) -> str:
        """Return why an example may not be trained on; empty if it may."""
        turns = [message.content for message in example.prompt]
        if any(self._near.like(text) for text in (*turns, example.completion)):
            return _SAME
        text = "\n".join((*turns, example.completion))
        key = f" {key_of(text)} "
        begun = runs_of([text], _TELLING_WORDS) & self._openings.keys()
        if any(f" {own} " in key for opening in begun for own in self._openings[opening]):
            return _HOLDS
        return _RUNS if self._runs & runs_of([text], LEAK_WORDS) else ""


def sift_questions(questions: Sequence[Question], sieve: Sieve) -> tuple[list[Question], list[LeftOut]]:
    """Return the questions that may be trained on, and how many may not."""
    reasons = [sieve.question(question) for question in questions]
    kept = [question for question, reason in zip(questions, reasons, strict=True) if not reason]
    return kept, counted(reasons)


def sift_examples(
    examples: Sequence[Example], sieve: Sieve, *, after: Sequence[Example] = ()
) -> tuple[list[Example], list[LeftOut]]:
    """Return the examples that may be trained on, each once, and how many were left out.

    Near-duplicates are looked for among instructions and plain texts. What is read or labelled is mostly made
    of a text that several questions share, and the same question with and without its passage is there on
    purpose.

    Args:
        examples: in the order in which they are wanted.
        sieve: the question sets.
        after: examples that are there already, such as those of training where these are of validation.
    """
    before = _Before()
    for example in after:
        before.repeats(example)
    reasons = [sieve.example(example) or before.repeats(example) for example in examples]
    kept = [example for example, reason in zip(examples, reasons, strict=True) if not reason]
    return kept, counted(reasons)


class _Before:
    """The examples so far."""

    def __init__(self) -> None:
        self._near = Seen()
        self._said: dict[str, str] = {}

    def repeats(self, example: Example) -> str:
        """Return why an example adds nothing; empty if it does, and then remember it."""
        asked = hash_text(*(message.content for message in example.prompt)) if example.prompt else ""
        own = asked or key_of(example.completion)
        if own in self._said:
            return _TWICE if self._said[own] == example.completion or not asked else _CONTRADICTS
        if example.kind in (ExampleKind.INSTRUCTION, ExampleKind.TEXT):
            text = f"{example.prompt[-1].content if example.prompt else ''}\n{example.completion}"
            if self._near.like(text):
                return _TWICE
            self._near.add(text, "before")
        self._said[own] = example.completion
        return ""


def counted(reasons: Sequence[str]) -> list[LeftOut]:
    """Return how often each reason was given; an empty one is none."""
    return [LeftOut(reason, count) for reason, count in sorted(Counter(reasons).items()) if reason]


def _overlap(one: Evidence, other: Evidence) -> bool:
    if one.span and other.span:
        return one.span.start < other.span.end and other.span.start < one.span.end
    first, second = key_of(one.quote), key_of(other.quote)
    return bool(first and second) and (first in second or second in first)
