"""The stretches of a long sentence that answer, verbatim (sentence compression)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product

from hybrid.generation.asking import Asked, Form
from hybrid.generation.facts import LONGEST
from hybrid.generation.matching import Matcher, names_held
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import POINTING
from hybrid.types import CELLS, Span

# What is quoted of a sentence that is longer than LONGEST has at least so many words.
_SHORTEST = 6
# Where no stretch is so short, one is quoted that is no more than this share of the sentence.
_SHARE = 0.6
_CUT = "…"
# What turns a sentence around, or says when and for whom it holds, is never left out.
_KEPT = re.compile(
    r"\b(?:not|no|never|none|nor|neither|cannot|hardly|unless|except\w*|exclud\w+|if|only|provided|until"
    r"|without|but|however|although|though|otherwise|instead|rather|subject to|respectively|alleged\w*"
    r"|reported(?:ly)?|nicht|kein\w*|nie|wenn|falls|außer|nur|ohne|aber|sofern|jedoch)\b|n['’]t\b"
    r"|\bin (?:thousands|millions|billions)\b",
    re.IGNORECASE,
)
# What a condition governs is not cut: "unless A or …".
_GOVERNS = re.compile(
    r"\b(?:unless|except\w*|exclud\w+|if|only|provided|until|without|but not|nor|neither|either|both"
    r"|between|wenn|falls|außer|nur|sofern|entweder)\b",
    re.IGNORECASE,
)
# Nothing is cut where reasons or all of several things are asked for; nor an aside where another name is.
_WHOLE = re.compile(
    r"\b(?:why|due to|reasons?|causes?|caused|factors?|impacts?|effects?|list|warum|wieso|weshalb"
    r"|how (?!much|many|long|often|old|far|tall|high|large|big|soon|heavy)\w+)\b"
    r"|\b(?:what|which) (?:are|were)\b",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"\b(?:(?:an)?other|alternative) (?:term|name|word)|\bstands? for|\b(?:call(?:ed)?|known as|acronym"
    r"|abbreviat\w+|terms?|names?|mean(?:s|ing)?|defin\w+)\b",
    re.IGNORECASE,
)
_AUX = (
    r"(?:is|are|was|were|has|have|had|can|could|may|might|must|will|would|shall|should|does|do|did|became"
    r"|began)"
)
_DOES = rf"(?:{_AUX}|\w{{2,}}ed|\w{{3,}}[^\Ws]s)"
# A stretch does not end with these.
_HANGS = re.compile(
    r"(?:\b(?:of|to|in|on|at|by|for|from|with|as|and|or|the|an?|than|that|which|into|upon|over"
    r"|under|such|through"
    r"|about|within|against|during|among|after|before"
    r"|e\.g\.|i\.e\.|for (?:example|instance)|primarily|mainly|partly|largely|is|are|was|were)|follow\w*"
    r"|below)[\s,:]*$",
    re.IGNORECASE,
)
_ANNOUNCED = re.compile(r"\b(?:follow\w*|below|table|folgend\w*)\b", re.IGNORECASE)
# What begins a sentence with these says nothing before its comma.
_BEFORE = re.compile(
    r"(?:while|although|though|since|as|when|whenever|where|after|before|through|by|because|with|given|if"
    r"|in addition|despite|during|based on|da|weil|obwohl|als|nachdem)\b",
    re.IGNORECASE,
)
# Where a sentence may end before its end.
_BORDER = re.compile(
    r";\s|\s[–—-]\s|(?<=[^\W\d])—(?=[^\W\d])|:\s"
    r"|,\s(?=(?:and|or|so|while|whereas|which|who|whom|whose|where|when|as|because|since|with|including"
    r"|such|due|compared|primarily|mainly|partly|especially|particularly|like|even|based|thus|then|from|in"
    r"|on|at|by|for|after|before|during|to|under|among|along|together|resulting|making|e\.g|i\.e|und|oder"
    r"|wobei|die|der|das|da|weil|\w{3,}ing|\w{3,}ed|an?|the)\b)"
    r"|\s(?=(?:because|which|whereas|while|so that|in order to|such as|including|due to|thanks to"
    r"|as well as|(?:primarily|mainly|largely|partly) due|and then|and (?:therefore|thus|also)"
    rf"|and (?:{_AUX}|\w{{2,}}ed))\b)",
    re.IGNORECASE,
)
_ASIDE = re.compile(r"\s?\([^()]*\)|\s?\[[^\[\]]*\]|\s[–—]\s[^–—;]{3,}?\s[–—](?=\s)")
_BESIDE = re.compile(
    r",\s(?:which|who|whose|where|including|such as|along with|together with|as well as|an?|the|known|named"
    rf"|called|based|located|founded|born)\b[^,;:]{{3,}},(?=\s{_DOES}\b)",
    re.IGNORECASE,
)
# Where one may begin, if what follows has a subject of its own.
_HEAD = re.compile(r";\s|,\s(?:and|while|whereas|und)\s")
_SUBJECT = re.compile(
    r"(?:the|an?|each|every|all|most|some|any|(?-i:[A-Z])[\w'’-]+|\d[\d,.]*)\b"
    rf"(?:\s[\w'’%$-]+){{0,7}}?\s(?:{_AUX}|\w{{2,}}ed)\b",
    re.IGNORECASE,
)


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
    inner += [
        own
        for one in _BESIDE.finditer(text)
        for own in [Span(*one.span())]
        if not any(own.start < other.end and other.start < own.end for other in inner)
    ]
    inner = [
        one
        for one in inner
        for own in [text[one.start : one.end]]
        if not (_KEPT.search(own) or (asked.wanted and asked.wanted.search(own)))
    ]
    ends = [one.start() for one in _BORDER.finditer(text) if _may_end(text, one.start())]
    begins = [one.end() for one in _HEAD.finditer(text) if _may_begin(text, one.end())]
    for begin, end in product([0, *begins], [len(text), *ends]):
        within = [one for one in inner if begin < one.start and one.end < end]
        if begin >= end or (begin, end, within) == (0, len(text), []):
            continue
        for cut in ([], within, *([one] for one in within if len(within) > 1)):
            yield _left(begin, end, cut)


def _may_end(text: str, end: int) -> bool:
    """Tell whether a sentence may end there: all marks closed, no word left hanging, no condition cut."""
    kept = text[:end]
    if _KEPT.search(text[end:]) or _HANGS.search(kept) or _GOVERNS.search(kept) or not _balanced(kept):
        return False
    if text[end] == ":" and _ANNOUNCED.search(kept):
        return False
    return not _BEFORE.match(kept) or "," in kept


def _may_begin(text: str, begin: int) -> bool:
    """Tell whether one may begin there: with a subject of its own, and nothing that leans on before."""
    left, kept = text[:begin], text[begin:]
    if _KEPT.search(left) or not _balanced(left) or not _SUBJECT.match(kept):
        return False
    return POINTING.isdisjoint(re.findall(r"\w+", kept.lower()))


def _left(begin: int, end: int, cut: Sequence[Span]) -> list[Span]:
    """Return what is left of a stretch without some in it."""
    kept: list[Span] = []
    for one in sorted(cut, key=lambda own: own.start):
        kept.append(Span(begin, one.start))
        begin = one.end
    return [*kept, Span(begin, end)]


def _balanced(text: str) -> bool:
    return all(text.count(a) == text.count(b) for a, b in ("()", "[]", "“”")) and text.count('"') % 2 == 0


def _shown(text: str, kept: Sequence[Span]) -> str:
    """Return stretches of a text with a sign for what lies before, between and behind them."""
    parts = [text[span.start : span.end].strip(" ,;:–—") for span in kept]
    if len(parts) > 1 and not any(map(str.isalnum, parts[-1])):
        parts = [*parts[:-1], ""]
    said = f" {_CUT} ".join(parts).strip()
    before = f"{_CUT} " if kept[0].start else ""
    behind = f" {_CUT}" if kept[-1].end < len(text) else ""
    return f"{before}{said}{behind}"
