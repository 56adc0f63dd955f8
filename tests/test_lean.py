"""A cold answer loads what it needs and nothing else, and eight threads that ask first load it once."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from hybrid import Assistant, load_settings
from hybrid.models.device import is_cpu
from hybrid.types import Arm

_NOT_NEEDED = (
    "accelerate",
    "bitsandbytes",
    "datasets",
    "httpx2",
    "lxml",
    "peft",
    "scipy",
    "sentence_transformers",
    "sklearn",
    "sympy",
    "torch._dynamo",
    "transformers",
)
_DOCUMENTS = {
    "heater.md": "# Marlow 300\n\nThe warranty of the Marlow 300 lasts five years. It weighs 12 kg.",
    "pump.md": "# Pump\n\nThe pump runs at 40 bar. It must not be opened while it is hot.",
}
_QUESTION = "How long does the warranty of the Marlow 300 last?"
_COMMAND = """
import sys
from hybrid.cli.launcher import main
sys.argv = ["hybrid", *sys.argv[1:]]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print([name for name in {names!r} if name in sys.modules], file=sys.stderr)
"""


@pytest.fixture
def indexes(tmp_path, write_files):
    settings = load_settings({"indexes": str(tmp_path / "indexes"), "models": {"offline": True}})
    Assistant("d", settings=settings).index(write_files(tmp_path / "docs", _DOCUMENTS))
    return tmp_path / "indexes"


@pytest.mark.slow
@pytest.mark.real_model
@pytest.mark.parametrize(("verb", "neither"), [("search", ("torch",)), ("ask", ())])
def test_a_cold_command_loads_nothing_that_it_does_not_need(indexes, verb, neither):
    arguments = [verb, _QUESTION, "--domain", "d", "--indexes", str(indexes), "--offline"]
    if not is_cpu("auto"):
        neither = ()
    script = _COMMAND.format(names=(*_NOT_NEEDED, *neither))
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "five years" in done.stdout
    assert done.stderr.strip().splitlines()[-1] == "[]"


@pytest.mark.slow
@pytest.mark.real_model
def test_the_encoder_is_in_memory_once_for_embedding_and_judging(indexes):
    assistant = Assistant("d", settings=load_settings({"indexes": str(indexes), "models": {"offline": True}}))
    assistant.check(assistant.ask(_QUESTION, arm=Arm.RAG))
    assert assistant.grounder.scorer._encoder.embedder is assistant.embedder


@pytest.mark.slow
@pytest.mark.real_model
def test_first_questions_of_eight_threads_are_answered_alike(indexes):
    script = f"""
from concurrent.futures import ThreadPoolExecutor
from hybrid import Assistant, load_settings
from hybrid.models.device import is_cpu
settings = load_settings({{"indexes": {str(indexes)!r}, "models": {{"offline": True}}}})
assistant = Assistant("d", settings=settings)
def one(_):
    answer = assistant.ask({_QUESTION!r}, arm="rag")
    return answer.text, assistant.check(answer).verdicts[0].support
with ThreadPoolExecutor(8) as threads:
    answers = list(threads.map(one, range(8)))
print(len(set(answers)), answers[0][0])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 ") and "five years" in done.stdout


def test_models_that_threads_ask_for_at_once_are_loaded_once(tiny_embedder_folder, monkeypatch):
    from hybrid.config import ModelSettings
    from hybrid.models import encoder, loading

    loads = []
    load = encoder.Encoder.__init__

    def counted(self, *arguments):
        loads.append(1)
        load(self, *arguments)

    monkeypatch.setattr(encoder.Encoder, "__init__", counted)
    encoder.load_encoder.cache_clear()
    settings = ModelSettings(embedder=str(tiny_embedder_folder), device="cpu", dtype="float32", offline=True)

    def one(_):
        return loading.load_embedder(settings).embed_documents(["the port"]).tobytes()

    loading._embedder.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(one, range(16)))
    assert len(found) == len(loads) == 1
