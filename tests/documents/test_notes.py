"""Notebooks, JSON, Org and subtitles."""

import json

import pytest

from hybrid.types import Rejected

# --- notebooks -------------------------------------------------------------------------------------------


def _notebook(*cells, **more):
    return json.dumps({"cells": list(cells), "nbformat": 4, **more})


def _code(source, *outputs):
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def test_a_notebook_is_its_cells_with_what_they_wrote(read_one, blocks_of):
    html = "<table><tr><th>part</th><th>n</th></tr><tr><td>A</td><td>17</td></tr></table>"
    document = read_one(
        "a.ipynb",
        _notebook(
            {"cell_type": "markdown", "source": ["# Study\n", "\n", "The limit is **4.5** mm/s."]},
            _code("x = 1\nprint(x)", {"output_type": "stream", "name": "stdout", "text": ["1\n"]}),
            _code(
                "df", {"output_type": "execute_result", "data": {"text/html": html, "text/plain": "part n"}}
            ),
            _code("1/0", {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "by zero"}),
            {"cell_type": "raw", "source": "as it is"},
        ),
    )
    assert document.title == "Study"
    assert blocks_of(document) == [
        ("heading", 1, "Study"),
        ("paragraph", 0, "The limit is 4.5 mm/s."),
        ("code", 0, "x = 1\nprint(x)"),
        ("code", 0, "1"),
        ("code", 0, "df"),
        ("table", 0, "part | n\nA | 17"),
        ("code", 0, "1/0"),
        ("code", 0, "ZeroDivisionError: by zero"),
        ("code", 0, "as it is"),
    ]


def test_pictures_of_a_notebook_are_told_and_so_is_what_nobody_can_read(read_one):
    picture = {"output_type": "display_data", "data": {"image/png": "iVBO"}}
    widget = {"output_type": "display_data", "data": {"application/vnd.other+json": {}}}
    document = read_one("a.ipynb", _notebook(_code("plot()", picture, widget)))
    assert {part.kind: part.lost for part in document.left_out} == {
        "image": False,
        "output that is no text": True,
    }


def test_a_notebook_of_before_is_read(read_one):
    cells = [{"cell_type": "heading", "level": 2, "source": ["Old"]}, {"cell_type": "code", "input": ["1+1"]}]
    assert read_one("a.ipynb", json.dumps({"worksheets": [{"cells": cells}]})).text == "Old\n\n1+1"


# --- JSON ------------------------------------------------------------------------------------------------


def test_what_is_alike_is_a_table_and_the_rest_lists_below_headings(read_one, blocks_of):
    value = {
        "site": "Bremen",
        "open": True,
        "gone": None,
        "stock": [{"part": "A", "count": 17}, {"part": "B", "shelf": 4}],
        "contact": {"name": "Ines", "phones": ["4471", "4472"]},
    }
    assert blocks_of(read_one("a.json", json.dumps(value))) == [
        ("list", 0, "site: Bremen\nopen: true"),
        ("heading", 1, "stock"),
        ("table", 0, "part | count | shelf\nA | 17 | \nB |  | 4".replace(" | \n", " |\n")),
        ("heading", 1, "contact"),
        ("list", 0, "name: Ines"),
        ("heading", 2, "phones"),
        ("list", 0, "- 4471\n- 4472"),
    ]


def test_long_texts_of_records_stand_below_their_names(read_one):
    long = "The pump rattled. " * 20
    records = [{"id": 1, "by": "Weber", "text": long}, {"id": 2, "by": "Okafor", "text": "short"}]
    text = read_one("a.json", json.dumps(records)).text
    assert text.startswith("id | by\n1 | Weber\n2 | Okafor\n\n1\n\ntext: The pump rattled.")
    assert text.endswith("2\n\ntext: short")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "no text"),
        ("[" * 200_000, "too deeply"),
        ("{'a': 1}", "line 1, character 2"),
    ],
)
def test_json_that_is_none_or_hostile_costs_a_reason(read_one, text, reason):
    found = read_one("a.json", text)
    assert isinstance(found, Rejected)
    assert reason in found.reason


# --- Org -------------------------------------------------------------------------------------------------

