"""Decision curves against Vickers and Elkin's formula in R, and reclassification against Hmisc::improveProb."""

import numpy as np

import radfusion.evaluation as ev
from radfusion.evaluation.comparisons.reclassification import reclassification
from radfusion.evaluation.decision_curves import decision_curve, net_benefit, net_benefit_in_population
from tests.reference_values import agrees_with_r


def column_of(found, metric):
    return [each.value for each in found if each.metric == metric]


@agrees_with_r("decision_curve")
def net_benefits(case):
    y, p1, p2 = (np.array(case["input"][key]) for key in ("y", "p1", "p2"))
    asked = case["expected"]
    thresholds, share = asked["thresholds"], asked.get("population_prevalence")
    first, second = net_benefit(y, p1, thresholds), net_benefit(y, p2, thresholds)
    curves = {each.kind: each for each in decision_curve(y, p1, thresholds=thresholds)}
    found = {
        "prevalence": first[0].n_pos / first[0].n,
        "thresholds": curves["decision"].x,
        "net_benefit_model1": curves["decision"].y,
        "net_benefit_model2": column_of(second, "net_benefit"),
        "net_benefit_treat_all": column_of(first, "net_benefit_treat_all"),
        "net_benefit_treat_none": column_of(first, "net_benefit_treat_none"),
        "standardized_net_benefit_model1": column_of(first, "standardized_net_benefit"),
        "net_interventions_avoided_per_100_model1": column_of(first, "net_interventions_avoided"),
        # Treatment above the threshold only is treatment at or above the next larger number.
        "net_benefit_model1_strict_greater": column_of(
            net_benefit(y, np.where(np.isin(p1, thresholds), np.nextafter(p1, 0), p1), thresholds), "net_benefit"
        ),
    }
    if share is None:
        return found
    population = net_benefit_in_population(y, p1, thresholds, share)
    return found | {
        "population_prevalence": share,
        "net_benefit_model1_population": column_of(population, "net_benefit"),
        "net_benefit_treat_all_population": column_of(population, "net_benefit_treat_all"),
    }


@agrees_with_r("nri_idi")
def reclassified(case):
    y, old, new = (np.array(case["input"][key]) for key in ("y", "p_old", "p_new"))
    every = [each["cutoffs"] for each in case["expected"]["categorical"]]
    nri, idi = improvement(reclassification(y, old, new), "continuous_nri", y, np.sign(new - old))
    return {"continuous_nri_and_idi": nri | idi, "categorical": [categories(y, (old, new), each) for each in every]}


def categories(y, pair, cutoffs):
    old, new = (np.searchsorted(cutoffs, each, side="right") for each in pair)
    levels = range(len(cutoffs) + 1)
    nri, _ = improvement(reclassification(y, *pair, cutoffs=cutoffs), "categorical_nri", y, np.sign(new - old))
    return nri | {
        "cutoffs": cutoffs,
        "events_table_old_by_new": ev.confusion(old[y == 1], new[y == 1], levels),
        "nonevents_table_old_by_new": ev.confusion(old[y == 0], new[y == 0], levels),
    }


def improvement(found, test, y, move):
    """The numbers of improveProb; the shares that move are its by-product."""
    named = {each.metric: each for each in found if each.test in (test, "idi")}
    nri = {
        "n": named["nri"].n,
        "n_events": int(y.sum()),
        "n_nonevents": int((y == 0).sum()),
        "p_up_events": (move[y == 1] > 0).mean(),
        "p_down_events": (move[y == 1] < 0).mean(),
        "p_up_nonevents": (move[y == 0] > 0).mean(),
        "p_down_nonevents": (move[y == 0] < 0).mean(),
        **with_limits(named["nri"], "nri"),
        **with_limits(named["nri_events"], "nri_events"),
        **with_limits(named["nri_nonevents"], "nri_nonevents"),
    }
    return nri, with_limits(named["idi"], "idi")


def with_limits(found, name):
    if not found.difference:
        # R divides 0 by 0; two equal models are not different.
        assert (found.statistic, found.p) == (0, 1)
    same = found.low == found.high
    return {
        name: found.difference,
        f"{name}_se": (found.high - found.low) / (2 * 1.959963984540054),
        f"{name}_z": None if same else found.statistic,
        f"{name}_p": None if same else found.p,
        f"{name}_ci95_lower": found.low,
        f"{name}_ci95_upper": found.high,
    }
