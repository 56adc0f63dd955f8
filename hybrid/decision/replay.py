"""Tables of outcomes as files: what we measured or somebody else did, and what its arms cost."""

from __future__ import annotations

import csv
import io
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid.decision.reading import GATED, SCORE, ArmRow, defused, read_rows
from hybrid.decision.sequential import Contest, decide_sequentially
from hybrid.decision.values import Decision, Policy
from hybrid.decision.verdict import decide
from hybrid.errors import UsageError
from hybrid.evaluation.outcomes import ArmCost
from hybrid.evaluation.scores import ScoreTable
from hybrid.files import write_atomic

# no cost comes near; it also keeps infinity out
_HUGE = 1e15
_TRUTHS = {
    **dict.fromkeys(("true", "yes", "y", "t", "pass", "passed", "correct", "ja", "wahr", "oui", "vrai"), 1.0),
    **dict.fromkeys(("false", "no", "n", "f", "fail", "failed", "incorrect", "wrong", "nein", "falsch"), 0.0),
    **dict.fromkeys(("non", "faux"), 0.0),
}
# Every pair of arms is compared: of 30 in two seconds, of 1,000 in hours.
_MOST_ARMS = 50


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """Outcomes of others: the scores that decide, the same by each other metric, and measures for gates.

    ``named`` are all arms of the file, also those that were not asked for.
    """

    named: tuple[str, ...]
    table: ScoreTable
    others: tuple[ScoreTable, ...]
    measures: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class KnownArms:
    """What a cost file says: the price of each arm, and measures for the gates."""

    costs: Mapping[str, ArmCost]
    measures: Mapping[str, Mapping[str, float]]

    def gate_measures(self) -> dict[str, dict[str, float]]:
        """Return all that gates can be held against."""
        arms = {*self.costs, *self.measures}
        return {
            arm: self.costs.get(arm, ArmCost()).measures() | dict(self.measures.get(arm, {})) for arm in arms
        }


def decide_from(
    path: Path,
    *,
    policy: Policy,
    arms: Sequence[str] = (),
    metric: str = "score",
    gold: Path | None = None,
    costs: Path | None = None,
    budget: int | None = None,
) -> tuple[Decision, ScoreTable | None]:
    """Decide on a table of outcomes that somebody else measured.

    The outcomes, their ``arms`` and ``metric`` are as for ``read_replay``, ``costs`` as for ``read_costs``;
    ``gold`` is a table of the judgements of people for some of the questions. With a ``budget`` questions are
    taken in growing batches, at most so many answers, until it is settled.

    Returns:
        The decision, and the scores that it rests on; None with a budget, as not all of them were asked.
    """
    replay = read_replay(path, arms=arms, metric=metric)
    table = replay.table
    known = read_costs(costs, replay.named) if costs is not None else KnownArms({}, {})
    measures = {arm: {**replay.measures[arm], **known.measures.get(arm, {})} for arm in table.arms}
    known = KnownArms(known.costs, measures)
    if budget is not None:
        if gold is not None:
            raise UsageError("--gold needs all questions, so it does not go with --budget")
        return decide_sequentially(contest(table, known), policy=policy, budget=budget), None
    if gold is not None:
        table = join_gold(table, read_table(gold, arms=table.arms, metric=table.metric))
    measures = known.gate_measures()
    decision = decide(table, costs=known.costs, measures=measures, policy=policy)
    told = []
    for other in replay.others:
        by_other = decide(other, costs=known.costs, measures=measures, policy=policy)
        if by_other.interim != decision.interim:
            told.append(f"The metrics of the table disagree. By {other.metric}: {by_other.sentence}")
    return replace(decision, reasons=(*told, *decision.reasons)), table


def read_table(path: Path, *, arms: Sequence[str] = (), metric: str = SCORE) -> ScoreTable:
    """Read the scores that decide, see ``read_replay``."""
    return read_replay(path, arms=arms, metric=metric).table


