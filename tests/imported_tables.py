"""Feature tables as other programs write them, honest ones and ones that have seen the validation cases."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.cohort import Cohort

Values = NDArray[np.float64]
FAMILIES = ("firstorder_Mean", "glcm_Contrast", "glcm_Id", "glrlm_RunEntropy", "shape_Sphericity", "gldm_Dependence")


def raw(n: int = 60, p: int = 12, seed: int = 0) -> pd.DataFrame:
    """Correlated, skewed features named as PyRadiomics names them, of the cases P000, P001, ..."""
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((n, 5)) @ rng.standard_normal((5, p)) + rng.standard_normal((n, p))
    names = [f"{kind}_{family}" for kind in ("original", "wavelet-LLH", "square") for family in FAMILIES][:p]
    return pd.DataFrame(np.exp(mixed / 4) * 100, index=[f"P{case:03d}" for case in range(n)], columns=names)


def cohort_of(cases: list[str], sets: list[str] | None = None, labels: list[str] | None = None) -> Cohort:
    """Cases without images: two thirds training, classes in turn."""
    third = ["training", "training", "internal"]
    frame = pd.DataFrame(
        {
            "row": range(2, len(cases) + 2),
            "patient": cases,
            "image": None,
            "segmentation": None,
            "label": labels or [str(place // 3 % 2) for place in range(len(cases))],
            "set": sets or [third[place % 3] for place in range(len(cases))],
            "centre": None,
        },
        index=pd.Index(cases, name="case"),
    )
    return Cohort(frame, ("0", "1"), Path())


def write_pyradiomics(path: Path, table: pd.DataFrame) -> None:
    """As ``pyradiomics batch.csv -o features.csv`` does."""
    told = {"Image": [f"images/{case}.nii.gz" for case in table.index], "Mask": "mask.nii.gz", "Label": "1"}
    told |= {"diagnostics_Versions_PyRadiomics": "v3.0.1", "diagnostics_Image-original_Mean": 17.5}
    table.assign(**told)[[*told, *table.columns]].to_csv(path, index_label="ID")


def write_onekeyai(path: Path, table: pd.DataFrame) -> None:
    """As its notebooks do: file names under ID, no hyphens, the label beside the features."""
    table = table.rename(columns=lambda name: name.replace("-", "_"), index=lambda case: f"{case}.nii.gz")
    table.assign(label=[place % 2 for place in range(len(table))], group="train").to_csv(path, index_label="ID")


def write_mirp(path: Path, table: pd.DataFrame) -> None:
    """As its ``extract_features(write_features=True)`` does: semicolons, what is known of a sample first."""
    told = {"image_modality": "ct", "image_settings_id": "", "image_voxel_size_x": 1.0, "image_mask_adapt_size": 0.0}
    named = table.set_axis([f"cm_{place}_d1_3d_v_mrg_fbn_n32" for place in range(table.shape[1])], axis=1)
    named.assign(**told)[[*told, *named.columns]].to_csv(path, sep=";", index_label="sample_name")


def write_radfusion(path: Path, table: pd.DataFrame) -> None:
    """As ``radfusion extract`` does."""
    table.rename(columns=lambda name: f"radiomics:{name}").to_csv(path, index_label="case")


def write_plain(path: Path, table: pd.DataFrame) -> None:
    """Any other program."""
    named = table.set_axis([f"volume {place}" for place in range(table.shape[1])], axis=1)
    named.to_csv(path, index_label="patient")


WRITERS: dict[str, Callable[[Path, pd.DataFrame], None]] = {
    "mirp": write_mirp,
    "onekeyai": write_onekeyai,
    "plain": write_plain,
    "pyradiomics": write_pyradiomics,
    "radfusion": write_radfusion,
}


def components(values: Values) -> Values:
    """Principal components of all rows."""
    centred = values - values.mean(axis=0)
    return centred @ np.linalg.svd(centred, full_matrices=False)[2].T


def z_scores(values: Values) -> Values:
    """z-scores of all rows."""
    return (values - values.mean(axis=0)) / values.std(axis=0)


def ranges(values: Values) -> Values:
    """All rows brought to 0 to 1."""
    return (values - values.min(axis=0)) / np.ptp(values, axis=0)


LEAKS: dict[str, Callable[[Values], Values]] = {
    "principal components": components,
    "z-score": z_scores,
    "range": ranges,
}
