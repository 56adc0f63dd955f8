"""The stretches of a long sentence that answer, verbatim (sentence compression)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hybrid.generation.asking import Asked, Form
from hybrid.generation.facts import LONGEST
from hybrid.generation.matching import Matcher, expressions, names_held
from hybrid.text.sentences import sentence_spans
from hybrid.types import CELLS, Span

# What is quoted of a sentence that is longer than LONGEST has at least so many words.
_SHORTEST = 6
# Where no stretch is so short, one is quoted that is no more than this share of the sentence.
_SHARE = 0.6
_CUT = "…"
# What each is for stands beside it.
_KEPT, _GOVERNS, _WHOLE, _NAMED, _HANGS, _ANNOUNCED, _BEFORE, _BORDER = expressions("shortening")
_ASIDE = re.compile(r"\s?\([^()]*\)|\s?\[[^\[\]]*\]|\s[–—]\s[^–—;]{3,}?\s[–—](?=\s)")


def quoted(asked: Asked, text: str, around: str, words: Matcher, *, room: int = LONGEST) -> str:
    """Return a quote, or of a long one the stretches that answer, with a sign where something is left out.

    A sentence is cut only where its marks and connecting words part it; what denies or limits stays, and so
    do the names of the question and what else it holds of it. Where nothing else is safe it is quoted whole.

    Args:
        asked: the question.
        text: the sentence on one line, and those that it leans on.
        around: what stands above it, where the names of the question may be.
        words: those of the question.
        room: how many words should be quoted.
    """
    if len(text.split()) <= room or "\n" in text or CELLS in text or text.count(": ") > 2:
        return text
    if asked.form in (Form.CAUSE, Form.PROCEDURE) or asked.several or _WHOLE.search(asked.text):
        return text
    parts = [text[span.start : span.end] for span in sentence_spans(text)]
    # the last one is quoted for its own sake, the others are what it leans on
    for place in reversed(range(len(parts))):
        others = " ".join([*parts[:place], *parts[place + 1 :]])
        left = room - len(others.split())
        parts[place] = _shortest(asked, parts[place], f"{around} {others}", words, left)
    return " ".join(parts)


def _shortest(asked: Asked, text: str, around: str, words: Matcher, room: int) -> str:
    """Return what is quoted of one sentence."""
    length = len(text.split())
    if length <= max(room, _SHORTEST):
        return text
    names = names_held(asked.names, f"{around} {text}")
    held = words.held(f"{around} {text}")
    best: tuple[tuple[float, ...], str] | None = None
    for kept in _ways(asked, text):
        shown = _shown(text, kept)
        size = len(shown.split())
        if not _SHORTEST <= size <= max(room, _SHARE * length):
            continue
        if (
            not words.held(f"{around} {shown}") >= held
            or names_held(asked.names, f"{around} {shown}") != names
        ):
            continue
        worth = _worth(asked, shown, room)
        if best is None or worth > best[0]:
            best = worth, shown
    return best[1] if best else text


def _worth(asked: Asked, shown: str, room: int) -> tuple[float, ...]:
    """Return what speaks for a way to cut, the first reason first."""
    size = len(shown.split())
    kinds = len(asked.wanted.findall(shown)) if asked.wanted else 0
    return float(size <= room), float(kinds), float(size if size <= room else -size)


def _ways(asked: Asked, text: str) -> Iterator[list[Span]]:
    """Yield what can be kept of a sentence, in every way that is safe."""
    inner = [Span(*one.span()) for one in _ASIDE.finditer(text) if not _NAMED.search(asked.text)]
    inner = [
        one
        for one in inner
        for own in [text[one.start : one.end]]
        if not (_KEPT.search(own) or (asked.wanted and asked.wanted.search(own)))
    ]
    ends = [one.start() for one in _BORDER.finditer(text) if _may_end(text, one.start())]
    for end in (len(text), *ends):
        within = [one for one in inner if one.start > 0 and one.end < end]
        if (end, within) == (len(text), []):
            continue
        for cut in ([], within, *([one] for one in within if len(within) > 1)):
            yield _left(end, cut)


def _may_end(text: str, end: int) -> bool:
    """Tell whether a sentence may end there: all marks closed, no word left hanging, no condition cut."""
    kept = text[:end]
    if _KEPT.search(text[end:]) or _HANGS.search(kept) or _GOVERNS.search(kept) or not _balanced(kept):
        return False
    if text[end] == ":" and _ANNOUNCED.search(kept):
        return False
    return not _BEFORE.match(kept) or "," in kept


def _left(end: int, cut: Sequence[Span]) -> list[Span]:
    """Return what is left of a sentence up to an end, without some stretches in it."""
    begin, kept = 0, []
    for one in sorted(cut, key=lambda own: own.start):
        kept.append(Span(begin, one.start))
        begin = one.end
    return [*kept, Span(begin, end)]


def _balanced(text: str) -> bool:
    return all(text.count(a) == text.count(b) for a, b in ("()", "[]", "“”")) and text.count('"') % 2 == 0


def _shown(text: str, kept: Sequence[Span]) -> str:
    """Return stretches of a text with a sign for what lies between and behind them."""
    parts = [text[span.start : span.end].strip(" ,;:–—") for span in kept]
    if len(parts) > 1 and not any(map(str.isalnum, parts[-1])):
        parts = [*parts[:-1], ""]
    said = f" {_CUT} ".join(parts).strip()
    behind = f" {_CUT}" if kept[-1].end < len(text) else ""
    return f"{said}{behind}"
