"""What the notebooks show: bars with intervals, the two by two, answers in columns, checked numbers."""

from __future__ import annotations

import json
import textwrap
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from hybrid.comparison import Comparison
from hybrid.evaluation.outcomes import Outcome
from hybrid.evaluation.scores import Scores
from hybrid.statistics import decimal, resample
from hybrid.types import Question

# Blue for the arm that was chosen, grey for the others; what happened, from good to bad.
CHOSEN, OTHER, INK = "#5a9bd4", "#c9d1d9", "#1a202c"
RIGHT, DECLINED, MISSED, MISREAD, INVENTED = (
    "right",
    "declined, though the pages answer it",
    "not retrieved",
    "retrieved, and wrong",
    "answered from memory, and wrong",
)
TOO_SURE = "answered what the pages do not say"
CAUSES = (DECLINED, MISSED, MISREAD, INVENTED, TOO_SURE)

# a bar of progress is not what a notebook is read for
warnings.filterwarnings("ignore", message="IProgress not found")
plt.rcParams.update(
    {
        "figure.dpi": 100,
        "savefig.dpi": 100,
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
    }
)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar with its interval, all three in points of 100."""

    label: str
    value: float
    low: float
    high: float

    @property
    def text(self) -> str:
        return f"{decimal(self.value, 0)} ({decimal(self.low, 0)} to {decimal(self.high, 0)})"


def share(label: str, values: Sequence[float], sources: Sequence[str]) -> Bar:
    """Return the mean of values from 0 to 1 with its 90 % interval, documents resampled together."""
    mean = resample(np.array(values, dtype=float)[:, None], sources, replicates=5_000, seed=0).mean(0)
    interval = mean.interval(0.05)
    return Bar(label, 100 * mean.estimate, 100 * max(interval.low, 0), 100 * min(interval.high, 1))


def change(label: str, before: Sequence[float], after: Sequence[float], sources: Sequence[str]) -> Bar:
    """Return the paired difference of two columns of values from 0 to 1 with its 90 % interval."""
    both = resample(np.column_stack([before, after]), sources, replicates=5_000, seed=0)
    interval = both.difference(1, 0).interval(0.05)
    return Bar(label, 100 * both.difference(1, 0).estimate, 100 * interval.low, 100 * interval.high)


def arms(comparison: Comparison) -> list[Bar]:
    """Return the score of every arm with its interval."""
    asked = {question.id: question.unit for question in comparison.questions}
    rows = list(zip(comparison.outcomes, comparison.scores, strict=True))
    return [
        share(
            summary.arm,
            [scores.correct for outcome, scores in rows if outcome.arm == summary.arm],
            [asked[outcome.question] for outcome, _ in rows if outcome.arm == summary.arm],
        )
        for summary in comparison.summaries
    ]


def bars(
    axes: Axes, rows: Sequence[Bar], *, title: str, chosen: str | None = None, guessing: float | None = None
) -> None:
    """Draw bars from the top down, each with its interval and its number."""
    places = range(len(rows))
    axes.barh(
        places, [row.value for row in rows], 0.6, color=[CHOSEN if r.label == chosen else OTHER for r in rows]
    )
    for place, row in zip(places, rows, strict=True):
        axes.plot([row.low, row.high], [place, place], color=INK, linewidth=1.4, marker="|", markersize=7)
        axes.text(max(row.high, row.value) + 2, place, decimal(row.value, 0), va="center", color=INK)
    if guessing is not None:
        axes.axvline(guessing, color=INK, linewidth=1, linestyle=":")
        top = axes.get_xaxis_transform()
        axes.text(guessing, 1.01, "guessing", ha="center", fontsize=8, transform=top)
    axes.set(yticks=places, yticklabels=[row.label for row in rows], xlim=(0, 112), title=title)
    axes.set_xticks(range(0, 101, 20))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Markdown:
    """Return a table; what stands in a cell is put on one line."""
    lines = [head, ["---"] * len(head), *rows]
    return Markdown("\n".join(f"| {' | '.join(' '.join(cell.split()) for cell in line)} |" for line in lines))


def two_by_two(rows: Sequence[Bar]) -> Markdown:
    """Return the scores as retrieval {off, on} × adapted generator {off, on}."""
    cell = {row.label: f"{row.label}: {row.text}" for row in rows}
    return table(
        ("right of 100 (90 % interval)", "without retrieval", "with retrieval"),
        [
            ("**generator as it is**", cell["base"], cell["rag"]),
            ("**generator adapted**", cell["adapter"], cell["both"]),
        ],
    )


def cut(text: str, longest: int = 640) -> str:
    """Return a text as it can stand in a cell, cut where it is long."""
    return textwrap.shorten(text, longest, placeholder=" …").replace("|", "\\|") or "*nothing*"


def columns(outcomes: Sequence[Outcome]) -> Markdown:
    """Return what each arm answered to the same question, side by side."""
    return table([outcome.arm for outcome in outcomes], [[cut(outcome.answer) for outcome in outcomes]])


def cause(question: Question, outcome: Outcome, scores: Scores) -> str:
    """Return what became of a question: right, or who is to blame."""
    if scores.correct >= 0.5:
        return RIGHT
    if not question.answerable:
        return TOO_SURE
    if scores.abstained:
        return DECLINED
    if not outcome.passages:
        return INVENTED
    return MISREAD if scores.recall else MISSED


def causes(comparison: Comparison, arm: str) -> list[Bar]:
    """Return how often each cause made an arm fail, of all questions."""
    asked = {question.id: question for question in comparison.questions}
    found = [
        (asked[outcome.question], cause(asked[outcome.question], outcome, scores))
        for outcome, scores in zip(comparison.outcomes, comparison.scores, strict=True)
        if outcome.arm == arm
    ]
    sources = [question.unit for question, _ in found]
    return [share(name, [float(own == name) for _, own in found], sources) for name in CAUSES]


def quality_and_time(axes: Axes, comparison: Comparison, *, chosen: str | None) -> None:
    """Draw what an arm scores against the seconds that a user waits for an answer."""
    for row in arms(comparison):
        seconds = comparison.costs[row.label].p50
        if seconds is None:
            continue
        axes.errorbar(
            seconds,
            row.value,
            yerr=[[row.value - row.low], [row.high - row.value]],
            fmt="o",
            color=INK,
            markerfacecolor=CHOSEN if row.label == chosen else OTHER,
            markersize=9,
            capsize=3,
        )
        axes.annotate(row.label, (seconds, row.value), (8, 4), textcoords="offset points")
    axes.set(
        xscale="log", ylim=(-3, 103), xlabel="seconds an answer, asked alone (median)", ylabel="right of 100"
    )
    axes.margins(x=0.12)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(alpha=0.25)


def numbers(found: Mapping[str, tuple[float | str, float] | str]) -> None:
    """Print what the tests compare: a number with what it may differ by, or a word that must stay.

    The cell that calls it carries the tag ``check`` and prints nothing else.
    """
    rows = {
        name: {"value": value}
        if isinstance(value, str)
        else {"value": round(value[0], 4), "within": value[1]}
        for name, value in found.items()
    }
    print(json.dumps(rows, indent=1))
