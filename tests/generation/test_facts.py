"""What a passage says: rows and the ranges that an amount falls into."""

from __future__ import annotations

import pytest

from hybrid.generation.asking import read_question
from hybrid.generation.facts import facts_of, lists_in, repeats, telling_heading
from hybrid.generation.matching import matcher
from hybrid.generation.prompts import passage_of
from hybrid.generation.reckoning import conditioned
from hybrid.types import Chunk, Hit


def rows_in_range(question, chunk):
    asked = read_question(question)
    facts = list(facts_of(asked, passage_of(1, Hit(chunk, 1.0)), 1.0))
    words = matcher(asked.words, [fact.wider for fact in facts])
    return [fact for fact in conditioned(asked, facts, words) if fact.in_range > 0]


def in_ranges(question, *labels):
    text = "\n".join(["Amount | Notice", *(f"{label} | {n} weeks" for n, label in enumerate(labels, 1))])
    chunk = Chunk("a.md", 0, 0, len(text), text, ("Rules",), columns=("Amount", "Notice"))
    return [fact.text for fact in rows_in_range(question, chunk)]


@pytest.mark.parametrize(
    ("question", "labels", "place"),
    [
        ("What notice for 2000 EUR?", ("1–999", "1.000–4.999", "5.000–9.999"), 2),
        ("What notice for 2000 EUR?", ("1-999", "1,000-4,999", "from 5,000"), 2),
        ("What notice for 3 kg?", ("0,5–2,5", "2,6–4,5", "≥ 5"), 2),
        ("What notice for 3 kg?", ("0.5-2.5", "2.6-4.5", "more than 5"), 2),
        ("What notice for 10 kg?", ("5-9", "≥ 10"), 2),
        ("What notice for 5 kg?", ("below 5", "from 5"), 2),
        ("What notice for 2500 EUR?", ("2019-03-01", "2000-3000", "3001-4000"), 2),
        ("What notice for an amount of 7 metres?", ("up to 6 m", "6 to 9 m", "9 to 12 m"), 2),
        ("What notice is an amount of 30 litres given?", ("0–20 l", "21–50 l"), 2),
    ],
)
def test_an_amount_falls_into_one_range(question, labels, place):
    found = in_ranges(question, *labels)
    assert len(found) == 1
    assert f"{place} weeks" in found[0]


def test_hours_fall_into_no_litres():
    assert in_ranges("What notice is an amount of 30 hours given?", "0–20 l", "21–50 l") == []


def test_an_amount_falls_into_no_date():
    assert in_ranges("What notice for 2 kg?", "2019-03-01", "2018-12-01") == []


def test_what_is_indented_goes_on_an_item():
    text = "Do:\n1. Open it.\n   With care.\n2. Close it.\nThen rest."
    (span,) = lists_in(text)
    assert text[span.start : span.end].startswith("1. Open")
    assert text[span.start : span.end].endswith("Close it.")


def test_of_two_columns_of_ranges_both_must_hold_an_amount():
    text = "Age | Weight | Rate\n" + "\n".join(
        (
            "3 to 6 years | up to 20 kg | 60",
            "3 to 6 years | over 20 kg | 65",
            "7 to 12 years | over 30 kg | 80",
        )
    )
    chunk = Chunk("a.md", 0, 0, len(text), text, ("Rates",), columns=("Age", "Weight", "Rate"))
    found = rows_in_range("Which rate for a 5-year-old of 24 kg?", chunk)
    assert [fact.row.cells[2] for fact in found] == ["65"]


def test_a_list_can_be_quoted_whole_beside_its_items():
    text = "Bring these:\n- a card\n- a letter"
    chunk = Chunk("a.md", 0, 0, len(text), text, ("Stay", "What to bring"))
    found = facts_of(read_question("What to bring?"), passage_of(1, Hit(chunk, 1.0)), 1.0)
    assert [(fact.term, fact.above) for fact in found if fact.whole] == [("What to bring", "Bring these:")]


_INVOICE = "Invoice no. | 2026-0417\nDate | 12 May 2026\nDue | 11 June 2026"


def test_what_only_repeats_a_name_of_the_question_is_no_answer_and_pairs_are_about_their_first():
    chunk = Chunk("a.pdf", 0, 0, len(_INVOICE), _INVOICE)
    asked = read_question("When is the invoice 2026-0417 due?")
    facts = list(facts_of(asked, passage_of(1, Hit(chunk, 1.0)), 1.0))
    assert [fact.text for fact in facts if not repeats(asked, fact)] == [
        "Date: 12 May 2026.",
        "Due: 11 June 2026.",
    ]
    assert "2026-0417" in facts[-1].above


@pytest.mark.parametrize(
    ("question", "heading", "telling"),
    [
        ("Where can I complain?", "3 Complaints", ""),
        ("Where are bicycles kept?", "4 In the Shed", "4 In the Shed"),
        ("When is the invoice 2026-0417 due?", "Invoice 2026-0417", ""),
        ("When was it released?", "12 March 2026", "12 March 2026"),
    ],
)
def test_a_heading_answers_by_more_than_its_number_and_what_the_question_says(question, heading, telling):
    chunk = Chunk("a.md", 0, 0, 5, "Text.", ("Handbook", heading))
    assert telling_heading(read_question(question), passage_of(1, Hit(chunk, 1.0))) == telling


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What does the bolt M12 cost for 150 pieces?", "M12, Quantity, 100+: 2.05."),
        ("What does the bolt M12 cost for 10 pieces?", "M12, Quantity, 10–99: 2.20."),
        (
            "What does the bolt M12 cost?",
            "M12: Quantity, 1–9 2.50; Quantity, 10–99 2.20; Quantity, 100+ 2.05.",
        ),
    ],
)
def test_an_amount_falls_into_the_range_that_a_column_is_called_by(question, said):
    columns = ("Bolt", "Quantity, 1–9", "Quantity, 10–99", "Quantity, 100+")
    text = "M12 | 2.50 | 2.20 | 2.05\nM14 | 3.50 | 3.20 | 3.05"
    passage = passage_of(1, Hit(Chunk("a.pdf", 0, 0, len(text), text, ("Prices",), columns=columns), 1.0))
    assert next(facts_of(read_question(question), passage, 1.0)).text == said


