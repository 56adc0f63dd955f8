"""Tests of rehearsal, EWC and L2 to the start."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.adaptation.methods import attach, holding, plan_for
from hybrid.adaptation.methods.encoding import encode
from hybrid.adaptation.methods.generator import Base, tune_generator
from hybrid.adaptation.methods.holding import (
    Importance,
    fisher,
    held_layers,
    hold_weights,
    rehearsal_examples,
    sample,
)
from hybrid.adaptation.methods.lora import load_base
from hybrid.adaptation.suites import instructions, shipped_suite
from hybrid.adaptation.values import Example, ExampleKind, Examples
from hybrid.config import AdaptationSettings, Method
from hybrid.errors import UsageError
from hybrid.models.device import Placement
from hybrid.models.dialogue import Dialogue
from hybrid.models.pretrained import load_causal, load_tokenizer
from hybrid.questions.checking import NEAR, shingles
from hybrid.types import Message, MessageRole

_CPU = Placement("cpu", "float32", "test")
_SETTINGS = AdaptationSettings(rank=4, learning_rate=1e-2, epochs=4, batch=4, rehearsal=0.0, max_tokens=120)
_TEXTS = [Example(ExampleKind.REHEARSAL, (), f"the default port of server {n} is a port") for n in range(6)]


@pytest.fixture(scope="module")
def base(tiny_generator_folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tiny_generator_folder)
    tokenizer = AutoTokenizer.from_pretrained(tiny_generator_folder)
    tokenizer.pad_token = tokenizer.eos_token
    return model, Dialogue(tokenizer)


def made(base, cache, tokens=300, seed=0, digest="d"):
    return rehearsal_examples(*base, digest=digest, tokens=tokens, seed=seed, cache=cache)


def counted(base, examples):
    return sum(map(len, base[1].tokens([example.completion for example in examples])))


@pytest.mark.slow
def test_about_as_much_as_wanted_is_made_of_texts_and_answers(base, tmp_path):
    examples = made(base, tmp_path, tokens=1_000)
    assert {example.kind for example in examples} == {ExampleKind.REHEARSAL}
    assert {example.made for example in examples} <= {"answered", "made up"}
    assert all(not example.prompt for example in examples if example.made == "made up")
    assert 1_000 <= counted(base, examples) <= 1_200
    assert made(base, tmp_path, tokens=0) == []


@pytest.mark.slow
def test_the_same_base_and_seed_give_the_same_and_others_others(base, tmp_path):
    first = made(base, tmp_path / "a")
    assert made(base, tmp_path / "b") == first
    assert made(base, tmp_path / "b", seed=1) != first
    assert len(list((tmp_path / "b" / "rehearsal").iterdir())) == 2


@pytest.mark.slow
def test_what_was_made_is_kept_and_serves_less_too(base, tmp_path):
    more = made(base, tmp_path, tokens=900)
    (kept,) = (tmp_path / "rehearsal").iterdir()
    before = kept.stat().st_mtime_ns
    less = rehearsal_examples(None, base[1], digest="d", tokens=300, seed=0, cache=tmp_path)
    assert less == more[: len(less)]
    assert 0 < len(less) < len(more)
    assert kept.stat().st_mtime_ns == before
    made(base, tmp_path, digest="another base")
    assert len(list((tmp_path / "rehearsal").iterdir())) == 2


def test_samples_are_fixed_by_the_seed_and_independent_of_padding(base):
    model, dialogue = base
    prompts = dialogue.tokens(["a", "a long prompt with many letters"])
    first = list(sample(model, dialogue, prompts, max_new_tokens=12, temperature=1.0, seed=4))
    again = list(sample(model, dialogue, prompts, max_new_tokens=12, temperature=1.0, seed=4))
    assert first == again
    # nearly no temperature: the likeliest token, whatever stands beside it
    cold = list(sample(model, dialogue, prompts, max_new_tokens=12, temperature=1e-4, seed=4))
    alone = list(sample(model, dialogue, prompts[:1], max_new_tokens=12, temperature=1e-4, seed=9))
    assert cold[0] == alone[0]


@pytest.mark.slow
def test_a_sample_ends_where_the_model_ends_it_unless_it_may_not(base):
    model, dialogue = base
    prompts = dialogue.tokens(["a"] * 40)
    ended = [end for _, end in sample(model, dialogue, prompts, max_new_tokens=60, temperature=3.0, seed=0)]
    assert any(ended)
    for ids, end in sample(model, dialogue, prompts, max_new_tokens=20, temperature=3.0, seed=0, end=False):
        assert not end
        assert len(ids) == 20
        assert dialogue.end not in ids


def test_the_shipped_instructions_are_many_and_different():
    texts = instructions()
    assert len(texts) >= 50
    assert len(set(texts)) == len(texts)


def test_the_shipped_instructions_are_not_what_forgetting_is_measured_by():
    suite = shipped_suite()
    measured = [probe.prompt for probe in suite.probes] + [choice.question for choice in suite.choices]
    assert len(measured) > 100 and len(instructions()) > 50
    for text in instructions():
        own = shingles(text)
        for other in map(shingles, measured):
            assert len(own & other) < NEAR * len(own | other)


@pytest.mark.slow
def test_answers_stop_at_the_end_of_a_sentence(base, tmp_path):
    answered = [example for example in made(base, tmp_path, tokens=2_000) if example.made == "answered"]
    assert answered
    for example in answered:
        assert example.prompt[0].role is MessageRole.USER
        assert example.prompt == (Message(MessageRole.USER, example.prompt[0].content),)
        assert example.completion.strip()


def _encoded(folder):
    return encode(_TEXTS, Dialogue(load_tokenizer(folder)), max_tokens=200).encoded


def _attached(folder, method=Method.LORA):
    chosen = dataclasses.replace(_SETTINGS, method=method)
    torch.manual_seed(0)
    return attach(load_base(folder, method, _CPU), plan_for(chosen, tokens=100), chosen)


@pytest.fixture(scope="module")
def by_hand(tiny_generator_folder):
    """Return the diagonal of each matrix: squared gradients of the log-likelihood of a text, per token."""
    model = load_causal(tiny_generator_folder, dtype=torch.float32)
    texts = _encoded(tiny_generator_folder)
    found = {}
    for text in texts:
        ids = torch.tensor([text.ids])
        logs = model(ids).logits[0, :-1].log_softmax(-1)
        chosen = logs[range(len(text.ids) - 1), text.ids[1:]][text.start - 1 :]
        model.zero_grad()
        chosen.sum().backward()
        for name, parameter in model.named_parameters():
            found[name] = found.get(name, 0.0) + parameter.grad.square()
    tokens = sum(len(text.ids) - text.start for text in texts)
    return {name: value / tokens for name, value in found.items()}


@pytest.mark.parametrize("method", [Method.LORA, Method.FULL])
def test_rows_and_columns_of_the_fisher_information_are_those_of_autograd(
    tiny_generator_folder, by_hand, method
):
    model = _attached(tiny_generator_folder, method)
    layers = held_layers(model, method)
    assert len(layers) == 14 + (method is Method.FULL)  # seven in each of two blocks, and the output layer
    found = fisher(model, layers, _encoded(tiny_generator_folder), _CPU)
    for name, worth in found.items():
        exact = by_hand[f"{name}.weight"]
        near = worth.rows[:, None] * worth.columns
        torch.testing.assert_close(near.sum(0), exact.sum(0), rtol=1e-3, atol=1e-9)
        torch.testing.assert_close(near.sum(1), exact.sum(1), rtol=1e-3, atol=1e-9)
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.slow
@given(seed=st.integers(0, 999), moved=st.booleans())
@settings(max_examples=15, deadline=None)
def test_the_penalty_and_its_gradient_are_those_of_the_dense_change(tiny_generator_folder, seed, moved):
    model = _attached(tiny_generator_folder)
    layer = next(iter(held_layers(model, Method.LORA).values()))
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    random = torch.Generator().manual_seed(seed)
    if moved:  # as with PiSSA, which does not begin at 0
        up.data.normal_(generator=random)
    before = up.detach() @ down.detach()
    paid = holding._moved(layer)
    for factor in (down, up):
        factor.data.add_(torch.randn(factor.shape, generator=random))
    rows, columns = (torch.rand(size, generator=random) for size in (len(up), down.shape[1]))

    def gradients(loss):
        return loss.detach(), *torch.autograd.grad(loss, (down, up))

    change = layer.scaling["default"] * (up @ down - before)
    dense = gradients((rows[:, None] * columns * change.square()).sum())
    found = gradients(paid(Importance(rows, columns)))
    assert len(found) == 3
    for one, other in zip(found, dense, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("method", [Method.LORA, Method.RSLORA, Method.FULL])
def test_l2_is_half_the_squared_change_and_nothing_at_the_start(tiny_generator_folder, method):
    chosen = dataclasses.replace(_SETTINGS, method=method, l2=3.0)
    model = _attached(tiny_generator_folder, method)
    hold = hold_weights(model, chosen, (), "base", _CPU)
    assert float(hold().detach()) == 0
    layer = next(iter(held_layers(model, method).values()))
    if method is Method.FULL:
        layer.weight.data.add_(0.5)
        size = 0.25 * layer.weight.numel()
    else:
        layer.lora_B["default"].weight.data.fill_(0.5)
        size = float(layer.get_delta_weight("default").detach().square().sum())
    assert float(hold().detach()) == pytest.approx(1.5 * size, rel=1e-4)


def test_what_is_estimated_is_kept_for_the_base(tiny_generator_folder, monkeypatch, tmp_path):
    def place(part, name):
        (tmp_path / part).mkdir(exist_ok=True)
        return tmp_path / part / name

    monkeypatch.setattr(holding, "cached", place)
    model, texts = _attached(tiny_generator_folder), _encoded(tiny_generator_folder)
    chosen = dataclasses.replace(_SETTINGS, ewc=1.0)
    hold_weights(model, chosen, texts, "base", _CPU)
    (file,) = (tmp_path / "fisher").iterdir()
    monkeypatch.setattr(holding, "fisher", None)
    again = hold_weights(model, chosen, texts, "base", _CPU)
    assert float(again().detach()) == 0
    with pytest.raises(TypeError):  # of another base it is asked anew
        hold_weights(model, chosen, texts, "other", _CPU)
    file.write_bytes(b"half")
    with pytest.raises(TypeError):
        hold_weights(model, chosen, texts, "base", _CPU)


def test_what_cannot_be_held_is_refused(tiny_generator_folder):
    model = _attached(tiny_generator_folder, Method.DORA)
    with pytest.raises(UsageError, match="which dora does not know"):
        hold_weights(model, dataclasses.replace(_SETTINGS, method=Method.DORA, l2=1.0), (), "base", _CPU)
    with pytest.raises(UsageError, match="text of the base"):
        hold_weights(
            _attached(tiny_generator_folder), dataclasses.replace(_SETTINGS, ewc=1.0), (), "base", _CPU
        )
    assert hold_weights(model, _SETTINGS, (), "base", _CPU) is None


def _labels(count):
    return tuple(
        Example(
            ExampleKind.LABEL,
            (Message(MessageRole.USER, f"is {'port' if n % 2 else 'server'} {n} a port"),),
            "yes" if n % 2 else "no",
            f"s{n}",
            options=("yes", "no"),
        )
        for n in range(count)
    )


def _tuned(folder, out, chosen):
    base, examples = Base(folder, "tiny"), Examples(_labels(40), ())
    return tune_generator(base, examples, chosen, out=out, placement=_CPU, rehearsal=_TEXTS, probe=_TEXTS).fit


@pytest.mark.slow
@pytest.mark.parametrize("protection", [{"l2": 300.0}, {"ewc": 3000.0}], ids=["l2", "ewc"])
def test_a_model_that_is_held_changes_less(tiny_generator_folder, tmp_path, protection):
    free = dataclasses.replace(_SETTINGS, budget_nats=99.0)
    curves = [
        _tuned(tiny_generator_folder, tmp_path / f"out{place}", chosen).curve
        for place, chosen in enumerate((free, dataclasses.replace(free, **protection)))
    ]
    unheld, held = (abs(curve[-1].general - curve[0].general) for curve in curves)
    assert held < 0.5 * unheld


@pytest.mark.slow
def test_training_ends_early_where_general_text_gets_worse(tiny_generator_folder, tmp_path):
    chosen = dataclasses.replace(_SETTINGS, stop_nats=0.001, learning_rate=0.05)
    done = _tuned(tiny_generator_folder, tmp_path / "out", chosen)
    general = {point.step: point.general for point in done.curve}
    assert done.ended == "general text got worse by more than the limit"
    assert done.steps < 40
    assert general[done.best] <= general[0] + 0.001
