"""The commands on adapters, as a user types them."""

import dataclasses
import json
import shutil

import pytest

from hybrid.adaptation.store import AdapterStore
from hybrid.adaptation.suites import Suite
from hybrid.adaptation.values import AdapterKind, Change
from hybrid.cli.app import run

GAIN = Change("label accuracy", 50.0, 70.0, 20.0, 12.0, 27.5, "points", 120, True)
LOSS = Change("general text", 3.10, 3.12, 0.02, 0.01, 0.03, "nats", 200, False)


@pytest.fixture
def domain(tmp_path):
    folder = tmp_path / "indexes" / "manual"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "CURRENT").exists():
        (folder / "CURRENT").write_text("000001\n")
    return folder


def said(capsys, *arguments, code=0):
    assert run(list(arguments)) == code
    return capsys.readouterr()


def document(capsys, *arguments, code=0):
    return json.loads(said(capsys, *arguments, "--json", code=code).out)


# --- list and show ---------------------------------------------------------------------------------


def test_a_domain_without_adapters_says_how_to_make_one(domain, capsys):
    told = said(capsys, "adapters", "list")
    assert (told.out, "hybrid adapt generator" in told.err) == ("", True)
    assert document(capsys, "adapters", "list") == {"domain": "manual", "adapters": []}


def test_the_list_shows_gain_and_loss_with_intervals_and_what_is_in_use(domain, keep_adapter, capsys):
    keep_adapter(domain, "generator-001", gain=GAIN, forgetting=(LOSS,), created="2026-01-02T03:04:05Z")
    keep_adapter(domain, "embedder-001", kind="embedder", promote=False)
    header, embedder, generator = said(capsys, "adapters", "list").out.splitlines()
    assert " ".join(header.split()) == "name of the method gain general loss in use MB made"
    assert "+20.0 points (+12.0 to +27.5)" in generator
    assert "+0.020 nats (+0.010 to +0.030)" in generator
    assert "yes" in generator
    assert "2026-01-02" in generator
    assert "yes" not in embedder
    rows = document(capsys, "adapters", "list")["adapters"]
    assert [(row["card"]["name"], row["in_use"]) for row in rows] == [
        ("embedder-001", False),
        ("generator-001", True),
    ]
    assert rows[1]["card"]["gain"]["low"] == 12.0
    assert rows[1]["bytes"] > 0


def test_a_damaged_card_does_not_hide_the_others(domain, keep_adapter, capsys):
    keep_adapter(domain, "a")
    keep_adapter(domain, "b", promote=False)
    (domain / "adapters" / "b" / "card.json").write_text("{")
    told = said(capsys, "adapters", "list")
    assert "a " in told.out
    assert "cannot be read as the card" in told.err


def test_show_tells_all_of_a_card(domain, keep_adapter, capsys):
    keep_adapter(domain, "generator-001", gain=GAIN, forgetting=(LOSS,), settings={"rank": 8}, seconds=90.0)
    out = said(capsys, "adapters", "show", "generator-001").out
    for part in (
        "generator-001, of the generator, in use",
        "fake (weights bbbbbbbbbbbb)",
        "rank 8",
        "1.5 min",
        "label accuracy 50.0 → 70.0: +20.0 points (+12.0 to +27.5), 120 items",
        "general text 3.100 → 3.120: +0.020 nats (+0.010 to +0.030), 200 items",
    ):
        assert part in out
    told = document(capsys, "adapters", "show", "generator-001")
    assert told["in_use"] is True
    assert told["card"]["settings"] == {"rank": 8}


def test_a_card_cannot_steer_the_terminal(domain, keep_adapter, capsys):
    keep_adapter(domain, "a", settings={"note": "\x1b[31mred\nline"})
    out = said(capsys, "adapters", "show", "a").out
    assert "\x1b" not in out


@pytest.mark.parametrize("command", ["show", "promote", "check", "remove"])
def test_an_adapter_that_is_not_there_is_named(domain, keep_adapter, capsys, command):
    keep_adapter(domain, "a")
    told = said(capsys, "adapters", command, "b", code=5)
    assert "there is no adapter 'b' in the domain 'manual'; there are: a" in told.err


# --- put in use, take away -------------------------------------------------------------------------


