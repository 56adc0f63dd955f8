"""Questions whose answer sentence is known, from public sets that measure no reader of ours.

Takes the folder of data, gives lessons: a question, sentences that answer it, and sentences that do not.
``broad`` sets tell subjects and kinds of answers apart, ``near`` ones the sentences of one text: many a
right sentence stands beside the one that was chosen.
"""

from __future__ import annotations

import ast
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from hybrid.models.choosing import Offered
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import STOP_WORDS

_WORDS = 45
_WRONG = 6
_SENTENCE = range(4, 51)
# How many of each are taken, in the order of the mixing.
BROAD = {"nq": 1700, "medquad": 1300, "dialogue": 700, "cuad": 200, "factcheck": 150}
NEAR = {"haystack": 529, "medquad paragraphs": 350, "abstracts": 250, "pubmedqa": 350, "scifact": 350}
AGAIN = {"nq": (1700, 2150), "medquad": (1300, 1700)}


@dataclass(frozen=True, slots=True)
class Drill:
    """A question, what answers it, and what does not; the first ``beside`` of these stand next to it."""

    kind: str
    question: str
    right: tuple[Offered, ...]
    wrong: tuple[Offered, ...]
    beside: int = 0


def broad(data: Path, *, seed: int = 0) -> dict[str, list[Drill]]:
    """Return lessons whose wrong sentences are from other texts, or other answers about the same."""
    dice = random.Random(seed)  # noqa: S311
    return {
        "nq": _natural_questions(data, dice),
        "medquad": _medquad(data, dice),
        "dialogue": _dialogue(data),
        "cuad": _cuad(data, dice),
        "factcheck": _factcheck(data),
    }


def near(data: Path, *, seed: int = 7) -> dict[str, list[Drill]]:
    """Return lessons whose wrong sentences are from the same text; questions of plain texts are made."""
    dice = random.Random(seed)  # noqa: S311
    pages = [page for path in sorted((data / "corpora/haystack_mdx").rglob("*.md*")) for page in _page(path)]
    answers = [
        (row["focus"], row["answer"].replace("\n", " ")) for row in _rows(data / "medquad/medquad.jsonl")
    ]
    abstracts = [(row["title"], row["text"]) for row in _rows(data / "scifact/corpus.jsonl")]
    made = {"haystack": pages, "medquad paragraphs": answers, "abstracts": abstracts}
    found = {}
    for kind, texts in made.items():
        dice.shuffle(texts)
        asked = (_asked(kind, title, text, dice) for title, text in texts[: 4 * NEAR[kind]])
        found[kind] = [lesson for lesson in asked if lesson is not None]
    return found | {"pubmedqa": _pubmedqa(data, dice), "scifact": _scifact(data, dice)}


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _sentences(text: str) -> list[str]:
    return [text[span.start : span.end].strip() for span in sentence_spans(text) if span.end > span.start]


def _choices(title: str, sentences: Sequence[str]) -> list[Offered]:
    before = ["", *sentences[:-1]]
    return [Offered(text, title, above) for text, above in zip(sentences, before, strict=True)]


def _cut(text: str) -> str:
    return " ".join(text.split()[:_WORDS])


def _nearest(asked: Sequence[str], texts: Sequence[str]) -> Iterator[list[int]]:
    """Yield for each question the places of other texts, those with most words in common first."""
    vectors = TfidfVectorizer(sublinear_tf=True)
    there = vectors.fit_transform(texts)
    for place, row in enumerate(vectors.transform(asked)):
        shared = (row @ there.T).toarray()[0]
        shared[place] = -1
        yield [int(other) for other in np.argsort(-shared, kind="stable")[:20]]


def _natural_questions(data: Path, dice: random.Random) -> list[Drill]:
    """Return sentences that have the gold; wrong ones stand by, or are of other questions."""
    by: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in _rows(data / "evouna/nq.jsonl"):
        by[row["id"]].append(row)
    found: list[tuple[str, list[Offered], list[Offered], list[str]]] = []
    for rows in by.values():
        golds = [_plain(gold) for gold in rows[0]["golds"]]
        said = [
            choice
            for row in rows
            if row["correct"] and row["model"] not in ("fid", "gpt35")
            for choice in _choices("", _sentences(row["answer"]))
            if len(choice.text.split()) > _SENTENCE.start
        ]
        right = [choice for choice in said if _has(choice, golds)]
        if right:
            found.append((rows[0]["question"], right, [one for one in said if one not in right], golds))
    lessons = []
    texts = [f"{question} {right[0].text}" for question, right, *_ in found]
    for (question, right, beside, golds), others in zip(
        found, _nearest([question for question, *_ in found], texts), strict=True
    ):
        wrong = [dice.choice(found[place][1]) for place in others[:6]]
        wrong += dice.sample(beside, min(3, len(beside)))
        wrong = [choice for choice in wrong if not _has(choice, golds)]
        dice.shuffle(wrong)
        if wrong:
            lessons.append(Drill("nq", question, (dice.choice(right),), tuple(wrong[:_WRONG])))
    dice.shuffle(lessons)
    return lessons


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


