import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cosine

from hybrid.evaluation.metrics import (
    ContextScores,
    contains_gold,
    contains_numeral,
    context_scores,
    evidence_held,
    exact_match,
    holds,
    is_numeric,
    is_polar,
    label_accuracy,
    normalise,
    numeric_match,
    polar_match,
    rouge_l,
    similarities,
    token_f1,
)
from hybrid.evaluation.outcomes import Outcome, Retrieved
from hybrid.testing import HashEmbedder
from hybrid.types import Citation, Evidence, Question, Span

TEXT_METRICS = (contains_gold, exact_match, token_f1, rouge_l, label_accuracy, polar_match)
texts = st.text(max_size=40)
golds = st.lists(st.text(max_size=20), max_size=3)
few_words = st.lists(st.sampled_from(["wx", "xy", "yz", "zw"]), max_size=6).map(" ".join)


@pytest.mark.parametrize(
    ("answer", "golds", "expected"),
    [
        ("The port is 5432 by default.", ["5432"], 1.0),
        ("The port is 15432.", ["5432"], 0.0),
        ("It is  SCRAM-SHA-256\nnow", ["scram-sha-256"], 1.0),
        ("use --globals-only here", ["-g", "--globals-only"], 1.0),
        ("", ["x"], 0.0),
        ("anything", [""], 0.0),
        ("anything", [], 0.0),
    ],
)
def test_contains_gold_takes_whole_words(answer, golds, expected):
    assert contains_gold(answer, golds) == expected


@pytest.mark.parametrize(
    ("answer", "golds", "exact", "f1", "rouge"),
    [
        ("The Port!", ["port"], 1.0, 1.0, 1.0),
        ("a port number", ["port"], 0.0, 2 / 3, 2 / 3),
        # "port number 5" against "port 5": 2 common of 3 and 2 tokens
        ("The port number 5", ["port 5", "x"], 0.0, 0.8, 0.8),
        # all words common, in another order: the longest common subsequence is "b c" or "c a", of 3 and 3
        ("b c x", ["x b c"], 0.0, 1.0, 2 / 3),
        # Lin 2004, section 3: "police kill the gunman" has LCS 2 with the reference, "the" being dropped
        ("police kill the gunman", ["police killed the gunman"], 0.0, 2 / 3, 2 / 3),
        ("the gunman kill police", ["police killed the gunman"], 0.0, 2 / 3, 1 / 3),
        # a token counts as often as it stands in both
        ("very very very", ["very"], 0.0, 0.5, 0.5),
        ("", ["x"], 0.0, 0.0, 0.0),
        ("   ", [""], 0.0, 0.0, 0.0),
        ("x", [], 0.0, 0.0, 0.0),
        # normalising takes everything: the texts themselves are compared
        ("the", ["a"], 0.0, 0.0, 0.0),
        ("A", ["a"], 1.0, 1.0, 1.0),
        ("--", ["--"], 1.0, 1.0, 1.0),
        ("??", ["--"], 0.0, 0.0, 0.0),
        ("Größe ÄNDERN", ["größe ändern"], 1.0, 1.0, 1.0),
    ],
)
def test_overlap_with_gold_by_hand(answer, golds, exact, f1, rouge):
    assert exact_match(answer, golds) == exact
    assert token_f1(answer, golds) == pytest.approx(f1)
    assert rouge_l(answer, golds) == pytest.approx(rouge)


@pytest.mark.parametrize(
    ("answer", "golds", "expected"),
    [
        ("Positive", ["positive"], 1.0),
        (' "positive." ', ["Positive"], 1.0),
        ("negative", ["positive"], 0.0),
        ("positive or negative", ["positive"], 0.0),
        ("B", ["A", "B"], 1.0),
        ("C++", ["c++"], 1.0),
        ("C", ["C++"], 0.0),
        ("...", ["..."], 1.0),
        ("", [""], 0.0),
        ("STRASSE", ["straße"], 1.0),
    ],
)
def test_a_label_is_the_whole_answer(answer, golds, expected):
    assert label_accuracy(answer, golds) == expected


