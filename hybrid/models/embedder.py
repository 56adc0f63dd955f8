"""Bi-encoders that embed, by themselves or with an adapter, and cross-encoders that rerank."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hybrid.errors import AdapterError, ModelError, ModelMissing
from hybrid.files import hash_text, write_json
from hybrid.models import Embedder, EmbedderFingerprint, Vectors
from hybrid.models.adapters import AdapterFiles, read_adapter
from hybrid.models.device import Placement, batch_room
from hybrid.models.layout import prefixes, read_layout
from hybrid.models.pretrained import LOADING, computing, loaded_as, quiet, require_whole_module, require_words
from hybrid.models.resolve import cached, weights_digest
from hybrid.types import Span

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer
    from torch import Tensor
    from torch.nn import Module

    from hybrid.models.encoder import Encoder
    from hybrid.models.plain import PlainEncoder

_Model = TypeVar("_Model")
# Of the library, measured on two cores in bf16 on chunks of 200 tokens: 4: 73, 16: 82, 32: 97 chunks/s.
_BATCH = 32
# The vectors of so many queries are kept, 1.5 MB of the default embedder, and of so many texts that are asked
# for a few at a time, 25 MB: a reader compares sentences of the same passages with question after question.
_QUERIES, _TEXTS = 1_024, 16_384
_FEW = 64
# Models without a limit of their own still need one for chunks.
_NO_LIMIT = 512


@dataclasses.dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of a model that had to be loaded for it, kept beside its digest in our cache."""

    dimension: int
    pooling: str
    query_prefix: str
    document_prefix: str
    max_tokens: int


