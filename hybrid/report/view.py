"""What a page shows beside the decision: which questions, which passages of theirs, and what arms cost."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from hybrid.decision.values import Decision
from hybrid.evaluation.outcomes import ArmCost, Outcome, Retrieved
from hybrid.evaluation.scores import METRICS, Scores, ScoreTable
from hybrid.evaluation.scoring import ArmSummary, summarise
from hybrid.report import words
from hybrid.types import Evidence, Question, Span

SHOWN_QUESTIONS = 20
MISSING = "–"
_NO_TRAINING = "none"
# A passage is as long as a chunk; a longer one is cut to this around what is marked.
_LONGEST_PASSAGE = 2_400
_BEFORE = 300


@dataclass(frozen=True, slots=True)
class ReportMaterial:
    """What an experiment left behind; every part may be empty, and the report then does without it.

    ``scores`` stand in the order of ``outcomes``. ``settings`` is what names the run: settings, digests
    of models and adapters, index generation, seeds, versions.
    """

    questions: tuple[Question, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    scores: tuple[Scores, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert len(self.outcomes) == len(self.scores), "every outcome has its scores"


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """A question and the score of every arm, in the order of the decision; None where it was not asked."""

    question: str
    values: tuple[float | None, ...]

    @property
    def known(self) -> list[float]:
        """Return the scores of those that were asked."""
        return [value for value in self.values if value is not None]


@dataclass(frozen=True, slots=True)
class GroupMeans:
    """The means of a part of the answers, one an arm; None where an arm has no value there."""

    name: str
    count: int
    means: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A part of a passage: ``cited`` names who cites it, such as ``rag [1]``."""

    text: str
    cited: tuple[str, ...] = ()
    gold: bool = False


@dataclass(frozen=True, slots=True)
class ShownPassage:
    """A passage as it is shown: ``seen`` says which arm had it at which rank."""

    source: str
    span: Span
    seen: tuple[str, ...]
    stretches: tuple[MarkedText, ...]

    @property
    def telling(self) -> bool:
        """Tell whether anything in it is cited or gold."""
        return any(stretch.cited or stretch.gold for stretch in self.stretches)


def rows_of(decision: Decision, table: ScoreTable | None, material: ReportMaterial) -> tuple[ScoreRow, ...]:
    """Return the score that decides for every question: from the table, else from the scores."""
    arms = [result.arm for result in decision.arms]
    if table is not None:
        columns = [table.arms.index(arm) if arm in table.arms else None for arm in arms]
        return tuple(
            ScoreRow(question, tuple(None if c is None else float(values[c]) for c in columns))
            for question, values in zip(table.questions, table.values, strict=True)
        )
    found = {
        (outcome.question, outcome.arm): _share(scores, decision.policy.metric)
        for outcome, scores in zip(material.outcomes, material.scores, strict=True)
    }
    rows = (ScoreRow(q.id, tuple(found.get((q.id, arm)) for arm in arms)) for q in material.questions)
    return tuple(row for row in rows if row.known)


def subject(decision: Decision) -> str | None:
    """Return the arm that the reader will want to see fail: chosen, else interim, else the best mean."""
    if named := decision.arm or decision.interim:
        return named
    return max(decision.arms, key=lambda result: result.mean).arm if decision.arms else None


def worst(rows: Sequence[ScoreRow], arm: int) -> tuple[ScoreRow, ...]:
    """Return the questions that an arm lost, lowest first; of equals those where another arm did better."""
    lost = [(value, row) for row in rows if (value := row.values[arm]) is not None and value < 1]
    lost.sort(key=lambda one: (one[0], -max(one[1].known), -statistics.fmean(one[1].known)))
    return tuple(row for _, row in lost[:SHOWN_QUESTIONS])


def contested(rows: Sequence[ScoreRow]) -> tuple[ScoreRow, ...]:
    """Return the questions on which the arms differ most, by the variance of their scores."""
    split = [row for row in rows if row.known and max(row.known) > min(row.known)]
    split.sort(key=lambda row: -statistics.pvariance(row.known))
    return tuple(split[:SHOWN_QUESTIONS])


def summaries(material: ReportMaterial) -> dict[str, ArmSummary]:
    """Return what the scores of each arm come to, by arm; empty without outcomes."""
    known = {question.id for question in material.questions}
    pairs = zip(material.outcomes, material.scores, strict=True)
    kept = [(outcome, scores) for outcome, scores in pairs if outcome.question in known]
    found = summarise(material.questions, [o for o, _ in kept], [s for _, s in kept])
    return {summary.arm: summary for summary in found}


