"""PiSSA: LoRA that begins with the principal part of each matrix (Meng et al., 2024)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from smalltune.core.errors import MethodError
from smalltune.methods._peft import ADAPTER, LowRank, inject, layers_of, write_adapter

__all__ = ["PiSSA"]

START = "start"


@dataclass(frozen=True)
class PiSSA(LowRank):
    """Train B A from the `rank` largest singular directions of W; what is left of W is frozen.

    With W = U S V', B and A begin as U_r S_r^1/2 and S_r^1/2 V_r', and W - B A is frozen. Written
    here as W + B A - B_0 A_0, with the beginnings as a second, frozen adapter: the same function,
    and the base keeps its bits. So it is stored as one LoRA of twice the rank over the base itself.
    Attention alone is adapted in a mixture.
    """

    experts: ClassVar[bool] = False
    title: ClassVar[str] = "PiSSA"
    rationale: ClassVar[str] = (
        "LoRA begins with noise and zeros; begun with the directions in which a matrix is "
        "largest, training moves what matters most from its first step."
    )
    cite: ClassVar[tuple[str, ...]] = ("meng2024pissa",)

    def __post_init__(self) -> None:
        """Refuse dropout, which would part B A from its beginning; raises MethodError."""
        super().__post_init__()
        if self.dropout:
            raise MethodError("pissa has no dropout: at the start it must not change the base")

    def attach(self, model: Any) -> None:
        """Put both adapters in, one trained, one that takes the beginning off again."""
        import torch

        config = self.config(model)
        super().attach(model)
        inject(config, model, START)
        with torch.no_grad():
            for _, layer in layers_of(model):
                down, up = _principal(layer.get_base_layer().weight, self.rank)
                scale = layer.scaling[ADAPTER] ** 0.5
                for name, sign in ((ADAPTER, 1.0), (START, -1.0)):
                    layer.lora_A[name].weight.copy_(down / scale)
                    layer.lora_B[name].weight.copy_(sign * up / scale)
                layer.set_adapter([ADAPTER, START])
                for part in (layer.lora_A, layer.lora_B):
                    part[START].weight.requires_grad_(False)
                    part[ADAPTER].weight.requires_grad_(True)

    def save(self, model: Any, folder: Path) -> None:
        """Write both adapters as one LoRA of twice the rank, which PEFT opens over the base."""
        import torch

        config = model.peft_config[ADAPTER].to_dict()
        config |= {"r": 2 * self.rank, "lora_alpha": 2 * self.alpha}
        tensors = {
            f"base_model.model.{name}.{part}.weight": torch.cat(pair, axis)
            for name, part, axis, pair in _pairs(model)
        }
        write_adapter(folder, tensors, config)

    def load(self, model: Any, folder: Path) -> None:
        """Put both adapters in and part what was stored between them."""
        import torch
        from safetensors.torch import load_file

        self.attach(model)
        stored = load_file(folder / "adapter_model.safetensors")
        with torch.no_grad():
            for name, part, axis, pair in _pairs(model):
                whole = stored[f"base_model.model.{name}.{part}.weight"]
                halves: Any = torch.split(whole, self.rank, axis)
                for weight, half in zip(pair, halves, strict=True):
                    weight.copy_(half)


def _pairs(model: Any) -> Iterator[tuple[str, str, int, tuple[Any, Any]]]:
    """Yield each layer's name, part, the axis of its rank, and the weights of both adapters."""
    for name, layer in layers_of(model):
        for part, axis in (("lora_A", 0), ("lora_B", 1)):
            adapters = getattr(layer, part)
            yield name, part, axis, (adapters[ADAPTER].weight, adapters[START].weight)


def _principal(weight: Any, rank: int) -> tuple[Any, Any]:
    """Return S_r^1/2 V_r' [rank, b] and U_r S_r^1/2 [a, rank] of a matrix [a, b]."""
    import torch

    left, values, right = torch.linalg.svd(weight.float(), full_matrices=False)
    roots = values[:rank].sqrt()
    return roots[:, None] * right[:rank], left[:, :rank] * roots
