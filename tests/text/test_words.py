import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.text.words import (
    are_opposite,
    contains,
    content_words,
    language_of,
    overlaps,
    properties,
    property_of,
    share_supported,
    terms,
    tokens,
    word_set,
    word_spans,
)
from hybrid.types import Span

GERMAN = "Der Server lauscht auf dem Port 5433 und nicht auf einem anderen."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("orchestral music", ["orche", "music"]),
        ("The ports are 5432 and 1,000.", ["port", "5432", "1,000"]),
        ("2021-03-05", ["2021", "march", "5"]),
        ("5 Mar 2021", ["5", "march", "2021"]),
        ("Sept. 2019", ["septe", "2019"]),
        ("2021-13-05", ["2021", "13", "5"]),
        ("港口是", ["港口", "口是"]),
        ("港", ["港"]),
        ("", []),
    ],
)
def test_terms(text, expected):
    assert terms(text) == expected


def test_a_date_has_the_same_terms_however_it_is_written():
    assert set(terms("2021-09-05")) == set(terms("5 September 2021")) == set(terms("Sept. 5, 2021"))


def test_a_word_is_short_whatever_stands_in_the_text():
    text = "a" * 50 + " bc 港口"
    spans = word_spans(text, Span(0, len(text)))
    assert [text[s.start : s.end] for s in spans] == ["a" * 20, "a" * 20, "a" * 10, "bc", "港", "口"]


def test_lists_of_words_are_written_as_text():
    assert word_set("a b", "c\nd") == {"a", "b", "c", "d"}


def test_stop_words_and_endings_do_not_count():
    assert content_words("The servers are listening on the ports") == ["server", "listen", "port"]


def test_accents_and_width_do_not_count_and_unspaced_scripts_are_read_by_pairs():
    assert content_words("Das Café von Müller, ＰＯＲＴ") == ["das", "cafe", "von", "muller", "port"]
    assert content_words("端口5432，포트는 ไทย") == ["端口", "5432", "포트", "트는", "ไท", "ทย"]
    assert overlaps("数据库的默认端口是什么？", ["默认端口是5432。", "会议室预约"])[0] > 0.25


def test_a_sentence_supports_itself():
    assert share_supported("The port is 5432.", "By default the port is 5432, not more.") == 1.0


def test_a_number_that_is_nowhere_is_not_supported():
    assert share_supported("The port is 5433.", "The port is 5432.") == 0.0


def test_an_invented_name_lowers_the_share():
    share = share_supported("Alice wrote the report", "Bob wrote the report")
    assert share == pytest.approx(2 / 3)


def test_an_empty_sentence_is_not_supported():
    assert share_supported("", "anything") == 0.0
    assert share_supported("is it the", "is it the") == 0.0


@pytest.mark.slow
@given(st.text(max_size=80), st.text(max_size=200))
def test_a_share_is_between_zero_and_one(sentence, text):
    assert 0.0 <= share_supported(sentence, text) <= 1.0


@pytest.mark.parametrize(
    ("text", "words", "there"),
    [
        ("The Port  is\n5432.", "port is", True),
        ("the reports", "port", False),
        ("port_number", "port", False),
        ("C++ (and C)", "c++", True),
        ("a.b", "a b", False),
        ("anything", "", False),
    ],
)
def test_words_stand_in_a_text_between_borders(text, words, there):
    assert contains(text, words) is there


def test_a_rare_word_of_a_question_counts_for_more():
    common, rare, none = overlaps("Which port is the default?", ["the default", "the port", "nothing"])
    assert rare == common and none == 0
    first, second, _ = overlaps("Which port is the default?", ["the default", "the port", "a default"])
    assert second > first
    assert overlaps("Which port?", ["the port"]) == [1.0]


@pytest.mark.parametrize(
    ("one", "other", "opposed"),
    [
        ("increases", "decreased", True),
        ("stable", "unstable", True),
        ("port", "report", False),
        ("in", "im", False),
    ],
)
def test_opposites_are_listed_or_stand_behind_a_prefix(one, other, opposed):
    assert are_opposite(one, other) is are_opposite(other, one) is opposed


@pytest.mark.slow
@given(st.text(st.characters(), max_size=80))
def test_tokens_are_in_small_letters(text):
    assert all(token == token.lower() for token in tokens(text) if token.isascii())
    assert tokens(text) == tokens(text.lower())


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (GERMAN, "de"),
        ("Le serveur écoute sur le port 5433 et pas sur un autre.", "fr"),
        ("El servidor escucha en el puerto 5433 y no en otro de los puertos.", "es"),
        ("Il server ascolta sulla porta 5433 e non su una delle altre, come è noto.", "it"),
        ("O servidor escuta na porta 5433 e não em uma das outras portas.", "pt"),
        ("De server luistert op poort 5433 en niet op een van de andere.", "nl"),
        ("Der Film The Wall ist von einer Band aus England und nicht von einem Regisseur.", "de"),
        ("Сервер слушает порт 5433.", "cyrillic"),
        ("港口是 5433。", "cjk"),
        ("השרת מאזין בפורט 5433.", "hebrew"),
        ("يستمع الخادم على المنفذ 5433.", "arabic"),
        # English, or too little to say: names, quotations, symbols, code, tables
        ("The port is 5433.", "en"),
        ("", "en"),
        ("5433", "en"),
        ("Der Spiegel", "en"),
        ("Charles de Gaulle, Les Invalides, Paris", "en"),
        ("La Casa de las Flores is a Mexican series of the year 2018.", "en"),
        ("α-Synuclein binds β-sheets with Kd of 5 μM.", "en"),
        ("The word Москва is the Russian name of the city.", "en"),
        ("for (const de of la) { en += el; }", "en"),
        ("| port | 5432 |", "en"),
        ("SELECT count(*) FROM orders WHERE id IN (1, 2, 3);", "en"),
        # what someone adds does not make English foreign
        ("The port of the server is 5433 und das ist nicht der Hafen von einer Stadt mit dem Schiff.", "en"),
        ("The port of the server is 5433 " + "港口" * 50, "en"),
    ],
)
def test_languages(text, language):
    assert language_of(text) == language


@given(st.text(max_size=80))
def test_any_text_has_one(text):
    assert language_of(text)


def test_the_property_behind_an_adjective_is_known():
    assert properties("How heavy is it, and which is cheaper?") == "weight price cost"
    assert properties("Which port is it?") == ""
    assert (property_of("gram"), property_of("litre")) == ("weight", "litre")
