"""Names of spans and attributes: OpenTelemetry's GenAI conventions v0.1.0, and OpenInference's kinds."""

from __future__ import annotations

from enum import StrEnum


class SpanKind(StrEnum):
    """What a stage is, in OpenInference's words."""

    CHAIN = "CHAIN"
    DECISION = "DECISION"
    EMBEDDING = "EMBEDDING"
    EVALUATOR = "EVALUATOR"
    LLM = "LLM"
    RERANKER = "RERANKER"
    RETRIEVER = "RETRIEVER"


class TraceOutcome(StrEnum):
    """What became of a question."""

    ANSWERED = "answered"
    DECLINED = "declined"
    INCOMPLETE = "incomplete"
    REFUSED = "refused"
    ERROR = "error"
    CANCELLED = "cancelled"


# Stages. Every question has one span ASK, which all that was done for it is below.
ASK = "ask"
ASIDE = (
    "ask aside"  # the same of what no person asked: in the shadow of an answer, or for the title of a chat
)
ROUTE_DOMAIN = "route domain"
ROUTE_ARM = "route arm"
RETRIEVE = "retrieve"
EMBED = "embed"
RERANK = "rerank"
ANSWER = "answer"
CHOOSE = "choose"
GENERATE = "generate"
JUDGE = "judge"
INDEX = "index"
REEMBED = "reembed"
PUBLISH = "publish"

KIND = "openinference.span.kind"
ERROR_TYPE = "error.type"

# Of ASK.
DOMAIN = "hybrid.domain"
ARM = "hybrid.arm"  # as it was named, such as rag:k=3
ARM_NAMED = "hybrid.arm.named"  # whether who asked chose it
OUTCOME = "hybrid.outcome"
READER = "hybrid.reader"
CONFIDENCE = "hybrid.confidence"
GROUNDEDNESS = (
    "hybrid.groundedness"  # share of the judged claims that the passages carry, where it was judged
)
TOP_SCORE = "hybrid.retrieval.top_score"
TOP_COSINE = "hybrid.retrieval.top_cosine"
INDEX_GENERATION = "hybrid.index.generation"
PROMPT_DIGEST = "hybrid.prompt.digest"
# On which side of random planes the question's embedding lies: enough to see questions drift, too little to
# tell one. It stays on this machine.
QUESTION_VECTOR = "hybrid.question.vector"
CONVERSATION = "gen_ai.conversation.id"
ANSWER_ID = "gen_ai.response.id"  # by which a server names the answer
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"  # seconds

# Of single stages.
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
AGENT = "gen_ai.agent.name"
MODEL = "gen_ai.request.model"
MAX_TOKENS = "gen_ai.request.max_tokens"
DATA_SOURCE = "gen_ai.data_source.id"
TOP_K = "gen_ai.retrieval.top_k"
DIMENSIONS = "gen_ai.embeddings.dimension.count"
EVALUATION = "gen_ai.evaluation.name"
EVALUATION_SCORE = "gen_ai.evaluation.score.value"
DECISION_SYSTEM = "decision.system"
DECISION_MODEL = "decision.model_name"
ROUTED = "hybrid.route"
ROUTE_PROBABILITY = "hybrid.route.probability"
ITEMS = "hybrid.items"  # how many texts, hits or claims the stage took
TOGETHER = "hybrid.together"  # how many questions the stage was done for at once, where more than one

# Content, which is kept only where that was asked for.
INPUT = "input.value"
OUTPUT = "output.value"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
QUERY = "gen_ai.retrieval.query.text"
DOCUMENT_ID = "retrieval.documents.{}.document.id"
DOCUMENT_CONTENT = "retrieval.documents.{}.document.content"
DOCUMENT_SCORE = "retrieval.documents.{}.document.score"

# What no other machine is sent.
LOCAL = frozenset({QUESTION_VECTOR})
# What the conventions want of every span of a kind.
OF_KIND: dict[SpanKind, dict[str, str]] = {
    SpanKind.LLM: {OPERATION: "chat", PROVIDER: "hybrid"},
    SpanKind.EMBEDDING: {OPERATION: "embeddings", PROVIDER: "hybrid"},
    SpanKind.RETRIEVER: {OPERATION: "retrieval", PROVIDER: "hybrid"},
    SpanKind.DECISION: {DECISION_SYSTEM: "hybrid"},
}
