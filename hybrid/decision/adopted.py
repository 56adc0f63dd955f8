"""The arm that a domain answers by, because a decision chose it.

Takes the folder of a domain, gives the name of an arm, or writes it. Knows nothing about how it was chosen.
"""

from __future__ import annotations

import json
from pathlib import Path

from hybrid.decision.values import Decision
from hybrid.errors import UsageError
from hybrid.files import write_json

_FILE = "DECISION"


def adopt(domain: Path, decision: Decision, *, experiment: str) -> bool:
    """Make the chosen arm the one that the domain answers by; tell whether there was a choice.

    An undecided verdict leaves in force what was decided before.
    """
    if decision.arm is None:
        return False
    row = {"arm": decision.arm, "experiment": experiment, "sentence": decision.sentence}
    write_json(domain / _FILE, row)
    return True


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
