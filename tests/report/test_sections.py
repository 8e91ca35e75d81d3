"""Sections as data: what each must say."""

import pytest

from radfusion.core.results import Comparison, Estimate, FeatureSource, OutputFile
from radfusion.report.blocks import Code, Note, Picture, Table, Text
from radfusion.report.drawings.forest import LINES, Effect, draw_forest, fitting
from radfusion.report.feature_sentences import source_sentences
from radfusion.report.index import Index
from radfusion.report.sections import SECTIONS, sections_in_order
from radfusion.report.sections.comparisons import verdict
from radfusion.report.sentences import AUTHOR_FACTS, methods, unfilled
from radfusion.report.styles import PAPER, inches


def texts(blocks):
    return [block.text for block in blocks if isinstance(block, Text | Note)]


def table(blocks, name):
    return next(block for block in blocks if isinstance(block, Table) and block.name == name)


#: Sections that the made-up fusion studies give no reason for.
OF_BENCHMARKS = ("pretraining", "self_test")


@pytest.mark.parametrize("name", list(SECTIONS))
@pytest.mark.parametrize("study", ["results", "binary"])
def test_every_section_says_something(name, study, request):
    told = SECTIONS[name].build(Index(request.getfixturevalue("benchmark" if name in OF_BENCHMARKS else study)))
    assert told


@pytest.mark.parametrize("name", OF_BENCHMARKS)
def test_a_section_that_does_not_concern_a_study_is_left_out(name, results):
    assert SECTIONS[name].build(Index(results)) == []


def test_sections_stand_in_rising_order():
    names = [name for name, _ in sections_in_order()]
    assert names[0] == "summary"
    assert names[-1] == "reproducibility"
    assert len({section.order for _, section in sections_in_order()}) == len(names)


def test_a_study_without_pretrained_weights_says_so_first(results):
    only = tuple(each for each in results.sources if each.name in {"radiomics", "radimagenet", "random"})
    blocks = SECTIONS["summary"].build(Index(results.model_copy(update={"sources": only})))
    assert isinstance(blocks[0], Note)
    assert blocks[0].level == "fail"
    assert "No real weights source was available; all deep features are those of untrained controls" in blocks[0].text
    assert any("Source radimagenet was left out" in text for text in texts(blocks))


def test_pretrained_weights_silence_that_warning(results):
    assert not any("No real weights" in text for text in texts(SECTIONS["summary"].build(Index(results))))


def test_a_primary_comparison_that_is_gone_is_named(results):
    secondary = tuple(each for each in results.comparisons if each.role != "primary")
    blocks = SECTIONS["summary"].build(Index(results.model_copy(update={"comparisons": secondary})))
    assert any(
        "early-imagenet and radiomics on the external set, could not be tested" in text for text in texts(blocks)
    )


def test_exclusions_are_listed_by_case_stage_and_reason(results):
    rows = table(SECTIONS["participants"].build(Index(results)), "exclusions").rows
    assert [tuple(cell.text for cell in row) for row in rows] == [
        (each.case, each.stage, each.reason) for each in results.exclusions
    ]


def test_signatures_can_be_recomputed_from_their_table(results):
    built = table(SECTIONS["selection"].build(Index(results)), "signature_radiomics").as_data()
    for row, item in zip(built.rows, results.selections[0].signature, strict=True):
        assert row == (item.feature, *item.coefficients.values(), item.mean, item.scale, item.fold_frequency)


def test_all_models_are_shown_on_all_test_sets(results):
    built = table(SECTIONS["performance"].build(Index(results)), "auc_all")
    assert len(built.rows) == len(results.models)
    assert len(built.columns) == 2 + 3


def test_two_classes_have_one_auc(binary):
    blocks = SECTIONS["performance"].build(Index(binary))
    assert table(blocks, "auc_best").columns[-1] == "AUC (mild fracture against no fracture)"
    assert "macro" not in " ".join(texts(blocks)).lower()


@pytest.mark.parametrize(
    ("low", "high", "p", "said"),
    [
        (-0.02, 0.08, 0.24, "No difference in macro AUC between a/x and b/x was shown"),
        (0.01, 0.05, 0.004, "The macro AUC of a/x was higher than that of b/x"),
        (None, None, None, "P not estimable (variance is zero)"),
    ],
)
def test_verdicts_never_call_a_missing_proof_equality(results, low, high, p, said):
    found = Comparison(
        test="influence_macro_paired",
        metric="macro_auc",
        difference=0.03,
        low=low,
        high=high,
        p=p,
        models=("a/x", "b/x"),
        set="external",
        n=60,
        reason=None if p else "variance is zero",
    )
    words = verdict(Index(results), found)
    assert said in words
    assert "equal" not in words
    assert "significant" not in words


