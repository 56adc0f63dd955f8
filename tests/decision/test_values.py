"""What is required of a decision, as it is typed."""

import numpy as np
import pytest

from hybrid.decision.values import Bound, Gate, parse_requirements, refuse_unknown
from hybrid.errors import UsageError
from hybrid.evaluation.outcomes import ArmCost


def test_gates_a_verdict_and_an_arm_are_read():
    wanted = parse_requirements(["groundedness>=0.8", " p95 <= 2e0 ", "decided", "arm=rag:k=5"])
    assert wanted.gates == (
        Gate("groundedness", Bound.AT_LEAST, 0.8),
        Gate("p95", Bound.AT_MOST, 2.0),
    )
    assert (wanted.arm, wanted.any) == ("rag:k=5", True)
    assert parse_requirements([]).any is False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "p95",
        "p95<2",
        "p95>=",
        "p95>=fast",
        ">=2",
        "p95==2",
        "p95>=1e999",
        "p95>=1.2.3",
        "arm=",
        "Decided",
        "nan>=nan",
    ],
)
def test_what_is_no_requirement_is_refused(text):
    with pytest.raises(UsageError, match="--require"):
        parse_requirements([text])


def test_two_arms_cannot_both_be_required():
    with pytest.raises(UsageError, match="arm=a and arm=b"):
        parse_requirements(["arm=a", "arm=b"])
    assert parse_requirements(["arm=a", "arm=a"]).arm == "a"


def test_what_is_unmet_is_said(make_table, rule, right):
    clear = rule(make_table({"base": right(5, of=60), "both": right(60, of=60)}))
    tie = rule(make_table({"base": np.tile([1.0, 0.0], 10), "both": np.tile([0.0, 1.0], 10)}))
    assert parse_requirements([]).unmet(tie) == []
    assert parse_requirements(["decided"]).unmet(clear) == []
    assert "undecided" in parse_requirements(["decided"]).unmet(tie)[0]
    assert "undecided" in parse_requirements(["p95<=2"]).unmet(tie)[0]
    assert parse_requirements(["arm=both"]).unmet(clear) == []
    (line,) = parse_requirements(["arm=base"]).unmet(clear)
    assert "base" in line
    assert "both" in line


def test_what_is_known_of_a_cost_is_a_measure():
    measures = ArmCost(p95=2.0, money=0.5).measures()
    assert measures == {"p95": 2.0, "money": 0.5, "training_minutes": 0.0, "training_money": 0.0}


def test_a_measure_that_nothing_takes_is_refused_with_the_nearest():
    refuse_unknown(parse_requirements(["groundedness>=0.9", "p95<=2", "money<=1"]).gates)
    with pytest.raises(UsageError, match="nothing measures 'groundednes'") as caught:
        refuse_unknown(parse_requirements(["groundednes>=0.9"]).gates)
    assert "groundedness" in caught.value.hint
