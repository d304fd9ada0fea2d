"""Unpacking: an artifact out of an archive, taken only as far as its manifest vouches for it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from smalltune.core.disk import disk_errors, write_json
from smalltune.core.keys import file_digest, key_of

__all__ = ["LARGEST_RECORD", "RECORDS", "Member", "read_record", "unpack"]

RECORDS = ("manifest.json", "provenance.json", "dropped.json")
LARGEST_RECORD = 64 * 2**20

Member = tuple[str, int, Any]
"""A file's name within its artifact, its size, and a reader of its bytes."""


def unpack(key: str, members: Iterator[Member], folder: Path) -> None:
    """Write the members; raise ValueError for anything that the manifest does not vouch for."""
    name, size, reader = next(members)
    if name != "manifest.json":
        raise ValueError("its manifest does not come first")
    manifest = read_record(name, size, reader)
    question = {part: manifest.get(part) for part in ("stage", "version", "spec", "inputs")}
    if key_of(question) != key:
        raise ValueError("its manifest answers another question")
    files = manifest["files"]
    records = {name: manifest}
    for name, size, reader in members:
        if name in RECORDS:
            records[name] = read_record(name, size, reader)
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


def read_record(name: str, size: int, reader: Any) -> Any:
    """Return a JSON record of an archive; raises ValueError when it is too large or no JSON."""
    if size > LARGEST_RECORD:
        raise ValueError(f"{name} is too large")
    return json.loads(reader.read())
