"""Fetching: files of a pinned commit into the hub's cache, each held against its digest.

A digest is a SHA-256 (64 hexadecimal digits) or, for small files that nobody has hashed yet, the
SHA-1 that Git gives the bytes (40), as the hub lists it. A file that is not what it should be is
fetched once more; if it is wrong again it is taken out of the cache and named.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from smalltune.core.keys import file_digest
from smalltune.hub.asking import Repository, asked

__all__ = ["Tell", "cached", "fetch", "fetch_file", "fetch_model"]

Tell = Callable[[str], None]
"""Is told, before a download, which file of which repository it is."""


def cached(
    name: str, commit: str, path: str, kind: Literal["model", "dataset"] = "model"
) -> Path | None:
    """Return a file of a commit in the cache, None when it is not there; asks no network."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, path, revision=commit, repo_type=kind)
    return Path(found) if isinstance(found, str) else None


def fetch_model(
    name: str, commit: str, digests: Mapping[str, str], tell: Tell = lambda what: None
) -> Path:
    """Return the folder of a model's files, fetching those that the cache lacks.

    Raises ModelError when one cannot be had or is not what `digests` says.
    """
    repository = Repository("model", name, commit)
    paths = [fetch(repository, path, digest, tell) for path, digest in digests.items()]
    return paths[0].parent


def fetch_file(
    name: str, commit: str, path: str, digest: str | None, tell: Tell = lambda what: None
) -> Path:
    """Return a file of a data set, fetching it when the cache lacks it.

    Without a digest any bytes will do. Raises DataError when it cannot be had or is another one.
    """
    return fetch(Repository("dataset", name, commit), path, digest, tell)


def fetch(repository: Repository, path: str, digest: str | None, tell: Tell) -> Path:
    """Return a file of a repository whose revision is a commit.

    A cached file is hashed each time, which is a second or two per gigabyte: neither its size nor
    its time tells that its bytes are still the right ones.
    """
    from huggingface_hub import constants

    commit = repository.revision or ""
    there = cached(repository.name, commit, path, repository.kind)
    found = _digest(there, digest) if there else None
    if there and found == digest:
        return there
    if constants.HF_HUB_OFFLINE:
        what = "what the cache holds is not what was locked" if there else "it is not in the cache"
        raise repository.error(
            f"HF_HUB_OFFLINE is set, and {path} at {commit[:12]} must be fetched: {what} "
            "(HF_HOME). Unset HF_HUB_OFFLINE and run once"
        )
    tell(f"{repository.name} {path}")
    for again in (False, True):
        file = asked(repository, lambda: _download(repository, path, force=bool(there) or again))  # noqa: B023
        found = _digest(file, digest) if file else "a part of it"
        if file and found == digest:
            return file
        there = file or there
    if there:
        _forget(there)
    raise repository.error(
        f"{path} at {commit[:12]}: expected {_short(digest)}, found {_short(found)}, twice. "
        "A proxy or mirror changes it (HF_ENDPOINT?), or the lock is of other files: "
        "`smalltune lock STUDY`"
    )


def _download(repository: Repository, path: str, *, force: bool) -> Path | None:
    """Return the file as the hub's client fetched it, None when the client found it too short."""
    from huggingface_hub import hf_hub_download

    try:
        with _without_bars():
            found = hf_hub_download(
                repository.name,
                path,
                repo_type=repository.kind,
                revision=repository.revision,
                force_download=force,
            )
    except OSError as error:
        if str(error).startswith("Consistency check failed"):
            return None
        raise
    return Path(found)


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keep the client's progress bars out of our own lines; afterwards they are as they were."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    shown = not are_progress_bars_disabled()
    if shown:
        disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            enable_progress_bars()


def _digest(path: Path, like: str | None) -> str | None:
    """Return the digest of a file, of the kind that `like` is."""
    if like is None:
        return None
    if len(like) == 64:
        return file_digest(path)
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _short(digest: str | None) -> str:
    return digest if digest and " " in digest else f"{(digest or 'none')[:12]}..."


def _forget(path: Path) -> None:
    """Take a wrong file out of the cache, so that nobody else takes it for the right one.

    The cache names a blob by its digest, and snapshots link to it. With bytes that are wrong for
    its name it is wrong for all of them, and goes; else it stays for the others.
    """
    blob = path.resolve()
    with suppress(OSError):  # a cache that cannot be written is somebody else's to mend
        path.unlink(missing_ok=True)
        if _digest(blob, blob.name) != blob.name:
            blob.unlink(missing_ok=True)
