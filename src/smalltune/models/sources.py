"""Sources: a reference such as `embedded:micro-llama` to a folder on this machine.

embedded:NAME     package data
hub:ID@COMMIT     a pinned revision of the Hugging Face hub, cached by its own client
path:/FOLDER      a folder with config.json, safetensors and a tokeniser
config:/FOLDER    the same without weights: random weights drawn from the trial's seed
"""

import os
from importlib.resources import files
from pathlib import Path

from smalltune.core.errors import DataError, ModelError

__all__ = ["HUB_FILES", "embedded_folder", "locate", "locate_file"]

HUB_FILES = ("*.json", "*.safetensors", "tokenizer.model", "*.txt", "*.jinja")


def embedded_folder() -> Path:
    """Return the folder of the package's own models and data."""
    return Path(str(files("smalltune"))) / "embedded"


def locate(ref: str) -> Path:
    """Return the folder of a model reference; a hub reference is downloaded when not cached.

    Raises ModelError when there is nothing there.
    """
    scheme, _, rest = ref.partition(":")
    if scheme == "hub":
        return _download(*rest.split("@"))
    folder = embedded_folder() / "models" / rest if scheme == "embedded" else Path(rest)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: no config.json: a model's folder holds one")
    return folder


def locate_file(ref: str) -> Path:
    """Return the path of a data file; `embedded:reviews/train.jsonl` is package data."""
    if ref.startswith("embedded:"):
        path = embedded_folder() / ref.removeprefix("embedded:")
    else:
        path = Path(ref)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    return path


def _download(name: str, commit: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=commit, allow_patterns=list(HUB_FILES)))
    except GatedRepoError:
        raise ModelError(
            f"{name}: a gated model: accept its licence on its hub page, then set HF_TOKEN"
        ) from None
    except LocalEntryNotFoundError:
        offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") else ""
        raise ModelError(
            f"{name}@{commit[:12]}: not in the cache and the hub does not answer{offline}"
        ) from None
    except HfHubHTTPError as error:
        raise ModelError(f"{name}@{commit[:12]}: {str(error).splitlines()[0]}") from None
