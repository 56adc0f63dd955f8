"""What carries an answer: the verdict on each of its sentences, or on its samples, as lines and JSON values.

Takes an answer and what was found of it, gives text. Knows nothing about how it was judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hybrid.cli import console
from hybrid.types import Answer

if TYPE_CHECKING:
    from hybrid.grounding.judging import Grounding
    from hybrid.grounding.sampling import Uncertainty
    from hybrid.grounding.values import Evidence, Verdict

_WORDS = {
    "supported": "supported",
    "contradicted": "contradicted",
    "not in evidence": "not in the passages",
    "unsupported language": "not checked, for its language",
}
_MARGIN = "  "


def lines(answer: Answer, grounding: Grounding | None) -> Iterator[str]:
    """Yield what is said of each claim; one that asserts nothing is passed over.

    What the passages carry is told with the place that says it; what they do not is underlined.
    """
    for verdict in grounding.verdicts if grounding else ():
        if verdict.status in _WORDS:
            yield from _told(answer, verdict)


def agreement(sure: Uncertainty) -> str:
    """Return in one line how far the samples of an answer agree with it."""
    count = len(sure.samples)
    groups = f"{sure.meanings} meaning{'s' if sure.meanings > 1 else ''}, entropy {sure.entropy:.2f}"
    return f"agreement {sure.agreement:.2f} over {count} sample{'s' if count > 1 else ''} ({groups})"


def values(answer: Answer, grounding: Grounding | None, sure: Uncertainty | None = None) -> dict[str, Any]:
    """Return an answer as JSON values, with its ``claims`` and its ``uncertainty``.

    The claims are null where nothing was checked, the uncertainty where nothing was sampled.

    ``evidence.passage`` is a place among the hits, from 0, and the spans are offsets into its text.
    """
    claims = None if grounding is None else [_claim(answer, verdict) for verdict in grounding.verdicts]
    return {**console.plain(answer), "claims": claims, "uncertainty": console.plain(sure)}


def _claim(answer: Answer, verdict: Verdict) -> dict[str, Any]:
    evidence = verdict.evidence
    source = {} if evidence is None else {"source": answer.hits[evidence.passage].chunk.source}
    return {
        "text": verdict.claim.text,
        "span": console.plain(verdict.claim.span),
        "status": verdict.status.value,
        "reason": verdict.claim.reason,
        "support": verdict.support,
        "evidence": None if evidence is None else source | console.plain(evidence),
        "findings": console.plain(verdict.findings),
    }


def _told(answer: Answer, verdict: Verdict) -> Iterator[str]:
    carried = verdict.status == "supported"
    likely = "" if verdict.support is None else f" ({verdict.support:.2f})"
    label = f"{_MARGIN}{_WORDS[verdict.status]}{likely}: "
    said = console.one_line(verdict.claim.text, max(console.width() - len(label) - 2, 20))
    yield f'{label}"{said if carried or not likely else console.underlined(said)}"'
    doubts = [f"{found.doubt} {console.one_line(found.text, 40)}" for found in verdict.findings]
    if doubts and not carried:
        yield f"{2 * _MARGIN}in doubt: {', '.join(doubts)}"
    # what is nowhere has only a nearest stretch, which would look like evidence
    if verdict.evidence is not None and verdict.status != "not in evidence":
        yield from _shown(answer, verdict.evidence, verdict.claim.text)


def _shown(answer: Answer, evidence: Evidence, claim: str) -> Iterator[str]:
    """Yield where the evidence stands, and what it says if the claim does not say just that."""
    chunk = answer.hits[evidence.passage].chunk
    start, end = (chunk.start + place for place in (evidence.spans[0].start, evidence.spans[-1].end))
    cited = [
        f"[{one.number}]"
        for one in answer.citations
        if one.source == chunk.source and one.start <= start and end <= one.end
    ]
    where = cited[0] if cited else console.place(chunk.source, chunk.page, start, end)
    verbatim = evidence.text.split() == claim.split()
    quote = "" if verbatim else f'"{console.one_line(evidence.text, console.width() - 12)}"'
    if quote and not cited:
        yield f"{2 * _MARGIN}{where}"
        yield f"{2 * _MARGIN}{quote}"
    else:
        yield f"{2 * _MARGIN}{where} {quote}".rstrip()
