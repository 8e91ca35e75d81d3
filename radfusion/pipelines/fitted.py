"""What a study has fitted, before it is judged."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.results import Estimate, Exclusion, FeatureSource, Stability
from radfusion.errors import FeatureError
from radfusion.extraction.extractors.base import Extractor
from radfusion.modelling.arm_plan import ArmPlan, LateArm, planned_arms
from radfusion.modelling.arms import ArmFit, LateFit
from radfusion.modelling.fitting import UnstableIn
from radfusion.modelling.fusion import late_fusion
from radfusion.modelling.model import Model, fit_model
from radfusion.study import Study

__all__ = ["FittedStudy", "arm_of", "arm_tables", "emptied", "fused", "plan_of", "refitted"]

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
    unstable: UnstableIn | None = None


def arm_of(extractor: Extractor) -> str:
    """Arm of a source alone."""
    return "radiomics" if extractor.source == "radiomics" else f"deep-{extractor.source}"


def plan_of(study: Study, sources: Collection[str]) -> ArmPlan:
    """Arms of a study for the sources that are there."""
    return planned_arms({name: kind for name, kind in study.features.kinds.items() if name in sources}, study.modelling)


def arm_tables(study: Study, tables: Mapping[str, FeatureTable]) -> dict[str, FeatureTable]:
    """Features of the arms that are fitted, by arm, of the tables of the sources that are there.

    Raises
    ------
    FeatureError
        When the study fits named arms alone, and no source of any is there.
    """
    joined = plan_of(study, tables).joined
    if not joined:
        raise FeatureError(f"modelling.arms: no arm is left; sources that are here: {', '.join(tables)}")
    return {name: reduce(FeatureTable.join, (tables[source] for source in of)) for name, of in joined.items()}


def fused(arms: Mapping[str, ArmFit], late: Mapping[str, LateArm]) -> dict[str, LateFit]:
    """Late fusion of fitted arms, as planned."""
    return {name: late_fusion(name, [arms[part] for part in each.parts], rule=each.rule) for name, each in late.items()}


def emptied(arms: Mapping[str, ArmFit]) -> list[str]:
    """A sentence for each arm whose steps left no feature: at which step, and what may be changed."""
    empty = [arm.selection for arm in arms.values() if not arm.selection.signature]
    step_of = {each.arm: next((step.name for step in each.steps if not step.n_out), "selection") for each in empty}
    return [
        f"arm {arm!r}: no feature is left after the step {step!r}, so its models predict the class shares of the "
        f"training cases; relax or drop the step in modelling.steps, or leave the arm out"
        for arm, step in step_of.items()
    ]


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
    tables = arm_tables(study, fitted.tables)
    return fit_model(found, classifier, table=tables[arm], cohort=fitted.cohort, seed=study.seed)
