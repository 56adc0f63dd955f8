"""The chat model and the runnable: answers, their evidence, pieces, threads."""

import asyncio
import dataclasses

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    HumanMessage,
    HumanMessageChunk,
    SystemMessage,
    ToolMessage,
)
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda

from hybrid import Assistant
from hybrid.errors import UsageError
from hybrid.langchain import ChatHybrid, HybridRunnable
from hybrid.types import Answer, Document, Message, MessageRole

_ASKED = "What is the default port of the server?"


def _whole(chunks):
    chunks = list(chunks)
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


def test_the_metadata_say_where_each_number_in_the_text_stands(manual):
    message = ChatHybrid(assistant=manual, model="rag").invoke(_ASKED)
    about = message.response_metadata
    assert (about["model_name"], about["abstained"]) == ("rag", False)
    (citation,) = about["citations"]
    assert citation["source"] == "port.txt" and f"[{citation['number']}]" in message.text
    document = manual.retriever.index.document("port.txt")
    assert document.text[citation["start"] : citation["end"]] == citation["text"]


def test_an_arm_is_a_model_and_a_call_may_name_another(manual):
    chat = ChatHybrid(assistant=manual, model="base")
    assert chat.invoke(_ASKED).response_metadata["model_name"] == "base"
    assert chat.invoke(_ASKED, model="rag:k=2").response_metadata["model_name"] == "rag:k=2"
    assert chat.invoke(_ASKED, model="").response_metadata["model_name"] == "rag"
    with pytest.raises(UsageError, match="there is no arm 'gpt'"):
        chat.invoke(_ASKED, model="gpt")


@pytest.mark.parametrize("arm", ["base", "rag", "rag:reader=generator"])
def test_the_pieces_of_a_stream_are_the_answer(manual, arm):
    chat = ChatHybrid(assistant=manual, model=arm)
    message, streamed = chat.invoke(_ASKED), _whole(chat.stream(_ASKED))
    assert streamed.text == message.text
    assert streamed.response_metadata == message.response_metadata
    assert streamed.usage_metadata["input_tokens"] == message.usage_metadata["input_tokens"]


def test_tokens_are_counted(manual):
    usage = ChatHybrid(assistant=manual, model="base").invoke(_ASKED).usage_metadata
    assert usage["input_tokens"] > usage["output_tokens"] > 0
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_it_declines_as_the_assistant_does(manual):
    message = ChatHybrid(assistant=manual).invoke("Who painted the ceiling of the chapel?")
    assert message.response_metadata["abstained"] is True
    assert message.response_metadata["citations"] == []


def test_the_last_question_of_a_person_is_asked(manual):
    messages = [SystemMessage("Be brief."), HumanMessage("Hello"), AIMessage("Hello."), HumanMessage(_ASKED)]
    chat = ChatHybrid(assistant=manual, model="rag")
    assert chat.invoke(messages).text == manual.ask(_ASKED, arm="rag").text
    assert chat.invoke([*messages, AIMessage("5432")]).text == manual.ask(_ASKED, arm="rag").text


_LEANING = "And when does it restart?"
_TURNS = [("human", _ASKED), ("ai", "The default port of the server is 5432. [1]"), ("human", _LEANING)]


@pytest.mark.parametrize(
    "messages",
    [
        _TURNS,
        [{"role": "user", "content": _ASKED}, {"role": "user", "content": _LEANING}],
        [ChatMessage(role="user", content=_ASKED), ChatMessage(role="human", content=_LEANING)],
        [
            HumanMessageChunk(_ASKED),
            AIMessageChunk("5432"),
            HumanMessage([{"type": "text", "text": _LEANING}]),
        ],
        [
            SystemMessage("Be brief."),
            HumanMessage(_ASKED),
            AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": "1"}]),
            ToolMessage("Nobody reads this about the oven.", tool_call_id="1"),
            HumanMessage(_LEANING),
            AIMessage("Every"),
        ],
    ],
    ids=["pairs", "dicts", "named roles", "chunks and blocks", "tools"],
)
def test_a_follow_up_is_understood_with_the_turns_before_it(manual, messages):
    chat = ChatHybrid(assistant=manual, model="rag:k=1")
    message, streamed = chat.invoke(messages), _whole(chat.stream(messages))
    alone = chat.invoke(_LEANING)
    understood = f"{_ASKED} {_LEANING}"
    assert message.response_metadata["standalone"] == understood
    history = [Message(MessageRole.USER, _ASKED)]
    assert message.text == streamed.text == manual.ask(_LEANING, arm="rag:k=1", history=history).text
    assert "5432" not in message.text  # which was said before
    assert streamed.response_metadata == message.response_metadata
    assert alone.response_metadata["standalone"] != understood


def test_a_chain_may_hand_a_conversation_to_the_runnable(manual):
    steps = ChatPromptTemplate.from_messages([*_TURNS[:2], ("human", "{question}")]) | HybridRunnable(manual)
    answer = steps.invoke({"question": _LEANING})
    assert answer.standalone == f"{_ASKED} {_LEANING}"
    assert [one.text for one in steps.batch([{"question": _LEANING}])] == [answer.text]
    assert list(steps.stream({"question": _LEANING}))[-1].text == answer.text
    with pytest.raises(UsageError, match="no message of a person"):
        HybridRunnable(manual).invoke({"question": _ASKED})


