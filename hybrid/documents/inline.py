"""What stands inside a line of Markdown: links, images, emphasis, tags.

Takes a stretch of Markdown, gives it as readable text. Knows nothing about blocks; what is in
backticks is left as it is.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

# Tags are named, since `<path>` in a manual is a placeholder and not a tag.
_HTML_NAMES = (
    "a|abbr|article|aside|audio|b|big|blockquote|br|button|caption|center|cite|code|col|colgroup|dd|del"
    "|details|dfn|div|dl|dt|em|figcaption|figure|font|footer|form|h[1-6]|header|hr|i|iframe|img|input|ins"
    "|kbd|label|li|main|mark|nav|ol|p|picture|pre|q|s|samp|script|section|small|source|span|strike|strong|style|sub"
    "|summary|sup|svg|table|tbody|td|tfoot|th|thead|tr|tt|u|ul|var|video"
)
_ATTRIBUTES = r"""(?:[^<>{}"']|"[^"]*"|'[^']*'|\{(?:[^{}]|\{[^{}]*\})*\})*"""
_HTML_TAG = re.compile(rf"</?(?:{_HTML_NAMES})(?![\w.\-:@]){_ATTRIBUTES}>", re.IGNORECASE)
_COMPONENT_TAG = re.compile(rf"</?(?:[A-Z][\w.]*(?![\w.\-:@]){_ATTRIBUTES})?>")
_SPOKEN_ATTRIBUTE = re.compile(r"""\b(?:alt|label)=(?:"([^"]*)"|'([^']*)')""")
# A stretch without a blank line that is longer than this is data; marks in it are left alone, since
# looking for their ends takes time that grows with the square of the length.
_MAX_LENGTH = 50_000
_SPECIAL = re.compile(r"[*_\[<>\\&`]")
_CODE = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)

_HIDDEN = re.compile(r"\0(\d+)\0")
_IMAGE = re.compile(
    r"!\[([^\[\]]*)\](?:\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s+[\"'][^\"']*[\"'])?\)|\[[^\[\]]*\])"
)
_LINK = re.compile(
    r"(?<!!)\[([^\[\]]+)\](?:\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s+[\"'][^\"']*[\"'])?\)|\[[^\[\]]*\])"
)
_AUTOLINK = re.compile(r"<((?:https?|ftp|mailto):[^<>\s]+)>")
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_EMPHASIS = re.compile(r"(?<![\w*\\])\*(?=[^\s*])([^*\n]+?)(?<=[^\s*\\])\*(?![\w*])")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_CLEAN_UP = ((_IMAGE, r"\1"), (_LINK, r"\1"), (_AUTOLINK, r"\1"), (_STRONG, r"\2"), (_EMPHASIS, r"\1"))


def strip_tags(text: str, *, components: bool) -> str:
    """Return the text without HTML tags, and without components (``<Tabs>``) where that is asked.

    What a tag would show (``alt``, ``label``) stays.
    """

    def change(part: str) -> str:
        part = _HTML_TAG.sub(_spoken, part)
        return _COMPONENT_TAG.sub(_spoken, part) if components else part

    return _outside_code(text, change)


def plain_inline(text: str) -> str:
    """Return Markdown without its marks: links as their text, images as their description."""

    def change(part: str) -> str:
        for pattern, replacement in _CLEAN_UP:
            part = pattern.sub(replacement, part)
        return html.unescape(_ESCAPE.sub(r"\1", part))

    return _outside_code(text, change)


def _spoken(tag: re.Match[str]) -> str:
    return " ".join(double or single for double, single in _SPOKEN_ATTRIBUTE.findall(tag[0]))


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change a text around its code spans, which may stand inside of a link."""
    if len(text) > _MAX_LENGTH or not _SPECIAL.search(text):
        return text
    spans: list[str] = []

    def hide(match: re.Match[str]) -> str:
        spans.append(match[0])
        return f"\0{len(spans) - 1}\0"

    text = change(_CODE.sub(hide, text.replace("\0", "")))
    return _HIDDEN.sub(lambda match: spans[int(match[1])], text)
