"""Merging: the formulas of the papers, PEFT's own functions, and what is written is what was merged."""

import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.adaptation.methods.deltas import Delta, nearest, read_config, read_deltas, write_deltas
from hybrid.adaptation.methods.merging import Recipe, entrywise, merge_deltas, search_weights
from hybrid.adaptation.values import Merging
from hybrid.errors import AdapterError, UsageError
from hybrid.models.adapters import merged_weights
from hybrid.models.pretrained import load_causal


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
