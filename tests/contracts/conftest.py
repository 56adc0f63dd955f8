"""Every implementation of a protocol, by name."""

from pathlib import Path

import pytest

from hybrid.models.device import Placement
from hybrid.models.remote import RemoteGenerator
from hybrid.testing import HashEmbedder, OverlapReranker, ScriptedGenerator
from tests.scripted_server import Reply, ScriptedServer

_CPU = Placement("cpu", "float32", "test")


@pytest.fixture(
    params=["fake", "tiny", pytest.param("default", marks=pytest.mark.real_model)], scope="module"
)
def embedder(request):
    if request.param == "fake":
        return HashEmbedder()
    if request.param == "default":
        from hybrid.config import ModelSettings
        from hybrid.models.loading import load_embedder

        return load_embedder(ModelSettings(device="cpu", dtype="float32"))
    from hybrid.models.embedder import SentenceTransformerEmbedder

    folder = request.getfixturevalue("tiny_embedder_folder")
    return SentenceTransformerEmbedder(folder, name="tiny", placement=lambda: _CPU)


@pytest.fixture(params=["fake", "tiny"], scope="module")
def reranker(request):
    if request.param == "fake":
        return OverlapReranker()
    from hybrid.models.embedder import CrossEncoderReranker

    return CrossEncoderReranker(request.getfixturevalue("tiny_reranker_folder"), name="tiny", placement=_CPU)


@pytest.fixture(
    params=[
        "fake",
        "fake with space around",
        "fake with an adapter",
        "tiny",
        "tiny with an adapter",
        pytest.param("openvino", marks=pytest.mark.slow),
        pytest.param("llamacpp", marks=pytest.mark.slow),
        pytest.param("openvino with an adapter", marks=pytest.mark.slow),
        pytest.param("llamacpp with an adapter", marks=pytest.mark.slow),
        "endpoint",
        pytest.param("default", marks=[pytest.mark.real_model, pytest.mark.slow]),
    ],
    scope="module",
)
def generator(request):
    if request.param.startswith(("openvino", "llamacpp")):
        engine, _, adapted = request.param.partition(" ")
        made = request.getfixturevalue("in_engine")(engine)
        return made.adapted(request.getfixturevalue("kin_adapter")) if adapted else made
    match request.param:
        case "endpoint":
            server = request.getfixturevalue("endpoint")
            return RemoteGenerator(server.url, model="writer")
        case "fake":
            return ScriptedGenerator(["The port is 5432, and nothing else."])
        case "fake with space around":
            return ScriptedGenerator(["\n The port is 5432,\n\nand nothing else. \n"])
        case "default":
            from hybrid.config import ModelSettings
            from hybrid.models.loading import load_generator

            return load_generator(ModelSettings(device="cpu"))
        case "fake with an adapter":
            scripted = ScriptedGenerator(["base"], tuned={"first": ["The port is 5432, and nothing else."]})
            return scripted.adapted(Path("first"))
    from hybrid.models.generator import TransformersGenerator

    folder = request.getfixturevalue("tiny_generator_folder")
    made = TransformersGenerator(folder, name="tiny", placement=_CPU)
    if request.param == "tiny":
        return made
    return made.adapted(request.getfixturevalue("tiny_adapter_folder"))


@pytest.fixture(scope="module")
def endpoint():
    """A server that says the same to everybody, up to a stop string, a token a piece; it counts no prompt."""

    def script(asked):
        said = "\n The port is 5432, and nothing else. \n"
        for mark in asked.get("stop", ()):
            said = said.partition(mark)[0]
        return Reply(said, usage={"completion_tokens": -(-len(said) // Reply.size)})

    with ScriptedServer(script=script) as server:
        yield server


@pytest.fixture
def judge(generator):
    """A generator that can say how likely a text is, which no endpoint does."""
    if isinstance(generator, RemoteGenerator):
        pytest.skip("an endpoint has no likelihoods")
    return generator
