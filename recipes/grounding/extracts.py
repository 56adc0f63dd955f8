"""Extracts of long documents: sentences copied, shortened, joined and re-ordered, rightly and wrongly.

What summaries that copy do, and where they go wrong: a pronoun that stands for somebody else, a subject with
what is said of another, cause and effect turned round, a condition that is lost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from hybrid.files import hash_text
from hybrid.grounding.examples import Label, LabelledClaim
from recipes.grounding.edits.english import lower_first, parts_of, stems, upper_first
from recipes.grounding.making import MADE
from recipes.grounding.prose import Material, read_material

EXTRACT = "extract"
_WINDOW = 40
_PER_DOCUMENT = 12
_ASIDE = re.compile(
    r" \([^()]{3,80}\)|, (?:which|who|where)\b[^,.;]{5,120}(?=[,.])|, including\b[^.;]{5,120}(?=\.)"
)
_OPENING = re.compile(
    r"^(?:In|On|At|During|After|Before|By|For|With|Since|Under|From|However|Therefore|Additionally|Also)\b"
    r"[^,.;]{0,70}, (?=\w)"
)
_CONDITION = re.compile(
    r",? (?:if|unless|except|only (?:if|when)|provided that|but only|as long as)\b[^.;]{8,120}(?=\.$)"
)
_CAUSE = re.compile(r" (because|so that|before|after|until) (?!of\b)")
_PRONOUN = re.compile(r"^(He|She|It|They) (?=\w)")
_LEANS = re.compile(
    r"\b(?:it|its|they|their|them|this|these|those|such|he|she|his|her|him|we|our|you|your|there|here)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class _Said:
    subject: str
    predicate: str
    verb: str
    number: str
    place: int


@dataclass(frozen=True, slots=True)
class _Made:
    text: str
    kind: str
    supported: bool


def extracts(
    documents: Iterable[tuple[str, str]], *, count: int, seed: int, domain: str = "", licence: str = ""
) -> list[LabelledClaim]:
    """Make about so many extracts, half of them supported; the evidence is the document around them.

    The same documents and arguments always give the same examples.

    Args:
        documents: source and text; in English.
        count: of examples, at most.
        seed: of all choices.
        domain: of all examples.
        licence: of the texts.
    """
    generator = np.random.default_rng([seed, 7])
    right: list[LabelledClaim] = []
    wrong: list[LabelledClaim] = []
    for source, text in documents:
        material = read_material(source, text)
        if len(material.claims) < 4:
            continue
        found = list(dict.fromkeys(_of(material, generator)))
        sides = [[one for one in found if one.supported is side] for side in (True, False)]
        least = min(_PER_DOCUMENT, *(len(side) for side in sides))
        for side, kept in zip(sides, (right, wrong), strict=True):
            kept += [_example(material, one, domain, licence) for one in _mixed(side, generator)[:least]]
    half = min(count // 2, len(right))
    drawn = sorted(int(n) for n in generator.permutation(len(right))[:half])
    return [each for n in drawn for each in (right[n], wrong[n])]


def _mixed(made: list[_Made], generator: np.random.Generator) -> list[_Made]:
    """Return them with the kinds in turn: some are far more often to be had than others."""
    order = [made[int(number)] for number in generator.permutation(len(made))]
    turns: Counter[str] = Counter()
    placed: list[tuple[int, int, _Made]] = []
    for number, one in enumerate(order):
        placed.append((turns[one.kind], number, one))
        turns[one.kind] += 1
    return [one for _, _, one in sorted(placed, key=lambda item: item[:2])]


def _example(material: Material, made: _Made, domain: str, licence: str) -> LabelledClaim:
    said = stems(made.text)
    shares = [len(said & there) for there in material.stems]
    middle = int(np.argmax(shares))
    first = max(0, min(middle - _WINDOW // 2, len(material.pieces) - _WINDOW))
    evidence = material.passage(range(first, min(first + _WINDOW, len(material.pieces))))
    return LabelledClaim(
        id=f"{domain or EXTRACT}-{hash_text(material.source, made.text)[:12]}",
        claim=made.text,
        evidence=(evidence,),
        label=Label.SUPPORTED if made.supported else Label.UNSUPPORTED,
        source=material.source,
        domain=domain,
        task=MADE,
        kind="" if made.supported else made.kind,
        unsupported_spans=() if made.supported else None,
        licence=licence,
    )


def _of(material: Material, generator: np.random.Generator) -> Iterator[_Made]:
    texts = [piece.text for piece in material.pieces]
    said = [one for place in material.claims if (one := _said(texts[place], place)) is not None]
    for place in material.claims:
        text = texts[place]
        yield _Made(text, "copied", True)
        yield from _shortened(text)
        yield from _joined(text, texts, place, material, generator)
        yield from _turned(text)
        yield from _fused(text, place, said, generator)
    yield from _resolved(material, said, generator)


def _shortened(text: str) -> Iterator[_Made]:
    short = upper_first(_OPENING.sub("", _ASIDE.sub("", text)))
    if short != text and not _CONDITION.search(text) and parts_of(short):
        yield _Made(short, "shortened", True)
    lost = _CONDITION.sub("", text)
    if lost != text and parts_of(lost):
        yield _Made(lost, "condition lost", False)


def _joined(
    text: str, texts: list[str], place: int, material: Material, generator: np.random.Generator
) -> Iterator[_Made]:
    """Yield two statements of the document as one, in either order."""
    other = int(generator.choice(material.claims))
    if other == place or not (parts_of(text) and parts_of(texts[other])) or _LEANS.search(texts[other]):
        return
    one, two = (text, texts[other]) if generator.random() < 0.5 else (texts[other], text)
    yield _Made(f"{one[:-1]}, and {lower_first(two)}", "joined", True)


def _turned(text: str) -> Iterator[_Made]:
    """Yield cause and effect, before and after, turned round: rightly with the other word, or wrongly."""
    found = _CAUSE.search(text)
    if found is None or "," in text:
        return
    head, tail = text[: found.start()], text[found.end() : -1]
    if len(head.split()) < 4 or len(tail.split()) < 4 or parts_of(upper_first(tail) + ".") is None:
        return
    word = found.group(1)
    if word in ("because", "before", "after"):
        yield _Made(f"{upper_first(word)} {tail}, {lower_first(head)}.", "turned", True)
    yield _Made(f"{upper_first(tail)} {word} {lower_first(head)}.", "turned wrongly", False)


def _fused(text: str, place: int, said: list[_Said], generator: np.random.Generator) -> Iterator[_Made]:
    own = next((one for one in said if one.place == place), None)
    if own is None:
        return
    for number in generator.permutation(len(said))[:10]:
        other = said[int(number)]
        if _differ(own, other) and own.number == other.number:
            yield _Made(f"{own.subject}{other.predicate}", "fused wrongly", False)
            return


def _resolved(material: Material, said: list[_Said], generator: np.random.Generator) -> Iterator[_Made]:
    """Yield sentences whose pronoun is put in words: by the subject before it, or by another."""
    subjects = {one.place: one for one in said}
    for place, piece in enumerate(material.pieces[1:], 1):
        before = subjects.get(place - 1)
        found = _PRONOUN.match(piece.text)
        if before is None or found is None or not piece.text.endswith("."):
            continue
        many = found.group(1) == "They"
        if many != (before.number == "plural"):
            continue
        rest = piece.text[found.end() :]
        yield _Made(f"{before.subject}{rest}", "resolved", True)
        others = [one for one in said if _differ(before, one) and one.number == before.number]
        if others:
            other = others[int(generator.integers(len(others)))]
            yield _Made(f"{other.subject}{rest}", "resolved wrongly", False)


def _differ(one: _Said, other: _Said) -> bool:
    mine, theirs = stems(one.subject), stems(other.subject)
    return bool(mine) and bool(theirs) and not mine & (theirs | stems(other.predicate))


def _said(sentence: str, place: int) -> _Said | None:
    parts = parts_of(sentence)
    if parts is None or not parts.number or not sentence.endswith("."):
        return None
    subject, predicate = sentence[: parts.start], sentence[parts.start :]
    if _LEANS.search(subject) or not stems(subject) or len(predicate.split()) < 4:
        return None
    return _Said(subject, predicate, parts.verb, parts.number, place)
