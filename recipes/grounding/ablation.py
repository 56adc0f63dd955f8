"""Does what rules made help? The same recipe with shares of made pairs and without, kind by kind.

    python -m recipes.grounding.ablation DATA --work FOLDER [--epochs N] [--seed N]

DATA is that of the recipe, and heads that it finished in the work folder are not trained again. Of each
kind, by heads and a stack that never saw it: the AUROC with made pairs and without, and the difference with
its 95 % interval by source; what is refuted and what is not in the evidence apart. 25 minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybrid.config import ModelSettings
from hybrid.grounding.examples import Dataset, Label
from hybrid.grounding.metrics import resampled_aurocs
from hybrid.grounding.scorers.trained import TrainedScorer, frozen_encoder
from hybrid.grounding.values import Pair
from recipes.grounding.public import judged_sets, made_sets, training_sets, unseen_sets
from recipes.grounding.recipe import MADE_SHARES, Trained, train_scorer
from recipes.grounding.training import TrainingSettings

Array = NDArray[np.float64]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.grounding.ablation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=TrainingSettings().epochs)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    settings = TrainingSettings(epochs=options.epochs, seed=options.seed)
    encoder = frozen_encoder(ModelSettings(device="cpu", offline=True))
    taught = training_sets(options.data, seed=options.seed)
    judged = judged_sets(options.data, seed=options.seed)
    found = [
        train_scorer(
            taught,
            encoder,
            settings,
            judged=judged,
            shares=shares,
            domains=False,
            work=options.work,
            note=lambda said: print(said, file=sys.stderr, flush=True),
        )
        for shares in (MADE_SHARES, [0.0] * len(MADE_SHARES))
    ]
    scorers = [TrainedScorer(one.heads, one.stack, encoder, name="ablation") for one in found]
    print("| supported against | n | with made pairs | without | made pairs add |")
    print("|---|---|---|---|---|")
    for line in _of_kinds(found):
        print(line)
    for dataset in (*unseen_sets(options.data), *made_sets(options.data)):
        pairs = [Pair("\n".join(one.evidence), one.claim) for one in dataset.examples]
        logits = [scorer.score(pairs).support.astype(np.float64) for scorer in scorers]
        for line in _lines(dataset, logits):
            print(line)
    return 0


def _of_kinds(found: Sequence[Trained]) -> Iterator[str]:
    for kinds in zip(*(one.kinds for one in found), strict=True):
        yield from _lines(kinds[0].dataset, [kind.logits for kind in kinds])


def _lines(dataset: Dataset, logits: Sequence[Array]) -> Iterator[str]:
    """Yield a row for a set, and one against what is refuted where that is only a part of the rest."""
    labels = np.array([example.label for example in dataset.examples])
    supported, refuted = labels == Label.SUPPORTED, labels == Label.REFUTED
    parts = {dataset.name: np.ones(len(labels), np.bool_)}
    if refuted.any() and not (supported | refuted).all():
        parts[f"{dataset.name}: refuted"] = supported | refuted
        parts[f"{dataset.name}: the rest"] = ~refuted
    for name, kept in parts.items():
        sources = [example.source for example, own in zip(dataset.examples, kept, strict=True) if own]
        drawn = resampled_aurocs([one[kept] for one in logits], supported[kept], sources)
        assert drawn is not None, "every set has both labels"
        with_, without, more = (drawn.interval(row) for row in ([1.0, 0.0], [0.0, 1.0], [1.0, -1.0]))
        span = "" if more.low is None else f" [{more.low:+.3f}, {more.high:+.3f}]"
        values = f"{with_.value:.3f} | {without.value:.3f} | {more.value:+.3f}{span}"
        yield f"| {name} | {int(kept.sum())} | {values} |"


if __name__ == "__main__":
    sys.exit(main())
