"""The image and what is composed around it: what they say fits the package, and nothing is open to others."""

import re
from pathlib import Path

import yaml

from hybrid.config import load_settings

ROOT = Path(__file__).resolve().parents[1]
LINES = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())


def instructions(name):
    return [line.partition(" ")[2] for line in LINES if line.startswith(f"{name} ")]


def test_the_image_runs_the_server_without_root_and_looks_after_its_health():
    assert instructions("USER") == ["10001"]
    assert instructions("ENTRYPOINT") + instructions("CMD") == ['["hybrid"]', '["serve"]']
    assert "/healthz" in instructions("HEALTHCHECK")[0]
    assert instructions("VOLUME") == ['["/data"]']


def test_its_settings_are_settings_of_ours():
    told = dict(pair.split("=", 1) for line in instructions("ENV") for pair in line.split())
    settings = load_settings(environment=told)
    assert (settings.serve.host, settings.serve.port) == ("0.0.0.0", int(instructions("EXPOSE")[0]))
    assert settings.indexes == "/data/indexes"


def test_it_is_built_of_what_is_there_and_of_nothing_else():
    copied = [name for line in instructions("COPY") if "--from" not in line for name in line.split()[:-1]]
    assert all((ROOT / name).exists() for name in copied) and copied
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert sorted(line[1:] for line in ignored if line.startswith("!")) == sorted(copied)
    assert "*" in ignored


def test_every_image_has_a_version():
    images = [line.split()[0] for line in instructions("FROM")]
    images += [one["image"] for one in COMPOSE["services"].values() if "image" in one]
    assert all(re.search(r":v?\d+\.\d+", image) for image in images) and len(images) == 4


def test_ports_are_open_to_this_machine_alone_and_a_token_is_wanted():
    ports = [port for one in COMPOSE["services"].values() for port in one["ports"]]
    assert len(ports) == 3 and all(port.startswith("127.0.0.1:") for port in ports)
    assert COMPOSE["services"]["hybrid"]["environment"]["HYBRID_TOKEN"].startswith("${HYBRID_TOKEN:?")


def test_prometheus_asks_where_the_server_listens_with_the_token():
    (job,) = yaml.safe_load(COMPOSE["configs"]["prometheus"]["content"])["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"hybrid:{instructions('EXPOSE')[0]}"]}]
    (secret,) = COMPOSE["services"]["prometheus"]["secrets"]
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{secret}"
    assert COMPOSE["secrets"][secret] == {"environment": "HYBRID_TOKEN"}


def test_every_volume_is_declared():
    used = {volume.partition(":")[0] for one in COMPOSE["services"].values() for volume in one["volumes"]}
    assert used == set(COMPOSE["volumes"])
