"""Every format, on rows written by hand as the sets publish them."""

import csv
import json

import pytest

from hybrid.errors import UsageError
from hybrid.grounding.data.loaders import load
from hybrid.grounding.data.values import Label
from hybrid.types import Span


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


# --- RAGTruth --------------------------------------------------------------------------------------------

RESPONSE = {
    "id": "1",
    "source_id": "9",
    "model": "gpt-4-0613",
    "temperature": 0.7,
    "labels": [],
    "split": "test",
    "quality": "good",
    "response": "Preheat the oven to 350 degrees.",
}
BEETS = {
    "source_id": "9",
    "task_type": "QA",
    "source": "MARCO",
    "source_info": {
        "question": "how to bake beets",
        "passages": "passage 1:Preheat to 350.\n\npassage 2:Wash.\n\n",
    },
    "prompt": "…",
}
SHOP = {
    "source_id": "8",
    "task_type": "Data2txt",
    "source": "Yelp",
    "source_info": {
        "name": "Subway",
        "hours": {"Monday": "9:0-22:30"},
        "attributes": {"WiFi": None, "Lot": True},
    },
}
NEWS = {
    "source_id": "7",
    "task_type": "Summary",
    "source": "CNN/DM",
    "source_info": "The court met on Monday.",
}


def span(start, end, label_type="Evident Baseless Info"):
    return {
        "start": start,
        "end": end,
        "text": "…",
        "label_type": label_type,
        "meta": "",
        "implicit_true": False,
    }


def test_ragtruth_joins_its_two_files(write, tmp_path):
    rows = [
        RESPONSE,
        RESPONSE | {"id": "2", "labels": [span(0, 7), span(5, 11)]},
        RESPONSE | {"id": "3", "labels": [span(0, 7, "Subtle Conflict"), span(12, 16)]},
        RESPONSE | {"id": "4", "quality": "truncated"},
        RESPONSE | {"id": "5", "source_id": "8"},
        RESPONSE | {"id": "6", "source_id": "7"},
    ]
    write("response.jsonl", rows)
    write("source_info.jsonl", [BEETS, SHOP, NEWS])
    dataset = load(tmp_path)
    assert (dataset.name, dataset.left_out) == ("RAGTruth", 1)
    assert labels(dataset)[:3] == [Label.SUPPORTED, Label.NEUTRAL, Label.REFUTED]
    first, second, third, shop, news = dataset.examples
    assert first.evidence == ("Preheat to 350.", "Wash.")
    assert (first.task, first.domain, first.source, first.generator) == ("qa", "MARCO", "9", "gpt-4-0613")
    assert (first.question, first.unsupported_spans) == ("how to bake beets", ())
    assert marked(second) == ["Preheat the"]
    assert third.kind == "evident baseless info, subtle conflict"
    assert shop.evidence == (
        "name: Subway\nhours, Monday: 9:0-22:30\nattributes, WiFi: null\nattributes, Lot: true",
    )
    assert (shop.task, news.task, news.evidence) == ("data-to-text", "summary", ("The court met on Monday.",))
    assert load(tmp_path / "response.jsonl") == dataset


def test_a_source_of_ragtruth_that_is_not_there_is_named(write, tmp_path):
    write("response.jsonl", [RESPONSE])
    write("source_info.jsonl", [NEWS])
    with pytest.raises(UsageError, match="line 1: source 9 is not in"):
        load(tmp_path)


# --- HaluEval --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "row", "task", "right", "wrong", "question"),
    [
        (
            "qa_data.json",
            {"knowledge": "K", "question": "Q?", "right_answer": "A", "hallucinated_answer": "B"},
            "qa", "A", "B", "Q?",
        ),
        (
            "dialogue_data.json",
            {"knowledge": "K", "dialogue_history": "H", "right_response": "A", "hallucinated_response": "B"},
            "dialogue", "A", "B", "H",
        ),
        (
            "summarization_data.json",
            {"document": "K", "right_summary": "A", "hallucinated_summary": "B"},
            "summary", "A", "B", "",
        ),
    ],
)  # fmt: skip
def test_halueval_gives_a_right_and_a_wrong_claim_a_row(write, name, row, task, right, wrong, question):
    dataset = load(write(name, [row, row | {next(iter(row)): "K2"}]))
    assert dataset.name == f"HaluEval {task}"
    assert labels(dataset) == [Label.SUPPORTED, Label.UNSUPPORTED] * 2
    first, second, third, _ = dataset.examples
    assert (first.claim, second.claim, first.evidence, first.question) == (right, wrong, ("K",), question)
    assert (first.unsupported_spans, second.unsupported_spans) == ((), None)
    assert first.source == second.source != third.source


