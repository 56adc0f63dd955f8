"""Rows that a question counts or lists: all conditions, denied ones too; no number where one is unsure."""

from __future__ import annotations

import pytest

from hybrid import Assistant, load_settings
from hybrid.generation.citations import join_cited
from hybrid.generation.extracting import extract
from hybrid.generation.prompts import passage_of
from hybrid.testing import HashEmbedder
from hybrid.types import Chunk, Hit

BERTHS = (
    ("Berth", "Kind", "Occupied", "Surveyed", "Fee (EUR)", "Members"),
    "A1 | residential | yes | 2024 | 310 | 280\nA2 | residential | no | never | 310 | 280\n"
    "A3 | visitor | yes | 2023 | 85 | 75\nA4 | visitor | no | never | 85 | 75\n"
    "B1 | leisure | yes | 2025 | 195 | 180\nB2 | leisure | yes | 2025 | 195 | 180\n"
    "B3 | residential | yes | never | 250 | 210",
)
STAFF = (
    ("Name", "First aid", "Works on Sundays", "Phone", "Checked"),
    "Orla Brandt | yes | no | 201 | yes\nTim Ade | yes | yes |  | \nJo Vance | no | no | 203 | no",
)
MOORINGS = (
    ("Boat type", "Length (m)", "Electricity included", "Water included"),
    "Narrowboat | up to 10 | no | yes\nNarrowboat | 10 to 15 | yes | yes\nDinghy | up to 5 | no | no",
)


def said(question, table, title="Berths in the basin"):
    columns, text = table
    hit = Hit(Chunk("t.md", 0, 0, len(text), text, (title,), columns=columns), 1.0)
    found = extract(question, [hit], [passage_of(1, hit)], HashEmbedder(dimension=256), sentences=2)
    return join_cited(found.cited).text


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("How many berths are occupied?", "A1 A3 B1 B2 B3"),
        ("How many berths are not occupied?", "A2 A4"),
        ("How many berths aren't occupied?", "A2 A4"),
        ("How many unoccupied berths are there?", "A2 A4"),
        ("How many of the berths are no longer occupied?", "A2 A4"),
        ("What is the number of berths that are not occupied?", "A2 A4"),
        ("How many berths are not residential?", "A3 A4 B1 B2"),
        ("How many berths other than residential are there?", "A3 A4 B1 B2"),
        ("How many non-residential berths are occupied?", "A3 B1 B2"),
        ("How many berths are neither residential nor visitor?", "B1 B2"),
        ("How many residential berths are not occupied?", "A2"),
        ("How many berths are occupied but not residential?", "A3 B1 B2"),
        ("How many berths are not residential and are occupied?", "A3 B1 B2"),
        ("How many berths were never surveyed?", "A2 A4 B3"),
        ("How many berths are occupied?\u2028And how many are not?", "A2 A4"),
        ("How many berths were surveyed in 2025?", "B1 B2"),
        ("How many berths were not surveyed in 2025?", "A1 A2 A3 A4 B3"),
        ("How many berths have a fee of more than 200 EUR?", "A1 A2 B3"),
        ("How many berths do not have a fee of more than 200 EUR?", "A3 A4 B1 B2"),
        ("How many berths cost members less than 200 EUR?", "A3 A4 B1 B2"),
    ],
)
def test_rows_that_keep_all_conditions_are_counted(question, rows):
    text = said(question, BERTHS)
    assert text.endswith(f"(Our count: {len(rows.split())}.)")
    assert [
        name for name in BERTHS[1].split() if name[0] in "AB" and f"{name}," in text.replace(":", ",")
    ] == (rows.split())


