"""The page: what it shows, that it loads nothing, and that no text breaks out of it."""

import base64
import dataclasses
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from lxml import etree

from hybrid.adaptation.methods.deltas import BlockDrift
from hybrid.decision.values import Look
from hybrid.report import ReportMaterial, drift_picture, report_html, words
from hybrid.report.html import environment
from hybrid.types import Evidence

_HOSTILE = (
    "</style></title><script>alert(1)</script><img src=https://evil.example/x onerror=alert(1)> \"'`{}"
    "\x00\x1b[31m \u202egnp.exe\u202c \ud800 " + "longword" * 80
)

_NUMBER = r"-?\d+(\.\d+)?"
_WHOLE = {"blockquote", "q"}
_INLINE = {
    "p",
    "span",
    "bdi",
    "b",
    "mark",
    "dd",
    "dt",
    "h3",
    "small",
    "summary",
    "td",
    "th",
    "li",
    "figcaption",
}


def written_by(template, text):
    return environment().from_string(template).render(text=text)


def parsed(page):
    """Parse strictly: the page is XML as well as HTML."""
    return etree.fromstring(page.removeprefix("<!DOCTYPE html>").encode())


def everything(found, **options):
    return report_html(found.decision, table=found.table, material=found.material, **options)


def section(page, name):
    return parsed(page).find(f".//section[@id='{name}']")


def told(node):
    return " ".join(" ".join(node.itertext()).split())


@pytest.fixture(scope="module")
def page(decided):
    return everything(decided, title="harbour handbook")


@pytest.mark.slow
def test_the_verdict_stands_before_everything_else(undecided):
    body = parsed(everything(undecided, title="harbour handbook")).find("body")
    words = told(body)
    assert words.startswith("harbour handbook Undecided Undecided between rag and both")
    assert "Run for now rag" in words
    assert words.index("430") < words.index("Differences")


def test_the_sections_come_in_order(page):
    names = [node.get("id") for node in parsed(page).iter("section")]
    assert names == [
        "effects",
        "arms",
        "price",
        "gates",
        "flips",
        "slices",
        "origins",
        "worst",
        "contested",
        "method",
        "metrics",
        "settings",
    ]


def test_nothing_is_loaded_from_anywhere(page):
    assert "<script" not in page
    assert "@import" not in page
    assert not re.search(r"url\(", page)
    for node in parsed(page).iter():
        for key, value in node.attrib.items():
            if key.split("}")[-1] in {"src", "href", "srcset", "action", "data", "poster"}:
                assert value.startswith("#"), (node.tag, key, value)
            assert not key.startswith("on")


def test_the_policy_of_the_page_allows_its_own_style_and_nothing_else(page):
    root = parsed(page)
    (policy,) = [
        m.get("content") for m in root.iter("meta") if m.get("http-equiv") == "Content-Security-Policy"
    ]
    digest = base64.b64encode(hashlib.sha256(root.find("head/style").text.encode()).digest()).decode()
    assert policy.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
    assert 'style="' not in page  # the policy would not apply it


def test_the_page_names_its_language_and_encoding(page):
    root = parsed(page)
    assert root.get("lang") == "en"
    assert root.find("head/meta").get("charset") == "utf-8"
    assert root.find("head/title").text == "Decided: harbour handbook"


def test_hostile_text_is_shown_and_not_obeyed(decided):
    questions = tuple(
        dataclasses.replace(
            q,
            text=_HOSTILE,
            answers=(_HOSTILE,),
            slices=(_HOSTILE,),
            source=_HOSTILE,
            evidence=(Evidence(_HOSTILE, _HOSTILE),),
        )
        for q in decided.material.questions
    )
    outcomes = tuple(
        dataclasses.replace(
            o,
            answer=o.answer and _HOSTILE,
            error=o.error and _HOSTILE,
            passages=tuple(dataclasses.replace(p, source=_HOSTILE, text=_HOSTILE) for p in o.passages),
        )
        for o in decided.material.outcomes
    )
    material = dataclasses.replace(
        decided.material, questions=questions, outcomes=outcomes, settings={_HOSTILE: _HOSTILE}
    )
    decision = dataclasses.replace(
        decided.decision, sentence=_HOSTILE, reasons=(_HOSTILE,), flips=(_HOSTILE,),
        slices=tuple(dataclasses.replace(part, name=_HOSTILE) for part in decided.decision.slices),
    )  # fmt: skip
    page = report_html(decision, table=decided.table, material=material, title=_HOSTILE)
    root = parsed(page)
    assert not list(root.iter("script")) and not list(root.iter("img"))
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\ud800-\udfff]", page)
    assert "<script>alert(1)</script>" in told(root.find(".//h1"))
    page.encode("utf-8")


