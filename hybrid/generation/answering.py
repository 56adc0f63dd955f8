"""Readers: from a question and hits to an answer whose citations hold, or an abstention."""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hybrid.config import GenerationSettings, Reader
from hybrid.generation.citations import CitedText, cite_generated, join_cited, pieces_of, settled_part
from hybrid.generation.extracting import Extract, extract
from hybrid.generation.prompts import (
    STOP,
    Passage,
    Prompts,
    declines,
    load_prompts,
    load_writing_prompt,
    pack,
    passage_of,
)
from hybrid.generation.quoting import cite_quoted, parse
from hybrid.generation.ranking import focus_all
from hybrid.generation.talk import decline
from hybrid.generation.written import SCHEMA, Written, cite_written, read_written
from hybrid.models import Embedder, Generation, Generator, Structured
from hybrid.tracing import names
from hybrid.tracing.names import SpanKind
from hybrid.tracing.spans import Attributes, OpenSpan, generated, only, span
from hybrid.types import Answer, Arm, Hit, Message

# A reader that has learned to decline is asked unless hardly a word of the question is in the passages.
_FAR_BELOW = 0.5
_NOTHING = CitedText("", ())


@dataclass(frozen=True, slots=True)
class _Turn:
    """What the generator is asked, and what becomes of its text: while it grows, and when it is there."""

    messages: Sequence[Message]
    finish: Callable[[Generation], Answer]
    ready: Callable[[str], CitedText] = lambda text: _NOTHING


