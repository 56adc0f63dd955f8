"""What generators on this machine share: from conversations to tokens, and from tokens back to texts."""

from __future__ import annotations

import contextlib
import functools
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from hybrid.errors import ModelError, UsageError
from hybrid.files import hash_file, hash_text
from hybrid.models import Generation, dialogue
from hybrid.models.adapters import AdapterFiles
from hybrid.models.decoding import Stepper, Wanted
from hybrid.models.pretrained import load_tokenizer
from hybrid.models.resolve import weights_digest
from hybrid.models.vocabulary import end_tokens
from hybrid.types import Message

_UNKNOWN_CONTEXT = 2_048
# A stop string is looked for in so many of the last tokens.
_STOP_TOKENS = 24


class LocalGenerator(ABC):
    """Any causal language model in a folder; a chat template is used where the model has one.

    The folder has weights, tokenizer and configuration; ``name`` is the one under which it was loaded.
    ``form`` is that of the numbers and of what computes with them, as the digest has it; ``config`` is as
    transformers reads it.
    """

    def __init__(self, folder: Path, *, name: str, form: str, config: Any) -> None:
        self._tokenizer = load_tokenizer(folder)
        self.dialogue = dialogue.Dialogue(self._tokenizer)
        self._name, self._folder, self._form, self._config = name, folder, form, config
        self._adapter: AdapterFiles | None = None
        self._strength = 1.0

    @abstractmethod
    def _decoding(self) -> Stepper:
        """Return what writes tokens, loaded now if it was not."""

    @property
    def name(self) -> str:
        """Return the name under which it was loaded, with that of its adapter."""
        return self._name if self._adapter is None else f"{self._name} + {self._adapter.name}"

    @property
    def digest(self) -> str:
        """Return a digest of weights, configuration, tokenizer, template, number format, and adapter."""
        if self._adapter is None:
            return self._base_digest
        return hash_text(self._base_digest, self._adapter.digest, str(self._strength))

    @cached_property
    def base_weights(self) -> str:
        """Return the digest of the base's weights, which the card of an adapter names."""
        return weights_digest(self._folder)

    @cached_property
    def _base_digest(self) -> str:
        texts = sorted(path for path in self._folder.iterdir() if path.suffix in (".json", ".jinja", ".txt"))
        files = [f"{path.name}:{hash_file(path)}" for path in texts]
        return hash_text(self.base_weights, self._form, *files)

    @property
    def context_tokens(self) -> int:
        """Return how many tokens prompt and completion may have together."""
        most = int(getattr(self._config, "max_position_embeddings", _UNKNOWN_CONTEXT))
        return most - len(self._before)

    @property
    def _before(self) -> list[int]:
        """Return the virtual tokens that an adapter puts before every prompt."""
        return []

    @property
    def _known(self) -> int:
        """Return how many tokens the model knows."""
        return int(self._config.vocab_size)

    @cached_property
    def ends(self) -> frozenset[int]:
        """Return the tokens that end an answer, by model, tokenizer and template."""
        told = end_tokens(self._folder) or getattr(self._config, "eos_token_id", None)
        own = [self._tokenizer.eos_token_id, self._tokenizer.pad_token_id, self.dialogue.closing]
        listed = told if isinstance(told, list) else [told]
        return frozenset(int(end) for end in [*listed, *own] if end is not None)

    def count_prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Return the length of the conversation with its template, in tokens."""
        return len(self.dialogue.tokens([self.dialogue.prompt(messages)])[0])

    def generate(
        self, conversations: Sequence[Sequence[Message]], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> list[Generation]:
        """Answer every conversation, together with whatever else is asked; results keep the given order.

        Raises:
            UsageError: a conversation does not fit the model's context.
        """
        prompts = [self.dialogue.prompt(messages) for messages in conversations]
        return self._write(prompts, max_new_tokens, stop)

    def continued(self, conversations: Sequence[Sequence[Message]], most: int) -> list[list[int]]:
        """Return the tokens that follow each conversation, with the end where the model came to one."""
        stop, ends = self.dialogue.stops, [self.dialogue.end]
        prompts = [self.dialogue.prompt(messages) for messages in conversations]
        rows = self._wanted(prompts, most, stop)
        for _ in self._decoding().write(rows):
            pass
        ended = [len(row.written) < most and not self._ended(row.written, stop) for row in rows]
        return [[*row.written, *ends[: int(end)]] for row, end in zip(rows, ended, strict=True)]

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
        """Answer every conversation so many times by chance; what else is asked changes no sample.

        Raises:
            UsageError: a conversation does not fit the model's context, less than one sample, or a
                temperature that is not above 0.
        """
        dialogue.require_samples(count, temperature)
        prompts = [self.dialogue.prompt(messages) for messages in conversations]
        repeated = [prompt for prompt in prompts for _ in range(count)]
        draws = [
            dialogue.Draws(temperature, dialogue.chance(seed, number, prompt))
            for prompt in prompts
            for number in range(count)
        ]
        written = self._write(repeated, max_new_tokens, stop, draws)
        return [written[first : first + count] for first in range(0, len(written), count)]

    def _write(
        self,
        prompts: Sequence[str],
        most: int,
        stop: Sequence[str],
        draws: Sequence[dialogue.Draws] | None = None,
    ) -> list[Generation]:
        """Go on after every prompt, by the likeliest tokens or by those that are drawn."""
        stop = [*stop, *self.dialogue.stops]
        rows = self._wanted(prompts, most, stop)
        for row, draw in zip(rows, draws or (), strict=draws is not None):
            row.draw = draw
        # those of similar length together, so that little is padding
        for _ in self._decoding().write(sorted(rows, key=lambda row: len(row.prompt))):
            pass
        return [
            self._generation(_opening(prompt), self._given(row), row.written, most, stop)
            for prompt, row in zip(prompts, rows, strict=True)
        ]

    def stream(
        self, messages: Sequence[Message], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> Iterator[str | Generation]:
        """Yield the answer in pieces; what might be the beginning of a stop string is held back."""
        prompt, stop = self.dialogue.prompt(messages), [*stop, *self.dialogue.stops]
        (row,) = self._wanted([prompt], max_new_tokens, stop)
        begun, ids = _opening(prompt), list[int]()
        with contextlib.closing(self._decoding().write([row])) as tokens:
            pieces = self._pieces(tokens, ids)
            yield from dialogue.hold_back(dialogue.behind_thoughts(itertools.chain([begun], pieces)), stop)
        yield self._generation(begun, self._given(row), ids, max_new_tokens, stop)

    def _given(self, row: Wanted) -> int:
        """Return how many tokens of a prompt are its own."""
        return len(row.prompt) - len(self._before)

    def _generation(
        self, begun: str, prompt_tokens: int, ids: list[int], max_new_tokens: int, stop: Sequence[str]
    ) -> Generation:
        """Return what was written; with the last token that it may have it is hardly at its end."""
        written = begun + self._text(ids)
        text = dialogue.cut_at_stop(dialogue.without_thoughts(written), stop).strip()
        cut = len(ids) == max_new_tokens and not self._ended(ids, stop)
        why = dialogue.cut_short(max_new_tokens, text, thought=dialogue.THOUGHTS in written) if cut else ""
        return Generation(text, prompt_tokens, len(ids), why)

    def _pieces(self, tokens: Iterator[tuple[int, int]], ids: list[int]) -> Iterator[str]:
        """Yield the text of one row as it grows, word by word: what follows may change the last one."""
        shown = ""
        for _, token in tokens:
            ids.append(token)
            text = self._text(ids)
            ready = text[: max(text.rfind(" "), text.rfind("\n")) + 1]
            if ready.startswith(shown) and ready != shown:
                yield ready[len(shown) :]
                shown = ready
        yield self._text(ids)[len(shown) :]

    def _wanted(self, prompts: Sequence[str], max_new_tokens: int, stop: Sequence[str]) -> list[Wanted]:
        """Return what is to be written behind each prompt.

        Raises:
            UsageError: a prompt does not fit the model's context.
            ModelError: the model does not know a token.
        """
        rows = self.dialogue.tokens(prompts)
        known = self._known
        for row in rows:
            self._require_room(len(row), max_new_tokens)
            if (token := max(row, default=0)) >= known:
                raise ModelError(
                    f"the tokenizer of {self._name} has the token {token} "
                    f"({self._tokenizer.convert_ids_to_tokens(token)!r}), the model knows {known}",
                    hint="tokenizer and weights are not of one model: fetch both again",
                )
        ended, before = functools.partial(self._ended, stop=stop), self._before
        return [Wanted([*before, *row], max_new_tokens, ended) for row in rows]

    def _require_room(self, length: int, new: int) -> None:
        if length + new > self.context_tokens:
            raise UsageError(
                f"a prompt of {length} tokens and an answer of {new} do not fit "
                f"the {self.context_tokens} tokens of {self._name}",
                hint="lower generation.context_tokens or generation.max_new_tokens",
            )

    def _ended(self, ids: list[int], stop: Sequence[str]) -> bool:
        tail = self._text(ids[-_STOP_TOKENS:]) if stop else ""
        return any(text in tail for text in stop) or dialogue.in_loop(ids)

    def _text(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))


def _opening(prompt: str) -> str:
    """Return how a text goes on that a template began with thoughts."""
    return dialogue.THOUGHTS if prompt.rstrip().endswith(dialogue.THOUGHTS) else ""
