"""Turn two public test sets into folders in BEIR's format, for `hybrid bench retrieval`.

Cranfield grades 1 as best and 4 as least, and -1 as not relevant: BEIR wants more to be better.
XQuAD has questions below paragraphs: a paragraph becomes a document, relevant to its questions; they are
written once more with their gold answers, for `hybrid evaluate`.

    python tests/benchmarks/to_beir.py cranfield FOLDER OUT     # with corpus.jsonl, queries.jsonl, qrels.tsv
    python tests/benchmarks/to_beir.py xquad FILE.json OUT
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

_GRADES = {1: 4, 2: 3, 3: 2, 4: 1}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=("cranfield", "xquad"))
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    (cranfield if arguments.kind == "cranfield" else xquad)(arguments.source, arguments.out)


def cranfield(source: Path, out: Path) -> None:
    for name in ("corpus.jsonl", "queries.jsonl"):
        shutil.copy(source / name, out / name)
    header, *rows = (source / "qrels.tsv").read_text().splitlines()
    lines = [header]
    for row in rows:
        query, document, grade = row.split("\t")
        lines.append(f"{query}\t{document}\t{_GRADES.get(int(grade), 0)}")
    (out / "qrels.tsv").write_text("\n".join(lines) + "\n")


def xquad(source: Path, out: Path) -> None:
    corpus, queries, questions, qrels = [], [], [], ["query-id\tcorpus-id\tscore"]
    for article in json.loads(source.read_text())["data"]:
        for paragraph in article["paragraphs"]:
            name = f"p{len(corpus) + 1}"
            corpus.append({"_id": name, "title": article.get("title", ""), "text": paragraph["context"]})
            for question in paragraph["qas"]:
                queries.append({"_id": question["id"], "text": question["question"]})
                qrels.append(f"{question['id']}\t{name}\t1")
                answers = sorted({answer["text"] for answer in question["answers"]})
                questions.append({"id": question["id"], "question": question["question"], "answers": answers})
    (out / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus))
    (out / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    (out / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    (out / "qrels.tsv").write_text("\n".join(qrels) + "\n")


if __name__ == "__main__":
    main()
