"""Scales and labels, the forest plot, arms between price and quality."""

import dataclasses
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hybrid.decision.values import ArmResult, Effect, Hypothesis
from hybrid.evaluation.outcomes import ArmCost
from hybrid.report.charts import Box, Scale, Standing, cost_scatter, place_labels, text_width
from hybrid.report.html import environment
from hybrid.statistics import Interval

_SVG = "{http://www.w3.org/2000/svg}"
_AREA = Box(0, 0, 340, 300)


def svg(name, *values):
    """Draw by a macro of the templates."""
    return etree.fromstring(str(getattr(environment().get_template("svg.html.j2").module, name)(*values)))


@given(st.floats(-1, 1), st.floats(1e-6, 2), st.integers(2, 8))
def test_ticks_lie_on_the_axis_and_are_not_too_many(low, length, wanted):
    scale = Scale(low, low + length, 0, 100)
    ticks = scale.ticks(wanted)
    assert ticks == sorted(set(ticks))
    assert len(ticks) <= wanted + 1
    slack = 1e-6 * length
    assert all(low - slack <= tick <= low + length + slack for tick in ticks)


def test_a_scale_maps_its_ends_and_keeps_outsiders_at_the_edge():
    scale = Scale(0, 2, 10, 20)
    assert [scale(value) for value in (0, 1, 2, 9, -9)] == [10, 15, 20, 20, 10]


def test_a_logarithmic_scale_gives_every_decade_the_same_room():
    scale = Scale(0.01, 100, 0, 400, logarithmic=True)
    assert [round(scale(10.0**power)) for power in range(-2, 3)] == [0, 100, 200, 300, 400]
    assert scale.ticks(5) == pytest.approx([0.01, 0.1, 1, 10, 100])


@pytest.mark.slow
@given(st.lists(st.tuples(st.floats(0, 340), st.floats(0, 300), st.floats(10, 120)), min_size=1, max_size=12))
def test_labels_never_overlap_wherever_the_points_lie(points):
    boxes = place_labels(
        [(x, y) for x, y, _ in points],
        [width for _, _, width in points],
        height=16,
        area=_AREA,
        obstacles=[Box(x - 8, y - 8, x + 8, y + 8) for x, y, _ in points],
    )
    assert len(boxes) == len(points)
    assert not any(a.meets(b) for place, a in enumerate(boxes) for b in boxes[:place])


def test_a_label_with_room_stands_beside_its_point_and_off_every_mark():
    mark = Box(92, 92, 108, 108)
    (box,) = place_labels([(100, 100)], [40], height=16, area=_AREA, obstacles=[mark])
    assert not box.meets(mark)
    assert abs(box.left - 100) < 20
    assert box.inside(_AREA)


def test_width_is_guessed_by_letter():
    assert text_width("WWW", 10) > text_width("aaa", 10) > text_width("iii", 10)
    assert text_width("日本", 10) >= 20


def effect(difference, half, *, shown=True, arm="rag", other="both", claim=Hypothesis.NOT_WORSE):
    interval = Interval(difference - half, difference + half, 0.95)
    return Effect(arm, other, difference, interval, claim, 0.03, 0.2, shown)


def forest(effects, width=760.0):
    return svg("forest", effects, 0.02, width)


def one(plot, kind):
    return [node for node in plot.iter() if node.get("class") == kind]


def test_each_claim_has_its_own_line_to_clear():
    worse, better = effect(-0.01, 0.03), dataclasses.replace(effect(-0.01, 0.03), claim=Hypothesis.BETTER)
    plot = forest([worse])
    assert "no difference" in [node.text for node in plot.iter(f"{_SVG}text")]
    assert float(one(plot, "margin")[0].get("x1")) < float(one(plot, "zero")[0].get("x1"))
    plot = forest([better])
    assert float(one(plot, "margin")[0].get("x1")) > float(one(plot, "zero")[0].get("x1"))


def test_a_claim_that_is_not_shown_has_an_open_square_and_says_so():
    shown, open_ = forest([effect(0.03, 0.01)]), forest([effect(0.03, 0.01, shown=False)])
    assert one(shown, "mark") and not one(shown, "mark open")
    assert one(open_, "mark open") and not one(open_, "mark")
    assert "not worse: not shown" in [node.text for node in open_.iter(f"{_SVG}text")]


def test_the_description_tells_every_effect_in_words():
    plot = forest([effect(-0.01, 0.03), effect(0.7, 0.1, other="base", claim=Hypothesis.BETTER)])
    told = plot.find(f"{_SVG}desc").text
    assert "rag minus both: −1.0 points, 95\u00a0% interval −4.0 to +2.0" in told
    assert "rag minus base: +70.0 points" in told
    assert plot.find(f"{_SVG}title").text


