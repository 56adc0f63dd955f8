"""Embeddings with the real clients."""

import base64

import numpy as np
import openai
import pytest
from langchain_openai import OpenAIEmbeddings

from hybrid.testing import HashEmbedder

TEXTS = ["the default port", "the oven"]


@pytest.fixture(scope="module")
def client(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        yield client


def test_the_client_decodes_what_it_did_not_know_to_ask_for(client):
    expected = HashEmbedder(64).embed_documents(TEXTS)
    sent = client.embeddings.create(model="hybrid/manual/auto", input=TEXTS)
    assert np.allclose([one.embedding for one in sent.data], expected, atol=1e-7)
    assert [one.index for one in sent.data] == [0, 1] and sent.usage.prompt_tokens == 5
    as_numbers = client.embeddings.create(model="hybrid/auto", input=TEXTS[0], encoding_format="float")
    assert np.allclose(as_numbers.data[0].embedding, expected[0], atol=1e-7)


def test_base64_is_little_endian_and_of_four_bytes(client):
    sent = client.embeddings.with_raw_response.create(
        model="hybrid/auto", input="a", encoding_format="base64"
    )
    coded = sent.http_response.json()["data"][0]["embedding"]
    assert len(base64.b64decode(coded)) == 4 * 64


def test_langchain_s_embeddings_take_texts_where_they_are_told_to(url):
    told = {"base_url": f"{url}/v1", "api_key": "any", "model": "hybrid/manual/auto"}
    found = OpenAIEmbeddings(check_embedding_ctx_length=False, **told).embed_documents(TEXTS)
    assert np.allclose(found, HashEmbedder(64).embed_documents(TEXTS), atol=1e-7)


def test_a_long_text_is_one_text(client):
    sent = client.embeddings.create(model="hybrid/auto", input="the port " * 1_000)
    assert len(sent.data) == 1 and len(sent.data[0].embedding) == 64


@pytest.mark.parametrize("tokens", [[1, 2, 3], [[1, 2], [3]]])
def test_token_ids_are_refused_with_the_option_that_helps(client, tokens):
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False") as raised:
        client.embeddings.create(model="hybrid/auto", input=tokens)
    assert raised.value.param == "input"


@pytest.mark.parametrize(
    "wrong",
    [{"model": "text-embedding-3-small"}, {"dimensions": 32}, {"input": []}, {"input": ["a"] * 2_049}],
)
def test_what_cannot_be_embedded_is_refused(client, wrong):
    with pytest.raises(openai.APIStatusError) as raised:
        client.embeddings.create(**{"model": "hybrid/auto", "input": "a"} | wrong)
    assert raised.value.status_code in (400, 404, 422)
