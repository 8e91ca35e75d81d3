"""COCO and LabelMe: shapes as pixels, images by name, what is left out."""

import base64
import io
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from radfusion.errors import CaseError
from radfusion.imaging.loading import CaseFiles, read_scan, read_scans
from radfusion.imaging.settings import ImagingSettings

TINY = ImagingSettings(min_roi_pixels=1)
SQUARE = [[10, 8], [20, 8], [20, 14], [10, 14]]


@pytest.fixture
def image(write_png, film):
    return write_png(film, "film.png")


@pytest.fixture
def write_json(tmp_path):
    """Function that writes a json file and returns its path."""

    def write(document, name="drawn.json"):
        (tmp_path / name).write_text(json.dumps(document))
        return tmp_path / name

    return write


def labelme(*shapes, **more):
    named = [{"label": "Vertebra", **shape} for shape in shapes]
    return {"shapes": named, "imagePath": "film.png", "imageHeight": 24, "imageWidth": 30, **more}


def coco(**segmentations):
    """Annotations by category, of film.png among others."""
    images = [{"id": n, "file_name": name, "height": 24, "width": 30} for n, name in enumerate(("a.png", "film.png"))]
    categories = [{"id": n, "name": name} for n, name in enumerate(segmentations, start=1)]
    drawn = [
        {"image_id": 1, "category_id": n, "segmentation": each}
        for n, parts in enumerate(segmentations.values(), start=1)
        for each in parts
    ]
    return {"images": images, "categories": categories, "annotations": [*drawn, {"image_id": 0, "category_id": 99}]}


@pytest.mark.parametrize(
    "shape",
    [
        {"points": SQUARE},
        {"shape_type": "rectangle", "points": [[10, 8], [20, 14]]},
        {"shape_type": "rectangle", "points": [[20, 14], [10, 8]]},
        {"shape_type": "rectangle", "points": SQUARE},
    ],
)
def test_labelme_shapes_count_from_the_corner_of_the_first_pixel(image, write_json, region, shape):
    np.testing.assert_array_equal(read_scan("a", image, write_json(labelme(shape)), settings=TINY).roi, region)


def test_labelme_circles_and_masks(image, write_json):
    circle = {"shape_type": "circle", "points": [[12, 11], [12, 16.2]]}
    rows, columns = np.indices((24, 30)) + 0.5
    expected = np.hypot(rows - 11, columns - 12) <= 5.2
    np.testing.assert_array_equal(read_scan("a", image, write_json(labelme(circle)), settings=TINY).roi, expected)
    stored = io.BytesIO()
    Image.fromarray(np.eye(4, dtype=np.uint8) * 255).save(stored, "PNG")
    text = base64.b64encode(stored.getvalue()).decode()
    mask = {"shape_type": "mask", "points": [[5, 3], [9, 7]], "mask": text}
    scan = read_scan("a", image, write_json(labelme(mask)), settings=TINY)
    assert np.argwhere(scan.roi).tolist() == [[3, 5], [4, 6], [5, 7], [6, 8]]


def test_what_has_no_inside_is_left_out_and_said(image, write_json, region):
    document = labelme({"points": SQUARE}, {"shape_type": "point", "points": [[1, 1]]}, imagePath="..\\other.jpg")
    scan = read_scan("a", image, write_json(document), settings=TINY)
    assert scan.facts["annotations_left_out"] == "1 point"
    assert scan.facts["drawn_on"] == "a file of another name than the image"


