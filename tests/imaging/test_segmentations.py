"""Kinds of segmentation files: what each holds, how a structure is chosen, and that all give the same region."""

import json

import numpy as np
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings
from hypothesis.extra import numpy as arrays
from PIL import Image

from radfusion.errors import CaseError
from radfusion.imaging.loading import CaseFiles, read_scan, read_scans
from radfusion.imaging.segmentations import source_hash
from radfusion.imaging.settings import ImagingSettings

SETTINGS = ImagingSettings()
TINY = ImagingSettings(min_roi_pixels=1)


def labelled(label, **more):
    return ImagingSettings(segmentation_label=label, min_roi_pixels=1, **more)


@pytest.fixture
def labels():
    """Two structures of a volume: 3 and 7."""
    values = np.zeros((6, 8, 10), dtype=np.uint8)
    values[1:4, 2:6, 2:7] = 3
    values[4:6, 2:6, 2:7] = 7
    return values


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_values_may_have_names(write_volume, labels, suffix):
    image, drawn = write_volume(labels.astype(float)), write_volume(labels, f"mask{suffix}")
    named = {"segmentation_names": {"vertebra": 3, "disc": 7}}
    for label in ("vertebra", "Vertebra ", 3, "3"):
        scan = read_scan("a", image, drawn, settings=labelled(label, **named))
        np.testing.assert_array_equal(scan.roi, labels == 3)
        assert scan.facts["structure"] == "vertebra (3)"
    with pytest.raises(CaseError, match=r"label vertebre of .*; did you mean 'vertebra'\? known: vertebra, disc"):
        read_scan("a", image, drawn, settings=labelled("vertebre", **named))
    with pytest.raises(CaseError, match=r"holds 2 labels \(vertebra \(3\), disc \(7\)\); choose one"):
        read_scan("a", image, drawn, settings=ImagingSettings(**named))


@pytest.mark.parametrize("name", ["mask.label", "mask.txt", "labels.label"])
def test_itk_snap_describes_values_beside_the_label_map(write_volume, labels, tmp_path, name):
    lines = [
        "# ITK-SnAP Label Description File",
        "# File format:",
        '    0     0    0    0        0  0  0    "Clear Label"',
        '    3   255    0    0        1  1  1    "Left Kidney"',
        '    7     0  255    0      0.5  1  1    "Tumour"',
    ]
    (tmp_path / name).write_text("\n".join(lines))
    image, drawn = write_volume(labels.astype(float)), write_volume(labels, "mask.nii.gz")
    scan = read_scan("a", image, drawn, settings=labelled("left kidney"))
    np.testing.assert_array_equal(scan.roi, labels == 3)
    assert scan.facts["structure"] == "Left Kidney (3)"


def write_slicer(path, layers, segments, space="left-posterior-superior", origin="(1,2,3)"):
    """3D Slicer's layout: layers run fastest."""
    data = np.moveaxis(np.asarray(layers, dtype=np.uint8), 0, -1)
    sizes = " ".join(map(str, data.shape[::-1]))
    signs = {"left-posterior-superior": "(0.5,0,0) (0,0.75,0) (0,0,2)"}.get(space, "(-0.5,0,0) (0,-0.75,0) (0,0,2)")
    head = [
        "NRRD0004",
        "type: unsigned char",
        "dimension: 4",
        f"space: {space}",
        f"sizes: {sizes}",
        f"space directions: none {signs}",
        "kinds: list domain domain domain",
        "encoding: raw",
        f"space origin: {origin}",
        *segments,
    ]
    path.write_bytes("\n".join(head).encode() + b"\n\n" + data.tobytes())
    return path


@pytest.fixture
def overlapping(labels, tmp_path, write_volume):
    """Image, a segmentation of two layers that overlap, and the regions by name."""
    image = write_volume(labels.astype(float), spacing=(0.5, 0.75, 2), origin=(1, 2, 3), direction=np.eye(3))
    lung, tumour = labels > 0, labels == 7
    segments = [
        "Segment0_Name:=Lung", "Segment0_LabelValue:=1", "Segment0_Layer:=0", "Segment0_ID:=Segment_1",
        "Segment1_Name:=Tumour", "Segment1_LabelValue:=1", "Segment1_Layer:=1",
    ]  # fmt: skip
    return image, write_slicer(tmp_path / "s.seg.nrrd", [lung, tumour], segments), {"lung": lung, "Tumour": tumour}


