"""Markdown and MDX."""

import re
import time
from pathlib import Path

import pytest


def test_structure(read_one, blocks_of):
    text = """---
title: "The Goats"
tags: animals
---

# Goats #

They **climb** [mountains](http://x.y/a_(b)) and ![a photo](p.png), see <https://goats.org> or `a [b](c)`.

Setext
------

- one
- two

  more of two
- three

| name | legs |
|------|-----:|
| goat | 4 |
| `a\\|b` | 2 |

```python
# not a heading

x = "[a](b)"
```

    indented()

<!-- hidden
# words -->
1. first
2. second
"""
    document = read_one("a.md", text)
    assert document.title == "The Goats"
    assert document.metadata == {"tags": "animals"}
    assert blocks_of(document) == [
        ("heading", 1, "Goats"),
        ("paragraph", 0, "They climb mountains and a photo, see https://goats.org or `a [b](c)`."),
        ("heading", 2, "Setext"),
        ("list", 0, "- one\n- two\n  more of two\n- three"),
        ("table", 0, "name | legs\ngoat | 4\n`a|b` | 2"),
        ("code", 0, '# not a heading\n\nx = "[a](b)"'),
        ("code", 0, "indented()"),
        ("list", 0, "1. first\n2. second"),
    ]


def test_mdx_components_and_modules_are_no_text(read_one, blocks_of):
    text = """import Tabs from '@theme/Tabs';
export const x = {
  a: 1,
};

# Start

<Tabs onClick={() => go({a: 1})}>
<TabItem value="one" label="First">

Use `<Tabs>` here. {/* a note */}

```jsx
import React from "react";
<Tabs/>
```

</TabItem>
</Tabs>

:::info[Mind the gap]
Careful.
:::
"""
    assert blocks_of(read_one("a.mdx", text)) == [
        ("heading", 1, "Start"),
        ("paragraph", 0, "First"),
        ("paragraph", 0, "Use `<Tabs>` here."),
        ("code", 0, 'import React from "react";\n<Tabs/>'),
        ("paragraph", 0, "Mind the gap\nCareful."),
    ]


def test_placeholders_and_imports_of_plain_markdown_stay(read_one):
    document = read_one("a.md", "import goats from <path> with <b>care</b>\n")
    assert document.text == "import goats from <path> with care"


def test_a_rule_is_no_front_matter(read_one):
    document = read_one("a.md", "---\nJust text.\n\n---\nMore.\n")
    assert "Just text." in document.text
    assert "More." in document.text


def test_a_fence_that_is_never_closed_runs_to_the_end(read_one, blocks_of):
    assert blocks_of(read_one("a.md", "Text\n```\ncode\n\n# code\n")) == [
        ("paragraph", 0, "Text"),
        ("code", 0, "code\n\n# code"),
    ]


def test_long_lines_are_read_in_time(read_one):
    assert len(read_one("a.md", "**a [b " * 200_000).text) > 1_000_000


def texts(document):
    return [document.text[block.start : block.end] for block in document.blocks]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("one__two and a_b_c and _x_var; __bold__ **b** *i*", "one__two and a_b_c and _x_var; bold b i"),
        ("AIRFLOW__CORE__X Foo::__construct and Bar::__destruct", None),
        ("__init__.py, obj.__class__, __main__ and __init__(self)", None),
        # where no other mark stands in the paragraph
        ("__Two words__ and _one_ of snake_case, _x", "Two words and one of snake_case, _x"),
        ("__Total__", "Total"),
        ("Set __slots__ and __FILE__", None),
        ("2*3*4 is 24 and x^2+y^2", None),
        ("https://x.org/_static_/a__b__c/(d)?a=1&copy=2&lt=3 and C:\\_new\\.git", None),
        ("AT&T &copy; &amp; &nope; &#8364;", "AT&T © & &nope; €"),
        ("x <b and c> d <path> <source> [<option>]", None),
        ("a <b>bold</b><br>next <span class='x'>y</span>", "a bold\nnext y"),
        ("see [the manual](x.html) and <https://x.org/%20b>", "see the manual and https://x.org/%20b"),
        ("10<sup>6</sup> and 5^3^ m<sup>2</sup>, 25<sup>o</sup>C", "10^6 and 5^3 m^2, 25°C"),
        ("note<sup>12</sup>, H<sub>2</sub>O, H~2~O, 101<sub>2</sub>", "note [12], H2O, H2O, 101_2"),
        ("![alt text](a.png) <img src='a' alt='logo'>", "alt text logo"),
        ("`a  b` and ``c ` d``", None),
        ("price ~~50~~ 40, <del>30</del> 20", "price ~~50~~ 40, 20"),
        ("<select><option>a<option>b</select> c", "<option>a<option>b c"),
        ("$$x_{1}*y*z$$ and $a_1*b*c$ for $5 and $6", None),
    ],
)
def test_marks_go_and_nothing_that_is_said(read_one, source, shown):
    assert read_one("a.md", source).text == (shown or source)


