"""DOCX, PPTX and EPUB, and the archives that pretend to be one."""

import io
import itertools
import zipfile

import docx
import pytest

from hybrid.types import Document, Rejected

BOMB = """<?xml version="1.0"?><!DOCTYPE w:document [<!ENTITY a "aaaaaaaaaaaaaaaaaaaaaaaa">{entities}]>
<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r>
<w:t>&j;</w:t></w:r></w:p></w:body></w:document>"""


def saved(document):
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def word_bytes():
    word = docx.Document()
    word.core_properties.title = "<i>Goat</i> care"
    word.core_properties.author = "Heidi"
    word.add_heading("Goats", 0)
    word.add_heading("Food", 2)
    word.add_paragraph("They eat\ngrass.")
    word.add_paragraph("hay", style="List Bullet")
    word.add_paragraph("leaves", style="List Bullet 2")
    table = word.add_table(rows=2, cols=3)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "name"
    table.cell(0, 2).text = "legs"
    table.cell(1, 0).text = "goat"
    table.cell(1, 2).text = "4"
    word.add_paragraph("The end.")
    return saved(word)


def test_docx(read_one, blocks_of):
    document = read_one("a.docx", word_bytes())
    assert document.title == "Goat care"
    assert document.metadata == {"author": "Heidi"}
    assert blocks_of(document) == [
        ("heading", 1, "Goats"),
        ("heading", 2, "Food"),
        ("paragraph", 0, "They eat\ngrass."),
        ("list", 0, "- hay\n  - leaves"),
        ("table", 0, "name | legs\ngoat | 4"),
        ("paragraph", 0, "The end."),
    ]


@pytest.fixture(scope="module")
def gigabyte():
    """A gigabyte of zeros as an archive of a few megabytes, packed in a hurry."""
    stream = io.BytesIO()
    archive = zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with archive, archive.open("word/document.xml", "w", force_zip64=True) as entry:
        for _ in range(1024):
            entry.write(bytes(1 << 20))
    return stream.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.epub"])
def test_a_zip_bomb_is_rejected_before_it_is_unpacked(read_one, tmp_path, gigabyte, name):
    path = tmp_path / name
    path.write_bytes(gigabyte)
    assert path.stat().st_size < 5_000_000
    item = read_one(name, path)
    assert "unpacks to 1,024 MB" in item.reason
    assert "looks like a zip bomb" in read_one(name, path, max_zip_megabytes=2000).reason


def test_an_archive_that_lies_about_its_size_is_rejected(read_one):
    data = word_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = archive.getinfo("word/document.xml").file_size
    lying = data.replace(size.to_bytes(4, "little"), (size // 2).to_bytes(4, "little"))
    assert lying != data
    assert "damaged" in read_one("a.docx", lying).reason


@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.epub"])
def test_what_is_no_archive_is_rejected(read_one, make_zip, name):
    assert "not a readable zip archive" in read_one(name, b"PK\x03\x04 and nothing").reason
    assert "damaged" in read_one(name, make_zip(name, {"x": "y"})).reason
    if name != "a.epub":
        assert read_one(name, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99)).reason.startswith("encrypted")


def test_billion_laughs(read_one, tmp_path):
    names = "abcdefghij"
    entities = "".join(f'<!ENTITY {name} "{f"&{last};" * 40}">' for last, name in itertools.pairwise(names))
    source = io.BytesIO(word_bytes())
    path = tmp_path / "laughs.docx"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            text = (
                BOMB.format(entities=entities) if entry.filename == "word/document.xml" else old.read(entry)
            )
            new.writestr(entry.filename, text)
    item = read_one("laughs.docx", path)
    assert isinstance(item, Rejected) or len(item.text) < 1000


def test_a_truncated_archive_is_rejected(read_one):
    assert "damaged" in read_one("a.docx", word_bytes()[:-100]).reason
    assert isinstance(read_one("a.docx", word_bytes()), Document)
