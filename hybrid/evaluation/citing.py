"""Do the citations of an answer carry its sentences? Recall and precision after ALCE.

Takes an answer's text with its ``[n]`` markers, the citations behind them and a grounding model, gives
two numbers from 0 to 1, higher is better (Gao et al. 2023, arXiv:2305.14627). Knows no gold answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hybrid.evaluation.grounding import GroundingModel, claim_of
from hybrid.generation.citations import markers, split_generated
from hybrid.types import Citation


@dataclass(frozen=True, slots=True)
class CitationScores:
    """``recall``: the share of claims that their citations, taken together, support; None without a claim.

    ``precision``: the share of markers that are right; None without a marker. A marker is right if its
    sentence is supported by its citations together, and it supports the sentence alone or the support is
    lost without it. A marker that points at no citation is wrong, and supports nothing.
    """

    recall: float | None
    precision: float | None


def citation_scores(text: str, citations: Sequence[Citation], model: GroundingModel) -> CitationScores:
    """Judge every marker and every sentence that asserts something.

    A marker on a sentence that asserts nothing, such as a greeting, supports nothing and counts as wrong.
    Unlike the script of ALCE, a marker that points nowhere does not undo the others of its sentence.
    """
    stretches: dict[int, str] = {citation.number: citation.text for citation in citations}
    supported: list[bool] = []
    right: list[bool] = []
    for sentence in split_generated(text):
        claim = claim_of(sentence)
        named = list(dict.fromkeys(markers(sentence)))
        valid = [number for number in named if number in stretches] if claim else []
        carried = bool(valid) and _supports(claim, [stretches[number] for number in valid], model)
        if claim:
            supported.append(carried)
        right += [carried and _needed(claim, number, valid, stretches, model) for number in valid]
        right += [False] * (len(named) - len(valid))
    return CitationScores(_share(supported), _share(right))


def _needed(
    claim: str, number: int, valid: Sequence[int], stretches: dict[int, str], model: GroundingModel
) -> bool:
    others = [stretches[other] for other in valid if other != number]
    return _supports(claim, [stretches[number]], model) or not _supports(claim, others, model)


def _supports(claim: str, texts: Sequence[str], model: GroundingModel) -> bool:
    return bool(texts) and model.score([(claim, "\n".join(texts))])[0] >= model.threshold


def _share(flags: Sequence[bool]) -> float | None:
    return sum(flags) / len(flags) if flags else None
