"""Weights held where the base needs them: EWC and L2 to the start, on the change and not on its factors.

The diagonal of the Fisher information (arXiv:1612.00796) of a matrix of weights is kept as the product of its
row sums and column sums, which is the nearest one of rank 1 in divergence. So the penalty on ΔW = s·BA needs
no matrix of the size of W: Σ rᵢcⱼ(BA)ᵢⱼ² is the sum over (Bᵀ diag(r) B)∘(A diag(c) Aᵀ), two squares of the
rank. L2 to the start is the same with ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch.nn import functional

from hybrid.adaptation.methods.lora import lora_layers, precision
from hybrid.adaptation.training.encoding import Encoded
from hybrid.config import AdaptationSettings, Method
from hybrid.errors import UsageError
from hybrid.files import hash_text, storage_errors
from hybrid.models.device import Placement
from hybrid.models.resolve import cached

if TYPE_CHECKING:
    from torch import Tensor

# As many tokens of general text tell what the base needs.
FISHER_TOKENS = 16_384
# Changes with the way of estimating: what was kept of another way is estimated again.
_VERSION = "1"

Penalty: TypeAlias = "Callable[[], Tensor]"


@dataclass(frozen=True, slots=True, eq=False)
class Importance:
    """What the weights of a layer are worth, nats a token: about ``rows`` (out,) times ``columns`` (in,)."""

    rows: Tensor
    columns: Tensor


def held_layers(module: Any, method: Method) -> dict[str, Any]:
    """Return the layers whose change can be held, by their names in the base.

    Raises:
        UsageError: the method changes no matrix of weights in proportion.
    """
    found = {} if method is Method.DORA else lora_layers(module)
    if method is Method.FULL:
        found = {
            name: layer
            for name, layer in module.get_base_model().named_modules()
            if isinstance(layer, torch.nn.Linear) and layer.weight.requires_grad
        }
    if not found:
        raise UsageError(
            f"ewc and l2 hold the change of whole matrices, which {method} does not know",
            hint="tune with --method lora, or hold it by --rehearsal and --divergence",
        )
    return found


def hold_weights(
    module: Any, settings: AdaptationSettings, texts: Sequence[Encoded], digest: str, placement: Placement
) -> Penalty | None:
    """Return what a step pays for weights that moved, or None where nothing is held.

    It is λ/2 · Σ F·ΔW². For EWC that is in nats a token what general text loses by the diagonal of F alone,
    which is a small part of it: a weight of 1 hardly holds. For L2 F is 1.

    Args:
        module: the model before training.
        settings: the weights of both.
        texts: of the base, for the Fisher information.
        digest: of the weights of the base.
        placement: of the model.

    Raises:
        UsageError: the method cannot be held, or there is no text to tell what the base needs.
    """
    if not settings.ewc and not settings.l2:
        return None
    layers = held_layers(module, settings.method)
    terms = [(settings.l2, {name: _equal(layer) for name, layer in layers.items()})] if settings.l2 else []
    if settings.ewc:
        some = _enough(texts)
        if not some:
            raise UsageError(
                "ewc weighs by text of the base, and there is none", hint="give some as rehearsal"
            )
        terms.append((settings.ewc, _kept(module, layers, some, digest, placement)))
    changes = {name: _change(layer) for name, layer in layers.items()}

    def penalty() -> Tensor:
        parts = [
            0.5 * weight * changes[name](worth) for weight, found in terms for name, worth in found.items()
        ]
        return torch.stack(parts).sum()

    return penalty


def fisher(
    module: Any, layers: Mapping[str, Any], texts: Sequence[Encoded], placement: Placement
) -> dict[str, Importance]:
    """Return the importance of layers, from the gradients of texts that the model wrote itself.

    The squares are of the gradient of a whole text, as the likelihood of a text is one event.
    """
    squares: dict[str, list[Tensor]] = {}

    def gather(name: str, inputs: Tensor, gradient: Tensor) -> None:
        flat, behind = inputs.flatten(0, -2).float(), gradient.flatten(0, -2).float()
        # the sums of the squares of gᵀx, over tokens instead of over a matrix of the size of the weights
        sums = [(behind * (flat @ flat.t() @ behind)).sum(0), (flat * (behind @ behind.t() @ flat)).sum(0)]
        squares[name] = [a + b for a, b in zip(squares[name], sums, strict=True)] if name in squares else sums

    def watch(name: str) -> Any:
        def seen(layer: Any, given: tuple[Tensor, ...], output: Any) -> None:
            inputs = given[0].detach()
            output.register_hook(lambda gradient: gather(name, inputs, gradient))

        return seen

    hooks = [layer.register_forward_hook(watch(name)) for name, layer in layers.items()]
    module.eval()
    try:
        for text in texts:
            ids = torch.tensor([text.ids], device=placement.device)
            with precision(module, placement)():
                logits = module(input_ids=ids, use_cache=False).logits
            behind = logits[0, text.start - 1 : -1].float()
            loss: Any = functional.cross_entropy(behind, ids[0, text.start :], reduction="sum")
            loss.backward()
            module.zero_grad(set_to_none=True)
    finally:
        for hook in hooks:
            hook.remove()
    tokens = sum(text.completion_tokens for text in texts)
    return {name: _factored(rows, columns, tokens) for name, (rows, columns) in squares.items()}


def _factored(rows: Tensor, columns: Tensor, tokens: int) -> Importance:
    root = (rows.sum() * tokens).sqrt().clamp(min=torch.finfo(rows.dtype).tiny)
    return Importance(rows / root, columns / root)


def _kept(
    module: Any, layers: Mapping[str, Any], texts: Sequence[Encoded], digest: str, placement: Placement
) -> dict[str, Importance]:
    """Return the Fisher information of a base, estimated once and kept."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file

    tokens = (repr((text.ids, text.start)) for text in texts)
    key = hash_text(_VERSION, digest, placement.dtype, *layers, *tokens)
    path = cached("fisher", f"{key[:32]}.safetensors")
    try:
        tensors = load_file(path, device=placement.device)
        return {name: Importance(tensors[f"{name}.rows"], tensors[f"{name}.columns"]) for name in layers}
    except (OSError, KeyError, SafetensorError):
        found = fisher(module, layers, texts, placement)
    with storage_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        flat = {f"{name}.rows": worth.rows for name, worth in found.items()}
        save_file(flat | {f"{name}.columns": worth.columns for name, worth in found.items()}, path)
    return found


