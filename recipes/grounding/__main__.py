"""Train the grounding scorer that ships: from public data to weights, card and calibration.

    python -m recipes.grounding DATA --out FOLDER [--work FOLDER] [--heads N] [--epochs N] [--seed N]

DATA holds ``summedits``, ``factcheck_gpt``, ``scifact``, ``begin``, ``medquad``, ``corpora/haystack_mdx`` and
``corpora/postgres_html``. Heads are kept in the work folder: a run that was stopped goes on there. The same
data and seed give the same weights on the same kind of machine. About an hour on one core. Ends with 7, and
writes nothing, if the heads add nothing to what words tell.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from recipes.grounding.building import built_on_disk
from recipes.grounding.public import judged_sets, training_sets
from recipes.grounding.training import TrainingSettings

_LICENCE = "Apache-2.0"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.grounding",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, help="where finished heads are kept")
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    begun = time.perf_counter()
    sets = training_sets(options.data, seed=options.seed)
    settings = TrainingSettings(epochs=options.epochs, seed=options.seed)
    code = built_on_disk(
        sets,
        settings,
        out=options.out,
        heads=options.heads,
        judged=judged_sets(options.data, seed=options.seed),
        work=options.work,
        licence=_LICENCE,
    )
    print(f"{time.perf_counter() - begun:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
