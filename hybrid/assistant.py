"""The façade: one domain, and every verb that the command has."""

from __future__ import annotations

import functools
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid.adaptation.gate import budget_of
from hybrid.adaptation.serving import arm_adapters
from hybrid.adaptation.store import AdapterStore
from hybrid.arms import (
    ArmAdapters,
    ArmSpec,
    DomainArm,
    DomainArms,
    OwnModels,
    identity_digest,
    parse_arm,
    parse_arms,
)
from hybrid.changes import Switched, record, settled, together
from hybrid.config import Rewriting, Settings, load_settings, settings_dict
from hybrid.distributed import executor_named
from hybrid.documents.folder import drop_upload, keep_upload
from hybrid.documents.source import Principals
from hybrid.errors import AdapterError, IndexError_, UsageError
from hybrid.files import folder_lock, is_name
from hybrid.generation.prompts import load_followup_prompt
from hybrid.generation.talk import Shelf, hear, reply
from hybrid.generation.versions import PromptVersions, version_of
from hybrid.index import ExternalStore, Manifest, is_restricted, read_state, rollback
from hybrid.index.external import withdraw
from hybrid.index.generations import current
from hybrid.index.stores import store_of
from hybrid.index.sync import Progress
from hybrid.ingestion import IndexStatus, IngestEstimate, Ingestor, IngestReport, index_status
from hybrid.models import Embedder, Generator, Reranker
from hybrid.models.device import is_cpu
from hybrid.models.loading import load_embedder, load_generator
from hybrid.retrieval import Retriever
from hybrid.routing.abstention import AnswerScore, Risk
from hybrid.routing.bounds import ArmBound, BoundArm, bound_arm, fit_bound, save_bound
from hybrid.routing.choice import ArmChooser
from hybrid.routing.followups import Conversation, rewritten, standalone, understood
from hybrid.text.abbreviations import Meaning
from hybrid.tracing.asking import answered
from hybrid.tracing.names import ARM, ARM_NAMED, DOMAIN
from hybrid.tracing.spans import SpanValue, asking, only, resumed
from hybrid.types import (
    Answer,
    Arm,
    ArmRoute,
    Asker,
    Document,
    Hit,
    Message,
    Question,
    Where,
)

if TYPE_CHECKING:
    from hybrid.comparison import Comparison
    from hybrid.decision.values import Gate
    from hybrid.domains import Assistants
    from hybrid.evaluation.outcomes import ArmCost, Outcome
    from hybrid.grounding.judge import Grounder, Grounding
    from hybrid.grounding.sampling import Uncertainty
    from hybrid.grounding.service import ScorerCalibrated
    from hybrid.questions.sets import QuestionSets
    from hybrid.routing.arms import ArmRouterCard
    from hybrid.tuning import Adaptation


