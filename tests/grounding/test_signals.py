import pytest

from hybrid.grounding.head import read
from hybrid.grounding.scorers.trained import WORD_SIGNALS, word_signals
from hybrid.grounding.values import Pair

_MANUAL = "The pump weighs 40 kilograms and runs on diesel. Anna Berg built it in May 1987."


@pytest.fixture
def signals(encoder, lexicon):
    def told(claim, evidence=_MANUAL):
        (item,) = read([claim], [(evidence,)], encoder, lexicon=lexicon)
        found = word_signals(item, Pair(evidence, claim), lexicon, 2)
        return dict(zip(WORD_SIGNALS, found.tolist(), strict=True))

    return told


def test_a_copy_has_all_of_them(signals):
    found = signals("The pump weighs 40 kilograms.")
    assert found["bigrams"] > 0.7 and found["alignment"] == 0.75
    assert [found[name] for name in ("numbers", "names", "agreement")] == [1.0, 1.0, 1.0]


def test_another_subject_is_told_by_alignment_and_bigrams(signals):
    copied = signals("The pump weighs 40 kilograms.")
    other = signals("The pump weighs 40 kilograms.", "Bread is baked at 220 degrees.")
    assert copied["alignment"] > other["alignment"]
    assert copied["bigrams"] > other["bigrams"]


@pytest.mark.parametrize(
    ("claim", "numbers", "names", "agreement"),
    [
        ("The pump weighs 90 kilograms.", 0.5, 1.0, 0.0),
        ("The pump weighs 90 kilograms and was built in June 1991.", 0.0, 1.0, 0.0),
        ("It was built by Anna Svensson.", 1.0, 1.0, 1.0),
        ("It was built by Peter Svensson.", 1.0, 0.5, 1.0),
        ("The pump never runs on diesel.", 1.0, 1.0, 0.0),
        ("It is loud.", 1.0, 1.0, 1.0),
    ],
)
def test_what_is_lacking_or_denied_is_told_by_the_checks(signals, claim, numbers, names, agreement):
    found = signals(claim)
    assert (found["numbers"], found["names"], found["agreement"]) == (numbers, names, agreement)


@pytest.mark.parametrize(("claim", "evidence"), [("", _MANUAL), ("…", _MANUAL), ("It is loud.", "")])
def test_where_there_is_nothing_to_compare_nothing_is_held_against_it(signals, claim, evidence):
    assert list(signals(claim, evidence).values()) == [0.0, 0.0, 1.0, 1.0, 1.0]


def test_each_is_a_share(signals):
    odd = "In 1999, 12 % of 7,000 Norse sailors (Olaf, Sven) did not — 3.5 km/h — drown?"
    found = signals(odd)
    assert tuple(found) == WORD_SIGNALS
    assert all(0.0 <= value <= 1.0 for value in found.values())
