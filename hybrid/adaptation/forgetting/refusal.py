"""Declining before and after tuning: what is declined rightly and wrongly, and answers that were lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from hybrid.adaptation.forgetting.measure import RIGHTS, Counting, Item, changes
from hybrid.adaptation.forgetting.suites import Suite
from hybrid.adaptation.values import Change, Declining, Example, ExampleKind
from hybrid.files import hash_text, write_json
from hybrid.generation.prompts import Prompts, declines
from hybrid.models import Generator
from hybrid.models.resolve import cached
from hybrid.text.words import contains
from hybrid.types import Message

# A quote and a short answer; in general only whether it declines is looked at, which it has done by then.
_ANSWER_TOKENS = 64
_GENERAL_TOKENS = 16
_WRONGS = Counting("points", higher_is_better=False, bounded=True)
_COUNTINGS: Mapping[str, Counting] = {
    Declining.RIGHTLY: RIGHTS,
    Declining.WRONGLY: _WRONGS,
    Declining.ANSWERED: RIGHTS,
    Declining.LOST: _WRONGS,
    Declining.GENERAL_RIGHTLY: RIGHTS,
    Declining.GENERAL_WRONGLY: _WRONGS,
}
# At most so many general questions of each kind.
_GENERAL = 24


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the generator gets it.

    ``answer`` is what a right answer holds, empty where there is none. ``source`` is the document that it
    is about; ``general`` tells that it is about none of the domain.
    """

    prompt: tuple[Message, ...]
    answer: str
    source: str
    general: bool = False


def domain_questions(examples: Sequence[Example]) -> list[Asked]:
    """Return the questions of examples that read: those with the passage that answers, and those without."""
    return [
        Asked(
            example.prompt,
            example.completion.rpartition("\n")[2] if example.kind is ExampleKind.READING else "",
            example.source,
        )
        for example in examples
        if example.kind in (ExampleKind.READING, ExampleKind.ABSTENTION)
    ]


def general_questions(suite: Suite, prompts: Prompts) -> list[Asked]:
    """Return questions of a suite that anybody can answer, and those that nobody can, without passages."""
    step = max(1, len(suite.choices) // _GENERAL)
    easy = [(choice.question, choice.options[choice.right]) for choice in suite.choices[::step]]
    open_ = [(question, "") for question in suite.unanswerable]
    return [
        Asked(prompts.base(question), answer, question, general=True)
        for question, answer in [*easy[:_GENERAL], *open_[:_GENERAL]]
    ]


def refusal_changes(
    base: Generator,
    adapted: Generator,
    asked: Sequence[Asked],
    *,
    seed: int = 0,
    progress: Callable[[str], None] = lambda doing: None,
) -> tuple[Change, ...]:
    """Return what an adapter changed in what is declined and what is answered, paired by question.

    Of what has an answer: how much is declined all the same, how much is answered with the gold words, and
    how many answers the base had and the adapter has not (``Declining.LOST``, which is 0 before). Of what has
    none: how much is declined. What does not fit the context is left out; questions of one document are
    resampled together.

    Args:
        base: the generator without the adapter; what it writes is kept in the cache folder.
        adapted: the same with it.
        asked: the questions.
        seed: of the resampling.
        progress: told what is being asked.
    """
    room = base.context_tokens - _ANSWER_TOKENS
    asked = [one for one in asked if base.count_prompt_tokens(one.prompt) <= room]
    if not asked:
        return ()
    progress("refusal, the base")
    before = _kept(base, asked)
    progress("refusal, the adapter")
    items: list[Item] = []
    for number, (one, was, now) in enumerate(zip(asked, before, written(adapted, asked), strict=True)):
        items += _items(str(number), one, was, now)
    return changes(items, _COUNTINGS, seed=seed)


def written(model: Generator, asked: Sequence[Asked]) -> list[str]:
    """Return what a model says to each question."""
    texts = dict[int, str]()
    for general, tokens in ((False, _ANSWER_TOKENS), (True, _GENERAL_TOKENS)):
        places = [place for place, one in enumerate(asked) if one.general is general]
        found = (
            model.generate([asked[place].prompt for place in places], max_new_tokens=tokens) if places else []
        )
        texts |= {place: each.text for place, each in zip(places, found, strict=True)}
    return [texts[place] for place in range(len(asked))]


def is_right(one: Asked, text: str) -> bool:
    """Tell whether a text answers with the gold words, or declines where there is nothing to answer."""
    return not declines(text) and contains(text, one.answer) if one.answer else declines(text)


def _items(number: str, one: Asked, was: str, now: str) -> list[Item]:
    """Return what one question says of each measure."""
    rightly, wrongly = (
        (Declining.GENERAL_RIGHTLY, Declining.GENERAL_WRONGLY)
        if one.general
        else (Declining.RIGHTLY, Declining.WRONGLY)
    )

    def item(measure: Declining, before: bool, after: bool) -> Item:
        return Item(measure, number, "", one.source or number, float(before), float(after))

    found = [item(wrongly if one.answer else rightly, declines(was), declines(now))]
    if one.answer and not one.general:
        had, has = is_right(one, was), is_right(one, now)
        found += [item(Declining.ANSWERED, had, has), item(Declining.LOST, False, had and not has)]
    return found


def _kept(base: Generator, asked: Sequence[Asked]) -> list[str]:
    """Return what the base says, from the cache if it is there."""
    prompts = [message.content for one in asked for message in one.prompt]
    path = cached("refusal", f"{hash_text(base.digest, torch.__version__, *prompts)[:32]}.json")
    try:
        texts = json.loads(path.read_text(encoding="utf-8"))
        if len(texts) == len(asked):
            return [str(text) for text in texts]
    except (OSError, ValueError, TypeError):
        pass  # none, or damaged: asked anew
    texts = written(base, asked)
    write_json(path, texts)
    return texts