# --- FaithBench ------------------------------------------------------------------------------------------


def mark(start, end, *labels):
    return {
        "annot_id": 1,
        "annotator": "a",
        "label": list(labels),
        "note": "",
        "summary_start": start,
        "summary_end": end,
    }


@pytest.mark.parametrize("one_line", [True, False])
def test_faithbench_takes_the_worst_of_what_people_marked(write, tmp_path, one_line):
    def sample(number, *marks):
        return {"sample_id": number, "source": "The film made $1.", "summary": "The good film made $1.",
                "annotations": list(marks), "metadata": {"summarizer": "m", "hhemv1": 0.9}}  # fmt: skip

    batch = {
        "samples": [
            sample(0),
            sample(1, mark(4, 8, "Unwanted", "Unwanted.Instrinsic"), mark(4, 13, "Benign")),
            sample(2, mark(4, 8, "Unwanted.Extrinsic")),
            sample(3, mark(4, 8, "Unwanted")),
            sample(4, mark(4, 8, "Questionable")),
        ]
    }
    if one_line:
        (tmp_path / "batch_1.json").write_text(json.dumps(batch))
    else:
        write("batch_1.json", batch, whole=True)
    write("batch_2.json", {"samples": [sample(0)]}, whole=True)
    dataset = load(tmp_path)
    assert dataset.name == "FaithBench"
    assert labels(dataset) == [
        Label.SUPPORTED, Label.REFUTED, Label.NEUTRAL, Label.UNSUPPORTED, Label.SUPPORTED, Label.SUPPORTED,
    ]  # fmt: skip
    assert [marked(example) for example in dataset.examples] == [[], ["good"], ["good"], ["good"], [], []]
    assert dataset.examples[4].kind == "questionable"
    assert dataset.examples[0].generator == "m"
    assert len({example.id for example in dataset.examples}) == 6


def test_summaries_with_one_label(write):
    rows = [{"source": "S", "summary": "A", "label": 1}, {"source": "S", "summary": "B", "label": 0}]
    assert labels(load(write("binarized_samples.jsonl", rows))) == [Label.SUPPORTED, Label.UNSUPPORTED]


# --- LLM-AggreFact and SummEdits -------------------------------------------------------------------------

AGGREFACT = [
    {
        "dataset": "AggreFact-CNN",
        "doc": 'D, "one"\nline',
        "claim": "C",
        "label": 1,
        "contamination_identifier": "x",
    },
    {"dataset": "Wice", "doc": "E", "claim": "F", "label": 0, "contamination_identifier": "x"},
]


def test_aggrefact_is_the_same_from_json_lines_and_csv(write, tmp_path):
    from_lines = load(write("test.jsonl", AGGREFACT))
    path = tmp_path / "table" / "test.csv"
    path.parent.mkdir()
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(AGGREFACT[0]))
        writer.writeheader()
        writer.writerows(AGGREFACT)
    from_table = load(path)
    assert [e.domain for e in from_lines.examples] == ["AggreFact-CNN", "Wice"]
    assert labels(from_lines) == labels(from_table) == [Label.SUPPORTED, Label.UNSUPPORTED]
    assert [(e.claim, e.evidence) for e in from_table.examples] == [
        (e.claim, e.evidence) for e in from_lines.examples
    ]


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
        WICE | {"label": "not_supported", "supporting_sentences": []},
    ]
    dataset = load(write("dev.jsonl", rows))
    first, second, third = dataset.examples
    assert first.evidence == ("Bo lives.\nBo is here.\nIt is cold.",)
    assert [found.text for found in first.carried_by] == ["Bo lives. It is cold.", "Bo is here."]
    for found in first.carried_by:
        assert " ".join(first.evidence[0][s.start : s.end] for s in found.spans) == found.text
    assert (first.kind, first.unsupported_spans) == ("partially supported", None)
    assert (second.label, second.unsupported_spans) == (Label.SUPPORTED, ())
    assert (third.kind, third.carried_by) == ("not supported", ())


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
        ({"supporting_sentences": [[7]]}, r"sentences \[7\] of a page of 3"),
        ({"claim_tokens": ["Zo"], "non_supported_spans": [True]}, "the word 'Zo'"),
        ({"claim_tokens": ["Bo"], "non_supported_spans": []}, "1 words and 0 flags"),
    ],
)
def test_rows_of_wice_that_contradict_themselves_are_refused(write, change, message):
    with pytest.raises(UsageError, match=message):
        load(write("dev.jsonl", [WICE | change]))


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
    assert (second.examples[0].question, second.examples[0].generator) == ("Hi?", "m")


