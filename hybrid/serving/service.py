"""What is served: the domains, what answers for them, and what is kept of it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from hybrid.config import Settings
from hybrid.domains import Assistants
from hybrid.errors import HybridError
from hybrid.operations.feedback import Feedback, TrialSide, kept_answer
from hybrid.operations.traffic import Shadows, assign
from hybrid.serving.protocol import Access, Answering, Asking
from hybrid.serving.scheduler import Scheduler
from hybrid.types import Answer

_log = logging.getLogger("hybrid.serving")


@dataclass(frozen=True, slots=True)
class Service:
    """What every route of the server is made from.

    Args:
        assistants: the domains, which stay the caller's.
        answering: what answers a question.
        access: who may ask.
        feedback: keeps the answers; None where the owner wants none kept, and nothing is on trial.
        shadows: answers by the arms that are tried unseen.
    """

    assistants: Assistants
    answering: Answering
    access: Access = field(default_factory=Access)
    feedback: Feedback | None = None
    shadows: Shadows | None = None

    @staticmethod
    def over(assistants: Assistants, access: Access | None = None) -> Service:
        """Return the service of some domains with all that their settings ask for."""
        settings = assistants.settings
        feedback = Feedback.of(settings)
        shadows = Shadows(assistants, feedback) if feedback is not None else None
        answering = Scheduler(assistants, settings.serve)
        return Service(assistants, answering, access or Access(), feedback, shadows)

    @property
    def settings(self) -> Settings:
        """Return the settings that hold for all domains."""
        return self.assistants.settings

    async def answer(self, asked: Asking) -> Answer:
        """Return the answer to a question, and keep it; raises as ``Answering.answer``."""
        asked, trials = self._assigned(asked)
        answer = await self.answering.answer(asked)
        await self._keep(asked, answer, trials)
        return answer

    async def stream(self, asked: Asking) -> AsyncGenerator[str | Answer, None]:
        """Yield the answer in pieces of text, and at last, once it is kept, as an ``Answer``."""
        asked, trials = self._assigned(asked)
        async with aclosing(self.answering.stream(asked)) as parts:
            async for part in parts:
                if isinstance(part, Answer):
                    await self._keep(asked, part, trials)
                yield part

    async def close(self) -> None:
        """Answer what was accepted, and close what is kept."""
        await self.answering.close()
        if self.shadows is not None:
            await run_in_threadpool(self.shadows.close)
        if self.feedback is not None:
            self.feedback.close()

    def _assigned(self, asked: Asking) -> tuple[Asking, Mapping[str, TrialSide]]:
        """Return a question with the arms that its conversation has in the trials of the domains."""
        if self.feedback is None or asked.arm is not None or asked.auxiliary:
            return asked, {}
        found = assign(self.assistants, asked.conversation)
        return dataclasses.replace(asked, arm=found.arms or None), found.trials

    async def _keep(self, asked: Asking, answer: Answer, trials: Mapping[str, TrialSide]) -> None:
        if self.feedback is not None and not asked.auxiliary:
            await run_in_threadpool(self._kept, self.feedback, asked, answer, trials.get(answer.domain))

    def _kept(self, feedback: Feedback, asked: Asking, answer: Answer, trial: TrialSide | None) -> None:
        try:
            identity = self.assistants[answer.domain].asked.identity(answer) if answer.domain else ""
            kept = kept_answer(
                asked.id,
                answer,
                conversation=asked.conversation,
                identity=identity,
                as_user=asked.as_user,
                trial=trial,
            )
            feedback.keep(kept)
            if self.shadows is not None:
                self.shadows.follow(kept)
        except HybridError:  # the answer is there all the same
            _log.exception("an answer was not kept")
