import dataclasses

from hybrid.grounding.data.augmenting import augment
from hybrid.grounding.data.values import Example, Label
from hybrid.types import Span

_EVIDENCE = (
    "The river bridge was opened in 1932 by the mayor of Linz. It carries 12,000 cars a day, and most of "
    "them are heavy. The old bridge was closed because it had become too weak. Maria Huber designed both.",
)
_OTHER = ("The tower was built in 1988 by Anna Berg. It is visited by 4,500 people every week.",)


def example(claim="It carries 12,000 cars a day. The old bridge was closed in Linz.", **fields):
    told = {"id": "e", "evidence": _EVIDENCE, "label": Label.SUPPORTED, "source": "d1", "domain": "bridges"}
    return Example(claim=claim, **(told | fields))


def made(count=12, edits=2):
    claims = [
        example(f"It carries 12,000 cars a day. Report {n} says that the old bridge was closed.", id=f"e{n}")
        for n in range(count)
    ]
    return claims, augment(
        [*claims, example(id="o", evidence=_OTHER, claim="It is a tower.")], seed=3, edits=edits
    )


def test_edits_are_unsupported_and_say_where_they_are_wrong():
    claims, found = made()
    wrong = [each for each in found if each.unsupported and each.evidence == _EVIDENCE]
    assert len(wrong) > len(claims)
    for each in wrong:
        original = next(claim for claim in claims if each.id.startswith(f"{claim.id}/"))
        assert each.claim != original.claim and each.kind
        assert each.evidence == original.evidence and each.source == original.source
        assert each.unsupported_spans
        # what is outside of the stretches stands in the original
        start = each.unsupported_spans[0].start
        assert original.claim.startswith(each.claim[: min(start, 5)])
        assert all(isinstance(span, Span) and span.end <= len(each.claim) for span in each.unsupported_spans)


def test_there_are_about_as_many_rewordings_and_no_claim_stands_twice():
    _, found = made()
    right = [each for each in found if not each.unsupported]
    wrong = [each for each in found if each.unsupported]
    assert 0.5 * len(wrong) <= len(right) <= len(wrong)
    assert all(not each.kind and each.unsupported_spans == () for each in right)
    assert len({each.id for each in found}) == len(found)
    assert len({(each.claim, each.evidence) for each in right}) == len(right)


def test_kinds_are_spread_and_a_claim_gets_so_many_edits_at_the_most():
    claims, found = made(edits=1)
    wrong = [each for each in found if each.unsupported]
    assert all(sum(each.id.startswith(f"{claim.id}/") for each in wrong) <= 1 for claim in claims)
    assert len({each.kind for each in wrong}) > 2


def test_it_is_the_same_every_time_and_another_seed_gives_others():
    claims, found = made()
    assert augment(claims, seed=3) == augment(claims, seed=3)
    assert augment(claims, seed=4) != augment(claims, seed=3)
    assert found


def test_unsupported_and_foreign_claims_give_nothing():
    refuted = dataclasses.replace(example(), label=Label.REFUTED)
    foreign = example("Die alte Brücke wurde geschlossen, weil sie zu schwach geworden war.")
    assert augment([refuted, foreign, example("")], seed=0) == []
