"""Sentences of a text, those that can be read alone, and those that share most with a question or a claim."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hybrid.text.words import LEANING, STOP_WORDS, rarity, terms
from hybrid.types import CELLS, Span

_SURROGATE = re.compile("[\ud800-\udfff]")
# Indented lines, comments, prompts, items and cells: on one line they would mean something else.
_LINES_MATTER = re.compile(r"\n(?=[ \t]|[#$>|*-]|.* \| )|^[#$>|].*\n|^.* \| .*\n", re.MULTILINE)
_LONGEST = 400
_SPOKEN = re.compile(r"\w")
_MAY = re.compile(r"\bMay\.\s+(?=[A-Z])")
# The splitter takes 5 ms for a block at the worst, and a third of a second for a text of so many marks times
# letters.
_BLOCK, _WHOLE = 4_000, 3 * 10**8
_MARKS = re.compile("[\"'`´“”„‟‘’‚‛«»‹›「」『』()\\[\\]]")
_LEANING_PHRASES = re.compile(
    r"\b(?:this|these|those|such(?! as)|we|our|above|below|previous|following|aforementioned|latter|former|"
    r"preceding|mentioned|see|refer|consult|chapter|example|e\.g\.|i\.e\.|however|as follows)\b",
    re.IGNORECASE,
)
# Listings and prompts are no sentences.
_CODE = re.compile(
    r"(?:^|\n)\s*[#$>%/\[]|^\d{1,2} [A-Z]|[{}|]|[=-]>|==|::| = |\$\(|\"\"\"|\bdef |;$"
    # a short line and then a capital: an entry or a listing, not a paragraph that was wrapped
    r"|(?:^|\n)[^\n]{1,50}[^\n.,:;]\n\s*[A-Z]"
)
# "dpkg is", "createdb creates": a name in small letters, and not the rest of a sentence
_VERB = re.compile(r"\w+s|are|can|will|may|must")
_WORDS = range(6, 36)
# "Serial number: 17-80679", "Seats:": an entry of a form, a line each.
_ENTRY = re.compile(r"(?![^:]*[.!?] )[^\n:|]{1,60}:(?: [^\n]{0,100})?")
_ENTRY_WORDS, _LINE_WORDS = 6, 8


def sentence_spans(text: str) -> list[Span]:
    """Return the sentences of a text, without the white space around them; of lone surrogates too."""
    # half a character, of which a splitter that speaks UTF-8 wants to know nothing; offsets stay
    whole = _SURROGATE.sub("\ufffd", text)
    found: list[Span] = []
    for span in filter(None, (stripped(text, start, end) for start, end in _boundaries(whole))):
        if found and found[-1].end == span.start and not _SPOKEN.search(text, span.start, span.end):
            found[-1] = Span(found[-1].start, span.end)  # signs that close it, as in "~~It stops.~~"
        else:
            found.append(span)
    return found


def _boundaries(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each sentence begins and ends; where marks abound, block by block.

    The splitter is quadratic in quotation marks that do not close, and hears no Ctrl-C. A block begins with a
    sentence, so but for marks left open it is cut as the whole would be; a sentence that fills a block is cut
    at a line or a word.
    """
    from sentencex import get_sentence_boundaries

    start, size = 0, len(text)
    if len(_MARKS.findall(text)) * size > _WHOLE:
        size = _BLOCK
    while start < len(text):
        block = text[start : start + size]
        found = [(one["start_index"], one["end_index"]) for one in get_sentence_boundaries("en", block)]
        if start + len(block) < len(text):
            cut = max(block.rfind("\n"), 0) or max(block.rfind(" "), 0) or len(block)
            # the last one may go on behind the block
            found = found[:-1] or [(0, cut)]
        for begin, end in found:
            # "since May. Staff": no month is short for another one
            cuts = [begin + one.end() for one in _MAY.finditer(block[begin:end])]
            yield from ((start + own, start + last) for own, last in pairwise([begin, *cuts, end]))
        start += max((end for _, end in found), default=len(block))


def stripped(text: str, start: int, end: int) -> Span | None:
    """Return a stretch without the white space around it; None where nothing is left."""
    inner = text[start:end]
    begin, stop = start + len(inner) - len(inner.lstrip()), start + len(inner.rstrip())
    return Span(begin, stop) if begin < stop else None


def pieces(text: str) -> list[Span]:
    """Return sentences; rows of tables, entries of forms, and what is too long for a sentence, by lines."""
    found: list[Span] = []
    start = 0
    for form in [*_forms(text), Span(len(text), len(text))]:
        for span in sentence_spans(text[start : form.start]):
            span = Span(start + span.start, start + span.end)
            if span.end - span.start <= _LONGEST and CELLS not in text[span.start : span.end]:
                found.append(span)
            else:
                found += _lines(text, span)
        found += _lines(text, form)
        start = form.end
    return found


def _lines(text: str, span: Span) -> Iterator[Span]:
    start = span.start
    for line in text[span.start : span.end].split("\n"):
        yield from filter(None, [stripped(text, start, start + len(line))])
        start += len(line) + 1


