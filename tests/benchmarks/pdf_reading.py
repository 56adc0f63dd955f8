"""How fast are PDF files read, and is there a page that loses its text?

Each folder is read in a process of its own: pages a second of processor time, and the peak of its memory.
For comparison, in the same run: PDFium opens the same pages and gives their characters and the box of each,
without which no layout can be told (the most that a reader built on it can reach), and pypdf takes the plain
text out of them. A page is short where it
holds less than nine tenths of what pypdf finds on it, running heads apart: of different rows of five letters,
as some pages draw their text twice.

Each reader runs in turn, three times, and its fastest run counts: what else the machine does only slows it.

    python tests/benchmarks/pdf_reading.py FOLDER... [--rounds 3] [--json]
"""

from __future__ import annotations

import argparse
import importlib
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path

from measure import Run, Target, Values, note, print_json, print_table, print_verdicts, run_step, serve_steps

_PAGES_A_SECOND = 100
_MEGABYTES = 400
_SHARE = 0.9
_LETTERS = 5
# what is left out is not known page by page
_RUNNING_HEADS = 100


def read_with_hybrid(arguments: Values) -> Values:
    """Return the text of each page as the reader of this package gives it, and how long it took."""
    from hybrid.config import DocumentSettings
    from hybrid.documents import SourceFile, read
    from hybrid.types import Document

    importlib.import_module("hybrid.documents.pdf")  # a worker imports it once for all its files
    pages: dict[str, list[str]] = {}
    start = time.process_time()
    for path in _files(arguments):
        file = SourceFile(path.name, path, path.stat().st_size)
        for batch in read(file, DocumentSettings()):
            for item in batch.items:
                if isinstance(item, Document):
                    spans = pairwise([*item.pages, len(item.text)])
                    pages[path.name] = [item.text[begin:end] for begin, end in spans]
    return {"seconds": time.process_time() - start, "pages": pages}


def read_with_pypdf(arguments: Values) -> Values:
    """Return the same of pypdf's plain text."""
    from pypdf import PdfReader

    pages: dict[str, list[str]] = {}
    start = time.process_time()
    for path in _files(arguments):
        pages[path.name] = [page.extract_text() for page in PdfReader(path).pages]
    return {"seconds": time.process_time() - start, "pages": pages}


def read_with_pdfium(arguments: Values) -> Values:
    """Take the characters and their boxes, as fast as the reader of this package does, and nothing else."""
    import ctypes

    import pypdfium2 as pdfium

    from hybrid.documents import pdf

    start = time.process_time()
    for path in _files(arguments):
        with closing(pdfium.PdfDocument(path)) as document:
            for page in document:
                with closing(page), closing(page.get_textpage()) as text:
                    handle = pdf._address(ctypes.cast(text.raw, ctypes.c_void_p).value)
                    count = len(pdf._codes(text))
                    pdf._written(pdf._box_of, handle, list(range(count)), 2, 0)
    return {"seconds": time.process_time() - start}


def _files(arguments: Values) -> list[Path]:
    return sorted(Path(str(arguments["folder"])).rglob("*.pdf"))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--rounds", type=int, default=3, help="of each reader the fastest counts")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows, targets, values = [], [], {}
    for folder in options.folders:
        note(f"reading {folder}")
        arguments = {"folder": str(folder.resolve())}
        runs = [
            [run_step(Path(__file__), name, arguments) for name in ("hybrid", "pdfium", "pypdf")]
            for _ in range(options.rounds)
        ]
        ours, bare, theirs = (min(same, key=_seconds) for same in zip(*runs, strict=True))
        pages = sum(map(len, theirs.result["pages"].values()))
        speeds = [pages / _seconds(run) for run in (ours, bare, theirs)]
        short = short_pages(ours.result["pages"], theirs.result["pages"])
        values[folder.name] = {"pages": pages, "hybrid": speeds[0], "pypdf": speeds[2], "short": short}
        values[folder.name]["pdfium"] = speeds[1]
        values[folder.name]["peak_mb"] = ours.own_peak_mb
        figures = (*speeds, speeds[0] / speeds[2], ours.own_peak_mb, len(short))
        rows.append([folder.name, f"{pages:,}", *(f"{figure:.3g}" for figure in figures)])
        targets += [
            Target(f"{folder.name}: pages a second", speeds[0], _PAGES_A_SECOND, at_least=True),
            Target(f"{folder.name}: megabytes", ours.own_peak_mb, _MEGABYTES),
            Target(f"{folder.name}: short pages", len(short), 0),
        ]
    print_table(["folder", "pages", "pages/s", "PDFium", "pypdf", "times", "MB", "short"], rows)
    for name, value in values.items():
        for page in value["short"]:
            note(f"{name}: {page}")
    print_verdicts(targets)
    if options.json:
        print_json(values)


def _seconds(run: Run) -> float:
    return float(run.result["seconds"])


def short_pages(ours: dict[str, list[str]], theirs: dict[str, list[str]]) -> list[str]:
    """Return the pages that hold less than pypdf finds on them, by name and number."""
    short = []
    for name, pages in theirs.items():
        found = ours.get(name, [""] * len(pages))
        for number, (text, expected) in enumerate(zip(found, pages, strict=True), start=1):
            wanted = _parts(expected)
            if len(wanted & _parts(text)) < _SHARE * len(wanted) - _RUNNING_HEADS:
                short.append(f"{name} page {number}: {len(wanted & _parts(text))} of {len(wanted)}")
    return short


def _parts(text: str) -> set[str]:
    letters = "".join(filter(str.isalnum, text)).lower()
    return {letters[start : start + _LETTERS] for start in range(len(letters) - _LETTERS + 1)}


serve_steps({"hybrid": read_with_hybrid, "pdfium": read_with_pdfium, "pypdf": read_with_pypdf})

if __name__ == "__main__":
    main()
