"""A served conversation has the arm of its trial in all of its turns, and keeps which one that was."""

import asyncio
import dataclasses

from hybrid.operations.feedback import TrialSide
from hybrid.operations.traffic import start_split, stop_split
from hybrid.serving.protocol import Asking
from hybrid.serving.service import Service


async def served(assistants, asked):
    """Return the arm and the trial that each question was kept with."""
    service = Service.over(assistants)
    for one in asked:
        await service.answer(one)
    kept = [service.feedback.answer(one.id) for one in asked]
    await service.close()
    return [(one.answer.variant, one.trial) for one in kept]


def test_a_conversation_is_answered_and_kept_by_the_arm_of_its_trial(open_domains):
    assistants = open_domains()
    split = start_split(assistants["manual"], "rag:k=2", share=0.5)
    treated, usual = (
        next(name for name in map(str, range(99)) if split.treats(name) is side) for side in (True, False)
    )

    first = Asking("What is the default port of the server?", conversation=treated)
    asked = [
        first,
        dataclasses.replace(first, id="two", domain="manual"),
        dataclasses.replace(first, id="three", conversation=usual),
        dataclasses.replace(first, id="four", arm="rag:k=3"),
        dataclasses.replace(first, id="five", question="Which oven bakes the dough?"),
    ]
    by_it, beside = (TrialSide(split.experiment, side) for side in (True, False))
    assert asyncio.run(served(assistants, asked)) == [
        ("rag:k=2", by_it),
        ("rag:k=2", by_it),
        ("rag", beside),
        ("rag:k=3", None),
        ("rag", None),
    ]
    stop_split(assistants["manual"])
