"""Other people's clients as they are: async and LangChain, the llm command, and whoever sends nonsense."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import openai
import psutil
import pytest
from langchain_openai import ChatOpenAI

PORT = "What is the default port of the server?"
TURNS = [{"role": "user", "content": PORT}]


@pytest.mark.slow
def test_the_async_client_streams(url):
    async def streamed():
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any") as client:
            stream = await client.chat.completions.create(
                model="hybrid/manual/rag", messages=TURNS, stream=True
            )
            return [chunk async for chunk in stream]

    chunks = asyncio.run(streamed())
    assert "5432" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.slow
@pytest.mark.parametrize("stream_usage", [False, True])
def test_langchain_s_chat_model_answers_and_streams(url, stream_usage):
    told = {"base_url": f"{url}/v1", "api_key": "any", "model": "hybrid/manual/rag"}
    chat = ChatOpenAI(stream_usage=stream_usage, temperature=0, max_retries=0, **told)
    message = chat.invoke(PORT)
    assert "5432" in message.text and "[1]" in message.text
    assert message.response_metadata["finish_reason"] == "stop"
    kept = httpx2.get(f"{url}/v1/answers/{message.response_metadata['id']}").json()
    assert kept["answer"]["citations"][0]["source"] == "port.txt"
    chunks = list(chat.stream(PORT))
    assert "".join(chunk.text for chunk in chunks) == message.text
    assert any(chunk.usage_metadata for chunk in chunks) == stream_usage
    follow_up = chat.invoke(
        [("system", "Be brief."), ("human", PORT), ("ai", message.text), ("human", "Thanks!")]
    )
    assert follow_up.text


@pytest.mark.slow
def test_the_llm_command_answers_streams_and_goes_on(url, tmp_path):
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: manual\n  model_name: hybrid/manual/rag\n  api_base: {url}/v1\n"
    )
    own = {"LLM_USER_PATH": str(tmp_path), "LLM_LOAD_PLUGINS": "", "OPENAI_API_KEY": "any"}
    environment = os.environ | own

    def llm(*arguments):
        command = [sys.executable, "-m", "llm", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    for more in ([], ["--no-stream"]):
        done = llm("-m", "manual", PORT, *more)
        assert done.returncode == 0 and "5432" in done.stdout, done.stderr
    done = llm("-c", "And which one is it?")
    assert done.returncode == 0 and "5432" in done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("most", "least"), [(6, 200), pytest.param(40, 1_000, marks=pytest.mark.long)])
def test_malformed_requests_are_no_failure_of_the_server(url, most, least):
    schemathesis = Path(sys.executable).with_name("schemathesis")
    told = "--phases examples,coverage,fuzzing --checks not_a_server_error --continue-on-failure --no-color"
    told += f" --mode all --max-examples {most} --generation-database none --request-timeout 30"

    def sent(seed):
        command = [schemathesis, "run", f"{url}/openapi.json", *told.split(), "--seed", str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stdout[-4_000:]
        return int(re.search(r"(\d+) generated, \1 passed", done.stdout)[1])

    assert sent(1) >= least
    before = psutil.Process().memory_info().rss
    assert sent(2) >= least
    # the first run warms what is loaded once
    assert psutil.Process().memory_info().rss < 1.05 * before
