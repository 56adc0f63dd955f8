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
    assert blocks_of(item) == [
        ("heading", 1, "Goats"),
        ("paragraph", 0, "They climb."),
        ("list", 0, "lang: en"),
    ]
    assert item.title == "Goats"
    assert item.metadata == {"lang": "en"}


@pytest.mark.parametrize(
    "data", [b"a\tb\n1\t2\n", "a\tb\n1\t2\n".encode("utf-16"), b"\xef\xbb\xbfa\tb\n1\t2\n"]
)
def test_tsv_in_several_encodings(read_items, data):
    assert [item.text for item in read_items("a.tsv", data)] == ["a: 1\nb: 2"]


@pytest.mark.slow
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
        ('{"id": ""}', "no text in it"),
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


# --- how a CSV is written ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("Produkt;Preis (EUR, netto)\nMutter;2,10\n", ["Produkt: Mutter\nPreis (EUR, netto): 2,10"]),
        ("Name,Tags (a;b;c;d)\nbolt,x;y\n", ["Name: bolt\nTags (a;b;c;d): x;y"]),
        ('no;"name, first";"city, state"\n1;"L., A."; "Rome, IT"\n', None),
        ('id;"name, first"\n1;"Ada, L."\n', ["id: 1\nname, first: Ada, L."]),
        ("sep=;\nProdukt;Preis\nSchraube;4,50\n", ["Produkt: Schraube\nPreis: 4,50"]),
        ('"sep=\t"\na\tb\nx\t2\n', ["a: x\nb: 2"]),
        ("a;b\n1,5;2,5\n", ["a: 1,5\nb: 2,5"]),
        ("1,5;2,5\n3,5;4,5\n", ["column 1: 1,5\ncolumn 2: 2,5", "column 1: 3,5\ncolumn 2: 4,5"]),
        ("name|age\nAda|36\n", ["name: Ada\nage: 36"]),
        ("name,age\rAda,36\r", ["name: Ada\nage: 36"]),
        ("text\nThe pump, at five bar\nThe valve\n", ["The pump, at five bar", "The valve"]),
        ("comment\nHello, world\nBye, all\n", ["comment: Hello, world", "comment: Bye, all"]),
        ("a,b,c\n1,2,3,\n4,5,6,\n", ["a: 1\nb: 2\nc: 3", "a: 4\nb: 5\nc: 6"]),
        ("a,b,a\n1,2\n4,5,6,7\n", ["a: 1\nb: 2", "a: 4\nb: 5\na (3): 6\ncolumn 4: 7"]),
    ],
)
def test_the_separator_is_what_most_rows_agree_on_outside_quotes(read_items, content, texts):
    found = [item.text for item in read_items("a.csv", content)]
    assert found == (texts or found)
    assert not any("\n" in name for item in read_items("a.csv", content) for name in item.metadata)


@pytest.mark.parametrize(
    ("content", "first"),
    [
        ("1001,bolt,4.50\n1002,nut,2.10\n", "column 1: 1001\ncolumn 2: bolt\ncolumn 3: 4.50"),
        ("2024-01-01,pump\n2024-01-02,valve\n", "column 1: 2024-01-01\ncolumn 2: pump"),
        ("PX-7781,pump\nPX-7782,valve\n", "column 1: PX-7781\ncolumn 2: pump"),
        ("bolt,steel\nnut,steel\n", "column 1: bolt\ncolumn 2: steel"),
        ("ada@x.org,Rome\nbob@y.org,Paris\n", "column 1: ada@x.org\ncolumn 2: Rome"),
        ("Ada,London,1815\nAlan,London,1912\n", "column 1: Ada\ncolumn 2: London\ncolumn 3: 1815"),
        ("1001,bolt\n", "column 1: 1001\ncolumn 2: bolt"),
        ("Region,2019,2020\nNorth,19.2,21.4\nSouth,1,2\n", "Region: North\n2019: 19.2\n2020: 21.4"),
        ("name,city\nAda,Rome\nBob,Paris\n", "name: Ada\ncity: Rome"),
        (",price\n0,4.5\n1,2.1\n", "column 1: 0\nprice: 4.5"),
        ("name,1,2,3\nx,5,6,7\n", "name: x\n1: 5\n2: 6\n3: 7"),
    ],
)
def test_a_first_row_of_data_is_kept_and_one_of_names_names_the_columns(read_items, content, first):
    items = read_items("a.csv", content)
    assert items[0].text == first
    assert items[0].source == "a.csv#1"


