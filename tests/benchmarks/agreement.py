"""How well `correct` agrees with people, by system, and the fit of its weights.

    python tests/benchmarks/agreement.py DATA          # the tables of docs/benchmarks.md
    python tests/benchmarks/agreement.py DATA --fit    # prints the weights of evaluation/correctness.py

DATA holds ``evouna/nq.jsonl`` (answers of five systems to Natural Questions, judged by people; EVOUNA, Wang
et al. 2023, Apache-2.0) and ``tatqa/questions.jsonl`` (Zhu et al. 2021, CC BY 4.0), of which answers in other
words and wrong ones are made. Questions are split by a hash of their id: two thirds to fit, one third to
report. Last come the 60 answers of the arm rag to `examples/postgres`, judged by hand.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from measure import print_table
from scipy.optimize import minimize
from scipy.stats import rankdata

from hybrid.evaluation.correctness import Correctness, Signals, held_against
from hybrid.evaluation.outcomes import Outcome
from hybrid.evaluation.scoring import correct
from hybrid.questions.files import load_questions
from hybrid.text.folding import folded_words
from hybrid.types import Question

_EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "postgres"
NAMES = [field.name for field in fields(Signals)]
# what may only speak for an answer, or against it, whatever a set of answers happens to say
FOR = {"whole", "run_together", "spelled", "carried", "some", "half", "family", "given", "terse"}
AGAINST = {"astray", "conflict", "turned", "others", "refused"}
TERM_ONLY = {"half", "turned"}
TEXT_ONLY = {"carried", "half", "conflict", "turned", "refused", "constant"}


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer and whether it is right, said by a person or known from how it was made."""

    unit: str
    system: str
    question: str
    golds: tuple[str, ...]
    answer: str
    right: bool

    @property
    def held_out(self) -> bool:
        """Tell whether it is reported on and not fitted to."""
        return int(hashlib.sha256(self.unit.encode()).hexdigest(), 16) % 3 == 0


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def people(data: Path) -> list[Judged]:
    """Read the answers that people judged; one that is missing is empty."""
    return [
        Judged(
            str(row["id"]),
            row["model"],
            row["question"],
            tuple(row["golds"]),
            row["answer"] or "",
            bool(row["correct"]),
        )
        for row in rows_of(data / "evouna/nq.jsonl")
    ]


REWORDED = {
    **{"increased": "rose", "increase": "rise", "decreased": "fell", "decrease": "decline"},
    **{"primarily": "mainly", "due to": "because of", "driven by": "owing to", "compared to": "versus"},
    **{"revenues": "sales", "revenue": "sales", "approximately": "about", "represents": "stands for"},
    **{"includes": "covers", "include": "cover", "costs": "expenses", "related to": "connected with"},
    **{"company": "firm", "determined": "calculated", "based on": "on the basis of", "higher": "greater"},
    **{"lower": "smaller", "employees": "staff", "customers": "clients", "obligations": "liabilities"},
    **{"purchase": "acquisition", "provided": "given", "agreements": "contracts", "fiscal": "financial"},
    **{"additional": "further", "subsequent": "later", "prior": "earlier", "annual": "yearly"},
}
OPPOSITE = (
    "increase:decrease",
    "increased:decreased",
    "higher:lower",
    "before:after",
    "more:less",
    "most:least",
)
FRAMES = (
    "{a}.",
    "According to the report, {a}.",
    "{q}: {a}.",
    "The filing says that {a}.",
    "It says: {a}. This is what the notes to the statements state.",
)
FILL = (
    "thing",
    "element",
    "matter",
    "part",
    "item",
    "whole",
    "area",
    "piece",
    "side",
    "line",
    "case",
    "field",
)


def reworded(text: str) -> str:
    """Return the same in other words, amounts in another notation."""
    for one, other in REWORDED.items():
        text = re.sub(rf"\b{one}\b", other, text)
    text = re.sub(r"(?<!S)\$\s?(\d[\d.,]*\d|\d) (million|billion)", r"\1 \2 dollars", text)
    return re.sub(r"(\d)%", r"\1 percent", text)


