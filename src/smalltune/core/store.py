"""The store: one immutable folder per job key.

    artifacts/<k2>/<key>/   the files of a finished job, manifest.json, provenance.json
    work/<key>/             the files of an unfinished job; survives a kill, so a job can resume
    claims/<key>.json       who works on a job now (see claims.py)
    failures/<key>.json     why a job failed the last time (see notes.py)
    fits/<config>.json      which methods can be applied to a model (see notes.py)
    plans/<study>.json      which keys belong to which study (see notes.py)
    opened.jsonl            each reading of a test split's right answers (see openings.py)

An artifact appears by one rename with its manifest already inside, so it is whole or absent.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from smalltune.core.disk import disk_errors, place_errors, sync, write_json
from smalltune.core.errors import StoreError
from smalltune.core.job import Job
from smalltune.core.keys import file_digest, key_of
from smalltune.core.notes import Notes

__all__ = ["Store", "disk_errors", "write_json"]

RECORDS = ("manifest.json", "provenance.json")
QUESTION = ("stage", "version", "spec", "inputs")
REPAIR = "`smalltune store check STUDY --repair` removes it; then run again"


class Store(Notes):
    """A folder of artifacts addressed by job key.

    Raises StoreError when the disk is full or an artifact is absent or damaged.
    """

    def __init__(self, root: Path | str):
        """Open the store in `root`, making it if needed."""
        self.root = Path(root).absolute()
        self._artifacts = str(self.root / "artifacts")
        with place_errors(self.root):
            for name in ("artifacts", "work", "claims", "failures", "fits", "plans"):
                (self.root / name).mkdir(parents=True, exist_ok=True)

    # Reading

    def folder(self, key: str) -> Path:
        """Return where the artifact of a key is or would be."""
        return self.root / "artifacts" / key[:2] / key

    def known(self, key: str) -> bool:
        """Tell whether the job was finished; large files may have been dropped since."""
        return os.path.isfile(f"{self._artifacts}/{key[:2]}/{key}/manifest.json")

    def has(self, key: str) -> bool:
        """Tell whether the artifact is stored with all its files."""
        dropped = f"{self._artifacts}/{key[:2]}/{key}/dropped.json"
        return self.known(key) and not os.path.exists(dropped)

    def path(self, key: str) -> Path:
        """Return the folder of a whole artifact, after comparing its files' sizes."""
        if not self.has(key):
            raise StoreError(f"no artifact {key[:12]} in {self.root}: run the study first")
        self.glance(key)
        return self.folder(key)

    def glance(self, key: str) -> None:
        """Compare the sizes of a finished artifact's files with its manifest.

        Cheap, so that a run looks at all it builds on. Raises StoreError for what is damaged.
        """
        dropped = self._dropped(key)
        for name, file in self.manifest(key)["files"].items():
            if name not in dropped:
                self._compare(key, name, file["bytes"])

    def manifest(self, key: str) -> dict[str, Any]:
        """Return the question an artifact answers and the digests of its files."""
        manifest = self.read_json(key, "manifest.json")
        if not _is_manifest(manifest):
            raise self._unreadable(key, "manifest.json")
        return dict(manifest)

    def provenance(self, key: str) -> dict[str, Any]:
        """Return where, when, with what and at what cost an artifact was made."""
        provenance = self.read_json(key, "provenance.json")
        if not isinstance(provenance, dict):
            raise self._unreadable(key, "provenance.json")
        return provenance

    def read_json(self, key: str, name: str) -> Any:
        """Return a JSON file of a finished artifact."""
        text = self._text(key, name)
        try:
            return json.loads(text)
        except ValueError:
            raise self._unreadable(key, name) from None

    def read_lines(self, key: str, name: str) -> list[Any]:
        """Return the rows of a JSON-lines file of a finished artifact."""
        text = self._text(key, name)
        try:
            return [json.loads(line) for line in text.split("\n") if line]
        except ValueError:
            raise self._unreadable(key, name) from None

    def keys(self) -> Iterator[str]:
        """Yield the key of every finished artifact."""
        for folder in sorted((self.root / "artifacts").glob("*/*")):
            if (folder / "manifest.json").is_file():
                yield folder.name

    def verify(self, key: str) -> list[str]:
        """Return what is wrong with an artifact, each in one line; nothing wrong is []."""
        try:
            manifest, dropped = self.manifest(key), self._dropped(key)
            self.provenance(key)
        except StoreError as error:
            return [str(error)]
        wrong = []
        if key_of({part: manifest[part] for part in QUESTION}) != key:
            wrong.append(f"{key[:12]} manifest.json: answers another question")
        for name, file in manifest["files"].items():
            path = self.folder(key) / name
            if name in dropped:
                continue
            if not path.is_file():
                wrong.append(f"{key[:12]} {name}: is missing")
            elif path.stat().st_size != file["bytes"]:
                wrong.append(f"{key[:12]} {name}: {path.stat().st_size} bytes, not {file['bytes']}")
            elif file_digest(path) != file["sha256"]:
                wrong.append(f"{key[:12]} {name}: its digest is not the manifest's")
        return wrong

    # Writing

    def work(self, job: Job) -> Path:
        """Return the folder a running job writes to; what an earlier try left is still there."""
        folder = self.root / "work" / job.key
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def commit(self, job: Job, provenance: Mapping[str, Any]) -> None:
        """Turn the job's work folder into its artifact by one rename."""
        work, target = self.work(job), self.folder(job.key)
        with disk_errors(work):
            for draft in work.rglob(".*.draft"):  # an earlier try was killed while it wrote
                draft.unlink()
            names = sorted(p.relative_to(work).as_posix() for p in work.rglob("*") if p.is_file())
            files = {
                name: {"sha256": file_digest(work / name), "bytes": (work / name).stat().st_size}
                for name in names
                if name not in RECORDS
            }
            write_json(work / "provenance.json", provenance, synced=False)
            write_json(work / "manifest.json", {**job.question, "files": files}, synced=False)
            for name in (*files, *RECORDS):  # all at the end: the disk writes its journal once
                sync(work / name)
            target.parent.mkdir(exist_ok=True)
            if target.exists() and not self.has(job.key):
                shutil.rmtree(target)  # what was dropped, or lost with its manifest, is here again
            try:
                work.rename(target)
            except OSError:  # another worker was first; its answer stands
                if not self.has(job.key):
                    raise
                shutil.rmtree(work)
            sync(target.parent)
        (self.root / "failures" / f"{job.key}.json").unlink(missing_ok=True)

    def drop(self, key: str, names: list[str]) -> int:
        """Delete large files of an artifact, keep its records; return the bytes freed."""
        folder, freed = self.folder(key), 0
        present = [name for name in names if (folder / name).is_file()]
        if present:
            write_json(folder / "dropped.json", sorted({*self._dropped(key), *present}))
        for name in present:
            freed += (folder / name).stat().st_size
            (folder / name).unlink()
        return freed

    def remove(self, key: str) -> None:
        """Delete an artifact, finished or not."""
        shutil.rmtree(self.folder(key), ignore_errors=True)
        shutil.rmtree(self.root / "work" / key, ignore_errors=True)

    # Inside

    def _dropped(self, key: str) -> list[str]:
        path = self.folder(key) / "dropped.json"
        try:
            names = json.loads(path.read_text()) if path.is_file() else []
        except ValueError:
            names = None
        if not isinstance(names, list):
            raise self._unreadable(key, "dropped.json")
        return names

    def _text(self, key: str, name: str) -> str:
        path = self.folder(key) / name
        try:
            if name not in RECORDS:
                self._compare(key, name, self.manifest(key)["files"][name]["bytes"])
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise self._unreadable(key, name) from None
        except (FileNotFoundError, KeyError):
            raise StoreError(
                f"no {name} of artifact {key[:12]} in {self.root}: run the study first"
            ) from None

    def _compare(self, key: str, name: str, size: int) -> None:
        path = self.folder(key) / name
        found = path.stat().st_size if path.is_file() else -1
        if found != size:
            state = "is missing" if found < 0 else f"has {found} bytes instead of {size}"
            raise StoreError(f"damaged artifact {self.folder(key)}: {name} {state}. {REPAIR}")

    def _unreadable(self, key: str, name: str) -> StoreError:
        return StoreError(f"damaged artifact {self.folder(key)}: {name} cannot be read. {REPAIR}")


def _is_manifest(value: Any) -> bool:
    """Tell whether a value has a manifest's shape: a question, and size and digest of each file."""
    if not isinstance(value, dict) or not isinstance(value.get("files"), dict):
        return False
    files = value["files"].values()
    return {*QUESTION} <= value.keys() and all(
        isinstance(file, dict) and {"bytes", "sha256"} <= file.keys() for file in files
    )
