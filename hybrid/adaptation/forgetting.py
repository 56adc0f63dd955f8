"""What a generator forgot: paired changes of general ability, of refusal, and of tasks of lm-eval."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np
import torch
from scipy.special import softmax

from hybrid.adaptation.methods.encoding import (
    TokenStretch,
    compare,
    continuation,
    log_likelihoods,
    number_format,
    paired_change,
    pieces,
)
from hybrid.adaptation.suites import Choice, Suite
from hybrid.adaptation.values import (
    COUNTINGS,
    RIGHTS,
    WRONGS,
    Change,
    Counting,
    Declining,
    Example,
    ExampleKind,
    Measure,
    Note,
    silent,
)
from hybrid.errors import AdapterError, ExtraMissing, UsageError
from hybrid.files import adapter_of, hash_text, write_json
from hybrid.generation.prompts import Prompts, declines
from hybrid.models import Generator
from hybrid.models.generator import TransformersGenerator
from hybrid.models.resolve import cached
from hybrid.text.words import contains
from hybrid.types import Message, MessageRole

_Said = TypeVar("_Said")

_ANSWER_TOKENS = 20
# Changes with the way of measuring: what was kept of another way is measured again.
_MEASURED_AS = "2"


@dataclass(frozen=True, slots=True)
class Item:
    """One item before and after: a value for each unit of its weight, such as nats for each token.

    Those of one ``source`` are not independent; without one it is by itself.
    """

    measure: str
    id: str
    before: float
    after: float
    weight: float = 1.0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """What one model says to a suite, in the order of its items: what may be kept for the base."""

    margins: tuple[float, ...]
    options: tuple[tuple[float, ...], ...]
    followed: tuple[bool, ...]


def measure(
    base: TransformersGenerator, adapted: TransformersGenerator, suite: Suite, *, progress: Note = silent
) -> list[Item]:
    """Return what a base and an adapter say to each item; the base's answers are kept in the cache folder.

    Right or wrong is too coarse to see a loss of one point: of 500 pairs a handful change sides, in both
    directions. So pairs and choices are also scored softly, by the probability that the model gives to the
    right one when it has to choose, which moves with every item. It also rises when a model only becomes
    surer of itself, so both are reported.

    Items are resampled, a document of several passages as a whole. The phenomena of the minimal pairs are
    not: they are what grammar means here, each with as many pairs as the others, and the pairs are the
    sample. The bounds speak about further pairs of these phenomena, not about other phenomena.
    """
    if not (suite.passages or suite.pairs or suite.choices or suite.probes):
        raise UsageError(f"the suite {suite.name!r} has no items", hint="name a folder that has some")
    form = number_format(base)
    progress("general text")
    items = _texts(base, adapted, suite)
    progress("the base on pairs, choices and formats")
    before = _kept(base, suite, form)
    progress("the adapter on pairs, choices and formats")
    items += _answers(suite, before, answers(adapted, suite))
    for item in items:
        if not math.isfinite(item.before) or not math.isfinite(item.after):
            raise AdapterError(
                f"{item.measure}, item {item.id!r}: {item.before} before, {item.after} after, not numbers",
                hint="the weights are damaged or the learning rate was far too high: tune the adapter again",
            )
    return items


def answers(model: TransformersGenerator, suite: Suite) -> Answers:
    """Return what a model says to pairs, choices and formats."""
    sentences = [continuation(model, "", text) for pair in suite.pairs for text in (pair.good, pair.bad)]
    asked = [stretch for choice in suite.choices for stretch in _options(model, choice)]
    values = log_likelihoods(model, [*sentences, *asked])
    good, bad = values[0 : len(sentences) : 2], values[1 : len(sentences) : 2]
    rest = iter(values[len(sentences) :])
    options = tuple(tuple(next(rest) for _ in choice.options) for choice in suite.choices)
    written = model.generate(
        [[Message(MessageRole.USER, probe.prompt)] for probe in suite.probes], max_new_tokens=_ANSWER_TOKENS
    )
    followed = (probe.followed(answer.text) for probe, answer in zip(suite.probes, written, strict=True))
    return Answers(tuple(one - other for one, other in zip(good, bad, strict=True)), options, tuple(followed))


def changes(
    items: Iterable[Item], countings: Mapping[str, Counting] = COUNTINGS, *, seed: int = 0
) -> tuple[Change, ...]:
    """Return the change of each measure over its items, in the order in which measures appear."""
    by_measure: dict[str, list[Item]] = {}
    for item in items:
        by_measure.setdefault(item.measure, []).append(item)
    return tuple(_change(name, found, countings[name], seed) for name, found in by_measure.items())


def _change(name: str, items: Sequence[Item], counting: Counting, seed: int) -> Change:
    # weighted so that the mean over items is that over all tokens; how many these are is not drawn anew
    weights = np.array([item.weight for item in items])
    weights = weights / weights.mean()
    return paired_change(
        name,
        [item.before * weight for item, weight in zip(items, weights, strict=True)],
        [item.after * weight for item, weight in zip(items, weights, strict=True)],
        [item.source or item.id for item in items],
        counting,
        seed=seed,
    )


def _texts(base: TransformersGenerator, adapted: TransformersGenerator, suite: Suite) -> list[Item]:
    """Return cross-entropy and divergence of each passage, by token."""
    cut = [pieces(base, passage.text) for passage in suite.passages]
    apart = iter(compare(base, adapted, [stretch for stretches in cut for stretch in stretches]))
    items: dict[Measure, list[Item]] = {Measure.TEXT: [], Measure.DIVERGENCE: []}
    for passage, stretches in zip(suite.passages, cut, strict=True):
        found = [next(apart) for _ in stretches]
        tokens = sum(stretch.judged for stretch in stretches)
        if not tokens:
            continue
        before, after = sum(each.before for each in found), sum(each.after for each in found)
        away = sum(each.divergence for each in found)
        for measured, one, other in ((Measure.TEXT, before, after), (Measure.DIVERGENCE, 0.0, away)):
            values = one / tokens, other / tokens, float(tokens)
            items[measured].append(Item(measured, passage.id, *values, passage.source))
    return [item for found in items.values() for item in found]


def _answers(suite: Suite, before: Answers, after: Answers) -> list[Item]:
    soft, hard = [], []
    for pair, one, other in zip(suite.pairs, before.margins, after.margins, strict=True):
        soft.append(Item(Measure.PAIRS, pair.id, _share((one, 0.0), 0), _share((other, 0.0), 0)))
        hard.append(Item(Measure.PAIRS_RIGHT, pair.id, float(one > 0), float(other > 0)))
    for choice, these, those in zip(suite.choices, before.options, after.options, strict=True):
        right = choice.right
        soft.append(Item(Measure.CHOICES, choice.id, _share(these, right), _share(those, right)))
        first, last = (float(np.argmax(side) == right) for side in (these, those))
        hard.append(Item(Measure.CHOICES_RIGHT, choice.id, first, last))
    for probe, was, now in zip(suite.probes, before.followed, after.followed, strict=True):
        hard.append(Item(Measure.FORMATS, probe.id, float(was), float(now)))
    return [*soft, *hard]


def _options(model: TransformersGenerator, choice: Choice) -> list[TokenStretch]:
    # the layout that base and instruct models of this size do best with, by the sum over tokens
    head = f"Question: {choice.question}\nAnswer:"
    return [continuation(model, head, f" {option}") for option in choice.options]


def _share(values: Sequence[float], place: int) -> float:
    """Return the probability of one of several options, given their log-likelihoods."""
    return float(softmax(values)[place])


def _kept(base: TransformersGenerator, suite: Suite, form: str) -> Answers:
    """Return the base's answers, from the cache if they are there."""
    sizes = (len(suite.pairs), len(suite.choices), len(suite.probes))
    return _remembered(
        "general",
        (_MEASURED_AS, base.digest, suite.digest, form, torch.__version__, str(torch.get_num_threads())),
        Answers,
        lambda: answers(base, suite),
        lambda kept: (len(kept.margins), len(kept.options), len(kept.followed)) == sizes,
    )