def test_a_far_effect_does_not_squeeze_the_margin_but_leaves_as_an_arrow():
    plot = forest([effect(-0.01, 0.03), effect(0.7, 0.1, other="base")])
    margin, zero = (float(one(plot, kind)[0].get("x1")) for kind in ("margin", "zero"))
    assert zero - margin > 30
    assert one(plot, "head")
    assert "+70.0 (+60.0 to +80.0)" in [node.text for node in plot.iter(f"{_SVG}text")]


def test_every_place_is_inside_the_drawing_at_both_widths():
    effects = [effect(d, h) for d, h in ((0.0, 0.0), (-0.5, 0.4), (0.9, 0.1), (0.001, 0.0005))]
    for width in (344.0, 760.0):
        lines = list(forest(effects, width=width).iter(f"{_SVG}line"))
        assert len(lines) >= len(effects)
        for node in lines:
            assert all(-0.01 <= float(node.get(key)) <= width + 0.01 for key in ("x1", "x2"))


def test_an_unbounded_interval_is_drawn_as_an_arrow():
    endless = dataclasses.replace(effect(0.1, 0.1), interval=Interval(-math.inf, math.inf, 0.95))
    plot = forest([endless])
    assert len(one(plot, "head")) == 2
    assert "nan" not in etree.tostring(plot, encoding="unicode")


def test_a_long_name_is_shortened_and_whole_in_its_tooltip():
    name = "rag_with_a_reranker_" * 10
    plot = forest([effect(0.0, 0.01, arm=name)], width=344.0)
    label = next(node for node in one(plot, "name"))
    assert label.find(f"{_SVG}title").text == f"{name} − both"
    assert "…" in "".join(label.itertext())


@pytest.fixture
def drawn(decided):
    """Draw arms, each a name, a price and a mean, all of which may be chosen."""

    def draw(*arms, margin=0.01):
        results = tuple(
            ArmResult(
                arm, mean, Interval(max(0, mean - 0.05), min(1, mean + 0.05), 0.95), ArmCost(), (), True
            )
            for arm, _, mean in arms
        )
        policy = dataclasses.replace(decided.decision.policy, margin=margin)
        decision = dataclasses.replace(decided.decision, arm=None, interim=None, arms=results, policy=policy)
        costs = [cost for _, cost, _ in arms]
        return svg("scatter", cost_scatter(decision, "USD per 1,000 answers", costs, width=760.0))

    return draw


def places(plot, kind="mark open"):
    return [
        (float(n.get("cx")), float(n.get("cy"))) for n in plot.iter(f"{_SVG}circle") if n.get("class") == kind
    ]


def labels(plot):
    return ["".join(node.itertext()) for node in plot.iter(f"{_SVG}text") if node.get("class") == "name"]


def test_dearer_is_right_and_better_is_up(drawn):
    cheap, dear = places(drawn(("a", 1, 0.4), ("b", 2, 0.8)))
    assert cheap[0] < dear[0]
    assert cheap[1] > dear[1]


def test_arms_at_the_same_place_stand_side_by_side(drawn):
    spots = places(drawn(*((name, 0.02, 0.7) for name in "abcde")))
    assert len(spots) == 5
    assert all(abs(a[0] - b[0]) >= 13 for a, b in itertools.combinations(spots, 2))


def test_an_arm_without_a_price_is_drawn_apart_and_named(drawn):
    plot = drawn(("a", 1, 0.4), ("b", None, 0.8))
    assert sorted(labels(plot)) == ["a", "b"]
    assert "not measured" in [node.text for node in plot.iter(f"{_SVG}text")]
    assert "b, eligible: mean 80.0, price not measured." in plot.find(f"{_SVG}desc").text


@pytest.mark.parametrize("costs", [(0, 0), (0, 5), (0.0001, 90.0), (3, 3)])
def test_any_prices_give_a_drawing(drawn, costs):
    plot = drawn(("a", costs[0], 0.0), ("b", costs[1], 1.0), margin=0.02)
    assert len(places(plot)) == 2
    assert "nan" not in etree.tostring(plot, encoding="unicode")


def test_every_standing_has_a_mark_of_its_own_shape():
    shapes = [etree.tostring(svg("mark", one)) for one in Standing]
    assert len(set(shapes)) == len(shapes)


def test_a_strip_draws_the_interval_around_the_mean():
    strip = svg("strip", 0.5, Interval(0.25, 0.75, 0.95))
    bar = next(node for node in strip.iter() if node.get("class") == "bar")
    assert [float(bar.get(key)) for key in ("x1", "x2")] == [32, 88]
