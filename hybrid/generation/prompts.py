"""Prompts as data, a TOML file a language and one a variant, and the passages that fit into one."""

from __future__ import annotations

import dataclasses
import functools
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Any

from hybrid.errors import ConfigError
from hybrid.files import hash_text
from hybrid.text.rows import Saying, heads, markdown, sayings
from hybrid.text.sentences import pieces
from hybrid.text.words import either, listed
from hybrid.types import Chunk, Hit, Message, MessageRole, Span

_DELIMITER = re.compile(r"<(?=/?\s*passage)", re.IGNORECASE)
_SHOWN = re.compile(r'<passage number="\d+" title="[^"]*">\n(?P<text>.*?)\n</passage>', re.DOTALL)
_SUFFIX = ".toml"
_WRITING = "writing"
_JUDGED = re.compile(r"<(?=/?\s*(?:passage|claim))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Passage:
    """A numbered stretch of a document as the generator sees it; numbers start at 1; ``chunk`` holds it."""

    number: int
    source: str
    title: str
    text: str
    span: Span
    page: int | None = None
    chunk: Chunk | None = None

    @property
    def table(self) -> tuple[str, tuple[str, ...]]:
        """Return caption and columns of the table that has rows in it."""
        if not self.chunk:
            return "", ()
        return self.chunk.caption, self.chunk.columns or heads(self.chunk.text)

    def placed(self, inner: Span) -> Span:
        """Return a stretch of its text as one of the document."""
        return Span(self.span.start + inner.start, self.span.start + inner.end)

    def sayings(self) -> list[Saying]:
        """Return its sentences and the rows of its table as such, by offsets into its text."""
        return sayings(self.text, *self.table)


@dataclass(frozen=True, slots=True)
class _Texts:
    @property
    def digest(self) -> str:
        """Return a digest of all texts."""
        return hash_text(*dataclasses.astuple(self))


@dataclass(frozen=True, slots=True)
class Prompts(_Texts):
    """The texts of one language."""

    abstention: str
    base_system: str
    base_user: str
    rag_system: str
    rag_user: str
    choice_system: str
    choice_base_user: str
    choice_rag_user: str
    quoting_system: str
    quoting_user: str

    def base(self, question: str) -> tuple[Message, ...]:
        """Return the conversation of an arm without retrieval."""
        return _conversation(self.base_system, self.base_user, question)

    def rag(self, question: str, passages: Sequence[Passage]) -> tuple[Message, ...]:
        """Return the conversation of an arm with retrieval."""
        return _conversation(self.rag_system, self.rag_user, question, passages)

    def quoting(self, question: str, passages: Sequence[Passage]) -> tuple[Message, ...]:
        """Return the conversation in which a quote is to stand before the answer."""
        return _conversation(self.quoting_system, self.quoting_user, question, passages)

    def choice(
        self, question: str, options: Sequence[str], passages: Sequence[Passage] = ()
    ) -> tuple[Message, ...]:
        """Return the conversation that ends where one of the labels is to follow."""
        user = self.choice_rag_user if passages else self.choice_base_user
        return _conversation(self.choice_system, user, question, passages, options)


@dataclass(frozen=True, slots=True)
class GroundingPrompt(_Texts):
    """How a generator is asked, in one language, whether a passage carries a claim.

    ``yes`` and ``no`` are the two answers whose likelihoods are compared. It is no part of ``Prompts``: what
    judges an answer does not decide its words, so it is not in their digest.
    """

    system: str
    user: str
    yes: str
    no: str

    def conversation(self, evidence: str, claim: str) -> tuple[Message, ...]:
        """Return the conversation that ends where yes or no is to follow."""
        given = _JUDGED.sub("‹", evidence), _JUDGED.sub("‹", claim)
        user = Template(self.user).safe_substitute(evidence=given[0], claim=given[1])
        return (Message(MessageRole.SYSTEM, self.system), Message(MessageRole.USER, user))


@dataclass(frozen=True, slots=True)
class WritingPrompt(_Texts):
    """How a generator is asked, in one language, for an answer as JSON, with its citations and its doubt.

    It is no part of ``Prompts``: what was answered without it stays what it was.
    """

    system: str
    user: str

    def conversation(self, question: str, passages: Sequence[Passage]) -> tuple[Message, ...]:
        """Return the conversation that ends where the object is to follow."""
        return _conversation(self.system, self.user, question, passages)


@dataclass(frozen=True, slots=True)
class FollowupPrompt:
    """How a generator is asked, in one language, to make a question of its own of a follow-up."""

    system: str
    user: str

    def conversation(self, question: str, turns: Sequence[Message]) -> tuple[Message, ...]:
        """Return the conversation that ends where the question is to follow."""
        told = "\n".join(f"{turn.role}: {turn.content}" for turn in turns)
        user = Template(self.user).safe_substitute(question=question, conversation=told)
        return (Message(MessageRole.SYSTEM, self.system), Message(MessageRole.USER, user))


@functools.cache
def load_prompts(language: str, prompt: str = "") -> Prompts:
    """Return the prompts of a language; a file is read once.

    Args:
        language: such as ``en``.
        prompt: a variant that ships with the language, or a file ``*.toml``, with the texts that differ.

    Raises:
        ConfigError: there is none of that name, and the message names those that there are; or it has a text
            or a placeholder that it should not have.
    """
    known = {field.name for field in dataclasses.fields(Prompts)}
    texts = {name: text for name, text in _flat(_texts(language)).items() if name in known}
    if prompt:
        read = _read(_place(language, prompt))
        own = _flat({name: text for name, text in read.items() if name != _WRITING})
        for name, text in own.items():
            _require_alike(f"`{name}` of the prompt {prompt}", text, texts.get(name))
        texts |= own
    return Prompts(**texts)


@functools.cache
def load_grounding_prompt(language: str) -> GroundingPrompt:
    """Return the prompt of a language; raises as ``load_prompts``."""
    return GroundingPrompt(**_texts(language)["grounding"])


@functools.cache
def load_writing_prompt(language: str, prompt: str = "") -> WritingPrompt:
    """Return the prompt of a language, with the texts that differ; raises as ``load_prompts``."""
    texts = _texts(language)[_WRITING]
    own = _read(_place(language, prompt)).get(_WRITING, {}) if prompt else {}
    for name, text in own.items():
        _require_alike(f"`{_WRITING}.{name}` of the prompt {prompt}", text, texts.get(name))
    return WritingPrompt(**texts | own)


@functools.cache
def load_followup_prompt(language: str) -> FollowupPrompt:
    """Return the prompt of a language; raises as ``load_prompts``."""
    return FollowupPrompt(**_texts(language)["followup"])


def _texts(language: str) -> dict[str, Any]:
    there = [name for name in _shipped() if "." not in name]
    if language not in there:
        raise ConfigError(f"`generation.language` is {language!r}, there are prompts for: {', '.join(there)}")
    return _read(_folder() / f"{language}{_SUFFIX}")


def _folder() -> Traversable:
    return resources.files("hybrid.generation") / "prompts"


def _shipped() -> list[str]:
    """Return the languages and their variants, such as ``en`` and ``en.terse``."""
    names = [entry.name for entry in _folder().iterdir()]
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX))


