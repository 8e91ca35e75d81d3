"""A simulated multicentre cohort of vertebral fractures on lateral spine radiographs, with a known achievable AUC."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radfusion.cohorts._centres import CENTRES
from radfusion.cohorts._cohort_files import CohortFiles
from radfusion.cohorts._film import draw_film, whole_vertebrae
from radfusion.cohorts._film_files import FilmFacts, write_dicom, write_png, write_segmentation
from radfusion.cohorts._markers import burn_marker
from radfusion.cohorts._readers import drawn_again
from radfusion.cohorts._severity import CLASSES, LATENTS, bayes_auc, class_means
from radfusion.cohorts._simulation import MarkerSettings, SetSizes, SimulationSettings
from radfusion.cohorts._vertebrae import Plane, stack_vertebrae
from radfusion.core.cohort import ROLES, Role
from radfusion.errors import UserError
from radfusion.execution.progress import Progress

__all__ = [
    "MarkerSettings",
    "SetSizes",
    "SimulatedCase",
    "SimulatedFilm",
    "SimulationSettings",
    "achievable_auc",
    "simulate_cohort",
    "simulated_films",
]

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


@dataclass(frozen=True)
class SimulatedCase:
    """One vertebra of a film.

    Attributes
    ----------
    case : str
        Identifier.
    level : str
        Level of the vertebra, for example ``"L1"``.
    label : int
        Class: 0, 1 or 2.
    regions : tuple of (rows, columns) array of bool
        The body as each reader outlines it; the first outline is the truth.
    latents : dict of str to float
        Latent severity.
    """

    case: str
    level: str
    label: int
    regions: tuple[NDArray[np.bool_], ...]
    latents: dict[str, float]


@dataclass(frozen=True)
class SimulatedFilm:
    """The film of one patient.

    Attributes
    ----------
    patient, set, centre : str
        Who, in which set, from which hospital.
    year : int
        When.
    covariates : dict of str to object
        ``age`` (years), ``sex``, ``bmd`` (g/cm²).
    film : (rows, columns) array of float32
        Grey values from 0 (black) to 1 (bone white).
    spacing : float
        Distance between pixel centres in mm.
    marker : dict or None
        ``text``, ``corner`` and ``box`` (rows and columns, first and last + 1) of the burnt-in marker.
    mas : int
        Tube current times exposure time.
    cases : tuple of SimulatedCase
        From head to feet.
    """

    patient: str
    set: Role
    centre: str
    year: int
    covariates: dict[str, object]
    film: Plane
    spacing: float
    marker: dict[str, object] | None
    mas: int
    cases: tuple[SimulatedCase, ...]


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
    """Write a cohort: films, one segmentation per case and reader, ``cohort.csv`` and ``truth.json``.

    Table and truth are written film by film: memory does not grow with the number of cases.

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
        ``centre``, ``level``, ``age`` (years), ``sex``, ``bmd`` (g/cm²), ``year``, ``marker`` and, where there are
        several, ``reader``; file names are relative to the table. ``truth.json`` beside it holds the achievable AUC,
        the settings, the box of each marker (rows and columns, first and last + 1), the pixel spacing of each film
        and the latents of each case.

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
    told = {
        "achievable_auc": achievable_auc(settings),
        "settings": settings.model_dump(mode="json", exclude={"readers"} if settings.readers == 1 else None),
    }
    progress.start("simulate", sum(1 for _ in _patients(settings)))
    with CohortFiles(folder, told) as files:
        for film in simulated_films(settings):
            image = _write_film(folder, film, settings)
            for case in film.cases:
                files.add_case(_rows(folder, film, case, image=image), case.case, case.latents)
            files.add_film(image, {"spacing_mm": film.spacing, "marker": film.marker})
            progress.advance()
    progress.finish(f"{files.n_cases} cases of {files.n_films} patients")
    return folder / "cohort.csv"


