"""Electronic books (EPUB): the pages of the archive in the order of its spine."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from urllib.parse import unquote

from lxml import etree

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder
from hybrid.documents.html import Element, add_page
from hybrid.documents.source import SourceFile, Unreadable, check_pages, open_zip
from hybrid.types import Document

_PAGE_TYPES = frozenset(("application/xhtml+xml", "text/html"))
# Fonts may be obfuscated in any book; only encrypted pages make one unreadable.
_ENCRYPTION = "META-INF/encryption.xml"


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of an EPUB file."""
    builder = TextBuilder(settings.max_characters)
    with open_zip(file.path, settings) as archive:
        package_name = _package_name(archive)
        package = _xml(archive, package_name)
        pages = _spine(package, posixpath.dirname(package_name))
        check_pages(len(pages), settings, what="chapters")
        _refuse_encrypted(archive, frozenset(pages))
        missing = 0
        for name in pages:
            try:
                add_page(builder, archive.read(name))
            except (KeyError, zipfile.BadZipFile, Unreadable):
                missing += 1
        if pages and missing == len(pages):
            raise Unreadable(f"damaged: none of its {missing} chapters can be read")
    metadata = {"author": _first(package, "creator"), "language": _first(package, "language")}
    if missing:
        metadata["chapters_unreadable"] = str(missing)
    yield builder.document(file.source, title=_first(package, "title"), metadata=metadata)


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


def _spine(package: Element, folder: str) -> list[str]:
    """Return the names of the pages in reading order, without the table of contents."""
    items = {item.get("id"): item for item in package.iter("{*}item")}
    names: list[str] = []
    for reference in package.iter("{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is None or item.get("media-type") not in _PAGE_TYPES or not item.get("href"):
            continue
        if "nav" not in (item.get("properties") or "").split():
            names.append(
                posixpath.normpath(posixpath.join(folder, unquote(item.get("href").partition("#")[0])))
            )
    return names


def _refuse_encrypted(archive: zipfile.ZipFile, pages: frozenset[str]) -> None:
    if _ENCRYPTION not in archive.namelist():
        return
    encrypted = {
        unquote(item.get("URI", "")) for item in _xml(archive, _ENCRYPTION).iter("{*}CipherReference")
    }
    if encrypted & pages:
        raise Unreadable("encrypted: the book is protected (DRM); use a copy without protection")


def _first(package: Element, name: str) -> str:
    element = next(package.iter(f"{{http://purl.org/dc/elements/1.1/}}{name}"), None)
    return "" if element is None else "".join(element.itertext())
