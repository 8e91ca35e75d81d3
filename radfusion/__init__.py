"""From a folder of images to a fusion study that survives peer review: one study file, one command.

Names are loaded when first used, so that importing radfusion costs little.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from radfusion import errors, evaluation
    from radfusion.core.cohort import Cohort
    from radfusion.core.features import FeatureTable
    from radfusion.core.predictions import Predictions
    from radfusion.core.results import Comparison, Estimate, StudyResults
    from radfusion.extraction.extractors.deep import Deep
    from radfusion.extraction.extractors.radiomics import Radiomics
    from radfusion.extraction.tables import extract
    from radfusion.modelling.estimator import FeatureClassifier
    from radfusion.modelling.model import Model
    from radfusion.modelling.stored import load_model
    from radfusion.pipelines.fusion import run
    from radfusion.study import Study

__version__ = "0.1.0"

_HOMES = {
    "Cohort": "radfusion.core.cohort",
    "Comparison": "radfusion.core.results",
    "Deep": "radfusion.extraction.extractors.deep",
    "Estimate": "radfusion.core.results",
    "FeatureClassifier": "radfusion.modelling.estimator",
    "FeatureTable": "radfusion.core.features",
    "Model": "radfusion.modelling.model",
    "Predictions": "radfusion.core.predictions",
    "Radiomics": "radfusion.extraction.extractors.radiomics",
    "Study": "radfusion.study",
    "StudyResults": "radfusion.core.results",
    "errors": "radfusion.errors",
    "evaluation": "radfusion.evaluation",
    "extract": "radfusion.extraction.tables",
    "load_model": "radfusion.modelling.stored",
    "run": "radfusion.pipelines.fusion",
}

__all__ = [
    "Cohort",
    "Comparison",
    "Deep",
    "Estimate",
    "FeatureClassifier",
    "FeatureTable",
    "Model",
    "Predictions",
    "Radiomics",
    "Study",
    "StudyResults",
    "errors",
    "evaluation",
    "extract",
    "load_model",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'radfusion' has no attribute {name!r}")
    home = importlib.import_module(_HOMES[name])
    return home if home.__name__ == f"radfusion.{name}" else getattr(home, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
