"""Whole models: every tensor of a model as one safetensors file, and the folder around it."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

__all__ = ["CONFIGURATION", "TOKENISER", "copy_beside", "save_whole", "tensors_of", "write_model"]

TOKENISER = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.jinja",
)
CONFIGURATION = ("config.json", "generation_config.json")


def tensors_of(model: Any) -> dict[str, Any]:
    """Return the parameters and the stored buffers (a router's bias, say), each once."""
    state = model.state_dict().keys()
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in state}
    return {**dict(model.named_parameters()), **buffers}


def save_whole(model: Any, folder: Path) -> None:
    """Write model.safetensors with each tensor once (a tied head is its embedding)."""
    from safetensors.torch import save_file

    tensors = {n: t.detach().cpu().contiguous() for n, t in tensors_of(model).items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def write_model(model: Any, base: Path, folder: Path) -> None:
    """Write a folder that Transformers loads: the model's tensors beside the base's other files."""
    folder.mkdir(parents=True, exist_ok=True)
    copy_beside(base, folder, (*TOKENISER, *CONFIGURATION))
    save_whole(model, folder)


def copy_beside(base: Path, folder: Path, patterns: Iterable[str]) -> None:
    """Copy the files of a base that match the patterns."""
    for pattern in patterns:
        for path in base.glob(pattern):
            shutil.copyfile(path, folder / path.name)
