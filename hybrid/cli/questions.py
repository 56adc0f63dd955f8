"""Commands for question sets: make, check, review, and from what people said of answers."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from hybrid.cli import console
from hybrid.cli.options import Context, group, verb
from hybrid.errors import EXIT_GATE_FAILED, UsageError
from hybrid.types import ANSWERED_BY, FEEDBACK, Question

if TYPE_CHECKING:
    from hybrid.operations.harvest import ReviewQueue
    from hybrid.questions.checking import Findings, Review
    from hybrid.questions.making import MadeSet

app = group("Make, check and review question sets.")

QuestionSet = Annotated[Path, Argument(help="A question set, JSON lines.")]

_KEYS = "[a]ccept [e]dit [d]rop [s]kip [q]uit > "
_EVIDENCE_WIDTH = 1_200


@verb(app, "make")
def make(
    context: Context,
    count: Annotated[int, Option("--count", "-n", help="How many questions.")] = 200,
    out: Annotated[Path | None, Option("--out", help="Default: made.jsonl of the domain.")] = None,
    unanswerable: Annotated[float, Option(help="Share of questions without an answer.")] = 0.15,
    foreign: Annotated[Path | None, Option(help="A set of another domain: unanswerable here.")] = None,
    hold_out: Annotated[float, Option(help="Share of documents no adapter may learn from.")] = 0.2,
    seed: Annotated[int, Option(help="Another one makes another set.")] = 0,
    closed_book: Annotated[bool, Option(help="Label what the generator knows by itself.")] = True,
    generator: Annotated[bool, Option("--generator", help="The generator words the questions.")] = False,
    force: Annotated[bool, Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Make questions with checked answers from the documents of a domain."""
    from hybrid.questions.files import load_questions, save_questions
    from hybrid.questions.making import MakingSettings

    settings = context.settings()
    wanted = MakingSettings(count, unanswerable, hold_out, settings.retrieval.k, seed)
    assistant = context.assistant(settings)
    sets = assistant.questions
    path = out or sets.folder / "made.jsonl"
    if path.exists() and not force:
        raise UsageError(
            f"{path} is there already", hint="replace it with --force, or name another with --out"
        )
    others = load_questions(foreign) if foreign else []
    made = sets.make(wanted, foreign=others, closed_book=closed_book, worded=generator, note=console.note)
    save_questions(path, made.questions)
    _show_made(made, wanted.count)
    context.show({"path": str(path), "kinds": dict(made.kinds()), "dropped": made.dropped}, str(path))
    console.note(f"Next: hybrid decide {out or path.stem} --domain {assistant.domain}")


def _show_made(made: MadeSet, wanted: int) -> None:
    console.note(f"{len(made.questions)} questions: " + _counts(made.kinds()))
    labels = Counter(label for question in made.questions for label in question.slices)
    console.note("slices: " + (_counts(sorted(labels.items())) or "none"))
    for dropped in made.dropped:
        console.note(f"left out {dropped.count}, {dropped.reason}")
    if len(made.questions) < wanted:
        console.note(f"the documents gave no more than {len(made.questions)} of {wanted}")


