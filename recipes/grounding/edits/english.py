"""What the rules know of English: is it that, which words carry meaning, how verbs bend and where they stand.

Knows only what its short tables hold: a rule that is not sure leaves a sentence alone, for there are others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hybrid.text.words import content_words, word_set

WORD = re.compile(r"\w+(?:[’'-]\w+)*")


def _pairs(text: str) -> dict[str, str]:
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


_COMMON = word_set(
    """
    the of and to in a is that for it as was with be by on not are this or at from have has an which were but
    can their its been may will if when they also more than into most other some such these should only all
    between after before during about used use who there had no one two how because through over under so out
    you your we our he she his her them then do does did being both each many must while where
    """
)
_ENOUGH = 4
_SHARE = 0.16
# Each verb with its past form.
_IRREGULAR = _pairs(
    """
    become became begin began bind bound break broke bring brought build built come came do did fall fell
    feel felt find found get got give gave go went grow grew have had hold held keep kept know knew lead
    led leave left lose lost make made mean meant meet met run ran say said see saw send sent show showed
    speak spoke take took tell told think thought understand understood win won write wrote rise rose
    undergo underwent spread spread let let put put set set read read cut cut hit hit shed shed bear bore
    choose chose drive drove eat ate fight fought pay paid sell sold buy bought teach taught
    """
)
_DOUBLED = word_set("stop drop plan occur refer prefer transfer permit submit commit admit control map ship")


def is_english(text: str) -> bool:
    """Tell whether a text is English, by the share of its commonest words; of short texts nobody knows."""
    words = [word.lower() for word in WORD.findall(text)]
    if len(words) < _ENOUGH:
        return False
    latin = sum(letter.isascii() for letter in text if letter.isalpha())
    letters = sum(letter.isalpha() for letter in text)
    common = sum(word in _COMMON for word in words)
    return latin >= 0.9 * letters and common >= _SHARE * len(words) and common >= 2


def stems(text: str) -> frozenset[str]:
    """Return the stems of the words that carry meaning."""
    return frozenset(content_words(text))


def third_person(verb: str) -> str:
    """Return "causes" for "cause"."""
    if verb == "have":
        return "has"
    if verb.endswith("y") and verb[-2:-1] not in tuple("aeiou"):
        return f"{verb[:-1]}ies"
    return f"{verb}es" if verb.endswith(("s", "x", "z", "ch", "sh", "o")) else f"{verb}s"


def base_form(verb: str) -> str:
    """Return "cause" for "causes"."""
    if verb == "has":
        return "have"
    if verb.endswith("ies") and len(verb) > 4:
        return f"{verb[:-3]}y"
    if verb.endswith(("sses", "xes", "zes", "ches", "shes", "oes")):
        return verb[:-2]
    return verb.removesuffix("s")


def past_form(verb: str) -> str:
    """Return "caused" for "cause"."""
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb.endswith("e"):
        return f"{verb}d"
    if verb.endswith("y") and verb[-2:-1] not in tuple("aeiou"):
        return f"{verb[:-1]}ied"
    return f"{verb}{verb[-1:] if verb in _DOUBLED else ''}ed"


def cased_like(word: str, model: str) -> str:
    """Return a word with a capital if the model has one."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    return f"{word[:1].upper()}{word[1:]}" if model[:1].isupper() else word


def lower_first(text: str) -> str:
    """Return text with a small first letter, unless its first word looks like a name or an abbreviation."""
    first = WORD.match(text)
    if first is None or first.group().lower() not in _LOWERED:
        return text
    return text[:1].lower() + text[1:]


def upper_first(text: str) -> str:
    """Return text with a capital first letter."""
    return text[:1].upper() + text[1:]


# What is safe to write in small letters when it no longer begins the sentence.
_LOWERED = _COMMON | word_set(
    """
    people patients children women men those many several most symptoms treatment treatments doctors
    researchers studies results cells mutations your our every any another however although though since
    unless until upon within without according additionally furthermore even often usually sometimes generally
    individuals affected signs these
    """
)


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
