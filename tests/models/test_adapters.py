"""Adapters on a model: what is refused, and that switching them changes nothing else."""

import dataclasses
import json
import shutil
import threading

import pytest

from hybrid import testing
from hybrid.errors import AdapterError
from hybrid.models.adapters import WEIGHTS, Swap, merged_weights, read_adapter, saved_digest, with_adapter
from hybrid.models.generator import TransformersGenerator
from hybrid.models.resolve import weights_digest
from hybrid.types import Message, MessageRole

TEXTS = ["What is the port?", "the server", "Which port does the server use by default, and why?"]


def _ask(text):
    return [Message(MessageRole.USER, text)]


def _generate(generator, texts=TEXTS):
    return [made.text for made in generator.generate([_ask(text) for text in texts], max_new_tokens=12)]


@pytest.fixture(scope="module")
def base(tiny_generator_folder, cpu):
    return TransformersGenerator(tiny_generator_folder, name="tiny", placement=cpu)


@pytest.fixture
def digest(tiny_generator_folder):
    return weights_digest(tiny_generator_folder)


@pytest.fixture
def copied(tiny_adapter_folder, tmp_path):
    """A copy of the adapter that a test may damage."""
    return shutil.copytree(tiny_adapter_folder, tmp_path / "copied")


def _logits(generator):
    import torch

    with generator.lent() as model, torch.inference_mode():
        return model(torch.arange(12)[None]).logits


