import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.grounding.prose import Piece, is_claim, pieces_of

TEXT = """Acromegaly

Acromegaly is a hormonal disorder that results from too much growth
hormone in the body. The pituitary makes it.

Symptoms:

- enlarged hands
- enlarged feet

Treatment
Surgery is the first option recommended for most people with
this disorder.

Ann: Do we have any milk?
Mike: There is some in the fridge.
"""


def claim(text):
    return is_claim(Piece(text, 0, True))


def test_wrapped_lines_become_sentences_and_the_rest_stays_apart():
    pieces = pieces_of(TEXT)
    assert [piece.text for piece in pieces if piece.running] == [
        "Acromegaly is a hormonal disorder that results from too much growth hormone in the body.",
        "The pituitary makes it.",
        "Symptoms:",
        "Surgery is the first option recommended for most people with this disorder.",
    ]
    assert [piece.text for piece in pieces if not piece.running] == [
        "Acromegaly",
        "- enlarged hands",
        "- enlarged feet",
        "Treatment",
        "Ann: Do we have any milk?",
        "Mike: There is some in the fridge.",
    ]
    paragraphs = [piece.paragraph for piece in pieces]
    assert paragraphs == sorted(paragraphs)


@pytest.mark.parametrize(
    "text",
    [
        "Surgery is the first option recommended for most people with acromegaly.",
        "The `top_k` parameter limits how many documents are returned by the component.",
        "In 2010, the U.S. Food and Drug Administration approved the drug (a peptide) for adults.",
    ],
)
def test_sentences_that_assert_something_can_be_claims(text):
    assert claim(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Surgery helps.", id="too short"),
        pytest.param(
            "Is surgery the first option recommended for most people with acromegaly?", id="question"
        ),
        pytest.param("It is the first option recommended for most people with acromegaly.", id="leans"),
        pytest.param("Use the first option recommended for most people with acromegaly.", id="command"),
        pytest.param("I think that surgery is the first option for most people.", id="somebody's view"),
        pytest.param("Run `git push --force` and the branch is replaced by what is there.", id="code"),
        pytest.param("The first option for most people with a disorder of the body.", id="no verb"),
        pytest.param(
            "Die Operation ist für die meisten Menschen mit Akromegalie die erste Wahl.", id="German"
        ),
        pytest.param("The first option (as many say is recommended for most people.", id="open bracket"),
        pytest.param("The drug was tested in mice, rats, rabbits, dogs, etc.", id="cut off"),
        pytest.param(
            "RESULTS The drug was found to reduce the risk of stroke in adults.", id="heading inside"
        ),
    ],
)
def test_what_is_no_assertion_is_no_claim(text):
    assert not claim(text)


def test_a_line_that_is_no_running_text_is_no_claim():
    assert not is_claim(
        Piece("Surgery is the first option recommended for most people with it.", 0, running=False)
    )


@given(text=st.text(max_size=300))
def test_any_text_gives_pieces_without_loose_white_space(text):
    found = pieces_of(f"{text}\n\nThe port of the server is 5432.")
    assert found
    for piece in found:
        assert piece.text.strip()
        assert "\n" not in piece.text
        assert is_claim(piece) in (True, False)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("\ud800 is half.", 2),
        ("A" * 100_000, 0),
        ("`" * 20_000, 0),
        ("\n" * 10_000, 0),
        ("שלום. עולם.", 2),
    ],
)
def test_odd_texts_pass(text, count, within):
    with within(2):
        assert len(pieces_of(text)) == count
