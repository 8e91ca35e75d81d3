"""Selection of features on the training set: steps, path and signatures."""

from __future__ import annotations

from functools import partial

from radfusion.core.results import SelectedFeature, Selection
from radfusion.report.blocks import Block, Cell, Data, Heading, Picture, Table, Text, Value
from radfusion.report.drawings.lasso import Bars, Deviance, Path, draw_coefficients, draw_deviance, draw_paths
from radfusion.report.index import Index
from radfusion.report.sections.base import SECTIONS, Section
from radfusion.report.step_sentences import named_steps
from radfusion.report.wording import count, join, percent, plain, significant

__all__ = ["build"]

#: Features of a signature that are drawn and printed; the CSV files hold all.
DRAWN = 30


def build(index: Index) -> list[Block]:
    """Steps of every arm, its cross-validated deviance and its signature."""
    selections = index.results.selections
    if not selections:
        return []
    blocks: list[Block] = [Text(_opening(index)), _steps(index)]
    if paths := _paths(index):
        blocks.append(paths)
    for each in selections:
        if each.arm in _arms_of_final(index):
            drawn = (_coefficient_paths(index, each), _coefficients(index, each))
            blocks += [picture for picture in drawn if picture is not None]
    blocks.append(Heading("Signatures"))
    for at, each in enumerate(selections):
        blocks.append(_signature(index, each, at) if each.signature else Text(f"{each.arm}: no feature was selected."))
    return blocks


def _opening(index: Index) -> str:
    sizes = [f"{each.arm} {len(each.signature):,}" for each in index.results.selections]
    sets = join(sorted({each.fitted_on for each in index.results.selections}))
    return (
        f"Fitted on the {sets} set only, and anew without every cross-validation fold: "
        f"{named_steps(index.results.selections) or 'no step'}. Features in the signatures: {', '.join(sizes)}."
    )


def _arms_of_final(index: Index) -> set[str]:
    """Arms whose features the final model uses."""
    if index.final is None:
        return set()
    return {index.final.arm, *(part.split("/")[0] for part in index.final.parts)}


def _steps(index: Index) -> Table:
    rows, data = [], []
    for at, each in enumerate(index.results.selections):
        for place, step in enumerate(each.steps):
            pointer = f"/selections/{at}/steps/{place}"
            settings = plain(step.settings) if step.settings else "–"
            rows.append(
                (
                    Cell(each.arm),
                    Cell(step.name),
                    Cell(f"{step.n_in:,}", f"{pointer}/n_in", numeric=True),
                    Cell(f"{step.n_out:,}", f"{pointer}/n_out", numeric=True),
                    Cell(settings),
                )
            )
            data.append((each.arm, step.name, step.n_in, step.n_out, settings))
    return Table(
        name="selection_steps",
        caption="Number of features before and after each step.",
        columns=("Arm", "Step", "In", "Out", "Settings"),
        rows=tuple(rows),
        notes=(f"Fitted on {count(index.results.selections[0].n_cases, 'training case')}.",),
        data=Data(("arm", "step", "n_in", "n_out", "settings"), tuple(data)),
        group=True,
    )


def _deviance(each: Selection) -> Deviance | None:
    rows = [row for row in each.deviance if row.get("lambda", 0.0) > 0 and "mean" in row]
    if not rows:
        return None
    return Deviance(
        arm=each.arm,
        lambdas=tuple(row["lambda"] for row in rows),
        means=tuple(row["mean"] for row in rows),
        errors=tuple(row.get("se") for row in rows),
        nonzero=tuple(None if "n_nonzero" not in row else int(row["n_nonzero"]) for row in rows),
        marks=_marks(each),
    )


def _marks(each: Selection) -> tuple[tuple[str, float], ...]:
    return tuple((name, each.lambda_[name]) for name in ("min", "1se") if each.lambda_.get(name, 0.0) > 0)


def _coefficient_paths(index: Index, each: Selection) -> Picture | None:
    paths = tuple(
        Path(
            feature=str(curve["feature"]),
            class_=index.label(str(curve["class"])),
            selected=bool(curve["selected"]),
            lambdas=tuple(curve["lambda"]),
            values=tuple(curve["coefficient"]),
        )
        for curve in each.coefficient_path
    )
    if not paths:
        return None
    rows = tuple(
        (path.feature, path.class_, str(path.selected), *values)
        for path in paths
        for values in zip(path.lambdas, path.values, strict=True)
    )
    return Picture(
        name=f"lasso_paths_{_slug(each.arm)}",
        caption=f"LASSO coefficients of {each.arm} along the path, by class, on the standardised scale.",
        alt=f"Coefficient paths of {each.arm}",
        data=Data(("feature", "class", "selected", "lambda", "coefficient"), rows),
        draw=partial(draw_paths, paths, _marks(each)),
    )


