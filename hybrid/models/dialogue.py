"""How a conversation becomes tokens: the same for asking, judging and tuning.

Takes a tokenizer, gives texts and tokens. A generator that is tuned on another layout than it is served with
repeats itself or never stops, so there is this one place. Knows nothing about weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hybrid.types import Message


class Dialogue:
    """The layout of conversations for one tokenizer; a chat template is used where it has one."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def prompt(self, messages: Sequence[Message]) -> str:
        """Return the conversation up to where the answer begins."""
        turns = [{"role": str(message.role), "content": self.plain(message.content)} for message in messages]
        if self.tokenizer.chat_template:
            rendered = self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
            return str(rendered)
        body = "\n\n".join(f"{turn['role'].capitalize()}: {turn['content']}" for turn in turns)
        return f"{self.tokenizer.bos_token or ''}{body}\n\nAssistant:"

    def reply(self, text: str) -> str:
        """Return a text as it stands behind the prompt: without a template that ends in a colon."""
        text = self.plain(text.strip())
        return text if self.tokenizer.chat_template else f" {text}"

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each text, without special ones of the tokenizer's own."""
        if not texts:
            return []
        ids: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return ids

    @property
    def end(self) -> int:
        """Return the token with which an answer ends."""
        return int(self.tokenizer.eos_token_id)

    def plain(self, content: str) -> str:
        """Break what the tokeniser would take for its control tokens: a document must not end a turn."""
        for token in self.tokenizer.all_special_tokens:
            content = content.replace(token, f"{token[:1]} {token[1:]}")
        return content
