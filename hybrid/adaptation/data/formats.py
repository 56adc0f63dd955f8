"""The formats of training data that people have: what a row teaches, or why it is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, get_type_hints

from pydantic import ValidationError

from hybrid.adaptation.values import Example, ExampleKind, PreferencePair, QueryPair
from hybrid.errors import UsageError
from hybrid.files import adapter_of
from hybrid.generation.prompts import Prompts
from hybrid.models.dialogue import opens_with_thoughts, without_thoughts
from hybrid.questions.files import question_of, require_letters
from hybrid.types import Message, MessageRole, Question

Taught: TypeAlias = Question | Example | QueryPair | PreferencePair
KINDS = (
    "`question` and `answers`; `prompt` and `completion`; `messages` (OpenAI); `conversations` (ShareGPT); "
    "`instruction` and `output` (Alpaca); `chosen` and `rejected`; `text`; or `query` and `passage`"
)
_Value = TypeVar("_Value")
# What a row may have in every format: its name, the document that it was made of, and what is for people.
_ANYWHERE = frozenset({"id", "source", "meta", "metadata"})
_KNOWN: Mapping[str, frozenset[str]] = {
    name: frozenset(keys.split()) | _ANYWHERE
    for name, keys in {
        "preference": "chosen rejected prompt question instruction input system messages conversations",
        "talk": "messages conversations conversation system",
        "alpaca": "instruction input context output response system history text",
        "completion": "prompt completion options system",
        "question": "question answers answerable options evidence withheld slices made",
        "example": "kind prompt completion made options",
        "pair": "query passage negatives made",
        "text": "text",
    }.items()
}
# How others call the passages of a query.
_PASSAGES = ("pos", "positive", "positives")
_TALKS = ("messages", "conversations", "conversation")
_ROLES = {
    **dict.fromkeys(("system", "developer"), MessageRole.SYSTEM),
    **dict.fromkeys(("user", "human", "prompter"), MessageRole.USER),
    **dict.fromkeys(
        ("assistant", "gpt", "chatgpt", "bard", "bing", "model", "bot", "ai"), MessageRole.ASSISTANT
    ),
}
_CALLS = frozenset({"tool", "function", "observation", "function_call", "tool_calls", "functions", "tools"})
# Known rows that are not read, and the jq program that makes ones of ours.
_CONVERSIONS = (
    ("text label", '{prompt: .text, completion: .label, options: ["one label", "another"]}'),
    ("sentence label", '{prompt: .sentence, completion: .label, options: ["one label", "another"]}'),
    ("prompt response", "{prompt, completion: .response}"),
    ("question response", "{prompt: .question, completion: .response}"),
    ("anchor positive", "{query: .anchor, passage: .positive, negatives: ([.negative // empty] | flatten)}"),
    ("query positive", "{query, passage: .positive, negatives: ([.negative // empty] | flatten)}"),
    ("query positives", "{query, passage: .positives[0], negatives: (.negatives // [])}"),
    ("query pos", "{query, passage: .pos[0], negatives: (.neg // [])}"),
    (
        "preferred_output non_preferred_output",
        "{prompt: .input.messages, chosen: .preferred_output, rejected: .non_preferred_output}",
    ),
    (
        "contents",
        '{messages: [.contents[] | {role: (if .role == "model" then "assistant" else "user" end), '
        'content: ([.parts[].text] | join(""))}]}',
    ),
    ("input output", "{prompt: .input, completion: .output}"),
)
_KTO = (
    "rows with `label` false say what is wrong: keep the right ones, "
    "jq -c 'select(.label == true) | del(.label)' {file} > right.jsonl, or give `chosen` beside `rejected`"
)
# Marks of turns, as templates write them, and how prompts of models without one end.
_RENDERED = re.compile(
    r"<\|(?:im_start|im_end|start_header_id|eot_id|user|assistant|end|endoftext)\|>|</?(?:start|end)_of_turn>"
    r"|<｜[^｜<>]+｜>|\[/?INST\]|^### (?:Instruction|Human|Response|Assistant):|</s>\s*\Z"
    r"|^(?:Assistant|ASSISTANT):\s*\Z",
    re.MULTILINE,
)
_INNER_THOUGHTS = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)
_LABEL = '{prompt: .text, completion: .label, options: ["one label", "another"]}'
_EXPECTED: Mapping[Any, str] = {
    str: "a text",
    tuple[str, ...]: "a list of texts",
    tuple[Message, ...]: "turns with `role` and `content`",
    ExampleKind: f"one of {', '.join(ExampleKind)}",
}


@dataclass(frozen=True, slots=True)
class GivenRow:
    """The object on a line of a file."""

    path: Path
    number: int
    value: dict[str, Any]

    @property
    def place(self) -> str:
        """Return the name of the file with the line."""
        return f"{self.path.name}:{self.number}"

    def error(self, expected: str, hint: str = "") -> UsageError:
        """Return an error that names the place and shows what stands there."""
        found = json.dumps(self.value, ensure_ascii=False)
        shown = found if len(found) <= 120 else f"{found[:120]}…"
        return UsageError(f"{self.path}, line {self.number}: {expected}, found {shown}", hint=hint)

    def read(self, kind: Callable[..., _Value]) -> _Value:
        """Return the object as a value of this class; what is missing or of another kind is an error."""
        try:
            value: _Value = adapter_of(kind).validate_python(self.value)
        except ValidationError as error:
            field = str(error.errors()[0]["loc"][0])
            raise self.error(f"expected {_EXPECTED[get_type_hints(kind)[field]]} as `{field}`") from None
        return value

    def text(self, key: str, *, optional: bool = False) -> str:
        """Return a text that says something, or nothing where it may be missing."""
        value = self.value.get(key, "" if optional else None)
        if not isinstance(value, str) or not (optional or _says(value)):
            raise self.error(f"expected a text as `{key}`")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, nothing where it is missing."""
        value = self.value.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) and _says(one) for one in value):
            raise self.error(f"expected a list of texts as `{key}`")
        return tuple(value)

    def jq(self, program: str) -> str:
        """Return how to convert the file."""
        return f"convert it: jq -c '{program}' {self.path.name} > converted.jsonl"


