"""What every method promises, on tiny models of several families."""

import dataclasses
import json
import shutil

import pytest

from hybrid.adaptation.export import merge, scale
from hybrid.adaptation.methods.generator import Base, tune_generator
from hybrid.adaptation.store import write_card
from hybrid.adaptation.values import AdapterKind, Card, Data, Example, ExampleKind, Examples
from hybrid.config import AdaptationSettings, Method, Targets
from hybrid.errors import AdapterError, UsageError
from hybrid.models.adapters import CONFIG, FULL_WEIGHTS, WEIGHTS
from hybrid.models.device import Placement
from hybrid.models.generator import TransformersGenerator
from hybrid.models.resolve import weights_digest
from hybrid.types import Message, MessageRole

_CPU = Placement("cpu", "float32", "test")
_SETTINGS = AdaptationSettings(
    rank=4, learning_rate=2e-2, epochs=3, batch=4, rehearsal=0.0, max_tokens=120, budget_nats=90.0
)
_FAMILIES = ("llama", "gpt2", "qwen3", "gemma3")
_OWN = (Method.PROMPT, Method.PREFIX, Method.BOTTLENECK)
# a base in 4 bits wants wider rows; a fusion wants adapters, and has a test of its own
_METHODS = tuple(method for method in Method if method not in (Method.QLORA, Method.FUSION))
_SWITCHED = (*_OWN, Method.FUSION)
_ALL = [(method, "llama") for method in _METHODS] + [(Method.QLORA, "wide")]
_ALL += [(m, f) for f in _FAMILIES[1:] for m in (Method.LORA, Method.PISSA, Method.IA3, *_OWN)]
_TEXTS = ["What is the port?", "the server", "Which port does the server use by default, and why is it so?"]


def _ask(text):
    return [Message(MessageRole.USER, text)]


def _examples(count, offset=0):
    rows = []
    for n in range(offset, offset + count):
        yes = n % 2 == 0
        prompt = (Message(MessageRole.USER, f"is {'port' if yes else 'server'} {n} a port"),)
        said = "yes" if yes else "no"
        rows.append(Example(ExampleKind.LABEL, prompt, said, f"s{n}", options=("yes", "no")))
    return tuple(rows)


def _tune(folder, out, method, *, rows=16, texts=(), **options):
    changed = {
        key: options.pop(key) for key in [*options] if key in AdaptationSettings.__slots__ and key != "over"
    }
    settings = dataclasses.replace(_SETTINGS, method=method, **changed)
    examples = Examples(_examples(rows), _examples(16, 100))
    made = tune_generator(
        Base(folder, "tiny"), examples, settings, out=out, placement=_CPU, rehearsal=texts, **options
    )
    base = weights_digest(folder)
    write_card(out, Card("", AdapterKind.GENERATOR, "tiny", base, method, Data("", "", {}), weights=""))
    return made


def _generator(folder):
    return TransformersGenerator(folder, name="tiny", placement=_CPU)


@pytest.fixture(scope="module")
def tuned(family, tmp_path_factory):
    """tuned(method, family): the folder of an adapter, and the logits of the model as training left it."""
    made = {}

    def call(method, name):
        if (method, name) not in made:
            made[method, name] = _remembered(
                family(name), tmp_path_factory.mktemp(f"{method}-{name}") / "out", method
            )
        return made[method, name]

    return call


def _remembered(folder, out, method, **options):
    import hybrid.adaptation.methods.generator as module

    kept = []
    original = module.weaken

    def weaken(task, *told):
        strength = original(task, *told)
        kept.append(_logits_of(task.module))
        return strength

    module.weaken = weaken
    try:
        _tune(folder, out, method, **options)
    finally:
        module.weaken = original
    return out, kept[0]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "name"), _ALL)
