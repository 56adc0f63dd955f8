import json

from hybrid.config import ChunkSettings, GenerationSettings, Reader, RetrievalSettings
from hybrid.evaluation.benchmark import bench_answers, bench_retrieval
from hybrid.evaluation.questions import load_beir
from hybrid.generation.answering import Answerer
from hybrid.index import Index
from hybrid.models.fakes import HashEmbedder, OverlapReranker, ScriptedGenerator
from hybrid.retrieval import Retriever
from hybrid.types import Arm, Question

TEXTS = {
    "d1": "The default port of the server is 5432.",
    "d2": "Cats sleep all day long in the warm sun.",
    "d3": "Vacuum removes dead rows from a table.",
}


def collection(folder):
    folder.mkdir()
    rows = [{"_id": name, "title": "", "text": text} for name, text in TEXTS.items()]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    queries = [
        {"_id": "q1", "text": "default port of the server"},
        {"_id": "q2", "text": "dead rows of a table"},
    ]
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td3\t1\n")
    return load_beir(folder)


def bench(tmp_path, reranker=None):
    return bench_retrieval(
        collection(tmp_path / "beir"),
        tmp_path / "index",
        embedder=HashEmbedder(dimension=256),
        chunks=ChunkSettings(),
        retrieval=RetrievalSettings(),
        reranker=reranker,
    )


def test_every_mode_is_scored(tmp_path):
    rows = bench(tmp_path)
    assert [row.mode for row in rows] == ["dense", "lexical", "fusion, reciprocal rank", "fusion, weighted"]
    assert all(row.scores.ndcg_at_10 == 1.0 and row.scores.queries == 2 for row in rows)


def test_a_reranker_adds_a_row(tmp_path):
    assert bench(tmp_path, OverlapReranker())[-1].mode == "fusion, reranked"


def test_arms_are_scored_on_answerable_and_unanswerable_questions(tmp_path):
    bench(tmp_path)
    embedder = HashEmbedder(dimension=256)
    questions = [
        Question("1", "What is the default port of the server?", ("5432",)),
        Question("2", "Sourdough oven temperature?", answerable=False),
    ]
    generator = ScriptedGenerator(["It is 1812."])
    rows = bench_answers(
        questions,
        retriever=Retriever(Index.open(tmp_path / "index"), embedder, RetrievalSettings()),
        answerer=Answerer(embedder, lambda: generator, GenerationSettings()),
        arms=[(Arm.RAG, Reader.EXTRACTIVE), (Arm.RAG, Reader.GENERATOR), (Arm.BASE, Reader.GENERATOR)],
    )
    extractive, generated, base = rows
    assert (extractive.contains_gold, extractive.abstained_right, extractive.citations_hold) == (
        1.0,
        1.0,
        1.0,
    )
    # an invented number is not shown: an abstention, which scores 0 and is counted as a wrong one
    assert (generated.contains_gold, generated.abstained_wrong, generated.citations) == (0.0, 1.0, 0)
    assert (base.contains_gold, base.abstained_right) == (0.0, 0.0)
