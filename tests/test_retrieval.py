"""From a question to hits: fusion, floors, duplicates, filters, reranking."""

import dataclasses
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid import retrieval
from hybrid.config import ChunkSettings, DocumentSettings, FusionMethod, RetrievalMode, RetrievalSettings
from hybrid.errors import IndexMismatch, UsageError
from hybrid.index import Index, Scored
from hybrid.ingestion import Ingestor
from hybrid.retrieval import (
    Retriever,
    by_best_line,
    by_document,
    by_names,
    distinct,
    reciprocal_rank_fusion,
    rerank,
    weighted_fusion,
)
from hybrid.testing import HashEmbedder, OverlapReranker
from hybrid.types import Chunk, Hit

_DOCS = {
    "port.txt": "The default port of the server is 5432.",
    "night.txt": "The server restarts every night at two.",
    "guide/timeout.txt": "A timeout of thirty seconds ends a slow query.",
    "guide/backup.txt": "Backups are written to the archive folder each hour.",
    "copy.txt": "The default port of the server is 5432.",
}


@pytest.fixture(scope="module")
def embedder():
    return HashEmbedder(64)


@pytest.fixture(scope="module")
def index(tmp_path_factory, embedder):
    folder = tmp_path_factory.mktemp("retrieval")
    for name, text in _DOCS.items():
        (folder / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "docs" / name).write_text(text)
    Ingestor(folder / "domain", embedder, DocumentSettings(workers=1), ChunkSettings()).ingest(
        folder / "docs"
    )
    return Index.open(folder / "domain")


@pytest.fixture(scope="module")
def rows(tmp_path_factory, embedder):
    folder = tmp_path_factory.mktemp("rows")
    (folder / "docs").mkdir()
    prices = [
        "job,price,principals",
        *(f"job {n},{10 * n},{'all' if n != 4 else 'anna'}" for n in range(1, 7)),
    ]
    (folder / "docs" / "prices.csv").write_text("\n".join(prices) + "\n")
    (folder / "docs" / "other.csv").write_text("job,price\njob 9,900\njob 8,800\n")
    Ingestor(folder / "domain", embedder, DocumentSettings(workers=1), ChunkSettings()).ingest(
        folder / "docs"
    )
    return Retriever(Index.open(folder / "domain"), embedder, RetrievalSettings())


@pytest.mark.slow
def test_what_a_question_names_is_found_in_the_document_that_has_all_of_it(tmp_path, embedder):
    report = "# Accident at {0}\n\nA Brisa 7 was lost near {0}.\n\n# Weather\n\nGusts reached {1} knots.\n"
    (tmp_path / "docs").mkdir()
    for name, gusts in {"Tallow": 11, "Marl": 23}.items():
        (tmp_path / "docs" / f"{gusts}.md").write_text(report.format(name, gusts))
    settings = ChunkSettings(max_tokens=24, overlap_tokens=0)
    Ingestor(tmp_path / "domain", embedder, DocumentSettings(workers=1), settings).ingest(tmp_path / "docs")
    retriever = Retriever(Index.open(tmp_path / "domain"), embedder, RetrievalSettings())

    asked = "How strong were the gusts?"
    found = retriever.within_named(asked, ["Brisa", "Marl"])
    assert {hit.chunk.source for hit in found} == {"23.md"}
    assert "Marl" in found[0].chunk.text and "23 knots" in found[1].chunk.text
    assert retriever.within_named(asked, ["Brisa"]) == []  # both have it
    assert retriever.within_named(asked, ["Tallow", "Marl"]) == []  # none has both
    assert retriever.within_named(asked, ["Marl"], exclude=["23.md"]) == []
    assert retriever.within_named(asked, ["Marl"], where={"source": "11.md"}) == []


def test_all_rows_of_a_file_are_those_of_this_file_in_their_order(rows):
    found = rows.records("prices.csv#3", most=6)
    assert [hit.chunk.source for hit in found] == [f"prices.csv#{n}" for n in range(1, 7)]