def test_a_new_subject_leaves_the_turns_before_it(manual):
    messages = [*_TURNS[:2], ("human", "To which folder are the backups of the archive written?")]
    message = ChatHybrid(assistant=manual, model="rag").invoke(messages)
    assert "archive folder" in message.text and not message.response_metadata["standalone"]


def test_of_several_domains_the_right_one_answers(several):
    about = ChatHybrid(assistant=several).invoke(_ASKED).response_metadata
    assert (about["domain"], about["citations"][0]["source"]) == ("manual", "port.txt")
    assert about["route"]["domain"] == "manual" and about["route"]["probability"] > 0.5
    answer = HybridRunnable(several).invoke("How does the oven bake the dough?")
    assert (answer.domain, answer.hits[0].chunk.source) == ("kitchen", "oven.txt")


def test_what_cannot_be_read_is_refused(manual):
    chat = ChatHybrid(assistant=manual)
    picture = {"type": "image", "base64": "AAAA", "mime_type": "image/png"}
    with pytest.raises(UsageError, match="the question holds image"):
        chat.invoke([HumanMessage([{"type": "text", "text": "What is this?"}, picture])])
    with pytest.raises(UsageError, match="no message of a person"):
        chat.invoke([SystemMessage("Be brief.")])
    with pytest.raises(UsageError, match="without an effect here: temperature"):
        chat.invoke(_ASKED, temperature=1.0)
    with pytest.raises(UsageError, match="without an effect here: temperature"):
        list(chat.stream(_ASKED, temperature=1.0))


def test_the_text_ends_at_a_stop_string_streamed_or_not(manual):
    chat = ChatHybrid(assistant=manual, model="rag", stop=["server"])
    assert chat.invoke(_ASKED).text == "The default port of the "
    assert _whole(chat.stream(_ASKED)).text == "The default port of the "
    assert chat.invoke(_ASKED, stop=["port"]).text == "The default "


def test_the_runnable_is_the_assistant(manual):
    asked = [_ASKED, "When does the server restart?"]
    runnable = HybridRunnable(manual, arm="rag")
    assert _same(runnable.invoke(_ASKED), manual.ask(_ASKED, arm="rag"))
    assert all(map(_same, runnable.batch(asked), manual.ask_all(asked, arm="rag")))
    assert runnable.batch([]) == []
    *pieces, answer = runnable.stream(_ASKED)
    assert "".join(pieces) == answer.text and _same(answer, manual.ask(_ASKED, arm="rag"))
    assert (runnable | RunnableLambda(lambda one: one.text.upper())).invoke(_ASKED) == answer.text.upper()


def test_the_runnable_without_an_arm_takes_the_decided_one(manual):
    assert HybridRunnable(manual).invoke(_ASKED).variant == "rag"
    (manual.folder / "DECISION").write_text('{"arm": "base"}')
    assert HybridRunnable(manual).invoke(_ASKED).variant == "base"


def test_a_question_that_fails_is_given_back_if_that_is_wanted(manual):
    runnable = HybridRunnable(manual)
    with pytest.raises(UsageError, match="the question is empty"):
        runnable.batch([_ASKED, " "])
    found = runnable.batch([_ASKED, " "], return_exceptions=True)
    assert isinstance(found[0], Answer) and isinstance(found[1], UsageError)


def test_asynchronously_it_says_the_same(manual):
    pieces, answer, answers = asyncio.run(_awaited(HybridRunnable(manual, arm="rag:reader=generator")))
    assert "".join(pieces[:-1]) == answer.text
    assert all(_same(one, answer) for one in answers)
    assert (pieces[-1].text, pieces[-1].citations) == (answer.text, answer.citations)


@pytest.mark.slow
@pytest.mark.real_model
def test_threads_do_not_disturb_each_other(tmp_path, write_files):
    files = {f"{port}.txt": f"The port of server number {port} is {port}." for port in range(5000, 5004)}
    assistant = Assistant("ports")
    assistant.index(write_files(tmp_path / "docs", files))
    asked = [f"What is the port of server number {port}?" for port in range(5000, 5004)]
    for arm in ("rag", "rag:reader=generator:max_new_tokens=12"):
        chat = ChatHybrid(assistant=assistant, model=arm)
        alone = [chat.invoke(question).text for question in asked]
        assert [message.text for message in chat.batch(asked, {"max_concurrency": 4})] == alone


async def _awaited(runnable):
    pieces = [piece async for piece in runnable.astream(_ASKED)]
    return pieces, await runnable.ainvoke(_ASKED), await runnable.abatch([_ASKED] * 3)


def _same(one, other):
    return dataclasses.replace(one, seconds=0.0) == dataclasses.replace(other, seconds=0.0)


def test_who_asks_is_told_to_the_domain(manual):
    manual.update([Document("secret.txt", "The password of the vault is swordfish.", principals=("ann",))])
    asked = "What is the password of the vault?"
    for one in (ChatHybrid(assistant=manual, as_user="ann"), HybridRunnable(manual, as_user="ann")):
        assert "swordfish" in one.invoke(asked).text
    for one in (ChatHybrid(assistant=manual, as_user="bob"), HybridRunnable(manual, as_user="bob")):
        assert "swordfish" not in str(one.invoke(asked)) + str(list(one.stream(asked)))
    with pytest.raises(UsageError, match="no user asks"):
        ChatHybrid(assistant=manual).invoke(asked)
