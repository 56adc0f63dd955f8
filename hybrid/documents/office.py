"""Office Open XML: the parts of a package, and what Word documents and presentations share in them."""

from __future__ import annotations

import contextlib
import html
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from lxml import etree

from hybrid.config import DocumentSettings
from hybrid.documents.builder import RawBlock, TextBuilder, one_line
from hybrid.documents.signs import lowered, raised, speaks
from hybrid.documents.source import UNREAD_ENTRY, SourceFile, Unreadable, open_zip
from hybrid.types import BlockKind, Document

Element = Any

# The container that Office uses for files with a password, and used before 2007.
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# of a format: names of colours and languages, words, and what only fills the cell
_UNSHOWN = re.compile(r'\[\$([€$£¥]?)[^]]*]|\[(?!h)[^]]*]|"[^"€$£¥]*"|[_*\\].')
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|\[\$([^]€$£¥-]*)[^]]*]|\[[^]]*]|[_*].')
# what PowerPoint writes where nobody gave a title
_NO_TITLE = "PowerPoint Presentation"


@lru_cache(10_000)
def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def local(element: Element) -> str:
    """Return the name of an element without its namespace, which differs between strict and other files."""
    tag = element.tag
    return _local(tag) if isinstance(tag, str) else ""


def value(element: Element | None, name: str = "val") -> str:
    """Return an attribute by its name, whatever the namespace; empty where there is none."""
    if element is None:
        return ""
    return next((str(found) for key, found in element.items() if _local(key) == name), "")


def relation(element: Element, name: str = "id") -> str:
    """Return the relationship that an attribute names."""
    keys = (key for key in element.keys() if key.endswith(f"elationships}}{name}"))  # noqa: SIM118  no dict
    return next((str(element.get(key)) for key in keys), "")


def child(element: Element | None, *path: str) -> Element | None:
    """Return the first element below another one on a path of names."""
    for name in path:
        element = None if element is None else next((one for one in element if local(one) == name), None)
    return element


def is_on(element: Element | None) -> bool:
    """Return whether a switch is there and not turned off."""
    return element is not None and value(element) not in ("0", "false", "off")


def chosen(element: Element) -> Element:
    """Return of alternatives the first one that holds something, else the fallback."""
    held = ("t", "chart", "relIds", "oMath", "tbl")
    for one in element:
        if local(one) == "Choice" and next(one.iter(*(f"{{*}}{name}" for name in held)), None) is not None:
            return one
    fallback = child(element, "Fallback")
    return element if fallback is None else fallback


def picture(builder: TextBuilder, element: Element) -> str:
    """Return what is written about a picture; one that nothing speaks of is told as left out."""
    named = (child(one, "docPr") for one in element.iterancestors("{*}inline", "{*}anchor"))
    own = next(element.iter("{*}cNvPr"), None)
    text = next((text for one in (*named, own) if (text := one_line(value(one, "descr")))), "")
    if speaks(text):
        return text
    builder.leave_out("image", len(text))
    return ""


def raw_text(element: Element) -> str:
    """Return the text of an element; an entity that nobody defined is one of HTML, or stays as it stands."""
    text = element.text or ""
    if len(element):
        text = html.unescape("".join(element.itertext()))
    return text.replace("\n", " ")


@dataclass(frozen=True, slots=True)
class PartLink:
    """What a part refers to: of what type, by the last word of its address, and where it lies."""

    type: str
    target: str


