"""A LangGraph graph that answers from a domain and lets no answer out which its passages do not carry."""

from __future__ import annotations

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

    def carried(state: Asked) -> str:
        answer = state["answer"]
        if answer.abstained or not answer.hits:
            return "decline"
        evidence = {"claim": answer.text, "passages": [hit.chunk.text for hit in answer.hits]}
        asked = {"carried": Noul(instructions=IS_CARRIED)}
        found = decisions.invoke({"state": evidence, "questions": asked})
        return "show" if found.nouls["carried"].noul >= least else "decline"

    steps = StateGraph(Asked)
    steps.add_node("answer", lambda state: {"answer": answering.invoke(state["question"])})
    steps.add_node("show", lambda state: {"text": state["answer"].text})
    steps.add_node("decline", lambda state: {"text": "The documents do not say."})
    steps.add_edge(START, "answer")
    steps.add_conditional_edges("answer", carried, ["show", "decline"])
    steps.add_edge("show", END)
    steps.add_edge("decline", END)
    return steps.compile()


if __name__ == "__main__":  # python examples/langgraph_node.py manual "Which port is the default?"
    print(graph(Assistant(sys.argv[1])).invoke({"question": sys.argv[2]})["text"])
