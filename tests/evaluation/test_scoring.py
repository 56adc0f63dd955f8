import dataclasses
import math
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hybrid.confidence import AbstentionScores
from hybrid.errors import UsageError
from hybrid.evaluation.outcomes import Outcome, Retrieved
from hybrid.evaluation.scores import METRICS, Scores
from hybrid.evaluation.scoring import (
    ConfidenceSummary,
    MetricMean,
    automatic_slices,
    score_all,
    summarise,
    table,
)
from hybrid.grounding.calibration import UNCALIBRATED
from hybrid.grounding.judge import Grounder
from hybrid.grounding.scorers.names import NgramOverlap
from hybrid.testing import HashEmbedder
from hybrid.types import Citation, Evidence, Question, Span

PORT = "The default port of the server is 5432."
GROUNDER = Grounder(NgramOverlap(size=1, even=0.9), UNCALIBRATED)


def question(id="q", **fields):
    return Question(id, "?", **({"answers": ("5432",)} | fields))


def outcome(answer, arm="rag", id="q", passages=(), **fields):
    seen = tuple(Retrieved("a.md", Span(0, len(text)), text, 1.0) for text in passages)
    return Outcome("k", arm, id, answer, passages=seen, **fields)


def score(asked, given, **fields):
    return score_all([asked], [given], grounder=GROUNDER, **fields)[0]


class Alike(HashEmbedder):
    """Any two texts have this cosine; of texts in their order, the first lies on an axis of its own."""

    def __init__(self, cosine):
        super().__init__(2)
        self.cosine = cosine

    def embed_documents(self, texts):
        away = [self.cosine, math.sqrt(1 - self.cosine**2)]
        return np.array([[1.0, 0.0], *[away] * (len(texts) - 1)])


ABSTAINED = {"answer": "I don't know.", "abstained": True}
BROKEN = {"answer": "", "error": "out of memory"}


@pytest.mark.parametrize(
    ("asked", "given", "correct", "crag"),
    [
        (question(), {"answer": "It is port 5432."}, 1.0, 1.0),
        (question(), {"answer": "It is port 5433."}, 0.0, -1.0),
        (question(), ABSTAINED, 0.0, 0.0),
        (question(), BROKEN, 0.0, -1.0),
        (question(), {"answer": "  "}, 0.0, -1.0),
        # what failed scores as a failure, whatever else it says
        (question(), {"answer": "5432", "error": "cut off"}, 0.0, -1.0),
        (question(), {"answer": "", "abstained": True}, 0.0, -1.0),
        # an abstention does not get a gold that it happens to hold
        (question(), {"answer": "I don't know 5432.", "abstained": True}, 0.0, 0.0),
        # unanswerable
        (question(answers=(), answerable=False), ABSTAINED, 1.0, 1.0),
        (question(answers=(), answerable=False), {"answer": "It is 5432."}, 0.0, -1.0),
        (question(answers=(), answerable=False), BROKEN, 0.0, -1.0),
        # options: the label and nothing but the label
        (question(answers=("tie",), options=("tie", "loss")), {"answer": "Tie."}, 1.0, 1.0),
        (question(answers=("tie",), options=("tie", "loss")), {"answer": "tie or loss"}, 0.0, -1.0),
        # yes or no
        (question(answers=("no",)), {"answer": "Yes, there is no limit."}, 0.0, -1.0),
        (question(answers=("no",)), {"answer": "No, there is a limit."}, 1.0, 1.0),
        # numbers, with units, in other words, in a date
        (question(answers=("300 s",)), {"answer": "After five minutes."}, 1.0, 1.0),
        (question(answers=("5",)), {"answer": "Version 5.5"}, 0.0, -1.0),
        (question(answers=("2020",)), {"answer": "On 2020-05-12, with 3 others."}, 1.0, 1.0),
        # a gold beside a number is no number
        (question(answers=("port 5432", "5432/tcp")), {"answer": "On port 5432."}, 1.0, 1.0),
        # words
        (question(answers=("pg_authid",)), {"answer": "In pg_authid."}, 1.0, 1.0),
        # of three values that are offered one is right
        (question(answers=("5",)), {"answer": "5, 6 or 7"}, 1 / 3, -1 / 3),
        # declined in words of its own
        (question(), {"answer": "I could not find the port in the documents."}, 0.0, 0.0),
        (question(answers=(), answerable=False), {"answer": "I'm sorry, no information."}, 1.0, 1.0),
    ],
)
def test_correct_and_crag_by_hand(asked, given, correct, crag):
    scores = score(asked, outcome(**given))
    assert scores.correct == pytest.approx(correct)
    assert scores.crag == pytest.approx(crag)


