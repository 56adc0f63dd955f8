import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import UsageError
from hybrid.grounding.data.splits import split
from hybrid.grounding.data.values import Example, Label


def example(number, *, source=None, domain="news", claim=None, evidence=None):
    return Example(
        id=f"e{number}",
        claim=claim or f"Claim of word{chr(97 + number % 26)}{chr(97 + number // 26)}.",
        evidence=(evidence or f"Passage of word{chr(97 + number % 26)}{chr(97 + number // 26)}.",),
        label=Label.SUPPORTED,
        source=source or f"doc{number}",
        domain=domain,
    )


EXAMPLES = [example(number, source=f"doc{number // 3}") for number in range(300)]


def test_sources_are_never_on_both_sides_and_nothing_is_lost():
    parts = split(EXAMPLES, share=0.3, seed=0)
    assert {e.source for e in parts.train}.isdisjoint(e.source for e in parts.test)
    assert len(parts.train) + len(parts.test) + parts.duplicates == 300
    assert 0.15 < len(parts.test) / 300 < 0.45


def test_another_seed_draws_other_sources_and_the_same_seed_the_same():
    assert split(EXAMPLES, share=0.3, seed=0) == split(EXAMPLES, share=0.3, seed=0)
    assert split(EXAMPLES, share=0.3, seed=0).test != split(EXAMPLES, share=0.3, seed=1).test


@given(share=st.floats(0, 1), more=st.lists(st.integers(300, 900), max_size=5, unique=True))
def test_new_examples_move_no_others(share, more):
    before = split(EXAMPLES[:40], share=share, seed=3)
    after = split([*EXAMPLES[:40], *map(example, more)], share=share, seed=3)
    assert set(before.test) <= set(after.test)


def test_whole_domains_are_held_out():
    mixed = [*EXAMPLES, *(example(n, domain="law") for n in range(300, 340))]
    parts = split(mixed, share=0.0, seed=0, domains=("law",))
    assert {e.domain for e in parts.test} == {"law"}
    assert len(parts.test) == 40


def test_a_claim_or_a_passage_on_the_test_side_is_not_trained_on():
    tested = example(0, domain="law", claim="The dose is 5 mg.", evidence="Take 5 mg a day.")
    copies = [
        example(1, claim="the dose is 50 MG"),
        example(2, evidence="Take 7 mg a day"),
        example(3, claim="The dose is large."),
    ]
    parts = split([tested, *copies], share=0.0, seed=0, domains=("law",))
    assert [e.id for e in parts.train] == ["e3"]
    assert parts.duplicates == 2


def test_what_makes_no_sense_is_refused():
    with pytest.raises(UsageError, match="expected 0 to 1"):
        split(EXAMPLES, share=1.5, seed=0)
    with pytest.raises(UsageError, match="no example is of the domain law; there are news"):
        split(EXAMPLES, share=0.5, seed=0, domains=("law",))