def _counts(pairs: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{count} {name}" for name, count in pairs)


@verb(app, "check")
def check(
    context: Context,
    questions: QuestionSet,
    against: Annotated[
        list[Path] | None, Option("--against", help="JSON lines that an adapter was trained on.")
    ] = None,
) -> int:
    """Find duplicates, leaks and label errors; exit code 7 when there are errors."""
    from hybrid.questions.checking import check_questions
    from hybrid.questions.files import load_questions, load_texts

    asked = load_questions(questions)
    seen = [text for path in against or () for text in load_texts(path)]
    if context.domain is None:
        findings = check_questions(asked, seen=seen)
    else:
        findings = context.assistant().questions.check(asked, seen=seen)
    context.show(
        {"file": str(questions), "errors": findings.errors, "findings": findings},
        *(
            f"{each.severity}: {each.question}: {each.kind}: {console.printable(each.found)}\n"
            f"  → {each.advice}"
            for each in findings.findings
        ),
    )
    if not context.as_json:
        console.note(
            f"{findings.questions} questions: {findings.errors} errors, {findings.warnings} warnings"
        )
        _note_shares(findings)
    return EXIT_GATE_FAILED if findings.errors else 0


def _note_shares(findings: Findings) -> None:
    if findings.quoting:
        console.note(
            f"{findings.quoting} of {findings.evident} with evidence quote it: any search finds such words; "
            "people ask in their own"
        )
    if findings.alone:
        console.note(
            f"{findings.alone} are of no known document, and each counts as a source of its own: if several "
            "are about one, the intervals of a comparison are too narrow; add `source`"
        )


@verb(app, "from-feedback")
def from_feedback(
    context: Context,
    out: Annotated[Path | None, Option("--out", help="Default: feedback.jsonl of the domain.")] = None,
    pairs: Annotated[
        Path | None, Option("--pairs", help="Write the blind preferences too, for tuning.")
    ] = None,
) -> None:
    """Make a set of the answers that were voted for; what it has already stays, and what was new is told."""
    from hybrid.cli.operate import opened
    from hybrid.files import json_text, write_atomic
    from hybrid.operations.harvest import (
        FEEDBACK_SET,
        ReviewQueue,
        add_questions,
        liked_questions,
        preference_rows,
    )

    settings = context.settings()
    assistant = context.assistant(settings)
    path = out or assistant.questions.folder / FEEDBACK_SET
    with closing(opened(settings)) as feedback:
        new = add_questions(path, liked_questions(feedback.rated(domain=assistant.domain)))
        waiting = len(ReviewQueue(feedback, assistant.folder).open_questions())
        rows = list(preference_rows(feedback.preferences(domain=assistant.domain)))
    labels = Counter(label for one in new for label in one.slices if label.startswith(ANSWERED_BY))
    by_arm = {label.removeprefix(ANSWERED_BY): count for label, count in sorted(labels.items())}
    if pairs is not None:
        write_atomic(pairs, "".join(json_text(row) + "\n" for row in rows))
    context.show(
        {
            "path": str(path),
            "new": len(new),
            "answered_by": by_arm,
            "waiting": waiting,
            "preferences": len(rows),
        },
        f"{path}: {len(new)} new questions",
    )
    if not context.as_json:
        if by_arm:
            console.note(
                f"the gold answers are the text of the arm that answered ({_counts(by_arm.items())}), which "
                f"a comparison on them favours: each has the slice {ANSWERED_BY}ARM"
            )
        console.note(f"{waiting} answers wait for `hybrid questions review`; {len(rows)} preferences")


@verb(app, "review")
def review(
    context: Context,
    questions: Annotated[
        Path | None, Argument(help="A question set; default: doubtful answers of the domain in use.")
    ] = None,
    below: Annotated[
        float, Option("--below", help="Of answers: doubtful with less than this, from 0 to 1.")
    ] = 0.5,
    only_list: Annotated[bool, Option("--list", help="Show what waits, and ask nothing.")] = False,
) -> None:
    """Look through a set or the doubtful answers, one by one; every step is saved, the next time goes on."""
    from hybrid.cli.operate import opened
    from hybrid.operations.harvest import ReviewQueue
    from hybrid.questions.checking import Review

    if questions is not None:
        _review(context, Review(questions), only_list=only_list)
        return
    settings = context.settings()
    assistant = context.assistant(settings)
    with closing(opened(settings)) as feedback:
        _review(context, ReviewQueue(feedback, assistant.folder, below=below), only_list=only_list)


def _review(context: Context, reviewing: Review | ReviewQueue, *, only_list: bool) -> None:
    from hybrid.questions.checking import Review
    from hybrid.questions.files import question_row

    waiting = reviewing.open_questions()
    if only_list:
        rows = [f"{one.id}  {', '.join(one.slices)}  {console.one_line(one.text, 120)}" for one in waiting]
        context.show({"file": str(reviewing.path), "waiting": [*map(question_row, waiting)]}, *rows)
        if not rows and not context.as_json:
            console.note("nothing waits for the review")
        return
    for place, question in enumerate(waiting, start=1):
        _show_question(question, place, len(waiting))
        if not _decide(reviewing, question):
            break
    left = len(reviewing.open_questions())
    context.show({"file": str(reviewing.path), "questions": len(reviewing), "open": left})
    if not context.as_json:
        what = "questions" if isinstance(reviewing, Review) else "answers"
        console.note(
            f"{len(reviewing)} {what}, {left} of them wait for the review; the set is {reviewing.path}"
        )


def _show_question(question: Question, place: int, total: int) -> None:
    console.note(f"\n({place} of {total}) {question.id}  {question.made}  {', '.join(question.slices)}")
    console.note(f"Q: {console.printable(question.text)}")
    for option in question.options:
        console.note(f"   - {console.printable(option)}")
    answers = " | ".join(question.answers) if question.answerable else "(no answer in the corpus)"
    console.note(f"A: {console.printable(answers)}")
    for source in question.withheld:
        console.note(f"withheld: {console.printable(source)}")
    for evidence in question.evidence:
        quote = evidence.quote
        shown = quote if len(quote) <= _EVIDENCE_WIDTH else f"{quote[:_EVIDENCE_WIDTH]}…"
        console.note(f"{console.printable(evidence.source)}:\n{console.printable(shown)}")


def _decide(reviewing: Review | ReviewQueue, question: Question) -> bool:
    """Ask what to do until it is done; return whether to go on."""
    while True:
        key = _line(_KEYS)
        if key is None or key.lower() in ("q", "quit"):
            return False
        if key.lower() in ("s", "skip"):
            return True
        if key.lower() in ("a", "accept"):
            reviewing.accept(question)
            return True
        if key.lower() in ("d", "drop"):
            reviewing.drop(question)
            return True
        if key.lower() in ("e", "edit"):
            question = _edit(question)
        else:
            console.note("expected one of a, e, d, s, q")


def _edit(question: Question) -> Question:
    """Ask for another text and other answers; show what is wrong with them, and let the reader decide."""
    from hybrid.questions.checking import check_questions, edited

    text = _line("question (empty keeps it): ") or ""
    # what declined may have been wrong to
    asks = question.answerable or question.made == FEEDBACK
    answers = (_line("answers, separated by | (empty keeps them): ") or "") if asks else ""
    changed = edited(question, text=text, answers=answers.split("|"))
    if dropped := len(question.evidence) - len(changed.evidence):
        console.note(f"{dropped} of {len(question.evidence)} quotes dropped: the new answer is not in them")
    for finding in check_questions([changed]).findings:
        if finding.kind != "one question only":
            console.note(f"{finding.severity}: {console.printable(finding.found)}")
    console.note(f"Q: {console.printable(changed.text)}\nA: {console.printable(' | '.join(changed.answers))}")
    return changed


def _line(prompt: str) -> str | None:
    """Return what is typed, or None at the end of the input."""
    console.prompt(prompt)
    line = sys.stdin.readline()
    return line.strip() if line else None