@pytest.mark.parametrize(
    ("answer", "golds", "expected"),
    [
        ("No, it has no limit.", ["no"], 1.0),
        ("Yes: there is no limit.", ["no"], 0.0),
        ("Yes: there is no limit.", ["Yes"], 1.0),
        ("The answer is yes.", ["yes"], 1.0),
        ("There is no such limit, so yes.", ["yes"], 0.0),
        ("There is no such limit, so yes.", ["no"], 0.0),
        ("There is no limit, so yes.", ["yes", "no"], 0.0),
        ("Nothing is known.", ["no"], 0.0),
        ("", ["no"], 0.0),
    ],
)
def test_yes_and_no_are_not_found_by_accident(answer, golds, expected):
    assert polar_match(answer, golds) == expected


def test_a_question_is_polar_if_all_golds_are():
    assert is_polar(["Yes."])
    assert not is_polar(["yes", "5"])
    assert not is_polar([])


@pytest.mark.slow
@given(texts, golds)
def test_scores_stay_in_range_and_do_not_mind_the_order_of_golds(answer, golds):
    for metric in TEXT_METRICS:
        score = metric(answer, golds)
        assert 0.0 <= score <= 1.0
        assert metric(answer, golds[::-1]) == score


@pytest.mark.slow
@given(texts, golds, st.text(max_size=20))
def test_another_gold_never_lowers_a_score(answer, golds, gold):
    for metric in (contains_gold, exact_match, token_f1, rouge_l, label_accuracy):
        assert metric(answer, [*golds, gold]) >= metric(answer, golds)


@given(texts.filter(str.strip))
def test_an_answer_that_is_the_gold_is_right(text):
    assert exact_match(text, [text]) == token_f1(text, [text]) == rouge_l(text, [text]) == 1.0
    assert label_accuracy(text, [text]) == 1.0


@given(st.text(alphabet="abc ", min_size=1).filter(str.strip))
def test_an_answer_that_is_the_gold_contains_it(text):
    assert contains_gold(f"so: {text}.", [text]) == 1.0


@given(texts, golds)
def test_rouge_l_is_never_above_token_f1(answer, golds):
    assert rouge_l(answer, golds) <= token_f1(answer, golds)


@pytest.mark.slow
@given(few_words, few_words)
def test_rouge_l_is_that_of_all_subsequences(answer, gold):
    one, other = normalise(answer).split(), normalise(gold).split()
    longest = max(
        len(pick)
        for size in range(len(one) + 1)
        for pick in itertools.combinations(one, size)
        if pick in set(itertools.combinations(other, size))
    )
    expected = 2 * longest / (len(one) + len(other)) if longest else 0.0
    assert rouge_l(answer, [gold]) == pytest.approx(expected)


def test_similarity_is_the_best_cosine_over_the_golds():
    embedder = HashEmbedder(dimension=32)
    one, two, three = embedder.embed_queries(["red cat", "red dog", "blue sky"])
    expected = max(1 - cosine(one, two), 1 - cosine(one, three))
    assert similarities(["red cat"], [["red dog", "blue sky"]], embedder) == pytest.approx([expected])
    assert similarities(["red cat"], [["blue sky", "red dog"]], embedder) == pytest.approx([expected])
    assert expected > 0.3


def test_similarity_of_nothing_is_zero():
    assert similarities(["", "x", " "], [["x"], [], [""]], HashEmbedder()) == [0.0, 0.0, 0.0]
    assert similarities([], [], HashEmbedder()) == []
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        similarities(["x"], [], HashEmbedder())


class OppositeEmbedder(HashEmbedder):
    """Longer vectors than one, in opposite directions, and one that is broken."""

    def embed_documents(self, texts):
        rows = {"up": [3.0, 0.0], "down": [-3.0, 0.0], "broken": [np.nan, np.nan]}
        return np.array([rows[text] for text in texts], dtype=np.float32)


