"""Quantised: a frozen base whose linear layers lie in four bits a number and compute in float32.

Dettmers et al. (2023), "QLoRA: efficient finetuning of quantized LLMs": blocks of 64 numbers share
a scale, within a block a number is the nearest of 16 values ("nf4": quantiles of a normal
distribution; "fp4": a float of four bits). With "-double" the scales are themselves held in eight
bits, in blocks of 256. The rounding is bitsandbytes'. A matrix is widened where a product needs it
and forgotten again; the backward widens it anew. Under autocast it is widened to its format. What
a method adds is its own, in float32; embeddings, norms and the head stay as they are.
"""

import importlib.util
from functools import cache
from typing import Any

from smalltune.core.errors import EngineError

__all__ = ["FORMATS", "is_quantised", "plainly_loaded", "quantise", "widen"]

FORMATS = ("nf4", "nf4-double", "fp4", "fp4-double")
BLOCK, SCALES = 64, 256
"""Numbers that share a scale, and scales that share one."""


def quantise(model: Any, form: str) -> None:
    """Round the linear layers of a frozen model, but the head, to one of `FORMATS`.

    Raises EngineError where bitsandbytes is missing, and for a model most of whose weights between
    embedding and head are in layers of another kind, such as the fused experts of a mixture.
    """
    import torch

    if importlib.util.find_spec("bitsandbytes") is None:
        raise EngineError("four bits need bitsandbytes: `pip install 'smalltune[4bit]'`")
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    inside = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module not in ends and not module.in_features % 2
    ]
    tables = {id(end.weight) for end in ends}
    other = sum(p.numel() for p in model.parameters() if id(p) not in tables)
    if 2 * sum(module.weight.numel() for _, module in inside) < other:
        raise EngineError(
            f"most weights of a {type(model).__name__} are in layers of its own kind, which are "
            "not held in four bits"
        )
    for name, module in inside:
        _put(model, name, _kind()(module, form))


def widen(model: Any) -> None:
    """Put plain linear layers in float32 with the rounded numbers in the quantised ones' place."""
    import torch

    for name, module in list(model.named_modules()):
        if not isinstance(module, _kind()):
            continue
        plain = torch.nn.Linear(
            module.in_features, module.out_features, bias=module.bias is not None, device="meta"
        )
        plain.weight = torch.nn.Parameter(module.widened(torch.float32), requires_grad=False)
        plain.bias = module.bias
        _put(model, name, plain.train(module.training))


def is_quantised(model: Any) -> bool:
    """Return whether some layers of a model lie in four bits."""
    return any(isinstance(module, _kind()) for module in model.modules())


def plainly_loaded(form: str) -> dict[str, Any]:
    """Return what Transformers' BitsAndBytesConfig is told to load a base in the same bits."""
    return {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": form.partition("-")[0],
        "bnb_4bit_use_double_quant": form.endswith("-double"),
        "bnb_4bit_compute_dtype": "float32",
    }


def _put(model: Any, name: str, module: Any) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


@cache
def _kind() -> Any:
    """Return the layer's class; torch is imported when it is needed, here and below."""
    import torch

    class FourBit(torch.nn.Linear):
        """A frozen linear layer whose `weight` [out, in / 2] has two numbers in each byte.

        `scales` has one number for each block; with a second rounding it is bytes, `offset` their
        mean and `scales_of_scales` one number for each block of them.
        """

        compute_dtype = torch.float32  # tells PEFT in which format to make what it adds

        def __init__(self, plain: Any, form: str):
            super().__init__(plain.in_features, plain.out_features, bias=False, device="meta")
            from bitsandbytes.functional import quantize_4bit

            self.form, _, twice = form.partition("-")
            packed, state = quantize_4bit(
                plain.weight.detach().float().contiguous(), blocksize=BLOCK, quant_type=self.form,
                compress_statistics=bool(twice),
            )  # fmt: skip
            shaped = packed.view(plain.out_features, -1)
            self.weight = torch.nn.Parameter(shaped, requires_grad=False)
            self.bias = plain.bias
            self.register_buffer("scales", state.absmax)
            if twice:
                self.register_buffer("offset", state.offset)
                self.register_buffer("scales_of_scales", state.state2.absmax)
            self.train(plain.training)

        def widened(self, dtype: Any) -> Any:
            """Return the matrix [out, in] in a number format."""
            from bitsandbytes.functional import QuantState, dequantize_4bit

            offset = nested = None
            device = self.weight.device
            if self.scales.dtype == torch.uint8:
                offset = self.offset
                nested = QuantState(
                    absmax=self.scales_of_scales, code=_scale_code(device), blocksize=SCALES,
                    dtype=torch.float32,
                )  # fmt: skip
            state = QuantState(
                absmax=self.scales, shape=torch.Size((self.out_features, self.in_features)),
                code=_code(self.form, device), blocksize=BLOCK, quant_type=self.form, dtype=dtype,
                offset=offset, state2=nested,
            )  # fmt: skip
            return dequantize_4bit(self.weight.view(-1, 1), state)

        def forward(self, states: Any) -> Any:
            device = states.device.type
            if torch.is_autocast_enabled(device):
                states = states.to(torch.get_autocast_dtype(device))
            return _function().apply(states, self)

    return FourBit


@cache
def _code(form: str, device: Any) -> Any:
    from bitsandbytes.functional import get_4bit_type

    return get_4bit_type(form, device=device, blocksize=BLOCK)


@cache
def _scale_code(device: Any) -> Any:
    from bitsandbytes.functional import create_dynamic_map

    return create_dynamic_map().to(device)


@cache
def _function() -> Any:
    import torch

    class Product(torch.autograd.Function):
        """A product with a frozen matrix that keeps nothing for its backward."""

        @staticmethod
        def forward(ctx: Any, states: Any, layer: Any) -> Any:
            ctx.layer = layer
            bias = None if layer.bias is None else layer.bias.to(states.dtype)
            return torch.nn.functional.linear(states, layer.widened(states.dtype), bias)

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            towards = None
            if ctx.needs_input_grad[0]:
                towards = gradient @ ctx.layer.widened(gradient.dtype)
            return towards, None

    return Product