class SentenceTransformerEmbedder:
    """Any sentence-transformers model; its own prompts are used where it names them.

    A BERT with a usual pooling is read by our own encoder, which gives the same vectors, and the states of
    tokens; any other model by the library. Weights are loaded at the first text: a command that finds nothing
    to embed never waits for them. An adapter is merged then, so it costs no time afterwards. An index
    remembers it by ``name``; ``placement`` is asked when the weights are loaded. ``adapter`` is the folder of
    one that was made for these weights; ``prompts`` are put before queries and documents, empty is what the
    model names. ``plain`` lets queries be read on the CPU in float32 whatever the placement, which a small
    BERT does without torch. ``again`` gives it in another process, by the name of the model: weights do not
    travel.

    Raises:
        AdapterError: the adapter is not safe to read, damaged, or was made for another model; or, when the
            weights are loaded, it does not fit or changes nothing.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        placement: Callable[[], Placement],
        adapter: Path | None = None,
        prompts: tuple[str, str] = ("", ""),
        plain: bool = False,
        again: Callable[[], Embedder] | None = None,
    ) -> None:
        self._folder, self._again = folder, again
        self._name = name
        self._placement = placement
        self._digest = weights_digest(folder)
        self._adapter = read_adapter(adapter, self._digest, base=name) if adapter is not None else None
        self._layout, self._prompts = read_layout(folder), prompts
        self._plainly = plain and adapter is None
        self._queries, self._texts = _Remembered(_QUERIES), _Remembered(_TEXTS)

    def __reduce__(self) -> tuple[Callable[[], Embedder], tuple[()]]:
        if self._again is None:
            raise TypeError(f"{self._name} was not loaded by its name")
        return self._again, ()

    def load(self) -> None:
        """Load the weights that embed documents, unless they are loaded."""
        if self._encoder is None:
            _ = self._model

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

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """Return the word piece of each token, by its number."""
        vocabulary = self._tokenizer.get_vocab()
        names = [""] * (max(vocabulary.values()) + 1)
        for piece, number in vocabulary.items():
            names[number] = piece
        return tuple(names)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding) for encoding in encodings]

    def token_spans(self, text: str) -> list[Span]:
        """Return the stretch of each token, in order."""
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return [Span(start, end) for start, end in offsets]

    def tokens(self, texts: Sequence[str]) -> list[tuple[list[int], list[Span]]]:
        """Return numbers and stretches of the tokens of each text."""
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [(list(found.ids), [Span(start, end) for start, end in found.offsets]) for found in encodings]

    def states(self, rows: Sequence[Sequence[int]], layers: Sequence[int]) -> list[NDArray[np.float16]]:
        """Return the states of the tokens of each row; one that an adapter was merged into has its own.

        Raises:
            ModelError: the model is no BERT, or was saved in a way of its own.
        """
        encoder = self._encoder
        if encoder is None:
            raise ModelError(
                f"{self._name} does not tell the states of its tokens",
                hint="name a BERT that embeds, as sentence-transformers/all-MiniLM-L6-v2",
            )
        first, *_, last = self._tokenizer.encode("").ids
        marked = [[first, *row, last] for row in rows]
        return [found[1:-1] for found in encoder.states(marked, layers)]

    def tuned(self, change: Mapping[str, tuple[Tensor, Tensor]]) -> Encoder | None:
        """Return its encoder for another task; None where it is no BERT, or an adapter was merged into it.

        ``change`` has for each weight two matrices, whose product is added to it.
        """
        encoder = self._encoder if self._adapter is None else None
        if encoder is None:
            return None
        own = encoder.model.state_dict()
        return encoder.changed({name: own[name] + (b @ a).to(own[name]) for name, (b, a) in change.items()})

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of the texts; similar lengths share a batch, so little is padding.

        Those of a few texts are remembered.
        """
        embed = functools.partial(self._embed, prefix=self._facts.document_prefix, plain=False)
        return self._texts.of(texts, embed) if 0 < len(texts) <= _FEW else embed(texts)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """Return unit vectors of the queries; those of the last ones are remembered.

        One question is read by the router of the domains, that of the arms, the retriever, and the reader.
        """
        embed = functools.partial(self._embed, prefix=self._facts.query_prefix, plain=True)
        return self._queries.of(texts, embed) if texts else embed(texts)

    def _encoded(self, texts: Sequence[str], prefix: str) -> Any:
        model = self._model
        try:
            with computing(self._name):
                return model.encode(
                    list(texts),
                    prompt=prefix,
                    batch_size=_BATCH * batch_room(str(model.device)),
                    show_progress_bar=False,
                    convert_to_numpy=True,
                )
        except ModelError as error:
            if not isinstance(error.__cause__, KeyError):
                raise
            raise ModelMissing(
                f"{self._folder} gives no vector of a text ({error.__cause__}): its modules.json names no "
                "pooling",
                hint="fetch it again, or take modules.json out: then the mean of the tokens is taken",
            ) from error

    def _embed(self, texts: Sequence[str], *, prefix: str, plain: bool) -> Vectors:
        if not texts:
            return np.empty((0, self._facts.dimension), dtype=np.float32)
        encoder = (plain and self._plain) or self._encoder
        if encoder is not None:
            whole = self._cutting.encode_batch_fast([prefix + text for text in texts])
            vectors = encoder.pooled([encoding.ids for encoding in whole])
        else:
            vectors = self._encoded(texts, prefix)
        # bf16 leaves a norm of 1 only to two digits: normalise again in float32
        unit: Vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        lengths = np.linalg.norm(unit, axis=1, keepdims=True)
        _require_numbers(lengths, self._name)
        unit /= np.maximum(lengths, 1e-12)
        return unit

    @cached_property
    def _plain(self) -> PlainEncoder | None:
        if self._layout is None or not self._plainly:
            return None
        from hybrid.models.plain import load_plain

        with LOADING:
            return load_plain(self._layout, self._digest)

    @cached_property
    def _encoder(self) -> Encoder | None:
        if self._layout is None:
            return None
        from hybrid.models.encoder import load_encoder

        with LOADING:
            with loaded_as("sentence-transformers model", self._folder):
                encoder = load_encoder(self._layout, self._placement(), self._digest)
            if encoder is None or self._adapter is None:
                return encoder
            from hybrid.models.adapters import merged_weights

            return encoder.changed(merged_weights(encoder.model, self._adapter.folder).tensors)

    @cached_property
    def _model(self) -> SentenceTransformer:
        with LOADING:
            model = load_sentence_transformer(self._folder, self._placement())
            if self._adapter is not None:
                _merge(transformer_of(model), self._adapter)
            return model

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        with loaded_as("sentence-transformers model", self._folder):
            tokenizer = _bare(self._tokenizer_text)
        require_words(tokenizer, self._folder)
        return tokenizer

    @cached_property
    def _cutting(self) -> Tokenizer:
        """Return the tokenizer of what the encoder reads: with markers, and not longer than it may be."""
        from tokenizers import normalizers

        assert self._layout is not None, "the encoder has one"
        tokenizer = self._tokenizer.from_str(self._tokenizer.to_str())
        if self._layout.lower:
            own = [tokenizer.normalizer] if tokenizer.normalizer is not None else []
            tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *own])
        tokenizer.enable_truncation(self._layout.max_length)
        return tokenizer

    @cached_property
    def _tokenizer_text(self) -> str:
        saved = self._layout.tokenizer if self._layout is not None else self._folder / "tokenizer.json"
        if saved.is_file():
            return saved.read_text(encoding="utf-8")
        # a copy: the model switches truncation and padding on in the original at every call
        return str(self._model.tokenizer.backend_tokenizer.to_str())

    @cached_property
    def _facts(self) -> _Facts:
        if self._layout is not None:
            known = self._layout
            return self._facts_of(
                known.shape.hidden_size,
                known.pooling,
                (known.query_prefix, known.document_prefix),
                known.max_length,
            )
        configs = [path.read_text(encoding="utf-8") for path in sorted(self._folder.rglob("*config*.json"))]
        kept = cached("embedders", f"{hash_text(self._digest, *configs, *self._prompts)[:24]}.json")
        # none, or of another version of this package
        with contextlib.suppress(OSError, TypeError, ValueError):
            return _Facts(**json.loads(kept.read_text(encoding="utf-8")))
        with loaded_as("sentence-transformers model", self._folder):
            facts = self._measure()
        write_json(kept, dataclasses.asdict(facts))
        return facts

    def _measure(self) -> _Facts:
        model = self._model
        modes = [getattr(module, "pooling_mode", None) for module in model]
        length = model.max_seq_length or 0
        return self._facts_of(
            int(model.get_embedding_dimension() or 0),
            next((str(mode) for mode in modes if mode), "model's own"),
            prefixes(model.prompts or {}, model.default_prompt_name),
            int(length) if 0 < length < math.inf else _NO_LIMIT,
        )

    def _facts_of(self, dimension: int, pooling: str, prompts: tuple[str, str], length: int) -> _Facts:
        prompts = (self._prompts[0] or prompts[0], self._prompts[1] or prompts[1])
        special = len(self._tokenizer.encode("").ids)
        room = length - special - max(self.count_tokens(prompts))
        return _Facts(dimension, pooling, *prompts, room)


