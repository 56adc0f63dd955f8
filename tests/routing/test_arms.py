"""Arm routing: features, the gate, and a router that pays where the arm can be told and nowhere else."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.decision.values import Policy
from hybrid.errors import UsageError
from hybrid.evaluation.scores import ScoreTable
from hybrid.routing.arms import (
    INDEX_FEATURES,
    QUESTION_FEATURES,
    ArmLearner,
    ArmLogit,
    arm_features,
    fit_arm_router,
)
from hybrid.testing import HashEmbedder

_EMBEDDER = HashEmbedder(64)
_POLICY = Policy(replicates=500)


def fitted(texts, scores, *, arms=("rag", "adapter"), sources=None, learners=tuple(ArmLearner), order=None):
    """Fit a router to questions without an index; every question its own source unless said otherwise."""
    places = list(range(len(texts))) if order is None else order
    texts, scores = [texts[place] for place in places], np.array(scores, dtype=float)[places]
    sources = tuple(f"s{place}" if sources is None else sources[place] for place in places)
    table = ScoreTable("correct", arms, tuple(f"q{place}" for place in places), sources, scores)
    vectors = _EMBEDDER.embed_queries(texts)
    features = np.array(
        [arm_features(text, vector, None) for text, vector in zip(texts, vectors, strict=True)]
    )
    return fit_arm_router(
        table, texts, vectors, features, retrieving={"rag"}, policy=_POLICY, learners=learners
    )


def asked(number, *, weights):
    if weights:
        return f"How heavy is the pump with the number {number}?"
    return f"May the tenant transfer the contract of clause {number}?"


def told_apart(count, *, high=0.9, low=0.1, seed=0):
    """Half of the questions are answered by passages only, the other half by the adapter only."""
    generator = np.random.default_rng(seed)
    kinds = [number % 2 == 0 for number in range(count)]
    scores = [
        [
            float(generator.random() < (high if kind else low)),
            float(generator.random() < (low if kind else high)),
        ]
        for kind in kinds
    ]
    return [asked(number, weights=kind) for number, kind in enumerate(kinds)], scores


def route(router, text):
    (vector,) = _EMBEDDER.embed_queries([text])
    return router.route(arm_features(text, vector, None), vector)


@pytest.mark.slow
@pytest.mark.parametrize("learner", ArmLearner)
def test_where_the_arm_can_be_told_the_router_ships(learner):
    router = fitted(*told_apart(80), learners=[learner])
    routing = router.card.routing
    assert routing.learner is learner
    assert routing.shipped and routing.gain.low > 0.2
    assert routing.gain.value <= routing.ceiling.value
    assert 0.35 < routing.retrieval < 0.65
    assert "so each question has its arm" in routing.sentence
    assert route(router, asked(999, weights=True)).arm == "rag"
    assert route(router, asked(999, weights=False)).arm == "adapter"


@pytest.mark.slow
def test_where_it_cannot_the_decided_arm_stays_and_the_ceiling_is_told():
    generator = np.random.default_rng(5)
    texts, _ = told_apart(80)
    scores = (generator.random((80, 2)) < [0.7, 0.5]).astype(float)
    routing = fitted(texts, scores).card.routing
    assert not routing.shipped
    assert routing.single == "rag" and routing.ceiling.value > 0.05
    assert "so the arm that was decided on answers all; a perfect choice would gain +" in routing.sentence
    assert "% of the questions went to an arm that retrieves" in routing.sentence


@pytest.mark.slow
def test_few_wrong_routers_ship_where_no_question_is_told_apart():
    shipped = 0
    for seed in range(20):
        generator = np.random.default_rng(seed)
        texts, _ = told_apart(40)
        shipped += fitted(texts, (generator.random((40, 2)) < [0.7, 0.5]).astype(float)).card.routing.shipped
    assert shipped <= 3


@pytest.mark.slow
def test_the_reliability_table_holds_all_questions():
    routing = fitted(*told_apart(80)).card.routing
    assert sum(one.items for one in routing.reliability) == 3 * routing.questions == 240
    assert all(0 <= one.confidence <= 1 and 0 <= one.score <= 1 for one in routing.reliability)
    assert 0 <= routing.error < 0.3


@pytest.mark.slow
def test_the_order_of_the_questions_changes_nothing():
    texts, scores = told_apart(40)
    one = fitted(texts, scores)
    other = fitted(texts, scores, order=list(np.random.default_rng(1).permutation(40)))
    assert other.card == one.card
    assert np.array_equal(other.vectors, one.vectors) and np.array_equal(other.scores, one.scores)
    for part in dataclasses.fields(ArmLogit):
        assert np.array_equal(getattr(other.logit, part.name), getattr(one.logit, part.name))


@pytest.mark.slow
def test_another_score_is_other_data():
    texts, scores = told_apart(40)
    one = fitted(texts, scores, learners=[ArmLearner.NEAREST])
    scores[7] = [0.5, 0.5]
    assert fitted(texts, scores, learners=[ArmLearner.NEAREST]).card.data != one.card.data


@pytest.mark.slow
def test_questions_of_one_source_tell_nothing_of_each_other():
    # within a source the arm is always the same, between them it is drawn: nothing to learn for a new source
    generator = np.random.default_rng(2)
    sources, texts, scores = [], [], []
    for source in range(20):
        best = int(generator.integers(2))
        for number in range(6):
            sources.append(f"s{source}")
            texts.append(f"What is said of the machine {source} in part {number}?")
            scores.append([float(best == 0), float(best == 1)])
    for learner in ArmLearner:
        assert not fitted(texts, scores, sources=sources, learners=[learner]).card.routing.shipped


@pytest.mark.slow
@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1), st.booleans()), min_size=12, max_size=30
    ),
    st.text(min_size=1),
)
def test_no_arm_is_chosen_that_was_not_fitted(rows, text):
    texts = [
        f"question {number} about {'tea' if tea else 'pumps'}" for number, (_, _, tea) in enumerate(rows)
    ]
    router = fitted(texts, [[one, other] for one, other, _ in rows])
    found = route(router, text)
    assert found.arm in router.card.arms
    assert sorted(one.arm for one in found.chances) == sorted(router.card.arms)
    expected = [one.expected for one in found.chances]
    assert expected == sorted(expected, reverse=True) and all(0 <= one <= 1 for one in expected)
    assert found.chances[0].arm == found.arm


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("How many pumps are there?", "asks how many"),
        ("In which year was it built?", "asks when"),
        ("Who wrote it?", "asks who"),
        ("Where is it kept?", "asks where"),
        ("Why does it stop?", "asks why"),
        ("how do I start it", "asks how"),
        ("Which file is read?", "asks what"),
        ("Is it allowed?", "asks yes or no"),
        ("Name the port.", None),
    ],
)
def test_a_question_is_of_one_kind(text, kind):
    (vector,) = _EMBEDDER.embed_queries([text])
    found = dict(zip(QUESTION_FEATURES, arm_features(text, vector, None), strict=True))
    assert [name for name in QUESTION_FEATURES[1:] if found[name]] == ([kind] if kind else [])


@pytest.mark.slow
def test_an_index_tells_how_near_the_passages_are(retriever_over):
    retriever = retriever_over({"port.md": "The default port is 5432.", "tea.md": "Tea is green."})

    def known(text, among=None):
        (vector,) = retriever.embedder.embed_queries([text])
        found = arm_features(text, vector, retriever.index, among)
        return dict(zip((*QUESTION_FEATURES, *INDEX_FEATURES), found, strict=True))

    near, far = known("What is the default port?"), known("Qux zyx?")
    assert near["best cosine"] > far["best cosine"]
    assert near["overlap with a passage"] == 1.0 and far["overlap with a passage"] == 0.0
    assert near["best words"] > 0 == far["best words"]
    assert far["share of unknown words"] == 1.0 and near["share of unknown words"] < 1
    (tea,) = retriever.index.positions_where({"source": "tea.md"})
    assert known("What is the default port?", [tea])["overlap with a passage"] == 0.0
    assert known("?!")["length"] == 0.0


def test_what_cannot_be_fitted_says_why():
    with pytest.raises(UsageError, match="a decision needs two arms or more"):
        fitted(["a"] * 12, [[1.0]] * 12, arms=("rag",))
    with pytest.raises(UsageError, match="questions of 9 sources, expected 10 or more"):
        fitted(["a"] * 12, [[1.0, 0.0]] * 12, sources=[f"s{number % 9}" for number in range(12)])
