"""Figures: journal widths, fonts that stay text in PDF, lines that can be told apart."""

import re

import pytest

from radfusion.report.styles import PAPER

NAMES = ("flow", "lasso_deviance", "lasso_paths_early_imagenet", "coefficients_early_imagenet", "roc", "differences")


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_fits_on_a_page(written, name):
    svg = (written / "figures" / f"{name}.svg").read_text(encoding="utf-8")
    width, height = (25.4 / 72 * float(size) for size in re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups())
    assert width <= PAPER.double + 0.1
    assert height <= PAPER.tallest + 0.1


@pytest.mark.parametrize("name", NAMES)
def test_files_carry_no_date_and_no_outlined_text_in_pdf(written, name):
    pdf = (written / "figures" / f"{name}.pdf").read_bytes()
    assert b"CreationDate" not in pdf
    assert b"/Type3" not in pdf
    assert b"/FontFile2" in pdf
    assert "<dc:date>" not in (written / "figures" / f"{name}.svg").read_text(encoding="utf-8")


def test_seven_lines_differ_in_colour_and_in_dash():
    lines = [PAPER.line(at) for at in range(7)]
    assert len({line.colour for line in lines}) == len({line.dash for line in lines}) == 7


def test_a_colour_that_returns_has_another_dash():
    again = [(PAPER.line(at).colour, PAPER.line(at).dash) for at in range(21)]
    assert len(set(again)) == 21


def test_inline_figures_share_no_identifier(written):
    html = (written / "report.html").read_text(encoding="utf-8")
    figures = re.findall(r"<svg role=.*?</svg>", html, flags=re.DOTALL)
    identifiers = [set(re.findall(r' id="([^"]+)"', figure)) for figure in figures]
    assert len(figures) >= 6
    assert sum(map(len, identifiers)) == len(set().union(*identifiers))
