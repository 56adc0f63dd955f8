"""Conversational query rewriting: a follow-up becomes a question of its own before retrieval."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from hybrid.generation.asking import FOLLOWED, shortened
from hybrid.generation.prompts import FollowupPrompt
from hybrid.generation.talk import hear
from hybrid.models import Generator
from hybrid.text.sentences import sentence_spans
from hybrid.text.words import content_words, share_supported, word_set
from hybrid.types import Answer, Message, MessageRole

# A conversation is followed so many questions back: what it was about before has been said again since.
_TURNS = 4
_KEPT = 64
# A question with more words of its own than these says by itself what it is about: what asks for one thing,
# "is electricity included?", what points back.
_SHORT, _LEANING_AT_MOST = 2, 5
# It is asked in a sentence; who and where are asked for with the one word that says of what.
_SENTENCE = re.compile(
    r"(?:(?:in |at |on |for |from |to )?(?:what|when|where|who|whose|whom|which|how|why)\b"
    r"|(?P<polar>is|are|was|were)\b"
    r"|(?:do|does|did|can|could|may|must|should|will|would|has|have|had|list|name|show|tell|give)\b)",
    re.IGNORECASE,
)
_BY_NAME = re.compile(r"(?:who|where)(?:'s| is| are| was| were)\b|what does\b|which\b", re.IGNORECASE)
_POINTING = word_set(
    "it its itself they them their theirs this that these those one ones former latter other others both two",
    "he him his she her then there too instead same such",
)
# "there is" points at nothing
_EXISTS = re.compile(
    r"\bthere(?:'s| (?:is|are|was|were|be|exists?)\b)|\b(?:is|are|was|were|be) there\b", re.IGNORECASE
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
_NAMES_AT_MOST = 3
# What a question may be about: names, numbers, versions.
_THING = re.compile(r"\w+(?:[._-]\w+)*")
# In a question alike words of place or of time may be exchanged.
_PLACES = (
    word_set("in within inside outside near at from to into"),
    word_set("after before during since until by for within"),
    word_set("of"),
)
_PREPOSITIONS = "|".join(sorted(frozenset().union(*_PLACES)))
_OF_IT = re.compile(rf"(?:{_PREPOSITIONS}|with|without|on|as|by)\b", re.IGNORECASE)
_DETERMINER = r"(?:the|a|an|my|our|your)"
_ANOTHER_THING = re.compile(
    r"(?P<about>(?:(?:and|or|but|so)\b\s*)?(?:(?:what|how)\s+about\b\s*)?)"
    rf"(?:(?P<place>{_PREPOSITIONS})\s+)?(?:(?P<the>{_DETERMINER})\s+)?(?P<thing>\S+(?:\s+\w+)?)\s*\?+",
    re.IGNORECASE,
)
_PHRASE = re.compile(
    rf"\b(?P<place>{_PREPOSITIONS})\s+(?:{_DETERMINER}\s+)?(?P<thing>(?:\d\S*\s+)?[\w-]+)", re.IGNORECASE
)
# not what stands for a whole sentence: "how long does it take", "is it allowed"
_IT = re.compile(
    r"\bit\b(?!'|\s+(?:takes?|means?|happens?|possible|allowed|necessary|required|true)\b)", re.IGNORECASE
)
# "of the K300 matte black?": the words behind a name belong to it where nothing else follows.
_WHOLE_NAME = r"((?:(?<=of )[Tt]he {0}(?: \w+){{0,2}}(?=[?.]))|(?:\b[Tt]he )?{0})"
_UNITS = word_set("m2 m3 km2 co2 eur usd gbp chf ghz mhz khz hz kwh kw mw gb mb kb tb ml kg km cm mm")
# What a generator may make of a follow-up: so many tokens and characters, and so much of it from the turns.
_REWRITTEN_TOKENS, _REWRITTEN, _KNOWN = 96, 400, 0.7


def standalone(question: str, history: Sequence[Message]) -> str:
    """Return what a question asks when nobody has heard the conversation before it.

    A follow-up is told by words that point back (it, those, the other), by how it begins (and, why, what
    about), by assent to what was offered last, or by having hardly a word of its own; it is put behind the
    question that it follows and, where it points back, behind the names that the answer to that brought up.
    What was asked before ends with ``FOLLOWED``. Any other question, and one that says that it changes the
    subject, stands as it is. The passages of the answer before it are found again by this, in the index of
    now and for who asks now. ``history`` are the turns before it, the oldest first.
    """
    told = [turn.content for turn in history if turn.role is MessageRole.USER][-2 * _TURNS :]
    asked = [heard.question for heard in map(hear, map(shortened, told)) if heard.act is None][-_TURNS:]
    heard = hear(question)
    # what nobody reads to its end follows nothing
    if heard.act is not None or heard.question != shortened(heard.question):
        return heard.question
    said = [shortened(turn.content) for turn in history if turn.role is MessageRole.ASSISTANT]
    topic = ""
    for place, earlier in enumerate([*asked, heard.question]):
        topic = _joined(topic, earlier, said[-1] if place == len(asked) and said else "")
    return topic


def rewritten(question: str, history: Sequence[Message], generator: Generator, prompt: FollowupPrompt) -> str:
    """Return what a question asks in the words of a generator, as far as that holds.

    Taken is one line that keeps the words of the question and invents no name, no number and few words, with
    which a generator that is too small cannot do worse than the rules: in place of any other text stands
    what ``standalone`` returns.
    """
    if not history:
        return question.strip()
    told = history[-2 * _TURNS :]
    (found,) = generator.generate(
        [prompt.conversation(question, told)], max_new_tokens=_REWRITTEN_TOKENS, stop=("\n",)
    )
    text = found.text.strip().strip('"')
    known = " ".join([question, *(turn.content for turn in told)])
    invented = set(_NAME.findall(text)) - set(_NAME.findall(known))
    kept = set(content_words(question)) <= set(content_words(text))
    if invented or not kept or len(text) > _REWRITTEN or share_supported(text, known) < _KNOWN:
        return standalone(question, history)
    return text


def _joined(topic: str, question: str, answer: str) -> str:
    text = question.strip()
    if not topic or _ANOTHER.search(text):
        return text
    if (exchanged := _exchanged(topic, text) or _named(topic, text, answer)) is not None:
        return exchanged
    if _AGREEING.match(text) and (offer := _offer(answer)):
        rest = content_words(_AGREEING.sub("", text, count=1))
        return FOLLOWED.join([topic, offer, *([text] if rest else [])])
    if not _leans(text, topic):
        return text
    # what was asked between them is of no matter, unless it is pointed at
    root, *between = topic.split(FOLLOWED)
    topic = FOLLOWED.join([root, *(between[-1:] if _points(text) else [])])
    return FOLLOWED.join([" ".join([topic, *_names(answer, topic, text)]), text])


def _exchanged(topic: str, text: str) -> str | None:
    """Return the question before with another thing in its place ("and of the K100?"), None if none is clear.

    A name takes the place of the name that is spelled most like it, a place or a time that of the last one.
    """
    found = _ANOTHER_THING.fullmatch(text)
    if found is None:
        return None
    thing, place = found["thing"], found["place"] or ""
    alike = [own for own in _THING.finditer(topic) if _shape(own.group()) == _shape(thing)]
    if _shape(thing) and alike:
        said = max(alike, key=lambda own: (own.group()[:1] == thing[:1], len(own.group()) == len(thing)))
        return f"{topic[: said.start()]}{thing}{topic[said.end() :]}"
    kind = next((words for words in _PLACES if place.lower() in words), frozenset())
    phrases = [own for own in _PHRASE.finditer(topic) if own["place"].lower() in kind]
    if not place and found["about"] and thing[0].isupper():  # "what about Austria?"
        phrases = [own for own in _PHRASE.finditer(topic) if own["thing"][0].isupper()]
    if not phrases:
        return None
    said = next((own for own in reversed(phrases) if own["place"].lower() == place.lower()), phrases[-1])
    new = " ".join(filter(None, (place or said["place"], found["the"], thing)))
    return f"{topic[: said.start()]}{new}{topic[said.end() :]}"


def _named(topic: str, text: str, answer: str) -> str | None:
    """Return a question about "it" with the one name of the question before it, None if none is clear."""
    names = list(dict.fromkeys(own.group() for own in _THING.finditer(topic) if _is_name(own.group())))
    if len(names) != 1 or len(_IT.findall(text)) != 1 or _names(answer, topic, text):
        return None
    if (
        not _leans(text, topic)
        or not content_words(text)
        or _OPENING.match(text)
        or any(map(_is_name, _THING.findall(text)))
    ):
        return None
    found = re.search(_WHOLE_NAME.format(re.escape(names[0])), topic)
    return _IT.sub(lambda _: found.group(1) if found else names[0], text)


def _is_name(word: str) -> bool:
    return any(map(str.isalpha, word)) and any(letter.isdigit() or letter == "_" for letter in word)


def _shape(word: str) -> str:
    """Return what a name is made of: runs of digits as 9, of letters as a; empty for a plain word."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", word)) if re.search(r"[\d_]", word) else ""