_ORG = """#+TITLE: Plan
#+STARTUP: overview
* TODO Yearly
  :PROPERTIES:
  :ID: 7
  :END:
  Replace the /seal/ of [[https://x.example][pump 4]].
  - Measure =R1=
    - twice
# nobody sees this
** Contacts
| Name | Phone |
|------+-------|
| Ana  | 4471  |
#+BEGIN_SRC sh
* no heading
#+END_SRC
"""


def test_an_org_file_keeps_its_lines(read_one, blocks_of):
    document = read_one("a.org", _ORG)
    assert document.title == "Plan"
    assert blocks_of(document) == [
        ("heading", 1, "TODO Yearly"),
        ("paragraph", 0, "Replace the seal of pump 4."),
        ("list", 0, "- Measure `R1`\n  - twice"),
        ("heading", 2, "Contacts"),
        ("table", 0, "Name | Phone\nAna | 4471"),
        ("code", 0, "* no heading"),
    ]
    assert [block.line for block in document.blocks] == [3, 7, 8, 11, 12, 16]
    assert {part.kind: part.count for part in document.left_out} == {
        "setting": 2,
        "property": 3,
        "comment": 1,
    }


# --- subtitles -------------------------------------------------------------------------------------------


def test_what_is_said_flows_over_cues_and_speakers_part_it(read_one, blocks_of):
    document = read_one(
        "a.vtt",
        "WEBVTT\n\nSTYLE\n::cue {}\n\n1\n00:01.000 --> 00:04.000\n<v Ines>The plant makes\n\n"
        "00:04.500 --> 00:09.000 align:start\n1,200 <i>pumps</i> &amp; seals.\n\n"
        "00:10.000 --> 00:11.000\n<v Bo>Good.\n",
    )
    assert blocks_of(document) == [
        ("paragraph", 0, "Ines: The plant makes 1,200 pumps & seals."),
        ("paragraph", 0, "Bo: Good."),
    ]
    assert [block.line for block in document.blocks] == [8, 14]
    assert {part.kind: part.count for part in document.left_out} == {
        "setting": 3,
        "number of a cue": 1,
        "time of a cue": 3,
    }


def test_what_stands_between_cues_is_not_lost(read_one):
    text = "1\n00:00:01,0 --> 00:00:04,0\n\nFirst, close it.\n00:00:05,0 --> 00:00:09,0\nThen drain it.\n"
    assert read_one("a.srt", text).text == "First, close it. Then drain it."


def test_long_speech_is_parted_at_the_end_of_a_sentence(read_one):
    cue = (
        "{}\n00:00:{:02},000 --> 00:00:{:02},900\nThe valve {} is closed before anything else is done here.\n"
    )
    document = read_one("a.srt", "\n".join(cue.format(n, n, n, n) for n in range(30)))
    assert len(document.blocks) > 2
    assert all(document.text[block.start : block.end].endswith(".") for block in document.blocks)


# --- settings and logs -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["log", "toml", "ini", "cfg", "conf", "properties"])
def test_each_line_of_settings_and_logs_stands_alone(read_one, blocks_of, suffix):
    text = "# to the plant\nhost:\n  a\n\n[plc.serial]  # line\nbaud = 19200\nparity = even\n"
    document = read_one(f"a.{suffix}", text)
    assert blocks_of(document) == [
        ("list", 0, "# to the plant"),
        ("list", 0, "host:\n  a"),
        ("heading", 2, "plc.serial"),
        ("list", 0, "baud = 19200"),
        ("list", 0, "parity = even"),
    ]
    assert [block.line for block in document.blocks] == [1, 2, 5, 6, 7]


def test_who_may_read_a_json_file_is_kept_and_of_a_part_it_cannot_be(read_one):
    document = read_one("a.json", json.dumps({"principals": ["anna"], "port": 5432}))
    assert (document.principals, document.text) == (("anna",), "port: 5432")
    for value in ([{"port": 1, "principals": "anna"}, {"port": 2}], {"a": {"principals": "anna", "b": 1}}):
        assert "JSON lines" in read_one("a.json", json.dumps(value)).reason


def test_numbers_stay_as_they_are_written_and_nothing_said_twice_is_lost(read_one):
    text = '{"price": 19.90, "far": 1e400, "many": ' + "7" * 5000 + ', "note": "one", "note": "two"}'
    read = read_one("a.json", text).text
    assert all(line in read for line in ("price: 19.90", "far: 1e400", "7" * 5000, "- one\n- two"))


