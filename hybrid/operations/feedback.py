"""Human feedback on answers: what was answered, by id, and the votes, preferences and reviews it got."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path

from hybrid.config import Settings
from hybrid.errors import StorageError, UsageError
from hybrid.files import adapter_of, json_text, storage_errors
from hybrid.grounding.values import ClaimVerdict, share_supported
from hybrid.types import Answer, Citation, plain, principals_of

FEEDBACK_FILE = "feedback.sqlite"
_VERSION = 1
# What is said of answers, by what tells one word from another; of two the later counts.
_SAID = {"votes": "answer, voter", "preferences": "chosen, rejected, voter", "reviews": "answer"}
_BUSY_SECONDS = 10.0
_DAY, _PURGE_SECONDS = 86_400.0, 3_600.0
_LONGEST_COMMENT = 4_000
_log = logging.getLogger("hybrid.operations")


@dataclass(frozen=True, slots=True)
class TrialSide:
    """The experiment that an answer is part of; ``beside`` is the shown answer that a shadow goes with.

    An answer with it was shown to nobody.
    """

    experiment: str
    treated: bool
    beside: str = ""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it was given, under the id that the client got.

    ``answer`` is without its hits: ``passages`` are their places, without their text, in that order.
    ``identity`` is a digest of all that decided it, ``principals`` who asked, None for nobody by name;
    ``verdicts`` are the judge's, claim by claim, None where it was not asked. ``time`` is in seconds since
    1970.
    """

    id: str
    time: float
    answer: Answer
    passages: tuple[Citation, ...] = ()
    conversation: str = ""
    identity: str = ""
    principals: tuple[str, ...] | None = None
    verdicts: tuple[ClaimVerdict, ...] | None = None
    trial: TrialSide | None = None

    @property
    def groundedness(self) -> float | None:
        """Return the share of judged claims that the passages carry, from 0 to 1; None if none was judged."""
        return None if self.verdicts is None else share_supported(self.verdicts)


def kept_answer(
    id: str,
    answer: Answer,
    *,
    conversation: str = "",
    identity: str = "",
    as_user: str | Sequence[str] | None = None,
    verdicts: Sequence[ClaimVerdict] | None = None,
    trial: TrialSide | None = None,
    at: float | None = None,
) -> KeptAnswer:
    """Return an answer as it is kept: of its passages the places, and of its domain's text what it cites.

    Args:
        id: what a client asks for it by.
        answer: with its hits.
        conversation: the turns of one have the same.
        identity: a digest of all that decided it, as ``Assistant.identity`` says.
        as_user: who asked, as in ``Assistant.ask``.
        verdicts: of the judge, see ``Assistant.check``.
        trial: the experiment that it is part of.
        at: seconds since 1970; default: now.
    """
    cited = (hit.chunk.cited(number) for number, hit in enumerate(answer.hits, start=1))
    return KeptAnswer(
        id,
        time.time() if at is None else at,
        dataclasses.replace(answer, hits=()),
        tuple(dataclasses.replace(place, text="") for place in cited),
        conversation,
        identity,
        principals_of(as_user),
        None if verdicts is None else tuple(verdicts),
        trial,
    )


class ReviewOutcome(StrEnum):
    """What a person made of an answer that waited for review."""

    ACCEPTED = "accepted"
    CORRECTED = "corrected"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Vote:
    """Thumbs up (+1) or down (−1), by whom, empty for nobody by name, and why in their words."""

    value: int
    comment: str
    voter: str
    time: float


@dataclass(frozen=True, slots=True)
class RatedAnswer:
    """A kept answer with its votes, and what became of it in review, None before one."""

    kept: KeptAnswer
    votes: tuple[Vote, ...] = ()
    outcome: ReviewOutcome | None = None

    @property
    def score(self) -> int:
        """Return the votes for it less those against it."""
        return sum(vote.value for vote in self.votes)


class TrialMetric(StrEnum):
    """What an answer scores, from 0 to 1.

    ``votes``: 1 where more were for it than against it, 0 the other way round, ½ otherwise. ``grounded``: the
    share of its judged claims that its passages carry, 0 where it asserts nothing. ``answered``: 1 unless it
    declined.
    """

    VOTES = "votes"
    GROUNDED = "grounded"
    ANSWERED = "answered"

    def score(self, rated: RatedAnswer) -> float | None:
        """Return what an answer scores; None where the judge was not asked."""
        kept = rated.kept
        if self is TrialMetric.VOTES:
            return (1 + math.copysign(bool(rated.score), rated.score)) / 2
        if self is TrialMetric.ANSWERED or kept.answer.abstained:
            return float(not kept.answer.abstained)
        return None if kept.verdicts is None else kept.groundedness or 0.0


