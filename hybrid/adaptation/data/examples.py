"""Training examples: given, or of labels, short answers and plain text; sifted of leaks and duplicates."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeAlias

from hybrid.adaptation.data.formats import KINDS, GivenRow, read_row
from hybrid.adaptation.values import Example, ExampleKind, PreferencePair, QueryPair, Sifted
from hybrid.errors import UsageError
from hybrid.files import hash_text, write_atomic
from hybrid.generation.prompts import Passage, Prompts, declines
from hybrid.models.dialogue import ENDS_OF_THOUGHTS
from hybrid.questions.checking import LEAK_WORDS, Seen, key_of, runs_of
from hybrid.questions.files import read_rows
from hybrid.questions.splits import FRESH
from hybrid.text.sentences import sentence_spans
from hybrid.types import Document, Evidence, MessageRole, Question, Span

# Tokens of each text, as the generator counts them.
Count: TypeAlias = Callable[[Sequence[str]], list[int]]

# What is shorter says nothing of how a text of the domain goes on.
_LEAST_TOKENS = 24

_SAME = "leak: a question set asks the same, or nearly the same"
_HOLDS = "leak: the text holds a question of a question set"
_PLACE = "leak: a question set asks for the same place of a document"
_RUNS = f"leak: {LEAK_WORDS} words in a row are shared with a question on a held-out document"
_TWICE = "duplicate: there already in the same or nearly the same words"
_CONTRADICTS = "contradiction: there already with another answer"
# What a completion looks like; one line in so many is not a form that is taught.
_QUOTE = re.compile(r"[\"“„«].+[\"”“»] ?\[\d+\]")
_STRUCTURED = re.compile(r"\s*(?:[{\[]|```)")
_LABEL_WORDS = 3
_FORM_SHARE = 0.02
# A question as short as "what is it?" stands in many a text by accident.
_TELLING_WORDS = 4


def label_examples(
    questions: Sequence[Question], prompts: Prompts, passages: Sequence[Sequence[Passage]] = ()
) -> list[Example]:
    """Return one example for every question with options whose answer is among them.

    ``passages``: for each question those that it is asked with, as ``both`` asks; without them none is.
    """
    examples: list[Example] = []
    for question, shown in zip(questions, passages or [()] * len(questions), strict=True):
        right = [answer for answer in question.answers if answer in question.options]
        if right:
            prompt, options = prompts.choice(question.text, question.options, shown), question.options
            examples.append(
                Example(
                    ExampleKind.LABEL, prompt, right[0], question.unit, question.made, options, question.text
                )
            )
    return examples


def instruction_examples(questions: Sequence[Question], prompts: Prompts) -> list[Example]:
    """Return one example for every open-ended question: its first answer, or that it is not known."""
    examples: list[Example] = []
    for question in questions:
        if question.options:
            continue
        prompt = prompts.base(question.text)
        kind, said = ExampleKind.ABSTENTION, prompts.abstention
        if question.answerable:
            answers = [answer for answer in question.answers if answer.strip()]
            if not answers:
                continue
            kind, said = ExampleKind.INSTRUCTION, as_sentence(answers[0])
        examples.append(Example(kind, prompt, said, question.unit, question.made))
    return examples


def mixed_forms(examples: Iterable[Example]) -> list[str]:
    """Return what a model cannot know of the form that is wanted: examples that are told alike, and differ.

    Completions behind the same system prompt are compared: labels, quotes, sentences and JSON among each
    other, one label in two spellings, and declining in several wordings.
    """
    told: dict[str, list[str]] = defaultdict(list)
    for example in examples:
        if example.prompt and example.kind is not ExampleKind.REHEARSAL:
            first = example.prompt[0]
            told[first.content if first.role is MessageRole.SYSTEM else ""].append(example.completion.strip())
    found: list[str] = []
    for texts in told.values():
        declined = Counter(text for text in texts if declines(text))
        answers = Counter(text for text in texts if not declines(text))
        forms: Counter[str] = Counter()
        for text, count in answers.items():
            forms[_form(text)] += count
        taught = [f"{n} as {form}" for form, n in forms.most_common() if n >= _FORM_SHARE * len(texts)]
        if len(taught) > 1:
            found.append(f"mixed forms: {', '.join(taught)}")
        spelled: dict[str, list[str]] = defaultdict(list)
        for text in answers:
            spelled[text.casefold().rstrip(".!")].append(text)
        found += [
            f"one answer in several spellings: {', '.join(map(repr, sorted(same)))}"
            for same in spelled.values()
            if len(same) > 1
        ]
        if len(declined) > 1:
            usual = ", ".join(f"{text!r} ({count})" for text, count in declined.most_common(3))
            found.append(f"declined in {len(declined)} wordings: {usual}")
    return found


def _form(text: str) -> str:
    if _QUOTE.match(text):
        return "a quote with its answer"
    if _STRUCTURED.match(text):
        return "JSON or code"
    return "a label or a few words" if len(text.split()) <= _LABEL_WORDS else "sentences"


def as_sentence(answer: str) -> str:
    """Return several words as a sentence; a name, a number or a command stays as it is."""
    plain = " ".join(answer.split())
    first = plain.split(" ", 1)[0]
    if len(plain.split()) < 2 or not first.isalpha():
        return plain
    raised = plain[:1].upper() + plain[1:] if first.islower() else plain
    return f"{raised}." if raised[-1].isalnum() else raised


def text_examples(documents: Iterable[Document], count: Count, *, max_tokens: int) -> Iterator[Example]:
    """Yield the text of documents in windows of at most so many tokens; together they are nearly all of it.

    ``max_tokens``: of a window. A sentence with more is cut.
    """
    for document in documents:
        for window in windows(document.text, count, max_tokens=max_tokens):
            text = document.text[window.start : window.end]
            yield Example(ExampleKind.TEXT, (), text, source=document.source, made="text")


def windows(text: str, count: Count, *, max_tokens: int) -> Iterator[Span]:
    """Yield stretches of whole sentences that fill the budget, without those that are too short."""
    parts = sentence_spans(text)
    sized = list(_sized(text, parts, count, max_tokens))
    begun, size = 0, 0
    for place, (_, tokens) in enumerate(sized):
        if place > begun and size + tokens > max_tokens:
            if size >= _LEAST_TOKENS:
                yield Span(sized[begun][0].start, sized[place - 1][0].end)
            begun, size = place, 0
        # what stands between two sentences is a token at the most
        size += tokens + 1
    if size >= _LEAST_TOKENS:
        yield Span(sized[begun][0].start, sized[-1][0].end)


def _sized(text: str, parts: Sequence[Span], count: Count, max_tokens: int) -> Iterator[tuple[Span, int]]:
    """Yield stretches that fit, with their tokens: sentences, or halves of what is too long for one."""
    counts = count([text[part.start : part.end] for part in parts]) if parts else []
    for part, tokens in zip(parts, counts, strict=True):
        if tokens < max_tokens or part.end - part.start < 2:
            yield part, tokens
            continue
        middle = (part.start + part.end) // 2
        space = text.rfind(" ", part.start + 1, middle)
        middle = space if space > 0 else middle
        yield from _sized(text, [Span(part.start, middle), Span(middle, part.end)], count, max_tokens)


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


def sift_questions(questions: Sequence[Question], sieve: Sieve) -> tuple[list[Question], list[Sifted]]:
    """Return the questions that may be trained on, and how many may not."""
    reasons = [sieve.question(question) for question in questions]
    kept = [question for question, reason in zip(questions, reasons, strict=True) if not reason]
    return kept, counted(reasons)


def sift_examples(
    examples: Sequence[Example], sieve: Sieve, *, after: Sequence[Example] = ()
) -> tuple[list[Example], list[Sifted]]:
    """Return the examples that may be trained on, each once, and how many were left out.

    Near-duplicates are looked for among instructions and plain texts. What is read or labelled is mostly made
    of a text that several questions share, and the same question with and without its passage is there on
    purpose.

    ``after``: examples that are there already, such as those of training where these are of validation.
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
        # the same words in other letters or with other spaces ask the same
        told = (" ".join(message.content.split()).casefold() for message in example.prompt)
        asked = hash_text(*told) if example.prompt else ""
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


