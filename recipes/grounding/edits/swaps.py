"""Words for others: opposites, a "not" put in or taken out, quantifiers and modals, relations.

Candidates come from tables of phrases and what replaces them (``read_rules``). What the sentence still
implies is no edit ("some" becomes "all", never the other way round), and where nobody knows what the opposite
would mean ("may not", "not only", both of a pair in one sentence) it is left alone.

A line of a table is ``phrase => option | option``, then notes apart by ";": ``prev:`` and ``next:`` list
words that must not stand right before or behind it, ``from:`` and ``then:`` are patterns of what must.
Phrases are patterns too; ``#`` stands for a number, ``@`` for a plural noun. Where a phrase begins the
sentence only the first option is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from hybrid.grounding.examples import Label
from hybrid.text.words import word_set
from recipes.grounding.edits.english import (
    BASES,
    THIRD,
    cased_like,
    is_participle,
    past_form,
    third_person,
)
from recipes.grounding.edits.tables import ANTONYMS, DIRECTIONS, Opposite
from recipes.grounding.edits.values import Candidate, Replacement, Surroundings, shuffled

_NUMBER = r"(?:[$€£]?\d|two|three|four|five|six|seven|eight|nine|ten|half|a third|a quarter)"
_PLURAL = r"(?:people|children|women|men|individuals|patients|cases|[a-z]{2,}[a-hj-rtv-z]s)\b"
_LAST_WORD = re.compile(r"[\w'’]+(?=\W*$)")
_NEXT_WORD = re.compile(r"\W*([\w'’]+)")
_ENDS = re.compile(r"[.!?;:,]\W*$")


@dataclass(frozen=True, slots=True)
class Rule:
    """A phrase, what may stand for it, and where it may not."""

    phrase: re.Pattern[str]
    options: tuple[str, ...]
    label: Label
    prev: frozenset[str]
    next: frozenset[str]
    behind: re.Pattern[str] | None
    ahead: re.Pattern[str] | None

    def matches(self, text: str) -> Iterator[re.Match[str]]:
        """Yield where the phrase stands and may be replaced."""
        for match in self.phrase.finditer(text):
            before, after = text[: match.start()], text[match.end() :]
            last, following = _LAST_WORD.search(before), _NEXT_WORD.match(after)
            if last and last.group().lower() in self.prev and not _ENDS.search(before):
                continue
            if following and following[1].lower() in self.next:
                continue
            if (self.behind and not self.behind.search(before)) or (
                self.ahead and not self.ahead.match(after)
            ):
                continue
            yield match


def read_rules(lines: str, label: Label) -> tuple[Rule, ...]:
    """Return the rules of a table."""
    return tuple(_rule(line.strip(), label) for line in lines.strip().split("\n"))


def _rule(line: str, label: Label) -> Rule:
    head, *notes = line.replace("#", _NUMBER).replace("@", _PLURAL).split("; ")
    phrase, _, options = head.partition(" => ")
    noted = {name: value for name, _, value in (note.partition(": ") for note in notes)}
    return Rule(
        phrase=re.compile(rf"\b(?:{phrase.strip()})(?!\w)", re.IGNORECASE),
        options=tuple(options.strip().split(" | ")),
        label=label,
        prev=frozenset(noted.get("prev", "").split()),
        next=frozenset(noted.get("next", "").split()),
        behind=re.compile(rf"(?:{noted['from']})\s*$", re.IGNORECASE) if "from" in noted else None,
        ahead=re.compile(rf"\s*(?:{noted['then']})", re.IGNORECASE) if "then" in noted else None,
    )


def by_rules(rules: Iterable[Rule], text: str, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield a candidate for every place where a rule of a table applies."""
    for rule in rules:
        for match in rule.matches(text):
            chosen = int(generator.integers(len(rule.options))) if match.start() else 0
            new = cased_like(rule.options[chosen], match.group())
            yield Candidate((Replacement(match.start(), match.end(), new),), rule.label)


_WORD = re.compile(r"(?<![\w`'’.-])[A-Za-z]+(?:-[a-z]+)?(?![\w`'’]|-\w|\.\w)")
_NEGATED = re.compile(
    r"(?:\b(?:not|no|never|without|neither|nor|less|least|cannot|hardly|rarely|whether|or|either|both)|n['’]t)"
    r"\b(?:\W+\w+){0,2}\W*$",
    re.IGNORECASE,
)
_MORE = re.compile(r"\b(?P<word>more|most)\b(?= (?P<next>[a-z-]+) ?(?P<rest>[a-z-]*))")
_ADJECTIVE = re.compile(
    r"(?:common|likely|severe|difficult|[a-z]{2,}(?:ly|ive|ous|ful|able|ible|ent|ant|al|ic))$"
)
_NO_ADJECTIVE = word_set(
    "often people children women men than patients treatment hospital animal individual person"
)
_VERB_AFTER = word_set("is as was")
_NO_LESS = re.compile(r"\b(?:or|even|much|the) $")
_WEIGHT = re.compile(r"\bweight (?P<word>gain|loss)\b")


