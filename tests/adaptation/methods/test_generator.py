"""Tuning on tiny models: it learns, the same seed gives the same adapter, what is saved is PEFT's own."""

import dataclasses
import json

import pytest
import torch

from hybrid.adaptation.methods import attach, plan_for
from hybrid.adaptation.methods.generator import Base, GeneratorTask, tune_generator
from hybrid.adaptation.methods.lora import load_base
from hybrid.adaptation.values import Example, ExampleKind, Examples
from hybrid.config import AdaptationSettings, Method
from hybrid.errors import TrainingFailed, UsageError
from hybrid.models.device import Placement
from hybrid.models.resolve import weights_digest
from hybrid.types import Message, MessageRole

_CPU = Placement("cpu", "float32", "test")
_SETTINGS = AdaptationSettings(rank=4, learning_rate=1e-2, epochs=10, batch=4, rehearsal=0.0, max_tokens=120)


@pytest.fixture
def base(tiny_generator_folder):
    return Base(tiny_generator_folder, "tiny")


def _labels(count, offset=0):
    """The label is whether the word is a port: a rule that two layers can learn."""
    rows = []
    for n in range(offset, offset + count):
        yes = n % 2 == 0
        prompt = (Message(MessageRole.USER, f"is {'port' if yes else 'server'} {n} a port"),)
        rows.append(
            Example(ExampleKind.LABEL, prompt, "yes" if yes else "no", f"s{n}", options=("yes", "no"))
        )
    return tuple(rows)


def _tune(base, out, settings=_SETTINGS, examples=None, **options):
    given = examples or Examples(_labels(40), _labels(48, 100))
    return tune_generator(base, given, settings, out=out, placement=_CPU, **options)


@pytest.fixture(scope="module")
def tuned(tiny_generator_folder, tmp_path_factory):
    return _tune(Base(tiny_generator_folder, "tiny"), tmp_path_factory.mktemp("tuned") / "out")


@pytest.mark.slow
def test_it_learns_what_it_never_saw(tuned):
    assert tuned.gain.measure == "label accuracy" and tuned.gain.unit == "points"
    assert tuned.gain.after > 85 and tuned.gain.low > 0
    assert tuned.fit.curve[-1].domain < tuned.fit.curve[0].domain


