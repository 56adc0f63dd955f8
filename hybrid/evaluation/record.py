"""What is known of an experiment, on disk and in memory.

Takes a folder, contenders and questions, gives the outcomes that there are: its own, and those that
other experiments of the domain have of the same arms and questions. Asks nothing itself.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hybrid.arms import Contender
from hybrid.config import PriceSettings
from hybrid.errors import UsageError
from hybrid.evaluation.costs import ArmCost, Reading, arm_cost
from hybrid.evaluation.outcomes import Outcome, append_outcomes, load_outcomes, replace_outcomes
from hybrid.files import hash_text, write_json
from hybrid.types import Question

OUTCOMES = "outcomes.jsonl"
_METERS = "meters.json"


@dataclass(frozen=True, slots=True)
class _Metered:
    """What was measured of an arm; ``identity`` is its digest, so that a changed arm begins anew."""

    identity: str
    reading: Reading


class Record:
    """What is known of an experiment: ``outcomes`` by arm and question."""

    def __init__(
        self, folder: Path, contenders: Sequence[Contender], questions: Sequence[Question], *, retry: bool
    ) -> None:
        self._keys = {(c.name, q.id): question_key(c.identity, q) for c in contenders for q in questions}
        self.outcomes: dict[tuple[str, str], Outcome] = {}
        self.meters = _load_meters(folder)
        self._folder = folder
        self._identities = {c.name: _digest(c.identity) for c in contenders}
        self._read(retry)
        self._reuse()

    def add(self, outcomes: Sequence[Outcome], reading: Reading) -> None:
        """Write outcomes of one arm down, with what they took."""
        append_outcomes(self._folder / OUTCOMES, outcomes)
        self.outcomes |= {(outcome.arm, outcome.question): outcome for outcome in outcomes}
        for arm in {outcome.arm for outcome in outcomes}:
            before = self.meters.get(arm)
            same = before is not None and before.identity == self._identities[arm]
            total = before.reading + reading if before is not None and same else reading
            self._set_meter(arm, total)

    def _read(self, retry: bool) -> None:
        """Take what the folder holds; lines that are stale, there twice, or to be tried again go."""
        path = self._folder / OUTCOMES
        if not path.is_file():
            return
        lines = load_outcomes(path)
        for outcome in lines:
            cell = (outcome.arm, outcome.question)
            stale = self._keys.get(cell, outcome.key) != outcome.key
            if not stale and not (retry and outcome.error):
                self.outcomes.setdefault(cell, outcome)
        if len(self.outcomes) < len(lines):
            replace_outcomes(path, list(self.outcomes.values()))

    def _reuse(self) -> None:
        """Take over what other experiments of the domain know of the same arms and questions."""
        missing = {cell: key for cell, key in self._keys.items() if cell not in self.outcomes}
        if not missing:
            return
        wanted = set(missing.values())
        for other in sorted(self._folder.parent.glob(f"*/{OUTCOMES}")):
            found = {o.key: o for o in _readable(other) if o.key in wanted and not o.error}
            cells = [cell for cell, key in missing.items() if key in found]
            if not cells:
                continue
            taken = [
                dataclasses.replace(found[missing[arm, question]], arm=arm, question=question)
                for arm, question in cells
            ]
            append_outcomes(self._folder / OUTCOMES, taken)
            self.outcomes |= {(outcome.arm, outcome.question): outcome for outcome in taken}
            self._reuse_meters(other.parent, {arm for arm, _ in cells})
            missing = {cell: key for cell, key in missing.items() if key not in found}

    def _reuse_meters(self, other: Path, arms: set[str]) -> None:
        known = {metered.identity: metered.reading for metered in _load_meters(other).values()}
        for arm in sorted(arms - set(self.meters)):
            if self._identities[arm] in known:
                self._set_meter(arm, known[self._identities[arm]])

    def _set_meter(self, arm: str, reading: Reading) -> None:
        self.meters[arm] = _Metered(self._identities[arm], reading)
        write_json(
            self._folder / _METERS, {name: dataclasses.asdict(one) for name, one in self.meters.items()}
        )


def question_key(identity: Mapping[str, str], question: Question) -> str:
    """Return a digest of all that decides the answer to a question."""
    asked = [question.text, list(question.options), list(question.withheld)]
    return hash_text(json.dumps(dict(identity), sort_keys=True), json.dumps(asked))


def arm_costs(outcomes: Sequence[Outcome], folder: Path, prices: PriceSettings) -> dict[str, ArmCost]:
    """Return what each arm of the outcomes costs, by the meters of the experiment."""
    arms: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        arms.setdefault(outcome.arm, []).append(outcome)
    meters = _load_meters(folder)
    return {
        arm: arm_cost(rows, meters[arm].reading if arm in meters else Reading(), prices)
        for arm, rows in arms.items()
    }


def _readable(path: Path) -> list[Outcome]:
    """Return the outcomes of another experiment; what cannot be read is no help, and no harm either."""
    try:
        return load_outcomes(path)
    except UsageError:
        return []


def _load_meters(folder: Path) -> dict[str, _Metered]:
    path = folder / _METERS
    if not path.is_file():
        return {}
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(dict[str, _Metered]).validate_json(path.read_bytes())
    except ValidationError as error:
        raise UsageError(f"{path} holds no meter readings", hint="delete it; costs are lost") from error


def _digest(identity: Mapping[str, str]) -> str:
    return hash_text(json.dumps(dict(identity), sort_keys=True))
