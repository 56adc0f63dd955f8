"""Models, question sets and training data as people have them, one case a row; tiny models throughout.

What another test asserts for a row already stands in ``ELSEWHERE``, with the test that does.
"""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from hybrid import Assistant, load_settings
from hybrid.cli.app import run
from hybrid.evaluation.outcomes import Outcome
from hybrid.evaluation.scoring import correct
from hybrid.types import Question

CASES = Path(__file__).parent / "cases"
TESTS = Path(__file__).parents[1]

_REFUSED_SET = "questions/test_shapes.py::test_what_cannot_be_read_is_refused_with_its_line"
ELSEWHERE = {
    "questions/str_answers.jsonl": "questions/test_shapes.py::test_common_shapes",
    "questions/squad_hf.jsonl": "questions/test_shapes.py::test_common_shapes",
    "questions/answerable_str.jsonl": _REFUSED_SET,
    "questions/opts_str.jsonl": _REFUSED_SET,
    "questions/boolnum.jsonl": _REFUSED_SET,
    "models/gemma3, mistral": "models/test_generator.py::"
    "test_a_template_without_a_system_role_finds_its_text_in_the_first_turn_of_the_user",
    "models/mamba": "adaptation/test_families.py::"
    "test_a_recurrent_model_is_refused_before_anything_is_trained",
    "models/qwen3_moe": "adaptation/test_families.py::"
    "test_what_of_a_mixture_of_experts_is_not_adapted_is_told",
    "models/missing_head, missing_layer, other_names, mismatch": "models/test_whole.py::"
    "test_missing_tensors_are_named_and_refused",
    "models/bigvocab": "models/test_generator.py::test_a_token_that_the_model_does_not_know_is_refused",
    "models/noeos": "models/test_dialogue.py::test_a_template_is_enough_where_the_tokenizer_names_no_end",
    "models/notemplate": "models/test_generator.py::"
    "test_a_model_without_a_template_ends_before_the_next_turn",
    "scripts/injection.py": "models/test_dialogue.py::"
    "test_a_document_brings_no_control_token_and_opens_no_turn",
    "sft/kto.jsonl, text_label.jsonl": "adaptation/data/test_given.py::"
    "test_what_would_be_taught_wrongly_is_refused_by_line_with_how_to_convert",
    "sft/latin1.jsonl": "adaptation/data/test_given.py::test_another_encoding_is_an_error_with_file_and_line",
    "sft/alpaca.jsonl, sharegpt.jsonl, trl_conv.jsonl": "adaptation/data/test_given.py::"
    "test_the_same_example_is_read_from_every_format",
    "sft/openai_multi.jsonl": "adaptation/data/test_given.py::"
    "test_every_turn_of_the_assistant_is_taught_but_those_of_weight_0",
    "scripts/mock_endpoint.py think": "models/test_endpoints.py::"
    "test_thoughts_are_never_shown_whether_the_server_tells_their_opening_or_not",
    "scripts/mock_endpoint.py null_reasoning, parts, length": "models/test_endpoints.py::"
    "test_an_answer_is_read_in_whatever_shape_it_comes_and_says_why_it_is_none",
    "scripts/mock_endpoint.py nostream": "models/test_endpoints.py::"
    "test_parts_of_a_text_and_whole_answers_are_read_in_a_stream_too",
    "scripts/mock_endpoint.py stream_cut": "models/test_endpoints.py::"
    "test_what_came_before_a_stream_was_cut_within_an_event_is_kept",
    "scripts/mock_endpoint.py newapi": "models/test_endpoints.py::"
    "test_what_a_server_does_not_know_is_left_out_and_not_asked_twice",
    "scripts/mock_endpoint.py ratelimit": "models/test_endpoints.py::"
    "test_a_busy_server_is_waited_for_as_long_as_it_says",
    "tables/sep_line.csv, index_col.csv, table.jsonl": "decision/test_replay.py::"
    "test_the_same_outcomes_in_other_shapes",
}


@pytest.mark.parametrize(("row", "where"), ELSEWHERE.items(), ids=ELSEWHERE.keys())
def test_a_row_has_its_test(row, where):
    file, _, name = where.partition("::")
    assert re.search(rf"^def {name}\(", (TESTS / file).read_text(encoding="utf-8"), re.MULTILINE), row


# --- scripts/metrics_table.py, questions/typo.jsonl -----------------------------------------------------


def _right(golds, answer):
    outcome = Outcome("k", "base", "1", answer)
    return correct(Question(id="1", text="q", answers=tuple(golds)), outcome)


