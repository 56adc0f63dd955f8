"""Commands that answer: search, ask, chat."""

from __future__ import annotations

import sys
from typing import Annotated

from typer import Argument, Option

from hybrid.assistant import Assistant
from hybrid.cli import console
from hybrid.cli.answers import View
from hybrid.cli.options import AsUser, Context, Count, Reranker, shared
from hybrid.config import Reader as ReaderKind
from hybrid.config import RetrievalMode
from hybrid.domains import Assistants
from hybrid.errors import UsageError
from hybrid.freshness import Drift, changed_since
from hybrid.tracing import traced
from hybrid.types import Arm, plain

Question = Annotated[str, Argument(help="In plain words; - reads it from stdin.")]
Where = Annotated[
    list[str] | None, Option("--where", help="Only documents with KEY=VALUE; source and title take * and ?.")
]
ArmOption = Annotated[
    str | None,
    Option(
        "--arm",
        help="base: the generator alone; rag: with passages; adapter, both: the same with the adapted "
        "generator; or one with settings, such as rag:reader=generator:k=3; default: as decided, or rag.",
    ),
]
Reader = Annotated[ReaderKind | None, Option("--reader", help="Who writes the answer of rag and both.")]
GeneratorAdapter = Annotated[
    str | None,
    Option("--generator-adapter", help="Another adapter than the one in use; without --arm: both."),
]
NoCheck = Annotated[bool, Option("--no-check", help="Do not say which sentences the passages carry; faster.")]
Samples = Annotated[
    int | None,
    Option(
        "--samples",
        min=1,
        help="Draw so many other answers and say whether they agree; for base and adapter, which have no "
        "passages to be checked against.",
    ),
]

LabelOptions = Annotated[
    str | None, Option("--options", help="Choose one of these labels, joined by commas, and answer no more.")
]

_SNIPPET = 160


@shared()
def search(
    context: Context,
    question: Question,
    k: Count = None,
    mode: Annotated[RetrievalMode | None, Option("--mode", help="Which side finds the passages.")] = None,
    where: Where = None,
    reranker: Reranker = None,
    as_user: AsUser = None,
) -> None:
    """Show the passages nearest to a question, with the scores of each side."""
    settings = context.settings({"retrieval": {"k": k, "mode": mode}, "models": {"reranker": reranker}})
    text, several = _read(question), context.assistants(settings)
    assistant = _nearest(several, text, as_user) if several else context.assistant(settings)
    hits = assistant.search(text, where=_conditions(where), as_user=as_user or None)
    stale = _stale(assistant)
    if context.as_json:
        found = {"question": question, "domain": assistant.domain, "hits": hits, "stale": stale}
        console.json_document(found)
        return
    if not hits:
        console.note(_nothing(where))
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
    options: LabelOptions = None,
    why: Annotated[
        bool, Option("--why", help="Say of each sentence what carries it, and how surely.")
    ] = False,
    explain: Annotated[
        bool, Option("--explain", help="Say how it came about: domain, arm, passages, scores, time.")
    ] = False,
) -> None:
    """Answer a question with citations that hold, or say that the documents do not answer it.

    Then name the places, and what is in doubt: sentences that the passages do not carry; without passages,
    whether sampled answers agree. With several domains, or a list of them with commas, the router chooses one
    or none.
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
    if options is not None:
        if where or samples or why or explain:
            raise UsageError(
                "--options chooses a label, and has no --where, --samples, --why or --explain",
                hint="leave these out",
            )
        named = any(one is not None for one in (arm, generator_adapter, reader, k, reranker))
        _choose(context, assistant, text, options, used if named else None, as_user)
        return
    view = View(assistant, not no_check, why, explain, samples, as_user)
    stale = _stale(assistant)
    with traced(assistant.settings, console.note):
        if context.as_json:
            answer = assistant.ask(text, arm=used, where=conditions, as_user=as_user or None)
            console.json_document(view.values(answer) | {"stale": plain(stale)})
            return
        is_found = view.show(assistant.stream(text, arm=used, where=conditions, as_user=as_user or None))
        if where and not is_found:
            console.note(_nothing(where))


def _nothing(where: list[str] | None) -> str:
    return f"no passage matches --where {' --where '.join(where)}" if where else "nothing was found"


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
    view = View(assistant, not no_check)
    conversation = assistant.chat(arm=used, as_user=as_user or None)
    with traced(assistant.settings, console.note):
        while line := _next_line(asked):
            if not line.strip():
                continue
            if context.as_json:
                console.json_line(view.values(conversation.ask(line.strip())))
            else:
                view.show(conversation.stream(line.strip()))
                console.data("")


def _choose(
    context: Context,
    assistant: Assistant | Assistants,
    question: str,
    options: str,
    arm: str | None,
    as_user: list[str] | None,
) -> None:
    """Show the likeliest label, by the arm that was decided on or named."""
    if isinstance(assistant, Assistants):
        raise UsageError("--options goes with one domain", hint="name it with --domain")
    found = assistant.asked.choose(question, options.split(","), arm=arm, as_user=as_user or None)
    share = f"{found.confidence or 0:.2f} of the likelihood"
    context.show(found.to_dict(), f"{found.text}\n{share}, by {found.variant or found.arm}")


def _next_line(asked: bool) -> str:
    if asked:
        console.prompt("> ")
    return sys.stdin.readline()


def _nearest(assistants: Assistants, question: str, as_user: list[str] | None) -> Assistant:
    """Return the domain that a question is nearest to, and say which; the first where none can be told."""
    route = assistants.route(question, as_user=as_user or None)
    likely = [chance.domain for chance in route.chances if chance.domain]
    name = route.domain or (likely or assistants.domains)[0]
    others = ", ".join(other for other in assistants.domains if other != name)
    console.note(f"domain: {name} ({route.reason}); others: {others}")
    return assistants[name]


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
        {
            "retrieval": {"k": k, "mode": RetrievalMode.FUSION if reranker else None},
            "generation": {"reader": reader},
            "models": {"reranker": reranker, "generator_adapter": generator_adapter},
        }
    )
    named = [value for value in (arm, reader, k, reranker) if value is not None]
    several = context.assistants(settings) if arm != Arm.BASE else None
    if several is not None:
        return several, arm or (Arm.RAG if named else None)
    # the generator alone needs no index
    assistant = context.assistant(settings, indexed=arm != Arm.BASE or context.domain is not None)
    # what is named on the command line wins over what was decided
    router = None if named else assistant.asked.router
    if router is not None and router.routing.shipped:
        return assistant, None
    return assistant, arm or Arm.RAG if named else assistant.asked.usual.name


def _conditions(where: list[str] | None) -> dict[str, str]:
    """Return KEY=VALUE options as a mapping."""
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
