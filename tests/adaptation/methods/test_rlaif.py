"""Learning from the judge: what is rewarded, which samples are a pair, when the rounds end."""

import pytest

from hybrid.adaptation.methods.rlaif import Posed, improve, judged_pairs, posed, rewards
from hybrid.adaptation.values import Example, ExampleKind
from hybrid.generation.prompts import Passage, load_prompts, shown
from hybrid.grounding.calibration import UNCALIBRATED
from hybrid.grounding.judge import Grounder
from hybrid.grounding.scorers.baselines import NgramOverlap
from hybrid.testing import ScriptedGenerator
from hybrid.types import Message, MessageRole, Span

TEXT = "The default port of the server is 5432."
CARRIED = "The default port of the server is 5432."
INVENTED = "A purple giraffe sells umbrellas near the harbour."
UNKNOWN = "I don't know."
ASKED = Posed((Message(MessageRole.USER, "q"),), "Which port has the server?", (TEXT,), "a", True)


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
    runs, done = run(grounder, [[INVENTED]], train=9)
    assert runs.learned == []
    assert "too few" in done[0].ended and done[0].kept


def test_what_is_declined_is_told_of_both_sides(grounder):
    checks = [*asked(4), *asked(4, answerable=False)]
    runs = _Runs([[UNKNOWN, CARRIED, CARRIED, CARRIED, UNKNOWN, UNKNOWN, INVENTED, INVENTED]])
    (first,) = improve(runs.policy, runs.learn, grounder, [], checks)
    assert (first.declined, first.declined_rightly) == (0.25, 0.5)
    assert first.words == 8
