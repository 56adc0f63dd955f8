"""One small domain over the public fakes; the async tests of LangChain's suites are marked as such."""

import inspect

import pytest

from hybrid import Assistant, load_settings
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.types import Document

FILES = {
    "port.txt": "The default port of the server is 5432.",
    "night.txt": "The server restarts every night at two.",
    "guide/backup.txt": "Backups are written to the archive folder each hour.",
}


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(name, obj):
    marks = [mark.name for mark in getattr(obj, "pytestmark", ())]
    if inspect.iscoroutinefunction(obj) and "asyncio" not in marks:
        pytest.mark.asyncio(obj)


def small_domain(name, replies=("It is 5432.",)):
    """Return a domain of the fakes, below the current folder."""
    settings = load_settings({"documents": {"workers": 1}, "grounding": {"scorer": "align"}}, environment={})
    return Assistant(
        name, settings=settings, embedder=HashEmbedder(64), generator=ScriptedGenerator(list(replies))
    )


@pytest.fixture
def empty():
    return small_domain("notes")


@pytest.fixture
def manual():
    assistant = small_domain("manual")
    assistant.update([Document(source, text) for source, text in FILES.items()])
    return assistant