# --- a user's own ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (True, Label.SUPPORTED), (1, Label.SUPPORTED), ("Supported", Label.SUPPORTED), ("1", Label.SUPPORTED),
        (False, Label.UNSUPPORTED), (0, Label.UNSUPPORTED), ("hallucinated", Label.UNSUPPORTED),
        ("not_in_evidence", Label.NEUTRAL), ("contradicted", Label.REFUTED),
    ],
)  # fmt: skip
def test_labels_of_a_users_own_rows(write, label, expected):
    dataset = load(write("mine.jsonl", [{"claim": "C.", "evidence": "E.", "label": label}]))
    assert labels(dataset) == [expected]


def test_a_users_own_rows_with_everything(write):
    row = {
        "id": "a",
        "answer": "It is 5.",
        "passages": ["It is 4.", "More."],
        "label": "refuted",
        "source": "s",
        "domain": "d",
        "task": "qa",
        "kind": "number",
        "unsupported_spans": [{"start": 6, "end": 7}],
        "extra": 1,
    }
    dataset = load(write("mine.jsonl", [row]))
    (example,) = dataset.examples
    assert (example.id, example.claim, example.evidence) == ("a", "It is 5.", ("It is 4.", "More."))
    assert (example.source, example.domain, example.task, example.kind) == ("s", "d", "qa", "number")
    assert example.unsupported_spans == (Span(6, 7),)
    assert dataset.unknown == ("licence",)


def test_what_a_users_rows_do_not_say_is_known_to_be_unknown(write):
    rows = [{"claim": f"C{n}.", "evidence": "E.", "label": n % 2} for n in range(4)]
    dataset = load(write("mine.jsonl", rows))
    assert dataset.unknown == ("source", "domain", "task", "kind", "licence")
    assert len({e.source for e in dataset.examples}) == 1, "the same passages are one document"
    assert [e.id for e in dataset.examples] == ["mine-1", "mine-2", "mine-3", "mine-4"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"claim": "C.", "evidence": "E.", "label": "perhaps"},
            r"line 2: the label is 'perhaps'.*supported, refuted",
        ),
        ({"claim": " ", "evidence": "E.", "label": 1}, "line 2: there is no claim"),
        ({"claim": "C.", "evidence": [], "label": 1}, "line 2: there is no evidence"),
        ({"claim": 5, "evidence": "E.", "label": 1}, "line 2: `claim`"),
        ({"claim": "C.", "evidence": "E."}, "line 2: `label`.*found the fields claim, evidence"),
        (["a list"], "line 2: "),
    ],
)
def test_a_wrong_row_is_refused_with_its_line(write, row, message):
    good = {"claim": "C.", "evidence": "E.", "label": 1}
    with pytest.raises(UsageError, match=message):
        load(write("mine.jsonl", [good, row]))


# --- what is no set --------------------------------------------------------------------------------------


def test_what_is_nothing_says_what_was_found_and_what_was_expected(write, tmp_path):
    with pytest.raises(UsageError, match="there is no file or folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="its first row has the fields a, b") as error:
        load(write("a.jsonl", [{"a": 1, "b": 2}]))
    assert "RAGTruth" in error.value.hint
    with pytest.raises(UsageError, match="holds no labelled set: 1 files"):
        load(tmp_path)
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(UsageError, match="it is empty"):
        load(tmp_path / "empty.jsonl")


def test_a_folder_with_several_sets_is_refused_by_their_names(write, tmp_path):
    write("dev.jsonl", [WICE])
    write("mine.jsonl", [{"claim": "C.", "evidence": "E.", "label": 1}])
    with pytest.raises(UsageError, match=r"dev\.jsonl \(WiCE\); mine\.jsonl \(your own: claim\)"):
        load(tmp_path)


def test_two_files_of_a_set_that_has_one_are_refused(write, tmp_path):
    row = {"document": "K", "right_summary": "A", "hallucinated_summary": "B"}
    write("a.json", [row])
    write("b.json", [row])
    with pytest.raises(UsageError, match=r"2 files of one set: a\.json, b\.json"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"claim": "C.", "evidence": "E.", "label": 1}\n{"claim": \n', "line 2: not JSON"),
        ('[{"claim": "C."},\n oops]', "line 2: not JSON"),
        ("{oops", "line 1: not JSON"),
    ],
)
def test_broken_files_are_refused_with_the_line(tmp_path, text, message):
    path = tmp_path / "broken.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        list(load(path).examples)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "binary.jsonl"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UsageError, match="cannot be read as text"):
        load(path)
