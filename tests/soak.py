"""Soak: kills at random points, a full disk, two writers, a clock that jumps, damaged files; no part of CI.

    python tests/soak.py                                  everything; it takes an hour or two on two cores
    python tests/soak.py files --files 10000 --cases FOLDER
    python tests/soak.py kills --kills 500
    python tests/soak.py disk writers clock --minutes 5
    python tests/soak.py --state FOLDER                   goes on where a run with this folder was stopped

Every round is decided by ``--seed`` and its number, and counts as one line of ``rounds.jsonl`` in the state's
folder. What is looked for: a crash (an error that is none of ours, or a process that died by itself), a hang,
and a silent loss (what was acknowledged is gone, or a file is neither indexed nor rejected with a reason).
The findings are printed, their files kept, and the exit code is 1 where there are any.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import select
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
from soak_files import made_files, read_damaged

from hybrid.assistant import Assistant
from hybrid.changes import read_changes
from hybrid.config import load_settings
from hybrid.documents import supported_suffixes
from hybrid.errors import HybridError, UsageError
from hybrid.evaluation.outcomes import Outcome, append_outcomes, load_outcomes
from hybrid.index import Index
from hybrid.operations.feedback import Feedback, kept_answer
from hybrid.testing import HashEmbedder
from hybrid.tracing.spans import TraceSpan
from hybrid.tracing.store import TraceStore
from hybrid.types import Answer, Arm, Document

PARTS = ("kills", "disk", "writers", "clock", "files")
_HANG_SECONDS = 120.0
_FILES = 24


class Finding(Exception):
    """Something that must not happen."""


# --- a child does one piece of work, and tells what it was promised -------------------------------------


class Work:
    """A forked child that works on a folder; what it tells line by line was acknowledged to it."""

    def __init__(
        self, do: Callable[[Path, int, Callable[[str], None]], None], home: Path, number: int
    ) -> None:
        self.name = do.__name__
        told, tell = os.pipe()
        self.begun = time.monotonic()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(told)
            _work(do, home, number, tell)
        os.close(tell)
        self._told = told

    def end(self, *, kill_after: float | None = None) -> tuple[int, list[str]]:
        """Wait for the child, or kill it so many seconds after it began to work; return status and lines."""
        said, status, killed_at = b"", None, None
        starved, looked = dict[Path, float](), self.begun
        while status is None:
            # what it says is read meanwhile, or it would wait for us with a full pipe
            if select.select([self._told], [], [], 0.002)[0]:
                said += os.read(self._told, 1 << 16)
            now = time.monotonic()
            if kill_after is not None and killed_at is None and b"\n" in said:
                killed_at = now + kill_after
            if killed_at is not None and now >= killed_at:
                os.kill(self.pid, signal.SIGKILL)
            pid, code = os.waitpid(self.pid, os.WNOHANG)
            status = os.waitstatus_to_exitcode(code) if pid else None
            if now - looked > 1:
                looked = now
                starved |= _starved(self.pid)
            if status is None and now - self.begun - sum(starved.values()) > _HANG_SECONDS:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                raise Finding(
                    f"hang: {self.name} did not end in {_HANG_SECONDS:.0f} s that it had a processor"
                )
        while piece := os.read(self._told, 1 << 16):
            said += piece
        os.close(self._told)
        # what a kill cut short was not acknowledged
        return status, [line.decode() for line in said.split(b"\n")[:-1] if line != b"begun"]


def _starved(pid: int) -> dict[Path, float]:
    """Return how many seconds each thread of a process and its children was ready and had no processor.

    On a busy machine work takes many times as long; that is no hang. What waits for something that never
    comes is not ready, so its time runs out all the same.
    """
    found = dict[Path, float]()
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            for stat in Path(f"/proc/{one.pid}/task").glob("*/schedstat"):
                with contextlib.suppress(OSError):  # it ended meanwhile
                    found[stat] = int(stat.read_text().split()[1]) / 1e9
    return found


def _say(tell: int, line: str) -> None:
    rest = f"{line}\n".encode()
    while rest:
        rest = rest[os.write(tell, rest) :]


def _work(do: Callable[[Path, int, Callable[[str], None]], None], home: Path, number: int, tell: int) -> None:
    code = 70
    try:
        os.write(tell, b"begun\n")
        do(home, number, lambda line: _say(tell, line))
        code = 0
    except HybridError as error:
        os.write(tell, f"refused {type(error).__name__}: {error}\n".encode())
        code = 3
    except BaseException:
        _say(tell, f"crashed {traceback.format_exc()!r}")  # no file: the disk may be full
    finally:
        os._exit(code)


def asked(do: Callable[[Path, int, Callable[[str], None]], None], home: Path, number: int = 0) -> list[str]:
    """Do something in a child to its end, and return what it told."""
    status, lines = Work(do, home, number).end()
    if status != 0:
        raise Finding(f"crash: {do.__name__} ended with {status}: {'; '.join(lines)[-2_500:]}")
    return lines


# --- what is done ---------------------------------------------------------------------------------------


def _settings(home: Path) -> Any:
    return load_settings(
        {"indexes": str(home / "indexes"), "chunks": {"max_tokens": 30}, "documents": {"workers": 1}},
        file=Path(os.devnull),
        environment={},
    )


def _assistant(home: Path, domain: str = "manual") -> Assistant:
    return Assistant(domain, settings=_settings(home), embedder=HashEmbedder())


def _folder(home: Path, number: int) -> Path:
    """Write the folder as it is in a round: some files change, some come, some go."""
    folder = home / f"docs-{number % 2}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for place in range(_FILES):
        if place % 7 == number % 7:
            continue
        edition = number if place % 3 == 0 else 0
        text = (
            f"Words of file {place} in edition {edition}.\n\n"
            + f"It says number{place} of topic{place % 9}. " * 9
        )
        (folder / f"{place:03}.txt").write_text(text)
    shutil.rmtree(home / "docs", ignore_errors=True)
    folder.rename(home / "docs")
    return home / "docs"


def index_folder(home: Path, number: int, tell: Callable[[str], None]) -> None:
    """Bring the index to the folder."""
    report = _assistant(home).index(home / "docs")
    tell(f"generation {report.manifest.generation}")


def update_documents(home: Path, number: int, tell: Callable[[str], None]) -> None:
    """Put documents in that come from no file, and take others out, several times."""
    assistant = _assistant(home, "notes")
    for step in range(4):
        documents = [
            Document(f"note-{step}-{n}", f"Note {n} of step {step} in round {number}.") for n in range(3)
        ]
        assistant.update(documents, removed=[f"note-{(step + 2) % 4}-0"])
        tell(f"updated {number} {step}")


def upload_files(home: Path, number: int, tell: Callable[[str], None]) -> None:
    """Upload files into the domain of notes."""
    assistant = _assistant(home, "notes")
    for step in range(2):
        assistant.upload(f"up-{number}-{step}.txt", f"Uploaded {number} {step}.".encode())
        tell(f"uploaded up-{number}-{step}.txt")


def keep_feedback(home: Path, number: int, tell: Callable[[str], None]) -> None:
    """Keep answers and votes."""
    store = Feedback(home / "feedback.sqlite", keep_days=30)
    for step in range(60):
        name = f"{number}-{os.getpid()}-{step}"
        store.keep(kept_answer(name, Answer("q", "a" * 500, Arm.RAG, "extractive")))
        store.vote(name, 1 if step % 2 else -1, comment="so " * 20)
        tell(f"voted {name}")
    store.close()


def keep_traces(home: Path, number: int, tell: Callable[[str], None]) -> None:
    """Keep traces."""
    with TraceStore(home / "traces.sqlite") as store:
        for _ in range(80):
            now = time.time_ns()
            trace = f"{now // 1_000_000:012x}{random.SystemRandom().getrandbits(80):020x}"
            store.add(
                [TraceSpan(trace, f"{n:016x}", "", "ask", "CHAIN", now, now + 9, "", {}) for n in range(3)]
            )
            tell(f"traced {trace}")


def append_experiment(home: Path, number: int, tell: Callable[[str], None]) -> None:
    """Append outcomes of an experiment, which has one writer."""
    for step in range(60):
        key = f"{number}-{step}"
        append_outcomes(home / "outcomes.jsonl", [Outcome(key, "rag", "q", "an answer " * 30)])
        tell(f"outcome {key}")


_KEEPING = (keep_feedback, keep_traces, append_experiment)
_DOING = (index_folder, update_documents, keep_feedback, keep_traces, append_experiment, upload_files)


# --- what has to be there -------------------------------------------------------------------------------


def content(home: Path, number: int, tell: Callable[[str], None]) -> None:
    """Tell the content of the index, after every file of it was verified."""
    for domain in ("manual", "notes"):
        if not (home / "indexes" / domain / "CURRENT").exists():
            continue
        index = Index.open(home / "indexes" / domain)
        index.verify()
        everything = index.chunks(range(index.manifest.counts.chunks))
        axis = HashEmbedder().embed_queries(["words of topic3"])[0]
        if len(index.search_dense(axis, 3)) < 3 <= len(everything):
            raise Finding("silent loss: the vectors find less than there is")
        index.search_lexical("words topic3", 5)
        shown = [(chunk.source, chunk.text) for chunk in everything]
        index.close()
        tell(json.dumps([domain, sorted(shown)]))
    read_changes(home / "indexes")


def kept(home: Path, number: int, tell: Callable[[str], None]) -> None:
    """Tell everything that is kept beside the indexes."""
    for path in filter(Path.exists, (home / "feedback.sqlite", home / "traces.sqlite")):
        with contextlib.closing(sqlite3.connect(path)) as db:
            if db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise Finding(f"silent loss: {path.name} is damaged")
    if (home / "feedback.sqlite").exists():
        store = Feedback(home / "feedback.sqlite", keep_days=30)
        tell("\n".join(f"voted {rated.kept.id}" for rated in store.rated() if rated.votes))
        store.close()
    # there may be none
    with contextlib.suppress(UsageError), TraceStore(home / "traces.sqlite", read_only=True) as traces:
        tell("\n".join(f"traced {trace[0].trace}" for trace in traces.traces() if len(trace) == 3))
    if (home / "outcomes.jsonl").exists():
        tell("\n".join(f"outcome {one.key}" for one in load_outcomes(home / "outcomes.jsonl")))


def _shown(home: Path) -> dict[str, dict[str, str]]:
    """Return the texts of each domain by source, its chunks put together."""
    shown: dict[str, dict[str, str]] = {}
    for line in asked(content, home):
        domain, chunks = json.loads(line)
        shown[domain] = {}
        for source, text in chunks:
            shown[domain][source] = shown[domain].get(source, "") + text
    return shown


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise Finding(what)


# --- parts ----------------------------------------------------------------------------------------------


class Soak:
    """The rounds of one run, which another one goes on with."""

    def __init__(self, state: Path, seed: int, cases: Path | None) -> None:
        self.state, self.seed, self.cases = state, seed, cases
        self.home = state / "home"
        self.found = state / "found"
        for folder in (self.home, self.found):
            folder.mkdir(parents=True, exist_ok=True)
        self._log = state / "rounds.jsonl"
        self.done = Counter[str]()
        self.became = Counter[str]()
        self.findings: list[str] = []
        for line in self._log.read_text().splitlines() if self._log.exists() else ():
            with contextlib.suppress(ValueError):  # a line that was cut short is done again
                self._count(json.loads(line))
        # how long each kind of work takes here, so that a kill may come at any point of it
        self._usual: dict[str, float] = {}
        self._last: dict[str, dict[str, str]] = {}
        self._promised = self.state / "promised"

    def _count(self, line: dict[str, str]) -> None:
        self.done[line["part"]] += 1
        self.became[f"{line['part']}: {line['became']}"] += 1
        if line["wrong"]:
            self.findings.append(f"{line['part']} {line['number']}: {line['wrong']}")

    def note(self, part: str, became: str, wrong: str = "") -> None:
        """Write down a round."""
        line = {"part": part, "number": str(self.done[part]), "became": became, "wrong": wrong}
        with self._log.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        if wrong:
            print(f"{part} {line['number']}: {wrong}", file=sys.stderr, flush=True)
        self._count(line)

    def run(self, part: str, wanted: int, until: float) -> None:
        """Do the rounds of a part that are not done yet."""
        if part == "files":
            self._read_files(wanted, until)
            return
        do = {"kills": self._kill, "disk": self._fill, "writers": self._two, "clock": self._jump}[part]
        while self.done[part] < wanted and time.monotonic() < until:
            number = self.done[part]
            chance = random.Random(f"{self.seed}-{part}-{number}")
            try:
                became, wrong = do(number, chance), ""
            except Finding as error:
                became, wrong = "finding", str(error)
                shutil.copytree(self.home, self.found / f"{part}-{number}", dirs_exist_ok=True)
                shutil.rmtree(self.home)  # or the next rounds would only find it again
                self.home.mkdir()
                self._last = {}
                self._promised.unlink(missing_ok=True)
            self.note(part, became, wrong)

    def _kill(self, number: int, chance: random.Random) -> str:
        """Kill a piece of work at a random point, and look whether everything promised is there."""
        do = _DOING[number % len(_DOING)]
        if not (self.home / "indexes" / "manual" / "CURRENT").exists():
            _folder(self.home, number)
            asked(index_folder, self.home)
            asked(update_documents, self.home)
        before = self._last or _shown(self.home)
        if do is index_folder:
            _folder(self.home, number)
        usual = self._usual.get(do.__name__, 0.5)
        work = Work(do, self.home, number)
        status, lines = work.end(kill_after=chance.uniform(0, usual))
        if status not in (0, -signal.SIGKILL):
            raise Finding(f"crash: {do.__name__} ended with {status}: {'; '.join(lines)[-2_500:]}")
        # so that about one in three ends before its kill, and the others are hit anywhere
        self._usual[do.__name__] = min(max(usual * (0.8 if status == 0 else 1.1), 0.02), 10.0)
        self._promise(lines)
        self._look(before, number, do, lines)
        return f"{do.__name__} {'killed' if status else 'done before it'}"

    def _promise(self, lines: list[str]) -> None:
        with self._promised.open("a") as stream:
            stream.writelines(
                f"{line}\n" for line in lines if line.split()[0] in ("voted", "traced", "outcome")
            )

    def _look(
        self, before: dict[str, dict[str, str]], number: int, do: Callable[..., None], lines: list[str]
    ) -> None:
        """Look whether the index is the old one or the new one, and all that was promised is kept."""
        after = self._last = _shown(self.home)
        if do is index_folder:
            folder = {path.name: path.read_text() for path in (self.home / "docs").iterdir()}
            new = {source: "".join(text.split()) for source, text in folder.items()}
            old = {source: "".join(text.split()) for source, text in before["manual"].items()}
            now = {source: "".join(text.split()) for source, text in after["manual"].items()}
            same = now.keys() == new.keys() and all(
                edition_of(now[one]) == edition_of(new[one]) for one in new
            )
            _require(now == old or same, "silent loss: the index is neither the old one nor the new one")
            if lines:
                _require(same, "silent loss: an index that was acknowledged is not in force")
        else:
            _require(after["manual"] == before["manual"], "another domain changed")
        for line in lines:
            what, *rest = line.split()
            if what == "updated":
                told, step = rest
                source, text = f"note-{step}-1", f"Note 1 of step {step} in round {told}."
                _require(after["notes"].get(source) == text, f"silent loss: {source} of {line}")
            if what == "uploaded":
                _require(f".uploads/{rest[0]}" in after["notes"], f"silent loss: {line}")
        if do not in _KEEPING and number % 10:
            return
        there = set(asked(kept, self.home))
        promised = set(self._promised.read_text().splitlines()) if self._promised.exists() else set()
        _require(promised <= there, f"silent loss: {sorted(promised - there)[:3]} of {len(promised)}")

    def _fill(self, number: int, chance: random.Random) -> str:
        """Work where no file may become larger than so many bytes, or where the disk is full."""
        do = _DOING[number % len(_DOING)]
        with _small_disk(self.state / "disk", chance) as (home, full):
            _folder(home, 0)
            asked(index_folder, home)
            asked(update_documents, home)
            before = _shown(home)
            _folder(home, number + 1)
            most = None if full else chance.choice((0, 1_000, 5_000, 20_000, 60_000, 150_000))
            filler = home / "filler"
            if full:
                filler.write_bytes(bytes(max(0, shutil.disk_usage(home).free - chance.randrange(0, 900_000))))

            def limited(where: Path, round_number: int, tell: Callable[[str], None]) -> None:
                if most is not None:
                    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
                do(where, round_number, tell)

            status, lines = Work(limited, home, number).end()
            if status not in (0, 3):
                why = "; ".join(lines)[-2_500:]
                raise Finding(f"crash: {do.__name__} on a full disk ended with {status}: {why}")
            if full:
                filler.unlink()
            refused = next((line for line in lines if line.startswith("refused")), "")
            lines = [line for line in lines if not line.startswith("refused")]
            held, self.home, self._promised = (self.home, self._promised), home, home / "promised"
            try:
                self._promise(lines)
                self._look(before, number, do, lines)
                if refused:  # with room it ends well
                    again = asked(do, home, number)
                    self._promise(again)
                    self._look(before, number, do, again)
            finally:
                self.home, self._promised = held
                self._last = {}
            kind = refused.split()[1].rstrip(":") if refused else "done"
            return f"{'full disk' if full else 'limited files'}: {kind}"

    def _two(self, number: int, chance: random.Random) -> str:
        """Let two processes write the same files at once, and kill one of them in every second round."""
        do = (*_DOING[:4], upload_files)[number % 5]
        with tempfile.TemporaryDirectory(dir=self.state) as folder:
            home = Path(folder)
            _folder(home, number)
            if indexed := chance.random() < 0.7:
                asked(index_folder, home)
                asked(update_documents, home)
                _folder(home, number + 1)
            first, second = Work(do, home, 2 * number), Work(do, home, 2 * number + 1)
            killed = chance.random() < 0.5
            ended = [second.end(kill_after=chance.uniform(0, 0.6) if killed else None), first.end()]
            promised: set[str] = set()
            refused = 0
            for status, lines in ended:
                if status not in (0, 3, -signal.SIGKILL):
                    why = "; ".join(lines)[-2_500:]
                    raise Finding(f"crash: {do.__name__} beside another ended with {status}: {why}")
                refused += status == 3
                # nobody uploads into a domain that is not there yet
                expected = "IndexLocked" if indexed or do is not upload_files else "IndexMissing"
                if status == 3 and not {"IndexLocked", expected} & set(lines[-1].replace(":", "").split()):
                    raise Finding(f"crash: {do.__name__} beside another: {lines[-1]}")
                promised |= {line for line in lines if line.split()[0] in ("voted", "traced")}
            _require(promised <= set(asked(kept, home)), "silent loss: something promised is not kept")
            if do is not index_folder or not killed:
                _shown(home)
            asked(index_folder, home)
            folder_now = {path.name for path in (home / "docs").iterdir()}
            now = {source for source in _shown(home)["manual"] if not source.startswith(".uploads")}
            _require(now == folder_now, "silent loss: the index is not what the folder holds")
            return f"{do.__name__}: {'one killed' if killed else 'both'}, {refused} refused as locked"

    def _jump(self, number: int, chance: random.Random) -> str:
        """Work while the clock jumps back and forth, and files change under times that do not."""
        with tempfile.TemporaryDirectory(dir=self.state) as folder:
            home = Path(folder)

            def jumping(where: Path, round_number: int, tell: Callable[[str], None]) -> None:
                jump = random.Random(f"{self.seed}-jump-{number}")
                real, real_ns = time.time, time.time_ns
                # hours and days, within what is kept for 30 days
                shift = [0.0]

                def shifted() -> float:
                    if jump.random() < 0.05:
                        shift[0] = jump.choice((-9e5, -3_600.0, -1.0, 0.0, 1.0, 3_600.0, 9e5))
                    return real() + shift[0]

                time.time, time.time_ns = shifted, lambda: real_ns() + int(shift[0] * 1e9)
                keep_feedback(where, round_number, tell)
                keep_traces(where, round_number, tell)

            for turn in range(3):
                docs = _folder(home, number + turn)
                moment = chance.choice((0, 1, 4e9, 1.7e9, time.time() + 1e6))
                for path in docs.iterdir():
                    os.utime(path, (moment, moment))
                asked(index_folder, home)
                now = {source: edition_of(text) for source, text in _shown(home)["manual"].items()}
                there = {path.name: edition_of(path.read_text()) for path in docs.iterdir()}
                _require(now == there, "silent loss: a file changed under its old time and was not indexed")
            lines = [line for _ in range(2) for line in asked(jumping, home, number)]
            missing = set(lines) - set(asked(kept, home))
            _require(not missing, f"silent loss: {len(missing)} of {len(lines)} after the clock jumped")
            return "nothing lost"

    def _read_files(self, wanted: int, until: float) -> None:
        sources = made_files()
        if self.cases is not None:
            cases = (
                path for path in sorted(self.cases.rglob("*")) if path.suffix.lower() in supported_suffixes()
            )
            sources += [(path.name, path.read_bytes()) for path in cases if path.is_file()]

        def numbers() -> Iterator[int]:
            while self.done["files"] < wanted and time.monotonic() < until:
                yield self.done["files"]

        for seen in read_damaged(sources, numbers(), self.seed, keep=self.found):
            self.note("files", f"{seen.suffix} {seen.became}", seen.wrong)


def edition_of(text: str) -> str:
    """Return what tells the editions of a file apart."""
    return "".join(text.split()).partition("edition")[2].partition(".")[0]


@contextlib.contextmanager
def _small_disk(place: Path, chance: random.Random) -> Iterator[tuple[Path, bool]]:
    """Yield a folder, and whether it is a disk of its own that can be filled, which only root can have."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    wanted = chance.random() < 0.5 and os.geteuid() == 0
    options = "mount -t tmpfs -o size=6m tmpfs"
    full = wanted and os.system(f"{options} {place} 2>/dev/null") == 0
    try:
        yield place, full
    finally:
        if full:
            os.system(f"umount {place}")
        shutil.rmtree(place, ignore_errors=True)


