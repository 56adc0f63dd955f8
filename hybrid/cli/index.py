"""Commands on what is indexed, and on files before they are: index, status, remove, documents show."""

from __future__ import annotations

import re
import sys
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from hybrid.assistant import Assistant
from hybrid.cli import console
from hybrid.cli.answers import meant
from hybrid.cli.options import Context, ExecutorName, group, shared, verb
from hybrid.config import Settings
from hybrid.documents import ReaderPool, by_suffix, scan
from hybrid.errors import EXIT_PARTIAL, HybridError, UsageError
from hybrid.index.generations import domains
from hybrid.ingestion import IndexStatus, IngestEstimate, IngestReport, left_out_by_kind
from hybrid.operations.feedback import Feedback
from hybrid.tracing import traced
from hybrid.types import BY_OCR, Block, Document, LeftOut, Rejected, counted, share_kept

_RESTRICTED = "documents say who may read them, and are found with --as-user only"
_SHOWN_FILES = 10
# a file that kept this share of its characters lost nothing that a line about it would help to find
_KEPT_ENOUGH = 0.9


@shared()
def index(
    context: Context,
    folder: Annotated[Path, Argument(help="A folder of documents, or one file.")],
    dry_run: Annotated[bool, Option("--dry-run", help="Say what would be done, how big, how long.")] = False,
    rebuild: Annotated[bool, Option("--rebuild", help="Start from nothing.")] = False,
    exclude: Annotated[list[str] | None, Option("--exclude", help="Pattern as in .gitignore.")] = None,
    text_field: Annotated[str | None, Option("--text-field", help="Field of a CSV or JSONL row.")] = None,
    executor: ExecutorName = "",
) -> int:
    """Index a folder: only what is new or changed is read and embedded."""
    settings = context.settings({"documents": {"exclude": exclude or None, "text_field": text_field}})
    assistant = Assistant(_new_domain(context, settings, folder), settings=settings)
    if dry_run:
        _show_estimate(context, assistant.domain, assistant.estimate(folder, rebuild=rebuild))
        return 0
    with traced(settings, console.note), console.progress() as progress:
        report = assistant.index(folder, rebuild=rebuild, progress=progress, executor=executor)
    if context.as_json:
        console.json_document({"domain": assistant.domain, "report": report})
    else:
        _show_report(assistant.domain, report)
    return EXIT_PARTIAL if report.is_partial else 0


@shared()
def status(
    context: Context,
    files: Annotated[bool, Option("--files", help="List every document.")] = False,
    verify: Annotated[bool, Option("--verify", help="Check every file against its checksum.")] = False,
    glossary: Annotated[
        bool, Option("--glossary", help="List what words stand for, as the documents say.")
    ] = False,
) -> int:
    """Show what is indexed, with which embedder, and what was rejected; 6 where an index is damaged."""
    settings = context.settings()
    names = list(domains(Path(settings.indexes)))
    if context.domain or settings.domain or len(names) <= 1:
        names = [context.existing_domain(settings)]
    described, damaged = [], []
    for name in names:
        try:
            described.append(
                Assistant(name, settings=settings).status(files=files, verify=verify, glossary=glossary)
            )
        except HybridError as error:
            if len(names) == 1:
                raise
            # one damaged domain must not hide the others
            damaged.append({"domain": name, "error": str(error), "hint": error.hint})
            console.note(f"error: {name}: {error}\n  → {error.hint}")
    console.older({each.domain: each.stale for each in described if each.stale})
    context.show(
        {"domains": described, "damaged": damaged},
        *(line for each in described for line in _status_lines(each)),
    )
    return EXIT_PARTIAL if damaged else 0


