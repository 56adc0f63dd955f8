"""A folder is data, a secret never prints, an address has no login."""

import ast
import base64
import copy
import dataclasses
import json
import pickle
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hybrid
from hybrid.arms import parse_arm
from hybrid.cli.app import run
from hybrid.config import ModelSettings, load, load_settings, settings_dict
from hybrid.errors import ConfigError
from hybrid.evaluation.experiment import begin
from hybrid.models.loading import load_generator
from hybrid.trust import Endpoint, Secret
from hybrid.types import Question

KEY = "sk-secret-123"
URL = "http://someone:p%40ss-word@127.0.0.1:8099/v1"
_REFUSED = {
    "models.endpoint": [
        "http://127.0.0.1:8099/v1",
        "https://evil.example/v1",
        "http://user:pass@localhost/v1",
    ],
    "models.generator": [
        "./evil-model",
        "/tmp/evil",
        "../evil",
        "~/evil",
        "a/b/c",
        ".evil",
        "a/..",
        "C:\\\\evil",
    ],
    "models.embedder": ["./evil-model", "/tmp/evil", "evil/"],
    "models.reranker": ["./evil-model", "file:///tmp/evil"],
    "grounding.scorer": ["trained:judge", "nli:./evil", "hf:/tmp/evil#1,0", "tokens:../x", "judge:~/evil"],
    "indexes": ["/tmp/elsewhere", "../elsewhere", "a/../../b"],
}
CASES = [(key, value) for key, values in _REFUSED.items() for value in values]


def _toml(key, value):
    section, _, name = key.rpartition(".")
    return (f"[{section}]\n" if section else "") + f'{name} = "{value}"\n'


def _variable(key):
    return f"HYBRID_{key.upper().replace('.', '__')}"


@pytest.mark.parametrize(("key", "value"), CASES)
def test_a_folder_names_no_place_that_data_goes_to_or_code_comes_from(key, value, tmp_path):
    (tmp_path / "hybrid.toml").write_text(_toml(key, value))
    with pytest.raises(ConfigError, match=f"sets `{key}`") as caught:
        load_settings(environment={})
    assert caught.value.exit_code == 3
    assert _variable(key) in caught.value.hint
    assert "--config" in caught.value.hint
    assert "pass" not in str(caught.value)


def test_a_folder_does_not_bring_a_model_under_a_bare_name(tmp_path):
    (tmp_path / "hybrid.toml").write_text(_toml("models.generator", "org/model"))
    assert load_settings(environment={}).models.generator == "org/model"
    (tmp_path / "org" / "model").mkdir(parents=True)
    (tmp_path / "org" / "model" / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"sets `models\.generator`"):
        load_settings(environment={})


@pytest.mark.slow
@pytest.mark.parametrize(("key", "value"), CASES)
def test_what_the_user_says_holds(key, value, tmp_path):
    file = tmp_path / "hybrid.toml"
    file.write_text(_toml(key, value))
    own = tmp_path / "own" / "hybrid" / "hybrid.toml"
    own.parent.mkdir(parents=True)
    own.write_text(_toml(key, value))
    meant = value.replace("\\\\", "\\")
    section, _, name = key.rpartition(".")
    flag = {section: {name: meant}} if section else {name: meant}
    said = [
        load_settings(file=file, environment={}),
        load_settings(environment={"HYBRID_CONFIG": str(file)}),
        load_settings(environment={_variable(key): meant}),
        load_settings(environment={"XDG_CONFIG_HOME": str(tmp_path / "own")}),
        load_settings(flag, environment={}),
    ]
    assert all(one == said[0] for one in said[1:])
    found = settings_dict(said[0])
    for part in key.split("."):
        found = found[part]
    assert found == (Endpoint(meant) if key == "models.endpoint" else meant)