def test_the_sentences_of_a_labelled_item_are_quoted_one_by_one_under_their_label():
    text = (
        "1. Finances. The balance is 23,410 EUR. Rent rises in July.\n"
        "2. Laser cutter. The tube was replaced in spring. A hose was blocked.\nNext meeting: 9 June, 19:00."
    )
    facts = list(
        facts_of(read_question("When?"), passage_of(1, Hit(Chunk("a.txt", 0, 0, len(text), text), 1.0)), 1.0)
    )
    assert [(fact.term, fact.text) for fact in facts if not fact.whole] == [
        ("Finances", "The balance is 23,410 EUR."),
        ("Finances", "Rent rises in July."),
        ("Laser cutter", "The tube was replaced in spring."),
        ("Laser cutter", "A hose was blocked."),
        ("", "Next meeting: 9 June, 19:00."),
    ]
    assert all(text[fact.span.start : fact.span.end] == fact.text for fact in facts)


def test_what_an_item_without_a_label_says_is_quoted_whole():
    text = "(1) A booking may be changed free of charge. After a day it costs 8 EUR.\n(2) None is sold."
    facts = facts_of(
        read_question("What?"), passage_of(1, Hit(Chunk("a.txt", 0, 0, len(text), text), 1.0)), 1.0
    )
    said = [fact.text for fact in facts if not fact.whole]
    assert said == ["A booking may be changed free of charge. After a day it costs 8 EUR.", "None is sold."]


def test_long_items_and_cells_of_prose_are_quoted_by_their_sentences():
    long = "We made teams for the surge at the end of the year and for the early out of the post office. "
    text = f"- {long}They finalised 14,611 claims between February and May. They ended on May 20."
    facts = facts_of(read_question("How many?"), passage_of(1, Hit(Chunk("a.txt", 0, 0, 9, text), 1.0)), 1.0)
    assert [fact.text for fact in facts][1] == "They finalised 14,611 claims between February and May."
    text = f"Source | {long}The figures come in two months late, as they are checked by hand.\nUnit | days"
    chunk = Chunk("a.md", 0, 0, len(text), text, ("Data",), columns=("Type", "Description"))
    facts = list(facts_of(read_question("How late?"), passage_of(1, Hit(chunk, 1.0)), 1.0))
    assert [(fact.text, fact.above) for fact in facts if "late" in fact.text] == [
        ("The figures come in two months late, as they are checked by hand.", "Source")
    ]
    assert all(text[fact.span.start : fact.span.end] == fact.text for fact in facts if not fact.row)


def test_lines_that_only_stand_above_rows_are_no_facts():
    text = "Sales by country: |  | \nSales | $M | $M\nUK | 83.2 | 79.9\nAll sums are final. |  | "
    chunk = Chunk("a.md", 0, 0, len(text), text, ("Sales",), columns=("", "2019", "2018"))
    found = facts_of(
        read_question("What are the sales from the UK in 2019?"), passage_of(1, Hit(chunk, 1.0)), 1.0
    )
    assert [fact.text for fact in found] == ["Sales by country, UK, 2019: 83.2.", "All sums are final."]


@pytest.mark.parametrize(
    ("question", "text", "repeated"),
    [
        ("What do stock compensation costs result from?", "Stock Compensation Costs", True),
        ("What do stock compensation costs result from?", "Stock compensation costs result from:", False),
        ("Is the pool or the sauna closed?", "The sauna", False),
        ("What is a heat pump?", "Heat pump with a buffer", False),
    ],
)
def test_a_heading_in_words_of_the_question_is_no_answer(question, text, repeated):
    asked = read_question(question)
    chunk = Chunk("a.md", 0, 0, len(text), text)
    fact = next(iter(facts_of(asked, passage_of(1, Hit(chunk, 1.0)), 1.0)))
    assert repeats(asked, fact) is repeated


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "Apprentice. Samira begins in May. Jonas looks after her.",
            [("Apprentice", "Samira begins in May.")],
        ),
        (
            "- Invoices are due. Who pays late is charged 2 EUR more.\n- Crates: 5 EUR.",
            [("", "Invoices are due.")],
        ),
        ("Deliveries. We deliver on Mondays.", [("", "We deliver on Mondays.")]),
        ("Visit us. We ship to Norway.", [("", "Visit us.")]),
    ],
)
def test_a_label_that_runs_in_names_what_follows_and_a_sentence_with_a_verb_is_none(text, told):
    asked = read_question("Who looks after the apprentice?")
    chunk = Chunk("a.md", 0, 0, len(text), text)
    facts = [one for one in facts_of(asked, passage_of(1, Hit(chunk, 1.0)), 1.0) if not one.whole]
    assert [(facts[0].term, facts[0].text.split("\n")[0][: len(told[0][1])])] == told
