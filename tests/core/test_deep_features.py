"""RF20 and RF21: deep features that say nothing, wrong preparations, weights of another modality."""

import pytest

from radfusion.core.deep_features import health_concerns
from radfusion.core.results import FeatureSource, Provenance, StudyFacts, StudyResults
from radfusion.core.selftest import ChannelRange, ProfileFit, SelfTest
from radfusion.evaluation.audit import deep_features, modality_of_weights

HEALTHY = {"first_component_share": 0.32, "effective_rank": 41.0, "constant_share": 0.01}
COLLAPSED = {"first_component_share": 0.98, "effective_rank": 1.1, "constant_share": 0.6}


def looked(own=0.2, other=0.4, like=0.2):
    fits = (
        ProfileFit(profile="half", title="-1 to 1", distance=own, mean_shift=own, spread_ratio=1.2, own=True),
        ProfileFit(profile="caffe", title="Caffe", distance=other, mean_shift=other, spread_ratio=1.4),
    )
    return SelfTest(
        n_cases=30,
        n_pictures=30,
        profiles=fits,
        better="caffe" if other * 1.25 < own else None,
        channels=(ChannelRange(channel="R", minimum=-1, maximum=1, mean=0, sd=0.5, black=-1, white=1),),
        black=0.1,
        white=0.0,
        control_similarity=like,
    )


def source(name, health=HEALTHY, test=None, weights=None, modalities=("CT", "MR", "US")):
    return FeatureSource(
        name=name, kind="deep", n_features=10, settings={"weights": weights or name},
        weights={"modalities": list(modalities)}, health=health, self_test=test,
    )  # fmt: skip


def study(*sources, modality="radiograph"):
    facts = StudyFacts(title="t", kind="fusion", seed=1, classes=("0", "1"), statements={"modality": modality})
    made = {"radfusion": "1", "python": "3", "platform": "x", "processor": "y", "packages": {}}
    hashes = {"study_sha256": "a", "cohort_sha256": "b", "images_sha256": "c"}
    return StudyResults(study=facts, sets=(), sources=sources, provenance=Provenance(**made, **hashes))


def test_healthy_and_collapsed_sources():
    random = source("control", COLLAPSED, weights="random", modalities=())
    good, bad, control = deep_features(study(source("a", test=looked()), source("b", COLLAPSED), random))
    assert (good.verdict, bad.verdict, control.verdict) == ("pass", "fail", "acknowledged")
    assert "98.0% of the variance" in bad.message
    assert "1.1, below 5" in bad.message
    assert "60% of the units never change" in bad.message
    assert "untrained control" in control.message
    assert bad.evidence["effective_rank"] == 1.1


def test_another_preparation_that_fits_clearly_better():
    wrong = source("a", test=looked(own=0.5, other=0.2))
    (found, *_) = deep_features(study(wrong))
    assert found.verdict == "fail"
    assert "prepared as 'Caffe' rather than as '-1 to 1'" in found.message
    assert found.evidence["self_test"]["better"] == "caffe"


def test_features_like_those_of_a_random_network():
    (found, *_) = deep_features(study(source("a", test=looked(like=0.95))))
    assert found.verdict == "warn"
    assert "CKA 0.95" in found.message


@pytest.mark.parametrize(("weights", "warned"), [(["imagenet", "radimagenet"], True), (["imagenet", "random"], False)])
def test_a_comparison_of_weights_needs_an_untrained_control(weights, warned):
    found = [item for item in deep_features(study(*map(source, weights))) if "without an untrained" in item.message]
    assert [item.verdict for item in found] == (["warn"] if warned else [])


@pytest.mark.parametrize(
    ("modalities", "modality", "verdict"),
    [
        (("CT", "MR", "US"), "radiograph", "warn"),
        (("CR", "DX"), "Radiograph", "pass"),
        (("CT", "MR", "US"), "MRI", "pass"),
        (("natural photographs",), "radiograph", "warn"),
        (("CR",), None, "warn"),
        (("CR", "DX"), "lateral X-ray", "pass"),
    ],
)
def test_modality_of_the_weights(modalities, modality, verdict):
    (found,) = modality_of_weights(study(source("a", modalities=modalities), modality=modality))
    assert found.verdict == verdict
    assert found.evidence == {"learned_from": list(modalities), "study": modality}


def test_nothing_to_worry_about():
    assert health_concerns(HEALTHY) == []


def test_few_cases_cannot_have_a_high_rank():
    assert health_concerns({**HEALTHY, "cases": 6.0, "effective_rank": 3.5}) == []
    assert "1.1, below 1.25" in health_concerns({**HEALTHY, "cases": 6.0, "effective_rank": 1.1})[0]
    assert "3.5, below 5" in health_concerns({**HEALTHY, "cases": 40.0, "effective_rank": 3.5})[0]


def test_absent_weights_leave_no_deep_features():
    absent = FeatureSource(name="imagenet", kind="deep", n_features=0, available=False, reason="not here")
    found = [item for item in deep_features(study(absent)) if item.verdict == "fail"]
    assert [item.message for item in found] == ["No pretrained network was available: there are no deep features."]
