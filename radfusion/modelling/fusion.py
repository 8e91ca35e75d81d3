"""Late fusion: the probabilities of arms, combined case by case by a rule that may have weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from radfusion.core.predictions import Predictions
from radfusion.core.registry import Registry
from radfusion.errors import UserError
from radfusion.modelling.arms import ArmFit, ClassifierFit, LateFit
from radfusion.modelling.scores import macro_auc, with_shares

__all__ = ["LATE_RULES", "LateRule", "combine", "fit_weights", "late_fusion"]

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]
Weights = Mapping[str, Any]
#: A class to which a part gives no probability at all is all but excluded, not an error.
_LEAST = 1e-12


@dataclass(frozen=True)
class LateRule:
    """A way to combine probabilities.

    Attributes
    ----------
    combine : callable
        (n, K) array, of any row sums, of a (parts, n, K) array and the weights.
    fit : callable or None
        Weights of a (parts, n, K) array of honest training probabilities and (n,) classes; None for rules without.
    """

    combine: Callable[[Floats, Weights], Floats]
    fit: Callable[[Floats, Codes], Weights] | None = None


LATE_RULES: Registry[LateRule] = Registry("late fusion rule")


def _logs(stacked: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(stacked, _LEAST)))


def _weighted_mean(stacked: Floats, weights: Weights) -> Floats:
    return np.asarray(np.einsum("m,mnk->nk", np.asarray(weights["parts"]), stacked))


def _fit_weighted(stacked: Floats, codes: Codes) -> Weights:
    """Shares of the parts in the mixture that the labels are likeliest under."""
    given = np.maximum(stacked[:, np.arange(len(codes)), codes], _LEAST)

    def loss(shares: Floats) -> tuple[float, Floats]:
        mixed = np.maximum(shares @ given, _LEAST)
        return -float(np.log(mixed).mean()), -(given / mixed).mean(axis=1)

    return {"parts": _least(loss, len(stacked)).tolist()}


def _stacked(stacked: Floats, weights: Weights) -> Floats:
    scores = np.asarray(weights["classes"]) + np.einsum("m,mnk->nk", np.asarray(weights["parts"]), _logs(stacked))
    return np.asarray(np.exp(scores - scores.max(axis=1, keepdims=True)))


def _fit_stacking(stacked: Floats, codes: Codes) -> Weights:
    """Multinomial logistic regression on log-probabilities: a weight per part, an intercept per class."""
    logs, n_parts, own = _logs(stacked), len(stacked), np.arange(len(codes))
    member = codes[:, None] == np.arange(stacked.shape[2])

    def loss(both: Floats) -> tuple[float, Floats]:
        scores = both[n_parts:] + np.einsum("m,mnk->nk", both[:n_parts], logs)
        scores -= scores.max(axis=1, keepdims=True)
        total = np.exp(scores).sum(axis=1)
        surplus = (np.exp(scores) / total[:, None] - member) / len(codes)
        slope = np.concatenate([np.einsum("mnk,nk->m", logs, surplus), surplus.sum(axis=0)])
        return float((np.log(total) - scores[own, codes]).mean()), slope

    both = _least(loss, n_parts, n_classes=stacked.shape[2])
    return {"parts": both[:n_parts].tolist(), "classes": (both[n_parts:] - both[n_parts:].mean()).tolist()}


def _least(loss: Callable[[Floats], tuple[float, Floats]], n_parts: int, *, n_classes: int = 0) -> Floats:
    """Weights of parts, none below 0 and of sum 1, and then numbers per class, where a convex loss is least."""
    from scipy.optimize import minimize

    of_part = np.arange(n_parts + n_classes) < n_parts
    start = of_part / n_parts
    bounds = [(0.0, 1.0) if part else (None, None) for part in of_part]
    sum_of_1 = {"type": "eq", "fun": lambda both: both[of_part].sum() - 1.0, "jac": lambda _: of_part.astype(float)}
    options = {"maxiter": 500, "ftol": 1e-15}
    found = minimize(loss, start, jac=True, method="SLSQP", bounds=bounds, constraints=sum_of_1, options=options).x
    shares = np.where(found[of_part] < _LEAST, 0.0, found[of_part])
    return np.concatenate([shares / shares.sum(), found[~of_part]])


LATE_RULES.add("mean", LateRule(lambda stacked, _: stacked.mean(axis=0)))
LATE_RULES.add("geometric-mean", LateRule(lambda stacked, _: np.exp(_logs(stacked).mean(axis=0))))
LATE_RULES.add("maximum", LateRule(lambda stacked, _: stacked.max(axis=0)))
LATE_RULES.add("weighted", LateRule(_weighted_mean, _fit_weighted))
LATE_RULES.add("stacking", LateRule(_stacked, _fit_stacking))


def combine(stacked: Floats, rule: str, weights: Weights | None = None) -> Floats:
    """(n, K) probabilities, rows with sum 1, of a (parts, n, K) array.

    Parameters
    ----------
    stacked : (parts, n, K) array
        Probabilities of the same cases by every part.
    rule : str
        One of LATE_RULES.
    weights : mapping, optional
        As :func:`fit_weights` gave them; rules without weights need none.

    Raises
    ------
    UnknownNameError
        When there is no such rule.
    UserError
        When the rule has weights and none are given.

    Examples
    --------
    >>> both = np.array([[[0.2, 0.8]], [[0.6, 0.4]]])
    >>> combine(both, "mean")
    array([[0.4, 0.6]])
    >>> combine(both, "weighted", {"parts": [0.75, 0.25]})
    array([[0.3, 0.7]])
    """
    chosen = LATE_RULES[rule]
    if chosen.fit is not None and not weights:
        raise UserError(
            f"the late fusion rule {rule!r} has weights, which are fitted on training cases; none are given"
        )
    combined = chosen.combine(stacked, weights or {})
    return np.asarray(combined / combined.sum(axis=1, keepdims=True))


def fit_weights(stacked: Floats, codes: Codes, rule: str) -> dict[str, Any]:
    """Weights of a rule: the least log loss of the labels; weights of parts are at least 0 and have the sum 1.

    Out-of-fold scores are a little worse than chance where there is nothing to find, because what is left for training
    leans away from what is left out. Weights of any sign would turn such scores around, and find an AUC above 0.5 in
    noise. A sum that differs from fold to fold would spread the probabilities of the folds differently, which lowers
    the AUC of all folds together.

    Parameters
    ----------
    stacked : (parts, n, K) array
        Probabilities of training cases, by models that did not see them.
    codes : (n,) array of int
        Their classes, each with a case.
    rule : str
        One of LATE_RULES.

    Returns
    -------
    dict
        ``parts``: one number per part; of stacking also ``classes``: one intercept per class. Empty for rules without
        weights.

    Raises
    ------
    UnknownNameError
        When there is no such rule.

    References
    ----------
    1. Wolpert DH. Stacked generalization. Neural Netw 1992;5(2):241-259. doi:10.1016/S0893-6080(05)80023-1
    2. Breiman L. Stacked regressions. Mach Learn 1996;24(1):49-64. doi:10.1007/BF00117832
    3. van der Laan MJ, Polley EC, Hubbard AE. Super learner. Stat Appl Genet Mol Biol 2007;6(1):25.
       doi:10.2202/1544-6115.1309

    Examples
    --------
    >>> useful, useless = np.array([[0.9, 0.1], [0.2, 0.8]]), np.full((2, 2), 0.5)
    >>> fit_weights(np.stack([useful, useless]), np.array([0, 1]), "weighted")
    {'parts': [1.0, 0.0]}
    """
    fit = LATE_RULES[rule].fit
    return {} if fit is None else dict(fit(np.ascontiguousarray(stacked), codes))


def late_fusion(name: str, parts: Sequence[ArmFit], *, rule: str = "mean") -> LateFit:
    """Fuse arms, classifier by classifier, for the cases that all have.

    Weights, where the rule has some, are fitted on training probabilities of models that saw neither the case nor its
    patient. For the out-of-fold predictions they are fitted anew without every fold, on models that did not see it.

    Parameters
    ----------
    name : str
        Name of the fused arm.
    parts : sequence of ArmFit
        Two arms of the same study or more.
    rule : str
        One of LATE_RULES.

    Returns
    -------
    LateFit

    Raises
    ------
    UnknownNameError
        When there is no such rule.
    UserError
        When the arms have no classifier, or no training case of some class, in common, or when the rule has weights
        and the arms were fitted without the probabilities that these need.
    """
    names = [part.arm for part in parts]
    shared = [one for one in parts[0].fits if all(one in part.fits for part in parts)]
    if not shared:
        raise UserError(f"late fusion {name!r}: the arms {', '.join(map(repr, names))} share no classifier")
    fits = {one: _fused(f"{name}/{one}", [part.fits[one] for part in parts], rule=rule) for one in shared}
    sources = dict.fromkeys(source for part in parts for source in part.sources)
    return LateFit(name, tuple(names), tuple(sources), rule, fits)


def _fused(model: str, parts: Sequence[ClassifierFit], *, rule: str) -> ClassifierFit:
    training = _Together.of(model, [part.out_of_fold for part in parts])
    codes = training.codes
    if LATE_RULES[rule].fit is None:
        weights, fused = {}, combine(training.stacked, rule)
    else:
        if not all(part.inside for part in parts):
            raise UserError(f"late fusion {model!r}: the rule {rule!r} needs arms that were fitted with inner folds")
        weights = _Together.of(model, [part.inside[-1] for part in parts]).weights(rule)
        fused = _fused_out_of_fold(training, parts, rule=rule)
    everything = _Together.of(model, [part.predictions for part in parts])
    return ClassifierFit(
        model=model,
        classifier=parts[0].classifier,
        hyperparameters={},
        trials=(),
        cv_macro_auc=macro_auc(codes, fused),
        out_of_fold=training.predictions(fused),
        predictions=everything.predictions(combine(everything.stacked, rule, weights)),
        weights=weights,
    )


@dataclass(frozen=True, eq=False)
class _Together:
    """Predictions of the same cases by every part, in the order of the first."""

    model: str
    rows: pd.DataFrame
    classes: tuple[str, ...]
    stacked: Floats

    @classmethod
    def of(cls, model: str, predictions: Sequence[Predictions]) -> _Together:
        first = predictions[0]
        shared = first.frame.index[np.all([first.frame.index.isin(each.frame.index) for each in predictions], axis=0)]
        parts = [Predictions(each.frame.loc[shared], first.classes, model) for each in predictions]
        return cls(model, parts[0].frame, first.classes, np.stack([part.probabilities for part in parts]))

    @property
    def codes(self) -> Codes:
        """(n,) classes of the cases, each with a case."""
        codes = pd.Index(self.classes).get_indexer(pd.Index(self.rows["label"]))
        absent = [name for code, name in enumerate(self.classes) if code not in codes]
        if absent:
            raise UserError(f"late fusion {self.model!r}: no training case of class {absent[0]!r} is in all arms")
        return np.asarray(codes, dtype=np.intp)

    @property
    def shares(self) -> Floats:
        """(K,) share of each class."""
        return np.bincount(self.codes, minlength=len(self.classes)) / len(self.rows)

    def weights(self, rule: str) -> dict[str, Any]:
        """Weights fitted on these cases, whatever their order."""
        order = np.argsort(self.rows.index.to_numpy())
        return fit_weights(self.stacked[:, order], self.codes[order], rule)

    def predictions(self, fused: Floats) -> Predictions:
        """Fused predictions of these cases."""
        return Predictions.from_arrays(self.rows, fused, self.classes, self.model)


def _fused_out_of_fold(training: _Together, parts: Sequence[ClassifierFit], *, rule: str) -> Floats:
    """(n, K) probabilities of the training cases, with weights that were fitted without their fold.

    The weights were fitted under the class shares outside the fold, so the cases are brought to these and back.
    """
    fused, shares = np.empty(training.stacked.shape[1:]), training.shares
    for held, inside in _held_out(training.rows.index, parts):
        outside = _Together.of(training.model, inside)
        there = np.stack([with_shares(each, shares, outside.shares) for each in training.stacked[:, held]])
        found = combine(there, rule, outside.weights(rule))
        fused[held] = with_shares(found, outside.shares, shares)
    # What is equal but for rounding, as where no part has weight, is to stay equal across folds: ties count half.
    return fused.round(12)


def _held_out(cases: pd.Index, parts: Sequence[ClassifierFit]) -> Iterator[tuple[NDArray[np.bool_], list[Predictions]]]:
    """Cases that share a fold in every part, and what each part says inside the training cases without its fold."""
    folds = np.stack([_folds(cases, part) for part in parts], axis=1)
    for each in np.unique(folds, axis=0):
        yield (folds == each).all(axis=1), [part.inside[fold] for part, fold in zip(parts, each, strict=True)]


def _folds(cases: pd.Index, part: ClassifierFit) -> Codes:
    """(n,) fold of each case: the one whose inner predictions lack it."""
    lacking = [~cases.isin(inside.frame.index) for inside in part.inside[:-1]]
    return np.asarray(np.argmax(lacking, axis=0), dtype=np.intp)
