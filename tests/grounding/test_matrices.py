import numpy as np

from hybrid.grounding.values import SupportMatrix

MATRIX = SupportMatrix(np.array([[0.9, 0.2, 0.0], [0.4, 0.6, 0.0]]))


def test_the_best_passage_counts():
    assert MATRIX.best.tolist() == [0.9, 0.6]
    assert SupportMatrix(np.zeros((2, 0))).best.tolist() == [0.0, 0.0]
    assert SupportMatrix(np.zeros((0, 3))).best.tolist() == []


def test_several_claims_are_carried_as_well_as_the_worst_of_them():
    assert MATRIX.together([0, 1]).tolist() == [0.4, 0.2, 0.0]
    assert MATRIX.together([1]).tolist() == [0.4, 0.6, 0.0]
    assert MATRIX.together([]).tolist() == [0.0, 0.0, 0.0]
