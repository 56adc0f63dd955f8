import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybrid.grounding.tokens import WINDOW

_TEXT = (
    "The pump runs at 40 bar. It must not be opened while it is hot!\n\nÜber den Wolken – 東京は首都です。"
)


def test_places_are_code_points_of_the_text(encoder):
    (found,) = encoder.encode([_TEXT])
    words = [_TEXT[start:end].lower() for start, end in found.places.tolist()]
    assert "pump" in words and "40" in words and "not" in words
    assert found.vectors.shape == (len(found), encoder.width) == (len(found), 768)
    assert (np.diff(found.places[:, 0]) >= 0).all()


@pytest.mark.slow
def test_a_long_text_is_read_to_its_end(encoder):
    text = " ".join(f"Sentence number {n} says nothing new." for n in range(120))
    (found,) = encoder.encode([text])
    assert len(found) > 3 * WINDOW
    assert text[slice(*found.places[-2].tolist())] == "new"


@pytest.mark.slow
def test_what_stands_far_away_changes_nothing(encoder):
    first = " ".join("The valve is closed by a spring." for _ in range(WINDOW // 8))
    (alone,), (followed,) = encoder.encode([first]), encoder.encode([f"{first} And more follows here."])
    head = min(len(alone), WINDOW) - 20
    assert np.array_equal(alone.ids[:head], followed.ids[:head])


def test_order_and_company_change_nothing(encoder):
    texts = ["A short one.", "A longer text about pumps and valves.", "", "A short one."]
    forward = encoder.encode(texts)
    encoder._kept.clear()
    backward = encoder.encode(texts[::-1])[::-1]
    for one, other in zip(forward, backward, strict=True):
        assert np.array_equal(one.vectors, other.vectors) and np.array_equal(one.places, other.places)
    assert len(forward[2]) == 0 and forward[2].vectors.shape == (0, encoder.width)


@pytest.mark.slow
def test_a_text_has_the_same_vectors_alone_and_among_many(encoder):
    sizes = (1, 12, 29, 30, 31, 61, 62, 63, 93, 94, 126, 127, WINDOW - 1)
    texts = [" ".join(f"valve {n}" for n in range(size)) for size in sizes]
    encoder._kept.clear()
    together = encoder.encode([*texts, *(f"{text} again" for text in texts)])
    for text, found in zip(texts, together, strict=False):
        encoder._kept.clear()
        (alone,) = encoder.encode([text])
        assert np.array_equal(alone.vectors, found.vectors)


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80))
def test_any_text_has_finite_vectors_and_places_inside(encoder, text):
    (found,) = encoder.encode([text])
    assert np.isfinite(found.vectors.astype(np.float32)).all()
    assert ((found.places >= 0) & (found.places <= len(text))).all()


@pytest.mark.slow
@pytest.mark.parametrize("text", ["\ud800 lone", "x" * 20_000, "…!?—", "مرحبا بالعالم", "👩‍🚀" * 50])
def test_hostile_texts_are_read(encoder, text):
    (found,) = encoder.encode([text])
    assert np.isfinite(found.vectors.astype(np.float32)).all()
