"""How often verdicts are wrong, how often there is one, and what it takes: domains whose truth is known.

Each simulated domain has four arms, right or wrong answers that are alike within a source, effects from
0 to 15 points and 40 to 400 questions (``tests/decision/domains.py``). Every domain is decided twice: on
all answers, and sequentially. A verdict is *wrong* if the arm is truly worse than the best by more than
the margin, or if a cheaper arm is truly at least as good; it is *strictly wrong* if it is not the cheapest
arm within the margin, so that a dearer arm which is better by less than the margin counts too. Clear are
domains of 200 questions or more whose best arm is 10 points or more ahead; they are rare, so that 1,000
further ones are drawn for their own columns. Verdicts use 2,000 replicates here for speed, and the last
line times 10,000 of them. Targets: wrong verdicts at most 5 % of all verdicts, 90 % of the clear domains
decided on all answers, at most 40 % of the answers asked for sequentially, 10,000 replicates of 4 arms ×
1,000 questions in under 2 s.

    python tests/benchmarks/decisions.py [--domains 1000] [--seed 0] [--json]
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measure import Target, note, print_json, print_table, print_verdicts

from hybrid.decision.replay import KnownArms, contest
from hybrid.decision.sequential import decide_sequentially
from hybrid.decision.values import Decision, Policy
from hybrid.decision.verdict import decide

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "decision"))
from domains import Domain, draw, is_clear, is_strictly_wrong, is_wrong, simulate

_CLEAR_DOMAINS = 1_000
_POLICY = Policy(replicates=2_000)
_NO_COSTS = KnownArms({}, {})


@dataclass(frozen=True)
class Tally:
    """What became of one domain."""

    decided: bool
    wrong: bool
    strictly_wrong: bool
    clear: bool
    asked: int
    answers: int


def _on_all_answers(domain: Domain) -> tuple[Decision, int]:
    return decide(domain.table, costs={}, measures={}, policy=_POLICY), domain.table.values.size


def _sequentially(domain: Domain) -> tuple[Decision, int]:
    decision = decide_sequentially(contest(domain.table, _NO_COSTS), policy=_POLICY)
    return decision, decision.looks[-1].answers


_MODES: dict[str, Callable[[Domain], tuple[Decision, int]]] = {
    "all answers": _on_all_answers,
    "sequential": _sequentially,
}


def _tally(domain: Domain, mode: str) -> Tally:
    decision, asked = _MODES[mode](domain)
    return Tally(
        decided=decision.arm is not None,
        wrong=is_wrong(domain, decision.arm, _POLICY.margin),
        strictly_wrong=is_strictly_wrong(domain, decision.arm, _POLICY.margin),
        clear=is_clear(domain),
        asked=asked,
        answers=domain.table.values.size,
    )


def _clear_ones(generator: np.random.Generator, count: int) -> Iterator[Domain]:
    while count:
        domain = draw(generator)
        if is_clear(domain):
            count -= 1
            yield domain


def _share(part: int | float, whole: int | float) -> float:
    return part / whole if whole else 0.0


def _summary(drawn: Sequence[Tally], clear: Sequence[Tally], seconds: float) -> dict[str, float]:
    """Return the columns: shares of the drawn domains, and those of all clear ones."""
    decided = sum(tally.decided for tally in drawn)
    wrong = sum(tally.wrong for tally in drawn)
    return {
        "decided": decided / len(drawn),
        "wrong": wrong / len(drawn),
        "wrong_of_verdicts": _share(wrong, decided),
        "strictly_wrong_of_verdicts": _share(sum(tally.strictly_wrong for tally in drawn), decided),
        "asked": sum(tally.asked for tally in drawn) / sum(tally.answers for tally in drawn),
        "clear_domains": len(clear),
        "clear_decided": _share(sum(tally.decided for tally in clear), len(clear)),
        "clear_wrong": _share(sum(tally.wrong for tally in clear), len(clear)),
        "clear_asked": _share(sum(tally.asked for tally in clear), sum(tally.answers for tally in clear)),
        "seconds": seconds,
    }


def _simulate(domains: int, clear: int, seed: int) -> dict[str, dict[str, float]]:
    generator = np.random.default_rng([seed, 0])
    drawn = [draw(generator) for _ in range(domains)]
    further = list(_clear_ones(np.random.default_rng([seed, 1]), clear))
    rows = {}
    for mode in _MODES:
        begun = time.perf_counter()
        tallies = [_tally(domain, mode) for domain in drawn]
        extra = [_tally(domain, mode) for domain in further]
        seconds = time.perf_counter() - begun
        rows[mode] = _summary(tallies, [tally for tally in tallies if tally.clear] + extra, seconds)
        note(f"{mode}: {seconds:.0f} s")
    return rows


def _bootstrap_seconds() -> float:
    """Return how long a verdict on 4 arms × 1,000 questions takes, each question its own source."""
    table = simulate((0.6, 0.62, 0.65, 0.7), 1_000, np.random.default_rng(0)).table
    table = dataclasses.replace(table, sources=table.questions)
    begun = time.perf_counter()
    decide(table, costs={}, measures={}, policy=Policy(replicates=10_000))
    return time.perf_counter() - begun


def _print(rows: dict[str, dict[str, float]], bootstrap: float, domains: int) -> None:
    first = next(iter(rows.values()))
    print(f"{domains:,} domains; the last three columns: {first['clear_domains']:,.0f} clear ones\n")
    names = ("decided", "wrong_of_verdicts", "strictly_wrong_of_verdicts", "asked")
    clear = ("clear_decided", "clear_wrong", "clear_asked")
    header = ("", "decided", "wrong of these", "strictly", "asked", "clear: decided", "wrong", "asked")
    print_table(
        header, [(mode, *(f"{row[name]:.1%}" for name in names + clear)) for mode, row in rows.items()]
    )
    grid, growing = rows["all answers"], rows["sequential"]
    print_verdicts(
        [
            Target("wrong of all verdicts, all answers", grid["wrong_of_verdicts"], 0.05),
            Target("wrong of all verdicts, sequential", growing["wrong_of_verdicts"], 0.05),
            Target("clear domains decided, all answers", grid["clear_decided"], 0.90, at_least=True),
            Target("asked sequentially", growing["asked"], 0.40),
            Target("10,000 replicates of 4 arms × 1,000 questions, s", bootstrap, 2.0),
        ]
    )


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--domains", type=int, default=1_000, help="how many are drawn")
    parser.add_argument("--clear", type=int, default=_CLEAR_DOMAINS, help="how many further clear ones")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    arguments = parser.parse_args()
    rows = _simulate(arguments.domains, arguments.clear, arguments.seed)
    bootstrap = _bootstrap_seconds()
    if arguments.json:
        print_json({"domains": arguments.domains, "rows": rows, "bootstrap_seconds": bootstrap})
    else:
        _print(rows, bootstrap, arguments.domains)


if __name__ == "__main__":
    main()
