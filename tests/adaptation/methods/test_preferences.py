"""DPO: the loss is the paper's; it prefers what it never saw, and goes on after a kill."""

import dataclasses
import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hybrid.adaptation.methods import attach, plan_for
from hybrid.adaptation.methods.lora import load_base
from hybrid.adaptation.methods.preferences import (
    PairStep,
    PreferenceTask,
    dpo_loss,
    encode_pairs,
    halve_pairs,
    margins_in_service,
    preference_gain,
    with_own_mistakes,
)
from hybrid.adaptation.training.generator import Base, GeneratorTask, tune_generator
from hybrid.adaptation.values import Example, ExampleKind, Examples, PreferencePair
from hybrid.config import AdaptationSettings, Method
from hybrid.errors import UsageError
from hybrid.models.device import Placement
from hybrid.models.resolve import weights_digest
from hybrid.testing import ScriptedGenerator
from hybrid.types import Message, MessageRole

_CPU = Placement("cpu", "float32", "test")
_SETTINGS = AdaptationSettings(
    rank=4, learning_rate=1e-2, epochs=8, batch=4, rehearsal=0.0, max_tokens=120, beta=0.5
)
UNKNOWN = "I don't know."


@pytest.fixture
def base(tiny_generator_folder):
    return Base(tiny_generator_folder, "tiny")


def pairs_of(count, offset=0):
    """With a port in the question the better answer is yes, else no."""
    found = []
    for n in range(offset, offset + count):
        words = ("yes", "no") if n % 2 == 0 else ("no", "yes")
        prompt = (Message(MessageRole.USER, f"is {'port' if n % 2 == 0 else 'server'} {n} a port"),)
        found.append(PreferencePair(prompt, *words, f"s{n}", "rule"))
    return tuple(found)


def tune(base, out, settings=_SETTINGS, examples=None, **options):
    given_ = examples or Examples((), (), (), pairs_of(40), pairs_of(40, 100))
    return tune_generator(base, given_, settings, out=out, placement=_CPU, **options)


def task_of(base, settings=_SETTINGS, train=(), **options):
    from hybrid.models.dialogue import Dialogue
    from hybrid.models.pretrained import load_tokenizer

    dialogue = Dialogue(load_tokenizer(base.folder))
    torch.manual_seed(0)
    plan = plan_for(settings, tokens=1_000)
    module = attach(load_base(base.folder, Method.LORA, _CPU), plan, settings).eval()
    task = GeneratorTask(module, dialogue, train, [], [], settings, _CPU)
    pairs = encode_pairs(pairs_of(6), dialogue, max_tokens=120).pairs
    return PreferenceTask(task, pairs, pairs[:2], settings, **options), pairs


def by_hand(module, pair):
    """Return log π(chosen) − log π(rejected) by one forward pass a side, without padding."""
    found = []
    for side in (pair.chosen, pair.rejected):
        ids = torch.tensor([side.ids])
        logs = module(ids).logits.log_softmax(-1)[0]
        picked = [logs[place - 1, side.ids[place]] for place in range(side.start, len(side.ids))]
        found.append(torch.stack(picked).sum())
    return found[0] - found[1]


@pytest.mark.slow
def test_loss_and_gradients_are_those_of_the_papers_formula(base):
    task, pairs = task_of(base)
    module = task.module
    with torch.no_grad():
        # the adapter moved since the reference was read
        for name, parameter in module.named_parameters():
            if "lora_B" in name:
                parameter.add_(0.05 * torch.randn_like(parameter))
        with module.disable_adapter():
            reference = [float(by_hand(module, pair)) for pair in pairs]
    tuned = [p for p in module.parameters() if p.requires_grad]
    expected = sum(
        -nn.functional.logsigmoid(_SETTINGS.beta * (by_hand(module, pair) - own))
        for pair, own in zip(pairs, reference, strict=True)
    ) / len(pairs)
    wanted = torch.autograd.grad(expected, tuned)
    ours = sum(task.loss(module, PairStep(pair, len(pairs), False)) for pair in pairs)
    found = torch.autograd.grad(ours, tuned)
    assert ours.item() == pytest.approx(expected.item(), rel=1e-5)
    assert ours.item() != pytest.approx(math.log(2), abs=1e-3)
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-6, rtol=1e-4)
    assert sum(float(one.abs().sum()) for one in found) > 0


def test_before_training_no_pair_is_better_than_by_chance(base):
    task, _ = task_of(base)
    assert task.validate()[0] == pytest.approx(math.log(2), abs=1e-5)


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(-50, 50), st.floats(0.01, 2))
def test_the_loss_falls_with_the_margin_and_is_log_two_at_the_reference(chosen, rejected, reference, beta):
    def loss(better):
        return float(dpo_loss(*(torch.tensor(v) for v in (better, rejected, reference)), beta=beta))

    assert loss(chosen) >= loss(chosen + 1.0) >= 0
    assert loss(rejected + reference) == pytest.approx(math.log(2), abs=1e-3)


