import pytest

from radfusion.extraction.extractors.deep import Deep
from radfusion.report.deep_sentences import TOLD_OF_PICTURES, shown_sentence
from radfusion.report.feature_sentences import feature_paragraphs


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {},
            ["a square around the region", "0 and 255 of 8-bit images and percentiles 1 and 99 of the crop of others"],
        ),
        ({"crop": "box", "margin": 0.25}, ["the region's tight box with a margin of 25.0% of its longer side"]),
        ({"crop": "image", "outside": "mean"}, ["the whole image, pixels outside the region given its mean"]),
        ({"window": (-160, 240)}, ["the intensities −160 and 240 became black and white"]),
        ({"window": "file"}, ["the window that each DICOM file states"]),
        ({"resize": "torchvision"}, ["a short side of 256 pixels and cut to the 224 × 224 pixels of their centre"]),
        ({"slices": 5}, ["its neighbours, 5 in all where the region has them"]),
        ({"slices": "planes"}, ["three planes at right angles"]),
        ({"pooling": "roi", "flips": "both"}, ["the places inside the region, averaged over a picture and its three"]),
    ],
)
def test_every_setting_has_its_words(settings, words):
    deep = Deep(weights="random", **settings)
    crop = deep.crop_settings.model_dump(mode="json")
    sentence = shown_sentence({"crop": crop, "pooling": deep.pooling, "flips": deep.flips})
    assert all(each in sentence for each in words)


def test_older_results_without_the_settings_are_not_guessed_at():
    assert shown_sentence({"crop": {"size": 224, "margin": 0.1}}) == ""
    assert "crop" in TOLD_OF_PICTURES


def test_absent_sources_are_told_once_for_each_reason_and_without_remedies(benchmark):
    absent = [text for text in feature_paragraphs(benchmark.sources) if "could not be used" in text]
    assert len(absent) == 3
    assert absent[0] == (
        "Sources radimagenet-resnet18-layer3 and radimagenet-resnet18-layer4 were planned and could not be used: "
        "weights 'radimagenet' have no file for 'resnet18'."
    )