def shortened(text: str) -> str:
    """Return the text without brackets and small words."""
    words = r"\b(the|our|such as|which are|which is|that are|respectively|generally|of the|certain)\b"
    return " ".join(re.sub(words, " ", re.sub(r"\([^()]*\)", "", text)).split())


def reordered(text: str, draw: random.Random) -> str:
    """Return the parts of a list in another order."""
    parts = [part.strip(" .") for part in re.split(r"[,;]\s+(?:and )?", text)]
    if len(parts) > 2:
        draw.shuffle(parts)
    return ", ".join(parts)


def gist(text: str, draw: random.Random) -> str:
    """Return the text with every other plain word exchanged: what names and numbers leave of a rewording."""
    plain = re.compile(r"[a-z]{4,}[.,;]?")
    return " ".join(
        draw.choice(FILL) if plain.fullmatch(word) and draw.random() < 0.45 else word for word in text.split()
    )


def misnumbered(text: str, draw: random.Random) -> str | None:
    """Return the text with other numbers, years kept; None if it has none."""

    def other(match: re.Match[str]) -> str:
        if re.fullmatch(r"20[012]\d|19\d\d", match[0]):
            return match[0]
        first = str((int(match[0][0]) + draw.randrange(1, 9)) % 10)
        return first + match[0][1:]

    changed = re.sub(r"\d[\d.,]*\d|\d", other, text)
    return changed if changed != text else None


def turned(text: str) -> str | None:
    """Return the text with one word made its opposite or denied; None if there is none to turn."""
    for pair in OPPOSITE:
        for one, other in (pair.split(":"), pair.split(":")[::-1]):
            if re.search(rf"\b{one}\b", text):
                return re.sub(rf"\b{one}\b", other, text)
    for verb in ("is", "are", "was", "were", "will", "has", "have"):
        if re.search(rf"\b{verb}\b(?! not)", text):
            return re.sub(rf"\b{verb}\b", f"{verb} not", text, count=1)
    return None


def made(data: Path) -> list[Judged]:
    """Make answers to questions on financial reports of which is known whether they are right."""
    draw = random.Random(5)
    rows = rows_of(data / "tatqa/questions.jsonl")
    texts = [
        row for row in rows if "span" in row["answer_type"] and len(" ".join(row["answers"]).split()) > 5
    ]
    of = defaultdict(list)
    for row in texts:
        of[row["source"]].append(", ".join(row["answers"]))
    found = []
    for row in texts:
        gold, question = ", ".join(row["answers"]), row["question"]
        others = [text for text in of[row["source"]] if text != gold]
        drafts: list[tuple[str, str | None, bool]] = [
            ("as it stands", gold, True),
            ("reworded", reworded(gold), True),
            ("in another order", reordered(reworded(gold), draw), True),
            ("shortened", shortened(reworded(gold)), True),
            ("half of the words", gist(reworded(gold), draw), True),
            *(("of another question", text, False) for text in draw.sample(others, min(2, len(others)))),
            ("other numbers", misnumbered(reworded(gold), draw), False),
            ("the opposite", turned(reworded(gold)), False),
        ]
        for kind, text, right in drafts:
            if text is not None:
                answer = draw.choice(FRAMES).format(a=text.rstrip("."), q=question.rstrip("?"))
                found.append(Judged(row["source"], kind, question, (gold,), answer, right))
    return found + list(yes_or_no(rows, draw))


