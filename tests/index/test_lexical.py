"""The lexical side: words, never query syntax."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import IndexCorrupt, StorageError
from hybrid.index.lexical import TantivyIndex, build_lexical
from hybrid.index.store import Row
from hybrid.text.abbreviations import Explained, Meaning
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


_EXACT = {
    "sha1": "The commit is d3b07384d113edec49eaa6238ad5ff00c3d4e5f6 of the branch.",
    "sha2": f"Its digest is {'9f86' * 16} today.",
    "v132": "Version v1.3.2 of the server was released in spring.",
    "v213": "Version v2.1.3 of the server was released in spring.",
    "v321": "Version v3.2.1 of the server was released in spring.",
    "c": "The library is written in C and has a manual.",
    "cpp": "The library is written in C++ and has a manual.",
    "csharp": "The library is written in C# and has a manual.",
    "net": "It runs on .NET with a manual.",
    "one": "The address is 10.0.0.12 of the gateway.",
    "two": "The address is 12.0.0.10 of the gateway.",
    "s421": "Section 4.2.1 speaks of leave.",
    "s142": "Section 1.4.2 speaks of leave.",
    "zh": "数据库的默认端口是5432。",
    "zh2": "会议室预约需提前三天。",
    "th": "พอร์ตเริ่มต้นของเซิร์ฟเวอร์คือ 5432",
    "ko": "기본 포트는 오천입니다",
    "cafe": "The café is closed on Mondays.",
    "muller": "Frau Müller leitet das Büro.",
    "notice": "The notice period is four weeks.",
    "parted": "The pump PX-7718 has five bar.",
    "joined": "The pump px7719 has five bar.",
    "blank": "The pump PX 7781 has five bar.",
    "model": "The pump KX-20B has five bar.",
    "others": "A year of other words for company.",
}


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exact") / "index"
    texts = enumerate(_EXACT.values())
    build_lexical(folder, [Row(n, Chunk("a", n, 0, len(text), text)) for n, text in texts])
    return TantivyIndex(folder)


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("d3b07384d113edec49eaa6238ad5ff00c3d4e5f6", "sha1"),
        ("where is " + "9F86" * 16, "sha2"),
        ("v1.3.2", "v132"),
        ("what came in 2.1.3?", "v213"),
        ("version 3.2.1", "v321"),
        ("C++ manual", "cpp"),
        ("C# manual", "csharp"),
        (".NET", "net"),
        ("12.0.0.10", "two"),
        ("section 1.4.2", "s142"),
        ("section 4.2.1", "s421"),
        ("默认端口", "zh"),
        ("数据库的默认端口是什么？", "zh"),
        ("端口 5432", "zh"),
        ("预约", "zh2"),
        ("约", "zh2"),
        ("พอร์ต", "th"),
        ("포트", "ko"),
        ("cafe", "cafe"),
        ("CAFÉ", "cafe"),
        ("ｃａｆｅ", "cafe"),
        ("Muller", "muller"),
        ("Mueller", "muller"),
        ("büro", "muller"),
        ("buro", "muller"),
        ("teh notise period", "notice"),
        ("périod notcie", "notice"),
    ],
)
def test_strings_spellings_and_slips_are_found(exact, question, name):
    assert _positions(exact.search(question, 1)) == [list(_EXACT).index(name)]


@pytest.mark.parametrize("question", ["P055", "10.0.0.99", "notx", "v9.9.9x", "no7ice", "px7799"])
def test_no_figure_and_no_short_word_is_taken_for_a_slip(exact, question):
    found = exact.search(question, 9)
    assert "notice" not in [list(_EXACT)[position] for position in _positions(found)]


def test_words_side_by_side_count_for_more(tmp_path):
    texts = [
        "Cost of the service was low and net sales of goods rose.",
        "The service cost was low, sales rose, goods were net.",
        "Nothing else stands here at all.",
    ]
    build_lexical(tmp_path / "i", [Row(n, Chunk("a", n, 0, len(text), text)) for n, text in enumerate(texts)])
    index = TantivyIndex(tmp_path / "i")
    assert _positions(index.search("net sales", 1)) == [0]
    assert _positions(index.search("service cost", 1)) == [1]
    assert index.search("net net", 3)


def test_the_shares_of_words_hold_for_spellings_and_characters(exact):
    shares = exact.word_shares("Müller 端口 the qqqq v9.9.9")
    assert shares["端口"] == pytest.approx(1 / len(_EXACT))
    assert shares["muller"] == pytest.approx(1 / len(_EXACT))
    assert shares["qqqq"] == 0 and "9.9.9" not in shares
    among = list(range(len(_EXACT)))
    assert exact.word_shares("Müller 端口 the", among=among) == pytest.approx(
        exact.word_shares("Müller 端口 the")
    )


def test_an_index_of_an_earlier_format_keeps_its_words(tmp_path):
    import tantivy

    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("position", stored=True, indexed=True, fast=True)
    builder.add_text_field("text", stored=False, tokenizer_name="en_stem", index_option="freq")
    (tmp_path / "old").mkdir()
    older = tantivy.Index(builder.build(), path=str(tmp_path / "old"))
    writer = older.writer(heap_size=15_000_000, num_threads=1)
    document = tantivy.Document()
    document.add_unsigned("position", 0)
    document.add_text("text", "The notice of v1.3.2 for Müller")
    writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    index = TantivyIndex(tmp_path / "old")
    assert _positions(index.search("notices in 1.3.2", 3)) == [0]
    assert index.search("notise muller", 3) == []
    assert index.word_shares("notice qqqq") == {"notic": 1.0, "qqqq": 0.0}


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

    class FullIndex:
        def __init__(self, *_, **__):
            pass

        def register_tokenizer(self, *_):
            pass

        def writer(self, **__):
            return self

        def add_document(self, document):
            raise ValueError("An IO error occurred: 'No space left on device (os error 28)'")

    monkeypatch.setattr(tantivy, "Index", FullIndex)
    with pytest.raises(StorageError, match="no space left"):
        build_lexical(tmp_path / "full", [Row(0, Chunk("a", 0, 0, 1, "x"))])


# --- what words stand for --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def worded(tmp_path_factory):
    texts = [
        "MS is treated slowly with patience.",
        "multiple sclerosis is named here once.",
        "multiple sclerosis treated slowly, MS too.",
        "Many other texts are here as well.",
        "Nothing of all this is in here at all.",
    ]
    folder = tmp_path_factory.mktemp("worded") / "index"
    build_lexical(folder, [Row(n, Chunk("a", n, 0, len(text), text)) for n, text in enumerate(texts)])
    return TantivyIndex(folder)


def _scores(index, question, typed, *meanings):
    start = question.index(typed)
    part = Explained(start, start + len(typed), tuple(Meaning(typed, one, 1) for one in meanings))
    return {one.position: one.score for one in index.search(question, 10, explained=[part])}


@pytest.mark.parametrize(("typed", "other"), [("MS", "multiple sclerosis"), ("multiple sclerosis", "MS")])
def test_a_text_is_found_by_what_words_stand_for_as_if_it_had_them(worded, typed, other):
    question = f"patience with {typed}"
    found = _scores(worded, question, typed, other)
    assert found.keys() == {0, 1, 2}
    assert max(found, key=found.get) == 0, "it has more of the question, however rare the other wording is"
    assert found[2] < found[0], "a text with both wordings is not found twice"


def test_a_form_that_no_text_has_is_searched_by_its_meanings(worded):
    assert _scores(worded, "XQ9?", "XQ9", "multiple sclerosis", "nowhere").keys() == {1, 2}
    assert _scores(worded, "XQ9?", "XQ9", "nowhere") == {}
