"""Labels learned as labels: what a set of them is, how sure a head is, that it serves as it was fitted."""

import dataclasses
import json

import pytest

from hybrid.adaptation.data.examples import label_examples
from hybrid.adaptation.methods.labels import (
    LabelRows,
    fit_head,
    head_settings,
    label_rows,
    label_sets,
    tune_labels,
)
from hybrid.adaptation.values import Example, ExampleKind, Examples
from hybrid.config import AdaptationSettings
from hybrid.errors import UsageError
from hybrid.generation.prompts import Passage, load_prompts
from hybrid.models.device import Placement
from hybrid.models.generator import TransformersGenerator
from hybrid.models.labels import HeadSettings, LabelReading, LabelSet, PromptFrame
from hybrid.types import Message, MessageRole, Question, Span

_PROMPTS = load_prompts("en")
_CPU = Placement("cpu", "float32", "test")
_SETTINGS = AdaptationSettings(max_tokens=200, epochs=0.01)
_WORDS = ("port", "server")


def _questions(count, stems=("Is it a port?", "Is it a server?"), offset=0):
    for n in range(offset, offset + count):
        word, stem = _WORDS[n % 2], stems[n // 2 % len(stems)]
        right = "Yes" if word in stem else "No"
        text = f"{stem}\nWord: {word} {n}"
        yield Question(f"q{n}", text, (right,), options=("Yes", "No"), source=f"s{n}")


def _examples(count, **options):
    return tuple(label_examples(list(_questions(count, **options)), _PROMPTS))


def test_a_line_that_many_prompts_share_names_the_set():
    sets, frame = label_sets(_examples(24))
    assert sets == (LabelSet("Is it a port?", ("Yes", "No")), LabelSet("Is it a server?", ("Yes", "No")))
    assert frame == PromptFrame("", ("\n\nAnswer with one of: Yes, No",))


def test_questions_without_a_common_line_are_one_set():
    found = label_sets(_examples(12, stems=[f"Is it a port, number {n}?" for n in range(12)]))
    assert found is not None and found[0] == (LabelSet("", ("Yes", "No")),)


def test_what_stands_between_passages_and_question_is_found():
    questions = list(_questions(12))
    passages = [[Passage(1, "a", f"T{n}", f"About {n}.", Span(0, 5))] for n in range(12)]
    examples = label_examples(questions, _PROMPTS, passages)
    _, frame = label_sets([*examples, *label_examples(questions, _PROMPTS)])
    assert frame.between.startswith("\n\nThe passages are quoted") and frame.between.endswith("\n\n")


@pytest.mark.parametrize("kind", ["text", "options"])
def test_what_is_no_fixed_set_of_labels_is_not_learned_by_a_head(kind):
    examples = list(_examples(16))
    if kind == "text":
        examples.append(Example(ExampleKind.TEXT, (), "A port."))
    else:
        examples = [dataclasses.replace(e, options=("Yes", f"No {n}")) for n, e in enumerate(examples)]
    assert label_sets(examples) is None


@pytest.mark.slow
def test_a_head_is_as_sure_as_it_is_right():
    import torch

    torch.manual_seed(0)
    examples = _examples(400)
    sets, frame = label_sets(examples)
    # a quarter of the labels is wrong: nobody may be sure
    sides = torch.randint(0, 2, (400,))
    noise = torch.rand(400) < 0.25
    right = torch.where(noise, 1 - sides, sides)
    features = torch.randn(400, 16)
    features[:, 0] = 2.0 * sides
    rows = LabelRows(
        (LabelReading((), (1,)),) * 400, (0,) * 400, tuple(right.tolist()), tuple(map(str, range(400)))
    )
    head, loss = fit_head(features, rows, sets, frame, HeadSettings(1, False, 64, 1.0))
    assert loss == pytest.approx(0.56, abs=0.06)
    told = head.log_probabilities(features, rows.sets)
    sure = torch.tensor([max(logs.values()) for logs in told]).exp().mean()
    assert float(sure) == pytest.approx(0.75, abs=0.08)


@pytest.fixture(scope="module")
def made(tiny_generator_folder, tmp_path_factory):
    base = TransformersGenerator(tiny_generator_folder, name="tiny", placement=_CPU)
    out = tmp_path_factory.mktemp("labels") / "out"
    examples = Examples(_examples(120), _examples(40, offset=200))
    return tune_labels(base, examples, _SETTINGS, out=out), base


def test_it_learns_and_proves_it_on_what_it_never_saw(made):
    tuned, _ = made
    assert tuned.gain.measure == "label accuracy" and tuned.gain.after > 90 and tuned.gain.low > 0


def test_it_serves_what_was_proved(made):
    tuned, base = made
    card = {"base": "tiny", "base_digest": base.base_weights}
    (tuned.folder / "card.json").write_text(json.dumps(card))
    adapted = base.adapted(tuned.folder)
    asked = list(_questions(40, offset=400))
    passage = Passage(1, "a", "Title", "Nothing of it.", Span(0, 5))
    for passages in ([], [passage]):
        prompts = [_PROMPTS.choice(one.text, one.options, passages) for one in asked]
        found = adapted.log_likelihoods(prompts, [one.options for one in asked])
        right = [o.options[v.index(max(v))] == o.answers[0] for o, v in zip(asked, found, strict=True)]
        assert sum(right) > 36


def test_prompts_of_ones_own_are_learned_and_known_again(made):
    prompt = [(Message(MessageRole.USER, f"{_WORDS[n % 2]} number {n}"),) for n in range(16)]
    examples = [
        Example(ExampleKind.LABEL, one, "ab"[n % 2], f"s{n}", options=("a", "b"))
        for n, one in enumerate(prompt)
    ]
    sets, frame = label_sets(examples)
    rows = label_rows(examples, sets, frame, made[1].dialogue, tokens=64)
    assert rows.right == (0, 1) * 8 and rows.sources[3] == "s3"
    assert head_settings(2, rows, tokens=64).passages is False


def test_examples_that_are_no_labels_are_refused(made, tmp_path):
    text = tuple(Example(ExampleKind.TEXT, (), f"A port {n}.") for n in range(12))
    with pytest.raises(UsageError, match="labels alone"):
        tune_labels(made[1], Examples(text, ()), _SETTINGS, out=tmp_path / "out")
