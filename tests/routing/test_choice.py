"""The router of a domain's arms in force: what it chooses, when it is refused, and what the command says."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from hybrid import Arm, Assistant, load_settings
from hybrid.adaptation.values import AdapterKind
from hybrid.cli.app import run
from hybrid.errors import UsageError
from hybrid.questions.files import save_questions
from hybrid.routing.arms import ArmLearner
from hybrid.routing.choice import load_arm_router
from hybrid.testing import HashEmbedder, ScriptedGenerator
from hybrid.types import Question

pytestmark = pytest.mark.slow
_SETTINGS = load_settings({"documents": {"workers": 1}, "grounding": {"scorer": "align"}}, environment={})
_COUNT = 24
_TUNED = "Only with written consent."


def _name(number):
    return "".join("abcdefghij"[int(digit)] for digit in f"{number:03}") + "quux"


def pump(number):
    return f"What is the default port of the machine called {_name(number)}?"


def clause(number):
    return f"May the tenant transfer the contract of {_name(number)}?"


def questions():
    """Half of them stand in the pages, the other half only the adapter knows."""
    return [
        one
        for number in range(_COUNT)
        for one in (
            Question(f"p{number}", pump(number), answers=(str(5000 + number),), source=f"p{number}.txt"),
            Question(f"c{number}", clause(number), answers=("written consent",), source=f"c{number}"),
        )
    ]


@pytest.fixture
def assistant(tmp_path, write_files, keep_adapter):
    """A domain of pages about machines, and an adapter that knows about contracts."""
    pages = {
        f"p{n}.txt": f"The default port of the machine called {_name(n)} is {5000 + n}."
        for n in range(_COUNT)
    }
    generator = ScriptedGenerator(["No idea."], tuned={"generator-001": [_TUNED]})
    made = Assistant("manual", settings=_SETTINGS, embedder=HashEmbedder(256), generator=generator)
    made.index(write_files(tmp_path / "docs", pages))
    keep_adapter(made.folder, "generator-001")
    return made


@pytest.fixture
def routed(assistant, tmp_path):
    """The same with a router that was fitted to a question set in a file."""
    save_questions(tmp_path / "set.jsonl", questions())
    assistant.fit_arm_router(str(tmp_path / "set.jsonl"), arms="rag,adapter")
    return assistant


def chosen(answer):
    return answer.arm, answer.arm_route and answer.arm_route.arm


def test_each_question_is_answered_by_its_arm(routed):
    card = routed.asked.router
    assert card.routing.shipped and card.arms == ("rag", "adapter") and card.metric == "correct"
    asked = [clause(50), pump(3), clause(51), pump(4)]
    answers = routed.ask_all(asked)
    assert [answer.question for answer in answers] == asked
    assert [chosen(answer) for answer in answers] == [
        (Arm.ADAPTER, "adapter"),
        (Arm.RAG, "rag"),
        (Arm.ADAPTER, "adapter"),
        (Arm.RAG, "rag"),
    ]
    assert answers[0].text == _TUNED and "5003" in answers[1].text
    assert [routed.ask(text).text for text in asked] == [answer.text for answer in answers]
    route = answers[0].arm_route
    assert route.chances[0].expected > route.chances[1].expected and "expected" in route.reason
    *_, last = routed.stream(clause(50))
    assert chosen(last) == (Arm.ADAPTER, "adapter")
    named = routed.ask(clause(50), arm="rag")
    assert (named.arm, named.arm_route) == (Arm.RAG, None)
    assert chosen(routed.ask(pump(3), where={"source": "p3.txt"})) == (Arm.RAG, "rag")


def test_the_same_data_give_the_same_bytes(routed, tmp_path):
    file = routed.folder / "router" / "arms.safetensors"
    before = file.read_bytes()
    routed.fit_arm_router(str(tmp_path / "set.jsonl"), arms="rag,adapter")
    assert file.read_bytes() == before


def test_what_is_loaded_is_what_was_fitted(routed):
    router, origin = load_arm_router(routed.folder)
    assert router.card == routed.asked.router
    assert set(origin.arms) == {"rag", "adapter"} and origin.index and origin.questions.endswith("set.jsonl")
    assert origin.experiment in [path.name for path in (routed.folder / "experiments").iterdir()]


def test_a_router_that_gains_nothing_is_told_and_not_used(assistant):
    card = assistant.fit_arm_router(questions(), arms="base,rag")
    assert not card.routing.shipped and card.routing.single == "rag"
    assert assistant.asked.router == card
    answer = assistant.ask(pump(3))
    assert (answer.arm, answer.arm_route) == (Arm.RAG, None)


def refused(assistant, found):
    """Assert that the router is not used and that the answer says why, and with what that is mended."""
    for answer in (assistant.ask(clause(50)), assistant.ask_all([clause(50)])[0]):
        assert chosen(answer) == (Arm.RAG, "")
        assert f"changed since, {found}" in answer.arm_route.reason
        assert "hybrid router arms QUESTIONS" in answer.arm_route.reason


def test_another_index_is_another_domain(routed, tmp_path):
    (tmp_path / "docs" / "new.txt").write_text("The server restarts at two.")
    routed.index(tmp_path / "docs")
    refused(routed, "the index")
    routed.rollback()
    assert chosen(routed.ask(clause(50))) == (Arm.ADAPTER, "adapter")


def test_an_adapter_that_was_taken_back_is_told(routed):
    routed.adapters.rollback(AdapterKind.GENERATOR)
    refused(routed, "an arm that cannot answer now (the arms adapter and both need a generator adapter")


def test_another_adapter_is_another_arm(routed, keep_adapter):
    keep_adapter(routed.folder, "generator-002")
    refused(routed, "the arm adapter")


def test_another_question_set_is_other_data(routed, tmp_path):
    save_questions(tmp_path / "set.jsonl", questions()[:-1])
    refused(routed, "the question set")
    (tmp_path / "set.jsonl").unlink()
    assert chosen(routed.ask(clause(50))) == (Arm.ADAPTER, "adapter")


def test_a_user_is_answered_as_decided(assistant, tmp_path):
    (tmp_path / "docs" / ".principals").write_text("anna")
    assistant.index(tmp_path / "docs")
    save_questions(tmp_path / "set.jsonl", questions())
    assistant.fit_arm_router(str(tmp_path / "set.jsonl"), arms="rag,adapter")
    answer = assistant.ask(clause(50), as_user="anna")
    assert chosen(answer) == (Arm.RAG, "")
    assert answer.arm_route.reason.startswith("as decided: documents say who may read them")
    closed = assistant.ask(clause(50), as_user="ben")
    assert closed.abstained and "lets this user read none of its documents" in closed.text


def test_the_file_does_not_choose_models(routed):
    file = routed.folder / "router" / "arms.safetensors"
    content = file.read_bytes()
    # a name of the same length, so that the header stays whole
    file.write_bytes(content.replace(b"adapter", b"adaptor"))
    refused(routed, "an arm that cannot answer now (")


def test_a_damaged_file_is_told(routed):
    file = routed.folder / "router" / "arms.safetensors"
    tensors, told = load_file(file), json.loads(_told(file)["router"])

    def refused(message, changes, told):
        save_file(tensors | changes, file, metadata={"router": json.dumps(told)})
        with pytest.raises(UsageError, match=message) as error:
            routed.ask(clause(50))
        assert "hybrid router arms" in error.value.hint

    refused("schema 2, expected 1", {}, told | {"schema": 2})
    refused("the card in .* is damaged: `arms`", {}, told | {"card": {}})
    refused("the origin in .* is damaged: `arms`", {}, told | {"origin": {"arms": 1}})
    card = told["card"]
    refused("features of another version", {}, told | {"card": card | {"features": card["features"][1:]}})
    for name, tensor in tensors.items():
        refused("cannot be read: its numbers are not those of 2 arms", {name: tensor[:-1]}, told)
    refused("cannot be read: its numbers", {"means": tensors["means"] * np.nan}, told)
    file.write_bytes(b"no tensors")
    with pytest.raises(UsageError, match="cannot be read"):
        routed.ask(clause(50))
    assert routed.ask(clause(50), arm="adapter").text == _TUNED


def _told(file):
    size = int.from_bytes(file.read_bytes()[:8], "little")
    return json.loads(file.read_bytes()[8 : 8 + size])["__metadata__"]


def test_a_domain_without_an_index_routes_by_the_questions_alone(tmp_path, keep_adapter):
    generator = ScriptedGenerator(["The port is 5432."], tuned={"generator-001": [_TUNED]})
    made = Assistant("bare", settings=_SETTINGS, embedder=HashEmbedder(256), generator=generator)
    keep_adapter(made.folder, "generator-001")
    golds = {pump: "5432", clause: "written consent"}
    asked = [
        Question(text(number), text(number), answers=(gold,))
        for number in range(_COUNT)
        for text, gold in golds.items()
    ]
    card = made.fit_arm_router(asked, arms="base,adapter")
    assert card.routing.shipped and "best cosine" not in card.features
    assert chosen(made.ask(clause(60))) == (Arm.ADAPTER, "adapter")
    assert chosen(made.ask(pump(60))) == (Arm.BASE, "base")
    other = HashEmbedder(256, name="fake/other")
    again = Assistant("bare", settings=_SETTINGS, embedder=other, generator=generator)
    assert "changed since, the embedder" in again.asked.chooser.routes([clause(60)])[0].reason


def test_one_arm_leaves_nothing_to_choose(assistant):
    with pytest.raises(UsageError, match="one arm leaves nothing to choose"):
        assistant.fit_arm_router(questions(), arms="rag")


def test_the_commands_say_what_it_is_worth_and_why_it_chose(assistant, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("hybrid.cli.options.Context.assistant", lambda self, *_, **__: assistant)
    save_questions(tmp_path / "set.jsonl", questions())
    assert run(["router", "arms", str(tmp_path / "set.jsonl"), "--arms", "base,rag"]) == 7
    assert "the arm that was decided on answers all" in capsys.readouterr().out
    assert run(["router", "arms", str(tmp_path / "set.jsonl"), "--arms", "rag,adapter", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["used"] and found["arms"] == ["rag", "adapter"]
    assert found["routing"]["learner"] in list(ArmLearner)
    assert run(["ask", clause(50), "--explain", "--no-check"]) == 0
    shown = capsys.readouterr()
    assert "arm adapter: nearest questions" in shown.out
    why = shown.out.partition("how:\n")[2].splitlines()
    assert why[0].startswith("  arm adapter: ") and "expected" in why[0]
    assert [line.split()[1] for line in why[1:3]] == ["adapter", "rag"]
    assert why[3].strip() == assistant.asked.router.routing.sentence
    assert [line.split(":")[0] for line in why[-2:]] == ["  on average rag", "  on average adapter"]
    assert all("tokens read" in line and line.endswith(" s") for line in why[-2:])
    assert run(["ask", clause(50), "--explain", "--no-check", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["arm_route"]["arm"] == "adapter" and len(found["arm_route"]["chances"]) == 2
    assert found["otherwise"]["rag"]["seconds"] >= 0


@pytest.mark.real_model
def test_a_router_of_small_real_models(tmp_path, write_files):
    animals = "lion bear otter zebra camel moose hyena koala lemur tapir bison gecko"
    pages = {
        f"{name}.md": f"# {name}\n\nThe {name} of the zoo weighs {20 + place} kg. It eats at {place} o'clock."
        for place, name in enumerate(animals.split())
    }
    asked = [
        Question(f"q{place}", f"How heavy is the {path[:-3]}?", answers=(f"{20 + place} kg",), source=path)
        for place, path in enumerate(pages)
    ]
    settings = load_settings({"documents": {"workers": 1}, "models": {"offline": True}}, environment={})
    made = Assistant("zoo", settings=settings)
    made.index(write_files(tmp_path / "docs", pages))
    card = made.fit_arm_router(asked, arms="rag,rag:mode=lexical:k=1")
    assert card.routing.questions == 12 and not card.routing.shipped
    assert card.routing.retrieval == 1.0
    answer = made.ask("How heavy is the otter?")
    assert "22 kg" in answer.text and answer.arm_route is None
    assert made.asked.router == card
