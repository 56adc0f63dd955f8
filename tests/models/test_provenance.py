"""What figures were taken with."""

import platform

import numpy

from hybrid.models.provenance import describe_machine, versions


def test_versions_are_those_that_run():
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["numpy"] == numpy.__version__
    assert all(found.values())


def test_the_machine_has_texts_only():
    machine = describe_machine()
    assert "threads of" in machine["compute"]
    assert machine["memory"].endswith("GiB")
    assert all(isinstance(value, str) for value in machine.values())
