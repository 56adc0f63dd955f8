"""Chunks: stretches of the document within the budget, along its structure."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hybrid.chunking import chunk_document, token_limit
from hybrid.config import ChunkSettings, ModelSettings
from hybrid.errors import ConfigError
from hybrid.testing import HashEmbedder
from hybrid.text.sentences import sentence_spans
from hybrid.types import Block, BlockKind, Document, Span

_COUNTER = HashEmbedder(8)
_WORDS = st.text(st.sampled_from("abcdefXYZ019éßñ中文😀-_'"), min_size=1, max_size=12)
_SENTENCES = st.lists(_WORDS, min_size=1, max_size=14).map(lambda words: " ".join(words) + ".")


def _body(kind):
    if kind in (BlockKind.PARAGRAPH, BlockKind.LIST):
        return st.lists(_SENTENCES, min_size=1, max_size=6).map(
            (" " if kind is BlockKind.PARAGRAPH else "\n- ").join
        )
    if kind is BlockKind.CODE:
        line = st.tuples(st.sampled_from(["", "    ", "\t"]), _SENTENCES).map("".join)
        return st.lists(line, min_size=1, max_size=9).map("\n".join).filter(lambda text: text.strip() == text)
    return st.lists(_SENTENCES.map(lambda text: f"| {text} |"), min_size=1, max_size=9).map("\n".join)


@st.composite
def _documents(draw):
    text, blocks = "", []
    for kind in draw(st.lists(st.sampled_from(list(BlockKind)), max_size=9)):
        text += draw(st.sampled_from(["", "\n", "\n\n", " \n\t\n"]))
        if kind is BlockKind.HEADING:
            content, level = (
                draw(st.lists(_WORDS, min_size=1, max_size=8).map(" ".join)),
                draw(st.integers(1, 4)),
            )
        else:
            content, level = draw(_body(kind)), 0
        blocks.append(Block(kind, len(text), len(text) + len(content), level))
        text += content
    title = draw(st.sampled_from(["", "The manual", "A very long title with many words in it"]))
    pages = (
        tuple(sorted({0, *draw(st.lists(st.integers(0, len(text)), max_size=2))}))
        if draw(st.booleans())
        else ()
    )
    return Document("a.md", text, title, tuple(blocks), pages)


_WHOLE = (BlockKind.CODE, BlockKind.TABLE)
_SHORT = st.lists(_WORDS, min_size=1, max_size=3).map(" ".join)


def _followed_by(document, text, kind):
    start = len(document.text) + 2
    block = Block(kind, start, start + len(text), 0)
    return replace(document, text=f"{document.text}\n\n{text}", blocks=(*document.blocks, block))


_SETTINGS = st.builds(
    ChunkSettings,
    max_tokens=st.integers(2, 40),
    overlap_tokens=st.integers(0, 12),
    heading_tokens=st.integers(0, 12),
)


def _chunks(document, options, counter=_COUNTER, max_tokens=64):
    return chunk_document(document, counter, options, max_tokens=max_tokens)


def _check(document, sized, counter, limit):
    """Assert what holds for every document and every setting."""
    covered = set()
    titles = [block for block in document.blocks if block.kind is BlockKind.HEADING]
    for title in titles:
        covered.update(range(title.start, title.end))
    for ordinal, item in enumerate(sized):
        chunk = item.chunk
        assert chunk.ordinal == ordinal
        assert chunk.source == document.source
        assert chunk.text == document.text[chunk.start : chunk.end]
        assert chunk.text.strip()
        assert item.tokens == counter.count_tokens([chunk.embedded_text])[0]
        assert item.tokens <= limit or len(chunk.text) < 2
        covered.update(range(chunk.start, chunk.end))
        if document.pages:
            assert chunk.page == sum(page <= chunk.start for page in document.pages)
    lost = [
        character
        for place, character in enumerate(document.text)
        if place not in covered and character.strip()
    ]
    assert not lost
    for before, after in pairwise(sized):
        assert before.chunk.start < after.chunk.start
        assert before.chunk.end < after.chunk.end
        if after.chunk.start < before.chunk.end:
            crossed = [title for title in titles if before.chunk.end <= title.start < after.chunk.end]
            assert not crossed, "an overlap stays within its section"


@pytest.mark.slow
@settings(max_examples=120)
@given(_documents(), _SETTINGS)
def test_chunks_are_stretches_within_the_limit_and_lose_nothing(document, options):
    _check(document, _chunks(document, options), _COUNTER, options.max_tokens)


@settings(max_examples=80)
@given(st.text(max_size=400), _SETTINGS)
def test_any_text_without_blocks_is_split_without_loss(text, options):
    document = Document("a.txt", text)
    _check(document, _chunks(document, options), _COUNTER, options.max_tokens)


@pytest.mark.slow
@settings(max_examples=60)
@given(_documents(), _SETTINGS)
def test_a_stretch_is_in_two_chunks_only_as_overlap(document, options):
    sized = _chunks(document, options)
    assume(len(sized) > 1)
    for before, after in pairwise(sized):
        shared = document.text[after.chunk.start : before.chunk.end]
        assert _COUNTER.count_tokens([shared])[0] <= options.overlap_tokens


@pytest.mark.slow
@settings(max_examples=80)
@given(_documents(), _SHORT, st.sampled_from(_WHOLE), st.integers(20, 40), st.integers(0, 12))
def test_code_and_tables_are_whole_where_they_fit(document, short, kind, limit, overlap):
    document = _followed_by(document, short, kind)
    options = ChunkSettings(max_tokens=limit, overlap_tokens=overlap, heading_tokens=4)
    sized = _chunks(document, options)
    blocks = [block for block in document.blocks if block.kind in _WHOLE]
    texts = {block: document.text[block.start : block.end] for block in blocks}
    # the path may take up to its own budget and a separator
    fitting = [block for block in blocks if _COUNTER.count_tokens([texts[block]])[0] <= limit - 6]
    assume(document.blocks[-1] in fitting)
    for block in fitting:
        assert any(item.chunk.start <= block.start and block.end <= item.chunk.end for item in sized), texts[
            block
        ]


@pytest.mark.parametrize("kind", [BlockKind.CODE, BlockKind.TABLE])
@pytest.mark.parametrize("words_before", [6, 19, 30])
@pytest.mark.parametrize("overlap", [0, 8])
def test_a_block_of_lines_is_not_torn_to_fill_the_chunk_before_it(kind, words_before, overlap):
    before = " ".join(["One two."] * (words_before // 3))
    lines = "\n".join(f"line number {number} here" for number in range(9))
    text = f"{before}\n\n{lines}"
    blocks = (Block(BlockKind.PARAGRAPH, 0, len(before)), Block(kind, len(before) + 2, len(text)))
    options = ChunkSettings(max_tokens=40, overlap_tokens=overlap)
    sized = _chunks(Document("a", text, blocks=blocks), options)
    assert any(lines in item.chunk.text for item in sized)


def test_the_same_document_is_split_the_same_way():
    document = Document("a.txt", "One sentence. Another one. " * 50)
    assert _chunks(document, ChunkSettings(max_tokens=12)) == _chunks(document, ChunkSettings(max_tokens=12))


# --- headings --------------------------------------------------------------------------------------


def _document(*parts, title=""):
    """Build a document from ("# Title", "paragraph") in Markdown's way of marking levels."""
    text, blocks = "", []
    for part in parts:
        level = len(part) - len(part.lstrip("#"))
        content = part.lstrip("# ") if level else part
        kind = BlockKind.HEADING if level else BlockKind.PARAGRAPH
        blocks.append(Block(kind, len(text), len(text) + len(content), level))
        text += content + "\n\n"
    return Document("a.md", text, title, tuple(blocks))


