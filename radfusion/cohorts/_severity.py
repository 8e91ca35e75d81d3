"""Latent severity of a vertebra, and the AUC that nobody can exceed who sees the latent values only through the image.

Given its class, a vertebra has three independent normal latents of variance 1: compression of the body, coarseness of
the trabeculae, and sclerosis along the broken endplate. Everything that the film shows of the class is drawn from
them, so that class and film are independent given the latents.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLASSES", "LATENTS", "bayes_auc", "class_means"]

CLASSES = ("0", "1", "2")
LATENTS = ("compression", "coarseness", "sclerosis")
# Grade 1 is the fresh fracture with the dense band, grade 2 the collapsed body: no latent alone orders the classes.
_MEANS = np.array([[0.0, 0.0, 0.0], [1.4, 1.0, 1.5], [2.9, 1.9, 1.0]])
_DRAWS = 200_000
_SEED = 20240328


def class_means(effect: float) -> NDArray[np.float64]:
    """Mean of each latent (columns) in each class (rows), `effect` times the standard separation."""
    return effect * _MEANS


def bayes_auc(effect: float, shares: tuple[float, float, float]) -> dict[str, float]:
    """One-vs-rest AUC of the posterior probabilities given the latents, by Monte Carlo.

    The draws are the same for every `effect`, so the standard error (about 0.0005) cancels when effects are compared.

    Parameters
    ----------
    effect : float
        Separation of the classes; 0 means that the film says nothing.
    shares : tuple of three floats
        Prevalence of the classes, sum 1.

    Returns
    -------
    dict
        AUC per class and their unweighted mean under ``"macro"``.
    """
    rng = np.random.default_rng(_SEED)
    prevalence = np.array(shares)
    means = class_means(effect)
    labels = rng.choice(len(CLASSES), size=_DRAWS, p=prevalence)
    latents = means[labels] + rng.standard_normal((_DRAWS, len(LATENTS)))
    squares = ((latents[:, None, :] - means[None, :, :]) ** 2).sum(axis=2)
    density = prevalence * np.exp(-0.5 * (squares - squares.min(axis=1, keepdims=True)))
    posterior = density / density.sum(axis=1, keepdims=True)
    aucs = [_auc(posterior[labels == k, k], posterior[labels != k, k]) for k in range(len(CLASSES))]
    return {**dict(zip(CLASSES, aucs, strict=True)), "macro": float(np.mean(aucs))}


def _auc(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float:
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left") + np.searchsorted(ordered, positive, side="right")
    return float(below.mean() / (2 * ordered.size))