def test_metrics_table():
    rows = [json.loads(line) for line in (CASES / "right.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 80
    different = [row for row in rows if _right(row["golds"], row["answer"]) != row["right"]]
    assert different == []


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("doesn't need oil", "The device doesn\u2019t need oil."),
        ("Z\u00fcrich", "Zu\u0308rich is the seat of the company."),
        ("filter", "The \ufb01lter is made of state\u2011of\u2011the\u2011art glass."),
        ("state-of-the-art glass", "The \ufb01lter is made of state\u2011of\u2011the\u2011art glass."),
        ("10-20", "The span is 10\u201320 metres."),
        ("The Beatles", "Beatles play in the yard on Sundays."),
    ],
    ids=["apostrophe", "nfc", "ligature", "hyphen", "dash", "article"],
)
def test_typo(gold, answer):
    assert _right([gold], answer) == 1


# --- what is asked and trained ----------------------------------------------------------------------------


@pytest.fixture
def domain(tmp_path, monkeypatch, tiny_generator_folder, tiny_embedder_folder, write_files, capsys):
    """An indexed domain served by the tiny models; the tests run in the folder that holds it."""
    monkeypatch.setenv("HYBRID_MODELS__GENERATOR", str(tiny_generator_folder))
    monkeypatch.setenv("HYBRID_MODELS__EMBEDDER", str(tiny_embedder_folder))
    monkeypatch.setenv("HYBRID_CHUNKS__OVERLAP_TOKENS", "0")
    monkeypatch.setenv("HYBRID_CHUNKS__HEADING_TOKENS", "4")
    monkeypatch.setenv("HYBRID_ADAPTATION__MAX_TOKENS", "200")
    monkeypatch.setenv("HYBRID_GENERATION__MAX_NEW_TOKENS", "8")
    write_files(tmp_path / "docs", {"a.txt": "the port is 5", "b.txt": "the server is a port"})
    assert run(["index", "docs", "--domain", "manual"]) == 0
    capsys.readouterr()
    return tmp_path / "indexes" / "manual"


def rows(name, *objects):
    Path(name).write_text("".join(json.dumps(each) + "\n" for each in objects), encoding="utf-8")
    return name


def document(capsys, *arguments, code=0):
    assert run([*arguments, "--json"]) == code, capsys.readouterr().err

    def constant(name):
        pytest.fail(f"{name} is not JSON")

    return json.loads(capsys.readouterr().out, parse_constant=constant)


def _urgent(first, count):
    return [
        {
            "id": str(n),
            "question": f"urgency of {'fire fire fire' if n % 2 else 'drip'} {n * 37 % 101}",
            "options": ["1", "5", "10"],
            "answers": ["10" if n % 2 else "5"],
        }
        for n in range(first, first + count)
    ]


def _faults(count=24):
    return [
        {
            "question": f"is {'port' if n % 2 else 'server'} {n * 37 % 101} a port",
            "options": ["yes", "no"],
            "answers": ["yes" if n % 2 else "no"],
        }
        for n in range(count)
    ]


def _scores(capsys, *arguments, code=0):
    (arm,) = document(capsys, "evaluate", *arguments, code=code)["arms"]
    return {one["metric"]: one["mean"] for one in arm["metrics"]["means"]}


@pytest.mark.slow
def test_prefix_labels_and_sft_prefix(domain, capsys):
    told = rows("prefix.jsonl", *_urgent(100, 40))
    made = document(capsys, "adapt", "generator", "--data", told, "--no-check", "--name", "pref")
    assert made["adapter"] == "pref"
    asked = rows("prefix_labels.jsonl", *[row for row in _urgent(0, 12) if row["answers"] == ["10"]])
    assert _scores(capsys, asked, "--arm", "adapter:generator_adapter=pref")["correct"] == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"options": ["yes", "no"]}], ids=["ten", "prefix_labels"])
def test_models_nan(domain, tmp_path, monkeypatch, capsys, tiny_generator_folder, options):
    folder = shutil.copytree(tiny_generator_folder, tmp_path / "nan")
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.0.mlp.up_proj.weight"][0, 0] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    monkeypatch.setenv("HYBRID_MODELS__GENERATOR", str(folder))
    asked = rows(
        "ten.jsonl",
        *[{"id": str(n), "question": f"what is {n}", "answers": ["yes"], **options} for n in range(4)],
        {"id": "none", "question": "what is none", "answers": [], "answerable": False},
    )
    found = _scores(capsys, asked, "--arm", "base", code=6)
    assert (found["failed"], found["correct"]) == (1.0, 0.0)


