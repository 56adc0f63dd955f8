"""Tests of preferences and of the rounds with a judge."""

import dataclasses
import functools
import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hybrid.adaptation.methods import attach, plan_for
from hybrid.adaptation.methods.encoding import encode_pairs, gain_of, halve, margins, served_losses, worth
from hybrid.adaptation.methods.generator import Base, GeneratorTask, tune_generator
from hybrid.adaptation.methods.lora import load_base
from hybrid.adaptation.methods.preferences import (
    PairStep,
    Posed,
    PreferenceTask,
    dpo_loss,
    improve,
    judged_pairs,
    posed,
    rewards,
    with_own_mistakes,
)
from hybrid.adaptation.values import Example, ExampleKind, Examples, PreferencePair
from hybrid.config import AdaptationSettings, Method
from hybrid.errors import TrainingFailed, UsageError
from hybrid.generation.prompts import Passage, load_prompts, shown
from hybrid.grounding.calibration import UNCALIBRATED
from hybrid.grounding.judge import Grounder
from hybrid.grounding.scorers.names import NgramOverlap
from hybrid.models.device import Placement
from hybrid.models.resolve import weights_digest
from hybrid.testing import ScriptedGenerator
from hybrid.types import Message, MessageRole, Span

_CPU = Placement("cpu", "float32", "test")
_SETTINGS = AdaptationSettings(
    rank=4, learning_rate=1e-2, epochs=8, batch=4, rehearsal=0.0, max_tokens=120, beta=0.5
)
UNKNOWN = "I don't know."
TEXT = "The default port of the server is 5432."
CARRIED = "The default port of the server is 5432."
INVENTED = "A purple giraffe sells umbrellas near the harbour."
ASKED = Posed((Message(MessageRole.USER, "q"),), "Which port has the server?", (TEXT,), "a", True)


@pytest.fixture
def base(tiny_generator_folder):
    return Base(tiny_generator_folder, "tiny")


def pairs_of(count, offset=0):
    """With a port in the question the better answer is yes, else no."""
    found = []
    for n in range(offset, offset + count):
        words = ("yes", "no") if n % 2 == 0 else ("no", "yes")
        prompt = (Message(MessageRole.USER, f"is {'port' if n % 2 == 0 else 'server'} {n} a port"),)
        found.append(PreferencePair(prompt, *words, f"s{n}", "rule"))
    return tuple(found)


def tune(base, out, settings=_SETTINGS, examples=None, **options):
    given_ = examples or Examples((), (), (), pairs_of(40), pairs_of(40, 100))
    return tune_generator(base, given_, settings, out=out, placement=_CPU, **options)


def task_of(base, settings=_SETTINGS, train=(), placement=_CPU, given=(), checks=(), **options):
    from hybrid.models.dialogue import Dialogue
    from hybrid.models.pretrained import load_tokenizer

    dialogue = Dialogue(load_tokenizer(base.folder))
    torch.manual_seed(0)
    plan = plan_for(settings, tokens=1_000)
    module = attach(load_base(base.folder, Method.LORA, placement), plan, settings).eval()
    task = GeneratorTask(module, dialogue, train, [], [], settings, placement)
    pairs, stop = (
        encode_pairs(part, dialogue, max_tokens=400).encoded for part in (given or pairs_of(6), checks)
    )
    return PreferenceTask(task, pairs, stop or pairs[:2], settings, **options), pairs


def by_hand(module, pair):
    """Return log π(chosen) − log π(rejected) by one forward pass a side, without padding."""
    found = []
    for side in (pair.chosen, pair.rejected):
        ids = torch.tensor([side.ids])
        logs = module(ids).logits.log_softmax(-1)[0]
        picked = [logs[place - 1, side.ids[place]] for place in range(side.start, len(side.ids))]
        found.append(torch.stack(picked).sum())
    return found[0] - found[1]


@pytest.mark.slow
def test_loss_and_gradients_are_those_of_the_papers_formula(base):
    task, pairs = task_of(base)
    module = task.module
    with torch.no_grad():
        # the adapter moved since the reference was read
        for name, parameter in module.named_parameters():
            if "lora_B" in name:
                parameter.add_(0.05 * torch.randn_like(parameter))
        with module.disable_adapter():
            reference = [float(by_hand(module, pair)) for pair in pairs]
    tuned = [p for p in module.parameters() if p.requires_grad]
    expected = sum(
        -nn.functional.logsigmoid(_SETTINGS.beta * (by_hand(module, pair) - own))
        for pair, own in zip(pairs, reference, strict=True)
    ) / len(pairs)
    wanted = torch.autograd.grad(expected, tuned)
    ours = sum(task.loss(module, PairStep(pair, len(pairs), False)) for pair in pairs)
    found = torch.autograd.grad(ours, tuned)
    assert ours.item() == pytest.approx(expected.item(), rel=1e-5)
    assert ours.item() != pytest.approx(math.log(2), abs=1e-3)
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-6, rtol=1e-4)
    assert sum(float(one.abs().sum()) for one in found) > 0


