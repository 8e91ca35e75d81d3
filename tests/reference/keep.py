"""Copy small cases of the files with expected values from R: ``python tests/reference/keep.py FOLDER [TOPIC ...]``.

The smallest cases that together hold every key of a topic are kept, so that the tests have something of everything to
compare where FOLDER is absent. aSAH is left out: it comes with pROC under the GPL.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LEFT_OUT = {"roc_asah"}
HEADER = ("topic", "generator", "r_version", "packages", "default_tolerance", "r", "notes")


def keys(tree: Any, path: str = "") -> Iterator[str]:
    """Paths of the leaves, without positions in arrays."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from keys(value, f"{path}.{key}")
    elif isinstance(tree, list):
        for value in tree:
            yield from keys(value, path)
    else:
        yield path


def smallest_cover(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cases, smallest first, that add a key which no smaller one has; at least three, and whose input they share."""
    known: set[str] = set()
    kept = []
    for case in sorted(cases, key=lambda each: len(json.dumps(each))):
        found = set(keys(case["expected"]))
        if len(kept) < 3 or found - known:
            kept.append(case)
            known |= found
    shared = {case["input"].get("same_input_as") for case in kept}
    return kept + [case for case in cases if case["id"] in shared and case not in kept]


def main(folder: Path, topics: list[str]) -> None:
    """Write one file per topic beside this script."""
    for source in sorted(folder.glob("*.json")):
        if source.stem in LEFT_OUT or (topics and source.stem not in topics):
            continue
        file = json.loads(source.read_text(encoding="utf-8"))
        kept = {key: file[key] for key in HEADER if key in file} | {"cases": smallest_cover(file["cases"])}
        target = Path(__file__).with_name(source.name)
        target.write_text(json.dumps(kept, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
