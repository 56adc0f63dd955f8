"""Plain text: encodings, paragraphs, headings drawn with punctuation."""

import pytest

from hybrid.types import BlockKind, Document, LeftOut, Rejected


def test_paragraphs_and_underlined_headings(read_one, blocks_of):
    document = read_one("a.txt", "Goats\n=====\nThey climb.\nOften.\n\nFood\n----\n\nGrass.\n")
    assert blocks_of(document) == [
        ("heading", 1, "Goats"),
        ("paragraph", 0, "They climb.\nOften."),
        ("heading", 2, "Food"),
        ("paragraph", 0, "Grass."),
    ]
    assert document.title == "Goats"


def test_an_overline_is_part_of_the_heading(read_one, blocks_of):
    document = read_one("a.rst", "*****\nGoats\n*****\n\nText.\n")
    assert blocks_of(document) == [("heading", 1, "Goats"), ("paragraph", 0, "Text.")]


def test_asciidoc_headings_listings_and_items(read_one, blocks_of):
    text = "== Usage\n\nRun it:\n\n----\nif x:\n\n    y()\n----\n\n* one\n* two\n\n|a |b\n|c |d\n"
    assert blocks_of(read_one("a.adoc", text)) == [
        ("heading", 2, "Usage"),
        ("paragraph", 0, "Run it:"),
        ("code", 0, "if x:\n\n    y()"),
        ("list", 0, "* one\n* two"),
        ("table", 0, "a | b\nc | d"),
    ]


def test_tables_that_are_drawn(read_one):
    grid = "+---+---+\n| A | B |\n+===+===+\n| 1 | 2 |\n+---+---+\n| x | y |\n|   | z |\n+---+---+\n"
    bars = "===  ===  ===\nA    B    A or B\n===  ===  ===\n0    1    0 and\n1    2    3\n===  ===  ===\n"
    cells = ".Table 1. Limits\n|===\n|Name |Value\n\n|Voltage |230 V\n|Current\n|16 A\n|===\n"
    document = read_one("a.rst", f"{grid}\n{bars}\n{cells}\nEnd.\n")
    found = [(document.text[block.start : block.end], block.columns, block.line) for block in document.blocks]
    assert found == [
        ("A | B\n1 | 2\nx | y z", ("A", "B"), 1),
        ("A | B | A or B\n0 | 1 | 0 and\n1 | 2 | 3", ("A", "B", "A or B"), 10),
        ("Table 1. Limits", (), 17),
        ("Name | Value\nVoltage | 230 V\nCurrent | 16 A", ("Name", "Value"), 19),
        ("End.", (), 26),
    ]
    assert document.blocks[3].caption == "Table 1. Limits"


@pytest.mark.parametrize(
    ("drawn", "text"),
    [
        ("+--+---+\n|id|na |\n+--+---+\n| 1| a |\n| 2|   |\n+--+---+", "id | na\n1 | a\n2 |"),
        ("+---+---+\n| A | B |\n+===+===+\n| x | y |\n|   | z |\n+---+---+", "A | B\nx | y z"),
        ("┌────┬────┐\n│ 漢 │ B  │\n├────┼────┤\n│ 1  │ 2  │\n└────┴────┘", "漢 | B\n1 | 2"),
        ("Name       Id\n----       --\nsshd      812\ncron       77", "Name | Id\nsshd | 812\ncron | 77"),
        ("+----+----+\n| A  | B  |\n+====+====+\n| both    |\n+----+----+", "A | B\nboth |"),
        ("|===\n|a |b\n\n2+|both\n.2+^|r\\|s |t\n|u\n|v\n|===", "a | b\nboth |\nr|s | t\nu | v"),
        ('[cols="1,2*"]\n|===\n|a\n|b\n|c\n|d\n|e\n|f\n|===', "a | b | c\nd | e | f"),
        (
            "mysql> x;\n+----+----+\n| id | no |\n+----+----+\n| 1  | 2  |\n+----+----+\n1 row",
            "id | no\n1 | 2",
        ),
    ],
)
def test_rows_of_drawn_tables_stay_rows(read_one, drawn, text):
    document = read_one("a.adoc", f"{drawn}\n\nEnd.\n")
    tables = [document.text[one.start : one.end] for one in document.blocks if one.kind is BlockKind.TABLE]
    assert tables == [text]


