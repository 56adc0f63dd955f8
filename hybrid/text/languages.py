"""In which language is a text? By script and function words (language identification).

On the safe side: what is too short, a name, code or a table is taken for English, which is what the checks
and the scorers of this package were measured on. German, French, Spanish, Italian, Portuguese and Dutch are
told, others in Latin letters are not.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from hybrid.text.words import word_set

ENGLISH = frozenset({"en"})

# What is longer says no more about it, and takes time.
_READ = 2_000
_RUN = re.compile(r"[^\W\d_]{2,}")
# So many letters of another script are more than a symbol or a name.
_LETTERS = 3
# A sentence of fewer words is too short to be told by its function words.
_WORDS = 5
_HITS = 3
_SHARE = 0.25
# With so many function words of English it is English, whatever it quotes or someone added.
_ENGLISH_HITS = 2

# Without those of another language: "in", "a", "die", "was", "as", "on".
_ENGLISH = word_set(
    "the of and to is with for that by are from this were has have had not which it its their been",
    "but they be what who when where than there these would could should does did you your he she his",
    "we our if into all how will at can about after between during only other such more most also",
    "because through while both",
)
# Those that English has as well are taken out below, and a few in them alone do not make a sentence foreign.
_FUNCTION_WORDS = {
    "de": word_set(
        "der das und ist nicht ein eine einen einem einer eines mit von für auf dem den des sich auch",
        "werden wird wurde wurden sind im zum zur durch bei nach über aus oder wie nur noch sie wenn dass",
        "als kann haben vom beim zwischen unter ihre seine diese dieser dieses ihr",
    ),
    "fr": word_set(
        "le la les des une est et dans pour que qui sur avec pas par sont au aux ce cette ces du il elle",
        "ils nous vous mais ou où été était être ont plus sans leur leurs comme se ne un sous entre",
    ),
    "es": word_set(
        "el la los las una es y en que por con para del se su sus como pero más fue son está al lo este",
        "esta ha sin sobre entre también desde cuando muy un",
    ),
    "it": word_set(
        "il lo la gli le una di che è e con del della dei delle nel nella sono si da al alla per non più",
        "anche come ma su questo questa stato tra ha un dal dalla",
    ),
    "pt": word_set(
        "o os as um uma de que e em com não do da dos das no na nos nas por para é foi são se ao à mais",
        "como mas seu sua pelo pela este esta também entre",
    ),
    "nl": word_set(
        "de het een en van is op te dat niet met zijn voor aan er om ook als maar naar wordt worden werd",
        "bij uit door over kan heeft deze die dan nog geen tussen",
    ),
}
_OTHERS = {name: words - _ENGLISH for name, words in _FUNCTION_WORDS.items()}


def language_of(text: str) -> str:
    """Return ``en``, or the code of another language in Latin letters, or the name of a script.

    Names of scripts are those of Unicode in lower case, such as ``cyrillic``, ``cjk`` or ``arabic``.

    Example:
        >>> language_of("Der Server lauscht auf dem Port 5432 und nicht auf einem anderen.")
        'de'
        >>> language_of("The port is 5432.")
        'en'
    """
    runs = _RUN.findall(unicodedata.normalize("NFKC", text[:_READ].lower()))
    counts = Counter(runs)
    if sum(word in counts for word in _ENGLISH) >= _ENGLISH_HITS:
        return "en"
    script = _script(runs)
    return _by_function_words(counts) if script == "latin" else script


def _script(runs: list[str]) -> str:
    """Return the script of most letters; latin if there are few."""
    counts: Counter[str] = Counter()
    for run in runs:
        counts.update(unicodedata.name(letter, "?").partition(" ")[0].lower() for letter in run)
    others = Counter({name: count for name, count in counts.items() if name not in ("latin", "?")})
    if others.total() < max(_LETTERS, counts["latin"] + 1):
        return "latin"
    return max(others, key=lambda name: others[name])


def _by_function_words(counts: Counter[str]) -> str:
    hits = {name: sum(counts[word] for word in words) for name, words in _OTHERS.items()}
    best = max(hits, key=lambda name: hits[name])
    distinct = sum(word in counts for word in _OTHERS[best])
    enough = counts.total() >= _WORDS and hits[best] >= max(_HITS, _SHARE * counts.total()) and distinct > 1
    return best if enough else "en"
