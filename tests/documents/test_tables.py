"""CSV, TSV and JSON lines: a row is a document."""

import json

import pytest

from hybrid.config import DocumentSettings
from hybrid.documents import SourceFile, read
from hybrid.types import Document, Rejected


def test_csv_without_a_text_column(read_items):
    (first, second) = read_items("a.csv", 'name,note,id\n"goat","climbs,\noften",7\n\nsheep,"",8,extra\n')
    assert first.source == "a.csv#1"
    assert first.text == "name: goat\nnote: climbs,\noften\nid: 7"
    assert first.metadata == {"id": "7", "name": "goat", "note": "climbs, often"}
    assert second.source == "a.csv#3"
    assert second.text == "name: sheep\nid: 8\ncolumn 4: extra"


def test_csv_with_a_text_column(read_items, blocks_of):
    (item,) = read_items("a.csv", "title;body;lang\nGoats;They climb.;en\n", text_field="body")
    assert blocks_of(item) == [("heading", 1, "Goats"), ("paragraph", 0, "They climb.")]
    assert item.title == "Goats"
    assert item.metadata == {"lang": "en"}


@pytest.mark.parametrize(
    "data", [b"a\tb\n1\t2\n", "a\tb\n1\t2\n".encode("utf-16"), b"\xef\xbb\xbfa\tb\n1\t2\n"]
)
def test_tsv_in_several_encodings(read_items, data):
    assert [item.text for item in read_items("a.tsv", data)] == ["a: 1\nb: 2"]


def test_windows_encoding_late_in_the_file(read_items):
    items = read_items(
        "a.csv",
        b"text\n"
        + b"plain words " * 20_000
        + b"\n"
        + b"plain words " * 200_000
        + b"\n"
        + "Gr\u00fc\u00dfe\n".encode("cp1252"),
    )
    assert items[-1].text == "Grüße"


def test_beir_corpus(read_items, blocks_of):
    row = {"_id": "4983", "title": "Goats", "text": "They climb.\n\nOften.", "metadata": {}, "year": 1999}
    (item,) = read_items("corpus.jsonl", json.dumps(row))
    assert item.source == "corpus.jsonl#1"
    assert item.metadata == {"id": "4983", "year": "1999"}
    assert blocks_of(item) == [
        ("heading", 1, "Goats"),
        ("paragraph", 0, "They climb."),
        ("paragraph", 0, "Often."),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{bad", "not JSON"),
        ("[1]", "expected a JSON object on the line, found a list"),
        ('{"body": "x", "id": 3}', "no field `text`, found `body`, `id`; set documents.text_field"),
        ('{"text": ["x"]}', "the field `text` is a list, expected a string"),
        ('{"text": "  "}', "no text in it"),
        ("[" * 100_000, "not"),
        ('{"text": "\\ud800 x"}', None),
    ],
)
def test_a_bad_line_does_not_cost_the_others(read_items, line, reason):
    before, bad, after = read_items("a.jsonl", f'{{"text": "one"}}\n\n{line}\n{{"text": "two"}}\n')
    assert (before.text, after.text) == ("one", "two")
    assert bad.source == "a.jsonl#3"
    if reason is None:
        assert bad.text == "\ufffd x"
    else:
        assert isinstance(bad, Rejected)
        assert reason in bad.reason


def test_a_table_without_rows_is_rejected(read_items):
    assert read_items("a.csv", "only,a,header\n") == [Rejected("a.csv", "no rows in it: nothing to index")]


def test_a_cell_above_the_limit(read_items):
    items = read_items("a.csv", "text\nok\n" + "x" * 5000 + "\nfine\n", max_characters=1000)
    assert isinstance(items[0], Document)
    assert any(isinstance(item, Rejected) for item in items)
    assert items[-1].text == "fine"


@pytest.mark.slow
def test_rows_are_streamed_in_batches(tmp_path):
    path = tmp_path / "big.jsonl"
    path.write_text("".join(f'{{"text": "row {number}"}}\n' for number in range(20_000)))
    batches = read(SourceFile("big.jsonl", path, 1), DocumentSettings())
    first = next(batches)
    assert 0 < len(first.items) < 1000
    assert not first.last
    rest = list(batches)
    assert rest[-1].last
    assert len(first.items) + sum(len(batch.items) for batch in rest) == 20_000
