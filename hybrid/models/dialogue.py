"""Decoding: chat templates, padding, sampling, stop strings."""

from __future__ import annotations

import contextlib
import math
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError

from hybrid.errors import ModelError, UsageError
from hybrid.files import hash_text
from hybrid.types import Message, MessageRole

if TYPE_CHECKING:
    from torch import Tensor

# Of the likeliest tokens those that make up 95 %: the long tail holds what no one would say.
MASS = 0.95
LIKELIEST = 512
# A loop: the last words are the same stretch of this many tokens, this many times in a row.
_LOOP_LENGTHS = range(4, 33)
_LOOP_REPEATS = 3
# What a reasoning model thinks before it answers; a prompt or a server may keep the opening to itself.
THOUGHTS = "<think>"
_CLOSED_THOUGHTS = "</think>"
_BARE, _BARE_END = "analysis", "assistantfinal"
_GLUED = re.compile(rf"\s*{_BARE}\w")
_TAGS = (
    *("think", "thinking", "thought", "thoughts", "reason", "reasoning", "seed:think", "analysis"),
    *("scratchpad", "reflection", "internal", "antthinking"),
)
# How families open and close them, in any case of letters: the last ones are of Gemma and gpt-oss.
_HARMONY = ("<|channel|>", "<|start|>assistant<|channel|>")
_THOUGHTS: Mapping[str, str] = {
    **{f"{a}{name}{b}": f"{a}/{name}{b}" for name in _TAGS for a, b in ("<>", ("<|", "|>"))},
    **{
        f"<|{a}|>": f"<|{b}|>"
        for a, b in (("inner_prefix", "inner_suffix"), ("start_thinking", "end_thinking"))
    },
    "<|begin_of_thought|>": "<|end_of_thought|>",
    '<details type="reasoning"': "</details>",
    "```thinking\n": "\n```",
    **{f"[{name}]": f"[/{name}]" for name in _TAGS[:3]},
    "◁think▷": "◁/think▷",
    "<|channel>thought": "<channel|>",
    "<unused94>thought": "<unused95>",
    **{f"{mark}{name}": "<|channel|>final" for mark in _HARMONY for name in ("analysis", "commentary")},
    # where a server or a tokenizer took the marks out: "analysisThe user asks … assistantfinalIt is 5."
    _BARE: _BARE_END,
}
# How they open and close the answer itself.
_FRAMES: Mapping[str, str] = {
    **{f"<{name}>": f"</{name}>" for name in ("answer", "response", "output", "final", "final_answer")},
    "<|begin_of_solution|>": "<|end_of_solution|>",
    "<|start_response|>": "<|end_response|>",
    **{f"{mark}final<|message|>": "<|return|>" for mark in _HARMONY},
    # what is left of that behind thoughts
    **{f"{form}<|message|>": "<|return|>" for form in ("", "<|constrain|>json")},
    _BARE_END: "<|return|>",
    "<|assistant|>": "<|end|>",
}
# A fence ends thoughts only where one began them, for answers and thoughts have fences of their own.
ENDS_OF_THOUGHTS = frozenset(_THOUGHTS.values()) - {"\n```"}
# What a template writes around a turn: a name in angle or square brackets, or at the beginning of a line.
_FRAME = re.compile(r"<[^<>\s]{1,40}>|\[/?[A-Z_]{2,20}\]|^(?:#{2,4} ?)?\w+:", re.MULTILINE)
# A control token, whether the tokenizer says that it is one or not.
_CONTROL = re.compile(r"<[|｜]")
_PROBE = ("system text", "user text")
# What a template raises, or what it does with a conversation that it was not written for.
_TEMPLATE_FAILS = (TemplateError, TypeError, ValueError, LookupError, AttributeError)
_ANSWER = "text of an answer"