def test_hostile_names_of_arms_are_escaped_in_plots_too(decided):
    results = tuple(
        dataclasses.replace(r, arm=f"{_HOSTILE}{place}") for place, r in enumerate(decided.decision.arms)
    )
    effects = tuple(dataclasses.replace(e, arm=_HOSTILE, other=_HOSTILE) for e in decided.decision.effects)
    root = parsed(report_html(dataclasses.replace(decided.decision, arms=results, effects=effects)))
    assert not list(root.iter("script")) and not list(root.iter("img"))


def test_a_decision_alone_gives_a_report(undecided):
    page = report_html(undecided.decision)
    names = [node.get("id") for node in parsed(page).iter("section")]
    assert "effects" in names and "method" in names
    assert "worst" not in names and "settings" not in names


def test_a_replayed_table_shows_its_questions_without_answers(undecided):
    page = report_html(undecided.decision, table=undecided.table)
    worst = section(page, "worst")
    assert len(worst.findall("div")) == 20
    assert re.search(r"q0\d\d", told(worst))
    assert not list(worst.iter("article"))


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes(decided):
    assert everything(decided) == everything(decided)


def test_failures_and_missing_prices_are_named(page):
    words = told(section(page, "arms"))
    assert "60 of 60" in words
    assert "–: not measured" in words


def test_every_drawing_has_a_title_and_words_for_those_who_cannot_see_it(page):
    plots = [n for n in parsed(page).iter("{http://www.w3.org/2000/svg}svg") if n.get("role") == "img"]
    assert len(plots) == 4  # two drawings at two widths
    for plot in plots:
        assert plot.find("{http://www.w3.org/2000/svg}title").text
        assert len(plot.find("{http://www.w3.org/2000/svg}desc").text) > 40


def test_a_slice_that_contradicts_the_verdict_is_marked_by_a_sign_and_in_words(page):
    rows = {told(row).split()[0]: told(row) for row in section(page, "slices").iter("tr")}
    assert "▲ both is better by 18.0 (4.0 to 31.0)" in rows["jargon-heavy"]
    assert "▲" not in rows["fresh"]


def test_the_worst_questions_show_all_answers_and_the_cited_stretch(page):
    cases = section(page, "worst").findall("div")
    assert len(cases) == 20
    arms = [told(article).split()[0] for article in cases[0].iter("article")]
    assert arms == ["base", "rag", "adapter", "both"]
    marked = [told(mark) for mark in section(page, "worst").iter("mark")]
    assert any(
        "The default settings are 5 minutes and 1 GB" in text and "both [1]" in text for text in marked
    )
    assert "the generator ran out of memory" in told(cases[0])
    assert "Declined to answer" in told(section(page, "worst"))


def test_a_question_in_both_lists_is_told_once_and_linked(page):
    links = [a.get("href") for a in section(page, "contested").iter("a")]
    targets = {node.get("id") for node in parsed(page).iter() if node.get("id")}
    assert links
    assert all(link[1:] in targets for link in links)


def test_an_identifier_stands_once(page):
    names = [node.get("id") for node in parsed(page).iter() if node.get("id")]
    assert len(names) == len(set(names))


def test_no_arm_that_passes_its_gates_is_said_so(undecided):
    decision = dataclasses.replace(
        undecided.decision, interim=None, order=(), questions_needed=None, effects=()
    )
    words = told(parsed(report_html(decision, table=undecided.table)).find(".//header"))
    assert "none passes its gates" in words
    assert "no number of these would" in words


def test_looks_of_a_sequential_decision_are_shown(decided):
    decision = dataclasses.replace(
        decided.decision,
        looks=(Look(20, 80, ("base", "rag", "adapter", "both"), 0.01), Look(60, 160, ("rag", "both"), 0.04)),
    )
    page = report_html(decision, table=decided.table)
    assert "160" in told(section(page, "looks"))
    assert "alpha spending" in told(section(page, "method"))


def test_slices_that_name_their_arms_are_believed(decided):
    own = tuple(
        dataclasses.replace(p, means=(0.5, 0.6), arms=("adapter", "both")) for p in decided.decision.slices
    )
    page = report_html(dataclasses.replace(decided.decision, slices=own))
    assert told(section(page, "slices").find(".//thead")) == "Slice Questions adapter both Exception"


