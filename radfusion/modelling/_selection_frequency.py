"""How often bootstrap samples of patients select a feature at a given lambda."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.lasso import Penalty, lasso_path

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]


def selection_frequency(
    values: Floats, labels: TrainingLabels, lambdas: Floats, *, penalty: Penalty, samples: int, seed: int
) -> Floats:
    """(p,) share of samples in which a feature has a non-zero coefficient at the last lambda.

    Parameters
    ----------
    values : (n, p) array
        Features.
    labels : TrainingLabels
        Classes and patients of the n cases.
    lambdas : (L,) array
        On the way to the lambda that counts, the last.
    penalty : Penalty
        Of the LASSO.
    samples : int
        Number of samples.
    seed : int
        Seed of the draws.
    """
    counts = np.zeros(values.shape[1])
    generator = np.random.default_rng(seed)
    for _ in range(samples):
        rows = drawn_patients(labels, generator)
        path = lasso_path(values[rows], labels.codes[rows], lambdas=lambdas, penalty=penalty)
        counts += (path.coefficients[-1] != 0.0).any(axis=0)
    return np.asarray(counts / max(samples, 1))


def drawn_patients(labels: TrainingLabels, generator: np.random.Generator) -> Integers:
    """Rows of a bootstrap sample: patients drawn with replacement, all cases of each, as many per class as there are.

    A patient with cases of several classes is drawn among those whose cases show the same classes.
    """
    patients, owner = np.unique(labels.patients, return_inverse=True)
    shows = np.zeros((len(patients), len(labels.classes)), dtype=bool)
    shows[owner, labels.codes] = True
    strata = np.unique(shows, axis=0, return_inverse=True)[1].ravel()
    groups = [np.flatnonzero(strata == stratum) for stratum in range(strata.max() + 1)]
    drawn = np.concatenate([generator.choice(group, len(group)) for group in groups])
    return np.concatenate([np.flatnonzero(owner == patient) for patient in drawn])