class Package:
    """The parts of an archive, by name and by relationship; a part that cannot be read is told."""

    def __init__(self, archive: zipfile.ZipFile, builder: TextBuilder) -> None:
        self.builder = builder
        self._archive = archive
        # names are alike whatever their case, and some writers part folders as Windows does
        self._names = {name.replace("\\", "/").lower(): name for name in archive.namelist()}
        self._relations: dict[str, dict[str, PartLink]] = {}

    def data(self, name: str) -> bytes | None:
        """Return the bytes of a part; None where it cannot be read."""
        try:
            return self._archive.read(self._names[name.lower()])
        except UNREAD_ENTRY:
            return None

    def root(self, name: str, what: str = "") -> Element | None:
        """Return the root of a part; None where it cannot be read, told as ``what`` if it holds text."""
        data = self.data(name)
        root = None if data is None else self._parse(data)
        if root is None and what:
            self.builder.leave_out(f"{what} that cannot be read", lost=True)
        return root

    def relations(self, name: str) -> dict[str, PartLink]:
        """Return what a part refers to within the package, by identifier; of the package itself for ""."""
        if name in self._relations:
            return self._relations[name]
        folder, base = posixpath.split(name)
        root = self.root(posixpath.join(folder, "_rels", f"{base}.rels"))
        self._relations[name] = {
            value(one, "Id"): PartLink(
                value(one, "Type").rpartition("/")[2],
                posixpath.normpath(posixpath.join("/", folder, value(one, "Target"))).lstrip("/"),
            )
            for one in (() if root is None else root.iter("{*}Relationship"))
            if value(one, "TargetMode") != "External"
        }
        return self._relations[name]

    def related(self, name: str, kind: str, what: str = "") -> Element | None:
        """Return the root of the first part of a kind that a part refers to, or None."""
        target = next((one.target for one in self.relations(name).values() if one.type == kind), "")
        return self.root(target, what) if target else None

    def main(self) -> str:
        """Return the name of the part that everything hangs on."""
        for one in self.relations("").values():
            if one.type == "officeDocument" and one.target.lower() in self._names:
                return one.target
        types = self.root("[Content_Types].xml")
        for one in () if types is None else types.iter("{*}Override"):
            if value(one, "ContentType").endswith(".main+xml"):
                return value(one, "PartName").lstrip("/")
        known = ("word/document.xml", "ppt/presentation.xml", "xl/workbook.xml")
        return next((name for name in known if name in self._names), "")

    def _parse(self, data: bytes) -> Element | None:
        for recover in (False, True):
            # entities of the file itself are words of its text; libxml2 bounds how far they may grow
            parser = etree.XMLParser(
                resolve_entities=False if recover else "internal",
                no_network=True,
                load_dtd=False,
                recover=recover,
                remove_comments=True,
                remove_pis=True,
            )
            with contextlib.suppress(etree.XMLSyntaxError):
                root = etree.fromstring(data, parser)
                if recover and root is not None:
                    self.builder.leave_out("damaged stretch of XML", lost=True)
                return root
        return None


@contextlib.contextmanager
def open_package(
    file: SourceFile, settings: DocumentSettings, *, root: str, what: str
) -> Iterator[tuple[Package, str, Element]]:
    """Open an Office file: its parts, the name of the main one, and its root element.

    Raises:
        Unreadable: it is encrypted, damaged, or another thing than a ``what``.
    """
    with file.path.open("rb") as stream:
        if stream.read(8) == _OLD_OFFICE:
            raise Unreadable(
                "encrypted, or from Office before 2007; save it in the new format, without a password"
            )
    with open_zip(file.path, settings) as archive:
        package = Package(archive, TextBuilder(settings.max_characters))
        name = package.main()
        main = package.root(name)
        if main is None or local(main) != root:
            raise Unreadable(f"damaged: no {what} inside of the archive")
        yield package, name, main


def finish(package: Package, source: str, metadata: Mapping[str, str] | None = None) -> Document:
    """Return the document of what was added, with title and author of the file's properties."""
    core = package.related("", "core-properties")
    title, author = (
        "" if core is None else core.findtext(f"{{*}}{name}", default="") for name in ("title", "creator")
    )
    title = "" if title == _NO_TITLE else title
    return package.builder.document(source, title=title, metadata={"author": author, **(metadata or {})})


