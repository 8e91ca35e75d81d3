"""Threshold rules in words."""

from __future__ import annotations

__all__ = ["threshold_rule"]

_RULES = {
    "youden": "the highest Youden index",
    "closest_top_left": "the least distance to the top left corner of the ROC curve",
    "cost": "the lowest expected cost",
    "sensitivity": "the highest specificity at the sensitivity asked for",
    "specificity": "the highest sensitivity at the specificity asked for",
}


def threshold_rule(rule: str) -> str:
    """Rule of a threshold with its numbers; a rule without words stands as it is.

    Examples
    --------
    >>> threshold_rule("youden"), threshold_rule("sensitivity (value 0.9)")
    ('the highest Youden index', 'the highest specificity at the sensitivity asked for (value 0.9)')
    """
    name, space, numbers = rule.partition(" ")
    return _RULES.get(name, name) + space + numbers
