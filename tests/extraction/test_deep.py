import csv
import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import SimpleITK
import torch
from PIL import Image
from pydantic import ValidationError
from torchvision import models

from radfusion.core.cohort import Cohort
from radfusion.core.hashing import content_hash
from radfusion.core.scan import Scan
from radfusion.errors import CaseError, FeatureError, StudyError, WeightsError
from radfusion.execution.cache import Cache
from radfusion.execution.executors import executor_named
from radfusion.execution.progress import Progress
from radfusion.extraction.dictionary import describe
from radfusion.extraction.extractors.base import Extracted, Shown
from radfusion.extraction.extractors.deep import Deep
from radfusion.extraction.perturbations import perturb
from radfusion.extraction.tables import extract
from radfusion.imaging.loading import read_scan
from radfusion.imaging.settings import ImagingSettings
from radfusion.modelling.arm_plan import planned_arms
from radfusion.networks.graphs import draw_network
from radfusion.networks.health import feature_health
from radfusion.networks.trained import Contract, write_trained
from radfusion.networks.weights import WEIGHTS, Pretrained
from radfusion.study import Study

QUICK = Deep(weights="random", layer="layer1", size=64, batch_size=4, device="cpu", backend="torch")


def quick(**changes):
    return Deep(**{**QUICK.model_dump(exclude_unset=True), **changes})


def made_up(case, seed=0, shape=(70, 90)):
    image = np.random.default_rng(seed).integers(0, 256, shape).astype(float)
    roi = np.zeros(image.shape, dtype=bool)
    roi[..., 20:50, 30:70] = True
    return Scan(case, image, roi, None)


def values(extractor, scan):
    (features,) = extractor.extract([scan])
    return np.array(list(features.values()))


@pytest.fixture(scope="module")
def weights(shared):
    return shared / "weights" / "resnet50_caffe_imagenet_stem_layer1-3.pt"


@pytest.fixture(scope="module")
def rows(shared):
    """Twelve rows of the real cohort, spread over it."""
    with (shared / "data" / "cxr3" / "cohort.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))[::80][:12]


@pytest.fixture(scope="module")
def films(shared, rows):
    """Twelve real chest films."""
    folder, scans = shared / "data" / "cxr3", []
    for row in rows:
        image = np.asarray(Image.open(folder / row["image"]).convert("L"), dtype=float)
        lungs = np.asarray(Image.open(folder / row["mask"]).convert("L")) == 255
        scans.append(Scan(row["patient_id"], image, lungs, None, modality="CR"))
    return scans


@pytest.fixture(scope="module")
def real(weights):
    return Deep(weights="imagenet-caffe", file=weights, batch_size=4, device="cpu", backend="torch")


@pytest.mark.data
def test_a_film_has_the_same_features_in_any_company(real, films):
    together = [list(row.values()) for row in real.extract(films[:4])]
    alone = [list(row.values()) for film in films[:4] for row in real.extract([film])]
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)


@pytest.mark.data
def test_real_features_say_more_than_random_ones(real, films):
    health = feature_health([list(row.values()) for row in real.extract(films)])
    assert health["first_component_share"] < 0.5
    assert health["constant_share"] < 0.05
    random = Deep(weights="random", layer="layer3", batch_size=4, device="cpu")
    control = feature_health([list(row.values()) for row in random.extract(films)])
    assert control["first_component_share"] > 0.9


@pytest.mark.data
def test_real_names_and_identity(real, films):
    names = list(real.extract(films[:1])[0])
    assert (len(names), names[7]) == (1024, "resnet50.layer3_global_0007")
    assert real.unavailable() is None
    identity = real.identity()
    assert identity["weights_sha256"] == WEIGHTS["imagenet-caffe"].files[0].sha256[0] == real.weights_facts()["sha256"]
    assert (identity["layer"], identity["batch_size"], identity["device"]) == ("layer3", 4, "cpu")


