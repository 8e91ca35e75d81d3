"""Evidence of IBSI compliance: our values of the IBSI's phantoms beside its consensus values.

The committed table is made anew by::

    python -m radfusion.extraction.ibsi FOLDER --table radfusion/extraction/ibsi.csv --page docs/ibsi.md

where FOLDER is a copy of the IBSI's data sets (it holds ``ibsi_1_ct_radiomics_phantom``).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from radfusion.core.scan import Scan
from radfusion.errors import CaseError
from radfusion.extraction._ibsi_phantoms import (
    CONFIGURATIONS,
    Configuration,
    ct_phantom,
    digital_phantom,
    on_ibsi_grid,
)
from radfusion.extraction.dictionary import dictionary
from radfusion.extraction.engine import measure
from radfusion.extraction.parameters import Parameters

__all__ = ["REASONS", "compare_ibsi", "ibsi_table", "summarise_ibsi"]

#: Reference values, as the IBSI's reference manual gives them, with our values as they were last computed.
TABLE = Path(__file__).with_name("ibsi.csv")

#: Why a value is not the IBSI's. All but the third are in PyRadiomics' documentation.
REASONS: Mapping[str, str] = {
    "resampling": "PyRadiomics aligns the resampled grid by the corner of the first voxel, not by the centre of the "
    "image, does not round the intensities, and resamples the mask by nearest neighbour, not by half coverage.",
    "kurtosis": "PyRadiomics does not subtract 3 from the kurtosis.",
    "covariance": "PyRadiomics divides the covariance of the voxel centres by their number; the consensus value "
    "follows from a division by one less. (Not in its documentation; of weight in tiny regions only.)",
    "grey levels": "PyRadiomics counts bins of fixed width from the lowest intensity of the region, the IBSI from the "
    "lower end of the range: every grey level is lower by the same number.",
    "no such feature": "PyRadiomics has no such feature.",
    "no such aggregation": "PyRadiomics does not average or merge by slice.",
    "no reference value": "The IBSI found no consensus on this value.",
    "unexplained": "No reason is known.",
}

_FAMILIES = ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
#: Features that PyRadiomics refuses to compute because another one has the same value.
_SAME = {"8S9J": "glcm_DifferenceAverage", "OEEB": "glcm_ClusterTendency", "5SPA": "firstorder_Uniformity"}
_KURTOSIS, _AXES = "IPH6", ("TDIC", "P9VJ", "7J51")
_COMPUTED = ["ours", "value", "result", "reason", "corrected"]

Values = Mapping[str, float]


def ibsi_table() -> pd.DataFrame:
    """The committed table, one row per reference value.

    Returns
    -------
    pandas.DataFrame
        Columns ``feature``, ``code``, ``data`` (phantom or configuration), ``aggregation``, ``consensus``,
        ``reference``, ``tolerance``, ``ours`` (name of our feature), ``value``, ``result`` (match, differs, not
        offered, no reference), ``reason`` (a key of :data:`REASONS`) and ``corrected``: our value once the reason is
        removed, where that can be done.

    Examples
    --------
    >>> table = ibsi_table()
    >>> len(table), (table["reason"] == "unexplained").sum()
    (1804, np.int64(0))
    """
    table = pd.read_csv(TABLE, keep_default_na=False)
    numbers = ["reference", "tolerance", "value", "corrected"]
    return table.assign(**{name: pd.to_numeric(table[name]) for name in numbers})


def compare_ibsi(phantoms: str | Path | None = None) -> pd.DataFrame:
    """Compute our values anew and compare them with the consensus values.

    A value matches when, rounded to three significant digits as the reference value is, it differs from it by no more
    than the tolerance.

    Parameters
    ----------
    phantoms : path, optional
        Copy of the IBSI's data sets; the digital phantom alone, which needs no file, when not given.

    Returns
    -------
    pandas.DataFrame
        As :func:`ibsi_table`, with the rows of the configurations that were computed.

    Raises
    ------
    CaseError
        When the CT phantom cannot be read.

    References
    ----------
    .. [1] Zwanenburg A, et al. The Image Biomarker Standardization Initiative. Radiology 2020;295:328-38.
       doi:10.1148/radiol.2020191145
    """
    digital, *others = CONFIGURATIONS
    parts = [_compared(digital_phantom(), digital)]
    if phantoms is not None:
        scan = ct_phantom(Path(phantoms))
        parts += [_compared(scan, configuration) for configuration in others]
    return pd.concat(parts).sort_index()


def _compared(scan: Scan, configuration: Configuration) -> pd.DataFrame:
    """Rows of the table of one configuration, computed anew."""
    known = ibsi_table().drop(columns=_COMPUTED)
    rows = known[known["data"] == configuration.name]
    ours = _Ours.of(scan, configuration)
    asked = zip(rows["code"], rows["aggregation"], rows["reference"], rows["tolerance"].fillna(0.0), strict=True)
    judged = [ours.judged(code, way, reference=value, tolerance=off) for code, way, value, off in asked]
    return rows.join(pd.DataFrame(judged, columns=_COMPUTED, index=rows.index))


def summarise_ibsi(table: pd.DataFrame) -> pd.DataFrame:
    """Counts per phantom or configuration: compared, matching, differing by reason, not offered, without reference."""
    rows: list[dict[str, str | int]] = []
    for name, part in table.groupby("data", sort=False):
        counts = part["result"].value_counts()
        reasons = part.loc[part["result"] == "differs", "reason"].value_counts()
        row: dict[str, str | int] = {"data": str(name), "references": len(part)}
        row |= {"compared": int(counts.get("match", 0) + reasons.sum()), "match": int(counts.get("match", 0))}
        row |= {reason: int(reasons.get(reason, 0)) for reason in REASONS if not reason.startswith("no ")}
        rows.append(row | {result: int(counts.get(result, 0)) for result in ("not offered", "no reference")})
    order = {each.name: place for place, each in enumerate(CONFIGURATIONS)}
    rows.sort(key=lambda each: order[str(each["data"])])
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class _Ours:
    """Our values of one configuration: as PyRadiomics prepares the phantom, and as the IBSI does."""

    configuration: Configuration
    n: int
    plain: Mapping[str, Values]
    on_grid: Mapping[str, Values]

    @classmethod
    def of(cls, scan: Scan, configuration: Configuration) -> _Ours:
        settings = {**configuration.settings, **configuration.resampling()}
        plain = _by_aggregation(scan, settings, configuration.planes)
        if not configuration.spacing:
            return cls(configuration, scan.n_roi, plain, {})
        again, settings = on_ibsi_grid(scan, configuration)
        return cls(configuration, scan.n_roi, plain, _by_aggregation(again, settings, configuration.planes))

    def judged(self, code: str, aggregation: str, *, reference: float, tolerance: float) -> tuple[Any, ...]:
        """Our feature, its value, the result, the reason and the value without it."""
        ours = _names().get(code)
        if ours is None:
            return ("", math.nan, "not offered", "no such feature", math.nan)
        if aggregation not in self.plain:
            return (ours, math.nan, "not offered", "no such aggregation", math.nan)
        value = self.plain[aggregation][ours]
        if math.isnan(reference):
            return (ours, value, "no reference", "no reference value", math.nan)
        if _matches(value, reference, tolerance):
            return (ours, value, "match", "", math.nan)
        for reason, corrected in self._corrections(code, ours, aggregation):
            if _matches(corrected, reference, tolerance):
                return (ours, value, "differs", reason, corrected)
        settings = self.configuration.settings
        shifted = "binWidth" in settings and "resegmentRange" in settings and not ours.startswith("original_firstorder")
        return (ours, value, "differs", "grey levels" if shifted else "unexplained", math.nan)

    def _corrections(self, code: str, ours: str, aggregation: str) -> list[tuple[str, float]]:
        value = self.plain[aggregation][ours]
        less = 3.0 if code == _KURTOSIS else 0.0
        found = [("kurtosis", value - 3.0)] if less else []
        if code in _AXES:
            found.append(("covariance", value * math.sqrt(self.n / (self.n - 1))))
        if self.on_grid:
            found.append(("kurtosis" if less else "resampling", self.on_grid[aggregation][ours] - less))
        return found


def _by_aggregation(scan: Scan, settings: Mapping[str, Any], planes: Sequence[bool]) -> dict[str, Values]:
    """Values by the IBSI's word for how texture is aggregated; what knows no aggregation is under ``""``."""
    found: dict[str, Values] = {}
    for flat in planes:
        averaged = _measured(scan, {**settings, "force2D": flat})
        merged = _measured(scan, {**settings, "force2D": flat, "weightingNorm": "no_weighting"})
        way = "2.5D" if flat else "3D"
        found |= {f"{way}, {'direction-merged' if flat else 'averaged'}": averaged, f"{way}, merged": merged}
        found |= {way: averaged} | ({} if "" in found else {"": averaged})
    return found


