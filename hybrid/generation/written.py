"""Structured output: an answer, its citations and its doubt as JSON, also where it is almost JSON or cut."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from hybrid.files import valid_utf8
from hybrid.generation.citations import (
    Cited,
    CitedText,
    best_support,
    cite_sentences,
    join_cited,
    markers,
    split_generated,
    without_markers,
)
from hybrid.generation.prompts import Passage
from hybrid.generation.quoting import is_polar

# In this order: whether it can be answered and from what is known before the first word of the answer.
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "unsure": {"type": "boolean"},
        "citations": {"type": "array", "items": {"type": "integer"}},
        "answer": {"type": "string"},
    },
    "required": ["unsure", "citations", "answer"],
    "additionalProperties": False,
}
_KEY = re.compile(r"(?:(?P<mark>[\"'])(?P<name>\w+)(?P=mark)|\b(?P<bare>unsure|citations|answer)\b)\s*:\s*")
# What follows a quotation mark that ends a text, in an object and in a list: else it is of the text.
_AFTER_VALUE = re.compile(
    r"\s*(?:,?\s*(?:[\"']\w+[\"']\s*:|(?:unsure|citations|answer)\s*:|[}\]])|,?\s*(?:```\s*)?$)"
)
_AFTER_ITEM = re.compile(r"\s*(?:,\s*[\"'\d]|,?\s*\]|,?\s*$)")
_BARE = re.compile(r"[^,}\]\n\"]*")
_ESCAPE = re.compile(r'\\(u[0-9a-fA-F]{4}|["\\/bfnrt])|["\\]')
# As much of a text that was cut as no half of an escape, or of a letter of two, ends.
_UNCUT = re.compile(
    r"(?:\\u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\[^u]|[^\\])*", re.DOTALL
)
_STEP = re.compile(r"\s*(\d{1,2}[.)]|[-*•–])\s+(?=\S)")
_TRUE = ("true", "yes", "1")


@dataclass(frozen=True, slots=True)
class Written:
    """What was read of an object so far, each None if it has not come; ``plain`` of a text that is none."""

    answer: str | None = None
    citations: tuple[int, ...] | None = None
    unsure: bool | None = None
    plain: bool = False

    @property
    def settled(self) -> bool:
        """Tell whether what comes can no longer change what the answer rests on."""
        return self.unsure is not None and self.citations is not None


def read_written(text: str) -> Written:
    """Read an object, or as much of it as there is, and a text without one as the answer.

    Fences, text around it, single quotes, commas too many or too few, marks and line ends that are not
    escaped, and an end that is missing do not matter. Of several objects the first counts.
    """
    start = text.find("{")
    found = _KEY.search(text, start) if start >= 0 else None
    if found is None:
        return Written(text.strip(), plain=True)
    written = Written()
    while found:
        value, end = _value(text, found.end())
        written = _with(written, (found["name"] or found["bare"]).lower(), value)
        found = _KEY.search(text, end)
    return written


def cite_written(
    question: str, written: Written, passages: Sequence[Passage], *, threshold: float
) -> CitedText:
    """Hold every sentence against the passages that were named, and then against the others.

    Lines stay lines, and steps keep their numbers; see ``cite_generated`` for what goes.
    """
    numbers = written.citations or ()
    kept: list[Cited] = []
    dropped: list[str] = []
    for line in (written.answer or "").splitlines():
        mark = _STEP.match(line)
        held = cite_sentences(
            question, _sentences(line[mark.end() :] if mark else line), passages, numbers, threshold=threshold
        )
        dropped += held.dropped
        fresh = [one for one in held.kept if one.sentence not in {known.sentence for known in kept}]
        for place, one in enumerate(fresh):
            lead = f"{mark[1]} " if mark and place == 0 else ""
            kept.append(dataclasses.replace(one, sentence=lead + one.sentence, new_line=place == 0))
    if not kept and is_polar(written.answer or ""):
        kept = _of_question(question, written, passages)
        dropped = [] if kept else dropped
    cited = join_cited(kept)
    there = {passage.number for passage in passages}
    astray = sum(number not in there for number in (*numbers, *markers(written.answer or "")))
    return CitedText(cited.text, cited.citations, tuple(dropped), astray)


def _of_question(question: str, written: Written, passages: Sequence[Passage]) -> list[Cited]:
    """Return a bare yes or no with what the passages that it names say of the question."""
    named = [passage for passage in passages if passage.number in (written.citations or ())]
    support = best_support(question, named)
    return [Cited((written.answer or "").strip(), support)] if support else []


def _sentences(line: str) -> list[str]:
    """Return the sentences of a line; a bare yes or no belongs to the one behind it."""
    sentences = split_generated(line)
    if len(sentences) > 1 and is_polar(without_markers(sentences[0])):
        return [f"{sentences[0]} {sentences[1]}", *sentences[2:]]
    return sentences


def _with(written: Written, key: str, value: str | list[str]) -> Written:
    """Return what was read with a further value; the first of each name counts."""
    items = value if isinstance(value, list) else [value]
    if key == "answer" and written.answer is None:
        return dataclasses.replace(written, answer="\n".join(items).strip())
    if key == "citations" and written.citations is None:
        numbers = tuple(dict.fromkeys(int(n) for item in items for n in re.findall(r"\d{1,3}", item)))
        return dataclasses.replace(written, citations=numbers)
    if key == "unsure" and written.unsure is None:
        return dataclasses.replace(written, unsure=items[0].strip().lower() in _TRUE if items else False)
    return written


def _value(text: str, start: int) -> tuple[str | list[str], int]:
    """Return a value as text, or a list of such, and where it ends."""
    if text[start : start + 1] == "{":  # what counts is in it
        return "", start + 1
    if text[start : start + 1] != "[":
        return _scalar(text, start, _AFTER_VALUE)
    items: list[str] = []
    at = start + 1
    while at < len(text) and text[at] != "]":
        if text[at] in ", \t\r\n":
            at += 1
            continue
        if text[at] == "}" or _KEY.match(text, at):  # the list was never closed
            return items, at
        item, at = _scalar(text, at, _AFTER_ITEM)
        items.append(item)
    return items, at + 1


def _scalar(text: str, start: int, after: re.Pattern[str]) -> tuple[str, int]:
    mark = text[start : start + 1]
    if mark not in ('"', "'"):
        found = _BARE.match(text, start)
        assert found is not None, "it matches nothing as well"
        bare = found[0].strip()
        # a value that is not there yet, or null, says nothing
        return ("" if bare in ("null", "None") else bare), max(found.end(), start + 1)
    at = start + 1
    while at < len(text) and not (text[at] == mark and after.match(text, at + 1)):
        at += 1 + (text[at] == "\\")
    body = text[start + 1 : at]
    if at >= len(text) and (uncut := _UNCUT.match(body)):
        body = uncut[0]
    return _unescaped(body.replace("\\'", "'")), at + 1


def _unescaped(body: str) -> str:
    """Return what stands between two quotation marks; marks and strokes in it may not be escaped."""
    escaped = _ESCAPE.sub(lambda found: found[0] if found[1] else f"\\{found[0]}", body)
    return valid_utf8(str(json.loads(f'"{escaped}"', strict=False)))
