"""Log-likelihood of texts under a causal language model, and the KL divergence of two models on them."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from hybrid.errors import UsageError
from hybrid.models.device import batches, choose_placement
from hybrid.models.dialogue import Dialogue

# Their logits are 200 MB in float32 at a vocabulary of 49,152; more at once are no faster on a CPU.
_BATCH_TOKENS = 1_024
# Longer texts are read in pieces, each without what stands before it.
_PIECE_TOKENS = 512
# So many rows of logits are turned into float32 at once.
_ROWS = 256


class Subject(Protocol):
    """A causal language model that is measured: the base, or the same one with an adapter."""

    @property
    def dialogue(self) -> Dialogue:
        """Return its layout of conversations, with the tokenizer."""
        ...

    @property
    def context_tokens(self) -> int:
        """Return how many tokens it sees."""
        ...

    def lent(self) -> AbstractContextManager[Any]:
        """Lend the model itself; nobody else has it meanwhile."""
        ...


@dataclass(frozen=True, slots=True)
class TokenStretch:
    """The tokens of a text; those from ``start`` on are judged."""

    ids: tuple[int, ...]
    start: int

    @property
    def judged(self) -> int:
        """Return how many tokens are judged."""
        return len(self.ids) - self.start


@dataclass(frozen=True, slots=True)
class Apart:
    """A text by two models: its nats under each, and KL(first ‖ second) in nats, summed over tokens."""

    before: float
    after: float
    divergence: float


def number_format(subject: Subject) -> str:
    """Return the number format to measure in: the model's own, or bf16 where float32 would be slower."""
    with subject.lent() as module:
        parameter = next(module.parameters())
    if parameter.dtype != torch.float32:
        return str(parameter.dtype).removeprefix("torch.")
    return choose_placement(parameter.device.type).dtype


def pieces(subject: Subject, text: str) -> list[TokenStretch]:
    """Return a plain text as stretches that fit: all of its tokens are judged, each once."""
    (ids,) = subject.dialogue.tokens([subject.dialogue.plain(text)])
    lead = _lead(subject.dialogue)
    size = min(_PIECE_TOKENS, subject.context_tokens) - len(lead)
    parts = [ids[first : first + size] for first in range(0, len(ids), size)]
    # a token that nothing stands before cannot be judged
    return [TokenStretch((*lead, *part), len(lead) or 1) for part in parts if len(lead) + len(part) > 1]


def continuation(subject: Subject, before: str, text: str) -> TokenStretch:
    """Return a text of which only what comes after ``before`` is judged.

    Raises:
        UsageError: there is nothing to judge, or it does not fit into the model's context.
    """
    dialogue = subject.dialogue
    first, last = dialogue.tokens([dialogue.plain(before), dialogue.plain(text)])
    head = (*_lead(dialogue), *first)
    if not head:
        head, last = tuple(last[:1]), last[1:]
    stretch = TokenStretch((*head, *last), len(head))
    if not last or len(stretch.ids) > subject.context_tokens:
        raise UsageError(
            f"{text[:60]!r} has {len(last)} tokens to judge behind {len(head)}, expected 1 or more, and at "
            f"most {subject.context_tokens} together",
            hint="leave the item out of the suite",
        )
    return stretch


def log_likelihoods(subject: Subject, stretches: Sequence[TokenStretch]) -> list[float]:
    """Return the log-likelihood of the judged tokens of each stretch, summed."""
    values = [0.0] * len(stretches)
    form = number_format(subject)
    for places in _places(stretches):
        batch = [stretches[place] for place in places]
        with torch.inference_mode():
            with subject.lent() as module:
                logits = _logits(module, batch, form)
            for place, row, stretch in zip(places, logits, batch, strict=True):
                values[place] = float(sum(chosen.sum() for chosen, _ in _rows(row, stretch)))
    return values


def compare(base: Subject, adapted: Subject, stretches: Sequence[TokenStretch]) -> list[Apart]:
    """Return how two models with one tokenizer judge each stretch, and how far apart they are on it."""
    values = [Apart(0.0, 0.0, 0.0)] * len(stretches)
    form = number_format(base)
    for places in _places(stretches):
        batch = [stretches[place] for place in places]
        with torch.inference_mode():
            with base.lent() as module:
                first = _logits(module, batch, form)
            with adapted.lent() as module:
                second = _logits(module, batch, form)
            for place, one, other, stretch in zip(places, first, second, batch, strict=True):
                values[place] = _apart(one, other, stretch)
    return values


def _apart(first: Tensor, second: Tensor, stretch: TokenStretch) -> Apart:
    before = after = divergence = 0.0
    for (chosen, logs), (others, other_logs) in zip(
        _rows(first, stretch), _rows(second, stretch), strict=True
    ):
        before -= float(chosen.sum())
        after -= float(others.sum())
        divergence += float((logs.exp() * (logs - other_logs)).sum())
    return Apart(before, after, divergence)


def _rows(logits: Tensor, stretch: TokenStretch) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield log-likelihoods of the judged tokens and of all tokens there, some rows at a time."""
    targets = torch.tensor(stretch.ids[stretch.start :], device=logits.device)
    # the logits kept are those of the last columns of the widest stretch, from where the first judging begins
    for first in range(0, len(targets), _ROWS):
        part = targets[first : first + _ROWS]
        logs = logits[first : first + len(part)].float().log_softmax(-1)
        yield logs.gather(-1, part[:, None])[:, 0], logs


def _logits(module: Any, batch: Sequence[TokenStretch], form: str) -> list[Tensor]:
    """Return for each stretch the logits of its judged tokens, shape (judged, vocabulary).

    Texts are padded on the right, where a causal model does not see it.
    """
    width = max(len(stretch.ids) for stretch in batch)
    device = next(module.parameters()).device
    padded = [[*stretch.ids, *[stretch.ids[-1]] * (width - len(stretch.ids))] for stretch in batch]
    ids = torch.tensor(padded, device=device)
    skipped = min(stretch.start for stretch in batch) - 1
    options: dict[str, Any] = {"logits_to_keep": width - skipped, "use_cache": False}
    known = inspect.signature(module.forward).parameters
    own, wanted = next(module.parameters()).dtype, getattr(torch, form)
    with contextlib.nullcontext() if own == wanted else torch.autocast(device.type, wanted):
        logits = module(input_ids=ids, **{name: options[name] for name in options if name in known}).logits
    # a model that keeps all of them is served as well
    logits = logits[:, -(width - skipped) :]
    return [
        row[stretch.start - 1 - skipped : len(stretch.ids) - 1 - skipped]
        for row, stretch in zip(logits, batch, strict=True)
    ]


def _lead(dialogue: Dialogue) -> tuple[int, ...]:
    """Return what stands before a text: the tokenizer's own first token if it puts one, else a line break.

    Without anything before it the first word could not be judged, and a chat model's token for the beginning
    of a turn announces a role, not a text.
    """
    (plain,) = dialogue.tokens(["a"])
    whole: list[int] = dialogue.tokenizer("a")["input_ids"]
    if whole != plain and whole[-len(plain) :] == plain:
        return tuple(whole[: -len(plain)])
    return tuple(dialogue.tokens(["\n"])[0])


def _places(stretches: Sequence[TokenStretch]) -> Iterator[list[int]]:
    return batches([len(each.ids) for each in stretches], rows=len(stretches), tokens=_BATCH_TOKENS)
