"""What of a page is navigation and not text.

Takes the tree of a page, gives its main element and says of every other whether to leave it out.
Knows nothing about blocks.
"""

from __future__ import annotations

import re
from typing import Any

Element = Any  # lxml has no types


def tags(names: str) -> frozenset[str]:
    """Return a set of names that are separated by blanks."""
    return frozenset(names.split())


MACHINERY = tags(
    "head script style noscript template iframe object embed applet canvas audio video button input select "
    "option textarea datalist svg map annotation annotation-xml"
)
_OUTSIDE_MAIN = frozenset(("header", "aside"))
_ROLES = tags("navigation banner contentinfo search menu menubar complementary dialog alertdialog")
_KEEP = frozenset(("html", "body", "main", "article"))
_NAME = re.compile(
    r"(?:[a-z0-9]+[-_])*"
    r"(?:nav|navbar|navigation|navheader|navfooter|menu|menubar|sidebar|sidenav|breadcrumbs?|footer|toc"
    r"|pagination|pager|cookies?|skiplink|skip-link|related|share|social|advert|ads|searchbox|linenos?"
    r"|editsection)"
    r"(?:[-_](?:wrapper|container|list|bar|box|inner|links?|area|items?|menu))?"
)
_HIDDEN_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)")
_LINK_MARKS = frozenset(("¶", "#", "§", "🔗", "⚓"))
# What holds more of a page than this is the page, whatever its class says.
_MAX_SHARE = 0.5
# A main element with less of the page than this was marked by mistake.
_MIN_MAIN_SHARE = 0.3


class Boilerplate:
    """Says which elements of a page are to be left out, and which one is the page."""

    def __init__(self, root: Element) -> None:
        self._root = root
        self._words: dict[Element, int] = {}
        # children come before their parents: each adds what it holds to the one above it
        for element in reversed(list(root.iter("*"))):
            below = self._words.get(element, 0) + _count(element.text)
            self._words[element] = below if element.tag not in MACHINERY else 0
            parent = element.getparent()
            if parent is not None:
                held = self._words[element] + _count(element.tail)
                self._words[parent] = self._words.get(parent, 0) + held
        self._main = self._find_main()

    @property
    def main(self) -> Element:
        """Return the element that holds the text of the page."""
        return self._main

    @property
    def words(self) -> int:
        """Return the number of words of the whole page."""
        return self._words[self._root]

    def covers(self, element: Element) -> bool:
        """Return whether the element is to be left out with all that is in it."""
        tag = element.tag
        if tag in MACHINERY or tag in _KEEP:
            return tag in MACHINERY
        if tag == "a":
            return len(element) == 0 and (element.text or "").strip() in _LINK_MARKS
        if tag == "nav" or _is_hidden(element):
            return True
        named = tag == "footer" or (tag in _OUTSIDE_MAIN and self._main.tag == "body")
        if named or element.get("role", "").lower() in _ROLES or _has_name(element):
            return self._words.get(element, 0) <= _MAX_SHARE * self._words[self._main]
        return False

    def _find_main(self) -> Element:
        body = next(self._root.iter("body"), self._root)
        marked = self._root.xpath("//main | //*[@role='main']") or self._root.xpath("//article")
        if not marked:
            return body
        best = max(marked, key=lambda element: self._words.get(element, 0))
        return best if self._words.get(best, 0) >= _MIN_MAIN_SHARE * self.words else body


def _count(text: str | None) -> int:
    return len(text.split()) if text else 0


def _is_hidden(element: Element) -> bool:
    if element.get("role") == "tabpanel":
        return False  # one of several tabs is always hidden, and is text all the same
    return (
        element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
        or _HIDDEN_STYLE.search(element.get("style", "").lower()) is not None
    )


def _has_name(element: Element) -> bool:
    names = [*element.get("class", "").split(), element.get("id", "")]
    return any(_NAME.fullmatch(name.lower()) for name in names if name)
