"""The loop: finds a minimum, keeps the best weights, stops in time, goes on after a kill."""

import itertools
import math

import pytest
import torch

from hybrid.adaptation.methods.loop import Schedule, fit
from hybrid.errors import StorageError, TrainingFailed


class Line:
    """Fit y = 2x: one weight, batches of two parts."""

    def __init__(self, *, start=0.0, general=None, domain=None, dies_at=None):
        self.module = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(self.module.weight, start)
        self.digest = "line"
        self._general, self._domain, self._dies_at = general, domain, dies_at
        self.losses = self.looks = 0

    def batches(self, epoch):
        x = torch.arange(1, 9, dtype=torch.float32).view(-1, 1)
        order = torch.randperm(8, generator=torch.Generator().manual_seed(epoch))
        return [x[order[first : first + 2]].split(1) for first in range(0, 8, 2)]

    def loss(self, module, part):
        self.losses += 1
        if self.losses == self._dies_at:
            raise KeyboardInterrupt
        noise = torch.nn.functional.dropout(torch.ones(1), 0.5, training=module.training)
        return ((module(part) - 2 * part * (0.9 + 0.1 * noise)) ** 2).mean() / 2

    def validate(self):
        self.looks += 1
        weight = self.weight
        domain = self._domain(self.looks, weight) if self._domain else (weight - 2) ** 2
        return domain, self._general(self.looks) if self._general else None

    @property
    def weight(self):
        return float(self.module.weight.detach())


_FAST = Schedule(learning_rate=0.1, epochs=20, looks=20, patience=100)


@pytest.mark.slow
def test_it_finds_the_minimum_and_tells_how_it_went():
    task = Line()
    seen = []
    done = fit(task, _FAST, seed=0, progress=lambda step, steps, loss: seen.append((step, steps)))
    assert task.weight == pytest.approx(2.0, abs=0.1)
    assert done.steps == 80 and seen[-1] == (80, 80) and done.ended == "all epochs done"
    assert done.curve[0].step == 0 and done.curve[0].domain == pytest.approx(4.0)
    assert done.curve[-1].domain < 0.02


@pytest.mark.slow
def test_the_best_weights_stay_not_the_last_ones():
    task = Line(domain=lambda look, weight: abs(look - 4))
    weights = []
    done = fit(task, _FAST, seed=0, progress=lambda *_: weights.append(task.weight))
    assert done.best == done.curve[3].step == 12
    assert task.weight == weights[11] != weights[-1]


@pytest.mark.slow
def test_without_validation_the_last_weights_stay():
    task = Line(domain=lambda look, weight: math.nan)
    assert fit(task, _FAST, seed=0).best == 80


def test_it_stops_when_validation_gets_no_better():
    done = fit(Line(domain=lambda look, weight: 1.0), Schedule(0.1, 20, looks=20, patience=3), seed=0)
    assert (done.steps, done.best, done.ended) == (12, 0, "validation got no better")


def test_looks_stand_apart_in_a_short_run():
    steps = [point.step for point in fit(Line(), Schedule(0.1, 6, looks=8, apart=9), seed=0).curve]
    assert steps == [0, 9, 18, 24]


def test_it_stops_when_general_text_gets_worse_and_keeps_what_was_before():
    task = Line(general=lambda look: 1.0 if look < 4 else 1.2)
    done = fit(task, Schedule(0.1, 20, looks=20, patience=100, drift=0.1), seed=0)
    assert "general" in done.ended
    assert done.best == done.curve[2].step  # the last look within the limit
    assert len(done.curve) == 5


class Blocks(Line):
    """Three blocks of one weight, an embedding below and a head above."""

    def __init__(self, **options):
        super().__init__(**options)
        one = [torch.nn.Linear(1, 1, bias=False) for _ in range(5)]
        layers = torch.nn.ModuleList(one[2:])
        self.module = torch.nn.ModuleDict({"embed": one[0], "layers": layers, "head": one[1]})

    def loss(self, module, part):
        self.losses += 1
        if self.losses == self._dies_at:
            raise KeyboardInterrupt
        y = self.module["embed"](part)
        for layer in self.module["layers"]:
            y = y + layer(y)
        return ((self.module["head"](y) - 2 * part) ** 2).mean() / 8

    @property
    def weight(self):
        return sum(float(parameter.detach()) for parameter in self.module.parameters())


