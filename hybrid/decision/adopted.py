"""The arm that a domain answers by, because a decision chose it: the file ``DECISION`` of its folder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from hybrid.arms import ArmSpec, parse_arm
from hybrid.changes import Switched, record
from hybrid.config import ModelSettings, PriceSettings, Settings
from hybrid.errors import HybridError, UsageError
from hybrid.evaluation.outcomes import ArmCost, Outcome, Reading, arm_cost, load_outcomes
from hybrid.files import json_text, write_atomic

_FILE = "DECISION"
_HINT = "run `hybrid decide` again, name an arm with --arm, or remove the file"
_ROLES = ("embedder", "generator", "reranker")
_ADAPTERS = ("generator_adapter", "embedder_adapter")


def adopt(domain: Path, arm: str, *, experiment: str, sentence: str, labels: bool = False) -> None:
    """Make an arm the one that the domain answers by.

    The name of the arm has to mean the same tomorrow. ``experiment`` is the name of the one that it rests on;
    ``labels`` says that it rests on choices among labels alone, which say nothing of an open question.
    """
    told = {
        "arm": arm,
        "experiment": experiment,
        "sentence": sentence,
        **({"labels": True} if labels else {}),
    }
    restore_decision(domain, json_text(told, indent=2))


def restore_decision(domain: Path, content: str, *, why: str = "") -> None:
    """Put a decision in force as its file had it; nothing is decided by the empty one."""
    path, held, told = domain / _FILE, _content(domain), _told(content)
    record(domain, Switched.ARM, _told(held)["arm"], told["arm"], why=why or told["sentence"], held=held)
    if content:
        write_atomic(path, content)
    else:
        path.unlink(missing_ok=True)


def _content(domain: Path) -> str:
    try:
        return (domain / _FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _told(content: str) -> dict[str, str]:
    """Return what the file of a decision says; nothing where it says nothing that can be read."""
    try:
        value = json.loads(content)
        return {key: str(value[key]) for key in ("arm", "experiment", "sentence")}
    except (ValueError, KeyError, TypeError):
        return dict.fromkeys(("arm", "experiment", "sentence"), "")


def adopted(domain: Path, settings: Settings) -> ArmSpec | None:
    """Return the arm that was chosen for the domain, None if nothing was decided yet.

    The folder of a domain may come from anyone. So its file sets how passages are found and answers made, and
    which adapter of the domain serves; which models and endpoints are used only the user's settings say.
    ``settings`` are those of the user, which hold for all that the arm does not name.
    """
    path = domain / _FILE
    try:
        arm = json.loads(path.read_text(encoding="utf-8"))["arm"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} does not name an arm", hint=_HINT) from error
    return usable(path, arm, settings)


def usable(path: Path, arm: object, settings: Settings) -> ArmSpec:
    """Return an arm that a file in the folder of a domain names, which may come from anyone.

    ``settings`` are those of the user, which alone choose models and endpoints.
    """
    if not isinstance(arm, str) or not arm.isprintable():
        raise UsageError(f"{path} does not name an arm: {arm!a}", hint=_HINT)
    try:
        spec = parse_arm(arm, settings)
    except HybridError as error:
        raise UsageError(f"{path} names an arm that cannot be used: {error}", hint=_HINT) from error
    _refuse_foreign(path, spec.settings.models, settings.models)
    return spec


def reason(domain: Path) -> str:
    """Return why the arm of a domain was chosen: the sentence of the decision, empty where there is none."""
    told = _told(_content(domain))
    return f"{told['sentence']} (experiment {told['experiment']})" if told["arm"] else ""


def experiment(domain: Path) -> str:
    """Return the name of the experiment that the decision rests on, empty where there is none."""
    return _told(_content(domain))["experiment"]


def of_labels(domain: Path) -> bool:
    """Return whether the decision rests on choices among labels alone."""
    try:
        return json.loads(_content(domain))["labels"] is True
    except (ValueError, KeyError, TypeError):
        return False


def arm_costs(domain: Path, experiment: str, prices: PriceSettings) -> dict[str, ArmCost]:
    """Return what an answer by each arm took in an experiment of a domain; nothing where it is gone.

    The name of the experiment may come from anyone.
    """
    path = domain / "experiments" / experiment / "outcomes.jsonl"
    if Path(experiment).name != experiment or not path.is_file():
        return {}
    arms: dict[str, list[Outcome]] = {}
    for outcome in load_outcomes(path):
        arms.setdefault(outcome.arm, []).append(outcome)
    return {arm: arm_cost(rows, Reading(), prices) for arm, rows in arms.items()}


def _refuse_foreign(path: Path, named: ModelSettings, own: ModelSettings) -> None:
    """Raise unless each model that the file names is one of the settings, or an adapter of the domain."""
    known = {"", *(getattr(own, role) for role in _ROLES)}
    for field in dataclasses.fields(ModelSettings):
        key, value, before = field.name, getattr(named, field.name), getattr(own, field.name)
        # an adapter is looked for by its name among those of the domain
        if value != before and key not in _ADAPTERS and not (key in _ROLES and value in known):
            raise UsageError(
                f"{path} wants models.{key} = {str(value)!r} and the settings say {str(before)!r}: "
                "the folder of a domain does not choose models or endpoints",
                hint=f"set models.{key} yourself to have it so, name an arm with --arm, or remove the file",
            )