def _forms(text: str) -> Iterator[Span]:
    """Yield where lines are entries of a form: a name, a colon and a value; few others among them."""
    start, end, entries, others = 0, 0, 0, 0
    # the end of the text ends a form as a line of prose does
    for line in [*_lines(text, Span(0, len(text))), Span(len(text), len(text))]:
        told = text[line.start : line.end] or "."
        is_entry = _ENTRY.fullmatch(told) and len(told.partition(":")[0].split()) <= _ENTRY_WORDS
        if entries and not is_entry and told[0].islower():  # a paragraph that was wrapped
            entries, others = 0, 0
        elif is_entry or (entries and len(told.split()) <= _LINE_WORDS and told[-1] not in ".!?:;,"):
            start = start if entries else line.start
            entries, others = entries + bool(is_entry), others + (not is_entry)
            end = line.end
        else:
            if entries > 1 and entries >= 2 * others:
                yield Span(start, end)
            entries, others = 0, 0


def unwrapped(text: str) -> str:
    """Return prose on one line, which reads better; a listing as it is."""
    return text if _LINES_MATTER.search(text) else " ".join(text.split())


def independent_sentences(text: str, span: Span, *, strict: bool = True) -> Iterator[Span]:
    """Yield sentences of a sensible length that do not lean on the one before them.

    ``span`` is a piece of prose; ``strict`` leaves out also those that point elsewhere in the middle ("this",
    "above").
    """
    for found in sentence_spans(text[span.start : span.end]):
        sentence = Span(span.start + found.start, span.start + found.end)
        inner = text[sentence.start : sentence.end]
        if _stands_alone(inner) and not (strict and _LEANING_PHRASES.search(inner)):
            yield sentence


def _stands_alone(sentence: str) -> bool:
    words = sentence.split()
    if len(words) not in _WORDS or not sentence.rstrip("0123456789 ").endswith("."):
        return False
    first = re.sub(r"\W", "", words[0]).lower()
    if first in LEANING or words[0] in STOP_WORDS or _CODE.search(sentence):
        return False
    if "?" in sentence or (words[0].islower() and words[0].isalpha() and not _VERB.fullmatch(words[1])):
        return False
    return sentence.count("(") == sentence.count(")") and sentence.count("“") == sentence.count("”")


# Names and numbers count for so much more, pairs of neighbours for so much, and a text has so much of what
# those beside it have.
_EMPHASIS, _PAIR, _NEIGHBOUR = 1.3, 0.3, 0.2
# A question has a few dozen; what has thousands is none, and must not fill the memory.
_MOST_FEATURES = 256
_NAME = re.compile(r"(?<=\s)[A-Z]\w+")
_Feature: TypeAlias = str | tuple[str, str]
_Scores: TypeAlias = NDArray[np.float64]


class SharedTerms:
    """Texts that follow each other, and what each has of a question or a claim (lexical retrieval).

    Compared are terms, weighted by their rarity among these texts, and pairs of neighbours; names and numbers
    count for more.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._terms = [terms(text) for text in texts]
        self._holders: dict[str, list[int]] = defaultdict(list)
        for place, found in enumerate(self._terms):
            for term in dict.fromkeys(found):
                self._holders[term].append(place)

    def table(self, asked: str) -> _Scores:
        """Return the weight of each feature of what is asked in each text, shape (features, texts)."""
        weights = self._weights(asked)
        features = sorted(weights, key=lambda feature: -weights[feature])[:_MOST_FEATURES]
        table = np.zeros((len(features), len(self._terms)))
        for row, feature in enumerate(features):
            if places := self._places(feature):
                table[row, places] = weights[feature]
        return table

    def shares(self, asked: str) -> _Scores:
        """Return the share of what any text has each has, from 0 to 1, with a part of its neighbours'."""
        table = self.table(asked)
        return with_neighbours(table.sum(axis=0) / (table.max(axis=1, initial=0.0).sum() or 1.0))

    def _places(self, feature: _Feature) -> Sequence[int]:
        """Return the texts that hold a term, or a pair of terms one behind the other."""
        if isinstance(feature, str):
            return self._holders.get(feature, ())
        one, other = (self._holders.get(term, ()) for term in feature)
        return [place for place in one if place in other and feature in pairwise(self._terms[place])]

    def _weights(self, asked: str) -> dict[_Feature, float]:
        found, emphasised = _asked(asked)
        weights: dict[_Feature, float] = {}
        for term in found:
            rare = rarity(len(self._holders.get(term, ())), len(self._terms))
            weights[term] = rare * (_EMPHASIS if term in emphasised else 1.0)
        for pair in pairwise(found):
            weights[pair] = _PAIR * (weights[pair[0]] + weights[pair[1]]) / 2
        return weights


@lru_cache(maxsize=64)  # one passage after the other is searched for a claim
def _asked(text: str) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the terms of a text, and those of names and numbers."""
    found = tuple(terms(text))
    names = {term for name in _NAME.findall(text) for term in terms(name)}
    return found, frozenset(term for term in found if term in names or term[0].isdigit())


def with_neighbours(scores: _Scores) -> _Scores:
    """Return scores of texts that follow each other with a part of the better neighbour's."""
    padded = np.pad(scores, 1)
    return scores + _NEIGHBOUR * np.maximum(padded[:-2], padded[2:])
