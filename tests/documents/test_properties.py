"""Whatever a text file holds, its blocks are in order, apart, inside of the text and stripped."""

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hybrid.config import DocumentSettings
from hybrid.documents import SourceFile, read
from hybrid.documents.builder import TextBuilder
from hybrid.documents.cells import Stroke, TextRun
from hybrid.documents.layout import Page, add_pages
from hybrid.documents.segmentation import whole
from hybrid.documents.source import Unreadable
from hybrid.types import Document, Rejected


def pieces(text):
    """Return what stands between tildes; a new line is one, too."""
    return st.sampled_from(text.replace("\n", "~").split("~"))


MARKDOWN = pieces("""# h~## h ##~- item~  - inner~1. one~```~    code~> quote~a | b~---|---~--- | ---~===~~\t
<b>x</b>~<Tabs a={1}>~</Tabs>~![i](u)~[l](u)~**b**~`c`~<!-- c~-->~{/* x~*/}~:::note[T]~:::~import x
k: v~\\*~&amp;~words~---""")
HTML = pieces("""<p>~</p>~<div>~</div>~<ul>~</ul>~<ol>~<li>~</li>~<dl>~<dt>~<dd>~</dl>~<table>~<tr>~<td>~</td>
</table>~<pre>~</pre>~<br>~<h1>~</h1>~<h2>~<b>~</b>~<nav>~</nav>~<main>~</main>~<a>~</a>~<script>
</script>~<title>~</title>~&nbsp;~&#0;~&lt;~<img alt=x>~<!--~-->~text~words~¶""")
TEXT = pieces("word~====~----~== x~* i~. i~....~+~[x]~  in~\t~| a~~+--+~1. x~#~***~Titl")
PIECES = {"a.md": MARKDOWN, "a.mdx": MARKDOWN, "a.html": HTML, "a.txt": TEXT}


def check(item):
    if isinstance(item, Rejected):
        assert item.reason
        return
    assert isinstance(item, Document)
    end = 0
    for block in item.blocks:
        assert end <= block.start < block.end <= len(item.text)
        text = item.text[block.start : block.end]
        assert text == text.strip()
        assert (block.level > 0) == (block.kind.value == "heading")
        end = block.end
    assert item.blocks
    assert "\0" not in item.text
    assert "\r" not in item.text
    item.text.encode("utf-8")
    assert list(item.pages) == sorted(item.pages)


def check_all(path):
    batches = list(read(SourceFile(path.name, path, 1), DocumentSettings()))
    items = [item for batch in batches for item in batch.items]
    # whatever a file holds, it is a document or says why it is none
    assert items
    for item in items:
        check(item)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PIECES))
def test_blocks_of_structured_text(tmp_path, name):
    @settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(PIECES[name], max_size=40))
    def run(lines):
        path = tmp_path / name
        path.write_text("\n".join(lines), encoding="utf-8")
        check_all(path)

    run()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["a.md", "a.mdx", "a.html", "a.txt", "a.csv", "a.tsv", "a.jsonl", "a.pdf", "a.docx", "a.epub"]
)
def test_any_bytes(tmp_path, name):
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.one_of(
            st.binary(max_size=300), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
        )
    )
    def run(data):
        path = tmp_path / name
        path.write_bytes(data)
        check_all(path)

    run()


def piece(text, x, width, y, size, bold, monospaced):
    return TextRun(text, x, x + width, y, size, bold, monospaced)


PIECES_OF_PAGES = st.builds(
    piece,
    text=pieces("Goats climb~exam-~ple~• item~1. one~3~1 Goats . . . . . 7~Fin.~12~(1.5)~$~2019~Age:~%~山羊"),
    x=st.sampled_from([72.0, 90.0, 300.0]),
    width=st.sampled_from([5.0, 20.0, 250.0]),
    y=st.sampled_from([50.0, 100.0, 112.0, 124.0, 136.0, 700.0]),
    size=st.sampled_from([0.1, 10.0, 18.0]),
    bold=st.booleans(),
    monospaced=st.booleans(),
)
BOXES = st.builds(
    Stroke,
    left=st.just(60.0),
    bottom=st.sampled_from([90.0, 106.0, 118.0]),
    right=st.sampled_from([60.5, 330.0]),
    top=st.sampled_from([118.5, 131.0, 800.0]),
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.lists(PIECES_OF_PAGES, max_size=8), st.lists(BOXES, max_size=4)), max_size=3))
def test_blocks_of_pages(drawn):
    pages = [Page(whole(pieces, boxes), boxes, Stroke(0, 0, 600, 800)) for pieces, boxes in drawn]
    builder = TextBuilder(100_000)
    add_pages(builder, pages)
    assume(any(page.pieces for page in pages))
    document = builder.document("a.pdf")
    check_pages(document, pages)
    left_out = sum(part.characters for part in document.left_out)
    assert letters(document.text) + left_out >= sum(letters(p.text) for page in pages for p in page.pieces)


def test_pages_without_pieces_are_no_document():
    builder = TextBuilder(100_000)
    add_pages(builder, [Page([], [], Stroke(0, 0, 600, 800))])
    with pytest.raises(Unreadable):
        builder.document("a.pdf")


def letters(text):
    return sum(map(str.isalnum, text))


def check_pages(document, pages):
    check(document)
    assert len(document.pages) == len(pages)
    assert all(page <= len(document.text) for page in document.pages)
