import numpy as np
import pytest

from hybrid.adaptation.data.quotes import Quote
from hybrid.adaptation.data.swapping import other_answer, swapped
from hybrid.generation.prompts import Passage
from hybrid.types import Chunk, Evidence, Question, Span

TEXT = "The default port is 5432. Ask for 5432, not 54321."


def quote(answer, text="The default port is 5432.", made="number", question="Which port?", headings=()):
    chunk = Chunk("a.txt", 0, 0, len(text), text, headings)
    return Quote(
        Question("q", question, (answer,), made=made),
        Evidence("a.txt", text, Span(0, len(text))),
        chunk,
        answer,
    )


def chance():
    return np.random.default_rng(0)


def test_another_answer_of_the_same_kind_is_found():
    others = [quote("5432"), quote("99"), quote("cats", made="list")]
    assert other_answer(others[0], others, chance()) == "99"


@pytest.mark.parametrize(
    "own",
    [
        quote("port"),  # stands in the question
        quote("5432", headings=("Port 5432",)),
        quote("nowhere"),
        quote("5432", made="alone"),
    ],
)
def test_what_cannot_be_exchanged_stays(own):
    assert other_answer(own, [own, quote("99"), quote("98")], chance()) == ""


def test_a_word_does_not_stand_for_a_number():
    assert other_answer(quote("5432"), [quote("5432"), quote("seven")], chance()) == ""


def test_all_places_of_the_answer_are_exchanged_and_no_other():
    passage = Passage(1, "a.txt", "Manual", TEXT, Span(0, len(TEXT)))
    changed, quoted = swapped(passage, quote("5432"), r"\1")
    assert changed.text == r"The default port is \1. Ask for \1, not 54321."
    assert quoted == r"The default port is \1."
    assert changed.span == passage.span
