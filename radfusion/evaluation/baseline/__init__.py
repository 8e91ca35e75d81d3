"""The baseline table and its tests: two and several samples, counts, differences, correlation."""

from radfusion.evaluation.baseline.assumptions import bartlett_test, levene_test, shapiro_test, variance_test
from radfusion.evaluation.baseline.correlation import correlation_test
from radfusion.evaluation.baseline.counts import chi_square_test, cramers_v, fisher_test, odds_ratio
from radfusion.evaluation.baseline.differences import cohen_d, hedges_g, smd, smd_counts
from radfusion.evaluation.baseline.k_samples import (
    anova_test,
    kruskal_test,
    pairwise_mann_whitney_test,
    pairwise_t_test,
    tukey_test,
)
from radfusion.evaluation.baseline.table import baseline_table, describe_groups
from radfusion.evaluation.baseline.two_samples import (
    mann_whitney_test,
    paired_t_test,
    t_test,
    wilcoxon_signed_rank_test,
)

__all__ = [
    "anova_test",
    "bartlett_test",
    "baseline_table",
    "chi_square_test",
    "cohen_d",
    "correlation_test",
    "cramers_v",
    "describe_groups",
    "fisher_test",
    "hedges_g",
    "kruskal_test",
    "levene_test",
    "mann_whitney_test",
    "odds_ratio",
    "paired_t_test",
    "pairwise_mann_whitney_test",
    "pairwise_t_test",
    "shapiro_test",
    "smd",
    "smd_counts",
    "t_test",
    "tukey_test",
    "variance_test",
    "wilcoxon_signed_rank_test",
]
