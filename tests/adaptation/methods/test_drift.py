"""Drift: angles as scipy has them, nothing moved by nothing, and a picture that can be read."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.adaptation.methods.drift import (
    BlockDrift,
    drift_picture,
    effective_rank,
    measure_drift,
    principal_angles,
)

_DOMAIN = ["the default port of the server is a port", "and to the server in the port"]
_GENERAL = ["a server is the default", "is a port in the server and the default"]


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


def test_the_picture_is_svg_with_both_lines_and_a_bar_for_each_block():
    blocks = [BlockDrift(n, 2.0 * n, 1.0 * n, 0.01 * n, 3.0) for n in range(12)]
    root = ElementTree.fromstring(drift_picture(blocks, "manual: <one>"))
    names = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert names.count("polyline") == 2 and names.count("rect") == 13
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "manual: <one>"
    lines = [element.get("points").split() for element in root.iter() if element.tag.endswith("polyline")]
    heights = [[float(spot.split(",")[1]) for spot in line] for line in lines]
    assert all(a > b for a, b in zip(heights[0], heights[0][1:], strict=False))  # up is less
    assert all(b >= a for a, b in zip(*heights, strict=True))
