"""Who may read a document: every way to say it, and what nobody can read."""

from pathlib import Path

import pytest

from hybrid.config import DocumentSettings
from hybrid.documents import scan
from hybrid.documents.source import SourceFile, Unreadable, parse_principals, rule_for
from hybrid.errors import UsageError
from hybrid.types import Document, Rejected


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ("anna", ("anna",)),
        ("staff, anna ,staff", ("anna", "staff")),
        ("anna; staff\nbob\n", ("anna", "bob", "staff")),
        ("[anna, 'team a']", ("anna", "team a")),
        ('["cn=anna,ou=x"]', ("cn=anna,ou=x",)),
        (["anna"], ("anna",)),
        ({"anna"}, ("anna",)),
        ("", ()),
        ("[]", ()),
        (None, ()),
        ([], ()),
    ],
)
def test_names_are_read_from_lists_and_texts(said, names):
    assert parse_principals(said) == names


@pytest.mark.parametrize(
    "said",
    [
        *(5, True, {"anna": 1}, ["anna", None], ["anna", ""], ["a\nb"], ["\ud800"]),
        *('["anna"', '["anna", 5]', "[anna", '{"anna": 1}', "anna # the boss", "| ", '"anna'),
    ],
)
def test_what_names_nobody_in_a_known_way_is_refused(said):
    with pytest.raises(Unreadable):
        parse_principals(said)


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("---\nprincipals: anna, staff\n---\ntext", ("anna", "staff")),
        ("---\nprincipals: [anna]\ntitle: T\n---\ntext", ("anna",)),
        ("---\ntitle: T\nprincipals:\n  - anna\n  - 'team a'\n---\ntext", ("anna", "team a")),
        ("---\nPrincipals :\n- anna\n---\ntext", ("anna",)),
        ("---\nprincipals:\n---\ntext", ()),
        ("---\ntitle: T\n---\ntext", None),
        ("principals: anna", None),
        (f"---\nprincipals: {'x' * 600}, anna\n---\ntext", ("anna", "x" * 600)),
    ],
)
def test_front_matter_says_who_may_read_a_page_and_no_reader_sees_it(read_items, page, names):
    (document,) = read_items("page.md", page)
    assert document.principals == names
    assert "principals" not in {key.lower() for key in document.metadata}
    assert names is None or document.text == "text"


@pytest.mark.parametrize(
    "page",
    [
        "---\nprincipals: {anna}\n---\ntext",
        "---\nprincipals: anna\nPrincipals: bob\n---\ntext",
        "---\nprincipals: anna\nprincipals: bob\n---\ntext",
        "---\nprincipals: anna\n\ntext without an end",
    ],
)
def test_a_page_whose_rule_is_broken_is_rejected(read_items, page):
    (item,) = read_items("page.md", page)
    assert isinstance(item, Rejected)
    assert "who may read it" in item.reason


def test_a_column_says_who_may_read_a_row_and_is_neither_text_nor_metadata(read_items):
    items = read_items("rows.csv", "name,principals\nalpha,anna; staff\nbeta,\ngamma\ndelta,{\n")
    assert [item.principals for item in items[:3]] == [("anna", "staff"), (), ()]
    assert [item.text for item in items[:3]] == ["name: alpha", "name: beta", "name: gamma"]
    assert all("principals" not in item.metadata for item in items[:3])
    assert isinstance(items[3], Rejected)


def test_a_field_says_who_may_read_a_line_of_json(read_items):
    lines = ['["anna"]', '"anna, staff"', "null", "7"]
    items = read_items(
        "rows.jsonl", "\n".join(f'{{"text": "alpha", "principals": {rule}}}' for rule in lines)
    )
    assert [item.principals for item in items[:3]] == [("anna",), ("anna", "staff"), ()]
    assert all(isinstance(item, Document) and not item.metadata for item in items[:3])
    assert "int" in items[3].reason


def test_a_rule_beside_a_file_is_read_and_the_callers_goes_before_it(tmp_path):
    path = tmp_path / "a.pdf"
    file = SourceFile("a.pdf", path, 1)
    assert rule_for(file, None) is None
    Path(f"{path}.principals").write_text("anna\nstaff\n")
    assert rule_for(file, None) == ("anna", "staff")
    assert rule_for(file, lambda source: None) == ("anna", "staff")
    assert rule_for(file, lambda source: [source]) == ("a.pdf",)
    assert rule_for(file, lambda source: []) == ()


@pytest.mark.parametrize("broken", [b"\xff\xfe", b'{"anna": 1}', b"[anna", None, "link"])
def test_a_broken_rule_beside_a_file_is_an_error(tmp_path, broken):
    rule = tmp_path / "a.pdf.principals"
    if broken is None:
        rule.mkdir()
    elif broken == "link":
        rule.symlink_to(tmp_path / "nowhere")
    else:
        rule.write_bytes(broken)
    with pytest.raises(UsageError, match=r"who may read 'a\.pdf'") as caught:
        rule_for(SourceFile("a.pdf", tmp_path / "a.pdf", 1), None)
    assert caught.value.hint


def test_a_caller_that_returns_no_names_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="principals="):
        rule_for(SourceFile("a.pdf", tmp_path / "a.pdf", 1), lambda source: [7])


def test_a_rule_beside_no_document_is_told(tmp_path):
    for name in ("a.txt", "a.txt.principals", "b.txt.principals", "c.bin", "c.bin.principals"):
        (tmp_path / name).write_text("anna")
    found = scan(tmp_path, DocumentSettings())
    assert [file.source for file in found.files] == ["a.txt"]
    assert [item.source for item in found.rejected] == ["b.txt.principals"]
    assert (found.skipped, found.unread) == (0, {".bin": 1}), "a rule is read, not skipped"
