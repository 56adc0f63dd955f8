"""How an answer is shown: its text, its places, then doubts; on demand why, and how it came about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid.assistant import Assistant
from hybrid.cli import console
from hybrid.domains import Assistants
from hybrid.errors import ModelMissing
from hybrid.freshness import seen_of
from hybrid.text.abbreviations import Meaning
from hybrid.types import Answer, Arm, Citation, Span, plain

if TYPE_CHECKING:
    from hybrid.evaluation.outcomes import ArmCost
    from hybrid.grounding.judge import Grounding
    from hybrid.grounding.sampling import Uncertainty
    from hybrid.grounding.values import ClaimVerdict, Excerpt

_WORDS = {
    "supported": "supported",
    "unclear": "unclear from the passages",
    "contradicted": "contradicted",
    "not in evidence": "not in the passages",
    "unsupported language": "not checked, for its language",
    "not judged": "not checked, for the judge computed no number",
}
_MARGIN = "  "
# So many columns the numbers of a place take.
_MARKS = 8
# They quote, or assert nothing: there is nothing to doubt.
_VERBATIM = ("extractive", "talk")


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of an answer beside its text, its places and its doubts.

    ``why`` shows what carries each sentence, and how surely; ``explain`` how the answer came about.
    """

    assistant: Assistant | Assistants
    check: bool = True
    why: bool = False
    explain: bool = False
    samples: int | None = None
    as_user: Sequence[str] | None = None

    def show(self, parts: Iterator[str | Answer]) -> bool:
        """Write an answer while it comes, and at its end what it rests on; tell whether it found any."""
        text, is_found = console.Wrapped(), False
        for part in parts:
            if isinstance(part, str):
                text.write(part)
                continue
            text.close()
            is_found = bool(part.hits)
            self._places(part)
            _doubts(part)
            grounding = self.checked(part) if self.why or part.reader not in _VERBATIM else None
            for line in lines(part, grounding, why=self.why):
                console.data(line)
            for line in _agreed(self.sure(part)):
                console.data(line)
            for line in _explained(self.assistant, part, self.as_user) if self.explain else ():
                console.data(line)
        return is_found

    def checked(self, answer: Answer) -> Grounding | None:
        """Return what the judge says of an answer, None where it is not asked or not there."""
        if not self.check:
            return None
        try:
            return self.assistant.check(answer)
        except ModelMissing as error:  # the answer is there and cited all the same
            console.note(f"not checked: {error}")
            return None

    def sure(self, answer: Answer) -> Uncertainty | None:
        """Return whether sampled answers agree, None where none are to be drawn."""
        if not self.samples or isinstance(self.assistant, Assistants):
            return None
        return self.assistant.asked.uncertainty(answer, samples=self.samples)

    def values(self, answer: Answer) -> dict[str, Any]:
        """Return an answer as JSON values."""
        costs = {"otherwise": plain(_costs(self.assistant, answer))} if self.explain else {}
        return values(answer, self.checked(answer), self.sure(answer)) | costs

    def _places(self, answer: Answer) -> None:
        found = answer.closest or answer.citations
        if found:
            console.data("\nClosest:" if answer.abstained else "")
        own = _own(self.assistant, answer)
        seen = seen_of(own.folder) if own is not None and found else None
        places: dict[tuple[str, str], list[Citation]] = {}
        for citation in found:
            places.setdefault(_place(citation, answer.domain), []).append(citation)
        for (about, path), same in places.items():
            numbers = "".join(f"[{citation.number}]" for citation in same)
            mark = "" if answer.abstained else f"{numbers} "
            target = _file(Path(seen.folder), same[0].source) if seen is not None else None
            console.link(f"{_MARGIN}{mark}{about}", path, target=target)


def _place(citation: Citation, domain: str) -> tuple[str, str]:
    """Return title, heading, page or line of a citation within the width there is; and its path."""
    path = console.cited_file(citation) + (f" ({domain})" if domain else "")
    about = console.cited_place(citation, max(console.width() - len(path) - _MARKS, 20))
    return f"{about}, " if about else "", path


def _file(folder: Path, source: str) -> Path | None:
    """Return the user's file of a source, None if it is no longer there."""
    named = (source, source.rpartition("#")[0])
    there = [folder] if folder.is_file() else [folder / name for name in named if name]
    return next((path for path in there if path.is_file()), None)


def _doubts(answer: Answer) -> None:
    """Note what one has to know to rely on an answer."""
    if answer.standalone:
        console.note(f"read as: {answer.standalone}")
    if answer.incomplete:
        console.note(f"incomplete: {answer.incomplete}")
    if answer.dropped_sentences:
        console.note(f"{len(answer.dropped_sentences)} sentences left out: no passage supports them")
    if answer.dropped_markers:
        console.note(f"{answer.dropped_markers} citation markers left out: they pointed at no passage")
    if answer.arm in (Arm.BASE, Arm.ADAPTER) and not answer.abstained:
        console.note("note: written from the model's memory, without any document")


