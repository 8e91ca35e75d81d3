"""Every error that radfusion raises on purpose.

::

    RadfusionError
    ├── UserError            a mistake in what the user wrote; the command line answers it with exit code 2
    │   ├── StudyError       study.yaml: file, line, key, what is allowed
    │   ├── CohortError      cohort table: every mistake of the table at once, with row numbers
    │   ├── UnknownNameError a name that no registry entry carries; the nearest known names
    │   ├── WeightsError     a weights file that is absent, damaged or of another layout
    │   ├── FeatureError     feature tables that cannot be joined or do not fit a model
    │   ├── EvaluationError  labels and scores that no statistic can be computed from
    │   └── RunError         a folder that holds no run, or not the run that was asked for
    └── CaseError            one case cannot be used: stage and reason; becomes a named exclusion
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class RadfusionError(Exception):
    """Root of the tree."""


class UserError(RadfusionError):
    """Something the user wrote cannot be carried out as written."""


class StudyError(UserError):
    """A mistake in a study file.

    Parameters
    ----------
    message : str
        What is wrong and what is allowed.
    file : path, optional
        The study file.
    line : int, optional
        Line in the file, counted from 1.
    key : str, optional
        Dotted key, for example ``modelling.selection.folds``.
    """

    def __init__(
        self, message: str, *, file: str | Path | None = None, line: int | None = None, key: str | None = None
    ) -> None:
        self.file = None if file is None else Path(file)
        self.line = line
        self.key = key
        self.message = message
        where = ":".join(str(part) for part in (file, line) if part is not None)
        super().__init__(": ".join(part for part in (where, key, message) if part))


class CohortError(UserError):
    """Mistakes of a cohort table, collected and raised once.

    Parameters
    ----------
    mistakes : sequence of str
        One sentence per mistake, with row number and case where they are known.
    file : path, optional
        The table.

    Attributes
    ----------
    mistakes : tuple of str
        All of them; the message lists the first fifty and counts the others.
    """

    #: Mistakes that the message lists.
    MOST = 50

    def __init__(self, mistakes: Sequence[str], *, file: str | Path | None = None) -> None:
        self.mistakes = tuple(mistakes)
        self.file = None if file is None else Path(file)
        count = len(self.mistakes)
        head = f"{file or 'cohort'}: {count} mistake{'s' if count != 1 else ''}"
        more = [f"and {count - self.MOST} more"] if count > self.MOST else []
        super().__init__("\n  - ".join([head, *self.mistakes[: self.MOST], *more]))


class UnknownNameError(UserError):
    """A name that is not registered."""


class WeightsError(UserError):
    """A weights file is absent, damaged, or not of the layout that its source promises."""


class FeatureError(UserError):
    """Feature tables that cannot be joined, or that lack what a model needs."""


class EvaluationError(UserError):
    """Labels and scores from which the asked statistic cannot be computed."""


class RunError(UserError):
    """A folder that does not hold the run that was asked for."""


class CaseError(RadfusionError):
    """One case cannot be used.

    Parameters
    ----------
    reason : str
        What is wrong with the case, where, and what is allowed.
    stage : str
        Stage that met it: ``read``, ``segmentation``, ``radiomics``, ``deep``, ...
    """

    def __init__(self, reason: str, *, stage: str = "read") -> None:
        self.reason = reason
        self.stage = stage
        super().__init__(reason)

    def __reduce__(self) -> tuple[object, ...]:
        """Travel between processes with the stage."""
        return (_case_error, (self.reason, self.stage))


def _case_error(reason: str, stage: str) -> CaseError:
    return CaseError(reason, stage=stage)
