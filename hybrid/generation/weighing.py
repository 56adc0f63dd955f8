"""What speaks for a fact as the answer, and what against it (answer ranking)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hybrid.generation.asking import COUNT, Asked, Form
from hybrid.generation.editions import outdated
from hybrid.generation.facts import Quotable, range_of, section_of, telling_heading, title_of
from hybrid.generation.matching import Matcher, expressions, names_held
from hybrid.models import Embedder
from hybrid.models.choosing import Offered, load_chooser
from hybrid.text.dates import MONTHS, dates
from hybrid.text.numbers import figure
from hybrid.text.words import content_words, stem, tokens
from hybrid.types import CELLS

Scores = NDArray[np.float64]

# Of the cosine, the words with the title, with what stands around, alone, the rank of the passage, the kind
# asked for, the range, the names, entries and rows of something else, causes, whole lists, older versions.
# Weights that were fitted on all but one of tables, reports, a manual and an encyclopaedia were no better on
# the one left out.
_WEIGHTS = np.array([1.4, 0.4, 0.4, 0.5, 0.7, 0.5, 1.0, 1.0, 1.0, 0.5, 1.0, 1.0, 0.9])
# So many facts, the best by words and rank, are compared with the question by the embedder; fewer where the
# best of them are then read together with it, which takes the time of the rest.
_COMPARED, _COMPARED_FIRST = 24, 16
# So many are read, and what that counts for. Causes, yes and no, and steps have rules of their own.
_REREAD, _READ = 6, 0.3
# In scores of the rules, from about 0 to 4: what is further behind the best is not read again.
_IN_DOUBT = 0.35
_BY_RULE = (Form.CAUSE, Form.POLAR, Form.PROCEDURE)
# What the heading has, a fact below it has less surely.
BELOW_HEADING = 0.9
# A name that stands in the document but not with the fact counts for so much.
_ELSEWHERE = 0.7
_CODED = 1.5
_NUMBER = re.compile(rf"\b{COUNT}", re.IGNORECASE)
# Where one thing is asked for a whole list is rarely it, where things are listed it is.
_WHOLE, _LISTED = 0.3, 0.2
_THING = 0.2
_CAUSE, UNDER_CAUSE, _RESTATED = 0.8, 1.3, 0.5
_MONTH, _YEAR = re.compile("|".join(MONTHS), re.IGNORECASE), re.compile(r"(?:19|20)\d\d")
_CLOCK = re.compile(r"\b\d{1,2}[:.]\d\d\b")
_ENDED = re.compile(r"[.!?:;,)\]”\"]$")
# What each is for stands beside it.
_ANNOUNCES, _ANNOUNCED, _TO_MACHINES, BECAUSE = expressions("weighing")
_ROW_NEXT = re.compile(rf"\n+[^\n]*{re.escape(CELLS)}")
_ENTRY = re.compile(r"(?P<label>[^\W\d][\w /-]{1,30}): (?P<value>.{1,60})")


def weigh(
    asked: Asked, facts: Sequence[Quotable], words: Matcher, sources: Mapping[str, str], embedder: Embedder
) -> tuple[Scores, Scores, Scores]:
    """Return for each fact how good an answer it is, how surely it is about the question, how outdated."""
    held = [
        names_held(asked.names, f"{fact.text} {fact.around} {fact.passage.source}")
        - of_other_time(asked, fact)
        for fact in facts
    ]
    near = {source: names_held(asked.names, text) for source, text in sources.items()}
    table = _features(asked, facts, words, near, held)
    cheap = table @ _WEIGHTS[1:] - np.array(lacks_thing(facts, words)) * _THING
    most = _COMPARED if load_chooser(embedder) is None else _COMPARED_FIRST
    best = np.argsort(-cheap, kind="stable")[:most]
    compared = embedder.embed_documents([facts[place].alone for place in best])
    # a follow-up is asked in its own words, and is about what the question before it was
    told = [asked.text, *([asked.last] if asked.earlier else [])]
    alike = compared @ embedder.embed_queries([*told, *asked.unnamed]).T
    cosines = _spread(alike[:, : len(told)].mean(1), best, len(facts))
    # what is asked of a document whose names all are there can be told without them
    meant = np.array([near[fact.passage.source] >= set(asked.names) for fact in facts])
    ranked = np.where(meant, _spread(alike.mean(1), best, len(facts)), cosines)
    named = np.array([len(own & asked.codes) for own in held])
    total = sum(words.weights)
    covered = (table[:, 1] * total + _CODED * named) / ((total + _CODED * len(asked.codes)) or 1.0)
    relevances = (_of_document(facts, cosines) + _of_document(facts, covered)) / 2
    return cheap + _WEIGHTS[0] * ranked, relevances, -table[:, -1]


def _spread(found: Scores, places: NDArray[np.intp], size: int) -> Scores:
    """Return values of some places at them, and the least one everywhere else."""
    values = np.full(size, float(found.min()))
    values[places] = found
    return values


def reread(
    asked: Asked, facts: Sequence[Quotable], scores: Scores, old: Scores, embedder: Embedder
) -> Scores:
    """Return scores in which the best facts were read together with the question, where a model for it is.

    Only sentences nearly as good as the best one and no older: it learned neither rows nor versions.
    """
    chooser = load_chooser(embedder)
    if chooser is None or asked.form in _BY_RULE:
        return scores
    best = np.argsort(-scores, kind="stable")[:_REREAD]
    best = best[(scores[best] > scores[best[0]] - _IN_DOUBT) & (old[best] <= old[best[0]])]
    if facts[best[0]].row or len(best) < 2 or (asked.latest and facts[best[0]].heading):
        return scores
    found = _READ * chooser.score(
        asked.last if asked.earlier else asked.text,
        [
            Offered(
                fact.row.sentence() if fact.row else fact.text,
                fact.passage.title,
                f"{fact.term} {fact.above}".strip(),
            )
            for fact in (facts[place] for place in best)
        ],
    )
    again = scores + float(found.min())
    again[best] = scores[best] + found
    # on the old scale: what is nearly as good as the best is told by shares of it
    return again + float(scores.max() - again.max())


def _features(
    asked: Asked,
    facts: Sequence[Quotable],
    words: Matcher,
    near: Mapping[str, frozenset[str]],
    held: Sequence[frozenset[str]],
) -> Scores:
    """Return what speaks for each fact, and against it, a column a reason in the order of the weights."""
    causes = [gives_cause(fact) if asked.form is Form.CAUSE else 0.0 for fact in facts]
    # what only says again what happened gives way to the section of causes of its document
    explained = {fact.passage.source for fact, own in zip(facts, causes, strict=True) if own == UNDER_CAUSE}
    return np.array(
        [
            (
                words.share(f"{fact.passage.title} {fact.term} {fact.text}"),
                words.share(fact.wider),
                words.share(fact.text),
                fact.rank,
                fits_kind(asked, fact),
                fact.in_range,
                lacking,
                -float(_is_aside(fact, words, asked)),
                -float(is_of_another(fact, words, asked)),
                own if own == UNDER_CAUSE or fact.passage.source not in explained else own - _RESTATED,
                -_unasked(asked, fact),
                -old,
            )
            for fact, own, lacking, old in zip(
                facts, causes, _named(asked, facts, near, held), outdated(asked, facts, words), strict=True
            )
        ]
    )


def _of_document(facts: Sequence[Quotable], values: Scores) -> Scores:
    """Return for each fact the best value in its document: an answer need not repeat the question."""
    best: dict[str, float] = {}
    for fact, value in zip(facts, values, strict=True):
        best[fact.passage.source] = max(float(value), best.get(fact.passage.source, 0.0))
    return np.array([best[fact.passage.source] for fact in facts])


def fits_kind(asked: Asked, fact: Quotable) -> float:
    """Return how far a fact has the kind of thing that is asked for, from 0 to 1."""
    if asked.wanted is None:
        return 0.0
    if not tells(asked.wanted, asked, fact.of_kind):
        return BELOW_HEADING if telling_heading(asked, fact.passage) else 0.0
    return 1.0 if not asked.counted or _counts(asked.counted, fact) else 0.5


def tells(kind: re.Pattern[str] | None, asked: Asked, text: str) -> bool:
    """Tell whether a text has the kind of thing asked for, and not only what the question says itself."""
    told = asked.text.lower()
    found = kind.finditer(text) if kind else ()
    return any(not one.group() or one.group().lower() not in told for one in found)


def _counts(counted: str, fact: Quotable) -> bool:
    """Tell whether a fact has a number of what is counted: in one column, or not far before the word."""
    if fact.row:
        return counted in content_words(f"{fact.text} {fact.wider}")
    behind = (tokens(fact.text[number.end() :])[:5] for number in _NUMBER.finditer(fact.text))
    return any(counted in map(stem, words) for words in behind)


def _named(
    asked: Asked,
    facts: Sequence[Quotable],
    near: Mapping[str, frozenset[str]],
    held: Sequence[frozenset[str]],
) -> Scores:
    """Return minus the share of the names of the question that a fact and what stands above it lack."""
    if asked.form is Form.COMPARISON:
        of = [
            own or any(is_of(side, "", fact) for side in asked.sides)
            for own, fact in zip(held, facts, strict=True)
        ]
        return np.array([0.0 if own else -1.0 for own in of]) if any(of) else np.zeros(len(facts))
    weight = {name: 2.0 if name in asked.codes else 1.0 for name in frozenset[str]().union(*near.values())}
    total = sum(weight.values()) or 1.0
    elsewhere = {name: 0.0 if name in asked.codes or dates(name) else _ELSEWHERE / 2 for name in weight}
    if asked.form is Form.CAUSE:
        elsewhere = dict.fromkeys(weight, _ELSEWHERE)
    lacking = [
        sum(
            size * (1 - elsewhere[name] * (name in near[fact.passage.source]))
            for name, size in weight.items()
            if name not in own
        )
        for fact, own in zip(facts, held, strict=True)
    ]
    short = np.array(lacking) / total
    whole = [asked.codes <= own for own in held]
    if any(whole) and asked.codes:
        # a row that is called so tells of it, others only name it
        called = any(
            own and fact.row and names_held(asked.codes, fact.row.label)
            for own, fact in zip(whole, facts, strict=True)
        )
        short = np.where(whole, short, np.maximum(short, 1.0 + called))
    return -short


def gives_cause(fact: Quotable) -> float:
    """Return what a fact gains where a cause is asked for: it gives one, or stands under such a heading."""
    if fact.heading or fact.row:
        return 0.0
    return (
        UNDER_CAUSE if BECAUSE.search(section_of(fact.passage)) else _CAUSE * bool(BECAUSE.search(fact.text))
    )


def lacks_thing(facts: Sequence[Quotable], words: Matcher) -> list[bool]:
    """Tell for each fact whether it lacks a word of the question that only other documents are called by."""
    called = {fact.passage.source: f"{title_of(fact.passage)} {fact.passage.source}" for fact in facts}
    held = [words.held(name) for name in called.values()]
    things = {
        word for own in held for word in own if 2 * sum(word in one for one in held) <= max(len(held), 2)
    }
    return [bool(things - words.held(f"{fact.wider} {fact.around} {fact.passage.source}")) for fact in facts]


def of_other_time(asked: Asked, fact: Quotable) -> frozenset[str]:
    """Return the month and the year of a question that a fact lacks which names one other month or year."""
    text = fact.row.sentence() if fact.row else fact.text
    other: set[str] = set()
    if not (asked.wanted and asked.wanted.search("march")):
        for kind in (_MONTH, _YEAR):
            own = [name for name in asked.names if kind.fullmatch(name)]
            said = next(filter(kind.search, (text, fact.around)), "") if own else ""
            if len({one.lower() for one in kind.findall(said)}) == 1 and not names_held(own, said):
                other.update(own)
    told = set(_CLOCK.findall(fact.row.label)) if fact.row else set()
    own = _CLOCK.findall(asked.text)
    return frozenset({*other, *(own if told and told.isdisjoint(own) else ())})


def _unasked(asked: Asked, fact: Quotable) -> float:
    """Return what a whole list loses where one thing is asked for."""
    if not fact.whole:
        return 0.0
    return -_LISTED if asked.lists or asked.form is Form.PROCEDURE else _WHOLE


def orders_machines(text: str) -> bool:
    """Tell whether a text is an order to who reads it by machine, such as to ignore what it was told."""
    return bool(_TO_MACHINES.search(text))


def _is_aside(fact: Quotable, words: Matcher, asked: Asked) -> bool:
    """Tell whether a fact is a title, an entry, "Author: …", that nobody asked for, or announces a table."""
    if fact.row or fact.whole:
        return False
    text, passage = fact.text.strip(), fact.passage
    if _ANNOUNCES.search(text) and not _ANNOUNCED.search(asked.text):
        return not tells(asked.wanted, asked, text)
    if orders_machines(text):
        return True
    behind = passage.text[fact.span.end - passage.span.start :]
    ended = _ENDED.search(text)
    if not ended and _ROW_NEXT.match(behind) and asked.form is not Form.POLAR:
        return not tells(asked.wanted, asked, text)
    entry = _ENTRY.fullmatch(text)
    titled = behind.startswith("\n\n") and not (passage.chunk and passage.chunk.headings)
    if titled and not ended and not entry:
        return True
    if entry is None or (asked.wanted and asked.wanted.search(fact.text)):
        return False
    if asked.form is Form.CAUSE and BECAUSE.search(text):
        return False
    return not words.held(f"{entry['label'] if asked.form is Form.CAUSE else text} {asked.columns}")


def is_of_another(fact: Quotable, words: Matcher, asked: Asked) -> bool:
    """Tell whether a row is named by nothing of the question, so that it may be that of another thing."""
    meets = fact.in_range > 0 or (fact.met and fact.in_range == 0)
    if fact.row is None or meets or names_held(asked.names, " ".join(fact.row.cells)):
        return False
    amounts = [cell for cell in fact.row.cells if figure(cell) or range_of(cell)]
    held = words.held(f"{' '.join(fact.row.cells)} {fact.row.group}") - words.held(" ".join(amounts))
    # that something else is 7 m long as well says nothing, but a cell that is 7 m does
    return not (words.held(" ".join(amounts)) or any(asked.words[p] not in asked.measures for p in held))


def is_of(side: str, other: str, fact: Quotable) -> bool:
    """Tell whether a fact is about one of two things, and not only about the other."""
    here = set(content_words(f"{fact.wider} {fact.around} {fact.passage.source}"))
    mine, theirs = set(content_words(side)), set(content_words(other))
    mine, theirs = mine - theirs or mine, theirs - mine or theirs
    return mine <= here and (not theirs <= here or mine <= set(content_words(fact.text)))
