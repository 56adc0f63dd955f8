"""What feedback becomes: labelled questions, preference pairs, and a queue of doubtful answers for review."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hybrid.generation.citations import without_markers
from hybrid.operations.feedback import Feedback, Preference, RatedAnswer, ReviewOutcome
from hybrid.questions.checking import key_of
from hybrid.questions.files import load_questions, save_questions
from hybrid.types import ANSWERED_BY, FEEDBACK, REVIEWED, Evidence, Question, Span

FEEDBACK_SET = "feedback.jsonl"


def question_from(rated: RatedAnswer, *slices: str) -> Question:
    """Return what an answer was asked for, with the answer as gold and what it cites as evidence.

    The gold is the text of one arm, which it favours: a slice names the arm.
    """
    answer = rated.kept.answer
    cited = answer.citations
    # what the router declined no arm has seen
    by = (f"{ANSWERED_BY}{answer.variant or answer.arm}",) if answer.domain else ()
    return Question(
        id=rated.kept.id,
        text=answer.standalone or answer.question,
        answers=() if answer.abstained else (without_markers(answer.text),),
        answerable=not answer.abstained,
        evidence=tuple(Evidence(one.source, one.text, Span(one.start, one.end)) for one in cited),
        slices=(*slices, *by),
        source=cited[0].source if cited else "",
        made=FEEDBACK,
    )


def liked_questions(answers: Iterable[RatedAnswer]) -> list[Question]:
    """Return the questions whose answers more people voted for than against, each once, with the best one.

    An answer that declined and was voted for says that the documents have no answer. What else somebody
    voted against is left for the review, and so is what both happened to.
    """
    best: dict[str, RatedAnswer] = {}
    disliked: set[str] = set()
    for rated in map(_shown, answers):
        if rated is None or not rated.score or rated.outcome is ReviewOutcome.REJECTED:
            continue
        key = key_of(rated.kept.answer.standalone or rated.kept.answer.question)
        if rated.score < 0:
            disliked.add(key)
        elif key not in best or rated.score >= best[key].score:
            best[key] = rated
    return [question_from(rated) for key, rated in best.items() if key not in disliked]


def add_questions(path: Path, questions: Sequence[Question]) -> list[Question]:
    """Add questions to a set, which keeps those that it has, as they are; return what was new."""
    there = load_questions(path) if path.is_file() else []
    known = {question.id for question in there} | {key_of(question.text) for question in there}
    new = [one for one in questions if one.id not in known and key_of(one.text) not in known]
    if new:
        save_questions(path, [*there, *new])
    return new


def preference_rows(
    preferences: Iterable[Preference],
) -> Iterator[Mapping[str, str | Mapping[str, str | int]]]:
    """Yield pairs for tuning by preference (DPO, Rafailov et al. 2023): prompt, chosen, rejected.

    The arms and the places at which they were shown stand beside, to balance or to leave out. A file of such
    rows is what ``hybrid adapt generator --learn preference --data`` takes. Two answers with the same words
    teach nothing, and are left out.
    """
    for pair in preferences:
        chosen, rejected = pair.chosen.answer, pair.rejected.answer
        if chosen.text.strip() == rejected.text.strip():
            continue
        yield {
            "prompt": chosen.standalone or chosen.question,
            "chosen": chosen.text,
            "rejected": rejected.text,
            "meta": {
                "domain": chosen.domain,
                "chosen_arm": chosen.variant,
                "rejected_arm": rejected.variant,
                "chosen_place": pair.chosen_place,
                "rejected_place": pair.rejected_place,
            },
        }


class ReviewQueue:
    """Answers of a domain that somebody should look at, the most doubtful first, and what becomes of them.

    They are those that were voted down, that declined, and of which judge or reader say less than ``below``.
    What the router declined belongs to no domain, and waits in each until somebody looked in one.

    Args:
        feedback: where they are kept.
        domain: the folder of the domain, whose set ``feedback`` takes what is accepted.
        below: from 0 to 1, the share of claims that are carried, or the confidence of the reader.
    """

    def __init__(self, feedback: Feedback, domain: Path, *, below: float = 0.5) -> None:
        self.path = domain / "questions" / FEEDBACK_SET
        self._feedback, self._domain, self._below = feedback, domain.name, below

    def __len__(self) -> int:
        """Return how many answers are kept of the domain, with those that the router declined."""
        return sum(1 for _ in self._answers())

    def open_questions(self) -> list[Question]:
        """Return the questions that wait, each once, with an answer that was given and why to look."""
        most: dict[str, Question] = {}
        for question in self._waiting():
            most.setdefault(key_of(question.text), question)
        return list(most.values())

    def accept(self, question: Question) -> None:
        """Keep a question in the set, as it is or as it was corrected; one without an answer has none."""
        given = next((one for one in self.open_questions() if one.id == question.id), question)
        same = (given.text, given.answers) == (question.text, question.answers)
        reviewed = dataclasses.replace(
            question, made=REVIEWED + question.made, answerable=bool(question.answers)
        )
        there = load_questions(self.path) if self.path.is_file() else []
        others = [one for one in there if one.id != question.id and key_of(one.text) != key_of(question.text)]
        save_questions(self.path, [*others, reviewed])
        self._close(given, ReviewOutcome.ACCEPTED if same else ReviewOutcome.CORRECTED)

    def drop(self, question: Question) -> None:
        """Reject an answer: nothing is kept of it in the set."""
        self._close(question, ReviewOutcome.REJECTED)

    def _close(self, question: Question, outcome: ReviewOutcome) -> None:
        """Keep what became of a question, for all of its answers that wait."""
        alike = [one.id for one in self._waiting() if key_of(one.text) == key_of(question.text)]
        for answer in {question.id, *alike}:
            self._feedback.reviewed(answer, outcome)

    def _waiting(self) -> list[Question]:
        """Return what waits, the most doubtful first."""
        waiting = []
        for rated in self._answers():
            doubt = None if rated.outcome is not None else self._doubt(rated)
            if doubt is not None:
                waiting.append((doubt[0], rated.kept.time, question_from(rated, doubt[1])))
        return [question for *_, question in sorted(waiting, key=lambda one: one[:2])]

    def _answers(self) -> Iterator[RatedAnswer]:
        yield from filter(_shown, self._feedback.rated(domain=self._domain))
        yield from (one for one in self._feedback.rated(domain="") if one.kept.answer.abstained)

    def _doubt(self, rated: RatedAnswer) -> tuple[float, str] | None:
        """Return how sure an answer is and why it waits; None where it does not."""
        kept = rated.kept
        if rated.score < 0:
            return -1.0, "voted down"
        if rated.score > 0:
            return None
        if kept.answer.abstained:
            return kept.answer.confidence or 0.0, "declined" if kept.answer.domain else "in no domain"
        sure = [one for one in (kept.groundedness, kept.answer.confidence) if one is not None]
        return (min(sure), "unsure") if sure and min(sure) < self._below else None


def _shown(rated: RatedAnswer) -> RatedAnswer | None:
    """Return an answer that people saw; None of one in the shadow, or that no domain gave."""
    trial = rated.kept.trial
    return None if not rated.kept.answer.domain or (trial is not None and trial.beside) else rated
