"""Methods that put virtual tokens before every text (`engine.fronts`)."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from smalltune.core.errors import MethodError
from smalltune.engine.fronts import front_of, put, take
from smalltune.methods import Gradient, Range
from smalltune.methods._peft import write_adapter

__all__ = ["Virtual"]

NAME = "prompt_embeddings"


@dataclass(frozen=True)
class Virtual(Gradient):
    """Trains what stands before every text: `tokens` virtual tokens.

    Batches are packed as with any other method, and what the base keeps of the virtual tokens is
    computed once for a batch.
    """

    tokens: int = 20

    searched: ClassVar[Mapping[str, Range]] = {"tokens": Range(5, 50, whole=True)}
    starts_at_base: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse an empty front; raises MethodError."""
        if self.tokens < 1:
            raise MethodError(f"tokens must be at least 1, not {self.tokens}")

    def check_room(self, model: Any) -> None:
        """Refuse a front that fills the model's context; raises MethodError."""
        context = model.config.get_text_config().max_position_embeddings
        if self.tokens >= context:
            raise MethodError(
                f"tokens {self.tokens} leave no room for a text: the context of the model is "
                f"{context} tokens"
            )

    @abstractmethod
    def front(self, model: Any) -> Any:
        """Return a new front with a parameter `weight` [tokens, ..], drawn at random."""

    @abstractmethod
    def config(self, model: Any) -> Any:
        """Return PEFT's configuration, or None where PEFT has no such method for the model."""

    def attach(self, model: Any) -> None:
        """Put a new front before all texts; it alone has a gradient."""
        put(model, self.front(model).to(model.get_input_embeddings().weight.device))

    def detach(self, model: Any) -> None:
        """Take the front away."""
        take(model)
        model.requires_grad_(False)

    def save(self, model: Any, folder: Path) -> None:
        """Write the front as PEFT does, with its configuration where PEFT can use it."""
        weight = front_of(model).weight.detach().flatten(1)
        config = self.config(model)
        write_adapter(folder, {NAME: weight}, None if config is None else _filled(config, model))

    def load(self, model: Any, folder: Path) -> None:
        """Put a front before all texts and copy the stored numbers into it."""
        import torch
        from safetensors.torch import load_file

        self.attach(model)
        weight = front_of(model).weight
        with torch.no_grad():
            weight.copy_(load_file(folder / "adapter_model.safetensors")[NAME].view_as(weight))


def _filled(config: Any, model: Any) -> Mapping[str, Any]:
    """Return a configuration with what PEFT itself adds about the model."""
    from peft.utils import _prepare_prompt_learning_config

    told = model.config.get_text_config().to_dict()
    fill: Any = _prepare_prompt_learning_config
    found: Mapping[str, Any] = fill(config, told).to_dict()
    return found
