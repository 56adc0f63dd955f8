"""The adapters of a domain: whole or not there, put in use by the gate alone, and never lost."""

import dataclasses
import errno
import json
import math
import os
import shutil
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybrid.adaptation import store as module
from hybrid.adaptation.store import AdapterStore, card_values, parse_card, read_card, write_card
from hybrid.adaptation.values import AdapterKind, Budget, Card, Change, Data, LossPoint, reasons
from hybrid.config import Method, Reader
from hybrid.errors import AdapterError, GateFailed, IndexLocked, ModelMissing, StorageError, UsageError
from hybrid.files import folder_lock
from hybrid.models.adapters import saved_digest


@pytest.fixture
def domain(tmp_path):
    return tmp_path / "indexes" / "manual"


@pytest.fixture
def store(domain):
    return AdapterStore(domain)


@pytest.fixture
def add(store, build, make_card):
    """Add an adapter: add("a", 2.0, seconds=3) -> its card."""

    def call(name, value=1.0, **values):
        return store.add(name, build(value, f"built-{name}"), make_card(**values))

    return call


def _no_space(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


# --- keeping ---------------------------------------------------------------------------------------


def test_an_empty_domain_has_no_adapters(store, domain):
    assert store.names() == []
    assert store.promoted(AdapterKind.GENERATOR) is None
    with pytest.raises(
        AdapterError, match=r"there is no adapter 'a' in the domain 'manual'; the domain has none"
    ):
        store.card("a")
    assert not domain.exists()


def test_what_was_added_is_there_with_name_and_digest(store, domain, build, make_card):
    built = build()
    digest = saved_digest(built)
    card = store.add("mine", built, make_card(name="", weights=""))
    assert (card.name, card.weights) == ("mine", digest)
    assert store.card("mine") == card
    assert store.names() == ["mine"]
    assert store.folder("mine") == domain / "adapters" / "mine"
    assert sorted(path.name for path in store.folder("mine").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "card.json",
    ]
    assert not built.exists()


def test_names_count_up_and_are_never_given_twice(store, add, domain):
    first = store.new_name(AdapterKind.GENERATOR)
    assert (first, store.new_name(AdapterKind.EMBEDDER)) == ("generator-001", "embedder-001")
    assert store.new_name(AdapterKind.GENERATOR) == "generator-002"
    assert store.names() == []
    add(first)
    store.remove(first)
    assert store.names() == []
    assert store.new_name(AdapterKind.GENERATOR) == "generator-003"


def test_a_name_of_ones_own_counts_too(store, add):
    add("generator-007")
    add("careful")
    assert store.new_name(AdapterKind.GENERATOR) == "generator-008"


@pytest.mark.parametrize(
    "name", [".", "..", ".new", "a/b", "a\\b", "a b", "lock", "none", "GENERATOR", "x" * 101]
)
def test_what_is_no_name_is_refused(store, build, make_card, name):
    built = build()
    with pytest.raises(UsageError, match="is not a name for an adapter"):
        store.add(name, built, make_card())
    assert built.exists()


def test_without_a_name_and_a_time_it_gets_the_next_number_and_the_time_of_now(store, build, make_card):
    first, second = (store.add("", build(), make_card(name="", created="")) for _ in range(2))
    assert (first.name, second.name) == ("generator-001", "generator-002")
    assert abs(datetime.fromisoformat(first.created) - datetime.now(UTC)) < timedelta(minutes=5)
    assert store.card("generator-001") == first


def test_a_name_that_is_taken_is_refused_and_nothing_is_lost(store, add, build, make_card):
    add("a", 1.0)
    built = build(2.0)
    with pytest.raises(UsageError, match="there is an adapter 'a' already"):
        store.add("a", built, make_card())
    assert (built / "adapter_model.safetensors").exists()
    assert store.card("a").weights == saved_digest(store.folder("a"))


def test_a_folder_that_is_no_adapter_is_not_overwritten(store, domain, build, make_card):
    (domain / "adapters" / "a").mkdir(parents=True)
    (domain / "adapters" / "a" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is in the way"):
        store.add("a", build(), make_card())
    assert (domain / "adapters" / "a" / "notes.txt").read_text() == "mine"


def test_a_folder_without_safe_weights_is_refused(store, tmp_path, make_card):
    built = tmp_path / "built"
    built.mkdir()
    (built / "adapter_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelMissing, match="only pickled weights"):
        store.add("a", built, make_card())
    assert store.names() == []


@pytest.mark.parametrize("where", ["copy", "fsync", "card", "rename"])
def test_a_full_disk_loses_nothing_and_leaves_no_half_adapter(
    store, domain, add, build, make_card, monkeypatch, where
):
    add("old")
    before = sorted(path.relative_to(domain) for path in domain.rglob("*"))
    built = build(2.0)
    with monkeypatch.context() as patch:
        if where == "copy":
            patch.setattr(Path, "hardlink_to", _no_space)
            patch.setattr(shutil, "copy2", _no_space)
        elif where == "fsync":
            patch.setattr(os, "fsync", _no_space)
        elif where == "card":
            patch.setattr(Path, "replace", _no_space)
        else:
            patch.setattr(Path, "rename", _no_space)
        with pytest.raises(StorageError, match="no space left"):
            store.add("new", built, make_card())
    assert sorted(path.relative_to(domain) for path in domain.rglob("*")) == before
    assert sorted(path.name for path in built.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert store.add("new", built, make_card()).name == "new"
    assert store.names() == ["new", "old"]


def test_weights_from_another_disk_are_copied(store, build, make_card, monkeypatch):
    def other_disk(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", other_disk)
    card = store.add("a", build(), make_card())
    assert saved_digest(store.folder("a")) == card.weights


@pytest.mark.slow
def test_a_process_that_dies_while_saving_leaves_no_half_adapter(store, domain, add, build, make_card):
    add("old")
    built = build(2.0)
    script = """
import os, sys
from pathlib import Path
from hybrid.adaptation import store
from hybrid.adaptation.values import AdapterKind, Card, Data
from hybrid.config import Method
store.write_card = lambda *_: os._exit(9)
card = Card("new", AdapterKind.GENERATOR, "b", "d", Method.LORA, Data("", "", {}))
store.AdapterStore(Path(sys.argv[1])).add("new", Path(sys.argv[2]), card)
"""
    done = subprocess.run([sys.executable, "-c", script, domain, built], check=False)
    assert done.returncode == 9
    assert store.names() == ["old"]
    assert store.add("new", built, make_card()).name == "new"
    assert store.names() == ["new", "old"]


def test_two_writers_take_turns(store, domain, build, make_card):
    folders = [build(float(place), f"built-{place}") for place in range(4)]
    errors = []

    def work(place):
        try:
            AdapterStore(domain).add(f"a{place % 3}", folders[place], make_card())
        except UsageError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.names() == ["a0", "a1", "a2"]
    assert errors == ["there is an adapter 'a0' already"]


def test_a_writer_that_never_ends_is_named(store, domain, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    with folder_lock(domain / "adapters"), pytest.raises(IndexLocked, match="is writing"):
        store.new_name(AdapterKind.GENERATOR)


# --- promoting -------------------------------------------------------------------------------------


def test_an_adapter_that_was_never_checked_is_not_put_in_use_without_force(store, add):
    add("a")
    with pytest.raises(GateFailed, match="a may not be put in use: what it forgot") as caught:
        store.promote("a")
    assert caught.value.exit_code == 7
    assert caught.value.against == ("what it forgot was not measured",)
    assert "measure on a suite" in caught.value.hint
    assert store.promoted(AdapterKind.GENERATOR) is None
    assert store.promote("a", force=True).against == caught.value.against
    assert store.promoted(AdapterKind.GENERATOR) == "a"


@pytest.mark.parametrize("kind", AdapterKind)
def test_what_passes_the_gate_is_put_in_use(store, add, gain, loss, kind):
    kept = dataclasses.replace(gain, measure="elsewhere", change=0.001, low=0.0, high=0.002)
    add("a", kind=kind, forgetting=(loss if kind is AdapterKind.GENERATOR else kept,))
    assert store.promote("a").against == ()
    assert store.promoted(kind) == "a"


@pytest.mark.parametrize("kind", AdapterKind)
def test_each_kind_is_refused_by_its_own_gate_with_all_reasons(store, add, gain, loss, kind):
    unsure = dataclasses.replace(gain, low=-1.0)
    lost = dataclasses.replace(loss, change=0.2, low=0.15, high=0.25)
    if kind is AdapterKind.EMBEDDER:
        lost = dataclasses.replace(gain, measure="elsewhere", change=-0.1, low=-0.15, high=-0.05)
    add("good", kind=kind)
    store.promote("good", force=True)
    add("a", kind=kind, gain=unsure, forgetting=(lost,))
    with pytest.raises(GateFailed) as caught:
        store.promote("a")
    no_gain, too_much = caught.value.against
    assert "no gain is shown" in no_gain
    assert "lost more than" in too_much
    assert all(reason in str(caught.value) for reason in caught.value.against)
    assert store.promoted(kind) == "good"


def test_the_gate_of_a_store_has_the_budget_of_the_settings(domain, add, loss):
    add("a", forgetting=(dataclasses.replace(loss, change=0.2, low=0.15, high=0.25),))
    with pytest.raises(GateFailed, match=r"allowed 0\.05"):
        AdapterStore(domain).promote("a")
    AdapterStore(domain, Budget(nats=0.3)).promote("a")
    assert AdapterStore(domain).promoted(AdapterKind.GENERATOR) == "a"


def test_rollback_goes_back_one_by_one_to_the_base(store, add):
    for name in ("a", "b", "c"):
        add(name)
        store.promote(name, force=True)
    store.promote("c", force=True)
    assert [store.rollback(AdapterKind.GENERATOR) for _ in range(3)] == ["b", "a", None]
    assert store.promoted(AdapterKind.GENERATOR) is None
    with pytest.raises(UsageError, match="no generator adapter is in use"):
        store.rollback(AdapterKind.GENERATOR)


def test_rollback_passes_over_what_was_removed(store, add):
    for name in ("a", "b", "c"):
        add(name)
        store.promote(name, force=True)
    store.remove("b")
    assert store.rollback(AdapterKind.GENERATOR) == "a"


def test_what_is_in_use_cannot_be_removed(store, add):
    add("a")
    store.promote("a", force=True)
    with pytest.raises(UsageError, match="a is in use") as caught:
        store.remove("a")
    assert "hybrid adapters rollback generator" in caught.value.hint
    store.rollback(AdapterKind.GENERATOR)
    store.remove("a")
    assert store.names() == []


def test_each_kind_has_its_own_pointer(store, add):
    add("a")
    add("e", kind=AdapterKind.EMBEDDER)
    store.promote("a", force=True)
    store.promote("e", force=True)
    assert [store.promoted(kind) for kind in AdapterKind] == ["a", "e"]
    assert store.rollback(AdapterKind.EMBEDDER) is None
    assert store.promoted(AdapterKind.GENERATOR) == "a"


def test_a_promoted_adapter_whose_folder_is_gone_is_an_error(store, add):
    add("a")
    store.promote("a", force=True)
    shutil.rmtree(store.folder("a"))
    with pytest.raises(AdapterError, match="there is no adapter 'a'"):
        store.promoted(AdapterKind.GENERATOR)


@pytest.mark.parametrize("text", ["", "[]", '{"name": "a"}', '{"name": "a", "previous": 3}'])
def test_a_damaged_pointer_is_named(store, domain, add, text):
    add("a")
    (domain / "adapters" / "GENERATOR").write_text(text)
    with pytest.raises(AdapterError, match="GENERATOR does not name an adapter"):
        store.promoted(AdapterKind.GENERATOR)


@pytest.mark.slow
def test_a_full_disk_while_promoting_keeps_what_was_in_use(store, add, monkeypatch):
    for name in ("a", "b"):
        add(name)
    store.promote("a", force=True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _no_space)
        with pytest.raises(StorageError):
            store.promote("b", force=True)
    assert store.promoted(AdapterKind.GENERATOR) == "a"


# --- what is learned later -------------------------------------------------------------------------


def test_a_later_check_is_written_into_the_card_and_into_nothing_else(store, add, gain, loss):
    card = add("a", gain=None)
    weights = (store.folder("a") / "adapter_model.safetensors").read_bytes()
    assert store.annotate("a", forgetting=[loss]).forgetting == (loss,)
    assert store.annotate("a", gain=gain).forgetting == (loss,)
    found = store.card("a")
    assert (found.gain, found.forgetting) == (gain, (loss,))
    assert found.settings == card.settings
    assert (store.folder("a") / "adapter_model.safetensors").read_bytes() == weights


def test_a_full_disk_while_writing_a_check_keeps_the_card(store, add, loss, monkeypatch):
    card = add("a")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _no_space)
        with pytest.raises(StorageError):
            store.annotate("a", forgetting=[loss])
    assert store.card("a") == card


def test_a_damaged_card_does_not_hide_the_others(store, add):
    add("a")
    add("b")
    (store.folder("a") / "card.json").write_text("{")
    assert store.names() == ["a", "b"]
    assert store.card("b").name == "b"
    with pytest.raises(AdapterError, match="cannot be read as the card"):
        store.card("a")
    store.remove("a")
    assert store.names() == ["b"]


def test_the_pointer_is_readable(store, domain, add):
    add("a")
    store.promote("a", force=True)
    assert json.loads((domain / "adapters" / "GENERATOR").read_text()) == {"name": "a", "previous": []}


# --- the card

_NUMBER = st.floats(allow_nan=False, allow_infinity=False)
_TEXT = st.text(max_size=12)
_CHANGE = st.builds(
    Change, _TEXT, _NUMBER, _NUMBER, _NUMBER, _NUMBER, _NUMBER, _TEXT, st.integers(0), st.booleans()
)
_CARD = st.builds(
    Card,
    name=_TEXT,
    kind=st.sampled_from(AdapterKind),
    base=_TEXT,
    base_digest=_TEXT,
    method=st.sampled_from(Method),
    data=st.builds(Data, _TEXT, _TEXT, st.dictionaries(_TEXT, st.integers(0), max_size=3)),
    settings=st.dictionaries(_TEXT, st.one_of(st.booleans(), st.integers(), _NUMBER, _TEXT), max_size=4),
    curve=st.lists(st.builds(LossPoint, st.integers(0), _NUMBER, st.none() | _NUMBER), max_size=3).map(tuple),
    strength=_NUMBER,
    reader=st.none() | st.sampled_from(Reader),
    gain=st.none() | _CHANGE,
    forgetting=st.lists(_CHANGE, max_size=2).map(tuple),
    created=_TEXT,
    seconds=_NUMBER,
    parent=_TEXT,
    seed=st.integers(0),
    versions=st.dictionaries(_TEXT, _TEXT, max_size=2),
    weights=_TEXT,
)


@pytest.mark.slow
@given(_CARD)
def test_a_card_is_read_as_it_was_written(card):
    again = parse_card(json.dumps(card_values(card)))
    assert again == card
    assert {name: type(value) for name, value in again.settings.items()} == {
        name: type(value) for name, value in card.settings.items()
    }


def test_a_card_goes_into_its_folder_and_back(tmp_path, make_card):
    write_card(tmp_path, make_card())
    assert read_card(tmp_path) == make_card()
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]


def test_a_card_holds_no_path_of_this_machine(make_card):
    assert "/" not in json.dumps(card_values(make_card()))


def test_a_folder_without_a_card_is_no_adapter(tmp_path):
    with pytest.raises(AdapterError, match=r"is no adapter of this package: it has no card\.json"):
        read_card(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:-20], "Expecting"),
        (lambda text: "[]", "expected an object, found list"),
        (lambda text: "\x00", "Expecting value"),
        (
            lambda text: text.replace('"schema_version": 1', '"schema_version": 2'),
            "format 2, this version reads",
        ),
        (lambda text: text.replace('"base_digest"', '"base_digst"'), "unknown: base_digst"),
        (lambda text: text.replace('"kind": "generator"', '"kind": "reranker"'), "`kind`"),
        (lambda text: text.replace('"seconds": 61.5', '"seconds": "long"'), "`seconds`"),
        (lambda text: text.replace('"before": 50.0,', ""), "`gain.before`"),
    ],
)
def test_a_damaged_card_says_what_is_wrong(tmp_path, make_card, change, message):
    write_card(tmp_path, make_card())
    path = tmp_path / "card.json"
    changed = change(path.read_text())
    path.write_text(changed)
    with pytest.raises(AdapterError, match=message) as caught:
        read_card(tmp_path)
    assert str(path) in str(caught.value)
    assert path.read_text() == changed


def test_a_card_is_a_value(make_card):
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_card().name = "other"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", AdapterKind)
def test_what_is_no_finite_number_is_null_in_a_card_and_passes_no_gate(
    tmp_path, make_card, gain, loss, number, kind
):
    part = loss if kind is AdapterKind.GENERATOR else gain
    unknown = dataclasses.replace(part, low=number, high=number)
    curve = (LossPoint(0, number, number),)
    write_card(tmp_path, make_card(kind=kind, gain=unknown, forgetting=(unknown,), curve=curve))
    text = (tmp_path / "card.json").read_text()
    values = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert values["gain"]["low"] is None
    card = read_card(tmp_path)
    assert math.isnan(card.gain.low) and math.isnan(card.forgetting[0].high)
    assert math.isnan(card.curve[0].domain) and card.curve[0].general is None
    assert len(reasons(card, Budget()).against) == 2


def test_a_card_of_before_with_numbers_that_are_none_is_read(tmp_path, make_card):
    write_card(tmp_path, make_card())
    path = tmp_path / "card.json"
    path.write_text(path.read_text().replace('"low": 12.0', '"low": NaN').replace("27.5", "Infinity"))
    gain = read_card(tmp_path).gain
    assert math.isnan(gain.low) and gain.high == math.inf
