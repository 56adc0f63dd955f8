import pytest

from hybrid.config import ModelSettings
from hybrid.grounding.lexicon import lexicon_of
from hybrid.grounding.scorers.trained import ENCODER, LAYERS
from hybrid.grounding.tokens import TokenEncoder
from hybrid.models.device import Placement
from hybrid.models.resolve import fetch


@pytest.fixture(scope="session")
def encoder_folder():
    return fetch(ENCODER, offline=True)


@pytest.fixture(scope="session")
def encoder(encoder_folder):
    return TokenEncoder(encoder_folder, Placement("cpu", "float32", "test"), layers=LAYERS)


@pytest.fixture(scope="session")
def lexicon(encoder):
    return lexicon_of(encoder.pieces)


@pytest.fixture
def offline():
    return ModelSettings(offline=True, dtype="float32")
