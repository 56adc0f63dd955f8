"""A generator as a judge: is "Yes" likelier than "No" after the claim and its evidence?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hybrid.files import valid_utf8
from hybrid.generation.prompts import load_grounding_prompt
from hybrid.grounding.evidence import cut_pair
from hybrid.grounding.values import Logits, Pair
from hybrid.models import Generator
from hybrid.types import Message

# Candidates of this size are what small generators can still read.
_MOST_WORDS = 250
_LEAST_WORDS = 16
_TOKENS_A_WORD = 1.6
_CLAIM_TOKENS = 64
# The longest answer, "Yes" or "No" in any language, in tokens.
_ANSWER_TOKENS = 8


class GeneratorJudge:
    """Any generator that tells likelihoods; evidence beyond its context is read in overlapping windows.

    The support is log p(yes) − log p(no), of the best window; there is no ``against``: a generator that says
    no does not say why. Nothing is written and parsed: a judge that is asked for text answers with something
    else now and then.

    Args:
        generator: only ``log_likelihoods`` and ``count_prompt_tokens`` are used.
        language: of the prompt.
    """

    def __init__(self, generator: Generator, *, language: str = "en") -> None:
        self._generator = generator
        self._prompt = load_grounding_prompt(language)

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
