"""Without evidence: does it show in what else the generator says, or how surely, that its answer is wrong?

    python tests/benchmarks/uncertainty.py [FILE] [--questions 40] [--samples 5] [--json FILE]

FILE is a question set such as examples/postgres/questions.jsonl; default: the elementary questions of the
general suite, asked without their options, for a small generator knows little else. Each is answered by the
arm `base`; right is what contains a gold answer. Of each signal: the AUROC of wrong against right answers,
and how much more that is than the length of the same texts gives, with 95 % intervals by question.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from hybrid import Assistant, load_settings
from hybrid.adaptation.suites import shipped_suite
from hybrid.evaluation.metrics import contains_gold
from hybrid.grounding.metrics import resampled_aurocs
from hybrid.grounding.sampling import Uncertainty, sampled
from hybrid.models.device import cpu_has_bf16
from hybrid.questions.files import load_questions
from hybrid.questions.splits import unit_hash
from hybrid.statistics import Estimate
from hybrid.types import Arm, Question

_ARTICLE = re.compile(r"^(an?|the) ")
# Each is greater where the answer is less sure; the second name is that of its length baseline.
_SIGNALS: dict[str, tuple[Callable[[Uncertainty], float], str]] = {
    "agreement with the answer": (lambda sure: -sure.agreement, "length of the samples"),
    "semantic entropy": (lambda sure: sure.entropy, "length of the samples"),
    "self-consistency": (lambda sure: -sure.consistency, "length of the samples"),
    "number of meanings": (lambda sure: sure.meanings, "length of the samples"),
    "mean log-probability": (lambda sure: -(sure.log_probability or 0.0), "length of the answer"),
    "least log-probability": (lambda sure: -(sure.least_log_probability or 0.0), "length of the answer"),
    # knows nothing: what every signal has to beat
    "length of the samples": (lambda sure: fmean(len(re.findall(r"\w+", each)) for each in sure.samples), ""),
    "length of the answer": (lambda sure: sure.words, ""),
}


def questions_of(file: Path | None, count: int) -> list[Question]:
    """Return questions with gold answers, in an order that says nothing."""
    if file is None:
        choices = shipped_suite().choices
        golds = [(one.options[one.right], _ARTICLE.sub("", one.options[one.right])) for one in choices]
        found = [Question(one.id, one.question, gold) for one, gold in zip(choices, golds, strict=True)]
    else:
        found = [one for one in load_questions(file) if one.answerable and not one.options]
    return sorted(found, key=lambda one: unit_hash("uncertainty", one.id))[:count]


def compared(
    wrong: Sequence[bool], found: Sequence[Uncertainty]
) -> dict[str, tuple[Estimate, Estimate | None]]:
    """Return of each signal the AUROC, and how far it is above that of its baseline; of one kind nothing."""
    names = list(_SIGNALS)
    table = np.array([[_SIGNALS[name][0](sure) for sure in found] for name in names])
    drawn = resampled_aurocs(table, np.array(wrong), [str(place) for place in range(len(found))])
    if drawn is None:
        return {}
    one = np.eye(len(names))
    return {
        name: (drawn.interval(one[row]), drawn.interval(one[row] - one[names.index(base)]) if base else None)
        for row, (name, (_, base)) in enumerate(_SIGNALS.items())
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--temperature", type=float, default=0.5)
    parser.add_argument("--tokens", type=int, default=48, help="an answer has at the most")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    settings = load_settings(
        {
            "models": {"dtype": "bfloat16" if cpu_has_bf16() else "float32", "offline": True},
            "generation": {"max_new_tokens": options.tokens},
        },
        environment={},
    )
    assistant = Assistant("none", settings=settings)
    questions = questions_of(options.file, options.questions)
    begun = time.perf_counter()
    answers = assistant.ask_all([one.text for one in questions], arm=Arm.BASE)
    answered = time.perf_counter()
    found = sampled(
        answers,
        lambda: assistant.grounder.scorer,
        lambda arm: assistant.asked.contenders(arm, [])[0].answerer,
        samples=options.samples,
        temperature=options.temperature,
    )
    spent = time.perf_counter()
    rows = [
        (question, answer, sure)
        for question, answer, sure in zip(questions, answers, found, strict=True)
        if sure is not None
    ]
    wrong = [not contains_gold(answer.text, question.answers) for question, answer, _ in rows]
    print(
        f"{len(questions)} questions, {len(questions) - len(rows)} declined, {sum(wrong)} answers wrong; "
        f"answering {answered - begun:.0f} s, sampling and judging {spent - answered:.0f} s"
    )
    if options.json:
        told = [
            {"question": question.text, "gold": question.answers, "answer": answer.text, "wrong": no}
            | dataclasses.asdict(sure)
            for (question, answer, sure), no in zip(rows, wrong, strict=True)
        ]
        options.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    told_apart = compared(wrong, [sure for _, _, sure in rows])
    if not told_apart:
        print("nothing to tell apart")
        return
    print("\n| signal | AUROC of a wrong answer | above its length |\n|---|---|---|")
    for name, (value, above) in told_apart.items():
        print(f"| {name} | {_cell(value, '.2f')} | {'' if above is None else _cell(above, '+.2f')} |")


def _cell(found: Estimate, form: str) -> str:
    if found.low is None or found.high is None:
        return f"{found.value:{form}}"
    return f"{found.value:{form}} ({found.low:{form}} to {found.high:{form}})"


if __name__ == "__main__":
    main()
