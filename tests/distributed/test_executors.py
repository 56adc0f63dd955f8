"""Every executor writes the same shards; a batch whose worker dies is tried once more, and then named."""

import dataclasses
import threading

import pytest

from hybrid.distributed import executor_named
from hybrid.distributed.cluster import RayExecutor
from hybrid.distributed.executors import (
    SERIAL,
    Ended,
    Job,
    LostBatch,
    ProcessExecutor,
    ThreadExecutor,
    carry_out,
    opened,
)
from hybrid.distributed.plan import BatchInput, cut, write_plan, write_shard
from hybrid.errors import HybridError, ModelError, StorageError, UsageError
from tests.distributed.faults import Shout

_TEXTS = [f"text {number}" for number in range(11)]


def _load(number):
    texts = tuple(_TEXTS[2 * number : 2 * number + 2])
    return BatchInput(number, texts, texts)


def _carried(folder, executor, work=None, **options):
    return carry_out(
        cut("shout", _TEXTS, 2), folder / "plans", work or Shout(folder), _load, executor, **options
    )


def _bodies(carried):
    return [shard.body for shard in carried.shards()]


_EXPECTED = [" ".join(_TEXTS[first : first + 2]).upper().encode() for first in range(0, 11, 2)]


@pytest.mark.parametrize("executor", [SERIAL, ThreadExecutor(3)], ids=["serial", "threads"])
def test_threads_do_all_batches_and_tell_how_many_items_are_done(tmp_path, executor):
    told = []
    carried = _carried(tmp_path, executor, progress=told.append)
    assert _bodies(carried) == _EXPECTED
    assert carried.lost == ()
    assert told[0] == 0
    assert told[-1] == len(_TEXTS)
    assert told == sorted(told)


def test_a_run_goes_on_where_one_that_was_killed_stopped_and_makes_cut_shards_again(tmp_path):
    folder = _carried(tmp_path, SERIAL).folder
    cut_short, gone = folder / "00000001.shard", folder / "00000004.shard"
    cut_short.write_bytes(cut_short.read_bytes()[:-2])
    gone.unlink()
    done = []

    class Counting:
        def run(self, job, batches):
            for ended in SERIAL.run(job, batches):
                done.append(ended.number)
                yield ended

    assert _bodies(_carried(tmp_path, Counting())) == _EXPECTED
    assert done == [1, 4]


def test_a_shard_that_is_cut_again_and_again_is_named(tmp_path):
    class Cutting:
        def run(self, job, batches):
            for ended in SERIAL.run(job, batches):
                path = job.folder / "00000002.shard"
                if ended.number == 2:
                    path.write_bytes(path.read_bytes()[:-1])
                yield ended

    carried = _carried(tmp_path, Cutting())
    assert carried.lost == (LostBatch(2, "its shard was cut short, 2 times"),)
    assert _bodies(carried) == _EXPECTED[:2] + _EXPECTED[3:]


def test_what_a_batch_raises_is_raised_and_what_was_done_is_kept(tmp_path):
    with pytest.raises(ValueError, match="no word"):
        _carried(tmp_path, SERIAL, Shout(tmp_path, deadly="text 6", error="no word"))
    kept = sorted(path.name for path in (tmp_path / "plans").glob("*/*.shard"))
    assert kept == [f"{number:08}.shard" for number in range(3)]


def test_a_worker_with_another_version_other_weights_or_without_the_folder_is_refused(tmp_path):
    plan = cut("shout", _TEXTS, 2)
    other = dataclasses.replace(plan, versions=dict(plan.versions) | {"torch": "0.1"})
    folder = write_plan(tmp_path, other)
    with pytest.raises(ModelError, match=r"torch .* and not 0\.1: its results would be others"):
        opened(Job(Shout(tmp_path), folder, other.digest))
    folder = write_plan(tmp_path, plan)
    with pytest.raises(ModelError, match="other weights"):
        opened(Job(Shout(tmp_path, name="whisper"), folder, plan.digest))
    with pytest.raises(StorageError, match="cannot read"):
        opened(Job(Shout(tmp_path), tmp_path / "not shared", plan.digest))


@pytest.mark.parametrize(
    ("text", "executor"),
    [
        ("serial", SERIAL),
        ("threads:3", ThreadExecutor(3)),
        ("processes:2", ProcessExecutor(2)),
        ("ray", RayExecutor("")),
        ("ray:auto", RayExecutor("auto")),
        ("ray:10.0.0.1:6379", RayExecutor("10.0.0.1:6379")),
        ("ray://head:10001", RayExecutor("ray://head:10001")),
    ],
)
def test_an_executor_has_a_name(text, executor):
    assert executor_named(text) == executor
    assert executor_named("threads").workers >= 1


@pytest.mark.parametrize("text", ["", "serial:2", "threads:0", "processes:two", "dask", "processes:-1"])
def test_no_other_name_is_one(text):
    with pytest.raises(UsageError, match="there is no executor"):
        executor_named(text)


@pytest.mark.slow
def test_processes_write_the_same_shards_when_a_worker_is_killed_and_one_batch_is_tried_once_more(tmp_path):
    work = Shout(tmp_path, deadly="text 5", deaths=1)
    carried = _carried(tmp_path, ProcessExecutor(2), work)
    assert _bodies(carried) == _EXPECTED
    assert (tmp_path / "death-0").exists()


@pytest.mark.slow
def test_a_batch_that_kills_its_worker_twice_is_named_and_the_rest_goes_on(tmp_path):
    carried = _carried(tmp_path, ProcessExecutor(2), Shout(tmp_path, deadly="text 5", deaths=9))
    assert carried.lost == (LostBatch(2, "its worker was ended by SIGKILL, 2 times"),)
    assert _bodies(carried) == _EXPECTED[:2] + _EXPECTED[3:]


@pytest.mark.slow
def test_what_goes_wrong_in_a_worker_is_raised_with_its_kind(tmp_path):
    with pytest.raises(HybridError, match="ValueError in a worker: no word"):
        _carried(tmp_path, ProcessExecutor(1), Shout(tmp_path, deadly="text 6", error="no word"))
    with pytest.raises(UsageError, match="cannot be sent"):
        _carried(tmp_path, ProcessExecutor(1), Unsendable(tmp_path))


class Unsendable(Shout):
    def __reduce__(self):
        raise TypeError("it holds a lock")


@pytest.mark.slow
def test_no_process_is_left_when_a_run_is_given_up(tmp_path):
    plan = cut("shout", _TEXTS, 2)
    folder = write_plan(tmp_path, plan)
    before = threading.active_count()
    running = ProcessExecutor(2).run(Job(Shout(tmp_path), folder, plan.digest), map(_load, range(6)))
    assert isinstance(next(running), Ended)
    running.close()
    assert threading.active_count() == before
    write_shard(folder, _load(0), b"still writable")
