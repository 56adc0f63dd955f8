"""Make the example domain `register` out of CUAD: clauses under numbers, and to which desk each goes.

    python examples/register/build.py CUAD_FOLDER    # clauses.jsonl, labels.jsonl

Rewrites `pages/`, `tuning.jsonl` and `questions.jsonl` beside this file; the same input gives the same bytes.
An entry is one clause under a number that says nothing. A question names the number only: what the clause
says stands in the register, and to which desk it goes is learned from entries that were filed before. No
clause stands here that `examples/contracts` uses, no near-duplicate of another entry, and none that the
lawyers marked for categories of two desks.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "contracts"))
from build import DAMAGED, OVERLAP, WORDS, overlap, read_rows, shingles, shuffled  # noqa: E402

# a house's own desks: which categories of the lawyers each of them reads
DESKS = {
    "transfers": ("Anti-Assignment", "Change Of Control"),
    "markets": ("Exclusivity", "Non-Compete", "Competitive Restriction Exception", "No-Solicit Of Employees"),
    "rights": (
        "Ip Ownership Assignment",
        "Irrevocable Or Perpetual License",
        "Non-Transferable License",
        "Covenant Not To Sue",
    ),
    "risk": ("Cap On Liability", "Uncapped Liability", "Liquidated Damages"),
    "accounts": ("Audit Rights", "Minimum Commitment", "Volume Restriction", "Price Restrictions"),
    "exits": ("Post-Termination Services", "Expiration Date"),
}
ASKED = 25  # entries of each desk that a question asks about
FILED = 75  # and that were filed before
PAGE = 10  # entries of a page; those that are asked about and those that were filed share none


@dataclass(frozen=True)
class Entry:
    id: str
    text: str
    category: str
    desk: str


def load(folder: Path) -> dict[str, list[Entry]]:
    """Read the clauses of each desk, in an order that says nothing, without what `contracts` uses."""
    desks = {category: desk for desk, members in DESKS.items() for category in members}
    marked: dict[str, list[str]] = defaultdict(list)
    for row in read_rows(folder / "labels.jsonl"):
        if row["label"] == "Yes":
            marked[row["clause_id"]].append(row["category"])
    found: dict[str, list[Entry]] = {desk: [] for desk in DESKS}
    for row in read_rows(folder / "clauses.jsonl"):
        name, text = row["_id"], " ".join(row["text"].split())
        categories = marked.get(name, [])
        own = {desks.get(category, "") for category in categories}
        if len(own) == 1 and "" not in own and len(text.split()) in WORDS and not DAMAGED.search(text):
            desk = own.pop()
            found[desk].append(Entry(name, text, sorted(categories)[0], desk))
    for entries in found.values():
        entries.sort(key=lambda entry: shuffled(f"register {entry.id}"))
    return found


def taken() -> list[frozenset[str]]:
    """Return the shingles of all clauses that `examples/contracts` uses."""
    texts = [
        row["question"].partition("\nClause: ")[2]
        for name in ("questions.jsonl", "tuning.jsonl")
        for row in read_rows(HERE.parent / "contracts" / name)
    ]
    for path in sorted((HERE.parent / "contracts" / "corpus").glob("*.md")):
        lines = path.read_text(encoding="utf-8").splitlines()
        texts += [line.removeprefix("Clause: ") for line in lines if line.startswith("Clause: ")]
    return [shingles(text) for text in texts]


def choose(found: dict[str, list[Entry]]) -> tuple[list[Entry], list[Entry]]:
    """Return what is asked about and what was filed, as many of each desk, turn by turn of the categories."""
    rivals = taken()
    chosen: tuple[list[Entry], list[Entry]] = ([], [])
    for part, number in zip(chosen, (ASKED, FILED), strict=True):
        for desk, entries in found.items():
            kept = 0
            for entry in list(entries):
                if kept == number:
                    break
                entries.remove(entry)
                own = shingles(entry.text)
                if all(overlap(own, other) < OVERLAP for other in rivals):
                    rivals.append(own)
                    part.append(entry)
                    kept += 1
            if kept < number:
                raise SystemExit(f"{desk}: {number - kept} entries are missing")
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cuad", type=Path)
    asked, filed = choose(load(parser.parse_args().cuad))
    # numbers are drawn: neither page nor number says anything about a desk
    ordered = sorted([*asked, *filed], key=lambda entry: shuffled(f"number {entry.id}"))
    numbers = {entry.id: f"R-{place:04}" for place, entry in enumerate(ordered, start=1001)}
    shutil.rmtree(HERE / "pages", ignore_errors=True)
    (HERE / "pages").mkdir()
    page = 0
    for name, entries in (("questions", asked), ("tuning", filed)):
        entries.sort(key=lambda entry: numbers[entry.id])
        rows = []
        for first in range(0, len(entries), PAGE):
            page += 1
            source = f"register-{page:02}.md"
            some = entries[first : first + PAGE]
            parts = [f"# Register of clauses, page {page}"]
            for entry in some:
                parts += [f"## Entry {numbers[entry.id]}", entry.text]
                rows.append(
                    {
                        "id": f"register-{numbers[entry.id]}",
                        "question": f"Which desk reads this clause?\nEntry: {numbers[entry.id]}",
                        "answers": [entry.desk],
                        "answerable": True,
                        "options": list(DESKS),
                        "evidence": [{"source": source, "quote": entry.text}],
                        "source": entry.id,
                        "slices": [entry.desk, entry.category],
                        "made": "gold",
                    }
                )
            text = "\n\n".join(parts) + "\n"
            (HERE / "pages" / source).write_text(text, encoding="utf-8", newline="\n")
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (HERE / f"{name}.jsonl").write_text(lines, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
