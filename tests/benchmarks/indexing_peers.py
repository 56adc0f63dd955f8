"""The steps of ``indexing.py`` that run in the peers' own environment; started by it, not by hand.

Each framework builds a vector index with all its defaults, the embedder apart, and saves it. With
``texts`` it is given ready chunks, so that it neither reads nor splits; without, it reads the folder
and splits as it does when nothing is set.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from measure import Values, serve_steps


def _langchain(arguments: Values) -> Values:
    begun = time.perf_counter()
    from langchain_community.vectorstores import FAISS
    from langchain_huggingface import HuggingFaceEmbeddings

    embeddings = HuggingFaceEmbeddings(model_name=arguments["model"])
    embeddings.embed_documents(["warm up"])
    loaded = time.perf_counter()
    documents = _langchain_documents(arguments)
    FAISS.from_documents(documents, embeddings).save_local(arguments["out"])
    ended = time.perf_counter()
    return {"load": loaded - begun, "seconds": ended - loaded, "chunks": len(documents)}


def _langchain_documents(arguments: Values) -> list[Any]:
    from langchain_community.document_loaders import DirectoryLoader, TextLoader
    from langchain_core.documents import Document
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    if arguments["texts"]:
        return [Document(page_content=text) for text in _read_texts(arguments["texts"])]
    found = DirectoryLoader(arguments["folder"], glob="**/*.txt", loader_cls=TextLoader).load()
    return RecursiveCharacterTextSplitter().split_documents(found)


def _llamaindex(arguments: Values) -> Values:
    begun = time.perf_counter()
    import faiss
    from llama_index.core import StorageContext, VectorStoreIndex
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding
    from llama_index.vector_stores.faiss import FaissVectorStore

    embedder = HuggingFaceEmbedding(model_name=arguments["model"])
    dimension = len(embedder.get_text_embedding("warm up"))
    loaded = time.perf_counter()
    nodes = _llamaindex_nodes(arguments)
    store = FaissVectorStore(faiss_index=faiss.IndexFlatIP(dimension))
    context = StorageContext.from_defaults(vector_store=store)
    index = VectorStoreIndex(nodes, storage_context=context, embed_model=embedder)
    index.storage_context.persist(arguments["out"])
    ended = time.perf_counter()
    return {"load": loaded - begun, "seconds": ended - loaded, "chunks": len(nodes)}


def _llamaindex_nodes(arguments: Values) -> Sequence[Any]:
    from llama_index.core import SimpleDirectoryReader
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.schema import TextNode

    if arguments["texts"]:
        return [TextNode(text=text) for text in _read_texts(arguments["texts"])]
    found = SimpleDirectoryReader(arguments["folder"], recursive=True).load_data()
    return SentenceSplitter().get_nodes_from_documents(found)


def _count(arguments: Values) -> Values:
    """Count the tokens of what each framework embeds, and those before the embedder cuts the rest off."""
    from llama_index.core.schema import MetadataMode
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

    limit = int(SentenceTransformer(arguments["model"]).max_seq_length or 512)
    tokenizer = Tokenizer.from_file(str(Path(arguments["model"]) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = {
        "LangChain": [document.page_content for document in _langchain_documents(arguments)],
        "LlamaIndex": [node.get_content(MetadataMode.EMBED) for node in _llamaindex_nodes(arguments)],
    }
    counts: Values = {}
    for name, embedded in texts.items():
        lengths = [len(encoding) for encoding in tokenizer.encode_batch_fast(embedded)]
        counts[name] = {"tokens": sum(lengths), "seen": sum(min(length, limit) for length in lengths)}
    return counts


def _read_texts(path: str) -> list[str]:
    texts: list[str] = json.loads(Path(path).read_text(encoding="utf-8"))
    return texts


if __name__ == "__main__":
    serve_steps({"langchain": _langchain, "llamaindex": _llamaindex, "count": _count})
    raise SystemExit("this script is started by indexing.py")
