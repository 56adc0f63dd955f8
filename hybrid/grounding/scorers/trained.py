"""The trained scorer: alignment heads over the frozen embedder, stacked with what words alone tell."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid.config import ModelSettings
from hybrid.errors import ModelError, ModelMissing
from hybrid.grounding.checks import HARD, TextFacts, contradictions, missing
from hybrid.grounding.head import AlignmentHead, Read, Shape, judge, read
from hybrid.grounding.tokens import Lexicon, TokenEncoder, lexicon_of
from hybrid.grounding.values import Doubt, Logits, Pair
from hybrid.models import TokenEmbedder
from hybrid.models.loading import load_embedder
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import content_words, tokens

WORD_SIGNALS = ("together", "copied", "numbers", "names", "agreement")
# So many places of a word are looked at: what has it more often is no text that a claim could be copied from.
_STARTS = 256
# The share of a claim's words that a sentence must hold to speak against it. Looser than where a verdict
# hangs on it: here it is one signal among others, and weighed.
_ALIKE = 0.45
# More things lacking than these say nothing more.
_LACKING = 2


class _Compared:
    """What a passage is compared by; it comes with one claim after the other, and is read once."""

    def __init__(self, text: str) -> None:
        self.facts = TextFacts(text)
        self.words = tokens(text)
        self.places: dict[str, list[int]] = {}
        for place, word in enumerate(self.words):
            self.places.setdefault(word, []).append(place)
        bags = [frozenset(content_words(text[span.start : span.end])) for span in sentence_spans(text)]
        self.neighbours = [*bags, *(one | other for one, other in itertools.pairwise(bags))]

    def together(self, claim: str) -> float:
        """Return the greatest share of the claim's content words in two neighbouring sentences."""
        said = frozenset(content_words(claim))
        return max((len(said & bag) for bag in self.neighbours), default=0) / max(len(said), 1)

    def copied(self, claim: str) -> float:
        """Return how far the claim is copied in long runs: 1 is word for word.

        The root of the density of extractive fragments over the claim's length (Grusky, Naaman & Artzi 2018):
        runs are taken greedily, the longest at each word, and weigh by the square of their length.
        """
        said = tokens(claim)
        place = total = 0
        while place < len(said):
            starts = self.places.get(said[place], [])[:_STARTS]
            longest = max((self._run(said, place, start) for start in starts), default=0)
            total += longest * longest
            place += max(longest, 1)
        return math.sqrt(total) / max(len(said), 1)

    def _run(self, said: Sequence[str], place: int, start: int) -> int:
        """Return how many words from a place on stand at a start of the passage."""
        length = 1
        most = min(len(said) - place, len(self.words) - start)
        while length < most and said[place + length] == self.words[start + length]:
            length += 1
        return length


_compared = lru_cache(maxsize=64)(_Compared)
Array = NDArray[np.float64]
SIGNALS = ("head", *WORD_SIGNALS)
# Of the encoder: one that still knows the order of words, and the last.
LAYERS = (3, 6)
ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
WEIGHTS = "heads.safetensors"
CARD = "card.json"
# A whole passage; of a page its best stretches tell more than all of it (WiCE dev: AUROC .80 instead of .77).
_MAX_WORDS = 400
# Of an evidence that has more tokens those stretches are read that share most with the claim, as in training.
_EVIDENCE_TOKENS = 640
# Pairs whose vectors are in memory at once.
_BLOCK = 256


def word_signals(pair: Pair) -> NDArray[np.float64]:
    """Return the signals of a pair in the order of ``WORD_SIGNALS``, each from 0 to 1.

    ``together`` is the greatest share of the claim's content words in two neighbouring sentences of the
    evidence; ``copied`` how far it is copied in long runs; ``numbers`` is 1 if the evidence has all numbers,
    units and dates of the claim, .5 if it lacks one, 0 if more; ``names`` likewise; ``agreement`` is 0 if the
    sentence of the evidence nearest to the claim denies it or has another number in its place, else 1.
    """
    there = _compared(pair.evidence)
    lacking = [finding.doubt for finding in missing(pair.claim, there.facts)]
    disagrees = bool(contradictions(pair.claim, pair.evidence, alike=_ALIKE))
    return np.array(
        [
            there.together(pair.claim),
            there.copied(pair.claim),
            _left(sum(doubt in HARD for doubt in lacking)),
            _left(lacking.count(Doubt.NAME)),
            float(not disagrees),
        ]
    )


def _left(lacking: int) -> float:
    return 1.0 - min(lacking, _LACKING) / _LACKING