def test_a_batch_has_each_pair_once_and_is_held_once(base):
    task, pairs = task_of(base, reads=False)
    batches = task.batches(0)
    assert [len(parts) for parts in batches] == [4, 2]
    assert {part.pair.ids for parts in batches for part in parts} == {pair.ids for pair in pairs}
    assert [[part.first for part in parts].count(True) for parts in batches] == [1, 1]
    assert [part.pairs for part in batches[0]] == [4] * 4
    assert task.batches(1) != batches
    assert task.batches(0) == batches


@pytest.mark.slow
def test_it_prefers_what_it_never_saw(base, tmp_path):
    made = tune(base, tmp_path / "out")
    assert (made.gain.measure, made.gain.unit) == ("better answers preferred", "points")
    assert made.gain.after > 85 and made.gain.low > 0
    assert made.fit.curve[-1].domain < made.fit.curve[0].domain == pytest.approx(math.log(2), abs=1e-4)


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_adapter(base, tmp_path):
    def die(step, steps, loss):
        if step == 7:
            raise KeyboardInterrupt

    settings = dataclasses.replace(_SETTINGS, epochs=1)
    text = [Example(ExampleKind.REHEARSAL, (), f"the default port of server {n} is a") for n in range(40)]
    options = {"rehearsal": text, "settings": dataclasses.replace(settings, rehearsal=0.3)}
    whole = tune(base, tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        tune(base, tmp_path / "again", state=tmp_path / "state", progress=die, **options)
    steps = []
    seen = {"state": tmp_path / "state", "progress": lambda step, *_: steps.append(step)}
    again = tune(base, tmp_path / "again", **options, **seen)
    assert steps[0] > 1
    assert weights_digest(again.folder) == weights_digest(whole.folder)


@pytest.mark.slow
def test_examples_and_preferences_are_learned_together(base, tmp_path):
    taught = tuple(
        Example(ExampleKind.INSTRUCTION, pair.prompt, pair.chosen, pair.source) for pair in pairs_of(40, 300)
    )
    made = tune(base, tmp_path / "out", examples=Examples(taught, (), (), pairs_of(40), pairs_of(40, 100)))
    assert made.gain.after > 85
    assert made.tokens > tune(base, tmp_path / "pairs", dataclasses.replace(_SETTINGS, epochs=0.1)).tokens


@pytest.mark.slow
def test_it_begins_with_the_adapter_that_is_named(base, tmp_path):
    first = tune(base, tmp_path / "first")
    (first.folder / "card.json").write_text(json.dumps({"base": "tiny", "base_digest": base.digest}))
    short = dataclasses.replace(_SETTINGS, epochs=0.1, learning_rate=1e-5)
    second = tune(base, tmp_path / "second", short, start=first.folder)
    assert second.gain.before == pytest.approx(first.gain.after)
    with pytest.raises(UsageError, match="one of all weights"):
        full = dataclasses.replace(_SETTINGS, method=Method.FULL, epochs=0.1)
        whole = tune(base, tmp_path / "whole", full)
        (whole.folder / "card.json").write_text(json.dumps({"base": "tiny", "base_digest": base.digest}))
        tune(base, tmp_path / "third", short, start=whole.folder)


def test_too_few_pairs_are_refused(base, tmp_path):
    few = Examples((), (), (), pairs_of(3), ())
    with pytest.raises(UsageError, match="gives 3 preference pairs, expected 8 or more"):
        tune(base, tmp_path / "out", examples=few)


def test_service_and_training_agree_on_the_margins(base, tiny_generator):
    task, pairs = task_of(base)
    # measured in the number format of measuring, which may be bf16
    assert margins_in_service(tiny_generator, pairs) == pytest.approx(task.margins(pairs), abs=0.2)
    assert max(map(abs, task.margins(pairs))) > 1


def test_the_gain_is_how_many_more_are_preferred(base):
    _, pairs = task_of(base, reads=False)
    gain = preference_gain([-1.0] * 6, [1.0] * 3 + [-1.0] * 3, pairs)
    assert (gain.before, gain.after, gain.items) == (0, 50, 6)
    assert preference_gain([], [], []) is None


def test_no_document_stops_and_proves(base):
    _, pairs = task_of(base, reads=False)
    parts = halve_pairs([*pairs, *pairs])
    stop, proof = ({pair.chosen.example.source for pair in part} for part in (parts.stop, parts.proof))
    assert stop and proof and not stop & proof
    assert len(parts.stop) + len(parts.proof) == 12


def test_what_is_worse_is_what_the_generator_itself_writes_where_that_is_wrong():
    prompt = (Message(MessageRole.USER, "which port"),)
    answered = PreferencePair(prompt, '"The port is 5432." [1]\n5432', UNKNOWN, "a", "rule")
    withheld = PreferencePair(prompt, UNKNOWN, '"The port is 5432." [1]\n5432', "a", "without")
    said = ["It is 80.", "It is 80."]
    wrong = with_own_mistakes([answered, withheld], ScriptedGenerator(said))
    assert [pair.rejected for pair in wrong] == said
    right = [answered, withheld]
    assert with_own_mistakes(right, ScriptedGenerator(["It is 5432.", "I don't know that."])) == right
    theirs = dataclasses.replace(withheld, made="given")
    assert with_own_mistakes([theirs], ScriptedGenerator(said)) == [theirs]
