"""Shallow: a model of fewer layers but else the same shape."""

import json
from pathlib import Path
from typing import Any

__all__ = ["depth_of", "first_depth", "write_shallow"]

LAYERS = ("num_hidden_layers", "n_layer", "num_layers")


def depth_of(model: Any) -> int:
    """Return how many layers a model has."""
    return int(model.config.get_text_config().num_hidden_layers)


def first_depth(model: Any) -> int:
    """Return the fewest layers among which each kind is: a mixture may begin with dense ones."""
    return 1 + int(getattr(model.config.get_text_config(), "first_k_dense_replace", 0) or 0)


def write_shallow(folder: Path, depth: int, into: Path) -> None:
    """Write a configuration of `depth` layers, and links to the tokeniser, but no weights."""
    raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    part = raw["text_config"] if isinstance(raw.get("text_config"), dict) else raw
    name = next((each for each in LAYERS if each in part), LAYERS[0])
    whole = part.get(name)
    for key, value in part.items():
        if isinstance(value, list) and len(value) == whole and key.startswith("layer"):
            part[key] = value[:depth]
    part[name] = depth
    into.mkdir(parents=True)
    (into / "config.json").write_text(json.dumps(raw))
    for path in folder.iterdir():
        if path.is_file() and path.name != "config.json" and path.suffix != ".safetensors":
            (into / path.name).symlink_to(path.resolve())