def test_a_secondary_difference_is_judged_by_its_adjusted_p_value(results):
    facts = {"difference": -0.16, "low": -0.28, "high": -0.04, "p": 0.009, "models": ("a/x", "b/x"), "set": "external"}
    found = Comparison(test="t", metric="macro_auc", role="secondary", p_adjusted=0.11, **facts)
    assert "No difference" in verdict(Index(results), found)
    assert "was lower" in verdict(Index(results), found.model_copy(update={"p_adjusted": 0.02}))
    assert "was lower" in verdict(Index(results), found.model_copy(update={"role": "primary"}))


def test_facts_of_the_study_file_are_not_asked_again(results):
    open_ = unfilled(Index(results))
    assert AUTHOR_FACTS["objective"] not in open_
    assert AUTHOR_FACTS["ethics"] in open_


def test_names_of_figures_and_tables_are_unique(results):
    blocks = [block for _, section in sections_in_order() for block in section.build(Index(results))]
    for kind in (Picture, Table):
        names = [block.name for block in blocks if isinstance(block, kind)]
        assert len(set(names)) == len(names)


def test_hashes_of_the_reports_own_files_do_not_stand_in_it(results):
    paths = ("predictions/a.csv", "report.html", "figures/roc.svg", "tables/sets.csv", "methods.md")
    files = tuple(OutputFile(path=path, sha256="0" * 64) for path in paths)
    blocks = SECTIONS["reproducibility"].build(Index(results.model_copy(update={"files": files})))
    assert [row[0].text for row in table(blocks, "files").rows] == ["predictions/a.csv"]


def at_level(results, level):
    """Results whose settings and numbers have intervals of another level."""
    study = results.study
    settings = {**study.settings, "evaluation": {**study.settings["evaluation"], "level": level}}
    changed = {
        name: tuple(each.model_copy(update={"level": level}) for each in getattr(results, name))
        for name in ("estimates", "comparisons")
    }
    return results.model_copy(update={"study": study.model_copy(update={"settings": settings}), **changed})


def printed(index):
    """Every word of every section but the settings of the study."""
    for _, section in sections_in_order():
        for block in section.build(index):
            yield "" if isinstance(block, Code) else repr(block)


@pytest.mark.parametrize("study", ["results", "binary"])
def test_the_level_of_intervals_is_that_of_the_study(study, request):
    index = Index(at_level(request.getfixturevalue(study), 0.9))
    words = " ".join([*printed(index), str(methods(index))])
    assert "95% CI" not in words
    assert "Difference (90% CI)" in words
    assert "Two-sided alpha was .10." in words
    assert index.alpha == 0.1


def test_without_a_setting_the_level_is_that_of_the_intervals(results):
    assert Index(results).interval_words == "95% CI"


def test_an_interval_of_another_level_says_so_in_a_table(results):
    first, *others = (each for each in results.estimates if each.metric == "macro_auc" and each.set == "external")
    odd = first.model_copy(update={"level": 0.8})
    index = Index(results.model_copy(update={"estimates": (odd, *others)}))
    assert "(80% CI: " in index.cell("macro_auc", odd.model, "external").text
    assert "CI" not in index.cell("macro_auc", others[0].model, "external").text


@pytest.mark.parametrize(
    ("spacing", "said"),
    [
        ({"known": 9, "unknown": 0}, "2 and 3 mm) with"),
        ({"known": 0, "unknown": 9}, "2 and 3 pixels, as no file states a spacing"),
        ({"known": 8, "unknown": 1}, "mm where the file states a spacing (8 cases), pixels elsewhere (1 case)"),
        (None, "mm, or pixels where the file states no spacing"),
    ],
)
def test_the_unit_of_sigma_follows_the_files(results, spacing, said):
    source = results.sources[0]
    settings = {**source.settings["settings"], "image_types": ["original", "log"], "log_sigma": [1, 2, 3]}
    known = {} if spacing is None else {"spacing": spacing}
    changed = source.model_copy(update={"settings": {**source.settings, "settings": settings, **known}})
    assert said in source_sentences(changed)[0]


def test_classifiers_are_called_by_their_titles_where_they_have_one(results):
    titles = {"logistic": "logistic regression", "knn": "k-nearest neighbours"}
    models = tuple(each.model_copy(update={"title": titles.get(each.classifier, "")}) for each in results.models)
    words = dict(methods(Index(results.model_copy(update={"models": models}))))["Fusion and models"][0]
    assert "3 classifiers (logistic regression, k-nearest neighbours and random-forest)" in words


def test_shuffled_labels_are_counted_in_repeats(results):
    null = Estimate(
        metric="null_macro_auc", value=0.497, low=0.49, high=0.504, n=20, model="shuffled labels: radiomics",
        set="training",
    )  # fmt: skip
    index = Index(results.model_copy(update={"estimates": (*results.estimates, null)}))
    (words,) = (text for text in texts(SECTIONS["models"].build(index)) if "shuffled" in text)
    assert "logistic regression of radiomics reached a mean out-of-fold macro AUC of 0.497" in words
    assert "over 20 repeats" in words


