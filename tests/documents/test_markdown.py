"""Markdown and MDX."""


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
