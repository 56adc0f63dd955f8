import numpy as np

from hybrid.grounding.examples import Label
from recipes.grounding.extracts import extracts

_BIRDS = ("heron", "stork", "falcon", "puffin", "osprey", "lapwing", "bittern", "plover")


def _documents(count):
    made = []
    for n in range(count):
        one, two = _BIRDS[n % 8], _BIRDS[(n + 3) % 8]
        made.append(
            (
                f"doc{n}",
                f"The {one} is a large bird of the northern marshes. "
                "It is known for the loud call that it has in spring. "
                f"In winter, the {one} is found near open water on the western coast. "
                "Reeds are cut by the wardens if the water is low enough to walk on. "
                f"The {two} is fed by visitors (mostly children) at the eastern gate. "
                "The eastern gate is closed because the old bridge is broken since March.",
            )
        )
    return made


def test_half_are_supported_and_every_mistake_is_made():
    found = extracts(_documents(40), count=400, seed=0, domain="birds")
    assert len(found) >= 100
    assert sum(one.label is Label.SUPPORTED for one in found) * 2 == len(found)
    kinds = {one.kind for one in found if not one.supported}
    assert {"fused wrongly", "condition lost", "turned wrongly", "resolved wrongly"} <= kinds
    said = {(one.claim, one.kind) for one in found}
    assert ("The heron is known for the loud call that it has in spring.", "") in said
    assert ("Reeds are cut by the wardens.", "condition lost") in said
    assert ("The stork is fed by visitors at the eastern gate.", "") in said


def test_the_same_documents_and_seed_give_the_same_extracts():
    first = extracts(_documents(12), count=60, seed=3)
    assert first and first == extracts(_documents(12), count=60, seed=3)
    assert first != extracts(_documents(12), count=60, seed=4)


def test_the_words_of_a_claim_are_words_of_its_evidence():
    found = extracts(_documents(20), count=200, seed=1)
    shares = [
        np.mean([word in one.evidence[0].lower() for word in one.claim.lower().rstrip(".").split()])
        for one in found
    ]
    assert shares and min(shares) > 0.8


def test_texts_that_are_no_running_english_give_nothing():
    assert extracts([("a", "x = 1\ny = 2"), ("b", "")], count=10, seed=0) == []
