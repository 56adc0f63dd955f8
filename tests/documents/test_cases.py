"""Small documents that lost something once, one test a case; the larger ones stand in ``cases/`` beside."""

import json
import shutil
import unicodedata
import zipfile
from pathlib import Path

import pytest

import hybrid.ingestion
from hybrid import Assistant, load_settings
from hybrid.chunking import chunk_document
from hybrid.cli.app import run
from hybrid.config import ChunkSettings
from hybrid.errors import UsageError
from hybrid.testing import HashEmbedder
from hybrid.types import LeftOut, Rejected

CASES = Path(__file__).parent / "cases"


def said(items):
    """Return what the reader hands over, one block a line, with titles and without the rejected."""
    return "\n".join(
        block
        for item in items
        if not isinstance(item, Rejected)
        for block in [item.title, *(item.text[b.start : b.end] for b in item.blocks)]
    )


# of files, what must stand in them as a stretch of its own, and what must not
KEPT = {
    "patients.pdf": [
        "Patient: A. Example",
        "Patient: C. Example",
        "Allergic to penicillin",
        "Allergic to nuts",
    ],
    "report.pdf": ["1 Introduction", "2 Methods", "3 Results", "4 Discussion"],
    "totals.pdf": ["\n1500", "\n1730", "\n990"],
    "tracked.docx": [
        "Payment is due within 60 days.",
        "The penalty is nine percent a year.",
        "Moved: the court of Bremen",
    ],
    "controls.docx": [
        "seven years",
        "Jane Example",
        "Rent | 850 euros",
        "Deposit | 1700 euros",
        "Start | 1 May",
        "Table in a control",
    ],
    "footnote.docx": ["Only until the end of 2027.", "see the statute"],
    "header_footer.docx": ["QM-7781", "Valid from 3 March 2024"],
    "sphinx.html": [
        "Cookies\nPass cookies with the argument jar; a session keeps them for 30 minutes.",
        "Pagination\nEvery list answer holds at most 50 entries",
        "Context menu\nRight-click opens",
        "Footer\nThe PDF footer shows the revision",
    ],
    "articles2.html": ["\nReleases\n", "Version 2.0\n", "Version 1.9\n"],
    "header_h1.html": [
        "How to bleed the brakes",
        "Needs two people and 20 minutes.",
        "Warning: brake fluid is toxic.",
    ],
    "latin1_quotes.html": ["It costs € 50 – don’t pay “more” … naïve Müller"],
    "sjis.html": ["会議室の予約は①三日前までに。"],
    "gb2312.html": ["價格 說明 € 50"],
    "under.md": [
        "one__two__three",
        "__init__.py",
        "snake__case",
        "https://example.org/a__b__c/d",
        "Foo::__construct",
        "bold and bold",
    ],
    "url.md": ["id=5&timestamp=99&region=eu&params=x&notify=1&copy=2&section=3&lt=4&currency=EUR", "© 2024"],
    "tags.md": [
        "Monday Tuesday | 5 V 12 V",
        "Height | Width\n150 | 200",
        "first par\nsecond par",
        "- alpha\n- beta",
        "Port\n5432",
        "\none\ntwo",
    ],
    "foot.md": [
        "For devices bought before March 2021 the warranty lasts five years.",
        "Batteries carry a warranty of six months only.",
        "The serial number stands on the back.",
    ],
    "rule.md": ["Warning: the pump must be switched off first.", "forty minutes.", "Then close it."],
    "zh.pdf": ["数据库的默认端口是五四三二，可以在配置文件中修改。备份任务每天凌晨三点运行，保留三十天。"],
    "form.pdf": ["Jane Example", "1987", "Agreed: yes", "blue", "Approved on 4 May by the office"],
    # the next seven were printed by a browser, from the pages in ``cases/printed``
    "handbook.pdf": [
        "Everybody works thirty-eight hours",
        "for the night shift, and 10^6 for the count of cells.",
        "the wage of the month after.\nOn Sundays",
        "until eight in the evening.\n2 Allowances\nTrip | Domestic | Abroad\n8 to 24 hours | 14.00",
        "Car, per km | 0.38\nMotorbike, per km | 0.22\nBicycle, per km | 0.10\nGold | Silver | Bronze\n",
    ],
    "invoice.pdf": [
        "Invoice no. | 2026-0417\nDate | 12 May 2026\nCustomer no. | 10442\nDue | 11 June 2026",
        "Pos. | Description | Qty | Unit price | Amount\n1 | Heating element 3 kW",
        "\nPlease pay within thirty days.",
        "\nWarranty\nPart | Period | Remark\nHeating element | 24 months |",
        "Heating element | 36 months | Parts only",
    ],
    "pump.pdf": [
        "Fault | Cause | Remedy\nPump does not start | No voltage; thermal relay has tripped",
        "Noise | Air in the suction line | Bleed at plug 4; tighten all flanges",
        "Speed (rpm) | Head (m) | Flow (m³/h) | Efficiency\n1,450 | 12.5",
        "Part no. | Name | Fits\nKX-101 | Impeller, bronze | KX-20A, KX-20B",
    ],
    "news.pdf": [
        "Stand | Day | Rent\nSmall | Saturday | 18 euros",
        "gets four euros back at the counter on pier three.\nNew opening hours",
        "for the next meeting | Petersen | 30 June",
        "هذا نص عربي قصير عن الميناء",
    ],
    "prices.pdf": [
        "No. | Article | Quantity, 1–9 | Quantity, 10–99 | Quantity, 100+ | Weight (kg)\nA-101 | ",
        "A-145 | Bolt M45, zinc, hexagon | 45.50 | 45.20 | 45.05 | 0.55",
        "Orders above 250 euros",
    ],
    "forms.pdf": [
        "Soup of the day | 4.80\nPike with potatoes | 16.50\nApple cake | 3.90\nApplication for leave",
        "Name: Jane Example\nDepartment: Sales\nFrom: 3 August 2026",
        "03.06. | Rent Marktplatz 3 REF 88-120 | 850.00 |  | 354.10\n15.06. | Wages",
        "1 | 2 Council 18:30 | 3 | 4 Fire drill | 5",
        "\nA: Yes, on a lead, but not into the kitchen.",
        "Mon–Fri | 9–12 and 14–18\nSat | 10–13\nSun | closed",
    ],
    "paper.pdf": [
        "those of fluorocarbon 0.17 mm. Dry running doubled the loss.",
        "Material | Wet | Dry\nNitrile | 0.41 | 0.83\nFluorocarbon | 0.17 | 0.32\n3. Results",
        "new pumps only [3]; here we follow",
    ],
    "sup.html": ["10^6 cells", "5^3 units", "note [12]", "H2O"],
    "hyphen.pdf": ["long-term", "state-of-the-art", "10-20 euros", "non-European", "pages 5-7", "ISO-9001"],
    "faq.html": ["nine days", "40 days", "We pay the postage."],
    "table.pdf": ["Item | Qty | Price\nBolt | 10 | 4.50\nNut |  | 2.10\nWasher | 30 | 0.30"],
    "fm_list.md": ["Text."],
    "fm_onlylist.md": ["Text."],
    # PDFium takes so narrow a page for one that is written downwards
    "narrow.pdf": ["Jane Doe", "lead engineer. Built the pump control", "2015–2019 Globex"],
    "deck.pptx": ["Revenue 2024", "North | 19.2", "South | 21.4", "mention the strike in May"],
    "vmerge.docx": ["c\nc\nc"],
    "span.docx": ["wide\nafter wide"],
}
OUT = {
    "report.pdf": ["ACME Report 2024", "\n1\n", "\n4\n"],
    "under.md": ["__bold__"],
    "url.md": ["&copy;"],
    "tags.md": ["<"],
    "foot.md": ["example.org"],
    "handbook.pdf": ["Maple Works", "2 / 3"],
    "prices.pdf": ["No. | Article | 1–9"],
    "fm_list.md": ["safety", "---"],
    "fm_onlylist.md": ["safety", "---"],
    "narrow.pdf": ["J a", "S Q L"],
}


