"""Feature sources: how many features, from which weights, and whether they carry anything."""

from __future__ import annotations

from typing import Any

from radfusion.core.deep_features import COLLAPSED_SHARE, is_control
from radfusion.core.results import FeatureSource
from radfusion.report.blocks import Block, Cell, Data, Level, Note, Table, Text
from radfusion.report.feature_sentences import absent_sources, weights_hash
from radfusion.report.index import Index
from radfusion.report.sections.base import SECTIONS, Section
from radfusion.report.wording import count, fixed, flat, join, percent, plain, sentence

__all__ = ["build"]


def build(index: Index) -> list[Block]:
    """One row per source, absent ones included, and the settings of each."""
    sources = index.results.sources
    if not sources:
        return []
    there = [each for each in sources if each.available]
    total = count(sum(each.n_features for each in there), "feature")
    words = join([f"{each.name} ({each.n_features:,})" for each in there])
    blocks: list[Block] = [Text(f"{total} per case came from {count(len(there), 'source')}: {words}.")]
    blocks += [
        Note("warn", f"{which} left out: {sentence(why)}") for which, why in absent_sources(sources, remedies=True)
    ]
    blocks.append(_table(index))
    if settings := _settings(index):
        blocks.append(settings)
    return blocks


def _modalities(weights: dict[str, Any]) -> str:
    return plain(weights.get("modalities")) if weights.get("modalities") else "not recorded"


def _weights(source: FeatureSource) -> tuple[str, str]:
    """SHA-256 and modalities that the weights were learned from, in words."""
    if source.kind != "deep":
        return "none used", "–"
    if source.imported:
        return "not known", "not known (imported)"
    if is_control(source):
        return weights_hash(source) or "random numbers", "nothing (untrained control)"
    return weights_hash(source) or "not recorded", _modalities(source.weights or {})


def _health(source: FeatureSource) -> tuple[Cell, Cell]:
    share, rank = source.health.get("first_component_share"), source.health.get("effective_rank")
    level: Level | None = "warn" if share is not None and share > COLLAPSED_SHARE else None
    return (
        Cell("–" if share is None else percent(share), level=level, numeric=True),
        Cell("–" if rank is None else fixed(rank, 1), numeric=True),
    )


def _table(index: Index) -> Table:
    rows, data = [], []
    for at, each in enumerate(index.results.sources):
        sha, learned = _weights(each)
        state = Cell("available", level="pass") if each.available else Cell("absent", level="fail")
        number = Cell(f"{each.n_features:,}" if each.available else "–", f"/sources/{at}/n_features", numeric=True)
        short = sha if len(sha) < 64 else f"{sha[:16]}…"
        rows.append((Cell(each.name), Cell(each.kind), state, number, Cell(short), Cell(learned), *_health(each)))
        share, rank = each.health.get("first_component_share"), each.health.get("effective_rank")
        known = (each.name, each.kind, str(each.available), each.n_features)
        data.append((*known, sha, learned, share, rank, each.reason))
    return Table(
        name="sources",
        caption="Sources of features.",
        columns=(
            "Source", "Kind", "State", "Features", "Weights SHA-256", "Learned from", "First component",
            "Effective rank",
        ),
        rows=tuple(rows),
        notes=(
            "First component: share of the variance of the training features in their first principal component; "
            f"above {percent(COLLAPSED_SHARE, 0)} the features are nearly copies of each other. Full hashes are "
            "in the CSV file.",
        ),
        data=Data(
            ("source", "kind", "available", "n_features", "weights_sha256", "learned_from", "first_component_share",
             "effective_rank", "reason"),
            tuple(data),
        ),
    )  # fmt: skip


def _settings(index: Index) -> Table | None:
    rows = tuple(
        (Cell(each.name), Cell(key), Cell(value, f"/sources/{at}/settings"))
        for at, each in enumerate(index.results.sources)
        for key, value in flat(each.settings).items()
    )
    if not rows:
        return None
    return Table("source_settings", "Settings of the sources.", ("Source", "Setting", "Value"), rows, group=True)


SECTIONS.add("features", Section("Features", 30, build))
