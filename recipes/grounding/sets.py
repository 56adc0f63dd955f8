"""Public labelled sets, each recognised by the fields of its rows.

    python -m recipes.grounding.sets SET > labelled.jsonl

writes a set as rows of one's own, which `hybrid grounding evaluate` and `calibrate` read.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from hybrid.errors import UsageError
from hybrid.grounding.examples import (
    CheckedRow,
    Dataset,
    Label,
    LabelledClaim,
    checked_rows,
    document_name,
    fields_of,
    is_own,
    load_own,
    tables_in,
    told_of,
)
from hybrid.types import Span


@dataclass(frozen=True, slots=True)
class Summary:
    """A row; label 1 is consistent with the document."""

    id: str
    doc: str
    summary: str
    label: int
    original_summary: str
    edit_types: tuple[str, ...] = ()


def load_summedits(paths: Sequence[Path]) -> Dataset:
    """Read domains, each named like its file (Laban et al. 2023, arXiv:2305.14540; Apache-2.0).

    The words that are not supported are those that differ from the consistent summary that was edited.
    """
    return Dataset(
        "SummEdits", tuple(_summary(path, row.value) for path in paths for row in checked_rows(path, Summary))
    )


def _summary(path: Path, row: Summary) -> LabelledClaim:
    spans = () if row.label else diff_spans(row.original_summary, row.summary)
    return LabelledClaim(
        id=f"summedits-{path.stem}-{row.id}",
        claim=row.summary,
        evidence=(row.doc,),
        label=Label.SUPPORTED if row.label else Label.UNSUPPORTED,
        source=document_name(row.doc),
        domain=path.stem,
        task="summary",
        kind=", ".join(row.edit_types),
        unsupported_spans=spans if spans or row.label else None,
        licence="Apache-2.0",
    )


_VERDICTS = {"SUPPORT": Label.SUPPORTED, "CONTRADICT": Label.REFUTED}


@dataclass(frozen=True, slots=True)
class Rationale:
    """Sentences of an abstract that decide; they are counted in a split of the abstract that is not there."""

    doc_id: str | int
    label: str


@dataclass(frozen=True, slots=True)
class CitingClaim:
    """A claim and the abstracts that were looked at."""

    id: str | int
    claim: str
    cited_doc_ids: tuple[str | int, ...]
    evidence: tuple[Rationale, ...]


@dataclass(frozen=True, slots=True)
class Abstract:
    """A row of the corpus."""

    _id: str | int
    title: str
    text: str


def load_scifact(paths: Sequence[Path]) -> Dataset:
    """Read claims (Wadden et al. 2020, arXiv:2004.14974; claims CC BY 4.0, abstracts ODC-By).

    Each abstract that a claim cites gives an example, neutral if nobody found evidence in it.

    Raises:
        UsageError: an abstract is not in the corpus beside the claims, or a label is none of the two.
    """
    if len(paths) != 1:
        raise UsageError(
            f"{len(paths)} files of one set: {', '.join(path.name for path in paths)}", hint="name one"
        )
    corpus = paths[0].parent / "corpus.jsonl"
    known = {str(row.value._id): row.value for row in checked_rows(corpus, Abstract)}
    rows = checked_rows(paths[0], CitingClaim)
    return Dataset("SciFact", tuple(example for row in rows for example in _abstracts(row, known, corpus)))


def _abstracts(
    row: CheckedRow[CitingClaim], known: dict[str, Abstract], corpus: Path
) -> Iterator[LabelledClaim]:
    labels = {str(rationale.doc_id): rationale.label for rationale in row.value.evidence}
    for name in dict.fromkeys([*map(str, row.value.cited_doc_ids), *labels]):
        abstract = known.get(name)
        if abstract is None:
            raise UsageError(f"{row.where}: abstract {name} is not in {corpus}")
        if labels.get(name, "SUPPORT") not in _VERDICTS:
            raise UsageError(f"{row.where}: the label is {labels[name]!r}, expected {' or '.join(_VERDICTS)}")
        label = _VERDICTS[labels[name]] if name in labels else Label.NEUTRAL
        yield LabelledClaim(
            id=f"scifact-{row.value.id}-{name}",
            claim=row.value.claim,
            evidence=(f"{abstract.title}\n{abstract.text}",),
            label=label,
            source=name,
            domain="scifact",
            task="fact-check",
            unsupported_spans=() if label is Label.SUPPORTED else None,
            licence="CC BY 4.0 (claims), ODC-By (abstracts)",
        )


_CARRIED = {
    "supported": Label.SUPPORTED,
    "partially_supported": Label.UNSUPPORTED,
    "not_supported": Label.UNSUPPORTED,
}


@dataclass(frozen=True, slots=True)
class Meta:
    """Where the claim stands."""

    id: str


@dataclass(frozen=True, slots=True)
class PageClaim:
    """A claim; ``supporting_sentences`` are alternative sets of places in ``evidence``.

    In one of the files the words of the claim are marked: a flag each, whether nothing supports it.
    """

    label: str
    supporting_sentences: tuple[tuple[int, ...], ...]
    claim: str
    evidence: tuple[str, ...]
    meta: Meta
    claim_tokens: tuple[str, ...] = ()
    non_supported_spans: tuple[bool, ...] = ()


def load_wice(paths: Sequence[Path]) -> Dataset:
    """Read claims of Wikipedia (Kamoi et al. 2023, arXiv:2303.01432; annotations ODC-BY).

    The page is one passage, a line a sentence.

    Raises:
        UsageError: a label that is none of the three, or words that are not the claim's, in their order.
    """
    return Dataset("WiCE", tuple(_page_claim(row) for path in paths for row in checked_rows(path, PageClaim)))


def wice_gold(path: Path) -> dict[str, tuple[tuple[Span, ...], ...]]:
    """Return by the id of a claim the sets of sentences that people found to carry it, or its carried part.

    Raises:
        UsageError: a sentence that the page does not have.
    """
    return {_wice_id(row.value): tuple(_gold(row)) for row in checked_rows(path, PageClaim)}


def recall(found: Sequence[Span], gold: Sequence[Span]) -> float | None:
    """Return the share of gold stretches that are covered by half or more; None without gold.

    Args:
        found: what was selected, which may overlap.
        gold: stretches of the same text, none of them empty.
    """
    if not gold:
        return None
    covered = {place for span in found for place in range(span.start, span.end)}
    hits = [
        2 * sum(place in covered for place in range(span.start, span.end)) >= span.end - span.start
        for span in gold
    ]
    return sum(hits) / len(hits)


def _page_claim(row: CheckedRow[PageClaim]) -> LabelledClaim:
    value = row.value
    label = _CARRIED.get(value.label)
    if label is None:
        raise UsageError(f"{row.where}: the label is {value.label!r}, expected {', '.join(_CARRIED)}")
    marked = _marked(row) if value.claim_tokens else None
    page = "\n".join(value.evidence)
    return LabelledClaim(
        id=_wice_id(value),
        claim=value.claim,
        evidence=(page,),
        label=label,
        source=document_name(page),
        domain="wice",
        task="fact-check",
        kind="" if label is Label.SUPPORTED else value.label.replace("_", " "),
        unsupported_spans=() if label is Label.SUPPORTED else marked,
        licence="ODC-BY",
    )


def _wice_id(value: PageClaim) -> str:
    return f"wice-{value.meta.id}"


def _gold(row: CheckedRow[PageClaim]) -> Iterator[tuple[Span, ...]]:
    sentences = row.value.evidence
    starts = [0]
    for sentence in sentences:
        starts.append(starts[-1] + len(sentence) + 1)
    for places in row.value.supporting_sentences:
        if any(not 0 <= place < len(sentences) for place in places):
            raise UsageError(f"{row.where}: sentences {list(places)} of a page of {len(sentences)}")
        if places:
            yield tuple(Span(starts[place], starts[place] + len(sentences[place])) for place in places)


def _marked(row: CheckedRow[PageClaim]) -> tuple[Span, ...]:
    value, spans, end = row.value, [], 0
    if len(value.claim_tokens) != len(value.non_supported_spans):
        raise UsageError(
            f"{row.where}: {len(value.claim_tokens)} words and {len(value.non_supported_spans)} flags"
        )
    for word, lacking in zip(value.claim_tokens, value.non_supported_spans, strict=True):
        start = value.claim.find(word, end)
        if start < 0:
            raise UsageError(f"{row.where}: the word {word!r} does not stand in the claim at its place")
        end = start + len(word)
        if lacking:
            spans.append(Span(start, end))
    return merged_spans(spans, length=len(value.claim), text=value.claim)


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


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply in a dialogue; label 1 is consistent with the knowledge."""

    id: str | int
    context: str
    text: str
    label: int