def _has(choice: Offered, golds: Sequence[str]) -> bool:
    return any(f" {gold} " in f" {_plain(choice.text)} " for gold in golds)


_SAID = {
    "symptoms": "How does one notice {}?|What are the signs of {}?|what does {} feel like",
    "treatment": "How is {} treated?|What helps against {}?|what can be done about {}",
    "causes": "Why does one get {}?|What brings about {}?|where does {} come from",
    "outlook": "What happens to people who have {}?|how does {} go on|Do people recover from {}?",
    "information": "What is {}?|{}?|Tell me about {}|what's meant by {}",
    "susceptibility": "Who gets {}?|Who is likelier to have {}?",
    "prevention": "How do I avoid {}?|Can one keep {} from happening?",
    "exams and tests": "How do doctors find {}?|How is {} diagnosed?|which tests for {}",
    "complications": "What else can go wrong with {}?",
    "frequency": "How common is {}?|how many people have {}",
    "research": "What is being studied about {}?",
    "considerations": "What should people with {} keep in mind?",
}


def _medquad(data: Path, dice: random.Random) -> list[Drill]:
    """Return first sentences of answers; wrong are those to other questions about it, and of others."""
    rows = _rows(data / "medquad/medquad.jsonl")
    said = [[text for text in _sentences(row["answer"]) if len(text.split()) > 4] for row in rows]
    about: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        about[row["focus"]].append(place)
    texts = [f"{row['question']} {_cut(row['answer'])}" for row in rows]
    lessons = []
    for place, others in enumerate(_nearest([row["question"] for row in rows], texts)):
        focus, kind = rows[place]["focus"], rows[place]["qtype"]
        if not said[place] or len(focus.split()) > 6:
            continue
        sisters = [one for one in about[focus] if rows[one]["qtype"] != kind][:4]
        places = sisters + [one for one in others if rows[one]["focus"] != focus]
        wrong = [
            Offered(dice.choice(said[one][:4]), rows[one]["focus"] if dice.random() < 0.7 else "")
            for one in places
            if said[one]
        ]
        asked = dice.choice(_SAID[kind].split("|")).format(focus)
        asked = (
            asked if dice.random() < 0.6 else rows[place]["question"].replace("(are) ", "").replace(" ?", "?")
        )
        right = Offered(said[place][0], focus if dice.random() < 0.7 else "")
        lessons.append(Drill("medquad", asked, (right,), tuple(wrong[:_WRONG])))
    dice.shuffle(lessons)
    return lessons


def _dialogue(data: Path) -> list[Drill]:
    """Return what a reply was made of, for messages with a question (Wizard of Wikipedia)."""
    told = {
        row["message"]: row["evidence"]
        for row in _rows(data / "begin/begin.jsonl")
        if row["part"].startswith("wow") and "?" in row["message"]
    }
    told |= {
        row["message"]: row["context"] for row in _rows(data / "q2_wow/q2_wow.jsonl") if "?" in row["message"]
    }
    lessons = []
    for (message, text), others in zip(
        told.items(), _nearest(list(told.values()), list(told.values())), strict=True
    ):
        texts = list(told.values())
        wrong = {texts[place].lower()[:40]: texts[place] for place in others}
        wrong.pop(text.lower()[:40], None)
        short = (
            message if len(message.split()) < 25 else [one for one in _sentences(message) if "?" in one][-1]
        )
        choices = tuple(Offered(one) for one in list(wrong.values())[:_WRONG])
        lessons.append(Drill("dialogue", short, (Offered(text),), choices))
    return lessons


