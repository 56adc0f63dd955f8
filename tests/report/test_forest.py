import dataclasses
import math

from lxml import etree

from hybrid.decision.values import Effect, Hypothesis
from hybrid.report.forest import forest_plot
from hybrid.statistics import Interval

_SVG = "{http://www.w3.org/2000/svg}"


def effect(difference, half, *, shown=True, arm="rag", other="both", claim=Hypothesis.NOT_WORSE):
    interval = Interval(difference - half, difference + half, 0.95)
    return Effect(arm, other, difference, interval, claim, 0.03, 0.2, shown)


def drawn(effects, **options):
    return etree.fromstring(str(forest_plot(effects, margin=0.02, **options)))


def one(svg, kind):
    return [node for node in svg.iter() if node.get("class") == kind]


def test_each_claim_has_its_own_line_to_clear():
    worse, better = effect(-0.01, 0.03), dataclasses.replace(effect(-0.01, 0.03), claim=Hypothesis.BETTER)
    svg = drawn([worse])
    assert "no difference" in [node.text for node in svg.iter(f"{_SVG}text")]
    assert float(one(svg, "margin")[0].get("x1")) < float(one(svg, "zero")[0].get("x1"))
    svg = drawn([better])
    assert float(one(svg, "margin")[0].get("x1")) > float(one(svg, "zero")[0].get("x1"))


def test_a_claim_that_is_not_shown_has_an_open_square_and_says_so():
    shown, open_ = drawn([effect(0.03, 0.01)]), drawn([effect(0.03, 0.01, shown=False)])
    assert one(shown, "mark") and not one(shown, "mark open")
    assert one(open_, "mark open") and not one(open_, "mark")
    assert "not worse: not shown" in [node.text for node in open_.iter(f"{_SVG}text")]


def test_the_description_tells_every_effect_in_words():
    svg = drawn([effect(-0.01, 0.03), effect(0.7, 0.1, other="base", claim=Hypothesis.BETTER)])
    told = svg.find(f"{_SVG}desc").text
    assert "rag minus both: −1.0 points, 95\u00a0% interval −4.0 to +2.0" in told
    assert "rag minus base: +70.0 points" in told
    assert svg.find(f"{_SVG}title").text


def test_a_far_effect_does_not_squeeze_the_margin_but_leaves_as_an_arrow():
    svg = drawn([effect(-0.01, 0.03), effect(0.7, 0.1, other="base")])
    margin, zero = (float(one(svg, kind)[0].get("x1")) for kind in ("margin", "zero"))
    assert zero - margin > 30
    assert one(svg, "head")
    assert "+70.0 (+60.0 to +80.0)" in [node.text for node in svg.iter(f"{_SVG}text")]


def test_every_place_is_inside_the_drawing_at_both_widths():
    effects = [effect(d, h) for d, h in ((0.0, 0.0), (-0.5, 0.4), (0.9, 0.1), (0.001, 0.0005))]
    for width in (344.0, 760.0):
        svg = drawn(effects, width=width)
        for node in svg.iter(f"{_SVG}line"):
            assert all(-0.01 <= float(node.get(key)) <= width + 0.01 for key in ("x1", "x2"))


def test_an_unbounded_interval_is_drawn_as_an_arrow():
    endless = dataclasses.replace(effect(0.1, 0.1), interval=Interval(-math.inf, math.inf, 0.95))
    svg = drawn([endless])
    assert len(one(svg, "head")) == 2
    assert "nan" not in etree.tostring(svg, encoding="unicode")


def test_a_long_name_is_shortened_and_whole_in_its_tooltip():
    name = "rag_with_a_reranker_" * 10
    svg = drawn([effect(0.0, 0.01, arm=name)], width=344.0)
    label = next(node for node in one(svg, "name"))
    assert label.find(f"{_SVG}title").text == f"{name} − both"
    assert "…" in "".join(label.itertext())
