"""A person looks through a question set: accept, edit, drop, skip; every step is saved.

Takes the file of a set, gives the questions that nobody has looked at yet and writes what was decided.
Knows nothing about terminals. What was accepted carries ``reviewed:`` before how it was made, so that the
file itself says where to go on, and a run that is killed loses nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from hybrid.errors import UsageError
from hybrid.questions.files import load_questions, save_questions
from hybrid.types import REVIEWED, Question


class Review:
    """The review of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._questions = load_questions(path)
        ids = [question.id for question in self._questions]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise UsageError(
                f"{path} holds the id {twice[0]!r} more than once",
                hint="see `hybrid questions check`; ids tell the questions apart",
            )

    def __len__(self) -> int:
        """Return how many questions the file holds."""
        return len(self._questions)

    def open_questions(self) -> list[Question]:
        """Return the questions that nobody has accepted yet, in the order of the file."""
        return [question for question in self._questions if not question.reviewed]

    def accept(self, question: Question) -> None:
        """Keep a question, as it is or as it was edited."""
        reviewed = dataclasses.replace(question, made=REVIEWED + question.made)
        self._save([reviewed if other.id == question.id else other for other in self._questions])

    def drop(self, question: Question) -> None:
        """Take a question out of the file.

        Raises:
            UsageError: it is the last one.
        """
        left = [other for other in self._questions if other.id != question.id]
        if not left:
            raise UsageError(f"nothing would be left of {self.path}", hint="delete the file instead")
        self._save(left)

    def _save(self, questions: Sequence[Question]) -> None:
        save_questions(self.path, questions)
        self._questions = list(questions)


def edited(question: Question, *, text: str, answers: Sequence[str]) -> Question:
    """Return a question with another text or other answers; what is blank stays as it was."""
    golds = tuple(stripped for answer in answers if (stripped := answer.strip()))
    return dataclasses.replace(
        question, text=text.strip() or question.text, answers=golds or question.answers
    )