@pytest.mark.parametrize(
    ("name", "source", "text"),
    [
        ("a.rst", "10\\ :sup:`6` of H\\ :sub:`2`\\ O, note\\ :sup:`12`", "10^6 of H2O, note [12]"),
        ("a.rst", "See :ref:`the list <a-b>` and :py:class:`~a.B` [1]_.", "See the list and a.B [1]."),
        ("a.rst", "The `site <http://x.org>`_, ``:ref:`x` `` and C:\\ x `y`", None),
        ("a.adoc", "10^6^ of H~2~O, note^12^", "10^6 of H2O, note [12]"),
        (
            "a.adoc",
            "See link:a.html[the page^], <<a,b c>> and xfootnote:[A d]",
            "See the page, b c and x [A d]",
        ),
        ("a.adoc", "Run `x^2^` in ~/.b or ~/c, 2^10 and https://x.org/[y", None),
        ("a.txt", "10^6^ of H~2~O and :ref:`a` [1]_", None),
    ],
)
def test_marks_inside_a_line_are_read_by_the_rules_of_the_format(read_one, name, source, text):
    shown = source.replace("`site <http://x.org>`_", "site")
    assert read_one(name, source).text == (text or shown)


def test_a_listing_keeps_its_marks(read_one):
    assert read_one("a.adoc", "Text.\n\n----\nx^2^ H~2~\n----\n").text == "Text.\n\nx^2^ H~2~"


def test_what_stands_before_the_cells_of_a_table_stays(read_one):
    assert read_one("a.adoc", "[format=csv]\n|===\na,b\n1,2\n|===\n").text.endswith("a,b\n1,2")


def test_an_attribute_of_a_block_is_no_heading(read_one, blocks_of):
    document = read_one("a.adoc", "= T\n\n[NOTE]\n====\nMind it.\n====\n")
    assert [level for kind, level, _ in blocks_of(document) if kind == "heading"] == [1]


@pytest.mark.parametrize("feed", ["\f", "\f\n"])
def test_a_text_in_pages_without_running_heads_and_with_the_sections_it_is_set_in_from(
    read_one, blocks_of, feed
):
    """As RFCs and manual pages are printed: what stands further left is the name of a section."""
    body = [
        "1.  Ports\n\n   It goes on\n   and on over",
        "   the end.\n   Patient: X\n\n2.1.  More\n\n   a\n   b",
        "   c\n   d",
    ]
    pages = [
        f"Foo 2          Draft          May 2024\n\n{text}\n\nDoe         [Page {at}]\n"
        for at, text in enumerate(body, 7)
    ]
    document = read_one("a.txt", f"{20 * ' '}The Foo Protocol{feed.join(pages)[38:]}")
    found = blocks_of(document)
    assert found[1:3] == [
        ("heading", 1, "1.  Ports"),
        ("paragraph", 0, "It goes on\nand on over\nthe end.\nPatient: X"),
    ]
    assert [block[:2] for block in found[3:]] == [("heading", 2), ("paragraph", 0)]
    assert (document.title, document.left_out) == ("The Foo Protocol", (LeftOut("running head", 5, 136),))


def test_a_separator_does_not_swallow_the_rest(read_one, blocks_of):
    document = read_one("a.txt", "one\n\n--------\n\ntwo\n\n--------\n\nthree\n")
    assert [text for _, _, text in blocks_of(document)] == ["one", "two", "three"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("Grüße €".encode(), "Grüße €"),
        ("Grüße €".encode("utf-8-sig"), "Grüße €"),
        ("Grüße €".encode("utf-16"), "Grüße €"),
        ("Grüße €".encode("utf-32"), "Grüße €"),
        ("Grüße €".encode("cp1252"), "Grüße €"),
        (b"one\r\ntwo\rthree   \n", "one\ntwo\nthree"),
        (b"red \x1b[31mtext\x07", "red text"),
        (b"N\x08NA\x08AME _\x08x \x1b]8;;http://a.b\x1b\\link\x1b]8;;\x1b\\ 42", "NAME x link 42"),
        ("soft\u00adhyphen \ufeffmark".encode(), "softhyphen mark"),
    ],
)
def test_encodings_and_line_ends(read_one, data, expected):
    assert read_one("a.txt", data).text == expected


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.csv", "a.jsonl"])
def test_nul_bytes_are_binary(read_one, name):
    item = read_one(name, b"\0" * 5000)
    assert isinstance(item, Rejected)
    assert "binary" in item.reason


