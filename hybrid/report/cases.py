"""Single questions: what every arm answered, side by side, and the passages behind it.

Takes rows of scores and the material of the experiment, gives sections. Without the material only the
questions and the scores are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hybrid.decision.values import Decision
from hybrid.evaluation.outcomes import Outcome
from hybrid.report import words
from hybrid.report.blocks import bullets, fold, name, paragraph, section
from hybrid.report.content import Material, Row, by_people, contested, subject, worst
from hybrid.report.markup import Markup, element, join
from hybrid.report.passages import SHOWN_PASSAGES, Shown, missed_evidence, shown_passages
from hybrid.types import Question

_LONGEST_ANSWER = 3_000
_LONGEST_QUESTION = 600


@dataclass(frozen=True, slots=True)
class Casebook:
    """All that is known of single questions, by question and arm."""

    arms: tuple[str, ...]
    questions: dict[str, Question]
    outcomes: dict[tuple[str, str], Outcome]


def casebook(decision: Decision, material: Material) -> Casebook:
    """Return the material, ready to be looked up."""
    return Casebook(
        arms=tuple(result.arm for result in decision.arms),
        questions={question.id: question for question in material.questions},
        outcomes={(outcome.question, outcome.arm): outcome for outcome in material.outcomes},
    )


def cases(decision: Decision, rows: Sequence[Row], material: Material) -> Markup:
    """Show the worst questions of the arm that matters, then the most contested ones."""
    arm = subject(decision)
    if not rows or arm is None:
        return Markup("")
    book = casebook(decision, material)
    role = (
        "chosen arm"
        if decision.arm
        else "arm to run for now"
        if decision.interim
        else "arm with the best mean"
    )
    lowest = worst(rows, book.arms.index(arm))
    split = contested(rows)
    done = {row.question: f"worst-{place}" for place, row in enumerate(lowest, start=1)}
    return join(
        [
            section(
                "worst",
                f"Worst questions of {words.shortened(arm, 40)}",
                _introduction(
                    lowest,
                    f"the questions that the {role} answers worst",
                    "It lost no point on any question.",
                ),
                *(
                    _case(row, f"worst-{place}", book, first=place == 1)
                    for place, row in enumerate(lowest, start=1)
                ),
            ),
            section(
                "contested",
                "Most contested questions",
                _introduction(
                    split,
                    "the questions on which the arms differ most",
                    "The arms score alike on every question.",
                ),
                *(
                    _pointer(row, done[row.question], book)
                    if row.question in done
                    else _case(row, f"contested-{place}", book)
                    for place, row in enumerate(split, start=1)
                ),
            ),
        ]
    )


def _introduction(rows: Sequence[Row], what: str, nothing: str) -> Markup:
    text = f"{len(rows)}: {what}. Scores in points of 100." if rows else nothing
    return paragraph(text, "note")


def _case(row: Row, anchor: str, book: Casebook, *, first: bool = False) -> Markup:
    question = book.questions.get(row.question)
    outcomes = [book.outcomes[row.question, arm] for arm in book.arms if (row.question, arm) in book.outcomes]
    head = join(
        [element("span", {"class": "asked", "dir": "auto"}, _asked(row, question)), _chips(row, book)]
    )
    parts = [_about(row, question)]
    if outcomes:
        cards = [
            _answer(arm, value, book.outcomes.get((row.question, arm))) for arm, value in _scored(row, book)
        ]
        parts.append(element("div", {"class": "answers"}, *cards))
        parts.append(_evidence(question, outcomes))
    return element("div", {"id": anchor}, fold(head, *parts, opened=first, kind="case"))


def _pointer(row: Row, anchor: str, book: Casebook) -> Markup:
    asked = _asked(row, book.questions.get(row.question))
    place = anchor.removeprefix("worst-")
    link = element("a", {"href": f"#{anchor}"}, f"shown above, number {place} of the worst")
    head = element("span", {"class": "asked", "dir": "auto"}, asked)
    return element("div", {"class": "case pointer"}, head, _chips(row, book), element("small", None, link))


def _asked(row: Row, question: Question | None) -> str:
    return _clipped(question.text if question else row.question, _LONGEST_QUESTION)


def _scored(row: Row, book: Casebook) -> list[tuple[str, float | None]]:
    return list(zip(book.arms, row.values, strict=True))


def _chips(row: Row, book: Casebook) -> Markup:
    chips = [
        element(
            "span", {"class": f"chip {_grade(value)}"}, name(words.shortened(arm, 24)), f" {_score(value)}"
        )
        for arm, value in _scored(row, book)
    ]
    return element("span", {"class": "chips"}, *chips)


def _grade(value: float | None) -> str:
    if value is None:
        return "none"
    return "good" if value >= 1 else "bad" if value <= 0 else "part"


def _score(value: float | None) -> str:
    if value is None:
        return "not asked"
    sign = "✓ " if value >= 1 else "✕ " if value <= 0 else ""
    return sign + words.points(value).removesuffix(".0")


def _about(row: Row, question: Question | None) -> Markup:
    if question is None:
        return Markup("")
    gold = [name(_clipped(answer, _LONGEST_QUESTION)) for answer in question.answers]
    pairs: list[tuple[str, str]] = [
        ("Gold answer" if len(gold) == 1 else "Gold answers", join(gold, " · ") if gold else "none given")
        if question.answerable
        else ("Gold", "no answer: the right thing is to decline")
    ]
    if question.options:
        pairs.append(("Options", join([name(option) for option in question.options], " · ")))
    if question.slices:
        pairs.append(("Slices", join([name(label) for label in question.slices], ", ")))
    pairs.append(("Source", name(question.unit)))
    pairs.append(("Made", "by people" if by_people(question) else name(question.made)))
    pairs.append(("Id", name(question.id)))
    items = [
        element("div", None, element("dt", None, key), element("dd", None, value)) for key, value in pairs
    ]
    return element("dl", {"class": "about"}, *items)


def _answer(arm: str, value: float | None, outcome: Outcome | None) -> Markup:
    head = element(
        "h3", None, name(arm), " ", element("span", {"class": f"chip {_grade(value)}"}, _score(value))
    )
    if outcome is None:
        return element("article", None, head, paragraph("Not asked.", "state"))
    parts: list[Markup] = []
    if outcome.error:
        parts.append(
            paragraph(
                join(["✕ Failed: ", element("bdi", None, _clipped(outcome.error, _LONGEST_QUESTION))]),
                "state bad",
            )
        )
    elif outcome.failed:
        parts.append(paragraph("✕ Failed: the answer is empty.", "state bad"))
    elif outcome.abstained:
        parts.append(paragraph("◌ Declined to answer.", "state"))
    if outcome.answer.strip():
        text = _clipped(outcome.answer.strip(), _LONGEST_ANSWER)
        parts.append(element("p", {"class": "said", "dir": "auto"}, text))
    foot = [
        words.counted(len(outcome.citations), "citation"),
        words.counted(len(outcome.passages), "passage"),
    ]
    if outcome.seconds > 0:
        foot.append(words.seconds(outcome.seconds))
    return element("article", None, head, *parts, paragraph(" · ".join(foot), "note"))


def _evidence(question: Question | None, outcomes: Sequence[Outcome]) -> Markup:
    shown = shown_passages(question, outcomes)
    missed = missed_evidence(question, shown)
    if not shown and not missed:
        return paragraph("No arm saw a passage.", "note")
    lost = [
        join(
            [
                name(evidence.source),
                ": ",
                element("q", {"dir": "auto"}, _clipped(evidence.quote, _LONGEST_ANSWER)),
            ]
        )
        for place in missed
        if question is not None
        for evidence in [question.evidence[place]]
    ]
    parts = [_passage(passage) for passage in shown[:SHOWN_PASSAGES]]
    if len(shown) > SHOWN_PASSAGES:
        parts.append(
            paragraph(f"{len(shown) - SHOWN_PASSAGES} more passages without a mark are left out.", "note")
        )
    if lost:
        parts += [paragraph("Gold evidence that no arm saw:", "state bad"), bullets(lost)]
    summary = (
        f"Evidence: {words.counted(len(shown), 'passage')}, {_telling(shown)} with a cited or gold stretch"
    )
    return fold(summary, *parts, kind="evidence")


def _telling(shown: Sequence[Shown]) -> str:
    count = sum(passage.telling for passage in shown)
    return str(count) if count else "none"


def _passage(passage: Shown) -> Markup:
    parts: list[str] = []
    for stretch in passage.stretches:
        told = [*(["gold"] if stretch.gold else []), *stretch.cited]
        kind = "gold" if stretch.gold else "cited"
        label = element("sup", None, ", ".join(told))
        text: str = stretch.text
        if stretch.cited:
            text = element("mark", {"class": kind}, text, label)
        elif stretch.gold:
            text = element("span", {"class": kind}, text, label)
        parts.append(text)
    where = f"characters {passage.span.start:,}–{passage.span.end:,}; seen by {', '.join(passage.seen)}"
    head = element("figcaption", None, name(passage.source), " ", element("small", None, where))
    return element("figure", {"class": "passage"}, head, element("blockquote", {"dir": "auto"}, *parts))


def _clipped(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]} … ({len(text) - length:,} more characters)"
