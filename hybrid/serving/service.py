"""What is served: the domains, and what answers for them."""

from __future__ import annotations

from dataclasses import dataclass, field

from hybrid.config import Settings
from hybrid.domains import Assistants
from hybrid.serving.access import Access
from hybrid.serving.protocol import Answering, OneWorker


@dataclass(frozen=True, slots=True)
class Service:
    """What every route of the server is made from; whoever opens it closes its parts.

    Args:
        assistants: the domains, which stay the caller's.
        answering: what answers a question; the server closes it when it stops.
        access: who may ask.
    """

    assistants: Assistants
    answering: Answering
    access: Access = field(default_factory=Access)

    @staticmethod
    def over(assistants: Assistants, access: Access | None = None) -> Service:
        """Return the service of some domains, which answers from threads of its own."""
        return Service(assistants, OneWorker(assistants), access or Access())

    @property
    def settings(self) -> Settings:
        """Return the settings that hold for all domains."""
        return self.assistants.settings
