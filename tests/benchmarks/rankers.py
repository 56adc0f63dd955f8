"""Three rankers of sentences, each on the task of the others: would one formula do for all?

    python tests/benchmarks/rankers.py DATA [--sets xquad,tables] [--limit N] [--claims N] [--work F]

Of the questions of ``answer_facts.py``: how often the gold stands in the first sentence, and in the first
three, of the hits that retrieval found. Of WiCE's claims: how many of the sentences that carry them are among
the first five. *words* is the weighted share of words, *judge* what evidence is found by, *focus* the cosine
with that (what a model is shown), *reader* what the default reader quotes. *shown 3 x 120* is how often
the gold stands in three passages of 120 tokens that a model is shown, which is the default.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from answer_facts import _SETS, spread
from measure import note, print_json, print_table
from numpy.typing import NDArray
from tables import held

from hybrid import Assistant, load_settings
from hybrid.generation.extracting import extract
from hybrid.generation.prompts import passage_of
from hybrid.generation.ranking import by_question, focus_all
from hybrid.grounding.evidence import SearchedPassage
from hybrid.models import Embedder
from hybrid.text.words import overlaps
from recipes.grounding.sets import load, recall, wice_gold

_FIRST, _SHOWN, _EVIDENCE = 1, 3, 5
_BUDGETS = ((2, 60), (1, 60), (3, 40))
# a question or a claim, the sentences, those with their titles -> places of sentences, the best first
Ranker = Callable[[str, Sequence[str], Sequence[str]], list[int]]


def _best_first(scores: NDArray[Any]) -> list[int]:
    return [int(place) for place in np.argsort(-scores, kind="stable")]


def rankers(embedder: Embedder) -> dict[str, Ranker]:
    """Return the rankers by name."""

    def focus(asked: str, plain: Sequence[str], titled: Sequence[str]) -> list[int]:
        cosines = embedder.embed_documents(list(plain)) @ embedder.embed_queries([asked])[0]
        return _best_first(by_question(asked, titled, cosines)[0])

    def words(asked: str, plain: Sequence[str], titled: Sequence[str]) -> list[int]:
        return _best_first(np.array(overlaps(asked, titled)))

    def judge(asked: str, plain: Sequence[str], titled: Sequence[str]) -> list[int]:
        text = "\n\n".join(plain)
        starts = np.cumsum([0, *(len(one) + 2 for one in plain)])
        found = SearchedPassage(text, max_words=10_000).best(asked, _EVIDENCE)
        return [int(np.searchsorted(starts, span.start, side="right")) - 1 for span in found]

    return {"focus": focus, "words": words, "judge": judge}


def of_questions(name: str, data: Path, work: Path, limit: int) -> list[list[str]]:
    """Return for each ranker how often the gold is in its first sentences."""
    facts = _SETS[name](data, work)
    settings = load_settings({"indexes": str(work / "indexes"), "models": {"offline": True}})
    assistant = Assistant(name, settings=settings)
    assistant.index(facts.documents)
    embedder = assistant.embedder
    told: dict[str, list[tuple[bool, bool]]] = {}
    questions = spread([one for one in facts.questions if one.answerable], limit)
    found_of = [assistant.search(question.text) for question in questions]
    for question, hits in zip(questions, found_of, strict=True):
        passages = [passage_of(number, hit) for number, hit in enumerate(hits, 1)]
        plain = [said.text for passage in passages for said in passage.sayings()]
        titled = [f"{passage.title} {said.text}" for passage in passages for said in passage.sayings()]

        def tell(name: str, texts: Sequence[str], golds: Sequence[str] = question.answers) -> None:
            has = [any(held(gold, text) for gold in golds) for text in texts]
            told.setdefault(name, []).append((any(has[:_FIRST]), any(has[:_SHOWN])))

        for ranker, rank in rankers(embedder).items():
            tell(ranker, [plain[place] for place in rank(question.text, plain, titled)])
        quoted = extract(question.text, hits, passages, embedder, sentences=1).cited
        tell("reader", [quoted[0].sentence] if quoted else [])
    own = settings.generation
    for most, tokens in ((own.passages, own.passage_tokens), *_BUDGETS):
        asked = [question.text for question in questions]
        focused = focus_all(asked, found_of, embedder, passages=most, tokens=tokens)
        for question, focus in zip(questions, focused, strict=True):
            texts = [passage.text for passage in focus.passages]
            has = any(held(gold, text) for gold in question.answers for text in texts)
            told.setdefault(f"shown {most} x {tokens}", []).append((has, has))
    rows = []
    for ranker, found in told.items():
        first, shown = (f"{mean(values):.3f}" for values in zip(*found, strict=True))
        rows.append([name, str(len(found)), ranker, first, "-" if ranker == "reader" else shown])
    return rows


def of_claims(data: Path, embedder: Embedder, limit: int) -> list[list[str]]:
    """Return for each ranker its recall of the sentences that carry a claim; the best gold set counts."""
    gold = wice_gold(data / "wice" / "dev.jsonl")
    claims = [one for one in load(data / "wice" / "dev.jsonl").examples if gold[one.id]][:limit]
    found: dict[str, list[float]] = {}
    for claim in claims:
        text = claim.evidence[0]
        units = SearchedPassage(text, max_words=10_000).units
        plain = [text[unit.start : unit.end] for unit in units]
        for name, rank in rankers(embedder).items():
            best = [units[place] for place in rank(claim.claim, plain, plain)[:_EVIDENCE]]
            found.setdefault(name, []).append(max(recall(best, spans) or 0.0 for spans in gold[claim.id]))
    return [
        ["WiCE dev", str(len(claims)), name, "-", f"{mean(values):.3f}"] for name, values in found.items()
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="with xquad_en, tatqa and wice")
    parser.add_argument("--sets", default="xquad,tables,postgres")
    parser.add_argument("--limit", type=int, default=300, help="questions of a set")
    parser.add_argument("--claims", type=int, default=1_000)
    parser.add_argument("--work", type=Path, help="keep files and indexes here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = (options.work or Path(temporary)).resolve()
        rows = []
        for name in options.sets.split(","):
            rows += of_questions(name, options.data, work, options.limit)
            note(f"{name}: asked")
        embedder = Assistant("none", settings=load_settings({"models": {"offline": True}})).embedder
        rows += of_claims(options.data, embedder, options.claims)
    print_table(("set", "n", "ranker", "in the first", f"in {_SHOWN} (WiCE: {_EVIDENCE})"), rows)
    print_json({"benchmark": "rankers", "rows": rows})


if __name__ == "__main__":
    main()
