"""Scorers: their protocol, those without weights of their own, and where a name becomes one."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
from hybrid.text.words import content_words, share_held, tokens, word_runs
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
# Keeps the logarithm of the odds finite at 0 and 1: a share of 1 is odds of 99 to 1.
_SQUEEZE = 0.01
_WORD = re.compile(r"\d+(?:[.,]\d+)*|\w+(?:['’]\w+)*")
# What is longer is a hash or noise; its beginning says as much, and an embedder would read no more of it.
_LONGEST = 60


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


@dataclass(frozen=True, slots=True)
class NgramOverlap:
    """The share of a claim's word n-grams that stand in the evidence: overlap, not understanding.

    It does not see a negation, and a paraphrase looks unsupported. A claim shorter than n words is compared
    whole. It is the baseline that a model has to beat. The even share lies where it tells supported claims
    best from the others on WiCE dev: AUROC .70, balanced accuracy .64 (Kamoi et al. 2023; 349 claims against
    passages of six sentences), which is as little as it sounds. ``size`` is that of the n-grams, ``even`` the
    share from 0 to 1 whose logit is 0. It could read any length, but evidence much longer than a paragraph
    shows nobody anything.

    Example:
        >>> NgramOverlap().score([Pair("The port is 5432.", "The port is 5432.")]).support.round(1).tolist()
        [5.9]
    """

    size: int = 2
    even: float = 0.2
    max_words: int = 200

    @property
    def name(self) -> str:
        """Return "2-gram overlap"."""
        return f"{self.size}-gram overlap"

    def score(self, pairs: Sequence[Pair]) -> Logits:
        """Return the logits of the shares; a claim without words has a share of 0."""
        shares = [_share(tokens(pair.claim), tokens(pair.evidence), self.size) for pair in pairs]
        return Logits(np.array([logit_of(share, self.even) for share in shares], dtype=np.float32))


def logit_of(share: float, even: float) -> float:
    """Return the log-odds of a share from 0 to 1, as seen from the share that is an even chance.

    Strictly increasing, 0 at ``even``, finite at both ends: 0 and 1 are squeezed to .01 and .99.
    """
    return _log_odds(share) - _log_odds(even)


def _log_odds(share: float) -> float:
    inside = _SQUEEZE + (1 - 2 * _SQUEEZE) * min(max(share, 0.0), 1.0)
    return math.log(inside / (1 - inside))


def _share(said: Sequence[str], there: Sequence[str], size: int) -> float:
    size = min(size, len(said))
    if not size:
        return 0.0
    return share_held(word_runs(said, size), set(word_runs(there, size)))


class WordAlignment:
    """The mean, over a claim's content words, of the best cosine with a word of the evidence.

    Words are embedded one by one, without their context, and kept: it is token alignment in the manner of
    BERTScore (Zhang et al. 2020) over single words. The vectors of two numbers are near whatever the numbers
    are: that a number is missing is for the checks to say. With all-MiniLM-L6-v2 on WiCE dev: AUROC .76,
    balanced accuracy .70 at the even mean, which was chosen there with a rule for numbers. Of the embedder
    only ``embed_documents`` is used. It could read any length, but the more words there are, the more likely
    one is similar.
    """

    # the mean whose logit is 0
    even = 0.75
    max_words = 200

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._vectors: dict[str, NDArray[np.float32]] = {}

    @property
    def name(self) -> str:
        """Return "word alignment" and the embedder."""
        return f"word alignment, {self._embedder.fingerprint.name}"

    def score(self, pairs: Sequence[Pair]) -> Logits:
        """Return the logits of the means; a claim without content words has a mean of 0."""
        texts = dict.fromkeys(text for pair in pairs for text in (pair.claim, pair.evidence))
        words = {text: _content(text) for text in texts}
        self._learn({word for found in words.values() for word in found})
        means = [self._aligned(words[pair.claim], words[pair.evidence]) for pair in pairs]
        return Logits(np.array([logit_of(mean, self.even) for mean in means], dtype=np.float32))

    def _learn(self, words: set[str]) -> None:
        new = sorted(words - self._vectors.keys())
        if new:
            rows = np.nan_to_num(np.asarray(self._embedder.embed_documents(new), dtype=np.float32))
            rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
            self._vectors.update(zip(new, rows, strict=True))

    def _aligned(self, claim: dict[str, str], evidence: dict[str, str]) -> float:
        if not claim or not evidence:
            return 0.0
        there = set(evidence.values())
        known = np.stack([self._vectors[word] for word in evidence])
        # a word that stands in the evidence, if with another ending, is supported whatever its vector
        return float(np.mean([1.0 if claim[w] in there else self._nearest(w, known) for w in claim]))

    def _nearest(self, word: str, known: NDArray[np.float32]) -> float:
        return min(max(float((known @ self._vectors[word]).max()), 0.0), 1.0)


def _content(text: str) -> dict[str, str]:
    """Return the content words of a text, each with its stem."""
    words = dict.fromkeys(match.group()[:_LONGEST] for match in _WORD.finditer(text.lower()))
    return {word: stems[0] for word in words if (stems := content_words(word))}


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
            return NgramOverlap()
        case "align", False:
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