def _place(language: str, prompt: str) -> Traversable:
    if prompt.endswith(_SUFFIX) and Path(prompt).is_file():
        return Path(prompt)
    there = [name.partition(".")[2] for name in _shipped() if name.startswith(f"{language}.")]
    if prompt in there:
        return _folder() / f"{language}.{prompt}{_SUFFIX}"
    raise ConfigError(
        f"`generation.prompt` is {prompt!r}, for the language {language!r} there are: {', '.join(there)}",
        hint="name one of these, or a file of your own with the texts that differ, such as prompt=mine.toml",
    )


def _read(place: Traversable) -> dict[str, Any]:
    try:
        return tomllib.loads(place.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"the prompt {place} cannot be read as TOML: {error}") from error


def _flat(value: dict[str, Any]) -> dict[str, Any]:
    """Return texts by the names that ``Prompts`` gives them, such as ``rag_user``."""
    tables = {name: table for name, table in value.items() if isinstance(table, dict)}
    flat = {f"{name}_{key}": text for name, table in tables.items() for key, text in table.items()}
    return flat | {name: text for name, text in value.items() if name not in tables}


def _require_alike(where: str, text: object, usual: str | None) -> None:
    if usual is None or not isinstance(text, str):
        raise ConfigError(
            f"{where} is none of its texts", hint="tables are base, rag, quoting, choice and writing"
        )
    found, wanted = (sorted(Template(one).get_identifiers()) for one in (text, usual))
    if found != wanted:
        raise ConfigError(
            f"{where} has {', '.join(f'${name}' for name in found) or 'no placeholder'}, "
            f"expected {', '.join(f'${name}' for name in wanted) or 'none'}",
            hint="$question, $passages and $options are filled in; a dollar sign itself is $$",
        )


