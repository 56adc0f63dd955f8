"""The façade that a chatbot imports: index a folder, search it, ask it.

Takes names, settings or models of your own, gives hits and answers. Models are loaded when they are
first needed and kept; a new generation of the index is picked up at the next question.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hybrid.adaptation.store.card import AdapterKind, Card
from hybrid.adaptation.store.serving import embedder_card, generator_card
from hybrid.adaptation.store.versions import AdapterStore
from hybrid.arms import ArmAdapters, DomainArm, OwnModels, domain_arm, parse_arms, read_by
from hybrid.config import ModelSettings, Settings, load_settings
from hybrid.errors import UsageError
from hybrid.files import folder_lock, is_name, valid_utf8
from hybrid.generation.answering import Answerer
from hybrid.index import Index, Manifest, rollback
from hybrid.index.generations import current
from hybrid.index.reembedding import generation_for
from hybrid.index.sync import Progress
from hybrid.ingestion import IngestEstimate, Ingestor, IngestReport
from hybrid.models import Embedder, Generator, Reranker
from hybrid.models.adapters import with_adapter
from hybrid.models.loading import load_embedder, load_generator, load_reranker
from hybrid.retrieval import Retriever
from hybrid.types import Answer, Arm, Hit, Question

if TYPE_CHECKING:
    from hybrid.comparison import Comparison
    from hybrid.decision.values import Gate
    from hybrid.grounding.judging import Grounder, Grounding
    from hybrid.grounding.sampling import Uncertainty
    from hybrid.tuning import EmbedderWorkshop, Workshop

# So many generations are kept open: the one in force, and those of other embedders that it is compared with.
_OPEN = 4
# Of samples that are compared: at 1 hardly two answers of a small generator mean the same, and their entropy
# told wrong answers with an AUROC of .49 instead of .60 (on the 40 questions on which this was chosen).
_TEMPERATURE = 0.5


class Assistant:
    """One domain: its index and the models that serve it.

    Args:
        domain: its name; the index is in ``<settings.indexes>/<domain>``.
        settings: instead of those from ``hybrid.toml`` and the environment.
        embedder: a model of your own instead of the one in the settings.
        generator: likewise.
        reranker: likewise.

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
    ) -> None:
        if not is_name(domain):
            raise UsageError(
                f"{domain!r} is not a name for a domain", hint="use letters, digits, dashes and dots"
            )
        self.settings = settings or load_settings()
        self.domain = domain
        self.folder = Path(self.settings.indexes) / domain
        self.adapters = AdapterStore(self.folder)
        self._own = OwnModels(embedder, generator, reranker)
        self._generator = generator
        self._reranker = reranker
        self._open: tuple[str, Retriever] | None = None
        self._adapted: tuple[Path, Generator] | None = None
        self._grounder: Grounder | None = None
        self._indexes: dict[str, Index] = {}

    @property
    def embedder(self) -> Embedder:
        """Return the embedder, which loads its weights at the first text."""
        models = self.settings.models
        if self._own.embedder is not None and not models.embedder_adapter:
            return self._own.embedder
        card = self._embedder_card(models)
        return load_embedder(models, None if card is None else self.adapters.folder(card.name))

    @property
    def generator(self) -> Generator:
        """Return the generator without an adapter, loaded now if it was not."""
        if self._generator is None:
            self._generator = load_generator(self.settings.models)
        return self._generator

    @property
    def retriever(self) -> Retriever:
        """Return a retriever over the generation in force.

        Raises:
            IndexMissing: nothing was indexed yet.
            IndexMismatch: the index was built with another embedder.
        """
        generation = current(self.folder)
        if self._open is None or self._open[0] != generation:
            if self._reranker is None:
                self._reranker = load_reranker(self.settings.models)
            embedder = self.embedder
            retriever = Retriever(self._index(embedder), embedder, self.settings.retrieval, self._reranker)
            self._open = (generation, retriever)
        return self._open[1]

    @property
    def answerer(self) -> Answerer:
        """Return what turns hits into answers in the arms without an adapter."""
        return self._answerer(Arm.RAG)

    def index(
        self, folder: str | Path, *, rebuild: bool = False, progress: Progress | None = None
    ) -> IngestReport:
        """Make the index hold exactly what the folder (or the single file) holds; only news are embedded.

        Raises:
            UsageError: the folder is missing or holds nothing to index.
            IndexMismatch: the domain was built with another embedder or from another folder.
            IndexLocked: another process is writing the domain.
        """
        return self._ingestor.ingest(Path(folder), rebuild=rebuild, progress=progress)

    def estimate(self, folder: str | Path, *, rebuild: bool = False) -> IngestEstimate:
        """Say what ``index`` would do, how big the result and how long it would take."""
        return self._ingestor.estimate(Path(folder), rebuild=rebuild)

    def search(self, question: str, *, where: Mapping[str, str] | None = None) -> list[Hit]:
        """Return the best hits, best first.

        Args:
            question: in plain words.
            where: conditions on the documents, such as ``{"source": "guide/*"}``.
        """
        return self.retriever.search(question, where=where)

    def ask(self, question: str, *, arm: Arm = Arm.RAG, where: Mapping[str, str] | None = None) -> Answer:
        """Answer a question with citations that hold, or abstain.

        Raises:
            AdapterError: the arm needs an adapter, and none is in use; or it cannot serve with the generator.
        """
        return self.ask_all([question], arm=arm, where=where)[0]

    def ask_all(
        self, questions: Sequence[str], *, arm: Arm = Arm.RAG, where: Mapping[str, str] | None = None
    ) -> list[Answer]:
        """Answer several questions in batches."""
        questions = [valid_utf8(question) for question in questions]
        answerer = self._answerer(arm)
        return answerer.answer_all(questions, self._hits(questions, arm, where), arm=arm)

    def stream(
        self, question: str, *, arm: Arm = Arm.RAG, where: Mapping[str, str] | None = None
    ) -> Iterator[str | Answer]:
        """Yield the answer in pieces of text, and at last as an ``Answer``."""
        question = valid_utf8(question)
        answerer = self._answerer(arm)
        return answerer.stream(question, self._hits([question], arm, where)[0], arm=arm)

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
        if answer.abstained or not answer.hits:
            return None
        return self.grounder.ground(answer.text, [hit.chunk.text for hit in answer.hits])

    def uncertainty(
        self, answer: Answer, *, samples: int = 5, temperature: float = _TEMPERATURE, seed: int = 0
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
        self, answers: Sequence[Answer], *, samples: int = 5, temperature: float = _TEMPERATURE, seed: int = 0
    ) -> list[Uncertainty | None]:
        """Tell how sure the generator is of several answers, which are sampled in batches."""
        from hybrid.grounding.sampling import uncertainty

        if any(answer.arm in (Arm.RAG, Arm.BOTH) for answer in answers):
            raise UsageError(
                "samples tell of answers without passages; one with passages is checked against them",
                hint="ask with --arm base or --arm adapter, or leave --samples out",
            )
        found: dict[int, Uncertainty] = {}
        for arm in (Arm.BASE, Arm.ADAPTER):
            places = [place for place, one in enumerate(answers) if one.arm is arm and not one.abstained]
            if not places:
                continue
            asserted, answerer = [answers[place] for place in places], self._answerer(arm)
            drawn = answerer.sample_all(asserted, samples, temperature=temperature, seed=seed)
            logs: list[list[float]] = [[] for _ in places]
            # an endpoint tells none
            with contextlib.suppress(UsageError):
                logs = answerer.log_probabilities(asserted)
            # without the question, whose words align in every pair
            for place, others, tokens in zip(places, drawn, logs, strict=True):
                found[place] = uncertainty(
                    answers[place].text,
                    [other.text for other in others],
                    self.grounder.scorer,
                    log_probabilities=tokens,
                )
        return [found.get(place) for place in range(len(answers))]

    @property
    def grounder(self) -> Grounder:
        """Return what judges the answers of the domain.

        Raises:
            UsageError: the settings name a scorer that there is not.
            ModelMissing: its weights are nowhere.
        """
        if self._grounder is None:
            from hybrid.grounding.loading import load_grounder

            # the base, not an adapter of it: its cosines are what the calibration was fitted to
            self._grounder = load_grounder(self.settings, self.folder, embedder=self._own.embedder)
        return self._grounder

    def contenders(self, arms: str, questions: Sequence[Question]) -> list[DomainArm]:
        """Return what answers by each of the arms, for an experiment or one at a time.

        Args:
            arms: with commas, such as ``base,rag,rag:reader=generator:k=3``.
            questions: what will be asked; questions with options take the generator.

        Raises:
            UsageError: an arm that there is not.
            ConfigError: a key that does not exist, or a value out of range.
            AdapterError: an arm needs an adapter that is not there.
        """
        labels = any(question.options for question in questions)
        return [
            domain_arm(
                spec,
                index=self._index,
                own=self._own,
                usual=self.settings.models,
                labels=labels,
                adapters=self._adapters(spec.arm, spec.settings.models),
            )
            for spec in parse_arms(arms, self.settings)
        ]

    def pinned(self, arm: str) -> str:
        """Return an arm with the adapter of its generator named, so that it stays what was measured.

        Args:
            arm: for example ``both``, which becomes ``both:generator_adapter=generator-001``.
        """
        (spec,) = parse_arms(arm, self.settings)
        adapters = self._adapters(spec.arm, spec.settings.models)
        if adapters.generator is None or "generator_adapter=" in spec.name:
            return spec.name
        return f"{spec.name}:generator_adapter={adapters.generator.name}"

    def compare(
        self,
        questions: Sequence[Question],
        *,
        arms: str = "base,rag",
        name: str = "questions",
        gates: Sequence[Gate] = (),
        budget: int | None = None,
        retry: bool = False,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Comparison:
        """Ask several arms all questions, score the answers and decide which arm fits.

        What an arm has answered before is not asked again. One arm alone is measured without a decision.

        Args:
            questions: with gold answers.
            arms: with commas, such as ``base,rag,rag:reader=generator:k=3``.
            name: of the question set, for people.
            gates: conditions that the chosen arm must meet.
            budget: ask in growing batches, at most so many answers, and stop when it is settled.
            retry: ask again what failed before.
            progress: told the arm, how many answers there are and how many there will be.

        Raises:
            UsageError: an arm or a scorer that there is not, a question without gold, a metric that does not
                apply.
            ModelError: a model cannot be loaded; nothing was asked then.
        """
        import hybrid.comparison as comparison
        from hybrid.evaluation.experiment import silent

        contenders = self.contenders(arms, questions)
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
        )

    def workshop(self) -> Workshop:
        """Return where adapters of this domain are made.

        Raises:
            UsageError: the generator's weights are not on this machine.
        """
        from hybrid.models.generator import TransformersGenerator
        from hybrid.tuning import Workshop

        generator = self.generator
        if not isinstance(generator, TransformersGenerator):
            raise UsageError(
                f"the generator {generator.name!r} cannot be tuned: its weights are not on this machine",
                hint="unset models.endpoint, and name a model of the hub or a folder as models.generator",
            )
        return Workshop(self.folder, self.settings, generator, lambda: self.retriever)

    def embedder_workshop(self) -> EmbedderWorkshop:
        """Return where embedder adapters of this domain are made, beginning from the base."""
        from hybrid.index.reembedding import reembed
        from hybrid.tuning import EmbedderWorkshop

        base = self._own.embedder or load_embedder(self.settings.models)
        reembed(self.folder, base)
        index = Index.built_with(self.folder, base.fingerprint)
        return EmbedderWorkshop(self.folder, self.settings, Retriever(index, base, self.settings.retrieval))

    def remove(self, patterns: Sequence[str]) -> Manifest:
        """Take documents out of the index, by source or pattern; they come back with the next ``index``."""
        return self._ingestor.remove(patterns)

    def rollback(self) -> Manifest:
        """Go back to the generation before the one in force."""
        return rollback(self.folder)

    def delete(self) -> None:
        """Remove the domain with all that belongs to it."""
        current(self.folder)
        with folder_lock(self.folder):
            (self.folder / "CURRENT").unlink()
        shutil.rmtree(self.folder)

    def _hits(self, questions: Sequence[str], arm: Arm, where: Mapping[str, str] | None) -> list[list[Hit]]:
        if not all(question.strip() for question in questions):
            raise UsageError("the question is empty", hint='ask something: hybrid ask "..."')
        if arm in (Arm.BASE, Arm.ADAPTER):
            return [[] for _ in questions]
        return self.retriever.search_all(questions, where=where)

    def _answerer(self, arm: Arm) -> Answerer:
        adapters = self._adapters(arm, self.settings.models)
        generation = read_by(self.settings.generation, arm, adapters.reader)
        # what retrieves nothing works without an index, and whatever became of one
        retrieves = arm in (Arm.RAG, Arm.BOTH)
        embedder = self.embedder if retrieves else self._own.embedder or load_embedder(self.settings.models)
        return Answerer(embedder, lambda: self._with_adapter(adapters.generator), generation)

    def _with_adapter(self, folder: Path | None) -> Generator:
        if folder is None:
            return self.generator
        if self._adapted is None or self._adapted[0] != folder:
            self._adapted = (folder, with_adapter(self.generator, folder))
        return self._adapted[1]

    def _adapters(self, arm: Arm, models: ModelSettings) -> ArmAdapters:
        """Return the adapters of an arm: those that the settings name, else those in use."""
        cards = []
        if arm in (Arm.ADAPTER, Arm.BOTH):
            cards.append(generator_card(self.adapters, models.generator_adapter))
        if arm in (Arm.RAG, Arm.BOTH) and (card := self._embedder_card(models)) is not None:
            cards.append(card)
        folders = {card.kind: self.adapters.folder(card.name) for card in cards}
        return ArmAdapters(
            generator=folders.get(AdapterKind.GENERATOR),
            embedder=folders.get(AdapterKind.EMBEDDER),
            reader=next((card.reader for card in cards if card.kind is AdapterKind.GENERATOR), None),
            training_minutes=sum(card.seconds for card in cards) / 60,
        )

    def _embedder_card(self, models: ModelSettings) -> Card | None:
        """Return the card of the adapter of the embedder, None for an embedder without or of one's own."""
        if self._own.embedder is not None and not models.embedder_adapter:
            return None
        return embedder_card(self.adapters, models.embedder_adapter)

    def _index(self, embedder: Embedder) -> Index:
        """Return the generation that an embedder made of what is in force, or the one in force itself."""
        name = generation_for(self.folder, embedder.fingerprint)
        if name is None and embedder.fingerprint.adapter:
            return Index.built_with(self.folder, embedder.fingerprint)
        name = name or current(self.folder)
        if name not in self._indexes:
            while len(self._indexes) >= _OPEN:
                del self._indexes[next(iter(self._indexes))]
            self._indexes[name] = Index(self.folder, name)
        return self._indexes[name]

    @property
    def _ingestor(self) -> Ingestor:
        return Ingestor(self.folder, self.embedder, self.settings.documents, self.settings.chunks)
