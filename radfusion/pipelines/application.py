"""A finished study's model, applied to new cases: from image and segmentation to probabilities and their reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from radfusion.core.cohort import Cohort
from radfusion.core.contract import Answer, CaseWarning, InputContract, SourceContract
from radfusion.core.features import FeatureTable
from radfusion.core.results import Exclusion
from radfusion.errors import FeatureError, RunError, UserError
from radfusion.execution.cache import write_atomically
from radfusion.execution.work import Workers
from radfusion.extraction.clinical import clinical_values
from radfusion.extraction.tables import extract
from radfusion.imaging.loading import CaseFiles
from radfusion.imaging.settings import ImagingSettings
from radfusion.modelling.model import Model
from radfusion.modelling.stored import load_model
from radfusion.pipelines.answers import answers_of, as_rows
from radfusion.pipelines.asked_sources import asked_extractor
from radfusion.pipelines.case_notes import case_notes
from radfusion.pipelines.given_features import given_features, sources_in
from radfusion.pipelines.new_cases import cohort_of_one, read_new_cases, unusable_cases

__all__ = ["Applied", "predict_case", "predict_table", "write_answers"]


@dataclass(frozen=True)
class Applied:
    """What a model says of the cases of a table.

    Attributes
    ----------
    answers : tuple of Answer
        In the order of the table.
    exclusions : tuple of Exclusion
        Cases that could not be predicted, with stage and reason.
    """

    answers: tuple[Answer, ...]
    exclusions: tuple[Exclusion, ...]


def predict_case(
    run: str | Path,
    image: str | Path,
    segmentation: str | Path,
    *,
    label: int | str | None = None,
    facts: Mapping[str, str] | None = None,
) -> Answer:
    """Apply the model of a run to an image.

    Parameters
    ----------
    run : path
        Run directory, or a folder that :func:`save_model` wrote.
    image, segmentation : path
        Files of the case.
    label : int or str, optional
        Value or name of its structure in the segmentation.
    facts : mapping of str to str, optional
        ``centre`` and covariates, as a cohort table would hold them.

    Returns
    -------
    Answer

    Raises
    ------
    RunError
        When the folder holds no model, or one that was changed.
    FeatureError
        When a feature source of the model is not available here.
    UserError
        When the case cannot be used, or the model asks for a centre or covariate that is not given.
    """
    model, folder = _model_of(Path(run))
    cohort = cohort_of_one(model.contract, Path(image), Path(segmentation), label=label, facts=facts)
    applied = _Application(model, folder, {}, Workers()).to(cohort)
    for excluded in applied.exclusions:
        raise UserError(f"{Path(image).name}: {excluded.stage}: {excluded.reason}")
    return applied.answers[0]


def predict_table(
    run: str | Path, table: str | Path, *, features: Sequence[str | Path] = (), place: Workers | None = None
) -> Applied:
    """Apply the model of a run to every case of a cohort table.

    Parameters
    ----------
    run : path
        Run directory, or a folder that :func:`save_model` wrote.
    table : path
        Cohort table: columns as in the study; labels and sets are not needed.
    features : sequence of path, optional
        Feature tables as ``radfusion extract`` writes them, or as the program wrote them whose table the study
        imported; a source that they hold is not extracted.
    place : Workers, optional
        Who works, where it is remembered and who is told.

    Returns
    -------
    Applied

    Raises
    ------
    RunError
        When the folder holds no model, or one that was changed.
    UserError
        When a table does not exist.
    CohortError
        With every mistake of the table.
    FeatureError
        When a feature source of the model is not available here.
    """
    model, folder = _model_of(Path(run))
    files, contract = [Path(each) for each in features], model.contract
    for file in (Path(table), *files):
        if not file.exists():
            raise UserError(f"{file}: there is no such file")
    given = {name for file in files for name in sources_in(file, contract)}
    images = any(each.extractor is not None and each.name not in given for each in contract.sources)
    cohort = read_new_cases(contract, Path(table), images=images)
    tables = given_features(files, contract, cohort)
    return _Application(model, folder, tables, place or Workers()).to(cohort)


def write_answers(applied: Applied, out: str | Path) -> tuple[Path, Path]:
    """Write a table of answers, and everything that is known of each beside it.

    Parameters
    ----------
    applied : Applied
        Answers.
    out : path
        CSV file; the JSON lines lie beside it.

    Returns
    -------
    tuple of pathlib.Path
        Both files.

    Raises
    ------
    UserError
        When the CSV file would have the name of the JSON lines.
    """
    out = Path(out)
    lines = out.with_suffix(".jsonl")
    if out == lines:
        raise UserError(f"{out.name}: the JSON lines beside the table have this name; write a name that ends in .csv")
    write_atomically(out, as_rows(applied.answers).to_csv(index=False, lineterminator="\n").encode())
    text = "".join(answer.model_dump_json(by_alias=True) + "\n" for answer in applied.answers)
    write_atomically(lines, text.encode())
    return out, lines


def _model_of(run: Path) -> tuple[Model, Path]:
    """The model and its folder."""
    for folder in (run / "model", run):
        if (folder / "model.json").is_file():
            return load_model(folder), folder
    raise RunError(f"{run}: holds no model; give the folder of a finished run, or its folder 'model'")


@dataclass(frozen=True)
class _Application:
    """A model, where it lies, feature tables that are given by source, and who works."""

    model: Model
    folder: Path
    given: Mapping[str, FeatureTable]
    place: Workers

    @property
    def contract(self) -> InputContract:
        return self.model.contract

    @property
    def imaging(self) -> ImagingSettings:
        return ImagingSettings.model_validate(self.contract.imaging or {})

    def to(self, cohort: Cohort) -> Applied:
        """Answers to all cases of a cohort, and who gets none."""
        excluded = {item.case: item for item in unusable_cases(self.contract, cohort)}
        usable = cohort.without(list(excluded))
        parts, notes = [], []
        for source in self.contract.sources:
            table, told = self._features(source, usable)
            parts.append(table.frame)
            notes += [CaseWarning(kind="computing", message=note) for note in told]
            excluded |= {item.case: item for item in table.exclusions if item.case not in excluded}
        usable = cohort.without([case for case in cohort.frame.index if case in excluded])
        cases = usable.frame.index
        frame = pd.concat([pd.DataFrame(index=cases), *(part.reindex(cases) for part in parts)], axis=1)
        looked = self._looked_at(usable)
        told_of = {case: (*looked.get(case, ()), *notes) for case in map(str, cases)}
        answers = tuple(answers_of(self.model, frame, usable, notes=told_of))
        return Applied(answers, tuple(excluded[case] for case in cohort.frame.index if case in excluded))

    def _features(self, source: SourceContract, cohort: Cohort) -> tuple[FeatureTable, tuple[str, ...]]:
        """Features of one source, with what may change their last digits; cases without are excluded."""
        if source.name in self.given:
            return _of_table(source.name, self.given[source.name], cohort), ()
        if source.kind == "clinical":
            coding = source.identity["settings"]["covariates"]
            asked = {name: coding[name] for name in coding if name in self.contract.covariates}
            return FeatureTable(clinical_values(cohort.frame, asked)), ()
        if source.extractor is None:
            how = "give --features TABLE with those of the new cases"
            raise FeatureError(f"the features of source {source.name!r} came as a table: {how}")
        extractor, notes = asked_extractor(source, self.folder)
        place = self.place
        table = extract(
            cohort,
            extractor,
            imaging=self.imaging,
            executor=place.executor,
            cache=place.cache,
            progress=place.progress,
        )
        return table, notes

    def _looked_at(self, cohort: Cohort) -> dict[str, tuple[CaseWarning, ...]]:
        """Warnings of reading, where features come from images."""
        sources = [each for each in self.contract.sources if each.extractor is not None and each.name not in self.given]
        if not sources:
            return {}
        counts: Mapping[str, int] = sources[0].identity.get("spacing", {})
        known, unknown = counts.get("known", 0) > 0, counts.get("unknown", 0) > 0
        files = [
            CaseFiles(
                case,
                str(cohort.image_path(case)),
                str(cohort.segmentation_path(case)),
                cohort.segmentation_label(case),
            )
            for case in map(str, cohort.frame.index)
        ]
        spaced = None if known == unknown else known
        return case_notes(files, self.imaging, spaced=spaced, executor=self.place.executor)


def _of_table(source: str, table: FeatureTable, cohort: Cohort) -> FeatureTable:
    columns = [name for name in table.frame.columns if str(name).startswith(f"{source}:")]
    known = set(table.frame.index)
    absent = [
        Exclusion(case=case, stage=source, reason="the feature table has no row of the case")
        for case in map(str, cohort.frame.index)
        if case not in known
    ]
    there = [case for case in cohort.frame.index if case in known]
    return FeatureTable(table.frame.loc[there, columns], {}, tuple(absent))
