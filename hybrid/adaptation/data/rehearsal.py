"""Rehearsal against forgetting, from the base itself (context-free: arXiv:2505.13811)."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Sequence
from importlib import resources
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hybrid.adaptation.data.files import load_examples, save_examples
from hybrid.adaptation.values import Example, ExampleKind
from hybrid.files import hash_text
from hybrid.models.dialogue import Dialogue, draw, left_padded
from hybrid.text.sentences import sentence_spans
from hybrid.types import Message, MessageRole

# Changes with the way of sampling: what was made in another way is made again.
_VERSION = "1"
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


def rehearsal_examples(
    module: Any, dialogue: Dialogue, *, digest: str, tokens: int, seed: int, cache: Path
) -> list[Example]:
    """Return about so many tokens of rehearsal; the same base and seed give the same, made once and kept.

    Args:
        module: the base, a causal language model of transformers without an adapter.
        dialogue: its layout of conversations.
        digest: of the weights of the base.
        tokens: of all completions together.
        seed: of the sampling.
        cache: a folder for what was made; it may be removed at any time.
    """
    if tokens <= 0:
        return []
    steps = -(-tokens // _STEP)
    path = cache / "rehearsal" / f"{hash_text(_VERSION, digest, str(seed), str(steps))[:24]}.jsonl"
    if path.is_file():
        made = load_examples(path)
    else:
        made = _made(module, dialogue, steps * _STEP, seed)
        save_examples(path, made)
    lengths = [len(ids) for ids in dialogue.tokens([example.completion for example in made])]
    # the first ones that together have as many tokens
    before = accumulate(lengths, initial=0)
    return [example for example, sum_before in zip(made, before, strict=False) if sum_before < tokens]


def _made(module: Any, dialogue: Dialogue, tokens: int, seed: int) -> list[Example]:
    """Return answers and texts in any order."""
    asked = [(Message(MessageRole.USER, text),) for text in instructions()]
    wanted = min(len(asked), round(tokens * _ANSWERED / _REPLY_TOKENS))
    examples = list(_answers(module, dialogue, asked[:wanted], seed))
    left = tokens - sum(map(len, dialogue.tokens([example.completion for example in examples])))
    examples += _texts(module, dialogue, left, seed)
    order = np.random.default_rng(seed).permutation(len(examples))
    return [examples[place] for place in order]


def instructions() -> list[str]:
    """Return the general instructions that ship with the package."""
    file = resources.files("hybrid.adaptation") / "suite" / "instructions.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines()
    return [str(json.loads(line)["instruction"]) for line in lines if line.strip()]


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

    Args:
        module: a causal language model of transformers.
        dialogue: knows the token with which an answer ends.
        prompts: tokens, none of them empty.
        max_new_tokens: at the most.
        temperature: 1 takes the model as it is, less makes the likely likelier.
        seed: the same one gives the same texts.
        end: whether it may come to an end; if not, that token is never taken.
    """
    chance = torch.Generator().manual_seed(seed)
    # logits of a whole prompt are 200 KB a token; models of other makers may not know the option
    keep = {"logits_to_keep": 1} if "logits_to_keep" in inspect.signature(module.forward).parameters else {}
    module.eval()
    for first in range(0, len(prompts), _ROWS):
        rows = left_padded(prompts[first : first + _ROWS], filler=dialogue.end, device=module.device)
        ids, mask, cache = rows.ids, rows.mask, None
        written: list[Tensor] = []
        going = torch.ones(len(ids), dtype=torch.bool)
        with torch.inference_mode():
            for _ in range(max_new_tokens):
                output = module(
                    input_ids=ids,
                    attention_mask=mask,
                    position_ids=(mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :],
                    past_key_values=cache,
                    use_cache=True,
                    **keep,
                )
                cache = output.past_key_values
                logits = output.logits[:, -1].float().cpu() / temperature
                if not end:
                    logits[:, dialogue.end] = -torch.inf
                drawn = draw(logits, chance)
                written.append(torch.where(going, drawn, dialogue.end))
                going = going & (drawn != dialogue.end)
                if not going.any():
                    break
                ids = written[-1][:, None].to(module.device)
                mask = torch.cat([mask, torch.ones_like(ids)], dim=1)
        for row in torch.stack(written, dim=1).tolist():
            ended = dialogue.end in row
            yield row[: row.index(dialogue.end)] if ended else row, ended
