"""Arms: what their names mean, which models each needs, and what answers by one."""

from __future__ import annotations

import functools
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from hybrid.config import WRITER_ROOM, GenerationSettings, Reader, Settings, load_settings, settings_dict
from hybrid.errors import ConfigError, UsageError, did_you_mean
from hybrid.files import hash_file, hash_text, valid_utf8
from hybrid.generation.answering import Answerer
from hybrid.generation.asking import parts_of, read_question, sides_of
from hybrid.generation.prompts import load_prompts, load_writing_prompt
from hybrid.generation.reckoning import asks_of_all, file_asked_of
from hybrid.generation.versions import PromptVersions, version_of
from hybrid.index import ExternalStore, Index, require_store
from hybrid.index.generations import current, read_manifest
from hybrid.index.sync import generation_for
from hybrid.models import Embedder, Generator, Reranker
from hybrid.models.adapters import with_adapter
from hybrid.models.device import versions
from hybrid.models.loading import load_embedder, load_generator, load_reranker
from hybrid.models.resolve import fetch, weights_digest
from hybrid.retrieval import Retriever, with_beside
from hybrid.tracing import names
from hybrid.tracing.spans import tell
from hybrid.trust import Endpoint
from hybrid.types import Answer, Arm, Hit, Question, Where

# What may differ between arms; the rest is what they share: documents, chunks, the decision.
_SECTIONS = ("retrieval", "generation", "models")
_HINT = "an arm is ARM[:KEY=VALUE...], for example rag:reader=generator:k=5"
_NO_FILE = Path(os.devnull)
# So many arms are kept ready and generations open: what is asked now, and what it is compared with.
_KEPT = 4
# The greatest of the rows of a file is looked for among so many at the most.
_RECORDS = 500
# So many passages of a document that is named are read beside the hits, for so much of their score.
_NAMED, _BESIDE = 4, 0.8


@dataclass(frozen=True, slots=True)
class ArmSpec:
    """An arm as it was named, and the settings that it runs with."""

    name: str
    arm: Arm
    settings: Settings

    @property
    def retrieves(self) -> bool:
        """Tell whether it sees passages."""
        return self.arm in (Arm.RAG, Arm.BOTH)


@dataclass(frozen=True, slots=True)
class ArmAdapters:
    """The adapters that an arm is served with: their folders, and what their cards say.

    ``reader`` is who the adapter was trained to be; it reads in ``both`` unless the settings name another
    generating reader. ``training_minutes`` is what making all of them took.
    """

    generator: Path | None = None
    embedder: Path | None = None
    reader: Reader | None = None
    training_minutes: float = 0.0


@dataclass(frozen=True, slots=True)
class OwnModels:
    """Models of one's own; each serves instead of the one in the settings, unless an arm names another."""

    embedder: Embedder | None = None
    generator: Generator | None = None
    reranker: Reranker | None = None


