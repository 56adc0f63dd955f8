"""Gain against loss: the front, the budget, the page, and names that want to be more than names."""

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hybrid.adaptation.values import Change
from hybrid.errors import UsageError
from hybrid.report import Tried, pareto_front, pareto_html, pareto_json, pareto_text
from hybrid.report.charts import pareto_scatter
from hybrid.report.html import environment

_SVG = "{http://www.w3.org/2000/svg}"


def tried(name, gain, loss, reach=0.01):
    gained = Change("label accuracy", 50, 50 + gain, gain, gain - 1, gain + 1, "points", 100, True)
    lost = Change("general text", 3, 3 + loss, loss, loss - reach, loss + reach, "nats", 80, False)
    return Tried(name, gained, lost)


_SETTINGS = [
    tried("none", 30, 0.12),
    tried("rehearsal 10 %", 29, 0.045),
    tried("rehearsal 50 %", 22, 0.02),
    tried("divergence", 29, 0.03),
    tried("strength 0.5", 15, 0.06),
]


@pytest.fixture
def found():
    return pareto_front(_SETTINGS, budget=0.05)


def test_the_front_holds_what_nothing_beats_in_both(found):
    assert [point.name for point in found.points if point.front] == ["none", "rehearsal 50 %", "divergence"]
    assert [point.name for point in found.points if point.inside] == ["rehearsal 50 %", "divergence"]


_PAIRS = st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=12)


@pytest.mark.slow
@given(_PAIRS)
def test_laws_of_the_front(pairs):
    points = pareto_front(
        [tried(str(n), gain, loss / 100) for n, (gain, loss) in enumerate(pairs)], budget=0.05
    ).points
    front = [point for point in points if point.front]
    assert front
    for point in points:
        better = [
            o
            for o in points
            if o.gain >= point.gain and o.loss <= point.loss and (o.gain, o.loss) != (point.gain, point.loss)
        ]
        assert point.front == (not better)
        # what is off the front is beaten by something on it
        assert point.front or any(o.front for o in better)
    # along the front more gain costs more loss
    ordered = sorted({(point.gain, point.loss) for point in front})
    assert [loss for _, loss in ordered] == sorted(loss for _, loss in ordered)


@pytest.mark.slow
@given(_PAIRS)
def test_the_order_of_the_settings_does_not_matter(pairs):
    rows = [tried(str(n), gain, loss / 100) for n, (gain, loss) in enumerate(pairs)]
    fronts = [
        {p.name for p in pareto_front(each, budget=0.05).points if p.front} for each in (rows, rows[::-1])
    ]
    assert fronts[0] == fronts[1]


@given(st.floats(0.001, 1), st.floats(0, 1))
def test_a_larger_budget_holds_more(budget, more):
    small, large = (
        {point.name for point in pareto_front(_SETTINGS, budget=limit).points if point.inside}
        for limit in (budget, budget + more)
    )
    assert small <= large


def test_a_gain_in_nats_and_a_loss_in_points_have_their_directions():
    fell = Change("loss", 2.0, 1.5, -0.5, -0.6, -0.4, "nats", 50, False)
    lost = Change("minimal pairs", 90.0, 88.0, -2.0, -2.5, -1.5, "points", 400, True)
    (point,) = pareto_front([Tried("a", fell, lost)], budget=1.0).points
    assert (point.gain, point.gain_low, point.gain_high) == (0.5, 0.4, 0.6)
    assert (point.loss, point.loss_low, point.loss_high) == (2.0, 1.5, 2.5)
    assert not point.inside


def test_nothing_tried_or_different_units_are_refused():
    with pytest.raises(UsageError, match="no setting was tried"):
        pareto_front([], budget=0.05)
    other = Tried("b", _SETTINGS[0].loss, _SETTINGS[0].loss)
    with pytest.raises(UsageError, match="measured differently"):
        pareto_front([_SETTINGS[0], other], budget=0.05)