class RunText:
    """The text of a paragraph under construction; raised digits neither join a number nor a word.

    >>> line = RunText()
    >>> line.add("10"); line.add("6", shift=1); line.add(" cells, see note"); line.add("12", shift=1)
    >>> line.take()
    '10^6 cells, see note [12]'
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._shifted, self._shift = "", 0
        self._is_struck = False

    def add(self, text: str, *, shift: int = 0, struck: bool = False) -> None:
        """Append a stretch: above the line where it is shifted up, ``~~so~~`` where it is struck out."""
        if struck != self._is_struck and text.strip():
            self.add(text[: len(text) - len(text.lstrip())], struck=self._is_struck)
            text = text.lstrip()
            self._strike(text)
        if shift and text:
            if shift != self._shift:
                self._settle()
            self._shifted, self._shift = self._shifted + text, shift
        elif text:
            self._settle(text)
            self._parts.append(text)

    def take(self) -> str:
        """Return the text and begin anew."""
        self._settle()
        if self._is_struck:
            self._strike("")
        text = "".join(self._parts)
        self._parts.clear()
        return text

    def _settle(self, after: str = "") -> None:
        if self._shifted.strip():
            shown = raised if self._shift > 0 else lowered
            self._parts.append(shown("".join(self._parts[-3:])[-80:], self._shifted, after))
        self._shifted, self._shift = "", 0

    def _strike(self, after: str) -> None:
        """Begin to strike out, or end it; blanks stay outside."""
        self._settle(after)
        last = self._parts.pop() if self._parts and self._is_struck else ""
        self._parts += (last.rstrip(), "~~", last[len(last.rstrip()) :])
        self._is_struck = not self._is_struck


_SYMBOL = dict(zip(range(0x41, 0x5B), "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", strict=True))
_SYMBOL |= zip(range(0x61, 0x7B), "αβχδεφγηιϕκλμνοπθρστυϖωξψζ", strict=True)
_SYMBOL |= zip(b"\xa3\xa5\xab\xac\xae\xb0\xb1\xb3\xb4\xb7", "≤∞↔←→°±≥×•", strict=True)
_SYMBOL |= zip(b"\xb8\xb9\xba\xbb\xd6\xd7\xe5\xf2", "÷≠≡≈√⋅∑∫", strict=True)
_WINGDINGS = dict(zip(b"\x6f\xa8\xfc\xfd\xfe\xfb\xe0\xdf", "☐☐✓☒☑✗→←", strict=True))


def symbols(text: str, font: str) -> str:
    """Return what the characters of a font of symbols look like; those of other fonts as they are."""
    drawn = _SYMBOL if font.startswith("Symbol") else _WINGDINGS if font.startswith("Wingdings") else {}
    if not drawn:
        return text
    codes = (ord(one) - 0xF000 if 0xF000 <= ord(one) <= 0xF0FF else ord(one) for one in text)
    return "".join(drawn.get(code, chr(code) if drawn is _SYMBOL or code <= 32 else "•") for code in codes)


# what a tracked change took away
REMOVED = frozenset(("del", "moveFrom"))


def equation(element: Element) -> str:
    """Return an equation on one line: ``x^2``, ``(a+b)/2``, ``√(x)``."""
    name = local(element)
    if name == "t":
        return raw_text(element)
    if name.endswith("Pr") or name in REMOVED:
        return ""
    pieces = [(local(one), equation(one)) for one in element]
    if name in _TERMS:
        return _TERMS[name](element, {key: _grouped(text) for key, text in pieces})
    if name == "d":
        inner = _sign(element, "sepChr", "|").join(text for key, text in pieces if key == "e")
        return _sign(element, "begChr", "(") + inner + _sign(element, "endChr", ")")
    texts = [text for _, text in pieces if text]
    for at, (key, text) in enumerate(pieces):
        beside = [pieces[at - 1][1][-1:] if at else "", *(after[:1] for _, after in pieces[at + 1 : at + 2])]
        if key == "f" and text and any(sign.isalnum() or sign == "(" for sign in beside):
            texts[texts.index(text)] = f"({text})"
    return _JOINED[name].join(texts) if name in _JOINED else "".join(texts)


def _scripts(part: dict[str, str]) -> str:
    low = f"_{part['sub']}" if part.get("sub") else ""
    return low + (f"^{part['sup']}" if part.get("sup") else "")


def _grouped(text: str) -> str:
    """Return a term in brackets where it would fall apart without."""
    text = text.strip()
    return text if re.fullmatch(r"[\w.,∞]*|\([^()]*\)", text) else f"({text})"


def _sign(element: Element, name: str, usual: str) -> str:
    found = child(element, f"{local(element)}Pr", name)
    return usual if found is None else value(found)


_TERMS: dict[str, Callable[[Element, dict[str, str]], str]] = {
    "f": lambda _, part: f"{part.get('num', '')}/{part.get('den', '')}",
    "sSup": lambda _, part: part.get("e", "") + _scripts(part),
    "sSub": lambda _, part: part.get("e", "") + _scripts(part),
    "sSubSup": lambda _, part: part.get("e", "") + _scripts(part),
    "sPre": lambda _, part: _scripts(part) + part.get("e", ""),
    "nary": lambda one, part: f"{_sign(one, 'chr', '∫')}{_scripts(part)} {part.get('e', '')}",
    "limLow": lambda _, part: f"{part.get('e', '')}_{part.get('lim', '')}",
    "limUpp": lambda _, part: f"{part.get('e', '')}^{part.get('lim', '')}",
    "rad": lambda _, part: f"{part.get('deg', '')}√{part.get('e', '')}",
    "acc": lambda one, part: part.get("e", "") + _sign(one, "chr", "\u0302"),
}
_JOINED = {"func": " ", "m": "; ", "mr": ", ", "eqArr": "; "}


def graphic(package: Package, frame: Element, relations: dict[str, PartLink]) -> list[RawBlock]:
    """Return the chart or the diagram that a drawing shows (``chart``, ``relIds``)."""
    is_chart = local(frame) == "chart"
    what = "charts" if is_chart else "diagrams"
    found = relations.get(relation(frame, "id" if is_chart else "dm"))
    root = package.root(found.target if found else "", what)
    if root is None:
        return []
    blocks = _chart(root) if is_chart else [RawBlock(BlockKind.LIST, _diagram(root), role="item")]
    shapes = package.related(found.target, "chartUserShapes") if found else None
    written = [*root.iter("{*}dLbl"), *(() if shapes is None else shapes.iter("{*}sp"))]
    if said := list(filter(None, (_joined(one, "r") for one in written))):
        blocks.append(RawBlock(BlockKind.PARAGRAPH, "\n".join(said)))
    # a chart without values of its own shows cells of its workbook, which are read as such
    is_held = (
        found is not None and found.target.startswith("xl/") and next(root.iter("{*}f"), None) is not None
    )
    if not blocks and not is_held and next(root.iter("{*}ser", "{*}data"), None) is not None:
        package.builder.leave_out(f"{what} that cannot be read", lost=True)
    return blocks


def _chart(root: Element) -> list[RawBlock]:
    """Return the title and the values of a chart: a row a category, a column a series."""
    titles = {local(one.getparent()): _joined(one, "t", "v") for one in root.iter("{*}title")}
    title, unit = titles.get("chart", ""), titles.get("valAx", "")
    named = {value(child(one, "dataId")): _joined(child(one, "tx"), "v") for one in root.iter("{*}series")}
    # series over the same categories are columns of one table
    groups: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for series in root.iter("{*}ser", "{*}data"):
        names, values = _points(series, "cat", "xVal", "strDim"), _points(series, "val", "yVal", "numDim")
        rows = sorted(names | values)
        if not rows:
            continue
        name = _joined(child(series, "tx"), "v") or named.get(value(series, "id"), "")
        columns = groups.setdefault(tuple(names.get(row, str(row + 1)) for row in rows), [])
        columns.append((name, *(values.get(row, "") for row in rows)))
        if child(series, "bubbleSize") is not None:
            sizes = _points(series, "bubbleSize")
            columns.append((f"{name} (size)".lstrip(), *(sizes.get(row, "") for row in rows)))
    caption = f"{title} ({unit})" if title and unit else title or unit
    tables = [
        tuple(zip((titles.get("catAx", ""), *keys), *columns, strict=True))
        for keys, columns in groups.items()
    ]
    kind = BlockKind.TABLE
    blocks = [RawBlock(kind, "", rows=rows, heads=1, caption=caption, role="chart") for rows in tables]
    return [*([RawBlock(BlockKind.PARAGRAPH, caption)] if caption else []), *blocks]


def _joined(element: Element | None, *names: str) -> str:
    inside = () if element is None else element.iter(*(f"{{*}}{name}" for name in names))
    return one_line(" ".join(raw_text(one) for one in inside))


def _points(series: Element, *names: str) -> dict[int, str]:
    """Return what a series holds, by row; names of several levels are joined, the outermost first."""
    held = next((one for one in series if local(one) in names), series)
    codes = [raw_text(one) for one in held.iter("{*}formatCode")]
    found: dict[int, str] = {}
    for level in list(held.iter("{*}lvl")) or ([] if held is series else [held]):
        code = codes[0] if codes else value(level, "formatCode")
        points = {
            number(value(one, "idx")): formatted(" ".join("".join(one.itertext()).split()), code)
            for one in level.iter("{*}pt")
        }
        outer = ""
        for row in sorted(found | points):
            outer = points.get(row, outer)
            found[row] = f"{outer} {found[row]}" if row in found else outer
    return found


def formatted(
    text: str, code: str, begin: datetime = datetime(1899, 12, 30), *, rounded: bool = False
) -> str:
    """Return a number as its format shows it: a share in percent, a day as a date; ``rounded`` in a cell."""
    if re.fullmatch(r"[0() \-\\]*00[0() \-\\]*", code) and text.isdecimal():
        places = code.count("0")
        head, shown = text[:-places], iter(text.zfill(places)[-places:])
        return head + "".join(next(shown) if sign == "0" else sign for sign in code.replace("\\", ""))
    sections = code[:200].split(";")
    code = _UNSHOWN.sub(lambda found: found[1] or "", code[:200]).split(";")[0]
    try:
        amount = float(text)
        is_last = amount == 0 and len(sections) > 2
        before, after = _words(sections[2 if is_last else int(amount < 0 and len(sections) > 1)])
        if after is None:
            return before
        exact = "seconds" if "s" in code.lower() else "minutes"
        if "[h" in code:
            hours, seconds = divmod(round(amount * 86_400), 3_600)
            return f"{hours}:{seconds // 60:02}" + (f":{seconds % 60:02}" if exact == "seconds" else "")
        if re.search("[ydhs]|mmm", code, re.IGNORECASE):
            day, hour = (begin + timedelta(days=amount, milliseconds=1)).isoformat(" ", exact).split()
            return hour if not re.search("[yd]|mmm", code, re.I) else f"{day} {hour}" if "h" in code else day
    except (ValueError, OverflowError):
        return text
    sign = re.search("[€$£¥]", code)
    amount *= 100 if "%" in code else 1
    filled = 0  # digits that are shown at least
    if (
        rounded
        and not re.search("E[+-]|/", code)
        and (digits := re.search(r"[0#?][0#,]*(?:\.([0#?]+))?,*", code))
    ):
        thousands = len(digits[0]) - len(digits[0].rstrip(","))
        amount = round(amount / 1000**thousands, len(digits[1] or ""))
        filled = len(digits[0]) if digits[0].strip("0") == "" else 0
    figure = f"{sign[0] if sign else ''}{f'{amount:.15g}'.zfill(filled)}{'%' if '%' in code else ''}"
    return f"{before}{figure}{after}"


def _words(section: str) -> tuple[str, str | None]:
    """Return what a format writes before a number and behind it, such as a unit; None where it is all."""
    masked = _LITERAL.sub(lambda found: "\0" * len(found[0]), section)
    places = [found.span() for found in re.finditer(r"General|[0#?@ydhsm]+", masked, re.IGNORECASE)]

    def words(part: str) -> str:
        found = _LITERAL.finditer(part)
        text = "".join(one[1] or one[2] or one[3] or " " * (one[0][0] == "_") for one in found)
        return text if re.search(r"[^\W\d_]|°", text) else ""

    if not places:
        said = words(section).strip()
        return said, None if said else ""
    before, after = section[: places[0][0]], section[places[-1][1] :]
    head, tail = words(before).lstrip(), words(after).rstrip()
    return head + " " * head[-1:].isalpha(), " " * (tail != "" and after[0] == " ") + tail


def number(text: str, default: int = 0) -> int:
    """Return a whole number of an attribute, or what holds without one."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else default


def _diagram(root: Element) -> str:
    """Return the words of a diagram (SmartArt) as a list, what hangs below others indented."""
    texts = {
        value(point, "modelId"): _joined(point, "r")
        for point in root.iter("{*}pt")
        if value(point, "type") in ("", "node", "asst", "doc")
    }
    below: dict[str, list[str]] = {}
    for link in sorted(root.iter("{*}cxn"), key=lambda one: number(value(one, "srcOrd"))):
        if value(link, "type") in ("", "parOf"):
            below.setdefault(value(link, "srcId"), []).append(value(link, "destId"))
    inner = {one for many in below.values() for one in many}
    waiting = [(one, 0) for one in reversed(texts) if one not in inner]
    lines: list[str] = []
    while waiting:
        one, depth = waiting.pop()
        if text := texts.pop(one, ""):
            lines.append("  " * min(depth, 8) + "- " + text)
        waiting += [(other, depth + bool(text)) for other in reversed(below.pop(one, []))]
    return "\n".join([*lines, *(f"- {text}" for text in texts.values() if text)])
