"""Tests of merging, ablation and drift."""

import json
import shutil

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.adaptation.methods.deltas import (
    Delta,
    Recipe,
    ablate_deltas,
    delta_groups,
    effective_rank,
    entrywise,
    measure_drift,
    merge_deltas,
    nearest,
    principal_angles,
    read_deltas,
    search_weights,
    without,
    write_deltas,
)
from hybrid.adaptation.values import Merging
from hybrid.errors import AdapterError, UsageError
from hybrid.models.adapters import merged_weights, read_config
from hybrid.models.pretrained import load_causal

_DOMAIN = ["the default port of the server is a port", "and to the server in the port"]
_GENERAL = ["a server is the default", "is a port in the server and the default"]


def _delta(seed, rank=3, rows=7, columns=5):
    random = torch.Generator().manual_seed(seed)
    return Delta(torch.randn(rows, rank, generator=random), torch.randn(rank, columns, generator=random))


def _ties(changes, weights, density):
    """Trim, elect, merge: section 4.2 of the paper, by loops."""
    trimmed = []
    for change in changes:
        flat = np.abs(change).ravel()
        kept = np.argsort(-flat, kind="stable")[: int(density * flat.size)]
        mask = np.zeros(flat.size)
        mask[kept] = 1
        trimmed.append(change * mask.reshape(change.shape))
    merged = np.zeros_like(changes[0])
    for place in np.ndindex(merged.shape):
        values = [change[place] for change in trimmed]
        sign = 1 if sum(values) >= 0 else -1
        agree = [w * v for w, v in zip(weights, values, strict=True) if v != 0 and np.sign(v) == sign]
        merged[place] = sum(agree) / max(len(agree), 1)
    return merged


@given(seed=st.integers(0, 999), density=st.sampled_from([0.2, 0.5, 0.8, 1.0]))
@settings(max_examples=20, deadline=None)
def test_ties_is_that_of_the_paper(seed, density):
    changes = [_delta(seed + place).dense for place in range(3)]
    weights = [1.0, 0.5, 0.25]
    expected = _ties([change.numpy() for change in changes], weights, density)
    found = entrywise(changes, weights, Recipe(Merging.TIES, density=density))
    assert found.shape == changes[0].shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_dare_keeps_what_it_draws_rescaled_and_by_the_seed():
    changes = [torch.ones(40, 50), 3 * torch.ones(40, 50)]
    recipe = Recipe(Merging.DARE_LINEAR, density=0.25)
    torch.manual_seed(1)
    found = entrywise(changes, [1.0, 1.0], recipe)
    # none, the one, the other or both, each by 1 / density
    assert {round(value, 3) for value in found.unique().tolist()} == {0.0, 4.0, 12.0, 16.0}
    assert float(found.mean()) == pytest.approx(4.0, rel=0.1)
    parts = [{"layer": _delta(1)}, {"layer": _delta(2)}]
    same, again, other = (
        merge_deltas(parts, [1, 1], Recipe(Merging.DARE_TIES, seed=seed)).deltas["layer"].dense
        for seed in (3, 3, 4)
    )
    assert torch.equal(same, again) and not torch.allclose(same, other)


@given(seeds=st.lists(st.integers(0, 999), min_size=2, max_size=4), by=st.sampled_from(list(Merging)))
@settings(max_examples=25, deadline=None)
def test_at_full_density_and_rank_changes_are_added_or_averaged(seeds, by):
    parts = [{"layer": _delta(seed, rank=1 + place)} for place, seed in enumerate(seeds)]
    weights = [1 / (1 + place) for place in range(len(seeds))]
    found = merge_deltas(parts, weights, Recipe(by, density=1.0, rank=10))
    total = sum(weight * part["layer"].dense for weight, part in zip(weights, parts, strict=True))
    assert found.kept == pytest.approx(1.0, abs=1e-4)
    if "ties" not in by:
        torch.testing.assert_close(found.deltas["layer"].dense, total, rtol=1e-3, atol=1e-4)


def test_a_smaller_rank_keeps_the_largest_directions_and_says_how_much():
    parts = [{"a": _delta(1), "b": _delta(2)}, {"a": _delta(3, rank=2)}]
    found = merge_deltas(parts, [1.0, 2.0], Recipe(Merging.LINEAR))
    assert {name: len(delta.down) for name, delta in found.deltas.items()} == {"a": 3, "b": 3}
    exact = parts[0]["a"].dense + 2 * parts[1]["a"].dense
    left, values, right = torch.linalg.svd(exact)
    best = left[:, :3] * values[:3] @ right[:3]
    torch.testing.assert_close(found.deltas["a"].dense, best, rtol=1e-3, atol=1e-4)
    whole = exact.square().sum() + parts[0]["b"].dense.square().sum()
    lost = values[3:].square().sum()
    assert found.kept == pytest.approx(float(1 - lost / whole), abs=1e-5)
    torch.testing.assert_close(nearest(exact, 3).dense, best, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("by", "peft"), [(Merging.CAT, "cat"), (Merging.TIES, "ties_svd"), (Merging.LINEAR, "svd")]
)
def test_what_is_written_is_what_peft_merges(
    tiny_generator_folder, tiny_adapter_folder, other_adapter_folder, tmp_path, by, peft
):
    from peft import PeftModel

    folders = [tiny_adapter_folder, other_adapter_folder]  # of the ranks 4 and 2, the second with rsLoRA
    recipe = Recipe(by, rank=0 if by is Merging.CAT else 6)
    found = merge_deltas([read_deltas(folder) for folder in folders], [1.0, 0.5], recipe)
    out = write_deltas(tmp_path / "out", found.deltas, [read_config(folder) for folder in folders])
    model = PeftModel.from_pretrained(
        load_causal(tiny_generator_folder, dtype=torch.float32), folders[0], adapter_name="one"
    )
    model.load_adapter(folders[1], adapter_name="two")
    options = {} if peft == "cat" else {"svd_rank": 6} | ({"density": 0.5} if peft == "ties_svd" else {})
    model.add_weighted_adapter(["one", "two"], [1.0, 0.5], "both", combination_type=peft, **options)
    base = load_causal(tiny_generator_folder, dtype=torch.float32)
    changed = merged_weights(base, out).tensors
    own = dict(base.named_parameters())
    assert len(changed) > 3
    for name, value in changed.items():
        layer = model.get_submodule(f"base_model.model.{name.removesuffix('.weight')}")
        expected = layer.get_delta_weight("both").detach()
        torch.testing.assert_close(value - own[name], expected, rtol=1e-2, atol=2e-3)


