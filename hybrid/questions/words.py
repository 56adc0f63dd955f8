"""Lists of English words that decide whether a sentence can be asked about.

Takes nothing, gives sets. They are short and plain on purpose: a sentence that is passed over costs
nothing, there are others.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What a sentence begins with when it speaks of something said before.
LEANING = _words(
    """
    accordingly additionally again also and another both but consequently each either examples finally
    first former furthermore he hence her here his however i instead it its latter likewise meanwhile
    moreover neither next note one or others otherwise our second see she similarly so such that their
    them then there therefore these they third this those thus we what which yet you your
    """
)

# What no sentence begins with in small letters.
FUNCTION_WORDS = _words(
    """
    a after all an are as at be before by can for from has if in into is must not of on only or should
    than the then to under until was were when where while will with without
    """
)

# Headings that say what kind of text follows, not what it is about.
GENERIC = _words(
    """
    abstract arguments background configuration contents description details diagnostics environment
    example examples exit files general installation introduction limitations name note notes options
    output overview parameters preface prerequisites purpose rationale remarks return returns see
    settings setup summary synopsis syntax usage values warning
    """
)

# What adds nothing to a heading.
EMPTY = _words(
    """
    about all and are can does for from get how its more not other own the this use using via what when
    where which who why with works you your
    """
)

# What a description begins with that says what something does.
BASE_VERBS = _words(
    """
    accept add adjust allow analyze append apply assign attempt avoid block build calculate call change
    check choose clean clear close collect combine compare compress compute configure connect contain
    control convert copy count create declare decode define delete deny describe determine disable
    discard display drop dump echo edit embed enable encode ensure evaluate exclude execute exit expand
    export extract fetch filter find fix force format generate get give group handle hide hold identify
    ignore include indicate initialize insert inspect install join keep let limit list load locate log
    look maintain make manage map mark match measure merge modify monitor move name offer omit open
    output override parse pass perform pick pin prefix prepare prevent print process produce prompt
    provide prune pull push put query rank read rebuild receive record recover recreate refer reindex
    reject reload remove rename render replace report represent request require reset resolve restart
    restore restrict retrieve return revert rewrite route run save scan search select send separate
    serve set share shorten show sign skip sort specify split start stop store stream suppress switch
    take tell terminate test trace track transform translate truncate turn undo unset update upgrade
    upload validate verify view wait walk warn watch wrap write
    """
)

# What is no name of anything, or only together with the sentence before.
NOT_A_TERM = _words(
    """
    advantage aim alternative answer approach argument benefit case command comment consequence default
    description difference disadvantage downside drawback effect example exception file function goal
    idea intent intention issue it key line list main method name note nothing number object one option
    order output parameter part point problem process purpose query reason result rule same setting
    solution step system table that there thing this time tool type use user value way what where which
    who
    """
)

# What is in no name.
NOT_IN_A_TERM = _words(
    """
    about after all and any as at because before but by can could do does each every following for from
    had has have how if in into it its may more most must no not of on only or other our out over same
    shall should so some such than that the their them then there these they this those through to under
    until up was were what when where which while who will with within without would you your
    """
)

# What stands behind "the default is" and is no value.
NO_VALUE = _words(
    """
    a also always an determined empty no none not platform same system taken that the to used usually
    """
)
