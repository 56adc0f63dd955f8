import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.config import load_settings
from hybrid.errors import ModelError, UsageError
from hybrid.grounding import judge
from hybrid.grounding.calibration import (
    UNCALIBRATED,
    Calibration,
    CurveKind,
    card_file,
    card_path,
    read_fitted,
)
from hybrid.grounding.examples import Label, LabelledClaim
from hybrid.grounding.judge import (
    Case,
    CheckedEvidence,
    Grounder,
    ScoredEvidence,
    decide,
    fitted_for,
    load_grounder,
)
from hybrid.grounding.metrics import ScorerLogits
from hybrid.grounding.scorers.names import NgramOverlap, WordAlignment
from hybrid.grounding.service import write_card
from hybrid.grounding.values import (
    DEFAULT_THRESHOLDS,
    Claim,
    ClaimVerdict,
    Doubt,
    DoubtedSpan,
    Excerpt,
    Logits,
    Status,
    Thresholds,
    hallucinated,
    share_supported,
    share_unjudged,
)
from hybrid.testing import HashEmbedder
from hybrid.types import Span

CLAIM = Claim("The port is 5432.", Span(0, 17))
SETTINGS = load_settings({"grounding": {"scorer": "overlap"}}, environment={})
GERMAN = "Der Server lauscht auf dem Port 5433 und nicht auf einem anderen."


@dataclass
class WordScorer:
    """Supports by the share of the claim's words, opposes where "denied" stands in the evidence."""

    name: str = "words"
    max_words: int = 12
    calls: list = field(default_factory=list)

    def score(self, pairs):
        self.calls.append(list(pairs))
        return Logits(
            np.array([4 * self.share(pair) - 2 for pair in pairs], dtype=np.float32),
            np.array([1.0 if "denied" in pair.evidence else -1.0 for pair in pairs], dtype=np.float32),
        )

    def share(self, pair):
        said = pair.claim.lower().replace(".", "").split()
        there = pair.evidence.lower().replace(".", "").split()
        return sum(word in there for word in said) / max(len(said), 1)


@dataclass
class Constant:
    """Says the same of every pair."""

    value: float
    count: int = 1
    name: str = "constant"
    max_words: int = 12

    def score(self, pairs):
        return Logits(np.full(len(pairs) * self.count, self.value, dtype=np.float32))


def grounder(scorer=None):
    return Grounder(scorer or WordScorer(), UNCALIBRATED)


def statuses(answer, passages, **options):
    return [verdict.status for verdict in grounder().ground(answer, passages, **options).verdicts]


def test_each_claim_has_a_verdict_with_its_best_evidence():
    passages = ["Dogs bark. The port is open.", "Cats sleep all day. Dogs bark at night."]
    grounding = grounder().ground("Hello! Dogs bark at night [2]. Birds sing.", passages)
    hello, dogs, birds = grounding.verdicts
    assert (hello.status, hello.support, hello.evidence) == (Status.NOT_CHECKABLE, None, None)
    assert dogs.status is Status.SUPPORTED
    assert (dogs.evidence.passage, dogs.evidence.text) == (1, "Dogs bark at night.")
    assert (birds.status, birds.findings) == (Status.NOT_IN_EVIDENCE, ())


@pytest.mark.parametrize("passages", [[], [""], [" \n", "!"]])
def test_without_evidence_a_claim_is_not_in_it(passages):
    (verdict,) = grounder().ground("Dogs bark.", passages).verdicts
    assert (verdict.status, verdict.support, verdict.evidence) == (Status.NOT_IN_EVIDENCE, 0.0, None)
    assert statuses("Is it so?", passages) == [Status.NOT_CHECKABLE]
    assert grounder().ground("", passages).verdicts == ()


def test_a_number_that_is_nowhere_overrides_the_scorer():
    (verdict,) = grounder(Constant(9.0)).ground("The port is 5433.", ["It listens."]).verdicts
    assert verdict.status is Status.NOT_IN_EVIDENCE
    assert verdict.support < 0.2
    assert [finding.doubt for finding in verdict.findings] == [Doubt.NUMBER]


def test_a_number_may_stand_in_another_sentence_of_the_passage():
    passage = "The server listens on a port. " + "It rains a lot in the city. " * 5 + "That is 5432."
    (verdict,) = grounder(Constant(9.0)).ground("The server listens on a port, 5432.", [passage]).verdicts
    assert verdict.status is Status.SUPPORTED


def test_a_passage_without_the_number_does_not_hide_the_one_with_it():
    passages = ["The port of the server is here. The port is open.", "5432 is the port."]
    (verdict,) = grounder(Constant(2.0)).ground("The port is 5432.", passages).verdicts
    assert (verdict.status, verdict.evidence.passage) == (Status.SUPPORTED, 1)


