"""Reinforcement from a judge's feedback: sampled answers, pairs of the best and the worst, DPO, in rounds.

As in FINDAP (Ke et al. 2025, arXiv:2501.04961) preferences are made of the model's own answers and mixed with
general data: every round begins with the weights of the one before, and rehearsal holds it. The judge says
whether the passages carry an answer; no gold answer is used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hybrid.adaptation.data.files import LEAST_EXAMPLES
from hybrid.adaptation.forgetting.measure import paired_change
from hybrid.adaptation.values import Change, Example, ExampleKind, PreferencePair
from hybrid.generation.citations import without_markers
from hybrid.generation.prompts import STOP, declines, shown
from hybrid.grounding.judge import Case, Grounder
from hybrid.models import Generator
from hybrid.text.words import content_words
from hybrid.types import Message

# To decline is better than what no passage carries, and worse than what one does.
_DECLINED = 0.5
# Two answers whose rewards differ by less are no pair.
_APART = 0.25
_ANSWER_TOKENS = 64
# More or fewer words than the base by this factor is a way to please the judge.
_LONGER = 2.0


@dataclass(frozen=True, slots=True)
class Posed:
    """A question with the passages that it is read from.

    ``answerable`` tells whether they hold the answer: it is told of a round, and never rewarded.
    """

    prompt: tuple[Message, ...]
    asked: str
    passages: tuple[str, ...]
    source: str
    answerable: bool


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to on held-out questions; the first one is the generator as it was.

    ``reward`` is the judge's, from 0 to 1; ``change`` is against the first, paired. ``words`` are those
    of an answer. ``declined`` is the share of what has an answer, ``declined_rightly`` of what has none.
    ``ended`` says why the rounds end here; the best is the last one that is ``kept``.
    """

    name: str
    pairs: int
    reward: float
    words: float
    declined: float
    declined_rightly: float
    change: Change | None = None
    ended: str = ""
    kept: bool = True


def posed(examples: Sequence[Example]) -> list[Posed]:
    """Return the questions of examples that read, with the passages that stand in their prompts."""
    found = []
    for example in examples:
        passages, asked = shown(example.prompt[-1].content)
        answerable = example.kind is ExampleKind.READING
        found.append(Posed(example.prompt, asked, passages, example.source, answerable))
    return found


def rewards(grounder: Grounder, asked: Sequence[Posed], texts: Sequence[str]) -> list[float]:
    """Return what the judge gives for each answer, from 0 to 1.

    It is the mean probability that the passages carry what is claimed, and 0 where nothing is claimed or no
    word of the question is taken up: any passage that is only copied is carried too.
    """
    cases = [Case(without_markers(text), one.passages) for one, text in zip(asked, texts, strict=True)]
    judged = grounder.ground_all(cases)
    values = []
    for one, text, found in zip(asked, texts, judged, strict=True):
        support = [verdict.support for verdict in found.verdicts if verdict.support is not None]
        about = not set(content_words(one.asked)).isdisjoint(content_words(text))
        carried = float(np.mean(support)) if support and about else 0.0
        values.append(_DECLINED if declines(text) else carried)
    return values


def judged_pairs(
    policy: Generator, grounder: Grounder, asked: Sequence[Posed], *, samples: int, seed: int
) -> list[PreferencePair]:
    """Return the best and the worst of some samples for each question where the judge tells them apart."""
    drawn = policy.sample(
        [one.prompt for one in asked], samples, max_new_tokens=_ANSWER_TOKENS, seed=seed, stop=STOP
    )
    texts = [generation.text for written in drawn for generation in written]
    repeated = [one for one in asked for _ in range(samples)]
    values = np.reshape(rewards(grounder, repeated, texts), (len(asked), samples))
    pairs = []
    for place, (one, row) in enumerate(zip(asked, values, strict=True)):
        best, worst = (int(row.argmax()), int(row.argmin()))
        chosen, rejected = (texts[place * samples + number] for number in (best, worst))
        if row[best] - row[worst] >= _APART and chosen.strip() and rejected.strip():
            pairs.append(PreferencePair(one.prompt, chosen, rejected, one.source, "judged"))
    return pairs


def improve(
    policy: Callable[[str], Generator],
    learn: Callable[[Sequence[PreferencePair], str, int], str],
    grounder: Grounder,
    train: Sequence[Posed],
    checks: Sequence[Posed],
    *,
    start: str = "",
    rounds: int = 3,
    samples: int = 4,
    seed: int = 0,
    tolerance: float = 5.0,
    progress: Callable[[Round], None] = lambda done: None,
) -> list[Round]:
    """Go on in rounds while the judge's reward on held-out questions grows; return all of them.

    A round that pleases the judge in another way than by better
    answers ends them too: by far longer or shorter ones, or by declining what has an answer.

    Args:
        policy: gives the generator of a round by its name, empty for the base.
        learn: trains on pairs, beginning with a round, as the round of a number; returns its name.
        grounder: the judge.
        train: questions to learn from; each round takes its share of them.
        checks: questions of other documents.
        start: the adapter to begin with.
        rounds: at most.
        samples: of each question.
        seed: of the samples.
        tolerance: how many points more of what has an answer may be declined.
        progress: told every round.
    """
    name = start
    before, first = _looked(policy(start), grounder, checks, start, 0)
    done = [first]
    progress(first)
    for number in range(1, rounds + 1):
        asked = train[number - 1 :: rounds]
        pairs = judged_pairs(policy(name), grounder, asked, samples=samples, seed=seed + number)
        if len(pairs) < LEAST_EXAMPLES:
            too_few = f"the judge tells the samples of {len(pairs)} questions apart, which is too few"
            done[-1] = dataclasses.replace(done[-1], ended=too_few)
            break
        name = learn(pairs, name, number)
        after, found = _looked(policy(name), grounder, checks, name, len(pairs))
        change = paired_change(
            "judge's reward",
            before,
            after,
            [one.source for one in checks],
            unit="points",
            higher_is_better=True,
            scale=100,
            seed=seed,
        )
        why = _why(first, done[-1], found, tolerance)
        found = dataclasses.replace(found, change=change, ended=why, kept=not why)
        done.append(found)
        progress(found)
        if found.ended:
            break
    return done


def _why(first: Round, last: Round, found: Round, tolerance: float) -> str:
    if found.reward <= last.reward:
        return "the judge's reward grows no longer"
    if 100 * (found.declined - first.declined) > tolerance:
        return "declining what has an answer pleases the judge"
    if first.words and not first.words / _LONGER <= found.words <= first.words * _LONGER:
        return f"answers of {found.words:.0f} words instead of {first.words:.0f} please the judge"
    return ""


def _looked(
    policy: Generator, grounder: Grounder, checks: Sequence[Posed], name: str, pairs: int
) -> tuple[list[float], Round]:
    """Return the rewards of the likeliest answers, and what is told of them."""
    written = policy.generate([one.prompt for one in checks], max_new_tokens=_ANSWER_TOKENS, stop=STOP)
    texts = [generation.text for generation in written]
    values = rewards(grounder, checks, texts)
    words = [len(text.split()) for text in texts if not declines(text)]
    declined = {
        side: [declines(text) for one, text in zip(checks, texts, strict=True) if one.answerable is side]
        for side in (True, False)
    }
    shares = {side: float(np.mean(found)) if found else 0.0 for side, found in declined.items()}
    mean = float(np.mean(words)) if words else 0.0
    return values, Round(name, pairs, float(np.mean(values)), mean, shares[True], shares[False])