@dataclass(frozen=True, slots=True)
class Stack:
    """What each signal weighs, by its name; and the logit where all are 0.

    No weight is negative, so that no signal can be turned against itself by odd training data.
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    intercept: float

    def logits(self, signals: Array) -> Array:
        """Return a logit for each row of signals, shape (rows, names)."""
        return np.asarray(signals, np.float64) @ np.asarray(self.weights, np.float64) + self.intercept


class TrainedScorer:
    """Judge pairs by alignment heads and their stack; the weights belong to one encoder."""

    def __init__(
        self, heads: Sequence[AlignmentHead], stack: Stack, encoder: TokenEncoder, *, name: str
    ) -> None:
        self.heads, self._stack, self._encoder = tuple(heads), stack, encoder
        self.name = name
        self.max_words = _MAX_WORDS

    @property
    def megabytes(self) -> float:
        """Return what the weights take on disk beside the encoder, in 10⁶ bytes."""
        return sum(2 * p.numel() for head in self.heads for p in head.parameters()) / 1e6

    def score(self, pairs: Sequence[Pair]) -> Logits:
        """Return the logits of the stack."""
        return Logits(self._stack.logits(self.signals(pairs)).astype(np.float32))

    def signals(self, pairs: Sequence[Pair]) -> NDArray[np.float64]:
        """Return what the stack adds up, shape (pairs, signals); the first is the mean over the heads."""
        signals = np.zeros((len(pairs), len(SIGNALS)))
        for first in range(0, len(pairs), _BLOCK):
            block = pairs[first : first + _BLOCK]
            reads = self.reads(block)
            for head in self.heads:
                for place, found in judge(head, reads):
                    signals[first + place, 0] += float(found.support) / len(self.heads)
            signals[first : first + len(block), 1:] = [word_signals(pair) for pair in block]
        return signals

    def reads(self, pairs: Sequence[Pair]) -> list[Read]:
        """Return pairs as the heads read them."""
        claims, evidences = [pair.claim for pair in pairs], [(pair.evidence,) for pair in pairs]
        return read(claims, evidences, self._encoder, lexicon=self._lexicon, limit=_EVIDENCE_TOKENS)

    @cached_property
    def _lexicon(self) -> Lexicon:
        return lexicon_of(self._encoder.pieces)


def frozen_encoder(
    settings: ModelSettings, name: str = ENCODER, layers: tuple[int, ...] = LAYERS
) -> TokenEncoder:
    """Return the encoder that heads read; its weights are those of whoever embeds with this model."""
    embedder = load_embedder(replace(settings, embedder=name))
    assert isinstance(embedder, TokenEmbedder), "every local embedder is"
    return TokenEncoder(embedder, layers=layers)


def load_trained(settings: ModelSettings, folder: Path) -> TrainedScorer:
    """Return the scorer of a folder.

    Raises:
        ModelMissing: there are no weights, or the encoder is nowhere.
        ModelError: they belong to another encoder.
    """
    from safetensors.torch import load_file

    card_path = folder / CARD
    if not card_path.is_file():
        raise ModelMissing(
            f"there is no grounding model in {folder}", hint="make one: python -m recipes.grounding.own"
        )
    card: dict[str, Any] = json.loads(card_path.read_text(encoding="utf-8"))
    encoder = frozen_encoder(settings, str(card["encoder"]), tuple(card["layers"]))
    if (found := encoder.embedder.fingerprint.weights) != card["encoder_digest"]:
        raise ModelError(
            f"the grounding model was made for {card['encoder']} with the digest "
            f"{card['encoder_digest']}, and the one here has {found}",
            hint="get the same weights, or train for these: python -m recipes.grounding.own",
        )
    lexicon = lexicon_of(encoder.pieces)
    shape = Shape(**card["shape"])
    tensors = load_file(folder / WEIGHTS)
    heads = []
    for number in range(int(card["heads"])):
        own = {k.partition(".")[2]: v.float() for k, v in tensors.items() if k.startswith(f"{number}.")}
        head = AlignmentHead(shape, lexicon)
        head.load_state_dict(own, strict=True)
        heads.append(head.eval())
    weights = {str(name): float(weight) for name, weight in card["stack"]["weights"].items()}
    stack = Stack(tuple(weights), tuple(weights.values()), float(card["stack"]["intercept"]))
    if stack.names != SIGNALS:
        raise ModelError(
            f"the grounding model in {folder} weighs {', '.join(stack.names)}: expected {', '.join(SIGNALS)}",
            hint="it was made by another version; train it again: python -m recipes.grounding.own",
        )
    return TrainedScorer(heads, stack, encoder, name=f"trained {card['version']}")