def simulated_films(settings: SimulationSettings) -> Iterator[SimulatedFilm]:
    """Films of a cohort one after the other, without a file; memory does not grow with their number.

    Parameters
    ----------
    settings : SimulationSettings
        What to draw; a film does not depend on those before it.

    Examples
    --------
    >>> film = next(simulated_films(SimulationSettings(rows=200, columns=110)))
    >>> film.patient, film.film.shape, film.cases[0].regions[0].any()
    ('SIM0001', (200, 110), np.True_)
    """
    return (_film_of(patient, settings) for patient in _patients(settings))


def _patients(settings: SimulationSettings) -> Iterator[_Patient]:
    """Share the cases of every set out to patients; the class shares hold in every set, but for rounding."""
    rng = np.random.default_rng([settings.seed])
    number = 0
    for role in ROLES:
        labels = rng.permutation(_labels(getattr(settings.sizes, role), settings.class_shares))
        centres, shares = _CENTRES_OF[role]
        first, last = _YEARS[role]
        at = 0
        while at < len(labels):
            count = min(int(rng.choice(3, p=_CASES_PER_PATIENT)) + 1, len(labels) - at)
            own = tuple(int(label) for label in labels[at : at + count])
            at, number = at + count, number + 1
            centre = str(rng.choice(centres, p=shares))
            yield _Patient(number, role, centre, int(rng.integers(first, last + 1)), own)


def _labels(count: int, shares: tuple[float, float, float]) -> NDArray[np.int64]:
    exact = count * np.array(shares)
    whole = np.floor(exact).astype(np.int64)
    whole[np.argsort(whole - exact, kind="stable")[: count - int(whole.sum())]] += 1
    return np.repeat(np.arange(len(shares)), whole)


def _film_of(patient: _Patient, settings: SimulationSettings) -> SimulatedFilm:
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
    others = [np.random.default_rng([settings.seed, patient.number, reader]) for reader in range(1, settings.readers)]
    cases = tuple(
        SimulatedCase(
            case=f"{patient.name}-{level}",
            level=level,
            label=label,
            regions=(regions[level], *(drawn_again(regions[level], spacing, other) for other in others)),
            latents=dict(zip(LATENTS, latents[level].round(6).tolist(), strict=True)),
        )
        for level, label in labels.items()
    )
    return SimulatedFilm(
        patient=patient.name,
        set=patient.set,
        centre=patient.centre,
        year=patient.year,
        covariates=covariates,
        film=film,
        spacing=spacing,
        marker=marker,
        mas=centre.mas + patient.number % 9 - 4,
        cases=cases,
    )


def _rows(folder: Path, film: SimulatedFilm, case: SimulatedCase, *, image: str) -> list[dict[str, object]]:
    """Write the segmentations of a case and return its rows of the table, one per reader."""
    rows = []
    for reader, region in enumerate(case.regions, start=1):
        name = case.case if reader == 1 else f"{case.case}-reader{reader}"
        write_segmentation(folder / "segmentations" / f"{name}.png", region)
        rows.append(
            {"case": case.case, "patient": film.patient, "image": image, "segmentation": f"segmentations/{name}.png"}
            | {"label": CLASSES[case.label], "set": film.set, "centre": film.centre, "level": case.level}
            | film.covariates
            | {"year": film.year, "marker": film.marker["text"] if film.marker else "absent"}
            | ({"reader": f"reader {reader}"} if len(case.regions) > 1 else {})
        )
    return rows


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


def _write_film(folder: Path, film: SimulatedFilm, settings: SimulationSettings) -> str:
    """Write the film and return its name, relative to the table."""
    if settings.format == "png":
        name = f"images/{film.patient}.png"
        write_png(folder / name, film.film)
        return name
    facts = FilmFacts(
        patient=film.patient,
        age=int(str(film.covariates["age"])),
        sex=str(film.covariates["sex"]),
        year=film.year,
        centre=CENTRES[film.centre],
        spacing=film.spacing,
        mas=film.mas,
        marked=film.marker is not None,
    )
    name = f"images/{film.patient}.dcm"
    write_dicom(folder / name, film.film, facts)
    return name
