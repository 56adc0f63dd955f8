"""Settings become models, each loaded when it is first needed and never twice, by whichever thread."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid.config import Engine, EnginePrecision, ModelSettings
from hybrid.errors import ConfigError
from hybrid.models import Embedder, Generator, Reranker
from hybrid.models.adapters import with_adapter
from hybrid.models.device import Placement, choose_placement, is_cpu
from hybrid.models.pretrained import LOADING, converted
from hybrid.models.resolve import fetch
from hybrid.trust import Endpoint, Secret

if TYPE_CHECKING:
    from hybrid.models.generator import TransformersGenerator


def load_embedder(settings: ModelSettings, adapter: Path | None = None) -> Embedder:
    """Return the embedder; the same object for the same settings.

    ``adapter`` is the folder of one to embed with.

    Raises:
        AdapterError: the adapter was made for another base, or is damaged.
    """
    with LOADING:
        return _embedder(
            settings.embedder,
            (settings.query_prefix, settings.document_prefix),
            settings.device,
            settings.dtype,
            settings.offline,
            adapter,
        )


def load_reranker(settings: ModelSettings) -> Reranker | None:
    """Return the reranker, or None when no one is named."""
    if not settings.reranker:
        return None
    with LOADING:
        return _reranker(settings.reranker, settings.device, settings.dtype, settings.offline)


def load_generator(settings: ModelSettings, adapter: Path | None = None) -> Generator:
    """Return the generator: the endpoint's if one is set, else a model on this machine, by its engine.

    ``adapter`` is the folder of one to serve with it; the base is loaded once for all of them.

    Raises:
        AdapterError: the adapter was made for another base, is damaged, or the model is an endpoint's.
        ConfigError: offline, and the endpoint is on another machine; or an engine beside an endpoint, or
            ``endpoint`` without one.
        ExtraMissing: the engine is not installed.
    """
    engine, named = settings.engine, bool(settings.endpoint)
    if engine is not Engine.TORCH and named != (engine is Engine.ENDPOINT):
        raise ConfigError(
            f"`models.engine` is {engine}, and `models.endpoint` is {settings.endpoint or 'empty'}",
            hint="name an endpoint with the engine endpoint, and with no other",
        )
    if engine in (Engine.OPENVINO, Engine.LLAMACPP):
        with LOADING:
            generator: Generator = _engine(
                settings.generator,
                engine,
                settings.precision,
                settings.device,
                settings.dtype,
                settings.offline,
            )
    elif not named:
        with LOADING:
            generator = _generator(settings.generator, settings.device, settings.dtype, settings.offline)
    elif settings.offline and not settings.endpoint.is_loopback:
        raise ConfigError(
            f"offline, and `models.endpoint` is on another machine: {settings.endpoint}",
            hint="leave --offline (models.offline) out, or use an endpoint on localhost",
        )
    else:
        generator = _remote(settings.endpoint, settings.endpoint.login, settings.generator)
    return generator if adapter is None else with_adapter(generator, adapter)


@functools.lru_cache(maxsize=4)
def _embedder(
    name: str, prompts: tuple[str, str], device: str, dtype: str, offline: bool, adapter: Path | None
) -> Embedder:
    from hybrid.models.embedder import SentenceTransformerEmbedder

    folder = fetch(name, offline=offline)
    return SentenceTransformerEmbedder(
        folder,
        name=name,
        placement=lambda: _placement(device, dtype),
        adapter=adapter,
        prompts=prompts,
        plain=is_cpu(device) and dtype in ("auto", "float32"),
        again=functools.partial(_embedder, name, prompts, device, dtype, offline, adapter),
    )


@functools.lru_cache(maxsize=2)
def _reranker(name: str, device: str, dtype: str, offline: bool) -> Reranker:
    from hybrid.models.embedder import CrossEncoderReranker

    folder = fetch(name, offline=offline)
    return CrossEncoderReranker(folder, name=name, placement=_placement(device, dtype))


def generator_folder(name: str, *, offline: bool) -> Path:
    """Return the folder of a generator's weights, converted first if they are GGUF.

    Raises:
        ModelMissing: it is nowhere, or damaged.
    """
    path = fetch(name, offline=offline)
    if path.suffix == ".gguf":
        return converted(path)
    return path


@functools.lru_cache(maxsize=2)
def _generator(name: str, device: str, dtype: str, offline: bool) -> TransformersGenerator:
    from hybrid.models.generator import TransformersGenerator

    folder = generator_folder(name, offline=offline)
    placement = _placement(device, dtype, exact=True)
    # text is written in float32; options are weighed in what this processor is fastest in
    fast = _placement(device, dtype)
    return TransformersGenerator(
        folder, name=name, placement=placement, weighing=fast if fast.dtype != placement.dtype else None
    )


@functools.lru_cache(maxsize=4)
def _engine(
    name: str, engine: Engine, precision: EnginePrecision, device: str, dtype: str, offline: bool
) -> Generator:
    from hybrid.models.engines import EngineGenerator
    from hybrid.models.gguf import Precision

    # auto is float32 on a CPU: the same object as the one that torch serves
    exact = "auto" if dtype == "auto" and is_cpu(device) else "float32"
    return EngineGenerator(
        generator_folder(name, offline=offline),
        name=name,
        engine=engine,
        precision=Precision(precision),
        torch=functools.partial(_generator, name, device, exact, offline),
    )


@functools.lru_cache(maxsize=2)
def _remote(endpoint: Endpoint, login: Secret, name: str) -> Generator:
    # the login is part of the key: two addresses are equal without it
    from hybrid.models.remote import RemoteGenerator

    return RemoteGenerator(endpoint, model=name)


def _placement(device: str, dtype: str, *, exact: bool = False) -> Placement:
    # read when torch loads OpenMP: idle threads that spin make a query on shared cores ten times slower
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    return choose_placement(device, dtype, exact=exact)