def antonyms(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates that put a word's opposite in its place."""
    yield from shuffled(_swapped(text, ANTONYMS), generator)


def directions(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates that turn a direction or a comparison round."""
    yield from shuffled([*_swapped(text, DIRECTIONS), *_compared(text)], generator)


def _swapped(text: str, table: Mapping[str, Opposite]) -> Iterator[Candidate]:
    words = list(_WORD.finditer(text))
    there = {word.group().lower() for word in words}
    neighbours = ["", *(word.group().lower() for word in words), ""]
    for place, word in enumerate(words):
        written = word.group()
        opposite = table.get(written.lower())
        # a capital in the middle is part of a name, and "First," in front counts sentences
        if opposite is None or opposite.word in there or (place and written[0].isupper()):
            continue
        listed = not place and text[word.end() : word.end() + 1] == ","
        blocked = neighbours[place] in opposite.not_after or neighbours[place + 2] in opposite.not_before
        if not (listed or blocked or _NEGATED.search(text[: word.start()])):
            yield Candidate((Replacement(*word.span(), cased_like(opposite.word, written)),))


def _compared(text: str) -> Iterator[Candidate]:
    for match in _MORE.finditer(text):
        before, more = text[: match.start()], match["word"] == "more"
        # "more general practitioners" counts people, "more active than" compares
        counted = match["rest"].endswith("s") and match["rest"] not in _VERB_AFTER
        if match["next"] in _NO_ADJECTIVE or not _ADJECTIVE.match(match["next"]) or _NEGATED.search(before):
            continue
        if not (more and (counted or _NO_LESS.search(before))):
            yield Candidate((Replacement(*match.span("word"), "less" if more else "least"),))
    for match in _WEIGHT.finditer(text):
        new = "loss" if match["word"] == "gain" else "gain"
        if f"weight {new}" not in text:
            yield Candidate((Replacement(*match.span("word"), new),))


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


# What the document speaks against.
_DENIED = read_rules(
    r"""
    must => need not; next: not; then: (?!have been|be (?:a|an|the)\b)[a-z]
    (?:often|usually|frequently|commonly|typically|generally|regularly) => rarely | never; prev: as more most very less how so too can; next: do does did not don't doesn't don’t doesn’t if but than called known referred; then: (?!used (?:as|name)|\w+ing\b|(?:is|are|was|were|will|has|have) not|,)
    always => rarely | never; prev: not nearly almost; then: (?!\w+ing\b|,)
    (?:rarely|seldom) => usually | often; prev: very only; then: (?!,)
    some of => none of; then: (?:the|these|those|its|their|them)\b(?!.*\bnot\b)
    (?:many|most) of => none of | few of; then: (?:the|these|those|its|their|them)\b(?!.*\bnot\b)
    many => few | only a few; prev: how as so too very great good the; then: (?!times|ways|tens|hundreds|thousands)@
    most => few | only a few; prev: the at its their of; then: (?!others|of|times|always|commonly)@
    all => only some; prev: not nearly almost for above after of and they we are at; then: (?!times|others|means)@
    all of => only some of | none of; prev: not nearly almost; then: (?:the|these|those|its|their)\b
    few => many | most; prev: a the very last next first past; then: (?!years|days|weeks|months|hours|minutes|seconds)@
    the (?:vast )?majority => a minority; then: of\b
    (?:nearly|almost) all => hardly any
    (?:entirely|completely|fully) => only partly; prev: not nearly; then: [a-z]
    at least => at most; then: #
    at most => at least; then: #
    (?:more|greater|higher|longer) than => less than; prev: no not or; then: #
    older than => younger than; prev: no not or; then: #
    (?:less|lower) than => more than; prev: no not or; then: #
    fewer than => more than; prev: no not or; then: #
    over => under; prev: all; from: \b(?:for|with|of|at|is|are|was|were|to|than|has|have|had|by|in); then: [$€£]?\d[\d,.]* (?:%|percent|people|million|billion|countries|patients)
    """,  # noqa: E501  one rule a line
    Label.REFUTED,
)
# What it does not say, though it says something weaker.
_STRENGTHENED = read_rules(
    r"""
    may => will | will always; then: (?:be|cause|lead|occur|help|need|include|require|affect|result|increase|reduce|develop|also|take|contain|use|make|improve)\b(?! also be | be (?:due|because))
    might => will | will always; then: (?:be|cause|lead|occur|help|need|include|require|affect|result|increase|reduce|develop|take|contain|make|improve)\b
    can => must; then: be (?:used|set|done|given|specified|applied|passed|treated|configured|added|changed|performed|taken)\b
    suggest => prove; then: that\b
    suggests => proves; then: that\b
    suggested => proved; then: that (?!we|you|they|he|she)
    (?:believed|thought|suspected) => known | proven; from: \b(?:is|are|was|were); then: to\b
    (?:appears|seems) => is known; then: to\b
    (?:appear|seem) => are known; then: to\b
    (?:probably|possibly|presumably|potentially) => certainly; next: more
    (?:sometimes|occasionally) => always; then: (?!,|called|known|referred|be\b|even|also)
    some => all; prev: in and; then: @
    a few => most; then: (?!years|days|weeks|months|hours|minutes|seconds|times|steps|things)@
    (?:partly|partially) => fully; then: [a-z]
    up to => more than; then: #(?! of )
    """,  # noqa: E501  one rule a line
    Label.NEUTRAL,
)
_BOTH = re.compile(
    r"\b(?P<first>both) [\w-]+(?: [\w-]+)? (?P<joint>and) [\w-]+"
    r"|\b(?P<one>either) [\w-]+(?: [\w-]+)? (?P<or>or) [\w-]+",
    re.IGNORECASE,
)


def degrees(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates for quantifiers, frequencies, modals and bounds."""
    yield from shuffled(
        [*by_rules(_DENIED, text, generator), *by_rules(_STRENGTHENED, text, generator), *_neither(text)],
        generator,
    )


def _neither(text: str) -> Iterator[Candidate]:
    """Yield "neither … nor" for "both … and" and "either … or"."""
    for match in _BOTH.finditer(text):
        first, joint = ("first", "joint") if match["first"] else ("one", "or")
        neither = cased_like("neither", match[first])
        yield Candidate((Replacement(*match.span(first), neither), Replacement(*match.span(joint), "nor")))


_TURNED = read_rules(
    r"""
    caused by => unrelated to; from: \b(?:is|are|was|were); next: the
    caused by => cured by; from: \bcan be
    (?:associated with|linked to|related to|correlated with) => unrelated to | independent of; from: \b(?:is|are|was|were)(?: strongly| closely| significantly)?; then: (?!the following)
    causes => prevents; prev: the other common possible of and many some these; next: for of and are include can may; then: (?!(?:[\w-]+ ){1,3}to\b)[a-z]
    cause => prevent; from: \b(?:that|can); next: of for and; then: (?!(?:[\w-]+ ){1,3}to\b)[a-z]
    caused => prevented; prev: is are was were be been being; then: (?!(?:[\w-]+ ){1,4}to\b)(?:the|a|an|severe|[a-z]+s)\b
    leads to => prevents
    results in => prevents; prev: of the these those our search diverse relevant better best more test study good
    (?:lead to|result in) => prevent; from: \bcan
    (?:led to|resulted in) => prevented
    (?:due to|because of|owing to) => despite | regardless of; prev: is are was were be probably partly part also only merely or and; from: [\w,)–-]
    due to => unrelated to; from: \b(?:is|are|was|were|be)
    because => although; prev: is just simply only also part and or; next: of
    as well as => but not; then: (?!\w+ing\b)
    in addition to => instead of
    during => after | before; from: [a-z]; then: (?!the (?:course|process))
    prior to => after
    unless => only if; from: [a-z],?
    if => unless; prev: as even only is or whether available; next: not any possible necessary needed so it appropriate; from: ^(?!.*\b(?:ask|see|find|determine|know|check|tell|decide|learn|wonder|verify|unclear|unknown)\w*\b[^,;.]{0,40}$).*[a-z`],?; then: (?!you (?:have|are) (?:any|questions))
    despite => because of; from: [a-z],?
    within => after more than; then: #[\w, -]{0,12} (?:seconds?|minutes?|hours?|days?|weeks?|months?|years?)\b
    (?:inside|within) => outside; from: [a-z]; then: the (?!context|scope|range|same|next|first|last)[a-z]
    similar to => unlike | different from
    (?:based on|derived from) => unrelated to | independent of; from: \b(?:is|are|was|were)
    depends on => is independent of; then: (?!your|how|which|what|whether|where|who|several|many|the (?:\w+ ){0,3}(?:type|severity|cause|stage|factors))
    (?:such as|including) => other than | except; prev: also even and not by or while but; from: [\w`,)]
    responsible for => not involved in; then: [a-z]
    (?:next to|close to|near) => far from; then: the [a-z]
    (?:instead of|rather than) => as well as; from: [a-z`]; then: (?!\w+ing\b)
    followed by => preceded by; from: [a-z],?
    preceded by => followed by
    contributes to => protects against
    contribute to => protect against; from: [a-z]s
    protects against => contributes to
    """,  # noqa: E501  one rule a line
    Label.REFUTED,
)
_UNSAID = read_rules(
    r"""
    to treat => to diagnose; from: \bused
    to diagnose => to treat; from: \bused
    """,
    Label.NEUTRAL,
)


def relations(text: str, around: Surroundings, generator: np.random.Generator) -> Iterator[Candidate]:
    """Yield candidates for the relations that the sentence states."""
    yield from shuffled([*by_rules(_TURNED, text, generator), *by_rules(_UNSAID, text, generator)], generator)