@pytest.mark.parametrize("name", KEPT)
def test_a_document_keeps_what_was_lost(read_items, name):
    text = said(read_items(name, CASES / name))
    assert [line for line in KEPT[name] if line not in text] == []
    assert [line for line in OUT.get(name, ()) if line in text] == []


@pytest.mark.parametrize(
    ("name", "once"),
    [
        ("header_footer.docx", "QM-7781"),
        ("fakebold.pdf", "Total amount 450"),
        ("controls.docx", "Jane Example"),
        ("report.pdf", "1 Introduction\n"),
    ],
)
def test_what_is_drawn_or_wrapped_twice_is_said_once(read_one, name, once):
    document = read_one(name, CASES / name)
    assert f"{document.text}\n".count(once) == 1


def test_the_name_of_the_file_that_was_printed_is_no_title(read_one):
    assert read_one("handbook.pdf", CASES / "handbook.pdf").title == "Staff handbook 2026"


def test_a_sign_that_a_font_does_not_name_is_told(read_one):
    # the browser that printed this page had no font for the first sign of its Japanese line
    (left_out,) = read_one("news.pdf", CASES / "news.pdf").left_out
    assert left_out == LeftOut("sign that its font does not name", 1, 1, lost=True)


@pytest.mark.parametrize("name", ["fm_list.md", "fm_onlylist.md"])
def test_front_matter_is_metadata(read_one, name):
    assert read_one(name, CASES / name).metadata["tags"] == "safety, hydraulics"


