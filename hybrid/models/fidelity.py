"""Does an engine say what the model says? A GGUF file in llama.cpp against torch, token by token."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx2

from hybrid.errors import ModelError
from hybrid.models.dialogue import in_loop
from hybrid.models.generator import TransformersGenerator
from hybrid.models.gguf import Source, read_back
from hybrid.types import Message, MessageRole

# Asked where nobody gives prompts: prose, numbers, code, another script.
PROBES = (
    "What is a lathe?",
    "Write a sentence about the sea in winter.",
    "What is 17 plus 25? Answer with a number.",
    "List three colours, one a line.",
    "Translate to French: the house is small.",
    "Write a Python function that returns the square of x.",
    "Is the Volga (Волга) a river or a mountain?",
    "In 1969, what happened on the 20th of July?",
)
_NEW_TOKENS = 24
_LIKELIEST = 5
# Of the greedy tokens of an unquantised file at least so many are those of torch; of Q8_0 somewhat less.
_LEAST = 0.9
# Q8_0 rounds to 1/127 of a block's largest weight, F16 to 1/2048 of each.
_ROUNDED = 0.01


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How far a file says what the model says; ``check`` is how that was found out.

    Args:
        check: what was compared, in words.
        prompts: how many were asked.
        agreement: the share of places where the likeliest token is the same; 1 where only tensors were read.
        texts: how many answers are the same text.
        typical: the median difference of the logarithms of the likeliest tokens, in nats.
        largest: the largest of them.
    """

    check: str
    prompts: int = 0
    agreement: float = 1.0
    texts: int = 0
    typical: float = 0.0
    largest: float = 0.0

    @property
    def told(self) -> str:
        """Return it in one line."""
        if not self.prompts:
            return self.check
        return (
            f"{self.check}: {self.agreement:.1%} of the likeliest tokens and {self.texts} of {self.prompts} "
            f"texts alike, logarithms {self.typical:.3f} nats apart (median), {self.largest:.3f} at the most"
        )


def prove(
    generator: TransformersGenerator,
    source: Source,
    file: Path,
    *,
    adapter: Path | None = None,
    prompts: Sequence[str] = PROBES,
    new_tokens: int = _NEW_TOKENS,
) -> Fidelity:
    """Compare a file with the model that it was written from, by llama.cpp where it is installed.

    Args:
        generator: the model as the file is to speak, with its adapter.
        source: what the file was written from.
        file: in GGUF.
        adapter: a LoRA file that is loaded beside it.
        prompts: what to ask.
        new_tokens: of each answer, at the most.

    Raises:
        ModelError: the file speaks otherwise; it says how.
    """
    if find_spec("xllamacpp") is None:
        off = read_back(source, file)
        if off > _ROUNDED:
            raise ModelError(
                f"{file} holds other tensors than the model: off by {off:.2%}", hint="write it again"
            )
        return Fidelity(
            f"tensors read back, within {off:.2%} of the largest weight; the text was not compared "
            "(pip install 'hybrid-assistant[llamacpp]')"
        )
    with _serving(file, adapter) as ask:
        found = _compared(generator, ask, prompts, new_tokens)
    if found.agreement < _LEAST:
        raise ModelError(
            f"{file.name} in llama.cpp speaks otherwise than the model: {found.told}",
            hint="write it with --precision f16 or f32; if it still does, serve it merged (--for merged)",
        )
    return found


class _AskedServer:
    """The server of llama.cpp inside this process."""

    def __init__(self, url: str, client: httpx2.Client) -> None:
        self._url, self._client = url, client

    def __call__(self, path: str, **body: Any) -> dict[str, Any]:
        response = self._client.post(self._url + path, json=body)
        if response.is_error:
            raise ModelError(f"llama.cpp refuses {path}: {response.text[:200]}")
        answer: dict[str, Any] = response.json()
        return answer


@contextlib.contextmanager
def _serving(file: Path, adapter: Path | None) -> Iterator[_AskedServer]:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel = str(file), 1024, 1
    params.warmup, params.verbosity = False, -1
    if adapter is not None:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
    try:
        server = xllamacpp.Server(params)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"llama.cpp cannot read {file}: {error}") from error
    try:
        # this machine alone is asked
        with httpx2.Client(timeout=600, trust_env=False) as client:
            yield _AskedServer(server.listening_address, client)
    finally:
        del server


def _compared(
    generator: TransformersGenerator, ask: _AskedServer, prompts: Sequence[str], new_tokens: int
) -> Fidelity:
    import numpy as np

    alike, apart, texts = list[bool](), list[float](), 0
    answers = generator.generate([_turns(prompt) for prompt in prompts], max_new_tokens=new_tokens)
    for prompt, answer in zip(prompts, answers, strict=True):
        rendered = generator.dialogue.prompt(_turns(prompt))
        ids = generator.dialogue.tokens([rendered])[0]
        _require_same_prompt(ask, generator, prompt, rendered, ids)
        asked = {"n_predict": new_tokens, "temperature": 0, "n_probs": _LIKELIEST, "return_tokens": True}
        said = ask("/completion", prompt=ids, **asked)
        tokens, steps = said["tokens"], said["completion_probabilities"]
        own = last_logarithms(generator, [*ids, *tokens[:-1]], len(tokens))
        alike += [int(logs.argmax()) == token for token, logs in zip(tokens, own, strict=True)]
        # it tells none of a token that is only part of a letter
        for step, logs in zip(steps, own, strict=True) if len(steps) == len(tokens) else ():
            apart += [abs(float(logs[top["id"]]) - top["logprob"]) for top in step["top_logprobs"]]
        text = said["content"].strip()
        # the generator here ends what repeats itself, an engine does not
        texts += text == answer.text or (in_loop(tokens) and text.startswith(answer.text))
    return Fidelity(
        "compared in llama.cpp",
        len(prompts),
        float(np.mean(alike or [True])),
        texts,
        float(np.median(apart or [0.0])),
        float(np.max(apart or [0.0])),
    )


def _require_same_prompt(
    ask: _AskedServer, generator: TransformersGenerator, prompt: str, rendered: str, ids: Sequence[int]
) -> None:
    """Refuse a file whose template or tokenizer make other tokens of a conversation."""
    chat = generator.dialogue.tokenizer.chat_template is not None
    if chat:
        rendered = ask("/apply-template", messages=[{"role": "user", "content": prompt}])["prompt"]
    tokens = ask("/tokenize", content=rendered, add_special=chat, parse_special=True)["tokens"]
    if list(ids) != tokens:
        place = next((n for n, pair in enumerate(zip(ids, tokens, strict=False)) if pair[0] != pair[1]), 0)
        raise ModelError(
            f"llama.cpp makes other tokens of {prompt!r}: at {place + 1} it has {tokens[place : place + 4]}, "
            f"expected {list(ids[place : place + 4])}",
            hint="its tokenizer or template cannot be told in GGUF: serve it merged (--for merged)",
        )


def last_logarithms(generator: TransformersGenerator, ids: Sequence[int], count: int) -> Any:
    """Return the logarithms of all tokens after each of the last places, of shape (count, vocabulary)."""
    import torch

    with generator.lent() as model, torch.inference_mode():
        logits = model(input_ids=torch.tensor([list(ids)], device=model.device)).logits
        return logits[0, -count:].float().log_softmax(-1).cpu().numpy()


def _turns(prompt: str) -> list[Message]:
    return [Message(MessageRole.USER, prompt)]