def _paths(index: Index) -> Picture | None:
    paths = tuple(path for path in map(_deviance, index.results.selections) if path is not None)
    if not paths:
        return None
    rows = tuple(
        (path.arm, *values)
        for path in paths
        for values in zip(path.lambdas, path.means, path.errors, path.nonzero, strict=True)
    )
    named = "; ".join(
        f"{path.arm}: " + ", ".join(f"λ {name} = {significant(value)}" for name, value in path.marks) for path in paths
    )
    family = "binomial" if len(index.classes) == 2 else "multinomial"
    return Picture(
        name="lasso_deviance",
        caption=f"Cross-validated {family} deviance of the LASSO along its path, by arm. Bars are standard errors over "
        f"folds; numbers above each panel are features with a non-zero coefficient. {named}.",
        alt="Cross-validated deviance against log lambda",
        data=Data(("arm", "lambda", "mean_deviance", "standard_error", "nonzero"), rows),
        draw=partial(draw_deviance, paths, f"{family.capitalize()} deviance"),
    )


def _coefficients(index: Index, each: Selection) -> Picture | None:
    classes = _modelled(each)
    if not classes:
        return None
    ranked = sorted(each.signature, key=_size)
    values = tuple(tuple(item.coefficients.get(name, 0.0) for name in classes) for item in ranked)
    names = tuple(item.feature for item in ranked[:DRAWN])
    bars = Bars(names, tuple(index.label(name) for name in classes), values[:DRAWN])
    return Picture(
        name=f"coefficients_{_slug(each.arm)}",
        caption=f"Signature of {each.arm}, the features of the final model: LASSO coefficients on the standardised "
        f"scale.{_cut(each, 'drawn')}",
        alt=f"Signed LASSO coefficients of {each.arm}",
        data=Data(("feature", *classes), tuple((item.feature, *row) for item, row in zip(ranked, values, strict=True))),
        draw=partial(draw_coefficients, bars, "Coefficient"),
    )


def _size(item: SelectedFeature) -> float:
    """Key that sorts the largest absolute coefficient first."""
    return -max(map(abs, item.coefficients.values()), default=0.0)


def _cut(each: Selection, done: str) -> str:
    """Sentence on a signature that is too long to be shown whole."""
    if len(each.signature) <= DRAWN:
        return ""
    which = f"the {DRAWN} with the largest absolute coefficient" if _modelled(each) else f"the first {DRAWN} by name"
    return f" Of {len(each.signature):,} features {which} are {done}; the CSV file holds all."


def _modelled(each: Selection) -> tuple[str, ...]:
    """Classes that features have coefficients for; none where no step fitted a model."""
    return tuple(dict.fromkeys(name for item in each.signature for name in item.coefficients))


def _signature(index: Index, each: Selection, at: int) -> Table:
    classes = _modelled(each)
    data: list[tuple[Value, ...]] = []
    for item in each.signature:
        values = [item.coefficients.get(name, 0.0) for name in classes]
        data.append((item.feature, *values, item.mean, item.scale, item.fold_frequency))
    printed = list(enumerate(each.signature))
    if len(printed) > DRAWN:
        printed = sorted(printed, key=lambda pair: _size(pair[1]))[:DRAWN]
    rows: list[tuple[Cell, ...]] = []
    for place, item in printed:
        pointer = f"/selections/{at}/signature/{place}"
        values = [item.coefficients.get(name, 0.0) for name in classes]
        numbers = [
            *(Cell(significant(value), f"{pointer}/coefficients", numeric=True) for value in values),
            Cell(significant(item.mean, 4), f"{pointer}/mean", numeric=True),
            Cell(significant(item.scale, 4), f"{pointer}/scale", numeric=True),
            Cell(percent(item.fold_frequency, 0), f"{pointer}/fold_frequency", numeric=True),
        ]
        rows.append((Cell(item.feature), *numbers))
    columns = ("Feature", *(index.label(name) for name in classes), "Mean", "Scale", "Folds")
    return Table(
        name=f"signature_{_slug(each.arm)}",
        caption=f"Signature of {each.arm}{': LASSO coefficients per class' if classes else ''}.{_cut(each, 'printed')}",
        columns=columns,
        rows=tuple(rows),
        notes=(_equation(index, each),),
        data=Data(("feature", *classes, "mean", "scale", "fold_frequency"), tuple(data)),
    )


def _equation(index: Index, each: Selection) -> str:
    intercepts = ", ".join(f"{index.label(name)} {significant(value, 4)}" for name, value in each.intercepts.items())
    tail = f" Intercepts: {intercepts}." if intercepts else ""
    score = "Score of a class = intercept + sum of coefficient × (feature − mean) / scale. " if _modelled(each) else ""
    return (
        f"{score}Mean and scale are those of the training set; Folds is the share of training folds that selected the "
        f"feature.{tail}"
    )


def _slug(arm: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in arm)


SECTIONS.add("selection", Section("Feature selection", 40, build))
