"""What a document lets one ask. Rules are tested through whole documents, as they are stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.chunking import chunk_document
from hybrid.config import ChunkSettings
from hybrid.questions.candidates import find_candidates, layout_of, outline
from hybrid.questions.values import TextBlockKind
from hybrid.questions.wording import stands_alone
from hybrid.testing import HashEmbedder
from hybrid.text.words import contains
from hybrid.types import Block, BlockKind, Chunk, Document


def document_of(*blocks, title="Handbook", source="handbook.md"):
    """Build a document from (kind, text) pairs; a heading is a plain text that begins with #."""
    text, found = "", []
    for block in blocks:
        kind = BlockKind.HEADING if block.startswith("#") else BlockKind.PARAGRAPH
        level = len(block) - len(block.lstrip("#"))
        block = block.lstrip("# ")
        text += "\n\n" if text else ""
        found.append(Block(kind, len(text), len(text) + len(block), level))
        text += block
    return Document(source, text, title, tuple(found))


def chunks_of(document, max_tokens=200):
    counter = HashEmbedder(8, max_tokens=max_tokens)
    sized = chunk_document(document, counter, ChunkSettings(overlap_tokens=0), max_tokens=max_tokens)
    return [item.chunk for item in sized]


def asked(*blocks, **options):
    document = document_of(*blocks, **options)
    return {found.text: found for found in find_candidates(document, chunks_of(document))}


def questions(*blocks, **options):
    return {text: candidate.answers[0] for text, candidate in asked(*blocks, **options).items()}


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        (
            "createdb is a wrapper around the SQL command CREATE DATABASE.",
            "What is createdb?",
            "a wrapper around the SQL command CREATE DATABASE",
        ),
        (
            "A walrus is a large animal of the cold seas, but it is no seal.",
            "What is a walrus?",
            "a large animal of the cold seas",
        ),
        (
            "A standby that sends to other servers is called a cascading standby.",
            "What is a cascading standby?",
            "A standby that sends to other servers",
        ),
        (
            "All changes go to the write-ahead log (WAL) of the server first.",
            "What does WAL stand for?",
            "write-ahead log",
        ),
        (
            "The Department of Defense (DoD) pays for all of that work.",
            "What does DoD stand for?",
            "Department of Defense",
        ),
        (
            "The work_mem parameter determines how much memory a sort may take.",
            "What does the work_mem parameter determine?",
            "how much memory a sort may take",
        ),
        (
            "The maximum length of an identifier is 63 bytes.",
            "What is the maximum length of an identifier?",
            "63 bytes",
        ),
        (
            "An enum value occupies four bytes on disk.",
            "How many bytes does an enum value occupy on disk?",
            "four",
        ),
        (
            "Employees may carry over up to 5 days of leave into the spring.",
            "How many days of leave may employees carry over into the spring?",
            "5",
        ),
        (
            "Employees must submit travel expenses within 30 days of their return.".replace("their", "the"),
            "Within how many days of the return must employees submit travel expenses?",
            "30",
        ),
        (
            "To create a schema, you can use the CREATE SCHEMA command.",
            "How do I create a schema?",
            "use the CREATE SCHEMA command",
        ),
        (
            "Use the booking portal to reserve a rental car.",
            "How do I reserve a rental car?",
            "Use the booking portal",
        ),
        (
            "Partition pruning can be disabled using the enable_partition_pruning setting.",
            "How can partition pruning be disabled?",
            "using the enable_partition_pruning setting",
        ),
        (
            "The password of each user is stored in the pg_authid catalog.",
            "Where is the password of each user stored?",
            "in the pg_authid catalog",
        ),
        (
            "Travel requests must be approved by the head of the department.",
            "Who must travel requests be approved by?",
            "the head of the department",
        ),
        (
            "Only department heads can approve business class flights.",
            "Who can approve business class flights?",
            "department heads",
        ),
        (
            "The travel office is responsible for booking hotels and flights.",
            "Who is responsible for booking hotels and flights?",
            "The travel office",
        ),
        (
            "Index expressions are expensive to maintain because they are computed for each row.",
            "Why are index expressions expensive to maintain?",
            "they are computed for each row",
        ),
        (
            "If your flight is cancelled by the airline, you must inform the travel office.",
            "What should I do if my flight is cancelled by the airline?",
            "inform the travel office",
        ),
        (
            "When an index is declared unique, equal values are not allowed in several rows.",
            "What happens when an index is declared unique?",
            "equal values are not allowed in several rows",
        ),
    ],
)
def test_a_sentence_is_asked_for_as_people_ask(sentence, question, answer):
    assert questions("# Handbook", sentence) == {question: answer}


