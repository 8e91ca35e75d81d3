"""Simulated arms: small feature tables and the cohort that they belong to."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable


@pytest.fixture(scope="session")
def simulated_arms() -> tuple[dict[str, FeatureTable], Cohort]:
    """Return two tables of random features of 60 cases, two a patient, a quarter of them internal."""
    rng = np.random.default_rng(5)
    cases = [f"case-{number:03d}" for number in range(60)]
    rows = pd.DataFrame(
        {
            "patient": [f"patient-{number // 2}" for number in range(60)],
            "label": [str(label) for label in rng.permutation(np.arange(60) % 2)],
            "set": np.where(np.arange(60) < 44, "training", "internal"),
        },
        index=pd.Index(cases, name="case"),
    )
    tables = {
        arm: FeatureTable(
            pd.DataFrame(rng.normal(size=(60, 6)), index=cases, columns=[f"{source}:f{k}" for k in range(6)]),
            {source: {"settings": {"bins": 32}}},
        )
        for arm, source in (("radiomics", "radiomics"), ("deep-random", "random"))
    }
    return tables, Cohort(rows, ("0", "1"), Path())
