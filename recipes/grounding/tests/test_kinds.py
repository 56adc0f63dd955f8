"""What each kind changes, and what it leaves alone because the claim might still be true."""

import pytest

from hybrid.types import Span
from recipes.grounding.edits import Kind, Surroundings, edit
from recipes.grounding.edits.names import find_names
from recipes.grounding.edits.quantities import find_numbers
from recipes.grounding.edits.values import Replacement, apply, begins_with_vowel

SEEDS = range(30)


def options(text, kind, *others, elsewhere=()):
    """Return everything that the seeds make of a text."""
    around = Surroundings((text, *others), tuple(elsewhere))
    return {made.text for seed in SEEDS if (made := edit(text, around, kind, seed=seed))}


# --- numbers, dates, units -------------------------------------------------------------------------------


def test_a_number_becomes_another_one_of_the_document_or_is_scaled():
    text = "The study was done with 40 patients in the clinic."
    made = options(text, Kind.NUMBER, "Of the first group, 55 patients were treated in the clinic.")
    assert text.replace("40", "55") in made
    assert text.replace("40", "80") in made


@pytest.mark.parametrize(
    ("text", "old", "rises"),
    [
        ("The plan is valid for at least 40 days in all of the states.", 40, True),
        ("The plan is valid for more than 40 days in all of the states.", 40, True),
        ("The plan is for children of 40 months or older in the states.", 40, True),
        ("The plan is valid for up to 40 days in all of the states.", 40, False),
        ("The plan is valid for less than 40 days in all of the states.", 40, False),
        ("The plan is for groups of 40 people or fewer in the states.", 40, False),
    ],
)
def test_a_bound_moves_only_where_it_is_not_implied(text, old, rises):
    made = options(text, Kind.NUMBER, "There were 10 or 20 or 60 or 90 of them.")
    values = [int("".join(filter(str.isdigit, one))) for one in made]
    assert values
    assert all((value > old) == rises for value in values)


@pytest.mark.parametrize(
    "text",
    [
        "As is shown in Table 3, the results are the same for all.",
        "People with type 2 diabetes are at risk of the disease.",
        "The level of IL-6 is high in the blood of the patients.",
        "The risk is high in the group (95% CI 1.2-3.4) of the trial.",
        "The method is described in the paper [12] of the group.",
        "This is valid for Windows 10 and for the version 3.5 of it.",
        "It happens between 5 and 10 times in the life of a person.",
        "The range is from 5 to 10 for most of the people in it.",
        "In 2010, the use of the drug was stopped in the country.",
        "The result was significant (p < 0.05) in both of the arms.",
        "One of the two or three ways is the best for all of them.",
    ],
)
def test_what_a_number_only_names_stays(text):
    assert options(text, Kind.NUMBER) == set()


def test_numbers_keep_their_style():
    (found,) = find_numbers("It was sold for $12,500.50 to the bank.")
    assert found.written(99_000.25, "12,500.50") == "99,000.25"
    (found,) = find_numbers("Twelve men were there.")
    assert found.written(3, "Twelve") == "Three"


def test_dates_become_other_dates():
    text = "The treaty was signed in Paris on 3 March 1951 by all of the states."
    made = options(text, Kind.DATE, "It was changed in 1957 and in 1960.")
    assert text.replace("1951", "1957") in made
    assert any("March" not in one for one in made)
    assert all(("March" in one) != ("1951" in one) for one in made)


def test_a_year_that_is_implied_is_not_taken():
    since = options("The rule has been in force since 1990 in all of the states.", Kind.DATE)
    assert since
    assert all(int(one.split("since ")[1][:4]) < 1990 for one in since)


@pytest.mark.parametrize(
    "text",
    [
        "The method is known from the paper (Smith, 2010) of the group.",
        "There was a war from 1914 to 1918 in most of the countries.",
        "There is a chance that they may come to the house in the end.",
        "A total of 1672 patients was in the group of the study.",
    ],
)
def test_references_ranges_and_modals_are_no_dates(text):
    assert options(text, Kind.DATE) == set()


