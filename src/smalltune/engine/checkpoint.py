"""Checkpoints: everything from which a killed training goes on to the same bits.

One safetensors file holds the trained parameters, the stored buffers, the optimiser's state and the
random state; no pickle. It is written to a draft and renamed, so a kill leaves the older one whole.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from smalltune.core.errors import EngineError

__all__ = ["NAME", "Pace", "read_checkpoint", "stored_buffers", "write_checkpoint"]

NAME = "checkpoint.safetensors"
STATE = "state."
MOST_WRITING = 0.05
"""The share of the time that writing checkpoints may take, however large they are."""


class Pace:
    """When to write: every so many seconds, and less often where writing takes long."""

    def __init__(self, seconds: float):
        """Ask for a checkpoint every `seconds`; with 0 after each step, whatever it takes."""
        self.seconds = self.pause = seconds
        self._last = time.monotonic()

    def due(self) -> bool:
        """Tell whether the next checkpoint should be written now."""
        return time.monotonic() - self._last >= self.pause

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write inside: the time it takes decides how long the next pause is."""
        began = time.monotonic()
        yield
        self._last = time.monotonic()
        cost = (self._last - began) * (1 / MOST_WRITING - 1)
        self.pause = max(self.seconds, cost) if self.seconds else 0.0


def write_checkpoint(
    folder: Path, model: Any, optimiser: Any, progress: dict[str, Any], best: dict[str, Any]
) -> None:
    """Write the state after `progress["step"]` steps; `best` holds the best weights so far."""
    import torch
    from safetensors.torch import save_file

    tensors = {f"parameter:{n}": p.detach() for n, p in _trained(model)}
    for name, parameter in _trained(model):
        for field, value in optimiser.state.get(parameter, {}).items():
            tensors[f"{STATE}{field}:{name}"] = value
    tensors |= {f"buffer:{name}": buffer for name, buffer in stored_buffers(model)}
    tensors |= {f"best:{name}": value for name, value in best.items()}
    tensors["random"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random_cuda"] = torch.cuda.get_rng_state()
    draft = folder / f"{NAME}.draft"
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, draft, metadata={"progress": json.dumps(progress)})
    os.replace(draft, folder / NAME)


def read_checkpoint(
    folder: Path, model: Any, optimiser: Any
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Put a checkpoint's state back; return progress and best weights, or None without one.

    A checkpoint that cannot be read is deleted: training then starts from its beginning.
    """
    import torch
    from safetensors import SafetensorError

    path = folder / NAME
    (folder / f"{NAME}.draft").unlink(missing_ok=True)
    if not path.is_file():
        return None
    try:
        progress, groups = _read(path)
    except (SafetensorError, KeyError, ValueError):
        path.unlink()
        return None
    trained = dict(_trained(model))
    if set(groups["parameter"]) != set(trained):
        raise EngineError(f"{path}: a checkpoint of other parameters; delete it and run again")
    with torch.no_grad():
        for name, parameter in trained.items():
            parameter.copy_(groups["parameter"][name])
            optimiser.state[parameter] = {
                field.removeprefix(STATE): values[name].to(parameter.device)
                for field, values in groups.items()
                if field.startswith(STATE) and name in values
            }
        for name, buffer in stored_buffers(model):
            buffer.copy_(groups["buffer"][name])
    torch.set_rng_state(groups["random"][""])
    if "random_cuda" in groups and torch.cuda.is_available():
        torch.cuda.set_rng_state(groups["random_cuda"][""])
    return progress, groups.get("best", {})


def _read(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return a checkpoint's progress, and its tensors by field and name."""
    from safetensors import safe_open

    groups: dict[str, dict[str, Any]] = {"parameter": {}, "random": {}}
    with safe_open(path, framework="pt") as file:
        progress: dict[str, Any] = json.loads(file.metadata()["progress"])
        for full in file.keys():  # noqa: SIM118
            field, _, name = full.partition(":")
            groups.setdefault(field, {})[name] = file.get_tensor(full)
    if not groups["random"]:
        raise ValueError("no random state")
    return progress, groups


def stored_buffers(model: Any) -> list[tuple[str, Any]]:
    """Return the buffers that are stored with a model, such as the bias of a router."""
    state = model.state_dict().keys()
    return [(name, buffer) for name, buffer in model.named_buffers() if name in state]


def _trained(model: Any) -> list[tuple[str, Any]]:
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]
