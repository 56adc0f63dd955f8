"""What every test gets: no network, no settings from outside, a cache of its own, tiny models."""

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

# read when the libraries are imported, so before any test
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "tests",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.register_profile(
    "explore", parent=hypothesis.settings.get_profile("tests"), derandomize=False
)
# laws are looked at in fewer places by who waits for the result; the whole suite looks at all
hypothesis.settings.register_profile("fast", parent=hypothesis.settings.get_profile("tests"), max_examples=25)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))

_LOOPBACK = ("127.", "::1", "localhost")


@pytest.fixture(scope="session")
def own_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def isolated(request, monkeypatch, own_cache, tmp_path):
    """Run below a folder of its own, without settings from the environment, offline."""
    for name in [name for name in os.environ if name.startswith("HYBRID_")]:
        # the real models keep the user's cache: converting one takes longer than all other tests
        if not (name == "HYBRID_CACHE" and request.node.get_closest_marker("real_model")):
            monkeypatch.delenv(name)
    if not request.node.get_closest_marker("real_model"):
        monkeypatch.setenv("HYBRID_CACHE", str(own_cache))
        # the default judge reads with real weights; this one takes whatever embedder a test has
        monkeypatch.setenv("HYBRID_GROUNDING__SCORER", "align")
    # nor the user's own settings
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket.socket, "connect", _guarded(socket.socket.connect))
    monkeypatch.setattr(socket.socket, "connect_ex", _guarded(socket.socket.connect_ex))


def _guarded(connect):
    def call(self, address):
        if self.family != getattr(socket, "AF_UNIX", None) and not str(address[0]).startswith(_LOOPBACK):
            pytest.fail(f"a test may not reach the network: {address}")
        return connect(self, address)

    return call


@pytest.fixture
def write_files():
    """Write a folder: write_files(folder, {"a/b.txt": "text"}) -> folder."""

    def call(folder, texts):
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return folder

    return call


@pytest.fixture
def within():
    """Say how many CPU seconds a stretch may take: with within(2): read("1-" * 50_000)."""

    @contextlib.contextmanager
    def call(seconds):
        begun = time.process_time()
        yield
        assert time.process_time() - begun < seconds

    return call


@pytest.fixture
def other_embedder():
    """A fake whose fingerprint names other weights than the usual one of 16 dimensions."""
    import dataclasses

    from hybrid.testing import HashEmbedder

    class OtherEmbedder(HashEmbedder):
        @property
        def fingerprint(self):
            return dataclasses.replace(super().fingerprint, name="fake/other", weights="others")

    return OtherEmbedder(16)


# --- tiny random models: as many as Hugging Face has by name, none of the weights ------------------

_LETTERS = [chr(code) for code in range(33, 127)]


def _character_tokenizer(folder, **special):
    """Save a fast WordPiece tokenizer that knows every ASCII character, alone and inside a word."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["the", "port", "server", "default", "is", "a", "of", "and", "to", "in"]
    tokens = [*special.values(), *_LETTERS, *(f"##{letter}" for letter in _LETTERS), *words]
    vocabulary = {token: place for place, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token=special["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if "cls_token" in special:
        first, last = special["cls_token"], special["sep_token"]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first} $A {last}",
            pair=f"{first} $A {last} $B:1 {last}:1",
            special_tokens=[(first, vocabulary[first]), (last, vocabulary[last])],
        )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    fast.save_pretrained(folder)
    return fast, vocabulary


def _bert_config(vocabulary, **options):
    from transformers import BertConfig

    return BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=96,
        pad_token_id=0,
        **options,
    )


_BERT = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}


@pytest.fixture(scope="session")
def tiny_embedder_folder(tmp_path_factory):
    """A sentence-transformers folder: two layers of BERT, 32 dimensions, prompts of its own."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertModel

    folder = tmp_path_factory.mktemp("tiny-embedder")
    torch.manual_seed(1)
    raw = folder / "raw"
    _, vocabulary = _character_tokenizer(raw, **_BERT)
    BertModel(_bert_config(vocabulary)).save_pretrained(raw)
    transformer = Transformer(str(raw), max_seq_length=48)
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    model = SentenceTransformer(
        modules=[transformer, pooling], device="cpu", prompts={"query": "query: ", "document": "text: "}
    )
    model.save_pretrained(str(folder / "model"))
    return folder / "model"