def test_markers_are_no_part_of_an_answer():
    cited = outcome("The port [1].", passages=[PORT], citations=(Citation(1, "a.md", 0, 39, PORT),))
    scores = score(question(answers=("port",)), cited)
    assert scores.exact_match == scores.token_f1 == 1.0
    assert score(question(answers=("1",)), cited).correct == 0.0
    # but where nothing is cited, a bracket is what it is
    assert score(question(answers=("1",)), outcome("It is a[1].", arm="base")).correct == 1.0


def test_all_scores_of_a_grounded_and_cited_answer():
    asked = question(evidence=(Evidence("a.md", PORT),))
    citation = Citation(1, "a.md", 0, len(PORT), PORT)
    given = outcome(f"{PORT[:-1]} [1]. Cats bark.", passages=["Noise.", PORT], citations=(citation,))
    scores = score(asked, given, embedder=Alike(0.7))
    assert dataclasses.asdict(scores) == {
        "correct": 1.0,
        "exact_match": 0.0,
        "contains_gold": 1.0,
        "token_f1": pytest.approx(2 / 9),  # "default port of server is 5432 cats bark" has 8
        "rouge_l": pytest.approx(2 / 9),
        "numeric": 1.0,
        "similarity": pytest.approx(0.7),
        "crag": 1.0,
        "abstained": 0.0,
        "failed": 0.0,
        "groundedness": 0.5,
        "hallucinated": 1.0,
        "citation_precision": 1.0,
        "citation_recall": 0.5,
        "recall": 1.0,
        "ndcg": pytest.approx(1 / math.log2(3)),
        "reciprocal_rank": 0.5,
        "context_precision": 0.5,
        "context_utilisation": 1.0,
        "average_precision": 0.5,
        "unjudged": 0.0,
    }


def test_what_does_not_apply_is_none():
    base = score(question(answers=("x",), evidence=(Evidence("a.md", PORT),)), outcome("x", arm="base"))
    none = {field.name for field in dataclasses.fields(base) if getattr(base, field.name) is None}
    assert none == {"numeric", "similarity", "groundedness", "hallucinated", "citation_precision"} | {
        "citation_recall", "recall", "ndcg", "reciprocal_rank", "context_precision", "context_utilisation"
    } | {"average_precision", "unjudged"}  # fmt: skip
    declined = score(
        question(answers=(), answerable=False, evidence=(Evidence("a.md", PORT),)),
        outcome(**ABSTAINED, passages=[PORT]),
        embedder=Alike(0.5),
    )
    given = {
        field.name for field in dataclasses.fields(declined) if getattr(declined, field.name) is not None
    }
    assert given == {"correct", "crag", "abstained", "failed"}


@pytest.mark.parametrize("given", [ABSTAINED, BROKEN, {"answer": PORT, "error": "cut off"}])
def test_an_answer_that_is_not_shown_has_no_text_to_score(given):
    asked = question(answers=("5432",), evidence=(Evidence("a.md", PORT),))
    scores = score(asked, outcome(**given, passages=[PORT]), embedder=Alike(0.9))
    assert scores.similarity == scores.token_f1 == scores.numeric == scores.context_utilisation == 0.0
    assert scores.groundedness is None and scores.hallucinated is None and scores.citation_recall is None
    assert scores.recall == 1.0  # what was retrieved is judged all the same


