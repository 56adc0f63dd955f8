"""Settings become models, each loaded when it is first needed and never twice.

Takes ``ModelSettings``, gives an embedder, a reranker, a generator.
"""

from __future__ import annotations

import functools
import logging
import os

from hybrid.config import ModelSettings
from hybrid.models import Embedder, Generator, Reranker
from hybrid.models.device import Placement, choose_placement
from hybrid.models.resolve import fetch


def load_embedder(settings: ModelSettings) -> Embedder:
    """Return the embedder; the same object for the same settings."""
    return _embedder(settings.embedder, settings.device, settings.dtype, settings.offline)


def load_reranker(settings: ModelSettings) -> Reranker | None:
    """Return the reranker, or None when no one is named."""
    if not settings.reranker:
        return None
    return _reranker(settings.reranker, settings.device, settings.dtype, settings.offline)


def load_generator(settings: ModelSettings) -> Generator:
    """Return the generator: the endpoint's if one is set, else a model on this machine."""
    if settings.endpoint:
        return _remote(settings.endpoint, settings.generator)
    return _generator(settings.generator, settings.device, settings.dtype, settings.offline)


@functools.lru_cache(maxsize=4)
def _embedder(name: str, device: str, dtype: str, offline: bool) -> Embedder:
    from hybrid.models.embedder import SentenceTransformerEmbedder

    folder = fetch(name, offline=offline)
    return SentenceTransformerEmbedder(folder, name=name, placement=lambda: _placement(device, dtype))


@functools.lru_cache(maxsize=2)
def _reranker(name: str, device: str, dtype: str, offline: bool) -> Reranker:
    from hybrid.models.reranker import CrossEncoderReranker

    folder = fetch(name, offline=offline)
    return CrossEncoderReranker(folder, name=name, placement=_placement(device, dtype))


@functools.lru_cache(maxsize=2)
def _generator(name: str, device: str, dtype: str, offline: bool) -> Generator:
    from hybrid.models.generator import TransformersGenerator

    path = fetch(name, offline=offline)
    placement = _placement(device, dtype, exact=True)
    if path.suffix == ".gguf":
        from hybrid.models.gguf import converted

        path = converted(path)
    return TransformersGenerator(path, name=name, placement=placement)


@functools.lru_cache(maxsize=2)
def _remote(endpoint: str, name: str) -> Generator:
    from hybrid.models.remote import RemoteGenerator

    return RemoteGenerator(endpoint, model=name)


def _placement(device: str, dtype: str, *, exact: bool = False) -> Placement:
    _quiet()
    return choose_placement(device, dtype, exact=exact)


def _quiet() -> None:
    """Keep progress bars and advice of the libraries off the user's terminal."""
    # read when torch loads OpenMP: idle threads that spin make a query on shared cores ten times slower
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
