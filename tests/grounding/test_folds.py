import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import UsageError
from hybrid.grounding.calibration import grouped_folds

rows = st.lists(st.tuples(st.booleans(), st.sampled_from("abcdefg")), min_size=2, max_size=30).filter(
    lambda found: len({source for _, source in found}) > 1
)


def split(found):
    return [flag for flag, _ in found], [source for _, source in found]


@given(rows)
def test_no_source_is_parted_and_no_fold_is_empty(found):
    flags, sources = split(found)
    folds = grouped_folds(flags, sources, folds=3)
    assert all(len(set(folds[[s == name for s in sources]])) == 1 for name in sources)
    assert set(folds) == set(range(min(3, len(set(sources)))))


def test_folds_are_alike_in_size_and_labels():
    flags = [place % 3 == 0 for place in range(300)]
    sources = [f"{place // 5}" for place in range(300)]
    folds = grouped_folds(flags, sources)
    sizes = np.bincount(folds)
    shares = np.bincount(folds, weights=flags) / sizes
    assert sizes.max() - sizes.min() <= 10
    assert shares.max() - shares.min() < 0.05


def test_a_seed_deals_otherwise_and_always_alike():
    flags, sources = [True, False] * 20, [str(place) for place in range(40)]
    first = grouped_folds(flags, sources, seed=1)
    assert (first == grouped_folds(flags, sources, seed=1)).all()
    assert (first != grouped_folds(flags, sources, seed=2)).any()


@pytest.mark.parametrize("count", [0, 1, 4])
def test_one_source_cannot_be_parted(count):
    with pytest.raises(UsageError, match="cannot be parted"):
        grouped_folds([True] * count, ["a"] * count)


def test_every_example_has_a_source():
    with pytest.raises(UsageError, match="a source for each"):
        grouped_folds([True, False], ["a"])