@pytest.mark.parametrize(
    ("answer", "grounded"),
    [
        (PORT, 1.0),
        (f"{PORT} Cats bark.", 0.5),
        # a number that is nowhere is not supported, however alike the words are
        ("The default port of the server is 5433.", 0.0),
        # what asserts nothing is not judged
        (f"Sure! {PORT} Would you like to know more?", 1.0),
        ("Would you like to know more?", None),
        ("The passages do not say which port it is.", None),
    ],
)
def test_groundedness_by_hand(answer, grounded):
    scores = score(question(), outcome(answer, passages=["Noise.", PORT]))
    assert scores.groundedness == grounded
    assert scores.hallucinated == (None if grounded is None else float(grounded < 1))


def test_without_passages_nothing_is_grounded_but_citations_are_judged():
    citation = Citation(1, "a.md", 0, len(PORT), PORT)
    cited = score(question(), outcome(f"{PORT} [1] Cats bark [2].", citations=(citation,)))
    assert cited.groundedness is None and cited.hallucinated is None
    assert (cited.citation_recall, cited.citation_precision) == (0.5, 0.5)
    # an answer that could have cited and did not
    bare = score(question(), outcome(PORT, passages=[PORT]))
    assert (bare.citation_recall, bare.citation_precision) == (0.0, None)


def test_a_question_without_gold_is_an_error_that_names_it():
    for answers in ((), ("", " ")):
        with pytest.raises(UsageError, match=r"'q'.*no gold answer") as caught:
            score(question(answers=answers), outcome("x"))
        assert "answerable" in caught.value.hint


QUESTIONS = [
    question("a", answers=("5432",), source="one.md", evidence=(Evidence("a.md", PORT),)),
    question("b", answers=("vacuum",), slices=("name",)),
    question("c", answers=(), answerable=False, made="withheld", withheld=("a.md",)),
]


def outcomes():
    return [
        outcome("Port is 5432.", "rag", "a", [PORT]),
        outcome("", "rag", "b", error="broke"),
        outcome("I don't know.", "rag", "c", ["Noise."], abstained=True),
        outcome("It is 5433.", "base", "a"),
        outcome("Use vacuum.", "base", "b"),
        outcome("Cats.", "base", "c"),
    ]


def scored(**fields):
    return score_all(QUESTIONS, outcomes(), grounder=GROUNDER, **fields)


def lay(metric, arms=("base", "rag"), **fields):
    return table(QUESTIONS, outcomes(), scored(**fields), metric=metric, arms=arms)


