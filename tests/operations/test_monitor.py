"""What is counted of a domain in use, and what is found against its calibration window."""

import dataclasses
import json
from contextlib import closing

import numpy as np
import pytest

from hybrid import load_settings
from hybrid.errors import UsageError
from hybrid.operations.feedback import Feedback, kept_answer
from hybrid.operations.monitor import (
    Facet,
    Loss,
    Observation,
    calibrated,
    load_window,
    observations,
    save_window,
    usage,
    watch,
)
from hybrid.tracing import names
from hybrid.tracing.names import TraceOutcome
from hybrid.tracing.spans import TraceSpan
from hybrid.tracing.store import TRACES_FILE, TraceStore
from hybrid.types import Answer, Arm

DAY = 86_400.0
LEVEL, TOLERANCE = 0.05, 0.05


def observation(**given):
    usual = {"at": 0.0, "seconds": 0.1, "domain": "docs", "arm": "rag", "outcome": TraceOutcome.ANSWERED}
    return Observation(**usual | given)


def observed(seed, count, *, begin=0.0, moved=0.0, weaker=0.0, wrong=0.1, domain="docs"):
    """Simulate so many questions, one a conversation, the judge's verdicts and every fifth with a vote."""
    generator = np.random.default_rng(seed)
    axes = np.sign(generator.normal(size=(count, 16)) + 0.2 + moved * (np.arange(16) < 4))
    scores = generator.beta(8, 3 + 4 * weaker, size=count)
    lost = generator.random((count, 3)) < wrong
    return [
        observation(
            at=begin + row,
            domain=domain,
            outcome=TraceOutcome.ERROR if lost[row, 0] else TraceOutcome.ANSWERED,
            groundedness=1.0 - float(lost[row, 1]),
            score=float(scores[row]),
            question=tuple(axes[row].tolist()),
            conversation=f"{begin}/{row}",
            vote=None if row % 5 else 1 - 2 * int(lost[row, 2]),
        )
        for row in range(count)
    ]


def watched(before, after, **given):
    windows = [calibrated(domain, before) for domain in sorted({one.domain for one in before})]
    return watch(windows, [*before, *after], **{"level": LEVEL, "tolerance": TOLERANCE} | given)


def watched_by(window, rows, **given):
    found = watch([window], rows, level=LEVEL, tolerance=TOLERANCE, **given)
    return found.shifts, found.risks


def test_traces_and_votes_become_observations_of_what_people_asked(tmp_path):
    settings = load_settings({"indexes": str(tmp_path)}, environment={})
    told = {
        names.DOMAIN: "docs",
        names.ARM: "rag",
        names.OUTCOME: "answered",
        names.TOP_SCORE: 0.5,
        names.CONVERSATION: "c",
    }
    spans = [
        TraceSpan("b" * 32, "1" * 16, "", names.ASK, "CHAIN", 2 * 10**9, 3 * 10**9, "", told),
        TraceSpan("a" * 32, "1" * 16, "", names.ASK, "CHAIN", 10**9, 2 * 10**9, "ValueError", {}),
        TraceSpan("c" * 32, "1" * 16, "", names.ASIDE, "CHAIN", 10**9, 2 * 10**9, "", told),
    ]
    with TraceStore(tmp_path / TRACES_FILE) as store:
        store.add(spans)
    with closing(Feedback.of(settings)) as kept:
        kept.keep(kept_answer("one", Answer("q", "t", Arm.RAG, "x", domain="docs", trace="b" * 32)))
        kept.vote("one", -1)
    failed, answered = observations(settings)
    assert (failed.at, failed.outcome, failed.domain) == (1.0, TraceOutcome.ERROR, "")
    assert (answered.seconds, answered.score, answered.conversation, answered.vote) == (1.0, 0.5, "c", -1)
    assert observations(settings, domain="other") == []


class TestUsage:
    def test_shares_and_percentiles_of_a_group(self):
        seconds = [observation(seconds=second / 100) for second in range(1, 101)]
        rest = [
            observation(outcome=TraceOutcome.DECLINED, seconds=0.2),
            observation(outcome=TraceOutcome.ERROR, seconds=9.0),
            observation(outcome=TraceOutcome.CANCELLED, seconds=9.0),
            observation(outcome=TraceOutcome.REFUSED, seconds=9.0),
            observation(groundedness=0.5, vote=-1, seconds=0.3),
        ]
        (found,) = usage(seconds + rest, [Facet.DOMAIN])
        assert (found.asked, found.judged, found.voted) == (105, 1, 1)
        assert (found.p50, found.p95, found.p99) == (0.49, 0.95, 0.99)
        assert found.failed == found.abstained == pytest.approx(1 / 103)
        assert (found.groundedness, found.liked) == (0.5, 0.0)

    def test_groups_are_in_the_order_of_their_names(self):
        rows = [
            observation(domain=domain, arm=arm, version=version, at=day * DAY)
            for domain, arm, version, day in [
                ("b", "rag", "2", 1),
                ("a", "both", "1", 0),
                ("a", "base", "1", 2),
            ]
        ]
        by_domain_and_arm = usage(rows, [Facet.DOMAIN, Facet.ARM])
        assert [one.group for one in by_domain_and_arm] == [("a", "base"), ("a", "both"), ("b", "rag")]
        assert [one.group for one in usage(rows, [Facet.VERSION])] == [("1",), ("2",)]
        days = usage(rows, [Facet.DAY])
        assert [one.group for one in days] == [("1970-01-01",), ("1970-01-02",), ("1970-01-03",)]
        assert usage(rows[:1], [Facet.HOUR])[0].group == ("1970-01-02 00:00",)

    def test_what_never_ended_well_has_no_latency(self):
        (found,) = usage([observation(outcome=TraceOutcome.ERROR)], [])
        assert (found.group, found.p50, found.failed, found.liked) == ((), None, 1.0, None)
        assert usage([], []) == []