@pytest.mark.parametrize(
    "name", ["a.txt", "a.md", "a.html", "a.pdf", "a.docx", "a.pptx", "a.epub", "a.csv", "a.jsonl"]
)
def test_empty_and_blank_files_are_rejected(read_one, name):
    empty = read_one(name, b"")
    assert empty == Rejected(name, "empty: the file has no bytes")
    assert isinstance(read_one(name, b"  \n \n"), Rejected)


def test_limits_name_themselves(read_one):
    assert "documents.max_megabytes" in read_one("a.txt", b"x" * 3000, max_megabytes=0.002).reason
    assert "documents.max_characters" in read_one("a.txt", b"word " * 300, max_characters=1000).reason
    # a table may be larger, since it is streamed
    assert isinstance(read_one("a.csv", b"a\n" + b"x" * 3000, max_megabytes=0.002), Document)


def test_a_missing_file_is_rejected(read_one, tmp_path):
    path = tmp_path / "gone.txt"
    path.write_text("x")
    from hybrid.config import DocumentSettings
    from hybrid.documents import SourceFile, read

    path.unlink()
    (batch,) = read(SourceFile("gone.txt", path, 1), DocumentSettings())
    assert "cannot be read" in batch.items[0].reason


@pytest.mark.parametrize(
    ("line", "kept"), [("bEV8fS9iXK032Mv" * 5, False), ("ACGT" * 18, True), ("0a1b2c3d" * 8, True)]
)
def test_an_attachment_is_told_and_sequences_and_keys_stay(read_one, line, kept):
    document = read_one("a.txt", "Offer\n\n" + f"{line}\n" * 60 + f"{line[:9]}==\n\nThe end.\n")
    assert (line in document.text) is kept
    assert [part.kind for part in document.left_out] == [] if kept else ["embedded file"]
    assert (document.blocks[-1].line, document.text[-8:]) == (65, "The end.")
    assert line in read_one("b.txt", "Key\n\n" + f"{line}\n" * 30).text


def test_tables_written_as_lists_have_rows_and_columns(read_one):
    items = "   * - Port\n     - Use\n   * - 80\n     - web,\n       plain\n   * -\n     - none\n"
    document = read_one(
        "a.rst", f".. list-table:: Ports\n   :header-rows: 1\n   :widths: 1 2\n\n{items}\nText.\n"
    )
    assert document.text == "Ports\n\nPort | Use\n80 | web, plain\n | none\n\nText."
    assert (document.blocks[1].columns, document.blocks[1].caption) == (("Port", "Use"), "Ports")
    assert read_one("a.rst", ".. list-table:: Ports\n\n   No item.\n").text == "Ports\n\nNo item."


_LATEX = r"""\documentclass[a4paper]{article}
\title{Cavitation in \emph{pumps}}
\section{Results}\label{sec:r}
It starts at $\frac{1}{2}$~\cite[p.~3]{smith} with \textbf{5\,\%}\footnote{Net.}.
\subsection*{Parts}
\begin{itemize}
\item low \emph{flow}
\end{itemize}
% a note
"""


def test_latex_has_headings_and_text_without_marks_and_its_formulas_stay(read_one, blocks_of):
    document = read_one("a.tex", _LATEX)
    assert document.title == "Cavitation in pumps"
    assert blocks_of(document) == [
        ("heading", 1, "Cavitation in pumps"),
        ("heading", 1, "Results"),
        ("paragraph", 0, r"It starts at $\frac{1}{2}$ [smith] with 5% [Net.]."),
        ("heading", 2, "Parts"),
        ("paragraph", 0, "- low flow"),
    ]
    assert [block.line for block in document.blocks] == [2, 3, 4, 5, 7]
    assert {part.kind: part.count for part in document.left_out} == {"setting": 3, "comment": 1}


