"""What this machine has, what is missing, and the mend for each."""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hybrid.config import ModelSettings, Reader, Settings
from hybrid.errors import HybridError
from hybrid.files import free_bytes
from hybrid.index import Index
from hybrid.index.generations import domains
from hybrid.models.device import choose_placement, describe_compute
from hybrid.models.resolve import Origin, cache_folder, how_to_get, is_offline, is_small, locate

_SHOWN = 8
_LITTLE_SPACE = 2_000_000_000
_EXTRAS = {
    "gguf": ("gguf", "accelerate"),
    "openvino": ("openvino_genai", "gguf"),
    "llamacpp": ("xllamacpp", "gguf"),
}


class Health(StrEnum):
    """How a check went."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a check found; ``mend`` says what to do about it."""

    name: str
    verdict: Health
    found: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class ConfiguredModel:
    """A model that the settings name: where it would come from, and whether it is there."""

    role: str
    name: str
    origin: str
    path: str
    here: bool


def diagnose(settings: Settings) -> list[Diagnosis]:
    """Check Python, device, models, extras, disk and every index."""
    steps = (_python, _device, _openmp, _models, _writer, _extras, _disk, _indexes)
    return [found for step in steps for found in step(settings)]


def configured_models(models: ModelSettings) -> list[ConfiguredModel]:
    """Return embedder, generator and reranker, as far as they are named."""
    found = []
    for role, name in (
        ("embedder", models.embedder),
        ("generator", models.generator),
        ("reranker", models.reranker),
    ):
        if role == "generator" and models.endpoint:
            found.append(ConfiguredModel(role, name, "endpoint", str(models.endpoint), here=True))
        elif name:
            place = locate(name, offline=models.offline)
            here = place.path is not None
            found.append(ConfiguredModel(role, name, place.origin, str(place.path or ""), here=here))
    return found


def _python(settings: Settings) -> Iterator[Diagnosis]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Diagnosis("python", Health.OK, found)


def _device(settings: Settings) -> Iterator[Diagnosis]:
    try:
        embedder = choose_placement(settings.models.device, settings.models.dtype)
        generator = choose_placement(settings.models.device, settings.models.dtype, exact=True)
    except HybridError as error:
        yield Diagnosis("device", Health.BAD, str(error), error.hint)
        return
    yield Diagnosis("device", Health.OK, f"{embedder.device}; {describe_compute()}")
    yield Diagnosis("embedder format", Health.OK, f"{embedder.dtype}: {embedder.reason}")
    yield Diagnosis("generator format", Health.OK, f"{generator.dtype}: {generator.reason}")


def _openmp(settings: Settings) -> Iterator[Diagnosis]:
    policy = os.environ.get("OMP_WAIT_POLICY", "unset")
    if policy.upper() == "PASSIVE":
        yield Diagnosis("OpenMP", Health.OK, "OMP_WAIT_POLICY is PASSIVE")
        return
    mend = "export OMP_WAIT_POLICY=PASSIVE before Python starts"
    found = f"OMP_WAIT_POLICY is {policy}: decoding may collapse on shared cores"
    yield Diagnosis("OpenMP", Health.NOTE, found, mend)


def _models(settings: Settings) -> Iterator[Diagnosis]:
    for model in configured_models(settings.models):
        name = f"model {model.name}"
        if model.origin == "endpoint":
            continue
        if model.here:
            yield Diagnosis(name, Health.OK, model.origin)
        elif model.origin == Origin.HUB:
            yield Diagnosis(name, Health.NOTE, "will be fetched from the hub", how_to_get(model.name))
        else:
            yield Diagnosis(name, Health.BAD, "missing, and the hub is off", how_to_get(model.name))
    yield Diagnosis("hub", Health.OK, "off" if is_offline(settings.models.offline) else "on")


def small_writer(settings: Settings) -> Diagnosis | None:
    """Return what is to be said of a reader that a small model writes by, None if it is fit to."""
    models, reader = settings.models, settings.generation.reader
    if reader is Reader.EXTRACTIVE or models.generator_adapter or not is_small(models.generator):
        return None
    return Diagnosis(
        "reader",
        Health.NOTE,
        f"{reader}: {models.generator} has less than a billion parameters, and writes worse than the "
        "extractive reader quotes unless an adapter for it passed its gate",
        "leave generation.reader out, or find a larger one: hybrid init",
    )


def _writer(settings: Settings) -> Iterator[Diagnosis]:
    from hybrid.models.servers import ask_server, server_key

    models, reader = settings.models, settings.generation.reader
    yield small_writer(settings) or Diagnosis("reader", Health.OK, str(reader))
    if not models.endpoint or (models.offline and not models.endpoint.is_loopback):
        return
    server = ask_server(models.endpoint, key=server_key())
    name = f"endpoint {models.endpoint}"
    if server is None:
        yield Diagnosis(name, Health.NOTE, "does not list its models", "is it running? hybrid init")
    elif server.locked:
        yield Diagnosis(name, Health.BAD, "refuses the key, or wants one", "set $HYBRID_API_KEY")
    elif models.generator not in server.models and f"{models.generator}:latest" not in server.models:
        there = ", ".join(server.models[:_SHOWN]) or "none"
        yield Diagnosis(
            name, Health.NOTE, f"lists no {models.generator}, but: {there}", "set models.generator"
        )
    else:
        yield Diagnosis(name, Health.OK, f"answers, and has {models.generator}")


def _extras(settings: Settings) -> Iterator[Diagnosis]:
    for extra, modules in _EXTRAS.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        mend = f"pip install 'hybrid-assistant[{extra}]'" if missing else ""
        found = f"without {', '.join(missing)}" if missing else "installed"
        wanted = extra == settings.models.engine
        health = Health.OK if not missing else Health.BAD if wanted else Health.NOTE
        what = "extra" if extra == "gguf" else "engine"
        yield Diagnosis(f"{what} {extra}", health, f"{found}, in use" if wanted else found, mend)


def _disk(settings: Settings) -> Iterator[Diagnosis]:
    for name, folder in (("indexes", Path(settings.indexes)), ("cache", cache_folder())):
        there = folder
        while not there.exists():
            there = there.parent
        if not os.access(there, os.W_OK):
            found = f"{folder} cannot be written"
            yield Diagnosis(f"disk for {name}", Health.BAD, found, "choose another folder")
            continue
        free = free_bytes(folder)
        verdict = Health.OK if free > _LITTLE_SPACE else Health.NOTE
        yield Diagnosis(f"disk for {name}", verdict, f"{free / 1e9:.0f} GB free at {folder}")


def _indexes(settings: Settings) -> Iterator[Diagnosis]:
    root = Path(settings.indexes)
    names = list(domains(root))
    for name in names:
        try:
            index = Index.open(root / name)
            index.verify()
            counts = index.manifest.counts
            index.close()
            yield Diagnosis(f"index {name}", Health.OK, f"{counts.chunks} chunks, every checksum right")
        except HybridError as error:
            yield Diagnosis(f"index {name}", Health.BAD, str(error), error.hint)
    if not names:
        yield Diagnosis("indexes", Health.NOTE, f"none in {root}", "hybrid index FOLDER")