def test_similarity_is_cut_to_the_range_and_never_nan():
    assert similarities(["up", "up", "up"], [["down"], ["up"], ["broken"]], OppositeEmbedder()) == [
        0.0,
        1.0,
        0.0,
    ]


@pytest.mark.slow
@given(st.lists(st.tuples(texts, golds), max_size=4))
def test_similarities_stay_in_range_and_each_text_is_embedded_once(rows):
    embedder = HashEmbedder(dimension=8)
    found = similarities([answer for answer, _ in rows], [group for _, group in rows], embedder)
    assert all(0.0 <= value <= 1.0 for value in found) and len(found) == len(rows)
    distinct = {text for answer, group in rows for text in (answer, *group) if text.strip()}
    assert embedder.embedded == len(distinct)


def test_only_a_quantity_alone_is_a_numeric_gold():
    assert is_numeric(["5432", "5 MB", "about 3 days."])
    for golds in ([], ["port 113", "113"], ["10 to 20"], ["5 apples"], [""]):
        assert not is_numeric(golds)


@pytest.mark.parametrize(
    ("answer", "golds", "expected"),
    [
        ("The port is 5432.", ["5432"], 1.0),
        ("The port is 5433.", ["5432"], 0.0),
        # whole numbers must be equal, however near: years, ports, counts
        ("In 1999", ["1998"], 0.0),
        ("255 MB", ["256 MB"], 0.0),
        # what was rounded or converted may differ by 0.5 %
        ("about 3.14", ["3.14159"], 1.0),
        ("about 3.1", ["3.14159"], 0.0),
        ("2 million", ["1,999,000"], 1.0),
        ("1 year", ["365 days"], 1.0),
        ("127.0 MB", ["128.5 MB"], 0.0),
        # among several
        ("It is 3, 5 or 7", ["7"], 1.0),
        ("It is 3, 5 or 7", ["6"], 0.0),
        ("It is 7", ["6", "7"], 1.0),
        # a unit with a second meaning is the same unit
        ("1004 pounds", ["£1000"], 0.0),
        ("501 nanometres", ["500 nm"], 0.0),
        ("1004 mm", ["1000 millimetres"], 0.0),
        ("5 MB", ["5 MiB"], 1.0),
        ("1.07 GB", ["1 GiB"], 1.0),
        ("512 B", ["512 KB"], 0.0),
        ("4096 B", ["4 kB"], 1.0),
        ("3 d", ["72 h"], 1.0),
        ("5 d", ["5 h"], 0.0),
        ("¥500", ["$500"], 0.0),
        # units
        ("5 minutes", ["300 seconds"], 1.0),
        ("5 minutes", ["5 seconds"], 0.0),
        ("5 km", ["5 s"], 0.0),
        ("5", ["5 s"], 1.0),
        ("5 s", ["5"], 1.0),
        ("300", ["5 minutes"], 0.0),
        ("50 %", ["50"], 1.0),
        ("50 %", ["0.5 s"], 0.0),
        # a kB is 1000 or 1024 bytes, a KiB is not
        ("8192 bytes", ["8 kB"], 1.0),
        ("8000 bytes", ["8 kB"], 1.0),
        ("8000 bytes", ["8 KiB"], 0.0),
        ("1 GB", ["1024 MB"], 1.0),
        ("1 GB", ["1000 MB"], 1.0),
        ("-5", ["5"], 0.0),
        ("5", ["-5"], 0.0),
        ("0", ["0"], 1.0),
        ("0.001", ["0"], 0.0),
        ("five", ["5"], 1.0),
        ("1.234,50", ["1,234.5"], 1.0),
        ("", ["5"], 0.0),
        ("5", [], 0.0),
        ("5", ["no number"], 0.0),
    ],
)
def test_a_match_by_hand(answer, golds, expected):
    assert numeric_match(answer, golds) == expected


