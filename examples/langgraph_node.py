"""A LangGraph graph that answers from a domain and lets no answer out which its passages do not carry."""

import sys
from typing import TypedDict

from langchain_core.decisions import Noul
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from hybrid import Answer, Assistant
from hybrid.langchain import IS_CARRIED, HybridDecisionModel, HybridRunnable


class Asked(TypedDict, total=False):
    question: str
    answer: Answer
    text: str


def graph(assistant: Assistant, *, least: float = 0.5) -> CompiledStateGraph:
    answering, decisions = HybridRunnable(assistant), HybridDecisionModel(assistant=assistant)

    def check(state: Asked) -> Asked:
        answer, carried = state["answer"], 0.0
        if answer.hits and not answer.abstained:
            evidence = {"claim": answer.text, "passages": [hit.chunk.text for hit in answer.hits]}
            asked = {"carried": Noul(instructions=IS_CARRIED)}
            carried = decisions.invoke({"state": evidence, "questions": asked}).nouls["carried"].noul
        return {"text": answer.text if carried >= least else "The documents do not say."}

    steps = StateGraph(Asked)
    steps.add_node("answer", lambda state: {"answer": answering.invoke(state["question"])})
    steps.add_node("check", check)
    for step, following in ((START, "answer"), ("answer", "check"), ("check", END)):
        steps.add_edge(step, following)
    return steps.compile()


if __name__ == "__main__":  # python examples/langgraph_node.py manual "Which port is the default?"
    print(graph(Assistant(sys.argv[1])).invoke({"question": sys.argv[2]})["text"])