class Dialogue:
    """The layout of conversations for one tokenizer; a chat template is used where it has one.

    It is the same for asking, judging and tuning: a generator that is tuned on another layout than it is
    served with repeats itself or never stops.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def prompt(self, messages: Sequence[Message]) -> str:
        """Return the conversation up to where the answer begins.

        A template that knows no system role finds its text in the first turn of the user.

        Raises:
            ModelError: the template cannot lay out these turns.
        """
        turns = [{"role": str(message.role), "content": self.plain(message.content)} for message in messages]
        if self.tokenizer.chat_template:
            return self._rendered(turns)
        body = "\n\n".join(f"{turn['role'].capitalize()}: {turn['content']}" for turn in turns)
        return f"{self.tokenizer.bos_token or ''}{body}\n\nAssistant:"

    def _rendered(self, turns: list[dict[str, str]]) -> str:
        layouts: list[Sequence[Mapping[str, Any]]] = [turns]
        if turns[0]["role"] == MessageRole.SYSTEM and len(turns) > 1:
            layouts.append(_without_system(turns))
        # templates of models that see pictures want the parts of a text
        layouts += [_in_parts(layout) for layout in layouts]
        # what the model itself said before may be cut: thoughts are
        told = [turn["content"].strip() for turn in turns if turn["role"] != MessageRole.ASSISTANT]
        failed: Exception | None = None
        for layout in layouts:
            try:
                rendered = self._laid_out(layout, add_generation_prompt=True)
            except _TEMPLATE_FAILS as error:
                failed = failed or error
                continue
            # some leave out what they do not know, without a word
            if all(text in rendered for text in told):
                return rendered
        raise ModelError(
            f"the chat template of {self.tokenizer.name_or_path} cannot lay out the conversation: "
            f"{failed or 'it leaves out what the model is told'}",
            hint="take the chat template of another model of its family, or leave the file out",
        ) from failed

    def _laid_out(self, turns: Sequence[Mapping[str, Any]], *, add_generation_prompt: bool) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=add_generation_prompt
            )
        )

    @property
    def stops(self) -> tuple[str, ...]:
        """Return what begins the next turn: a model that has no template of its own writes on as anybody."""
        return () if self.tokenizer.chat_template else tuple(f"\n\n{r.capitalize()}:" for r in MessageRole)

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
        """Return the token with which an answer ends.

        Raises:
            ModelError: neither template nor tokenizer names one.
        """
        if self.closing is None:
            raise ModelError(
                f"the tokenizer of {self.tokenizer.name_or_path} names no token that ends a text",
                hint="set eos_token in its tokenizer_config.json",
            )
        return self.closing

    @cached_property
    def closing(self) -> int | None:
        """Return the token that the template writes behind an answer, else the end of a text, or None.

        The two differ in Gemma, Phi-3 and Llama 3: a model that is taught the other one forgets how to end.
        """
        probe = [{"role": "user", "content": _PROBE[1]}, {"role": "assistant", "content": _ANSWER}]
        for turns in (probe, _in_parts(probe)) if self.tokenizer.chat_template else ():
            with contextlib.suppress(*_TEMPLATE_FAILS):  # it is told where a conversation is to be laid out
                _, there, behind = self._laid_out(turns, add_generation_prompt=False).rpartition(_ANSWER)
                (ids,) = self.tokens([behind.lstrip()])
                if there and ids and ids[0] in self.tokenizer.added_tokens_decoder:
                    return ids[0]
        end = self.tokenizer.eos_token_id
        return None if end is None else int(end)

    @property
    def first(self) -> int:
        """Return the token that stands before a bare text: one that begins texts, else the end of one."""
        begins = self.tokenizer.bos_token_id
        return self.end if begins is None else int(begins)

    def plain(self, content: str) -> str:
        """Break what would be taken for a control token or a mark of the template.

        A document must not end a turn, nor open one.
        """
        for mark in self._marks:
            content = content.replace(mark, f"{mark[:1]} {mark[1:]}")
        return content

    @cached_property
    def _marks(self) -> tuple[str, ...]:
        """Return the control tokens, named or only added, and what the template writes around turns.

        Those of tools and thoughts stand in the template, and many tokenizers do not call them special.
        """
        template = str(self.tokenizer.chat_template)
        added = {str(token): token.special for token in self.tokenizer.added_tokens_decoder.values()}
        marks = {*self.tokenizer.all_special_tokens}
        marks |= {
            text for text, special in added.items() if special or _CONTROL.match(text) or text in template
        }
        if self.tokenizer.chat_template:
            roles = (MessageRole.SYSTEM, MessageRole.USER)
            probe = [{"role": str(r), "content": text} for r, text in zip(roles, _PROBE, strict=True)]
            with contextlib.suppress(ModelError):  # it is told where a conversation is to be laid out
                marks |= set(_FRAME.findall(self._rendered(probe)))
        return tuple(sorted(marks, key=len, reverse=True))


def _without_system(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the turns with what the system says at the beginning of what the user says first."""
    system, first, *others = turns
    return [{**first, "content": f"{system['content']}\n\n{first['content']}"}, *others]


