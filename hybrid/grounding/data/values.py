"""What a labelled example is.

Frozen values. A label says what the evidence does to the claim, by whoever labelled it; how sure that is
depends on the set.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hybrid.errors import UsageError
from hybrid.grounding.values import Evidence
from hybrid.types import Span


class Label(StrEnum):
    """What the evidence does to the claim.

    ``supported``: it carries all of it. ``refuted``: it says otherwise. ``neutral``: it does neither, the
    claim is not in it. ``unsupported``: one of the last two, or both in parts; the set does not say which.
    """

    SUPPORTED = "supported"
    REFUTED = "refuted"
    NEUTRAL = "neutral"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Example:
    """A claim, its evidence and a label.

    ``evidence`` are the texts of the passages. ``source`` is the document behind it: examples of one source
    are not independent, so they are split and resampled together. ``task`` says what wrote the claim (qa,
    summary, dialogue, data-to-text, fact-check), ``kind`` what is wrong with it (the type of edit or of
    hallucination; "" if nothing is, or nobody said), ``question`` what the claim answers and ``generator``
    who wrote it, if known. ``unsupported_spans`` are the stretches of the claim that the evidence does not
    carry, in order and apart, () if there are none; None = unknown. ``carried_by`` are alternative sets of
    sentences that were found to carry it, or the part of it that is carried.

    Raises:
        UsageError: spans that are empty, overlap, are out of order or leave the claim.
    """

    id: str
    claim: str
    evidence: tuple[str, ...]
    label: Label
    source: str
    domain: str = ""
    task: str = ""
    kind: str = ""
    unsupported_spans: tuple[Span, ...] | None = None
    licence: str = ""
    question: str = ""
    generator: str = ""
    carried_by: tuple[Evidence, ...] = ()

    def __post_init__(self) -> None:
        """Refuse spans that are not stretches of the claim."""
        last = 0
        for span in self.unsupported_spans or ():
            if not last <= span.start < span.end <= len(self.claim):
                raise UsageError(
                    f"example {self.id}: the stretch {span.start}–{span.end} is empty, out of order, or "
                    f"leaves the claim of {len(self.claim)} characters"
                )
            last = span.end

    @property
    def unsupported(self) -> bool:
        """Tell whether anything in the claim is not carried: the binary view of every label."""
        return self.label is not Label.SUPPORTED


@dataclass(frozen=True, slots=True)
class Dataset:
    """Examples of one set.

    ``unknown`` names the fields of an example that the set says nothing about, and ``left_out`` counts its
    rows that are no examples.
    """

    name: str
    examples: tuple[Example, ...]
    unknown: tuple[str, ...] = ()
    left_out: int = 0