def read_replay(path: Path, *, arms: Sequence[str] = (), metric: str = SCORE) -> Replay:
    """Read outcomes; a hole is an error, for only the user knows whether the answer failed.

    See ``read_rows`` for the file. Each question has a name, optionally ``source`` (the unit that is
    resampled) and ``slices`` (separated by ``|``), and of every arm a score from 0 to 1 (or true, false).
    Further columns of an arm are metrics too if all of them are from 0 to 1, else measures for gates. All
    arms are read if none are named, from simple to costly; ``metric`` is the score that decides, or its name
    where there is only one.

    Raises:
        UsageError: no such file, or not such outcomes; the message names line and column.
    """
    rows = read_rows(path)
    chosen = _chosen(path, rows, arms)
    names = tuple(chosen)
    questions = _same_questions(path, chosen)
    columns = list(
        dict.fromkeys(key for part in chosen.values() for row in part.values() for key in row.values)
    )
    deciding = _deciding(path, columns, metric)
    first = next(iter(chosen.values()), {})
    sources = _sources(path, chosen, questions)
    slices = tuple(first[question].slices for question in questions)

    def table(column: str, name: str) -> ScoreTable:
        cells = [[_score(path, chosen[arm][q], column) for arm in names] for q in questions]
        return ScoreTable(name, names, questions, sources, np.array(cells), slices)

    others = []
    for column in columns:
        if column != deciding and column.lower() not in GATED:
            try:
                others.append(table(column, column))
            except UsageError:  # no score of every answer: a measure, or a note
                continue
    return Replay(
        tuple(dict.fromkeys(row.arm for row in rows)),
        table(deciding, metric if deciding == SCORE else deciding),
        tuple(others),
        {arm: _means(list(part.values()), columns) for arm, part in chosen.items()},
    )


def _chosen(path: Path, rows: Sequence[ArmRow], arms: Sequence[str]) -> dict[str, dict[str, ArmRow]]:
    """Return the rows of the arms that are named, or of all, by question."""
    by_arm: dict[str, dict[str, ArmRow]] = {}
    for row in rows:
        asked = by_arm.setdefault(row.arm, {})
        if row.question in asked:
            raise UsageError(
                f"{path}, {row.place}: the question {row.question[:60]!r} is also in "
                f"{asked[row.question].place}",
                hint="one row a question and arm; questions that belong together share a `source`",
            )
        asked[row.question] = row
    there = ", ".join(by_arm) or "none"
    if not by_arm:
        raise UsageError(f"{path}: a decision needs two arms or more, found: none", hint="a column an arm")
    for name in arms:
        if name not in by_arm:
            raise UsageError(f"{path} has no arm {name!r}; found: {there}", hint="check --arms")
    if len(set(arms)) < len(arms):
        raise UsageError(f"an arm is named twice: {', '.join(arms)}", hint="name each arm once")
    if len(arms or by_arm) > _MOST_ARMS:
        raise UsageError(
            f"{path}: {len(arms or by_arm)} arms, expected at most {_MOST_ARMS}; found: {there[:60]}…",
            hint="name those to compare with --arms; every column but question, source and slices is an arm",
        )
    return {name: by_arm[name] for name in arms or by_arm}


def _same_questions(path: Path, chosen: Mapping[str, Mapping[str, ArmRow]]) -> tuple[str, ...]:
    """Return the questions of the arms, and refuse means that are over different ones."""
    fullest = max(chosen.values(), key=len, default={})
    for arm, rows in chosen.items():
        for asked in (fullest, *chosen.values()):
            missing = next((row for question, row in asked.items() if question not in rows), None)
            if missing is not None:
                raise UsageError(
                    f"{path}, {missing.place}: {missing.arm} has the question {missing.question[:60]!r} and "
                    f"{arm} has not ({len(asked)} and {len(rows)} questions)",
                    hint="a failed answer is 0; a question that an arm was not asked must go for all arms",
                )
    return tuple(fullest)


def _sources(
    path: Path, chosen: Mapping[str, Mapping[str, ArmRow]], questions: Sequence[str]
) -> tuple[str, ...]:
    """Return the source of each question; without sources every question stands for itself."""
    found = []
    for question in questions:
        rows = [part[question] for part in chosen.values()]
        named = {row.source for row in rows if row.source is not None}
        if len(named) > 1:
            raise UsageError(
                f"{path}, {rows[-1].place}: two sources of one question: {', '.join(sorted(named))}"
            )
        found.append(named.pop() if named else question)
    return tuple(found)


def _deciding(path: Path, columns: Sequence[str], metric: str) -> str:
    """Return the column that decides: the one that is named, or the only one that may."""
    for name in (metric, SCORE):
        if name in columns:
            return name
    able = [column for column in columns if column.lower() not in GATED]
    if len(able) == 1 and metric == SCORE:
        return able[0]
    raise UsageError(
        f"{path} has no score {metric!r}; found: {', '.join(columns) or 'none'}",
        hint=f"name the one that decides: --metric {able[0] if able else 'NAME'}",
    )


def _means(rows: Sequence[ArmRow], columns: Sequence[str]) -> dict[str, float]:
    """Return the mean of every column of numbers over the answers that it applies to."""
    means = {}
    for column in columns:
        cells = [row.values[column] for row in rows if row.values.get(column, "").strip()]
        numbers = [number for cell in cells if (number := _number(cell)) is not None]
        if numbers and len(numbers) == len(cells) and all(map(math.isfinite, numbers)):
            means[column.lower()] = math.fsum(numbers) / len(numbers)
    return means


