"""The command that bounds the share of wrong answers of a domain."""

from __future__ import annotations

from typing import Annotated

import typer

from hybrid.cli import console
from hybrid.cli.options import Context, shared
from hybrid.errors import EXIT_GATE_FAILED
from hybrid.routing.abstention import AnswerScore, Risk
from hybrid.types import plain


@shared()
def abstain(
    context: Context,
    questions: Annotated[str, typer.Argument(help="A question set with golds: a file, or a name.")],
    risk: Annotated[float, typer.Option("--risk", help="The accepted share of wrong answers: 0.05.")],
    of: Annotated[Risk, typer.Option("--of", help="Of the answers given, or of all questions.")] = (
        Risk.ANSWERED
    ),
    delta: Annotated[float, typer.Option("--delta", help="The chance that it does not hold.")] = 0.1,
    arm: Annotated[
        str | None, typer.Option("--arm", help="Whose answers; default: as decided, or rag.")
    ] = None,
    score: Annotated[
        AnswerScore | None,
        typer.Option("--score", help="What an answer is held by; default: chosen on a half of the sources."),
    ] = None,
) -> int:
    """Decline from now on what is not sure enough, so that few answers are wrong; 7 if none can be."""
    found = context.assistant().abstention(
        questions, alpha=risk, delta=delta, risk=of, arm=arm, score=score, progress=console.counting(10)
    )
    bound = found.bound
    context.show({"sentence": bound.sentence} | plain(found), f"{found.arm}, {found.score}: {bound.sentence}")
    return 0 if bound.threshold is not None else EXIT_GATE_FAILED