def _remembered(
    room: str, key: Sequence[str], kind: Any, make: Callable[[], _Said], fits: Callable[[_Said], bool]
) -> _Said:
    """Return what the cache keeps under a key; what is missing, damaged or does not fit is made and kept."""
    path, values = cached(room, f"{hash_text(*key)[:32]}.json"), adapter_of(kind)
    try:
        found: _Said = values.validate_json(path.read_bytes())
    except (OSError, ValueError):
        pass
    else:
        if fits(found):
            return found
    made = make()
    write_json(path, values.dump_python(made))
    return made


def measure_tasks(
    base: TransformersGenerator,
    adapted: TransformersGenerator,
    tasks: Sequence[str],
    *,
    items: int | None = None,
    seed: int = 0,
) -> tuple[Change, ...]:
    """Return the changes of every metric of these tasks that is a number from 0 to 1 for each document.

    ``items``: at most so many documents of a task, its first ones; None takes all.
    """
    if find_spec("lm_eval") is None:
        raise ExtraMissing(
            f"measuring {', '.join(tasks)} needs: lm-eval", hint="pip install 'hybrid-assistant[harness]'"
        )
    before, after = (_run(subject, tasks, items, seed) for subject in (base, adapted))
    found = [Item(each[0], each[2], value, after[each]) for each, value in before.items() if each in after]
    if not found:
        raise UsageError(
            f"{', '.join(tasks)}: no metric is a number from 0 to 1 for each document, so none can be paired",
            hint="choose tasks that are scored by accuracy or exact match",
        )
    countings = {name: RIGHTS if rises else WRONGS for name, rises, _ in before}
    return changes(found, countings, seed=seed)