def test_what_is_reloaded_says_what_was_trained_and_off_it_is_the_base(tuned, family, method, name):
    import torch
    from peft import PeftModel

    from hybrid.adaptation.methods.lora import load_base

    folder, trained = tuned(method, name)
    base = _generator(family(name))
    before = _logits_served(base)
    served = base.adapted(folder)
    said = _logits_served(served)
    if method is Method.QLORA:  # trained on what 4 bits leave of the base, and served on the whole
        in_four, whole = (load_base(family(name), kind, _CPU) for kind in (method, Method.LORA))
        assert torch.equal(_logits_of(PeftModel.from_pretrained(in_four, folder).eval()), trained)
        trained = _logits_of(PeftModel.from_pretrained(whole, folder).eval())
    assert torch.allclose(said, trained, atol=2e-3)
    assert not torch.allclose(said, before, atol=1e-2)
    assert torch.equal(_logits_served(base), before)
    assert torch.equal(_logits_served(served), said)


def _logits_served(generator):
    with generator.lent() as model:
        return _logits_of(model)


def _logits_of(model):
    import torch

    ids = torch.tensor([[5, 6, 7, 8, 9, 10], [0, 0, 11, 12, 13, 14]])
    mask = torch.tensor([[1] * 6, [0, 0, 1, 1, 1, 1]])
    with torch.inference_mode():
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        return model(input_ids=ids, attention_mask=mask, position_ids=positions).logits[mask.bool()]


@pytest.mark.slow
@pytest.mark.parametrize(("method", "name"), _ALL)
def test_only_what_was_tuned_is_saved(tuned, family, method, name):
    folder, _ = tuned(method, name)
    files = {path.name for path in folder.iterdir()} - {"card.json"}
    assert files == ({FULL_WEIGHTS} if method is Method.FULL else {CONFIG, WEIGHTS})
    if method is not Method.FULL:
        assert str(family(name)) not in (folder / CONFIG).read_text()
        whole = (family(name) / "model.safetensors").stat().st_size
        assert (folder / WEIGHTS).stat().st_size < whole


@pytest.mark.slow
@pytest.mark.parametrize(("method", "name"), _ALL)
def test_in_a_batch_it_says_what_it_says_alone(tuned, family, method, name):
    served = _generator(family(name)).adapted(tuned(method, name)[0])
    asked = [_ask(text) for text in _TEXTS]
    alone = [served.generate([each], max_new_tokens=12)[0] for each in asked]
    assert served.generate(asked, max_new_tokens=12) == alone
    options = [["yes", "no", "a default port"]] * 3
    together = served.log_likelihoods(asked, options)
    single = [served.log_likelihoods([each], options[:1])[0] for each in asked]
    assert [value for row in together for value in row] == pytest.approx(
        [value for row in single for value in row], abs=2e-3
    )
    assert [made.prompt_tokens for made in alone] == [served.count_prompt_tokens(each) for each in asked]
    drawn = served.sample(asked, 2, max_new_tokens=8, seed=3)
    assert drawn == [served.sample([each], 2, max_new_tokens=8, seed=3)[0] for each in asked]
    *pieces, whole = served.stream(asked[2], max_new_tokens=12)
    assert whole == alone[2] and "".join(pieces) == whole.text


@pytest.mark.slow
@pytest.mark.parametrize("method", _SWITCHED[:-1])
def test_threads_that_ask_base_and_adapters_together_get_what_each_says_alone(tuned, family, method):
    from concurrent.futures import ThreadPoolExecutor

    base = _generator(family("llama"))
    views = [base, base.adapted(tuned(method, "llama")[0]), base.adapted(tuned(Method.LORA, "llama")[0])]
    wanted = [view.generate([_ask(text) for text in _TEXTS], max_new_tokens=16) for view in views]
    with ThreadPoolExecutor(9) as pool:
        jobs = [
            pool.submit(view.generate, [_ask(text)], max_new_tokens=16) for view in views for text in _TEXTS
        ]
        found = [job.result()[0] for job in jobs]
    assert found == [made for row in wanted for made in row]


@pytest.mark.slow
@pytest.mark.parametrize("method", _SWITCHED[:-1])
def test_a_prompt_that_is_read_in_stretches_is_the_same(tuned, family, method):
    served = _generator(family("llama")).adapted(tuned(method, "llama")[0])
    asked = [_ask(text) for text in _TEXTS]
    wanted = served.generate(asked, max_new_tokens=12)
    served._decoder._stretch = 7
    assert served.generate(asked, max_new_tokens=12) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("method", _METHODS)
