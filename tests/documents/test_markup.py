"""What of a page is left out is decided by what it holds, and told; spans, heads and titles of tables."""

import pytest

from hybrid.documents.markup import count_heads
from hybrid.types import BlockKind

BODY = "<h1>Brakes</h1>" + "<p>Open the valve and wait until no more air comes out of it.</p>" * 4
LINKS = "<ul><li><a href=a>Home</a></li><li><a href=b>About us</a></li><li><a href=c>Contact</a></li></ul>"


def texts_of(read_one, page):
    document = read_one("a.html", page)
    return [document.text[block.start : block.end] for block in document.blocks]


@pytest.mark.parametrize(
    ("page", "kept"),
    [
        # an id, a class or a role is no reason
        ("{}<section id=cookies><h2>Cookies</h2><p>Kept for 30 minutes</p></section>", "Kept for 30 minutes"),
        ("{}<div class=sidebar><p>Brake fluid is toxic.</p></div>", "Brake fluid is toxic."),
        ("{}<div id=related><p>Wear gloves while you pour it</p></div>", "Wear gloves while you pour it"),
        ("{}<ul class=menu><li class=menu-item>Soup 4.50</li><li>Ham</li></ul>", "- Soup 4.50\n- Ham"),
        ("{}<ul class=menu><li class=menu-item>Pea soup</li><li>Ham</li></ul>", "- Pea soup\n- Ham"),
        ("{}<div role=complementary><p>Needs 20 minutes</p></div>", "Needs 20 minutes"),
        ("{}<div role=dialog><p>The valve closes by itself.</p></div>", "The valve closes by itself."),
        ("<div class=toc><h2>Tools</h2><p>A wrench</p></div>{}", "A wrench"),
        ("{}<footer><p>Call 0800 1234</p></footer>", "Call 0800 1234"),
        ("{}<div class=footer><h2>Opening hours</h2><p>Mondays</p></div>", "Opening hours"),
        ("{}<aside><table><tr><td>Height</td><td>150</td></tr></table></aside>", "Height | 150"),
        ("{}<aside class=share>警告：刹车油有毒。</aside>", "警告：刹车油有毒。"),
        ("{}<nav><p>Read this before you open the valve.</p></nav>", "Read this before you open the valve."),
        # several articles, and what stands beside the main element
        ("<article><h2>One</h2>{}</article><article><h2>Two</h2><p>B</p></article>", "Two"),
        ("<h1>News</h1><article>{}</article><p>Prices fall.</p>", "News"),
        ("<header><h1>How to</h1><p>By hand.</p></header><main>{}</main>", "How to"),
        ("<header><h2><a href=x>How to</a></h2></header><main>{}</main>", "How to"),
        ("<main>{}</main><aside><p>Fluid is toxic.</p></aside>", "Fluid is toxic."),
        ("<main>{}</main><main><p>A second one</p></main>", "A second one"),
        ("<article>{}<header>Part two</header><aside>Keep cool</aside></article>", "Part two"),
        ("<article>{}<footer>By Jane Example</footer></article>", "By Jane Example"),
        # hidden until clicked
        ("{}<h3>How long?</h3><div style='display:none'>Nine days</div>", "Nine days"),
        ("{}<h3>How long?</h3><div hidden>Visa</div>", "Visa"),
        ("{}<button>How long?</button><div class=panel aria-hidden=true>Nine days</div>", "How long?"),
        ("{}<button>How long?</button><div class=panel aria-hidden=true>Nine days</div>", "Nine days"),
        ("{}<h3><button aria-expanded=false>How long?</button></h3><div hidden>Soon</div>", "How long?"),
        ("{}<div role=tabpanel hidden><p>apt install</p></div>", "apt install"),
        ("{}<details><summary>Which size?</summary>Size 44.</details>", "Size 44."),
        ("{}<dialog><p>Only for adults.</p></dialog>", "Only for adults."),
        ("{}<p style='visibility: hidden'>Takes 3 days</p>", "Takes 3 days"),
        ("{}<ul hidden><li>Red</li><li>Blue</li><li>Light grey</li></ul>", "- Red\n- Blue\n- Light grey"),
        ("{}<noscript><p>The price is 40 euros.</p></noscript>", "The price is 40 euros."),
        ("{}<svg><text>North</text><text>19.2</text></svg>", "19.2"),
    ],
)  # fmt: skip
def test_what_says_something_stays(read_one, page, kept):
    assert kept in texts_of(read_one, page.format(BODY))


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        (f"<nav>{LINKS}</nav>{{}}", "navigation"),
        (f"<div class=menu><h2>Menu</h2>{LINKS}</div>{{}}", "navigation"),
        (f"<header><a href=/>Acme</a>{LINKS}</header>{{}}", "navigation"),
        (f"<main>{{}}</main><div>{LINKS}</div>", "navigation"),
        (f"<main>{{}}</main><aside><p>Fluid is toxic.</p><h3>See also</h3>{LINKS}</aside>", "navigation"),
        ("{}<footer>© 2024 Acme GmbH. All rights reserved.</footer>", "navigation"),
        ("{}<div class=nav><a href=a>Prev</a> <b>2. Tools for it</b> <a href=c>Next</a></div>", "navigation"),
        ("{}<footer><p>© X</p><h4>See also</h4><a href=a>Home</a> <a href=b>Us</a></footer>", "navigation"),
        ("{}<div class=sidebar-left><h3>Menu</h3><ul><li><a href=a>Home</a> (12)</ul></div>", "navigation"),
        ("<a href='#main'>Skip to main content</a>{}", "navigation"),
        (f"{{}}<div hidden>{LINKS}</div>", "hidden"),
        ("{}<p hidden>Loading</p>", "hidden"),
        ("<div id=cookie-banner>We use cookies.<button>Accept all</button></div>{}", "cookie notice"),
        ("{}<button>Send</button>", "button"),
        ("{}<noscript>Please enable JavaScript to see this page.</noscript>", "fallback"),
        ("{}<video>Your browser does not play films.</video>", "fallback"),
        ("{}<svg><title>Search</title></svg>", "drawing"),
        ("{}<template><p>Only for scripts</p></template>", "template"),
        ("{}<p>Within <del>sixty</del> thirty days</p>", "deleted text"),
        ("{}<script>let text = 'words in code';</script>", "script"),
        ("{}<img src=x.png alt=Logo>", "image"),
        ("{}<pre><span class=linenos>1</span>x = y</pre>", ""),
    ],
)  # fmt: skip
def test_what_leads_elsewhere_is_left_out_and_told(read_one, page, kind):
    document = read_one("a.html", page.format(BODY))
    assert [part.kind for part in document.left_out] == ([kind] if kind else [])
    for gone in ("Home", "Menu", "Acme", "Tools", "See also", "Skip", "sixty", "words in code", "1x"):
        assert gone not in document.text
    assert not any(part.lost for part in document.left_out)
    assert "Brakes" in document.text