def counted(reasons: Sequence[str]) -> list[Sifted]:
    """Return how often each reason was given; an empty one is none."""
    return [Sifted(reason, count) for reason, count in sorted(Counter(reasons).items()) if reason]


def _overlap(one: Evidence, other: Evidence) -> bool:
    if one.span and other.span:
        return one.span.start < other.span.end and other.span.start < one.span.end
    first, second = key_of(one.quote), key_of(other.quote)
    return bool(first and second) and (first in second or second in first)


# Less is learned by heart and says nothing about anything else.
LEAST_EXAMPLES = 8
MORE = "add examples or documents; some hundreds are a sensible beginning"


@dataclass(frozen=True, slots=True)
class Given:
    """A user's data: questions, which become examples of several kinds, examples, pairs, and preferences."""

    questions: tuple[Question, ...] = ()
    examples: tuple[Example, ...] = ()
    pairs: tuple[QueryPair, ...] = ()
    preferences: tuple[PreferencePair, ...] = ()
    thoughts: int = 0  # rows that think before they answer, of which the answer alone is taught


NOTHING = Given()


def load_given(paths: Sequence[Path], prompts: Prompts) -> Given:
    """Read a user's data, JSON lines or one JSON list; the rows of a file may be of several kinds.

    - ``question`` and ``answers``, with ``options`` for labels, ``evidence`` and all else of a question set;
    - ``prompt`` and ``completion``, texts or turns, with ``options`` for labels;
    - ``messages`` with ``role`` and ``content``, or ``conversations`` with ``from`` and ``value``: every turn
      of the assistant is taught but those of ``weight`` 0;
    - ``instruction``, ``input`` and ``output``, with ``system`` and ``history``;
    - ``chosen`` and ``rejected``, texts or turns, with ``prompt`` unless both begin with it;
    - ``text``, for continued pre-training;
    - ``query`` and ``passage``, with ``negatives``, for an embedder;
    - what ``save_examples`` wrote.

    What a model thinks before it answers (``<think>``) is left out, as it is where answers are served.
    ``id``, ``source`` (the document that it was made from) and ``meta`` may stand anywhere; any other key
    is an error.

    ``prompts``: of the language that is served; a ``prompt`` is what a user says to the arm ``adapter``.
    """
    rows: list[GivenRow] = []
    for path in paths:
        if not (found := _rows(path)):
            raise UsageError(f"{path} holds no line", hint=f"a line is an object with {KINDS}")
        rows += found
    taught = [one for row in rows for one in read_row(row, prompts)]
    return Given(
        tuple(one for one in taught if isinstance(one, Question)),
        tuple(one for one in taught if isinstance(one, Example)),
        tuple(one for one in taught if isinstance(one, QueryPair)),
        tuple(one for one in taught if isinstance(one, PreferencePair)),
        sum(any(end in str(row.value).lower() for end in ENDS_OF_THOUGHTS) for row in rows),
    )


