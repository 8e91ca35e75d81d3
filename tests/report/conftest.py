"""Studies to report on: random features, real fits, real estimates; only extraction is left out."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from radfusion.core.predictions import Predictions
from radfusion.core.results import (
    AuditFinding,
    Confusion,
    Exclusion,
    FeatureSource,
    FittedModel,
    FittedRows,
    ModelChoice,
    Provenance,
    RepeatedSplits,
    SelectedFeature,
    Selection,
    SelectionStep,
    SetScoring,
    SetSummary,
    StudyFacts,
    StudyResults,
)
from radfusion.evaluation import (
    EvaluationSettings,
    adjust_comparisons,
    class_comparisons,
    compare_models,
    compare_with_no_information,
    confusion,
    evaluate_set,
    one_vs_rest_auc,
    roc_curves,
    training_thresholds,
)
from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.modelling.rows import cases_hash
from radfusion.report.styles import Style
from radfusion.report.write import write_report

HE = "He K, et al. Deep residual learning for image recognition. CVPR 2016. doi:10.1109/CVPR.2016.90"
SIZES = {"training": 150, "internal": 70, "external": 60, "prospective": 45}
CENTRES = {"training": ("A", "B"), "internal": ("A", "B"), "external": ("C",), "prospective": ("A", "D")}
SIGNAL = {"radiomics": 0.62, "imagenet": 0.5, "random": 0.25}
CLASSIFIERS = {
    "logistic": lambda: LogisticRegression(C=0.3, max_iter=2000),
    "knn": lambda: KNeighborsClassifier(15),
    "random-forest": lambda: RandomForestClassifier(40, min_samples_leaf=5, random_state=1),
}
NAMES = {
    "radiomics": "radiomics:{}_glszm_SmallAreaLowGrayLevelEmphasis{}",
    "imagenet": "imagenet:{}_layer3_{:03d}",
    "random": "random:{}_layer3_{:03d}",
}


def features(rng, source, codes, count=24):
    """Feature matrix in which the first six columns know something of the class."""
    values = rng.normal(size=(len(codes), count))
    values[:, :6] += SIGNAL[source] * (codes[:, None] - codes.mean()) * rng.choice([-1, 1], size=6)
    kinds = ("original", "wavelet-HLH", "log-sigma-3-0-mm")
    return pd.DataFrame(values, columns=[NAMES[source].format(kinds[at % 3], at) for at in range(count)])


def softmax(scores):
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def lasso_path(x, truth, lambdas, steps=40):
    """Multinomial LASSO by proximal gradient steps with warm starts: (lambdas, p + 1, K) coefficients."""
    design = np.column_stack([np.ones(len(x)), x])
    beta, path = np.zeros((design.shape[1], truth.shape[1])), []
    rate = 1 / (0.5 * np.linalg.norm(design, 2) ** 2 / len(x))
    for value in lambdas:
        for _ in range(steps):
            beta = beta - rate * design.T @ (softmax(design @ beta) - truth) / len(x)
            beta[1:] = np.sign(beta[1:]) * np.maximum(np.abs(beta[1:]) - rate * value, 0)
        path.append(beta.copy())
    return np.array(path)


def deviance(x, truth, beta):
    probabilities = softmax(np.column_stack([np.ones(len(x)), x]) @ beta)
    return -2 * np.log(np.clip((probabilities * truth).sum(axis=1), 1e-9, 1)).mean()


def select(arm, frame, codes, classes, folds):
    mean, scale = frame.mean().to_numpy(), frame.std(ddof=0).to_numpy()
    x, truth = (frame.to_numpy() - mean) / scale, np.eye(len(classes))[codes]
    lambdas = np.geomspace(0.25, 0.01, 18)
    path = lasso_path(x, truth, lambdas)
    parts = [lasso_path(x[folds != fold], truth[folds != fold], lambdas) for fold in range(5)]
    losses = np.array(
        [[deviance(x[folds == fold], truth[folds == fold], beta) for beta in part] for fold, part in enumerate(parts)]
    )
    means, errors = losses.mean(axis=0), losses.std(axis=0, ddof=1) / 5**0.5
    best = int(means.argmin())
    chosen = int(np.flatnonzero(means <= means[best] + errors[best])[0])
    best = max(best, int(np.flatnonzero(np.abs(path[:, 1:]).sum(axis=(1, 2)))[0]))
    kept = np.flatnonzero(np.abs(path[best][1:]).sum(axis=1))
    frequency = [np.mean([np.abs(part[best][1 + at]).sum() > 0 for part in parts]) for at in kept]
    modelled = classes if len(classes) > 2 else classes[1:]
    columns = range(len(classes)) if len(classes) > 2 else (1,)
    curves = [
        {
            "feature": str(frame.columns[at]),
            "class": name,
            "selected": True,
            "lambda": lambdas.tolist(),
            "coefficient": path[:, 1 + at, column].tolist(),
        }
        for at in kept
        for name, column in zip(modelled, columns, strict=True)
    ]
    signature = tuple(
        SelectedFeature(
            feature=str(frame.columns[at]),
            coefficients={n: float(path[best][1 + at, c]) for n, c in zip(modelled, columns, strict=True)},
            mean=mean[at],
            scale=scale[at],
            fold_frequency=share,
        )
        for at, share in zip(kept, frequency, strict=True)
    )
    total = frame.shape[1]
    selection = Selection(
        arm=arm,
        fitted_on="training",
        n_cases=len(codes),
        steps=(
            SelectionStep(
                name="missing",
                n_in=total + 5,
                n_out=total + 2,
                settings={"max_share": 0.2, "fill": "median", "filled": 7},
            ),
            SelectionStep(name="variance", n_in=total + 2, n_out=total),
            SelectionStep(name="lasso", n_in=total, n_out=len(kept), settings={"rule": "min", "folds": 5}),
        ),
        signature=signature,
        intercepts={n: float(path[best][0, c]) for n, c in zip(modelled, columns, strict=True)},
        lambda_={"min": lambdas[best], "1se": lambdas[chosen], "chosen": lambdas[best]},
        deviance=tuple(
            {"lambda": a, "mean": b, "se": c, "n_nonzero": float((np.abs(d[1:]).sum(axis=1) > 0).sum())}
            for a, b, c, d in zip(lambdas, means, errors, path, strict=True)
        ),
        coefficient_path=tuple(curves),
    )
    return selection, x[:, kept], lambda other: ((other.to_numpy() - mean) / scale)[:, kept]


def fit(frame, rows, codes, classes, folds, arm):
    """Predictions by classifier, out of fold on the training set, and the selection."""
    training = (rows["set"] == "training").to_numpy()
    selection, x, transform = select(arm, frame[training], codes[training], classes, folds)
    everything, found = transform(frame), {}
    for name, build in CLASSIFIERS.items():
        probabilities = build().fit(x, codes[training]).predict_proba(everything)
        for fold in range(5):
            model = build().fit(x[folds != fold], codes[training][folds != fold])
            probabilities[np.flatnonzero(training)[folds == fold]] = model.predict_proba(x[folds == fold])
        found[name] = Predictions.from_arrays(rows, probabilities, classes, f"{arm}/{name}")
    return selection, found


def cohort(rng, classes):
    parts, start = [], 0
    for name, size in SIZES.items():
        case = [f"case{start + at:03d}" for at in range(size)]
        patient = [f"P{start + at - at % 2 * (at % 3 == 1):03d}" for at in range(size)]
        shares = np.array([0.4, 0.35, 0.25])[: len(classes)]
        labels = rng.choice(classes, size=size, p=shares / shares.sum())
        parts.append(pd.DataFrame({"patient": patient, "set": name, "label": labels}, index=case))
        start += size
    return pd.concat(parts)


def in_set(predictions, name):
    frame = predictions.frame[predictions.frame["set"] == name]
    return Predictions(frame, predictions.classes, predictions.model)


def macro(predictions, classes):
    part = in_set(predictions, "training")
    return one_vs_rest_auc(part.labels, part.probabilities, classes)[-1].value


def fitted_models(arms, classes):
    scores = {arm: {name: macro(each, classes) for name, each in found.items()} for arm, found in arms.items()}
    best = {arm: max(found, key=found.get) for arm, found in scores.items()}
    final = max(best, key=lambda arm: scores[arm][best[arm]])
    models = []
    for arm, found in scores.items():
        fusion = arm.split("-")[0] if arm.split("-")[0] in ("early", "late") else "none"
        source = arm.split("-")[-1]
        sources = ("radiomics", source) if fusion != "none" else (source,)
        models += [
            FittedModel(
                model=f"{arm}/{name}",
                arm=arm,
                classifier=name,
                fusion=fusion,
                sources=sources,
                hyperparameters={} if fusion == "late" else {"C": 0.3},
                trials=({"hyperparameters": {"C": 0.3}, "score": score},),
                cv_macro_auc=score,
                best_of_arm=name == best[arm],
                final=(arm, name) == (final, best[final]),
                parts=(f"radiomics/{name}", f"deep-{source}/{name}") if fusion == "late" else (),
                rule="mean" if fusion == "late" else None,
            )
            for name, score in found.items()
        ]
    return tuple(models)


def compared(best, tests):
    found = []
    for b, a in combinations(best, 2):
        for name in tests:
            a_there, b_there = in_set(best[a], name), in_set(best[b], name)
            test = compare_models(a_there, b_there)
            primary = {a, b} == {"early-imagenet", "radiomics"} and name == "external"
            role = "primary" if primary else "secondary" if "radiomics" in (a, b) else "exploratory"
            found.append(test.model_copy(update={"role": role, "family": role}))
            found += [each.model_copy(update={"family": "per class"}) for each in class_comparisons(a_there, b_there)]
    return adjust_comparisons(found)


def facts(classes):
    names = dict(zip(("0", "1", "2"), ("no fracture", "mild fracture", "marked fracture"), strict=True))
    return StudyFacts(
        title="Radiomics and deep features for vertebral fractures on radiographs",
        kind="fusion",
        seed=7,
        classes=classes,
        class_names={name: names[name] for name in classes},
        unit="vertebra",
        statements={"objective": "To compare fused with radiomic features.", "modality": "radiograph", "ethics": None},
        settings={
            "modelling": {"folds": 5, "fusion": ["early", "late"], "late_rule": "mean"},
            "evaluation": {"primary": {"models": ["early-imagenet", "radiomics"], "set": "external"}},
        },
    )


def sources():
    layer = {
        "kind": "deep",
        "network": "resnet50",
        "layer": "layer3",
        "crop": {"size": 224, "margin": 0.1},
        "input": {"order": "RGB", "mean": [0.485, 0.456, 0.406]},
    }
    return (
        FeatureSource(
            name="radiomics",
            kind="radiomics",
            n_features=24,
            settings={"settings": Radiomics().model_dump(mode="json"), "versions": {"pyradiomics-cuda": "1.0.4"}},
        ),
        FeatureSource(
            name="imagenet",
            kind="deep",
            n_features=24,
            settings=layer,
            weights={"sha256": "0676ba61" * 8, "modalities": ["photographs"], "title": "ImageNet", "reference": HE},
            health={"first_component_share": 0.321, "effective_rank": 41.2},
        ),
        FeatureSource(
            name="radimagenet",
            kind="deep",
            n_features=0,
            available=False,
            reason="no file; import one with `radfusion weights import radimagenet FILE`",
        ),
        FeatureSource(
            name="random",
            kind="deep",
            n_features=24,
            settings=layer,
            weights={"sha256": "ab" * 32},
            health={"first_component_share": 0.968, "effective_rank": 3.4},
        ),
    )


def summaries(rows, classes):
    return tuple(
        SetSummary(
            name=name,
            role=name,
            n_cases=len(part),
            n_patients=part["patient"].nunique(),
            n_by_class={each: int((part["label"] == each).sum()) for each in classes},
            centres=CENTRES[name],
        )
        for name, part in ((name, rows[rows["set"] == name]) for name in SIZES)
    )


def audit():
    shuffled = "With shuffled labels the whole chain reaches an out-of-fold macro AUC of 0.503."
    return (
        AuditFinding(code="RF01", verdict="pass", message=shuffled),
        AuditFinding(code="RF17", verdict="fail", message="early-imagenet: 2.1 cases of the rarest class per feature."),
        AuditFinding(code="RF20", verdict="warn", message="The weights source radimagenet was left out."),
        AuditFinding(code="RF25", verdict="not_applicable", message="One reader."),
    )


def trust(rows, models):
    """Rows, choice, ledger and repeated splits of a study with two earlier configurations."""
    training = rows[rows["set"] == "training"]
    final = next(each for each in models if each.final)
    values = tuple(0.7 + 0.004 * step for step in range(20))
    folds = np.arange(len(training)) % 5
    kept = {"training": folds >= 0, "training without fold 1": folds != 0}
    return {
        "fitted_rows": tuple(
            FittedRows(
                name=name,
                n_cases=int(mask.sum()),
                n_patients=training["patient"][mask].nunique(),
                sha256=cases_hash(training.index[mask]),
                cases=tuple(sorted(training.index[mask])),
            )
            for name, mask in kept.items()
        ),
        "choice": ModelChoice(
            rule="highest", model=final.model, best=final.model, value=final.cv_macro_auc, se=0.02,
            within=(final.model,), n_features=9,
        ),
        "ledger": tuple(
            SetScoring(
                set=name, set_sha256=digit * 64, configuration_sha256="c" * 64, ordinal=earlier + 1, earlier=earlier
            )
            for name, digit, earlier in (("internal", "1", 2), ("external", "2", 0))
        ),
        "repeated_splits": RepeatedSplits(
            model=final.model, sets=("training", "internal"), n_training=150, n_held=70, values=values,
            median=0.738, low=0.702, high=0.774, used=0.77, percentile=90.0,
        ),
    }  # fmt: skip


def provenance():
    return Provenance(
        radfusion="0.1.0",
        python="3.11.9",
        platform="Linux",
        processor="a processor",
        packages={"numpy": "2.4.6", "scikit-learn": "1.9.1", "torch": "2.9.0"},
        study_sha256="1a2b3c4d" * 8,
        cohort_sha256="5e6f7a8b" * 8,
        images_sha256="9c0d1e2f" * 8,
    )


def make_study(classes=("0", "1", "2"), seed=3):
    """Results of a study with seven arms."""
    rng = np.random.default_rng(seed)
    rows = cohort(rng, classes)
    codes = np.array([classes.index(each) for each in rows["label"]])
    tables = {source: features(rng, source, codes).set_axis(rows.index) for source in SIGNAL}
    frames = {"radiomics": tables["radiomics"]}
    frames |= {f"deep-{name}": tables[name] for name in ("imagenet", "random")}
    frames |= {f"early-{name}": tables["radiomics"].join(tables[name]) for name in ("imagenet", "random")}
    folds = np.arange(SIZES["training"]) % 5
    selections, arms = [], {}
    for arm, frame in frames.items():
        selection, arms[arm] = fit(frame, rows, codes, classes, folds, arm)
        selections.append(selection)
    for name in ("imagenet", "random"):
        arms[f"late-{name}"] = {
            kind: Predictions.from_arrays(
                rows, (arms["radiomics"][kind].probabilities + arms[f"deep-{name}"][kind].probabilities) / 2, classes,
                f"late-{name}/{kind}",
            )
            for kind in CLASSIFIERS
        }  # fmt: skip
    models = fitted_models(arms, classes)
    every = {f"{arm}/{kind}": each for arm, found in arms.items() for kind, each in found.items()}
    best = {each.arm: every[each.model] for each in models if each.best_of_arm}
    tests = [name for name in SIZES if name != "training"]
    thresholds = [
        each for found in best.values() for each in training_thresholds(in_set(found, "training"), EvaluationSettings())
    ]
    return StudyResults(
        study=facts(classes),
        sets=summaries(rows, classes),
        exclusions=(
            Exclusion(case="case900", stage="segmentation", reason="the segmentation is empty"),
            Exclusion(case="case901", stage="read", reason="the file ends before its pixels do"),
        ),
        sources=sources(),
        selections=tuple(selections),
        models=models,
        final_model=next(each.model for each in models if each.final),
        thresholds=tuple(thresholds),
        estimates=tuple(
            each for found in every.values() for name in SIZES for each in evaluate_set(in_set(found, name), thresholds)
        ),
        comparisons=(
            *compared(best, tests),
            *(compare_with_no_information(in_set(found, name)) for found in best.values() for name in tests),
        ),
        curves=tuple(each for found in best.values() for name in tests for each in roc_curves(in_set(found, name))),
        confusions=tuple(
            Confusion(
                model=found.model,
                set=name,
                classes=classes,
                counts=confusion(part.labels, part.predicted, classes),
            )
            for found in best.values()
            for name in tests
            for part in [in_set(found, name)]
        ),
        audit=audit(),
        **trust(rows, models),
        provenance=provenance(),
    )


@pytest.fixture(scope="session")
def results():
    """Three classes, seven arms, three test sets."""
    return make_study()


@pytest.fixture(scope="session")
def benchmark(root):
    """The committed pretraining benchmark."""
    return StudyResults.read(root / "reports" / "pretraining-benchmark")


@pytest.fixture(scope="session")
def binary():
    """Two classes."""
    return make_study(("0", "1"), seed=5)


@pytest.fixture(scope="session")
def fast():
    """Return the paper's style with coarse pixels."""
    return Style(dpi=72)


@pytest.fixture(scope="session")
def written(results, fast, tmp_path_factory):
    """Folder of the rendered report of `results`."""
    out = tmp_path_factory.mktemp("report")
    write_report(results, out, style=fast)
    return out
