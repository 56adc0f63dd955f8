"""The application by itself: health, names, one answer, and failures in OpenAI's form."""

import httpx2


def test_the_process_says_that_it_is_there_and_what_it_serves(url):
    assert httpx2.get(f"{url}/healthz").json()["status"] == "ok"
    assert httpx2.get(f"{url}/readyz").json() == {
        "status": "ready",
        "domains": ["kitchen", "manual"],
        "left_out": [],
    }


def test_only_arms_that_can_answer_are_listed(url):
    names = [one["id"] for one in httpx2.get(f"{url}/v1/models").json()["data"]]
    own = [f"hybrid/{domain}/{arm}" for domain in ("kitchen", "manual") for arm in ("auto", "base", "rag")]
    assert names == ["hybrid/auto", *own]


def test_a_question_is_answered_with_its_place(url):
    turns = [{"role": "user", "content": "What is the default port?"}]
    asked = {"model": "hybrid/manual/rag", "messages": turns}
    answer = httpx2.post(f"{url}/v1/chat/completions", json=asked).json()
    (choice,) = answer["choices"]
    assert choice["message"]["role"] == "assistant" and "5432" in choice["message"]["content"]
    assert [one["source"] for one in answer["citations"]] == ["port.txt"]


def test_a_trace_that_is_not_there_is_not_found(url):
    for name in ("none", "0" * 32, "..%2f..%2fetc"):
        assert httpx2.get(f"{url}/traces/{name}").status_code == 404
