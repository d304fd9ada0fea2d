"""Fused pieces of a layer: the same numbers as Transformers' modules with fewer passes over memory.

Autograd keeps every intermediate of a formula and walks over each again. The formulas here are
short enough to be differentiated by hand. They are for float32; other formats take the modules.
"""

from functools import cache
from typing import Any

from smalltune.engine.held import computed_in, is_linear, product, through

__all__ = ["embedded", "hooked", "linear", "norm", "own", "rotated"]

FAMILIES = ("Llama", "Qwen2", "Qwen3")
"""Those whose layers are written out in `engine.lean`."""


def embedded(module: Any, ids: Any, head: Any) -> Any:
    """Return the embeddings [.., d] of tokens [..].

    Where the head shares the table, its gradient covers every row already: the rows of the batch
    are then added to it as a sparse one, without a second table of zeros.
    """
    import torch

    plain = type(module) is torch.nn.Embedding and "forward" not in vars(module)
    tied = head is not None and getattr(head, "weight", None) is module.weight
    if not (plain and tied) or hooked(module) or module.max_norm or module.scale_grad_by_freq:
        return module(ids)
    return torch.nn.functional.embedding(ids, module.weight, module.padding_idx, sparse=True)


def norm(module: Any, states: Any) -> Any:
    """Return the states over their root mean square, times a weight, as `module` does it.

    Zhang and Sennrich (2019), "Root mean square layer normalization". A module that is not
    Transformers' own for one of the families, or that is watched by a hook, is called.
    """
    import torch

    if not own(module, "RMSNorm") or states.dtype != torch.float32:
        return module(states)
    if states.is_cuda:
        shape = tuple(module.weight.shape)
        return torch.nn.functional.rms_norm(states, shape, module.weight, module.variance_epsilon)
    return _norm().apply(states, module.weight, module.variance_epsilon)


def rotated(states: Any, cos: Any, sin: Any) -> Any:
    """Return states [.., T, heads, d] turned by the angles of tables [.., T, 1, d].

    Su et al. (2024), "RoFormer: enhanced Transformer with rotary position embedding", with the
    two halves of a head as the pairs, as Transformers has it.
    """
    return _rotate().apply(states, cos, sin)


def linear(module: Any, states: Any) -> Any:
    """Return what a linear layer makes of states [.., d], with or without one LoRA of PEFT's.

    The update of Hu et al. (2022) is added to the product in place. Anything but a plain adapter
    in float32 over a frozen matrix is called as it is.
    """
    adapter = _adapter(module, states)
    if adapter is None:
        return module(states)
    base, down, up, dropout, scale = adapter
    dropped = dropout(states)
    apart = None if dropped is states else dropped
    return _lora().apply(states, apart, base.weight, base.bias, down, up, scale)


def own(module: Any, part: str, families: tuple[str, ...] = FAMILIES) -> bool:
    """Return whether a module is this part of a model of the families as Transformers has it.

    A subclass is not, nor is one with a forward of its own or with something called around it.
    """
    kind = type(module)
    family = kind.__name__.removesuffix(part)
    if family not in families or kind.__name__ != family + part:
        return False
    home = f"transformers.models.{family.lower()}."
    there = kind.__module__.startswith(home)
    return there and "forward" not in vars(module) and not hooked(module)


def hooked(module: Any) -> bool:
    """Return whether something wants to be called before or after a module."""
    return bool(
        module._forward_pre_hooks
        or module._forward_hooks
        or module._backward_pre_hooks
        or module._backward_hooks
    )


def _adapter(module: Any, states: Any) -> tuple[Any, Any, Any, Any, float] | None:
    """Return base layer, A, B, dropout and scale of a module that is one plain LoRA layer."""
    import torch

    if type(module).__module__ != "peft.tuners.lora.layer" or type(module).__name__ != "Linear":
        return None
    active = list(module.active_adapters)
    if len(active) != 1 or active[0] not in module.lora_A or active[0] in module.lora_variant:
        return None
    (name,) = active
    base, down, up = module.get_base_layer(), module.lora_A[name], module.lora_B[name]
    if module.disable_adapters or module.merged or "forward" in vars(module):
        return None
    pieces = (base, down, up)
    if not all(is_linear(p) and not hooked(p) for p in pieces) or hooked(module):
        return None
    if base.weight.requires_grad or down.bias is not None or up.bias is not None:
        return None
    if base.bias is not None and base.bias.requires_grad:
        return None
    formats = {computed_in(base), down.weight.dtype, up.weight.dtype, states.dtype}
    if formats != {torch.float32} or torch.is_autocast_enabled(states.device.type):
        return None
    return base, down.weight, up.weight, module.lora_dropout[name], module.scaling[name]


@cache
def _norm() -> Any:
    """Return the autograd function; torch is imported when it is needed, here and below."""
    import torch

    class Norm(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, weight: Any, epsilon: float) -> Any:
            size = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
            scale = size.square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
            ctx.save_for_backward(x, weight, scale)
            return torch.mul(x, scale).mul_(weight)

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            x, weight, scale = ctx.saved_tensors
            unit, towards, of_weight = x * scale, None, None
            if ctx.needs_input_grad[1]:
                of_weight = (gradient * unit).flatten(0, -2).sum(0)
            if ctx.needs_input_grad[0]:
                towards = gradient * weight
                along = torch.linalg.vecdot(towards, unit).div_(x.shape[-1]).unsqueeze(-1)
                towards.addcmul_(unit, along, value=-1).mul_(scale)
            return towards, of_weight, None

    return Norm


@cache
def _rotate() -> Any:
    import torch

    class Rotate(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, cos: Any, sin: Any) -> Any:
            ctx.save_for_backward(cos, sin)
            return turn(x, cos, sin, -1)

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            cos, sin = ctx.saved_tensors
            return turn(gradient, cos, sin, 1), None, None

    def turn(x: Any, cos: Any, sin: Any, way: int) -> Any:
        half = x.shape[-1] // 2
        turned = x * cos
        turned[..., :half].addcmul_(x[..., half:], sin[..., :half], value=way)
        turned[..., half:].addcmul_(x[..., :half], sin[..., half:], value=-way)
        return turned

    return Rotate


@cache
def _lora() -> Any:
    import torch

    class LoRA(torch.autograd.Function):
        @staticmethod
        def forward(
            ctx: Any, x: Any, dropped: Any, weight: Any, bias: Any, down: Any, up: Any, scale: float
        ) -> Any:
            met = (x if dropped is None else dropped).flatten(0, -2)
            inner = met @ down.T
            found = product(x, weight, bias)
            found.flatten(0, -2).addmm_(inner, up.T, alpha=scale)
            ctx.save_for_backward(met, weight, down, up, inner)
            ctx.scale, ctx.apart, ctx.shape = scale, dropped is not None, x.shape
            return found

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            met, weight, down, up, inner = ctx.saved_tensors
            flat = gradient.flatten(0, -2)
            within = (flat @ up).mul_(ctx.scale)
            of_up = (flat.T @ inner).mul_(ctx.scale)
            of_down = within.T @ met
            towards = of_dropped = None
            if ctx.needs_input_grad[0]:
                towards = through(gradient, weight)
                if not ctx.apart:
                    towards.flatten(0, -2).addmm_(within, down)
            if ctx.apart and ctx.needs_input_grad[1]:
                of_dropped = (within @ down).view(ctx.shape)
            return towards, of_dropped, None, None, of_down, of_up, None

    return LoRA
