"""A sentence-transformers model as an embedder, by itself or with an adapter.

Takes texts, gives unit vectors. Knows nothing about chunks or indexes. The weights are loaded at
the first text, not before: a command that finds nothing to embed never waits for them. An adapter is merged
when they are, so it costs no time afterwards; one embedder has one adapter, for an index has one embedder.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybrid.errors import AdapterError, ModelMissing
from hybrid.files import hash_text, write_json
from hybrid.models import EmbedderFingerprint, Vectors
from hybrid.models.adapters import AdapterFiles, read_adapter
from hybrid.models.device import Placement
from hybrid.models.resolve import cache_folder, weights_digest
from hybrid.types import Span

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer
    from torch.nn import Module

# Measured on two cores with bf16 on chunks of 200 tokens: 4: 73, 8: 82, 16: 82, 32: 97, 64: 96 chunks/s.
_BATCH = 32
# Models without a limit of their own still need one for chunks.
_NO_LIMIT = 512


@dataclasses.dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of a model once it was loaded, kept beside its digest in our cache."""

    dimension: int
    pooling: str
    query_prefix: str
    document_prefix: str
    max_tokens: int


class SentenceTransformerEmbedder:
    """Any sentence-transformers model; its own prompts are used where it names them.

    Args:
        folder: where the model lies.
        name: the name under which an index remembers it.
        placement: gives device and number format; called when the weights are loaded.
        adapter: the folder of an adapter that was made for these weights.

    Raises:
        AdapterError: the adapter is not safe to read, damaged, or was made for another model; or, when the
            weights are loaded, it does not fit or changes nothing.
    """

    def __init__(
        self, folder: Path, *, name: str, placement: Callable[[], Placement], adapter: Path | None = None
    ) -> None:
        self._folder = folder
        self._name = name
        self._placement = placement
        self._digest = weights_digest(folder)
        self._adapter = read_adapter(adapter, self._digest, base=name) if adapter is not None else None

    @cached_property
    def fingerprint(self) -> EmbedderFingerprint:
        """Return name, digests of the weights and of the adapter, dimension, pooling and prefixes."""
        facts = self._facts
        return EmbedderFingerprint(
            name=self._name,
            weights=self._digest,
            dimension=facts.dimension,
            pooling=facts.pooling,
            query_prefix=facts.query_prefix,
            document_prefix=facts.document_prefix,
            adapter=self._adapter.digest if self._adapter is not None else "",
        )

    @property
    def max_tokens(self) -> int:
        """Return how many tokens of a text the model sees."""
        return self._facts.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding) for encoding in encodings]

    def token_spans(self, text: str) -> list[Span]:
        """Return the stretch of each token, in order."""
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return [Span(start, end) for start, end in offsets]

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of the texts; similar lengths share a batch, so little is padding."""
        return self._embed(texts, self._facts.document_prefix)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of the queries."""
        return self._embed(texts, self._facts.query_prefix)

    def _embed(self, texts: Sequence[str], prefix: str) -> Vectors:
        if not texts:
            return np.empty((0, self._facts.dimension), dtype=np.float32)
        vectors = self._model.encode(
            list(texts), prompt=prefix, batch_size=_BATCH, show_progress_bar=False, convert_to_numpy=True
        )
        # bf16 leaves a norm of 1 only to two digits: normalise again in float32
        unit: Vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
        return unit

    @cached_property
    def _model(self) -> SentenceTransformer:
        model = load_sentence_transformer(self._folder, self._placement())
        if self._adapter is not None:
            _merge(transformer_of(model), self._adapter)
        return model

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        saved = self._folder / "tokenizer.json"
        if saved.is_file():
            tokenizer = Tokenizer.from_file(str(saved))
        else:
            # a copy: the model switches truncation and padding on in the original at every call
            tokenizer = Tokenizer.from_str(self._model.tokenizer.backend_tokenizer.to_str())
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def _facts(self) -> _Facts:
        configs = [path.read_text(encoding="utf-8") for path in sorted(self._folder.rglob("*config*.json"))]
        known = cache_folder() / "embedders" / f"{hash_text(self._digest, *configs)[:24]}.json"
        if known.is_file():
            try:
                return _Facts(**json.loads(known.read_text(encoding="utf-8")))
            except (TypeError, ValueError):
                known.unlink(missing_ok=True)  # of another version of this package
        facts = self._measure()
        known.parent.mkdir(parents=True, exist_ok=True)
        write_json(known, dataclasses.asdict(facts))
        return facts

    def _measure(self) -> _Facts:
        model = self._model
        prompts = model.prompts or {}
        default = prompts.get(model.default_prompt_name or "") or ""
        query = prompts.get("query") or default
        document = prompts.get("document") or prompts.get("passage") or default
        special = len(self._tokenizer.encode("").ids)
        modes = [getattr(module, "pooling_mode", None) for module in model]
        return _Facts(
            dimension=int(model.get_embedding_dimension() or 0),
            pooling=next((str(mode) for mode in modes if mode), "model's own"),
            query_prefix=query,
            document_prefix=document,
            max_tokens=int(model.max_seq_length or _NO_LIMIT)
            - special
            - max(self.count_tokens([query, document])),
        )


def load_sentence_transformer(folder: Path, placement: Placement) -> SentenceTransformer:
    """Return a model of a folder, ready to embed.

    Raises:
        ModelMissing: the folder is none, or damaged.
    """
    from safetensors import SafetensorError
    from sentence_transformers import SentenceTransformer

    try:
        model = SentenceTransformer(
            str(folder),
            device=placement.device,
            local_files_only=True,
            model_kwargs={"dtype": placement.torch_dtype(), "use_safetensors": True},
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelMissing(
            f"{folder} cannot be loaded as a sentence-transformers model: {error}",
            hint="the folder needs config.json, a tokenizer and model.safetensors",
        ) from error
    return model.eval()


def transformer_of(model: SentenceTransformer) -> Module:
    """Return the part of the model that an adapter changes.

    Raises:
        AdapterError: the model has no transformer, as a static one.
    """
    transformer: Module | None = getattr(model[0], "auto_model", None)
    if transformer is None:
        raise AdapterError(
            f"the embedder begins with {type(model[0]).__name__}, which takes no adapter",
            hint="set models.embedder to a model with a transformer",
        )
    return transformer


def _merge(transformer: Module, adapter: AdapterFiles) -> None:
    from hybrid.models.merging import merged_weights

    own = dict(transformer.named_parameters(remove_duplicate=False))
    for name, value in merged_weights(transformer, adapter.folder).tensors.items():
        own[name].data = value
