"""How fast does the grounding scorer judge, how much memory does it take, and what must not change a verdict?

    python tests/benchmarks/grounding_speed.py DATA [--answers N] [--json]

DATA holds ``medquad``: its answers are cut into passages, and answers are made of their sentences, some of
which stand in no passage that is given. One thread is used, so that figures are of one core.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from measure import Target, note, print_json, print_verdicts
from sklearn.metrics import roc_auc_score

from hybrid.config import load_settings
from hybrid.grounding.judge import Case, Grounder, load_grounder
from hybrid.grounding.values import Pair
from hybrid.text.sentences import sentence_spans
from recipes.grounding.look import documents_of

_WORDS = 160
_SENTENCES = 3
_HIDDEN_AMONG = 20


def passages_of(path: Path) -> list[list[str]]:
    """Return passages of whole sentences, each a list of them."""
    passages: list[list[str]] = []
    for _, text in documents_of(path):
        own: list[str] = []
        for span in sentence_spans(text):
            sentence = " ".join(text[span.start : span.end].split())
            if own and sum(len(each.split()) for each in own) + len(sentence.split()) > _WORDS:
                passages.append(own)
                own = []
            own.append(sentence)
        passages.append(own)
    return [each for each in passages if len(each) >= _SENTENCES]


def cases(passages: Sequence[list[str]], count: int, chance: np.random.Generator) -> list[Case]:
    """Return answers of three sentences over five passages; every third sentence is of another passage."""
    found = []
    for _ in range(count):
        picked = [passages[int(n)] for n in chance.choice(len(passages), 6, replace=False)]
        own = [picked[int(chance.integers(5))] for _ in range(_SENTENCES - 1)] + [picked[5]]
        said = [each[int(chance.integers(len(each)))] for each in own]
        found.append(Case(" ".join(said), tuple(" ".join(each) for each in picked[:5])))
    return found


def hidden(
    grounder: Grounder, passages: Sequence[list[str]], chance: np.random.Generator
) -> tuple[float, float]:
    """Return the AUROC where the evidence stands alone, and where it is one of twenty passages."""
    alone, among, labels = [], [], []
    for number in range(120):
        picked = [passages[int(n)] for n in chance.choice(len(passages), _HIDDEN_AMONG + 1, replace=False)]
        right = number % 2 == 0
        own = picked[0] if right else picked[-1]
        claim = own[int(chance.integers(len(own)))]
        texts = tuple(" ".join(each) for each in picked[:-1])
        order = tuple(texts[int(n)] for n in chance.permutation(len(texts)))
        labels.append(right)
        alone.append(least(grounder, claim, texts[:1]))
        among.append(least(grounder, claim, order))
    return float(roc_auc_score(labels, alone)), float(roc_auc_score(labels, among))


def least(grounder: Grounder, answer: str, texts: Sequence[str]) -> float:
    """Return the support of the worst claim of an answer."""
    verdicts = grounder.ground(answer, texts).verdicts
    return min((v.support for v in verdicts if v.support is not None), default=0.0)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--answers", type=int, default=1_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    chance = np.random.default_rng(0)
    passages = passages_of(options.data / "medquad/medquad.jsonl")
    grounder = load_grounder(load_settings({"models": {"offline": True}}, environment={}))
    asked = cases(passages, options.answers, chance)
    grounder.ground_all(asked[:2])

    pairs = [Pair(" ".join(each), each[-1]) for each in passages[:300]]
    begun = time.perf_counter()
    grounder.scorer.score(pairs)
    pairs_a_second = len(pairs) / (time.perf_counter() - begun)
    begun = time.perf_counter()
    grounder.ground_all(asked)
    minutes = (time.perf_counter() - begun) / 60 * 1_000 / len(asked)
    note(f"{len(asked)} answers over 5 passages each: {minutes:.1f} minutes for 1,000")
    five = [
        Case(" ".join(s for each in passages[n : n + 5] for s in each[:1]), asked[n % len(asked)].passages)
        for n in range(60, 80)
    ]
    spent = []
    for case in five:
        begun = time.perf_counter()
        grounder.ground_all([case])
        spent.append(time.perf_counter() - begun)

    part = asked[:100]
    again = grounder.ground_all(part)
    same = again == grounder.ground_all(part)
    turned = grounder.ground_all([Case(case.answer, case.passages[::-1]) for case in part])
    before = [[v.support for v in each.verdicts] for each in again]
    order = before == [[v.support for v in each.verdicts] for each in turned]
    more = [Case(case.answer, (*case.passages, " ".join(passages[n]))) for n, case in enumerate(part)]
    fell = [
        (old or 0.0) - (new.support or 0.0)
        for olds, each in zip(before, grounder.ground_all(more), strict=True)
        for old, new in zip(olds, each.verdicts, strict=True)
    ]
    alone, among = hidden(grounder, passages, chance)
    targets = [
        Target("pairs (claim, passage) a second and core", pairs_a_second, 30, at_least=True),
        Target("1,000 answers x 5 passages, minutes on one core", minutes, 20),
        Target("5 sentences over 5 passages, median ms", 1_000 * float(np.median(spent)), 500),
        Target("resident memory, MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000, 1_500),
        Target("a rerun is the same", float(same), 1, at_least=True),
        Target("the order of passages changes nothing", float(order), 1, at_least=True),
        Target("a passage more: greatest fall of support", max(fell), 0.02),
        Target("evidence alone: AUROC", alone, 0.9, at_least=True),
        Target("evidence among 20: AUROC lost", alone - among, 0.01),
    ]
    if options.json:
        print_json({target.name: target.measured for target in targets})
    else:
        print_verdicts(targets)
    return 0


if __name__ == "__main__":
    sys.exit(main())