def _run(
    subject: TransformersGenerator, tasks: Sequence[str], items: int | None, seed: int
) -> dict[tuple[str, bool, str], float]:
    """Return what the harness says: a value for each measure, whether that is to rise, and document."""
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM

    with subject.lent() as module:
        model = HFLM(pretrained=module, tokenizer=subject.dialogue.tokenizer, batch_size=8)
        try:
            results = simple_evaluate(
                model=model,
                tasks=list(tasks),
                limit=items,
                log_samples=True,
                bootstrap_iters=0,
                random_seed=seed,
                numpy_random_seed=seed,
                torch_random_seed=seed,
                fewshot_random_seed=seed,
            )
        except (KeyError, ValueError, OSError) as error:
            raise UsageError(
                f"lm-eval cannot run {', '.join(tasks)}: {error}",
                hint="`lm-eval ls tasks` shows what it knows; it fetches data sets from the hub",
            ) from error
    return _sampled(results)


def _sampled(results: Mapping[str, Any]) -> dict[tuple[str, bool, str], float]:
    values: dict[tuple[str, bool, str], float] = {}
    for task, samples in results["samples"].items():
        directions = results.get("higher_is_better", {}).get(task, {})
        filters = {sample.get("filter", "none") for sample in samples}
        for sample in samples:
            behind = f", {sample['filter']}" if len(filters) > 1 else ""
            for metric in sample.get("metrics", ()):
                value, rises = sample[metric], directions.get(metric)
                if isinstance(value, (bool, int, float)) and 0 <= value <= 1 and rises is not None:
                    values[f"{task}: {metric}{behind}", bool(rises), str(sample["doc_id"])] = float(value)
    return values


# A quote and a short answer; in general only whether it declines is looked at, which it has done by then.
_REPLY_TOKENS = 64
_GENERAL_TOKENS = 16
# At most so many general questions of each kind.
_GENERAL = 24


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """A question as the generator gets it.

    ``answer`` is what a right answer holds, empty where there is none. ``source`` is the document that it
    is about; ``general`` tells that it is about none of the domain.
    """

    prompt: tuple[Message, ...]
    answer: str
    source: str
    general: bool = False


