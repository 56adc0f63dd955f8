"""A "not" put in or taken out.

Takes a sentence, gives candidates. What a "not" would not contradict ("may not", "not only", "not all") and
sentences that deny something already are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from hybrid.grounding.examples import Label
from recipes.grounding.edits.english import past_form, third_person, word_set
from recipes.grounding.edits.rules import by_rules, read_rules
from recipes.grounding.edits.surroundings import Surroundings
from recipes.grounding.edits.values import Candidate, Replacement, shuffled
from recipes.grounding.edits.verbs import BASES, THIRD, is_participle

_DENIES = re.compile(
    r"\b(?:not|no|never|neither|nor|none|nobody|nothing|cannot|without|hardly|rarely|seldom|barely|unless|only|few|"
    r"little|lacks?|fails?|failed|unable|absence|ruled out|prevents?)\b|n['’]t\b",
    re.IGNORECASE,
)
_HELPER = re.compile(
    r"(?P<before>\b[\w’'`)%\"”.-]+,?) (?P<verb>is|are|was|were|should|must|will|can)"
    r"(?= (?P<next>[\w`“\"$-]+))"
)
_THERE = re.compile(
    r"\b(?P<verb>there (?:is|are|was|were)) (?:an |a |some |several |many )?(?=\w)", re.IGNORECASE
)
_HAVE = re.compile(r"\b(?P<verb>has|have|had)(?= (?P<next>\w+))")
_PLAIN = re.compile(r"(?P<before>\b[\w’'`)-]+) (?P<verb>[a-z]+s)(?= (?P<next>[\w`“\"-]+))")
_DO_NOT = re.compile(r"\b(?P<verb>does|do|did)(?: not|n['’]t) (?P<base>[a-z]+)\b(?! (?:only|just))")
_NO = re.compile(r"\b(?P<verb>has|have|had|is|are|was|were) no (?P<noun>[a-z]+)\b")
# Where a "not" would deny the question and not the statement.
_INDIRECT = re.compile(r"\b(?:what|how|how many|times|number of [a-z]+|once)\b[^,;.]*$", re.IGNORECASE)
_NOT_BEFORE = word_set("what as so nor than how where there why whether if i.e. e.g. is are only neither")
_NOT_NEXT = word_set(
    "not only just merely solely simply never no none neither nothing hardly rarely either also likewise"
)
_NO_SUBJECT = word_set(
    """
    the a an of in on for to and or with by from at as its their this these those such both not also only then
    thus often usually typically all most many his her our your my be
    """
)
_NO_VERB_NEXT = word_set("of and or is are was were")
_REMOVED = read_rules(
    r"""
    is(?: not|n['’]t) => is; next: only just necessarily yet all every always limited merely simply so
    are(?: not|n['’]t) => are; next: only just necessarily yet all every always limited merely simply so
    was(?: not|n['’]t) => was; next: only just necessarily yet all every always limited merely simply so
    were(?: not|n['’]t) => were; next: only just necessarily yet all every always limited merely simply so
    has(?: not|n['’]t) => has; next: only just yet all
    have(?: not|n['’]t) => have; next: only just yet all
    had(?: not|n['’]t) => had; next: only just yet all
    should(?: not|n['’]t) => should; next: only exceed; then: (?!be limited)
    must(?: not|n['’]t) => must; next: only exceed; then: (?!be limited)
    will not => will; next: only exceed necessarily always
    would(?: not|n['’]t) => would; next: only necessarily
    could(?: not|n['’]t) => could; next: only
    (?:cannot|can not|can['’]t) => can; next: only
    never => often
    without => with; prev: or and; then: (?!\w+ing\b)\w
    """,
    Label.REFUTED,
)
_COUNTED = word_set(
    "effect difference association cure treatment reason impact change increase correlation limit way"
)
_UNCOUNTED = word_set("evidence need information damage")
_ALSO_BASES = word_set("have know need work change cause spread get go feel increase decrease")


def negations(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates: where the sentence denies nothing a "not" in, else one out."""
    if _DENIES.search(text):
        found = [*by_rules(_REMOVED, text, generator), *_without_do(text), *_without_no(text)]
    else:
        found = [*_with_helper(text), *_with_have(text), *_with_do(text)]
    yield from shuffled(found, generator)


def _with_helper(text: str) -> Iterator[Candidate]:
    for match in _HELPER.finditer(text):
        before, verb = match["before"].lower().rstrip(","), match["verb"]
        if before in _NOT_BEFORE or match["next"].lower() in _NOT_NEXT:
            continue
        if not _INDIRECT.search(text[: match.start("verb")]):
            new = "cannot" if verb == "can" else f"{verb} not"
            yield Candidate((Replacement(*match.span("verb"), new),))
    for match in _THERE.finditer(text):
        yield Candidate((Replacement(match.start(), match.end() - 1, f"{match['verb']} no"),))


def _with_have(text: str) -> Iterator[Candidate]:
    for match in _HAVE.finditer(text):
        if is_participle(match["next"].lower()):
            yield Candidate((Replacement(match.start(), match.end(), f"{match['verb']} not"),))


def _with_do(text: str) -> Iterator[Candidate]:
    for match in _PLAIN.finditer(text):
        base = THIRD.get(match["verb"])
        if base and match["next"].lower() not in _NO_VERB_NEXT and match["before"].lower() not in _NO_SUBJECT:
            yield Candidate((Replacement(*match.span("verb"), f"does not {base}"),))


def _without_do(text: str) -> Iterator[Candidate]:
    for match in _DO_NOT.finditer(text):
        base = match["base"]
        if base in BASES or base in _ALSO_BASES:
            new = {"does": third_person(base), "do": base, "did": past_form(base)}[match["verb"]]
            yield Candidate((Replacement(match.start(), match.end(), new),))


def _without_no(text: str) -> Iterator[Candidate]:
    """Yield "had an effect" for "had no effect", "has symptoms" for "has no symptoms"."""
    for match in _NO.finditer(text):
        noun = match["noun"]
        if noun in _COUNTED:
            noun = f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
        elif noun not in _UNCOUNTED and (not noun.endswith("s") or noun.endswith("ss")):
            continue
        yield Candidate((Replacement(match.start(), match.end(), f"{match['verb']} {noun}"),))
