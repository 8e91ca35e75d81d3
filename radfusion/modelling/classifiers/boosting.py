"""Boosted trees: XGBoost, LightGBM, gradient boosting and AdaBoost of scikit-learn."""

from __future__ import annotations

from operator import attrgetter, methodcaller
from typing import Any

from radfusion.modelling.classifiers.base import CLASSIFIERS, Classifier, Stated
from radfusion.modelling.classifiers.trees import TREES
from radfusion.modelling.hyperparameters import Integer, Number, Share

__all__: list[str] = []


def _xgboost(hyperparameters: Stated, seed: int) -> Any:
    from xgboost import XGBClassifier

    return XGBClassifier(subsample=0.8, tree_method="hist", n_jobs=1, random_state=seed, verbosity=0, **hyperparameters)


CLASSIFIERS.add(
    "xgboost",
    Classifier(
        "XGBoost",
        _xgboost,
        {
            "max_depth": Integer(2, (1, 4)),
            "learning_rate": Number(0.05, (0.02, 0.2)),
            "min_child_weight": Number(1.0, (0.5, 10.0)),
            "colsample_bytree": Share(0.5, (0.2, 1.0)),
            "n_estimators": Integer(100),
        },
        weighted=True,
        storage="xgboost",
        kept=methodcaller("get_booster"),
    ),
)


def _lightgbm(hyperparameters: Stated, seed: int) -> Any:
    from lightgbm import LGBMClassifier

    fixed: dict[str, Any] = {"subsample": 0.8, "subsample_freq": 1}
    fixed |= {"deterministic": True, "force_row_wise": True, "n_jobs": 1, "verbosity": -1}
    return LGBMClassifier(**fixed, random_state=seed, **hyperparameters)


CLASSIFIERS.add(
    "lightgbm",
    Classifier(
        "LightGBM",
        _lightgbm,
        {
            "num_leaves": Integer(4, (2, 12), least=2),
            "learning_rate": Number(0.05, (0.02, 0.2)),
            # The library's 20 cases in a leaf allow no split at all in a small fold.
            "min_child_samples": Integer(10, (2, 20)),
            "colsample_bytree": Share(0.5, (0.2, 1.0)),
            "n_estimators": Integer(100),
        },
        weighted=True,
        storage="lightgbm",
        kept=attrgetter("booster_"),
    ),
)


def _gradient_boosting(hyperparameters: Stated, seed: int) -> Any:
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(subsample=0.5, random_state=seed, **hyperparameters)


CLASSIFIERS.add(
    "gradient-boosting",
    Classifier(
        "gradient boosting",
        _gradient_boosting,
        {
            "max_depth": Integer(2, (1, 4)),
            "learning_rate": Number(0.05, (0.02, 0.2)),
            "min_samples_leaf": Integer(5, (1, 20)),
            "max_features": Share(0.5, (0.2, 1.0)),
            "n_estimators": Integer(60),
        },
        weighted=True,
        trusted=TREES,
    ),
)


def _adaboost(hyperparameters: Stated, seed: int) -> Any:
    from sklearn.ensemble import AdaBoostClassifier
    from sklearn.tree import DecisionTreeClassifier

    rest = {name: value for name, value in hyperparameters.items() if name != "max_depth"}
    return AdaBoostClassifier(DecisionTreeClassifier(max_depth=hyperparameters["max_depth"]), random_state=seed, **rest)


CLASSIFIERS.add(
    "adaboost",
    Classifier(
        "AdaBoost",
        _adaboost,
        {"max_depth": Integer(1, (1, 3)), "learning_rate": Number(0.5, (0.05, 1.0)), "n_estimators": Integer(30)},
        weighted=True,
        calibrated=True,
        trusted=TREES,
    ),
)
