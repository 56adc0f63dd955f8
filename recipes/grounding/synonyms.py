r"""Ways to write the same: words and phrases that replace each other without a change of fact.

Takes nothing, gives rules. A line of the table is a pattern, "=>", and what may stand for it, options apart
by "|". Only what is safe almost everywhere: a synonym that is right nine times of ten is an error the tenth
time. ``#`` in a pattern stands for a number to come, ``@`` for a plural noun to come; ``\1`` is a group.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = r"(?= (?:[$€£]?\d|(?:two|three|four|five|six|seven|eight|nine|ten|half|a third)\b))"
_PLURAL = r"(?= (?:[a-z-]+ )?(?:[a-z]{2,}[a-hj-rtv-z]s|people|children|women|men)\b)"

_TABLE = r"""
approximately#  => about | around | roughly
(for|in|by|of|at|affects?|takes?|lasts?|than|is|are|was|were) about#  => \1 approximately | \1 around | \1 roughly
more than#  => over
(?<!ed )(?<!all )over(?= [$€£]?\d[\d,.]* (?:%|percent|people|million|billion|countries|patients))  => more than
fewer than#  => less than | under
at least#  => no less than | a minimum of
nearly(?= (?:\d|all|every|half))  => almost
almost(?= (?:\d|all|every|half))  => nearly
several@  => a number of
a (?:large|great) number of@  => many
a wide (?:range|variety) of@  => many different
numerous@  => many
(?<!how )(?<!as )(?<!so )(?<!too )(?<!very )many(?! of)@  => numerous
multiple@  => several | many
(?:each|every) year  => annually | per year
(?<=\d) percent\b  => %
(?<=\d)%(?= of )  =>  percent
(?<=\d) kg\b(?!/)  =>  kilograms
(?<=\d) mg\b(?!/)  =>  milligrams
(?<=\d) km\b(?!/)  =>  kilometers
(?<=\d) cm\b(?!/)  =>  centimeters
(?<=\d) kilograms\b  =>  kg
(?<=\d) milligrams\b  =>  mg
(?<=\d) kilometers\b  =>  km
(?<=\d) h\b  =>  hours
(?<=\d) min\b  =>  minutes
in order to  => to
in an effort to  => to try to
attempts to  => tries to
attempted to  => tried to
prior to  => before
subsequent to  => after
due to  => because of | as a result of
because of  => due to | as a result of
as a result of  => because of | due to
by means of  => by | through
with (?:respect|regard) to  => regarding | concerning
regarding(?= the)  => about | concerning
in the event that  => if
as long as  => provided that
whether or not  => whether
(?<=[a-z`] )because(?! of)  => since | as
(?<=[a-z`] )even though  => although
(?<=[a-z`] )although  => though | even though
whereas  => while
therefore  => thus
for example  => for instance
for instance  => for example
in addition to  => besides | along with
such as  => like
(?:is|are) able to  => can
(?:was|were) able to  => could
(?:is|are) unable to  => cannot
(?:has|have) the ability to  => can
needs to  => has to | must
is required to  => must | has to
are required to  => must | have to
has to  => must | needs to
have to  => must | need to
may be  => might be | could be
might be  => may be | could be
may(?= (?:cause|lead|occur|include|require|affect|help|need|develop|result|also)\b)  => might | could
utilizes  => uses
utilized  => used
(?<=to )utilize  => use
begins  => starts
began  => started
occurs  => happens | takes place
occurred  => happened | took place
(?:results in|leads to)  => leads to | results in | brings about
(?:resulted in|led to)  => led to | resulted in | brought about
(can|may|might|could|will) (?:result in|lead to)  => \1 result in | \1 lead to | \1 bring about
is caused by  => results from | is due to
are caused by  => result from | are due to
was caused by  => resulted from | was due to
(that|which) causes(?! of)  => \1 leads to | \1 results in
demonstrates that  => shows that
demonstrate that  => show that
demonstrated that  => showed that
indicates that  => shows that
indicate that  => show that
indicated that  => showed that
showed that  => demonstrated that | found that
show that  => demonstrate that
(was|were) (?:conducted|performed)  => \1 carried out
(was|were) carried out  => \1 conducted | \1 performed
investigated  => examined | studied
examined(?= (?:the|whether|how|a)\b)  => investigated | studied
assessed  => evaluated
evaluated  => assessed
assess  => evaluate
evaluate  => assess
(?:allows|enables) you to  => lets you
(?:allow|enable) you to  => let you
lets you  => allows you to
provides(?! that)  => offers
requires(?! that)  => needs
consists of  => is made up of | is composed of
consist of  => are made up of | are composed of
is (?:made up|composed) of  => consists of
are (?:made up|composed) of  => consist of
is located in  => lies in | is found in
are located in  => lie in | are found in
also known as  => also called
also called  => also known as
(is|are) referred to as  => \1 called | \1 known as
(is|are) called  => \1 known as
(?<=[a-z] )usually  => generally | typically
(?<=[a-z] )typically  => usually | generally
(?<!how )(?<!more )(?<!as )(?<!most )(?<=[a-z] )often  => frequently
(?<!more )(?<!as )(?<!most )(?<!less )(?<=[a-z] )frequently  => often
rarely  => seldom
(?<=[a-z] )sometimes  => occasionally | at times
occasionally  => sometimes
mainly  => mostly | primarily
primarily  => mainly | mostly
(is|are) currently  => \1 now | \1 presently
quickly  => rapidly
rapidly  => quickly
entirely  => completely | wholly
extremely  => very
entire  => whole
additional(?= [a-z]+)  => further
crucial  => vital | critical
(critical|essential|crucial|vital|necessary) for  => crucial for | vital for | essential for
beneficial  => helpful
physicians  => doctors
physician  => doctor
doctors  => physicians
doctor(?!['’])  => physician
medications  => medicines
medicines  => medications
medication  => medicine
individuals  => people
(?<!a )persons  => people
people (with|who)  => individuals \1
infants  => babies
babies  => infants
the United States(?! of)(?! [A-Z])  => the US
the U\.S\.(?! [A-Z0-9])  => the United States
(?:throughout|across|around|all over) the world  => worldwide | globally
worldwide(?=[.,])  => around the world | globally
at this time  => at present
at the same time  => simultaneously
over time  => with time
should(?= be)  => ought to
do not  => don't
does not  => doesn't
did not  => didn't
is not  => isn't
are not  => aren't
was not  => wasn't
were not  => weren't
cannot  => can't
will not  => won't
has not  => hasn't
have not  => haven't
should not  => shouldn't
don['’]t  => do not
doesn['’]t  => does not
didn['’]t  => did not
isn['’]t  => is not
aren['’]t  => are not
can['’]t  => cannot
won['’]t  => will not
in spite of  => despite
despite  => in spite of
ensures that  => makes sure that
ensure that  => make sure that
removed from  => taken out of
located in  => situated in
said(?= (?:that|the|it|he|she|they)\b)  => stated
purchased  => bought
obtained from  => taken from
is made up of  => consists of
is similar to  => resembles
are similar to  => resemble
a small number of@  => a few
about half  => roughly half | around half
specified(?= (?:in|by|with))  => given
immediately  => at once | right away
subsequently  => later | afterwards
"""  # noqa: E501  one rule a line


@dataclass(frozen=True, slots=True)
class Synonym:
    """What is found, and what may be written instead."""

    pattern: re.Pattern[str]
    options: tuple[str, ...]


def _rule(line: str) -> Synonym:
    pattern, _, options = line.partition("  => ")
    # a blank that begins a pattern or an option belongs to it
    pattern = pattern.replace("#", _NUMBER).replace("@", _PLURAL)
    edge = "" if pattern.startswith(("(?<=\\d)", "(?<=[a-z")) else r"\b"
    close = r"\b" if pattern[-1:].isalpha() else ""
    return Synonym(re.compile(edge + pattern + close, re.IGNORECASE), tuple(options.split(" | ")))


SYNONYMS = tuple(_rule(line) for line in _TABLE.strip("\n").split("\n"))