@pytest.mark.parametrize(
    ("codec", "text", "kept"),
    [
        ("utf-8", "Der Preis beträgt 5 € für Łódź – „gut“.\nEnde: Gr\udcc3", "5 € für Łódź – „gut“."),
        ("cp932", "id,name\n1,会議室予約\n2,資料\n", "会議室予約"),
        ("gbk", "数据库的默认端口可以在配置文件中修改。备份任务每天凌晨三点运行。\n" * 3, "默认端口"),
        ("koi8-r", "Насос работает при давлении пять бар. Клапан открывается при двух.\n" * 3, "Насос"),
        ("cp1251", "Насос работает при давлении пять бар. Клапан открывается при двух.\n" * 3, "Насос"),
        ("euc-kr", "펌프는 다섯 바에서 작동합니다. 밸브는 두 바에서 열립니다.\n" * 3, "펌프는"),
        ("utf-16-le", "\ufeffGröße L", "Größe L"),
    ],
)
def test_an_encoding_is_told_or_the_file_is_rejected_by_name_never_noise(read_items, codec, text, kept):
    items = read_items("a.csv" if codec == "cp932" else "a.txt", text.encode(codec, "surrogateescape"))
    refused = [item.reason for item in items if isinstance(item, Rejected)]
    assert kept in said(items) or any("encoding" in reason for reason in refused)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (
            "Produkt;Preis (EUR, netto, ohne Steuer)\nSchraube;4,50\nMutter;2,10\n",
            [{"Produkt": "Schraube", "Preis (EUR, netto, ohne Steuer)": "4,50"}, None],
        ),
        ("sep=;\nProdukt;Preis\nSchraube;4,50\n", [{"Produkt": "Schraube", "Preis": "4,50"}]),
        ("Name,Tags (a;b;c;d)\nbolt,x;y\n", [{"Name": "bolt", "Tags (a;b;c;d)": "x;y"}]),
        (
            "Titel;Autor,Vorname;Jahr\nEins;Meier,Hans;1990\nZwei;Berg,Eva;1991\n",
            [{"Titel": "Eins", "Autor,Vorname": "Meier,Hans", "Jahr": "1990"}, None],
        ),
        (
            "Name|Size, in cm|Price; net\nDesk|80, 90|4;5\nChair|45|2;0\n",
            [{"Name": "Desk", "Size, in cm": "80, 90", "Price; net": "4;5"}, None],
        ),
        ('id,name,city\n1,"Ada, L.","Rome, IT"\n', [{"id": "1", "name": "Ada, L.", "city": "Rome, IT"}]),
        (
            "1001,bolt,4.50\n1002,nut,2.10\n1003,washer,0.30\n",
            [{"column 2": "bolt"}, None, {"column 3": "0.30"}],
        ),
        ("Prices of May\n\npart,price\nP1,4\nP2,5\n", [{"part": "P1", "price": "4"}, None]),
    ],
)
def test_rows_of_csv_are_what_a_spreadsheet_shows(read_items, text, rows):
    found = [item for item in read_items("a.csv", text) if not item.source.endswith("#0")]
    assert len(found) == len(rows)
    for document, row in zip(found, rows, strict=True):
        assert (row or {}).items() <= dict(document.metadata).items()


