"""Models on the hub: a name and a revision become a commit and the files that are used of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from smalltune.core.keys import file_digest
from smalltune.hub.asking import Repository, asked
from smalltune.hub.fetching import fetch

__all__ = ["PinnedModel", "pin_model"]

SMALL = (
    "config.json", "generation_config.json", "model.safetensors.index.json", "tokenizer.json",
    "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "vocab.txt", "spiece.model", "chat_template.json", "*.jinja",
)  # fmt: skip
"""What is used of a model besides its weights; only what lies at the top of the repository."""

SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")


@dataclass(frozen=True)
class PinnedModel:
    """A model at one commit: SHA-256 of each file that is used, size, and where the small ones lie.

    `parameters` and `dtype` are as the hub counts them, None and "" where it does not.
    """

    name: str
    commit: str
    files: Mapping[str, str]
    parameters: int | None
    dtype: str
    folder: Path = field(compare=False)


def pin_model(name: str, revision: str | None = None) -> PinnedModel:
    """Return what a model's name means now; its small files are fetched, its weights are not.

    Raises ModelError when the hub does not answer or does not give the model, or when the model
    has no safetensors.
    """
    from huggingface_hub import HfApi

    asking = Repository("model", name, revision)
    info: Any = asked(
        asking, lambda: HfApi().model_info(name, revision=revision, files_metadata=True)
    )
    there = {file.rfilename: file for file in info.siblings or []}
    pinned = Repository("model", name, str(info.sha))
    if "config.json" not in there:
        raise pinned.error("it has no config.json on the hub: is it a model for Transformers?")
    weights = _weights(there)
    if not weights:
        raise pinned.error("no safetensors on the hub, and pickles are not loaded")
    files, folder = {}, Path()
    for path in sorted(p for p in there if any(fnmatch(p, pattern) for pattern in SMALL)):
        found = fetch(pinned, path, _listed(there[path]), lambda what: None)
        files[path], folder = file_digest(found), found.parent
    for path in weights:
        files[path] = _listed(there[path]) or ""
        if len(files[path]) != 64:  # a small one that lies in Git itself
            files[path] = file_digest(fetch(pinned, path, files[path], lambda what: None))
    counts = dict(info.safetensors.parameters) if info.safetensors else {}
    return PinnedModel(
        name=name,
        commit=str(info.sha),
        files=files,
        parameters=info.safetensors.total if info.safetensors else None,
        dtype=max(counts, key=lambda kind: counts[kind]) if counts else "",
        folder=folder,
    )


def _weights(there: Mapping[str, Any]) -> list[str]:
    """Return the files that Transformers loads; other weights of the repository are left."""
    if "model.safetensors" in there:
        return ["model.safetensors"]
    if "model.safetensors.index.json" in there:
        return sorted(path for path in there if SHARD.fullmatch(path))
    return []


def _listed(file: Any) -> str | None:
    """Return the hub's own digest of a file: SHA-256 of a large one, Git's SHA-1 of a small one."""
    large = getattr(file, "lfs", None)
    return str(large.sha256) if large else getattr(file, "blob_id", None)
