"""The ledger of a cohort counts configurations, not runs, and holds no identifiers."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import pytest

from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.results import StudyResults
from radfusion.evaluation.audit import scored_sets
from radfusion.execution.progress import Progress
from radfusion.pipelines.ledger import Ledger, configuration_hash, set_hash
from radfusion.study import Study

Arms: TypeAlias = tuple[dict[str, FeatureTable], Cohort]
SETS = {"internal": "1" * 64, "external": "2" * 64}


class Heard(Progress):
    """Keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


def ledger(folder: Path, progress: Progress | None = None) -> Ledger:
    return Ledger(folder / "cohort.csv", folder / "cache", progress or Progress())


def lines(folder: Path) -> list[str]:
    return (folder / "cohort.ledger.jsonl").read_text().splitlines()


def study(text: str = "", *, table: str = "cohort.csv") -> Study:
    return Study.from_text(f"title: Fractures\ncohort: {{table: {table}, classes: ['0', '1']}}\n{text}")


def test_the_same_configuration_again_adds_nothing(tmp_path: Path) -> None:
    first, second = (ledger(tmp_path).register(SETS, "a" * 64) for _ in range(2))
    assert first == second
    assert [(each.set, each.ordinal, each.earlier) for each in first] == [("internal", 1, 0), ("external", 1, 0)]
    assert len(lines(tmp_path)) == 2


def test_another_configuration_is_counted_and_the_first_keeps_its_place(tmp_path: Path) -> None:
    orders = [[each.ordinal for each in ledger(tmp_path).register(SETS, name * 64)] for name in "abcab"]
    assert orders == [[1, 1], [2, 2], [3, 3], [1, 1], [2, 2]]


def test_neither_a_new_name_nor_a_few_other_cases_makes_a_set_new(tmp_path: Path) -> None:
    ledger(tmp_path).register(SETS, "a" * 64)
    renamed = ledger(tmp_path).register({"prospective": SETS["external"]}, "b" * 64)
    smaller = ledger(tmp_path).register({"internal": "3" * 64}, "b" * 64)
    other = ledger(tmp_path).register({"prospective": "4" * 64}, "c" * 64)
    assert [each[0].earlier for each in (renamed, smaller, other)] == [1, 1, 1]
    assert ledger(tmp_path / "elsewhere").table != ledger(tmp_path).table


def test_a_line_holds_hashes_version_and_day_only(tmp_path: Path) -> None:
    ledger(tmp_path).register(SETS, "a" * 64)
    facts = json.loads(lines(tmp_path)[0])
    assert set(facts) == {"set", "set_sha256", "configuration_sha256", "radfusion", "first_scored"}
    assert len(facts["first_scored"]) == len("2026-01-31")


@pytest.mark.parametrize("damage", ["{", "[]", '{"set": "internal"}', "\x00\xff"])
def test_a_damaged_line_is_named_kept_and_counted(tmp_path: Path, damage: str) -> None:
    ledger(tmp_path).register(SETS, "a" * 64)
    with (tmp_path / "cohort.ledger.jsonl").open("a") as file:
        file.write(damage)
    heard = Heard()
    found = ledger(tmp_path, heard).register(SETS, "b" * 64)
    assert [each.earlier for each in found] == [2, 2]
    assert heard.said == ["cohort.ledger.jsonl, line 3: damaged; it is kept and counts as an earlier scoring"]
    assert lines(tmp_path)[2] == damage
    assert len(lines(tmp_path)) == 5
    assert [each.earlier for each in ledger(tmp_path).register(SETS, "a" * 64)] == [0, 0]


def test_a_ledger_that_cannot_lie_beside_the_table_goes_to_the_cache(tmp_path: Path) -> None:
    (tmp_path / "cohort.ledger.jsonl").mkdir()
    heard = Heard()
    orders = [ledger(tmp_path, heard).register(SETS, name * 64)[0].ordinal for name in "aba"]
    assert orders == [1, 2, 1]
    assert "cohort.ledger.jsonl of the cache folder" in heard.said[0]
    assert str(tmp_path) not in heard.said[0]
    assert len(list((tmp_path / "cache").rglob("cohort.ledger.jsonl"))) == 1