def test_reranker_that_is_an_embedder(domain, capsys, tiny_embedder_folder):
    assert run(["search", "port", "--reranker", str(tiny_embedder_folder)]) == 5
    assert "classifier" in capsys.readouterr().err


@pytest.mark.slow
def test_sft_labels_method_full(domain, capsys):
    data = rows("labels.jsonl", *_faults())
    made = document(capsys, "adapt", "generator", "--data", data, "--no-check", "--method", "full")
    assert made["card"]["method"] == "full"


@pytest.mark.slow
def test_sft_labels_have_some_to_validate(domain, capsys):
    data = rows("labels.jsonl", *_faults())
    told = document(capsys, "adapt", "examples", "--data", data, "--out", "out.jsonl")
    assert told["validation"] >= 1
    assert told["train"] + told["validation"] == 24


@pytest.mark.slow
def test_sft_halflong(domain, capsys):
    data = rows(
        "halflong.jsonl",
        *[
            {"prompt": f"repeat {n * 37 % 101}", "completion": f"{n * 53 % 97} port " * (80 if n % 2 else 1)}
            for n in range(40)
        ],
    )
    made = ["adapt", "generator", "--data", data, "--no-check", "--name", "half", "--learn", "instruction"]
    assert run(made) == 0
    assert "left out 20, longer than" in capsys.readouterr().err
    shown = document(capsys, "adapters", "show", "half")
    assert [count for why, count in shown["card"]["data"]["left_out"].items() if "longer than" in why] == [20]


@pytest.mark.slow
def test_sft_qa(domain, capsys):
    data = rows("qa.jsonl", *[{"question": f"name {n}", "answers": [f"it is {n}"]} for n in range(12)])
    assert run(["adapt", "examples", "--data", data, "--out", "out.jsonl"]) == 2
    told = capsys.readouterr().err
    assert "left out 12, no quote" in told and "--learn instruction" in told


@pytest.mark.slow
def test_sft_thoughts_are_told(domain, capsys):
    thought = "<think>hm</think> it is"
    data = rows(
        "think.jsonl",
        *[{"prompt": f"name {n * 37 % 101}", "completion": f"{thought} {n}"} for n in range(12)],
    )
    assert run(["adapt", "examples", "--data", data, "--out", "out.jsonl"]) == 0
    assert "left out 12, thoughts before an answer" in capsys.readouterr().err
    assert "think" not in Path("out.jsonl").read_text(encoding="utf-8")


@pytest.mark.slow
def test_emb_static(domain, monkeypatch, capsys, tiny_embedder_folder):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    words = Tokenizer.from_file(str(tiny_embedder_folder / "tokenizer.json"))
    words.no_padding(), words.no_truncation()
    static = SentenceTransformer(modules=[StaticEmbedding(words, embedding_dim=16)], device="cpu")
    static.save_pretrained("emb/static")
    monkeypatch.setenv("HYBRID_MODELS__EMBEDDER", "emb/static")
    assert run(["index", "docs", "--domain", "static"]) == 0
    capsys.readouterr()
    assert document(capsys, "search", "port", "--domain", "static")["hits"]


@pytest.mark.slow
def test_emb_truncated(domain, tmp_path, monkeypatch, write_files, capsys, tiny_embedder_folder):
    folder = shutil.copytree(tiny_embedder_folder, tmp_path / "truncated")
    path = folder / "config_sentence_transformers.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"truncate_dim": 8}))
    monkeypatch.setenv("HYBRID_MODELS__EMBEDDER", str(folder))
    pages = {
        f"{n}.md": f"# Tool {n}\n\n- `--reach-{n}`: Specifies the length of arm {n}. Defaults to `{n}`.\n"
        for n in range(12)
    }
    write_files(tmp_path / "pages", pages)
    assert run(["index", "pages", "--domain", "tr"]) == 0
    pairs = rows(
        "pairs.jsonl", *[{"query": f"arm {n}", "passage": f"the length of arm {n}"} for n in range(12)]
    )
    capsys.readouterr()
    made = document(
        capsys, "adapt", "embedder", "--domain", "tr", "--data", pairs, "--effort", "quick", "--no-check"
    )
    assert made["card"]["kind"] == "embedder"


@pytest.mark.slow
def test_threads(domain):
    assistant = Assistant("manual", settings=load_settings({"indexes": str(domain.parent)}))

    def one(_):
        answer = assistant.ask("what is the port", arm="rag")
        assistant.check(answer)
        return answer.text

    with ThreadPoolExecutor(8) as threads:
        texts = [asked.result() for asked in [threads.submit(one, n) for n in range(8)]]
    assert len(texts) == 8 and len(set(texts)) == 1
