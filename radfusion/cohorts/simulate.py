"""A simulated multicentre cohort of vertebral fractures on lateral spine radiographs, with a known achievable AUC."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from radfusion.cohorts._centres import CENTRES
from radfusion.cohorts._film import draw_film, whole_vertebrae
from radfusion.cohorts._film_files import FilmFacts, write_dicom, write_png, write_segmentation
from radfusion.cohorts._markers import burn_marker
from radfusion.cohorts._severity import CLASSES, LATENTS, bayes_auc, class_means
from radfusion.cohorts._vertebrae import Plane, stack_vertebrae
from radfusion.core.cohort import ROLES, Role
from radfusion.core.settings import Settings
from radfusion.errors import UserError
from radfusion.execution.progress import Progress

__all__ = ["MarkerSettings", "SetSizes", "SimulationSettings", "achievable_auc", "simulate_cohort"]

_CENTRES_OF: dict[Role, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "training": (("A", "B"), (0.6, 0.4)),
    "internal": (("A", "B"), (0.6, 0.4)),
    "external": (("C",), (1.0,)),
    "prospective": (("A",), (1.0,)),
}
_YEARS: dict[Role, tuple[int, int]] = {
    "training": (2015, 2020),
    "internal": (2015, 2020),
    "external": (2016, 2020),
    "prospective": (2021, 2022),
}
_CASES_PER_PATIENT = (0.55, 0.30, 0.15)


class SetSizes(Settings):
    """Number of cases (vertebrae) per set; the seed study has 712, 178, 111 and 75."""

    training: int = Field(150, ge=12, description="cases of the training set, centres A and B")
    internal: int = Field(60, ge=0, description="cases of the internal validation set, centres A and B")
    external: int = Field(50, ge=0, description="cases of the external validation set, centre C")
    prospective: int = Field(40, ge=0, description="cases of the prospective validation set, centre A in later years")


class MarkerSettings(Settings):
    """Burnt-in laterality markers."""

    frequency: float = Field(0.85, ge=0, le=1, description="share of films with a marker")
    centre_effect: float = Field(1.0, ge=0, description="how far centres differ in frequency and side; 0: not at all")
    class_effect: float = Field(0.6, ge=0, description="log odds of R instead of L per grade of the worst vertebra")


class SimulationSettings(Settings):
    """What `simulate_cohort` draws."""

    seed: int = Field(1, ge=0, description="the same seed gives the same bytes")
    sizes: SetSizes = Field(SetSizes(), description="cases per set")
    class_shares: tuple[float, float, float] = Field((0.42, 0.33, 0.25), description="prevalence of classes 0, 1 and 2")
    effect: float = Field(1.0, ge=0, le=5, description="separation of the classes; 0: the vertebrae say nothing")
    within_patient: float = Field(0.3, ge=0, le=1, description="correlation within a patient, given the class")
    rows: int = Field(384, ge=160, le=4096, description="rows of a film")
    columns: int = Field(208, ge=84, le=4096, description="columns of a film")
    format: Literal["png", "dicom"] = Field("png", description="8-bit PNG or 12-bit DICOM of modality CR")
    markers: MarkerSettings = Field(MarkerSettings(), description="laterality markers")

    @model_validator(mode="after")
    def _plausible(self) -> Self:
        if min(self.class_shares) <= 0 or abs(sum(self.class_shares) - 1) > 1e-6:
            raise ValueError(f"class_shares {self.class_shares}: every share must be above 0 and their sum 1")
        if not 0.52 <= self.columns / self.rows <= 1.0:
            allowed = f"{int(np.ceil(0.52 * self.rows))} to {self.rows}"
            raise ValueError(f"columns {self.columns} with rows {self.rows}: allowed are {allowed}")
        return self


@dataclass(frozen=True)
class _Patient:
    """A patient before the film is drawn."""

    number: int
    set: Role
    centre: str
    year: int
    labels: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"SIM{self.number:04d}"


def achievable_auc(settings: SimulationSettings) -> dict[str, float]:
    """The one-vs-rest AUC of a reader who knows the latent severity of the vertebra itself.

    Class and picture of a vertebra are independent given three latent values, so no model of the ROI alone has a
    higher expected AUC. (What lies outside the ROI can add to it: other vertebrae and covariates of the patient, and a
    marker that goes with the class.)

    Parameters
    ----------
    settings : SimulationSettings
        Its `effect` and `class_shares` decide.

    Returns
    -------
    dict
        AUC per class (``"0"``, ``"1"``, ``"2"``) and their unweighted mean (``"macro"``), by Monte Carlo with a
        standard error of about 0.0005.

    Examples
    --------
    >>> round(achievable_auc(SimulationSettings(effect=0))["macro"], 2)
    0.5
    """
    return bayes_auc(settings.effect, settings.class_shares)


def simulate_cohort(
    folder: str | Path, settings: SimulationSettings | None = None, *, progress: Progress | None = None
) -> Path:
    """Write a cohort: films, one segmentation per case, ``cohort.csv`` and ``truth.json``.

    Parameters
    ----------
    folder : path
        Made when absent; must not hold a cohort.
    settings : SimulationSettings, optional
        The defaults give 300 cases in a few seconds.
    progress : Progress, optional
        Listener; silent when not given.

    Returns
    -------
    pathlib.Path
        The cohort table. Its columns are ``case``, ``patient``, ``image``, ``segmentation``, ``label``, ``set``,
        ``centre``, ``level``, ``age`` (years), ``sex``, ``bmd`` (g/cm²), ``year`` and ``marker``; file names are
        relative to the table. ``truth.json`` beside it holds the achievable AUC, the settings, the box of each marker
        (rows and columns, first and last + 1), the pixel spacing of each film and the latents of each case.

    Raises
    ------
    UserError
        When the folder already holds a cohort.
    """
    folder, settings, progress = Path(folder), settings or SimulationSettings(), progress or Progress()
    taken = [name for name in ("cohort.csv", "truth.json", "images", "segmentations") if (folder / name).exists()]
    if taken:
        raise UserError(f"{folder} already holds {', '.join(taken)}; name a folder without a cohort")
    for name in ("images", "segmentations"):
        (folder / name).mkdir(parents=True)
    rows: list[dict[str, object]] = []
    films: dict[str, object] = {}
    latents: dict[str, object] = {}
    patients = _patients(settings)
    progress.start("simulate", len(patients))
    for patient in patients:
        own_rows, film, own_latents = _write_patient(folder, patient, settings)
        rows += own_rows
        films[str(own_rows[0]["image"])] = film
        latents |= own_latents
        progress.advance()
    progress.finish(f"{len(rows)} cases of {len(patients)} patients")
    truth = {
        "achievable_auc": achievable_auc(settings),
        "settings": settings.model_dump(mode="json"),
        "films": films,
        "latents": latents,
    }
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    table = folder / "cohort.csv"
    pd.DataFrame(rows).to_csv(table, index=False, lineterminator="\n")
    return table


def _patients(settings: SimulationSettings) -> list[_Patient]:
    """Share the cases of every set out to patients; the class shares hold in every set, but for rounding."""
    rng = np.random.default_rng([settings.seed])
    patients: list[_Patient] = []
    for role in ROLES:
        labels = list(rng.permutation(_labels(getattr(settings.sizes, role), settings.class_shares)))
        centres, shares = _CENTRES_OF[role]
        first, last = _YEARS[role]
        while labels:
            count = min(int(rng.choice(3, p=_CASES_PER_PATIENT)) + 1, len(labels))
            own, labels = tuple(int(label) for label in labels[:count]), labels[count:]
            centre = str(rng.choice(centres, p=shares))
            patients.append(_Patient(len(patients) + 1, role, centre, int(rng.integers(first, last + 1)), own))
    return patients


def _labels(count: int, shares: tuple[float, float, float]) -> NDArray[np.int64]:
    exact = count * np.array(shares)
    whole = np.floor(exact).astype(np.int64)
    whole[np.argsort(whole - exact, kind="stable")[: count - int(whole.sum())]] += 1
    return np.repeat(np.arange(len(shares)), whole)


def _write_patient(
    folder: Path, patient: _Patient, settings: SimulationSettings
) -> tuple[list[dict[str, object]], dict[str, object], dict[str, object]]:
    """Write film and segmentations of a patient; return the rows of the table, the film's truth and the latents."""
    rng = np.random.default_rng([settings.seed, patient.number])
    centre = CENTRES[patient.centre]
    spacing = round(centre.field_mm / settings.rows, 4)
    field = (centre.field_mm, settings.columns * spacing)
    spine = stack_vertebrae(field, rng)
    whole = [v.level for v in whole_vertebrae(spine, field)]
    chosen = np.sort(rng.choice(len(whole), size=len(patient.labels), replace=False))
    labels = {whole[place]: label for place, label in zip(chosen, patient.labels, strict=True)}
    latents = _latents([v.level for v in spine], labels, settings, rng=rng)
    covariates = _covariates(np.mean([latents[level] for level in labels], axis=0), rng)
    film, regions = draw_film(spine, latents, (settings.rows, settings.columns), centre=centre, rng=rng)
    marker = _mark(film, patient, settings.markers, spacing=spacing, rng=rng)
    image = f"images/{patient.name}.{'dcm' if settings.format == 'dicom' else 'png'}"
    _write_film(folder / image, film, patient, spacing=spacing, covariates=covariates)
    rows: list[dict[str, object]] = []
    known: dict[str, object] = {}
    for level, label in labels.items():
        case = f"{patient.name}-{level}"
        write_segmentation(folder / "segmentations" / f"{case}.png", regions[level])
        rows.append(
            {"case": case, "patient": patient.name, "image": image, "segmentation": f"segmentations/{case}.png"}
            | {"label": CLASSES[label], "set": patient.set, "centre": patient.centre, "level": level}
            | covariates
            | {"year": patient.year, "marker": marker["text"] if marker else "absent"}
        )
        known[case] = dict(zip(LATENTS, latents[level].round(6).tolist(), strict=True))
    return rows, {"spacing_mm": spacing, "marker": marker}, known