def test_it_learns(family, tmp_path, method):
    rate = {Method.FULL: 1e-3, Method.PROMPT: 5e-2, Method.PREFIX: 5e-2, Method.IA3: 5e-2}.get(method, 1e-2)
    made = _tune(family("llama"), tmp_path / "out", method, rows=40, learning_rate=rate, epochs=15)
    losses = [point.domain for point in made.fit.curve]
    assert min(losses) < 0.6 * losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("method", [*_METHODS, Method.QLORA])
def test_an_interrupted_run_goes_on_to_the_same_bytes(family, tmp_path, method):
    base = family("wide" if method is Method.QLORA else "llama")

    def die(step, steps, loss):
        if step == 9:
            raise KeyboardInterrupt

    _tune(base, tmp_path / "whole", method, epochs=4)
    with pytest.raises(KeyboardInterrupt):
        _tune(base, tmp_path / "again", method, epochs=4, state=tmp_path / "state", progress=die)
    steps = []
    _tune(
        base,
        tmp_path / "again",
        method,
        epochs=4,
        state=tmp_path / "state",
        progress=lambda step, *_: steps.append(step),
    )
    assert steps[0] > 1
    assert weights_digest(tmp_path / "again") == weights_digest(tmp_path / "whole")


# --- strength --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", [m for m in _METHODS if m not in (Method.DORA, Method.PROMPT, Method.PREFIX)]
)
def test_a_strength_served_is_a_strength_written(tuned, family, tmp_path, method):
    import torch

    folder, _ = tuned(method, "llama")
    base = _generator(family("llama"))
    half = _logits_served(base.adapted(folder, strength=0.5))
    out = scale(folder, 0.5, tmp_path / "half", base=family("llama"))
    shutil.copy(folder / "card.json", out)
    assert torch.allclose(_logits_served(base.adapted(out)), half, atol=1e-3)
    assert not torch.allclose(half, _logits_served(base.adapted(folder)), atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("method", [Method.PROMPT, Method.PREFIX])
def test_virtual_tokens_have_no_strength(tuned, family, tmp_path, method):
    folder, _ = tuned(method, "llama")
    with pytest.raises(AdapterError, match="has no strength"):
        _generator(family("llama")).adapted(folder, strength=0.5)
    with pytest.raises(AdapterError, match="cannot be made weaker"):
        scale(folder, 0.5, tmp_path / "half")


@pytest.mark.slow
@pytest.mark.parametrize("method", _METHODS)
def test_at_the_neutral_values_it_is_the_base(family, method):
    import torch

    from hybrid.adaptation.methods import attach, parametrisation, plan_for
    from hybrid.adaptation.methods.lora import load_base

    settings = dataclasses.replace(_SETTINGS, method=method)
    model = attach(load_base(family("llama"), method, _CPU), plan_for(settings, tokens=9), settings).eval()
    ids = torch.tensor([[5, 6, 7, 8]])
    neutral = parametrisation(method).neutral(model)
    assert bool(neutral) == (method not in (Method.DORA, Method.PROMPT, Method.PREFIX))
    with torch.no_grad():
        parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
        for parameter in parameters.values():
            parameter += 0.1 * torch.randn_like(parameter)
        with model.disable_adapter():
            base = model(input_ids=ids).logits
        assert not torch.allclose(model(input_ids=ids).logits, base, atol=1e-2)
        for name, value in neutral.items():
            parameters[name].copy_(value)
        assert torch.allclose(model(input_ids=ids).logits, base, atol=1e-4) == bool(neutral)


# --- what is refused -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("method", _OWN)
def test_weights_that_do_not_fit_are_refused(tuned, family, tmp_path, method):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tuned(method, "llama")[0], tmp_path / "copied")
    base = _generator(family("llama"))
    good = load_file(folder / WEIGHTS)
    last = sorted(good)[-1]
    for bad, message in (
        ({name: good[name] for name in good if name != last}, "are not those that|missing"),
        (good | {"more": good[last].clone()}, "unknown to the model"),
        ({name: value[..., :-1].contiguous() for name, value in good.items()}, "does not fit"),
        ({name: value * float("nan") for name, value in good.items()}, "not a number"),
    ):
        save_file(bad, folder / WEIGHTS)
        with pytest.raises(AdapterError, match=message):
            base.adapted(folder)