def test_everyday_settings_of_a_folder_hold_and_are_told(tmp_path, capsys):
    (tmp_path / "hybrid.toml").write_text(
        'indexes = "here"\ndomain = "manual"\n[models]\ngenerator = "Qwen/Qwen2.5-0.5B-Instruct"\n'
        'endpoint = ""\noffline = true\n[retrieval]\nk = 9\n[grounding]\nscorer = "trained"\n'
        "[documents]\nmax_pages = 7\n"
    )
    loaded = load(environment={})
    assert loaded.settings.models.generator == "Qwen/Qwen2.5-0.5B-Instruct"
    assert (loaded.settings.retrieval.k, loaded.settings.indexes) == (9, "here")
    told = ("indexes", "domain", "models.generator", "models.offline", "retrieval.k", "documents.max_pages")
    assert loaded.by_folder == told
    assert run(["config", "check"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "hybrid.toml of this folder" in line
    assert all(key in line for key in told)


@pytest.mark.slow
def test_what_config_show_writes_is_a_file_that_a_folder_may_have(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("HYBRID_GROUNDING__SCORER")
    assert run(["config", "show"]) == 0
    (tmp_path / "hybrid.toml").write_text(capsys.readouterr().out)
    assert load(environment={}).by_folder == ()


def test_config_show_tells_where_each_setting_comes_from(tmp_path, capsys, monkeypatch):
    (tmp_path / "hybrid.toml").write_text("[retrieval]\nk = 9\n")
    monkeypatch.setenv("HYBRID_DOMAIN", "manual")
    assert run(["config", "show", "--effort", "quick"]) == 0
    shown = capsys.readouterr().out
    assert 'domain = "manual"  # the environment\n' in shown
    assert "k = 9  # hybrid.toml\n" in shown
    assert 'effort = "quick"  # the command\n' in shown
    assert "candidates = 100\n" in shown


def test_a_folder_does_not_put_the_user_online(tmp_path):
    own = tmp_path / ".config" / "hybrid" / "hybrid.toml"
    own.parent.mkdir(parents=True)
    own.write_text("[models]\noffline = true\n")
    (tmp_path / "hybrid.toml").write_text("[models]\noffline = false\n")
    with pytest.raises(ConfigError, match=r"models\.offline"):
        load_settings(environment={"HOME": str(tmp_path)})
    (tmp_path / "hybrid.toml").unlink()
    assert load_settings(environment={"HOME": str(tmp_path)}).models.offline


def test_the_order_is_flag_variable_folder_user_default(tmp_path):
    own = tmp_path / ".config" / "hybrid" / "hybrid.toml"
    own.parent.mkdir(parents=True)
    own.write_text("[retrieval]\nk = 2\ncandidates = 20\nrerank_depth = 200\ndense_weight = 0.2\n")
    (tmp_path / "hybrid.toml").write_text("[retrieval]\nk = 3\ncandidates = 30\nrerank_depth = 300\n")
    variables = {"HOME": str(tmp_path), "HYBRID_RETRIEVAL__K": "4", "HYBRID_RETRIEVAL__CANDIDATES": "40"}
    loaded = load({"retrieval": {"k": 5}}, environment=variables)
    found = loaded.settings.retrieval
    assert (found.k, found.candidates, found.rerank_depth, found.dense_weight) == (5, 40, 300, 0.2)
    assert loaded.by_folder == ("retrieval.rerank_depth",)
    assert loaded.origins["retrieval.k"] == "the command"
    assert loaded.origins["retrieval.dense_weight"] == str(own)


@pytest.mark.parametrize("variables", [{}, {"HOME": ""}, {"XDG_CONFIG_HOME": ".config"}, {"HOME": "."}])
def test_a_users_file_is_never_one_of_the_current_folder(variables, tmp_path):
    for folder in (tmp_path / ".config" / "hybrid", tmp_path / "hybrid"):
        folder.mkdir(parents=True)
        (folder / "hybrid.toml").write_text("[retrieval]\nk = 2\n")
    assert load_settings(environment=variables).retrieval.k != 2


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "\x00", "[models", "k = 1\nk = 2"])
def test_a_file_that_is_no_toml_is_a_config_error(text, tmp_path):
    (tmp_path / "hybrid.toml").write_text(text)
    with pytest.raises(ConfigError):
        load_settings(environment={})


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
def test_a_setting_is_a_finite_number(value):
    with pytest.raises(ConfigError, match=r"documents\.max_seconds"):
        load_settings({"documents": {"max_seconds": value}}, environment={})


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1/v1", "https://api.example/v1", "http://127.0.0.1.evil.example/v1", "http://0.0.0.0:1"],
)
def test_offline_refuses_every_address_but_loopback(url):
    with pytest.raises(ConfigError, match="offline"):
        load_generator(ModelSettings(endpoint=Endpoint(url), offline=True))


@pytest.mark.parametrize("url", ["http://localhost:8000/v1", "http://127.0.0.9/v1", "http://[::1]:8000/v1"])
def test_offline_takes_an_endpoint_on_this_machine(url):
    assert load_generator(ModelSettings(endpoint=Endpoint(url), offline=True)).name


# --- what never prints -----------------------------------------------------------------------------


def test_a_secret_shows_itself_nowhere():
    @dataclasses.dataclass
    class Holder:
        key: Secret

    secret = Secret(KEY)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r:>30}", repr([secret])]
    shown += [repr(Holder(secret)), str(dataclasses.asdict(Holder(secret))), str(copy.deepcopy([secret]))]
    for write in (json.dumps, pickle.dumps, copy.copy):
        try:
            shown.append(repr(write(secret)))
        except TypeError as error:
            shown += traceback.format_exception(error)
    assert KEY not in "".join(shown)
    assert secret.reveal() == KEY
    assert (bool(secret), bool(Secret())) == (True, False)
    assert len({secret, Secret(KEY), Secret("other")}) == 2