@pytest.mark.parametrize(
    "asked",
    [
        {"most": 5},
        {"most": 6, "principals": ["bob", "all"]},
        {"most": 6, "exclude": ["prices.csv#2"]},
        {"most": 6, "where": {"source": "prices.csv#2"}},
    ],
)
def test_where_a_row_is_missing_or_they_are_too_many_there_are_none(rows, asked):
    assert rows.records("prices.csv#3", **asked) == []


def test_who_may_read_all_rows_has_them_all(rows):
    assert len(rows.records("prices.csv#3", most=6, principals=["anna", "all"])) == 6


@pytest.fixture
def search(index, embedder):
    def call(question, *, where=None, reranker=None, **options):
        return Retriever(index, embedder, RetrievalSettings(**options), reranker).search(
            question, where=where
        )

    return call


def _sources(hits):
    return [hit.chunk.source for hit in hits]


def _texts(hits):
    """Return the texts: which of two equal documents is found says nothing."""
    return [hit.chunk.text for hit in hits]


# --- searching -------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(RetrievalMode))
@pytest.mark.parametrize("fusion", list(FusionMethod))
def test_each_mode_finds_the_passage_and_tells_the_scores_of_its_sides(search, mode, fusion):
    hits = search("what is the default port of the server", mode=mode, fusion=fusion, k=3)
    assert _sources(hits)[0] in ("port.txt", "copy.txt")
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert -1 <= hits[0].dense <= 1.0001
    assert (hits[0].lexical is None) == (mode is RetrievalMode.DENSE)
    assert hits[0].rerank is None


def test_a_hit_carries_both_sides_as_they_were_scored(search, index, embedder):
    question = "server port"
    vector = embedder.embed_queries([question])[0]
    dense = {s.position: s.score for s in index.search_dense(vector, 10)}
    lexical = {s.position: s.score for s in index.search_lexical(question, 10)}
    chunks = {index.chunks([position])[0].source: position for position in dense}
    hits = search(question, duplicate_overlap=1.0)
    assert hits and any(hit.lexical is not None for hit in hits)
    for hit in hits:
        position = chunks[hit.chunk.source]
        assert hit.dense == pytest.approx(dense[position], abs=1e-6)
        assert hit.lexical == (pytest.approx(lexical[position]) if position in lexical else None)


def test_what_only_the_words_found_has_its_cosine_too(search):
    hits = search("timeout", mode=RetrievalMode.LEXICAL)
    assert _sources(hits) == ["guide/timeout.txt"]
    assert hits[0].dense > 0


@pytest.mark.parametrize("where", [None, {"source": "guide/*"}])
def test_words_that_are_searched_meanwhile_change_no_hit(search, monkeypatch, where):
    asked = ["what is the default port of the server", "timeout"]
    one_after_the_other = [search(question, where=where) for question in asked]
    monkeypatch.setattr(retrieval, "_MEANWHILE", 0)
    assert [search(question, where=where) for question in asked] == one_after_the_other
    assert all(one_after_the_other)


def test_what_fails_meanwhile_is_raised(search, monkeypatch):
    monkeypatch.setattr(retrieval, "_MEANWHILE", 0)
    with pytest.raises(UsageError, match="no document has the key"):
        search("timeout", where={"author": "Ada"})

    def damaged(*_, **__):
        raise IndexMismatch("of another index")

    monkeypatch.setattr(Index, "search_lexical", damaged)
    with pytest.raises(IndexMismatch):
        search("timeout")


@pytest.mark.parametrize("question", ["", "   ", "\n"])
def test_a_question_without_words_has_no_hits(search, question):
    assert search(question) == []


