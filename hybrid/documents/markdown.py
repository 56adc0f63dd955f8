"""Markdown and MDX: the text that a reader of a page sees (CommonMark)."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, html_block, reference
from markdown_it.rules_block.table import escapedSplit
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote import footnote_plugin

from hybrid.config import DocumentSettings
from hybrid.documents.builder import TextBuilder
from hybrid.documents.frontmatter import front_matter
from hybrid.documents.html import add_markup
from hybrid.documents.markup import tags as _names
from hybrid.documents.source import SourceFile
from hybrid.documents.text import decode
from hybrid.types import BlockKind, Document

# A tag is looked for no further than this.
_TAG_LENGTH = 2_000
_VOID = _names("area base br col embed hr img input link meta param source track wbr")
_LONE = _names(
    "br hr wbr p li dt dd td th tr thead tbody tfoot div section article center blockquote ul ol dl table "
    "h1 h2 h3 h4 h5 h6"
)
_NAMES = (
    _VOID
    | _LONE
    | _names(
        "a abbr acronym address aside audio b bdi bdo big body button canvas caption cite code colgroup data "
        "datalist del details dfn dir em fieldset figcaption figure font footer form head header html i "
        "iframe ins kbd label legend main map mark math menu meter nav nobr noscript object optgroup option "
        "output picture pre progress q rp rt ruby s samp select slot small span strike strong sub summary "
        "sup template textarea time title tt u var video"
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
# What is nested deeper is text as it stands; so is a longer paragraph, since looking for the ends of marks
# takes time that grows faster than the length.
_MAX_DEPTH = 40
_MAX_LENGTH = 20_000
_ADMONITION = re.compile(r"[ \t]*:{3,}[ \t]*(?:\w+)?(?:\[(?P<title>[^\]]*)\])?[ \t]*(?P<rest>.*)")
# Of Python's Markdown: what is indented below belongs to it. Of kramdown: attributes on a line of their own.
_CONTAINER = re.compile(
    r"(?:!!!|\?\?\?\+?)[ \t]+([a-z][\w \t\-]*)(?:\"([^\"]*)\")?|===[!+]?[ \t]+()\"([^\"]*)\""
)
_KRAMDOWN = re.compile(r"[ \t]*\{:[^{}]*\}[ \t]*")
_SPECIAL = re.compile(r"[^\w\s.,;()|/%+='\"-]|(?<!\w)_")
_ANCHOR = re.compile(r"[ \t]*\{#[\w:.\-]+[^{}]{0,100}\}$")
_MODULE = re.compile(
    r"import\s*(?:[\"'{*]|[\w$]+(?:\s*,\s*\{[^}]*\})?\s+from\s*[\"'])"
    r"|export\s+(?:default|const|let|var|function|class|async|type|interface)\b|export\s*[*{]"
)
_RAW = re.compile(r"<(?:!|\?|(?:pre|script|style|textarea)\b)", re.IGNORECASE)
# Behind `[name]:` stands an address, or else it is a sentence.
_ADDRESS = re.compile(
    r"\[(?:[^\[\]\\]|\\.)+\]:\s*(?:<|[a-z][a-z0-9+.\-]*:\S|[./#?]|\S*/|\S+\.[a-z]\w{1,4}(?:\s|$))"
)
_SCHEME = re.compile(r"(?:https?|ftp)$", re.IGNORECASE)
_DRIVE_TAIL = re.compile(r"(?<=\b[A-Za-z]):(?:\\[\w.$~\-]+)+")
# How MkDocs and Docusaurus name a listing: ```py title="app.py"
_NAMED = re.compile(r"""\b(?:title|filename)=(["'])(.+?)\1""")
_URL_TAIL = re.compile(r"://(?:[^\s<>*_`\[\]()\\|&\"']|_(?=[\w/])|&(?!#?\w+;)|\([^\s()<>]*\))+")


def read(file: SourceFile, settings: DocumentSettings) -> Iterator[Document]:
    """Yield the document of a Markdown file."""
    builder = TextBuilder(settings.max_characters)
    lines = decode(file.path.read_bytes()).split("\n")
    front = front_matter(lines)
    if front.text:
        builder.add(BlockKind.PARAGRAPH, front.text, line=2)
    if front.cut:
        builder.leave_out("end of a long field of the front matter", front.cut)
    text = "\n".join(lines[front.lines :])
    add_markdown(builder, text, first_line=front.lines + 1, is_mdx=file.path.suffix.lower() == ".mdx")
    if not builder.length:
        builder.add(
            BlockKind.LIST, "\n".join(f"{name}: {value}" for name, value in front.fields.items()), line=2
        )
    title = front.fields.pop("title", "")
    yield builder.document(file.source, title=title, metadata=front.fields, principals=front.rule)


def add_markdown(builder: TextBuilder, text: str, *, first_line: int = 0, is_mdx: bool = False) -> None:
    """Append the blocks of a page, with their lines where it says which its first one is."""
    text = builder.without_embedded(text, mark="./…")  # an address, where one is expected
    tags = _Tags(text, components=is_mdx)
    page = _Rendering(builder, tags)
    note = ""
    for token in _Markdown(tags, is_mdx=is_mdx).parse(text):
        if token.map and token.nesting >= 0:
            page.go_to(token.map[0] + first_line)
        if token.type.startswith("footnote_reference"):
            note = f"[{token.meta['label']}] " if token.nesting > 0 else ""
        elif token.type in ("plain", "inline"):
            page.text(note)
            note = ""
        _take(page, token)
    add_markup(builder, page.html(), with_lines=first_line > 0)


def _take(page: _Rendering, token: Token) -> None:
    if token.type == "plain":
        page.lines(token.content)
    elif token.type == "inline":
        _take_inline(page, token.children or [])
    elif token.type in ("fence", "code_block"):
        if named := _NAMED.search(token.info):
            page.tag("p")
            page.lines(named[2])
            page.tag("/p")
        page.go_to(page.line + (token.type == "fence"))
        page.code(token.content)
    elif token.type == "math_block":
        page.tag("p")
        page.lines(token.markup + token.content + token.markup)
        page.tag("/p")
    elif token.type == "html_block":
        page.raw(token.content)
    elif token.type == "left_out":
        page.leave_out(token.info, token.content)
    elif token.tag and token.nesting < 0:
        page.tag(f"/{token.tag}")
    elif token.tag:
        whole = token.level == 0 and token.type in ("heading_open", "table_open")
        start = f" start={token.attrs['start']}" if "start" in token.attrs else ""
        page.tag(token.tag, start, whole=whole)


# ``__main__`` is a name in a program, and not a strong word
_PROGRAMS = re.compile(
    r"a?(?:iter|next|enter|exit)|(?:get|set|del)(?:attr|item)?|all|annotations|author|await|bases"
    r"|bool|builtins|call"
    r"|class|contains|del|dict|doc|eq|f(?:ile|uture|unc)|hash|import|init(?:_subclass)?|len|loader"
    r"|main|module|mro"
    r"|name|ne|new|package|path|post_init|pycache|qualname|reduce|repr|self|slots|spec|str|version|wrapped"
    r"|FILE|LINE|DATE|TIME|FUNCTION|VA_ARGS|DIR|CLASS|METHOD|NAMESPACE|(?:de|con)struct|toString|invoke"
    r"|cplusplus|proto|(?:dir|file|type)name|tests|mocks|snapshots|fixtures"
)


def _take_inline(page: _Rendering, tokens: Sequence[Token]) -> None:
    kept = _kept_marks(tokens)
    for place, token in enumerate(tokens):
        if token.type in ("code_inline", "math_inline"):
            page.code_span(token.markup + token.content + token.markup)
        elif token.type in ("softbreak", "hardbreak"):
            page.new_line()
        elif token.type == "image":
            _take_inline(page, token.children or [])
        elif token.type == "html_inline":
            page.raw(token.content)
        elif token.type == "left_out":
            page.leave_out(token.info, token.content)
        elif token.type == "footnote_ref":
            page.text(f"[{token.meta['label']}]")
        elif token.type in ("text", "text_special"):
            page.text(_raise_digits(token.content))
        elif place in kept:
            page.text(token.markup)


def _kept_marks(tokens: Sequence[Token]) -> set[int]:
    """Return the places of marks that are part of a word or a number: ``2*3*4``, ``__init__.py``."""
    kept: set[int] = set()
    opened: list[int] = []
    for place, token in enumerate(tokens):
        if token.type in ("em_open", "strong_open"):
            opened.append(place)
        elif token.type in ("em_close", "strong_close") and opened:
            start = opened.pop()
            before = tokens[start - 1].content[-1:] if start else ""
            after = tokens[place + 1].content[:2] if place + 1 < len(tokens) else ""
            in_word = before.isalnum() and after[:1].isalnum()
            is_name = token.markup[0] == "_" and (before == "." or re.match(r"\(|\.\w", after))
            is_name = is_name or (token.markup == "__" and _PROGRAMS.fullmatch(tokens[start + 1].content))
            if in_word or is_name:
                kept |= {start, place}
    return kept


def _raise_digits(text: str) -> str:
    if "^" in text:
        text = re.sub(r"(?<=\d)\^([+\-−]?\d+)\^(?!\d)", r"^\1", text)
    return re.sub(r"(?<=[A-Za-z])~(\d{1,3})~", r"\1", text) if "~" in text else text


class _Markdown(MarkdownIt):
    """CommonMark with tables, footnotes and definition lists, and with a tag only where one is."""

    def __init__(self, tags: _Tags, *, is_mdx: bool) -> None:
        super().__init__("commonmark", {"maxNesting": _MAX_DEPTH + 20, "html": True})
        self._tags = tags
        self.enable("table")
        self.use(deflist_plugin).use(footnote_plugin, inline=False, move_to_end=False)
        self.use(dollarmath_plugin, allow_labels=False, allow_space=False, allow_digits=False)
        block, inline, core = self.block.ruler, self.inline.ruler, self.core.ruler
        block.before("table", "deep", _take_deep)
        block.before(
            "code", "container", _container, {"alt": ["paragraph", "reference", "blockquote", "list"]}
        )
        block.at("reference", _reference)
        inline.at("html_inline", self._tag)
        inline.before("escape", "url", _url)
        core.before("inline", "repair", _repair)
        if is_mdx:
            self.disable("code")
            block.at("html_block", _mdx_block, {"alt": ["paragraph", "reference", "blockquote"]})
            inline.before("html_inline", "comment", _mdx_comment)

    # an address is never shown as a link, so none is dangerous, and all stay as they are written
    def validateLink(self, url: str) -> bool:
        return True

    def normalizeLinkText(self, link: str) -> str:
        return link

    def _tag(self, state: StateInline, silent: bool) -> bool:
        if state.src[state.pos] != "<":
            return False
        if state.src.startswith("<!--", state.pos):
            return _comment(state, "-->", silent)
        found = self._tags.match(state.src, state.pos)
        if not found:
            return False
        if not silent:
            state.push("html_inline", "", 0).content = found[0]
        state.pos = found.end()
        return True


def _mdx_comment(state: StateInline, silent: bool) -> bool:
    return state.src.startswith("{/*", state.pos) and _comment(state, "*/}", silent)


def _comment(state: StateInline, end: str, silent: bool) -> bool:
    stop = state.src.find(end, state.pos + 3)
    if stop < 0:
        return False
    if not silent:
        token = state.push("left_out", "", 0)
        token.info, token.content = "comment", state.src[state.pos : stop + 3]
    state.pos = stop + 3
    return True


def _url(state: StateInline, silent: bool) -> bool:
    """Take the rest of an address or a path of Windows as it is: its signs are no marks."""
    if state.src[state.pos] != ":":
        return False
    is_url = _SCHEME.search(state.src[max(0, state.pos - 6) : state.pos])
    found = (_URL_TAIL if is_url else _DRIVE_TAIL).match(state.src, state.pos)
    if not found:
        return False
    if not silent:
        state.pending += found[0]
    state.pos = found.end()
    return True


def _reference(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    place = state.bMarks[start] + state.tShift[start]
    return _ADDRESS.match(state.src, place, place + _TAG_LENGTH) is not None and reference(
        state, start, end, silent
    )


def _take_deep(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Take what is nested too deep as one paragraph; the parser would pass over it."""
    if silent or state.level < _MAX_DEPTH:
        return False
    line = start
    while line < end and (state.isEmpty(line) or state.sCount[line] >= state.blkIndent):
        line += 1
    token = state.push("inline", "", 0)
    token.map, token.children = [start, line], []
    token.content = state.getLines(start, line, state.blkIndent, False)
    state.line = line
    return True


def _container(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Take an admonition or a tab of Python's Markdown: its title, and the blocks indented below it."""
    found = _CONTAINER.fullmatch(
        state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]].rstrip()
    )
    indent = state.sCount[start] + 4
    if not found or indent - state.blkIndent >= 8:
        return False
    stop = line = start + 1
    while line < end and (state.isEmpty(line) or state.sCount[line] >= indent):
        line += 1
        stop = stop if state.isEmpty(line - 1) else line
    if silent or stop == start + 1:
        return stop > start + 1
    state.push("container_open", "div", 1).map = [start, stop]
    state.push("paragraph_open", "p", 1).map = [start, start + 1]
    title = state.push("inline", "", 0)
    title.map, title.children = [start, start + 1], []
    title.content = found[2] or found[4] or (found[1] or "").strip().capitalize()
    state.push("paragraph_close", "p", -1)
    outside = state.blkIndent, state.lineMax
    state.blkIndent, state.lineMax = indent, stop
    state.md.block.tokenize(state, start + 1, stop)
    state.blkIndent, state.lineMax = outside
    state.push("container_close", "div", -1)
    state.line = stop
    return True


def _mdx_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Take a comment, code of a module, or HTML whose content is no Markdown."""
    place = state.bMarks[start] + state.tShift[start]
    if state.level == 0 and _MODULE.match(state.src, place, place + _TAG_LENGTH):
        if silent:
            return False  # it does not end a paragraph
        stop = start
        while stop < end and not state.isEmpty(stop):
            stop += 1
        kind = "module code"
    elif state.src.startswith("{/*", place):
        last = state.env.setdefault("last_comment", state.src.rfind("*/}"))
        finish = state.src.find("*/}", place) if place < last else -1
        if finish < 0:
            return False
        stop = start
        while stop < end and state.bMarks[stop] <= finish:
            stop += 1
        if state.src[finish + 3 : state.eMarks[stop - 1]].strip():
            return False  # text goes on behind it
        kind = "comment"
    else:
        is_raw = _RAW.match(state.src, place)
        return is_raw is not None and html_block(state, start, end, silent)
    if not silent:
        token = state.push("left_out", "", 0)
        token.map, token.info = [start, stop], kind
        token.content = state.getLines(start, stop, 0, False)
        state.line = stop
    return True


def _repair(state: StateCore) -> None:
    """Before marks are read: keep cells beyond the heads, drop the fences of admonitions, bound the work."""
    lines = state.src.split("\n")
    tokens: list[Token] = []
    for token in state.tokens:
        if token.type == "tr_close":
            tokens += _further_cells(tokens, lines)
        elif token.type == "inline":
            if tokens and tokens[-1].type == "heading_open":
                token.content = _ANCHOR.sub("", token.content)
            if ":::" in token.content or "{:" in token.content:
                shown = map(_without_admonition, token.content.split("\n"))
                token.content = "\n".join(line for line in shown if line.strip())
            if len(token.content) > _MAX_LENGTH or not _SPECIAL.search(token.content):
                token.type = "plain"
        tokens.append(token)
    state.tokens = tokens


def _without_admonition(line: str) -> str:
    if _KRAMDOWN.fullmatch(line):
        return ""
    match = _ADMONITION.fullmatch(line)
    return (match["title"] or match["rest"] or "") if match else line


def _further_cells(tokens: list[Token], lines: list[str]) -> list[Token]:
    """Return the cells of the last row that the table has no heads for, which the parser leaves out."""
    place = len(tokens) - 1
    while tokens[place].type != "tr_open":
        place -= 1
    cells = sum(token.type in ("inline", "plain") for token in tokens[place:])
    row = tokens[place].map
    assert row is not None
    line = lines[row[0]].lstrip(" \t>").rstrip()
    if line.count("|") <= cells - 1:
        return []
    found = escapedSplit(line)
    found = found[1:] if found and not found[0].strip() else found
    found = found[:-1] if found and not found[-1].strip() else found
    further: list[Token] = []
    for content in found[cells:]:
        inline = Token("inline", "", 0)
        inline.map, inline.content, inline.children = row, content.strip(), []
        further += (Token("td_open", "td", 1), inline, Token("td_close", "td", -1))
    return further


# --- the HTML that is rendered ------------------------------------------------------------


class _Tags:
    """Tells the tags of a page from other things between angle brackets, as ``<path>`` in a manual.

    A tag has a name of HTML or attributes, and an end somewhere unless it needs none.
    """

    def __init__(self, text: str, *, components: bool) -> None:
        self._components = components
        self._ended = {name.lower() for name in re.findall(r"</([A-Za-z][\w.:\-]*)", text)}

    def match(self, text: str, place: int) -> re.Match[str] | None:
        """Return the tag that begins at the place."""
        found = _TAG.match(text, place, place + _TAG_LENGTH)
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


class _Rendering:
    """HTML under construction; ``line`` is the line of the file that is being read, and of the HTML."""

    def __init__(self, builder: TextBuilder, tags: _Tags) -> None:
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
