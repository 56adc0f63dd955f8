"""Retrieval, adaptation, or both? Measure it per domain, decide with evidence, run what was decided."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hybrid.assistant import Assistant
    from hybrid.config import Settings, load_settings
    from hybrid.domains import Assistants
    from hybrid.errors import HybridError
    from hybrid.types import Answer, Arm, Chunk, Citation, Document, Hit, Question, Rejected

__version__ = "0.1.0"

# Names are resolved at first use: importing the package must not load what a command does not need.
_HOMES = {
    "Answer": "hybrid.types",
    "Arm": "hybrid.types",
    "Assistant": "hybrid.assistant",
    "Assistants": "hybrid.domains",
    "Chunk": "hybrid.types",
    "Citation": "hybrid.types",
    "Document": "hybrid.types",
    "Hit": "hybrid.types",
    "HybridError": "hybrid.errors",
    "Question": "hybrid.types",
    "Rejected": "hybrid.types",
    "Settings": "hybrid.config",
    "load_settings": "hybrid.config",
}

__all__ = [
    "Answer",
    "Arm",
    "Assistant",
    "Assistants",
    "Chunk",
    "Citation",
    "Document",
    "Hit",
    "HybridError",
    "Question",
    "Rejected",
    "Settings",
    "__version__",
    "load_settings",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'hybrid' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
