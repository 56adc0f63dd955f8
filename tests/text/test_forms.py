"""Exact strings, pairs and spellings: what the words of a text do not tell."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.text.forms import forms


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from v1.3.2, not V2.1.3.", ["1.3.2", "2.1.3"]),
        ("C++ (or C#), g++; c++17 and .NET 8", ["c++", "c#", "g++", "c++", ".net"]),
        ("10.0.0.1:8080", ["10.0.0.1", "10.0.0.1:8080"]),
        ("on 2021-03-05 or 3/5/2021", ["2021-03-05", "3/5/2021", "2021-05-03"]),
        ("on 5 March 2021, in March 2021", ["2021-03-05"]),
        ("DE89 3704 0044 0532 0130 00, not 12 30", ["de89370400440532013000"]),
        ("DE89370400440532013000", ["de89370400440532013000"]),
        ("see § 4.2.1.", ["4.2.1"]),
        ("$1,496.5 and 12,345", ["1496.5", "12345"]),
        ("set AIRFLOW__CORE__EXECUTOR or os.path.join", ["airflow__core__executor", "os.path.join"]),
        ("R&D of ISO-9001", ["r&d", "iso-9001"]),
        ("std::vector /etc/fstab", ["std::vector"]),
        ("a well-known and/or plain text. It ends.", []),
        ("d3b0" * 16, ["d3b0" * 16]),
        ("默认端口", ["默认", "认端", "端口"]),
        ("港", ["港"]),
        ("端口是5432。", ["端口", "口是", "5432"]),
        ("(.NET)", [".net"]),
        ("ภาษา", ["ภา", "าษ", "ษา"]),
    ],
)
def test_strings_are_kept_in_their_order(text, found):
    assert forms(text) == found


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("café", "cafe"),
        ("Müller", "muller"),
        ("Müller", "mueller"),
        ("Straße", "strasse"),
        ("ﬁnance", "finance"),
        ("ＰＯＲＴ", "port"),
        ("ﾎﾟｰﾄ", "ポー"),
        ("ёлка", "елка"),
    ],
)
def test_a_word_is_respelled_as_one_would_type_it(word, other):
    assert other in forms(f"the {word}, again")


@given(st.text(max_size=80))
def test_any_text_has_forms_without_blanks(text):
    found = forms(text)
    assert found == [form for form in found if form and not any(letter.isspace() for letter in form)]


@pytest.mark.parametrize("text", ["a", "1", "a-", "[", "a_"])
def test_what_a_long_part_costs_does_not_grow_with_its_square(text):
    begun = time.process_time()
    forms(text * 20_000)
    # the square of it would take minutes
    assert time.process_time() - begun < 5
