"""Losses on similarities."""

import math

import pytest
import torch

from hybrid.adaptation.training.embedder import listwise, moved

_ALL = torch.ones(2, 3, dtype=torch.bool)


def test_who_says_what_the_teacher_says_loses_nothing():
    said = torch.tensor([[0.1, 0.5, 0.2], [0.3, 0.3, 0.9]])
    assert float(listwise(said, said, _ALL, scale=20)) == pytest.approx(0, abs=1e-6)
    # a softmax knows differences alone
    assert float(listwise(said + 0.2, said, _ALL, scale=20)) == pytest.approx(0, abs=1e-6)
    assert float(listwise(said.flip(1), said, _ALL, scale=20)) > 0.1


def test_what_is_not_compared_has_no_say():
    student = torch.tensor([[0.1, 0.5, 0.9]], requires_grad=True)
    teacher = torch.tensor([[0.4, 0.2, -5.0]])
    loss = listwise(student, teacher, torch.tensor([[True, True, False]]), scale=20)
    loss.backward()
    assert float(student.grad[0, 2]) == 0
    assert float(student.grad[0, 0]) < 0 < float(student.grad[0, 1])


def test_a_query_with_nothing_to_compare_adds_nothing():
    loss = listwise(torch.rand(1, 3), torch.rand(1, 3), torch.zeros(1, 3, dtype=torch.bool), scale=20)
    assert float(loss) == 0


def test_moved_is_one_minus_the_cosine():
    one = torch.eye(2)
    assert float(moved(one, one)) == 0
    assert float(moved(one, one.flip(0))) == 1
    turned = torch.tensor([[math.sqrt(0.5), math.sqrt(0.5)]])
    assert float(moved(turned, one[:1])) == pytest.approx(1 - math.sqrt(0.5), abs=1e-6)
