"""Tables of outcomes as files: what we measured or somebody else did, and what its arms cost."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid.decision.sequential import Contest, decide_sequentially
from hybrid.decision.values import Decision, Policy
from hybrid.decision.verdict import decide
from hybrid.errors import UsageError
from hybrid.evaluation.outcomes import ArmCost
from hybrid.evaluation.scores import ScoreTable
from hybrid.files import write_atomic

_KEYS = ("question", "source", "slices")
# no cost comes near; it also keeps infinity out
_HUGE = 1e15
# What a spreadsheet runs as a formula if a cell begins with it, and our own mark in front of that.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


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

    Args:
        path: the table, see ``read_table``.
        policy: margin, level, gates.
        arms: which columns; all if none are named.
        metric: the name of the score.
        gold: a table of the judgements of people for some of its questions.
        costs: what the arms cost, see ``read_costs``.
        budget: ask in growing batches, at most so many answers, and stop when it is settled.

    Returns:
        The decision, and the scores that it rests on; None with a budget, as not all of them were asked.

    Raises:
        UsageError: a file is missing or is not such a table; or gold with a budget.
    """
    table = read_table(path, arms=arms, metric=metric)
    known = read_costs(costs, read_arms(path)) if costs is not None else KnownArms({}, {})
    if budget is not None:
        if gold is not None:
            raise UsageError("--gold needs all questions, so it does not go with --budget")
        return decide_sequentially(contest(table, known), policy=policy, budget=budget), None
    if gold is not None:
        table = join_gold(table, read_table(gold, arms=table.arms, metric=table.metric))
    return decide(table, costs=known.costs, measures=known.gate_measures(), policy=policy), table


def read_table(path: Path, *, arms: Sequence[str] = (), metric: str = "score") -> ScoreTable:
    """Read a table of outcomes; a hole is an error, for only the user knows whether the answer failed.

    Args:
        path: CSV (comma, semicolon or tab) with a header: ``question``, optionally ``source`` (the unit
            that is resampled) and ``slices`` (separated by ``|``), and one column an arm.
        arms: which columns; all others if none are named, from simple to costly.
        metric: the name of the score.

    Raises:
        UsageError: no such file, or not such a table; the message names line and column.
    """
    header, rows = _read(path)
    if "question" not in header:
        raise UsageError(
            f"{path} has no column `question`; found: {', '.join(header)}",
            hint="columns: question, source (optional), and one per arm with a score from 0 to 1",
        )
    names = tuple(arms) or tuple(name for name in header if name not in _KEYS)
    for name in names:
        if name not in header or name in _KEYS:
            there = ", ".join(column for column in header if column not in _KEYS)
            raise UsageError(f"{path} has no arm {name!r}; found: {there or 'none'}", hint="check --arms")
    if len(set(names)) < len(names):
        raise UsageError(f"an arm is named twice: {', '.join(names)}", hint="name each arm once")
    if not rows:
        raise UsageError(f"{path} has a header and no rows")
    values = np.array([[_score(path, line, name, row[name]) for name in names] for line, row in rows])
    questions = tuple(_name(path, line, "question", row["question"]) for line, row in rows)
    _refuse_repeats(path, [line for line, _ in rows], questions)
    # without sources every question stands for itself
    sources = tuple(_name(path, line, "source", row.get("source", row["question"])) for line, row in rows)
    slices = tuple(
        tuple(part.strip() for part in row.get("slices", "").split("|") if part.strip()) for _, row in rows
    )
    return ScoreTable(metric, names, questions, sources, values, slices)


