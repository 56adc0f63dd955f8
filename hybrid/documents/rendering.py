"""Markdown rendered to HTML, a line of it for each line of the file, so that one walk reads both."""

from __future__ import annotations

import html
import re
import textwrap

from hybrid.documents.builder import TextBuilder
from hybrid.documents.markup import tags as _names

# A tag is looked for no further than this.
TAG_LENGTH = 2_000
_VOID = _names("area base br col embed hr img input link meta param source track wbr")
_LONE = _names(
    "br hr wbr p li dt dd td th tr thead tbody tfoot div section article center blockquote ul ol dl table "
    "h1 h2 h3 h4 h5 h6"
)
_BORDERS = _names(
    "address article aside blockquote body button center dd details dir div dl dt fieldset figcaption "
    "figure footer form head header hr html legend li main menu nav ol option p pre section select "
    "summary textarea title ul table thead tbody tfoot tr td th caption"
)
_NAMES = (
    _VOID
    | _LONE
    | _BORDERS
    | _names(
        "a abbr acronym audio b bdi bdo big canvas cite code colgroup data datalist del dfn em font h1 h2 "
        "h3 h4 h5 h6 i iframe ins kbd label map mark math meter nobr noscript object optgroup output "
        "picture progress q rp rt ruby s samp slot small span strike strong sub sup template time tt u var "
        "video"
    )
)
_TAG = re.compile(
    r"<(?P<end>/?)(?P<name>[A-Za-z][\w.:\-]*)"
    r"(?P<attributes>(?:[^<>{}\"']|\"[^\"]*+\"|'[^']*+'|\{(?:[^{}]|\{[^{}]*+\})*+\})*+)>"
    r"|<(?P<fragment>/?)>"
)
_ATTRIBUTES = re.compile(
    r"(?:\s+(?:[\w:@.\-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|\{.*\}|[^\s\"'=<>`{}]+)|\{\.\.\..*\}"
    r"|hidden|open|disabled|checked|selected|controls|async|defer|required|nowrap|noshade|reversed|compact"
    r"|multiple|readonly|autoplay|loop|muted|allowfullscreen|itemscope))*+\s*/?",
    re.IGNORECASE | re.DOTALL,
)
_VALUE = re.compile(r"""\b(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>{}]+))""")
_SPOKEN = frozenset(("alt", "label"))
_SPOKEN_OF_COMPONENTS = _SPOKEN | {"title", "description", "caption", "summary", "heading"}
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|\w{2,32});")
_UNSHOWN = re.compile(r"<!--.*?-->|<![A-Za-z][^>]*>|<(script|style|svg)\b.*?(?:</\1\s*>|\Z)", re.I | re.S)
_PRE_END = re.compile(r"</pre\s*>", re.IGNORECASE)
# What HTML may leave open, and Markdown below it does not go on with.
_OPEN_ENDED = _names("table ul ol dl menu dir")
_FRAMES = _names("html head body")


class Tags:
    """Tells the tags of a page from other things between angle brackets, as ``<path>`` in a manual.

    A tag has a name of HTML or attributes, and an end somewhere unless it needs none.
    """

    def __init__(self, text: str, *, components: bool) -> None:
        self._components = components
        self._ended = {name.lower() for name in re.findall(r"</([A-Za-z][\w.:\-]*)", text)}

    def match(self, text: str, place: int) -> re.Match[str] | None:
        """Return the tag that begins at the place."""
        found = _TAG.match(text, place, place + TAG_LENGTH)
        return found if found and self._is_tag(found) else None

    def is_component(self, name: str) -> bool:
        """Return whether it is the name of a component of MDX."""
        return self._components and name[:1].isupper()

    def _is_tag(self, found: re.Match[str]) -> bool:
        if found["name"] is None:
            return self._components
        name, attributes = found["name"].lower(), found["attributes"]
        is_component = self.is_component(found["name"])
        known = name in _NAMES or is_component
        if found["end"]:
            return known or "-" in name
        if not (is_component or _ATTRIBUTES.fullmatch(attributes)):
            return False
        if not known and "-" not in name:
            return False
        sure = attributes.endswith("/") or "=" in attributes or name in _LONE
        return sure or (name in self._ended and name not in _VOID)


