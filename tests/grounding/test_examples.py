import csv
import json

import pytest

from hybrid.errors import UsageError
from hybrid.grounding.examples import Label, LabelledClaim, load_labelled
from hybrid.types import Span


def example(label=Label.SUPPORTED, spans=None, claim="Water boils."):
    return LabelledClaim("one", claim, ("Water boils at 100 °C.",), label, "doc", unsupported_spans=spans)


def test_a_contrast_is_only_what_the_set_tells_apart():
    assert [example(label).against for label in Label] == ["", "refuted", "not in evidence", ""]
    assert [example(label).supported for label in Label] == [True, False, False, False]


@pytest.mark.parametrize(
    "spans",
    [
        pytest.param((Span(3, 3),), id="empty"),
        pytest.param((Span(4, 8), Span(0, 2)), id="out of order"),
        pytest.param((Span(0, 5), Span(4, 8)), id="overlapping"),
        pytest.param((Span(0, 13),), id="beyond the end"),
        pytest.param((Span(-1, 3),), id="before the beginning"),
    ],
)
def test_spans_that_are_no_stretches_of_the_claim_are_refused(spans):
    with pytest.raises(UsageError, match="example one"):
        example(Label.REFUTED, spans)


def test_neighbouring_spans_and_none_are_fine():
    assert example(Label.REFUTED, (Span(0, 5), Span(5, 12))).unsupported_spans == (Span(0, 5), Span(5, 12))
    assert example(Label.REFUTED).unsupported_spans is None


# --- in files ---


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


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (True, Label.SUPPORTED), (1, Label.SUPPORTED), ("Supported", Label.SUPPORTED), ("1", Label.SUPPORTED),
        (False, Label.UNSUPPORTED), (0, Label.UNSUPPORTED), ("hallucinated", Label.UNSUPPORTED),
        ("not_in_evidence", Label.NEUTRAL), ("contradicted", Label.REFUTED),
    ],
)  # fmt: skip
def test_labels_of_a_users_own_rows(write, label, expected):
    dataset = load_labelled(write("mine.jsonl", [{"claim": "C.", "evidence": "E.", "label": label}]))
    assert [example.label for example in dataset.examples] == [expected]


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
    dataset = load_labelled(write("mine.jsonl", [row]))
    (example,) = dataset.examples
    assert (example.id, example.claim, example.evidence) == ("a", "It is 5.", ("It is 4.", "More."))
    assert (example.source, example.domain, example.task, example.kind) == ("s", "d", "qa", "number")
    assert example.unsupported_spans == (Span(6, 7),)


def test_rows_are_named_by_their_line_and_the_same_passages_are_one_document(write):
    rows = [{"claim": f"C{n}.", "evidence": "E.", "label": n % 2} for n in range(4)]
    dataset = load_labelled(write("mine.jsonl", rows))
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
        load_labelled(write("mine.jsonl", [good, row]))


def test_a_table_and_a_list_say_the_same_as_lines(write, tmp_path):
    rows = [
        {"claim": "C", "evidence": 'D, "one"\nline', "label": "1"},
        {"claim": "F", "evidence": "E", "label": "0"},
    ]
    path = tmp_path / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    found = [
        load_labelled(each).examples
        for each in (write("a.jsonl", rows), write("b.json", rows, whole=True), path)
    ]
    for each in found:
        assert [(e.claim, e.evidence[0], e.label) for e in each] == [
            ("C", 'D, "one"\nline', Label.SUPPORTED),
            ("F", "E", Label.UNSUPPORTED),
        ]


def test_the_claims_in_a_folder_are_read_together_and_other_files_passed_over(write, tmp_path):
    write("set/a.jsonl", [{"claim": "C.", "evidence": "E.", "label": 1}])
    write("set/b.jsonl", [{"answer": "D.", "passages": ["E."], "label": 0}])
    write("set/queries.jsonl", [{"_id": "5", "text": "C."}])
    assert [e.claim for e in load_labelled(tmp_path / "set").examples] == ["C.", "D."]


def test_what_holds_no_claims_says_what_was_found_and_what_was_expected(write, tmp_path):
    with pytest.raises(UsageError, match="there is no file or folder"):
        load_labelled(tmp_path / "nowhere")
    path = write("a.jsonl", [{"doc": "D", "summary": "S", "label": 1, "original_summary": "S"}])
    with pytest.raises(
        UsageError, match="its first row has the fields doc, label, original_summary, summary"
    ) as error:
        load_labelled(path)
    assert "recipes.grounding.sets" in error.value.hint
    with pytest.raises(UsageError, match="holds no labelled claims: 1 files"):
        load_labelled(tmp_path)
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(UsageError, match="it is empty"):
        load_labelled(tmp_path / "empty.jsonl")


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
        list(load_labelled(path).examples)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "binary.jsonl"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_labelled(path)