def test_a_field_that_says_twice_who_may_read_it_rejects_the_file(read_one):
    rejected = read_one("a.json", '{"principals": ["a"], "principals": ["b"], "text": "x"}')
    assert isinstance(rejected, Rejected)


def test_the_level_of_a_heading_is_a_number_of_a_notebook(read_one, blocks_of):
    cell = {"cell_type": "heading", "level": 9, "source": "Deep"}
    assert blocks_of(read_one("a.ipynb", _notebook(cell))) == [("heading", 6, "Deep")]


def test_org_with_an_end_that_is_missing_is_looked_at_once(read_one):
    text = "#+begin_src\n* quoted\n#+end_src\n* Head\n" + "#+begin_src\nlast\n" * 3
    document = read_one("a.org", text)
    assert [block.kind.value for block in document.blocks][:2] == ["code", "heading"]
    assert document.text.count("last") == 3


def test_only_tags_are_taken_from_subtitles(read_one):
    text = "1\n00:00:01,000 --> 00:00:02,000\n<i>If</i> a < 5 and b > 7 {\\an8}it stops.\n"
    assert read_one("a.srt", text).text == "If a < 5 and b > 7 it stops."


def test_a_long_part_of_yaml_stands_below_its_own_name_and_short_ones_before(read_one, blocks_of):
    env = "".join(f"        V{n}: value number {n} of this service\n" for n in range(20))
    text = (
        "# of the shop\nspec:\n  template:\n    - name: web\n      env:\n" + env + "      port: 8080\n"
        "    - name: metrics\n  grace: 60\nkind: Deployment\n---\nkind: Service\nport: 80\n"
    )
    document = read_one("shop.yaml", text)
    blocks = blocks_of(document)
    assert (document.title, len(blocks)) == ("shop", 31)
    assert blocks[:9] == [
        ("heading", 1, "kind: Deployment"),
        ("heading", 2, "spec"),
        ("list", 0, "# of the shop"),
        ("list", 0, "grace: 60"),
        ("heading", 3, "template"),
        ("list", 0, "- name: metrics"),
        ("heading", 4, "name: web"),
        ("list", 0, "port: 8080"),
        ("heading", 5, "env"),
    ]
    assert blocks[-2:] == [("heading", 1, "kind: Service"), ("list", 0, "port: 80")]
    lines = text.split("\n")
    found = [
        (lines[block.line - 1], text) for block, (_, _, text) in zip(document.blocks, blocks, strict=True)
    ]
    assert all(text in line for line, text in found)


def test_a_long_text_in_yaml_is_prose(read_one, blocks_of):
    prose = "The service of the shop is restarted every night at three.\n  " * 8
    document = read_one("a.yml", f"about: |\n  {prose}\n\n  The end.\nport: 80\n")
    assert [kind for kind, _, _ in blocks_of(document)] == ["list", "heading", "paragraph", "paragraph"]


def test_a_table_of_org_needs_no_heads(read_one, blocks_of):
    document = read_one("a.org", "* Ports\n| web | 80 |\n| db | 5 < 6 |\n\nAfter.\n- x\n  | c | d |\n")
    assert blocks_of(document) == [
        ("heading", 1, "Ports"),
        ("table", 0, "web | 80\ndb | 5 < 6"),
        ("paragraph", 0, "After."),
        ("list", 0, "- x"),
        ("table", 0, "c | d"),
    ]
    assert [block.line for block in document.blocks][:3] == [1, 2, 5]


def test_a_licence_above_yaml_is_no_document_and_paragraphs_have_their_lines(read_one, blocks_of):
    prose = "\n\n".join(f"  {letter * 200}" for letter in "abc")
    document = read_one("a.yaml", f"# Free to use.\n---\nhelp: |\n{prose}\n")
    assert blocks_of(document)[:2] == [("list", 0, "# Free to use."), ("heading", 1, "help: |")]
    assert [block.line for block in document.blocks] == [1, 3, 4, 6, 8]


def test_an_empty_first_cell_of_org_is_kept(read_one):
    assert read_one("a.org", "|| 7 | 8 |\n| a | b | c |\n\nEnd.\n").text.startswith("| 7 | 8\na | b | c")
