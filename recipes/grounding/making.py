"""Labelled minimal pairs from documents: a claim that its evidence carries, and one that it does not.

Takes documents as texts, gives examples: sentences of running text, word for word or reworded, with a
window of the document as evidence; beside each the same with an edit, or with its evidence taken away. Both
of a pair are made from the same words, the rarest kind of edit first, and of the edited ones so many are
kept that each range of word overlap holds as many of both labels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from hybrid.errors import UsageError
from hybrid.files import hash_text
from hybrid.grounding.examples import Label, LabelledClaim
from hybrid.questions.splits import unit_hash
from hybrid.types import Span
from recipes.grounding.edits import Edit, Kind, Surroundings, edit
from recipes.grounding.leaks import equalise
from recipes.grounding.paraphrases import merged, paraphrase
from recipes.grounding.prose import Material, read_material

# The task of what was made.
MADE = "made"
# What is done to the evidence instead of the claim.
DELETED = "deleted evidence"
DISTRACTOR = "distractor"
EDITS = tuple(kind.value for kind in Kind)
KINDS = (*EDITS, DELETED, DISTRACTOR)

_LONGEST_WINDOW = 12
_MERGED = 0.15
_VERBATIM = 0.25
_CROSSED = 0.4
_MOST_STEPS = 8
_EXTRA_PASSAGES = 0.3
_PER_VISIT = 8
_OTHERS = 4
_SENTENCES_OF_ANOTHER = 30
# Another sentence that holds so much of a claim may carry it, and so may several together that hold more.
_CARRIES = 0.5
_CARRY_TOGETHER = 0.75


class Pair(NamedTuple):
    """A supported claim and what was made of it."""

    right: LabelledClaim
    wrong: LabelledClaim


@dataclass(frozen=True, slots=True)
class _Base:
    """What a pair is made of: the text, the places of its sentences, and the passages around it."""

    id: str
    text: str
    places: tuple[int, ...]
    passages: tuple[str, ...]


def make_examples(
    documents: Iterable[tuple[str, str]],
    *,
    count: int,
    seed: int,
    domain: str = "",
    licence: str = "",
    kinds: Sequence[str] = KINDS,
    taken_away: float = 0.15,
) -> list[LabelledClaim]:
    """Make up to so many examples, half of them supported; both of a pair have the same id up to the "/".

    The same documents and arguments always give the same examples. Fewer come back if the documents have no
    more sentences that the rules are sure of. Claims whose evidence was taken away share few words with what
    is left, so no supported claim is like them: they are kept whatever their overlap.

    Args:
        documents: source and text; in English, other texts give nothing.
        count: of examples.
        seed: of all choices.
        domain: of all examples.
        licence: of the texts.
        kinds: of edits, from ``KINDS``.
        taken_away: the share of pairs whose evidence is taken away, from 0 to 1.

    Raises:
        UsageError: a count below 2, a kind that is none, or a share out of range.
    """
    if count < 2 or not kinds or not set(kinds) <= set(KINDS) or not 0 <= taken_away <= 1:
        raise UsageError(
            f"{count} examples of the kinds {', '.join(kinds) or 'none'}, {taken_away} of them without their "
            f"evidence: expected 2 or more, of {', '.join(KINDS)}, and a share from 0 to 1"
        )
    read = [material for source, text in documents if (material := read_material(source, text)).claims]
    maker = _Maker(read, seed=seed, domain=domain, licence=licence, kinds=tuple(kinds))
    without = set(kinds) - set(EDITS)
    share = taken_away if without and set(kinds) & set(EDITS) else float(bool(without))
    edited: list[LabelledClaim] = []
    bare: list[LabelledClaim] = []
    kept: list[LabelledClaim] = []
    wanted = count - round(count * share)
    for pair in maker.pairs(share):
        (bare if pair.wrong.kind in without else edited).extend(pair)
        # what overlap gives away is dropped, so whether there are enough shows only now and then
        if (
            len(bare) >= count - wanted
            and len(edited) >= wanted
            and len(edited) % max(wanted // 4 * 2, 2) == 0
        ):
            kept = equalise(edited, seed=seed)
            if len(kept) >= wanted:
                break
    kept = _drawn(equalise(edited, seed=seed), wanted)
    # a small set keeps its share of them too: they are what overlap tells apart
    away = count if share == 1 else round(len(kept) * share / (1 - share))
    return kept + bare[: min(away, count) // 2 * 2]


def _drawn(examples: Sequence[LabelledClaim], count: int) -> list[LabelledClaim]:
    """Return half as many of each label as asked for, as good as at random, and most pairs whole."""

    def drawn_by(example: LabelledClaim) -> float:
        return unit_hash("drawn", example.id.partition("/")[0])

    sides = ([example for example in examples if example.supported == side] for side in (True, False))
    kept = {example.id for side in sides for example in sorted(side, key=drawn_by)[: count // 2]}
    return [example for example in examples if example.id in kept]


def _holds(passages: Sequence[str], made: Edit) -> bool:
    """Tell whether the passages say what was appended: they may come from the same place."""
    new = " ".join(made.text[span.start : span.end] for span in made.spans)
    return Surroundings(tuple(passages)).share_held(new) >= _CARRY_TOGETHER


class _Maker:
    """Makes pairs, and keeps count of the kinds so that the rarest is tried first."""

    def __init__(
        self, documents: Sequence[Material], *, seed: int, domain: str, licence: str, kinds: tuple[str, ...]
    ) -> None:
        self._documents = documents
        self._seed = seed
        self._domain = domain
        self._licence = licence
        self._made = Counter(dict.fromkeys(kinds, 0))
        self._generator = np.random.default_rng([seed, 1])

    def pairs(self, taken_away: float) -> Iterator[Pair]:
        """Yield pairs, some of each document in turn, until the documents are used up."""
        order = [int(place) for place in self._generator.permutation(len(self._documents))]
        queues = {place: list(self._generator.permutation(self._documents[place].claims)) for place in order}
        while queues:
            for place in list(queues):
                document = self._documents[place]
                around = self._surroundings(document)
                for _ in range(min(_PER_VISIT, len(queues[place]))):
                    bare = self._generator.random() < taken_away
                    kinds = [kind for kind in self._made if (kind not in EDITS) == bare]
                    pair = self._pair(document, around, int(queues[place].pop()), kinds)
                    if pair:
                        yield pair
                if not queues[place]:
                    del queues[place]

    def _surroundings(self, document: Material) -> Surroundings:
        """Return the document, and sentences of a few others."""
        others: list[str] = []
        for number in self._generator.integers(len(self._documents), size=_OTHERS):
            other = self._documents[int(number)]
            if other.source != document.source:
                others += [other.pieces[place].text for place in other.claims[:_SENTENCES_OF_ANOTHER]]
        return Surroundings(tuple(piece.text for piece in document.pieces), tuple(others))

    def _pair(
        self, document: Material, around: Surroundings, place: int, kinds: Sequence[str]
    ) -> Pair | None:
        base = self._base(document, place)
        draws = self._generator.random(2)
        steps = 0 if draws[0] < _VERBATIM else int(self._generator.integers(1, _MOST_STEPS + 1))
        reworded = paraphrase(base.text, seed=self._seed, steps=steps)
        # else the wording alone would tell, a paraphrase being wrong more often than a copy; a base that was
        # longer than its paraphrase would tell by its length
        crossed = draws[1] < _CROSSED and len(reworded.split()) >= len(base.text.split())
        text = base.text if crossed else reworded
        ties = self._generator.permutation(len(kinds))
        for _, _, kind in sorted(
            (self._made[kind], int(tie), kind) for kind, tie in zip(kinds, ties, strict=True)
        ):
            wrong = (
                self._edited(document, around, base, text, Kind(kind))
                if kind in EDITS
                else self._without_evidence(document, base, text, kind)
            )
            if wrong is not None:
                self._made[kind] += 1
                return Pair(self._example(document, base, reworded, Label.SUPPORTED, "", ()), wrong)
        return None

    def _base(self, document: Material, place: int) -> _Base:
        text = document.pieces[place].text
        places: tuple[int, ...] = (place,)
        following = place + 1
        if self._generator.random() < _MERGED and following in document.claims:
            joined = merged(text, document.pieces[following].text)
            if joined is not None:
                text, places = joined, (place, following)
        identity = hash_text(document.source, str(place), str(self._seed))[:12]
        return _Base(f"{self._domain or 'made'}-{identity}", text, places, self._passages(document, places))

    def _passages(
        self, document: Material, places: tuple[int, ...], without: frozenset[int] = frozenset()
    ) -> tuple[str, ...]:
        """Return a window around the places, sometimes among other passages, in any order."""
        length = int(self._generator.integers(len(places), _LONGEST_WINDOW + 1))
        first = max(0, places[-1] - int(self._generator.integers(len(places) - 1, length)))
        window = range(first, min(first + length, len(document.pieces)))
        passages = [document.passage([number for number in window if number not in without])]
        if self._generator.random() < _EXTRA_PASSAGES:
            passages += self._others(document, {*window, *places, *without})
        order = self._generator.permutation(len(passages))
        return tuple(passages[int(number)] for number in order if passages[int(number)])

    def _others(self, document: Material, taken: set[int]) -> Iterator[str]:
        """Yield one to three passages of this document or another."""
        for _ in range(int(self._generator.integers(1, 4))):
            other = document
            if self._generator.random() < 0.5:
                other = self._documents[int(self._generator.integers(len(self._documents)))]
            start = int(self._generator.integers(len(other.pieces)))
            stop = min(start + int(self._generator.integers(1, _LONGEST_WINDOW // 2)), len(other.pieces))
            same = other.source == document.source
            yield other.passage([number for number in range(start, stop) if not (same and number in taken)])

    def _edited(
        self, document: Material, around: Surroundings, base: _Base, text: str, kind: Kind
    ) -> LabelledClaim | None:
        made = edit(text, around, kind, seed=self._seed)
        if made is None or (kind is Kind.APPENDED and _holds(base.passages, made)):
            return None
        return self._example(document, base, made.text, made.label, kind.value, made.spans)

    def _without_evidence(
        self, document: Material, base: _Base, text: str, kind: str
    ) -> LabelledClaim | None:
        """Return the claim itself with evidence from which what carries it was taken.

        Of two merged sentences one may stay; the other is then what is not supported.
        """
        half = kind == DELETED and len(base.places) > 1 and ", and " in text
        lost = document.pieces[base.places[-1]].text if half else text
        gone = document.carriers(lost, _CARRIES) | frozenset(base.places[-1:] if half else base.places)
        if half and base.places[0] in gone - {base.places[-1]}:
            return None
        if kind == DELETED:
            passages = self._passages(document, base.places, gone)
        else:
            length = int(self._generator.integers(1, _LONGEST_WINDOW // 2 + 1))
            passages = (document.passage(document.nearest(text, length=length, without=gone)),)
        rest = Surroundings((" ".join(passages),))
        if not any(passages) or rest.share_held(lost) >= _CARRY_TOGETHER:
            return None
        start = text.index(", and ") + len(", and ") if half else 0
        changed = replace(base, passages=passages)
        return self._example(document, changed, text, Label.NEUTRAL, kind, (Span(start, len(text)),))

    def _example(
        self, document: Material, base: _Base, claim: str, label: Label, kind: str, spans: tuple[Span, ...]
    ) -> LabelledClaim:
        return LabelledClaim(
            id=f"{base.id}/{kind or '+'}",
            claim=claim,
            evidence=base.passages,
            label=label,
            source=document.source,
            domain=self._domain,
            task=MADE,
            kind=kind,
            unsupported_spans=spans,
            licence=self._licence,
        )