class _Remembered:
    """The vectors of the texts that were asked for last, for all threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._vectors: OrderedDict[str, Vectors] = OrderedDict()

    def of(self, texts: Sequence[str], embed: Callable[[list[str]], Vectors]) -> Vectors:
        """Return a vector for each text; those that are not known are embedded in one call."""
        with self._lock:
            found = {text: self._vectors[text] for text in texts if text in self._vectors}
        fresh = [text for text in dict.fromkeys(texts) if text not in found]
        if fresh:
            # a copy of each: a row would keep all of its batch
            found |= {text: vector.copy() for text, vector in zip(fresh, embed(fresh), strict=True)}
        with self._lock:
            for text in texts:
                self._vectors[text] = found[text]
                self._vectors.move_to_end(text)
            while len(self._vectors) > self._most:
                self._vectors.popitem(last=False)
        return np.stack([found[text] for text in texts])


class CrossEncoderReranker:
    """Any cross-encoder with one output, by name or folder."""

    def __init__(self, folder: Path, *, name: str, placement: Placement) -> None:
        quiet()
        from sentence_transformers import CrossEncoder

        with LOADING:
            self._model = _loaded(CrossEncoder, "cross-encoder", folder, placement)
            require_whole_module(self._model.model, folder, "cross-encoder")
            require_words(self._model.tokenizer, folder)
        if self._model.num_labels != 1:
            raise ModelMissing(
                f"{name} has {self._model.num_labels} outputs, a reranker has 1",
                hint="choose a cross-encoder that was trained for passage ranking",
            )
        self._name = name

    @property
    def name(self) -> str:
        """Return the name under which it was loaded."""
        return self._name

    def score(self, query: str, passages: Sequence[str]) -> list[float]:
        """Return one score a passage, higher is better."""
        if not passages:
            return []
        pairs = [(query, passage) for passage in passages]
        with computing(self._name):
            scores = self._model.predict(pairs, show_progress_bar=False, convert_to_numpy=True)
        _require_numbers(scores, self._name)
        return [float(score) for score in scores]


def load_sentence_transformer(folder: Path, placement: Placement) -> SentenceTransformer:
    """Return a model of a folder, ready to embed or to be trained.

    Raises:
        ModelMissing: the folder is none, damaged, lacks weights, or needs code of its own.
    """
    quiet()
    from sentence_transformers import SentenceTransformer

    with LOADING:
        model = _loaded(SentenceTransformer, "sentence-transformers model", folder, placement)
        transformer: Any = getattr(model[0], "auto_model", None)
        if transformer is not None:
            require_whole_module(transformer, Path(transformer.config.name_or_path or folder), "embedder")
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


def _loaded(maker: Callable[..., _Model], kind: str, folder: Path, placement: Placement) -> _Model:
    """Return a model of the library, from this machine and without code of its own."""
    # other sizes are refused afterwards, by the names of the tensors
    options = {"dtype": placement.torch_dtype(), "use_safetensors": True, "ignore_mismatched_sizes": True}
    own: dict[str, Any] = {"device": placement.device, "model_kwargs": options}
    with loaded_as(kind, folder):
        return maker(str(folder), local_files_only=True, trust_remote_code=False, **own)


def _require_numbers(values: NDArray[Any], name: str) -> None:
    if not np.isfinite(values).all():
        raise ModelError(
            f"{name} computes what is no number (NaN)", hint="its weights are damaged: fetch the model again"
        )


def _bare(text: str) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(text)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _merge(transformer: Module, adapter: AdapterFiles) -> None:
    from hybrid.models.adapters import merged_weights

    own = dict(transformer.named_parameters(remove_duplicate=False))
    for name, value in merged_weights(transformer, adapter.folder).tensors.items():
        own[name].data = value
