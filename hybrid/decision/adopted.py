"""The arm that a domain answers by, because a decision chose it.

Takes the folder of a domain, gives the name of an arm, or writes it. Knows nothing about how it was chosen.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from hybrid.decision.values import Decision
from hybrid.errors import UsageError
from hybrid.files import write_json

_FILE = "DECISION"


def adopt(
    domain: Path,
    decision: Decision,
    *,
    experiment: str,
    pinned: Callable[[str], str] = lambda arm: arm,
) -> str | None:
    """Make the chosen arm the one that the domain answers by; return it, None if there was no choice.

    An undecided verdict leaves in force what was decided before.

    Args:
        domain: its folder.
        decision: the verdict.
        experiment: the name of the experiment that it rests on.
        pinned: gives an arm under the name that will mean the same tomorrow.
    """
    if decision.arm is None:
        return None
    arm = pinned(decision.arm)
    write_json(domain / _FILE, {"arm": arm, "experiment": experiment, "sentence": decision.sentence})
    return arm


def adopted(domain: Path) -> str | None:
    """Return the arm that was chosen for the domain, None if nothing was decided yet.

    Raises:
        UsageError: the file is not what ``adopt`` writes.
    """
    path = domain / _FILE
    try:
        arm = json.loads(path.read_text(encoding="utf-8"))["arm"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} does not name an arm", hint="run `hybrid decide` again, or remove the file"
        ) from error
    return str(arm)
