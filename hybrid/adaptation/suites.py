"""Benchmarks of general ability: texts, pairs, questions and formats; shipped or by path."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from hybrid.errors import UsageError
from hybrid.files import hash_text
from hybrid.questions.files import read_rows

# Fewer say nothing about anything.
LEAST_ITEMS = 10
# The fields of a suite that hold its items.
KINDS = ("passages", "pairs", "choices", "probes", "unanswerable")
# About 400 tokens: what is drawn by --items should not be a whole article.
_PASSAGE_CHARACTERS = 1_500
_SHORTEST_PASSAGE = 200
_NOT_DATA = re.compile(r"(readme|notice|licen[cs]e|authors|changelog)\b.*|\..*", re.IGNORECASE)
_TITLE = re.compile(r"^ ?= ([^=].*[^=]) = ?$")
_LISTED = re.compile(r"(?P<question>.*?)\s*Answer1: (?P<options>.*?)\s*Answer format:", re.DOTALL)
_BEFORE_QUESTION = "Please choose the correct answer to the question:"
_UNDERSTOOD = "minimal pairs and questions in .json or .jsonl, and texts in .txt"


@dataclass(frozen=True, slots=True)
class SuitePassage:
    """A text of a kind; passages of one source are not independent."""

    id: str
    kind: str
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A question with its options, of which one is right; options stand in alphabetical order."""

    id: str
    question: str
    options: tuple[str, ...]
    right: int


@dataclass(frozen=True, slots=True)
class Probe:
    """An instruction whose answer must have a form, which a regular expression tells, whatever the case."""

    id: str
    kind: str
    prompt: str
    pattern: str

    def followed(self, answer: str) -> bool:
        """Tell whether an answer, or its beginning, has the form."""
        return re.search(self.pattern, answer.strip(), re.IGNORECASE) is not None


@dataclass(frozen=True, slots=True)
class Suite:
    """Everything that one measurement asks; a kind may be empty."""

    name: str
    passages: tuple[SuitePassage, ...] = ()
    pairs: tuple[MinimalPair, ...] = ()
    choices: tuple[Choice, ...] = ()
    probes: tuple[Probe, ...] = ()
    unanswerable: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Return what tells two suites apart: a digest of all that is asked."""
        return hash_text(
            *(f"text:{item.id}:{item.text}" for item in self.passages),
            *(f"pair:{item.id}:{item.good}:{item.bad}" for item in self.pairs),
            *(f"choice:{item.id}:{item.options}:{item.right}" for item in self.choices),
            *(f"format:{item.prompt}:{item.pattern}" for item in self.probes),
            *(f"unanswerable:{question}" for question in self.unanswerable),
        )

    def sample(self, items: int, *, seed: int = 0) -> Suite:
        """Return at most so many items of each kind, drawn by the seed, in their order."""
        if items < LEAST_ITEMS:
            raise UsageError(
                f"{items} items of a kind are too few, expected {LEAST_ITEMS} or more",
                hint="leave --items out to use the whole suite",
            )
        kinds: dict[str, Any] = {kind: _drawn(getattr(self, kind), items, seed) for kind in KINDS}
        return replace(self, **kinds)

    def with_own(self, own: Suite) -> Suite:
        """Return a suite of one's own, with what this one has for the kinds that it has no items of."""
        kinds = {kind: getattr(own, kind) or getattr(self, kind) for kind in KINDS}
        return replace(self, name=own.name, **kinds)


def shipped_suite() -> Suite:
    """Return the suite that ships: what adapters are judged by where no other is named."""
    return Suite(
        name="general",
        passages=_passages("test"),
        pairs=tuple(MinimalPair(**row) for row in _rows("pairs.jsonl")),
        choices=_choices(),
        probes=tuple(Probe(row["prompt"], **row) for row in _rows("formats.jsonl")),
        unanswerable=_told("unanswerable.txt"),
    )


