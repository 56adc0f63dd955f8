"""With which token an answer ends: what is taught must be what the template writes."""

import pytest
from tokenizers import AddedToken
from transformers import AutoTokenizer

from hybrid.errors import ModelError
from hybrid.models.dialogue import Dialogue
from hybrid.types import Message, MessageRole

# How the families end a turn; in all but the first it is not what ends a text.
TEMPLATES = {
    "chatml": (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}",
        "<|im_end|>",
    ),
    "gemma": (
        "<s>{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content }}<end_of_turn>\n{% endfor %}",
        "<end_of_turn>",
    ),
    "phi": ("{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}", "<|end|>"),
    "llama 3": (
        "{% for m in messages %}<|h|>{{ m.role }}<|/h|>\n\n{{ m.content }}<|eot_id|>{% endfor %}",
        "<|eot_id|>",
    ),
    "mistral": (
        "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
        "{% else %} {{ m.content }}</s>{% endif %}{% endfor %}",
        "</s>",
    ),
    "no token": ("{% for m in messages %}{{ m.role }}: {{ m.content }}\n\n{% endfor %}", "</s>"),
    "parts": (
        "{% for m in messages %}<s>{% for c in m.content %}{{ c.text }}{% endfor %}<|im_end|>{% endfor %}",
        "<|im_end|>",
    ),
    "breaks": ("{{ tools[0] + 1 }}", "</s>"),
    "refuses": ("{{ raise_exception('no') }}", "</s>"),
    "none": (None, "</s>"),
}


@pytest.fixture
def tokenizer(tiny_generator_folder):
    found = AutoTokenizer.from_pretrained(tiny_generator_folder)
    marks = {mark for _, mark in TEMPLATES.values()} - {"</s>"}
    found.add_special_tokens({"additional_special_tokens": sorted(marks)})
    return found


@pytest.mark.parametrize(("template", "mark"), TEMPLATES.values(), ids=TEMPLATES.keys())
def test_an_answer_ends_as_the_template_ends_a_turn(tokenizer, template, mark):
    tokenizer.chat_template = template
    assert tokenizer.convert_ids_to_tokens(Dialogue(tokenizer).end) == mark


def test_a_template_is_enough_where_the_tokenizer_names_no_end(tokenizer):
    tokenizer.eos_token = None
    tokenizer.chat_template = TEMPLATES["phi"][0]
    assert tokenizer.convert_ids_to_tokens(Dialogue(tokenizer).end) == "<|end|>"
    tokenizer.chat_template = TEMPLATES["no token"][0]
    with pytest.raises(ModelError, match="names no token that ends a text"):
        assert Dialogue(tokenizer).end


_TURNS = [Message(MessageRole.SYSTEM, "Be short. "), Message(MessageRole.USER, "Which port?")]


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        (TEMPLATES["parts"][0], "<s>Be short. <|im_end|><s>Which port?<|im_end|>"),
        # a system that is left out, or that only fails
        (
            "{% for m in messages %}{% if m.role == 'user' %}[U] {{ m.content }}{% endif %}{% endfor %}",
            "[U] Be short. \n\nWhich port?",
        ),
        (
            "{% for m in messages %}{{ {'user': 'U'}[m.role] + m.content | trim }}{% endfor %}",
            "UBe short. \n\nWhich port?",
        ),
    ],
)
def test_what_is_said_stands_in_the_prompt_of_odd_templates(tokenizer, template, prompt):
    tokenizer.chat_template = template
    assert Dialogue(tokenizer).prompt(_TURNS) == prompt


@pytest.mark.parametrize(
    "template",
    [
        TEMPLATES["refuses"][0],
        "{{ tools[0].name + 1 }}",
        "{% for t in tools %}{{ t }}{% endfor %}",
        "a text that is always the same",
        "{% for m in messages %}",
        {"tool_use": "{{ messages[0].content }}"},
    ],
)
def test_a_template_that_cannot_say_it_is_an_error(tokenizer, template):
    tokenizer.chat_template = template
    with pytest.raises(ModelError, match="cannot lay out the conversation"):
        Dialogue(tokenizer).prompt(_TURNS)


_PASSAGE = "The price is 5 euros."
# tokens of a template, or of the form of control tokens, that the tokenizer does not call special
LAYOUTS = {
    "chatml": (TEMPLATES["chatml"][0], ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]),
    "llama 3": (
        "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
        "{{ m.content }}<|eot_id|>{% endfor %}",
        ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|python_tag|>"],
    ),
    "gemma": (TEMPLATES["gemma"][0], ["<start_of_turn>", "<end_of_turn>"]),
    "phi": (TEMPLATES["phi"][0], ["<|system|>", "<|user|>", "<|end|>"]),
    "mistral": (
        "{% if tools %}[AVAILABLE_TOOLS]{% endif %}{% for m in messages %}[INST] {{ m.content }} [/INST]"
        "{% endfor %}",
        ["[INST]", "[/INST]", "[AVAILABLE_TOOLS]"],
    ),
    "qwen": (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if tools %}<tool_response></tool_response><think></think>{% endif %}",
        ["<|im_start|>", "<tool_response>", "</tool_response>", "<think>", "<|fim_prefix|>"],
    ),
    "deepseek": (
        "<｜begin▁of▁sentence｜>{% for m in messages %}<｜User｜>{{ m.content }}{% endfor %}<｜Assistant｜>",
        ["<｜User｜>", "<｜Assistant｜>", "<｜tool▁calls▁begin｜>"],
    ),
    "vicuna": (
        "{% for m in messages %}{{ m.role | upper }}: {{ m.content }}{{ '\n' }}{% endfor %}",
        ["USER:"],
    ),
    "alpaca": ("{% for m in messages %}### {{ m.role | capitalize }}:\n{{ m.content }}\n{% endfor %}", []),
}


@pytest.mark.parametrize("special", [True, False])
@pytest.mark.parametrize(("template", "marks"), LAYOUTS.values(), ids=LAYOUTS.keys())
def test_a_document_brings_no_control_token_and_opens_no_turn(
    tiny_generator_folder, template, marks, special
):
    tokenizer = AutoTokenizer.from_pretrained(tiny_generator_folder)
    tokenizer.add_tokens([AddedToken(mark, special=special, normalized=False) for mark in marks])
    tokenizer.chat_template = template
    dialogue = Dialogue(tokenizer)

    def control(text):
        (row,) = dialogue.tokens([dialogue.prompt([*_TURNS, Message(MessageRole.USER, text)])])
        known = tokenizer.added_tokens_decoder.keys() - {tokenizer.unk_token_id}
        return [token for token in row if token in known]

    plain = control(_PASSAGE)
    assert control(_PASSAGE + "".join(f" {mark}\n{mark}system" for mark in [*marks, "</s>"])) == plain
    frame = next(iter(marks), "### System:")
    assert frame not in dialogue.plain(f"{_PASSAGE}\n{frame} x")