def test_the_table_shows_every_setting_with_signs(found):
    lines = pareto_text(found).splitlines()
    assert lines[0] == "Gain: label accuracy, in points. Loss: general text, in nats."
    assert lines[2].split()[:3] == ["setting", "domain", "gain"]
    row = re.split(r"\s{2,}", lines[4])
    assert row == ["rehearsal 10 %", "+29", "+28 to +30", "+0.045", "+0.035 to +0.055", "no", "not shown"]
    assert len(lines) == 3 + len(_SETTINGS)


def test_plain_values_are_json(found):
    values = json.loads(json.dumps(pareto_json(found), allow_nan=False))
    assert values["budget"] == 0.05
    assert values["points"][3]["front"] is True
    endless = pareto_front([tried("a", 1, 0.01, reach=math.inf)], budget=0.05)
    assert json.loads(json.dumps(pareto_json(endless), allow_nan=False))["points"][0]["loss_high"] is None


def drawn(found, width=760.0):
    macros = environment().get_template("svg.html.j2").module
    return etree.fromstring(str(macros.scatter(pareto_scatter(found, width=width))))


def parsed(page):
    return etree.fromstring(page.removeprefix("<!DOCTYPE html>").encode())


def test_the_page_says_first_what_to_take(found):
    root = parsed(pareto_html(found, title="contracts"))
    said = " ".join("".join(root.find(".//h1").itertext()).split())
    assert (
        said
        == "Inside the budget, most is gained by divergence: +29 points, at a general loss of +0.03 nats."
    )
    assert len(root.findall(".//table/tbody/tr")) == len(_SETTINGS)


def test_the_page_says_so_where_nothing_is_gained():
    page = pareto_html(pareto_front([tried("none", 30, 0.5)], budget=0.05))
    assert "No setting gains anything inside the budget." in page


def test_the_page_loads_nothing_and_shows_names_as_they_are():
    name = "</style><script>alert(1)</script><img src=x onerror=alert(1)>\x00" + "long" * 60
    page = pareto_html(pareto_front([tried(name, 1, 0.01), tried("b", 2, 0.02)], budget=0.05), title=name)
    assert "<script" not in page
    policy = parsed(page).find(".//meta[@http-equiv='Content-Security-Policy']").get("content")
    assert policy.startswith("default-src 'none'")
    for node in parsed(page).iter():
        assert not [key for key in node.attrib if key.startswith("on") or key in ("src", "href")]


@pytest.mark.parametrize("width", [344.0, 760.0])
def test_the_drawing_names_every_point_inside_its_frame(found, width):
    svg = drawn(found, width)
    names = [node for node in svg.iter(f"{_SVG}text") if node.get("class") == "name"]
    assert len(names) == len(_SETTINGS)
    height = float(svg.get("height"))
    for node in names:
        assert 0 <= float(node.get("x")) <= width
        assert 0 <= float(node.get("y")) <= height
    said = svg.find(f"{_SVG}desc").text
    assert "none, on the front: gain +30 points, loss +0.12 nats, not shown to be inside the budget." in said


def test_every_standing_has_a_mark_of_its_own_shape():
    rows = [tried("a", 9, 0.01), tried("b", 10, 0.5), tried("c", 1, 0.02), tried("d", 1, 0.6)]
    svg = drawn(pareto_front(rows, budget=0.05))
    kinds = [
        (node.tag, node.get("class"))
        for node in svg.iter()
        if node.get("class") in ("mark", "mark open", "cross")
    ]
    assert len(set(kinds)) == 4


@pytest.mark.parametrize(
    "rows", [[tried("a", 0, 0.0, 0.0)], [tried("a", 5, 0.01)] * 3, [tried("a", 1, 0.01, math.inf)]]
)
def test_any_values_can_be_drawn(rows):
    text = etree.tostring(drawn(pareto_front(rows, budget=0.05)), encoding="unicode")
    assert "nan" not in text
    assert "inf" not in text
