"""Notes: what a store holds beside its artifacts: plans of studies, forecasts, failures."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smalltune.core.disk import write_json
from smalltune.core.errors import StoreError, StudyError
from smalltune.core.job import Job

__all__ = ["Notes"]


class Notes:
    """The folders `plans`, `failures`, `fits` and `forecasts` of the store in `root`."""

    root: Path

    def write_failure(self, job: Job, reason: str, details: str = "") -> None:
        """Record why a job failed."""
        record = {"label": job.label, "stage": job.stage, "reason": reason, "details": details}
        write_json(self.root / "failures" / f"{job.key}.json", record)

    def failure(self, key: str) -> dict[str, Any] | None:
        """Return why a job failed the last time, or None; a damaged record tells nothing."""
        found = _read(self.root / "failures" / f"{key}.json")
        return found if found and "reason" in found else None

    def write_plan(self, record: Mapping[str, Any]) -> None:
        """Point the study's name at its keys.

        Raises StudyError when the name belongs to another study file: the plan is what keeps that
        study's work from the garbage. A file that is gone has been moved and owns nothing.
        """
        path, file = self._plan(record["study"]), record.get("file")
        owner = (_read(path) or {}).get("file")
        if file and owner and owner != file and Path(owner).is_file():
            raise StudyError(
                f"{Path(file).name}: the name {record['study']!r} belongs to {owner} in this "
                "store: give this study another name or another --store"
            )
        write_json(path, record)

    def read_plan(self, study: str) -> dict[str, Any]:
        """Return the trials of a study and the keys of their jobs."""
        path = self._plan(study)
        if not path.is_file():
            raise StoreError(f"no study {study!r} in {self.root}: run `smalltune run` first")
        record = _read(path)
        if record is None or not {"trials", "keys"} <= record.keys():
            raise StoreError(f"damaged plan {path}: delete it and run the study {study!r} again")
        return record

    def write_forecasts(self, study: str, trials: Mapping[str, Any]) -> None:
        """Keep what was forecast of a study's trials before they ran, by their ids."""
        (self.root / "forecasts").mkdir(exist_ok=True)
        write_json(self.root / "forecasts" / f"{study}.json", {"trials": trials})

    def forecasts(self, study: str) -> dict[str, Any] | None:
        """Return what was forecast of a study's trials; None where no forecast was asked for."""
        found = (_read(self.root / "forecasts" / f"{study}.json") or {}).get("trials")
        return found if isinstance(found, dict) else None

    def write_fits(self, config: str, answers: Mapping[str, Any]) -> None:
        """Keep what methods said of models with a configuration, by digest and question."""
        write_json(self.root / "fits" / f"{config}.json", answers)

    def read_fits(self, config: str) -> dict[str, Any]:
        """Return what is kept of a configuration; a damaged record tells nothing."""
        return _read(self.root / "fits" / f"{config}.json") or {}

    def plan_stamp(self, study: str) -> tuple[int, int, int]:
        """Return what changes whenever a study's plan is written: file number, time, bytes."""
        found = self._plan(study).stat()
        return found.st_ino, found.st_mtime_ns, found.st_size

    def studies(self) -> list[str]:
        """Return the names of the studies that have a plan here."""
        return sorted(path.stem for path in (self.root / "plans").glob("[!.]*.json"))

    def _plan(self, study: str) -> Path:
        return self.root / "plans" / f"{study}.json"


def _read(path: Path) -> dict[str, Any] | None:
    """Return a JSON object, None when it is absent or no longer readable."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None