def _paths(document, **options):
    options = {"max_tokens": 40, **options}
    return [(item.chunk.headings, item.chunk.text) for item in _chunks(document, ChunkSettings(**options))]


def test_the_path_of_headings_follows_the_levels():
    document = _document(
        "# A", "one", "## B", "two", "### C", "three", "## D", "four", "# E", "five", title="T"
    )
    assert _paths(document) == [
        (("T", "A"), "one"),
        (("T", "A", "B"), "two"),
        (("T", "A", "B", "C"), "three"),
        (("T", "A", "D"), "four"),
        (("T", "E"), "five"),
    ]


def test_a_heading_without_a_body_is_a_chunk_of_its_own_unless_it_is_above_another():
    assert _paths(_document("# A", "## B", "text", "## Empty", "# Last")) == [
        (("A", "B"), "text"),
        (("A", "Empty"), "Empty"),
        (("Last",), "Last"),
    ]


def test_a_title_repeated_as_first_heading_stands_once_in_the_path():
    assert _paths(_document("# Manual", "text", title="Manual")) == [(("Manual",), "text")]


def test_a_path_that_is_too_long_keeps_the_innermost_titles():
    document = _document("# one two three four", "## five six", "### seven", "text")
    assert _paths(document, heading_tokens=5) == [(("five six", "seven"), "text")]
    assert _paths(document, heading_tokens=0) == [((), "text")]


