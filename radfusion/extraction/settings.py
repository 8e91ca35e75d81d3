"""What a study file may say of features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from radfusion.core.settings import Settings
from radfusion.extraction.controls import CONTROLS, ControlNames
from radfusion.extraction.extractors.deep import Deep
from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.extraction.grids import Grid
from radfusion.extraction.imported.settings import Imported
from radfusion.extraction.robustness import StabilitySettings

__all__ = ["FeatureSettings", "require_different"]

#: Sources that are not named by the study file.
_OWN = {"radiomics": "the radiomic features", "clinical": "the covariates of the cohort"}


class FeatureSettings(Settings):
    """Which features are extracted, and which are taken from tables."""

    radiomics: Radiomics | None = Field(Radiomics(), description="PyRadiomics features; null for none")
    grid: Grid | None = Field(
        None, description="every combination of weights sources, networks and layers, as if each were listed in deep"
    )
    deep: tuple[Deep, ...] = Field((), description="one entry per weights source", validate_default=True)
    clinical: tuple[str, ...] = Field(
        (), description="covariates that are features, of those that cohort.covariates declares: [age, sex]"
    )
    imported: tuple[Imported, ...] = Field(
        (), description="tables of features that other programs extracted; with one, radiomics is null unless written"
    )
    stability: StabilitySettings = Field(
        StabilitySettings(), description="how unstable features are found, between readers or under perturbations"
    )
    controls: ControlNames = Field(
        (),
        description="negative controls on which the final model is fitted anew, each a second extraction of the whole "
        "cohort: " + ", ".join(CONTROLS),
    )

    @model_validator(mode="before")
    @classmethod
    def _imported_instead(cls, data: Any) -> Any:
        """A study of imported features extracts radiomics only where it says so."""
        if isinstance(data, Mapping) and data.get("imported"):
            return {"radiomics": None, **data}
        return data

    @field_validator("deep")
    @classmethod
    def _with_grid(cls, deep: tuple[Deep, ...], info: ValidationInfo) -> tuple[Deep, ...]:
        grid = info.data.get("grid")
        combined = grid.entries() if grid is not None else ()
        return (*combined, *(entry for entry in deep if entry not in combined))

    @field_validator("clinical")
    @classmethod
    def _once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"the covariate {twice[0]!r} is listed twice")
        return names

    @model_validator(mode="after")
    def _sources(self) -> Self:
        if not self.kinds:
            raise ValueError(
                "no feature source: radiomics is null, deep and imported have no entry and clinical names no covariate"
            )
        require_different([extractor.source for extractor in self.deep])
        self._require_own_names()
        return self

    @model_validator(mode="after")
    def _images_where_asked(self) -> Self:
        """What is measured on images needs a source that reads them."""
        asked = {"controls": self.controls, "stability.perturbations": self.stability.perturbations}
        for key, names in asked.items():
            if names and not self.needs_images:
                raise ValueError(f"{key}: no source of this study reads an image (radiomics, deep); allowed is []")
        return self

    def _require_own_names(self) -> None:
        """Names of imported tables are names of files, too."""
        taken = {"clinical", *(each.source.lower() for each in self.deep), *(["radiomics"] if self.radiomics else [])}
        for each in self.imported:
            if each.source.lower() in taken:
                advice = "write radiomics: null, or another name" if each.source == "radiomics" else "write another"
                raise ValueError(f"imported: {each.source!r} is the name of another source; {advice}")
            if each.kind != "radiomics" and each.source.lower() == "radiomics":
                raise ValueError(f"imported: 'radiomics' names radiomic features, and these are {each.kind}")
            taken.add(each.source.lower())

    @property
    def needs_images(self) -> bool:
        """Whether any source is extracted from images."""
        return self.radiomics is not None or bool(self.deep)

    @property
    def kinds(self) -> dict[str, str]:
        """Kind of every source, in the order of the arms: ``radiomics``, ``deep``, ``clinical`` or ``other``."""
        alone = {"radiomics": "radiomics"} if self.radiomics else {}
        alone |= {each.source: each.kind for each in self.imported if each.kind == "radiomics"}
        deep = {extractor.source: "deep" for extractor in self.deep}
        deep |= {each.source: each.kind for each in self.imported if each.kind == "deep"}
        other = {each.source: each.kind for each in self.imported if each.kind == "other"}
        return alone | deep | ({"clinical": "clinical"} if self.clinical else {}) | other


def require_different(names: list[str]) -> None:
    """Check names of deep sources: they are names of files, which some systems do not tell apart by case.

    Raises
    ------
    ValueError
        When two are equal, or one names another kind of features.
    """
    folded = [name.lower() for name in names]
    twice = [name for name in names if folded.count(name.lower()) > 1]
    if twice:
        raise ValueError(
            f"two entries of deep are named {twice[0]!r}; give one another `name`: it stands in features and arms"
        )
    for name, what in _OWN.items():
        if name in folded:
            raise ValueError(f"an entry of deep is named {name!r}, which names {what}; write another")
