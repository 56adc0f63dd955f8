"""Does the answer say the fact, and in how many words? Tables, reports, a manual and an encyclopaedia.

    python tests/benchmarks/answer_facts.py DATA [--sets tables,reports,forms,…] [--limit N] [--work F]

- *tables*: TAT-QA's questions whose answer is a span, over pages of reports with a table each (DATA/tatqa).
- *reports*: our 100 questions of accident and annual reports (DATA/corpora), see ``report_questions.py``.
- *forms*: the entries of accident reports (DATA/corpora/ntsb), asked for in words of our own: "How powerful
  was the engine of the Cessna 152 in Madill?". Some of them were looked at while the reader was mended.
- *postgres*: the 60 questions of `examples/postgres`.
- *xquad*: the English questions of XQuAD, a paragraph a document (DATA/xquad_en).

Of the questions that have an answer it counts how often a gold answer stands in what was said, and how often
in 30 words at most; ``correct`` grades all of them, and words are the mean of the answers that are given.
Beside it stands what a choice of one sentence or row could reach at best: how often one of those that were
found has the gold, and how often one of 30 words at most has it. Milliseconds a question are in one batch,
alone, and of the search alone (medians of 20).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from measure import Target, note, print_json, print_table, print_verdicts
from report_questions import QUESTIONS, gathered
from tables import held
from to_beir import xquad as to_folder

from hybrid import Answer, Assistant, load_settings
from hybrid.config import DocumentSettings
from hybrid.documents import SourceFile, read
from hybrid.evaluation.outcomes import Outcome
from hybrid.evaluation.scoring import answer_text, correct
from hybrid.generation.prompts import passage_of
from hybrid.questions.files import load_questions
from hybrid.types import Document, Question

_EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "postgres"
_WORDS = 30
_ENTRIES = {
    "Registration": "What was the registration of the {aircraft} in the {town} accident?",
    "Serial Number": "serial number of the {aircraft} that crashed in {town}?",
    "Engine Manufacturer": "Who made the engine of the {aircraft} of the {town} accident?",
    "Landing Gear Type": "What kind of landing gear did the {aircraft} at {town} have?",
    "Runway Surface Type": "What was the surface of the runway at {town}, where the {aircraft} crashed?",
    "Wind Direction": "From where did the wind blow when the {aircraft} had its accident in {town}?",
    "Departure Point": "Where had the {aircraft} departed from before the accident in {town}?",
    "Rated Power": "How powerful was the engine of the {aircraft} in {town}?",
    "Accident Number": "What is the NTSB accident number of the {town} crash?",
    "Aircraft Damage": "How badly was the {aircraft} damaged in {town}?",
    "Airplane Rating(s)": "Which ratings did the pilot of the {aircraft} in {town} hold?",
    "Type of Flight Plan Filed": "What type of flight plan was filed for the {aircraft} of {town}?",
    "Medical Certification": "What medical certificate did the pilot in {town} have?",
    "Runway Length/Width": "How long and wide was the runway in {town}?",
}
_ALONE = 20


@dataclass(frozen=True, slots=True)
class FactSet:
    """Documents, what is asked of them, and the share of short answers with the fact that is promised."""

    documents: Path
    questions: list[Question]
    least: dict[str, float]


def tables(data: Path, work: Path) -> FactSet:
    """Return the spans of TAT-QA, by where they stand."""
    lines = (data / "tatqa" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [row for row in map(json.loads, lines) if row["answer_type"] == "span"]
    questions = [
        Question(row["id"], row["question"], tuple(row["answers"]), slices=(row["answer_from"],))
        for row in sorted(asked, key=lambda row: row["id"])  # so that the kinds are mixed
    ]
    return FactSet(data / "tatqa" / "docs", questions, {"table": 0.65, "text": 0.75})


def reports(data: Path, work: Path) -> FactSet:
    """Return the questions of two agencies' reports: tables, forms, prose, and what is not in them."""
    return FactSet(gathered(data, work / "reports"), load_questions(QUESTIONS), {"answerable": 0.60})


