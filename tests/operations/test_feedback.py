"""Answers by id with their votes: who may read them, how long they stay, and what a kill leaves."""

import re
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from hybrid import Assistant, load_settings
from hybrid.cli.app import run
from hybrid.errors import StorageError, UsageError
from hybrid.grounding.values import Claim, ClaimVerdict, Excerpt, Status
from hybrid.operations.feedback import Feedback, ReviewOutcome, TrialSide, kept_answer
from hybrid.testing import HashEmbedder
from hybrid.types import Answer, Arm, Chunk, Document, Hit, Span

_DAY = 86_400.0


def answer(question="Which port?", text="It is 5432. [1]", **values):
    chunk = Chunk("port.txt", 0, 0, 35, "The default port of the server is 5432.", page=2)
    cited = (chunk.cited(1),)
    given = {"citations": cited, "hits": (Hit(chunk, 0.9),), "confidence": 0.8, "domain": "manual"} | values
    return Answer(question, text, Arm.RAG, "extractive", **given)


class Clock:
    now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    store = Feedback(tmp_path / "feedback.sqlite", keep_days=30, clock=clock)
    yield store
    store.close()


def test_what_was_kept_comes_back_without_the_text_that_was_only_read(store, clock):
    claim = Claim("It is 5432.", Span(0, 11), (1,))
    verdict = ClaimVerdict(claim, Status.SUPPORTED, 0.97, Excerpt(0, (Span(0, 39),), "The default port"))
    trial = TrialSide("longer", treated=True)
    given = kept_answer(
        *("one", answer()),
        conversation="c1",
        identity="digest",
        verdicts=[verdict],
        trial=trial,
        at=clock(),
    )
    store.keep(given)
    found = store.answer("one")
    assert found == given
    assert found.groundedness == 1.0
    assert found.answer.citations == answer().citations
    (place,) = found.passages
    assert (place.source, place.start, place.end, place.page, place.text) == ("port.txt", 0, 35, 2, "")
    assert store.answer("two") is None


def test_an_answer_is_judged_later_and_keeps_its_votes(store, clock):
    store.keep(kept_answer("one", answer(), at=clock()))
    store.vote("one", 1)
    store.keep(kept_answer("one", answer(), verdicts=[], at=clock()))
    (rated,) = store.rated()
    assert rated.score == 1
    assert rated.kept.verdicts == ()


@pytest.mark.parametrize(
    ("asked", "reads", "may"),
    [
        (None, None, True),
        (None, "anna", True),
        ("anna", "anna", True),
        (("anna", "staff"), ("anna", "board"), True),
        ("anna", None, False),
        ("anna", "bob", False),
        (("anna", "staff"), ("bob", "staff"), False),
        (("anna", "staff"), "staff", False),
        ((), (), False),
    ],
)
def test_only_who_asked_reads_and_votes(store, clock, asked, reads, may):
    store.keep(kept_answer("one", answer(), as_user=asked, at=clock()))
    assert (store.answer("one", as_user=reads) is not None) is may
    if may:
        store.vote("one", -1, as_user=reads)
        assert [rated.score for rated in store.rated()] == [-1]
    else:
        with pytest.raises(UsageError, match="there is no answer 'one'"):
            store.vote("one", -1, as_user=reads)


def test_the_last_word_of_each_voter_counts(store, clock):
    store.keep(kept_answer("one", answer(), at=clock()))
    store.vote("one", 1, as_user="anna")
    store.vote("one", -1, comment="x" * 9_999, as_user="anna")
    store.vote("one", -1, as_user="bob")
    (rated,) = store.rated(domain="manual")
    assert rated.score == -2
    assert {vote.voter: len(vote.comment) for vote in rated.votes} == {"anna": 4_000, "bob": 0}
    assert list(store.rated(domain="other")) == []
    with pytest.raises(UsageError, match="a vote of 5"):
        store.vote("one", 5)


def test_a_preference_over_four_arms_is_three_pairs_in_their_order(store, clock):
    for name in ("a", "b", "c", "d"):
        store.keep(kept_answer(name, answer(text=f"from {name}"), at=clock()))
    store.prefer("c", ["b", "c", "a", "d"])
    found = store.preferences(domain="manual")
    assert {(one.chosen.id, one.rejected.id, one.chosen_place, one.rejected_place) for one in found} == {
        ("c", "b", 1, 0),
        ("c", "a", 1, 2),
        ("c", "d", 1, 3),
    }
    store.keep(kept_answer("e", answer("Who?"), at=clock()))
    for chosen, shown in (("a", ["a"]), ("a", ["b", "c"]), ("a", ["a", "a"]), ("a", ["a", "e"])):
        with pytest.raises(UsageError):
            store.prefer(chosen, shown)


def test_after_its_days_an_answer_goes_with_all_that_was_said_of_it(store, clock, tmp_path):
    store.keep(kept_answer("old", answer(text="xyzzy-secret"), at=clock()))
    store.keep(kept_answer("older", answer(), at=clock()))
    store.vote("old", 1, comment="xyzzy-secret")
    store.prefer("old", ["old", "older"])
    store.reviewed("old", ReviewOutcome.ACCEPTED)
    clock.now += 20 * _DAY
    store.keep(kept_answer("later", answer(), at=clock()))
    clock.now += 11 * _DAY
    store.keep(kept_answer("new", answer(), at=clock()))
    assert [rated.kept.id for rated in store.rated()] == ["later", "new"]
    assert store.preferences() == []
    store.close()
    assert b"xyzzy" not in (tmp_path / "feedback.sqlite").read_bytes()


