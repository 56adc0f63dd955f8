"""A domain as LlamaIndex's retriever, and a query engine whose answers the domain writes."""

import sys

from llama_index.core import QueryBundle
from llama_index.core.base.response.schema import Response
from llama_index.core.query_engine import CustomQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, TextNode

from hybrid import Assistant, Hit


def node(hit: Hit) -> NodeWithScore:
    chunk = hit.chunk
    about = {"source": chunk.source, "page": chunk.page, "start": chunk.start, "end": chunk.end}
    found = TextNode(id_=f"{chunk.source}#{chunk.ordinal}", text=chunk.text, metadata=about)
    return NodeWithScore(node=found, score=hit.score)


class DomainRetriever(BaseRetriever):
    def __init__(self, assistant: Assistant, *, k: int = 6) -> None:
        super().__init__()
        self.assistant, self.k = assistant, k

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [node(hit) for hit in self.assistant.search(query_bundle.query_str, arm=f"rag:k={self.k}")]


class DomainQueryEngine(CustomQueryEngine):
    assistant: Assistant

    def custom_query(self, query_str: str) -> Response:
        answer = self.assistant.ask(query_str)
        return Response(answer.text, source_nodes=[node(hit) for hit in answer.hits])


if __name__ == "__main__":  # python examples/llamaindex_retriever.py manual "Which port is the default?"
    print(DomainQueryEngine(assistant=Assistant(sys.argv[1])).query(sys.argv[2]))
