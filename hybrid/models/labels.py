"""Labels told by a head: linear on the mean hidden state of what varies in a prompt, and calibrated.

A head knows some sets of options. What is asked in words that all prompts of a set share (the stem) is not
read: it names the classifier. The rest is read by itself, so a prompt is short, and one that was seen in
training with passages is served with and without.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid.errors import AdapterError
from hybrid.files import write_json, write_tensors
from hybrid.models.device import batches
from hybrid.types import Message

if TYPE_CHECKING:
    from torch import Tensor

HEAD = "head.json"
HEAD_WEIGHTS = "head.safetensors"
_SCHEMA = 1
_ROWS, _TOKENS = 32, 4_096


@dataclass(frozen=True, slots=True)
class LabelSet:
    """Options to choose from, and the line of the prompt that asks for them; empty where there is none."""

    stem: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PromptFrame:
    """What stands in every prompt: between passages and question, and after the question."""

    between: str
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabelQuestion:
    """What is read of a prompt: the number of its label set, passages, and what varies in the question."""

    labels: int
    passages: str
    text: str


@dataclass(frozen=True, slots=True)
class LabelReading:
    """Tokens of the passages and of the text; the latter are never empty."""

    passages: tuple[int, ...]
    text: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """How a head reads.

    ``block`` is how many blocks of the model it reads through, ``passages`` tells whether the passages have a
    mean of their own, ``tokens`` is how many are read at most, and the logits are divided by ``temperature``.
    """

    block: int
    passages: bool
    tokens: int
    temperature: float


@dataclass(frozen=True, slots=True, eq=False)
class LabelHead:
    """A classifier for each of its label sets, over the same features.

    ``centre`` and ``scale`` standardise the features and have the shape (features,), ``weight`` is
    (sets, options, features) and ``bias`` (sets, options), with unused rows for sets of fewer options.
    """

    sets: tuple[LabelSet, ...]
    frame: PromptFrame
    settings: HeadSettings
    centre: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def log_probabilities(self, features: Tensor, sets: Sequence[int]) -> list[dict[str, float]]:
        """Return the log-probability of every option of the set of each row."""
        import torch

        known = torch.tensor(sets)
        rows = (features - self.centre) / self.scale
        logits = torch.einsum("nf,nof->no", rows, self.weight[known]) + self.bias[known]
        found = []
        for number, row in zip(sets, logits, strict=True):
            options = self.sets[number].options
            logs = (row[: len(options)] / self.settings.temperature).log_softmax(-1).tolist()
            found.append(dict(zip(options, logs, strict=True)))
        return found

    def save(self, folder: Path) -> None:
        """Write ``head.json`` and ``head.safetensors`` into the folder of an adapter."""
        names = ("centre", "scale", "weight", "bias")
        write_tensors(folder / HEAD_WEIGHTS, {name: getattr(self, name) for name in names})
        parts = {"sets": [asdict(one) for one in self.sets]}
        frame, settings = asdict(self.frame), asdict(self.settings)
        write_json(folder / HEAD, {"schema": _SCHEMA, **parts, "frame": frame, "settings": settings})


def load_head(folder: Path) -> LabelHead:
    """Read the head in the folder of an adapter.

    Raises:
        AdapterError: it is damaged, or of another version.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        told = json.loads((folder / HEAD).read_text(encoding="utf-8"))
        sets = tuple(LabelSet(one["stem"], tuple(one["options"])) for one in told["sets"])
        frame = PromptFrame(told["frame"]["between"], tuple(told["frame"]["after"]))
        settings = HeadSettings(**told["settings"])
        tensors = load_file(folder / HEAD_WEIGHTS)
        head = LabelHead(sets, frame, settings, **tensors)
        schema = told["schema"]
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise _unreadable(folder, str(error)) from error
    most, features = max((len(one.options) for one in sets), default=0), head.centre.shape[-1]
    shapes = {
        "centre": (features,),
        "scale": (features,),
        "weight": (len(sets), most, features),
        "bias": (len(sets), most),
    }
    if schema != _SCHEMA:
        raise _unreadable(folder, f"its schema is {schema}, expected {_SCHEMA}")
    if wrong := [name for name, shape in shapes.items() if tuple(tensors[name].shape) != shape]:
        raise _unreadable(folder, f"the shape of {', '.join(wrong)} does not fit its options")
    if not sets or not all(tensor.isfinite().all() for tensor in tensors.values()):
        raise _unreadable(folder, "it holds what is no number, or nothing")
    return head