def by_origin(rows: Sequence[ScoreRow], material: ReportMaterial) -> tuple[GroupMeans, ...]:
    """Return means by how questions were made, gold first; empty unless gold and synthetic both exist."""
    origins = {question.id: origin(question) for question in material.questions}
    groups: dict[str, list[ScoreRow]] = {}
    for row in rows:
        if row.question in origins:
            groups.setdefault(origins[row.question], []).append(row)
    gold = groups.pop("", [])
    if not gold or not groups:
        return ()
    parts = [("gold, by people", gold), ("synthetic", [row for group in groups.values() for row in group])]
    if len(groups) > 1:
        parts += [(f"synthetic: {name}", groups[name]) for name in sorted(groups)]
    return tuple(_means(name, group) for name, group in parts)


def measures(decision: Decision, found: Mapping[str, ArmSummary]) -> tuple[GroupMeans, ...]:
    """Return every measure of the summaries that at least one arm has, over how many answers, by arm."""
    own = [_measures(found[result.arm]) if result.arm in found else {} for result in decision.arms]
    names = dict.fromkeys(name for values in own for name in values)
    rows = [
        GroupMeans(name, max(v[name][0] for v in own if v), tuple(v[name][1] if v else None for v in own))
        for name in names
    ]
    return tuple(row for row in rows if any(mean is not None for mean in row.means))


def _measures(summary: ArmSummary) -> dict[str, tuple[int, float | None]]:
    """Return over how many answers each measure is, and what it comes to."""
    declined, sure = summary.abstention, summary.confidence
    others = {
        "declined of answerable": declined.false_rate,
        "declined of unanswerable": declined.recall,
        "unanswerable of declined": declined.precision,
        "risk under coverage (AURC)": sure.aurc,
        "excess AURC": sure.excess_aurc,
        "Brier score": sure.brier,
        "calibration error (ECE)": sure.calibration_error,
        "words an answer": summary.words,
    }
    means = {mean.metric: (mean.scored, mean.mean) for mean in summary.means}
    return means | {name: (summary.total, value) for name, value in others.items()}


def origin(question: Question) -> str:
    """Return the rule that made a question, "" if people made it, or looked at it and let it stand."""
    return question.made if question.synthetic else ""


