"""The modelling stage as a plain scikit-learn script: pipelines, cached steps, nested grid searches with two jobs.

`modelling.py` calls :func:`main` in a process of its own, with a folder of values, labels, folds and settings to try;
``plain.json`` comes back. It is what a careful user writes: all steps are inside the pipeline, they are computed once
per training part and kept on disk (``memory``), and grid searches run in two processes. It knows no radfusion.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from joblib.externals.loky import get_reusable_executor
from lightgbm import LGBMClassifier
from scipy.stats import kruskal, rankdata
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.feature_selection import SelectFpr, SelectFromModel, VarianceThreshold
from sklearn.feature_selection._base import SelectorMixin
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier

Array = np.ndarray
#: Values of the LASSO's penalty, a tenth of those that radfusion tries: a hundred would take a day.
LAMBDAS = 10
CLASSIFIERS: dict[str, Any] = {
    "logistic": LogisticRegression(max_iter=5000),
    "svm": CalibratedClassifierCV(SVC(), cv=5, ensemble=False),
    "knn": KNeighborsClassifier(algorithm="brute"),
    "random-forest": RandomForestClassifier(random_state=0),
    "extra-trees": ExtraTreesClassifier(random_state=0),
    "xgboost": XGBClassifier(subsample=0.8, tree_method="hist", n_jobs=1, verbosity=0),
    "lightgbm": LGBMClassifier(subsample=0.8, subsample_freq=1, n_jobs=1, verbosity=-1, force_row_wise=True),
    "mlp": MLPClassifier(activation="tanh", n_iter_no_change=1000, tol=0.0, random_state=0),
}


class Uncorrelated(SelectorMixin, BaseEstimator, TransformerMixin):
    """Of two features with an absolute Spearman correlation above 0.9 the later one goes."""

    def fit(self, X: Array, y: Array | None = None) -> Uncorrelated:  # noqa: ARG002
        """Choose among the columns."""
        self.n_features_in_ = X.shape[1]
        alike = np.abs(np.corrcoef(rankdata(X, axis=0), rowvar=False)).reshape(X.shape[1], -1) > 0.9
        self.kept_ = ~np.triu(alike, k=1).any(axis=0)
        return self

    def _get_support_mask(self) -> Array:
        return self.kept_


def differs(X: Array, y: Array) -> tuple[Array, Array]:
    """Kruskal and Wallis' test of every column."""
    found = kruskal(*(X[y == code] for code in np.unique(y)))
    return found.statistic, found.pvalue


def pipeline(classifier: str, memory: str) -> Pipeline:
    """Steps and classifier."""
    lasso = LogisticRegressionCV(
        Cs=LAMBDAS,
        l1_ratios=(1.0,),
        solver="saga",
        cv=10,
        scoring="neg_log_loss",
        random_state=0,
        use_legacy_attributes=False,
    )
    return Pipeline(
        [
            ("fill", SimpleImputer(strategy="median")),
            ("vary", VarianceThreshold()),
            ("test", SelectFpr(differs, alpha=0.05)),
            ("apart", Uncorrelated()),
            ("scale", StandardScaler()),
            ("lasso", SelectFromModel(lasso, threshold=1e-10)),
            ("model", CLASSIFIERS[classifier]),
        ],
        memory=memory,
    )


def grid(classifier: str, tried: list[dict[str, Any]]) -> list[dict[str, list[Any]]]:
    """The settings to try, each alone, under the names of the pipeline."""
    inside = "model__estimator__" if classifier == "svm" else "model__"
    settings = []
    for setting in tried:
        named = {"hidden_layer_sizes" if key == "units" else key: value for key, value in setting.items()}
        settings.append(
            {inside + key: [(value,) if key == "hidden_layer_sizes" else value] for key, value in named.items()}
        )
    return settings


def splits(folds: Array) -> list[tuple[Array, Array]]:
    """Rows outside and inside of each fold."""
    return [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in np.unique(folds)]


def scores(folder: Path) -> Iterator[float]:
    """Macro AUC of the out-of-fold probabilities, per arm and classifier."""
    given = np.load(folder / "given.npz")
    labels, folds, inner = given["labels"], given["folds"], given["inner"]
    for arm, of_classifier in json.loads((folder / "tried.json").read_text()).items():
        values = given[arm]
        for classifier, tried in of_classifier.items():
            found = np.empty((len(labels), len(np.unique(labels))))
            model, settings = pipeline(classifier, str(folder / "memory")), grid(classifier, tried)
            for number, (train, held) in enumerate(splits(folds)):
                search = GridSearchCV(model, settings, cv=splits(inner[number][train]), scoring="roc_auc_ovr", n_jobs=2)
                found[held] = search.fit(values[train], labels[train]).predict_proba(values[held])
            GridSearchCV(model, settings, cv=splits(folds), scoring="roc_auc_ovr", n_jobs=2).fit(values, labels)
            yield float(roc_auc_score(labels, found, multi_class="ovr"))


def main(folder: Path) -> None:
    """Do the work and tell how long it took."""
    started = time.perf_counter()
    aucs = list(scores(folder))
    facts = {"wall_s": time.perf_counter() - started}
    get_reusable_executor().shutdown(wait=True)  # only then the time of its processes is known
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    facts |= {"cpu_s": sum(each.ru_utime + each.ru_stime for each in used), "macro_auc": float(np.mean(aucs))}
    (folder / "plain.json").write_text(json.dumps(facts))
