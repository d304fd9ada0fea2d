"""Data sets on the hub: a name, a configuration and splits become files of a commit.

Which files a split has is the data set's own affair (`configs:` in its card, or the names of its
files); the `datasets` library knows the rules and is asked. Nothing of the repository is executed:
data sets that are a script are refused.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smalltune.core.errors import DataError
from smalltune.core.keys import file_digest
from smalltune.core.plugins import nearest
from smalltune.hub.asking import Repository, asked
from smalltune.hub.fetching import fetch

__all__ = ["PinnedData", "PinnedFile", "pin_data"]


@dataclass(frozen=True)
class PinnedFile:
    """A file of a data set: its path in the repository, SHA-256 and size in bytes."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class PinnedData:
    """A data set at one commit: the files of each split that is used, in their order."""

    name: str
    config: str
    commit: str
    splits: Mapping[str, tuple[PinnedFile, ...]]


def pin_data(
    name: str,
    config: str | None = None,
    revision: str | None = None,
    wanted: Callable[[list[str]], Iterable[str]] = list,
) -> PinnedData:
    """Return what a data set's name means now.

    `wanted` is given the names of the splits and returns those to pin; a small file is fetched to
    be hashed, a large one has its hash on the hub. Raises DataError when the hub does not answer
    or has no such data set, revision, configuration or split (with the nearest right one).
    """
    from huggingface_hub import HfApi

    asking = Repository("dataset", name, revision)
    info: Any = asked(
        asking, lambda: HfApi().dataset_info(name, revision=revision, files_metadata=True)
    )
    pinned = Repository("dataset", name, str(info.sha))
    there = {file.rfilename: file for file in info.siblings or []}
    chosen, splits = _resolved(pinned, config)
    found = {}
    for split in wanted(list(splits)):
        if split not in splits:
            raise pinned.error(f"it has no split {split!r}. {nearest(split, list(splits))}")
        found[split] = tuple(_file(pinned, path, there) for path in splits[split])
    return PinnedData(name, chosen, str(info.sha), found)


def _file(pinned: Repository, path: str, there: Mapping[str, Any]) -> PinnedFile:
    listed = there.get(path)
    if listed is None:
        raise pinned.error(f"{path} is listed among its files and is not there")
    if listed.lfs:
        return PinnedFile(path, str(listed.lfs.sha256), int(listed.lfs.size))
    found = fetch(pinned, path, listed.blob_id, lambda what: None)
    return PinnedFile(path, file_digest(found), found.stat().st_size)


def _resolved(pinned: Repository, config: str | None) -> tuple[str, dict[str, list[str]]]:
    """Return the configuration's name and the paths of each split, as `datasets` sees them."""
    import datasets

    if Path(pinned.name).is_dir():  # the library would take that for the data set
        raise pinned.error(f"the folder {pinned.name} here hides it: run from another folder")
    with tempfile.TemporaryDirectory() as folder:  # what it prepares there is not ours to keep

        def build() -> Any:
            return datasets.load_dataset_builder(
                pinned.name, config, revision=pinned.revision, cache_dir=folder
            )

        try:
            builder = asked(pinned, build)
        except (ValueError, RuntimeError, datasets.exceptions.DatasetsError, OSError) as error:
            raise _unusable(pinned, config, error) from error
    start, splits = f"hf://datasets/{pinned.name}@{pinned.revision}/", {}
    for split, files in (builder.config.data_files or {}).items():
        outside = [file for file in map(str, files) if not file.startswith(start)]
        if outside:
            raise pinned.error(f"its split {split!r} lies elsewhere, which no lock can pin")
        splits[str(split)] = [str(file).removeprefix(start) for file in files]
    if not splits:
        raise pinned.error("no data files of a known format are found in it")
    return str(builder.config.name), splits


def _unusable(pinned: Repository, config: str | None, error: Exception) -> DataError:
    """Return what `datasets` does not like, in a line."""
    import datasets

    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if "scripts are no longer supported" in said:
        text = "it is a Python script, and code from the hub is not run: is there a Parquet copy?"
        return DataError(f"{pinned.name}: {text}")
    if isinstance(error, ValueError) and not isinstance(error, datasets.exceptions.DatasetsError):
        names = _configurations(pinned)
        if names and config is None:
            listed = ", ".join(sorted(names))
            return DataError(f"{pinned.name}: say which of it with `config:`. There are: {listed}.")
        if names:
            near = nearest(config or "", names)
            return DataError(f"{pinned.name}: it has no configuration {config!r}. {near}")
    return DataError(f"{pinned.name}: {said}")


def _configurations(pinned: Repository) -> list[str]:
    import datasets

    with tempfile.TemporaryDirectory() as folder:

        def ask() -> list[str]:
            more: dict[str, Any] = {"cache_dir": folder}
            return list(
                datasets.get_dataset_config_names(pinned.name, revision=pinned.revision, **more)
            )

        return asked(pinned, ask)
