"""Full fine-tuning: every weight of the base is trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from smalltune.methods import Gradient

__all__ = ["Full"]


@dataclass(frozen=True)
class Full(Gradient):
    """Train all parameters of the base."""

    changes_base: ClassVar[bool] = True
    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-4}
    title: ClassVar[str] = "Full fine-tuning"
    rationale: ClassVar[str] = (
        "Training every weight is the reference that parameter-efficient methods are measured "
        "against: the most capacity, the most memory, and a whole model to store per task."
    )
    cite: ClassVar[tuple[str, ...]] = ("dodge2020finetuning",)

    def attach(self, model: Any) -> None:
        """Let every parameter have a gradient."""
        model.requires_grad_(True)

    def detach(self, model: Any) -> None:
        """Freeze again; the weights stay changed."""
        model.requires_grad_(False)

    def save(self, model: Any, folder: Path) -> None:
        """Write model.safetensors with each parameter once (a tied head is its embedding)."""
        from safetensors.torch import save_file

        tensors = {n: p.detach().cpu().contiguous() for n, p in model.named_parameters()}
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    def load(self, model: Any, folder: Path) -> None:
        """Copy the stored parameters into the base."""
        import torch
        from safetensors.torch import load_file

        stored = load_file(folder / "model.safetensors")
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(stored[name])
