"""More examples of labelled ones: what people found supported, edited by rules, and reworded.

Takes examples, gives further ones with the same evidence, source and domain. An edit turns a supported claim
into one that is not, a rewording keeps it one; there are about as many of both, so that neither the words of
people nor those of rules are a sign of a label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from hybrid.chunking import sentence_spans
from hybrid.grounding.data.edits import Edit, Kind, Surroundings, edit
from hybrid.grounding.data.paraphrases import paraphrase
from hybrid.grounding.data.values import Example
from hybrid.types import Span

# Stands in the id of what was made, between that of its claim and what was done to it.
_MARK = "/+"
# Of a claim: more would be too much alike.
EDITS = 2
_SENTENCES = 400
_OTHERS = 3
_SENTENCES_OF_ANOTHER = 30
_MOST_STEPS = 4


def augment(examples: Sequence[Example], *, seed: int, edits: int = EDITS) -> list[Example]:
    """Return edits of the supported claims, and for each about one rewording; in English, others give none.

    One sentence of a claim is edited, the rarest kind of edit first. The same arguments always give the same.

    Args:
        examples: of one set; those that are not supported give nothing.
        seed: of all choices.
        edits: at most so many of a claim, each of another kind.
    """
    supported = [example for example in examples if not example.unsupported]
    maker = _Maker([example.evidence for example in supported], seed)
    return [made for example in supported for made in maker.of(example, edits)]


def is_augmented(example: Example) -> bool:
    """Tell whether an example was made of another one."""
    return _MARK in example.id


class _Maker:
    """Keeps count of the kinds, and what is around the claims of an evidence."""

    def __init__(self, evidences: Sequence[tuple[str, ...]], seed: int) -> None:
        self._evidences, self._seed = evidences, seed
        self._generator = np.random.default_rng([seed, 7])
        self._made = Counter(dict.fromkeys(Kind, 0))
        self._around: dict[tuple[str, ...], Surroundings] = {}

    def of(self, example: Example, edits: int) -> Iterator[Example]:
        """Yield the edits of a claim, then as many rewordings of it as there are and can be told from it."""
        places = [span for span in sentence_spans(example.claim) if span.end > span.start]
        if not places:
            return
        edited = [self._edited(example, span, made) for span, made in self._edits(example, places, edits)]
        yield from edited
        known = {example.claim}
        for number in range(len(edited)):
            said = " ".join(self._reworded(example.claim[span.start : span.end], number) for span in places)
            if said not in known:
                known.add(said)
                yield replace(
                    example, id=f"{example.id}{_MARK}{number}", claim=said, kind="", unsupported_spans=()
                )

    def _edits(self, example: Example, places: Sequence[Span], most: int) -> Iterator[tuple[Span, Edit]]:
        around = self._surroundings(example.evidence)
        ties = self._generator.permutation(len(self._made))
        ranked = sorted(zip(self._made.values(), ties, self._made, strict=True), key=lambda found: found[:2])
        left = most
        for _, _, kind in ranked:
            span = places[int(self._generator.integers(len(places)))]
            made = edit(example.claim[span.start : span.end], around, kind, seed=self._seed) if left else None
            if made is not None:
                left -= 1
                self._made[kind] += 1
                yield span, made

    def _edited(self, example: Example, span: Span, made: Edit) -> Example:
        return replace(
            example,
            id=f"{example.id}{_MARK}{made.kind.value}",
            claim=example.claim[: span.start] + made.text + example.claim[span.end :],
            label=made.label,
            kind=made.kind.value,
            unsupported_spans=tuple(Span(s.start + span.start, s.end + span.start) for s in made.spans),
        )

    def _reworded(self, sentence: str, number: int) -> str:
        steps = int(self._generator.integers(1, _MOST_STEPS + 1))
        return paraphrase(sentence, seed=self._seed + number, steps=steps)

    def _surroundings(self, evidence: tuple[str, ...]) -> Surroundings:
        """Return the sentences of the evidence, and some of others that lend what is put in."""
        if evidence not in self._around:
            others: list[str] = []
            for number in self._generator.integers(len(self._evidences), size=_OTHERS):
                other = self._evidences[int(number)]
                if other != evidence:
                    others += _sentences(other)[:_SENTENCES_OF_ANOTHER]
            self._around[evidence] = Surroundings(tuple(_sentences(evidence)[:_SENTENCES]), tuple(others))
        return self._around[evidence]


def _sentences(texts: tuple[str, ...]) -> list[str]:
    return [text[span.start : span.end] for text in texts for span in sentence_spans(text)]
