"""Cohorts of real files, small enough to be read in a moment."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage


def write_film(path, values):
    Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8)).save(path)


@pytest.fixture(scope="session")
def read_twice(tmp_path_factory):
    """Return a cohort table: reader A drew all 20 discs, reader B 16 of them, 12 in training, and wider."""
    folder, rng, rows = tmp_path_factory.mktemp("readers"), np.random.default_rng(1), []
    for number in range(20):
        case, label = f"case{number:02d}", number % 2
        texture = ndimage.gaussian_filter(rng.normal(size=(72, 80)), rng.uniform(0.8, 2.5))
        film = 120 + 25 * texture / texture.std() + rng.normal(0, 2, size=texture.shape)
        # The mean of the region barely depends on who draws it; its size does.
        film += rng.uniform(-60, 60)
        write_film(folder / f"{case}.png", film)
        centre, radius = (36 + rng.uniform(-1, 1), 40 + rng.uniform(-1, 1)), rng.uniform(11, 13)
        distance = np.hypot(*(axis - at for axis, at in zip(np.indices(film.shape), centre, strict=True)))
        for reader, grown in (("A", 0.0), ("B", rng.uniform(0, 6))):
            if reader == "B" and number >= 16:
                continue
            write_film(folder / f"{case}-{reader}.png", 255 * (distance < radius + grown))
            row = {"case": case, "patient": f"p{number}", "image": f"{case}.png", "label": label, "reader": reader}
            role = "training" if number < 12 or number >= 16 else "external"
            rows.append({**row, "segmentation": f"{case}-{reader}.png", "set": role, "centre": role})
    pd.DataFrame(rows).to_csv(folder / "cohort.csv", index=False)
    return folder / "cohort.csv"
