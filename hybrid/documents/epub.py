"""Electronic books (EPUB): the pages of the archive in the order of its spine."""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from urllib.parse import unquote

from lxml import etree

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder
from hybrid.documents.html import add_page, parse
from hybrid.documents.markup import Element
from hybrid.documents.source import UNREAD_ENTRY, SourceFile, Unreadable, check_pages, open_zip
from hybrid.types import Document

_PAGE_TYPE = re.compile(r".*(?:html|/xml|oeb1|dtbook|svg)", re.IGNORECASE)
_HREF = re.compile(rb"""href\s*=\s*["']([^"'#]+)""", re.IGNORECASE)
# Fonts may be obfuscated in any book; only encrypted pages make one unreadable.
_ENCRYPTION = "META-INF/encryption.xml"


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of an EPUB file."""
    builder = TextBuilder(settings.max_characters)
    with open_zip(file.path, settings) as archive:
        package_name = _package_name(archive)
        package = _xml(archive, package_name)
        book = _Book(archive, builder, package, posixpath.dirname(package_name))
        check_pages(len(book.spine), settings, what="chapters")
        _refuse_encrypted(archive, frozenset(book.spine))
        book.add()
    metadata = {"author": _named(package, "creator"), "language": _named(package, "language")}
    yield builder.document(file.source, title=_named(package, "title"), metadata=metadata)


class _Book:
    """The pages of a book: each of its spine once, then those that only links lead to."""

    def __init__(self, archive: zipfile.ZipFile, builder: TextBuilder, package: Element, folder: str) -> None:
        self._archive = archive
        self._builder = builder
        self._names = {name.lower(): name for name in archive.namelist()}
        self._pages: dict[str, str] = {}
        self._contents: set[str] = set()
        self._linked: set[str] = set()
        for item in package.iter("{*}item"):
            if item.get("href") and _PAGE_TYPE.match(item.get("media-type") or ""):
                name = self._pages[item.get("id") or ""] = _resolved(folder, item.get("href"))
                if "nav" in (item.get("properties") or "").split():
                    self._contents.add(name)
        wanted = [one.get("idref") or "" for one in package.iter("{*}itemref")]
        # what is read twice stands in the text once; what the list lacks is a page that nobody finds
        self.spine = dict.fromkeys(self._pages.get(name, f"no page {name}") for name in wanted)

    def add(self) -> None:
        """Append the pages, and say which of them cannot be read."""
        read = sum(map(self._add, self.spine))
        if self.spine and not read:
            raise Unreadable(f"damaged: none of its {len(self.spine)} chapters can be read")
        others = dict.fromkeys(name for name in self._pages.values() if name not in self.spine)
        for name in (name for name in others if not name.endswith(".svg")):
            if name in self._linked:
                self._add(name)
            elif name not in self._contents:
                self._builder.leave_out("page outside of the reading order")

    def _add(self, name: str) -> bool:
        try:
            data = self._archive.read(self._names.get(name.lower(), name))
            root = parse(self._builder, data)
        except (*UNREAD_ENTRY, Unreadable):
            self._builder.leave_out("chapter that cannot be read", lost=True)
            return False
        folder = posixpath.dirname(name)
        self._linked |= {
            _resolved(folder, match[1].decode("utf-8", "replace")) for match in _HREF.finditer(data)
        }
        add_page(self._builder, root, in_book=True, is_contents=name in self._contents)
        return True


def _resolved(folder: str, address: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(address.partition("#")[0])))


def _package_name(archive: zipfile.ZipFile) -> str:
    container = _xml(archive, "META-INF/container.xml")
    for root_file in container.iter("{*}rootfile"):
        if name := root_file.get("full-path"):
            return str(name)
    raise Unreadable("damaged: the book does not say where its contents are listed")


def _xml(archive: zipfile.ZipFile, name: str) -> Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    try:
        root = etree.fromstring(archive.read(name), parser)
    except (KeyError, zipfile.BadZipFile, etree.XMLSyntaxError) as error:
        raise Unreadable(f"damaged: {name} is missing or no XML") from error
    if root is None:
        raise Unreadable(f"damaged: {name} is no XML")
    return root


def _refuse_encrypted(archive: zipfile.ZipFile, pages: frozenset[str]) -> None:
    if _ENCRYPTION not in archive.namelist():
        return
    encrypted = {
        unquote(item.get("URI", "")) for item in _xml(archive, _ENCRYPTION).iter("{*}CipherReference")
    }
    if encrypted & pages:
        raise Unreadable("encrypted: the book is protected (DRM); use a copy without protection")


def _named(package: Element, name: str) -> str:
    """Return what the package says about the book: all of its authors, the first of its titles."""
    found = package.iter(f"{{http://purl.org/dc/elements/1.1/}}{name}")
    texts = list(filter(None, ("".join(one.itertext()).strip() for one in found)))
    return ", ".join(texts if name == "creator" else texts[:1])