@pytest.fixture(scope="session")
def tiny_reranker_folder(tmp_path_factory):
    """A cross-encoder folder with one output."""
    return _cross_encoder(tmp_path_factory.mktemp("tiny-reranker"), labels=1)


@pytest.fixture(scope="session")
def tiny_classifier_folder(tmp_path_factory):
    """A cross-encoder folder with three outputs, which is no reranker."""
    return _cross_encoder(tmp_path_factory.mktemp("tiny-classifier"), labels=3)


def _cross_encoder(folder, *, labels):
    import torch
    from transformers import BertForSequenceClassification

    torch.manual_seed(2)
    _, vocabulary = _character_tokenizer(folder, **_BERT)
    BertForSequenceClassification(_bert_config(vocabulary, num_labels=labels)).save_pretrained(folder)
    return folder


_TEMPLATE = (
    "{% for message in messages %}<s>{{ message.role }}: {{ message.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant: {% endif %}"
)


@pytest.fixture(scope="session")
def tiny_generator_folder(tmp_path_factory):
    """A causal language model folder: two layers of Llama with a chat template, 256 tokens of context."""
    return _causal_model(tmp_path_factory.mktemp("tiny-generator"), template=_TEMPLATE)


@pytest.fixture(scope="session")
def tiny_plain_generator_folder(tmp_path_factory):
    """The same without a chat template, as a base model is."""
    return _causal_model(tmp_path_factory.mktemp("tiny-plain-generator"), template=None)


@pytest.fixture(scope="session")
def tiny_wide_generator_folder(tmp_path_factory):
    """The same with rows of 64 weights, which is a block of a quantised model."""
    return _causal_model(tmp_path_factory.mktemp("tiny-wide-generator"), template=_TEMPLATE, width=64)


def _causal_model(folder: Path, *, template, width=32):
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    fast, vocabulary = _character_tokenizer(folder, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    fast.chat_template = template
    fast.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=vocabulary["<s>"],
        eos_token_id=vocabulary["</s>"],
        initializer_range=0.3,  # large enough that greedy decoding has no near-ties
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


# what a chat of a house looks like: turns between marks, and a system message where none is given
_CHAT = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nBe brief.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="session")
def make_kin():
    """Write a tiny model of Llama's kin with a trained BPE tokenizer: make_kin(folder, "Qwen3")."""

    def call(folder, family="Llama", *, cut=None, template=_CHAT, fallback=False, **options):
        import tokenizers as t
        import torch
        import transformers

        special = ["<unk>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"]
        pieces = [f"<0x{byte:02X}>" for byte in range(256)] if fallback else []
        tokenizer = t.Tokenizer(t.models.BPE(unk_token="<unk>", byte_fallback=fallback))
        if fallback:
            tokenizer.normalizer = t.normalizers.Sequence(
                [t.normalizers.Prepend("▁"), t.normalizers.Replace(" ", "▁")]
            )
            alphabet = []
        else:
            tokenizer.pre_tokenizer = cut or t.pre_tokenizers.ByteLevel(add_prefix_space=False)
            alphabet = t.pre_tokenizers.ByteLevel.alphabet()
        trainer = t.trainers.BpeTrainer(
            vocab_size=700, special_tokens=special + pieces, initial_alphabet=alphabet, show_progress=False
        )
        texts = [path.read_text() for path in sorted(Path(__file__).parent.glob("test_*.py"))[:6]]
        tokenizer.train_from_iterator(texts, trainer)
        if fallback:
            tokenizer.decoder = t.decoders.Sequence(
                [t.decoders.Replace("▁", " "), t.decoders.ByteFallback(), t.decoders.Fuse()]
            )
        else:
            tokenizer.decoder = t.decoders.ByteLevel()
        fast = transformers.PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<|im_start|>", eos_token="<|im_end|>"
        )
        fast.chat_template = template
        fast.save_pretrained(folder)
        config = getattr(transformers, f"{family}Config")(
            **{
                "vocab_size": len(fast),
                "hidden_size": 64,
                "intermediate_size": 96,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "max_position_embeddings": 512,
                "bos_token_id": 1,
                "eos_token_id": 2,
                "initializer_range": 0.2,
                **options,
            }
        )
        with torch.random.fork_rng():
            torch.manual_seed(4)
            model = getattr(transformers, f"{family}ForCausalLM")(config)
            # zeros would hide where a bias went
            for name, parameter in model.named_parameters():
                if name.endswith(".bias"):
                    torch.nn.init.normal_(parameter, std=0.2)
        model.save_pretrained(folder)
        return folder

    return call


