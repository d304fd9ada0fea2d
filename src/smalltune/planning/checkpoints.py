"""Checkpoints: what a model's folder holds, read without PyTorch: digests, sizes, its shape.

Only configurations, tokeniser files and safetensors are looked at. A safetensors file begins with
its header's length and a JSON header (name, dtype, shape, offsets), so a truncated file shows.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smalltune.core.errors import ModelError
from smalltune.core.keys import file_digest, key_of

__all__ = [
    "TOKENISER_FILES",
    "Checkpoint",
    "excerpt",
    "facts",
    "has_chat_template",
    "read_checkpoint",
    "read_config",
]

TOKENISER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "vocab.txt", "tokenizer.model", "spiece.model",
    "chat_template.jinja", "chat_template.json",
)  # fmt: skip

_KEPT = (
    "architectures", "model_type", "vocab_size", "hidden_size", "n_embd", "intermediate_size",
    "num_hidden_layers", "n_layer", "num_attention_heads", "n_head", "num_key_value_heads",
    "head_dim", "max_position_embeddings", "n_positions", "tie_word_embeddings",
)  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """A folder's digest, its tokeniser's alone, and what it is."""

    digest: str
    tokeniser: str
    parameters: int | None
    dtype: str
    config: Mapping[str, Any]


def read_checkpoint(folder: Path, *, weights: bool = True) -> Checkpoint:
    """Return what a model's folder holds; without `weights`, a configuration and a tokeniser.

    Raises ModelError when something is missing, is a pickle, or is truncated.
    """
    config = _config(folder)
    tokeniser = [folder / name for name in TOKENISER_FILES if (folder / name).is_file()]
    if not tokeniser:
        raise ModelError(f"{folder}: no tokenizer.json: a model's folder holds its tokeniser")
    tensors = _tensors(folder) if weights else []
    sizes = [math.prod(tensor["shape"]) for tensor in tensors]
    kinds = Counter(tensor["dtype"] for tensor in tensors)
    files = [folder / "config.json", *tokeniser]
    if weights:
        files += sorted(folder.glob("*.safetensors"))
    return Checkpoint(
        digest=key_of({path.name: file_digest(path) for path in files}),
        tokeniser=key_of({path.name: file_digest(path) for path in tokeniser}),
        parameters=sum(sizes) if weights else None,
        dtype=kinds.most_common(1)[0][0] if kinds else "",
        config=excerpt(config),
    )


def read_config(folder: Path) -> dict[str, Any]:
    """Return what a reader wants to know of the configuration in a model's folder."""
    return excerpt(_config(folder))


def has_chat_template(folder: Path) -> bool:
    """Tell whether a model's folder has a chat template in any place where tokenisers keep one."""
    if any(folder.glob("chat_template.*")) or (folder / "additional_chat_templates").is_dir():
        return True
    try:
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and bool(config.get("chat_template"))


def excerpt(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a reader wants to know of a configuration."""
    return {name: config[name] for name in _KEPT if config.get(name) is not None}


def facts(config: Mapping[str, Any], parameters: int | None, dtype: str) -> dict[str, Any]:
    """Return a model's size and shape under the paper's names; what is unknown is left out."""
    vocabulary = config.get("vocab_size")
    hidden = config.get("hidden_size", config.get("n_embd"))
    embedding = None
    if vocabulary and hidden:
        embedding = vocabulary * hidden * (1 if config.get("tie_word_embeddings") else 2)
    found = {
        "parameters": parameters,
        "embedding_parameters": embedding,
        "vocabulary": vocabulary,
        "hidden": hidden,
        "layers": config.get("num_hidden_layers", config.get("n_layer")),
        "heads": config.get("num_attention_heads", config.get("n_head")),
        "context": config.get("max_position_embeddings", config.get("n_positions")),
        "dtype": {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}.get(dtype, dtype) or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{folder}: no config.json: a model's folder holds one") from None
    except ValueError:
        raise ModelError(f"{path}: not JSON: is the file whole?") from None
    if not isinstance(config, dict):
        raise ModelError(f"{path}: not a model's configuration")
    return config


def _tensors(folder: Path) -> list[dict[str, Any]]:
    """Return the headers' entries of the safetensors files that a model is loaded from."""
    paths = _weights(folder)
    pickles = [p for pattern in ("*.bin", "*.pt", "*.pth") for p in sorted(folder.glob(pattern))]
    if not paths and pickles:
        raise ModelError(
            f"{folder}: only {pickles[0].name}, a pickle, which can run code when it is read. "
            "Save the model as safetensors: `model.save_pretrained(folder)`"
        )
    if not paths:
        raise ModelError(f"{folder}: no *.safetensors: for a model without weights say `config:`")
    return [tensor for path in paths for tensor in _header(path)]


def _weights(folder: Path) -> list[Path]:
    """Return the files that Transformers reads; others may hold the same weights once more."""
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return [single]
    if not index.is_file():
        return sorted(folder.glob("*.safetensors"))
    try:
        named = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        paths = [folder / name for name in named]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"{index}: not an index of safetensors files: is it whole?") from None
    for path in paths:
        if not path.is_file():
            raise ModelError(f"{path}: no such file, and {index.name} names it. Get it again")
    return paths


def _header(path: Path) -> list[dict[str, Any]]:
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= size - 8:
                raise ValueError
            header = json.loads(file.read(length))
        entries = [entry for name, entry in header.items() if name != "__metadata__"]
        end = 8 + length + max((entry["data_offsets"][1] for entry in entries), default=0)
        entries = [{"dtype": str(e["dtype"]), "shape": list(map(int, e["shape"]))} for e in entries]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise ModelError(
            f"{path}: not a readable safetensors file: it is damaged or truncated. Get it again"
        ) from None
    if size != end:
        raise ModelError(
            f"{path}: {size:,} bytes where its header promises {end:,}: it is truncated. "
            "Get it again"
        )
    return entries
