"""Prompt tuning: learned embeddings before every text (Lester et al., 2021)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from smalltune.engine.fronts import keys_after
from smalltune.methods._virtual import Virtual

__all__ = ["PromptTuning"]


@dataclass(frozen=True)
class PromptTuning(Virtual):
    """Train the embeddings of `tokens` virtual tokens, which begin as words of the vocabulary."""

    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-2}
    title: ClassVar[str] = "Prompt tuning"
    rationale: ClassVar[str] = (
        "The base is untouched and one batch can serve many tasks, as only the first embeddings "
        "differ; small models are known to gain little from it."
    )
    cite: ClassVar[tuple[str, ...]] = ("lester2021prompt",)

    def front(self, model: Any) -> Any:
        """Return embeddings of words drawn from the vocabulary."""
        import torch

        table = model.get_input_embeddings().weight.detach()
        drawn = torch.randint(table.shape[0], (self.tokens,))
        return _front()(table[drawn.to(table.device)].float().clone())

    def parameters(self, model: Any) -> int:
        """Return tokens times the width of the embeddings (Lester et al., 2021, section 2)."""
        self.check_room(model)
        return self.tokens * int(model.get_input_embeddings().weight.shape[1])

    def config(self, model: Any) -> Any:
        """Return PEFT's configuration."""
        from peft import PromptTuningConfig

        return PromptTuningConfig(num_virtual_tokens=self.tokens, task_type="CAUSAL_LM")


@cache
def _front() -> Any:
    """Return the front's class; torch is imported when it is needed."""
    import torch

    class Embeddings(torch.nn.Module):
        def __init__(self, weight: Any):
            super().__init__()
            self.weight = torch.nn.Parameter(weight)
            self.length = len(weight)

        def states(self, model: Any) -> Any:
            return keys_after(model, self.weight)

    return Embeddings