def main() -> None:
    """Run the parts that were named, and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument(
        "--state", type=Path, help="a folder that another run can go on with; default: a new one"
    )
    parser.add_argument("--seed", type=int, default=19)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=60, help="of disk, writers and clock, each")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=240, help="each part stops after so many")
    parser.add_argument("--cases", type=Path, help="a folder of more sound files to damage")
    arguments = parser.parse_args()
    state = arguments.state or Path(tempfile.mkdtemp(prefix="hybrid-soak-"))
    soak = Soak(state.resolve(), arguments.seed, arguments.cases)
    wanted = {"kills": arguments.kills, "files": arguments.files}
    for part in arguments.parts or PARTS:
        begun = time.monotonic()
        soak.run(part, wanted.get(part, arguments.rounds), begun + 60 * arguments.minutes)
        print(
            f"{part}: {soak.done[part]} rounds, {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True
        )
    for became, count in sorted(soak.became.items()):
        print(f"{count:6}  {became}")
    for kind in ("crash", "hang", "silent", "unforeseen", "slow"):
        print(f"{kind}: {sum(f': {kind}' in finding for finding in soak.findings)}")
    print(f"findings: {len(soak.findings)} (their files: {soak.found})")
    sys.exit(bool(soak.findings))


if __name__ == "__main__":
    main()