def probe_texts() -> tuple[str, ...]:
    """Return a few general texts to look at while training; the suite has none of their documents."""
    return tuple(passage.text for passage in _passages("probe"))


def instructions() -> list[str]:
    """Return general instructions, none of which the suite asks: what tuning rehearses."""
    return [str(row["instruction"]) for row in _rows("instructions.jsonl")]


def choice_of(question: str, right: str, wrong: Sequence[str]) -> Choice:
    """Return a question whose options are in alphabetical order, so that no place is favoured."""
    options = tuple(sorted((right, *wrong)))
    if len(options) < 2 or len(set(options)) < len(options):
        raise UsageError(f"the question {question!r} needs two or more different options, found {options}")
    return Choice(question, question, options, options.index(right))


def _passages(split: str) -> tuple[SuitePassage, ...]:
    rows = [*_rows("excerpts.jsonl"), *_rows("prose.jsonl")]
    wanted = (row for row in rows if row["split"] == split)
    # each is from a document of its own
    return tuple(SuitePassage(row["id"], row["kind"], row["text"], row["id"]) for row in wanted)


def _choices() -> tuple[Choice, ...]:
    cells = ([cell.strip() for cell in line.split("|")] for line in _told("choices.txt"))
    return tuple(choice_of(question, right, wrong) for question, right, *wrong in cells)


def _told(name: str) -> tuple[str, ...]:
    return tuple(line for line in _text(name).splitlines() if not line.startswith("#"))


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _text(name).splitlines()]


def _text(name: str) -> str:
    return resources.files("hybrid.adaptation").joinpath("suite", name).read_text(encoding="utf-8")


def _drawn(items: tuple[Any, ...], count: int, seed: int) -> tuple[Any, ...]:
    if len(items) <= count:
        return items
    places = np.random.default_rng(seed).permutation(len(items))[:count]
    return tuple(items[place] for place in sorted(places))


@dataclass(frozen=True, slots=True)
class MinimalPair:
    """A sentence of English and one that is none, alike but for the point that they show."""

    id: str
    phenomenon: str
    good: str
    bad: str


def load_suite(*paths: Path) -> Suite:
    """Return the items of files, and of all files below folders, as one suite.

    * minimal pairs: JSON lines with ``sentence_good`` and ``sentence_bad`` (BLiMP);
    * questions: JSON or JSON lines with ``question``, ``choices`` and ``answerKey`` (ARC as the hub has it),
      or with the options in an ``instruction`` and ``answer``: "answer2";
    * texts: ``.txt``, a document each, or many where lines such as ``= Title =`` begin them (WikiText).
    """
    suite = Suite(", ".join(path.name for path in paths))
    for path in paths:
        if not path.exists():
            raise UsageError(f"the suite {path} does not exist", hint="give a file, or a folder with files")
        files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
        for file in files:
            if not _NOT_DATA.fullmatch(file.name):
                suite = _with(suite, file, file.relative_to(path.parent).as_posix())
    _require_enough(suite)
    return suite


def _with(suite: Suite, file: Path, name: str) -> Suite:
    """Return the suite with the items of one more file."""
    if file.suffix == ".txt":
        return replace(suite, passages=(*suite.passages, *_stretches_of(file, name)))
    if file.suffix not in (".json", ".jsonl"):
        raise _not_understood(name, f"files that end in {file.suffix or 'nothing'}")
    pairs: list[MinimalPair] = []
    choices: list[Choice] = []
    for number, row in _rows_of(file, name):
        place = f"{name}:{number}"
        if {"sentence_good", "sentence_bad"} <= row.keys():
            pairs.append(_pair_of(row, place))
        elif (choice := _choice_in(row, place)) is not None:
            choices.append(choice)
        else:
            raise _not_understood(place, f"the keys {', '.join(sorted(row)) or 'of an empty object'}")
    return replace(suite, pairs=(*suite.pairs, *pairs), choices=(*suite.choices, *choices))


