"""The public fakes: deterministic, on every machine and in every process."""

import subprocess
import sys

import numpy as np
import pytest

from hybrid.testing import HashEmbedder, OverlapReranker, ScriptedGenerator
from hybrid.types import Message, MessageRole

_SCRIPT = (
    "from hybrid.testing import HashEmbedder; import hashlib;"
    "print(hashlib.sha256(HashEmbedder(16).embed_documents(['alpha beta', 'ü', '']).tobytes()).hexdigest())"
)


@pytest.mark.slow
def test_vectors_are_the_same_in_every_process():
    found = {
        subprocess.run(
            [sys.executable, "-c", _SCRIPT], check=True, capture_output=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(found) == 1


def test_common_words_mean_similar():
    embedder = HashEmbedder(64)
    query = embedder.embed_queries(["the default port"])[0]
    near, far = embedder.embed_documents(["The default port is 5432.", "Cats sleep all day."]) @ query
    assert near > far + 0.2


def test_only_documents_are_counted():
    embedder = HashEmbedder()
    embedder.embed_queries(["a"])
    embedder.embed_documents(["a", "b"])
    assert embedder.embedded == 2


def test_the_fingerprint_follows_name_and_dimension():
    assert HashEmbedder(8).fingerprint == HashEmbedder(8).fingerprint
    assert HashEmbedder(8).fingerprint != HashEmbedder(9).fingerprint
    assert HashEmbedder(8).fingerprint != HashEmbedder(8, name="x").fingerprint


def test_an_empty_text_has_a_vector_too():
    assert np.linalg.norm(HashEmbedder(8).embed_documents([""])[0]) > 0.99


def test_the_reranker_scores_the_share_of_words():
    assert OverlapReranker().score("two words", ["two words here", "two", "none"]) == [1.0, 0.5, 0.0]


def test_replies_come_in_turn_and_the_last_for_ever():
    generator = ScriptedGenerator(["one", "two"])
    ask = [Message(MessageRole.USER, "?")]
    assert [item.text for item in generator.generate([ask, ask, ask], max_new_tokens=5)] == [
        "one",
        "two",
        "two",
    ]
    assert generator.history == [tuple(ask)] * 3


def test_the_likelier_text_has_more_of_its_words_in_the_conversation():
    generator = ScriptedGenerator(["one"])
    ask = [Message(MessageRole.USER, "Is the cat black?")]
    ((black, white),) = generator.log_likelihoods([ask], [["black", "white"]])
    assert black > white
    assert generator.judged == [tuple(ask)]
    assert generator.history == []


def test_the_digest_of_a_script_follows_its_replies():
    assert ScriptedGenerator(["a"]).digest == ScriptedGenerator(["a"]).digest
    assert ScriptedGenerator(["a"]).digest != ScriptedGenerator(["b"]).digest


def test_sampled_are_the_replies_in_a_circle_from_the_place_of_the_seed():
    generator = ScriptedGenerator(["one", "two", "three"])
    ask = [Message(MessageRole.USER, "?")]
    (drawn,) = generator.sample([ask], 4, max_new_tokens=5, seed=1)
    assert [item.text for item in drawn] == ["two", "three", "one", "two"]
    assert generator.sampled == [tuple(ask)]
    assert generator.history == []