def forms(data: Path, work: Path) -> FactSet:
    """Return for each accident report the entries that are asked for and have a value."""
    folder = data / "corpora" / "ntsb"
    questions = []
    for path in sorted(folder.glob("*.pdf")):
        batches = read(SourceFile(path.name, path, path.stat().st_size), DocumentSettings())
        read_of = [item for batch in batches for item in batch.items]
        text = "\n".join(item.text for item in read_of if isinstance(item, Document))
        entries: dict[str, str] = {}
        for line in text.split("\n"):
            name, _, value = line.partition(": ")
            if any(map(str.isalnum, value)) and not value.endswith(":") and value.lower() != "unknown":
                entries.setdefault(name.strip(), value.strip())
        town = entries.get("Location", "").partition(",")[0].title()
        for name, asked_as in _ENTRIES.items():
            if name in entries and town and "Aircraft" in entries:
                question = asked_as.format(aircraft=entries["Aircraft"], town=town)
                value = entries[name].partition(" / ")[0]
                questions.append(Question(f"{path.stem} {name}", question, (value,), slices=("form",)))
    return FactSet(folder, questions, {})


def postgres(data: Path, work: Path) -> FactSet:
    """Return the questions of the example."""
    return FactSet(_EXAMPLE / "pages", load_questions(_EXAMPLE / "questions.jsonl"), {})


