"""Device, number format, and what figures were taken with: the machine and the libraries."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid.errors import ConfigError, ModelError

if TYPE_CHECKING:
    import torch

_DTYPES = ("float32", "bfloat16", "float16")
_LIBRARIES = (
    *("hybrid-assistant", "torch", "transformers", "peft", "sentence-transformers", "tokenizers"),
    *("faiss-cpu", "tantivy", "numpy"),
)
# What decides the speed of models on a processor, by its own names.
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8", "asimd", "bf16", "sve")
_CPU = Path("/proc/cpuinfo")
_CARD_SHARE = 4 << 30
# Tokens of a batch from which on a larger one is hardly faster on a processor.
_WORTH = 1_024
# NVIDIA, AMD, and either of them inside Windows.
_DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")


@dataclass(frozen=True, slots=True)
class Placement:
    """A device as torch spells it, a number format, and the reason for both."""

    device: str
    dtype: str
    reason: str

    def torch_dtype(self) -> torch.dtype:
        """Return the format as torch's own value."""
        import torch

        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[self.dtype]


def choose_placement(device: str = "auto", dtype: str = "auto", *, exact: bool = False) -> Placement:
    """Choose device and format; "auto" takes an accelerator first, bf16 only where it is faster.

    ``device`` is auto, cpu, cuda, cuda:N or mps, ``dtype`` auto, float32, bfloat16 or float16. ``exact``
    keeps float32 on the CPU. A generator wants it: in bf16 the shape of a batch decides near-ties between
    tokens, so an answer would depend on what else was asked; and decoding on a CPU gains next to nothing from
    bf16 (26 against 24 tokens/s for 135M parameters).

    Raises:
        ConfigError: a format that does not exist.
        ModelError: a device that this machine does not have.
    """
    import torch

    if dtype not in ("auto", *_DTYPES):
        raise ConfigError(f"`models.dtype` is {dtype!r}, expected auto or one of: {', '.join(_DTYPES)}")
    chosen, why_device = _choose_device(device)
    if dtype != "auto":
        return Placement(chosen, dtype, f"{why_device}; {dtype} as set")
    if chosen.startswith("cuda"):
        fast = torch.cuda.is_bf16_supported()
        return Placement(chosen, "bfloat16" if fast else "float16", f"{why_device}; half precision is native")
    if chosen != "cpu":
        return Placement(chosen, "float32", f"{why_device}; float32 is the safe format there")
    if exact:
        return Placement("cpu", "float32", f"{why_device}; float32 keeps answers independent of the batch")
    if cpu_has_bf16():
        return Placement("cpu", "bfloat16", f"{why_device}; this CPU has bf16 instructions")
    return Placement(
        "cpu", "float32", f"{why_device}; this CPU has no bf16 instructions, bf16 would be slower"
    )


def is_cpu(device: str) -> bool:
    """Tell, without importing torch, whether models surely run on the CPU: an accelerator has a driver."""
    no_driver = sys.platform == "linux" and not any(Path(path).exists() for path in _DRIVERS)
    return device == "cpu" or (device == "auto" and no_driver)


def cpu_has_bf16() -> bool:
    """Tell whether the CPU multiplies bf16 natively (AVX-512 BF16 or AMX); emulated, it is far slower."""
    import torch

    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def batch_room(device: str) -> int:
    """Return how many times as large as on a CPU batches may be: once for each 4 GB free on a card, to 16."""
    if not device.startswith("cuda"):
        return 1
    import torch

    free, _ = torch.cuda.mem_get_info(device)
    return min(max(int(free // _CARD_SHARE), 1), 16)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread of torch while it lasts: how many there are changes the last bits of a sum."""
    torch = sys.modules.get("torch")
    if torch is None:  # nothing that it computes is loaded
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def describe_compute() -> str:
    """Return threads, processors and the version of torch in a few words."""
    import torch

    return f"{torch.get_num_threads()} threads of {os.cpu_count()} processors, torch {torch.__version__}"


def _choose_device(device: str) -> tuple[str, str]:
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda", "CUDA is there"
        if torch.backends.mps.is_available():
            return "mps", "MPS is there"
        return "cpu", "no accelerator is there"
    kind = device.partition(":")[0]
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(kind, False):
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise ModelError(
            f"`models.device` is {device!r}, this machine has: {there}",
            hint="set it to auto to let it choose",
        )
    return device, f"{device} as set"


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide answers and their speed."""
    found = {"python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "not installed"
    return found


def describe_machine() -> dict[str, str]:
    """Return system, processor, threads and memory; where the system does not tell, the entry is empty."""
    import psutil

    return {
        "system": platform.platform(),
        "processor": platform.machine(),
        "compute": describe_compute(),
        "cores": str(psutil.cpu_count(logical=False) or ""),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "instructions": " ".join(_instructions()),
    }


def _instructions() -> list[str]:
    if not _CPU.is_file():
        return []
    for line in _CPU.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return [flag for flag in _FLAGS if flag in value.split()]
    return []


def batches(lengths: Sequence[int], *, rows: int, tokens: int) -> Iterator[list[int]]:
    """Yield places of similar length, so that little is padding, within the limits of a batch.

    Lengths are in tokens. A batch has so many ``rows`` and, with padding, so many ``tokens`` at the most; one
    that is longer stands alone. A batch that is worth its call ends where the next row would make more than
    an eighth of it padding.
    """
    batch: list[int] = []
    filled = 0
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        # sorted: the next one is the longest, to which all others are padded
        length, padded = lengths[place], (len(batch) + 1) * lengths[place]
        wasteful = filled >= _WORTH and padded - filled - length > padded // 8
        if batch and (len(batch) == rows or padded > tokens or wasteful):
            yield batch
            batch, filled = [], 0
        batch.append(place)
        filled += length
    if batch:
        yield batch
