"""A domain inside LangChain: retriever, embeddings, vector store, chat model, runnable and decision model."""

from __future__ import annotations

from importlib.util import find_spec

from hybrid.errors import ExtraMissing

if find_spec("langchain_core") is None or find_spec("langchain_core.decisions") is None:
    raise ExtraMissing(
        "hybrid.langchain needs the package langchain-core, 1.8 or later",
        hint="pip install 'hybrid-assistant[langchain]'",
    )

from hybrid.langchain.chat import ChatHybrid, HybridDecisionModel, HybridRunnable
from hybrid.langchain.documents import HybridEmbeddings, HybridRetriever, HybridVectorStore, StoreVectors
from hybrid.operations.decisions import IS_CARRIED, NONE_OF_THESE, WHICH_ARM, WHICH_DOMAIN

__all__ = [
    "IS_CARRIED",
    "NONE_OF_THESE",
    "WHICH_ARM",
    "WHICH_DOMAIN",
    "ChatHybrid",
    "HybridDecisionModel",
    "HybridEmbeddings",
    "HybridRetriever",
    "HybridRunnable",
    "HybridVectorStore",
    "StoreVectors",
]
