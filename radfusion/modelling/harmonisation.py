"""Harmonisation: batch effects (scanner, centre) taken out of features, estimated on training cases alone.

References
----------
1. Johnson WE, Li C, Rabinovic A. Adjusting batch effects in microarray expression data using empirical Bayes methods.
   Biostatistics 2007;8(1):118-127. doi:10.1093/biostatistics/kxj037
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from radfusion.errors import FeatureError

__all__ = ["ComBat", "Harmonisation"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_CONVERGED = 1e-4  # relative change at which sva ends its iteration
_ITERATIONS = 10_000


@dataclass(frozen=True, eq=False)
class Harmonisation:
    """Fitted ComBat of p features and B batches.

    A feature y of a case of batch b becomes (z - shift_b) / sqrt(spread_b) * scale + expected, where z = (y - expected)
    / scale and expected = mean + covariates @ slopes.

    Attributes
    ----------
    batches : tuple
        The B names.
    means, scales : (p,) arrays
        Grand mean and pooled standard deviation.
    slopes : (q, p) array
        Effects of the q covariates, which are preserved.
    shifts, spreads : (B, p) arrays
        Batch effects after empirical Bayes shrinkage, on standardised features: location and variance.
    harmonised : (p,) boolean array
        False for features that pass unchanged, because they do not vary within some batch.
    mean_only : bool
        Whether all `spreads` are 1: asked for, or because a batch has a single case.
    """

    batches: tuple[object, ...]
    means: Floats
    scales: Floats
    slopes: Floats
    shifts: Floats
    spreads: Floats
    harmonised: Mask
    mean_only: bool

    def transform(self, features: ArrayLike, batches: ArrayLike, covariates: ArrayLike | None = None) -> Floats:
        """Take the batch effects out of cases of known batches; no case influences another.

        Parameters
        ----------
        features : (m, p) array, finite
        batches : (m,) array
            Batch of each case.
        covariates : (m, q) array, optional
            Needed where the fit had them.

        Returns
        -------
        (m, p) array, in the units of the features.

        Raises
        ------
        FeatureError
            A batch without training cases, or shapes that do not fit.
        """
        values, names, known = _checked(features, batches, covariates)
        wanted = (self.means.size, len(self.slopes))
        if (values.shape[1], known.shape[1]) != wanted:
            raise FeatureError(
                f"{values.shape[1]} features and {known.shape[1]} covariates; fitted with {wanted[0]} and {wanted[1]}"
            )
        position = {name: row for row, name in enumerate(self.batches)}
        unseen = [name for name in dict.fromkeys(names) if name not in position]
        if unseen:
            raise FeatureError(
                f"no training case of batch {', '.join(map(repr, unseen))}; "
                f"batch effects are known of {', '.join(map(repr, self.batches))}"
            )
        row = np.array([position[name] for name in names], dtype=np.intp)
        expected = self.means + known @ self.slopes
        standard = (values - expected) / self.scales
        adjusted = (standard - self.shifts[row]) / np.sqrt(self.spreads[row]) * self.scales + expected
        changed = ((self.shifts != 0.0) | (self.spreads != 1.0))[row] & self.harmonised
        return np.where(changed, adjusted, values)


@dataclass(frozen=True)
class ComBat:
    """Location and scale of batches, shrunk towards what the features of a batch have in common.

    The estimates are those of R's ``sva::ComBat``, which has no way to apply them to new cases. As there, a feature
    that does not vary within some batch is left as it is; and where a batch has a single case, whose variance nobody
    knows, only locations are adjusted, in all batches.

    Attributes
    ----------
    parametric : bool
        Normal and inverse gamma priors, iterated; otherwise the other features' own estimates are the prior.
    mean_only : bool
        Adjust locations, not variances.
    reference : object, optional
        Batch to which the others are adjusted and which stays as it is; otherwise to the mean of all batches.

    References
    ----------
    1. Johnson WE, Li C, Rabinovic A. Adjusting batch effects in microarray expression data using empirical Bayes
       methods. Biostatistics 2007;8(1):118-127. doi:10.1093/biostatistics/kxj037
    2. Zhang Y, Jenkins DF, Manimaran S, Johnson WE. Alternative empirical Bayes models for adjusting for batch effects
       in genomic studies. BMC Bioinformatics 2018;19:262. doi:10.1186/s12859-018-2263-6

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> centre = np.repeat(["A", "B"], 40)
    >>> features = rng.normal(size=(80, 5)) + np.where(centre == "B", 3.0, 0.0)[:, None]
    >>> fitted = ComBat().fit(features, centre)
    >>> harmonised = fitted.transform(features, centre)
    >>> bool(abs(harmonised[:40].mean() - harmonised[40:].mean()) < 0.1)
    True
    """

    parametric: bool = True
    mean_only: bool = False
    reference: object = None

    def fit(self, features: ArrayLike, batches: ArrayLike, covariates: ArrayLike | None = None) -> Harmonisation:
        """Estimate the batch effects on training cases.

        Parameters
        ----------
        features : (n, p) array, finite
            At least two features that vary within every batch.
        batches : (n,) array
            Batch of each case, two batches or more.
        covariates : (n, q) array, optional
            What the batches may differ in and harmonisation must preserve: numbers, or indicators of all categories
            but one. They must be known of every case to come, so the class to be predicted is none.

        Returns
        -------
        Harmonisation

        Raises
        ------
        FeatureError
            Shapes that do not fit, values that are not finite, fewer than two batches, an unknown reference,
            covariates that the batches determine, or too few cases or features.
        """
        values, cases, known = _checked(features, batches, covariates)
        names = tuple(sorted(set(cases), key=lambda name: (str(type(name)), name)))
        if len(names) < 2:
            raise FeatureError(f"{len(names)} batch; two or more needed")
        indicator = np.array([[case == name for name in names] for case in cases], dtype=np.float64)
        reference = self._reference(names, indicator)
        regression = _regression(values, indicator, known, reference=reference)
        varies = _varies(values, indicator)
        # In all batches alike, as the variance of one case is unknown.
        mean_only = self.mean_only or bool((indicator.sum(axis=0) == 1).any())
        shifts = np.zeros((len(names), values.shape[1]))
        spreads = np.ones_like(shifts)
        for row, inside in enumerate(indicator.T > 0.0):
            if row != reference:
                standard = regression.standard[np.ix_(inside, varies)]
                shifts[row, varies], spreads[row, varies] = self._shrunk(standard, mean_only)
        return Harmonisation(
            names, regression.means, regression.scales, regression.slopes, shifts, spreads, varies, mean_only
        )

    def _reference(self, names: tuple[object, ...], indicator: Floats) -> int | None:
        if self.reference is None:
            return None
        if self.reference not in names:
            raise FeatureError(f"reference is {self.reference!r}; batches are {', '.join(map(repr, names))}")
        row = names.index(self.reference)
        if indicator[:, row].sum() < 2:
            raise FeatureError(f"reference batch {self.reference!r} has a single case; two or more needed")
        return row

    def _shrunk(self, standard: Floats, mean_only: bool) -> tuple[Floats, Floats]:
        """Return location and variance of one batch from its (m, p) standardised features."""
        location = standard.mean(axis=0)
        variance = np.ones_like(location) if mean_only else standard.var(axis=0, ddof=1)
        if not self.parametric:
            return _posterior_means(standard, location, variance)
        if mean_only:
            return _posterior_location(location, 1.0, variance), variance
        return _iterated(standard, location, variance)


class _Regression(NamedTuple):
    """Features explained by batches and covariates."""

    means: Floats  # (p,)
    scales: Floats  # (p,)
    slopes: Floats  # (q, p)
    standard: Floats  # (n, p), without covariates' effects


def _regression(values: Floats, indicator: Floats, covariates: Floats, *, reference: int | None) -> _Regression:
    design = np.hstack([indicator, covariates])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise FeatureError("the covariates cannot be told apart from the batches or from each other")
    if len(design) <= design.shape[1]:
        raise FeatureError(f"{len(design)} cases for {design.shape[1]} batches and covariates; more cases needed")
    coefficients = np.linalg.lstsq(design, values, rcond=None)[0]
    levels, slopes = np.split(coefficients, [indicator.shape[1]])
    squares = (values - design @ coefficients) ** 2
    if reference is None:
        means, variances = indicator.mean(axis=0) @ levels, squares.mean(axis=0)
    else:
        means, variances = levels[reference], squares[indicator[:, reference] > 0.0].mean(axis=0)
    scales = np.where(variances > 0.0, np.sqrt(variances), 1.0)
    return _Regression(means, scales, slopes, (values - means - covariates @ slopes) / scales)


def _posterior_location(location: Floats, n: float, variance: Floats) -> Floats:
    """Weigh each feature's location with the mean of all, by their variances."""
    between = location.var(ddof=1)
    return np.asarray((between * n * location + variance * location.mean()) / (between * n + variance))


