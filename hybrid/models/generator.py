"""A causal language model as a generator: greedy, batched, streaming.

Takes conversations, gives texts. Knows nothing about passages or citations.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybrid.errors import ModelMissing, UsageError
from hybrid.models import Generation
from hybrid.models.device import Placement
from hybrid.models.stopping import cut_at_stop, hold_back, in_loop
from hybrid.types import Message

if TYPE_CHECKING:
    import torch

_BATCH = 8
_UNKNOWN_CONTEXT = 2_048


class TransformersGenerator:
    """Any Hugging Face causal language model; a chat template is used where the model has one."""

    def __init__(self, folder: Path, *, name: str, placement: Placement) -> None:
        from safetensors import SafetensorError
        from transformers import AutoModelForCausalLM, AutoTokenizer

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, padding_side="left"
            )
            self._model = AutoModelForCausalLM.from_pretrained(
                folder, dtype=placement.torch_dtype(), local_files_only=True, use_safetensors=True
            ).to(placement.device)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            raise ModelMissing(
                f"{folder} cannot be loaded as a causal language model: {error}",
                hint="the folder needs config.json, a tokenizer and safetensors weights",
            ) from error
        self._model.eval()
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        # the model's own sampling defaults would contradict greedy decoding
        config = self._model.generation_config
        config.do_sample, config.temperature, config.top_p, config.top_k = False, None, None, None
        config.pad_token_id = self._tokenizer.pad_token_id
        self._name = name

    @property
    def name(self) -> str:
        """Return the name under which it was loaded."""
        return self._name

    @property
    def context_tokens(self) -> int:
        """Return how many tokens prompt and completion may have together."""
        return int(getattr(self._model.config, "max_position_embeddings", _UNKNOWN_CONTEXT))

    def count_prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Return the length of the conversation with its template, in tokens."""
        return len(self._tokenizer(self._render(messages), add_special_tokens=False)["input_ids"])

    def generate(
        self, conversations: Sequence[Sequence[Message]], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> list[Generation]:
        """Answer every conversation, in batches of similar length; results keep the given order.

        Raises:
            UsageError: a conversation does not fit the model's context.
        """
        if not conversations:
            return []
        prompts = [self._render(messages) for messages in conversations]
        lengths = [len(ids) for ids in self._tokenizer(prompts, add_special_tokens=False)["input_ids"]]
        order = sorted(range(len(prompts)), key=lengths.__getitem__)
        results: dict[int, Generation] = {}
        for first in range(0, len(order), _BATCH):
            batch = order[first : first + _BATCH]
            inputs = self._encode([prompts[index] for index in batch], max_new_tokens)
            completions = self._complete(inputs, max_new_tokens, stop)
            for index, ids in zip(batch, completions, strict=True):
                text = cut_at_stop(self._tokenizer.decode(ids, skip_special_tokens=True), stop)
                results[index] = Generation(text.strip(), lengths[index], len(ids))
        return [results[index] for index in range(len(prompts))]

    def stream(
        self, messages: Sequence[Message], *, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> Iterator[str]:
        """Yield the answer in pieces; what might be the beginning of a stop string is held back."""
        from transformers import TextIteratorStreamer

        inputs = self._encode([self._render(messages)], max_new_tokens)
        streamer = TextIteratorStreamer(self._tokenizer, skip_prompt=True, skip_special_tokens=True)
        failures: list[BaseException] = []

        def work() -> None:
            try:
                self._complete(inputs, max_new_tokens, stop, streamer=streamer)
            except BaseException as error:  # noqa: BLE001 - handed to the reader of the stream
                failures.append(error)
                streamer.end()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield from hold_back(streamer, stop)
        thread.join()
        if failures:
            raise failures[0]

    def _render(self, messages: Sequence[Message]) -> str:
        turns = [
            {"role": str(message.role), "content": self._as_text(message.content)} for message in messages
        ]
        if self._tokenizer.chat_template:
            rendered = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            return str(rendered)
        body = "\n\n".join(f"{turn['role'].capitalize()}: {turn['content']}" for turn in turns)
        return f"{self._tokenizer.bos_token or ''}{body}\n\nAssistant:"

    def _as_text(self, content: str) -> str:
        """Break what the tokeniser would take for its control tokens: a document must not end a turn."""
        for token in self._tokenizer.all_special_tokens:
            content = content.replace(token, f"{token[:1]} {token[1:]}")
        return content

    def _encode(self, prompts: list[str], max_new_tokens: int) -> Any:
        inputs = self._tokenizer(prompts, add_special_tokens=False, return_tensors="pt", padding=True)
        length = inputs["input_ids"].shape[1]
        if length + max_new_tokens > self.context_tokens:
            raise UsageError(
                f"a prompt of {length} tokens and an answer of {max_new_tokens} do not fit "
                f"the {self.context_tokens} tokens of {self._name}",
                hint="lower generation.context_tokens or generation.max_new_tokens",
            )
        return inputs.to(self._model.device)

    def _complete(
        self, inputs: Any, max_new_tokens: int, stop: Sequence[str], *, streamer: Any = None
    ) -> list[list[int]]:
        import torch
        from transformers import StoppingCriteriaList

        start = inputs["input_ids"].shape[1]
        with torch.inference_mode():
            output = self._model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                stopping_criteria=StoppingCriteriaList([self._stopping(start, stop)]),
                streamer=streamer,
            )
        return [self._trim(ids) for ids in output[:, start:].tolist()]

    def _trim(self, ids: list[int]) -> list[int]:
        ends = self._model.generation_config.eos_token_id
        ending = set(ends if isinstance(ends, list) else [ends]) | {self._tokenizer.pad_token_id}
        for position, token in enumerate(ids):
            if token in ending:
                return ids[:position]
        return ids

    def _stopping(self, start: int, stop: Sequence[str]) -> Any:
        import torch
        from transformers import StoppingCriteria

        tokenizer = self._tokenizer

        class StopAtTextOrLoop(StoppingCriteria):  # type: ignore[misc]
            def __call__(
                self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: object
            ) -> torch.Tensor:
                done = [self._ended(row) for row in input_ids[:, start:].tolist()]
                return torch.tensor(done, dtype=torch.bool, device=input_ids.device)

            def _ended(self, ids: list[int]) -> bool:
                tail = tokenizer.decode(ids[-24:], skip_special_tokens=True) if stop else ""
                return any(text in tail for text in stop) or in_loop(ids)

        return StopAtTextOrLoop()
