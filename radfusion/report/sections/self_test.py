"""Self-test of deep features: what reached the networks, whether it is what they learned from, what came out."""

from __future__ import annotations

from radfusion.core.deep_features import collapsed, concerns, is_control
from radfusion.core.results import FeatureSource
from radfusion.core.selftest import ProfileFit, SelfTest
from radfusion.extraction.selftest import N_PICTURES
from radfusion.report.blocks import Block, Cell, Data, Level, Note, Table, Text
from radfusion.report.index import Index
from radfusion.report.sections.base import SECTIONS, Section
from radfusion.report.wording import count, fixed, join, percent, sentence

__all__ = ["build"]


def build(index: Index) -> list[Block]:
    """Warnings, one row per source, and one row per source and preprocessing profile."""
    tested = [(at, each) for at, each in enumerate(index.results.sources) if each.self_test is not None]
    if not tested:
        return []
    first = tested[0][1].self_test
    cases = count(first.n_cases if first else 0, "training case")
    blocks: list[Block] = [
        Text(
            f"Every deep source was tested on {cases}, drawn by the seed of the study: the numbers that reached the "
            "network, how they agree with the statistics that its weights were learned with, and how the features "
            "resemble those of the same network with random weights."
        )
    ]
    for _, source in tested:
        found = concerns(source)
        if found and not is_control(source):
            blocks.append(Note("warn", f"{source.name}: {sentence('; '.join(found))}"))
    blocks.append(_features(tested))
    blocks += _without_profiles([source for _, source in tested])
    if any(source.self_test and source.self_test.profiles for _, source in tested):
        blocks.append(_profiles(tested))
    return blocks


def _features(tested: list[tuple[int, FeatureSource]]) -> Table:
    data = []
    for _, source in tested:
        test, health = _test(source), source.health
        names = ("first_component_share", "components_90", "effective_rank", "constant_share", "near_constant_share")
        common = (*(health.get(name) for name in names), test.control_similarity, test.black, test.white)
        ends = ((each.channel, each.minimum, each.maximum, each.mean, each.sd) for each in test.channels)
        data += [(source.name, *common, *each) for each in ends]
    return Table(
        name="self_test",
        caption="Deep features of the training set and what reached their networks.",
        columns=(
            "Source", "First component", "Components for 90%", "Effective rank", "Still units", "Like random",
            "Input", "Black, white",
        ),
        rows=tuple(_row(at, source) for at, source in tested),
        notes=(
            "First component: share of the variance of the training features in their first principal component; a "
            "ResNet-50 with ImageNet weights gave a fifth to a third on radiographs, with random weights 95% to 99%; "
            "smaller random networks give less. Still units: features that never change. Like random: debiased linear "
            "centred kernel alignment with the same network under random weights (1: the same up to rotation and "
            "scale). Input: range of the numbers that reached the network; black, white: pixels at either end of the "
            "grey levels. The CSV file holds every channel.",
        ),
        data=Data(
            ("source", "first_component_share", "components_90", "effective_rank", "constant_share",
             "near_constant_share", "control_similarity", "black", "white", "channel", "input_minimum",
             "input_maximum", "input_mean", "input_sd"),
            tuple(data),
        ),
    )  # fmt: skip


def _row(at: int, source: FeatureSource) -> tuple[Cell, ...]:
    test, health, place = _test(source), source.health, f"/sources/{at}/health"
    lowest, highest = min(each.minimum for each in test.channels), max(each.maximum for each in test.channels)
    like = "–" if test.control_similarity is None else fixed(test.control_similarity, 2)
    return (
        Cell(source.name),
        Cell(percent(health["first_component_share"]), f"{place}/first_component_share", _level(source), numeric=True),
        Cell(f"{health['components_90']:.0f}", f"{place}/components_90", numeric=True),
        Cell(fixed(health["effective_rank"], 1), f"{place}/effective_rank", numeric=True),
        Cell(percent(health["constant_share"]), f"{place}/constant_share", numeric=True),
        Cell(like, f"/sources/{at}/self_test/control_similarity", numeric=True),
        Cell(f"{fixed(lowest, 2)} to {fixed(highest, 2)}"),
        Cell(f"{percent(test.black)}, {percent(test.white)}"),
    )


def _without_profiles(sources: list[FeatureSource]) -> list[Block]:
    """Why the statistics of some sources cannot be compared."""
    reasons: dict[str, list[str]] = {}
    for source in sources:
        if reason := _test(source).profiles_reason:
            reasons.setdefault(reason, []).append(source.name)
    return [
        Text(f"Agreement with batch normalisation is not applicable to {join(names)}: {sentence(reason)}")
        for reason, names in reasons.items()
    ]


def _profiles(tested: list[tuple[int, FeatureSource]]) -> Table:
    rows, data = [], []
    for at, source in tested:
        test = _test(source)
        for rank, fit in enumerate(test.profiles):
            place = f"/sources/{at}/self_test/profiles/{rank}"
            rows.append((
                Cell(source.name),
                Cell(fit.title),
                Cell(fixed(fit.distance), f"{place}/distance", numeric=True),
                Cell(fixed(fit.mean_shift, 2), f"{place}/mean_shift", numeric=True),
                Cell(fixed(fit.spread_ratio, 2), f"{place}/spread_ratio", numeric=True),
                _word(fit, test),
            ))  # fmt: skip
            numbers = (fit.distance, fit.mean_shift, fit.spread_ratio)
            data.append((source.name, fit.profile, fit.title, *numbers, str(fit.own), str(fit.known_mistake)))
    return Table(
        name="preprocessing_profiles",
        caption="Preparations of the pictures, ranked by their agreement with the statistics that the weights were "
        "learned with.",
        columns=("Source", "Preparation", "Distance", "Mean |z|", "SD factor", ""),
        rows=tuple(rows),
        notes=(
            f"On up to {N_PICTURES} pictures, over all channels of all batch normalisations: mean Hellinger distance "
            "between the normal distributions with the measured and the stored mean and variance (0: the same, 1: no "
            "overlap), mean absolute z of the means, mean factor between the standard deviations. A preparation fits "
            "clearly better when it is nearer in distance and in mean |z|, and in one of them by a quarter. "
            "Grey pictures do not tell red from blue.",
        ),
        data=Data(
            ("source", "profile", "title", "distance", "mean_shift", "spread_ratio", "used", "known_mistake"),
            tuple(data),
        ),
        group=True,
    )  # fmt: skip


def _word(fit: ProfileFit, test: SelfTest) -> Cell:
    if fit.own:
        return Cell("used", level="warn" if test.better else "pass")
    return Cell("fits better", level="warn") if fit.profile == test.better else Cell("")


def _level(source: FeatureSource) -> Level | None:
    return "warn" if collapsed(source.health) else None


def _test(source: FeatureSource) -> SelfTest:
    assert source.self_test is not None
    return source.self_test


SECTIONS.add("self_test", Section("Self-test of the deep features", 32, build))
