"""Rich Text Format as word processors write it."""

import pytest

from hybrid.types import Rejected

HEAD = (
    r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss Arial;}{\f1\fnil\fcharset204 Arial Cyr;}"
    r"{\f2\fnil\fcharset128 MS Mincho;}}{\colortbl;\red0\green0\blue0;}{\stylesheet{\s0 Normal;}"
    r"{\s1\outlinelevel0 heading 1;}{\s2 \'dcberschrift 2;}{\*\cs10 Default Paragraph Font;}}"
    r"{\info{\title Lease of hall 9}{\author Mira Holm}{\company Lindhof}}"
)


@pytest.fixture
def opened(read_one):
    return lambda body: read_one("a.rtf", (HEAD + body + "}").encode("latin-1"))


def test_headings_come_from_styles_whatever_their_language(opened, blocks_of):
    document = opened(
        "\\pard\\s1\\b Scope\\b0\\par\n\\pard\\plain It ends\n in May.\\par"
        "\\pard\\s2 Price\\par\\pard 50 euros\\par"
    )
    assert (document.title, document.metadata) == ("Lease of hall 9", {"author": "Mira Holm"})
    assert blocks_of(document) == [
        ("heading", 1, "Scope"),
        ("paragraph", 0, "It ends in May."),
        ("heading", 2, "Price"),
        ("paragraph", 0, "50 euros"),
    ]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (r"M\'fcller \'80 5", "Müller € 5"),
        (r"\f1 \'cf\'f0\'e8\'e2\'e5\'f2\f0  you", "Привет you"),
        (r"{\f2 \'89\'ef\'8bc}", "会議"),
        (r"\u20250 ?\uc2\u35696\'8b\'63", "会議"),
        (r"{\uc0\u8364}5 \u-10179?\u-8704?", "€5 😀"),
        (r"a\~b\_c\-d \{x\} \\ \endash\ldblquote q\rdblquote", "a b-cd {x} \\ –“q”"),
        (r"10{\super 6} cells, H{\sub 2}O, {\strike 40} 50", "10^6 cells, H2O, ~~40~~ 50"),
        (r"See {\field{\*\fldinst HYPERLINK x}{\fldrslt the page}}.", "See the page."),
        (r"By {\upr{Zo?}{\*\ud{Zo\u235 ?}}} Holm", "By Zoë Holm"),
    ],
)
def test_letters_are_those_of_their_code_page(opened, written, text):
    assert opened(rf"\pard {written}\par").text == text


def test_tables_lists_notes_and_edges(opened, blocks_of):
    row = r"\trowd\cellx1\cellx2\pard\intbl {}\cell {}\cell\row".format
    document = opened(
        r"{\header\pard QM-7781\par}{\footer QM-7781}\pard First\par"
        + row("Item", "Rent")
        + row(r"Hall 9\par north", "850")
        + r"\pard\par\pard{\listtext\'b7\tab}Seals\par{\listtext 2.\tab}Bolts\par"
    )
    assert blocks_of(document)[1:] == [
        ("table", 0, "Item | Rent\nHall 9 north | 850"),
        ("list", 0, "- Seals\n2. Bolts"),
        ("paragraph", 0, "QM-7781"),
    ]


def test_the_text_of_a_note_follows_its_paragraph(opened):
    document = opened(r"\pard First{\super\chftn{\footnote {\super\chftn} Net.}}\par Next\par")
    assert document.text == "First [1]\n\n[1] Net.\n\nNext"


def test_a_note_within_a_note_costs_nothing_of_either(opened):
    document = opened(r"\pard Text{\chftn{\footnote Outer {\footnote inner} rest.}} goes on.\par")
    assert document.text == "Text[1] goes on.\n\nOuter rest.\n\ninner"


def test_a_box_does_not_part_the_sentence_that_it_stands_in(opened):
    document = opened(r"\pard It {\shp{\*\shpinst{\shptxt \pard One\par Two\par}}}ends.\par")
    assert document.text == "It ends.\n\nOne\nTwo"


