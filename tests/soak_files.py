"""Files of every format with words that must not get lost, damaged at random, read, and looked at."""

from __future__ import annotations

import dataclasses
import io
import json
import random
import re
import shutil
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from hybrid.chunking import chunk_document
from hybrid.config import ChunkSettings, DocumentSettings
from hybrid.documents import ReaderPool, SourceFile, supported_suffixes
from hybrid.testing import HashEmbedder
from hybrid.types import Document, Rejected

# A word that no format means anything by: where it stands whole in a file, it has to be found again.
_CANARY = re.compile(r"zq[a-z]{3}[0-9]{4}")
# In these nothing is hidden, drawn or run: whoever opens the file sees all of it.
_PLAIN = (".txt", ".text", ".csv", ".tsv", ".jsonl", ".ndjson", ".log", ".yaml", ".ini", ".conf")
_MAGIC = (
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\x1a", b"\r", b"\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"),
    *(b"<", b">", b"&", b"]]>", b"<!--", b"<![CDATA[", b"<table>", b"</p>", b"<script>", b"<a", b"&#0;"),
    *(b"```", b"---\n", b"|", b"\n\n", b'"', b",", b";", b"\t", b"{", b"[", b"(", b"%PDF-", b"endstream"),
    *(
        b"stream\n",
        b"endobj",
        b"<<",
        b">>",
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"-1",
        b"99999999999",
        b"1e999",
        b"0 R",
    ),
)
_NESTING = (
    b"<div>",
    b"<table><tr><td>",
    b"> ",
    b"- ",
    b"[",
    b"{",
    b"(",
    b"<ul><li>",
    b"*",
    b"<<",
    b"**a",
    b"`",
)
_PACKED = (
    *(".docx", ".docm", ".pptx", ".epub", ".potx", ".ppsx", ".dotx", ".dotm", ".pptm", ".ppsm", ".potm"),
    *(".xlsx", ".odt", ".ods", ".odp"),
)


@dataclasses.dataclass(frozen=True)
class Seen:
    """What became of a damaged file: of its kind, its seconds, and what is wrong, empty where nothing is."""

    number: int
    suffix: str
    became: str
    seconds: float
    wrong: str = ""


def made_files() -> list[tuple[str, bytes]]:
    """Return a sound file of every format that holds words to be found again."""
    words = (f"zq{a}{b}{c}{n:04}" for n in range(1_000) for a in "kvx" for b in "jwp" for c in "hmd")

    def line() -> str:
        return f"The port {next(words)} of the server is 5432, and {next(words)} is set at night."

    def rows(mark: str) -> str:
        return "\n".join(mark.join((f"name{n}", next(words), line(), str(n))) for n in range(8))

    plain = f"Title\n=====\n\n{line()}\n\n* {line()}\n* {line()}\n\n{line()}\n{line()}\n\n"
    plain += "+---+---+\n| a | b |\n+---+---+\n"
    marked = (
        f"---\ntitle: A guide\n---\n# Guide\n\n{line()}\n\n## Ports\n\n- {line()}\n  - {line()}\n\n"
        f"| a | b |\n|---|---|\n| {next(words)} | {line()} |\n\n```sh\necho {next(words)}\n```\n\n"
        f"> {line()}\n"
    )
    page = (
        f"<html><head><title>Guide</title></head><body><h1>Ports</h1><p>{line()}</p><ul><li>{line()}</li>"
        f"<li>{line()}</li></ul><table><tr><th>a</th><th>b</th></tr><tr><td>{next(words)}</td><td>{line()}</td></tr>"
        f"</table><pre>{next(words)}</pre><div><p>{line()}</p></div></body></html>"
    )
    records = "\n".join(json.dumps({"text": line(), "name": next(words), "n": n}) for n in range(6)) + "\n"
    return [
        *((f"a{suffix}", plain.encode()) for suffix in (".txt", ".rst", ".adoc")),
        ("wide.txt", plain.encode("utf-16")),
        *((f"a{suffix}", marked.encode()) for suffix in (".md", ".mdx")),
        *((f"a{suffix}", page.encode()) for suffix in (".html", ".xhtml")),
        *(
            (f"a{end}", f"a{mark}b{mark}c{mark}d\n{rows(mark)}\n".encode())
            for end, mark in ((".csv", ","), (".tsv", "\t"))
        ),
        ("semi.csv", f"a;b;c;d\n{rows(';')}\n".encode()),
        ("a.jsonl", records.encode()),
        ("a.pdf", _pdf([[line() for _ in range(6)] for _ in range(3)])),
        ("a.docx", _word(line)),
        ("a.pptx", _slides(line)),
        ("a.epub", _book([f"<h1>{next(words)}</h1><p>{line()}</p><p>{line()}</p>" for _ in range(3)])),
        ("a.xlsx", _workbook(line)),
        *_open_documents(line),
        *((name, text.encode()) for name, text in _written(line, page)),
    ]


