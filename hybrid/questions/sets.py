"""The question sets of a domain: made from its documents, found by name, checked against them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from hybrid.errors import IndexMissing, UsageError
from hybrid.generation.answering import Answerer
from hybrid.index import Index
from hybrid.questions import splits
from hybrid.questions.candidates import find_candidates
from hybrid.questions.checking import Findings, check_questions, key_of
from hybrid.questions.making import (
    ROUND_TRIP_DEPTH,
    MadeSet,
    MakingSettings,
    Search,
    make_questions,
    reworded,
    spread,
)
from hybrid.questions.values import Candidate
from hybrid.retrieval import Retriever
from hybrid.text.words import content_words, share_held
from hybrid.types import Arm, Chunk, Document, Question

_WINDOW = 500


def read_candidates(index: Index, source: str) -> tuple[Document, list[Candidate]]:
    """Return a document of the index and what it lets one ask."""
    document = index.document(source)
    assert document is not None, "sources come from the same generation"
    return document, find_candidates(document, chunks_of(index, source))


def chunks_of(index: Index, source: str) -> list[Chunk]:
    """Return the chunks of a document, in order; they are found by bisection, for they are sorted."""

    def source_at(position: int) -> str:
        return index.chunks([position])[0].source

    positions = range(index.manifest.counts.chunks)
    first = bisect_left(positions, source, key=source_at)
    last = bisect_right(positions, source, lo=first, key=source_at)
    found: list[Chunk] = []
    for start in range(first, last, _WINDOW):
        found.extend(index.chunks(range(start, min(start + _WINDOW, last))))
    return found


def deep_search(retriever: Retriever, *, depth: int = ROUND_TRIP_DEPTH) -> Search:
    """Return a search of that depth which leaves out no near-duplicates and has no floor."""
    settings = replace(
        retriever.settings, k=max(depth, retriever.settings.k), duplicate_overlap=1.0, min_score=-1.0
    )
    return replace(retriever, settings=settings).search_all


# So much of a question's content words stand in the document that its answer is taken from.
_ABOUT = 0.5


def attributed(questions: Sequence[Question], documents: Iterable[Document]) -> list[Question]:
    """Return the questions with the source of each that named none, where a single document can be it.

    That is the document of its evidence, else the only one that holds the quote, else the only one that holds
    a gold answer and half of the question's content words. What is in none or in several, and questions with
    options, whose golds stand anywhere, stay as they are.
    """
    left = {place: _needles(question) for place, question in enumerate(questions) if not question.source}
    subjects = {place: content_words(questions[place].text) for place in left}
    holders: dict[int, list[str]] = {place: [] for place in left}
    for document in documents if left else ():
        words, text = set(content_words(document.text)), f" {key_of(document.text)} "
        for place, needles in left.items():
            quoted = any(part.source == document.source for part in questions[place].evidence)
            about = questions[place].evidence or share_held(subjects[place], words) >= _ABOUT
            if quoted or (about and any(f" {needle} " in text for needle in needles)):
                holders[place].append(document.source)
    found = {place: sources[0] for place, sources in holders.items() if len(sources) == 1}
    return [
        replace(question, source=found[place]) if place in found else question
        for place, question in enumerate(questions)
    ]


def _needles(question: Question) -> list[str]:
    """Return the words by which the document of a question can be known."""
    golds = () if question.options else question.answers
    said = [part.quote for part in question.evidence] or golds
    return [key for key in map(key_of, said) if key]


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

        ``wanted`` says how many and of which kinds; ``foreign`` are questions of another domain, which have
        no answer here. ``closed_book`` asks the generator without the corpus, and labels what it knows by
        itself; ``worded`` lets it word the questions.

        Raises:
            IndexMissing: nothing was indexed yet.
            UsageError: the documents give no question.
        """
        retriever = self.retriever()
        index = retriever.index
        sources = splits.few_of_a_file(index.sources(), seed=wanted.seed)
        candidates = spread(sources, lambda source: read_candidates(index, source), seed=wanted.seed)

        def alone(questions: Sequence[str]) -> list[str]:
            note(f"asking the generator {len(questions)} questions without the corpus")
            answerer = self.answerer()
            brief = replace(answerer.settings, max_new_tokens=_CLOSED_BOOK_TOKENS)
            asked = replace(answerer, settings=brief)
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

    def attributed(self, questions: Sequence[Question]) -> list[Question]:
        """Return the questions with the documents they are from, which statistics resample, where found.

        Without an index, as for arms that need none, they stay as they are.
        """
        if all(question.source for question in questions):
            return list(questions)
        try:
            with closing(Index.open(self.domain)) as index:
                documents = (index.document(source) for source in index.sources())
                return attributed(questions, (document for document in documents if document is not None))
        except IndexMissing:
            return list(questions)

    def check(self, questions: Sequence[Question], *, seen: Sequence[str] = ()) -> Findings:
        """Return what is wrong with questions on these documents.

        ``seen`` are texts that an adapter was trained on.

        Raises:
            IndexMissing: nothing was indexed yet.
        """
        with closing(Index.open(self.domain)) as index:
            asked = self.attributed(questions)
            return check_questions(asked, document=cache(index.document), seen=seen)
