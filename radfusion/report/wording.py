"""Numbers in words, as journals print them.

Every function takes unrounded numbers and rounds once. What cannot be estimated is never a number: it prints
``not estimable`` with its reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from radfusion.core.results import Comparison, Estimate

__all__ = [
    "ADJUSTMENTS",
    "METHODS",
    "TESTS",
    "alpha_words",
    "author",
    "count",
    "difference",
    "estimate",
    "fixed",
    "flat",
    "interval",
    "interval_methods",
    "interval_name",
    "join",
    "not_estimable",
    "open_places",
    "p_value",
    "percent",
    "plain",
    "proportion",
    "sentence",
    "signed",
    "significant",
    "spoken",
]

MINUS = "\N{MINUS SIGN}"


def not_estimable(reason: str | None) -> str:
    """Words for a number that is not there.

    Examples
    --------
    >>> not_estimable("no positive case")
    'not estimable (no positive case)'
    """
    return f"not estimable ({(reason or 'no reason recorded').rstrip('.')})"


def fixed(value: float, digits: int = 3) -> str:
    """Number with a fixed count of decimals and a real minus sign; never a negative zero.

    Examples
    --------
    >>> fixed(-0.0312), fixed(-0.0001)
    ('−0.031', '0.000')
    """
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def signed(value: float, digits: int = 3) -> str:
    """Number with its sign, also when positive.

    Examples
    --------
    >>> signed(0.0342), signed(0.0)
    ('+0.034', '0.000')
    """
    text = fixed(value, digits)
    return text if text.startswith(MINUS) or float(text) == 0 else f"+{text}"


def significant(value: float, digits: int = 3) -> str:
    """Number with significant digits.

    Examples
    --------
    >>> significant(0.0123456), significant(1234567.0), significant(2.5e-7)
    ('0.0123', '1,230,000', '2.50e−7')
    """
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    if magnitude < -4:
        head, tail = f"{value:.{digits - 1}e}".split("e")
        return f"{head}e{int(tail)}".replace("-", MINUS)
    rounded = round(value, digits - 1 - magnitude)
    return f"{rounded:,.{max(0, digits - 1 - magnitude)}f}".replace("-", MINUS)


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Count with its noun.

    Examples
    --------
    >>> count(1, "case"), count(1200, "case"), count(2, "box", "boxes")
    ('1 case', '1,200 cases', '2 boxes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def join(names: Sequence[str], word: str = "and") -> str:
    """Names in a sentence.

    Examples
    --------
    >>> join(["a"]), join(["a", "b"]), join(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return f" {word} ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


def plain(value: object) -> str:
    """Value of a setting in words.

    Examples
    --------
    >>> plain([1, 0.5]), plain({"a": True}), plain(None)
    ('1, 0.5', 'a: yes', 'none')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}".replace("-", MINUS)
    if isinstance(value, dict):
        return "; ".join(f"{key}: {plain(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in value) or "none"
    return str(value)


def flat(settings: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Nested settings as dotted names and words.

    Examples
    --------
    >>> flat({"crop": {"size": 224, "margin": None}, "order": ["R", "G"]})
    {'crop.size': '224', 'crop.margin': 'none', 'order': 'R, G'}
    """
    found: dict[str, str] = {}
    for key, value in settings.items():
        name = f"{above}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, Mapping) and value else {name: plain(value)}
    return found


def percent(value: float, digits: int = 1) -> str:
    """Share as a percentage.

    Examples
    --------
    >>> percent(0.8533)
    '85.3%'
    """
    return f"{fixed(100 * value, digits)}%"


def p_value(p: float | None, reason: str | None = None) -> str:
    """P value without its letter, in the manner of RSNA journals.

    A value below .05 never rounds up to .05.

    Examples
    --------
    >>> [p_value(p) for p in (0.0002, 0.0042, 0.032, 0.0496, 0.271, 0.997)]
    ['< .001', '= .004', '= .03', '= .0496', '= .27', '> .99']
    >>> p_value(None, "variance is zero")
    'not estimable (variance is zero)'
    """
    if p is None:
        return not_estimable(reason)
    if p < 0.001:
        return "< .001"
    if round(p, 2) > 0.99:
        return "> .99"
    digits = 3 if p < 0.01 else 2
    while p < 0.05 <= round(p, digits) and digits < 8:
        digits += 1
    return "= " + f"{p:.{digits}f}".removeprefix("0")


def alpha_words(alpha: float) -> str:
    """Two-sided alpha without its leading zero.

    Examples
    --------
    >>> alpha_words(0.05), alpha_words(0.1), alpha_words(0.001)
    ('.05', '.10', '.001')
    """
    text = f"{alpha:.2g}" if alpha < 0.01 else f"{alpha:.2f}"
    return text.removeprefix("0")


def interval_name(level: float) -> str:
    """Name of an interval with its level, such as 0.95.

    Examples
    --------
    >>> interval_name(0.95), interval_name(0.9)
    ('95% CI', '90% CI')
    """
    return f"{100 * level:g}% CI"


def interval(low: float | None, high: float | None, digits: int = 3, *, level: float = 0.95) -> str:
    """Interval in words; empty where there is none.

    Examples
    --------
    >>> interval(0.8611, 0.9412)
    '95% CI: 0.861, 0.941'
    """
    if low is None or high is None:
        return ""
    return f"{interval_name(level)}: {_ends(low, high, digits)}"


def _ends(low: float, high: float, digits: int) -> str:
    return f"{fixed(low, digits)}, {fixed(high, digits)}"


def estimate(found: Estimate | None, digits: int = 3, *, brief: bool = False) -> str:
    """Value with its interval; `brief` leaves out the words of the interval, for tables that say them once.

    Examples
    --------
    >>> found = Estimate(metric="auc", value=0.9081, low=0.8611, high=0.9412)
    >>> estimate(found), estimate(found, brief=True)
    ('0.908 (95% CI: 0.861, 0.941)', '0.908 (0.861, 0.941)')
    >>> estimate(Estimate(metric="auc", value=None, reason="no case of this class"))
    'not estimable (no case of this class)'
    """
    if found is None:
        return not_estimable("not computed")
    if found.value is None:
        return not_estimable(found.reason)
    if found.low is None or found.high is None:
        reason = f" (interval {not_estimable(found.reason)})" if found.reason else ""
        return fixed(found.value, digits) + reason
    words = (
        _ends(found.low, found.high, digits) if brief else interval(found.low, found.high, digits, level=found.level)
    )
    return f"{fixed(found.value, digits)} ({words})"


def proportion(found: Estimate | None, *, brief: bool = False) -> str:
    """Proportion as a percentage with counts and interval; `brief` leaves out the words of the interval.

    Examples
    --------
    >>> found = Estimate(metric="accuracy", value=64 / 75, low=0.7560, high=0.9160, n=75)
    >>> proportion(found), proportion(found, brief=True)
    ('85.3% (64/75; 95% CI: 75.6, 91.6)', '85.3% (64/75; 75.6, 91.6)')
    """
    if found is None or found.value is None:
        return estimate(found)
    numerator = found.value * found.n
    parts = [f"{round(numerator):,}/{found.n:,}"] if found.n and abs(numerator - round(numerator)) < 1e-6 else []
    if found.low is not None and found.high is not None:
        low, high = 100 * found.low, 100 * found.high
        parts.append(_ends(low, high, 1) if brief else interval(low, high, 1, level=found.level))
    elif found.reason:
        parts.append(f"interval {not_estimable(found.reason)}")
    return percent(found.value) + (f" ({'; '.join(parts)})" if parts else "")


def difference(found: Comparison, digits: int = 3, *, brief: bool = False) -> str:
    """Difference with its interval; `brief` leaves out the words of the interval, for tables that say them once.

    Examples
    --------
    >>> found = Comparison(test="delong", metric="auc", difference=0.0342, low=-0.01, high=0.0784)
    >>> difference(found), difference(found, brief=True)
    ('+0.034 (95% CI: −0.010, 0.078)', '+0.034 (−0.010, 0.078)')
    """
    if found.difference is None:
        return not_estimable(found.reason)
    if found.low is None or found.high is None:
        return signed(found.difference, digits)
    words = (
        _ends(found.low, found.high, digits) if brief else interval(found.low, found.high, digits, level=found.level)
    )
    return f"{signed(found.difference, digits)} ({words})"


#: How the intervals of estimates were made.
METHODS = {
    "delong": "DeLong's standard error",
    "delong_logit": "DeLong's standard error on the logit scale",
    "influence_macro_logit": "the influence of every case on all areas together, on the logit scale",
    "cluster_influence": "the influence of patients on the area",
    "cluster_influence_logit": "the influence of patients on the areas, on the logit scale",
    "wilson": "Wilson's method",
    "cluster_wilson": "Wilson's method with the number of independent cases",
    "wald": "the standard error of the mean",
    "cluster_wald": "the standard error of the mean over patients",
}

#: How tests are named in a sentence.
TESTS = {
    "delong_paired": "DeLong's paired test",
    "delong_unpaired": "DeLong's unpaired test",
    "influence_macro_paired": "the paired z test of macro AUCs with the covariance of placement values across classes",
    "influence_macro_unpaired": "the unpaired z test of macro AUCs",
    "cluster_influence_paired": "the paired z test of AUCs with placement values summed by patient",
    "cluster_influence_unpaired": "the unpaired z test of AUCs with placement values summed by patient",
}


#: How P values were adjusted.
ADJUSTMENTS = {
    "holm": "Holm",
    "bonferroni": "Bonferroni",
    "bh": "Benjamini and Hochberg",
    "hochberg": "Hochberg",
    "hommel": "Hommel",
    "by": "Benjamini and Yekutieli",
}


def spoken(names: Sequence[str], words: Mapping[str, str]) -> str:
    """Names in words; one without words stands as it is.

    Examples
    --------
    >>> spoken(["wilson", "my_method"], METHODS)
    "Wilson's method and my method"
    """
    return join([words.get(name, name.replace("_", " ")) for name in names])


def interval_methods(names: Sequence[str]) -> str:
    """Sentence on how intervals were made; empty where there are none.

    Examples
    --------
    >>> interval_methods(["wilson", "none"])
    "Intervals come from Wilson's method."
    """
    known = [name for name in names if name != "none"]
    return f"Intervals come from {spoken(known, METHODS)}." if known else ""


def sentence(text: str) -> str:
    """Text that ends with a full stop.

    Examples
    --------
    >>> sentence("no file"), sentence("no file.")
    ('no file.', 'no file.')
    """
    return text if text.endswith((".", "!", "?")) else f"{text}."


def author(what: str) -> str:
    """Place that the author must fill.

    Examples
    --------
    >>> author("ethics committee and number")
    '[AUTHOR: ethics committee and number]'
    """
    return f"[AUTHOR: {what}]"


_AUTHOR = re.compile(r"\[AUTHOR: [^\]]+\]")


def open_places(texts: Sequence[str]) -> tuple[str, ...]:
    """Different places in `texts` that the author must fill, in order.

    Examples
    --------
    >>> open_places(["a [AUTHOR: x] b", "[AUTHOR: x]"])
    ('[AUTHOR: x]',)
    """
    return tuple(dict.fromkeys(place for text in texts for place in _AUTHOR.findall(text)))