@pytest.fixture(scope="session")
def tiny_kin_folder(make_kin, tmp_path_factory):
    """A tiny model of Llama's kin, which can be written as GGUF.

    It ends with <|endoftext|> too: llama.cpp takes a token of that name for an end, whatever the model says.
    """
    return make_kin(tmp_path_factory.mktemp("kin") / "kin", eos_token_id=[2, 3])


@pytest.fixture(scope="session")
def kin_adapter(tiny_kin_folder, make_adapter, tmp_path_factory):
    """An adapter of rank 4 on it."""
    return make_adapter(tiny_kin_folder, tmp_path_factory.mktemp("adapters") / "kin")


@pytest.fixture(scope="session")
def in_engine(tiny_kin_folder):
    """Load the tiny model by an engine: in_engine("openvino"); skips where that is not installed."""
    module = {"openvino": "openvino_genai", "llamacpp": "xllamacpp"}

    def call(engine, precision="f16", folder=tiny_kin_folder):
        pytest.importorskip(module[engine], reason=f"the extra {engine} is not installed")
        from hybrid.config import Engine
        from hybrid.models.device import Placement
        from hybrid.models.engines import EngineGenerator
        from hybrid.models.generator import TransformersGenerator
        from hybrid.models.gguf import Precision

        placement = Placement("cpu", "float32", "test")
        own = functools.cache(lambda: TransformersGenerator(folder, name="kin", placement=placement))
        return EngineGenerator(
            folder, name="kin", engine=Engine(engine), precision=Precision(precision), torch=own
        )

    return call


# --- tiny adapters: real ones of PEFT, with random weights that do something ------------------------


@pytest.fixture(scope="session")
def make_adapter():
    """Write an adapter: make_adapter(base, folder, seed=1, use_dora=True) -> folder, with its card."""

    def call(base, folder, *, seed=1, size=0.3, base_name="tiny", kind="generator", **options):
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModel, AutoModelForCausalLM

        from hybrid.adaptation.store import write_card
        from hybrid.adaptation.values import AdapterKind, Card, Data
        from hybrid.config import Method, Reader
        from hybrid.models.resolve import weights_digest

        generates = kind == "generator"
        loader = AutoModelForCausalLM if generates else AutoModel
        targets = ["q_proj", "v_proj", "down_proj"] if generates else ["query", "value", "dense"]
        given = {"r": 4, "lora_alpha": 8, "target_modules": targets} | options
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = get_peft_model(loader.from_pretrained(base), LoraConfig(**given))
            for name, parameter in model.named_parameters():
                if any(part in name for part in ("lora_B", "lora_embedding_A", "trainable_tokens_delta")):
                    torch.nn.init.normal_(parameter, std=size)
        model.save_pretrained(str(folder))
        card = Card(
            name=folder.name,
            kind=AdapterKind(kind),
            base=base_name,
            base_digest=weights_digest(base),
            method=Method.LORA,
            data=Data("0" * 64, "CC0-1.0", {"instruction": 8}),
            reader=Reader.QUOTING if generates else None,
            seconds=90.0,
            weights=weights_digest(folder),
        )
        write_card(folder, card)
        return folder

    return call