GROUPS = (
    ("Group", "For whom", "Leader"),
    "Adult choir | adults and teenagers | head nurse\nYoga | adults only | nurse, trainee\n"
    "Pottery | adults only | vet, nights\nChess | children | vet\nBand | children and parents | vet",
)


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("How many groups are for adults only?", "Yoga Pottery"),
        ("How many groups are only for children?", "Chess"),
        ("How many groups are for adults?", "Adult Yoga Pottery"),
        ("How many groups have a nurse?", "Adult Yoga"),
        ("How many groups have a vet?", "Pottery Chess Band"),
        ("How many groups are for adults only?\u2028Which ones?", "Yoga Pottery"),
        ("How many groups are for adults only?\u2028And who are they?", "Yoga Pottery"),
    ],
)
def test_a_word_that_limits_is_kept_by_the_rows(question, rows):
    text = said(question, GROUPS, "Groups and nurses")
    assert [name for name in ("Adult", "Yoga", "Pottery", "Chess", "Band") if name in text] == rows.split()
    assert text.endswith(f"(Our count: {len(rows.split())}.)")


def test_only_is_not_passed_over_where_no_row_tells_it():
    table = (GROUPS[0], "Yoga | adults and guests | vet\nBand | adults and parents | vet")
    assert "Our count" not in said("How many groups are for adults only?", table, "Groups")


def test_none_is_a_number_too():
    text = said("How many berths are leisure and not occupied?", BERTHS)
    assert text.endswith("(Our count: 0.)")


@pytest.mark.parametrize(
    ("question", "table", "why"),
    [
        ("How many berths are not insulated?", BERTHS, "what “insulated” means here"),
        ("How many berths are not occupied and surveyed?", BERTHS, "one or both"),
        ("How many staff are not checked?", STAFF, "not every row says it"),
        ("How many drivers have no first aid?", STAFF, "what “drivers” means here"),
    ],
)
def test_what_is_denied_is_not_counted_where_it_is_not_sure(question, table, why):
    text = said(question, table, "Staff" if table is STAFF else "Berths")
    assert "[1]" in text
    assert "Not counted: " in text
    assert why in text
    assert "Our count" not in text


@pytest.mark.parametrize(
    ("question", "table", "names"),
    [
        ("Which moorings have electricity included?", MOORINGS, ["Narrowboat, Length (m) 10 to 15, Elec"]),
        (
            "Which moorings do not have electricity included?",
            MOORINGS,
            ["Narrowboat, Length (m) up to 10, Elec", "Dinghy, Length (m) up to 5, Elec"],
        ),
        ("Which moorings have water but no electricity?", MOORINGS, ["Narrowboat"]),
        ("Who has first aid?", STAFF, ["Orla Brandt", "Tim Ade"]),
        ("Who works on Sundays?", STAFF, ["Tim Ade"]),
        ("Who does not work on Sundays?", STAFF, ["Orla Brandt", "Jo Vance"]),
        ("Which berths are not leisure and are occupied?", BERTHS, ["A1", "A3", "B3"]),
        ("Which berth was never surveyed and is occupied?", BERTHS, ["B3"]),
    ],
)
def test_all_rows_that_hold_are_listed_in_order(question, table, names):
    title = {id(MOORINGS): "Moorings", id(STAFF): "Staff"}.get(id(table), "Berths")
    text = said(question, table, title)
    places = [text.find(name) for name in names]
    assert -1 not in places
    assert places == sorted(places)
    assert text.count("[") == len(names)


def test_of_many_rows_some_are_listed_and_their_number_is_told():
    rows = "\n".join(f"B{n} | {'yes' if n % 2 else 'no'}" for n in range(60))
    text = said("Which berths are not occupied?", (("Berth", "Occupied"), rows))
    assert text.count("no. [") == 8
    assert text.endswith("(The first 8 of 30 rows.)")


def test_what_a_column_of_figures_says_is_no_number_of_rows():
    table = (("Quarter", "Tickets", "Courses"), "First quarter | 2,914 | 188\nSecond quarter | 1,702 | 143")
    assert "count" not in said("How many courses in the second quarter?", table, "Yearly tables")


