"""Disk: files that are whole or absent, and what a disk refuses said in one line."""

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smalltune.core.errors import StoreError

__all__ = ["disk_errors", "place_errors", "sync", "write_json"]

REFUSED = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk quota is used up: free some space",
    errno.EACCES: "no permission to write: choose another --store",
    errno.EROFS: "the disk is read-only: choose another --store",
}
MISPLACED = {
    errno.ENOENT: "there is no such folder: make it first",
    errno.ENOTDIR: "a file stands where a folder must be: choose another place",
    errno.EEXIST: "a file stands where a folder must be: choose another place",
    errno.EISDIR: "a folder stands where a file must be: choose another name",
}


def write_json(path: Path, value: Any, *, synced: bool = True) -> None:
    """Write JSON so that the file is whole or absent: to a draft, synced, then renamed.

    Without `synced` a caller that syncs the file itself has it whole or absent from then on.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    with disk_errors(path):
        try:
            draft.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
            if synced:
                sync(draft)
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a missing permission or a read-only disk into one StoreError."""
    try:
        yield
    except OSError as error:
        said = REFUSED.get(error.errno or 0)
        if said is None:
            raise
        raise StoreError(f"{path}: {said}; then run again. What was finished is kept") from error


@contextlib.contextmanager
def place_errors(path: Path) -> Iterator[None]:
    """Turn what `disk_errors` does, and a `path` that cannot be made there, into a StoreError.

    It is for a place that a user has named. Around a stage it would take a file that the stage
    misses for one that the store misses.
    """
    with disk_errors(path):
        try:
            yield
        except OSError as error:
            said = MISPLACED.get(error.errno or 0)
            if said is None:
                raise
            raise StoreError(f"{path}: {said}") from error


def sync(path: Path) -> None:
    """Make the kernel write a file or a folder's entries to the disk now."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