@pytest.mark.parametrize(
    ("answer", "passage", "doubt"),
    [
        ("The port is 5433.", "By default the port is 5432.", Doubt.NUMBER),
        ("The dose is 5 mg.", "The dose is 5 kg.", Doubt.UNIT),
        ("The port is not open.", "The port is open.", Doubt.NEGATION),
    ],
)
def test_a_close_sentence_that_says_otherwise_contradicts(answer, passage, doubt):
    (verdict,) = grounder(Constant(9.0)).ground(answer, [passage]).verdicts
    assert verdict.status is Status.CONTRADICTED
    assert verdict.evidence.text == passage
    assert [finding.doubt for finding in verdict.findings] == [doubt]


def test_another_date_is_told_and_is_no_contradiction():
    (verdict,) = grounder(Constant(9.0)).ground("It opened in 1990.", ["It opened in 1991."]).verdicts
    assert (verdict.status, [one.doubt for one in verdict.findings]) == (Status.NOT_IN_EVIDENCE, [Doubt.DATE])


def test_a_scorer_may_see_a_contradiction():
    assert statuses("Dogs bark loudly tonight.", ["Dogs, it is denied."]) == [Status.CONTRADICTED]


def test_all_answers_are_scored_in_one_call_and_equal_pairs_once():
    scorer = WordScorer()
    cases = [
        Case("Dogs bark.", ("Dogs, we hear, bark.", "Dogs, we hear, bark.")),
        Case("Dogs bark. Cats sleep.", ("Dogs, we hear, bark.",)),
    ]
    together = grounder(scorer).ground_all(cases)
    (call,) = scorer.calls
    assert len(call) == len(set(call)) == 2
    assert together == [grounder().ground(case.answer, case.passages) for case in cases]
    assert grounder(scorer).ground_all([]) == []


def test_a_scorer_that_says_no_number_rejects_no_verbatim_sentence():
    with np.errstate(over="ignore"):
        grounding = grounder(Constant(math.nan)).ground("Dogs bark.", ["Dogs, they say, bark."])
        (copied,) = grounder(Constant(math.nan)).ground("Dogs bark.", ["Dogs bark."]).verdicts
    assert (copied.status, copied.support) == (Status.SUPPORTED, 1.0)
    (verdict,) = grounding.verdicts
    assert (verdict.status, verdict.support, verdict.evidence) == (Status.NOT_JUDGED, None, None)
    assert (share_supported([verdict]), hallucinated([verdict]), share_unjudged([verdict])) == (None, None, 1)


@pytest.mark.parametrize(
    ("passage", "support"),
    [
        ("Cats sleep. Dogs bark at night.", 1.0),
        ("In the city, dogs bark at night; cats sleep.", 1.0),
        ("If it rains, dogs bark at night.", 0.0),
        ("Few dogs bark at night.", 0.0),
        ("It is not true that dogs bark at night.", 0.0),
        ("Dogs bark at night. That is a lie.", 0.0),
    ],
)
def test_what_stands_there_word_by_word_is_carried_unless_something_hangs_over_it(passage, support):
    (verdict,) = grounder(Constant(-9.0)).ground("Dogs bark at night.", [passage]).verdicts
    assert verdict.support == pytest.approx(support, abs=0.001)


def test_two_passages_carry_together_what_neither_does_alone():
    one, other = "Anna Berg designed the tower in Linz.", "The tower has 80 floors."
    claim = "Anna Berg designed the tower of 80 floors."
    alone = grounder().ground(claim, [one]).verdicts[0]
    for passages in ([one, other], [other, one], [other, "Dogs bark.", one]):
        grounding = grounder().ground(claim, passages)
        (verdict,) = grounding.verdicts
        assert alone.status is not Status.SUPPORTED and verdict.status is Status.SUPPORTED
        assert {verdict.evidence.passage, verdict.evidence.beside.passage} == {
            passages.index(one),
            passages.index(other),
        }


@pytest.mark.parametrize("denial", ["n\u200bot", "n\u043et", "\uff4eot", "n\u0336ot", "\u0274\u1d0f\u1d1b"])
def test_letters_are_read_as_they_look(denial):
    (verdict,) = grounder(Constant(9.0)).ground(f"The port is {denial} open.", ["The port is open."]).verdicts
    assert verdict.status is Status.CONTRADICTED
    for finding in verdict.findings:
        assert verdict.claim.text[finding.span.start : finding.span.end] == finding.text