def test_many_questions_are_as_each_alone(index, embedder):
    retriever = Retriever(index, embedder, RetrievalSettings())
    questions = ["default port", "", "backup archive", "\udcff port", "?"]
    assert retriever.search_all(questions) == [retriever.search(question) for question in questions]
    assert retriever.search_all([]) == []


def test_k_bounds_the_hits(search):
    assert len(search("the server", k=1)) == 1
    assert len(search("the server", k=1000)) <= len(_DOCS)


def test_near_duplicates_are_left_out(search):
    assert sorted(_sources(search("default port", duplicate_overlap=0.8))[:2]) != ["copy.txt", "port.txt"]


def test_the_floor_on_the_cosine_removes_hits_of_either_side(search):
    low = search("timeout query", min_score=-1)
    high = search("timeout query", min_score=0.3)
    assert len(high) < len(low)
    assert all(hit.dense >= 0.3 for hit in high)
    assert search("timeout query", min_score=1) == []


def test_conditions_hold_for_both_sides(search):
    for mode in RetrievalMode:
        hits = search("the server port archive", where={"source": "guide/*"}, mode=mode)
        assert hits
        assert all(hit.chunk.source.startswith("guide/") for hit in hits)
    assert search("port", where={"source": "nothing"}) == []


def test_an_unknown_condition_is_an_error(search):
    with pytest.raises(UsageError, match="no document has the key 'colour'"):
        search("port", where={"colour": "red"})


def test_another_embedder_is_refused_before_any_search(index):
    with pytest.raises(IndexMismatch):
        Retriever(index, HashEmbedder(32), RetrievalSettings())


def test_the_weight_chooses_the_side(search):
    dense = _texts(search("server night", dense_weight=1.0))
    assert dense == _texts(search("server night", mode=RetrievalMode.DENSE))
    lexical = _sources(search("timeout", dense_weight=0.0))
    assert lexical[0] == "guide/timeout.txt"


@pytest.mark.parametrize("mode", RetrievalMode)
def test_what_is_excluded_is_not_found_and_makes_room_for_the_next_best(index, embedder, mode):
    settings = RetrievalSettings(mode=mode, k=2, candidates=2, duplicate_overlap=1.0)
    retriever = Retriever(index, embedder, settings)
    question = "the server port archive"
    best, second = (hit.chunk.source for hit in retriever.search(question))
    rest, free = retriever.search_all([question] * 2, exclude=[[best, second], []])
    assert [hit.chunk.source for hit in free] == [best, second]
    assert len(rest) == 2
    assert {best, second}.isdisjoint(hit.chunk.source for hit in rest)


def test_everything_can_be_excluded_and_an_unknown_source_excludes_nothing(index, embedder):
    retriever = Retriever(index, embedder, RetrievalSettings())
    nothing, same = retriever.search_all(["the server"] * 2, exclude=[["*"], ["nowhere.txt"]])
    assert nothing == []
    assert same == retriever.search("the server")


def test_exclusion_and_conditions_hold_together(index, embedder):
    retriever = Retriever(index, embedder, RetrievalSettings())
    (hits,) = retriever.search_all(
        ["timeout archive"], where={"source": "guide/*"}, exclude=[["guide/backup.txt"]]
    )
    assert [hit.chunk.source for hit in hits] == ["guide/timeout.txt"]


# --- reranking -------------------------------------------------------------------------------------


def test_the_reranker_decides_the_order(search):
    class Backwards:
        name = "backwards"

        def score(self, query, passages):
            return [float(-len(passages) + place) for place in range(len(passages))]

    plain = search("the server port", duplicate_overlap=1.0, k=5)
    turned = search("the server port", reranker=Backwards(), duplicate_overlap=1.0, k=5)
    assert _texts(turned) == _texts(plain)[::-1]
    assert all(hit.score == hit.rerank for hit in turned)


def test_the_reranker_sees_no_more_than_its_depth(search):
    seen = []

    class Counting(OverlapReranker):
        def score(self, query, passages):
            seen.append(len(passages))
            return super().score(query, passages)

    assert len(search("the server", reranker=Counting(), k=2, rerank_depth=3)) == 2
    assert seen == [3]