@pytest.mark.slow
def test_lower_blocks_wait_until_the_upper_ones_were_trained_alone():
    task, seen = Blocks(), []

    def look(step, steps, loss):
        seen.append({name: float(p.detach()) for name, p in task.module.named_parameters()})

    fit(task, Schedule(0.01, 20, looks=20, patience=100, upper_first=0.5), seed=0, progress=look)
    moved = [
        {name for name in seen[0] if one[name] != other[name]} for one, other in itertools.pairwise(seen)
    ]
    assert set.union(*moved[:39]) == {"layers.2.weight", "head.weight"}
    assert moved[40] == set(seen[0])
    assert all(parameter.requires_grad for parameter in task.module.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("dies_at", [33, 121])
def test_two_phases_go_on_after_a_kill_as_if_nothing_had_been(tmp_path, dies_at):
    schedule = Schedule(0.01, 20, looks=20, patience=100, upper_first=0.5)
    torch.manual_seed(0)
    whole = Blocks()
    expected = fit(whole, schedule, seed=5)
    torch.manual_seed(0)
    with pytest.raises(KeyboardInterrupt):
        fit(Blocks(dies_at=dies_at), schedule, seed=5, state=tmp_path / "state")
    torch.manual_seed(0)
    again = Blocks()
    assert fit(again, schedule, seed=5, state=tmp_path / "state").curve == expected.curve
    assert again.weight == whole.weight


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_another_one_others():
    results = []
    for seed in (1, 1, 2):
        task = Line()
        fit(task, _FAST, seed=seed)
        results.append(task.weight)
    assert results[0] == results[1] != results[2]


@pytest.mark.slow
@pytest.mark.parametrize("dies_at", [9, 33, 60])
def test_a_run_that_was_interrupted_ends_as_if_it_had_not_been(tmp_path, dies_at):
    whole = Line()
    expected = fit(whole, _FAST, seed=5)
    state = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        fit(Line(dies_at=dies_at), _FAST, seed=5, state=state)
    again = Line()
    done = fit(again, _FAST, seed=5, state=state)
    assert again.weight == whole.weight
    assert done.curve == expected.curve
    assert again.losses < whole.losses
    assert not state.exists()


@pytest.mark.slow
def test_a_run_without_validation_goes_on_with_losses_that_are_not_known(tmp_path):
    def unknown(look, weight):
        return math.nan

    with pytest.raises(KeyboardInterrupt):
        fit(Line(domain=unknown, dies_at=60), _FAST, seed=5, state=tmp_path / "state")
    (kept,) = (tmp_path / "state").glob("*.json")
    assert "NaN" not in kept.read_text()
    again = Line(domain=unknown)
    curve = fit(again, _FAST, seed=5, state=tmp_path / "state").curve
    assert again.losses < 160
    assert len(curve) > 2
    assert [math.isnan(point.domain) for point in curve] == [True] * len(curve)


@pytest.mark.slow
def test_the_state_of_another_run_is_not_gone_on_with(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(Line(dies_at=33), _FAST, seed=5, state=tmp_path)
    other = Line()
    fit(other, _FAST, seed=6, state=tmp_path)
    assert other.losses == 160


@pytest.mark.slow
def test_a_damaged_state_begins_anew(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(Line(dies_at=33), _FAST, seed=5, state=tmp_path)
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(b"half")
    task = Line()
    fit(task, _FAST, seed=5, state=tmp_path)
    assert task.losses == 160


def test_a_loss_that_is_not_a_number_ends_it_with_advice():
    task = Line()
    task.loss = lambda module, part: module(part).sum() * float("nan")
    with pytest.raises(TrainingFailed, match="nan at step 1 of 80") as caught:
        fit(task, _FAST, seed=0)
    assert "learning_rate" in caught.value.hint


def test_a_full_disk_is_a_clear_error(tmp_path, monkeypatch):
    import errno

    import safetensors.torch

    def full(tensors, path):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(StorageError, match="no space"):
        fit(Line(), _FAST, seed=0, state=tmp_path)
