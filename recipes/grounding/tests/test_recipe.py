import dataclasses

import numpy as np
import pytest

from hybrid.grounding.examples import Example, Label
from hybrid.grounding.scorers.trained import SIGNALS, TrainedScorer
from hybrid.grounding.values import Pair
from recipes.grounding.making import MADE
from recipes.grounding.recipe import evenly, folds_of, shares_of_heads, train_scorer, worth
from recipes.grounding.training import TrainingSettings

_SETTINGS = TrainingSettings(epochs=4, batch=16, warmup=5)


def _examples(count):
    made = []
    for n in range(count):
        text = f"The bridge number {n} was opened by the mayor. It carries {n + 120} cars a day."
        for said, label in ((n + 120, Label.SUPPORTED), (n + 333, Label.REFUTED)):
            claim = f"It carries {said} cars a day."
            made.append(Example(f"{n}/{said}", claim, (text,), label, f"d{n}", domain=("a", "b", "c")[n % 3]))
    return made


@pytest.fixture(scope="module")
def made(encoder):
    said = []
    return train_scorer(_examples(48), encoder, _SETTINGS, heads=2, folds=3, note=said.append), said


@pytest.mark.slow
def test_a_scorer_comes_out_that_tells_new_documents_apart(made, encoder):
    trained, _ = made
    scorer = TrainedScorer(trained.heads, trained.stack, encoder, name="test")
    pairs = [Pair(example.evidence[0], example.claim) for example in _examples(70)[96:]]
    support = scorer.score(pairs).support
    assert np.mean(support[::2] > support[1::2]) > 0.9


def test_every_fold_and_every_head_is_trained_and_told(made):
    trained, said = made
    assert len(trained.heads) == 2 and trained.signals.shape == (96, len(SIGNALS))
    told = {line.rpartition(", epoch")[0] for line in said}
    assert told == {f"{part}, head {n}" for part in ("fold 1", "fold 2", "fold 3", "all") for n in (1, 2)}


def test_heads_see_all_that_people_labelled_and_shares_of_what_rules_made():
    people, rules = _examples(500), [dataclasses.replace(one, task=MADE) for one in _examples(200)]
    shares = shares_of_heads([*people, *rules], 4)
    assert all(share[: len(people)].all() for share in shares)
    assert not shares[0][len(people) :].any()
    assert 0.15 < shares[1][len(people) :].mean() < 0.35 < shares[2][len(people) :].mean() < 0.7
    assert (shares[3] == shares[0]).all()
    # both claims of a document or none
    assert (shares[2][::2] == shares[2][1::2]).all()
    assert shares_of_heads([*people, *rules], 1)[0].all()


def test_where_people_labelled_little_every_head_is_taught_everything():
    rules = [dataclasses.replace(one, task=MADE) for one in _examples(200)]
    for taught in (rules, [*_examples(40), *rules]):
        shares = shares_of_heads(taught, 3)
        assert len(shares) == 3
        assert all(len(share) == len(taught) and share.all() for share in shares)


@pytest.mark.slow
def test_people_who_labelled_one_domain_alone_do_not_stop_the_training(encoder, monkeypatch):
    monkeypatch.setattr("recipes.grounding.recipe._ENOUGH", 60)
    people = [dataclasses.replace(one, domain="mine") for one in _examples(40)]
    rules = [dataclasses.replace(one, task=MADE, id=f"r{one.id}") for one in _examples(60)]
    weights = np.array([float(one.domain == "mine") for one in [*people, *rules]])
    settings = dataclasses.replace(_SETTINGS, epochs=1)
    found = train_scorer([*people, *rules], encoder, settings, weights=weights, heads=2, folds=4)
    assert np.isfinite(found.held_out).all()


def test_the_signals_of_the_stack_are_of_heads_that_never_saw_the_document(made, encoder):
    trained, _ = made
    support = trained.signals[:, 0]
    assert np.mean(support[::2] > support[1::2]) > 0.8
    assert all(weight >= 0 for weight in trained.stack.weights)


def test_heads_that_see_numbers_add_to_words_only_what_words_do_not_tell(made):
    trained, _ = made
    found = worth(_examples(48), trained)
    # a number that is not there is told by words too
    assert found.auroc.value > 0.9 and not found.shown
    blind = dataclasses.replace(
        trained, signals=trained.signals * np.eye(len(SIGNALS))[0], held_out=trained.signals[:, 0]
    )
    assert worth(_examples(48), blind).shown


def test_what_is_held_out_is_judged_by_a_stack_of_other_folds(made):
    trained, _ = made
    supported = np.array([not example.unsupported for example in _examples(48)])
    assert np.mean(trained.held_out[supported] > 0) > 0.9 > 0.1 > np.mean(trained.held_out[~supported] > 0)
    assert np.abs(trained.held_out - trained.stack.logits(trained.signals)).max() > 0


def test_domains_of_a_set_fall_into_different_folds_and_are_never_parted():
    examples = _examples(12)
    folds = folds_of(examples, 3)
    assert [len({fold for fold, e in zip(folds, examples, strict=True) if e.domain == d}) for d in "abc"] == [
        1,
        1,
        1,
    ]
    assert set(folds) == {0, 1, 2}
    few = folds_of(examples, 5)
    assert set(few) == set(range(5))
    assert len({(e.source, fold) for e, fold in zip(examples, few, strict=True)}) == 12


def test_domains_weigh_alike():
    examples = _examples(4)
    few = [dataclasses.replace(example, domain="d") for example in examples[:2]]
    weights = evenly([*few, *examples[2:]])
    by_domain = {}
    for example, weight in zip([*few, *examples[2:]], weights, strict=True):
        by_domain[example.domain] = by_domain.get(example.domain, 0) + weight
    assert list(by_domain.values()) == pytest.approx([1.0] * len(by_domain))
