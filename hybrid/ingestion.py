"""A folder becomes an index: files, documents, chunks, vectors, each only if it is new."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from hybrid.chunking import CHUNKING_VERSION, as_one_chunk, chunk_document, token_limit
from hybrid.config import ChunkSettings, DocumentSettings
from hybrid.distributed.executors import SERIAL, Executor
from hybrid.documents import READERS_VERSION, ReaderPool, Scan, SourceFile, by_suffix, scan
from hybrid.documents.folder import drop_upload, is_upload, keep_upload, uploads
from hybrid.documents.source import Principals, printable, rule_for, rule_of_folder
from hybrid.errors import IndexError_, IndexMismatch, IndexMissing, UsageError
from hybrid.files import hash_file, hash_text
from hybrid.freshness import Drift, drift_of, remember, seen_of
from hybrid.index import ExternalStore, Index, Manifest, read_kept, read_state, require_embedder
from hybrid.index.generations import finished
from hybrid.index.store import NO_FILE, FileContent, FileState, IndexedDocument
from hybrid.index.sync import Plan, Progress, Update, apply_update, fingerprint_key, plan_update
from hybrid.models import Embedder
from hybrid.text.abbreviations import Meaning
from hybrid.types import Document, LeftOut, Rejected

_SAMPLE_CHUNKS = 64
# On disk a chunk has its vector twice in half or single precision, its text and its words.
_BYTES_A_CHUNK_BESIDE_VECTORS = 2_600


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """What a domain holds: the manifest in force, whole generations oldest first, and what was rejected.

    ``left_out`` is by file what the documents lack of it, ``unread`` how many files of which suffix no reader
    exists for. ``stale`` says how the folder differs from what was indexed of it. ``store`` is the address,
    without its login, of what searches the vectors, empty for files of the index. ``sources`` of all
    documents, ``characters``, how many of each file are in the index, and ``glossary``, what words stand for,
    are None unless asked for. ``arm`` answers questions (or why none can), ``adapters`` are in use, by what
    they tune.
    """

    domain: str
    manifest: Manifest
    generations: tuple[str, ...]
    rejected: tuple[Rejected, ...]
    left_out: Mapping[str, tuple[LeftOut, ...]]
    unread: Mapping[str, int]
    stale: Drift | None
    store: str = ""
    sources: tuple[str, ...] | None = None
    characters: Mapping[str, int] | None = None
    glossary: tuple[Meaning, ...] | None = None
    arm: str = ""
    adapters: Mapping[str, str] = field(default_factory=dict)


def index_status(
    folder: Path, *, store: str = "", files: bool = False, verify: bool = False, glossary: bool = False
) -> IndexStatus:
    """Return what ``Assistant.status`` tells of a domain; ``store`` is the address that the settings name."""
    with closing(Index.open(folder)) as index:
        if verify:
            index.verify()
        seen = seen_of(folder)
        return IndexStatus(
            domain=folder.name,
            manifest=index.manifest,
            generations=tuple(finished(folder)),
            rejected=(*(seen.rejected if seen else ()), *index.rejected()),
            left_out=index.left_out(),
            unread=seen.unread if seen else {},
            stale=drift_of(seen) if seen else None,
            store=store if index.manifest.external else "",
            sources=tuple(index.sources()) if files else None,
            characters=index.characters() if files else None,
            glossary=tuple(index.glossary()) if glossary else None,
        )


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an update of a domain did.

    ``rejected`` are all files and rows that are not in the index, also those that failed before and
    did not change since; ``skipped`` counts hidden and excluded files, ``unread`` by suffix those that no
    reader exists for. By file, of all that are in the index, also of those that were kept: ``characters`` is
    how many of it are there, ``left_out`` what is not.
    """

    plan: Plan
    manifest: Manifest
    rejected: tuple[Rejected, ...]
    skipped: int
    unread: Mapping[str, int]
    characters: Mapping[str, int]
    left_out: Mapping[str, tuple[LeftOut, ...]]
    embedded: int
    seconds: float

    def __repr__(self) -> str:
        """Return counts: in a notebook nobody wants to see every file."""
        done = ", ".join(
            f"{name}={len(getattr(self.plan, name))}" for name in ("added", "changed", "removed", "kept")
        )
        chunks = f"chunks={self.manifest.counts.chunks}, embedded={self.embedded}"
        return f"IngestReport({done}, rejected={len(self.rejected)}, {chunks}, seconds={self.seconds:.1f})"

    @property
    def is_partial(self) -> bool:
        """Return whether something may hold content that is not in the index."""
        lost = any(part.lost for parts in self.left_out.values() for part in parts)
        return bool(self.rejected or self.unread or lost)


