"""Vector stores by their address: what is an address, and what becomes of a store that is away."""

import gc
import json
import socket
from contextlib import closing

import numpy as np
import pytest

from hybrid import load_settings
from hybrid.cli.app import run
from hybrid.errors import ConfigError, ExtraMissing, VectorsUnreachable
from hybrid.index import stores
from hybrid.index.stores import PgVectors, QdrantVectors, store_of
from hybrid.trust import StoreAddress
from tests.postgres_server import postgres


def _settings(address, **values):
    return load_settings({"vectors": address, **values}, environment={})


@pytest.fixture
def port():
    """A port that takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


@pytest.mark.parametrize(
    "address", ["qdrant://localhost:6333", "qdrants://:key@db.example", "postgresql://u:p@h/d", "qdrant:///f"]
)
def test_a_login_is_kept_apart_from_the_address(address):
    found = _settings(address).vectors
    assert "@" not in found and found.revealed == address
    assert not any(login in repr(_settings(address)) for login in (":key@", "u:p"))


@pytest.mark.parametrize(
    "address",
    ["http://h", "qdrant:", "qdrant://", "postgresql://h/d?password=x", "mysql://h", "qdrant://h:x"],
)
def test_what_is_no_store_is_refused(address):
    with pytest.raises(ConfigError, match="not the address of a vector store"):
        _settings(address)


def test_a_folder_may_not_say_where_vectors_go(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hybrid.toml").write_text('vectors = "qdrant://somewhere"\n')
    with pytest.raises(ConfigError, match="`vectors`"):
        load_settings(environment={})


def test_offline_takes_a_store_on_this_machine_only():
    offline = {"models": {"offline": True}}
    for address in ("qdrant://127.0.0.1", "qdrant:///folder", "postgresql://%2Ftmp/db"):
        assert store_of(_settings(address, **offline), "manual") is not None
    with pytest.raises(ConfigError, match="another machine"):
        store_of(_settings("qdrant://db.example", **offline), "manual")
    assert store_of(_settings("", **offline), "manual") is None


@pytest.mark.parametrize(("address", "extra"), [("qdrant://h", "qdrant"), ("postgresql://h/d", "pgvector")])
def test_without_its_client_the_extra_is_named(address, extra, monkeypatch):
    monkeypatch.setattr(stores, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing) as raised:
        store_of(_settings(address), "manual")
    assert extra in raised.value.hint and raised.value.exit_code == 5


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["qdrant://:secret-key@127.0.0.1", "postgresql://me:secret-key@127.0.0.1"])
@pytest.mark.parametrize("kind", ["refuses", "hangs"])
def test_a_store_that_is_away_is_said_in_time_and_without_its_login(scheme, kind, port, monkeypatch):
    monkeypatch.setattr(stores, "_SECONDS", 1)
    monkeypatch.setattr(stores, "_CONNECT_SECONDS", 2)
    if kind == "refuses":
        with closing(socket.create_server(("127.0.0.1", 0))) as gone:
            port = gone.getsockname()[1]
    store = store_of(_settings(f"{scheme}:{port}/db"), "manual")
    vector = np.ones((1, 8), np.float32)
    for ask in (lambda: store.nearest(vector[0], 1), lambda: store.add(["ab" * 32], vector)):
        with pytest.raises(VectorsUnreachable, match=f"127.0.0.1:{port}") as raised:
            ask()
        assert "secret-key" not in str(raised.value) and raised.value.exit_code == 4


@pytest.mark.slow
def test_domains_of_long_names_have_tables_of_their_own():
    address = StoreAddress(postgres())
    vectors = np.eye(4, dtype=np.float32)
    one, other = (PgVectors(address, "d" * 90 + end) for end in "ab")
    one.add(["ab" * 32], vectors[:1])
    assert other.nearest(vectors[0], 5) == [] and one.nearest(vectors[0], 5) == ["ab" * 32]
    one.add(["ab" * 32, "cd" * 32], vectors[2:])
    assert one.nearest(vectors[2], 1) == ["ab" * 32]  # in place of what it had
    one.remove(["ab" * 32, "ef" * 32])
    assert one.nearest(vectors[2], 5) == ["cd" * 32]
    one.drop()
    one.drop()  # one that is not there is no error
    with one._cursor() as cursor:
        assert cursor.execute("SELECT to_regclass(quote_ident(%s))", (one._table,)).fetchone() == (None,)
    one.add(["ab" * 32], vectors[:1])
    assert one.nearest(vectors[0], 5) == ["ab" * 32]


@pytest.mark.slow
def test_pgvector_names_as_many_as_are_asked_for():
    rows = np.random.default_rng(0).standard_normal((1_500, 8)).astype(np.float32)
    store = PgVectors(StoreAddress(postgres()), "many")
    keys = [f"{number:064x}" for number in range(len(rows))]
    store.add(keys, rows)
    assert [len(store.nearest(rows[0], k)) for k in (1, 200, 1_200, 9_000)] == [1, 200, 1_200, 1_500]


@pytest.mark.slow
@pytest.mark.real_model
@pytest.mark.parametrize("kind", ["qdrant", "postgresql"])
def test_the_commands_take_the_store_from_the_settings(kind, tmp_path, capsys, monkeypatch):
    address = f"qdrant://{tmp_path}/qdrant" if kind == "qdrant" else postgres()
    asked = []
    nearest = (QdrantVectors if kind == "qdrant" else PgVectors).nearest
    cls = QdrantVectors if kind == "qdrant" else PgVectors
    monkeypatch.setattr(cls, "nearest", lambda self, v, k: asked.append(k) or nearest(self, v, k))
    monkeypatch.setenv("HYBRID_VECTORS", address)
    docs = tmp_path / "manual"
    docs.mkdir()
    (docs / "port.md").write_text("# Connections\n\nThe default port of the server is 5432.\n")
    (docs / "vacuum.md").write_text("# Maintenance\n\nVACUUM removes dead rows.\n")
    assert _run(["index", str(docs)]) == 0
    (docs / "port.md").write_text("# Connections\n\nThe default port of the server is 6000.\n")
    assert _run(["index", str(docs)]) == 0
    asked.clear()
    capsys.readouterr()
    assert _run(["ask", "Which port is the default?", "--json"]) == 0
    assert "6000" in json.loads(capsys.readouterr().out)["text"] and asked
    monkeypatch.setenv("HYBRID_VECTORS", "qdrant://127.0.0.1:9")
    assert _run(["rollback", "generation"]) == 4
    monkeypatch.setenv("HYBRID_VECTORS", address)
    assert _run(["rollback", "generation"]) == 0 and _run(["status"]) == 0
    assert f"search     in {kind}://" in capsys.readouterr().out
    assert _run(["ask", "Which port is the default?", "--json"]) == 0
    assert "5432" in json.loads(capsys.readouterr().out)["text"]
    # away: the code of an index, nothing lost, and back again
    monkeypatch.setenv("HYBRID_VECTORS", "qdrant://127.0.0.1:9")
    for command in (["ask", "Which port?"], ["index", str(docs)]):
        assert run(command) == 4
        assert "does not answer" in capsys.readouterr().err
    assert _run(["status"]) == 0
    monkeypatch.setenv("HYBRID_VECTORS", "")
    assert _run(["ask", "Which port?"]) == 4 and "HYBRID_VECTORS" in capsys.readouterr().err
    monkeypatch.setenv("HYBRID_VECTORS", address)
    assert _run(["search", "Which port?"]) == 0 and "5432" in capsys.readouterr().out


def _run(arguments):
    gc.collect()  # a folder of Qdrant is held by one assistant at a time; a command is a process of its own
    return run(arguments)
