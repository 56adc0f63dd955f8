from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.text.dates import DAYS, dates, days_in, months_between


def read(text):
    return [(found.year, found.month, found.day) for found in dates(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2021-03-05", [(2021, 3, 5)]),
        ("2021-03-05T10:00", [(2021, 3, 5)]),
        ("March 5, 2021", [(2021, 3, 5)]),
        ("March 5th", [(None, 3, 5)]),
        ("5 March 2021", [(2021, 3, 5)]),
        ("5th of March", [(None, 3, 5)]),
        ("MAR. 2021", [(2021, 3, None)]),
        ("Sept. 2019", [(2019, 9, None)]),
        ("in May", [(None, 5, None)]),
        ("3/5/2021", [(2021, 3, 5), (2021, 5, 3)]),
        ("25/12/2021", [(2021, 12, 25)]),
        ("5.5.98", [(1998, 5, 5)]),
        ("2003–04", [(2003, None, None), (2004, None, None)]),
        ("2003-2013", [(2003, None, None), (2013, None, None)]),
        ("1984", [(1984, None, None)]),
        # what is none
        ("May be", []),
        ("they march on", []),
        ("$2000", []),
        ("1,999 and 1999.5", []),
        ("12:30", []),
        ("99/99/2021", []),
        ("", []),
    ],
)
def test_a_date_is_read(text, expected):
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [("1990s", 1990, 1999), ("the 20th century", 1900, 2000), ("nineteenth-century", 1800, 1900)],
)
def test_a_decade_and_a_century_last(text, first, last):
    (found,) = dates(text)
    assert (found.year, found.until) == (first, last)


def test_days_from_to():
    (found,) = dates("June 3–5, 2020")
    assert (found.month, found.day, found.last_day) == (6, 3, 5)


@given(st.text(st.characters(), max_size=60))
def test_any_text_is_read_within_itself(text):
    text = f"{text}\n\nIt was 1 May 1999."
    known = dates(text)
    assert (known[-1].year, known[-1].month, known[-1].day) == (1999, 5, 1)
    for found in known:
        assert 0 <= found.span.start < found.span.end <= len(text)
        assert found.month is None or 1 <= found.month <= 12


@given(st.dates(date(1000, 1, 1), date(2099, 12, 31)))
def test_a_day_is_the_same_in_every_form(day):
    wanted = (day.year, day.month, day.day)
    assert read(day.isoformat()) == [wanted]
    assert read(f"{day:%B} {day.day}, {day.year}") == [wanted]
    assert read(f"{day.day} {day:%b} {day.year}") == [wanted]
    assert wanted in read(f"{day.day}/{day.month}/{day.year}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1999 " * 20_000, 20_000),
        ("1-" * 50_000, 0),
        ("May " * 25_000, 0),
        ("2" * 100_000, 0),
        ("1/1/" * 25_000, 0),
    ],
)
def test_odd_texts_are_read_in_time(text, count, within):
    with within(3):
        assert len(dates(text)) == count


def test_months_between_two_are_told_over_the_end_of_the_year():
    assert months_between("open November to March") == {
        "november",
        "december",
        "january",
        "february",
        "march",
    }
    assert months_between("Apr–Jun and 3 to 5") == {"april", "may", "june"}
    assert not months_between("may to march")


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("open Mon to Fri", DAYS[:5]),
        ("Sat–Mon", (*DAYS[5:], DAYS[0])),
        ("weekdays 10 to 18, Saturdays 10 to 13", DAYS[:6]),
        ("every day but Monday", DAYS[1:]),
        ("daily except Sundays", DAYS[:6]),
        ("Tue, Thu", (DAYS[1], DAYS[3])),
        ("at weekends", DAYS[5:]),
        ("10 working days ahead, when the sun sat low", ()),
    ],
)
def test_days_of_the_week_are_told_by_ranges_and_groups_too(text, days):
    assert days_in(text) == frozenset(days)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("MONDAY TO FRIDAY", DAYS[:5]),
        ("MON-FRI 9-17", DAYS[:5]),
        ("mon-fri", DAYS[:5]),
        ("Mo-Fr", DAYS[:5]),
        ("between Monday and Friday", DAYS[:5]),
        ("Monday  to\n Friday", DAYS[:5]),
        ("every day except Monday and Tuesday", DAYS[2:]),
        ("every day except from Monday to Wednesday", DAYS[3:]),
        ("on Sat and Sun", DAYS[5:]),
        ("Sat from 9, Sun mornings", DAYS[5:]),
        ("daily but Mon, Tue and Wed", DAYS[3:]),
        ("Sun cream", ()),
        ("Sat down", ()),
        ("the Sun Inn", ()),
    ],
)
def test_days_are_told_however_a_range_or_an_exception_is_written(text, days):
    assert days_in(text) == frozenset(days)
