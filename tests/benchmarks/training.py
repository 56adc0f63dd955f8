"""How fast and how lean a generator is tuned, against the loop that one would write with PyTorch and PEFT.

Both train the same LoRA weights on the same batches of label examples, with base weights in bf16 where
the CPU has it, and logits of the completion only. Each is a process of its own; rounds alternate. The
memory is the highest of the process. Targets: a step within 10 % of the bare loop; below 3 GB, and below
2 GB with the base in 4 bits.

    python tests/benchmarks/training.py [--steps 8] [--rounds 3]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median

from measure import (
    Target,
    Values,
    median_ratio,
    note,
    print_json,
    print_table,
    print_verdicts,
    run_step,
    serve_steps,
)

_QUESTIONS = Path(__file__).resolve().parents[2] / "examples" / "contracts" / "tuning.jsonl"
_WARM = 2


def ours(arguments: Values) -> Values:
    device = arguments.get("device", "auto")
    task = _task(arguments["method"], device)
    times: list[float] = []
    begun = time.perf_counter()

    def tell(step: int, steps: int, loss: float) -> None:
        settled(device)
        times.append(time.perf_counter() - begun)

    from hybrid.adaptation.methods.loop import Schedule, fit

    fit(_Short(task, arguments["steps"]), Schedule(5e-4, 1.0, looks=1), seed=0, progress=tell)
    return {"seconds": times[-1] - times[_WARM - 1], "tokens": _tokens(task, arguments["steps"])}


def bare(arguments: Values) -> Values:
    """Train as one does with PyTorch and PEFT alone: the same batches, their padding on the right."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from hybrid.config import ModelSettings
    from hybrid.models.device import choose_placement
    from hybrid.models.loading import generator_folder

    device = arguments.get("device", "auto")
    task = _task("lora", device)
    placement = choose_placement(device)
    folder = generator_folder(ModelSettings().generator, offline=True)
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=placement.torch_dtype())
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(
        base, LoraConfig(r=16, lora_alpha=32, target_modules=targets, task_type="CAUSAL_LM")
    )
    tuned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(tuned, lr=5e-4, weight_decay=0.0)
    model.to(placement.device).train()
    begun = 0.0
    for step, parts in enumerate(task.batches(0)[: arguments["steps"]]):
        if step == _WARM:
            settled(placement.device)
            begun = time.perf_counter()
        rows = [row for part in parts for row in part.rows]
        width = max(len(row.ids) for row in rows)
        ids = torch.tensor([[*row.ids, *[0] * (width - len(row.ids))] for row in rows]).to(placement.device)
        mask = torch.tensor([[1] * len(row.ids) + [0] * (width - len(row.ids)) for row in rows]).to(
            placement.device
        )
        labels = torch.full_like(ids, -100)
        for place, row in enumerate(rows):
            labels[place, row.start : len(row.ids)] = ids[place, row.start : len(row.ids)]
        with torch.autocast(
            placement.device.partition(":")[0], torch.bfloat16, enabled=placement.dtype == "bfloat16"
        ):
            hidden = model.get_base_model().model(input_ids=ids, attention_mask=mask).last_hidden_state
            wanted = labels[:, 1:] >= 0
            logits = model.get_base_model().lm_head(hidden[:, :-1][wanted])
        loss = torch.nn.functional.cross_entropy(logits.float(), labels[:, 1:][wanted])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tuned, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    settled(placement.device)
    return {"seconds": time.perf_counter() - begun, "tokens": _tokens(task, arguments["steps"])}


def settled(device: object) -> None:
    """Wait until a card has done what it was given, so that a clock can be read."""
    import torch

    if str(device).startswith("cuda"):
        torch.cuda.synchronize()


class _Short:
    """A task with its first batches only, and nothing to validate."""

    def __init__(self, task: object, steps: int) -> None:
        self._task, self._steps = task, steps
        self.module, self.digest, self.loss = task.module, task.digest, task.loss

    def batches(self, epoch: int) -> list[object]:
        return self._task.batches(epoch)[: self._steps]

    def validate(self) -> tuple[float, None]:
        return float("nan"), None


def _task(method: str, device: str) -> object:
    """Return the task of all label examples of the contracts domain."""
    from hybrid.adaptation.data.examples import label_examples
    from hybrid.adaptation.methods import attach, plan_for
    from hybrid.adaptation.methods.encoding import encode
    from hybrid.adaptation.methods.generator import GeneratorTask
    from hybrid.adaptation.methods.lora import load_base
    from hybrid.config import AdaptationSettings, Method, ModelSettings
    from hybrid.generation.prompts import load_prompts
    from hybrid.models.device import choose_placement
    from hybrid.models.dialogue import Dialogue
    from hybrid.models.loading import generator_folder
    from hybrid.models.pretrained import load_tokenizer
    from hybrid.questions.files import load_questions

    placement = choose_placement(device)
    folder = generator_folder(ModelSettings().generator, offline=True)
    dialogue = Dialogue(load_tokenizer(folder))
    examples = label_examples(load_questions(_QUESTIONS), load_prompts("en"))
    settings = AdaptationSettings(method=Method(method), rank=16)
    encoded = encode(examples, dialogue, max_tokens=640).encoded
    model = load_base(folder, settings.method, placement)
    module = attach(model, plan_for(settings, tokens=100_000), settings)
    return GeneratorTask(module, dialogue, encoded, [], [], settings, placement)


def _tokens(task: object, steps: int) -> int:
    batches = task.batches(0)[_WARM:steps]
    return sum(len(row.ids) for parts in batches for part in parts for row in part.rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    script = Path(__file__)
    own, plain = [], []
    for number in range(options.rounds):
        note(f"round {number + 1} of {options.rounds}")
        own.append(run_step(script, "ours", {"steps": options.steps, "method": "lora"}))
        plain.append(run_step(script, "bare", {"steps": options.steps}))
    four = run_step(script, "ours", {"steps": options.steps, "method": "qlora"})
    ratio = median_ratio([run.result["seconds"] for run in own], [run.result["seconds"] for run in plain])
    rows = []
    for name, runs in (("ours", own), ("bare PyTorch and PEFT", plain), ("ours, base in 4 bits", [four])):
        speed = median(run.result["tokens"] / run.result["seconds"] for run in runs)
        rows.append((name, f"{speed:,.0f}", f"{max(run.own_peak_mb for run in runs):,.0f}"))
    print_table(("training", "tokens/s", "peak MB"), rows)
    targets = [
        Target("time of a step against the bare loop", ratio, 1.10),
        Target("memory in bf16, MB", max(run.own_peak_mb for run in own), 3_000),
        Target("memory with the base in 4 bits, MB", four.own_peak_mb, 2_000),
    ]
    print_verdicts(targets)
    print_json({"ratio": ratio, "ours": [r.result for r in own], "bare": [r.result for r in plain]})


if __name__ == "__main__":
    serve_steps({"ours": ours, "bare": bare})
    main()
