"""A question of a client is in the trace from when it was accepted, and says whose it was."""

import asyncio
import time

from hybrid.config import ServeSettings
from hybrid.models.cancelling import require_patience
from hybrid.serving.protocol import Asking
from hybrid.serving.scheduler import Scheduler
from hybrid.tracing import names
from hybrid.tracing.spans import sent_to, span
from hybrid.types import Answer, Arm


class Slow:
    """Answers after a stage that goes on until nobody waits, where the question says so."""

    def stream(self, question, **_):
        with span("stage"):
            while question == "wait":
                require_patience()
        yield "x"
        yield Answer(question, "x", Arm.RAG, "fake")

    def ask(self, question, **given):
        *_, answer = self.stream(question, **given)
        return answer


class Kept(list):
    """Keeps all spans."""

    def add(self, spans):
        self.extend(spans)

    def close(self):
        pass


def test_what_is_refused_or_out_of_time_is_an_error_of_its_question():
    kept = Kept()

    async def run():
        scheduler = Scheduler(Slow(), ServeSettings(parallel=1, queue=1))
        late = Asking("wait", deadline=time.monotonic() + 0.2, conversation="late")
        working = asyncio.create_task(scheduler.answer(late))
        await asyncio.sleep(0.05)
        waiting = asyncio.create_task(scheduler.answer(Asking("q", conversation="waiting")))
        await asyncio.sleep(0.05)
        refused = scheduler.answer(Asking("q", conversation="refused"))
        await asyncio.gather(refused, waiting, working, return_exceptions=True)
        await scheduler.close()

    with sent_to([kept]):
        asyncio.run(run())
    errors = {one.attributes[names.CONVERSATION]: one.error for one in kept if one.name == names.ASK}
    assert errors == {"late": "OutOfTime", "waiting": "", "refused": "Overloaded"}


def test_who_has_the_answer_and_is_gone_has_cancelled_nothing():
    kept = Kept()

    async def run():
        scheduler = Scheduler(Slow(), ServeSettings(parallel=2))
        for number in range(50):
            await scheduler.answer(Asking(f"q{number}"))
        await scheduler.close()

    with sent_to([kept]):
        asyncio.run(run())
    outcomes = [one.attributes.get(names.OUTCOME) for one in kept if one.name == names.ASK]
    assert outcomes == [None] * 50  # whatever answers says the others


def test_a_client_that_leaves_has_cancelled_its_question_and_titles_are_counted_apart():
    kept = Kept()

    async def run():
        scheduler = Scheduler(Slow(), ServeSettings(parallel=2))
        answered = Asking("q", conversation="c")
        left = asyncio.create_task(scheduler.answer(Asking("wait", conversation="left")))
        await scheduler.answer(answered)
        await scheduler.answer(Asking("a title", auxiliary=True))
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        await scheduler.close()
        return answered.id

    with sent_to([kept]):
        name = asyncio.run(run())
    asked = {one.attributes[names.CONVERSATION]: one for one in kept if one.name == names.ASK}
    assert set(asked) == {"c", "left"}
    assert asked["c"].attributes[names.ANSWER_ID] == name
    assert asked["left"].attributes[names.OUTCOME] == "cancelled"
    assert [one.name for one in kept].count(names.ASIDE) == 1
    stages = {one.trace: one for one in kept if one.name == "stage"}
    assert {one.parent for one in stages.values()} == {one.id for one in kept if one.name != "stage"}
