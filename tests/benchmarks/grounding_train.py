"""Train the grounding scorer that ships: from public data to weights, card and calibration.

    python tests/benchmarks/grounding_train.py DATA --out FOLDER [--heads N] [--epochs N]

DATA holds ``summedits``, ``factcheck_gpt``, ``scifact``, ``medquad`` and ``corpora/haystack_mdx``. The same
data and seed give the same weights on the same kind of machine. About an hour on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from grounding_sets import training_sets

from hybrid.config import ModelSettings
from hybrid.grounding.building import build
from hybrid.grounding.scorers.trained import ENCODER, LAYERS
from hybrid.grounding.tokens import TokenEncoder
from hybrid.grounding.training import TrainingSettings
from hybrid.models.loading import load_embedder

_LICENCE = "Apache-2.0"


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun = time.perf_counter()
    encoder = TokenEncoder(
        load_embedder(ModelSettings(device="cpu", offline=True, embedder=ENCODER)), layers=LAYERS
    )
    built = build(
        training_sets(options.data, seed=options.seed),
        encoder,
        TrainingSettings(epochs=options.epochs, seed=options.seed),
        out=options.out,
        heads=options.heads,
        licence=_LICENCE,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        note=lambda said: print(said, flush=True),
    )
    found = built.worth
    for name, leaks in built.leaks.items():
        print(f"{name}: AUROC of overlap {leaks.overlap:.3f}, of length {leaks.length:.3f}")
    print(f"AUROC on domains not seen {found.auroc}, above words {found.above_words}")
    print(f"calibration: {built.calibration.calibration}, threshold {built.calibration.threshold:.3f}")
    print(f"{time.perf_counter() - begun:.0f} s")
    return 0 if found.shown else 1


if __name__ == "__main__":
    sys.exit(main())
