import dataclasses

import numpy as np
import pytest

from hybrid.grounding.examples import Dataset, Label, LabelledClaim
from hybrid.grounding.metrics import resampled_aurocs
from hybrid.grounding.scorers.trained import TrainedScorer
from hybrid.grounding.values import Pair
from recipes.grounding.making import MADE
from recipes.grounding.recipe import folds_of, mean_over, shares_of_heads, train_scorer, worth
from recipes.grounding.training import TrainingSettings

_SETTINGS = TrainingSettings(epochs=4, batch=16, warmup=5)


def _examples(count, domains=("a", "b", "c")):
    made = []
    for n in range(count):
        text = f"The bridge number {n} was opened by the mayor. It carries {n + 120} cars a day."
        for said, label in ((n + 120, Label.SUPPORTED), (n + 333, Label.REFUTED)):
            claim = f"It carries {said} cars a day."
            domain = domains[n % len(domains)]
            made.append(LabelledClaim(f"{n}/{said}", claim, (text,), label, f"d{n}", domain=domain))
    return made


def _sets(count):
    """Two sets of people, one with two domains, and one that rules made of the domain of the other."""
    rules = tuple(dataclasses.replace(one, task=MADE, id=f"r{one.id}") for one in _examples(count, ("z",)))
    return [
        Dataset("ab", tuple(_examples(count, ("a", "b")))),
        Dataset("z", tuple(_examples(count, ("z",)))),
        Dataset("rules", rules),
    ]


@pytest.fixture(scope="module")
def made(encoder, tmp_path_factory):
    said, work = [], tmp_path_factory.mktemp("work")
    kwargs = {"judged": [Dataset("new", tuple(_examples(30, ("n",))))], "shares": (0.0, 1.0), "work": work}
    trained = train_scorer(_sets(32), encoder, _SETTINGS, note=said.append, **kwargs)
    return trained, said, kwargs


@pytest.mark.slow
def test_a_scorer_comes_out_that_tells_new_documents_apart(made, encoder):
    trained, *_ = made
    scorer = TrainedScorer(trained.heads, trained.stack, encoder, name="test")
    pairs = [Pair(example.evidence[0], example.claim) for example in _examples(70)[96:]]
    support = scorer.score(pairs).support
    assert np.mean(support[::2] > support[1::2]) > 0.9


@pytest.mark.slow
def test_every_fold_and_every_head_is_trained_and_told(made):
    trained, said, _ = made
    assert len(trained.heads) == 2
    told = {line.rpartition(", epoch")[0] for line in said}
    parts = ("without ab", "without z", "without a", "without b", "all")
    assert told == {f"{part}, head {n}" for part in parts for n in (1, 2)}


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_with_the_heads_that_it_finished(made, encoder):
    trained, _, kwargs = made
    said = []
    again = train_scorer(_sets(32), encoder, _SETTINGS, note=said.append, **kwargs)
    assert not said and again.stack == trained.stack
    for one, other in zip(again.kinds, trained.kinds, strict=True):
        assert np.array_equal(one.logits, other.logits)


def test_a_kind_is_left_out_with_what_rules_made_of_it_and_domains_with_their_sisters_there():
    kinds, domains = folds_of(_sets(4))
    names = [example.domain for each in _sets(4) for example in each.examples]
    of = [set(np.array(names)[fold.taught]) for fold in kinds]
    assert of == [{"z"}, {"a", "b"}]
    assert [set(np.array(names)[fold.judged]) for fold in domains] == [{"a"}, {"b"}]
    assert all(not (fold.taught & fold.judged).any() for fold in (*kinds, *domains))


def test_of_one_set_documents_are_left_out_and_none_is_parted():
    one = [Dataset("mine", tuple(_examples(12, ("mine",))))]
    folds, further = folds_of(one)
    assert len(folds) == 5 and not further
    sources = np.array([example.source for example in one[0].examples])
    assert all(not set(sources[fold.taught]) & set(sources[fold.judged]) for fold in folds)
    assert np.sum([fold.judged for fold in folds], axis=0).tolist() == [1] * 24


