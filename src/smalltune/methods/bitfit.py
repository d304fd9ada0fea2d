"""BitFit: the biases alone (Ben Zaken et al., 2022)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from smalltune.core.errors import MethodError
from smalltune.methods._own import Chosen

__all__ = ["BitFit"]


@dataclass(frozen=True)
class BitFit(Chosen):
    """Train every bias of the base and nothing else."""

    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-2}
    title: ClassVar[str] = "BitFit"
    rationale: ClassVar[str] = (
        "If the biases alone suffice, fine-tuning brings out what the base can do already rather "
        "than teaching it something new."
    )
    cite: ClassVar[tuple[str, ...]] = ("benzaken2022bitfit",)

    def names(self, model: Any) -> list[str]:
        """Return the biases; raises MethodError for an architecture without any."""
        found = [name for name, _ in model.named_parameters() if name.endswith("bias")]
        if not found:
            raise MethodError(
                f"bitfit trains biases, and a {type(model).__name__} with this configuration has "
                "none (Qwen2 has them, Llama, Qwen3 and DeepSeek have not): choose `norm_tuning`, "
                "which trains the norms' weights"
            )
        return found
