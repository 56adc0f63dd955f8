import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import UsageError
from hybrid.grounding.examples import Label, LabelledClaim
from recipes.grounding.leaks import bigram_overlaps, equalise, measure_leaks, require_fair

PASSAGE = "the quick brown fox jumps over the lazy dog"


def example(claim, label, number=0):
    return LabelledClaim(f"e{number}", claim, (PASSAGE,), label, "doc")


def bigram_overlap(claim, evidence):
    (share,) = bigram_overlaps([LabelledClaim("e", claim, tuple(evidence), Label.SUPPORTED, "doc")])
    return share


@pytest.mark.parametrize(
    ("claim", "share"),
    [
        ("The quick brown fox", 1.0),
        ("The brown quick fox", 0.0),
        ("A quick brown dog", 1 / 3),
        ("fox", 1.0),
        ("cat", 0.0),
        ("", 0.0),
        ("!?", 0.0),
    ],
)
def test_overlap_is_the_share_of_bigrams_in_the_evidence(claim, share):
    assert bigram_overlap(claim, (PASSAGE,)) == pytest.approx(share)


def test_bigrams_do_not_cross_passages():
    assert bigram_overlap("quick brown", ("so quick", "brown it is")) == 0.0


@pytest.mark.slow
@given(claim=st.text(max_size=40), evidence=st.lists(st.text(max_size=40), max_size=3))
def test_overlap_is_a_share_and_one_more_passage_never_lowers_it(claim, evidence):
    share = bigram_overlap(claim, evidence)
    assert 0 <= share <= bigram_overlap(claim, [*evidence, claim]) <= 1


def test_copies_against_edits_leak_and_are_refused_with_both_numbers():
    copies = [example("the quick brown fox jumps", Label.SUPPORTED, n) for n in range(5)]
    edits = [example("the quick brown cat jumps", Label.REFUTED, n) for n in range(5)]
    leaks = measure_leaks([*copies, *edits])
    assert (leaks.overlap, leaks.length) == (1.0, 0.5)
    with pytest.raises(
        UsageError, match=r"overlap 1\.000 \(at most 0\.80\), of claim length 0\.500"
    ) as error:
        require_fair([*copies, *edits])
    assert "paraphrases" in error.value.hint


def test_a_leak_in_the_other_direction_is_one_too():
    right = [example("a cat sleeps", Label.SUPPORTED, n) for n in range(5)]
    wrong = [example("the quick brown", Label.REFUTED, n) for n in range(5)]
    assert measure_leaks([*right, *wrong]).overlap == 1.0


def test_length_alone_is_refused():
    long = [example("the quick brown fox jumps", Label.SUPPORTED, n) for n in range(5)]
    short = [example("the quick brown", Label.NEUTRAL, n) for n in range(5)]
    with pytest.raises(UsageError, match=r"claim length 1\.000"):
        require_fair([*long, *short])


def test_one_side_only_is_refused():
    with pytest.raises(UsageError, match="one side"):
        require_fair([example("the quick", Label.SUPPORTED)])
    assert measure_leaks([]).overlap is None
    assert not measure_leaks([]).fair


def test_a_fair_set_passes_and_its_numbers_come_back():
    pairs = [
        example(claim, label, n)
        for n, claim in enumerate(("the quick brown", "a lazy cat sleeps", "over the hill"))
        for label in (Label.SUPPORTED, Label.REFUTED)
    ]
    assert require_fair(pairs).overlap == pytest.approx(0.5)


CLAIMS = [
    "the quick brown fox",
    "the quick red fox",
    "a red cat sat",
    "over the lazy dog",
    "fox jumps over it",
]


@pytest.mark.slow
@given(
    rows=st.lists(st.tuples(st.sampled_from(CLAIMS), st.sampled_from(list(Label))), max_size=40),
    seed=st.integers(0, 5),
)
def test_equalised_sets_hold_as_many_of_both_and_only_given_examples_in_their_order(rows, seed):
    examples = [example(claim, label, number) for number, (claim, label) in enumerate(rows)]
    kept = equalise(examples, seed=seed)
    places = [examples.index(one) for one in kept]
    assert places == sorted(set(places))
    assert sum(not e.supported for e in kept) * 2 == len(kept)
    assert equalise(examples, seed=seed) == kept


def test_equalising_takes_the_leak_of_overlap_away():
    copies = [example(CLAIMS[n % 2], Label.SUPPORTED, n) for n in range(40)]
    edits = [example(CLAIMS[1 + n % 2], Label.REFUTED, 40 + n) for n in range(40)]
    assert measure_leaks([*copies, *edits]).overlap > 0.8
    assert measure_leaks(equalise([*copies, *edits], seed=0)).overlap == pytest.approx(0.5)
