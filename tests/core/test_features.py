from __future__ import annotations

import pandas as pd
import pytest

from radfusion.core.features import FeatureTable
from radfusion.errors import FeatureError


def make(source: str, cases: list[str]) -> FeatureTable:
    return FeatureTable(pd.DataFrame({f"{source}:x": range(len(cases))}, index=cases, dtype=float))


def test_join_keeps_the_cases_of_both_in_the_first_tables_order() -> None:
    joined = make("a", ["3", "1", "2"]).join(make("b", ["1", "3", "4"]))
    assert list(joined.frame.index) == ["3", "1"]
    assert joined.sources == ("a", "b")


def test_join_of_the_same_source_is_refused() -> None:
    with pytest.raises(FeatureError, match="share the source 'a'"):
        make("a", ["1"]).join(make("a", ["1"]))


def test_restrict_to_an_absent_case_is_refused() -> None:
    with pytest.raises(FeatureError, match="no row for 1 cases, first '9'"):
        make("a", ["1"]).restrict(["9"])


def test_repeated_cases_are_refused() -> None:
    with pytest.raises(FeatureError, match="case names must be unique; twice: 1"):
        make("a", ["1", "1"])


def test_hash_sees_names_and_values() -> None:
    hashes = {make("a", ["1", "2"]).hash(), make("a", ["2", "1"]).hash(), make("b", ["1", "2"]).hash()}
    assert len(hashes) == 3
