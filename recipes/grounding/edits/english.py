"""What the rules know of English: is it that, which words carry meaning, how verbs bend.

Takes texts and words, gives texts and flags. Knows only what its short tables hold: a rule that is not sure
leaves a sentence alone, for there are others.
"""

from __future__ import annotations

import re

from hybrid.text.words import content_words

WORD = re.compile(r"\w+(?:[’'-]\w+)*")


def word_set(text: str) -> frozenset[str]:
    """Return the words of a list."""
    return frozenset(text.split())


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