def _written(line: Callable[[], str], page: str) -> Iterator[tuple[str, str]]:
    """Yield files that are text on disk: rich text, mail, notebooks, JSON, notes, subtitles, settings."""
    cells = r"\trowd\cellx900\cellx2000\pard\intbl {}\cell {}\cell\row".format
    box = rf"{{\shp{{\*\shpinst{{\shptxt {line()}\par}}}}}}"
    note = r"{\super\chftn{\footnote \pard{\super\chftn} " + line() + "}}"
    yield (
        "a.rtf",
        r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}{\f1\fcharset204 Cyr;}}"
        r"{\stylesheet{\s1 title;}}"
        rf"\pard\s1 Guide\par\pard\plain {line()}{note}\par{{\listtext 1.\tab}}{line()}\par"
        rf"{cells('a', 'b')}{cells(line(), line())}\pard {box}\par}}",
    )
    head = f"From: a@b.example\nTo: c@d.example\nSubject: {line()}\nMIME-Version: 1.0\n"
    inner = f"{head}Content-Type: text/plain; charset=utf-8\n\n{line()}\n\n{line()}\n"
    parts = ("Content-Type: text/plain\n\n" + line(), "Content-Type: text/html\n\n" + page)
    forms = "".join(f"--x\n{part}\n" for part in parts)
    mail = f"{head}Content-Type: multipart/alternative; boundary=x\n\n{forms}--x--\n"
    yield "a.eml", mail
    yield "a.mhtml", f"{head}Content-Type: multipart/related; boundary=x\n\n--x\n{parts[1]}\n--x--\n"
    yield "b.eml", f"{head}Content-Type: message/rfc822\n\n{inner}"
    yield "a.mbox", "".join(f"From - Mon Mar  4 10:00:00 2024\n{one}\n" for one in (inner, mail, inner))
    said = [{"output_type": "stream", "text": [line()]}, {"data": {"text/html": f"<table>{line()}</table>"}}]
    sheet = [{"cell_type": "markdown", "source": [f"# {line()}"]}, {"cell_type": "code", "source": line()}]
    yield "a.ipynb", json.dumps({"cells": [*sheet, {"cell_type": "code", "source": [], "outputs": said}]})
    rows = [{"name": line(), "port": n, "more": {"a": [line()]}} for n in range(3)]
    yield "a.json", json.dumps({"title": line(), "rows": rows, "text": line()})
    yield (
        "a.org",
        f"#+TITLE: Guide\n* {line()}\n  {line()}\n| a | b |\n|---+---|\n| {line()} | 2 |\n- {line()}\n",
    )
    table = rf"\begin{{tabular}}{{ll}} a & b \\ \hline {line()} & {line()} \\ \end{{tabular}}"
    yield "a.tex", f"\\section{{{line()}}}\n{line()} % note\n\n{table}\n\\footnote{{{line()}}}\n"
    cues = [f"00:00:0{n},000 --> 00:00:0{n + 1},000\n{line()}\n" for n in range(4)]
    yield "a.srt", "\n".join(f"{n}\n{cue}" for n, cue in enumerate(cues, start=1))
    yield "a.vtt", "WEBVTT\n\n" + "\n".join(cue.replace(",", ".") for cue in cues)
    deep = "".join(f"    - name: n{n}\n      about: {line()}\n" for n in range(6))
    yield (
        "a.yaml",
        f"# {line()}\nkind: b\nspec:\n  parts:\n{deep}text: |\n  {line()}\n---\nkind: c\nabout: {line()}\n",
    )
    yield "a.ini", f"; {line()}\n[server]\nname = {line()}\n[server.tls]\nabout = {line()}\n"
    yield "a.log", "".join(f"2024-03-01 10:00:0{n} INFO {line()}\n  at {n}\n" for n in range(5))


