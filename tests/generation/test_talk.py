"""Small talk is told from questions, in four languages, misspelt too; what declines says why."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.generation.talk import Act, Shelf, asked_in, decline, hear, reply
from hybrid.types import Chunk, Hit

_DOCS = Shelf("docs", ("Travel", "Leave", "prices.csv", "Wi-Fi"))
_MINI = "sentence-transformers/all-MiniLM-L6-v2"


@pytest.mark.parametrize(
    ("text", "act", "language"),
    [
        ("hello", Act.GREETING, "en"),
        ("Hellooo!!!", Act.GREETING, "en"),
        ("  hi there :)", Act.GREETING, "en"),
        ("hallo", Act.GREETING, "de"),
        ("Guten Tag!", Act.GREETING, "de"),
        ("Grüß Gott", Act.GREETING, "de"),
        ("Bonjour !", Act.GREETING, "fr"),
        ("¡Hola!", Act.GREETING, "es"),
        ("thanks, that helped!", Act.THANKS, "en"),
        ("Thnaks a lot!!", Act.THANKS, "en"),
        ("danke schön", Act.THANKS, "de"),
        ("merci", Act.THANKS, "fr"),
        ("merci beaucoup", Act.THANKS, "fr"),
        ("muchas gracias", Act.THANKS, "es"),
        ("ok, bye", Act.PARTING, "en"),
        ("Tschüß", Act.PARTING, "de"),
        ("How are you?", Act.WELLBEING, "en"),
        ("what's up", Act.WELLBEING, "en"),
        ("What can you do?", Act.ABOUT, "en"),
        ("waht can you do", Act.ABOUT, "en"),
        ("Hi, who are you?", Act.ABOUT, "en"),
        ("Wer bist du?", Act.ABOUT, "de"),
        ("Qui êtes-vous ?", Act.ABOUT, "fr"),
        ("¿Quién eres?", Act.ABOUT, "es"),
        ("???", Act.WORDLESS, "en"),
        ("👍", Act.WORDLESS, "en"),
    ],
)
def test_small_talk_is_heard(text, act, language):
    heard = hear(text)
    assert (heard.act, heard.language) == (act, language)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Hi, how many days of leave?", "how many days of leave?"),
        ("hi how many days of leave do I get", "how many days of leave do I get"),
        ("Guten Morgen, wie viele Urlaubstage habe ich?", "wie viele Urlaubstage habe ich?"),
        ("Thanks! And in Berlin?", "And in Berlin?"),
        ("Hi. How are you? How long is 3,5 h?", "How long is 3,5 h?"),
        ("How many days? Thank you!", "How many days?"),
        ("Hello World program?", "Hello World program?"),
        ("How are you paid for overtime?", "How are you paid for overtime?"),
        ("What can you do if it leaks?", "What can you do if it leaks?"),
        ("help me with the VPN", "help me with the VPN"),
        ("Halle, how far is it?", "Halle, how far is it?"),
        ("morning shift?", "morning shift?"),
        ("cola?", "cola?"),
        ("yes", "yes"),
        ("", ""),
    ],
)
def test_a_question_is_what_is_left_of_a_text_without_its_courtesies(text, question):
    heard = hear(text)
    assert (heard.act, heard.question) == (None, question)


@pytest.mark.slow
@given(st.text(max_size=200))
def test_whatever_is_said_is_heard_and_a_question_stands_in_it(text):
    heard = hear(text)
    assert heard.question in text
    assert heard.question or not text.strip()
    assert hear(heard.question).question in heard.question


def test_a_word_that_is_taken_for_another_is_named():
    assert hear("Thnaks a lot").slips == ("thnaks",)
    assert hear("thanks a lot").slips == ()
    assert all(hear(said) for said in ("ello", "htanks", "oodbye"))


def test_replies_say_what_is_asked_here():
    said = reply(hear("who are you?"), "who are you?", [_DOCS, Shelf("hr", ("Leave",))])
    assert "docs (4 documents, for example Travel, Leave, prices.csv); hr (1 document, for" in said.text
    assert (said.reader, said.abstained, said.citations) == ("talk", False, ())
    assert reply(hear("gracias"), "gracias", [_DOCS]).text == "¡De nada!"
    assert "docs" in reply(hear("hola"), "hola", [_DOCS]).text
    assert reply(hear("???"), "???", [_DOCS]).abstained


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("Wie viele Urlaubstage habe ich nach vier Jahren?", "de"),
        ("Was kostet der Versand?", "de"),
        ("Combien de jours de congé ?", "fr"),
        ("¿Cuántos días de vacaciones tengo?", "es"),
        ("Сколько дней отпуска?", "cyrillic"),
        ("Was the K300 sold?", "en"),
        ("printer?", ""),
        ("Qual è la porta predefinita?", "it"),
        ("Qual é a porta padrão do servidor, e quem a define?", "pt"),
        ("Hoeveel kost het hotel?", "nl"),
        ("Ile dni urlopu ma pracownik?", "pl"),
        ("Hur mycket kostar hotellet?", "sv"),
        ("Hvor mange feriedager har jeg?", "other"),  # Danish or Norwegian
        ("Qual é a porta?", "other"),  # Portuguese or Italian
        ("Auf welchem Port lauscht der Server?", "de"),
        ("Does the de-icing plan of La Haye hold for a van?", "en"),
    ],
)
def test_the_language_of_a_question_is_told_by_its_small_words(question, language):
    assert asked_in(question) == language


def _hit(text):
    return [Hit(Chunk("a.md", 0, 0, len(text), text), 1.0)]


def test_a_question_in_another_language_than_the_documents_is_told_what_to_set():
    english = _hit("The notice period is four weeks to the end of a month, and it is the same for all of us.")
    said = decline("no", "Wie lange ist die Kündigungsfrist in der Probezeit?", english, _MINI)
    assert "auf Deutsch" in said and "auf Englisch" in said and "models.embedder" in said
    cyrillic = decline("no", "Сколько дней отпуска?", english, _MINI)
    assert "Cyrillic script" in cyrillic and _MINI in cyrillic
    assert decline("no", "Who is the queen of Denmark?", english, _MINI) == "no"
    assert decline("no", "Drucker?", english, _MINI) == "no"
    assert decline("no", "Was kostet der Versand?", [], _MINI) == "no"
    assert decline("no", "Was kostet der Versand?", english, "intfloat/multilingual-e5-small") == "no"
    # too short to tell that it is English: nothing is said of the documents that may be wrong
    short = _hit("Die Kündigungsfrist beträgt sechs Wochen.")
    assert decline("no", "Was kostet der Versand?", short, _MINI) == "no"
    german = _hit("Die Kündigungsfrist ist vier Wochen zum Ende des Monats, und sie gilt für alle von uns.")
    assert decline("no", "Was kostet der Versand?", german, _MINI) == "no"


@pytest.mark.parametrize("text", ["a-", "hi ", "a, ", "1", "["])
def test_what_a_long_text_costs_does_not_grow_with_its_square(text):
    begun = time.process_time()
    hear(text * 5_000)
    # the square of it would take minutes
    assert time.process_time() - begun < 5


def test_what_is_declined_names_the_codes_that_nothing_found_has():
    hits = [Hit(Chunk("faults.md", 0, 0, 20, "E413: the door is open.", ("Faults of 2025",)), 1.0)]
    usual = "I don't know."
    said = decline(usual, "What does e510 mean, and E413 in 2025?", hits, "all-MiniLM")
    assert said == f"{usual} What was found does not name E510."
    assert decline(usual, "What does E413 mean?", hits, "all-MiniLM") == usual
    assert decline(usual, "What does E510 mean?", [], "all-MiniLM") == usual
