"""Candidates from prose: what a sentence defines, counts, causes, requires, or says how to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from hybrid.generation.matching import expressions
from hybrid.questions.values import Candidate, Section, TextBlockKind
from hybrid.questions.wording import (
    FINITE,
    NOT_IN_A_TERM,
    VAGUE,
    bare_heading,
    base_of,
    first_clause,
    in_first_person,
    inverted,
    is_base_verb,
    is_third_person,
    lower_first,
    plain,
    telling,
)
from hybrid.text.abbreviations import long_form
from hybrid.text.sentences import independent_sentences
from hybrid.types import Span

# What each is for stands beside it.
_TOLD = expressions("statements")
_NO_ANSWER, _CALLED, _ROLE, _PRAISE, _IS, _HAS, _OTHERS, _CLAUSE, _PEOPLE, _IF, _HAPPENS = _TOLD[:11]
_SEE, _NAME_LINE, _STEPS, _IS_A, _SHORT_FOR, _SHORT_FIRST, _MARKED, _CODE, _NEEDS = _TOLD[11:20]
_WITHIN, _BEHIND_A_NOUN, _ADVERB, _TO, _USE, _BROAD, _NO_SUBJECT, _COSTS, _BEGINS, _DUE = _TOLD[20:]


_BY_WHOM = re.compile(r"(?<=\w) (?:by|with|for) (?:an?|the|our|your) ")


class QuestionAnswer(NamedTuple):
    """A question without its mark, and the words of the sentence that answer it."""

    kind: str
    question: str
    answer: str


Rule: TypeAlias = Callable[[str], Iterator[QuestionAnswer]]


def statement_candidates(text: str, section: Section, title: str) -> Iterator[Candidate]:
    """Yield what the sentences of a section let one ask."""
    for piece in section.pieces:
        if piece.layout is TextBlockKind.TABLE:
            continue
        for sentence in independent_sentences(text, piece.span, strict=False):
            yield from _placed(_abbreviations(_body(text, sentence)), sentence)
        if piece.layout is not TextBlockKind.PROSE:
            continue
        # what opens a manual page: "createdb — create a new database"
        line = _NAME_LINE.fullmatch(text[piece.span.start : piece.span.end].strip())
        if line and NOT_IN_A_TERM.isdisjoint(line["name"].lower().split()):
            yield from _placed(_does(line["name"], line["does"]), piece.span)
        for sentence in independent_sentences(text, piece.span):
            body = _body(text, sentence)
            for rule in _RULES:
                yield from _placed(rule(body), sentence)
            own = re.match(rf"(?:The )?`?{re.escape(title)}`? ", body, re.IGNORECASE) if title else None
            if own and is_third_person(body[own.end() :]):
                yield from _placed(_does(title, body[own.end() :]), sentence)


def _body(text: str, sentence: Span) -> str:
    return " ".join(text[sentence.start : sentence.end].split()).removesuffix(".")


def _placed(found: Iterator[QuestionAnswer], evidence: Span) -> Iterator[Candidate]:
    for asked in found:
        question, answer = plain(asked.question), _SEE.sub("", first_clause(asked.answer)).strip(" ,;:")
        if question and not _NO_ANSWER.match(answer):
            yield Candidate(asked.kind, f"{question[:1].upper()}{question[1:]}?", (answer,), evidence)


def step_candidates(text: str, section: Section, title: str) -> Iterator[Candidate]:
    """Yield the question that a list of steps below a heading answers: "How to claim expenses"."""
    found = _STEPS.fullmatch(bare_heading(section.headings[-1])) if section.headings else None
    lists = [piece.span for piece in section.pieces if piece.layout is TextBlockKind.ITEMS]
    steps = text[lists[0].start : lists[0].end].strip() if len(lists) == 1 else ""
    if not found or not steps.startswith(("1.", "1)")):
        return
    stem = (found["ing"] or "").lower().removesuffix("ing")
    verbs = [verb for verb in (stem, f"{stem}e", stem[:-1]) if is_base_verb(verb)]
    do = " ".join([*verbs[:1], lower_first(found["do"])])
    if is_base_verb(do):
        yield Candidate("steps", f"How do I {in_first_person(do)}?", (steps,), lists[0])


_LONGEST_TERM = 4


def _definitions(body: str) -> Iterator[QuestionAnswer]:
    if (found := _IS_A.match(body)) and _is_name(found) and not _PRAISE.match(found["rest"]):
        # "Amazon Bedrock" keeps its capital, "Partial indexes" are partial indexes
        term = found["term"] if _MARKED.search(found["term"][1:]) else lower_first(found["term"])
        question = f"what {found['verb']} {(found['article'] or '').lower()}{term}"
        yield QuestionAnswer("definition", question, found["rest"])
    if (found := _CALLED.match(body)) and found["term"].split()[-1].lower() not in VAGUE:
        term = f"is {found['article']}{found['term']}" if found["article"] else f"does “{found['term']}” mean"
        yield QuestionAnswer("definition", f"what {term}", found["subject"])


def _is_name(found: re.Match[str]) -> bool:
    """Tell whether the subject of a sentence is something that people ask the meaning of."""
    term, article = found["term"], found["article"]
    words, last = term.lower().split(), term.split()[-1]
    if (
        (words[-1] in VAGUE and not _CODE.search(term))
        or not NOT_IN_A_TERM.isdisjoint(words)
        or len(words) > _LONGEST_TERM
    ):
        return False
    if len(words) > 1 and base_of(last) and not _MARKED.search(last):
        return False
    # "the index" is a thing spoken of before; "an index" is any, "indexes" are all; "createdb" is a name, and
    # so is what has a short form
    named = _MARKED.search(term[1:]) or found[0][: found.start("verb")].endswith(") ")
    any_or_all = article in ("A ", "An ") or (not article and found["verb"].startswith("are"))
    return bool(named or any_or_all or (term[0].islower() and not article))


def _abbreviations(body: str) -> Iterator[QuestionAnswer]:
    for found in [*_SHORT_FOR.finditer(body), *_SHORT_FIRST.finditer(body)]:
        if long := long_form(found["short"], found["long"].split()):
            yield QuestionAnswer("abbreviation", f"what does {found['short']} stand for", long)


def _roles(body: str) -> Iterator[QuestionAnswer]:
    """Ask what a thing that has a name sets, needs, or is for."""
    if (found := _ROLE.match(body)) and _is_name(found):
        subject = f"{(found['article'] or '').lower()}{found['term']}"
        first, _, last = found["verb"].strip().partition(" ")
        if first in ("is", "are"):
            yield QuestionAnswer("purpose", f"what {first} {subject} used for", found["rest"])
        else:
            base = base_of(first)
            question = f"what {'does' if base else 'do'} {subject} {base or first} {last}"
            yield QuestionAnswer("purpose", question, found["rest"])


def _does(name: str, does: str) -> Iterator[QuestionAnswer]:
    """Ask what a thing does that a whole document is about."""
    said = lower_first(plain(does))
    if (is_base_verb(said) or is_third_person(said)) and not _NEEDS.match(said):
        yield QuestionAnswer("purpose", f"what does {name} do", does)


_UNCOUNTED = frozenset(("things", "ways", "ones", "cases", "kinds", "times", "types", "forms"))


def _numbers(body: str) -> Iterator[QuestionAnswer]:
    if (found := _IS.match(body)) and "respectively" not in body and not FINITE.search(found["subject"]):
        yield QuestionAnswer(
            "number", f"what {found['verb']} {lower_first(found['subject'])}", found["number"]
        )
    if (found := _WITHIN.match(body)) and (clause := inverted(lower_first(found["clause"]))):
        yield QuestionAnswer(
            "number", f"within how many {found['unit']}{found['rest']} {clause}", found["number"]
        )
    found = _HAS.match(body)
    if (
        found
        and not re.search(r"\d", found["rest"] + found["subject"])
        and not _CLAUSE.search(found["subject"])
    ):
        cut = _BEHIND_A_NOUN.search(found["rest"])
        end = cut.start() if cut else len(found["rest"])
        noun, rest = found["rest"][:end], found["rest"][end:]
        verb, base = found["verb"].strip(), base_of(found["verb"])
        noun += "" if noun.split(" of ")[0].endswith("s") or not found["aux"] else "s"
        subject = _ADVERB.sub("", lower_first(found["subject"]))
        helper = found["aux"] or ("does" if base else "do")
        asked = f"how many {noun} {helper} {subject} {base or verb.removeprefix(f'{helper} ')}{rest}"
        if noun.split(" of ")[0].endswith("s") and noun not in _UNCOUNTED:
            yield QuestionAnswer("number", asked, found["number"])


def _prices(body: str) -> Iterator[QuestionAnswer]:
    """Ask for what a sentence says that something costs, opens or is due."""
    if (found := _COSTS.match(body)) and not FINITE.search(found["subject"]):
        helper = "do" if found["verb"] == "cost" else "does"
        yield QuestionAnswer("price", f"what {helper} {lower_first(found['subject'])} cost", found["price"])


def _times(body: str) -> Iterator[QuestionAnswer]:
    if (found := _BEGINS.match(body)) and not FINITE.search(found["subject"]):
        base, subject = found["verb"].removesuffix("s"), found["subject"]
        # one word with a capital is a name
        subject = lower_first(subject) if " " in subject else subject
        yield QuestionAnswer("time", f"when does {subject} {base}", found["when"])
    if (found := _DUE.match(body)) and not FINITE.search(found["subject"]):
        asks = "how often" if found["when"].startswith("every ") else "when"
        when = _BY_WHOM.split(found["when"])[0]
        asked = f"{asks} {found['verb']} {lower_first(found['subject'])} {found['done']}"
        yield QuestionAnswer("time", asked, when)


def _procedures(body: str) -> Iterator[QuestionAnswer]:
    for pattern in (_TO, _USE):
        found = pattern.match(body)
        if not found or _OTHERS.match(found["act"]) or _BROAD.fullmatch(found["do"]):
            continue
        if is_base_verb(found["do"]) and _is_told(found["act"]):
            yield QuestionAnswer("procedure", f"how do I {in_first_person(found['do'])}", found["act"])


def _is_told(text: str) -> bool:
    """Tell whether somebody is told to do something: "lock the table", not "lock acquisition will fail"."""
    return is_base_verb(text) and not FINITE.search(" ".join(text.split()[:4]))


_BY_SOMETHING = r"(?P<subject>[^,;:()]{3,90}?) (?P<aux>(?:can|may|must|should|has to|have to) be|is|are) "
_MADE = r"\w+(?:ed|en)|done|made|set|built|sent|kept|found|run"
_DONE = rf"(?!used|intended|primarily)(?:\w+ly )?(?:{_MADE})\b[^,;:()]{{0,60}}?"
_KEPT = "stored|located|found|kept|held|saved|installed|published|submitted|filed|recorded|sent"
_ALLOWED = r"approved|authori[sz]ed|signed|reviewed|confirmed|verified|issued|appointed|granted|led"
_PASSIVES = {
    "how": rf"(?P<done>{_DONE})(?<! to)(?<! for) (?P<answer>(?:by \w+ing|using|through|via) [^;]{{4,}})",
    "where": rf"(?:also |usually )?(?P<done>{_KEPT}) (?P<answer>(?:in|at|on|to|under|with) [^;]{{4,}})",
    "when": r"(?<=be )(?P<done>\w+(?:e[dn]|t)) (?P<answer>(?:before|after|within|until) [^;,]{4,})",
    "who": rf"(?P<done>(?:{_ALLOWED}) by) (?P<answer>(?!\w+ing )[^;,]{{4,80}})$",
}
_PASSIVE = {word: re.compile(_BY_SOMETHING + rest) for word, rest in _PASSIVES.items()}
_CHARGED = re.compile(r"(?P<who>[^,;:()]{3,60}?) (?P<aux>is|are) responsible for (?P<what>[^;,:()]{6,90})")
_ONLY = re.compile(r"Only (?P<who>[^,;:()]{4,90}?) (?P<aux>can|may|must|should) (?P<do>[^;:()]{8,110})$")


def _circumstances(body: str) -> Iterator[QuestionAnswer]:
    """Ask how, where, when and by whom something is done."""
    for word, pattern in _PASSIVE.items():
        found = pattern.match(body)
        if found and not FINITE.search(found["subject"]) and not _CLAUSE.search(found["subject"]):
            aux, _, be = found["aux"].partition(" ")
            words = (word, aux, lower_first(found["subject"]), be, found["done"])
            kind = "procedure" if word == "how" else "circumstance"
            yield QuestionAnswer(kind, " ".join(filter(None, words)), found["answer"])
    if (found := _CHARGED.match(body)) and _PEOPLE.match(found["who"]):
        yield QuestionAnswer(
            "circumstance", f"who {found['aux']} responsible for {found['what']}", found["who"]
        )
    if (found := _ONLY.match(body)) and _PEOPLE.match(found["who"]):
        yield QuestionAnswer("circumstance", f"who {found['aux']} {first_clause(found['do'])}", found["who"])


_BECAUSE = re.compile(r"(?P<clause>[^,;:()]{10,120}?),? because (?:of )?(?P<cause>.{12,})")
_HEDGED = re.compile(r"\b(?:not|only|just|partly|part|possibly|simply|mainly|perhaps|mostly)$")
# "If a match is found": in how many places, and of what?
_CLEAR = 3
# What was once the case is a story of one case.
_PAST = re.compile(r"(?:was|were|did|had|has|have) ")


def _reasons(body: str) -> Iterator[QuestionAnswer]:
    """Ask why something is so, and what happens or is to be done if something is the case."""
    if (found := _BECAUSE.match(body)) and not _HEDGED.search(found["clause"]):
        clause = inverted(lower_first(found["clause"]))
        if telling(clause) >= _CLEAR and not _PAST.match(clause):
            yield QuestionAnswer("cause", f"why {clause}", found["cause"])
    found = _IF.match(body)
    if not found or _NO_SUBJECT.match(found["condition"]) or not inverted(found["condition"]):
        return
    if telling(found["condition"]) >= _CLEAR:
        condition = f"{found['word'].lower()} {in_first_person(found['condition'])}"
        if _is_told(found["main"]):
            helper = "can" if found["can"] else "should"
            yield QuestionAnswer("condition", f"what {helper} I do {condition}", found["main"])
        elif not found["told"] and _HAPPENS.match(found["main"]):
            yield QuestionAnswer("condition", f"what happens {condition}", found["main"])


_RULES: tuple[Rule, ...] = (
    _definitions,
    _roles,
    _numbers,
    _prices,
    _times,
    _procedures,
    _circumstances,
    _reasons,
)
