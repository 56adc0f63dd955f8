"""HTML: main text, no navigation, hostile trees."""

import pytest

PAGE = """<!DOCTYPE html><html><head><title>Goats &amp; Co</title><script>var x = 1;</script></head><body>
<header><a href="/">Logo</a></header><nav><ul><li>Home</li><li>About</li></ul></nav>
<div class="site-sidebar">Other pages</div>
<main><h1>Goats<a class="headerlink" href="#g">¶</a></h1><p>They <b>climb</b>.<br>Often.</p>
<ul><li>one<ul><li>inner</li></ul></li><li>two</li></ul><ol><li>first</li></ol>
<dl><dt>Horn</dt><dd>What grows.</dd></dl>
<pre><code>if x:
    y()</code></pre>
<table><tr><th>name</th><th>legs</th></tr><tr><td>goat</td><td><p>4</p><p>long</p></td></tr></table>
<table><tr><td><h2>Layout</h2>tables are walked</td></tr></table>
<img src="a.png" alt="a goat on a rock"><img alt="x.png"></main>
<aside>Advert</aside><footer>Imprint</footer></body></html>"""


def test_main_text_without_navigation(read_one, blocks_of):
    document = read_one("a.html", PAGE)
    assert document.title == "Goats & Co"
    assert blocks_of(document) == [
        ("heading", 1, "Goats"),
        ("paragraph", 0, "They climb.\nOften."),
        ("list", 0, "- one\n  - inner\n- two"),
        ("list", 0, "1. first"),
        ("list", 0, "Horn\nWhat grows."),
        ("code", 0, "if x:\n    y()"),
        ("table", 0, "name | legs\ngoat | 4 long"),
        ("heading", 2, "Layout"),
        ("paragraph", 0, "tables are walked"),
        ("paragraph", 0, "a goat on a rock"),
    ]


@pytest.mark.parametrize(
    "junk",
    [
        '<div class="navheader">Prev Up Next</div>',
        '<div role="navigation">Prev Up Next</div>',
        '<div id="toc">Prev Up Next</div>',
        '<ul class="breadcrumb"><li>Prev Up Next</li></ul>',
        '<div class="footer">Prev Up Next</div>',
        '<p style="display: none">Prev Up Next</p>',
        "<p hidden>Prev Up Next</p>",
        "<header>Prev Up Next</header>",
        "<noscript>Prev Up Next</noscript>",
        "<svg><text>Prev Up Next</text></svg>",
    ],
)
def test_navigation_without_a_main_element(read_one, junk):
    document = read_one("a.html", f"<body>{junk}<h1>Goats</h1><p>{'They climb. ' * 9}</p> tail</body>")
    assert "Prev" not in document.text
    assert document.text.startswith("Goats\n\nThey climb.")
    assert document.text.endswith("tail")


def test_a_page_that_is_all_navigation_keeps_it(read_one):
    document = read_one("a.html", "<body><nav><a>Goats</a> <a>Sheep</a></nav></body>")
    assert "Goats" in document.text


def test_a_class_does_not_hide_the_page_itself(read_one):
    document = read_one("a.html", f'<body class="nav-open"><div class="sidebar">{"word " * 50}</div></body>')
    assert "word word" in document.text


def test_a_title_with_tags_is_plain_text(read_one):
    page = "<title>&lt;script&gt;alert(1)&lt;/script&gt; Goats\n&amp; <b>sheep</b></title><p>Text</p>"
    assert read_one("a.html", page).title == "alert(1) Goats & sheep"


def test_xhtml_with_closed_anchors_and_entities(read_one):
    start = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">'
    page = start + '<body><p>a<a id="x"/>b&nbsp;c</p></body></html>'
    assert read_one("a.xhtml", page).text == "ab c"


@pytest.mark.parametrize(
    "data",
    [
        "<p>Grüße</p>".encode(),
        "<p>Grüße</p>".encode("utf-16"),
        '<meta charset="iso-8859-1"><p>Grüße</p>'.encode("latin-1"),
        "<p>Grüße</p>".encode("cp1252"),
        '<meta charset="no-such"><p>Grüße</p>'.encode("cp1252"),
    ],
)
def test_encodings(read_one, data):
    assert read_one("a.html", data).text == "Grüße"


@pytest.mark.parametrize("tag", ["div", "b", "ul", "blockquote"])
def test_nesting_is_read_or_rejected_but_never_cut_off(read_one, tag):
    assert read_one("a.html", f"<p>start</p>{f'<{tag}>' * 1_000}end").text.endswith("end")
    assert "nested" in read_one("a.html", f"<p>start</p>{f'<{tag}>' * 100_000}end").reason


@pytest.mark.slow
def test_a_long_listing_does_not_end_the_page(read_one):
    page = f"<p>start</p><pre>{'goat line ' * 1_500_000}</pre><p>the end</p>"
    assert read_one("a.html", page).text.endswith("the end")
