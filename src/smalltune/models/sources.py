"""Sources: a reference such as `embedded:micro-llama` to a folder on this machine.

embedded:NAME     package data
hub:ID@COMMIT     a pinned revision of the Hugging Face hub, in the cache of its own client; a file
                  of a data set there is hub:ID@COMMIT/path/in/it.parquet
path:/FOLDER      a folder with config.json, safetensors and a tokeniser
config:/FOLDER    the same without weights: random weights drawn from the trial's seed
"""

import re
from importlib.resources import files
from pathlib import Path

from smalltune.core.errors import DataError, ModelError
from smalltune.hub import cached

__all__ = ["called", "embedded_folder", "hub_file", "locate", "locate_file"]


def called(place: Path | str) -> str:
    """Return the name of the model in a folder: the hub's name in its cache, else the folder."""
    found = re.search(r"models--(.+?)--(.+?)/snapshots", str(place))
    return f"{found[1]}/{found[2]}" if found else str(place)


def embedded_folder() -> Path:
    """Return the folder of the package's own models and data."""
    return Path(str(files("smalltune"))) / "embedded"


def locate(ref: str) -> Path:
    """Return the folder of a model reference; one on the hub must be in the cache already.

    Raises ModelError when there is nothing there.
    """
    scheme, _, rest = ref.partition(":")
    if scheme == "hub":
        name, _, commit = rest.partition("@")
        config = cached(name, commit, "config.json")
        if config is None:
            raise ModelError(_not_cached(name, commit))
        return config.parent
    folder = embedded_folder() / "models" / rest if scheme == "embedded" else Path(rest)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: no config.json: a model's folder holds one")
    return folder


def locate_file(ref: str) -> Path:
    """Return the path of a data file; one on the hub must be in the cache already.

    `embedded:reviews/train.jsonl` is package data. Raises DataError when there is no such file.
    """
    if ref.startswith("hub:"):
        name, commit, path = hub_file(ref)
        found = cached(name, commit, path, "dataset")
        if found is None:
            raise DataError(_not_cached(f"{name} {path}", commit))
        return found
    if ref.startswith("embedded:"):
        place = embedded_folder() / ref.removeprefix("embedded:")
    else:
        place = Path(ref)
    if not place.is_file():
        raise DataError(f"{place}: no such file")
    return place


def hub_file(ref: str) -> tuple[str, str, str]:
    """Return data set, commit and path of `hub:OWNER/NAME@COMMIT/path/in/it.parquet`."""
    name, _, rest = ref.removeprefix("hub:").partition("@")
    commit, _, path = rest.partition("/")
    return name, commit, path


def _not_cached(what: str, commit: str) -> str:
    return (
        f"{what} at {commit[:12]} is not in the hub's cache (HF_HOME): `smalltune run` fetches it "
        "before its jobs start; does the worker see the same cache?"
    )