def prices(decision: Decision) -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the prices that at least one arm has, and by arm how each reads: in one line, or in two."""
    currency = decision.policy.currency
    rows = {result.arm: _price_lines(result.cost, currency) for result in decision.arms}
    labels = dict.fromkeys(label for row in rows.values() for label in row)
    columns = {label: {arm: row[label] for arm, row in rows.items()} for label in labels}
    nothing = {(MISSING,), (_NO_TRAINING,)}
    return {label: column for label, column in columns.items() if {*column.values()} - nothing}


def unpriced(columns: Mapping[str, Mapping[str, tuple[str, ...]]]) -> bool:
    """Tell whether a price of an arm is missing."""
    return any((MISSING,) in column.values() for column in columns.values())


def _price_lines(cost: ArmCost, currency: str) -> dict[str, tuple[str, ...]]:
    p95 = "" if cost.p95 is None else words.seconds(cost.p95)
    tokens = cost.prompt_tokens, cost.completion_tokens
    trained = f"{words.plain(cost.training_minutes)} min", words.money(cost.training_money, currency)
    lines = {
        "Per 1,000 answers": (words.money(cost.money, currency),),
        "p50, p95": (words.seconds(cost.p50), p95),
        "In batches": (words.seconds(cost.seconds),),
        "Memory": (words.megabytes(cost.megabytes),),
        "Tokens": tuple(
            words.NOT_MEASURED if None in tokens else f"{count:,.0f} {way}"
            for count, way in zip(tokens, ("in", "out"), strict=True)
        ),
        "Energy": (words.joules(cost.joules),),
        "Training": trained if cost.training_minutes or cost.training_money else (_NO_TRAINING,),
    }
    return {label: (MISSING,) if line[0] == words.NOT_MEASURED else line for label, line in lines.items()}


def price_axis(decision: Decision) -> tuple[str, list[float | None]]:
    """Return the first price that tells arms apart, else the first that was measured."""
    costs = [result.cost for result in decision.arms]
    choices = [
        (f"{decision.policy.currency} per 1,000 answers", [cost.money for cost in costs]),
        ("seconds an answer, median", [cost.p50 for cost in costs]),
        ("seconds an answer, in batches", [cost.seconds for cost in costs]),
    ]
    known = [(label, values) for label, values in choices if any(value is not None for value in values)]
    telling = [(label, values) for label, values in known if len({*values} - {None}) > 1]
    return (telling or known or choices)[0]


def shown_passages(question: Question | None, outcomes: Sequence[Outcome]) -> tuple[ShownPassage, ...]:
    """Return every passage once: those with marks first, then by the best rank that an arm gave it."""
    seen: dict[tuple[str, int, int], list[tuple[int, str, Retrieved]]] = {}
    for outcome in outcomes:
        for rank, passage in enumerate(outcome.passages, start=1):
            place = (passage.source, passage.span.start, passage.span.end)
            seen.setdefault(place, []).append((rank, f"{outcome.arm} #{rank}", passage))
    shown = [
        ShownPassage(
            source=found[0][2].source,
            span=found[0][2].span,
            seen=tuple(who for _, who, _ in found),
            stretches=_marked(found[0][2], question, outcomes),
        )
        for found in sorted(seen.values(), key=lambda found: min(rank for rank, _, _ in found))
    ]
    return tuple(sorted(shown, key=lambda passage: not passage.telling))


def missed_evidence(question: Question | None, shown: Sequence[ShownPassage]) -> tuple[Evidence, ...]:
    """Return the gold evidence that stands in no passage that an arm saw."""
    found = {passage.source for passage in shown if any(stretch.gold for stretch in passage.stretches)}
    return tuple(each for each in (question.evidence if question else ()) if each.source not in found)


def _marked(
    passage: Retrieved, question: Question | None, outcomes: Sequence[Outcome]
) -> tuple[MarkedText, ...]:
    """Cut a passage where what is cited or gold begins and ends."""
    text = passage.text
    cited = [
        (*part, f"{outcome.arm} [{citation.number}]")
        for outcome in outcomes
        for citation in outcome.citations
        if citation.source == passage.source
        for part in _within(passage, citation.start, citation.end)
    ]
    gold = _gold(passage, question)
    marks = [*((start, end) for start, end, _ in cited), *gold]
    first, last = 0, len(text)
    if len(text) > _LONGEST_PASSAGE:
        mark = min((start for start, _ in marks), default=0)
        first = max(0, min(mark - _BEFORE, len(text) - _LONGEST_PASSAGE))
        last = first + _LONGEST_PASSAGE
    edges = sorted({first, last, *(min(max(edge, first), last) for mark in marks for edge in mark)})
    stretches = [
        MarkedText(
            text[start:end],
            tuple(dict.fromkeys(who for low, high, who in cited if low <= start and end <= high)),
            any(low <= start and end <= high for low, high in gold),
        )
        for start, end in pairwise(edges)
    ]
    before = [MarkedText("… ")] if first > 0 else []
    after = [MarkedText(f" … ({len(text) - last:,} more characters)")] if last < len(text) else []
    return (*before, *stretches, *after)


def _within(passage: Retrieved, start: int, end: int) -> list[tuple[int, int]]:
    """Return the part of a stretch of the document that lies in the passage, as offsets into its text."""
    low = max(0, start - passage.span.start)
    high = min(len(passage.text), end - passage.span.start)
    return [(low, high)] if low < high else []


def _gold(passage: Retrieved, question: Question | None) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for evidence in question.evidence if question else ():
        if evidence.source != passage.source:
            continue
        if evidence.span is not None:
            found += _within(passage, evidence.span.start, evidence.span.end)
        elif evidence.quote and (start := passage.text.find(evidence.quote)) >= 0:
            found.append((start, start + len(evidence.quote)))
    return found


def _share(scores: Scores, metric: str) -> float:
    """Return a score scaled so that 1 is best; where it does not apply, whether the answer is right."""
    card = next((card for card in METRICS if card.name == metric), METRICS[0])
    value: float | None = getattr(scores, card.name)
    return scores.correct if value is None else card.share(value)


def _means(name: str, rows: Sequence[ScoreRow]) -> GroupMeans:
    columns = [
        [v for v in column if v is not None] for column in zip(*(row.values for row in rows), strict=True)
    ]
    return GroupMeans(name, len(rows), tuple(statistics.fmean(c) if c else None for c in columns))
