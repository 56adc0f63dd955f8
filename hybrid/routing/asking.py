"""A question to a domain: courtesies, who may read, which arm answers, and whether it may say that."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hybrid.arms import ArmSpec, DomainArm, DomainArms, identity_digest, parse_arm, parse_arms
from hybrid.changes import settled
from hybrid.config import Rewriting, Settings
from hybrid.decision.adopted import adopted, arm_costs, experiment, of_labels, reason
from hybrid.errors import AdapterError, IndexError_, UsageError
from hybrid.generation.prompts import load_followup_prompt
from hybrid.generation.talk import Shelf, hear, reply
from hybrid.index import is_restricted
from hybrid.models import Generator
from hybrid.retrieval import Retriever
from hybrid.routing.abstention import BoundArm, bound_arm
from hybrid.routing.choice import ArmChooser
from hybrid.routing.followups import rewritten, standalone, understood
from hybrid.text.abbreviations import Meaning
from hybrid.tracing.names import ARM, ARM_NAMED, DOMAIN
from hybrid.tracing.spans import SpanValue, answered, only
from hybrid.types import Answer, Arm, ArmRoute, Asker, Message, Question, Where, principals_of

if TYPE_CHECKING:
    from hybrid.evaluation.outcomes import ArmCost, Outcome
    from hybrid.grounding.judge import Grounder
    from hybrid.grounding.sampling import Uncertainty
    from hybrid.routing.arms import ArmRouterCard

_Name = TypeVar("_Name", bound=Hashable)


@dataclass(frozen=True, slots=True)
class AskedDomain:
    """A domain as it is asked.

    ``arms`` are what answers on it, and ``chooser`` picks one for each question where none is named.
    ``generator`` gives what may reword a follow-up, ``grounder`` the judge that a bound may go by.
    """

    folder: Path
    settings: Settings
    arms: DomainArms
    chooser: ArmChooser
    generator: Callable[[], Generator]
    grounder: Callable[[], Grounder]

    @property
    def decided(self) -> ArmSpec | None:
        """Return the arm that was decided on, None if none was.

        Raises:
            UsageError: ``DECISION`` names no arm, or one that may not be used with these settings.
        """
        return adopted(self.folder, self.settings)

    @property
    def usual(self) -> ArmSpec:
        """Return the arm that answers an open question where none is named.

        It is the one that was decided on, or ``rag``: also where the decision rests on choices among labels
        alone, which say nothing of open questions, unless there are no documents to answer from.
        """
        decided = self.decided
        if decided is None or (of_labels(self.folder) and self.serves(Arm.RAG)):
            return parse_arm(Arm.RAG, self.settings)
        return decided

    @property
    def because(self) -> str:
        """Return why open questions go to the usual arm: the sentence of the decision; empty without it."""
        if self.of_labels:
            return f"the decision is about labels alone, and open questions go to {self.usual.name}"
        return reason(self.folder)

    @property
    def of_labels(self) -> str:
        """Return what is to be done to choose a label, where the decision is about that; else nothing."""
        decided = self.decided if of_labels(self.folder) else None
        if decided is None or decided.name == self.usual.name:
            return ""
        return (
            f"labels are chosen by {decided.name}, open questions answered by {self.usual.name}: "
            "`hybrid ask --options A,B,C` chooses one"
        )

    def choose(
        self, question: str, options: Sequence[str], *, arm: Arm | str | None = None, as_user: Asker = None
    ) -> Answer:
        """Return the likeliest of some labels, by the arm that was decided on if none is named.

        Raises:
            UsageError: an empty question, or fewer than two labels.
        """
        labels = tuple(dict.fromkeys(label.strip() for label in options if label.strip()))
        if len(labels) < 2:
            raise UsageError("a label is chosen of two or more", hint="name them: --options A,B,C")
        asked = [replace(one, options=labels) for one in asked_of([question])]
        name = arm or (self.decided or self.usual).name
        self.by(name, as_user)  # who may not ask is told so
        (contender,) = self.contenders(name, asked)
        return contender.answer_all(asked, principals=principals_of(as_user))[0]

    @property
    def costs(self) -> dict[str, ArmCost]:
        """Return what an answer by each arm took in the experiment that the choice of the arm rests on."""
        rests_on = self.chooser.experiment or experiment(self.folder)
        return arm_costs(self.folder, rests_on, self.settings.prices) if rests_on else {}

    @property
    def router(self) -> ArmRouterCard | None:
        """Return what the router of the domain's arms is worth, used or not; None where none was fitted."""
        return self.chooser.card

    def spec(self, arm: Arm | str | None) -> ArmSpec:
        """Return the arm of a name, the usual one without."""
        return self.usual if arm is None else parse_arm(arm, self.settings)

    def serving(self, arm: Arm | str | None) -> DomainArm:
        """Return what answers by an arm now, whoever asks."""
        with settled(self.folder.parent):
            return self.arms.serving(self.spec(arm))

    def serves(self, arm: Arm) -> bool:
        """Tell whether an arm can answer now: whether it has the index and the adapter that it needs."""
        try:
            return bool(self.serving(arm))
        except (AdapterError, IndexError_):
            return False

    def contenders(self, arms: str, questions: Sequence[Question]) -> list[DomainArm]:
        """Return what answers by each of the arms, for an experiment or one at a time.

        ``arms`` stand with commas, as for ``Assistant.compare``; questions with options take the generator.

        Raises:
            UsageError: an arm that there is not.
            ConfigError: a key that does not exist, or a value out of range.
            AdapterError: an arm needs an adapter that is not there.
            ModelError: a model cannot be loaded.
        """
        labels = any(question.options for question in questions)
        return [self.arms.contender(spec, labels=labels) for spec in parse_arms(arms, self.settings)]

    def side_by_side(self, question: str, arms: str) -> list[Outcome]:
        """Ask several arms one question, write nothing down, and return what each answered; all or none."""
        from hybrid.evaluation.outcomes import ask

        asked = asked_of([question])
        contenders = self.contenders(arms, asked)
        for contender in contenders:
            contender.prepare(asked)
        return [ask(contender, asked[0]) for contender in contenders]

    @property
    def able(self) -> tuple[Arm, ...]:
        """Return the arms that can answer now."""
        return tuple(arm for arm in Arm if self.serves(arm))

    def identity(self, answer: Answer) -> str:
        """Return a digest of all that decides the answers of the arm that gave one: models, index, prompts.

        Empty where no arm was asked, as for a greeting.
        """
        return identity_digest(self.serving(answer.variant).identity) if answer.variant else ""

    @property
    def retriever(self) -> Retriever:
        """Return what finds all of the generation in force, whoever may read it."""
        retriever = self.serving(Arm.RAG).retriever
        assert retriever is not None, "rag retrieves"
        return retriever

    def require_user(self, as_user: Asker) -> None:
        """Refuse to be asked in nobody's name where a document says who may read it.

        Raises:
            UsageError: there is such a document, and no user.
        """
        if as_user is None and is_restricted(self.folder):
            raise UsageError(
                f"documents of the domain {self.folder.name!r} say who may read them, and no user asks",
                hint="say who asks: as_user=, --as-user on the command, X-Hybrid-User to the server",
            )

    def by(self, arm: Arm | str | None, as_user: Asker) -> DomainArm:
        """Return what answers a user by an arm; raises as ``require_user`` where that may show documents."""
        serving = self.serving(arm)
        if serving.spec.arm is Arm.BASE:  # the generator alone has seen no document
            return serving
        try:
            self.require_user(as_user)
        except IndexError_:
            # an adapter answers without an index, and whatever became of one
            if serving.spec.retrieves:
                raise
        return serving

    def meanings(self, question: str, arm: Arm | str | None, as_user: Asker) -> list[Meaning]:
        """Return what words of a question stand for by the documents, which an arm searches as well."""
        retriever = self.by(arm, as_user).retriever
        found = retriever.explained(question, principals=principals_of(as_user)) if retriever else []
        return [meaning for one in found for meaning in one.meanings]

    def shelf(self, as_user: Asker) -> Shelf:
        """Return the titles of the documents, of those that a user may read."""
        self.require_user(as_user)
        titles = self.retriever.index.titles(principals=principals_of(as_user))
        return Shelf(self.folder.name, tuple(titles))

    def standalone(self, question: str, history: Sequence[Message]) -> str:
        """Return what a question asks when nobody has heard the turns before it, the oldest first."""
        if self.settings.conversation.rewriting is Rewriting.RULES:
            return standalone(question, history)
        prompt = load_followup_prompt(self.settings.generation.language)
        return rewritten(question, history, self.generator(), prompt)

    def uncertainty(
        self, answer: Answer, *, samples: int = 5, temperature: float = 0.5, seed: int = 0
    ) -> Uncertainty | None:
        """Tell how sure the generator is of an answer that has no passages, by what else it would say.

        The answer is of the arm ``base`` or ``adapter``; ``samples`` others are drawn, at a ``temperature``
        of which 1 takes the generator as it is and less makes the likely likelier.

        Returns:
            None for an answer that declined.

        Raises:
            UsageError: the answer was read from passages, which ``Assistant.check`` holds it against.
        """
        from hybrid.grounding.sampling import sampled

        (found,) = sampled(
            [answer],
            lambda: self.grounder().scorer,
            lambda arm: self.serving(arm).answerer,
            samples=samples,
            temperature=temperature,
            seed=seed,
        )
        return found

    def told(self, arm: Arm | str | None) -> dict[str, SpanValue]:
        """Return what a trace says of a question before anything is done for it."""
        named: dict[str, SpanValue] = {} if arm is None else {ARM: str(arm), ARM_NAMED: True}
        return {DOMAIN: self.folder.name, **named}

    def answers(
        self, questions: Sequence[str], arm: Arm | str | None, where: Where, as_user: Asker
    ) -> list[Answer]:
        """Return the answer to each question, those of one arm in batches."""
        found: dict[int, Answer] = {}
        for place, text in enumerate(questions):
            if (said := self._small_talk(text, arm, as_user)) is not None:
                found[place] = said
        open_ended = [place for place in range(len(questions)) if place not in found]
        asked = dict(zip(open_ended, asked_of([questions[place] for place in open_ended]), strict=True))
        with only(open_ended, of=len(questions)):
            routes = dict(zip(asked, self._routes([*asked.values()], arm, where, as_user), strict=True))

        def answer(name: Arm | str | None, places: Sequence[int]) -> list[Answer]:
            own = self._bound(name, as_user).answer_all(
                [asked[place] for place in places], where=where, principals=principals_of(as_user)
            )
            return [
                replace(one, question=questions[place], arm_route=routes[place])
                for place, one in zip(places, own, strict=True)
            ]

        named = {place: _arm(arm, route) for place, route in routes.items()}
        found |= in_batches(named, answer, of=len(questions))
        return [found[place] for place in range(len(questions))]

    def streamed(
        self, question: str, arm: Arm | str | None, where: Where, history: Sequence[Message], as_user: Asker
    ) -> Iterator[str | Answer]:
        """Return the answer in pieces of text, and at last as an ``Answer``."""
        meant = self.standalone(question, history)
        if (said := self._small_talk(meant, arm, as_user)) is not None:
            return iter((said.text, *answered([said])))
        (asked,) = asked_of([meant])
        (route,) = self._routes([asked], arm, where, as_user)
        serving = self._bound(_arm(arm, route), as_user)
        parts = serving.stream(asked, where=where, principals=principals_of(as_user))
        return (
            understood(answered([replace(part, arm_route=route)])[0], question, meant)
            if isinstance(part, Answer)
            else part
            for part in parts
        )

    def _bound(self, arm: Arm | str | None, as_user: Asker) -> DomainArm | BoundArm:
        return bound_arm(self.folder, self.by(arm, as_user), self.grounder)

    def _routes(
        self, asked: Sequence[Question], arm: Arm | str | None, where: Where, as_user: Asker
    ) -> Sequence[ArmRoute | None]:
        """Return why each question is answered by its arm; None where that is not the router's to say."""
        if arm is not None or not asked:
            return [None] * len(asked)
        texts = [question.text for question in asked]
        found = self.chooser.routes(texts, where=where, for_user=as_user is not None)
        return found or [None] * len(asked)

    def _small_talk(self, text: str, arm: Arm | str | None, as_user: Asker) -> Answer | None:
        """Return what is said without a search, where the arm answers from documents: to small talk, say."""
        heard = hear(text)
        if not self.spec(arm).retrieves:
            return None
        if heard.act is None:
            return self._closed(text, as_user)
        shelf = self.shelf(as_user)
        # a greeting with a slip may be a word of the documents
        known = self.retriever.index.word_shares(" ".join(heard.slips)) if heard.slips else {}
        return None if any(known.values()) else reply(heard, text, [shelf])

    def _closed(self, text: str, as_user: Asker) -> Answer | None:
        """Return what is said to a user who may read nothing; that no document answers would be untrue."""
        principals = principals_of(as_user)
        if principals is None or self.retriever.index.positions_where({}, principals=principals):
            return None
        said = f"The domain {self.folder.name} lets this user read none of its documents."
        return Answer(text, said, Arm.RAG, "router", abstained=True)


def in_batches(
    names: Mapping[int, _Name], answer: Callable[[_Name, Sequence[int]], list[Answer]], *, of: int
) -> dict[int, Answer]:
    """Return by place, of so many questions, what each was answered; those of one name are asked together."""
    found: dict[int, Answer] = {}
    for name in dict.fromkeys(names.values()):
        places = [place for place, own in names.items() if own == name]
        with only(places, of=of):
            found |= zip(places, answer(name, places), strict=True)
    return found


def asked_of(texts: Sequence[str]) -> list[Question]:
    """Return texts as questions without gold.

    Raises:
        UsageError: one is empty.
    """
    if not all(text.strip() for text in texts):
        raise UsageError("the question is empty", hint='ask something: hybrid ask "..."')
    return [Question(str(number), hear(text).question) for number, text in enumerate(texts, start=1)]


def _arm(arm: Arm | str | None, route: ArmRoute | None) -> Arm | str | None:
    return arm if route is None else route.arm or None
