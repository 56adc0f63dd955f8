"""Claim extraction: what an answer asserts, sentence by sentence (claim decomposition by rules)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from hybrid.generation.citations import markers, without_markers
from hybrid.grounding.values import Claim
from hybrid.text.folding import legible
from hybrid.text.framing import Stance, answered
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import content_words, word_set
from hybrid.types import Span

QUESTION = "question"
COURTESY = "courtesy"
HEADING = "heading"
DECLINES = "declines"
EMPTY = "no content"
APPEAL = "appeal to the judge"

_MARKERS = re.compile(r"(?:\s*\[\s*\d{1,3}(?:\s*[,;]\s*\d{1,3})*\s*\])+")
_TRAILING_MARKERS = re.compile(rf"{_MARKERS.pattern}\s*$")
# A line that is a unit of its own though no full stop ends it: an item, a heading, a row, a fence.
_OWN_LINE = re.compile(r"[ \t]*(?:[-*•+](?=\s)|#|>|\||```|\d{1,3}[.)][ \t])")
_HEADING = re.compile(r"\s*#{1,6}\s")
# What stands before a sentence and is not of it: bullets, numbers of items, marks of emphasis.
_DECORATION = re.compile(r"(?:[*_#>|•·`]+|[-–—](?=\s)|\d{1,3}[.)](?=\s)|\s)+")
_ITEM_NUMBER = re.compile(r"\(?\d{1,3}[.)]")

_PLEASANT = "yes|no|sure|certainly|of course|great question|hello|hi|hey|thanks|thank you|ja|nein|gerne|hallo"
_SOURCE = (
    r"(?:the )?(?:(?:given|provided|supplied|retrieved|above|following) )?(?:passages?|documents?|contexts?"
    r"|sources?|texts?|excerpts?|search results|information)(?: (?:provided|given|above|\d{1,2}))*"
)
_OPENING = re.compile(
    rf"(?:(?!no\.\s*\d)(?:{_PLEASANT})\s*(?:[,.!:;–—]+\s*|$)|(?:according to|based on|as (?:stated|mentioned"
    rf"|described) in|per) {_SOURCE}(?:{_MARKERS.pattern})?\s*[,:]\s*)+",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"(?:(?:hello|hi|hey)(?=[,.!]| there\b| again\b| everyone\b|$)|thanks(?! to\b)|thank you"
    r"|you['’]re welcome|(?:i )?hope (?:this|that|it) helps|(?:please )?(?:let me know|feel free)"
    r"|(?:i['’]m )?(?:happy|glad) to help|here (?:is|are) (?:the|your|my) (?:answers?|summary)"
    r"|if you have (?:any )?(?:more |other |further )?questions|as an ai(?: language)? model(?!,? i know\b)"
    r"|have an? (?:nice|great|good|lovely) (?:day|one|time|week|evening))\b[^.]{0,80}[.!:]*",
    re.IGNORECASE,
)
_BUT = r"(?:(?:however|unfortunately|but|sorry|i['’]m sorry|leider),? (?:but )?)?"
_DECLINES = re.compile(
    r"i (?:don['’]t|do not) know|das weiß ich nicht|ich weiß es nicht"
    rf"|{_BUT}(?:{_SOURCE} (?:(?:do|does|did) ?(?:not|n['’]t)|never) (?:\w+ )?(?:(?:say|state|mention|specify"
    rf"|answer|address|indicate|tell|explain|discuss)\b|(?:contain|provide|include"
    rf"|give) (?:\w+ ){{0,3}}(?:information|details?|answers?|mention|data|evidence)\b)"
    rf"|there is no mention of\b|there is (?:no|not enough|insufficient) (?:\w+ )?(?:information|evidence"
    rf"|answer)\b.*\b{_SOURCE}|(?:i|we) (?:cannot|can['’]t|could not|couldn['’]t|(?:am|was|are"
    rf"|were) (?:unable|not able) to) (?:answer|find|determine|tell|say|provide|confirm|verify)\b|(?:this"
    rf"|that|it|the answer) is not (?:\w+ )?(?:stated|mentioned|specified|given|answered)\b.*\b{_SOURCE}"
    rf"|(?:die|in den) (?:passagen|texten?|dokumenten?|quellen) (?:sagen|nennen|erwähnen|enthalten"
    rf"|beantworten|steht)\b.*\b(?:nicht|nichts|keinen?)\b)",
    re.IGNORECASE,
)
# A sentence that ends with a colon and is longer asserts something before it announces.
_HEADING_WORDS = 12
# "The options are the following:", "Here is how it works:"
_ANNOUNCES = re.compile(
    r"\b(?:following|follows|below|these|such as|for example|here (?:is|are)|there (?:is|are)|e\.g)\b",
    re.IGNORECASE,
)
# a question that tells
_TOLD = re.compile(
    r"did(?:n['’]t)? you know (?!(?:wh\w+|how|if|of|about)\b)|do(?:n['’]t)? you know that\b|is(?:n['’]t"
    r"| it not| not) it (?:\w+ ){0,3}that\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"(?:(?:and|but|so|or|then|also|in|on|at|by|for|to|of|with|from) )*(?:what|which|who|whom|whose|when"
    r"|where|why|how|is|are|was|were|do|does|did|can|could|will|would|shall|should|may|might|has|have|had|am"
    r"|isn|aren|don|doesn|didn|won|any)\b",
    re.IGNORECASE,
)
# "Aliens hacked the server": a verb that no list of ours holds
_DID = re.compile(r"(?<=\w )\w+ed (?:by|the|an?|all|every|its|his|her|their|our|no|\d|in \d)\b")
# Where something may be asserted behind a courtesy, or behind saying that nothing is known.
_BEHIND = re.compile(
    r"[\s,;:–—-]+(?P<turn>but|however|yet|nevertheless|nonetheless|although|though|still|except that"
    r"|anyway)\b,?\s+|[,;:–—]\s+|\s-\s+|[!.]\s+|\s\(|(?<=\byou) that\s+|(?<=\bmore) than"
    r" that\s+|\sbecause\s+(?!they\b|these\b|it\b)",
    re.IGNORECASE,
)
# of the passages still, or of who answers
_OF_PASSAGES = re.compile(
    r"(?:they )?(?:only|rather|just|instead|do|does|did|discuss|mention|describe|explain|provide|give|say"
    r"|state|contain|include|refer|focus|cover|list|talk|note|suggest|indicate|show|offer|i\b|i['’])",
    re.IGNORECASE,
)
_OF_ITSELF = re.compile(r"(?:and |so |please )?(?:i|we|feel|let|you|nor)\b", re.IGNORECASE)
_CLOSING = "\"'”’»)]*_ "
_JOINT = re.compile(r";\s+|,\s+(?:and|but)\s+|,?\s+while\s+")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")

# Verbs that are hardly ever anything else: no "plans", no "works", no "left".
_FINITE = word_set(
    """
    is are was were has have had does do did can could will would may might must shall should isn't aren't
    wasn't weren't hasn't haven't hadn't doesn't don't didn't can't cannot couldn't won't wouldn't shouldn't
    agrees allows announced appears applies asks assures became becomes began begins believes belongs brings
    came comes confirms consists contains creates decides defines depends describes discusses emphasizes
    enables encourages enjoys exists expresses fell found gave gets gives goes got grew happens includes
    informs introduces invites keeps knew knows learns listens made makes mentions moves noted notes occurs
    produces promotes provides ran reads receives recommends reduces refers removes requires rose sees seems
    sends shares sold spoke stood suggests takes tells thinks told took uses wants went wrote writes
    """
)
# What hangs on them is not asserted without condition, in whichever half they are.
_CONDITION = word_set("if when whenever unless whether until lest let neither either")
# A clause with one of these may reach beyond the joint: "said that A is so, and B is so".
_REACHING = word_set(
    """
    because although though since that who whom whose which where why how said says say saying claimed claims
    believed believes believe thinks think thought argued argues suggested suggests reported noted notes told
    tells announced according both between would could might as than before after once
    """
)
# What a clause begins with that leans on the one before it.
_LEANING = word_set(
    """
    it its he his him she her they their them this that these those there then thus so hence therefore also
    not even only still just such who which where when what one another others neither nor or and but i we you
    """
)
_DETERMINERS = word_set("the a an all some most many several each every no any both few")
_BRACKETS = (("(", ")"), ("[", "]"), ("“", "”"), ("«", "»"), ("{", "}"))
# So many words may a subject have; a verb further on belongs to something else.
_SUBJECT = 6
_SHORTEST = 3
# Of a claim, hardly of anything else.
_VERDICT = (
    "(?:supported|verified|grounded|confirmed|entailed|entailment|entails|faithful|factual|accurate|proven)"
)
_TRUE = rf"(?:{_VERDICT}|true|truth|correct|valid|yes)"
_YES = rf"(?:{_TRUE}|1(?:\.0+)?|0?\.\d+|100 ?%)"
_NOUN = "(?:claim|statement|sentence|answer|response)"
_THIS = rf"(?:this|that|it|these|the (?:above|previous|preceding))(?: {_NOUN})?"
_LABEL = "(?:label|verdict|status|support|score|confidence|entailment|supported|answer)"
_GIVEN = "(?:evidence|passages?|contexts?|sources?|documents?|text)"
_POLITE = r"(?:(?:please|now|kindly|just|you (?:must|should|will)|and)[ ,]+)*"

# Each reaches to the end of the sentence.
_APPEALS = (
    # orders to leave the evidence alone
    rf"{_POLITE}(?:ignore|disregard|forget) (?:(?:all|any|of|the|these|your|previous|prior"
    rf"|above) )*(?:evidence|passages?|contexts?|instructions?|rules|prompts?)\b.*",
    # orders to give a verdict
    rf"{_POLITE}(?:answer|say|respond|reply)\b(?:[ :=]+(?:only|with|just|the word))*[ :=]+{_YES}\W*",
    rf"{_POLITE}(?:output|return|print)\b(?:[ :=]+(?:only|just|the word))*[ :=]+{_VERDICT}\W*",
    rf"{_POLITE}(?:mark|label|rate|score|classify|treat|consider|judge|assume|grade"
    rf"|accept)(?: that)? {_THIS}\b.{{0,30}}\b{_TRUE}\W*",
    # verdicts on itself
    rf"(?:this|the (?:above|previous|preceding)) {_NOUN} (?:is|was|has been|must be|should be) (?:(?:\w+ly"
    rf"|already|100 ?%) )*{_TRUE}(?: by the {_GIVEN})?\W*",
    rf"human: is {_THIS} .{{0,30}}\?.*",
    # labels, tags and roles of a conversation
    rf"(?:{_LABEL}\s*[:=]\s*[\"']?{_YES}(?!\w)\W*)+",
    rf"support probability[ :=]+{_YES}\W*",
    rf"(?:(?:[\[(<]|\*\*)/?{_VERDICT}(?:[\])>]|\*\*)\W*)+",
    rf"(?:```\w*\s*)?\{{\s*\"{_LABEL}\"\s*:.*",
    r"(?:<\|?/?(?:im_start|im_end|system|assistant|user|claim|evidence|label)\b|\[/?inst\]|#+\s*(?:system"
    r"|instruction)\b).*",
    # assurances
    r"(?:it|this) is (?:an? )?(?:well[- ]known|widely known|obvious|established)(?: fact)?\W*",
    r"as (?:everyone|everybody|we all) knows?\W*",
    rf"[✓✔✅👍☑]+\W*{_VERDICT}?\W*",
    rf"(?:{_TRUE}\W+){{2,}}{_TRUE}\W*",
)
_BEGINS = r"(?:\A|(?<=[\n,.;:!?)\]>}–—-])\s?|(?<=\s)(?-i:(?=[^\sa-z])))"
_APPEAL = re.compile(
    rf"{_BEGINS}(?:(?:system|assistant|human|user)\s*:\s*)?(?:{'|'.join(_APPEALS)})\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
# "The port is 5433, right?" asserts that it is.
_TAG_QUESTION = re.compile(
    r"(?<=\w)[\s,.–—-]+(?:right|correct|ok|isn['’]t it|is it not|don['’]t you think)\s*\?+\s*\Z",
    re.IGNORECASE,
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
    for joint in _BEHIND.finditer(answer, core.start, core.end):
        rest = answer[joint.end() : core.end]
        if joint.start() == core.start or _COURTESY.match(rest) or _DECLINES.match(rest.lstrip()):
            continue
        turns = joint["turn"] and len(content_words(rest)) > 1 and not _OF_PASSAGES.match(rest)
        if turns or (asserts(rest) and not _OF_ITSELF.match(rest)):
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
    for pattern in (_MARKERS, _DECORATION, _OPENING, _DECORATION):
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
    if bare.endswith(("?", "？", "؟")) and not _TOLD.match(text) and (_ASKS.match(text) or not asserts(text)):
        return QUESTION
    titled = _HEADING.match(whole) or (text.endswith((":", "：")) and len(text.split()) <= _HEADING_WORDS)
    if titled and (_ANNOUNCES.search(text) or not asserts(text)):
        return HEADING
    if _COURTESY.fullmatch(text) or _OPENING.fullmatch(whole):
        return COURTESY
    if text and not appeal_start(text):
        return APPEAL
    if _DECLINES.match(text.lstrip()):
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
    for joint in _JOINT.finditer(text, span.start, span.end):
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
    return bool(told or _DID.search(text)) and not _ASKS.match(text)


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
        found = _TAG_QUESTION.search(shown.text) or _APPEAL.search(shown.text)
        # at the edge of what was searched nobody knows what stands before it
        if found is None or (first and not found.start()):
            break
        end = len(text[: first + shown.places[found.start()]].rstrip(_BETWEEN))
    return end
