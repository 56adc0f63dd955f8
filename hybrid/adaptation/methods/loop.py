"""The training loop: early stopping, checkpoints that go on after a kill, data parallelism; rounds of it."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch
from torch import Tensor

from hybrid.adaptation.methods.lora import layer_of, top_layers
from hybrid.adaptation.values import Change, LossPoint, Steps, silent
from hybrid.errors import TrainingFailed
from hybrid.files import adapter_of, hash_text, write_json, write_tensors

if TYPE_CHECKING:
    from torch.nn import Module

# The general loss must exceed its limit at so many looks in a row: one may be noise.
_DRIFTED = 2
# Of the blocks, those that are trained alone at first.
_UPPER = 1 / 3

_VALUES = "state.json"
# The norm of a gradient is no larger.
_CLIP = 1.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast.

    ``warmup`` is the share of the steps until the learning rate is reached, from which it falls along a
    cosine; ``looks`` is how often validation is asked, at least ``apart`` steps after the last time, and
    after ``patience`` looks without a better one it stops. ``drift`` is how much the general loss may rise
    before two looks in a row above it stop the run; weights from beyond it are never the best ones.
    ``upper_first`` is the share of the steps in which only the upper third of the blocks is trained, and
    what stands above them.
    """

    learning_rate: float
    epochs: float
    warmup: float = 0.06
    looks: int = 8
    apart: int = 1
    patience: int = 4
    drift: float = float("inf")
    upper_first: float = 0.0


@dataclass(frozen=True, slots=True)
class Fit:
    """What training did: the curve begins with the untrained point, ``best`` is the step that was kept."""

    steps: int
    curve: tuple[LossPoint, ...]
    best: int
    ended: str
    seconds: float

    @property
    def kept(self) -> LossPoint:
        """Return what validation said of the weights that were kept."""
        return next(point for point in self.curve if point.step == self.best)

    def require_better(self) -> None:
        """Raise a TrainingFailed where no weights were better than those that training began with."""
        if self.steps and not self.best:
            raise TrainingFailed(
                f"validation got no better in {self.steps} steps, so there is nothing to keep",
                hint="give more documents or examples, or another adaptation.learning_rate",
            )


class TrainingTask(Protocol):
    """What is trained."""

    @property
    def module(self) -> Module:
        """Return the model; parameters that require gradients are trained, and saved by their names."""

    @property
    def digest(self) -> str:
        """Return what decides the result beside schedule and seed: two tasks of one digest train alike."""

    def batches(self, epoch: int) -> Sequence[Sequence[Any]]:
        """Return the batches of an epoch in their order, the same for the same epoch, each in parts.

        The losses of the parts of a batch add up to its loss; a part is what fits into memory at once.
        """

    def loss(self, module: Module, part: Any) -> Tensor:
        """Return the loss of a part; ``module`` is the model, wrapped where there are several processes."""

    def validate(self) -> tuple[float, float | None]:
        """Return the domain loss and the general one, lower is better.

        Without validation data the domain loss is not a number, and the last weights are the best; without
        general data the general loss is None.
        """


def is_main() -> bool:
    """Tell whether this is the process that writes: the only one, or the first of several."""
    return os.environ.get("RANK", "0") == "0"


def fit(
    task: TrainingTask, schedule: Schedule, *, seed: int, state: Path | None = None, progress: Steps = silent
) -> Fit:
    """Train, and leave the best weights in the model.

    Several processes, as ``accelerate launch`` starts them, each take their share of the batches and average
    the gradients.

    ``seed``: of dropout; the same seed and data give the same weights, also after a kill. ``state``: a folder
    from which an interrupted run goes on, and where it is written down at every look; removed at the end.
    None writes nothing.
    """
    from accelerate import Accelerator

    device = next(task.module.parameters()).device.type
    run = _Run(task, schedule, seed, state, Accelerator(cpu=device == "cpu"))
    begun = time.perf_counter()
    run.resume()
    before = run.at.seconds
    ended = "all epochs done"
    for step in range(run.at.step + 1, run.steps + 1):
        loss = run.step(step)
        progress(step, run.steps, loss)
        if step % run.interval and step < run.steps:
            continue
        if why := run.look(step, before + time.perf_counter() - begun):
            ended = why
            break
    run.keep_best()
    return Fit(run.at.step, run.at.curve, run.at.best, ended, before + time.perf_counter() - begun)