@pytest.mark.parametrize(
    ("before", "text"),
    [
        ("Sales report 2024\nAll amounts in EUR, net\n\n", "Sales report 2024\nAll amounts in EUR, net"),
        ("Sales report;\n;\n", "Sales report"),
        ("# exported by X\n# on 2024\n", "# exported by X\n# on 2024"),
        ("Generated;2024-01-01\n;\n", "Generated;2024-01-01"),
    ],
)
def test_lines_before_the_header_are_a_document(read_items, before, text):
    above, bolt, nut = read_items("a.csv", f"{before}Product;Price\nBolt;4,50\nNut;2,10\n")
    assert (above.source, above.text, above.blocks[0].line) == ("a.csv#0", text, 1)
    assert (bolt.source, bolt.text) == ("a.csv#1", "Product: Bolt\nPrice: 4,50")
    assert nut.blocks[0].line == before.count("\n") + 3


@pytest.mark.parametrize("before", ["Report\nRegion: EMEA, APAC\n", "# of 2024\n# by a tool\n"])
def test_lines_of_other_width_right_above_the_header_are_no_header(read_items, before):
    above, row, *_ = read_items("a.csv", f"{before}id,name,value\n1,Ann,3.5\n# of May\n2,Bob,4\n")
    assert above.text == before.strip().replace(", ", ",")
    assert row.text == "id: 1\nname: Ann\nvalue: 3.5"


@pytest.mark.parametrize("text", ['[\n  {"text": "a"}\n]\n', '{\n  "text": "a"\n}\n'])
def test_json_over_several_lines_is_refused_once_with_what_to_do(read_items, text):
    (item,) = read_items("a.jsonl", text)
    assert "one object a line" in item.reason and "jq -c" in item.reason


def test_lines_before_a_table_that_says_who_may_read_it_are_nobodys(read_items):
    above, row = read_items("a.csv", "For the board only\nprincipals;text\nanna;secret\n")
    assert (above.principals, row.principals) == ((), ("anna",))


@pytest.mark.parametrize(
    ("rows", "bad"),
    [
        ('1,"bolt,4.50\n2,nut,2.10\n3,"washer",0.30\n', 1),
        ('1,bolt,4.50\n2,"nut,2.10\n3,washer,0.30\n', 2),
        ('1,bolt,4.50\n2,nut,2.10\n3,"washer,0.30\n', 3),
        ('1,"bolt,4.50\n2,nut,2.10\n3,washer"\n', 1),
    ],
)
def test_a_quote_that_is_never_closed_is_told_and_costs_no_other_row(read_items, rows, bad):
    items = read_items("a.csv", f"id,name,price\n{rows}")
    texts = [item.text.replace('"', "") for item in items if isinstance(item, Document)]
    assert [text.partition("\n")[2].split(": ")[1].partition("\n")[0] for text in texts] == [
        "bolt",
        "nut",
        "washer",
    ]
    told = [item for item in items if isinstance(item, Rejected)]
    assert told[0].source == f"a.csv#{bad}"
    assert f"line {bad + 1} is never closed" in told[0].reason


def test_quotes_inside_cells(read_items):
    content = 'id,name,price\n1,"bolt, ""big""\nand long",4.50\n2,5" pipe,2.10\n3,"a "b" c",1\n4,"x" y,z",1\n'
    first, second, third, fourth, told = read_items("a.csv", content)
    assert first.text == 'id: 1\nname: bolt, "big"\nand long\nprice: 4.50'
    assert 'name: 5" pipe' in second.text
    assert "b" in third.text
    assert [block.line for item in (first, second, third) for block in item.blocks] == [2, 4, 5]
    assert "price" in fourth.text
    assert "quotes in line 6" in told.reason


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_a_quote_that_ends_before_its_cell_does_is_one_of_the_text(read_items, suffix):
    rows = ["a,b", '1,"wide" gate', '2,3" pipe', '3,"plain" ', '4,"He, ""no"" " ']
    mark = "," if suffix == "csv" else "\t"
    text = "\n".join(row.replace(",", mark, 1) for row in rows)
    found = [item.metadata["b"] for item in read_items(f"a.{suffix}", text)]
    assert found == ['"wide" gate', '3" pipe', "plain", 'He, "no"']