@pytest.mark.parametrize(
    ("question", "count"),
    [
        ("How many boats have a weight over 600?", 2),
        ("How many boats have a weight over 600 kg?", 2),
        ("How many boats have a duration of more than 60?", 1),
    ],
)
def test_a_limit_without_a_unit_is_in_that_of_the_column(question, count):
    rows = "Anna | 500 | 45\nBerta | 700 | 60\nClara | 900 | 90"
    text = said(question, (("Boat", "Weight (kg)", "Duration (min)"), rows), "Boats")
    assert f"Our count: {count}" in text


def test_none_of_many_rows_shows_no_rows_as_counted():
    rows = "\n".join(f"B{number} | visitor | yes" for number in range(40))
    text = said("How many residential berths are occupied?", (("Berth", "Kind", "Occupied"), rows))
    assert "the first of which" not in text


def test_rows_that_nothing_tells_apart_are_all_told():
    table = (("Item", "Price"), "Gas bottle 5 kg | 17.80 EUR\nGas bottle 11 kg | 29.50 EUR\nRope | 3 EUR")
    text = said("gas bottle price", table, "Shop")
    assert "17.80" in text
    assert "29.50" in text
    assert "Rope" not in text


def test_ranges_of_an_amount_that_is_not_given_are_all_told():
    rows = "0–2 | 26\n3–5 | 28\n6–10 | 30\nmore than 10 | 32"
    table = (("Years of service", "Days of leave"), rows)
    text = said("How many days of leave do I get?", table, "Leave")
    assert [f"Days of leave: {days}" in text for days in (26, 28, 30, 32)] == [True] * 4
    assert text.startswith("Years of service 0–2, Days of leave: 26. [1]")
    one = said("How many days of leave do I get after 7 years of service?", table, "Leave")
    assert one == "Years of service 6–10, Days of leave: 30. [1]"


def test_what_begins_with_the_name_is_the_thing_and_what_has_it_later_belongs_to_it():
    rows = (
        "K300-EW | Extended warranty K300 | 19.00\nK300-SS | K300 Kettle steel | 119.00\n"
        "K300-BK | K300 Kettle black | 129.00\nL-30 | Spare lid K300 | 12.00"
    )
    table = (("sku", "name", "price eur"), rows)
    text = said("price of the K300", table, "Shop")
    assert "K300 Kettle steel, price eur: 119.00" in text and "K300 Kettle black, price eur: 129.00" in text
    assert "warranty" not in text and "lid" not in text
    assert "12.00" in said("price of the spare lid for the K300", table, "Shop")


def test_the_size_of_another_thing_is_no_answer():
    table = (("Item", "Price"), "Rope 10 mm (7 m) | 14.20 EUR\nRope 14 mm (12 m) | 31 EUR")
    for question, least in (("mooring for 7 m", False), ("rope of 7 m", True)):
        columns, text = table
        hit = Hit(Chunk("t.md", 0, 0, len(text), text, ("Shop",), columns=columns), 1.0)
        found = extract(question, [hit], [passage_of(1, hit)], HashEmbedder(dimension=256), sentences=2)
        assert (found.relevance >= 0.4) is least, question


@pytest.mark.slow
def test_all_rows_of_a_long_table_are_counted_though_few_of_them_were_found(tmp_path):
    rows = "\n".join(f"| Berth {n:03d} | {'yes' if n % 2 else 'no'} | Pontoon {n % 7} |" for n in range(120))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "berths.md").write_text(
        f"# Berths\n\n| Berth | Occupied | Place |\n|---|---|---|\n{rows}\n"
    )
    settings = load_settings(
        {"documents": {"workers": 1}, "indexes": str(tmp_path / "indexes")}, environment={}
    )
    assistant = Assistant("long", settings=settings, embedder=HashEmbedder(64))
    assistant.index(tmp_path / "docs")
    answer = assistant.ask("How many berths are not occupied?")
    assert "Our count: 60" in answer.text
    places = {(hit.chunk.source, hit.chunk.start) for hit in answer.hits}
    assert len(places) == len(answer.hits), "none of them twice"
