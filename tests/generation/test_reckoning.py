"""What a question chooses of a table: by conditions, extremes, limits, dates; and our arithmetic with it."""

from __future__ import annotations

import pytest

from hybrid.generation.citations import join_cited, only_quoted
from hybrid.generation.extracting import extract
from hybrid.generation.prompts import passage_of
from hybrid.generation.reckoning import asks_of_all, file_asked_of
from hybrid.testing import HashEmbedder
from hybrid.types import Answer, Arm, Chunk, Hit

BOATS = (
    ("Boat", "Length", "Weight", "Built"),
    "Heron | 8.2 m | 14 kg | 2019\nOtter | 10.4 m | 27 kg | 2011\nMarten | 13.4 m | 52 kg | 2004",
)
ROOMS = (
    ("Room", "Seats", "Members", "Others"),
    "Loft | 14 | 20 EUR | 45 EUR\nOar room | 28 | 35 EUR | 80 EUR\nTerrace | 36 | 40 EUR | 95 EUR",
)
SALES = (
    ("Sales, in thousand EUR", "2022", "2023", "2024"),
    "Loggers | 2,840.5 | 3,112.0 | 3,655.2\nGateways | 410.0 | 622.4 | 590.1",
)
COMMAS = (
    ("Sales in EUR", "2023", "2024"),
    "Loggers | 3.112,5 | 3.655,25\nGateways | 12,50 | 7,5\nOthers | 1,250 | 12,5",
)
TOURS = (
    ("Tour", "Leaves", "Stops", "Kilometres"),
    "North | 4:45 | 11 | 62\nHills | 4:30 | 9 | 88\nBay | 5:10 | 7 | 23",
)
SIZES = (("Room", "Width (m)", "Length (m)"), "Loft | 3 | 7\nHall | 5 | 6\nShed | 4 | 5")
ITEMS = (("Item", "Deposit"), "Recorder | 50\nMixer | 250\nBanner | 0")
QUARTERS = (
    ("Quarter", "Tickets", "Courses"),
    "First quarter | 2,914 | 188\nSecond quarter | 1,702 | 143\nThird quarter | 1,155 | 96",
)
HALLS = (
    ("Hall", "docks", "roof", "opened"),
    "Zoo | 30 | yes | 2022\nStadium | 80 | no | 2020\nHarbour | 36 | no | 2019",
)


def said(question, table, *others):
    (columns, text), title = table, "Yearly tables"
    hits = [Hit(Chunk("t.md", 0, 0, len(text), text, (title,), columns=columns), 1.0), *others]
    passages = [passage_of(n, hit) for n, hit in enumerate(hits, start=1)]
    found = extract(question, hits, passages, HashEmbedder(dimension=256), sentences=2)
    return join_cited(found.cited), hits


@pytest.mark.parametrize(
    ("question", "table", "answer"),
    [
        ("Which boat is the longest?", BOATS, "Marten, Length: 13.4 m. [1]"),
        # by its unit where no column is called so, and by the name first
        ("What is the longest tour?", TOURS, "Hills, Kilometres: 88. [1]"),
        ("Which is the longest room?", SIZES, "Loft, Length (m): 7. [1]"),
        # the greatest of what a column of figures says, and not all that have some
        ("Which item needs the highest deposit?", ITEMS, "Mixer, Deposit: 250. [1]"),
        ("What is the lightest boat?", BOATS, "Heron, Weight: 14 kg. [1]"),
        ("Which is the oldest boat?", BOATS, "Marten, Built: 2004. [1]"),
        ("the newest boat?", BOATS, "Heron, Built: 2019. [1]"),
        ("What is the cheapest room for members?", ROOMS, "Loft, Members: 20 EUR. [1]"),
        ("In which year were sales of gateways highest?", SALES, "Gateways, 2023: 622.4 thousand. [1]"),
        ("In which year were the sales of gateways larger?", SALES, "Gateways, 2023: 622.4 thousand. [1]"),
        ("What year had lower sales of gateways?", SALES, "Gateways, 2022: 410.0 thousand. [1]"),
        ("Which quarter had the fewest tickets?", QUARTERS, "Third quarter, Tickets: 1,155. [1]"),
        ("We are 30 people, which room do we take?", ROOMS, "Terrace, Seats: 36. [1]"),
        ("Which room takes at least 20 people?", ROOMS, "Oar room, Seats: 28. [1]"),
        ("What were the sales of gateways last year?", SALES, "Gateways, 2024: 590.1 thousand. [1]"),
        ("What were the sales of gateways in 2022?", SALES, "Gateways, 2022: 410.0 thousand. [1]"),
        ("What is the biggest hall?", HALLS, "Stadium, docks: 80. [1]"),
        ("Which is the smallest hall?", HALLS, "Zoo, docks: 30. [1]"),
        ("How many courses in the second quarter?", QUARTERS, "Second quarter, Courses: 143. [1]"),
    ],
)
def test_the_cell_is_chosen_that_the_question_means(question, table, answer):
    assert said(question, table)[0].text == answer


