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
    inside = "<!DOCTYPE html [<!ENTITY prod 'Acme'><!ENTITY loop '&loop;'>]>"
    page = (
        start.replace("<html", f"{inside}<html") + "<p>&prod; &loop; <![CDATA[5 < 6 & 7]]> &amp;</p></html>"
    )
    assert read_one("b.xhtml", page).text == "Acme &loop; 5 < 6 & 7 &"


@pytest.mark.parametrize(
    "data",
    [
        "<p>Grüße</p>".encode(),
        "<p>Grüße</p>".encode("utf-16"),
        '<meta charset="iso-8859-1"><p>Grüße</p>'.encode("latin-1"),
        "<p>Grüße</p>".encode("cp1252"),
        '<meta charset="no-such"><p>Grüße</p>'.encode("cp1252"),
        "<p>Grüße</p>".encode("utf-16-le"),
        '<meta charset="iso-8859-1"><p>Grüße</p>'.encode(),
        '<!-- <meta charset="gbk"> --><meta charset="latin1"><p>Grüße</p>'.encode("latin-1"),
        '<meta http-equiv="Content-Type" content="text/html; charset=macintosh"><p>Grüße</p>'.encode(
            "mac_roman"
        ),
        '<?xml version="1.0" encoding="ISO-8859-15"?><p>Grüße</p>'.encode("iso-8859-15"),
    ],
)
def test_encodings(read_one, data):
    document = read_one("a.html", data)
    assert (document.text, document.left_out) == ("Grüße", ())


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("iso-8859-1", "cp1252", "It costs € 50 – don’t pay “more”"),
        ("us-ascii", "cp1252", "It costs € 50"),
        ("gb2312", "gb18030", "價格 說明 € 50"),
        ("gbk", "gb18030", "联通"),
        ("x-sjis", "cp932", "会議室の予約は①三日前(㈱)までに。"),
        ("euc-jp", "euc_jis_2004", "予約は①三日前までに"),
        ("iso-2022-jp", "iso2022_jp", "会議室の予約"),
        ("big5", "cp950", "價格 € 50"),
        ("big5", "big5hkscs", "佢哋嘅價格"),
        ("ks_c_5601-1987", "cp949", "똠방각하 회의실"),
        ("koi8-r", "koi8-r", "Цена за метр"),
        ("windows-1251", "cp1251", "Цена за метр"),
        ("iso-8859-9", "cp1254", "Fiyat € 50 İstanbul ğ"),
        ("tis-620", "cp874", "ราคา 50"),
        ("utf-16", "utf-8", "Größe"),
    ],
)
def test_labels_mean_what_they_mean_to_browsers(read_one, label, codec, text):
    page = f"<meta charset='{label}'><title>{text}</title><p>{text}</p>".encode(codec)
    document = read_one("a.html", page)
    assert (document.title, document.text, document.left_out) == (text, text, ())


def test_a_label_that_does_not_fit_is_told(read_one):
    page = f"<meta charset='utf-8'><p>{'Größe und Länge für Müller ' * 20}</p>".encode("cp1252")
    document = read_one("a.html", page)
    assert document.text.startswith("Größe und Länge")
    assert [part.kind for part in document.left_out] == ["declared encoding that does not fit"]


def test_a_damaged_byte_does_not_change_the_encoding(read_one):
    page = f"<meta charset='utf-8'><p>{'Größe und Länge in Łódź ' * 20}".encode() + b"\xc5</p>"
    document = read_one("a.html", page)
    assert document.text.startswith("Größe und Länge in Łódź")
    assert [(part.kind, part.characters) for part in document.left_out] == [("damaged bytes", 1)]