def test_slicer_layers_overlap(overlapping):
    image, drawn, regions = overlapping
    for name, roi in regions.items():
        np.testing.assert_array_equal(read_scan("a", image, drawn, settings=labelled(name)).roi, roi)
    with pytest.raises(CaseError, match=r"2 structures have the label 1 .*Lung \(1\), Tumour \(1\); choose by name"):
        read_scan("a", image, drawn, settings=labelled(1))
    with pytest.raises(CaseError, match="known: Lung, Segment_1, Tumour"):
        read_scan("a", image, drawn, settings=labelled("liver"))


def test_slicer_crops_and_counts_in_ras_too(overlapping, labels, tmp_path):
    image, _, _ = overlapping
    cropped = (labels == 7)[4:, 2:, 1:]
    origin = f"({-(1 + 0.5)},{-(2 + 2 * 0.75)},{3 + 4 * 2})"
    path = write_slicer(tmp_path / "c.seg.nrrd", [cropped], ["Segment0_ID:=T"], "right-anterior-superior", origin)
    scan = read_scan("a", image, path, settings=TINY)
    np.testing.assert_array_equal(scan.roi, labels == 7)
    assert scan.facts["geometry"].startswith("same; drawn on 2 x 6 x 9")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"encoding: raw", b"encoding: hex", "encoding hex is not read"),
        (b"encoding: raw", b"encoding: gzip", "cannot be read"),
        (b"\n\n", b"\n\n\n", None),
        (b"sizes: 2", b"sizes: 3", "is cut short"),
        (b"sizes: 2", b"sizes: 99999999", "at most"),
        (b"space: left", b"space: lost", "cannot be read"),
        (b"kinds:", b"data file: other.raw\nkinds:", "another file"),
    ],
)
def test_damaged_slicer_files_are_named(overlapping, old, new, message):
    image, path, _ = overlapping
    path.write_bytes(path.read_bytes().replace(old, new, 1))
    if message is None:
        assert read_scan("a", image, path, settings=labelled("lung")).n_roi
        return
    with pytest.raises(CaseError, match=rf"s\.seg\.nrrd: .*{message}"):
        read_scan("a", image, path, settings=labelled("lung"))


def test_a_case_names_its_own_structure(write_volume, labels):
    image, drawn = str(write_volume(labels.astype(float))), str(write_volume(labels, "mask.nrrd"))
    settings = ImagingSettings(segmentation_names={"disc": 7}, segmentation_label=3)
    first, second = read_scans([CaseFiles("a", image, drawn), CaseFiles("b", image, drawn, "disc")], settings=settings)
    assert (first.n_roi, second.n_roi) == (60, 40)


def coco_text(counts):
    """COCO's text of run lengths, as its format describes it."""
    text = ""
    for place, count in enumerate(counts):
        value, more = int(count - counts[place - 2] if place > 2 else count), True
        while more:
            bits, value = value & 0x1F, value >> 5
            more = value != -1 if bits & 0x10 else value != 0
            text += chr(48 + (bits | 0x20 if more else bits))
    return text


def run_lengths(roi):
    flat = np.concatenate([[0], roi.T.ravel().astype(int), [2]])
    edges = np.flatnonzero(np.diff(flat))
    return np.diff(np.concatenate([[0], edges])).tolist()


def coco(roi, segmentation):
    return {
        "images": [{"id": 5, "file_name": "folder/film.png", "height": roi.shape[0], "width": roi.shape[1]}],
        "categories": [{"id": 2, "name": "Vertebra"}],
        "annotations": [{"image_id": 5, "category_id": 2, "segmentation": segmentation}],
    }


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrays.arrays(bool, (7, 9)).filter(lambda roi: roi.any()))
def test_every_form_of_one_region_gives_the_same_pixels(tmp_path, write_volume, write_rtstruct, write_seg, write_png,
                                                        outlines, to_patient, roi):  # fmt: skip
    film = np.arange(63, dtype=np.uint8).reshape(7, 9)
    png, volume = write_png(film, "film.png"), write_volume(film[None].repeat(3, 0).astype(np.float32))
    solid = np.stack([np.zeros_like(roi), roi, np.zeros_like(roi)])
    boxes = outlines(roi) + 0.5
    shapes = [{"label": "v", "shape_type": "polygon", "points": box.tolist()} for box in boxes]
    planar = {
        "polygons.json": coco(roi, [box.ravel().tolist() for box in boxes]),
        "runs.json": coco(roi, {"size": [7, 9], "counts": run_lengths(roi)}),
        "text.json": coco(roi, {"size": [7, 9], "counts": coco_text(run_lengths(roi))}),
        "labelme.json": {
            "shapes": shapes,
            "imagePath": "film.png",
            "imageHeight": 7,
            "imageWidth": 9,
            "imageData": "x",
        },
    }
    for name, document in planar.items():
        (tmp_path / name).write_text(json.dumps(document))
    pictures = [write_png(roi.astype(np.uint8) * value, f"{value}.png") for value in (1, 255)]
    for path in [*pictures, *(tmp_path / name for name in planar)]:
        np.testing.assert_array_equal(read_scan("a", png, path, settings=TINY).roi, roi, err_msg=path.name)
    contours = [to_patient([(x, y, 1) for x, y in box]) for box in outlines(roi)]
    solids = [write_volume(solid.astype(np.uint8), f"mask{suffix}") for suffix in (".nii.gz", ".nrrd", ".mha")]
    for path in [*solids, write_rtstruct({"v": contours}), write_seg({"v": solid})]:
        np.testing.assert_array_equal(read_scan("a", volume, path, settings=TINY).roi, solid, err_msg=path.name)


