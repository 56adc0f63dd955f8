"""Any classifier of pairs by name: NLI, HHEM, MiniCheck, AlignScore and what is like them.

Takes pairs, gives the log-odds that the evidence carries the claim, and of the opposite where the model
knows it. Evidence beyond the model's limit is read in overlapping windows, of which the best counts (SummaC,
AlignScore and MiniCheck do the same); nothing is cut off.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template

import numpy as np
from numpy.typing import NDArray

from hybrid.grounding.scorers.checkpoint import Checkpoint, Head, TokenRow
from hybrid.grounding.scorers.labels import Labels, checked_labels, known_pairs, settled_labels
from hybrid.grounding.scorers.windows import cut_pair
from hybrid.grounding.values import Logits, Pair
from hybrid.models.device import Placement


class CrossEncoderScorer:
    """A sequence classifier with one, two or three outputs.

    Of three outputs, support is the log-odds of entailment against the other two, and ``against`` that of
    contradiction; of two there is no ``against``; a single output is taken as the log-odds itself.

    Args:
        folder: of the model.
        name: under which it was asked for.
        placement: device and number format.
        labels: the places of its outputs; without them its names are read and checked on known pairs.
        prompt: how evidence and claim become one text, with ``$evidence`` and ``$claim``, for a model that
            was trained so; without it they are the two texts of a pair.
        trust_remote_code: run the Python that lies in the folder.

    Raises:
        ModelMissing: there is no such model in the folder, or it needs code of its own.
        ModelError: its outputs cannot be told apart; the message has the numbers.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        placement: Placement,
        labels: Labels | None = None,
        prompt: str = "",
        trust_remote_code: bool = False,
    ) -> None:
        self._checkpoint = Checkpoint(
            folder, head=Head.PAIR, placement=placement, trust_remote_code=trust_remote_code
        )
        self._prompt = prompt
        self._name = name
        names = self._checkpoint.names
        if labels is None:
            known = known_pairs(name, self._length, self._checkpoint.max_tokens)
            labels = settled_labels(name, names, self._outputs([[pair] for pair in known]))
        self.labels = checked_labels(labels, name, names)

    @property
    def name(self) -> str:
        """Return the name, the outputs that are read, the number format and a digest of the weights."""
        return self._checkpoint.told(self._name, self.labels, self._prompt)

    @property
    def max_words(self) -> int:
        """Return how many words of evidence fit beside a claim, 350 at the most."""
        return self._checkpoint.max_words

    def score(self, pairs: Sequence[Pair]) -> Logits:
        """Return the logits of the pairs, in their order.

        Raises:
            UsageError: a claim is too long for the model, whatever the evidence.
        """
        cut = [cut_pair(pair, self._length, self._checkpoint.max_tokens) for pair in pairs]
        if not cut:
            return self.labels.logits(np.empty((0, len(self._checkpoint.names))))
        found = self.labels.logits(self._outputs(cut))
        begins = np.cumsum([0, *(len(parts) for parts in cut[:-1])])
        against = None if found.against is None else np.maximum.reduceat(found.against, begins)
        return Logits(np.maximum.reduceat(found.support, begins), against)

    def _outputs(self, cut: Sequence[Sequence[Pair]]) -> NDArray[np.float64]:
        rows = self._rows([pair for parts in cut for pair in parts])
        return np.stack(self._checkpoint.outputs(rows)).astype(np.float64)

    def _length(self, pair: Pair) -> int:
        return len(self._rows([pair])[0].ids)

    def _rows(self, pairs: Sequence[Pair]) -> list[TokenRow]:
        source = self._checkpoint
        firsts = [source.plain(pair.evidence) for pair in pairs]
        seconds = [source.plain(pair.claim) for pair in pairs]
        if not self._prompt:
            return source.rows(source.encode(firsts, seconds))
        asked = Template(self._prompt)
        texts = [asked.safe_substitute(evidence=a, claim=b) for a, b in zip(firsts, seconds, strict=True)]
        return source.rows(source.encode(texts))