def test_an_unclosed_quote_of_csv_is_told(read_items):
    items = read_items("a.csv", 'id,name\n1,"bolt\n2,nut\n3,washer\n')
    refused = " ".join(item.reason for item in items if isinstance(item, Rejected))
    notes = " ".join(
        f"{value}" for item in items if not isinstance(item, Rejected) for value in item.metadata.values()
    )
    assert "quote" in refused + notes
    assert "washer" in said(items)


def test_a_picture_in_the_text_is_no_text(read_one):
    big = "iVBORw0KGgo" * 5_000
    page = read_one("a.md", f"# Plan\n\nBefore.\n\n![floor plan](data:image/png;base64,{big})\n\nAfter.\n")
    assert page.text == "Plan\n\nBefore.\n\nfloor plan\n\nAfter."


def test_pages_of_noscript_and_what_forms_show_are_read(read_one):
    page = "<html><body><noscript><p>The office is open from nine to five.</p></noscript></body></html>"
    assert "from nine to five" in read_one("a.html", page).text
    form = (
        "<p>Order</p><form><textarea>Deliver to the back door.</textarea>"
        "<select><option>red</option><option selected>blue</option></select></form>"
        "<table><tr><th rowspan=2>Region</th><th colspan=2>Price</th></tr><tr><th>2023</th><th>2024</th></tr>"
        "<tr><td rowspan=2>North</td><td>10</td><td>12</td></tr><tr><td>11</td><td>13</td></tr></table>"
    )
    text = read_one("b.html", form).text
    assert "Deliver to the back door." in text and "blue" in text
    assert "Region | Price, 2023 | Price, 2024\nNorth | 10 | 12\nNorth | 11 | 13" in text


def test_signs_of_comparison_are_no_tags(read_one):
    assert "x <b and c> d holds" in read_one("a.md", "# X\n\nIf x <b and c> d holds, then 7 is kept.\n").text


@pytest.mark.parametrize(
    "text", ["\u201ca" * 75_000, "'" * 300_000, "***\n" * 250_000], ids=["opened", "lone", "rules"]
)
@pytest.mark.slow
def test_signs_without_an_end_take_linear_time(read_items, within, text):
    with within(20):
        for item in read_items("a.md", text):
            if not isinstance(item, Rejected):
                chunk_document(item, HashEmbedder(8), ChunkSettings(), max_tokens=256)


@pytest.mark.slow
def test_a_hundred_thousand_runs_of_word_are_one_paragraph(read_one, tmp_path, within):
    path = tmp_path / "runs.docx"
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    runs = "".join(f"<w:r><w:t xml:space='preserve'>run{n} </w:t></w:r>" for n in range(100_000))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "word/document.xml", f"<w:document {space}><w:body><w:p>{runs}</w:p></w:body></w:document>"
        )
    with within(30):
        document = read_one("runs.docx", path)
    assert (document.text[:5], document.text[-9:]) == ("run0 ", " run99999")


@pytest.mark.slow
def test_a_csv_line_of_fifty_megabytes_is_bounded_and_told(read_items, within):
    with within(60):
        items = read_items("long.csv", "id,text\n1," + "word " * 10_000_000 + "\n2,short\n")
    assert [item.reason[:34] for item in items if isinstance(item, Rejected)] == [
        "line 2 has 50,000,003 characters, "
    ]
    assert "short" in said(items)


@pytest.mark.slow
def test_of_two_thousand_columns_every_cell_has_its_name(read_one, within):
    heads = "|".join(f"c{n}" for n in range(2_000))
    cells = "|".join(f"v{n}" for n in range(2_000))
    with within(30):
        text = read_one("wide.md", f"# Wide\n\n|{heads}|\n|{'-|' * 2_000}\n|{cells}|\n").text
    assert text.split("\n")[2:] == [f"c{n}: v{n}" for n in range(2_000)]


