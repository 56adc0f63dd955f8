import dataclasses
import json
import math

from hybrid.decision.values import Look
from hybrid.report import report_json
from hybrid.statistics import Interval

_KEYS = {
    "verdict", "arm", "sentence", "interim", "effects", "intervals", "costs", "currency", "gates", "reasons",
    "flips", "slices", "questions_needed", "margin_needed", "detectable", "questions", "sources", "synthetic",
    "order", "rivals", "ungated", "margin", "level", "metric", "replicates", "seed", "looks",
}  # fmt: skip


def through_json(decision):
    return json.loads(json.dumps(report_json(decision), allow_nan=False))


def test_the_object_has_the_promised_keys(decided):
    assert set(through_json(decided.decision)) == _KEYS


def test_a_decided_verdict_names_its_arm(decided):
    found = through_json(decided.decision)
    assert (found["verdict"], found["arm"], found["questions_needed"]) == ("decided", "rag", 0)


def test_an_undecided_verdict_has_no_arm_but_the_interim_one(undecided):
    found = through_json(undecided.decision)
    assert (found["verdict"], found["arm"], found["interim"]) == ("undecided", None, "rag")
    assert found["questions_needed"] == 430


def test_effects_intervals_costs_gates_and_slices_are_flat_records(decided):
    found = through_json(decided.decision)
    first = found["effects"][0]
    assert set(first) == {
        "arm", "other", "difference", "low", "high", "confidence", "claim", "p", "permutation_p", "shown",
    }  # fmt: skip
    assert (first["arm"], first["other"], first["claim"], first["shown"]) == (
        "rag",
        "both",
        "not worse",
        True,
    )
    assert set(found["intervals"][0]) == {"arm", "mean", "low", "high", "confidence"}
    assert [cost["arm"] for cost in found["costs"]] == ["base", "rag", "adapter", "both"]
    assert found["costs"][2]["money"] is None
    gate = {
        "arm": "base",
        "measure": "groundedness",
        "comparison": ">=",
        "limit": 0.8,
        "value": None,
        "passed": False,
    }
    assert gate in found["gates"]
    assert found["slices"][1]["means"] == {"base": 0.0, "rag": 0.55, "adapter": 0.61, "both": 0.73}


def test_what_is_not_finite_is_null(undecided):
    effect = dataclasses.replace(
        undecided.decision.effects[0], p=math.nan, interval=Interval(-math.inf, math.inf, 0.95)
    )
    decision = dataclasses.replace(undecided.decision, detectable=math.inf, effects=(effect,))
    found = through_json(decision)
    assert found["detectable"] is None
    assert (found["effects"][0]["p"], found["effects"][0]["low"], found["effects"][0]["high"]) == (
        None,
        None,
        None,
    )


def test_looks_of_a_sequential_decision_are_told(decided):
    decision = dataclasses.replace(decided.decision, looks=(Look(20, 80, ("base", "rag"), 0.01),))
    assert through_json(decision)["looks"] == [
        {"questions": 20, "answers": 80, "arms": ["base", "rag"], "level": 0.01}
    ]
