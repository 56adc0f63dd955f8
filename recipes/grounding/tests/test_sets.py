"""Every format, on rows written by hand as the sets publish them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.errors import UsageError
from hybrid.grounding.examples import Label, load_labelled
from hybrid.types import Span
from recipes.grounding.sets import load, main, merged_spans, recall, wice_gold


@pytest.fixture
def write(tmp_path):
    """Write rows as JSON lines, or a value as one laid-out JSON document; return the path."""

    def call(name, rows, *, whole=False):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = json.dumps(rows, indent=2) if whole else "".join(json.dumps(row) + "\n" for row in rows)
        path.write_text(lines, encoding="utf-8")
        return path

    return call


def marked(example):
    return [example.claim[span.start : span.end] for span in example.unsupported_spans]


def labels(dataset):
    return [example.label for example in dataset.examples]


def test_summedits_marks_the_words_that_were_edited(write, tmp_path):
    right = {"id": "d_og", "doc": "D", "summary": "Ann asks Mike to buy milk.", "label": 1,
             "original_summary": "Ann asks Mike to buy milk.", "edit_types": [], "split": "test"}  # fmt: skip
    wrong = right | {
        "id": "d_0",
        "summary": "Ann tells Mike to buy milk.",
        "label": 0,
        "edit_types": ["entity", "x"],
    }
    same = right | {"id": "d_1", "label": 0}
    write("set/samsum.json", [right, wrong, same], whole=True)
    write("set/news.json", [right | {"doc": "E"}], whole=True)
    dataset = load(tmp_path / "set")
    assert [(e.domain, e.label) for e in dataset.examples] == [
        ("news", Label.SUPPORTED),
        ("samsum", Label.SUPPORTED),
        ("samsum", Label.UNSUPPORTED),
        ("samsum", Label.UNSUPPORTED),
    ]  # fmt: skip
    assert marked(dataset.examples[2]) == ["tells"]
    assert dataset.examples[2].kind == "entity, x"
    assert dataset.examples[3].unsupported_spans is None
    sources = [e.source for e in dataset.examples]
    assert sources[1] == sources[2] != sources[0]


# --- WiCE ------------------------------------------------------------------------------------------------

WICE = {
    "label": "partially_supported",
    "supporting_sentences": [[0, 2], [1]],
    "claim": "Bo lives in ex-Prussia.",
    "evidence": ["Bo lives.", "Bo is here.", "It is cold."],
    "meta": {"id": "dev1", "claim_title": "T"},
}


def test_wice_keeps_the_sets_of_sentences_that_carry_a_claim(write):
    rows = [
        WICE,
        WICE | {"label": "supported", "meta": {"id": "dev2"}},
        WICE | {"label": "not_supported", "supporting_sentences": [], "meta": {"id": "dev3"}},
    ]
    path = write("dev.jsonl", rows)
    first, second, third = load(path).examples
    assert first.evidence == ("Bo lives.\nBo is here.\nIt is cold.",)
    gold = wice_gold(path)
    texts = [[first.evidence[0][s.start : s.end] for s in spans] for spans in gold[first.id]]
    assert texts == [["Bo lives.", "It is cold."], ["Bo is here."]]
    assert (first.kind, first.unsupported_spans) == ("partially supported", None)
    assert (second.label, second.unsupported_spans) == (Label.SUPPORTED, ())
    assert (third.kind, gold[third.id]) == ("not supported", ())


def test_wice_marks_words(write):
    row = WICE | {
        "claim_tokens": ["Bo", "lives", "in", "ex", "-", "Prussia", "."],
        "non_supported_spans": [False, False, True, True, True, True, False],
    }
    dataset = load(write("non_supported_tokens_dev.jsonl", [row]))
    assert marked(dataset.examples[0]) == ["in ex-Prussia"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "maybe"}, "the label is 'maybe'"),
        ({"claim_tokens": ["Zo"], "non_supported_spans": [True]}, "the word 'Zo'"),
        ({"claim_tokens": ["Bo"], "non_supported_spans": []}, "1 words and 0 flags"),
    ],
)
def test_rows_of_wice_that_contradict_themselves_are_refused(write, change, message):
    with pytest.raises(UsageError, match=message):
        load(write("dev.jsonl", [WICE | change]))


def test_a_sentence_that_the_page_does_not_have_is_refused(write):
    with pytest.raises(UsageError, match=r"sentences \[7\] of a page of 3"):
        wice_gold(write("dev.jsonl", [WICE | {"supporting_sentences": [[7]]}]))


# --- SciFact and pairs -----------------------------------------------------------------------------------


def test_scifact_gives_an_example_for_every_abstract_that_was_looked_at(write, tmp_path):
    abstracts = [
        {"_id": name, "title": f"T{name}", "text": f"Text {name}.", "metadata": {}} for name in "123"
    ]
    claim = {
        "id": "5",
        "claim": "C.",
        "cited_doc_ids": ["1", "2"],
        "evidence": [
            {"doc_id": "2", "label": "CONTRADICT", "sentences": [4]},
            {"doc_id": "3", "label": "SUPPORT", "sentences": [0]},
        ],
    }
    write("corpus.jsonl", abstracts)
    dataset = load(write("claims_train.jsonl", [claim]))
    assert [(e.source, e.label) for e in dataset.examples] == [
        ("1", Label.NEUTRAL), ("2", Label.REFUTED), ("3", Label.SUPPORTED),
    ]  # fmt: skip
    assert dataset.examples[0].evidence == ("T1\nText 1.",)
    write("queries.jsonl", [{"_id": "5", "text": "C."}])
    assert load(tmp_path) == dataset, "files that are no labelled set are passed over"


def test_an_abstract_that_is_missing_is_named(write):
    write("corpus.jsonl", [{"_id": "1", "title": "T", "text": "X."}])
    row = {"id": 5, "claim": "C.", "cited_doc_ids": [9], "evidence": []}
    with pytest.raises(UsageError, match="abstract 9 is not in"):
        load(write("claims_train.jsonl", [row]))


def test_stances_of_factcheck(write):
    stances = ["completely-support", "partially-support", "refute", "irrelevant"]
    rows = [{"claim": "C.", "evidence": "E.", "stance": stance} for stance in stances]
    dataset = load(write("stance.jsonl", rows))
    assert labels(dataset) == [Label.SUPPORTED, Label.UNSUPPORTED, Label.REFUTED, Label.NEUTRAL]
    assert dataset.examples[1].kind == "partially supported"
    assert len({e.source for e in dataset.examples}) == 1
    with pytest.raises(UsageError, match="line 1: the stance is 'odd'"):
        load(write("stance.jsonl", [rows[0] | {"stance": "odd"}]))


def test_covid_fact_and_q2_are_told_apart(write):
    covid = {"id": "0", "context": "E.", "text": "C.", "label": 0, "flair": "F", "source": "https://a"}
    reply = {"id": "0.m", "context": "E.", "message": "Hi?", "text": "C.", "label": 0, "model": "m"}
    first = load(write("covid_fact.jsonl", [covid, covid | {"id": "1", "label": 1}]))
    assert (first.name, labels(first)) == ("Covid-Fact", [Label.REFUTED, Label.SUPPORTED])
    assert first.examples[0].source == "https://a"
    second = load(write("q2.jsonl", [reply]))
    assert (second.name, labels(second)) == ("Q² Wizard of Wikipedia", [Label.UNSUPPORTED])


# --- what is no set --------------------------------------------------------------------------------------


def test_what_is_nothing_says_what_was_found_and_what_was_expected(write, tmp_path):
    with pytest.raises(UsageError, match="there is no file or folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="its first row has the fields a, b") as error:
        load(write("a.jsonl", [{"a": 1, "b": 2}]))
    assert "SummEdits" in error.value.hint
    with pytest.raises(UsageError, match="holds no set that is known: 1 files"):
        load(tmp_path)
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(UsageError, match="it is empty"):
        load(tmp_path / "empty.jsonl")


def test_a_folder_with_several_sets_is_refused_by_their_names(write, tmp_path):
    write("dev.jsonl", [WICE])
    write("mine.jsonl", [{"claim": "C.", "evidence": "E.", "label": 1}])
    with pytest.raises(UsageError, match=r"dev\.jsonl \(WiCE\); mine\.jsonl \(your own\)"):
        load(tmp_path)


def test_two_files_of_a_set_that_has_one_are_refused(write, tmp_path):
    row = {"id": "5", "claim": "C.", "cited_doc_ids": [], "evidence": []}
    write("a.jsonl", [row])
    write("b.jsonl", [row])
    with pytest.raises(UsageError, match=r"2 files of one set: a\.jsonl, b\.jsonl"):
        load(tmp_path)


def test_a_set_is_written_as_rows_of_ones_own_with_nothing_lost(write, tmp_path, monkeypatch, capsys):
    rows = [WICE, WICE | {"label": "supported", "meta": {"id": "dev2"}}]
    marked_row = WICE | {
        "claim_tokens": ["Bo", "lives"],
        "non_supported_spans": [False, True],
        "meta": {"id": "m"},
    }
    path = write("dev.jsonl", [*rows, marked_row])
    monkeypatch.setattr("sys.argv", ["sets", str(path)])
    assert main() == 0
    (tmp_path / "own.jsonl").write_text(capsys.readouterr().out)
    assert load_labelled(tmp_path / "own.jsonl").examples == load(path).examples
    monkeypatch.setattr("sys.argv", ["sets", "nowhere"])
    assert main() == 2 and "there is no file or folder nowhere" in capsys.readouterr().err


def test_recall_counts_what_is_covered_by_half():
    gold = [Span(0, 10), Span(10, 20), Span(20, 30)]
    assert recall([Span(0, 10), Span(10, 15)], gold) == pytest.approx(2 / 3)
    assert recall([Span(0, 5), Span(3, 8), Span(24, 28)], gold) == pytest.approx(1 / 3)
    assert recall([], gold) == 0.0
    assert recall([Span(0, 5)], []) is None


@given(
    spans=st.lists(
        st.tuples(st.integers(-5, 30), st.integers(-5, 30)).map(lambda pair: Span(*pair)), max_size=6
    ),
    length=st.integers(0, 25),
)
def test_merged_spans_cover_the_same_characters_once(spans, length):
    merged = merged_spans(spans, length=length)
    covered = {place for span in spans for place in range(max(span.start, 0), min(span.end, length))}
    places = [place for span in merged for place in range(span.start, span.end)]
    assert sorted(places) == places == sorted(covered)


def test_spans_apart_by_white_space_only_are_joined_if_the_text_is_given():
    assert merged_spans([Span(4, 7), Span(0, 3)], length=11, text="one two, six") == (Span(0, 7),)
    assert merged_spans([Span(4, 7), Span(9, 12)], length=12, text="one two, six") == (
        Span(4, 7),
        Span(9, 12),
    )
