"""A plan carried out and put together: what has no whole shard is done, and the shards are read in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hybrid.distributed.executors import Executor, Job, Work
from hybrid.distributed.plan import BatchInput, Shard, WorkPlan, checked_before, read_shard, write_plan

_TRIES = 2


@dataclass(frozen=True, slots=True)
class LostBatch:
    """A batch of a plan that came to nothing twice, and why."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Carried:
    """A plan that was carried out: its folder, and the batches that there is no shard of."""

    plan: WorkPlan
    folder: Path
    lost: tuple[LostBatch, ...]

    def shards(self) -> Iterator[Shard]:
        """Yield the shard of every batch that is not lost, in the order of the plan.

        Each was checked when it was carried out, and the folder is held since: it is not done again here.
        """
        lost = {one.number for one in self.lost}
        for number in range(len(self.plan.batches)):
            if number not in lost:
                yield checked_before(self.folder, number)


def carry_out(
    plan: WorkPlan,
    plans: Path,
    work: Work,
    load: Callable[[int], BatchInput],
    executor: Executor,
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> Carried:
    """Do every batch of a plan that has no whole shard; one whose worker dies is tried once more.

    Args:
        plan: as it was cut.
        plans: the folder of all plans; workers see it at the same path.
        work: what is done.
        load: gives the content of a batch.
        executor: who does it.
        progress: told after every batch how many items are done.

    Raises:
        HybridError: what a batch raised, or no worker could begin. What is done is kept for the next run.
    """
    folder = write_plan(plans, plan)
    deaths: dict[int, str] = {}
    missing = _missing(folder, plan, range(len(plan.batches)))
    for _ in range(_TRIES):
        if not missing:
            break
        done = plan.items - sum(plan.batches[number].items for number in missing)
        progress(done)
        for ended in executor.run(Job(work, folder, plan.digest), (load(number) for number in missing)):
            if ended.death:
                deaths[ended.number] = ended.death
            else:
                done += plan.batches[ended.number].items
                progress(done)
        missing = _missing(folder, plan, missing)
    lost = [
        LostBatch(number, deaths.get(number, "its shard was cut short") + f", {_TRIES} times")
        for number in missing
    ]
    return Carried(plan, folder, tuple(lost))


def _missing(folder: Path, plan: WorkPlan, among: Iterable[int]) -> list[int]:
    return [number for number in among if read_shard(folder, number, plan.batches[number]) is None]
