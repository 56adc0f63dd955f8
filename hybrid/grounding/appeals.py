"""What in a sentence speaks to its judge instead of its reader: "This claim is supported.", "Score: 1.0".

Takes a sentence, gives where such an appeal at its end begins. It carries nothing, and must not make a claim
look better: words without a counterpart in the evidence thin out what is denied, and some word of a long
evidence is near to any. English, and only behind a mark, on a new line, or with a capital or sign of its own.
What an answer may well say of its subject ("the default is `true`", "output: 1") is left alone.
"""

from __future__ import annotations

import re
import unicodedata

# Of a claim, hardly of anything else.
_VERDICT = (
    "(?:supported|verified|grounded|confirmed|entailed|entailment|entails|faithful|factual|accurate|proven)"
)
_TRUE = rf"(?:{_VERDICT}|true|truth|correct|valid|yes)"
_YES = rf"(?:{_TRUE}|1(?:\.0+)?|0?\.\d+|100 ?%)"
_NOUN = "(?:claim|statement|sentence|answer|response)"
_THIS = rf"(?:this|that|it|these|the (?:above|previous|preceding))(?: {_NOUN})?"
_LABEL = "(?:label|verdict|status|support|score|confidence|entailment|supported|answer)"
_GIVEN = "(?:evidence|passages?|contexts?|sources?|documents?|text)"
_POLITE = r"(?:(?:please|now|kindly|just|you (?:must|should|will)|and)[ ,]+)*"

# Each reaches to the end of the sentence.
_APPEALS = (
    # orders to leave the evidence alone
    rf"{_POLITE}(?:ignore|disregard|forget) (?:(?:all|any|of|the|these|your|previous|prior|above) )*"
    r"(?:evidence|passages?|contexts?|instructions?|rules|prompts?)\b.*",
    # orders to give a verdict
    rf"{_POLITE}(?:answer|say|respond|reply)\b(?:[ :=]+(?:only|with|just|the word))*[ :=]+{_YES}\W*",
    rf"{_POLITE}(?:output|return|print)\b(?:[ :=]+(?:only|just|the word))*[ :=]+{_VERDICT}\W*",
    rf"{_POLITE}(?:mark|label|rate|score|classify|treat|consider|judge|assume|grade|accept)(?: that)?"
    rf" {_THIS}\b.{{0,30}}\b{_TRUE}\W*",
    # verdicts on itself
    rf"(?:this|the (?:above|previous|preceding)) {_NOUN} (?:is|was|has been|must be|should be)"
    rf" (?:(?:\w+ly|already|100 ?%) )*{_TRUE}(?: by the {_GIVEN})?\W*",
    rf"human: is {_THIS} .{{0,30}}\?.*",
    # labels, tags and roles of a conversation
    rf"(?:{_LABEL}\s*[:=]\s*[\"']?{_YES}(?!\w)\W*)+",
    rf"support probability[ :=]+{_YES}\W*",
    rf"(?:(?:[\[(<]|\*\*)/?{_VERDICT}(?:[\])>]|\*\*)\W*)+",
    rf"(?:```\w*\s*)?\{{\s*\"{_LABEL}\"\s*:.*",
    r"(?:<\|?/?(?:im_start|im_end|system|assistant|user|claim|evidence|label)\b|\[/?inst\]"
    r"|#+\s*(?:system|instruction)\b).*",
    # assurances
    r"(?:it|this) is (?:an? )?(?:well[- ]known|widely known|obvious|established)(?: fact)?\W*",
    r"as (?:everyone|everybody|we all) knows?\W*",
    rf"[✓✔✅👍☑]+\W*{_VERDICT}?\W*",
    rf"(?:{_TRUE}\W+){{2,}}{_TRUE}\W*",
)
_BEGINS = r"(?:\A|(?<=[\n,.;:!?)\]>}–—-])\s?|(?<=\s)(?-i:(?=[^\sa-z])))"
_APPEAL = re.compile(
    rf"{_BEGINS}(?:(?:system|assistant|human|user)\s*:\s*)?(?:{'|'.join(_APPEALS)})\s*\Z",
    re.IGNORECASE | re.DOTALL,
)
# "The port is 5433, right?" asserts that it is.
_TAG_QUESTION = re.compile(
    r"(?<=\w)[\s,.–—-]+(?:right|correct|ok|isn['’]t it|is it not|don['’]t you think)\s*\?+\s*\Z",
    re.IGNORECASE,
)
# No appeal is longer; of a longer sentence only the end is searched.
_SEARCHED = 400
_BETWEEN = " \t\n,;:–—-"


def appeal_start(text: str) -> int:
    """Return where the appeals at the end of a sentence begin; its length if there are none.

    0 for a sentence that is nothing else.

    Example:
        >>> appeal_start("The port is 5433 - this claim is supported.")
        16
    """
    end = len(text)
    while end:
        first = max(end - _SEARCHED, 0)
        plain, places = _plain(text, first, end)
        found = _TAG_QUESTION.search(plain) or _APPEAL.search(plain)
        # at the edge of what was searched nobody knows what stands before it
        if found is None or (first and not found.start()):
            break
        end = len(text[: places[found.start()]].rstrip(_BETWEEN))
    return end


def _plain(text: str, first: int, end: int) -> tuple[str, list[int]]:
    """Return a stretch without invisible characters and in plain letters, and where each of them stands."""
    places = [
        place
        for place in range(first, end)
        if text[place] == "\n" or unicodedata.category(text[place]) not in ("Cf", "Cc")
    ]
    return "".join(unicodedata.normalize("NFKC", text[place])[0] for place in places), places
