"""Adapters made in rounds: by the feedback of a judge, and by labels that the generator gives itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hybrid.adaptation.data.files import Given
from hybrid.adaptation.data.material import Objective, reading_questions
from hybrid.adaptation.methods.rlaif import Posed, Round, improve, posed
from hybrid.adaptation.methods.selftraining import (
    SelfRound,
    SelfTraining,
    self_train,
    split_labelled,
)
from hybrid.adaptation.training.loop import is_main
from hybrid.adaptation.values import Examples, PreferencePair
from hybrid.adaptation.workshop import GeneratorWorkshop, Steps
from hybrid.config import Reader
from hybrid.errors import UsageError
from hybrid.generation.prompts import load_prompts
from hybrid.grounding.judge import Grounder
from hybrid.types import Question

# A question that is asked gives one pair at the most, for which several answers are written.
_QUESTIONS = 0.25
_CHECKS = 40


@dataclass(frozen=True, slots=True)
class Rounds:
    """What adapters are made in rounds with.

    Those of a run are named after it, with their number: a run that was interrupted goes on behind the last
    one that is there, and at its end the best one is left.
    """

    workshop: GeneratorWorkshop
    name: str
    licence: str
    progress: Steps

    def improve(
        self,
        grounder: Grounder,
        *,
        against: Sequence[Question],
        start: str,
        rounds: int,
        samples: int,
        told: Callable[[Round], None],
    ) -> list[Round]:
        """Learn from the judge; ``hybrid.tuning`` says what the rest is."""
        settings = self.workshop.settings.adaptation

        def asked(place: bool, count: int) -> list[Posed]:
            examples = reading_questions(
                self.workshop.retriever(),
                self.workshop.settings,
                lambda split: split.validation if place else split.training,
                against=against,
                count=count,
                reader=Reader.GENERATOR,
            )
            return posed(examples)

        def learn(pairs: Sequence[PreferencePair], begin: str, number: int) -> str:
            made = self._name(number)
            if made not in self.workshop.store.names():
                material = self.workshop.finished(
                    Examples((), (), (), tuple(pairs)),
                    (Objective.PREFERENCE,),
                    self.licence,
                    Reader.GENERATOR,
                )
                self.workshop.tune(material, name=made, start=begin, progress=self.progress)
            return made

        train, checks = asked(False, round(_QUESTIONS * settings.examples)), asked(True, _CHECKS)
        if not train or not checks:
            raise UsageError(
                f"the documents give {len(train)} questions to learn from and {len(checks)} to tell by",
                hint="add documents",
            )
        done = improve(
            self.workshop.beginning,
            learn,
            grounder,
            train,
            checks,
            start=start,
            rounds=rounds,
            samples=samples,
            seed=settings.seed,
            tolerance=settings.budget_refusal,
            progress=told,
        )
        best = [one for one in done if one.kept][-1]
        self._leave(best.name, [one.name for one in done[1:]])
        if best.change is not None:
            self.workshop.store.annotate(best.name, gain=best.change)
        return done

    def self_train(
        self,
        labelled: Sequence[Question],
        unlabelled: Sequence[Question],
        *,
        against: Sequence[Question],
        rounds: int,
        confidence: float,
        told: Callable[[SelfRound], None],
    ) -> SelfTraining:
        """Learn from labels that are given and from those that the teacher is sure of."""
        generation = self.workshop.settings.generation

        def learn(questions: Sequence[Question], number: int) -> str:
            made = self._name(number)
            if made not in self.workshop.store.names():
                given = Given(questions=tuple(questions))
                material = self.workshop.material(
                    [Objective.LABEL], against=against, given=given, licence=self.licence
                )
                self.workshop.tune(material, name=made, progress=self.progress)
            return made

        found = self_train(
            self.workshop.beginning,
            learn,
            split_labelled(labelled, seed=self.workshop.settings.adaptation.seed),
            unlabelled,
            load_prompts(generation.language, generation.prompt),
            rounds=rounds,
            confidence=confidence,
            progress=told,
        )
        self._leave(found.best.name, [one.name for one in found.rounds])
        return found

    def _name(self, number: int) -> str:
        return f"{self.name}-{number}"

    def _leave(self, best: str, made: Sequence[str]) -> None:
        """Remove what is not the best."""
        for name in made if is_main() else ():
            if name != best:
                self.workshop.store.remove(name)