def test_what_is_left_out_is_measured(read_one):
    document = read_one("a.html", f"<nav>{LINKS}</nav>{BODY}<nav>{LINKS}</nav>")
    assert [(part.kind, part.count, part.characters) for part in document.left_out] == [("navigation", 2, 38)]


def test_a_page_without_scripts_only(read_one):
    page = "<body><div id=root></div><noscript>Our JavaScript is off: nine days.</noscript></body>"
    assert read_one("a.html", page).text == "Our JavaScript is off: nine days."


def test_a_formula_that_is_drawn_twice_stands_once(read_one):
    drawn = "<span><math><mi>a</mi></math></span><span aria-hidden=true>a is the one I know.</span>"
    assert texts_of(read_one, f"{BODY}<p>Let {drawn} be</p>")[-1] == "Let a be"


@pytest.mark.parametrize(
    "names", ["<div class=menu>", "<aside><p>Toxic.</p>", "<div hidden>", "<nav><h2>H</h2>"]
)
def test_nested_names_take_linear_time(read_one, names):
    page = f"{names * 900}{'<a href=x>y</a> ' * 2_000}{BODY}"
    assert "Brakes" in read_one("a.html", page).text


def test_a_link_to_edit_is_no_part_of_a_heading(read_one):
    link = "<span class='mw-editsection'>[<a href='e'>edit</a>]</span>"
    text = read_one(
        "a.html", f"<h2>History{link}</h2><p>Dammed in 1931.</p><h2>The editsection</h2><p>It is new.</p>"
    ).text
    assert text == "History\n\nDammed in 1931.\n\nThe editsection\n\nIt is new."


@pytest.fixture
def table_of(read_one):
    """Return text, columns and caption of the last table of a page."""

    def call(html):
        document = read_one("a.html", html)
        block = [block for block in document.blocks if block.kind is BlockKind.TABLE][-1]
        return document.text[block.start : block.end], block.columns, block.caption

    return call


def table(rows, cell="td"):
    lines = (
        "".join(f"<{cell}>{text}</{cell}>" for text in line.split("|")) for line in rows.strip().split("\n")
    )
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


@pytest.mark.parametrize(
    ("html", "text", "columns"),
    [
        ("<tr><th>a<th>b<tr><td>1<td>2", "a | b\n1 | 2", ("a", "b")),
        ("<tr><th>a<td>1<tr><th>b<td>2", "a | 1\nb | 2", ()),
        ("<tr><td><th>2019<tr><th>Oil<td>5", "| 2019\nOil | 5", ("", "2019")),
        ("<thead><tr><td>a<td>b</thead><tr><td>x<td>y", "a | b\nx | y", ("a", "b")),
        (
            "<tr><th rowspan=2>Item<th colspan=2>2019<tr><th>Q1<th>Q2<tr><td>Oil<td>1<td>2",
            "Item | 2019, Q1 | 2019, Q2\nOil | 1 | 2",
            ("Item", "2019, Q1", "2019, Q2"),
        ),
        (
            "<tr><th>Region<th>Town<tr><td rowspan=2>North<td>Kiel<tr><td>Jena<tr><td colspan=2>None",
            "Region | Town\nNorth | Kiel\nNorth | Jena\nNone |",
            ("Region", "Town"),
        ),
        ("<tr><th>a<th>b<tr><td>1<td rowspan=0>2<tr><td>3", "a | b\n1 | 2\n3 | 2", ("a", "b")),
        (
            "<tr><th><th colspan=2>2019<th><tr><td>Sales<td>$<td>1,496<td><tr><td>Loss<td>(<td>5<td>)",
            "| 2019\nSales | $1,496\nLoss | (5)",
            ("", "2019"),
        ),
        ("<tr><th>V<th>Code<tr><td>5<td><pre>x |\ny</pre>", "V | Code\n5 | x ¦ y", ("V", "Code")),
        ("<tr><th>V<tr><td>5<td>6", "V |\n5 | 6", ("V", "")),
        ("<tr><th>A<th>B</tr><tr><td><ul><li>5 V<li>12 V</ul><td>b", "A | B\n5 V 12 V | b", ("A", "B")),
    ],
)
def test_marked_heads_and_spans(table_of, html, text, columns):
    assert table_of(f"<table>{html}</table>")[:2] == (text, columns)