def write_table(path: Path, table: ScoreTable) -> None:
    """Write a table as ``read_table`` reads it, atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["question", "source", "slices", *map(defused, table.arms)])
    slices = table.slices or [()] * len(table.questions)
    for question, source, labels, row in zip(
        table.questions, table.sources, slices, table.values, strict=True
    ):
        named = [defused(cell) for cell in (question, source, "|".join(labels))]
        writer.writerow([*named, *(f"{value:.6g}" for value in row)])
    write_atomic(path, text.getvalue())


def contest(table: ScoreTable, known: KnownArms) -> Contest:
    """Return the table as a contest that is asked batch by batch, as if its answers were made now."""

    def ask(arms: Sequence[str], rows: Sequence[int]) -> NDArray[np.float64]:
        return table.values[np.ix_(list(rows), [table.arms.index(arm) for arm in arms])]

    measures = known.gate_measures()
    return Contest(table, ask, lambda: known.costs, lambda: measures)


def join_gold(table: ScoreTable, gold: ScoreTable) -> ScoreTable:
    """Return the table with the judgements of people for some of its questions."""
    rows = {question: row for row, question in enumerate(table.questions)}
    strange = [question for question in gold.questions if question not in rows]
    if strange:
        raise UsageError(
            f"{len(strange)} gold questions are not in the table, for example {strange[0]!r}",
            hint="gold judges some of the same questions",
        )
    columns = [gold.arms.index(arm) for arm in table.arms]
    judged = tuple(rows[question] for question in gold.questions)
    return replace(table, judged=judged, gold=gold.values[:, columns])


def read_costs(path: Path, arms: Sequence[str]) -> KnownArms:
    """Read what arms cost.

    It is TOML with a table an arm, of ``arms`` alone; keys are those of ``ArmCost`` and a table ``measures``
    for gates.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}", hint="check --costs") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as TOML: {error}") from error
    costs: dict[str, ArmCost] = {}
    measures: dict[str, Mapping[str, float]] = {}
    for arm, values in content.items():
        if arm not in arms or not isinstance(values, dict):
            raise UsageError(
                f"{path}: {arm!r} is not a table of one of the arms {', '.join(arms)}",
                hint='quote names with other signs: ["rag:k=5"]',
            )
        measures[arm] = _numbers(path, arm, values.pop("measures", {}))
        numbers = _numbers(path, arm, values)
        known = {entry.name for entry in fields(ArmCost)}
        if unknown := sorted(set(numbers) - known):
            raise UsageError(
                f"{path}: {arm}.{unknown[0]} is unknown", hint=f"known: measures, {', '.join(sorted(known))}"
            )
        costs[arm] = ArmCost(**numbers)
    return KnownArms(costs, measures)


def _score(path: Path, row: ArmRow, column: str) -> float:
    place = f"{path}, {row.place}: {row.arm}"
    cell = row.values.get(column, "")
    if not cell.strip():
        raise UsageError(
            f"{place} has no {column}",
            hint="a failed answer is 0; a question that an arm was not asked must go for all arms",
        )
    value = _number(cell)
    if value is None:
        raise UsageError(
            f"{place} is {cell.strip()[:40]!r}, expected a number from 0 to 1",
            hint="if the column is not an arm, name the arms with --arms",
        )
    if not 0 <= value <= 1:
        raise UsageError(
            f"{place} is {cell.strip()}, expected a number from 0 to 1",
            hint="scale to [0, 1], a failed answer is 0; if the column is no arm, name the arms with --arms",
        )
    return value


def _number(cell: str) -> float | None:
    """Return the number of a cell, None if it is none; 50 % is a half."""
    word = cell.strip().lower()
    if word in _TRUTHS:
        return _TRUTHS[word]
    try:
        number = float(word.removesuffix("%").replace("_", "?"))  # Python reads 0_1 as 1
        return number / 100 if word.endswith("%") else number
    except ValueError:
        return None


def _numbers(path: Path, arm: str, values: Any) -> dict[str, float]:
    numbers: dict[str, float] = {}
    if not isinstance(values, dict):
        raise UsageError(f"{path}: {arm}.measures is {values!r}, expected a table of numbers")
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_HUGE < value < _HUGE:
            raise UsageError(f"{path}: {arm}.{key} is {str(value)[:40]}, expected a number")
        if value < 0:
            raise UsageError(f"{path}: {arm}.{key} is {value!r}, expected 0 or more")
        numbers[key] = float(value)
    return numbers