def test_a_title_that_is_too_long_alone_is_cut_at_a_token():
    document = _document("# one two three four five six seven", "text")
    ((headings, _),) = _paths(document, heading_tokens=3)
    assert headings == ("one two three",)


@pytest.mark.parametrize("below", ["text", "### Below"])
def test_what_a_path_has_no_room_for_is_in_a_chunk(below):
    long = " ".join(f"word{number}" for number in range(30))
    found = _paths(_document(f"## {long} last", below, "end"), heading_tokens=10)
    assert any("last" in text for _, text in found)


def test_the_embedded_text_is_path_and_text():
    document = _document("# A", "## B", "text")
    assert _chunks(document, ChunkSettings(max_tokens=20))[0].chunk.embedded_text == "A > B\ntext"


# --- tables ----------------------------------------------------------------------------------------

_COLUMNS = ("Part", "Stock in Bremen", "Price")


def _table(rows, *, caption="", columns=_COLUMNS, line=0, at=0):
    text = "\n".join([" | ".join(columns), *(f"P{row} | {row} | {row}.5" for row in range(rows))])
    return text, Block(BlockKind.TABLE, at, at + len(text), caption=caption, columns=columns, line=line)


def test_every_chunk_of_a_table_says_its_caption_and_columns_and_is_cut_between_rows():
    text, block = _table(30, caption="Table 3: stock")
    sized = _chunks(Document("a", text, blocks=(block,)), ChunkSettings(max_tokens=40, overlap_tokens=8))
    lines = text.split("\n")
    assert len(sized) > 3
    for item in sized:
        assert (item.chunk.caption, item.chunk.columns) == ("Table 3: stock", _COLUMNS)
        assert set(item.chunk.text.split("\n")) <= set(lines)
        assert item.tokens <= 40
    assert sized[0].chunk.embedded_text == f"Table 3: stock\n{sized[0].chunk.text}"
    second = sized[1].chunk
    assert second.embedded_text == f"Table 3: stock\nPart | Stock in Bremen | Price\n{second.text}"


@pytest.mark.parametrize(
    ("before", "caption"),
    [
        ("All is well. Stock was as follows (in thousands):", "Stock was as follows (in thousands):"),
        ("The table below shows the stock.", "The table below shows the stock."),
        ("All is well.", ""),
    ],
)
def test_a_table_without_a_caption_takes_the_sentence_that_leads_to_it(before, caption):
    table, block = _table(30, at=len(before) + 2)
    blocks = (Block(BlockKind.PARAGRAPH, 0, len(before)), block)
    document = Document("a", f"{before}\n\n{table}", blocks=blocks)
    found = _chunks(document, ChunkSettings(max_tokens=60))
    assert {item.chunk.caption for item in found if item.chunk.columns} == {caption}


def test_rows_of_tables_with_other_columns_share_no_chunk():
    first, one = _table(3)
    second, two = _table(3, columns=("Year", "Sales", "Costs"), at=len(first) + 2)
    after = len(first) + len(second) + 4
    document = Document(
        "a",
        f"{first}\n\n{second}\n\nThat is all.",
        blocks=(one, two, Block(BlockKind.PARAGRAPH, after, after + 12)),
    )
    for options in (ChunkSettings(max_tokens=200), ChunkSettings(max_tokens=30, overlap_tokens=8)):
        chunks = [item.chunk for item in _chunks(document, options, max_tokens=200)]
        held = [
            {name for name in ("Stock", "Sales") if f"| {name}" in chunk.embedded_text} for chunk in chunks
        ]
        assert max(map(len, held)) == 1, held
        assert {chunk.columns for chunk in chunks} >= {_COLUMNS, ("Year", "Sales", "Costs")}