def left_out_by_kind(left_out: Mapping[str, Sequence[LeftOut]]) -> tuple[LeftOut, ...]:
    """Return what the files of an index lack together, by kind; what is lost comes first."""
    total: dict[str, LeftOut] = {}
    for part in (part for parts in left_out.values() for part in parts):
        total[part.kind] = total[part.kind] + part if part.kind in total else part
    return tuple(sorted(total.values(), key=lambda part: (not part.lost, part.kind)))


@dataclass(frozen=True, slots=True)
class IngestEstimate:
    """What an update would do: sizes and times are extrapolated from a sample of new files."""

    plan: Plan
    skipped: int
    chunks: int
    megabytes: float
    seconds: float
    sampled_chunks: int


@dataclass(frozen=True, slots=True)
class Ingestor:
    """Bring one domain up to date with folders."""

    domain: Path
    embedder: Embedder
    documents: DocumentSettings
    chunks: ChunkSettings
    principals: Principals | None = None
    external: ExternalStore | None = None
    executor: Executor = SERIAL

    def ingest(
        self, folder: Path, *, rebuild: bool = False, progress: Progress | None = None
    ) -> IngestReport:
        """Make the index hold exactly what the folder holds, beside uploads: ``Assistant.index``."""
        begun = time.perf_counter()
        found, wanted = self._survey(scan(folder, self.documents))
        if not rebuild:
            self._require_same(folder, wanted)
            self._keep_unreadable(found, wanted)
        if not wanted and (found.rejected or (found.unread and not rebuild)):
            reasons = [f"{item.source}: {item.reason}" for item in found.rejected[:3]]
            if found.unread:
                reasons.append(f"no reader for {by_suffix(found.unread)}")
            raise UsageError(f"nothing of {folder} can be indexed: {'; '.join(reasons)}")
        # a rebuild mends a damaged index, of which nothing can be kept
        wanted |= self._added(missing=IndexError_ if rebuild else IndexMissing)
        uploaded, beside = self._survey(uploads(self.domain))
        wanted |= beside
        update = apply_update(
            self.domain,
            wanted,
            self._loader((*found.files, *uploaded.files), wanted),
            self.embedder,
            folder=str(folder.resolve()),
            chunks=self.chunks,
            rebuild=rebuild,
            external=self.external,
            executor=self.executor,
            progress=progress,
        )
        remember(self.domain, folder, found, self.documents)
        return self._report(found, update, begun)

    def upload(
        self,
        name: str,
        data: bytes,
        *,
        readers: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> IngestReport:
        """Keep a file beside the index and take it in: ``Assistant.upload``; those of the folder stay.

        ``readers`` alone may read it; None says nothing of that.

        Raises:
            IndexMissing: nothing was indexed yet.
            IndexMismatch: the index was built with another embedder.
        """
        begun = time.perf_counter()
        kept = keep_upload(self.domain, name, data, most=self.documents.max_megabytes, readers=readers)
        state = read_state(self.domain)
        require_embedder(state.manifest, self.embedder.fingerprint)
        own = replace(self, chunks=state.manifest.chunks)
        others = {source: known for source, known in state.files.items() if not is_upload(source)}
        try:
            found, uploaded = own._survey(uploads(self.domain))
            wanted = others | uploaded
            update = apply_update(
                self.domain,
                wanted,
                own._loader(found.files, wanted),
                self.embedder,
                folder=state.manifest.folder,
                chunks=own.chunks,
                over=state.manifest.generation,
                required=kept.source,
                external=self.external,
                executor=self.executor,
                progress=progress,
            )
        except UsageError:
            if kept.source not in state.files:
                drop_upload(self.domain, kept.source)
            raise
        report = self._report(found, update, begun)
        if kept.source not in report.characters:  # taken in before, while another process wrote
            raise UsageError(f"{name} could not be read before", hint="`hybrid status` says why; mend it")
        return report

    def _report(self, found: Scan, update: Update, begun: float) -> IngestReport:
        kept = read_kept(self.domain)
        return IngestReport(
            plan=update.plan,
            manifest=update.manifest,
            rejected=(*found.rejected, *read_state(self.domain).rejected),
            skipped=found.skipped,
            unread=found.unread,
            characters=kept.characters,
            left_out=kept.left_out,
            embedded=update.embedded,
            seconds=time.perf_counter() - begun,
        )

    def update(self, documents: Sequence[Document], *, removed: Sequence[str] = ()) -> Manifest:
        """Put documents that came from no file into the index and take others out: ``Assistant.update``."""
        try:
            state = read_state(self.domain)
        except IndexMissing:
            files, folder, chunks, over = {}, "", self.chunks, ""
        else:
            require_embedder(state.manifest, self.embedder.fingerprint)
            files, folder = dict(state.files), state.manifest.folder
            chunks, over = state.manifest.chunks, state.manifest.generation
        new = {document.source: document for document in documents}
        for source in [*new, *removed]:
            if source in files and files[source].limits != NO_FILE:
                raise UsageError(
                    f"{source!r} is a file of {folder}",
                    hint="name the document in another way, or change the file",
                )
        wanted = {source: known for source, known in files.items() if source not in removed}
        wanted |= {source: self._state(document) for source, document in new.items()}
        if not wanted and not files:
            raise UsageError("there is no document to put into the index", hint="give one at least")
        return apply_update(
            self.domain,
            wanted,
            lambda sources: (self._whole(new[source]) for source in sources),
            self.embedder,
            folder=folder,
            chunks=chunks,
            over=over,
            external=self.external,
        ).manifest

    def remove(self, patterns: Sequence[str]) -> Manifest:
        """Take documents out of the index, by source or by a pattern such as ``old/*``; uploads for good.

        Raises:
            UsageError: a pattern matches nothing, or nothing would be left.
        """
        state = read_state(self.domain)
        require_embedder(state.manifest, self.embedder.fingerprint)
        files, folder = state.files, state.manifest.folder
        gone: set[str] = set()
        for pattern in map(printable, patterns):
            # a name may hold what means something in a pattern, or is written as a path from elsewhere
            path = os.path.relpath(os.path.realpath(pattern), folder) if folder else pattern
            matched = {pattern} & files.keys() or {printable(Path(path).as_posix())} & files.keys()
            matched = matched or {name for name in files if fnmatchcase(name, pattern)}
            gone |= matched
            if not matched:
                file = pattern.rpartition("#")[0]
                if file in files:
                    raise UsageError(
                        f"{pattern!r} is a row of a file", hint=f"rows go with it: remove {file!r}"
                    )
                raise UsageError(
                    f"no file of the domain {self.domain.name!r} matches {pattern!r}",
                    hint="hybrid status --files lists what is indexed",
                )
        if len(gone) == len(files):
            raise UsageError(
                "nothing would be left",
                hint=f"hybrid remove --all --domain {self.domain.name} removes it all",
            )
        kept = {source: state for source, state in files.items() if source not in gone}
        update = apply_update(
            self.domain,
            kept,
            lambda sources: iter(()),  # files that stay are not read again
            self.embedder,
            folder=folder,
            chunks=state.manifest.chunks,
            over=state.manifest.generation,
            external=self.external,
        )
        for source in filter(is_upload, gone):
            drop_upload(self.domain, source)
        return update.manifest

    def estimate(self, folder: Path, *, rebuild: bool = False) -> IngestEstimate:
        """Say what ``ingest`` would do, how big the result and how long it would take."""
        found, wanted = self._survey(scan(folder, self.documents))
        if not rebuild:
            self._require_same(folder, wanted)
        added = self._added(missing=IndexError_ if rebuild else IndexMissing)
        uploaded, beside = self._survey(uploads(self.domain))
        files = (*found.files, *uploaded.files)
        wanted |= beside
        plan = plan_update(self.domain, wanted | added, rebuild=rebuild)
        sizes = {file.source: file.size for file in files}
        todo = [source for source in (*plan.added, *plan.changed) if source in sizes]
        begun = time.perf_counter()
        if todo:
            # what is paid once must not be multiplied: libraries and weights
            self.embedder.embed_documents(["warm"])
        once = time.perf_counter() - begun
        begun = time.perf_counter()
        texts, read = self._sample(files, wanted, todo)
        reading = time.perf_counter() - begun
        begun = time.perf_counter()
        # one file may have thousands of chunks
        timed = texts[:: max(1, len(texts) // _SAMPLE_CHUNKS)]
        if timed:
            self.embedder.embed_documents(timed)
        embedding = (time.perf_counter() - begun) * len(texts) / max(len(timed), 1)
        share = sum(sizes[source] for source in todo) / max(sum(sizes[source] for source in read), 1)
        count = round(len(texts) * share)
        kept = 1.0 - len(todo) / max(len(wanted), 1)
        total = count / max(1.0 - kept, 1e-9) if todo else 0
        size = total * (_BYTES_A_CHUNK_BESIDE_VECTORS + 6 * self.embedder.fingerprint.dimension) / 1e6
        seconds = once + share * (reading + embedding)
        return IngestEstimate(plan, found.skipped, count, size, seconds, len(timed))

    def _survey(self, found: Scan) -> tuple[Scan, dict[str, FileState]]:
        """Say what each of the files is: its bytes and all that decides what becomes of them."""
        token_limit(self.chunks, self.embedder.max_tokens)
        recipe = self._recipe
        limits = replace(self.documents, workers=0, exclude=())
        limits_digest = hash_text(json.dumps(asdict(limits)))
        wanted: dict[str, FileState] = {}
        files: list[SourceFile] = []
        unreadable: list[Rejected] = []
        for file in found.files:
            try:
                content = hash_file(file.path)
            except OSError as error:
                unreadable.append(Rejected(file.source, f"cannot be read: {error.strerror}"))
                files.append(file)
                continue
            if out := file.outside():
                unreadable.append(out)
                continue
            file = replace(file, principals=rule_for(file, self.principals), of_folder=rule_of_folder(file))
            wanted[file.source] = FileState(_digest(recipe, content, file), limits_digest)
            files.append(file)
        rejected = (*found.rejected, *unreadable)
        return replace(found, files=tuple(files), rejected=rejected), wanted

    @property
    def _recipe(self) -> str:
        return hash_text(
            str(READERS_VERSION),
            str(CHUNKING_VERSION),
            json.dumps(asdict(self.chunks)),
            self.documents.text_field,
            self.documents.ocr,
            # an adapter changes vectors and not how a text is split
            fingerprint_key(replace(self.embedder.fingerprint, adapter="")),
        )

    def _state(self, document: Document) -> FileState:
        """Say what a document is that came from no file."""
        rule = () if document.principals is None else (document.principals,)
        content = json.dumps([document.title, document.text, dict(document.metadata), *rule], sort_keys=True)
        return FileState(hash_text(self._recipe, content), NO_FILE)

    def _added(self, *, missing: type[IndexError_] = IndexMissing) -> dict[str, FileState]:
        """Return what the documents in the index that came from no file are by the settings of now."""
        try:
            files = read_state(self.domain).files
            sources = [source for source, state in files.items() if state.limits == NO_FILE]
            return {document.source: self._state(document) for document in self._stored(sources)}
        except missing:
            return {}

    def _stored(self, sources: Sequence[str]) -> Iterator[Document]:
        if not sources:
            return
        with closing(Index.open(self.domain)) as index:
            for source in sources:
                document = index.document(source)
                assert document is not None, "its state is stored with it"
                yield document

    def _whole(self, document: Document) -> FileContent:
        """Return a document as one chunk if the embedder takes it; a longer one is split as any other."""
        whole = as_one_chunk(document, self.embedder, self.chunks)
        if whole.tokens > self.embedder.max_tokens or not document.text.strip():
            return self._content(document.source, [document], last=True)
        return FileContent(document.source, (IndexedDocument(document, (whole.chunk,), (whole.tokens,)),), ())

    def _require_same(self, folder: Path, wanted: Mapping[str, FileState]) -> None:
        """Refuse to empty a domain by mistake: another folder, or an unmounted one."""
        try:
            state = read_state(self.domain)
        except IndexMissing:
            return
        require_embedder(state.manifest, self.embedder.fingerprint)
        built_from = state.manifest.folder
        # the same folder may have changed altogether, though an empty one is rather not mounted; a folder
        # that was moved has most names in common, while a README.md is in every one
        here = str(folder.resolve())
        same_place = built_from == here
        own = {
            source for source, known in state.files.items() if known.limits == NO_FILE or is_upload(source)
        }
        files = state.files.keys() - own
        shared = len(files & wanted.keys())
        mistaken = not wanted if same_place else 2 * shared < len(files)
        if files and mistaken and same_place:
            raise IndexMismatch(
                f"{here} holds nothing to index, and the domain {self.domain.name!r} has {len(files)} files "
                "of it",
                hint="if they are gone for good, empty the index with: "
                f"hybrid index {shlex.quote(here)} --domain {self.domain.name} --rebuild",
            )
        if files and mistaken:
            raise IndexMismatch(
                f"the domain {self.domain.name!r} was built from {built_from}; "
                f"{shared} of its {len(files)} files are in {folder}",
                hint="name another domain with --domain, or replace this one with --rebuild",
            )

    def _keep_unreadable(self, found: Scan, wanted: dict[str, FileState]) -> None:
        """Keep what is indexed of files that cannot be read this time: a permission is not a removal."""
        blocked = [item.source for item in found.rejected if "cannot be" in item.reason]
        try:
            state = read_state(self.domain) if blocked else None
        except IndexMissing:
            return
        for source, known in state.files.items() if state else ():
            if any(path == "." or source == path or source.startswith(f"{path}/") for path in blocked):
                wanted.setdefault(source, known)

    def _loader(
        self, found: Sequence[SourceFile], wanted: Mapping[str, FileState]
    ) -> Callable[[Sequence[str]], Iterator[FileContent]]:
        files = {file.source: file for file in found}
        recipe = self._recipe

        def changed(file: SourceFile) -> bool:
            try:
                return _digest(recipe, hash_file(file.path), file) != wanted[file.source].digest
            except OSError:
                return True

        def load(sources: Sequence[str]) -> Iterator[FileContent]:
            with ReaderPool(self.documents) as pool:
                for batch in pool.read([files[source] for source in sources if source in files]):
                    file, items, last = batch.file, batch.items, batch.last
                    stale = last and changed(file)
                    # it may have become a link since it was found
                    if out := file.outside():
                        items, stale = (out,) if last else (), last
                    elif stale:
                        items = (*items, Rejected(file.source, "changed while it was read: index again"))
                    content = self._content(file.source, [_ruled(item, file) for item in items], last=last)
                    yield replace(content, changed=stale)
            yield from map(self._whole, self._stored([source for source in sources if source not in files]))

        return load

    def _content(
        self,
        file: str,
        items: Sequence[Document | Rejected],
        *,
        last: bool,
    ) -> FileContent:
        documents, rejected = [], []
        for item in items:
            if isinstance(item, Rejected):
                rejected.append(item)
                continue
            sized = chunk_document(item, self.embedder, self.chunks, max_tokens=self.embedder.max_tokens)
            documents.append(
                IndexedDocument(item, tuple(s.chunk for s in sized), tuple(s.tokens for s in sized))
            )
        return FileContent(file, tuple(documents), tuple(rejected), last)

    def _sample(
        self, found: Sequence[SourceFile], wanted: Mapping[str, FileState], todo: Sequence[str]
    ) -> tuple[list[str], list[str]]:
        """Return texts of chunks, enough to time, and the files they are from, spread over the whole list."""
        step = max(len(todo) // 16, 1)
        order = [source for start in range(step) for source in todo[start::step]]
        sampled: list[str] = []
        read: list[str] = []
        for content in self._loader(found, wanted)(order):
            sampled += [chunk.embedded_text for item in content.documents for chunk in item.chunks]
            if content.last:
                read.append(content.source)
                if len(sampled) >= _SAMPLE_CHUNKS:
                    break
        return sampled, read


def _digest(recipe: str, content: str, file: SourceFile) -> str:
    rule = () if file.principals is None else ("principals", *file.principals)
    rule += () if file.of_folder is None else ("of folder", *file.of_folder)
    return hash_text(recipe, content, *rule)


def _ruled(item: Document | Rejected, file: SourceFile) -> Document | Rejected:
    """Return a document with who may read it: by what its file is given, by itself, or by its folder."""
    if isinstance(item, Rejected):
        return item
    own = item.principals if file.principals is None else file.principals
    return replace(item, principals=file.of_folder if own is None else own)
