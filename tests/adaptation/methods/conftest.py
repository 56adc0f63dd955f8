"""Tiny models of several families, built from configurations: what a method must fit, none of the weights."""

import shutil

import pytest


@pytest.fixture(scope="session")
def family(tiny_generator_folder, tiny_wide_generator_folder, tmp_path_factory):
    """Return the folder of a tiny model: family("gpt2"); two blocks, 32 wide, the tiny generator's words.

    "wide" is a llama of 64, whose rows are blocks of 4 bits.
    """
    made = {"llama": tiny_generator_folder, "wide": tiny_wide_generator_folder}

    def call(name):
        if name not in made:
            made[name] = _built(name, tmp_path_factory.mktemp(f"tiny-{name}"), tiny_generator_folder)
        return made[name]

    return call


def _built(name, folder, like):
    import torch
    import transformers
    from transformers import AutoConfig

    words = AutoConfig.from_pretrained(like)
    ends = {"bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id}
    usual = {"vocab_size": words.vocab_size, "initializer_range": 0.3, **ends}
    # two heads share one of keys and values
    grouped = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 256,
    }
    config, model = {
        "gpt2": lambda: (
            transformers.GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=256, **usual),
            transformers.GPT2LMHeadModel,
        ),
        "qwen3": lambda: (transformers.Qwen3Config(**grouped, **usual), transformers.Qwen3ForCausalLM),
        "gemma3": lambda: (
            transformers.Gemma3TextConfig(
                **grouped,
                **usual,
                query_pre_attn_scalar=8,
                sliding_window=24,
                layer_types=["sliding_attention", "full_attention"],
                tie_word_embeddings=True,
            ),
            transformers.Gemma3ForCausalLM,
        ),
    }[name]()
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model(config).save_pretrained(folder)
    for file in like.iterdir():
        if "token" in file.name or file.suffix == ".jinja":
            shutil.copy(file, folder)
    return folder
