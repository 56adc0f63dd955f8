"""Examples of answering without passages: a label, or a short text.

Takes questions, gives examples in the layout in which the arm ``adapter`` asks. Knows nothing about
retrieval or splits.
"""

from __future__ import annotations

from collections.abc import Sequence

from hybrid.adaptation.values import Example, ExampleKind
from hybrid.generation.prompts import Prompts
from hybrid.types import Question


def label_examples(questions: Sequence[Question], prompts: Prompts) -> list[Example]:
    """Return one example for every question with options whose answer is among them.

    Args:
        questions: those without options are passed over.
        prompts: of the language that is served.
    """
    examples: list[Example] = []
    for question in questions:
        right = [answer for answer in question.answers if answer in question.options]
        if right:
            prompt = prompts.choice(question.text, question.options)
            examples.append(
                Example(
                    ExampleKind.LABEL,
                    prompt,
                    right[0],
                    question.unit,
                    question.made,
                    options=question.options,
                )
            )
    return examples


def instruction_examples(questions: Sequence[Question], prompts: Prompts) -> list[Example]:
    """Return one example for every open-ended question: its first answer, or that it is not known."""
    examples: list[Example] = []
    for question in questions:
        if question.options:
            continue
        prompt = prompts.base(question.text)
        kind, said = ExampleKind.ABSTENTION, prompts.abstention
        if question.answerable:
            answers = [answer for answer in question.answers if answer.strip()]
            if not answers:
                continue
            kind, said = ExampleKind.INSTRUCTION, as_sentence(answers[0])
        examples.append(Example(kind, prompt, said, question.unit, question.made))
    return examples


def as_sentence(answer: str) -> str:
    """Return several words as a sentence; a name, a number or a command stays as it is."""
    plain = " ".join(answer.split())
    first = plain.split(" ", 1)[0]
    if len(plain.split()) < 2 or not first.isalpha():
        return plain
    raised = plain[:1].upper() + plain[1:] if first.islower() else plain
    return f"{raised}." if raised[-1].isalnum() else raised
