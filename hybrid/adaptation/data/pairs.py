"""Query-passage pairs from a corpus without labels: synthetic queries, a round trip, hard negatives."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from hybrid.adaptation.data.examples import Sieve, counted
from hybrid.adaptation.data.material import Split
from hybrid.adaptation.values import Pairs, QueryPair
from hybrid.errors import UsageError
from hybrid.index import Index
from hybrid.questions.candidates import find_candidates
from hybrid.questions.checking import Seen, key_of
from hybrid.questions.sets import chunks_of, deep_search
from hybrid.questions.splits import in_turns, unit_hash
from hybrid.questions.wording import bare_heading, plain, sentence_body
from hybrid.retrieval import Retriever
from hybrid.text.abbreviations import find_abbreviations
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import LEANING
from hybrid.types import Chunk, Document, Hit, Question, Span

MIN_PAIRS = 8
# A query whose document is not among so many hits is too vague to learn from.
ROUND_TRIP = 10
_DEPTH = 40
_BATCH = 64
# A passage that is nearly as near to the query as the right one may be right as well.
_RELATIVE_MARGIN = 0.05
# Where no question set is to be kept from leaking.
ASKED_NOTHING = Sieve(())
_TWICE = "duplicate: there already in nearly the same words"
_LOST = f"vague: its document is not among the first {ROUND_TRIP} hits"
HEADING = "heading"
QUESTION = "question"
DEFINITION = "definition"
ACRONYM = "acronym"
CLAIM = "claim"
CLOZE = "cloze"
# Which share of the pairs a rule may aim at.
_SHARES = {HEADING: 0.3, CLAIM: 0.3, QUESTION: 0.15, CLOZE: 0.15, ACRONYM: 0.05, DEFINITION: 0.05}
# How often a sentence stays in the passage that it is to find.
_KEPT = 0.1
# How many words of a claim are left out, at least and at most: people remember the gist.
_CUT = (0.3, 0.5)
_SENTENCE_WORDS = range(8, 41)
_HEADING_WORDS = range(3, 31)
_FEWEST_WORDS = 4
_LAST_SENTENCES = 3
_PASSAGE = 80
# Listings and tables are searched for by what they are about, not by what they say.
_CODE = re.compile(r"[|={}<>\\$]|::|\(\)|\w\(\w|https?:|\n\s*\n")
# Ways to begin a sentence that say nothing about what it says.
_OPENING = re.compile(
    r"(?:in (?:conclusion|summary|addition|contrast|particular)|taken together|altogether|together|thus|"
    r"therefore|hence|collectively|overall|finally|moreover|furthermore|additionally|conclusions?:?|"
    r"importantly|interestingly|notably|consequently|here|however)[,:]?\s+",
    re.IGNORECASE,
)
_REPORTING = re.compile(
    r"(?:(?:these|those|our|the|this|present|current|such|we|here|it|is|was|been|has|have|stud(?:y|ies)|"
    r"results?|findings?|data|observations?|analys[ei]s|work|experiments?|evidence|reports?|from|also|now|"
    r"further|therefore|thus|clearly|strongly|together|authors?|paper|article)\s+|here,\s+)+"
    r"(?:shown?|shows|showed|suggest(?:s|ed)?|indicate(?:s|d)?|demonstrate(?:s|d)?|reveal(?:s|ed)?|"
    r"conclude(?:s|d)?|found|finds?|propose(?:s|d)?|report(?:s|ed)?|identif(?:y|ies|ied)|"
    r"establish(?:es|ed)?|confirm(?:s|ed)?|provide evidence|note(?:s|d)?)\s+that\s+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class PairSettings:
    """How many pairs are made, and how many negatives each of them has at the most."""

    count: int = 2_000
    validation: int = 200
    negatives: int = 4
    seed: int = 0


def make_pairs(
    retriever: Retriever,
    split: Split,
    settings: PairSettings,
    *,
    sieve: Sieve = ASKED_NOTHING,
    given: Sequence[QueryPair] = (),
    mix: bool = False,
) -> Pairs:
    """Return pairs for training and for validation, which share no document.

    Queries come from the documents themselves; one is kept only if retrieval brings its document back, so
    that what is learned is a search that can be won. Negatives are what retrieval confuses with the passage;
    those that may answer the query too are left out (the relative margin of NV-Retriever, Moreira et al.
    2024, arXiv:2407.15831).

    ``split``: of its documents; those that are held out are in no pair, not even as a negative. ``given``: a
    user's own pairs, which are all that is trained on. ``mix``: train on pairs that are made, too.
    """
    making = _PairMaking(retriever, settings, sieve, split.held_out)
    train = making.given(given, split.validation)
    train += making.pairs(split.training, settings.count) if mix or not given else []
    if len(train) < MIN_PAIRS:
        raise UsageError(
            f"the {'data' if given else 'corpus'} gives {len(train)} query-passage pairs, "
            f"expected {MIN_PAIRS} or more",
            hint="index more documents, or give pairs with --data FILE.jsonl",
        )
    validation = making.pairs(split.validation, settings.validation)
    return Pairs(tuple(train), tuple(validation), tuple(counted(making.left_out)))


def held_out_pairs(
    retriever: Retriever, sources: frozenset[str], *, count: int, seed: int, sieve: Sieve = ASKED_NOTHING
) -> list[QueryPair]:
    """Return pairs of documents that no training saw, to measure a gain on; they have no negatives."""
    settings = PairSettings(count, 0, negatives=0, seed=seed)
    return _PairMaking(retriever, settings, sieve, frozenset()).pairs(sources, count)


class _PairMaking:
    """What was seen and left out so far."""

    def __init__(
        self, retriever: Retriever, settings: PairSettings, sieve: Sieve, apart: frozenset[str]
    ) -> None:
        self._index, self._search = retriever.index, deep_search(retriever, depth=_DEPTH)
        self._settings, self._sieve, self._apart = settings, sieve, apart
        self._seen = Seen()
        self.left_out: list[str] = []

    def pairs(self, sources: frozenset[str], wanted: int) -> list[QueryPair]:
        """Return so many pairs of these documents, fewer where they give no more."""
        drafts = self._fresh(_spread(self._index, sources, seed=self._settings.seed))
        kept: list[QueryPair] = []
        while len(kept) < wanted and (batch := list(islice(drafts, min(_BATCH, wanted - len(kept))))):
            found = self._search([draft.query for draft in batch])
            for draft, hits in zip(batch, found, strict=True):
                if (pair := self._checked(draft, hits)) is not None:
                    kept.append(pair)
        return kept

    def given(self, given: Sequence[QueryPair], validation: frozenset[str]) -> list[QueryPair]:
        """Return the pairs of a user that may be trained on."""
        kept, seen = list[QueryPair](), set[QueryPair]()
        for pair in given:
            reason = "duplicate: given twice" if pair in seen else ""
            if pair.source in self._apart or pair.source in validation:
                reason = "held out: given, and of a document that is held out"
            elif not reason:
                reason = self._sieve.question(Question("", pair.query, source=pair.source))
            if reason:
                self.left_out.append(reason)
            else:
                kept.append(pair)
                seen.add(pair)
        return kept

    def _fresh(self, drafts: Iterator[Draft]) -> Iterator[Draft]:
        for draft in drafts:
            source = draft.chunk.source
            reason = _TWICE if self._seen.like(draft.query) else ""
            reason = reason or self._sieve.question(Question("", draft.query, source=source))
            if reason:
                self.left_out.append(reason)
                continue
            self._seen.add(draft.query, source)
            yield draft

    def _checked(self, draft: Draft, hits: Sequence[Hit]) -> QueryPair | None:
        source = draft.chunk.source
        own = next((hit for hit in hits[:ROUND_TRIP] if hit.chunk.source == source), None)
        if own is None:
            self.left_out.append(_LOST)
            return None
        confused = self._confused(own, hits)
        return QueryPair(
            query=draft.query,
            passage=draft.passage,
            source=source,
            made=draft.made,
            negatives=tuple(hit.chunk.embedded_text for hit in confused),
        )

    def _confused(self, own: Hit, hits: Sequence[Hit]) -> list[Hit]:
        """Return the best hits of other documents that are not as near to the query as the right one."""
        text, cosine = key_of(own.chunk.text), own.dense or 0.0
        rivals = (
            hit
            for hit in hits
            if hit.chunk.source != own.chunk.source
            and hit.chunk.source not in self._apart
            and hit.score < own.score
            and (hit.dense or 0.0) < (1 - _RELATIVE_MARGIN) * cosine
            and key_of(hit.chunk.text) != text
        )
        return list(islice(rivals, self._settings.negatives))


def _spread(index: Index, sources: frozenset[str], *, seed: int) -> Iterator[Draft]:
    """Yield one draft a document, then a second one of each, of the rule that is furthest below its share."""
    taken: Counter[str] = Counter()

    def left(source: str) -> Iterator[Draft]:
        document = index.document(source)
        assert document is not None, "sources come from the same generation"
        drafts = draft_queries(document, chunks_of(index, source), seed=seed)
        kinds: dict[str, list[Draft]] = {}
        for draft in sorted(drafts, key=lambda one: unit_hash(str(seed), one.chunk.source, one.query)):
            kinds.setdefault(draft.made, []).append(draft)
        while kinds:
            made = min(kinds, key=lambda kind: (taken[kind] / _SHARES[kind], kind))
            draft = kinds[made].pop()
            if not kinds[made]:
                del kinds[made]
            taken[made] += 1
            yield draft

    return in_turns(sources, left, seed=seed)


@dataclass(frozen=True, slots=True)
class Draft:
    """A query, the passage that it should find, and the chunk that the passage is."""

    query: str
    passage: str
    chunk: Chunk
    made: str


def draft_queries(document: Document, chunks: Sequence[Chunk], *, seed: int) -> list[Draft]:
    """Return what a document could be searched with, no query twice.

    Whether a query is a good one is checked later. A passage that holds its query word for word teaches to
    match words and nothing else. So a heading is taken off the passage that it finds, and a sentence out of
    it (the inverse cloze task, Lee et al. 2019, arXiv:1906.00300), but for one in ten.

    ``seed``: decides which words of a claim are cut, and where a sentence stays in its passage.
    """
    if not chunks:
        return []
    drafts = [*_headings(chunks), *_asked(document, chunks), *_sentences(chunks, seed=seed)]
    drafts += _in_other_words(document, tuple(drafts))
    found: dict[str, Draft] = {}
    for draft in drafts:
        if len(draft.passage) >= _PASSAGE and draft.query.strip():
            found.setdefault(draft.query.casefold(), draft)
    return list(found.values())


def _headings(chunks: Sequence[Chunk]) -> Iterator[Draft]:
    """Ask for the first chunk below every heading by that heading."""
    seen: set[tuple[str, ...]] = set()
    for chunk in chunks:
        if not chunk.headings or chunk.headings in seen:
            continue
        seen.add(chunk.headings)
        query = bare_heading(" ".join(chunk.headings[-1].split()))
        if len(query.split()) not in _HEADING_WORDS and len(chunk.headings) > 1:
            # a short heading is clear only below the one above it
            query = f"{bare_heading(' '.join(chunk.headings[-2].split()))}: {query}"
        if len(query.split()) in _HEADING_WORDS:
            passage = _with_headings(chunk.headings[:-1], _behind(query, chunk.text))
            yield Draft(query, passage, chunk, HEADING)


def _asked(document: Document, chunks: Sequence[Chunk]) -> Iterator[Draft]:
    """Ask the questions that question making finds; those for the meaning of a term are of their own kind."""
    starts = [chunk.start for chunk in chunks]
    for candidate in find_candidates(document, chunks):
        chunk = chunks[max(bisect_right(starts, candidate.evidence.start) - 1, 0)]
        made = DEFINITION if candidate.made == "definition" else QUESTION
        yield Draft(candidate.text, chunk.embedded_text, chunk, made)


def _sentences(chunks: Sequence[Chunk], *, seed: int) -> Iterator[Draft]:
    """Ask with the sentences themselves; those that report what was found, and the last ones, as claims."""
    for place, chunk in enumerate(chunks):
        text = chunk.text
        spans = [span for span in sentence_spans(text) if _is_sentence(text[span.start : span.end])]
        last = spans[-_LAST_SENTENCES:] if place == len(chunks) - 1 else []
        for span in spans:
            raw = text[span.start : span.end]
            said, reported = _bare_claim(raw)
            if said.split()[0].lower().strip(",") in LEANING:
                continue
            key = (str(seed), chunk.source, raw)
            passage = chunk.embedded_text if unit_hash("keep", *key) < _KEPT else _without(chunk, span)
            if reported or span in last:
                yield Draft(_cut(said, key), passage, chunk, CLAIM)
            else:
                yield Draft(said, passage, chunk, CLOZE)


def _in_other_words(document: Document, drafts: Sequence[Draft]) -> Iterator[Draft]:
    """Ask again with the long form of an abbreviation instead of the short one, and the other way round."""
    acronyms = find_abbreviations(document.text)
    for draft in drafts:
        for acronym in acronyms:
            if (query := acronym.swapped(draft.query)) is not None:
                yield Draft(query, draft.passage, draft.chunk, ACRONYM)
                break


def _is_sentence(text: str) -> bool:
    words = text.split()
    prose = sum(word[:1].isalpha() for word in words) > 0.6 * len(words)
    return len(words) in _SENTENCE_WORDS and prose and not _CODE.search(text)


def _bare_claim(sentence: str) -> tuple[str, bool]:
    """Return what a sentence says without saying that it says so, and whether it said so."""
    text = sentence_body(plain(sentence))
    opened = _OPENING.sub("", text, count=1) if _OPENING.match(text) else text
    found = _REPORTING.match(opened)
    said = opened[found.end() :] if found else opened
    return (said[:1].upper() + said[1:] if said.strip() else text), bool(found)


def _cut(text: str, key: tuple[str, ...]) -> str:
    """Leave out some of the words, always the same ones of the same text."""
    words = text.split()
    least, most = _CUT
    share = least + (most - least) * unit_hash("share", *key)
    kept = [word for place, word in enumerate(words) if unit_hash("word", str(place), *key) >= share]
    return " ".join(kept if len(kept) >= _FEWEST_WORDS else words)


def _behind(heading: str, text: str) -> str:
    """Return a text without the heading that it begins with, where a format repeats it."""
    words = [re.escape(word) for word in heading.split()]
    found = re.match(r"\W*" + r"\W+".join(words) + r"\W*", text, re.IGNORECASE)
    return text[found.end() :] if found else text


def _without(chunk: Chunk, span: Span) -> str:
    rest = f"{chunk.text[: span.start].rstrip()} {chunk.text[span.end :].lstrip()}".strip()
    return _with_headings(chunk.headings, rest)


def _with_headings(headings: Sequence[str], text: str) -> str:
    return "\n".join((" > ".join(headings), text)) if headings else text
