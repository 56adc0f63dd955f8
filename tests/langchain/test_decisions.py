"""The decision model: what the domain has evidence for, and a refusal of all else."""

import pytest
from langchain_core.decisions import Box, Choice, Noul, NoulCriteria, Score
from langchain_core.messages import AIMessage, HumanMessage

from hybrid.errors import UsageError
from hybrid.langchain import IS_CARRIED, NONE_OF_THESE, WHICH_ARM, WHICH_DOMAIN, HybridDecisionModel

_PASSAGES = ["The default port of the server is 5432.", "The server restarts every night at two."]
_CLAIM = {"claim": "The default port of the server is 5432.", "passages": _PASSAGES}


def _arms(*labels):
    return Choice(instructions=WHICH_ARM, criteria=dict.fromkeys(labels))


@pytest.fixture
def model(manual):
    return HybridDecisionModel(assistant=manual)


@pytest.fixture
def decided(manual, model):
    (manual.folder / "DECISION").write_text('{"arm": "rag:k=3"}')
    return model


def _carried(model, claim, passages=_PASSAGES):
    state = {"claim": claim, "passages": passages}
    asked = {"carried": Noul(instructions=IS_CARRIED)}
    return model.invoke({"state": state, "questions": asked}).nouls["carried"].noul


def test_a_carried_claim_is_likelier_than_one_of_other_numbers(model):
    assert _carried(model, _CLAIM["claim"]) > 0.5 > _carried(model, "The default port of the server is 6543.")


def test_the_probability_is_that_of_the_judge(model, manual):
    (verdict,) = manual.grounder.ground(_CLAIM["claim"], _PASSAGES).verdicts
    assert _carried(model, _CLAIM["claim"]) == pytest.approx(verdict.support)


def test_of_several_claims_the_least_carried_counts(model):
    other = "The archive folder is on the moon."
    assert _carried(model, f"{_CLAIM['claim']} {other}") == pytest.approx(_carried(model, other))


@pytest.mark.parametrize("claim", ["", "Hello!", "What is the port?"])
def test_what_asserts_nothing_is_refused(model, claim):
    with pytest.raises(UsageError, match="cannot be judged"):
        _carried(model, claim)


@pytest.mark.slow
@pytest.mark.parametrize(
    "state", ["text", {}, {"claim": "a"}, {"claim": 1, "passages": []}, {"claim": "a", "passages": [1]}]
)
def test_a_state_without_claim_and_passages_is_refused(model, state):
    with pytest.raises(UsageError, match="not a claim with its passages"):
        model.invoke({"state": state, "questions": {"carried": Noul(instructions=IS_CARRIED)}})


def test_the_decided_arm_is_chosen_as_surely_as_it_was_decided(decided):
    answer = decided.invoke({"state": "", "questions": {"arm": _arms("base", "rag:k=3", "both")}}).choices[
        "arm"
    ]
    assert answer.choice == "rag:k=3" and answer.confidence == pytest.approx(0.95)
    assert answer.probabilities == pytest.approx({"base": 0.025, "rag:k=3": 0.95, "both": 0.025})


def test_an_arm_of_other_settings_is_another_arm(decided):
    with pytest.raises(UsageError, match="'rag:k=3' is none of base, rag"):
        decided.invoke({"state": "", "questions": {"arm": _arms("base", "rag")}})
    answer = decided.invoke({"state": "", "questions": {"arm": _arms("base", "rag", NONE_OF_THESE)}})
    assert answer.choices["arm"].choice == NONE_OF_THESE


def test_where_nothing_was_decided_no_arm_is_named(model):
    with pytest.raises(UsageError, match="no arm was decided on for the domain 'manual'") as raised:
        model.invoke({"state": "", "questions": {"arm": _arms("base", "rag")}})
    assert "hybrid decide" in raised.value.hint


