"""The protocol of a scorer, and where the name of one becomes a scorer."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from hybrid.config import ModelSettings
from hybrid.errors import UsageError
from hybrid.grounding.scorers.labels import Labels
from hybrid.grounding.values import Logits, Pair
from hybrid.models import Embedder
from hybrid.models.device import choose_placement
from hybrid.models.loading import load_embedder, load_generator
from hybrid.models.resolve import fetch
from hybrid.trust import Endpoint

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


class Scorer(Protocol):
    """Judge pairs of evidence and claim, each by itself.

    A pair's logits never depend on the other pairs of the call beyond the last bits of floating point, are
    the same at every call, and are finite for every text, the empty one included.
    """

    @property
    def name(self) -> str:
        """Return what the scorer is, with what decides its numbers; it stands beside every figure."""
        ...

    @property
    def max_words(self) -> int:
        """Return how many words of evidence it reads whole, about; candidates are made no longer."""
        ...

    def score(self, pairs: Sequence[Pair]) -> Logits:
        """Return the logits of the pairs, in their order."""
        ...


def weights_folder(name: str) -> Path | None:
    """Return where the weights of a trained scorer are; None for the name of another kind."""
    kind, _, folder = name.partition(":")
    return (Path(folder) if folder else SHIPPED) if kind == TRAINED else None


def scorer_for(
    name: str,
    settings: ModelSettings,
    *,
    embedder: Embedder | None = None,
) -> Scorer:
    """Return the scorer of a name.

    Args:
        name: one of ``KINDS``; a model is a folder or a name of the hub, and may be followed by the places of
            its outputs, counted from 0: ``#SUPPORT`` or ``#SUPPORT,CONTRADICTION``.
        settings: device, number format, whether the hub is out of bounds; embedder and generator.
        embedder: that aligns words, instead of the one in the settings.

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
            from hybrid.grounding.scorers.classifier import CrossEncoderScorer, TokenScorer

            return (TokenScorer if kind == "tokens" else CrossEncoderScorer)(
                fetch(_PLACES.sub("", model), offline=settings.offline),
                name=_PLACES.sub("", name),
                placement=choose_placement(settings.device, settings.dtype),
                labels=_labels(model),
            )
        case "judge", _:
            from hybrid.grounding.scorers.judge import GeneratorJudge

            chosen = (
                dataclasses.replace(settings, generator=model, endpoint=Endpoint()) if model else settings
            )
            return GeneratorJudge(load_generator(chosen))
    raise UsageError(f"there is no scorer {name!r}", hint=f"scorers: {'; '.join(KINDS)}")


def _labels(model: str) -> Labels | None:
    found = _PLACES.search(model)
    if found is None:
        return None
    support, against = found.groups()
    return Labels(int(support), None if against is None else int(against))
