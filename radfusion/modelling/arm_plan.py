"""Arms: which features are fitted together or fused, by default and as the study names them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from radfusion.core.registry import nearest
from radfusion.modelling.settings import ModellingSettings

__all__ = ["ArmPlan", "LateArm", "check_arms", "check_steps", "planned_arms"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True)
class LateArm:
    """Late fusion that is to be done: the arms, and how."""

    parts: tuple[str, ...]
    rule: str


@dataclass(frozen=True)
class ArmPlan:
    """What is fitted and fused.

    Attributes
    ----------
    joined : mapping of str to tuple of str
        Arms that are fitted, with the sources of their features.
    late : mapping of str to LateArm
        Arms that combine the probabilities of those.
    left_out : mapping of str to str
        Named arms that cannot be had, with the source or arm that is missing.
    """

    joined: Mapping[str, tuple[str, ...]]
    late: Mapping[str, LateArm]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All arms in order."""
        return (*self.joined, *self.late)


def planned_arms(kinds: Mapping[str, str], settings: ModellingSettings) -> ArmPlan:
    """Arms of a study for the sources that are there.

    By default every source alone, and radiomics fused with each deep source, early and late; then those that the study
    names. Without the default ones, only named arms and the arms that they fuse.

    Parameters
    ----------
    kinds : mapping of str to str
        Kind of every source: ``radiomics``, ``deep``, ``clinical``, ...
    settings : ModellingSettings
        Named arms, kinds of fusion and rule.

    Examples
    --------
    >>> kinds = {"radiomics": "radiomics", "imagenet": "deep", "clinical": "clinical"}
    >>> planned_arms(kinds, ModellingSettings(fusion=("early",), arms={"both": ["clinical", "radiomics"]})).names
    ('radiomics', 'deep-imagenet', 'clinical', 'early-imagenet', 'both')
    """
    usual = _usual(kinds, settings)
    joined = {name: arm.join for name, arm in settings.arms.items() if arm.join and kinds.keys() >= set(arm.join)}
    fitted = {**usual.joined, **joined}
    fused = {name: arm for name, arm in settings.arms.items() if arm.late and fitted.keys() >= set(arm.late)}
    late = {name: LateArm(arm.late, arm.rule or settings.late_rule) for name, arm in fused.items()}
    known = {**kinds, **fitted}
    left_out = {
        name: next(part for part in arm.join or arm.late if part not in (kinds if arm.join else known))
        for name, arm in settings.arms.items()
        if name not in joined and name not in late
    }
    if settings.default_arms:
        return ArmPlan(fitted, {**usual.late, **late}, left_out)
    needed = {part for arm in late.values() for part in arm.parts} | set(joined)
    return ArmPlan({name: sources for name, sources in fitted.items() if name in needed}, late, left_out)


def check_arms(kinds: Mapping[str, str], settings: ModellingSettings) -> None:
    """Check the arms that a study names against its sources.

    Parameters
    ----------
    kinds : mapping of str to str
        Kind of every source of the study.
    settings : ModellingSettings
        Named arms.

    Raises
    ------
    ValueError
        When a name cannot be used or is taken, or a source or arm is unknown; with the nearest names.
    """
    usual = _usual(kinds, settings.model_copy(update={"fusion": ("early", "late")}))
    parts = [*usual.joined] if not settings.fusion else [*_usual(kinds, settings).joined]
    parts += [name for name, arm in settings.arms.items() if arm.join]
    for name, arm in settings.arms.items():
        _check_name(name, usual.names, settings.arms)
        for part in arm.join:
            if part not in kinds:
                raise ValueError(f"arms.{name}: no source is named {part!r}; {nearest(part, list(kinds))}")
        for part in arm.late:
            if part not in parts:
                raise ValueError(f"arms.{name}: no fitted arm is named {part!r}; {nearest(part, parts)}")
    if not settings.default_arms and not settings.arms:
        raise ValueError("default_arms: without them nothing is fitted, as arms names none")


def check_steps(kinds: Mapping[str, str], settings: ModellingSettings) -> None:
    """Check the sources that steps name: one that is not there would be a step that does nothing.

    Parameters
    ----------
    kinds : mapping of str to str
        Kind of every source of the study.
    settings : ModellingSettings
        Steps.

    Raises
    ------
    ValueError
        When a source is unknown; with the nearest names.
    """
    for number, step in enumerate(settings.steps):
        for source in step.sources or ():
            if source not in kinds:
                raise ValueError(
                    f"steps.{number}: {step.step}: no source is named {source!r}; {nearest(source, list(kinds))}"
                )


def _check_name(name: str, usual: Collection[str], named: Collection[str]) -> None:
    """Names of arms are names of files, which some systems do not tell apart by case."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"arms: {name!r} cannot be a name; allowed are letters, digits, '.', '_', '+' and '-'")
    if name.lower() in {each.lower() for each in usual}:
        raise ValueError(f"arms: {name!r} is the name of an arm that every such study has; write another")
    if [each.lower() for each in named].count(name.lower()) > 1:
        raise ValueError(f"arms: two arms are named {name!r} but for capitals; write another")


def _usual(kinds: Mapping[str, str], settings: ModellingSettings) -> ArmPlan:
    """Every source alone, and radiomics fused with each deep source."""
    deep = [source for source, kind in kinds.items() if kind == "deep"]
    alone = {f"deep-{source}" if source in deep else source: (source,) for source in kinds}
    radiomics = next((source for source, kind in kinds.items() if kind == "radiomics"), "")
    fused = deep if radiomics else []
    early = {f"early-{source}": (radiomics, source) for source in fused if "early" in settings.fusion}
    parts = {f"late-{source}": (radiomics, f"deep-{source}") for source in fused if "late" in settings.fusion}
    return ArmPlan({**alone, **early}, {name: LateArm(of, settings.late_rule) for name, of in parts.items()})