def test_rollback_goes_back_to_the_one_before_and_to_the_base(domain, keep_adapter, capsys):
    keep_adapter(domain, "a")
    keep_adapter(domain, "b")
    assert said(capsys, "adapters", "rollback", "generator").out == "in use for the generator: a\n"
    assert document(capsys, "adapters", "rollback", "generator")["in_use"] is None
    assert "no generator adapter is in use" in said(capsys, "adapters", "rollback", "generator", code=2).err


def test_what_is_in_use_is_not_removed(domain, keep_adapter, capsys):
    keep_adapter(domain, "a")
    assert "a is in use" in said(capsys, "adapters", "remove", "a", code=2).err
    AdapterStore(domain).rollback(AdapterKind.GENERATOR)
    assert document(capsys, "adapters", "remove", "a") == {"domain": "manual", "removed": "a"}
    assert AdapterStore(domain).names() == []


# --- judged ----------------------------------------------------------------------------------------


@pytest.fixture
def tuned(domain, tiny_generator_folder, make_adapter, monkeypatch, tmp_path):
    """Adapters that did little and much, with a gain, and the name of a suite of texts."""
    from hybrid.adaptation.store import read_card

    monkeypatch.setenv("HYBRID_MODELS__GENERATOR", str(tiny_generator_folder))
    for name, size in (("gentle", 1e-4), ("brutal", 1.0)):
        built = make_adapter(tiny_generator_folder, tmp_path / name, size=size)
        AdapterStore(domain).add(name, built, dataclasses.replace(read_card(built), gain=GAIN))
    words = (
        "the port of the server",
        "a server is in the port",
        "the default is a port",
        "and to the server",
    )
    suite = tmp_path / "suite"
    suite.mkdir()
    for number in range(12):
        text = " ".join(words[(number + step) % 4] for step in range(number % 3 + 12))
        (suite / f"{number}.txt").write_text(f"{text} number {number}.")
    monkeypatch.setattr("hybrid.tuning.shipped_suite", lambda: Suite("general"))
    return suite


@pytest.mark.slow
def test_a_check_measures_and_tells_what_stands_against_it(tuned, domain, capsys):
    told = said(capsys, "adapters", "check", "gentle", "--suite", str(tuned))
    assert "general text" in told.out
    assert "against it" not in told.err
    assert AdapterStore(domain).card("gentle").forgetting
    told = said(capsys, "adapters", "check", "brutal", "--suite", str(tuned), code=7)
    assert "general text: lost more than it may" in told.err
    assert "hybrid adapters repair" in told.err
    found = document(capsys, "adapters", "check", "brutal", "--suite", str(tuned), code=7)
    assert (found["adapter"], found["passed"]) == ("brutal", False)
    assert found["found"]["advice"]


@pytest.mark.slow
def test_only_what_passes_is_promoted(tuned, domain, capsys):
    for name in ("gentle", "brutal"):
        run(["adapters", "check", name, "--suite", str(tuned)])
    capsys.readouterr()
    assert said(capsys, "adapters", "promote", "gentle").out == "in use for the generator: gentle\n"
    told = said(capsys, "adapters", "promote", "brutal", code=7)
    assert told.out == "brutal is not put in use\n"
    assert "lost more than it may" in told.err
    assert AdapterStore(domain).promoted(AdapterKind.GENERATOR) == "gentle"
    assert document(capsys, "adapters", "promote", "brutal", code=7)["in_use"] is False
    assert document(capsys, "adapters", "promote", "brutal", "--force")["in_use"] is True
    assert AdapterStore(domain).promoted(AdapterKind.GENERATOR) == "brutal"


@pytest.mark.slow
def test_what_was_never_checked_is_checked_before_it_is_promoted(tuned, domain, monkeypatch, capsys):
    from hybrid.adaptation.suites import load_suite

    monkeypatch.setattr("hybrid.tuning.shipped_suite", lambda: load_suite(tuned))
    told = said(capsys, "adapters", "promote", "gentle")
    assert "measuring" in told.err
    assert "general text" in told.out
    assert AdapterStore(domain).promoted(AdapterKind.GENERATOR) == "gentle"
    assert said(capsys, "adapters", "promote", "brutal", code=7)