def test_palette_and_tiff_label_maps(write_png, film, region):
    for name, mode in (("p.png", "P"), ("t.tif", None), ("l.bmp", None)):
        drawn = write_png(region.astype(np.uint8) * 4, name, mode)
        np.testing.assert_array_equal(read_scan("a", write_png(film), drawn, settings=SETTINGS).roi, region)


def test_dicom_label_maps(write_dicom, film, region):
    image, drawn = write_dicom(film.astype(np.uint16)), write_dicom(region.astype(np.uint8) * 255, "mask.dcm")
    np.testing.assert_array_equal(read_scan("a", image, drawn, settings=SETTINGS).roi, region)


@pytest.mark.data
def test_the_ct_phantom_of_ibsi_has_the_same_region_in_three_forms(shared):
    folder = shared / "data" / "ibsi" / "ibsi_1_ct_radiomics_phantom"
    mask, contours = folder / "nifti" / "mask" / "mask.nii.gz", folder / "dicom" / "mask" / "DCM_RS_00060.dcm"
    reference = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(mask))).astype(bool)
    for image in (folder / "nifti" / "image" / "phantom.nii.gz", folder / "dicom" / "image"):
        for drawn in (mask, contours):
            scan = read_scan("a", image, drawn, settings=SETTINGS)
            assert np.count_nonzero(scan.roi != reference) == 0
    assert reference.sum() == 125256


def test_a_folder_of_dicom_slices_is_a_label_map(write_volume, write_series, labels):
    scan = read_scan("a", write_volume(labels.astype(float)), write_series(labels), settings=labelled(7))
    np.testing.assert_array_equal(scan.roi, labels == 7)


def test_labels_that_jpeg_has_blurred_are_refused(write_png, film, region):
    drawn = write_png(region.astype(np.uint8) * 255, "mask.jpg")
    with pytest.raises(CaseError, match=r"mask\.jpg: JPEG has blurred its labels .*; save the segmentation as PNG"):
        read_scan("a", write_png(film), drawn, settings=labelled(255))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_tiff_label_map_whose_white_is_zero_is_refused(tmp_path, write_png, film, region, kind):
    Image.fromarray(region.astype(kind) * np.iinfo(kind).max).save(tmp_path / "mask.tif", tiffinfo={262: 0})
    with pytest.raises(CaseError, match=r"mask\.tif: is a TIFF whose white is zero"):
        read_scan("a", write_png(film), tmp_path / "mask.tif", settings=TINY)


def test_the_hash_of_a_region_follows_names_beside_the_file_and_places_that_annotations_name(write_volume, labels,
                                                                                             tmp_path):  # fmt: skip
    drawn, image = write_volume(labels, "mask.nrrd"), tmp_path / "film.png"
    assert source_hash(drawn, 3, image, settings=TINY) != source_hash(drawn, 7, image, settings=TINY)
    assert source_hash(drawn, None, image, settings=labelled(3)) == source_hash(drawn, 3, image, settings=TINY)
    before = {label: source_hash(drawn, label, image, settings=TINY) for label in (3, "disc")}
    line = '{} 0 0 0 1 1 1 "disc"\n'
    (tmp_path / "mask.label").write_text("# ITK-SnAP Label Description File\n" + line.format(7))
    assert source_hash(drawn, 3, image, settings=TINY) == before[3]
    first = source_hash(drawn, "disc", image, settings=TINY)
    (tmp_path / "mask.label").write_text("# ITK-SnAP Label Description File\n" + line.format(3))
    assert len({before["disc"], first, source_hash(drawn, "disc", image, settings=TINY)}) == 3
    (tmp_path / "drawn.json").write_text("{}")
    places = [source_hash(tmp_path / "drawn.json", 1, tmp_path / name, settings=TINY) for name in ("a.png", "b.png")]
    assert len(set(places)) == 2
