"""The command doctor: what this machine has, what is missing, and the mend for each."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hybrid.cli import console
from hybrid.cli.options import Config, Indexes, Json, Offline, settings_from
from hybrid.config import Settings
from hybrid.errors import HybridError
from hybrid.files import free_bytes
from hybrid.index import Index
from hybrid.index.generations import domains
from hybrid.models.device import choose_placement, describe_compute
from hybrid.models.resolve import Origin, cache_folder, how_to_get, is_offline, locate

_LITTLE_SPACE = 2_000_000_000
_EXTRAS = {"office": ("docx", "pptx"), "pdf": ("cryptography",), "gguf": ("gguf", "accelerate")}


class Health(StrEnum):
    """How a check went."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report; ``mend`` says what to do about it."""

    name: str
    verdict: Health
    found: str
    mend: str = ""


def doctor(
    as_json: Json = False, config: Config = None, indexes: Indexes = None, offline: Offline = False
) -> int:
    """Check Python, device, models, extras, disk and every index; the exit code is 1 if one check is bad."""
    settings = settings_from(config, indexes=indexes, offline=offline)
    steps: tuple[Callable[[Settings], list[Check]], ...] = (
        _python,
        _device,
        _openmp,
        _models,
        _extras,
        _disk,
        _indexes,
    )
    checks = [check for step in steps for check in step(settings)]
    bad = any(check.verdict is Health.BAD for check in checks)
    if as_json:
        console.json_document({"healthy": not bad, "checks": checks})
        return int(bad)
    for number, check in enumerate(checks, start=1):
        console.data(f"{number:2}. {check.verdict:4}  {check.name}: {check.found}")
        if check.mend:
            console.data(f"          → {check.mend}")
    return int(bad)


def _python(settings: Settings) -> list[Check]:
    return [
        Check("python", Health.OK, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    ]


def _device(settings: Settings) -> list[Check]:
    try:
        embedder = choose_placement(settings.models.device, settings.models.dtype)
        generator = choose_placement(settings.models.device, settings.models.dtype, exact=True)
    except HybridError as error:
        return [Check("device", Health.BAD, str(error), error.hint)]
    return [
        Check("device", Health.OK, f"{embedder.device}; {describe_compute()}"),
        Check("embedder format", Health.OK, f"{embedder.dtype}: {embedder.reason}"),
        Check("generator format", Health.OK, f"{generator.dtype}: {generator.reason}"),
    ]


def _openmp(settings: Settings) -> list[Check]:
    policy = os.environ.get("OMP_WAIT_POLICY", "unset")
    if policy.upper() == "PASSIVE":
        return [Check("OpenMP", Health.OK, "OMP_WAIT_POLICY is PASSIVE")]
    mend = "export OMP_WAIT_POLICY=PASSIVE before Python starts"
    return [
        Check(
            "OpenMP",
            Health.NOTE,
            f"OMP_WAIT_POLICY is {policy}: decoding may collapse on shared cores",
            mend,
        )
    ]


def _models(settings: Settings) -> list[Check]:
    names = [settings.models.embedder, settings.models.reranker]
    names += [] if settings.models.endpoint else [settings.models.generator]
    checks = []
    for name in filter(None, names):
        location = locate(name, offline=settings.models.offline)
        if location.path is not None:
            checks.append(Check(f"model {name}", Health.OK, location.origin))
        elif location.origin is Origin.HUB:
            checks.append(
                Check(f"model {name}", Health.NOTE, "will be fetched from the hub", how_to_get(name))
            )
        else:
            checks.append(Check(f"model {name}", Health.BAD, "missing, and the hub is off", how_to_get(name)))
    state = "off" if is_offline(settings.models.offline) else "on"
    return [*checks, Check("hub", Health.OK, state)]


def _extras(settings: Settings) -> list[Check]:
    checks = []
    for extra, modules in _EXTRAS.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        mend = f"pip install 'hybrid-assistant[{extra}]'" if missing else ""
        found = f"without {', '.join(missing)}" if missing else "installed"
        checks.append(Check(f"extra {extra}", Health.NOTE if missing else Health.OK, found, mend))
    return checks


def _disk(settings: Settings) -> list[Check]:
    checks = []
    for name, folder in (("indexes", Path(settings.indexes)), ("cache", cache_folder())):
        there = folder
        while not there.exists():
            there = there.parent
        if not os.access(there, os.W_OK):
            checks.append(
                Check(f"disk for {name}", Health.BAD, f"{folder} cannot be written", "choose another folder")
            )
            continue
        free = free_bytes(folder)
        verdict = Health.OK if free > _LITTLE_SPACE else Health.NOTE
        checks.append(Check(f"disk for {name}", verdict, f"{free / 1e9:.0f} GB free at {folder}"))
    return checks


def _indexes(settings: Settings) -> list[Check]:
    checks = []
    root = Path(settings.indexes)
    for name in domains(root):
        try:
            index = Index.open(root / name)
            index.verify()
            counts = index.manifest.counts
            index.close()
            checks.append(Check(f"index {name}", Health.OK, f"{counts.chunks} chunks, every checksum right"))
        except HybridError as error:
            checks.append(Check(f"index {name}", Health.BAD, str(error), error.hint))
    return checks or [Check("indexes", Health.NOTE, f"none in {root}", "hybrid index FOLDER")]