def _factcheck(data: Path) -> list[Drill]:
    """Return web evidence that supports a claim, and what has nothing to do with it."""
    by: dict[str, tuple[list[Offered], list[Offered]]] = defaultdict(lambda: ([], []))
    for row in _rows(data / "factcheck_gpt/claim_evidence_stance.jsonl"):
        if row["stance"] in ("completely-support", "irrelevant"):
            by[row["claim"]][row["stance"] == "irrelevant"].append(Offered(_cut(row["evidence"])))
    return [
        Drill("factcheck", claim, (right[0],), tuple(wrong[:_WRONG]))
        for claim, (right, wrong) in by.items()
        if right and wrong
    ]


def _cuad(data: Path, dice: random.Random) -> list[Drill]:
    """Return clauses of a category, asked for by its question, and clauses that are not of it."""
    texts = {row["_id"]: _cut(row["text"]) for row in _rows(data / "cuad/clauses.jsonl")}
    asked = json.loads((data / "cuad/category_questions.json").read_text(encoding="utf-8"))
    by: dict[str, dict[str, list[Offered]]] = defaultdict(lambda: {"Yes": [], "No": []})
    for row in _rows(data / "cuad/labels.jsonl"):
        by[row["category"]][row["label"]].append(Offered(texts[row["clause_id"]]))
    lessons = []
    for category, own in by.items():
        question = asked[category]["question"]
        ways = (
            question,
            question.replace("the clause", "the contract"),
            re.sub(r"Does the clause", "What does", question),
        )
        lessons += [
            Drill(
                "cuad",
                dice.choice(ways),
                (right,),
                tuple(dice.sample(own["No"], min(_WRONG, len(own["No"])))),
            )
            for right in dice.sample(own["Yes"], min(14, len(own["Yes"])))
        ]
    dice.shuffle(lessons)
    return lessons


def _pubmedqa(data: Path, dice: random.Random) -> list[Drill]:
    """Return the conclusion of an abstract among its other sentences."""
    lessons = []
    for row in _rows(data / "pubmedqa/pubmedqa_dev.jsonl"):
        wrong = [choice for text in row["contexts"] for choice in _choices("", _sentences(text))]
        right = Offered(_sentences(row["conclusion"])[0])
        lessons.append(
            Drill("pubmedqa", row["question"], (right,), tuple(dice.sample(wrong, min(_WRONG, len(wrong)))))
        )
    return lessons


def _scifact(data: Path, dice: random.Random) -> list[Drill]:
    """Return the sentences of an abstract that bear a claim out, or refute it, among the others."""
    documents = {row["_id"]: row for row in _rows(data / "scifact/corpus.jsonl")}
    lessons = []
    for row in _rows(data / "scifact/claims_train.jsonl"):
        told = row["evidence"] if isinstance(row["evidence"], list) else ast.literal_eval(row["evidence"])
        document = documents.get(told[0]["doc_id"]) if told else None
        if document is None:
            continue
        choices = _choices(document["title"], _sentences(document["text"]))
        gold = {place for one in told if one["doc_id"] == document["_id"] for place in one["sentences"]}
        right = [choice for place, choice in enumerate(choices) if place in gold]
        wrong = [choice for place, choice in enumerate(choices) if place not in gold]
        if right and wrong:
            wrong = dice.sample(wrong, min(_WRONG, len(wrong)))
            lessons.append(Drill("scifact", row["claim"], tuple(right), tuple(wrong)))
    return lessons


