"""LoRA: low-rank updates of frozen matrices (Hu et al., 2022), through PEFT."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from smalltune.core.errors import MethodError
from smalltune.methods import Gradient

__all__ = ["LoRA"]

ADAPTER = "smalltune"


@dataclass(frozen=True)
class LoRA(Gradient):
    """Add to each target matrix W the update (alpha / rank) B A, with A random and B zero.

    `target` is "all-linear" (every linear layer but the output head) or a list of module names
    such as ["q_proj", "v_proj"].
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    target: str | tuple[str, ...] = "all-linear"

    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-3}
    title: ClassVar[str] = "LoRA"
    rationale: ClassVar[str] = (
        "Low-rank updates of the frozen matrices train a small share of the weights, can be "
        "merged into the base at no cost in inference, and are widely used."
    )
    cite: ClassVar[tuple[str, ...]] = ("hu2022lora",)

    def __post_init__(self) -> None:
        """Refuse what is no LoRA; raises MethodError."""
        if self.rank < 1 or self.alpha <= 0:
            raise MethodError(f"rank and alpha must be above 0, not {self.rank}, {self.alpha:g}")
        if not 0 <= self.dropout < 1:
            raise MethodError(f"dropout must be at least 0 and below 1, not {self.dropout:g}")

    def attach(self, model: Any) -> None:
        """Inject PEFT's layers into the model; they alone have a gradient."""
        from peft import inject_adapter_in_model

        try:
            inject_adapter_in_model(self._config(), model, adapter_name=ADAPTER)
        except ValueError as error:
            target = self.target if isinstance(self.target, str) else ", ".join(self.target)
            raise MethodError(
                f"lora: the target {target!r} does not fit this model: {error}"
            ) from None

    def detach(self, model: Any) -> None:
        """Put the model's own layers back."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        wrapped: list[str] = []  # the experts of a mixture have a layer round a layer
        for name, layer in list(model.named_modules()):
            inside = any(name.startswith(f"{outer}.") for outer in wrapped)
            if isinstance(layer, BaseTunerLayer) and not inside:
                wrapped.append(name)
                parent, _, child = name.rpartition(".")
                setattr(model.get_submodule(parent), child, layer.get_base_layer())
        model.peft_config = {}
        del model.peft_config
        model.requires_grad_(False)

    def save(self, model: Any, folder: Path) -> None:
        """Write adapter_model.safetensors and adapter_config.json as PEFT reads them."""
        from peft import get_peft_model_state_dict
        from safetensors.torch import save_file

        state = get_peft_model_state_dict(model, adapter_name=ADAPTER)
        tensors = {f"base_model.model.{n}": t.cpu().contiguous() for n, t in state.items()}
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        config = {k: _plain(v) for k, v in model.peft_config[ADAPTER].to_dict().items()}
        config["inference_mode"] = True
        text = json.dumps(config, indent=2, sort_keys=True)
        (folder / "adapter_config.json").write_text(text + "\n")

    def load(self, model: Any, folder: Path) -> None:
        """Inject the layers and copy the stored matrices into them."""
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        self.attach(model)
        stored = load_file(folder / "adapter_model.safetensors")
        state = {n.removeprefix("base_model.model."): t for n, t in stored.items()}
        set_peft_model_state_dict(model, state, adapter_name=ADAPTER)

    def _config(self) -> Any:
        from peft import LoraConfig

        return LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]  # PEFT divides it by the rank
            lora_dropout=self.dropout,
            target_modules=self.target if isinstance(self.target, str) else list(self.target),
            task_type="CAUSAL_LM",
        )


def _plain(value: Any) -> Any:
    """Return a configuration value as JSON that has the same text every time."""
    if isinstance(value, set | frozenset):
        return sorted(value)
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)