def domain_questions(examples: Sequence[Example]) -> list[AskedQuestion]:
    """Return the questions of examples that read: those with the passage that answers, and those without."""
    return [
        AskedQuestion(
            example.prompt,
            example.completion.rpartition("\n")[2] if example.kind is ExampleKind.READING else "",
            example.source,
        )
        for example in examples
        if example.kind in (ExampleKind.READING, ExampleKind.ABSTENTION)
    ]


def general_questions(suite: Suite, prompts: Prompts) -> list[AskedQuestion]:
    """Return questions of a suite that anybody can answer, and those that nobody can, without passages."""
    step = max(1, len(suite.choices) // _GENERAL)
    easy = [(choice.question, choice.options[choice.right]) for choice in suite.choices[::step]]
    open_ = [(question, "") for question in suite.unanswerable]
    return [
        AskedQuestion(prompts.base(question), answer, question, general=True)
        for question, answer in [*easy[:_GENERAL], *open_[:_GENERAL]]
    ]


def refusal_changes(
    base: Generator,
    adapted: Generator,
    asked: Sequence[AskedQuestion],
    *,
    seed: int = 0,
    progress: Note = silent,
) -> tuple[Change, ...]:
    """Return what an adapter changed in what is declined and what is answered, paired by question.

    Of what has an answer: how much is declined all the same, how much is answered with the gold words, and
    how many answers the base had and the adapter has not (``Declining.LOST``, which is 0 before). Of what has
    none: how much is declined. What does not fit the context is left out; questions of one document are
    resampled together.
    """
    room = base.context_tokens - _REPLY_TOKENS
    asked = [one for one in asked if base.count_prompt_tokens(one.prompt) <= room]
    if not asked:
        return ()
    progress("refusal, the base")
    before = written(base, asked, keep=True)
    progress("refusal, the adapter")
    items: list[Item] = []
    for number, (one, was, now) in enumerate(zip(asked, before, written(adapted, asked), strict=True)):
        items += _items(str(number), one, was, now)
    return changes(items, seed=seed)


def written(model: Generator, asked: Sequence[AskedQuestion], *, keep: bool = False) -> list[str]:
    """Return what a model says to each question.

    With ``keep`` that is kept in the cache, general questions apart: every domain asks the same.
    """
    texts = dict[int, str]()
    for general, tokens in ((False, _REPLY_TOKENS), (True, _GENERAL_TOKENS)):
        places = [place for place, one in enumerate(asked) if one.general is general]
        prompts = [asked[place].prompt for place in places]
        texts |= zip(places, _replies(model, prompts, tokens, keep=keep), strict=True)
    return [texts[place] for place in range(len(asked))]


def _replies(
    model: Generator, prompts: Sequence[tuple[Message, ...]], tokens: int, *, keep: bool
) -> list[str]:
    def said() -> list[str]:
        return [each.text for each in model.generate(prompts, max_new_tokens=tokens)] if prompts else []

    if not keep or not prompts:
        return said()
    key = (turn.content for prompt in prompts for turn in prompt)
    told = (model.digest, torch.__version__, str(tokens), *key)
    return _remembered("refusal", told, list[str], said, lambda kept: len(kept) == len(prompts))


def is_right(one: AskedQuestion, text: str) -> bool:
    """Tell whether a text answers with the gold words, or declines where there is nothing to answer."""
    return not declines(text) and contains(text, one.answer) if one.answer else declines(text)


def _items(number: str, one: AskedQuestion, was: str, now: str) -> list[Item]:
    """Return what one question says of each measure."""
    rightly, wrongly = (
        (Declining.GENERAL_RIGHTLY, Declining.GENERAL_WRONGLY)
        if one.general
        else (Declining.RIGHTLY, Declining.WRONGLY)
    )

    def item(measure: Declining, before: bool, after: bool) -> Item:
        return Item(measure, number, float(before), float(after), source=one.source)

    found = [item(wrongly if one.answer else rightly, declines(was), declines(now))]
    if one.answer and not one.general:
        had, has = is_right(one, was), is_right(one, now)
        found += [item(Declining.ANSWERED, had, has), item(Declining.LOST, False, had and not has)]
    return found
