"""Tiny models behind the interfaces of the package."""

import pytest

from hybrid.models.device import Placement

_CPU = Placement("cpu", "float32", "test")


@pytest.fixture(scope="session")
def cpu():
    return _CPU


@pytest.fixture(scope="session")
def tiny_generator(tiny_generator_folder):
    from hybrid.models.generator import TransformersGenerator

    return TransformersGenerator(tiny_generator_folder, name="tiny", placement=_CPU)
