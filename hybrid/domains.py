"""Several domains behind one door: shared models, a router, and the arm that each domain decided on."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from hybrid.assistant import Assistant
from hybrid.config import Settings, load_settings
from hybrid.errors import HybridError, IndexMissing, UsageError
from hybrid.generation.talk import decline, hear, reply
from hybrid.index import ExternalStore, Index, Scored
from hybrid.index.generations import domains as indexed_domains
from hybrid.models import Embedder, Generator, Reranker, Vectors
from hybrid.questions.files import load_questions
from hybrid.retrieval import Retriever
from hybrid.routing.asking import in_batches
from hybrid.routing.domains import (
    ROUTER_FILE,
    UNFITTED,
    DomainRouter,
    FittedRouter,
    LabelledQuestion,
    Routable,
    RouterCard,
    fit_router,
    load_router,
    questions_hash,
    require_router,
    save_router,
)
from hybrid.routing.followups import Conversation, understood
from hybrid.tracing.names import DECISION_MODEL, ROUTE_DOMAIN, ROUTE_PROBABILITY, ROUTED, SpanKind
from hybrid.tracing.spans import answered, asking, only, span
from hybrid.types import Answer, Arm, Asker, DomainChance, Message, Route, Where, principals_of

if TYPE_CHECKING:
    from hybrid.grounding.judge import Grounding


@dataclass(frozen=True, slots=True)
class ReadableIndex:
    """The index of a domain as a router reads it for a user: the places that the user may read."""

    index: Index
    positions: Sequence[int]

    def search_dense(self, vector: Vectors, k: int) -> list[Scored]:
        """Return the k nearest of these positions with their cosines."""
        return self.index.search_dense(vector, k, among=self.positions)

    def word_shares(self, text: str) -> Mapping[str, float]:
        """Return for each term of a text the share of these chunks that have it."""
        return self.index.word_shares(text, among=self.positions)


def _embedders(retrievers: Mapping[str, Retriever]) -> dict[str, str]:
    """Return the identity of the embedder of each domain, as the router's file names it."""
    return {name: one.embedder.fingerprint.line for name, one in retrievers.items()}


def _states(folder: Path, names: Collection[str] = ()) -> tuple[tuple[str, int, int], ...]:
    """Return name, time and size of the named files of a folder, or of its question sets."""
    try:
        with os.scandir(folder) as entries:
            wanted = [one for one in entries if (one.name in names if names else one.name.endswith(".jsonl"))]
            states = [(one.name, one.stat()) for one in wanted]
    except OSError:  # there is none, or it goes just now
        return ()
    return tuple(sorted((name, state.st_mtime_ns, state.st_size) for name, state in states))


def _arm_of(arm: Arm | str | Mapping[str, str] | None, domain: str) -> Arm | str | None:
    return arm.get(domain) if isinstance(arm, Mapping) else arm


def _readable(retrievers: Mapping[str, Retriever], principals: Sequence[str]) -> dict[str, Routable]:
    found = {name: one.index.positions_where({}, principals=principals) for name, one in retrievers.items()}
    return {
        name: ReadableIndex(retrievers[name].index, positions)
        for name, positions in found.items()
        if positions
    }