def test_reranking_nothing_gives_nothing():
    assert rerank(OverlapReranker(), "q", []) == []


# --- fusion ----------------------------------------------------------------------------------------

_RANKINGS = st.lists(
    st.tuples(st.integers(0, 30), st.floats(-5, 5)), unique_by=lambda row: row[0], max_size=12
).map(lambda rows: [Scored(*row) for row in sorted(rows, key=lambda row: (-row[1], row[0]))])
_WEIGHTS = st.floats(0, 1)
_FOUND_BY_BOTH = st.lists(
    st.tuples(st.integers(31, 60), st.floats(-5, 5), st.floats(-5, 5)),
    unique_by=lambda row: row[0],
    min_size=2,
    max_size=8,
)


@pytest.mark.slow
@pytest.mark.parametrize("fuse", [reciprocal_rank_fusion, weighted_fusion])
@given(one=_RANKINGS, other=_RANKINGS, weight=_WEIGHTS)
def test_the_order_of_the_sides_does_not_matter(fuse, one, other, weight):
    forward = fuse([one, other], [weight, 1 - weight])
    backward = fuse([other, one], [1 - weight, weight])
    assert {s.position: s.score for s in forward} == pytest.approx({s.position: s.score for s in backward})


@pytest.mark.slow
@pytest.mark.parametrize("fuse", [reciprocal_rank_fusion, weighted_fusion])
@given(one=_RANKINGS, other=_RANKINGS, weight=_WEIGHTS)
def test_every_candidate_is_in_the_result_once_best_first(fuse, one, other, weight):
    fused = fuse([one, other], [weight, 1 - weight])
    assert sorted(s.position for s in fused) == sorted({s.position for s in (*one, *other)})
    keys = [(-s.score, s.position) for s in fused]
    assert keys == sorted(keys)


@pytest.mark.slow
@pytest.mark.parametrize("fuse", [reciprocal_rank_fusion, weighted_fusion])
@given(one=_RANKINGS, weight=st.floats(0.01, 1))
def test_one_side_alone_keeps_its_order(fuse, one, weight):
    scores = {s.position: s.score for s in one}
    fused = [scores[s.position] for s in fuse([one, []], [weight, 1 - weight])]
    assert len(fused) == len(one)
    if fuse is weighted_fusion:
        assert all(a >= b or a == pytest.approx(b, abs=1e-9) for a, b in pairwise(fused))
    else:
        assert fused == sorted(fused, reverse=True)


@pytest.mark.slow
@given(shared=_FOUND_BY_BOTH, one=_RANKINGS, other=_RANKINGS, weight=_WEIGHTS)
def test_better_on_both_sides_is_never_worse_after_fusion(shared, one, other, weight):
    one = [*one, *(Scored(position, score) for position, score, _ in shared)]
    other = [*other, *(Scored(position, score) for position, _, score in shared)]
    one, other = (sorted(side, key=lambda s: (-s.score, s.position)) for side in (one, other))
    for fuse in (reciprocal_rank_fusion, weighted_fusion):
        fused = {s.position: s.score for s in fuse([one, other], [weight, 1 - weight])}
        ranks = [{s.position: rank for rank, s in enumerate(side)} for side in (one, other)]
        both = [position for position in fused if all(position in rank for rank in ranks)]
        assert len(both) > 1
        for better in both:
            for worse in both:
                if all(rank[better] <= rank[worse] for rank in ranks):
                    assert fused[better] >= fused[worse] - 1e-12


def test_reciprocal_rank_fusion_is_the_published_formula():
    fused = reciprocal_rank_fusion([[Scored(1, 9), Scored(2, 8)], [Scored(2, 1)]], [0.5, 0.5])
    assert [s.position for s in fused] == [2, 1]
    assert fused[0].score == pytest.approx(0.5 / 62 + 0.5 / 61)
    assert fused[1].score == pytest.approx(0.5 / 61)


