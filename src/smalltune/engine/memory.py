"""Memory: how many tokens fit into one micro-batch, and what it looks like when they do not.

The budget is placement: it decides how a batch is cut for the forward and changes its answer by
rounding only. So that even the bits stay, it does not follow the free memory wherever that
suffices: on a CPU, products of a few hundred rows already run at full speed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smalltune.core.groups import GROUPS, OWN, memory_left, memory_limits
from smalltune.engine.held import shape_of

__all__ = [
    "Budget", "activation_bytes", "budget_for", "budget_of", "experts_met", "free_memory",
    "is_out_of_memory", "largest_power", "needed_bytes", "too_large", "whole_memory",
]  # fmt: skip

USUAL_BYTES, USUAL_TOKENS = 256 << 20, 512
"""On a CPU a micro-batch has so many bytes of activations, or so many tokens if that is more.

To the bytes come as many as training holds anyway (`TRAINED_BYTES`): each micro-batch adds to the
gradient of every trained parameter once more, which few tokens do not pay for.
"""

MOST_TOKENS = 1 << 16
SHARE = 0.5
"""Of what is free, the share that activations may take."""

KEPT = 2
"""Numbers that stay until the backward, per input and output of a linear layer: 1.3 were measured
for Llama, Qwen and DeepSeek, 1.8 for GPT-2; the rest is room for what the backward makes."""

TRAINED_BYTES = 12
"""Bytes per trained parameter that come with the first step: gradient and two moments."""

STATE_BYTES = {"adamw": 8, "muon": 4}
"""Bytes of an optimiser's state per trained number, at least: two moments, or one."""

REFUSALS = ("can't allocate memory", "not enough memory", "out of memory")


@dataclass(frozen=True)
class Budget:
    """At most `tokens` in a micro-batch (one segment if it is longer); how activations are kept.

    With `checkpointing` only what enters a layer is kept, and the backward computes each layer a
    second time. `halved` counts how often memory did not suffice.
    """

    tokens: int
    checkpointing: bool = False
    halved: int = 0


def budget_for(model: Any, longest: int, *, free: int | None = None) -> Budget:
    """Return the budget for training a model on segments of at most `longest` tokens.

    `free` bytes are what is left of the device's memory now, before the first step.
    """
    device = next(model.parameters()).device
    return budget_of(
        sum(p.numel() for p in model.parameters() if p.requires_grad),
        activation_bytes(model),
        activation_bytes(model, checkpointing=True),
        longest,
        _free_on(device) if free is None else free,
        on_cpu=device.type == "cpu",
    )


def budget_of(
    trained: int, each: int, scarce: int, longest: int, free: int, *, on_cpu: bool
) -> Budget:
    """Return the budget where `trained` numbers are trained and a token keeps `each` bytes.

    It keeps `scarce` bytes with checkpointing. `longest` and `free` as in `budget_for`.
    """
    room = max(0, SHARE * (free - TRAINED_BYTES * trained))
    usual = max((USUAL_BYTES + TRAINED_BYTES * trained) // each, USUAL_TOKENS)
    usual = usual if on_cpu else MOST_TOKENS
    fitting = int(room // each)
    if fitting < longest and fitting < usual:
        return Budget(largest_power(min(usual, room // scarce)), checkpointing=True)
    return Budget(usual if usual <= fitting else largest_power(fitting))


def activation_bytes(model: Any, *, checkpointing: bool = False) -> int:
    """Return about how many bytes a token keeps from the forward to its backward, in float32.

    A sum over the matrices of their inputs and outputs, for a mixture those of the experts that a
    token meets; adapters of low rank add next to nothing. With `checkpointing`, what
    enters each layer, and one layer whole.
    """
    tables = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    layers = max(1, model.config.get_text_config().num_hidden_layers)
    hidden = model.get_input_embeddings().weight.shape[1]
    numbers = 0
    for parameter in model.parameters():
        shape = shape_of(parameter)
        if len(shape) == 2 and id(parameter) not in tables and 8 * min(shape) >= hidden:
            numbers += sum(shape)
        elif len(shape) == 3:
            numbers += experts_met(model, shape[0]) * sum(shape[1:])
    if checkpointing:
        numbers = numbers // layers + layers * hidden
    return int(4 * KEPT * max(1, numbers))


def experts_met(model: Any, experts: int) -> int:
    """Return how many of a layer's experts a token meets."""
    met = getattr(model.config.get_text_config(), "num_experts_per_tok", None)
    return int(met or experts)


def free_memory(root: Path = GROUPS, own: Path = OWN) -> int:
    """Return the bytes that are free: the machine's, or a container's or a batch job's if fewer."""
    import psutil

    return min([int(psutil.virtual_memory().available), *memory_left(root, own)])


def whole_memory(root: Path = GROUPS, own: Path = OWN) -> int:
    """Return the bytes that this process may ever have: the machine's, or its groups' if fewer."""
    import psutil

    return min([int(psutil.virtual_memory().total), *memory_limits(root, own)])


def needed_bytes(
    parameters: int, trained: int = 0, *, base_dtype: str = "float32", optimiser: str = "adamw"
) -> int:
    """Return the least bytes that a model takes: its weights and what trains `trained` of them.

    A trained number has a gradient and the optimiser's state. Activations come on top.
    """
    each = 2 if base_dtype == "bfloat16" else 4
    return each * parameters + (4 + STATE_BYTES[optimiser]) * trained


def too_large(
    parameters: int,
    trained: int = 0,
    *,
    room: int,
    there: str = "this machine has",
    base_dtype: str = "float32",
    optimiser: str = "adamw",
) -> str | None:
    """Return why a model cannot be had in `room` bytes and what to do, or None where it can.

    What would not be enough is not advised.
    """
    weights = needed_bytes(parameters, base_dtype=base_dtype)
    need = needed_bytes(parameters, trained, base_dtype=base_dtype, optimiser=optimiser)
    if need <= room:
        return None
    more = f", their gradients and the optimiser's state {(need - weights) / 1e9:.1f} GB"
    fewer = bool(trained) and weights <= room
    less = "train fewer parameters (such as by lora), " * fewer
    held = needed_bytes(parameters, base_dtype="bfloat16") <= room and base_dtype == "float32"
    half = "hold the frozen base in half of it (`base_dtype: bfloat16`), " * (not trained and held)
    return (
        f"{parameters:,} parameters take {weights / 1e9:.1f} GB of memory{more * bool(trained)}, "
        f"and {there} {room / 1e9:.1f} GB: {less}{half}"
        "take a smaller model, or a machine with more memory"
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory did not suffice; PyTorch has no one class for it."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(text in said for text in REFUSALS)


def largest_power(tokens: float) -> int:
    """Return the greatest power of two that is not above; 1 at least."""
    return 1 << max(0, int(tokens).bit_length() - 1)


def _free_on(device: Any) -> int:
    import torch

    if device.type != "cuda":
        return free_memory()
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0] + kept)