@pytest.mark.slow
def test_a_bottleneck_that_does_nothing_is_refused(tuned, family, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tuned(Method.BOTTLENECK, "llama")[0], tmp_path / "copied")
    good = load_file(folder / WEIGHTS)
    idle = {n: v * 0 if n.endswith((".up", ".shift")) else v for n, v in good.items()}
    save_file(idle, folder / WEIGHTS)
    with pytest.raises(AdapterError, match="changes nothing"):
        _generator(family("llama")).adapted(folder)


@pytest.mark.slow
@pytest.mark.parametrize("method", _METHODS)
def test_another_base_is_refused(tuned, family, method):
    with pytest.raises(AdapterError, match="was made for tiny"):
        _generator(family("qwen3")).adapted(tuned(method, "llama")[0])


@pytest.mark.slow
@pytest.mark.parametrize("method", _OWN)
def test_what_is_switched_on_is_not_merged(tuned, family, tmp_path, method):
    with pytest.raises(AdapterError, match="cannot be merged"):
        merge(tuned(method, "llama")[0], family("llama"), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


@pytest.mark.slow
@pytest.mark.parametrize("method", [Method.PREFIX, Method.BOTTLENECK])
def test_a_place_that_the_model_does_not_have_is_refused(tuned, family, tmp_path, method):
    folder = shutil.copytree(tuned(method, "llama")[0], tmp_path / "copied")
    config = json.loads((folder / CONFIG).read_text())
    config["places"][0] = ["no.such", "place"] if method is Method.PREFIX else "no.such"
    (folder / CONFIG).write_text(json.dumps(config))
    with pytest.raises(AdapterError, match=r"no\.such"):
        _generator(family("llama")).adapted(folder)


@pytest.mark.parametrize("method", [Method.PROMPT, Method.PREFIX])
def test_virtual_tokens_have_no_targets(family, tmp_path, method):
    with pytest.raises(UsageError, match="no choice of modules"):
        _tune(family("llama"), tmp_path / "out", method, targets=Targets.QV)


# --- one by one ------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", _FAMILIES)
def test_plain_peft_serves_a_prompt_alike(tuned, family, name):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder, _ = tuned(Method.PROMPT, name)
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(family(name)), folder).eval()
    ids = torch.tensor([[5, 6, 7, 8, 9, 10]])
    with _generator(family(name)).adapted(folder).lent() as model, torch.inference_mode():
        own = model(input_ids=ids).logits
        assert torch.allclose(own, plain(input_ids=ids).logits[:, -6:], atol=1e-3)


@pytest.mark.slow
def test_pissa_begins_as_the_base_and_is_saved_as_plain_lora(tuned, family):
    import torch

    from hybrid.adaptation.methods import parametrisation, plan_for
    from hybrid.adaptation.methods.lora import load_base

    settings = dataclasses.replace(_SETTINGS, method=Method.PISSA)
    base = load_base(family("llama"), Method.PISSA, _CPU)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        before = base(input_ids=ids).logits
        begun = parametrisation(Method.PISSA).attach(base, plan_for(settings, tokens=9), settings)
        assert torch.allclose(begun(input_ids=ids).logits, before, atol=1e-3)
        layer = begun.base_model.model.model.layers[0].self_attn.q_proj
        # the principal part, taken out, leaves less than half of the weights
        rest = layer.weight - layer.scaling["default"] * (
            layer.lora_B["default"].weight[:, :4] @ layer.lora_A["default"].weight[:4]
        )
        assert rest.norm() < 0.9 * layer.weight.norm()
    config = json.loads((tuned(Method.PISSA, "llama")[0] / CONFIG).read_text())
    assert (config["r"], config["lora_alpha"], config["init_lora_weights"]) == (8, 16, True)


