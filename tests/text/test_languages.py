import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.text.words import language_of

GERMAN = "Der Server lauscht auf dem Port 5433 und nicht auf einem anderen."


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