def require_examples(
    examples: Sequence[Example],
    *,
    made_from: str,
    checked: int = 0,
    left_out: Sequence[Sifted] = (),
    hint: str = MORE,
) -> None:
    """Raise a UsageError for fewer than ``LEAST_EXAMPLES``, or such as all have the same label.

    ``made_from``: what to name in the message, a file or a domain.
    """
    if len(examples) + checked < LEAST_EXAMPLES:
        why = "; ".join(f"left out {left.count}, {left.reason}" for left in left_out)
        there = len(examples) + checked + sum(left.count for left in left_out)
        raise UsageError(
            f"{made_from} gives {len(examples)} examples to train on"
            + (f" of {there}" if there > len(examples) else "")
            + f", expected {LEAST_EXAMPLES} or more"
            + (f": {why}" if why else ""),
            hint=hint,
        )
    labels = {example.completion for example in examples if example.options}
    if len(labels) == 1 and all(example.options for example in examples):
        raise UsageError(
            f"all {len(examples)} examples of {made_from} have the same label {next(iter(labels))!r}: "
            "there is nothing to tell apart",
            hint="add examples of the other options",
        )


def save_examples(path: Path, examples: Sequence[Example]) -> None:
    """Write examples atomically, one a line; what is empty is left out."""
    rows = []
    for example in examples:
        values = asdict(example)
        empty = [key for key in ("prompt", "source", "options", "asked") if not values[key]]
        rows.append({key: value for key, value in values.items() if key not in empty})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def load_examples(path: Path) -> list[Example]:
    """Read what ``save_examples`` wrote."""
    rows = _rows(path)
    return [replace(row, value={"prompt": ()} | row.value).read(Example) for row in rows]


def _rows(path: Path) -> list[GivenRow]:
    if not path.is_file():
        raise UsageError(f"there is no file {path}", hint="name training data, JSON lines")
    rows = [GivenRow(path, number, value) for number, value in read_rows(path)]
    for row in rows:
        if not isinstance(row.value, dict):
            raise row.error("expected an object")
    return rows