def _enough(texts: Sequence[Encoded]) -> list[Encoded]:
    found, tokens = list[Encoded](), 0
    for text in texts:
        if tokens >= FISHER_TOKENS:
            break
        found.append(text)
        tokens += len(text.ids)
    return found


def _equal(layer: Any) -> Importance:
    weight = layer.weight
    return Importance(
        *(torch.ones(size, device=weight.device) for size in (layer.out_features, layer.in_features))
    )


def _change(layer: Any) -> Callable[[Importance], Any]:
    """Return what gives Σ F·ΔW² of a layer as it is now, measured from how it is here."""
    if isinstance(layer, torch.nn.Linear):
        weight, start = layer.weight, layer.weight.detach().clone()
        return lambda worth: worth.rows @ (weight - start).float().square() @ worth.columns
    (name,) = layer.lora_A
    down: Tensor = layer.lora_A[name].weight
    up: Tensor = layer.lora_B[name].weight
    scale = float(layer.scaling[name])
    # what does not begin at 0 (PiSSA) is a difference of two products, which is one of twice the rank
    first = (down.detach().clone(), up.detach().clone()) if up.any() else None

    def squares(worth: Importance) -> Tensor:
        inner, outer = down.float(), up.float()
        if first is not None:
            inner, outer = torch.cat([inner, -first[0].float()]), torch.cat([outer, first[1].float()], 1)
        behind = (outer * worth.rows[:, None]).t() @ outer
        return scale**2 * (behind * ((inner * worth.columns) @ inner.t())).sum()

    return squares