def read_row(row: GivenRow, prompts: Prompts) -> list[Taught]:
    """Return what a row teaches; a key that says nothing here is an error, null is as if it were not there.

    ``prompts``: of the language that is served: a conversation that says nothing else begins with what the
    arm ``adapter`` is told.
    """
    row = replace(row, value={key: value for key, value in row.value.items() if value is not None})
    keys = row.value.keys()
    require_letters(row.value, f"{row.path}, line {row.number}")
    if "chosen" in keys or "rejected" in keys:
        return [_preference(_only(row, "preference"), prompts)]
    if not keys.isdisjoint(_TALKS):
        return [*_talk(_only(row, "talk"), prompts)]
    if "instruction" in keys:
        return [*_alpaca(_only(row, "alpaca"), prompts)]
    if "kind" in keys and "completion" in keys:
        return [replace(_only(row, "example"), value={"prompt": ()} | row.value).read(Example)]
    if "completion" in keys:
        return [*_completion(_only(row, "completion"), prompts)]
    if "question" in keys:
        return [_question(row)]
    if "query" in keys and keys.isdisjoint(_PASSAGES):
        return [_pair(_only(row, "pair"))]
    if "text" in keys:
        return [_text(_only(row, "text"))]
    raise row.error(f"expected {KINDS}", _conversion(row))


def _text(row: GivenRow) -> Example:
    said = _spoken(row, row.text("text"))
    _unrendered(row, said)
    return Example(ExampleKind.TEXT, (), said, _source(row))


def _unrendered(row: GivenRow, *texts: str) -> None:
    for text in texts:
        if mark := _RENDERED.search(text):
            raise row.error(
                f"a conversation in a chat template ({mark[0].strip()}), which would be taught by the letter",
                "give the turns as `messages`, without marks: each model is taught in its own template",
            )


def _says(text: str) -> bool:
    """Tell whether anything can be seen of a text."""
    return any(letter.isprintable() and not letter.isspace() for letter in text)


