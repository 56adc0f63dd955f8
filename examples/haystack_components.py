"""A domain as Haystack's components: one finds passages, one answers. Haystack reports its use elsewhere
unless HAYSTACK_TELEMETRY_ENABLED=False is set."""

from __future__ import annotations

import sys

from haystack import Document, GeneratedAnswer, Pipeline, component

from hybrid import Assistant, Hit


def document(hit: Hit) -> Document:
    chunk = hit.chunk
    about = {"source": chunk.source, "page": chunk.page, "start": chunk.start, "end": chunk.end}
    identity = f"{chunk.source}#{chunk.ordinal}"
    return Document(id=identity, content=chunk.text, meta=about, score=hit.score)


@component
class DomainRetriever:
    def __init__(self, assistant: Assistant, top_k: int = 6) -> None:
        self.assistant, self.top_k = assistant, top_k

    @component.output_types(documents=list[Document])
    def run(self, query: str, top_k: int | None = None) -> dict[str, list[Document]]:
        hits = self.assistant.search(query, arm=f"rag:k={top_k or self.top_k}")
        return {"documents": [document(hit) for hit in hits]}


@component
class DomainAnswerer:
    def __init__(self, assistant: Assistant, arm: str | None = None) -> None:
        self.assistant, self.arm = assistant, arm

    @component.output_types(answers=list[GeneratedAnswer])
    def run(self, query: str) -> dict[str, list[GeneratedAnswer]]:
        answer = self.assistant.ask(query, arm=self.arm)
        about = {"arm": answer.variant, "abstained": answer.abstained}
        found = [document(hit) for hit in answer.hits]
        return {"answers": [GeneratedAnswer(answer.text, query, documents=found, meta=about)]}


def pipeline(assistant: Assistant) -> Pipeline:
    steps = Pipeline()
    steps.add_component("answerer", DomainAnswerer(assistant))
    return steps


if __name__ == "__main__":  # python examples/haystack_components.py manual "Which port is the default?"
    found = pipeline(Assistant(sys.argv[1])).run({"answerer": {"query": sys.argv[2]}})
    print(found["answerer"]["answers"][0].data)