def test_all_are_scored_in_their_order():
    assert [scores.correct for scores in scored()] == [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    assert all(scores.similarity is None for scores in scored())


def test_a_scorer_is_called_once_for_claims_and_once_for_citations():
    class Counted(NgramOverlap):
        calls = 0

        def score(self, pairs):
            Counted.calls += 1
            return super().score(pairs)

    cited = dataclasses.replace(outcomes()[0], citations=(Citation(1, "a.md", 0, len(PORT), PORT),))
    given = [dataclasses.replace(cited, answer=text) for text in ("Port is 5432 [1].", "Port is open [1].")]
    score_all(QUESTIONS, given, grounder=Grounder(Counted(), UNCALIBRATED))
    assert Counted.calls == 2


def test_similarity_is_scored_where_there_is_an_embedder():
    found = [scores.similarity for scores in scored(embedder=HashEmbedder(dimension=64))]
    assert found[2] is None and found[5] is None
    assert found[1] == 0.0
    assert 0.3 < found[0] < 1.0 and found[4] > 0.3


def test_an_arm_that_retrieves_and_found_nothing_scores_zero():
    asked = [
        question("a", evidence=(Evidence("a.md", PORT),)),
        question("b", evidence=(Evidence("a.md", PORT),)),
    ]
    given = [outcome("5432", "rag", "a", [PORT]), outcome("5432", "rag", "b"), outcome("5432", "base", "a")]
    assert [s.recall for s in score_all(asked, given, grounder=GROUNDER)] == [1.0, 0.0, None]


def test_an_outcome_of_another_question_set_is_an_error():
    with pytest.raises(UsageError, match=r"'rag'.*'z'"):
        score_all(QUESTIONS, [outcome("x", id="z")], grounder=GROUNDER)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        # rows a, b, c; columns base, rag; c is unanswerable and rag declines it
        ("correct", [[0, 1], [1, 0], [0, 1]]),
        ("crag", [[0, 1], [1, 0], [0, 1]]),
        ("failed", [[1, 1], [1, 0], [1, 1]]),
        ("contains_gold", [[0, 1], [1, 0], [0, 1]]),
        # no gold number: the question is left out for all arms
        ("numeric", [[0, 1], [0, 1]]),
        ("recall", [[0, 1], [0, 1]]),
        # an answer without passages shows no ground; the words of "Port is 5432" stand in the passage
        ("groundedness", [[0, 1], [0, 0], [0, 1]]),
        ("hallucinated", [[0, 1], [0, 0], [0, 1]]),
    ],
)
def test_a_table_by_hand(metric, expected):
    found = lay(metric)
    assert found.values.tolist() == expected
    assert found.metric == metric and found.arms == ("base", "rag")


def test_lower_is_better_is_turned_round_and_halves_stay_halves():
    given = [
        outcome(f"{PORT} Cats bark.", "rag", "a", [PORT]),
        outcome("Dogs bark.", "rag", "b", [PORT]),
        outcome("Dogs bark.", "rag", "c", [PORT]),
    ]
    scores = score_all(QUESTIONS, given, grounder=GROUNDER)
    lie = table(QUESTIONS, given, scores, metric="hallucinated", arms=["rag"])
    assert lie.values.tolist() == [[0], [0], [0]]
    assert table(QUESTIONS, given, scores, metric="groundedness", arms=["rag"]).values.tolist() == [
        [0.5],
        [0],
        [0],
    ]
    # an abstention from an answerable question lies in the middle of the CRAG score
    declined = [outcome(**ABSTAINED, id=q.id) for q in QUESTIONS]
    scores = score_all(QUESTIONS, declined, grounder=GROUNDER)
    crag = table(QUESTIONS, declined, scores, metric="crag", arms=["rag"])
    assert crag.values.tolist() == [[0.5], [0.5], [1.0]]


def test_an_abstention_from_an_answerable_question_shows_no_ground():
    given = [
        outcome("Port is 5432.", "rag", "a", [PORT]),
        outcome(**ABSTAINED, id="b", passages=[PORT]),
        outcome(**ABSTAINED, id="c"),
    ]
    scores = score_all(QUESTIONS, given, grounder=GROUNDER)
    assert table(QUESTIONS, given, scores, metric="groundedness", arms=["rag"]).values.tolist() == [
        [1],
        [0],
        [1],
    ]


def test_a_table_names_questions_units_and_slices():
    found = lay("correct")
    assert found.questions == ("a", "b", "c")
    assert found.sources == ("one.md", "b", "c")
    assert found.slices == (("numeric",), ("name",), ("unanswerable", "withheld", "synthetic"))


def test_columns_follow_the_arms_and_others_are_left_out():
    assert lay("correct", ("rag", "base")).values.tolist() == [[1, 0], [0, 1], [1, 0]]
    assert lay("correct", ("rag",)).values.tolist() == [[1], [0], [1]]


def test_the_order_of_outcomes_does_not_matter():
    given, scores = outcomes()[::-1], scored()[::-1]
    again = table(QUESTIONS, given, scores, metric="correct", arms=["base", "rag"])
    assert np.array_equal(again.values, lay("correct").values)


