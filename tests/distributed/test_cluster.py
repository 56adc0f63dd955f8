"""Ray as an executor: the nodes of a local cluster write the shards that one thread would have written."""

import os
import socket
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from hybrid.distributed.cluster import RayExecutor
from hybrid.distributed.executors import LostBatch, carry_out
from hybrid.distributed.plan import cut
from hybrid.errors import ModelError
from hybrid.index import embedding
from hybrid.testing import HashEmbedder
from tests.distributed import test_asking, test_indexing
from tests.distributed.faults import DyingEmbedder, Shout
from tests.distributed.test_executors import _EXPECTED, _TEXTS, _bodies, _load
from tests.distributed.test_indexing import _indexed, _sums, _written

pytest.importorskip("ray", reason="the extra ray is not installed")
# what Ray itself leaves open and warns of
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def _free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one CPU each, and a port for clients; nobody is told about it."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        # a cluster that a test begins by itself would have later ones ask for a token
        patch.setenv("RAY_AUTH_MODE", "disabled")
        # else what gRPC does at a fork ends the server of a client, now and then
        patch.setenv("GRPC_ENABLE_FORK_SUPPORT", "0")
        # workers of a client find what is tested where the tests do
        patch.setenv("PYTHONPATH", os.pathsep.join((str(Path.cwd()), os.environ.get("PYTHONPATH", ""))))
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 1, "include_dashboard": False, "ray_client_server_port": _free_port()}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        cluster.add_node(num_cpus=1)
        yield SimpleNamespace(
            address=f"127.0.0.1:{cluster.address.rpartition(':')[2]}",
            client=f"ray://127.0.0.1:{head['ray_client_server_port']}",
        )
        cluster.shutdown()


def test_the_command_makes_the_same_index(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(embedding, "BATCH", 8)
    folder, here = _written(tmp_path / "docs"), HashEmbedder(16)
    nodes = test_indexing._commanded(tmp_path, monkeypatch, "nodes", folder, f"ray:{cluster.address}", here)
    assert here.embedded == 0
    serial = test_indexing._commanded(tmp_path, monkeypatch, "serial", folder, "serial", here)
    assert _sums(nodes) == _sums(serial)


def test_the_command_begins_a_cluster_of_its_own(tmp_path, tiny_embedder_folder):
    (tmp_path / "docs").mkdir()
    for number in range(4):
        (tmp_path / "docs" / f"{number}.txt").write_text(f"The valve {number} closes at 7 bar.")
    told = {
        "HYBRID_MODELS__EMBEDDER": str(tiny_embedder_folder),
        "HYBRID_CHUNKS__MAX_TOKENS": "30",
        "HYBRID_CHUNKS__HEADING_TOKENS": "4",
        "HYBRID_CHUNKS__OVERLAP_TOKENS": "0",
        "HYBRID_INDEXES": str(tmp_path / "indexes"),
        "RAY_AUTH_MODE": "disabled",
    }
    # in a process of its own: of two clusters that one process knows, Ray mistakes one for the other
    for executor in ("ray", "serial"):
        call = [sys.executable, "-m", "hybrid", "index", str(tmp_path / "docs"), "-d", executor]
        subprocess.run([*call, "--executor", executor], env=os.environ | told, check=True, timeout=120)
    one, other = (test_indexing._assistant(tmp_path / "indexes", name, None) for name in ("ray", "serial"))
    assert _sums(one) == _sums(other)


def test_nodes_make_the_same_index_and_a_batch_that_kills_its_worker_is_tried_once_more(
    cluster, tmp_path, monkeypatch
):
    monkeypatch.setattr(embedding, "BATCH", 8)
    folder = _written(tmp_path / "docs")
    serial, _ = _indexed(tmp_path, "serial", folder, "serial")
    nodes, report = _indexed(
        tmp_path, "nodes", folder, f"ray:{cluster.address}", DyingEmbedder(tmp_path, deaths=1)
    )
    assert (tmp_path / "death-0").exists()
    assert not report.rejected
    assert _sums(nodes) == _sums(serial)


def test_a_client_elsewhere_makes_the_same_index(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(embedding, "BATCH", 8)
    folder = _written(tmp_path / "docs")
    serial, _ = _indexed(tmp_path, "serial", folder, "serial")
    client, _ = _indexed(tmp_path, "client", folder, cluster.client, HashEmbedder(16))
    assert _sums(client) == _sums(serial)


def test_the_commands_ask_on_nodes_as_without(cluster, tmp_path, monkeypatch):
    command, by = ("compare", "--arms", "rag,rag:k=2"), f"ray:{cluster.address}"
    alone, _ = test_asking._commanded(tmp_path, monkeypatch, "alone", *command)
    nodes, sent = test_asking._commanded(tmp_path, monkeypatch, "nodes", *command, "--executor", by)
    assert nodes == alone
    assert sent == len(nodes) * 2 / 3


def test_a_batch_that_kills_two_workers_is_named_and_the_rest_goes_on(cluster, tmp_path):
    work = Shout(tmp_path, deadly="text 5", deaths=9)
    plan = cut("shout", _TEXTS, 2)
    carried = carry_out(plan, tmp_path / "plans", work, _load, RayExecutor(cluster.address))
    assert carried.lost == (LostBatch(2, "its worker died (WorkerCrashedError), 2 times"),)
    assert _bodies(carried) == _EXPECTED[:2] + _EXPECTED[3:]


def test_a_cluster_that_does_not_answer_is_told_with_what_to_do(tmp_path):
    work, plan = Shout(tmp_path), cut("shout", _TEXTS, 2)
    with pytest.raises(ModelError, match=r"no Ray cluster answers at 127\.0\.0\.1:1") as caught:
        carry_out(plan, tmp_path / "plans", work, _load, RayExecutor("127.0.0.1:1"))
    assert "ray start" in caught.value.hint
