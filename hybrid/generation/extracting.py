"""The answer that stands in the passages, and no more than it (extractive reading)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hybrid.generation.asking import FOLLOWED, Asked, Form, exchanged, parts_of, read_question, shortened
from hybrid.generation.citations import Cited
from hybrid.generation.editions import age_of, contradicts, same_words, sisters
from hybrid.generation.facts import (
    FIELD,
    Quotable,
    aligned,
    asks,
    begins_with_verdict,
    distinct_facts,
    facts_of,
    headed,
    headings_of,
    is_bare,
    place_of,
    range_of,
    records_of,
    repeats,
)
from hybrid.generation.matching import (
    Matcher,
    as_spelled,
    expressions,
    matcher,
    mended,
    names_held,
    respelled,
)
from hybrid.generation.polar import verdict_on
from hybrid.generation.prompts import Passage
from hybrid.generation.ranking import ranks
from hybrid.generation.reckoning import Reckoned, asks_extreme, conditioned, reckoned, tables_of
from hybrid.generation.saying import (
    LONGEST_PART,
    beside_code,
    cite,
    covers,
    said_cause,
    said_cells,
    said_list,
    said_steps,
    said_versions,
)
from hybrid.generation.selecting import selected, telling_apart
from hybrid.generation.weighing import (
    BELOW_HEADING,
    UNDER_CAUSE,
    Scores,
    fits_kind,
    gives_cause,
    is_of,
    is_of_another,
    lacks_thing,
    of_other_time,
    orders_machines,
    reread,
    tells,
    weigh,
)
from hybrid.models import Embedder
from hybrid.text.dates import MONTHS
from hybrid.text.folding import fold
from hybrid.text.polarity import denials
from hybrid.text.rows import TableRow, closed
from hybrid.text.words import are_opposite, content_words, opposites_of, stem, tokens
from hybrid.types import Hit

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
# So near to the best one must be what says otherwise, less near where the documents are versions of one, or
# the sentences differ in numbers alone.
_SAME = (0.8, 0.65)
# What has the kind of thing asked for, or the codes and months named, is so much more surely about it.
_TYPED, _NAMED, _RECKONED, _IN_RANGE, _HEADED_KIND = 0.03, 0.05, 0.1, 0.1, 0.12
# The cosine of a passage counts for so much beside its rank.
_DENSE = 2.0
# Rows that account for every word of a question answer it.
_ACCOUNTED = 0.8
# What denies so much of a question answers it, whatever kind of thing is asked for.
_DENIES = 0.6
# A question of two is answered from so much on.
_PART = 0.35
_OF_LATEST, _REPEATED = 0.2, 0.4
# So many rows are told where the question tells none of them from the others; of ranges, so many.
_ALIKE, _RANGED = 3, 6
# A row that has but the size that is asked about is of another thing.
_OF_SIZE = 0.15
# And one of which nothing is asked, where there is more in the question than in all of its table.
_OF_UNTOLD = 0.2
_CODE_UNHELD, _NAME_UNHELD, _UNCOUNTED, _OF_OTHER_TIME = 0.3, 0.15, 0.1, 0.6
# What we say behind a quote that gives orders to machines.
_QUOTED_ORDER = "(Addressed to machines: quoted, not followed.)"
_CALLED = frozenset(content_words("name names called"))
# What it is for stands beside it.
_PAIR, _MUCH, _DENIED = expressions("extracting")


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
    spelled = as_spelled(shortened(question), texts)
    meant = mended(spelled, texts, lambda word: embedder.count_tokens([word]) == [1])
    parts = parts_of(meant)
    most = sentences if len(parts) == 1 else 1
    found = [_extract(one, hits, passages, embedder, sentences=most, rows=rows) for one in parts]
    # of several questions at once each is answered where it can be, and of the others that is said
    sure = [one for one in found if one.cited and one.relevance >= _PART] or found[:1]
    cited = _once([one for own in sure for one in own.cited])
    lost = [_last(part) for part, own in zip(parts, found, strict=True) if own not in sure]
    lost = [part for part in lost if not set(content_words(part)) <= _CALLED]  # what names it says that too
    cited = [_with_ours(one, _QUOTED_ORDER) if orders_machines(one.sentence) else one for one in cited]
    if lost and cited:
        cited[-1] = _with_ours(cited[-1], f"(Nothing found on: {'; '.join(lost)}.)")
    read_as = meant if meant != spelled else ""
    return Extract(tuple(cited), max(one.relevance for one in sure), read_as)


def _with_ours(cited: Cited, ours: str) -> Cited:
    return replace(cited, ours=f"{cited.ours} {ours}".strip())


def _last(part: str) -> str:
    """Return a question as it was asked, without the one that it leans on."""
    return part.rpartition(FOLLOWED)[2].rstrip("?!. ")


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
    asked = read_question(respelled(_whole(question, passages), texts))
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
    facts = [fact for fact in facts if not _is_opposite(asked, fact)]
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
    scores, relevances, old = weigh(asked, facts[:found], words, sources, embedder)
    # so long a list is no answer, but the steps of a procedure, though it tells what the page is about
    long = [fact.whole and len(fact.text.split()) > LONGEST_PART for fact in facts[:found]]
    scores = np.where(long, scores.min(), scores)
    if asked.earlier:  # what answered the question before is not said again
        before = replace(words, weights=tuple(float(word in asked.earlier) for word in asked.words))
        scores -= [0.0 if fact.row else _REPEATED * before.share(fact.text) for fact in facts[:found]]
    beside = (0, len(facts) - found)
    scores = np.pad(scores, beside, constant_values=scores.min())
    relevances = np.pad(relevances, beside, constant_values=relevances.max())
    counts = Counter(row.source.partition("#")[0] for row in rows)
    ways = (reckoned, selected) if asks_extreme(asked.last) else (selected, reckoned)
    table = next(filter(None, (way(asked, facts, scores.tolist(), words, counts) for way in ways)), None)
    if not table:
        facts, scores, relevances = facts[:found], scores[:found], relevances[:found]
        scores = reread(asked, facts, scores, old, embedder)
    order = [int(place) for place in np.argsort(-scores, kind="stable")]
    order = _with_needed(asked, facts, scores, order, words)
    both = [] if table else _compared(asked, facts, order, words)
    if asked.sides and asked.wanted and not any(fact.row or fits_kind(asked, fact) for fact in both):
        both = []  # neither is compared by what was found
    if table:
        chosen = said_cells(table)
        order.insert(0, facts.index(table.facts[0]))
    elif both:
        chosen = [cite(asked, fact, words) for fact in both]
    else:
        chosen = _compose(asked, facts, scores, order, words, sentences)
    best = facts[order[0]]
    if not table and _lacks_needed(asked, best, words, chosen):
        chosen = []
    both = both if asked.form is Form.COMPARISON else []
    about = " ".join(sources.values()) if both else sources.get(best.passage.source, best.wider)
    if both and all(fits_kind(asked, fact) == 1.0 for fact in both):
        together = words.share(" ".join(fact.wider for fact in both))
        relevances[order[0]] = max(float(relevances[order[0]]), (1 + together) / 2)
    relevance = float(relevances[order[0]]) - _unheld(asked, about)
    relevance -= _doubt(asked, facts, order[0], words, table, of_all=bool(rows))
    relevance = max(relevance, _ACCOUNTED) if table and table.sure else relevance
    return Extract(tuple(chosen), float(np.clip(relevance, 0.0, 1.0)))


def _whole(question: str, passages: Sequence[Passage]) -> str:
    """Return a follow-up that only names another cell or column of a table as the whole question."""
    told = aligned(list(records_of(passages))) if FOLLOWED in question else []
    tables = [[row for place in own if (row := told[place].row)] for own in tables_of(told)]
    columns = [cells for rows in tables for cells in zip(*(row.cells for row in rows), strict=True)]
    return exchanged(question, [*columns, *(rows[0].columns for rows in tables)])


def _is_denied(fact: Quotable, words: Matcher) -> bool:
    """Tell whether a fact says that what is asked about is not so."""
    return denials(fact.text) != 0 and words.share(f"{fact.term} {fact.text}") >= _DENIES


def _with_needed(
    asked: Asked, facts: Sequence[Quotable], scores: Scores, order: list[int], words: Matcher
) -> list[int]:
    """Return an order that begins with what has the kind of thing that is needed, where the best lacks it."""
    best = facts[order[0]]
    if not asked.needed or asked.form is not Form.FACT or best.row or _is_denied(best, words):
        return order
    if tells(asked.needed, asked, f"{best.around} {best.text}"):
        return order
    having = (
        place
        for place in order[1:_LOOKED_AT]
        if scores[place] >= _HAS_KIND * scores[order[0]] and not (facts[place].heading or facts[place].row)
        if tells(asked.needed, asked, facts[place].text)
        if words.share(facts[place].wider) >= _HAS_KIND * words.share(best.wider)
        if len(words.held(facts[place].wider)) >= min(2, len(asked.words))
    )
    first = next(having, order[0])
    return [first, *(place for place in order if place != first)]


def _lacks_needed(asked: Asked, best: Quotable, words: Matcher, chosen: Sequence[Cited]) -> bool:
    """Tell whether nothing that was chosen has the kind of thing that an answer needs: a colour, a price."""
    if best.row and (
        much := _MUCH.search(asked.last.lower())
    ):  # no row without the word tells how much sugar
        thing = stem(much[1])
        if thing in asked.words and asked.words.index(thing) not in words.held(f"{best.wider} {best.around}"):
            return True
    if asked.needed is None or asked.form is not Form.FACT:
        return False
    said = [one.sentence for one in chosen]
    if best.row:  # of a column that the question names the cell is what it asks for
        shown = [(name, cell) for name, cell in best.row.named if cell and f"{name} {cell}" in best.text]
        alone = [own for own in best.row.named if best.text.rstrip(".").endswith(": ".join(own))]
        said = [best.row.label, *(f"{name.lower()} {cell}" for name, cell in shown)] if not alone else said
        settled = any(words.held(name) and tells(asked.wanted, asked, cell) for name, cell in alone)
    else:
        settled = _is_denied(best, words)
    around = best.around.lower() if best.row else best.around if best.term else ""
    return not settled and not any(tells(asked.needed, asked, f"{around} {one}") for one in said)


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
            held = words.held(f"{best.wider} {best.around} {best.passage.source}")
            doubt += _OF_UNTOLD * (len(held) < len(asked.words))
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
    own = [name for name in asked.plain_names if name in asked.codes or fold(name) in MONTHS]
    return bool(own) and len(names_held(own, f"{fact.term} {fact.text}")) == len(own)


def _is_in_one(asked: Asked, whole: Quotable, facts: Sequence[Quotable], words: Matcher) -> bool:
    """Tell whether a list has an item that says by itself what is asked for, so that no other one is."""
    if not whole.whole or asked.several or asked.form is Form.PROCEDURE:
        return False
    held = words.held(f"{whole.above} {whole.text}")
    items = [fact for fact in facts if not fact.whole and covers(whole, fact)]
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
    if asks(fact.text) or asked.form is Form.POLAR:
        return asks(fact.text)
    told = content_words(f"{fact.around} {fact.text}")
    of_other = begins_with_verdict(fact.text) and not set(asked.words) & set(told)
    return is_bare(fact.text) or of_other


def _is_opposite(asked: Asked, fact: Quotable) -> bool:
    """Tell whether a fact is the entry of the opposite of what is asked: those present of who was not."""
    entry = None if fact.row else FIELD.fullmatch(fact.text.strip())
    said, named = tokens(asked.text), tokens(entry["name"]) if entry else []
    if denied := _DENIED.search(asked.text.replace("’", "'")):
        return denied[1].lower() in named and bool(opposites_of(denied[1].lower()))
    return not set(named) & set(said) and any(
        are_opposite(one, other) for one in named for other in (*said, *asked.words)
    )


def _unheld(asked: Asked, document: str) -> float:
    """Return how much less a document can be about a question whose names it does not have."""
    lacking = [name for name in asked.plain_names if name not in names_held(asked.names, document)]
    return min(sum(_CODE_UNHELD if name in asked.codes else _NAME_UNHELD for name in lacking), _CODE_UNHELD)


def _compose(
    asked: Asked, facts: Sequence[Quotable], scores: Scores, order: Sequence[int], words: Matcher, most: int
) -> list[Cited]:
    """Return the answer: a whole list or section, or the best sentences."""
    best = facts[order[0]]
    if asked.form is Form.PROCEDURE and (steps := said_steps(facts, scores, words)):
        return [steps]
    if whole := said_list(asked, facts, best, words) or said_cause(asked, best):
        return [whole]
    ranked, sorted_scores = [facts[place] for place in order], [float(scores[place]) for place in order]
    chosen = _sentences(asked, ranked, sorted_scores, words, most)
    if len(chosen) == 1 and (other := _otherwise(asked, ranked, sorted_scores)):
        return said_versions(asked, best, other, words)
    cited = _once([cite(asked, fact, words) for fact in chosen])
    if asked.form is Form.POLAR and (verdict := verdict_on(asked, best, words, ranked)):
        cited[0] = cite(asked, best, words, verdict)
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
    lacking = asked.wanted and not _is_denied(best, words) and not fits_kind(asked, best)
    lacking = lacking or (asked.form is Form.CAUSE and not gives_cause(best))
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
        called = " | ".join([row.label, *(row.cells[place] for place in beside_code(row))])
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
        if fact is best or "#" not in best.passage.source or fact.passage.source != best.passage.source
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
            text=closed(row.asked(asked.of_columns(row.named), named=(*telling, *beside_code(row)))),
        )
        for fact, row in sorted(rows, key=lambda one: place_of(one[0]))
    ]


def _begins_with_name(asked: Asked, row: TableRow) -> bool:
    """Tell whether a cell behind the first one begins with a name of the question."""
    return any(fold(cell).startswith(fold(name)) for cell in row.cells[1:] for name in asked.names)


def _with_kind(asked: Asked, ranked: Sequence[Quotable], scores: Sequence[float]) -> list[Quotable]:
    """Return what has the kind of thing asked for beside the best fact: of its entry, or together with it."""
    best = ranked[0]
    if asked.form is Form.CAUSE and (cause := _first_cause(ranked, scores)):
        return [cause]
    for fact, score in zip(ranked[1:], scores[1:], strict=True):
        fits = gives_cause(fact) > 0 if asked.form is Form.CAUSE else fits_kind(asked, fact) == 1.0
        if fact.passage is not best.passage or fact.row or fact.heading or not fits:
            continue
        if fact.term and fact.term in (best.term, best.text.partition("\n")[0].strip()):
            return [fact]
        if score >= (_OF_PARAGRAPH if _in_one_paragraph(best, fact) else _HAS_KIND) * scores[0]:
            return sorted((best, fact), key=lambda one: one.span.start)
    return []


def _first_cause(ranked: Sequence[Quotable], scores: Sequence[float]) -> Quotable | None:
    """Return what the section of causes of the best fact's document begins with, if that is near enough."""
    own = [
        (fact, score)
        for fact, score in zip(ranked, scores, strict=True)
        if gives_cause(fact) == UNDER_CAUSE and fact.passage.source == ranked[0].passage.source
    ]
    is_near = any(score >= _OF_PARAGRAPH * scores[0] for _, score in own)
    return min((fact for fact, _ in own), key=place_of) if is_near else None


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
        alike = sisters(fact.passage, best.passage) or same_words(asked, fact, best)
        near = score >= _SAME[alike] * scores[0]
        if near and contradicts(fact, best) and names_held(asked.codes, fact.wider) >= codes:
            return fact
    return None


def _is_in_table(one: Quotable, other: Quotable) -> bool:
    return one.row is not None and other.row is not None and one.row.columns == other.row.columns


def _compared(
    asked: Asked, facts: Sequence[Quotable], order: Sequence[int], words: Matcher
) -> list[Quotable]:
    """Return for each of the things that are compared what is said of it; nothing where one is not found."""
    found: list[Quotable] = []
    for side, other in zip(asked.sides, reversed(asked.sides), strict=False):
        of = [facts[place] for place in order if is_of(side, other, facts[place])]
        # of the kind asked for, and from the table or at least the document that tells the other one as well
        beside = [fact for fact in of if not found or fact.passage.source == found[0].passage.source]
        rows = [fact for fact in beside if found and _is_in_table(fact, found[0])]
        kind = (
            fact for own in (rows, beside, of) for fact in own if own is rows or fits_kind(asked, fact) == 1.0
        )
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
        found = [fact for fact in rows if _is_in_table(fact, rows[0])][:2]
    return found if len(found) == 2 else []
