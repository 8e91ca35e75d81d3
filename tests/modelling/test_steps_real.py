"""Steps on real published feature tables: the same choices as slow versions make."""

import numpy as np
import pandas as pd
import pytest

from radfusion.modelling._class_tests import TESTS
from radfusion.modelling.folds import TrainingLabels
from radfusion.modelling.preparation import PreparationTask, completed, prepare
from radfusion.modelling.rows import Rows
from radfusion.modelling.steps import STEPS
from tests.modelling.test_steps_univariate import SCIPY

pytestmark = pytest.mark.data
TABLES = ("Arita2018", "Ramella2018", "Song2020", "Wang2024")


@pytest.fixture(params=TABLES)
def real(request, shared):
    """Features and classes of a published radiomics table."""
    path = shared / "data" / "tabular" / "radmlbench" / f"{request.param}.csv.gz"
    if not path.is_file():
        pytest.skip(f"no real table: {path.name}")
    table = pd.read_csv(path)
    codes = table["Target"].astype(int).to_numpy()
    frame = table.drop(columns="Target").select_dtypes("number")
    return frame.rename(columns="radiomics:{}".format), codes


def chain_of(real, *names):
    frame, codes = real
    labels = TrainingLabels(codes, np.arange(len(codes)), ("0", "1"))
    rows = Rows.from_frame(frame)
    steps = completed([STEPS[name]() for name in names])
    return prepare(PreparationTask(rows, labels, np.ones(len(codes), bool), steps, None, 1))


def test_p_values_of_real_features_equal_scipy(real):
    frame, codes = real
    values = frame.loc[:, frame.columns[np.ptp(frame.to_numpy(), axis=0) > 0]].to_numpy()[:, :150]
    for name, test in TESTS.items():
        groups = [[column[codes == code] for code in (0, 1)] for column in values.T]
        varied = [min(np.ptp(group) for group in each) > 0 for each in groups]
        expected = [SCIPY[name](*each).pvalue for each, there in zip(groups, varied, strict=True) if there]
        assert len(expected) > 50
        np.testing.assert_allclose(test(values, codes)[varied], expected, rtol=1e-7)


def test_pruning_of_real_features_leaves_no_pair_and_drops_none_without_one(real):
    frame, _ = real
    varied = frame.loc[:, np.ptp(frame.to_numpy(), axis=0) > 1e-12 * frame.abs().max().to_numpy()]
    rho = np.abs(np.corrcoef(varied.rank().to_numpy().T)) - np.eye(varied.shape[1])
    left = varied.columns.isin(chain_of(real, "variance", "correlation").names)
    assert 20 < left.sum() < len(left) - 20
    assert rho[np.ix_(left, left)].max() <= 0.9 + 1e-9
    assert rho[np.ix_(~left, left)].max(axis=1).min() > 0.9


def test_every_step_gives_finite_values_of_real_features(real):
    for name in ("univariate", "mrmr", "pca", "lasso"):
        chain = chain_of(real, "variance", name)
        assert np.isfinite(chain.transform(real[0])).all()