def test_a_generator_elsewhere_cannot_be_checked(tuned, monkeypatch, capsys):
    monkeypatch.setenv("HYBRID_MODELS__ENDPOINT", "http://127.0.0.1:9/v1")
    assert "weights are not on this machine" in said(capsys, "adapters", "check", "gentle", code=2).err


@pytest.fixture
def embedded(tmp_path, tiny_embedder_folder, tiny_embedder_adapter_folder, write_files, monkeypatch, capsys):
    """A domain with an index by the tiny embedder, and an adapter for that whose card passes the gate."""
    from hybrid.adaptation.store import read_card

    monkeypatch.setenv("HYBRID_MODELS__EMBEDDER", str(tiny_embedder_folder))
    monkeypatch.setenv("HYBRID_MODELS__DTYPE", "float32")
    monkeypatch.setenv("HYBRID_DOCUMENTS__WORKERS", "1")
    write_files(tmp_path / "manual", {"port.txt": "The port is 5432.", "night.txt": "It restarts at two."})
    assert run(["index", "manual"]) == 0
    built = shutil.copytree(tiny_embedder_adapter_folder, tmp_path / "built")
    gain = Change("dense retrieval", 0.5, 0.6, 0.1, 0.02, 0.18, "nDCG", 40, True)
    loss = Change("dense retrieval, general", 0.5, 0.499, -0.001, -0.004, 0.002, "nDCG", 40, True)
    domain = tmp_path / "indexes" / "manual"
    card = dataclasses.replace(read_card(built), gain=gain, forgetting=(loss,))
    AdapterStore(domain).add("embedder-001", built, card)
    capsys.readouterr()
    return domain


@pytest.mark.slow
def test_a_promoted_embedder_is_searched_with_until_it_is_rolled_back(embedded, capsys):
    before = document(capsys, "search", "port")["hits"]
    assert said(capsys, "adapters", "promote", "embedder-001").out == (
        "in use for the embedder: embedder-001\n"
    )
    after = document(capsys, "search", "port")["hits"]
    assert [hit["dense"] for hit in after] != [hit["dense"] for hit in before]
    assert document(capsys, "adapters", "show", "embedder-001")["in_use"] is True
    told = said(capsys, "adapters", "remove", "embedder-001", code=2).err
    assert "is in use" in told
    assert document(capsys, "adapters", "rollback", "embedder")["in_use"] is None
    assert document(capsys, "search", "port")["hits"] == before
    assert len(list((embedded / "generations").iterdir())) == 2
    assert document(capsys, "adapters", "remove", "embedder-001")["removed"] == "embedder-001"


@pytest.mark.slow
def test_an_embedder_whose_index_was_rolled_back_is_not_in_use(embedded, capsys):
    run(["adapters", "promote", "embedder-001"])
    assert run(["rollback"]) == 0
    capsys.readouterr()
    assert document(capsys, "adapters", "show", "embedder-001")["in_use"] is False
    run(["adapters", "promote", "embedder-001"])
    capsys.readouterr()
    assert document(capsys, "adapters", "show", "embedder-001")["in_use"] is True


@pytest.mark.slow
def test_a_check_of_an_embedder_measures_what_it_finds_here_and_elsewhere(embedded, capsys):
    code = run(["adapters", "check", "embedder-001"])
    told = capsys.readouterr()
    assert code in (0, 7)
    assert "dense retrieval, general: nDCG@10" in told.out
    (general,) = AdapterStore(embedded).card("embedder-001").forgetting
    assert (general.unit, general.higher_is_better) == ("nDCG", True)
    assert general.change != -0.001
    # embedded by both, and what was in force still is
    assert len(list((embedded / "generations").iterdir())) == 2
    assert document(capsys, "adapters", "show", "embedder-001")["in_use"] is False
    told = said(capsys, "adapters", "check", "embedder-001", "--items", "5", code=2)
    assert "are for adapters of the generator" in told.err


@pytest.mark.slow
def test_an_embedder_that_lost_too_much_elsewhere_is_not_promoted(embedded, capsys):
    worse = Change("dense retrieval, general", 0.5, 0.4, -0.1, -0.15, -0.05, "nDCG", 40, True)
    AdapterStore(embedded).annotate("embedder-001", forgetting=[worse])
    told = said(capsys, "adapters", "promote", "embedder-001", code=7)
    assert "lost more than 0.01" in told.err
    assert document(capsys, "adapters", "show", "embedder-001")["in_use"] is False