def _spoken(row: GivenRow, text: str) -> str:
    """Return an answer without the thoughts before it."""
    said = without_thoughts(text)
    late = not opens_with_thoughts(text) and "<think" in text.lower()
    if late or not _says(said) or _INNER_THOUGHTS.search(said):
        raise row.error(
            "thoughts (<think>) that do not end, or stand inside of an answer",
            "leave them out: only what stands behind them is taught",
        )
    return text if said == text else said.strip()


def _only(row: GivenRow, format_: str) -> GivenRow:
    """Refuse a row with a key that says nothing in its format: what it says would be lost."""
    unknown = sorted(row.value.keys() - _KNOWN[format_])
    if not unknown:
        return row
    known = row.value.keys() - set(unknown) - _ANYWHERE
    if "label" in unknown and format_ == "text":
        hint = row.jq(_LABEL)
    elif "label" in unknown:
        hint = _KTO.format(file=row.path.name)
    elif _CALLS.intersection(unknown):
        hint = "calls of tools are not taught: leave such rows out"
    elif judging := [key for key in unknown if isinstance(row.value[key], bool | int | float)]:
        hint = (
            f"if `{judging[0]}` judges the row, keep the right ones and leave it out; a row that was judged "
            "wrong is no example. What says nothing may stand under `meta`"
        )
    else:
        hint = row.jq(f"del({', '.join(f'.[{json.dumps(key)}]' for key in unknown)})")
    named, beside = (", ".join(f"`{key}`" for key in part) for part in (unknown, sorted(known)))
    raise row.error(f"{named} is not known beside {beside}", hint)


def _conversion(row: GivenRow) -> str:
    for needed, program in _CONVERSIONS:
        if row.value.keys() >= set(needed.split()):
            return row.jq(program)
    return ""


def _source(row: GivenRow) -> str:
    value = row.value.get("source", "")
    if not isinstance(value, str):
        raise row.error("expected the name of a document as `source`")
    return value


@dataclass(frozen=True, slots=True)
class _TaughtTurn:
    """A turn of a conversation, and whether it is taught."""

    message: Message
    taught: bool = True


def _turns(row: GivenRow, value: Any, key: str) -> list[_TaughtTurn]:
    """Return the turns of a conversation, as OpenAI or as ShareGPT writes them."""
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise row.error(f"expected turns with `role` and `content` as `{key}`")
    told = [{name: v for name, v in one.items() if v is not None} for one in value]
    # a system that says nothing is none
    turns = [_turn(row, one, key) for one in told if one != {"role": "system", "content": ""}]
    for place, turn in enumerate(turns):
        if place and turn.message.role is MessageRole.SYSTEM:
            raise row.error(f"expected the system at the beginning of `{key}`, not as turn {place + 1}")
    return turns


def _turn(row: GivenRow, turn: dict[str, Any], key: str) -> _TaughtTurn:
    role, said = ("from", "value") if "from" in turn else ("role", "content")
    name, content, weight = str(turn.get(role)).lower(), turn.get(said), turn.get("weight", 1)
    if _CALLS.intersection(turn) or name in _CALLS:
        raise row.error(f"`{key}` has a call of a tool", "calls of tools are not taught: leave such rows out")
    if name not in _ROLES:
        raise row.error(f"expected one of {', '.join(_ROLES)} as `{role}` in `{key}`")
    if unknown := sorted(turn.keys() - {role, said, "weight"}):
        raise row.error(
            f"`{unknown[0]}` is not known in a turn beside `{role}` and `{said}`",
            "a turn that is not to be taught has `weight` 0"
            if isinstance(turn[unknown[0]], bool)
            else row.jq(f"del(.{key}[][{json.dumps(unknown[0])}])"),
        )
    if isinstance(content, list):  # parts, as OpenAI has them
        # thoughts and pictures are no text
        parts = [
            part.get("text")
            if isinstance(part, dict) and str(part.get("type", "text"))[-4:] == "text"
            else part
            for part in content
        ]
        content = "".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else None
    if not isinstance(content, str) or not _says(content):
        raise row.error(f"expected a text as `{said}` of every turn in `{key}`")
    if weight not in (0, 1):
        raise row.error(f"expected 0 or 1 as `weight` in `{key}`")
    if _ROLES[name] is MessageRole.ASSISTANT:
        content = _spoken(row, content)
    return _TaughtTurn(Message(_ROLES[name], content), taught=bool(weight))