def _agreed(sure: Uncertainty | None) -> Iterator[str]:
    if sure is not None:
        many = "s" if len(sure.samples) > 1 else ""
        groups = f"{sure.meanings} meaning{'s' if sure.meanings > 1 else ''}, entropy {sure.entropy:.2f}"
        yield f"agreement {sure.agreement:.2f} over {len(sure.samples)} sample{many} ({groups})"


def _explained(
    assistant: Assistant | Assistants, answer: Answer, as_user: Sequence[str] | None
) -> Iterator[str]:
    """Yield how an answer came about: domains and their chances, the arm and why it, passages, time."""
    yield "how:"
    if answer.route is not None:
        where = answer.domain or "none of the domains"
        yield f"{_MARGIN}domain {where} ({answer.route.probability:.2f}; {answer.route.reason})"
    for one in answer.route.chances if answer.route else ():
        yield f"{_MARGIN}{one.probability:.3f}  {one.domain or 'none of these'}"
    own = _own(assistant, answer)
    if own is not None:
        route, router = answer.arm_route, own.asked.router
        because = route.reason if route else own.asked.because or "nothing was decided yet"
        yield f"{_MARGIN}arm {answer.variant or answer.arm}: {because}"
        for chance in route.chances if route else ():
            yield f"{_MARGIN}{chance.expected:.3f}  {chance.arm}"
        yield from [f"{_MARGIN}{router.routing.sentence}"] if router else []
        yield from [f"{_MARGIN}{own.asked.of_labels}"] if own.asked.of_labels else []
        asked = answer.standalone or answer.question
        for meaning in own.asked.meanings(asked, answer.variant, as_user) if answer.variant else ():
            yield f"{_MARGIN}also searched: {console.one_line(meant(meaning), 200)}"
    for rank, hit in enumerate(answer.hits, start=1):
        yield f"{_MARGIN}{rank}. {hit.score:.3f}  {console.place(hit.chunk)}"
    sure = "none" if answer.confidence is None else f"{answer.confidence:.2f}, not calibrated"
    tokens = f"{answer.prompt_tokens} tokens read, {answer.completion_tokens} written"
    yield f"{_MARGIN}confidence {sure}; {tokens}, {answer.seconds:.2f} s"
    for arm, cost in _costs(assistant, answer).items():
        tokens = f"{cost.prompt_tokens:.0f} tokens read, {cost.completion_tokens:.0f} written"
        yield f"{_MARGIN}on average {arm}: {tokens}, {cost.seconds:.2f} s"


def meant(one: Meaning) -> str:
    """Return what a form stands for, and how many documents say so."""
    many = "s" if one.documents > 1 else ""
    return f"{one.form} = {one.meaning} ({one.documents} document{many})"


def _costs(assistant: Assistant | Assistants, answer: Answer) -> dict[str, ArmCost]:
    """Return what an answer by each arm took when the arms were compared; nothing where they were not."""
    own = _own(assistant, answer)
    return {} if own is None else own.asked.costs


def _own(assistant: Assistant | Assistants, answer: Answer) -> Assistant | None:
    """Return the assistant of the domain that answered, None if none did."""
    if isinstance(assistant, Assistant):
        return assistant
    return assistant[answer.domain] if answer.domain else None


def lines(answer: Answer, grounding: Grounding | None, *, why: bool = False) -> Iterator[str]:
    """Yield what is said of each claim; of one that asserts nothing, nothing.

    What the passages do not carry is underlined; ``why`` tells what they carry as well, and where.
    """
    for verdict in grounding.verdicts if grounding else ():
        if verdict.status in _WORDS and (why or verdict.status != "supported"):
            yield from _told(answer, verdict)


def values(answer: Answer, grounding: Grounding | None, sure: Uncertainty | None = None) -> dict[str, Any]:
    """Return an answer as JSON values, with its ``claims`` and its ``uncertainty``.

    The claims are null where nothing was checked, the uncertainty where nothing was sampled.

    ``evidence.passage`` is a place among the hits, from 0, and the spans are offsets into its text.
    """
    sources = [hit.chunk.source for hit in answer.hits]
    claims = None if grounding is None else [verdict.document(sources) for verdict in grounding.verdicts]
    return {**answer.to_dict(), "claims": claims, "uncertainty": plain(sure)}


def _told(answer: Answer, verdict: ClaimVerdict) -> Iterator[str]:
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


def _shown(answer: Answer, evidence: Excerpt, claim: str) -> Iterator[str]:
    """Yield where the evidence stands, and what it says if the claim does not say just that."""
    chunk = answer.hits[evidence.passage].chunk
    start, end = (chunk.start + place for place in (evidence.spans[0].start, evidence.spans[-1].end))
    cited = [
        f"[{one.number}]"
        for one in answer.citations
        if one.source == chunk.source and one.start <= start and end <= one.end
    ]
    where = cited[0] if cited else console.place(chunk, Span(start, end))
    verbatim = evidence.text.split() == claim.split()
    quote = "" if verbatim else f'"{console.one_line(evidence.text, console.width() - 12)}"'
    if quote and not cited:
        yield f"{2 * _MARGIN}{where}"
        yield f"{2 * _MARGIN}{quote}"
    else:
        yield f"{2 * _MARGIN}{where} {quote}".rstrip()
