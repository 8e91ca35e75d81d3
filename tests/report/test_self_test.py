"""The report's section on the self-test: tables, the warning, and what is not applicable."""

from radfusion.core.selftest import ChannelRange, ProfileFit, SelfTest
from radfusion.report.blocks import Note, Table, Text
from radfusion.report.index import Index
from radfusion.report.sections.self_test import build


def looked(**changes):
    fits = (
        ProfileFit(profile="caffe", title="Caffe", distance=0.16, mean_shift=0.25, spread_ratio=1.26),
        ProfileFit(profile="half", title="-1 to 1", distance=0.4, mean_shift=0.5, spread_ratio=2.3, own=True),
    )
    channels = tuple(
        ChannelRange(channel=name, minimum=-1, maximum=1, mean=0.1, sd=0.5, black=-1, white=1) for name in "RGB"
    )
    usual = {"profiles": fits, "better": "caffe", "channels": channels, "black": 0.05, "white": 0.0}
    return SelfTest.model_validate({"n_cases": 30, "n_pictures": 30, **usual, **changes})


def test_the_section_warns_of_a_preparation_that_fits_better(results):
    extra = {"components_90": 17.0, "constant_share": 0.01}
    drawn = looked(profiles=(), better=None, profiles_reason="drawn weights hold no learned statistics")
    tests = {"imagenet": looked(), "random": drawn}
    sources = tuple(
        each.model_copy(update={"self_test": tests[each.name], "health": {**each.health, **extra}})
        if each.name in tests
        else each
        for each in results.sources
    )
    blocks = build(Index(results.model_copy(update={"sources": sources})))
    assert [each.text.partition(":")[0] for each in blocks if isinstance(each, Note)] == ["imagenet"]
    features, profiles = (each for each in blocks if isinstance(each, Table))
    assert [row[1].level for row in features.rows] == [None, "warn"]
    assert len(features.data.rows) == 6
    assert [row[-1].text for row in profiles.rows] == ["fits better", "used"]
    assert "not applicable to random" in [each.text for each in blocks if isinstance(each, Text)][1]


def test_no_section_without_a_self_test(results):
    assert build(Index(results)) == []
