"""Which questions and passages a page shows, and the means that it tells."""

import dataclasses

import numpy as np
import pytest

from hybrid.evaluation.outcomes import Outcome, Retrieved
from hybrid.report.view import (
    ReportMaterial,
    ScoreRow,
    by_origin,
    contested,
    measures,
    missed_evidence,
    rows_of,
    shown_passages,
    subject,
    summaries,
    worst,
)
from hybrid.types import Citation, Evidence, Question, Span

_TEXT = "First sentence. The port is 5432. Last sentence."


def test_rows_come_from_the_table_in_the_order_of_the_decision(decided):
    rows = rows_of(decided.decision, decided.table, ReportMaterial())
    assert [row.question for row in rows] == list(decided.table.questions)
    np.testing.assert_array_equal([row.values for row in rows], decided.table.values)


def test_rows_come_from_the_scores_where_there_is_no_table(decided):
    assert rows_of(decided.decision, None, decided.material) == rows_of(
        decided.decision, decided.table, ReportMaterial()
    )


def test_an_arm_that_was_not_asked_has_no_score_and_is_never_a_failure(decided):
    fewer = dataclasses.replace(decided.table, arms=("rag", "both"), values=decided.table.values[:, [1, 3]])
    row = rows_of(decided.decision, fewer, ReportMaterial())[0]
    assert (row.values[0], row.values[2]) == (None, None)
    assert row.values[1] == decided.table.values[0, 1]


def test_the_worst_come_first_and_of_equals_those_that_another_arm_knew():
    rows = [
        ScoreRow("half", (0.5, 1.0)),
        ScoreRow("all lost", (0.0, 0.0)),
        ScoreRow("won", (1.0, 0.0)),
        ScoreRow("lost", (0.0, 1.0)),
    ]
    assert [row.question for row in worst(rows, 0)] == ["lost", "all lost", "half"]


def test_the_contested_are_those_on_which_arms_differ_most():
    rows = [
        ScoreRow("one off", (1.0, 1.0, 1.0, 0.0)),
        ScoreRow("alike", (0.0, 0.0, 0.0, 0.0)),
        ScoreRow("split", (1.0, 1.0, 0.0, 0.0)),
    ]
    assert [row.question for row in contested(rows)] == ["split", "one off"]


def test_no_more_than_twenty_are_shown():
    rows = [ScoreRow(str(place), (0.0, 1.0)) for place in range(50)]
    assert len(worst(rows, 0)) == len(contested(rows)) == 20


def test_the_subject_is_the_chosen_arm_else_the_interim_one_else_the_best(decided, undecided):
    nothing = dataclasses.replace(undecided.decision, interim=None)
    assert [subject(d) for d in (decided.decision, undecided.decision, nothing)] == ["rag", "rag", "both"]


def test_gold_and_synthetic_are_told_apart_only_where_both_exist(decided):
    rows = rows_of(decided.decision, decided.table, ReportMaterial())
    gold, synthetic = by_origin(rows, decided.material)
    assert (gold.count, synthetic.count) == (40, 20)
    own = [row.values[1] for row, q in zip(rows, decided.material.questions, strict=True) if q.made == "gold"]
    assert gold.means[1] == pytest.approx(np.mean(own))
    reviewed = tuple(dataclasses.replace(q, made="reviewed:cloze") for q in decided.material.questions)
    assert by_origin(rows, dataclasses.replace(decided.material, questions=reviewed)) == ()


def test_measures_leave_out_what_no_arm_has(decided):
    names = [row.name for row in measures(decided.decision, summaries(decided.material))]
    assert "correct" in names
    assert "similarity" not in names
    assert measures(decided.decision, summaries(ReportMaterial())) == ()


def outcome(arm, *passages, cites=()):
    return Outcome("k", arm, "q", "an answer", passages=passages, citations=tuple(cites))


def passage(source="a.md", start=100, text=_TEXT):
    return Retrieved(source, Span(start, start + len(text)), text, 1.0)


def cite(start, end, number=1, source="a.md"):
    return Citation(number, source, start, end, "")


def question(*evidence):
    return Question("q", "which port?", ("5432",), evidence=evidence)


def test_a_cited_stretch_is_cut_out_of_its_passage_by_document_offsets():
    (shown,) = shown_passages(None, [outcome("rag", passage(), cites=[cite(116, 133)])])
    assert [(s.text, s.cited) for s in shown.stretches] == [
        ("First sentence. ", ()),
        ("The port is 5432.", ("rag [1]",)),
        (" Last sentence.", ()),
    ]


def test_a_passage_that_two_arms_saw_stands_once_with_both_ranks_and_both_citations():
    other = passage("b.md")
    (shown, plain) = shown_passages(
        None,
        [
            outcome("rag", other, passage(), cites=[cite(116, 133)]),
            outcome("both", passage(), cites=[cite(116, 133, 2)]),
        ],
    )
    assert shown.source == "a.md"  # what is cited comes first
    assert shown.seen == ("rag #2", "both #1")
    assert shown.stretches[1].cited == ("rag [1]", "both [2]")
    assert not plain.telling


def test_gold_is_found_by_offsets_or_by_its_quote():
    by_span = question(Evidence("a.md", "", Span(116, 133)))
    by_quote = question(Evidence("a.md", "The port is 5432."))
    for asked in (by_span, by_quote):
        (shown,) = shown_passages(asked, [outcome("rag", passage())])
        assert [s.text for s in shown.stretches if s.gold] == ["The port is 5432."]
        assert missed_evidence(asked, [shown]) == ()


def test_overlapping_stretches_keep_the_text_whole():
    asked = question(Evidence("a.md", "port is 5432. Last"))
    (shown,) = shown_passages(asked, [outcome("rag", passage(), cites=[cite(90, 125), cite(110, 900, 2)])])
    assert "".join(stretch.text for stretch in shown.stretches) == _TEXT


def test_gold_evidence_that_no_arm_saw_is_named():
    asked = question(Evidence("a.md", "The port is 5432."), Evidence("c.md", "elsewhere"))
    shown = shown_passages(asked, [outcome("rag", passage())])
    assert missed_evidence(asked, shown) == asked.evidence[1:]


def test_a_very_long_passage_is_cut_around_its_mark():
    long = passage(text="x" * 9_000 + "MARK" + "y" * 9_000)
    (shown,) = shown_passages(None, [outcome("rag", long, cites=[cite(9_100, 9_104)])])
    assert sum(len(stretch.text) for stretch in shown.stretches) < 3_000
    assert [s.text for s in shown.stretches if s.cited] == ["MARK"]
    assert "more characters" in shown.stretches[-1].text


def test_a_citation_of_another_document_marks_nothing():
    (shown,) = shown_passages(None, [outcome("rag", passage(), cites=[cite(116, 133, source="b.md")])])
    assert not shown.telling
