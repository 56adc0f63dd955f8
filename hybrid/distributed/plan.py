"""A plan and its shards: batches cut once and written down, and a file a batch with what came out of it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import islice
from pathlib import Path

from hybrid.errors import StorageError
from hybrid.files import checked, hash_text, of_schema, write_atomic, write_json
from hybrid.models.device import versions

_SCHEMA = 1
_PLAN, _SUFFIX = "plan.json", ".shard"
_HINT = "remove the folder: it holds nothing that cannot be made again"


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """How many items a batch has, and the SHA-256 of their keys."""

    items: int
    sha256: str


@dataclass(frozen=True, slots=True)
class BatchInput:
    """A batch as a worker gets it: its number in the plan, and by item its key and its content."""

    number: int
    keys: tuple[str, ...]
    contents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shard:
    """What came out of a batch: the keys of its items, and bytes that the kind of work reads."""

    keys: tuple[str, ...]
    body: bytes


@dataclass(frozen=True)
class WorkPlan:
    """Batches in the order of their content, and all that makes the bytes that come out of them.

    The same contents, work and libraries are the same plan, in the same folder, so what a run that was killed
    has done is found again. ``work`` says what is done, with all that decides the result beside ``versions``.
    """

    work: str
    versions: Mapping[str, str]
    batches: tuple[PlannedBatch, ...]

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256 of all of it."""
        return hash_text(json.dumps(dataclasses.asdict(self), sort_keys=True))

    @property
    def items(self) -> int:
        """Return how many items all batches have."""
        return sum(batch.items for batch in self.batches)


@cache
def makes_bytes() -> Mapping[str, str]:
    """Return the versions of the libraries that decide what comes out of a batch."""
    return {name: value for name, value in versions().items() if name != "python"}


def cut(work: str, keys: Iterable[str], size: int) -> WorkPlan:
    """Cut ordered keys into batches of a fixed size."""
    rest, batches = iter(keys), []
    while batch := tuple(islice(rest, size)):
        batches.append(PlannedBatch(len(batch), hash_text(*batch)))
    return WorkPlan(work, makes_bytes(), tuple(batches))


def write_plan(plans: Path, plan: WorkPlan) -> Path:
    """Write a plan down where it is not yet; return its folder, where its shards go."""
    # absolute: a worker elsewhere has another current folder
    folder = plans.resolve() / plan.digest[:16]
    if not (folder / _PLAN).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / _PLAN, {"schema": _SCHEMA, "digest": plan.digest} | dataclasses.asdict(plan))
    return folder


def read_plan(folder: Path, digest: str) -> WorkPlan:
    """Return the plan of a folder, as a worker sees it."""
    path = folder / _PLAN
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StorageError(
            f"a worker cannot read {path}: {error}",
            hint="the folder of the domain has to be shared storage, at the same path on every machine",
        ) from error
    values = of_schema(content, _SCHEMA, str(path), hint=_HINT)
    told = values.pop("digest", "")
    plan = checked(WorkPlan, values, str(path), hint=_HINT)
    if not told == plan.digest == digest:
        raise StorageError(
            f"{path} is the plan {plan.digest[:12]}, and the one that is carried out is {digest[:12]}",
            hint=_HINT,
        )
    return plan


def write_shard(folder: Path, batch: BatchInput, body: bytes) -> None:
    """Write what came out of a batch: beside, fsync, rename."""
    about = {"batch": batch.number, "keys": batch.keys, "sha256": hashlib.sha256(body).hexdigest()}
    write_atomic(_path(folder, batch.number), json.dumps(about).encode() + b"\n" + body)


def read_shard(folder: Path, number: int, planned: PlannedBatch) -> Shard | None:
    """Return what came out of a batch; None if there is none, or it is cut or of another batch."""
    shard = _read(_path(folder, number))
    return shard if shard is not None and hash_text(*shard.keys) == planned.sha256 else None


def checked_before(folder: Path, number: int) -> Shard:
    """Return a shard that ``read_shard`` found whole while the folder was held, and do not check it again."""
    head, _, body = _path(folder, number).read_bytes().partition(b"\n")
    return Shard(tuple(json.loads(head)["keys"]), body)


def leftovers(plans: Path) -> Iterator[Shard]:
    """Yield the whole shards of all plans of a folder, and remove these."""
    for folder in sorted(plans.iterdir()):
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            if (shard := _read(path)) is not None:
                yield shard
        shutil.rmtree(folder, ignore_errors=True)


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:08}{_SUFFIX}"


def _read(path: Path) -> Shard | None:
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        about = json.loads(head)
        keys: Sequence[str] = about["keys"]
        whole = hashlib.sha256(body).hexdigest() == about["sha256"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return Shard(tuple(map(str, keys)), body) if whole else None
