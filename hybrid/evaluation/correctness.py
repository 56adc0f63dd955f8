"""Grade an answer to an open question by the facts of its gold, calibrated on people (answer equivalence)."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace

from hybrid.evaluation.facts import (
    Fact,
    FactKind,
    Named,
    Said,
    State,
    alike,
    denies,
    facts_of,
    is_denied,
    is_short_for,
    reduced,
    rivals_in,
    turned,
)
from hybrid.text.folding import fold, folded_words
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import STOP_WORDS, share_held

# What somebody says who does not know; the first sentence of a refusal says it.
_REFUSAL = re.compile(
    r"\b(?:(?:could|can|did|do|does|was|am|were|is|are|have|has)(?:n't| ?not)|cannot|unable to)"
    r"(?: \w+){0,2}? "
    r"(?:find|found|determine|provide|locate|answer|know|sure|specif\w+|mention\w*|clear|available|able"
    r"|(?:have|contain|include)(?: \w+){0,3} (?:information|access|data|answer|details?|context))\b"
    r"|\bno (?:\w+ )?(?:information|answer|mention|evidence|data|record|details?)\b|\bi don't know\b"
    r"|\bas an ai\b|\bi(?:'m| am) sorry\b|\bi apologi[sz]e\b"
    r"|\b(?:please|could you)(?: \w+)? (?:provide|clarify|specify)\b"
    r"|\bmore (?:context|information) (?:is|to)\b"
)
# So many words that answer nothing are free: a few sentences of context. Each doubling costs.
_FREE, _DOUBLING, _LEAST = 60, 0.15, 0.5
# A chance so near to 0 or 1 is that: people differ by more among each other.
_UNSURE = 0.03
# What a gold costs that stands in a sentence about something else.
_LOST, _ABOUT = 0.6, 3.0
# What is left of a gold that is named to deny it.
_DENIED = 0.2
# From so many facts on a gold begins to be a text, and is one.
_FEW, _MANY = 3, 7
# A gold and its answer that are little longer are read as they stand: nothing around them to be about.
_TERSE, _PHRASE = 6, 3
# So many letters tell words of a question apart: "invented" and "inventor" are about one thing.
_STEM = 5
_VALUES = (FactKind.NUMBER, FactKind.DATE)


@dataclass(frozen=True, slots=True)
class Signals:
    """What tells a right answer from a wrong one, each from 0 to 1 but where it says otherwise.

    Those from ``conflict`` on speak against it. The same fields weigh them in a sum; what is not named is 0.
    """

    constant: float = 0.0
    whole: float = 0.0  # the gold stands in it word for word
    run_together: float = 0.0  # its letters do, whatever stands between them
    spelled: float = 0.0  # the share of its runs of three letters
    carried: float = 0.0  # the share of its facts, those that the question says already for little
    some: float = 0.0  # any fact that the question has not
    half: float = 0.0  # twice the share of its facts, as far as that is below 1
    family: float = 0.0  # the last word of a name
    given: float = 0.0  # its first word
    terse: float = 0.0  # the share of what a terse answer says beyond the question that is of the gold
    astray: float = 0.0  # the share of it that is not
    conflict: float = 0.0  # the share of its numbers, dates, yes and no that the answer has otherwise
    turned: float = 0.0  # it has the opposite of a word, or denies what a longer gold does not
    others: float = 0.0  # other names than that of the gold, as a logarithm
    refused: float = 0.0  # it says that it does not know
    named: float = 0.0  # the gold is a name
    dated: float = 0.0  # the gold is a date
    several: float = 0.0  # how many alternatives the gold has, as a logarithm: one of them may be a part only


@dataclass(frozen=True, slots=True)
class Correctness:
    """How likely people call an answer right, from 0 to 1, and by which facts of the gold.

    ``signals`` are those of an answer to an open question. ``rivals`` are values that the answer offers
    instead of the gold one. ``spare`` counts the words of sentences without any fact of the gold.
    ``adrift`` is from 0 to 1: the facts stand where it is not about the question.
    """

    grade: float
    gold: str
    facts: tuple[Fact, ...] = ()
    signals: Signals | None = None
    rivals: tuple[str, ...] = ()
    denied: bool = False
    spare: int = 0
    adrift: float = 0.0
    refused: bool = False

    @property
    def left(self) -> float:
        """Return from 0 to 1 what is left of a grade by the rules of ``grade_of`` that are no calibration."""
        if not any(fact.carried for fact in self.facts):
            return 0.0
        brief = max(_LEAST, 1 - _DOUBLING * math.log2(max(self.spare, _FREE) / _FREE))
        return brief * (1 - _LOST * self.adrift) * (_DENIED if self.denied else 1) / (1 + len(self.rivals))

    @property
    def because(self) -> str:
        """Return the judgement in words: what is carried, missing and contradicted, and what costs."""
        parts = [
            f"{state.value}: {', '.join(fact.text for fact in self.facts if fact.state is state)}"
            for state in State
            if any(fact.state is state for fact in self.facts)
        ]
        parts += [f"also says: {', '.join(self.rivals)}"] if self.rivals else []
        parts += ["named to deny it"] if self.denied else []
        parts += ["in sentences about something else"] if self.adrift > 0.5 else []
        parts += [f"{self.spare} words beside the point"] if self.spare > _FREE else []
        return "; ".join((["refuses"] if self.refused else []) + parts) or "no fact to hold it against"


# Fitted by tests/benchmarks/agreement.py --fit; the first to golds of a few words, the second to texts.
TERM = Signals(
    constant=-0.66,
    whole=1.21,
    run_together=0.92,
    spelled=1.29,
    carried=1.33,
    some=0.62,
    family=0.24,
    given=0.64,
    terse=0.97,
    astray=-0.6,
    conflict=-1.35,
    others=-0.42,
    refused=-0.39,
    named=-0.2,
    dated=-0.28,
    several=-0.71,
)
TEXT = Signals(constant=-2.85, carried=2.78, half=2.67, conflict=-4.0, turned=-4.45, refused=-1.14)


def grade_of(question: str, answer: str, golds: Sequence[str]) -> Correctness:
    """Grade an answer to an open question against the gold that it agrees with best.

    The grade is the calibrated chance that people call the answer right, by the facts of the gold that it
    carries. Of n values that it offers for one, that counts for one in n. Sixty words in sentences without
    any fact of the gold are free; each doubling of them costs .15, and half is the most that they cost. A
    gold that stands in sentences without a word of the question costs .6 of the grade, less where they have
    up to a third of its words. A gold behind "not" or "rather than" keeps a fifth. An answer
    without any fact of the gold is 0.
    """
    found = held_against(question, answer, golds)
    if not found:
        return Correctness(0.0, golds[0] if golds else "")
    return max(found, key=lambda one: one.grade)


def exactly(gold: str, kind: FactKind, match: float, rivals: tuple[str, ...] = ()) -> Correctness:
    """Return the grade of an answer that is right or wrong as a whole: one in n of the n values it offers."""
    fact = Fact(gold, kind, match, State.CARRIED if match else State.MISSING)
    return Correctness(match / (1 + len(rivals)), gold, (fact,), rivals=rivals)


def held_against(question: str, answer: str, golds: Sequence[str]) -> list[Correctness]:
    """Return an answer against each of its golds; nothing if the answer has no word."""
    reading = Said(question, answer)
    golds = [gold for gold in golds if gold.strip()]
    rivals = rivals_in(reading, golds)
    return [_against(gold, reading, len(golds), rivals) for gold in golds] if reading.words else []


def refuses(text: str) -> bool:
    """Tell whether an answer only says, in words of its own, that it does not know."""
    spans = sentence_spans(text)
    said = [fold(text[span.start : span.end]) for span in spans]
    return bool(said) and all(_REFUSAL.search(sentence) for sentence in said[:2])


def _signals(gold: str, reading: Said, facts: Sequence[Fact], several: float) -> Signals:
    """Return the signals of an answer against one gold answer; ``several`` is about all of them."""
    words = folded_words(gold)
    telling = [word for word in words if word not in STOP_WORDS] or words
    letters = "".join(words)
    line = " ".join(word for word in words if word not in ("a", "an", "the"))
    values = [fact for fact in facts if fact.kind in _VALUES]
    # of a code nothing is carried in part
    lacks = any(fact.kind is FactKind.CODE and not fact.carried for fact in facts)
    coded = not lacks and any(fact.kind is FactKind.CODE for fact in facts)
    sharp = [fact for fact in facts if fact.kind in (*_VALUES, FactKind.POLARITY)]
    against = sum(fact.state is State.CONTRADICTED for fact in sharp)
    is_name = gold.strip()[:1].isupper() and not values and 2 <= len(telling) <= 5
    said = [fact.carried for fact in facts if fact.kind in (FactKind.NAME, FactKind.WORD)]
    namesake = is_name and _is_namesake(words, said, reading)
    conflict = 1.0 if lacks or namesake else against / len(sharp) if sharp else 0.0
    weights = [_weight(fact, len(facts)) for fact in facts]
    new = [fact.carried for fact in facts if not fact.asked]
    total = sum(weights)
    carried = sum(w * fact.carried for w, fact in zip(weights, facts, strict=True)) / total if total else 0.0
    runs, short = _runs(letters), is_short_for(gold, reading)
    terse = _share_of_own(telling, reading)
    own = 0.0 if lacks else terse or 0.0
    letter_by_letter = (
        1.0 if short or coded else 0.0 if lacks else share_held(list(runs), _runs(reading.letters))
    )
    is_value = bool(values) and len(values) == len(facts)
    worth = sum(fact.carried for fact in values) / len(values) if values else 0.0
    date = next((fact for fact in facts if fact.kind is FactKind.DATE), None)
    return Signals(
        constant=1.0,
        whole=float(short or coded or (not lacks and bool(line) and f" {line} " in reading.line)),
        run_together=float(not lacks and len(letters) > 3 and letters in reading.letters),
        # digits of another number spell nothing
        spelled=worth if is_value and conflict else max(letter_by_letter, worth * is_value),
        carried=carried,
        some=float(max(new, default=0.0) >= 0.8),
        half=min(2 * carried, 1.0),
        family=said[-1] if is_name and said else 0.0,
        given=said[0] if is_name and said and not namesake else 0.0,
        terse=own,
        astray=1.0 - own if lacks or terse is not None else 0.0,
        conflict=conflict,
        turned=float(len(facts) > _FEW and _is_turned(gold, facts, reading)),
        others=math.log1p(len(_other_names(words, reading))) if not values and gold[:1].isupper() else 0.0,
        refused=float(_REFUSAL.search(fold(reading.text)) is not None),
        named=float(is_name),
        dated=float(date is not None),
        several=several,
    )


def _weight(fact: Fact, count: int) -> float:
    """Return how much a fact counts: yes or no as much as all others, a value or a code as two words."""
    if fact.kind is FactKind.POLARITY:
        return float(count)
    return (0.2 if fact.asked else 1.0) * (2.0 if fact.kind in (*_VALUES, FactKind.CODE) else 1.0)


def _is_turned(gold: str, facts: Sequence[Fact], reading: Said) -> bool:
    """Tell whether an answer has the opposite of a word that it lacks, or denies what the gold does not."""
    words = folded_words(gold)
    if turned(set(words), set(reading.words)):
        return True
    # where the question has the negation, and where yes or no says it, the words around it tell nothing
    if denies(reading.asked_words) or any(fact.kind is FactKind.POLARITY for fact in facts):
        return False
    stems = set(map(reduced, words))
    nearest = max(reading.sentences, key=lambda one: len(one.stems & stems), default=None)
    return nearest is not None and denies(words) != denies(nearest.words)


def _against(gold: str, reading: Said, count: int, rivals: tuple[str, ...]) -> Correctness:
    facts = facts_of(gold, reading)
    signals = _signals(gold, reading, facts, math.log(count))
    found = Correctness(
        grade=_chance(signals, len(facts)),
        gold=gold,
        facts=tuple(facts),
        signals=signals,
        rivals=rivals,
        denied=is_denied(gold, reading),
        # words of sentences that say no fact of the gold which the question has not
        spare=sum(len(one.words) for one in reading.sentences if not _tells(facts, one.stems)),
        adrift=_adrift(facts, folded_words(gold), reading),
        refused=bool(signals.refused),
    )
    return replace(found, grade=round(found.left * found.grade, 3))


def _chance(signals: Signals, facts: int) -> float:
    """Return the calibrated chance of being right, against a gold of so many facts."""
    # no answer has every word of a text, so that is graded by weights of its own
    share = min(max((facts - _FEW) / (_MANY - _FEW), 0.0), 1.0)
    terms, texts = (
        sum(w * x for w, x in zip(astuple(weights), astuple(signals), strict=True))
        for weights in (TERM, TEXT)
    )
    chance = 1 / (1 + math.exp(-(1 - share) * terms - share * texts))
    # people call 98.6 % of the answers right that have the gold word for word, and refuse nothing
    stands = signals.whole and not (signals.refused or signals.conflict)
    return 1.0 if stands or chance > 1 - _UNSURE else 0.0 if chance < _UNSURE else chance


def _tells(facts: Sequence[Fact], stems: frozenset[str]) -> bool:
    return any(reduced(word) in stems for fact in facts if not fact.asked for word in folded_words(fact.text))


def _adrift(facts: Sequence[Fact], gold: Sequence[str], reading: Said) -> float:
    """Return from 0 to 1 how little the place of the facts is about the question.

    It is 0 from a third of the question's words on, and where they stand alone, a phrase. The place is their
    sentence, the one before and the first, which may say what all are about.
    """
    asked = reading.asked - STOP_WORDS - set(map(reduced, gold))
    # a text stands nowhere by chance
    if not asked or len(reading.sentences) < 2 or len(facts) > _MANY:
        return 0.0
    first = before = reading.sentences[0].stems
    found: list[float] = []
    for sentence in reading.sentences:
        if _tells(facts, sentence.stems):
            if len(sentence.words) <= len(gold) + _PHRASE:
                return 0.0
            starts = {word[:_STEM] for word in (sentence.stems | before | first)}
            found.append(sum(word[:_STEM] in starts for word in asked) / len(asked))
        before = sentence.stems
    return max(1.0 - _ABOUT * max(found), 0.0) if found else 0.0


def _is_namesake(gold: Sequence[str], said: Sequence[float], reading: Said) -> bool:
    """Tell whether the answer has somebody of the gold's first name and another last one."""
    if not said or said[0] < 1.0 or said[-1] >= 0.8:
        return False
    names = [folded_words(name.text) for name in reading.names]
    return any(gold[0] in name and len(set(name) - set(gold)) == len(name) - 1 > 0 for name in names)


def _share_of_own(telling: Sequence[str], reading: Said) -> float | None:
    """Return the share of what a terse answer says of its own that is of the gold; None of a longer one."""
    if not telling or len(reading.words) > len(telling) + _TERSE:
        return None
    own = [w for w in reading.stems if w not in STOP_WORDS and w not in reading.asked]
    golds = [reduced(word) for word in telling]
    return sum(max(alike(word, gold) for gold in golds) for word in own) / len(own) if own else 0.0


def _other_names(gold: Sequence[str], reading: Said) -> list[Named]:
    forms = set(map(reduced, gold)) | STOP_WORDS | reading.asked
    return [name for name in reading.names if not set(map(reduced, folded_words(name.text))) <= forms]


def _runs(letters: str) -> frozenset[str]:
    return frozenset(letters[at : at + 3] for at in range(len(letters) - 2))
