"""Self-training: what is learned of a teacher's labels, and that a clean set decides."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.adaptation.methods.labels import (
    Filter,
    PseudoLabel,
    for_review,
    most,
    probabilities,
    self_train,
    split_labelled,
)
from hybrid.errors import TrainingFailed, UsageError
from hybrid.generation.prompts import load_prompts
from hybrid.questions.checking import Review
from hybrid.questions.files import load_questions, save_questions
from hybrid.types import Question

PROMPTS = load_prompts("en")


def questions(count, first=0):
    """A goat where the number is even."""
    found = []
    for n in range(first, first + count):
        label = "yes" if n % 2 == 0 else "no"
        found.append(
            Question(f"q{n}", f"Is number {n} even?", (label,), options=("yes", "no"), source=f"s{n}")
        )
    return found


def unlabelled(count, first=1000):
    return [dataclasses.replace(one, answers=()) for one in questions(count, first)]


class _Teacher:
    """Knows the rule below a limit; ``margin`` is how sure it is, ``turned`` fooled by the order."""

    name = "teacher"

    def __init__(self, *, knows=10**9, margin=6.0, turned=False, wrong=()):
        self._knows, self._margin, self._turned, self._wrong = knows, margin, turned, wrong

    def log_likelihoods(self, conversations, continuations):
        rows = []
        for messages, options in zip(conversations, continuations, strict=True):
            text = messages[-1].content
            number = int("".join(letter for letter in text.split("even?")[0] if letter.isdigit()))
            right = "yes" if (number % 2 == 0) != (number in self._wrong) else "no"
            if self._turned and "no, yes" in text.replace(" or ", ", "):
                right = "no" if right == "yes" else "yes"
            margin = self._margin if number < self._knows else 0.1
            rows.append([0.0 if option == right else -margin for option in options])
        return rows


def test_labelled_questions_are_split_by_document_into_three():
    parts = split_labelled(questions(200), seed=0)
    sources = [{one.source for one in part} for part in (parts.train, parts.calibration, parts.clean)]
    assert sum(map(len, sources)) == 200 == len(set.union(*sources))
    assert min(map(len, sources)) >= 20
    with pytest.raises(UsageError, match="to train, to calibrate and to decide by"):
        split_labelled(questions(20), seed=0)


def test_every_view_shows_the_options_in_its_order():
    seen = []

    class Recorder(_Teacher):
        def log_likelihoods(self, conversations, continuations):
            seen.extend(messages[-1].content for messages in conversations)
            return super().log_likelihoods(conversations, continuations)

    (shares,) = probabilities(Recorder(), questions(1), PROMPTS)
    assert shares.shape == (3, 2)
    assert np.allclose(shares.sum(1), 1)
    assert len(set(seen)) == 3


def test_a_sure_teacher_is_learned_from_and_an_unsure_one_is_not():
    calibration = questions(100)
    some = Filter(_Teacher(knows=1010, wrong=(4, 8)), calibration, PROMPTS, confidence=0.95).label(
        unlabelled(20)
    )
    assert [not one.against for one in some] == [True] * 10 + [False] * 10
    assert all(0.95 <= one.confidence <= 1 for one in some[:10])


def test_who_is_wrong_though_sure_is_not_believed():
    wrong = tuple(range(0, 100, 3))
    found = Filter(_Teacher(wrong=wrong), questions(100), PROMPTS, confidence=0.95).label(unlabelled(10))
    assert all(one.against for one in found) and len(found) == 10


def test_a_label_that_hangs_on_the_order_is_not_learned():
    found = Filter(_Teacher(turned=True), questions(100), PROMPTS, confidence=0.6).label(unlabelled(10))
    assert {one.against for one in found} == {"another label for another order or wording"}


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.5, 1)), max_size=30), st.integers(1, 30))
def test_at_most_so_many_are_taken_the_surest_of_every_label(rows, count):
    labels = [
        PseudoLabel(question, label, sure)
        for question, (label, sure) in zip(questions(30), rows, strict=False)
    ]
    taken = most(labels, count)
    assert len(taken) <= count
    share = -(-count // max(len({one.label for one in labels}), 1))
    for label in "abc":
        own = [one.confidence for one in taken if one.label == label]
        left = [one.confidence for one in labels if one.label == label and one not in taken]
        assert len(own) <= share
        assert not own or not left or min(own) >= max(left)


class _Runs:
    """Teachers by round, and what they were trained on."""

    def __init__(self, *teachers):
        self.teachers, self.learned = teachers, []

    def learn(self, given_, number):
        self.learned.append(given_)
        return f"r-{number}"

    def policy(self, name):
        return self.teachers[int(name[-1])]


def run(*teachers, rounds=2):
    runs = _Runs(*teachers)
    parts = split_labelled(questions(120), seed=0)
    found = self_train(runs.policy, runs.learn, parts, unlabelled(40), PROMPTS, rounds=rounds)
    return runs, parts, found


def test_rounds_grow_and_the_clean_set_is_never_trained_on():
    clean = [int(one.id[1:]) for one in split_labelled(questions(120), seed=0).clean]
    runs, parts, found = run(*(_Teacher(wrong=tuple(clean[:errors])) for errors in (8, 4, 0)))
    assert [one.kept for one in found.rounds] == [True, True, True]
    assert not any(one.ended for one in found.rounds)
    assert found.best.name == "r-2" and found.best.right == 1.0
    grown = [len(given_) - len(parts.train) for given_ in runs.learned]
    assert grown == [0, 20, 40]
    trained = {question.id for given_ in runs.learned for question in given_}
    apart = {question.id for part in (parts.calibration, parts.clean) for question in part}
    assert not trained & apart
    assert {one.made for one in runs.learned[-1]} == {"gold", "self-training"}


def test_a_round_that_gets_less_of_the_clean_set_right_is_not_kept():
    clean = [int(one.id[1:]) for one in split_labelled(questions(120), seed=0).clean]
    *_, found = run(_Teacher(wrong=tuple(clean[:2])), _Teacher(wrong=tuple(clean[:9])))
    assert [one.kept for one in found.rounds] == [True, False]
    assert [one.ended for one in found.rounds] == ["", "no more of the clean set is right"]
    assert found.best.name == "r-0"
    # nothing of what was not kept was learned
    assert len(found.doubtful) == 40


def test_a_student_that_got_no_better_ends_the_rounds_and_leaves_the_teacher(monkeypatch):
    def learn(runs, given_, number):
        if number:
            raise TrainingFailed("validation got no better")
        return f"r-{number}"

    monkeypatch.setattr(_Runs, "learn", learn)
    clean = [int(one.id[1:]) for one in split_labelled(questions(120), seed=0).clean]
    *_, found = run(_Teacher(wrong=tuple(clean[:2])))
    assert [(one.name, one.ended) for one in found.rounds] == [("r-0", "validation got no better")]
    assert found.best.kept
    assert len(found.doubtful) == 40


def test_where_nothing_is_sure_nothing_is_learned_and_all_goes_to_review(tmp_path):
    _, _, found = run(_Teacher(margin=0.2, wrong=tuple(range(0, 120, 7))))
    assert len(found.rounds) == 1 and len(found.doubtful) == 40
    assert found.best.ended == "of 40 own labels none is sure enough to be learned"
    path = tmp_path / "review.jsonl"
    save_questions(path, for_review(found.doubtful))
    waiting = Review(path).open_questions()
    assert len(waiting) == 40 == len(load_questions(path))
    assert waiting[0].answers and waiting[0].slices[0].startswith("confidence")
    sure = [one.confidence for one in found.doubtful]
    assert sure == sorted(sure)
