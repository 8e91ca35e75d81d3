"""Annex: how far our radiomic features are those of the IBSI, measured on its phantoms."""

from __future__ import annotations

from radfusion.extraction.ibsi import REASONS, ibsi_table, summarise_ibsi
from radfusion.report.blocks import Block, Cell, Data, Table, Text
from radfusion.report.index import Index
from radfusion.report.sections.base import SECTIONS, Section
from radfusion.report.wording import percent

__all__ = ["build"]

_WORDS = {"dig. phantom": "digital phantom"}
_WHAT = {
    "dig. phantom": "no processing",
    "config. A": "2D, fixed bin size",
    "config. B": "2D, resampled, fixed bin number",
    "config. C": "3D, resampled, fixed bin size",
    "config. D": "3D, resampled, fixed bin number, outliers removed",
    "config. E": "3D, resampled by splines, fixed bin number, outliers removed",
}


def build(index: Index) -> list[Block]:
    """The committed comparison in one table; nothing for a study without radiomic features."""
    if not any(each.kind == "radiomics" and each.available and not each.imported for each in index.results.sources):
        return []
    summary = summarise_ibsi(ibsi_table())
    plain = summary[summary["data"].isin(["dig. phantom", "config. A"])]
    share = percent(plain["match"].sum() / plain["compared"].sum())
    return [
        Text(
            f"{summary['references'].sum():,} consensus values of the Image Biomarker Standardisation Initiative stand "
            f"beside the values of this software; {summary['compared'].sum():,} of them can be compared. Without "
            f"resampling {share} match. The table was made once with the software, not on the images of this study."
        ),
        _table(),
    ]


def _table() -> Table:
    summary = summarise_ibsi(ibsi_table())
    shown = ["compared", "match", "resampling", "kurtosis", "covariance", "grey levels", "not offered"]
    rows = tuple(
        (
            Cell(_WORDS.get(row["data"], row["data"].replace("config.", "configuration"))),
            Cell(_WHAT[row["data"]]),
            *(Cell(f"{row[name]:,}", numeric=True) for name in shown),
        )
        for row in summary.to_dict("records")
    )
    return Table(
        name="ibsi",
        caption="Agreement with the IBSI's consensus values: values compared, values that match, and why the others "
        "do not.",
        columns=("Phantom", "Processing", *(name.capitalize() for name in shown)),
        rows=rows,
        notes=(
            *(f"{name.capitalize()}: {REASONS[name]}" for name in shown[2:6]),
            "Every value under resampling matches once the phantom is resampled as the IBSI does. Not offered: "
            "features and aggregations that PyRadiomics does not have.",
        ),
        data=Data(tuple(summary.columns), tuple(tuple(row) for row in summary.astype(object).to_numpy().tolist())),
    )


SECTIONS.add("ibsi", Section("Agreement with the IBSI (annex)", 97, build))
