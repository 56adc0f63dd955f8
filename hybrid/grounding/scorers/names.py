"""The protocol of a scorer, where the name of one becomes a scorer, and a generator as a judge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from hybrid.config import Engine, ModelSettings
from hybrid.errors import UsageError
from hybrid.files import valid_utf8
from hybrid.generation.prompts import load_grounding_prompt
from hybrid.grounding.evidence import cut_pair
from hybrid.grounding.scorers.labels import Labels
from hybrid.grounding.values import Logits, Pair
from hybrid.models import Embedder, Generator
from hybrid.models.device import choose_placement
from hybrid.models.loading import load_embedder, load_generator
from hybrid.models.resolve import fetch
from hybrid.trust import Endpoint
from hybrid.types import Message

KINDS = (
    "overlap (words in common, no weights)",
    "align (word alignment by the embedder)",
    "trained (what ships) or trained:FOLDER (of `python -m recipes.grounding.own`)",
    "nli:MODEL or hf:MODEL (a classifier of pairs: NLI, HHEM, MiniCheck, AlignScore)",
    "tokens:MODEL (a classifier of tokens: LettuceDetect)",
    "judge or judge:GENERATOR (yes or no by a generator)",
)
TRAINED = "trained"
# The weights that ship, and the calibrations of scorers that have none of their own.
SHIPPED = Path(__file__).parent.with_name("weights")
# The places of the outputs, for a model whose labels cannot be told: hf:folder#2,0
_PLACES = re.compile(r"#(\d+)(?:,(\d+))?$")
# Candidates of this size are what small generators can still read.
_MOST_WORDS = 250
_LEAST_WORDS = 16
_TOKENS_A_WORD = 1.6
_CLAIM_TOKENS = 64
# The longest answer, "Yes" or "No" in any language, in tokens.
_ANSWER_TOKENS = 8


class Scorer(Protocol):
    """Judge pairs of evidence and claim, each by itself.

    A pair's logits never depend on the other pairs of the call beyond the last bits of floating point, are
    the same at every call, and are finite for every text, the empty one included.
    """

    @property
    def name(self) -> str:
        """Return what the scorer is, with what decides its numbers; it stands beside every figure."""

    @property
    def max_words(self) -> int:
        """Return how many words of evidence it reads whole, about; candidates are made no longer."""

    def score(self, pairs: Sequence[Pair]) -> Logits:
        """Return the logits of the pairs, in their order."""


class GeneratorJudge:
    """Any generator that tells likelihoods; evidence beyond its context is read in overlapping windows.

    The support is log p(yes) − log p(no), of the best window; there is no ``against``: a generator that says
    no does not say why. Nothing is written and parsed: a judge that is asked for text answers with something
    else now and then. Of the generator only ``log_likelihoods`` and ``count_prompt_tokens`` are used.
    """

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._prompt = load_grounding_prompt("en")

    @property
    def name(self) -> str:
        """Return the generator and digests of it and of the prompt."""
        generator = self._generator
        return f"judge:{generator.name} ({generator.digest[:8]}, prompt {self._prompt.digest[:8]})"

    @property
    def max_words(self) -> int:
        """Return how many words of evidence fit beside a claim, 250 at the most."""
        room = self._limit - self._length(Pair("", "")) - _CLAIM_TOKENS
        return min(max(int(room / _TOKENS_A_WORD), _LEAST_WORDS), _MOST_WORDS)

    def score(self, pairs: Sequence[Pair]) -> Logits:
        """Return the logits of the pairs, in their order.

        Raises:
            UsageError: a claim is too long for the generator, or the generator tells no likelihoods.
        """
        cut = [cut_pair(pair, self._length, self._limit) for pair in pairs]
        # each once, and in an order of their own: neither the order nor the number of equal pairs matters
        parts = sorted(
            {part for parts in cut for part in parts}, key=lambda part: (part.evidence, part.claim)
        )
        answers = [self._prompt.yes, self._prompt.no]
        told = self._generator.log_likelihoods(
            [self._conversation(part) for part in parts], [answers] * len(parts)
        )
        found = {part: yes - no for part, (yes, no) in zip(parts, told, strict=True)}
        best = [max(found[part] for part in parts) for parts in cut]
        return Logits(np.nan_to_num(np.array(best, dtype=np.float32), nan=np.nan, posinf=1e4, neginf=-1e4))

    @property
    def _limit(self) -> int:
        return self._generator.context_tokens - _ANSWER_TOKENS

    def _length(self, pair: Pair) -> int:
        return self._generator.count_prompt_tokens(self._conversation(pair))

    def _conversation(self, pair: Pair) -> tuple[Message, ...]:
        return self._prompt.conversation(valid_utf8(pair.evidence), valid_utf8(pair.claim))


def weights_folder(name: str) -> Path | None:
    """Return where the weights of a trained scorer are; None for the name of another kind."""
    kind, _, folder = name.partition(":")
    return (Path(folder) if folder else SHIPPED) if kind == TRAINED else None


def scorer_for(name: str, settings: ModelSettings, *, embedder: Embedder | None = None) -> Scorer:
    """Return the scorer of a name.

    The name is one of ``KINDS``; a model is a folder or a name of the hub, and may be followed by the places
    of its outputs, counted from 0: ``#SUPPORT`` or ``#SUPPORT,CONTRADICTION``. ``embedder`` aligns words,
    instead of the one in the settings.

    Raises:
        UsageError: there is no such scorer; the message names those that there are.
        ModelMissing: the weights are nowhere, pickled, or of something else.
        ModelError: the labels of the model cannot be told.
    """
    kind, _, model = name.partition(":")
    match kind, bool(model):
        case "overlap", False:
            from hybrid.grounding.scorers.baselines import NgramOverlap

            return NgramOverlap()
        case "align", False:
            from hybrid.grounding.scorers.baselines import WordAlignment

            return WordAlignment(load_embedder(settings) if embedder is None else embedder)
        case "trained", _:
            from hybrid.grounding.scorers.trained import load_trained

            return load_trained(settings, Path(model) if model else SHIPPED)
        case "nli" | "hf" | "tokens", True:
            from hybrid.grounding.scorers.classifier import ClassifierScorer, Head

            return ClassifierScorer(
                fetch(_PLACES.sub("", model), offline=settings.offline),
                Head.TOKENS if kind == "tokens" else Head.PAIR,
                name=_PLACES.sub("", name),
                placement=choose_placement(settings.device, settings.dtype),
                labels=_labels(model),
            )
        case "judge", _:
            # it only tells likelihoods, which takes torch
            own = replace(settings, generator=model, endpoint=Endpoint(), engine=Engine.TORCH)
            return GeneratorJudge(load_generator(own if model else settings))
    raise UsageError(f"there is no scorer {name!r}", hint=f"scorers: {'; '.join(KINDS)}")


def _labels(model: str) -> Labels | None:
    found = _PLACES.search(model)
    if found is None:
        return None
    support, against = found.groups()
    return Labels(int(support), None if against is None else int(against))
