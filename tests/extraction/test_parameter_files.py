"""PyRadiomics' parameter files: what it accepts is accepted, what it refuses is refused with line and nearest name."""

import json
import logging
from importlib import resources

import pytest
from radiomics.featureextractor import RadiomicsFeatureExtractor
from ruamel.yaml import YAML

from radfusion.errors import StudyError
from radfusion.extraction.engine import one_quiet_thread
from radfusion.extraction.extractors.radiomics import Radiomics
from radfusion.extraction.parameter_files import ParameterFile, SettingSet, VoxelSettings, read_parameter_file
from radfusion.extraction.parameters import DEFAULTS, FAMILIES, IMAGE_TYPES
from radfusion.study import Study

SCHEMA = YAML(typ="safe", pure=True).load(
    resources.files("radiomics").joinpath("schemas/paramSchema.yaml").read_text(encoding="utf-8")
)["mapping"]

#: In the form of PyRadiomics' own examples: comments, quotes, features by name, classes without features.
EXAMPLE = """\
# settings to start from
imageType:
  Original: {}
  LoG:
    sigma: [1.0, 2.0, 3]  # in mm
  Wavelet: {}

featureClass:
  # redundant features are off by default
  shape:
  firstorder: []
  glcm:
    - 'Autocorrelation'
    - Contrast
  ngtdm:

setting:
  normalize: true
  normalizeScale: 100
  interpolator: 'sitkBSpline'
  resampledPixelSpacing: [2, 2, 0]
  binWidth: 5
  voxelArrayShift: 300
  label: 1
"""


def write(folder, text, name="params.yaml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def theirs(given):
    """PyRadiomics' extractor; its validation warns of things of its own."""
    logging.getLogger("pykwalify").setLevel(logging.CRITICAL)
    with one_quiet_thread():
        return RadiomicsFeatureExtractor(given)


def test_an_example_is_read_as_pyradiomics_reads_it(tmp_path):
    path = write(tmp_path, EXAMPLE)
    asked, ours = theirs(str(path)), read_parameter_file(path).parameters()
    assert dict(ours.image_types) == asked.enabledImagetypes
    assert list(ours.image_types) == list(asked.enabledImagetypes)
    assert {name: list(features) for name, features in ours.feature_classes.items()} == {
        name: features or [] for name, features in asked.enabledFeatures.items()
    }
    assert dict(ours.settings) == {
        name: value
        for name, value in asked.settings.items()
        if value is not None and (name in DEFAULTS or name in EXAMPLE)
    }


def test_defaults_are_those_of_pyradiomics():
    asked, ours = theirs({}), ParameterFile().parameters()
    assert {**asked.settings, **DEFAULTS} == asked.settings
    assert ours.image_types == asked.enabledImagetypes
    assert list(ours.feature_classes) == list(asked.enabledFeatures) == list(FAMILIES)


def test_json_is_read_like_yaml(tmp_path):
    content = YAML(typ="safe", pure=True).load(EXAMPLE)
    assert read_parameter_file(write(tmp_path, json.dumps(content), "p.json")) == read_parameter_file(
        write(tmp_path, EXAMPLE)
    )


def test_every_setting_and_image_type_of_the_schema_is_known():
    import radiomics

    assert set(SettingSet.model_fields) == set(SCHEMA["setting"]["mapping"])
    assert set(VoxelSettings.model_fields) == set(SCHEMA["voxelSetting"]["mapping"])
    assert set(ParameterFile.model_fields) == set(SCHEMA)
    assert set(IMAGE_TYPES.values()) == set(radiomics.getImageTypes())
    assert set(FAMILIES) == set(radiomics.getFeatureClasses())


#: What both sides make of a setting; a value that PyRadiomics would stumble over later is refused here at once.
SETTINGS = [
    ({"binWidth": 25}, True), ({"binWidth": 0.5}, True), ({"binWidth": 0}, False), ({"binWidth": True}, False),
    ({"binCount": 32}, True), ({"binCount": 32.0}, False), ({"binCount": "32"}, False), ({"binCount": 0}, False),
    ({"normalize": True}, True), ({"normalize": 1}, False), ({"normalize": "true"}, False),
    ({"minimumROIDimensions": 3}, True), ({"minimumROIDimensions": 4}, False), ({"minimumROISize": 50}, True),
    ({"resampledPixelSpacing": [2, 2, 0]}, True), ({"resampledPixelSpacing": [2, 2, -1]}, False),
    ({"resampledPixelSpacing": None}, True), ({"interpolator": 3}, True), ({"interpolator": None}, True),
    ({"interpolator": "sitkLinear"}, True), ({"interpolator": 11}, False), ({"interpolator": "linear"}, False),
    ({"distances": [1, 2]}, True), ({"distances": [0]}, False), ({"distances": 1}, False),
    ({"resegmentRange": [-3, 3]}, True), ({"resegmentMode": "sigma"}, True), ({"resegmentMode": "max"}, False),
    ({"sigma": [1.0, 2]}, True), ({"sigma": [0]}, False), ({"sigma": 1.0}, False),
    ({"wavelet": "bior1.3"}, True), ({"wavelet": "coif"}, False), ({"level": 0}, False), ({"start_level": 0}, True),
    ({"weightingNorm": None}, True), ({"weightingNorm": "manhattan"}, True), ({"weightingNorm": "max"}, False),
    ({"gldm_a": 1.5}, False), ({"voxelArrayShift": -5}, True), ({"voxelArrayShift": 300.0}, False),
    ({"lbp2DMethod": "uniform"}, True), ({"lbp2DMethod": "round"}, False), ({"label": 255}, True),
    ({"force2Ddimension": 2}, True), ({"force2Ddimension": 3}, False), ({"binwidth": 25}, False), ({}, True),
]  # fmt: skip


@pytest.mark.parametrize(("setting", "good"), SETTINGS)
def test_settings_are_accepted_and_refused_as_by_pyradiomics(setting, good, tmp_path):
    content = {"setting": setting}
    path = write(tmp_path, json.dumps(content))
    if good:
        theirs(content)
        assert read_parameter_file(path).setting.model_fields_set == set(setting)
    else:
        with pytest.raises(Exception, match=r".+"):  # several kinds, of several libraries
            theirs(content)
        with pytest.raises(StudyError, match=rf"params.yaml:1: setting\.{next(iter(setting))}"):
            read_parameter_file(path)


LATE = [{"binWidth": "25"}, {"resegmentRange": []}, {"resegmentRange": [1, 2, 3]}, {"resampledPixelSpacing": [1]}]


@pytest.mark.parametrize("setting", LATE)
def test_what_pyradiomics_would_stumble_over_later_is_refused_at_once(setting, tmp_path):
    theirs({"setting": setting})
    with pytest.raises(StudyError, match="setting"):
        read_parameter_file(write(tmp_path, json.dumps({"setting": setting})))


WRONG = """\
imageType:
  Original:
  LoG: {sigma: [1, 0]}
  Wavlet: {}
featureClass:
  glcm: [Contrst]
setting:
  binWidht: 3
  normalize: 1
voxelSetting:
  kernel: 2
"""


def test_all_mistakes_are_told_at_once_with_lines(tmp_path):
    with pytest.raises(StudyError) as caught:
        read_parameter_file(write(tmp_path, WRONG))
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"params.yaml:{number}" for number in (3, 5, 8, 9, 11)]
    assert lines[0] == "params.yaml:3: imageType.LoG.sigma.1: input should be greater than 0; got 0"
    assert "did you mean 'Contrast'?" in lines[1]
    assert "did you mean 'binWidth'?" in lines[2]
    assert "known: kernelRadius" in lines[4]
    assert str(tmp_path) not in str(caught.value)


