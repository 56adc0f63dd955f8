"""Decisions: the two that are calibrated, in both forms, and a refusal of all others."""

import json

import httpx2
import openai
import pytest

from hybrid.operations.decisions import IS_CARRIED, NONE_OF_THESE, WHICH_ARM, WHICH_DOMAIN

CLAIM = {
    "claim": "The default port of the server is 5432.",
    "passages": ["The default port of the server is 5432."],
}
DOMAINS = ["kitchen", "manual", NONE_OF_THESE]


@pytest.fixture(scope="module")
def client(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        yield client


def _choice(instructions, labels):
    return {"type": "choice", "instructions": instructions, "choices": [{"value": label} for label in labels]}


def test_the_client_s_decisions_come_in_order_and_what_is_unknown_is_refused(client):
    asked = [
        {"type": "predicate", "instructions": IS_CARRIED, "name": "carried"},
        {"type": "predicate", "instructions": "Is this polite?"},
        {"type": "score", "instructions": "How polite?", "levels": [{"label": "rude"}, {"label": "kind"}]},
        _choice(WHICH_ARM, ["base", "rag"]),
    ]
    made = client.decisions.create(model="hybrid/manual/auto", input=json.dumps(CLAIM), questions=asked)
    assert [answer.type for answer in made.answers] == ["predicate", "refusal", "refusal", "refusal"]
    assert made.answers[0].probability > 0.5 and made.answers[0].name == "carried"
    assert made.usage.total_tokens == 0


@pytest.mark.parametrize(
    "sent",
    [
        "How does butter melt in the pan?",
        [
            {"type": "message", "role": "user", "content": "Hello"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]},
            {"type": "message", "role": "user", "content": "How does butter melt in the pan?"},
        ],
    ],
)
def test_the_domain_of_a_question_or_of_what_is_asked_last(client, sent):
    asked = [_choice(WHICH_DOMAIN, DOMAINS)]
    (answer,) = client.decisions.create(model="hybrid/auto", input=sent, questions=asked).answers
    assert answer.choice == "kitchen" and [one.value for one in answer.probabilities] == DOMAINS
    assert sum(one.probability for one in answer.probabilities) == pytest.approx(1)


def test_a_claim_may_be_sent_as_values(client):
    message = {"type": "message", "role": "user", "content": [{"type": "input_json", "data": CLAIM}]}
    asked = [{"type": "predicate", "instructions": IS_CARRIED}]
    (answer,) = client.decisions.create(model="hybrid/manual/auto", input=[message], questions=asked).answers
    assert answer.probability > 0.5


@pytest.mark.parametrize("sent", ["no claim", "[" * 3_000, '{"claim": "A."}', []])
def test_what_is_no_claim_is_refused(client, sent):
    asked = [{"type": "predicate", "instructions": IS_CARRIED}]
    (answer,) = client.decisions.create(model="hybrid/manual/auto", input=sent, questions=asked).answers
    assert answer.type == "refusal"


def test_system_one_s_form_answers_under_the_names_of_the_questions(url):
    questions = {
        "carried": {"type": "noul", "instructions": IS_CARRIED},
        "own": {"type": "noul", "instructions": IS_CARRIED, "criteria": {"yes": "polite"}},
        "other": {"type": "score", "instructions": "How polite?"},
    }
    body = {"model": "hybrid/manual/auto", "state": CLAIM, "questions": questions}
    answers = httpx2.post(f"{url}/v1/systemone", json=body).json()["answers"]
    assert answers["carried"]["noul"] > 0.5
    assert answers["own"] == answers["other"] == {"type": "refusal"}
    which = {"which": {"type": "choice", "instructions": WHICH_DOMAIN, "criteria": dict.fromkeys(DOMAINS)}}
    body = {"model": "hybrid/auto", "state": "How does butter melt in the pan?", "questions": which}
    found = httpx2.post(f"{url}/v1/systemone", json=body).json()["answers"]["which"]
    assert found["choice"] == "kitchen" and found["confidence"] == max(found["probabilities"].values())
