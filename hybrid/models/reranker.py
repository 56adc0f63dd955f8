"""A cross-encoder as a reranker.

Takes a query and passages, gives one score a passage. Knows nothing about where they came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hybrid.errors import ModelMissing
from hybrid.models.device import Placement


class CrossEncoderReranker:
    """Any cross-encoder with one output, by name or folder."""

    def __init__(self, folder: Path, *, name: str, placement: Placement) -> None:
        from safetensors import SafetensorError
        from sentence_transformers import CrossEncoder

        try:
            self._model = CrossEncoder(
                str(folder),
                device=placement.device,
                local_files_only=True,
                model_kwargs={"dtype": placement.torch_dtype(), "use_safetensors": True},
            )
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ModelMissing(f"{folder} cannot be loaded as a cross-encoder: {error}") from error
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
        scores = self._model.predict(pairs, show_progress_bar=False, convert_to_numpy=True)
        return [float(score) for score in scores]
