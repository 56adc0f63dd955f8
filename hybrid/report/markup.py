"""Build HTML and SVG that nobody's text can break out of.

Takes names, attributes and texts, gives ``Markup``: every text that is not markup already is escaped.
The result is well-formed XML as well as HTML. Knows nothing about reports.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Mapping

Attribute = str | int | float
# Unicode characters that turn the order of the text around them: a document could fake a sentence with them.
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_VOID = frozenset({"br", "meta", "hr"})


class Markup(str):
    """Text that is markup and is put in as it is."""

    __slots__ = ()


def visible(text: str) -> str:
    """Return text in which what steers a display is written out: control and bidi characters."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c if c.isprintable() or c in "\n\t" else _written_out(c) for c in lines)


def escape(text: str) -> Markup:
    """Return text as markup that shows it; markup comes back unchanged."""
    return text if isinstance(text, Markup) else Markup(html.escape(visible(text), quote=True))


def element(name: str, attributes: Mapping[str, Attribute] | None = None, *children: str) -> Markup:
    """Return an element; children that are plain text are escaped."""
    opening = name + "".join(
        f' {key}="{escape(value if isinstance(value, str) else number(value))}"'
        for key, value in (attributes or {}).items()
    )
    if name in _VOID:
        return Markup(f"<{opening}/>")
    return Markup(f"<{opening}>{''.join(map(escape, children))}</{name}>")


def join(parts: Iterable[str], separator: str = "") -> Markup:
    """Return parts one after the other."""
    return Markup(escape(separator).join(map(escape, parts)))


def number(value: float) -> str:
    """Return a number as short as an attribute needs it."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _written_out(character: str) -> str:
    if character in "\u2028\u2029":
        return "\n"
    if character in _BIDI_CONTROLS or unicodedata.category(character) in {"Cc", "Cs", "Cn"}:
        return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
    # spaces of any width, joiners and soft hyphens belong to writing; private characters do no harm
    return character