def test_the_tolerance_is_a_share_of_the_gold():
    assert numeric_match("10.049", ["10"]) == 1.0
    assert numeric_match("10.051", ["10"]) == 0.0
    assert numeric_match("9.949", ["10"]) == 0.0
    # a half of a hundredth of the gold, not of the answer
    assert numeric_match("10.0502", ["10"]) == 0.0


@pytest.mark.parametrize(
    ("answer", "gold", "expected"),
    [
        ("on 2020-05-12", "2020", 1.0),
        ("PostgreSQL-16", "16", 1.0),
        ("5.", "5", 1.0),
        ("5.5", "5", 0.0),
        ("at -5", "5", 0.0),
        ("1,500", "500", 0.0),
    ],
)
def test_a_numeral_is_not_found_inside_another(answer, gold, expected):
    assert contains_numeral(answer, [gold]) == expected


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_answer_has_a_numeric_score(answer, gold):
    assert numeric_match(answer, [gold]) in (0.0, 1.0)
    assert contains_numeral(answer, [gold]) in (0.0, 1.0)


@given(st.integers(-(10**12), 10**12), st.sampled_from(["", " s", " MB", " %", " km", " million"]))
def test_every_way_to_write_a_whole_number_matches_itself(value, unit):
    written = f"{value:,}{unit}"
    assert numeric_match(f"It is {written}.", [f"{value}{unit}"]) == 1.0
    assert numeric_match(f"It is {value + 1}{unit}.", [written]) == 0.0


@given(st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: round(x, 3)))
def test_a_decimal_matches_itself(value):
    assert numeric_match(f"{value:.3f}", [f"{value:,.3f}"]) == 1.0


QUOTE = "The default port of the server is 5432."


def passage(text, source="a.md", start=0):
    return Retrieved(source, Span(start, start + len(text)), text, 1.0)


def held(evidence, found):
    return holds(evidence, source=found.source, span=found.span, text=found.text)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (100, 140, True),
        (80, 200, True),  # around it
        (110, 120, True),  # inside it
        (120, 160, True),  # half of it
        (121, 161, False),  # less than half
        (140, 180, False),  # beside it
        (60, 100, False),
        (120, 120, False),  # nothing
    ],
)
def test_offsets_decide_where_they_are_known(start, end, expected):
    evidence = Evidence("a.md", "5432", Span(100, 140))
    found = Retrieved("a.md", Span(start, end), "x" * (end - start), 1.0)
    assert held(evidence, found) is expected
    assert not held(evidence, dataclasses.replace(found, source="b.md"))


@pytest.mark.parametrize(
    ("evidence", "text", "source", "expected"),
    [
        # without offsets: the quote, in any case and spacing
        (Evidence("a.md", QUOTE), "Note. The default  PORT of the\nserver is 5432. End.", "a.md", True),
        (Evidence("a.md", QUOTE), "Nothing of the kind.", "a.md", False),
        # most of its words, but never another number
        (Evidence("a.md", QUOTE), "Default port of servers: 5432", "a.md", True),
        (Evidence("a.md", QUOTE), "Default port of servers: 5433", "a.md", False),
        (Evidence("a.md", QUOTE), "A port is 5432", "a.md", False),  # half of its words
        # a telling quote counts in another source, a short one does not
        (Evidence("a.md", QUOTE), QUOTE, "b.md", True),
        (Evidence("a.md", "port 5432"), "port 5432", "b.md", False),
        (Evidence("a.md", "port 5432"), "port 5432", "a.md", True),
        (Evidence("a.md", "port 5432"), "port 54321", "a.md", False),
        # at another place than the known one, a telling quote must stand word for word
        (Evidence("a.md", QUOTE, Span(900, 940)), QUOTE, "a.md", True),
        (Evidence("a.md", QUOTE, Span(900, 940)), "Default port of servers: 5432", "a.md", False),
        (Evidence("a.md", "port 5432", Span(900, 909)), "port 5432", "a.md", False),
        # without a quote: the source
        (Evidence("a.md", " "), "anything", "a.md", True),
        (Evidence("a.md", ""), "anything", "b.md", False),
        (Evidence("a.md", "", Span(900, 940)), "anything", "a.md", False),
    ],
)
def test_the_quote_decides_where_offsets_do_not(evidence, text, source, expected):
    assert held(evidence, passage(text, source)) is expected


