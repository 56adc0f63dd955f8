"""Commands on what is indexed: index, status, rollback, remove."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hybrid.assistant import Assistant
from hybrid.cli import console
from hybrid.cli.options import (
    Config,
    Context,
    Domain,
    EffortOption,
    Indexes,
    Json,
    Offline,
    assistant_for,
    existing_domain,
    new_domain,
    settings_from,
    shared,
)
from hybrid.errors import EXIT_PARTIAL, HybridError, UsageError
from hybrid.index import Index
from hybrid.index.generations import domains, finished
from hybrid.ingestion import IngestEstimate, IngestReport

_SHOWN_FILES = 10


def index(
    folder: Annotated[Path, typer.Argument(help="A folder of documents, or one file.")],
    domain: Domain = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, how big, how long.")
    ] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Start from nothing.")] = False,
    exclude: Annotated[list[str] | None, typer.Option("--exclude", help="Pattern as in .gitignore.")] = None,
    text_field: Annotated[
        str | None, typer.Option("--text-field", help="Field of a CSV or JSONL row.")
    ] = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
    effort: EffortOption = None,
    offline: Offline = False,
) -> int:
    """Index a folder: only what is new or changed is read and embedded."""
    documents = {"exclude": exclude or None, "text_field": text_field}
    settings = settings_from(config, indexes=indexes, effort=effort, offline=offline, documents=documents)
    assistant = Assistant(new_domain(settings, domain, folder), settings=settings)
    if dry_run:
        _show_estimate(assistant.domain, assistant.estimate(folder, rebuild=rebuild), as_json=as_json)
        return 0
    with console.progress() as progress:
        report = assistant.index(folder, rebuild=rebuild, progress=progress)
    if as_json:
        console.json_document({"domain": assistant.domain, "report": report})
    else:
        _show_report(assistant.domain, report)
    return EXIT_PARTIAL if report.rejected else 0


def status(
    domain: Domain = None,
    files: Annotated[bool, typer.Option("--files", help="List every document.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Check every file against its checksum.")] = False,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
) -> None:
    """Show what is indexed, with which embedder, and what was rejected."""
    settings = settings_from(config, indexes=indexes)
    root = Path(settings.indexes)
    names = list(domains(root))
    if domain or settings.domain or len(names) <= 1:
        names = [existing_domain(settings, domain)]
    described = []
    for name in names:
        try:
            described.append(_describe(root / name, files=files, verify=verify))
        except HybridError as error:
            if len(names) == 1:
                raise
            # one damaged domain must not hide the others
            console.note(f"error: {name}: {error}")
    if as_json:
        console.json_document({"domains": described})
        return
    for entry in described:
        _show_status(entry)


@shared()
def rollback(context: Context) -> None:
    """Go back to the generation before the one in force."""
    manifest = context.assistant().rollback()
    context.show(manifest, f"generation {manifest.generation} of {manifest.created} is in force")


def remove(
    patterns: Annotated[list[str] | None, typer.Argument(help="Sources or patterns such as 'old/*'.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove the whole domain.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    domain: Domain = None,
    as_json: Json = False,
    config: Config = None,
    indexes: Indexes = None,
    offline: Offline = False,
) -> None:
    """Take documents out of the index; they come back with the next `index` unless they are gone."""
    if bool(patterns) == everything:
        raise UsageError("name what to remove, or give --all for the whole domain")
    assistant = assistant_for(settings_from(config, indexes=indexes, offline=offline), domain)
    if everything:
        if not yes and not sys.stdin.isatty():
            raise UsageError("nobody is there to confirm", hint="give --yes to remove the whole domain")
        if not yes:
            typer.confirm(
                f"Remove the domain {assistant.domain!r} with all its generations?", abort=True, err=True
            )
        assistant.delete()
        if as_json:
            console.json_document({"domain": assistant.domain, "removed": True})
        else:
            console.data(f"removed the domain {assistant.domain!r}")
        return
    manifest = assistant.remove(patterns or [])
    if as_json:
        console.json_document({"domain": assistant.domain, "manifest": manifest})
    else:
        console.data(f"{manifest.counts.documents} documents, {manifest.counts.chunks} chunks are left")


def _show_report(domain: str, report: IngestReport) -> None:
    plan, counts, dense = report.plan, report.manifest.counts, report.manifest.dense
    console.rejected(report.rejected, skipped=report.skipped)
    console.data(
        f"{domain}: added {len(plan.added)}, changed {len(plan.changed)}, removed {len(plan.removed)}, "
        f"kept {len(plan.kept)} files; {report.embedded} chunks embedded in {report.seconds:.1f} s"
    )
    search = "exact" if dense.effort == 0 else f"{dense.kind}, recall@10 {dense.recall_at_10:.3f}"
    console.data(f"{domain}: {counts.documents} documents, {counts.chunks} chunks, search {search}")
    if dense.effort and dense.recall_at_10 < 0.95:
        console.note(f"note: recall@10 against exact search stays at {dense.recall_at_10:.3f}, below .95")
    console.note(f'Next: hybrid ask "..." --domain {domain}')


def _show_estimate(domain: str, estimate: IngestEstimate, *, as_json: bool) -> None:
    if as_json:
        console.json_document({"domain": domain, "estimate": estimate})
        return
    plan = estimate.plan
    changes = (("add", plan.added), ("change", plan.changed), ("remove", plan.removed))
    for word, sources in changes:
        for source in sources[:_SHOWN_FILES]:
            console.data(f"{word}  {console.one_line(source, 100)}")
        if len(sources) > _SHOWN_FILES:
            console.data(f"{word}  … and {len(sources) - _SHOWN_FILES} more")
    console.data(
        f"{domain}: would add {len(plan.added)}, change {len(plan.changed)}, remove {len(plan.removed)}, "
        f"keep {len(plan.kept)} files"
    )
    console.data(
        f"about {estimate.chunks} chunks to embed, {estimate.megabytes:.0f} MB, {estimate.seconds:.0f} s "
        f"(timed on {estimate.sampled_chunks} chunks)"
    )


def _describe(folder: Path, *, files: bool, verify: bool) -> dict[str, object]:
    index = Index.open(folder)
    try:
        if verify:
            index.verify()
        entry: dict[str, object] = {
            "domain": folder.name,
            "manifest": index.manifest,
            "generations": finished(folder),
            "rejected": index.rejected(),
            "verified": verify,
        }
        return entry | {"sources": index.sources()} if files else entry
    finally:
        index.close()


def _show_status(entry: dict[str, object]) -> None:
    manifest, rejected = console.plain(entry["manifest"]), console.plain(entry["rejected"])
    counts = manifest["counts"]
    domain = console.one_line(str(entry["domain"]), 100)
    console.data(f"{domain}: generation {manifest['generation']} of {manifest['created']}")
    console.data(f"  from       {console.one_line(manifest['folder'], 200)}")
    console.data(f"  holds      {counts['documents']} documents, {counts['chunks']} chunks")
    console.data(f"  embedder   {manifest['embedder']['name']} ({manifest['embedder']['weights'][:12]})")
    console.data(
        f"  search     {manifest['dense']['kind']}, recall@10 {manifest['dense']['recall_at_10']:.3f}"
    )
    console.data(f"  rejected   {len(rejected)}")
    for item in rejected:
        console.data(f"    {console.one_line(item['source'], 60)}: {console.one_line(item['reason'], 200)}")
    for source in console.plain(entry.get("sources", [])):
        console.data(f"  {console.one_line(source, 200)}")
