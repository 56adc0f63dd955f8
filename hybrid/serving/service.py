"""What is served: the domains, what answers for them, and what is kept of it."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from hybrid.config import Settings
from hybrid.domains import Assistants
from hybrid.errors import HybridError
from hybrid.operations.feedback import Feedback, kept_answer
from hybrid.serving.access import Access
from hybrid.serving.protocol import Answering, Asking, OneWorker
from hybrid.types import Answer

_log = logging.getLogger("hybrid.serving")


@dataclass(frozen=True, slots=True)
class Service:
    """What every route of the server is made from.

    Args:
        assistants: the domains, which stay the caller's.
        answering: what answers a question.
        access: who may ask.
        feedback: keeps the answers; None where the owner wants none kept.
    """

    assistants: Assistants
    answering: Answering
    access: Access = field(default_factory=Access)
    feedback: Feedback | None = None

    @staticmethod
    def over(assistants: Assistants, access: Access | None = None) -> Service:
        """Return the service of some domains with all that their settings ask for."""
        feedback = Feedback.of(assistants.settings)
        return Service(assistants, OneWorker(assistants), access or Access(), feedback)

    @property
    def settings(self) -> Settings:
        """Return the settings that hold for all domains."""
        return self.assistants.settings

    async def answer(self, asked: Asking) -> Answer:
        """Return the answer to a question, and keep it; raises as ``Answering.answer``."""
        answer = await self.answering.answer(asked)
        await self._keep(asked, answer)
        return answer

    async def stream(self, asked: Asking) -> AsyncGenerator[str | Answer, None]:
        """Yield the answer in pieces of text, and at last, once it is kept, as an ``Answer``."""
        async with aclosing(self.answering.stream(asked)) as parts:
            async for part in parts:
                if isinstance(part, Answer):
                    await self._keep(asked, part)
                yield part

    async def close(self) -> None:
        """Answer what was accepted, and close what is kept."""
        await self.answering.close()
        if self.feedback is not None:
            self.feedback.close()

    async def _keep(self, asked: Asking, answer: Answer) -> None:
        if self.feedback is not None and not asked.auxiliary:
            await run_in_threadpool(self._kept, self.feedback, asked, answer)

    def _kept(self, feedback: Feedback, asked: Asking, answer: Answer) -> None:
        try:
            identity = self.assistants[answer.domain].identity(answer) if answer.domain else ""
            feedback.keep(
                kept_answer(
                    asked.id,
                    answer,
                    conversation=asked.conversation,
                    identity=identity,
                    as_user=asked.as_user,
                )
            )
        except HybridError:  # the answer is there all the same
            _log.exception("an answer was not kept")