def test_an_unknown_image_type_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(StudyError, match=r"1: imageType: no image type is named 'Log'; did you mean 'LoG'"):
        read_parameter_file(write(tmp_path, "imageType: {Log: {}}"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"setting: [", r"params\.yaml:1: neither valid YAML nor JSON"),
        (b"setting: {}\nsetting: {}\n", r"params\.yaml:2: neither valid YAML nor JSON: found duplicate key"),
        (b"- 1\n", r"params\.yaml:1: no parameter file of PyRadiomics: a mapping is wanted, of imageType"),
        (b"", "no parameter file of PyRadiomics"),
        (b"\xff\xfe\x00", "it is not text in UTF-8"),
        (b"# " + b"x" * 1_000_001, "more than 1000000 characters"),
        (None, r"params\.yaml: the parameter file cannot be read: No such file"),
    ],
)
def test_what_is_no_parameter_file_is_refused(content, message, tmp_path):
    if content is not None:
        (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(StudyError, match=message):
        read_parameter_file(tmp_path / "params.yaml")


STUDY = """\
title: A study
cohort: {table: cohort.csv, classes: [0, 1]}
features:
  radiomics: {parameters: settings/params.yaml}
"""


def test_a_study_holds_the_content_of_the_file_not_its_path(tmp_path):
    (tmp_path / "settings").mkdir()
    path = write(tmp_path / "settings", EXAMPLE)
    study = Study.from_text(STUDY, tmp_path / "study.yaml")
    radiomics = study.features.radiomics
    assert radiomics == Radiomics(parameters=read_parameter_file(path))
    assert "params.yaml" not in study.to_yaml()
    assert Study.from_text(study.to_yaml()).features.radiomics.identity() == radiomics.identity()
    path.write_text(EXAMPLE.replace("binWidth: 5", "binWidth: 6"), encoding="utf-8")
    assert Study.from_text(STUDY, tmp_path / "study.yaml").features.radiomics.identity() != radiomics.identity()


def test_a_study_names_file_and_line_of_a_mistake(tmp_path):
    (tmp_path / "settings").mkdir()
    write(tmp_path / "settings", WRONG)
    with pytest.raises(StudyError, match=r"params\.yaml:8: setting\.binWidht"):
        Study.from_text(STUDY, tmp_path / "study.yaml")


def test_keys_that_the_file_would_override_are_named():
    with pytest.raises(StudyError, match=r"the parameter file decides alone; take out log_sigma, bin_width, or param"):
        Study.from_text(STUDY.replace("{parameters", "{bin_width: 25, log_sigma: [2], parameters"))
    with pytest.raises(StudyError, match=r"decides alone; take out preset, or parameters"):
        Study.from_text(STUDY.replace("{parameters", "{preset: ct, parameters"))


def test_identity_tells_a_report_what_the_file_asks_for(tmp_path):
    told = Radiomics(parameters=write(tmp_path, EXAMPLE)).identity()
    assert told["settings"]["image_types"] == ["original", "log", "wavelet"]
    assert told["settings"]["log_sigma"] == [1.0, 2.0, 3]
    assert told["settings"]["resampled_spacing"] == [0, 2, 2]  # in array order
    assert told["parameter_file"]["featureClass"]["glcm"] == ["Autocorrelation", "Contrast"]
    assert told["not_used"] == {"label": 1}