@pytest.mark.data
def test_every_way_to_show_a_real_film_gives_other_features(real, films):
    ways = [
        {}, {"crop": "box"}, {"crop": "image"}, {"outside": "zero"}, {"outside": "mean"}, {"margin": 0.5},
        {"window": "image-percentile"}, {"resize": "torchvision"}, {"resize": "pad", "crop": "box"},
        {"flips": "horizontal"}, {"flips": "both"}, {"pooling": "roi"}, {"layer": "layer2.3.conv2"},
    ]  # fmt: skip
    seen = {json.dumps(way): values(real.model_copy(update=way), films[0]) for way in ways}
    assert len({array.tobytes() for array in seen.values()}) == len(ways)
    assert all(np.isfinite(array).all() and array.std() > 0 for array in seen.values())


@pytest.mark.data
def test_workers_and_this_process_give_the_same_table(shared, rows, real, tmp_path):
    folder, table = shared / "data" / "cxr3", tmp_path / "cohort.csv"
    files = [{**row, "image": folder / row["image"], "mask": folder / row["mask"]} for row in rows]
    frame = pd.DataFrame(files)[["patient_id", "image", "mask", "label"]].assign(set="training")
    frame.set_axis(["patient", "image", "segmentation", "label", "set"], axis=1).rename_axis("case").to_csv(table)
    cohort = Cohort.from_csv(table)
    few = real.model_copy(update={"layer": "layer1"})
    first = extract(cohort, few, executor=executor_named("processes", 2), cache=Cache(tmp_path / "cache"))
    again = extract(cohort, few, cache=Cache(tmp_path / "cache"))
    other = extract(cohort, few.model_copy(update={"batch_size": 1}))
    assert first.frame.equals(again.frame)
    assert first.provenance == again.provenance  # what computed them is remembered with them
    assert first.provenance["imagenet-caffe"]["equality"]["relative_error"] < 1e-4
    np.testing.assert_allclose(other.frame, first.frame, rtol=1e-5, atol=1e-6)
    assert first.frame.columns[0] == "imagenet-caffe:resnet50.layer1_global_0000"


def test_company_and_order_do_not_matter():
    scans = [made_up(str(seed), seed) for seed in range(6)]
    together = np.array([list(row.values()) for row in QUICK.extract(scans)])
    alone = np.array([values(QUICK, scan) for scan in scans])
    backwards = np.array([list(row.values()) for row in QUICK.extract(scans[::-1])])[::-1]
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(backwards, together, rtol=1e-5, atol=1e-6)
    assert not np.allclose(together[0], together[1], rtol=1e-3)


def test_names_are_in_the_dictionary():
    (features,) = quick(pooling="roi").extract([made_up("a")])
    assert list(features)[255] == "resnet50.layer1_roi_0255"
    assert describe(f"random:{list(features)[255]}").image_type == "resnet50.layer1"


def test_identity_is_plain_and_follows_what_matters():
    json.dumps(QUICK.identity())
    same = content_hash(QUICK.identity())
    changes = [
        {"layer": "layer2"}, {"size": 96}, {"margin": 0.2}, {"outside": "zero"}, {"batch_size": 5}, {"crop": "box"},
        {"window": "full"}, {"percentiles": (2, 98)}, {"resize": "pad"}, {"slices": 3}, {"slices": "planes"},
        {"flips": "horizontal"}, {"pooling": "roi"}, {"network": "resnet18"}, {"window": (0, 99)},
        {"resize": "torchvision"}, {"resize": "torchvision", "short_side": 99},
    ]  # fmt: skip
    found = {content_hash(quick(**change).identity()) for change in changes}
    assert len(found) == len(changes)
    assert same not in found
    assert content_hash(quick(name="another").identity()) == same


def test_without_scans_there_are_no_features():
    assert QUICK.extract([]) == []
    assert list(QUICK.complete([], Progress())) == []


