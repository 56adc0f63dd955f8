import dataclasses

import numpy as np
import pytest

from hybrid.report.content import (
    Material,
    Row,
    by_origin,
    contested,
    measures,
    rows_of,
    subject,
    summaries,
    worst,
)


def test_rows_come_from_the_table_in_the_order_of_the_decision(decided):
    rows = rows_of(decided.decision, decided.table, Material())
    assert [row.question for row in rows] == list(decided.table.questions)
    np.testing.assert_array_equal([row.values for row in rows], decided.table.values)


def test_rows_come_from_the_scores_where_there_is_no_table(decided):
    assert rows_of(decided.decision, None, decided.material) == rows_of(
        decided.decision, decided.table, Material()
    )


def test_an_arm_that_was_not_asked_has_no_score_and_is_never_a_failure(decided):
    fewer = dataclasses.replace(decided.table, arms=("rag", "both"), values=decided.table.values[:, [1, 3]])
    row = rows_of(decided.decision, fewer, Material())[0]
    assert (row.values[0], row.values[2]) == (None, None)
    assert row.values[1] == decided.table.values[0, 1]


def test_the_worst_come_first_and_of_equals_those_that_another_arm_knew():
    rows = [
        Row("half", (0.5, 1.0)),
        Row("all lost", (0.0, 0.0)),
        Row("won", (1.0, 0.0)),
        Row("lost", (0.0, 1.0)),
    ]
    assert [row.question for row in worst(rows, 0)] == ["lost", "all lost", "half"]


def test_the_contested_are_those_on_which_arms_differ_most():
    rows = [
        Row("one off", (1.0, 1.0, 1.0, 0.0)),
        Row("alike", (0.0, 0.0, 0.0, 0.0)),
        Row("split", (1.0, 1.0, 0.0, 0.0)),
    ]
    assert [row.question for row in contested(rows)] == ["split", "one off"]


def test_no_more_than_twenty_are_shown():
    rows = [Row(str(place), (0.0, 1.0)) for place in range(50)]
    assert len(worst(rows, 0)) == len(contested(rows)) == 20


def test_the_subject_is_the_chosen_arm_else_the_interim_one_else_the_best(decided, undecided):
    nothing = dataclasses.replace(undecided.decision, interim=None)
    assert [subject(d) for d in (decided.decision, undecided.decision, nothing)] == ["rag", "rag", "both"]


def test_gold_and_synthetic_are_told_apart_only_where_both_exist(decided):
    rows = rows_of(decided.decision, decided.table, Material())
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
    assert measures(decided.decision, summaries(Material())) == ()
