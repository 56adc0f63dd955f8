from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hybrid.report.markup import Markup, element, escape, join, number, visible


@given(st.text())
def test_any_text_becomes_the_text_of_an_element_and_never_markup(text):
    node = etree.fromstring(str(element("p", {"title": text}, text)))
    assert len(node) == 0
    assert (node.text or "") == visible(text)


@given(st.text())
def test_any_text_can_be_written_as_utf8(text):
    assert escape(text).encode("utf-8").decode("utf-8") == escape(text)


def test_markup_stays_and_text_is_escaped():
    inner = element("b", None, "a < b")
    assert element("p", None, inner, " & c") == "<p><b>a &lt; b</b> &amp; c</p>"


def test_a_quote_does_not_end_an_attribute():
    assert element("p", {"title": '" onclick="x'}) == '<p title="&quot; onclick=&quot;x"></p>'


def test_control_and_bidi_characters_are_written_out():
    assert visible("a\x00b\x1b[31m \u202egnp.exe\u2066") == "a\\x00b\\x1b[31m \\u202egnp.exe\\u2066"
    assert visible("lone \ud800 half") == "lone \\ud800 half"


def test_line_ends_of_any_system_are_line_ends():
    assert visible("a\r\nb\rc\u2028d") == "a\nb\nc\nd"


def test_writing_of_other_languages_is_kept():
    # a joiner, a soft hyphen, accents and an emoji belong to texts
    text = "95\u00a0% می\u200cخواهم Donau\u00addampf é 👩‍🔬 日本"
    assert visible(text) == text


def test_a_separator_is_escaped_too():
    assert join(["a", Markup("<b>x</b>")], " < ") == "a &lt; <b>x</b>"


def test_numbers_in_attributes_are_short():
    assert (number(1.5), number(2.0), number(-0.001)) == ("1.5", "2", "0")
