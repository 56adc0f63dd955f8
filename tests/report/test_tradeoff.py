import itertools

import pytest
from lxml import etree

from hybrid.report.tradeoff import CostPoint, Standing, interval_strip, mark, quality_cost_plot
from hybrid.statistics import Interval

_SVG = "{http://www.w3.org/2000/svg}"


def point(arm, cost, mean, standing=Standing.ELIGIBLE):
    return CostPoint(arm, cost, mean, Interval(max(0, mean - 0.05), min(1, mean + 0.05), 0.95), standing)


def drawn(points, **options):
    return etree.fromstring(str(quality_cost_plot(points, axis="USD per 1,000 answers", **options)))


def places(svg, kind="mark open"):
    return [
        (float(n.get("cx")), float(n.get("cy"))) for n in svg.iter(f"{_SVG}circle") if n.get("class") == kind
    ]


def labels(svg):
    return ["".join(node.itertext()) for node in svg.iter(f"{_SVG}text") if node.get("class") == "name"]


def test_dearer_is_right_and_better_is_up():
    cheap, dear = places(drawn([point("a", 1, 0.4), point("b", 2, 0.8)]))
    assert cheap[0] < dear[0]
    assert cheap[1] > dear[1]


def test_arms_at_the_same_place_stand_side_by_side():
    spots = places(drawn([point(name, 0.02, 0.7) for name in "abcde"]))
    assert all(abs(a[0] - b[0]) >= 13 for a, b in itertools.combinations(spots, 2))


def test_an_arm_without_a_price_is_drawn_apart_and_named():
    svg = drawn([point("a", 1, 0.4), point("b", None, 0.8)])
    assert sorted(labels(svg)) == ["a", "b"]
    assert "not measured" in [node.text for node in svg.iter(f"{_SVG}text")]
    assert "b, eligible: mean 80.0, price not measured." in svg.find(f"{_SVG}desc").text


@pytest.mark.parametrize("costs", [(0, 0), (0, 5), (0.0001, 90.0), (3, 3)])
def test_any_prices_give_a_drawing(costs):
    svg = drawn([point("a", costs[0], 0.0), point("b", costs[1], 1.0)], floor=0.98)
    assert len(places(svg)) == 2
    assert "nan" not in etree.tostring(svg, encoding="unicode")


def test_every_standing_has_a_mark_of_its_own_shape():
    shapes = [str(mark(one)) for one in Standing]
    assert len(set(shapes)) == len(shapes)


def test_a_strip_draws_the_interval_around_the_mean():
    svg = etree.fromstring(str(interval_strip(0.5, Interval(0.25, 0.75, 0.95), width=108)))
    bar = next(node for node in svg.iter() if node.get("class") == "bar")
    assert [float(bar.get(key)) for key in ("x1", "x2")] == [29, 79]
