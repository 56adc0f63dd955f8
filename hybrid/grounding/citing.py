"""Citation recall and precision (ALCE, Gao et al. 2023, arXiv:2305.14627)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from hybrid.grounding.claims import Statement, statements_of
from hybrid.grounding.judge import Grounder, ScoredEvidence, Task
from hybrid.types import Citation

Members = frozenset[int]


@dataclass(frozen=True, slots=True)
class CitedAnswer:
    """The text of an answer and what its markers point at."""

    text: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class CitationScores:
    """``recall``: the share of sentences that their citations, taken together, carry; None without one.

    ``precision``: the share of markers that are right; None without a marker. A marker is right if its
    sentence is carried by its citations together, and it carries the sentence alone or the support is lost
    without it. A marker that points at no citation is wrong, and carries nothing. Sentences in a language
    that the judge does not know count in neither, but for their markers that point at nothing.
    """

    recall: float | None
    precision: float | None


@dataclass(frozen=True, slots=True)
class CitedSupport:
    """Which sets of a sentence's citations carry it; citations count from 0.

    ``carrying`` are among the sets that ALCE asks about: each citation alone, all of them, all but one.
    """

    citations: int
    carrying: frozenset[Members]

    def is_carried(self, chosen: Collection[int]) -> bool:
        """Tell whether the chosen citations together carry the sentence; none carry nothing.

        What carries it alone does so beside others too, whatever a scorer makes of the longer text.
        """
        return any(members <= frozenset(chosen) for members in self.carrying)

    def right_markers(self) -> list[bool]:
        """Return for each citation whether its marker is right."""
        every = range(self.citations)
        carried = self.is_carried(every)
        return [
            carried
            and (self.is_carried([one]) or not self.is_carried([other for other in every if other != one]))
            for one in every
        ]


def judged_sets(citations: int) -> list[Members]:
    """Return the sets of so many citations that ALCE asks about, each once."""
    every = frozenset(range(citations))
    sets = [*(frozenset([one]) for one in every), every, *(every - {one} for one in every)]
    return [members for members in dict.fromkeys(sets) if members]


def citation_scores(answers: Sequence[CitedAnswer], grounder: Grounder) -> list[CitationScores]:
    """Judge every marker, and every sentence that asserts something, with one call of the scorer.

    A sentence that holds several claims is carried by what carries each of them.
    A sentence that the scorer says no number of is left out, with its markers.
    A marker on a sentence that asserts nothing, such as a greeting, carries nothing and counts as wrong.
    Unlike the script of ALCE, a marker that points nowhere does not undo the others of its sentence.
    """
    found = [
        [
            (statement, all(grounder.reads(claim.text) for claim in statement.claims))
            for statement in statements_of(answer.text)
        ]
        for answer in answers
    ]
    tasks = [
        task
        for answer, statements in zip(answers, found, strict=True)
        for statement, read in statements
        if read
        for task in _tasks(statement, answer.citations)
    ]
    judged = iter(grounder.judge(tasks))
    threshold = grounder.thresholds.carried
    scores: list[CitationScores] = []
    for answer, statements in zip(answers, found, strict=True):
        carried: list[bool] = []
        right: list[bool] = []
        for statement, read in statements:
            texts = _stretches(statement, answer.citations)
            right += [False] * (len(statement.cites) - len(texts))
            if not read:
                continue
            rows = [next(judged) for claim in statement.claims if not claim.reason]
            if any(one.failed for row in rows for one in row):
                continue
            sets = judged_sets(len(texts)) if rows else []
            carrying = (
                members
                for place, members in enumerate(sets)
                if all(_support(row, place) >= threshold for row in rows)
            )
            cited = CitedSupport(len(texts), frozenset(carrying))
            carried += [cited.is_carried(range(len(texts)))] if rows else []
            right += cited.right_markers()
        scores.append(CitationScores(_share(carried), _share(right)))
    return scores


def _support(row: Sequence[ScoredEvidence], place: int) -> float:
    """Return how well the set of citations of a place carries a claim."""
    return max((one.support for one in row if one.candidate.evidence.passage == place), default=0.0)


def _tasks(statement: Statement, citations: Sequence[Citation]) -> Iterator[Task]:
    texts = _stretches(statement, citations)
    joined = tuple("\n".join(texts[one] for one in sorted(members)) for members in judged_sets(len(texts)))
    for claim in statement.claims:
        if not claim.reason:
            yield Task(claim.text, joined)


def _stretches(statement: Statement, citations: Sequence[Citation]) -> list[str]:
    """Return the texts that the markers of a sentence point at; one that points nowhere has none."""
    known = {citation.number: citation.text for citation in citations}
    return [known[number] for number in statement.cites if number in known]


def _share(flags: Sequence[bool]) -> float | None:
    return sum(flags) / len(flags) if flags else None
