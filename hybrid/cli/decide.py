"""Commands that decide: which arm, by a table or an experiment; what is declined; which domain is asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from hybrid.assistant import Assistant
from hybrid.cli import console
from hybrid.cli.evaluate import DEFAULT_ARMS, Retry, told_failures
from hybrid.cli.options import AsUser, Context, ExecutorName, group, shared, verb
from hybrid.domains import Assistants
from hybrid.errors import EXIT_GATE_FAILED, EXIT_PARTIAL, UsageError
from hybrid.routing.abstention import AnswerScore, Risk
from hybrid.routing.domains import RouterCard
from hybrid.types import plain

if TYPE_CHECKING:
    from hybrid.comparison import Comparison
    from hybrid.decision.values import Requirements

From = Annotated[
    Path | None, Option("--from", help="Outcomes (CSV, JSON, JSON lines, a folder): question, source, arms.")
]
Gold = Annotated[
    Path | None, Option("--gold", help="With --from: judgements of people for some of its questions.")
]
Costs = Annotated[
    Path | None, Option("--costs", help="With --from: what the arms cost (TOML, a table an arm).")
]
Arms = Annotated[str | None, Option("--arms", help="Which arms, joined by commas, for example base,rag:k=3.")]
Margin = Annotated[
    float | None, Option("--margin", help="How much worse is still as good, as a share: 0.02.")
]
Level = Annotated[float | None, Option("--level", help="The accepted chance of a wrong verdict.")]
Metric = Annotated[str | None, Option("--metric", help="The score that decides; default: correct.")]
Budget = Annotated[
    int | None, Option("--budget", min=1, help="Ask in growing batches, at most so many answers in all.")
]
Require = Annotated[
    list[str] | None,
    Option("--require", help="MEASURE>=X, MEASURE<=X, decided, or arm=NAME; ends with 7 if not met."),
]
Report = Annotated[Path | None, Option("--report", help="Write the report, one HTML file.")]


@shared()
def decide(
    context: Context,
    questions: Annotated[str | None, Argument(help="A question set: a file, or a name.")] = None,
    table: From = None,
    gold: Gold = None,
    costs: Costs = None,
    arms: Arms = None,
    margin: Margin = None,
    level: Level = None,
    metric: Metric = None,
    budget: Budget = None,
    require: Require = None,
    report: Report = None,
    retry: Retry = False,
    executor: ExecutorName = "",
    seed: Annotated[int | None, Option("--seed", min=0, help="Of the resampling.")] = None,
    explain: Annotated[bool, Option("--explain", help="Say all of what could turn the verdict.")] = False,
) -> int:
    """Decide which arm to run, with evidence: from a question set, or from a table of outcomes."""
    from hybrid.comparison import policy_from
    from hybrid.decision.replay import decide_from
    from hybrid.decision.values import parse_requirements, refuse_unknown
    from hybrid.report import report_html, report_json, report_text

    settings = context.settings(
        {"decision": {"margin": margin, "level": level, "metric": metric, "seed": seed}}
    )
    requirements = parse_requirements(require or ())
    if report is not None:
        _make_room(report)
    if table is not None:
        if questions is not None:
            raise UsageError("give a question set or --from, not both")
        decision, scores = decide_from(
            table,
            policy=policy_from(settings, requirements.gates),
            arms=tuple(name.strip() for name in arms.split(",")) if arms is not None else (),
            metric=metric or "score",
            gold=gold,
            costs=costs,
            budget=budget,
        )
        if report is not None:
            _save(report, report_html(decision, table=scores, title=table.stem))
        context.show(report_json(decision), report_text(decision, width=console.width()))
        return _gate(requirements.unmet(decision))
    if questions is None:
        raise UsageError(
            "nothing to decide on", hint="name a question set, or a table of outcomes with --from FILE.csv"
        )
    if gold is not None or costs is not None:
        raise UsageError("--gold and --costs go with --from", hint="an experiment measures costs itself")
    named = arms or DEFAULT_ARMS
    if "," not in named:
        raise UsageError(
            f"a decision needs two arms or more, found: {named}", hint="name several with --arms"
        )
    assistant = context.assistant(settings)
    refuse_unknown(requirements.gates)
    comparison = assistant.compare(
        questions,
        arms=named,
        gates=requirements.gates,
        budget=budget,
        retry=retry,
        progress=console.counting(10),
        executor=executor,
    )
    return _tell(context, assistant, comparison, requirements, report, explain=explain)


@shared()
def abstain(
    context: Context,
    questions: Annotated[str, Argument(help="A question set with golds: a file, or a name.")],
    risk: Annotated[float, Option("--risk", help="The accepted share of wrong answers: 0.05.")],
    of: Annotated[Risk, Option("--of", help="Of the answers given, or of all questions.")] = (Risk.ANSWERED),
    delta: Annotated[float, Option("--delta", help="The chance that it does not hold.")] = 0.1,
    arm: Annotated[str | None, Option("--arm", help="Whose answers; default: as decided, or rag.")] = None,
    score: Annotated[
        AnswerScore | None,
        Option("--score", help="What an answer is held by; default: chosen on a half of the sources."),
    ] = None,
) -> int:
    """Decline from now on what is not sure enough, so that few answers are wrong; 7 if none can be."""
    found = context.assistant().abstention(
        questions, alpha=risk, delta=delta, risk=of, arm=arm, score=score, progress=console.counting(10)
    )
    bound = found.bound
    context.show({"sentence": bound.sentence} | plain(found), f"{found.arm}, {found.score}: {bound.sentence}")
    return 0 if bound.threshold is not None else EXIT_GATE_FAILED


def _tell(
    context: Context,
    assistant: Assistant,
    comparison: Comparison,
    requirements: Requirements,
    report: Path | None,
    *,
    explain: bool,
) -> int:
    """Write the report of an experiment, show its decision, and adopt it unless a requirement is not met."""
    from hybrid.comparison import write
    from hybrid.report import report_json, report_text

    assert comparison.decision is not None, "several arms are decided on"
    page = write(comparison, title=assistant.domain)
    console.note(f"report: {page}")
    if comparison.caution:
        console.note(comparison.caution if explain else comparison.warning)
    if report is not None:
        _save(report, page.read_text(encoding="utf-8"))
    text = report_text(comparison.decision, material=comparison.material, width=console.width())
    context.show(report_json(comparison.decision) | comparison.told(), text)
    failed = told_failures(comparison)
    unmet = requirements.unmet(comparison.decision)
    adopted = None if unmet else assistant.adopt(comparison)
    if adopted is not None:
        _tell_adopted(assistant, adopted)
    return _gate(unmet) or (EXIT_PARTIAL if failed else 0)


def _tell_adopted(assistant: Assistant, adopted: str) -> None:
    """Say what answers from now on, and end the trial of just that."""
    from hybrid.operations.traffic import end_where_usual

    if (ended := end_where_usual(assistant)) is not None:
        console.note(f"the trial of {ended.arm} ended: it is what answers now")
    usual = assistant.asked.usual.name
    console.note(f"`hybrid ask` uses {usual} from now on; another with --arm")
    if assistant.asked.of_labels:
        console.note(assistant.asked.of_labels)


def _make_room(path: Path) -> None:
    """Make the folder of the report before anything is asked."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint="check --report") from error
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="name a file: --report FILE.html")


def _save(path: Path, page: str) -> None:
    from hybrid.files import write_atomic

    write_atomic(path, page)
    console.note(f"report: {path}")


def _gate(unmet: list[str]) -> int:
    for line in unmet:
        console.note(f"required and not met: {line}")
    return EXIT_GATE_FAILED if unmet else 0


router_app = group("Which domain a question belongs to, and which arm answers it.")


@verb(router_app, "fit", "as_json", "config", "indexes", "offline")
def fit_router(context: Context) -> None:
    """Fit the router to the question sets of all domains, and say how well it does on those left out."""
    with Assistants(settings=context.settings()) as assistants:
        card = assistants.fit_router()
        context.show(card, *_router_told(card, assistants))


@verb(router_app, "route", "as_json", "config", "indexes", "offline")
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


@verb(router_app, "arms")
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


def _router_told(card: RouterCard, assistants: Assistants) -> list[str]:
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