def load_factcheck(paths: Sequence[Path]) -> Dataset:
    """Read stances (Wang et al. 2023, arXiv:2311.09000; Apache-2.0); the source is the claim.

    Evidence that supports a claim in part leaves it unsupported, with "partially supported" as its kind.

    Raises:
        UsageError: a stance that is none of the four.
    """
    examples: list[LabelledClaim] = []
    for path in paths:
        for row in checked_rows(path, Stance):
            label = _STANCES.get(row.value.stance)
            if label is None:
                raise UsageError(
                    f"{row.where}: the stance is {row.value.stance!r}, expected {', '.join(_STANCES)}"
                )
            examples.append(
                LabelledClaim(
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
    return Dataset("FactCheckGPT", tuple(examples))


def load_covid_fact(paths: Sequence[Path]) -> Dataset:
    """Read claims (Saakyan et al. 2021, arXiv:2106.03794; CC BY-SA 4.0); the source is the page."""
    examples = tuple(
        LabelledClaim(
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
    return Dataset("Covid-Fact", examples)


def load_q2(paths: Sequence[Path]) -> Dataset:
    """Read replies (Honovich et al. 2021, arXiv:2104.08202); the source is the knowledge."""
    examples = tuple(
        LabelledClaim(
            id=f"q2-{row.value.id}",
            claim=row.value.text,
            evidence=(row.value.context,),
            label=Label.SUPPORTED if row.value.label else Label.UNSUPPORTED,
            source=document_name(row.value.context),
            domain="q2_wow",
            task="dialogue",
            unsupported_spans=() if row.value.label else None,
            licence="MIT / Apache-2.0",
        )
        for path in paths
        for row in checked_rows(path, Reply)
    )
    return Dataset("Q² Wizard of Wikipedia", examples)


_ATTRIBUTED = {
    "Fully attributable": Label.SUPPORTED,
    "Not fully attributable": Label.UNSUPPORTED,
    "Generic": None,
}


@dataclass(frozen=True, slots=True)
class KnownReply:
    """A reply of a model to a message, and the knowledge that it was given."""

    part: str
    model: str
    evidence: str
    claim: str
    begin_label: str


def load_begin(paths: Sequence[Path]) -> Dataset:
    """Read replies of models (Dziri et al. 2022, arXiv:2105.00071; CC BY 4.0); the source is the knowledge.

    A reply that asserts nothing ("generic") is neither and is left out.

    Raises:
        UsageError: a label that is none of the three.
    """
    examples: list[LabelledClaim] = []
    for path in paths:
        for row in checked_rows(path, KnownReply):
            value = row.value
            if value.begin_label not in _ATTRIBUTED:
                raise UsageError(
                    f"{row.where}: the label is {value.begin_label!r}, expected {', '.join(_ATTRIBUTED)}"
                )
            label = _ATTRIBUTED[value.begin_label]
            if label is None:
                continue
            examples.append(
                LabelledClaim(
                    id=f"begin-{row.number}",
                    claim=value.claim,
                    evidence=(value.evidence,),
                    label=label,
                    source=document_name(value.evidence),
                    domain="begin",
                    task="dialogue",
                    unsupported_spans=() if label is Label.SUPPORTED else None,
                    licence="CC BY 4.0",
                )
            )
    return Dataset("BEGIN", tuple(examples))


@dataclass(frozen=True, slots=True)
class Format:
    """A set and the fields that its rows have; ``load`` takes all files of it."""

    name: str
    fields: frozenset[str]
    load: Callable[[Sequence[Path]], Dataset]


def _format(name: str, fields: str, load: Callable[[Sequence[Path]], Dataset]) -> Format:
    return Format(name, frozenset(fields.split()), load)


# More fields first: the first format whose fields are all there is taken.
FORMATS = (
    _format("WiCE", "claim evidence label supporting_sentences meta", load_wice),
    _format("SummEdits", "doc summary label original_summary", load_summedits),
    _format("SciFact", "id claim cited_doc_ids evidence", load_scifact),
    _format("FactCheckGPT", "claim evidence stance", load_factcheck),
    _format("BEGIN", "part model evidence claim begin_label", load_begin),
    _format("Q² Wizard of Wikipedia", "id context message text label", load_q2),
    _format("Covid-Fact", "id context text label source", load_covid_fact),
)
_OWN = Format("your own", frozenset(), load_own)


def load(path: Path) -> Dataset:
    """Read the labelled set in a file, or in the files of a folder (not below it).

    Raises:
        UsageError: there is nothing, it is in no known format, the folder holds several sets, or a row is
            not as its format says; the message names what was found and what was expected.
    """
    if path.is_file():
        found = {path: _format_of(path)}
    elif path.is_dir():
        found = {file: format_ for file in tables_in(path) if (format_ := _format_of(file)) is not None}
    else:
        raise UsageError(f"there is no file or folder {path}", hint="name the file with the labelled claims")
    formats = list(dict.fromkeys(found.values()))
    if len(formats) > 1:
        listed = "; ".join(f"{file.name} ({each.name})" for file, each in found.items() if each)
        raise UsageError(f"{path} holds several sets: {listed}", hint="name one of the files")
    if not formats or formats[0] is None:
        known = "; ".join(f"{each.name} ({', '.join(sorted(each.fields))})" for each in FORMATS)
        raise UsageError(
            f"{path} holds no set that is known: {told_of(path)}",
            hint=f"expected claims of your own (claim, evidence, label), or rows of one of: {known}",
        )
    return formats[0].load(tuple(found))


def _format_of(path: Path) -> Format | None:
    fields = fields_of(path)
    if fields is None:
        return None
    known = next((each for each in FORMATS if each.fields <= fields), None)
    return known or (_OWN if is_own(fields) else None)


def merged_spans(spans: Iterable[Span], *, length: int, text: str = "") -> tuple[Span, ...]:
    """Return the same stretches in order, cut to the length, without overlaps and without empty ones.

    Args:
        spans: in any order.
        length: of the text that they point into.
        text: if given, stretches with nothing but white space between them are joined.
    """
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        start, end = max(span.start, 0), min(span.end, length)
        if start >= end:
            continue
        near = joined and (start <= joined[-1].end or (text and not text[joined[-1].end : start].strip()))
        if near:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, end))
        else:
            joined.append(Span(start, end))
    return tuple(joined)


def row_of(example: LabelledClaim) -> dict[str, object]:
    """Return an example as a row of one's own labelled claims; what is not known is left away."""
    row = dataclasses.asdict(example)
    return {name: value for name, value in row.items() if value not in ("", None)}


def main() -> int:
    """Write a set as rows of one's own."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return UsageError.exit_code
    try:
        found = load(Path(sys.argv[1]))
    except UsageError as error:
        print(f"{error}\n{error.hint}", file=sys.stderr)
        return error.exit_code
    for example in found.examples:
        print(json.dumps(row_of(example), ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())


_WORD = re.compile(r"\w+(?:[.,’'-]\w+)*|[$€£%°]")
# Longer stretches without a common end are not compared word by word: that would take minutes.
_MOST_WORDS = 1_500


def diff_spans(original: str, edited: str) -> tuple[Span, ...]:
    """Return the stretches of ``edited`` whose words are not in ``original`` at their place.

    Words are compared without case and marks. Where something was only taken out, the word behind the gap
    stands for it, or the last word. Neighbouring new words make one stretch. Nothing new gives ().
    """
    old, new = list(_WORD.finditer(original)), list(_WORD.finditer(edited))
    before, after = [word.group().casefold() for word in old], [word.group().casefold() for word in new]
    if not new:
        return ()
    changed: set[int] = set()
    for first, last in _changes(before, after):
        # of what was taken out nothing is left to point at but its neighbour
        changed.update(range(first, last) if last > first else (min(first, len(new) - 1),))
    return merged_spans(
        (Span(new[place].start(), new[place].end()) for place in sorted(changed)),
        length=len(edited),
        text=edited,
    )


def _changes(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """Return the runs of places in ``after`` that are new; an empty run is where something is missing."""
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    if not old and not new:
        return []
    if max(len(old), len(new)) > _MOST_WORDS:
        return [(head, head + len(new))]
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return [(head + first, head + last) for tag, _, _, first, last in matcher.get_opcodes() if tag != "equal"]