def _page(path: Path) -> Iterator[tuple[str, str]]:
    """Yield title and prose of the sections of a page in Markdown, without code, tables and fields."""
    text = path.read_text(encoding="utf-8", errors="replace")
    found = re.search(r'title: "?([^"\n]+)', text)
    title = head = found[1] if found else ""
    for block in re.split(r"\n(?=#+ )", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if heading := re.match(r"#+ (.+)", block):
            head, block = heading[1], block[heading.end() :]
        lines = (line for line in block.split("\n") if line.strip() and ":" not in line[:12])
        prose = " ".join(line for line in lines if not line.startswith(("|", "import", "---", "<")))
        prose = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", prose).replace("**", "")
        yield (title if head == title else f"{title} > {head}"), prose


# What a sentence says, by what it looks like, and how one asks for it.
_NUMBER = re.compile(
    r"(?:[$€£]\s?)?\b\d[\d.,]*(?:\s?(?:%|percent|million|billion|mg|g|kg|km|ms|s|kB|MB|GB)(?!\w))?"
    r"(?:[ -](?:seconds?|minutes?|hours?|days?|weeks?|months?|years?))?"
)
_TIME = re.compile(r"second|minute|hour|day|week|month|year|\bms\b|\d s\b")
_NUMBERS = (
    (_TIME, "how long|how much time|when|after how many days"),
    (re.compile(r"(?:19|20)\d\d$"), "when|in what year|since when"),
    (re.compile(r"%|percent"), "what share|what percentage|how many|which part"),
    (re.compile(r"[$€£]"), "how much|what price|how much money"),
    (re.compile(""), "how many|how much|what number|what is the value of|what is the size of"),
)
_SAYS = (
    (_NUMBER, "", False),
    (
        re.compile(
            r"\b(?:because|due to|caused by|as a result of|since|in order to|so that)\b.*", re.IGNORECASE
        ),
        "why|what is the reason that|how come",
        True,
    ),
    (
        re.compile(r"`[^`]+`|\b\w+_\w+\b|\b[A-Z][a-z]+[A-Z]\w+\b|--\w[\w-]*"),
        "which|what|which option|what is the name of the|how do I|which class",
        False,
    ),
    (
        re.compile(r"(?:(?<=called )|(?<=known as )|(?<=named ))[\w -]{3,30}"),
        "what is it called|what name|what is the term for",
        False,
    ),
    (
        re.compile(r"\b(?:in|at|on|from|under|behind) the [\w-]+(?: [\w-]+)?"),
        "where|in what|on which|where does",
        False,
    ),
    (
        re.compile(r"\b(?:must|should|need to|have to|can|may|cannot)\b.*", re.IGNORECASE),
        "what must I do|may I|how|what should be done|can one|is it allowed",
        True,
    ),
    (
        re.compile(r"\b(?:is|are|means|refers to|consists? of|includes?|contains?)\b.*", re.IGNORECASE),
        "what is|what does|what are|which",
        True,
    ),
    (re.compile(r"\b[a-z]{4,}\b(?: [\w-]+){0,3}$"), "what|which|how|what does|who", False),
)


def _asked(kind: str, title: str, text: str, dice: random.Random) -> Drill | None:
    """Ask for what a sentence of a text says, in few of its words and some of the sentence before it."""
    sentences = [one for one in _sentences(text) if len(one.split()) in _SENTENCE and one[-1] in ".!?"][:14]
    if len(sentences) < 4:
        return None
    place = dice.randrange(len(sentences))
    before, own = sentences[place - 1] if place else "", sentences[place]
    question = _question(before, own, title, dice)
    if not question:
        return None
    choices = _choices(title if dice.random() < 0.7 else "", sentences)
    beside = [choices[one] for one in (place - 1, place + 1) if 0 <= one < len(choices)]
    rest = [choice for one, choice in enumerate(choices) if abs(one - place) > 1]
    wrong = beside + dice.sample(rest, min(4, len(rest)))
    return Drill(kind, question, (choices[place],), tuple(wrong[:_WRONG]), len(beside))


def _question(before: str, own: str, title: str, dice: random.Random) -> str:
    """Return a question word for what is left out, and words of the rest, of what is before and above."""
    found = [(says.search(own), ways, rest) for says, ways, rest in _SAYS]
    fitting = [(match, ways, rest) for match, ways, rest in found if match]
    if not fitting:
        return ""
    match, ways, rest = dice.choice(fitting[:3])
    ways = ways or next(way for sort, way in _NUMBERS if sort.search(match[0]))
    left = (
        own[match.end() :] if not rest else " ".join(w for w in match[0].split()[1:] if dice.random() < 0.25)
    )
    words = _some(f"{own[: match.start()]} {left}", dice.choice((0.25, 0.5, 0.7)), dice)[:9]
    above = _some(before, dice.choice((0, 0, 0.25, 0.45)), dice)[:8]
    titled = re.findall(r"[\w'-]+", title)[:4] if dice.random() < 0.4 else []
    parts = above + words if dice.random() < 0.6 else words + above
    if sum(word.lower() not in STOP_WORDS for word in parts + titled) < 2:
        return ""
    said = " ".join([dice.choice(ways.split("|")), *parts, *titled])
    return f"{said[0].upper()}{said[1:]}?" if dice.random() < 0.6 else said.lower()


def _some(text: str, share: float, dice: random.Random) -> list[str]:
    """Return a share of the words of a text in their order; of small words half as many."""
    words = re.findall(r"[\w'-]+", text)
    return [word for word in words if dice.random() < share / (1 + (word.lower() in STOP_WORDS))]
