"""Exact strings, pairs and spellings, names of a question, and which text holds them as a whole."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.text.identifiers import forms, identifiers, identifiers_held, identifiers_of_chunk
from hybrid.types import Chunk


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("Which part is AB/12-34.6?", ("ab/12-34.6",)),
        ("How many litres does the pump P-017 deliver?", ("p-017",)),
        ("Wer hat 550e8400-e29b-41d4-a716-446655440009?", ("550e8400-e29b-41d4-a716-446655440009",)),
        ("What is new in version 2.4.1?", ("2.4.1",)),
        ("What is new in v2.4?", ("2.4",)),
        ("How heavy is the K300?", ("k300",)),
        ("When is invoice 2026-0417 of 2019-2020 due?", ("2026-0417", "2019")),
        ("What was earned in the second quarter of 2019?", ("q2", "2019")),
        ("A 40mm pipe, 3rd in 20-year terms of the 1990s at 10:30, 5kg, 12V, 1,000.5 and 24/7?", ()),
        ("", ()),
    ],
)
def test_what_a_question_names(question, names):
    assert identifiers(question) == names


@pytest.mark.parametrize(
    ("name", "text", "held"),
    [
        ("k300", "the K300's weight", True),
        ("k300", "The K300-EW weighs more", False),
        ("k300", "manuals/K300.pdf", True),
        ("px7718", "PX-7718 and PX 7719", True),
        ("px-7719", "px7718 and PX 7719", True),
        ("px7718", "PX-7717, XPX-7718, PX-77181, PX-7718-2, px 77 18", False),
        ("k300ew", "the K300-EW", True),
        ("a1", "table A 1", False),
        ("2.4.1", "See v2.4.1.", True),
        ("2.4.1", "12.4.1 and 2.4.10 and 2.4.1.3", False),
        ("p-017", "P-0171, P-017-2", False),
        ("ab/12-34.6", "Part AB/12-34.6.", True),
        ("ab/12-34.6", "Part AB/12-34.5 fits.", False),
        ("2019", "in FY2019", True),
        ("2019", "2,019 of 20190", False),
        ("q2", "Second quarter", True),
        ("q2", "Q3", False),
    ],
)
def test_a_name_is_held_as_a_whole(name, text, held):
    assert identifiers_held([name], text) == (frozenset([name]) if held else frozenset())


def test_a_passage_holds_what_its_headings_and_its_document_are_called():
    chunk = Chunk("K300.md", 0, 0, 12, "It weighs it", headings=("Release 2.4.1",))
    assert identifiers_of_chunk(["k300", "2.4.1", "k100"], chunk) == {"k300", "2.4.1"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from v1.3.2, not V2.1.3.", ["1.3.2", "2.1.3"]),
        ("C++ (or C#), g++; c++17 and .NET 8", ["c++", "c#", "g++", "c++", ".net"]),
        ("10.0.0.1:8080", ["10.0.0.1", "10.0.0.1:8080"]),
        ("on 2021-03-05 or 3/5/2021", ["2021-03-05", "3/5/2021", "2021-05-03"]),
        ("on 5 March 2021, in March 2021", ["2021-03-05"]),
        ("DE89 3704 0044 0532 0130 00, not 12 30", ["de89370400440532013000"]),
        ("DE89370400440532013000", ["de89370400440532013000"]),
        ("see § 4.2.1.", ["4.2.1"]),
        ("$1,496.5 and 12,345", ["1496.5", "12345"]),
        ("set AIRFLOW__CORE__EXECUTOR or os.path.join", ["airflow__core__executor", "os.path.join"]),
        ("R&D of ISO-9001", ["r&d", "iso-9001"]),
        ("std::vector /etc/fstab", ["std::vector"]),
        ("a well-known and/or plain text. It ends.", []),
        ("d3b0" * 16, ["d3b0" * 16]),
        ("默认端口", ["默认", "认端", "端口"]),
        ("港", ["港"]),
        ("端口是5432。", ["端口", "口是", "5432"]),
        ("(.NET)", [".net"]),
        ("ภาษา", ["ภา", "าษ", "ษา"]),
    ],
)
def test_strings_are_kept_in_their_order(text, found):
    assert forms(text) == found


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("café", "cafe"),
        ("Müller", "muller"),
        ("Müller", "mueller"),
        ("Straße", "strasse"),
        ("ﬁnance", "finance"),
        ("ＰＯＲＴ", "port"),
        ("ﾎﾟｰﾄ", "ポー"),
        ("ёлка", "елка"),
    ],
)
def test_a_word_is_respelled_as_one_would_type_it(word, other):
    assert other in forms(f"the {word}, again")


@given(st.text(max_size=80))
def test_any_text_has_forms_without_blanks(text):
    found = forms(text)
    assert found == [form for form in found if form and not any(letter.isspace() for letter in form)]


@pytest.mark.parametrize("text", ["a", "1", "a-", "[", "a_"])
def test_what_a_long_part_costs_does_not_grow_with_its_square(text):
    begun = time.process_time()
    forms(text * 20_000)
    # the square of it would take minutes
    assert time.process_time() - begun < 5