@pytest.mark.slow
@given(st.text(min_size=7, max_size=40), st.text(max_size=9), st.text(max_size=9))
def test_no_echo_of_a_secret_stays_readable(key, before, after):
    key, before, after = (text.encode("utf-8", "ignore").decode() for text in (key, before, after))
    if len(key) <= 6:
        key += "sk-secret"
    secret = Secret(key)
    whole = (before + key + after).encode()
    for coded in (base64.b64encode(whole), base64.urlsafe_b64encode(whole), whole.hex().encode()):
        shown = secret.redact(f"<{coded.decode()}>")
        assert "***" in shown
        assert key not in shown


def test_a_placeholder_is_no_secret():
    assert Secret("ollama").redact("run it with ollama") == "run it with ollama"


@pytest.mark.parametrize(
    "bad",
    [
        "localhost:8000",
        "ftp://x",
        "/v1",
        "user:secret@localhost:8000",
        "http://user:sec/ret@host/v1",
        "http://h?key=secret",
        "http://h/v1#secret",
        "http://[::1",
        "http://h:99999",
        "http://h\x1b[31m/",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(bad):
    with pytest.raises(ConfigError, match="expected a URL") as caught:
        Endpoint(bad)
    assert "sec" not in str(caught.value)


def test_an_address_is_the_host_that_is_asked():
    assert Endpoint("http://h\\@evil/") == "http://evil/"


def test_an_address_is_shown_and_stored_without_its_login():
    endpoint = Endpoint(URL)
    assert endpoint == "http://127.0.0.1:8099/v1"
    assert endpoint.basic == ("someone", "p@ss-word")
    for same in (Endpoint(endpoint), copy.copy(endpoint), copy.deepcopy(endpoint)):
        assert same.login == endpoint.login
    settings = load_settings({"models": {"endpoint": URL}}, environment={})
    shown = [json.dumps(settings_dict(settings)), repr(settings), str(dataclasses.astuple(settings))]
    assert not any("ss-word" in text or "someone" in text for text in shown)
    assert settings.models.endpoint.basic == ("someone", "p@ss-word")
    assert ModelSettings(endpoint=URL).endpoint.basic == ("someone", "p@ss-word")


def test_an_arm_has_the_login_and_does_not_show_it():
    plain = load_settings(environment={})
    named = parse_arm(f"rag:reader=generator:endpoint={URL}", plain)
    assert named.name == "rag:reader=generator:endpoint=http://127.0.0.1:8099/v1"
    assert named.settings.models.endpoint.basic == ("someone", "p@ss-word")
    own = load_settings({"models": {"endpoint": URL}}, environment={})
    assert parse_arm(named.name, own).settings.models.endpoint.basic == ("someone", "p@ss-word")
    assert parse_arm(named.name, plain).settings.models.endpoint.basic is None
    other = parse_arm("rag:endpoint=http://127.0.0.1:9/v1", own)
    assert other.settings.models.endpoint.basic is None


@pytest.mark.parametrize("command", [["config", "show"], ["models", "list"], ["config", "schema"]])
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_no_command_shows_a_secret(command, as_json, monkeypatch, capsys):
    monkeypatch.setenv("HYBRID_MODELS__ENDPOINT", URL)
    monkeypatch.setenv("HYBRID_API_KEY", KEY)
    assert run([*command, *as_json]) == 0
    shown = "".join(capsys.readouterr())
    assert "ss-word" not in shown
    assert KEY not in shown
    assert command[1] == "schema" or "http://127.0.0.1:8099/v1" in shown or not as_json


def test_an_experiment_stores_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("HYBRID_API_KEY", KEY)
    settings = load_settings({"models": {"endpoint": URL}}, environment={})
    begin([], [Question("q1", "Which port?")], tmp_path / "experiments", settings=settings, name="q")
    stored = "".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "http://127.0.0.1:8099/v1" in stored
    assert not any(part in stored for part in (KEY, "ss-word", "someone"))


@pytest.mark.slow
def test_every_process_of_ours_keeps_the_current_folder_off_its_path():
    started = []
    for path in Path(hybrid.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.List) and node.elts and ast.unparse(node.elts[0]) == "sys.executable":
                started.append((path.name, ast.unparse(node.elts[1])))
            # no other way of starting Python
            assert not (isinstance(node, ast.Import) and node.names[0].name in ("multiprocessing", "pty"))
    files = ("executors.py", "pictures.py", "pool.py", "workers.py")
    assert sorted(started) == [(name, "'-P'") for name in files]