def _measured(scan: Scan, settings: Mapping[str, Any]) -> Values:
    shape = tuple(name.rsplit("_", 1)[-1] for name in _names().values() if "_shape_" in name)
    classes = {"shape": shape, **dict.fromkeys(_FAMILIES, ())}
    (measured,) = measure(scan.image, [scan.roi], scan.spacing or (), Parameters({"Original": {}}, classes, settings))
    if isinstance(measured, CaseError):
        raise measured
    return measured.values


def _names() -> dict[str, str]:
    """Our feature by IBSI code."""
    table = dictionary()
    kept = table[(table["ibsi_code"] != "") & ~table["deviation"].str.startswith("Deprecated")]
    return dict(zip(kept["ibsi_code"], kept["feature"], strict=True)) | {k: f"original_{v}" for k, v in _SAME.items()}


def _matches(value: float, reference: float, tolerance: float) -> bool:
    rounded = float(f"{value:.3g}")
    return abs(rounded - reference) <= tolerance + 1e-9 * abs(reference)


def _page(table: pd.DataFrame) -> str:
    """Summary as a table of Markdown."""
    summary = summarise_ibsi(table)
    rows = [list(summary.columns), ["---"] * len(summary.columns), *summary.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def _main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m radfusion.extraction.ibsi", description="Make the table anew.")
    parser.add_argument("phantoms", type=Path, help="copy of the IBSI's data sets")
    parser.add_argument("--table", type=Path, default=TABLE, help="CSV file to write")
    parser.add_argument("--page", type=Path, help="page whose marked part gets the summary")
    given = parser.parse_args(arguments)
    table = compare_ibsi(given.phantoms)
    table.to_csv(given.table, index=False, lineterminator="\n", float_format="%.12g")
    if given.page:
        before, rest = given.page.read_text(encoding="utf-8").split("<!-- table -->\n")[:2]
        after = rest.split("<!-- end -->")[1]
        text = f"{before}<!-- table -->\n{_page(table)}\n<!-- end -->{after}"
        given.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _main()
