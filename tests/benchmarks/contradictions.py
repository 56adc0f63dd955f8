"""How often is a claim that is shown as contradicted not refuted? By what was found, over labelled sets.

    python tests/benchmarks/contradictions.py DATA [--claims N] [--rules] [--json FILE]

DATA is what ``recipes/grounding/public.py`` reads. So many claims of a set, whole sources, are judged as
answers are, with the default scorer. Precision is the share of claims shown as contradicted that people (of
SummEdits and COVID-Fact: edits) made false; a claim that is merely not in the evidence counts against it.
``--rules`` asks no scorer: it counts the claims to which the rules object, of all sets, in two minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from functools import partial
from pathlib import Path

from measure import note, print_table

from hybrid.config import load_settings
from hybrid.grounding.checks import objections
from hybrid.grounding.evidence import SearchedPassage
from hybrid.grounding.examples import LabelledClaim, limited
from hybrid.grounding.judge import Case, Grounder, load_grounder
from hybrid.grounding.values import Status
from hybrid.text.folding import legible
from recipes.grounding.public import labelled_sets, unseen_sets

_BLOCK, _WHOLE = 32, 10_000
_SIDES = ("supported", "refuted or edited", "not in there")


def side_of(claim: LabelledClaim) -> str:
    """Return which of the three a claim is."""
    if claim.supported:
        return _SIDES[0]
    return _SIDES[2] if claim.against == "not in evidence" else _SIDES[1]


def _judge() -> Grounder:
    return load_grounder(load_settings({"models": {"offline": True}}, environment={}))


def counted(grounder: Grounder, claims: list[LabelledClaim]) -> Counter[tuple[str, str]]:
    """Return how many claims of each side are shown as contradicted, by each kind of finding."""
    found: Counter[tuple[str, str]] = Counter()
    for first in range(0, len(claims), _BLOCK):
        block = claims[first : first + _BLOCK]
        cases = [Case(claim.claim, claim.evidence) for claim in block]
        for claim, one in zip(block, grounder.ground_all(cases), strict=True):
            against = [verdict for verdict in one.verdicts if verdict.status is Status.CONTRADICTED]
            kinds = {finding.doubt.value for verdict in against for finding in verdict.findings}
            for kind in kinds | ({"any"} if against else set()):
                found[kind, side_of(claim)] += 1
    return found


def objected(claims: list[LabelledClaim]) -> Counter[tuple[str, str]]:
    """Return to how many claims of each side the rules object in some candidate, by each kind of finding."""
    found: Counter[tuple[str, str]] = Counter()
    for claim in claims:
        text, doubts = legible(claim.claim).text, set[str]()
        for passage in (SearchedPassage(one, max_words=_WHOLE) for one in claim.evidence):
            for candidate in passage.candidates(text):
                doubts |= {
                    one.doubt.value
                    for one in objections(
                        text, [passage.framed[place] for place in passage.places(candidate)]
                    )
                }
        for kind in doubts | ({"any"} if doubts else set()):
            found[kind, side_of(claim)] += 1
    return found


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--claims", type=int, default=400)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rules", action="store_true", help="what the rules object to, without a scorer")
    options = parser.parse_args()
    asked = objected if options.rules else partial(counted, _judge())
    seen = unseen_sets(options.data)
    rows: list[tuple[str, ...]] = []
    total: Counter[tuple[str, str]] = Counter()
    for dataset in (*labelled_sets(options.data), *(seen if options.rules else seen[1:2])):
        found = asked(limited(dataset.examples, options.claims))
        total += found
        rows += _rows(dataset.name, found)
        note(f"{dataset.name}: judged")
    rows += _rows("all", total)
    print_table(("set", "found", *_SIDES, "precision"), rows)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 0


def _rows(name: str, found: Counter[tuple[str, str]]) -> list[tuple[str, ...]]:
    rows = []
    for kind in sorted({kind for kind, _ in found}):
        counts = [found[kind, side] for side in _SIDES]
        rows.append((name, kind, *map(str, counts), f"{counts[1] / sum(counts):.2f}"))
    return rows


if __name__ == "__main__":
    sys.exit(main())