@pytest.mark.parametrize(
    ("question", "table", "arithmetic"),
    [
        (
            "By how much did the sales of loggers grow from 2023 to 2024?",
            SALES,
            "3,655.2 − 3,112.0 = 543.2 thousand",
        ),
        ("How much did sales of gateways fall from 2023 to 2024?", SALES, "590.1 − 622.4 = −32.3 thousand"),
        ("What were sales of gateways in 2022 and 2023 together?", SALES, "410.0 + 622.4 = 1,032.4 thousand"),
        ("How much heavier is the Otter than the Heron?", BOATS, "27 − 14 = 13 kg"),
        ("What is the difference between 2023 and 2024 for loggers?", COMMAS, "3.655,25 − 3.112,5 = 542,75"),
        ("What are 2023 and 2024 together for gateways?", COMMAS, "12,50 + 7,5 = 20,00"),
    ],
)
def test_sums_and_differences_are_shown_as_ours_behind_the_cells(question, table, arithmetic):
    cited, hits = said(question, table)
    assert cited.text.endswith(f"] (Our arithmetic: {arithmetic}.)")
    answer = Answer(question, cited.text, Arm.RAG, "extractive", citations=cited.citations, hits=tuple(hits))
    assert arithmetic not in only_quoted(answer)
    assert arithmetic.split()[0] in only_quoted(answer)


@pytest.mark.parametrize(
    "question", ["How much is the guest room?", "What does the Loft cost at most?", "How heavy is the Otter?"]
)
def test_nothing_is_reckoned_where_nothing_is_asked_to_be(question):
    table = BOATS if "Otter" in question else ROOMS
    assert "arithmetic" not in said(question, table)[0].text


def test_of_figures_whose_commas_may_mean_two_things_no_sum_is_made():
    assert "arithmetic" not in said("What are 2023 and 2024 together for others?", COMMAS)[0].text


def test_of_figures_in_two_units_no_sum_is_made():
    table = (("Part", "Size", "Weight"), "Lid | 20 cm | 30 g\nPot | 22 cm | 900 g")
    assert "arithmetic" not in said("What are size and weight of the pot together?", table)[0].text


def dearest(prices, *, rows=None):
    hits = [
        Hit(Chunk(f"prices.csv#{n}", 0, 0, len(text), text, ("prices",)), 1.0)
        for n, price in enumerate(prices, start=1)
        for text in [f"job: Job {n}\nprice_eur: {price}\ndays: {n}"]
    ]
    passages = [passage_of(n, hit) for n, hit in enumerate(hits, start=1)]
    question = "What is the price of the most expensive job?"
    found = extract(
        question, hits[:2], passages[:2], HashEmbedder(256), sentences=2, rows=passages[:rows] if rows else ()
    )
    return found.cited[0]


def test_of_records_of_a_file_no_greatest_one_is_told_where_others_may_not_be_found():
    assert "Job 1" in dearest((24, 145, 33)).sentence  # the first of those alike, not the dearest found


def test_of_all_records_of_a_file_the_greatest_is_told_though_it_was_not_found():
    cited = dearest((24, 145, 33, 720, 90), rows=5)
    assert cited.sentence == "Job 4, price eur: 720."
    assert cited.support.passage.source == "prices.csv#4"


def test_where_one_of_all_records_has_no_figure_but_words_none_is_told():
    assert "Job 1" in dearest((24, 145, "on request", "not known", 90), rows=5).sentence


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("Which job is the cheapest?", True),
        ("What has the most days?", True),
        ("How long at most?", False),
        ("What year were sales lower?", True),
        ("In what year was it no longer sold?", False),
        ("In what month is the larger hall closed?", False),
        ("When is the shop open?", False),
    ],
)
def test_a_question_for_an_extreme_is_known_by_its_words(question, asks):
    assert asks_of_all(question) is asks


