"""A study of features and models: one study file, one command, a report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from radfusion.cohorts.checks import check_cohort, require_files
from radfusion.cohorts.describe import summarise_sets
from radfusion.core.cohort import Cohort
from radfusion.core.features import FeatureTable
from radfusion.core.hashing import content_hash, file_hash
from radfusion.core.results import (
    Exclusion,
    FeatureSource,
    Provenance,
    Selection,
    StudyFacts,
    StudyResults,
)
from radfusion.errors import CohortError, FeatureError, WeightsError
from radfusion.evaluation.null import null_estimate
from radfusion.execution.cache import Cache, default_cache_folder
from radfusion.execution.executors import Executor, executor_named
from radfusion.execution.file_hashes import file_hashes
from radfusion.execution.progress import LoggedProgress, Progress
from radfusion.execution.provenance import package_versions, platform_facts
from radfusion.execution.work import Workers
from radfusion.extraction.extractors.base import Extractor
from radfusion.extraction.extractors.deep import Deep
from radfusion.extraction.tables import extract
from radfusion.modelling.arms import ArmFit, LateFit
from radfusion.modelling.fitting import fit_arms
from radfusion.modelling.fusion import late_fusion
from radfusion.modelling.model import Model, fuse_models
from radfusion.modelling.null import shuffled_label_run
from radfusion.networks.health import feature_health
from radfusion.networks.weights import WEIGHTS, fetch_weights
from radfusion.pipelines.checking import check_study, unusable_sets
from radfusion.pipelines.controls import run_controls
from radfusion.pipelines.fitted import Arm, FittedStudy, arm_tables, refitted
from radfusion.pipelines.intake import Intake, intake
from radfusion.pipelines.judging import Judgement, judge
from radfusion.pipelines.outputs import RunFolder
from radfusion.pipelines.pretraining import assess_pretraining, planned_pairs
from radfusion.pipelines.selftest import study_self_test
from radfusion.pipelines.stability import assess_stability, stable_tables, with_stability_step
from radfusion.study import Study

__all__ = ["available_extractors", "extract_study", "looked_at", "run"]


def run(
    study: Study,
    out: str | Path,
    *,
    executor: str | Executor = "processes",
    cache: str | Path | None = None,
    progress: Progress | None = None,
    offline: bool = False,
) -> StudyResults:
    """Run a study and write its run directory.

    Parameters
    ----------
    study : Study
        What to do.
    out : path
        Run directory; made, or refreshed when it already holds a run.
    executor : str or Executor
        ``"processes"`` or ``"serial"``; calling a script that uses processes needs a ``__main__`` guard.
    cache : path, optional
        Folder of the cache; the user's cache folder when not given. A second run finds finished work there.
    progress : Progress, optional
        Listener; silent when not given.
    offline : bool
        Never ask the network for weights.

    Returns
    -------
    StudyResults
        As in ``results.json``.

    Raises
    ------
    UserError
        For every mistake of study file, cohort table or run directory, before any computing.
    """
    executor = executor_named(executor) if isinstance(executor, str) else executor
    place = Workers(executor, Cache(cache or default_cache_folder()), LoggedProgress(progress or Progress()))
    folder = RunFolder.open(out)
    with folder.taken():
        checked = check_study(study)
        extractors, missing = available_extractors(study, place.progress, offline=offline)
        looked = looked_at(study, checked.cohort, place)
        fitted = _fit(study, looked, extractors, missing=missing, place=place)
        judgement = judge(study, fitted.cohort, fitted.arms, pairs=planned_pairs(study, list(fitted.arms)))
        results = _results(study, checked.cohort, fitted, judgement=judgement, place=place)
        pretraining = assess_pretraining(study, fitted, extractors, judgement=judgement, place=place)
        results = results.model_copy(update={"pretraining": pretraining})
        stable = stable_tables(fitted.tables, fitted.stability)
        controls = run_controls(study, fitted.cohort, extractors, tables=stable, judgement=judgement, place=place)
        results = results.model_copy(update={"controls": controls})
        findings = (*check_cohort(fitted.cohort), *looked.findings)
        results = results.model_copy(update={"audit": judgement.audit(results, findings)})
        model = _final_model(study, fitted, judgement)
        return folder.write(study, results, fitted.tables, judgement=judgement, model=model, progress=place.progress)


def looked_at(study: Study, cohort: Cohort, place: Workers) -> Intake:
    """The intake of a study that may go on.

    Raises
    ------
    CohortError
        When no image is there, or films with equal pixels are in two sets.
    """
    require_files(cohort)
    found = intake(study, cohort, place)
    if found.refused:
        allowed = "remove the repeated cases, or write cohort.duplicates: exclude"
        mistakes = [f"{finding.message} {allowed[0].upper()}{allowed[1:]}." for finding in found.refused]
        raise CohortError(mistakes, file=study.resolve(study.cohort.table))
    return found


def available_extractors(
    study: Study, progress: Progress, *, offline: bool
) -> tuple[list[Extractor], list[FeatureSource]]:
    """Extractors that can work here, and the asked sources that cannot, each with its reason.

    Weights that have a public address are asked for once; nothing is ever replaced by something else.
    """
    usable: list[Extractor] = [study.features.radiomics] if study.features.radiomics else []
    grid = study.features.grid
    missing = [_absent(name, reason) for name, reason in (grid.left_out() if grid else {}).items()]
    for deep in study.features.deep:
        extractor = study.at_hand(deep)
        reason = extractor.unavailable()
        if reason and deep.file is not None:
            raise WeightsError(f"{study.file}: features.deep: {reason}")
        if reason and not offline:
            reason = _fetched(extractor, reason, progress)
        if reason:
            progress.say(f"weights source {deep.source!r} is left out: {reason}")
            missing.append(_absent(deep.source, reason))
        else:
            _say_if_unknown(extractor, progress)
            usable.append(extractor)
    if not usable:
        raise FeatureError("no feature source is left: " + "; ".join(str(source.reason) for source in missing))
    return usable, missing


def _absent(name: str, reason: str) -> FeatureSource:
    return FeatureSource(name=name, kind="deep", n_features=0, available=False, reason=reason)


def _say_if_unknown(extractor: Deep, progress: Progress) -> None:
    facts = extractor.weights_facts()
    if facts["hash_known"] is False:
        hashed = f"SHA-256 {facts['sha256']} is not one that {facts['title']} is known by"
        progress.say(f"weights source {extractor.source!r}: {hashed}; every tensor is in place, and the report says it")


def _fetched(extractor: Deep, reason: str, progress: Progress) -> str | None:
    source = WEIGHTS[extractor.weights]
    if not any(form.url for form in source.files_of(extractor.network)):
        return reason
    try:
        fetch_weights(source, extractor.network, progress=progress)
    except WeightsError as error:
        return str(error)
    return extractor.unavailable()


def extract_study(
    study: Study, looked: Intake, extractors: list[Extractor], *, place: Workers
) -> tuple[dict[str, FeatureTable], tuple[Exclusion, ...]]:
    """One feature table per source, restricted to the cases that intake and every source could use."""
    everyone = looked.cohort
    cohort = everyone.without([item.case for item in looked.exclusions])
    tables = {
        extractor.source: extract(
            cohort,
            extractor,
            imaging=study.imaging,
            executor=place.executor,
            cache=place.cache,
            progress=place.progress,
        )
        for extractor in extractors
    }
    found = [*looked.exclusions, *(item for table in tables.values() for item in table.exclusions)]
    exclusions = tuple(dict.fromkeys(item for case in everyone.frame.index for item in found if item.case == case))
    excluded = {item.case for item in exclusions}
    _require_usable(everyone.without(sorted(excluded)), everyone, exclusions)
    kept = [case for case in cohort.frame.index if case not in excluded]
    return {name: table.restrict(kept) for name, table in tables.items()}, exclusions


def _require_usable(kept: Cohort, cohort: Cohort, exclusions: tuple[Exclusion, ...]) -> None:
    mistakes = unusable_sets(kept, cohort, len(exclusions))
    if mistakes:
        reasons = [f"{item.case}: {item.stage}: {item.reason}" for item in exclusions[:20]]
        raise CohortError([*mistakes, *reasons])


def _fit(
    study: Study, looked: Intake, extractors: list[Extractor], *, missing: list[FeatureSource], place: Workers
) -> FittedStudy:
    tables, exclusions = extract_study(study, looked, extractors, place=place)
    used = looked.cohort.without(sorted({item.case for item in exclusions}))
    arms: dict[str, Arm] = {}
    stability = assess_stability(study, used, extractors, place=place)
    to_fit = arm_tables(stable_tables(tables, stability), study.modelling.fusion)
    fitted = fit_arms(to_fit, used, study.modelling, seed=study.seed, workers=place)
    arms |= fitted
    if "late" in study.modelling.fusion and "radiomics" in fitted:
        for name in (arm.removeprefix("deep-") for arm in fitted if arm.startswith("deep-")):
            parts = fitted["radiomics"], fitted[f"deep-{name}"]
            arms[f"late-{name}"] = late_fusion(f"late-{name}", *parts, rule=study.modelling.late_rule)
    null_arm = _null_arm(study, to_fit)
    null_aucs = shuffled_label_run(to_fit[null_arm], used, study.modelling, seed=study.seed, workers=place)
    null = null_estimate(null_aucs, null_arm, level=study.evaluation.level)
    there = [_source(study, each, tables[each.source], cohort=used, place=place) for each in extractors]
    return FittedStudy(used, tables, stability, (*there, *missing), exclusions, arms, null)


def _null_arm(study: Study, arms: Mapping[str, FeatureTable]) -> str:
    """Arm of the shuffled-label run: the first arm of the primary comparison that is fitted, else the last one."""
    primary = study.evaluation.primary
    named = [arm for arm in (primary.models if primary else ()) if arm in arms]
    return named[0] if named else list(arms)[-1]


def _source(
    study: Study, extractor: Extractor, table: FeatureTable, *, cohort: Cohort, place: Workers
) -> FeatureSource:
    source = FeatureSource(
        name=extractor.source,
        kind=extractor.kind,
        n_features=table.frame.shape[1],
        settings=dict(table.provenance[extractor.source]),
    )
    if not isinstance(extractor, Deep):
        return source
    training = table.restrict(cohort.of_set("training").frame.index)
    looked = study_self_test(extractor, cohort, table, imaging=study.imaging, seed=study.seed, place=place)
    facts = {"weights": extractor.weights_facts(), "health": feature_health(training.values), "self_test": looked}
    return source.model_copy(update=facts)


def _final_model(study: Study, fitted: FittedStudy, judgement: Judgement) -> Model:
    """The model chosen on training folds, as it was fitted on the whole training set."""
    final = judgement.final
    arm = fitted.arms[final.arm]
    if isinstance(arm, LateFit):
        parts = (refitted(study, fitted, part, classifier=final.classifier) for part in arm.parts)
        return fuse_models(final.model, *parts, rule=arm.rule)
    return refitted(study, fitted, final.arm, classifier=final.classifier)


def _results(
    study: Study, cohort: Cohort, fitted: FittedStudy, *, judgement: Judgement, place: Workers
) -> StudyResults:
    settings = _without_paths(study).model_dump(mode="json", exclude={"title", "kind", "seed", "statements"})
    facts = StudyFacts(
        title=study.title,
        kind=study.kind,
        seed=study.seed,
        classes=cohort.classes,
        class_names={label: study.cohort.class_names.get(label, label) for label in cohort.classes},
        unit=study.cohort.unit,
        statements=study.statements.model_dump(mode="json"),
        settings=settings,
    )
    return StudyResults(
        study=facts,
        sets=summarise_sets(fitted.cohort),
        exclusions=fitted.exclusions,
        sources=fitted.sources,
        stability=fitted.stability,
        selections=_selections(study, fitted),
        models=judgement.models,
        final_model=judgement.final.model,
        thresholds=judgement.thresholds,
        estimates=(*judgement.estimates, *([fitted.null] if fitted.null else [])),
        comparisons=judgement.comparisons,
        curves=judgement.curves,
        confusions=judgement.confusions,
        provenance=_provenance(study, cohort, fitted.sources, cache=place.cache),
    )


def _selections(study: Study, fitted: FittedStudy) -> tuple[Selection, ...]:
    """Selections of the fitted arms; where stability was measured, it is their first step."""
    selections = {name: arm.selection for name, arm in fitted.arms.items() if isinstance(arm, ArmFit)}
    if not fitted.stability:
        return tuple(selections.values())
    before = arm_tables(fitted.tables, study.modelling.fusion)
    settings = study.features.stability
    return tuple(with_stability_step(each, before[name], settings) for name, each in selections.items())


def _without_paths(study: Study) -> Study:
    """The study with bare file names: where files lie on a machine is nobody's business and changes no number."""
    deep = tuple(
        extractor.model_copy(update={"file": extractor.file and Path(extractor.file.name)})
        for extractor in study.features.deep
    )
    cohort = study.cohort.model_copy(update={"table": Path(study.cohort.table.name)})
    return study.model_copy(update={"cohort": cohort, "features": study.features.model_copy(update={"deep": deep})})


def _provenance(study: Study, cohort: Cohort, sources: tuple[FeatureSource, ...], *, cache: Cache | None) -> Provenance:
    read = [cohort, *(cohort.read_by(reader) for reader in cohort.readers)]
    files = [(each.image_path(case), each.segmentation_path(case)) for each in read for case in each.frame.index]
    return Provenance(
        packages=package_versions(),
        study_sha256=content_hash(_without_paths(study)),
        cohort_sha256=file_hash(study.resolve(study.cohort.table)),
        images_sha256=content_hash(file_hashes(sorted({path for pair in files for path in pair}), cache)),
        device=", ".join(sorted({str(source.settings.get("device", "cpu")) for source in sources})),
        **platform_facts(),
    )
