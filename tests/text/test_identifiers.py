"""Exact names of a question, and which text holds them as a whole."""

import pytest

from hybrid.text.identifiers import identifiers, identifiers_held, identifiers_of_chunk
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