_RANKED = st.dictionaries(st.integers(0, 40), st.floats(0, 1), min_size=1).map(
    lambda scores: [
        Scored(position, score)
        for position, score in sorted(scores.items(), key=lambda one: (-one[1], one[0]))
    ]
)


@pytest.mark.slow
@given(ranked=_RANKED, documents=st.integers(1, 5))
def test_the_best_passage_of_a_document_moves_the_others_up_and_not_itself(ranked, documents):
    places = {one.position: one.position % documents for one in ranked}
    found = {one.position: one.score for one in by_document(ranked, places)}
    assert len(found) == len(ranked)
    best = {}
    for one in ranked:
        assert found[one.position] >= one.score / 1.31
        best.setdefault(places[one.position], one)
    for one in best.values():
        assert found[one.position] == pytest.approx(one.score)


def test_the_page_with_the_figure_comes_before_that_of_another_report():
    # the name of the report stands on its first page only
    ranked = [Scored(0, 0.9), Scored(1, 0.52), Scored(2, 0.5)]
    assert [one.position for one in by_document(ranked, {0: 7, 1: 8, 2: 7})] == [0, 2, 1]


def test_passages_of_one_document_keep_their_order():
    ranked = [Scored(4, 0.8), Scored(1, 0.4), Scored(3, 0.1)]
    assert [one.position for one in by_document(ranked, dict.fromkeys((1, 3, 4), 0))] == [4, 1, 3]


def test_weighted_fusion_scales_each_side_to_one():
    fused = weighted_fusion([[Scored(1, 10), Scored(2, 5), Scored(3, 0)], [Scored(3, 0.2)]], [0.5, 0.5])
    assert {s.position: s.score for s in fused} == {1: 0.5, 2: 0.25, 3: 0.5}
    assert [s.position for s in fused] == [1, 3, 2]


# --- near-duplicates -------------------------------------------------------------------------------


def _hit(text, score=1.0):
    return Hit(Chunk("a", 0, 0, len(text), text), score)


def test_a_hit_that_a_better_one_contains_is_dropped():
    whole = _hit("one two three four five six seven eight nine ten")
    part = _hit("Two, three four five six seven!")
    other = _hit("quite another text with other words in it")
    assert distinct([whole, part, other], 0.8, 9) == [whole, other]


def test_a_hit_that_contains_a_better_one_stays():
    part = _hit("one two three four five")
    whole = _hit("one two three four five six seven eight nine ten eleven twelve")
    assert distinct([part, whole], 0.8, 9) == [part, whole]


_RULE = "the limit for a room in the house by the sea is {} and must be asked for by {} in writing before"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("140 euros", "Ann"), ("140 euros", "Ann"), True),
        (("140 euros", "Ann"), ("160 euros", "Ann"), False),
        (("140 euros", "Ann"), ("140 euros", "Bob"), False),
        (("140 euros", "the guest"), ("140 euros", "a guest"), True),
        (("140 euros", "the guest"), ("not 140 euros", "the guest"), False),
        (("140 euros", "the guest"), ("140.5 euros", "the guest"), False),
    ],
)
def test_what_differs_by_a_number_a_name_or_a_denial_is_no_duplicate(one, other, same):
    rest = " who comes with a dog or with a cat and stays for more than a night and less than a week"
    hits = [_hit(_RULE.format(*values) + rest) for values in (one, other)]
    assert len(distinct(hits, 0.5, 9)) == (1 if same else 2)


def test_what_stands_under_another_title_or_table_is_no_duplicate():
    hit = _hit("oil is to be changed every year by the workshop")
    for other in ({"headings": ("Pump 2",)}, {"caption": "Table 2"}, {"columns": ("2019",)}):
        assert (
            len(
                distinct(
                    [hit, dataclasses.replace(hit, chunk=dataclasses.replace(hit.chunk, **other))], 0.8, 9
                )
            )
            == 2
        )


