"""Our own routes: an answer with its evidence, by id, side by side, and what people make of it."""

import json

import httpx2
import pytest

from hybrid.serving.service import Service

PORT = "What is the default port of the server?"
_NOUL = {"type": "noul", "instructions": ""}
_NAMED = {"type": "predicate", "instructions": "", "name": "\ud800"}


@pytest.fixture(scope="module")
def client(url):
    with httpx2.Client(base_url=url) as client:
        client.get("/readyz")
        yield client


def _asked(client, **more):
    return client.post("/ask", json={"question": PORT, "domain": "manual", "arm": "rag"} | more).json()


def test_an_answer_comes_with_its_passages_and_what_the_judge_says(client):
    answer = _asked(client, check=True)
    assert answer["abstained"] is False and answer["hits"][0]["chunk"]["source"] == "port.txt"
    assert [claim["status"] for claim in answer["claims"]] == ["supported"]
    assert [place["text"] for place in answer["claims"][0]["places"]] == [
        "The default port of the server is 5432."
    ]
    assert answer["citations"][0]["url"].startswith(str(client.base_url))
    assert _asked(client)["claims"] is None


@pytest.mark.slow
def test_what_speaks_against_a_sentence_is_shown_word_by_word_with_its_place(open_domains, serve_at):
    text = (
        "# Ports\n\nThe station has two doors. The default port of the server is 5432. It is open at night."
    )
    domains = open_domains({"manual": {"port.md": text}}, generation={"reader": "generator", "support": 0.3})
    domains["manual"].generator.replies = ("The default port of the server is not 5432 [1].",)
    with serve_at(Service.over(domains)) as where, httpx2.Client(base_url=where, timeout=60) as client:
        answer = _asked(client, check=True)
        assert client.get(f"/v1/answers/{answer['id']}/claims").json()["claims"] == answer["claims"]
    (claim,) = answer["claims"]
    (place,) = claim["places"]
    assert claim["status"] == "contradicted"
    assert place["text"] == "The default port of the server is 5432."
    assert text[place["start"] : place["end"]] == place["text"]
    assert place["url"] == f"{where}/#domain=manual&source=port.md&start={place['start']}&end={place['end']}"


def test_a_follow_up_is_understood_with_its_history(client):
    history = [{"role": "user", "content": PORT}, {"role": "assistant", "content": "It is 5432. [1]"}]
    assert PORT in _asked(client, question="And when does it restart?", history=history)["standalone"]


def test_an_answer_is_there_by_its_id(client):
    answer = _asked(client)
    kept = client.get(f"/v1/answers/{answer['id']}").json()
    assert kept["answer"]["text"] == answer["text"] and kept["id"] == answer["id"]
    assert [place["source"] for place in kept["passages"]] == [
        hit["chunk"]["source"] for hit in answer["hits"]
    ]
    assert len(kept["identity"]) == 64


def test_what_carries_an_answer_is_said_later_and_kept(client):
    answer = _asked(client)
    claims = client.get(f"/v1/answers/{answer['id']}/claims").json()["claims"]
    assert claims == _asked(client, check=True)["claims"]
    assert client.get(f"/v1/answers/{answer['id']}").json()["verdicts"][0]["status"] == "supported"
    assert client.get(f"/v1/answers/{answer['id']}/claims").json()["claims"] == claims


def test_a_declined_answer_names_the_closest_places_by_its_id_too(client):
    answer = _asked(client, question="Who won the cup in 1954?")
    kept = client.get(f"/v1/answers/{answer['id']}").json()["answer"]
    assert kept["closest"] == answer["closest"]
    assert client.get(f"/v1/answers/{answer['id']}/claims").json() == {"claims": None}


def test_arms_answer_side_by_side_without_their_names_until_one_is_preferred(client):
    compared = client.post("/compare", json={"question": PORT, "domain": "manual"}).json()
    assert compared["missing"] == [] and len(compared["answers"]) == 2
    assert all("arm" not in answer for answer in compared["answers"])
    shown = [answer["id"] for answer in compared["answers"]]
    arms = client.post("/compare/votes", json={"shown": shown, "chosen": shown[0]}).json()["arms"]
    assert sorted(arms.values()) == ["base", "rag"] and list(arms) == shown
    assert client.post("/compare/votes", json={"shown": shown}).json() == {"arms": arms}


def test_an_arm_that_cannot_answer_is_named_with_the_reason(client):
    asked = {"question": PORT, "domain": "manual", "arms": ["rag", "adapter"]}
    compared = client.post("/compare", json=asked).json()
    assert len(compared["answers"]) == 1
    (missing,) = compared["missing"]
    assert missing["arm"] == "adapter" and "none is in use" in missing["reason"]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/ask", {"question": PORT, "domian": "manual"}, "domian"),
        ("/compare", {"question": PORT, "domain": "manual", "arm": ["rag", "base"]}, "arm"),
        ("/compare", {"question": PORT, "domain": "manual", "arms": ["rag"]}, "arms"),
    ],
)
def test_a_slip_in_a_request_of_our_own_is_told(client, path, body, param):
    refused = client.post(path, json=body)
    assert refused.status_code == 422
    assert refused.json()["error"]["param"] == param and param in refused.json()["error"]["message"]


def test_a_vote_is_kept_with_its_comment(client, url):
    answer = _asked(client)
    voted = {"answer": answer["id"], "value": -1, "comment": "Which server?"}
    assert client.post("/feedback", json=voted).json() == {"answer": answer["id"], "value": -1}


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/answers/answer-none", None, 404),
        ("GET", "/v1/answers/answer-none/claims", None, 404),
        ("POST", "/feedback", {"answer": "answer-none", "value": 1}, 404),
        ("POST", "/feedback", {"answer": "answer-none", "value": 0}, 422),
        ("POST", "/feedback", {"answer": "answer-none", "value": True}, 422),
        ("POST", "/compare/votes", {"shown": ["a", "b"]}, 404),
        ("POST", "/compare", {"question": PORT, "domain": "moon"}, 404),
        ("POST", "/ask", {"question": ""}, 422),
        ("POST", "/ask", {"question": "   "}, 400),
        ("POST", "/ask", {"question": PORT, "arm": "gpt"}, 422),
        ("POST", "/ask", {"question": PORT, "domain": "moon"}, 404),
        # half a letter is no text, wherever it stands
        ("POST", "/ask", {"question": PORT, "conversation": "\ud800"}, 422),
        ("POST", "/feedback", {"answer": "\ud800", "value": 1}, 422),
        ("POST", "/compare/votes", {"shown": ["\ud800", "b"], "chosen": "\ud800"}, 422),
        ("POST", "/v1/systemone", {"model": "hybrid/auto", "state": 1, "questions": {"\ud800": _NOUL}}, 422),
        ("POST", "/v1/decisions", {"model": "hybrid/auto", "input": "", "questions": [_NAMED]}, 422),
    ],
)
def test_what_is_not_there_or_makes_no_sense_is_an_error_of_one_form(client, method, path, body, status):
    told = {"Content-Type": "application/json"}
    sent = client.request(method, path, content=json.dumps(body), headers=told)
    assert sent.status_code == status
    assert set(sent.json()["error"]) == {"message", "type", "param", "code"}
