"""From judged candidates to the verdict on a claim, and from verdicts to figures of an answer.

Takes values, gives values: no text is searched here and no model asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hybrid.errors import UsageError
from hybrid.grounding.checks import HARD, contradictions, in_order
from hybrid.grounding.values import Claim, ClaimVerdict, Doubt, Excerpt, Finding, Status
from hybrid.text.dates import MONTHS
from hybrid.text.words import terms

# A sentence is shown instead of the passage around it if it has as much support but for this.
_AS_GOOD = 0.1
_MONTHS = frozenset(terms(" ".join(MONTHS)))
_JUDGED = frozenset((Status.SUPPORTED, Status.CONTRADICTED, Status.NOT_IN_EVIDENCE))


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where a number becomes a word.

    With the defaults and word overlap as the scorer the checks raise AUROC against refuted claims from .50 to
    .64 (factcheck_gpt) and from .55 to .60 (COVID-Fact), against edited summaries from .51 to .57 (SummEdits)
    and against unsupported claims from .81 to .86 (SciFact); against contradicted ones of SciFact it stays
    at .52. On 2,115 supported claims 3 % are doubted, and another 3 % lack a name.

    Args:
        supported: the probability from which on a claim counts as supported.
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


DEFAULT_THRESHOLDS = Thresholds()


@dataclass(frozen=True, slots=True)
class Candidate:
    """Evidence for a claim and what the checks say of it, before any scorer is asked.

    ``lacking`` is what its whole passage lacks of the claim, ``denied`` what the evidence itself denies.
    """

    evidence: Excerpt
    lacking: tuple[Finding, ...] = ()
    denied: tuple[Finding, ...] = ()

    def lessened(self, probability: float, thresholds: Thresholds) -> float:
        """Return what is left of a scorer's probability after the checks."""
        doubts = {finding.doubt for finding in self.lacking}
        if self.denied or doubts & HARD:
            return probability * thresholds.doubted
        if Doubt.NAME in doubts:
            return _with_odds(probability, thresholds.unnamed)
        return probability


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate after the scorer.

    ``support`` is its probability, lessened if it is doubted; ``logit`` is what the scorer said; ``opposed``
    whether the scorer takes the evidence for the opposite of the claim.
    """

    candidate: Candidate
    support: float
    logit: float
    opposed: bool = False


def decide(claim: Claim, judged: Sequence[Judged], thresholds: Thresholds) -> ClaimVerdict:
    """Return the verdict on a checkable claim; without candidates it is not in evidence, with support 0."""
    if not judged:
        return ClaimVerdict(claim, Status.NOT_IN_EVIDENCE, 0.0)
    best = min(judged, key=_better)
    if best.support >= thresholds.supported:
        shown = _shortest(judged, max(thresholds.supported, best.support - _AS_GOOD)).candidate
        return ClaimVerdict(claim, Status.SUPPORTED, best.support, shown.evidence, _findings(shown))
    candidate = best.candidate
    found = _findings(candidate)
    if best.opposed:
        return ClaimVerdict(claim, Status.CONTRADICTED, best.support, candidate.evidence, found)
    closest = _closest(claim.text, judged)
    against = contradictions(claim.text, closest.text, alike=thresholds.close)
    if against:
        return ClaimVerdict(claim, Status.CONTRADICTED, best.support, closest, against)
    return ClaimVerdict(claim, Status.NOT_IN_EVIDENCE, best.support, candidate.evidence, found)


def share_supported(verdicts: Sequence[ClaimVerdict]) -> float | None:
    """Return the share of judged claims that are supported; None if none was judged.

    From 0 to 1, higher is better (faithfulness of ragas and RAGChecker).
    """
    judged = judged_of(verdicts)
    return sum(verdict.status is Status.SUPPORTED for verdict in judged) / len(judged) if judged else None


def hallucinated(verdicts: Sequence[ClaimVerdict]) -> float | None:
    """Return 1 if any judged claim is not supported, else 0; None if none was judged.

    Lower is better; its mean is the rate of answers with a claim that the passages do not carry
    (RAGTruth, Niu et al. 2024, at the level of the answer).
    """
    share = share_supported(verdicts)
    return None if share is None else float(share < 1)


def judged_of(verdicts: Sequence[ClaimVerdict]) -> list[ClaimVerdict]:
    """Return the verdicts on claims that could be checked."""
    return [verdict for verdict in verdicts if verdict.status in _JUDGED]


def _findings(candidate: Candidate) -> tuple[Finding, ...]:
    return in_order([*candidate.lacking, *candidate.denied])


def _shortest(judged: Sequence[Judged], least: float) -> Judged:
    """Return the shortest candidate of so much support: it shows where the claim stands."""
    enough = [one for one in judged if one.support >= least]
    return min(enough, key=lambda one: (len(one.candidate.evidence.text), _better(one)))


def _better(judged: Judged) -> tuple[float, float, int, str, list[tuple[int, str]]]:
    """Sort the best first; equals by text and findings, so that the number of a passage decides nothing."""
    text = judged.candidate.evidence.text
    lacking = [(finding.span.start, finding.doubt.value) for finding in judged.candidate.lacking]
    return (-judged.support, -judged.logit, len(text), text, lacking)


def _closest(claim: str, judged: Sequence[Judged]) -> Excerpt:
    """Return the candidate with most words of the claim, numbers and months apart; the shortest of equals."""
    said = {term for term in terms(claim) if not term[0].isdigit()} - _MONTHS
    texts = {found.candidate.evidence.text: found.candidate.evidence for found in reversed(judged)}
    return texts[min(texts, key=lambda text: (-len(said.intersection(terms(text))), len(text), text))]


def _with_odds(probability: float, factor: float) -> float:
    """Return the probability whose odds are so many times those of another one."""
    left = probability * factor
    return left / (1 - probability + left) if left > 0 else 0.0
