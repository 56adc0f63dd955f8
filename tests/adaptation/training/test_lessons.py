"""The fused ranking as a teacher."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hybrid.adaptation.training.lessons import Bm25, Teacher
from hybrid.index import Scored
from hybrid.retrieval import weighted_fusion
from hybrid.testing import HashEmbedder

_PASSAGES = [
    "the port of the server is 5432",
    "cats sleep on the roof",
    "the server writes a log",
    "a log of wood on the roof",
    "ports and servers and logs",
    "nothing in common here",
]


def _teacher(queries, passages=tuple(_PASSAGES), weight=0.5):
    model = HashEmbedder(32)
    return Teacher(
        queries,
        passages,
        model.embed_queries(queries),
        model.embed_documents(passages),
        dense_weight=weight,
    )


def test_words_that_are_rare_count_more_and_unknown_ones_nothing():
    words = Bm25(_PASSAGES)
    (scores,) = words.scores(words.asked(["a cats unheard"]))
    assert scores.argmax() == 1
    (both,) = words.scores(words.asked(["roof"]))
    assert np.flatnonzero(both).tolist() == [1, 3]
    assert both[1] > 0
    assert not words.scores(words.asked(["zzz"])).any()
    assert words.scores(words.asked([])).shape == (0, 6)
    some = words.scores(words.asked(["roof"]), np.array([3, 0]))
    assert some[0].tolist() == [both[3], 0]


def test_bm25_is_that_of_the_lexical_index(tmp_path):
    from hybrid.index.lexical import TantivyIndex, build_lexical
    from hybrid.index.store import Row
    from hybrid.types import Chunk

    rows = [Row(n, Chunk(str(n), 0, 0, len(text), text)) for n, text in enumerate(_PASSAGES)]
    build_lexical(tmp_path / "lexical", rows)
    index = TantivyIndex(tmp_path / "lexical")
    words = Bm25(_PASSAGES)
    for query in ("the log of the server", "roof", "ports sleeping"):
        ours = words.scores(words.asked([query]))[0]
        theirs = {scored.position: scored.score for scored in index.search(query, 10)}
        assert [n for n, score in enumerate(ours) if score > 0] == sorted(theirs)
        for position, score in theirs.items():
            assert ours[position] == pytest.approx(score, rel=0.05)


@pytest.mark.slow
@settings(max_examples=30)
@given(st.sampled_from([0.2, 0.5, 0.8]), st.lists(st.sampled_from(" ".join(_PASSAGES).split()), min_size=1))
def test_it_ranks_as_the_fusion_does(weight, words):
    query = " ".join(words)
    teacher = _teacher([query], weight=weight)
    model = HashEmbedder(32)
    dense = model.embed_documents(_PASSAGES) @ model.embed_queries([query])[0]
    scorer = Bm25(_PASSAGES)
    lexical = scorer.scores(scorer.asked([query]))[0]
    sides = [[Scored(n, float(score)) for n, score in enumerate(side)] for side in (dense, lexical)]
    fused = {scored.position: scored.score for scored in weighted_fusion(sides, [weight, 1 - weight])}
    taught = teacher.similarities([0], range(6))[0]
    order = sorted(range(6), key=lambda n: -taught[n])
    expected = [fused[n] for n in order]
    assume(np.ptp(lexical) > 0)
    assert expected == sorted(expected, reverse=True) or np.diff(expected).max() < 1e-5


def test_where_words_say_nothing_it_says_what_the_base_says():
    teacher = _teacher(["zzz yyy"])
    model = HashEmbedder(32)
    base = model.embed_documents(_PASSAGES) @ model.embed_queries(["zzz yyy"])[0]
    assert teacher.similarities([0], range(6))[0] == pytest.approx(base, abs=1e-5)


def test_all_weight_on_the_dense_side_is_the_base():
    teacher = _teacher(["the log of the roof"], weight=1.0)
    model = HashEmbedder(32)
    base = model.embed_documents(_PASSAGES) @ model.embed_queries(["the log of the roof"])[0]
    assert teacher.similarities([0], range(6))[0] == pytest.approx(base, abs=1e-5)


def test_the_best_are_listed_without_ones_own():
    queries = ["the port of the server", "the roof"]
    teacher = _teacher(queries)
    listed = teacher.best(3, [[0], [1, 3]])
    assert 0 not in listed.places[0]
    assert not {1, 3} & set(listed.places[1].tolist())
    for row in range(2):
        own = teacher.similarities([row], listed.places[row])[0]
        assert own == pytest.approx(listed.similarities[row], abs=1e-5)
        assert list(own) == sorted(own, reverse=True)


def test_a_small_pool_leaves_places_empty():
    listed = _teacher(["a", "b"], passages=("one", "two")).best(5, [[0], [0, 1]])
    assert listed.places.tolist() == [[1, -1], [-1, -1]]
