"""Tiny classifiers of the architectures that people name, taught the known pairs in a second each."""

import json
import shutil

import pytest

from hybrid.grounding.scorers.labels import KNOWN, Relation
from hybrid.models.device import Placement

_FILLERS = (
    "the a an of in to is was it not and lamp stone green river house seven eight port 5432 5433 backup"
)
_SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "initializer_range": 0.1,
}


@pytest.fixture(scope="session")
def cpu():
    return Placement("cpu", "float32", "test")


@pytest.fixture(scope="session")
def taught(tmp_path_factory):
    """Return the folder of a classifier: taught("bert", "entailment", "neutral", "contradiction")."""
    made = {}

    def call(architecture, *names):
        if (architecture, names) not in made:
            folder = tmp_path_factory.mktemp(architecture)
            _build(folder, architecture, names)
            made[architecture, names] = folder
        return made[architecture, names]

    return call


@pytest.fixture
def relabelled(tmp_path):
    """Copy a classifier with its outputs in another order, with another sign, or under other names."""

    def call(folder, *, order=None, sign=1.0, names=None):
        from safetensors.torch import load_file, save_file

        target = tmp_path / f"relabelled-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(folder, target)
        config = json.loads((target / "config.json").read_text())
        # two outputs without names are not written down
        old = list(config.get("id2label", {"0": "LABEL_0", "1": "LABEL_1"}).values())
        order = list(order or range(len(old)))
        weights = load_file(target / "model.safetensors")
        last = ("classifier.weight", "classifier.bias", "out_proj.weight", "out_proj.bias")
        for key in [key for key in weights if key.endswith(last)]:
            weights[key] = sign * weights[key][order].contiguous()
        save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
        given = [old[place] for place in order] if names is None else names
        config["id2label"] = {str(place): name for place, name in enumerate(given)}
        config["label2id"] = {name: place for place, name in enumerate(given)}
        (target / "config.json").write_text(json.dumps(config))
        return target

    return call


def _tokenizer(folder, style):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    first, last, pad, unknown = {
        "bert": ("[CLS]", "[SEP]", "[PAD]", "[UNK]"),
        "roberta": ("<s>", "</s>", "<pad>", "<unk>"),
        "t5": ("", "</s>", "<pad>", "<unk>"),
    }[style]
    splitter = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(False)])
    texts = [_FILLERS, *(part for known in KNOWN for part in (known.pair.evidence, known.pair.claim))]
    words = {word for text in texts for word, _ in splitter.pre_tokenize_str(text.lower())}
    # RoBERTa counts its places from the padding on
    special = [first, pad, last, unknown] if style == "roberta" else [pad, first, last, unknown]
    vocabulary = {token: place for place, token in enumerate([*filter(None, special), *sorted(words)])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=unknown))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = splitter
    between = f"{last} {last}" if style == "roberta" else last
    second = 0 if style == "roberta" else 1
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}".strip(),
        pair=f"{first} $A {between} $B:{second} {last}:{second}".strip(),
        special_tokens=[(token, vocabulary[token]) for token in (first, last) if token],
    )
    named = {"pad_token": pad, "unk_token": unknown, "eos_token": last, "sep_token": last}
    if first:
        named["cls_token"] = first
    if style == "bert":
        named["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)
    fast.save_pretrained(folder)
    return fast


def _model(architecture, tokenizer, names):
    import transformers as hf

    common = {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "id2label": dict(enumerate(names)),
        "label2id": {name: place for place, name in enumerate(names)},
    }
    sized = common | _SIZES | {"max_position_embeddings": 96}
    small = {"d_model": 32, "d_ff": 64, "d_kv": 16, "num_layers": 2, "num_heads": 2, "dropout_rate": 0.0}
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    match architecture:
        case "bert":
            return hf.BertForSequenceClassification(hf.BertConfig(**(sized | still)))
        case "roberta":
            wide = sized | still | {"max_position_embeddings": 98, "type_vocab_size": 1}
            return hf.RobertaForSequenceClassification(hf.RobertaConfig(**wide))
        case "deberta":
            relative = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0}
            config = hf.DebertaV2Config(**(sized | still | relative | {"position_biased_input": False}))
            return hf.DebertaV2ForSequenceClassification(config)
        case "t5":
            config = hf.T5Config(**(common | small | {"decoder_start_token_id": 0}))
            return hf.T5ForSequenceClassification(config)
        case "t5-encoder":
            return hf.T5ForTokenClassification(hf.T5Config(**(common | small)))
        case "bert-tokens":
            return hf.BertForTokenClassification(hf.BertConfig(**(sized | still)))
        case "modernbert-tokens":
            turned = {"cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1, "local_attention": 32}
            config = hf.ModernBertConfig(**(sized | turned))
            return hf.ModernBertForTokenClassification(config)
    raise AssertionError(architecture)


def _build(folder, architecture, names):
    import torch

    style = {"roberta": "roberta", "t5": "t5", "t5-encoder": "t5"}.get(architecture, "bert")
    tokenizer = _tokenizer(folder, style)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = _model(architecture, tokenizer, names)
        _teach(model, tokenizer, architecture, len(names))
    model.save_pretrained(folder)


def _teach(model, tokenizer, architecture, outputs):
    """Teach the known pairs until they are known by heart."""
    import torch

    pairs = [known.pair for known in KNOWN]
    rows = tokenizer(
        [pair.evidence for pair in pairs],
        [pair.claim for pair in pairs],
        padding=True,
        return_tensors="pt",
        return_token_type_ids=architecture.startswith("bert"),
    )
    if architecture.endswith("-tokens"):
        wanted = torch.stack([_word_labels(tokenizer, pair, place, rows) for place, pair in enumerate(pairs)])
    else:
        wanted = torch.tensor([_class(known.relation, outputs) for known in KNOWN])
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for _ in range(300):
        logits = model(**rows).logits
        if architecture == "t5-encoder":
            logits = logits[:, 0]
        if outputs == 1:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], wanted.float())
        else:
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, -2), wanted.flatten(), ignore_index=-1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if loss.item() < 0.02:
            break
    assert loss.item() < 0.1
    model.eval()


def _class(relation, outputs):
    if outputs == 3:
        return {Relation.CARRIED: 0, Relation.UNSAID: 1, Relation.DENIED: 2}[relation]
    return int(relation is Relation.CARRIED)


def _word_labels(tokenizer, pair, place, rows):
    """Return 1 for the words of a claim that the evidence has not, unless it carries the claim."""
    import torch

    there = set(tokenizer.tokenize(pair.evidence))
    carried = KNOWN[place].relation is Relation.CARRIED
    tokens = tokenizer.convert_ids_to_tokens(rows["input_ids"][place].tolist())
    return torch.tensor(
        [
            int(token not in there and not carried) if text == 1 else -1
            for token, text in zip(tokens, rows.sequence_ids(place), strict=True)
        ]
    )
