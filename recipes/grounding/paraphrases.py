"""Sentences in other words: parts moved or left out, synonyms and spellings; two sentences joined.

Unlike an edit, a paraphrase that finds no rule is the sentence itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np

from hybrid.files import hash_text
from recipes.grounding.edits.english import (
    cased_like,
    has_verb,
    is_english,
    lower_first,
    parts_of,
    past_form,
    third_person,
    upper_first,
)
from recipes.grounding.edits.names import is_plural
from recipes.grounding.edits.tables import DAYS, MONTHS
from recipes.grounding.edits.values import Replacement, apply
from recipes.grounding.synonyms import SYNONYMS

_CLAUSE_FIRST = re.compile(
    r"(?P<joint>If|When|Because|Although|Unless|Once|After|Before|While|Since|Whenever|Until|As soon as|"
    r"Even though) "
    r"(?P<clause>[^,;:()]{6,120}), (?:then )?(?P<main>[^,;:]{8,160})\."
)
_CLAUSE_LAST = re.compile(
    r"(?P<main>[^,;:]{8,140}[^,;: ]),? (?P<joint>if|when|because|although|unless|once|whenever|even though) "
    r"(?P<clause>[^,;:]{8,120})\."
)
# What points at something that would come after it then.
_PRONOUN = re.compile(
    r"(?:it|they|he|she|this|these|those|its|their|his|her|that|such|both|each|one|others?|some|there|doing|not|you|"
    r"your|we|our|instead|then|please)\b",
    re.IGNORECASE,
)
_NO_FRONTING = re.compile(
    r"\b(?:know|see|even|only|as|determine|just|especially|particularly|which|who|and|or|but|than|what|how|whether|"
    r"ask|shows?|is|are|was|were|sure|mainly|partly|mostly|unclear|decide|simply|except|used|such|told|added|"
    r"reported|believes?|thinks?|to)$"
    r"|\b(?:if|when|because|although|unless|once|until|after|before|not|never|that|said|says|while|so)\b|n['’]t\b"
)
_TIME = rf"(?:the |late |early |mid-)?(?:(?:{'|'.join(MONTHS)}) )?(?:1[5-9]|20)\d\d"
_PLACE_FIRST = re.compile(
    rf"(?P<place>In {_TIME}|In (?:the )?[A-Z][\w.]+(?: [A-Z][\w.]+)?|During (?:the )?[a-z]+(?: [a-z]+)?|"
    rf"On (?:{'|'.join(DAYS)})|Among [a-z]+(?: [a-z]+)?|By default|For most people|In (?:most|some|many|"
    rf"rare) cases), "
    r"(?P<main>[^,;:]{8,160})\."
)
_NOUNS = r"[\w’'-]+(?: [\w’'-]+){0,4}"
_ACTIVE_OF = {
    "caused": "cause", "produced": "produce", "controlled": "control", "regulated": "regulate",
    "carried": "carry", "triggered": "trigger", "encoded": "encode", "mediated": "mediate",
}  # fmt: skip
_VERBS = "cause produce control regulate encode affect define determine inhibit activate make"
_PASSIVE_OF = {form: past_form(verb) for verb in _VERBS.split() for form in (verb, third_person(verb))}
# Nouns, or something else, without an s.
_PASSIVE_OF |= {
    third_person(verb): past_form(verb)
    for verb in ("carry", "specify", "support", "return", "provide", "create", "use", "store", "remove")
}
_PASSIVE = re.compile(
    rf"(?P<object>{_NOUNS}) (?:is|are) (?P<verb>{'|'.join(_ACTIVE_OF)}) by (?P<subject>(?:an? |"
    rf"the )?{_NOUNS})\."
)
_ACTIVE = re.compile(
    rf"(?P<subject>{_NOUNS}) (?P<verb>{'|'.join(_PASSIVE_OF)}) (?P<object>(?:an? |the )?{_NOUNS})\."
)
_NOT_SIMPLE = re.compile(
    r"\b(?:and|or|by|that|which|who|in|for|from|with|to|as|not|often|usually|also|is|are|can|may|mainly|only)\b"
)
_PAIR = re.compile(r"\b(?P<before>of|in) (?P<one>[a-z]{4,}) and (?P<other>[a-z]{4,})(?=[.,]|$)")


def clause_last(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "Y if X." for "If X, Y."."""
    match = _CLAUSE_FIRST.fullmatch(text)
    if match is None or _PRONOUN.match(match["main"]) or not has_verb(match["clause"]):
        return
    if parts_of(upper_first(match["main"])) is not None:
        yield f"{upper_first(match['main'])} {match['joint'].lower()} {match['clause']}."