def test_two_conditions_choose_the_record():
    hits = [
        Hit(Chunk(f"life.csv#{n}", 0, 0, len(text), text, ("life",)), 1.0 - n / 100)
        for n, (model, every, place, months) in enumerate(
            [
                ("TL20", 15, "up to 0 °C", 26),
                ("TL40", 1, "above 0 °C", 7),
                ("TL20", 15, "above 0 °C", 41),
                ("TL20", 1, "up to 0 °C", 9),
            ]
        )
        for text in [f"model: {model}\ninterval_minutes: {every}\nplace: {place}\nmonths: {months}"]
    ]
    passages = [passage_of(n, hit) for n, hit in enumerate(hits, start=1)]
    question = "How many months does a TL20 run at -5 °C with an interval of 15 minutes?"
    found = extract(question, hits, passages, HashEmbedder(dimension=256), sentences=2)
    assert found.cited[0].sentence.endswith("months: 26.")


def test_a_word_that_only_ends_as_an_extreme_is_none():
    table = (("Income", "2022", "2023"), "Interest income | 410 | 622\nRent | 20 | 30")
    assert "622" not in said("In which year was interest income 410?", table)[0].text.partition("2022")[0]
    assert "2022 410" in said("In which year was interest income 410?", table)[0].text


def test_a_total_is_not_the_greatest_of_the_things_that_it_adds_up():
    table = (("Region", "Sales"), "North | 40 EUR\nSouth | 70 EUR\nTotal | 110 EUR")
    assert said("Which region has the highest sales?", table)[0].text == "South, Sales: 70 EUR. [1]"


FAULTS = (
    ("Code", "Meaning", "Remedy", "Waiting list"),
    "S1 | Motor too hot | Let it rest | none\nS2 | Motor too slow | Check the belt | 2 days\n"
    "S3 | Lid open | Close it | 5 days",
)


@pytest.mark.parametrize(
    ("question", "table", "answer"),
    [
        ("How many codes are there?", FAULTS, "(Our count: 3.)"),
        ("How many rooms have 28 seats?", ROOMS, "Oar room, Seats: 28. [1] (Our count: 1.)"),
        ("Which code has no waiting list?", FAULTS, "S1, Motor too hot, Waiting list: none. [1]"),
        ("Which boat is longer, the Otter or the Heron?", BOATS, "Otter"),
        ("Is the Otter longer than the Heron?", BOATS, "Heron"),
    ],
)
def test_rows_are_counted_and_compared(question, table, answer):
    assert answer in said(question, table)[0].text


def test_rows_are_not_counted_where_a_word_of_the_question_is_said_by_none():
    assert "count" not in said("How many codes did the Otter ever show?", FAULTS)[0].text
    assert "count" not in said("How many seats has the Loft?", ROOMS)[0].text


def records(question, *fields, given=True):
    hits = [
        Hit(Chunk(f"flats.csv#{n}", 0, 0, len(text), text, ("flats",)), 1.0 - n / 100)
        for n, text in enumerate(fields, start=1)
    ]
    passages = [passage_of(n, hit) for n, hit in enumerate(hits, start=1)]
    found = extract(question, hits, passages, HashEmbedder(256), sentences=2, rows=passages if given else ())
    return join_cited(found.cited).text


FLATS = (
    "flat: A-1\nhouse: Elm Street 2\nrooms: 2\nlift: no\nvacant_from: 2026-05-01",
    "flat: A-2\nhouse: Elm Street 2\nrooms: 3\nlift: no",
    "flat: B-1\nhouse: Oak Street 4\nrooms: 3\nlift: yes\nvacant_from: 2026-07-01",
)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (
            "How many flats have three rooms?",
            "A-2, Elm Street 2, rooms: 3. [1] B-1, Oak Street 4, rooms: 3. [2] (Our count: 2.)",
        ),
        ("How many flats have a lift?", "B-1, Oak Street 4, lift: yes. [1] (Our count: 1.)"),
        ("Which flats are in Elm Street 2?", "A-1, house: Elm Street 2. [1] A-2, house: Elm Street 2. [2]"),
        ("Which flats are vacant from May?", "A-1, Elm Street 2, vacant from: 2026-05-01. [1]"),
        (
            "Which flat has the most rooms?",
            "A-2, Elm Street 2, rooms: 3. [1] B-1, Oak Street 4, rooms: 3. [2]",
        ),
        ("How many more rooms has A-2 than A-1?", "Our arithmetic: 3 − 2 = 1"),
    ],
)
def test_records_with_empty_cells_are_rows_of_one_table(question, answer):
    assert answer in records(question, *FLATS)


def test_records_are_not_counted_where_others_may_not_be_found():
    assert "count" not in records("How many flats have three rooms?", *FLATS, given=False)


def file_of(name, *rows):
    hits = []
    for number, row in enumerate(rows, start=1):
        text = "\n".join(f"{field}: {value}" for field, value in row.items())
        hits.append(Hit(Chunk(f"{name}#{number}", 0, 0, len(text), text, (f"row {number}",)), 0.1))
    return hits