def yes_or_no(rows: Sequence[dict[str, Any]], draw: random.Random) -> Iterator[Judged]:
    """Make questions whether a figure rose, with a reasoned gold, from those for a difference."""
    words = {
        True: ("rose", "grew", "increased", "was up"),
        False: ("fell", "declined", "decreased", "was down"),
    }
    for row in rows:
        figures = re.fullmatch(r"\W*([\d.,]+)\s*-\s*\$?([\d.,]+)\W*", row["derivation"].strip())
        asked = re.match(
            r"What (?:is|was) the (?:change|increase|decrease)[/ \w]* in (?:the )?(.+?) "
            r"(?:between|from|in) (.*\d{4})",
            row["question"],
        )
        if not figures or not asked:
            continue
        now, then = (float(figure.replace(",", "")) for figure in figures.groups())
        if now == then or then == 0:
            continue
        name, rose, word = asked[1], now > then, draw.choice(("increase", "decrease"))
        yes = (word == "increase") == rose
        share = abs(now - then) / then * 100
        said, contrary = draw.choice(words[rose]), draw.choice(words[not rose])
        right, wrong = ("Yes", "No") if yes else ("No", "Yes")
        question = f"Did {name} {word} between {asked[2]}?"
        gold = (
            f"{right}. {name.capitalize()} {said} from {then:,.1f} to {now:,.1f}, a change of {share:.1f}%."
        )
        good = (
            f"{right}, {name} {said} by {share:.1f} percent, from {then:,.1f} to {now:,.1f}.",
            f"The {name} {draw.choice(words[rose])} from {then:,.1f} to {now:,.1f}, that is by {share:.1f}%.",
            f"{right}, it {draw.choice(words[rose])} by about {share:.0f}%.",
        )
        bad = (
            f"{wrong}, {name} {contrary} by {share:.1f} percent, from {now:,.1f} to {then:,.1f}.",
            f"The {name} {contrary} between {asked[2]}.",
            f"{wrong}, it {contrary} by about {share * 1.7 + 3:.0f}%.",
            "I could not find the figures for both years in the report.",
        )
        for kind, texts, is_right in (("yes and why", good, True), ("no for yes", bad, False)):
            for text in draw.sample(texts, 2):
                yield Judged(row["source"], kind, question, (gold,), text, is_right)