def test_old_character_references(read_one):
    assert (
        read_one("a.html", "<p>&#128; 50 don&#146;t &#x93;pay&#x94; &#169;</p>").text == "€ 50 don’t “pay” ©"
    )


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("10<sup>6</sup> cells, 5<sup>3</sup> units", "10^6 cells, 5^3 units"),
        ("H<sub>2</sub>O, CO<sub>2</sub>, log<sub>10</sub>", "H2O, CO2, log10"),
        ("101<sub>2</sub>", "101_2"),
        ("see note<sup>12</sup>. Next.<sup>3</sup>", "see note [12]. Next. [3]"),
        ('at 7<a href="#n3">3</a> bar', "at 7 [3] bar"),
        ('<a href="#r1">1</a>12 days', "[1] 12 days"),
        ('<a href="#r1" role="doc-backlink"><sup>1</sup></a>5 years', "[1] 5 years"),
        ('on the <a href="#d4">4</a>th of May, see <a href="#s2">2</a>.', "on the 4th of May, see 2."),
        ("in 1999<sup><a href=#f>1</a></sup>", "in 1999 [1]"),
        ("in 1999<a href=#f><sup>1</sup></a>", "in 1999 [1]"),
        ("in 1999<a epub:type=noteref href=#f>1</a>", "in 1999 [1]"),
        ("in 1999<sup>[3]</sup>", "in 1999 [3]"),
        ("sold 1,234<sup>2</sup>", "sold 1,234 [2]"),
        ("35 m<sup>2</sup>, 9 km<sup>2</sup>, x<sup>2</sup>", "35 m^2, 9 km^2, x^2"),
        ("4 s<sup>-1</sup> or mol<sup>−1</sup>", "4 s^-1 or mol^−1"),
        ("2<sup>n+1</sup>, (a+b)<sup>2</sup>", "2^(n+1), (a+b)^2"),
        ("25<sup>o</sup>C, the 1<sup>st</sup>", "25°C, the 1st"),
        ("1 <sup>1</sup>/<sub>2</sub> and 2<sup>3</sup>⁄<sub>4</sub>", "1 1/2 and 2 3⁄4"),
        ("10<span style='vertical-align: super'>6</span>", "10^6"),
        ("for <s>50</s> <strike>45</strike> 40 euros<s></s>", "for ~~50~~ ~~45~~ 40 euros"),
        (
            "<ol reversed><li>gold<li>tin</ol><ol reversed start=9><li>x<li>y</ol>",
            "2. gold\n1. tin\n\n9. x\n8. y",
        ),
        ("10<sup>9</sup>/L, m<sup>3</sup>/h, 5<sup>1</sup>/<sub>2</sub>", "10^9/L, m^3/h, 5 1/2"),
        ("log<sub>2</sub>8, a<sub>12</sub> 5, H<sub>2</sub>O<sub>2</sub> 30", "log_2 8, a12 5, H2O2 30"),
        ("words<sup>2, 3</sup>", "words [2, 3]"),
        ("E=mc<sup>2</sup>, 3 · 10 <sup>6</sup>, x<sub>i</sub><sup>2</sup>", "E=mc^2, 3 · 10 ^6, xi^2"),
        ("Smith<sup>a,b</sup>, $5<sup>99</sup>, 12.3<sup>b</sup>", "Smith [a,b], $5.99, 12.3 [b]"),
        ("Brand<sup>®</sup> 12.3<sup>*</sup>", "Brand® 12.3*"),
        ("2<sup>3<sup>2</sup></sup>", "2^(3^2)"),
        ("<math><msup><mn>10</mn><mn>6</mn></msup></math>", "10^6"),
        ("<math><mfrac><mrow><mi>a</mi><mo>+</mo><mn>1</mn></mrow><mn>2</mn></mfrac></math>", "(a+1)/2"),
        ("<math><msub><mi>x</mi><mn>1</mn></msub><annotation>x_1</annotation></math>", "x_1"),
        (
            "<mml:math><mml:msup><mml:mn>10</mml:mn><mml:mn>6</mml:mn></mml:msup></mml:math> cells",
            "10^6 cells",
        ),
        ("<math><msqrt><mn>2</mn></msqrt></math>", "√(2)"),
        ("<ruby>会<rp>(</rp><rt>かい</rt><rp>)</rp></ruby>議", "会(かい)議"),
        ("<q>Yes</q>, she said", '"Yes", she said'),
    ],
)
def test_marks_and_formulas_change_no_number(read_one, html, text):
    assert read_one("a.html", f"<p>{html}</p>").text == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<textarea>one\ntwo</textarea>", "one\ntwo"),
        ("<label>Name <input value='Jane Example'></label>", "Name Jane Example"),
        ("<label>Born</label><input type=number value=1987>", "Born 1987"),
        ("<select><option>red<option selected>blue</select>", "blue"),
        ("<select multiple><option selected>a<option>b<option selected>c</select>", "a, c"),
        ("<select><option value=''>Choose<option>b</select> now", "now"),
        ("<input type=checkbox checked> I agree", "[x] I agree"),
        ("<input type=radio> by post", "[ ] by post"),
        ("<input type=checkbox><p>x</p>", "x"),
        ("<p>a</p><input type=hidden value=x><input type=password value=x><input type=submit value=Go>", "a"),
    ],
)
def test_forms_keep_what_was_filled_in(read_one, html, text):
    assert read_one("a.html", f"<form>{html}</form>").text == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<img alt='Turn the valve left'>", "Turn the valve left"),
        ("<img alt='E = mc^2'>", "E = mc^2"),
        ("a<img alt='photo one.png'>", "a"),
        ("a<img alt=Logo>", "a"),
        ("<h2><img alt=Brakes></h2>", "Brakes"),
        (
            "<table><tr><th>ABS<th>Air</tr><tr><td><img alt=yes><td><img alt=no></table>",
            "ABS | Air\nyes | no",
        ),
        ("<figure><img src=a.png><figcaption>The valve</figcaption></figure>", "The valve"),
    ],
)
def test_pictures_that_say_something(read_one, html, text):
    assert read_one("a.html", html).text == text


