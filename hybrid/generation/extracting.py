"""The answer that stands in the passages, and no more than it (extractive reading)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hybrid.generation.asking import Asked, Form, parts_of, read_question, shortened
from hybrid.generation.citations import Cited, Support
from hybrid.generation.editions import age_of, contradicts, newer_of, sisters
from hybrid.generation.facts import (
    FIELD,
    ITEM,
    LONGEST,
    Quotable,
    aligned,
    asks,
    distinct_facts,
    facts_of,
    headed,
    headings_of,
    is_bare,
    lists_in,
    range_of,
    records_of,
    repeats,
    section_of,
    telling_heading,
    title_of,
)
from hybrid.generation.matching import Matcher, expressions, matcher, mended, names_held, respelled
from hybrid.generation.prompts import Passage
from hybrid.generation.ranking import ranks
from hybrid.generation.reckoning import Reckoned, conditioned, reckoned
from hybrid.generation.selecting import selected, telling_apart
from hybrid.generation.shortening import quoted
from hybrid.generation.weighing import (
    BECAUSE,
    BELOW_HEADING,
    UNDER_CAUSE,
    Scores,
    fits_kind,
    gives_cause,
    is_of,
    is_of_another,
    lacks_thing,
    of_other_time,
    reread,
    weigh,
)
from hybrid.models import Embedder
from hybrid.text.dates import MONTHS
from hybrid.text.folding import fold
from hybrid.text.identifiers import identifiers
from hybrid.text.numbers import Quantity, figure, quantities
from hybrid.text.polarity import denials
from hybrid.text.rows import NO, YES, TableRow, closed
from hybrid.text.sentences import unwrapped
from hybrid.text.words import content_words, language_of
from hybrid.types import CELLS, Hit, Span

# A further sentence must be nearly as good as the best one, and add to it.
_NEAR_BEST = 0.9
# Of two questions at once the one may be answered by a weaker sentence than the other.
_OF_SEVERAL = 0.75
# What goes on in the entry of a diary or of minutes may be as much weaker.
_OF_ENTRY = 0.7
# What has the kind of thing asked for, which the best sentence beside it lacks, may be so much weaker.
_HAS_KIND = 0.75
# In one paragraph it is of the same thing.
_OF_PARAGRAPH = 0.5
# So many facts are looked at for one that says otherwise.
_LOOKED_AT = 24
# So near to the best one must be what says otherwise, less near where the documents are versions of one.
_SAME = (0.8, 0.65)
# What has the kind of thing asked for, or the codes and months named, is so much more surely about it.
_TYPED, _NAMED, _RECKONED, _IN_RANGE, _HEADED_KIND = 0.03, 0.05, 0.1, 0.1, 0.12
# The cosine of a passage counts for so much beside its rank.
_DENSE = 2.0
# Rows that account for every word of a question answer it.
_ACCOUNTED = 0.8
# A question of two is answered from so much on.
_PART = 0.35
_OF_LATEST, _REPEATED = 0.2, 0.4
# So many rows are told where the question tells none of them from the others; of ranges, so many.
_ALIKE, _RANGED = 3, 6
# A row that has but the size that is asked about is of another thing.
_OF_SIZE = 0.15
_CODE_UNHELD, _NAME_UNHELD, _UNCOUNTED, _OF_OTHER_TIME = 0.3, 0.15, 0.1, 0.6
# So much of the question must stand there for no, and for yes, which is sooner wrong.
_DECIDES, _AFFIRMS = 0.6, 0.85
_LONGEST_LIST, _LONGEST_PART = 120, 60
# The heading of a section says what its steps are for.
_HEADED, _ABOUT, _STEPWISE = 0.8, 0.3, 0.3
# What each is for stands beside it.
_TOLD = expressions("extracting")
_CONTINUES, _POINTS, _LIMIT, _OPEN, _BUT, _PAST, _TURNED, _THAN, _AGAINST = _TOLD[:9]
_HAS, _ALLOWS, _PAIR, _JOINED, _DENIED = _TOLD[9:]
_BARE_ENTRY = 3
_YES_NO = {"de": ("Ja", "Nein")}


@dataclass(frozen=True, slots=True)
class Extract:
    """What was chosen, the answer first, and how sure one can be that it is about the question (0 to 1).

    ``read_as`` is the question with its slips mended, empty where it has none.
    """

    cited: tuple[Cited, ...]
    relevance: float
    read_as: str = ""


def extract(
    question: str,
    hits: Sequence[Hit],
    passages: Sequence[Passage],
    embedder: Embedder,
    *,
    sentences: int,
    rows: Sequence[Passage] = (),
) -> Extract:
    """Choose what answers the question: one fact where one is enough, all steps of a procedure.

    Args:
        question: in plain words.
        hits: best first, one a passage.
        passages: the same chunks, numbered.
        embedder: compares question and facts.
        sentences: how many at the most; the items of a list count as one.
        rows: all records of a file, where the question asks for the greatest or the least of them.
    """
    texts = [f"{headings_of(own)} {own.text}" for own in passages]
    meant = mended(shortened(question), texts, lambda word: embedder.count_tokens([word]) == [1])
    parts = parts_of(meant)
    most = sentences if len(parts) == 1 else 1
    found = [_extract(one, hits, passages, embedder, sentences=most, rows=rows) for one in parts]
    # of two questions at once each is answered where it can be
    sure = [one for one in found if one.relevance >= _PART] or found[:1]
    cited = {one.sentence: one for own in sure for one in own.cited}
    read_as = meant if meant != shortened(question) else ""
    return Extract(tuple(cited.values()), max(one.relevance for one in found), read_as)


def _extract(
    question: str,
    hits: Sequence[Hit],
    passages: Sequence[Passage],
    embedder: Embedder,
    *,
    sentences: int,
    rows: Sequence[Passage],
) -> Extract:
    texts = [f"{headings_of(own)} {own.text}" for own in passages]
    asked = read_question(respelled(question, texts))
    sources: dict[str, str] = {}
    for passage in passages:
        # of the fields of a record "kg_2024" names the year
        text = passage.text.replace("_", " ") if "#" in passage.source else passage.text
        sources[passage.source] = (
            f"{sources.get(passage.source, passage.source)} {headings_of(passage)} {text}"
        )
    facts = [
        fact
        for rank, passage in zip(_nearness(hits), passages, strict=True)
        for fact in facts_of(asked, passage, rank)
    ]
    facts = [fact for fact in facts if not _only_asks(asked, fact)] or facts
    facts = headed(asked, distinct_facts(facts))
    facts = [fact for fact in facts if not repeats(asked, fact)] or facts
    if not facts:
        return Extract((), 0.0)
    records = list(records_of(rows))
    words = matcher(asked.words, [fact.wider for fact in (*facts, *records[:1])], asked.earlier)
    facts = [fact for fact in facts if not _is_in_one(asked, fact, facts, words)]
    found = len(facts)
    facts = aligned(distinct_facts([*facts, *records]))
    facts = conditioned(asked, facts, words)
    scores, relevances = weigh(asked, facts[:found], words, sources, embedder)
    # so long a list is no answer, but the steps of a procedure, though it tells what the page is about
    long = [fact.whole and len(fact.text.split()) > _LONGEST_PART for fact in facts[:found]]
    scores = np.where(long, scores.min(), scores)
    if asked.earlier:  # what answered the question before is not said again
        before = replace(words, weights=tuple(float(word in asked.earlier) for word in asked.words))
        scores -= [0.0 if fact.row else _REPEATED * before.share(fact.text) for fact in facts[:found]]
    beside = (0, len(facts) - found)
    scores = np.pad(scores, beside, constant_values=scores.min())
    relevances = np.pad(relevances, beside, constant_values=relevances.max())
    counts = Counter(row.source.partition("#")[0] for row in rows)
    table = selected(asked, facts, scores.tolist(), words, counts)
    table = table or reckoned(asked, facts, scores.tolist(), words, counts)
    if not table:
        facts, scores, relevances = facts[:found], scores[:found], relevances[:found]
        scores = reread(asked, facts, scores, embedder)
    order = [int(place) for place in np.argsort(-scores, kind="stable")]
    both = [] if table else _compared(asked, facts, order, words)
    if asked.sides and asked.wanted and not any(fact.row or fits_kind(asked, fact) for fact in both):
        both = []  # neither is compared by what was found
    if table:
        chosen = _cells(table)
        order.insert(0, facts.index(table.facts[0]))
    elif both:
        chosen = [_cite(asked, fact, words) for fact in both]
    else:
        chosen = _compose(asked, facts, scores, order, words, sentences)
    best = facts[order[0]]
    both = both if asked.form is Form.COMPARISON else []
    about = " ".join(sources.values()) if both else sources.get(best.passage.source, best.wider)
    if both and all(fits_kind(asked, fact) == 1.0 for fact in both):
        together = words.share(" ".join(fact.wider for fact in both))
        relevances[order[0]] = max(float(relevances[order[0]]), (1 + together) / 2)
    relevance = float(relevances[order[0]]) - _unheld(asked, about)
    relevance -= _doubt(asked, facts, order[0], words, table, of_all=bool(rows))
    relevance = max(relevance, _ACCOUNTED) if table and table.sure else relevance
    return Extract(tuple(chosen), float(np.clip(relevance, 0.0, 1.0)))


def _doubt(
    asked: Asked,
    facts: Sequence[Quotable],
    place: int,
    words: Matcher,
    table: Reckoned | None,
    *,
    of_all: bool,
) -> float:
    """Return how much less surely the best fact answers, for what it is and what it lacks; or the surer."""
    best, kind = facts[place], fits_kind(asked, facts[place])
    of_kind = kind == 1.0
    # cells that were chosen by an extreme or a limit say what no word of the question does
    if table:
        doubt = -_RECKONED * (1 + of_all)
    else:
        doubt = _UNCOUNTED * (bool(asked.counted) and kind < BELOW_HEADING)
        if is_of_another(best, words, asked):
            doubt += _UNCOUNTED + _OF_SIZE * bool(asked.measures & set(content_words(best.wider)))
    doubt += _OF_OTHER_TIME * bool(of_other_time(asked, best))
    doubt += _UNCOUNTED * (of_kind and lacks_thing(facts, words)[place])
    named = table or asked.earlier or names_held(asked.names, best.wider + best.around) >= set(asked.names)
    doubt -= _TYPED * (asked.form is Form.FACT and of_kind and bool(named))
    doubt -= _NAMED * _is_named(asked, best) + _HEADED_KIND * (best.heading and of_kind)
    doubt -= _IN_RANGE * (best.in_range > 0 and not table)
    return doubt - _OF_LATEST * (asked.latest and bool(age_of(best)))


def _nearness(hits: Sequence[Hit]) -> list[float]:
    """Return the share of the best score that each hit has, and how alike it is to the question."""
    known = [hit.dense for hit in hits if hit.dense is not None]
    least = min(known, default=0.0)
    return [
        rank + _DENSE * (least if hit.dense is None else hit.dense)
        for rank, hit in zip(ranks(hits), hits, strict=True)
    ]


def _is_named(asked: Asked, fact: Quotable) -> bool:
    """Tell whether a fact itself, or the entry it is of, has all codes and months of a question, and some."""
    own = [name for name in _by_number(asked) if name in asked.codes or fold(name) in MONTHS]
    return bool(own) and len(names_held(own, f"{fact.term} {fact.text}")) == len(own)


def _is_in_one(asked: Asked, whole: Quotable, facts: Sequence[Quotable], words: Matcher) -> bool:
    """Tell whether a list has an item that says by itself what is asked for, so that no other one is."""
    if not whole.whole or asked.several or asked.form is Form.PROCEDURE:
        return False
    held = words.held(f"{whole.above} {whole.text}")
    items = [fact for fact in facts if not fact.whole and _covers(whole, fact)]
    saying = [
        one
        for one in items
        if _is_named(asked, one)
        or (not asked.lists and asked.wanted and held and words.held(one.text) >= held)
    ]
    return 0 < len(saying) < len(items)


def _only_asks(asked: Asked, fact: Quotable) -> bool:
    """Tell whether a fact is a question of the document, or an answer to one that says nothing by itself."""
    if fact.row or fact.whole:
        return False
    return asks(fact.text) or (is_bare(fact.text) and asked.form is not Form.POLAR)


def _cells(table: Reckoned) -> list[Cited]:
    """Return the cells of rows, and behind the last one our arithmetic with them."""
    cited = [
        Cited(
            closed(fact.row.sentence(places, with_cells=table.beside or _beside_code(fact.row))),
            Support(fact.passage, fact.span, 1.0),
        )
        for fact, places in zip(table.facts, table.places, strict=True)
        if fact.row
    ]
    ours = f"({table.ours}.)" if table.ours else ""
    return [*cited[:-1], replace(cited[-1], ours=ours)]


def _beside_code(row: TableRow) -> tuple[int, ...]:
    """Return the place of the words behind a code that a row is called by, which alone says little."""
    coded = identifiers(row.label) and len(row.label.split()) == 1
    return (1,) if coded and len(row.cells) > 1 and not figure(row.cells[1]) else ()


def _by_number(asked: Asked) -> list[str]:
    """Return the names of a question, "2.3" alone for "version 2.3", which a list of changes writes so."""
    return [name for name in asked.names if " " not in name or name.split()[-1] not in asked.codes]


def _unheld(asked: Asked, document: str) -> float:
    """Return how much less a document can be about a question whose names it does not have."""
    lacking = [name for name in _by_number(asked) if name not in names_held(asked.names, document)]
    return min(sum(_CODE_UNHELD if name in asked.codes else _NAME_UNHELD for name in lacking), _CODE_UNHELD)


def _compose(
    asked: Asked, facts: Sequence[Quotable], scores: Scores, order: Sequence[int], words: Matcher, most: int
) -> list[Cited]:
    """Return the answer: a whole list or section, or the best sentences."""
    best = facts[order[0]]
    if asked.form is Form.PROCEDURE and (steps := _steps(facts, scores, words)):
        return [steps]
    if whole := _whole(asked, facts, best, words) or _cause(asked, best):
        return [whole]
    ranked, sorted_scores = [facts[place] for place in order], [float(scores[place]) for place in order]
    chosen = _sentences(asked, ranked, sorted_scores, words, most)
    if len(chosen) == 1 and (other := _otherwise(asked, ranked, sorted_scores)):
        return _versions(asked, best, other, words)
    cited = _once([_cite(asked, fact, words) for fact in chosen])
    if asked.form is Form.POLAR and (verdict := _verdict(asked, best, words, ranked)):
        cited[0] = _cite(asked, best, words, verdict)
    return cited


def _once(cited: Sequence[Cited]) -> list[Cited]:
    """Return quotes without those that another one has in it, with what it leans on."""
    said = [one.sentence for one in cited]
    return [
        one
        for place, one in enumerate(cited)
        if one.sentence not in said[:place] and not any(one.sentence in own != one.sentence for own in said)
    ]


def _sentences(
    asked: Asked, ranked: Sequence[Quotable], scores: Sequence[float], words: Matcher, most: int
) -> list[Quotable]:
    """Return the best fact, and those that are nearly as good and add to it."""
    best = ranked[0]
    settled = fits_kind(asked, best) == 1.0 and not asked.several
    if best.row and asked.form is not Form.POLAR and not asked.latest:
        return _of_one_name(asked, ranked, words)
    if asked.form is Form.POLAR or settled or best.row:
        return [best]
    # that something was not decided is the answer, whatever numbers stand beside it
    denied = denials(best.text) and words.share(best.text) >= _AFFIRMS
    lacking = asked.wanted and not denied and not fits_kind(asked, best)
    if lacking and (found := _with_kind(asked, ranked, scores)):
        return found
    chosen = [best]
    covered = words.held(f"{best.text} {best.around}")
    for fact, score in zip(ranked[1:], scores[1:], strict=True):
        of_entry = fact.term and fact.term == best.term and fact.above == best.text
        least = _OF_ENTRY if of_entry else _OF_SEVERAL if asked.several else _NEAR_BEST
        if len(chosen) == most or score < _OF_ENTRY * scores[0]:
            break
        if score < least * scores[0]:
            continue
        adds = words.held(f"{fact.text} {fact.around}") - covered
        if adds and fact.row is None:
            chosen.append(fact)
            covered |= adds
    return chosen


def _of_one_name(asked: Asked, ranked: Sequence[Quotable], words: Matcher) -> list[Quotable]:
    """Return the best row, and the few that nothing in the question tells from it: bottles of 5 and 11 kg.

    They have the same of the question, and some of it in what they are called, or are called by ranges of an
    amount that the question does not have: days of leave by years of service. What begins with a name of the
    question is that thing, what has it further on only belongs to it: a lid for a kettle.
    """

    def held(row: TableRow) -> tuple[frozenset[int], frozenset[str]]:
        called = " | ".join([row.label, *(row.cells[place] for place in _beside_code(row))])
        return words.held(called), names_held(asked.names, called)

    best = ranked[0]
    if best.row is None:
        return [best]
    called, columns = held(best.row), set(best.row.columns)
    alike = [
        fact
        for fact in ranked
        if fact.row and (columns <= set(fact.row.columns) or columns >= set(fact.row.columns))
        if fact.passage.source.partition("#")[0] == best.passage.source.partition("#")[0]
        if held(fact.row) == called and words.held(fact.wider) == words.held(best.wider)
        if names_held(asked.names, fact.wider) == names_held(asked.names, best.wider)
        if (fact.in_range, fact.met) == (best.in_range, best.met)
    ]
    begun = [fact for fact in alike if fact.row and _begins_with_name(asked, fact.row)]
    best, alike = (begun[0], begun) if begun else (best, alike)
    rows = [(one, one.row) for one in alike if one.row and best.row and one.row.columns == best.row.columns]
    ranged = not asked.amounts and all(range_of(row.label) for _, row in rows)
    # rows of one label differ by a condition, which the ranking heeds
    told = called[0] or (called[1] and len({row.label for _, row in rows}) == len(rows))
    most = _RANGED if ranged else _ALIKE if told else 1
    if not 1 < len(rows) <= most or best.in_range > 0:
        return [best]
    telling = telling_apart([fact for fact, _ in rows], ())
    return [
        replace(
            fact,
            text=closed(row.asked(asked.of_columns(row.named), named=(*telling, *_beside_code(row)))),
        )
        for fact, row in sorted(rows, key=lambda one: _place(one[0]))
    ]


def _begins_with_name(asked: Asked, row: TableRow) -> bool:
    """Tell whether a cell behind the first one begins with a name of the question."""
    return any(fold(cell).startswith(fold(name)) for cell in row.cells[1:] for name in asked.names)


def _place(fact: Quotable) -> tuple[int, str, int]:
    return len(fact.passage.source), fact.passage.source, fact.span.start


def _with_kind(asked: Asked, ranked: Sequence[Quotable], scores: Sequence[float]) -> list[Quotable]:
    """Return what has the kind of thing asked for beside the best fact: of its entry, or together with it."""
    best = ranked[0]
    for fact, score in zip(ranked[1:], scores[1:], strict=True):
        if fact.passage is not best.passage or fact.row or fact.heading or fits_kind(asked, fact) < 1.0:
            continue
        if fact.term and fact.term in (best.term, best.text.partition("\n")[0].strip()):
            return [fact]
        if score >= (_OF_PARAGRAPH if _in_one_paragraph(best, fact) else _HAS_KIND) * scores[0]:
            return sorted((best, fact), key=lambda one: one.span.start)
    return []


def _in_one_paragraph(one: Quotable, other: Quotable) -> bool:
    """Tell whether two facts of a passage stand in one paragraph."""
    begin = one.passage.span.start
    between = one.passage.text[
        min(one.span.end, other.span.end) - begin : max(one.span.start, other.span.start) - begin
    ]
    return "\n\n" not in between


def _otherwise(asked: Asked, ranked: Sequence[Quotable], scores: Sequence[float]) -> Quotable | None:
    """Return a fact of another document that says otherwise than the best one."""
    best = ranked[0]
    codes = names_held(asked.codes, best.wider)
    for fact, score in zip(ranked[1:_LOOKED_AT], scores[1:_LOOKED_AT], strict=True):
        near = score >= _SAME[sisters(fact.passage, best.passage)] * scores[0]
        if near and contradicts(fact, best) and names_held(asked.codes, fact.wider) >= codes:
            return fact
    return None


def _cause(asked: Asked, best: Quotable) -> Cited | None:
    """Return all of a short section of causes, unless the best sentence says by itself that it is one."""
    passage = best.passage
    wanted = asked.form is Form.CAUSE and gives_cause(best) == UNDER_CAUSE and not BECAUSE.search(best.text)
    if not wanted or len(passage.text.split()) > _LONGEST_PART // 2:
        return None
    return Cited(unwrapped(passage.text), Support(passage, passage.span, 1.0))


def _cite(asked: Asked, fact: Quotable, words: Matcher, verdict: str = "") -> Cited:
    """Return a fact as it is shown: with what it hangs on, and the heading without which it says nothing.

    Behind yes or no only what is verbatim stands in quotation marks.
    """
    passage = fact.passage
    text = fact.text
    span = fact.span
    if fact.row:
        whole = closed(fact.row.sentence())
        shown = whole if asked.several and len(whole.split()) <= 30 else text
        lead = _naming(asked, fact, f"{shown} {fact.row.sentence()}")
        return Cited(": ".join(filter(None, (verdict, lead, shown))), Support(passage, span, 1.0))
    if (
        (_POINTS.match(text.lstrip('*_“"(')) or is_bare(text))
        and fact.above
        and len(f"{fact.above} {text}".split()) <= _LONGEST_PART
    ):
        begin = passage.text.find(fact.above)
        if 0 <= begin <= span.start - passage.span.start:
            span = Span(passage.span.start + begin, span.end)
            text = passage.text[begin : span.end - passage.span.start]
    if text.rstrip().endswith(":") and (behind := _behind(passage, span)):
        span = Span(span.start, behind.end)
        text = passage.text[span.start - passage.span.start : span.end - passage.span.start]
    if asked.amounts and not verdict and (goes_on := _goes_on(passage, span)):
        span = Span(span.start, goes_on.end)
        text = passage.text[span.start - passage.span.start : span.end - passage.span.start]
    text = unwrapped(text)
    lead = _lead(asked, fact, text)
    text = quoted(asked, text, f"{headings_of(passage)} {lead}", words, room=LONGEST - len(lead.split()))
    text = f"“{text.rstrip()}”" if verdict else text
    return Cited(": ".join(filter(None, (verdict, lead, text))), Support(passage, span, 1.0))


def _lead(asked: Asked, fact: Quotable, text: str) -> str:
    """Return the heading without which a quote does not say what it is about, if there is one."""
    if fact.heading or not fact.passage.chunk:
        return ""
    headings = [heading for heading in fact.passage.chunk.headings if not asks(heading)]
    if fact.term and not asks(fact.term):
        return " ".join(fact.term.split())
    if denials(section_of(fact.passage)):  # "What is not funded" turns around what stands below it
        return headings[-1] if headings else ""
    telling = telling_heading(asked, fact.passage)
    if telling in headings and not (asked.wanted and asked.wanted.search(text)) and telling not in text:
        return telling
    return _naming(asked, fact, text)


def _naming(asked: Asked, fact: Quotable, text: str) -> str:
    """Return the nearest heading with a name of the question that a text lacks, codes first."""
    record = "#" in fact.passage.source
    headings = fact.passage.chunk.headings if fact.passage.chunk and not record else ()
    held = names_held(asked.names, text)
    missing = sorted(
        (name for name in asked.names if name not in held), key=lambda name: name not in asked.codes
    )
    found = (
        heading
        for name in missing
        for heading in reversed(headings[name not in asked.codes :])
        if names_held([name], heading) and not asks(heading)
    )
    return next(found, "")


def _goes_on(passage: Passage, span: Span) -> Span | None:
    """Return the sentence behind that says what holds from the limit of this one on, if there is one."""
    rest = passage.text[span.end - passage.span.start :]
    found = _CONTINUES.match(rest)
    return Span(span.end, span.end + found.end()) if found else None


def _behind(passage: Passage, span: Span) -> Span | None:
    """Return the list, or else the sentence, that stands behind what ends with a colon."""
    end = span.end - passage.span.start
    rest = passage.text[end:]
    start = end + len(rest) - len(rest.lstrip())
    found = next((own for own in lists_in(passage.text) if own.start == start), None)
    if found is None:
        found = next(
            (saying.span for saying in passage.sayings() if saying.span.start == start and not saying.row),
            None,
        )
    if found is None or len(passage.text[found.start : found.end].split()) > _LONGEST_LIST:
        return None
    return passage.placed(found)


def _steps(facts: Sequence[Quotable], scores: Scores, words: Matcher) -> Cited | None:
    """Return the whole list of steps, or all of a short section, that the question is about."""
    best: tuple[float, Passage, Span] | None = None
    for fact, score in zip(facts, scores, strict=True):
        passage, text = fact.passage, fact.passage.text
        if fact.row or fact.heading or fact.whole:
            continue
        start, end = fact.span.start - passage.span.start, fact.span.end - passage.span.start
        about = max(words.share(section_of(passage)), words.share(passage.title))
        lists = [own for own in lists_in(text) if len(ITEM.findall(text[own.start : own.end])) > 1]
        span = next((own for own in lists if own.start <= start and end <= own.end), None)
        if span is None and about >= _ABOUT:
            short = len(text.split()) <= _LONGEST_PART
            span = lists[0] if lists else Span(0, len(text)) if short else None
        listed = span in lists
        if span is None or len(text[span.start : span.end].split()) > _LONGEST_LIST:
            continue
        worth = float(score) + _HEADED * about + _STEPWISE * listed
        if best is None or worth > best[0]:
            best = worth, passage, span
    if best is None or best[0] < float(scores.max()):
        return None
    _, passage, span = best
    said = passage.text[span.start : span.end].strip()
    return Cited(said if ITEM.search(said) else unwrapped(said), Support(passage, passage.placed(span), 1.0))


def _whole(asked: Asked, facts: Sequence[Quotable], best: Quotable, words: Matcher) -> Cited | None:
    """Return the whole list that is the best answer, or that has the best item where things are listed."""
    lists = [fact for fact in facts if fact.whole and fact.passage is best.passage and _covers(fact, best)]
    if not lists or len(lists[0].text.split()) > _LONGEST_PART:
        return None
    one = lists[0]
    about = (
        words.share(f"{one.term} {one.above}") >= _ABOUT or asked.latest or names_held(asked.codes, one.term)
    )
    if not best.whole and not (asked.lists and about):
        return None
    if ITEM.match(one.text) and ITEM.match(one.text)["mark"][-1] in ".)":  # type: ignore[index]
        said = one.text
    else:
        items = (ITEM.sub("", line).strip() for line in one.text.split("\n") if line.strip())
        said = closed("; ".join(items))
    return Cited(said, Support(one.passage, one.span, 1.0))


def _covers(one: Quotable, other: Quotable) -> bool:
    return one.span.start <= other.span.start and other.span.end <= one.span.end


def _compared(
    asked: Asked, facts: Sequence[Quotable], order: Sequence[int], words: Matcher
) -> list[Quotable]:
    """Return for each of the things that are compared what is said of it; nothing where one is not found."""
    found: list[Quotable] = []
    for side, other in zip(asked.sides, reversed(asked.sides), strict=False):
        of = [facts[place] for place in order if is_of(side, other, facts[place])]
        # of the kind asked for, and from where the other one is told as well
        beside = [fact for fact in of if not found or fact.passage.source == found[0].passage.source]
        kind = (fact for own in (beside, of) for fact in own if fits_kind(asked, fact) == 1.0)
        best = next(kind, next(iter(of), None))
        if best is None or any(
            fact.span == best.span and fact.passage.source == best.passage.source for fact in found
        ):
            return []
        found.append(best)
    if not asked.sides and _PAIR.search(asked.text.lower()):
        rows = [
            facts[place]
            for place in order
            if facts[place].row and not is_of_another(facts[place], words, asked)
        ]
        found = [
            fact for fact in rows if fact.row and rows[0].row and fact.row.columns == rows[0].row.columns
        ][:2]
    return found if len(found) == 2 else []


def _versions(asked: Asked, one: Quotable, other: Quotable, words: Matcher) -> list[Cited]:
    """Return what is in force and the name of the older document; both where nothing tells which is newer."""
    latest = newer_of(one.passage, other.passage)
    if latest is None:
        return [
            replace(cited, sentence=f"{title_of(fact.passage)}: {cited.sentence}")
            for fact in (one, other)
            for cited in [_cite(asked, fact, words)]
        ]
    newer, older = (one, other) if latest is one.passage else (other, one)
    title = title_of(older.passage)
    told = title if title != title_of(newer.passage) else older.passage.source
    named = Cited(f"(Older: {told}.)", Support(older.passage, older.span, 1.0))
    return [_cite(asked, newer, words), named]


def _verdict(asked: Asked, fact: Quotable, words: Matcher, ranked: Sequence[Quotable]) -> str:
    """Return yes or no where what was found decides it, in the language of the question; mostly nothing."""
    yes, no = _YES_NO.get(language_of(asked.text), ("Yes", "No"))
    if _TURNED.search(asked.text.replace("’", "'")) or (_THAN.search(asked.text) and not asked.amounts):
        return ""
    if fact.row:
        return {True: yes, False: no, None: ""}[_of_cell(asked, fact, fact.row, words, ranked)]
    if (
        CELLS in fact.text
        or _BUT.search(fact.text)
        or (_PAST.search(fact.text) and not _PAST.search(asked.text))
    ):
        return ""
    count = denials(fact.text)
    if _is_beside(asked, fact, words) or (count or 0) > 1:
        return ""
    # what the document itself asks there, it does not say
    headings = fact.passage.chunk.headings if fact.passage.chunk else ()
    questioned = any(map(asks, (fact.term, fact.above, *headings)))
    share = words.share(fact.text if questioned else f"{fact.text} {fact.around}")
    if denials(section_of(fact.passage)):
        return no if share >= _AFFIRMS and len(fact.text.split()) <= _BARE_ENTRY else ""
    if asked.amounts:
        return {True: yes, False: no, None: ""}[
            None if count or share < _DECIDES / 2 else _within(asked, fact.text)
        ]
    if count is None or share < _DECIDES or words.share(fact.text) < _DECIDES / 2:
        return ""
    if count % 2:
        return "" if _is_narrower(asked, fact, words) else no
    return "" if share < _AFFIRMS or _OPEN.search(fact.text) else yes


def _of_cell(
    asked: Asked, fact: Quotable, row: TableRow, words: Matcher, ranked: Sequence[Quotable]
) -> bool | None:
    """Return what the one cell says that is told of a row, if no other row of this kind says otherwise."""
    told = fact.text.rstrip(".")
    if any(one.written not in row.sentence() for one in asked.amounts) or _AGAINST.search(asked.text):
        return None
    value = told.rpartition(": ")[2].strip().lower()
    if re.fullmatch(r"\d[\d,.]*", value):  # a number says that there is some, not that it is cheap
        return bool(value.strip("0,.")) if _HAS.search(asked.text) else None
    place = next((p for p, name in enumerate(row.columns) if told.endswith(f"{name}: {row.cells[p]}")), 0)
    held, names = words.held(fact.wider), names_held(asked.names, fact.wider)
    alike = {
        own.row.cells[place]
        for own in ranked
        if own.row and own.row.columns == row.columns and own.in_range == fact.in_range
        if words.held(own.wider) >= held and names_held(asked.names, own.wider) >= names
    }
    if len(alike) > 1 or value not in (*YES, *NO, "sold out"):
        return None
    return value in YES


def _is_beside(asked: Asked, fact: Quotable, words: Matcher) -> bool:
    """Tell whether a fact decides nothing: of another thing, of what is forbidden, a bare entry."""
    own = f"{fact.passage.source} {fact.passage.title} {headings_of(fact.passage)} {fact.term} {fact.text}"
    for name in _by_number(asked):  # the sentence before may be about another code
        if not names_held([name], own if name in asked.codes else f"{own} {fact.above}"):
            return True
    if bool(_AGAINST.search(f"{fact.above} {fact.text}")) != bool(_AGAINST.search(asked.text)):
        return True
    entry = FIELD.fullmatch(fact.text.strip())
    return bool(entry and len(entry["value"].split()) <= _BARE_ENTRY and not words.held(entry["name"]))


def _is_narrower(asked: Asked, fact: Quotable, words: Matcher) -> bool:
    """Tell whether a denial is of less than what is asked: of opened goods, where goods are asked for."""
    subject = content_words(_JOINED.split(_DENIED.split(fact.text, maxsplit=1)[0])[-1])
    known = {word for own in words.forms for word in own}
    return len(subject) > 1 and not words.held(" ".join(subject[:1])) and bool(known & set(subject[1:]))


def _within(asked: Asked, text: str) -> bool | None:
    """Tell whether the amount of a question is within the limit of a sentence; None if that says nothing."""
    limit = _LIMIT.search(text)
    found = quantities(text[limit.start() :]) if limit else []
    told = _size(found[0]) if found else None
    size = _size(asked.amounts[0]) if len(asked.amounts) == 1 else None
    if not told or not size or told[0] != size[0]:
        return None
    if size[1] > told[1]:
        return False
    # below a limit one may, but nothing is said to be so much
    return True if _ALLOWS.search(asked.text) else None


def _size(quantity: Quantity) -> tuple[str, float] | None:
    if quantity.value is None or not quantity.units:
        return None
    return quantity.units[0].kind, quantity.value * quantity.units[0].size