class Assistant:
    """One domain: its index and the models that serve it.

    Args:
        domain: its name; the index is in ``<settings.indexes>/<domain>``.
        settings: instead of those from ``hybrid.toml`` and the environment.
        embedder: a model of your own instead of the one in the settings.
        generator: likewise.
        reranker: likewise.
        vectors: a vector store that searches the vectors of the domain instead of a file of its index, such
            as ``hybrid.langchain.StoreVectors``; to be given whenever the domain is opened. Without it the
            one of the settings, if they name one.

    Example:
        >>> assistant = Assistant("manual")                      # doctest: +SKIP
        >>> assistant.index("docs")                              # doctest: +SKIP
        >>> print(assistant.ask("Which port is the default?").text)  # doctest: +SKIP
        The default port is 5432. [1]
    """

    def __init__(
        self,
        domain: str,
        *,
        settings: Settings | None = None,
        embedder: Embedder | None = None,
        generator: Generator | None = None,
        reranker: Reranker | None = None,
        vectors: ExternalStore | None = None,
    ) -> None:
        if not is_name(domain):
            raise UsageError(
                f"{domain!r} is not a name for a domain", hint="use letters, digits, dashes and dots"
            )
        self.settings = settings or load_settings()
        self.domain = domain
        self.folder = Path(self.settings.indexes) / domain
        self.adapters = AdapterStore(self.folder, budget_of(self.settings.adaptation))
        self._own = OwnModels(embedder, generator, reranker)
        self._vectors = vectors or store_of(self.settings, domain)
        self._arms = DomainArms(self.folder, self.settings, self._own, self._adapters, self._vectors)
        self._chooser = ArmChooser(self.folder, self.settings, self._arms, lambda: self.embedder)
        self._grounder: Grounder | None = None

    @staticmethod
    def load(
        indexes: str | Path, domains: Sequence[str] | None = None, *, settings: Settings | None = None
    ) -> Assistants:
        """Open all domains of a folder, or those named, behind one router, see ``Assistants``."""
        from hybrid.domains import Assistants

        return Assistants(indexes, domains, settings=settings)

    @property
    def embedder(self) -> Embedder:
        """Return the embedder, which loads its weights at the first text."""
        adapter = self._adapters(parse_arm(Arm.RAG, self.settings)).embedder
        if adapter is None and self._own.embedder is not None:
            return self._own.embedder
        return load_embedder(self.settings.models, adapter)

    @property
    def generator(self) -> Generator:
        """Return the generator without an adapter, loaded now if it was not."""
        return self._own.generator or load_generator(self.settings.models)

    @property
    def retriever(self) -> Retriever:
        """Return a retriever over the generation in force, which finds all of it, whoever may read it.

        Raises:
            IndexMissing: nothing was indexed yet.
            IndexMismatch: the index was built with another embedder.
        """
        retriever = self._serving(Arm.RAG).retriever
        assert retriever is not None, "rag retrieves"
        return retriever

    @property
    def questions(self) -> QuestionSets:
        """Return the question sets of the domain: to make, find and check them."""
        from hybrid.questions.sets import QuestionSets

        return QuestionSets(self.folder, lambda: self.retriever, lambda: self._serving(Arm.BASE).answerer)

    @property
    def decided(self) -> ArmSpec | None:
        """Return the arm that was decided on for the domain, None if none was.

        Raises:
            UsageError: ``DECISION`` names no arm, or one that may not be used with these settings.
        """
        from hybrid.decision.adopted import adopted

        return adopted(self.folder, self.settings)

    @property
    def usual(self) -> ArmSpec:
        """Return the arm that answers an open question where none is named.

        It is the one that was decided on, or ``rag``: also where the decision rests on choices among labels
        alone, which say nothing of open questions, unless there are no documents to answer from.

        Raises:
            UsageError: as ``decided``.
        """
        from hybrid.decision.adopted import of_labels

        decided = self.decided
        if decided is None or (of_labels(self.folder) and self._serves(Arm.RAG)):
            return parse_arm(Arm.RAG, self.settings)
        return decided

    @property
    def decided_because(self) -> str:
        """Return the sentence of the decision that the domain's arm rests on, empty where none was made."""
        from hybrid.decision.adopted import reason

        return reason(self.folder)

    @property
    def arm_router(self) -> ArmRouterCard | None:
        """Return what the router of the domain's arms is worth, used or not; None where none was fitted."""
        return self._chooser.card

    @property
    def arm_costs(self) -> dict[str, ArmCost]:
        """Return what an answer by each arm took in the experiment that the choice of the arm rests on."""
        from hybrid.decision.adopted import arm_costs, experiment

        rests_on = self._chooser.experiment or experiment(self.folder)
        return arm_costs(self.folder, rests_on, self.settings.prices) if rests_on else {}

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Return the arms that can answer now: each has the index and the adapter that it needs."""
        return tuple(arm for arm in Arm if self._serves(arm))

    def index(
        self,
        folder: str | Path,
        *,
        rebuild: bool = False,
        progress: Progress | None = None,
        principals: Principals | None = None,
        executor: str = "",
    ) -> IngestReport:
        """Make the index hold exactly what the folder (or the single file) holds; only news are embedded.

        Args:
            folder: or one file.
            rebuild: start from nothing.
            progress: told how far each stage is.
            principals: gives who may read the document of a source, or None where it says nothing; it goes
                before a file beside the document, and that before what the document says itself. Give it at
                every ``index``: what nothing is said of, nobody reads in a domain that says it of another.
            executor: who embeds, as ``executor_named`` says; the bytes are the same whoever does. Default:
                threads, a core each, or ``serial`` with an embedder of your own and on a GPU.

        Raises:
            UsageError: the folder is missing or holds nothing to index; or what says who may read a file
                cannot be read.
            IndexMismatch: the domain was built with another embedder or from another folder.
            IndexLocked: another process is writing the domain.
        """
        ingestor = replace(self._ingestor, principals=principals)
        if executor:
            ingestor = replace(ingestor, executor=executor_named(executor))
        return ingestor.ingest(Path(folder), rebuild=rebuild, progress=progress)

    def estimate(self, folder: str | Path, *, rebuild: bool = False) -> IngestEstimate:
        """Say what ``index`` would do, how big the result and how long it would take."""
        return self._ingestor.estimate(Path(folder), rebuild=rebuild)

    def status(self, *, files: bool = False, verify: bool = False, glossary: bool = False) -> IndexStatus:
        """Say what is indexed, with which embedder, and what was rejected; no model is needed for it.

        ``files`` lists every document, ``verify`` checks every file against its checksum, and ``glossary``
        lists what words stand for, as the documents say.

        Raises:
            IndexMissing: nothing was indexed yet.
            IndexCorrupt: a file is missing or changed.
        """
        store = str(self.settings.vectors)
        return index_status(self.folder, store=store, files=files, verify=verify, glossary=glossary)

    def meanings(
        self, question: str, *, arm: Arm | str | None = None, as_user: Asker = None
    ) -> list[Meaning]:
        """Return what words of a question stand for by the documents, which an arm searches as well.

        Arm and user are as in ``ask``; of an arm that does not retrieve there are none.

        Raises:
            UsageError: no user, and a document says who may read it.
            IndexMissing: nothing was indexed yet.
        """
        retriever = self._asked_by(as_user, arm).retriever
        found = retriever.explained(question, principals=principals_of(as_user)) if retriever else []
        return [meaning for one in found for meaning in one.meanings]

    def search(
        self, question: str, *, arm: Arm | str = Arm.RAG, where: Where = None, as_user: Asker = None
    ) -> list[Hit]:
        """Return the best hits, best first.

        Args:
            question: in plain words.
            arm: the one whose hits they are, such as ``"rag:k=3:mode=dense"``.
            where: conditions on the documents, such as ``{"source": "guide/*"}``.
            as_user: who asks, or who and the groups of that user, such as ``("anna", "staff")``: only what
                says that one of them may read it is found.

        Raises:
            UsageError: an empty question, or an arm that does not retrieve; or no user, and a document says
                who may read it.
            IndexMissing: nothing was indexed yet.
        """
        (asked,) = _asked([question])
        retriever = self._asked_by(as_user, arm).retriever
        if retriever is None:
            raise UsageError(f"the arm {arm!s} does not retrieve", hint="name rag or both")
        return retriever.search(asked.text, where=where, principals=principals_of(as_user))

    def ask(
        self,
        question: str,
        *,
        arm: Arm | str | None = None,
        where: Where = None,
        history: Sequence[Message] = (),
        as_user: Asker = None,
    ) -> Answer:
        """Answer a question with citations that hold, or abstain; ``answer.variant`` says by which arm.

        Args:
            question: in plain words.
            arm: such as ``Arm.BASE`` or ``"rag:reader=generator:k=3"``; without it the router's choice if the
                domain has one that gains, else ``usual``.
            where: conditions on the documents, such as ``{"source": "guide/*"}``.
            history: the turns before it, the oldest first; a follow-up is understood with them.
            as_user: who asks, as in ``search``; an adapter still knows whatever it was trained on.

        Raises:
            UsageError: an empty question, or an arm that there is not; or no user, and a document says who
                may read it.
            AdapterError: the arm needs an adapter, and none is in use; or it cannot serve with the generator.
        """
        with asking(1, self._asked_of(arm)):
            meant = self.standalone(question, history)
            (answer,) = self.ask_all([meant], arm=arm, where=where, as_user=as_user)
            return understood(answer, question, meant)

    def identity(self, answer: Answer) -> str:
        """Return a digest of all that decides the answers of the arm that gave one: models, index, prompts.

        Empty where no arm was asked, as for a greeting.
        """
        return identity_digest(self._serving(answer.variant).identity) if answer.variant else ""

    def standalone(self, question: str, history: Sequence[Message]) -> str:
        """Return what a question asks when nobody has heard the turns before it, the oldest first.

        It is read by rules, or by the generator where ``conversation.rewriting`` says so.
        """
        if self.settings.conversation.rewriting is Rewriting.RULES:
            return standalone(question, history)
        prompt = load_followup_prompt(self.settings.generation.language)
        return rewritten(question, history, self.generator, prompt)

    def chat(
        self, *, arm: Arm | str | None = None, where: Where = None, as_user: Asker = None
    ) -> Conversation:
        """Return a conversation with the domain, which remembers its turns."""
        return Conversation(
            lambda question, history: self.stream(
                question, arm=arm, where=where, history=history, as_user=as_user
            )
        )

    def ask_all(
        self,
        questions: Sequence[str],
        *,
        arm: Arm | str | None = None,
        where: Where = None,
        as_user: Asker = None,
    ) -> list[Answer]:
        """Answer several questions in batches, as ``ask`` does each."""
        with asking(len(questions), self._asked_of(arm)):
            return answered(self._answers(questions, arm, where, as_user))

    def _answers(
        self, questions: Sequence[str], arm: Arm | str | None, where: Where, as_user: Asker
    ) -> list[Answer]:
        answers: dict[int, Answer] = {}
        for place, text in enumerate(questions):
            if (said := self._small_talk(text, arm, as_user)) is not None:
                answers[place] = said
        open_ended = [place for place in range(len(questions)) if place not in answers]
        asked, principals = _asked([questions[place] for place in open_ended]), principals_of(as_user)
        with only(open_ended, of=len(questions)):
            routes = self._routes(asked, arm, where, as_user)
        named = [arm if route is None else route.arm or None for route in routes]
        for one in dict.fromkeys(named):
            places = [place for place, name in enumerate(named) if name == one]
            serving = self._bound(self._asked_by(as_user, one))
            with only([open_ended[place] for place in places], of=len(questions)):
                texts = [asked[place] for place in places]
                found = serving.answer_all(texts, where=where, principals=principals)
            for place, answer in zip(places, found, strict=True):
                own = questions[open_ended[place]]
                answers[open_ended[place]] = replace(answer, question=own, arm_route=routes[place])
        return [answers[place] for place in range(len(questions))]

    def stream(
        self,
        question: str,
        *,
        arm: Arm | str | None = None,
        where: Where = None,
        history: Sequence[Message] = (),
        as_user: Asker = None,
    ) -> Iterator[str | Answer]:
        """Return the answer of ``ask`` in pieces of text, and at last as an ``Answer``."""
        stage = asking(1, self._asked_of(arm))
        return stage.stream(lambda: self._streamed(question, arm, where, history, as_user))

    def _streamed(
        self, question: str, arm: Arm | str | None, where: Where, history: Sequence[Message], as_user: Asker
    ) -> Iterator[str | Answer]:
        meant = self.standalone(question, history)
        if (said := self._small_talk(meant, arm, as_user)) is not None:
            return iter((said.text, *answered([said])))
        (asked,) = _asked([meant])
        (route,) = self._routes([asked], arm, where, as_user)
        named = arm if route is None else route.arm or None
        serving = self._bound(self._asked_by(as_user, named))
        parts = serving.stream(asked, where=where, principals=principals_of(as_user))
        return (
            understood(answered([replace(part, arm_route=route)])[0], question, meant)
            if isinstance(part, Answer)
            else part
            for part in parts
        )

    def shelf(self, as_user: Asker = None) -> Shelf:
        """Return the titles of the documents, of those that a user may read.

        Raises:
            UsageError: no user, and a document says who may read it.
            IndexMissing: nothing was indexed yet.
        """
        self.require_user(as_user)
        return Shelf(self.domain, tuple(self.retriever.index.titles(principals=principals_of(as_user))))

    def _asked_of(self, arm: Arm | str | None) -> dict[str, SpanValue]:
        """Return what a trace says of a question before anything is done for it."""
        named: dict[str, SpanValue] = {} if arm is None else {ARM: str(arm), ARM_NAMED: True}
        return {DOMAIN: self.domain, **named}

    def _small_talk(self, text: str, arm: Arm | str | None, as_user: Asker) -> Answer | None:
        """Return what is said to what is no question, where the arm answers from documents; else None."""
        heard = hear(text)
        if heard.act is None or not self._spec(arm).retrieves:
            return None
        shelf = self.shelf(as_user)
        # a greeting with a slip may be a word of the documents
        known = self.retriever.index.word_shares(" ".join(heard.slips)) if heard.slips else {}
        return None if any(known.values()) else reply(heard, text, [shelf])

    def check(self, answer: Answer) -> Grounding | None:
        """Judge what an answer asserts, claim by claim, against the passages it was given.

        The number of a piece of evidence is the place of its passage among the hits of the answer, and its
        spans are within the text of that chunk. Nothing is loaded where there is nothing to check.

        Returns:
            None for an answer that declined, or that was written without passages.

        Raises:
            UsageError: the settings name a scorer that there is not.
            ModelMissing: its weights are nowhere.
        """
        if not answer.hits or answer.abstained:
            return None
        with resumed(answer.trace):
            return self.grounder.check(answer)

    def uncertainty(
        self, answer: Answer, *, samples: int = 5, temperature: float = 0.5, seed: int = 0
    ) -> Uncertainty | None:
        """Tell how sure the generator is of an answer that has no passages, by what else it would say.

        Args:
            answer: of the arm ``base`` or ``adapter``.
            samples: how many other answers are drawn.
            temperature: 1 takes the generator as it is, less makes the likely likelier.
            seed: the same one draws the same.

        Returns:
            None for an answer that declined.

        Raises:
            UsageError: the answer was read from passages, which ``check`` holds it against; or less than one
                sample.
        """
        return self.uncertainty_all([answer], samples=samples, temperature=temperature, seed=seed)[0]

    def uncertainty_all(
        self, answers: Sequence[Answer], *, samples: int = 5, temperature: float = 0.5, seed: int = 0
    ) -> list[Uncertainty | None]:
        """Tell how sure the generator is of several answers, which are sampled in batches."""
        from hybrid.grounding.sampling import sampled

        return sampled(
            answers,
            lambda: self.grounder.scorer,
            lambda arm: self._serving(arm).answerer,
            samples=samples,
            temperature=temperature,
            seed=seed,
        )

    @property
    def grounder(self) -> Grounder:
        """Return what judges the answers of the domain.

        Raises:
            UsageError: the settings name a scorer that there is not.
            ModelMissing: its weights are nowhere.
        """
        if self._grounder is None:
            from hybrid.grounding.judge import load_grounder

            # the base, not an adapter of it: its cosines are what the calibration was fitted to
            self._grounder = load_grounder(self.settings, self.folder, embedder=self._own.embedder)
        return self._grounder

    def calibrate(
        self,
        data: Path,
        *,
        scorer: str = "trained",
        out: Path | None = None,
        limit: int | None = None,
        progress: Callable[[str, int, int], None] = lambda scorer, done, total: None,
    ) -> ScorerCalibrated:
        """Fit what judges the answers of the domain to your labels; it is kept only if that gains something.

        Args:
            data: a file or folder of labelled claims.
            scorer: by name.
            out: another file than that of the domain.
            limit: at most so many claims, whole documents.
            progress: told the scorer, how many claims it has judged and how many there are.

        Raises:
            UsageError: too few labels, all alike, or all of one source; or there is no such scorer.
            ModelMissing: its weights are nowhere.
        """
        from hybrid.grounding.calibration import card_path
        from hybrid.grounding.service import calibrate_scorer

        kept, self._grounder = out or card_path(self.folder, scorer), None
        return calibrate_scorer(
            data, kept, self.settings.models, scorer=scorer, limit=limit, progress=progress
        )

    def contenders(self, arms: str, questions: Sequence[Question]) -> list[DomainArm]:
        """Return what answers by each of the arms, for an experiment or one at a time.

        ``arms`` stand with commas, as for ``compare``; questions with options take the generator.

        Raises:
            UsageError: an arm that there is not.
            ConfigError: a key that does not exist, or a value out of range.
            AdapterError: an arm needs an adapter that is not there.
        """
        labels = any(question.options for question in questions)
        return [self._arms.contender(spec, labels=labels) for spec in parse_arms(arms, self.settings)]

    def compare(
        self,
        questions: Sequence[Question] | str,
        *,
        arms: str = "base,rag",
        name: str = "questions",
        gates: Sequence[Gate] = (),
        budget: int | None = None,
        retry: bool = False,
        progress: Callable[[str, int, int], None] | None = None,
        executor: str = "",
    ) -> Comparison:
        """Ask several arms all questions, score the answers and decide which arm fits.

        What an arm has answered before is not asked again. One arm alone is measured without a decision.

        Args:
            questions: with gold answers; or a set of them, by its file or its name in the domain.
            arms: with commas, such as ``base,rag,rag:reader=generator:k=3``.
            name: of the question set, for people; a set in a file has its own.
            gates: conditions that the chosen arm must meet.
            budget: ask in growing batches, at most so many answers, and stop when it is settled.
            retry: ask again what failed before.
            progress: told the arm, how many answers there are and how many there will be.
            executor: who asks, as ``executor_named`` says, for sets of thousands of questions; default: this
                process. Those that are timed alone are asked here, and the answers are scored here.

        Raises:
            UsageError: an arm or a scorer that there is not, a question without gold, a metric that does not
                apply.
            ModelError: a model cannot be loaded; nothing was asked then.
        """
        import hybrid.comparison as comparison
        from hybrid.evaluation.experiment import AskingWorkers, silent
        from hybrid.questions.files import load_questions

        if isinstance(questions, str):
            path = self.questions.find(questions)
            questions, name = load_questions(path), path.stem
        questions = self.questions.attributed(questions)
        contenders = self.contenders(arms, questions)
        workers = None
        if executor:
            own = replace(self.settings, indexes=str(self.folder.parent.resolve()))
            # as text: the login of an address does not travel, HYBRID_API_KEY is read where the worker is
            settings = json.dumps(settings_dict(own))
            labels = any(question.options for question in questions)
            opens = {
                one.name: functools.partial(_contender, self.domain, settings, self._own, one.name, labels)
                for one in contenders
            }
            workers = AskingWorkers(executor_named(executor), opens)
        return comparison.compare(
            contenders,
            questions,
            self.folder / "experiments",
            settings=self.settings,
            policy=comparison.policy_from(self.settings, gates),
            judges=comparison.Judges(self.grounder, self.embedder),
            name=name,
            budget=budget,
            retry=retry,
            progress=progress or silent,
            training={one.name: one.training_minutes for one in contenders},
            workers=workers,
        )

    def abstention(
        self,
        questions: Sequence[Question] | str,
        *,
        alpha: float,
        delta: float = 0.1,
        risk: Risk = Risk.ANSWERED,
        arm: Arm | str | None = None,
        score: AnswerScore | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> ArmBound:
        """Bound the share of wrong answers: from then on ``ask`` declines what scores below a threshold.

        The bound is kept only if there is a threshold; ``bound.sentence`` says so in words.

        Args:
            questions: with gold answers, as for ``compare``; what was asked before is not asked again.
            alpha: the share of wrong answers that is accepted.
            delta: the chance that the bound does not hold.
            risk: of the answers given (the default), or of all questions.
            arm: as for ``ask``; its answers alone are held to it.
            score: what an answer is held by; without it the best is chosen on a half of the sources.
            progress: as for ``compare``.

        Raises:
            UsageError: a number out of range, or a score that the arm does not have.
        """
        serving = self._serving(arm)
        found = self.compare(questions, arms=serving.name, progress=progress)
        made = fit_bound(
            serving,
            lambda: self.grounder,
            (found.questions, found.outcomes, found.scores),
            alpha=alpha,
            delta=delta,
            risk=risk,
            score=score,
            seed=self.settings.decision.seed,
        )
        if made.bound.threshold is not None:
            save_bound(self.folder, made)
        return made

    def fit_arm_router(
        self,
        questions: Sequence[Question] | str,
        *,
        arms: str = "base,rag,adapter,both",
        progress: Callable[[str, int, int], None] | None = None,
    ) -> ArmRouterCard:
        """Fit a router of the arms: from then on ``ask`` answers each question by its own, if that gains.

        It gains if the lower bound of its score over that of the best single arm, on questions of sources
        that it was not fitted to, is above 0; ``card.routing.sentence`` says so in words. ``arms`` are two or
        more, with commas, from simple to costly. Questions are given as for ``compare``; what was asked
        before is not asked again.

        Raises:
            UsageError: as for ``compare``; one arm alone, or questions of fewer than ten sources.
        """
        path = self.questions.find(questions) if isinstance(questions, str) else None
        return self._chooser.fit(self.compare(questions, arms=arms, progress=progress), path)

    def side_by_side(self, question: str, *, arms: str = "base,rag") -> list[Outcome]:
        """Ask several arms one question, write nothing down, and return what each answered.

        ``arms`` stand with commas, as for ``compare``.

        Raises:
            UsageError: an arm that there is not.
            ModelError: a model cannot be loaded; nothing was asked then.
        """
        from hybrid.evaluation.experiment import ask

        asked = _asked([question])
        contenders = self.contenders(arms, asked)
        for contender in contenders:
            contender.prepare(asked)
        return [ask(contender, asked[0]) for contender in contenders]

    def adopt(self, comparison: Comparison) -> str | None:
        """Answer by the arm that a comparison chose from now on; an undecided one changes nothing.

        Of questions that all have options it is the arm of labels: open ones are answered as ``usual`` says.

        Returns:
            The arm, with the adapter of its generator named so that it stays what was measured; None if none
            was chosen.
        """
        from hybrid.decision.adopted import adopt

        decision = comparison.decision
        if decision is None or decision.arm is None:
            return None
        arm = parse_arm(decision.arm, self.settings)
        adapter, name = self._adapters(arm).generator, arm.name
        if adapter is not None and ":generator_adapter=" not in name:
            name = f"{name}:generator_adapter={adapter.name}"
        labels = all(question.options for question in comparison.questions)
        adopt(self.folder, name, experiment=comparison.folder.name, sentence=decision.sentence, labels=labels)
        return name

    @property
    def adaptation(self) -> Adaptation:
        """Return what makes, checks, promotes and repairs the adapters of the domain."""
        from hybrid.tuning import Adaptation

        return Adaptation(
            self.adapters,
            self.settings,
            generator=lambda: self.generator,
            embedder=lambda: self._own.embedder or load_embedder(self.settings.models),
            retriever=lambda: self.retriever,
        )

    def update(self, documents: Sequence[Document], *, removed: Sequence[str] = ()) -> Manifest:
        """Put documents that came from no file into the index and take others out, in one generation.

        They stay whatever ``index`` makes of the folder; of a damaged index ``rebuild`` saves none. Each of
        ``documents`` takes the place of the one with its source; one that fits the embedder is a single
        chunk. A source in ``removed`` that is not there is no error.

        Raises:
            UsageError: the index has a file of that source.
            IndexMismatch: the domain was built with another embedder.
            IndexLocked: another process is writing the domain.
        """
        return self._ingestor.update(documents, removed=removed)

    def upload(
        self, name: str, data: bytes, *, as_user: Asker = None, progress: Progress | None = None
    ) -> IngestReport:
        """Keep a file beside the index and take it in; it stays whatever ``index`` makes of the folder.

        Args:
            name: of the file, with the suffix of a reader and no folder.
            data: what is in it.
            as_user: as in ``search``; where documents say who may read them, only this user may read it.
            progress: told how far each stage is.

        Raises:
            UsageError: a name or a size that is not taken, another file of that name, or one that no reader
                can read.
            IndexLocked: another process is writing the domain; the file is kept for the next update.
        """
        self.require_user(as_user)
        user = (principals_of(as_user) or ())[:1] if is_restricted(self.folder) else None
        most = self.settings.documents.max_megabytes
        kept = keep_upload(self.folder, name, data, most=most, readers=user)
        try:
            report = self._ingestor.take_uploads(kept.source, progress=progress)
        except UsageError:
            if kept.source not in read_state(self.folder).files:
                drop_upload(self.folder, kept.source)
            raise
        if kept.source not in report.characters:  # taken in before, while another process wrote
            raise UsageError(f"{name} could not be read before", hint="`hybrid status` says why; mend it")
        return report

    def remove(self, patterns: Sequence[str]) -> Manifest:
        """Take documents out of the index, by source or pattern; files come back with the next ``index``.

        Those that were uploaded do not.
        """
        return self._ingestor.remove(patterns)

    @property
    def prompts(self) -> PromptVersions:
        """Return the versions of the prompts that the domain answered by."""
        return PromptVersions(self.folder)

    @property
    def prompts_in_force(self) -> str:
        """Return the digest of the prompts that answer now where the arm names none."""
        own = self.prompts.in_force(self.settings.generation)
        return version_of(own.language, own.prompt)

    def restore_prompts(self, version: str = "", *, why: str = "") -> str:
        """Answer by an earlier version of the prompts, until the settings name another prompt.

        ``version`` is the beginning of its digest; default: the one that was in use before. ``why`` is for
        the log.

        Returns:
            Its whole digest.

        Raises:
            UsageError: it is not kept, or there is none before.
        """
        now = self.prompts_in_force
        if not version:
            before = [use.digest for use in self.prompts.uses() if use.digest != now]
            if not before:
                raise UsageError(
                    "no other prompts were in use", hint="hybrid prompts list shows all that were"
                )
            version = before[-1]
        found = self.prompts.find(version)
        with together(self.folder.parent):
            record(self.folder, Switched.PROMPT, now, found, why=why)
            self.prompts.put_back(found, self.settings.generation)
        return found

    def rollback(self, *, to: str = "") -> Manifest:
        """Go back to the generation before the one in force, or to another one."""
        return rollback(self.folder, self._vectors, to=to)

    def delete(self) -> None:
        """Remove the domain with all that belongs to it."""
        in_force = current(self.folder)
        with folder_lock(self.folder):
            if self._vectors is not None:
                withdraw(self.folder, self._vectors, keep=())
                self._vectors.drop()
            record(self.folder, Switched.GENERATION, in_force, "", why="the domain was removed")
            (self.folder / "CURRENT").unlink()
        shutil.rmtree(self.folder)

    def _serving(self, arm: Arm | str | None) -> DomainArm:
        with settled(self.folder.parent):
            return self._arms.serving(self._spec(arm))

    def _serves(self, arm: Arm) -> bool:
        try:
            return bool(self._serving(arm))
        except (AdapterError, IndexError_):
            return False

    def _spec(self, arm: Arm | str | None) -> ArmSpec:
        return self.usual if arm is None else parse_arm(arm, self.settings)

    def _bound(self, serving: DomainArm) -> DomainArm | BoundArm:
        return bound_arm(self.folder, serving, lambda: self.grounder)

    def _routes(
        self, asked: Sequence[Question], arm: Arm | str | None, where: Where, as_user: Asker
    ) -> Sequence[ArmRoute | None]:
        """Return why each question is answered by its arm; None where that is not the router's to say."""
        if arm is not None or not asked:
            return [None] * len(asked)
        texts = [question.text for question in asked]
        found = self._chooser.routes(texts, where=where, for_user=as_user is not None)
        return found or [None] * len(asked)

    def require_user(self, as_user: Asker) -> None:
        """Refuse to be asked in nobody's name where a document says who may read it.

        Raises:
            UsageError: there is such a document, and no user.
        """
        if as_user is None and is_restricted(self.folder):
            raise UsageError(
                f"documents of the domain {self.domain!r} say who may read them, and no user asks",
                hint="say who asks: as_user=, or --as-user on the command",
            )

    def _asked_by(self, as_user: Asker, arm: Arm | str | None) -> DomainArm:
        serving = self._serving(arm)
        if serving.spec.arm is Arm.BASE:  # the generator alone has seen no document
            return serving
        try:
            self.require_user(as_user)
        except IndexError_:
            # an adapter answers without an index, and whatever became of one
            if serving.spec.retrieves:
                raise
        return serving

    def _adapters(self, spec: ArmSpec) -> ArmAdapters:
        return arm_adapters(self.adapters, spec, own_embedder=self._own.embedder is not None)

    @property
    def _ingestor(self) -> Ingestor:
        own = self.settings
        threads = self._own.embedder is None and is_cpu(own.models.device)
        return Ingestor(
            self.folder,
            self.embedder,
            own.documents,
            own.chunks,
            external=self._vectors,
            executor=executor_named("threads" if threads else "serial"),
        )


def _contender(domain: str, text: str, own: OwnModels, arm: str, labels: bool) -> DomainArm:
    """Open an arm in a worker, by settings as JSON."""
    settings = load_settings(json.loads(text), file=Path(os.devnull), environment={})
    arms = Assistant(
        domain, settings=settings, embedder=own.embedder, generator=own.generator, reranker=own.reranker
    )._arms
    return arms.contender(parse_arm(arm, settings), labels=labels)


def principals_of(as_user: Asker) -> tuple[str, ...] | None:
    """Return a user, or a user and the groups of that user, as principals; None where no user asks."""
    return (as_user,) if isinstance(as_user, str) else None if as_user is None else tuple(as_user)


def _asked(texts: Sequence[str]) -> list[Question]:
    """Return texts as questions without gold."""
    if not all(text.strip() for text in texts):
        raise UsageError("the question is empty", hint='ask something: hybrid ask "..."')
    return [Question(str(number), hear(text).question) for number, text in enumerate(texts, start=1)]
