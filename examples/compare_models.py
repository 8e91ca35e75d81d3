"""Compare two models on the same patients, from nothing but arrays.

Run: python examples/compare_models.py
"""

from __future__ import annotations

import numpy as np

import radfusion as rf

CLASSES = ("0", "1", "2")


def probabilities(codes: np.ndarray, noise: np.ndarray, strength: float) -> np.ndarray:
    """Softmax of a signal for the right class plus noise: (n, 3) array."""
    scores = strength * np.eye(3)[codes] + noise
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def main() -> None:
    """Compare a stronger with a weaker model."""
    rng = np.random.default_rng(1)
    codes = rng.choice(3, size=111, p=[0.3, 0.4, 0.3])
    labels = np.array(CLASSES)[codes]
    patients = rng.integers(0, 80, size=111)  # several vertebrae of one patient
    shared = rng.normal(size=(111, 3))  # both models see the same films
    strong = probabilities(codes, shared + 0.5 * rng.normal(size=(111, 3)), 2.0)
    weak = probabilities(codes, shared + 0.5 * rng.normal(size=(111, 3)), 1.5)

    print("One-vs-rest AUC of the stronger model, clustered by patient:")
    for estimate in rf.evaluation.one_vs_rest_auc(labels, strong, CLASSES, patients=patients):
        name = "macro" if estimate.class_ is None else f"class {estimate.class_}"
        print(f"  {name}: {estimate.value:.3f} (95% CI: {estimate.low:.3f}, {estimate.high:.3f}) [{estimate.method}]")

    test = rf.evaluation.macro_auc_test(labels, strong, weak, CLASSES, patients=patients)
    print(f"Difference of macro AUC: {test.difference:.3f} (95% CI: {test.low:.3f}, {test.high:.3f}), P = {test.p:.3f}")

    one = rf.evaluation.delong_test(labels == "2", strong[:, 2], weak[:, 2], positive=True, patients=patients)
    print(f"Class 2 against the rest: {one.difference:.3f}, P = {one.p:.3f} [{one.test}]")
    print("Holm-adjusted:", rf.evaluation.adjust_pvalues([test.p, one.p], "holm"))


if __name__ == "__main__":
    main()
