"""EPUB: the pages of the spine, each once; what cannot be read is lost and told."""

import pytest

CONTAINER = """<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="text/book.opf"/></rootfiles></container>"""
ITEM = '<item id="{0}" href="{1}" media-type="{2}" properties="{3}"/>'
PAGE = "application/xhtml+xml"
ITEMS = {
    "n": ("nav.xhtml", PAGE, "nav"),
    "a": ("one.xhtml", PAGE, ""),
    "b": ("two%20b.xhtml", PAGE, ""),
    "c": ("gone.xhtml", PAGE, ""),
}
PAGES = {
    "nav.xhtml": "<nav epub:type='toc'><h1>Contents</h1><a href='one.xhtml'>One</a></nav>",
    "two b.xhtml": "<h1>Two</h1><p>Second.</p>",
    "one.xhtml": "<h1>One</h1><p>First.</p>",
}


@pytest.fixture
def read_book(read_one, make_zip):
    def call(spine="nab", pages=None, items=None, entries=None, **settings):
        items = ITEMS | (items or {})
        manifest = "".join(ITEM.format(key, *item) for key, item in items.items())
        references = "".join(f'<itemref idref="{key}"/>' for key in spine)
        package = f"""<package xmlns="http://www.idpf.org/2007/opf"
            xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>Goats</dc:title>
            <dc:creator>Heidi</dc:creator><dc:creator>Peter</dc:creator></metadata><manifest>{manifest}</manifest>
            <spine>{references}</spine></package>"""
        written = {
            f"text/{name}": page
            if isinstance(page, bytes)
            else f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{page}</body></html>'
            for name, page in (PAGES | (pages or {})).items()
        }
        start = {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER}
        path = make_zip("a.epub", start | {"text/book.opf": package} | written | (entries or {}))
        return read_one("a.epub", path, **settings)

    return call


def left_out(document):
    return [(part.kind, part.count, part.lost) for part in document.left_out]


def test_the_pages_of_the_spine(read_book, blocks_of):
    document = read_book()
    assert (document.title, document.metadata) == ("Goats", {"author": "Heidi, Peter"})
    assert [text for _, _, text in blocks_of(document)] == ["One", "First.", "Two", "Second."]
    assert left_out(document) == [("navigation", 1, False), ("page outside of the reading order", 1, False)]


@pytest.mark.parametrize(("spine", "pages"), [("acb", {}), ("a?b", {}), ("acb", {"gone.xhtml": b""})])
def test_a_chapter_that_cannot_be_read_is_lost(read_book, spine, pages):
    document = read_book(spine, pages)
    assert document.text == "One\n\nFirst.\n\nTwo\n\nSecond."
    assert left_out(document)[0] == ("chapter that cannot be read", 1, True)


def test_a_book_without_a_chapter_that_can_be_read_is_rejected(read_book):
    assert "none of its 2 chapters" in read_book("c?").reason


def test_a_book_that_is_too_long_is_rejected_and_not_cut(read_book):
    assert "more than 20 characters of text" in read_book("ab", max_characters=20).reason


def test_a_repeated_chapter_is_read_once(read_book):
    assert read_book("ab" * 3_000).text == "One\n\nFirst.\n\nTwo\n\nSecond."


def test_a_table_of_contents_that_says_something_is_a_page(read_book):
    text = read_book("na", {"nav.xhtml": "<p>How this book came about in 1999, told here.</p>"}).text
    assert text.startswith("How this book")


def test_pages_that_only_links_lead_to_come_last(read_book):
    items = {"f": ("notes/f.xhtml", PAGE, ""), "u": ("unused.xhtml", PAGE, "")}
    items |= {"s": ("a.css", "text/css", ""), "t": ("toc.ncx", "application/x-dtbncx+xml", "")}
    pages = {
        "one.xhtml": "<link href='a.css'/><p>Word<a epub:type='noteref' href='notes/f.xhtml#n1'>1</a></p>",
        "notes/f.xhtml": "<aside epub:type='footnote'>Cf. Smith</aside>",
        "unused.xhtml": "<p>Unused</p>",
        "a.css": "p { color: red }",
    }
    document = read_book("ab", pages, items)
    assert document.text == "Word [1]\n\nTwo\n\nSecond.\n\nCf. Smith"
    assert ("page outside of the reading order", 2, False) in left_out(document)


@pytest.mark.parametrize(
    "page",
    [
        "<p>A<a epub:type='noteref' href='#n'>1</a></p><aside epub:type='footnote' id='n'>Smith</aside>",
        "<p>A</p><section epub:type='notes'><aside role='doc-endnote' hidden><p>Smith.</p></aside></section>",
        "<header><p>A</p></header><section epub:type='chapter' id='sidebar'><p>Smith</p></section>",
        "<div class='footer'><h2>A</h2><p>Smith</p></div>",
    ],
)
def test_notes_and_heads_of_chapters_stay(read_book, page):
    document = read_book("a", {"one.xhtml": page})
    assert "Smith" in document.text
    assert "A" in document.text


@pytest.mark.parametrize("kind", ["text/html", "application/xml", "application/x-dtbook+xml"])
def test_pages_of_other_kinds(read_book, kind):
    assert "First." in read_book("ab", items={"a": ("one.xhtml", kind, "")}).text


def test_names_that_differ_in_case(read_book):
    assert "First." in read_book("ab", items={"a": ("One.XHTML", PAGE, "")}).text


def test_a_protected_book_is_rejected(read_book):
    encryption = '<e><CipherReference URI="text/one.xhtml"/></e>'
    assert read_book("ab", entries={"META-INF/encryption.xml": encryption}).reason.startswith("encrypted")


def test_where_a_printed_page_begins_is_no_word(read_book):
    page = "<p>Next<span epub:type='pagebreak' id='p8'>8</span> word<span role='doc-pagebreak'>ix</span>.</p>"
    document = read_book("a", {"one.xhtml": page})
    assert (document.text, document.left_out[0].kind) == ("Next word.", "page number")
