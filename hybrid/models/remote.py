"""A generator behind an OpenAI-compatible endpoint (vLLM, llama.cpp, a gateway), with $HYBRID_API_KEY."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2

from hybrid.errors import ConfigError, LikelihoodMissing, RemoteError
from hybrid.files import hash_text
from hybrid.models import Generation
from hybrid.models.dialogue import cut_at_stop, hold_back, require_samples
from hybrid.trust import Endpoint, Secret
from hybrid.types import Message

_TIMEOUT = httpx2.Timeout(120.0, connect=10.0)
_PARALLEL = 8
# An endpoint does not tell its tokenizer: letters a token, on the safe side for English.
_LETTERS_A_TOKEN = 3
_TEMPLATE_TOKENS = 8


class RemoteGenerator:
    """Speak ``/chat/completions`` to an endpoint such as ``http://localhost:8000/v1``.

    Token counts before the call are estimates; those of a ``Generation`` are the endpoint's own.
    """

    def __init__(self, endpoint: str, *, model: str, context_tokens: int = 4_096) -> None:
        self._endpoint = Endpoint(endpoint)
        if not self._endpoint:
            raise ConfigError("`models.endpoint` is empty, expected a URL such as http://localhost:8000/v1")
        self._url = self._endpoint.rstrip("/") + "/chat/completions"
        self._model = model
        self._context_tokens = context_tokens
        key = Secret(os.environ.get("HYBRID_API_KEY", "").strip())
        if not (key.reveal().isascii() and key.reveal().isprintable()):
            # a library would refuse it, and quote it
            raise ConfigError("$HYBRID_API_KEY holds a letter that no request can carry", hint="copy it anew")
        login = self._endpoint.basic
        self._secrets = [key, self._endpoint.login, Secret(login[1] if login else "")]
        self._client = httpx2.Client(
            timeout=_TIMEOUT,
            headers={"Authorization": f"Bearer {key.reveal()}"} if key else {},
            auth=login,
            # what is meant for this machine does not take the way over a proxy
            trust_env=not self._endpoint.is_loopback,
        )

    @property
    def name(self) -> str:
        """Return the model's name at the endpoint."""
        return self._model

    @property
    def digest(self) -> str:
        """Return a digest of endpoint and model name: an endpoint does not tell its weights."""
        return hash_text(self._url, self._model)

    @property
    def context_tokens(self) -> int:
        """Return how many tokens prompt and completion may have together."""
        return self._context_tokens

    def count_prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Estimate the length of the conversation in tokens."""
        return sum(len(m.content) // _LETTERS_A_TOKEN + _TEMPLATE_TOKENS for m in messages)

    def generate(
        self, conversations: Sequence[Sequence[Message]], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> list[Generation]:
        """Answer every conversation, several requests at a time.

        Raises:
            RemoteError: the endpoint refused, timed out or answered something unreadable.
        """
        with ThreadPoolExecutor(_PARALLEL) as threads:
            return list(threads.map(lambda turns: self._ask(turns, max_new_tokens, stop), conversations))

    def sample(
        self,
        conversations: Sequence[Sequence[Message]],
        count: int,
        *,
        max_new_tokens: int,
        temperature: float = 1.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[list[Generation]]:
        """Answer every conversation so many times, each a request with a seed of its own.

        Whether the same seed gives the same samples is up to the endpoint.

        Raises:
            RemoteError: the endpoint refused, timed out or answered something unreadable.
            UsageError: less than one sample, or a temperature that is not above 0.
        """
        require_samples(count, temperature)
        # not one request with n: many servers know no n, or give the same text n times
        chosen = [{"temperature": temperature, "seed": seed + number} for number in range(count)]
        asked = [(turns, options) for turns in conversations for options in chosen]
        with ThreadPoolExecutor(_PARALLEL) as threads:
            written = list(threads.map(lambda one: self._ask(one[0], max_new_tokens, stop, one[1]), asked))
        return [written[first : first + count] for first in range(0, len(written), count)]

    def stream(
        self, messages: Sequence[Message], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> Iterator[str]:
        """Yield the answer in pieces as server-sent events bring them."""
        pieces = self._pieces(messages, max_new_tokens, stop)
        yield from hold_back(self._redacted_pieces(pieces), stop)

    def log_likelihoods(
        self, conversations: Sequence[Sequence[Message]], continuations: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Refuse: chat endpoints write texts, they do not judge given ones.

        Raises:
            LikelihoodMissing: always.
        """
        raise self._no_judge()

    def log_probabilities(
        self, conversations: Sequence[Sequence[Message]], continuations: Sequence[Sequence[str]]
    ) -> list[list[list[float]]]:
        """Refuse, as ``log_likelihoods`` does.

        Raises:
            LikelihoodMissing: always.
        """
        raise self._no_judge()

    def _pieces(self, messages: Sequence[Message], max_new_tokens: int, stop: Sequence[str]) -> Iterator[str]:
        body = self._body(messages, max_new_tokens, stop) | {"stream": True}
        try:
            with self._client.stream("POST", self._url, json=body) as response:
                if response.is_error:
                    response.read()
                    raise self._refusal(response)
                for line in response.iter_lines():
                    if line.startswith("data:") and line.removeprefix("data:").strip() != "[DONE]":
                        yield self._delta(line.removeprefix("data:"))
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error

    def _ask(
        self,
        messages: Sequence[Message],
        max_new_tokens: int,
        stop: Sequence[str],
        options: Mapping[str, float] | None = None,
    ) -> Generation:
        body = self._body(messages, max_new_tokens, stop) | dict(options or {})
        try:
            response = self._client.post(self._url, json=body)
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from error
        if response.is_error:
            raise self._refusal(response)
        try:
            value = response.json()
            usage = value.get("usage") or {}
            written = self._redacted(str(value["choices"][0]["message"]["content"] or ""))
            return Generation(
                cut_at_stop(written, stop).strip(),
                int(usage.get("prompt_tokens", 0)),
                int(usage.get("completion_tokens", 0)),
            )
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise self._unreadable(response.text) from error

    def _body(self, messages: Sequence[Message], max_new_tokens: int, stop: Sequence[str]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": str(m.role), "content": m.content} for m in messages],
            "max_tokens": max_new_tokens,
            "temperature": 0,
        }
        return body | {"stop": list(stop)} if stop else body

    def _delta(self, line: str) -> str:
        try:
            choices = json.loads(line)["choices"]
            # a last event may carry usage and no choice
            return str(choices[0].get("delta", {}).get("content") or "") if choices else ""
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise self._unreadable(line) from error

    def _no_judge(self) -> LikelihoodMissing:
        return LikelihoodMissing(
            f"{self._url} tells no likelihood of a given text, which questions with options need",
            hint="use a model on this machine: leave models.endpoint empty",
        )

    def _unreachable(self, error: Exception) -> RemoteError:
        return RemoteError(
            f"{self._url} did not answer: {type(error).__name__}",
            hint="is the server running, and is models.endpoint right?",
        )

    def _refusal(self, response: httpx2.Response) -> RemoteError:
        return RemoteError(
            f"{self._url} answered {response.status_code}: {self._redacted(response.text)[:200]}",
            hint="check models.generator, and the key in $HYBRID_API_KEY",
        )

    def _unreadable(self, text: str) -> RemoteError:
        found = self._redacted(text)[:200]
        return RemoteError(f"{self._url} answered something that is not a chat completion: {found!r}")

    def _redacted(self, text: str) -> str:
        """Return what the server said without what it was told in confidence: answers are written down."""
        for secret in self._secrets:
            text = secret.redact(text)
        return text

    def _redacted_pieces(self, pieces: Iterator[str]) -> Iterator[str]:
        held = ""
        for piece in pieces:
            held = self._redacted(held + piece)
            ready = len(held) - max(secret.begun(held) for secret in self._secrets)
            yield held[:ready]
            held = held[ready:]
        yield held