class Contender(Protocol):
    """What an experiment compares: it has a name, answers questions, and is always the same."""

    @property
    def name(self) -> str:
        """Return the name of the arm."""

    @property
    def identity(self) -> Mapping[str, str]:
        """Return all that decides its answers: contenders of one identity answer the same."""

    def prepare(self, questions: Sequence[Question]) -> None:
        """Load what it takes, so that what cannot be loaded is an error before anything is asked."""

    def answer_all(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer every question, in the given order."""


@dataclass(frozen=True)
class DomainArm:
    """An arm on one domain, with the models that it needs; ``retriever`` is None where it retrieves nothing.

    ``labels`` says that questions with options will be asked, which takes the generator whatever reads.
    """

    spec: ArmSpec
    answerer: Answerer
    retriever: Retriever | None
    adapters: ArmAdapters
    labels: bool = False

    @property
    def name(self) -> str:
        """Return the name of the arm."""
        return self.spec.name

    @property
    def training_minutes(self) -> float:
        """Return what the making of its adapters took."""
        return self.adapters.training_minutes

    @cached_property
    def identity(self) -> Mapping[str, str]:
        """Return all that decides its answers; what writes them is loaded for it."""
        generation = self.answerer.settings
        generates = self.retriever is None or generation.reader is not Reader.EXTRACTIVE
        identity = {
            "version": versions()["hybrid-assistant"],
            "arm": str(self.spec.arm),
            "prompts": load_prompts(generation.language, generation.prompt).digest,
            # its weights are in the digest of the generator
            "adapter": self.adapters.generator.name if self.adapters.generator is not None else "",
        }
        if generates or self.labels:
            generator = self.answerer.generator()
            identity |= {"generator": generator.name, "generator_digest": generator.digest}
        if self.retriever is None:
            return identity | {"reader": "generator", "max_new_tokens": str(generation.max_new_tokens)}
        index = self.retriever.index
        if generation.reader is Reader.WRITER:
            identity |= {"writing": load_writing_prompt(generation.language, generation.prompt).digest}
        return identity | {
            "reader": str(generation.reader),
            # under whatever name, a prompt is what its digest says
            "generation": _text(generation, without="prompt"),
            "retrieval": _text(self.spec.settings.retrieval),
            "embedder": self.retriever.embedder.fingerprint.line,
            "reranker": _reranker_text(self.spec, self.retriever.reranker),
            "index_generation": index.manifest.generation,
            "index_digest": hash_file(index.folder / "manifest.json"),
        }

    def prepare(self, questions: Sequence[Question]) -> None:
        """Load the weights, and ask whether the generator can judge options if there are any."""
        if "generator" in self.identity:
            self.answerer.generator().generate([], max_new_tokens=1)
        if self.retriever is not None:
            self.retriever.embedder.embed_queries(["a first text loads the weights"])
        if any(question.options for question in questions):
            self.answerer.generator().log_likelihoods([], [])

    def answer_all(
        self, questions: Sequence[Question], *, where: Where = None, principals: Sequence[str] | None = None
    ) -> list[Answer]:
        """Answer every question: by likelihood where it has options, by the reader where it has none.

        Questions have the sources that each may not find; ``where`` are conditions on the documents, alike
        for all of them. Without ``principals``, who ask, every document is read.
        """
        tell(self._told)
        texts = [valid_utf8(question.text) for question in questions]
        hits = self._hits(questions, where, principals)
        labelled = [place for place, question in enumerate(questions) if question.options]
        open_ended = [place for place, question in enumerate(questions) if not question.options]
        chosen = self.answerer.choose_all(
            [texts[place] for place in labelled],
            [questions[place].options for place in labelled],
            [hits[place] for place in labelled],
            arm=self.spec.arm,
        )
        written = self.answerer.answer_all(
            [texts[place] for place in open_ended],
            [hits[place] for place in open_ended],
            arm=self.spec.arm,
            rows=[self._rows(questions[place], hits[place], where, principals) for place in open_ended],
        )
        answers = dict(zip([*labelled, *open_ended], [*chosen, *written], strict=True))
        return [self._placed(answers[place]) for place in range(len(questions))]

    def stream(
        self, question: Question, *, where: Where = None, principals: Sequence[str] | None = None
    ) -> Iterator[str | Answer]:
        """Return the answer to an open question in pieces of text, and at last as an ``Answer``."""
        tell(self._told)
        (hits,) = self._hits([question], where, principals)
        rows = self._rows(question, hits, where, principals)
        text = valid_utf8(question.text)
        return map(self._ended, self.answerer.stream(text, hits, arm=self.spec.arm, rows=rows))

    def _hits(
        self, questions: Sequence[Question], where: Where, principals: Sequence[str] | None
    ) -> list[list[Hit]]:
        if self.retriever is None:
            return [[] for _ in questions]
        # of two things that are compared, or asked at once, one may hide the other: each is looked for
        apart = [[*sides_of(question.text), *parts_of(question.text)[1:]] for question in questions]
        texts = [question.text for question in questions] + [text for own in apart for text in own]
        withheld = [question.withheld for question in questions]
        withheld += [question.withheld for question, own in zip(questions, apart, strict=True) for _ in own]
        found = self.retriever.search_all(texts, where=where, exclude=withheld, principals=principals)
        beside = iter(found[len(questions) :])
        hits = [
            with_beside(hits, [next(beside) for _ in own])
            for hits, own in zip(found[: len(questions)], apart, strict=True)
        ]
        if self.answerer.settings.reader is not Reader.EXTRACTIVE:
            return hits
        return [
            own if question.options else self._with_named(question, own, where, principals)
            for question, own in zip(questions, hits, strict=True)
        ]

    def _with_named(
        self, question: Question, hits: list[Hit], where: Where, principals: Sequence[str] | None
    ) -> list[Hit]:
        """Return hits, and the best that are missing of the one document that a question names."""
        asked = read_question(valid_utf8(question.text))
        if self.retriever is None or not (unnamed := asked.unnamed):
            return hits
        inside = self.retriever.within_named(
            unnamed[0], asked.names, where=where, exclude=question.withheld, principals=principals
        )
        known = {(hit.chunk.source, hit.chunk.start) for hit in hits}
        further = [hit for hit in inside if (hit.chunk.source, hit.chunk.start) not in known][:_NAMED]
        return [*hits, *(replace(hit, score=_BESIDE * hit.score) for hit in further)]

    def _rows(
        self, question: Question, hits: Sequence[Hit], where: Where, principals: Sequence[str] | None
    ) -> list[Hit]:
        """Return all rows of what a question asks for the greatest of, or to count: a file, or tables."""
        reads = self.retriever is not None and self.answerer.settings.reader is Reader.EXTRACTIVE
        if self.retriever is None or not (reads and asks_of_all(question.text)):
            return []
        firsts = self.retriever.first_records(where=where, principals=principals)
        tables = self.retriever.tables(hits, principals=principals)
        record = file_asked_of(question.text, firsts, hits)
        if not record:
            return tables
        return [
            *self.retriever.records(
                record, most=_RECORDS, where=where, exclude=question.withheld, principals=principals
            ),
            *tables,
        ]

    @cached_property
    def _told(self) -> Mapping[str, str]:
        """Return what a trace says of it."""
        generation = self.answerer.settings
        prompts = version_of(generation.language, generation.prompt)
        index = "" if self.retriever is None else self.retriever.index.manifest.generation
        return {names.ARM: self.name, names.PROMPT_DIGEST: prompts, names.INDEX_GENERATION: index}

    def _ended(self, part: str | Answer) -> str | Answer:
        return self._placed(part) if isinstance(part, Answer) else part

    def _placed(self, answer: Answer) -> Answer:
        """Return an answer named, with each citation on its own page: a chunk may go on over the next."""
        places = [
            one
            if one.page is None or self.retriever is None
            else replace(one, page=self.retriever.index.page_at(one.source, one.start))
            for one in answer.citations
        ]
        return replace(answer, variant=self.name, citations=tuple(places))


def identity_digest(identity: Mapping[str, str], *further: str) -> str:
    """Return a digest of all that decides the answers of an arm, and of what else is told."""
    return hash_text(json.dumps(dict(identity), sort_keys=True), *further)


def parse_arms(text: str, settings: Settings) -> list[ArmSpec]:
    """Return the arms of a list with commas.

    Raises:
        UsageError: none or an unknown one, or one twice.
        ConfigError: a key that does not exist, or a value out of range.
    """
    specs = [parse_arm(part, settings) for part in text.split(",")]
    for place, spec in enumerate(specs):
        for other in specs[:place]:
            if (other.arm, other.settings) == (spec.arm, spec.settings):
                raise UsageError(f"{other.name!r} and {spec.name!r} are the same arm", hint=_HINT)
    return specs


def parse_arm(text: str, settings: Settings) -> ArmSpec:
    """Return an arm ``ARM[:KEY=VALUE...]``; a key is one of retrieval, generation or models.

    A key may carry its section, ``rag:retrieval.k=5``. Where a prompt is named and no reader, the one that is
    told it reads. ``settings`` hold for the keys that are not named.
    """
    # a value may hold a colon, as an address does
    kind, *options = re.split(r":(?=[\w. ]+=)", text.strip())
    if kind.strip() not in list(Arm):
        raise UsageError(f"there is no arm {kind!r}, expected one of: {', '.join(Arm)}", hint=_HINT)
    arm = Arm(kind.strip())
    if not options:
        return ArmSpec(str(arm), arm, settings)
    names = [str(arm)]
    values, named = settings_dict(settings), set[str]()
    for option in options:
        key, _, value = (part.strip() for part in option.partition("="))
        section, name = _place(key, text)
        if name == "endpoint":  # an arm's name is written down, so the login is in the settings alone
            own, value = settings.models.endpoint, Endpoint(value)
            value = own if value == own and not value.login else value
        values[section][name] = value
        named.add(name)
        names.append(f"{name}={value}")
    if "prompt" in named and "reader" not in named and values["generation"]["reader"] == Reader.EXTRACTIVE:
        values["generation"]["reader"] = Reader.GENERATOR
    if "reader" in named and values["generation"]["reader"] == Reader.WRITER:
        values["generation"] |= {key: room for key, room in WRITER_ROOM.items() if key not in named}
    # what names every key wins over all other sources
    return ArmSpec(":".join(names), arm, load_settings(values, file=_NO_FILE, environment={}))


class DomainArms:
    """What answers on one domain by each arm; the same one as long as index and adapters are the same.

    ``settings`` hold where an arm names nothing, models of ``own`` serve where it names none, and
    ``adapters`` returns those that it is served with. The vector store ``external`` searches what is in
    force; what is tried beside it is searched here.
    """

    def __init__(
        self,
        domain: Path,
        settings: Settings,
        own: OwnModels,
        adapters: Callable[[ArmSpec], ArmAdapters],
        external: ExternalStore | None = None,
    ) -> None:
        self._domain, self._settings, self._own, self._adapters = domain, settings, own, adapters
        self._external = external
        self._prompts = PromptVersions(domain)
        self._lock = threading.RLock()
        self._made: list[tuple[tuple[ArmSpec, ArmAdapters, str], DomainArm]] = []
        # by generation, and whether it was in force
        self._indexes: dict[tuple[str, bool], Index] = {}

    def serving(self, spec: ArmSpec) -> DomainArm:
        """Return what answers by an arm now; what writes its answers is loaded when it is first needed.

        Raises:
            AdapterError: the arm needs an adapter, and none is in use; or it cannot serve with its base.
            IndexMissing: the arm retrieves, and nothing was indexed with its embedder.
        """
        spec, adapters = self._in_force(spec), self._adapters(spec)
        self._prompts.used(spec.settings.generation, named=_names_prompt(spec))
        # what retrieves nothing works without an index, and whatever became of one
        key = (spec, adapters, current(self._domain) if spec.retrieves else "")
        with self._lock:
            for known, one in self._made:
                if known == key:
                    return one
            made = self._arm(spec, adapters, labels=False)
            # a generation that was replaced is not asked again; whoever still reads it has it
            fresh = [one for one in self._made if not key[2] or one[0][2] in ("", key[2])]
            self._made = [*fresh[1 - _KEPT :], (key, made)]
            return made

    def contender(self, spec: ArmSpec, *, labels: bool) -> DomainArm:
        """Return an arm for an experiment, with all loaded that decides its answers.

        ``labels`` says that questions with options will be asked, which takes the generator.

        Raises:
            AdapterError, IndexMissing: as ``serving``.
            ModelError: a model cannot be loaded.
        """
        arm = self._arm(self._in_force(spec), self._adapters(spec), labels=labels)
        _ = arm.identity  # loads: what cannot be loaded is an error before anything is asked
        return arm

    def _in_force(self, spec: ArmSpec) -> ArmSpec:
        """Return an arm with the prompts that are in force in the domain, unless it names its own."""
        given = spec.settings.generation
        own = given if _names_prompt(spec) else self._prompts.in_force(given)
        settings = replace(spec.settings, generation=own)
        return spec if own is given else replace(spec, settings=settings)

    def _arm(self, spec: ArmSpec, adapters: ArmAdapters, *, labels: bool) -> DomainArm:
        models, usual, own = spec.settings.models, self._settings.models, self._own
        usual_one = None if adapters.embedder or models.embedder != usual.embedder else own.embedder
        embedder = load_embedder(models, adapters.embedder) if usual_one is None else usual_one

        @functools.cache
        def generator() -> Generator:
            named = [(m.generator, m.endpoint, m.engine, m.precision) for m in (models, usual)]
            same = named[0] == named[1]
            base = (same and own.generator) or load_generator(models)
            return with_adapter(base, adapters.generator) if adapters.generator is not None else base

        retriever = None
        if spec.retrieves:
            reranker = (models.reranker == usual.reranker and own.reranker) or load_reranker(models)
            retriever = Retriever(self._index(embedder), embedder, spec.settings.retrieval, reranker)
        answerer = Answerer(embedder, generator, read_by(spec.settings.generation, spec.arm, adapters.reader))
        return DomainArm(spec, answerer, retriever, adapters, labels)

    def _index(self, embedder: Embedder) -> Index:
        """Return the generation that an embedder made of what is in force, or the one in force itself."""
        name = generation_for(self._domain, embedder.fingerprint)
        if name is None and embedder.fingerprint.adapter:
            return Index.built_with(self._domain, embedder.fingerprint)
        now = current(self._domain)
        key = (name or now, name in (None, now))
        if key not in self._indexes:
            external = self._external if key[1] else None
            if key[1]:
                require_store(read_manifest(self._domain, now), external)
                self._indexes = {kept: one for kept, one in self._indexes.items() if not kept[1]}
            while len(self._indexes) >= _KEPT:
                del self._indexes[next(iter(self._indexes))]
            self._indexes[key] = Index(self._domain, key[0], external=external)
        return self._indexes[key]


def read_by(generation: GenerationSettings, arm: Arm, reader: Reader | None) -> GenerationSettings:
    """Return how an arm answers: ``both`` is read by its adapter, in the way that it was trained to.

    A generating reader in ``generation`` wins, the extractive one does not count; ``reader`` is what the card
    of the adapter says.
    """
    if arm is not Arm.BOTH or generation.reader is not Reader.EXTRACTIVE:
        return generation
    return replace(generation, reader=reader or Reader.GENERATOR)


def _names_prompt(spec: ArmSpec) -> bool:
    return re.search(r":(generation\.)?prompt=", spec.name) is not None


def _place(key: str, text: str) -> tuple[str, str]:
    """Return section and name of a key, which are told apart by name alone."""
    sections = {name: part for part in _SECTIONS for name in settings_dict(Settings())[part]}
    places = {name: (part, name) for name, part in sections.items()}
    places |= {f"{part}.{name}": (part, name) for name, part in sections.items()}
    if key not in places:
        hint = did_you_mean(key, places, f"keys: {', '.join(sections)}")
        raise ConfigError(f"the arm {text!r}: unknown setting `{key}`", hint=hint)
    return places[key]


def _reranker_text(spec: ArmSpec, reranker: Reranker | None) -> str:
    """Return name and weights; of one's own object only the name is known."""
    if reranker is None:
        return ""
    models = spec.settings.models
    if reranker.name != models.reranker:
        return reranker.name
    return f"{reranker.name} {weights_digest(fetch(models.reranker, offline=models.offline))}"


def _text(settings: object, without: str = "") -> str:
    assert is_dataclass(settings) and not isinstance(settings, type)
    values = {name: value for name, value in asdict(settings).items() if name != without}
    return json.dumps(values, sort_keys=True)