def test_before_training_no_pair_is_better_than_by_chance(base):
    task, _ = task_of(base)
    assert task.validate()[0] == pytest.approx(math.log(2), abs=1e-5)


@pytest.mark.slow
def test_half_precision_rounds_a_look_as_it_rounded_the_reference(base):
    def of_lengths(*lengths):
        for n in lengths:
            prompt = (Message(MessageRole.USER, " ".join(f"is server {k} a port" for k in range(n))),)
            yield PreferencePair(prompt, "yes " * n + "port", "no the port", f"s{n}", "rule")

    # beside longer pairs of training, those of a look would be padded otherwise
    parts = {"given": [*of_lengths(*range(4, 14))], "checks": [*of_lengths(1, 2, 3)]}
    task, _ = task_of(base, placement=Placement("cpu", "bfloat16", "test"), **parts)
    assert task.validate()[0] == pytest.approx(math.log(2), abs=1e-6)


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(-50, 50), st.floats(0.01, 2))
def test_the_loss_is_the_papers_equation_seven_in_double_precision(chosen, rejected, reference, beta):
    told = [torch.tensor([value], dtype=torch.float64) for value in (chosen, rejected, reference)]
    # of the policy's and the reference's log-ratios, as TRL subtracts them for the sigmoid loss
    expected = -math.log(1 / (1 + math.exp(-beta * ((chosen - rejected) - reference))))
    assert dpo_loss(*told, beta=beta).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(-50, 50), st.floats(0.01, 2))
def test_the_loss_falls_with_the_margin_and_is_log_two_at_the_reference(chosen, rejected, reference, beta):
    def loss(better):
        return float(dpo_loss(*(torch.tensor(v) for v in (better, rejected, reference)), beta=beta))

    assert loss(chosen) >= loss(chosen + 1.0) >= 0
    assert loss(rejected + reference) == pytest.approx(math.log(2), abs=1e-3)


def test_a_batch_has_each_pair_once_and_is_held_once(base):
    task, pairs = task_of(base, reads=False)
    batches = task.batches(0)
    assert [len(parts) for parts in batches] == [4, 2]
    assert {part.pair.ids for parts in batches for part in parts} == {pair.ids for pair in pairs}
    assert [[part.first for part in parts].count(True) for parts in batches] == [1, 1]
    assert [part.pairs for part in batches[0]] == [4] * 4
    assert task.batches(1) != batches
    assert task.batches(0) == batches


@pytest.mark.slow
def test_it_prefers_what_it_never_saw(base, tmp_path):
    made = tune(base, tmp_path / "out")
    assert (made.gain.measure, made.gain.unit) == ("better answers preferred", "points")
    assert made.gain.after > 85 and made.gain.low > 0
    assert made.fit.curve[-1].domain < made.fit.curve[0].domain == pytest.approx(math.log(2), abs=1e-4)


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_adapter(base, tmp_path):
    def die(step, steps, loss):
        if step == 9:
            raise KeyboardInterrupt

    settings = dataclasses.replace(_SETTINGS, epochs=1)
    text = [Example(ExampleKind.REHEARSAL, (), f"the default port of server {n} is a") for n in range(40)]
    options = {"rehearsal": text, "settings": dataclasses.replace(settings, rehearsal=0.3)}
    whole = tune(base, tmp_path / "whole", **options)
    with pytest.raises(KeyboardInterrupt):
        tune(base, tmp_path / "again", state=tmp_path / "state", progress=die, **options)
    steps = []
    seen = {"state": tmp_path / "state", "progress": lambda step, *_: steps.append(step)}
    again = tune(base, tmp_path / "again", **options, **seen)
    assert steps[0] > 1
    assert weights_digest(again.folder) == weights_digest(whole.folder)


