import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.evaluation.correctness import grade_of, refuses
from hybrid.evaluation.facts import State

NOBEL = "who got the first nobel prize in physics"
MARGIN = "Gross margin fell mainly because of higher raw material prices and unfavourable exchange rates"
RATIO = "No. The quick ratio fell from 1.57 to 0.96, so the company is less liquid."


def graded(question, gold, answer):
    return grade_of(question, answer, gold if isinstance(gold, list) else [gold])


@pytest.mark.parametrize(
    ("question", "gold", "answer"),
    [
        (NOBEL, "Wilhelm Conrad Röntgen", "Wilhelm Röntgen"),
        (NOBEL, "Wilhelm Conrad Röntgen", "It was awarded to Wilhelm Rontgen, in 1901."),
        (NOBEL, "Wilhelm Conrad Röntgen", "It went to W. C. Röntgen."),
        ("Which body?", "United Nations", "The U.N."),
        ("Which body?", "UN", "The United Nations."),
        ("When?", "5 March 2021", "2021-03-05"),
        ("When?", "5 March 2021", "March 5th, 2021"),
        ("When?", "5 March 2021", "It was on 5/3/2021."),
        ("How far?", "twelve miles", "12 miles"),
        ("Which file?", "pg_ident.conf", "It is pg_ident.conf."),
        ("What is the capital of Japan?", "東京", "日本の首都は東京です。"),
        ("Where?", "Saint-Étienne", "in St Etienne: Saint–Etienne"),
        (
            "Why did margin fall?",
            MARGIN,
            "Raw material prices and exchange rates pushed the gross margin down.",
        ),
        ("Is it more liquid than before?", RATIO, "No, its quick ratio went from 1.57 to 0.96."),
        ("Did sales rise?", "Yes. Sales rose by 12.3 %.", "Sales were up by 12%."),
    ],
)
def test_the_same_facts_in_other_words_are_right(question, gold, answer):
    assert graded(question, gold, answer).grade >= 0.5


@pytest.mark.parametrize(
    ("question", "gold", "answer"),
    [
        (NOBEL, "Wilhelm Conrad Röntgen", "Marie Curie"),
        (NOBEL, "Wilhelm Conrad Röntgen", "Wilhelm Wien"),
        ("Which body?", "UN", "The EU"),
        ("When?", "5 March 2021", "March 5, 2020"),
        ("Which file?", "pg_ident.conf", "It is pg_hba.conf."),
        ("Which option?", "--globals-only", "Use --globals, only."),
        ("Which catalog?", "pg_authid", "pg_authid_old"),
        ("What is the capital of Japan?", "東京", "大阪です。"),
        ("Why did margin fall?", MARGIN, MARGIN.replace("fell", "rose").replace("higher", "lower")),
        ("Why did margin fall?", MARGIN, "Sales of services grew."),
        ("Is it more liquid than before?", RATIO, "Yes, its quick ratio went from 0.96 to 1.57."),
        ("What is the ratio?", "The quick ratio is 1.57, so it is liquid.", "The quick ratio is 0.96."),
        ("Which product was recalled?", "Alpha Prime", "Beta Two was recalled, not Alpha Prime."),
        ("Did sales rise?", "Yes. Sales rose by 12.3 %.", "Sales fell by 12%."),
    ],
)
def test_other_facts_are_wrong(question, gold, answer):
    assert graded(question, gold, answer).grade < 0.5


def test_one_of_several_values_that_are_offered_counts_for_its_share():
    alone = graded("How much?", "$20", "It costs $20.").grade
    assert graded("How much?", "$20", "It costs $10. It costs $20. It costs $30.").grade < alone / 2
    assert graded("How much?", "$20", "It costs $10, $20 or $30.").rivals == ("$30", "$10")
    both = graded("Which product was recalled?", "Alpha Prime", "Alpha Prime and Beta Two were recalled.")
    assert both.rivals == ("Beta Two",) and both.grade <= 0.5


def test_what_several_golds_or_the_question_name_is_no_rival():
    found = graded("Did Alpha beat Beta Two?", ["Alpha Prime", "Gamma"], "Alpha Prime and Gamma and Beta Two")
    assert found.rivals == ()


HEAP = (
    "The launcher starts workers in every database. Locks lie in shared memory. The planner reads statistics "
    "of columns. A tablespace lies in another folder. Roles own objects. Toasted values are compressed. "
    "Every statement of a transaction sees a snapshot. Indexes are rebuilt by hand where they swell. "
    "Backups are taken while the server runs, and the log that is written then is needed to restore them."
)


def test_a_gold_in_a_heap_of_sentences_costs():
    question, gold = "Which catalog keeps the passwords of users?", "the shadow catalog"
    short = graded(question, gold, "Passwords of users are kept in the shadow catalog.")
    long = graded(question, gold, f"Passwords of users are kept in the shadow catalog. {HEAP}")
    adrift = graded(question, gold, f"{HEAP} A slow view over the shadow catalog is no table.")
    assert short.grade == 1.0
    assert short.grade > long.grade > 0.5 > adrift.grade
    assert "beside the point" in long.because and "something else" in adrift.because


def test_it_is_explained():
    found = graded(NOBEL, "Wilhelm Conrad Röntgen of Würzburg", "Wilhelm Röntgen")
    states = {fact.text: fact.state for fact in found.facts}
    assert states["rontgen"] is State.CARRIED and states["conrad"] is State.MISSING
    assert found.because == "carried: wilhelm, rontgen; missing: conrad, wurzburg"
    when = graded("When?", "in May 2020", "in May 2021")
    assert when.because.startswith("contradicted: May 2020")


def test_the_best_gold_counts():
    assert graded("Who?", ["Ada Lovelace", "Mary Shelley"], "Mary Shelley").gold == "Mary Shelley"


@pytest.mark.parametrize("answer", ["", "  ", "…", "***"])
def test_what_says_nothing_is_nothing(answer):
    assert graded("Who?", "Ada Lovelace", answer).grade == 0.0


@pytest.mark.slow
@given(st.text(max_size=60), st.text(min_size=1, max_size=30).filter(str.strip))
def test_a_grade_is_a_share(answer, gold):
    assert 0.0 <= graded("Who wrote it?", gold, answer).grade <= 1.0


NAMES = ["Zoë Müller", "São Tomé", "O’Brien’s coﬃn", "the Łódź–Brno line", "Nguyễn Văn Thiệu"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_unicode_forms_and_typography_change_nothing(name, form):
    written = unicodedata.normalize(form, name).replace("’", "'").replace("–", "-")
    assert graded("Which?", name, f"It is {written}.").grade == graded("Which?", name, f"It is {name}.").grade


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I could not find this in the documents.", True),
        ("I'm sorry, but I cannot determine the price from the context.", True),
        ("The documents do not mention a price.", True),
        ("Unable to find any information.", True),
        ("The price is $20.", False),
        ("It is not clear at first, but the table says $20. The price is $20.", False),
        ("", False),
    ],
)
def test_refusals_in_words_of_their_own(text, expected):
    assert refuses(text) is expected
