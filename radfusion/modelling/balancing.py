"""Balancing: what is done about classes of unequal size, inside training parts only.

A model that was fitted on balanced classes believes in equal shares, so its probabilities are wrong for patients as
they come. They are brought back to the class shares of the training cases [1]_.

References
----------
.. [1] van den Goorbergh R, van Smeden M, Timmerman D, Van Calster B. The harm of class imbalance corrections for risk
   prediction models: illustration and simulation using logistic regression. J Am Med Inform Assoc
   2022;29(9):1525-1534. doi:10.1093/jamia/ocac093
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from radfusion.core.settings import Settings
from radfusion.errors import UserError
from radfusion.modelling.scores import with_shares

__all__ = ["BalanceSettings", "Balanced", "balanced_weights", "class_shares", "resampled", "resampling_first"]

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Resampling = Literal["none", "smote", "borderline-smote", "adasyn", "smote-tomek", "random-over", "random-under"]
_NEIGHBOURS = 5
_DANGER_NEIGHBOURS = 10


class BalanceSettings(Settings):
    """What is done about classes of unequal size; by default nothing."""

    weights: Literal["none", "balanced"] = Field(
        "none",
        description="balanced: the cases of a class weigh in inverse proportion to its size, in classifiers that take "
        "case weights",
    )
    resampling: Resampling = Field(
        "none", description="cases drawn again, left out or made up until classes are of equal size, in training parts"
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.weights != "none" and self.resampling != "none":
            raise ValueError("weights and resampling both balance the classes; set one of them to none")
        return self


@dataclass(frozen=True, eq=False)
class Balanced:
    """An estimator that was fitted on balanced classes, its probabilities brought back to the shares of the classes.

    Attributes
    ----------
    estimator : object
        Fitted.
    before, after : (K,) array
        Class shares that it was fitted with, and those of the training cases.
    """

    estimator: Any
    before: Floats
    after: Floats

    def restored(self, predicted: Floats) -> Floats:
        """(n, K) probabilities of the estimator under the shares of the training cases."""
        return with_shares(predicted, self.before, self.after)


def class_shares(codes: Codes, n_classes: int) -> Floats:
    """(K,) share of each class among the cases."""
    return np.asarray(np.bincount(codes, minlength=n_classes) / len(codes))


def balanced_weights(codes: Codes) -> Floats:
    """(n,) weights of mean 1 under which all classes weigh the same.

    Examples
    --------
    >>> balanced_weights(np.array([0, 0, 0, 1])).round(2).tolist()
    [0.67, 0.67, 0.67, 2.0]
    """
    counts = np.bincount(codes)
    return np.asarray(len(codes) / (np.count_nonzero(counts) * counts[codes]))


def resampled(values: Floats, codes: Codes, resampling: Resampling, *, seed: int) -> tuple[Floats, Codes]:
    """Cases of balanced classes.

    Parameters
    ----------
    values : (n, k) array
        Standardised features of training cases.
    codes : (n,) array of int
        Their classes.
    resampling : str
        ``none`` gives them back.
    seed : int
        Seed of what is drawn.

    Returns
    -------
    values : (m, k) array
    codes : (m,) array of int

    Raises
    ------
    UserError
        When a class has a single case, between which and its neighbours nothing can be made up.
    """
    if resampling == "none":
        return values, codes
    found, found_codes = _drawn(values, codes, resampling=resampling, seed=seed)
    return np.asarray(found, dtype=np.float64), np.asarray(found_codes, dtype=np.intp)


def resampling_first(estimator: Any, resampling: Resampling, *, seed: int) -> Any:
    """An estimator that resamples whatever it is fitted on, and predicts cases as they are."""
    from imblearn import FunctionSampler
    from imblearn.pipeline import make_pipeline

    drawn = FunctionSampler(func=_drawn, kw_args={"resampling": resampling, "seed": seed}, validate=False)
    return make_pipeline(drawn, estimator)


def _drawn(values: Floats, codes: Codes, *, resampling: Resampling, seed: int) -> tuple[Floats, Codes]:
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.under_sampling import RandomUnderSampler

    if resampling in ("random-over", "random-under"):
        kind = RandomOverSampler if resampling == "random-over" else RandomUnderSampler
        drawn = kind(random_state=seed).fit_resample(values, codes)
    else:
        drawn = _made_up(values, codes, resampling, seed=seed)
    return drawn[0], drawn[1]


def _made_up(values: Floats, codes: Codes, resampling: Resampling, *, seed: int) -> tuple[Floats, Codes]:
    from imblearn.combine import SMOTETomek
    from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE

    counts = np.bincount(codes)
    smallest = int(counts[counts > 0].min())
    if smallest < 2:
        raise UserError(
            f"modelling.balance.resampling: {resampling} needs two cases of every class, and a training part of "
            f"{len(codes)} cases has one of some class; set random-over or none, or use fewer folds"
        )
    near = min(_NEIGHBOURS, smallest - 1)
    smote = SMOTE(k_neighbors=near, random_state=seed)
    if resampling == "adasyn":
        try:
            drawn = ADASYN(n_neighbors=near, random_state=seed).fit_resample(values, codes)
        except (RuntimeError, ValueError):
            # No case has a neighbour of another class, or nothing is missing: ADASYN has nothing to go by.
            drawn = smote.fit_resample(values, codes)
        return drawn[0], drawn[1]
    if resampling == "borderline-smote":
        around = min(_DANGER_NEIGHBOURS, len(codes) - 1)
        chosen = BorderlineSMOTE(k_neighbors=near, m_neighbors=around, random_state=seed)
    else:
        chosen = SMOTETomek(smote=smote, random_state=seed) if resampling == "smote-tomek" else smote
    drawn = chosen.fit_resample(values, codes)
    return drawn[0], drawn[1]
