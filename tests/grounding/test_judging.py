import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import ModelError
from hybrid.grounding.judge import Case, Grounder
from hybrid.grounding.scorers.baselines import NgramOverlap, WordAlignment
from hybrid.grounding.values import Doubt, Logits, Status
from hybrid.testing import HashEmbedder


class Sigmoid:
    """Takes a scorer at its word."""

    def probabilities(self, logits):
        return 1 / (1 + np.exp(-logits))


@dataclass
class WordScorer:
    """Supports by the share of the claim's words, opposes where "denied" stands in the evidence."""

    name: str = "words"
    max_words: int = 12
    calls: list = field(default_factory=list)

    def score(self, pairs):
        self.calls.append(list(pairs))
        return Logits(
            np.array([4 * self.share(pair) - 2 for pair in pairs], dtype=np.float32),
            np.array([1.0 if "denied" in pair.evidence else -1.0 for pair in pairs], dtype=np.float32),
        )

    def share(self, pair):
        said = pair.claim.lower().replace(".", "").split()
        there = pair.evidence.lower().replace(".", "").split()
        return sum(word in there for word in said) / max(len(said), 1)


@dataclass
class Constant:
    """Says the same of every pair."""

    value: float
    count: int = 1
    name: str = "constant"
    max_words: int = 12

    def score(self, pairs):
        return Logits(np.full(len(pairs) * self.count, self.value, dtype=np.float32))


def grounder(scorer=None):
    return Grounder(scorer or WordScorer(), Sigmoid())


def statuses(answer, passages, **options):
    return [verdict.status for verdict in grounder().ground(answer, passages, **options).verdicts]


def test_each_claim_has_a_verdict_with_its_best_evidence():
    passages = ["Dogs bark. The port is open.", "Cats sleep all day. Dogs bark at night."]
    grounding = grounder().ground("Hello! Dogs bark at night [2]. Birds sing.", passages)
    hello, dogs, birds = grounding.verdicts
    assert (hello.status, hello.support, hello.evidence) == (Status.NOT_CHECKABLE, None, None)
    assert dogs.status is Status.SUPPORTED
    assert (dogs.evidence.passage, dogs.evidence.text) == (1, "Dogs bark at night.")
    assert (birds.status, birds.findings) == (Status.NOT_IN_EVIDENCE, ())
    assert grounding.matrix.values.shape == (3, 2)
    assert grounding.matrix.values[0].tolist() == [0, 0]
    assert grounding.matrix.best[1] == dogs.support


def test_an_answer_that_declined_has_nothing_to_carry():
    assert statuses("I don't know.", ["Dogs bark."], abstained=True) == [Status.ABSTAINED]
    assert statuses("", ["Dogs bark."], abstained=True) == []
    # told by who made the answer, not guessed from its words
    assert statuses("I don't know. Dogs bark.", ["Dogs bark."]) == [Status.NOT_CHECKABLE, Status.SUPPORTED]


@pytest.mark.parametrize("passages", [[], [""], [" \n", "!"]])
def test_without_evidence_a_claim_is_not_in_it(passages):
    (verdict,) = grounder().ground("Dogs bark.", passages).verdicts
    assert (verdict.status, verdict.support, verdict.evidence) == (Status.NOT_IN_EVIDENCE, 0.0, None)
    assert statuses("Is it so?", passages) == [Status.NOT_CHECKABLE]
    assert grounder().ground("", passages).verdicts == ()


def test_a_number_that_is_nowhere_overrides_the_scorer():
    (verdict,) = grounder(Constant(9.0)).ground("The port is 5433.", ["It listens."]).verdicts
    assert verdict.status is Status.NOT_IN_EVIDENCE
    assert verdict.support < 0.2
    assert [finding.doubt for finding in verdict.findings] == [Doubt.NUMBER]


def test_a_number_may_stand_in_another_sentence_of_the_passage():
    passage = "The server listens on a port. " + "It rains a lot in the city. " * 5 + "That is 5432."
    (verdict,) = grounder(Constant(9.0)).ground("The server listens on a port, 5432.", [passage]).verdicts
    assert verdict.status is Status.SUPPORTED


def test_a_passage_without_the_number_does_not_hide_the_one_with_it():
    passages = ["The port of the server is here. The port is open.", "5432 is the port."]
    (verdict,) = grounder(Constant(2.0)).ground("The port is 5432.", passages).verdicts
    assert (verdict.status, verdict.evidence.passage) == (Status.SUPPORTED, 1)


@pytest.mark.parametrize(
    ("answer", "passage", "doubt"),
    [
        ("The port is 5433.", "By default the port is 5432.", Doubt.NUMBER),
        ("The dose is 5 mg.", "The dose is 5 kg.", Doubt.UNIT),
        ("It opened in 1990.", "It opened in 1991.", Doubt.DATE),
        ("The port is not open.", "The port is open.", Doubt.NEGATION),
    ],
)
def test_a_close_sentence_that_says_otherwise_contradicts(answer, passage, doubt):
    (verdict,) = grounder(Constant(9.0)).ground(answer, [passage]).verdicts
    assert verdict.status is Status.CONTRADICTED
    assert verdict.evidence.text == passage
    assert [finding.doubt for finding in verdict.findings] == [doubt]


def test_a_scorer_may_see_a_contradiction():
    assert statuses("Dogs bark loudly tonight.", ["Dogs, it is denied."]) == [Status.CONTRADICTED]


