"""Late fusion: probabilities of the same cases, combined."""

import numpy as np
import pytest

from radfusion.core.features import FeatureTable
from radfusion.errors import UnknownNameError, UserError
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.fusion import LATE_RULES, combine, late_fusion
from radfusion.modelling.tuning import macro_auc


@pytest.fixture(scope="module")
def arms(simulate, quick):
    first, cohort = simulate(seed=1)
    second, _ = simulate(seed=2, source="deep")
    tables = {"a": first, "b": FeatureTable(second.frame.iloc[1:]), "c": second}
    settings = {name: quick(classifiers=("svm",) if name == "c" else ("logistic", "knn")) for name in tables}
    return {
        name: fit_arms({name: table}, cohort, settings[name], seed=1)[name] for name, table in tables.items()
    }, cohort


def test_the_mean_of_the_probabilities_of_shared_cases(arms):
    (first, second), cohort = (arms[0]["a"], arms[0]["b"]), arms[1]
    late = late_fusion("late", first, second)
    assert (late.parts, late.sources, list(late.fits)) == (("a", "b"), ("radiomics", "deep"), ["logistic", "knn"])
    fit, one, two = (each.fits["knn"] for each in (late, first, second))
    assert fit.model == "late/knn"
    assert list(fit.predictions.frame.index) == list(cohort.frame.index[1:])
    expected = (one.predictions.probabilities[1:] + two.predictions.probabilities) / 2
    np.testing.assert_allclose(fit.predictions.probabilities, expected, rtol=1e-14)
    codes = np.array([cohort.classes.index(label) for label in fit.out_of_fold.labels])
    assert fit.cv_macro_auc == macro_auc(codes, fit.out_of_fold.probabilities)


@pytest.mark.parametrize("rule", LATE_RULES)
def test_every_rule_gives_probabilities_and_leaves_agreement_alone(rule):
    rng = np.random.default_rng(0)
    one, two = rng.dirichlet([1, 1, 1], size=(2, 50))
    fused = combine(np.stack([one, two]), rule)
    np.testing.assert_allclose(fused.sum(axis=1), 1)
    assert ((fused >= np.minimum(one, two) - 1e-12) | (rule != "mean")).all()
    np.testing.assert_allclose(combine(np.stack([one, one]), rule), one, atol=1e-9)


def test_contradicting_certainties_are_no_error():
    fused = combine(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]), "geometric-mean")
    np.testing.assert_allclose(fused, [[0.5, 0.5]])


def test_an_unknown_rule_or_no_shared_classifier_is_refused(arms):
    fitted = arms[0]
    with pytest.raises(UnknownNameError, match="no late fusion rule is named 'vote'"):
        late_fusion("late", fitted["a"], fitted["b"], rule="vote")
    with pytest.raises(UserError, match="'a' and 'c' share no classifier"):
        late_fusion("late", fitted["a"], fitted["c"])