def test_the_folder_is_pefts_own_and_names_no_path(tuned, base):
    config = json.loads((tuned.folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    assert config["lora_alpha"] == 2 * config["r"] == 8
    assert {path.name for path in tuned.folder.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
    assert str(base.folder) not in (tuned.folder / "adapter_config.json").read_text()


def test_plain_peft_loads_it_and_says_the_same(tuned, base):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from hybrid.models.generator import TransformersGenerator

    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base.folder), tuned.folder)
    generator = TransformersGenerator(base.folder, name="tiny", placement=_CPU)
    (tuned.folder / "card.json").write_text(json.dumps({"base": "tiny", "base_digest": base.digest}))
    ids = torch.tensor([[5, 6, 7, 8]])
    with generator.adapted(tuned.folder).lent() as served, torch.no_grad():
        assert torch.allclose(served(ids).logits, model(ids).logits, atol=1e-4)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_one_others(base, tmp_path):
    digests = []
    for number, seed in enumerate((1, 1, 2)):
        settings = dataclasses.replace(_SETTINGS, epochs=1, seed=seed)
        digests.append(weights_digest(_tune(base, tmp_path / str(number), settings).folder))
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.slow
def test_a_base_in_four_bits_is_tuned(tiny_wide_generator_folder, tmp_path):
    # a warning of a missing gradient would be an error here
    settings = dataclasses.replace(_SETTINGS, method=Method.QLORA)
    made = _tune(Base(tiny_wide_generator_folder, "tiny"), tmp_path / "out", settings)
    assert made.gain.after > 80
    assert (tmp_path / "out" / "adapter_model.safetensors").exists()


def test_what_of_a_base_is_not_in_four_bits_keeps_its_format(tiny_wide_generator_folder):
    # in float32 what the layers hand on, and keep for the gradient, would take twice the memory
    settings = dataclasses.replace(_SETTINGS, method=Method.QLORA)
    model = load_base(tiny_wide_generator_folder, Method.QLORA, Placement("cpu", "bfloat16", ""))
    module = attach(model, plan_for(settings, tokens=1_000), settings)
    formats = {("lora_" in name, own.dtype) for name, own in module.named_parameters()}
    assert all(own.requires_grad is ("lora_" in name) for name, own in module.named_parameters())
    assert formats == {(False, torch.uint8), (False, torch.bfloat16), (True, torch.float32)}


@pytest.mark.slow
def test_only_the_upper_layers_are_tuned_when_asked(base, tmp_path):
    from safetensors import safe_open

    made = _tune(base, tmp_path / "out", dataclasses.replace(_SETTINGS, epochs=1, layers=0.5))
    with safe_open(made.folder / "adapter_model.safetensors", framework="numpy") as file:
        assert {name.split("layers.")[1][0] for name in file.keys()} == {"1"}  # noqa: SIM118


@pytest.mark.slow
def test_rehearsal_keeps_the_model_while_it_learns(base, tmp_path):
    text = [Example(ExampleKind.REHEARSAL, (), f"the default port of server {n} is a") for n in range(400)]
    endless = dataclasses.replace(_SETTINGS, budget_nats=9.0)
    free = _tune(base, tmp_path / "free", endless, probe=text[:20])
    held = _tune(
        base,
        tmp_path / "held",
        dataclasses.replace(endless, rehearsal=0.5, divergence=4.0),
        rehearsal=text[20:],
        probe=text[:20],
    )

    def drift(made):
        return abs(made.fit.curve[-1].general - made.fit.curve[0].general)

    assert drift(held) < 0.5 * drift(free)
    assert held.gain.after > 85


def test_the_loss_is_the_mean_over_completion_tokens_whatever_the_parts(base, monkeypatch):
    import hybrid.adaptation.methods.generator as module
    from hybrid.adaptation.methods import attach, plan_for
    from hybrid.adaptation.methods.encoding import encode
    from hybrid.adaptation.methods.lora import load_base
    from hybrid.models.dialogue import Dialogue
    from hybrid.models.pretrained import load_tokenizer

    dialogue = Dialogue(load_tokenizer(base.folder))
    encoded = encode(_labels(8), dialogue, max_tokens=200).encoded
    model = attach(load_base(base.folder, Method.LORA, _CPU), plan_for(_SETTINGS, tokens=100), _SETTINGS)
    settings = dataclasses.replace(_SETTINGS, batch=8)
    task = GeneratorTask(model, dialogue, encoded, encoded, [], settings, _CPU)
    whole = sum(float(task.loss(model, part).detach()) for part in task.batches(0)[0])
    monkeypatch.setattr(module, "_PART_TOKENS", 60)
    parts = task.batches(0)[0]
    assert len(parts) > 2
    assert sum(float(task.loss(model, part).detach()) for part in parts) == pytest.approx(whole, rel=1e-4)
    assert task.validate()[0] == pytest.approx(whole, rel=1e-4)


@pytest.mark.parametrize("divergence", [0.0, 2.0])
def test_what_is_taught_weighs_the_same_however_long_rehearsal_is(base, divergence):
    from hybrid.adaptation.methods import attach, plan_for
    from hybrid.adaptation.methods.encoding import encode
    from hybrid.adaptation.methods.lora import load_base
    from hybrid.models.dialogue import Dialogue
    from hybrid.models.pretrained import load_tokenizer

    dialogue = Dialogue(load_tokenizer(base.folder))
    settings = dataclasses.replace(_SETTINGS, batch=8, rehearsal=0.25, divergence=divergence)
    model = attach(load_base(base.folder, Method.LORA, _CPU), plan_for(settings, tokens=100), settings)
    taught = encode(_labels(8), dialogue, max_tokens=200).encoded
    text = Example(ExampleKind.REHEARSAL, (), "the default port of a server is a port " * 9)
    rehearsed = encode([text], dialogue, max_tokens=200).encoded

    def loss(rows):
        task = GeneratorTask(model, dialogue, rows, [], [], settings, _CPU)
        return sum(float(task.loss(model, part).detach()) for part in task.batches(0)[0])

    # untrained, the model is its base: the divergence is 0; without it, text weighs as its share
    text_alone = GeneratorTask(model, dialogue, [], rehearsed, [], settings, _CPU).validate()[0]
    held = 0.0 if divergence else text_alone / 3
    assert loss([*taught, *rehearsed]) == pytest.approx(loss(taught) + held, rel=1e-4)


def test_three_examples_are_refused(base, tmp_path):
    with pytest.raises(UsageError, match=r"3 examples .* expected 8"):
        _tune(base, tmp_path / "out", examples=Examples(_labels(3), ()))


def test_labels_that_are_all_equal_are_refused(base, tmp_path):
    same = tuple(example for example in _labels(40) if example.completion == "yes")
    with pytest.raises(UsageError, match=r"all 20 examples .* have the same label 'yes'"):
        _tune(base, tmp_path / "out", examples=Examples(same, ()))


def test_examples_longer_than_the_limit_are_left_out(base, tmp_path):
    long = dataclasses.replace(_labels(1)[0], completion="is a port " * 60)
    short = dataclasses.replace(_SETTINGS, epochs=1)
    made = _tune(base, tmp_path / "out", short, Examples((*_labels(20), long), ()))
    assert made.tokens == _tune(base, tmp_path / "short", short, Examples(tuple(_labels(20)), ())).tokens
    assert made.gain is None


def test_a_learning_rate_that_breaks_it_is_told_and_nothing_is_saved(base, tmp_path):
    settings = dataclasses.replace(_SETTINGS, learning_rate=0.9, epochs=100, method=Method.FULL)
    examples = Examples(_labels(40), ())
    import hybrid.adaptation.methods.generator as module

    original = module.GeneratorTask.loss
    module.GeneratorTask.loss = lambda self, m, part: original(self, m, part) * float("inf")
    try:
        with pytest.raises(TrainingFailed, match="step 1 of"):
            _tune(base, tmp_path / "out", settings, examples)
    finally:
        module.GeneratorTask.loss = original
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_two_processes_train_one_adapter(base, tmp_path):
    import os
    import subprocess
    import sys
    from pathlib import Path

    child = Path(__file__).with_name("processes_child.py")
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
    launch += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    launch += ["--main_process_port", "0", str(child), str(base.folder), str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(child.parents[3]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(launch, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    told = [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in (0, 1)]
    assert told[0] == told[1]  # the same weights in both, so the same curve and the same gain
    assert told[0]["after"] > 75
    assert told[0]["steps"] == 50  # half of the steps that one process takes
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("method", [Method.LORA, Method.RSLORA, Method.DORA])
def test_a_rank_is_chosen_on_validation_for_every_kind_of_lora(base, monkeypatch, method):
    import hybrid.adaptation.methods.generator as module

    monkeypatch.setattr(module, "_RANKS_TRIED", (1, 4))
    said = []
    settings = dataclasses.replace(_SETTINGS, method=method, epochs=6)
    examples = Examples(_labels(40), _labels(48, 100))
    best = module.best_rank(base, examples, settings, placement=_CPU, progress=said.append)
    losses = {int(line.split()[1].strip(":")): float(line.split()[-1]) for line in said}
    assert set(losses) == {1, 4} and losses[best] == min(losses.values())


def test_a_rank_is_not_looked_for_where_there_is_none(base):
    from hybrid.adaptation.methods.generator import best_rank

    settings = dataclasses.replace(_SETTINGS, method=Method.FULL)
    with pytest.raises(UsageError, match="full has no rank"):
        best_rank(base, Examples(_labels(8), _labels(8, 100)), settings, placement=_CPU)
