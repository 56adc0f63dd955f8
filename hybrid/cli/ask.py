"""Commands that answer: search, ask, chat; and how an answer and its verdicts are shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybrid.assistant import Assistant
from hybrid.cli import console
from hybrid.cli.options import AsUser, Context, Count, Reranker, shared
from hybrid.config import Reader as ReaderKind
from hybrid.config import RetrievalMode
from hybrid.domains import Assistants
from hybrid.errors import ModelMissing, UsageError
from hybrid.freshness import Drift, changed_since
from hybrid.types import Answer, Arm, Span, plain

if TYPE_CHECKING:
    from hybrid.evaluation.outcomes import ArmCost
    from hybrid.grounding.judge import Grounding
    from hybrid.grounding.sampling import Uncertainty
    from hybrid.grounding.values import ClaimVerdict, Excerpt

Question = Annotated[str, typer.Argument(help="In plain words; - reads it from stdin.")]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="Only documents with KEY=VALUE; source and title take * and ?."),
]
ArmOption = Annotated[
    str | None,
    typer.Option(
        "--arm",
        help="base: the generator alone; rag: with passages; adapter, both: the same with the adapted "
        "generator; or one with settings, such as rag:reader=generator:k=3; default: as decided, or rag.",
    ),
]
Reader = Annotated[ReaderKind | None, typer.Option("--reader", help="Who writes the answer of rag and both.")]
GeneratorAdapter = Annotated[
    str | None,
    typer.Option("--generator-adapter", help="Another adapter than the one in use; without --arm: both."),
]
NoCheck = Annotated[
    bool, typer.Option("--no-check", help="Do not say which sentences the passages carry; faster.")
]
Samples = Annotated[
    int | None,
    typer.Option(
        "--samples",
        min=1,
        help="Draw so many other answers and say whether they agree; for base and adapter, which have no "
        "passages to be checked against.",
    ),
]

_SNIPPET = 160
_WORDS = {
    "supported": "supported",
    "unclear": "unclear from the passages",
    "contradicted": "contradicted",
    "not in evidence": "not in the passages",
    "unsupported language": "not checked, for its language",
    "not judged": "not checked, for the judge computed no number",
}
_MARGIN = "  "


@shared()
def search(
    context: Context,
    question: Question,
    k: Count = None,
    mode: Annotated[
        RetrievalMode | None, typer.Option("--mode", help="Which side finds the passages.")
    ] = None,
    where: Where = None,
    reranker: Reranker = None,
    as_user: AsUser = None,
) -> None:
    """Show the passages nearest to a question, with the scores of each side."""
    settings = context.settings(retrieval={"k": k, "mode": mode}, models={"reranker": reranker})
    assistant = context.assistant(settings)
    hits = assistant.search(_read(question), where=_conditions(where), as_user=as_user or None)
    stale = _stale(assistant)
    if context.as_json:
        console.json_document({"question": question, "hits": hits, "stale": stale})
        return
    if not hits:
        console.note("nothing was found")
    for rank, hit in enumerate(hits, start=1):
        chunk = hit.chunk
        lexical = f"{hit.lexical:.2f}" if hit.lexical is not None else "-"
        rerank = f"  rerank {hit.rerank:.3f}" if hit.rerank is not None else ""
        place = console.place(chunk)
        console.data(
            f"{rank:2}. {hit.score:.3f}  dense {hit.dense or 0:.3f}  lexical {lexical}{rerank}  {place}"
        )
        path = " > ".join(chunk.headings)
        if path:
            console.data(f"    {console.one_line(path, _SNIPPET)}")
        console.data(f"    {console.one_line(chunk.text, _SNIPPET)}")


@shared()
def ask(
    context: Context,
    question: Question,
    arm: ArmOption = None,
    generator_adapter: GeneratorAdapter = None,
    reader: Reader = None,
    where: Where = None,
    as_user: AsUser = None,
    k: Count = None,
    reranker: Reranker = None,
    no_check: NoCheck = False,
    samples: Samples = None,
    why: Annotated[
        bool, typer.Option("--why", help="Say why: the domain, the arm and its evidence, the passages.")
    ] = False,
) -> None:
    """Answer a question with citations that hold, or say that the documents do not answer it.

    Then say of each sentence whether the passages carry it, and with what; without passages, whether sampled
    answers agree. With several domains, or a list of them with commas, the router chooses one or none.
    """
    assistant, used = _assistant(context, arm, generator_adapter, reader, k, reranker)
    if samples and isinstance(assistant, Assistants):
        raise UsageError("--samples goes with one domain", hint="name it with --domain")
    if samples and (used or Arm.RAG).partition(":")[0] in (Arm.RAG, Arm.BOTH):
        raise UsageError(
            f"--samples does not go with the arm {used or Arm.RAG}: its answers are checked against their "
            "passages",
            hint="use --arm base or --arm adapter",
        )
    text, conditions = _read(question), _conditions(where)
    stale = {"stale": plain(_stale(assistant))}
    if context.as_json:
        answer = assistant.ask(text, arm=used, where=conditions, as_user=as_user or None)
        sure = _sure(assistant, answer, samples)
        costs = {"otherwise": plain(_costs(assistant, answer))} if why else {}
        console.json_document(values(answer, _checked(assistant, answer, no_check), sure) | costs | stale)
        return
    for part in assistant.stream(text, arm=used, where=conditions, as_user=as_user or None):
        _show(assistant, part, no_check, samples)
        for line in _why(assistant, part) if why and isinstance(part, Answer) else ():
            console.data(line)


@shared()
def chat(
    context: Context,
    arm: ArmOption = None,
    generator_adapter: GeneratorAdapter = None,
    reader: Reader = None,
    as_user: AsUser = None,
    no_check: NoCheck = False,
) -> None:
    """Answer question after question from stdin; a follow-up is understood with what was asked before it.

    With --json one line an answer.
    """
    assistant, used = _assistant(context, arm, generator_adapter, reader)
    asked = sys.stdin.isatty() and not context.as_json
    if asked:
        names = assistant.domains if isinstance(assistant, Assistants) else [assistant.domain]
        console.note(f"Asking {', '.join(names)}. Ctrl-D ends.")
    conversation = assistant.chat(arm=used, as_user=as_user or None)
    while True:
        if asked:
            console.prompt("> ")
        line = sys.stdin.readline()
        if not line:
            return
        if not line.strip():
            continue
        for part in conversation.stream(line.strip()):
            if not context.as_json:
                _show(assistant, part, no_check)
            elif isinstance(part, Answer):
                console.json_line(values(part, _checked(assistant, part, no_check)))


def _stale(assistant: Assistant | Assistants) -> dict[str, Drift]:
    """Return by domain how its folder changed since it was indexed, said on stderr too."""
    if isinstance(assistant, Assistants):
        folders = [assistant.indexes / name for name in assistant.domains]
    else:
        folders = [assistant.folder]
    drifts = {folder.name: drift for folder in folders if (drift := changed_since(folder))}
    console.older(drifts)
    return drifts


def _assistant(
    context: Context,
    arm: str | None,
    generator_adapter: str | None,
    reader: ReaderKind | None,
    k: int | None = None,
    reranker: str | None = None,
) -> tuple[Assistant | Assistants, str | None]:
    """Return the assistant and the arm: the one named, else the one decided on, else rag.

    Over several domains each takes its own, and with a router each question; None is returned then.
    """
    if generator_adapter is not None:
        arm = arm or Arm.BOTH
        if arm.partition(":")[0] in (Arm.BASE, Arm.RAG):
            raise UsageError(
                f"--generator-adapter does not go with --arm {arm}", hint="use --arm adapter or --arm both"
            )
    settings = context.settings(
        retrieval={"k": k, "mode": RetrievalMode.FUSION if reranker else None},
        generation={"reader": reader},
        models={"reranker": reranker, "generator_adapter": generator_adapter},
    )
    named = [value for value in (arm, reader, k, reranker) if value is not None]
    several = context.assistants(settings) if arm != Arm.BASE else None
    if several is not None:
        return several, arm or (Arm.RAG if named else None)
    # the generator alone needs no index
    assistant = context.assistant(settings, indexed=arm != Arm.BASE or context.domain is not None)
    # what is named on the command line wins over what was decided
    decided = None if named else assistant.decided
    router = None if named else assistant.arm_router
    if router is not None and router.routing.shipped:
        return assistant, None
    if decided is not None:
        console.note(f"arm: {decided.name}, as decided for {assistant.domain}")
    return assistant, decided.name if decided is not None else arm or Arm.RAG


def _show(
    assistant: Assistant | Assistants, part: str | Answer, no_check: bool, samples: int | None = None
) -> None:
    """Write a piece of an answer, and at its end what it rests on."""
    if isinstance(part, str):
        console.piece(part)
        return
    console.piece("\n")
    if part.incomplete:
        console.note(f"incomplete: {part.incomplete}")
    _routed(part)
    for citation in part.citations:
        console.data(f"  [{citation.number}] {console.cited(citation)}")
    if part.dropped_sentences:
        console.note(f"{len(part.dropped_sentences)} sentences left out: no passage supports them")
    if part.dropped_markers:
        console.note(f"{part.dropped_markers} citation markers left out: they pointed at no passage")
    if part.arm in (Arm.BASE, Arm.ADAPTER) and not part.abstained:
        console.note("note: written from the model's memory, without any document")
    for line in lines(part, _checked(assistant, part, no_check)):
        console.data(line)
    sure = _sure(assistant, part, samples)
    if sure is not None:
        many = "s" if len(sure.samples) > 1 else ""
        groups = f"{sure.meanings} meaning{'s' if sure.meanings > 1 else ''}, entropy {sure.entropy:.2f}"
        console.data(f"agreement {sure.agreement:.2f} over {len(sure.samples)} sample{many} ({groups})")


def _routed(answer: Answer) -> None:
    """Note what a question was understood to ask, and where the routers sent it."""
    if answer.standalone:
        console.note(f"understood as: {answer.standalone}")
    if answer.route is not None:
        where = answer.domain or "none of the domains"
        console.note(f"domain: {where} ({answer.route.probability:.2f}; {answer.route.reason})")
    if answer.arm_route is not None:
        console.note(f"arm: {answer.variant} ({answer.arm_route.reason})")


def _why(assistant: Assistant | Assistants, answer: Answer) -> Iterator[str]:
    """Yield what an answer rests on: the chances of the domains, the arm and why it, and the passages."""
    yield "why:"
    for one in answer.route.chances if answer.route else ():
        yield f"{_MARGIN}{one.probability:.3f}  {one.domain or 'none of these'}"
    own = _own(assistant, answer)
    if own is not None:
        route, router = answer.arm_route, own.arm_router
        because = route.reason if route else own.decided_because or "nothing was decided yet"
        yield f"{_MARGIN}arm {answer.variant or answer.arm}: {because}"
        for chance in route.chances if route else ():
            yield f"{_MARGIN}{chance.expected:.3f}  {chance.arm}"
        yield from [f"{_MARGIN}{router.routing.sentence}"] if router else []
    for rank, hit in enumerate(answer.hits, start=1):
        yield f"{_MARGIN}{rank}. {hit.score:.3f}  {console.place(hit.chunk)}"
    sure = "none" if answer.confidence is None else f"{answer.confidence:.2f}, not calibrated"
    tokens = f"{answer.prompt_tokens} tokens read, {answer.completion_tokens} written"
    yield f"{_MARGIN}confidence {sure}; {tokens}, {answer.seconds:.2f} s"
    for arm, cost in _costs(assistant, answer).items():
        tokens = f"{cost.prompt_tokens:.0f} tokens read, {cost.completion_tokens:.0f} written"
        yield f"{_MARGIN}on average {arm}: {tokens}, {cost.seconds:.2f} s"


def _costs(assistant: Assistant | Assistants, answer: Answer) -> dict[str, ArmCost]:
    """Return what an answer by each arm took when the arms were compared; nothing where they were not."""
    own = _own(assistant, answer)
    return {} if own is None else own.arm_costs


def _own(assistant: Assistant | Assistants, answer: Answer) -> Assistant | None:
    """Return the assistant of the domain that answered, None if none did."""
    if isinstance(assistant, Assistant):
        return assistant
    return assistant[answer.domain] if answer.domain else None


def _sure(assistant: Assistant | Assistants, answer: Answer, samples: int | None) -> Uncertainty | None:
    if not samples or isinstance(assistant, Assistants):
        return None
    return assistant.uncertainty(answer, samples=samples)


def _checked(assistant: Assistant | Assistants, answer: Answer, no_check: bool) -> Grounding | None:
    if no_check:
        return None
    try:
        return assistant.check(answer)
    except ModelMissing as error:  # the answer is there and cited all the same
        console.note(f"not checked: {error}")
        return None


def lines(answer: Answer, grounding: Grounding | None) -> Iterator[str]:
    """Yield what is said of each claim; one that asserts nothing is passed over.

    What the passages carry is told with the place that says it; what they do not is underlined.
    """
    for verdict in grounding.verdicts if grounding else ():
        if verdict.status in _WORDS:
            yield from _told(answer, verdict)


def values(answer: Answer, grounding: Grounding | None, sure: Uncertainty | None = None) -> dict[str, Any]:
    """Return an answer as JSON values, with its ``claims`` and its ``uncertainty``.

    The claims are null where nothing was checked, the uncertainty where nothing was sampled.

    ``evidence.passage`` is a place among the hits, from 0, and the spans are offsets into its text.
    """
    sources = [hit.chunk.source for hit in answer.hits]
    claims = None if grounding is None else [verdict.document(sources) for verdict in grounding.verdicts]
    return {**answer.to_dict(), "claims": claims, "uncertainty": plain(sure)}


def _told(answer: Answer, verdict: ClaimVerdict) -> Iterator[str]:
    carried = verdict.status == "supported"
    likely = "" if verdict.support is None else f" ({verdict.support:.2f})"
    label = f"{_MARGIN}{_WORDS[verdict.status]}{likely}: "
    said = console.one_line(verdict.claim.text, max(console.width() - len(label) - 2, 20))
    yield f'{label}"{said if carried or not likely else console.underlined(said)}"'
    doubts = [f"{found.doubt} {console.one_line(found.text, 40)}" for found in verdict.findings]
    if doubts and not carried:
        yield f"{2 * _MARGIN}in doubt: {', '.join(doubts)}"
    # what is nowhere has only a nearest stretch, which would look like evidence
    if verdict.evidence is not None and verdict.status != "not in evidence":
        yield from _shown(answer, verdict.evidence, verdict.claim.text)


def _shown(answer: Answer, evidence: Excerpt, claim: str) -> Iterator[str]:
    """Yield where the evidence stands, and what it says if the claim does not say just that."""
    chunk = answer.hits[evidence.passage].chunk
    start, end = (chunk.start + place for place in (evidence.spans[0].start, evidence.spans[-1].end))
    cited = [
        f"[{one.number}]"
        for one in answer.citations
        if one.source == chunk.source and one.start <= start and end <= one.end
    ]
    where = cited[0] if cited else console.place(chunk, Span(start, end))
    verbatim = evidence.text.split() == claim.split()
    quote = "" if verbatim else f'"{console.one_line(evidence.text, console.width() - 12)}"'
    if quote and not cited:
        yield f"{2 * _MARGIN}{where}"
        yield f"{2 * _MARGIN}{quote}"
    else:
        yield f"{2 * _MARGIN}{where} {quote}".rstrip()


def _conditions(where: list[str] | None) -> dict[str, str]:
    """Return KEY=VALUE options as a mapping.

    Raises:
        UsageError: one has no ``=``, or a key is there twice.
    """
    parsed: dict[str, str] = {}
    for text in where or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(
                f"--where {text!r} is not KEY=VALUE", hint="for example: --where 'source=guide/*'"
            )
        if key in parsed:
            raise UsageError(
                f"--where {key} is given twice", hint="one condition a key; patterns take * and ?"
            )
        parsed[key] = value
    return parsed


def _read(question: str) -> str:
    return (sys.stdin.read() if question == "-" else question).strip()