def test_a_table_of_very_many_columns_is_split_as_any_text():
    text, block = _table(3, columns=tuple(f"Column number {number}" for number in range(2_000)))
    sized = _chunks(Document("a", text, blocks=(block,)), ChunkSettings(max_tokens=60))
    assert max(item.tokens for item in sized) <= 60
    assert {item.chunk.columns for item in sized} == {()}


def test_chunks_know_the_lines_of_the_file():
    table, block = _table(30, line=12)
    text = f"One two.\nThree.\n\n{table}"
    block = replace(block, start=17, end=17 + len(table))
    document = Document("a.md", text, blocks=(Block(BlockKind.PARAGRAPH, 0, 15, line=3), block))
    expected = {"One": 3, "Three": 4, "Part |": 12, "P0 ": 14, "P17 ": 31, "P29 ": 43}
    chunks = [item.chunk for item in _chunks(document, ChunkSettings(max_tokens=40))]
    found = {
        word: chunk.line_at(chunk.start + chunk.text.index(word))
        for chunk in chunks
        for word in expected
        if word in chunk.text
    }
    assert found == expected
    (item,) = _chunks(Document("a", "x"), ChunkSettings())
    assert item.chunk.line_at(0) is None


def test_each_chunk_of_a_long_record_says_whose_it_is():
    text = "\n".join(["Plant: Corvo", *(f"Gauge {number}: {number}" for number in range(60))])
    blocks = (Block(BlockKind.LIST, 0, len(text), line=4),)
    settings = ChunkSettings(max_tokens=64)
    row = Document("gauges.csv#3", text, blocks=blocks)
    chunks = [one.chunk for one in chunk_document(row, _COUNTER, settings, max_tokens=512)]
    assert len(chunks) > 2 and {chunk.caption for chunk in chunks} == {"Plant: Corvo"}
    assert all(chunk.embedded_text.count("Plant: Corvo") == 1 for chunk in chunks)
    assert all(line.number == 4 for chunk in chunks for line in chunk.lines)
    # a list of a page begins with nothing of the kind
    page = replace(row, source="C# gauges.md")
    assert {one.chunk.caption for one in chunk_document(page, _COUNTER, settings, max_tokens=512)} == {""}


def test_a_row_of_a_wide_table_shares_its_chunk_with_nothing():
    parts = ["All plants of 2024:", "Plant: Aldo\nGauge: 1", "Plant: Aldo\nGauge: 2", "More are planned."]
    text, blocks = "\n\n".join(parts), []
    for part in parts:
        columns = ("Plant", "Gauge") if "Gauge" in part else ()
        kind = BlockKind.LIST if columns else BlockKind.PARAGRAPH
        blocks.append(Block(kind, start := text.index(part), start + len(part), columns=columns))
    page = Document("plants.md", text, blocks=tuple(blocks))
    settings = ChunkSettings(max_tokens=200, overlap_tokens=20)
    assert [one.chunk.text for one in chunk_document(page, _COUNTER, settings, max_tokens=512)] == parts


def test_the_fields_of_a_row_stand_on_one_line_of_the_file():
    text = "Part: P1\nStock: 5"
    document = Document("a.csv#7", text, blocks=(Block(BlockKind.PARAGRAPH, 0, len(text), line=9),))
    (item,) = _chunks(document, ChunkSettings())
    assert {item.chunk.line_at(place) for place in (0, 12)} == {9}


# --- sizes -----------------------------------------------------------------------------------------


def test_sentences_are_packed_and_overlap():
    text = "One two three. Four five six. Seven eight nine. Ten eleven twelve."
    found = [t for _, t in _paths(Document("a", text), max_tokens=8, overlap_tokens=4)]
    assert found == [
        "One two three. Four five six.",
        "Four five six. Seven eight nine.",
        "Seven eight nine. Ten eleven twelve.",
    ]