# --- what an index makes of them


_HASHES = HashEmbedder(64)


@pytest.fixture
def indexed(tmp_path, write_files):
    """Index a folder: indexed({"a.md": "# A"}) -> an assistant with an embedder of hashes."""
    opened = []

    def call(pages, embedder=_HASHES, **settings):
        chosen = load_settings(
            {"indexes": str(tmp_path / "ix"), "documents": {"workers": 1}, **settings}, environment={}
        )
        assistant = Assistant(f"d{len(opened)}", settings=chosen, embedder=embedder)
        opened.append(assistant)
        assistant.index(write_files(tmp_path / f"docs{len(opened)}", pages))
        return assistant

    return call


def places(hits):
    return [hit.chunk.source for hit in hits]


@pytest.mark.real_model
@pytest.mark.slow
def test_both_forms_of_a_letter_are_one(indexed):
    said_once = "Die Kündigungsfrist für Herrn Müller beträgt sechs Wochen in Köln."
    answers = [
        indexed({"a.txt": unicodedata.normalize(form, said_once)}, embedder=None)
        .ask("Welche Kündigungsfrist gilt für Müller?")
        .text
        for form in ("NFC", "NFD")
    ]
    assert answers[0] == answers[1]
    assert "sechs Wochen" in answers[0]


@pytest.mark.slow
def test_exact_strings_are_found(indexed):
    pages = {
        "commit_a.txt": "The crash was mended in d3b07384d113edec49eaa6238ad5ff00a1b2c3d4.",
        "commit_b.txt": "The crash was mended in 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b.",
        "sha.txt": "Checksum of installers: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha2.txt": "Checksum of archives: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "v123.txt": "Release v1.2.3 mends the login.",
        "v132.txt": "Release v1.3.2 brings dark mode.",
        "v213.txt": "Release v2.1.3 drops support for Windows 7.",
        "c.txt": "C has neither templates nor generics.",
        "cpp.txt": "C++ templates are checked when they are instantiated.",
        "ip.txt": "The gateway is 10.0.12.7 in the old house.",
        "ip2.txt": "The gateway is 10.0.7.12 in the new house.",
        "section.txt": "Section 4.2.1 is about leave.",
        "section2.txt": "Section 4.1.2 is about leave.",
    }
    assistant = indexed(pages)
    wanted = {
        "d3b07384d113edec49eaa6238ad5ff00a1b2c3d4": "commit_a.txt",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b": "commit_b.txt",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad": "sha2.txt",
        "v1.3.2": "v132.txt",
        "C++": "cpp.txt",
        "10.0.7.12": "ip2.txt",
        "4.1.2": "section2.txt",
    }
    assert {asked: places(assistant.search(asked, arm="rag:k=1")) for asked in wanted} == {
        asked: [source] for asked, source in wanted.items()
    }


@pytest.mark.slow
def test_words_without_blanks_and_with_accents_are_found(indexed):
    pages = {
        "zh_port.txt": "数据库的默认端口是5432，可以在配置文件中修改。",
        "zh_backup.txt": "备份任务每天凌晨三点运行，保留三十天。",
        "zh_price.txt": "高级套餐每月收费九十九元。",
        "cafe.txt": "The café opens at nine.",
    }
    assistant = indexed(pages, retrieval={"mode": "lexical"})
    assert places(assistant.search("默认端口", arm="rag:k=1")) == ["zh_port.txt"]
    assert "5432" in assistant.ask("数据库的默认端口是什么？").text
    assert places(assistant.search("cafe", arm="rag:k=1")) == ["cafe.txt"]
    assert places(assistant.search("?!")) == []