@pytest.mark.parametrize(
    "sentence",
    [
        "This is a wrapper around the command CREATE DATABASE.",
        "The result is a list of all rows that were found by the query.",
        "If set is a long word then the others are shorter than that one.",
        "It is a program that does something to the files of a user.",
        "$ createdb is a command of the shell which needs a name.",
        "The network share is a good fit for very many users of it.",
        "If a match is found, the statements will be executed at once.",
        "To use the CustomRetriever, you must set an environment variable.",
        "To load a model of your own, follow the instructions of its maker.",
        "Make sure to grant the permissions for access to the repository.",
        "To read the state of a lock, lock acquisition must be logged first.",
        "The metadata of a document is intended to be read using an editor.",
        "More about the matter of locks stands in section 13 and nowhere else.",
        "The limits are 5 minutes and 1 GB, respectively, for all of them.",
        "The old target was not met because the agency shifted its focus.",
    ],
)
def test_a_sentence_that_gives_no_question_that_stands_alone_gives_none(sentence):
    assert questions("# Handbook", sentence) == {}


def test_the_name_line_of_a_manual_page_asks_what_it_does():
    assert questions("# createdb", "createdb — create a new database", title="createdb") == {
        "What does createdb do?": "create a new database"
    }


def test_what_a_page_says_of_its_own_subject_is_what_that_does():
    text = "`TextSplitter` splits long documents at their paragraphs into passages."
    assert questions("# TextSplitter", text, title="TextSplitter") == {
        "What does TextSplitter do?": "splits long documents at their paragraphs into passages"
    }
    assert questions("# Other", text, title="Other") == {}


def test_steps_below_a_heading_are_how_it_is_done():
    steps = "1. Open the portal.\n2. Upload all receipts."
    for heading in ("## How to claim expenses", "## Claiming expenses"):
        assert questions("# Travel", heading, steps) == {"How do I claim expenses?": steps}
    assert questions("# Travel", "## Expenses", steps) == {}


def test_letters_in_brackets_that_abbreviate_nothing_are_left_alone():
    assert questions("# Handbook", "Some of the servers run elsewhere (USA) for a reason of law.") == {}


def test_options_are_asked_for_by_their_name_and_their_command():
    found = asked(
        "# serve",
        "## Options",
        "-p port\n--port=port\nSpecifies the port of the listener. The default is 5432.",
        "--quiet\nDo not write notices to the terminal.",
        title="serve",
    )
    assert {text: candidate.answers[0] for text, candidate in found.items()} == {
        "What does the option --port of serve specify?": "the port of the listener",
        "What is the default of the option --port of serve?": "5432",
        "What does the option --quiet of serve do?": "Do not write notices to the terminal",
    }


def test_a_default_below_zero_keeps_its_sign():
    found = questions(
        "# Handbook", "work_memory (integer)\nSets the limit. -1 (the default) takes it from elsewhere."
    )
    assert found == {"What is the default of the parameter work_memory?": "-1"}


def test_lines_of_a_program_are_no_entries():
    assert questions("# Handbook", "SELECT city\nFROM weather", "FROM weather\nWHERE city LIKE 'S%'") == {}


def test_a_table_asks_for_the_cell_where_row_and_column_meet():
    table = "Breed | Weight | Origin\nSaanen | 65 kg | Switzerland\nBoer | 95 kg | South Africa"
    assert questions("# Goats", table, title="Goats") == {
        "What is the weight of Saanen?": "65 kg",
        "What is the origin of Saanen?": "Switzerland",
        "What is the weight of Boer?": "95 kg",
        "What is the origin of Boer?": "South Africa",
    }


@pytest.mark.parametrize("corner", ["", "Rate"])
def test_a_table_on_its_side_is_asked_for_as_one_that_stands(corner):
    lying = f"{corner} | Germany | France\nDaily allowance | 28 € | 34 €\nOvernight rate | 120 € | 140 €"
    standing = "Country | Daily allowance | Overnight rate\nGermany | 28 € | 120 €\nFrance | 34 € | 140 €"
    found = questions("# Travel", lying)
    assert found == questions("# Travel", standing)
    assert found["What is the daily allowance for Germany?"] == "28 €"


def test_a_column_of_a_year_is_asked_for_by_its_year():
    table = "Item | 2018 | 2019\nNet revenue | 12 | 15\nOperating costs | 8 | 9"
    assert questions("# Report", table)["What was the net revenue in 2019?"] == "15"


def test_a_table_of_names_and_values_is_of_the_title():
    table = "Package name | `goat-tools`\nMandatory variables | herd, field\nSee also | the other page"
    assert questions("# Herder", table, title="Herder") == {
        "What is the package name of Herder?": "goat-tools",
        "What are the mandatory variables of Herder?": "herd, field",
    }


def test_a_table_without_a_property_is_not_asked_for():
    assert questions("# Goats", "Goat | Sheep\nhay | grass\nhorns | wool") == {}


