"""Repositories of the hub server: folders whose every state that was ever seen stays a commit."""

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LARGE = (".safetensors", ".parquet", ".bin", ".zst", ".gz")
"""Endings of the files that the server keeps as Git LFS does: known by SHA-256."""


@dataclass(frozen=True)
class File:
    """One file of a commit."""

    path: str
    data: bytes

    @property
    def blob(self) -> str:
        """The SHA-1 that Git gives the bytes."""
        return hashlib.sha1(b"blob %d\0" % len(self.data) + self.data).hexdigest()

    @property
    def sha256(self) -> str | None:
        """The SHA-256 of a large file; None for one that lies in Git itself."""
        large = self.path.endswith(LARGE)
        return hashlib.sha256(self.data).hexdigest() if large else None

    @property
    def etag(self) -> str:
        """What the server's ETag says of the file."""
        return self.sha256 or self.blob

    def entry(self) -> dict[str, object]:
        """Return the file as the tree listing has it."""
        large = {"lfs": {"oid": self.sha256, "size": len(self.data), "pointerSize": 130}}
        plain = {"type": "file", "oid": self.blob, "size": len(self.data), "path": self.path}
        return {**plain, **(large if self.sha256 else {})}

    def sibling(self, *, blobs: bool) -> dict[str, object]:
        """Return the file as a repository's page has it."""
        if not blobs:
            return {"rfilename": self.path}
        large = {"lfs": {"sha256": self.sha256, "size": len(self.data), "pointerSize": 130}}
        plain = {"rfilename": self.path, "blobId": self.blob, "size": len(self.data)}
        return {**plain, **(large if self.sha256 else {})}


@dataclass
class Repository:
    """A folder, its present state as `main`, and every state before that was looked at."""

    folder: Path
    commits: dict[str, Mapping[str, File]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    seen: tuple[object, ...] = ()
    main: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self) -> str:
        """Return the commit of the folder as it is now."""
        with self.lock:
            paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
            now = tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in paths)
            if now != self.seen:
                names = [path.relative_to(self.folder).as_posix() for path in paths]
                files = {n: File(n, p.read_bytes()) for n, p in zip(names, paths, strict=True)}
                said = json.dumps({name: file.blob for name, file in files.items()})
                self.main = hashlib.sha1(said.encode()).hexdigest()
                self.commits[self.main] = files
                self.seen = now
            return self.main

    def resolve(self, revision: str) -> str | None:
        """Return the commit that a branch, a tag or a commit means, None when there is none."""
        main = self.look()
        if revision in ("main", "refs/heads/main"):
            return main
        commit = self.tags.get(revision, revision)
        return commit if commit in self.commits else None


def parameters(file: File) -> dict[str, int]:
    """Return how many numbers of each type a safetensors file holds, by its header."""
    length = int.from_bytes(file.data[:8], "little")
    counts: dict[str, int] = {}
    for name, entry in json.loads(file.data[8 : 8 + length]).items():
        if name != "__metadata__":
            size = 1
            for side in entry["shape"]:
                size *= side
            counts[entry["dtype"]] = counts.get(entry["dtype"], 0) + size
    return counts
