"""Make the example domain `contracts` out of CUAD: labelled clauses to index, to tune on, and to ask about.

    python examples/contracts/build.py CUAD_FOLDER    # clauses.jsonl, labels.jsonl, category_questions.json

Rewrites `corpus/`, `tuning.jsonl` and `questions.jsonl` beside this file; the same input gives the same
bytes. Every clause is used once: in a question, in the corpus or for tuning. A clause that shares half of
its five-word shingles with one that was taken before is left out, so no side repeats the boilerplate of
another. Yes and No are drawn in pairs of about the same length, and a clause with No is a clause with Yes for
another category of this domain: neither the length nor the clause alone, without the category, tells the
answer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
FAMILIES = {
    "transfer": ("Anti-Assignment", "Change Of Control"),
    "competition": ("Exclusivity", "Non-Compete"),
    "intellectual-property": (
        "Ip Ownership Assignment",
        "Irrevocable Or Perpetual License",
        "Non-Transferable License",
    ),
    "liability": ("Cap On Liability", "Uncapped Liability"),
    "duties": ("Audit Rights", "Minimum Commitment", "Post-Termination Services"),
}
QUESTION_PAIRS = 5  # a pair is one clause with Yes and one with No, of one category
CORPUS_PAIRS = 9
TUNING_PAIRS = 20  # as far as there are so many
FURTHER_PAIRS = 20  # of what is left after that: they are asked about too
WORDS = range(15, 101)  # shorter ones say nothing, longer ones do not fit a small model beside examples
SHINGLE = 5
OVERLAP = 0.5  # of the shingles of the shorter clause; from here on it is a near-duplicate
# cut or blackened clauses, what Markdown would read as markup, and what no reader keeps
DAMAGED = re.compile(r"[<>*_`|\\#\[\]~]|^\d+[.)]|^[-+]\s|&\w+;|[\u00ad\u200b-\u200f\ufeff\ufffd]")


@dataclass(frozen=True)
class Clause:
    id: str
    text: str
    category: str
    label: str

    @property
    def words(self) -> int:
        return len(self.text.split())


@dataclass
class Chooser:
    """Hands out pairs of clauses, none of them twice and no near-duplicates."""

    taken: list[frozenset[str]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def pairs(self, clauses: list[Clause], number: int, *, as_far: bool = False) -> Iterator[Clause]:
        """Yield a Yes and the No nearest to it in length, as often as asked for."""
        pool = {label: [c for c in clauses if c.label == label] for label in ("Yes", "No")}
        for yes in pool["Yes"]:
            if number == 0:
                return
            if not self._fresh(yes):
                continue
            no = next(
                (c for c in sorted(pool["No"], key=lambda c: _apart(c, yes)) if self._fresh(c, yes)), None
            )
            if no is None:
                break
            number -= 1
            for clause in (yes, no):
                self.used.add(clause.id)
                self.taken.append(shingles(clause.text))
                yield clause
        if number and not as_far:
            raise SystemExit(f"{clauses[0].category}: {number} pairs are missing")

    def _fresh(self, clause: Clause, *others: Clause) -> bool:
        if clause.id in self.used:
            return False
        rivals = [*self.taken, *(shingles(other.text) for other in others)]
        return all(overlap(shingles(clause.text), rival) < OVERLAP for rival in rivals)


def _apart(clause: Clause, other: Clause) -> int:
    return abs(clause.words - other.words)


def shingles(text: str) -> frozenset[str]:
    """Return the runs of five words, without case and punctuation."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    return frozenset(" ".join(words[n : n + SHINGLE]) for n in range(max(len(words) - SHINGLE + 1, 1)))


def overlap(one: frozenset[str], other: frozenset[str]) -> float:
    """Return which part of the smaller set stands in the other."""
    return len(one & other) / min(len(one), len(other))


def load(folder: Path) -> dict[str, list[Clause]]:
    """Read the whole, readable clauses of each category, in an order that says nothing about the label."""
    texts = {row["_id"]: " ".join(row["text"].split()) for row in read_rows(folder / "clauses.jsonl")}
    categories = [category for members in FAMILIES.values() for category in members]
    clauses: dict[str, list[Clause]] = {category: [] for category in categories}
    for row in read_rows(folder / "labels.jsonl"):
        clause = Clause(row["clause_id"], texts[row["clause_id"]], row["category"], row["label"])
        if clause.category in clauses and clause.words in WORDS and not DAMAGED.search(clause.text):
            clauses[clause.category].append(clause)
    typical = {c.id for found in clauses.values() for c in found if c.label == "Yes"}
    for category, found in clauses.items():
        found[:] = [c for c in found if c.id in typical]
        found.sort(key=lambda c: shuffled(f"{category} {c.id}"))
    return clauses


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the objects of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def entries(folder: Path) -> list[str]:
    """Return the clauses of the other domain's register, which chose before the further questions."""
    lines = [line for path in sorted(folder.glob("*.md")) for line in path.read_text("utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def shuffled(text: str) -> str:
    """Return a sort key that is the same everywhere and has nothing to do with the text."""
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cuad", type=Path)
    folder = parser.parse_args().cuad
    texts = json.loads((folder / "category_questions.json").read_text(encoding="utf-8"))
    families = {category: family for family, members in FAMILIES.items() for category in members}
    clauses = load(folder)
    chooser = Chooser()
    # the questions choose first: what is like them is then kept out of the corpus
    asked = [c for category in families for c in chooser.pairs(clauses[category], QUESTION_PAIRS)]
    shown = {category: list(chooser.pairs(clauses[category], CORPUS_PAIRS)) for category in families}

    tuned = [c for k in families for c in chooser.pairs(clauses[k], TUNING_PAIRS, as_far=True)]
    chooser.taken += [shingles(text) for text in entries(HERE.parent / "register" / "pages")]
    further = [c for k in families for c in chooser.pairs(clauses[k], FURTHER_PAIRS, as_far=True)]
    for part in (asked, tuned, further):
        part.sort(key=lambda c: shuffled(c.id))
    for name, chosen in (("contracts", asked + further), ("tuning", tuned)):
        rows = [
            {
                "id": f"{name}-{number:03}",
                "question": f"{texts[c.category]['question']}\nClause: {c.text}",
                "answers": [c.label],
                "answerable": True,
                "options": ["Yes", "No"],
                "source": c.id,
                "slices": [families[c.category], c.category],
                "made": "gold",
            }
            for number, c in enumerate(chosen, start=1)
        ]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        path = HERE / ("questions.jsonl" if name == "contracts" else "tuning.jsonl")
        path.write_text(lines, encoding="utf-8", newline="\n")
    shutil.rmtree(HERE / "corpus", ignore_errors=True)
    (HERE / "corpus").mkdir()
    for category, examples in shown.items():
        page = _page(category, texts[category]["question"], texts[category]["description"], examples)
        path = HERE / "corpus" / f"{category.replace(' ', '-')}.md"
        path.write_text(page, encoding="utf-8", newline="\n")


def _page(category: str, question: str, description: str, examples: list[Clause]) -> str:
    parts = [f"# {category}", description]
    for clause in sorted(examples, key=lambda c: shuffled(c.id)):
        parts += [f"## {category}: {clause.label} ({clause.id})", f"Clause: {clause.text}"]
        parts += [f"{question} Answer: {clause.label}"]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