class Rendering:
    """HTML under construction; ``line`` is the line of the file that is being read, and of the HTML."""

    def __init__(self, builder: TextBuilder, tags: Tags) -> None:
        self._builder = builder
        self._tags = tags
        self._parts = ["<body>"]
        self._open: list[str] = []
        self._is_soft = False
        self.line = 1

    def html(self) -> str:
        """Return all that was appended."""
        return "".join(self._parts)

    def go_to(self, line: int) -> None:
        """Continue on a line of the file."""
        self._append("\n" * (line - self.line))

    def text(self, text: str) -> None:
        """Append text."""
        if not text:
            return
        if self._is_soft and self._parts[-1][-1:].isalnum() and text[0].isalnum():
            self._parts.append(" ")
        self._is_soft = False
        self._append(html.escape(text, quote=False))

    def new_line(self) -> None:
        """Begin a line of the same block."""
        self._append("<br>\n")

    def lines(self, text: str) -> None:
        """Append text of several lines, which stay lines."""
        for number, line in enumerate(text.split("\n")):
            if number:
                self.new_line()
            self.text(line)

    def code_span(self, text: str) -> None:
        """Append code within a line, whose blanks stay."""
        self._append(f'<code style="white-space:pre">{html.escape(text, quote=False)}</code>')

    def code(self, text: str) -> None:
        """Append a listing."""
        self._append(f"<pre>{html.escape(textwrap.dedent(text), quote=False)}</pre>")

    def tag(self, name: str, attributes: str = "", *, whole: bool = False) -> None:
        """Append a tag; ``whole`` for one of Markdown, which nothing that HTML left open can hold."""
        if whole:
            self._append("".join(f"</{one}>" for one in reversed(self._open)))
            self._open = []
        self._append(f"<{name}{attributes}>")

    def leave_out(self, kind: str, text: str) -> None:
        """Say that something is left out."""
        self._append("\n" * text.count("\n"))
        self._builder.leave_out(kind, len(text))

    def raw(self, source: str) -> None:
        """Append HTML of the file; what is no tag in it is text."""
        place, last_comment = 0, source.rfind("-->")
        while place < len(source):
            start = source.find("<", place)
            stretch = source[place : start if start >= 0 else len(source)]
            self.text(_ENTITY.sub(lambda found: html.unescape(found[0]), stretch))
            if start < 0:
                return
            is_open = start > last_comment and source.startswith("<!--", start)
            if not is_open and (unshown := _UNSHOWN.match(source, start)):
                kind = (unshown[1] or ("comment" if unshown[0].startswith("<!--") else "declaration")).lower()
                self.leave_out(kind, unshown[0])
                place = unshown.end()
            elif found := self._tags.match(source, start):
                place = found.end()
                if (found["name"] or "").lower() != "pre" or found["end"]:
                    self._raw_tag(found)
                else:
                    finish = _PRE_END.search(source, place)
                    self._listing(source[place : finish.start() if finish else len(source)])
                    place = finish.end() if finish else len(source)
            else:
                self.text("<")
                place = start + 1

    def _append(self, part: str) -> None:
        self._parts += [part] if part else []
        self.line += part.count("\n")

    def _listing(self, text: str) -> None:
        text = re.sub(r"<br\s*/?>", "\n", text)
        text = re.sub(r"</?(?:code|span|b|i|em|strong|a)(?:\s[^<>]*)?>", "", text)
        self.code(_ENTITY.sub(lambda found: html.unescape(found[0]), text))

    def _raw_tag(self, found: re.Match[str]) -> None:
        if found["name"] is None:
            return
        name = found["name"].lower()
        is_component = self._tags.is_component(found["name"])
        values = {
            key.lower(): one or two or three for key, one, two, three in _VALUE.findall(found["attributes"])
        }
        if values.get("src", "").lstrip().startswith("data:"):
            self._builder.leave_out("embedded image", len(values["src"]))
        if is_component or name not in _NAMES:
            self._is_soft = True
        elif found["end"]:
            self._append(f"</{name}>" if name not in _FRAMES else "")
            if name in self._open:
                self._open.remove(name)
        elif name in _LONE or name not in _VOID | _FRAMES:
            self._append(f"<{name}{''.join(f' {key}={html.escape(one)!r}' for key, one in values.items())}>")
            self._open += [name] if name in _OPEN_ENDED else []
        self._append("\n" * found[0].count("\n"))
        spoken = _SPOKEN_OF_COMPONENTS if is_component else _SPOKEN
        if shown := " ".join(
            html.unescape(value) for key, value in values.items() if key in spoken and value.strip()
        ):
            is_apart = self._parts[-1][-1] == ">" or self._parts[-1][-1].isspace()
            self.text(shown if is_apart else f" {shown}")
            self._is_soft = True