@pytest.mark.parametrize(
    ("rows", "columns", "caption"),
    [
        ("|2019|2018\nOil|5|6", ("", "2019", "2018"), ""),
        (
            "||Years ended June 30,|\n|2019|2018|2017\n||(in millions)|\nOil|$5|6|7",
            ("", "Years ended June 30, 2019", "Years ended June 30, 2018", "Years ended June 30, 2017"),
            "(in millions)",
        ),
        ("Income||\n|2019|2018\nOil|5|6", ("", "2019", "2018"), "Income"),
        ("Name|Legs|Since\nGoat|4|Dec 1, 2001", ("Name", "Legs", "Since"), ""),
        ("Part|March 31, 2019|Q2 2018\nOil|5|6", ("Part", "March 31, 2019", "Q2 2018"), ""),
        ("Rent|850 euros\nDeposit|1700 euros\nStart|1 May", (), ""),
        ("Name|Jane\nTown|Kiel", (), ""),
        ("Name|Jane\nAge|44\nTown|Kiel", (), ""),
        ("Part|Stock\nP1|85\nP2|90", ("Part", "Stock"), ""),
        ("Name|Town|Role\nJane|Kiel|cook\nJoe|Jena|clerk", ("Name", "Town", "Role"), ""),
        ("Oil|5|6\nGas|7|8", (), ""),
    ],
)
def test_heads_that_nothing_marks(table_of, rows, columns, caption):
    _, found, named = table_of(table(rows))
    assert found == columns
    assert named == caption


@pytest.mark.parametrize(
    ("before", "inside", "caption"),
    [
        ("", "<caption>Table 3: Sales</caption>", "Table 3: Sales"),
        ("", "<tr><th colspan=2>Sales by region</th></tr>", "Sales by region"),
        ("<p>Table 3: Sales</p><p>(in millions)</p>", "", "Table 3: Sales (in millions)"),
        ("<p>A long story.</p>", "", ""),
        ("<figure><figcaption>Table 3: Sales</figcaption>", "", "Table 3: Sales"),
    ],
)
def test_the_line_that_names_a_table(read_one, table_of, before, inside, caption):
    page = f"{before}<table>{inside}<tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
    assert table_of(page) == ("a | b\n1 | 2", ("a", "b"), caption)
    assert read_one("a.html", page).text.count("Sales") == caption.count("Sales")


@pytest.mark.parametrize(
    "html",
    [
        "<table role=presentation><tr><td>a</td><td>b</td></tr></table>",
        "<table><tr><td><h2>a</h2></td><td>b</td></tr></table>",
        "<table><tr><td><p>a</p><p>b</p><p>c</p></td><td>d</td></tr></table>",
        f"<table><tr><td>{'long prose ' * 80}</td><td>b</td></tr></table>",
        "<table><tr><td>a</td></tr><tr><td>b</td></tr></table>",
    ],
)
def test_a_table_for_the_layout_is_none(read_one, html):
    kinds = {block.kind for block in read_one("a.html", html).blocks}
    assert kinds
    assert BlockKind.TABLE not in kinds


def test_a_table_within_one_for_the_layout(table_of):
    inner = "<table><tr><th>a<th>b<tr><td>1<td>2</table>"
    assert table_of(f"<table><tr><td>left<td>{inner}</table>")[0] == "a | b\n1 | 2"


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows",
    [
        "<tr><td colspan=1000 rowspan=65000>x" * 2_000,
        "<tr>" + "<td rowspan=9999>x" * 2_000 + "<tr><td>y" * 2_000,
        "<tr>" + "<td>x" * 20_000 + "<tr><td>y" * 20_000,
        "<tr><td rowspan=3>x<td colspan=999999999>y" * 500,
    ],
)
def test_hostile_spans_are_bounded(read_one, rows):
    assert "x" in read_one("a.html", f"<table>{rows}</table>").text


def test_a_damaged_table_whose_first_row_has_no_cell_has_no_head():
    assert count_heads([[], ["port", "5432"], ["host", "1"]]) == 0
