"""Any task of lm-eval as a measure of forgetting: its samples before and after, paired.

Takes two generators that lend their model and names of tasks, gives changes. The harness is an extra and
fetches data sets by itself. Knows nothing about budgets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from hybrid.adaptation.forgetting.likelihood import Subject
from hybrid.adaptation.forgetting.measure import Counting, Item, changes
from hybrid.adaptation.values import Change
from hybrid.errors import ExtraMissing, UsageError


@dataclass(frozen=True, slots=True)
class Sampled:
    """What one run of the harness said: a value for each measure and document, and which measures rise."""

    values: Mapping[tuple[str, str], float]
    higher_is_better: Mapping[str, bool]


def measure_tasks(
    base: Subject, adapted: Subject, tasks: Sequence[str], *, items: int | None = None, seed: int = 0
) -> tuple[Change, ...]:
    """Return the changes of every metric of these tasks that is a number from 0 to 1 for each document.

    Args:
        base: the generator without the adapter.
        adapted: the same with it.
        tasks: as the harness names them.
        items: at most so many documents of a task, its first ones; None takes all.
        seed: of the resampling.

    Raises:
        ExtraMissing: the harness is not installed.
        UsageError: it does not know a task, cannot get its data, or the task has no such metric.
    """
    if find_spec("lm_eval") is None:
        raise ExtraMissing(
            f"measuring {', '.join(tasks)} needs: lm-eval", hint="pip install 'hybrid-assistant[harness]'"
        )
    before, after = (_run(subject, tasks, items, seed) for subject in (base, adapted))
    found = [
        Item(measure, document, "", document, value, after.values[measure, document])
        for (measure, document), value in before.values.items()
        if (measure, document) in after.values
    ]
    if not found:
        raise UsageError(
            f"{', '.join(tasks)}: no metric is a number from 0 to 1 for each document, so none can be paired",
            hint="choose tasks that are scored by accuracy or exact match",
        )
    rising = before.higher_is_better
    countings = {name: Counting("points", higher_is_better=rising[name], bounded=True) for name in rising}
    return changes(found, countings, seed=seed)


def _run(subject: Subject, tasks: Sequence[str], items: int | None, seed: int) -> Sampled:
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


def _sampled(results: Mapping[str, Any]) -> Sampled:
    values: dict[tuple[str, str], float] = {}
    rising: dict[str, bool] = {}
    for task, samples in results["samples"].items():
        directions = results.get("higher_is_better", {}).get(task, {})
        filters = {sample.get("filter", "none") for sample in samples}
        for sample in samples:
            behind = f", {sample['filter']}" if len(filters) > 1 else ""
            for metric in sample.get("metrics", ()):
                value = sample[metric]
                if not isinstance(value, (bool, int, float)) or not 0 <= value <= 1:
                    continue
                if directions.get(metric) is None:
                    continue
                measure = f"{task}: {metric}{behind}"
                rising[measure] = bool(directions[metric])
                values[measure, str(sample["doc_id"])] = float(value)
    return Sampled(values, rising)
