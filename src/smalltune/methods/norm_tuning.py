"""Norm tuning: the weights of the norms alone (Zhao et al., 2024), through PEFT."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from smalltune.core.errors import MethodError
from smalltune.methods._peft import PeftLayers

__all__ = ["NormTuning"]


@dataclass(frozen=True)
class NormTuning(PeftLayers):
    """Train a copy of every norm's weight, and of its bias where it has one."""

    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-2}
    title: ClassVar[str] = "Norm tuning"
    rationale: ClassVar[str] = (
        "The norms' weights are what every decoder has in place of biases: the smallest set of "
        "its own parameters that reaches every layer."
    )
    cite: ClassVar[tuple[str, ...]] = ("zhao2024lntuning",)

    def config(self, model: Any) -> Any:
        """Return PEFT's configuration, with the norms by their full names."""
        from peft import LNTuningConfig

        return LNTuningConfig(target_modules=self._norms(model), task_type="CAUSAL_LM")

    def parameters(self, model: Any) -> int:
        """Return the numbers in all norms: one or two vectors each."""
        norms = (model.get_submodule(name) for name in self._norms(model))
        return sum(p.numel() for norm in norms for p in norm.parameters())

    def _norms(self, model: Any) -> list[str]:
        found = [n for n, m in model.named_modules() if "norm" in type(m).__name__.lower()]
        if not found:
            raise MethodError(f"norm_tuning: a {type(model).__name__} has no norms")
        return found
