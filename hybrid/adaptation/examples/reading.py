"""Examples of reading: passages as retrieval gives them, a verbatim quote and then the answer, or neither.

Takes questions with evidence and a retriever, gives examples in the layout in which the quoting reader asks
(after RAFT, Zhang et al. 2024, arXiv:2403.10131). Knows nothing about who may be trained on what.

Every question is asked with the passage that answers it among others that retrieval confuses with it. Some
are asked a second time without: the same question has an answer or none, as the passages have it, so that
there is nothing to learn from the question alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hybrid.adaptation.examples.quotes import Quote, find_quote
from hybrid.adaptation.examples.swapping import other_answer, swapped
from hybrid.adaptation.values import Example, ExampleKind
from hybrid.config import GenerationSettings
from hybrid.files import hash_text
from hybrid.generation.focus import focus_all
from hybrid.generation.prompts import Passage, load_prompts
from hybrid.generation.quoting import completion
from hybrid.questions.corpus import chunks_of
from hybrid.questions.splits import unit_hash
from hybrid.retrieval import Retriever
from hybrid.text.words import contains
from hybrid.types import Chunk, Document, Hit, Question

# So many hits are looked through for passages that do not hold the answer.
_DEPTH = 24
# What is shown is picked from so many of them, as a reader picks the best of its hits.
_POOL = 4
# How often fewer passages are shown than the reader will see, to teach it not to count.
_FEWER = 0.3

# What the examples are made by whose passages say something else than the document.
SWAPPED = "swapped"
WITHOUT_SHARE = 0.2
NEAR_MISS_SHARE = 0.1
# What the examples without the passage that answers are made by.
WITHOUT = "without"
NEAR_MISS = "near-miss"


@dataclass(frozen=True, slots=True)
class _Ask:
    """A question with hits to show; the first one holds the quote, where there is one."""

    question: Question
    hits: tuple[Hit, ...]
    quote: Quote | None = None
    made: str = ""


def reading_examples(
    questions: Sequence[Question],
    retriever: Retriever,
    settings: GenerationSettings,
    *,
    seed: int,
    sources: frozenset[str] | None = None,
    without: float = WITHOUT_SHARE,
    near_miss: float = NEAR_MISS_SHARE,
    swaps: float = 0.15,
) -> list[Example]:
    """Return what teaches to read; a question without a short enough quote gives nothing.

    Args:
        questions: with evidence. Unanswerable ones are asked with what retrieval brings all the same.
        retriever: the one that will serve.
        settings: how many passages of how many tokens the reader sees, and in which language it is told so.
        seed: another one picks and shuffles differently.
        sources: the documents that passages may be taken from; None takes them from all.
        without: share of the examples that show only passages of other documents, none with the answer.
        near_miss: share that show other passages of the right document; both end in the abstention.
        swaps: share of those with an answer where another answer was put into passage and quote.
    """
    answerable = [question for question in questions if question.answerable and question.evidence]
    quotes = _quotes(answerable, retriever, settings)
    open_ = [question for question in questions if not question.answerable]
    hits = _hits([*(quote.question for quote in quotes), *open_], retriever, sources)
    found, brought = hits[: len(quotes)], hits[len(quotes) :]
    share = 1 / max(1 - without - near_miss, 0.1)
    near = round(len(quotes) * near_miss * share)
    far = round(len(quotes) * without * share)
    order = sorted(
        range(len(quotes)), key=lambda place: unit_hash("reading", str(seed), quotes[place].question.id)
    )
    asks = [_with_golden(quote, ranking) for quote, ranking in zip(quotes, found, strict=True)]
    asks += [_near_miss(quotes[place], found[place], retriever) for place in order[:near]]
    asks += [_without(quotes[place], found[place]) for place in order[near : near + far]]
    asks += [
        _Ask(question, tuple(ranking), made=question.made)
        for question, ranking in zip(open_, brought, strict=True)
    ]
    return _examples([ask for ask in asks if ask.hits], retriever, settings, seed, swaps)


def _quotes(questions: Sequence[Question], retriever: Retriever, settings: GenerationSettings) -> list[Quote]:
    """Return the quotes of the questions that have one; each document is read once."""
    documents: dict[str, tuple[Document | None, list[Chunk]]] = {}
    found: list[Quote] = []
    for question in questions:
        source = question.evidence[0].source
        if source not in documents:
            document = retriever.index.document(source)
            documents[source] = document, chunks_of(retriever.index, source) if document else []
        document, chunks = documents[source]
        if document is not None:
            quote = find_quote(question, document, chunks, retriever.embedder, support=settings.support)
            found += [quote] if quote else []
    return found


def _hits(
    questions: Sequence[Question], retriever: Retriever, sources: frozenset[str] | None
) -> list[list[Hit]]:
    deep = dataclasses.replace(retriever.settings, k=max(_DEPTH, retriever.settings.k))
    search = dataclasses.replace(retriever, settings=deep).search_all
    found = search(
        [question.text for question in questions], exclude=[question.withheld for question in questions]
    )
    return [[hit for hit in hits if sources is None or hit.chunk.source in sources] for hits in found]


def _with_golden(quote: Quote, found: Sequence[Hit]) -> _Ask:
    others = [hit for hit in found if _is_other(hit.chunk, quote)]
    return _Ask(quote.question, (Hit(quote.chunk, 1.0), *others[:_POOL]), quote, quote.question.made)


def _near_miss(quote: Quote, found: Sequence[Hit], retriever: Retriever) -> _Ask:
    """Show the right document: what retrieval finds of it, then what stands around the quote."""
    source = quote.evidence.source
    hits = [hit for hit in found if hit.chunk.source == source]
    known = {hit.chunk.ordinal for hit in hits}
    around = sorted(
        chunks_of(retriever.index, source), key=lambda chunk: abs(chunk.ordinal - quote.chunk.ordinal)
    )
    hits += [Hit(chunk, 0.0) for chunk in around if chunk.ordinal not in known]
    return _Ask(
        quote.question, tuple(hit for hit in hits if _is_other(hit.chunk, quote))[:_POOL], made=NEAR_MISS
    )


def _without(quote: Quote, found: Sequence[Hit]) -> _Ask:
    source = quote.evidence.source
    others = [hit for hit in found if hit.chunk.source != source and not _answers(hit.chunk, quote.question)]
    return _Ask(quote.question, tuple(others[:_POOL]), made=WITHOUT)


def _is_other(chunk: Chunk, quote: Quote) -> bool:
    """Tell whether a chunk neither holds the quote nor an answer."""
    span = quote.evidence.span
    assert span is not None, "quotes are made with their offsets"
    overlapping = chunk.source == quote.evidence.source and chunk.start < span.end and span.start < chunk.end
    return not overlapping and not _answers(chunk, quote.question)


def _answers(chunk: Chunk, question: Question) -> bool:
    return any(contains(chunk.embedded_text, answer) for answer in question.answers)


def _examples(
    asks: Sequence[_Ask], retriever: Retriever, settings: GenerationSettings, seed: int, swaps: float
) -> list[Example]:
    """Cut the hits to passages as the reader will get them, all in one call, and put them in any order."""
    focused = focus_all(
        [ask.question.text for ask in asks],
        [ask.hits[: _POOL + 1] for ask in asks],
        retriever.embedder,
        passages=_POOL + 1,
        tokens=settings.passage_tokens,
        holding=[ask.quote.evidence if ask.quote else None for ask in asks],
    )
    quotes = [ask.quote for ask in asks if ask.quote]
    examples: list[Example] = []
    for ask, focus in zip(asks, focused, strict=True):
        chance = _chance(ask, seed)
        most = settings.passages
        count = most if chance.random() >= _FEWER else int(chance.integers(1, most + 1))
        if ask.quote is None:
            passages, _ = _shuffled(focus.passages[:count], chance)
            examples.append(_declined(ask, passages, settings))
            continue
        # a quote that begins behind the end of its passage is longer than a passage may be
        for golden in [passage for passage in focus.passages if _holds(passage, ask.quote)][:1]:
            others = [passage for passage in focus.passages if passage is not golden]
            other = other_answer(ask.quote, quotes, chance) if chance.random() < swaps else ""
            passage, quoted = (
                swapped(golden, ask.quote, other) if other else (golden, ask.quote.evidence.quote)
            )
            passages, number = _shuffled([passage, *others][:count], chance)
            said = completion(quoted, number, other or ask.quote.answer)
            made = SWAPPED if other else ask.made
            prompt = load_prompts(settings.language).quoting(ask.question.text, passages)
            examples.append(Example(ExampleKind.READING, prompt, said, source=ask.question.unit, made=made))
    return examples


def _shuffled(passages: Sequence[Passage], chance: np.random.Generator) -> tuple[list[Passage], int]:
    """Return the passages in any order, numbered, and the number of the one that was first."""
    order = chance.permutation(len(passages))
    shown = [
        dataclasses.replace(passages[place], number=number) for number, place in enumerate(order, start=1)
    ]
    return shown, int(np.argmin(order)) + 1


def _declined(ask: _Ask, shown: Sequence[Passage], settings: GenerationSettings) -> Example:
    prompts = load_prompts(settings.language)
    prompt = prompts.quoting(ask.question.text, shown)
    return Example(
        ExampleKind.ABSTENTION, prompt, prompts.abstention, source=ask.question.unit, made=ask.made
    )


def _holds(passage: Passage, quote: Quote) -> bool:
    span = quote.evidence.span
    assert span is not None, "quotes are made with their offsets"
    inside = passage.span.start <= span.start and span.end <= passage.span.end
    return inside and passage.source == quote.evidence.source


def _chance(ask: _Ask, seed: int) -> np.random.Generator:
    """Return a source of chance that no other question moves."""
    return np.random.default_rng(int(hash_text(str(seed), ask.made, ask.question.id)[:16], 16))
