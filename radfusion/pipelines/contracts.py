"""The input contract of a study's model: what the study file adds to what the fit knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from radfusion.core.cohort_covariates import Covariate
from radfusion.core.contract import InputContract, SourceContract
from radfusion.core.results import Threshold
from radfusion.extraction.extractors.base import Extractor
from radfusion.modelling.model import Model
from radfusion.study import Study

__all__ = ["with_contract"]

#: Columns of a cohort table that new cases need too.
_ASKED = ("case", "image", "segmentation", "segmentation_label", "centre")


def with_contract(
    model: Model,
    study: Study,
    extractors: Sequence[Extractor],
    *,
    kinds: Mapping[str, str],
    thresholds: Sequence[Threshold],
) -> Model:
    """The model with all that a new case needs: how files are read, how features are extracted, where to decide.

    Parameters
    ----------
    model : Model
        The final one.
    study : Study
        Names of classes, settings of imaging, columns of the table.
    extractors : sequence of Extractor
        Those that made features from images.
    kinds : mapping of str to str
        Kind of every source.
    thresholds : sequence of Threshold
        Of all models; those of this one are kept.
    """
    by_source = {extractor.source: extractor for extractor in extractors}
    contract = model.contract
    names = study.cohort.class_names
    classes = [each.model_copy(update={"name": names.get(each.label, each.label)}) for each in contract.classes]
    wanted = {name for name in _ASKED if name != "centre" or name in contract.asks}
    columns = study.cohort.columns.model_dump(include=wanted, exclude_defaults=True, exclude_none=True)
    sources = [_source(each, by_source.get(each.name), kinds.get(each.name, "")) for each in contract.sources]
    update = {
        "unit": study.cohort.unit,
        "classes": tuple(classes),
        "sources": tuple(sources),
        "covariates": contract.covariates | dict(_clinical(contract, sources)),
        "imaging": study.imaging.model_dump(mode="json"),
        "columns": columns,
        "thresholds": tuple(each for each in thresholds if each.model == model.name),
    }
    return replace(model, contract=contract.model_copy(update=update))


def _clinical(contract: InputContract, sources: Sequence[SourceContract]) -> Iterator[tuple[str, Covariate]]:
    """Covariates behind the clinical features that the model needs, with the levels that it knows."""
    needed = {each.feature.split("=", 1)[0] for each in contract.features}
    for source in sources:
        coding = source.identity["settings"]["covariates"] if source.kind == "clinical" else {}
        for name, told in coding.items():
            if f"{source.name}:{name}" in needed:
                yield name, Covariate.model_validate(told)


def _source(source: SourceContract, extractor: Extractor | None, kind: str) -> SourceContract:
    settings: dict[str, Any] | None = None
    if extractor is not None:
        settings = extractor.model_dump(mode="json")
        if settings.get("file"):  # where weights lie on a machine is nobody's business; their hash says which they are
            settings["file"] = Path(settings["file"]).name
    return source.model_copy(update={"kind": kind, "extractor": settings})
