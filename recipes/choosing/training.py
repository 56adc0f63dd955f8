"""Train low-rank changes of the upper layers of the embedder, and a head, to choose among sentences.

Takes lessons and the folder of the embedder, gives tensors. Knows nothing about where lessons come from.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, AutoTokenizer

from hybrid.models.choosing import Offered, rows_of
from recipes.choosing.sets import Drill

RANK, SCALE, FIRST, HIDDEN = 16, 2.0, 3, 96
BATCH, _CHOICES = 8, 5


@dataclass(frozen=True, slots=True)
class Run:
    """One run over lessons; with ``segments`` the sentence has the second segment embedding of BERT.

    ``stop`` ends it before the rate, which falls by a cosine over all lessons, is down.
    """

    lessons: Sequence[Drill]
    rate: float
    seed: int
    warmup: int = 20
    segments: bool = False
    stop: int | None = None
    dropped: float = 0.3


class _LowRank(nn.Module):
    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.a = nn.Parameter(torch.randn(RANK, base.in_features) / math.sqrt(base.in_features))
        self.b = nn.Parameter(torch.zeros(base.out_features, RANK))

    def forward(self, states: Tensor) -> Tensor:
        changed: Tensor = self.base(states) + SCALE * functional.linear(
            functional.linear(states, self.a), self.b
        )
        return changed


class Learner(nn.Module):
    """The embedder as a cross-encoder: all is frozen but low-rank changes from a layer on, and the head."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self.bert: Any = (
            AutoModel.from_pretrained(folder, attn_implementation="sdpa").requires_grad_(False).eval()
        )
        for layer in self.bert.encoder.layer[FIRST:]:
            own = layer.attention.self
            places = [(own, "query"), (own, "key"), (own, "value"), (layer.attention.output, "dense")]
            for place, name in [*places, (layer.intermediate, "dense"), (layer.output, "dense")]:
                setattr(place, name, _LowRank(getattr(place, name)))
        width = int(self.bert.config.hidden_size)
        self.h1, self.h2 = nn.Linear(2 * width, HIDDEN), nn.Linear(HIDDEN, 1)
        self.marks = int(self.tokenizer.cls_token_id), int(self.tokenizer.sep_token_id)

    def tokens(self, texts: Sequence[str]) -> list[tuple[list[int], list[Any]]]:
        """Return numbers of the tokens of each text, as an embedder does, without their places."""
        return [(ids, []) for ids in self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]]

    def score(self, pairs: Sequence[tuple[str, Offered]], *, segments: bool) -> Tensor:
        """Return how well each sentence answers its question, shape (pairs,)."""
        rows = [rows_of(question, [choice], self, self.marks)[0] for question, choice in pairs]
        longest = max(len(ids) for ids, _ in rows)
        ids = torch.tensor([own + [0] * (longest - len(own)) for own, _ in rows])
        there = torch.tensor([[1] * len(own) + [0] * (longest - len(own)) for own, _ in rows])
        behind = (torch.arange(longest)[None] >= torch.tensor([[begin] for _, begin in rows])).long() * there
        kinds = behind if segments else torch.zeros_like(behind)
        states = self.bert(input_ids=ids, token_type_ids=kinds, attention_mask=there).last_hidden_state
        parts = [_mean(states, behind), _mean(states, there - behind)]
        scored: Tensor = self.h2(functional.gelu(self.h1(torch.cat(parts, -1)))).squeeze(-1)
        return scored

    def tensors(self) -> dict[str, Tensor]:
        """Return what was learned, in half precision, by the names of the weights that it changes."""
        learned = {name: own for name, own in self.named_parameters() if own.requires_grad}
        return {name.removeprefix("bert."): own.detach().half().contiguous() for name, own in learned.items()}

    def hits(self, lessons: Sequence[Drill]) -> float:
        """Return how often the best of all sentences of a lesson is the right one."""
        with torch.inference_mode():
            scores = [
                self.score(
                    [(one.question, choice) for choice in (*one.right[:1], *one.wrong)], segments=False
                )
                for one in lessons
            ]
        return sum(int(own.argmax()) == 0 for own in scores) / len(scores)


def _mean(states: Tensor, mask: Tensor) -> Tensor:
    there = mask[..., None].to(states.dtype)
    return (states * there).sum(1) / there.sum(1).clamp(min=1)


def train(learner: Learner, stage: Run, tell: Callable[[int, float], None]) -> None:
    """Go over the lessons once: the right sentence is to have the greatest share of a softmax over all."""
    dice = random.Random(stage.seed)  # noqa: S311
    learned = [own for own in learner.parameters() if own.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=stage.rate, weight_decay=0.01)
    steps = len(stage.lessons) // BATCH
    for step in range(steps)[: stage.stop]:
        rate = stage.rate * min(1.0, (step + 1) / stage.warmup)
        for group in optimiser.param_groups:
            group["lr"] = rate * (0.03 + 0.97 * (1 + math.cos(math.pi * step / steps)) / 2)
        groups = [
            list(_drawn(lesson, stage, dice)) for lesson in stage.lessons[step * BATCH : (step + 1) * BATCH]
        ]
        scores = learner.score([pair for group in groups for pair in group], segments=stage.segments)
        parts = torch.split(scores, [len(group) for group in groups])
        loss = -torch.stack([functional.log_softmax(part, 0)[0] for part in parts]).mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        tell(step, float(loss.detach()))


def _drawn(lesson: Drill, stage: Run, dice: random.Random) -> Iterator[tuple[str, Offered]]:
    """Yield a right sentence and some wrong ones, with the question, which now and then lacks a word."""
    words = lesson.question.split()
    if len(words) > 4 and dice.random() < stage.dropped:
        del words[dice.randrange(len(words))]
    beside = list(lesson.wrong[: min(lesson.beside, 2)])
    rest = lesson.wrong[len(beside) :]
    wrong = beside + dice.sample(rest, min(_CHOICES - 1 - len(beside), len(rest)))
    for choice in (dice.choice(lesson.right), *wrong):
        yield " ".join(words), choice