@given(st.lists(st.text(st.sampled_from("ab \n"), max_size=12), max_size=6), st.floats(0.01, 1))
def test_the_best_hit_always_stays_and_the_order_too(texts, overlap):
    hits = [dataclasses.replace(_hit(text), score=float(-place)) for place, text in enumerate(texts)]
    kept = distinct(hits, overlap, 9)
    assert kept[:1] == hits[:1]
    assert [hit.score for hit in kept] == sorted((hit.score for hit in kept), reverse=True)
    assert distinct(kept, overlap, 9) == kept


# --- tables ----------------------------------------------------------------------------------------


def _table_hit(text, score, **changes):
    hit = _hit(text)
    return dataclasses.replace(hit, score=score, chunk=dataclasses.replace(hit.chunk, **changes))


def test_the_row_that_has_all_words_of_a_question_wins_over_words_here_and_there():
    columns = ("", "2019", "2018")
    meant = _table_hit("Sales | 1 | 2\nService cost | 5 | 6", 0.6, columns=columns)
    other = _table_hit("Service sales | 1 | 2\nTotal cost | 5 | 6", 1.0, columns=("", "2017", "2016"))
    prose = _table_hit("The service cost of 2019 was six.", 0.55)
    found = by_best_line("What was the service cost in 2019?", [prose, other, meant])
    assert found[0].chunk == meant.chunk
    scores = [hit.score for hit in found]
    assert scores == sorted(scores, reverse=True) and min(scores) > 0 and max(scores) <= 1


@pytest.fixture(scope="module")
def reports(tmp_path_factory, embedder):
    folder = tmp_path_factory.mktemp("reports")
    (folder / "docs").mkdir()
    for year in range(2000, 2040):
        rows = "\n".join(f"| {name} | 7 | 9 |" for name in ("Sales", "Service cost", "Tax"))
        (folder / "docs" / f"{year}.md").write_text(f"| Item | {year} | Before |\n|---|---|---|\n{rows}\n")
    Ingestor(folder / "domain", embedder, DocumentSettings(workers=1), ChunkSettings()).ingest(
        folder / "docs"
    )
    return Index.open(folder / "domain")


@pytest.mark.slow
def test_scores_fall_down_a_ranking_of_tables_and_only_fused_ones_are_read(reports, embedder):
    found = Retriever(reports, embedder, RetrievalSettings(k=40)).search("service cost in 2017")
    assert found[0].chunk.source == "2017.md"
    scores = [hit.score for hit in found]
    assert len(found) == 40 and scores == sorted(scores, reverse=True)
    lexical = Retriever(reports, embedder, RetrievalSettings(mode=RetrievalMode.LEXICAL)).search("tax 2017")
    assert all(hit.score == hit.lexical for hit in lexical) and lexical[0].chunk.source == "2017.md"


# --- what hides others -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def copies(tmp_path_factory, embedder):
    """Return an index in which 60 copies of a page rank above what else is there."""
    folder = tmp_path_factory.mktemp("copies")
    (folder / "docs").mkdir()
    for number in range(60):
        (folder / "docs" / f"copy{number}.txt").write_text("The hotel limit in the hotel is set by the desk.")
    for place in ("spa", "fair", "rail", "sea"):
        (folder / "docs" / f"{place}.txt").write_text(f"For the {place} a limit is written elsewhere.")
    Ingestor(folder / "domain", embedder, DocumentSettings(workers=1), ChunkSettings()).ingest(
        folder / "docs"
    )
    return Index.open(folder / "domain")


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(RetrievalMode))
@pytest.mark.parametrize("candidates", [5, 200])
def test_copies_of_a_page_hide_nothing(copies, embedder, mode, candidates):
    settings = RetrievalSettings(k=5, mode=mode, candidates=candidates)
    found = _sources(Retriever(copies, embedder, settings).search("hotel limit"))
    assert {source for source in found if not source.startswith("copy")} == {
        "spa.txt",
        "fair.txt",
        "rail.txt",
        "sea.txt",
    }
    assert len(found) == 5