def test_a_long_signature_is_cut_in_print_and_whole_in_the_csv_files(results):
    final = Index(results).final
    arms = {final.arm, *(part.split("/")[0] for part in final.parts)}
    selection = next(each for each in results.selections if each.arm in arms)
    item = selection.signature[0]
    many = tuple(
        item.model_copy(update={"feature": f"f{at:03d}", "coefficients": dict.fromkeys(item.coefficients, at / 100)})
        for at in range(129)
    )
    changed = tuple(
        each.model_copy(update={"signature": many}) if each is selection else each for each in results.selections
    )
    blocks = SECTIONS["selection"].build(Index(results.model_copy(update={"selections": changed})))
    slug = selection.arm.replace("-", "_")
    built = table(blocks, f"signature_{slug}")
    assert [row[0].text for row in built.rows] == [f"f{at:03d}" for at in range(128, 98, -1)]
    assert len(built.as_data().rows) == 129
    picture = next(block for block in blocks if block.kind == "picture" and block.name == f"coefficients_{slug}")
    assert len(picture.data.rows) == 129
    for block in (built, picture):
        assert "Of 129 features the 30 with the largest absolute coefficient are" in block.caption


def test_a_forest_plot_never_outgrows_a_page():
    effects = tuple(Effect(f"group {at // 21}", f"a{at}", 0.0, -0.1, 0.1, "", "", "") for at in range(63))
    drawn = fitting(effects)
    assert drawn == effects[: LINES - 3]
    assert draw_forest(drawn, "Difference", PAPER, words="").get_figheight() <= inches(PAPER.tallest)


def test_comparisons_that_do_not_fit_are_counted(results):
    first = next(each for each in results.comparisons if each.class_ is None and each.role == "secondary")
    many = tuple(first.model_copy(update={"difference": at / 1000}) for at in range(60))
    blocks = SECTIONS["comparisons"].build(Index(results.model_copy(update={"comparisons": many})))
    picture = next(block for block in blocks if isinstance(block, Picture))
    assert "11 comparisons more did not fit and stand in the CSV file." in picture.caption
    assert len(picture.data.rows) == 60


def test_how_to_run_again_says_where_the_study_file_belongs(results):
    blocks = SECTIONS["reproducibility"].build(Index(results))
    assert any("put it there, beside the cohort folder" in text for text in texts(blocks))


def test_the_gain_of_each_step_says_what_was_added(results):
    found = table(SECTIONS["gains"].build(Index(results)), "gains")
    words = [tuple(cell.text for cell in row[:3]) for row in found.rows]
    assert ("radiomics", "imagenet", "early-imagenet") in words
    pointers = {cell.ref for row in found.rows for cell in row if cell.ref}
    assert pointers
    assert all(pointer.startswith("/comparisons/") for pointer in pointers)


def test_arms_without_common_sources_have_no_gain(results):
    alone = tuple(each for each in results.models if len(each.sources) == 1)
    assert SECTIONS["gains"].build(Index(results.model_copy(update={"models": alone}))) == []


def test_the_methods_name_only_software_that_was_used(results):
    packages = {"pyradiomics-cuda": "1.0", "scikit-learn": "1.9", "torch": "2.1"}
    provenance = results.provenance.model_copy(update={"packages": packages})

    def software(sources):
        changed = results.model_copy(update={"provenance": provenance, "sources": sources})
        return dict(methods(Index(changed)))["Statistical analysis"][0].partition("Software: ")[2]

    assert "pyradiomics-cuda 1.0, scikit-learn 1.9, PyTorch 2.1." in software(results.sources)
    imported = tuple(each.model_copy(update={"settings": {"imported": []}}) for each in results.sources)
    words = software([each for each in imported if each.kind == "other"])
    assert "scikit-learn 1.9." in words
    assert "pyradiomics" not in words
    assert "PyTorch" not in words


def test_the_methods_and_the_section_agree_on_calibration(results):
    def said(index):
        return dict(methods(index))["Statistical analysis"][0]

    described = "calibration was described by the intercept and slope of logistic recalibration."
    assert described in said(Index(results))
    without = tuple(each for each in results.estimates if "calibration" not in each.metric)
    assert "calibration itself was not assessed." in said(Index(results.model_copy(update={"estimates": without})))


def test_clinical_features_are_named_with_units_and_levels():
    covariates = {
        "age": {"type": "number", "unit": "years"},
        "sex": {"type": "category", "levels": ["f", "m"]},
        "grade": {"type": "ordinal", "levels": ["I", "II"]},
        "smoker": {"type": "yes-no"},
    }
    source = FeatureSource(
        name="clinical", kind="clinical", n_features=4, settings={"settings": {"covariates": covariates}}
    )
    assert source_sentences(source) == [
        "4 clinical features per case came from the cohort table: age (years), sex (f, m), grade (I < II) and smoker."
    ]
