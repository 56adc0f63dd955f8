"""Arm routing in force: the router of a domain's arms, what it was made for, and the arm that it chooses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hybrid.arms import ArmSpec, DomainArms, identity_digest, parse_arm
from hybrid.config import Settings
from hybrid.decision.adopted import usable
from hybrid.errors import HybridError, IndexMissing, UsageError
from hybrid.files import checked, hash_file, of_schema, storage_errors, write_atomic
from hybrid.index import is_restricted
from hybrid.models import Embedder
from hybrid.tracing.names import DECISION_MODEL, ROUTE_ARM, ROUTED, SpanKind
from hybrid.tracing.spans import span
from hybrid.types import Arm, ArmRoute, Question, Where

if TYPE_CHECKING:
    from hybrid.comparison import Comparison
    from hybrid.retrieval import Retriever
    from hybrid.routing.arms import ArmRouterCard, FittedArmRouter

_SCHEMA = 1
_FILE = Path("router") / "arms.safetensors"
_MEND = f"make it again with `hybrid router arms QUESTIONS`, or remove {_FILE.as_posix()} of the domain"
_FOR_USERS = "as decided: documents say who may read them, and the router knows questions about all of them"


@dataclass(frozen=True, slots=True)
class ArmRouterOrigin:
    """What a router was made for and from; once any of it has changed it is not used.

    ``arms`` has a digest of all that decides the answers of each arm, its adapter included; ``embedder`` is
    the identity of what reads the questions, ``index`` a digest of the generation, empty without one.
    ``questions`` is the file of the question set and ``digest`` its hash, both empty where there is no file;
    ``experiment`` has the answers.
    """

    arms: Mapping[str, str]
    embedder: str
    index: str
    questions: str
    digest: str
    experiment: str


class ArmChooser:
    """Choose the arm of each question of a domain, if it has a router that earns its place.

    ``arms`` are what answers by each; ``embedder`` gives the one that reads questions where there is no
    index.
    """

    def __init__(
        self, domain: Path, settings: Settings, arms: DomainArms, embedder: Callable[[], Embedder]
    ) -> None:
        self._domain, self._settings, self._arms, self._embedder = domain, settings, arms, embedder
        self._read: tuple[tuple[int, int], FittedArmRouter, ArmRouterOrigin] | None = None
        self._specs: dict[str, ArmSpec] = {}

    @property
    def card(self) -> ArmRouterCard | None:
        """Return what is known of the router that was fitted, used or not; None where none was.

        Raises:
            UsageError: its file is damaged, or of another version.
        """
        found = self._loaded()
        return None if found is None else found[0].card

    @property
    def experiment(self) -> str:
        """Return the name of the experiment that the router in use rests on, empty without one."""
        found = self._loaded()
        return found[1].experiment if found is not None and found[0].card.routing.shipped else ""

    def routes(
        self, questions: Sequence[str], *, where: Where = None, for_user: bool = False
    ) -> list[ArmRoute] | None:
        """Return the arm of each question; None without a router, or with one that gains nothing.

        A route without an arm says why the router is not used: a user asks, and it knows questions about what
        others may read; or something that it was made for has changed.

        Raises:
            UsageError: its file is damaged, or of another version; or a condition that no document has.
        """
        found = self._loaded()
        if found is None or not found[0].card.routing.shipped:
            return None
        router, origin = found
        if reason := _FOR_USERS if for_user else self._changed(router.card.arms, origin):
            return [ArmRoute("", reason)] * len(questions)
        from hybrid.routing.arms import arm_features

        retriever, embedder = self._reading()
        index = None if retriever is None else retriever.index
        among = None if index is None or not where else index.positions_where(where)
        about = {DECISION_MODEL: "arms of the domain"}
        with span(ROUTE_ARM, SpanKind.DECISION, about) as stage:
            found_routes = [
                router.route(arm_features(text, vector, index, among), vector)
                for text, vector in zip(questions, embedder.embed_queries(questions), strict=True)
            ]
            stage.set_each([{ROUTED: route.arm} for route in found_routes])
        return found_routes

    def fit(self, made: Comparison, questions: Path | None) -> ArmRouterCard:
        """Fit a router to a comparison, keep it, and say what it is worth; it is used only if it gains.

        ``made`` is of the arms to choose from, ``questions`` the file of the question set, if there is one.
        """
        from hybrid.routing.arms import arm_features, fit_arm_router

        if made.table is None or made.decision is None:
            raise UsageError("one arm leaves nothing to choose", hint="name two or more with --arms")
        by_id = {question.id: question for question in made.questions}
        asked = [by_id[name] for name in made.table.questions]
        texts = [question.text for question in asked]
        retriever, embedder = self._reading()
        vectors = embedder.embed_queries(texts)
        index = None if retriever is None else retriever.index
        features = [
            arm_features(question.text, vector, index, _allowed(retriever, question))
            for question, vector in zip(asked, vectors, strict=True)
        ]
        specs = [parse_arm(arm, self._settings) for arm in made.table.arms]
        router = fit_arm_router(
            made.table,
            texts,
            vectors,
            np.array(features),
            retrieving={spec.name for spec in specs if spec.retrieves},
            policy=made.decision.policy,
        )
        origin = ArmRouterOrigin(
            arms={spec.name: identity_digest(self._arms.serving(spec).identity) for spec in specs},
            embedder=embedder.fingerprint.line,
            index=_generation(retriever),
            questions="" if questions is None else str(questions.absolute()),
            digest="" if questions is None else hash_file(questions),
            experiment=made.folder.name,
        )
        save_arm_router(self._domain, router, origin)
        return router.card

    def _loaded(self) -> tuple[FittedArmRouter, ArmRouterOrigin] | None:
        """Return the router that was fitted; its file is read anew when it has changed."""
        try:
            told = (self._domain / _FILE).stat()
        except FileNotFoundError:
            return None
        stamp, read = (told.st_mtime_ns, told.st_size), self._read
        if read is None or read[0] != stamp:
            read = self._read = (stamp, *load_arm_router(self._domain))
        return read[1:]

    def _reading(self) -> tuple[Retriever | None, Embedder]:
        """Return the retriever of the domain, None without an index, and what embeds its questions."""
        try:
            retriever = self._arms.serving(parse_arm(Arm.RAG, self._settings)).retriever
        except IndexMissing:
            return None, self._embedder()
        assert retriever is not None, "rag retrieves"
        return retriever, retriever.embedder

    def _changed(self, arms: Sequence[str], origin: ArmRouterOrigin) -> str:
        """Return why a router that was made so is not used now, empty if it is."""
        differ = []
        try:
            retriever, embedder = self._reading()
            if retriever is not None and is_restricted(self._domain):
                return _FOR_USERS
            differ += ["the index"] if _generation(retriever) != origin.index else []
            differ += ["the embedder"] if embedder.fingerprint.line != origin.embedder else []
            for arm in arms:
                if arm not in self._specs:  # reading a name takes longer than all the rest
                    self._specs[arm] = usable(self._domain / _FILE, arm, self._settings)
                if identity_digest(self._arms.serving(self._specs[arm]).identity) != origin.arms.get(arm):
                    differ.append(f"the arm {arm}")
        except HybridError as error:
            differ.append(f"an arm that cannot answer now ({error})")
        questions = Path(origin.questions)
        if origin.questions and questions.is_file() and hash_file(questions) != origin.digest:
            differ.append("the question set")
        if not differ:
            return ""
        return f"as decided: the router of the arms was made for what has changed since, {differ[0]}; {_MEND}"


def save_arm_router(domain: Path, router: FittedArmRouter, origin: ArmRouterOrigin) -> None:
    """Write a router as one file of the domain."""
    from safetensors.numpy import save

    told = {"schema": _SCHEMA, "card": asdict(router.card), "origin": asdict(origin)}
    tensors = {"vectors": router.vectors.astype(np.float16), "scores": router.scores, **asdict(router.logit)}
    path = domain / _FILE
    with storage_errors(str(path.parent)):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, save(tensors, metadata={"router": json.dumps(told, sort_keys=True)}))


def load_arm_router(domain: Path) -> tuple[FittedArmRouter, ArmRouterOrigin]:
    """Return the router of a domain, and what it was made for."""
    from safetensors import SafetensorError, safe_open

    from hybrid.routing.arms import ArmLogit, ArmRouterCard, FittedArmRouter

    path = domain / _FILE
    try:
        file: Any = safe_open(path, framework="numpy")
        told = of_schema(json.loads(file.metadata()["router"]), _SCHEMA, str(path), hint=_MEND)
        card = checked(ArmRouterCard, told["card"], f"the card in {path}", hint=_MEND)
        origin = checked(ArmRouterOrigin, told["origin"], f"the origin in {path}", hint=_MEND)
        numbers = {name: file.get_tensor(name) for name in ("bias", "weights", "means", "scales")}
        router = FittedArmRouter(
            card,
            ArmLogit(**numbers),
            file.get_tensor("vectors").astype(np.float32),
            file.get_tensor("scores"),
        )
        router.require_shapes()
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise UsageError(f"the router {path} cannot be read: {error}", hint=_MEND) from error
    return router, origin


def _allowed(retriever: Retriever | None, question: Question) -> list[int] | None:
    """Return the positions that a question may find, None if that is all."""
    if retriever is None or not question.withheld:
        return None
    index = retriever.index
    out = {place for source in question.withheld for place in index.positions_where({"source": source})}
    return [place for place in index.positions_where({}) if place not in out]


def _generation(retriever: Retriever | None) -> str:
    return "" if retriever is None else hash_file(retriever.index.folder / "manifest.json")
