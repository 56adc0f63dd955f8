"""Settings: precedence, unknown keys, ranges, the dial."""

import dataclasses
import json

import pytest

from hybrid.config import (
    DocumentSettings,
    Effort,
    FusionMethod,
    Reader,
    RetrievalMode,
    Settings,
    load_settings,
    settings_dict,
    settings_schema,
)
from hybrid.errors import ConfigError


def _file(tmp_path, text):
    path = tmp_path / "some.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_given_means_defaults(tmp_path):
    assert load_settings(environment={}) == Settings()


def test_flag_beats_variable_beats_file_beats_default(tmp_path):
    file = _file(tmp_path, "[retrieval]\nk = 2\ncandidates = 20\nrerank_depth = 21\n")
    variables = {"HYBRID_RETRIEVAL__K": "3", "HYBRID_RETRIEVAL__CANDIDATES": "30"}
    found = load_settings({"retrieval": {"k": 4}}, file=file, environment=variables).retrieval
    assert (found.k, found.candidates, found.rerank_depth) == (4, 30, 21)
    assert found.dense_weight == Settings().retrieval.dense_weight


def test_a_flag_of_none_is_not_given(tmp_path):
    file = _file(tmp_path, "domain = 'x'\n[retrieval]\nk = 2\n")
    found = load_settings({"domain": None, "retrieval": {"k": None}}, file=file, environment={})
    assert (found.domain, found.retrieval.k) == ("x", 2)


def test_the_file_is_found_in_the_working_folder_or_by_the_variable(tmp_path):
    (tmp_path / "hybrid.toml").write_text("domain = 'here'")
    other = _file(tmp_path, "domain = 'there'")
    assert load_settings(environment={}).domain == "here"
    assert load_settings(environment={"HYBRID_CONFIG": str(other)}).domain == "there"
    assert load_settings(file=other, environment={}).domain == "there"


def test_variables_reach_every_kind_of_value():
    variables = {
        "HYBRID_DOMAIN": "d",
        "HYBRID_MODELS__OFFLINE": "true",
        "HYBRID_RETRIEVAL__MODE": "lexical",
        "HYBRID_RETRIEVAL__FUSION": "reciprocal_rank",
        "HYBRID_RETRIEVAL__DENSE_WEIGHT": "0.25",
        "HYBRID_DOCUMENTS__EXCLUDE": "a/*,b",
        "HYBRID_ADAPTATION__OVER": "one,two",
    }
    found = load_settings(environment=variables)
    assert found.domain == "d"
    assert found.models.offline is True
    assert found.adaptation.over == ("one", "two")
    assert found.retrieval.mode is RetrievalMode.LEXICAL
    assert found.retrieval.fusion is FusionMethod.RECIPROCAL_RANK
    assert found.retrieval.dense_weight == 0.25
    assert found.documents.exclude == ("a/*", "b")


def test_variables_that_are_no_settings_are_left_alone():
    assert (
        load_settings(environment={"HYBRID_API_KEY": "k", "HYBRID_CACHE": "/c", "OTHER": "1"}) == Settings()
    )


def test_the_environment_of_the_process_is_the_default(monkeypatch):
    monkeypatch.setenv("HYBRID_RETRIEVAL__K", "9")
    assert load_settings().retrieval.k == 9


@pytest.mark.parametrize(
    ("flags", "text", "variables", "origin", "near"),
    [
        ({}, "[retrieval]\nkandidates = 3\n", {}, "some.toml", "retrieval.candidates"),
        ({}, "domian = 'x'\n", {}, "some.toml", "domain"),
        ({}, "[retreival]\nk = 3\n", {}, "some.toml", "retrieval"),
        ({}, "", {"HYBRID_RETRIEVAL__DENSE_WIEGHT": "1"}, "the environment", "retrieval.dense_weight"),
        ({}, "", {"HYBRID_INDEXS": "x"}, "the environment", "indexes"),
        ({"models": {"embeder": "x"}}, "", {}, "the command", "models.embedder"),
    ],
)
def test_an_unknown_key_is_an_error_that_names_the_nearest_one(
    tmp_path, flags, text, variables, origin, near
):
    with pytest.raises(ConfigError, match="unknown setting") as caught:
        load_settings(flags, file=_file(tmp_path, text), environment=variables)
    assert origin in str(caught.value)
    assert f"{near!r}" in caught.value.hint
    assert caught.value.exit_code == 3