def test_a_table_named_for_tabs_that_has_none_is_cut_at_what_it_has(read_items):
    (item,) = read_items("a.tsv", "name;age\nAda;5\n")
    assert item.metadata == {"name": "Ada", "age": "5"}


def test_a_quote_never_closed_is_looked_for_no_further_than_a_thousand_lines(read_items):
    items = read_items("a.csv", 'a,b\n1,"x\n' + "1,2\n" * 3_000)
    assert len(items) == 3_002


def test_the_other_cells_are_found_beside_the_text_and_the_key_is_the_title(read_items, blocks_of):
    (item,) = read_items("a.csv", f"text,part,note\nThe pump.,PX-7781,{'long ' * 60}\n")
    assert item.title == "PX-7781"
    assert blocks_of(item)[:2] == [("paragraph", 0, "The pump."), ("list", 0, "part: PX-7781")]
    assert blocks_of(item)[2][2].startswith("note: long")
    assert item.metadata == {"part": "PX-7781"}
    assert read_items("b.csv", "name,id\nbolt,7\nnut,8\n")[0].title == "id: 7"


def test_a_line_or_a_row_too_long_is_a_reason_and_the_rest_is_read(read_items):
    content = "a,b\n1,2\n" + "x" * 3_000 + "\n3,4\n" + "," * 900 + "\n"
    _, reason, last = read_items("a.csv", content, max_characters=1_000)
    assert "line 3 has 3,001 characters, at most 1,000 are read" in reason.reason
    assert last.text == "a: 3\nb: 4"
    (only,) = read_items("b.csv", "x" * 3_000, max_characters=1_000)
    assert "line 1 has" in only.reason
    (wide,) = read_items("c.csv", "a," * 10_001 + "b\n1,2\n")
    assert "columns; at most 10,000" in wide.reason
    long, ok = read_items("d.jsonl", '{"text": "' + "x" * 3_000 + '"}\n{"text": "ok"}', max_characters=1_000)
    assert "line 1 has" in long.reason
    assert ok.text == "ok"


@pytest.mark.parametrize(
    ("row", "field", "text", "metadata"),
    [
        ({"body": {"text": "Goats.", "lang": "en"}}, "body.text", "Goats.", {"body": '{"lang": "en"}'}),
        ({"body.text": "Goats.", "body": {"text": "no"}}, "body.text", "Goats.", {"body": '{"text": "no"}'}),
        ({"a": {"b": {"c": "Goats."}}, "id": 7}, "a.b.c", "Goats.", {"id": "7", "a": '{"b": {}}'}),
    ],
)
def test_the_text_of_a_json_line_may_be_a_path(read_items, row, field, text, metadata):
    (item,) = read_items("a.jsonl", json.dumps(row), text_field=field)
    assert (item.text, item.metadata) == (text, metadata)
    assert item.blocks[0].line == 1


def test_json_lines_without_a_text_are_records_as_those_of_a_csv(read_items, blocks_of):
    row = {"item": "Roll", "price": 0.95, "allergens": ["milk", "egg"], "shop": {"city": "Ulm"}, "old": None}
    (item,) = read_items("a.jsonl", json.dumps(row))
    assert blocks_of(item) == [("list", 0, "item: Roll\nprice: 0.95\nallergens: milk, egg\nshop city: Ulm")]
    assert (item.title, item.metadata["price"]) == ("Roll", "0.95")
    (item,) = read_items("a.jsonl", '{"item": "Roll", "principals": ["staff"]}')
    assert (item.text, item.principals) == ("item: Roll", ("staff",))


