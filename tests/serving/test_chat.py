"""Chat completions with the real clients: answers, streams, what is refused and what is ignored."""

import asyncio
import json
from functools import partial

import httpx2
import openai
import pytest

PORT = "What is the default port of the server?"


@pytest.fixture(scope="module")
def client(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        client.models.list()  # the first request loads what the others find
        yield client


def _turns(*texts):
    return [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(texts)]


def _asked(client, question=PORT, model="hybrid/manual/rag", **more):
    return client.chat.completions.create(model=model, messages=_turns(question), **more)


@pytest.mark.slow
def test_an_answer_has_its_places_in_the_text_beside_it_and_as_annotations(client):
    answer = _asked(client)
    (choice,) = answer.choices
    assert (choice.message.role, choice.finish_reason) == ("assistant", "stop")
    (place,) = answer.citations
    assert place["source"] == "port.txt" and place["text"] in "The default port of the server is 5432."
    (note,) = choice.message.annotations
    cited = note.url_citation
    assert choice.message.content[cited.start_index : cited.end_index] == f"[{place['number']}]"
    assert "source=port.txt" in cited.url
    assert answer.hybrid["outcome"] == "answered" and answer.hybrid["domain"] == "manual"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_declined_answer_says_so_where_a_program_reads_it(client):
    answer = _asked(client, "Who won the cup in 1954?")
    assert answer.hybrid["outcome"] == "declined" and answer.citations == []
    assert answer.hybrid["closest"] and answer.choices[0].finish_reason == "stop"


def test_a_stream_has_the_role_first_the_reason_last_and_no_usage_unasked(client):
    chunks = list(_asked(client, stream=True))
    assert chunks[0].choices[0].delta.role == "assistant"
    assert all(len(chunk.choices) == 1 for chunk in chunks)
    reasons = [chunk.choices[0].finish_reason for chunk in chunks]
    assert reasons == [None] * (len(chunks) - 1) + ["stop"]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == _asked(client).choices[0].message.content
    assert chunks[-1].citations[0]["source"] == "port.txt"
    assert len({chunk.id for chunk in chunks}) == 1 and all(chunk.usage is None for chunk in chunks)


def test_usage_comes_by_itself_where_it_is_asked_for(client):
    wanted = {"stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = _asked(client, model="hybrid/manual/base", **wanted)
    assert last.choices == [] and last.usage.total_tokens > 0
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


def test_every_event_is_data_and_the_last_is_done(url):
    body = {"model": "hybrid/manual/rag", "messages": _turns(PORT), "stream": True}
    sent = httpx2.post(f"{url}/v1/chat/completions", json=body)
    assert sent.headers["content-type"].startswith("text/event-stream")
    events = sent.text.rstrip("\n").split("\n\n")
    assert events[-1] == "data: [DONE]"
    for event in events[:-1]:
        (choice,) = json.loads(event.removeprefix("data: "))["choices"]
        assert "finish_reason" in choice


def test_many_ask_at_once_and_each_gets_its_own(url):
    async def ask_all():
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any") as client:
            asked = [PORT, "When does the server restart?"] * 2
            return await asyncio.gather(*map(partial(_asked, client), asked))

    answers = asyncio.run(ask_all())
    sources = [answer.citations[0]["source"] for answer in answers]
    assert sources == ["port.txt", "night.txt"] * 2
    assert len({answer.id for answer in answers}) == 4


def test_the_router_chooses_where_the_name_leaves_it(client):
    answer = _asked(client, "How does butter melt in the pan?", model="hybrid/auto")
    assert answer.hybrid["domain"] == "kitchen" and answer.hybrid["route"]["domain"] == "kitchen"


def test_a_follow_up_is_understood_with_the_turns_before_it(client):
    turns = _turns(PORT, "It is 5432. [1]", "And when does it restart?")
    answer = client.chat.completions.create(model="hybrid/manual/rag", messages=turns)
    assert PORT in answer.hybrid["standalone"]


def test_the_text_ends_where_the_client_wants(client):
    text = _asked(client, stop=["5432"]).choices[0].message.content
    assert "5432" not in text
    streamed = _asked(client, stop="5432", stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == text


@pytest.mark.parametrize(
    "harmless",
    [
        {"user": "anna", "temperature": 0.3, "seed": 7, "max_tokens": 5, "parallel_tool_calls": True},
        {"metadata": {"a": "b"}, "store": True, "n": 1, "tools": [], "response_format": {"type": "text"}},
        {"stream_options": {"include_usage": True}, "tool_choice": "auto", "made_up": {"by": "a client"}},
        {"tools": [{"type": "function", "function": {"name": "search"}}], "tool_choice": "none"},
        {"stop": ["\n\n", None], "stream_options": {"include_usage": None}, "logprobs": None, "n": None},
    ],
)
def test_what_changes_nothing_is_ignored(client, harmless):
    assert "5432" in _asked(client, extra_body=harmless).choices[0].message.content


@pytest.mark.parametrize(
    "meant",
    [
        {"n": 2},
        {"tools": [{"type": "function", "function": {"name": "search"}}]},
        {"response_format": {"type": "json_object"}},
        {"logprobs": True},
        {"modalities": ["text", "audio"]},
    ],
)
def test_what_would_change_the_answer_is_refused(client, meant):
    with pytest.raises(openai.BadRequestError) as raised:
        _asked(client, extra_body=meant)
    assert raised.value.param == next(iter(meant)) and raised.value.code == "unsupported_parameter"


def test_an_image_is_refused(client):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    with pytest.raises(openai.BadRequestError, match="only text is read, found 'image_url'"):
        client.chat.completions.create(
            model="hybrid/auto",
            messages=[{"role": "user", "content": [{"type": "text", "text": "?"}, image]}],
        )


@pytest.mark.parametrize("role", ["assistant", "User"])
def test_what_no_user_says_is_not_asked(client, role):
    with pytest.raises(openai.BadRequestError, match=f"no message has the role user.*found '{role}'"):
        client.chat.completions.create(
            model="hybrid/auto", messages=[{"role": role, "content": "Which port?"}]
        )


@pytest.mark.parametrize("stream", [False, True])
def test_an_empty_stop_ends_nothing(client, stream):
    whole, stopped = (_asked(client, stream=stream, stop=stop) for stop in (None, [""]))
    if stream:
        whole, stopped = (
            "".join(chunk.choices[0].delta.content or "" for chunk in chunks) for chunks in (whole, stopped)
        )
    else:
        whole, stopped = (one.choices[0].message.content for one in (whole, stopped))
    assert whole == stopped != ""


@pytest.mark.parametrize("model", ["gpt-4o", "hybrid/moon/rag", "hybrid/manual/rag:k=3", "hybrid/manual", ""])
def test_a_name_that_nothing_has_is_not_found(client, model):
    with pytest.raises(openai.NotFoundError) as raised:
        _asked(client, model=model)
    assert raised.value.code == "model_not_found" and raised.value.param == "model"


@pytest.mark.parametrize(
    ("model", "meant"),
    [
        ("manual", "hybrid/manual/auto"),
        ("hybrid/manaul/rag", "hybrid/manual/rag"),
        ("Hybrid/auto", "hybrid/auto"),
    ],
)
def test_a_name_that_is_nearly_one_says_which_was_meant(client, model, meant):
    with pytest.raises(openai.NotFoundError, match=f"did you mean '{meant}'"):
        _asked(client, model=model)


def test_an_arm_without_its_adapter_is_an_error_before_the_stream_begins(client):
    with pytest.raises(openai.NotFoundError, match="none is in use"):
        list(_asked(client, model="hybrid/manual/both", stream=True))


TITLE = """### Task:
Generate a concise, 3-5 word title with an emoji summarizing the chat history.
### Chat History:
<chat_history>
USER: What is the default port of the server?
ASSISTANT: The default port is 5432. [1]
</chat_history>"""


@pytest.mark.parametrize(
    "messages",
    [
        _turns(TITLE),
        _turns("Generate a short title for the following conversation:\nWhich port?"),
        [{"role": "system", "content": "Write one word."}],
        [
            {"role": "system", "content": "You need to summarize the user's conversation into a title."},
            *_turns('[{"role": "user", "content": "Which port?"}]'),
        ],
        _turns(PORT, "It is 5432.", "Based on the chat history, give this conversation a name."),
    ],
)
def test_what_a_chat_program_asks_for_itself_goes_to_the_generator_alone(client, messages):
    answer = client.chat.completions.create(model="hybrid/auto", messages=messages)
    assert answer.hybrid["arm"] == "base" and answer.choices[0].message.content == "It is 5432."


@pytest.mark.parametrize(
    "question", ["How do I generate a tag in the chat history?", "### Task:\nWhich port is the default one?"]
)
def test_a_question_about_titles_is_a_question(client, question):
    assert _asked(client, question, model="hybrid/manual/auto").hybrid["arm"] == "rag"


@pytest.mark.parametrize(
    "parts",
    [
        [{"type": "text", "text": "What is the default port"}, {"type": "text", "text": "of the server?"}],
        ["What is the default port", {"text": "of the server?"}, {"type": "text", "text": None}],
    ],
)
def test_text_in_parts_is_read(client, parts):
    turns = [{"role": "user", "content": parts}]
    answer = client.chat.completions.create(model="hybrid/manual/rag", messages=turns)
    assert "5432" in answer.choices[0].message.content


def test_what_was_no_text_before_the_question_does_not_end_a_conversation(client):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    call = {"id": "1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "42"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "A cat."}]},
        {"role": "developer", "content": "Be brief."},
        *_turns(PORT),
    ]
    answer = client.chat.completions.create(model="hybrid/manual/rag", messages=turns)
    assert "5432" in answer.choices[0].message.content