def _rows_of(file: Path, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the objects of a JSON list or of JSON lines, numbered from 1."""
    for number, row in read_rows(file):
        if not isinstance(row, dict):
            raise _not_understood(f"{name}:{number}", f"{type(row).__name__} instead of an object")
        yield number, row


def _pair_of(row: Mapping[str, Any], place: str) -> MinimalPair:
    good, bad = str(row["sentence_good"]).strip(), str(row["sentence_bad"]).strip()
    if not good or not bad or good == bad:
        raise UsageError(f"{place}: a minimal pair needs two different sentences, found {good!r} and {bad!r}")
    return MinimalPair(place, str(row.get("linguistics_term") or row.get("UID") or ""), good, bad)


def _choice_in(row: Mapping[str, Any], place: str) -> Choice | None:
    """Return the question of a row, None where its keys are others."""
    found = _from_hub(row) or _from_instruction(row)
    if found is None:
        return None
    question, options, right = found
    if not question or not 0 <= right < len(options):
        raise UsageError(f"{place}: answer {right + 1} of {len(options)} options to {question!r}")
    wrong = [option for number, option in enumerate(options) if number != right]
    try:
        choice = choice_of(question, options[right], wrong)
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from error
    return replace(choice, id=place)


def _from_hub(row: Mapping[str, Any]) -> tuple[str, list[str], int] | None:
    choices = row.get("choices")
    if not isinstance(choices, dict) or not {"question", "answerKey"} <= row.keys():
        return None
    labels = [str(label) for label in choices.get("label", ())]
    key = str(row["answerKey"])
    options = [str(text).strip() for text in choices.get("text", ())]
    return str(row["question"]).strip(), options, labels.index(key) if key in labels else -1


def _from_instruction(row: Mapping[str, Any]) -> tuple[str, list[str], int] | None:
    listed = _LISTED.match(str(row.get("instruction", "")))
    answer = re.fullmatch(r"answer(\d+)", str(row.get("answer", "")))
    if listed is None or answer is None:
        return None
    options = [option.strip() for option in re.split(r"\s+Answer\d+: ", listed["options"])]
    question = listed["question"].removeprefix(_BEFORE_QUESTION).strip()
    return question, options, int(answer[1]) - 1


def _stretches_of(file: Path, name: str) -> Iterator[SuitePassage]:
    """Yield stretches of whole paragraphs; those of one document have one source."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (ValueError, OSError) as error:
        raise UsageError(f"the file {name} cannot be read: {error}", hint="save it as UTF-8") from error
    source, gathered, number = name, "", 0
    for line in [*lines, None]:
        title = None if line is None else _TITLE.match(line)
        ended = line is None or title is not None
        if gathered and (ended or len(gathered) + len(line or "") > _PASSAGE_CHARACTERS):
            if len(gathered) >= _SHORTEST_PASSAGE:
                number += 1
                yield SuitePassage(f"{name}:{number}", "", gathered.strip(), source)
            gathered = ""
        if title is not None:
            source = f"{name}: {title[1]}"
        elif line is not None and line.strip():
            gathered += f"{line.strip()}\n"


def _require_enough(suite: Suite) -> None:
    sources = len({passage.source for passage in suite.passages})
    found = {"documents": sources, "minimal pairs": len(suite.pairs), "questions": len(suite.choices)}
    if not any(found.values()):
        raise UsageError(f"the suite {suite.name} has no items", hint=f"expected {_UNDERSTOOD}")
    for kind, count in found.items():
        if 0 < count < LEAST_ITEMS:
            raise UsageError(
                f"the suite {suite.name} has {count} {kind}, expected {LEAST_ITEMS} or more",
                hint="fewer say nothing about what was forgotten: add more, or leave this kind out",
            )


def _not_understood(place: str, what: str) -> UsageError:
    return UsageError(f"{place} is nothing that a suite understands: {what}", hint=f"expected {_UNDERSTOOD}")
