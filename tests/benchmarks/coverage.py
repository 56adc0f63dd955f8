"""How often the interval of a difference holds the truth where questions of one source are alike.

Two arms on 5 to 400 sources of 1 to 120 questions, with an intra-source correlation from 0 to 1, true
differences from 0 to 15 points, and differences that are rare or frequent. Sources make their questions alike
in four ways (``tests/decision/alike.py``). Cells that look worst are drawn ten times as often again, and that
is what counts of them. A cell *misses* if its intervals (90 %) hold the truth so seldom that a coverage of
88 % does so in 1 of 10,000 cells by chance; it *errs* if its claims at a margin of 1 point are wrong so often
that 5 % are as seldom. The last table is about a case of 1,034 questions of 20 sources where 34 answers
differ, in 10 sources and on balance in 9; beside it all losses of one source.

    python tests/benchmarks/coverage.py [--draws 200] [--seed 0] [--json]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from measure import Target, note, print_json, print_table, print_verdicts
from scipy import stats

from hybrid.clustered import Clustered

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "decision"))
from alike import WAYS, Cell, Found, grid, measure

_LEVEL, _MARGIN = 0.05, 0.01
_SOURCES, _CORRELATIONS = (5, 10, 20, 60, 400), (0, 0.05, 0.2, 0.5, 0.8, 1)
_COVERED = 0.88
_BY_CHANCE = 1e-4
# so far from what is promised that it is looked at again
_SUSPECT, _AGAIN = 0.005, 10
_WIDEST = 0.03
# lost and won answers of the ten sources of the case that differ at all, and the sizes of all twenty
_CASE = ((5, 3), (4, 1), (3, 1), (2, 2), (2, 1), (2, 1), (1, 2), (1, 0), (1, 0), (0, 2))
_CASE_SIZES = (45, 50, 120, 48, 52, 47, 46, 49, 55, 45, 45, 50, 46, 48, 50, 45, 47, 49, 47, 50)


def misses(found: Found) -> bool:
    """Tell whether the truth is outside more often than 88 % and chance explain."""
    return found.held < stats.binom.ppf(_BY_CHANCE, found.draws, _COVERED)


def errs(found: Found) -> bool:
    """Tell whether claims are wrong more often than the level and chance explain."""
    return found.wrong > stats.binom.isf(_BY_CHANCE, found.draws, _LEVEL)


def _measured(cell: Cell, draws: int, seed: int) -> Found:
    first = measure(cell, draws=draws, margin=_MARGIN, level=_LEVEL, seed=seed)
    if first.held / draws >= _COVERED - _SUSPECT and first.wrong / draws <= _LEVEL + 5 * _SUSPECT:
        return first
    return measure(cell, draws=_AGAIN * draws, margin=_MARGIN, level=_LEVEL, seed=seed + 1)


def half_width(lost: Sequence[int], won: Sequence[int]) -> float:
    """Return half the width of the 90 % interval on the sources of the case."""
    down, up = (np.pad(np.array(each, float), (0, len(_CASE_SIZES) - len(each))) for each in (lost, won))
    found = Clustered(np.array(_CASE_SIZES, float), up - down, up + down)
    return float(found.bound(1 - _LEVEL) - found.bound(_LEVEL)) / 2


def _row(name: str, found: Sequence[Found]) -> tuple[str, ...]:
    lowest = min(found, key=lambda one: one.held / one.draws)
    return (
        name,
        f"{len(found):,}",
        f"{np.mean([one.held / one.draws for one in found]):.1%}",
        f"{lowest.held / lowest.draws:.1%}",
        f"{sum(map(misses, found))}",
        f"{max(one.wrong / one.draws for one in found):.1%}",
        f"{sum(map(errs, found))}",
    )


def main() -> None:
    """Print the tables, or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draws", type=int, default=200, help="of each cell")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args()
    cells = grid(_SOURCES, (1, 5, 30, 120, "1 to 120"), _CORRELATIONS, (0, 0.01, 0.05, 0.15), (0, 0.005, 0.2))
    begun = time.process_time()
    found = [_measured(cell, options.draws, options.seed) for cell in cells]
    note(f"{time.process_time() - begun:.0f} s of one core")
    groups: dict[str, Callable[[Found], bool]] = {
        **{f"way: {way}": lambda one, way=way: one.cell.way == way for way in WAYS},
        **{f"{n} sources": lambda one, n=n: one.cell.sources == n for n in _SOURCES},
        **{f"correlation {r:g}": lambda one, r=r: one.cell.correlation == r for r in _CORRELATIONS},
        "all": lambda one: True,
    }
    rows = [_row(name, [one for one in found if inside(one)]) for name, inside in groups.items()]
    lost, won = zip(*_CASE, strict=True)
    case, one_source = half_width(lost, won), half_width([8], [0])
    missed = [str(one.cell) for one in found if misses(one) or errs(one)]
    if options.json:
        print_json({"draws": options.draws, "rows": rows, "missed": missed, "case": case, "one": one_source})
        return
    print(f"{options.draws} draws a cell, or {_AGAIN} times that; 90 % intervals, a margin of 1 point\n")
    print_table(("", "cells", "mean coverage", "lowest", "miss", "wrong claims, most", "err"), rows)
    print(*missed, sep="\n", end="\n\n")
    print_verdicts(
        [
            Target("cells whose coverage is below 88 %", sum(map(misses, found)), 0),
            Target("cells whose wrong claims are above 5 %", sum(map(errs, found)), 0),
            Target("half-width of the case, points", 100 * case, 100 * _WIDEST),
            Target("half-width of 8 losses in one source", 100 * one_source, 10, at_least=True),
        ]
    )


if __name__ == "__main__":
    main()