@pytest.mark.slow
def test_copies_do_not_crowd_out_what_differs(indexed):
    policy = (
        "Hotels are booked through the travel desk. The nightly limit for a hotel room is 140 euros in large "
        "cities. Receipts are handed in within ten days of the return."
    )
    others = {
        "hotel_fair": "During the fair in spring the hotel limit is 260 euros a night.",
        "hotel_abroad": "For a hotel abroad the table of the foreign office sets the nightly limit.",
        "hotel_exception": "A hotel room above the nightly limit needs the signature of a director.",
        "rail": "Trains are booked in second class.",
    }
    pages = {f"policy_copy_{number:02}": policy for number in range(30)} | others
    pages = {f"{name}.md": f"# Travel\n\n{text}\n" for name, text in pages.items()}
    found = places(indexed(pages).search("What is the hotel limit?", arm="rag:k=6"))
    assert len(found) == 5
    assert sum(source.startswith("policy") for source in found) == 1
    sheets = {
        f"s{n}.md": f"# Sheet\n\nThe valve V-{n} of the line opens at {n} bar and closes again.\n"
        for n in range(6)
    }
    assert len(places(indexed(sheets).search("at what pressure does the valve open", arm="rag:k=6"))) == 6


@pytest.mark.slow
def test_a_row_far_down_a_table_is_answered_with_its_heads(indexed):
    rows = "".join(
        f"| P{n:03} | part {n} of the gearbox housing | {n * 17 % 91} | {n}.5 |\n" for n in range(1, 81)
    )
    head = "# Parts\n\n| Part | Description | Stock in Bremen | Price in euros |\n|---|---|---|---|\n"
    answer = indexed({"t.md": head + rows}).ask("What is the stock in Bremen of part P055?").text
    assert "P055" in answer and f"{55 * 17 % 91}" in answer


@pytest.mark.slow
def test_filters_hold_what_a_field_holds(indexed):
    row = {
        "text": "The pump runs at five bar.",
        "source": "wiki",
        'q"k': "x",
        "b\\s": "y",
        "tags": ["a", "b"],
    }
    other = {"text": "The valve opens at two bar.", "source": "book", "note": "two  blanks"}
    assistant = indexed({"rows.jsonl": f"{json.dumps(row)}\n{json.dumps(other)}\n"})
    for key, value in (("source", "wiki"), ('q"k', "x"), ("b\\s", "y"), ("tags", "b")):
        assert places(assistant.search("pump", where={key: value})) == ["rows.jsonl#1"], key
    assert places(assistant.search("pump", where={"note": "two  blanks"})) == ["rows.jsonl#2"]
    with pytest.raises(UsageError, match="nokey"):
        assistant.search("pump", where={"nokey": "x"})


@pytest.mark.slow
def test_a_name_goes_before_a_pattern(indexed):
    assistant = indexed({"report1.md": "# One\n\nFirst.", "report[1].md": "# Copy\n\nSecond."})
    assistant.remove(["report[1].md"])
    assert places(assistant.search("First")) == ["report1.md"]


@pytest.mark.slow
def test_a_file_that_changes_while_it_is_read_is_read_again(indexed, tmp_path, monkeypatch):
    assistant = indexed({"x.md": "# X\n\nversion zero\n"})
    page = tmp_path / "docs1" / "x.md"
    page.write_text("# X\n\nversion one\n")
    real = hybrid.ingestion.apply_update

    def between(*args, **named):
        page.write_text("# X\n\nversion two\n")
        return real(*args, **named)

    with monkeypatch.context() as patched:
        patched.setattr(hybrid.ingestion, "apply_update", between)
        assistant.index(page.parent)
    page.write_text("# X\n\nversion one\n")
    assistant.index(page.parent)
    assert assistant.search("version")[0].chunk.text == "version one"


# --- what the command says


@pytest.fixture
def command(tiny_embedder_folder, monkeypatch, capsys):
    """Run a command: command("index", docs) -> its exit code and all that it wrote."""
    monkeypatch.setenv("HYBRID_MODELS__EMBEDDER", str(tiny_embedder_folder))
    monkeypatch.setenv("HYBRID_DOCUMENTS__WORKERS", "1")
    # a terminal would break lines in the middle of a path
    monkeypatch.setenv("COLUMNS", "500")

    def call(*words):
        code = run([str(word) for word in words])
        written = capsys.readouterr()
        return code, written.out + written.err

    return call


