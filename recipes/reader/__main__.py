"""Train a reading adapter for the default generator: from public data to weights and card.

    python -m recipes.reader DATA --work FOLDER [--examples N] [--share S]

DATA holds ``evouna``, ``tatqa``, ``medquad``, ``scifact``, ``pubmedqa``, ``cuad`` and
``corpora/haystack_mdx``; PostgreSQL, XQuAD and the reports of agencies are no part of it, for by them it is
measured (``tests/benchmarks/reader.py DATA --work FOLDER``).

Examples of each set and the state of the training are kept in the work folder, and a run that was stopped
goes on. The adapter, in half precision and with its card, is ``FOLDER/out``.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from hybrid.adaptation.store import read_card
from recipes.reader.sets import libraries
from recipes.reader.training import Shape, examples_of, half, parted, settings_for, train


def main(arguments: list[str] | None = None) -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.reader",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="where all of it is kept")
    parser.add_argument("--examples", type=int, default=100_000, help="most that are trained on")
    parser.add_argument("--share", type=float, default=1.0, help="of the questions of each set")
    parser.add_argument("--passage-tokens", type=int, default=Shape().passage_tokens)
    parser.add_argument("--layers", type=float, default=Shape().layers)
    options = parser.parse_args(arguments)
    settings = settings_for(options.work, Shape(options.passage_tokens, options.layers))
    found = []
    for library in libraries(options.data, share=options.share):
        own = examples_of(library, settings, options.work / f"{library.name}.jsonl")
        print(library.name, dict(Counter(example.kind for example in own)), flush=True)
        found += own
    examples = parted(found, options.examples)
    print(f"{len(examples.train)} to train on, {len(examples.validation)} to tell by", flush=True)
    made = train(
        examples, settings, lambda step, steps, loss: print(f"{step}/{steps} {loss:.2f}", flush=True)
    )
    card = read_card(half(made, options.work / "out"))
    print(f"{card.seconds:.0f} s, {card.gain}, {[(point.step, point.domain) for point in card.curve]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
