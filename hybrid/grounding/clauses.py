"""Where a sentence coordinates clauses that stand alone: by word lists, English (clause segmentation).

On the safe side: a sentence that is not certainly two is one.
"""

from __future__ import annotations

import re

from hybrid.text.words import word_set
from hybrid.types import Span

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


def clause_spans(text: str, span: Span) -> list[Span]:
    """Return the clauses of a sentence, or the sentence itself."""
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


def _lower(clause: str) -> list[str]:
    return [word.lower().replace("’", "'") for word in _WORD.findall(clause)]


def _is_balanced(clause: str) -> bool:
    paired = all(clause.count(opening) == clause.count(closing) for opening, closing in _BRACKETS)
    return paired and clause.count('"') % 2 == 0
