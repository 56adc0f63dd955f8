"""Train a grounding scorer of your own: on your labelled claims, and on pairs made of your documents.

    python -m recipes.grounding.own [SET ...] [--documents FOLDER ...] --out FOLDER

A SET is a file or folder of labelled claims: your own, or a public one. A FOLDER of documents gives
sentences, which rules edit to pairs. The scorer is used as ``grounding.scorer = "trained:FOLDER"``. Ends
with 7, and writes nothing, if the heads add nothing to what words tell.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hybrid.errors import HybridError, UsageError
from hybrid.grounding.examples import Dataset
from recipes.grounding.building import built_on_disk
from recipes.grounding.making import make_examples
from recipes.grounding.public import documents_of
from recipes.grounding.sets import load
from recipes.grounding.training import TrainingSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; what is wrong with the data is told in a line, with the exit code of its error."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.grounding.own",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, nargs="*", metavar="SET")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument(
        "--documents", type=Path, action="append", default=[], help="a folder to make pairs of"
    )
    parser.add_argument("--pairs", type=int, default=4_000, help="examples made of each folder")
    parser.add_argument("--heads", type=int, default=3, help="how many are averaged")
    parser.add_argument("--epochs", type=int, default=2, help="how often all examples are seen")
    parser.add_argument("--seed", type=int, default=0, help="another one gives another model")
    options = parser.parse_args(arguments)
    try:
        if options.out.exists():
            raise UsageError(f"{options.out} is there already", hint="name a folder that is not there yet")
        sets = [*map(load, options.data)]
        sets += [_made(folder, options.pairs, options.seed) for folder in options.documents]
        if not sets:
            raise UsageError(
                "there is nothing to train on", hint="give labelled claims, --documents, or both"
            )
        settings = TrainingSettings(epochs=options.epochs, seed=options.seed)
        return built_on_disk(sets, settings, out=options.out, heads=options.heads)
    except HybridError as error:
        print(f"{error}\n{error.hint}".strip(), file=sys.stderr)
        return error.exit_code


def _made(folder: Path, count: int, seed: int) -> Dataset:
    """Return examples made of the documents of a folder."""
    texts = list(documents_of(folder))
    if not texts:
        raise UsageError(f"{folder} holds no document that can be read")
    return Dataset(folder.name, tuple(make_examples(texts, count=count, seed=seed, domain=folder.name)))


if __name__ == "__main__":
    sys.exit(main())