def _latents(
    levels: list[str], labels: dict[str, int], settings: SimulationSettings, *, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Latent severity of every level of a film; levels that are no cases are unbroken."""
    means = class_means(settings.effect)
    shared = np.sqrt(settings.within_patient) * rng.standard_normal(len(LATENTS))
    own = np.sqrt(1 - settings.within_patient) * rng.standard_normal((len(levels), len(LATENTS)))
    return {level: means[labels.get(level, 0)] + shared + own[k] for k, level in enumerate(levels)}


def _covariates(severity: NDArray[np.float64], rng: np.random.Generator) -> dict[str, object]:
    """Age, sex and bone density of a patient; thin bone goes with coarse trabeculae."""
    female = bool(rng.random() < 0.76)
    bmd = 0.86 + (0.0 if female else 0.05) - 0.04 * severity[1] + rng.normal(0.0, 0.09)
    age = 68.0 + 1.5 * severity[0] + rng.normal(0.0, 8.0)
    return {
        "age": int(np.clip(round(age), 50, 89)),
        "sex": "F" if female else "M",
        "bmd": round(float(np.clip(bmd, 0.4, 1.3)), 3),
    }


def _mark(
    film: Plane, patient: _Patient, markers: MarkerSettings, *, spacing: float, rng: np.random.Generator
) -> dict[str, object] | None:
    """Burn the marker in; None when the film has none."""
    centre = CENTRES[patient.centre]
    corner = str(rng.choice(list(centre.corners), p=list(centre.corners.values())))
    draw_present, draw_right = rng.random(2)
    frequency = np.clip(markers.frequency, 1e-12, 1 - 1e-12)
    present = np.log(frequency / (1 - frequency)) + markers.centre_effect * centre.marker_rate
    right = markers.centre_effect * centre.marker_right + markers.class_effect * (max(patient.labels) - 1)
    if draw_present >= 1 / (1 + np.exp(-present)):
        return None
    text = "R" if draw_right < 1 / (1 + np.exp(-right)) else "L"
    box = burn_marker(film, text, corner, spacing=spacing, framed=centre.framed, rng=rng)
    return {"text": text, "corner": corner, "box": list(box)}


def _write_film(path: Path, film: Plane, patient: _Patient, *, spacing: float, covariates: dict[str, object]) -> None:
    if path.suffix == ".png":
        write_png(path, film)
        return
    facts = FilmFacts(
        patient=patient.name,
        age=int(str(covariates["age"])),
        sex=str(covariates["sex"]),
        year=patient.year,
        centre=CENTRES[patient.centre],
        spacing=spacing,
    )
    write_dicom(path, film, facts)
