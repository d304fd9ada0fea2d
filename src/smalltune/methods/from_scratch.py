"""From scratch: the base's architecture with random weights, trained on the task alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from smalltune.methods import WholeModel

__all__ = ["FromScratch"]


@dataclass(frozen=True)
class FromScratch(WholeModel):
    """Draw all parameters anew, as the architecture initialises itself, and train them.

    What pre-training brings is the difference to full fine-tuning. Random weights want another
    learning rate than trained ones: give it its own.
    """

    keeps_base: ClassVar[bool] = False
    starts_at_base: ClassVar[bool] = False
    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-3}
    title: ClassVar[str] = "From scratch"
    rationale: ClassVar[str] = (
        "The same architecture with random weights learns from the task's rows alone, so that "
        "what full fine-tuning adds to it is what pre-training is worth here."
    )

    cite: ClassVar[tuple[str, ...]] = ("erhan2010pretraining", "dai2015semisupervised")

    def attach(self, model: Any) -> None:
        """Replace every parameter by a random one and let it have a gradient."""
        import torch

        fresh = type(model)(model.config)
        drawn = dict(fresh.named_parameters())
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(drawn[name])
        super().attach(model)
