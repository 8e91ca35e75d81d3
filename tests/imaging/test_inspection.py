"""What the intake sees of a case: facts, fingerprints, burnt-in text, faults."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from radfusion.cohorts.simulate import SimulationSettings, simulate_cohort
from radfusion.imaging.fingerprints import narrowed, perceptual_hash, pixel_hash, reduced
from radfusion.imaging.inspection import CaseFacts, Fault, Inspection, inspect_batch, inspect_cases
from radfusion.imaging.loading import CaseFiles
from radfusion.imaging.markers import find_text
from radfusion.imaging.settings import ImagingSettings

SETTINGS = ImagingSettings()


def film(seed: int = 1, shape: tuple[int, int] = (240, 180)) -> np.ndarray:
    """Return a cloudy film with some noise, 8 bits."""
    rng = np.random.default_rng(seed)
    clouds = Image.fromarray(rng.integers(20, 220, (16, 12), dtype=np.uint8))
    coarse = np.asarray(clouds.resize(shape[::-1], Image.Resampling.BICUBIC), dtype=np.float64)
    return np.clip(coarse + rng.normal(0, 2, shape), 0, 255).astype(np.uint8)


def write(folder: Path, name: str, values: np.ndarray) -> str:
    path = folder / name
    Image.fromarray(values).save(path)
    return str(path)


@pytest.fixture
def case(tmp_path: Path) -> CaseFiles:
    roi = np.zeros((240, 180), np.uint8)
    roi[100:140, 60:110] = 255
    return CaseFiles("one", write(tmp_path, "film.png", film()), write(tmp_path, "roi.png", roi))


def facts_of(files: CaseFiles) -> CaseFacts:
    (found,) = inspect_cases([files], settings=SETTINGS)
    assert isinstance(found, CaseFacts)
    return found


def test_facts_are_those_of_the_pixels(case: CaseFiles) -> None:
    values, found = film(), facts_of(case)
    inside = values[100:140, 60:110]
    assert found.size == (240, 180)
    assert found.spacing is None
    assert found.range == (values.min(), values.max())
    assert found.saturated == np.mean(values == values.max())
    assert (found.roi_pixels, found.roi_box, found.bits) == (2000, (40, 50), 8)
    assert found.roi_range == (inside.min(), inside.max())
    assert found.facts["roi_components"] == "1"


def test_a_bad_case_costs_itself_only(case: CaseFiles) -> None:
    absent = CaseFiles("two", str(Path(case.image).with_name("no.png")), case.segmentation)
    found = inspect_cases([absent, case], settings=SETTINGS)
    assert isinstance(found[0], Fault)
    assert (found[0].case, found[0].stage) == ("two", "read")
    assert "no.png: no such file" in found[0].reason
    assert isinstance(found[1], CaseFacts)


def test_facts_survive_the_cache_and_serve_another_identifier(case: CaseFiles, tmp_path: Path) -> None:
    first = inspect_batch(Inspection((case,), SETTINGS, str(tmp_path / "cache"), "code"))
    assert len(list((tmp_path / "cache").rglob("*.entry"))) == 1
    other = CaseFiles("renamed", case.image, case.segmentation)
    (again,) = inspect_batch(Inspection((other,), SETTINGS, str(tmp_path / "cache"), "code"))
    assert isinstance(again, CaseFacts)
    assert again.case == "renamed"
    assert again.to_plain() | {"case": "one"} == first[0].to_plain()
    inspect_batch(Inspection((case,), SETTINGS, str(tmp_path / "cache"), "other code"))
    assert len(list((tmp_path / "cache").rglob("*.entry"))) == 2


def test_pixels_decide_their_hash_and_the_format_does_not(tmp_path: Path) -> None:
    values = film()
    names = [write(tmp_path, f"film.{ending}", values) for ending in ("png", "tif", "bmp")]
    hashes = {facts_of(CaseFiles(name, name)).pixel_hash for name in names}
    assert hashes == {pixel_hash(values.astype(np.float64))}
    changed = values.copy()
    changed[3, 4] ^= 1
    assert pixel_hash(changed) not in hashes


@pytest.mark.parametrize("values", [[-5.0, 7.0], [0.0, 70000.0], [0.0, 2.0**40], [0.25, 1.0]])
def test_narrowed_values_are_the_same_values(values: list[float]) -> None:
    given = np.array(values)
    np.testing.assert_array_equal(narrowed(given), given)


def test_reduced_is_the_mean_of_squares() -> None:
    values = film(shape=(241, 183))
    small, factor = reduced(values, 60)
    assert factor == 4
    expected = values[:240, :180].reshape(60, 4, 45, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(small, expected, rtol=1e-6)


def bits_apart(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


@pytest.mark.parametrize("seed", range(5))
def test_a_smaller_recompressed_copy_stays_near_and_another_film_does_not(seed: int) -> None:
    values = film(seed, (480, 360))
    stream = io.BytesIO()
    Image.fromarray(values).resize((230, 300), Image.Resampling.BILINEAR).save(stream, "JPEG", quality=60)
    copy = np.asarray(Image.open(stream))
    assert bits_apart(perceptual_hash(values), perceptual_hash(copy)) <= 6
    assert bits_apart(perceptual_hash(values), perceptual_hash(film(seed + 50, (480, 360)))) > 10


def test_the_thumbnail_shows_the_outline(case: CaseFiles) -> None:
    picture = Image.open(io.BytesIO(facts_of(case).thumbnail)).convert("RGB")
    assert picture.height == 144
    assert picture.width > 108, "the close-up of a small region stands beside the film"
    assert (255, 176, 0) in {colour for _, colour in picture.getcolors(4096)}


def test_a_flat_film_has_no_text_and_no_error(tmp_path: Path) -> None:
    found = facts_of(CaseFiles("flat", write(tmp_path, "flat.png", np.full((64, 64), 9, np.uint8))))
    assert (found.text, found.corners, found.perceptual_hash) == ((), 0.0, "0" * 16)


def overlap(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    """Area of the intersection over that of the union."""
    rows = max(0, min(one[1], other[1]) - max(one[0], other[0]))
    columns = max(0, min(one[3], other[3]) - max(one[2], other[2]))
    areas = [(box[1] - box[0]) * (box[3] - box[2]) for box in (one, other)]
    return rows * columns / (sum(areas) - rows * columns)


def test_markers_of_simulated_films_are_found(tmp_path: Path) -> None:
    """All 169 markers of the default simulated cohort are found; here a smaller one."""
    sizes = {"training": 40, "internal": 0, "external": 20, "prospective": 0}
    table = simulate_cohort(tmp_path / "cohort", SimulationSettings.model_validate({"sizes": sizes}))
    truth = pd.read_json(tmp_path / "cohort" / "truth.json", typ="series")["films"]
    hits, wrong, marked = 0, 0, 0
    for row in pd.read_csv(table).drop_duplicates("image").itertuples():
        files = CaseFiles(row.case, str(table.parent / row.image), str(table.parent / row.segmentation))
        boxes, marker = [text.box for text in facts_of(files).text], truth[row.image]["marker"]
        marked += marker is not None
        hits += marker is not None and any(overlap(box, marker["box"]) > 0.2 for box in boxes)
        wrong += marker is None and bool(boxes)
    assert marked > 20
    assert hits == marked
    assert wrong <= 1


@pytest.mark.data
def test_most_letters_of_real_films_are_found(shared: Path) -> None:
    """88 of the 91 boxes of markers.csv; the three that are missed are known."""
    folder = shared / "data" / "cxr3"
    boxes = pd.read_csv(folder / "markers.csv").set_index("image")
    found = 0
    for image, row in boxes.iterrows():
        values = np.asarray(Image.open(folder / str(image)).convert("L"))
        texts = find_text(values, np.zeros(values.shape, bool))
        found += any(overlap(text.box, (row["y0"], row["y1"], row["x0"], row["x1"])) > 0.3 for text in texts)
    assert found >= 86