def _conversation(
    system: str, user: str, question: str, passages: Sequence[Passage] = (), options: Sequence[str] = ()
) -> tuple[Message, ...]:
    quoted = "\n".join(map(_quote, passages))
    asked = Template(user).safe_substitute(question=question, passages=quoted, options=", ".join(options))
    return (Message(MessageRole.SYSTEM, system), Message(MessageRole.USER, asked))


def _quote(passage: Passage) -> str:
    """Return a passage numbered, and without delimiters of its own, so that it cannot end its quotation.

    Spotlighting, Hines et al. 2024.
    """
    title = _DELIMITER.sub("‹", " ".join(passage.title.split())).replace('"', "'")
    text = _DELIMITER.sub("‹", markdown(passage.text, *passage.table))
    return f'<passage number="{passage.number}" title="{title}">\n{text}\n</passage>'


def shown(text: str) -> tuple[tuple[str, ...], str]:
    """Return the texts of the passages in what a user says in a prompt, and what is said behind them."""
    passages = tuple(found["text"] for found in _SHOWN.finditer(text))
    return passages, text.rpartition("</passage>")[2].strip()


Measure = Callable[[Sequence[Passage]], int]


def pack(hits: Sequence[Hit], measure: Measure, budget: int) -> list[Passage]:
    """Return the passages that fit, numbered in the order of their rank, whole chunks first.

    A chunk that does not fit as a whole is left to the end, and then cut after a sentence.

    Args:
        hits: best first.
        measure: the length of the whole prompt with these passages, in tokens.
        budget: what it may be at the most.
    """
    chosen: list[Hit] = []
    left_out: list[Hit] = []
    for hit in hits:
        fits = measure(_number([*chosen, hit])) <= budget
        (chosen if fits else left_out).append(hit)
    passages = _number(chosen)
    if left_out:
        passages = _with_a_part(passages, left_out[0], measure, budget)
    return passages


def passage_of(number: int, hit: Hit) -> Passage:
    """Return a whole chunk as a passage."""
    chunk = hit.chunk
    title = chunk.headings[-1] if chunk.headings else chunk.source
    span = Span(chunk.start, chunk.end)
    return Passage(number, chunk.source, title, chunk.text, span, chunk.page, chunk)


def _number(hits: Sequence[Hit]) -> list[Passage]:
    return [passage_of(number, hit) for number, hit in enumerate(hits, start=1)]


def _with_a_part(passages: list[Passage], hit: Hit, measure: Measure, budget: int) -> list[Passage]:
    """Add as many first sentences of the chunk as fit."""
    whole = passage_of(len(passages) + 1, hit)
    for sentence in reversed(pieces(whole.text)):
        span = Span(whole.span.start, whole.span.start + sentence.end)
        part = dataclasses.replace(whole, text=whole.text[: sentence.end], span=span)
        if measure([*passages, part]) <= budget:
            return [*passages, part]
    return passages


# Where a small model begins to talk to itself.
STOP = ("\nQuestion:", "\nAnswer:", "\nPassage", "<passage", "</passage", "\n\n\n")
_DECLINED = ("i don't know", "i do not know", "das weiß ich nicht", "ich weiß es nicht", "ich weiß nicht")
# What else somebody says who does not know, about the passages or about what can be answered.
_TOLD = listed("generation")["declining"]
_DECLINES = re.compile(
    either([f"{_TOLD['before']}(?:{'|'.join(_TOLD['says'])})"], _TOLD["parts"]), re.IGNORECASE
)
_SORRY = re.compile(r"(?:i'm |i am )?(?:very )?sorry[.!]?|unfortunately[.!]?|leider[.!]?", re.IGNORECASE)
_TURNS = re.compile(r"\b(?:but|however|although|though|aber|jedoch|allerdings)\b", re.IGNORECASE)
_FIRST = 300
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|\n")


def declines(text: str) -> bool:
    """Tell whether a text begins by saying that the answer is not known, or not in the passages.

    What goes on with "but" in the same sentence is an answer.
    """
    said = text.strip().replace("’", "'")
    if said.lower().startswith(_DECLINED):
        return True
    for start in (0, *(found.end() for found in _SENTENCE_END.finditer(said[:40]))):  # "I'm sorry."
        first = _SENTENCE_END.split(said[start : start + _FIRST], maxsplit=1)[0]
        if found := _DECLINES.match(first):
            return not _TURNS.search(first, found.end())
        if not _SORRY.fullmatch(first):
            return False
    return False
