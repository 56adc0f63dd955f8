"""Conversational query rewriting by rule: a follow-up becomes a question of its own before retrieval."""

from __future__ import annotations

import dataclasses
import re
from collections import deque
from collections.abc import Callable, Sequence

from hybrid.text.sentences import sentence_spans
from hybrid.text.words import content_words, word_set
from hybrid.types import Answer, Message, MessageRole

# A conversation is followed so many questions back: what it was about before has been said again since.
_TURNS = 4
_KEPT = 64
# A question with more words of its own than these says by itself what it is about.
_SHORT, _LEANING_AT_MOST = 2, 5
_POINTING = word_set(
    "it its itself they them their theirs this that these those one ones former latter other others both two",
    "he him his she her then there too instead same such",
)
_OPENING = re.compile(
    r"(?:so\b|and\b|or\b|but\b|also\b|with\b|without\b|what about\b|how about\b|what if\b|why\b|how come\b"
    r"|how so\b|for what reason\b|what else\b|what for\b|since when\b)",
    re.IGNORECASE,
)
_AGREEING = re.compile(
    r"(?:(?:yes|yeah|yep|yup|sure|ok|okay|please(?: do)?|of course|certainly|go on|go ahead|tell me|do it)"
    r"\b[\s,.!]*)+",
    re.IGNORECASE,
)
_ANOTHER = re.compile(
    r"\b(?:something else|another (?:question|topic|subject|thing)|other (?:question|topic|subject)"
    r"|different (?:question|topic|subject)|new (?:question|topic|subject)|change of (?:topic|subject)"
    r"|now for|unrelated)\b",
    re.IGNORECASE,
)
_MARKER = re.compile(r"\s*\[\d+\]")
_NAME = re.compile(r"\w*[_\d]\w*|\w+[A-Z]\w*")


def standalone(question: str, history: Sequence[Message]) -> str:
    """Return what a question asks when nobody has heard the conversation before it.

    A follow-up is told by words that point back (it, those, the other), by how it begins (and, why, what
    about), by assent to what was offered last, or by having hardly a word of its own; it is put behind the
    question that it follows. Any other question, and one that says that it changes the subject, stands as it
    is.

    Args:
        question: in plain words.
        history: the turns before it, the oldest first.
    """
    asked = [turn.content for turn in history if turn.role is MessageRole.USER][-_TURNS:]
    said = [turn.content for turn in history if turn.role is MessageRole.ASSISTANT]
    topic = ""
    for place, earlier in enumerate([*asked, question]):
        last = place == len(asked)
        offer = _offer(said[-1]) if last and said else ""
        topic = _joined(topic, earlier, offer)
    return topic


def _joined(topic: str, question: str, offer: str) -> str:
    text = question.strip()
    if not topic or _ANOTHER.search(text):
        return text
    if offer and _AGREEING.match(text):
        rest = content_words(_AGREEING.sub("", text, count=1))
        return " ".join([topic, offer, *([text] if rest else [])])
    return f"{topic} {text}" if _leans(text) else text


def _leans(question: str) -> bool:
    """Tell whether a question cannot be understood by itself."""
    own = content_words(question)
    pointing = any(word in _POINTING for word in re.findall(r"\w+", question.lower()))
    if pointing or _OPENING.match(question) or _AGREEING.match(question):
        return len(own) <= _LEANING_AT_MOST
    return len(own) <= _SHORT and not _NAME.search(question)


def _offer(answer: str) -> str:
    """Return the question that an answer ends with."""
    text = _MARKER.sub("", answer).strip()
    spans = list(sentence_spans(text))
    last = text[spans[-1].start : spans[-1].end].strip() if spans else ""
    return last if last.endswith("?") else ""


class Conversation:
    """Questions that follow each other: each is understood with the turns before it.

    Args:
        ask: answers a question after a history, the oldest turn first.
    """

    def __init__(self, ask: Callable[[str, Sequence[Message]], Answer]) -> None:
        self._ask = ask
        self._turns: deque[Message] = deque(maxlen=_KEPT)

    @property
    def history(self) -> tuple[Message, ...]:
        """Return the last turns, the oldest first."""
        return tuple(self._turns)

    def ask(self, question: str) -> Answer:
        """Answer a question and remember both; ``answer.standalone`` is what was understood."""
        answer = self._ask(question, self.history)
        self._turns.extend(turns(question, answer))
        return answer


def turns(question: str, answer: Answer) -> tuple[Message, Message]:
    """Return a question and its answer as the turns of a conversation."""
    return Message(MessageRole.USER, question), Message(MessageRole.ASSISTANT, answer.text)


def understood(answer: Answer, question: str, meant: str) -> Answer:
    """Return an answer to what a question was understood to ask as one to the question itself."""
    if meant == question.strip():
        return answer
    return dataclasses.replace(answer, question=question, standalone=meant)