def _begun(turns: Sequence[_TaughtTurn], row: GivenRow, prompts: Prompts) -> list[_TaughtTurn]:
    """Return the turns with a system at their beginning: their own, the row's, or what is served."""
    if turns and turns[0].message.role is MessageRole.SYSTEM:
        return [*turns]
    if said := row.text("system", optional=True).strip():
        return [_TaughtTurn(Message(MessageRole.SYSTEM, said)), *turns]
    return [*(_TaughtTurn(turn) for turn in prompts.base("") if turn.role is MessageRole.SYSTEM), *turns]


def _lessons(row: GivenRow, turns: Sequence[_TaughtTurn], options: tuple[str, ...] = ()) -> list[Example]:
    """Return an example for every turn of the assistant that is taught, each behind all turns before it."""
    messages = [turn.message for turn in turns]
    places = [
        place
        for place, turn in enumerate(turns)
        if turn.taught and turn.message.role is MessageRole.ASSISTANT
        # a greeting answers nobody
        if any(before.role is MessageRole.USER for before in messages[:place])
    ]
    if not places:
        raise row.error("expected a turn of the assistant after one of the user, to learn from")
    _unrendered(row, *(message.content for message in messages))
    # what is of one conversation stays on one side of a split
    source = _source(row) or (row.place if len(places) > 1 else "")
    kind = ExampleKind.LABEL if options else ExampleKind.INSTRUCTION
    return [
        Example(kind, tuple(messages[:place]), messages[place].content, source, options=options)
        for place in places
    ]


def _talk(row: GivenRow, prompts: Prompts) -> list[Example]:
    keys = [key for key in _TALKS if key in row.value]
    if len(keys) > 1:
        raise row.error(f"expected one of {', '.join(keys)}")
    return _lessons(row, _begun(_turns(row, row.value[keys[0]], keys[0]), row, prompts))


def _alpaca(row: GivenRow, prompts: Prompts) -> list[Example]:
    if "output" in row.value and "response" in row.value:
        raise row.error("expected `output` or `response`, not both")
    given = "context" if "context" in row.value else "input"
    asked = _joined(row, given)
    said = _spoken(row, row.text("response" if "response" in row.value else "output"))
    if "text" in row.value and not (row.text("instruction") in row.text("text") and said in row.text("text")):
        raise row.error("`text` says something else than `instruction` and `output`", row.jq("del(.text)"))
    history = row.value.get("history", [])
    if not isinstance(history, list) or not all(_is_exchange(one) for one in history):
        raise row.error("expected pairs of texts, asked and answered, as `history`")
    roles = (MessageRole.USER, MessageRole.ASSISTANT)
    before = [
        _TaughtTurn(Message(role, text), taught=False)
        for one in history
        for role, text in zip(roles, one, strict=True)
    ]
    turns = [
        *before,
        *(_TaughtTurn(Message(role, text)) for role, text in zip(roles, (asked, said), strict=True)),
    ]
    return _lessons(row, _begun(turns, row, prompts))


def _joined(row: GivenRow, given: str = "input") -> str:
    """Return an instruction of Alpaca with what it is about."""
    about = row.text(given, optional=True).strip()
    return f"{row.text('instruction')}\n\n{about}" if about else row.text("instruction")


def _is_exchange(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(text, str) and _says(text) for text in value)
    )


def _completion(row: GivenRow, prompts: Prompts) -> list[Example]:
    options, said = row.texts("options"), row.value["completion"]
    asked = _asked(row, prompts, options)
    if isinstance(said, list):
        turns = _turns(row, said, "completion")
    else:
        turns = [_TaughtTurn(Message(MessageRole.ASSISTANT, _spoken(row, row.text("completion"))))]
    if options and len({*options}) < max(len(options), 2):
        raise row.error("expected two or more `options`, all different")
    if options and (len(turns) != 1 or turns[0].message.content not in options):
        raise row.error("expected a `completion` that is one of the `options`")
    return _lessons(row, [*(replace(turn, taught=False) for turn in asked), *turns], options)


