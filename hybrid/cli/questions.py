"""Commands that answer: search, ask, chat."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybrid.arms import parse_arm
from hybrid.assistant import Assistant
from hybrid.cli import carrying, console
from hybrid.cli.options import (
    Config,
    Count,
    Domain,
    EffortOption,
    Indexes,
    Json,
    Mode,
    Offline,
    Reranker,
    Where,
    assistant_for,
    conditions,
    existing_domain,
    settings_from,
)
from hybrid.config import Effort, RetrievalMode
from hybrid.config import Reader as ReaderKind
from hybrid.decision.adopted import adopted
from hybrid.errors import HybridError, ModelMissing, UsageError
from hybrid.types import Answer, Arm, Citation

if TYPE_CHECKING:
    from hybrid.grounding.judging import Grounding

Question = Annotated[str, typer.Argument(help="In plain words; - reads it from stdin.")]
ArmOption = Annotated[
    Arm | None,
    typer.Option(
        "--arm",
        help="base: the generator alone; rag: with passages; adapter, both: the same with the adapted "
        "generator; default: as decided, or rag.",
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


def search(
    question: Question,
    domain: Domain = None,
    k: Count = None,
    mode: Mode = None,
    where: Where = None,
    reranker: Reranker = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
    effort: EffortOption = None,
    offline: Offline = False,
) -> None:
    """Show the passages nearest to a question, with the scores of each side."""
    retrieval = {"k": k, "mode": mode}
    settings = settings_from(
        config,
        indexes=indexes,
        effort=effort,
        offline=offline,
        retrieval=retrieval,
        models={"reranker": reranker},
    )
    hits = assistant_for(settings, domain).search(_text(question), where=conditions(where))
    if as_json:
        console.json_document({"question": question, "hits": hits})
        return
    if not hits:
        console.note("nothing was found")
    for rank, hit in enumerate(hits, start=1):
        chunk = hit.chunk
        lexical = f"{hit.lexical:.2f}" if hit.lexical is not None else "-"
        rerank = f"  rerank {hit.rerank:.3f}" if hit.rerank is not None else ""
        place = console.place(chunk.source, chunk.page, chunk.start, chunk.end)
        console.data(
            f"{rank:2}. {hit.score:.3f}  dense {hit.dense or 0:.3f}  lexical {lexical}{rerank}  {place}"
        )
        path = " > ".join(chunk.headings)
        if path:
            console.data(f"    {console.one_line(path, _SNIPPET)}")
        console.data(f"    {console.one_line(chunk.text, _SNIPPET)}")


def ask(
    question: Question,
    domain: Domain = None,
    arm: ArmOption = None,
    generator_adapter: GeneratorAdapter = None,
    reader: Reader = None,
    where: Where = None,
    k: Count = None,
    reranker: Reranker = None,
    no_check: NoCheck = False,
    samples: Samples = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
    effort: EffortOption = None,
    offline: Offline = False,
) -> None:
    """Answer a question with citations that hold, or say that the documents do not answer it.

    Then say of each sentence whether the passages carry it, and with what; without passages, whether sampled
    answers agree.
    """
    assistant, used = _assistant(
        config, indexes, effort, offline, domain, arm, reader, k, reranker, generator_adapter
    )
    if samples and used in (Arm.RAG, Arm.BOTH):
        raise UsageError(
            f"--samples does not go with the arm {used}: its answers are checked against their passages",
            hint="use --arm base or --arm adapter",
        )
    text = _text(question)
    if as_json:
        answer = assistant.ask(text, arm=used, where=conditions(where))
        sure = assistant.uncertainty(answer, samples=samples) if samples else None
        console.json_document(carrying.values(answer, _checked(assistant, answer, no_check), sure))
        return
    _answer(assistant, text, used, conditions(where), no_check, samples)


def chat(
    domain: Domain = None,
    arm: ArmOption = None,
    generator_adapter: GeneratorAdapter = None,
    reader: Reader = None,
    no_check: NoCheck = False,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
    effort: EffortOption = None,
    offline: Offline = False,
) -> None:
    """Answer question after question from stdin; each stands alone. With --json one line an answer."""
    assistant, used = _assistant(
        config, indexes, effort, offline, domain, arm, reader, None, None, generator_adapter
    )
    asked = sys.stdin.isatty() and not as_json
    if asked:
        console.note(f"Asking {assistant.domain}. Ctrl-D ends.")
    while True:
        if asked:
            console.prompt("> ")
        line = sys.stdin.readline()
        if not line:
            return
        if not line.strip():
            continue
        if as_json:
            answer = assistant.ask(line.strip(), arm=used)
            console.json_line(carrying.values(answer, _checked(assistant, answer, no_check)))
        else:
            _answer(assistant, line.strip(), used, {}, no_check)


def _assistant(
    config: Path | None,
    indexes: str | None,
    effort: Effort | None,
    offline: bool,
    domain: str | None,
    arm: Arm | None,
    reader: ReaderKind | None,
    k: int | None,
    reranker: str | None,
    generator_adapter: str | None,
) -> tuple[Assistant, Arm]:
    """Return the assistant and the arm: the one named, else the one decided on, else rag."""
    if generator_adapter is not None:
        arm = arm or Arm.BOTH
        if arm in (Arm.BASE, Arm.RAG):
            raise UsageError(
                f"--generator-adapter does not go with --arm {arm}", hint="use --arm adapter or --arm both"
            )
    settings = settings_from(
        config,
        indexes=indexes,
        effort=effort,
        offline=offline,
        retrieval={"k": k, "mode": RetrievalMode.FUSION if reranker else None},
        generation={"reader": reader},
        models={"reranker": reranker, "generator_adapter": generator_adapter},
    )
    if arm is Arm.BASE and domain is None:
        # the generator alone needs no index
        return Assistant(settings.domain or "none", settings=settings), arm
    name = existing_domain(settings, domain)
    # what is named on the command line wins over what was decided
    named = [value for value in (arm, reader, k, reranker) if value is not None]
    folder = Path(settings.indexes) / name
    chosen = None if named else adopted(folder)
    if chosen is None:
        return Assistant(name, settings=settings), arm or Arm.RAG
    try:
        spec = parse_arm(chosen, settings)
    except HybridError as error:
        raise UsageError(
            f"{folder / 'DECISION'} names an arm that cannot be used: {error}",
            hint="run `hybrid decide` again, or name one with --arm",
        ) from error
    console.note(f"arm: {chosen}, as decided for {name}")
    return Assistant(name, settings=spec.settings), spec.arm


def _answer(
    assistant: Assistant,
    question: str,
    arm: Arm,
    where: dict[str, str],
    no_check: bool,
    samples: int | None = None,
) -> None:
    for part in assistant.stream(question, arm=arm, where=where):
        if isinstance(part, Answer):
            console.piece("\n")
            _show_sources(part)
            for line in carrying.lines(part, _checked(assistant, part, no_check)):
                console.data(line)
            sure = assistant.uncertainty(part, samples=samples) if samples else None
            if sure is not None:
                console.data(carrying.agreement(sure))
        else:
            console.piece(part)


def _checked(assistant: Assistant, answer: Answer, no_check: bool) -> Grounding | None:
    if no_check:
        return None
    try:
        return assistant.check(answer)
    except ModelMissing as error:  # the answer is there and cited all the same
        console.note(f"not checked: {error}")
        return None


def _show_sources(answer: Answer) -> None:
    for citation in answer.citations:
        console.data(f"  [{citation.number}] {_cited_place(citation)}")
    if answer.dropped_sentences:
        console.note(f"{len(answer.dropped_sentences)} sentences left out: no passage supports them")
    if answer.dropped_markers:
        console.note(f"{answer.dropped_markers} citation markers left out: they pointed at no passage")
    if answer.arm in (Arm.BASE, Arm.ADAPTER) and not answer.abstained:
        console.note("note: written from the model's memory, without any document")


def _cited_place(citation: Citation) -> str:
    return console.place(citation.source, citation.page, citation.start, citation.end)


def _text(question: str) -> str:
    text = sys.stdin.read() if question == "-" else question
    if not text.strip():
        raise UsageError("the question is empty", hint='ask something: hybrid ask "..."')
    return text.strip()
