"""Claim extraction: what an answer asserts, sentence by sentence (claim decomposition by rules)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise

from hybrid.generation.citations import markers, without_markers
from hybrid.grounding.values import Claim
from hybrid.text.folding import legible
from hybrid.text.framing import Stance, answered
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import common_parts, content_words, either, expressions, listed, word_set
from hybrid.types import Span

QUESTION = "question"
COURTESY = "courtesy"
HEADING = "heading"
DECLINES = "declines"
EMPTY = "no content"
APPEAL = "appeal to the judge"

_PARTS = common_parts("grounding")
_TOLD = expressions("grounding", "claims")
# What each is for stands beside it.
_FINITE, _CONDITION, _REACHING, _LEANING = map(word_set, listed("grounding")["words"].values())
_MARKERS = re.compile(_PARTS["markers"])
# begun where blanks do: tried at each of them, a long run would take the square of its length
_TRAILING_MARKERS = re.compile(rf"(?<!\s){_MARKERS.pattern}\s*$")
# A line that is a unit of its own though no full stop ends it: an item, a heading, a row, a fence.
_OWN_LINE = re.compile(r"[ \t]*(?:[-*•+](?=\s)|#|>|\||```|\d{1,3}[.)][ \t])")
_HEADING = re.compile(r"\s*#{1,6}\s")
# What stands before a sentence and is not of it: bullets, numbers of items, marks of emphasis.
_DECORATION = re.compile(r"(?:[*_#>|•·`]+|[-–—](?=\s)|\d{1,3}[.)](?=\s)|\s)+")
_ITEM_NUMBER = re.compile(r"\(?\d{1,3}[.)]")

# A sentence that ends with a colon and is longer asserts something before it announces.
_HEADING_WORDS = 12
# "Aliens hacked the server": a verb that no list of ours holds
_DID = re.compile(r"(?<=\w )\w+ed (?:by|the|an?|all|every|its|his|her|their|our|no|\d|in \d)\b")
_CLOSING = "\"'”’»)]*_ "
_JOINT = re.compile(r";\s+|,\s+(?:and|but)\s+|,?(?<!\s)\s+while\s+")
# no sentence has more, and what stands behind each is read
_MOST_JOINTS = 16
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")

_DETERMINERS = word_set("the a an all some most many several each every no any both few")
_BRACKETS = (("(", ")"), ("[", "]"), ("“", "”"), ("«", "»"), ("{", "}"))
# So many words may a subject have; a verb further on belongs to something else.
_SUBJECT = 6
_SHORTEST = 3

_APPEAL = re.compile(
    rf"{_PARTS['begins']}(?:(?:system|assistant|human|user)\s*:\s*)?"
    rf"(?:{either(listed('grounding')['appeals']['says'], _PARTS)})\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
# No appeal is longer; of a longer sentence only the end is searched.
_SEARCHED = 400
_BETWEEN = " \t\n,;:–—-"


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of an answer: where it stands, the markers on it, and its claims, at least one."""

    span: Span
    cites: tuple[int, ...]
    claims: tuple[Claim, ...]


def claims_of(answer: str) -> list[Claim]:
    """Return every claim of an answer in its order, those that are not checkable with the reason.

    For every claim ``text == without_markers(answer[span.start:span.end])``. No answer, no claims.
    """
    return [claim for statement in statements_of(answer) for claim in statement.claims]


def statements_of(answer: str) -> list[Statement]:
    """Return the sentences of an answer with their claims; markers belong to the sentence they follow.

    A question that the answer itself says yes to is a claim.
    """
    found = [_statement(answer, span, cites) for span, cites in _cited_sentences(answer)]
    for place, (one, behind) in enumerate(pairwise(found)):
        said = without_markers(answer[behind.span.start : behind.span.end])
        if all(claim.reason == QUESTION for claim in one.claims) and answered(said) is Stance.AFFIRMED:
            found[place] = replace(one, claims=tuple(replace(claim, reason="") for claim in one.claims))
    return found


