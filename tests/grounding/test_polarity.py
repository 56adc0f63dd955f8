import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hybrid.grounding.checks import nearest_sentence
from hybrid.text.polarity import turned_around


def turned(claim, sentence):
    return [claim[span.start : span.end] for span in turned_around(claim, sentence)]


@pytest.mark.parametrize(
    ("claim", "sentence", "expected"),
    [
        ("The port is not open.", "The port is open.", ["open"]),
        ("The port is open.", "The port is not open.", ["open"]),
        ("The port isn't open.", "The port is open.", ["open"]),
        ("Dogs never bark.", "Dogs bark.", ["bark"]),
        ("The port isnt open.", "The port is open.", ["open"]),
        ("It works without a key.", "It works with a key.", ["key"]),
        ("Exercise increases blood pressure.", "Exercise decreases blood pressure.", ["increases"]),
        ("Tea improved sleep.", "Tea worsened the sleep of patients.", ["improved"]),
        ("The method is accurate here.", "The method is inaccurate here.", ["accurate"]),
        ("The risk is higher in men.", "The risk is lower in men.", ["higher"]),
    ],
)
def test_what_is_turned_around_is_found(claim, sentence, expected):
    assert turned(claim, sentence) == expected


@pytest.mark.parametrize(
    ("claim", "sentence"),
    [
        ("The port is open.", "The port is open."),
        ("The port is not open.", "The port is never open."),
        # a synonym of its own side stands there too
        ("Tea reduces stress.", "Tea lowered stress, which had increased."),
        # both are there: what increased is something else
        ("Exercise increases strength.", "Exercise increases strength and decreases weight."),
        # the opposite is about something else
        (
            "Sugar increases weight in healthy adults.",
            "Sugar and weight were measured, while the number of visits was decreasing.",
        ),
        # what is denied is another word
        ("The port is open.", "The port is open, and not blue."),
        # denials that reach nobody knows where
        ("Mice that lack the gene are ill.", "Deficiency of the gene makes mice ill."),
        ("The drug fails to help.", "The drug did not help."),
        ("", "The port is open."),
        ("The port is open.", ""),
    ],
)
def test_what_may_agree_is_not_found(claim, sentence):
    assert turned(claim, sentence) == []


def test_the_nearest_sentence_holds_enough_of_the_claim():
    evidence = "Dogs bark at night. The port is 5432 by default. Ports differ."
    assert (
        nearest_sentence("The default port is 5433.", evidence, alike=0.6) == "The port is 5432 by default."
    )
    assert nearest_sentence("The default port of the replica server is 5433.", evidence, alike=0.6) == ""
    assert nearest_sentence("", evidence, alike=0.6) == nearest_sentence("The port", "", alike=0.6) == ""


words = st.sampled_from(
    ["the", "port", "is", "not", "open", "opened", "closed", "never", "lack", "increases", "reduces"]
)
lines = st.lists(words, max_size=9).map(" ".join)


@given(lines)
def test_a_sentence_does_not_turn_itself_around(line):
    assert turned(line, line) == []


@pytest.mark.slow
@given(lines, lines)
def test_it_is_seen_from_both_sides(one, other):
    assert bool(turned(one, other)) == bool(turned(other, one))


@given(st.text(max_size=50), st.text(max_size=50))
def test_any_text_is_compared(claim, sentence):
    said = f"The port is not open. {claim}"
    found = turned_around(said, f"The port is open. {sentence}")
    assume(found)  # nothing is said where a word may deny and may not
    for span in found:
        assert 0 <= span.start < span.end <= len(said)
    nearest = nearest_sentence(claim, sentence, alike=0.5)
    assert nearest is None or nearest in sentence
