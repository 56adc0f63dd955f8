import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.evaluation.metrics import ContextScores, context_scores, evidence_held, holds
from hybrid.evaluation.outcomes import Outcome, Retrieved
from hybrid.types import Citation, Evidence, Question, Span

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


@given(stretches, st.sampled_from(["5432", "", DISK]))
def test_all_stay_in_range_and_more_passages_never_lower_recall(texts, answer):
    asked = question(PORT, DISK)
    scores = context_scores(asked, outcome(*texts, answer=answer))
    values = [getattr(scores, field.name) for field in dataclasses.fields(scores)]
    assert all(value is None or 0.0 <= value <= 1.0 for value in values)
    assert context_scores(asked, outcome(*texts, PORT)).recall >= scores.recall


@given(stretches)
def test_the_order_of_passages_matters_to_the_rank_aware_scores_alone(texts):
    asked = question(PORT, DISK)
    forward, backward = (context_scores(asked, outcome(*t)) for t in (texts, texts[::-1]))
    assert (forward.recall, forward.precision) == (backward.recall, backward.precision)
    assert evidence_held(asked, outcome(*texts).passages)[::-1] == evidence_held(
        asked, outcome(*texts[::-1]).passages
    )
