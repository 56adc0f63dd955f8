import pytest

from hybrid.errors import UsageError
from hybrid.grounding.judge import (
    Candidate,
    Judged,
    Thresholds,
    decide,
    hallucinated,
    share_supported,
)
from hybrid.grounding.values import Claim, ClaimVerdict, Doubt, Excerpt, Finding, Status
from hybrid.types import Span

CLAIM = Claim("The port is 5432.", Span(0, 17))


def judged(support, text="The port is 5432.", *, passage=0, logit=0.0, opposed=False):
    return Judged(Candidate(Excerpt(passage, (Span(0, len(text)),), text)), support, logit, opposed)


def found(doubt):
    return Finding(doubt, Span(0, 1), "x")


def verdicts(*supports):
    statuses = [Status.SUPPORTED if s >= 0.5 else Status.NOT_IN_EVIDENCE for s in supports]
    return [ClaimVerdict(CLAIM, status, support) for status, support in zip(statuses, supports, strict=True)]


def test_the_best_candidate_decides():
    verdict = decide(CLAIM, [judged(0.3, "a"), judged(0.8, "b", passage=1), judged(0.1, "c")], Thresholds())
    assert (verdict.status, verdict.support, verdict.evidence.passage) == (Status.SUPPORTED, 0.8, 1)


def test_support_at_the_threshold_is_enough():
    assert decide(CLAIM, [judged(0.5)], Thresholds()).status is Status.SUPPORTED
    assert decide(CLAIM, [judged(0.5)], Thresholds(supported=0.51)).status is Status.NOT_IN_EVIDENCE


def test_without_candidates_it_is_not_in_evidence():
    assert decide(CLAIM, [], Thresholds()) == ClaimVerdict(CLAIM, Status.NOT_IN_EVIDENCE, 0.0)


def test_of_equals_the_shorter_text_is_shown_wherever_it_stands():
    one, other = judged(0.8, "long text", passage=0), judged(0.8, "text", passage=1)
    assert decide(CLAIM, [one, other], Thresholds()).evidence.text == "text"
    assert decide(CLAIM, [other, one], Thresholds()).evidence.text == "text"


def test_a_sentence_is_shown_instead_of_its_passage_if_it_carries_the_claim_about_as_well():
    passage, sentence = (
        judged(0.9, "It listens. The port is 5432. It waits."),
        judged(0.85, "The port is 5432."),
    )
    verdict = decide(CLAIM, [passage, sentence], Thresholds())
    assert (verdict.support, verdict.evidence.text) == (0.9, "The port is 5432.")
    assert decide(CLAIM, [passage, judged(0.7, "The port.")], Thresholds()).evidence.text.startswith(
        "It listens"
    )
    # what is below the threshold carries nothing
    strict = Thresholds(supported=0.88)
    assert decide(CLAIM, [passage, sentence], strict).evidence.text.startswith("It listens")


def test_a_scorer_that_sees_the_opposite_makes_a_contradiction_unless_it_is_supported():
    assert decide(CLAIM, [judged(0.2, opposed=True)], Thresholds()).status is Status.CONTRADICTED
    assert decide(CLAIM, [judged(0.9, opposed=True)], Thresholds()).status is Status.SUPPORTED


def test_another_number_in_a_close_sentence_is_a_contradiction_even_if_it_is_not_the_best():
    near, far = judged(0.1, "By default the port is 5433."), judged(0.2, "Dogs bark 5432 times.", passage=1)
    verdict = decide(CLAIM, [near, far], Thresholds())
    assert verdict.status is Status.CONTRADICTED
    assert verdict.evidence.text == "By default the port is 5433."
    assert [finding.doubt for finding in verdict.findings] == [Doubt.NUMBER]
    assert verdict.support == 0.2


def test_a_doubt_leaves_little_and_a_missing_name_less():
    evidence = Excerpt(0, (Span(0, 1),), "x")
    rules = Thresholds(doubted=0.1, unnamed=0.25)
    assert Candidate(evidence).lessened(0.8, rules) == 0.8
    assert Candidate(evidence, (found(Doubt.NUMBER),)).lessened(0.8, rules) == pytest.approx(0.08)
    assert Candidate(evidence, (), (found(Doubt.NEGATION),)).lessened(0.8, rules) == pytest.approx(0.08)
    # odds of 4 to 1 become 1 to 1
    assert Candidate(evidence, (found(Doubt.NAME),)).lessened(0.8, rules) == pytest.approx(0.5)
    assert Candidate(evidence, (found(Doubt.NAME),)).lessened(0.0, rules) == 0.0
    assert Candidate(evidence, (found(Doubt.NAME),)).lessened(1.0, Thresholds(unnamed=0)) == 0.0


@pytest.mark.parametrize("wrong", [{"supported": 0.1}, {"supported": 1.1}, {"close": -1}, {"doubted": 0.5}])
def test_thresholds_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError, match="thresholds"):
        Thresholds(**wrong)


def test_figures_of_an_answer_by_hand():
    two = verdicts(0.9, 0.2)
    assert share_supported(two) == 0.5
    assert hallucinated(two) == 1.0 and hallucinated(two[:1]) == 0.0


def test_what_was_not_judged_counts_nowhere():
    others = [ClaimVerdict(CLAIM, Status.NOT_CHECKABLE), ClaimVerdict(CLAIM, Status.ABSTAINED)]
    assert share_supported(others) is None and hallucinated(others) is None
    assert share_supported([*others, *verdicts(0.9)]) == 1.0
