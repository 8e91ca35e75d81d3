"""Writes what a study of imported tables starts from: PyRadiomics tables of two centres and a cohort table.

Run it in this folder, then: radfusion check study.yaml, radfusion run study.yaml
"""

from pathlib import Path

import numpy as np
import pandas as pd

FAMILIES = {
    "firstorder": ["Energy", "Entropy", "Kurtosis", "Mean", "Skewness"],
    "glcm": ["Contrast", "Correlation", "Id", "Imc1"],
    "glrlm": ["GrayLevelNonUniformity", "RunEntropy", "ShortRunEmphasis"],
    "shape": ["Elongation", "Sphericity", "SurfaceArea"],
}
IMAGE_TYPES = ["original", "log-sigma-3-0-mm-3D", "wavelet-LLH"]
NAMES = [f"{kind}_{family}_{name}" for kind in IMAGE_TYPES for family, names in FAMILIES.items() for name in names]
HERE = Path.cwd()


def centre_table(name: str, n: int, *, shift: float, rng: np.random.Generator) -> pd.DataFrame:
    """A batch table as `pyradiomics batch.csv -o NAME.csv` writes it, with the class of each case behind."""
    labels = rng.permutation(np.arange(n) % 2)
    burden, texture = rng.normal(size=n), rng.normal(size=n) + 0.9 * labels
    hidden = np.column_stack([burden, texture, rng.normal(size=(n, 4))])
    mixing = np.random.default_rng(1).normal(size=(hidden.shape[1], len(NAMES)))
    values = np.exp(0.4 * (hidden @ mixing + rng.normal(size=(n, len(NAMES))) + shift))
    values[rng.random(values.shape) < 0.005] = np.nan  # what could not be computed
    table = pd.DataFrame(values, columns=NAMES)
    table.insert(0, "ID", [f"{case:03d}" for case in range(1, n + 1)])
    table.insert(1, "Image", [f"{name}/{case}.nii.gz" for case in table["ID"]])
    table.insert(2, "Mask", [f"{name}/{case}_mask.nii.gz" for case in table["ID"]])
    table.insert(3, "diagnostics_Versions_PyRadiomics", "v3.1.0")
    return table.assign(label=labels)


def main() -> None:
    """Write north.csv, south.csv and cohort.csv."""
    rng = np.random.default_rng(20240328)
    rows = []
    for name, n, shift in (("north", 120, 0.0), ("south", 60, 0.5)):
        table = centre_table(name, n, shift=shift, rng=rng)
        for place, (case, label) in enumerate(zip(table["ID"], table["label"], strict=True)):
            role = "external" if name == "south" else "internal" if place % 4 == 3 else "training"
            rows.append((f"{name}-{case}", f"{name}-{case}", label, role, name))
        table.drop(columns="label").to_csv(HERE / f"{name}.csv", index=False)
    cohort = pd.DataFrame(rows, columns=["case", "patient", "label", "set", "centre"])
    cohort.to_csv(HERE / "cohort.csv", index=False)
    print(f"{len(cohort)} cases, {len(NAMES)} features: north.csv, south.csv, cohort.csv")


if __name__ == "__main__":
    main()
