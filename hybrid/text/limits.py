"""What limits a sentence: conditions, exceptions, alternatives, what is so of others (scope)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from hybrid.text.framing import Stance
from hybrid.text.polarity import DENYING_WORD, denials, stem_of, stems, turned_around
from hybrid.text.words import STOP_WORDS, are_opposite, common_parts, expressions, tokens, word_set

_TOLD = expressions("text", "limits")
_BEHIND = common_parts("text")["preposition"]
# "the day when", "knows when": no condition
_OF_TIME = word_set(
    "day time times year date moment month week period case cases point and or of about exactly decide",
    "decides decided know knows knew ask asks asked see says said shows tell tells told",
)
_NAME_BEFORE = re.compile(rf"(\d[\d.,:]*)\s*\Z|(?:\A|\b{_BEHIND}\s+)(?:[A-Z]\w+\s+){{0,3}}([A-Z]\w+)\s*\Z")
_NAME_BEHIND = re.compile(rf"(?:{_BEHIND}\s+)?(?:(\d[\d.,:]*)|([A-Z]\w+))")
_PLACE_BEHIND = re.compile(rf"(?:{_BEHIND}|for|over|under|behind|near|beside|below|above|between)\b")
_IS_BEHIND = re.compile(r"[\w-]+\s+(?:is|was|must|shall|gets|receives|pays)\b")
_GOES_ON = re.compile(r"\A(?!.*\b(?:is|has|does|was)\b)\S+(?:\s+\w+)*?\s+[a-z]{2,}", re.DOTALL)
# as far before an "or" begin the things that it joins
_WITHIN = 120
_BORDER = re.compile(r"[,;:()–—]")
# who does it, and what, at the beginning of a sentence
_DOES = re.compile(
    r"\W*(?P<who>(?i:the|an?)\s+[a-z]\w+|[A-Z]\w+(?:\s+[A-Z]\w+)*)"
    r"\s+(?P<does>(?:(?:is|are|was|were|has|have|had)\s+)?(?:not\s+)?[a-z]\w+)"
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
    if _TOLD["on_condition"].search(claim):
        return
    said = stems(claim)
    for part, rest in islice(_conditional(sentence), _MOST_LIMITS):
        main = stems(rest)
        if 2 * len(said & main) > len(said) and _leaves_out(said, stems(part) - main):
            yield Stance.CONDITIONAL
    for clause in [] if "only" in claim.lower() else _BORDER.split(sentence):
        only = _TOLD["only"].search(clause)
        if only and 2 * len(said & stems(clause)) >= len(said) and not stems(only[1]) <= said:
            yield Stance.CONDITIONAL


def _conditional(sentence: str) -> Iterator[tuple[str, str]]:
    """Yield each condition that is not one that came to pass, and the rest of the sentence."""
    for found in _TOLD["when"].finditer(sentence):
        part = found["ahead"] or found["behind"] or found["permits"]
        is_now = found["once"] and (_TOLD["is_now"].search(part) or part[-1] == "s")
        happened = not is_now if found["once"] else _is_past(part)
        if not (happened or (found["before"] or "").lower() in _OF_TIME or _says_no_more(part, sentence)):
            yield part, f"{sentence[: found.start()]} {found['before'] or ''} {sentence[found.end() :]}"
    for found in _TOLD["unless_past"].finditer(sentence):
        part = found["ahead"] or found["behind"]
        rest = f"{sentence[: found.start()]} {sentence[found.end() :]}"
        if not (_is_past(part) or _is_past(rest)):
            yield part, rest


def _is_past(text: str) -> bool:
    return _TOLD["was"].search(text) is not None and not _TOLD["is_now"].search(text)


def _says_no_more(part: str, sentence: str) -> bool:
    """Tell whether a condition is one that goes without saying."""
    found = _TOLD["if_so"].fullmatch(part)
    return found is not None and (not found["full"] or _TOLD["holds"].search(sentence) is not None)


def _leaves_out(said: frozenset[str], part: frozenset[str]) -> bool:
    return bool(part) and 2 * len(said & part) < len(part)


def _exceptions(claim: str, sentence: str) -> Iterator[Stance]:
    if _TOLD["except"].search(claim):
        return
    said = _marks(claim)
    for found in islice(_TOLD["except"].finditer(sentence), _MOST_LIMITS):
        main = f"{sentence[: found.start('out')]} {sentence[found.end('out') :]}"
        out = _marks(found["out"]) - _marks(main) - {"one"}  # "the small one"
        rest = said - out
        if out and out <= said and 2 * len(rest & stems(main)) >= len(rest):
            rule = f"{sentence[: found.start()]} {sentence[found.end() :]}"
            turned = turned_around(claim, rule) or denials(claim) != denials(rule)
            yield Stance.AFFIRMED if turned else Stance.DENIED
        elif (
            out
            and all(one.isdigit() for one in out & said)
            and (_TOLD["all"].search(claim) or _TOLD["daily"].search(claim))
        ):
            yield Stance.CONDITIONAL


def _marks(text: str) -> frozenset[str]:
    """Return the stems of a text and its numbers: "except room 12"."""
    return stems(text) | frozenset(re.findall(r"\d+", text))


def _weaker(claim: str, sentence: str) -> Iterator[Stance]:
    if (
        _TOLD["all"].search(claim)
        and _TOLD["some"].search(sentence)
        and not (_TOLD["all"].search(sentence) or _TOLD["some"].search(claim))
    ):
        yield Stance.CONDITIONAL
    perhaps = None if _TOLD["hedged"].search(claim) else _TOLD["maybe"].search(sentence)
    if perhaps:  # what it is about stands behind it
        behind = filter(None, map(stem_of, DENYING_WORD.findall(sentence, perhaps.end())))
        if next(behind, "") in stems(claim):
            yield Stance.SUPPOSED
    ors = [] if _TOLD["or"].search(claim) else islice(_TOLD["or"].finditer(sentence), _MOST_LIMITS)
    sides = [(sentence[: found.start()], sentence[found.end() :]) for found in ors]
    one_of = not _TOLD["free"].search(sentence) and any(_is_one_of(claim, *side) for side in sides)
    if one_of or any(_is_one_clause(stems(claim), *side) for side in sides):
        yield Stance.SUPPOSED
    bounds = [
        {each["number"]: each["least"] is None for each in _TOLD["bound"].finditer(x)}
        for x in (claim, sentence)
    ]
    if any(bounds[1].get(number, below) != below for number, below in bounds[0].items()):
        yield Stance.DENIED
    more = _TOLD["than"].search(claim), _TOLD["than"].search(sentence)
    if more[0] and more[1] and more[0][1].lower() == more[1][1].lower():
        less, greater = stems(claim[: more[0].start()]), stems(claim[more[0].end() :])
        first, second = stems(sentence[: more[1].start()]), stems(sentence[more[1].end() :])
        if (less & second) - first and (greater & first) - second:
            yield Stance.DENIED
    if (one := _DOES.match(claim)) and (other := _DOES.match(sentence)) and one["does"] == other["does"]:
        mine, theirs = one["who"].lower(), other["who"].lower()
        swapped = mine in sentence[other.end() :].lower() and theirs in claim[one.end() :].lower()
        if mine != theirs and swapped and not _TOLD["mutual"].match(one["does"]):
            yield Stance.DENIED


def _is_one_of(claim: str, before: str, behind: str) -> bool:
    """Tell whether a claim says one of two numbers, names or other parts of which one alone is so."""
    either = _TOLD["either"].search(f"{before} {behind}") is not None
    surely = either or _TOLD["was"].search(behind) is not None
    if not surely and (_TOLD["fit"].search(before) or _is_of_kinds(before, behind)):
        return False
    last, first = _NAME_BEFORE.search(before), _NAME_BEHIND.match(behind)
    chosen = surely or _TOLD["chosen"].search(before) is not None
    if last and first and (last[1] is None) == (first[1] is None):
        words, named = re.findall(r"[\w.,:]*\w", claim), (last[1] or last[2], first[1] or first[2])
        is_one = chosen or bool(last[1]) or not last.start()
        return is_one and sum(each.strip(".,:") in words for each in named) == 1
    if "either" in before.lower().split():
        said, there = stems(claim), stems(behind)
        one = stems(re.split(r"\beither\b", before, flags=re.IGNORECASE)[-1])
        return bool(one & said) != bool(there & said) or bool(one - said) != bool(there - said)
    # "in red or in blue", but not "practices or disciplines"
    if (
        chosen
        and _PLACE_BEHIND.match(behind)
        and _is_one_place(tokens(claim), tokens(before), tokens(behind))
    ):
        return True
    return _is_one_thing(claim, before, behind, either=either)


def _is_one_place(said: list[str], before: list[str], behind: list[str]) -> bool:
    """Tell whether words are those before an "or", with an end that both have, or lead to those behind."""
    rest = len(said) - len(before)
    ended = (
        rest >= 0 and said[: len(before)] == before and said[len(before) :] == behind[len(behind) - rest :]
    )
    led = len(said) - len(behind)
    other = led > 0 and said[led:] == behind and said[:led] == before[:led]
    return ended or other or before[-len(said) :] == said


def _is_one_thing(claim: str, before: str, behind: str, *, either: bool) -> bool:
    """Tell whether a claim says some of the things that are joined by an "or", and not the others."""
    begins, last = max(len(before) - _WITHIN, 0), _TOLD["thing_behind"].match(behind)
    first = _TOLD["things"].search(before, begins)
    if first is None and either:
        first = _TOLD["things_of_any"].search(before, begins)
    if first is None or last is None or _TOLD["alias"].search(before):
        return False
    if first.groupdict().get("bare") and not _IS_BEHIND.match(behind):
        return False
    said, things = stems(claim), [stems(each) for each in (*first["things"].split(","), last.group())]
    rest = stems(before[: first.start("things")])
    held = [bool(each) and each <= said for each in things]
    return 2 * len(said & rest) >= len(rest) and any(held) and not all(held) and all(things)


def _is_of_kinds(before: str, behind: str) -> bool:
    """Tell whether what is said holds of all of some kinds: "trains from Rome or Milan stop"."""
    return _TOLD["kinds"].fullmatch(before) is not None and _GOES_ON.search(behind) is not None


def _is_one_clause(said: frozenset[str], before: str, behind: str) -> bool:
    """Tell whether what is said is one of two clauses that stand around an "or"."""
    sides = ((stems(before), behind), (stems(behind), before))
    other = (stems(behind), stems(before))
    return any(
        len(said & here) >= _MOSTLY * len(said)
        and bool(there - said)
        and _TOLD["clause"].match(clause) is not None
        for (here, clause), there in zip(sides, other, strict=True)
    )


_NUMBER = r"(?<![\w.,])(?:[€$£]\s?)?(\d[\d.,:]*\d|\d)(?!\w|[.,]\d)"
_A_YEAR = r"(?<![\w.,])(?:1[5-9]|20)\d\d(?!\w|[.,]\d)"
_GOVERNED = re.compile(rf"(?<![-−])\b([^\W\d_]+)\s+{_NUMBER}", re.IGNORECASE)
_WAYS = word_set("from to by under over before after")
_SAME_WAY = {"until": "to", "till": "to", "since": "from", "above": "over", "below": "under"}
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
    parts = [part for part in _TOLD["parts"].split(sentence) if like.search(part)]
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

    Before the subject that a part begins with stands what it does: "guests pay", if it is said: "guests 5".
    """
    words = DENYING_WORD.findall(part)
    before = ["", *(word.lower() for word in words)]
    at = int(bool(words) and words[0].lower() in ("the", "a", "an"))
    if len(words) > at + 1:
        before[at] = " does" if words[at + 1][0].isdigit() else f"{words[at + 1].lower()} does"
    return [(last, stem_of(word), word) for last, word in zip(before, words, strict=False) if stem_of(word)]


def _are_parallel(one: tuple[str, str, str], other: tuple[str, str, str]) -> bool:
    """Tell whether two words stand in the same place of two parts: "for adults" and "for children"."""
    names = (
        one[2][0].isupper()
        and other[2][0].isupper()
        and all(each[0] == "in" or each[0].endswith(" does") for each in (one, other))
    )
    subjects = one[0].endswith(" does") and other[0].endswith(" does")
    is_same = (one[0] == other[0] and (one[0] in _PLACED or subjects)) or (
        subjects and " does" in (one[0], other[0])
    )
    same = is_same and not any(each[2][0].isdigit() for each in (one, other))
    return names or same or are_opposite(one[2].lower(), other[2].lower())