def _workbook(line: Callable[[], str]) -> bytes:
    cells = "".join(
        f'<row r="{n}"><c t="inlineStr"><is><t>{line()}</t></is></c><c><v>{n}.5</v></c></row>'
        for n in range(1, 6)
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    links = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
    link = f'<Relationship Id="r1" Type="{office}/{{}}" Target="{{}}"/>'
    entries = {
        "_rels/.rels": links.format(link.format("officeDocument", "xl/workbook.xml")),
        "xl/_rels/workbook.xml.rels": links.format(link.format("worksheet", "worksheets/sheet1.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="Ports" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
    }
    return _packed({name: text.encode() for name, text in entries.items()})


def _open_documents(line: Callable[[], str]) -> Iterator[tuple[str, bytes]]:
    """Yield a text, sheets and slides as LibreOffice writes them."""
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name if name != "draw" else "drawing"}:1.0"'
        for name in ("office", "text", "table", "draw", "style", "presentation")
    )

    def said() -> str:
        return f"<text:p>{line()}</text:p>"

    body = f"<text:note-body>{said()}</text:note-body>"
    note = f"<text:note><text:note-citation>1</text:note-citation>{body}</text:note>"
    cell = '<table:table-cell table:number-columns-repeated="2">{}</table:table-cell>'
    rows = "".join(
        f'<table:table-row table:number-rows-repeated="{n}">{cell.format(said())}</table:table-row>'
        for n in (1, 2)
    )
    items = "".join(f"<text:list-item>{said()}</text:list-item>" for _ in range(2))
    table = f'<table:table table:name="Ports">{rows}</table:table>'
    frame = f"<draw:frame><draw:text-box>{said()}</draw:text-box></draw:frame>"
    bodies = {
        "text": f'<text:h text:outline-level="1">{line()}</text:h><text:p>{line()}{note}{frame}</text:p>'
        f'<text:list text:style-name="L1">{items}</text:list>{table}',
        "spreadsheet": table,
        "presentation": f"<draw:page>{frame}<presentation:notes>{frame}</presentation:notes></draw:page>",
    }
    style = (
        '<text:list-style style:name="L1"><text:list-level-style-number text:level="1" style:num-format="1"/>'
    )
    for (kind, body), suffix in zip(bodies.items(), ("odt", "ods", "odp"), strict=True):
        content = (
            f"<office:document-content {names}><office:automatic-styles>{style}</text:list-style>"
            f"</office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}></office:body>"
            "</office:document-content>"
        )
        yield f"a.{suffix}", _packed({"mimetype": b"application/vnd.oasis", "content.xml": content.encode()})


def _pdf(pages: list[list[str]]) -> bytes:
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    kids = []
    for lines in pages:
        drawn = "".join(f"BT /F1 12 Tf 50 {760 - 20 * n} Td ({text}) Tj ET\n" for n, text in enumerate(lines))
        parts.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn.encode()))
        own = f"/Contents {len(parts)} 0 R /Resources << /Font << /F1 3 0 R >> >>"
        parts.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] {own} >>".encode())
        kids.append(f"{len(parts)} 0 R")
    parts[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    data, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(parts, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    data += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return bytes(data) + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(parts) + 1,
        start,
    )


def _word(line: Callable[[], str]) -> bytes:
    import docx

    document = docx.Document()
    document.add_heading("Guide", 1)
    for _ in range(4):
        document.add_paragraph(line())
    document.add_paragraph(line(), style="List Bullet")
    table = document.add_table(2, 2)
    for cell in (cell for row in table.rows for cell in row.cells):
        cell.text = line()
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def _slides(line: Callable[[], str]) -> bytes:
    import pptx
    from pptx.util import Inches

    deck = pptx.Presentation()
    for _ in range(2):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = "Ports"
        slide.placeholders[1].text_frame.text = line()
        table = slide.shapes.add_table(2, 2, Inches(1), Inches(4), Inches(6), Inches(1)).table
        for row in range(2):
            table.cell(row, 0).text = table.cell(row, 1).text = line()
        slide.notes_slide.notes_text_frame.text = line()
    stream = io.BytesIO()
    deck.save(stream)
    return stream.getvalue()


def _book(pages: list[str]) -> bytes:
    items = "".join(
        f'<item id="p{n}" href="p{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(pages))
    )
    spine = "".join(f'<itemref idref="p{n}"/>' for n in range(len(pages)))
    entries = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="book.opf"/></rootfiles></container>',
        "book.opf": '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata><dc:title>Guide</dc:title></metadata><manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    for number, page in enumerate(pages):
        entries[f"p{number}.xhtml"] = f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{page}</body></html>'
    return _packed({name: text.encode() for name, text in entries.items()})


def _packed(entries: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", how) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return stream.getvalue()


# --- damage --------------------------------------------------------------------------------------------


def damaged(
    name: str, data: bytes, others: list[tuple[str, bytes]], chance: random.Random
) -> tuple[str, bytes]:
    """Return a file with one to four kinds of damage, sometimes under the suffix of another format."""
    suffix = Path(name).suffix.lower()
    if suffix in _PACKED and chance.random() < 0.7:
        data = _damaged_entry(data, chance)
    else:
        for _ in range(chance.randint(1, 4)):
            data = chance.choice(_DAMAGES)(data, chance)
            if chance.random() < 0.05:
                data = _spliced(data, chance.choice(others)[1], chance)
    if chance.random() < 0.04:
        suffix = chance.choice(supported_suffixes())
    return suffix, data


def _damaged_entry(data: bytes, chance: random.Random) -> bytes:
    """Damage what is inside of an archive, which is sound itself."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError):
        return chance.choice(_DAMAGES)(data, chance)
    # what carries text more often than pictures and themes
    telling = [
        name
        for name in entries
        if re.search(r"document|slide\d|note|p\d|opf|rels|container|style|foot|content|sheet", name)
    ]
    for _ in range(chance.randint(1, 3)):
        name = chance.choice(telling or [*entries])
        entries[name] = chance.choice((*_DAMAGES, _tagged, _tagged))(entries[name], chance)
    if chance.random() < 0.1:
        del entries[chance.choice([*entries])]
    return _packed(entries, chance.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)))


def _flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _cut_short(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _without(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.choice((1, 2, 10, 100, 1_000)) :]


def _doubled(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    part = data[start : start + chance.choice((4, 40, 400))]
    return data[:start] + part * chance.choice((2, 3, 50)) + data[start:]


def _inserted(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + chance.choice(_MAGIC) * chance.choice((1, 1, 1, 3)) + data[start:]


def _nested(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + chance.choice(_NESTING) * chance.choice((10, 300, 5_000)) + data[start:]


def _spliced(data: bytes, other: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _number(data: bytes, chance: random.Random) -> bytes:
    """Put a number out of all bounds where one stands."""
    places = [match.span() for match in re.finditer(rb"\d+", data[: 1 << 20])]
    if not places:
        return data
    start, end = chance.choice(places)
    return (
        data[:start]
        + chance.choice((b"-1", b"0", b"4294967296", b"99999999999999999999", b"1e308"))
        + data[end:]
    )


def _tagged(data: bytes, chance: random.Random) -> bytes:
    """Leave out, double or exchange tags."""
    tags = [match.span() for match in re.finditer(rb"<[^<>]{1,200}>", data)]
    if len(tags) < 2:
        return _inserted(data, chance)
    (a, b), (c, d) = sorted(chance.sample(tags, 2))
    first, second = data[a:b], data[c:d]
    changed = chance.choice(
        ((b"", second), (first * 2, second), (second, first), (first, b""), (first, second * 40))
    )
    return data[:a] + changed[0] + data[b:c] + changed[1] + data[d:]


_DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_flipped, _cut_short, _without, _doubled, _inserted, _nested, _number, _tagged),
)


# --- reading -------------------------------------------------------------------------------------------

_LIMITS = DocumentSettings(workers=1, max_seconds=20, max_memory_megabytes=1_024)
# What a reader raises of its own accord is a reason; these say that nobody thought of it.
_UNFORESEEN = re.compile(
    r"damaged: (TypeError|AttributeError|IndexError|KeyError|AssertionError|UnboundLocalError|ValueError"
    r"|UnicodeDecodeError|UnicodeEncodeError|ZeroDivisionError|OverflowError|StopIteration|RuntimeError|NameError)\b"
)


def read_damaged(
    sources: list[tuple[str, bytes]], numbers: Iterator[int], seed: int, *, keep: Path
) -> Iterator[Seen]:
    """Damage files, one a number, read each in a capped process, and yield what became of it.

    Args:
        sources: sound files by name.
        numbers: of the files to make.
        seed: with a number it decides on the damage.
        keep: a folder for those of which something is wrong.
    """
    embedder = HashEmbedder()
    with tempfile.TemporaryDirectory() as folder, ReaderPool(_LIMITS) as pool:
        for number in numbers:
            chance = random.Random(f"{seed}-{number}")
            suffix, data = damaged(*chance.choice(sources), sources, chance)
            path = Path(folder) / f"{number}{suffix}"
            path.write_bytes(data)
            begun = time.perf_counter()
            batches = list(pool.read([SourceFile(path.name, path, len(data))]))
            seconds = time.perf_counter() - begun
            items = [item for batch in batches for item in batch.items]
            became, wrong = _looked_at(items, data, suffix, embedder)
            if not wrong and seconds > _LIMITS.max_seconds / 2:
                wrong = f"slow: {seconds:.0f} s"
            if wrong:
                shutil.copy(path, keep / path.name)
            path.unlink()
            yield Seen(number, suffix, became, seconds, wrong)


def _looked_at(
    items: list[Document | Rejected], data: bytes, suffix: str, embedder: HashEmbedder
) -> tuple[str, str]:
    """Return what a file became, and what is wrong with that."""
    documents = [item for item in items if isinstance(item, Document)]
    reasons = [item.reason for item in items if isinstance(item, Rejected)]
    for reason in reasons:
        if "the process that read it" in reason or "answered nonsense" in reason:
            return "crash", f"crash: {reason}"
        if "took longer than" in reason:
            return "hang", f"hang: {reason}"
        if not reason.strip():
            return "rejected", "a rejection without a reason"
    if not items:
        return "nothing", "silent: neither a document nor a reason"
    for document in documents:
        if wrong := _inconsistent(document, embedder):
            return "document", wrong
    unforeseen = next((reason for reason in reasons if _UNFORESEEN.match(reason)), "")
    if unforeseen:
        return "rejected", f"unforeseen: {unforeseen}"
    told = bool(reasons) or any(part.lost for document in documents for part in document.left_out)
    if suffix in _PLAIN and not told and (lost := _lost(documents, data, suffix)):
        return "document", f"silent: {', '.join(sorted(lost)[:3])} of the file is not in the document"
    return ("document and reasons" if documents and told else "document" if documents else "rejected"), ""


def _inconsistent(document: Document, embedder: HashEmbedder) -> str:
    end = 0
    for block in document.blocks:
        if not end <= block.start < block.end <= len(document.text):
            return "blocks out of order"
        end = block.end
    if not document.text.strip() or not document.blocks:
        return "silent: a document without text"
    document.text.encode()  # halves of characters would be refused by the store, with the whole update
    chunks = [one.chunk for one in chunk_document(document, embedder, ChunkSettings(), max_tokens=64)]
    if any(chunk.text != document.text[chunk.start : chunk.end] for chunk in chunks):
        return "a chunk is not its stretch of the text"
    chunked = set(_CANARY.findall(" ".join(chunk.embedded_text for chunk in chunks)))
    if missing := set(_CANARY.findall(document.text)) - chunked:
        return f"silent: {sorted(missing)[0]} is in no chunk"
    return ""


def _lost(documents: list[Document], data: bytes, suffix: str) -> set[str]:
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8")
    except UnicodeDecodeError:
        return set()  # in which encoding it is nobody can say for sure
    found = Counter[str]()
    for document in documents:
        told = (document.text, document.title, *document.metadata, *document.metadata.values())
        found.update(_CANARY.findall(" ".join(told)))
    if suffix in (".csv", ".tsv"):  # a column that no row has anything in is not told of
        text = text.partition("\n")[2]
    return set(_CANARY.findall(text)) - set(found)
