"""Which arms are compared: decided before any result is seen."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations

__all__ = ["planned_comparisons", "steps_to"]

Pair = tuple[str, str]


def planned_comparisons(
    arms: Mapping[str, Sequence[str]],
    *,
    late: Mapping[str, Sequence[str]] | None = None,
    weights: Collection[str] = (),
) -> list[Pair]:
    """Pairs of arms that every study compares, each once, decided before any result is seen.

    Weights sources against each other where all else is equal; then the gain of each step: fused arms against the arms
    that they fuse, and against those that have most of their sources; then two ways to fuse the same sources; then
    every other source alone against radiomics.

    Parameters
    ----------
    arms : mapping of str to sequence of str
        Fitted arms with their feature sources.
    late : mapping of str to sequence of str, optional
        Arms that combine probabilities, with the arms whose these are.
    weights : collection of str
        Sources of deep features, which differ in the weights of their network.

    Returns
    -------
    list of tuple of two str
        Differences are those of the first from the second.

    Examples
    --------
    >>> sources = {"radiomics": ["radiomics"], "deep-a": ["a"], "early-a": ["radiomics", "a"]}
    >>> planned_comparisons(sources, weights=["a"])
    [('early-a', 'radiomics'), ('early-a', 'deep-a'), ('deep-a', 'radiomics')]
    """
    parts = late or {}
    wanted = [*_weights_apart(arms, parts, weights)]
    for name, sources in arms.items():
        if len(set(sources)) > 1 or name in parts:
            below = dict.fromkeys((*steps_to(name, arms), *parts.get(name, ())))
            wanted += [(name, part) for part in below]
    wanted += [(a, b) for a, b in combinations(arms, 2) if set(arms[a]) == set(arms[b]) and len(set(arms[a])) > 1]
    alone = [name for name, sources in arms.items() if len(set(sources)) == 1 and name not in parts]
    wanted += [(name, "radiomics") for name in alone if "radiomics" in alone and list(arms[name]) != ["radiomics"]]
    once: dict[frozenset[str], Pair] = {}
    for pair in wanted:
        once.setdefault(frozenset(pair), pair)
    return list(once.values())


def steps_to(name: str, arms: Mapping[str, Sequence[str]]) -> list[str]:
    """Arms with most of the sources of an arm: some of them, and no other arm has more.

    Parameters
    ----------
    name : str
        The arm.
    arms : mapping of str to sequence of str
        All arms with their sources.

    Examples
    --------
    >>> steps_to("all", {"a": ["a"], "b": ["b"], "c": ["c"], "ab": ["a", "b"], "all": ["a", "b", "c"]})
    ['c', 'ab']
    """
    smaller = {other: set(sources) for other, sources in arms.items() if set(sources) < set(arms[name])}
    return [other for other, sources in smaller.items() if not any(sources < more for more in smaller.values())]


def _weights_apart(
    arms: Mapping[str, Sequence[str]], late: Mapping[str, Sequence[str]], weights: Collection[str]
) -> Iterator[Pair]:
    """Arms of one kind that differ in one weights source, those with most sources first."""
    ranked = sorted(arms, key=lambda name: -len(set(arms[name])))
    for a, b in combinations(ranked, 2):
        one, other = set(arms[a]) - set(arms[b]), set(arms[b]) - set(arms[a])
        alike = (a in late) == (b in late) and len(one) == len(other) == 1
        if alike and (one | other) <= set(weights):
            yield a, b
