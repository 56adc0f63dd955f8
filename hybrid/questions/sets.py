"""The question sets of a domain: made from its documents, found by name, checked against them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hybrid.errors import UsageError
from hybrid.generation.answering import Answerer
from hybrid.index import Index
from hybrid.questions.checking import Findings, check_questions
from hybrid.questions.corpus import deep_search, read_candidates
from hybrid.questions.generating import reworded
from hybrid.questions.making import MadeSet, MakingSettings, make_questions
from hybrid.questions.spreading import spread
from hybrid.retrieval import Retriever
from hybrid.types import Arm, Question

_CLOSED_BOOK_TOKENS = 32


@dataclass(frozen=True, slots=True)
class QuestionSets:
    """Make, find and check the question sets of one domain.

    ``domain`` is its folder; ``retriever`` and ``answerer`` are called when something is made, the answerer
    by what the generator knows by itself.
    """

    domain: Path
    retriever: Callable[[], Retriever]
    answerer: Callable[[], Answerer]

    @property
    def folder(self) -> Path:
        """Return where the sets are kept."""
        return self.domain / "questions"

    def find(self, name: str) -> Path:
        """Return the file of a set: as it is named, or of that name among the domain's own.

        Raises:
            UsageError: there is none; the hint names those that there are.
        """
        for path in (Path(name), self.folder / name, self.folder / f"{name}.jsonl"):
            if path.is_file():
                return path
        there = ", ".join(sorted(path.stem for path in self.folder.glob("*.jsonl")))
        raise UsageError(
            f"there is no question set {name!r}, neither a file nor one of the domain {self.domain.name!r}",
            hint=f"sets that are there: {there}" if there else "make one with: hybrid questions make",
        )

    def make(
        self,
        wanted: MakingSettings,
        *,
        foreign: Sequence[Question] = (),
        closed_book: bool = True,
        worded: bool = False,
        note: Callable[[str], None] = lambda said: None,
    ) -> MadeSet:
        """Make questions with checked answers from the documents; nothing is written.

        Args:
            wanted: how many and of which kinds.
            foreign: questions of another domain, which have no answer here.
            closed_book: ask the generator without the corpus, and label what it knows by itself.
            worded: let the generator word the questions.
            note: told what takes its time.

        Raises:
            IndexMissing: nothing was indexed yet.
            UsageError: the documents give no question.
        """
        retriever = self.retriever()
        index = retriever.index
        candidates = spread(index.sources(), lambda source: read_candidates(index, source), seed=wanted.seed)

        def alone(questions: Sequence[str]) -> list[str]:
            note(f"asking the generator {len(questions)} questions without the corpus")
            answerer = self.answerer()
            brief = dataclasses.replace(answerer.settings, max_new_tokens=_CLOSED_BOOK_TOKENS)
            asked = dataclasses.replace(answerer, settings=brief)
            return [
                answer.text for answer in asked.answer_all(questions, [()] * len(questions), arm=Arm.BASE)
            ]

        return make_questions(
            reworded(candidates, self.answerer().generator()) if worded else candidates,
            wanted,
            search=deep_search(retriever),
            counter=retriever.embedder,
            foreign=foreign,
            closed_book=alone if closed_book else None,
        )

    def check(self, questions: Sequence[Question], *, seen: Sequence[str] = ()) -> Findings:
        """Return what is wrong with questions on these documents.

        Args:
            questions: of the domain.
            seen: texts that an adapter was trained on.

        Raises:
            IndexMissing: nothing was indexed yet.
        """
        with closing(Index.open(self.domain)) as index:
            return check_questions(questions, document=cache(index.document), seen=seen)
