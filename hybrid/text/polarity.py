"""What a sentence denies, limits or says the opposite of, by word lists and position (negation detection)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from hybrid.text.folding import fold
from hybrid.text.framing import Stance
from hybrid.text.words import (
    NEGATORS,
    STOP_WORDS,
    all_opposites,
    are_opposite,
    opposites_of,
    stem,
    tokens,
    word_set,
)
from hybrid.types import Span

# of a sentence that may deny: "don't" is one
_DENYING_WORD = re.compile(r"\w+(?:['’]\w+)*")
# it adds, and denies nothing
_NOT_ONLY = re.compile(r"\bnot\s+(?:only|just|merely|solely)\b", re.IGNORECASE)
_NEGATORS = NEGATORS | word_set(
    "rarely seldom barely infrequently nowhere",
    # as they are typed in haste
    "aint isnt arent wasnt werent doesnt dont didnt cant couldnt wont wouldnt shouldnt hasnt havent",
)
# They deny as well, but not always the word behind them: where one is, nothing can be said for certain.
_MURKY = re.compile(
    r"lack\w*|deficien\w*|absen\w+|fail\w*|refus\w+|knockout|null|depleti?\w*|loss|few|little|rare"
    r"|unlikely|prevent\w*"
)
# Words between a negator and what it denies.
_LIGHT = word_set(
    "a an the any to be been being is are was were have has had do does did yet also even very much more so",
    "that it its their his her of in for by with significant significantly evidence effect longer ever only",
    "just really able there",
)
_REACH = 4
# So near to a word and to its opposite the same word must stand, or they speak of two things.
_NEAR = 4
# Texts repeat their words: so many are looked up rather than read again.
_KNOWN = 1 << 15


@dataclass(frozen=True, slots=True)
class _Word:
    """A word in lower case, its stem, where it stands, and whether it is denied."""

    text: str
    stem: str
    span: Span
    denied: bool


def turned_around(claim: str, sentence: str) -> list[Span]:
    """Return the words of a claim that a sentence about the same denies, or says the opposite of.

    By word lists and position, English only, and on the safe side: where both deny something, or where it is
    not certain what is denied, nothing is found. Of judged claims, 1 in 1,000 that are supported has such a
    word, and 4 to 6 in 100 that are refuted (SciFact, COVID-Fact): what is found can be relied on, and mostly
    nothing is.
    """
    said, there = _read(claim), _read(sentence)
    found = denials(claim), denials(sentence)
    if _murky(said) and _murky(said) == _murky(there):  # "it failed", "it did not fail"
        found = _negators(said), _negators(there)
    if not any(found):
        turned = _opposed(said, there)
    else:
        # with a denial on both sides, or one that reaches nobody knows where, they may well agree
        turned = _denied(said, there) if 0 in found and None not in found else []
    return [word.span for word in turned]


@lru_cache(maxsize=1 << 12)  # a claim is compared with many texts, and their candidates share sentences
def stems(text: str) -> frozenset[str]:
    """Return the stems of the words of weight."""
    return frozenset(map(_stem_of, _DENYING_WORD.findall(text))) - {""}


@lru_cache(maxsize=1 << 12)
def opposite_stems(text: str) -> Mapping[str, frozenset[str]]:
    """Return the stems of the words of weight, with those of their opposites."""
    words = [fold(written) for written in _DENYING_WORD.findall(text)]
    return {_stem(word): frozenset(map(_stem, all_opposites(word))) for word in words if _is_content(word)}


@lru_cache(maxsize=_KNOWN)
def _stem_of(written: str) -> str:
    """Return the stem of a word of weight, nothing of another one."""
    word = fold(written)
    return _stem(word) if _is_content(word) else ""


def denials(text: str) -> int | None:
    """Return how many negators there are; None if what is denied is not certain."""
    words = _read(text)
    return None if _murky(words) else _negators(words)


def _murky(words: Sequence[_Word]) -> list[str]:
    return [word.stem for word in words if _MURKY.fullmatch(word.text)]


def _negators(words: Sequence[_Word]) -> int:
    return sum(_is_negator(word.text) for word in words)


def _denied(said: Sequence[_Word], nearest: Sequence[_Word]) -> list[_Word]:
    """Return the words of the claim that are denied throughout on one side and never on the other."""
    mine, theirs = _denial_of_stems(said), _denial_of_stems(nearest)
    return [
        word
        for word in said
        if _is_content(word.text)
        and mine[word.stem] in ({True}, {False})
        and theirs.get(word.stem) == {not word.denied}
    ]


def _denial_of_stems(words: Sequence[_Word]) -> dict[str, set[bool]]:
    stems: dict[str, set[bool]] = {}
    for word in words:
        stems.setdefault(word.stem, set()).add(word.denied)
    return stems


def _opposed(said: Sequence[_Word], nearest: Sequence[_Word]) -> list[_Word]:
    """Return the words of the claim that the other side lacks, where an opposite stands in their place."""
    mine, theirs = ({word.stem for word in words} for words in (said, nearest))
    # "it is safe", "it is unsafe": there is nothing else that they could speak of
    bare = all(sum(_is_content(word.text) for word in words) == 1 for words in (said, nearest))
    return [
        word
        for place, word in enumerate(said)
        if word.stem not in theirs
        and not any(opposites_of(word.text) & opposites_of(other.text) for other in nearest)
        and any(
            other.stem not in mine
            and are_opposite(word.text, other.text)
            and (bare or _around(said, place) & _around(nearest, at))
            for at, other in enumerate(nearest)
        )
    ]


def _around(words: Sequence[_Word], place: int) -> set[str]:
    near = (*words[max(place - _NEAR, 0) : place], *words[place + 1 : place + _NEAR + 1])
    return {word.stem for word in near if _is_content(word.text)}


def _is_content(word: str) -> bool:
    return bool(opposites_of(word)) or (len(word) > 2 and word not in _LIGHT and word not in _NEGATORS)


@lru_cache(maxsize=512)  # a claim is compared with many sentences
def _read(text: str) -> tuple[_Word, ...]:
    """Return the words of a text; what stands behind a negator with light words between is denied."""
    words: list[_Word] = []
    reach = end = 0
    for match in _DENYING_WORD.finditer(_NOT_ONLY.sub(lambda found: " " * len(found.group()), text)):
        if ";" in text[end : match.start()]:
            reach = 0
        end = match.end()
        word = fold(match.group())
        negates = _is_negator(word)
        words.append(_Word(word, _stem(word), Span(*match.span()), denied=reach > 0 and not negates))
        if negates:
            reach = _REACH
            continue
        # the first word of weight behind a negator is what it denies
        reach = reach - 1 if word in _LIGHT and reach else 0
    return tuple(words)


def _stem(word: str) -> str:
    found = word if _is_negator(word) else stem(word)
    # "cure" as "cures"
    return found.removesuffix("e") if len(found) == len("cure") else found


def _is_negator(word: str) -> bool:
    return word in _NEGATORS or word.endswith("n't")


_AUXILIARY = "(?:is|are|has|have|does|do|can|may|must|will|should)"
_IS_NOW = re.compile(rf"\b{_AUXILIARY}\b", re.IGNORECASE)
_WAS = re.compile(r"\b(?:was|were|had|did|\w{2,}ed|(?:1[5-9]|20)\d\d)\b", re.IGNORECASE)
# "when" and the like in front, up to a comma, or behind, up to one
_WHEN = re.compile(
    r"\A\W*(?:when(?:ever)?|(?P<once>once|where(?:ver)?)|as\s+soon\s+as|(?:each|every|any)\s+time|until"
    r"|without(?!\s+(?:exception|fail|doubt|question|delay))|subject\s+to"
    r"|in(?=\s+(?:\w+\s+){0,3}(?:modes?|emergenc(?:y|ies)|cases?)\s*,)"
    r"|with(?=[^,]{1,40}\b(?:on|off|set|enabled|disabled"
    r"|active)\s*,))\s(?P<ahead>[^,;]+),"
    r"|(?:\b(?P<before>\w+))?,?\s+(?:when(?:ever)?|as\s+soon\s+as|(?:each|every|any)\s+time|subject\s+to"
    r"|once(?=\s+(?:the|it|they|you|we|all|this|that|your|he|she)\b))\s(?P<behind>[^,;]+)"
    r"|,\s*(?P<permits>\w+)\s+permitting\b",
    re.IGNORECASE,
)
# "after the trial ends" of what is so, "given approval", "on request": a condition unless it came to pass
_CONSENT = (
    r"(?:approval|consent|permission|agreement|authori[sz]ation|confirmation|acceptance|request|receipt|payment"
    r"|presentation|application|proof|verification|registration)\b"
)
_ENDS = (
    "(?:ends|finishes|expires|closes|lapses|passes|elapses|begins|starts|opens|lasts|runs|continues|comes|arrives"
    "|leaves|returns|goes|stops|retires|resigns|dies|signs|approves|accepts|agrees|confirms|pays|reaches|turns"
    "|(?:is|are)(?!\\s+being))"
)
_GIVEN = (
    rf"(?:(?:given|with|after|following|against)(?=\s(?:[\w-]+\s+){{0,3}}?{_CONSENT})"
    rf"|(?:up)?on(?=\s(?:prior|written|official|full|his|her|its|their|your)?\s*{_CONSENT})"
    r"|given(?!\s+(?:that|how|what|the|this|these|those|its|their|his|her|our|your|my|recent|current)\b)"
    rf"|after(?=\s(?:[\w-]+\s+){{1,4}}?{_ENDS}\b))"
)
_AHEAD = rf"(?:before|while)(?=\s(?:[\w-]+\s+){{1,4}}?{_ENDS}\b)|barring|pending|depending\s+(?:up)?on"
_UNLESS_PAST = re.compile(
    rf"\A\W*(?:{_GIVEN}|{_AHEAD})\s(?P<ahead>[^,;]+),|\s{_GIVEN}\s(?P<behind>[^,;]+)", re.IGNORECASE
)
# whoever says nothing of it says the same: "when needed", and what a thing holds "when full"
_IF_SO = re.compile(
    r"(?:(?:it|this|that)\s+is\s+|at\s+all\s+|otherwise\s+)?(?:possible|needed|necessary|required|desired"
    r"|applicable|appropriate|convenient|feasible|practicable|practical)\W*|(?P<full>full(?:y\s+\w+)?\W*)",
    re.IGNORECASE,
)
_HOLDS = re.compile(
    r"\b(?:hold|seat|take|fit|contain|store|carrie|accommodate)s?\b|\bcarry\b|\bcapacity\b", re.IGNORECASE
)
# "the day when", "knows when": no condition
_OF_TIME = word_set(
    "day time times year date moment month week period case cases point and or of about exactly decide",
    "decides decided know knows knew ask asks asked see says said shows tell tells told",
)
_ON_CONDITION = re.compile(
    r"\b(?:when(?:ever)?|once|if|unless|until|without|where|as\s+soon\s+as|time|provided"
    r"|permitting|subject|given|barring|pending|depending|contingent|conditional|(?:after|before|while)(?=\s))\b",
    re.IGNORECASE,
)
_EXCEPT = re.compile(
    r"(?:\b(?:except(?:ing|ed)?|with\s+the\s+exception\s+of|(?:apart|aside)\s+from|excluding|exclusive\s+of"
    r"|save\s+for|not\s+(?:including|counting)|unlike|(?:rather|other)\s+than|instead\s+of|as\s+opposed\s+to"
    r"|but\s+(?:not|never))|\b(?:all|every|each|any|no)\s+\w+\s+but|\b(?:every|any|no)\s?(?:one"
    r"|body|thing)\s+but"
    r"|\ball\s+but)\s(?P<out>(?:\s*(?:when|if|where|that|for|on|in|at|by|to)\s[^,;:.()]+"
    rf"|(?:(?!\b(?:{_AUXILIARY}|was|were|had|did)\b)[^,;:.()])+))",
    re.IGNORECASE,
)
_ALL = re.compile(
    r"\b(?:all|every|each|always|any|(?:every|any)(?:one|body|thing)|entire(?:ly)?|whole)\b", re.IGNORECASE
)
_DAILY = re.compile(
    r"\b(?:daily|around the clock|no one|nobody|none|never|without exception)\b", re.IGNORECASE
)
_SOME = re.compile(
    r"\b(?:some|most|many|several|few|sometimes|usually|often|mostly|generally|occasionally"
    r"|typically|normally"
    r"|partly|partially|nearly|almost)\b",
    re.IGNORECASE,
)
_MAYBE = re.compile(
    r"\b(?:might|possibly|perhaps|maybe|may\s+(?:be|have)|should|would|ought\s+to|(?:seem|appear)s?\s+to"
    r"|probably|presumably)\b",
    re.IGNORECASE,
)
_HEDGED = re.compile(
    r"\b(?:some\w*|may|might|must|ought|should|shall|will|would|can|could|seems?|appears?"
    r"|presumably|possibl[ey]|perhaps|maybe|probabl[ey]|(?:un)?likely|(?:un)?certain|often|unclear)\b",
    re.IGNORECASE,
)
_OR = re.compile(
    r"\bor\s+(?!(?:more|less|so|fewer|later|earlier|higher|lower|above|below|over|under|older"
    r"|younger|longer|better"
    r"|similar|equivalent|other|another|any|not|rather|even|near|about|equal)\b)",
    re.IGNORECASE,
)
# where one may choose each may be chosen, and where neither is so none is
_FREE = re.compile(
    r"\b(?:can|could|may|allow\w*|permit\w*|accept\w*|any\w*|whether|if|unless|no|not|never|without|neither"
    r"|choose\w*|choice|optional\w*)\b|n['’]t\b",
    re.IGNORECASE,
)
_BEHIND = "(?:in|on|at|to|from|by|of|with|without|as|into|after|before)"
_NAME_BEFORE = re.compile(rf"(\d[\d.,:]*)\s*\Z|(?:\A|\b{_BEHIND}\s+)(?:[A-Z]\w+\s+){{0,3}}([A-Z]\w+)\s*\Z")
_NAME_BEHIND = re.compile(rf"(?:{_BEHIND}\s+)?(?:(\d[\d.,:]*)|([A-Z]\w+))")
_CLAUSE = re.compile(
    rf"\A\W*(?!{_BEHIND}\b)(?:(?:else|it|they|he|she|we|there)\b"
    r"|(?:(?:the|an?|all|its|their|this|that|each)\s+)?"
    r"(?:(?!which|who|that|when|if|as|because|while)\w+\s+){1,4}?"
    rf"(?:{_AUXILIARY}|was|were|had|did|\w{{2,}}ed"
    r"|\w+[^s\W]s\s+(?:the|an?|its|their|them|it|all|any|no|in|on|to))\b"
    r"|\w+[^s\W]s\s+(?:the|an?|its|their|them|it|all)\b)",
    re.IGNORECASE,
)
_EITHER = re.compile(r"\beither\b", re.IGNORECASE)
# "trains from Rome or Milan stop": some do and the others as well
_KINDS = re.compile(
    r"\W*(?:(?:the|our|its|their)\s+|(?:all|these|those|most|both)\s+(?:the\s+)?(?:[a-z-]+\s+){0,2})?"
    r"(?:\w+(?<![sui'’])s|people|children|men|women)\s+"
    rf"(?:(?:{_BEHIND}|for|over|under|aged|between|whose)\b|\w{{2,}}ed\b)(?:\s+[\w.-]+){{1,3}}\s*",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"\A(?!.*\b(?:is|has|does|was)\b)\S+(?:\s+\w+)*?\s+[a-z]{2,}", re.DOTALL)
# "valid on buses or trams", but not for 1 or 2 years
_FIT = re.compile(
    r"\b(?:is|are)\s+(?:\w+ly\s+|also\s+)?(?:valid|open|suitable|eligible|usable|good|fit|meant|intended"
    rf"|available)\s+(?:for|{_BEHIND})\b[^,;:\d]*\Z",
    re.IGNORECASE,
)
# "covers theft or fire", "has a bath or a shower", "the manager or the director approves"
_WORD_OF_THING = (
    rf"(?!(?:{_BEHIND}|for|over|under|about|two|three|four|several|\w*\d[\w.,]*|\w+ly|\w{(2,)}ed)\b)[\w-]+"
)
_THING = rf"(?:{_WORD_OF_THING}\s+){{0,3}}?{_WORD_OF_THING}"
_THINGS = re.compile(
    rf"(?:\b(?:[^\W\d]\w+[^\Wsui]s|is|are|has|have|had|\w{{2,}}ed)\s+|\A\W*(?=the\s))"
    rf"(?P<things>{_THING}(?:,\s+{_THING}){{0,4}})\s*\Z",
    re.IGNORECASE,
)
_THING_BEHIND = re.compile(
    rf"(?:(?:the|an?|its|their|his|her|your|our|one)\s+)?{_WORD_OF_THING}", re.IGNORECASE
)
_ALIAS = re.compile(r"\b(?:called|known|named|termed|that\s+is|meaning|means)\b", re.IGNORECASE)
# as far before an "or" begin the things that it joins
_WITHIN = 120
_BORDER = re.compile(r"[,;:()–—]")
_ONLY = re.compile(
    r"(?<!\bthe )(?<!\bnot )(?<!\ban )\bonly\s+(?:(?:for|to|by|on|in|at|with|from|via|the|an?|those|\w+"
    r"\s+(?:for|to|by|on|in|at|with|from|via))\s+)*(?!one\b|two\b|if\b|when\b|\w+ly\b)([a-z][\w-]+)",
    re.IGNORECASE,
)
_THAN = re.compile(r"\b(\w+)\s+than\b", re.IGNORECASE)
_BOUND = re.compile(
    r"\b(?:(?P<least>at\s+least|no\s+(?:less|fewer)\s+than|minimum(?:\s+of)?|more\s+than)|up\s+to|at\s+most"
    r"|no\s+more\s+than|maximum(?:\s+of)?|less\s+than|fewer\s+than)\s+(?P<number>\d[\d.,]*)",
    re.IGNORECASE,
)
# who does it, and what, at the beginning of a sentence
_DOES = re.compile(
    r"\W*(?P<who>(?i:the|an?)\s+[a-z]\w+|[A-Z]\w+(?:\s+[A-Z]\w+)*)"
    r"\s+(?P<does>(?:(?:is|are|was|were|has|have|had)\s+)?(?:not\s+)?[a-z]\w+)"
)
# what either does to the other
_MUTUAL = re.compile(
    r"(?:(?:is|are|was|were|has|have|had)\s+)?(?:near|next|close|similar|equal|identical|related"
    r"|married|adjacent"
    r"|parallel|opposite|different|as|border|meet|met\b|marr|resembl|match|neighbo|fac|fought|fight"
    r"|play|compet"
    r"|talk|spoke|speak|agree|disagree|merg|touch|join|differ|adjoin|cooperat|correspond|intersect"
    r"|and\b|or\b)"
)
# So much of a claim stands in a part of a sentence that is about it, and no sentence is searched further.
_MOSTLY, _MOST_LIMITS = 0.8, 4


def limits(claim: str, sentence: str) -> set[Stance]:
    """Return what becomes of a claim that leaves out what limits the sentence it is from.

    A condition or what is true of some makes it ``CONDITIONAL``, one of several or a perhaps ``SUPPOSED``;
    what the sentence excepts is ``DENIED``, and ``AFFIRMED`` where the claim itself says the opposite of
    that. By lists of words, English only.
    """
    claim, sentence = " ".join(claim.split()), " ".join(sentence.split())
    found = {*_conditions(claim, sentence), *_exceptions(claim, sentence), *_weaker(claim, sentence)}
    return found | {Stance.DENIED} if _numbers_moved(claim, sentence) else found


def _conditions(claim: str, sentence: str) -> Iterator[Stance]:
    if _ON_CONDITION.search(claim):
        return
    said = stems(claim)
    for part, rest in islice(_conditional(sentence), _MOST_LIMITS):
        main = stems(rest)
        if 2 * len(said & main) > len(said) and _leaves_out(said, stems(part) - main):
            yield Stance.CONDITIONAL
    for clause in [] if "only" in claim.lower() else _BORDER.split(sentence):
        only = _ONLY.search(clause)
        if only and 2 * len(said & stems(clause)) >= len(said) and not stems(only[1]) <= said:
            yield Stance.CONDITIONAL


def _conditional(sentence: str) -> Iterator[tuple[str, str]]:
    """Yield each condition that is not one that came to pass, and the rest of the sentence."""
    for found in _WHEN.finditer(sentence):
        part = found["ahead"] or found["behind"] or found["permits"]
        is_now = _IS_NOW.search(part) is not None or (found["once"] and part[-1] == "s")
        happened = (found["once"] or _WAS.search(part)) and not is_now
        if not (happened or (found["before"] or "").lower() in _OF_TIME or _says_no_more(part, sentence)):
            yield part, f"{sentence[: found.start()]} {found['before'] or ''} {sentence[found.end() :]}"
    for found in _UNLESS_PAST.finditer(sentence):
        part, rest = (
            found["ahead"] or found["behind"],
            f"{sentence[: found.start()]} {sentence[found.end() :]}",
        )
        if not (_WAS.search(part) or (_WAS.search(rest) and not _IS_NOW.search(rest))):
            yield part, rest


def _says_no_more(part: str, sentence: str) -> bool:
    """Tell whether a condition is one that goes without saying."""
    found = _IF_SO.fullmatch(part)
    return found is not None and (not found["full"] or _HOLDS.search(sentence) is not None)


def _leaves_out(said: frozenset[str], part: frozenset[str]) -> bool:
    return bool(part) and 2 * len(said & part) < len(part)


def _exceptions(claim: str, sentence: str) -> Iterator[Stance]:
    if _EXCEPT.search(claim):
        return
    said = stems(claim)
    for found in islice(_EXCEPT.finditer(sentence), _MOST_LIMITS):
        main = f"{sentence[: found.start('out')]} {sentence[found.end('out') :]}"
        out = stems(found["out"]) - stems(main)
        rest = said - out
        if out and out <= said and 2 * len(rest & stems(main)) >= len(rest):
            rule = f"{sentence[: found.start()]} {sentence[found.end() :]}"
            turned = turned_around(claim, rule) or denials(claim) != denials(rule)
            yield Stance.AFFIRMED if turned else Stance.DENIED
        elif out and not out & said and (_ALL.search(claim) or _DAILY.search(claim)):
            yield Stance.CONDITIONAL


def _weaker(claim: str, sentence: str) -> Iterator[Stance]:
    if _ALL.search(claim) and _SOME.search(sentence) and not (_ALL.search(sentence) or _SOME.search(claim)):
        yield Stance.CONDITIONAL
    perhaps = None if _HEDGED.search(claim) else _MAYBE.search(sentence)
    if perhaps:  # what it is about stands behind it
        behind = filter(None, map(_stem_of, _DENYING_WORD.findall(sentence, perhaps.end())))
        if next(behind, "") in stems(claim):
            yield Stance.SUPPOSED
    ors = [] if _OR.search(claim) else islice(_OR.finditer(sentence), _MOST_LIMITS)
    sides = [(sentence[: found.start()], sentence[found.end() :]) for found in ors]
    one_of = not _FREE.search(sentence) and any(
        _is_one_of(claim, *side) and not _is_each(*side) for side in sides
    )
    if one_of or any(_is_one_clause(stems(claim), *side) for side in sides):
        yield Stance.SUPPOSED
    bounds = [
        {each["number"]: each["least"] is None for each in _BOUND.finditer(x)} for x in (claim, sentence)
    ]
    if any(bounds[1].get(number, below) != below for number, below in bounds[0].items()):
        yield Stance.DENIED
    more = _THAN.search(claim), _THAN.search(sentence)
    if more[0] and more[1] and more[0][1].lower() == more[1][1].lower():
        less, greater = stems(claim[: more[0].start()]), stems(claim[more[0].end() :])
        first, second = stems(sentence[: more[1].start()]), stems(sentence[more[1].end() :])
        if (less & second) - first and (greater & first) - second:
            yield Stance.DENIED
    if (one := _DOES.match(claim)) and (other := _DOES.match(sentence)) and one["does"] == other["does"]:
        mine, theirs = one["who"].lower(), other["who"].lower()
        swapped = mine in sentence[other.end() :].lower() and theirs in claim[one.end() :].lower()
        if mine != theirs and swapped and not _MUTUAL.match(one["does"]):
            yield Stance.DENIED


def _is_one_of(claim: str, before: str, behind: str) -> bool:
    """Tell whether a claim says one of two numbers, names or other parts that stand around an "or"."""
    last, first = _NAME_BEFORE.search(before), _NAME_BEHIND.match(behind)
    if last and first and (last[1] is None) == (first[1] is None):
        words, named = re.findall(r"[\w.,:]*\w", claim), (last[1] or last[2], first[1] or first[2])
        return sum(each.strip(".,:") in words for each in named) == 1
    if "either" in before.lower().split():
        said, there = stems(claim), stems(behind)
        one = stems(re.split(r"\beither\b", before, flags=re.IGNORECASE)[-1])
        return bool(one & said) != bool(there & said) or bool(one - said) != bool(there - said)
    is_begun = tokens(before)[-len(tokens(claim)) :] == tokens(claim)
    # "in red or in blue", but not "practices or disciplines"
    return (is_begun and re.match(rf"{_BEHIND}\b", behind) is not None) or _is_one_thing(
        claim, before, behind
    )


def _is_one_thing(claim: str, before: str, behind: str) -> bool:
    """Tell whether a claim says some of the things that are joined by an "or", and not the others."""
    first, last = _THINGS.search(before, max(len(before) - _WITHIN, 0)), _THING_BEHIND.match(behind)
    if first is None or last is None or _ALIAS.search(before):
        return False
    said, things = stems(claim), [stems(each) for each in (*first["things"].split(","), last.group())]
    rest = stems(before[: first.start("things")])
    held = [bool(each) and each <= said for each in things]
    return 2 * len(said & rest) >= len(rest) and any(held) and not all(held) and all(things)


def _is_each(before: str, behind: str) -> bool:
    """Tell whether what is said holds of both parts around an "or": of kinds of things, or what is fit."""
    if _EITHER.search(before) or _WAS.search(behind):
        return False
    if _FIT.search(before):
        return True
    return _KINDS.fullmatch(before) is not None and _GOES_ON.search(behind) is not None


def _is_one_clause(said: frozenset[str], before: str, behind: str) -> bool:
    """Tell whether what is said is one of two clauses that stand around an "or"."""
    sides = ((stems(before), behind), (stems(behind), before))
    other = (stems(behind), stems(before))
    return any(
        len(said & here) >= _MOSTLY * len(said) and bool(there - said) and _CLAUSE.match(clause) is not None
        for (here, clause), there in zip(sides, other, strict=True)
    )


_NUMBER = r"(?<![\w.,])(?:[€$£]\s?)?(\d[\d.,:]*\d|\d)(?!\w|[.,]\d)"
_A_YEAR = r"(?<![\w.,])(?:1[5-9]|20)\d\d(?!\w|[.,]\d)"
_GOVERNED = re.compile(rf"(?<![-−])\b([^\W\d_]+)\s+{_NUMBER}", re.IGNORECASE)
_WAYS = word_set("from to by under over before after")
_SAME_WAY = {"until": "to", "till": "to", "since": "from", "above": "over", "below": "under"}
_PARTS = re.compile(r"[,;]\s|\b(?:and|while|whereas|but)\b", re.IGNORECASE)
_PLACED = word_set("for in of at by to with on from under over during on per")


def _numbers_moved(claim: str, sentence: str) -> bool:
    """Tell whether a claim gives a number of the sentence to something else that stands there with another.

    "From 7 to 5" is moved from "from 5 to 7", room 3 on floor 12 from room 12 on floor 3, and 20 euros for
    children from 20 for adults and 10 for children.
    """
    mine, theirs = (_governed(text) for text in (claim, sentence))
    for number in mine.keys() & theirs.keys():
        if mine[number] & theirs[number]:
            continue
        if mine[number] <= _WAYS and theirs[number] <= _WAYS:
            return True
        beside = {word for other in mine.keys() - {number} for word in theirs.get(other, ())}
        if mine[number] <= beside and not (mine[number] | theirs[number]) & _IGNORED:
            return True
    wanted = set(re.findall(_NUMBER, claim))
    if len(wanted) != 1:
        return False
    (number,) = wanted
    like = re.compile(_A_YEAR if re.fullmatch(_A_YEAR, number) else rf"{_NUMBER}|\b(?:nothing|free|none)\b")
    parts = [part for part in _PARTS.split(sentence) if like.search(part)]
    own = [part for part in parts if number in re.findall(_NUMBER, part)]
    said = stems(claim)
    return len(own) == 1 and any(
        _are_parallel(one, other)
        for one in _placed(own[0])
        if one[1] not in said
        for part in parts
        if part is not own[0]
        for other in _placed(part)
        if other[1] in said and other[1] not in stems(own[0])
    )


_IGNORED = STOP_WORDS | _PLACED


def _governed(text: str) -> dict[str, set[str]]:
    """Return the words that stand right before each number."""
    found: dict[str, set[str]] = {}
    for word, number in _GOVERNED.findall(text):
        found.setdefault(number, set()).add(_SAME_WAY.get(word.lower(), word.lower()))
    return found


def _placed(part: str) -> list[tuple[str, str, str]]:
    """Return the words of weight of a part: what stands before each, its stem, and the word.

    Before the subject that a part begins with stands what it does: "guests pay".
    """
    words = _DENYING_WORD.findall(part)
    before = ["", *(word.lower() for word in words)]
    at = int(bool(words) and words[0].lower() in ("the", "a", "an"))
    if len(words) > at + 1:
        before[at] = f"{words[at + 1].lower()} does"
    return [(last, _stem_of(word), word) for last, word in zip(before, words, strict=False) if _stem_of(word)]


def _are_parallel(one: tuple[str, str, str], other: tuple[str, str, str]) -> bool:
    """Tell whether two words stand in the same place of two parts: "for adults" and "for children"."""
    names = (
        one[2][0].isupper()
        and other[2][0].isupper()
        and all(each[0] == "in" or each[0].endswith(" does") for each in (one, other))
    )
    is_same = one[0] in _PLACED or one[0].endswith(" does")
    same = one[0] == other[0] and is_same and not any(each[2][0].isdigit() for each in (one, other))
    return names or same or are_opposite(one[2].lower(), other[2].lower())