@pytest.mark.slow
@pytest.mark.parametrize("name", _FAMILIES)
def test_a_fusion_over_stored_adapters_is_whole_and_served(family, tmp_path, name):
    import torch

    folders = []
    for number in (1, 2):
        folders.append(tmp_path / f"member-{number}")
        _tune(family(name), folders[-1], Method.BOTTLENECK, seed=number, targets=Targets.MLP)
    out, trained = _remembered(family(name), tmp_path / "fusion", Method.FUSION, over=folders)
    for folder in folders:
        shutil.rmtree(folder)
    base = _generator(family(name))
    before = _logits_served(base)
    served = base.adapted(out)
    assert torch.allclose(_logits_served(served), trained, atol=2e-3)
    assert torch.equal(_logits_served(base), before)
    asked = [_ask(text) for text in _TEXTS]
    alone = [served.generate([each], max_new_tokens=12)[0] for each in asked]
    assert served.generate(asked, max_new_tokens=12) == alone


@pytest.mark.slow
def test_a_fusion_wants_two_adapters_alike(family, tmp_path):
    _tune(family("llama"), tmp_path / "mlp", Method.BOTTLENECK, targets=Targets.MLP)
    _tune(family("llama"), tmp_path / "both", Method.BOTTLENECK)
    _tune(family("llama"), tmp_path / "prefix", Method.PREFIX)
    for over in (["mlp"], ["mlp", "both"], ["mlp", "prefix"], ["prefix", "mlp"]):
        with pytest.raises(UsageError, match="two or more bottleneck"):
            _tune(family("llama"), tmp_path / "out", Method.FUSION, over=[tmp_path / name for name in over])
    with pytest.raises(UsageError, match="0 stored adapters are named for fusion"):
        _tune(family("llama"), tmp_path / "out", Method.FUSION)


_CHOSEN = {
    "llama": {
        "qv": {"q_proj", "v_proj"},
        "mlp": {"gate_proj", "up_proj", "down_proj"},
        "all": {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"},
    },
    "gpt2": {"qv": {"c_attn"}, "mlp": {"c_fc", "c_proj"}, "all": {"c_attn", "c_fc", "c_proj"}},
}


@pytest.mark.slow
@pytest.mark.parametrize("targets", list(Targets))
@pytest.mark.parametrize("name", list(_CHOSEN))
def test_targets_choose_the_layers(family, tmp_path, name, targets):
    from safetensors import safe_open

    _tune(family(name), tmp_path / "out", Method.LORA, epochs=0.5, targets=targets)
    with safe_open(tmp_path / "out" / WEIGHTS, framework="numpy") as file:
        paths = {key.split(".lora_")[0] for key in file.keys()}  # noqa: SIM118
    assert {path.rpartition(".")[2] for path in paths} == _CHOSEN[name][targets]
    if targets is Targets.MLP:
        assert all(".mlp." in path for path in paths)


@pytest.mark.slow
@pytest.mark.parametrize(("targets", "parts"), [("qv", {"attn"}), ("mlp", {"mlp"}), ("all", {"attn", "mlp"})])
def test_targets_choose_where_bottlenecks_go(family, tmp_path, targets, parts):
    _tune(family("gpt2"), tmp_path / "out", Method.BOTTLENECK, epochs=0.5, targets=Targets(targets))
    places = json.loads((tmp_path / "out" / CONFIG).read_text())["places"]
    assert {place.rpartition(".")[2] for place in places} == parts
    assert len(places) == 2 * len(parts)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", [Method.LORA, Method.FULL, Method.PREFIX]
)  # each is switched off its own way
def test_divergence_is_from_the_base_whatever_is_tuned(family, tmp_path, method):
    text = [Example(ExampleKind.REHEARSAL, (), f"the default port of server {n} is a") for n in range(40)]
    rate = 1e-3 if method is Method.FULL else 1e-2
    free, held = (
        _tune(
            family("llama"),
            tmp_path / f"{method}-{weight}",
            method,
            learning_rate=rate,
            rehearsal=0.5,
            divergence=weight,
            texts=text,
            probe=text[:8],
            epochs=6,
        )
        for weight in (0.01, 20.0)
    )
    assert held.fit.curve[-1].general - held.fit.curve[0].general < 0.05 + 0.8 * max(
        0.0, free.fit.curve[-1].general - free.fit.curve[0].general
    )
