"""Claims, evidence, findings and verdicts: the values of grounding; offsets are code points of the answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import UsageError
from hybrid.types import Span

_EVEN = 0.5


class Status(StrEnum):
    """What became of a claim.

    ``supported``: the evidence carries it. ``contradicted``: the evidence is about the same and says
    otherwise. ``unclear``: it may carry it or not. ``not in evidence``: none of these. ``not checkable``: it
    asserts nothing (a question, a greeting, a heading). ``unsupported language``: the judge does not know the
    one it is in, so that a number would mean nothing. ``not judged``: the scorer computed no number (NaN)
    where nothing else carries it, which says nothing about the claim.
    """

    SUPPORTED = "supported"
    UNCLEAR = "unclear"
    CONTRADICTED = "contradicted"
    NOT_IN_EVIDENCE = "not in evidence"
    NOT_CHECKABLE = "not checkable"
    UNSUPPORTED_LANGUAGE = "unsupported language"
    NOT_JUDGED = "not judged"


_JUDGED = frozenset((Status.SUPPORTED, Status.UNCLEAR, Status.CONTRADICTED, Status.NOT_IN_EVIDENCE))
_NOT_WRONG = frozenset((Status.SUPPORTED, Status.UNCLEAR))


@dataclass(frozen=True, slots=True)
class Claim:
    """A stretch of an answer that can be judged alone.

    ``text`` is what it asserts, without citation markers and opening courtesy; ``span`` is where it stands in
    the answer; ``cites`` are the numbers of the markers of its sentence. ``reason`` says why it is not
    checkable, and is empty if it is.
    """

    text: str
    span: Span
    cites: tuple[int, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Stretches of one passage that are read together, in their order.

    ``text`` is what a scorer reads: what stands there, without what nobody sees. Of two passages that carry a
    claim together it is the text of both, and ``beside`` is the other one.
    """

    passage: int
    spans: tuple[Span, ...]
    text: str
    beside: Excerpt | None = None

    def document(self, sources: Sequence[str]) -> dict[str, Any]:
        """Return it as values for JSON, with the source of its passage."""
        beside = self.beside and self.beside.document(sources)
        return {"source": sources[self.passage]} | dataclasses.asdict(self) | {"beside": beside}


@dataclass(frozen=True, slots=True)
class Pair:
    """What a scorer judges: does the evidence carry the claim?"""

    evidence: str
    claim: str


@dataclass(frozen=True, slots=True)
class Logits:
    """What a scorer says of pairs, one number a pair, finite; NaN where it failed.

    ``support`` is higher where the evidence carries the claim; 0 is the scorer's own even chance.
    ``against`` is higher where the evidence says the opposite; None from a scorer that cannot tell that from
    evidence on something else.
    """

    support: NDArray[np.float32]
    against: NDArray[np.float32] | None = None


class Doubt(StrEnum):
    """What a check without a model found in a claim that the evidence lacks, turns around or doesn't assert.

    ``letters``: letters of another script stand for Latin ones in a word of the claim.
    """

    NUMBER = "number"
    UNIT = "unit"
    DATE = "date"
    NAME = "name"
    NEGATION = "negation"
    ASKED = "only asked"
    SUPPOSED = "only supposed"
    CONDITIONAL = "only on a condition"
    REPORTED = "only reported"
    PAST = "no longer so"
    LETTERS = "letters"


@dataclass(frozen=True, slots=True)
class DoubtedSpan:
    """A stretch of a claim that a check doubts; ``span`` is within the text of the claim."""

    doubt: Doubt
    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """A judged claim.

    ``support`` is the calibrated probability from 0 to 1 that the passages carry the claim, None where
    nothing was judged. ``evidence`` of a supported claim is the shortest candidate that carries it about as
    well as the best one does; of others the best one, though it does not carry it.
    """

    claim: Claim
    status: Status
    support: float | None = None
    evidence: Excerpt | None = None
    findings: tuple[DoubtedSpan, ...] = ()

    def document(self, sources: Sequence[str]) -> dict[str, Any]:
        """Return it as values for JSON: the claim's parts at the top, the evidence with its source.

        ``sources`` are those of the passages that it was judged by.
        """
        return {
            "text": self.claim.text,
            "span": dataclasses.asdict(self.claim.span),
            "status": self.status,
            "reason": self.claim.reason,
            "support": self.support,
            "evidence": self.evidence and self.evidence.document(sources),
            "findings": [dataclasses.asdict(finding) for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where a number becomes a word.

    With the defaults and word overlap as the scorer the checks raise AUROC against refuted claims from .50 to
    .64 (factcheck_gpt) and from .55 to .60 (COVID-Fact), against edited summaries from .51 to .57 (SummEdits)
    and against unsupported claims from .81 to .86 (SciFact); against contradicted ones of SciFact it stays
    at .52. On 2,115 supported claims 3 % are doubted, and another 3 % lack a name.

    Args:
        supported: the probability that tells supported claims from others best. Words follow the probability:
            what lies between it and an even chance is neither called supported nor not.
        doubted: what is left of the probability where a passage lacks a number, unit or date of the claim, or
            a candidate denies it: so little that such a candidate never supports.
        unnamed: what is left of the odds where a passage lacks a name of the claim. A name may be written in
            another way, so a scorer that is sure is still believed.
        close: the share of a claim's words, numbers apart, that a sentence must hold for another number in
            it, or a denial, to contradict the claim. With less it may speak of something else.

    Raises:
        UsageError: a number out of 0 to 1, or ``doubted`` not below ``supported``.
    """

    supported: float = 0.5
    doubted: float = 0.1
    unnamed: float = 0.3
    close: float = 0.6

    def __post_init__(self) -> None:
        shares = (self.supported, self.doubted, self.unnamed, self.close)
        if not (all(0 <= share <= 1 for share in shares) and self.doubted < self.supported):
            raise UsageError(
                f"thresholds of {', '.join(map(str, shares))}: expected numbers from 0 to 1, and less "
                f"left of what is doubted ({self.doubted}) than support needs ({self.supported})"
            )

    @property
    def carried(self) -> float:
        """Return the probability from which on a claim is called supported: an even chance at the least."""
        return max(self.supported, _EVEN)

    @property
    def unclear(self) -> float:
        """Return the probability from which on a claim is not called unsupported."""
        return min(self.supported, _EVEN)


DEFAULT_THRESHOLDS = Thresholds()


def share_supported(verdicts: Sequence[ClaimVerdict]) -> float | None:
    """Return the share of judged claims that are supported; None if none was judged.

    From 0 to 1, higher is better (faithfulness of ragas and RAGChecker).
    """
    judged = [verdict for verdict in verdicts if verdict.status in _JUDGED]
    return sum(verdict.status is Status.SUPPORTED for verdict in judged) / len(judged) if judged else None


def share_unjudged(verdicts: Sequence[ClaimVerdict]) -> float | None:
    """Return the share of claims of which the scorer said no number; None if it was asked about none."""
    asked = [one for one in verdicts if one.status in _JUDGED or one.status is Status.NOT_JUDGED]
    return sum(one.status is Status.NOT_JUDGED for one in asked) / len(asked) if asked else None


def hallucinated(verdicts: Sequence[ClaimVerdict]) -> float | None:
    """Return 1 if any judged claim is contradicted or not in evidence, else 0; None if none was judged.

    Lower is better; its mean is the rate of answers with a claim that the passages do not carry
    (RAGTruth, Niu et al. 2024, at the level of the answer).
    """
    judged = [verdict.status for verdict in verdicts if verdict.status in _JUDGED]
    return float(any(status not in _NOT_WRONG for status in judged)) if judged else None
