"""HTML pages: the main text with its structure, without navigation.

Takes an HTML or XHTML file, gives one document. The walk over the tree keeps headings, paragraphs,
lists, tables and listings in order. Knows nothing about styles or scripts.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from lxml import etree

from hybrid.config import DocumentSettings
from hybrid.documents.boilerplate import MACHINERY, Boilerplate, Element
from hybrid.documents.builder import TextBuilder, one_line
from hybrid.documents.limits import Unreadable
from hybrid.documents.page import PageWalk
from hybrid.documents.source import SourceFile
from hybrid.documents.text import refuse_binary
from hybrid.types import Document

_CHARSET = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:\-]+)""", re.IGNORECASE)
_VOID = "area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr"
_SELF_CLOSED = re.compile(rf"<(?!(?:{_VOID})[\s/])([A-Za-z][\w:\-]*)((?:\s[^<>]*)?)/>", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
# Under this share of the words of a page, leaving out navigation has left out the page.
_MIN_SHARE = 0.1
_MIN_WORDS = 40


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a page."""
    builder = TextBuilder(settings.max_characters)
    title = add_page(builder, file.path.read_bytes())
    yield builder.document(file.source, title=title)


def add_page(builder: TextBuilder, data: bytes) -> str:
    """Append the blocks of a page and return its title.

    Raises:
        Unreadable: there is no page in the bytes.
    """
    root = parse(data)
    title = one_line("".join(root.xpath("string(//title)")))
    boilerplate = Boilerplate(root)
    walk = PageWalk(boilerplate.main, boilerplate.covers)
    if walk.words < min(_MIN_WORDS, _MIN_SHARE * boilerplate.words):
        # a page that is all links: better its navigation than nothing
        walk = PageWalk(root, lambda element: element.tag in MACHINERY)
    walk.add_to(builder)
    return title


def parse(data: bytes) -> Element:
    """Return the root element of a page."""
    text = decode_page(data)
    if "<?xml" in text[:200] or "xhtml" in text[:1000].lower():
        text = _SELF_CLOSED.sub(r"<\1\2></\1>", _XML_DECLARATION.sub("", text))
    # without `huge_tree`, a long listing ends the text without an error
    parser = etree.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=True
    )
    try:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"no HTML in it: {error.msg}") from error
    if any(entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log):
        raise Unreadable("hostile or damaged: its elements are nested more than 2,048 deep")
    if root is None:
        raise Unreadable("no HTML in it")
    return root


def decode_page(data: bytes) -> str:
    """Return the bytes as text: by their mark, as UTF-8, by what the page declares, or as Windows-1252."""
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    refuse_binary(data)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    declared = _CHARSET.search(data[:4096])
    try:
        return data.decode(declared[1].decode("ascii") if declared else "cp1252", "replace")
    except LookupError:
        return data.decode("cp1252", "replace")
