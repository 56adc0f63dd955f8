"""What an arm did with a question: the record that every figure is computed from.

Takes answers, gives lines of ``outcomes.jsonl`` and back. Knows nothing about gold answers: scores are
computed from these records, so that a better metric never costs another run.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid.errors import UsageError
from hybrid.files import append_jsonl, write_atomic
from hybrid.types import Citation, Span

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved chunk as the arm saw it, best first; ``score`` is the one that ordered it."""

    source: str
    span: Span
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line: an arm, a question, and what came out.

    ``key`` is a digest of all that decides the answer: two outcomes of one key are the same. ``error``
    says what failed; the answer is then empty. ``seconds`` is the share of a batch, ``alone`` the time
    of the question asked by itself, which is what a user waits; None where it was not taken.
    """

    key: str
    arm: str
    question: str
    answer: str
    abstained: bool = False
    error: str = ""
    citations: tuple[Citation, ...] = ()
    passages: tuple[Passage, ...] = ()
    confidence: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    alone: float | None = None

    @property
    def failed(self) -> bool:
        """Tell whether there is nothing that could be scored: an error, or an empty answer."""
        return bool(self.error) or not self.answer.strip()


def load_outcomes(path: Path) -> list[Outcome]:
    """Read ``outcomes.jsonl``; a last line that a kill cut short is left out.

    Raises:
        UsageError: the file is missing or a line is not an outcome; the message names the line.
    """
    if not path.is_file():
        raise UsageError(f"there are no outcomes in {path}", hint="run: hybrid compare QUESTIONS")
    *lines, _cut_short = path.read_bytes().split(b"\n")
    return [_outcome(line, f"{path}, line {n}") for n, line in enumerate(lines, start=1) if line.strip()]


def append_outcomes(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Append lines and make them durable; a line that a kill cut short is removed first."""
    append_jsonl(path, [dataclasses.asdict(outcome) for outcome in outcomes])


def replace_outcomes(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write the file anew: it is the old one or the new one, never half of it."""
    rows = [json.dumps(dataclasses.asdict(outcome), ensure_ascii=False) for outcome in outcomes]
    write_atomic(path, "".join(row + "\n" for row in rows))


def _outcome(line: bytes, place: str) -> Outcome:
    from pydantic import ValidationError

    try:
        outcome = _adapter().validate_json(line, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{place}: not an outcome: {f'`{key}`: ' if key else ''}{first['msg']}",
            hint="remove the line; the next run asks that question again",
        ) from error
    if not all(math.isfinite(number) for number in _numbers(outcome)):
        raise UsageError(f"{place}: not an outcome: a number is not finite")
    return outcome


def _numbers(outcome: Outcome) -> Iterator[float]:
    yield outcome.seconds
    yield outcome.alone or 0.0
    yield outcome.confidence or 0.0
    for passage in outcome.passages:
        yield passage.score


@functools.cache
def _adapter() -> TypeAdapter[Outcome]:
    from pydantic import TypeAdapter

    return TypeAdapter(Outcome)
