"""How much, how often, how sure: quantifiers, frequencies and modals.

Takes a sentence, gives candidates. Only changes that the sentence does not imply: "some" becomes "all", "may"
becomes "will", and never the other way round, for what is true of all is true of some.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from hybrid.grounding.examples import Label
from recipes.grounding.edits.english import cased_like
from recipes.grounding.edits.rules import by_rules, read_rules
from recipes.grounding.edits.surroundings import Surroundings
from recipes.grounding.edits.values import Candidate, Replacement, shuffled

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