def test_units_become_their_neighbours_and_bounds_what_they_do_not_imply():
    assert options("The drug is given for 3 days to all of the patients.", Kind.UNIT) == {
        "The drug is given for 3 hours to all of the patients.",
        "The drug is given for 3 weeks to all of the patients.",
    }
    assert options("The drug is given for at least 3 days to all of the patients.", Kind.UNIT) == {
        "The drug is given for at least 3 weeks to all of the patients."
    }
    assert options("The drug is given twice a day in most of the cases.", Kind.UNIT) == {
        "The drug is given twice a week in most of the cases."
    }


# --- names and roles -------------------------------------------------------------------------------------


def test_names_become_names_of_the_same_sort():
    text = "The film was shot by Peter Brown in Germany for the BBC."
    made = options(
        text, Kind.ENTITY, "Anna Smith was there with Tom Baker.", "It was in Spain.", "The CNN was there."
    )
    assert any("Spain" in one for one in made)
    assert any("Anna Smith" in one or "Tom Baker" in one for one in made)
    assert not any("by Spain" in one or "in Anna" in one for one in made)


def test_a_name_is_not_replaced_by_itself_under_another_form():
    text = "The prize was given to John Smith by the university in the city."
    own = ("Mr. Smith was there.", "Smith was glad.", "John is a doctor.")
    assert options(text, Kind.ENTITY, *own) == set()
    made = options(text, Kind.ENTITY, *own, "Later Anna Berg was there.")
    assert made and not any("Smith" in one or "to John" in one for one in made)


def test_parts_of_names_and_shouted_words_are_no_names():
    names = [name.text for name in find_names("He is at the University of California in Los Angeles.")]
    assert "Los Angeles" in names
    assert (
        options("The data are for the DELETE statement of the language.", Kind.ENTITY, "They delete it.")
        == set()
    )


def test_who_does_what_is_exchanged_where_a_verb_stands_between():
    text = "The ministry said that Ukraine attacked Russia in the night of the vote."
    assert options(text, Kind.ROLE) == {
        "The ministry said that Russia attacked Ukraine in the night of the vote."
    }


@pytest.mark.parametrize(
    "text",
    [
        "There was a treaty between Germany and France for the border.",
        "The treaty was signed by Germany and by France in the same year.",
        "The team met with players of France in the city for the game.",
    ],
)
def test_what_is_the_same_both_ways_is_not_exchanged(text):
    assert options(text, Kind.ROLE) == set()


def test_values_and_ends_are_exchanged():
    assert options("The rates were 40% and 25% in the two arms, respectively.", Kind.ROLE) == set()
    assert options("In the two arms the rates were 40% and 25%, respectively.", Kind.ROLE) == {
        "In the two arms the rates were 25% and 40%, respectively."
    }
    assert options("The blood flows from the heart to the lungs.", Kind.ROLE) == {
        "The blood flows from the lungs to the heart."
    }


# --- words that turn a claim round -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The drug is safe for most of the people.", "The drug is not safe for most of the people."),
        (
            "This vaccine can be used for the treatment of it.",
            "This vaccine cannot be used for the treatment of it.",
        ),
        (
            "The vaccine does not prevent the disease in adults.",
            "The vaccine prevents the disease in adults.",
        ),
        (
            "The cells did not become active in the blood of it.",
            "The cells became active in the blood of it.",
        ),
        (
            "The group had no effect on the price of the house.",
            "The group had an effect on the price of the house.",
        ),
        ("There is a cure for the disease of the brain.", "There is no cure for the disease of the brain."),
        ("It has been shown in most of the studies.", "It has not been shown in most of the studies."),
    ],
)
def test_a_not_is_put_in_or_taken_out(text, expected):
    assert expected in options(text, Kind.NEGATION)


