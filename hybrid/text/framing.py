"""How a sentence puts what it says: denied, asked, supposed, reported or past (veridicality)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import islice

from hybrid.types import Span


class Stance(StrEnum):
    """What a sentence does with what it says, instead of asserting it; ``affirmed`` asserts it at length."""

    AFFIRMED = "affirmed"
    DENIED = "denied"
    ASKED = "only asked"
    SUPPOSED = "only supposed"
    CONDITIONAL = "only on a condition"
    REPORTED = "only reported"
    PAST = "no longer so"


@dataclass(frozen=True, slots=True)
class Frame:
    """The words that put something so, and the stretch of the sentence that they are about.

    ``whose`` is what alone it is said of, where the sentence says another thing of another one.
    """

    stance: Stance
    marker: Span
    scope: Span
    whose: Span | None = None


_FALSE = (
    "(?:falsehood|false|untrue|incorrect|wrong|inaccurate|lie|myth|misconception|fallacy|hoax|fabrication"
    "|fiction|nonsense|mistaken?|error|rubbish|unfounded|baseless|bogus|fake|unlikely|improbable|doubtful"
    "|impossible|implausible|refuted|disprove[dn]|debunked|unsupported|joke|satire|parody|absurd"
    "|ridiculous|preposterous)"
)
_FICTION = (
    "(?:falsehood|lie|myth|misconception|fallacy|hoax|fabrication|fiction|nonsense|rubbish|joke|satire)"
)
_TRUE = "(?:true|correct|accurate|right|the case|a fact|so)"
_WITHDRAWN = "(?:withdrawn|retracted|corrected|overturned|denied|discredited)"
_SURE = "(?:clear|certain|known|established|proven|proved|confirmed|sure|verified|settled|supported)"
_BE = (
    r"(?:(?:would|may|might|could)\s+be|(?:has|have|had)\s+(?:since\s+|now\s+|long\s+)?been|is|was|are|were"
    r"|be|been|['’]s|(?:is|was|are|were)n['’]t|remains|seems|appears|used\s+to\s+be"
    r"|(?:turn(?:s|ed)?\s+out|prove[ds]?)(?:\s+to\s+(?:be|have\s+been))?)"
)
_FILL = (
    r"(?:\s+(?:not|never|hardly|no|longer|once|simply|just|also|quite|yet|still|all|at|a|an|the|later|since"
    r"|more|common|popular|widespread|persistent|urban|old|complete|total|outright|far from|anything but"
    r"|\w+ly)){0,5}"
)
_CLAIMED = (
    "(?:claims?|ideas?|notions?|suggestions?|allegations?|assertions?|rumou?rs?|theor(?:y|ies)|views?"
    "|beliefs?|statements?|opinions?|assumptions?|hypothes[ie]s|myths?|misconceptions?|accusations?"
    "|speculations?|suspicions?|legends?|gossip|hearsay)"
)
_ANY = (
    r"(?:(?:the|a|an|any|all|this|these|such|some|popular|common|earlier|wrong|false)\s+){0,4}(?:\w+\s+)?"
    + _CLAIMED
)
_NOT = "(?:not|n['’]t)"
# a verb, and no "everything" or "during"
_DOING = r"(?=(?!\w*thing\b|during\b|evening|morning|king\b|string|spring\b|building)\w{2,}ing\b)"
_HELPS = rf"(?:(?:do|does|did|can|could|would|will|has|have|had)(?:\s+not|n['’]t)?|cannot|never|{_NOT})"
_SAY = "(?:say|claim|think|believe|assume|state|suggest|conclude|show|suppose|prove|doubt|support)"
_SAYS = (
    "(?:say|said|claim|mean|meant|impl(?:y|ie)|show|prove|proven|believe|think|thought|suggest|find|found"
    "|establish|demonstrate|guarantee|indicate|confirm|conclude|report|state|argue|assert|deny|denie|doubt"
    "|know|knew|assume|suppose|expect|infer|verify|verifie|accept|admit|agree)(?:s|d|n|ed|red)?"
)
# each is odd where it denies: "it is not false that" is even
_DENYING = (
    rf"\b(?:it|this|that)\s?{_BE}{_FILL}\s+(?:{_FALSE}|{_TRUE})\s+(?:that|to\s+{_SAY}(?:\s+that)?)\b",
    rf"\bit\s+(?:cannot|can\s*{_NOT}|could\s*{_NOT})\s+be\s+(?:denied|doubted|said|claimed|true)\s+that\b",
    rf"(?:\b(?:{_HELPS}|nobody|no\s+one)\s+(?:\w+ly\s+|seriously\s+)?)?\b(?:den(?:y|ies|ied)|refut(?:e|es"
    rf"|ed)|reject(?:s|ed)?|disput(?:e|es|ed)|disprov(?:e|es|ed)|debunk(?:s|ed)?|dismiss(?:es|ed)?|doubt(?:s"
    rf"|ed)?|contradict(?:s|ed)?|rul(?:e|es|ed)\s+out)\s+(?:(?:{_ANY}|(?:\w+\s+)?reports?)\s+)?that\b",
    r"\b(?:i|we)\s+(?:\w+ly\s+)?doubt\b",
    rf"\b(?:not\s+)?(?:wrong|incorrect|mistaken|inaccurate|false|misleading)\s+to\s+{_SAY}(?:\s+that)?\b",
    rf"\bden(?:y|ies|ied)\s+(?:ever\s+)?{_DOING}",
    rf"(?:\bthere\s+(?:is|was|were|are)\s+)?\b(?:no|little|insufficient|scant|not\s+any)\s+(?:\w+"
    rf"\s+)?(?:evidence|proof|indication|signs?|basis|reason|grounds|doubt|question|guarantee|truth"
    rf"|suggestion)\s+(?:that|(?:for|in|to)\s+{_ANY}\s+that|to\s+{_SAY}(?:\s+{_ANY})?(?:\s+that)?)\b",
    r"\b(?:nobody|nothing|no\s+one|none|neither|(?:no|hardly\s+any|(?<!\ba )few)\s+\w+)"
    rf"\s+(?:(?!that\b)\w+\s+){{0,6}}{_SAYS}\s+that\b",
    r"\b(?:nobody|no\s+one|hardly\s+anyone)\s+(?:\w+ly\s+)?(?:says?|said|claims?|thinks?|thought"
    r"|believe[sd]?)\b",
    rf"\b(?:{_HELPS}\s+)?{_NOT}\s+(?:\w+ly\s+)?{_SAYS}\s+that\b|\b(?:cannot|never)\s+{_SAYS}\s+that\b"
    rf"|\b\w+n['’]t\s+{_SAYS}\s+that\b|\b(?:i|we)\s+(?:do|did)(?:\s+not|n['’]t)\s+(?:think|believe)\b",
    r"\b(?:opposite|reverse)\s+of\b(?=.*\b(?:true|holds?|case|correct|right)\b)",
    r"\b(?:fail(?:s|ed)?|unable)\s+to\s+(?:show|prove|demonstrate|establish|confirm|verify|find)\s+(?:\w+"
    r"\s+){0,2}that\b",
    r"\b(?:stop(?:s|ped)?|ceas(?:e|es|ed)|quit|avoid(?:s|ed)?|refrain(?:s|ed)?\s+from|(?:instead|in\s+lieu)"
    r"\s+of|rather\s+than|as\s+opposed\s+to)\s+" + _DOING,
    r"\b(?:refus(?:e|es|ed)|fail(?:s|ed)?|declin(?:e|es|ed)|unlikely|not\s+likely)\s+to\b"
    r"(?!\s+\w+\s+that)",
    r"\A\W*(?:(?:common|popular|old|urban)\s+)?(?:myths?|misconception|fiction|untrue|hoax|false|wrong|lie"
    r"|fake\s+news|not\s+true)\s*+(?:(?:no\.?|#)?\s*+\d+)?\s*+[:–—-]\s+",
)
# whatever else is denied there
_FALSELY = "(?:falsely|wrongly|incorrectly|mistakenly|erroneously|misleadingly|inaccurately|baselessly)"
_REFUSING = (
    rf"\b{_FALSELY}\s+(?:\w+e?[sd]|claim|say|said|report|state|stating|claiming|believe|think|thought|held"
    r"|told\s+\w+)\b(?:\s+that\b)?",
    r"\A\W*(?:examples?\s+of\s+)?(?:an?\s+)?(?:wrong|bad|incorrect|false|poor|misleading)\s+(?:answer|example"
    r"|statement|claim|advice|practice)s?\s*[:–—-]",
    r"(?:\A\W*|,\s*)(?:please\s+)?(?:do\s+not|don['’]t|never)\s+(?:write|say|claim|state|answer"
    r"|assert)\b(?:\s+that"
    r"\b)?",
    r"\b(?:lie[sd]?|joke[sd]?|fantasi[sz]e[sd]?)\s+that\b",
    rf"\A\W*(?:please\s+)?(?:beware|ignore|disregard|forget|reject|(?:do\s+not|don['’]t|never)\s+(?:fall"
    rf"\s+for|believe|trust|buy|listen\s+to|repeat))\b[^,;:]{{0,60}}?\b(?:{_SAYS}|(?:claim|say|stat)ing"
    rf"|{_CLAIMED}|story|stories|lies?)"
    r"\s+that\b",
    rf"\A\W*(?:all\s+of\s+)?the\s+following\s+(?:\w+\s+)?{_BE}{_FILL}\s+{_FALSE}\s*[:–—-]",
    rf"\A\W*none\s+of\s+the\s+following\s+(?:\w+\s+)?{_BE}{_FILL}\s+{_TRUE}\s*[:–—-]",
    rf"\bit\s+(?:(?:has|have|had|could|can|was|is)\s*{_NOT}|cannot|(?:has|had|was|is|could)\s+never)\s+(?:yet"
    rf"\s+|be\s+|been\s+|\w+ly\s+){{0,3}}(?:{_SURE}|shown|demonstrated|found|reported)\s+that\b",
    rf"\bit\s?{_BE}\s+an?\s+(?:stretch|exaggeration|oversimplification)\s+to\s+{_SAY}(?:\s+that)?\b",
    rf"\A\W*(?:nowhere|never|no\s+longer|in\s+no\s+(?:case|sense)|by\s+no\s+stretch(?:\s+of\s+\S+"
    rf"(?:\s+imagination)?)?)\b[^,;:]{{0,60}}?\b(?:{_SAYS}|admits?|{_TRUE}|proof|evidence)\s+that\b",
    rf"\bit\s?(?:{_BE}\s*{_NOT}|{_BE})\s*,[^,]*\bnever\b[^,]*,\s*(?:{_TRUE})\s+that\b",
    r"\b(?:opposite|reverse)\s+of\s+the\s+truth\b(?:\s+that\b)?",
    r"\A\W*[❌✗✘🚫]\W*",
    rf"\bit\s?{_BE}{_FILL}\s+(?:forbidden|prohibited|banned|illegal)\s+that\b",
    rf"\b(?:prevent|keep|stop|ban|forbid|prohibit)(?:s|ing|p?ed)?\b[^,;:]{{1,60}}?\bfrom\s+{_DOING}",
)
# about all of the sentence
_DENYING_ALL = (
    r"\b(?:by\s+no\s+means|in\s+no\s+(?:case|event)|under\s+no\s+circumstances?|in\s+no\s+way"
    r"|at\s+no\s+(?:time|point)|on\s+no"
    r"\s+account|anything\s+but|far\s+from)\b|\bsaid\s+no\s?one\s+ever\b|\bjust\s+kidding\b"
)
_ENDS = r"(?=\W*\Z|\s*[,;])"
_DENYING_BEFORE = (
    rf"(?:[,;:(–—-]\s*(?:which|(?:but\s+|and\s+|though\s+|yet\s+)?(?:this|that|it))\s?{_BE}(?:\s+(?:shown"
    rf"|proven|proved|known|found|said)(?:\s+to\s+be)?)?{_FILL}\s+(?:{_FALSE}|{_TRUE}){_ENDS}"
    rf"|[,;]\s*(?:but|yet"
    rf"|though|although|however|of\s+course|actually|in\s+fact)\s+(?:in\s+\w+\s+)?(?:it|they|he|she|this"
    rf"|that)\s+(?:(?:rarely|never"
    rf"|hardly)(?:\s+\w+)?|(?:does|do|did|is|was|are|were|has|have|had|can|could|will)(?:\s+not"
    rf"|n['’]t))\W*\Z|[,;]\s*(?:but|yet|though|although|however)\b[^,;]*\b(?:instead\s+of|otherwise"
    rf"|(?:prevent|contradict|disprov|refut|den[iy])(?:e?s|e?d)?\s+(?:it|this|that))\W*\Z|[\"”]\s+{_BE}"
    rf"\s+(?:[\w-]+\s+){{0,6}}(?:myth|misconception|fallac[iy]|hoax|lie|falsehood)(?:e?s)?\b[^,;]*\Z|"
    rf"\s{_BE}{_FILL}\s+(?:{_FICTION}|true|the case)\W*\Z|(?P<of_that>\s(?:{_BE}{_FILL}\s+(?:{_FALSE}"
    rf"|{_TRUE}|{_WITHDRAWN})|ha(?:s|ve)\s+(?:never|not|yet\s+to)\s+(?:\w+\s+)?be(?:en)?\s+(?:{_SURE}|shown"
    rf"|demonstrated))\W*\Z)|(?:(?<!\bor)\snot|(?<=\w)n['’]t)\W*\Z|\s[(–—-]+\s*(?:an?\s+)?(?:no\s+longer(?:\s+\w+)?"
    rf"|false|not\s+true|untrue|wrong|incorrect|myth|lie|hoax"
    rf"|nonsense|not)\W*\Z|:\s*(?:an?\s+)?(?:no|none|never|false|not\s+true|untrue|wrong|incorrect|myth"
    r"|lie|hoax|nonsense)\W*\Z)"
)
# ", a claim we reject", ": this rumour was rated false", " was a claim we could not verify"
_REFUSED_BEFORE = (
    rf"[,\"”][^\w,\"”]*+(?:\w+\s+){{1,4}}{_FALSELY}\s+\w+\W*\Z"
    r"|\s(?:is|are)\s+what\b[^,;:]{0,80}(?:\b(?:not|never)"
    rf"|n['’]t)\b"
    rf"[^,;:]{{0,80}}\Z|(?:[,;:(–—-]\s*(?:an?|this|that|the|one)"
    rf"|(?<!\bit)(?<!\bthis)(?<!\bthat)\s{_BE}\s+an?)\s+(?:\w+\s+)?"
    rf"(?:{_CLAIMED}|sentence|story|report)\s+(?:(?:that|which|we|i|they|he|she|ha[sd]|have|was|were|is"
    rf"|are|been|be"
    r"|to|could|can|would|since|long|rated|judged|called|found|shown|prove[dn]|known|an?|\w+ly)\s+)*"
    rf"(?:{_FALSE}|reject(?:s|ed)?|den(?:y|ies|ied)|refutes?|disputed?|never|no\s?one|nobody|not|cannot"
    rf"|\w+n['’]t)"
    r"(?:\s+\w+){0,5}\W*\Z"
)
_NEGATIVE = re.compile(
    rf"\b(?:{_FALSE}|few|neither|kidding|not|never|hardly|no|once|used to|nobody|none|cannot|little|scant"
    r"|insufficient|unable"
    rf"|fail\w*|quit|den(?:y|ies|ied)|refut\w+|reject\w*|disput\w+|disprov\w+|debunk\w*|dismiss\w*|doubt\w*"
    rf"|contradict\w*|ruled?s?\s+out|otherwise|prevent\w*|nothing|rarely|withdrawn|retracted|corrected"
    rf"|overturned|discredited|stop\w*|ceas\w+|avoid\w*|refrain\w*|instead|lieu|rather|opposed|refus\w+"
    rf"|declin\w+|opposite|reverse|contrary|other way|anything but|far from|myths?)\b|n['’]t\b",
    re.IGNORECASE,
)
# whose word alone is no evidence
_NOBODY = (
    r"(?:users?|customers?|critics?|visitors?|comment(?:s|ers?|ators?)|bloggers?|posters?|people|reviewers?"
    r"|opponents?|s[kc]eptics?|detractors?|competitors?|rivals?|forums?|posts?|tweets?|rumou?rs?|gossip"
    r"|fans?|politicians?|villagers?|locals?|websites?|supporters?|activists?|theorists?|attackers?|somebody"
    r"|someone|neighbou?rs?|tabloids?|anonymous\s+\w+|legends?|hearsay|some|many|others|trolls?|strangers?"
    r"|influencers?|conspiracy\s+\w+|guests?|colleagues?|friends?)"
)
_WHO = (
    r"(?:(?:an?|one|some|several|many|few|most|other|the|certain|our|its|unnamed|online)\s+){0,4}(?:\w+\s+)?"
    + _NOBODY
)
_UTTERS = (
    "(?:say|says|said|claim|claims|claimed|report|reports|reported|write|writes|wrote|state|states|stated"
    "|alleges?|alleged|believes?|believed|thinks?|thought|suggests?|suggested|argues?|argued|insists?"
    "|insisted|complains?|complained|posted|tweeted|mentions?|mentioned|asserts?|asserted|whisper(?:s|ed)?"
    "|assume[sd]?|speculates?|speculated|told\\s+\\w+|has\\s+it|have\\s+it|suspects?|suspected|feels?"
    "|guess(?:es|ed)?)"
)
_HELD = (
    "(?:rumou?red|alleged|claimed|said|believed|thought|speculated|suspected|assumed|supposed|purported"
    "|reputed|hypothesi[sz]ed|feared|hoped|whispered)"
)
_REPORTING = (
    rf"\b{_WHO}\s+(?:(?:of|from|in|on)\s+(?:\w+\s+){{1,3}}?)?"
    rf"(?:(?:have|has|had|once|often|sometimes|\w+ly)\s+)*{_UTTERS}\b(?:\s+that\b)?",
    rf"\bit\s?(?:is|was|['’]s|has\s+been|had\s+been)\s+(?:(?:\w+ly|often|still|sometimes)\s+)?{_HELD}"
    rf"(?:\s+by\s+\w+(?:\s+\w+)?)?\s+that\b",
    r"(?<!\bas )\b(?:you|one|some|readers|many)\s+(?:may|might|could|would)\s+(?:have\s+)?(?:\w+ly\s+)?"
    r"(?:heard|read|think|thought|believed?|assumed?|supposed?|guess(?:ed)?|be\s+(?:forgiven"
    r"|excused)\s+for\s+\w+ing)\b(?:\s+that\b)?",
    rf"\b(?:previously|originally|earlier|initially)\s+{_UTTERS}\s+that\b",
    rf"\b(?:earlier|old|older|previous|prior|outdated|former)\s+(?:versions?|drafts?|editions?|documentation"
    rf"|manuals?|articles?|releases?|reports?)\b[^,;:]{{0,60}}?\b{_UTTERS}\s+that\b",
    r"\b(?:alleg(?:e|es|ed)|claim(?:s|ed)?|rumou?red|speculat(?:e|es|ed)|suspect(?:s|ed)?|pretend(?:s|ed)?"
    r"|boast(?:s|ed)?|demand(?:s|ed)?|promis(?:e|es|ed)|hop(?:e|es|ed)|fear(?:s|ed)?|guess(?:es|ed)?"
    r"|imagin(?:es|ed)|gossip(?:s|ed)?|insinuat(?:e|es|ed)|dream(?:s|t|ed)?)\s+that\b",
    r"\b(?:those\s+who|people\s+who|(?:any|every)(?:one|body)\s+who|whoever)\s+(?:\w+\s+)?(?:says?|claims?"
    r"|thinks?"
    r"|believes?|asserts?)\b(?:\s+that\b)?|\b(?:any|every|some)(?:one|body)\s+(?:claim|say|think|believ"
    r"|assert)ing\b"
    r"(?:\s+that\b)?",
    r"\A\W*(?:claim|allegation|rumou?r|hypothesis|assertion|opinion)"
    r"\s*+(?:(?:no\.?|#)?\s*+\d+)?\s*+[:–—-]\s+",
    r"\b(?:hypothesi[sz]e[ds]?|conjectured?|postulate[ds]?)\s+that\b",
    r"(?<!\bwe )(?<!\bi )\b(?:believe[sd]?|thinks|thought|think)\s+that\b",
    rf"\b{_CLAIMED}\s+(?:has\s+it\s+|have\s+it\s+|is\s+|was\s+|are\s+|persists?\s+|goes\s+)?that\b",
    rf"\baccording\s+to\s+(?:(?:an?|the|some|unconfirmed)\s+){{0,3}}(?:\w+\s+)?(?:{_NOBODY}|{_CLAIMED})\b,?",
)
_REPORTING_ALL = (
    r"\b(?:allegedly|supposedly|purportedly|reputedly|rumou?redly|reportedly)\b|\b(?:is|are|was|were)"
    r"\s+(?:\w+ly\s+)?(?:said|alleged|rumou?red|believed|thought|claimed|purported|reputed|suspected)\s+to\b"
)
_REPORTING_BEFORE = (
    rf"(?:[,\"”]\s*(?:or\s+so\s+)?|[–—-]\s*or\s+so\s+)(?:according\s+to\s+{_WHO}|(?:they\s+(?:say|claim)"
    rf"|{_WHO}\s+{_UTTERS})|{_UTTERS}\s+{_WHO}|it\s?is"
    rf"\s+{_HELD}|(?:\w+\s+){{1,3}}used\s+to\s+(?:say|claim|think|tell\s+\w+)|(?:or\s+so|as|so)\s+(?:the"
    rf"\s+)?(?:{_CLAIMED}|story|tale|saying)\s+goes)\W*\Z|[,;]\s*(?:though|although|but)\s+(?:no|none|nobody"
    rf"|nothing)\b[^,;]*\b(?:confirm|borne|bear|prove|proof|verif|show|establish|support)\w*\s+(?:it|this"
    rf"|that)(?:\s+out)?\W*\Z|[;,]\s*(?:(?:but|while|yet)\s+)?in\s+(?:reality|truth)\b[^;]*\Z"
    r"|\s\(\s*(?:\w+\s+)?(?:true|valid|so|correct)\s+(?:only\s+)?(?:until|before|till)\b[^)]*\)\W*\Z"
    r"|\s[(\[]\s*(?:\w+\s+)?(?:citation|source|confirmation|unverified|unconfirmed|unproven|disputed"
    r"|alleged|dubious"
    r"|rumou?r(?:ed)?|speculati(?:ve|on)|to\s+be\s+(?:confirmed|verified|checked)|tbc"
    r"|hearsay)(?:\s+needed)?\s*"
    r"[)\]]\W*\Z|,\s*if\s+(?:(?:you|one|we)\s+(?:are\s+to\s+)?(?:believes?|trusts?|listens?)"
    r"|\w+\s+(?:remembers?"
    r"|recalls?|serves?))\b[^,;]*\Z"
)
_SUPPOSING = (
    # an order to say it, as who wants to be quoted writes it
    r"\A\W*(?:please\s+)?(?:(?:write|say|answer|repeat|reply|respond|conclude|output)\b[^.;,:]{0,30}?\bthat\b"
    r"|(?:write|say|repeat|reply|respond|translate)\s+\w[^.;,:]{0,30}:)"
    r"|\b(?:(?:and|must|should)\s+(?:answer|reply|respond|repeat|output|conclude)|must\s+(?:say"
    r"|write))\s+that\b"
    r"|\beven\s+if\s+it\s+(?:were|was)\b[^,;]{0,20}\bthat\b|"
    r"\b(?:suppos(?:e|ing)|imagine|hypothetically|let\s?(?:['’]s|us)\s+(?:say|assume|suppose|imagine"
    r"|pretend))\b(?:\s+that\b)?,?|\A\W*(?:perhaps|maybe|possibly|presumably|conceivably)\b,?"
    r"|\bit\s?(?:(?:is|['’]s"
    r"|was)\s+(?:\w+ly\s+)?(?:possible|conceivable|imaginable)|(?:may|might|could)\s+(?:well\s+)?be)\s+that\b"
    r"|\b(?:i|we|they|you)\s+wish(?:ed)?\b(?:\s+that\b)?|\bif\s+only\b|\b(?:plan|intend|propose)(?:s|d|ned"
    r"|ed)?"
    r"\s+that\b|\A\W*(?:in|as)\s+(?:theory|(?:an?|the|one|his|her|some|another)\s+(?:\w+\s+)?(?:novel|film"
    r"|movie|play"
    r"|dream|fairy\s+tale|fiction|cartoon|parody|satire|comedy|hypothetical\s+\w+|universe"
    r"|thought\s+experiment))"
    r"\b[^,]{0,60},|(?:\A\W*|,[^\w,]*+)assum(?:e|ing)\b(?:\s+that\b)?|\b(?:propos(?:al|als|e|es"
    r"|ed)|motions?|petitions?|attempt(?:s|ed)?|threaten(?:s|ed)?|promis(?:e|es|ed)|vow(?:s|ed)?|offer(?:s"
    r"|ed)?|hop(?:e|es|ed)|intend(?:s|ed)?|plan(?:s|ned)?)\s+to\s+(?!the\b|an?\b)(?=\w)|\b(?:almost|nearly)"
    r"\s+(?!doubled|halved|trebled|tripled|completed|finished)(?=\w+ed\b)"
)
_ASKING = (
    rf"\b(?:whether|(?:ask(?:s|ed|ing)?|wonder(?:s|ed|ing)?|unclear|unknown|uncertain|(?:not|n['’]t)\s+know)"
    rf"\s+if)\b(?:\s+or\s+not\b)?|\b(?:it\s?{_BE}{_FILL}\s+(?:not|n['’]t|never|hardly)\s+(?:\w+\s+)?{_SURE}"
    rf"|it\s?{_BE}\s+(?:un\w+|open|disputed|debatable|questionable))\s+(?:that|if|how)\b",
    r"\b(?:(?:has|have|had)\s+yet\s+to\s+be|remains?\s+to\s+be)\s+\w+(?:\s+that)?\b",
    r"\b(?:not|n['’]t|never|hardly)\s+(?:\w+\s+)?(?:sure|certain|convinced|clear|confident"
    r"|persuaded)\s+(?:that|if)\b"
    r"|\bunsure\s+(?:that|if)\b",
    r"\bplease\s+(?:confirm|verify|(?:double-?)?check)\s+that\b|\A\W*(?:todo|fixme)\b\W*",
    r"\A\W*(?:true\s+or\s+false\b|q(?:uestion)?(?:\s*\d+)?\s*[:.)]|what\s+if\b|as\s+if\b)",
)
_QUESTION = re.compile(
    r"[?？؟][\"'”’»)\]*_\s]*\Z|\A\W*(?:\d+[.)]\s*)?(?:(?:does|did|is|are|was|were)\s+\w+|(?:can|could|will"
    r"|would|has|should|have|do)\s+(?:the|an?|my|your|our|this|these|those|there|it|we|you|i|they|he|she|all"
    r"|any|every|each|users|passwords)\b)(?!\s+not\b)",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"(?<!even )(?<!as )(?<!what )\b(?:if|unless|supposing|in\s+case|providing\s+that"
    r"|provided(?:\s+that)?(?!\s+(?:by|with|in|for|to|at|on|as)\b)|as"
    r"\s+long\s+as|in\s+the\s+event\s+(?:that|of))\b(?!\s+(?:not|any|so|at\s+all|necessary|needed|possible"
    r"|applicable|available|required|desired|present)\b)|\A\W*(?:had|should|were)\s+(?=(?:the|an?|it|this"
    r"|that|they|he|she|we|you|i)\b)",
    re.IGNORECASE,
)
_PASSED = (
    r"\b(?:used\s+to|(?:was|were|had)\s+once|once\s+(?:was\b|were\b|had\b|(?=\w+ed\b))|formerly|previously"
    r"|originally|at\s+one\s+time|in\s+the\s+past|historically|(?:earlier|older|previous|past|former)"
    r"\s+(?:releases?|versions?|editions?)|(?:this|that|which|it)\s+is\s+no\s+longer\s+\w+|until\s+(?:\w+"
    r"\s+){0,2}(?:\d+|recently|lately|last|version|v\d+)|before\s+version)\b"
    r"|(?<=\w )until\s+(?:jan|feb|mar|apr|may\b|ju[nl]|aug|sep|oct|nov|dec)"
    r"|\A\W*before\s+(?:\w+\s+){0,2}\d{4}\b"
)
_BEING = re.compile(r"\b(?:is|are|was|were|be|been|being|has|have|had)\b", re.IGNORECASE)
# what is wrong itself, or that something is
_THAT = re.compile(
    rf"\A\W*(?:(?:{_ANY}|(?:\w+\s+)?reports?)\s+)?that\b|\A\W*{_ANY}\s+of\b|\b(?:say|claim|stat|believ"
    rf"|think)(?:ing|e?s)\b"
    rf"|[\"”’'][)\]]?\Z",
    re.IGNORECASE,
)
_TURN = re.compile(r"[,;–—-]\s*(?:but|however|yet|although|though|whereas|while)\b|;", re.IGNORECASE)
# as far before a "not" stands its verb
_NEAR = 40
# no sentence has more, and each is searched from
_MOST_CONDITIONS = 8
_COMMA = re.compile(r",\s*(?:then\b)?|\s+then\b")
# the heading of what is false, and what stands in a list below it
_MYTHS = re.compile(
    r"\W*(?:(?:some|common|popular|widespread|false|wrong)\s+)*(?:myths?|misconceptions?|fallacies|hoaxes"
    r"|(?<=false )(?:claims|statements)|(?<=wrong )(?:claims|statements|answers))"
    r"(?:\s+(?:about|on|around)\s[^.!?\n]*)?\W*",
    re.IGNORECASE,
)
_ITEM = re.compile(r"\s*(?:[-*•+]|\(?\d{1,3}[.)])\s")
# what is struck out stands between two
_STRIKE = re.compile(r"(?<!~)~~(?!~)")
_DOUBTED = re.compile(
    r"\A\W*(?:(?:is|was|are)\s+(?:this|that|it)\s+)?(?:true(?:\s+or\s+false)?|right|correct|so|really"
    r"|fact\s+or\s+"
    r"fiction|yes\s+or\s+no)\s*\?",
    re.IGNORECASE,
)
# ", the cellar is not" denies nothing of the hall, but ", it is not" does
_HELPING = "(?:is|are|was|were|has|have|had|do|does|did|can|could|will|would|may|must|should|need)"
_VERB = re.compile(rf"\s{_HELPING}\b", re.IGNORECASE)
_NOT_AT_END = re.compile(
    rf"\s(?:{_HELPING}(?:\s+\w+ly)?\s+not|(?:{_HELPING}|ca|wo)n['’]t)\W*\Z", re.IGNORECASE
)
# all of a sentence that denies of another thing what the one before it says
_NEITHER_IS = re.compile(
    rf"\W*(?!no\b|not\b)(?:[\w-]+,?\s+){{1,5}}?(?:{_HELPING}\s+not|(?:{_HELPING}|ca|wo)n['’]t)\W*",
    re.IGNORECASE,
)
_PART = re.compile(r"[,;:(–—]|\b(?:and|but|yet|while|whereas|though|although)\b", re.IGNORECASE)
_SAME = re.compile(
    rf"\b(?:it|this|that|they|these|those|he|she|we|you|i|who|what|there|truth|reality|{_CLAIMED})\b"
    r"|(?<!,)\s+which\b|\A(?!\s*unlike\b).*\bwhich\b",
    re.IGNORECASE,
)
_FOLLOWS = re.compile(
    rf"\A\W*(?:(?:but|however|actually|in\s+fact|in\s+truth|in\s+reality|of\s+course|and|well|oh"
    rf"|as\s+it\s+happens)\b,?"
    rf"\s*)*(?:(?:this|that|it|they|all\s+(?:of\s+)?(?:this|that)|(?:this|that|the|these|those|his|her"
    rf"|their)\s+(?:\w+\s+)?(?:{_CLAIMED}|reports?))\s?{_BE}{_FILL}\s+(?:{_FALSE}|{_TRUE}|{_SURE}"
    rf"|{_WITHDRAWN})\b|(?:there\s+is|(?:i|we|they)\s+(?:\w+\s+){{1,3}})?\s*no\s+(?:\w+\s+)?(?:evidence"
    rf"|basis|proof"
    rf"|support|grounds|truth|source)\b[^.!?;:]*\b(?:this|that|it|{_CLAIMED})\b|(?:(?:it|this"
    rf"|that)\s+no\s+longer"
    rf"\s+\w+|(?:quite\s+)?the\s+(?:opposite|reverse|contrary)\b|it\s+is\s+the\s+other\s+way)|(?:(?:answer"
    rf"|verdict|rating|ruling)\s*[:=–-]\s*)?(?:false|wrong|untrue|incorrect"
    rf"|nonsense|no|not\s+(?:true|so|at\s+all|really)|never|just\s+kidding|far\s+from\s+it"
    rf"|nothing\s+could\s+be"
    rf"\s+(?:further|farther)\s+from\s+the\s+truth|(?:a|an)\s+(?:myth|lie|hoax)|yes|true|correct"
    rf"|right|indeed|confirmed|exactly|(?:it|they|he|she|this|that)\s+(?:does|do|did|is|was|are|were|has|had"
    rf"|can|will)(?:\s+not|n['’]t)?)\s*(?:[.,!;:–—]|\Z))",
    re.IGNORECASE,
)


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


class _Reach(StrEnum):
    """What a marker is about: what stands behind or before it, up to a comma behind it, or all."""

    BEHIND = "behind"
    COMMA = "up to a comma"
    BEFORE = "before"
    ALL = "all"


# What a marker that may deny does is told by its words.
_MARKERS = (
    (_any(*_DENYING), _Reach.BEHIND, None),
    (_any(*_REFUSING), _Reach.BEHIND, Stance.DENIED),
    (_any(_DENYING_ALL), _Reach.ALL, Stance.DENIED),
    (_any(_DENYING_BEFORE), _Reach.BEFORE, None),
    (_any(_REFUSED_BEFORE), _Reach.BEFORE, Stance.DENIED),
    (
        _any(r"\A\W*(?:in\s+order\s+)?to\s+(?!(?:the|an?|this|date)\b)(?=[^,]*,)"),
        _Reach.COMMA,
        Stance.SUPPOSED,
    ),
    (_any(rf"\bcontrary\s+to\s+{_ANY}\s+that\b"), _Reach.COMMA, Stance.DENIED),
    (_any(*_REPORTING), _Reach.BEHIND, Stance.REPORTED),
    (_any(_REPORTING_ALL), _Reach.ALL, Stance.REPORTED),
    (_any(_REPORTING_BEFORE), _Reach.BEFORE, Stance.REPORTED),
    (_any(_SUPPOSING), _Reach.BEHIND, Stance.SUPPOSED),
    (_any(*_ASKING), _Reach.BEHIND, Stance.ASKED),
    (_any(_PASSED), _Reach.ALL, Stance.PAST),
)


@lru_cache(maxsize=1 << 12)  # a claim is compared with many sentences, and they with many claims
def frames(sentence: str) -> tuple[Frame, ...]:
    """Return what puts the sentence, or a part of it, so; nothing of one that plainly asserts.

    By lists of words, English only. What reaches to the end of a sentence ends at a "but".
    """
    found = list(dict.fromkeys(_frames(sentence)))
    # "it is not a myth that" is one marker, not also "myth that"
    return tuple(one for one in found if not any(_within(one.marker, other.marker) for other in found))


@dataclass(frozen=True, slots=True)
class Framed:
    """A sentence and what puts it so, in itself and in the sentence behind it."""

    text: str
    frames: tuple[Frame, ...]

    @property
    def core(self) -> str:
        """Return the sentence with blanks for the words that put it so."""
        return without(self.text, self.frames)


def framed(sentences: Sequence[str]) -> list[Framed]:
    """Return sentences that stand one behind the other with what puts each of them so."""
    found: list[Framed] = []
    struck, listed = _struck(sentences), False
    for place, text in enumerate(sentences):
        if place and _NEITHER_IS.fullmatch(text) and not (_SAME.search(text) or answered(text)):
            text = f"{sentences[place - 1].rstrip(' .!')}; {text}"
        own = (*frames(text), *struck.get(place, ()))
        listed = listed and (
            _ITEM.match(text) is not None or _MYTHS.fullmatch(sentences[place - 1]) is not None
        )
        if listed:
            own = (*own, Frame(Stance.DENIED, Span(0, 0), Span(0, len(text))))
        listed = listed or _MYTHS.fullmatch(text) is not None
        then = answered(sentences[place + 1]) if place + 1 < len(sentences) else None
        if then is None and place + 1 < len(sentences) and _DOUBTED.match(sentences[place + 1]):
            own = (*own, Frame(Stance.ASKED, Span(len(text), len(text)), Span(0, len(text))))
        if then is Stance.AFFIRMED:
            own = tuple(one for one in own if one.stance not in (Stance.ASKED, Stance.REPORTED))
        elif then is Stance.DENIED:
            own = (*own, Frame(then, Span(len(text), len(text)), Span(0, len(text))))
        found.append(Framed(text, own))
    return found


def _struck(sentences: Sequence[str]) -> dict[int, tuple[Frame, ...]]:
    """Return what is struck out, between two ``~~``, of each sentence that has any."""
    signs = [(place, found.end()) for place, text in enumerate(sentences) for found in _STRIKE.finditer(text)]
    struck: dict[int, tuple[Frame, ...]] = {}
    for (first, start), (last, end) in zip(signs[::2], signs[1::2], strict=False):
        for place in range(first, last + 1):
            begins = start if place == first else 0
            ends = end - 2 if place == last else len(sentences[place])
            frame = Frame(Stance.DENIED, Span(begins, begins), Span(begins, ends))
            struck[place] = (*struck.get(place, ()), frame)
    return struck


def without(sentence: str, found: Sequence[Frame]) -> str:
    """Return a sentence with blanks for the markers of frames, so that all else stands where it stood."""
    for one in found:
        start, end = one.marker.start, one.marker.end
        sentence = sentence[:start] + " " * (end - start) + sentence[end:]
    return sentence


def answered(following: str) -> Stance | None:
    """Return what a sentence makes of the one before it ("No.", "This is false."), if it begins so."""
    found = _FOLLOWS.match(following)
    return None if found is None else _denied(found.group())


def _frames(text: str) -> Iterator[Frame]:
    for pattern, reach, stance in _MARKERS:
        for found in pattern.finditer(text):
            marker = Span(*found.span())
            of_itself = (
                "of_that" in found.re.groupindex
                and found["of_that"]
                and not _THAT.search(text[: marker.start])
            )
            if not of_itself and not (stance is Stance.PAST and _is_for(text, marker)):
                scope, whose = _scope(text, marker, reach), _whose(text, marker)
                yield Frame(stance or _denied(found.group()), marker, scope, whose)
    if asked := _QUESTION.search(text):
        yield Frame(Stance.ASKED, Span(asked.end(), asked.end()), Span(0, len(text)))
    for found in islice(_CONDITION.finditer(text), _MOST_CONDITIONS):
        before = text[: found.start()].rstrip(" \t\n\"'“(*_#-")
        comma = _COMMA.search(text, found.end())
        middle = comma.start() if comma else len(text)
        # "if A, B", and "B if A", and "B, if A"
        is_ahead = not before or (before[-1] == "," and comma)
        then = Span(middle, len(text)) if is_ahead else Span(0, found.start())
        for half in (Span(found.end(), middle), then):
            yield Frame(Stance.CONDITIONAL, Span(*found.span()), half)


def _scope(text: str, marker: Span, reach: _Reach) -> Span:
    if reach is _Reach.ALL:
        return Span(0, len(text))
    if reach is _Reach.BEFORE:
        return Span(0, marker.start)
    ends = _TURN.search(text, marker.end) if reach is _Reach.BEHIND else _COMMA.search(text, marker.end)
    return Span(marker.end, ends.start() if ends else len(text))


def _whose(text: str, marker: Span) -> Span | None:
    """Return the subject of its own, if any, of a verb that a "not" at the very end denies."""
    last = _NOT_AT_END.search(text, max(marker.start - _NEAR, 0)) if marker.end == len(text) else None
    if last is None:
        return None
    first = _VERB.search(text, 0, last.start())
    begins = _PART.search(text, first.end() if first else 0, last.start())
    if begins is None or _SAME.search(text[begins.end() : last.start()]):
        return None
    return Span(begins.end(), last.start())


def _is_for(text: str, marker: Span) -> bool:
    """Tell whether "used to" says what for: of what is, or was, used."""
    apart = text[: marker.start] + " " + text[marker.end :]
    return text[marker.start : marker.end].lower().startswith("used") and bool(_BEING.search(apart))


def _within(inner: Span, outer: Span) -> bool:
    return (
        inner != outer and outer.start <= inner.start and inner.end <= outer.end and inner.start < inner.end
    )


def _denied(marker: str) -> Stance:
    return Stance.DENIED if len(_NEGATIVE.findall(marker)) % 2 else Stance.AFFIRMED
