"""The run directory: what is written, and where."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from radfusion.core.features import FeatureTable
from radfusion.core.hashing import file_hash
from radfusion.core.results import OutputFile, StudyResults
from radfusion.errors import RunError
from radfusion.execution.cache import write_atomically
from radfusion.execution.progress import Progress
from radfusion.modelling.model import Model, save_model
from radfusion.pipelines.judging import Judgement
from radfusion.report.write import write_report
from radfusion.study import Study

__all__ = ["RunFolder"]

#: What a run writes; a folder that holds anything else is not touched.
OWN = {
    "audit.md", "features", "figures", "log.txt", "methods.md", "model", "predictions", "report.html", "results.json",
    "study.resolved.yaml", "tables",
}  # fmt: skip


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
        foreign = sorted(item.name for item in path.iterdir() if item.name not in OWN) if path.exists() else []
        if foreign:
            raise RunError(f"{path} holds {foreign[0]!r}, which no run wrote; choose an empty or new folder")
        path.mkdir(parents=True, exist_ok=True)
        return cls(path)

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Keep the log of this run in ``log.txt``."""
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
        """Write everything; ``results.json`` last, so that its presence means the run is whole."""
        self._clear()
        progress.start("tables and model", 3)
        written = [self._text("study.resolved.yaml", study.to_yaml())]
        written += [self._parquet(f"features/{_safe(name)}.parquet", table) for name, table in tables.items()]
        progress.advance()
        for name, predictions in judgement.predictions.items():
            text = predictions.frame.to_csv(index_label="case", lineterminator="\n")
            written.append(self._text(f"predictions/{_safe(name)}.csv", text))
        progress.advance()
        save_model(model, self.path / "model")
        written += [self._file(path) for path in sorted((self.path / "model").rglob("*")) if path.is_file()]
        progress.advance()
        progress.finish()
        results = results.model_copy(update={"files": tuple(written)})
        rendered = write_report(results, self.path, progress=progress)
        results = results.model_copy(update={"files": (*written, *rendered)})
        write_atomically(self.path / "results.json", results.to_json().encode())
        return results

    def _clear(self) -> None:
        """Remove what an earlier run wrote, results first."""
        (self.path / "results.json").unlink(missing_ok=True)
        for name in OWN - {"log.txt"}:
            if (self.path / name).is_dir():
                shutil.rmtree(self.path / name)
            else:
                (self.path / name).unlink(missing_ok=True)

    def _text(self, name: str, text: str) -> OutputFile:
        write_atomically(self.path / name, text.encode())
        return self._file(self.path / name)

    def _parquet(self, name: str, table: FeatureTable) -> OutputFile:
        buffer = BytesIO()
        table.frame.rename_axis("case").to_parquet(buffer)
        write_atomically(self.path / name, buffer.getvalue())
        return self._file(self.path / name)

    def _file(self, path: Path) -> OutputFile:
        return OutputFile(path=path.relative_to(self.path).as_posix(), sha256=file_hash(path))


def _safe(name: str) -> str:
    return name.replace("/", "_")