def _in_parts(turns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in turns]


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Tokens and what of them is real (1) or padding (0), both of shape (rows, longest)."""

    ids: Any
    mask: Any


def left_padded(rows: Sequence[Sequence[int]], *, filler: int, device: Any) -> Rectangle:
    """Return the rows as tensors, filled up on the left, where an answer does not begin.

    A tokenizer could do it too, but would remember it: another thread that just wants the bare tokens gets
    them padded.
    """
    import torch

    width = max(len(row) for row in rows)
    empty = [width - len(row) for row in rows]
    ids = [[filler] * count + list(row) for count, row in zip(empty, rows, strict=True)]
    mask = [[0] * count + [1] * len(row) for count, row in zip(empty, rows, strict=True)]
    return Rectangle(torch.tensor(ids, device=device), torch.tensor(mask, device=device))


@dataclass(frozen=True, slots=True)
class Draws:
    """Draw the tokens of one row from a source of its own, so that it depends on no other.

    A ``temperature`` of 1 takes the model as it is, less makes the likely likelier; ``chance`` is what the
    function ``chance`` gave.
    """

    temperature: float
    chance: Any

    @property
    def seed(self) -> int:
        """Return what an engine with a chance of its own begins with, of 32 bits."""
        return int(self.chance.initial_seed()) % 2**32

    def __call__(self, logits: Tensor) -> Tensor:
        """Return one token by logits of shape (1, words)."""
        return draw(logits.float().cpu() / self.temperature, self.chance).to(logits.device)


def chance(seed: int, number: int, prompt: str) -> Any:
    """Return the source of chance of one sample: the same for the same seed, number and prompt."""
    import torch

    return torch.Generator().manual_seed(int(hash_text(str(seed), str(number), prompt)[:15], 16))


def draw(logits: Tensor, chance: Any) -> Tensor:
    """Return one token a row, drawn from the likeliest that together have the mass."""
    import torch

    likely, tokens = logits.softmax(-1).topk(min(LIKELIEST, logits.shape[-1]), dim=-1)
    before = likely.cumsum(-1) - likely
    drawn = torch.multinomial(likely * (before < MASS), 1, generator=chance)
    return tokens.gather(-1, drawn)[:, 0]


def require_samples(count: int, temperature: float) -> None:
    """Raise a UsageError for less than one sample, or a temperature that is not above 0."""
    if count < 1 or not 0 < temperature < math.inf:
        raise UsageError(
            f"{count} samples at a temperature of {temperature}: expected at least one, and more than 0",
            hint="without chance there is one answer: leave sampling out",
        )


def in_loop(ids: Sequence[int]) -> bool:
    """Tell whether the sequence ends in the same stretch several times over."""
    for length in _LOOP_LENGTHS:
        if len(ids) < length * _LOOP_REPEATS:
            return False
        last = ids[-length:]
        if all(ids[-length * (back + 1) : -length * back] == last for back in range(1, _LOOP_REPEATS)):
            return True
    return False


def without_thoughts(text: str) -> str:
    """Return what stands behind the thoughts, without a frame around it; nothing if they do not end."""
    return "".join(behind_thoughts(iter((text,))))


def _behind(text: str, *, ended: bool = True) -> str:
    """Return what stands behind thoughts; nothing as long as they may go on in a text that has not ended."""
    opening = _opening(text)
    if not opening:
        closing = next((one for one in (_CLOSED_THOUGHTS, _BARE_END) if one in text.lower()), "")
        return _closed(text, THOUGHTS, closing, depth=1, ended=ended) or "" if closing else text
    behind = _closed(text, opening, _THOUGHTS[opening], ended=ended)
    if behind is None:  # opened in one way, closed in another
        behind = _closed(text, opening, _CLOSED_THOUGHTS, ended=ended)
    # some think twice
    return _behind(behind, ended=ended) if behind else ""


def _closed(text: str, opening: str, closing: str, *, depth: int = 0, ended: bool) -> str | None:
    """Return what stands behind thoughts, and those inside them; None where they do not close.

    Where they name a tag that nobody closes, it is what stands behind the last one that closes.
    """
    marks = [closing, *([opening] if "/" in closing else [])]
    depth = depth if "/" in closing else 1
    behind = None
    for mark in re.finditer("|".join(map(re.escape, marks)), text, re.IGNORECASE):
        is_end = mark[0].lower() == closing
        depth += -1 if is_end else 1
        behind = text[mark.end() :] if is_end else behind
        if is_end and depth <= 0:
            return behind
    return behind if ended else None


def opens_with_thoughts(text: str) -> bool:
    """Tell whether a text begins with thoughts that say so."""
    return bool(_opening(text))


def _opening(text: str) -> str:
    begun = text.lstrip().lower()
    found = next((mark for mark in _THOUGHTS if begun.startswith(mark)), "")
    # "analysis shows that" opens a sentence
    return "" if found == _BARE and not _GLUED.match(text) else found


def behind_thoughts(pieces: Iterator[str], *, begun: bool = False) -> Iterator[str]:
    """Return what stands behind the thoughts that a text opens with, without a frame around it, in pieces.

    It reads until something is said. If it has ``begun``, it may be in the middle of thoughts from its first
    letter on, so nothing is shown before they end.
    """
    held, spoken = "", _spoken(pieces, begun=begun)
    for piece in spoken:
        held += piece
        begins = held.strip().lower()
        if begins and not any(mark.startswith(begins) for mark in _FRAMES):
            break
    begins = held.lstrip()
    frame = next((mark for mark in _FRAMES if begins.lower().startswith(mark)), "")
    if not frame:
        return chain([held], spoken)
    closing = _FRAMES[frame].upper() if begins[: len(frame)].isupper() else _FRAMES[frame]
    return _until(closing, chain([begins[len(frame) :]], spoken))


def _spoken(pieces: Iterator[str], *, begun: bool) -> Iterator[str]:
    held = ""
    for piece in pieces:
        held += piece
        if begun and not any(closing in held.lower() for closing in ENDS_OF_THOUGHTS):
            continue
        behind = _behind(held, ended=False)
        begins = behind.strip().lower()
        if begins and not any(mark.startswith(begins) for mark in _THOUGHTS):
            yield behind
            yield from pieces
            return
    yield _behind(held)


def _until(closing: str, pieces: Iterator[str]) -> Iterator[str]:
    yield from hold_back(pieces, (closing,))
    deque(pieces, maxlen=0)  # why it ended stands at the very end


def cut_short(limit: int, text: str, *, thought: bool) -> str:
    """Return why a text of so many tokens is no whole one, and what helps where all of it were thoughts."""
    why = f"cut at {limit} tokens"
    return f"{why}, all of them thoughts: raise generation.max_new_tokens" if thought and not text else why


def cut_at_stop(text: str, stop: Sequence[str]) -> str:
    """Return the text before the first stop string in it."""
    ends = [position for position in (text.find(mark) for mark in stop) if position >= 0]
    return text[: min(ends)] if ends else text


def _begun(text: str, mark: str) -> int:
    """Return how many of the last letters of a text may be the first ones of a mark."""
    return next((length for length in range(len(mark) - 1, 0, -1) if text.endswith(mark[:length])), 0)


def hold_back(pieces: Iterator[str], stop: Sequence[str]) -> Iterator[str]:
    """Yield what can no longer become part of a stop string; end before the first of them."""
    pending, started = "", False
    for piece in pieces:
        pending += piece
        if not started:  # generate() strips the text, so the stream begins with its first letter
            pending = pending.lstrip()
            started = bool(pending)
        if any(mark in pending for mark in stop):
            break
        ready = len(pending) - max(map(partial(_begun, pending), stop), default=0)
        # white space waits too: it may be the end of the text, which generate() strips
        ready = len(pending[: max(ready, 0)].rstrip())
        if ready > 0:
            yield pending[:ready]
            pending = pending[ready:]
    rest = cut_at_stop(pending, stop).rstrip()
    if rest:
        yield rest
