"""What makes a result believable, as data: who was fitted on, how a model was chosen, how often a set was scored."""

from __future__ import annotations

from radfusion.core.estimates import Noun

__all__ = ["FittedRows", "ModelChoice", "RepeatedSplits", "SetScoring"]


class FittedRows(Noun):
    """Cases that steps and classifiers were fitted on; ``sha256`` is the content hash of ``cases``, which are sorted.

    Selections and models name their rows by ``name``, steps by ``sha256``.
    """

    name: str
    n_cases: int
    n_patients: int
    sha256: str
    cases: tuple[str, ...]


class ModelChoice(Noun):
    """How the final model was chosen, on out-of-fold predictions of the training set.

    ``best`` has the highest macro AUC, ``se`` is its standard error (DeLong, clustered by patient), and ``within`` are
    the models that the rule then chose from. ``n_features`` counts the selected features of the chosen model.
    """

    rule: str
    model: str
    best: str
    value: float
    se: float | None = None
    within: tuple[str, ...]
    n_features: int


class SetScoring(Noun):
    """One validation set in the ledger of its cohort.

    ``ordinal`` is the place of this configuration among all that ever scored the set, ``earlier`` the number before it.
    """

    set: str
    set_sha256: str
    configuration_sha256: str
    ordinal: int
    earlier: int


class RepeatedSplits(Noun):
    """Macro AUC of the final model's chain over random splits by patient.

    The cases of ``sets`` were pooled and split anew; ``values`` holds one macro AUC on the held-out part per split.
    ``used`` is that of the study's own split, ``percentile`` the share of splits below it, in percent. ``n_failed``
    splits could not be fitted, the first for ``reason``.
    """

    model: str
    sets: tuple[str, ...]
    n_training: int
    n_held: int
    values: tuple[float, ...]
    median: float | None
    low: float | None
    high: float | None
    used: float | None = None
    percentile: float | None = None
    n_failed: int = 0
    reason: str | None = None