def test_sources_are_named_after_their_weights_or_as_the_study_says():
    assert Deep(weights="imagenet").layer_name == Deep(weights="imagenet", layer="avgpool").layer_name == "layer4"
    assert Deep(weights="imagenet-caffe").layer_name == "layer3"
    assert (QUICK.source, quick(name="control-2").source) == ("random", "control-2")


def test_networks_are_shown_the_size_that_they_were_made_for():
    assert Deep(weights="random", network="inception_v3").crop_settings.size == 299
    assert Deep(weights="random", network="inception_v3", size=160).crop_settings.size == 160
    assert Deep(weights="imagenet", resize="torchvision").crop_settings.short_side == 256
    assert Deep(weights="imagenet-v2", resize="torchvision").crop_settings.short_side == 232
    assert Deep(weights="imagenet-v2", resize="torchvision", size=448).crop_settings.short_side == 464


@pytest.mark.parametrize(("name", "generation"), [("imagenet", "IMAGENET1K_V1"), ("imagenet-v2", "IMAGENET1K_V2")])
def test_the_short_side_is_the_one_that_torchvision_published(name, generation):
    for network in WEIGHTS[name].networks:
        theirs = models.get_model_weights(network)[generation].transforms()
        ours = Deep(weights=name, network=network, resize="torchvision").crop_settings
        assert ([ours.short_side], [ours.size]) == (theirs.resize_size, theirs.crop_size)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weights": "imagnet"}, "no weights source is named 'imagnet'; did you mean 'imagenet'"),
        ({"network": "resnet51"}, "no network is named 'resnet51'; did you mean 'resnet50'"),
        ({"weights": "imagenet-caffe", "network": "vgg16"}, "have no file for 'vgg16'; allowed: resnet50"),
        ({"weights": "imagenet-caffe", "layer": "layer4"}, "have no 'layer4'; allowed: layer1, layer2, layer3"),
        ({"layer": "layer9"}, "have no 'layer9'; allowed: layer1, layer2, layer3, layer4"),
        ({"backend": "openvinno"}, "did you mean 'openvino'"),
        ({"device": "gpu"}, "should match pattern"),
        ({"batch_size": 0}, "greater than or equal to 1"),
        ({"centre_crop": True}, "Extra inputs are not permitted"),
        ({"name": "a/b"}, "should match pattern"),
        ({"name": "../a"}, "should match pattern"),
        ({"weights": "random", "network": "vit_b_16", "size": 256}, "takes images of exactly 224 x 224"),
        ({"resize": "torchvision", "short_side": 200}, "short_side 200 is below the size 224"),
    ],
)
def test_mistakes_in_a_study_file_are_named(settings, words):
    with pytest.raises(ValidationError, match=words):
        Deep(**settings)


def test_a_module_that_the_network_lacks_is_a_mistake_and_not_an_absent_source():
    with pytest.raises(FeatureError, match=r"features.deep, random: .*has no 'layer2.9.conv1'"):
        quick(layer="layer2.9.conv1").unavailable()
    assert quick(layer="layer2.1.conv1").unavailable() is None


@pytest.fixture
def empty_handed(tmp_path, monkeypatch):
    monkeypatch.setenv("RADFUSION_CACHE", str(tmp_path))
    monkeypatch.delenv("RADFUSION_WEIGHTS", raising=False)


@pytest.mark.usefixtures("empty_handed")
def test_absent_weights_are_said_and_never_replaced():
    assert "'imagenet' are not here: `radfusion weights fetch imagenet`" in Deep().unavailable()
    assert "then `radfusion weights import radimagenet ResNet50.pt`" in Deep(weights="radimagenet").unavailable()
    for use in (Deep().identity, lambda: Deep().extract([made_up("a")])):
        with pytest.raises(WeightsError, match="are not here"):
            use()


def test_an_unfit_file_is_said_before_any_computing(tmp_path):
    page = tmp_path / "ResNet50.pt"
    page.write_text("<!DOCTYPE html><title>Quota exceeded</title>")
    assert "a web page saved as a file" in Deep(weights="radimagenet", file=page).unavailable()
    assert "is not a file" in Deep(weights="radimagenet", file=tmp_path / "absent.pt").unavailable()


