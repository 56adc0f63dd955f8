"""Cut the general retrieval set from SummEdits, so that everybody can see where it comes from.

SummEdits (Laban et al. 2023, Apache-2.0) holds 102 documents of five kinds, each with a summary. A sentence
of a summary is a query, and its document is what it should find; the documents are news, podcasts, meetings,
sales calls and chats, so that an embedder tuned on any one domain shows what it lost. Of a long document
there stay the stretches that share most rare words with its summary, in their order; words are not touched.
The result is in BEIR's format.

    python tests/benchmarks/general_retrieval.py FOLDER_OF_SUMMEDITS hybrid/adaptation/suite/retrieval
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hybrid.text.sentences import sentence_spans

_KINDS = ("news", "podcast", "qmsumm", "sales_call", "samsum")
_STRETCH = 420
_CHARACTERS = 1_250
_QUERY_WORDS = 6
_WORD = re.compile(r"\w+")


def _documents(folder: Path) -> dict[str, tuple[str, str]]:
    """Return name -> (text, summary) of every document, each once."""
    found: dict[str, tuple[str, str]] = {}
    for kind in _KINDS:
        seen: set[str] = set()
        for row in json.loads((folder / f"{kind}.json").read_text(encoding="utf-8")):
            if row["doc"] not in seen:
                seen.add(row["doc"])
                found[f"{kind}-{len(seen):02d}"] = (row["doc"], row["original_summary"])
    return found


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _sentences(text: str) -> list[str]:
    return [text[span.start : span.end].strip() for span in sentence_spans(text)]


def _stretches(text: str) -> list[str]:
    """Join sentences or turns to stretches of about one length."""
    stretches, held = [], ""
    for sentence in _sentences(text):
        if held and len(held) + len(sentence) > _STRETCH:
            stretches.append(held)
            held = ""
        held = f"{held} {sentence}".strip()[: 2 * _STRETCH]
    return [*stretches, held] if held else stretches


def _words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.lower()) if len(word) > 2}


def _cut(text: str, queries: Sequence[str], rarity: Counter[str]) -> str:
    """Return the stretches that share most rare words with a query, until there are enough characters."""
    stretches = _stretches(text)

    def shared(place: int) -> float:
        own = _words(stretches[place])
        return max(sum(1 / math.sqrt(rarity[word]) for word in own & _words(query)) for query in queries)

    kept: list[int] = []
    for place in sorted(range(len(stretches)), key=lambda place: (-shared(place), place)):
        if sum(len(stretches[other]) for other in (*kept, place)) > _CHARACTERS and kept:
            continue
        kept.append(place)
    return " ".join(stretches[place] for place in sorted(kept))


def _write(path: Path, rows: Sequence[dict[str, str]]) -> None:
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(lines, encoding="utf-8")


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("summedits", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    documents = {
        name: (_plain(text), _plain(summary))
        for name, (text, summary) in _documents(arguments.summedits).items()
    }
    rarity = Counter(word for text, _ in documents.values() for word in _words(text))
    corpus, queries, qrels = [], [], ["query-id\tcorpus-id\tscore"]
    for name, (text, summary) in documents.items():
        asked = [sentence for sentence in _sentences(summary) if len(sentence.split()) >= _QUERY_WORDS]
        corpus.append({"_id": name, "title": "", "text": _cut(text, asked or [summary], rarity)})
        for number, query in enumerate(asked, start=1):
            queries.append({"_id": f"{name}-{number}", "text": query})
            qrels.append(f"{name}-{number}\t{name}\t1")
    arguments.out.mkdir(parents=True, exist_ok=True)
    _write(arguments.out / "corpus.jsonl", corpus)
    _write(arguments.out / "queries.jsonl", queries)
    (arguments.out / "qrels.tsv").write_text("\n".join(qrels) + "\n", encoding="utf-8")
    print(f"{len(corpus)} documents, {len(queries)} queries")


if __name__ == "__main__":
    main()
