"""`hybrid documents show`, as a user types it."""

import json

from hybrid.cli.app import run


def shown(capsys, *arguments, code=0):
    assert run(["documents", "show", *map(str, arguments)]) == code
    return capsys.readouterr().out


def test_a_document_is_shown_block_by_block(tmp_path, capsys):
    page = tmp_path / "parts.md"
    page.write_text("# Parts\n\nAll of steel.\n\n| Part | Stock |\n|---|---|\n| P055 | 85 |\n")
    lines = shown(capsys, page).splitlines()
    assert lines[0].startswith("parts.md: 'Parts'") and lines[0].endswith("100.0% kept")
    assert "      All of steel." in lines
    assert "      P055 | 85" in lines


def test_what_cannot_be_read_says_why(tmp_path, capsys):
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    assert "broken.pdf: not read: " in shown(capsys, tmp_path / "broken.pdf", code=6)


def test_as_json_it_is_all_there(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("One line.\n")
    (item,) = json.loads(shown(capsys, tmp_path / "a.txt", "--json"))["items"]
    assert item["text"] == "One line."
    assert item["left_out"] == []


def test_what_no_reader_is_for_names_the_suffixes_that_are_read(tmp_path, capsys):
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    assert ".md .mdx" in shown(capsys, tmp_path / "picture.png", code=6)


def test_an_empty_folder_and_a_missing_file_are_errors(tmp_path, capsys):
    shown(capsys, tmp_path, code=2)
    shown(capsys, tmp_path / "nowhere.txt", code=2)
