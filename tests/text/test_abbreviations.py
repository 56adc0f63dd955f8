"""Short forms and code names: where a text explains them, and where a question has one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hybrid.text.abbreviations import (
    Abbreviation,
    Meaning,
    explained,
    find_abbreviations,
    find_names,
    form_key,
    reworded,
)


@pytest.mark.parametrize(
    ("text", "short", "long"),
    [
        ("We used magnetic resonance imaging (MRI) here.", "MRI", "magnetic resonance imaging"),
        ("after heat shock transcription factor (HSTF) binds", "HSTF", "heat shock transcription factor"),
        ("The write-ahead log (WAL) is kept.", "WAL", "write-ahead log"),
        ("MVCC (Multiversion Concurrency Control) helps.", "MVCC", "Multiversion Concurrency Control"),
        ("of the endoplasmic reticulum (ER) stress", "ER", "endoplasmic reticulum"),
    ],
)
def test_what_is_explained_is_found(text, short, long):
    assert find_abbreviations(text) == [Abbreviation(short, long)]


@pytest.mark.parametrize(
    "text",
    [
        "as shown before (see below)",
        "in the year (1998) it was",
        "a group of patients (n = 12) was",
        "nothing that fits at all (XYZ) here",
        "the MRI (MRI)",
        "((()))",
        "(AB",
        "",
    ],
)
def test_other_brackets_are_not(text):
    assert find_abbreviations(text) == []


def test_each_is_told_once_in_the_order_of_the_text():
    text = "body mass index (BMI) and blood pressure (BP); again body mass index (BMI)."
    assert [item.short for item in find_abbreviations(text)] == ["BMI", "BP"]


def test_one_form_stands_for_the_other():
    acronym = Abbreviation("WAL", "write-ahead log")
    assert acronym.swapped("how big may the WAL grow") == "how big may the write-ahead log grow"
    assert acronym.swapped("The Write-ahead log grows") == "The WAL grows"
    assert acronym.swapped("the wall grows") is None
    assert acronym.swapped("the write-ahead log (WAL) grows") is None
    assert Abbreviation("A\\1", "a b").swapped("a b") == "A\\1"


@example("1A(  )")
@given(st.text(alphabet="ab AB(),.\n1-", max_size=80))
def test_any_text_is_read_and_what_is_found_stands_in_it(text):
    text = f"{text}\nThe Write-Ahead Log (WAL) grows."
    found = find_abbreviations(text)
    assert "WAL" in {acronym.short for acronym in found}
    for acronym in found:
        assert acronym.short in text
        letters = [letter.lower() for letter in acronym.short if letter.isalnum()]
        rest = iter(acronym.long.lower())
        assert all(letter in rest for letter in letters)


@pytest.mark.parametrize(
    ("text", "short", "long"),
    [
        (
            "MODY stands for maturity-onset diabetes of the young.",
            "MODY",
            "maturity-onset diabetes of the young",
        ),
        ("PID is short for the process identifier of it.", "PID", "process identifier"),
        ("OSA is an abbreviation for obstructive sleep apnea in adults", "OSA", "obstructive sleep apnea"),
        ("Terms:\n\n- AHI: apnea hypopnea index\n", "AHI", "apnea hypopnea index"),
        ("Short | Meaning\nBMI | body mass index\n", "BMI", "body mass index"),
        ("BMI – body mass index, in kilograms", "BMI", "body mass index"),
    ],
)
def test_what_a_text_says_or_lists_is_found(text, short, long):
    assert find_abbreviations(text) == [Abbreviation(short, long)]


@pytest.mark.parametrize(
    "text",
    ["NOTE: do this first", "Port: the number of the door", "IDs: one each", "XY stands for nothing"],
)
def test_other_lines_explain_nothing(text):
    assert find_abbreviations(text) == []


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("Project Condor, formerly Project Nine, is late.", ("Project Condor", "Project Nine")),
        ("Istanbul (formerly known as Constantinople) lies there.", ("Istanbul", "Constantinople")),
        ("In May the warehouse migration, code-named Falcon, began.", ("warehouse migration", "Falcon")),
        ("Code names\n\n- Falcon: warehouse migration\n", ("Falcon", "warehouse migration")),
        ("Abbreviations of the house\nBlue Heron | payroll project\n", ("Blue Heron", "payroll project")),
    ],
)
def test_code_names_are_found(text, pair):
    assert find_names(text) == [Abbreviation(*pair)]


@pytest.mark.parametrize(
    "text",
    [
        "He was formerly a clerk.",
        "Falcon: warehouse migration",
        "Names\n\n- Falcon: a bird",
        "Code names\n\nName | Meaning\n",
        "",
    ],
)
def test_other_names_are_not(text):
    assert find_names(text) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [("Dengue viruses", "dengue virus"), ("write-ahead log", "Write Ahead Logs"), ("RBCs", "RBC")],
)
def test_a_form_has_one_key_in_any_case_number_and_punctuation(one, other):
    assert form_key(one) == form_key(other) != ""


_KNOWN = [
    Meaning("OSA", "obstructive sleep apnea", 3),
    Meaning("obstructive sleep apnea", "OSA", 3),
    Meaning("sleep apnea", "SA", 2),
    Meaning("MS", "multiple sclerosis", 5),
    Meaning("MS", "Multiple Sclerosis", 4),
    Meaning("MS", "mass spectrometry", 1),
    Meaning("WHO", "World Health Organization", 1),
]


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("Is OSA common?", "Is obstructive sleep apnea common?"),
        ("is osa common?", "is obstructive sleep apnea common?"),
        ("Treatment of Obstructive Sleep Apnea", "Treatment of OSA"),
        ("Is osa common in the USA?", ""),
        ("who has it?", ""),
        ("obstructive sleep apnea (OSA)", ""),
        ("Nothing of it", ""),
    ],
)
def test_a_question_is_worded_by_what_its_words_stand_for(question, other):
    assert reworded(question, explained(question, _KNOWN)) == (other or question)


def test_an_ambiguous_form_keeps_its_meanings_each_once_and_the_longest_form_counts():
    (found,) = explained("What is MS?", _KNOWN)
    assert [one.meaning for one in found.meanings] == ["multiple sclerosis", "mass spectrometry"]
    assert "What is MS?"[found.start : found.end] == "MS"
    (found,) = explained("obstructive sleep apnea", _KNOWN)
    assert [one.meaning for one in found.meanings] == ["OSA"]


@given(st.text(alphabet="aOSMsp nelv.(-", max_size=60))
def test_any_question_is_read_and_what_is_explained_stands_in_it_in_order(text):
    question = f"{text} is OSA?"
    found = explained(question, _KNOWN)
    places = [place for one in found for place in (one.start, one.end)]
    assert places == sorted(places)
    assert all(one.meanings for one in found)
    assert explained(question, []) == []