def test_a_clock_that_jumps_ahead_takes_nothing_for_a_day_and_says_so(store, clock, caplog):
    def kept():
        return [rated.kept.id for rated in store.rated()]

    store.keep(kept_answer("real", answer(), at=clock()))
    clock.now += 400 * _DAY
    store.keep(kept_answer("jumped", answer(), at=clock()))
    assert kept() == ["real", "jumped"]
    assert "by the clock no answer was kept for 400 days" in caplog.text
    clock.now -= 400 * _DAY - 3_600  # it was set right
    store.keep(kept_answer("right", answer(), at=clock()))
    assert kept() == ["real", "jumped", "right"]  # what a trial has shown stands on the first of them
    # it jumps again: the day begins anew
    clock.now += 401 * _DAY
    store.keep(kept_answer("again", answer(), at=clock()))
    assert kept() == ["real", "jumped", "right", "again"]


def test_what_is_too_old_goes_a_day_after_a_long_pause(store, clock, tmp_path):
    store.keep(kept_answer("old", answer(), at=clock()))
    store.close()
    left = []
    for days in (300, 0.5, 0.6):
        clock.now += days * _DAY
        again = Feedback(store.path, keep_days=30, clock=clock)
        left.append([rated.kept.id for rated in again.rated()])
        again.close()
    assert left == [["old"], ["old"], []]


@pytest.mark.slow
def test_a_domain_that_is_removed_takes_its_answers_along():
    settings = load_settings({}, environment={})
    assistant = Assistant("manual", settings=settings, embedder=HashEmbedder(64))
    assistant.update([Document("port.txt", "The default port of the server is 5432.")])
    store = Feedback.of(settings)
    for name, domain in (("one", "manual"), ("two", "kitchen")):
        store.keep(kept_answer(name, answer(domain=domain)))
    store.vote("one", 1)
    assert run(["remove", "--all", "--yes"]) == 0
    assert [rated.kept.id for rated in store.rated()] == ["two"]
    store.close()


def test_the_owner_turns_it_off_and_only_the_owner_reads_it(tmp_path):
    settings = load_settings({"feedback": {"keep_days": 0}, "indexes": str(tmp_path / "x")}, environment={})
    assert Feedback.of(settings) is None
    assert not (tmp_path / "x").exists()
    store = Feedback.of(load_settings({"indexes": str(tmp_path / "x")}, environment={}))
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    store.keep(kept_answer("one", answer()))
    store.close()
    assert Feedback.of(settings) is None  # turned off later: what was kept goes
    left = Feedback.of(load_settings({"indexes": str(tmp_path / "x")}, environment={}))
    assert list(left.rated()) == []
    left.close()


def test_a_file_of_another_version_or_a_damaged_one_is_refused(tmp_path):
    path = tmp_path / "feedback.sqlite"
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(UsageError, match="of version 99"):
        Feedback(path, keep_days=1)
    path.write_bytes(b"no database at all, whatever it says" * 40)
    with pytest.raises(StorageError, match="cannot be read"):
        Feedback(path, keep_days=1)


def test_threads_write_at_once(store, clock):
    def work(number):
        store.keep(kept_answer(f"{number}", answer(), at=clock() + number))
        store.vote(f"{number}", 1 if number % 2 else -1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(80)))
    found = list(store.rated())
    assert sorted(int(rated.kept.id) for rated in found) == list(range(80))
    assert sum(rated.score for rated in found) == 0


_WRITER = """
import sys
from pathlib import Path
from hybrid.operations.feedback import Feedback, kept_answer
from hybrid.types import Answer, Arm

store = Feedback(Path(sys.argv[1]), keep_days=30)
number = 0
while True:
    store.keep(kept_answer(f"{sys.argv[2]}-{number}", Answer("q", "a" * 2_000, Arm.RAG, "extractive")))
    store.vote(f"{sys.argv[2]}-{number}", 1)
    print(number, flush=True)
    number += 1
"""


@pytest.mark.slow
def test_a_kill_loses_nothing_that_was_written_by_several_processes(tmp_path, written_until_killed):
    path = tmp_path / "feedback.sqlite"
    told = written_until_killed(_WRITER, path, told_bytes=200)
    store = Feedback(path, keep_days=30)
    there = {rated.kept.id: rated.score for rated in store.rated()}
    store.close()
    for out in told:
        done = [int(number) for number in re.findall(r"^(\d+)\n", out.read_text(), re.MULTILINE)]
        assert len(done) > 20
        assert {there.get(f"{out.stem}-{number}") for number in done} == {1}
    check = sqlite3.connect(path)
    assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    check.close()


def test_what_a_replica_kept_is_taken_in_once_and_the_later_vote_counts(store, clock, tmp_path):
    other = Feedback(tmp_path / "other" / "feedback.sqlite", keep_days=30, clock=clock)
    for name in ("theirs", "both"):
        other.keep(kept_answer(name, answer(text=f"{name} says."), at=clock()))
    store.keep(kept_answer("both", answer(), at=clock()))
    for name, days in (("old", 31), ("between", 15)):
        other.keep(kept_answer(name, answer(), at=clock() - days * _DAY))
    other.prefer("theirs", ["both", "theirs"])
    other.vote("both", 1)
    clock.now += 1
    store.vote("both", -1)
    other.vote("theirs", 1)
    assert (store.take_in(other.path), store.take_in(other.path)) == (2, 0)
    found = {rated.kept.id: (rated.score, rated.kept.answer.text) for rated in store.rated()}
    assert found.pop("between") == (0, "It is 5432. [1]")
    assert found == {"theirs": (1, "theirs says."), "both": (-1, "both says.")}
    assert [one.chosen.id for one in store.preferences()] == ["theirs"]
    with pytest.raises(UsageError, match="no feedback"):
        store.take_in(tmp_path / "none.sqlite")
    other.close()
