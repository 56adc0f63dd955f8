"""The page, and what it asks for beside answers: places in documents, uploads, what a domain holds."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import threading
from bisect import bisect_right
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, HTMLResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from hybrid.assistant import Assistant
from hybrid.decision.adopted import experiment
from hybrid.documents import supported_suffixes
from hybrid.documents.folder import file_of
from hybrid.documents.pictures import page_image
from hybrid.errors import HybridError, UsageError
from hybrid.files import is_name
from hybrid.freshness import changed_since, seen_of
from hybrid.index import is_restricted
from hybrid.index.sync import Stage
from hybrid.ingestion import IngestReport
from hybrid.serving.errors import Refusal, told
from hybrid.serving.protocol import AsUser, Overloaded
from hybrid.serving.scheduler import InTurn
from hybrid.serving.service import Service
from hybrid.tracing.store import TRACES_FILE, TraceStore
from hybrid.types import Document, plain, principals_of

router = APIRouter()

FILES = Path(__file__).with_name("page")
_TITLES, _SHELF = 500, 12
_LONGEST_STRETCH, _AROUND = 20_000, 1_200
_SECONDS_TO_SEND = 300
_TRACE = re.compile("[0-9a-f]{32}")
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_uploading = threading.Semaphore(1)

Offset = Annotated[int, Query(ge=0)]


@router.get("/", include_in_schema=False)
def index_page() -> FileResponse:
    """Return the page; what it loads lies beside it."""
    return FileResponse(FILES / "index.html")


@router.get("/domains")
def list_domains(request: Request, as_user: AsUser) -> dict[str, Any]:
    """List the domains with the arms that can answer now, and what some of their documents are called."""
    service: Service = request.app.state.service
    return {"domains": [_listed(service, name, as_user) for name in service.assistants.domains]}


def _listed(service: Service, name: str, as_user: tuple[str, ...] | None) -> dict[str, Any]:
    listed: dict[str, Any] = {"name": name, "arms": [], "decided": None, "titles": [], "error": None}
    try:
        own = service.assistants[name]
        arm = own.asked.decided
        titles = _titles(own, as_user)[:_SHELF]
        return listed | {"arms": list(own.asked.able), "decided": arm.name if arm else None, "titles": titles}
    except HybridError as error:
        return listed | {"error": told(error)[1]["error"]["message"]}


@router.get("/domains/{domain}")
def show_domain(domain: str, request: Request, as_user: AsUser) -> dict[str, Any]:
    """Say what a domain holds, what could not be read, and which files may be added."""
    own = _assistant(request, domain)
    index, seen, stale = own.retriever.index, seen_of(own.folder), changed_since(own.folder)
    counts, rejected = index.manifest.counts, (*(seen.rejected if seen else ()), *index.rejected())
    return {
        "domain": domain,
        "documents": counts.documents,
        "chunks": counts.chunks,
        "embedder": index.manifest.embedder.name,
        "generation": index.manifest.generation,
        "stale": stale and {"added": stale.added, "changed": stale.changed, "removed": stale.removed},
        # the name of a file may say too much to who may not read it
        "rejected": [] if is_restricted(own.folder) else plain(rejected[:_TITLES]),
        "titles": _titles(own, as_user)[:_TITLES],
        "suffixes": supported_suffixes(),
        "max_megabytes": own.settings.documents.max_megabytes,
    }


@router.get("/domains/{domain}/decision")
def show_decision(domain: str, request: Request) -> dict[str, Any]:
    """Say which arm answers in a domain, and what each arm scored in the experiment that it rests on."""
    own = _assistant(request, domain)
    arm, folder = own.asked.decided, _experiment(own)
    shown = {"arm": arm.name if arm else None, "sentence": own.asked.because, "metric": "", "questions": 0}
    if folder is None:
        return shown | {"arms": [], "report": False}
    try:
        made = json.loads((folder / "decision.json").read_text(encoding="utf-8"))
        seconds = {cost["arm"]: cost["seconds"] for cost in made["costs"]}
        arms = [
            {"arm": one["arm"], "mean": one["mean"], "lower": one["low"], "upper": one["high"]}
            | {"seconds": seconds[one["arm"]]}
            for one in made["intervals"]
        ]
        shown |= {"metric": made["metric"], "questions": made["questions"]}
    except (OSError, ValueError, KeyError, TypeError):
        arms = []  # a decision of an earlier version; its report is there all the same
    return shown | {"arms": arms, "report": not is_restricted(own.folder)}


@router.get("/domains/{domain}/report")
def show_report(domain: str, request: Request) -> HTMLResponse:
    """Return the report of the decision, which may load and run nothing."""
    own = _assistant(request, domain)
    folder = _experiment(own)
    if folder is None:
        raise Refusal(404, f"no report of a decision in {domain!r}", code="not_found")
    if is_restricted(own.folder):
        raise Refusal(403, "the report quotes documents that not everybody may read", code="restricted")
    text = (folder / "report.html").read_text(encoding="utf-8")
    styles = _STYLE.findall(text)[:1]
    digests = [base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in styles]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
    policy = f"sandbox; default-src 'none'; style-src {allowed}; base-uri 'none'; form-action 'none'"
    return HTMLResponse(text, headers={"Content-Security-Policy": policy})


@router.get("/domains/{domain}/stretch")
def show_stretch(
    domain: str,
    request: Request,
    as_user: AsUser,
    source: str,
    start: Offset,
    end: Offset,
    around: Annotated[int, Query(ge=0, le=_LONGEST_STRETCH)] = _AROUND,
) -> dict[str, Any]:
    """Return a stretch of a document and some of what stands before and after it.

    ``page`` is that on which it begins, null where there is no picture of it.
    """
    own = _assistant(request, domain)
    document = _readable(own, source, as_user)
    text, marked = document.text, _marked(document, start, end)
    begun, ended = max(start - around, 0), start + len(marked) + around
    return {
        "before": text[begun:start],
        "marked": marked,
        "after": text[start + len(marked) : ended],
        "around": around,
        "more_before": begun > 0 and around < _LONGEST_STRETCH,
        "more_after": ended < len(text) and around < _LONGEST_STRETCH,
        "page": bisect_right(document.pages, start) or None if _pdf(own, document) else None,
    }


@router.get("/domains/{domain}/page", response_class=Response, dependencies=[InTurn])
def show_page(
    domain: str,
    request: Request,
    as_user: AsUser,
    source: str,
    start: Offset,
    end: Offset,
    page: Annotated[int, Query(ge=1)],
) -> Response:
    """Return the picture of a page of a PDF, with a stretch of its text marked."""
    own = _assistant(request, domain)
    document = _readable(own, source, as_user)
    path = _pdf(own, document)
    if path is None or page > len(document.pages):
        raise Refusal(404, "there is no picture of that page", code="not_found")
    image = page_image(path, page, _marked(document, start, end), own.settings.documents)
    return Response(image, media_type="image/png")


@router.get("/traces/{trace}")
def show_trace(trace: str, request: Request) -> dict[str, Any]:
    """Return the stages of an answer by its trace, in nanoseconds."""
    service: Service = request.app.state.service
    try:
        with TraceStore(Path(service.settings.indexes) / TRACES_FILE, read_only=True) as store:
            spans = store.trace(trace) if _TRACE.fullmatch(trace) else []
    except UsageError:
        spans = []
    if not spans:
        raise Refusal(404, "there is no such trace, or it is not kept", param="trace", code="not_found")
    # what else is told of a stage may be content
    return {"spans": [{"name": one.name, "start": one.start, "end": one.end} for one in spans]}


@router.post("/uploads/{domain}")
async def take_upload(
    domain: str, request: Request, as_user: AsUser, name: Annotated[str, Query(max_length=300)]
) -> StreamingResponse:
    """Take a file into a domain: its bytes are the body; progress comes back line by line, as JSON.

    The last line says what became of it.
    """
    # no form of another site can send this kind
    if request.headers.get("content-type") != "application/octet-stream":
        raise Refusal(415, "a file is sent as application/octet-stream", param="content-type")
    own = await run_in_threadpool(_assistant, request, domain)
    if not _uploading.acquire(blocking=False):
        raise Overloaded("another file is being taken in", retry_after=5)
    try:
        async with asyncio.timeout(_SECONDS_TO_SEND):
            data = await request.body()
    except BaseException as error:
        _uploading.release()
        if isinstance(error, TimeoutError):
            raise Refusal(408, f"the file did not come within {_SECONDS_TO_SEND} s") from error
        raise
    lines = _taken(own, name, data, as_user)
    # what is refused at once is refused by the status
    return StreamingResponse(_after(await anext(lines), lines), media_type="application/x-ndjson")


async def _taken(
    own: Assistant, name: str, data: bytes, as_user: tuple[str, ...] | None
) -> AsyncIterator[dict[str, Any]]:
    """Yield how far a file is on its way into the index, and at last what became of it."""
    lines: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def progress(stage: Stage, done: int, total: int) -> None:
        loop.call_soon_threadsafe(lines.put_nowait, {"stage": stage, "done": done, "total": total})

    def work() -> IngestReport:
        try:
            return own.upload(name, data, as_user=as_user, progress=progress)
        finally:
            _uploading.release()
            loop.call_soon_threadsafe(lines.put_nowait, None)

    working = asyncio.ensure_future(run_in_threadpool(work))
    # it goes on when nobody listens any more, and nobody is told then that it failed
    working.add_done_callback(lambda done: done.cancelled() or done.exception())
    while (line := await lines.get()) is not None:
        yield line
    report = await working
    characters = sum(report.characters[source] for source in (*report.plan.added, *report.plan.changed))
    yield {"characters": characters, "seconds": report.seconds}


async def _after(first: dict[str, Any], others: AsyncIterator[dict[str, Any]]) -> AsyncIterator[str]:
    yield json.dumps(first) + "\n"
    try:
        async for line in others:
            yield json.dumps(line) + "\n"
    except HybridError as error:  # the status is sent already
        yield json.dumps(told(error)[1]) + "\n"


def _assistant(request: Request, domain: str) -> Assistant:
    service: Service = request.app.state.service
    if not is_name(domain):
        raise Refusal(404, "there is no such domain", param="domain", code="not_found")
    return service.assistants[domain]


def _titles(own: Assistant, as_user: tuple[str, ...] | None) -> list[str]:
    """Return what the documents are called that somebody may read; none where nobody in particular asks."""
    if as_user is None and is_restricted(own.folder):
        return []
    return list(own.asked.shelf(as_user).titles)


def _readable(own: Assistant, source: str, as_user: tuple[str, ...] | None) -> Document:
    """Return a document that somebody may read; of another it is not said that it is there."""
    own.asked.require_user(as_user)
    document, principals = own.retriever.index.document(source), principals_of(as_user)
    allowed = principals is None or bool(document and set(document.principals or ()) & set(principals))
    if document is None or not allowed:
        raise Refusal(404, "there is no such document", param="source", code="not_found")
    return document


def _marked(document: Document, start: int, end: int) -> str:
    if not start < end <= len(document.text):
        raise Refusal(400, f"no stretch of a document of {len(document.text)} characters", param="end")
    return document.text[start : min(end, start + _LONGEST_STRETCH)]


def _pdf(own: Assistant, document: Document) -> Path | None:
    """Return the file of a document that can be drawn page by page."""
    if not document.pages or not document.source.lower().endswith(".pdf"):
        return None
    return file_of(own.folder, own.retriever.index.manifest.folder, document.source)


def _experiment(own: Assistant) -> Path | None:
    """Return the folder of the experiment that the decision of a domain rests on, if its report is there."""
    name = experiment(own.folder)
    folder = own.folder / "experiments" / name
    return folder if name and Path(name).name == name and (folder / "report.html").is_file() else None
