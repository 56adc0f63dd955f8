"""How far can the grounding scorer be trusted? The whole page, beside words, alignment and a generator.

    python tests/benchmarks/grounding.py DATA [--weights FOLDER] [--judge N] [--json FILE]

DATA is a folder of public sets (see ``recipes/grounding/public.py``). Sets that the scorer was trained on are
judged by what heads said that never saw their domain, which the recipe keeps; the other sets by the scorer as
it is. Thresholds come from other domains of the set, or from other sets. Intervals are resampled by document.
``--judge`` also asks the default generator about so many claims of each set. About 20 minutes on one core.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import Target, note, print_table, print_verdicts
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from hybrid.confidence import CalibrationError, calibration_error
from hybrid.config import ModelSettings
from hybrid.grounding.calibration import (
    CALIBRATION,
    Calibration,
    CurveKind,
    Fitted,
    cross_fitted,
    fit_calibration,
    read_fitted,
)
from hybrid.grounding.evidence import SearchedPassage
from hybrid.grounding.examples import Dataset, LabelledClaim, labels_of, limited, sources_of
from hybrid.grounding.head import judge
from hybrid.grounding.judge import Case, Grounder
from hybrid.grounding.metrics import choose_threshold, measured, resampled_aurocs
from hybrid.grounding.scorers.names import SHIPPED, Scorer, scorer_for
from hybrid.grounding.scorers.trained import TrainedScorer, load_trained
from hybrid.grounding.values import Pair
from hybrid.questions.splits import unit_hash
from hybrid.statistics import Estimate
from hybrid.text.words import word_spans
from hybrid.types import Span
from recipes.grounding.building import held_out_of
from recipes.grounding.public import judged_sets, labelled_sets, made_sets, unseen_sets
from recipes.grounding.recipe import mean_over
from recipes.grounding.sets import load, recall, wice_gold

Array = NDArray[np.float64]
Words = tuple[Array, NDArray[np.bool_]]
Gold = dict[str, tuple[tuple[Span, ...], ...]]

_TRAINED = "trained"
_SCORERS = ("overlap", "align", "head", _TRAINED)
_FEW_LABELS = 100
_DRAWS = 20


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Table:
    """One domain of one set: its claims, what each scorer said of them, and whether it was trained on."""

    set: str
    domain: str
    claims: tuple[LabelledClaim, ...]
    logits: dict[str, Array]
    learned: bool

    @property
    def name(self) -> str:
        """Return the set, and the domain where a set has several."""
        return self.set if not self.domain else f"{self.set}, {self.domain}"

    @property
    def labels(self) -> NDArray[np.bool_]:
        """Return which claims are supported."""
        return labels_of(self.claims)


class Judges:
    """The scorers of the page; what was trained on is looked up and not asked."""

    def __init__(self, weights: Path) -> None:
        settings = ModelSettings(offline=True)
        self.trained: TrainedScorer = load_trained(settings, weights)
        self._words: dict[str, Scorer] = {name: scorer_for(name, settings) for name in _SCORERS[:2]}
        rows = map(json.loads, held_out_of(weights).read_text(encoding="utf-8").splitlines())
        self._held = {row["id"]: row for row in rows}
        self.speeds: dict[str, list[float]] = defaultdict(list)

    def kind(self, dataset: Dataset) -> Table:
        """Return a set as one kind that neither heads nor stack ever saw."""
        claims = dataset.examples
        logits, learned = self._logits(claims, "kind", "kind_head")
        return Table(dataset.name, "", tuple(claims), logits, learned)

    def _logits(
        self, claims: Sequence[LabelledClaim], whole: str, head: str
    ) -> tuple[dict[str, Array], bool]:
        """Return what each scorer says, and whether that of the trained one was looked up."""
        logits = {name: self._said(name, scorer, claims) for name, scorer in self._words.items()}
        held = [self._held.get(claim.id) for claim in claims]
        if all(held):
            for name, key, new in ((_TRAINED, whole, "kind"), ("head", head, "kind_head")):
                logits[name] = np.array([row.get(key, row[new]) for row in held if row], dtype=np.float64)
        else:
            logits[_TRAINED] = self._said(_TRAINED, self.trained, claims)
            logits["head"] = best_passage_head(self.trained, claims)
        return logits, all(held)

    def tables(self, dataset: Dataset) -> list[Table]:
        """Return a table for each domain of a set."""
        claims = dataset.examples
        logits, learned = self._logits(claims, "logit", "head")
        domains = list(dict.fromkeys(claim.domain for claim in claims))
        tables = []
        for domain in domains:
            own = np.array([claim.domain == domain for claim in claims])
            kept = tuple(claim for claim in claims if claim.domain == domain)
            name = domain if len(domains) > 1 else ""
            own_logits = {key: value[own] for key, value in logits.items()}
            tables.append(Table(dataset.name, name, kept, own_logits, learned))
        return tables

    def _said(self, name: str, scorer: Scorer, claims: Sequence[LabelledClaim]) -> Array:
        found = measured(name, scorer, claims)
        if found.pairs_per_second:
            self.speeds[name].append(found.pairs_per_second)
        return found.logits


def best_passage_head(scorer: TrainedScorer, claims: Sequence[LabelledClaim]) -> Array:
    """Return what the heads alone say, of the passage that they find best."""
    pairs = [Pair(text, claim.claim) for claim in claims for text in claim.evidence]
    ends = np.cumsum([len(claim.evidence) for claim in claims])
    heads = np.concatenate([scorer.signals(pairs[n : n + 64])[:, 0] for n in range(0, len(pairs), 64)])
    return np.array([part.max() for part in np.split(heads, ends)[: len(claims)]])


def interval(table: Table, rows: Sequence[str], weights: Sequence[float], against: str = "") -> Estimate:
    """Return a contrast of AUROCs, of all claims or of those of one contrast."""
    kept = [
        n for n, each in enumerate(table.claims) if each.supported or not against or each.against == against
    ]
    claims = [table.claims[n] for n in kept]
    logits = np.stack([table.logits[name][kept] for name in rows])
    found = resampled_aurocs(logits, labels_of(claims), sources_of(claims))
    assert found is not None
    return found.interval(weights)


def mean_gain(tables: Sequence[Table], other: str) -> Estimate:
    """Return how much the default is above another scorer, as a mean over tables."""
    parts = []
    for number, table in enumerate(tables):
        logits = np.stack([table.logits[_TRAINED], table.logits[other]])
        found = resampled_aurocs(logits, table.labels, sources_of(table.claims), seed=number)
        assert found is not None
        parts.append(found)
    return mean_over(parts).interval([1.0, -1.0])


def elsewhere(table: Table, tables: Sequence[Table], scorer: str) -> Fitted:
    """Return calibration and threshold from other domains of the set, else from all other sets."""
    sisters = [each for each in tables if each.set == table.set and each is not table]
    others = sisters or [each for each in tables if each.set != table.set]
    logits = np.concatenate([each.logits[scorer] for each in others])
    labels = np.concatenate([each.labels for each in others])
    curve = fit_calibration(logits, labels, method=CurveKind.PLATT)
    return Fitted(curve, choose_threshold(logits, labels))


def accuracy(table: Table, tables: Sequence[Table], scorer: str) -> float:
    """Return the balanced accuracy at a threshold of other data."""
    decided = table.logits[scorer] >= elsewhere(table, tables, scorer).threshold
    return float(balanced_accuracy_score(table.labels, decided))


def shipped_curve(table: Table, tables: Sequence[Table]) -> Calibration:
    """Return what would ship if a domain were new: the curve of the others that were trained on."""
    others = [each for each in tables if each.learned and each is not table]
    logits = np.concatenate([each.logits[_TRAINED] for each in others])
    labels = np.concatenate([each.labels for each in others])
    return fit_calibration(logits, labels, method=CurveKind.PLATT)


def seen_error(table: Table, tables: Sequence[Table]) -> CalibrationError:
    """Return the error after labels of other documents of the same kind, by the curve that a user gets."""
    prior = shipped_curve(table, tables)
    chances = cross_fitted(table.logits[_TRAINED], table.labels, sources_of(table.claims), prior=prior)
    found = calibration_error(chances, table.labels)
    assert found is not None
    return found


def few_error(table: Table, tables: Sequence[Table]) -> tuple[float, float]:
    """Return the mean error, and its null value, after 100 labels of a domain, over draws of sources.

    The curve starts from what ships, as that of a user does.
    """
    prior = shipped_curve(table, tables)
    sources = sources_of(table.claims)
    found = []
    for draw in range(_DRAWS):
        order = sorted(range(len(sources)), key=lambda n: (unit_hash(str(draw), sources[n]), n))
        few, rest = order[:_FEW_LABELS], order[_FEW_LABELS:]
        last = sources[few[-1]]
        rest = [place for place in rest if sources[place] != last]
        labels, logits = table.labels, table.logits[_TRAINED]
        if len(rest) < 2 * _FEW_LABELS or labels[few].all() or not labels[few].any():
            continue
        curve = fit_calibration(logits[few], labels[few], prior=prior)
        error = calibration_error(curve.probabilities(logits[rest]), labels[rest], seed=draw)
        assert error is not None
        found.append((error.error, error.null))
    means = np.mean(found, axis=0) if found else (float("nan"), float("nan"))
    return float(means[0]), float(means[1])


def by_kind(made: Sequence[Table]) -> dict[str, tuple[int, list[float]]]:
    """Return for each kind of edit how many there are and the AUROC of each scorer, over all made sets."""
    found: dict[str, tuple[int, list[float]]] = {}
    kinds = sorted({claim.kind for table in made for claim in table.claims if not claim.supported})
    for kind in kinds:
        kept = [
            (table, np.array([claim.supported or claim.kind == kind for claim in table.claims]))
            for table in made
        ]
        labels = np.concatenate([table.labels[own] for table, own in kept])
        values = [
            float(roc_auc_score(labels, np.concatenate([table.logits[name][own] for table, own in kept])))
            for name in _SCORERS
        ]
        found[kind] = int((~labels).sum()), values
    return found


def words_of(scorer: TrainedScorer, dataset: Dataset) -> Words:
    """Return for each word of the claims how likely it is not supported, and whether people said so."""
    chances: list[float] = []
    wrong: list[bool] = []
    for example in dataset.examples:
        for value, flag in _words(scorer, example):
            chances.append(value)
            wrong.append(flag)
    return np.array(chances), np.array(wrong)


def tokens_of(scorer: TrainedScorer, pair: Pair) -> tuple[list[Span], list[float]]:
    """Return where each token of the claim stands, and how likely it is not carried, from 0 to 1."""
    reads = scorer.reads([pair])
    chances = np.zeros(len(reads[0].claim))
    for head in scorer.heads:
        for _, found in judge(head, reads):
            own = torch.sigmoid(found.unsupported[: len(chances)])
            chances += own.double().numpy() / len(scorer.heads)
    return [Span(start, end) for start, end in reads[0].claim.places.tolist()], chances.tolist()


def _words(scorer: TrainedScorer, example: LabelledClaim) -> Iterable[tuple[float, bool]]:
    pair = Pair(example.evidence[0], example.claim)
    tokens, chances = tokens_of(scorer, pair)
    for word in word_spans(example.claim, Span(0, len(example.claim))):
        own = [c for t, c in zip(tokens, chances, strict=True) if t.start < word.end and word.start < t.end]
        spans = example.unsupported_spans or ()
        if own:
            yield max(own), any(s.start < word.end and word.start < s.end for s in spans)


def best_f1(chances: Array, wrong: NDArray[np.bool_]) -> float:
    """Return the threshold of the greatest F1."""
    cuts = np.unique(np.round(chances, 2))
    return float(max(cuts, key=lambda cut: f1_of(chances >= cut, wrong)))


def f1_of(said: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> float:
    """Return the F1 of the words that are not supported."""
    return 2 * float((said & wrong).sum()) / max(float(said.sum() + wrong.sum()), 1.0)


def evidence_recall(dataset: Dataset, gold: Gold) -> float:
    """Return the recall of gold sentences among the first five; the best gold set counts."""
    values = []
    for example in dataset.examples:
        if gold[example.id]:
            found = SearchedPassage(example.evidence[0], max_words=10_000).best(example.claim, 5)
            values.append(max(recall(found, spans) or 0.0 for spans in gold[example.id]))
    return float(np.mean(values))


def as_answers(scorer: Scorer, fitted: Fitted, claims: Sequence[LabelledClaim]) -> Array:
    """Return the support of each claim as answers are judged: split, searched, checked; the worst part."""
    grounder = Grounder(scorer, fitted.calibration)
    found = grounder.ground_all([Case(claim.claim, claim.evidence) for claim in claims])
    return np.array(
        [min((v.support for v in one.verdicts if v.support is not None), default=0.0) for one in found]
    )


def told(found: Estimate) -> str:
    """Return a value with its interval."""
    if found.low is None or found.high is None:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, default=SHIPPED)
    parser.add_argument("--judge", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    judges = Judges(options.weights)
    fitted = read_fitted(options.weights / CALIBRATION)
    trained_on, unseen = labelled_sets(options.data), unseen_sets(options.data)
    tables = []
    for dataset in (*trained_on, *unseen):
        tables += judges.tables(dataset)
        note(f"{dataset.name}: {len(dataset.examples)} claims")
    rows = _set_rows(tables)
    print_table(("set", "n", *_SCORERS, "balanced acc.", "ECE seen", "null", "ECE 100", "null"), rows)
    contrasts = _contrasts(tables)
    print_table(("contrast", *_SCORERS), [(name, *map(told, each)) for name, each in contrasts.items()])
    kinds = [judges.kind(each) for each in (*trained_on, *judged_sets(options.data), *unseen)]
    kind_rows, worst, mean = left_out(kinds)
    note(f"mean over {len(kinds)} kinds left out: {mean:.3f}")
    print_table(("kind left out", "n", *_SCORERS, "above the better of both"), kind_rows)
    apart = _contrasts(kinds)
    print_table(("kind left out", *_SCORERS), [(name, *map(told, each)) for name, each in apart.items()])
    refuted_new = float(np.mean([each[-1].value for name, each in apart.items() if "refuted" in name]))
    made = [table for dataset in made_sets(options.data) for table in judges.tables(dataset)]
    edits = by_kind(made)
    print_table(
        ("made pairs: edit", "n", *_SCORERS),
        [(kind, str(n), *(f"{v:.3f}" for v in values)) for kind, (n, values) in edits.items()],
    )
    alarms = {
        table.name: float((table.logits[_TRAINED][table.labels] < fitted.threshold).mean())
        for table in (*made, *tables)
    }
    caught = {
        table.name: float((table.logits[_TRAINED][~table.labels] < fitted.threshold).mean())
        for table in (*made, *tables)
    }
    print_table(
        ("at the shipped threshold", "supported, shown as not", "not supported, found"),
        [(name, f"{alarms[name]:.3f}", f"{caught[name]:.3f}") for name in alarms],
    )
    wice = unseen[-1]
    page = np.array(tables[-1].logits[_TRAINED])
    answers = as_answers(judges.trained, fitted, tables[-1].claims)
    whole = roc_auc_score(tables[-1].labels, page)
    piped = roc_auc_score(tables[-1].labels, answers)
    train, dev = _marked(options.data)
    cut = best_f1(*words_of(judges.trained, train))
    chances, wrong = words_of(judges.trained, dev)
    f1, fixed = f1_of(chances >= cut, wrong), f1_of(chances >= 0.5, wrong)
    found5 = evidence_recall(wice, wice_gold(options.data / "wice" / "dev.jsonl"))
    print_table(
        ("WiCE dev", "value"),
        [
            ("AUROC, page read at once", f"{whole:.3f}"),
            ("AUROC, as answers are judged", f"{piped:.3f}"),
            (f"F1 of words not supported, threshold {cut:.2f} of the training claims", f"{f1:.3f}"),
            ("the same at .50", f"{fixed:.3f}"),
            ("F1 if all words are flagged", f"{f1_of(np.ones_like(wrong), wrong):.3f}"),
            ("evidence recall at 5", f"{found5:.3f}"),
        ],
    )
    if options.judge:
        _ask_generator(tables, options.judge)
    gains = {other: mean_gain(tables, other) for other in ("overlap", "align")}
    for other, gain in gains.items():
        note(f"mean over {len(tables)} sets and domains above {other}: {told(gain)}")
    for name, speeds in judges.speeds.items():
        note(f"{name}: {np.median(speeds):.0f} pairs a second (median over sets)")
    note(f"weights: {judges.trained.megabytes:.2f} MB")
    summedits = [table for table in tables if table.set == "SummEdits"]
    accuracies = [accuracy(table, tables, _TRAINED) for table in summedits]
    of = {name: each[-1].value for name, each in contrasts.items()}
    irrelevant = [of[name] for name in of if "not in evidence" in name] + [_q2(tables)]
    refuted = [of[name] for name in of if "refuted" in name]
    kind_mean = float(np.mean([values[-1] for _, values in edits.values()]))
    reworded = float(np.mean([alarms[table.name] for table in made]))
    seen = float(np.mean([seen_error(table, tables).error for table in tables]))
    few = float(np.nanmean([few_error(table, tables)[0] for table in tables]))
    print_verdicts(
        [
            _least("SummEdits, new domains: AUROC", np.mean([_value(t) for t in summedits]), 0.68),
            _least("SummEdits, new domains: balanced accuracy", np.mean(accuracies), 0.63),
            _least("WiCE dev, as answers are judged: AUROC", piped, 0.80),
            _least("WiCE dev: F1 of words", f1, 0.66),
            _least("WiCE dev: evidence recall at 5", found5, 0.80),
            _least("support or irrelevant: AUROC", np.mean(irrelevant), 0.80),
            _least("support or refute: AUROC", np.mean(refuted), 0.65),
            _least("kinds left out: least above the better of overlap and alignment", worst, -0.01),
            _least("kinds left out: support or refute, mean AUROC", refuted_new, 0.60),
            _least("made pairs, mean over edits: AUROC", kind_mean, 0.85),
            Target("made pairs, false alarms", reworded, 0.10),
            Target("ECE, kinds seen", seen, 0.05),
            Target("ECE, new domain with 100 labels", few, 0.08),
            *(_least(f"gain over {name}, lower bound", g.low, 0.0) for name, g in gains.items()),
        ]
    )
    if options.json:
        document = {
            "sets": rows,
            "contrasts": {name: [dataclasses.asdict(e) for e in each] for name, each in contrasts.items()},
            "kinds": kind_rows,
            "edits": edits,
            "false_alarms": alarms,
            "found": caught,
            "gains": {name: dataclasses.asdict(gain) for name, gain in gains.items()},
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0


def _set_rows(tables: Sequence[Table]) -> list[tuple[str, ...]]:
    rows = []
    for table in tables:
        values = [interval(table, [name], [1.0]) for name in _SCORERS]
        seen, (few, few_null) = seen_error(table, tables), few_error(table, tables)
        rows.append(
            (
                table.name,
                str(len(table.claims)),
                *(f"{value.value:.3f}" for value in values[:-1]),
                told(values[-1]),
                f"{accuracy(table, tables, _TRAINED):.3f}",
                f"{seen.error:.3f}",
                f"{seen.null:.3f}",
                f"{few:.3f}",
                f"{few_null:.3f}",
            )
        )
    return rows


def left_out(kinds: Sequence[Table]) -> tuple[list[tuple[str, ...]], float, float]:
    """Return a row for each kind, the least that the default is above the better floor, and its mean."""
    rows, above, values = [], [], []
    for kind in kinds:
        overlap, align, head, ours = (interval(kind, [name], [1.0]) for name in _SCORERS)
        better = "overlap" if overlap.value >= align.value else "align"
        more = interval(kind, [_TRAINED, better], [1.0, -1.0])
        above.append(more.value)
        values.append(ours.value)
        floors = (f"{overlap.value:.3f}", f"{align.value:.3f}", f"{head.value:.3f}")
        rows.append((kind.name, str(len(kind.claims)), *floors, told(ours), told(more)))
    return rows, min(above), float(np.mean(values))


def _contrasts(tables: Sequence[Table]) -> dict[str, list[Estimate]]:
    """Return supported against refuted, and against what is not in the evidence, where a set tells."""
    found: dict[str, list[Estimate]] = {}
    for table in tables:
        for against in ("refuted", "not in evidence"):
            if any(claim.against == against for claim in table.claims):
                name = f"{table.name}: {against}"
                found[name] = [interval(table, [scorer], [1.0], against) for scorer in _SCORERS]
    return found


def _value(table: Table) -> float:
    return interval(table, [_TRAINED], [1.0]).value


def _q2(tables: Sequence[Table]) -> float:
    return next(_value(table) for table in tables if table.claims[0].domain == "q2_wow")


def _marked(data: Path) -> tuple[Dataset, Dataset]:
    names = ("non_supported_tokens_train.jsonl", "non_supported_tokens_dev.jsonl")
    train, dev = (load(data / "wice" / name) for name in names)
    return train, dev


def _ask_generator(tables: Sequence[Table], count: int) -> None:
    """Print what the untuned generator says of a part of each set, beside the default scorer."""
    judge = scorer_for("judge", ModelSettings(offline=True))
    rows = []
    for table in tables:
        claims = limited(table.claims, count)
        places = {claim.id: n for n, claim in enumerate(table.claims)}
        found = measured("judge", judge, claims)
        ours = np.array([table.logits[_TRAINED][places[claim.id]] for claim in claims])
        labels = labels_of(claims)
        values = (roc_auc_score(labels, found.logits), roc_auc_score(labels, ours), found.pairs_per_second)
        rows.append((table.name, str(len(claims)), *("-" if v is None else f"{v:.3f}" for v in values)))
    print_table(("set", "n", "generator as judge", _TRAINED, "pairs/s of the judge"), rows)


def _least(name: str, value: Any, limit: float) -> Target:
    return Target(name, float(value), limit, at_least=True)


if __name__ == "__main__":
    sys.exit(main())
