"""What a scan finds, what it leaves out, what it rejects."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hybrid import report
from hybrid.config import DocumentSettings
from hybrid.documents import by_suffix, read, scan, supported_suffixes
from hybrid.errors import UsageError
from hybrid.types import Document

SETTINGS = DocumentSettings()


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Goats.")


def sources(found):
    return [file.source for file in found.files]


def test_files_are_sorted_and_hidden_or_unknown_ones_are_left_out(tmp_path):
    touch(tmp_path, "b.txt", "a/c.MD", "a.md", ".hidden/x.txt", ".x.txt", "prog.exe", "no_suffix")
    found = scan(tmp_path, SETTINGS)
    assert sources(found) == ["a.md", "a/c.MD", "b.txt"]
    assert found.rejected == ()
    assert found.skipped == 2
    assert found.files[0].size == 6


def test_files_without_a_reader_are_counted_by_suffix(tmp_path):
    touch(tmp_path, "a.txt", "a.XLS", "sub/b.xls", "prog.exe", "no_suffix", "drafts/c.xls", ".hidden.xls")
    found = scan(tmp_path, DocumentSettings(exclude=("drafts/",)))
    assert found.unread == {".exe": 1, ".xls": 2, "no suffix": 1}


def test_styles_scripts_and_fonts_are_no_text_that_nobody_read(tmp_path):
    touch(tmp_path, "a.html", "a.css", "b.JS", "font.woff2", "picture.png")
    found = scan(tmp_path, SETTINGS)
    assert found.skipped == 3
    assert found.unread == {".png": 1}


def test_exclude_is_written_as_in_gitignore(tmp_path):
    touch(tmp_path, "keep.txt", "drafts/a.txt", "x/drafts/b.txt", "a.log.txt", "x/important.log.txt")
    settings = DocumentSettings(exclude=("drafts/", "*.log.txt", "!important.log.txt"))
    assert sources(scan(tmp_path, settings)) == ["keep.txt", "x/important.log.txt"]


def test_a_malformed_pattern_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="exclude pattern"):
        scan(tmp_path, DocumentSettings(exclude=("!",)))


def test_a_missing_folder_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="No such file") as caught:
        scan(tmp_path / "gone", SETTINGS)
    assert caught.value.hint == "give the path of an existing folder or file"
    (tmp_path / "docs").mkdir()
    with pytest.raises(UsageError) as caught:
        scan(tmp_path / "Dcos", SETTINGS)
    assert caught.value.hint == "did you mean 'docs'?"


def test_a_single_file(tmp_path):
    touch(tmp_path, "a.txt", "b.exe")
    assert sources(scan(tmp_path / "a.txt", SETTINGS)) == ["a.txt"]
    (rejected,) = scan(tmp_path / "b.exe", SETTINGS).rejected
    assert "no reader for a suffix `.exe`; there are" in rejected.reason


def test_what_a_file_without_a_reader_can_be_saved_as_is_said(tmp_path):
    touch(tmp_path, "a.DOC", "b.xls", "d.xls", "c.zip", "e.exe")
    assert by_suffix(scan(tmp_path, SETTINGS).unread) == (
        "2 x .xls (save as .xlsx), 1 x .doc (save as .docx), 1 x .exe, 1 x .zip (unpack it)"
    )
    (rejected,) = scan(tmp_path / "a.DOC", SETTINGS).rejected
    assert "`.DOC` (save as .docx); there are" in rejected.reason


def test_of_many_suffixes_the_most_frequent_are_named_and_none_is_cut(tmp_path):
    touch(tmp_path, "a.exe", "b.exe", *(f"x.s{number}" for number in range(30)))
    told = by_suffix(scan(tmp_path, SETTINGS).unread)
    assert told.startswith("2 x .exe, 1 x .s0, ")
    assert told.endswith(", 19 of 19 other kinds")
    assert len(told) < 200


def test_links(tmp_path):
    outside = tmp_path / "outside"
    folder = tmp_path / "folder"
    touch(tmp_path, "outside/secret.txt", "folder/a.txt", "folder/sub/b.txt")
    (folder / "link.txt").symlink_to(outside / "secret.txt")
    (folder / "linked").symlink_to(outside)
    (folder / "inside.txt").symlink_to("a.txt")
    (folder / "loop").symlink_to(folder)
    (folder / "broken.txt").symlink_to("gone.txt")
    (folder / "self.txt").symlink_to("self.txt")
    found = scan(folder, SETTINGS)
    assert sources(found) == ["a.txt", "inside.txt", "sub/b.txt"]
    reasons = {entry.source: entry.reason for entry in found.rejected}
    assert set(reasons) == {"link.txt", "linked", "broken.txt", "self.txt"}
    assert "out of the folder" in reasons["link.txt"]
    assert "out of the folder" in reasons["linked"]
    assert "leads nowhere" in reasons["broken.txt"]


def test_special_files_are_not_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.txt")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.txt")
        found = scan(tmp_path, SETTINGS)
    assert found.files == ()
    assert found.skipped == 2
    (rejected,) = scan(tmp_path / "pipe.txt", SETTINGS).rejected
    assert "pipe" in rejected.reason


def test_a_folder_that_cannot_be_read_is_rejected_and_the_rest_goes_on(tmp_path, monkeypatch):
    touch(tmp_path, "a.txt", "locked/b.txt", "open/c.txt")
    real = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = scan(tmp_path, SETTINGS)
    assert sources(found) == ["a.txt", "open/c.txt"]
    assert [(entry.source, entry.reason) for entry in found.rejected] == [
        ("locked", "the folder cannot be read: Permission denied")
    ]


def test_names_with_newlines_emoji_and_bytes_that_are_not_utf8(tmp_path):
    touch(tmp_path, "line\nbreak 🐐.txt")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_bytes(b"Coffee.")
    found = scan(tmp_path, SETTINGS)
    assert sources(found) == ["caf\\xe9.txt", "line\nbreak 🐐.txt"]
    for file in found.files:
        file.source.encode("utf-8")
        (batch,) = read(file, SETTINGS)
        assert isinstance(batch.items[0], Document)


@pytest.mark.parametrize(
    ("names", "written"),
    [
        (("caf\\xe9.txt", os.fsdecode(b"caf\xe9.txt")), {"caf\\xe9.txt", "caf\\udce9.txt"}),
        (("M\u00fcller.txt", "Mu\u0308ller.txt"), {"M\u00fcller.txt", "Mu\\u0308ller.txt"}),
        (("\u00c5.txt", "\u212b.txt"), {"\u00c5.txt", "\\u212b.txt"}),
    ],
)
def test_two_names_that_read_the_same_keep_apart(tmp_path, names, written):
    touch(tmp_path, *names)
    found = scan(tmp_path, SETTINGS)
    assert set(sources(found)) == written
    assert found.rejected == ()
    assert len({file.path for file in found.files}) == 2
    assert all(file.path.read_text() == "Goats." for file in found.files)


def test_a_decomposed_name_is_a_composed_source_and_its_path_opens_it(tmp_path):
    touch(tmp_path, "Mu\u0308ller/u\u0308ber.txt", "drau\u0308ssen/a.txt")
    found = scan(tmp_path, DocumentSettings(exclude=("dr\u00e4ussen/", "dra\u00fcssen/")))
    assert sources(found) == ["M\u00fcller/\u00fcber.txt"]
    assert found.files[0].path.read_text() == "Goats."
    assert sources(scan(tmp_path / "Mu\u0308ller" / "u\u0308ber.txt", SETTINGS)) == ["\u00fcber.txt"]


def test_files_of_our_own_are_left_out_wherever_they_lie(tmp_path):
    question = '{"id": "1", "question": "Q?", "answers": ["A"], "answerable": true, "made": "gold"}\n'
    own = (
        "indexes/own/CURRENT",
        "indexes/own/generations/000001/manifest.json",
        "indexes/own/questions/made.jsonl",
        "half/staging.key",
        "half/lock",
        "half/staging.txt",
        "kept/settings.json",
        "kept/outcomes.jsonl",
        "kept/report.html",
        "adapters/x/card.json",
        "adapters/x/adapter_config.json",
        "adapters/x/README.md",
        "hybrid.toml",
    )
    pages = ("page.html", "told.html")
    touch(tmp_path, "a.txt", "b/CURRENT.txt", "rows.jsonl", "set.jsonl", "faq.jsonl", *pages, *own)
    (tmp_path / "set.jsonl").write_text(question)
    templates = Path(report.__file__).parent / "templates"
    (tmp_path / "told.html").write_text(templates.joinpath("page.html.j2").read_text().partition("#}\n")[2])
    (tmp_path / "faq.jsonl").write_text('{"id": 1, "question": "Q?", "answers": ["A"]}\n')
    found = scan(tmp_path, SETTINGS)
    assert sources(found) == ["a.txt", "b/CURRENT.txt", "faq.jsonl", "page.html", "rows.jsonl"]
    assert (found.unread, found.rejected, found.skipped) == ({}, (), 7)
    with pytest.raises(UsageError, match="is an index or an experiment"):
        scan(tmp_path / "indexes" / "own", SETTINGS)


def test_import_loads_no_reader():
    heavy = ["lxml", "pypdf", "docx", "pptx", "trafilatura", "pathspec", "torch", "pydantic"]
    code = f"import sys, hybrid.documents; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
    assert ".pdf" in supported_suffixes()


def test_names_have_one_normal_form_and_open_the_file(tmp_path):
    touch(tmp_path, "Ku\u0308ndigung.txt")
    (found,) = scan(tmp_path, SETTINGS).files
    assert found.source == "K\u00fcndigung.txt"
    assert found.path.read_text() == "Goats."
    touch(tmp_path, "K\u00fcndigung.txt")
    assert len(scan(tmp_path, SETTINGS).files) + len(scan(tmp_path, SETTINGS).rejected) == 2
