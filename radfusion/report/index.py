"""Looking things up in results, with the JSON pointer of what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import chain

from radfusion.core.results import Comparison, Confusion, Estimate, FeatureSource, FittedModel, SetSummary, StudyResults
from radfusion.report.blocks import Cell
from radfusion.report.wording import difference, estimate, interval_name, proportion

__all__ = ["Index"]

# Names of metrics in results.json.
AUC, MACRO_AUC = "auc", "macro_auc"
ACCURACY, NO_INFORMATION, BRIER = "accuracy", "no_information_rate", "brier"

Key = tuple[str, str, str, str | None]


class Index:
    """Lookups in one study's results.

    Parameters
    ----------
    results : StudyResults
        The only input of a report.
    """

    def __init__(self, results: StudyResults) -> None:
        self.results = results

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the study's order."""
        return self.results.study.classes

    @property
    def outcome_classes(self) -> tuple[str, ...]:
        """Classes with a one-against-rest result of their own: all, or the second of two."""
        return self.classes if len(self.classes) > 2 else self.classes[-1:]

    def label(self, name: str | None) -> str:
        """Printed name of a class; None is the macro average."""
        if name is None:
            return "Macro average"
        return self.results.study.class_names.get(name, name)

    def metric_name(self, metric: str) -> str:
        """Printed name of a metric; with two classes the macro AUC is the AUC."""
        names = {AUC: "AUC", MACRO_AUC: "macro AUC" if len(self.classes) > 2 else "AUC"}
        return names.get(metric, metric.replace("_", " "))

    def set_title(self, name: str) -> str:
        """Printed name of a set."""
        return name[:1].upper() + name[1:]

    def set_words(self, each: SetSummary) -> str:
        """Printed name of a set with its number of cases."""
        return f"{self.set_title(each.name)} (n = {each.n_cases:,})"

    @cached_property
    def level(self) -> float:
        """Level of the study's intervals, such as 0.95: that of its settings, else that of its first interval."""
        settings = self.results.study.settings.get("evaluation")
        said = settings.get("level") if isinstance(settings, Mapping) else None
        if isinstance(said, float):
            return said
        found: Iterable[Comparison | Estimate] = chain(self.results.comparisons, self.results.estimates)
        return next((each.level for each in found if each.low is not None), 0.95)

    @property
    def alpha(self) -> float:
        """Share of false positives that a single test allows: what the level of the intervals leaves."""
        return round(1 - self.level, 10)

    @property
    def interval_words(self) -> str:
        """Name of the study's intervals, such as ``95% CI``."""
        return interval_name(self.level)

    @cached_property
    def sets(self) -> dict[str, SetSummary]:
        """Sets by name."""
        return {each.name: each for each in self.results.sets}

    @cached_property
    def training(self) -> tuple[SetSummary, ...]:
        """Sets that models were fitted on."""
        return tuple(each for each in self.results.sets if each.role == "training")

    @cached_property
    def tests(self) -> tuple[SetSummary, ...]:
        """Sets that no model was fitted on."""
        return tuple(each for each in self.results.sets if each.role != "training")

    @cached_property
    def best(self) -> tuple[FittedModel, ...]:
        """Best model of each arm, in the order of the arms."""
        return tuple(each for each in self.results.models if each.best_of_arm)

    @cached_property
    def arms(self) -> tuple[str, ...]:
        """Arms in order."""
        return tuple(dict.fromkeys(each.arm for each in self.results.models))

    @cached_property
    def final(self) -> FittedModel | None:
        """The model chosen on training folds."""
        named = (each for each in self.results.models if each.model == self.results.final_model)
        return next(named, None)

    @cached_property
    def missing_sources(self) -> tuple[FeatureSource, ...]:
        """Sources that were asked for and could not be had."""
        return tuple(each for each in self.results.sources if not each.available)

    @cached_property
    def primary(self) -> tuple[int, Comparison] | None:
        """Position and text of the declared primary comparison."""
        found = ((at, each) for at, each in enumerate(self.results.comparisons) if each.role == "primary")
        return next(found, None)

    @cached_property
    def _estimates(self) -> dict[Key, int]:
        keys = ((each.metric, each.model, each.set, each.class_) for each in self.results.estimates)
        return {key: position for position, key in reversed(list(enumerate(keys)))}

    def find(self, metric: str, model: str, set_: str, *, class_: str | None = None) -> Estimate | None:
        """Estimate of a metric, or None where it was not computed."""
        position = self._estimates.get((metric, model, set_, class_))
        return None if position is None else self.results.estimates[position]

    def has(self, metrics: Iterable[str]) -> bool:
        """Whether any of the metrics was computed for any model."""
        wanted = set(metrics)
        return any(each.metric in wanted for each in self.results.estimates)

    def cell(self, metric: str, model: str, set_: str, *, class_: str | None = None, share: bool = False) -> Cell:
        """Printed estimate with its pointer; `share` prints a percentage with counts."""
        found = self.find(metric, model, set_, class_=class_)
        if found is None:
            return Cell("–", numeric=True)
        pointer = f"/estimates/{self._estimates[metric, model, set_, class_]}"
        brief = found.level == self.level
        words = proportion(found, brief=brief) if share else estimate(found, brief=brief)
        return Cell(words, pointer, numeric=True)

    def difference(self, found: Comparison) -> str:
        """Printed difference; its interval is named only where it is not of the study's level."""
        return difference(found, brief=found.level == self.level)

    def confusion(self, model: str, set_: str) -> Confusion | None:
        """Confusion matrix of a model on a set, or None."""
        found = (each for each in self.results.confusions if (each.model, each.set) == (model, set_))
        return next(found, None)

    def per_class(self, counts: dict[str, int]) -> str:
        """Counts by class in words."""
        return ", ".join(f"{self.label(name)} {counts.get(name, 0):,}" for name in self.classes)
