"""The commands about the routers: over all domains, and over the arms of one."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from hybrid.cli import console
from hybrid.cli.options import AsUser, Context, group, verb
from hybrid.domains import Assistants
from hybrid.errors import EXIT_GATE_FAILED
from hybrid.routing.domains import RouterCard
from hybrid.types import plain

app = group("Which domain a question belongs to, and which arm answers it.")


@verb(app, "fit", "as_json", "config", "indexes", "offline")
def fit(context: Context) -> None:
    """Fit the router to the question sets of all domains, and say how well it does on those left out."""
    with Assistants(settings=context.settings()) as assistants:
        card = assistants.fit_router()
        context.show(card, *_told(card, assistants))


@verb(app, "route", "as_json", "config", "indexes", "offline")
def route(
    context: Context, question: Annotated[str, Argument(help="In plain words.")], as_user: AsUser = None
) -> None:
    """Say which domain a question belongs to, and what speaks for it."""
    with Assistants(settings=context.settings()) as assistants:
        found = assistants.route(question, as_user=as_user or None)
        for name, reason in assistants.left_out().items():
            console.note(f"left out: {name}: {reason}")
    chances = [f"  {one.probability:.3f}  {one.domain or 'none of these'}" for one in found.chances]
    context.show(found, f"{found.domain or 'none of these'}: {found.reason}", *chances)


@verb(app, "arms")
def arms(
    context: Context,
    questions: Annotated[str, Argument(help="A question set with golds: a file, or a name.")],
    among: Annotated[str, Option("--arms", help="The arms to choose from, from simple to costly.")] = (
        "base,rag,adapter,both"
    ),
) -> int:
    """Answer each question by an arm of its own from now on, if that gains over the best one; 7 if not.

    Whether it gains is measured on questions of documents that the router was not fitted to.
    """
    assistant = context.assistant()
    card = assistant.fit_arm_router(questions, arms=among, progress=console.counting(10))
    found = card.routing
    table = [
        f"  expected {one.confidence:.2f}, was {one.score:.2f}  ({one.items})" for one in found.reliability
    ]
    told = {"sentence": found.sentence, "used": found.shipped} | plain(card)
    context.show(told, found.sentence, f"calibration error {found.error:.3f}; the score of its arms:", *table)
    return 0 if found.shipped else EXIT_GATE_FAILED


def _told(card: RouterCard, assistants: Assistants) -> list[str]:
    found = card.reliability
    unlabelled = [name for name in assistants.domains if name not in card.domains]
    lines = [f"{name}: {told.count} labelled questions" for name, told in card.domains.items()]
    lines += [f"{name}: by its passages alone" for name in unlabelled]
    right = f"right {found.right:.0%}, AUROC of in and out of the domains {found.separation:.3f}"
    lines.append(
        f"{found.questions} questions, each left out, and asked again without its domain: {right}, "
        f"calibration error {found.error:.3f}"
    )
    return lines
