"""Long sentences are quoted as the stretch that answers, and never so that they say something else."""

from __future__ import annotations

import re

import hypothesis.strategies as st
import pytest
from hypothesis import given

from hybrid.generation.asking import read_question
from hybrid.generation.matching import matcher
from hybrid.generation.shortening import LONGEST, quoted


def short(question, text, around="", room=LONGEST):
    asked = read_question(question)
    return quoted(asked, text, around, matcher(asked.words, [text]), room=room)


def stretches(shown):
    return [part.strip() for part in shown.split("…") if part.strip()]


@pytest.mark.parametrize(
    ("question", "text", "shown"),
    [
        (
            "Where is the key of the boat house?",
            "The key of the boat house hangs in the office behind the door, which the secretary opens every"
            " morning at eight and locks again in the evening when the last of the rowers has gone home.",
            "The key of the boat house hangs in the office behind the door …",
        ),
        (
            "When does the ferry leave?",
            "The ferry (a catamaran of the yard at Holm that was lengthened twice and painted three times"
            " since it was built) leaves at 9:15 from the new pier behind the fish market every day.",
            "The ferry … leaves at 9:15 from the new pier behind the fish market every day.",
        ),
    ],
)
def test_a_long_sentence_is_cut_to_the_stretch_that_answers(question, text, shown):
    assert short(question, text) == shown


@pytest.mark.parametrize(
    ("question", "text"),
    [
        # what announces, a condition, an exception, a denial, the reason that is asked for, all of several
        (
            "Where was the old pump opened?",
            "While the old pump in the cellar of the main house was opened and cleaned by the two boys of"
            " the firm in spring and in autumn it lost water every day of the week.",
        ),
        (
            "How much was paid for the repair of the boats?",
            "What was paid for the repair of the boats in the two years is shown by the table below of the"
            " treasurer: an amount of 1,200 EUR for the hulls and one of 300 EUR for the oars.",
        ),
        (
            "How long can goods be returned?",
            "Goods can be returned within thirty days of their delivery to the address that was named in the"
            " order, unless they were made to measure, opened or used by the one who ordered them.",
        ),
        (
            "Who gets the bonus?",
            "The bonus is paid to everybody who worked in one of our two plants for the whole of the year,"
            " except apprentices and those who gave notice before the end of the month of December.",
        ),
        (
            "May visitors use the car park?",
            "Visitors may use the car park behind the main building of the factory on any day of the week,"
            " but not the places that are marked in yellow and reserved for people with a permit.",
        ),
        (
            "Why did sales fall last year?",
            "Sales fell last year by a tenth in all of the countries in which we have shops of our own, due"
            " to the long strike at the port and the price of sugar that rose in the spring.",
        ),
        (
            "What are the duties of the warden?",
            "The warden opens the hall and keeps the list of those who want to use it on one of the days of"
            " the week, and cleans the kitchen, and winds the clock, and pays the bills.",
        ),
        (
            "What may be sold at the market?",
            "Food may be sold at the market in the square by those who live in the parish only if the stall"
            " is covered, or is of wood, and has been looked at by the warden in the same month.",
        ),
    ],
)
def test_what_would_change_the_meaning_is_never_cut(question, text):
    assert len(text.split()) > LONGEST
    assert short(question, text) == text


def test_an_aside_is_kept_where_another_name_is_asked_for():
    text = (
        "The rotors (rotating discs of forged steel that the makers balance by hand) are mounted on a drive"
        " shaft of one piece in the casing of the turbine that stands in the hall."
    )
    assert short("What is another term for rotors?", text) == text
    assert short("What are rotors mounted on?", text) == text
    assert "…" in short("Where does the turbine stand?", text)


def test_a_name_of_the_question_is_kept_unless_it_stands_above():
    text = (
        "The pump was delivered in March and fitted by our own people in the cellar of the house on the hill,"
        " together with the filter that Hansen of Holm had made for the mill at the lake."
    )
    assert "Hansen" in short("Where was the pump for Hansen fitted?", text)
    assert "Hansen" not in short("Where was the pump fitted?", text)


_WORDS = st.sampled_from(
    re.split(
        r"\s*/\s*", "the pump/a valve/is/opened/,/which/and/not/unless/(small)/;/12 bar/in Holm/by/who/of"
    )
)


@given(st.lists(_WORDS, min_size=1, max_size=60), st.integers(8, 40))
def test_what_is_quoted_stands_there_in_its_order_and_is_no_longer_than_the_sentence(words, room):
    text = " ".join(words)
    shown = short("Where was the pump of Holm opened?", text, room=room)
    place = 0
    for part in stretches(shown):
        place = text.index(part, place) + len(part)
    assert shown == text or len(shown.split()) <= room
    for word in ("not", "unless"):
        assert text.split().count(word) == shown.split().count(word)