def _leans(question: str, topic: str) -> bool:
    """Tell whether a question cannot be understood by itself.

    Words without a verb stand for themselves where the question before them was no sentence either.
    """
    own = content_words(question)
    if _points(question) or _OPENING.match(question) or _AGREEING.match(question):
        return len(own) <= _LEANING_AT_MOST
    asks = _SENTENCE.match(question)
    if _NAME.search(question) and not (asks and asks["polar"] and len(own) <= _SHORT):  # "is VAT included?"
        return False
    if asks is None and _OF_IT.match(question):  # "for members?"
        return len(own) <= _SHORT
    if asks is None:
        return len(own) <= 1 and bool(_SENTENCE.match(topic))
    if _EXISTS.search(question):
        return len(own) <= 1
    if _BY_NAME.match(question):
        return not own
    return len(own) <= (_SHORT if asks["polar"] else 1)


def _names(answer: str, topic: str, question: str) -> list[str]:
    """Return the names that an answer begins with, if a question that names nothing points back at them."""
    if not _points(question) or _NAME.search(question):
        return []
    text = _MARKER.sub("", answer)
    first = next((text[span.start : span.end] for span in sentence_spans(text)), "")
    found = [name for name in _NAME.findall(first) if any(map(str.isalpha, name))]
    said = [name for name in found if name.lower() not in _UNITS]
    return [name for name in dict.fromkeys(said) if name.lower() not in topic.lower()][:_NAMES_AT_MOST]