def test_latex_is_read_as_its_page_is(read_one, blocks_of):
    text = r"""\section[Short]{Long name}
The limit is 5\,\%. % It was 9.
% retired: 12
It costs \$5, see \url{http://a.example/~x%20y}.
\paragraph{Pay}
\begin{comment}
Gone 77.
\end{comment}
\begin{tabular}{|l|r|}
\hline
Part & Days \\ \hline
Seal \& ring & 12 \\[2pt]
\hline
\end{tabular}
\begin{verbatim}
a % b
\end{verbatim}
\end{document}
after 99
"""
    document = read_one("a.tex", text)
    assert blocks_of(document) == [
        ("heading", 1, "Long name"),
        ("paragraph", 0, "The limit is 5%.\nIt costs $5, see http://a.example/~x%20y."),
        ("heading", 4, "Pay"),
        ("table", 0, "Part | Days\nSeal & ring | 12"),
        ("paragraph", 0, "a % b"),
    ]
    assert ("comment", 4) in [(part.kind, part.count) for part in document.left_out]


def test_a_blank_line_parts_no_settings_from_what_they_stand_below(read_one, blocks_of):
    text = "pump:\n  limit: 4\n\n  pause: 7\n\nfan:\n  limit: 5\n"
    texts = [text for _, _, text in blocks_of(read_one("a.yaml", text))]
    assert texts == ["pump:\n  limit: 4\n\n  pause: 7", "fan:\n  limit: 5"]


def test_tables_of_latex_answer_by_cell(read_one):
    document = read_one(
        "a.tex",
        r"""Text.
\begin{table}[t]\caption{Wear \emph{per} design.}
\begin{tabular*}{\textwidth}{@{}llrr@{}} \toprule
\multirow{2}{*}{\textbf{Design}} & Site & \multicolumn{2}{c}{Wear} \\ \cmidrule(lr){3-4}
 & & 2022 & 2023 \\ \midrule
\multirow{2}{*}{Old} & Bremen & 12.1 &
 14.9 \\[2pt] % split over lines
 & \makecell{Kiel \\ north} & 7.3 & \underline{8.0} \tabularnewline \bottomrule
\end{tabular*}
\end{table}
After~all \textbf{bold \emph{inner}} and ``so''\footnote{As \cite{a} says.}.
\includegraphics[width=1cm]{x.png}
% \begin{tabular}{l} a & b \\ \end{tabular}
""",
    )
    assert document.text.split("\n\n") == [
        "Text.\nWear per design.",
        "Design | Site | Wear, 2022 | Wear, 2023\nOld | Bremen | 12.1 | 14.9\nOld | Kiel north | 7.3 | 8.0",
        "After all bold inner and “so” [As [a] says.].",
    ]
    (table,) = [block for block in document.blocks if block.kind == "table"]
    assert (table.caption, table.line) == ("Wear per design.", 3)
    assert [(part.kind, part.count) for part in document.left_out if part.kind != "setting"] == [
        ("comment", 2),
        ("image", 1),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (r"\begin{tabular}A & \begin{tabular}{c}1 \\ 2\end{tabular} \\ y & 3\end{tabular}", "A | 1 2\ny | 3"),
        (
            "\\begin{tabu}A & B\n\\end{tabu} and \\begin{tabu}C & D\n\\end{tabu} End",
            "A | B\n\nand\n\nC | D\n\nEnd",
        ),
        ("See \\begin{tabular}{ll}\n\nThe end.", "See \\begin{tabular}{ll}\n\nThe end."),
        (
            r"\begin{longtable}\caption{Oil}\label{t} \\ \toprule A & B \\ \midrule x & 7 \end{longtable}",
            "Oil\n\nA | B\nx | 7",
        ),
        ("A. % as \\begin{comment}\nB.\n\\end{comment}\nC.", "A.\nB.\n\nC."),
        ("Use \\verb|\\begin{comment}| here.\nB.\n\\end{comment}", "Use \\verb|\\begin{comment}| here.\nB."),
        ("\\begin{comment}\nNever closed.", "Never closed."),
        ("a\n\n|| 7 | 8 |\n| x | - | 9 |\n| - | - | - |", "a\n\n| 7 | 8\nx | - | 9\n- | - | -"),
    ],
)
def test_tables_and_remarks_end_where_they_end(read_one, text, said):
    assert read_one("a.tex", text).text == said
