import dataclasses

import numpy as np
import pytest

from hybrid.config import ModelSettings
from hybrid.grounding.examples import Label, LabelledClaim
from hybrid.grounding.metrics import ScorerLogits
from hybrid.grounding.scorers.trained import ENCODER, frozen_encoder
from hybrid.grounding.tokens import lexicon_of
from hybrid.models.resolve import fetch, weights_digest


@pytest.fixture(scope="session")
def encoder_digest():
    return weights_digest(fetch(ENCODER, offline=True))


@pytest.fixture(scope="session")
def encoder():
    return frozen_encoder(ModelSettings(device="cpu", dtype="float32", offline=True))


@pytest.fixture(scope="session")
def lexicon(encoder):
    return lexicon_of(encoder.pieces)


@pytest.fixture
def offline():
    return ModelSettings(offline=True, dtype="float32")


@pytest.fixture
def labelled():
    """Make claims of two tasks and two domains: labelled(200) -> claims."""

    def call(count, *, sources=40, name="d"):
        return [
            LabelledClaim(
                id=str(place),
                claim=f"Claim {place} says that the port is {place % 7}.",
                evidence=(f"The port is {place % 5}.", "Nothing of this is about ports."),
                label=Label.SUPPORTED if place % 3 else (Label.REFUTED if place % 2 else Label.NEUTRAL),
                source=f"{name}{place % sources}",
                domain="news" if place % sources < sources // 2 else "law",
                task="qa" if place % 4 else "summary",
                kind="" if place % 3 else ("number" if place % 2 else "appended"),
            )
            for place in range(count)
        ]

    return call


@pytest.fixture
def scored():
    """Make scores that know the label a little: scored(claims, "good", 2.0) -> scores."""

    def call(claims, name, reach, *, seed=0):
        noise = np.random.default_rng(seed).normal(size=len(claims))
        return ScorerLogits(name, noise + reach * np.array([claim.supported for claim in claims]))

    return call


@pytest.fixture
def without_labels():
    """Take from claims what they are told apart by."""

    def call(claims):
        plain = {True: Label.SUPPORTED, False: Label.UNSUPPORTED}
        return [
            dataclasses.replace(claim, label=plain[claim.supported], domain="", task="", kind="")
            for claim in claims
        ]

    return call
