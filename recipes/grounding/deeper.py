"""Is the next size worth it? The encoder tuned by LoRA under one head, beside the head over frozen states.

    python -m recipes.grounding.deeper DATA --without SET [--epochs N] [--rank N] [--lessons N] [--claims N]

Both learn what people labelled but for the set (summedits, factcheck_gpt or scifact), with the same batches,
and judge that set and those that nothing is trained on. Fewer lessons, drawn once for both, and fewer claims
of each set, by whole sources, make it a matter of an hour on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from hybrid.config import ModelSettings
from hybrid.grounding.examples import Label, LabelledClaim, limited
from hybrid.grounding.head import AlignmentHead, Batch, HeadOutput, Shape
from hybrid.grounding.scorers.trained import LAYERS, frozen_encoder
from hybrid.grounding.tokens import WINDOW, lexicon_of
from hybrid.models.resolve import fetch
from recipes.grounding.public import judged_sets, labelled_sets, unseen_sets
from recipes.grounding.training import Lesson, TrainingSettings, batches, lessons_of, loss_of

_SETS = ("summedits", "factcheck_gpt", "scifact")
_ENCODER_RATE = 3e-4
_BATCH = 24


class Deep:
    """A head over an encoder that learns with it, or not."""

    def __init__(self, head: AlignmentHead, bert: Any, markers: tuple[int, int]) -> None:
        self._head, self._bert, self._markers = head, bert, markers

    def __call__(self, items: Sequence[Lesson]) -> HeadOutput:
        """Judge lessons; evidence that they share is read once."""
        shared: dict[str, int] = {}
        texts: list[np.ndarray] = []
        which = []
        for number, item in enumerate(items):
            read = item.read
            key = read.shared if read.kept is None else f"{read.shared}\0{number}"
            if key not in shared:
                shared[key] = len(texts)
                texts.append(read.evidence.ids if read.kept is None else read.evidence.ids[read.kept])
            which.append(shared[key])
        states = self._states([item.read.claim.ids for item in items] + texts)
        own, other = _rectangle(states[: len(items)]), _rectangle(states[len(items) :])
        ids = _rectangle([torch.as_tensor(item.read.claim.ids)[:, None] for item in items])[0][..., 0]
        other_ids = _rectangle([torch.as_tensor(text)[:, None] for text in texts])[0][..., 0]
        batch = Batch(own[0], ids.long(), own[1], other[0], other_ids.long(), other[1], torch.tensor(which))
        judged: HeadOutput = self._head(batch)
        return judged

    def _states(self, texts: Sequence[np.ndarray]) -> list[Tensor]:
        """Return the states of each text's tokens, (tokens, layers · width), read in windows."""
        first, last = self._markers
        rows = [
            (place, [first, *text[start : start + WINDOW].tolist(), last])
            for place, text in enumerate(texts)
            for start in range(0, max(len(text), 1), WINDOW)
        ]
        longest = max(len(row) for _, row in rows)
        ids = torch.zeros((len(rows), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for number, (_, row) in enumerate(rows):
            ids[number, : len(row)] = torch.tensor(row)
            mask[number, : len(row)] = 1
        hidden = self._bert(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        wide = torch.cat([hidden[layer] for layer in LAYERS], -1)
        parts: list[list[Tensor]] = [[] for _ in texts]
        for number, (place, row) in enumerate(rows):
            parts[place].append(wide[number, 1 : len(row) - 1])
        return [torch.cat(own) for own in parts]


def _rectangle(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    longest = max(*(len(row) for row in rows), 2)
    found = torch.zeros((len(rows), longest, rows[0].shape[1]), dtype=rows[0].dtype)
    mask = torch.zeros((len(rows), longest), dtype=torch.bool)
    for number, row in enumerate(rows):
        found = torch.index_put(found, (torch.tensor(number), torch.arange(len(row))), row)
        mask[number, : len(row)] = True
    return found, mask


def teach(model: Deep, parameters: list[dict[str, Any]], lessons: list[Lesson], epochs: int) -> None:
    """Teach head and encoder; how it goes is told on stderr."""
    settings = TrainingSettings(epochs=epochs, batch=_BATCH)
    optimiser = torch.optim.AdamW(parameters, weight_decay=settings.weight_decay)
    heights = [group["lr"] for group in optimiser.param_groups]
    weights = [one for group in parameters for one in group["params"]]
    rounds = [list(batches(lessons, _BATCH, seed=0, epoch=number)) for number in range(epochs)]
    steps, step, begun = sum(map(len, rounds)), 0, time.perf_counter()
    for epoch, own in enumerate(rounds):
        losses = []
        for places in own:
            for group, height in zip(optimiser.param_groups, heights, strict=True):
                group["lr"] = height * min(1.0, (step + 1) / settings.warmup) * (1 - step / steps)
            items = [lessons[place] for place in places]
            loss = loss_of(model(items), items, settings)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(weights, settings.clip)
            optimiser.step()
            losses.append(loss.item())
            step += 1
        seconds = time.perf_counter() - begun
        print(f"epoch {epoch + 1}: {np.mean(losses):.3f} ({seconds:.0f} s)", file=sys.stderr, flush=True)


def told(
    model: Deep, examples: Sequence[LabelledClaim], lessons: Sequence[Lesson]
) -> Iterator[tuple[str, float]]:
    """Yield the AUROC of a set, and against what is refuted where that is a part."""
    support = np.zeros(len(lessons))
    order = sorted(range(len(lessons)), key=lambda place: lessons[place].read.length)
    with torch.inference_mode():
        for first in range(0, len(order), _BATCH):
            places = order[first : first + _BATCH]
            support[places] = model([lessons[place] for place in places]).support.numpy()
    labels = np.array([example.label for example in examples])
    right, refuted = labels == Label.SUPPORTED, labels == Label.REFUTED
    yield "", float(roc_auc_score(right, support))
    if refuted.any() and not (right | refuted).all():
        kept = right | refuted
        yield ": refuted", float(roc_auc_score(right[kept], support[kept]))


def main() -> int:
    """Run it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModel

    parser = argparse.ArgumentParser(
        prog="python -m recipes.grounding.deeper",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--without", choices=_SETS, required=True)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--lessons", type=int)
    parser.add_argument("--claims", type=int)
    options = parser.parse_args()
    settings = ModelSettings(device="cpu", offline=True)
    encoder = frozen_encoder(settings)
    lexicon = lexicon_of(encoder.pieces)
    markers = encoder.pieces.index("[CLS]"), encoder.pieces.index("[SEP]")
    sets = dict(zip(_SETS, labelled_sets(options.data), strict=True))
    held = [sets.pop(options.without), judged_sets(options.data)[0], *unseen_sets(options.data)]
    taught = [
        lesson
        for each in sets.values()
        for lesson in lessons_of(each.examples, encoder, lexicon, evidence_tokens=640)
    ]
    if options.lessons is not None:
        drawn = np.random.default_rng(0).permutation(len(taught))[: options.lessons]
        taught = [taught[place] for place in drawn]
    models: dict[str, Deep] = {}
    for name in ("frozen", "tuned"):
        torch.manual_seed(0)
        head = AlignmentHead(Shape(len(LAYERS), encoder.width // len(LAYERS)), lexicon)
        bert: Any = AutoModel.from_pretrained(fetch(settings.embedder, offline=True), trust_remote_code=False)
        for weights in bert.parameters():
            weights.requires_grad_(False)
        parameters: list[dict[str, Any]] = [
            {"params": list(head.parameters()), "lr": TrainingSettings().rate}
        ]
        if name == "tuned":
            config = LoraConfig(
                r=options.rank, lora_alpha=2 * options.rank, target_modules=["query", "key", "value", "dense"]
            )
            bert = get_peft_model(bert, config)
            own = [weights for weights in bert.parameters() if weights.requires_grad]
            parameters.append({"params": own, "lr": _ENCODER_RATE})
        models[name] = Deep(head, bert, markers)
        head.train()
        teach(models[name], parameters, taught, options.epochs)
        head.eval()
        bert.eval()
    print("| set | frozen | tuned |\n|---|---|---|")
    for each in held:
        claims = limited(each.examples, options.claims or len(each.examples))
        lessons = lessons_of(claims, encoder, lexicon, evidence_tokens=640)
        rows = [dict(told(model, claims, lessons)) for model in models.values()]
        for part in rows[0]:
            print(f"| {each.name}{part} | {rows[0][part]:.3f} | {rows[1][part]:.3f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