def _statement(answer: str, span: Span, cites: tuple[int, ...]) -> Statement:
    core = _core(answer, span)
    reason = _reason(answer, span, core)
    pieces = [(core, reason)]
    rest = _rest(answer, core) if reason in (COURTESY, DECLINES) else None
    if rest:
        head = _stripped(answer, Span(core.start, rest.start))
        pieces = [(head, reason), (rest, _reason(answer, rest, rest))]
    claims = [
        Claim(without_markers(answer[part.start : part.end]), part, cites, why)
        for piece, why in pieces
        for part in ([piece] if why else clause_spans(answer, piece))
    ]
    return Statement(span, cites, tuple(claims))


def _rest(answer: str, core: Span) -> Span | None:
    """Return what a sentence asserts behind its courtesy, or behind saying that nothing is known of it."""
    for joint in _TOLD["behind"].finditer(answer, core.start, core.end):
        rest = answer[joint.end() : core.end]
        if (
            joint.start() == core.start
            or _TOLD["courtesy"].match(rest)
            or _TOLD["declines"].match(rest.lstrip())
        ):
            continue
        turns = joint["turn"] and len(content_words(rest)) > 1 and not _TOLD["of_passages"].match(rest)
        if turns or (asserts(rest) and not _TOLD["of_itself"].match(rest)):
            return Span(joint.end(), core.end)
    return None


def _core(answer: str, span: Span) -> Span:
    """Return a sentence without decoration, opening courtesy, and markers and appeals behind it.

    Where nothing would be left, such as of a bare "No.", all of it.
    """
    text = answer[span.start : span.end]
    end = _TRAILING_MARKERS.search(text)
    stop = end.start() if end else len(text)
    start = 0
    for pattern in (_MARKERS, _DECORATION, _TOLD["opening"], _DECORATION):
        found = pattern.match(text, start, stop)
        start = found.end() if found else start
    stop = start + (appeal_start(text[start:stop]) or stop - start)
    inner = Span(span.start + start, span.start + stop)
    return inner if answer[inner.start : inner.end].strip() else span


def _reason(answer: str, span: Span, core: Span) -> str:
    """Return why a sentence is not checkable; empty if it is."""
    whole = legible(without_markers(answer[span.start : span.end])).text
    text = legible(without_markers(answer[core.start : core.end])).text
    bare = text.rstrip(_CLOSING)
    if (
        bare.endswith(("?", "？", "؟"))
        and not _TOLD["told"].match(text)
        and (_TOLD["asks"].match(text) or not asserts(text))
    ):
        return QUESTION
    titled = _HEADING.match(whole) or (text.endswith((":", "：")) and len(text.split()) <= _HEADING_WORDS)
    if titled and (_TOLD["announces"].search(text) or not asserts(text)):
        return HEADING
    if _TOLD["courtesy"].fullmatch(text) or _TOLD["opening"].fullmatch(whole):
        return COURTESY
    if text and not appeal_start(text):
        return APPEAL
    if _TOLD["declines"].match(text.lstrip()):
        return DECLINES
    rest = answer[core.end : core.end + 2]
    numbers_an_item = _ITEM_NUMBER.fullmatch(text) and rest.startswith(" ") and rest.strip()
    return "" if _WORD.search(text) and content_words(text) and not numbers_an_item else EMPTY


def _cited_sentences(answer: str) -> Iterator[tuple[Span, tuple[int, ...]]]:
    """Yield sentences with their markers; those before a sentence belong to the one before it."""
    held: Span | None = None
    for span in _lines(answer):
        leading = _MARKERS.match(answer, span.start, span.end)
        if leading and held:
            held = Span(held.start, leading.end())
            span = _stripped(answer, Span(leading.end(), span.end))
        if span.start < span.end:
            if held:
                yield held, _numbers(answer, held)
            held = span
    if held:
        yield held, _numbers(answer, held)


def _numbers(answer: str, span: Span) -> tuple[int, ...]:
    return tuple(dict.fromkeys(markers(answer[span.start : span.end])))