def test_all_answers_are_scored_in_one_call_and_equal_pairs_once():
    scorer = WordScorer()
    cases = [
        Case("Dogs bark.", ("Dogs bark.", "Dogs bark.")),
        Case("Dogs bark. Cats sleep.", ("Dogs bark.",)),
    ]
    together = grounder(scorer).ground_all(cases)
    (call,) = scorer.calls
    assert len(call) == len(set(call)) == 2
    assert together == [grounder().ground(case.answer, case.passages) for case in cases]
    assert grounder(scorer).ground_all([]) == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30])
def test_a_scorer_that_breaks_its_word_gives_no_nan(value):
    with np.errstate(over="ignore"):
        grounding = grounder(Constant(value)).ground("Dogs bark.", ["Dogs bark."])
    (verdict,) = grounding.verdicts
    assert 0 <= verdict.support <= 1
    assert (verdict.status is Status.SUPPORTED) == (value > 0)
    assert np.isfinite(grounding.matrix.values).all()


def test_a_scorer_that_forgets_a_pair_is_refused():
    with pytest.raises(ModelError, match="constant gave 2 logits for 1 pairs"):
        grounder(Constant(1.0, count=2)).ground("Dogs bark.", ["Dogs bark."])


words = st.sampled_from(["dogs", "bark", "Ada", "5", "1990", "not", "the", "port", "is", "denied"])
lines = st.lists(words, min_size=1, max_size=6).map(lambda found: " ".join(found).capitalize() + ".")
answers = st.lists(lines, max_size=3).map(" ".join)
passages = st.lists(st.lists(lines, max_size=5).map(" ".join), max_size=4)


@given(answers, passages, st.lists(lines, max_size=3).map(" ".join), st.data())
def test_one_more_passage_never_lowers_support(answer, given_passages, more, data):
    place = data.draw(st.integers(0, len(given_passages)))
    extended = [*given_passages[:place], more, *given_passages[place:]]
    before, after = (grounder().ground(answer, texts) for texts in (given_passages, extended))
    for one, other in zip(before.verdicts, after.verdicts, strict=True):
        assert (one.support is None and other.support is None) or one.support <= other.support
        assert one.status is not Status.SUPPORTED or other.status is Status.SUPPORTED
    columns = [column for column in range(len(extended)) if column != place]
    assert np.array_equal(after.matrix.values[:, columns], before.matrix.values)


@given(answers, passages, st.data())
def test_the_order_of_passages_changes_only_their_numbers(answer, given_passages, data):
    order = data.draw(st.permutations(range(len(given_passages))))
    one = grounder().ground(answer, given_passages)
    other = grounder().ground(answer, [given_passages[place] for place in order])
    for mine, theirs in zip(one.verdicts, other.verdicts, strict=True):
        assert (mine.status, mine.support, mine.findings) == (theirs.status, theirs.support, theirs.findings)
        if mine.evidence:
            assert mine.evidence.text == theirs.evidence.text
    assert np.array_equal(other.matrix.values, one.matrix.values[:, list(order)])


@given(answers, passages)
def test_a_rerun_is_the_same_to_the_bit(answer, given_passages):
    one, other = (grounder().ground(answer, given_passages) for _ in range(2))
    assert one == other and hash(one) == hash(other)
    assert np.array_equal(one.matrix.values, other.matrix.values)


@given(st.lists(st.tuples(answers, passages), max_size=4))
def test_answers_do_not_mind_each_other(pairs):
    cases = [Case(answer, tuple(texts)) for answer, texts in pairs]
    assert grounder().ground_all(cases) == [grounder().ground(case.answer, case.passages) for case in cases]


@pytest.mark.parametrize(
    "scorer",
    [NgramOverlap(size=1, max_words=12), WordAlignment(HashEmbedder(32), max_words=12)],
    ids=lambda scorer: scorer.name,
)
@given(answer=answers)
def test_what_an_answer_copies_is_supported(scorer, answer):
    copied = f"The port is 5432. {answer}"
    verdicts = grounder(scorer).ground(copied, ["Noise.", copied]).verdicts
    assert verdicts[0].status is Status.SUPPORTED
    for verdict in verdicts:
        assert verdict.status in (Status.SUPPORTED, Status.NOT_CHECKABLE)


HOSTILE = [
    "",
    "\ud800",
    "a" * 3_000,
    "!" * 999,
    "עברית היא שפה.",
    "😀" * 50,
    "\n\t",
    "5" * 400,
    "[1]" * 50,
    "\x00",
    "港" * 999,
]


@pytest.mark.parametrize("answer", HOSTILE)
def test_odd_texts_are_judged_without_an_error(answer):
    verdicts = grounder().ground(answer, HOSTILE).verdicts
    assert verdicts or not any(map(str.isalnum, answer))
    assert all(v.support is None or 0 <= v.support <= 1 for v in verdicts)


@given(st.text(max_size=50), st.lists(st.text(max_size=50), max_size=3))
def test_any_text_is_judged(answer, texts):
    verdicts = grounder().ground(f"{answer}\n\nThe port is open.", [*texts, "A lamp."]).verdicts
    assert any(verdict.support is not None for verdict in verdicts)
    assert all(verdict.support is None or 0 <= verdict.support <= 1 for verdict in verdicts)