def question(*quotes, answers=("5432",)):
    return Question("q", "?", answers, evidence=tuple(Evidence("a.md", quote) for quote in quotes))


def outcome(*texts, answer="It is so.", **more):
    return Outcome("k", "rag", "q", answer, passages=tuple(passage(text) for text in texts), **more)


PORT, DISK = "the default port is 5432", "the disk holds 900 blocks"


def test_a_table_by_hand():
    scores = context_scores(question(PORT, DISK), outcome("nothing", PORT, PORT, DISK))
    assert scores.recall == 1.0
    assert scores.reciprocal_rank == 0.5
    assert scores.precision == 0.75
    # ranks 2, 3 and 4 hold evidence
    assert scores.average_precision == pytest.approx((1 / 2 + 2 / 3 + 3 / 4) / 3)
    # a gain at 2 and at 4, the repetition at 3 gains nothing; best is at 1 and 2
    best = 1 + 1 / math.log2(3)
    assert scores.ndcg == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / best)


def test_one_passage_that_holds_all_the_evidence_is_perfect():
    scores = context_scores(question(PORT, DISK), outcome(f"{PORT}. {DISK}."))
    assert scores == ContextScores(1.0, 1.0, 1.0, 1.0, 1.0, 0.0)


def test_half_of_the_evidence_is_half_the_recall():
    assert context_scores(question(PORT, DISK), outcome(PORT)).recall == 0.5


def test_no_passages_score_zero_and_no_evidence_is_none():
    assert context_scores(question(PORT), outcome()) == ContextScores(0.0, 0.0, 0.0, 0.0, 0.0, None)
    assert context_scores(question(), outcome(PORT)) == ContextScores()


@pytest.mark.parametrize(
    ("answer", "more", "expected"),
    [
        ("It is 5432.", {}, 0.5),  # the gold that stands in one of the two pieces
        ("It is 5432, and the disk holds 900 blocks.", {}, 1.0),  # and the other one said again
        ("I cannot tell.", {}, 0.0),
        ("It is so. [1]", {"citations": (Citation(1, "a.md", 0, len(DISK), DISK),)}, 0.5),
        ("It is 5432.", {"abstained": True}, 0.0),
        ("It is 5432.", {"error": "broke"}, 0.0),
    ],
)
def test_utilisation_by_hand(answer, more, expected):
    found = outcome(PORT, DISK, "nothing", answer=answer, **more)
    assert context_scores(question(PORT, DISK), found).utilisation == expected


def test_utilisation_does_not_apply_where_nothing_was_retrieved():
    assert context_scores(question(PORT), outcome("nothing", answer="5432")).utilisation is None


stretches = st.lists(st.sampled_from([PORT, DISK, "nothing", f"{PORT}, {DISK}", ""]), max_size=6)


@pytest.mark.slow
@given(stretches, st.sampled_from(["5432", "", DISK]))
def test_all_stay_in_range_and_more_passages_never_lower_recall(texts, answer):
    asked = question(PORT, DISK)
    scores = context_scores(asked, outcome(*texts, answer=answer))
    values = [getattr(scores, field.name) for field in dataclasses.fields(scores)]
    assert all(value is None or 0.0 <= value <= 1.0 for value in values)
    assert context_scores(asked, outcome(*texts, PORT)).recall >= scores.recall


@pytest.mark.slow
@given(stretches)
def test_the_order_of_passages_matters_to_the_rank_aware_scores_alone(texts):
    asked = question(PORT, DISK)
    forward, backward = (context_scores(asked, outcome(*t)) for t in (texts, texts[::-1]))
    assert (forward.recall, forward.precision) == (backward.recall, backward.precision)
    assert evidence_held(asked, outcome(*texts).passages)[::-1] == evidence_held(
        asked, outcome(*texts[::-1]).passages
    )
