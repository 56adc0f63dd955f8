"""What holds a model to what it was: rehearsal from itself, and weights that pay for moving (EWC, L2).

Rehearsal is what the base itself writes (context-free: arXiv:2505.13811).

The diagonal of the Fisher information (EWC: arXiv:1612.00796) of a matrix of weights is kept as the product
of its row sums and column sums, which is the nearest one of rank 1 in divergence. So the penalty on ΔW = s·BA
needs no matrix of the size of W: Σ rᵢcⱼ(BA)ᵢⱼ² is the sum over (Bᵀ diag(r) B)∘(A diag(c) Aᵀ), two squares of
the rank. L2 to the start is the same with ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hybrid.adaptation.data.examples import load_examples, save_examples
from hybrid.adaptation.methods.encoding import Encoded, first_tokens
from hybrid.adaptation.methods.lora import lora_layers, precision
from hybrid.adaptation.suites import instructions
from hybrid.adaptation.values import Example, ExampleKind
from hybrid.config import AdaptationSettings, Method
from hybrid.errors import UsageError
from hybrid.files import hash_text, write_tensors
from hybrid.models.device import Placement
from hybrid.models.dialogue import LIKELIEST, MASS, Dialogue, left_padded
from hybrid.models.resolve import cached
from hybrid.text.sentences import sentence_spans
from hybrid.types import Message, MessageRole

# Changes with the way of sampling: what was made in another way is made again.
_SAMPLED_AS = "2"
# Texts as the model is, answers nearer to its most likely.
_TEXT_TEMPERATURE = 1.0
_ANSWER_TEMPERATURE = 0.7
_ROWS = 32
_TEXT_TOKENS = 128
# From nothing at all a small chat model writes gibberish; a common word makes it prose.
_OPENINGS = (
    "The", "In", "When", "A", "It was", "Many people", "This is", "There are", "One of the", "During the",
    "After", "For", "Some", "As a", "Although", "We", "He", "She", "If", "On the", "Most", "Before",
    "Because", "To",
)  # fmt: skip
_REPLY_TOKENS = 80
# Share of the tokens that are answers; the others are texts that are made up.
_ANSWERED = 1 / 3
# Made in steps of so many tokens, so that what is kept serves a little more or less data too.
_STEP = 2_048
# As many tokens of general text tell what the base needs.
FISHER_TOKENS = 16_384
# Changes with the way of estimating: what was kept of another way is estimated again.
_ESTIMATED_AS = "1"
Penalty: TypeAlias = "Callable[[], Tensor]"


def rehearsal_examples(
    module: Any, dialogue: Dialogue, *, digest: str, tokens: int, seed: int, cache: Path
) -> list[Example]:
    """Return about so many tokens of rehearsal; the same base and seed give the same, made once and kept.

    ``tokens``: of all completions together.
    """
    if tokens <= 0:
        return []
    steps = -(-tokens // _STEP)
    path = cache / "rehearsal" / f"{hash_text(_SAMPLED_AS, digest, str(seed), str(steps))[:24]}.jsonl"
    if path.is_file():
        made = load_examples(path)
    else:
        made = _made(module, dialogue, steps * _STEP, seed)
        save_examples(path, made)
    return first_tokens(made, map(len, dialogue.tokens([example.completion for example in made])), tokens)


def _made(module: Any, dialogue: Dialogue, tokens: int, seed: int) -> list[Example]:
    """Return answers and texts in any order."""
    asked = [(Message(MessageRole.USER, text),) for text in instructions()]
    wanted = min(len(asked), round(tokens * _ANSWERED / _REPLY_TOKENS))
    examples = list(_answers(module, dialogue, asked[:wanted], seed))
    left = tokens - sum(map(len, dialogue.tokens([example.completion for example in examples])))
    examples += _texts(module, dialogue, left, seed)
    order = np.random.default_rng(seed).permutation(len(examples))
    return [examples[place] for place in order]


def _answers(
    module: Any, dialogue: Dialogue, asked: Sequence[tuple[Message, ...]], seed: int
) -> Iterator[Example]:
    prompts = dialogue.tokens([dialogue.prompt(messages) for messages in asked])
    replies = sample(
        module, dialogue, prompts, max_new_tokens=_REPLY_TOKENS, temperature=_ANSWER_TEMPERATURE, seed=seed
    )
    for messages, (ids, ended) in zip(asked, replies, strict=True):
        text = _text(dialogue, ids)
        # to stop in the middle of a sentence is nothing to learn
        if not ended:
            whole = sentence_spans(text)[:-1]
            text = text[: whole[-1].end] if whole else ""
        if text:
            yield Example(ExampleKind.REHEARSAL, messages, text, made="answered")


def _texts(module: Any, dialogue: Dialogue, tokens: int, seed: int) -> Iterator[Example]:
    # a little shorter when they are read again
    count = max(round(tokens / _TEXT_TOKENS) + 1, 0)
    openings = dialogue.tokens([_OPENINGS[place % len(_OPENINGS)] for place in range(count)])
    written = sample(
        module,
        dialogue,
        openings,
        max_new_tokens=_TEXT_TOKENS,
        temperature=_TEXT_TEMPERATURE,
        seed=seed + 1,
        end=False,
    )
    for opening, (ids, _) in zip(openings, written, strict=True):
        if text := _text(dialogue, [*opening, *ids]):
            yield Example(ExampleKind.REHEARSAL, (), text, made="made up")


def _text(dialogue: Dialogue, ids: Sequence[int]) -> str:
    return str(dialogue.tokenizer.decode(ids, skip_special_tokens=True)).strip()


def sample(
    module: Any,
    dialogue: Dialogue,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    temperature: float,
    seed: int,
    end: bool = True,
) -> Iterator[tuple[list[int], bool]]:
    """Yield how the model goes on after each prompt, and whether it came to an end by itself.

    ``temperature``: 1 takes the model as it is, less makes the likely likelier. ``end``: whether it may come
    to an end; if not, that token is never taken.
    """
    from transformers import GenerationConfig

    drawn = GenerationConfig(
        do_sample=True,
        temperature=temperature,
        top_k=LIKELIEST,
        top_p=MASS,
        max_new_tokens=max_new_tokens,
        eos_token_id=dialogue.end,
        pad_token_id=dialogue.end,
        suppress_tokens=None if end else [dialogue.end],
    )
    module.eval()
    for first in range(0, len(prompts), _ROWS):
        rows = left_padded(prompts[first : first + _ROWS], filler=dialogue.end, device=module.device)
        with torch.inference_mode(), torch.random.fork_rng():
            torch.manual_seed(seed + first)
            # what its makers advise would fill what is not set: it is rehearsed as it is
            advised, module.generation_config = module.generation_config, drawn
            try:
                whole = module.generate(rows.ids, attention_mask=rows.mask, generation_config=drawn)
            finally:
                module.generation_config = advised
        for row in whole[:, rows.ids.shape[1] :].tolist():
            ended = dialogue.end in row
            yield row[: row.index(dialogue.end)] if ended else row, ended


@dataclass(frozen=True, slots=True, eq=False)
class Importance:
    """What the weights of a layer are worth, nats a token: about ``rows`` (out,) times ``columns`` (in,)."""

    rows: Tensor
    columns: Tensor


def held_layers(module: Any, method: Method) -> dict[str, Any]:
    """Return the layers whose change can be held, by their names in the base."""
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

    ``texts``: of the base, for the Fisher information.
    """
    if not settings.ewc and not settings.l2:
        return None
    layers = held_layers(module, settings.method)
    terms = [(settings.l2, {name: _equal(layer) for name, layer in layers.items()})] if settings.l2 else []
    if settings.ewc:
        some = first_tokens(texts, (len(text.ids) for text in texts), FISHER_TOKENS)
        if not some:
            raise UsageError(
                "ewc weighs by text of the base, and there is none", hint="give some as rehearsal"
            )
        terms.append((settings.ewc, _kept(module, layers, some, digest, placement)))
    changes = {name: _moved(layer) for name, layer in layers.items()}

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
    tokens = sum(text.judged for text in texts)
    found: dict[str, Importance] = {}
    for name, (rows, columns) in squares.items():
        root = (rows.sum() * tokens).sqrt().clamp(min=torch.finfo(rows.dtype).tiny)
        found[name] = Importance(rows / root, columns / root)
    return found


def _kept(
    module: Any, layers: Mapping[str, Any], texts: Sequence[Encoded], digest: str, placement: Placement
) -> dict[str, Importance]:
    """Return the Fisher information of a base, estimated once and kept."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    tokens = (repr((text.ids, text.start)) for text in texts)
    key = hash_text(_ESTIMATED_AS, digest, placement.dtype, *layers, *tokens)
    path = cached("fisher", f"{key[:32]}.safetensors")
    try:
        tensors = load_file(path, device=placement.device)
        return {name: Importance(tensors[f"{name}.rows"], tensors[f"{name}.columns"]) for name in layers}
    except (OSError, KeyError, SafetensorError):
        found = fisher(module, layers, texts, placement)
    flat = {f"{name}.rows": worth.rows for name, worth in found.items()}
    write_tensors(path, flat | {f"{name}.columns": worth.columns for name, worth in found.items()})
    return found


def _equal(layer: Any) -> Importance:
    weight = layer.weight
    return Importance(
        *(torch.ones(size, device=weight.device) for size in (layer.out_features, layer.in_features))
    )


def _moved(layer: Any) -> Callable[[Importance], Any]:
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
