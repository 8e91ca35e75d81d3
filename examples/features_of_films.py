"""Radiomic and deep features of a cohort as a table; the second call comes from the cache.

Run: python examples/features_of_films.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import radfusion as rf
from radfusion.cohorts.simulate import SimulationSettings, simulate_cohort
from radfusion.execution.cache import Cache

SIZES = {"training": 12, "internal": 0, "external": 0, "prospective": 0}


def main() -> None:
    """Extract twice, the second time from the cache."""
    with tempfile.TemporaryDirectory() as folder:
        settings = SimulationSettings.model_validate({"sizes": SIZES, "format": "dicom"})
        cohort = rf.Cohort.from_csv(simulate_cohort(Path(folder) / "cohort", settings))
        cache = Cache(Path(folder) / "cache")

        radiomics = rf.Radiomics(image_types=("original", "wavelet"))
        deep = rf.Deep(weights="random", layer="layer2", size=96)  # the untrained control needs no file
        for attempt in ("first", "second"):
            began = time.perf_counter()
            table = rf.extract(cohort, radiomics, cache=cache).join(rf.extract(cohort, deep, cache=cache))
            print(f"{attempt} call: {table.frame.shape[0]} cases, {table.frame.shape[1]} features of {table.sources}")
            print(f"  {time.perf_counter() - began:.1f} s")
        print(table.frame.iloc[:3, :2].round(3).to_string())
        print("excluded:", [item.case for item in table.exclusions] or "no case")


if __name__ == "__main__":
    main()