@dataclass(frozen=True, slots=True)
class Answerer:
    """Answer questions by any arm.

    ``generator`` is called only when an answer needs one, so that the extractive reader never loads
    it. For ``adapter`` and ``both`` it is to give the adapted generator: they ask as ``base`` and ``rag`` do.
    """

    embedder: Embedder
    generator: Callable[[], Generator]
    settings: GenerationSettings

    def answer(self, question: str, hits: Sequence[Hit], *, arm: Arm = Arm.RAG) -> Answer:
        """Answer one question."""
        return self.answer_all([question], [hits], arm=arm)[0]

    def answer_all(
        self,
        questions: Sequence[str],
        hits: Sequence[Sequence[Hit]],
        *,
        arm: Arm = Arm.RAG,
        rows: Sequence[Sequence[Hit]] | None = None,
    ) -> list[Answer]:
        """Answer questions in batches; ``hits`` has one ranking a question, ignored without retrieval.

        ``rows`` has for each all records of the file that it asks for the greatest or the least of, if any.
        ``both`` is there for its generator: the extractive reader gives way to the generating one.
        """
        begun = time.perf_counter()
        with span(names.ANSWER, attributes={names.ARM: arm}):
            turns = self._turns(questions, hits, arm, rows)
            open_ended = [place for place, turn in enumerate(turns) if isinstance(turn, _Turn)]
            asked = [turn.messages for turn in turns if isinstance(turn, _Turn)]
            written: Iterator[Generation] = iter(())
            if asked:
                generator, stop = self._writing_one(arm)
                tokens = self.settings.max_new_tokens
                with only(open_ended, of=len(turns)), self._generating_span(generator) as stage:
                    texts = generator.generate(asked, max_new_tokens=tokens, stop=stop)
                    stage.set_each([_generated(*each) for each in zip(asked, texts, strict=True)])
                written = iter(texts)
            answers = [turn.finish(next(written)) if isinstance(turn, _Turn) else turn for turn in turns]
        return _by_arm(answers, arm, begun)

    def choose_all(
        self,
        questions: Sequence[str],
        options: Sequence[Sequence[str]],
        hits: Sequence[Sequence[Hit]],
        *,
        arm: Arm = Arm.RAG,
    ) -> list[Answer]:
        """Choose for every question the likeliest of its options; whatever the reader, nothing is written.

        The likelihood of an option is that of its whole text. Divided by its number of tokens it chose
        worse: of 300 contract clauses (CUAD) 18 % instead of 24 % got the right one of five categories,
        where guessing gives 20 %. The confidence is the share of the option, and too high with long ones.

        Args:
            questions: in plain words.
            options: for each question the labels to choose from.
            hits: for each question a ranking, ignored by ``base`` and ``adapter``.
            arm: ``rag`` and ``both`` put the passages before the question.
        """
        if not questions:
            return []
        begun = time.perf_counter()
        with span(names.CHOOSE, attributes={names.ARM: arm}):
            shown: Sequence[Sequence[Hit]] = hits if _retrieves(arm) else [()] * len(questions)
            conversations = [
                self._prompts.choice(
                    question,
                    labels,
                    self._pack(ranking, functools.partial(self._prompts.choice, question, labels)),
                )
                for question, labels, ranking in zip(questions, options, shown, strict=True)
            ]
            generator = self.generator()
            answers = []
            for place, likelihoods in enumerate(generator.log_likelihoods(conversations, options)):
                best = likelihoods.index(max(likelihoods))
                answers.append(
                    Answer(
                        question=questions[place],
                        text=options[place][best],
                        arm=arm,
                        reader="likelihood",
                        hits=tuple(shown[place]),
                        confidence=1 / sum(math.exp(value - likelihoods[best]) for value in likelihoods),
                        prompt_tokens=generator.count_prompt_tokens(conversations[place]),
                    )
                )
        return _by_arm(answers, arm, begun)

    def sample_all(
        self, answers: Sequence[Answer], count: int, *, temperature: float = 1.0, seed: int = 0
    ) -> list[list[Answer]]:
        """Return for each answer without passages so many others to its question, drawn by chance."""
        if not answers:
            return []
        drawn = self.generator().sample(
            [self._prompts.base(answer.question) for answer in answers],
            count,
            max_new_tokens=self.settings.max_new_tokens,
            temperature=temperature,
            seed=seed,
            stop=STOP,
        )
        return [
            [dataclasses.replace(self._plain(answer.question, text), arm=answer.arm) for text in texts]
            for answer, texts in zip(answers, drawn, strict=True)
        ]

    def log_probabilities(self, answers: Sequence[Answer]) -> list[list[float]]:
        """Return for each answer without passages the log-probabilities of its tokens.

        Raises:
            LikelihoodMissing: the generator tells none.
        """
        conversations = [self._prompts.base(answer.question) for answer in answers]
        found = self.generator().log_probabilities(conversations, [[answer.text] for answer in answers])
        return [tokens for (tokens,) in found]

    def stream(
        self, question: str, hits: Sequence[Hit], *, arm: Arm = Arm.RAG, rows: Sequence[Hit] = ()
    ) -> Iterator[str | Answer]:
        """Yield pieces of text as they come, and at last the answer as it stands after the checks.

        Without retrieval it is shown while it is written. What is read from passages has passed the check
        against them, so it comes sentence by sentence, and a sentence that fails is never shown; from the
        extractive and the quoting reader it comes so when all of it is there.
        """
        if self._reader(arm) in (None, Reader.GENERATOR, Reader.WRITER):
            stage = span(names.ANSWER, attributes={names.ARM: arm})
            return stage.stream(lambda: self._pieces(question, hits, arm))
        (answer,) = self.answer_all([question], [hits], arm=arm, rows=[rows])
        return iter([*pieces_of(answer.text), answer])

    def _pieces(self, question: str, hits: Sequence[Hit], arm: Arm) -> Iterator[str | Answer]:
        begun = time.perf_counter()
        (turn,) = self._turns([question], [hits], arm, None)
        if isinstance(turn, _Turn):
            return self._streamed(turn, arm, begun)
        (answer,) = _by_arm([turn], arm, begun)
        return iter([*pieces_of(answer.text), answer])

    def _streamed(self, turn: _Turn, arm: Arm, begun: float) -> Iterator[str | Answer]:
        (generator, stop), tokens = self._writing_one(arm), self.settings.max_new_tokens
        text, shown, written = "", _NOTHING, None
        stage = self._generating_span(generator)
        for piece in stage.stream(lambda: generator.stream(turn.messages, max_new_tokens=tokens, stop=stop)):
            if isinstance(piece, Generation):
                written = piece
                stage.set(_generated(turn.messages, piece))
                continue
            text += piece
            ready = turn.ready(text)
            if ready.text.startswith(shown.text) and ready.text != shown.text:
                yield ready.text[len(shown.text) :]
                shown = ready
        # a generator of one's own may end without it
        answer = turn.finish(written or Generation(text, generator.count_prompt_tokens(turn.messages), 0))
        if not answer.text.startswith(shown.text):
            # the whole falls into other sentences than its beginning did: what was shown has passed
            answer = dataclasses.replace(answer, text=shown.text, citations=shown.citations, abstained=False)
        yield answer.text[len(shown.text) :]
        yield _by_arm([answer], arm, begun)[0]

    def _reader(self, arm: Arm) -> Reader | None:
        """Return who reads the passages; None where there are none."""
        if not _retrieves(arm):
            return None
        extracts = self.settings.reader is Reader.EXTRACTIVE
        return Reader.GENERATOR if extracts and arm is Arm.BOTH else self.settings.reader

    def _writing_one(self, arm: Arm) -> tuple[Generator, Sequence[str]]:
        """Return what writes for an arm, and where its texts end."""
        generator = self.generator()
        if self._reader(arm) is not Reader.WRITER:
            return generator, STOP
        # it ends by itself, and might think of such a line before it answers
        return generator.structured(SCHEMA) if isinstance(generator, Structured) else generator, ()

    def _generating_span(self, generator: Generator) -> OpenSpan:
        about: Attributes = {names.MODEL: generator.name, names.MAX_TOKENS: self.settings.max_new_tokens}
        return span(names.GENERATE, SpanKind.LLM, about)

    def _turns(
        self,
        questions: Sequence[str],
        hits: Sequence[Sequence[Hit]],
        arm: Arm,
        rows: Sequence[Sequence[Hit]] | None,
    ) -> list[Answer | _Turn]:
        """Return for each question its answer, or what the generator is asked for one."""
        reader = self._reader(arm)
        if reader is None:
            return [
                _Turn(self._prompts.base(question), functools.partial(self._plain, question), _not_declined)
                for question in questions
            ]
        if reader is Reader.QUOTING:
            return self._quoting(questions, hits)
        if reader is Reader.EXTRACTIVE:
            return list(map(self._extracted, questions, hits, rows or [()] * len(questions)))
        read = self._writing if reader is Reader.WRITER else self._generating
        return [read(question, ranking) for question, ranking in zip(questions, hits, strict=True)]

    @property
    def _prompts(self) -> Prompts:
        return load_prompts(self.settings.language, self.settings.prompt)

    def _plain(self, question: str, written: Generation) -> Answer:
        abstained = declines(written.text)
        return Answer(
            question=question,
            text=self._prompts.abstention if abstained else written.text,
            arm=Arm.BASE,
            reader="generator",
            abstained=abstained,
            prompt_tokens=written.prompt_tokens,
            completion_tokens=written.completion_tokens,
            incomplete="" if abstained else _incomplete(written),
        )

    def _extracted(self, question: str, hits: Sequence[Hit], rows: Sequence[Hit]) -> Answer:
        found = self._extract(question, hits, rows)
        cited = join_cited(found.cited) if self._relevant(found) else _NOTHING
        # a row that is cited is among the hits, though it was not found
        places = [(one.source, one.start) for one in cited.citations]
        hits = [*hits, *(row for row in rows if any(_holds(row, *place) for place in places))]
        answer = self._checked(question, hits, cited, "extractive")
        read_as = "" if answer.abstained else found.read_as
        return dataclasses.replace(answer, confidence=found.relevance, standalone=read_as)

    def _generating(self, question: str, hits: Sequence[Hit]) -> Answer | _Turn:
        # the same gate for both readers: what the passages do not touch is not asked at all
        if not hits or self._extract(question, hits).relevance < self.settings.abstain_below:
            return self._checked(question, hits, _NOTHING, "generator")
        passages = self._pack(hits, functools.partial(self._prompts.rag, question))

        def cited(text: str) -> CitedText:
            return cite_generated(question, text, passages, threshold=self.settings.support)

        def ready(text: str) -> CitedText:
            return _NOTHING if declines(text) else cited(settled_part(text))

        def finish(written: Generation) -> Answer:
            declined = declines(written.text)
            return self._counted(question, hits, cited(written.text), written, "generator", declined=declined)

        return _Turn(self._prompts.rag(question, passages), finish, ready)

    def _writing(self, question: str, hits: Sequence[Hit]) -> Answer | _Turn:
        # who can decline is asked unless hardly a word of the question is in the passages
        if self._extract(question, hits).relevance < _FAR_BELOW * self.settings.abstain_below:
            return self._checked(question, hits, _NOTHING, "writer")
        prompt = load_writing_prompt(self.settings.language, self.settings.prompt)
        passages = self._pack(hits, functools.partial(prompt.conversation, question))

        def cited(written: Written) -> CitedText:
            return cite_written(question, written, passages, threshold=self.settings.support)

        def ready(text: str) -> CitedText:
            written = read_written(text)
            if written.plain or not written.settled or _unsure(written):
                return _NOTHING
            return cited(dataclasses.replace(written, answer=settled_part(written.answer or "")))

        def finish(generation: Generation) -> Answer:
            written = read_written(generation.text)
            found = _NOTHING if _unsure(written) else cited(written)
            return self._counted(question, hits, found, generation, "writer", declined=_unsure(written))

        return _Turn(prompt.conversation(question, passages), finish, ready)

    def _quoting(self, questions: Sequence[str], hits: Sequence[Sequence[Hit]]) -> list[Answer | _Turn]:
        shown = focus_all(
            questions,
            hits,
            self.embedder,
            passages=self.settings.passages,
            tokens=self.settings.passage_tokens,
        )
        gate = _FAR_BELOW * self.settings.abstain_below
        return [
            self._quoted(question, ranking, self._fitting(question, focus.passages))
            if focus.passages and focus.relevance >= gate
            else self._checked(question, ranking, _NOTHING, "quoting")
            for question, ranking, focus in zip(questions, hits, shown, strict=True)
        ]

    def _quoted(self, question: str, hits: Sequence[Hit], passages: Sequence[Passage]) -> _Turn:
        def finish(written: Generation) -> Answer:
            quoted = parse(written.text, passages)
            cited = cite_quoted(question, quoted, passages, threshold=self.settings.support)
            declined = declines(written.text) or declines(quoted.answer)
            return self._counted(question, hits, cited, written, "quoting", declined=declined)

        return _Turn(self._prompts.quoting(question, passages), finish)

    def _fitting(self, question: str, passages: Sequence[Passage]) -> Sequence[Passage]:
        """Return as many of the passages as the context takes."""
        generator = self.generator()
        budget = self._budget(generator)
        while passages and generator.count_prompt_tokens(self._prompts.quoting(question, passages)) > budget:
            passages = passages[:-1]
        return passages

    def _counted(
        self,
        question: str,
        hits: Sequence[Hit],
        cited: CitedText,
        written: Generation,
        reader: str,
        *,
        declined: bool,
    ) -> Answer:
        """Return what passed the check, or an abstention.

        Where nothing is left of an incomplete text there is no answer: to decline takes words of its own.
        """
        answer = self._checked(question, hits, cited, reader, declined=declined)
        incomplete = "" if declined else _incomplete(written)
        if incomplete and answer.abstained:
            answer = dataclasses.replace(answer, text="", abstained=False)
        return dataclasses.replace(
            answer,
            prompt_tokens=written.prompt_tokens,
            completion_tokens=written.completion_tokens,
            incomplete=incomplete,
        )

    def _extract(self, question: str, hits: Sequence[Hit], rows: Sequence[Hit] = ()) -> Extract:
        passages = [passage_of(number, hit) for number, hit in enumerate([*hits, *rows], start=1)]
        own, beside = passages[: len(hits)], passages[len(hits) :]
        most = self.settings.sentences
        return extract(question, hits, own, self.embedder, sentences=most, rows=beside)

    def _relevant(self, found: Extract) -> bool:
        return bool(found.cited) and found.relevance >= self.settings.abstain_below

    def _pack(
        self, hits: Sequence[Hit], prompt: Callable[[Sequence[Passage]], Sequence[Message]]
    ) -> list[Passage]:
        generator = self.generator()
        return pack(
            hits, lambda passages: generator.count_prompt_tokens(prompt(passages)), self._budget(generator)
        )

    def _budget(self, generator: Generator) -> int:
        """Return how many tokens a prompt may have."""
        return min(self.settings.context_tokens, generator.context_tokens - self.settings.max_new_tokens)

    def _checked(
        self, question: str, hits: Sequence[Hit], cited: CitedText, reader: str, *, declined: bool = False
    ) -> Answer:
        """Return what passed the check, or an abstention where nothing did, and what was dropped for it."""
        abstained = declined or not cited.text
        return Answer(
            question,
            self._decline(question, hits) if abstained else cited.text,
            Arm.RAG,
            reader,
            citations=() if abstained else cited.citations,
            hits=tuple(hits),
            abstained=abstained,
            dropped_sentences=cited.dropped_sentences,
            dropped_markers=cited.dropped_markers,
        )

    def _decline(self, question: str, hits: Sequence[Hit]) -> str:
        return decline(self._prompts.abstention, question, hits, self.embedder.fingerprint.name)