CONCURRENT = """
import sys
from pathlib import Path
from radfusion.execution.progress import Progress
from radfusion.pipelines.ledger import Ledger
folder, name = Path(sys.argv[1]), sys.argv[2]
sys.stdin.read()
for number in range(20):
    ledger = Ledger(folder / "cohort.csv", folder / "cache", Progress())
    found = ledger.register({"external": "2" * 64}, f"{name}{number}")
    print(found[0].ordinal)
"""


def test_concurrent_runs_are_both_recorded(tmp_path: Path) -> None:
    reports = [(tmp_path / f"{name}.txt").open("w+") for name in "ab"]
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", CONCURRENT, str(tmp_path), name], stdin=subprocess.PIPE, stdout=report
                )
            )
            for name, report in zip("ab", map(stack.enter_context, reports), strict=True)
        ]
        for process in running:
            assert process.stdin is not None
            process.stdin.close()
        assert [process.wait() for process in running] == [0, 0]
    told = [int(each) for name in "ab" for each in (tmp_path / f"{name}.txt").read_text().split()]
    assert sorted(told) == list(range(1, 41))
    assert len({json.loads(line)["configuration_sha256"] for line in lines(tmp_path)}) == 40


def test_the_order_of_cases_does_not_make_another_set(simulated_arms: Arms) -> None:
    _, cohort = simulated_arms
    mixed = Cohort(cohort.frame.sample(frac=1, random_state=1), cohort.classes, cohort.root)
    relabelled = cohort.frame.assign(label=cohort.frame["label"].where(cohort.frame["set"] == "training", "0"))
    assert set_hash(mixed, "internal") == set_hash(cohort, "internal")
    assert set_hash(Cohort(relabelled, cohort.classes, cohort.root), "internal") != set_hash(cohort, "internal")


def test_words_and_paths_make_no_other_configuration_but_settings_do(simulated_arms: Arms) -> None:
    tables, cohort = simulated_arms
    words = "statements: {modality: radiograph}\n"
    alike = [study(), study(words), study(table="elsewhere/table.csv")]
    others = [study("seed: 5\n"), study("modelling: {folds: 4}\n"), study("evaluation: {level: 0.9}\n")]
    first, *same = [configuration_hash(each, cohort, tables) for each in alike]
    assert same == [first, first]
    assert len({configuration_hash(each, cohort, tables) for each in (*alike, *others)}) == 4


def test_other_features_or_training_cases_make_another_configuration(simulated_arms: Arms) -> None:
    tables, cohort = simulated_arms
    first = configuration_hash(study(), cohort, tables)
    table = tables["radiomics"]
    device, bins = (
        FeatureTable(table.frame, {"radiomics": {"settings": {"bins": bins}, "device": device}})
        for bins, device in ((32, "cuda"), (16, "cpu"))
    )
    fewer = cohort.without([cohort.of_set("training").frame.index[0]])
    assert configuration_hash(study(), cohort, tables | {"radiomics": device}) == first
    assert configuration_hash(study(), cohort, tables | {"radiomics": bins}) != first
    assert configuration_hash(study(), fewer, tables) != first


def test_a_run_registers_its_validation_sets_and_the_audit_counts_them(small_run: Path, small_study: Path) -> None:
    results = StudyResults.read(small_run)
    assert [(each.set, each.ordinal) for each in results.ledger] == [("internal", 1), ("external", 1)]
    text = (small_study.parent / "cohort" / "cohort.ledger.jsonl").read_text()
    assert results.ledger[0].configuration_sha256 in text
    cohort = Study.from_yaml(small_study).read_cohort()
    assert not any(str(name) in text for name in (*cohort.frame.index, *cohort.frame["patient"]))
    (finding,) = scored_sets(results)
    assert finding.verdict == "pass"
    later = tuple(each.model_copy(update={"ordinal": 3, "earlier": 2}) for each in results.ledger)
    (finding,) = scored_sets(results.model_copy(update={"ledger": later}))
    assert finding.verdict == "warn"
    assert "internal under 2, external under 2" in finding.message
