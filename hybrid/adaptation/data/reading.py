"""Reading comprehension with quotes: passages, a verbatim quote and the answer, or the abstention."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from hybrid.adaptation.values import Example, ExampleKind, PreferencePair
from hybrid.config import GenerationSettings, Reader
from hybrid.files import hash_text
from hybrid.generation.prompts import Passage, load_prompts
from hybrid.generation.quoting import bears_out, completion, locate
from hybrid.generation.ranking import focus_all
from hybrid.questions.sets import chunks_of
from hybrid.questions.splits import unit_hash
from hybrid.retrieval import Retriever
from hybrid.text.sentences import pieces
from hybrid.text.words import contains, content_words, overlaps
from hybrid.types import CELLS, Chunk, Document, Evidence, Hit, Question, Span, TokenCounter

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

# A quote is what one reads at a glance: so many tokens of several sentences, or one sentence with a few more.
QUOTE_TOKENS = 40
_WHOLE_SENTENCE = 56
# How many of the question's words a token more has to bring, as a share.
_TOKEN_WORTH = 0.004
_SENTENCES = 3

# So often one of the same kind is looked for that fits.
_TRIES = 8


@dataclass(frozen=True, slots=True)
class _Ask:
    """A question with hits to show; the first one holds the quote, where there is one.

    ``withheld`` is the quote that is not shown.
    """

    question: Question
    hits: tuple[Hit, ...]
    quote: Quote | None = None
    made: str = ""
    withheld: Quote | None = None


@dataclass(frozen=True, slots=True)
class ReadingLesson:
    """What teaches to read (after RAFT, Zhang et al. 2024, arXiv:2403.10131), made of questions.

    Every question is asked with the passage that answers it among others that retrieval confuses with it.
    Some are asked a second time without: the same question has an answer or none, as the passages have it, so
    that there is nothing to learn from the question alone. One without a short enough quote gives nothing.

    ``sources`` are the documents that passages may be taken from, None all. ``without`` is the share of the
    examples that show only passages of other documents, none with the answer, ``near_miss`` the share that
    show other passages of the right document; both end in the abstention. ``swaps`` is the share of those
    with an answer where another answer was put into passage and quote.
    """

    retriever: Retriever
    settings: GenerationSettings
    seed: int
    sources: frozenset[str] | None = None
    without: float = WITHOUT_SHARE
    near_miss: float = NEAR_MISS_SHARE
    swaps: float = 0.15
    reader: Reader = Reader.QUOTING

    @property
    def even(self) -> ReadingLesson:
        """Return it with every question as often without its answer as with it, and no answer exchanged."""
        return replace(self, without=0.25, near_miss=0.25, swaps=0.0)

    def examples(self, questions: Sequence[Question]) -> list[Example]:
        """Return examples: an answer with its quote, or the abstention."""
        return [example for example, _ in self._both_sides(questions)]

    def pairs(self, questions: Sequence[Question]) -> list[PreferencePair]:
        """Return every question twice: with its passage the answer is better than declining, else it is not.

        What is worse without the passage is the right quote, which nobody can know there.
        """
        return [
            PreferencePair(example.prompt, example.completion, worse, example.source, example.made)
            for example, worse in self._both_sides(questions)
            if worse
        ]

    def _both_sides(self, questions: Sequence[Question]) -> list[tuple[Example, str]]:
        """Return examples, each with what would be wrong to write there; empty where that is not known."""
        quotes = self._quotes([one for one in questions if one.answerable and one.evidence])
        open_ = [question for question in questions if not question.answerable]
        hits = self._hits([*(quote.question for quote in quotes), *open_])
        found, brought = hits[: len(quotes)], hits[len(quotes) :]
        share = 1 / max(1 - self.without - self.near_miss, 0.1)
        near = round(len(quotes) * self.near_miss * share)
        far = round(len(quotes) * self.without * share)
        ids = [quote.question.id for quote in quotes]
        order = sorted(range(len(quotes)), key=lambda place: unit_hash("reading", str(self.seed), ids[place]))
        asks = [_with_golden(quote, ranking) for quote, ranking in zip(quotes, found, strict=True)]
        asks += [_near_miss(quotes[place], found[place], self.retriever) for place in order[:near]]
        asks += [_without(quotes[place], found[place]) for place in order[near : near + far]]
        asks += [
            _Ask(own, tuple(ranking), made=own.made) for own, ranking in zip(open_, brought, strict=True)
        ]
        return self._laid_out([ask for ask in asks if ask.hits])

    def _quotes(self, questions: Sequence[Question]) -> list[Quote]:
        """Return the quotes of the questions that have one; each document is read once."""
        index, embedder = self.retriever.index, self.retriever.embedder
        documents: dict[str, tuple[Document | None, list[Chunk]]] = {}
        found: list[Quote] = []
        for question in questions:
            source = question.evidence[0].source
            if source not in documents:
                document = index.document(source)
                documents[source] = document, chunks_of(index, source) if document else []
            document, chunks = documents[source]
            if document is not None:
                quote = find_quote(question, document, chunks, embedder, support=self.settings.support)
                found += [quote] if quote else []
        return found

    def _hits(self, questions: Sequence[Question]) -> list[list[Hit]]:
        deep = replace(self.retriever.settings, k=max(_DEPTH, self.retriever.settings.k))
        found = replace(self.retriever, settings=deep).search_all(
            [question.text for question in questions], exclude=[question.withheld for question in questions]
        )
        sources = self.sources
        return [[hit for hit in hits if sources is None or hit.chunk.source in sources] for hits in found]

    def _laid_out(self, asks: Sequence[_Ask]) -> list[tuple[Example, str]]:
        """Cut the hits to passages as the reader will get them, in one call, and put them in any order."""
        focused = focus_all(
            [ask.question.text for ask in asks],
            [ask.hits[: _POOL + 1] for ask in asks],
            self.retriever.embedder,
            passages=_POOL + 1,
            tokens=self.settings.passage_tokens,
            holding=[ask.quote.evidence if ask.quote else None for ask in asks],
        )
        quotes = [ask.quote for ask in asks if ask.quote]
        prompts = load_prompts(self.settings.language, self.settings.prompt)
        layout = prompts.quoting if self.reader is Reader.QUOTING else prompts.rag
        examples: list[tuple[Example, str]] = []
        for ask, focus in zip(asks, focused, strict=True):
            # a source of chance that no other question moves
            chance = np.random.default_rng(int(hash_text(str(self.seed), ask.made, ask.question.id)[:16], 16))
            most = self.settings.passages
            count = most if chance.random() >= _FEWER else int(chance.integers(1, most + 1))
            if ask.quote is None:
                passages, number = _shuffled(focus.passages[:count], chance)
                prompt, said = layout(ask.question.text, passages), prompts.abstention
                lost = ask.withheld
                worse = completion(lost.evidence.quote, number, lost.answer) if lost else ""
                made = Example(ExampleKind.ABSTENTION, prompt, said, ask.question.unit, ask.made)
                examples.append((made, worse))
                continue
            # a quote that begins behind the end of its passage is longer than a passage may be
            for golden in [passage for passage in focus.passages if _holds(passage, ask.quote)][:1]:
                others = [passage for passage in focus.passages if passage is not golden]
                other = other_answer(ask.quote, quotes, chance) if chance.random() < self.swaps else ""
                own = (golden, ask.quote.evidence.quote)
                passage, quoted = swapped(golden, ask.quote, other) if other else own
                passages, number = _shuffled([passage, *others][:count], chance)
                said = completion(quoted, number, other or ask.quote.answer)
                prompt, how = layout(ask.question.text, passages), SWAPPED if other else ask.made
                made = Example(ExampleKind.READING, prompt, said, ask.question.unit, how)
                examples.append((made, prompts.abstention))
        return examples


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
    others = tuple(hit for hit in hits if _is_other(hit.chunk, quote))[:_POOL]
    return _Ask(quote.question, others, made=NEAR_MISS, withheld=quote)


def _without(quote: Quote, found: Sequence[Hit]) -> _Ask:
    source = quote.evidence.source
    others = [hit for hit in found if hit.chunk.source != source and not _answers(hit.chunk, quote.question)]
    return _Ask(quote.question, tuple(others[:_POOL]), made=WITHOUT, withheld=quote)


def _is_other(chunk: Chunk, quote: Quote) -> bool:
    """Tell whether a chunk neither holds the quote nor an answer."""
    span = quote.evidence.span
    assert span is not None, "quotes are made with their offsets"
    overlapping = chunk.source == quote.evidence.source and chunk.start < span.end and span.start < chunk.end
    return not overlapping and not _answers(chunk, quote.question)


def _answers(chunk: Chunk, question: Question) -> bool:
    return any(contains(chunk.embedded_text, answer) for answer in question.answers)


def _shuffled(passages: Sequence[Passage], chance: np.random.Generator) -> tuple[list[Passage], int]:
    """Return the passages in any order, numbered, and the number of the one that was first."""
    order = chance.permutation(len(passages))
    shown = [replace(passages[place], number=number) for number, place in enumerate(order, start=1)]
    return shown, int(np.argmin(order)) + 1


def _holds(passage: Passage, quote: Quote) -> bool:
    span = quote.evidence.span
    assert span is not None, "quotes are made with their offsets"
    inside = passage.span.start <= span.start and span.end <= passage.span.end
    return inside and passage.source == quote.evidence.source


@dataclass(frozen=True, slots=True)
class Quote:
    """A question, the stretch that answers it, the chunk that holds it, and the answer in short."""

    question: Question
    evidence: Evidence
    chunk: Chunk
    answer: str


def find_quote(
    question: Question, document: Document, chunks: Sequence[Chunk], counter: TokenCounter, *, support: float
) -> Quote | None:
    """Return the quote that shares most with the question; None where no stretch bears an answer out.

    ``support``: the share of its content words that an answer must find in the quote.
    """
    for evidence in question.evidence:
        span = evidence.span or locate(evidence.quote, document.text)
        if evidence.source != document.source or span is None:
            continue
        for stretch in _stretches(question, document.text, span, counter):
            quote = document.text[stretch.start : stretch.end]
            chunk = next((c for c in chunks if c.start <= stretch.start and stretch.end <= c.end), None)
            answer = chunk and _answer(question, quote, chunk, support)
            if chunk and answer:
                return Quote(question, Evidence(document.source, quote, stretch), chunk, answer)
    return None


def _answer(question: Question, quote: str, chunk: Chunk, support: float) -> str:
    """Return the first answer that stands in the quote, or is borne out by it; empty if none is."""
    whole = [answer for answer in question.answers if contains(quote, answer)]
    parts = [answer for answer in question.answers if answer and answer in quote]
    title = " ".join(chunk.headings)
    others = [a for a in question.answers if bears_out(f"{title}\n{quote}", a, threshold=support)]
    return next(iter((*whole, *parts, *others)), "")


def _stretches(question: Question, text: str, span: Span, counter: TokenCounter) -> Iterator[Span]:
    """Yield runs of sentences of the evidence that are short enough, those with an answer first."""
    inner = text[span.start : span.end]
    rows = [row for piece in pieces(inner) for row in _rows(inner, piece)]
    own = [Span(span.start + row.start, span.start + row.end) for row in rows]
    counts = counter.count_tokens([text[piece.start : piece.end] for piece in own]) if own else []
    runs: list[tuple[Span, int]] = []
    for first, piece in enumerate(own):
        if counts[first] > _WHOLE_SENTENCE:
            runs.append((_cut(question, text, piece, counter), QUOTE_TOKENS))
            continue
        runs.append((piece, counts[first]))
        tokens = counts[first]
        for last in range(first + 1, min(first + _SENTENCES, len(own))):
            tokens += counts[last]
            # a row of a table is quoted alone
            if tokens > QUOTE_TOKENS or CELLS in text[piece.start : own[last].end]:
                break
            runs.append((Span(piece.start, own[last].end), tokens))
    texts = [text[run.start : run.end] for run, _ in runs]
    shares = overlaps(question.text, texts)
    worth = [
        any(contains(quote, answer) for answer in question.answers) + share - _TOKEN_WORTH * tokens
        for quote, share, (_, tokens) in zip(texts, shares, runs, strict=True)
    ]
    for place in sorted(range(len(runs)), key=lambda place: -worth[place]):
        yield runs[place][0]


def _rows(text: str, piece: Span) -> list[Span]:
    """Return the rows of a table, each of which says something alone; of anything else the whole."""
    lines = text[piece.start : piece.end].split("\n")
    if len(lines) < 2 or not all(CELLS in line for line in lines):
        return [piece]
    starts = list(accumulate((len(line) + 1 for line in lines), initial=piece.start))
    return [Span(start, start + len(line)) for start, line in zip(starts, lines, strict=False)]


def _cut(question: Question, text: str, piece: Span, counter: TokenCounter) -> Span:
    """Return the part of a long sentence that ends with an answer, or begins the sentence."""
    inner = text[piece.start : piece.end]
    tokens = counter.token_spans(inner)
    ends = [inner.find(answer) + len(answer) for answer in question.answers if answer in inner]
    end = min(ends, default=0)
    # whole words, and some of what follows the answer: it may be the half that tells what is meant
    last = next((n for n, token in enumerate(tokens) if token.end >= end), 0)
    first = max(0, min(last - QUOTE_TOKENS // 2, len(tokens) - QUOTE_TOKENS))
    first = 0 if last < QUOTE_TOKENS else first
    begin = _word_start(inner, tokens[first].start)
    stop = _word_start(inner, tokens[min(first + QUOTE_TOKENS, len(tokens)) - 1].end)
    return Span(piece.start + begin, piece.start + max(stop, min(end, len(inner)), begin + 1))


def _word_start(text: str, place: int) -> int:
    """Return the nearest border of a word at or before a place."""
    while 0 < place < len(text) and not text[place - 1].isspace() and not text[place].isspace():
        place -= 1
    return place


def other_answer(quote: Quote, quotes: Sequence[Quote], chance: np.random.Generator) -> str:
    """Return the answer to another question of the same kind; empty where none fits.

    Who learns from passages with another answer takes it from the passage and not from memory.
    """
    alike = [other for other in quotes if other.question.made == quote.question.made]
    if not _is_exchangeable(quote) or len(alike) < 2:
        return ""
    for place in chance.integers(0, len(alike), size=_TRIES):
        answer = alike[int(place)].answer
        apart = not set(content_words(answer)) & set(content_words(f"{quote.answer} {quote.question.text}"))
        if apart and _is_word(answer) == _is_word(quote.answer):
            return answer
    return ""


def swapped(passage: Passage, quote: Quote, answer: str) -> tuple[Passage, str]:
    """Return passage and quote with another answer in every place of the old one."""
    old = re.compile(rf"(?<![\w-]){re.escape(quote.answer)}(?!\w)")
    text = old.sub(lambda _: answer, passage.text)
    return replace(passage, text=text), old.sub(lambda _: answer, quote.evidence.quote)


def _is_exchangeable(quote: Quote) -> bool:
    """Tell whether the answer stands in the quote, and in nothing else that names the place."""
    named = f"{quote.question.text} {' '.join(quote.chunk.headings)}"
    there = re.search(rf"(?<![\w-]){re.escape(quote.answer)}(?!\w)", quote.evidence.quote)
    return there is not None and not contains(named, quote.answer)


def _is_word(answer: str) -> bool:
    """Tell words from numbers, so that one does not stand where the other is expected."""
    return answer[:1].isalpha()