def test_cells_stand_below_the_columns_that_they_span(opened, blocks_of):
    sides = {"a": r"\trowd\clvmgf\cellx900\cellx2700", "b": r"\trowd\clvmrg\cellx900\cellx1800\cellx2700"}
    row = r"{}\pard\intbl {}\cell\row ".format
    body = row(sides["a"], r"Region\cell Sales") + row(sides["b"], r"\cell 2023\cell 2024")
    body += row(r"\trowd\cellx905\cellx1800\cellx2690", r"North{\footnote Net.}\cell 10\cell 12")
    document = opened(body + r"\pard After\par")
    assert blocks_of(document) == [
        ("table", 0, "Region | Sales, 2023 | Sales, 2024\nNorth | 10 | 12"),
        ("paragraph", 0, "Net."),
        ("paragraph", 0, "After"),
    ]
    assert document.blocks[0].columns == ("Region", "Sales, 2023", "Sales, 2024")


def test_a_table_within_a_cell_follows_as_its_own(opened, blocks_of):
    inner = (
        r"\pard\intbl\itap2 in 1\nestcell{\nonesttables\par}in 2\nestcell{\*\nesttableprops\trowd\cellx500"
        r"\cellx900\nestrow}{\nonesttables\par}"
    )
    document = opened(
        rf"\trowd\cellx900\cellx1800\pard\intbl Left\par {inner}\pard\intbl\itap1 tail\cell R\cell\row"
    )
    assert blocks_of(document) == [("table", 0, "Left tail | R"), ("table", 0, "in 1 | in 2")]


def test_lists_without_marks_depths_and_fields_of_forms(opened):
    form = r"{{\field{{\*\fldinst {}{{\*\formfield{{\fftype1{}{{\*\ffname N}}}}}}}}{{\fldrslt }}}}".format
    document = opened(
        r"\pard\fi-360\bullet\tx360\tab one\par\pard{\listtext\f2 o\tab}\ilvl1 two\par\pard "
        + form("FORMCHECKBOX ", r"\ffres25\ffdefres1")
        + " agreed "
        + form("FORMDROPDOWN ", r"\ffres1{\*\ffl red}{\*\ffl blue}")
        + r"\par{\*\moMath{\mr x}}"
    )
    assert document.text == "- one\n  - two\n\n☒ agreed blue"
    assert [(part.kind, part.lost) for part in document.left_out] == [("formula", True)]


def test_numbers_of_pages_at_the_edge_and_contents_are_no_text(opened, blocks_of):
    page = r"{\field{\*\fldinst { PAGE }}{\fldrslt {1}}}"
    document = opened(
        rf"{{\footer Page {page} of {{\field{{\*\fldinst NUMPAGES}}{{\fldrslt 3}}}}}}"
        r"{\header Plan of hall nine, \chpgn}"
        r"{\stylesheet{\s7 toc 1;}{\s8 caption;}}\pard\s7 Scope\tab 1\par\pard\s1 Scope\par\pard\s8 Table 1:"
        r" Rent\par\trowd\cellx900\cellx1800\pard\intbl Hall\cell Rent\cell\row"
        r"\pard\intbl 9\cell 85\cell\row"
    )
    assert [text for _, _, text in blocks_of(document)] == [
        "Scope",
        "Table 1: Rent",
        "Hall | Rent\n9 | 85",
        "Plan of hall nine,",
    ]
    assert document.blocks[2].caption == "Table 1: Rent"


@pytest.mark.parametrize(
    ("head", "text"), [(r"\mac", "é"), (r"\pc", "Ä"), (r"\pca", "Ä"), (r"\ansi\ansicpg10007", "О")]
)
def test_old_families_of_code_pages(read_one, head, text):
    assert read_one("a.rtf", rf"{{\rtf1{head} x\'8e\par}}".encode()).text == f"x{text}"


def test_signs_of_their_own_fonts_are_what_they_look_like(opened):
    fonts = r"{\fonttbl{\f7\fcharset2{\*\panose 05}Symbol;}{\f8\fcharset2 Wingdings;}}"
    assert opened(fonts + r"\pard {\f7 a}-rays {\f8\'fc} done\par").text == "α-rays ✓ done"


def test_a_label_does_not_take_the_style_of_its_heading(opened, blocks_of):
    document = opened(r"\pard\s1{\listtext\pard\plain 1.\tab}Scope\par\pard\plain Text\par")
    assert blocks_of(document) == [("heading", 1, "1. Scope"), ("paragraph", 0, "Text")]


