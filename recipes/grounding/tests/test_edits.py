"""What every kind of edit keeps: its promise on spans, on determinism, and never to be the original."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hybrid.grounding.examples import Label
from recipes.grounding.edits import Kind, Surroundings, edit

DOCUMENT = (
    "The drug was approved by the FDA in 2010 after 3 trials with 1,200 patients in Germany.",
    "In 2014, the company Novo Pharma bought Helix Labs for $300 million.",
    "Most patients recover within 6 weeks, but some people need treatment for at least 12 months.",
    "Surgery is more common in men than in women because of the higher risk of bleeding.",
    "The blood flows from the heart to the lungs.",
    "John Smith told Mary Jones that the hospital in Paris was closed.",
    "Doctors often recommend exercise before the operation.",
    "The vaccine does not prevent infection in older adults.",
    "Severe headaches are caused by swelling of the brain tissue.",
    "Vaccination is recommended for travellers to tropical regions without clean water.",
    "Kidney stones are treated with shock waves or with a thin tube at the clinic.",
    "Response rates were 40% and 25% in the two arms, respectively.",
    "Costs increased from 50 to 80 dollars for every patient in Sweden.",
)
ELSEWHERE = (
    "The parser is written in C and reads every file only once.",
    "Anna Berg met Peter Olsen in London in 1987.",
    "The default is eight megabytes of shared memory.",
)
AROUND = Surroundings(DOCUMENT, ELSEWHERE)
TEXTS = st.one_of(
    st.sampled_from(DOCUMENT),
    st.tuples(st.sampled_from(DOCUMENT), st.sampled_from(DOCUMENT)).map(" ".join),
    st.tuples(st.sampled_from(DOCUMENT), st.text(max_size=30)).map("".join),
    st.text(max_size=80),
)
KINDS = st.sampled_from(list(Kind))


def edits_of(text, around, *, seed):
    return [made for kind in Kind if (made := edit(text, around, kind, seed=seed)) is not None]


def outside(text, spans):
    """Return the stretches of a text that are not in its spans."""
    ends = [0, *(span.end for span in spans)]
    starts = [*(span.start for span in spans), len(text)]
    return [text[end:start] for end, start in zip(ends, starts, strict=True)]


@pytest.mark.slow
@given(text=TEXTS, kind=KINDS, seed=st.integers(0, 50))
def test_edits_change_the_text_in_their_spans_and_nowhere_else(text, kind, seed):
    made = edit(text, AROUND, kind, seed=seed)
    assume(made is not None)
    assert made.kind is kind
    assert made.text != text
    assert made.label in (Label.REFUTED, Label.NEUTRAL)
    assert made.spans
    last = 0
    for span in made.spans:
        assert last <= span.start < span.end <= len(made.text)
        last = span.end
    kept = outside(made.text, made.spans)
    # what is not in a span stands in the original, in this order, from its beginning to its end
    assert re.fullmatch(".*".join(map(re.escape, kept)), text, re.DOTALL)


@pytest.mark.slow
@given(text=TEXTS, kind=KINDS, seed=st.integers(0, 50))
def test_the_same_text_and_seed_give_the_same_edit(text, kind, seed):
    again = Surroundings(DOCUMENT, ELSEWHERE)
    assert edit(text, AROUND, kind, seed=seed) == edit(text, again, kind, seed=seed)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_finds_something_in_the_document(kind):
    assert any(edit(text, AROUND, kind, seed=seed) for text in DOCUMENT for seed in range(5))


def test_one_edit_of_every_kind_that_is_possible():
    made = edits_of(DOCUMENT[0], AROUND, seed=0)
    assert {edit.kind for edit in made} >= {
        Kind.NUMBER,
        Kind.DATE,
        Kind.ENTITY,
        Kind.NEGATION,
        Kind.DIRECTION,
    }
    assert len({edit.kind for edit in made}) == len(made)


@pytest.mark.parametrize(
    "text",
    [
        "Der Wirkstoff wurde 2010 von der Behörde nach 3 Versuchen mit 1.200 Patienten zugelassen.",
        "Le médicament a été approuvé par l'agence en 2010 après 3 essais avec 1 200 patients.",
        "Препарат был одобрен в 2010 году после 3 испытаний.",
        "薬は2010年に承認されました。",
    ],
)
def test_other_languages_are_left_alone(text):
    assert edits_of(text, AROUND, seed=0) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" ", 0),
        ("...!?", 0),
        ("\ud800 is half of a character and of the same kind.", 1),
        ("A" * 100_000, 0),
        ("is not " * 20_000, 0),
        ("1" * 1_900 + " is a number of the kind that is not for us.", 3),
        ("😀 is the best of 3 emoji in the world and is not 😃.", 4),
        ("‏העברית is the language of 10 million people in the world.", 0),
    ],
)
def test_odd_texts_pass(text, count, within):
    around = Surroundings((text, *DOCUMENT), (text,))
    for seed in range(3):
        with within(2):
            assert len(edits_of(text, around, seed=seed)) == count
        assert len(edits_of(DOCUMENT[0], around, seed=seed)) == 7


def test_nothing_is_made_true_by_another_sentence_of_the_document():
    text = "The clinic in Berlin has 40 beds for patients with burns."
    around = Surroundings((text, "The school in Hamburg has 80 rooms for its pupils."))
    numbers = {edit(text, around, Kind.NUMBER, seed=seed).text for seed in range(40)}
    assert text.replace("40", "80") in numbers, "another number of the document is fine"
    same = "The clinic in Berlin has 80 beds for patients with burns, too."
    around = Surroundings((text, same))
    numbers = {edit(text, around, Kind.NUMBER, seed=seed).text for seed in range(40)}
    assert text.replace("40", "80") not in numbers