def _points(question: str) -> bool:
    return any(word in _POINTING for word in re.findall(r"\w+", _EXISTS.sub(" ", question.lower())))


def _offer(answer: str) -> str:
    """Return the question that an answer ends with."""
    text = _MARKER.sub("", answer).strip()
    spans = list(sentence_spans(text))
    last = text[spans[-1].start : spans[-1].end].strip() if spans else ""
    return last if last.endswith("?") else ""


class Conversation:
    """Questions that follow each other: each is understood with the turns before it.

    ``answer`` answers a question after a history, the oldest turn first, in pieces and at last as a whole.
    """

    def __init__(self, answer: Callable[[str, Sequence[Message]], Iterator[str | Answer]]) -> None:
        self._answer = answer
        self._turns: deque[Message] = deque(maxlen=_KEPT)

    @property
    def history(self) -> tuple[Message, ...]:
        """Return the last turns, the oldest first."""
        return tuple(self._turns)

    def ask(self, question: str) -> Answer:
        """Answer a question and remember both; ``answer.standalone`` is what was understood."""
        *_, answer = self.stream(question)
        assert isinstance(answer, Answer), "a stream ends with the answer"
        return answer

    def stream(self, question: str) -> Iterator[str | Answer]:
        """Yield the answer in pieces of text, and at last as an ``Answer``; then it is remembered."""
        for part in self._answer(question, self.history):
            if isinstance(part, Answer):
                said = Message(MessageRole.ASSISTANT, part.text)
                self._turns.extend((Message(MessageRole.USER, question), said))
            yield part


def understood(answer: Answer, question: str, meant: str) -> Answer:
    """Return an answer to what a question was understood to ask as one to the question itself."""
    if meant in (question.strip(), hear(question).question):
        return replace(answer, question=question)
    return replace(answer, question=question, standalone=" ".join((answer.standalone or meant).split()))