def test_coco_parts_of_a_category_are_united_and_others_kept_apart(image, write_json):
    second = [[1, 1, 4, 1, 4, 3, 1, 3]]
    document = coco(Vertebra=[[np.ravel(SQUARE).tolist()], second], Disc=[second])
    first, other = read_scans(
        [CaseFiles("a", str(image), str(write_json(document)), label) for label in ("vertebra", 2)], settings=TINY
    )
    assert (first.n_roi, other.n_roi) == (66, 6)
    assert first.facts["parts"] == "2 united"
    with pytest.raises(CaseError, match=r"holds 2 labels \(Vertebra \(1\), Disc \(2\)\)"):
        read_scan("a", image, write_json(document), settings=TINY)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            coco(V=[]) | {"images": [{"id": 1, "file_name": "Film.png"}]},
            "file_name 'film.png'; did you mean 'Film.png'",
        ),
        (coco(V=[]) | {"images": [{"id": 1, "file_name": "film.png"}] * 2}, "2 images of it have the file_name"),
        (coco(V=[]), "nothing is segmented"),
        (labelme({"points": SQUARE}, imageWidth=31), r"drawn on an image of 24 x 31 .* is 24 x 30 .*must be equal"),
        (labelme({"points": [[1, 2], [3, 4]]}), "at least 3 points"),
        (labelme({"points": [[1, 2], [3, float("nan")], [4, 4]]}), "finite numbers"),
        (labelme({"shape_type": "mask", "points": [[1, 1]], "mask": "?"}), "not base64"),
        (coco(V=[{"size": [24, 30], "counts": [1, 2]}]), "run lengths of 3 pixels"),
        (coco(V=[{"size": [24, 30], "counts": "~"}]), "run lengths"),
        ({"features": []}, "neither COCO .* nor LabelMe"),
        ([1], "neither COCO .* nor LabelMe"),
    ],
)
def test_documents_that_cannot_be_used_are_named(image, write_json, document, message):
    with pytest.raises(CaseError, match=rf"drawn\.json: .*{message}") as caught:
        read_scan("a", image, write_json(document), settings=TINY)
    assert caught.value.stage == "segmentation"


def test_an_outline_beyond_the_film_is_cut_and_the_share_named(image, write_json):
    scan = read_scan("a", image, write_json(labelme({"points": [[-5, 2], [5, 2], [5, 8], [-5, 8]]})), settings=TINY)
    assert (scan.n_roi, scan.facts["roi_outside_field_share"]) == (30, "0.5")
    with pytest.raises(CaseError, match=r"the region has 0 pixels.*1 of it lies outside the image"):
        read_scan("a", image, write_json(labelme({"points": [[35, 2], [45, 2], [45, 8]]})), settings=TINY)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1))
def test_mutated_documents_are_read_or_case_errors(image, tmp_path, seed):
    generator = np.random.default_rng(seed)
    document = (coco(V=[[np.ravel(SQUARE).tolist()]]), labelme({"points": SQUARE}))[seed % 2]
    content = bytearray(json.dumps(document).encode())
    for where in generator.integers(0, len(content), 3):
        content[where] = generator.choice(list(b'{}[]",:0-9ea\\ '))
    path = tmp_path / "drawn.json"
    path.write_bytes(content)
    try:
        reason = "" if read_scan("a", image, path, settings=TINY).n_roi else "empty"
    except CaseError as error:
        reason = error.reason
    assert not reason or reason.startswith("drawn.json")


def test_coco_folders_choose_among_images_of_one_name_and_a_wrong_one_is_said(film, write_json, tmp_path):
    for folder in ("p1", "p2"):
        (tmp_path / folder).mkdir()
        Image.fromarray(film).save(tmp_path / folder / "ap.png")
    document = coco(V=[[np.ravel(SQUARE).tolist()]], W=[[[1, 1, 4, 1, 4, 3, 1, 3]]])
    document["annotations"][0]["image_id"] = 0
    document["annotations"][1]["image_id"] = 1
    for entry, name in zip(document["images"], ("p1/ap.png", "p2\\ap.png"), strict=True):
        entry["file_name"] = name
    scan = read_scan("a", tmp_path / "p2" / "ap.png", write_json(document), settings=TINY)
    assert scan.n_roi == 6
    assert "drawn_on" not in scan.facts
    document["images"] = document["images"][:1]
    scan = read_scan("a", tmp_path / "p2" / "ap.png", write_json(document), settings=TINY)
    assert scan.facts["drawn_on"] == "a file of the same name in another folder"
