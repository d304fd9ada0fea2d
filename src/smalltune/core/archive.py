"""Archives: finished work in one compressed file, to carry from one machine's store to another's.

An archive is a tar file: for each artifact its manifest first, then its records and files. Nothing
in it is trusted on arrival. A manifest must hash to the key that it claims, each file must have the
size and the digest of its manifest, and whatever does not verify is refused, artifact by artifact.
"""

import io
import json
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from smalltune.core.errors import StoreError
from smalltune.core.keys import file_digest, key_of
from smalltune.core.store import Store, disk_errors, write_json

__all__ = ["Imported", "export_store", "import_store"]

KEY = re.compile(r"[0-9a-f]{64}")
STUDY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
RECORDS = ("manifest.json", "provenance.json", "dropped.json")
LARGEST_RECORD = 64 * 2**20


@dataclass
class Imported:
    """What an archive brought: keys taken, known before, and refused with the reason."""

    taken: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def export_store(store: Store, keys: Iterable[str], studies: Iterable[str], file: Path) -> int:
    """Write the finished artifacts among `keys` and the studies' plans; return how many they are.

    The file appears whole or not at all.
    """
    count, draft = 0, file.with_name(f".{file.name}.draft")
    try:
        with disk_errors(file), tarfile.open(draft, "w:gz", compresslevel=6) as tar:
            for study in studies:
                _add(tar, f"plans/{study}.json", store.root / "plans" / f"{study}.json")
            for key in keys:
                if store.known(key):
                    folder = store.folder(key)
                    for name in [*RECORDS, *store.manifest(key)["files"]]:
                        if (folder / name).is_file():
                            _add(tar, f"artifacts/{key}/{name}", folder / name)
                    count += 1
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return count


def import_store(store: Store, file: Path) -> Imported:
    """Take what an archive holds into the store, each artifact after it has verified."""
    report = Imported()
    try:
        with tarfile.open(file, "r|gz") as tar, tempfile.TemporaryDirectory(dir=store.root) as tmp:
            for key, members in _artifacts(tar, store):
                _take(store, key, members, Path(tmp) / key, report)
    except FileNotFoundError:
        raise StoreError(f"{file}: no such file") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise StoreError(
            f"{file}: not a whole archive ({error}). {len(report.taken)} artifacts were taken"
        ) from None
    return report


def _add(tar: tarfile.TarFile, name: str, path: Path) -> None:
    data = path.read_bytes()
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


Member = tuple[str, int, Any]
"""A file's name within its artifact, its size, and a reader of its bytes."""


def _artifacts(tar: tarfile.TarFile, store: Store) -> Iterator[tuple[str, Iterator[Member]]]:
    """Yield each artifact's key and its members, in the order of the archive; take plans."""
    entry = tar.next()
    while entry is not None:
        parts = PurePosixPath(entry.name).parts
        if (
            entry.isreg()
            and len(parts) >= 3
            and parts[0] == "artifacts"
            and KEY.fullmatch(parts[1])
        ):
            group = _Group(tar, parts[1], entry)
            yield parts[1], group.members()
            entry = group.next
            continue
        if entry.isreg() and len(parts) == 2 and parts[0] == "plans":
            _take_plan(tar, entry, parts[1], store)
        entry = tar.next()


class _Group:
    """The members of one artifact; `next` is the first entry behind them."""

    def __init__(self, tar: tarfile.TarFile, key: str, first: tarfile.TarInfo):
        self.tar, self.key = tar, key
        self.next: tarfile.TarInfo | None = first

    def members(self) -> Iterator[Member]:
        start = f"artifacts/{self.key}/"
        while self.next is not None and self.next.name.startswith(start):
            entry = self.next
            if entry.isreg():
                yield entry.name.removeprefix(start), entry.size, self.tar.extractfile(entry)
            self.next = self.tar.next()


def _take(
    store: Store, key: str, members: Iterator[Member], folder: Path, report: Imported
) -> None:
    """Verify one artifact in `folder` and put it in its place; all members are consumed."""
    try:
        if store.has(key):
            report.known.append(key)
            return
        folder.mkdir()
        _unpack(key, members, folder)
        _put(store, key, folder)
        report.taken.append(key)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        report.refused[key] = str(error) or "not readable"
    finally:
        for _ in members:  # what was not read of this artifact
            pass
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(key: str, members: Iterator[Member], folder: Path) -> None:
    """Write the members; raise ValueError for anything that the manifest does not vouch for."""
    name, size, reader = next(members)
    if name != "manifest.json":
        raise ValueError("its manifest does not come first")
    manifest = _record(name, size, reader)
    question = {part: manifest.get(part) for part in ("stage", "version", "spec", "inputs")}
    if key_of(question) != key:
        raise ValueError("its manifest answers another question")
    files = manifest["files"]
    records = {name: manifest}
    for name, size, reader in members:
        if name in RECORDS:
            records[name] = _record(name, size, reader)
            continue
        path = PurePosixPath(name)
        if name not in files or path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{name!r} is not in its manifest")
        if size != files[name]["bytes"]:
            raise ValueError(f"{name} has {size} bytes, not {files[name]['bytes']}")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with disk_errors(target), target.open("wb") as out:
            shutil.copyfileobj(reader, out)
        if file_digest(target) != files[name]["sha256"]:
            raise ValueError(f"the digest of {name} is not its manifest's")
    _complete(files, records, folder)


def _complete(files: dict[str, Any], records: dict[str, Any], folder: Path) -> None:
    dropped = records.get("dropped.json", [])
    absent = [n for n in files if n not in dropped and not (folder / n).is_file()]
    if absent:
        raise ValueError(f"{absent[0]} is missing")
    if not isinstance(records.get("provenance.json"), dict):
        raise ValueError("it has no provenance")
    for name, value in records.items():
        write_json(folder / name, value)


def _record(name: str, size: int, reader: Any) -> Any:
    if size > LARGEST_RECORD:
        raise ValueError(f"{name} is too large")
    return json.loads(reader.read())


def _put(store: Store, key: str, folder: Path) -> None:
    target = store.folder(key)
    if store.known(key):
        if (folder / "dropped.json").exists():
            return  # no more than what is here
        shutil.rmtree(target)
    target.parent.mkdir(exist_ok=True)
    folder.rename(target)


def _take_plan(tar: tarfile.TarFile, entry: tarfile.TarInfo, name: str, store: Store) -> None:
    study = name.removesuffix(".json")
    reader = tar.extractfile(entry)
    if not STUDY.fullmatch(study) or study in store.studies() or reader is None:
        return
    try:
        record = _record(name, entry.size, reader)
    except ValueError:
        return
    if isinstance(record, dict) and record.get("study") == study and "keys" in record:
        store.write_plan(record)
