"""Hub: what a model's name means today. Only `smalltune lock` asks, and only through here."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smalltune.core.errors import ModelError
from smalltune.core.keys import key_of
from smalltune.planning.checkpoints import TOKENISER_FILES, excerpt

__all__ = ["Pinned", "pin"]


@dataclass(frozen=True)
class Pinned:
    """A hub model at one commit. `tokeniser` is the digest of the tokeniser files' hashes there."""

    commit: str
    tokeniser: str
    parameters: int | None
    config: dict[str, Any]


def pin(name: str, revision: str | None) -> Pinned:
    """Return the commit that a model's name and revision mean now.

    Raises ModelError when the hub does not answer or does not give the model, or when the model
    has no safetensors.
    """
    from huggingface_hub import HfApi, errors, hf_hub_download

    transport = getattr(errors, "HTTPError", OSError)  # of the HTTP library that the client uses
    try:
        info = HfApi().model_info(name, revision=revision, files_metadata=True)
        config = Path(hf_hub_download(name, "config.json", revision=info.sha)).read_text()
    except (transport, OSError, ValueError) as error:
        raise ModelError(_reason(name, revision, error)) from None
    files = {file.rfilename: _hash(file) for file in info.siblings or []}
    if not any(file.endswith(".safetensors") for file in files):
        raise ModelError(f"{name}: no safetensors on the hub, and pickles are not loaded")
    commit = str(info.sha)
    parts = {file: digest for file, digest in files.items() if file in TOKENISER_FILES}
    known = bool(parts) and all(parts.values())
    return Pinned(
        commit=commit,
        tokeniser=key_of(parts) if known else commit,
        parameters=info.safetensors.total if info.safetensors else None,
        config=excerpt(json.loads(config)),
    )


def _hash(file: Any) -> str | None:
    """Return the hub's own hash of a file (Git's for small files, SHA-256 for large ones)."""
    large = getattr(file, "lfs", None)
    return str(large.sha256) if large else getattr(file, "blob_id", None)


def _reason(name: str, revision: str | None, error: Exception) -> str:
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    said = str(error).strip().splitlines()
    for kind, text in (
        (OfflineModeIsEnabled, "HF_HUB_OFFLINE is set, and to lock a hub model is to ask the hub"),
        (GatedRepoError, "a gated model: accept its licence on its hub page, then set HF_TOKEN"),
        (RepositoryNotFoundError, "the hub has no such model, or it is private: then set HF_TOKEN"),
        (RevisionNotFoundError, f"the hub has no revision {revision!r} of it"),
        (EntryNotFoundError, "it has no config.json on the hub"),
    ):
        if isinstance(error, kind):
            return f"{name}: {text}"
    where = os.environ.get("HF_ENDPOINT", "the hub")
    return f"{name}: {where} does not answer ({said[0] if said else type(error).__name__})"