class _Run:
    """A training under way."""

    def __init__(
        self, task: TrainingTask, schedule: Schedule, seed: int, state: Path | None, accelerator: Any
    ) -> None:
        self._task, self._schedule, self._seed, self._accelerator = task, schedule, seed, accelerator
        self._tuned = {name: p for name, p in task.module.named_parameters() if p.requires_grad}
        self._optimizer = torch.optim.AdamW(self._tuned.values(), lr=schedule.learning_rate, weight_decay=0.0)
        self._wrapped = accelerator.prepare_model(task.module) if self._world > 1 else task.module
        self._epoch, self._batches = -1, list[Sequence[Any]]()
        per_epoch = math.ceil(len(task.batches(0)) / self._world)
        self.steps = max(1, round(per_epoch * schedule.epochs))
        self.interval = max(schedule.apart, math.ceil(self.steps / schedule.looks))
        self._per_epoch = per_epoch
        self._later = _below(task.module, self._tuned) if schedule.upper_first else []
        run = hash_text(task.digest, repr(schedule), str(seed), str(self._world))
        self._checkpoint = RunState(state, run) if state is not None else None
        self._best = self._copy()
        self.at = Progress(0, (), 0, 0, 0, 0.0)

    @property
    def _world(self) -> int:
        return int(self._accelerator.num_processes)

    def resume(self) -> None:
        """Go on where an interrupted run was, or look at the untrained model."""
        found = self._checkpoint.load() if self._checkpoint is not None else None
        if found is None:
            domain, general = self._validate()
            self.at = Progress(0, (LossPoint(0, domain, general),), 0, 0, 0, 0.0)
            return
        self.at, tensors = found
        self._restore(tensors)

    def step(self, step: int) -> float:
        """Take a step; return its loss."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._schedule.learning_rate * _pace(step, self.steps, self._schedule.warmup)
        # by the step, so that a run that goes on draws the dropout that it would have drawn
        torch.manual_seed(self._seed * 1_000_003 + step * self._world + self._accelerator.process_index)
        self._task.module.train()
        waits = step <= round(self._schedule.upper_first * self.steps)
        if self._world == 1:  # nothing is computed for what waits; several processes expect all gradients
            self._let_train(not waits)
        value = 0.0
        for part in self._batch(step):
            loss = self._task.loss(self._wrapped, part)
            value += float(loss.detach())
            self._accelerator.backward(loss)
        if not math.isfinite(value):
            raise TrainingFailed(
                f"the loss is {value} at step {step} of {self.steps}, with a learning rate of "
                f"{self._schedule.learning_rate:g}",
                hint="lower adaptation.learning_rate, for example to a fifth; no adapter was changed",
            )
        for parameter in self._later if waits else ():
            parameter.grad = None
        torch.nn.utils.clip_grad_norm_(self._tuned.values(), _CLIP)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return value

    def look(self, step: int, seconds: float) -> str:
        """Validate; return why training ends here, or nothing."""
        domain, general = self._validate()
        first = self.at.curve[0]
        best = next(point for point in self.at.curve if point.step == self.at.best)
        drifted = general is not None and general > (first.general or 0.0) + self._schedule.drift
        better = not drifted and (math.isnan(domain) or domain < best.domain)
        if better:
            self._best = self._copy()
        self.at = Progress(
            step,
            (*self.at.curve, LossPoint(step, domain, general)),
            step if better else self.at.best,
            0 if better else self.at.worse + 1,
            self.at.drifted + 1 if drifted else 0,
            seconds,
        )
        if self.at.drifted >= _DRIFTED:
            return "general text got worse by more than the limit"
        if self.at.worse >= self._schedule.patience:
            return "validation got no better"
        if self._checkpoint is not None and self._accelerator.is_main_process and step < self.steps:
            self._checkpoint.save(self.at, self._state())
        return ""

    def keep_best(self) -> None:
        """Put the best weights into the model and forget the state of the run."""
        with torch.no_grad():
            for name, parameter in self._tuned.items():
                parameter.copy_(self._best[name])
        self._let_train(True)
        self._task.module.eval()
        if self._checkpoint is not None and self._accelerator.is_main_process:
            self._checkpoint.remove()

    def _let_train(self, wanted: bool) -> None:
        for parameter in self._later:
            parameter.requires_grad_(wanted)

    def _batch(self, step: int) -> Sequence[Any]:
        epoch, place = divmod(step - 1, self._per_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, list(self._task.batches(epoch))
        mine = place * self._world + self._accelerator.process_index
        batch: Sequence[Any] = self._batches[mine % len(self._batches)]
        return batch

    def _validate(self) -> tuple[float, float | None]:
        """Ask the first process alone: all of them must come to the same end."""
        said = torch.full((2,), math.nan, dtype=torch.float64)
        if self._accelerator.is_main_process:
            self._task.module.eval()
            domain, general = self._task.validate()
            said[0] = domain
            said[1] = math.nan if general is None else general
        if self._world > 1:
            from accelerate.utils import broadcast

            said = broadcast(said)
        domain, general = said.tolist()
        return domain, None if math.isnan(general) else general

    def _copy(self) -> dict[str, Tensor]:
        return {name: parameter.detach().clone() for name, parameter in self._tuned.items()}

    def _state(self) -> dict[str, Tensor]:
        """Return weights, best weights and the moments of the optimiser, by name."""
        state: dict[str, Tensor] = {f"now.{name}": parameter for name, parameter in self._tuned.items()}
        state |= {f"best.{name}": tensor for name, tensor in self._best.items()}
        for name, parameter in self._tuned.items():
            for key, tensor in self._optimizer.state[parameter].items():
                state[f"{key}.{name}"] = tensor
        return state

    def _restore(self, tensors: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, parameter in self._tuned.items():
                parameter.copy_(tensors[f"now.{name}"])
                self._best[name] = tensors[f"best.{name}"].to(parameter.device)
                moments = {
                    key: tensors[f"{key}.{name}"].to(parameter.device if key != "step" else "cpu")
                    for key in ("step", "exp_avg", "exp_avg_sq")
                    if f"{key}.{name}" in tensors
                }
                if moments:  # what waits has none yet
                    self._optimizer.state[parameter] = moments


def _below(module: Module, tuned: Mapping[str, Tensor]) -> list[Tensor]:
    """Return what waits for the second phase: lower blocks, and what stands below them."""
    upper = top_layers(module, _UPPER) or ()
    layers = {name: layer_of(name) for name in tuned}
    return [
        parameter
        for name, parameter in tuned.items()
        if (layers[name] not in upper if layers[name] is not None else "embed" in name)
    ]


def _pace(step: int, steps: int, warmup: float) -> float:
    """Return the share of the learning rate at a step: up in a line, down along a cosine to 0."""
    rising = max(1, round(steps * warmup))
    if step <= rising:
        return step / rising
    return 0.5 * (1.0 + math.cos(math.pi * (step - rising) / max(1, steps - rising + 1)))


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: steps taken, what validation said, and how often in a row it said no."""

    step: int
    curve: tuple[LossPoint, ...]
    best: int
    worse: int
    drifted: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RunState:
    """The folder of one run; ``run`` is a digest of all that decides it.

    Its values name the file of tensors and are written last, so a kill at any moment leaves the state before.
    """

    folder: Path
    run: str

    def load(self) -> tuple[Progress, dict[str, Tensor]] | None:
        """Return where the run was, or None if there is nothing of this run."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            value = json.loads((self.folder / _VALUES).read_text(encoding="utf-8"))
            if value.pop("run") != self.run:
                return None
            tensors = load_file(self.folder / value.pop("tensors"))
            for point in value["curve"]:  # null is a loss that no validation told
                point["domain"] = math.nan if point["domain"] is None else point["domain"]
            return adapter_of(Progress).validate_python(value), tensors
        except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError):
            return None  # none, or of another version: the run begins anew

    def save(self, progress: Progress, tensors: Mapping[str, Tensor]) -> None:
        """Write the state beside the one before, then let it take its place."""
        name = f"step-{progress.step}.safetensors"
        write_tensors(self.folder / name, tensors)
        write_json(self.folder / _VALUES, {"run": self.run, "tensors": name} | dataclasses.asdict(progress))
        for path in self.folder.glob("step-*.safetensors"):
            if path.name != name:
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget the run."""
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What a round of training came to; ``change`` is paired, ``ended`` says why the rounds end here."""

    name: str
    change: Change | None = None
    ended: str = ""
    kept: bool = True


_Round = TypeVar("_Round", bound=Round)


def in_rounds(
    first: _Round,
    attempt: Callable[[_Round, int], _Round],
    *,
    rounds: int,
    progress: Callable[[_Round], None] = silent,
) -> list[_Round]:
    """Go on from round to round while each is better than the one before; return all of them.

    ``attempt`` makes the round of a number from the one before. Where nothing can be learned it raises a
    TrainingFailed: that ends the rounds, and what those before came to is kept.
    """
    done = [first]
    progress(first)
    for number in range(1, rounds + 1):
        try:
            done.append(attempt(done[-1], number))
        except TrainingFailed as error:
            done[-1] = dataclasses.replace(done[-1], ended=str(error))
        progress(done[-1])
        if done[-1].ended:
            break
    return done


def best_of(rounds: Sequence[_Round]) -> _Round:
    """Return the round whose adapter is to be used: the last one that was kept."""
    return [one for one in rounds if one.kept][-1]