def _lines(answer: str) -> Iterator[Span]:
    """Yield sentences, cut around lines that are units of their own and behind lines that announce."""
    for span in sentence_spans(answer):
        start = line = span.start
        while (end := answer.find("\n", line, span.end)) >= 0:
            own = _OWN_LINE.match(answer, line) or _OWN_LINE.match(answer, end + 1)
            if own or answer[line:end].rstrip().endswith((":", "：")):
                yield _stripped(answer, Span(start, end))
                start = end + 1
            line = end + 1
        yield _stripped(answer, Span(start, span.end))


def _stripped(answer: str, span: Span) -> Span:
    inner = answer[span.start : span.end]
    start = span.start + len(inner) - len(inner.lstrip())
    return Span(start, max(start, span.start + len(inner.rstrip())))


def clause_spans(text: str, span: Span) -> list[Span]:
    """Return the clauses of a sentence that stand alone as sentences, or the sentence itself.

    "The port is 5432, and the host is local." is two. Without a parser that is certain only where each half
    has a subject and a verb from a short list and no half hangs on a word such as "if" or "said"; every other
    sentence stays whole, for a claim cut wrongly is judged wrongly. English.
    """
    clauses: list[Span] = []
    start = span.start
    for joint in islice(_JOINT.finditer(text, span.start, span.end), _MOST_JOINTS):
        left, right = text[start : joint.start()], text[joint.end() : span.end]
        if _stands_alone(left) and not _REACHING & set(_lower(left)) and _stands_alone(right, behind=True):
            clauses.append(Span(start, joint.start()))
            start = joint.end()
    return [*clauses, Span(start, span.end)]


def _stands_alone(clause: str, *, behind: bool = False) -> bool:
    """Tell whether a clause has a subject and a verb of its own, and one behind a joint its own beginning."""
    lower = _lower(clause)
    if len(lower) < _SHORTEST or not _is_balanced(clause) or _CONDITION & set(lower):
        return False
    if behind and (lower[0] in _LEANING or not (lower[0] in _DETERMINERS or clause[0].isupper())):
        return False
    matches = list(_WORD.finditer(clause))
    verb = next((place for place, word in enumerate(lower) if word in _FINITE), 0)
    # a comma or a "which" before the verb: a list, or a verb of something put in between
    before = clause[: matches[verb].start()]
    in_place = 0 < verb <= _SUBJECT and verb < len(lower) - 1
    return in_place and "," not in before and not _REACHING & set(lower[:verb])


def asserts(text: str) -> bool:
    """Tell whether a text that is no sentence by its marks has a subject, a verb, and something behind it."""
    lower = _lower(text)
    verb = next((place for place, word in enumerate(lower) if word in _FINITE), 0)
    told = 0 < verb <= _SUBJECT and content_words(" ".join(lower[verb + 1 :]))
    return bool(told or _DID.search(text)) and not _TOLD["asks"].match(text)


def _lower(clause: str) -> list[str]:
    return [word.lower().replace("’", "'") for word in _WORD.findall(clause)]


def _is_balanced(clause: str) -> bool:
    paired = all(clause.count(opening) == clause.count(closing) for opening, closing in _BRACKETS)
    return paired and clause.count('"') % 2 == 0


def appeal_start(text: str) -> int:
    """Return where the appeals at the end of a sentence begin; its length if there are none.

    0 for a sentence that is nothing else. An appeal speaks to the judge instead of the reader: "This claim is
    supported.", "Score: 1.0". It carries nothing, and must not make a claim look better: words without a
    counterpart in the evidence thin out what is denied, and some word of a long evidence is near to any.
    English, and only behind a mark, on a new line, or with a capital or sign of its own; what an answer may
    well say of its subject ("the default is `true`", "output: 1") is left alone.

    Example:
        >>> appeal_start("The port is 5433 - this claim is supported.")
        16
    """
    end = len(text)
    while end:
        first = max(end - _SEARCHED, 0)
        shown = legible(text[first:end])
        found = _TOLD["tag_question"].search(shown.text) or _APPEAL.search(shown.text)
        # at the edge of what was searched nobody knows what stands before it
        if found is None or (first and not found.start()):
            break
        end = len(text[: first + shown.places[found.start()]].rstrip(_BETWEEN))
    return end
