import dataclasses

import pytest

from hybrid.decision.adopted import adopt, adopted
from hybrid.decision.values import Verdict
from hybrid.errors import UsageError


def test_a_chosen_arm_is_kept_and_an_undecided_verdict_leaves_it(tmp_path, rule, make_table, right):
    decision = rule(make_table({"base": right(20, of=100), "rag": right(90, of=100)}))
    assert adopted(tmp_path) is None
    assert adopt(tmp_path, decision, experiment="first")
    assert adopted(tmp_path) == "rag"
    undecided = dataclasses.replace(decision, arm=None, verdict=Verdict.UNDECIDED)
    assert not adopt(tmp_path, undecided, experiment="second")
    assert adopted(tmp_path) == "rag"


@pytest.mark.parametrize("text", ["", "[]", '{"arms": "rag"}', "rag"])
def test_a_file_that_names_no_arm_is_refused(tmp_path, text):
    (tmp_path / "DECISION").write_text(text)
    with pytest.raises(UsageError, match="does not name an arm"):
        adopted(tmp_path)
