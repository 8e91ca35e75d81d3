"""Cleaning: which features are fit for selection, how they are imputed and standardised; from training rows alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from radfusion.core.results import SelectionStep
from radfusion.core.settings import Settings
from radfusion.errors import FeatureError
from radfusion.modelling._ranks import anova_p, explained_share, kruskal_p, rank_columns, uncorrelated

__all__ = ["Cleaning", "CleaningSettings", "fit_cleaning", "require_columns"]

Floats = NDArray[np.float64]
#: A range below this share of the largest absolute value is rounding, not variation.
_ROUNDING = 1e-12


class CleaningSettings(Settings):
    """Which features are dropped before selection."""

    max_missing: float = Field(0.2, ge=0, le=1, description="largest share of training cases without a finite value")
    univariate: Literal["kruskal", "anova", "none"] = Field("kruskal", description="test between classes, per feature")
    alpha: float = Field(0.05, gt=0, le=1, description="features with a P value of the test below this stay")
    max_correlation: float = Field(
        0.9, gt=0, le=1, description="of two features with a larger absolute Spearman correlation the weaker goes"
    )


@dataclass(frozen=True, eq=False)
class Cleaning:
    """A fitted cleaning.

    Attributes
    ----------
    names : tuple of str
        The k features that stay, in the order of the table.
    medians, means, scales : (k,) arrays
        Of the training rows: the median that replaces a missing value, then mean and standard deviation (1/n) after
        that replacement.
    steps : tuple of SelectionStep
        What was dropped, step by step.
    """

    names: tuple[str, ...]
    medians: Floats
    means: Floats
    scales: Floats
    steps: tuple[SelectionStep, ...] = ()

    def transform(self, frame: pd.DataFrame) -> Floats:
        """(n, k) array: missing values imputed, columns standardised, of a frame with at least these features.

        Raises
        ------
        FeatureError
            When features are absent from the frame.
        """
        require_columns(frame, self.names)
        values = _finite_or_nan(frame[list(self.names)].to_numpy(dtype=np.float64))
        return np.asarray((np.where(np.isnan(values), self.medians, values) - self.means) / self.scales)

    def restrict(self, names: Iterable[str]) -> Cleaning:
        """The same for some of the features, in the given order."""
        wanted = tuple(names)
        position = {name: column for column, name in enumerate(self.names)}
        columns = np.array([position[name] for name in wanted], dtype=np.intp)
        return Cleaning(wanted, self.medians[columns], self.means[columns], self.scales[columns], self.steps)


def require_columns(frame: pd.DataFrame, names: Iterable[str]) -> None:
    """Check that a feature frame has the named columns.

    Raises
    ------
    FeatureError
        Naming the absent columns and the sources that they come from.
    """
    absent = [name for name in names if name not in frame.columns]
    if absent:
        sources = ", ".join(dict.fromkeys(name.split(":", 1)[0] for name in absent))
        shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        raise FeatureError(
            f"the feature table lacks {len(absent)} features that the model needs (source {sources}): {shown}; "
            "extract that source with the settings of the study"
        )


def fit_cleaning(frame: pd.DataFrame, labels: ArrayLike, settings: CleaningSettings | None = None) -> Cleaning:
    """Decide on training rows which features stay, and how they are imputed and standardised.

    In this order features are dropped that have too many missing values (NaN or infinite), that are constant, that do
    not differ between classes, and that repeat a stronger feature. The strength of a feature is the P value of its
    test (Kruskal-Wallis where none is asked for); equals go by name.

    Parameters
    ----------
    frame : (n, p) pandas.DataFrame
        Training rows.
    labels : (n,) array
        Their classes.
    settings : CleaningSettings, optional
        What to drop.

    Returns
    -------
    Cleaning
        Possibly of no feature at all.

    References
    ----------
    1. Kruskal WH, Wallis WA. Use of ranks in one-criterion variance analysis. J Am Stat Assoc 1952;47(260):583-621.
       doi:10.1080/01621459.1952.10483441

    Examples
    --------
    >>> frame = pd.DataFrame({"a:x": [1.0, 2.0, 8.0, 9.0], "a:y": [2.0, 4.0, 16.0, 18.0], "a:z": 5.0})
    >>> cleaning = fit_cleaning(frame, ["b", "b", "c", "c"], CleaningSettings(univariate="none"))
    >>> cleaning.names, [(step.name, step.n_in, step.n_out) for step in cleaning.steps]
    (('a:x',), [('missing', 3, 3), ('constant', 3, 2), ('univariate', 2, 2), ('correlation', 2, 1)])
    """
    settings = settings or CleaningSettings()
    codes = np.unique(np.asarray(labels), return_inverse=True)[1]
    names = np.array([str(name) for name in frame.columns], dtype=object)
    values = _finite_or_nan(frame.to_numpy(dtype=np.float64))
    log = _Log(names)

    log.keep("missing", np.isnan(values).mean(axis=0) <= settings.max_missing, max_missing=settings.max_missing)
    values = values[:, log.columns]
    # A feature may be all NaN where max_missing is 1; it counts as constant.
    medians = _medians(values)
    values = np.where(np.isnan(values), medians, values)
    moving = np.ptp(values, axis=0) > _ROUNDING * np.abs(values).max(axis=0, initial=0.0)
    log.keep("constant", moving)
    values, medians = values[:, moving], medians[moving]

    ranks = rank_columns(values)
    means, scales = _mean_and_scale(values)
    standard = ranks if settings.univariate != "anova" else (values - means) / scales
    share = explained_share(standard, codes)
    differs = _differs(share, codes, settings)
    log.keep("univariate", differs, test=settings.univariate, alpha=settings.alpha)
    order = np.lexsort((names[log.columns].astype(str), -share[differs]))
    apart = uncorrelated(ranks[:, differs], order, settings.max_correlation)
    stays = np.flatnonzero(differs)[apart]
    log.keep("correlation", np.isin(np.arange(len(order)), apart), max_correlation=settings.max_correlation)
    return Cleaning(tuple(names[log.columns]), medians[stays], means[stays], scales[stays], tuple(log.steps))


class _Log:
    """The columns that are left, and the steps that left them."""

    def __init__(self, names: NDArray[np.object_]) -> None:
        self.columns: NDArray[np.intp] = np.arange(len(names))
        self.steps: list[SelectionStep] = []

    def keep(self, step: str, mask: NDArray[np.bool_], **settings: Any) -> None:
        kept = self.columns[mask]
        self.steps.append(SelectionStep(name=step, n_in=len(self.columns), n_out=len(kept), settings=settings))
        self.columns = kept


def _finite_or_nan(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)


def _medians(values: Floats) -> Floats:
    medians = np.zeros(values.shape[1])
    known = ~np.isnan(values).all(axis=0)
    if known.any():
        medians[known] = np.nanmedian(values[:, known], axis=0)
    return medians


def _mean_and_scale(values: Floats) -> tuple[Floats, Floats]:
    # Through the unit range, so that squares of very large values do not overflow.
    largest = np.abs(values).max(axis=0, initial=0.0)
    unit = values / largest
    return largest * unit.mean(axis=0), largest * unit.std(axis=0)


def _differs(share: Floats, codes: NDArray[np.intp], settings: CleaningSettings) -> NDArray[np.bool_]:
    if settings.univariate == "none":
        return np.ones(share.shape, dtype=bool)
    p_value = kruskal_p if settings.univariate == "kruskal" else anova_p
    return np.asarray(p_value(share, len(codes), int(codes.max()) + 1) < settings.alpha)