def counted(question, found, rows):
    own = [passage_of(n, hit) for n, hit in enumerate([*found, *rows], start=1)]
    passages, beside = own[: len(found)], own[len(found) :]
    chosen = extract(question, found, passages, HashEmbedder(dimension=256), sentences=2, rows=beside)
    return join_cited(chosen.cited).text


STOCK = file_of("lamps.csv", *({"lamp": f"Brio {n}", "in_stock": n % 3, "state": "ok"} for n in range(1, 7)))
MACHINES = file_of(
    "machines.csv", *({"machine": f"M{n}", "state": "broken" if n > 2 else "ok"} for n in range(1, 23))
)


def test_what_is_sold_out_is_counted_though_no_row_was_found():
    note = Hit(Chunk("a.md", 0, 0, 23, "Lamps hang in the hall.", ("Notes",)), 1.0)
    assert counted("How many lamps are sold out?", [note], STOCK).endswith("(Our count: 2.)")
    assert counted("Which lamps are in stock?", [note], STOCK).count("Brio") == 4


def test_of_many_rows_the_number_is_told_and_the_first_are_shown():
    told = counted("How many machines are broken?", MACHINES[:3], MACHINES)
    assert told.endswith("(Our count: 20, the first of which are shown.)")
    assert told.count("broken") == 3


def test_columns_of_one_row_are_not_taken_from_each_other_where_two_things_are_compared():
    table = (("Lamp", "price", "trade price"), "Brio tall | 40 EUR | 30 EUR\nLumo | 25 EUR | 19 EUR")
    assert "10" not in said("How much more does the tall Brio cost than the plain one?", table)[0].text


@pytest.mark.parametrize(
    ("question", "file"),
    [
        ("Which boat is the longest?", "fleet/boats.csv#1"),
        ("How many seats in all?", "rooms.csv#7"),
        ("Who?", ""),
    ],
)
def test_the_file_that_is_counted_is_told_by_its_name_and_columns(question, file):
    chunks = [
        Chunk(source, 0, 0, len(text), text)
        for source, text in (
            ("fleet/boats.csv#1", "name: Otter\nlength: 10"),
            ("rooms.csv#7", "room: Loft\nseats: 14"),
        )
    ]
    assert file_asked_of(question, chunks, []) == file


ROOMS_OF_FILE = file_of(
    "rooms.csv",
    {
        "room": "101",
        "type": "single",
        "floor": "1",
        "area_m2": "14",
        "price_2024_eur": "60",
        "price_2025_eur": "66",
    },
    {
        "room": "102",
        "type": "suite",
        "floor": "1",
        "area_m2": "41",
        "price_2024_eur": "99",
        "price_2025_eur": "98",
    },
    {
        "room": "201",
        "type": "suite",
        "floor": "2",
        "area_m2": "38",
        "price_2024_eur": "90",
        "price_2025_eur": "120",
    },
)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Which room is the biggest?", "room 102, area m2: 41. [1]"),
        ("Which suites do we have?", "room 102, type: suite. [1] room 201, type: suite. [2]"),
        ("Which room has the biggest price in 2025?", "room 201, price 2025 eur: 120. [1]"),
        ("Of what type is room 201?", "room 201, type: suite. [1]"),
    ],
)
def test_rows_are_told_by_numbers_kinds_and_what_they_have_most_of(question, answer):
    assert counted(question, ROOMS_OF_FILE, ROOMS_OF_FILE) == answer


def test_the_year_in_which_something_was_larger_is_told_of_the_row_that_is_meant_alone():
    """Not of another row with more, nor of men and women of one year."""
    heads = ("Age", "2019, Men, Years", "2019, Women, Years", "2018, Men, Years", "2018, Women, Years")
    lives = (heads, "Member aged 65 | 86.8 | 88.9 | 87.3 | 89.3\nMember aged 45 | 88.5 | 90.7 | 87.9 | 90.1")
    asked = "In which year was the life expectancy of a member aged 65 higher?"
    assert "45" not in said(asked, lives)[0].text.partition("[1]")[0]
    assert "87.3" in said(asked, lives)[0].text
    owed = (("$ thousand", "2019", "2018"), "Receivables, billed | 126 | 398\nReceivables sold | 6751 | 6000")
    assert said("In which year were billed receivables larger?", owed)[0].text == (
        "Receivables, billed, 2018: 398 thousand. [1]"
    )
    assert "126" in said("Were billed receivables of 2019 greater than 6?", owed)[0].text
