"""The lexical side: words, never query syntax."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import IndexCorrupt, StorageError
from hybrid.index.lexical import TantivyIndex, build_lexical
from hybrid.index.store import Row
from hybrid.types import Chunk

_TEXTS = [
    "The default port of the server is 5432.",
    "Servers are restarted at night.",
    "foo AND bar are two words, like OR and NOT.",
    "Ein Müller fährt nach Zürich.",
    "Über naïve Ansätze und die Größe.",
    "Пароль хранится в файле настроек.",
    "the the the port",
]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lexical") / "index"
    rows = [Row(place, Chunk("a", place, 0, len(text), text)) for place, text in enumerate(_TEXTS)]
    rows.append(Row(len(rows), Chunk("b", 0, 0, 4, "text", headings=("Timeouts", "Retry budget"))))
    build_lexical(folder, rows)
    return TantivyIndex(folder)


def _positions(found):
    return [scored.position for scored in found]


def test_the_words_of_a_question_find_chunks_best_first(index):
    found = index.search("Which port is the default?", 10)
    assert found[0].position == 0
    scores = [scored.score for scored in found]
    assert scores == sorted(scores, reverse=True)
    assert all(score > 0 for score in scores)


def test_words_are_stemmed_and_case_does_not_count(index):
    assert _positions(index.search("SERVER restarting", 10))[0] == 1


def test_headings_are_searched(index):
    assert _positions(index.search("retry budget", 1)) == [7]


@pytest.mark.parametrize(
    "question",
    [
        "foo AND (bar",
        '"foo AND (bar',
        "text:foo*",
        "position:[0 TO 9] foo",
        "foo^99999 ~bar -foo +bar",
        "foo\\",
        "{foo TO bar]",
        "NOT foo /bar.*/",
        "foo\0bar",
        "IN [foo bar]",
    ],
)
def test_query_syntax_is_only_words(index, question):
    assert 2 in _positions(index.search(question, 10))


def test_a_minus_excludes_nothing_and_a_field_name_selects_nothing(index):
    assert 0 in _positions(index.search("-port", 10))
    assert _positions(index.search("position:0", 10)) == []


@given(st.text(max_size=60))
def test_no_question_is_an_error(index, question):
    found = index.search(question, 3)
    assert len(found) <= 3


def test_a_question_that_utf8_cannot_hold_is_no_error(index):
    assert 0 in _positions(index.search("port \udcff", 5))


@pytest.mark.parametrize("question", ["", "   ", "?!.,;", "\n\t", "xyzzyplugh"])
def test_a_question_without_a_known_word_finds_nothing(index, question):
    assert index.search(question, 5) == []


@pytest.mark.parametrize(
    ("question", "position"), [("müller", 3), ("ZÜRICH", 3), ("größe", 4), ("naïve", 4), ("ПАРОЛЬ", 5)]
)
def test_words_of_other_alphabets_are_found(index, question, position):
    assert _positions(index.search(question, 1)) == [position]


def test_a_search_among_some_positions_scores_as_without(index):
    everything = {scored.position: scored.score for scored in index.search("the port server", 10)}
    some = index.search("the port server", 10, among=[6, 1])
    assert {scored.position for scored in some} == {1, 6}
    for scored in some:
        assert scored.score == pytest.approx(everything[scored.position])
    assert index.search("port", 10, among=[]) == []
    assert index.search("port", 10, among=[3]) == []


def test_no_more_than_k(index):
    assert len(index.search("the port server", 1)) == 1


def test_a_repeated_word_in_the_question_counts_once(index):
    assert index.search("port", 3) == index.search("port port port", 3)


def test_a_pasted_text_is_cut_to_its_first_terms(index):
    pasted = " ".join(f"word{number}" for number in range(5_000))
    assert index.search(f"port {pasted}", 3)


def test_equal_scores_come_in_the_order_of_positions(tmp_path):
    build_lexical(tmp_path / "same", [Row(n, Chunk("a", n, 0, 9, "same text")) for n in range(30)])
    assert _positions(TantivyIndex(tmp_path / "same").search("same", 30)) == list(range(30))


def test_the_same_chunks_give_the_same_scores(tmp_path, index):
    rows = [Row(place, Chunk("a", place, 0, len(text), text)) for place, text in enumerate(_TEXTS)]
    for name in ("one", "two"):
        build_lexical(tmp_path / name, rows)
    found = [TantivyIndex(tmp_path / name).search("the port of servers", 10) for name in ("one", "two")]
    assert found[0] == found[1]


def test_an_index_without_chunks_finds_nothing(tmp_path):
    build_lexical(tmp_path / "none", [])
    assert TantivyIndex(tmp_path / "none").search("port", 5) == []


def test_a_folder_that_is_no_index_is_corrupt(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "none"):
        with pytest.raises(IndexCorrupt, match="cannot be opened"):
            TantivyIndex(tmp_path / name)


def test_a_full_disk_is_a_storage_error(tmp_path, monkeypatch):
    import tantivy

    class FullWriter:
        def add_document(self, document):
            raise ValueError("An IO error occurred: 'No space left on device (os error 28)'")

    monkeypatch.setattr(
        tantivy, "Index", lambda *_, **__: type("I", (), {"writer": lambda *_, **__: FullWriter()})()
    )
    with pytest.raises(StorageError, match="no space left"):
        build_lexical(tmp_path / "full", [Row(0, Chunk("a", 0, 0, 1, "x"))])