@pytest.mark.slow
def test_examples_and_preferences_are_learned_together(base, tmp_path):
    taught = tuple(
        Example(ExampleKind.INSTRUCTION, pair.prompt, pair.chosen, pair.source) for pair in pairs_of(40, 300)
    )
    made = tune(base, tmp_path / "out", examples=Examples(taught, (), (), pairs_of(40), pairs_of(40, 100)))
    assert made.gain.after > 85
    assert made.tokens > tune(base, tmp_path / "pairs", dataclasses.replace(_SETTINGS, epochs=0.1)).tokens


@pytest.mark.slow
def test_it_begins_with_the_adapter_that_is_named(base, tmp_path):
    first = tune(base, tmp_path / "first")
    (first.folder / "card.json").write_text(json.dumps({"base": "tiny", "base_digest": base.digest}))
    short = dataclasses.replace(_SETTINGS, epochs=0.1, learning_rate=1e-5)
    second = tune(base, tmp_path / "second", short, start=first.folder)
    assert second.gain.before == pytest.approx(first.gain.after)
    with pytest.raises(UsageError, match="one of all weights"):
        full = dataclasses.replace(_SETTINGS, method=Method.FULL, epochs=0.1)
        whole = tune(base, tmp_path / "whole", full)
        (whole.folder / "card.json").write_text(json.dumps({"base": "tiny", "base_digest": base.digest}))
        tune(base, tmp_path / "third", short, start=whole.folder)


def test_too_few_pairs_are_refused(base, tmp_path):
    few = Examples((), (), (), pairs_of(3), ())
    with pytest.raises(UsageError, match="gives 3 preference pairs, expected 8 or more"):
        tune(base, tmp_path / "out", examples=few)


def test_service_and_training_agree_on_the_margins(base, tiny_generator):
    task, pairs = task_of(base)
    # measured in the number format of measuring, which may be bf16
    assert margins(functools.partial(served_losses, tiny_generator), pairs) == pytest.approx(
        task.margins(pairs), abs=0.2
    )
    assert max(map(abs, task.margins(pairs))) > 1


def test_the_gain_is_how_many_more_are_preferred(base, tiny_generator):
    _, pairs = task_of(base, reads=False)
    losses = functools.partial(served_losses, tiny_generator)
    preferred = worth(losses, pairs, tiny_generator.dialogue)
    assert preferred == [float(margin > 0) for margin in margins(losses, pairs)]
    gain = gain_of([0.0] * 6, [1.0] * 3 + [0.0] * 3, pairs)
    assert (gain.before, gain.after, gain.items) == (0, 50, 6)
    assert gain_of([], [], []) is None


def test_no_document_stops_and_proves(base):
    _, pairs = task_of(base, reads=False)
    parts = halve([*pairs, *pairs])
    stop, proof = ({pair.chosen.example.source for pair in part} for part in (parts.stop, parts.proof))
    assert stop and proof and not stop & proof
    assert len(parts.stop) + len(parts.proof) == 12


def test_what_is_worse_is_what_the_generator_itself_writes_where_that_is_wrong():
    prompt = (Message(MessageRole.USER, "which port"),)
    answered = PreferencePair(prompt, '"The port is 5432." [1]\n5432', UNKNOWN, "a", "rule")
    withheld = PreferencePair(prompt, UNKNOWN, '"The port is 5432." [1]\n5432', "a", "without")
    said = ["It is 80.", "It is 80."]
    wrong = with_own_mistakes([answered, withheld], ScriptedGenerator(said))
    assert [pair.rejected for pair in wrong] == said
    right = [answered, withheld]
    assert with_own_mistakes(right, ScriptedGenerator(["It is 5432.", "I don't know that."])) == right
    theirs = dataclasses.replace(withheld, made="given")
    assert with_own_mistakes([theirs], ScriptedGenerator(said)) == [theirs]


@pytest.fixture(scope="module")
def grounder():
    return Grounder(NgramOverlap(), UNCALIBRATED)


def asked(count, answerable=True):
    return [
        Posed((Message(MessageRole.USER, f"q{n}"),), ASKED.asked, ASKED.passages, f"d{n}", answerable)
        for n in range(count)
    ]


def test_the_passages_are_those_of_the_prompt():
    text = "A <passage> is </passage>, as it says."
    passage = Passage(1, "a.md", "A > B", text, Span(0, len(text)))
    prompts = load_prompts("en")
    for layout in (prompts.rag, prompts.quoting):
        (found,), said = shown(layout("Which port?", [passage])[-1].content)
        assert "as it says" in found and "<" not in found
        assert said.startswith("Question: Which port?")
    example = Example(ExampleKind.READING, prompts.rag("Which port?", [passage]), "x", "a.md")
    (one,) = posed([example])
    assert (one.source, one.answerable, len(one.passages)) == ("a.md", True, 1)


