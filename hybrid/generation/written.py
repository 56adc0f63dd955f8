"""Structured output: an answer, its citations and its doubt as JSON, also where it is almost JSON or cut."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass

from hybrid.files import valid_utf8
from hybrid.generation.citations import (
    Cited,
    CitedText,
    Support,
    best_support,
    join_cited,
    markers,
    split_generated,
    windows,
    without_markers,
)
from hybrid.generation.prompts import Passage
from hybrid.generation.quoting import is_polar
from hybrid.text.words import content_words

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
# A sentence is put together from so many places at most.
_PLACES = 3
# So much of what a sentence has of the question must be in each further passage.
_OF_IT = 0.6
_VALUE, _NAME = re.compile(r"\d+(?:\.\d+)?"), re.compile(r"\b(?=\w*\d)(?=\w*[^\W\d])\w+")
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

    As in ``cite_generated``, but for those who take what was asked for granted ("30 days" of "after 7 years")
    and put together what stands in several places: of a sentence, what is not of the question must be in up
    to three stretches and the headings above them. Names such as K300 must be in these passages all the same.
    Lines stay lines, and steps keep their numbers.
    """
    numbers = written.citations or ()
    kept: list[Cited] = []
    dropped: list[str] = []
    for line in (written.answer or "").splitlines():
        step = _STEP.match(line)
        new_line = True
        for sentence in _sentences(line[step.end() :] if step else line):
            plain = without_markers(sentence)
            if not any(letter.isalnum() for letter in plain):
                continue
            lead = f"{step[1]} " if step and new_line else ""
            named = markers(sentence) or numbers
            first, *others = _supports(question, plain, passages, named, threshold) or (None,)
            if first is None:
                dropped.append(plain)
            elif lead + plain not in {cited.sentence for cited in kept}:
                kept.append(Cited(lead + plain, first, new_line, tuple(filter(None, others))))
                new_line = False
    if not kept and is_polar(written.answer or ""):
        kept = _of_question(question, written, passages)
        dropped = [] if kept else dropped
    cited = join_cited(kept)
    there = {passage.number for passage in passages}
    astray = sum(number not in there for number in (*numbers, *markers(written.answer or "")))
    return CitedText(cited.text, cited.citations, tuple(dropped), astray)


def _supports(
    question: str, sentence: str, passages: Sequence[Passage], named: Sequence[int], threshold: float
) -> list[Support]:
    """Return the stretches that bear a sentence out together, the one that has most of it first; none if not.

    Every number that is not of the question must be there, or be the sum or difference of two that are.
    """
    asked, said = _words(question), _words(sentence)
    names = _names(question) & _names(sentence)
    left = wanted = ((said - asked) or said) | names
    stretches = [
        (Support(passage, span, 1.0), _words(text) | above, 0.04 * is_named - 0.05 * (length - 1))
        for passage in passages
        for whole, is_named in [(_above(passage), passage.number in named)]
        for above in [_words(whole) | _names(f"{whole} {passage.text}")]
        if not names or names & above  # what another product weighs is no weight of this one
        for span, text, length in windows(passage)
    ]
    known = [(passage, _words(f"{_above(passage)} {passage.text}")) for passage in passages]
    of_it = [passage for passage, words in known if _share(said & asked, words) >= _OF_IT]
    chosen: list[Support] = []
    there = set[str]()
    while len(chosen) < _PLACES and not _borne_out(left, wanted, threshold):
        # a further place is about the same, or another thing's value would stand for this one's
        adding = [
            stretch
            for stretch in stretches
            if stretch[1] & left and (not chosen or names or stretch[0].passage in of_it)
        ]
        if not adding:
            return []
        best, words, _ = max(adding, key=lambda stretch: len(stretch[1] & left) / len(wanted) + stretch[2])
        chosen.append(best)
        there |= words
        left = left - words
    about = not asked or bool(asked & there)
    return chosen if about and _borne_out(left, wanted, threshold) else []


def _words(text: str) -> set[str]:
    """Return the content words of a text, those of names of fields one by one."""
    return set(content_words(text.replace("_", " ")))


def _names(text: str) -> set[str]:
    """Return the names of letters and digits in a text, such as K300, marked as such."""
    return {f"#{name}" for name in _NAME.findall(text.casefold())}


def _share(words: Set[str], there: Set[str]) -> float:
    return len(words & there) / len(words) if words else 1.0


def _borne_out(left: Set[str], wanted: Set[str], threshold: float) -> bool:
    """Tell whether so few words are left, no number and no name, that the others carry the sentence.

    The sum or the difference of two numbers that are there may be written beside them.
    """
    held = [float(word) for word in wanted - left if _VALUE.fullmatch(word)]
    reckoned = {abs(one + sign * other) for one, other in itertools.combinations(held, 2) for sign in (1, -1)}
    open_ = {
        word
        for word in left
        if not (_VALUE.fullmatch(word) and any(math.isclose(float(word), value) for value in reckoned))
    }
    few = len(open_) <= (1 - threshold) * len(wanted)
    return few and not any(word[0].isdigit() or word[0] == "#" for word in open_)


def _above(passage: Passage) -> str:
    """Return what stands above a passage: its document, the headings, caption and columns of its table."""
    caption, columns = passage.table
    headings = passage.chunk.headings if passage.chunk else (passage.title,)
    return " ".join((passage.source, *headings, caption, *columns))


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
