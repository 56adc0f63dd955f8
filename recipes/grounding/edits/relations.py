"""Another relation between the same things: caused by → unrelated to, because → although, during → after.

Takes a sentence, gives candidates from a short table.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hybrid.grounding.examples import Label
from recipes.grounding.edits.rules import by_rules, read_rules
from recipes.grounding.edits.surroundings import Surroundings
from recipes.grounding.edits.values import Candidate, shuffled

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