class TestCalibrationWindow:
    def test_it_comes_back_from_its_file(self, tmp_path):
        window = calibrated("docs", observed(1, 40))
        save_window(tmp_path, window)
        assert load_window(tmp_path) == window
        assert load_window(tmp_path / "elsewhere") is None

    def test_it_takes_one_question_a_conversation_and_every_loss(self):
        rows = observed(1, 30)
        again = [dataclasses.replace(one, at=one.at + 100) for one in rows]
        window = calibrated("docs", [*rows, *again, observation(domain="other")])
        assert len(window.questions) == len(window.scores) == 30
        assert len(window.losses[Loss.FAILED]) == 60
        assert (window.since, window.until) == (0.0, 129.0)

    def test_a_clock_that_was_ahead_neither_ends_it_later_nor_hides_what_follows(self):
        ahead = observed(1, 40, begin=86_400)
        window = calibrated("docs", ahead, now=100.0)
        assert window.until == 100.0
        worse = observed(2, 40, begin=200, moved=3.0)
        (questions, *_), risks = watched_by(window, [*worse, *ahead], now=300.0)
        assert questions.shown and {risk.count for risk in risks if risk.loss is Loss.FAILED} == {40}

    def test_too_few_are_refused(self):
        with pytest.raises(UsageError, match="docs: 5 conversations"):
            calibrated("docs", observed(1, 5))

    @pytest.mark.parametrize("text", ["{", "[]", '{"schema": 9}', '{"schema": 1, "domain": 3}'])
    def test_a_damaged_file_is_told(self, tmp_path, text):
        (tmp_path / "monitor.json").write_text(text)
        with pytest.raises(UsageError, match=r"monitor\.json"):
            load_window(tmp_path)

    def test_no_word_of_a_question_is_in_it(self, tmp_path):
        save_window(tmp_path, calibrated("docs", observed(1, 40)))
        kept = json.loads((tmp_path / "monitor.json").read_text())
        assert set(kept) == {"schema", "domain", "since", "until", "questions", "scores", "losses"}


class TestWatch:
    def test_nothing_new_is_no_alert(self):
        found = watched(observed(1, 100), observed(2, 100, begin=DAY))
        assert [shift.of for shift in found.shifts] == ["questions", "retrieval scores"]
        assert [risk.loss for risk in found.risks] == [Loss.FAILED, Loss.UNSUPPORTED, Loss.DISLIKED]
        assert found.alerts == ()
        assert all("not shown to differ" in shift.sentence for shift in found.shifts)

    def test_every_kind_of_change_is_seen(self):
        found = watched(observed(1, 200), observed(2, 300, begin=DAY, moved=1, weaker=1, wrong=0.5))
        assert all(shift.shown for shift in found.shifts)
        assert [risk.crossed is not None for risk in found.risks] == [True, True, False]
        failed = found.risks[0]
        assert DAY < failed.crossed < DAY + 300
        assert failed.reference < failed.allowed < failed.at_least < failed.rate
        assert len(found.alerts) == 4
        assert found.alerts[0].startswith("docs: the questions differ from those of the calibration window")

    def test_the_latest_questions_count(self):
        before = observed(1, 100)
        middle = observed(2, 400, begin=DAY)
        late = observed(3, 100, begin=2 * DAY, moved=1)
        assert watched(before, [*middle, *late]).shifts[0].shown
        assert watched(before, [*late, *middle]).shifts[0].shown is False

    def test_of_few_nothing_is_said(self):
        found = watched(observed(1, 100), observed(2, 10, begin=DAY))
        assert found.shifts == ()
        assert found.risks[0].count == 10
        assert watched(observed(1, 100), []).risks == ()

    def test_domains_share_the_level(self):
        before = [*observed(1, 100), *observed(2, 100, domain="other")]
        after = [
            *observed(3, 100, begin=DAY, moved=1),
            *observed(4, 100, begin=DAY, domain="other"),
        ]
        found = watched(before, after)
        assert [(one.domain, one.of) for one in found.shifts if one.shown] == [("docs", "questions")]
        alone = watched(observed(1, 100), observed(3, 100, begin=DAY, moved=1))
        assert found.shifts[0].p == 2 * alone.shifts[0].p
        assert found.risks[0].allowed > alone.risks[0].allowed

    def test_other_vectors_of_questions_ask_for_another_window(self):
        after = [dataclasses.replace(one, question=(1.0, -1.0)) for one in observed(2, 40, begin=DAY)]
        with pytest.raises(UsageError, match="another kind of question vectors"):
            watched(observed(1, 40), after)

    @pytest.mark.slow
    def test_false_alarms_are_as_rare_as_is_said(self):
        """No drift: a look, and all looks at the risks, raise an alarm in at most 5 of 100 runs."""
        found = [watched(observed([run, 0], 100), observed([run, 1], 100, begin=DAY)) for run in range(200)]
        assert sum(any(shift.shown for shift in one.shifts) for one in found) <= LEVEL * 200
        assert sum(any(risk.crossed is not None for risk in one.risks) for one in found) <= LEVEL * 200

    @pytest.mark.slow
    def test_a_drift_is_seen_in_nearly_all_runs(self):
        def run(number):
            after = observed([number, 1], 200, begin=DAY, moved=0.7, weaker=0.7, wrong=0.45)
            return watched(observed([number, 0], 200), after)

        found = [run(number) for number in range(100)]
        assert sum(one.shifts[0].shown for one in found) >= 90
        assert sum(one.shifts[1].shown for one in found) >= 90
        assert sum(one.risks[0].crossed is not None for one in found) >= 80
