"""A generator whose words another engine computes: written once as GGUF, held against torch, then asked."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from hybrid.config import Engine
from hybrid.errors import ExtraMissing, ModelError
from hybrid.files import folder_lock, read_stored, write_json
from hybrid.models import Generation
from hybrid.models.adapters import read_adapter
from hybrid.models.decoding import BATCH_TOKENS, Stepper
from hybrid.models.dialogue import Draws
from hybrid.models.fidelity import EngineFidelity, held_against
from hybrid.models.generator import TransformersGenerator
from hybrid.models.gguf import Precision, Source, write_model
from hybrid.models.pretrained import LOADING
from hybrid.models.resolve import cached
from hybrid.models.writing import LocalGenerator
from hybrid.types import Message

# What each engine is as a distribution, and as modules, with what writes its files.
_DISTRIBUTIONS = {Engine.OPENVINO: "openvino-genai", Engine.LLAMACPP: "xllamacpp"}
_MODULES = {Engine.OPENVINO: ("openvino_genai", "gguf"), Engine.LLAMACPP: ("xllamacpp", "gguf")}
_SCHEMA = 1


class EngineGenerator(LocalGenerator):
    """Any model that can be written as GGUF; torch tells how likely given texts are, which no engine does.

    Nothing is written or loaded before something is to be generated. Adapters are merged before: OpenVINO
    ignores LoRA beside a GGUF file, and says nothing. ``precision`` is that of the weights in the file;
    ``torch`` gives the model in torch, in float32, loaded when it is first needed.

    Raises:
        ExtraMissing: the engine is not installed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        engine: Engine,
        precision: Precision,
        torch: Callable[[], TransformersGenerator],
    ) -> None:
        missing = [module for module in _MODULES[engine] if find_spec(module) is None]
        if missing:
            raise ExtraMissing(
                f"`models.engine` is {engine}, which needs: {', '.join(missing)}",
                hint=f'pip install "hybrid-assistant[{engine}]", or set models.engine = torch',
            )
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        super().__init__(folder, name=name, form=f"{engine} {precision}", config=config)
        self._engine, self._precision, self._torch = engine, precision, torch
        self._stepper: Stepper | None = None

    @property
    def context_tokens(self) -> int:
        """Return how many tokens prompt and completion may have together: as many as a batch at the most."""
        return min(super().context_tokens, BATCH_TOKENS)

    @property
    def torch(self) -> TransformersGenerator:
        """Return the same model in torch, with the same adapter."""
        own = self._torch()
        return own if self._adapter is None else own.adapted(self._adapter.folder, strength=self._strength)

    def adapted(self, folder: Path, *, strength: float = 1.0) -> EngineGenerator:
        """Return this generator with an adapter merged into its weights, in a file of its own.

        The folder is of an adapter that was made for this base; ``strength`` is what the change of the
        weights is multiplied by.

        Raises:
            AdapterError: it is unsafe, damaged, or made for another base.
        """
        view = copy.copy(self)
        view._adapter = read_adapter(folder, self.base_weights, base=self._name)
        # a label head leaves all but the likelihoods of its labels to the base
        view._strength, view._stepper = strength, self._stepper if view._adapter.head else None
        return view

    def _write(
        self, prompts: Sequence[str], most: int, stop: Sequence[str], draws: Sequence[Draws] | None = None
    ) -> list[Generation]:
        # by chance torch writes for llama.cpp, where the same seed draws otherwise when more is asked
        by_engine = draws is None or self._engine is Engine.OPENVINO
        write = super()._write if by_engine else self.torch._write
        return write(prompts, most, stop, draws)

    def log_likelihoods(
        self, conversations: Sequence[Sequence[Message]], continuations: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Return what torch tells, see ``TransformersGenerator``."""
        return self.torch.log_likelihoods(conversations, continuations) if conversations else []

    def log_probabilities(
        self, conversations: Sequence[Sequence[Message]], continuations: Sequence[Sequence[str]]
    ) -> list[list[list[float]]]:
        """Return what torch tells, see ``TransformersGenerator``."""
        return self.torch.log_probabilities(conversations, continuations) if conversations else []

    def _decoding(self) -> Stepper:
        """Return the engine over the weights, once they were held against torch.

        Raises:
            ModelError: the model cannot be written for this engine, or speaks otherwise there.
        """
        if self._stepper is None:
            with LOADING:
                self._stepper = self._opened()
        return self._stepper

    def _opened(self) -> Stepper:
        alone = self._adapter is None or self._adapter.head
        digest = self._base_digest if alone else self.digest
        folder = cached("engines", f"{Path(self._name).name}-{self._engine}-{self._precision}-{digest[:16]}")
        file, record = folder / "model.gguf", folder / "fidelity.json"
        with folder_lock(folder, wait=math.inf):
            if not file.is_file():
                self._write_weights(file)
            engine_version = version(_DISTRIBUTIONS[self._engine])
            found = read_stored(EngineFidelity, record, _SCHEMA, hint=f"remove {record}")
            if found is None or found.version != engine_version:
                found = held_against(self.torch, self._over(file), engine_version)
                write_json(record, {"schema": _SCHEMA, **asdict(found)})
        if found.against:
            raise ModelError(
                f"{self.name} says something else in {self._engine} at {self._precision} than in torch: "
                f"{found.against}",
                hint="set models.engine = torch"
                + (", or models.precision = f16" if self._precision is Precision.Q8_0 else ""),
            )
        return self._over(file)._decoding()

    def _write_weights(self, file: Path) -> None:
        try:
            changed = {} if self._adapter is None else self.torch.merged()
            write_model(Source(self._folder, changed), file, self._precision, name=self.name)
        except ExtraMissing:
            raise
        except ModelError as error:
            raise ModelError(
                f"{self.name} cannot be computed by {self._engine}: {error}", hint="set models.engine = torch"
            ) from error

    def _over(self, file: Path) -> EngineGenerator:
        """Return this generator over a file that is there."""
        import torch

        view = copy.copy(self)
        view._stepper = _stepper(self._engine, file, self.ends, torch.get_num_threads())
        return view


@functools.lru_cache(maxsize=2)
def _stepper(engine: Engine, file: Path, ends: frozenset[int], threads: int) -> Stepper:
    if engine is Engine.OPENVINO:
        from hybrid.models.openvino import OpenVinoStepper

        return OpenVinoStepper(file, ends=ends, threads=threads)
    from hybrid.models.llamacpp import LlamaCppStepper

    return LlamaCppStepper(file, ends=ends, threads=threads)
