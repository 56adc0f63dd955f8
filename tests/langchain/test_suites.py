"""LangChain's own suites for retrievers, embeddings, vector stores and chat models."""

import pytest
from langchain_tests.integration_tests import (
    ChatModelIntegrationTests,
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    VectorStoreIntegrationTests,
)
from langchain_tests.unit_tests import ChatModelUnitTests, EmbeddingsUnitTests

from hybrid.langchain import ChatHybrid, HybridEmbeddings, HybridRetriever, HybridVectorStore
from hybrid.testing import HashEmbedder

pytestmark = pytest.mark.slow


class TestRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _domain(self, manual):
        self.assistant = manual

    retriever_constructor = HybridRetriever
    retriever_query_example = "When does the server restart?"

    @property
    def retriever_constructor_params(self):
        return {"assistant": self.assistant}


class TestEmbeddings(EmbeddingsIntegrationTests):
    embeddings_class = HybridEmbeddings

    @property
    def embedding_model_params(self):
        return {"embedder": HashEmbedder(16)}


class TestEmbeddingsAlone(EmbeddingsUnitTests):
    embeddings_class = HybridEmbeddings

    @property
    def embedding_model_params(self):
        return {"embedder": HashEmbedder(16)}


class TestVectorStore(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, empty):
        return HybridVectorStore(empty)


class _Chat:
    chat_model_class = ChatHybrid
    has_tool_calling = False
    has_structured_output = False
    supports_model_override = True
    model_override_value = "base"

    @pytest.fixture(autouse=True)
    def _domain(self, manual):
        self.assistant = manual

    @property
    def chat_model_params(self):
        return {"assistant": self.assistant, "model": "rag"}


class TestChat(_Chat, ChatModelIntegrationTests):
    pass


class TestChatAlone(_Chat, ChatModelUnitTests):
    pass
