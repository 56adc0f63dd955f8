"""What a passage says that one can quote: sentences, rows, headings (candidate extraction)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hybrid.generation.asking import Asked, Form
from hybrid.generation.matching import expressions, names_held
from hybrid.generation.prompts import Passage
from hybrid.text.identifiers import identifiers
from hybrid.text.numbers import LETTERS, quantities
from hybrid.text.rows import Saying, TableRow, closed, is_record
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import content_words, listed
from hybrid.types import CELLS, Span

ITEM = re.compile(r"^[ \t]*(?P<mark>\(?\d{1,2}[.)]|[-*•–·▪◦]|\(?[a-z][.)])[ \t]+(?=\S)", re.MULTILINE)
_LABEL_WORDS, _RUN_IN, _PAIR_WORDS = 6, 3, 8
# Words of one root share so many letters.
_ROOT = 5
# A value of more words that ends as one is a sentence.
_SENTENCE = 5
# "Not yet." is compared with the question above it.
_SHORT_ANSWER = 12
# What is longer is quoted by its sentences.
LONGEST = 30
# What each is for stands beside it.
_TOLD = expressions("facts")
_MARK, _DATED, _NUMBERING, _ASKS, _BARE, _NOT, _CHOOSES, _CODED, _ENDS, _GOES_ON, _OWN_UNIT, _SAYS = _TOLD
FIELD = re.compile(r"(?P<name>[^\n:|]{1,60}): ?(?P<value>[^\n]*)")
# A field of a record, whose name is the head of a column.
_CELL = re.compile(r"(?P<name>[^\n:|]{1,300}): ?(?P<value>[^\n]*)")
_CODE = re.compile(r"\n[ \t]*[^\W\d_A-Z]|^#", re.ASCII)
_RANGES = [
    (re.compile(one["found"], re.IGNORECASE), (one["ends"][0], one["ends"][1]))
    for one in listed("generation")["ranges"]
]


@dataclass(frozen=True, slots=True)
class Quotable:
    """What one can quote: a sentence, an item, a row, or the heading of what follows it.

    ``head`` are the entries of its document that have names of the question, where it is of a form as well.
    """

    passage: Passage
    span: Span
    text: str
    above: str
    rank: float
    row: TableRow | None = None
    in_range: float = 0.0
    heading: bool = False
    term: str = ""
    whole: bool = False
    head: str = ""
    met: tuple[int, ...] = ()

    @property
    def around(self) -> str:
        """Return the headings above it, and the sentence or caption that it hangs on."""
        return f"{headings_of(self.passage)} {self.head} {self.term} {self.above}"

    @property
    def of_kind(self) -> str:
        """Return where the kind of thing asked for may stand; of the line above a diary entry its date."""
        dated = _DATED.match(self.term)
        return f"{self.text} {dated.group()}" if dated else f"{self.term} {self.text}".strip()

    @property
    def wider(self) -> str:
        """Return it with the title above it, and with what it hangs on; of a row all cells."""
        text = f"{self.row.columns[0]} {self.row.sentence()}" if self.row else self.text
        return f"{self.passage.title}: {self.head} {self.term} {self.above} {text}"

    @property
    def alone(self) -> str:
        """Return it with the term that it explains, the first or a short one with the question it answers."""
        answers = self.text[:1].isupper() and (not self.above or len(self.text.split()) <= _SHORT_ANSWER)
        asked = section_of(self.passage) if answers and asks(section_of(self.passage)) else ""
        return f"{asked} {self.term} {self.text}".strip()


def facts_of(asked: Asked, passage: Passage, rank: float) -> Iterator[Quotable]:
    """Yield what a passage says."""
    record = _record(passage)
    told = [record] if record else passage.sayings()
    if told and (telling := telling_heading(asked, passage)):
        yield Quotable(passage, passage.placed(told[0].span), telling, "", rank, heading=True)
    if record is None:
        yield from _lists_of(passage, rank)
    before, over, term, first, ended = "", "", "", "", 0
    labelled, coded, marked, lead = "", "", False, ""
    for saying, of_item in _split(told):
        entry = None if saying.row else FIELD.fullmatch(saying.text)
        # an entry of a form may be empty, and the name of the next one stand behind it
        said = entry["value"].rpartition(":")[2] if entry and first else saying.text
        if not any(map(str.isalnum, said)) or _is_above(saying, passage):
            continue
        if of_item or labelled:  # of an item, and of no other one
            term, labelled = of_item, of_item
        if "\n\n" in passage.text[ended : saying.span.start] and not asks(before):
            term, coded = "", ""
        ended = saying.span.end
        # "3." and "Dividend." stand apart from what the item says
        is_label, marked = marked and _is_label(saying.text), bool(_MARK.fullmatch(saying.text))
        if not saying.row and _runs_in(saying, passage.text):
            term = _named_above(saying, passage.text)
            continue
        if marked or is_label:
            term = saying.text.rstrip(".") if is_label else ""
            continue
        if saying.row:
            row, text = _row_of(asked, saying.row, lead)
            pair = not any(row.columns)  # pairs are about what the first one names
            first = first or (text if pair else "")
            above = f"{lead} {first}" if pair and first != text else lead
            yield from _of_row(passage, saying, row, text, above, rank)
        else:
            # what stands above a table and is no sentence names it
            lead = "" if _ENDS.search(saying.text) else saying.text
            line = passage.text[: saying.span.start].rpartition("\n")[2].strip()
            begins = not line or _MARK.fullmatch(line)  # the end of a wrapped line names nothing
            above = passage.text[: saying.span.end]
            term = (_term(saying.text) if begins else "") or _over_list(above, passage.text) or term
            # what a heading stands above begins as a sentence does; code does not
            headed = term and saying.text.startswith(f"{term}\n") and not _CODE.search(saying.text)
            skip = saying.text.index("\n") + 1 if headed else 0
            mark = ITEM.match(saying.text, skip)
            skip = mark.end() if mark and mark.end() < len(saying.text) else skip
            span = Span(saying.span.start + skip, saying.span.end)
            # entries of a form are about what its first one names, and what stands above that
            over = before if entry and not first else over
            first = (first or saying.text) if entry else ""
            before = f"{over} {first}".strip() if first != saying.text and first else before
            # of a paragraph that begins with a code all is about it
            coded = _code_of(saying.text) or coded
            term = coded if term == "" or _code_of(term) else term
            own = "" if term and not headed and term in saying.text else term
            yield Quotable(passage, passage.placed(span), saying.text[skip:], before, rank, term=own)
            # what stands behind a question of the document answers it
            term = saying.text[skip:].strip() if asks(saying.text) else term
        before = saying.text


def _is_above(saying: Saying, passage: Passage) -> bool:
    """Tell whether a line of a table only names the rows below it, or what they are counted in."""
    bar = CELLS.strip()
    alone = (
        not saying.row and bar in passage.text[saying.span.start : saying.span.end] and bar not in saying.text
    )
    return alone and len(saying.text.split()) <= _PAIR_WORDS and not saying.text.endswith((".", "!", "?"))


def _lists_of(passage: Passage, rank: float) -> Iterator[Quotable]:
    """Yield the lists of a passage, each as a whole."""
    for place in lists_in(passage.text):
        text = passage.text[place.start : place.end].strip()
        # numbered paragraphs, as of minutes or of a contract, are no list that answers as a whole
        if (items := len(ITEM.findall(text))) > 1 and 2 * len(_GOES_ON.findall(text)) <= items:
            before = passage.text[: place.start].rstrip()
            above, term = _lead_in(before), _over_list(before, passage.text) or section_of(passage)
            yield Quotable(passage, passage.placed(place), text, above, rank, term=term, whole=True)


def records_of(passages: Sequence[Passage]) -> Iterator[Quotable]:
    """Yield records, and rows of tables, to be compared and not to be ranked."""
    for passage in passages:
        record = _record(passage)
        for saying in [record] if record else passage.sayings():
            if saying.row:
                yield Quotable(passage, passage.placed(saying.span), saying.text, "", 0.0, saying.row)


def aligned(facts: Sequence[Quotable]) -> list[Quotable]:
    """Return facts in which all records of a file have the same columns: an empty cell has no line."""
    columns: dict[str, dict[str, None]] = {}
    files = [fact.passage.source.rpartition("#")[0] if fact.row else "" for fact in facts]
    for fact, file in zip(facts, files, strict=True):
        if fact.row and file:
            columns.setdefault(file, {}).update(dict.fromkeys(fact.row.columns))
    found = list(facts)
    for place, (fact, file) in enumerate(zip(facts, files, strict=True)):
        if fact.row and file and fact.row.columns != tuple(columns[file]):
            cells = dict(zip(fact.row.columns, fact.row.cells, strict=True))
            row = replace(
                fact.row,
                columns=tuple(columns[file]),
                cells=tuple(cells.get(name, "") for name in columns[file]),
            )
            found[place] = replace(fact, row=row)
    return found


def headed(asked: Asked, facts: Sequence[Quotable]) -> list[Quotable]:
    """Return facts in which entries know the head of their form.

    What a document has one of, its engine or its owner, is that of what the document is about.
    """
    names = [_name_of(fact) for fact in facts]
    values: dict[tuple[str, str], set[str]] = {}
    heads: dict[str, dict[str, None]] = {}
    for fact, name in zip(facts, names, strict=True):
        values.setdefault((fact.passage.source, name), set()).add(fact.text)
        if name and names_held(asked.names, fact.text):
            heads.setdefault(fact.passage.source, {})[fact.text] = None
    found = list(facts)
    for place, (fact, name) in enumerate(zip(facts, names, strict=True)):
        source = fact.passage.source
        once = name and len(values[source, name]) == 1 and not any(map(str.isdigit, name))
        if once and source in heads:
            found[place] = replace(fact, head=" ".join(heads[source]))
    return found


def _name_of(fact: Quotable) -> str:
    """Return the name of an entry of a form."""
    entry = None if fact.row else FIELD.fullmatch(fact.text)
    value = entry["value"] if entry else ""
    if entry is None or (value.endswith((".", "!", "?")) and len(value.split()) > _SENTENCE):
        return ""
    return entry["name"].strip().lower()


def _lead_in(text: str) -> str:
    """Return the sentence right above a list that announces it: it ends with a colon."""
    last = text.rpartition("\n")[2].strip()
    return last if last.endswith(":") else ""


def distinct_facts(facts: Sequence[Quotable]) -> list[Quotable]:
    """Return facts without those that a chunk which overlaps has as well."""
    seen: dict[tuple[str, int, bool, bool], Quotable] = {}
    for fact in facts:
        seen.setdefault((fact.passage.source, fact.span.start, fact.heading, fact.whole), fact)
    return list(seen.values())


def _split(said: Sequence[Saying]) -> Iterator[tuple[Saying, str]]:
    """Yield sentences, and those of an item one by one.

    Beside each stands the label that its item begins with ("2. Laser. The tube was replaced."), if any.
    What an item without one says hangs together ("(1) It may be changed. After a day it may not.").
    """
    for saying in said:
        mark = None if saying.row else ITEM.match(saying.text)
        if mark and len(told := sentence_spans(saying.text[mark.end() :])) > 1:
            yield from _of_item(saying, [Span(mark.end() + one.start, mark.end() + one.end) for one in told])
        else:
            yield saying, ""


def _row_of(asked: Asked, row: TableRow, lead: str) -> tuple[TableRow, str]:
    """Return a row, named by the line above its table where it has no name, and what of it is asked for."""
    row = row if row.label else replace(row, group=lead)
    column = _in_ranges(asked, row)
    return row, closed(row.sentence(column) if column else row.asked(asked.of_columns(row.named)))


def _of_row(
    passage: Passage, saying: Saying, row: TableRow, text: str, above: str, rank: float
) -> Iterator[Quotable]:
    """Yield a row, or the sentences of its cell where that is prose."""
    above = " ".join(f"{row.caption} {row.group} {above}".split())
    sentences = _of_cell(passage, saying, row)
    for span in sentences:
        inner = passage.text[span.start : span.end]
        yield Quotable(passage, passage.placed(span), inner, f"{above} {row.label}".strip(), rank)
    if not sentences:
        yield Quotable(passage, passage.placed(saying.span), text, above, rank, row)


def _of_cell(passage: Passage, saying: Saying, row: TableRow) -> list[Span]:
    """Return where the sentences of a cell of prose stand, where a row has but its label beside it."""
    told = [cell for cell in row.cells if cell and cell != row.label]
    if len(told) != 1 or len(told[0].split()) <= LONGEST:
        return []
    start = passage.text.find(told[0], saying.span.start, saying.span.end)
    spans = sentence_spans(told[0]) if start >= 0 else []
    return [Span(start + one.start, start + one.end) for one in spans] if len(spans) > 1 else []


def _of_item(item: Saying, told: Sequence[Span]) -> Iterator[tuple[Saying, str]]:
    # a line of its own, not indented, is no more of the item
    ends = next((place for place, one in enumerate(told) if item.text[one.start - 1] == "\n"), len(told))
    first = item.text[told[0].start : told[0].end]
    labelled = ends > 1 and _is_label(first)
    whole = len(item.text[: told[ends - 1].end].split()) <= LONGEST
    own = told[1:ends] if labelled else [Span(0, told[ends - 1].end)] if whole else told[:ends]
    for span in (*own, *told[ends:]):
        place = Span(item.span.start + span.start, item.span.start + span.end)
        label = first[:-1] if labelled and span in own else ""
        yield Saying(place, item.text[span.start : span.end]), label


def _is_label(text: str) -> bool:
    """Tell whether a sentence only names what follows, as "Laser cutter." does and "It is open." does not."""
    return text.endswith(".") and len(text.split()) <= _LABEL_WORDS and not _SAYS.search(text)


def _runs_in(saying: Saying, text: str) -> bool:
    """Tell whether a label begins a paragraph that goes on: "Apprentice. She begins in May."."""
    begins = saying.span.start == 0 or text[: saying.span.start].endswith("\n\n")
    goes_on = re.match(r"[ \n](?=\w)", text[saying.span.end :])
    return bool(begins and goes_on) and len(saying.text.split()) <= _RUN_IN and _is_label(saying.text)


def _named_above(label: Saying, text: str) -> str:
    """Return a label without its full stop; nothing where the sentence behind it says it too.

    "Deliveries. We deliver on Mondays." needs none.
    """
    behind = re.split(r"[.!?](?:\s|\Z)", text[label.span.end :].lstrip(), maxsplit=1)[0]
    there = content_words(behind)
    own = content_words(label.text)
    said = all(any(word[:_ROOT] == other[:_ROOT] for other in there) for word in own)
    return "" if own and said else label.text.rstrip(".")


def _code_of(text: str) -> str:
    """Return the code that a sentence begins with."""
    found = _CODED.match(text)
    return found["code"] if found and identifiers(found["code"]) else ""


def _term(text: str) -> str:
    """Return the term that a definition begins with: short lines without an end, above the sentence.

    The entry of a diary begins with its date, and its line may be longer.
    """
    first, _, rest = text.partition("\n")
    long = len(first.split()) > (12 if _DATED.match(first) else 6)
    if not rest or long or _ENDS.search(first) or ITEM.match(first) or CELLS in text:
        return ""
    return first.strip()


def _over_list(before: str, text: str) -> str:
    """Return the line that a text up to here ends with, if it names the list below it: a version, a day."""
    line = before.rpartition("\n\n")[2]
    below = re.match(r"[ \t]*\n(?=\S)", text[len(before) :])
    item = below and ITEM.match(text, len(before) + below.end())
    # numbered paragraphs say themselves what they are about
    return _term(f"{line}\n-") if item and len(item["mark"]) == 1 and "\n" not in line.strip() else ""


def _record(passage: Passage) -> Saying | None:
    """Return a passage of fields, a line each, as the row that it was read from."""
    lines = passage.text.strip().split("\n")
    told = passage.chunk.caption if passage.chunk else ""
    if told not in ("", lines[0]):
        lines.insert(0, told)  # of a record that was cut: whose it is
    found = [_CELL.fullmatch(line.strip()) for line in lines]
    fields = [match for match in found if match]
    if len(lines) < 2 or len(fields) < len(lines) or not (is_record(passage.source) or _CELL.fullmatch(told)):
        return None
    # two may be a question and its answer, or a title and its text
    if len(fields) == 2 and any(
        asks(match["value"]) or len(match["value"].split()) > _PAIR_WORDS for match in fields
    ):
        return None
    span = Span(0, len(passage.text))
    columns = tuple(match["name"].replace("_", " ") for match in fields)
    row = TableRow(span, tuple(match["value"] for match in fields), columns, "")
    return Saying(span, row.sentence(), row)


def place_of(fact: Quotable) -> tuple[int, str, int]:
    """Return what facts are put in the order of their documents by: record 9 of a file before record 10."""
    return len(fact.passage.source), fact.passage.source, fact.span.start


def falls(asked: Asked, cell: str, ends: tuple[float, float, tuple[bool, bool]]) -> bool:
    """Tell whether the range of a cell holds an amount of a question, of its unit if both have one."""
    low, high, (with_low, with_high) = ends
    kinds = {unit.kind for told in quantities(cell) for unit in told.units}
    own = _OWN_UNIT.search(cell.strip())
    if own and not kinds and (letter := own[0].lstrip("0123456789 ").lower()) in LETTERS:
        kinds = {unit.kind for one in quantities(f"1 {LETTERS[letter]}") for unit in one.units}
    for one in asked.amounts:
        value = one.value
        before = asked.text[max(one.span.start - 2, 0) : one.span.start]
        value = -value if value and before[-1:] in ("-", "−") and not before[:-1].strip() else value
        strange = own if not kinds else not kinds & {unit.kind for unit in one.units}
        if value is None or (one.units and strange):
            continue
        if (low < value or (with_low and low == value)) and (value < high or (with_high and value == high)):
            return True
    return False


def _in_ranges(asked: Asked, row: TableRow) -> list[int]:
    """Return the place of the cell whose column is called by a range that holds an amount of the question."""
    named = [(place, name.rpartition(", ")[2]) for place, name in enumerate(row.columns) if row.cells[place]]
    ranges = [(place, name, ends) for place, name in named if (ends := range_of(name))]
    held = [place for place, name, ends in ranges if falls(asked, name, ends)]
    return held if len(held) == 1 < len(ranges) else []


def range_of(label: str) -> tuple[float, float, tuple[bool, bool]] | None:
    """Return the least and the greatest that a cell such as "6–10" holds, and whether they are in it."""
    for pattern, ends in _RANGES:
        if match := pattern.search(label.strip()):
            told = {
                name: number
                for name, value in match.groupdict().items()
                if value and (number := _number(value)) is not None
            }
            low = told.get("low", told.get("least"))
            if (low is None and "high" not in told) or (low or 0) > told.get("high", np.inf):
                continue  # 2019-03-01 is none
            return (-np.inf if low is None else low), told.get("high", np.inf), ends
    return None


def _number(value: str) -> float | None:
    """Return a number as tables write it: 4,999 and 4.999 are thousands, 2,5 and 2.5 are not."""
    value = value.rstrip(".,")
    if re.fullmatch(r"[1-9]\d{0,2}(?:([.,])\d{3})(?:\1\d{3})*", value):
        return float(re.sub(r"[.,]", "", value))
    value = value.replace(",", ".") if re.fullmatch(r"\d+,\d{1,2}", value) else value.replace(",", "")
    return float(value) if re.fullmatch(r"\d+(?:\.\d+)?", value) else None


def lists_in(text: str) -> list[Span]:
    """Return where the lists of a text stand: items line after line."""
    found: list[Span] = []
    start, open_ = 0, False
    for line in text.split("\n"):
        end = start + len(line)
        if ITEM.match(line):
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


def headings_of(passage: Passage) -> str:
    """Return what stands above a passage: the headings, the caption and the columns of its table."""
    chunk = passage.chunk
    return (
        " ".join((chunk.source if not chunk.headings else "", *chunk.headings, chunk.caption, *chunk.columns))
        if chunk
        else passage.title
    )


def section_of(passage: Passage) -> str:
    """Return the heading right above a passage, below the title of the document, without its number."""
    headings = passage.chunk.headings if passage.chunk else ()
    return _NUMBERING.sub("", headings[-1]) if len(headings) > 1 else ""


def telling_heading(asked: Asked, passage: Passage) -> str:
    """Return the nearest heading below the title of the document that has the kind of thing asked for.

    Of "which edition" that is one with the word.
    """
    headings = passage.chunk.headings[1:] if passage.chunk else ()
    return next((own for own in reversed(headings) if _tells(asked, own)), "")


def _tells(asked: Asked, heading: str) -> bool:
    bare = _without_codes(asked, _NUMBERING.sub("", heading))
    if asked.thing and any(map(str.isdigit, bare)) and asked.thing in content_words(bare):
        return True
    if asked.wanted is None:
        return False
    return bool(asked.wanted.search(heading if asked.wanted.pattern.startswith("^") else bare))


def repeats(asked: Asked, fact: Quotable) -> bool:
    """Tell whether a heading, or a fact with a name of the question, only says again what is asked."""
    text = fact.row.sentence() if fact.row else fact.text
    if _NOT.search(text) and not _NOT.search(asked.text):  # "Not decided: the price" says more than is asked
        return False
    there = set(content_words(asked.text))
    entry = None if fact.row or asked.form is Form.POLAR else FIELD.fullmatch(text)
    if entry and names_held(asked.names, entry["value"]) and there.issuperset(content_words(entry["value"])):
        # of "Aircraft: Cessna 172" a question on the Cessna says all but what it is called
        return not (asked.wanted and asked.wanted.search(entry["name"]))
    bare = _without_codes(asked, text)
    named = asked.wanted is not None and bare != text
    chosen = asked.form is Form.POLAR or _CHOOSES.search(asked.text)
    if asked.wanted and asked.wanted.search(bare):
        return False
    if not named and (chosen or fact.whole or _ENDS.search(text)):
        return False
    return there.issuperset(content_words(f"{fact.term} {text}"))


def asks(text: str) -> bool:
    """Tell whether a text is a question of the document itself, which answers nothing."""
    return bool(_ASKS.search(text))


def is_bare(text: str) -> bool:
    """Tell whether a text is yes or no and nothing else."""
    return bool(_BARE.fullmatch(text.strip()))


def begins_with_verdict(text: str) -> bool:
    """Tell whether a text answers yes or no to what stands above it."""
    found = _BARE.match(text.lstrip())
    return found is not None and found.group().rstrip()[-1:] in (",", ".", ";", ":", "–")


def _without_codes(asked: Asked, text: str) -> str:
    for code in asked.codes:
        text = re.sub(re.escape(code), "", text, flags=re.IGNORECASE)
    return text


def title_of(passage: Passage) -> str:
    """Return the title of a passage's document, or else its name."""
    headings = passage.chunk.headings if passage.chunk else ()
    return headings[0] if headings else passage.source
