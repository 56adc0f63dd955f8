"""Spans nest, belong to their question, and are nothing where nobody takes them."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import AdapterError, AdapterMissing, IndexCorrupt, IndexMissing, UsageError
from hybrid.tracing import names
from hybrid.tracing.names import SpanKind
from hybrid.tracing.spans import asking, here, only, sent_to, span, tell, tell_each, within


class Kept:
    """Keeps all spans."""

    def __init__(self):
        self.spans = []
        self.closed = False

    def add(self, spans):
        self.spans.extend(spans)

    def close(self):
        self.closed = True

    def named(self, name):
        return [one for one in self.spans if one.name == name]


@pytest.fixture
def kept():
    kept = Kept()
    with sent_to([kept]):
        yield kept
    assert kept.closed


def test_without_a_sink_a_span_is_nothing():
    with span("x", attributes={"a": 1}) as one, span("y") as other:
        assert one is other
        tell({"b": 2})
        assert here() == ()
    with pytest.raises(ValueError, match="its own"), span("x"):
        raise ValueError("its own")
    assert list(span("x").stream(lambda: iter("abc"))) == ["a", "b", "c"]


_tree = st.recursive(st.just([]), lambda below: st.lists(below, max_size=3), max_leaves=8)


@pytest.mark.slow
@given(_tree, st.integers(1, 3))
def test_spans_nest_in_the_trace_of_every_question(tree, questions):
    def open_all(branches):
        for branch in branches:
            with span("stage"):
                open_all(branch)

    def count(branches):
        return len(branches) + sum(map(count, branches))

    kept = Kept()
    with sent_to([kept]), asking(questions):
        open_all(tree)
    by_id = {one.id: one for one in kept.spans}
    assert len(by_id) == questions * (1 + count(tree))
    assert len({one.trace for one in kept.spans}) == questions
    for one in kept.spans:
        if one.name == names.ASK:
            assert one.parent == ""
            continue
        above = by_id[one.parent]
        assert one.trace == above.trace
        assert above.start <= one.start <= one.end <= above.end


def test_later_traces_sort_behind_earlier_ones(kept):
    for _ in range(3):
        with span("x"):
            threading.Event().wait(0.002)
    traces = [one.trace for one in kept.spans]
    assert traces == sorted(traces)
    assert {len(trace) for trace in traces} == {32}


def test_what_is_said_stands_on_the_stage_or_on_the_question(kept):
    with asking(2, {names.DOMAIN: "d"}), span("stage", SpanKind.RERANKER) as stage:
        stage.set({"all": 1})
        stage.set_each([{"own": 1}, {"own": 2}])
        tell({"asked": True})
        tell_each([{"who": "a"}, {"who": "b"}])
        tell_each([{"who": "nobody"}])  # of another number of questions
    stages, asked = kept.named("stage"), kept.named(names.ASK)
    assert [one.attributes["own"] for one in stages] == [1, 2]
    assert [(one.attributes["who"], one.attributes[names.DOMAIN]) for one in asked] == [
        ("a", "d"),
        ("b", "d"),
    ]
    assert all(one.attributes["asked"] for one in asked)
    assert {(one.kind, one.attributes["all"], one.attributes[names.TOGETHER]) for one in stages} == {
        ("RERANKER", 1, 2)
    }


def test_a_part_of_the_questions_is_gone_on_with_alone(kept):
    with asking(3):
        traces = [place.trace for place in here()]
        with only([2, 0], of=3), span("some"):
            pass
        with only([0], of=7), span("all"):  # of others than those that were asked
            pass
    assert [one.trace for one in kept.named("some")] == [traces[2], traces[0]]
    assert [one.trace for one in kept.named("all")] == traces


def test_who_asks_opens_the_question_and_what_answers_goes_on_with_it(kept):
    with asking(1, {names.CONVERSATION: "c"}), asking(1, {names.DOMAIN: "d"}):
        pass
    (one,) = kept.spans
    assert (one.attributes[names.CONVERSATION], one.attributes[names.DOMAIN]) == ("c", "d")


def test_what_no_person_asked_has_another_name(kept):
    with asking(1, aside=True), asking(1, {names.DOMAIN: "d"}):
        pass
    (one,) = kept.spans
    assert (one.name, one.attributes[names.DOMAIN]) == (names.ASIDE, "d")


@pytest.mark.parametrize(
    ("error", "outcome", "kind"),
    [
        (ValueError("secret"), "error", "ValueError"),
        (KeyboardInterrupt(), "cancelled", ""),
        (UsageError("secret"), "refused", "UsageError"),
        (IndexMissing("secret"), "refused", "IndexMissing"),
        (IndexCorrupt("secret"), "error", "IndexCorrupt"),
        (AdapterMissing("secret"), "error", "AdapterMissing"),
        (asyncio.CancelledError(), "cancelled", ""),
    ],
)
def test_an_error_is_the_status_and_never_its_words(kept, error, outcome, kind):
    with pytest.raises(type(error)), asking(1), span("stage"):
        raise error
    assert [one.error for one in kept.spans] == [kind, kind]
    assert kept.named(names.ASK)[0].attributes[names.OUTCOME] == outcome
    assert "secret" not in repr(kept.spans)


def test_a_stream_belongs_to_its_stage_and_what_is_between_does_not(kept):
    def parts():
        with span("first"):
            pass
        yield ""
        yield "a"
        with span("last"):
            pass
        yield "b"

    stage = asking(1)
    pieces = stage.stream(parts)
    assert kept.named("first") == []
    got = []
    for piece in pieces:
        got.append(piece)
        assert here() == ()
    (asked,) = kept.named(names.ASK)
    assert got == ["", "a", "b"]
    assert {one.parent for one in (*kept.named("first"), *kept.named("last"))} == {asked.id}
    assert 0 < asked.attributes[names.FIRST_CHUNK] < (asked.end - asked.start) / 1e9


@pytest.mark.parametrize(
    ("error", "outcome"), [(AdapterMissing("none"), "refused"), (AdapterError("damaged"), "error")]
)
def test_an_arm_that_was_named_and_cannot_serve_is_refused_and_a_damaged_one_an_error(kept, error, outcome):
    with pytest.raises(AdapterError), asking(1, {names.ARM_NAMED: True}):
        raise error
    assert kept.named(names.ASK)[0].attributes[names.OUTCOME] == outcome


def test_a_stream_that_is_left_is_cancelled_and_its_source_closed(kept):
    closed = []

    def parts():
        try:
            yield "a"
            yield "b"
        finally:
            closed.append(True)

    pieces = asking(1).stream(parts)
    assert next(pieces) == "a"
    pieces.close()
    assert closed == [True]
    assert kept.named(names.ASK)[0].attributes[names.OUTCOME] == "cancelled"


def test_a_stream_that_fails_at_once_or_later_is_an_error(kept):
    def refuse():
        raise ValueError("at once")

    def fail():
        yield "a"
        raise KeyError

    with pytest.raises(ValueError, match="at once"):
        asking(1).stream(refuse)
    with pytest.raises(KeyError):
        list(asking(1).stream(fail))
    assert [one.error for one in kept.spans] == ["ValueError", "KeyError"]


def test_steps_may_be_taken_in_several_threads(kept):
    pieces = asking(1).stream(lambda: (threading.current_thread().name for _ in range(3)))
    got = []
    for number in range(3):
        thread = threading.Thread(target=lambda: got.append(next(pieces)), name=f"t{number}")
        thread.start()
        thread.join()
    assert got == ["t0", "t1", "t2"]
    assert list(pieces) == []
    assert len(kept.spans) == 1


def test_threads_and_tasks_have_questions_of_their_own(kept):
    def ask(name):
        with asking(1, {"who": name}), span("stage", attributes={"who": name}):
            pass

    async def ask_soon(name):
        with asking(1, {"who": name}):
            await asyncio.sleep(0.001)
            with span("stage", attributes={"who": name}):
                await asyncio.sleep(0.001)

    async def all_at_once():
        await asyncio.gather(*(ask_soon(f"task{number}") for number in range(5)))

    threads = [threading.Thread(target=ask, args=(f"thread{number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(all_at_once())
    asked = {one.id: one for one in kept.named(names.ASK)}
    assert len(asked) == 10
    assert len(kept.named("stage")) == 10
    for one in kept.named("stage"):
        assert asked[one.parent].attributes["who"] == one.attributes["who"]


def test_several_questions_are_gone_on_with_together_in_another_thread(kept):
    places = []
    with asking(1, {"who": "a"}):
        places += here()
        with asking(1):
            pass
    with asking(1, {"who": "b"}):
        places += here()
    with within(places), span("together"):
        tell({"batch": 1})
    assert [one.trace for one in kept.named("together")] == [place.trace for place in places]