def _unreadable(folder: Path, why: str) -> AdapterError:
    return AdapterError(
        f"the label head in {folder} cannot be read: {why}", hint="make it again with `hybrid adapt`"
    )


def find(
    conversation: Sequence[Message], options: Sequence[str], sets: Sequence[LabelSet], frame: PromptFrame
) -> LabelQuestion | None:
    """Return what is read of a prompt by label sets and frame, None if it asks for something else."""
    if not conversation or not options:
        return None
    whole = conversation[-1].content
    ends = [after for after in frame.after if whole.endswith(after)]
    text = whole.removesuffix(max(ends, key=len)) if ends else whole
    for number, one in sorted(enumerate(sets), key=lambda each: -len(each[1].stem)):
        if not set(options) <= set(one.options):
            continue
        if not one.stem:
            if not ends or ("" in ends and set(options) != set(one.options)):
                continue
            before, _, asked = text.rpartition(frame.between) if frame.between else ("", "", text)
            return LabelQuestion(number, before, asked) if asked.strip() else None
        before, stem, asked = f"\n{text}\n".rpartition(f"\n{one.stem}\n")
        if stem and asked.strip():
            return LabelQuestion(number, f"{before}\n".removesuffix(frame.between).strip(), asked.strip())
    return None


def cut(passages: Sequence[int], text: Sequence[int], limit: int) -> LabelReading:
    """Return what is read at most: the text first, then as much of the passages as fits."""
    kept = tuple(text[: limit - 1])
    return LabelReading(tuple(passages[: limit - 1 - len(kept)]), kept)


def inner_model(model: Any) -> Any:
    """Return the part of a causal language model below its output layer."""
    return getattr(model, model.base_model_prefix)


def read_means(
    inner: Any, readings: Sequence[LabelReading], settings: HeadSettings, *, first: int, rows: int = _ROWS
) -> Tensor:
    """Return the features of each reading, shape (readings, features): the mean states of its parts.

    ``inner`` is the model below its output layer. Each reading is read by itself, and what is asked about
    several times once, at most so many ``rows`` in one batch. ``first`` is the token that stands before
    everything, which takes what attention has to spare.
    """
    import torch

    unique = list(dict.fromkeys(readings))
    texts = [(first, *one.passages, *one.text) for one in unique]
    found: dict[LabelReading, Tensor] = {}
    for batch in batches([len(text) for text in texts], rows=min(rows, _ROWS), tokens=_TOKENS):
        width = max(len(texts[place]) for place in batch)
        # padded on the right, where nothing that counts looks at it
        ids = torch.tensor([[*texts[p], *[first] * (width - len(texts[p]))] for p in batch])
        with torch.no_grad():
            output = inner(input_ids=ids.to(inner.device), use_cache=False, output_hidden_states=True)
        asked = [unique[place] for place in batch]
        means = part_means(output.hidden_states[settings.block], asked, settings.passages)
        found |= zip(asked, means.cpu(), strict=True)
    return torch.stack([found[one] for one in readings])


def part_means(states: Tensor, readings: Sequence[LabelReading], passages: bool) -> Tensor:
    """Return the mean states of text and, where wanted, passages, shape (rows, features), in float32."""
    import torch

    parts = []
    for row, one in enumerate(readings):
        begin = 1 + len(one.passages)
        means = [states[row, begin : begin + len(one.text)].float().mean(0)]
        if passages:
            shown = states[row, 1:begin].float()
            means.append(shown.mean(0) if len(shown) else shown.new_zeros(shown.shape[-1]))
        parts.append(torch.cat(means))
    return torch.stack(parts)
