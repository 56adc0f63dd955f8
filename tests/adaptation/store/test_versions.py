"""The adapters of a domain: whole or not there, promoted by reasons, and never lost."""

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hybrid.adaptation.store import versions as module
from hybrid.adaptation.store.card import AdapterKind
from hybrid.adaptation.store.versions import AdapterStore
from hybrid.errors import AdapterError, IndexLocked, ModelMissing, StorageError, UsageError
from hybrid.files import folder_lock
from hybrid.models.adapters import saved_digest


def _passes(card):
    return ()


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
    "name", ["", ".", "..", ".new", "a/b", "a\\b", "a b", "lock", "none", "GENERATOR", "x" * 101]
)
def test_what_is_no_name_is_refused(store, build, make_card, name):
    built = build()
    with pytest.raises(UsageError, match="is not a name for an adapter"):
        store.add(name, built, make_card())
    assert built.exists()


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


def test_a_process_that_dies_while_saving_leaves_no_half_adapter(store, domain, add, build, make_card):
    add("old")
    built = build(2.0)
    script = """
import os, sys
from pathlib import Path
from hybrid.adaptation.store import versions
from hybrid.adaptation.store.card import Card, AdapterKind
from hybrid.adaptation.values import Data
from hybrid.config import Method
versions.write_card = lambda *_: os._exit(9)
card = Card("new", AdapterKind.GENERATOR, "b", "d", Method.LORA, Data("", "", {}))
versions.AdapterStore(Path(sys.argv[1])).add("new", Path(sys.argv[2]), card)
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


def test_promoted_is_what_passes_the_gate(store, add):
    add("a", seconds=1.0)
    add("b", seconds=9.0)

    def slow(card):
        return () if card.seconds < 5 else ("it took too long",)

    assert store.promote("a", slow) == ()
    assert store.promoted(AdapterKind.GENERATOR) == "a"
    assert store.promote("b", slow) == ("it took too long",)
    assert store.promoted(AdapterKind.GENERATOR) == "a"
    assert store.promote("b", slow, force=True) == ("it took too long",)
    assert store.promoted(AdapterKind.GENERATOR) == "b"
    assert store.promoted(AdapterKind.EMBEDDER) is None


def test_rollback_goes_back_one_by_one_to_the_base(store, add):
    for name in ("a", "b", "c"):
        add(name)
        store.promote(name, _passes)
    store.promote("c", _passes)
    assert [store.rollback(AdapterKind.GENERATOR) for _ in range(3)] == ["b", "a", None]
    assert store.promoted(AdapterKind.GENERATOR) is None
    with pytest.raises(UsageError, match="no generator adapter is in use"):
        store.rollback(AdapterKind.GENERATOR)


def test_rollback_passes_over_what_was_removed(store, add):
    for name in ("a", "b", "c"):
        add(name)
        store.promote(name, _passes)
    store.remove("b")
    assert store.rollback(AdapterKind.GENERATOR) == "a"


def test_what_is_in_use_cannot_be_removed(store, add):
    add("a")
    store.promote("a", _passes)
    with pytest.raises(UsageError, match="a is in use") as caught:
        store.remove("a")
    assert "hybrid adapters rollback generator" in caught.value.hint
    store.rollback(AdapterKind.GENERATOR)
    store.remove("a")
    assert store.names() == []


def test_each_kind_has_its_own_pointer(store, add):
    add("a")
    add("e", kind=AdapterKind.EMBEDDER)
    store.promote("a", _passes)
    store.promote("e", _passes)
    assert [store.promoted(kind) for kind in AdapterKind] == ["a", "e"]
    assert store.rollback(AdapterKind.EMBEDDER) is None
    assert store.promoted(AdapterKind.GENERATOR) == "a"


def test_a_promoted_adapter_whose_folder_is_gone_is_an_error(store, add):
    add("a")
    store.promote("a", _passes)
    shutil.rmtree(store.folder("a"))
    with pytest.raises(AdapterError, match="there is no adapter 'a'"):
        store.promoted(AdapterKind.GENERATOR)


@pytest.mark.parametrize("text", ["", "[]", '{"name": "a"}', '{"name": "a", "previous": 3}'])
def test_a_damaged_pointer_is_named(store, domain, add, text):
    add("a")
    (domain / "adapters" / "GENERATOR").write_text(text)
    with pytest.raises(AdapterError, match="GENERATOR does not name an adapter"):
        store.promoted(AdapterKind.GENERATOR)


def test_a_full_disk_while_promoting_keeps_what_was_in_use(store, add, monkeypatch):
    for name in ("a", "b"):
        add(name)
    store.promote("a", _passes)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _no_space)
        with pytest.raises(StorageError):
            store.promote("b", _passes)
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
    store.promote("a", _passes)
    assert json.loads((domain / "adapters" / "GENERATOR").read_text()) == {"name": "a", "previous": []}