def test_an_unknown_key_without_a_near_one_lists_all_that_are_valid():
    with pytest.raises(ConfigError) as caught:
        load_settings({"retrieval": {"zzzzzz": 1}}, environment={})
    assert "retrieval.k" in caught.value.hint


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("retrieval", "k", 0),
        ("retrieval", "k", 1001),
        ("retrieval", "k", "many"),
        ("retrieval", "dense_weight", 1.01),
        ("retrieval", "dense_weight", float("nan")),
        ("retrieval", "min_score", float("nan")),
        ("retrieval", "min_score", -2),
        ("retrieval", "mode", "sparse"),
        ("documents", "max_megabytes", 0),
        ("documents", "workers", -1),
        ("documents", "exclude", 5),
        ("chunks", "overlap_tokens", -1),
        ("generation", "abstain_below", 2),
        ("generation", "reader", "human"),
        ("models", "offline", "perhaps"),
    ],
)
def test_a_value_out_of_range_is_an_error_that_names_the_key(section, key, value):
    with pytest.raises(ConfigError, match=f"{section}.{key}"):
        load_settings({section: {key: value}}, environment={})


@pytest.mark.parametrize("value", ["fast", 3, ["quick"]])
def test_an_unknown_effort_names_the_choices(value):
    with pytest.raises(ConfigError, match="quick, standard, thorough"):
        load_settings({"effort": value}, environment={})


def test_a_section_that_is_a_value_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="`retrieval` is a section"):
        load_settings(file=_file(tmp_path, "retrieval = 3"), environment={})


def test_a_variable_named_like_a_section_is_an_error_beside_one_of_its_keys():
    variables = {"HYBRID_RETRIEVAL": "3", "HYBRID_RETRIEVAL__K": "2"}
    with pytest.raises(ConfigError, match="retrieval"):
        load_settings(environment=variables)


def test_a_file_that_is_no_toml_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ConfigError, match=r"some\.toml cannot be read as TOML"):
        load_settings(file=_file(tmp_path, "[retrieval\nk = 2"), environment={})


def test_a_named_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="there is no settings file"):
        load_settings(file=tmp_path / "none.toml", environment={})


def test_bytes_that_are_no_text_are_an_error(tmp_path):
    path = tmp_path / "some.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read as TOML"):
        load_settings(file=path, environment={})


def test_the_dial_sets_what_the_user_did_not():
    quick = load_settings({"effort": "quick"}, environment={})
    thorough = load_settings({"effort": "thorough"}, environment={})
    assert quick.effort is Effort.QUICK
    assert quick.retrieval.k < Settings().retrieval.k < thorough.retrieval.k
    assert quick.generation.context_tokens < thorough.generation.context_tokens
    own = load_settings({"effort": "quick", "retrieval": {"k": 7}}, environment={})
    assert own.retrieval.k == 7
    assert own.retrieval.candidates == quick.retrieval.candidates


def test_the_dial_in_the_environment_gives_way_to_a_key_in_the_file(tmp_path):
    file = _file(tmp_path, "[retrieval]\nk = 8\n")
    assert load_settings(file=file, environment={"HYBRID_EFFORT": "thorough"}).retrieval.k == 8


def test_settings_are_plain_json_and_load_again():
    plain = json.loads(json.dumps(settings_dict(Settings())))
    assert load_settings(plain, environment={}) == Settings()


def test_the_schema_knows_every_key():
    schema = json.dumps(settings_schema())
    names = [field.name for kind in (Settings, DocumentSettings) for field in dataclasses.fields(kind)]
    assert {"models", "workers"} <= set(names)
    assert [name for name in names if f'"{name}"' not in schema] == []


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().domain = "x"


def test_an_endpoint_writes_unless_another_reader_is_named():
    endpoint = {"HYBRID_MODELS__ENDPOINT": "http://localhost:11434/v1"}
    written = load_settings(environment=endpoint).generation
    assert (written.reader, written.max_new_tokens, written.context_tokens) == (Reader.WRITER, 512, 2_400)
    own = {"HYBRID_GENERATION__MAX_NEW_TOKENS": "99", "HYBRID_EFFORT": "quick"}
    assert load_settings(environment=endpoint | own).generation.max_new_tokens == 99
    named = {"HYBRID_GENERATION__READER": "extractive"}
    plain = load_settings(environment=endpoint | named).generation
    assert plain == load_settings(environment={}).generation
    alone = load_settings(environment={"HYBRID_GENERATION__READER": "writer"}).generation
    assert alone == written
