"""Versions of a document: which is newer, and what of the older one no longer counts."""

from __future__ import annotations

import pytest

from hybrid.generation.asking import read_question
from hybrid.generation.editions import contradicts, outdated, sisters
from hybrid.generation.facts import facts_of
from hybrid.generation.matching import matcher
from hybrid.generation.prompts import passage_of
from hybrid.types import Chunk, Hit

OLD = ("rules-2021.md", "Rules of the lending desk, 2021", "A book may be kept for two weeks.")
NEW = ("rules-2024.md", "Rules of the lending desk, 2024", "A book may be kept for three weeks.")


def facts(question, *documents):
    asked = read_question(question)
    chunks = [Chunk(source, 0, 0, len(text), text, (title,)) for source, title, text in documents]
    found = [facts_of(asked, passage_of(n, Hit(chunk, 1.0)), 1.0) for n, chunk in enumerate(chunks, 1)]
    told = [fact for own in found for fact in own if not fact.heading]
    return asked, told, matcher(asked.words, [fact.wider for fact in told])


def test_what_a_newer_edition_says_of_the_same_outdates_the_older_one():
    assert outdated(*facts("How long may I keep a book?", OLD, NEW)) == [1, 0]


def test_an_edition_that_is_named_is_not_outdated():
    assert outdated(*facts("How long could one keep a book in 2021?", OLD, NEW)) == [0, 0]


def test_what_the_newer_edition_does_not_speak_of_stays():
    other = (*NEW[:2], "Dogs stay outside.")
    assert outdated(*facts("How long may I keep a book?", OLD, other)) == [0, 0]


def test_what_another_document_says_to_be_so_no_longer_is_outdated():
    news = ("news.txt", "News", "It is kept for one week instead of two weeks from 2 May on.")
    notice = ("n.txt", "Notice", "It begins on 4 May instead of 1 May.")
    assert outdated(*facts("How long may I keep a book?", OLD, news)) == [0, 0]
    assert outdated(*facts("When does it begin?", ("p.txt", "Plan", "It begins on 1 May."), notice)) == [2, 0]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Rules of the lending desk, 2021", "Rules of the lending desk, 2024", True),
        ("Report 12", "Report 13", False),
        ("Minutes, May", "Price list", False),
    ],
)
def test_versions_share_most_of_their_names(one, other, same):
    _, (first, second), _ = facts("What?", ("a.md", one, "It is so."), ("b.md", other, "It is so."))
    assert sisters(first.passage, second.passage) is same


def test_times_that_differ_contradict_although_they_share_figures():
    early = (*OLD[:2], "The desk is open from 9:00 to 17:00.")
    late = (*NEW[:2], "The desk is open from 10:00 to 18:00.")
    _, (one, other), _ = facts("When is the desk open?", early, late)
    assert contradicts(one, other)


@pytest.mark.parametrize(
    ("old", "new", "ended"),
    [
        ("The gym closes at 2 pm.", "The gym closes at 9 pm instead of 2 pm.", 2),
        ("The gym closes at 2 pm.", "From May the pool closes at 9 pm instead of 2 pm.", 0),
        ("The gym closes at 12 pm.", "The gym closes at 9 pm instead of 2 pm.", 0),
        ("The gym bar closes at 2 pm.", "The gym will be open till 9 pm instead of 2 pm.", 0),
        ("Talks last longer than 30 minutes.", "Talks may last no longer than 30 minutes.", 0),
    ],
)
def test_only_what_is_of_the_same_thing_is_so_no_longer(old, new, ended):
    told = facts("When does the gym close?", ("p.txt", "Plan", old), ("n.txt", "Notice", new))
    assert outdated(*told)[0] == ended
