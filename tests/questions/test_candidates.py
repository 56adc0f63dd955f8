"""What a document lets one ask. Rules are tested through whole documents, as they are stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.chunking import chunk_document
from hybrid.config import ChunkSettings
from hybrid.questions.candidates import find_candidates, layout_of, outline
from hybrid.questions.values import Layout
from hybrid.testing import HashEmbedder
from hybrid.text.words import contains
from hybrid.types import Block, BlockKind, Document


def document_of(*blocks, title="Handbook", source="handbook.md"):
    """Build a document from (kind, text) pairs; a heading is a plain text that begins with #."""
    text, found = "", []
    for block in blocks:
        kind = BlockKind.HEADING if block.startswith("#") else BlockKind.PARAGRAPH
        level = len(block) - len(block.lstrip("#"))
        block = block.lstrip("# ")
        text += "\n\n" if text else ""
        found.append(Block(kind, len(text), len(text) + len(block), level))
        text += block
    return Document(source, text, title, tuple(found))


def chunks_of(document, max_tokens=200):
    counter = HashEmbedder(8, max_tokens=max_tokens)
    sized = chunk_document(document, counter, ChunkSettings(overlap_tokens=0), max_tokens=max_tokens)
    return [item.chunk for item in sized]


def asked(*blocks, **options):
    document = document_of(*blocks, **options)
    return {found.text: found for found in find_candidates(document, chunks_of(document))}


def test_a_definition_asks_for_what_is_defined():
    found = asked("# Handbook", "createdb is a wrapper around the command CREATE DATABASE.")
    (candidate,) = found.values()
    assert candidate.text == "In “Handbook”, what is a wrapper around the command CREATE DATABASE called?"
    assert candidate.answers == ("createdb",)
    assert candidate.made == "cloze:definition"


def test_a_long_definition_ends_where_a_second_statement_begins():
    sentence = "A walrus is a large animal of the cold seas that rests on floating ice, but it is no seal."
    (text,) = asked("# Handbook", sentence)
    assert text.endswith("“a large animal of the cold seas that rests on floating ice”?")


@pytest.mark.parametrize(
    "sentence",
    [
        "This is a wrapper around the command CREATE DATABASE.",
        "The result is a list of all rows that were found by the query.",
        "If set is a long word then the others are shorter than that one.",
        "It is a program that does something to the files of a user.",
        "$ createdb is a command of the shell which needs a name.",
    ],
)
def test_a_sentence_that_leans_on_another_one_is_not_asked_about(sentence):
    assert asked("# Handbook", sentence) == {}


def test_the_name_line_of_a_manual_page_asks_for_the_command():
    (candidate,) = asked("# createdb", "createdb — create a new database", title="createdb").values()
    assert candidate.text == "What do you use to create a new database?"
    assert candidate.answers == ("createdb",)


@pytest.mark.parametrize(
    ("sentence", "short", "long"),
    [
        ("All changes go to the write-ahead log (WAL) of the server first.", "WAL", "write-ahead log"),
        ("Values use ACL (Access Control List) entries in one column.", "ACL", "Access Control List"),
        ("The Department of Defense (DoD) pays for all of that work.", "DoD", "Department of Defense"),
    ],
)
def test_an_abbreviation_asks_what_it_stands_for(sentence, short, long):
    (candidate,) = asked("# Handbook", sentence).values()
    assert f"what does {short} stand for?" in candidate.text
    assert candidate.answers == (long,)


def test_letters_in_brackets_that_abbreviate_nothing_are_left_alone():
    assert asked("# Handbook", "Some of the servers run elsewhere (USA) for a reason of law.") == {}


def test_a_list_of_options_asks_for_names_and_defaults():
    found = asked(
        "# serve",
        "## Options",
        "-p port\n--port=port\nSpecifies the port of the listener. The default is 5432.",
        "--quiet\nDo not write notices to the terminal.",
        title="serve",
    )
    assert {candidate.answers for candidate in found.values()} == {("--port", "-p"), ("5432",), ("--quiet",)}
    assert set(found) == {
        "In “serve”, which option specifies the port of the listener?",
        "In “serve”, what is the default of --port?",
        "In “serve”, which option is described as “Do not write notices to the terminal”?",
    }


def test_a_default_below_zero_keeps_its_sign():
    found = asked(
        "# Handbook", "work_memory (integer)\nSets the limit. -1 (the default) takes it from elsewhere."
    )
    assert [candidate.answers for candidate in found.values()] == [("-1",)]


def test_lines_of_a_program_are_no_entries():
    assert asked("# Handbook", "SELECT city\nFROM weather", "FROM weather\nWHERE city LIKE 'S%'") == {}


