"""Abbreviations that a text explains itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.text.words import Abbreviation, find_abbreviations


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
