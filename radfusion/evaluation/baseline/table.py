"""The baseline table: who is in each group, and whether the groups differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from radfusion.core.results import Comparison, Estimate
from radfusion.errors import EvaluationError
from radfusion.evaluation._inputs import Floats
from radfusion.evaluation.baseline._samples import is_one_value, mean
from radfusion.evaluation.baseline._variables import Groups, Variable, groups_of, variables_of
from radfusion.evaluation.baseline.assumptions import shapiro_test
from radfusion.evaluation.baseline.counts import chi_square_test, expected_counts, fisher_test
from radfusion.evaluation.baseline.differences import smd, smd_counts
from radfusion.evaluation.baseline.k_samples import anova_test, kruskal_test
from radfusion.evaluation.baseline.two_samples import mann_whitney_test, t_test

__all__ = ["baseline_table", "describe_groups"]

Compare = Literal["rule", "means", "ranks"]

_MANY, _SKEWED, _ALPHA, _LEAST_EXPECTED = 30, 1.0, 0.05, 5.0
_TESTED = ("test", "statistic", "df", "df_denominator", "p", "smd", "rule", "reason")


@dataclass(frozen=True)
class _Choice:
    """A test and the rule that chose it."""

    tested: Comparison
    rule: str
    smd: float | None = None


def describe_groups(frame: pd.DataFrame, groups: ArrayLike, *, numbers: Sequence[str] | None = None) -> pd.DataFrame:
    """Describe every variable in every group, unrounded: one row per variable, level and group.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per case, one column per variable.
    groups : (n,) array
        Group of each case.
    numbers : sequence of str, optional
        Columns that hold numbers; the others hold categories. By default those of a numeric type with more than two
        different values.

    Returns
    -------
    pandas.DataFrame
        Columns ``variable``, ``level`` (empty for numbers), ``group``, ``n`` (known values), ``missing``; for numbers
        ``mean``, ``sd``, ``median``, ``q1``, ``q3`` (quartiles by linear interpolation, R's type 7), ``minimum``,
        ``maximum``, in the unit of the variable; for levels ``count`` and ``share`` (of the known values).

    Raises
    ------
    EvaluationError
        When a column of `numbers` does not exist or holds something else, or a group is missing.

    Examples
    --------
    >>> cases = pd.DataFrame({"age": [61, 70, None, 55], "sex": list("fmmf")})
    >>> found = describe_groups(cases, ["a", "a", "b", "b"])
    >>> found[["variable", "level", "group", "n", "missing", "mean", "count"]].to_dict("records")[1]
    {'variable': 'age', 'level': '', 'group': 'b', 'n': 1, 'missing': 1, 'mean': 55.0, 'count': nan}
    """
    grouped = groups_of(groups, len(frame))
    rows = [row for each in variables_of(frame, numbers) for row in _descriptions(each, grouped)]
    return pd.DataFrame(rows, columns=["variable", "level", "group", "n", "missing", *_NUMBERS, "count", "share"])


def baseline_table(
    frame: pd.DataFrame,
    groups: ArrayLike,
    *,
    numbers: Sequence[str] | None = None,
    compare: Compare = "rule",
    seed: int = 0,
) -> pd.DataFrame:
    """Table of the groups' characteristics: one row per variable, then one per level of a category.

    Numbers are compared by means (Welch's t test, or Welch's analysis of variance for three or more groups) where every
    group has 30 or more values with a skewness from -1 to 1, or 3 to 29 values that Shapiro-Wilk's test does not reject
    (P >= .05); otherwise by ranks (Mann-Whitney, Kruskal-Wallis). They are summarised likewise, by mean (SD) or median
    (Q1, Q3). Categories are compared by the chi-square test without correction where all expected counts are 5 or more,
    otherwise by Fisher's exact test. The rule that chose stands in each row. A P value says whether chance could make
    such a difference, the SMD how large it is; a large P value does not show that groups are equal.

    Missing values are left out of summaries and tests, and counted in ``missing`` and in a row of their own: that row's
    percentages are of all cases of the group, those of levels of the known ones.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per case, one column per variable.
    groups : (n,) array
        Group of each case.
    numbers : sequence of str, optional
        Columns that hold numbers; the others hold categories. By default those of a numeric type with more than two
        different values.
    compare : {"rule", "means", "ranks"}
        How numbers are compared where the protocol fixed it beforehand.
    seed : int
        Seed of the random tables where there are too many for Fisher's exact test.

    Returns
    -------
    pandas.DataFrame
        Columns ``variable``, ``level``, ``summary`` (what the cells hold), one of text for all cases and one per group,
        headed by its name and number of cases; ``test``, ``statistic``, ``df``, ``df_denominator``, ``p``, ``smd``
        (absolute standardised mean difference, the largest of all pairs of groups), ``rule``, ``reason`` (why a number
        is not there), ``missing`` (number of cases).

    Raises
    ------
    EvaluationError
        When a column of `numbers` does not exist or holds something else, or a group is missing.

    References
    ----------
    .. [1] Cochran WG. Some methods for strengthening the common chi-square tests. Biometrics 1954;10:417-451.
       doi:10.2307/3001616

    Examples
    --------
    >>> cases = pd.DataFrame({"age": [61, 70, 58, 55, 49, 66, 52, 60], "sex": list("fmmfffmm")})
    >>> found = baseline_table(cases, list("aaaabbbb"))
    >>> found[["variable", "level", "a (n = 4)", "test"]].to_dict("records")[:2]
    [{'variable': 'age', 'level': '', 'a (n = 4)': '61.00 (6.48)', 'test': 't_welch'},
     {'variable': 'sex', 'level': '', 'a (n = 4)': '', 'test': 'fisher_exact'}]
    """
    if compare not in {"rule", "means", "ranks"}:
        raise EvaluationError(f"compare is {compare!r}; allowed are rule, means, ranks")
    grouped = groups_of(groups, len(frame))
    everyone = Groups(("all",), np.zeros_like(grouped.codes))
    sides = [everyone, grouped] if len(grouped.names) > 1 else [grouped]
    heads = [f"{name} (n = {n})" for side in sides for name, n in zip(side.names, np.bincount(side.codes), strict=True)]
    rows = []
    for variable in variables_of(frame, numbers):
        if variable.levels is None:
            choice = _choose_for_numbers(variable, grouped, compare)
        else:
            choice = _choose_for_counts(variable, grouped, seed)
        rows += _rows(variable, choice, sides=sides, heads=heads)
    return pd.DataFrame(rows, columns=["variable", "level", "summary", *heads, *_TESTED, "missing"])


_NUMBERS = ("mean", "sd", "median", "q1", "q3", "minimum", "maximum")


def _descriptions(variable: Variable, groups: Groups) -> list[dict[str, Any]]:
    missing, parts = variable.missing(groups), variable.parts(groups)
    known = [
        {"variable": variable.name, "group": name, "n": len(part), "missing": int(gone)}
        for name, part, gone in zip(groups.names, parts, missing, strict=True)
    ]
    if variable.levels is None:
        return [{**each, "level": "", **_summary(part)} for each, part in zip(known, parts, strict=True)]
    return [
        {**each, "level": level, "count": int(count), "share": count / each["n"] if each["n"] else None}
        for level, column in zip(variable.levels, variable.table(groups).T, strict=True)
        for each, count in zip(known, column, strict=True)
    ]


def _summary(part: Floats) -> dict[str, float | None]:
    if not len(part):
        return dict.fromkeys(_NUMBERS)
    q1, median, q3 = np.quantile(part, [0.25, 0.5, 0.75]).tolist()
    sd = float(part.std(ddof=1)) if len(part) > 1 else None
    found = (mean(part), sd, median, q1, q3, float(part.min()), float(part.max()))
    return dict(zip(_NUMBERS, found, strict=True))


def _choose_for_numbers(variable: Variable, groups: Groups, compare: Compare) -> _Choice:
    parts = variable.parts(groups)
    why = [f"{text} in {name!r}" for name, part in zip(groups.names, parts, strict=True) if (text := _no_mean(part))]
    ranks = compare == "ranks" or (compare == "rule" and bool(why))
    rule = f"{'ranks' if ranks else 'means'} were asked for" if compare != "rule" else f"ranks: {'; '.join(why)}"
    if compare == "rule" and not why:
        rule = f"means: skewness from -1 to 1 in each group of {_MANY} or more, Shapiro-Wilk P >= .05 in smaller ones"
    if reason := _no_groups(groups, [len(part) for part in parts]):
        test = "mann_whitney" if ranks else "t_welch"
        return _Choice(_untested(test, reason), rule)
    if len(parts) == 2:
        tested = mann_whitney_test(*parts) if ranks else t_test(*parts)
    else:
        joined, codes = np.concatenate(parts), np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        tested = kruskal_test(joined, codes) if ranks else anova_test(joined, codes, equal_variance=False)
    return _Choice(tested, rule, _largest([smd(a, b) for a, b in combinations(parts, 2)]))


def _choose_for_counts(variable: Variable, groups: Groups, seed: int) -> _Choice:
    table = variable.table(groups)
    if reason := _no_groups(groups, table.sum(axis=1).tolist()):
        return _Choice(_untested("chi_square", reason), "")
    if table.shape[1] < 2:
        return _Choice(_untested("chi_square", "all known values are the same: no test is possible"), "")
    least = float(expected_counts(table).min())
    if least >= _LEAST_EXPECTED:
        tested, rule = chi_square_test(table, continuity=False), "chi-square: all expected counts are 5 or more"
    else:
        tested, rule = fisher_test(table, seed=seed), f"Fisher: the smallest expected count is {least:.1f}, below 5"
    return _Choice(tested, rule, _largest([smd_counts(table[[i, j]]) for i, j in combinations(range(len(table)), 2)]))


def _no_mean(part: Floats) -> str | None:
    """Why the mean does not describe a group well."""
    if len(part) < 3 or is_one_value(part):
        return "fewer than 3 different values" if len(part) else "no value"
    if len(part) >= _MANY:
        skewness = float(((part - part.mean()) ** 3).mean() / part.std() ** 3)
        return f"skewness {skewness:.2f}" if abs(skewness) > _SKEWED else None
    p = shapiro_test(part).p
    return f"Shapiro-Wilk P = {p:.3g}" if p is not None and p < _ALPHA else None


def _no_groups(groups: Groups, sizes: Sequence[int]) -> str | None:
    if len(sizes) < 2:
        return "there is one group: no test is possible"
    empty = [name for name, n in zip(groups.names, sizes, strict=True) if n == 0]
    return f"all values of {empty[0]!r} are missing: no test is possible" if empty else None


def _untested(test: str, reason: str) -> Comparison:
    return Comparison(test=test, metric="none", difference=None, paired=False, reason=reason)


def _largest(differences: list[Estimate]) -> float | None:
    return max((abs(each.value) for each in differences if each.value is not None), default=None)


def _rows(variable: Variable, choice: _Choice, *, sides: list[Groups], heads: list[str]) -> list[dict[str, Any]]:
    shared = {"variable": variable.name, "level": "", "missing": int((~variable.known).sum())}
    tested = {key: getattr(choice.tested, key) for key in ("test", "statistic", "df", "df_denominator", "p", "reason")}
    first = {**shared, **tested, "smd": choice.smd, "rule": choice.rule, "summary": "", **dict.fromkeys(heads, "")}
    if variable.levels is None:
        ranks = choice.rule.startswith("ranks")
        decimals = _decimals(variable.values[variable.known], ranks=ranks)
        cells = [_number_cell(part, decimals, ranks=ranks) for side in sides for part in variable.parts(side)]
        first |= {"summary": "median (Q1, Q3)" if ranks else "mean (SD)", **dict(zip(heads, cells, strict=True))}
    blank = {
        "test": "",
        "rule": "",
        "reason": None,
        "summary": "n (%)",
        **{key: first[key] for key in ("variable", "missing")},
    }
    rows = [first]
    for k, level in enumerate(variable.levels or ()):
        found = [row for side in sides for row in variable.table(side).tolist()]
        cells = [_count_cell(row[k], sum(row)) for row in found]
        rows.append({**blank, "level": level, **dict(zip(heads, cells, strict=True))})
    if not variable.known.all():
        gone = [n for side in sides for n in variable.missing(side).tolist()]
        sizes = [n for side in sides for n in np.bincount(side.codes).tolist()]
        cells = [_count_cell(n, size) for n, size in zip(gone, sizes, strict=True)]
        rows.append({**blank, "level": "missing", **dict(zip(heads, cells, strict=True))})
    return rows


def _decimals(known: Floats, *, ranks: bool) -> int:
    """Decimals that show three digits of the spread of all values; one where there is none."""
    if len(known) < 2 or is_one_value(known):
        return 1
    q1, q3 = np.quantile(known, [0.25, 0.75])
    spread = (q3 - q1 if ranks else 0) or known.std(ddof=1)
    return min(9, max(0, 2 - int(np.floor(np.log10(spread)))))


def _number_cell(part: Floats, decimals: int, *, ranks: bool) -> str:
    found = _summary(part)
    centre, spread = (found["median"], (found["q1"], found["q3"])) if ranks else (found["mean"], (found["sd"],))
    if centre is None:
        return ""
    words = ", ".join("not estimable" if each is None else f"{each:.{decimals}f}" for each in spread)
    return f"{centre:.{decimals}f} ({words})"


def _count_cell(count: int, n: int) -> str:
    return f"{count} ({100 * count / n:.1f}%)" if n else "0"
