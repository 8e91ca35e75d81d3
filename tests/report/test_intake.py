"""The page of an intake: escaped, complete, of bounded size, the same bytes each time."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radfusion.core.results import AuditFinding, Exclusion
from radfusion.report.blocks import Table, cells
from radfusion.report.intake import IntakePage, PicturedCase, write_intake


def picture(grey: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((144, 100), grey, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def page(count: int = 12, warned: int = 1) -> IntakePage:
    table = Table(name="sets", caption="Sets", columns=("", "training"), rows=(cells(["Cases", str(count)]),))
    pictures = [
        PicturedCase(f"case {k}", "training", "<b>mild</b>", picture(k % 200), ("looks odd",) if k < warned else ())
        for k in range(count)
    ]
    return IntakePage(
        title="Films & <script>alert(1)</script>",
        verdict="1 of 13 cases cannot be used.",
        ready=False,
        findings=(
            AuditFinding(code="IN01", verdict="pass", message="Nothing unusual."),
            AuditFinding(code="RF03", verdict="fail", message="a = b"),
        ),
        exclusions=(Exclusion(case="bad", stage="read", reason="x.png: no such file"),),
        sets=table,
        acquisition=table,
        cases=table,
        pictures=tuple(pictures),
    )


def test_everything_is_on_the_page_and_nothing_is_live(tmp_path: Path) -> None:
    names = write_intake(page(), tmp_path)
    assert set(names) == {path.name for path in tmp_path.iterdir()}
    text = (tmp_path / "intake.html").read_text()
    assert "<script" not in text
    assert "&lt;b&gt;mild&lt;/b&gt;" in text
    assert "x.png: no such file" in text
    assert "looks odd" in text
    assert text.count('loading="lazy"') == 12
    assert text.index("a = b") < text.index("Nothing unusual."), "what fails comes first"
    assert json.loads((tmp_path / "findings.json").read_text())["warnings"] == {"case 0": ["looks odd"]}


def test_the_same_intake_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_intake(page(), tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_a_large_cohort_is_sampled_with_all_its_warned_cases(tmp_path: Path) -> None:
    size = len(picture(1))
    write_intake(page(40, warned=5), tmp_path, limit=12 * size)
    text = (tmp_path / "intake.html").read_text()
    assert text.count("looks odd") == 5
    assert 5 < text.count('loading="lazy"') <= 12
    assert "of 40 cases are shown" in text


@pytest.mark.parametrize(("count", "sheets"), [(12, 1), (400, 3)])
def test_contact_sheets_have_pages(count: int, sheets: int, tmp_path: Path) -> None:
    (tmp_path / "contact_sheet_09.png").write_bytes(b"of an earlier intake")
    write_intake(page(count), tmp_path)
    found = sorted(tmp_path.glob("contact_sheet*.png"))
    assert len(found) == sheets
    with Image.open(found[0]) as sheet:
        assert sheet.width == 1800