def test_heads_see_all_that_people_labelled_and_shares_of_what_rules_made():
    people, rules = _examples(500), [dataclasses.replace(one, task=MADE) for one in _examples(200)]
    shares = shares_of_heads([*people, *rules], (0.0, 0.25, 0.6))
    assert all(share[: len(people)].all() for share in shares)
    assert not shares[0][len(people) :].any()
    assert 0.15 < shares[1][len(people) :].mean() < 0.35 < shares[2][len(people) :].mean() < 0.7
    # both claims of a document or none
    assert (shares[2][::2] == shares[2][1::2]).all()
    assert shares_of_heads([*people, *rules], (0.0,))[0].all()


def test_where_people_labelled_little_every_head_is_taught_everything():
    rules = [dataclasses.replace(one, task=MADE) for one in _examples(200)]
    for taught in (rules, [*_examples(40), *rules]):
        shares = shares_of_heads(taught, (0.0, 0.25, 0.6))
        assert len(shares) == 3
        assert all(len(share) == len(taught) and share.all() for share in shares)


@pytest.mark.slow
def test_one_set_of_people_beside_what_rules_made_can_be_trained_on(encoder):
    people, rules = _sets(32)[1:]
    settings = dataclasses.replace(_SETTINGS, epochs=1)
    (kind,) = train_scorer([people, rules], encoder, settings, shares=(1.0,)).kinds
    assert kind.dataset is people and np.isfinite(kind.logits).all()


@pytest.mark.slow
def test_what_is_said_of_a_kind_is_by_heads_and_a_stack_that_never_saw_it(made):
    trained, *_ = made
    assert [kind.dataset.name for kind in trained.kinds] == ["ab", "z", "new"]
    for kind in trained.kinds:
        assert np.mean(kind.heads[::2] > kind.heads[1::2]) > 0.8
        assert np.mean(kind.logits[::2] > kind.logits[1::2]) > 0.9
    assert np.abs(trained.kinds[0].heads - trained.kinds[0].domain_heads).max() > 0
    assert np.array_equal(trained.kinds[1].heads, trained.kinds[1].domain_heads)


@pytest.mark.slow
def test_heads_that_see_numbers_add_to_words_only_what_words_do_not_tell(made):
    trained, *_ = made
    found = worth(trained.kinds)
    # a number that is not there is told by words too
    assert found.auroc.value > 0.9 and not found.shown
    blind = [dataclasses.replace(kind, words=np.zeros(len(kind.words))) for kind in trained.kinds]
    assert worth(blind).shown


def _drawn(count, sources, *, seed):
    """Return the AUROCs of a good and a bad scorer on so many claims of so many sources."""
    chance = np.random.default_rng(seed)
    flags = chance.random(count) < 0.4
    scores = chance.normal(size=(2, count)) + flags * np.array([[1.0], [0.3]])
    return resampled_aurocs(scores, flags, [f"s{n}" for n in chance.integers(sources, size=count)], seed=seed)


def test_the_mean_over_sets_counts_them_alike():
    parts = [_drawn(count, 40, seed=seed) for seed, count in enumerate((100, 1_000))]
    mean = mean_over(parts)
    assert mean.values == pytest.approx((parts[0].values + parts[1].values) / 2)
    wide, tight, both = (each.interval([1, 0]) for each in (*parts, mean))
    expected = np.hypot(wide.high - wide.low, tight.high - tight.low) / 2
    assert both.high - both.low == pytest.approx(expected, rel=0.2)


def test_a_mean_over_few_sources_in_each_set_still_has_an_interval():
    found = mean_over([_drawn(30, 3, seed=seed) for seed in range(3)]).interval([1, -1])
    assert -1 <= found.low < found.value < found.high <= 1