@pytest.mark.parametrize(
    "text",
    [
        "The drug may be of use for most of the people.",
        "It is not only safe but also cheap for most of the people.",
        "The rule is only for the people in the city of it.",
    ],
)
def test_what_a_not_would_not_contradict_is_left_alone(text):
    assert options(text, Kind.NEGATION) == set()


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (Kind.ANTONYM, "The drug is safe in the hands of it.", "The drug is dangerous in the hands of it."),
        (Kind.ANTONYM, "It is a common disease of the brain.", "It is a rare disease of the brain."),
        (Kind.ANTONYM, "It is an effective way to the goal.", "It is an ineffective way to the goal."),
        (Kind.ANTONYM, "This is a useful part of the house.", "This is a useless part of the house."),
        (Kind.DIRECTION, "The increased risk is known to all.", "The decreased risk is known to all."),
        (Kind.DIRECTION, "The risk is higher in the group of men.", "The risk is lower in the group of men."),
        (Kind.DIRECTION, "They eat before the start of the game.", "They eat after the start of the game."),
        (Kind.DIRECTION, "It is more common in men than in us.", "It is less common in men than in us."),
        (Kind.QUANTIFIER, "The drug may cause pain in the head.", "The drug will cause pain in the head."),
        (Kind.QUANTIFIER, "Some patients are ill after the trip.", "All patients are ill after the trip."),
        (
            Kind.QUANTIFIER,
            "All patients were cured by the drug.",
            "Only some patients were cured by the drug.",
        ),
        (Kind.QUANTIFIER, "It lasts for at least 3 days in all.", "It lasts for at most 3 days in all."),
        (
            Kind.QUANTIFIER,
            "It is in both men and women of the city.",
            "It is in neither men nor women of the city.",
        ),
        (
            Kind.RELATION,
            "The disease is caused by a virus in it.",
            "The disease is unrelated to a virus in it.",
        ),
        (Kind.RELATION, "They left because the house was cold.", "They left although the house was cold."),
        (Kind.RELATION, "It is used during the birth of a child.", "It is used after the birth of a child."),
    ],
)
def test_words_are_turned_round(kind, text, expected):
    assert expected in options(text, kind)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        pytest.param(Kind.ANTONYM, "It is in large and small parts of the city.", id="both are there"),
        pytest.param(Kind.ANTONYM, "It is not a common disease of the brain.", id="denied"),
        pytest.param(Kind.ANTONYM, "The Safe Harbour is in the east of it.", id="part of a name"),
        pytest.param(Kind.DIRECTION, "They were named after the king of it.", id="another meaning"),
        pytest.param(Kind.DIRECTION, "It is no longer in use in the city.", id="no longer"),
        pytest.param(Kind.QUANTIFIER, "The drug will cause pain in the head.", id="nothing stronger"),
        pytest.param(Kind.QUANTIFIER, "It is the most common of the diseases.", id="a superlative"),
        pytest.param(Kind.QUANTIFIER, "They were in the city in May of the year.", id="a month"),
        pytest.param(
            Kind.RELATION, "Ask your doctor if the drug is safe for you.", id="an indirect question"
        ),
    ],
)
def test_words_are_left_where_the_opposite_means_something_else(kind, text):
    assert options(text, kind) == set()


# --- statements ------------------------------------------------------------------------------------------


def test_a_clause_from_elsewhere_is_appended():
    text = "Kidney stones are treated with shock waves at the clinic."
    own = "The bridge was closed because of heavy flooding in spring."
    foreign = "The parser reads every file only once."
    made = options(text, Kind.APPENDED, own, elsewhere=("The default is eight megabytes of memory.", foreign))
    assert (
        "Kidney stones are treated with shock waves at the clinic because of heavy flooding in spring."
        in made
    )
    assert any(one.endswith(", and the default is eight megabytes of memory.") for one in made)


def test_a_subject_gets_what_is_said_of_another():
    made = options(
        "Kidney stones are treated with shock waves at the clinic.",
        Kind.FUSION,
        "That is all.",
        "Nothing else was seen there.",
        "Tropical regions are reached by plane, train and several weekly ferries.",
        "They are all far away.",
        "The disease is known in Sweden since the year of the great plague.",
    )
    assert made == {"Kidney stones are reached by plane, train and several weekly ferries."}


# --- writing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "word", ["apple", "unimportant", "unusual", "hour", "8-year-old", "11-year-old", "FDA", "MRI"]
)
def test_an_stands_before_the_sound_of_a_vowel(word):
    assert begins_with_vowel(word)


@pytest.mark.parametrize(
    "word", ["house", "university", "uniform", "useful", "one", "European", "56-year-old", "DNA"]
)
def test_a_stands_before_any_other(word):
    assert not begins_with_vowel(word)


def test_an_article_that_has_to_change_belongs_to_the_span():
    text, spans = apply("It is a rare bird.", [Replacement(8, 12, "uncommon")])
    assert text == "It is an uncommon bird."
    assert spans == (Span(6, 17),)
