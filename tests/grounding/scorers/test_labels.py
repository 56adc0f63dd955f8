"""Which output says supported."""

import numpy as np
import pytest

from hybrid.errors import ModelError
from hybrid.grounding.scorers.labels import (
    KNOWN,
    Labels,
    Relation,
    checked_labels,
    named_labels,
    settled_labels,
)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["contradiction", "entailment", "neutral"], Labels(1, 0)),
        (["ENTAILMENT", "NEUTRAL", "CONTRADICTION"], Labels(0, 2)),
        (["SUPPORTS", "REFUTES", "NOT ENOUGH INFO"], Labels(0, 1)),
        (["entailment", "not_entailment"], Labels(0)),
        (["unsupported", "supported"], Labels(1)),
        (["hallucinated", "consistent"], Labels(1)),
        (["inconsistent", "LABEL_1"], Labels(1)),
        (["consistent", "inconsistent"], Labels(0)),
        (["LABEL_0", "HALLUCINATION"], Labels(0)),
        (["non-factual", "factual"], Labels(1)),
        (["consistency"], Labels(1)),
        (["hallucination"], Labels(0)),
        (["LABEL_0"], None),
        (["LABEL_0", "LABEL_1"], None),
        (["LABEL_0", "LABEL_1", "LABEL_2"], None),
        (["entailment", "LABEL_1", "LABEL_2"], None),
        (["no hallucination", "hallucination"], None),
        (["entailment", "support"], None),
    ],
)
def test_names_tell_what_they_tell_and_no_more(names, labels):
    assert named_labels(names) == labels


def outputs(order, strength=2.0):
    """What a good model says whose outputs are in this order; fewer relations than three are merged."""
    rows = []
    for known in KNOWN:
        wanted = (
            known.relation if known.relation in order or Relation.UNSAID not in order else Relation.UNSAID
        )
        rows.append([strength if relation is wanted else -strength for relation in order])
    return np.array(rows)


THREE = (Relation.CARRIED, Relation.UNSAID, Relation.DENIED)


def test_the_known_pairs_tell_the_labels_where_names_do_not():
    names = ["LABEL_0", "LABEL_1", "LABEL_2"]
    assert settled_labels("m", names, outputs(THREE)) == Labels(0, 2)
    assert settled_labels("m", names, outputs(THREE[::-1])) == Labels(2, 0)
    assert settled_labels("m", names[:2], outputs((Relation.UNSAID, Relation.CARRIED))) == Labels(1)
    assert settled_labels("m", names[:2], np.add(outputs(THREE[:2]), [9, 0])) == Labels(0)
    assert settled_labels("m", names[:1], outputs((Relation.CARRIED,))) == Labels(1)
    assert settled_labels("m", names[:1], -outputs((Relation.CARRIED,))) == Labels(0)


def test_names_that_lie_are_refused_with_the_numbers():
    with pytest.raises(ModelError, match=r"names mean contradiction = supported.*LABEL|names mean") as caught:
        settled_labels("nli:m", ["contradiction", "neutral", "entailment"], outputs(THREE))
    message = str(caught.value)
    assert "names mean entailment = supported and contradiction = contradicted" in message
    assert "answers mean contradiction = supported and entailment = contradicted" in message
    assert "carried contradiction=2.00 neutral=-2.00 entailment=-2.00" in message
    assert "#2,0" in caught.value.hint


def test_a_model_that_knows_nothing_is_refused():
    random = np.random.default_rng(0).standard_normal((len(KNOWN), 3))
    with pytest.raises(ModelError, match=r"does not tell what is supported, contradicted and unsaid apart"):
        settled_labels("m", ["entailment", "neutral", "contradiction"], random)
    with pytest.raises(ModelError, match="what is supported from the rest"):
        settled_labels("m", ["LABEL_0", "LABEL_1"], np.zeros((len(KNOWN), 2)))


def test_a_model_that_computes_no_number_is_refused():
    broken = outputs(THREE)
    broken[3, 1] = np.nan
    with pytest.raises(ModelError, match="not a number"):
        settled_labels("m", ["entailment", "neutral", "contradiction"], broken)


def test_a_model_of_another_kind_is_refused():
    with pytest.raises(ModelError, match=r"has 5 outputs \(1 star, .*expected one to three"):
        settled_labels("m", [f"{stars} star" for stars in range(1, 6)], np.zeros((len(KNOWN), 5)))


def test_support_is_the_log_odds_against_all_others():
    found = Labels(0, 2).logits(np.log([[0.7, 0.2, 0.1], [0.05, 0.05, 0.9]]))
    assert found.support == pytest.approx(np.log([0.7 / 0.3, 0.05 / 0.95]), abs=1e-6)
    assert found.against == pytest.approx(np.log([0.1 / 0.9, 0.9 / 0.1]), abs=1e-6)
    assert Labels(1).logits(np.log([[0.2, 0.8]])).against is None
    assert Labels(1).logits(np.array([[1.5]])).support == pytest.approx([1.5])
    assert Labels(0).logits(np.array([[1.5]])).support == pytest.approx([-1.5])


def test_what_is_no_number_stays_none_and_what_is_infinite_becomes_one():
    found = Labels(0, 2).logits(np.array([[1, np.nan, 1], [np.inf, 0, 0], [-np.inf, 0, 0]]))
    assert np.isfinite(found.support).tolist() == [False, True, True]
    assert np.isfinite(found.against).tolist() == [False, True, True]
    assert found.support[1] > 100
    assert found.support[2] < -100


@pytest.mark.parametrize("labels", [Labels(3), Labels(-1), Labels(1, 1), Labels(0, 3)])
def test_places_that_a_model_has_not_are_refused(labels):
    with pytest.raises(ModelError, match="it has a, b, c"):
        checked_labels(labels, "m", ["a", "b", "c"])