def test_html_becomes_the_text_that_it_shows(read_one, blocks_of):
    text = """| Day | Volts |
|---|---|
| Monday<br>Tuesday | 5 V<br/>12 V | more |

<table><caption>Table 4: Sizes</caption><tr><th rowspan="2">Name</th><th colspan="2">2019</th></tr>
<tr><th>Q1</th><th>Q2</th></tr><tr><td rowspan=2>A</td><td>1</td><td>2</td></tr><tr><td>3</td><td>4</td></tr>
</table>

<p>first par</p><p>second par</p>

<ul><li>alpha</li><li>beta</li></ul>

<dl><dt>Port</dt><dd>5432</dd></dl>

one<hr>two

## Head<br>line

<details>
<summary>More</summary>

**Inside**

</details>

<pre>
a  &lt;b&gt;
</pre>

<table><tr><td>

left *cell*

</td><td>right</td></tr>

# After

<!-- never closed
"""
    assert blocks_of(read_one("a.md", text)) == [
        ("table", 0, "Day | Volts |\nMonday Tuesday | 5 V 12 V | more"),
        ("paragraph", 0, "Table 4: Sizes"),
        ("table", 0, "Name | 2019, Q1 | 2019, Q2\nA | 1 | 2\nA | 3 | 4"),
        ("paragraph", 0, "first par"),
        ("paragraph", 0, "second par"),
        ("list", 0, "- alpha\n- beta"),
        ("list", 0, "Port\n5432"),
        ("paragraph", 0, "one"),
        ("paragraph", 0, "two"),
        ("heading", 2, "Head line"),
        ("paragraph", 0, "More"),
        ("paragraph", 0, "Inside"),
        ("code", 0, "a  <b>"),
        ("table", 0, "left cell | right"),
        ("heading", 1, "After"),
        ("paragraph", 0, "<!-- never closed"),
    ]


def test_footnotes_definitions_and_sentences_that_look_like_links_stay(read_one):
    text = """Two years.[^1] Batteries not.[^bat] None.[^x]

[^1]: For devices of 2021
    five years.
[^bat]: Six months only.

[Note]: The serial number stands on the back.
[Deadline]: 31.12.2024

[ref]: https://example.org "Title"
[//]: # (hidden)

Term
: Its meaning

10. ten
11. eleven
"""
    assert texts(read_one("a.md", text)) == [
        "Two years.[1] Batteries not.[bat] None.[^x]",
        "[1] For devices of 2021\nfive years.",
        "[bat] Six months only.",
        "[Note]: The serial number stands on the back.\n[Deadline]: 31.12.2024",
        "Term\nIts meaning",
        "10. ten\n11. eleven",
    ]


def test_what_is_never_ended_ends_with_its_block(read_one, blocks_of):
    text = "<h2>Head\n\nWords\n\n<center>\n\n[^1]:\n    ```\n    code\n    ```\n\n"
    text += "After[^1]\n\n<ul><li>item\n\n# End\n"
    assert blocks_of(read_one("a.md", text)) == [
        ("heading", 2, "Head"),
        ("paragraph", 0, "Words"),
        ("code", 0, "code"),
        ("paragraph", 0, "After[1]"),
        ("list", 0, "- item"),
        ("heading", 1, "End"),
    ]


def test_lines_columns_and_captions(read_one):
    text = "---\ntitle: T\n---\n\n# H\n\nTable 3: Limits (in mm)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
    text += "- x\n\n      y\n\n<div>\n\n```\ncode\n```\n"
    document = read_one("a.md", text)
    assert [(block.kind.value, block.line) for block in document.blocks] == [
        ("heading", 5),
        ("paragraph", 7),
        ("table", 9),
        ("list", 13),
        ("code", 15),
        ("code", 20),
    ]
    table = document.blocks[2]
    assert (table.columns, table.caption) == (("a", "b"), "Table 3: Limits (in mm)")


def test_what_is_left_out_is_told(read_one):
    image = "data:image/png;base64," + "A" * 5000
    text = f"![plan]({image}) <img src='{image}'>\n\n<!-- note -->\n\n<script>\nrun()\n</script>\n"
    document = read_one("a.md", text)
    assert document.text == "plan"
    found = {item.kind: (item.count, item.characters, item.lost) for item in document.left_out}
    assert found["embedded image"] == (2, 2 * len(image), False)
    assert set(found) == {"embedded image", "comment", "script"}


def test_a_picture_behind_a_reference_is_its_description(read_one):
    document = read_one("a.md", f"See ![the plan][p] here.\n\n[p]: data:image/png;base64,{'iVBO' * 100}\n")
    assert document.text == "See the plan here."
    assert [part.kind for part in document.left_out] == ["embedded image"]


def test_mdx_code_goes_and_prose_like_it_stays(read_one):
    text = """import A from "@a";

import goats from the barn, and <YourName> with <Your API key>.

{/* hidden

words */}

<Card title="Big" href="x">a</Card><Card>b</Card> <> c </>

{value}
"""
    document = read_one("a.mdx", text)
    assert texts(document) == [
        "import goats from the barn, and <YourName> with <Your API key>.",
        "Big a b c",
        "{value}",
    ]
    assert {item.kind for item in document.left_out} == {"module code", "comment"}