@pytest.fixture
def forgetful(embedded, tuned, tiny_generator_folder, tmp_path, monkeypatch, capsys):
    """An adapter tuned on labels with so high a rate that it forgot, its data and a suite."""
    rows = [
        {
            "prompt": f"is {'port' if number % 2 else 'server'} {number} a port",
            "completion": "yes" if number % 2 else "no",
            # no two questions have the same options, so words are tuned and no head is fitted
            "options": ["yes", "no", f"number {number} of the list"],
            "source": f"s{number}",
        }
        for number in range(80)
    ]
    data = tmp_path / "labels.jsonl"
    data.write_text("\n".join(json.dumps(row) for row in rows))
    settings = {
        "RANK": 4,
        "LEARNING_RATE": 1e-2,
        "EPOCHS": 10,
        "BATCH": 4,
        "REHEARSAL": 0,
        "BUDGET_NATS": 0.5,
    }
    for key, value in (settings | {"HOLD_OUT": 0, "VALIDATION": 0.5}).items():
        monkeypatch.setenv(f"HYBRID_ADAPTATION__{key}", str(value))
    assert run(["adapt", "generator", "--data", str(data), "--no-check", "--name", "wild"]) == 0
    capsys.readouterr()
    return data, tuned


@pytest.mark.slow
def test_repair_tries_less_strength_and_keeps_what_passes(forgetful, embedded, monkeypatch, capsys):
    data, suite = forgetful
    monkeypatch.setenv("HYBRID_ADAPTATION__BUDGET_NATS", "0.2")
    store = AdapterStore(embedded)
    options = ["--data", str(data), "--suite", str(suite), "--no-train"]
    told = said(capsys, "adapters", "repair", "wild", *options)
    assert "as tuned: gain" in told.err
    assert "refused for general text" in told.err
    card = store.card("generator-001")
    assert card.strength < 1
    assert card.parent == "wild"
    assert card.gain.change > 0
    assert max(change.high for change in card.forgetting if change.measure == "general text") <= 0.2
    assert "hybrid adapters promote generator-001" in told.out
    assert said(capsys, "adapters", "promote", "generator-001").out


@pytest.mark.slow
def test_an_embedder_is_not_repaired(embedded, capsys):
    told = said(capsys, "adapters", "repair", "embedder-001", code=2)
    assert "strength was chosen when it was tuned" in told.err


@pytest.mark.slow
def test_the_tradeoff_shows_what_was_measured_alike(domain, keep_adapter, capsys, tmp_path):
    large = dataclasses.replace(LOSS, change=0.2, low=0.15, high=0.25, after=3.3)
    other = dataclasses.replace(GAIN, measure="loss of held-out examples", unit="nats")
    keep_adapter(domain, "gentle", gain=GAIN, forgetting=(LOSS,))
    keep_adapter(domain, "wild", gain=dataclasses.replace(GAIN, change=25.0), forgetting=(large,))
    keep_adapter(domain, "else", gain=other, forgetting=(LOSS,))
    keep_adapter(domain, "unchecked", gain=GAIN)
    told = said(capsys, "adapters", "tradeoff", "--report", "page.html")
    assert "gentle" in told.out
    assert "wild" in told.out
    assert "not measured, or not in the same way: else, unchecked" in told.err
    assert "<svg" in (tmp_path / "page.html").read_text()
    points = document(capsys, "adapters", "tradeoff")["points"]
    assert [(point["name"], point["inside"]) for point in points] == [("gentle", True), ("wild", False)]


def test_a_tradeoff_without_measures_says_how_to_get_them(domain, keep_adapter, capsys):
    keep_adapter(domain, "a")
    told = said(capsys, "adapters", "tradeoff", code=2)
    assert "hybrid adapters check NAME" in told.err
    assert said(capsys, "adapters", "tradeoff", "embedder", code=2)


# --- away ------------------------------------------------------------------------------------------