def test_what_is_carried_is_worth_more_than_declining_and_that_more_than_inventing(grounder):
    carried, declined, invented = rewards(grounder, [ASKED] * 3, [CARRIED, UNKNOWN, INVENTED])
    assert carried > declined == 0.5 > invented


def test_what_has_nothing_to_do_with_the_question_earns_nothing(grounder):
    other = Posed(ASKED.prompt, "Who feeds goats?", ASKED.passages, "a", True)
    assert rewards(grounder, [other, ASKED], [CARRIED, ""]) == [0.0, 0.0]


def test_best_and_worst_sample_are_a_pair_where_the_judge_tells_them_apart(grounder):
    policy = ScriptedGenerator([INVENTED, CARRIED, UNKNOWN])
    pairs = judged_pairs(policy, grounder, asked(3), samples=3, seed=0)
    assert {(pair.chosen, pair.rejected) for pair in pairs} == {(CARRIED, INVENTED)}
    assert [pair.source for pair in pairs] == ["d0", "d1", "d2"]
    assert judged_pairs(ScriptedGenerator([CARRIED]), grounder, asked(3), samples=3, seed=0) == []


class _Runs:
    """Policies by round, and what each was trained on."""

    def __init__(self, replies, sampled=(INVENTED, CARRIED)):
        self.replies, self.sampled, self.learned = replies, sampled, []

    def policy(self, name):
        place = int(name.rpartition("-")[2]) if "-" in name else 0
        mixed = ScriptedGenerator(self.replies[place], name=name or "base")
        mixed.sample = ScriptedGenerator(self.sampled).sample
        return mixed

    def learn(self, pairs, start, number):
        self.learned.append((len(pairs), start, number))
        return f"run-{number}"


def run(grounder, replies, *, train=30, checks=12, **options):
    runs = _Runs(replies)
    done = improve(runs.policy, runs.learn, grounder, asked(train), asked(checks), **options)
    return runs, done


def test_rounds_go_on_while_the_reward_grows_and_each_begins_with_the_one_before(grounder):
    runs, done = run(grounder, [[INVENTED], [INVENTED, CARRIED], [CARRIED], [CARRIED]], train=60)
    assert [(start, number) for _, start, number in runs.learned] == [("", 1), ("run-1", 2), ("run-2", 3)]
    assert [one.kept for one in done] == [True, True, True, False]
    assert done[-1].ended == "the judge's reward grows no longer"
    best = [one for one in done if one.kept][-1]
    assert best.name == "run-2" and best.change.low > 0
    # every round takes its share of the questions
    assert [count for count, *_ in runs.learned] == [20, 20, 20]


@pytest.mark.parametrize(
    ("after", "tolerance", "why"),
    [
        ([UNKNOWN], 5.0, "declining what has an answer pleases the judge"),
        ([" ".join([CARRIED] * 12)], 5.0, "words instead of"),
    ],
)
def test_pleasing_the_judge_in_another_way_is_told_and_not_kept(grounder, after, tolerance, why):
    _, done = run(grounder, [[INVENTED], after], tolerance=tolerance)
    assert why in done[-1].ended and not done[-1].kept
    assert len(done) == 2


def test_too_few_pairs_end_the_rounds(grounder):
    told = []
    runs, done = run(grounder, [[INVENTED]], train=9, progress=told.append)
    assert runs.learned == []
    assert "too few" in done[0].ended and done[0].kept
    assert told[-1] == done[0]


def test_training_that_fails_ends_the_rounds_and_leaves_those_before(grounder, monkeypatch):
    def learn(self, pairs, start, number):
        if number == 2:
            raise TrainingFailed("validation got no better in 15 steps")
        return f"run-{number}"

    monkeypatch.setattr(_Runs, "learn", learn)
    _, done = run(grounder, [[INVENTED], [INVENTED, CARRIED], [CARRIED]], train=60)
    assert [one.name for one in done] == ["", "run-1"]
    assert done[-1].kept and done[-1].ended == "validation got no better in 15 steps"


def test_what_is_declined_is_told_of_both_sides(grounder):
    checks = [*asked(4), *asked(4, answerable=False)]
    runs = _Runs([[UNKNOWN, CARRIED, CARRIED, CARRIED, UNKNOWN, UNKNOWN, INVENTED, INVENTED]])
    (first,) = improve(runs.policy, runs.learn, grounder, [], checks)
    assert (first.declined, first.declined_rightly) == (0.25, 0.5)
    assert first.words == 8
