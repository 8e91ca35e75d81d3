"""The feature dictionary: what every feature is, in which unit, and what the IBSI calls it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from radfusion.core.registry import nearest
from radfusion.errors import UnknownNameError

__all__ = ["FILTER_WORDS", "FeatureEntry", "describe", "dictionary"]

#: One line per feature of PyRadiomics: family, name, definition, formula, unit, IBSI code and name, deviation.
TABLE = Path(__file__).with_name("features.csv")

#: First word of an image type (``log-sigma-1-0-mm-3D`` begins with ``log``) to what its pixels are.
FILTER_WORDS: Mapping[str, str] = {
    "original": "the image as it is",
    "log": "response of the Laplacian of Gaussian; the name says sigma in mm",
    "wavelet": "one wavelet band; a letter per axis: L low-pass, H high-pass",
    "square": "squared intensities, scaled to the range of the image",
    "squareroot": "square root of the intensities, scaled to the range of the image",
    "logarithm": "logarithm of the intensities, scaled to the range of the image",
    "exponential": "exponential of the intensities, scaled to the range of the image",
    "gradient": "magnitude of the gradient",
    "lbp": "local binary pattern",
}

_PER_DIRECTION = "mean over directions of one matrix each (IBSI: 3D averaged; on films 2.5D direction-merged)"
_ONE_MATRIX = "one matrix of all directions (IBSI: 3D; on films 2.5D)"
_AGGREGATION = {
    "shape": "none",
    "shape2D": "none",
    "firstorder": "none",
    "glcm": _PER_DIRECTION,
    "glrlm": _PER_DIRECTION,
    "glszm": _ONE_MATRIX,
    "gldm": _ONE_MATRIX,
    "ngtdm": _ONE_MATRIX,
}

#: Poolings of deep features: what the mean is over, and its formula.
_POOLINGS = {
    "global": ("all places", "sum over rows and columns of a(channel) / (rows × columns)"),
    "roi": (
        "the places inside the ROI",
        "sum over rows and columns of w × a(channel) / sum of w; w: share of the place that lies inside the ROI",
    ),
}


@dataclass(frozen=True)
class FeatureEntry:
    """What one feature is.

    Attributes
    ----------
    feature : str
        Name as in a feature table, without its source.
    family : str
        Class of PyRadiomics (``glcm``), or how a deep feature is pooled: ``global``, ``roi``.
    image_type : str
        Image that the feature is taken from: ``original``, ``wavelet-LH``; network and layer, ``resnet50.layer4``.
    image : str
        What the pixels of that image are.
    definition, formula : str
        In words, and in the symbols that ``docs/features.md`` explains.
    unit : str
        ``mm``, ``mm2``, ``mm3``, ``1/mm``, ``intensity unit`` and its powers, ``filter response``, ``none``.
    aggregation : str
        How directions of a texture become one number.
    ibsi_code, ibsi_name : str
        Permanent code and name of the IBSI reference manual; empty where it has none.
    deviation : str
        Documented difference of PyRadiomics from the IBSI definition; empty where there is none.
    """

    feature: str
    family: str
    image_type: str
    image: str
    definition: str
    formula: str
    unit: str
    aggregation: str
    ibsi_code: str
    ibsi_name: str
    deviation: str


def describe(feature: str) -> FeatureEntry:
    """Entry of a feature, by its name in a feature table, with or without its source.

    Parameters
    ----------
    feature : str
        For example ``original_glcm_Contrast``, ``radiomics:wavelet-LH_firstorder_Mean`` or
        ``resnet50.layer3_global_0007``.

    Raises
    ------
    UnknownNameError
        When neither PyRadiomics nor a network gives such a feature.

    Examples
    --------
    >>> entry = describe("original_firstorder_Kurtosis")
    >>> entry.ibsi_code, entry.unit
    ('IPH6', 'none')
    >>> describe("log-sigma-2-0-mm_firstorder_Mean").unit
    'filter response'
    """
    bare = feature.rsplit(":", 1)[-1]
    image_type, family, name = (*bare.rsplit("_", 2), "", "")[:3]
    if family in _POOLINGS and name.isdigit() and "." in image_type:
        return _deep(bare, image_type, family, channel=int(name))
    word = re.match(r"[a-z]*", image_type).group()  # type: ignore[union-attr]
    if word not in FILTER_WORDS:
        raise UnknownNameError(f"feature {feature!r}: no image type begins like that; {nearest(word, [*FILTER_WORDS])}")
    known = _table()
    if (family, name) not in known:
        listed = [f"{image_type}_{other}_{each}" for other, each in known]
        close = nearest(bare, listed).split(" known: ")[0]
        raise UnknownNameError(f"feature {feature!r} is not one of PyRadiomics; {close}")
    entry = dict(known[family, name])
    if word != "original":
        entry["unit"] = entry["unit"].replace("intensity unit", "filter response")
    return FeatureEntry(
        feature=bare,
        family=family,
        image_type=image_type,
        image=FILTER_WORDS[word],
        aggregation=_AGGREGATION[family],
        **entry,
    )


def dictionary(features: Iterable[str] | None = None) -> pd.DataFrame:
    """Entries of features as a table, one row each.

    Parameters
    ----------
    features : iterable of str, optional
        Names of features, as :func:`describe` takes them; every feature of the original image when not given.

    Returns
    -------
    pandas.DataFrame
        Columns are the attributes of :class:`FeatureEntry`.

    Examples
    --------
    >>> table = dictionary()
    >>> len(table), table.set_index("feature").at["original_glcm_Contrast", "ibsi_code"]
    (127, 'ACUI')
    """
    names = [f"original_{family}_{name}" for family, name in _table()] if features is None else features
    columns = [each.name for each in fields(FeatureEntry)]
    return pd.DataFrame([asdict(describe(name)) for name in names], columns=columns)


def _deep(feature: str, image_type: str, pooling: str, *, channel: int) -> FeatureEntry:
    network, _, layer = image_type.partition(".")
    places, formula = _POOLINGS[pooling]
    return FeatureEntry(
        feature=feature,
        family=pooling,
        image_type=image_type,
        image="the region and its surroundings, as the network is shown them",
        definition=f"Mean over {places} of channel {channel} of {layer} of {network}; it has no meaning of its own.",
        formula=formula,
        unit="none",
        aggregation="none",
        ibsi_code="",
        ibsi_name="",
        deviation="",
    )


@functools.cache
def _table() -> Mapping[tuple[str, str], Mapping[str, str]]:
    table = pd.read_csv(TABLE, dtype=str, keep_default_na=False)
    rows = [{str(key): str(value) for key, value in row.items()} for row in table.to_dict("records")]
    return {(row.pop("family"), row.pop("name")): row for row in rows}
