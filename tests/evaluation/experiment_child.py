"""Run an experiment slowly enough to be killed anywhere; run by test_experiment.py, not collected.

Arguments: the folder of the experiments, and how long an answer takes in seconds.
"""

import sys
import time
from pathlib import Path

from hybrid.config import load_settings
from hybrid.evaluation import experiment
from hybrid.types import Answer, Arm, Question

QUESTIONS = [Question(f"q{number:02}", f"What is {number} squared?") for number in range(40)]


class Slow:
    """Answer from the question alone; one of them always fails."""

    def __init__(self, name, pause=0.0):
        self.name = name
        self.identity = {"arm": name}
        self._pause = pause

    def prepare(self, questions):
        pass

    def answer_all(self, questions):
        time.sleep(self._pause)
        if any(question.id == "q13" for question in questions):
            raise ValueError("thirteen")
        return [Answer(q.text, f"{self.name}: {q.text}" * 20, Arm.BASE, "fake") for q in questions]


def main(experiments, pause):
    contenders = [Slow("one", pause), Slow("two", pause)]
    settings = load_settings({}, environment={})
    folder = experiment.begin(contenders, QUESTIONS, experiments, settings=settings, clock=lambda: 0.0)
    print("begun", flush=True)
    with experiment.opened(folder, contenders, QUESTIONS) as opened:
        opened.ask([contender.name for contender in contenders], QUESTIONS, batch=4, alone=3)
    return folder


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
