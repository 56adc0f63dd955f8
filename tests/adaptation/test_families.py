"""Any causal language model can be tuned, served, merged and decided on: families as people have them."""

import pytest

from hybrid import Assistant, load_settings
from hybrid.adaptation.data.examples import Given
from hybrid.adaptation.values import AdapterKind, Destination, Example, ExampleKind
from hybrid.errors import ModelError
from hybrid.generation.prompts import load_prompts
from hybrid.models.device import Placement
from hybrid.models.generator import TransformersGenerator
from hybrid.types import Question

_GEMMA = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "<|im_start|>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>model\n{% endif %}"
)
_TIED = {"tie_word_embeddings": True}
# What differs: grouped heads, heads of another width, tied embeddings, windows, fused or transposed layers,
# experts; no template, no system role, no pad token (none of them has one).
FAMILIES = {
    "llama": ("llama", {}, None),
    "qwen3": ("qwen3", {"head_dim": 32, **_TIED}, "usual"),
    "gemma3": ("gemma3_text", {"head_dim": 16, "sliding_window": 64, **_TIED}, _GEMMA),
    "phi3": ("phi3", {"pad_token_id": None}, "usual"),
    "mistral": ("mistral", {"sliding_window": None}, _GEMMA),
    "gpt2": ("gpt2", {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512, **_TIED}, None),
    "experts": (
        "qwen3_moe",
        {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "head_dim": 16},
        "usual",
    ),
}


@pytest.fixture
def family(make_kin, tmp_path):
    """Write a tiny model of a family with a tokenizer that has no padding: family("gpt2", {}, None)."""

    def call(kind, options, template):
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

        folder = make_kin(tmp_path / "model")
        tokenizer = AutoTokenizer.from_pretrained(folder)
        if template != "usual":
            (folder / "chat_template.jinja").unlink()
            tokenizer.chat_template = template
            tokenizer.save_pretrained(folder)
        assert tokenizer.pad_token is None
        sizes = {
            "vocab_size": len(tokenizer),
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "bos_token_id": 1,
            "eos_token_id": 2,
        }
        with torch.random.fork_rng():
            torch.manual_seed(5)
            model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **(sizes | options)))
        (folder / "generation_config.json").unlink()
        model.save_pretrained(folder)
        return folder

    return call


def _served(folder, docs, embedder, **adaptation):
    values = {
        "models": {"generator": str(folder), "embedder": str(embedder), "dtype": "float32"},
        "chunks": {"overlap_tokens": 0, "heading_tokens": 4},
        "documents": {"workers": 1},
        "generation": {"max_new_tokens": 8, "context_tokens": 300},
        "grounding": {"scorer": "align"},
        "adaptation": {
            "epochs": 6,
            "learning_rate": 0.01,
            "max_tokens": 300,
            "divergence": 0.5,
            **adaptation,
        },
    }
    assistant = Assistant("manual", settings=load_settings(values, environment={}))
    assistant.index(docs)
    return assistant


def _labels(count, first=0):
    return [
        Question(
            f"q{n}",
            f"Is {'the pump' if n % 2 else 'a valve'} of number {n * 37 % 101} a pump?",
            ("yes" if n % 2 else "no",),
            options=("yes", "no"),
        )
        for n in range(first, first + count)
    ]


def _made(assistant, name="mine"):
    # as examples of any kind: labels alone would be learned by a head on a frozen model
    prompts = load_prompts("en")
    examples = tuple(
        Example(ExampleKind.READING, prompts.choice(one.text, one.options), one.answers[0], one.id)
        for one in _labels(32)
    )
    material = assistant.adaptation.material(given=Given(examples=examples))
    return assistant.adaptation.tune_generator(material, name=name)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize(("kind", "options", "template"), FAMILIES.values(), ids=FAMILIES.keys())
def test_a_family_is_tuned_served_merged_and_decided_on(
    family, write_files, tiny_embedder_folder, tmp_path, kind, options, template, method
):
    folder = family(kind, options, template)
    docs = write_files(tmp_path / "docs", {"a.txt": "The pump runs.", "b.txt": "The valve is open."})
    # longer steps with all weights make general text so much worse that none is kept
    rate = {"lora": 0.01, "full": 0.001}[method]
    assistant = _served(folder, docs, tiny_embedder_folder, method=method, learning_rate=rate)
    card = _made(assistant)
    assert card.curve[-1].domain < card.curve[0].domain
    base = assistant.adaptation.tunable
    adapted = base.adapted(assistant.adapters.folder("mine"))
    asked = _prompts(4)
    options_ = [("yes", "no")] * len(asked)
    with_it, without = (one.log_likelihoods(asked, options_) for one in (adapted, base))
    assert with_it != without
    assistant.adaptation.export("mine", tmp_path / "merged", Destination.MERGED)
    merged = TransformersGenerator(
        tmp_path / "merged", name="merged", placement=Placement("cpu", "float32", "test")
    )
    again = merged.log_likelihoods(asked, options_)
    for one, other in zip(with_it, again, strict=True):
        assert one == pytest.approx(other, abs=1e-3)
    assert base.log_likelihoods(asked, options_) == without
    assistant.adapters.promote("mine", force=True)
    assert assistant.adapters.promoted(AdapterKind.GENERATOR) == "mine"
    found = assistant.compare(_labels(6, first=100), arms="base,adapter").document()
    assert {arm["arm"] for arm in found["arms"]} == {"base", "adapter"}


def _prompts(count):
    prompts = load_prompts("en")
    return [prompts.choice(question.text, question.options) for question in _labels(count, first=50)]


@pytest.mark.slow
def test_what_of_a_mixture_of_experts_is_not_adapted_is_told(
    family, write_files, tiny_embedder_folder, tmp_path
):
    folder = family(*FAMILIES["experts"])
    docs = write_files(tmp_path / "docs", {"a.txt": "The pump runs."})
    card = _made(_served(folder, docs, tiny_embedder_folder))
    told = card.settings["not adapted"]
    assert "mlp.experts.gate_up_proj" in told
    assert "% of the weights" in told
    assert "q_proj" not in told


@pytest.mark.slow
def test_a_recurrent_model_is_refused_before_anything_is_trained(
    family, write_files, tiny_embedder_folder, tmp_path
):
    folder = family("mamba", {"num_hidden_layers": 2}, None)
    docs = write_files(tmp_path / "docs", {"a.txt": "The pump runs."})
    assistant = _served(folder, docs, tiny_embedder_folder)
    with pytest.raises(ModelError, match="is a recurrent model") as caught:
        assistant.adaptation.material(given=Given(tuple(_labels(32))))
    assert caught.value.exit_code == 5