def test_a_reranker_reads_no_copies(copies, embedder):
    settings = RetrievalSettings(k=2, rerank_depth=5, candidates=5)
    hits = Retriever(copies, embedder, settings, OverlapReranker()).search("a limit elsewhere for the sea")
    assert _sources(hits)[0] == "sea.txt"


@pytest.mark.parametrize("question", ["?!", "...", "→ 🙂", "“”"])
def test_a_question_of_signs_finds_nothing(search, question):
    assert search(question) == []


def test_the_passage_that_holds_what_is_named_letter_by_letter_leads():
    hits = [_hit("The pump P-012 delivers 90 litres.", 0.9), _hit("The pump P-017 delivers 122 litres.", 0.8)]
    assert [hit.chunk.text for hit in by_names(["p-017"], hits)] == [hits[1].chunk.text, hits[0].chunk.text]


def test_the_name_of_the_document_counts_as_well():
    named = Hit(dataclasses.replace(_hit("It weighs 3 kg.").chunk, source="K300.pdf"), 0.7, 0.7, None)
    assert by_names(["k300"], [_hit("K100 weighs 2 kg.", 0.9), named])[0].chunk == named.chunk


@pytest.mark.parametrize("names", [[], ["p-099"], ["pump"]])
def test_what_nothing_or_everything_holds_changes_nothing(names):
    hits = [_hit("The pump P-012.", 0.9), _hit("The pump P-017.", 0.8)]
    assert by_names(names, hits) == hits


# --- what words stand for --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def explained_index(tmp_path_factory, embedder):
    folder = tmp_path_factory.mktemp("glossary")
    (folder / "docs").mkdir()
    pages = {
        "mask.txt": "Patients with OSA wear a mask at night.",
        "told.txt": "Obstructive sleep apnea (OSA) is told from snoring by counting.",
        "sleep.txt": "Children sleep ten hours at night, and masks are worn in the theatre.",
        "names.md": "# Code names\n\n- Falcon: warehouse migration\n",
        "late.txt": "Falcon is late by two weeks.",
        "stock.txt": "The warehouse holds bricks; the migration of birds begins in May.",
    }
    for name, text in pages.items():
        (folder / "docs" / name).write_text(text)
    Ingestor(folder / "domain", embedder, DocumentSettings(workers=1), ChunkSettings()).ingest(
        folder / "docs"
    )
    return Index.open(folder / "domain")


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("masks for obstructive sleep apnea", "mask.txt"),
        ("is the warehouse migration late", "late.txt"),
    ],
)
def test_a_document_is_nearer_by_what_its_words_stand_for_on_both_sides(
    explained_index, embedder, question, source
):
    def found(glossary):
        retriever = Retriever(explained_index, embedder, RetrievalSettings(glossary=glossary))
        (hit,) = (hit for hit in retriever.search(question) if hit.chunk.source == source)
        return hit

    with_it, without = found(True), found(False)
    assert with_it.lexical > without.lexical > 0
    assert with_it.dense > without.dense


def test_a_question_without_such_words_is_searched_as_before(explained_index, embedder):
    def found(glossary):
        settings = RetrievalSettings(glossary=glossary)
        return Retriever(explained_index, embedder, settings).search_all(["bricks and birds", "in May"])

    assert found(True) == found(False)


def test_only_what_a_user_may_read_explains_words(explained_index, embedder):
    retriever = Retriever(explained_index, embedder, RetrievalSettings())
    assert retriever.explained("what is OSA") != []
    assert retriever.explained("what is OSA", principals=("anna",)) == []
