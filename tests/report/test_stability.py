"""The section on stability: its numbers, its picture, its sentences, and what it says when nothing was measured."""

import csv
import io

import numpy as np
import pytest

from radfusion.core.results import ControlResult, Estimate, Exclusion, FeatureStability, Stability, StabilityPart
from radfusion.report.blocks import Note, Picture, Table, Text
from radfusion.report.drawings.stability import bins
from radfusion.report.figures import draw
from radfusion.report.index import Index
from radfusion.report.references import cited
from radfusion.report.sections.stability import build
from radfusion.report.sentences import methods
from radfusion.report.write import to_csv


def features(source, minimum, names, seed):
    """Values from below 0 to 1, one constant feature and one without enough values."""
    values = np.random.default_rng(seed).beta(4, 1.5, size=len(names)) * 1.1 - 0.1
    found = [
        FeatureStability(
            feature=name, value=value, low=value - 0.15, high=min(value + 0.1, 1), n_cases=24, kept=value >= minimum
        )
        for name, value in zip(names, values.tolist(), strict=True)
    ]
    constant = "does not vary between cases or readings"
    found.append(FeatureStability(feature=f"{source}:flat_a_B", value=None, n_cases=24, kept=True, reason=constant))
    return tuple(found)


def names_of(results, source):
    chosen = {item.feature for each in results.selections for item in each.signature}
    mine = sorted(name for name in chosen if name.startswith(source))
    groups = ("original_shape2D", "original_glcm", "wavelet-LH_shape2D", "wavelet-LH_glcm")
    return [*mine, *(f"{source}:{group}_F{at}" for group in groups for at in range(40))]


def stability(results, source, kind, use="estimate"):
    names = ("rotate", "noise+contour") if kind == "perturbations" else ()
    faults = (Exclusion(case="case017", stage="contour, perturbation", reason="nothing is left of the region"),)
    return Stability(
        source=source,
        kind=kind,
        form="ICC(A,1)" if kind == "readers" else "ICC(1,1)",
        level=0.95,
        minimum=0.75,
        use=use,
        n_cases=24,
        n_ratings=2 if kind == "readers" else 3,
        parts=tuple(StabilityPart(name=name, n_ratings=2, n_stable=70, median=0.913) for name in names),
        faults=faults if names else (),
        features=features(source, 0.75, names_of(results, source), seed=len(source) + len(kind)),
    )


def controls(model):
    bare = {"metric": "macro_auc", "model": model, "n": 70}
    return tuple(
        ControlResult(
            control="roi_shuffle",
            model=model,
            original=Estimate(set=one, value=0.861, low=0.80, high=0.91, **bare),
            controlled=Estimate(set=one, value=0.842, low=0.78, high=0.90, **bare),
            n_features=48,
            n_like_original=17,
        )
        for one in ("training", "external")
    )


@pytest.fixture(scope="module")
def measured(results):
    found = (
        stability(results, "radiomics", "readers"),
        stability(results, "radiomics", "perturbations"),
        stability(results, "imagenet", "readers"),
    )
    return results.model_copy(update={"stability": found, "controls": controls(results.final_model)})


def blocks_of(results, kind):
    return [block for block in build(Index(results)) if isinstance(block, kind)]


def table(results, name):
    (found,) = (block for block in blocks_of(results, Table) if block.name == name)
    return found


def methods_text(results):
    return " ".join(text for _, texts in methods(Index(results)) for text in texts)


def test_without_second_readings_it_says_so_and_no_more(results):
    blocks = build(Index(results))
    assert [block.text for block in blocks] == ["Segmentation reproducibility was not assessed."]
    assert "Segmentation reproducibility was not assessed." in methods_text(results)


def test_the_sentence_counts_cases_readings_and_features(measured):
    each = measured.stability[0]
    kept = sum(feature.kept for feature in each.features)
    words = (
        f"24 training vertebrae were segmented twice; radiomics features with ICC(A,1) below 0.75 were removed "
        f"({len(each.features)} to {kept})."
    )
    assert words in [block.text for block in blocks_of(measured, Text)]
    assert words in methods_text(measured)
    assert "reproducibility was not assessed" not in methods_text(measured)