def _iterated(standard: Floats, location: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Alternate the posterior means of location and variance until they change by less than sva's limit.

    With m and s2 the mean and variance of the features' variances, the inverse gamma prior has the shape 2 + m^2/s2 and
    the scale m + m^3/s2; multiplied by s2, both stay finite where the variances are all alike.
    """
    n, mean, spread = len(standard), variance.mean(), variance.var(ddof=1)
    old_location, old_variance = location, variance
    for _ in range(_ITERATIONS):
        new_location = _posterior_location(location, n, old_variance)
        squares = ((standard - new_location) ** 2).sum(axis=0)
        new_variance = (spread * (0.5 * squares + mean) + mean**3) / (spread * (0.5 * n + 1.0) + mean**2)
        # sva divides by the signed location, so that negative ones never hold up the end.
        moved = np.abs(new_location - old_location) > _CONVERGED * old_location
        moved &= old_location > 0.0
        changed = np.abs(new_variance - old_variance) > _CONVERGED * old_variance
        old_location, old_variance = new_location, new_variance
        if not (moved | changed).any():
            break
    return old_location, old_variance


def _posterior_means(standard: Floats, location: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Average the other features' locations and variances, weighted by the likelihood of a feature's cases."""
    n = len(standard)
    sums, squares = standard.sum(axis=0)[:, None], (standard**2).sum(axis=0)[:, None]
    distance = squares - 2.0 * sums * location + n * location**2
    likelihood = -0.5 * n * np.log(variance) - 0.5 * distance / variance
    np.fill_diagonal(likelihood, -np.inf)
    weight = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    return weight @ location, weight @ variance


def _varies(values: Floats, indicator: Floats) -> Mask:
    """Features that vary within every batch of more than one case."""
    several = [values[inside] for inside in indicator.T > 0.0 if inside.sum() > 1]
    varies = np.array([np.ptp(part, axis=0) > 0.0 for part in several]).reshape(-1, values.shape[1]).all(axis=0)
    if varies.sum() < 2:
        raise FeatureError(
            f"{varies.sum()} features vary within every batch; two or more needed to learn from each other"
        )
    return np.asarray(varies)


def _checked(
    features: ArrayLike, batches: ArrayLike, covariates: ArrayLike | None
) -> tuple[Floats, list[object], Floats]:
    values = np.asarray(features, dtype=np.float64)
    names = np.asarray(batches).tolist()
    known = np.empty((len(values), 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    if values.ndim != 2 or np.shape(names) != values.shape[:1] or known.ndim != 2 or len(known) != len(values):
        raise FeatureError(
            f"features have shape {values.shape}, batches {np.shape(names)} and covariates {known.shape}; "
            "(n, p), (n,) and (n, q) needed"
        )
    for name, columns in {"feature": values, "covariate": known}.items():
        bad = np.flatnonzero(~np.isfinite(columns).all(axis=0))
        if bad.size:
            raise FeatureError(f"{name} {bad[0]} holds values that are not finite")
    return values, names, known
