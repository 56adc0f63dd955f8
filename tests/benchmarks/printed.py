"""Does a PDF that a browser printed hold the words of its page, in their order?

    python tests/benchmarks/printed.py FOLDER [--every 10]

Every so many of the HTML pages of a folder are printed by Chromium (which must be on the path) and read as
HTML, which is the measure, and as PDF. *Missing* are words of the page that the PDF lacks, counted with their
repetitions; *order* is the share of words that stand in the same order in both (``difflib``: 1 where all do).
"""

from __future__ import annotations

import argparse
import difflib
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from measure import print_table

from hybrid.config import DocumentSettings
from hybrid.documents import SourceFile, read
from hybrid.types import Document

_LONGEST = 6_000


def words(path: Path) -> list[str]:
    file = SourceFile(path.name, path, path.stat().st_size)
    items = [item for batch in read(file, DocumentSettings()) for item in batch.items]
    return re.findall(r"\w+", " ".join(item.text for item in items if isinstance(item, Document)))


def printed(page: Path, folder: Path) -> Path:
    browser = shutil.which("chromium")
    if browser is None:
        raise SystemExit("needs a chromium on the path, such as Debian's")
    target = folder / f"{page.stem}.pdf"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    subprocess.run(
        [browser, *options, f"--print-to-pdf={target}", page.resolve().as_uri()],
        check=True,
        capture_output=True,
    )
    return target


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=10)
    options = parser.parse_args()
    rows, of_page, lost = [], 0, 0
    with tempfile.TemporaryDirectory() as place:
        for page in sorted(options.folder.rglob("*.html"))[:: options.every]:
            wanted, found = words(page), words(printed(page, Path(place)))
            missing = Counter(wanted) - Counter(found)
            is_short = len(wanted) < _LONGEST
            matcher = difflib.SequenceMatcher(None, wanted, found, autojunk=False)
            order = f"{matcher.ratio():.3f}" if is_short else "-"
            of_page, lost = of_page + len(wanted), lost + missing.total()
            rows.append(
                [page.name, f"{len(wanted):,}", str(missing.total()), order, " ".join(sorted(missing)[:6])]
            )
    rows.append(["all", f"{of_page:,}", str(lost), "", ""])
    print_table(["page", "words", "missing", "order", "such as"], rows)


if __name__ == "__main__":
    main()
