import dataclasses

import numpy as np
import pytest
import torch

from hybrid.errors import TrainingFailed, UsageError
from hybrid.grounding.examples import Label, LabelledClaim
from hybrid.grounding.head import focus, judge, read
from hybrid.types import Span
from recipes.grounding.training import TrainingSettings, batches, lessons_of, train_head

_SETTINGS = TrainingSettings(epochs=6, batch=16, warmup=5)


def _examples(numbers):
    """The claim repeats a sentence of the evidence, or says another number."""
    made = []
    for n in numbers:
        text = f"Machine {n} was built in the north. It weighs {n + 300} kilograms. Its owner is pleased."
        claim = f"It weighs {n + 300} kilograms."
        wrong = f"It weighs {n + 517} kilograms."
        start = wrong.index(str(n + 517))
        span = Span(start, start + 3)
        made.append(LabelledClaim(f"{n}+", claim, (text,), Label.SUPPORTED, f"d{n}", unsupported_spans=()))
        made.append(LabelledClaim(f"{n}-", wrong, (text,), Label.REFUTED, f"d{n}", unsupported_spans=(span,)))
    return made


@pytest.fixture(scope="module")
def lessons(encoder, lexicon):
    return lessons_of(_examples(range(60)), encoder, lexicon, evidence_tokens=400)


@pytest.fixture(scope="module")
def head(lessons, lexicon):
    return train_head(lessons, lexicon, 384, 2, _SETTINGS)


def _support(head, lessons):
    found = {place: float(judged.support) for place, judged in judge(head, [item.read for item in lessons])}
    return np.array([found[place] for place in range(len(lessons))])


@pytest.mark.slow
def test_it_tells_a_copied_number_from_a_changed_one_in_documents_it_never_saw(head, encoder, lexicon):
    fresh = lessons_of(_examples(range(80, 110)), encoder, lexicon, evidence_tokens=400)
    support = _support(head, fresh)
    right = [one > other for one, other in zip(support[::2], support[1::2], strict=True)]
    assert np.mean(right) > 0.9


@pytest.mark.slow
def test_it_marks_the_word_that_is_wrong(head, encoder, lexicon):
    fresh = lessons_of(_examples(range(80, 90)), encoder, lexicon, evidence_tokens=400)[1::2]
    found = list(judge(head, [item.read for item in fresh]))
    assert len(found) == 10
    for place, judged in found:
        item = fresh[place]
        logits = judged.unsupported[: len(item.read.claim)].numpy()
        assert item.wrong[int(logits.argmax())]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_head(lessons, lexicon, head):
    again = train_head(lessons, lexicon, 384, 2, _SETTINGS)
    assert all(
        torch.equal(one, other) for one, other in zip(again.parameters(), head.parameters(), strict=True)
    )
    other = train_head(lessons, lexicon, 384, 2, dataclasses.replace(_SETTINGS, seed=1, epochs=1))
    assert not torch.equal(next(other.parameters()), next(head.parameters()))


@pytest.mark.slow
def test_batches_hold_everything_once_and_sisters_together(lessons):
    found = list(batches(lessons, 16, seed=0, epoch=0))
    assert sorted(place for batch in found for place in batch) == list(range(len(lessons)))
    together = sum(place ^ 1 in batch for batch in found for place in batch)
    assert together > 0.8 * len(lessons)
    assert found != list(batches(lessons, 16, seed=0, epoch=1))


@pytest.mark.slow
def test_what_is_judged_alone_is_judged_alike_in_company(head, lessons):
    support = _support(head, lessons[:10])
    alone = [float(found.support) for item in lessons[:10] for _, found in judge(head, [item.read])]
    assert support == pytest.approx(alone, abs=1e-4)


@pytest.mark.slow
def test_a_long_evidence_is_read_where_it_shares_most_with_the_claim(encoder, lexicon):
    filler = " ".join(f"Nothing of note happened on day {n} of the journey." for n in range(80))
    (item,) = read(
        ["The anchor broke in a storm."],
        [(f"{filler} The anchor broke in a storm. {filler}",)],
        encoder,
        lexicon=lexicon,
        limit=128,
    )
    kept = focus(item.claim, item.evidence, lexicon, limit=128)
    assert np.array_equal(item.kept, kept) and len(kept) <= 128
    anchor = item.claim.ids[1]
    assert anchor in item.evidence.ids[kept]


def test_too_few_or_all_alike_are_refused(lessons, lexicon):
    with pytest.raises(UsageError, match="10 examples"):
        train_head(lessons[:10], lexicon, 384, 2, _SETTINGS)
    with pytest.raises(UsageError, match="60 of them supported"):
        train_head(lessons[::2], lexicon, 384, 2, _SETTINGS)


def test_a_loss_that_is_no_number_is_told(lessons, lexicon):
    with pytest.raises(TrainingFailed, match="the loss is"):
        train_head(lessons, lexicon, 384, 2, dataclasses.replace(_SETTINGS, token_weight=float("nan")))
