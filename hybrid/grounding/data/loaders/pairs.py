"""Sets of one claim and one piece of evidence a row: FactCheckGPT, Covid-Fact, Q² on Wizard of Wikipedia.

Takes their rows, gives datasets. One function a format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hybrid.errors import UsageError
from hybrid.grounding.data.loaders.reading import checked_rows, document_name
from hybrid.grounding.data.values import Dataset, Example, Label

_STANCES = {
    "completely-support": Label.SUPPORTED,
    "partially-support": Label.UNSUPPORTED,
    "refute": Label.REFUTED,
    "irrelevant": Label.NEUTRAL,
}


@dataclass(frozen=True, slots=True)
class Stance:
    """A claim of FactCheckGPT and a stretch of a web page."""

    claim: str
    evidence: str
    stance: str


@dataclass(frozen=True, slots=True)
class CovidClaim:
    """A claim of Covid-Fact; label 1 is supported, and the other claims are automatic edits of those."""

    id: str | int
    context: str
    text: str
    label: int
    source: str
    flair: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to ``message``; label 1 is consistent with the knowledge."""

    id: str | int
    context: str
    message: str
    text: str
    label: int
    model: str = ""


def load_factcheck(paths: Sequence[Path]) -> Dataset:
    """Read stances (Wang et al. 2023, arXiv:2311.09000; Apache-2.0); the source is the claim.

    Evidence that supports a claim in part leaves it unsupported, with "partially supported" as its kind.

    Raises:
        UsageError: a stance that is none of the four.
    """
    examples: list[Example] = []
    for path in paths:
        for row in checked_rows(path, Stance):
            label = _STANCES.get(row.value.stance)
            if label is None:
                raise UsageError(
                    f"{row.where}: the stance is {row.value.stance!r}, expected {', '.join(_STANCES)}"
                )
            examples.append(
                Example(
                    id=f"factcheck-{row.number}",
                    claim=row.value.claim,
                    evidence=(row.value.evidence,),
                    label=label,
                    source=document_name(row.value.claim),
                    domain="factcheck_gpt",
                    task="fact-check",
                    kind="partially supported" if label is Label.UNSUPPORTED else "",
                    unsupported_spans=() if label is Label.SUPPORTED else None,
                    licence="Apache-2.0",
                )
            )
    return Dataset("FactCheckGPT", tuple(examples), ("unsupported_spans", "generator"))


def load_covid_fact(paths: Sequence[Path]) -> Dataset:
    """Read claims (Saakyan et al. 2021, arXiv:2106.03794; CC BY-SA 4.0); the source is the page."""
    examples = tuple(
        Example(
            id=f"covid_fact-{row.value.id}",
            claim=row.value.text,
            evidence=(row.value.context,),
            label=Label.SUPPORTED if row.value.label else Label.REFUTED,
            source=row.value.source,
            domain="covid_fact",
            task="fact-check",
            unsupported_spans=() if row.value.label else None,
            licence="CC BY-SA 4.0",
        )
        for path in paths
        for row in checked_rows(path, CovidClaim)
    )
    return Dataset("Covid-Fact", examples, ("unsupported_spans", "kind", "generator"))


def load_q2(paths: Sequence[Path]) -> Dataset:
    """Read replies (Honovich et al. 2021, arXiv:2104.08202); ``question`` is what they reply to."""
    examples = tuple(
        Example(
            id=f"q2-{row.value.id}",
            claim=row.value.text,
            evidence=(row.value.context,),
            label=Label.SUPPORTED if row.value.label else Label.UNSUPPORTED,
            source=document_name(row.value.context),
            domain="q2_wow",
            task="dialogue",
            unsupported_spans=() if row.value.label else None,
            licence="MIT / Apache-2.0",
            question=row.value.message,
            generator=row.value.model,
        )
        for path in paths
        for row in checked_rows(path, Reply)
    )
    return Dataset("Q² Wizard of Wikipedia", examples, ("unsupported_spans", "kind"))
