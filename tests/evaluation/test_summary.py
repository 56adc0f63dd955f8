import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.confidence import AbstentionScores
from hybrid.evaluation.outcomes import Outcome, Retrieved
from hybrid.evaluation.scores import METRICS
from hybrid.evaluation.scoring import ConfidenceSummary, MetricMean, score_all, summarise
from hybrid.grounding.calibration import UNCALIBRATED
from hybrid.grounding.judging import Grounder
from hybrid.grounding.scorers.overlap import NgramOverlap
from hybrid.types import Question, Span

QUESTIONS = [
    Question("a", "?", ("5432",)),
    Question("b", "?", ("vacuum",)),
    Question("c", "?", answerable=False),
    Question("d", "?", ("hash",)),
]
DECLINED = "I don't know."
GROUNDER = Grounder(NgramOverlap(), UNCALIBRATED)


def summary(outcomes, arm="rag"):
    scores = score_all(QUESTIONS, outcomes, grounder=GROUNDER)
    return {found.arm: found for found in summarise(QUESTIONS, outcomes, scores)}[arm]


def outcome(id, answer, confidence=None, arm="rag", **fields):
    return Outcome("k", arm, id, answer, confidence=confidence, **fields)


MIXED = [
    outcome("a", "It is 5432 of course.", 0.9),
    outcome("b", "It is analyze.", 0.6),
    outcome("c", DECLINED, 0.1, abstained=True),
    outcome("d", "", error="broke"),
]


def test_counts_and_means_by_hand():
    found = summary(MIXED)
    assert (found.total, found.failed, found.declined) == (4, 1, 1)
    # a and c right, b and d wrong
    assert found.mean("correct") == MetricMean("correct", 0.5, 4, 4)
    assert found.mean("crag") == MetricMean("crag", 0.0, 4, 4)
    # c has no gold, the failure stays in
    assert found.mean("contains_gold") == MetricMean("contains_gold", pytest.approx(1 / 3), 3, 4)
    assert found.mean("numeric") == MetricMean("numeric", 1.0, 1, 4)
    assert found.mean("similarity") == MetricMean("similarity", None, 0, 4)
    assert found.abstention == AbstentionScores(0.0, 1.0, 1.0)
    # 5 and 3 words; neither the abstention nor the failure
    assert found.words == 4.0


def test_confidence_by_hand():
    found = summary(MIXED).confidence
    # ranked: a right, b wrong, the failure last; risks 0, 1/2, 2/3, which no order of theirs improves
    assert found.given == 2
    assert found.aurc == pytest.approx((0 + 1 / 2 + 2 / 3) / 3)
    assert found.excess_aurc == pytest.approx(0.0)
    assert found.brier == pytest.approx((0.1**2 + 0.6**2) / 2)
    assert found.calibration_error == pytest.approx((0.1 + 0.6) / 2)


def test_an_answer_without_a_confidence_is_ranked_last():
    found = summary([outcome("a", "5432"), outcome("b", "analyze", 0.2)]).confidence
    # the wrong one first: 1, 1/2; the best: 0, 1/2
    assert (found.aurc, found.excess_aurc) == (pytest.approx(0.75), pytest.approx(0.5))


def test_no_confidence_is_none():
    found = summary([outcome("a", "5432")])
    assert found.confidence == ConfidenceSummary(0, None, None, None, None)


def test_an_arm_that_only_failed_is_summarised():
    found = summary([outcome(question.id, "", error="broke") for question in QUESTIONS])
    assert (found.failed, found.words) == (4, None)
    assert found.mean("correct").mean == 0.0 and found.mean("crag").mean == -1.0
    assert found.abstention == AbstentionScores(0.0, 0.0, None)


def test_arms_come_in_their_order_and_do_not_mix():
    outcomes = [outcome("a", "5432", arm="z"), outcome("a", "no", arm="b"), outcome("b", "vacuum", arm="z")]
    scores = score_all(QUESTIONS, outcomes, grounder=GROUNDER)
    found = summarise(QUESTIONS, outcomes, scores)
    assert [(s.arm, s.total, s.mean("correct").mean) for s in found] == [("z", 2, 1.0), ("b", 1, 0.0)]
    assert summarise(QUESTIONS, [], []) == ()


def test_words_are_counted_without_markers():
    passage = Retrieved("a.md", Span(0, 4), "port", 1.0)
    assert summary([outcome("a", "Port 5432 [1].", passages=(passage,))]).words == 2.0


@given(
    st.lists(
        st.builds(
            outcome,
            st.sampled_from("abcd"),
            st.text(max_size=12) | st.just("5432 vacuum hash"),
            st.none() | st.floats(0, 1),
            abstained=st.booleans(),
            error=st.sampled_from(["", "broke"]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_nothing_is_nan_and_the_order_does_not_matter(outcomes):
    found, again = summary(outcomes), summary(outcomes[::-1])
    cards = {card.name: card for card in METRICS}
    for mean in found.means:
        assert mean.total == len(outcomes) and (mean.mean is None) == (mean.scored == 0)
        assert mean.mean is None or cards[mean.metric].low <= mean.mean <= cards[mean.metric].high
    for one, other in zip(figures(found), figures(again), strict=True):
        assert one is other is None or (math.isfinite(one) and one == pytest.approx(other))


def figures(found):
    values = [*dataclasses.astuple(found.confidence), *dataclasses.astuple(found.abstention), found.words]
    return [*values, *(mean.mean for mean in found.means)]