def test_perturbations_do_not_pass_for_a_second_reader(results):
    only = results.model_copy(update={"stability": (stability(results, "radiomics", "perturbations", use="lower"),)})
    text = methods_text(only)
    assert "Segmentation reproducibility was not assessed. Features were instead screened under 2 perturbations" in text
    assert "measured again under rotation and noise addition with contour randomisation" in text
    assert "ICC(1,1) below 0.75 (lower limit of its 95% CI)" in text


def test_faults_are_named(measured):
    (note,) = blocks_of(measured, Note)
    assert note.text == "1 reading could not be made: case017 (contour, perturbation): nothing is left of the region."


def test_counts_by_class_and_image_type_add_up(measured):
    rows = table(measured, "stability_classes").as_data().rows
    for each in measured.stability:
        mine = [row for row in rows if row[:2] == (each.source, each.kind)]
        assert sum(row[4] for row in mine) == len(each.features)
        assert sum(row[5] for row in mine) == sum(feature.kept for feature in each.features)
    assert ("wavelet-LH", "glcm") in {row[2:4] for row in rows}


def test_the_file_holds_every_feature_and_the_page_those_of_signatures(measured):
    found = table(measured, "stability")
    rows = list(csv.DictReader(io.StringIO(to_csv(found.as_data()).decode())))
    assert len(rows) == sum(len(each.features) for each in measured.stability)
    first = measured.stability[0].features[0]
    assert float(rows[0]["value"]) == first.value
    chosen = {item.feature for each in measured.selections for item in each.signature}
    assert {row[0].text for row in found.rows} == {name for name in chosen if not name.startswith("random")}
    assert found.rows[0][2].text == f"{first.value:.2f}"


def test_pointers_lead_to_the_printed_numbers(measured):
    tree = measured.model_dump(mode="json", by_alias=True)
    for row in table(measured, "stability").rows:
        node = tree
        for part in row[2].ref.split("/")[1:]:
            node = node[int(part)] if isinstance(node, list) else node[part]
        assert f"{node:.2f}".replace("-", "\N{MINUS SIGN}") == row[2].text


def test_the_histogram_draws_every_estimate(measured, fast):
    (picture,) = blocks_of(measured, Picture)
    assert len(picture.data.rows) == sum(f.value is not None for each in measured.stability for f in each.features)
    drawn = draw(picture, fast)
    assert set(drawn.files) == {"svg", "pdf", "png"}
    assert drawn.files["svg"] == draw(picture, fast).files["svg"]
    figure = picture.draw(fast)
    for axes, each in zip(figure.axes, measured.stability, strict=True):
        values = [feature.value for feature in each.features if feature.value is not None]
        below, above = np.array([bar.get_height() for bar in axes.patches]).reshape(2, -1)
        expected, _ = np.histogram(np.clip(values, 0, 1), bins=bins())
        np.testing.assert_array_equal(below + above, expected)
        assert sum(above) == sum(feature.kept for feature in each.features) - 1  # the constant one is not drawn


def test_controls_stand_beside_the_images(measured):
    found = table(measured, "negative_controls")
    assert [cell.text for cell in found.rows[1]] == [
        "region shuffled", "external", "0.861 (95% CI: 0.800, 0.910)", "0.842 (95% CI: 0.780, 0.900)", "17/48",
    ]  # fmt: skip
    assert "fitted anew" in found.caption


def test_references_are_those_of_what_was_done(results, measured):
    bare, full = ({doi for _, doi in cited(each)} for each in (results, measured))
    added = {"10.1016/j.jcm.2016.02.012", "10.1038/s41598-018-36938-4", "10.1016/j.radonc.2018.10.027"}
    assert added <= full
    assert not added & bare
