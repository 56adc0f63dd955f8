"""What figures were taken with: versions of the libraries, and the machine.

Takes nothing, gives texts by name. Knows nothing about experiments.
"""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hybrid.models.device import describe_compute

_LIBRARIES = (
    "hybrid-assistant",
    "torch",
    "transformers",
    "peft",
    "sentence-transformers",
    "tokenizers",
    "faiss-cpu",
    "tantivy",
    "numpy",
)
# What decides the speed of models on a processor, by its own names.
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8", "asimd", "bf16", "sve")
_CPU = Path("/proc/cpuinfo")


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
