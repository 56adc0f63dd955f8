"""Larger suites by path: minimal pairs, multiple choice, plain texts, each known by what is in the file.

Takes files or folders, gives a suite of the same values as the one that ships. What is understood:

* minimal pairs: JSON lines with ``sentence_good`` and ``sentence_bad`` (BLiMP);
* questions: JSON or JSON lines with ``question``, ``choices`` and ``answerKey`` (ARC as the hub has it), or
  with the options in an ``instruction`` and ``answer``: "answer2";
* texts: ``.txt``, a document each, or many where lines such as ``= Title =`` begin them (WikiText).
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hybrid.adaptation.forgetting.general import LEAST_ITEMS, Choice, Suite, SuitePassage, choice_of
from hybrid.adaptation.forgetting.grammar import MinimalPair
from hybrid.errors import UsageError
from hybrid.files import read_jsonl

# About 400 tokens: what is drawn by --items should not be a whole article.
_PASSAGE_CHARACTERS = 1_500
_SHORTEST_PASSAGE = 200
_NOT_DATA = re.compile(r"(readme|notice|licen[cs]e|authors|changelog)\b.*|\..*", re.IGNORECASE)
_TITLE = re.compile(r"^ ?= ([^=].*[^=]) = ?$")
_LISTED = re.compile(r"(?P<question>.*?)\s*Answer1: (?P<options>.*?)\s*Answer format:", re.DOTALL)
_BEFORE_QUESTION = "Please choose the correct answer to the question:"
_UNDERSTOOD = "minimal pairs and questions in .json or .jsonl, and texts in .txt"


def load_suite(*paths: Path) -> Suite:
    """Return the items of files, and of all files below folders, as one suite.

    Raises:
        UsageError: a path is not there, a file is not understood, or a kind has too few items.
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
        return dataclasses.replace(suite, passages=(*suite.passages, *_passages(file, name)))
    if file.suffix not in (".json", ".jsonl"):
        raise _not_understood(name, f"files that end in {file.suffix or 'nothing'}")
    pairs: list[MinimalPair] = []
    choices: list[Choice] = []
    for number, row in _rows(file, name):
        place = f"{name}:{number}"
        if {"sentence_good", "sentence_bad"} <= row.keys():
            pairs.append(_pair(row, place))
        elif (choice := _choice(row, place)) is not None:
            choices.append(choice)
        else:
            raise _not_understood(place, f"the keys {', '.join(sorted(row)) or 'of an empty object'}")
    return dataclasses.replace(suite, pairs=(*suite.pairs, *pairs), choices=(*suite.choices, *choices))


def _rows(file: Path, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the objects of a JSON list or of JSON lines, numbered from 1."""
    try:
        if file.suffix == ".jsonl":
            rows = list(read_jsonl(file))
        else:
            rows = list(enumerate(json.loads(file.read_text(encoding="utf-8-sig")), start=1))
    except (ValueError, TypeError, OSError) as error:
        raise UsageError(
            f"the suite's file {name} cannot be read: {error}", hint=f"expected {_UNDERSTOOD}"
        ) from error
    for number, row in rows:
        if not isinstance(row, dict):
            raise _not_understood(f"{name}:{number}", f"{type(row).__name__} instead of an object")
        yield number, row


def _pair(row: Mapping[str, Any], place: str) -> MinimalPair:
    good, bad = str(row["sentence_good"]).strip(), str(row["sentence_bad"]).strip()
    if not good or not bad or good == bad:
        raise UsageError(f"{place}: a minimal pair needs two different sentences, found {good!r} and {bad!r}")
    return MinimalPair(place, str(row.get("linguistics_term") or row.get("UID") or ""), good, bad)


def _choice(row: Mapping[str, Any], place: str) -> Choice | None:
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
    return dataclasses.replace(choice, id=place)


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


def _passages(file: Path, name: str) -> Iterator[SuitePassage]:
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
