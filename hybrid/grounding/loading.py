"""Where a domain gets its judge of answers: the scorer of the settings, with the calibration nearest to it.

Takes settings and the folder of a domain, gives a ``Grounder``. A calibration that was fitted to the domain
wins over the one that ships; a scorer with neither is taken at its word.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hybrid.config import Settings
from hybrid.grounding.calibration import (
    CALIBRATION,
    UNCALIBRATED,
    Fitted,
    card_file,
    card_path,
    read_fitted,
)
from hybrid.grounding.deciding import DEFAULT_THRESHOLDS, Thresholds
from hybrid.grounding.judging import Grounder
from hybrid.grounding.scorers.naming import SHIPPED, TRAINED, scorer_for, weights_folder
from hybrid.models import Embedder
from hybrid.text.languages import ENGLISH

# What was measured in English alone; of a model that someone names nobody here knows what it reads.
_ENGLISH_ONLY = ("overlap", "align", TRAINED)


def load_grounder(
    settings: Settings, domain: Path | None = None, *, embedder: Embedder | None = None
) -> Grounder:
    """Return what judges the answers of a domain.

    Args:
        settings: the scorer, and where its models are.
        domain: the folder of the domain, whose own calibration is taken if there is one.
        embedder: of a scorer that aligns words, instead of the one in the settings.

    Raises:
        UsageError: there is no such scorer, or the calibration is damaged.
        ModelMissing: its weights are nowhere.
    """
    name = settings.grounding.scorer
    fitted = fitted_for(name, domain)
    calibration = UNCALIBRATED if fitted is None else fitted.calibration
    scorer = scorer_for(name, settings.models, embedder=embedder)
    languages = ENGLISH if name.partition(":")[0] in _ENGLISH_ONLY else None
    return Grounder(scorer, calibration, _thresholds(fitted), languages=languages)


def fitted_for(scorer: str, domain: Path | None = None) -> Fitted | None:
    """Return calibration and threshold of a scorer: the domain's, else what ships, else None."""
    own = [] if domain is None else [card_path(domain, scorer)]
    weights = weights_folder(scorer)
    for path in (*own, SHIPPED / card_file(scorer) if weights is None else weights / CALIBRATION):
        if path.is_file():
            return read_fitted(path)
    return None


def _thresholds(fitted: Fitted | None) -> Thresholds:
    """Return the usual thresholds, with the probability that the fitted one stands for."""
    if fitted is None:
        return DEFAULT_THRESHOLDS
    likely = float(fitted.calibration.probabilities([fitted.threshold])[0])
    # what is doubted never supports, however low the threshold
    return dataclasses.replace(
        DEFAULT_THRESHOLDS, supported=likely, doubted=min(DEFAULT_THRESHOLDS.doubted, likely / 2)
    )