def clause_first(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "If X, Y." for "Y if X."."""
    match = _CLAUSE_LAST.fullmatch(text)
    if match is None or _NO_FRONTING.search(match["main"]) or _PRONOUN.match(match["clause"]):
        return
    main = _lowered(match["main"])
    if main and parts_of(text) is not None:
        yield f"{upper_first(match['joint'])} {match['clause']}, {main}."


def place_last(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "Y in 2010." for "In 2010, Y."."""
    match = _PLACE_FIRST.fullmatch(text)
    if match:
        place = match["place"]
        yield f"{upper_first(match['main'])} {place[0].lower()}{place[1:]}."


def active(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "X causes Y." for "Y is caused by X."."""
    match = _PASSIVE.fullmatch(text)
    if match and not any(_NOT_SIMPLE.search(match[side]) for side in ("object", "subject")):
        base, thing = _ACTIVE_OF[match["verb"]], _lowered(match["object"])
        if thing:
            verb = base if is_plural(match["subject"]) else third_person(base)
            yield f"{upper_first(match['subject'])} {verb} {thing}."


def passive(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "Y is caused by X." for "X causes Y."."""
    match = _ACTIVE.fullmatch(text)
    if match and not any(_NOT_SIMPLE.search(match[side]) for side in ("object", "subject")):
        subject = _lowered(match["subject"])
        if subject:
            helper = "are" if is_plural(match["object"]) else "is"
            yield f"{upper_first(match['object'])} {helper} {_PASSIVE_OF[match['verb']]} by {subject}."


def pairs(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "of chills and fevers" for "of fevers and chills"."""
    for match in _PAIR.finditer(text):
        if match["one"][-1] == match["other"][-1] == "s":
            swapped = f"{match['before']} {match['other']} and {match['one']}"
            yield text[: match.start()] + swapped + text[match.end() :]


def _lowered(text: str) -> str:
    """Return text as it stands inside a sentence; empty if its capital may be that of a name."""
    lowered = lower_first(text)
    return lowered if lowered != text or text[:2].isupper() or not text[:1].isupper() else ""


_FINITE = "is|are|was|were|has|have|had|can|could|may|might|will|would|should|must|do|does|did|remains?"
_BRACKETS = re.compile(r" \((?!(?:not|except|only|un)\b)[^()]{2,120}\)(?=[ ,.;])")
_OPENER = re.compile(
    r"(?:In addition|In fact|Indeed|Furthermore|Moreover|Additionally|For example|For instance|Therefore|"
    r"Thus|"
    r"However|As a result|Consequently|Finally|Overall|Together|Notably|Importantly|Interestingly|"
    r"Of course|Note that|"
    r"Recently|Taken together|In conclusion|In summary|Collectively|Unfortunately|Fortunately|"
    r"Surprisingly|Today|"
    r"Again),? (?=[a-zA-Z`])"
)
_ASIDE = re.compile(rf", (?:which|who|where|whose) [^,;()]{{8,110}}(?:,(?= (?:and|{_FINITE})\b)|(?=\.$))")
_EXAMPLES = re.compile(r",? (?:such as|including) [^;()]{4,120}(?=\.$)")
_GOES_ON = re.compile(rf", (?:and |but |or )?(?:{_FINITE}|\w+s|\w+ed|to|in|on|with|by) |\b(?:{_FINITE})\b")
# Beside one of these the examples are part of what is said.
_COUNTS = re.compile(
    r"\b(?:not|no|never|without|neither|nor|none|few|only|all|every|each|any|most|except|than|other|like|unlike|"
    r"exactly|total|includes?|are|is)\b|n['’]t\b"
)
_RELATIVE = re.compile(
    r"(?<=[a-z]) (?:that|which|who) (?:is|are|was|were) "
    r"(?P<verb>\w+ed|\w+ing|found|known|born|given|made|taken|seen)(?= (?:by|in|on|at|for|with|to|from|as|"
    r"the|a)\b)"
)
_FILLER = re.compile(r"(?<=[a-z]) (?:also|indeed|actually|really|in fact)(?= [a-z])")
_ENOUGH_WORDS = 6
_NEAR = 40
_LIST = 30


def brackets(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield the sentence without what stands in brackets."""
    for match in _BRACKETS.finditer(text):
        yield text[: match.start()] + text[match.end() :]


def opener(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield the sentence without "However," in front."""
    match = _OPENER.match(text)
    if match:
        yield upper_first(text[match.end() :])


def aside(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield the sentence without ", which …,"."""
    match = _ASIDE.search(text)
    # the last of a list has its aside where the list goes on
    if match and " and " not in text[: match.start()][-_LIST:]:
        yield text[: match.start()] + text[match.end() :]


def examples(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield the sentence without "such as …" at its end."""
    match = _EXAMPLES.search(text)
    if match is None or _GOES_ON.search(match.group()):
        return
    before = text[: match.start()]
    if len(before.split()) >= _ENOUGH_WORDS and not _COUNTS.search(before[-_NEAR:]):
        yield before + text[match.end() :]


def relative(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "cells found in" for "cells that are found in"."""
    for match in _RELATIVE.finditer(text):
        yield f"{text[: match.start()]} {text[match.start('verb') :]}"


def filler(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield the sentence without "also"."""
    match = _FILLER.search(text)
    if match and "not only" not in text:
        yield text[: match.start()] + text[match.end() :]


_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SPELLED = re.compile(
    rf"(?<![\w-])(?P<word>{'|'.join(_WORDS)})(?= [a-z]{{3,}})(?! (?:of|or|and|to|hundred|thousand|million)\b)"
)
_DIGIT = re.compile(
    r"(?<![\w.,:/$€£#(=<>~+–-])(?P<number>[2-9]|1[0-2])(?= [a-z]{4,})"
    r"(?! (?:to|or|and|years?|percent|million|mg)\b)"
)
# One end of a range, or a name.
_NO_WORD = re.compile(
    r"\b(?:to|or|and|type|stage|grade|phase|section|chapter|level|than|step|table|figure) $"
)
_DATE = re.compile(rf"\b(?P<month>{'|'.join(MONTHS)}) (?P<day>\d{{1,2}}), (?P<year>\d{{4}})\b,?")
_AGE = re.compile(
    r"\b(?P<article>an?|the) (?P<age>\d{1,3})-year-old (?P<who>man|woman|girl|boy|student|patient|child)\b"
    r"(?! [a-z]+(?:ing|ed)\b)",
    re.IGNORECASE,
)
_OPENERS = (
    "According to the text, ",
    "According to the passage, ",
    "The text states that ",
    "The document says that ",
)
_ATTRIBUTED = 0.1


def synonyms(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield the sentence with a word or phrase replaced by one that means the same."""
    for place in generator.permutation(len(SYNONYMS)):
        synonym = SYNONYMS[int(place)]
        match = synonym.pattern.search(text)
        # a capital in the middle is part of a name
        if match is None or (match.start() and match.group()[0].isupper()):
            continue
        option = synonym.options[int(generator.integers(len(synonym.options)))]
        new = cased_like(match.expand(option), match.group())
        # nor is a quotation in the writer's own words
        if new != match.group() and text[: match.start()].count('"') % 2 == 0:
            yield apply(text, (Replacement(*match.span(), new),))[0]


def digits(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "3 days" for "three days"."""
    for match in _SPELLED.finditer(text):
        if match.start():
            yield f"{text[: match.start()]}{_WORDS.index(match['word']) + 2}{text[match.end() :]}"


def spelled(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "three days" for "3 days"."""
    for match in _DIGIT.finditer(text):
        before = text[: match.start()]
        if not _NO_WORD.search(before):
            word = _WORDS[int(match["number"]) - 2]
            yield f"{before}{word if before else upper_first(word)}{text[match.end() :]}"


def dates(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "5 March 2010" for "March 5, 2010"."""
    for match in _DATE.finditer(text):
        yield f"{text[: match.start()]}{match['day']} {match['month']} {match['year']}{text[match.end() :]}"


def ages(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield "a girl aged 11" for "an 11-year-old girl"."""
    for match in _AGE.finditer(text):
        article = "the" if match["article"].lower() == "the" else "a"
        said = cased_like(f"{article} {match['who']} aged {match['age']}", match["article"][:1])
        yield f"{text[: match.start()]}{said}{text[match.end() :]}"


def attributed(text: str, generator: np.random.Generator) -> Iterator[str]:
    """Yield the sentence as what the text says, one time in ten: generators like to write that."""
    opener = _OPENERS[int(generator.integers(len(_OPENERS)))]
    lowered = lower_first(text)
    if generator.random() < _ATTRIBUTED and (lowered != text or text[:2].isupper()):
        yield opener + lowered


_Rule = Callable[[str, np.random.Generator], Iterator[str]]
_RULES: tuple[_Rule, ...] = (
    # a sentence has more words to replace than clauses to move
    *(synonyms,) * 6,
    digits,
    spelled,
    dates,
    ages,
    attributed,
    brackets,
    opener,
    aside,
    examples,
    relative,
    filler,
    clause_last,
    clause_first,
    place_last,
    active,
    passive,
    pairs,
)
_PERSON = re.compile(
    r"\b(?:man|woman|person|patient|doctor|child|boy|girl|student|player|president|minister|author|user|people|team)\b"
)
_THING = re.compile(r"(?:The|A|An) [a-z]")
_STUTTER = re.compile(r"\b(\w+) \1\b|  ", re.IGNORECASE)
_LONGEST = 2_000


def paraphrase(text: str, *, seed: int, steps: int) -> str:
    """Return an English sentence reworded by up to so many rules; others, and what no rule fits, unchanged.

    The same text, seed and steps always give the same.

    Args:
        text: one sentence, or two.
        seed: another one chooses other rules.
        steps: from 0, nothing is changed.
    """
    if steps <= 0 or len(text) > _LONGEST or not is_english(text):
        return text
    generator = np.random.default_rng(int(hash_text("paraphrase", str(seed), text)[:16], 16))
    done = 0
    for place in generator.permutation(len(_RULES)):
        changed = next(_RULES[int(place)](text, generator), None)
        if changed and not _STUTTER.search(changed) and not changed[0].islower():
            text, done = changed, done + 1
        if done == steps:
            break
    return text


def merged(first: str, second: str) -> str | None:
    """Return two neighbouring sentences as one with "and", or None if that is not safe."""
    one, other = parts_of(first), parts_of(second)
    if not first.endswith(".") or one is None or other is None:
        return None
    subject = second[: other.start].strip()
    joined = lower_first(second)
    if first[: one.start].strip().lower() == subject.lower():
        if not other.number or _PERSON.search(subject) or not _THING.match(subject):
            return None
        joined = f"{'it' if other.number == 'singular' else 'they'} {second[other.start :]}"
    elif joined == second and not second[:2].isupper():
        return None
    return f"{first[:-1]}, and {joined}"
