"""A plan is a function of its contents, and a shard is whole or it is none."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.distributed.plan import (
    BatchInput,
    Shard,
    cut,
    leftovers,
    read_plan,
    read_shard,
    write_plan,
    write_shard,
)
from hybrid.errors import StorageError, UsageError

_KEYS = st.lists(st.text("0123456789abcdef", min_size=4, max_size=4), max_size=40)


@given(keys=_KEYS, size=st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_batches_are_of_one_size_but_for_the_last_and_the_same_keys_are_the_same_plan(keys, size):
    plan = cut("work", keys, size)
    sizes = [batch.items for batch in plan.batches]
    assert plan.items == len(keys)
    assert all(one == size for one in sizes[:-1])
    assert all(0 < one <= size for one in sizes[-1:])
    assert cut("work", iter(keys), size) == plan
    assert cut("other work", keys, size).digest != plan.digest
    if len(set(keys)) > 1:
        assert cut("work", sorted(keys), size).digest != cut("work", sorted(keys, reverse=True), size).digest


def test_a_plan_is_written_once_with_the_versions_of_what_makes_the_bytes(tmp_path):
    plan = cut("work", ["a", "b", "c"], 2)
    folder = write_plan(tmp_path / "plans", plan)
    assert read_plan(folder, plan.digest) == plan
    assert {"torch", "numpy", "hybrid-assistant"} <= plan.versions.keys()
    before = (folder / "plan.json").stat().st_mtime_ns
    assert write_plan(tmp_path / "plans", plan) == folder
    assert (folder / "plan.json").stat().st_mtime_ns == before


def test_a_plan_that_is_missing_or_another_is_no_plan_to_work_on(tmp_path):
    plan = cut("work", ["a", "b", "c"], 2)
    with pytest.raises(StorageError, match="cannot read") as caught:
        read_plan(tmp_path / "elsewhere", plan.digest)
    assert "shared storage" in caught.value.hint
    folder = write_plan(tmp_path, plan)
    with pytest.raises(StorageError, match="is the plan"):
        read_plan(folder, cut("work", ["a"], 2).digest)
    text = (folder / "plan.json").read_text()
    (folder / "plan.json").write_text(text.replace('"work": "work"', '"work": "wirk"'))
    with pytest.raises(StorageError, match="is the plan"):
        read_plan(folder, plan.digest)
    (folder / "plan.json").write_text(text.replace('"schema": 1', '"schema": 7'))
    with pytest.raises(UsageError, match="schema 7"):
        read_plan(folder, plan.digest)


def test_a_shard_that_is_cut_changed_or_of_another_batch_is_none(tmp_path):
    plan = cut("work", ["a", "b", "c"], 2)
    first, last = plan.batches
    assert read_shard(tmp_path, 0, first) is None
    write_shard(tmp_path, BatchInput(0, ("a", "b"), ("", "")), b"one\ntwo")
    assert read_shard(tmp_path, 0, first) == Shard(("a", "b"), b"one\ntwo")
    assert read_shard(tmp_path, 0, last) is None
    path = next(tmp_path.glob("*.shard"))
    whole = path.read_bytes()
    damaged = [whole[:length] for length in range(len(whole))] + [whole[:-1] + b"x", b"[]\n", b"{}\n"]
    found = []
    for content in damaged:
        path.write_bytes(content)
        found.append(read_shard(tmp_path, 0, first))
    assert found == [None] * len(damaged)


def test_whole_shards_of_earlier_plans_are_handed_out_and_the_plans_removed(tmp_path):
    plan = cut("work", ["a", "b", "c"], 2)
    folder = write_plan(tmp_path, plan)
    write_shard(folder, BatchInput(0, ("a", "b"), ("", "")), b"whole")
    write_shard(folder, BatchInput(1, ("c",), ("",)), b"to be cut")
    last = folder / "00000001.shard"
    last.write_bytes(last.read_bytes()[:-3])
    assert list(leftovers(tmp_path)) == [Shard(("a", "b"), b"whole")]
    assert list(tmp_path.iterdir()) == []


def test_other_versions_are_another_plan():
    plan = cut("work", ["a"], 2)
    other = dataclasses.replace(plan, versions=dict(plan.versions) | {"torch": "0.1"})
    assert other.digest != plan.digest