@shared()
def remove(
    context: Context,
    patterns: Annotated[list[str] | None, Argument(help="Sources or patterns such as 'old/*'.")] = None,
    everything: Annotated[bool, Option("--all", help="Remove the whole domain.")] = False,
    yes: Annotated[bool, Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take documents out of the index; they come back with the next `index` unless they are gone."""
    if bool(patterns) == everything:
        raise UsageError("name what to remove, or give --all for the whole domain")
    assistant = context.assistant()
    name = assistant.domain
    if not everything:
        manifest = assistant.remove(patterns or [])
        counts = manifest.counts
        left = f"{counted(counts.documents, 'document')}, {counted(counts.chunks, 'chunk')} left"
        context.show({"domain": name, "manifest": manifest}, left)
        return
    if not yes and not sys.stdin.isatty():
        raise UsageError("nobody is there to confirm", hint="give --yes to remove the whole domain")
    if not yes:
        typer.confirm(f"Remove the domain {name!r} with all its generations?", abort=True, err=True)
    assistant.delete()
    if (feedback := Feedback.of(assistant.settings)) is not None:
        with closing(feedback):
            feedback.forget(name)
    context.show({"domain": name, "removed": True}, f"removed the domain {name!r}")


def _show_report(domain: str, report: IngestReport) -> None:
    plan, counts, dense = report.plan, report.manifest.counts, report.manifest.dense
    console.rejected(report.rejected, skipped=report.skipped)
    if report.unread:
        console.note(f"no reader for {console.one_line(by_suffix(report.unread), 600)}")
        named = next((suffix for suffix in report.unread if suffix.startswith(".")), ".suffix")
        console.note(f"  → what may stay out is named with --exclude '*{console.one_line(named, 20)}'")
    for line in _left_out_lines(report.left_out, report.characters):
        console.note(line)
    console.data(
        f"{domain}: added {len(plan.added)}, changed {len(plan.changed)}, removed {len(plan.removed)}, "
        f"kept {counted(len(plan.kept), 'file')}; {counted(report.embedded, 'chunk')} embedded "
        f"in {report.seconds:.1f} s"
    )
    search = "exact" if dense.effort == 0 else f"{dense.kind}, recall@10 {dense.recall_at_10:.3f}"
    held = f"{counted(counts.documents, 'document')}, {counted(counts.chunks, 'chunk')}"
    console.data(f"{domain}: {held}, search {search}")
    if dense.effort and dense.recall_at_10 < 0.95:
        console.note(f"note: recall@10 against exact search stays at {dense.recall_at_10:.3f}, below .95")
    user = " --as-user NAME" if report.manifest.restricted else ""
    if user:
        console.note(f"{_RESTRICTED}; a document without a rule is found by nobody")
    console.note(f'Next: hybrid ask "..." --domain {domain}{user}')


def _show_estimate(context: Context, domain: str, estimate: IngestEstimate) -> None:
    if context.as_json:
        console.json_document({"domain": domain, "estimate": estimate})
        return
    plan = estimate.plan
    changes = (("add", plan.added), ("change", plan.changed), ("remove", plan.removed))
    for word, sources in changes:
        for source in sources[:_SHOWN_FILES]:
            console.data(f"{word}  {console.name(source, 100)}")
        if len(sources) > _SHOWN_FILES:
            console.data(f"{word}  … and {len(sources) - _SHOWN_FILES} more")
    console.data(
        f"{domain}: would add {len(plan.added)}, change {len(plan.changed)}, remove {len(plan.removed)}, "
        f"keep {counted(len(plan.kept), 'file')}"
    )
    console.data(
        f"about {estimate.chunks} chunks to embed, {estimate.megabytes:.0f} MB, {estimate.seconds:.0f} s "
        f"(timed on {estimate.sampled_chunks} chunks)"
    )


def _status_lines(status: IndexStatus) -> list[str]:
    manifest, counts = status.manifest, status.manifest.counts
    used = status.adapters.items()
    return [
        f"{console.name(status.domain, 100)}: generation {manifest.generation} of {manifest.created}",
        f"  from       {console.name(manifest.folder or 'no folder')}",
        f"  holds      {counted(counts.documents, 'document')}, {counted(counts.chunks, 'chunk')}",
        f"  embedder   {manifest.embedder.name} ({manifest.embedder.weights[:12]})",
        f"  search     in {status.store or 'a vector store that `vectors` of these settings does not name'}"
        if manifest.external
        else f"  search     {manifest.dense.kind}, recall@10 {manifest.dense.recall_at_10:.3f}",
        f"  answers    by {console.one_line(status.arm, 100)}",
        *((f"  readers    {_RESTRICTED}",) if manifest.restricted else ()),
        *(f"  {kind:<10} with the adapter {console.one_line(name, 90)}" for kind, name in used),
        f"  rejected   {len(status.rejected)}",
        *(
            f"    {console.name(item.source, 60)}: {console.one_line(item.reason, 200)}"
            for item in status.rejected
        ),
        *(f"  no reader  {console.one_line(by_suffix(one), 600)}" for one in (status.unread,) if one),
        *(f"  {line}" for line in _left_out_lines(status.left_out, status.characters or {})),
        *(f"  {console.name(source)}" for source in status.sources or ()),
        *(f"  {console.one_line(meant(one), 200)}" for one in status.glossary or ()),
    ]


def _left_out_lines(
    left_out: Mapping[str, Sequence[LeftOut]], characters: Mapping[str, int]
) -> Iterator[str]:
    """Say what the files lack: first by kind, then those that lost something, and those that kept little."""
    if not left_out:
        return
    kinds = left_out_by_kind(left_out)
    if by_ocr := [part for part in kinds if part.kind == BY_OCR]:
        yield described(by_ocr)
    if others := [part for part in kinds if part.kind != BY_OCR]:
        yield f"left out   {described(others)}"
    told = 0
    for source, parts in _worst_first(left_out):
        length = characters.get(source, 0)
        is_little = length and share_kept(length, parts) < _KEPT_ENOUGH
        if told < _SHOWN_FILES and (is_little or any(part.lost for part in parts)):
            told += 1
            share = f"{kept(length, parts)}; " if length else ""
            yield f"  {console.name(source, 60)}: {share}{described(parts)}"
    if told < len(left_out):
        rest = counted(len(left_out) - told, f"{'more ' * bool(told)}file")
        yield f"  in {rest}; --json lists all"


def _worst_first(left_out: Mapping[str, Sequence[LeftOut]]) -> list[tuple[str, Sequence[LeftOut]]]:
    def place(entry: tuple[str, Sequence[LeftOut]]) -> tuple[bool, int, str]:
        source, parts = entry
        return not any(part.lost for part in parts), -sum(part.characters for part in parts), source

    return sorted(left_out.items(), key=place)


def _new_domain(context: Context, settings: Settings, folder: Path) -> str:
    """Return the name for the domain of a folder: the one given, or the folder's own."""
    if context.domain or settings.domain:
        return context.domain or settings.domain
    own = re.sub(r"[^\w.-]+", "-", folder.resolve().stem if folder.is_file() else folder.resolve().name)
    return own.strip("-.") or "documents"


documents_app = group("See what the readers make of a file.")


@verb(documents_app, "show")
def show_document(
    context: Context,
    path: Annotated[Path, Argument(help="A file, or a folder of them.")],
    text_field: Annotated[str | None, Option("--text-field", help="Field of a CSV or JSONL row.")] = None,
) -> int:
    """Show what the reader hands over of a file, block by block, and what it leaves out."""
    settings = context.settings({"documents": {"text_field": text_field}}).documents
    found = scan(path, settings)
    if not found.files and not found.rejected:
        what = f"no reader for {by_suffix(found.unread)}" if found.unread else "it is empty"
        raise UsageError(
            f"nothing of {path} can be read: {what}", hint="hybrid documents show FILE says which are"
        )
    with ReaderPool(settings) as pool:
        items = [*found.rejected, *(item for batch in pool.read(found.files) for item in batch.items)]
    if context.as_json:
        console.json_document({"items": items})
    else:
        for item in items:
            _show_item(item)
    if found.unread:
        console.note(f"no reader for {console.one_line(by_suffix(found.unread), 600)}")
    whole = all(isinstance(item, Document) and not any(part.lost for part in item.left_out) for item in items)
    return 0 if whole and not found.unread else EXIT_PARTIAL


def described(parts: Sequence[LeftOut]) -> str:
    """Return what was left out on one line: how often of each kind, how long, and whether it is lost."""
    return "; ".join(
        (
            f"{part.count:,} of {part.of:,} pages {part.kind[5:]}"
            if part.of
            else f"{part.count:,} x {part.kind}"
        )
        + (f" ({part.characters:,} characters)" if part.characters else "")
        + (", lost" if part.lost else "")
        for part in sorted(parts, key=lambda part: not part.lost)
    )


def kept(characters: int, parts: Sequence[LeftOut], *, digits: int = 0) -> str:
    """Return which share of a file's characters is kept, as far as they could be counted."""
    unread = any(part.lost and not part.characters for part in parts)
    return f"{share_kept(characters, parts):.{digits}%}{' of what could be read' * unread} kept"


def _show_item(item: Document | Rejected) -> None:
    name = console.name(item.source, 100)
    if isinstance(item, Rejected):
        console.data(f"{name}: not read: {item.reason}")
        return
    pages = f", {len(item.pages):,} pages" if item.pages else ""
    share = kept(len(item.text), item.left_out, digits=1)
    console.data(f"{name}: {item.title!r}, {len(item.text):,} characters{pages}, {share}")
    for field, value in item.metadata.items():
        console.data(f"  {field} = {value}")
    if item.left_out:
        console.data(f"  left out: {described(item.left_out)}")
    last = 0
    for place, blocks in groupby(item.blocks, key=lambda block: _page(item, block)):
        _show_empty(last + 1, place)
        last = place
        if place:
            console.data(f"  page {place}")
        for block in blocks:
            _show_block(item.text[block.start : block.end], block)
    _show_empty(last + 1, len(item.pages) + 1)


def _show_empty(first: int, stop: int) -> None:
    for place in range(first, stop):
        console.data(f"  page {place}: no text begins here")


def _page(document: Document, block: Block) -> int:
    return bisect_right(document.pages, block.start)


def _show_block(text: str, block: Block) -> None:
    level = f" {block.level}" if block.level else ""
    line = f", line {block.line}" if block.line else ""
    console.data(f"    [{block.kind.value}{level}{line}]")
    if block.caption:
        console.data(f"      caption: {block.caption}")
    if block.columns:
        console.data(f"      columns: {' | '.join(block.columns)}")
    for part in text.split("\n"):
        console.data(f"      {part}")