def matrix(found: Sequence[Correctness]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the signals, one row each."""
    return np.array([astuple(one.signals) for one in found], dtype=float)


def fit(answers: Sequence[Judged], names: set[str], *, weigh: bool) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the weights of the most likely logistic model of what is left of the grades.

    The gold that an answer agrees with best is found by turns with the weights. Signs are kept.

    Args:
        answers: to fit to.
        names: the signals that count.
        weigh: let each kind of answer count the same.
    """
    # what says nothing is wrong, whatever the weights
    answers = [one for one in answers if folded_words(one.answer)]
    all_found = [held_against(one.question, one.answer, one.golds) for one in answers]
    counts = Counter(one.system for one in answers)
    much = np.array([100 / counts[one.system] if weigh else 1.0 for one in answers])
    right = np.array([one.right for one in answers], dtype=float)
    bounds = [
        (0, 0)
        if name not in names
        else (0, None)
        if name in FOR
        else (None, 0)
        if name in AGAINST
        else (None, None)
        for name in NAMES
    ]
    weights = np.array([3.0 * (name == "carried") for name in NAMES])
    for _ in range(4):
        best = [max(found, key=lambda one: _grade(one, weights)) for found in all_found]
        signals, left = matrix(best), np.array([one.left for one in best])

        def loss(w: Any, x: Any = signals, k: Any = left) -> tuple[float, Any]:
            share = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
            p = np.clip(k * share, 1e-6, 1 - 1e-6)
            likely = right * np.log(p) + (1 - right) * np.log(1 - p)
            slope = -(right / p - (1 - right) / (1 - p)) * k * share * (1 - share) * much
            free = np.r_[0.0, w[1:]]
            return float(-(much * likely).sum() + (free**2).sum()), x.T @ slope + 2 * free

        weights = minimize(loss, weights, jac=True, bounds=bounds, method="L-BFGS-B").x
    return weights


def _grade(one: Correctness, weights: Any) -> float:
    logit = float(np.dot(astuple(one.signals), weights))
    return one.left / (1 + math.exp(-min(max(logit, -30), 30)))


def auroc(right: Any, grades: Any) -> float:
    """Return how often a right answer has the higher grade, ties as half."""
    ranks, count = rankdata(grades), int(right.sum())
    return float((ranks[right].sum() - count * (count + 1) / 2) / (count * (len(right) - count)))


def graded(one: Judged) -> float:
    """Return `correct` of an answer."""
    question = Question("q", one.question, answers=one.golds)
    return correct(question, Outcome("k", one.system, "q", one.answer))


def report(data: Path) -> None:
    """Print agreement, AUROC and bias on the questions that nothing was fitted to."""
    answers = [one for one in people(data) if one.held_out]
    grades = np.array([graded(one) for one in answers])
    right = np.array([one.right for one in answers])
    systems = sorted({one.system for one in answers})
    of = {name: np.array([one.system == name for one in answers]) for name in systems}
    rows = [
        (
            name,
            f"{mask.sum():,}",
            f"{right[mask].mean():.3f}",
            f"{grades[mask].mean():.3f}",
            f"{((grades >= 0.5) == right)[mask].mean():.3f}",
            f"{auroc(right[mask], grades[mask]):.3f}",
        )
        for name, mask in (*of.items(), ("all", np.ones(len(right), dtype=bool)))
    ]
    print_table(("system", "answers", "people say right", "`correct`", "agreement", "AUROC"), rows)
    means = {name: (right[mask].mean(), grades[mask].mean()) for name, mask in of.items()}
    pairs = []
    for one, other in combinations(systems, 2):
        people_say, we_say = (100 * (a - b) for a, b in zip(means[one], means[other], strict=True))
        pairs.append((f"{one} − {other}", *(f"{x:+.1f}" for x in (people_say, we_say, we_say - people_say))))
    print_table(("pair", "people", "`correct`", "bias"), pairs)
    texts = [one for one in made(data) if one.held_out]
    by = defaultdict(list)
    for one in texts:
        by[one.system, one.right].append(graded(one))
    print_table(
        ("made answers to financial questions", "right", "answers", "mean grade", "one half or more"),
        [
            (
                kind,
                "yes" if is_right else "no",
                f"{len(g):,}",
                f"{np.mean(g):.2f}",
                f"{np.mean(np.array(g) >= 0.5):.2f}",
            )
            for (kind, is_right), g in by.items()
        ],
    )


def examples() -> None:
    """Print how `correct` agrees with the judgements by hand, and where it does not."""
    questions = {one.id: one for one in load_questions(_EXAMPLE / "questions.jsonl")}
    judged = rows_of(_EXAMPLE / "judgements.jsonl")
    grades = [
        correct(
            questions[row["question"]],
            Outcome("k", "rag", row["question"], row["answer"], abstained=row["abstained"]),
        )
        for row in judged
    ]
    right = np.array([row["right"] for row in judged])
    agree = (np.array(grades) >= 0.5) == right
    rows = [("rag", str(len(right)), *(f"{x:.3f}" for x in (right.mean(), np.mean(grades), agree.mean())))]
    print_table(("examples/postgres", "answers", "by hand right", "`correct`", "agreement"), rows)
    for row, grade, same in zip(judged, grades, agree, strict=True):
        if not same:
            print(f"{row['question']}: {grade:.2f}, by hand {'right' if row['right'] else 'wrong'}")


def main() -> None:
    """Report, or fit and print the weights."""
    data = Path(sys.argv[1])
    if "--fit" not in sys.argv:
        report(data)
        examples()
        return
    terms = fit([one for one in people(data) if not one.held_out], set(NAMES) - TERM_ONLY, weigh=False)
    texts = fit([one for one in made(data) if not one.held_out], TEXT_ONLY, weigh=True)
    for name, weights in (("TERM", terms), ("TEXT", texts)):
        print(f"{name} = Signals({', '.join(f'{n}={w:.2f}' for n, w in zip(NAMES, weights, strict=True))})")


if __name__ == "__main__":
    main()
