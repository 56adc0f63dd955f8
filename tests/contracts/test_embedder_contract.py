"""What every embedder promises."""

import dataclasses
import json

import numpy as np
import pytest

_TEXTS = ["the default port is 5432", "a", "backups are written each hour", "", "naïve 北京 😀"]


@pytest.mark.slow
@pytest.mark.parametrize("call", ["embed_documents", "embed_queries"])
def test_vectors_have_unit_length_and_the_dimension_of_the_fingerprint(embedder, call):
    vectors = getattr(embedder, call)(_TEXTS)
    assert vectors.shape == (len(_TEXTS), embedder.fingerprint.dimension)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-4)
    assert getattr(embedder, call)([]).shape == (0, embedder.fingerprint.dimension)


def test_the_order_of_texts_is_kept_and_does_not_matter(embedder):
    forward = embedder.embed_documents(_TEXTS)
    backward = embedder.embed_documents(_TEXTS[::-1])[::-1]
    assert forward == pytest.approx(backward, abs=1e-5)


def test_the_fingerprint_is_stable_and_plain(embedder):
    assert embedder.fingerprint == embedder.fingerprint
    assert json.loads(json.dumps(dataclasses.asdict(embedder.fingerprint)))["name"]


def test_counts_are_those_of_the_spans_and_the_spans_are_in_order(embedder):
    assert embedder.max_tokens > 0
    assert embedder.count_tokens([]) == []
    for text, count in zip(_TEXTS, embedder.count_tokens(_TEXTS), strict=True):
        spans = embedder.token_spans(text)
        assert len(spans) == count
        assert all(0 <= span.start <= span.end <= len(text) for span in spans)
        assert [span.start for span in spans] == sorted(span.start for span in spans)
