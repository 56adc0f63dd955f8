"""Which domain a question belongs to, or none: the router beside what anyone would try first.

Seven real corpora are indexed, twenty questions of each are labelled, the others are asked, with questions of
XQuAD and SciFact as none of these. The peers get the same labels and the same encoder: TF-IDF with logistic
regression, the highest cosine to a labelled question, and the package semantic-router where it is installed.

    python tests/benchmarks/routing.py DATA [--documents 400] [--indexes FOLDER]
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from measure import note, print_json, print_table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score

from hybrid import Assistant, Assistants, load_settings
from hybrid.confidence import calibration_error

_ROOT = Path(__file__).resolve().parents[2]
_OWN = Path(__file__).with_name("routing_questions.jsonl")
_LABELLED, _ASKED, _NONE = 20, 100, 150
_REPLICATES = 1_000


@dataclass(frozen=True, slots=True)
class Corpus:
    """The documents of a domain, and questions with the document that each belongs to."""

    name: str
    documents: list[tuple[str, str | Path]]
    questions: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Routed:
    """What a router said of a question: how sure that it is of any domain, the best one, and its choice.

    ``choice`` is empty for none; ``sure`` the probability of the choice, None where the router has none.
    """

    inside: float
    best: str
    choice: str = ""
    sure: float | None = None


def corpora(data: Path) -> Iterator[Corpus]:
    """Yield the seven domains."""
    own: dict[str, list[tuple[str, str]]] = {}
    for row in _rows(_OWN):
        own.setdefault(row["domain"], []).append((row["question"], row["source"]))
    for name, pattern in (
        ("debian_policy", "policy.txt"),
        ("git_doc", "*.txt"),
        ("haystack_mdx", "**/*.mdx"),
    ):
        folder = data / "corpora" / name
        yield Corpus(
            name, [(str(p.relative_to(folder)), p) for p in sorted(folder.glob(pattern))], own.get(name, [])
        )
    pages = data / "corpora" / "postgres_html"
    postgres = [
        (row["question"], row["evidence"][0]["source"] if row["evidence"] else row["id"])
        for row in _rows(_ROOT / "examples" / "postgres" / "questions.jsonl")
        if row["answerable"]
    ]
    yield Corpus("postgres_html", [(p.name, p) for p in sorted(pages.glob("**/*.html"))], postgres)
    cranfield = [(row["text"], row["_id"]) for row in _rows(data / "cranfield" / "queries.jsonl")]
    abstracts = [(f"{row['_id']}.txt", row["text"]) for row in _rows(data / "cranfield" / "corpus.jsonl")]
    yield Corpus("cranfield", abstracts, cranfield)
    medquad = _rows(data / "medquad" / "medquad.jsonl")
    answers = [(f"{row['id']}.txt", row["answer"]) for row in medquad]
    yield Corpus("medquad", answers, [(row["question"], row["focus"]) for row in medquad])
    clauses = [(f"{row['_id']}.txt", row["text"]) for row in _rows(data / "cuad" / "clauses.jsonl")]
    contracts = _rows(_ROOT / "examples" / "contracts" / "questions.jsonl")
    yield Corpus("cuad", clauses, [(row["question"], row["source"]) for row in contracts])


def strangers(data: Path) -> dict[str, list[str]]:
    """Return questions of none of the domains."""
    articles = json.loads((data / "xquad_en" / "xquad.en.json").read_text(encoding="utf-8"))["data"]
    xquad = [qa["question"] for one in articles for part in one["paragraphs"] for qa in part["qas"]]
    return {"xquad": xquad, "scifact": [row["text"] for row in _rows(data / "scifact" / "queries.jsonl")]}


def indexed(corpus: Corpus, indexes: Path, labelled: Sequence[tuple[str, str]], documents: int) -> None:
    """Index at most so many documents, drawn, and put the labelled questions into the domain's sets."""
    settings = load_settings({"indexes": str(indexes), "models": {"offline": True}})
    assistant = Assistant(corpus.name, settings=settings)
    if not (assistant.folder / "CURRENT").is_file():
        drawn = random.Random(1).sample(corpus.documents, min(documents, len(corpus.documents)))
        with tempfile.TemporaryDirectory() as folder:
            for name, text in drawn:
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text.read_text(errors="replace") if isinstance(text, Path) else text)
            assistant.index(folder)
    sets = assistant.questions.folder
    sets.mkdir(parents=True, exist_ok=True)
    if not labelled:
        (sets / "routing.jsonl").unlink(missing_ok=True)
        return
    rows = [
        {"id": f"q{n}", "question": text, "answers": ["-"], "source": source}
        for n, (text, source) in enumerate(labelled)
    ]
    (sets / "routing.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def tfidf(labelled: Sequence[tuple[str, str]]) -> Callable[[str], Routed]:
    """Return TF-IDF with logistic regression over the labelled questions."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = LogisticRegression(C=10, max_iter=1_000)
    model.fit(words.fit_transform([text for text, _ in labelled]), [name for _, name in labelled])

    def route(question: str) -> Routed:
        chances = model.predict_proba(words.transform([question]))[0]
        best = str(model.classes_[chances.argmax()])
        return Routed(float(chances.max()), best, best, float(chances.max()))

    return route


def cosine(labelled: Sequence[tuple[str, str]], embed: Callable[[list[str]], np.ndarray]) -> Callable:
    """Return the domain of the nearest labelled question."""
    vectors = embed([text for text, _ in labelled])

    def route(question: str) -> Routed:
        scores = vectors @ embed([question])[0]
        return Routed(float(scores.max()), labelled[int(scores.argmax())][1])

    return route


def semantic_router(labelled: Sequence[tuple[str, str]], embed: Callable) -> dict[str, Callable]:
    """Return the package's router over the same questions and encoder, nothing where it is not installed."""
    try:
        from semantic_router import IndexedRouter, Route
        from semantic_router.encoders import DenseEncoder
    except ImportError as error:
        note(f"without semantic-router: {error}")
        return {}

    class Encoder(DenseEncoder):
        def __call__(self, docs: list) -> list[list[float]]:
            return embed(list(docs)).tolist()

    names = dict.fromkeys(name for _, name in labelled)
    routes = [Route(name=one, utterances=[text for text, own in labelled if own == one]) for one in names]
    router = IndexedRouter(encoder=Encoder(name="the same encoder"), routes=routes)

    def route(question: str) -> Routed:
        found = router(question, limit=1)
        return Routed(float(found.confidence or 0.0), found.name or "")

    return {"semantic-router": route}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--documents", type=int, default=400, help="of each corpus, at most")
    parser.add_argument("--indexes", type=Path, help="keep the indexes here, and take those that are there")
    parser.add_argument("--unlabelled", action="store_true", help="only three of the domains have labels")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        indexes = options.indexes or Path(folder)
        labelled, asked = [], []
        for place, corpus in enumerate(corpora(options.data)):
            questions = list(dict.fromkeys(corpus.questions))
            random.Random(7).shuffle(questions)
            known = [] if options.unlabelled and place % 2 else questions[:_LABELLED]
            sources = {source for _, source in known}
            rest = [text for text, source in questions[_LABELLED:] if source not in sources]
            indexed(corpus, indexes, known, options.documents)
            note(f"{corpus.name}: {len(known)} labelled, {min(len(rest), _ASKED)} asked")
            labelled += [(text, corpus.name) for text, _ in known]
            asked += [(text, corpus.name) for text in rest[:_ASKED]]
        for texts in strangers(options.data).values():
            asked += [(text, "") for text in random.Random(7).sample(texts, _NONE)]
        settings = load_settings({"models": {"offline": True}})
        with Assistants(indexes, settings=settings) as assistants:
            card = assistants.fit_router()
            note(f"fitted: {card}")
            embed = assistants[assistants.domains[0]].embedder.embed_queries
            routers = {
                "hybrid": lambda text: _ours(assistants, text),
                "TF-IDF + logistic regression": tfidf(labelled),
                "highest cosine": cosine(labelled, embed),
                **semantic_router(labelled, embed),
            }
            begun = time.perf_counter()
            table = {name: [route(text) for text, _ in asked] for name, route in routers.items()}
            note(f"{time.perf_counter() - begun:.1f} s")
    truth = [name for _, name in asked]
    rows = [(name, *_figures(found, truth)) for name, found in table.items()]
    print_table(("router", "macro-F1", "AUROC", "TPR at 5 % FPR", "ECE"), rows)
    print_json({"benchmark": "routing", "weights": str(card.weights), "rows": [list(row) for row in rows]})


def _ours(assistants: Assistants, text: str) -> Routed:
    route = assistants.route(text)
    chances = {one.domain: one.probability for one in route.chances}
    best = next(one.domain for one in route.chances if one.domain)
    return Routed(1 - chances[""], best, route.domain, route.probability)


def _figures(found: Sequence[Routed], truth: Sequence[str]) -> list[str]:
    """Return the figures with their 95 % intervals, over questions drawn again."""
    random_ = np.random.default_rng(0)
    draws = [np.arange(len(truth)), *(random_.integers(len(truth), size=(_REPLICATES, len(truth))))]
    names = np.array(truth)
    best = np.array([one.best for one in found])
    inside = np.array([one.inside for one in found])
    texts = []
    for figure in (_f1, _auroc, _tpr):
        values = [figure(names[draw], best[draw], inside[draw]) for draw in draws]
        low, high = np.quantile(values[1:], [0.025, 0.975])
        texts.append(f"{values[0]:.3f} [{low:.3f}, {high:.3f}]")
    if found[0].sure is None:
        return [*texts, "-"]
    right = [float(one.choice == name) for one, name in zip(found, truth, strict=True)]
    error = calibration_error([one.sure or 0.0 for one in found], right)
    assert error is not None
    return [*texts, f"{error.error:.3f}"]


def _f1(names: np.ndarray, best: np.ndarray, inside: np.ndarray) -> float:
    own = names != ""
    return float(f1_score(names[own], best[own], average="macro", labels=sorted(set(names[own]))))


def _auroc(names: np.ndarray, best: np.ndarray, inside: np.ndarray) -> float:
    return float(roc_auc_score(names != "", inside))


def _tpr(names: np.ndarray, best: np.ndarray, inside: np.ndarray) -> float:
    return float((inside[names != ""] > np.quantile(inside[names == ""], 0.95)).mean())


def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


if __name__ == "__main__":
    main()