def test_a_case_that_shows_nothing_costs_itself_only():
    empty = Scan("b", np.ones((9, 9)), np.zeros((9, 9), dtype=bool), None)
    black = Scan("c", np.zeros((9, 9)), np.ones((9, 9), dtype=bool), None)
    answers = QUICK.measure([empty, made_up("a"), black, made_up("d", 1)])
    assert [str(each) for each in (answers[0], answers[2])] == [
        "the ROI is empty: nothing to show to the network",
        "no contrast: every pixel that would be shown is 0",
    ]
    np.testing.assert_allclose(list(answers[1].values.values()), values(QUICK, made_up("a")), rtol=1e-5, atol=1e-6)
    with pytest.raises(CaseError, match="the ROI is empty"):
        QUICK.extract([made_up("a"), empty])


def test_a_case_without_finite_features_costs_itself_only():
    sick = Shown(np.full((1, 64, 64), np.nan, dtype=np.float32))
    well = QUICK.prepare([made_up("a")])[0]
    results = [Extracted("a", {}, shown=well), Extracted("b", {}, shown=sick), Extracted("c", {}, shown=well)]
    done = list(QUICK.complete(results, Progress()))
    assert [result.case for result in done] == ["a", "b", "c"]
    assert "finite" in done[1].reason
    assert done[1].stage == "deep"
    assert not done[1].features
    assert done[0].features == pytest.approx(done[2].features, rel=1e-5)
    assert all(result.shown is None for result in done)


def test_exclusions_pass_through_in_order():
    prepared = QUICK.prepare([made_up("b"), made_up("d", 1)])
    results = [
        Extracted("a", {}, stage="read", reason="gone"),
        Extracted("b", {}, shown=prepared[0]),
        Extracted("c", {}, stage="read", reason="broken"),
        Extracted("d", {}, has_spacing=True, shown=prepared[1]),
        Extracted("e", {}, stage="deep", reason="black"),
    ]
    done = list(QUICK.complete(iter(results), Progress()))
    assert [result.case for result in done] == list("abcde")
    assert [len(result.features) for result in done] == [0, 256, 0, 256, 0]
    assert [result.reason for result in done] == ["gone", "", "broken", "", "black"]
    assert [result.has_spacing for result in done] == [False, False, False, True, False]
    assert [result.reason for result in QUICK.complete(iter(results[:1]), Progress())] == ["gone"]