@pytest.mark.slow
def test_nothing_is_lost_where_it_is_nested_deep(read_one):
    assert read_one("a.md", "> " * 300 + "deep words").text.endswith("deep words")
    assert "deep" in read_one("a.md", "".join("  " * n + "- deep\n" for n in range(300))).text
    assert "deep" in read_one("a.md", "<table><tr><td>" * 300 + "deep").text


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "***\n" * 100_000 + "x",
        "[" * 200_000,
        "[a](" * 50_000,
        "<!-- " * 50_000,
        "<a '" * 20_000,
        "<table><tr><td colspan=1000 rowspan=1000>a" * 1_000,
        ">" * 50_000 + "a",
        "[a]: http://x 'b\n" * 20_000,
        "{/* \n\n" * 5_000,
        "`a``b```c" * 20_000,
        "---\n" + "a: [" * 50_000 + "\n---\nx",
    ],
    ids=lambda text: text[:8],
)
@pytest.mark.parametrize("name", ["a.md", "a.mdx"])
def test_work_is_bounded(read_one, name, text):
    started = time.process_time()
    assert read_one(name, text)
    assert time.process_time() - started < 20


@pytest.mark.slow
def test_every_word_of_our_own_pages_is_read(read_one):
    root = Path(__file__).parents[2]
    pages = [*root.glob("*.md"), *(root / "docs").rglob("*.md"), *(root / "examples").rglob("*.md")]
    assert len(pages) > 3
    for page in pages:
        source = page.read_text(encoding="utf-8")
        shown = read_one(page.name, source)
        told = set(re.findall(r"\w+", " ".join((shown.text, *shown.metadata.values()))))
        said = re.sub(r"(?s)\A---\n.*?\n---\n|<!--.*?-->", "", source)
        said = re.sub(
            r"(?m)\]\([^()\s]*\)|^ *(?:```|~~~|:::)[^\n]*|</?[a-z][^<>\n]*>|^\[[^\]]+\]: \S+", " ", said
        )
        lost = set(re.findall(r"[^\W_]+", said)) - {
            part for word in told for part in (word, *word.split("_"))
        }
        assert not lost, (page.name, sorted(lost)[:20])


def test_rows_behind_a_head_are_no_heads(read_one):
    heads = "<tr><th rowspan=2>R</th><th colspan=2>Y</th></tr><tr><th>a</th><th>b</th></tr>"
    row = "<tr><td>x</td><td>1</td><td>2</td></tr>"
    document = read_one("a.md", f"<table><thead>{heads}</thead>{row}</table>\n")
    assert document.text == "R | Y, a | Y, b\nx | 1 | 2"
    assert read_one("a.md", f"<table>{heads}</table>\n").text == "R | Y, a | Y, b"


def test_blocks_of_raw_html_have_their_lines_and_end_where_markdown_goes_on(read_one):
    tables = "| only |\n|---|\n| x |\n\n<table><tr><td>Port</td>\n<td>5432</td></tr>\n\n"
    document = read_one("a.md", f"{tables}# H\n\n<pre>\n a <path>\n</pre>\n")
    assert texts(document) == ["only\nx", "Port | 5432", "H", "a <path>"]
    assert [block.kind.value for block in document.blocks] == ["table", "table", "heading", "code"]
    assert [block.line for block in document.blocks] == [1, 5, 8, 11]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (
            '!!! warning "Hot"\n    Wait.\n\n    - one\n    - two\n\nAfter.',
            ["Hot", "Wait.", "- one\n- two", "After."],
        ),
        ("??? note\n\n    !!! tip\n\n        Deep.\n    Up.", ["Note", "Tip", "Deep.", "Up."]),
        (
            '=== "Linux"\n\n    ```\n    run\n    ```\n\n=== "Mac"\n\n    It *is*.',
            ["Linux", "run", "Mac", "It is."],
        ),
        ("- item\n\n    !!! note\n        In it.\n", ["- item\n  Note\n  In it."]),
        ("!!! read this well\nor else", ["!!! read this well\nor else"]),
        ("Title\n===\n\n    code", ["Title", "code"]),
        ("Text.\n{: .lead}\n\n|a|b|\n|-|-|\n|1|2|\n{: .wide}\n", ["Text.", "a | b\n1 | 2"]),
    ],
)
def test_markdown_as_other_programs_write_it(read_one, blocks_of, source, shown):
    assert [text for _, _, text in blocks_of(read_one("a.md", source))] == shown


@pytest.mark.parametrize("info", ['py title="app.py" linenums="1"', "{.py filename='app.py'}"])
def test_the_name_of_a_listing_stands_above_it(read_one, blocks_of, info):
    document = read_one("a.md", f"```{info}\nx = 1\n```\n")
    assert blocks_of(document) == [("paragraph", 0, "app.py"), ("code", 0, "x = 1")]