def test_items_keep_their_numbers(read_one):
    page = "<ol start=3><li>three<li value=7>seven<li>eight</ol>"
    assert read_one("a.html", page).text == "3. three\n7. seven\n8. eight"


def test_items_are_counted_as_the_list_says(read_one):
    page = "<ol type=a start=2><li>two</ol><p>x</p><ol type=I><li>one</ol>"
    assert read_one("a.html", page).text == "b. two\n\nx\n\nI. one"


def test_terms_share_a_definition(read_one, blocks_of):
    page = "<dl><dt>Ohm</dt><dd>resistance</dd><dt>Volt</dt><dt>Tension</dt><dd>voltage</dd></dl>"
    assert [text for _, _, text in blocks_of(read_one("a.html", page))] == [
        "Ohm\nresistance",
        "Volt\nTension\nvoltage",
    ]


def test_a_table_with_heads_may_hold_tables(read_one):
    inner = "<table><tr><td>bolts<td>4</table>"
    page = f"<table><tr><th>Item<th>Parts<tr><td>Kit<td>{inner}<tr><td>Bag<td>none</table>"
    assert read_one("a.html", page).text == "Item | Parts\nKit | bolts 4\nBag | none"


def test_what_is_drawn_apart_stays_apart(read_one):
    page = "<div><a role=tab>Day</a><a role=tab>Night</a></div><meter>60</meter><output>42</output>"
    assert read_one("a.html", page).text.split() == ["Day", "Night", "60", "42"]


def test_an_item_without_a_list_stays_in_its_place(read_one):
    assert read_one("a.html", "<li>item<p>a</p><div>b</div>").text.split("\n\n") == ["- item", "a", "b"]


def test_a_block_in_a_heading_does_not_empty_it(read_one, blocks_of):
    document = read_one("a.html", "<h2><div>Brakes</div><div>and air</div></h2><dl><dt>a<dd>b</dl>")
    assert blocks_of(document) == [("heading", 2, "Brakes and air"), ("list", 0, "a\nb")]


@pytest.mark.parametrize("tag", ["div", "b", "ul", "blockquote"])
def test_nesting_is_read_or_rejected_but_never_cut_off(read_one, tag):
    assert read_one("a.html", f"<p>start</p>{f'<{tag}>' * 1_000}end").text.endswith("end")
    assert "nested" in read_one("a.html", f"<p>start</p>{f'<{tag}>' * 100_000}end").reason


@pytest.mark.slow
def test_a_long_listing_does_not_end_the_page(read_one):
    page = f"<p>start</p><pre>{'goat line ' * 1_500_000}</pre><p>the end</p>"
    assert read_one("a.html", page).text.endswith("the end")


def test_words_of_forms_stay_apart_and_boxes_alone_say_nothing(read_one):
    boxes = "<p><input type=radio checked><input type=radio></p>"
    page = f"{boxes}<p><label>C</label><label>C++</label></p><p>x y</p>"
    assert read_one("a.html", page).text == "C C++\n\nx y"


def test_the_title_of_a_drawing_is_none_of_the_page(read_one):
    assert read_one("a.html", "<h1>L</h1><p>Text here.</p><svg><title>drawing</title></svg>").title == "L"


def test_data_and_inner_pages_that_are_not_read_are_told(read_one):
    data = '<script type="application/ld+json">{"a": 1}</script>'
    page = f'<head>{data}</head><p>Text here.</p>{data}<iframe srcdoc="<p>inner 66</p>"></iframe>'
    left = {part.kind: (part.count, part.characters) for part in read_one("a.html", page).left_out}
    assert left == {"script": (2, 16), "inner page": (1, 15)}


def test_the_end_of_a_line_in_a_script_without_blanks_is_none(read_one):
    document = read_one("a.html", "<p>默认端口\n  是五四三二。\nPort 5432\n是 A\nB</p>")
    assert document.text == "默认端口是五四三二。 Port 5432 是 A B"


def test_empty_lines_between_two_letters_are_read_in_time(read_one, within):
    with within(1):
        document = read_one("a.html", "<p>あ" + "\n" * 20_000 + "a</p><p>あ \n い</p>")
    assert "あい" in document.text


def test_signs_of_items_are_taken_from_no_page(read_one):
    assert read_one("a.html", '<p>Do:</p><ul><li data-marker="9.">it</li></ul>').text == "Do:\n\n- it"