def test_metrics_are_defined_where_they_are_used(page):
    words = told(section(page, "metrics"))
    assert "correct 0 to 1 higher" in words
    assert "similarity" not in words


def test_an_empty_material_is_as_good_as_none(decided):
    assert report_html(decided.decision, material=ReportMaterial()) == report_html(decided.decision)


@given(st.text())
def test_any_text_becomes_the_text_of_an_element_and_never_markup(text):
    written = written_by('<p title="{{ text }}">{{ text }}</p>', text)
    node = etree.fromstring(written)
    assert len(node) == 0
    assert (node.text or "") == words.visible(text)
    assert written.encode("utf-8").decode("utf-8") == written


def test_markup_stays_and_text_is_escaped():
    written = written_by(
        "<p>{% set inner %}<b>{{ text }}</b>{% endset %}{{ inner }}{{ ' & c' }}</p>", "a < b"
    )
    assert written == "<p><b>a &lt; b</b> &amp; c</p>"


def test_a_quote_does_not_end_an_attribute():
    assert etree.fromstring(written_by('<p title="{{ text }}"/>', '" onclick="x')).attrib == {
        "title": '" onclick="x'
    }


def test_names_and_what_stands_between_them_are_escaped():
    names = '{% from "parts.html.j2" import names %}<p>{{ names(["a", text], " < ") }}</p>'
    assert told(etree.fromstring(written_by(names, "<b>x</b>"))) == "a < <b>x</b>"


def test_a_name_that_the_template_lacks_is_an_error():
    with pytest.raises(UndefinedError, match="absent"):
        written_by("{{ absent }}", "")


def test_no_template_lets_text_past_the_escaping():
    names = environment().list_templates()
    assert "decision.html.j2" in names
    unescaped = {
        name: re.findall(r"\| *safe|autoescape", environment().loader.get_source(environment(), name)[0])
        for name in names
    }
    assert {name: found for name, found in unescaped.items() if found} == {"page.html.j2": ["| safe"]}


@pytest.mark.slow
def test_an_answer_needs_no_report_and_a_report_no_templates_until_there_is_a_page():
    code = (
        "import sys, hybrid.assistant, hybrid.cli.ask; assert 'hybrid.report' not in sys.modules\n"
        "import hybrid.report; assert 'jinja2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def canonical(node):
    """Return the elements and the texts of a page, without the white space between blocks."""
    whole = node.tag in _WHOLE or node.get("class") == "said"
    for key, value in sorted(node.attrib.items()):
        # coordinates count, not how they are written
        yield f"{key}={re.sub(_NUMBER, lambda n: f'{float(n[0]):g}', value) if key == 'd' else value}"
    for child in [None, *node]:
        if child is not None:
            yield f"<{child.tag}>"
            yield from canonical(child)
        text = (node.text if child is None else child.tail) or ""
        text = text if whole else re.sub(r"[ \n\t]+", " ", text)
        if text.strip(" ") or (text and node.tag in _INLINE):
            yield text


@pytest.mark.slow
def test_the_pages_are_what_they_were(decided, undecided):
    pages = {
        "decided": everything(decided, title="harbour handbook"),
        "undecided": everything(undecided),
        "alone": report_html(decided.decision),
    }
    found = {
        name: {
            node.get("id", node.tag): hashlib.sha256("\n".join(canonical(node)).encode()).hexdigest()[:16]
            for node in parsed(page).iter("header", "section", "footer")
        }
        for name, page in pages.items()
    }
    golden = Path(__file__).with_name("golden.json")
    assert found == json.loads(golden.read_text(encoding="utf-8"))


def test_the_picture_is_svg_with_both_lines_and_a_bar_for_each_block():
    blocks = [BlockDrift(n, 2.0 * n, 1.0 * n, 0.01 * n, 3.0) for n in range(12)]
    root = etree.fromstring(drift_picture(blocks, "manual: <one>"))
    names = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert names.count("polyline") == 2 and names.count("rect") == 13
    assert root.findtext("{http://www.w3.org/2000/svg}title") == "manual: <one>"
    lines = [element.get("points").split() for element in root.iter() if element.tag.endswith("polyline")]
    heights = [[float(spot.split(",")[1]) for spot in line] for line in lines]
    assert all(a > b for a, b in zip(heights[0], heights[0][1:], strict=False))  # up is less
    assert all(b >= a for a, b in zip(*heights, strict=True))