def test_a_missing_outcome_is_an_error_that_names_arm_and_question():
    with pytest.raises(UsageError, match="arm 'base' has no outcome for question 'c'"):
        table(QUESTIONS, outcomes()[:-1], scored()[:-1], metric="correct", arms=["base", "rag"])
    with pytest.raises(UsageError, match="arm 'both' has no outcome"):
        lay("correct", ("base", "both"))


def test_two_outcomes_of_one_question_are_an_error():
    given, scores = [*outcomes(), outcomes()[0]], [*scored(), scored()[0]]
    with pytest.raises(UsageError, match="arm 'rag' has two outcomes for question 'a'"):
        table(QUESTIONS, given, scores, metric="correct", arms=["rag"])


@pytest.mark.parametrize("metric", ["abstained", "nonsense", "arm"])
def test_a_metric_that_cannot_decide_is_an_error_that_names_those_that_can(metric):
    with pytest.raises(UsageError, match="decide by") as caught:
        lay(metric)
    assert "correct, " in caught.value.hint and "abstained" not in caught.value.hint


def test_a_metric_that_nobody_has_is_an_error():
    with pytest.raises(UsageError, match="no answer has the score 'similarity'"):
        lay("similarity")


@pytest.mark.parametrize("card", [c for c in METRICS if c.higher_is_better is not None], ids=lambda c: c.name)
def test_every_metric_that_can_decide_gives_a_table_without_holes(card):
    cited = dataclasses.replace(
        outcomes()[0], answer="Port is 5432 [1].", citations=(Citation(1, "a.md", 0, 39, PORT),)
    )
    given = [cited, *outcomes()[1:]]
    scores = score_all(QUESTIONS, given, grounder=GROUNDER, embedder=HashEmbedder())
    values = table(QUESTIONS, given, scores, metric=card.name, arms=["base", "rag"]).values
    assert np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1
    # on the question that rag answered right and base wrong, and on the one it declined, rag is not worse
    assert (values[[0, -1], 1] >= values[[0, -1], 0]).all()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (question(), ("numeric",)),
        (question(answers=("x",)), ()),
        (question(answers=("x",), slices=("numeric", "name", "name")), ("numeric", "name")),
        (question(answers=(), answerable=False), ("unanswerable",)),
        (question(answers=("x",), made="cloze"), ("synthetic",)),
        (question(answers=("x",), made="reviewed:cloze"), ()),
        (question(answers=("x",), withheld=("a.md",)), ("withheld",)),
    ],
)
def test_slices_that_can_be_told_from_a_question(asked, expected):
    assert automatic_slices(asked) == expected


answers = st.one_of(
    st.text(max_size=30), st.sampled_from(["5432", PORT, "Yes [1].", "It is 7 MB [2].", "[1]"])
)
gold_answers = st.lists(
    st.text(max_size=10) | st.sampled_from(["5432", "yes", PORT * 2]), min_size=1, max_size=2
)


@pytest.mark.slow
@given(
    answer=answers,
    golds=gold_answers.filter(lambda golds: any(map(str.strip, golds))),
    answerable=st.booleans(),
    abstained=st.booleans(),
    error=st.sampled_from(["", "broke"]),
    passages=st.lists(answers, max_size=3),
    embedder=st.sampled_from([None, HashEmbedder(8)]),
    options=st.sampled_from([(), ("yes", "no")]),
)
def test_scores_stay_in_the_range_of_their_card(
    answer, golds, answerable, abstained, error, passages, embedder, options
):
    asked = question(
        answers=tuple(golds) if answerable else (),
        answerable=answerable,
        options=options,
        evidence=(Evidence("a.md", PORT), Evidence("a.md", "", Span(0, 5))),
    )
    given = outcome(answer, passages=passages, abstained=abstained, error=error)
    scores = score(asked, given, embedder=embedder)
    for card in METRICS:
        value = getattr(scores, card.name)
        assert value is None or card.low <= value <= card.high
    assert scores.correct == 0.0 if scores.failed else True
    assert scores.correct <= 1 - scores.abstained if answerable else scores.correct == scores.abstained


