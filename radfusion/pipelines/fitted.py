"""What a study has fitted, before it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.results import Estimate, Exclusion, FeatureSource, Stability
from radfusion.extraction.extractors.base import Extractor
from radfusion.modelling.arms import ArmFit, LateFit
from radfusion.modelling.model import Model, fit_model
from radfusion.pipelines.stability import stable_tables
from radfusion.study import Study

__all__ = ["FittedStudy", "arm_of", "arm_tables", "refitted"]

Arm = ArmFit | LateFit


@dataclass(frozen=True)
class FittedStudy:
    """Fitted arms of a study with what they were fitted from."""

    cohort: Cohort
    tables: Mapping[str, FeatureTable]
    stability: tuple[Stability, ...]
    sources: tuple[FeatureSource, ...]
    exclusions: tuple[Exclusion, ...]
    arms: Mapping[str, Arm]
    null: Estimate | None


def arm_of(extractor: Extractor) -> str:
    """Arm of a source alone."""
    return "radiomics" if extractor.source == "radiomics" else f"deep-{extractor.source}"


def arm_tables(tables: Mapping[str, FeatureTable], fusion: tuple[str, ...]) -> dict[str, FeatureTable]:
    """Arms that are fitted: every source alone, and radiomics joined with each deep source (early fusion)."""
    arms = {"radiomics" if name == "radiomics" else f"deep-{name}": table for name, table in tables.items()}
    if "early" in fusion and "radiomics" in tables:
        deep = [name for name in tables if name != "radiomics"]
        arms |= {f"early-{name}": tables["radiomics"].join(tables[name]) for name in deep}
    return arms


def refitted(study: Study, fitted: FittedStudy, arm: str, *, classifier: str) -> Model:
    """The model of one arm as it was fitted on the whole training set, ready for other features.

    Parameters
    ----------
    study : Study
        Settings and seed.
    fitted : FittedStudy
        Fitted arms.
    arm : str
        No late fusion.
    classifier : str
        One that was fitted.
    """
    found = fitted.arms[arm]
    assert isinstance(found, ArmFit)
    tables = arm_tables(stable_tables(fitted.tables, fitted.stability), study.modelling.fusion)
    return fit_model(found, classifier, table=tables[arm], cohort=fitted.cohort, seed=study.seed)
