import json

import pytest

from hybrid.grounding.measure import Dimension, evaluate
from hybrid.grounding.metrics import WORD_OVERLAP
from hybrid.grounding.service import (
    HEADER,
    by_part,
    document,
    overview,
    told,
)

FIGURES = (
    "auroc", "low", "high", "n", "balanced_accuracy", "average_precision", "f1", "brier", "ece", "ece_null",
)  # fmt: skip


@pytest.fixture
def sets(labelled, scored):
    found = []
    for seed, name in enumerate(("first", "se|cond")):
        claims = labelled(120)
        scores = [scored(claims, "good|one", 2.0, seed=seed), scored(claims, "bad", 0.0, seed=seed + 5)]
        found.append(evaluate(claims, scores, name=name, replicates=60, seed=seed))
    return found


@pytest.mark.slow
def test_json_has_an_object_for_each_scorer_and_no_nan(sets):
    values = json.loads(json.dumps(document(sets[:1]), allow_nan=False))
    assert list(values["scorers"]) == ["good|one", "bad"]
    assert next(iter(values["floors"])) == WORD_OVERLAP
    for found in [*values["scorers"].values(), *values["floors"].values()]:
        assert set(FIGURES) <= found.keys()
        assert {"pairs_per_second", "megabytes", "tasks", "domains", "contrasts", "kinds"} <= found.keys()
        for part in [*found["tasks"].values(), *found["kinds"].values()]:
            assert set(FIGURES) <= part.keys()
    good = values["scorers"]["good|one"]
    assert good["low"] < good["auroc"] < good["high"]
    assert good["gain"]["value"] == pytest.approx(good["auroc"] - values["floors"][WORD_OVERLAP]["auroc"])
    assert good["fitted_on"] == "other sources of the same data"


@pytest.mark.slow
def test_word_overlap_is_the_first_row(sets):
    rows = overview(sets[0])
    assert rows[0][0] == f"{WORD_OVERLAP} (floor)" and rows[-2][0] == "good|one"
    assert all(len(row) == len(HEADER) for row in rows)
    assert rows[0][HEADER.index("gain")] == "-"
    assert rows[-2][HEADER.index("gain")].startswith("+0.")


@pytest.mark.slow
def test_parts_are_shown_beside_word_overlap(sets):
    header, law, news = by_part(sets[0], Dimension.DOMAIN)
    assert header == ("domain", "n", "supported", f"{WORD_OVERLAP} (floor)", "good|one", "bad")
    assert (law[0], news[0]) == ("law", "news")
    assert float(law[4]) > float(law[3]) and float(news[4]) > float(news[3])
    assert len(by_part(sets[0], Dimension.KIND)) == 3


def test_one_part_is_not_shown(labelled, scored, without_labels):
    claims = without_labels(labelled(60))
    found = evaluate(claims, [scored(claims, "good", 1.0)], replicates=60)
    assert all(by_part(found, dimension) == [] for dimension in Dimension)


@pytest.mark.slow
def test_what_was_measured_on_is_told(sets):
    how = "calibration and threshold from other sources of the same data"
    assert told(sets[0]) == f"120 claims of 40 sources, 67% supported; {how}"


@pytest.mark.slow
def test_several_sets_stand_side_by_side(sets):
    values = json.loads(json.dumps(document(sets), allow_nan=False))
    assert [each["data"] for each in values["sets"]] == ["first", "se|cond"]