def test_a_field_that_was_named_must_be_there(read_items):
    (item,) = read_items("a.jsonl", '{"id": 3, "text": "x"}', text_field="body")
    assert "no field `body`, found `id`, `text`; set documents.text_field" in item.reason


def test_a_path_that_leads_nowhere_says_how_far_it_went(read_items):
    (item,) = read_items("a.jsonl", '{"body": {"lang": "en"}, "n": 1}', text_field="body.text")
    assert "no field `text`, found `lang`" in item.reason
    (item,) = read_items("a.jsonl", '{"body": "x"}', text_field="body.text")
    assert "`body` is a string, expected an object" in item.reason


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


@pytest.mark.parametrize(
    ("content", "metadata"),
    [
        (
            ",2023,,2024,\nRegion,Q1,Q2,Q1,Q2\nNorth,1,2,3,4\nSouth,5,6,7,8\n",
            {"Region": "North", "2023, Q1": "1", "2023, Q2": "2", "2024, Q1": "3", "2024, Q2": "4"},
        ),
        (
            "Name,Mass,Length\n,kg,m\nBolt,0.1,0.05\n",
            {"Name": "Bolt", "Mass, kg": "0.1", "Length, m": "0.05"},
        ),
        ("Name,Score,Note\nAnn,absent,\nBo,5,\n", {"Name": "Ann", "Score": "absent"}),
        ('id, name, city\n1, "Lee, Ann", Rome\n', {"id": "1", "name": "Lee, Ann", "city": "Rome"}),
        ('id,name,x\n1,"a \\"b\\", c",5\n2,"b",6\n', {"id": "1", "name": 'a "b", c', "x": "5"}),
        ('id,path\n1,"C:\\dir\\"\n2,x\n', {"id": "1", "path": "C:\\dir\\"}),
        ("t,p,q\n[s],[bar],(l)\n0,1,2\n1,3,4\n", {"t, [s]": "0", "p, [bar]": "1", "q, (l)": "2"}),
        ("| id | name |\n|----|------|\n| 1 | Ann |\n", {"id": "1", "name": "Ann"}),
    ],
)
def test_heads_of_two_lines_and_ways_to_quote(read_items, content, metadata):
    row = read_items("t.csv", content)[0]
    assert isinstance(row, Document) and dict(row.metadata) == metadata


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        ("'id','name'\n'1','tea, not coffee'\n'2','it''s fine'\n", ["tea, not coffee", "it's fine"]),
        ("id;'name'\n1;'red; blue'\n2;'it\\'s'\n", ["red; blue", "it's"]),
        ("id,name\n1,O'Brien\n2,'tis the 'end'\n", ["O'Brien", "'tis the 'end'"]),
        ("id,name\n6',\"a 'b'\"\n'23,c\n", ["a 'b'", "c"]),
        ('id,name\n="001",="7"\n="002","=""8"""\n', ["7", "8"]),
    ],
)
def test_apostrophes_stand_around_cells_only_where_none_stands_elsewhere(read_items, content, cells):
    assert [item.metadata["name"] for item in read_items("a.csv", content)] == cells


def test_a_file_within_a_field_is_told(read_items):
    image = "data:image/png;base64," + "iVBO" * 100
    row = json.dumps({"text": f"See {image} here", "thumb": image})
    (document,) = read_items("a.jsonl", row)
    (other,) = read_items("a.csv", f'name,picture\nbolt,"{image}"\n')
    assert (document.text, "iVBO" in str(document.metadata), "iVBO" in other.text) == (
        "See … here",
        False,
        False,
    )
    assert [part.count for part in (*document.left_out, *other.left_out)] == [2, 1]


def test_a_conversation_is_a_text(read_one):
    turns = [{"role": "user", "content": "How long?"}, {"from": "gpt", "value": "Five years."}]
    document = read_one("a.jsonl", json.dumps({"messages": turns}), text_field="messages")
    assert document.text == "user: How long?\n\ngpt: Five years."
    refused = read_one("a.jsonl", json.dumps({"messages": [*turns, 1]}), text_field="messages")
    assert "is a list, expected a string" in refused.reason
