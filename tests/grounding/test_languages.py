from hybrid.grounding.calibration import UNCALIBRATED
from hybrid.grounding.judge import Grounder, hallucinated, share_supported
from hybrid.grounding.scorers.baselines import NgramOverlap
from hybrid.grounding.values import Status

GERMAN = "Der Server lauscht auf dem Port 5433 und nicht auf einem anderen."


def test_a_foreign_claim_has_no_number_and_counts_nowhere():
    grounder = Grounder(NgramOverlap(), UNCALIBRATED)
    passages = [GERMAN, "The port is 5432."]
    foreign, english = grounder.ground(f"{GERMAN} The port is 5432.", passages).verdicts
    assert (foreign.status, foreign.support, foreign.evidence) == (Status.UNSUPPORTED_LANGUAGE, None, None)
    assert english.status is Status.SUPPORTED
    assert (share_supported([foreign, english]), hallucinated([foreign, english])) == (1, 0)
    assert (share_supported([foreign]), hallucinated([foreign])) == (None, None)


def test_a_judge_may_know_more_languages_or_all():
    for languages in (frozenset({"en", "de"}), None):
        grounder = Grounder(NgramOverlap(), UNCALIBRATED, languages=languages)
        assert [verdict.status for verdict in grounder.ground(GERMAN, [GERMAN]).verdicts] == [
            Status.SUPPORTED
        ]
