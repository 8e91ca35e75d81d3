"""Documents say what the code does: names in them exist, and every command and key is described."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from typer.main import get_command

from radfusion.cli import app
from radfusion.evaluation.audit import AUDIT_RULES
from radfusion.pipelines.names import json_schema

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "pipelines").rglob("*.md"))]


def commands() -> list[str]:
    return sorted(get_command(app).commands)  # type: ignore[attr-defined]


def test_readme_names_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    assert [name for name in commands() if f"`{name}`" not in text and f"radfusion {name}" not in text] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_name_commands_that_exist(document: Path) -> None:
    named = re.findall(r"(?:`|^\s*|/)radfusion ([a-z]+)", document.read_text(), flags=re.MULTILINE)
    assert [name for name in named if name not in commands()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_link_to_files_that_exist(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_every_audit_rule_has_its_line() -> None:
    text = (ROOT / "docs" / "audit.md").read_text()
    codes = {re.match(r"RF\d\d", rule.__doc__ or "").group() for rule in AUDIT_RULES.items().values()}  # type: ignore[union-attr]
    assert [code for code in sorted(codes) if f"| {code} |" not in text] == []


def test_the_study_guide_names_every_section() -> None:
    text = (ROOT / "docs" / "study-file.md").read_text()
    assert [key for key in json_schema("study")["properties"] if f"`{key}" not in text and key != "kind"] == []


def test_the_guide_to_trust_runs() -> None:
    found = doctest.testfile(str(ROOT / "docs" / "trust.md"), module_relative=False)
    assert found.attempted > 15
    assert found.failed == 0


def test_the_guide_to_statistics_runs() -> None:
    found = doctest.testfile(str(ROOT / "docs" / "statistics.md"), module_relative=False)
    assert found.attempted > 30
    assert found.failed == 0


def test_the_readme_snippet_runs(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    monkeypatch.chdir(small / "study")
    monkeypatch.setenv("RADFUSION_CACHE", str(small / "cache"))
    found: dict[str, object] = {}
    exec(compile(snippet, "README.md", "exec"), found)  # noqa: S102 - our own README
    assert 0 <= found["test"].p <= 1  # type: ignore[attr-defined]
