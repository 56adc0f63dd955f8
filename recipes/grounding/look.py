"""Look at the training data that rules make of documents: counts a kind, what gives the labels away, samples.

    python -m recipes.grounding.look PATH... [--count N] [--samples N] [--kind KIND] [--json FILE]

PATH is a folder of documents in any format that ``hybrid index`` reads, or a file of JSON lines whose rows
are documents (with ``text``, ``answer``, ``doc`` or ``contexts``). Each is a set of its own. A change is
marked in its sample: ⟦new⟧, beside the supported claim of the same pair.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hybrid.grounding.examples import LabelledClaim
from recipes.grounding.leaks import measure_leaks
from recipes.grounding.making import KINDS, make_examples
from recipes.grounding.public import documents_of


def marked(example: LabelledClaim) -> str:
    """Return a claim with its unsupported stretches between brackets."""
    text = example.claim
    for span in reversed(example.unsupported_spans or ()):
        text = f"{text[: span.start]}⟦{text[span.start : span.end]}⟧{text[span.end :]}"
    return text


def samples(
    examples: Sequence[LabelledClaim], kind: str, count: int
) -> Iterator[tuple[LabelledClaim | None, LabelledClaim]]:
    """Yield pairs of a kind: the supported claim, if it was kept, and the edited one."""
    right = {example.id.partition("/")[0]: example for example in examples if example.supported}
    wrong = [example for example in examples if example.kind == kind]
    for example in wrong[:: max(len(wrong) // count, 1)][:count] if count else ():
        yield right.get(example.id.partition("/")[0]), example


def report(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Make examples of what lies at a path, print them, return the figures."""
    documents = list(documents_of(path))
    kinds = tuple(options.kind or KINDS)
    start = time.process_time()
    examples = make_examples(documents, count=options.count, seed=options.seed, domain=path.stem, kinds=kinds)
    seconds = time.process_time() - start
    leaks = measure_leaks(examples)
    counts = Counter(example.kind or "supported" for example in examples)
    print(f"\n{path}: {len(documents)} documents, {len(examples)} examples, {seconds:.1f} s of CPU")
    print(f"  AUROC of overlap {leaks.overlap or 0:.3f}, of length {leaks.length or 0:.3f}: ", end="")
    print("fair" if leaks.fair else "NOT FAIR")
    print("  " + ", ".join(f"{kind} {count}" for kind, count in counts.most_common()))
    for kind in kinds:
        for right, wrong in samples(examples, kind, options.samples):
            print(f"\n  [{kind}, {wrong.label}] {marked(wrong)}")
            print(f"    of: {right.claim if right else '(its supported claim was dropped)'}")
            print(f"    in: {' | '.join(wrong.evidence)[:240]!r}")
    return {
        "path": str(path),
        "documents": len(documents),
        "examples": len(examples),
        "counts": dict(counts),
        "auroc_overlap": leaks.overlap,
        "auroc_length": leaks.length,
        "examples_per_cpu_second": len(examples) / seconds if seconds else None,
    }


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--samples", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = [report(path, options) for path in options.paths]
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
