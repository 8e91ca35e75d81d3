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
from radfusion.modelling.model import Model, fuse_models
from radfusion.modelling.null import shuffled_label_run
from radfusion.networks.health import feature_health
from radfusion.networks.weights import WEIGHTS, fetch_weights
from radfusion.pipelines.checking import check_study, unusable_sets
from radfusion.pipelines.contracts import with_contract
from radfusion.pipelines.controls import run_controls
from radfusion.pipelines.fitted import Arm, FittedStudy, arm_tables, emptied, fused, plan_of, refitted
from radfusion.pipelines.given import given_sources, given_tables, imported_findings
from radfusion.pipelines.intake import Intake, intake
from radfusion.pipelines.judging import Judgement, judge
from radfusion.pipelines.ledger import register
from radfusion.pipelines.outputs import RunFolder
from radfusion.pipelines.pretraining import assess_pretraining, planned_pairs
from radfusion.pipelines.proof import prove, with_rows
from radfusion.pipelines.selftest import study_self_test
from radfusion.pipelines.splits import study_splits
from radfusion.pipelines.stability import assess_stability, second_readings, unstable_in
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
        prove(fitted.arms, fitted.cohort)
        ledger = register(study, fitted.cohort, fitted.tables, place=place)
        judgement = judge(study, fitted.cohort, fitted.arms, pairs=planned_pairs(study, list(fitted.arms)))
        results = _results(study, checked.cohort, fitted, judgement=judgement, place=place)
        pretraining = assess_pretraining(study, fitted, extractors, judgement=judgement, place=place)
        splits = study_splits(study, fitted, judgement, place=place)
        told = {"pretraining": pretraining, "choice": judgement.choice, "ledger": ledger, "repeated_splits": splits}
        results = with_rows(results.model_copy(update=told), fitted.arms, fitted.cohort)
        controls = run_controls(study, fitted, extractors, judgement=judgement, place=place)
        results = results.model_copy(update={"controls": controls})
        findings = (*check_cohort(fitted.cohort), *looked.findings, *imported_findings(fitted.sources))
        results = results.model_copy(update={"audit": judgement.audit(results, findings)})
        model = _final_model(study, fitted, judgement)
        kinds = {source.name: source.kind for source in fitted.sources}
        model = with_contract(model, study, extractors, kinds=kinds, thresholds=judgement.thresholds)
        return folder.write(study, results, fitted.tables, judgement=judgement, model=model, progress=place.progress)


def looked_at(study: Study, cohort: Cohort, place: Workers) -> Intake:
    """The intake of a study that may go on.

    Raises
    ------
    CohortError
        When no image is there, or films with equal pixels are in two sets.
    """
    if study.features.needs_images:
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
    if not usable and study.features.needs_images and len(study.features.kinds) == len(missing):
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
    tables |= given_tables(study, cohort, place.progress)
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
    readings, level = second_readings(study, used, extractors, place=place), study.evaluation.level
    stability = assess_stability(readings, study.features.stability, level=level)
    unstable = unstable_in(readings, study.features.stability, level=level, progress=place.progress)
    plan = plan_of(study, tables)
    for name, lacking in plan.left_out.items():
        place.progress.say(f"arm {name!r} is left out: {lacking!r} is not here")
    to_fit = arm_tables(study, tables)
    fitted = fit_arms(to_fit, used, study.modelling, seed=study.seed, workers=place, unstable=unstable)
    for sentence in emptied(fitted):
        place.progress.say(sentence)
    arms: dict[str, Arm] = {**fitted, **fused(fitted, plan.late)}
    null_arm = _null_arm(study, to_fit)
    null_aucs = shuffled_label_run(
        to_fit[null_arm], used, study.modelling, seed=study.seed, workers=place, unstable=unstable
    )
    null = null_estimate(null_aucs, null_arm, level=study.evaluation.level)
    there = [_source(study, each, tables[each.source], cohort=used, place=place) for each in extractors]
    there += given_sources(study, tables, used)
    return FittedStudy(used, tables, stability, (*there, *missing), exclusions, arms, null, unstable)


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
        parts = [refitted(study, fitted, part, classifier=final.classifier) for part in arm.parts]
        weights = arm.fits[final.classifier].weights
        return fuse_models(final.model, parts, rule=arm.rule, weights=weights)
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
        selections=tuple(arm.selection for arm in fitted.arms.values() if isinstance(arm, ArmFit)),
        models=judgement.models,
        final_model=judgement.final.model,
        thresholds=judgement.thresholds,
        estimates=(*judgement.estimates, *([fitted.null] if fitted.null else [])),
        comparisons=judgement.comparisons,
        curves=judgement.curves,
        confusions=judgement.confusions,
        provenance=_provenance(study, cohort, fitted.sources, cache=place.cache),
    )


def _without_paths(study: Study) -> Study:
    """The study with bare file names: where files lie on a machine is nobody's business and changes no number."""
    deep = tuple(
        extractor.model_copy(update={"file": extractor.file and Path(extractor.file.name)})
        for extractor in study.features.deep
    )
    imported = tuple(each.without_paths() for each in study.features.imported)
    cohort = study.cohort.model_copy(update={"table": Path(study.cohort.table.name)})
    features = study.features.model_copy(update={"deep": deep, "imported": imported})
    return study.model_copy(update={"cohort": cohort, "features": features})


def _provenance(study: Study, cohort: Cohort, sources: tuple[FeatureSource, ...], *, cache: Cache | None) -> Provenance:
    return Provenance(
        packages=package_versions(),
        study_sha256=content_hash(_without_paths(study)),
        cohort_sha256=file_hash(study.resolve(study.cohort.table)),
        images_sha256=content_hash(file_hashes(_files(study, cohort), cache)),
        device=", ".join(sorted({str(source.settings.get("device", "cpu")) for source in sources})),
        **platform_facts(),
    )


def _files(study: Study, cohort: Cohort) -> list[Path]:
    """Images and segmentations that features came of; imported tables where no image was read."""
    if not study.features.needs_images:
        return sorted(study.resolve(path) for each in study.features.imported for path in each.paths.values())
    read = [cohort, *(cohort.read_by(reader) for reader in cohort.readers)]
    pairs = [(each.image_path(case), each.segmentation_path(case)) for each in read for case in each.frame.index]
    return sorted({path for pair in pairs for path in pair})
