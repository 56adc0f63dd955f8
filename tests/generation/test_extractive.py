from hybrid.generation.extractive import extract
from hybrid.generation.packing import passage_of
from hybrid.testing import HashEmbedder
from hybrid.types import Chunk, Hit

TEXT = (
    "The server is configured in a file. port sets the port that the server listens on. "
    "The default port of the server is 5432. Cats sleep all day."
)


def hits_of(*texts):
    return [
        Hit(Chunk(f"{n}.txt", 0, 10, 10 + len(text), text, ("Connections",)), 1.0 / (n + 1))
        for n, text in enumerate(texts)
    ]


def run(question, hits, sentences=2):
    passages = [passage_of(n, hit) for n, hit in enumerate(hits, start=1)]
    return extract(question, hits, passages, HashEmbedder(dimension=256), sentences=sentences)


def test_sentences_are_verbatim_and_their_offsets_hold():
    hits = hits_of(TEXT, "Dogs bark.")
    found = run("What is the default port of the server?", hits)
    assert any("5432" in cited.sentence for cited in found.cited)
    for cited in found.cited:
        span = cited.support.span
        assert TEXT[span.start - 10 : span.end - 10] == cited.sentence


def test_a_question_for_a_number_prefers_a_sentence_with_one():
    found = run(
        "How many connections does the server take?",
        hits_of("The server takes connections. The server takes 100 connections."),
        1,
    )
    assert "100" in found.cited[0].sentence


def test_the_relevance_of_a_foreign_question_is_lower():
    hits = hits_of(TEXT)
    assert run("default port of the server?", hits).relevance > run("sourdough oven?", hits).relevance


def test_overlapping_chunks_do_not_repeat_a_sentence():
    hits = [*hits_of(TEXT), Hit(Chunk("0.txt", 1, 10, 10 + len(TEXT), TEXT), 0.5)]
    found = run("default port of the server?", hits, sentences=4)
    assert len({cited.sentence for cited in found.cited}) == len(found.cited)


def test_without_hits_there_is_nothing():
    assert run("anything?", []).cited == ()


def test_a_long_table_is_cut_by_lines():
    table = "\n".join(f"row{n} | value {n}" for n in range(60))
    found = run("What is the value of row7?", hits_of(table), 1)
    assert len(found.cited[0].sentence) < 400


def test_code_and_tables_keep_their_lines():
    code = "# not a heading\nwidget backup --all\n  --now"
    found = run("Which widget command makes a backup of all?", hits_of(code), 1)
    assert (
        found.cited[0].sentence
        == code[found.cited[0].support.span.start - 10 : found.cited[0].support.span.end - 10]
    )


def test_wrapped_prose_is_shown_on_one_line():
    found = run("What is the default port?", hits_of("The default\nport is 5432."), 1)
    assert found.cited[0].sentence == "The default port is 5432."
