"""Held: a frozen base whose matrices lie in bfloat16, half the memory, and compute in float32.

A matrix is widened, a block of rows at a time, where a product needs it, and forgotten again; the
backward widens it anew. So the numbers are those of a float32 model with the same rounded weights,
and for a checkpoint that was stored in bfloat16 those of the checkpoint. Under autocast nothing is
widened: the products are in bfloat16 there. What a method adds is its own, in float32.
"""

from functools import cache
from typing import Any

from smalltune.core.errors import EngineError

__all__ = ["blocks", "computed_in", "hold", "is_linear", "product", "shape_of", "through"]

BLOCK = 1 << 22
"""Numbers of a matrix that are in float32 at a time: 16 MiB."""


def hold(model: Any) -> None:
    """Round every parameter to bfloat16 and keep the matrices so; the others become float32 again.

    Held are embeddings and linear layers, which are told to widen what they hold. Raises
    EngineError for a model most of which is neither, such as the fused experts of a mixture.
    """
    import torch

    matrices = _matrices(model)
    if 2 * sum(p.numel() for p in matrices) < sum(p.numel() for p in model.parameters()):
        raise EngineError(
            f"most weights of a {type(model).__name__} are in layers of its own kind, which cannot "
            "be held in bfloat16: set `base_dtype: float32`"
        )
    held = {id(parameter) for parameter in matrices}
    for parameter in model.parameters():
        rounded = parameter.data.to(torch.bfloat16)
        parameter.data = rounded if id(parameter) in held else rounded.float()
    for buffer in model.buffers():
        if buffer.is_floating_point():
            buffer.data = buffer.data.float()
    for module in model.modules():
        if type(module) in _kinds() and id(module.weight) in held:
            module.__class__ = _kinds()[type(module)]


def computed_in(module: Any) -> Any:
    """Return the number format in which a layer answers without autocast."""
    return getattr(module, "compute_dtype", module.weight.dtype)


def shape_of(parameter: Any) -> tuple[int, ...]:
    """Return the shape of what a parameter holds: a byte has two numbers (`engine.quantised`)."""
    import torch

    *others, last = parameter.shape
    return (*others, 2 * last if parameter.dtype == torch.uint8 else last)


def is_linear(module: Any) -> bool:
    """Return whether a module is a linear layer of PyTorch's and no more, held or not."""
    import torch

    return type(module) in (torch.nn.Linear, _kinds()[torch.nn.Linear])


def product(states: Any, weight: Any, bias: Any = None) -> Any:
    """Return states [.., d] times a matrix [out, d], in the states' number format."""
    import torch

    linear = torch.nn.functional.linear
    if weight.dtype == states.dtype:
        return linear(states, weight, bias)
    found = states.new_empty(*states.shape[:-1], weight.shape[0])
    for rows in blocks(weight):
        part = linear(states, weight[rows].to(states.dtype), None if bias is None else bias[rows])
        found[..., rows] = part
    return found


def through(gradient: Any, weight: Any) -> Any:
    """Return a gradient [.., out] led back through a matrix [out, d], in the gradient's format."""
    if weight.dtype == gradient.dtype:
        return gradient @ weight
    flat = gradient.flatten(0, -2)
    found = gradient.new_zeros(len(flat), weight.shape[1])
    for rows in blocks(weight):
        found.addmm_(flat[:, rows], weight[rows].to(gradient.dtype))
    return found.unflatten(0, gradient.shape[:-1])


def blocks(weight: Any) -> list[slice]:
    """Return the rows of a matrix in blocks that are widened at a time."""
    step = max(1, BLOCK // weight.shape[1])
    return [slice(start, start + step) for start in range(0, weight.shape[0], step)]


@cache
def _kinds() -> dict[type, type]:
    """Return the layers that can be held, and what each becomes.

    `compute_dtype` tells PEFT, too, in which format to make what it adds.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    class HeldLinear(torch.nn.Linear):
        compute_dtype = torch.float32

        def forward(self, states: Any) -> Any:
            return _product(states, self.weight, self.bias)

    class HeldConv1D(Conv1D):
        compute_dtype = torch.float32

        def forward(self, states: Any) -> Any:
            return _product(states, self.weight.T, self.bias)

    class HeldEmbedding(torch.nn.Embedding):
        compute_dtype = torch.float32

        def forward(self, ids: Any) -> Any:
            return super().forward(ids).float()

    return {torch.nn.Linear: HeldLinear, Conv1D: HeldConv1D, torch.nn.Embedding: HeldEmbedding}


def _matrices(model: Any) -> list[Any]:
    """Return the matrices that are read by nothing but layers that can be held."""
    kinds = _kinds()
    others = [m for m in model.modules() if type(m) not in kinds]
    apart = {id(p) for module in others for p in module.parameters(recurse=False)}
    return [p for p in model.parameters() if p.dim() == 2 and id(p) not in apart]


def _product(states: Any, weight: Any, bias: Any) -> Any:
    import torch

    if torch.is_autocast_enabled(states.device.type):
        return torch.nn.functional.linear(states, weight, bias)
    return _function().apply(states, weight, bias)


@cache
def _function() -> Any:
    import torch

    class Product(torch.autograd.Function):
        """A product with a frozen matrix that keeps nothing but the matrix for its backward."""

        @staticmethod
        def forward(ctx: Any, states: Any, weight: Any, bias: Any) -> Any:
            ctx.save_for_backward(weight)
            return product(states, weight, bias)

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            of_bias = gradient.flatten(0, -2).sum(0) if ctx.needs_input_grad[2] else None
            (weight,) = ctx.saved_tensors
            towards = through(gradient, weight) if ctx.needs_input_grad[0] else None
            return towards, None, of_bias

    return Product
