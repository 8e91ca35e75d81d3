"""Logistic regression by maximum likelihood, of two or more classes, without a penalty.

Class 0 is the reference. Every other class e has its own predictors X_e and offset o_e::

    log(P(e) / P(0)) = o_e + X_e @ b_e

so that one fit serves a recalibration of two classes, of several, and one whose slopes are held at 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from radfusion.evaluation._inputs import Clusters, Floats

__all__ = ["LogisticFit", "logistic_fit", "logistic_loss"]

# Newton's steps square their error: after one of this size the coefficients are exact.
_CONVERGED = 1e-8
# Classes that a line separates send the coefficients to infinity, one logit a step.
_MOST_STEPS = 40
_MOST_HALVINGS = 30
# An information matrix that its inverse does not undo to this is singular.
_SINGULAR = 1e-6


@dataclass(frozen=True)
class LogisticFit:
    """Coefficients and what their uncertainty needs.

    Attributes
    ----------
    coefficients : (E, p) array
        Of each class but the reference.
    scores : (n, E p) array
        Derivative of each case's log likelihood.
    inverse : (E p, E p) array
        Inverse of the information: the covariance of the coefficients of independent cases.
    deviance : float
        -2 log likelihood.
    """

    coefficients: Floats
    scores: Floats
    inverse: Floats
    deviance: float

    def covariance(self, groups: Clusters) -> Floats | None:
        """(E p, E p) covariance; of patients (a sandwich of sums of scores) where these have several cases."""
        if groups.codes is None:
            return self.inverse
        sums = np.stack([np.bincount(groups.codes, weights=column) for column in self.scores.T], axis=1)
        units = len(sums)
        if units < 2:
            return None
        return np.asarray(self.inverse @ (sums.T @ sums) @ self.inverse * units / (units - 1), dtype=np.float64)


def logistic_fit(designs: Floats, offsets: Floats, hits: Floats) -> LogisticFit | None:
    """Fit by Newton's method; None where the likelihood has no maximum (separated classes, predictors without spread).

    Parameters
    ----------
    designs : (E, n, p) array
        Predictors of each class but the reference, with a column of ones where an intercept is wanted.
    offsets : (E, n) array
        What is added to the logits as it is.
    hits : (E, n) array
        1 where the case is of the class.
    """
    beta = np.zeros((len(designs), designs.shape[2]))
    loss, shares = logistic_loss(_logits(designs, offsets, beta), hits)
    for _ in range(_MOST_STEPS):
        gradient = (hits - shares)[:, None, :] @ designs
        try:
            step = np.linalg.solve(_information(designs, shares), gradient.ravel()).reshape(beta.shape)
        except np.linalg.LinAlgError:
            return None
        for _ in range(_MOST_HALVINGS):
            new_loss, new_shares = logistic_loss(_logits(designs, offsets, beta + step), hits)
            if new_loss <= loss + 1e-12 * abs(loss):
                break
            step = step / 2
        beta, loss, shares = beta + step, new_loss, new_shares
        if np.abs(step).max() <= _CONVERGED * (1 + np.abs(beta).max()):
            break
    else:
        return None
    inverse = _inverse(_information(designs, shares))
    if inverse is None:
        return None
    scores = (designs * (hits - shares)[:, :, None]).transpose(1, 0, 2).reshape(designs.shape[1], -1)
    return LogisticFit(beta, scores, inverse, 2 * loss)


def logistic_loss(logits: Floats, hits: Floats) -> tuple[float, Floats]:
    """Minus the log likelihood, and the (E, n) probabilities of the classes but the reference.

    Parameters
    ----------
    logits, hits : (E, n) array
        Log odds of each class against the reference, and 1 where the case is of the class.
    """
    top = np.maximum(logits.max(axis=0), 0)
    powers = np.exp(logits - top)
    total = powers.sum(axis=0) + np.exp(-top)
    loss = float((top + np.log(total)).sum() - np.vdot(logits, hits))
    return loss, np.asarray(powers / total, dtype=np.float64)


def _logits(designs: Floats, offsets: Floats, beta: Floats) -> Floats:
    return np.asarray(offsets + (designs @ beta[:, :, None])[:, :, 0], dtype=np.float64)


def _inverse(information: Floats) -> Floats | None:
    try:
        inverse: Floats = np.asarray(np.linalg.inv(information), dtype=np.float64)
    except np.linalg.LinAlgError:
        return None
    wrong = np.abs(information @ inverse - np.eye(len(inverse))).max()
    return inverse if wrong <= _SINGULAR else None


def _information(designs: Floats, shares: Floats) -> Floats:
    count, _, width = designs.shape
    weighted = designs * shares[:, :, None]
    flat = weighted.transpose(1, 0, 2).reshape(-1, count * width)
    found = -(flat.T @ flat)
    for e in range(count):
        block = slice(e * width, (e + 1) * width)
        found[block, block] += designs[e].T @ weighted[e]
    return np.asarray(found, dtype=np.float64)
