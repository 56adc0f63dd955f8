"""Verbs that are sure to be verbs where they stand, and what stands before and behind them.

Takes a sentence, gives its subject, its verb and the rest where rules can tell them apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from recipes.grounding.edits.english import third_person, word_set

# Rarely nouns in the form with an s.
_BASES = """
accept achieve activate add affect aim allow apply appear arise assign become begin believe belong bind
bring carry cause come comprise confirm connect consist contain contribute convert create cure define
deliver demonstrate depend derive describe destroy detect determine develop differ enable encode encourage
enhance ensure evaluate exist explain express facilitate follow fail generate give grow happen help
identify illustrate imply improve include incorporate indicate induce inform inhibit interact introduce
invade involve keep lead live maintain make mediate modify occur offer operate originate participate
perform permit persist possess predict prevent proceed produce promote protect provide reach receive
recognize recommend reduce reflect regulate rely remain remove replace represent require resemble respond
retain return reveal seem serve show specify stimulate store suggest support suppress survive take tell
tend trigger undergo understand use vary want write
"""
BASES = word_set(_BASES)
THIRD = {third_person(base): base for base in BASES}
BE = word_set("is are was were")
MODALS = word_set("can could will would should must may might cannot")
HAVE = word_set("has have had")
DO = word_set("does do did")
_FINITE = BE | MODALS | HAVE | DO
_SINGULAR = word_set("is was has does")
_PLURAL = word_set("are were have do")
_PARTICIPLES = word_set(
    """
    been become begun broken brought built come done drawn driven fallen felt found given gone grown had held
    kept known led left lost made meant met put read risen run said seen sent set shown spread spent stood
    taken taught thought told understood undergone won written chosen eaten cut hit born
    """
)
_CLAUSE = re.compile(
    r"\b(?:that|which|who|whom|whose|when|while|if|because|since|although|though|whether|where|what|how|as|than|"
    r"unless|until|but|so|and|or|to|by|before|after)\b|[,;:()“”\"–—]",
    re.IGNORECASE,
)
_WORD = re.compile(r"[\w’'`./-]+")
_LONGEST_SUBJECT = 8


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the verb of a sentence stands; ``number`` of the subject: singular, plural, or "" for either."""

    start: int
    end: int
    verb: str
    number: str


def parts_of(sentence: str) -> Parts | None:
    """Return the verb behind a plain subject; None if a clause or comma is before it, or no verb is sure."""
    words = list(_WORD.finditer(sentence))
    for place, word in enumerate(words[: _LONGEST_SUBJECT + 1]):
        verb = word.group()
        behind = words[place + 1].group() if place + 1 < len(words) else ""
        # "common causes include": a noun after all
        if verb in THIRD and (behind in BASES or behind in _FINITE or behind == "of"):
            return None
        if place and (verb in _FINITE or verb in THIRD):
            subject = sentence[: word.start()]
            if _CLAUSE.search(subject.replace(" and ", " ", 1)) or not subject.strip():
                return None
            return Parts(word.start(), word.end(), verb, _number(verb))
        if verb.endswith("ed") and place:
            # a past form, or a participle behind the noun: nobody knows here
            return None
    return None


def has_verb(sentence: str) -> bool:
    """Tell whether some word is surely a verb with a subject before it."""
    words = _WORD.findall(sentence.lower())
    known = _FINITE | THIRD.keys() | BASES
    return any(word in known or (word.endswith("ed") and len(word) > 4) for word in words[1:])


def is_participle(word: str) -> bool:
    """Tell whether a word is a past participle, as far as its ending or a list says."""
    return (word.endswith(("ed", "en")) and len(word) > 4) or word in _PARTICIPLES


def _number(verb: str) -> str:
    if verb in _SINGULAR or verb in THIRD:
        return "singular"
    return "plural" if verb in _PLURAL else ""