def test_boxes_are_read_and_what_is_left_out_is_told(opened):
    document = opened(
        r"\pard Before{\shp{\*\shpinst{\sp{\sn a}{\sv b}}{\shptxt \pard In a box\par}}{\shprslt again}}\par"
        r"{\pict\pngblip 89504e47}{\*\shppict{\pict 00}}{\nonshppict{\pict 00}}{\object{\*\objdata 0105}}"
        r"{\*\annotation Sure?}\pard Sixty{\deleted  ninety}{\v  hidden} days\par{\*\unknown secret}"
    )
    assert document.text == "Before\n\nIn a box\n\nSixty days"
    assert {part.kind: (part.count, part.lost) for part in document.left_out} == {
        "image": (2, False),
        "embedded object": (1, True),
        "comment": (1, False),
        "deleted text": (1, False),
        "hidden text": (1, False),
    }


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"plain text", "does not begin"),
        (b"{\\rtf1 " + b"{" * 200_000, "no text"),
        (b"{\\rtf1 }}}}}}", "no text"),
        (b"{\\rtf1 \\bin99999999999 abc", "no text"),
    ],
)
def test_damaged_and_hostile_files_cost_a_reason(read_one, data, reason):
    found = read_one("a.rtf", data)
    assert isinstance(found, Rejected)
    assert reason in found.reason


def test_an_unknown_code_page_does_not_lose_the_text(read_one):
    assert read_one("a.rtf", b"{\\rtf1\\ansi\\ansicpg99999 M\\'fcller\\par}").text == "Müller"


@pytest.mark.parametrize("rest", [r"{\footnote the end {\b of it", r"{\pict\bin9999 ab"])
def test_a_file_that_was_cut_off_is_told(read_one, rest):
    document = read_one("a.rtf", (HEAD + "First.\\par Last " + rest).encode("latin-1"))
    assert "First." in document.text
    assert "Last" in document.text
    assert ("the end of it" in document.text) == ("footnote" in rest)
    assert [part.kind for part in document.left_out if part.lost] == ["damaged stretch"]


def test_what_a_group_sets_ends_with_it(opened, blocks_of):
    document = opened(r"{\pard\s1 Scope\par}It ends.\par {\outlinelevel1 Price\par}50 euros\par")
    assert [kind for kind, _, _ in blocks_of(document)] == ["heading", "paragraph"] * 2


def test_a_heading_at_the_end_needs_no_mark(opened, blocks_of):
    assert blocks_of(opened(r"\pard\s1 Scope")) == [("heading", 1, "Scope")]


def test_what_stands_beside_the_number_of_a_page_is_kept(opened):
    feet = (r"Acme GmbH \chpgn", r"\chpgn  | Confidential", r"Seite \chpgn  von \chpgn", r"- \chpgn  -")
    edges = "".join(rf"{{\footer {foot}}}" for foot in feet)
    assert opened(rf"{edges}\pard Text\par").text == "Text\n\nAcme GmbH\n\nConfidential"


def test_letters_that_are_written_twice_are_read_once(opened):
    both = r"{\upr{Zo?}{\*\ud{Zo\u235 ?}}}"
    document = opened(
        rf"{{\info{{\title {both}}}}}{{\header {both} Holm}}\pard a{{\footnote By {both}}}\par"
        rf"{{\listtext {both}.\tab}}Item\par{{\*\annotation {both}}}"
    )
    assert (document.title, document.text) == ("Zoë", "a\n\nBy Zoë\n\nZoë. Item\n\nZoë Holm")
    assert [(part.kind, part.characters) for part in document.left_out] == [("comment", 3)]


def test_text_in_a_cell_that_is_joined_to_its_left_is_kept(opened):
    row = r"\trowd{0}\cellx900{1}\cellx1800\pard\intbl {2}\cell {3}\cell\row"
    rows = row.format("", "", "Hall", "Rent") + row.format("", r"\clmrg", "9", "85")
    assert opened(rows + r"\pard End\par").text.startswith("Hall | Rent\n9 | 85")
