"""The self-test of deep features in lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from radfusion.core.deep_features import health_concerns, self_test_concerns
from radfusion.core.selftest import ChannelRange, ProfileFit, SelfTest
from radfusion.report.wording import count, fixed, percent, sentence

__all__ = ["self_test_lines"]


def self_test_lines(found: SelfTest, health: Mapping[str, float]) -> list[str]:
    """Readable tables and a verdict.

    Parameters
    ----------
    found : SelfTest
        What was found.
    health : mapping
        Of :func:`radfusion.networks.health.feature_health`, on the same cases.
    """
    lines = [f"self-test on {count(found.n_cases, 'case')}, {count(found.n_pictures, 'picture')}", ""]
    lines += _profiles(found)
    lines += ["", "numbers at the network's input", *_columns(_RANGES, [_range(each) for each in found.channels])]
    lines += [f"black pixels {percent(found.black)}, white pixels {percent(found.white)}", ""]
    lines += ["features", *_columns(("", ""), _health(found, health))]
    concerns = [*self_test_concerns(found), *health_concerns(health)]
    return [*lines, "", *(f"WARNING: {sentence(each)}" for each in concerns), *([] if concerns else ["no warning"])]


_FITS = ("preparation of the pictures", "distance", "mean |z|", "SD factor", "")
_RANGES = ("channel", "min", "max", "mean", "SD", "black", "white")


def _profiles(found: SelfTest) -> list[str]:
    if found.profiles_reason:
        return [f"agreement with batch normalisation: not applicable, {found.profiles_reason}"]
    rows = [_fit(each, found.better) for each in found.profiles]
    return ["agreement with batch normalisation, the nearest first", *_columns(_FITS, rows)]


def _fit(each: ProfileFit, better: str | None) -> tuple[str, ...]:
    word = "this source" if each.own else "FITS BETTER" if each.profile == better else ""
    return (each.title, fixed(each.distance), fixed(each.mean_shift), fixed(each.spread_ratio, 2), word)


def _range(each: ChannelRange) -> tuple[str, ...]:
    numbers = (each.minimum, each.maximum, each.mean, each.sd, each.black, each.white)
    return (each.channel, *(fixed(number, 2) for number in numbers))


def _health(found: SelfTest, health: Mapping[str, float]) -> list[tuple[str, str]]:
    like = found.control_similarity
    return [
        ("first principal component", percent(health["first_component_share"])),
        ("components for 90% of the variance", f"{health['components_90']:.0f}"),
        ("effective rank", fixed(health["effective_rank"], 1)),
        ("units that never change", percent(health["constant_share"])),
        ("units that hardly change", percent(health["near_constant_share"])),
        ("similarity to random weights (CKA)", fixed(like, 2) if like is not None else f"none: {found.control_reason}"),
    ]


def _columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows under their head, the first column to the left, the others to the right."""
    table = [list(head), *map(list, rows)] if any(head) else [list(row) for row in rows]
    widths = [max(len(row[at]) for row in table) for at in range(len(head))]
    return [
        "  " + "  ".join(text.ljust(width) if at == 0 else text.rjust(width) for at, (text, width) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in table)
    ]