def test_features_are_averaged_over_mirrored_views():
    scan = made_up("a")
    roi = np.zeros_like(scan.roi)
    roi[15:55, 30:70] = True
    scan = Scan("a", scan.image, roi, None)
    views = {name: quick(flips=name) for name in ("none", "horizontal", "both")}
    mirrored = Scan("a", scan.image[:, ::-1], roi[:, ::-1], None)
    plain, other = values(views["none"], scan), values(views["none"], mirrored)
    np.testing.assert_allclose(values(views["horizontal"], scan), (plain + other) / 2, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(values(views["both"], scan), values(views["both"], mirrored), rtol=1e-4, atol=1e-6)


def test_features_are_averaged_over_slices():
    volume = made_up("a", shape=(5, 70, 90))
    slices = [Scan("a", volume.image[index], volume.roi[index], None) for index in range(5)]
    single = [values(QUICK, each) for each in slices]
    np.testing.assert_allclose(values(quick(slices=3), volume), np.mean(single[:3], axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(values(QUICK, volume), single[0], rtol=1e-4, atol=1e-6)
    assert quick(slices="planes").pictures(volume).pictures.shape == (3, 64, 64)
    np.testing.assert_array_equal(values(quick(slices=3), slices[0]), single[0])


def test_pooling_over_the_roi_sees_the_roi():
    scan = made_up("a")
    shown = quick(pooling="roi", crop="image").pictures(scan)
    assert shown.regions.shape == (1, 64, 64)
    assert shown.regions.mean() == pytest.approx(scan.roi.mean(), abs=0.02)
    full = Scan("a", scan.image, np.ones_like(scan.roi), None)
    np.testing.assert_allclose(
        values(quick(pooling="roi", crop="image"), full), values(quick(crop="image"), full), rtol=1e-4, atol=1e-6
    )


def test_a_network_of_ones_own_comes_with_what_it_expects(tmp_path):
    file, drawn = tmp_path / "own.safetensors", Pretrained(WEIGHTS["random"], "resnet18")
    expected = {"white": 1, "order": "RGB", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    contract = Contract(network="resnet18", stride="v1.5", **expected)
    tensors = {
        name: tensor + 0.1 if "running" in name else tensor for name, tensor in draw_network(drawn).state_dict().items()
    }
    write_trained(file, tensors, contract)
    own = quick(weights="file", file=file, network="resnet18", name="ours")
    assert own.unavailable() is None
    assert list(own.extract([made_up("a")])[0])[63] == "resnet18.layer1_global_0063"
    assert not np.allclose(values(own, made_up("a")), values(quick(network="resnet18"), made_up("a")))
    other = own.model_copy(update={"contract": contract.model_copy(update={"white": 255.0})})
    assert "white" in other.unavailable()
    assert own.identity()["input"]["white"] == 1


PART = {"white": 255, "order": "BGR", "mean": (103.06, 115.9, 123.15), "std": (1, 1, 1), "stride": "v1", "stem": "ceil"}


@pytest.mark.data
def test_of_a_part_of_a_network_the_deepest_stage_is_taken(weights, real, tmp_path):
    own = {"weights": "file", "file": weights, "size": 64, "batch_size": 4}
    stated = quick(**own, layer=None, contract={**PART, "deepest": "layer3"})
    assert stated.layer_name == "layer3"
    assert stated.unavailable() is None
    assert np.array_equal(values(stated, made_up("a")), values(real.model_copy(update={"size": 64}), made_up("a")))
    carried = tmp_path / "part.safetensors"
    contract = Contract(network="resnet50", deepest="layer3", **PART)
    write_trained(carried, torch.load(weights, weights_only=True), contract)
    with pytest.raises(FeatureError, match=r"has no 'layer4'.*allowed: avgpool, layer1, layer2, layer3"):
        quick(**{**own, "file": carried}, layer=None).unavailable()
    assert quick(**{**own, "file": carried}, layer="layer3").unavailable() is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"weights": "file"}, "weights: file needs `file`"),
        (
            {"weights": "file", "file": "a.pt", "contract": {**PART, "deepest": "layer9"}},
            "contract: 'resnet50' has no 'layer9'; allowed: layer1, layer2, layer3, layer4",
        ),
        (
            {"weights": "file", "file": "a.pt", "layer": "layer4", "contract": {**PART, "deepest": "layer3"}},
            "have no 'layer4'; allowed: layer1, layer2, layer3",
        ),
        (
            {"contract": {"white": 1, "order": "RGB", "mean": (0, 0, 0), "std": (1, 1, 1)}},
            "contract belongs to weights: file; what 'imagenet' expect is known",
        ),
    ],
)
def test_a_contract_belongs_to_a_file(settings, words):
    with pytest.raises(ValidationError, match=words):
        Deep(**settings)


def test_what_the_network_sees_can_be_told():
    assert QUICK.describe(made_up("a")) == [
        {"axis": None, "plane": None, "box": [11, 59, 26, 74], "window": [0.0, 255.0], "rule": "8-bit"}
    ]
    planes = [
        (each["axis"], each["plane"]) for each in quick(slices="planes").describe(made_up("a", shape=(4, 70, 90)))
    ]
    assert planes == [(0, 0), (1, 20), (2, 30)]


