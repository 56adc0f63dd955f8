"""Ablation: nothing dropped is the adapter, everything is the base, and parts that cost more are found."""

import pytest
import torch

from hybrid.adaptation.methods.ablation import ablate_deltas, delta_groups, without
from hybrid.adaptation.methods.deltas import Delta, read_deltas


def _deltas(blocks=4, rank=5):
    random = torch.Generator().manual_seed(1)
    return {
        f"model.layers.{block}.{part}": Delta(
            torch.randn(6, rank, generator=random), torch.randn(rank, 7, generator=random)
        )
        for block in range(blocks)
        for part in ("self_attn.q_proj", "mlp.up_proj")
    }


def test_parts_are_thirds_of_the_blocks_kinds_of_layers_and_directions():
    deltas = _deltas()
    groups = {group.name: group for group in delta_groups(deltas)}
    assert list(groups) == [
        *("blocks 0 to 0", "blocks 1 to 1", "blocks 2 to 3", "attention", "other layers"),
        *("direction 1", "direction 2", "directions 3 to 4", "direction 5"),
    ]
    assert groups["blocks 2 to 3"].layers == {name for name in deltas if ".2." in name or ".3." in name}
    assert all("self_attn" in name for name in groups["attention"].layers)
    one = {"model.layers.7.self_attn.q_proj": Delta(torch.ones(3, 1), torch.ones(1, 3))}
    assert delta_groups(one) == ()  # nothing of it can be left


def test_without_nothing_it_is_the_adapter_and_without_everything_the_base(tiny_adapter_folder):
    deltas = read_deltas(tiny_adapter_folder)
    assert without(deltas, []) == deltas
    directions = [group for group in delta_groups(deltas) if "direction" in group.name]
    blocks = [group for group in delta_groups(deltas) if "blocks" in group.name]
    assert len(directions) == 3 and len(blocks) == 2
    for groups in (directions, blocks):
        left = without(deltas, groups)
        assert left.keys() == deltas.keys()
        assert not any(bool(delta.dense.any()) for delta in left.values())


def test_a_direction_is_one_of_the_singular_value_decomposition():
    deltas = _deltas(blocks=1, rank=3)
    (first,) = [group for group in delta_groups(deltas) if group.name == "direction 1"]
    left_over = without(deltas, [first])
    assert left_over
    for name, delta in left_over.items():
        left, values, right = torch.linalg.svd(deltas[name].dense)
        expected = left[:, 1:3] * values[1:3] @ right[1:3]
        torch.testing.assert_close(delta.dense, expected, rtol=1e-3, atol=1e-4)


def test_what_brings_less_than_it_costs_is_told():
    deltas = _deltas()
    attention = [name for name in deltas if "self_attn" in name]

    def share(some, names):
        one, whole = (sum(float(each[name].dense.norm()) for name in names) for each in (some, deltas))
        return one / whole

    def losses(some):
        some = some or without(deltas, delta_groups(deltas)[:3])
        return 2.0 - 0.1 * share(some, deltas), 3.0 + 0.5 * share(some, attention)

    found = ablate_deltas(deltas, losses)
    assert found.whole.brings == pytest.approx(0.1) and found.whole.costs == pytest.approx(0.5)
    parts = {part.group.name: part for part in found.parts}
    assert parts["attention"].costs == pytest.approx(0.5) and not parts["attention"].pays
    assert parts["other layers"].costs == pytest.approx(0.0, abs=1e-6) and parts["other layers"].pays
    assert parts["attention"].group in found.unpaid and parts["other layers"].group not in found.unpaid
