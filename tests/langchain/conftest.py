"""One small domain over the public fakes; the async tests of LangChain's suites are marked as such."""

import inspect
import os
import shutil
from pathlib import Path

import pytest

from hybrid import Assistant, Assistants, load_settings
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.types import Document

FILES = {
    "manual": {
        "port.txt": "The default port of the server is 5432.",
        "night.txt": "The server restarts every night at two.",
        "guide/backup.txt": "Backups are written to the archive folder each hour.",
    },
    "kitchen": {"oven.txt": "The oven bakes the dough.", "pan.txt": "Butter melts in the pan."},
}


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(name, obj):
    marks = [mark.name for mark in getattr(obj, "pytestmark", ())]
    if inspect.iscoroutinefunction(obj) and "asyncio" not in marks:
        pytest.mark.asyncio(obj)


def small_domain(name, indexes):
    """Return a domain of the fakes."""
    values = {"indexes": str(indexes), "documents": {"workers": 1}, "grounding": {"scorer": "align"}}
    settings = load_settings(values, file=Path(os.devnull), environment={})
    return Assistant(
        name, settings=settings, embedder=HashEmbedder(64), generator=ScriptedGenerator(["It is 5432."])
    )


@pytest.fixture
def empty(tmp_path):
    return small_domain("notes", tmp_path)


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A folder with two domains, built once."""
    indexes = tmp_path_factory.mktemp("indexes")
    for name, texts in FILES.items():
        small_domain(name, indexes).update([Document(source, text) for source, text in texts.items()])
    return indexes


@pytest.fixture
def manual(built, tmp_path):
    shutil.copytree(built, tmp_path / "indexes")
    return small_domain("manual", tmp_path / "indexes")


@pytest.fixture
def several(manual):
    generator = ScriptedGenerator(["It is 5432."])
    return Assistants(settings=manual.settings, embedder=HashEmbedder(64), generator=generator)
