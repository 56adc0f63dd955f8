"""`hybrid documents show`, as a user types it."""

import json
from dataclasses import replace

import pytest

from hybrid.cli.app import run
from hybrid.cli.index import _left_out_lines
from hybrid.index.store import Store
from hybrid.types import LeftOut


def shown(capsys, *arguments, code=0):
    assert run(["documents", "show", *map(str, arguments)]) == code
    return capsys.readouterr().out


@pytest.mark.slow
def test_a_document_is_shown_block_by_block(tmp_path, capsys):
    page = tmp_path / "parts.md"
    page.write_text("# Parts\n\nAll of steel.\n\n| Part | Stock |\n|---|---|\n| P055 | 85 |\n")
    lines = shown(capsys, page).splitlines()
    assert lines[0].startswith("parts.md: 'Parts'") and lines[0].endswith("100.0% kept")
    assert "      All of steel." in lines
    assert "      P055 | 85" in lines


@pytest.mark.slow
def test_what_cannot_be_read_says_why(tmp_path, capsys):
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    assert "broken.pdf: not read: " in shown(capsys, tmp_path / "broken.pdf", code=6)


@pytest.mark.slow
def test_as_json_it_is_all_there(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("One line.\n")
    (item,) = json.loads(shown(capsys, tmp_path / "a.txt", "--json"))["items"]
    assert item["text"] == "One line."
    assert item["left_out"] == []


def test_what_no_reader_is_for_names_the_suffixes_that_are_read(tmp_path, capsys):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    assert ".md .mdx" in shown(capsys, tmp_path / "picture.png", code=6)


@pytest.mark.slow
def test_files_without_a_reader_in_a_folder_are_told(tmp_path, capsys):
    (tmp_path / "mail.msg").write_text("Hello")
    assert run(["documents", "show", str(tmp_path)]) == 2
    assert "1 x .msg" in capsys.readouterr().err
    (tmp_path / "a.txt").write_text("One line.\n")
    assert run(["documents", "show", str(tmp_path)]) == 6
    assert "no reader for 1 x .msg" in capsys.readouterr().err


def test_an_empty_folder_and_a_missing_file_are_errors(tmp_path, capsys):
    shown(capsys, tmp_path, code=2)
    shown(capsys, tmp_path / "nowhere.txt", code=2)


@pytest.mark.slow
def test_index_and_status_say_what_was_left_out_and_what_nobody_read(tmp_path, capsys, monkeypatch):
    missing, repeated = LeftOut("damaged stretch", 2, lost=True), LeftOut("navigation", 1, 60)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("Forty characters of a text that is kept.")
    (tmp_path / "docs" / "mail.msg").write_text("Hello")
    add = Store.add

    def add_less(store, content, state, *, fingerprint):
        (item,) = content.documents
        item = replace(item, document=replace(item.document, left_out=(missing, repeated)))
        add(store, replace(content, documents=(item,)), state, fingerprint=fingerprint)

    monkeypatch.setattr(Store, "add", add_less)
    assert run(["index", str(tmp_path / "docs")]) == 6
    told = capsys.readouterr().err
    assert "no reader for 1 x .msg" in told
    assert "left out   2 x damaged stretch, lost; 1 x navigation (60 characters)" in told
    assert "a.txt: 40% of what could be read kept; 2 x damaged stretch" in told
    assert run(["status"]) == 0
    assert "  left out   2 x damaged stretch, lost" in capsys.readouterr().out


@pytest.mark.slow
def test_of_how_many_pages_some_have_no_text(tmp_path, capsys):
    (tmp_path / "docs").mkdir()
    page = "/Type /Page /Parent 2 0 R /MediaBox [0 0 600 800]"
    font = "/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    objects = (
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R 4 0 R 3 0 R] /Count 3 >>",
        f"<< {page} /Contents 5 0 R {font} >>",
        f"<< {page} >>",
        "<< /Length 44 >> stream\nBT /F1 11 Tf 60 700 Td (Half of the text) Tj ET\nendstream",
    )
    body = "".join(f"{number} 0 obj {each} endobj\n" for number, each in enumerate(objects, 1))
    (tmp_path / "docs" / "half.pdf").write_text(f"%PDF-1.4\n{body}trailer << /Root 1 0 R >>\n%%EOF")
    out = shown(capsys, tmp_path / "docs" / "half.pdf", code=6)
    assert "3 pages, 100.0% of what could be read kept" in out.splitlines()[0]
    assert "  left out: 1 of 3 pages without text, lost" in out
    assert "  page 2: no text begins here" in out
    assert run(["index", str(tmp_path / "docs")]) == 6
    assert "half.pdf: 100% of what could be read kept; 1 of 3 pages without text" in capsys.readouterr().err
    assert run(["status", "--json"]) == 0
    (domain,) = json.loads(capsys.readouterr().out)["domains"]
    (part,) = domain["left_out"]["half.pdf"]
    assert (part["kind"], part["count"], part["of"], part["lost"]) == ("page without text", 1, 3, True)


def test_pages_that_were_recognised_are_told_apart_from_what_is_left_out():
    parts = (LeftOut("page read by OCR", 12, of=14), LeftOut("running head", 3, 60))
    assert list(_left_out_lines({"a.pdf": parts}, {"a.pdf": 900}))[:2] == [
        "12 of 14 pages read by OCR",
        "left out   3 x running head (60 characters)",
    ]
