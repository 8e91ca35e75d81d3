"""What holds for every step, alone and in chains of any order."""

import json

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError

from radfusion.errors import FeatureError
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.preparation import Preparation, PreparationTask, completed, packed, prepare, unpacked
from radfusion.modelling.rows import Rows
from radfusion.modelling.steps import STEPS, AnyStep

QUICK = {
    "lasso": {"n_lambdas": 12, "folds": 3},
    "mrmr": {"n_features": 8},
    "pca": {"n_components": 5},
    "univariate": {"alpha": 0.9},
}
ENTRY = TypeAdapter(AnyStep)
N, P = 80, 24


def step(name, **settings):
    return STEPS[name](**{**QUICK.get(name, {}), **settings})


def simulated(seed=0):
    """Two sources, three centres: factors that features share, missing values, and features fit for nothing."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.arange(N) % 2)
    values = rng.normal(size=(N, 6)) @ rng.normal(size=(6, P)) + rng.normal(size=(N, P))
    values[:, [0, 4, 8, 12, 16, 18]] += 3.0 * codes[:, None]
    values[:, 3], values[:, 20] = 5.0, values[:, 21]
    values[rng.random((N, P)) < 0.02] = np.nan
    names = [f"{'radiomics' if at < 12 else 'deep'}:f{at:02d}" for at in range(P)]
    cases = [f"case {at:02d}" for at in range(N)]
    facts = pd.DataFrame({"centre": [f"centre {at % 3}" for at in range(N)]}, index=cases)
    return pd.DataFrame(values, index=cases, columns=names), facts, codes


def fitted(steps, frame, facts, codes):
    labels = TrainingLabels(np.asarray(codes), np.arange(len(codes)), ("no", "yes"))
    rows = Rows.from_frame(frame, facts)
    unstable = frozenset({"radiomics:f01", "deep:f15"})
    return prepare(PreparationTask(rows, labels, np.ones(len(codes), dtype=bool), completed(steps), unstable, 3))


@pytest.mark.parametrize("name", STEPS)
def test_the_order_of_columns_changes_nothing(name):
    frame, facts, codes = simulated()
    one = fitted([step(name)], frame, facts, codes)
    other = fitted([step(name)], frame.iloc[:, ::-1], facts, codes)
    assert one.names == other.names
    np.testing.assert_array_equal(one.transform(frame, facts), other.transform(frame, facts))


# Folds are dealt to cases in their order; fitting sorts them first.
@pytest.mark.parametrize("name", [name for name in STEPS if name != "lasso"])
def test_the_order_of_cases_changes_no_choice(name):
    frame, facts, codes = simulated()
    order = np.random.default_rng(1).permutation(N)
    one = fitted([step(name)], frame, facts, codes)
    other = fitted([step(name)], frame.iloc[order], facts.iloc[order], codes[order])
    assert one.names == other.names
    np.testing.assert_allclose(one.transform(frame, facts), other.transform(frame, facts), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", STEPS)
def test_a_preparation_that_was_kept_gives_the_same_bits(name):
    frame, facts, codes = simulated()
    one = fitted([step(name)], frame, facts, codes)
    arrays, told = packed(one)
    again = unpacked(arrays, json.loads(json.dumps(told)))
    assert (again.names, again.inputs, again.steps) == (one.names, one.inputs, one.steps)
    np.testing.assert_array_equal(again.transform(frame, facts), one.transform(frame, facts))


@pytest.mark.parametrize("name", STEPS)
def test_a_step_of_some_sources_leaves_the_others(name):
    frame, facts, codes = simulated()
    chain = fitted([step(name, sources=("deep",))], frame, facts, codes)
    others = {column for column in frame.columns if column.startswith("radiomics:")}
    assert others - {"radiomics:f01"} <= set(chain.names)
    count = chain.steps[[told.name for told in chain.steps].index(name)]
    assert count.n_in >= count.n_out >= len(others) - 1


def unrestricted(steps, frame, facts, codes):
    """Training values step after step, every feature carried along."""
    rows, labels = Rows.from_frame(frame, facts), TrainingLabels(codes, np.arange(N), ("no", "yes"))
    for each in completed(steps):
        alone = PreparationTask(rows, labels, np.ones(N, bool), (each,), frozenset({"radiomics:f01", "deep:f15"}), 3)
        chain = prepare(alone)
        rows = Rows(chain.of_rows(rows), chain.names, rows.facts)
    return rows


def orders(count):
    rng = np.random.default_rng(0)
    return [tuple(map(str, rng.permutation(sorted(STEPS)))) for _ in range(count)]


@pytest.mark.parametrize("names", orders(12), ids=" ".join)
def test_a_chain_works_in_any_order_and_restricting_it_changes_no_number(names):
    frame, facts, codes = simulated()
    steps = [step(name) for name in names]
    chain = fitted(steps, frame, facts, codes)
    assert all(after.n_in == before.n_out for before, after in zip(chain.steps, chain.steps[1:], strict=False))
    assert 0 < len(chain.names) < P
    whole = unrestricted(steps, frame, facts, codes)
    assert whole.names == chain.names
    values = chain.transform(frame, facts)
    np.testing.assert_allclose(values, whole.values, rtol=1e-9, atol=1e-9)
    hidden = frame.copy()
    hidden.loc[:, [name for name in frame.columns if name not in chain.inputs]] = np.nan
    np.testing.assert_array_equal(chain.transform(hidden, facts), values)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("values", [np.zeros((20, 3)), np.full((20, 2), np.nan), np.zeros((20, 0))])
def test_nothing_may_be_left(name, values):
    frame = pd.DataFrame(values, columns=[f"a:f{at}" for at in range(values.shape[1])])
    facts = pd.DataFrame({"centre": ["one", "two"] * 10}, index=frame.index)
    chain = fitted([step("variance"), step(name)], frame, facts, np.arange(20) % 2)
    assert chain.names == chain.inputs == ()
    assert chain.transform(frame, facts).shape == (20, 0)


def test_steps_that_no_chain_does_without_are_added():
    def names(*steps):
        return [each.step for each in completed(steps)]

    assert names() == ["missing", "stability", "scale"]
    assert names(step("lasso")) == ["missing", "stability", "lasso", "scale"]
    assert names(step("univariate"), step("missing")) == ["missing", "stability", "univariate", "missing", "scale"]
    assert names(step("stability"), step("scale"), step("lasso")) == ["stability", "missing", "scale", "lasso"]
    assert names(step("scale"), step("pca")) == ["missing", "stability", "scale", "pca", "scale"]
    some = step("scale", sources=("deep",))
    assert names(some) == ["missing", "stability", "scale", "scale"]
    own = step("missing", sources=("deep",))
    assert names(own, step("scale")) == ["missing", "missing", "stability", "scale"]
    assert completed([own])[0] is own


def test_steps_count_what_goes_in_and_out():
    frame, facts, codes = simulated()
    found = fitted([step("variance"), step("univariate", alpha=0.5)], frame, facts, codes).steps
    assert [each.name for each in found] == ["missing", "stability", "variance", "univariate", "scale"]
    assert [each.n_in for each in found[:4]] == [P, P, P - 2, P - 3]
    assert found[3].settings["alpha"] == 0.5
    assert 0 < found[3].n_out < P - 3


def test_an_absent_column_is_named_with_its_source():
    frame, facts, codes = simulated()
    chain = fitted([step("variance")], frame, facts, codes)
    with pytest.raises(FeatureError, match=r"lacks 1 features .*source deep\): deep:f20"):
        chain.transform(frame.drop(columns="deep:f20"), facts)


@pytest.mark.parametrize("name", STEPS)
def test_a_bare_name_stands_for_the_step_with_its_defaults(name):
    assert ENTRY.validate_python(name) == STEPS[name]()


def test_an_unknown_step_is_answered_with_the_nearest():
    with pytest.raises(ValidationError, match="no step is named 'laso'; did you mean 'lasso'"):
        ENTRY.validate_python("laso")
    with pytest.raises(ValidationError, match="each entry names its step"):
        ENTRY.validate_python({"rule": "1se"})


def test_an_empty_preparation_asks_for_nothing():
    frame, facts, _ = simulated()
    assert Preparation((), ()).transform(frame, facts).shape == (N, 0)


def test_stability_is_measured_on_the_cases_outside_each_fold(simulate, quick):
    table, cohort = simulate(2, n=80, p=12)
    training, first = set(cohort.of_set("training").frame.index), sorted(table.frame.columns)[0]
    seen = []

    def unstable(cases):
        seen.append(frozenset(cases))
        return frozenset({first}) if len(cases) == len(training) else frozenset()

    settings = quick(steps=["stability"], classifiers=["logistic"])
    fitted = fit_arms({"arm": table}, cohort, settings, seed=1, unstable=unstable)["arm"]
    assert sorted(map(len, seen))[-1] == len(training)
    outside = {frozenset(training - set(cases)) for cases in seen} - {frozenset()}
    assert len(outside) == settings.folds
    assert frozenset().union(*outside) == training
    assert first not in fitted.preparation.names
    assert all(first in names for names in fitted.fold_signatures)