@pytest.mark.parametrize(("numbers", "rule"), [("uint8", "8-bit"), ("int16", "crop-percentile")])
def test_noise_does_not_change_how_a_volume_is_windowed(tmp_path, numbers, rule):
    films = {"image": made_up("a").image, "roi": made_up("a").roi}
    for name, values in films.items():
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values.astype(numbers)), tmp_path / f"{name}.nii.gz")
    scan = read_scan("a", tmp_path / "image.nii.gz", tmp_path / "roi.nii.gz", settings=ImagingSettings())
    noisy = perturb(scan, "noise", np.random.default_rng(1))
    assert not np.array_equal(noisy.image, np.rint(noisy.image))
    assert [QUICK.describe(each)[0]["rule"] for each in (scan, noisy)] == [rule, rule]


def test_what_the_network_sees_can_be_looked_at():
    sheet = quick(slices="planes").contact_sheet([made_up("a", shape=(4, 70, 90)), made_up("b")])
    assert (sheet.size, sheet.mode) == ((4 * 64 + 3 * 4, 64), "L")
    np.testing.assert_allclose(
        np.asarray(sheet)[:, -64:] / 255, QUICK.pictures(made_up("b")).pictures[0], atol=0.5 / 255 + 1e-6
    )


def test_workers_never_import_torch():
    program = """
import sys
import numpy as np
from radfusion.core.scan import Scan
from radfusion.extraction.extractors.deep import Deep
roi = np.zeros((40, 40), dtype=bool)
roi[10:30, 10:30] = True
(shown,) = Deep(weights="random", pooling="roi").prepare([Scan("a", np.arange(1600.0).reshape(40, 40), roi, None)])
assert shown.pictures.shape == shown.regions.shape == (1, 224, 224)
print(sorted(name for name in sys.modules if name.split(".")[0] in ("torch", "torchvision")))
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"


TWO = """\
title: Fractures
cohort: {table: cohort.csv, classes: [0, 1]}
features:
  deep:
    - {weights: random}
    - {weights: random, crop: box, name: NAME}
"""


def test_one_network_may_be_shown_a_case_in_two_ways():
    study = Study.from_text(TWO.replace("NAME", "random-box"))
    assert [each.source for each in study.features.deep] == ["random", "random-box"]
    assert "early-random-box" in planned_arms(study.features.kinds, study.modelling).names
    again = Study.from_text(study.to_yaml())
    assert again.features.deep == study.features.deep


@pytest.mark.parametrize("guide", ["weights", "networks", "backends", "deep-features"])
def test_the_studies_of_the_guides_can_be_read(root, guide):
    head = "title: Guide\ncohort: {table: cohort.csv, classes: [0, 1]}\n"
    blocks = re.findall(r"```yaml\n(.*?)```", (root / "docs" / f"{guide}.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    assert all(Study.from_text(head + block).features.deep for block in blocks)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("null", "two entries of deep are named 'random'; give one another `name`"),
        ("Random", "two entries of deep are named"),
        ("radiomics", "'radiomics', which names the radiomic features"),
        ("a/b", "should match pattern"),
        ("box, window: atuo", "study.yaml:6: features.deep.1.window: 'atuo' is no window; allowed: auto"),
        ("box, slices: many", "study.yaml:6: features.deep.1.slices: 'many' says no slices; allowed: largest"),
    ],
)
def test_names_that_cannot_be_told_apart_are_refused(name, words):
    with pytest.raises(StudyError, match=words):
        Study.from_text(TWO.replace("NAME", name))


def test_a_worker_holds_few_scans_at_a_time():
    assert [Deep(batch_size=size).batch for size in (None, 1, 512)] == [8, 1, 8]


def test_pictures_have_the_size_that_the_weights_were_learned_at():
    shown = {name: Deep(weights=name).shown_size for name in ("imagenet", "chest-xray")}
    assert shown == {"imagenet": 224, "chest-xray": 512}
    assert Deep(weights="chest-xray", size=224).shown_size == 224