def _holds(hit: Hit, source: str, start: int) -> bool:
    """Tell whether a place is in a hit."""
    return hit.chunk.source == source and hit.chunk.start <= start < hit.chunk.end


def _generated(asked: Sequence[Message], written: Generation) -> Attributes:
    return generated(asked, written.text, written.prompt_tokens, written.completion_tokens)


def _not_declined(text: str) -> CitedText:
    """Return what may be shown of a text that grows: nothing while it may still say that it does not know."""
    begun = bool(settled_part(text)) and not declines(text)
    return CitedText(text, ()) if begun else _NOTHING


def _unsure(written: Written) -> bool:
    """Tell whether who wrote it declines, by its flag or in words."""
    return bool(written.unsure) or declines(written.answer or "")


def _incomplete(written: Generation) -> str:
    """Return why there is no whole answer: nothing written is a failure, and no honest "I don't know"."""
    return written.incomplete or ("" if written.text.strip() else "nothing was written")


def _retrieves(arm: Arm) -> bool:
    return arm in (Arm.RAG, Arm.BOTH)


def _by_arm(answers: Sequence[Answer], arm: Arm, begun: float) -> list[Answer]:
    """Return the answers under the name of their arm, each with its share of the time."""
    share = (time.perf_counter() - begun) / max(len(answers), 1)
    return [dataclasses.replace(answer, arm=arm, seconds=share) for answer in answers]