def test_the_outline_of_a_stored_document_is_found_in_its_chunks():
    document = document_of("# Goats", "They climb.", "## Food", "### Grass", "They eat it.", "They like it.")
    sections = outline(document, chunks_of(document, max_tokens=8))
    found = [
        (
            document.text[section.heading.start : section.heading.end] if section.heading else "",
            [document.text[piece.span.start : piece.span.end] for piece in section.pieces],
        )
        for section in sections
    ]
    assert found == [("Goats", ["They climb."]), ("Grass", ["They eat it.", "They like it."])]


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("a | b\nc | d\ne | f", TextBlockKind.TABLE),
        ("- one\n- two", TextBlockKind.ITEMS),
        ("1. one\n2. two", TextBlockKind.ITEMS),
        ("--port\nThe port that it listens on.", TextBlockKind.ENTRY),
        ("They climb. They eat.", TextBlockKind.PROSE),
        ("They climb slopes and they eat what they find\nthere, which is mostly grass.", TextBlockKind.PROSE),
    ],
)
def test_a_piece_is_told_by_its_lines(text, layout):
    assert layout_of(text) is layout


_TEXT = (
    "The default is 5 a goat kg (WAL) write-ahead log of has four names. Sets, - `x`: | -- # — If, To because"
)
_LINES = ["\n", "\n\n", "é", "x_y", "--port", "The default is on.", "A goat is an animal of the hills."]
_WORDS = st.sampled_from([*_TEXT.split(), *_LINES])


@pytest.mark.slow
@given(blocks=st.lists(st.lists(_WORDS, min_size=1, max_size=25).map(" ".join), min_size=1, max_size=6))
def test_every_answer_stands_in_its_evidence_and_not_in_its_question(blocks):
    known = "The Write-Ahead Log (WAL) keeps what is written until it is on the disk."
    document = document_of(*[block for block in blocks if block.strip(" #\n")], known)
    found = list(find_candidates(document, chunks_of(document, max_tokens=24)))
    assert found
    for candidate in found:
        quote = document.text[candidate.evidence.start : candidate.evidence.end]
        assert candidate.answers
        assert all(contains(quote, answer) for answer in candidate.answers)
        assert not any(contains(candidate.text, answer) for answer in candidate.answers)
        assert candidate.text.endswith("?") and "____" not in candidate.text
        assert stands_alone(candidate.text)


def test_a_table_asks_for_persons_groups_dates_and_hours():
    table = (
        "Service | Price (EUR) | Members | Warden | Reviewed | Insured\n"
        "Hull wash | 85 | 75 | Signe Dravik | 2024 | yes\n"
        "Winter storage | 310 | 280 | Tove Ambrell | 2025 | no"
    )
    found = questions("# Services", table)
    assert found["What is the price for Hull wash in EUR?"] == "85"
    assert found["What does Hull wash cost for members?"] == "75"
    assert found["Who is the warden of Winter storage?"] == "Tove Ambrell"
    assert found["When was Winter storage reviewed?"] == "2025"
    assert len(found) == 8, "insured is yes or no"
    hours = (
        "Place | Monday to Friday | Weekends\nOffice | 9:00 to 16:00 | closed\nShop | 8:00 to 12:00 | closed"
    )
    assert (
        questions("# Opening hours", hours)["What are the opening hours of Office for Weekends?"] == "closed"
    )
    assert questions("# Something else", hours) == {}


def test_rows_that_are_called_alike_are_told_apart_by_their_second_cell():
    table = "Boat | Length (m) | Price per year (EUR)\nBarge | up to 10 | 980\nBarge | 10 to 15 | 1,340"
    assert questions("# Moorings", table) == {
        "What is the price per year for Barge (Length (m) up to 10) in EUR?": "980",
        "What is the price per year for Barge (Length (m) 10 to 15) in EUR?": "1,340",
    }


def test_the_fields_of_a_record_are_asked_for():
    text = (
        "id: T-04\nitem: Overlock machine\ndeposit_eur: 120.00\nlongest_loan_days: 14\nbranch: Hill\nnote: -"
    )
    document = Document("equipment.csv#4", text, "equipment")
    chunk = Chunk("equipment.csv#4", 0, 0, len(text), text)
    assert {one.text: one.answers[0] for one in find_candidates(document, [chunk])} == {
        "What is the deposit for Overlock machine (T-04) in EUR?": "120.00",
        "What is the longest loan of Overlock machine (T-04) in days?": "14",
        "What is the branch of Overlock machine (T-04)?": "Hill",
    }


def test_prices_times_and_lines_of_a_form_are_asked_for():
    found = questions(
        "# Harbour rules",
        "The wooden slipway closes at 22:00.",
        "A lost key costs 180 EUR. A gas locker is inspected every two years "
        "by a certified fitter. The annual rent is due on 1 July.",
        "Owner: Signe Dravik",
    )
    assert found["What does a lost key cost?"] == "180 EUR"
    assert found["When does the wooden slipway close?"] == "at 22:00"
    assert found["How often is a gas locker inspected?"] == "every two years"
    assert found["When is the annual rent due?"] == "on 1 July"
    assert found["Who is the owner of Harbour rules?"] == "Signe Dravik"