@pytest.mark.slow
def test_an_emptied_folder_is_emptied_by_the_command_that_the_hint_names(command, tmp_path, write_files):
    docs = write_files(tmp_path / "docs", {"a.md": "# A\n\nalpha text\n"})
    assert command("index", docs, "-d", "e")[0] == 0
    (docs / "a.md").unlink()
    code, told = command("index", docs, "-d", "e")
    assert code == 4
    assert f"hybrid index {docs} --domain e --rebuild" in told
    assert command("index", docs, "-d", "e", "--rebuild")[0] == 0
    assert "nothing was found" in command("search", "alpha", "-d", "e")[1]


@pytest.mark.slow
def test_a_folder_that_moved_is_the_same_folder(command, tmp_path, write_files):
    docs = write_files(tmp_path / "docs", {f"{name}.md": f"# {name}\n\n{name} text\n" for name in "abc"})
    assert command("index", docs, "-d", "m")[0] == 0
    moved = docs.rename(tmp_path / "moved")
    assert command("index", moved, "-d", "m")[0] == 0
    assert str(moved) in command("status", "-d", "m")[1]
    (moved / "s").mkdir()
    for page in list(moved.glob("*.md")):
        page.rename(moved / "s" / page.name)
    assert command("index", moved, "-d", "m")[0] == 0


@pytest.mark.slow
def test_pages_without_text_and_files_without_a_reader_are_told(command, tmp_path, write_files):
    scan = tmp_path / "scan"
    scan.mkdir()
    shutil.copy(CASES / "mixedscan.pdf", scan)
    code, told = command("index", scan, "-d", "p")
    assert code == 6
    assert "1 of 3 pages without text" in told
    others = ("conf.xml", "data.doc", "log.msg", "page.md")
    code, told = command(
        "index", write_files(tmp_path / "others", dict.fromkeys(others, "some text")), "-d", "s"
    )
    assert code == 6
    assert all(f"1 x .{name}" in told for name in ("doc", "msg", "xml"))


@pytest.mark.slow
def test_an_index_in_its_own_folder_holds_none_of_its_own_files(command, tmp_path, write_files, monkeypatch):
    docs = write_files(tmp_path / "docs", {"a.md": "# Port\n\nThe default port is 5432.\n"})
    monkeypatch.chdir(docs)
    assert command("index", ".", "-d", "own")[0] == 0
    own = Path("indexes")
    (own / "own" / "questions").mkdir()
    (own / "own" / "questions" / "made.jsonl").write_text('{"id": "1", "question": "Port?"}\n')
    # the log of changes and the databases of traces and votes lie beside the domains
    (own / "changes.jsonl").write_text('{"number": 1, "what": "promoted"}\n')
    for name in ("traces.sqlite", "traces.sqlite-wal", "feedback.sqlite", "ROUTER"):
        (own / name).write_bytes(b"x")
    code, told = command("index", ".", "-d", "own")
    assert (code, told.count("no reader"), told.count("added 0")) == (0, 0, 1)
    assert "changes.jsonl" not in command("status", "-d", "own", "--files")[1]


@pytest.mark.slow
def test_names_keep_their_blanks(command, tmp_path, write_files):
    docs = write_files(tmp_path / "docs", {"a  b.md": "# Rail\n\nTrains are booked in second class.\n"})
    command("index", docs, "-d", "q")
    assert "a  b.md" in command("status", "-d", "q", "--files")[1]


@pytest.mark.slow
def test_judged_documents_that_are_not_there_are_an_error_by_line(command, tmp_path, write_files):
    data = write_files(
        tmp_path / "beir",
        {
            "corpus.jsonl": '{"_id": "1", "title": "", "text": "The port is 5432."}\n',
            "queries.jsonl": '{"_id": "q1", "text": "port"}\n',
            "qrels/test.tsv": "query-id\tcorpus-id\tscore\nq1\t77\t1\n",
        },
    )
    code, told = command("bench", "retrieval", data)
    assert code == 2
    assert "test.tsv, line 2: the document '77' is not in" in told
    (data / "qrels" / "test.tsv").write_text("q1 0 1\n")
    code, told = command("bench", "retrieval", data)
    assert code == 2
    assert "test.tsv, line 1" in told