def test_a_label_that_is_no_arm_is_refused(decided):
    with pytest.raises(UsageError, match="there is no arm 'billing'"):
        decided.invoke({"state": "", "questions": {"arm": _arms("rag:k=3", "billing")}})


def _domains(model, *labels, state="What is the default port of the server?"):
    asked = {"domain": Choice(instructions=WHICH_DOMAIN, criteria=dict.fromkeys(labels))}
    return model.invoke({"state": state, "questions": asked}).choices["domain"]


def test_the_domain_is_the_router_s_with_its_probabilities(several):
    model = HybridDecisionModel(assistant=several)
    found = several.route("What is the default port of the server?")
    chances = {chance.domain or NONE_OF_THESE: chance.probability for chance in found.chances}
    answer = _domains(model, "manual", "kitchen", NONE_OF_THESE)
    assert answer.choice == "manual" and answer.probabilities == pytest.approx(chances)
    assert answer.confidence == pytest.approx(chances["manual"])
    talk = [HumanMessage("Hello"), AIMessage("Hello."), HumanMessage("How does butter melt in the pan?")]
    assert _domains(model, "manual", "kitchen", state=talk).choice == "kitchen"
    follow_up = [*talk, AIMessage("Slowly."), HumanMessage("And then?")]
    understood = several.route("How does butter melt in the pan? And then?")
    assert _domains(
        model, "manual", "kitchen", NONE_OF_THESE, state=follow_up
    ).probabilities == pytest.approx(
        {chance.domain or NONE_OF_THESE: chance.probability for chance in understood.chances}
    )


def test_what_is_no_label_is_none_of_the_labels_or_is_left_out(several):
    model = HybridDecisionModel(assistant=several)
    whole = _domains(model, "manual", "kitchen", NONE_OF_THESE).probabilities
    rest = _domains(model, "kitchen", NONE_OF_THESE).probabilities
    assert rest == pytest.approx({"kitchen": whole["kitchen"], NONE_OF_THESE: 1 - whole["kitchen"]})
    named = _domains(model, "manual", "kitchen").probabilities
    assert sum(named.values()) == pytest.approx(1)
    assert named["manual"] / named["kitchen"] == pytest.approx(whole["manual"] / whole["kitchen"])


def test_one_domain_and_several_are_asked_different_questions(several, model):
    with pytest.raises(UsageError, match="about several domains"):
        _domains(model, "manual")
    with pytest.raises(UsageError, match="no domain garage"):
        _domains(HybridDecisionModel(assistant=several), "manual", "garage")
    with pytest.raises(UsageError, match="about one domain"):
        _carried(HybridDecisionModel(assistant=several), _CLAIM["claim"])


@pytest.mark.parametrize(
    "question",
    [
        Noul(instructions="Is the customer angry?"),
        Noul(instructions=IS_CARRIED, criteria=NoulCriteria(true="it is polite")),
        Noul(instructions=WHICH_ARM),
        Choice(instructions="Which team?", criteria={"rag": None}),
        Choice(instructions=IS_CARRIED, criteria={"yes": None, "no": None}),
        Score(instructions=IS_CARRIED, criteria=["no", "yes"]),
        Box(instructions="the port"),
    ],
)
def test_any_other_question_is_refused_and_takes_all_with_it(decided, question):
    questions = {"carried": Noul(instructions=IS_CARRIED), "other": question}
    with pytest.raises(UsageError, match="nothing is known that would answer"):
        decided.invoke({"state": _CLAIM, "questions": questions})


def test_several_questions_are_answered_at_once_and_asynchronously(decided):
    import asyncio

    asked = {"carried": Noul(instructions=IS_CARRIED), "arm": _arms("rag:k=3", "base")}
    request = {"state": _CLAIM, "questions": asked}
    found = decided.invoke(request)
    assert set(found.answers) == {"carried", "arm"} and found.model == "hybrid"
    assert asyncio.run(decided.ainvoke(request)) == found
    assert decided.batch([request, request]) == [found, found]
