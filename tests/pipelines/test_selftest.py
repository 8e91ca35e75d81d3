"""The self-test of a study's sources: the same every time, from the cache the second time, readable on the terminal."""

import numpy as np
import pytest
from PIL import Image

from radfusion.cohorts.simulate import SimulationSettings, simulate_cohort
from radfusion.core.cohort import Cohort
from radfusion.core.selftest import SelfTest
from radfusion.errors import UserError
from radfusion.execution.cache import Cache
from radfusion.execution.progress import Progress
from radfusion.execution.work import Workers
from radfusion.extraction.extractors.deep import Deep
from radfusion.extraction.tables import extract
from radfusion.imaging.settings import ImagingSettings
from radfusion.networks.sources import WEIGHTS
from radfusion.pipelines.selftest import study_self_test, verify_on_images


class Notes(Progress):
    """Keeps the last words of each stage."""

    def __init__(self):
        self.ends = []

    def finish(self, note=""):
        self.ends.append(note)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "cohort"
    sizes = {"training": 12, "internal": 6, "external": 6, "prospective": 0}
    simulate_cohort(folder, SimulationSettings.model_validate({"seed": 3, "sizes": sizes}))
    return Cohort.from_csv(folder / "cohort.csv")


def test_a_second_run_finds_the_answer(cohort, tmp_path):
    control = Deep.model_validate({"weights": "random", "network": "resnet18", "layer": "layer1", "size": 64})
    table = extract(cohort, control)
    answers = []
    for _ in range(2):
        notes = Notes()
        place = Workers(cache=Cache(tmp_path), progress=notes)
        found = study_self_test(control, cohort, table, imaging=ImagingSettings(), seed=7, place=place)
        answers.append((found.model_dump_json(), notes.ends[-1]))
    (first, made), (second, kept) = answers
    assert first == second
    assert (made, kept) == ("1 computed, 0 from cache", "0 computed, 1 from cache")
    found = SelfTest.model_validate_json(first)
    assert found.n_cases == 12
    assert "drawn" in found.profiles_reason
    assert found.control_similarity is None
    assert [each.channel for each in found.channels] == ["R", "G", "B"]


def test_images_of_a_folder_are_shown_whole(tmp_path):
    rng = np.random.default_rng(1)
    for number in range(5):
        Image.fromarray(rng.integers(0, 255, (40, 50), dtype=np.uint8)).save(tmp_path / f"{number}.png")
    (tmp_path / "notes.txt").write_text("no image")
    lines = verify_on_images(WEIGHTS["random"], "resnet18", None, images=tmp_path)
    assert lines[0] == "self-test on 5 cases, 5 pictures"
    assert "not applicable, drawn weights hold no learned statistics" in lines[2]
    assert any(line.split()[:2] == ["effective", "rank"] for line in lines)
    assert lines[-1] == "no warning"  # five pictures cannot have a high rank


def test_too_few_images_are_a_mistake(tmp_path):
    with pytest.raises(UserError, match="0 of 0 images can be shown"):
        verify_on_images(WEIGHTS["random"], "resnet18", None, images=tmp_path)


@pytest.mark.data
def test_a_real_network_is_healthy_on_real_films_and_a_random_one_is_not(shared, tmp_path):
    for path in sorted((shared / "data/cxr3/images").iterdir())[:12]:
        (tmp_path / path.name).symlink_to(path)
    file = shared / "weights" / "resnet50_caffe_imagenet_stem_layer1-3.pt"
    real = verify_on_images(WEIGHTS["imagenet-caffe"], "resnet50", file, images=tmp_path)
    ranked = real.index("agreement with batch normalisation, the nearest first")
    assert "Caffe" in real[ranked + 2]
    assert real[ranked + 2].endswith("this source")
    assert real[-1] == "no warning"
    random = verify_on_images(WEIGHTS["random"], "resnet50", None, images=tmp_path)
    assert any("as where no weights were loaded" in line for line in random)