def xquad(data: Path, work: Path) -> FactSet:
    """Return the questions over paragraphs of an encyclopaedia, each a page with its title."""
    folder, pages = work / "xquad", work / "xquad" / "pages"
    pages.mkdir(parents=True, exist_ok=True)
    to_folder(data / "xquad_en" / "xquad.en.json", folder)
    for row in map(json.loads, (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()):
        (pages / f"{row['_id']}.md").write_text(f"# {row['title']}\n\n{row['text']}\n", encoding="utf-8")
    return FactSet(pages, load_questions(folder / "questions.jsonl"), {})


_SETS: dict[str, Callable[[Path, Path], FactSet]] = {
    "tables": tables,
    "reports": reports,
    "forms": forms,
    "postgres": postgres,
    "xquad": xquad,
}
_KINDS = ("table", "table-text", "form", "text")


@dataclass(frozen=True, slots=True)
class Told:
    """A question and what was said."""

    question: Question
    answer: Answer

    @property
    def found_with_gold(self) -> list[str]:
        """Return the sentences and rows that were found and have a gold answer."""
        found = (passage_of(number, hit) for number, hit in enumerate(self.answer.hits, 1))
        texts = (said.text for passage in found for said in passage.sayings())
        return [text for text in texts if any(held(gold, text) for gold in self.question.answers)]

    @property
    def outcome(self) -> Outcome:
        """Return it as experiments score it."""
        said = self.answer
        return Outcome("", "rag", self.question.id, said.text, said.abstained, citations=said.citations)

    @property
    def text(self) -> str:
        """Return what was said, without marks."""
        return answer_text(self.outcome)

    @property
    def told(self) -> bool:
        """Tell whether a gold answer stands in it."""
        return not self.answer.abstained and any(held(gold, self.text) for gold in self.question.answers)

    @property
    def words(self) -> int:
        """Return how long it is."""
        return len(self.text.split())

    @property
    def told_briefly(self) -> bool:
        """Tell whether the gold stands in an answer of few words."""
        return self.told and self.words <= _WORDS

    @property
    def correct(self) -> float:
        """Return its grade, from 0 to 1."""
        return correct(self.question, self.outcome)


@dataclass(frozen=True, slots=True)
class Waited:
    """Milliseconds a question: in one batch, alone, and of the search alone."""

    batch: float
    alone: float
    search: float


def asked(assistant: Assistant, questions: Sequence[Question]) -> tuple[list[Told], Waited]:
    """Ask all questions in one batch, and some of them alone."""
    assistant.ask(questions[0].text)  # so that models are loaded
    begun = time.perf_counter()
    answers = assistant.ask_all([question.text for question in questions], arm="rag")
    batch = (time.perf_counter() - begun) / len(questions)
    alone, search = [], []
    for question in questions[:_ALONE]:
        begun = time.perf_counter()
        assistant.search(question.text)
        searched = time.perf_counter()
        assistant.ask(question.text, arm="rag")
        search.append(searched - begun)
        alone.append(time.perf_counter() - searched)
    waited = Waited(*(1000 * seconds for seconds in (batch, median(alone), median(search))))
    return [Told(*pair) for pair in zip(questions, answers, strict=True)], waited


def row(name: str, kind: str, items: Sequence[Told]) -> list[str]:
    """Return the line of a kind; of what has no answer only what declines it counts."""
    declined = mean(each.answer.abstained for each in items)
    grades = mean(each.correct for each in items)
    given = [each.words for each in items if not each.answer.abstained]
    answerable = [each for each in items if each.question.answerable]
    shares = [_share([getattr(each, measure) for each in answerable]) for measure in ("told", "told_briefly")]
    words = f"{mean(given):.1f}" if given else "-"
    found = [[len(text.split()) for text in each.found_with_gold] for each in answerable]
    short = [min(each, default=_WORDS + 1) <= _WORDS for each in found]
    best = [_share([bool(each) for each in found]), _share(short)]
    return [f"{name}, {kind}", str(len(items)), f"{declined:.2f}", *shares, f"{grades:.2f}", words, *best]


def by_kind(items: Sequence[Told]) -> dict[str, list[Told]]:
    """Return the parts of a set: kinds of those that have an answer, all of these, the others, and all."""
    answerable = [each for each in items if each.question.answerable]
    parts = {kind: [each for each in answerable if kind in each.question.slices] for kind in _KINDS}
    others = [each for each in items if not each.question.answerable]
    parts |= {"answerable": answerable, "unanswerable": others, "all": list(items) if others else []}
    return {kind: part for kind, part in parts.items() if part}


def _share(values: Sequence[bool]) -> str:
    return f"{mean(values):.2f}" if values else "-"


def spread(questions: list[Question], limit: int) -> list[Question]:
    """Return so many questions, from all places of the list."""
    step = len(questions) / min(limit, len(questions))
    return [questions[int(place * step)] for place in range(min(limit, len(questions)))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="with tatqa, corpora and xquad_en")
    parser.add_argument("--sets", default=",".join(_SETS), help="some of them, with commas")
    parser.add_argument("--limit", type=int, default=10_000, help="at most so many questions a set")
    parser.add_argument("--work", type=Path, help="keep files and indexes here")
    parser.add_argument("--misses", action="store_true", help="print what lacks the gold or is too long")
    options = parser.parse_args()
    rows, waits, targets = [], [], []
    with tempfile.TemporaryDirectory() as temporary:
        work = (options.work or Path(temporary)).resolve()
        settings = load_settings({"indexes": str(work / "indexes"), "models": {"offline": True}})
        for name in options.sets.split(","):
            facts = _SETS[name](options.data, work)
            assistant = Assistant(name, settings=settings)
            report = assistant.index(facts.documents)
            note(f"{name}: {report.seconds:.0f} s for {report.embedded} new chunks")
            items, waited = asked(assistant, spread(facts.questions, options.limit))
            parts = by_kind(items)
            rows += [row(name, kind, part) for kind, part in parts.items()]
            waits.append((name, *(f"{each:.0f}" for each in (waited.batch, waited.alone, waited.search))))
            targets += [
                Target(f"{name}, {kind}, briefly", _told_briefly(parts[kind]), least, at_least=True)
                for kind, least in facts.least.items()
                if kind in parts
            ]
            for each in items if options.misses else ():
                if each.question.answerable and not each.told_briefly:
                    note(f"{each.question.text} {each.question.answers}\n    {each.answer.text!r}")
    head = ("set", "questions", "declined", "gold", f"in {_WORDS} words", "correct", "words")
    print_table((*head, "gold found", "in one so short"), rows)
    print_table(("ms a question", "batch", "alone", "search"), waits)
    if targets:
        print_verdicts(targets)
    print_json({"benchmark": "answer_facts", "rows": rows, "milliseconds": waits})


def _told_briefly(items: Sequence[Told]) -> float:
    return mean(each.told_briefly for each in items)


if __name__ == "__main__":
    main()