def test_export_writes_a_folder_or_an_archive_once(domain, keep_adapter, capsys, tmp_path):
    keep_adapter(domain, "a")
    assert document(capsys, "adapters", "export", "a", "packed.zip") == {"path": "packed.zip", "for": "peft"}
    shutil.unpack_archive(tmp_path / "packed.zip", tmp_path / "there")
    assert (tmp_path / "there" / "a" / "card.json").is_file()
    assert "is there already" in said(capsys, "adapters", "export", "a", "packed.zip", code=2).err


@pytest.fixture
def kin(domain, tiny_kin_folder, kin_adapter, monkeypatch):
    """A stored adapter whose base other programs can load; gives the folder that it was taken from."""
    from hybrid.adaptation.store import read_card

    built = shutil.copytree(kin_adapter, domain.parent / "kin")
    AdapterStore(domain).add("a", built, read_card(built))
    monkeypatch.setenv("HYBRID_MODELS__GENERATOR", str(tiny_kin_folder))
    return kin_adapter


@pytest.mark.slow
@pytest.mark.parametrize(
    ("destination", "files", "note"),
    [
        ("peft", ["adapter_config.json", "adapter_model.safetensors", "card.json"], ""),
        ("vllm", ["LAUNCH.md", "adapter_config.json", "adapter_model.safetensors", "card.json"], ""),
        ("gguf", [], "compared in llama.cpp"),
        ("ollama", ["Modelfile", "adapter.gguf", "model.gguf"], "compared in llama.cpp"),
    ],
)
def test_an_adapter_leaves_for_each_program(kin, capsys, tmp_path, destination, files, note):
    if destination in ("gguf", "ollama"):
        pytest.importorskip("xllamacpp", reason="the extra llamacpp is not installed")
    told = said(capsys, "adapters", "export", "a", "out", "--for", destination)
    assert (told.out, note in told.err) == ("out\n", True)
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == files if files else out.read_bytes()[:4] == b"GGUF"
    again = said(capsys, "adapters", "export", "a", "out", "--for", destination, code=2)
    assert "is there already" in again.err


@pytest.mark.slow
def test_an_adapter_of_plain_peft_is_added_once_and_must_fit(
    domain, kin, tiny_generator_folder, make_adapter, capsys, tmp_path
):
    theirs = shutil.copytree(kin, tmp_path / "theirs")
    (theirs / "card.json").unlink()
    told = document(capsys, "adapters", "add", str(theirs), "--name", "theirs")
    assert (told["adapter"], told["in_use"]) == ("theirs", False)
    assert AdapterStore(domain).card("theirs").weights == told["card"]["weights"]
    told = said(capsys, "adapters", "add", str(theirs))
    assert told.out == "generator-001\n" and "hybrid adapters check generator-001" in told.err
    assert "already" in said(capsys, "adapters", "add", str(theirs), "--name", "theirs", code=2).err
    other = make_adapter(tiny_generator_folder, tmp_path / "other")
    (other / "card.json").unlink()
    assert "cannot be merged into the model" in said(capsys, "adapters", "add", str(other), code=5).err
    assert "adapter_config.json" in said(capsys, "adapters", "add", str(tmp_path), code=5).err
    assert AdapterStore(domain).names() == ["a", "generator-001", "theirs"]


@pytest.mark.slow
def test_merge_writes_a_model(domain, tiny_generator_folder, make_adapter, monkeypatch, capsys, tmp_path):
    from transformers import AutoModelForCausalLM

    from hybrid.adaptation.store import read_card

    built = make_adapter(tiny_generator_folder, tmp_path / "built")
    AdapterStore(domain).add("a", built, read_card(built))
    monkeypatch.setenv("HYBRID_MODELS__GENERATOR", str(tiny_generator_folder))
    assert said(capsys, "adapters", "export", "a", "merged", "--for", "merged").out == "merged\n"
    AutoModelForCausalLM.from_pretrained(tmp_path / "merged")


