"""An interrupted training, on disk: weights, optimiser and curve, without pickle.

Takes tensors by name and plain values, gives them back if they are of the same run. The values name the file
of tensors and are written last, so that a kill at any moment leaves the state before. Knows nothing about
models.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid.adaptation.values import LossPoint
from hybrid.files import fsync_file, storage_errors, write_json

if TYPE_CHECKING:
    from torch import Tensor

_VALUES = "state.json"


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
class Checkpoint:
    """The folder of one run; ``run`` is a digest of all that decides it."""

    folder: Path
    run: str

    def load(self) -> tuple[Progress, dict[str, Tensor]] | None:
        """Return where the run was, or None if there is nothing of this run."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            value = json.loads((self.folder / _VALUES).read_text(encoding="utf-8"))
            if value["run"] != self.run:
                return None
            tensors = load_file(self.folder / value["tensors"])
            curve = tuple(LossPoint(**point) for point in value["curve"])
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            return None  # none, or of another version: the run begins anew
        numbers = {name: value[name] for name in ("step", "best", "worse", "drifted", "seconds")}
        return Progress(curve=curve, **numbers), tensors

    def save(self, progress: Progress, tensors: Mapping[str, Tensor]) -> None:
        """Write the state beside the one before, then let it take its place.

        Raises:
            StorageError: the disk is full.
        """
        from safetensors.torch import save_file

        name = f"step-{progress.step}.safetensors"
        with storage_errors(str(self.folder)):
            self.folder.mkdir(parents=True, exist_ok=True)
            save_file(
                {key: tensor.detach().contiguous() for key, tensor in tensors.items()}, self.folder / name
            )
            fsync_file(self.folder / name)
        curve = [{"step": p.step, "domain": p.domain, "general": p.general} for p in progress.curve]
        write_json(
            self.folder / _VALUES,
            {
                "run": self.run,
                "tensors": name,
                "step": progress.step,
                "best": progress.best,
                "worse": progress.worse,
                "drifted": progress.drifted,
                "seconds": progress.seconds,
                "curve": curve,
            },
        )
        for path in self.folder.glob("step-*.safetensors"):
            if path.name != name:
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Forget the run."""
        shutil.rmtree(self.folder, ignore_errors=True)
