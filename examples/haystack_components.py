"""A domain as Haystack's components; it reports its use unless HAYSTACK_TELEMETRY_ENABLED=False is set."""

import sys

from haystack import Document, GeneratedAnswer, component

from hybrid import Assistant, Hit


def document(hit: Hit) -> Document:
    chunk = hit.chunk
    about = {"source": chunk.source, "page": chunk.page, "start": chunk.start, "end": chunk.end}
    return Document(id=f"{chunk.source}#{chunk.ordinal}", content=chunk.text, meta=about, score=hit.score)


@component
class DomainRetriever:
    def __init__(self, assistant: Assistant, top_k: int = 6) -> None:
        self.assistant, self.top_k = assistant, top_k

    @component.output_types(documents=list[Document])
    def run(self, query: str, top_k: int | None = None) -> dict[str, list[Document]]:
        hits = self.assistant.search(query, arm=f"rag:k={top_k or self.top_k}")
        return {"documents": [*map(document, hits)]}


@component
class DomainAnswerer:
    def __init__(self, assistant: Assistant, arm: str | None = None) -> None:
        self.assistant, self.arm = assistant, arm

    @component.output_types(answers=list[GeneratedAnswer])
    def run(self, query: str) -> dict[str, list[GeneratedAnswer]]:
        answer = self.assistant.ask(query, arm=self.arm)
        about = {"arm": answer.variant, "abstained": answer.abstained}
        return {"answers": [GeneratedAnswer(answer.text, query, [*map(document, answer.hits)], about)]}


if __name__ == "__main__":  # python examples/haystack_components.py manual "Which port is the default?"
    print(DomainAnswerer(Assistant(sys.argv[1])).run(sys.argv[2])["answers"][0].data)
