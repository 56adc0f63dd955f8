"""Are tables, form fields and prose of real reports found: 100 questions, written from the printed pages.

The accident reports and annual reports of two US agencies become one index, and each question is searched.

- *right page*: a passage stands, with a part at least, on a page that answers the question.
- *gold*: a passage of a file that answers it holds a gold answer, as whole words in any case, spacing, quotes
  and dashes (``contains_gold``). A number may stand there by chance.
- *quote*: a passage of that file holds what answers it: of a table or a form the label and the cell, of prose
  the words (``holds``).

With ``--answers`` each is also asked: how often is the gold in the answer, and how often does it abstain?

    python tests/benchmarks/report_questions.py DATA [--k 6] [--work FOLDER] [--answers] [--json]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import Target, note, print_json, print_table, print_verdicts

from hybrid import Answer, Assistant, load_settings
from hybrid.evaluation.metrics import contains_gold, holds
from hybrid.questions.files import load_questions
from hybrid.types import Hit, Question, Span

QUESTIONS = Path(__file__).with_suffix(".jsonl")
_CORPORA = ("ntsb", "agency_reports")
_UNANSWERABLE = "unanswerable"
_KINDS = ("table", "form", "text")
_LEAST = 0.85


@dataclass(frozen=True, slots=True)
class Tried:
    """A question, what its passages hold, and what was answered if it was asked."""

    question: Question
    page: bool
    gold: bool
    quote: bool
    answer: Answer | None

    @property
    def kind(self) -> str:
        """Return table, form, text or unanswerable."""
        return self.question.slices[0]

    @property
    def answered(self) -> bool:
        """Tell whether the gold stands in the answer."""
        return self.answer is not None and bool(contains_gold(self.answer.text, self.question.answers))

    @property
    def abstained(self) -> bool:
        """Tell whether it was asked and nothing was answered."""
        return self.answer is not None and self.answer.abstained


def gathered(data: Path, folder: Path) -> Path:
    """Return a folder with the files of all corpora side by side, as the questions name them."""
    folder.mkdir(parents=True, exist_ok=True)
    for corpus in _CORPORA:
        for path in sorted((data / "corpora" / corpus).glob("*.pdf")):
            shutil.copyfile(path, folder / path.name)
    return folder


def printed_pages() -> dict[str, set[tuple[str, int]]]:
    """Return for each question the files and pages, from 1, that answer it."""
    rows = map(json.loads, QUESTIONS.read_text(encoding="utf-8").splitlines())
    return {row["id"]: {(part["source"], part["page"]) for part in row.get("evidence", ())} for row in rows}


def pages_of(hit: Hit, assistant: Assistant) -> set[tuple[str, int]]:
    """Return the pages on which a passage stands."""
    chunk = hit.chunk
    document = assistant.retriever.index.document(chunk.source)
    starts = document.pages if document else ()
    first, last = (bisect_right(starts, offset) for offset in (chunk.start, chunk.end - 1))
    return {(chunk.source, page) for page in range(first, last + 1)}


def tried(
    question: Question,
    hits: Sequence[Hit],
    pages: set[tuple[str, int]],
    assistant: Assistant,
    answer: Answer | None,
) -> Tried:
    """Compare the passages of a question with what is printed."""
    sources = {part.source for part in question.evidence}
    chunks = [hit.chunk for hit in hits if hit.chunk.source in sources]
    return Tried(
        question,
        page=any(pages & pages_of(hit, assistant) for hit in hits),
        gold=any(contains_gold(chunk.text, question.answers) for chunk in chunks),
        quote=any(
            holds(part, source=chunk.source, span=Span(chunk.start, chunk.end), text=chunk.embedded_text)
            for chunk in chunks
            for part in question.evidence
            if part.source == chunk.source
        ),
        answer=answer,
    )


def share(items: Sequence[Tried], holding: Callable[[Tried], bool]) -> float:
    """Return the share of the items that hold something."""
    return sum(map(holding, items)) / len(items)


def row(name: str, items: Sequence[Tried], *, asked: bool) -> list[str]:
    """Return the line of a kind; what there is nothing to find of has no passages to be right."""
    measures: list[Callable[[Tried], bool]] = [
        lambda one: one.page,
        lambda one: one.gold,
        lambda one: one.quote,
        *([lambda one: one.answered, lambda one: one.abstained] if asked else []),
    ]
    cells = [f"{share(items, measure):.2f}" for measure in measures]
    if name == _UNANSWERABLE:
        cells[:4] = ["-"] * len(cells[:4])
    return [name, str(len(items)), *cells]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="with corpora/ntsb and corpora/agency_reports")
    parser.add_argument("--k", type=int, default=6, help="passages a question")
    parser.add_argument("--work", type=Path, help="keep files and index here")
    parser.add_argument("--answers", action="store_true", help="ask as well; minutes")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args()
    questions, printed = load_questions(QUESTIONS), printed_pages()
    with tempfile.TemporaryDirectory() as temporary:
        work = (options.work or Path(temporary)).resolve()
        given = {
            "indexes": str(work / "indexes"),
            "models": {"offline": True},
            "retrieval": {"k": options.k},
        }
        assistant = Assistant("reports", settings=load_settings(given))
        report = assistant.index(gathered(options.data, work / "docs"))
        note(f"{report.seconds:.0f} s for {report.embedded} new chunks")
        texts = [question.text for question in questions]
        found = [assistant.search(text) for text in texts]
        answers = assistant.ask_all(texts) if options.answers else [None] * len(texts)
        results = [
            tried(question, hits, printed[question.id], assistant, answer)
            for question, hits, answer in zip(questions, found, answers, strict=True)
        ]
    findable = [one for one in results if one.kind != _UNANSWERABLE]
    kinds = {kind: [one for one in findable if one.kind == kind] for kind in _KINDS} | {"all": findable}
    if options.answers:
        kinds[_UNANSWERABLE] = [one for one in results if one.kind == _UNANSWERABLE]
    rows = [row(name, items, asked=options.answers) for name, items in kinds.items()]
    target = Target("gold in the passages", share(findable, lambda one: one.gold), _LEAST, at_least=True)
    missed = [one.question.id for one in findable if not one.gold]
    if options.json:
        print_json({"rows": rows, "missed": missed, "target": dataclasses.asdict(target)})
        return
    asked = ("gold answered", "abstained") if options.answers else ()
    print_table((f"{options.k} passages", "questions", "right page", "gold", "quote", *asked), rows)
    print(f"gold not in the passages: {' '.join(missed)}\n")
    print_verdicts([target])


if __name__ == "__main__":
    main()
