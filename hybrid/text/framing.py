"""How a sentence puts what it says: denied, asked, supposed, reported or past (veridicality)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import islice

from hybrid.text.words import common_parts, either, expressions, listed
from hybrid.types import Span


class Stance(StrEnum):
    """What a sentence does with what it says, instead of asserting it; ``affirmed`` asserts it at length."""

    AFFIRMED = "affirmed"
    DENIED = "denied"
    ASKED = "only asked"
    SUPPOSED = "only supposed"
    CONDITIONAL = "only on a condition"
    REPORTED = "only reported"
    PAST = "no longer so"


@dataclass(frozen=True, slots=True)
class Frame:
    """The words that put something so, and the stretch of the sentence that they are about.

    ``whose`` is what alone it is said of, where the sentence says another thing of another one.
    """

    stance: Stance
    marker: Span
    scope: Span
    whose: Span | None = None


# as far before a "not" stands its verb
_NEAR = 40
# no sentence has more, and each is searched from
_MOST_CONDITIONS = 8
_ITEM = re.compile(r"\s*(?:[-*•+]|\(?\d{1,3}[.)])\s")
# what is struck out stands between two
_STRIKE = re.compile(r"(?<!~)~~(?!~)")


class _Reach(StrEnum):
    """What a marker is about: what stands behind or before it, up to a comma, its clause, or all."""

    BEHIND = "behind"
    CLAUSE = "clause"
    COMMA = "up to a comma"
    BEFORE = "before"
    ALL = "all"


_TOLD = expressions("text", "framing")
_ENDS = {_Reach.BEHIND: _TOLD["turn"], _Reach.CLAUSE: _TOLD["clause"], _Reach.COMMA: _TOLD["comma"]}
# What a marker that may deny does is told by its words.
_MARKERS = [
    (
        re.compile(either(one["says"], common_parts("text")), re.IGNORECASE),
        _Reach(one["reach"]),
        Stance(one["stance"]) if "stance" in one else None,
    )
    for one in listed("text")["markers"]
]


@lru_cache(maxsize=1 << 12)  # a claim is compared with many sentences, and they with many claims
def frames(sentence: str) -> tuple[Frame, ...]:
    """Return what puts the sentence, or a part of it, so; nothing of one that plainly asserts.

    By lists of words, English only. What reaches to the end of a sentence ends at a "but".
    """
    found = list(dict.fromkeys(_frames(sentence)))
    # "it is not a myth that" is one marker, not also "myth that"
    return tuple(one for one in found if not any(_within(one.marker, other.marker) for other in found))


@dataclass(frozen=True, slots=True)
class Framed:
    """A sentence and what puts it so, in itself and in the sentence behind it."""

    text: str
    frames: tuple[Frame, ...]

    @property
    def core(self) -> str:
        """Return the sentence with blanks for the words that put it so."""
        return without(self.text, self.frames)


def framed(sentences: Sequence[str]) -> list[Framed]:
    """Return sentences that stand one behind the other with what puts each of them so."""
    found: list[Framed] = []
    struck, listed = _struck(sentences), False
    for place, text in enumerate(sentences):
        if (
            place
            and _TOLD["neither_is"].fullmatch(text)
            and not (_TOLD["same"].search(text) or answered(text))
        ):
            text = f"{sentences[place - 1].rstrip(' .!')}; {text}"
        own = (*frames(text), *struck.get(place, ()))
        listed = listed and (
            _ITEM.match(text) is not None or _TOLD["myths"].fullmatch(sentences[place - 1]) is not None
        )
        if listed:
            own = (*own, Frame(Stance.DENIED, Span(0, 0), Span(0, len(text))))
        listed = listed or _TOLD["myths"].fullmatch(text) is not None
        then = answered(sentences[place + 1]) if place + 1 < len(sentences) else None
        if then is None and place + 1 < len(sentences) and _TOLD["doubted"].match(sentences[place + 1]):
            own = (*own, Frame(Stance.ASKED, Span(len(text), len(text)), Span(0, len(text))))
        if then is Stance.AFFIRMED:
            own = tuple(one for one in own if one.stance not in (Stance.ASKED, Stance.REPORTED))
        elif then is Stance.DENIED:
            own = (*own, Frame(then, Span(len(text), len(text)), Span(0, len(text))))
        found.append(Framed(text, own))
    return found


def _struck(sentences: Sequence[str]) -> dict[int, tuple[Frame, ...]]:
    """Return what is struck out, between two ``~~``, of each sentence that has any."""
    signs = [(place, found.end()) for place, text in enumerate(sentences) for found in _STRIKE.finditer(text)]
    struck: dict[int, tuple[Frame, ...]] = {}
    for (first, start), (last, end) in zip(signs[::2], signs[1::2], strict=False):
        for place in range(first, last + 1):
            begins = start if place == first else 0
            ends = end - 2 if place == last else len(sentences[place])
            frame = Frame(Stance.DENIED, Span(begins, begins), Span(begins, ends))
            struck[place] = (*struck.get(place, ()), frame)
    return struck


def without(sentence: str, found: Sequence[Frame]) -> str:
    """Return a sentence with blanks for the markers of frames, so that all else stands where it stood."""
    for one in found:
        start, end = one.marker.start, one.marker.end
        sentence = sentence[:start] + " " * (end - start) + sentence[end:]
    return sentence


def answered(following: str) -> Stance | None:
    """Return what a sentence makes of the one before it ("No.", "This is false."), if it begins so."""
    found = _TOLD["follows"].match(following)
    return None if found is None else _denied(found.group())


def _frames(text: str) -> Iterator[Frame]:
    for pattern, reach, stance in _MARKERS:
        for found in pattern.finditer(text):
            marker = Span(*found.span())
            of_itself = (
                "of_that" in found.re.groupindex
                and found["of_that"]
                and not _TOLD["that"].search(text[: marker.start])
            )
            if not of_itself and not (stance is Stance.PAST and _is_for(text, marker)):
                scope, whose = _scope(text, marker, reach), _whose(text, marker)
                yield Frame(stance or _denied(found.group()), marker, scope, whose)
    if asked := _TOLD["question"].search(text):
        yield Frame(Stance.ASKED, Span(asked.end(), asked.end()), Span(0, len(text)))
    for found in islice(_TOLD["condition"].finditer(text), _MOST_CONDITIONS):
        before = text[: found.start()].rstrip(" \t\n\"'“(*_#-")
        comma = _TOLD["comma"].search(text, found.end())
        middle = comma.start() if comma else len(text)
        # "if A, B", and "B if A", and "B, if A"
        is_ahead = not before or (before[-1] == "," and comma)
        then = Span(middle, len(text)) if is_ahead else Span(0, found.start())
        for half in (Span(found.end(), middle), then):
            yield Frame(Stance.CONDITIONAL, Span(*found.span()), half)


def _scope(text: str, marker: Span, reach: _Reach) -> Span:
    if reach is _Reach.ALL:  # what another clause says is apart: "it made shoes once; it makes tyres"
        behind = text.find(";", marker.end)
        return Span(text.rfind(";", 0, marker.start) + 1, len(text) if behind < 0 else behind)
    if reach is _Reach.BEFORE:
        return Span(0, marker.start)
    ends = _ENDS[reach].search(text, marker.end)
    begins = marker.end
    if reach is _Reach.CLAUSE:
        begins = max((one.end() for one in _ENDS[reach].finditer(text, 0, marker.start)), default=0)
    return Span(begins, ends.start() if ends else len(text))


def _whose(text: str, marker: Span) -> Span | None:
    """Return the subject of its own, if any, of a verb that a "not" at the very end denies."""
    last = _TOLD["not_at_end"].search(text, max(marker.start - _NEAR, 0)) if marker.end == len(text) else None
    if last is None:
        return None
    first = _TOLD["verb"].search(text, 0, last.start())
    begins = _TOLD["part"].search(text, first.end() if first else 0, last.start())
    if begins is None or _TOLD["same"].search(text[begins.end() : last.start()]):
        return None
    return Span(begins.end(), last.start())


def _is_for(text: str, marker: Span) -> bool:
    """Tell whether "used to" says what for: of what is, or was, used."""
    apart = text[: marker.start] + " " + text[marker.end :]
    return text[marker.start : marker.end].lower().startswith("used") and bool(_TOLD["being"].search(apart))


def _within(inner: Span, outer: Span) -> bool:
    return (
        inner != outer and outer.start <= inner.start and inner.end <= outer.end and inner.start < inner.end
    )


def _denied(marker: str) -> Stance:
    return Stance.DENIED if len(_TOLD["negative"].findall(marker)) % 2 else Stance.AFFIRMED