ASKED = [
    Question("a", "?", ("5432",)),
    Question("b", "?", ("vacuum",), options=("vacuum", "analyze")),
    Question("c", "?", answerable=False),
    Question("d", "?", ("hash",)),
]
DECLINED = "I don't know."
JUDGE = Grounder(NgramOverlap(), UNCALIBRATED)


def summary(outcomes, arm="rag"):
    scores = score_all(ASKED, outcomes, grounder=JUDGE)
    return {found.arm: found for found in summarise(ASKED, outcomes, scores)}[arm]


def told(id, answer, confidence=None, arm="rag", **fields):
    return Outcome("k", arm, id, answer, confidence=confidence, **fields)


MIXED = [
    told("a", "It is 5432 of course.", 0.9),
    told("b", "It is analyze.", 0.6),
    told("c", DECLINED, 0.1, abstained=True),
    told("d", "", error="broke"),
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
    # one group of two: |.5 - .75|, of which drawing anew would make a folded normal
    gap, spread = 0.25, math.sqrt(0.25 / 2)
    folded = stats.foldnorm(gap / spread, scale=spread).mean()
    assert found.calibration_error == pytest.approx(2 * gap - folded)


def test_an_answer_without_a_confidence_is_ranked_last():
    found = summary([told("a", "5432"), told("b", "analyze", 0.2)]).confidence
    # the wrong one first: 1, 1/2; the best: 0, 1/2
    assert (found.aurc, found.excess_aurc) == (pytest.approx(0.75), pytest.approx(0.5))


def test_no_confidence_is_none():
    found = summary([told("a", "5432")])
    assert found.confidence == ConfidenceSummary(0, None, None, None, None)


def test_an_arm_that_only_failed_is_summarised():
    found = summary([told(question.id, "", error="broke") for question in ASKED])
    assert (found.failed, found.words) == (4, None)
    assert found.mean("correct").mean == 0.0 and found.mean("crag").mean == -1.0
    assert found.abstention == AbstentionScores(0.0, 0.0, None)


def test_arms_come_in_their_order_and_do_not_mix():
    outcomes = [told("a", "5432", arm="z"), told("a", "no", arm="b"), told("b", "vacuum", arm="z")]
    scores = score_all(ASKED, outcomes, grounder=JUDGE)
    found = summarise(ASKED, outcomes, scores)
    assert [(s.arm, s.total, s.mean("correct").mean) for s in found] == [("z", 2, 1.0), ("b", 1, 0.0)]
    assert summarise(ASKED, [], []) == ()


def test_words_are_counted_without_markers():
    passage = Retrieved("a.md", Span(0, 4), "port", 1.0)
    assert summary([told("a", "Port 5432 [1].", passages=(passage,))]).words == 2.0


@pytest.mark.slow
@given(
    st.lists(
        st.builds(
            told,
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
    assert {mean.metric for mean in found.means} <= set(cards) and found.means
    for mean in found.means:
        assert mean.total == len(outcomes) and (mean.mean is None) == (mean.scored == 0)
        assert mean.mean is None or cards[mean.metric].low <= mean.mean <= cards[mean.metric].high
    for one, other in zip(figures(found), figures(again), strict=True):
        assert one is other is None or (math.isfinite(one) and one == pytest.approx(other))


def figures(found):
    values = [*dataclasses.astuple(found.confidence), *dataclasses.astuple(found.abstention), found.words]
    return [*values, *(mean.mean for mean in found.means)]


def test_every_score_has_a_card_and_every_card_a_score():
    assert [card.name for card in METRICS] == [field.name for field in fields(Scores)]


def test_a_card_says_range_direction_definition_and_source():
    for card in METRICS:
        assert card.low < card.high
        assert card.definition.endswith(".") and card.source
    lower = {card.name for card in METRICS if card.higher_is_better is False}
    assert lower == {"failed", "hallucinated", "unjudged"}
    assert [card.name for card in METRICS if card.higher_is_better is None] == ["abstained"]