@pytest.mark.slow
def test_doctor_proves_that_an_endpoint_serves_the_adapter(
    domain, tiny_generator_folder, make_adapter, monkeypatch, capsys, tmp_path
):
    from hybrid.adaptation.store import read_card
    from tests.scripted_server import Reply, ScriptedServer

    built = make_adapter(tiny_generator_folder, tmp_path / "built")
    AdapterStore(domain).add("a", built, read_card(built))
    monkeypatch.setenv("HYBRID_MODELS__GENERATOR", str(tiny_generator_folder))
    with ScriptedServer(Reply("always the same"), models=[str(tiny_generator_folder), "a"]) as server:
        told = document(capsys, "doctor", "--endpoint", server.url, "--adapter", "a", code=1)
    (check,) = told["checks"]
    assert (check["name"], check["verdict"]) == (f"adapter a at {server.url}", "bad")
    assert "answer alike" in check["found"]
    assert "go together" in said(capsys, "doctor", "--adapter", "a", code=2).err


# --- asking ----------------------------------------------------------------------------------------


def test_an_arm_without_its_adapter_says_how_to_make_one(domain, capsys):
    for arm in ("adapter", "both"):
        told = said(capsys, "ask", "what?", "--arm", arm, code=5)
        assert "need a generator adapter" in told.err
        assert "hybrid adapt generator" in told.err


def test_an_adapter_goes_with_arms_that_have_one(domain, capsys):
    told = said(capsys, "ask", "what?", "--arm", "rag", "--generator-adapter", "a", code=2)
    assert "--generator-adapter does not go with --arm rag" in told.err
    told = said(capsys, "ask", "what?", "--generator-adapter", "a", code=5)
    assert "there is no adapter 'a'" in told.err


@pytest.mark.slow
def test_the_arm_adapter_is_asked(domain, tiny_generator_folder, make_adapter, monkeypatch, capsys, tmp_path):
    from hybrid.adaptation.store import read_card

    built = make_adapter(tiny_generator_folder, tmp_path / "built")
    AdapterStore(domain).add("a", built, read_card(built))
    AdapterStore(domain).promote("a", force=True)
    monkeypatch.setenv("HYBRID_MODELS__GENERATOR", str(tiny_generator_folder))
    monkeypatch.setenv("HYBRID_GENERATION__MAX_NEW_TOKENS", "8")
    answer = document(capsys, "ask", "port?", "--arm", "adapter")
    assert answer["arm"] == "adapter"
    other = document(capsys, "ask", "port?", "--arm", "base")
    assert answer["text"] != other["text"]
    assert "written from the model's memory" in said(capsys, "ask", "port?", "--arm", "adapter").err


def test_what_was_decided_with_an_adapter_is_asked_with_it(domain, capsys):
    (domain / "DECISION").write_text(json.dumps({"arm": "both:generator_adapter=gone"}))
    told = said(capsys, "ask", "what?", code=5)
    assert "there is no adapter 'gone'" in told.err


@pytest.mark.slow
def test_adapters_are_combined_taken_apart_and_their_drift_is_drawn(forgetful, embedded, monkeypatch, capsys):
    data, suite = forgetful
    monkeypatch.setenv("HYBRID_ADAPTATION__BUDGET_NATS", "99")
    monkeypatch.setenv("HYBRID_ADAPTATION__BUDGET_REFUSAL", "100")
    monkeypatch.setenv("HYBRID_ADAPTATION__SEED", "1")
    assert run(["adapt", "generator", "--data", str(data), "--no-check", "--name", "other"]) == 0
    capsys.readouterr()
    options = ["--data", str(data), "--suite", str(suite)]
    told = said(capsys, "adapters", "ablate", "wild", *options)
    names = [line.split("  ")[0] for line in told.out.splitlines()]
    assert names[:2] == ["part", "the whole adapter"] and "direction 1" in names
    drawn = said(capsys, "adapters", "drift", "wild", "--out", "drift.svg")
    assert "picture: drift.svg" in drawn.err and len(drawn.out.splitlines()) == 3
    assert document(capsys, "adapters", "drift", "wild")["blocks"][0]["change"] > 0
    weights = ["--weight", "0.5", "--weight", "0.5", "--name", "both"]
    code = run(["adapters", "combine", "wild", "other", "--by", "dare_ties", *weights, *options])
    card = AdapterStore(embedded).card("both")
    assert card.parent == "wild + other" and card.settings["merged"] == "dare_ties" and card.forgetting
    # by the gate, like any other
    assert (code == 0) == (AdapterStore(embedded).promoted(AdapterKind.GENERATOR) == "both")
