import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.grounding.paraphrases import merged, paraphrase

SENTENCES = [
    "If the drug is stopped, the symptoms return within a few days.",
    "Approximately 30 percent of the patients were treated with the drug in order to reduce the pain.",
    "In addition, the disease is caused by a virus that is found in most of the rivers (and in lakes).",
    "The law was signed on March 5, 2010 by the president, which surprised many of the members.",
]


def all_of(text, *, steps=1, seeds=60):
    return {paraphrase(text, seed=seed, steps=steps) for seed in range(seeds)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "If the drug is stopped, the pain is back in the head.",
            "The pain is back in the head if the drug is stopped.",
        ),
        (
            "The river is closed when the water is too high.",
            "When the water is too high, the river is closed.",
        ),
        ("In 2010, the house was sold to the bank.", "The house was sold to the bank in 2010."),
        ("The disease is caused by a virus.", "A virus causes the disease."),
        ("The cells that are found in the blood are red.", "The cells found in the blood are red."),
        ("The cells (called red) are in the blood of all.", "The cells are in the blood of all."),
        ("However, the cells are in the blood of all.", "The cells are in the blood of all."),
        ("It was done with three groups of the same size.", "It was done with 3 groups of the same size."),
        ("It was done with 3 groups of the same size.", "It was done with three groups of the same size."),
        ("It was signed on March 5, 2010 by all of them.", "It was signed on 5 March 2010 by all of them."),
        ("An 11-year-old girl was in the house of the man.", "A girl aged 11 was in the house of the man."),
        ("It was used prior to the war in the city.", "It was used before the war in the city."),
        ("An entire year was lost in the city for it.", "A whole year was lost in the city for it."),
        ("It was in about 30 percent of the houses.", "It was in about 30% of the houses."),
        ("The cells do not grow in the blood of men.", "The cells don't grow in the blood of men."),
        ("It was one of the fevers in dogs and cats.", "It was one of the fevers in cats and dogs."),
    ],
)
def test_sentences_are_reworded_in_known_ways(text, expected):
    assert expected in all_of(text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "never"),
    [
        pytest.param(
            "The drug is safe, if it is used well, in men.", "The drug is safe in men", id="a condition"
        ),
        pytest.param("It is open to all (not to children) in the city.", "open to all in", id="a limit"),
        pytest.param("The drug is only used in men of the city.", "is used", id="only"),
        pytest.param("It is seen when it is dark in the house.", "When it", id="a pronoun before its noun"),
        pytest.param("The film Many Days is the best of them.", "Numerous", id="a name"),
        pytest.param('He was glad when people with "many fears" left.', "numerous", id="a quotation"),
    ],
)
def test_what_matters_is_not_touched(text, never):
    found = all_of(text)
    assert len(found) > 1  # each is said in another way
    assert not any(never in one for one in found)


@pytest.mark.slow
@given(
    text=st.one_of(st.sampled_from(SENTENCES), st.text(max_size=60)),
    seed=st.integers(),
    steps=st.integers(0, 9),
)
def test_paraphrases_are_the_same_for_the_same_seed(text, seed, steps):
    once = paraphrase(text, seed=seed, steps=steps)
    assert once == paraphrase(text, seed=seed, steps=steps)
    assert once or not text


def test_more_steps_change_more():
    text = SENTENCES[1]
    assert paraphrase(text, seed=1, steps=0) == text
    assert len(all_of(text, steps=4)) > len(all_of(text, steps=1))


@pytest.mark.parametrize(
    "text", ["Si el fármaco se suspende, el dolor vuelve a la cabeza.", "", "?!", "A" * 50_000]
)
def test_what_is_no_english_stays(text):
    assert all_of(text, steps=5, seeds=3) == {text}


def test_neighbours_are_merged_with_and_and_a_pronoun_for_the_same_subject():
    assert (
        merged("The cell is round.", "These walls are thin and clear in the light.")
        == "The cell is round, and these walls are thin and clear in the light."
    )
    assert (
        merged("The cell is round.", "The cell has two thin walls.")
        == "The cell is round, and it has two thin walls."
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("The cell is round.", "Zurich is a city in Europe."),
        ("The patient is old.", "The patient has two sons."),
        ("Is the cell round?", "The cell has two walls."),
        ("The cell is round.", "And so on."),
        ("", ""),
    ],
)
def test_what_cannot_be_merged_safely_is_not(first, second):
    assert merged(first, second) is None
