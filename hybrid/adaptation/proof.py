"""Is an adapter active at an endpoint? It is asked where base and adapter differ most."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from hybrid.doctor import Diagnosis, Health
from hybrid.errors import RemoteError
from hybrid.models.discovery import ask_server
from hybrid.models.fidelity import PROBES, last_logarithms
from hybrid.models.generator import TransformersGenerator
from hybrid.trust import Endpoint, Secret
from hybrid.types import Message, MessageRole

# Of so many questions those are asked that tell the two apart best.
_CANDIDATES, _ASKED = 32, 4
_NEW_TOKENS = 16
_LIKELIEST = 5
# Less than this, in nats, is the noise of another engine, or of rounded weights.
_NOISE = 0.05
# What is not among the likeliest is at most about as likely as this.
_UNLIKELY = -8.0


@dataclass(frozen=True, slots=True)
class _SaidThere:
    """An answer, and how likely its first tokens were, where that is told."""

    text: str
    first: Mapping[str, float]

    def far_from(self, other: _SaidThere) -> float:
        """Return nats between the likeliest first tokens, or else the share of letters not in common."""
        if self.first and other.first:
            words = self.first.keys() | other.first.keys()
            apart = (abs(self.first.get(w, _UNLIKELY) - other.first.get(w, _UNLIKELY)) for w in words)
            return sum(apart) / len(words)
        pairs = zip(self.text, other.text, strict=False)
        common = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        return 1 - common / max(len(self.text), len(other.text), 1)


def prove_active(
    generator: TransformersGenerator,
    adapter: Path,
    endpoint: Endpoint,
    *,
    base: str,
    questions: Sequence[str] = (),
) -> Diagnosis:
    """Say whether an endpoint answers with an adapter: active, inactive, or cannot tell, and why.

    Args:
        generator: the base, on this machine.
        adapter: the folder; the endpoint serves it by the folder's name.
        endpoint: speaks as OpenAI does.
        base: the name of the base at the endpoint.
        questions: of the domain, to choose from beside general ones.

    Raises:
        AdapterError: the adapter does not fit the base.
        RemoteError: the endpoint refused.
    """
    name, tuned = adapter.name, generator.adapted(adapter)
    title = f"adapter {name} at {endpoint}"
    asked = _telling([*PROBES, *questions][:_CANDIDATES], generator, tuned)
    if not asked:
        return Diagnosis(
            title,
            Health.NOTE,
            f"cannot tell: on {min(_CANDIDATES, len(PROBES) + len(questions))} questions the adapter "
            "says here what the base says",
            "put questions that it was made for into the domain: hybrid questions make",
        )
    there = _served(endpoint, name, base)
    # a server without adapters by name has one model, which is the adapter or is not
    active = there.get(name, next(iter(there.values())))
    plain = None if there.get(base) == active else there.get(base)
    with _client(endpoint) as client:
        said = [(question, _ask(client, active, question)) for question in asked]
        bare = [] if plain is None else [_ask(client, plain, question) for question in asked]
    own, without = ([_own(view, q) for q in asked] for view in (tuned, generator))
    nearer = sum(
        answer.far_from(ours) < answer.far_from(base_says)
        for (_, answer), ours, base_says in zip(said, own, without, strict=True)
    )
    silent = bool(bare) and all(
        answer.far_from(other) <= (_NOISE if answer.first else 0)
        for (_, answer), other in zip(said, bare, strict=True)
    )
    evidence = _evidence(active, said, own, without, nearer)
    if nearer == len(asked):
        return Diagnosis(title, Health.OK, f"active: {evidence}")
    if silent or nearer == 0:
        same = f"{active} and {plain} answer alike" if silent else f"{active} answers as the base does here"
        return Diagnosis(
            title,
            Health.BAD,
            f"inactive: {same}; {evidence}",
            "start the server with the adapter: hybrid adapters export --for vllm writes the line",
        )
    return Diagnosis(
        title,
        Health.NOTE,
        f"cannot tell: {evidence}",
        "does it serve these weights of the base, and this version of the adapter? export it again",
    )


def _evidence(
    active: str,
    said: Sequence[tuple[str, _SaidThere]],
    own: Sequence[_SaidThere],
    without: Sequence[_SaidThere],
    nearer: int,
) -> str:
    (question, answer), ours, plain = said[0], own[0], without[0]
    how = "by the logarithms of the first tokens" if answer.first else "by their texts"
    return (
        f"of {len(said)} answers of {active} {nearer} are nearer to the adapter here than to the base, {how};"
        f" asked {question!r} it says {answer.text[:40]!r}, the adapter {ours.text[:40]!r}, "
        f"the base {plain.text[:40]!r}"
    )


def _telling(
    questions: Sequence[str], generator: TransformersGenerator, tuned: TransformersGenerator
) -> list[str]:
    """Return the questions at which base and adapter are furthest apart, by what they say first."""
    apart = {
        q: _SaidThere("", _first(tuned, q)).far_from(_SaidThere("", _first(generator, q))) for q in questions
    }
    return [q for q in sorted(apart, key=lambda q: -apart[q]) if apart[q] > 2 * _NOISE][:_ASKED]


def _own(generator: TransformersGenerator, question: str) -> _SaidThere:
    (answer,) = generator.generate([_turns(question)], max_new_tokens=_NEW_TOKENS)
    return _SaidThere(answer.text, _first(generator, question))


def _first(generator: TransformersGenerator, question: str) -> dict[str, float]:
    dialogue = generator.dialogue
    logs = last_logarithms(generator, dialogue.tokens([dialogue.prompt(_turns(question))])[0], 1)[0]
    likeliest = logs.argsort()[::-1][:_LIKELIEST]
    # ends of a text are told differently
    told = {str(dialogue.tokenizer.decode([token], skip_special_tokens=True)): token for token in likeliest}
    return {text: float(logs[token]) for text, token in told.items() if text}


def _turns(question: str) -> list[Message]:
    return [Message(MessageRole.USER, question)]


def _served(endpoint: Endpoint, *names: str) -> dict[str, str]:
    """Return the models that an endpoint lists by the names that are looked for, or all if none is there."""
    server = ask_server(endpoint, key=_key())
    if server is None or server.locked:
        raise RemoteError(
            f"{endpoint} does not list its models", hint="is it running? does it want $HYBRID_API_KEY?"
        )
    found = {name: listed for name in names for listed in server.models if listed in (name, f"{name}:latest")}
    if names[0] not in found and len(server.models) != 1:
        raise RemoteError(
            f"{endpoint} lists no {names[0]}, but: {', '.join(server.models) or 'nothing'}",
            hint="start it with the adapter by this name: hybrid adapters export --for vllm writes the line",
        )
    return found if names[0] in found else dict.fromkeys(server.models, server.models[0])


def _key() -> Secret:
    return Secret(os.environ.get("HYBRID_API_KEY", "").strip())


def _client(endpoint: Endpoint) -> httpx2.Client:
    headers = {"Authorization": f"Bearer {_key().reveal()}"} if _key() else {}
    return httpx2.Client(
        base_url=endpoint.rstrip("/"),
        headers=headers,
        auth=endpoint.basic,
        timeout=120,
        trust_env=not endpoint.is_loopback,
    )


def _ask(client: httpx2.Client, model: str, question: str) -> _SaidThere:
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "max_tokens": _NEW_TOKENS,
    }
    try:
        # not every server knows how to tell how likely its words were
        for more in ({"logprobs": True, "top_logprobs": _LIKELIEST}, {}):
            response = client.post("/chat/completions", json=body | more)
            if not response.is_error:
                break
        response.raise_for_status()
        choice = response.json()["choices"][0]
        return _SaidThere(str(choice["message"]["content"] or "").strip(), dict(_told_first(choice)))
    except (httpx2.HTTPError, ValueError, KeyError, IndexError, TypeError) as error:
        raise RemoteError(f"{client.base_url} gives no answer of {model}: {error}") from error


def _told_first(choice: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    places = (choice.get("logprobs") or {}).get("content") or []
    for told in places[0]["top_logprobs"] if places else ():
        if told["token"]:
            yield str(told["token"]), float(told["logprob"])
