"""Films that occur twice: equal pixels, and films that look alike (RF03)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from radfusion.core.cohort import Cohort
from radfusion.core.results import AuditFinding

__all__ = ["ALIKE", "duplicate_findings", "repeated_in_later_sets"]

Hash = TypeVar("Hash", str, str | int)

#: Perceptual hashes (64 bits) that differ in at most so many bits belong to films that look alike. Of 800,000 pairs of
#: chest films of different patients none came so near; every film that was recompressed or reduced by 30% did.
ALIKE = 2
#: Rows of the table of all pairs that are in memory at once.
_BLOCK = 512
#: Groups that a message names, that the evidence keeps, and names of a group that are shown.
_SHOWN, _KEPT, _NAMES = 5, 100, 3


@dataclass(frozen=True)
class _Film:
    """An image of a patient, which several cases may share."""

    patient: str
    image: str
    sets: frozenset[str]
    cases: tuple[str, ...]

    @property
    def name(self) -> str:
        more = f" (+{len(self.cases) - 1})" if len(self.cases) > 1 else ""
        return f"{self.cases[0]}{more}"


@dataclass(frozen=True)
class _Pairs:
    """How many pairs, and the places of the first of them."""

    count: int = 0
    pairs: tuple[tuple[int, int], ...] = ()

    def plus(self, near: NDArray[np.bool_], start: int) -> _Pairs:
        """Add the pairs of a block of rows; row and column 0 are the film at `start`."""
        room = _KEPT - len(self.pairs)
        first = np.flatnonzero(near)[:room] if room else np.empty(0, dtype=np.intp)
        rows, columns = np.divmod(first, near.shape[1])
        more = tuple(zip((rows + start).tolist(), (columns + start).tolist(), strict=True))
        return _Pairs(self.count + int(near.sum()), self.pairs + more)


def duplicate_findings(
    cohort: Cohort, pixel_hashes: Mapping[str, str], perceptual_hashes: Mapping[str, str | int], *, alike: int = ALIKE
) -> list[AuditFinding]:
    """Compare the films of all cases.

    Parameters
    ----------
    cohort : Cohort
        Cases with patient, image and set. Cases of one patient on one image file are one film, not a duplicate.
    pixel_hashes : mapping of str to str
        Case to a hash of its pixels; cases without one are passed over.
    perceptual_hashes : mapping of str to (str or int)
        Case to a perceptual hash of 64 bits, as 16 hexadecimal digits or a number.
    alike : int
        Largest number of different bits (Hamming distance) of two films that look alike.

    Returns
    -------
    list of AuditFinding
        Two findings of RF03. Equal pixels in two sets fail, those of two patients in one set warn. Films that look
        alike warn in two sets. What else is found within a set is only noted.
    """
    films = _films(cohort)
    equal = _equal(films, pixel_hashes)
    return [_equal_pixels(films, equal, pixel_hashes), _alike(films, pixel_hashes, perceptual_hashes, most=alike)]


def repeated_in_later_sets(cohort: Cohort, pixel_hashes: Mapping[str, str]) -> dict[str, str]:
    """Cases whose film has the pixels of a film of an earlier set, and why each repeats it.

    Sets are ordered training, internal, external, prospective; the cases of the earliest set stay.
    """
    order = {str(name): place for place, name in enumerate(cohort.sets)}
    set_of = {str(case): str(name) for case, name in cohort.frame["set"].items()}
    repeated: dict[str, str] = {}
    for group in _equal(_films(cohort), pixel_hashes):
        cases = sorted((case for film in group for case in film.cases), key=lambda case: order[set_of[case]])
        first, role = cases[0], set_of[cases[0]]
        later = [case for case in cases if set_of[case] != role]
        repeated |= dict.fromkeys(later, f"has the pixels of case {first!r} of the {role} set")
    return repeated


def _films(cohort: Cohort) -> list[_Film]:
    grouped = cohort.frame.groupby(["patient", "image"], sort=False, dropna=False)
    return [
        _Film(str(patient), str(image), frozenset(map(str, rows["set"])), tuple(map(str, rows.index)))
        for (patient, image), rows in grouped
    ]


def _hash_of(film: _Film, hashes: Mapping[str, Hash]) -> Hash | None:
    return next((hashes[case] for case in film.cases if case in hashes), None)


def _equal(films: Sequence[_Film], hashes: Mapping[str, str]) -> list[list[_Film]]:
    groups: dict[str, list[_Film]] = {}
    for film in films:
        value = _hash_of(film, hashes)
        if value is not None:
            groups.setdefault(value, []).append(film)
    return [group for group in groups.values() if len(group) > 1]


def _equal_pixels(films: Sequence[_Film], groups: list[list[_Film]], hashes: Mapping[str, str]) -> AuditFinding:
    across = [group for group in groups if len(frozenset().union(*(film.sets for film in group))) > 1]
    within = [group for group in groups if group not in across]
    strangers = [group for group in within if len({film.patient for film in group}) > 1]
    compared = sum(_hash_of(film, hashes) is not None for film in films)
    evidence = {"films": compared, "across_sets": _listed(across), "within_a_set": _listed(within)}
    if across:
        message = f"{_count(across)} equal pixels in two sets, which inflates validation results: {_shown(across)}."
        return AuditFinding(code="RF03", verdict="fail", message=message, evidence=evidence)
    if strangers:
        message = f"{_count(strangers)} equal pixels in two patients of one set: {_shown(strangers)}."
        return AuditFinding(code="RF03", verdict="warn", message=message, evidence=evidence)
    message = f"No two of the {compared} films that were compared have equal pixels in two sets."
    message += f" {_count(within)} equal pixels within a patient: {_shown(within)}." if within else ""
    return AuditFinding(code="RF03", verdict="pass", message=message, evidence=evidence)


def _alike(
    films: Sequence[_Film], pixel_hashes: Mapping[str, str], perceptual_hashes: Mapping[str, str | int], *, most: int
) -> AuditFinding:
    known = [(film, bits) for film in films if (bits := _bits(_hash_of(film, perceptual_hashes)))]
    found = _neighbours(
        np.array([bits for _, bits in known], dtype=np.uint64),
        _codes([film.sets for film, _ in known]),
        _codes([_hash_of(film, pixel_hashes) or film for film, _ in known]),
        most=most,
    )
    across, within = ([[known[one][0], known[other][0]] for one, other in each.pairs] for each in found)
    n_across, n_within = (each.count for each in found)
    evidence = {
        "films": len(known),
        "most_bits": most,
        "pairs_across_sets": n_across,
        "pairs_within_a_set": n_within,
        "across_sets": _listed(across),
        "within_a_set": _listed(within),
    }
    rule = f"perceptual hashes of 64 bits that differ in at most {most}"
    noted = f" Within a set {n_within:,} pair{'s do' if n_within != 1 else ' does'}." if n_within else ""
    if n_across:
        pairs = (
            f"{n_across:,} pair{'s' if n_across != 1 else ''} of films in two sets look{'' if n_across > 1 else 's'}"
        )
        message = f"{pairs} alike ({rule}), so look at them: {_shown(across, n_across)}.{noted}"
        return AuditFinding(code="RF03", verdict="warn", message=message, evidence=evidence)
    message = f"No two of the {len(known)} films that were compared look alike in two sets ({rule}).{noted}"
    return AuditFinding(code="RF03", verdict="pass", message=message, evidence=evidence)


def _bits(value: str | int | None) -> int:
    """The hash as a number; 0, that of a film without any structure, resembles nothing."""
    return int(value, 16) if isinstance(value, str) else (value or 0) % 2**64


def _codes(values: Sequence[object]) -> NDArray[np.intp]:
    """Equal values get equal numbers."""
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], dtype=np.intp)


def _neighbours(
    hashes: NDArray[np.uint64], sets: NDArray[np.intp], pixels: NDArray[np.intp], *, most: int
) -> tuple[_Pairs, _Pairs]:
    """Pairs of films that look alike without having equal pixels: those in two sets, and those in one."""
    across, within = _Pairs(), _Pairs()
    for start in range(0, len(hashes), _BLOCK):
        stop = start + _BLOCK
        near = np.bitwise_count(hashes[start:stop, None] ^ hashes[None, start:]) <= most
        near &= pixels[start:stop, None] != pixels[None, start:]
        near = np.triu(near, 1)
        apart = sets[start:stop, None] != sets[None, start:]
        across = across.plus(near & apart, start)
        within = within.plus(near & ~apart, start)
    return across, within


def _count(groups: Sequence[Sequence[_Film]]) -> str:
    return f"{len(groups)} group{'s' if len(groups) != 1 else ''} of films {'have' if len(groups) != 1 else 'has'}"


def _shown(groups: Sequence[Sequence[_Film]], count: int | None = None) -> str:
    count = len(groups) if count is None else count
    named = [" = ".join(film.name for film in group[:_NAMES]) for group in groups[:_SHOWN]]
    more = f" and {count - _SHOWN:,} more" if count > _SHOWN else ""
    return "; ".join(named) + more


def _listed(groups: Sequence[Sequence[_Film]]) -> list[list[str]]:
    return [sorted(case for film in group for case in film.cases) for group in groups[:_KEPT]]