def test_numbers_are_asked_for_in_three_ways():
    found = asked(
        "# Handbook",
        "The maximum length of a name is 63 bytes.",
        "An enum value occupies four bytes on disk.",
        "Virtually every system has an ident server that listens on port 113 by default.",
    )
    assert {text: candidate.answers for text, candidate in found.items()} == {
        "In “Handbook”, what is the maximum length of a name?": ("63 bytes",),
        "In “Handbook”, how many bytes does an enum value occupy on disk?": ("four",),
        "In “Handbook”, which number belongs in the gap: “Virtually every system has an ident server that "
        "listens on port ____ by default”?": ("113",),
    }


@pytest.mark.parametrize(
    "sentence",
    [
        "More about the matter of locks stands in section 13 and nowhere else.",
        "The feature came with PostgreSQL 15 and stayed for a long time.",
        "The limits are 5 minutes and 1 GB, respectively, for all of them.",
    ],
)
def test_a_number_that_counts_nothing_is_not_asked_for(sentence):
    assert asked("# Handbook", sentence) == {}


TABLE = """Breed | Weight | Origin
Saanen | 65 kg | Switzerland
Boer | 95 kg | South Africa
Angora | 45 kg | Turkey"""


def test_a_table_asks_for_the_cell_of_row_and_column():
    found = asked("# Goats", TABLE, title="Goats")
    assert found["In “Goats”, what is the weight of Boer?"].answers == ("95 kg",)
    assert found["In “Goats”, what is the origin of Angora?"].answers == ("Turkey",)
    assert len(found) == 6


def test_a_table_of_names_and_values_needs_no_header():
    found = asked(
        "# Goats", "Usual place in a herd | at the front\nWool colour | white\nHorns | curved", title="Goats"
    )
    assert found["In “Goats”, what does the table give for “Wool colour”?"].answers == ("white",)


def test_a_column_that_says_the_same_everywhere_is_not_asked_for():
    assert asked("# Goats", "Breed | Legs\nSaanen | four\nBoer | four", title="Goats") == {}


def test_a_heading_is_asked_for_by_a_sentence_below_it():
    sentence = "Mountain goats climb slopes of more than sixty degrees without any trouble."
    (candidate,) = asked("# Goats", "## 1.2. Climbing on steep slopes", sentence, title="Goats").values()
    assert candidate.made == "heading"
    assert candidate.answers == ("Climbing on steep slopes", "1.2. Climbing on steep slopes")


def test_a_title_that_gives_the_answer_away_is_left_out_of_the_question():
    (candidate,) = asked(
        "# Haystack", "Haystack is a framework for search over documents.", title="Haystack"
    ).values()
    assert candidate.text == "What is a framework for search over documents called?"


def test_the_outline_of_a_stored_document_is_found_in_its_chunks():
    document = document_of("# Goats", "They climb.", "## Food", "### Grass", "They eat it.", "They like it.")
    sections = outline(document, chunks_of(document, max_tokens=8))
    found = [
        (
            document.text[section.heading.start : section.heading.end] if section.heading else "",
            [document.text[piece.span.start : piece.span.end] for piece in section.pieces],
        )
        for section in sections
    ]
    assert found == [("Goats", ["They climb."]), ("Grass", ["They eat it.", "They like it."])]


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("a | b\nc | d\ne | f", Layout.TABLE),
        ("- one\n- two", Layout.ITEMS),
        ("1. one\n2. two", Layout.ITEMS),
        ("--port\nThe port that it listens on.", Layout.ENTRY),
        ("They climb. They eat.", Layout.PROSE),
        ("They climb slopes and they eat what they find\nthere, which is mostly grass.", Layout.PROSE),
    ],
)
def test_a_piece_is_told_by_its_lines(text, layout):
    assert layout_of(text) is layout


_TEXT = "The default is 5 a goat kg (WAL) write-ahead log of has four names. Sets, - `x`: | -- # —"
_LINES = ["\n", "\n\n", "é", "x_y", "--port", "The default is on.", "A goat is an animal of the hills."]
_WORDS = st.sampled_from([*_TEXT.split(), *_LINES])


@pytest.mark.slow
@given(blocks=st.lists(st.lists(_WORDS, min_size=1, max_size=25).map(" ".join), min_size=1, max_size=6))
def test_every_answer_is_a_verbatim_part_of_its_evidence_and_not_of_its_question(blocks):
    known = "The Write-Ahead Log (WAL) keeps what is written until it is on the disk."
    document = document_of(*[block for block in blocks if block.strip(" #\n")], known)
    found = list(find_candidates(document, chunks_of(document, max_tokens=24)))
    assert found
    for candidate in found:
        quote = document.text[candidate.evidence.start : candidate.evidence.end]
        assert candidate.answers
        assert all(answer in quote for answer in candidate.answers)
        assert not any(contains(candidate.text, answer) for answer in candidate.answers)
