"""The fields above a page."""

import pytest

from hybrid.types import Rejected


@pytest.mark.parametrize(
    ("head", "metadata"),
    [
        ("---\ntags:\n- safety\n- hydraulics\n---\n", {"tags": "safety, hydraulics"}),
        (
            "---\nauthors: [Ana, Bo]\ndate: 2024-03-01 # when\n---\n",
            {"authors": "Ana, Bo", "date": "2024-03-01"},
        ),
        ("---\nsummary: >-\n  Long\n  one.\ndraft: false\n...\n", {"summary": "Long one.", "draft": "false"}),
        (
            "---\nauthor:\n  name: Ana\n  at: x\nversion: 1.10\n---\n",
            {"author": "name: Ana, at: x", "version": "1.10"},
        ),
        (
            '{\n  "title": "",\n  "tags": ["a", "b"],\n\n  "draft":true, "at": {"level": 1.5, "by": 0}}\n',
            {"tags": "a, b", "draft": "true", "at": "level: 1.5, by: 0"},
        ),
        ('{"date": "2024-03-01", "weight": 5}', {"date": "2024-03-01", "weight": "5"}),
        (
            '+++\ntags = ["a", "b"]\ndraft = true\n[params]\nlevel = 3\n+++\n',
            {"tags": "a, b", "draft": "true", "params": "level: 3"},
        ),
    ],
)
def test_fields_are_metadata_and_no_text(read_one, head, metadata):
    document = read_one("a.md", head + "\nText.\n")
    assert document.text == "Text."
    assert document.metadata == metadata


@pytest.mark.parametrize(
    "text",
    [
        "---\nWarning: the pump must be off.\n\nOpen the red valve.\n\n---\n\nThen close it.",
        "---\nNote: keep it dry at all times.\n---\nMore words.",
        "---\ntitle: &a x\ntags: *a\n---\nBody.",
        "---\n- one\n- two\n---\nBody.",
        '{"port": 5432}\n\nis the answer of the server.',
        '{"title": 1} is an example.',
        '{"title": "a", "title": "b"}\n\nBody.',
        '{"title": "no end"\n\nBody.',
        "{{ title }}\n\nBody.",
        "---\ntitle: no end\n\nBody.",
        "+++\ntitle = no quotes\n+++\nBody.",
        "---\n" + "".join(f"a{n}: long\n" for n in range(3000)) + "---\nBody.",
    ],
)
def test_what_is_no_front_matter_stays(read_one, text):
    document = read_one("a.md", text)
    assert not document.metadata
    kept = set(document.text.split())
    assert {word for word in text.split() if word[0].isalnum()} <= kept


def test_a_long_field_is_cut_and_told(read_one):
    document = read_one("a.md", f"---\ntitle: T\nabstract: {'word ' * 200}\n---\nBody.")
    assert len(document.metadata["abstract"]) == 499  # 100 words
    assert document.left_out[0].characters == 499


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ('+++\nprincipals = ["anna", "bob"]\n+++\n', ("anna", "bob")),
        ("+++\ntitle = 'T'\nprincipals = []\n+++\n", ()),
        ("---\nextra:\n  principals: anna\n---\n", ("anna",)),
        ("---\ntags: [{principals: anna}]\n---\n", ("anna",)),
        ("---\nprincipals: anna # only she\n---\n", ("anna",)),
        ('{"principals": ["anna", "bob"]}\n', ("anna", "bob")),
        ('{"x": {"Principals": "anna"}} ', ("anna",)),
    ],
)
def test_who_may_read_it_holds_wherever_it_is_said(read_one, head, names):
    assert read_one("a.md", head + "text").principals == names


@pytest.mark.parametrize(
    "head",
    [
        "---\ntitle: a: b\nprincipals: anna\n---\n",
        '{"principals": "anna",}\n\n',
        '{"title": "a",\n\n"principals": ["anna"],\n}\n',
        '{"title": "' + "a" * 30_000 + '",\n\n"principals": ["anna"]\n}\n',
        '{"principals": "anna", "principals": "bob"}\n',
        '{"title": "a",\n"principals": {"a": 1}}\n',
        "+++\nprincipals = anna\n+++\n",
        "+++\nprincipals = 'a'\n\ntext",
        '---\n"principals": anna\nprincipals: {\n---\n',
        "---\nprincipals: anna\nmore: &a [x, *a]\n---\n",
    ],
)
def test_a_rule_that_cannot_be_read_is_never_read_by_all(read_one, head):
    item = read_one("a.md", head + "text")
    assert isinstance(item, Rejected)
    assert "who may read it" in item.reason


@pytest.mark.parametrize(
    "field", ["title: Broken: yaml: here", "title: Broken: yaml: here\n\tsub", "title: @home: x"]
)
def test_fields_that_are_no_yaml_are_read_line_by_line(read_one, field):
    document = read_one("a.md", f"---\n{field}\ntags: [a, b]\n---\n# P\n")
    assert document.title.startswith(field.split("\n")[0].removeprefix("title: "))
    assert (document.text, document.metadata["tags"]) == ("P", "a, b")


def test_a_page_of_fields_only_says_what_they_say(read_one):
    document = read_one(
        "a.md", "---\ntitle: Fees\nfaq:\n  - How long? Three months.\nprincipals: [hr]\n---\n"
    )
    assert document.text == "title: Fees\nfaq: How long? Three months."
    assert document.principals == ("hr",)


def test_a_key_of_obsidian_is_a_field(read_one):
    document = read_one("a.md", "---\ncssclass: wide\nproject:: Alpha\n---\n\nText.\n")
    assert (document.text, document.metadata["project"]) == ("Text.", "Alpha")
