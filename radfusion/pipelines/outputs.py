"""The run directory: what is written, and where."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from filelock import FileLock, Timeout

from radfusion.core.features import FeatureTable
from radfusion.core.hashing import file_hash
from radfusion.core.results import OutputFile, StudyResults
from radfusion.errors import RunError
from radfusion.execution.cache import write_atomically
from radfusion.execution.progress import Progress
from radfusion.modelling.model import Model
from radfusion.modelling.stored import save_model
from radfusion.pipelines.judging import Judgement
from radfusion.report.write import write_report
from radfusion.study import Study

__all__ = ["RunFolder"]

#: Where a run is built; it takes its places when everything is there.
PARTIAL = ".partial"
#: Lock of a folder, and the mark that a run made it: nothing is removed from a folder without it.
LOCK = ".radfusion-run"
#: What a run writes; a folder that holds anything else is not touched.
OWN = {
    "features", "figures", "methods.md", "model", "predictions", "report.html", "results.json", "study.resolved.yaml",
    "tables",
}  # fmt: skip
KEPT = {"log.txt", PARTIAL, LOCK}


@dataclass(frozen=True)
class RunFolder:
    """A run directory."""

    path: Path

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Make the directory, or take one that holds an earlier run.

        Raises
        ------
        RunError
            When it is a file, or holds what no run wrote.
        """
        path = Path(path)
        if path.exists() and not path.is_dir():
            raise RunError(f"{path} is a file; --out takes a folder")
        try:
            path.mkdir(parents=True, exist_ok=True)
            own = OWN | KEPT if (path / LOCK).exists() else set()
            foreign = sorted(item.name for item in path.iterdir() if item.name not in own)
            if not foreign:
                (path / LOCK).touch()
        except OSError as error:
            raise RunError(f"{path}: nothing can be written there: {error.strerror}") from error
        if foreign:
            raise RunError(f"{path} holds {foreign[0]!r}, which no run wrote; choose an empty or new folder")
        return cls(path)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the folder for one run and keep its log in ``log.txt``.

        Raises
        ------
        RunError
            When another run holds it.
        """
        try:
            with FileLock(self.path / LOCK, timeout=0), self._logging():
                yield
        except Timeout as error:
            raise RunError(f"{self.path}: another run is writing here; wait for it or choose another folder") from error

    @contextmanager
    def _logging(self) -> Iterator[None]:
        logger = logging.getLogger("radfusion")
        handler = logging.FileHandler(self.path / "log.txt", mode="w", encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        before = logger.level
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.setLevel(before)
            logger.removeHandler(handler)
            handler.close()

    def write(
        self,
        study: Study,
        results: StudyResults,
        tables: Mapping[str, FeatureTable],
        *,
        judgement: Judgement,
        model: Model,
        progress: Progress,
    ) -> StudyResults:
        """Build the run beside what an earlier one left, then let it take its places, ``results.json`` last."""
        shutil.rmtree(self._partial, ignore_errors=True)
        progress.start("tables and model", 3)
        written = [self._text("study.resolved.yaml", study.to_yaml())]
        written += [self._parquet(f"features/{_safe(name)}.parquet", table) for name, table in tables.items()]
        progress.advance()
        for name, predictions in judgement.predictions.items():
            text = predictions.frame.to_csv(index_label="case", lineterminator="\n")
            written.append(self._text(f"predictions/{_safe(name)}.csv", text))
        progress.advance()
        save_model(model, self._partial / "model")
        written += [self._file(path) for path in sorted((self._partial / "model").rglob("*")) if path.is_file()]
        progress.advance()
        progress.finish()
        results = results.model_copy(update={"files": tuple(written)})
        rendered = write_report(results, self._partial, progress=progress)
        results = results.model_copy(update={"files": (*written, *rendered)})
        write_atomically(self._partial / "results.json", results.to_json().encode())
        self._take_places()
        return results

    @property
    def _partial(self) -> Path:
        return self.path / PARTIAL

    def _take_places(self) -> None:
        (self.path / "results.json").unlink(missing_ok=True)
        for name in OWN:
            if (self.path / name).is_dir():
                shutil.rmtree(self.path / name)
            else:
                (self.path / name).unlink(missing_ok=True)
        for built in sorted(self._partial.iterdir(), key=lambda path: path.name == "results.json"):
            built.replace(self.path / built.name)
        self._partial.rmdir()

    def _text(self, name: str, text: str) -> OutputFile:
        write_atomically(self._partial / name, text.encode())
        return self._file(self._partial / name)

    def _parquet(self, name: str, table: FeatureTable) -> OutputFile:
        buffer = BytesIO()
        table.frame.rename_axis("case").to_parquet(buffer)
        write_atomically(self._partial / name, buffer.getvalue())
        return self._file(self._partial / name)

    def _file(self, path: Path) -> OutputFile:
        return OutputFile(path=path.relative_to(self._partial).as_posix(), sha256=file_hash(path))


def _safe(name: str) -> str:
    return name.replace("/", "_")
