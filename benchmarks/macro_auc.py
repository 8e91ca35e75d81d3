"""Size, power and coverage of the macro AUC's test and interval, on simulated studies with a known answer.

``python benchmarks/macro_auc.py`` writes ``benchmarks/results/macro_auc_{tests,clusters,coverage}.csv``; equal seeds
give equal files. Cases have Gaussian scores per class, higher by a given amount for their own class; two models'
scores correlate by 0.7; probabilities are their softmax. Under equal amounts the models are exchangeable, so that every
rejection is false.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import radfusion.evaluation as ev

CLASSES = (0, 1, 2)
CORRELATION = 0.7
RESAMPLES = 400
Floats = np.ndarray
Study = tuple[Floats, Floats, Floats]

#: Number of cases and class shares of the validation sets of the vertebral fracture paper.
SETS = ((75, (0.3, 0.4, 0.3)), (111, (0.3, 0.4, 0.3)), (178, (0.2, 0.6, 0.2)))
#: Number of cases and amount by which a case scores higher for its own class.
COVERED = ((75, 1.6), (111, 1.6), (178, 1.6), (40, 2.5), (75, 2.5), (178, 2.5))


def main() -> None:
    """Run all simulations and write their tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=5_000, help="simulated studies for closed forms")
    parser.add_argument("--resampled", type=int, default=1_000, help="simulated studies for bootstrap and permutation")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    tables = {
        "tests": pd.concat([rejections(given.studies, CLOSED, seed=1), rejections(given.resampled, RESAMPLED, seed=2)]),
        "clusters": clustered_rejections(given.studies // 5, seed=3),
        "coverage": coverage(given.studies // 5, given.resampled, seed=4),
    }
    for name, table in tables.items():
        table.to_csv(given.out / f"macro_auc_{name}.csv", index=False, float_format="%.4f", lineterminator="\n")
        print(f"{name}\n{table.to_string(index=False)}\n")


def simulate(generator: np.random.Generator, labels: Floats, amounts: tuple[float, float]) -> Study:
    """Labels and the probabilities of two models."""
    own = np.eye(len(CLASSES))[labels]
    first, second = generator.normal(size=(2, *own.shape))
    second = CORRELATION * first + np.sqrt(1 - CORRELATION**2) * second
    return labels, softmax(first + amounts[0] * own), softmax(second + amounts[1] * own)


def softmax(scores: Floats) -> Floats:
    """Probabilities of rows of scores."""
    odds = np.exp(scores)
    return odds / odds.sum(axis=1, keepdims=True)


def drawn_labels(generator: np.random.Generator, n: int, shares: tuple[float, ...]) -> Floats:
    """Classes of n cases; every class has at least two."""
    return np.append(np.repeat(CLASSES, 2), generator.choice(CLASSES, n - 2 * len(CLASSES), p=shares))


def influence(study: Study) -> float:
    """P value of the test of this package."""
    return p_of(ev.macro_auc_test(*study, CLASSES))


def weighted(study: Study) -> float:
    """P value for the macro AUC weighted by prevalence."""
    return p_of(ev.average_auc_test(pair_of(study), "weighted"))


def hand_till(study: Study) -> float:
    """P value for Hand and Till's M."""
    return p_of(ev.average_auc_test(pair_of(study), "hand_till"))


def joint(study: Study) -> float:
    """P value of all classes' differences at once."""
    return p_of(ev.joint_auc_test(*study, CLASSES))


def unpaired(study: Study) -> float:
    """P value that forgets that both models saw the same patients."""
    labels, a, b = study
    return p_of(ev.macro_auc_test_unpaired(labels, a, labels, b, CLASSES))


def any_class(study: Study) -> float:
    """Smallest of the classes' DeLong P values."""
    labels, a, b = study
    return min(p_of(ev.delong_test(labels, a[:, k], b[:, k], positive=k)) for k in CLASSES)


def flattened(study: Study) -> float:
    """DeLong's P value of all cases times classes taken as independent rows."""
    labels, a, b = study
    return p_of(ev.delong_test((labels[:, None] == np.array(CLASSES)).ravel(), a.ravel(), b.ravel()))


def bootstrap_se(study: Study) -> float:
    """P value of the difference by its bootstrapped standard error."""
    how = ev.Bootstrap(kind="percentile", n_resamples=RESAMPLES)
    return p_of(ev.auc_bootstrap_test(pair_of(study), how=how))


def permutation(study: Study) -> float:
    """P value of the rank permutation test."""
    return p_of(ev.auc_permutation_test(pair_of(study), n_resamples=RESAMPLES))


def pair_of(study: Study) -> ev.ScoredPair:
    """The two models of a study."""
    labels, a, b = study
    return ev.ScoredPair(ev.ScoredSet(labels, a, CLASSES), ev.ScoredSet(labels, b, CLASSES), paired=True)


def p_of(test: Any) -> float:
    """P value, 1 where no test is possible."""
    return 1.0 if test.p is None else float(test.p)


Tests = tuple[Callable[[Study], float], ...]
CLOSED: Tests = (influence, weighted, hand_till, joint, unpaired, any_class, flattened)
RESAMPLED: Tests = (influence, bootstrap_se, permutation)


def rejections(studies: int, tests: Tests, *, seed: int) -> pd.DataFrame:
    """Share of P values below 0.05 for equal models, and for a better first one."""
    rows: list[dict[str, Any]] = []
    scenarios = [(n, shares, (1.4, 1.4)) for n, shares in SETS] + [(111, SETS[1][1], (1.4, 1.2))]
    for number, (n, shares, amounts) in enumerate(scenarios):
        generator = np.random.default_rng([seed, number])
        p = np.array(
            [
                [test(study) for test in tests]
                for study in studies_of(generator, studies, n=n, shares=shares, amounts=amounts)
            ]
        )
        truth = "equal" if amounts[0] == amounts[1] else "first better"
        rows += [
            {"models": truth, "n": n, "test": test.__name__, **shown(p[:, k] < 0.05)} for k, test in enumerate(tests)
        ]
    return pd.DataFrame(rows)


def studies_of(
    generator: np.random.Generator, studies: int, *, n: int, shares: tuple[float, ...], amounts: tuple[float, float]
) -> Iterator[Study]:
    """Simulated studies, one after the other."""
    for _ in range(studies):
        yield simulate(generator, drawn_labels(generator, n, shares), amounts)


def clustered_rejections(studies: int, *, seed: int) -> pd.DataFrame:
    """Share of P values below 0.05 for equal models with three alike cases per patient."""
    rows: list[dict[str, Any]] = []
    for number, patients in enumerate((60, 120, 300)):
        generator = np.random.default_rng([seed, number])
        key, found = np.repeat(np.arange(patients), 3), []
        for _ in range(studies):
            labels = np.repeat(drawn_labels(generator, patients, (0.3, 0.4, 0.3)), 3)
            shared = simulate(generator, labels[::3], (0.0, 0.0))
            alike, own = np.sqrt(0.7), simulate(generator, labels, (1.4, 1.4))
            study = (labels, *(softmax(np.log(own[m]) * np.sqrt(0.3) + alike * np.log(shared[m])[key]) for m in (1, 2)))
            plain, robust = (p_of(ev.macro_auc_test(*study, CLASSES, patients=each)) for each in (None, key))
            found.append((plain, robust))
        below = np.array(found) < 0.05
        names = ("cases as independent", "clustered by patient")
        rows += [{"patients": patients, "test": name, **shown(below[:, k])} for k, name in enumerate(names)]
    return pd.DataFrame(rows)


def coverage(studies: int, resampled: int, *, seed: int) -> pd.DataFrame:
    """Share of 95 % intervals of the macro AUC that hold its true value, among those that are estimable."""
    rows: list[dict[str, Any]] = []
    bootstraps = {kind: ev.Bootstrap(kind=kind, n_resamples=RESAMPLES) for kind in ("percentile", "bca")}
    for number, (n, amount) in enumerate(COVERED):
        true = true_macro_auc(amount)
        for name, ci in {"logit": "logit", "delong": "delong", **bootstraps}.items():
            generator = np.random.default_rng([seed, number])
            repeats = resampled if name in bootstraps else studies
            drawn = studies_of(generator, repeats, n=n, shares=(0.3, 0.4, 0.3), amounts=(amount, amount))
            every = [ev.macro_auc(labels, a, CLASSES, ci=ci) for labels, a, _ in drawn]
            found = [(each.low, each.high) for each in every if each.low is not None and each.high is not None]
            held = np.array([low <= true <= high for low, high in found])
            about = {"n": n, "true_macro_auc": true, "interval": name, "not_estimable": 1 - len(found) / repeats}
            rows.append({**about, **shown(held)})
    return pd.DataFrame(rows)


def true_macro_auc(amount: float) -> float:
    """Macro AUC of three million simulated cases."""
    generator = np.random.default_rng(5)
    labels = generator.choice(CLASSES, 1_000_000, p=(0.3, 0.4, 0.3))
    labels, probabilities, _ = simulate(generator, labels, (amount, amount))
    return float(ev.macro_auc(labels, probabilities, CLASSES).value or 0.0)


def shown(hits: Floats) -> dict[str, float]:
    """Share of hits with its 95 % interval."""
    low, high = ev.wilson_interval(float(hits.mean()), len(hits), level=0.95)
    return {"studies": len(hits), "share": float(hits.mean()), "low": low, "high": high}


if __name__ == "__main__":
    main()