@dataclass(frozen=True, slots=True)
class Preference:
    """Two answers to one question of which somebody preferred one without knowing which arm gave it.

    The places, from 0, say in which order they were shown, for what comes first is preferred for that alone.
    """

    chosen: KeptAnswer
    rejected: KeptAnswer
    chosen_place: int
    rejected_place: int
    voter: str
    time: float


class Feedback:
    """Answers by id with the votes, preferences and reviews that they got, in one file for all domains.

    Questions and answers are content, so they are kept only where the owner wants it and only so long. What
    was written survives a kill; several threads and processes may write at once.

    A clock that jumped ahead takes nothing: where no answer was kept for more than ``keep_days`` between
    those that are too old and the next one, or now, they wait for a day by that clock, with a warning.

    Args:
        path: of the file; only its owner may read it.
        keep_days: after so many days an answer goes, with all that was said of it.
        clock: seconds since 1970.

    Raises:
        UsageError: the file is of another version.
        StorageError: it cannot be read or written.
    """

    def __init__(self, path: Path, *, keep_days: int, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._keep_seconds, self._clock = keep_days * _DAY, clock
        self._lock = threading.Lock()
        with storage_errors(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
        self._db = self._connect()
        self._purged = 0.0
        with self._using() as db:
            self._purge(db)

    @classmethod
    def of(cls, settings: Settings) -> Feedback | None:
        """Open what the settings keep of answers; None where they keep nothing, and what was kept goes."""
        path, days = Path(settings.indexes) / FEEDBACK_FILE, settings.feedback.keep_days
        if not days and not path.exists():
            return None
        kept = cls(path, keep_days=days)
        if days:
            return kept
        kept.close()
        return None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def keep(self, kept: KeptAnswer) -> None:
        """Keep an answer; under an id that is there already in its place, such as once it was judged."""
        experiment = kept.trial.experiment if kept.trial is not None else ""
        row = (kept.id, kept.time, kept.answer.domain, experiment, json_text(plain(kept)))
        with self._using() as db:
            db.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?, ?) ON CONFLICT(id) DO UPDATE"
                " SET kept = excluded.kept, domain = excluded.domain, experiment = excluded.experiment",
                row,
            )
            self._purge(db)

    def take_in(self, other: Path) -> int:
        """Take in the answers of another file, such as that of a replica, with what was said of them.

        Done again it changes nothing: an answer is known by its id, and of two votes of one voter the later
        counts. Return how many answers were not here before; what is too old goes at once.

        Raises:
            UsageError: there is no such file, or it is of another version.
            StorageError: it is damaged.
        """
        if not other.is_file():
            raise UsageError(f"there is no feedback in {other.parent}", hint="name the folder of a replica")
        Feedback(other, keep_days=int(self._keep_seconds / _DAY), clock=self._clock).close()  # a whole one
        with self._using() as db:
            db.execute("ATTACH ? AS theirs", [str(other)])
        try:
            with self._using() as db:
                before = int(db.execute("SELECT count(*) FROM main.answers").fetchone()[0])
                db.execute(
                    "INSERT INTO answers SELECT * FROM theirs.answers WHERE true ON CONFLICT(id)"
                    " DO UPDATE SET kept = excluded.kept"
                )
                new: int = int(db.execute("SELECT count(*) FROM main.answers").fetchone()[0]) - before
                for table, key in _SAID.items():
                    same = " AND ".join(f"o.{column} = t.{column}" for column in key.split(", "))
                    db.execute(
                        f"INSERT OR REPLACE INTO main.{table} SELECT * FROM theirs.{table} t WHERE NOT EXISTS"
                        f" (SELECT 1 FROM main.{table} o WHERE {same} AND o.time >= t.time)"
                    )
                self._purged = 0.0
                self._purge(db)
        finally:
            with self._using() as db:
                db.execute("DETACH theirs")
        return new

    def forget(self, domain: str) -> None:
        """Let go of all answers of a domain, with all that was said of them."""
        with self._using() as db:
            db.execute("DELETE FROM answers WHERE domain = ?", (domain,))

    def answer(self, id: str, *, as_user: str | Sequence[str] | None = None) -> KeptAnswer | None:
        """Return an answer; None where there is none, or it was given to another user.

        What was asked in nobody's name was read from documents that say nothing of who may read them.
        """
        with self._using() as db:
            row = db.execute("SELECT kept FROM answers WHERE id = ?", (id,)).fetchone()
        if row is None:
            return None
        kept = self._read(row[0])
        principals = principals_of(as_user)
        mine = kept.principals is None or (principals and kept.principals[:1] == principals[:1])
        return kept if mine else None

    def vote(
        self, id: str, value: int, *, comment: str = "", as_user: str | Sequence[str] | None = None
    ) -> None:
        """Say that an answer was good (1) or bad (−1), and why; the last word of a voter counts."""
        if value not in (1, -1):
            raise UsageError(f"a vote of {value!r}", hint="1 for a good answer, -1 for a bad one")
        self._require([id], as_user)
        row = (id, _voter(as_user), value, comment[:_LONGEST_COMMENT], self._clock())
        with self._using() as db:
            db.execute("INSERT OR REPLACE INTO votes VALUES (?, ?, ?, ?, ?)", row)

    def prefer(
        self, chosen: str, shown: Sequence[str], *, as_user: str | Sequence[str] | None = None
    ) -> None:
        """Say which of several answers to one question was preferred, without knowing which arm gave which.

        Args:
            chosen: the id of the answer.
            shown: the ids of all, in the order in which they were shown.
            as_user: who asked, as in ``answer``.
        """
        if chosen not in shown or not 1 < len(shown) == len(set(shown)):
            raise UsageError(
                f"{chosen!r} preferred of {len(shown)} answers: {', '.join(shown)}",
                hint="name two or more answers, each once, and one of them as the preferred one",
            )
        kept = self._require(shown, as_user)
        if len({one.answer.question for one in kept}) > 1:
            raise UsageError("the answers are to several questions", hint="compare answers to one question")
        place = list(shown).index(chosen)
        rows = [
            (chosen, other, place, other_place, _voter(as_user), self._clock())
            for other_place, other in enumerate(shown)
            if other != chosen
        ]
        with self._using() as db:
            db.executemany("INSERT OR REPLACE INTO preferences VALUES (?, ?, ?, ?, ?, ?)", rows)

    def reviewed(self, id: str, outcome: ReviewOutcome) -> None:
        """Say what a person made of an answer in review, which waits for it no longer."""
        with self._using() as db:
            db.execute("INSERT OR REPLACE INTO reviews VALUES (?, ?, ?)", (id, outcome, self._clock()))

    def rated(self, *, domain: str | None = None, experiment: str | None = None) -> Iterator[RatedAnswer]:
        """Yield the answers of a domain, an experiment or all, with their votes, as they were kept.

        What comes later stands behind what was there, whatever the clock says: looks at a trial count on it.
        """
        wanted = {"domain": domain, "experiment": experiment}
        named = {column: value for column, value in wanted.items() if value is not None}
        where = " AND ".join(f"a.{column} = :{column}" for column in named) or "1"
        with closing(self._connect()) as db, _errors(self.path):
            votes: dict[str, list[Vote]] = {}
            cast = "SELECT v.answer, v.value, v.comment, v.voter, v.time FROM votes v JOIN answers a"
            for answer, *vote in db.execute(f"{cast} ON a.id = v.answer WHERE {where}", named):
                votes.setdefault(answer, []).append(Vote(*vote))
            rows = db.execute(
                "SELECT a.id, a.kept, r.outcome FROM answers a LEFT JOIN reviews r ON r.answer = a.id"
                f" WHERE {where} ORDER BY a.rowid",
                named,
            )
            for key, kept, outcome in rows:
                reviewed = ReviewOutcome(outcome) if outcome else None
                yield RatedAnswer(self._read(kept), tuple(votes.get(key, ())), reviewed)

    def preferences(self, *, domain: str | None = None) -> list[Preference]:
        """Return which answers were preferred to which, the oldest first."""
        with closing(self._connect()) as db, _errors(self.path):
            rows = db.execute(
                "SELECT c.kept, r.kept, chosen_place, rejected_place, voter, p.time FROM preferences p"
                " JOIN answers c ON c.id = chosen JOIN answers r ON r.id = rejected"
                " WHERE :domain IS NULL OR c.domain = :domain ORDER BY p.time, chosen, rejected",
                {"domain": domain},
            ).fetchall()
        return [Preference(self._read(one), self._read(other), *told) for one, other, *told in rows]

    def _require(self, ids: Sequence[str], as_user: str | Sequence[str] | None) -> list[KeptAnswer]:
        found = [self.answer(one, as_user=as_user) for one in ids]
        there = [kept for kept in found if kept is not None]
        if len(there) < len(found):
            raise UsageError(
                f"there is no answer {ids[found.index(None)]!r}",
                hint=f"answers are kept for {self._keep_seconds / _DAY:.0f} days",
            )
        return there

    def _purge(self, db: sqlite3.Connection) -> None:
        """Let go of what is too old, at most once an hour."""
        # a clock that went back says nothing of the last time
        if 0 <= (now := self._clock()) - self._purged < _PURGE_SECONDS:
            return
        self._purged, oldest = now, now - self._keep_seconds
        if not self._doubted(db, now, oldest):
            db.execute("DELETE FROM answers WHERE time < ?", (oldest,))
            db.execute("DROP TABLE IF EXISTS main.doubted")

    def _doubted(self, db: sqlite3.Connection, now: float, oldest: float) -> bool:
        """Tell whether the clock may have jumped ahead, and was not seen to stand there for a day."""
        around = "max(time) FILTER (WHERE time < :t), min(time) FILTER (WHERE time >= :t)"
        last, following = db.execute(f"SELECT {around} FROM answers", {"t": oldest}).fetchone()
        pause = 0.0 if last is None else (now if following is None else min(now, following)) - last
        if pause <= self._keep_seconds or not self._keep_seconds:
            return False
        db.execute("CREATE TABLE IF NOT EXISTS main.doubted(time REAL NOT NULL)")
        since = db.execute("SELECT max(time) FROM main.doubted").fetchone()[0]
        if since is None or since > now:
            db.execute("DELETE FROM main.doubted")
            db.execute("INSERT INTO main.doubted VALUES (?)", (since := now,))
        if now - since >= _DAY:
            return False
        told = "by the clock no answer was kept for %.0f days, and all before are too old; they go in a day"
        _log.warning(f"%s: {told}, unless the clock is set right", self.path, pause / _DAY)
        return True

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, check_same_thread=False)
        try:
            with _errors(self.path):
                db.execute("PRAGMA journal_mode = WAL")
                # after a kill nothing is missing, after a power cut the last moments may be
                db.execute("PRAGMA synchronous = NORMAL")
                db.execute("PRAGMA foreign_keys = ON")
                db.execute("PRAGMA secure_delete = ON")  # what is let go is not left lying in the file
                self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Make the tables in a new file; one process does, and the others wait for it."""
        if _version(db) == _VERSION:
            return
        db.execute("BEGIN IMMEDIATE")
        found = _version(db)
        if found == 0:
            schema = (resources.files("hybrid.operations") / "feedback.sql").read_text(encoding="utf-8")
            for statement in schema.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {_VERSION}")
        db.commit()
        if found not in (0, _VERSION):
            raise UsageError(
                f"{self.path} is of version {found}, this program writes version {_VERSION}",
                hint="move the file away, or use the version of the program that wrote it",
            )

    @contextlib.contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection of this process, and commit at the end."""
        with self._lock, _errors(self.path), self._db:
            yield self._db

    def _read(self, text: str) -> KeptAnswer:
        from pydantic import ValidationError

        try:
            kept: KeptAnswer = adapter_of(KeptAnswer).validate_json(text, strict=True)
        except ValidationError as error:
            raise _damaged(self.path, error.errors()[0]["msg"]) from error
        return kept


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
    with storage_errors(str(path)):
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # a mistake of ours, such as a closed file
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            raise _damaged(path, str(error)) from error


def _damaged(path: Path, why: str) -> StorageError:
    return StorageError(f"{path} cannot be read: {why}", hint="move it away: a new one is begun")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _voter(as_user: str | Sequence[str] | None) -> str:
    return next(iter(principals_of(as_user) or ()), "")
