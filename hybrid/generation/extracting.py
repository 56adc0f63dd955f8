"""The answer that stands in the passages: a sentence, a cell, a list of steps, a heading (extractive reading)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hybrid.generation.asking import Asked, Form, Matcher, matcher, names_held, read_question, respelled
from hybrid.generation.citations import Cited, Support
from hybrid.generation.prompts import Passage
from hybrid.models import Embedder, Vectors
from hybrid.text.dates import dates
from hybrid.text.numbers import SMALL_NUMBERS, Quantity, quantities
from hybrid.text.polarity import denials
from hybrid.text.rows import Saying, TableRow
from hybrid.text.sentences import unwrapped
from hybrid.text.words import content_words, language_of, stem, tokens, word_set
from hybrid.types import CELLS, Hit, Span

# Chosen on the sets of tests/benchmarks/answers, where a broad plateau around them does equally well.
_WORDS, _WIDER, _OWN = 0.4, 0.4, 0.5
_PASSAGE = 0.7
_KIND = 0.5
# Two facts say the same of one thing from so great a share of their words, and of the score of the best one;
# smaller ones where the documents are versions of one.
_ALIKE_WORDS, _SAME = (0.6, 0.4), (0.8, 0.65)
_ASIDE, _OTHER = 1.0, 0.5
# What the heading has, a fact below it has less surely.
_ABOVE = 0.9
_NAMED = 1.0
_CODED = 1.5
# Of two things that are compared, this share of the question must be said by both together.
_TOGETHER = 0.5
_CODE_UNHELD, _NAME_UNHELD, _UNCOUNTED = 0.3, 0.15, 0.1
# A name that stands in the document but not with the fact counts for so much.
_ELSEWHERE = 0.7
_RANGE = 1.0
_CAUSE, _CAUSE_ABOVE = 0.8, 1.3
# So many facts, the best by words and rank, are compared with the question by the embedder.
_COMPARED = 24
# A further sentence must be nearly as good as the best one, and add to it.
_NEAR_BEST = 0.9
# So much of the question must stand there for no, and for yes, which is sooner wrong.
_DECIDES, _AFFIRMS = 0.6, 0.85
_LONGEST_LIST, _LONGEST_PART = 120, 60
# The heading of a section says what its steps are for.
_HEADED, _ABOUT = 0.8, 0.3

import os
DEBUG = bool(os.environ.get("DBG"))
DUMP = None
_WEIGHTS = np.array([1.4, _WORDS, _WIDER, _OWN, _PASSAGE, _KIND, _RANGE, _NAMED, _ASIDE, 1.0, 0, 0, 0, 0, _OTHER, 0, 0])
_ITEM = re.compile(r"^[ \t]*(?P<mark>\(?\d{1,2}[.)]|[-*•–·▪◦]|\(?[a-z][.)])[ \t]+(?=\S)", re.MULTILINE)
_FIELD = re.compile(r"(?P<name>[^\n:|]{1,60}): ?(?P<value>[^\n]*)")
_NUMBERING = re.compile(r"^(?:\d{1,2}[.)]|§ ?\d+|[A-Z][.)]|\d{1,2}(?:\.\d{1,2})+)\s+(?=[^\W\d])")
_ENTRY = re.compile(r"(?P<label>[^\W\d][\w /-]{1,30}): (?P<value>.{1,60})")
_ENDS = re.compile(r"[.:;,!?]\s*$")
_PAIR = re.compile(r"\b(?:the two|both)\b")
_YEAR_MONTH = re.compile(r"(?<!\d)((?:19|20)\d\d)(?:[-_.](0[1-9]|1[0-2]))?(?!\d)")
_VALID = re.compile(r"\b(?:valid|effective|in force|as of|from|since|updated|revised|gültig|stand)\b\D{0,30}?(?:\d{1,2} \w+ )?((?:19|20)\d\d)", re.IGNORECASE)
_LEANS = word_set("it he she they this that these those there then")
_BECAUSE = re.compile(
    r"\b(?:because|due to|caused by|owing to|as a result|since|therefore|so that|reason|root cause|cause[ds]?|led to"
    r"|weil|wegen|aufgrund|grund)\b",
    re.IGNORECASE,
)
_LIMIT = re.compile(r"\b(?:at most|maximum(?: of)?|max\.?|up to|no more than|not more than|no longer than|only|höchstens|bis zu)\s", re.I)
_OPEN = re.compile(r"\b(?:unless|except|only|if|but|provided|depend\w*|sometimes|may)\b", re.IGNORECASE)
_RANGES = (
    (re.compile(r"^\D{0,12}?(?P<low>\d[\d,.]*)\s*(?:\w+\s)?(?:–|—|-|to|until|bis|and)\s*(?P<high>\d[\d,.]*)(?:\D|$)", re.I), (True, True)),
    (re.compile(r"^(?:up to|at most|until|max\.?|≤|<=|bis(?: zu)?|no more than)\s*(?P<high>\d[\d,.]*)", re.I), (True, True)),
    (re.compile(r"^(?:under|below|less than|fewer than|<|unter|weniger als)\s*(?P<high>\d[\d,.]*)", re.I), (True, False)),
    (re.compile(r"^(?:more than|over|above|>|über|mehr als|longer than)\s*(?P<low>\d[\d,.]*)", re.I), (False, True)),
    (re.compile(r"^(?:at least|from|≥|>=|ab|min\.?)\s*(?P<low>\d[\d,.]*)|^(?P<least>\d[\d,.]*)\s*(?:\w+\s)?(?:or more|and more|\+|and above|or over|und mehr)", re.I), (True, True)),
)
_YES_NO = {"de": ("Ja", "Nein")}


@dataclass(frozen=True, slots=True)
class Extract:
    """What was chosen, the answer first, and how sure one can be that it is about the question (0 to 1)."""

    cited: tuple[Cited, ...]
    relevance: float


@dataclass(frozen=True, slots=True)
class _Fact:
    """What one can quote: a sentence, an item, a row, or the heading of what follows it."""

    passage: Passage
    span: Span
    text: str
    above: str
    rank: float
    row: TableRow | None = None
    in_range: float = 0.0
    heading: bool = False
    term: str = ""

    @property
    def around(self) -> str:
        """Return the headings above it, and the sentence or caption that it hangs on."""
        return f"{_headings(self.passage)} {self.term} {self.above}"

    @property
    def wider(self) -> str:
        text = self.row.sentence() if self.row else self.text
        return f"{self.passage.title}: {self.term} {self.above} {text}"

    @property
    def alone(self) -> str:
        """Return it with the term that it explains, as the embedder compares it."""
        return f"{self.term} {self.text}".strip()


def extract(
    question: str, hits: Sequence[Hit], passages: Sequence[Passage], embedder: Embedder, *, sentences: int
) -> Extract:
    """Choose what answers the question: one fact where one is enough, all steps of a procedure.

    Args:
        question: in plain words.
        hits: best first, one a passage.
        passages: the same chunks, numbered.
        embedder: compares question and facts.
        sentences: how many at the most; the items of a list count as one.
    """
    asked = read_question(respelled(question, [f"{_headings(own)} {own.text}" for own in passages]))
    sources: dict[str, str] = {}
    for passage in passages:
        sources[passage.source] = f"{sources.get(passage.source, passage.source)} {_headings(passage)} {passage.text}"
    facts = [fact for rank, passage in zip(_ranks(hits), passages, strict=True) for fact in _facts(asked, passage, rank)]
    facts = _once(facts)
    if not facts:
        return Extract((), 0.0)
    words = matcher(asked, [fact.wider for fact in facts])
    scores, relevances = _scores(asked, facts, words, sources, embedder)
    order = [int(place) for place in np.argsort(-scores, kind="stable")]
    if DEBUG:
        for place in order[:8]: print("   %.2f rel %.2f | %s | %s" % (scores[place], relevances[place], facts[place].passage.title, facts[place].text[:90]))
    chosen = _compose(asked, facts, scores, order, words, sentences)
    best = facts[order[0]]
    both = _compared(asked, facts, order, words) if asked.form is Form.COMPARISON else []
    about = " ".join(sources.values()) if both else sources[best.passage.source]
    uncounted = _UNCOUNTED * (bool(asked.counted) and _fits_kind(asked, best) < _ABOVE)
    uncounted += _UNCOUNTED * _is_other(best, words, asked)
    if both:
        together = words.share(" ".join(fact.wider for fact in both))
        relevances[order[0]] = max(float(relevances[order[0]]), (1 + together) / 2 if together >= _TOGETHER else 0.0)
    relevance = float(relevances[order[0]]) - _unheld(asked, about) - uncounted
    return Extract(tuple(chosen), float(np.clip(relevance, 0.0, 1.0)))


def _unheld(asked: Asked, document: str) -> float:
    """Return how much less a document can be about a question whose names it does not have."""
    lacking = [name for name in asked.names if name not in names_held(asked.names, document)]
    return min(sum(_CODE_UNHELD if name in asked.codes else _NAME_UNHELD for name in lacking), _CODE_UNHELD)


def _ranks(hits: Sequence[Hit]) -> list[float]:
    """Return the score of each hit as a share of the best one."""
    best = max((hit.score for hit in hits), default=0.0)
    return [hit.score / best if best > 0 else 0.0 for hit in hits]


def _headings(passage: Passage) -> str:
    chunk = passage.chunk
    return " ".join((chunk.source if not chunk.headings else "", *chunk.headings, chunk.caption, *chunk.columns)) if chunk else passage.title


def _section(passage: Passage) -> str:
    """Return the heading right above a passage, below the title of the document, without its number."""
    headings = passage.chunk.headings if passage.chunk else ()
    return _NUMBERING.sub("", headings[-1]) if len(headings) > 1 else ""


def _telling(asked: Asked, passage: Passage) -> str:
    """Return the nearest heading below the title of the document that has the kind of thing asked for."""
    if asked.wanted is None or passage.chunk is None:
        return ""
    numbered = asked.wanted.pattern.startswith("^")
    headings = passage.chunk.headings[1:]
    return next((own for own in reversed(headings) if asked.wanted.search(own if numbered else _NUMBERING.sub("", own))), "")


def _once(facts: Sequence[_Fact]) -> list[_Fact]:
    """Return facts without those that a chunk which overlaps has as well."""
    seen: dict[tuple[str, int, bool], _Fact] = {}
    for fact in facts:
        seen.setdefault((fact.passage.source, fact.span.start, fact.heading), fact)
    return list(seen.values())


def _facts(asked: Asked, passage: Passage, rank: float) -> Iterator[_Fact]:
    """Yield what a passage says."""
    record = _record(passage)
    said = [record] if record else passage.sayings()
    rows = [saying.row for saying in said if saying.row]
    fits = {row.span: _fit(asked, row) for row in rows}
    ranged = sum(fit is not None for fit in fits.values()) > 1 and any(fits.values())
    if said and (telling := _telling(asked, passage)):
        yield _Fact(passage, passage.placed(said[0].span), telling, "", rank, heading=True)
    before, term, ended = "", "", 0
    for saying in _split(said):
        if not any(map(str.isalnum, saying.text)):
            continue
        if "\n\n" in passage.text[ended : saying.span.start]:
            term = ""
        ended = saying.span.end
        row = saying.row
        if row:
            fit = fits[row.span]
            in_range = 0.0 if not ranged else 1.0 if fit else -1.0
            text = f"{row.asked(asked.with_columns)}."
            above = f"{row.caption} {row.group}".strip()
            yield _Fact(passage, passage.placed(saying.span), text, above, rank, row, in_range)
        else:
            term = _term(saying.text) or term
            mark = _ITEM.match(saying.text)
            skip = mark.end() if mark and mark.end() < len(saying.text) else 0
            span = Span(saying.span.start + skip, saying.span.end)
            own = "" if term and term in saying.text else term
            yield _Fact(passage, passage.placed(span), saying.text[skip:], before, rank, term=own)
        before = saying.text


def _split(said: Sequence[Saying]) -> Iterator[Saying]:
    """Yield sentences, and the entries of a form, a line each, as such."""
    for saying in said:
        lines = saying.text.split("\n")
        entries = [bool(_FIELD.fullmatch(line.strip())) for line in lines]
        if saying.row or len(lines) < 2 or not all(entries):
            yield saying
            continue
        start = saying.span.start
        for line in lines:
            if line.strip():
                yield Saying(Span(start, start + len(line)), line)
            start += len(line) + 1


def _term(text: str) -> str:
    """Return the term that a definition begins with: short lines without an end, above the sentence."""
    first, _, rest = text.partition("\n")
    if not rest or len(first.split()) > 6 or _ENDS.search(first) or _ITEM.match(first) or CELLS in text:
        return ""
    return first.strip()


def _record(passage: Passage) -> Saying | None:
    """Return a passage of fields, a line each, as the row that it was read from."""
    lines = passage.text.strip().split("\n")
    found = [_FIELD.fullmatch(line.strip()) for line in lines]
    if len(lines) < 3 or not all(found) or "#" not in passage.source:
        return None
    fields = [match for match in found if match]
    span = Span(0, len(passage.text))
    columns = tuple(match["name"].replace("_", " ") for match in fields)
    row = TableRow(span, tuple(match["value"] for match in fields), columns, "")
    return Saying(span, row.sentence(), row)


def _fit(asked: Asked, row: TableRow) -> bool | None:
    """Tell whether the amount that a question tells falls into the range of a row; None if it has none."""
    cells = [cell for cell in row.cells if _range(cell)]
    if not cells:
        return None
    low, high, (with_low, with_high) = _range(cells[0])  # type: ignore[misc]
    for one in asked.amounts:
        value = one.value
        if value is None:
            continue
        if (low < value or (with_low and low == value)) and (value < high or (with_high and value == high)):
            return True
    return False


def _range(label: str) -> tuple[float, float, tuple[bool, bool]] | None:
    for pattern, ends in _RANGES:
        if match := pattern.search(label.strip()):
            told = {name: float(value.replace(",", "").rstrip(".")) for name, value in match.groupdict().items() if value and value.replace(",", "").rstrip(".").replace(".", "", 1).isdigit()}
            low = told.get("low", told.get("least"))
            if low is None and "high" not in told:
                continue
            return (-np.inf if low is None else low), told.get("high", np.inf), ends
    return None


def _scores(
    asked: Asked, facts: Sequence[_Fact], words: Matcher, sources: Mapping[str, str], embedder: Embedder
) -> tuple[Vectors, Vectors]:
    """Return for each fact how good an answer it is, and how sure one can be that it is about the question."""
    table = _features(asked, facts, words, sources)
    cheap = table @ _WEIGHTS[1:]
    best = np.argsort(-cheap, kind="stable")[:_COMPARED]
    compared = embedder.embed_documents([facts[place].alone for place in best])
    found = compared @ embedder.embed_queries([asked.text])[0]
    cosines = np.full(len(facts), found.min())
    cosines[best] = found
    if DUMP is not None:
        DUMP.append((asked, list(facts), np.column_stack([cosines, table])))
    named = np.array([len(names_held(asked.codes, f"{fact.text} {fact.around} {fact.passage.source}")) for fact in facts])
    total = sum(words.weights)
    covered = (table[:, 1] * total + _CODED * named) / ((total + _CODED * len(asked.codes)) or 1.0)
    return cheap + _WEIGHTS[0] * cosines, (_of_document(facts, cosines) + _of_document(facts, covered)) / 2


def _features(asked: Asked, facts: Sequence[_Fact], words: Matcher, sources: Mapping[str, str]) -> Vectors:
    """Return what speaks for each fact, a column a reason."""
    named = _named(asked, facts, sources)
    rows = []
    question = content_words(asked.text)
    for fact, lacking in zip(facts, named, strict=True):
        there = content_words(fact.text)
        kind = _fits_kind(asked, fact)
        own = words.share(fact.text)
        new = len([word for word in there if word not in question])
        rows.append(
            (
                words.share(f"{fact.passage.title} {fact.text}"),
                words.share(fact.wider),
                own,
                fact.rank,
                kind,
                fact.in_range,
                lacking,
                -float(_is_aside(fact, words, asked)),
                _explains(fact) if asked.form is Form.CAUSE else 0.0,
                kind * own,
                min(new, 12) / 12,
                min(len(there), 30) / 30,
                float(fact.above == ""),
                -float(_is_other(fact, words, asked)),
                words.share(_section(fact.passage)),
                float(fact.heading),
            )
        )
    return np.array(rows)


def _of_document(facts: Sequence[_Fact], values: Vectors) -> Vectors:
    """Return for each fact the best value in its document: an answer need not repeat the question."""
    best: dict[str, float] = {}
    for fact, value in zip(facts, values, strict=True):
        best[fact.passage.source] = max(float(value), best.get(fact.passage.source, 0.0))
    return np.array([best[fact.passage.source] for fact in facts])


def _is_other(fact: _Fact, words: Matcher, asked: Asked) -> bool:
    """Tell whether a row is named by nothing of the question, so that it may be that of another thing."""
    if fact.row is None or fact.in_range > 0 or names_held(asked.names, " ".join(fact.row.cells)):
        return False
    return not words.held(f"{' '.join(fact.row.cells)} {fact.row.group}")


def _explains(fact: _Fact) -> float:
    """Return what a fact gains where a cause is asked for: it gives one, or stands under such a heading."""
    if fact.heading or fact.row:
        return 0.0
    return _CAUSE_ABOVE if _BECAUSE.search(_section(fact.passage)) else _CAUSE * bool(_BECAUSE.search(fact.text))


def _is_aside(fact: _Fact, words: Matcher, asked: Asked) -> bool:
    """Tell whether a fact is a short entry, such as "Author: …", that nobody asked for."""
    entry = _ENTRY.fullmatch(fact.text.strip()) if not fact.row else None
    return bool(entry) and not words.held(f"{entry['label']} {asked.columns}") and not (asked.wanted and asked.wanted.search(fact.text))


def _fits_kind(asked: Asked, fact: _Fact) -> float:
    """Return how far a fact has the kind of thing that is asked for, from 0 to 1."""
    if asked.wanted is None:
        return 0.0
    if not asked.wanted.search(f"{fact.term} {fact.text}".strip()):
        return _ABOVE if _telling(asked, fact.passage) else 0.0
    return 1.0 if not asked.counted or _counts(asked.counted, fact) else 0.5


def _counts(counted: str, fact: _Fact) -> bool:
    """Tell whether a fact has a number of what is counted: in one column, or not far before the word."""
    if fact.row:
        return counted in content_words(f"{fact.text} {fact.above}")
    words = [stem(word) for word in tokens(fact.text)]
    numbers = [place for place, word in enumerate(words) if word[0].isdigit() or word in SMALL_NUMBERS]
    return any(counted in words[place + 1 : place + 6] for place in numbers)


def _named(asked: Asked, facts: Sequence[_Fact], sources: Mapping[str, str]) -> Vectors:
    """Return minus the share of the names of the question that a fact and what stands above it lack."""
    held = [names_held(asked.names, f"{fact.text} {fact.around} {fact.passage.source}") for fact in facts]
    if asked.form is Form.COMPARISON:
        of = [own or any(_is_of(side, "", fact) for side in asked.sides) for own, fact in zip(held, facts, strict=True)]
        return np.array([0.0 if own else -1.0 for own in of]) if any(of) else np.zeros(len(facts))
    near = {source: names_held(asked.names, text) for source, text in sources.items()}
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
    return -np.array(lacking) / total


def _compose(
    asked: Asked, facts: Sequence[_Fact], scores: Vectors, order: Sequence[int], words: Matcher, most: int
) -> list[Cited]:
    best = facts[order[0]]
    if both := _compared(asked, facts, order, words):
        return [_cite(asked, fact, words) for fact in both]
    if asked.form is Form.PROCEDURE and (steps := _steps(facts, scores, words)):
        return [steps]
    if (whole := _under_heading(asked, best, words)) is not None:
        return [whole]
    if asked.form is Form.CAUSE and _explains(best) == _CAUSE_ABOVE and len(best.passage.text.split()) <= _LONGEST_PART // 2:
        return [Cited(unwrapped(best.passage.text), Support(best.passage, best.passage.span, 1.0))]
    if asked.form is Form.POLAR or (not asked.several and _fits_kind(asked, best) == 1.0) or best.row:
        most = 1
    chosen = [best]
    covered = words.held(f"{best.text} {best.around}")
    for place in order[1:]:
        fact = facts[place]
        adds = words.held(f"{fact.text} {fact.around}") - covered
        if len(chosen) == most or scores[place] < _NEAR_BEST * scores[order[0]]:
            break
        if adds and fact.row is None:
            chosen.append(fact)
            covered |= adds
    if most == 1 or len(chosen) == 1:
        other = next(
            (
                facts[place]
                for place in order[1:_COMPARED]
                if scores[place] >= _SAME[_sisters(facts[place], best)] * scores[order[0]]
                and _contradicts(facts[place], best)
                and names_held(asked.codes, facts[place].wider) >= names_held(asked.codes, best.wider)
            ),
            None,
        )
        if other is not None:
            return _versions(asked, best, other, words)
    cited = [_cite(asked, fact, words) for fact in chosen]
    if asked.form is Form.POLAR and (verdict := _verdict(asked, best, words)):
        cited[0] = replace(cited[0], sentence=f"{verdict}: “{cited[0].sentence.rstrip()}”")
    return cited


def _contradicts(one: _Fact, other: _Fact) -> bool:
    """Tell whether two documents say the same with other numbers: versions of a rule, or a contradiction."""
    if one.passage.source == other.passage.source or one.heading or other.heading:
        return False
    if (one.row is None) != (other.row is None):
        return False
    if "#" in one.passage.source + other.passage.source:  # records of a table are different things
        return False
    here, there = (set(content_words(fact.text)) for fact in (one, other))
    numbers = [{word for word in words if word[0].isdigit()} for words in (here, there)]
    rest = [{word for word in words if not word[0].isdigit()} for words in (here, there)]
    alike = len(rest[0] & rest[1]) / max(min(len(rest[0]), len(rest[1])), 1)
    return all(numbers) and not numbers[0] & numbers[1] and alike >= _ALIKE_WORDS[_sisters(one, other)]


def _sisters(one: _Fact, other: _Fact) -> bool:
    """Tell whether two documents are versions of one by their titles or names."""
    names = [
        {word for word in content_words(f"{_document(fact.passage)} {fact.passage.source.rpartition('/')[2]}") if word.isalpha()}
        for fact in (one, other)
    ]
    return 2 * len(names[0] & names[1]) >= max(map(len, names))


def _versions(asked: Asked, one: _Fact, other: _Fact, words: Matcher) -> list[Cited]:
    """Return what is in force and the name of the older document; both where nothing tells which is newer."""
    ages = [_dated(fact.passage) for fact in (one, other)]
    if not all(ages) or ages[0] == ages[1]:
        return [replace(cited, sentence=f"{_document(fact.passage)}: {cited.sentence}") for fact in (one, other) for cited in [_cite(asked, fact, words)]]
    newer, older = (one, other) if ages[0] > ages[1] else (other, one)
    title = _document(older.passage)
    told = title if title != _document(newer.passage) else older.passage.source
    named = Cited(f"(Older: {told}.)", Support(older.passage, older.span, 1.0))
    return [_cite(asked, newer, words), named]


def _document(passage: Passage) -> str:
    headings = passage.chunk.headings if passage.chunk else ()
    return headings[0] if headings else passage.source


def _dated(passage: Passage) -> tuple[int, ...]:
    """Return the last date in the name, title or headings of a document, or of what it says it is valid from."""
    names = f"{passage.source.replace('_', ' ')} {_headings(passage)}"
    numeric = [(int(year), int(month or 0)) for year, month in _YEAR_MONTH.findall(names)]
    told = [date for date in dates(names) if date.year]
    versions = [tuple(map(int, found.split("."))) for found in re.findall(r"(?:[Vv]ersion |\bv)(\d+(?:\.\d+)*)", names)]
    valid = [(int(year), 0) for year in _VALID.findall(passage.text)]
    found = [*numeric, *((date.year or 0, date.month or 0) for date in told)]
    return max(found, default=()) or max(versions, default=()) or max(valid, default=())


def _cite(asked: Asked, fact: _Fact, words: Matcher) -> Cited:
    passage = fact.passage
    text = fact.text
    span = fact.span
    if fact.row:
        row = fact.row
        shown = row.asked(asked.with_columns)
        if asked.several and len(row.sentence().split()) <= 30:
            shown = row.sentence()
        return Cited(f"{shown}.", Support(passage, span, 1.0))
    first = re.sub(r"\W", "", text.split()[0]).lower() if text.split() else ""
    if first in _LEANS and fact.above and len(f"{fact.above} {text}".split()) <= _LONGEST_PART:
        begin = passage.text.find(fact.above)
        if 0 <= begin <= span.start - passage.span.start:
            span = Span(passage.span.start + begin, span.end)
            text = passage.text[begin : span.end - passage.span.start]
    if text.rstrip().endswith(":") and (behind := _behind(passage, span)):
        span = Span(span.start, behind.end)
        text = passage.text[span.start - passage.span.start : span.end - passage.span.start]
    text = unwrapped(text)
    lead = _lead(asked, fact, text)
    return Cited(f"{lead}: {text}" if lead else text, Support(passage, span, 1.0))


def _behind(passage: Passage, span: Span) -> Span | None:
    """Return the list, or else the sentence, that stands behind what ends with a colon."""
    end = span.end - passage.span.start
    rest = passage.text[end:]
    start = end + len(rest) - len(rest.lstrip())
    found = next((own for own in _lists(passage.text) if own.start == start), None)
    if found is None:
        found = next((saying.span for saying in passage.sayings() if saying.span.start == start and not saying.row), None)
    if found is None or len(passage.text[found.start : found.end].split()) > _LONGEST_LIST:
        return None
    return passage.placed(found)


def _lead(asked: Asked, fact: _Fact, text: str) -> str:
    """Return the heading without which a quote does not say what it is about, if there is one."""
    if fact.heading or not fact.passage.chunk:
        return ""
    headings = fact.passage.chunk.headings
    if fact.term:
        return fact.term
    if asked.wanted and not asked.wanted.search(text) and (telling := _telling(asked, fact.passage)):
        return telling
    missing = [name for name in asked.names if name in asked.codes and not names_held([name], text)]
    for name in missing:
        for heading in reversed(headings):
            if names_held([name], heading):
                return heading
    return ""


def _steps(facts: Sequence[_Fact], scores: Vectors, words: Matcher) -> Cited | None:
    """Return the whole list of steps, or all of a short section, that the question is about."""
    best: tuple[float, Passage, Span] | None = None
    for fact, score in zip(facts, scores, strict=True):
        passage, text = fact.passage, fact.passage.text
        if fact.row or fact.heading:
            continue
        start, end = fact.span.start - passage.span.start, fact.span.end - passage.span.start
        about = words.share(_section(passage) or passage.title)
        lists = [own for own in _lists(text) if len(_ITEM.findall(text[own.start : own.end])) > 1]
        span = next((own for own in lists if own.start <= start and end <= own.end), None)
        if span is None and about >= _ABOUT:
            short = len(text.split()) <= _LONGEST_PART
            span = lists[0] if lists else Span(0, len(text)) if short else None
        if span is None or len(text[span.start : span.end].split()) > _LONGEST_LIST:
            continue
        worth = float(score) + _HEADED * about
        if best is None or worth > best[0]:
            best = worth, passage, span
    if best is None or best[0] < float(scores.max()):
        return None
    _, passage, span = best
    said = passage.text[span.start : span.end].strip()
    return Cited(said if _ITEM.search(said) else unwrapped(said), Support(passage, passage.placed(span), 1.0))


def _lists(text: str) -> list[Span]:
    """Return where the lists of a text stand: items line after line."""
    found: list[Span] = []
    start, open_ = 0, False
    for line in text.split("\n"):
        end = start + len(line)
        if _ITEM.match(line):
            if open_:
                found[-1] = Span(found[-1].start, end)
            else:
                found.append(Span(start, end))
            open_ = True
        elif line.strip():
            # what is indented goes on an item
            open_ = open_ and line.startswith((" ", "\t"))
            if open_:
                found[-1] = Span(found[-1].start, end)
        start = end + 1
    return found


def _under_heading(asked: Asked, best: _Fact, words: Matcher) -> Cited | None:
    """Return all that stands under a heading which asks, or says, what the question does."""
    passage = best.passage
    if best.row or best.heading or asked.form is Form.POLAR or not words.forms:
        return None
    heading = words.share(_section(passage))
    least = _ABOUT if asked.lists else 0.5
    if heading < least or heading < words.share(best.text) or len(passage.text.split()) > _LONGEST_PART // 2:
        return None
    lists = _lists(passage.text)
    if not lists:
        return None
    text = passage.text.strip()
    items = [_ITEM.sub("", line).strip() for line in text.split("\n") if line.strip()]
    return Cited("; ".join(items) + ".", Support(passage, passage.placed(Span(0, len(passage.text))), 1.0))


def _compared(asked: Asked, facts: Sequence[_Fact], order: Sequence[int], words: Matcher) -> list[_Fact]:
    """Return for each of the things that are compared what is said of it; nothing where one is not found."""
    found: list[_Fact] = []
    for side, other in zip(asked.sides, reversed(asked.sides), strict=False):
        best = next((facts[place] for place in order if _is_of(side, other, facts[place])), None)
        if best is None or any(fact.span == best.span and fact.passage.source == best.passage.source for fact in found):
            return []
        found.append(best)
    if not asked.sides and _PAIR.search(asked.text.lower()):
        rows = [facts[place] for place in order if facts[place].row and not _is_other(facts[place], words, asked)]
        found = [fact for fact in rows if fact.row and rows[0].row and fact.row.columns == rows[0].row.columns][:2]
    return found if len(found) == 2 else []


def _is_of(side: str, other: str, fact: _Fact) -> bool:
    """Tell whether a fact is about one of two things, and not only about the other."""
    here = set(content_words(f"{fact.wider} {fact.around} {fact.passage.source}"))
    mine, theirs = set(content_words(side)), set(content_words(other))
    mine, theirs = mine - theirs or mine, theirs - mine or theirs
    return mine <= here and (not theirs <= here or mine <= set(content_words(fact.text)))


def _verdict(asked: Asked, fact: _Fact, words: Matcher) -> str:
    """Return yes or no where what was found decides it, in the language of the question."""
    yes, no = _YES_NO.get(language_of(asked.text), ("Yes", "No"))
    if re.search(r"\bnot\b|n't\b|\bnever\b|\bnicht\b|\bkein", asked.text.lower()):
        return ""
    if fact.row:
        value = fact.text.rstrip(".").rpartition(": ")[2].strip().lower()
        if asked.amounts:
            return ""
        if value in ("0", "no", "none", "nein", "false", "-", "–", "sold out"):
            return no
        return yes if value in ("yes", "ja", "true", "✓", "x") or re.fullmatch(r"\d[\d,.]*", value) else ""
    limit = _LIMIT.search(fact.text)
    if asked.amounts:
        told = _limited(fact.text[limit.start() :]) if limit else None
        size = _size(asked.amounts[0])
        if told and size and told[0] == size[0]:
            return no if size[1] > told[1] else yes
        return ""
    share = words.share(f"{fact.text} {fact.around}")
    count = denials(fact.text)
    if count is None or share < _DECIDES or words.share(fact.text) < _DECIDES / 2:
        return ""
    if count % 2:
        return no
    return "" if share < _AFFIRMS or _OPEN.search(fact.text) else yes


def _size(quantity: Quantity) -> tuple[str, float] | None:
    if quantity.value is None or not quantity.units:
        return None
    return quantity.units[0].kind, quantity.value * quantity.units[0].size


def _limited(text: str) -> tuple[str, float] | None:
    found = quantities(text)
    return _size(found[0]) if found else None