def test_what_is_written_as_it_was_read_does_the_same(tiny_generator_folder, other_adapter_folder, tmp_path):
    out = write_deltas(
        tmp_path / "out", read_deltas(other_adapter_folder), [read_config(other_adapter_folder)]
    )
    base = load_causal(tiny_generator_folder, dtype=torch.float32)
    one, other = (merged_weights(base, folder).tensors for folder in (other_adapter_folder, out))
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value)


def test_what_cannot_be_added_is_refused(tiny_adapter_folder, tmp_path):
    folder = shutil.copytree(tiny_adapter_folder, tmp_path / "dora")
    config = read_config(folder) | {"use_dora": True}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(AdapterError, match="it has DoRA"):
        read_deltas(folder)
    labels = shutil.copytree(tiny_adapter_folder, tmp_path / "labels")
    (labels / "head.json").write_text("{}")
    with pytest.raises(AdapterError, match=r"it has head\.json"):
        read_deltas(labels)
    parts = [{"layer": _delta(1)}, {"layer": _delta(2)}]
    with pytest.raises(UsageError, match="expected two or more"):
        merge_deltas(parts[:1], [1.0], Recipe())
    with pytest.raises(UsageError, match="a weight for each"):
        merge_deltas(parts, [1.0], Recipe())
    with pytest.raises(UsageError, match="density of 2"):
        merge_deltas(parts, [1.0, 1.0], Recipe(density=2))


def test_weights_are_found_on_the_grid_and_asked_once():
    asked = []

    def loss(weights):
        asked.append(weights)
        return (weights[0] - 0.6) ** 2 + (weights[1] - 0.3) ** 2 + 0.1 * weights[0] * weights[1]

    assert search_weights(2, loss) == (0.6, 0.3)
    assert len(asked) == len(set(asked)) < 13
    assert search_weights(2, lambda weights: sum(weights)) in ((0.3, 0.0), (0.0, 0.3))


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


@given(seed=st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_angles_are_those_of_the_main_directions_of_both_clouds(seed):
    random = np.random.default_rng(seed)
    clouds = [random.normal(size=(200, 10)) * np.linspace(9, 1, 10) for _ in range(2)]
    bases = [np.linalg.svd(cloud - cloud.mean(0))[2][:3].T for cloud in clouds]
    covariances = [torch.from_numpy(np.cov(cloud.T, bias=True)) for cloud in clouds]
    expected = np.degrees(scipy.linalg.subspace_angles(*bases))
    found = principal_angles(*covariances, directions=3)
    assert len(found) == 3
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_plane_that_was_turned_by_thirty_degrees_is_seen_as_such():
    turned = np.eye(5)
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    turned[np.ix_([1, 4], [1, 4])] = [[c, -s], [s, c]]
    spread = np.diag([9.0, 7.0, 0.1, 0.2, 0.3])
    found = principal_angles(*map(torch.from_numpy, (spread, turned @ spread @ turned.T)), directions=2)
    assert found == pytest.approx([30.0, 0.0], abs=1e-4)


def test_the_effective_rank_counts_directions_by_their_share():
    assert effective_rank(torch.tensor([2.0, 2.0, 2.0, 0.0])) == pytest.approx(3.0)
    assert effective_rank(torch.tensor([5.0])) == pytest.approx(1.0)
    assert 1 < effective_rank(torch.tensor([9.0, 1.0])) < 2


def test_each_block_tells_how_far_it_moved(tiny_generator, tiny_adapter_folder):
    base, adapted = tiny_generator, tiny_generator.adapted(tiny_adapter_folder)
    found = measure_drift(base, adapted, tiny_adapter_folder, _DOMAIN, _GENERAL)
    assert [each.block for each in found] == [0, 1]
    assert all(0 < each.domain < 90 and 0 < each.general < 90 for each in found)
    with base.lent() as module:
        before = {name: value.detach().clone() for name, value in module.named_parameters() if ".0." in name}
    with adapted.lent() as module:
        after = {name: value.detach() for name, value in module.named_parameters() if ".0." in name}
    pairs = [(before[name], after[name]) for name in before if not torch.equal(before[name], after[name])]
    assert len(pairs) == 3
    change = sum(float((b - a).square().sum()) for a, b in pairs) / sum(
        float(a.square().sum()) for a, _ in pairs
    )
    assert found[0].change == pytest.approx(change**0.5, rel=1e-3)
    ranks = [effective_rank(torch.linalg.svdvals(b - a)) for a, b in pairs]
    assert found[0].rank == pytest.approx(sum(ranks) / 3, rel=1e-2)
    same = measure_drift(base, base, tiny_adapter_folder, _DOMAIN, _GENERAL)
    assert max(each.domain + each.general for each in same) < 1e-3
