"""Does an engine say what the model says? A GGUF file in llama.cpp against torch, token by token."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from hybrid.errors import ModelError
from hybrid.models.dialogue import in_loop
from hybrid.models.generator import TransformersGenerator
from hybrid.models.gguf import Source, read_back
from hybrid.models.llamacpp import LlamaServer
from hybrid.models.writing import LocalGenerator
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
# An engine is held against torch on so many tokens of each of forty prompts. Of its tokens at least so many
# are those that torch would take behind the same ones; and by torch a token of it is at the most so many
# nats less likely than the one in its place, with 95 % confidence.
_GATE_TOKENS = 32
_GATE_AGREEMENT = 0.9
_GATE_MARGIN = 0.05


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How far a file says what the model says; ``check`` is how that was found out.

    ``check`` says how, in words, and ``prompts`` how many were asked. ``agreement`` is the share of places
    where the likeliest token is the same, 1 where only tensors were read; ``texts`` are the answers that are
    the same text. ``typical`` and ``largest`` are the median and the largest difference of the logarithms of
    the likeliest tokens, in nats.
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


@dataclass(frozen=True, slots=True)
class EngineFidelity:
    """How far an engine says what torch says in float32.

    ``version`` is that of the engine, ``prompts`` how many were asked. ``agreement`` is the share of its
    tokens that torch would take behind the same ones; ``difference`` the mean over prompts of how much
    likelier a token of its text is than the one that torch would take in its place, by torch, in nats, never
    more than 0; ``low`` and ``high`` are the ends of its interval of 95 %.
    """

    version: str
    prompts: int
    agreement: float
    difference: float
    low: float
    high: float

    @property
    def against(self) -> str:
        """Return what speaks against the engine, empty if it may be used."""
        inside = self.low >= -_GATE_MARGIN and self.high <= _GATE_MARGIN
        if self.agreement >= _GATE_AGREEMENT and inside:
            return ""
        return f"{self.told}; expected at least {_GATE_AGREEMENT:.0%} and at the most {_GATE_MARGIN:g} nats"

    @property
    def told(self) -> str:
        """Return it in one line."""
        return (
            f"{self.agreement:.1%} of its tokens on {self.prompts} prompts are those of torch, a token is "
            f"{-self.difference:.4f} nats less likely ({-self.high:.4f} to {-self.low:.4f})"
        )


def held_against(generator: TransformersGenerator, engine: LocalGenerator, version: str) -> EngineFidelity:
    """Compare an engine with torch, token by token behind what the engine wrote before.

    Whole texts are not held against each other: where two tokens are as good as each other an engine may take
    the other one, and from there on all differs, by chance. The generator is in torch, in float32; ``engine``
    is the same model, ``version`` that of what computes it.
    """
    asked = [_turns(prompt) for prompt in gate_prompts()]
    alike, apart = list[bool](), list[float]()
    for turns, tokens in zip(asked, engine.continued(asked, _GATE_TOKENS), strict=True):
        ids = generator.dialogue.tokens([generator.dialogue.prompt(turns)])[0]
        logs = last_logarithms(generator, [*ids, *tokens[:-1]], len(tokens))
        best = [int(row.argmax()) for row in logs]
        # a model may have several tokens that end an answer
        pairs = zip(tokens, best, strict=True)
        own = [token if {token, other} <= generator.ends else other for token, other in pairs]
        alike += [token == other for token, other in zip(tokens, own, strict=True)]
        lost = [float(row[token] - row[other]) for row, token, other in zip(logs, tokens, own, strict=True)]
        apart.append(fmean(lost))
    around, mean = 1.96 * stdev(apart) / len(apart) ** 0.5, fmean(apart)
    return EngineFidelity(version, len(asked), fmean(alike), mean, mean - around, mean + around)


def gate_prompts() -> list[str]:
    """Return the forty prompts on which an engine is held against torch."""
    more = (Path(__file__).parent / "probes.txt").read_text(encoding="utf-8").splitlines()
    return [*PROBES, *(line.replace("\\n", "\n") for line in more if line)]


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

    The generator is the model as the file is to speak, with its adapter; ``source`` is what the file was
    written from, ``adapter`` a LoRA file that is loaded beside it.

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
    with contextlib.closing(LlamaServer(file, adapter=adapter)) as ask:
        found = _compared(generator, ask, prompts, new_tokens)
    if found.agreement < _LEAST:
        raise ModelError(
            f"{file.name} in llama.cpp speaks otherwise than the model: {found.told}",
            hint="write it with --precision f16 or f32; if it still does, serve it merged (--for merged)",
        )
    return found


def _compared(
    generator: TransformersGenerator, ask: LlamaServer, prompts: Sequence[str], new_tokens: int
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
        tokens, steps = said["tokens"], said.get("completion_probabilities", ())
        own = last_logarithms(generator, [*ids, *tokens[:-1]], len(tokens))
        alike += [int(logs.argmax()) == token for token, logs in zip(tokens, own, strict=True)]
        # it tells none of a token that is only part of a letter, nor any where all are
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
    ask: LlamaServer, generator: TransformersGenerator, prompt: str, rendered: str, ids: Sequence[int]
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
