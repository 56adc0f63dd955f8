"""EWC and L2: the Fisher information is that of autograd, the penalty that of the dense change."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hybrid.adaptation.methods import attach, ewc, plan_for
from hybrid.adaptation.methods.ewc import Importance, fisher, held_layers, hold_weights
from hybrid.adaptation.methods.lora import load_base
from hybrid.adaptation.training.encoding import encode
from hybrid.adaptation.training.generator import Base, tune_generator
from hybrid.adaptation.values import Example, ExampleKind, Examples
from hybrid.config import AdaptationSettings, Method
from hybrid.errors import UsageError
from hybrid.models.device import Placement
from hybrid.models.dialogue import Dialogue
from hybrid.models.pretrained import load_causal, load_tokenizer
from hybrid.types import Message, MessageRole

_CPU = Placement("cpu", "float32", "test")
_SETTINGS = AdaptationSettings(rank=4, learning_rate=1e-2, epochs=4, batch=4, rehearsal=0.0, max_tokens=120)
_TEXTS = [Example(ExampleKind.REHEARSAL, (), f"the default port of server {n} is a port") for n in range(6)]


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
    paid = ewc._change(layer)
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

    monkeypatch.setattr(ewc, "cached", place)
    model, texts = _attached(tiny_generator_folder), _encoded(tiny_generator_folder)
    chosen = dataclasses.replace(_SETTINGS, ewc=1.0)
    hold_weights(model, chosen, texts, "base", _CPU)
    (file,) = (tmp_path / "fisher").iterdir()
    monkeypatch.setattr(ewc, "fisher", None)
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