def _asked(row: GivenRow, prompts: Prompts, options: tuple[str, ...] = ()) -> list[_TaughtTurn]:
    """Return the conversation of a ``prompt``: its turns, or what the arm ``adapter`` makes of a text."""
    if isinstance(row.value.get("prompt"), list):
        return _begun(_turns(row, row.value["prompt"], "prompt"), row, prompts)
    text = row.text("prompt")
    if options:
        return [*map(_TaughtTurn, prompts.choice(text, options))]
    return _begun([_TaughtTurn(Message(MessageRole.USER, text))], row, prompts)


def _preference(row: GivenRow, prompts: Prompts) -> PreferencePair:
    """Return what is preferred; each side is a text, a turn, or a conversation that may repeat the prompt."""
    for key in ("chosen", "rejected"):
        if key not in row.value:
            raise row.error(f"expected `{key}` beside the other, a text or a turn of the assistant")
    asked = _preference_prompt(row, prompts)
    sides = [_side(row, key) for key in ("chosen", "rejected")]
    if not asked:
        shared = [one for one, other in zip(*sides, strict=False) if one == other]
        asked = _begun([*map(_TaughtTurn, shared)], row, prompts) if shared else []
        sides = [side[len(shared) :] for side in sides]
    own = [turn.message for turn in asked]
    said = []
    for key, side in zip(("chosen", "rejected"), sides, strict=True):
        behind = [turn for turn in side if turn.role is not MessageRole.SYSTEM]
        if len(behind) > 1 and behind[:-1] == [turn for turn in own if turn.role is not MessageRole.SYSTEM]:
            side = behind[-1:]  # it repeats the prompt
        if len(side) != 1 or side[0].role is not MessageRole.ASSISTANT or not own:
            raise row.error(
                f"expected `prompt`, and one turn of the assistant as `{key}` behind the same turns",
                'write each row as {"prompt": "…", "chosen": "…", "rejected": "…"}',
            )
        said.append(side[0].content)
    if said[0].split() == said[1].split():
        raise row.error("`chosen` and `rejected` say the same")
    _unrendered(row, *said, *(turn.content for turn in own))
    return PreferencePair(tuple(own), said[0], said[1], _source(row))


def _preference_prompt(row: GivenRow, prompts: Prompts) -> list[_TaughtTurn]:
    keys = [key for key in ("prompt", "question", "instruction", *_TALKS) if key in row.value]
    if len(keys) > 1:
        raise row.error(f"expected one of {', '.join(keys)}")
    match keys:
        case ["prompt"]:
            return _asked(row, prompts)
        case ["question" | "instruction" as key]:
            text = _joined(row) if key == "instruction" else row.text(key)
            return _begun([_TaughtTurn(Message(MessageRole.USER, text))], row, prompts)
        case [key]:
            return _begun(_turns(row, row.value[key], key), row, prompts)
    return []


def _side(row: GivenRow, key: str) -> list[Message]:
    value = row.value[key]
    if isinstance(value, str):
        return [Message(MessageRole.ASSISTANT, _spoken(row, row.text(key)))]
    return [turn.message for turn in _turns(row, [value] if isinstance(value, dict) else value, key)]


def _question(row: GivenRow) -> Question:
    for key in ("answers", "options"):
        if not isinstance(row.value.get(key, []), list):
            raise row.error(f"expected a list as `{key}`", "" if key == "options" else _answers(row))
    # of other question sets only what is read is known
    if "answers" in row.value or "label" in row.value:
        _only(row, "question")
    question = question_of(row.value, row.number, row.path)
    question = replace(question, answers=tuple(_spoken(row, answer) for answer in question.answers))
    if question.answerable and not any(answer.strip() for answer in question.answers):
        raise row.error("expected `answers`, or `answerable` as false", _conversion(row))
    if question.options and not set(question.answers) & set(question.options):
        raise row.error("expected an answer that is one of the `options`")
    return question


def _answers(row: GivenRow) -> str:
    texts = isinstance(row.value["answers"], dict)
    return row.jq(f"{{question, answers: {'.answers.text' if texts else '[.answers]'}}}")


def _pair(row: GivenRow) -> QueryPair:
    pair = row.read(QueryPair)
    row.text("query"), row.text("passage")
    return pair
