"""Lessons for the chooser, and one stage of it on a tiny embedder."""

import random

import pytest
import torch

from hybrid.models.choosing import Offered
from recipes.choosing.sets import Drill, _asked, _nearest
from recipes.choosing.training import Learner, Run, train

_TEXT = (
    "The pump asks back before it runs. It waits for 20 seconds until somebody answers. "
    "An alarm that is not answered goes to the night porter. He calls the engineer because nobody else may."
)


def test_a_made_question_has_no_whole_answer_and_its_neighbours_come_first():
    found = [_asked("made", "Pump > Alarms", _TEXT, random.Random(seed)) for seed in range(30)]
    lessons = [lesson for lesson in found if lesson]
    assert len(lessons) > 15
    for lesson in lessons:
        assert lesson.right[0].text not in lesson.question
        assert len(lesson.wrong) == 3
        assert lesson.right[0] not in lesson.wrong
        assert 1 <= lesson.beside <= 2
    asked = [lesson.question.lower() for lesson in lessons if "20 seconds" in lesson.right[0].text]
    assert any(one.startswith(("how long", "when", "how much time", "after how many")) for one in asked)
    assert not any("20" in one.split() for one in asked if one.startswith("how long"))


def test_a_text_of_few_sentences_makes_no_lesson():
    assert _asked("made", "", "The pump asks back before it runs.", random.Random(1)) is None


def test_the_nearest_texts_are_of_others_and_share_words():
    texts = ["the red kettle boils", "a blue ferry sails", "the kettle is red"]
    assert next(_nearest(texts, texts))[0] == 2


@pytest.mark.slow
def test_a_stage_teaches_and_leaves_the_embedder_alone(tiny_embedder_folder):
    learner = Learner(tiny_embedder_folder)
    right, wrong = Offered("aaaa"), (Offered("bbbb"), Offered("cccc"))
    lessons = [Drill("made", "which", (right,), wrong)] * 160
    frozen = {name: own.clone() for name, own in learner.named_parameters() if not own.requires_grad}
    losses = []
    train(learner, Run(lessons, 2e-2, 0, warmup=2), lambda step, loss: losses.append(loss))
    assert len(losses) == 20
    assert losses[-1] < losses[0]
    assert learner.hits(lessons[:2]) == 1.0
    assert frozen
    assert all(torch.equal(own, frozen[name]) for name, own in learner.named_parameters() if name in frozen)
    assert {name.rpartition(".")[2] for name in learner.tensors()} == {"weight", "bias"} | (
        {"a", "b"} if len(learner.bert.encoder.layer) > 3 else set()
    )
