"""Direct preference optimisation, and reinforcement from a judge's feedback by it (RLAIF), in rounds.

DPO is that of Rafailov et al. 2023 (arXiv:2305.18290). As in FINDAP (Ke et al. 2025, arXiv:2501.04961) the
judge's preferences are among the model's own answers, mixed with general data: every round begins with the
weights of the one before, and rehearsal holds it. The judge says whether the passages carry an answer; no
gold answer is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from hybrid.adaptation.data.examples import LEAST_EXAMPLES
from hybrid.adaptation.methods.encoding import Encoded, EncodedPair, margins, paired_change
from hybrid.adaptation.methods.loop import Round, in_rounds
from hybrid.adaptation.values import POINTS, Example, ExampleKind, PreferencePair, silent
from hybrid.config import AdaptationSettings
from hybrid.errors import TrainingFailed, UsageError
from hybrid.files import hash_text
from hybrid.generation.citations import without_markers
from hybrid.generation.prompts import STOP, declines, shown
from hybrid.grounding.judge import Case, Grounder
from hybrid.models import Generator
from hybrid.text.words import content_words
from hybrid.types import Message

if TYPE_CHECKING:
    from torch import Tensor

    from hybrid.adaptation.methods.generator import GeneratorTask

# Of the rate that suits examples: a preference moves the weights on until every pair is far apart.
RATE_SHARE = 0.2
_WRITTEN_TOKENS = 64
# To decline is better than what no passage carries, and worse than what one does.
_DECLINED = 0.5
# Two answers whose rewards differ by less are no pair.
_APART = 0.25
_ANSWER_TOKENS = 64
# More or fewer words than the base by this factor is a way to please the judge.
_LONGER = 2.0


@dataclass(frozen=True, slots=True)
class PairStep:
    """A pair in a batch of ``pairs``; the first part of a batch pays what the weights are held by."""

    pair: EncodedPair
    pairs: int
    first: bool

    @property
    def rows(self) -> tuple[Encoded, ...]:
        """Return both answers."""
        return self.pair.chosen, self.pair.rejected


def dpo_loss(chosen: Tensor, rejected: Tensor, reference: Tensor, *, beta: float) -> Tensor:
    """Return −log σ(β·(margin − reference)) of each pair.

    ``chosen``: log-likelihoods of the better answers, shape (pairs,). ``reference``: by how much the model
    that training began with finds the better one likelier, in nats. ``beta``: how far a pair may be pulled
    apart; more keeps nearer to the reference.
    """
    return -functional.logsigmoid(beta * (chosen - rejected - reference))


class PreferenceTask:
    """What a generator is trained on where one answer is better than another.

    What the model says before training is the reference, read once: no second model is kept. Batches of pairs
    are held by the same rehearsal as those of examples, and both can be learned at once. ``task`` is of the
    examples and of rehearsal; without examples it has as many batches as there are of pairs. ``reads`` has it
    read the reference; False leaves that at 0, to try out what steps take.
    """

    def __init__(
        self,
        task: GeneratorTask,
        train: Sequence[EncodedPair],
        stop: Sequence[EncodedPair],
        settings: AdaptationSettings,
        *,
        reads: bool = True,
    ) -> None:
        self.module, self._task = task.module, task
        self._train, self._stop, self._settings = tuple(train), tuple(stop), settings
        # each part by itself: a look reads its pairs in the same batches, so that rounding is the same too
        parts = (self._train, self._stop)
        margins = [self.margins(part) if reads else [0.0] * len(part) for part in parts]
        self._reference = {
            pair.ids: margin
            for part, found in zip(parts, margins, strict=True)
            for pair, margin in zip(part, found, strict=True)
        }

    @cached_property
    def digest(self) -> str:
        """Return what decides the result: the examples, the pairs, and what the reference says of them."""
        said = [f"{ids}:{margin:.3f}" for ids, margin in self._reference.items()]
        return hash_text(self._task.digest, str(len(self._train)), *said)

    def batches(self, epoch: int) -> list[list[Any]]:
        """Return the batches of an epoch: pairs, each a part, with examples and rehearsal among them."""
        size, order = self._settings.batch, np.random.default_rng([self._settings.seed, epoch, 2])
        shuffled = [self._train[place] for place in order.permutation(len(self._train))]
        groups = [shuffled[begin : begin + size] for begin in range(0, len(shuffled), size)]
        batches: list[list[Any]] = [[*parts] for parts in self._task.batches(epoch, least=len(groups))]
        for group, parts in zip(groups, batches, strict=False):
            alone = not parts
            parts += [PairStep(pair, len(group), alone and not place) for place, pair in enumerate(group)]
        return batches

    def loss(self, module: Any, part: Any) -> Any:
        """Return the share of a part in the loss of its batch."""
        if not isinstance(part, PairStep):
            return self._task.loss(module, part)
        chosen, rejected = self._task.likelihoods(module, part.rows)
        reference = torch.as_tensor(self._reference[part.pair.ids], device=chosen.device)
        loss = dpo_loss(chosen, rejected, reference, beta=self._settings.beta) / part.pairs
        return loss + self._task.held() if part.first else loss

    def validate(self) -> tuple[float, float | None]:
        """Return the loss on the pairs, and examples, that tell when to stop, and on general text."""
        examples, general = self._task.validate()
        if not self._stop:
            return examples, general
        margins = torch.tensor(self.margins(self._stop))
        reference = torch.tensor([self._reference[pair.ids] for pair in self._stop])
        none = torch.zeros_like(margins)
        loss = float(dpo_loss(margins, none, reference, beta=self._settings.beta).mean())
        return loss if examples != examples else loss + examples, general

    def margins(self, pairs: Sequence[EncodedPair]) -> list[float]:
        """Return by how many nats the model finds the better answer of each pair likelier than the worse."""
        return margins(self._task.losses, pairs)


def require_pairs(count: int) -> None:
    """Raise a UsageError for fewer pairs than ``LEAST_EXAMPLES``."""
    if count < LEAST_EXAMPLES:
        raise UsageError(
            f"what is short enough gives {count} preference pairs, expected {LEAST_EXAMPLES} or more",
            hint="add documents, or rows with `prompt`, `chosen` and `rejected`",
        )


def with_own_mistakes(pairs: Sequence[PreferencePair], generator: Generator) -> list[PreferencePair]:
    """Return pairs whose worse answer is what the generator itself writes, wherever that is wrong.

    What nobody would write teaches little; pairs that are given stay as they are. Wrong is who answers where
    to decline is right, and declines where it is not, or leaves out the last line of the better answer.
    """
    made = [pair for pair in pairs if pair.made != "given"]
    found = [pair for pair in pairs if pair.made == "given"]
    written = generator.generate([pair.prompt for pair in made], max_new_tokens=_WRITTEN_TOKENS)
    for pair, said in zip(made, written, strict=True):
        answer = pair.chosen.rpartition("\n")[2].casefold()
        declined = declines(said.text)
        right = declined if declines(pair.chosen) else not declined and answer in said.text.casefold()
        found.append(pair if right or not said.text else replace(pair, rejected=said.text))
    return found


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


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRound(Round):
    """What a round came to on held-out questions; the first one is the generator as it was.

    ``reward`` is the judge's, from 0 to 1; ``change`` is against the first. ``words`` are those of an answer.
    ``declined`` is the share of what has an answer, ``declined_rightly`` of what has none.
    """

    pairs: int
    reward: float
    words: float
    declined: float
    declined_rightly: float


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
    progress: Callable[[JudgedRound], None] = silent,
) -> list[JudgedRound]:
    """Go on in rounds while the judge's reward on held-out questions grows; return all of them.

    A round that pleases the judge in another way than by better answers ends them too: by far longer or
    shorter ones, or by declining what has an answer.

    ``learn``: trains on pairs, beginning with a round, as the round of a number; returns its name. ``train``:
    questions to learn from; each round takes its share of them. ``tolerance``: how many points more of what
    has an answer may be declined.
    """
    before, first = _looked(policy(start), grounder, checks, start, 0)

    def attempt(last: JudgedRound, number: int) -> JudgedRound:
        asked = train[number - 1 :: rounds]
        pairs = judged_pairs(policy(last.name), grounder, asked, samples=samples, seed=seed + number)
        if len(pairs) < LEAST_EXAMPLES:
            raise TrainingFailed(
                f"the judge tells the samples of {len(pairs)} questions apart, which is too few"
            )
        name = learn(pairs, last.name, number)
        after, found = _looked(policy(name), grounder, checks, name, len(pairs))
        sources = [one.source for one in checks]
        change = paired_change("judge's reward", before, after, sources, POINTS, seed=seed)
        why = _why(first, last, found, tolerance)
        return replace(found, change=change, ended=why, kept=not why)

    return in_rounds(first, attempt, rounds=rounds, progress=progress)


def _why(first: JudgedRound, last: JudgedRound, found: JudgedRound, tolerance: float) -> str:
    if found.reward <= last.reward:
        return "the judge's reward grows no longer"
    if 100 * (found.declined - first.declined) > tolerance:
        return "declining what has an answer pleases the judge"
    if first.words and not first.words / _LONGER <= found.words <= first.words * _LONGER:
        return f"answers of {found.words:.0f} words instead of {first.words:.0f} please the judge"
    return ""


def _looked(
    policy: Generator, grounder: Grounder, checks: Sequence[Posed], name: str, pairs: int
) -> tuple[list[float], JudgedRound]:
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
    return values, JudgedRound(
        name=name,
        pairs=pairs,
        reward=float(np.mean(values)),
        words=float(np.mean(words)) if words else 0.0,
        declined=shares[True],
        declined_rightly=shares[False],
    )