@pytest.fixture
def keep_adapter(tmp_path):
    """Put a card with weights that nobody reads into a domain: keep_adapter(domain, "generator-001")."""

    def call(domain, name, *, promote=True, kind="generator", **values):
        import numpy as np
        from safetensors.numpy import save_file

        from hybrid.adaptation.store import AdapterStore
        from hybrid.adaptation.values import AdapterKind, Card, Data
        from hybrid.config import Method

        built = tmp_path / "built"
        built.mkdir()
        save_file({"one": np.full(4, len(name), np.float32)}, built / "adapter_model.safetensors")
        given = {"base": "fake", "base_digest": "b" * 64, "method": Method.LORA} | values
        card = Card(name, AdapterKind(kind), data=Data("0" * 64, "CC0-1.0", {}), **given)
        store = AdapterStore(domain)
        card = store.add(name, built, card)
        if promote:
            store.promote(name, force=True)
        return card

    return call


@pytest.fixture(scope="session")
def tiny_adapter_folder(tiny_generator_folder, make_adapter, tmp_path_factory):
    """An adapter of rank 4 on the tiny generator."""
    return make_adapter(tiny_generator_folder, tmp_path_factory.mktemp("adapters") / "first")


@pytest.fixture(scope="session")
def other_adapter_folder(tiny_generator_folder, make_adapter, tmp_path_factory):
    """Another one, of rank 2 with rsLoRA."""
    return make_adapter(
        tiny_generator_folder, tmp_path_factory.mktemp("adapters") / "second", seed=2, r=2, use_rslora=True
    )


@pytest.fixture(scope="session")
def tiny_embedder_adapter_folder(tiny_embedder_folder, make_adapter, tmp_path_factory):
    """An adapter of rank 4 on the transformer inside the tiny embedder."""
    folder = tmp_path_factory.mktemp("adapters") / "embedder"
    return make_adapter(tiny_embedder_folder, folder, kind="embedder")


@pytest.fixture
def retriever_over(tmp_path, write_files):
    """Index pages: retriever_over({"a.md": "# A"}) -> a retriever of three hits."""
    from hybrid.config import ChunkSettings, DocumentSettings, RetrievalSettings
    from hybrid.index import Index
    from hybrid.ingestion import Ingestor
    from hybrid.retrieval import Retriever
    from hybrid.testing import HashEmbedder

    opened = []

    def call(pages):
        embedder = HashEmbedder(64, max_tokens=64)
        domain = tmp_path / "indexes" / "docs"
        chunks = ChunkSettings(overlap_tokens=0)
        Ingestor(domain, embedder, DocumentSettings(), chunks).ingest(write_files(tmp_path / "docs", pages))
        opened.append(Index.open(domain))
        return Retriever(opened[-1], embedder, RetrievalSettings(k=3))

    yield call
    for index in opened:
        index.close()


@pytest.fixture
def written_until_killed(tmp_path):
    """Run a script in two processes, each with a place and a name, kill both; return what they told."""

    def call(script, where, *, told_bytes):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        told = [tmp_path / f"{name}.out" for name in "ab"]
        writers = []
        for out in told:
            with out.open("wb") as stream:
                command = [sys.executable, "-c", script, str(where), out.stem]
                writers.append(subprocess.Popen(command, stdout=stream, env=environment))
        try:
            while any(out.stat().st_size < told_bytes for out in told):
                assert all(writer.poll() is None for writer in writers)
                time.sleep(0.02)
        finally:
            for writer in writers:
                writer.send_signal(signal.SIGKILL)
                writer.wait()
        return told

    return call


@pytest.fixture
def scripted_judge(monkeypatch):
    """Questions, pairs and rewards of the judge, for which the tiny model could not write answers."""
    from hybrid.adaptation.methods import preferences as rlaif
    from hybrid.adaptation.values import Example, ExampleKind, PreferencePair
    from hybrid.types import Message, MessageRole

    def prompt(n):
        return (Message(MessageRole.USER, f"which port has server {n}"),)

    examples = [Example(ExampleKind.READING, prompt(n), "x", f"s{n}") for n in range(12)]
    pairs = [PreferencePair(prompt(n), "a port", "a server", f"s{n}", "judged") for n in range(12)]
    looks = iter([0.2, 0.6, 0.4])
    monkeypatch.setattr("hybrid.adaptation.workshop.reading_questions", lambda *_, **__: examples)
    monkeypatch.setattr(rlaif, "judged_pairs", lambda *_, **__: pairs)
    monkeypatch.setattr(rlaif, "rewards", lambda grounder, asked, texts: [next(looks)] * len(asked))