@pytest.mark.parametrize(
    ("claim", "word"),
    [
        ("The p\u043ert is open.", "p\u043ert"),
        ("The port is \ua4e0ot open.", "\ua4e0ot"),  # a letter whose shape is in no list
        ("The port is n.o.t open.", "n.o.t"),
        ("The port is N0T open.", "N0T"),
        ("The port 54\u04172 is open.", "\u0417"),
        ("The port is open\u202e.", "The port is open\u202e."),
    ],
)
def test_a_word_that_hides_what_it_says_is_found(claim, word):
    (verdict,) = grounder(Constant(9.0)).ground(claim, ["The port is open. Port 5432."]).verdicts
    assert (Doubt.LETTERS, word) in [(one.doubt, one.text) for one in verdict.findings]
    assert verdict.status is not Status.SUPPORTED


@pytest.mark.parametrize(
    "word",
    [
        "PDF\u0574",
        "PDF\u092e\u0947\u0902",
        "\u0627\u0644\u0640API",
        "COVID\u10d8\u10d7",
        "email\u10d8\u10d7",
    ],
)
def test_an_ending_or_an_article_that_is_joined_to_a_latin_word_hides_nothing(word):
    (verdict,) = grounder(Constant(9.0)).ground(f"The {word} is open.", [f"The {word} is open."]).verdicts
    assert Doubt.LETTERS not in [one.doubt for one in verdict.findings]


def test_signs_of_science_and_scripts_without_blanks_hide_nothing():
    claim = "TGFβ falls to 5 µg in Müller’s API를, 1ª."
    assert grounder(Constant(9.0)).ground(claim, [claim]).verdicts[0].status is Status.SUPPORTED


def test_what_one_passage_carries_is_supported_whatever_becomes_of_the_others():
    class Halting(Constant):
        def score(self, pairs):
            said = [math.nan if "Cats" in pair.evidence else 9.0 for pair in pairs]
            return Logits(np.array(said, dtype=np.float32))

    with np.errstate(over="ignore"):
        judged = grounder(Halting(0.0)).ground("Dogs bark.", ["Cats and dogs bark.", "Dogs bark."])
    assert [verdict.status for verdict in judged.verdicts] == [Status.SUPPORTED]


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e30])
def test_a_scorer_that_breaks_its_word_gives_no_nan(value):
    with np.errstate(over="ignore"):
        grounding = grounder(Constant(value)).ground("Dogs bark.", ["Dogs, they say, bark."])
    (verdict,) = grounding.verdicts
    assert 0 <= verdict.support <= 1
    assert (verdict.status is Status.SUPPORTED) == (value > 0)


def test_a_scorer_that_forgets_a_pair_is_refused():
    with pytest.raises(ModelError, match="constant gave 2 logits for 1 pairs"):
        grounder(Constant(1.0, count=2)).ground("Dogs bark.", ["Dogs, they say, bark."])


def test_no_scorer_is_asked_about_what_stands_there_word_by_word():
    scorer = WordScorer()
    verbatim, other = (
        grounder(scorer).ground("Dogs bark. Cats sleep.", ["Dogs bark.", "Cats, too, sleep."]).verdicts
    )
    assert {pair.claim for call in scorer.calls for pair in call} == {"Cats sleep."}
    assert (verbatim.status, verbatim.support) == (Status.SUPPORTED, 1.0)
    assert verbatim.support >= other.support
    strict = replace(grounder(scorer), thresholds=Thresholds(supported=0.999))
    assert strict.ground("Dogs bark.", ["Dogs bark."]).verdicts[0].status is Status.SUPPORTED


def test_a_denied_copy_is_not_taken_at_its_word():
    scorer = WordScorer()
    (verdict,) = grounder(scorer).ground("Dogs bark.", ["It is false that dogs bark."]).verdicts
    assert scorer.calls and verdict.status is not Status.SUPPORTED


words = st.sampled_from(["dogs", "bark", "Ada", "5", "1990", "not", "the", "port", "is", "denied"])
lines = st.lists(words, min_size=1, max_size=6).map(lambda found: " ".join(found).capitalize() + ".")
answers = st.lists(lines, max_size=3).map(" ".join)
passages = st.lists(st.lists(lines, max_size=5).map(" ".join), max_size=4)


@pytest.mark.slow
@given(answers, passages, st.lists(lines, max_size=3).map(" ".join), st.data())
def test_one_more_passage_never_lowers_support(answer, given_passages, more, data):
    place = data.draw(st.integers(0, len(given_passages)))
    extended = [*given_passages[:place], more, *given_passages[place:]]
    before, after = (grounder().ground(answer, texts) for texts in (given_passages, extended))
    assert [one.claim for one in before.verdicts] == [one.claim for one in after.verdicts]
    for one, other in zip(before.verdicts, after.verdicts, strict=True):
        assert (one.support is None and other.support is None) or one.support <= other.support
        assert one.status is not Status.SUPPORTED or other.status is Status.SUPPORTED


