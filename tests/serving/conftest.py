"""Two small domains over the public fakes, served on a free port of this machine, once a module."""

import contextlib
import os
import threading
from pathlib import Path

import pytest

from hybrid import Assistant, Assistants, load_settings
from hybrid.serving.app import address, listen, server
from hybrid.serving.protocol import Access
from hybrid.serving.service import Service
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


@pytest.fixture(scope="session")
def open_domains(tmp_path_factory):
    """Build and open domains: open_domains({"manual": {"port.txt": text or Document}})."""

    def build(files=FILES, **sections):
        values = {
            "indexes": str(tmp_path_factory.mktemp("indexes")),
            "documents": {"workers": 1},
            "grounding": {"scorer": "align"},
            **sections,
        }
        settings = load_settings(values, file=Path(os.devnull), environment={})
        embedder, generator = HashEmbedder(64), ScriptedGenerator(["It is 5432."])
        for name, texts in files.items():
            one = Assistant(name, settings=settings, embedder=embedder, generator=generator)
            one.update(
                [
                    text if isinstance(text, Document) else Document(source, text)
                    for source, text in texts.items()
                ]
            )
        return Assistants(settings=settings, embedder=embedder, generator=generator)

    return build


@pytest.fixture(scope="session")
def serve_at():
    """Serve for a while: with serve_at(service) as url: ..."""
    return _served


@contextlib.contextmanager
def _served(service):
    """Serve at a free port, and yield the address."""
    opened = listen("127.0.0.1", 0)
    running = server(service)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [opened]}, daemon=True)
    thread.start()
    try:
        yield address(opened)
    finally:
        running.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def url(open_domains, serve_at):
    with serve_at(Service.over(open_domains(), Access())) as where:
        yield where


@pytest.fixture(scope="session")
def pdf():
    """Build a PDF of pages of lines: pdf([["first line", "second line"], ["of the next page"]])."""
    return _pdf


def _pdf(pages):
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    kids = []
    for lines in pages:
        drawn = "".join(
            f"BT /F1 12 Tf 72 {720 - 24 * row} Td ({line}) Tj ET\n" for row, line in enumerate(lines)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn.encode()))
        own = f"/Contents {len(objects)} 0 R /Resources << /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] {own} >>".encode())
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    data, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    data += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(data)
