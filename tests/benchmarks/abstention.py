"""How often the bound on wrong answers holds on real outcomes, and how much is still answered, beside MAPIE.

The sources are split in halves again and again. A threshold is made on one half and the risk of what it
answers measured on all sources, which the half was drawn from (*exceeded*: the share of splits where it is
above alpha; delta is what it may be), and on the other half, to which chance adds (*other half*: the mean). A
table of outcomes has no score of the answers, so two are made: the share of the other arms that are right,
which ranks and which nobody has before the answer, and a random number, which ranks nothing. ``--domain``
takes the answers of its arm rag to the questions, under each score that they have. MAPIE
(``BinaryClassificationController``) gets the same questions and thresholds: once in the same order, and once
with its fixed sequence as it is (*free*), whose direction it takes from the labels.

    python tests/benchmarks/abstention.py [--table CSV] [--domain NAME QUESTIONS] [--splits 500] [--json]
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import math
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from measure import Target, note, print_json, print_table, print_verdicts

from hybrid import Assistant
from hybrid.routing.abstention import Graded, Risk, certify, graded

_DELTA = 0.1
_TABLE_ARMS = ("adapter", "both_oracle")


@dataclasses.dataclass(frozen=True)
class Row:
    """What became of the splits of one arm, score and alpha."""

    what: str
    risk: str
    alpha: float
    sources: int
    found: float
    exceeded: float
    other_half: float
    answered: float
    mapie: float | None
    free: float | None


def table_items(path: Path) -> dict[str, list[Graded]]:
    """Return the answers of a table under a score that ranks, and one that does not."""
    with path.open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    arms = [name for name in lines[0] if name not in ("question", "source")]
    noise = np.random.default_rng(0).random(len(lines))
    found = {}
    for arm in _TABLE_ARMS:
        others = [np.mean([float(line[one]) for one in arms if one != arm]) for line in lines]
        for name, scores in (("other arms", others + noise / 1_000), ("random", noise)):
            found[f"{arm}, {name}"] = [
                Graded(float(score), line[arm] == "1", line["source"])
                for score, line in zip(scores, lines, strict=True)
            ]
    return found


def domain_items(domain: str, questions: str) -> dict[str, list[Graded]]:
    """Return the answers of the arm rag of a domain under each score that they have."""
    made = Assistant(domain).compare(questions, arms="rag")
    found = graded(made.questions, made.outcomes, made.scores)
    return {f"{domain} rag, {name}": items for name, items in found.items()}


def risks(items: Sequence[Graded], threshold: float, risk: Risk) -> tuple[float, float]:
    """Return the risk of a question drawn from a source drawn at random, and the share answered."""
    sizes: dict[str, int] = {}
    for item in items:
        sizes[item.source] = sizes.get(item.source, 0) + 1
    kept = [item for item in items if item.score is not None and item.score >= threshold]
    answered = math.fsum(1 / sizes[item.source] for item in kept) / len(sizes)
    wrong = math.fsum(1 / sizes[item.source] for item in kept if not item.right) / len(sizes)
    return (wrong / max(answered, 1e-12) if risk is Risk.ANSWERED else wrong), answered


def mapie_thresholds(drawn: Sequence[Graded], alpha: float, first: int) -> tuple[float | None, float | None]:
    """Return the thresholds of MAPIE on one answer a source, from the same place: in order, and as it is."""
    from mapie.risk_control import BinaryClassificationController, BinaryRisk
    from mapie.risk_control.fwer_control import control_fwer

    given = [item for item in drawn if item.score is not None]
    scores = np.array([item.score for item in given])
    walked = np.unique(scores)[::-1]
    walked = np.array([one for one in walked if np.sum(scores >= one) >= first])
    if not len(walked):
        return None, None
    low, high = scores.min() - 1, scores.max() + 1  # it takes scores for probabilities

    def probabilities(values: np.ndarray) -> np.ndarray:
        shares = (values[:, 0] - low) / (high - low)
        return np.column_stack([1 - shares, shares])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        controller = BinaryClassificationController(
            probabilities,
            risk=BinaryRisk(
                lambda t, a: (t == 0).ravel(), lambda t, a: a.ravel() == 1, higher_is_better=False
            ),
            target_level=alpha,
            confidence_level=1 - _DELTA,
            best_predict_param_choice="recall",
            list_predict_params=(walked - low) / (high - low),
            fwer_method="fixed_sequence",
        ).calibrate(scores[:, None], np.array([int(item.right) for item in given]))
    kept = control_fwer(controller.p_values[:, 0], _DELTA, "fixed_sequence")
    free = controller.valid_predict_params
    return (
        float(walked[max(kept)]) if len(kept) else None,
        float(min(free) * (high - low) + low) if len(free) else None,
    )


def split(items: Sequence[Graded], alpha: float, risk: Risk, *, what: str, splits: int) -> Row:
    """Make a threshold on half of the sources, again and again, and measure what it does."""
    sources = sorted({item.source for item in items})
    found = exceeded = 0
    other, answered = [], []
    for seed in range(splits):
        generator = np.random.default_rng(seed)
        half = set(generator.permutation(sources)[: len(sources) // 2])
        inside = [item for item in items if item.source in half]
        outside = [item for item in items if item.source not in half]
        if risk is Risk.ANSWERED:  # the same questions for both
            inside = [
                rows[int(generator.integers(len(rows)))]
                for rows in ([item for item in inside if item.source == one] for one in sorted(half))
            ]
        bound = certify(inside, alpha=alpha, delta=_DELTA, risk=risk, seed=seed)
        shares = [0.0, 0.0, 0.0]
        if bound.threshold is not None:
            found += 1
            truth, shares[0] = risks(items, bound.threshold, risk)
            exceeded += truth > alpha
            other.append(risks(outside, bound.threshold, risk)[0])
        elif risk is Risk.ALL:
            other.append(0.0)
        if risk is Risk.ANSWERED:
            first = max(bound.needed, math.ceil(bound.given / 3))
            limits = mapie_thresholds(inside, alpha, first)
            shares[1:] = [0.0 if one is None else risks(items, one - 1e-9, risk)[1] for one in limits]
        answered.append(shares)
    ours, theirs, free = (float(share) for share in np.mean(answered, axis=0))
    return Row(
        what,
        risk,
        alpha,
        len(sources) // 2,
        found / splits,
        exceeded / splits,
        float(np.mean(other)) if other else math.nan,
        ours,
        theirs if risk is Risk.ANSWERED else None,
        free if risk is Risk.ANSWERED else None,
    )


def targets(row: Row) -> list[Target]:
    """Return what is promised of a row: delta of the splits, or the mean, and MAPIE's share."""
    name = f"{row.what}, {row.alpha:g}"
    if row.mapie is None:
        return [Target(f"{name}: mean risk of all", row.other_half, row.alpha, at_least=False)]
    return [
        Target(f"{name}: exceeded", row.exceeded, _DELTA, at_least=False),
        Target(f"{name}: share answered, of MAPIE's", row.answered, 0.9 * row.mapie, at_least=True),
    ]


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--table", type=Path)
    parser.add_argument("--domain", nargs=2, metavar=("NAME", "QUESTIONS"), action="append", default=[])
    parser.add_argument("--alphas", default="0.1,0.2,0.3")
    parser.add_argument("--splits", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    sets = table_items(chosen.table) if chosen.table else {}
    for name, questions in chosen.domain:
        sets |= domain_items(name, questions)
    if not sets:
        sys.exit("give --table, --domain or both")
    rows = []
    for what, items in sets.items():
        for alpha in map(float, chosen.alphas.split(",")):
            for risk in Risk:
                note(f"{what}, {alpha:g}, {risk}")
                rows.append(split(items, alpha, risk, what=what, splits=chosen.splits))
    if chosen.json:
        print_json({"rows": [dataclasses.asdict(row) for row in rows]})
        return
    print_table(
        (
            "arm, score",
            "of",
            "alpha",
            "units",
            "found",
            "exceeded",
            "other half",
            "answered",
            "MAPIE",
            "free",
        ),
        [
            (
                row.what,
                row.risk,
                f"{row.alpha:g}",
                str(row.sources),
                f"{row.found:.2f}",
                f"{row.exceeded:.3f}",
                f"{row.other_half:.3f}",
                f"{row.answered:.3f}",
                "-" if row.mapie is None else f"{row.mapie:.3f}",
                "-" if row.free is None else f"{row.free:.3f}",
            )
            for row in rows
        ],
    )
    print_verdicts([target for row in rows for target in targets(row)])


if __name__ == "__main__":
    main()
