"""The façade: one domain, and every verb that the command has."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid.adaptation.store import AdapterStore, arm_adapters, in_use
from hybrid.adaptation.values import AdapterKind, budget_of
from hybrid.arms import ArmAdapters, ArmSpec, DomainArm, DomainArms, OwnModels, parse_arm
from hybrid.config import Settings, load_settings, settings_dict
from hybrid.distributed import executor_named
from hybrid.documents.source import Principals
from hybrid.errors import HybridError, UsageError
from hybrid.files import is_name
from hybrid.generation.versions import PromptVersions
from hybrid.index import ExternalStore, Manifest, is_restricted, remove_domain, rollback
from hybrid.index.stores import store_of
from hybrid.index.sync import Progress
from hybrid.ingestion import IndexStatus, IngestEstimate, Ingestor, IngestReport, index_status
from hybrid.models import Embedder, Generator, Reranker
from hybrid.models.device import is_cpu
from hybrid.models.loading import load_embedder, load_generator
from hybrid.retrieval import Retriever
from hybrid.routing.abstention import AnswerScore, ArmBound, Risk, fit_bound, save_bound
from hybrid.routing.asking import AskedDomain, asked_of
from hybrid.routing.choice import ArmChooser
from hybrid.routing.followups import Conversation, understood
from hybrid.tracing.spans import answered, asking, resumed
from hybrid.types import Answer, Arm, Asker, Document, Hit, Message, Question, Where, principals_of

if TYPE_CHECKING:
    from hybrid.comparison import Comparison
    from hybrid.decision.values import Gate
    from hybrid.domains import Assistants
    from hybrid.grounding.judge import Grounder, Grounding
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
        arms = DomainArms(self.folder, self.settings, self._own, self._adapters, self._vectors)
        chooser = ArmChooser(self.folder, self.settings, arms, lambda: self.embedder)
        models = (lambda: self.generator), (lambda: self.grounder)
        self.asked = AskedDomain(self.folder, self.settings, arms, chooser, *models)
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
        return self.asked.retriever

    @property
    def questions(self) -> QuestionSets:
        """Return the question sets of the domain: to make, find and check them."""
        from hybrid.questions.sets import QuestionSets

        return QuestionSets(
            self.folder, lambda: self.retriever, lambda: self.asked.serving(Arm.BASE).answerer
        )

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
        """Say what is indexed, with which embedder, what was rejected, and what answers; needs no model.

        ``files`` lists every document, ``verify`` checks every file against its checksum, and ``glossary``
        lists what words stand for, as the documents say.

        Raises:
            IndexMissing: nothing was indexed yet.
            IndexCorrupt: a file is missing or changed.
        """
        store = str(self.settings.vectors)
        status = index_status(self.folder, store=store, files=files, verify=verify, glossary=glossary)
        used = {kind.value: in_use(self.adapters, kind) for kind in AdapterKind}
        adapters = {kind: name for kind, name in used.items() if name}
        try:
            arm = self.asked.usual.name
        except HybridError as error:  # a decision that cannot be used here hides nothing else
            arm = f"none: {error}"
        return replace(status, arm=arm, adapters=adapters)

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
        (asked,) = asked_of([question])
        retriever = self.asked.by(arm, as_user).retriever
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
                domain has one that gains, else the one decided on, or ``rag``.
            where: conditions on the documents, such as ``{"source": "guide/*"}``.
            history: the turns before it, the oldest first; a follow-up is understood with them.
            as_user: who asks, as in ``search``; an adapter still knows whatever it was trained on.

        Raises:
            UsageError: an empty question, or an arm that there is not; or no user, and a document says who
                may read it.
            AdapterError: the arm needs an adapter, and none is in use; or it cannot serve with the generator.
        """
        with asking(1, self.asked.told(arm)):
            meant = self.asked.standalone(question, history)
            (answer,) = self.ask_all([meant], arm=arm, where=where, as_user=as_user)
            return understood(answer, question, meant)

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
        with asking(len(questions), self.asked.told(arm)):
            return answered(self.asked.answers(questions, arm, where, as_user))

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
        stage = asking(1, self.asked.told(arm))
        return stage.stream(lambda: self.asked.streamed(question, arm, where, history, as_user))

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
        contenders = self.asked.contenders(arms, questions)
        workers = None
        if executor:
            own = replace(self.settings, indexes=str(self.folder.parent.resolve()))
            # as text: the login of an address does not travel, HYBRID_API_KEY is read where the worker is
            opened = functools.partial(_contender, self.domain, json.dumps(settings_dict(own)), self._own)
            opens = {one.name: functools.partial(opened, one.name, one.labels) for one in contenders}
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
            risk: of the answers given, or of all questions.
            arm: as for ``ask``; its answers alone are held to it.
            score: what an answer is held by; without it the best is chosen on a half of the sources.
            progress: as for ``compare``.

        Raises:
            UsageError: a number out of range, or a score that the arm does not have.
        """
        serving = self.asked.serving(arm)
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
        return self.asked.chooser.fit(self.compare(questions, arms=arms, progress=progress), path)

    def adopt(self, comparison: Comparison) -> str | None:
        """Answer by the arm that a comparison chose from now on; an undecided one changes nothing.

        Of questions that all have options it is the arm of labels: open ones are answered as
        ``asked.usual`` says.

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
        self.asked.require_user(as_user)
        user = (principals_of(as_user) or ())[:1] if is_restricted(self.folder) else None
        return self._ingestor.upload(name, data, readers=user, progress=progress)

    def remove(self, patterns: Sequence[str]) -> Manifest:
        """Take documents out of the index, by source or pattern; files come back with the next ``index``.

        Those that were uploaded do not.
        """
        return self._ingestor.remove(patterns)

    @property
    def prompts(self) -> PromptVersions:
        """Return the versions of the prompts that the domain answered by."""
        return PromptVersions(self.folder)

    def rollback(self, *, to: str = "") -> Manifest:
        """Go back to the generation before the one in force, or to another one."""
        return rollback(self.folder, self._vectors, to=to)

    def delete(self) -> None:
        """Remove the domain with all that belongs to it."""
        remove_domain(self.folder, self._vectors)

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
    ).asked.arms
    return arms.contender(parse_arm(arm, settings), labels=labels)
