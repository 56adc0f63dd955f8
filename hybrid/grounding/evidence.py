"""Evidence for claims: the stretches of a passage that could carry a claim (sentence retrieval)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import UsageError
from hybrid.grounding.values import Excerpt, Pair
from hybrid.text.folding import legible
from hybrid.text.framing import Framed, framed
from hybrid.text.sentences import SharedTerms, pieces, with_neighbours
from hybrid.text.words import NEGATORS, count_words, tokens, word_set, word_spans
from hybrid.types import Span

# Of a passage a claim gets so many single sentences, a window of each length up to the second number, and one
# selection of so many sentences joined; fewer where sentences share no word with it. A scorer of 30 pairs a
# second then needs a fifth of a second for a claim and a passage at the most. The selection holds all of a
# gold set for 70 % of the claims of WiCE dev, some candidate for 74 %; single sentences are for scorers that
# lose a claim among others, and for showing where it stands.
_SENTENCES, _WINDOW, _JOINED = 3, 3, 5
_SEEN = 0.7
# A window is aimed at this share of the room, for tokens are not spread evenly; the next one begins after
# this share of it, so that a sentence shorter than a quarter of a window stands whole in one of them.
_FILL = 0.8
_STEP = 0.75
# A border is moved by at most this part of a window to fall between two words.
_REACH = 16
# The least that a claim must leave for its evidence.
_LEAST_ROOM = 16
_BOUNDS = frozenset(("", *",;:.!()–—-"))
_HANGING = NEGATORS | word_set(
    """
    if when whenever unless until lest whether although though because since except only than as while before
    after that who which whom whose where why how said says say claimed claims according both either or but
    """
)


def _apart(text: str) -> str:
    """Return the words of a text, each between two spaces."""
    return " ".join(["", *tokens(text), ""])


class SearchedPassage:
    """A passage cut into sentences, ready to be searched for many claims.

    What is proposed depends on this passage alone, so a passage more never takes a candidate away. Nothing is
    truncated: a sentence that is longer than a scorer reads is cut into overlapping stretches, and a passage
    that a scorer reads whole is itself a candidate.

    Sentences are ranked by the claim's terms in them, weighted by their rarity *within the passage*. Names,
    numbers and pairs of neighbours count for more; a part of the score of the sentences beside is added, for
    a claim often takes its subject from the one before; what a chosen sentence holds counts for less in those
    chosen after it, so several together cover a claim that no single one does. On WiCE dev (319 claims with
    gold evidence in pages of 83 sentences in the median) recall among the first five is .83 of the smallest
    gold set and .88 of the best one, .80 and .86 without these parts; on its 374 training claims it is .83
    and .90 with and without them. The weights were chosen on both, where those nearby give the same to .01.
    ``max_words`` is what the scorer reads whole; no candidate is longer.
    """

    def __init__(self, text: str, *, max_words: int) -> None:
        self.text = text
        self._max_words = max(max_words, 1)
        counted = list(_units(text, self._max_words))
        self.units = [unit for unit, _ in counted]
        self._words = np.array([words for _, words in counted], dtype=np.int64)
        self._shown = [legible(text[unit.start : unit.end]).text for unit in self.units]
        self._tokens = [_apart(each) for each in self._shown]
        self._shared = SharedTerms(self._shown)

    def best(self, claim: str, count: int) -> list[Span]:
        """Return up to so many sentences that share something with a claim, the best first."""
        return [self.units[place] for place in self._ranked(claim, self._shared.table(claim), count)]

    def candidates(self, claim: str, number: int = 0) -> list[Excerpt]:
        """Return what could carry the claim; nothing only of a passage without a word.

        ``number`` is which of the given passages this one is.
        """
        if not self.units:
            return []
        table = self._shared.table(claim)
        ranked = self._ranked(claim, table, max(_SENTENCES, _JOINED))
        chosen = [(place, place) for place in ranked[:_SENTENCES]]
        chosen += self._windows(table)
        stretches = [self._between(first, last) for first, last in chosen]
        stretches.append(self._joined(ranked[:_JOINED] or range(min(_JOINED, len(self.units)))))
        return [self._evidence(number, spans) for spans in dict.fromkeys(stretches)]

    def excerpt(self, claim: str, number: int, count: int) -> Excerpt:
        """Return up to so many of the best sentences together, in their order; the first ones of no use."""
        ranked = self._ranked(claim, self._shared.table(claim), count) or range(min(count, len(self.units)))
        return self._evidence(number, tuple(self.units[place] for place in sorted(ranked)))

    def saying(self, claim: str) -> frozenset[int]:
        """Return the places of sentences that say a claim word by word, all of them or a clause by itself."""
        return frozenset(place for place in self._holding(claim) if _is_clause(claim, self.framed[place]))

    def places(self, evidence: Excerpt) -> list[int]:
        """Return the places of the sentences of an excerpt."""
        return [
            place
            for place, unit in enumerate(self.units)
            if any(span.start <= unit.start and unit.end <= span.end for span in evidence.spans)
        ]

    @cached_property
    def framed(self) -> list[Framed]:
        """Return the sentences with what puts them so, by what stands behind each as well."""
        return framed(self._shown)

    def _ranked(self, claim: str, table: NDArray[np.float64], count: int) -> list[int]:
        """Return places of sentences: one that says the claim word by word, then greedily what adds most."""
        chosen = self._holding(claim)[: min(count, 1)]
        left = np.ones(len(table))
        for place in chosen:
            left[table[:, place] > 0] *= _SEEN
        while len(chosen) < count:
            scores = left @ table
            ranking = with_neighbours(scores)
            ranking[chosen] = 0.0
            place = int(ranking.argmax()) if len(ranking) else 0
            if not len(ranking) or ranking[place] <= 0.0:
                break
            chosen.append(place)
            left[table[:, place] > 0] *= _SEEN
        return chosen

    def _holding(self, claim: str) -> list[int]:
        """Return the places of sentences that hold a claim's words in their order, the shortest first."""
        wanted = _apart(claim)
        there = [place for place, words in enumerate(self._tokens) if wanted.strip() and wanted in words]
        return sorted(there, key=lambda place: len(self._tokens[place]))

    def _windows(self, table: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
        """Yield the best window of each length that covers more of the claim than the shorter ones."""
        if not len(table):
            return
        covered = table
        words = self._words
        best = float(table.sum(axis=0).max())
        for length in range(2, min(_WINDOW, len(self.units)) + 1):
            covered = np.maximum(covered[:, :-1], table[:, length - 1 :])
            words = words[:-1] + self._words[length - 1 :]
            scores = np.where(words <= self._max_words, covered.sum(axis=0), 0.0)
            first = int(scores.argmax())
            if scores[first] > best:
                best = float(scores[first])
                yield first, first + length - 1

    def _joined(self, ranked: Sequence[int]) -> tuple[Span, ...]:
        """Return the whole passage if it fits, else the best sentences that fit together, in their order."""
        if self._words.sum() <= self._max_words:
            return self._between(0, len(self.units) - 1)
        kept: list[int] = []
        room = self._max_words
        for place in ranked:
            if self._words[place] <= room:
                room -= int(self._words[place])
                kept.append(place)
        spans: list[Span] = []
        for place in sorted(kept):
            unit = self.units[place]
            if spans and (place - 1 in kept or unit.start <= spans[-1].end):
                spans[-1] = Span(spans[-1].start, unit.end)
            else:
                spans.append(unit)
        return tuple(spans)

    def _between(self, first: int, last: int) -> tuple[Span, ...]:
        return (Span(self.units[first].start, self.units[last].end),)

    def _evidence(self, number: int, spans: tuple[Span, ...]) -> Excerpt:
        text = " ".join(self.text[span.start : span.end] for span in spans)
        return Excerpt(number, spans, legible(text).text)


def _is_clause(claim: str, sentence: Framed) -> bool:
    """Tell whether words are all of a sentence, or stand between its marks with nothing that they hang on."""
    pattern = r"\W+".join(map(re.escape, tokens(claim)))
    # "200 people" is no clause of "1,200 people", nor "costs 5" of "costs 5.3"
    for found in re.finditer(
        rf"(?<!\w)(?<!\d[.,])(?<![-−–](?=\d)){pattern}(?!\w|[.,–-]\d)", sentence.text, re.IGNORECASE
    ):
        before, behind = sentence.text[: found.start()].rstrip(), sentence.text[found.end() :].lstrip()
        rest = set(tokens(f"{before} {behind}"))
        if not rest:
            return True
        bounded = before[-1:] in _BOUNDS and behind[:1] in _BOUNDS
        if bounded and not sentence.frames and not rest & _HANGING:
            return True
    return False


def _units(text: str, max_words: int) -> Iterator[tuple[Span, int]]:
    """Yield sentences, and what is too long for one in stretches that overlap by half; with their words."""
    for span in pieces(text):
        if not any(character.isalnum() for character in text[span.start : span.end]):
            continue
        count = count_words(text, span)
        if count <= max_words:
            yield span, count
            continue
        words = word_spans(text, span)
        step = max(max_words // 2, 1)
        for first in range(0, len(words) - max_words + step, step):
            last = min(first + max_words, len(words)) - 1
            yield Span(words[first].start, words[last].end), last - first + 1


def cut_pair(pair: Pair, length: Callable[[Pair], int], limit: int) -> list[Pair]:
    """Return the pair, or one for each window of its evidence; the claim is always whole.

    ``length`` is how long a pair is as the model reads it, ``limit`` what the model takes.

    Raises:
        UsageError: the claim leaves no room for evidence.
    """
    if length(pair) <= limit:
        return [pair]
    alone = length(Pair("", pair.claim))
    if limit - alone < _LEAST_ROOM:
        raise UsageError(
            f"a claim takes {alone} of the {limit} tokens that the scorer reads, which leaves no room for "
            "evidence",
            hint="split the claim: one sentence at a time",
        )
    spans = windows(pair.evidence, lambda text: length(Pair(text, pair.claim)) - alone, limit - alone)
    return [Pair(pair.evidence[span.start : span.end], pair.claim) for span in spans]


def windows(text: str, length: Callable[[str], int], room: int, span: Span | None = None) -> list[Span]:
    """Return overlapping stretches that together are the whole text, each no longer than the room.

    ``length`` is how long a text is, such as its number of tokens, ``room`` the greatest length; a single
    letter is kept even if it is longer. ``span`` is the part of the text that is cut, all of it without one.
    """
    low, high = (0, len(text)) if span is None else (span.start, span.end)
    size, found = high - low, length(text[low:high])
    if found <= room or size < 2:
        return [Span(low, high)]
    # shorter than the whole, whatever is measured, so that cutting comes to an end
    width = min(max(int(size * _FILL * room / found), 1), size - 1)
    step, reach = max(int(width * _STEP), 1), width // _REACH
    parts: list[Span] = []
    for start in range(low, high, step):
        end = min(start + width, high)
        # between two words, if there is a place near
        before = range(start, max(start - reach, low) - 1, -1)
        behind = range(end, min(end + reach, high) + 1)
        first = next((at for at in before if at == 0 or text[at - 1].isspace()), start)
        last = next((at for at in behind if at == len(text) or text[at].isspace()), end)
        piece = Span(first, last) if last - first < size else Span(start, end)
        parts.extend(windows(text, length, room, piece))
        if end == high:
            break
    return parts
