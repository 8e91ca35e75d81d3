"""The public surface is one sorted list, and every name on it exists."""

from __future__ import annotations

import inspect
import subprocess
import sys

import radfusion as rf


def test_public_names_are_sorted_and_exist() -> None:
    assert rf.__all__ == sorted(rf.__all__)
    assert all(getattr(rf, name) is not None for name in rf.__all__)


def test_public_names_are_documented() -> None:
    assert [name for name in rf.__all__ if not inspect.getdoc(getattr(rf, name))] == []


def test_importing_radfusion_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'pandas', 'torch', 'sklearn', 'matplotlib', 'SimpleITK'}"
    code = f"import sys, radfusion, radfusion.cli; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
