"""Files made on the spot, and the way they are read."""

import zipfile
from pathlib import Path

import pytest

from hybrid.config import DocumentSettings
from hybrid.documents import SourceFile, read


@pytest.fixture
def read_items(tmp_path):
    """Write a file and read it in this process: read_items(name, content, **settings) -> items."""

    def call(name, content, **settings):
        path = content if isinstance(content, Path) else tmp_path / name
        if not isinstance(content, Path):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        file = SourceFile(name, path, path.stat().st_size)
        batches = list(read(file, DocumentSettings(**settings)))
        assert [batch.last for batch in batches] == [False] * (len(batches) - 1) + [True]
        return [item for batch in batches for item in batch.items]

    return call


@pytest.fixture
def read_one(read_items):
    """Like read_items, for a file that is one document."""

    def call(name, content, **settings):
        (item,) = read_items(name, content, **settings)
        return item

    return call


@pytest.fixture
def blocks_of():
    """Return (kind, level, text) of every block, after checking the offsets."""

    def call(document):
        found = []
        end = 0
        for block in document.blocks:
            text = document.text[block.start : block.end]
            assert end <= block.start < block.end <= len(document.text)
            assert text == text.strip()
            end = block.end
            found.append((block.kind.value, block.level, text))
        return found

    return call


@pytest.fixture
def make_pdf():
    """Build a PDF: make_pdf([[(x, y, size, font, text), ...], ...]); fonts are F1, F2 bold, F3 mono."""
    return build_pdf


def build_pdf(pages, info=""):
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>"}
    for number, name in enumerate(("Helvetica", "Helvetica-Bold", "Courier"), start=3):
        objects[number] = f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} >>".encode()
    kids = []
    number = 6
    for lines in pages:
        content = "".join(
            f"BT /{font} {size} Tf {x} {y} Td ({_escaped(text)}) Tj ET\n" for x, y, size, font, text in lines
        ).encode("latin-1")
        objects[number] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)
        objects[number + 1] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {number} 0 R "
            "/Resources << /Font << /F1 3 0 R /F2 4 0 R /F3 5 0 R >> >> >>"
        ).encode()
        kids.append(f"{number + 1} 0 R")
        number += 2
    objects[2] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    if info:
        objects[number] = f"<< /Title ({_escaped(info)}) >>".encode()
    data = bytearray(b"%PDF-1.4\n")
    offsets = {}
    for key, value in objects.items():
        offsets[key] = len(data)
        data += b"%d 0 obj\n%s\nendobj\n" % (key, value)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % offsets[key] for key in sorted(objects))
    trailer = f"/Info {number} 0 R " if info else ""
    data += (
        f"trailer << /Size {len(objects) + 1} /Root 1 0 R {trailer}>>\nstartxref\n{start}\n%%EOF\n".encode()
    )
    return bytes(data)


def _escaped(text):
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


@pytest.fixture
def make_zip(tmp_path):
    """Build a zip archive from names and contents."""

    def call(name, entries):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry, content in entries.items():
                archive.writestr(entry, content)
        return path

    return call
