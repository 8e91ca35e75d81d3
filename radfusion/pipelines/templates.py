"""The study files that travel with radfusion: one folder per published study."""

from __future__ import annotations

import shutil
from pathlib import Path

from radfusion.core.registry import nearest
from radfusion.errors import RunError, UnknownNameError

__all__ = ["copy_template", "template_folder", "template_names"]


def template_folder() -> Path:
    """Folder of the study templates: inside the installed package, or beside it in a source checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_pipelines"
    return installed if installed.is_dir() else package.parent / "pipelines"


def template_names() -> list[str]:
    """Names of the templates.

    Examples
    --------
    >>> "ovf-fusion" in template_names()
    True
    """
    return sorted(path.parent.name for path in template_folder().glob("*/study.yaml"))


def copy_template(name: str, out: Path) -> Path:
    """Copy a template's study file into a new folder and return the file.

    Raises
    ------
    UnknownNameError
        When no template has that name.
    RunError
        When the folder already holds a study file.
    """
    if name not in template_names():
        raise UnknownNameError(f"no study template is named {name!r}; {nearest(name, template_names())}")
    target = out / "study.yaml"
    if target.exists():
        raise RunError(f"{target} exists; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template_folder() / name / "study.yaml", target)
    return target