@pytest.mark.slow
@given(answers, passages, st.data())
def test_the_order_of_passages_changes_only_their_numbers(answer, given_passages, data):
    order = data.draw(st.permutations(range(len(given_passages))))
    one = grounder().ground(answer, given_passages)
    other = grounder().ground(answer, [given_passages[place] for place in order])
    assert len(one.verdicts) == len(other.verdicts)
    for mine, theirs in zip(one.verdicts, other.verdicts, strict=True):
        assert (mine.status, mine.support, mine.findings) == (theirs.status, theirs.support, theirs.findings)
        if mine.evidence:
            assert mine.evidence.text == theirs.evidence.text


@pytest.mark.slow
@given(answers, passages)
def test_a_rerun_is_the_same_to_the_bit(answer, given_passages):
    one, other = (grounder().ground(answer, given_passages) for _ in range(2))
    assert one == other and hash(one) == hash(other)


@pytest.mark.slow
@given(st.lists(st.tuples(answers, passages), max_size=4))
def test_answers_do_not_mind_each_other(pairs):
    cases = [Case(answer, tuple(texts)) for answer, texts in pairs]
    assert grounder().ground_all(cases) == [grounder().ground(case.answer, case.passages) for case in cases]


@pytest.mark.slow
@pytest.mark.parametrize(
    "scorer",
    [NgramOverlap(size=1, max_words=12), WordAlignment(HashEmbedder(32))],
    ids=lambda scorer: scorer.name,
)
@given(answer=answers)
def test_what_an_answer_copies_is_supported(scorer, answer):
    copied = f"The port is 5432. {answer}"
    verdicts = grounder(scorer).ground(copied, ["Noise.", copied]).verdicts
    assert verdicts[0].status is Status.SUPPORTED
    for verdict in verdicts:
        assert verdict.status in (Status.SUPPORTED, Status.NOT_CHECKABLE)


HOSTILE = [
    "",
    "\ud800",
    "a" * 3_000,
    "!" * 999,
    "עברית היא שפה.",
    "😀" * 50,
    "\n\t",
    "5" * 400,
    "[1]" * 50,
    "\x00",
    "港" * 999,
]


@pytest.mark.parametrize("answer", HOSTILE)
def test_odd_texts_are_judged_without_an_error(answer):
    verdicts = grounder().ground(answer, HOSTILE).verdicts
    assert verdicts or not any(map(str.isalnum, answer))
    assert all(v.support is None or 0 <= v.support <= 1 for v in verdicts)


@pytest.mark.slow
@given(st.text(max_size=50), st.lists(st.text(max_size=50), max_size=3))
def test_any_text_is_judged(answer, texts):
    verdicts = grounder().ground(f"{answer}\n\nThe port is open.", [*texts, "A lamp."]).verdicts
    assert any(verdict.support is not None for verdict in verdicts)
    assert all(verdict.support is None or 0 <= verdict.support <= 1 for verdict in verdicts)


def judged(support, text="The port is 5432.", *, passage=0, logit=0.0, opposed=False):
    return ScoredEvidence(
        CheckedEvidence(Excerpt(passage, (Span(0, len(text)),), text)), support, logit, opposed
    )


def found(doubt):
    return DoubtedSpan(doubt, Span(0, 1), "x")


def verdicts(*supports):
    statuses = [Status.SUPPORTED if s >= 0.5 else Status.NOT_IN_EVIDENCE for s in supports]
    return [ClaimVerdict(CLAIM, status, support) for status, support in zip(statuses, supports, strict=True)]


def test_the_best_candidate_decides():
    verdict = decide(CLAIM, [judged(0.3, "a"), judged(0.8, "b", passage=1), judged(0.1, "c")], Thresholds())
    assert (verdict.status, verdict.support, verdict.evidence.passage) == (Status.SUPPORTED, 0.8, 1)