def test_without_overlap_nothing_is_said_twice():
    text = "One two three. Four five six. Seven eight nine."
    assert [t for _, t in _paths(Document("a", text), max_tokens=8, overlap_tokens=0)] == [
        "One two three. Four five six.",
        "Seven eight nine.",
    ]


def test_a_word_that_is_longer_than_any_is_cut():
    text = f"See {'d3b0' * 5_000} there."
    chunks = [item.chunk for item in _chunks(Document("a", text), ChunkSettings(max_tokens=40))]
    assert max(len(chunk.text) for chunk in chunks) <= 40 * 8
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(text.split())


def test_a_sentence_that_is_too_long_is_cut_at_white_space():
    text = " ".join(f"w{number}" for number in range(50))
    chunks = [t for _, t in _paths(Document("a", text), max_tokens=12, overlap_tokens=0)]
    assert " ".join(chunks) == text


@pytest.mark.timeout(10)
def test_a_limit_of_one_token_ends():
    assert [t for _, t in _paths(Document("a", "one two three"), max_tokens=1)] == ["one", "two", "three"]


def test_a_word_of_thousands_of_letters_is_cut_too():
    text = "x" * 5_000

    class LetterCounter:
        def count_tokens(self, texts):
            return [len(text) for text in texts]

        def token_spans(self, text):
            return [Span(place, place + 1) for place in range(len(text))]

    sized = _chunks(Document("a", text), ChunkSettings(max_tokens=40), LetterCounter())
    assert "".join(item.chunk.text for item in sized) == text
    assert max(item.tokens for item in sized) <= 40


def test_a_text_that_the_counter_does_not_see_is_kept():
    class BlindCounter:
        def count_tokens(self, texts):
            return [0 for _ in texts]

        def token_spans(self, text):
            return []

    sized = _chunks(Document("a", "... ---\n\n***"), ChunkSettings(max_tokens=4), BlindCounter())
    assert "".join(item.chunk.text for item in sized).replace("\n\n", "") == "... ---***"


@pytest.mark.parametrize("text", ["", "   \n\n \t"])
def test_a_text_without_a_letter_has_no_chunks(text):
    assert _chunks(Document("a", text), ChunkSettings()) == []


def test_zero_means_what_the_embedder_takes_up_to_a_sensible_size():
    assert token_limit(ChunkSettings(), 128) == 128
    assert token_limit(ChunkSettings(), 8_192) == 256
    assert token_limit(ChunkSettings(max_tokens=1_000), 8_192) == 1_000


def test_more_than_the_embedder_takes_is_refused():
    with pytest.raises(ConfigError, match="cut off silently") as caught:
        token_limit(ChunkSettings(max_tokens=300), 254)
    assert "254" in caught.value.hint


def test_sentences_are_found_without_the_space_around_them():
    text = "  One is here. Dr. Smith has 3.5 apples!  Really?\nYes. "
    found = [text[span.start : span.end] for span in sentence_spans(text)]
    assert found[0] == "One is here."
    assert found[-1] == "Yes."
    assert all(sentence == sentence.strip() for sentence in found)


# --- with a real tokenizer -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.real_model
@settings(max_examples=60)
@given(document=_documents(), options=_SETTINGS)
def test_the_properties_hold_with_the_tokenizer_of_the_default_embedder(document, options):
    from hybrid.models.loading import load_embedder

    embedder = load_embedder(ModelSettings())
    sized = _chunks(document, options, embedder, embedder.max_tokens)
    _check(document, sized, embedder, options.max_tokens)


@pytest.mark.slow
@settings(max_examples=40)
@given(text=st.text(max_size=120))
def test_the_properties_hold_with_a_tokenizer_that_splits_words(tiny_counter, text):
    document = Document("a.txt", text, "A title")
    options = ChunkSettings(max_tokens=20, overlap_tokens=5, heading_tokens=6)
    _check(document, _chunks(document, options, tiny_counter), tiny_counter, 20)


@pytest.fixture(scope="session")
def tiny_counter(tiny_embedder_folder, own_cache):
    from hybrid.models.device import Placement
    from hybrid.models.embedder import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder(
        tiny_embedder_folder, name="tiny", placement=lambda: Placement("cpu", "float32", "test")
    )
