import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.report.scale import Box, Scale, place_labels, text_width

_AREA = Box(0, 0, 340, 300)


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