def _wrapped(base_folder, adapter):
    """The model as PEFT itself serves it, unmerged."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base_folder), adapter).eval()


def _card(folder, **values):
    path = folder / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


# --- what is served --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_rslora": True},
        {"use_dora": True},
        {"layers_to_transform": [1]},
        {"target_modules": ["embed_tokens", "q_proj"]},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
        {"init_lora_weights": "olora"},
        {"trainable_token_indices": [40, 50]},
    ],
)
@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`", "ignore:.*tie_word_embeddings")
def test_merged_is_what_peft_gives_unmerged(tiny_generator_folder, make_adapter, cpu, tmp_path, options):
    import torch

    adapter = make_adapter(tiny_generator_folder, tmp_path / "a", **options)
    base = TransformersGenerator(tiny_generator_folder, name="tiny", placement=cpu)
    before = {name: value.clone() for name, value in base._model.state_dict().items()}
    places = {name: value.data_ptr() for name, value in base._model.state_dict().items()}
    random = torch.get_rng_state()
    logits = _logits(base)
    served = base.adapted(adapter)
    assert torch.equal(torch.get_rng_state(), random)
    with torch.inference_mode():
        wanted = _wrapped(tiny_generator_folder, adapter)(torch.arange(12)[None]).logits
    assert torch.allclose(_logits(served), wanted, atol=1e-4)
    assert not torch.allclose(logits, wanted, atol=1e-2)
    assert torch.equal(_logits(base), logits)
    after = base._model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert {name: value.data_ptr() for name, value in after.items()} == places


@pytest.mark.slow
def test_a_base_in_bf16_gets_merged_tensors_in_bf16(tiny_generator_folder, tiny_adapter_folder):
    import torch

    from hybrid.models.device import Placement

    placement = Placement("cpu", "bfloat16", "test")
    served = TransformersGenerator(tiny_generator_folder, name="tiny", placement=placement).adapted(
        tiny_adapter_folder
    )
    assert {value.dtype for value in served._shown.tensors.values()} == {torch.bfloat16}
    assert torch.isfinite(_logits(served)).all()


def test_an_adapter_that_changes_weights_is_not_rounded_to_tell_likelihoods(
    base, tiny_generator_folder, tiny_adapter_folder
):
    from hybrid.models.device import Placement

    twice = TransformersGenerator(
        tiny_generator_folder,
        name="tiny",
        placement=Placement("cpu", "float32", "test"),
        weighing=Placement("cpu", "bfloat16", "test"),
    )
    asked, options = [_ask("a")], [["yes", "no it is"]]
    found = twice.adapted(tiny_adapter_folder).log_likelihoods(asked, options)
    assert found == base.adapted(tiny_adapter_folder).log_likelihoods(asked, options)
    assert twice.log_likelihoods(asked, options) != base.log_likelihoods(asked, options)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`")
def test_only_what_the_adapter_changes_is_kept_and_tied_weights_come_apart(
    tiny_generator_folder, make_adapter, tmp_path
):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_generator_folder)
    model.lm_head.weight = model.model.embed_tokens.weight
    adapter = make_adapter(tiny_generator_folder, tmp_path / "a", target_modules=["embed_tokens"])
    assert set(merged_weights(model, adapter).tensors) == {"model.embed_tokens.weight"}


def test_strength_moves_the_weights_by_its_share(tiny_generator_folder, tiny_adapter_folder):
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_generator_folder)
    own = dict(model.named_parameters())
    half = merged_weights(model, tiny_adapter_folder, 0.5).tensors
    whole = merged_weights(model, tiny_adapter_folder).tensors
    assert whole and whole.keys() == half.keys()
    for name, value in whole.items():
        assert torch.allclose(half[name], (own[name] + value) / 2, atol=1e-6)


@pytest.mark.slow
def test_the_transformer_inside_an_embedder_takes_an_adapter(
    tiny_embedder_folder, tiny_embedder_adapter_folder
):
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny_embedder_folder), device="cpu")
    swap = Swap(model[0].auto_model)
    files = read_adapter(tiny_embedder_adapter_folder, weights_digest(tiny_embedder_folder))
    before = model.encode(TEXTS, convert_to_tensor=True)
    with swap.using(swap.merged(files)):
        tuned = model.encode(TEXTS, convert_to_tensor=True)
    assert not torch.allclose(before, tuned, atol=1e-2)
    assert torch.equal(model.encode(TEXTS, convert_to_tensor=True), before)


@pytest.mark.parametrize("all_of_them", [True, False])
def test_an_adapter_of_all_weights_is_its_file(
    tiny_generator_folder, tiny_adapter_folder, base, tmp_path, all_of_them
):
    import torch
    from safetensors.torch import save_file

    tensors = {name: value.clone() for name, value in base._model.state_dict().items()}
    name = "model.layers.0.self_attn.q_proj.weight"
    tensors[name] *= 1.5
    folder = tmp_path / "full"
    folder.mkdir()
    save_file(tensors if all_of_them else {name: tensors[name]}, folder / "model.safetensors")
    shutil.copy(tiny_adapter_folder / "card.json", folder)
    _card(folder, method="full", weights="")
    served = base.adapted(folder)
    assert set(served._shown.tensors) == {name}
    assert torch.equal(served._shown.tensors[name], tensors[name])


# --- switching -------------------------------------------------------------------------------------


def test_without_the_adapter_it_is_the_base_bit_for_bit(base, tiny_adapter_folder, other_adapter_folder):
    import torch

    own = dict(base._model.named_parameters())
    logits = _logits(base)
    first, second = base.adapted(tiny_adapter_folder), base.adapted(other_adapter_folder)
    seen = [_logits(first), _logits(base), _logits(second), _logits(base), _logits(first)]
    assert torch.equal(seen[1], logits)
    assert torch.equal(seen[3], logits)
    assert torch.equal(seen[4], seen[0])
    assert not torch.allclose(seen[0], seen[2], atol=1e-2)
    assert all(own[name] is value for name, value in base._model.named_parameters())


def test_the_base_comes_back_after_an_error(base, tiny_adapter_folder):
    import torch

    logits = _logits(base)
    served = base.adapted(tiny_adapter_folder)
    with pytest.raises(RuntimeError, match="stop"), served.lent():
        raise RuntimeError("stop")
    assert torch.equal(_logits(base), logits)


def test_switching_loads_nothing_again(base, tiny_adapter_folder, monkeypatch):
    from hybrid.models import adapters

    first = base.adapted(tiny_adapter_folder)
    monkeypatch.setattr(adapters, "merged_weights", lambda *_: pytest.fail("it was merged before"))
    again = base.adapted(tiny_adapter_folder)
    assert again._model is first._model is base._model
    assert again._shown is first._shown


def test_name_and_digest_tell_the_adapter(base, tiny_adapter_folder, other_adapter_folder):
    first, second = base.adapted(tiny_adapter_folder), base.adapted(other_adapter_folder)
    weaker = base.adapted(tiny_adapter_folder, strength=0.5)
    assert first.name == "tiny + first"
    assert first.adapted(other_adapter_folder).name == "tiny + second"
    assert len({made.digest for made in (base, first, second, weaker)}) == 4
    assert base.adapted(tiny_adapter_folder).digest == first.digest


def test_all_that_a_generator_does_is_done_with_the_adapter(base, tiny_adapter_folder):
    served = base.adapted(tiny_adapter_folder)
    assert _generate(served) != _generate(base)
    streamed = [list(served.stream(_ask(text), max_new_tokens=12)) for text in TEXTS]
    assert ["".join(pieces) for *pieces, _ in streamed] == _generate(served)
    options = [["yes", "no it is"]]
    assert served.log_likelihoods([_ask("a")], options) != base.log_likelihoods([_ask("a")], options)


@pytest.mark.slow
def test_two_threads_with_different_adapters_do_not_meet(base, tiny_adapter_folder, other_adapter_folder):
    generators = [base, base.adapted(tiny_adapter_folder), base.adapted(other_adapter_folder)]
    wanted = [_generate(generator) for generator in generators]
    assert len({tuple(texts) for texts in wanted}) == 3
    wrong = []

    def work(place):
        for _ in range(4):
            if _generate(generators[place]) != wanted[place]:
                wrong.append(place)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_streams_with_different_adapters_can_be_read_in_turn(base, tiny_adapter_folder):
    generators = [base, base.adapted(tiny_adapter_folder)]
    whole = [list(generator.stream(_ask(TEXTS[0]), max_new_tokens=16)) for generator in generators]
    streams = [generator.stream(_ask(TEXTS[0]), max_new_tokens=16) for generator in generators]
    parts = [[], []]
    while any(streams):
        for place, stream in enumerate(streams):
            if stream is not None and (piece := next(stream, None)) is not None:
                parts[place].append(piece)
            else:
                streams[place] = None
    assert parts == whole


# --- what is refused -------------------------------------------------------------------------------


def test_a_good_adapter_is_read_and_its_digest_is_of_weights_and_settings(copied, digest):
    files = read_adapter(copied, digest)
    assert (files.name, files.full) == ("copied", False)
    config = copied / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"lora_alpha": 9}))
    assert read_adapter(copied, digest).digest != files.digest


def test_an_adapter_for_another_base_names_both(copied):
    with pytest.raises(AdapterError, match=r"copied was made for tiny \(weights .{12}…\).*serve with other"):
        read_adapter(copied, "f" * 64, base="other")


@pytest.mark.parametrize("name", ["training_args.bin", "adapter_model.pt", "deep/optimizer.PKL"])
def test_pickled_files_are_refused_beside_good_ones(copied, digest, name):
    (copied / name).parent.mkdir(exist_ok=True)
    (copied / name).write_bytes(b"\x80\x04.")
    with pytest.raises(AdapterError, match="pickled files"):
        read_adapter(copied, digest)


@pytest.mark.parametrize("name", ["card.json", "adapter_config.json", WEIGHTS])
def test_a_missing_file_is_named(copied, digest, name):
    (copied / name).unlink()
    with pytest.raises(AdapterError, match=f"it has no {name}"):
        read_adapter(copied, digest)


@pytest.mark.parametrize("name", ["card.json", "adapter_config.json"])
@pytest.mark.parametrize("text", ["{", "[1]", "\x00"])
def test_a_damaged_file_is_named(copied, digest, name, text):
    (copied / name).write_text(text)
    with pytest.raises(AdapterError, match=name):
        read_adapter(copied, digest)


@pytest.mark.parametrize("keep", [0, 4, 100, -1])
def test_truncated_weights_are_refused(copied, digest, keep):
    path = copied / WEIGHTS
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(AdapterError, match="damaged"):
        read_adapter(copied, digest)


def test_weights_that_changed_after_they_were_saved_are_refused(copied, other_adapter_folder, digest):
    shutil.copy(other_adapter_folder / WEIGHTS, copied)
    with pytest.raises(AdapterError, match="not those that were saved"):
        read_adapter(copied, digest)


def test_settings_that_changed_after_they_were_saved_are_refused(copied, digest):
    _card(copied, weights=saved_digest(copied))
    config = copied / "adapter_config.json"
    saved = json.loads(config.read_text())
    config.write_text(json.dumps(saved | {"base_model_name_or_path": "elsewhere"}))
    read_adapter(copied, digest)
    config.write_text(json.dumps(saved | {"lora_alpha": 9}))
    with pytest.raises(AdapterError, match="not those that were saved"):
        read_adapter(copied, digest)


@pytest.mark.parametrize(
    "values",
    [
        {"target_modules": "(a+)+$"},
        {"target_modules": ".*q_proj"},
        {"target_modules": ["q_proj", "(x|y)*"]},
        {"exclude_modules": ".*"},
        {"rank_pattern": {"(a+)+$": 4}},
        {"layers_pattern": ["(a+)+"]},
        {"target_modules": [["q_proj"]]},
        {"megatron_config": {"x": 1}, "megatron_core": "antigravity"},
    ],
)
def test_no_pattern_and_no_module_of_a_stranger_is_run(copied, digest, values):
    config = copied / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | values))
    with pytest.raises(AdapterError, match=r"plain names of modules|names code to run"):
        read_adapter(copied, digest)


def _rewrite(folder, change):
    from safetensors.torch import load_file, save_file

    save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS)
    _card(folder, weights="")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda old: dict(list(old.items())[1:]), "1 missing"),
        (
            lambda old: old | {"base_model.model.more.lora_A.weight": next(iter(old.values())).clone()},
            "1 unknown",
        ),
        (lambda old: {name: value[..., :-1].contiguous() for name, value in old.items()}, "size mismatch"),
        (lambda old: {name: value * 0 for name, value in old.items()}, "changes nothing"),
        (lambda old: {name: value * float("nan") for name, value in old.items()}, "NaN"),
    ],
)
def test_weights_that_do_not_fit_or_do_nothing_are_refused(base, copied, change, message):
    import torch

    logits = _logits(base)
    _rewrite(copied, change)
    with pytest.raises(AdapterError, match=message):
        base.adapted(copied)
    assert torch.equal(_logits(base), logits)


def test_an_adapter_that_moves_no_logits_is_inactive(base, copied):
    from safetensors.torch import load_file

    # so small that the weights differ by a bit and the sums do not
    tensors = load_file(copied / WEIGHTS)
    _rewrite(copied, lambda _: {name: value * 1e-10 for name, value in tensors.items()})
    with pytest.raises(AdapterError, match="changes nothing"):
        base.adapted(copied)


@pytest.mark.parametrize(
    "values", [{"peft_type": "PREFIX_TUNING", "num_virtual_tokens": 3}, {"peft_type": "NONE"}, {"r": -1}]
)
def test_a_config_that_cannot_be_merged_is_refused(base, copied, values):
    path = copied / "adapter_config.json"
    kept = {} if "num_virtual_tokens" in values else json.loads(path.read_text())
    path.write_text(json.dumps(kept | values))
    with pytest.raises(AdapterError):
        base.adapted(copied)


def test_tensors_of_all_weights_that_do_not_fit_are_refused(base, tiny_adapter_folder, tmp_path):
    import torch
    from safetensors.torch import save_file

    folder = tmp_path / "full"
    folder.mkdir()
    shutil.copy(tiny_adapter_folder / "card.json", folder)
    _card(folder, weights="")
    for tensors, message in (
        ({"lm_head.weight": torch.zeros(2, 2)}, r"lm_head.weight is \(2, 2\)"),
        ({"other": torch.zeros(2)}, r"1 unknown to the model \(other\)"),
    ):
        save_file(tensors, folder / "model.safetensors")
        with pytest.raises(AdapterError, match=message):
            base.adapted(folder)


def test_a_generator_elsewhere_takes_no_adapter(tiny_adapter_folder):
    from hybrid.config import ModelSettings
    from hybrid.models.loading import load_generator

    settings = ModelSettings(endpoint="http://127.0.0.1:9/v1", generator="any")
    with pytest.raises(AdapterError, match="takes no adapter"):
        load_generator(settings, tiny_adapter_folder)


def test_settings_and_a_folder_give_a_generator_on_the_one_base(tiny_generator_folder, tiny_adapter_folder):
    from hybrid.config import ModelSettings
    from hybrid.models.loading import load_generator

    settings = ModelSettings(generator=str(tiny_generator_folder), device="cpu", dtype="float32")
    served = load_generator(settings, tiny_adapter_folder)
    assert served._model is load_generator(settings)._model


def test_the_fake_with_an_adapter_answers_by_its_name(tiny_adapter_folder):
    fake = testing.ScriptedGenerator(["base"], tuned={"first": ["tuned"]})
    served = with_adapter(fake, tiny_adapter_folder)
    assert (served.name, _generate(served, ["a"]), _generate(fake, ["a"])) == (
        "fake/scripted + first",
        ["tuned"],
        ["base"],
    )
    assert dataclasses.asdict(served) != dataclasses.asdict(fake)
    assert served.digest != fake.digest


def test_an_adapter_trained_on_a_base_in_4_bits_is_merged_into_the_full_one(
    tiny_generator_folder, base, tmp_path
):
    pytest.importorskip("bitsandbytes")
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    from hybrid.adaptation.store import write_card
    from hybrid.adaptation.values import AdapterKind, Card, Data
    from hybrid.config import Method

    small = AutoModelForCausalLM.from_pretrained(
        tiny_generator_folder,
        quantization_config=BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4"),
    )
    model = get_peft_model(small, LoraConfig(r=4, target_modules=["q_proj", "up_proj"]))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    folder = tmp_path / "generator-001"
    model.save_pretrained(folder)
    card = Card(folder.name, AdapterKind.GENERATOR, "tiny", base.base_weights, Method.QLORA, Data("", "", {}))
    write_card(folder, card)
    served = base.adapted(folder)
    with torch.inference_mode():
        wanted = _wrapped(tiny_generator_folder, folder)(torch.arange(12)[None]).logits
    assert torch.allclose(_logits(served), wanted, atol=1e-4)