def write_table(path: Path, table: ScoreTable) -> None:
    """Write a table as ``read_table`` reads it, atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["question", "source", "slices", *map(_defused, table.arms)])
    slices = table.slices or [()] * len(table.questions)
    for question, source, labels, row in zip(
        table.questions, table.sources, slices, table.values, strict=True
    ):
        named = [_defused(cell) for cell in (question, source, "|".join(labels))]
        writer.writerow([*named, *(f"{value:.6g}" for value in row)])
    write_atomic(path, text.getvalue())


def read_arms(path: Path) -> tuple[str, ...]:
    """Return the names of all columns that may be arms.

    Raises:
        UsageError: the file cannot be read.
    """
    header, _ = _read(path)
    return tuple(name for name in header if name not in _KEYS)


def contest(table: ScoreTable, known: KnownArms) -> Contest:
    """Return the table as a contest that is asked batch by batch, as if its answers were made now."""

    def ask(arms: Sequence[str], rows: Sequence[int]) -> NDArray[np.float64]:
        return table.values[np.ix_(list(rows), [table.arms.index(arm) for arm in arms])]

    measures = known.gate_measures()
    return Contest(table, ask, lambda: known.costs, lambda: measures)


def join_gold(table: ScoreTable, gold: ScoreTable) -> ScoreTable:
    """Return the table with the judgements of people for some of its questions.

    Raises:
        UsageError: gold has another question or lacks an arm.
    """
    rows = {question: row for row, question in enumerate(table.questions)}
    strange = [question for question in gold.questions if question not in rows]
    if strange:
        raise UsageError(
            f"{len(strange)} gold questions are not in the table, for example {strange[0]!r}",
            hint="gold judges some of the same questions",
        )
    columns = [gold.arms.index(arm) for arm in table.arms]
    judged = tuple(rows[question] for question in gold.questions)
    return dataclasses.replace(table, judged=judged, gold=gold.values[:, columns])


def read_costs(path: Path, arms: Sequence[str]) -> KnownArms:
    """Read what arms cost.

    Args:
        path: TOML with a table an arm; keys are those of ``ArmCost`` and a table ``measures`` for gates.
        arms: those that may be named.

    Raises:
        UsageError: the file is missing or is no such file, an arm or a key is unknown.
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
        known = {entry.name for entry in dataclasses.fields(ArmCost)}
        if unknown := sorted(set(numbers) - known):
            raise UsageError(
                f"{path}: {arm}.{unknown[0]} is unknown", hint=f"known: measures, {', '.join(sorted(known))}"
            )
        costs[arm] = ArmCost(**numbers)
    return KnownArms(costs, measures)


def _defused(cell: str) -> str:
    """Return a text that no spreadsheet runs."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _plain(cell: str) -> str:
    """Return the text that ``_defused`` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell, 1) else cell


def _read(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}", hint="check --from") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as UTF-8 text: {error}") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    # lines end as files have it: other separators of Unicode belong to the cell that they stand in
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [_plain(name.strip()) for name in next(reader, [])]
        header = [name.lower() if name.lower() in _KEYS else name for name in header]
        _check_header(path, header)
        rows = []
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise UsageError(
                    f"{path}, line {reader.line_num}: expected {len(header)} columns, found {len(cells)}",
                    hint="put text with separators into quotes",
                )
            rows.append((reader.line_num, dict(zip(header, map(_plain, cells), strict=True))))
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num}: not CSV ({error})") from error
    return header, rows


def _check_header(path: Path, header: Sequence[str]) -> None:
    if not any(header):
        raise UsageError(f"{path} is empty", hint="the first line names the columns: question, source, arms")
    if "" in header or len(set(header)) < len(header):
        raise UsageError(f"{path}: a column has no name or that of another one: {', '.join(header)}")


def _name(path: Path, line: int, column: str, cell: str) -> str:
    if not cell.strip():
        raise UsageError(f"{path}, line {line}: `{column}` is empty", hint="every row needs one")
    return cell.strip()


def _score(path: Path, line: int, arm: str, cell: str) -> float:
    if not cell.strip():
        raise UsageError(
            f"{path}, line {line}: {arm} has no score",
            hint="a failed answer is 0; a question that an arm was not asked must go for all arms",
        )
    try:
        value = float(cell.replace("_", "?"))  # Python reads 0_1 as 1
    except ValueError:
        raise UsageError(
            f"{path}, line {line}: {arm} is {cell.strip()[:40]!r}, expected a number from 0 to 1",
            hint="if the column is not an arm, name the arms with --arms",
        ) from None
    if not math.isfinite(value) or not 0 <= value <= 1:
        raise UsageError(
            f"{path}, line {line}: {arm} is {cell.strip()}, expected a number from 0 to 1",
            hint="scale the scores to [0, 1]; if the column is not an arm, name the arms with --arms",
        )
    return value


def _refuse_repeats(path: Path, lines: Sequence[int], questions: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for line, question in zip(lines, questions, strict=True):
        if question in seen:
            raise UsageError(
                f"{path}, line {line}: the question {question[:60]!r} is also in line {seen[question]}",
                hint="one row a question; questions that belong together share a `source`",
            )
        seen[question] = line


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