class Assistants:
    """All domains of a folder, or those named: a question goes to the one that it belongs to, or to none.

    The domains share embedder, generator and reranker, so memory grows with their indexes and not with
    models. It may be used from several threads. What becomes of a domain meanwhile is seen: a new one is
    asked, a removed one is not.

    Args:
        indexes: the folder that holds the domains; default: that of the settings.
        domains: their names; default: all that have an index.
        settings: instead of those from ``hybrid.toml`` and the environment.
        embedder: a model of your own instead of the one in the settings.
        generator: likewise.
        reranker: likewise.
        vectors: by domain, the vector stores of those that have one, see ``Assistant``.

    Raises:
        IndexMissing: there is no domain, or one that is named is not there.

    Example:
        >>> assistants = Assistants("indexes")                        # doctest: +SKIP
        >>> answer = assistants.ask("Which port is the default?")     # doctest: +SKIP
        >>> answer.domain, answer.route.probability                   # doctest: +SKIP
        ('postgres', 0.98)
    """

    def __init__(
        self,
        indexes: str | Path | None = None,
        domains: Sequence[str] | None = None,
        *,
        settings: Settings | None = None,
        embedder: Embedder | None = None,
        generator: Generator | None = None,
        reranker: Reranker | None = None,
        vectors: Mapping[str, ExternalStore] | None = None,
    ) -> None:
        settings = settings or load_settings()
        self.settings = settings if indexes is None else replace(settings, indexes=str(indexes))
        self.indexes = Path(self.settings.indexes)
        self._named = None if domains is None else tuple(dict.fromkeys(domains))
        self._own = (embedder, generator, reranker)
        self._vectors = dict(vectors or {})
        self._lock = threading.RLock()
        self._open: dict[str, Assistant] = {}
        self._router: tuple[tuple[object, ...], FittedRouter | None] | None = None
        self._closed = False
        there = self.domains
        if lacking := [name for name in self._named or () if name not in there]:
            raise IndexMissing(
                f"there is no domain {', '.join(map(repr, lacking))} in {self.indexes}; "
                f"domains: {', '.join(indexed_domains(self.indexes)) or 'none'}",
                hint="hybrid index FOLDER --domain NAME",
            )
        self._require_some(there)

    @property
    def domains(self) -> tuple[str, ...]:
        """Return the names of the domains that have an index now, in order."""
        return tuple(
            name for name in indexed_domains(self.indexes) if self._named is None or name in self._named
        )

    def __getitem__(self, domain: str) -> Assistant:
        """Return the assistant of one domain.

        Raises:
            IndexMissing: there is none of that name.
            UsageError: this was closed.
        """
        if self._closed:
            raise UsageError("these assistants were closed", hint="open them again: Assistants(FOLDER)")
        known = self._named is None or domain in self._named
        if not known or not (self.indexes / domain / "CURRENT").is_file():
            raise IndexMissing(
                f"there is no domain {domain!r}; domains: {', '.join(self.domains) or 'none'}",
                hint="hybrid index FOLDER --domain NAME",
            )
        return self._assistant(domain)

    def route(self, question: str, *, as_user: Asker = None) -> Route:
        """Return the domain that a question belongs to, or none of these; nothing is generated for it.

        A domain whose index cannot be read is left out, and ``left_out`` says why. For a user a domain is
        what that user may read of it, its passages and words, and no labelled questions.

        Raises:
            IndexMissing: no domain can be read.
            IndexMismatch: the router was fitted to what has changed since.
            UsageError: an empty question; or no user, and a document says who may read it.
        """
        if not question.strip():
            raise UsageError("the question is empty", hint='ask something: hybrid ask "..."')
        with span(ROUTE_DOMAIN, SpanKind.DECISION, {DECISION_MODEL: "domains"}) as stage:
            found = self._routed(question, as_user)
            stage.set({ROUTED: found.domain, ROUTE_PROBABILITY: found.probability})
            return found

    def _routed(self, question: str, as_user: Asker) -> Route:
        retrievers = self._retrievers()
        for name in retrievers:
            self._assistant(name).asked.require_user(as_user)
        fitted = self._fitted(retrievers)
        indexes: dict[str, Routable] = {name: one.index for name, one in retrievers.items()}
        labelled = fitted.labelled if fitted else {}
        if (principals := principals_of(as_user)) is not None:
            indexes, labelled = _readable(retrievers, principals), {}
        if not indexes:
            return Route("", 1.0, 1.0, "this user may read nothing", ())
        if fitted is None and len(self.domains) == 1:
            # nothing to choose between, and what it does not cover it declines itself
            (only,) = indexes
            return Route(only, 1.0, 1.0, "the only domain", (DomainChance(only, 1.0),))
        vectors, by_embedder = {}, {}
        for name, retriever in retrievers.items():
            identity = retriever.embedder.fingerprint.identity
            if identity not in by_embedder:
                by_embedder[identity] = retriever.embedder.embed_queries([question])[0]
            vectors[name] = by_embedder[identity]
        router = DomainRouter(fitted.card.weights if fitted else UNFITTED, labelled)
        return router.route(question, vectors, indexes)

    def ask(
        self,
        question: str,
        *,
        domain: str | None = None,
        arm: Arm | str | Mapping[str, str] | None = None,
        where: Where = None,
        history: Sequence[Message] = (),
        as_user: Asker = None,
    ) -> Answer:
        """Answer a question by the domain it belongs to; decline where it belongs to none.

        Args:
            question: in plain words.
            domain: instead of the router's choice.
            arm: as for ``Assistant.ask``: default is what the domain decided on. Or by domain, for those that
                are to answer by another than that.
            where: conditions on the documents, such as ``{"source": "guide/*"}``.
            history: the turns before it, the oldest first; a follow-up is understood, and routed, with them.
            as_user: who asks, as for ``Assistant.search``.

        Raises:
            IndexMissing: there is no such domain.
            UsageError: an empty question, or an arm that there is not; or no user, and a document says who
                may read it.
        """
        with asking(1):
            if domain is None and (said := self._small_talk(question, as_user)) is not None:
                return answered([said])[0]
            meant, route, chosen = self._placed(question, domain, history, as_user)
            if not chosen:
                return understood(answered([self._declined(question, route, as_user)])[0], question, meant)
            answer = self[chosen].ask(meant, arm=_arm_of(arm, chosen), where=where, as_user=as_user)
            return understood(replace(answer, domain=chosen, route=route), question, meant)

    def chat(
        self,
        *,
        domain: str | None = None,
        arm: Arm | str | Mapping[str, str] | None = None,
        as_user: Asker = None,
    ) -> Conversation:
        """Return a conversation, which remembers its turns; each question is routed by itself."""
        return Conversation(
            lambda question, history: self.stream(
                question, domain=domain, arm=arm, history=history, as_user=as_user
            )
        )

    def ask_all(
        self,
        questions: Sequence[str],
        *,
        domain: str | None = None,
        arm: Arm | str | Mapping[str, str] | None = None,
        where: Where = None,
        as_user: Asker = None,
    ) -> list[Answer]:
        """Answer several questions, those of one domain in batches, in the given order."""
        answers: dict[int, Answer] = {}
        routes: dict[int, Route | None] = {}

        def answer(name: str, places: Sequence[int]) -> list[Answer]:
            asked = [questions[place] for place in places]
            if not name:
                return [
                    self._declined(text, routes[place], as_user)
                    for place, text in zip(places, asked, strict=True)
                ]
            own = self[name].ask_all(asked, arm=_arm_of(arm, name), where=where, as_user=as_user)
            return [
                replace(one, domain=name, route=routes[place]) for place, one in zip(places, own, strict=True)
            ]

        with asking(len(questions)):
            for place, text in enumerate(questions):
                if domain is None and (said := self._small_talk(text, as_user)) is not None:
                    answers[place] = said
                else:
                    with only([place], of=len(questions)):
                        routes[place] = self._placed(text, domain, (), as_user)[1]
            chosen = {place: domain or (route.domain if route else "") for place, route in routes.items()}
            answers |= in_batches(chosen, answer, of=len(questions))
            return answered([answers[place] for place in range(len(questions))])

    def stream(
        self,
        question: str,
        *,
        domain: str | None = None,
        arm: Arm | str | Mapping[str, str] | None = None,
        where: Where = None,
        history: Sequence[Message] = (),
        as_user: Asker = None,
    ) -> Iterator[str | Answer]:
        """Return the answer of ``ask`` in pieces of text, and at last as an ``Answer``."""

        def parts() -> Iterator[str | Answer]:
            if domain is None and (said := self._small_talk(question, as_user)) is not None:
                return iter((said.text, *answered([said])))
            meant, route, chosen = self._placed(question, domain, history, as_user)
            if not chosen:
                declined = understood(
                    answered([self._declined(question, route, as_user)])[0], question, meant
                )
                return iter([declined.text, declined])
            own = self[chosen].stream(meant, arm=_arm_of(arm, chosen), where=where, as_user=as_user)
            return (
                understood(replace(part, domain=chosen, route=route), question, meant)
                if isinstance(part, Answer)
                else part
                for part in own
            )

        return asking(1).stream(parts)

    def check(self, answer: Answer) -> Grounding | None:
        """Judge what an answer asserts by the judge of its domain, see ``Assistant.check``."""
        return self[answer.domain].check(answer) if answer.domain else None

    def fit_router(self) -> RouterCard:
        """Fit the router to the question sets of the domains, keep it beside them, and say how well it does.

        A domain without a set stays known by its passages.

        Raises:
            UsageError: less than two domains, or too few questions of one.
        """
        retrievers = self._retrievers()
        questions = [question for name in retrievers for question in self._questions(name)]
        texts = [question.text for question in questions]
        by_embedder = {one.embedder.fingerprint.identity: one.embedder for one in retrievers.values()}
        vectors = {identity: own.embed_queries(texts) for identity, own in by_embedder.items()}
        identities = {name: one.embedder.fingerprint.identity for name, one in retrievers.items()}
        router = fit_router(
            questions,
            {name: vectors[identity] for name, identity in identities.items()},
            {name: one.index for name, one in retrievers.items()},
            embedders=_embedders(retrievers),
        )
        save_router(self.indexes, router)
        return router.card

    def left_out(self) -> dict[str, str]:
        """Return the domains that cannot be read now, each with the reason."""
        return self._tried()[1]

    def close(self) -> None:
        """Let go of all domains; the models stay, for others may use them."""
        with self._lock:
            self._closed = True
            self._open.clear()
            self._router = None

    def __enter__(self) -> Self:
        """Return these assistants, which are closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        self.close()

    def _assistant(self, domain: str) -> Assistant:
        """Return the assistant of a domain that is there."""
        with self._lock:
            if domain not in self._open:
                embedder, generator, reranker = self._own
                self._open[domain] = Assistant(
                    domain,
                    settings=self.settings,
                    embedder=embedder,
                    generator=generator,
                    reranker=reranker,
                    vectors=self._vectors.get(domain),
                )
            return self._open[domain]

    def _tried(self) -> tuple[dict[str, Retriever], dict[str, str]]:
        """Return the retrievers of the domains that can be read, and why the others cannot."""
        found, reasons = {}, {}
        for name in self.domains:
            try:
                found[name] = self[name].retriever
            except HybridError as error:
                reasons[name] = str(error)
        return found, reasons

    def _retrievers(self) -> dict[str, Retriever]:
        found, reasons = self._tried()
        if not found and reasons:
            raise IndexMissing(
                "no domain can be read: " + "; ".join(f"{name}: {why}" for name, why in reasons.items()),
                hint="hybrid status",
            )
        self._require_some(found)
        return found

    def _require_some(self, there: Sequence[str] | Mapping[str, object]) -> None:
        if not there:
            raise IndexMissing(
                f"there is no index in the folder {str(self.indexes)!r}",
                hint="build one with: hybrid index FOLDER",
            )

    def _fitted(self, retrievers: Mapping[str, Retriever]) -> FittedRouter | None:
        """Return the router in force, if it fits what is there; read anew when its file has changed."""
        stamp = self._stamp(retrievers)
        with self._lock:
            if self._router is None or self._router[0] != stamp:
                fitted = load_router(self.indexes)
                if fitted is not None:
                    hashes = {name: questions_hash(self._questions(name)) for name in retrievers}
                    require_router(fitted.card, _embedders(retrievers), hashes)
                self._router = (stamp, fitted)
            return self._router[1]

    def _stamp(self, retrievers: Mapping[str, Retriever]) -> tuple[object, ...]:
        """Return what the fit of the router depends on, without reading it."""
        told: list[object] = [_states(self.indexes, {ROUTER_FILE})]
        for name, retriever in retrievers.items():
            sets = _states(self._assistant(name).questions.folder)
            told.append((name, retriever.embedder.fingerprint.identity, sets))
        return tuple(told)

    def _questions(self, domain: str) -> list[LabelledQuestion]:
        """Return the questions of the sets of a domain that its documents answer, each once."""
        sets = sorted(self._assistant(domain).questions.folder.glob("*.jsonl"))
        asked = [question for path in sets for question in load_questions(path)]
        return list(
            {
                question.text: LabelledQuestion(question.text, domain, question.unit)
                for question in asked
                if question.answerable
            }.values()
        )

    def _placed(
        self, question: str, domain: str | None, history: Sequence[Message], as_user: Asker
    ) -> tuple[str, Route | None, str]:
        """Return what a question asks with the turns before it, its route if none was named, its domain."""
        meant = hear(question).question
        if history:
            self._require_some(there := self.domains)
            meant = self[domain or there[0]].asked.standalone(question, history)
        route = None if domain is not None else self.route(meant, as_user=as_user)
        return meant, route, domain or (route.domain if route else "")

    def _small_talk(self, text: str, as_user: Asker) -> Answer | None:
        """Return what is said to what is no question, None to a question."""
        heard = hear(text)
        if heard.act is None:
            return None
        there = self._retrievers()
        shelves = [self[name].asked.shelf(as_user) for name in there]
        # a greeting with a slip may be a word of the documents
        slips = " ".join(heard.slips)
        known = any(share for one in there.values() for share in one.index.word_shares(slips).values())
        return None if known else reply(heard, text, shelves)

    def _declined(self, question: str, route: Route | None, as_user: Asker) -> Answer:
        covers = (
            "covers the question" if as_user is None or (route and route.chances) else "lets this user read"
        )
        said = f"None of these domains {covers}: {', '.join(self.domains)}."
        nearest = next((one.domain for one in route.chances if one.domain), "") if route else ""
        if nearest:
            # a question in a language that the embedder does not relate to the documents is near to nothing
            hits = self[nearest].search(question, as_user=as_user)
            said = decline(said, question, hits, self[nearest].retriever.embedder.fingerprint.name)
        return Answer(question, said, Arm.RAG, "router", abstained=True, route=route)