def test_support_at_the_threshold_is_enough():
    assert decide(CLAIM, [judged(0.5)], Thresholds()).status is Status.SUPPORTED
    assert decide(CLAIM, [judged(0.5)], Thresholds(supported=0.51)).status is Status.UNCLEAR
    # words follow the probability, however tolerant the threshold
    tolerant = Thresholds(supported=0.25)
    found = [decide(CLAIM, [judged(each)], tolerant).status for each in (0.2, 0.3, 0.5)]
    assert found == [Status.NOT_IN_EVIDENCE, Status.UNCLEAR, Status.SUPPORTED]


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
    assert CheckedEvidence(evidence).lessened(0.8, rules) == 0.8
    assert CheckedEvidence(evidence, (found(Doubt.NUMBER),)).lessened(0.8, rules) == pytest.approx(0.08)
    assert CheckedEvidence(evidence, (), (found(Doubt.NEGATION),)).lessened(0.8, rules) == pytest.approx(0.08)
    # odds of 4 to 1 become 1 to 1
    assert CheckedEvidence(evidence, (found(Doubt.NAME),)).lessened(0.8, rules) == pytest.approx(0.5)
    assert CheckedEvidence(evidence, (found(Doubt.NAME),)).lessened(0.0, rules) == 0.0
    assert CheckedEvidence(evidence, (found(Doubt.NAME),)).lessened(1.0, Thresholds(unnamed=0)) == 0.0


@pytest.mark.parametrize("wrong", [{"supported": 0.1}, {"supported": 1.1}, {"close": -1}, {"doubted": 0.5}])
def test_thresholds_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError, match="thresholds"):
        Thresholds(**wrong)


def test_figures_of_an_answer_by_hand():
    two = verdicts(0.9, 0.2)
    assert share_supported(two) == 0.5
    assert hallucinated(two) == 1.0 and hallucinated(two[:1]) == 0.0


def test_what_was_not_judged_counts_nowhere():
    others = [ClaimVerdict(CLAIM, Status.NOT_CHECKABLE), ClaimVerdict(CLAIM, Status.UNSUPPORTED_LANGUAGE)]
    assert share_supported(others) is None and hallucinated(others) is None
    assert share_supported([*others, *verdicts(0.9)]) == 1.0


def kept(path, slope):
    """Write a calibration of 60 labels whose curve rises so fast."""
    from hybrid.grounding.service import calibrated

    labels = [Label.SUPPORTED if n % 3 else Label.UNSUPPORTED for n in range(60)]
    claims = [LabelledClaim(f"c{n}", "a", ("a",), label, f"s{n // 2}") for n, label in enumerate(labels)]
    logits = [slope * (1.0 if claim.supported else -1.0) + (n % 7) / 3 for n, claim in enumerate(claims)]
    write_card(path, calibrated(claims, ScorerLogits("overlap", logits)))
    return read_fitted(path)


def test_a_scorer_without_a_calibration_is_taken_at_its_word(monkeypatch, tmp_path):
    monkeypatch.setattr(judge, "SHIPPED", tmp_path)
    grounder = load_grounder(SETTINGS)
    assert grounder.scorer.name == "2-gram overlap"
    assert grounder.calibration == UNCALIBRATED
    assert grounder.thresholds == DEFAULT_THRESHOLDS


def test_words_are_aligned_by_an_embedder_that_is_given():
    models = {"embedder": "some/model", "offline": True}
    settings = load_settings({"models": models, "grounding": {"scorer": "align"}}, environment={})
    found = load_grounder(settings, embedder=HashEmbedder(name="m"))
    assert found.scorer.name == "word alignment, m"


def test_the_calibration_of_the_domain_wins_over_the_one_that_ships(monkeypatch, tmp_path):
    monkeypatch.setattr(judge, "SHIPPED", tmp_path / "shipped")
    domain = tmp_path / "manual"
    shipped = kept(tmp_path / "shipped" / card_file("overlap"), 1.0)
    assert load_grounder(SETTINGS, domain).calibration == shipped.calibration
    own = kept(card_path(domain, "overlap"), 3.0)
    grounder = load_grounder(SETTINGS, domain)
    assert grounder.calibration == own.calibration != shipped.calibration
    assert grounder.thresholds.supported == pytest.approx(own.calibration.probabilities([own.threshold])[0])
    assert load_grounder(SETTINGS).calibration == shipped.calibration


def test_what_is_doubted_never_supports_however_low_the_threshold(monkeypatch, tmp_path):
    from hybrid.grounding.calibration import Fitted

    low = Fitted(Calibration(CurveKind.PLATT, 1.0, -4.0, labels=60), 0.0)
    monkeypatch.setattr(judge, "fitted_for", lambda *_: low)
    found = load_grounder(SETTINGS).thresholds
    assert found.doubted < found.supported < 0.1


def test_a_damaged_calibration_is_told(tmp_path):
    path = card_path(tmp_path, "overlap")
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(UsageError, match="cannot be read as a calibration"):
        fitted_for("overlap", tmp_path)


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
