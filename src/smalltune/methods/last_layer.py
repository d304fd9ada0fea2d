"""Last layer: the decoder layer nearest to the answer, and the norm after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from smalltune.core.errors import MethodError
from smalltune.methods._own import Chosen, decoder_layers

__all__ = ["LastLayer"]


@dataclass(frozen=True)
class LastLayer(Chosen):
    """Train the last `layers` decoder layers and the final norm; the head stays as it is."""

    layers: int = 1

    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-4}
    title: ClassVar[str] = "Last layer"
    rationale: ClassVar[str] = (
        "The classical way to fine-tune cheaply: what lies below serves as fixed features, and the "
        "gradient ends early."
    )
    cite: ClassVar[tuple[str, ...]] = ("lee2019elsa",)

    def __post_init__(self) -> None:
        """Refuse what trains nothing; raises MethodError."""
        if self.layers < 1:
            raise MethodError(f"layers must be at least 1, not {self.layers}")

    def names(self, model: Any) -> list[str]:
        """Return the parameters of the last layers and of what follows them but the head."""
        found = decoder_layers(model)
        if self.layers > len(found):
            raise MethodError(
                f"last_layer: `layers: {self.layers}`, but the model has {len(found)}"
            )
        below = tuple(f"{name}." for name, _ in found[: -self.layers])
        ends = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
        return [
            name
            for name, parameter in model.named_parameters()
            if id(parameter) not in ends and not name.startswith(below)
        ]
