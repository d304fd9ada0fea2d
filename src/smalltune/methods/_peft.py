"""Methods whose new parameters are PEFT's layers round layers of the base."""

import json
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from smalltune.core.errors import MethodError, ModelError
from smalltune.engine.held import shape_of
from smalltune.methods import Gradient, Range
from smalltune.models.targets import PARTS, Targets, has_experts, is_mixture, targets_of

__all__ = ["ADAPTER", "LowRank", "PeftLayers", "inject", "layers_of", "write_adapter"]

ADAPTER = "smalltune"
ORDER = "smalltune_order"
MISTAKEN = ("gate_proj", "up_proj", "down_proj", "w1", "w2", "w3")


class PeftLayers(Gradient):
    """Puts PEFT's layers into the base, takes them out again, and stores them as PEFT does."""

    imports: ClassVar[tuple[str, ...]] = ("peft",)

    @abstractmethod
    def config(self, model: Any) -> Any:
        """Return PEFT's configuration for this model; raises MethodError where it does not fit."""

    def attach(self, model: Any) -> None:
        """Inject PEFT's layers into the model; they alone have a gradient."""
        config = self.config(model)
        if not hasattr(model, ORDER):
            setattr(model, ORDER, {n: list(m._parameters) for n, m in model.named_modules()})
        try:
            inject(config, model, ADAPTER)
        except (ValueError, NotImplementedError) as error:
            raise MethodError(f"{self.title} does not fit this model: {error}") from None

    def detach(self, model: Any) -> None:
        """Put the model's own layers back, and their parameters in the order that they had."""
        wrapped: list[str] = []  # the experts of a mixture have a layer round a layer
        for name, layer in list(layers_of(model)):
            if not any(name.startswith(f"{outer}.") for outer in wrapped):
                wrapped.append(name)
                parent, _, child = name.rpartition(".")
                setattr(model.get_submodule(parent), child, layer.get_base_layer())
        model.peft_config = {}
        del model.peft_config
        _put_in_order(model, vars(model).pop(ORDER))
        model.requires_grad_(False)

    def merge(self, model: Any) -> None:
        """Add what was trained to the base's own weights and take the layers out."""
        for _, layer in reversed(list(layers_of(model))):
            layer.merge()
        self.detach(model)

    def save(self, model: Any, folder: Path) -> None:
        """Write adapter_model.safetensors and adapter_config.json as PEFT reads them."""
        from peft import get_peft_model_state_dict

        state = get_peft_model_state_dict(model, adapter_name=ADAPTER)
        tensors = {f"base_model.model.{name}": tensor for name, tensor in state.items()}
        write_adapter(folder, tensors, model.peft_config[ADAPTER].to_dict())

    def load(self, model: Any, folder: Path) -> None:
        """Inject the layers and copy the stored tensors into them."""
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        self.attach(model)
        stored = load_file(folder / "adapter_model.safetensors")
        state = {n.removeprefix("base_model.model."): t for n, t in stored.items()}
        set_peft_model_state_dict(model, state, adapter_name=ADAPTER)


@dataclass(frozen=True)
class LowRank(PeftLayers):
    """Adds to each target matrix W [a, b] a product of two thin ones, B [a, rank] A [rank, b].

    `target` is "all-linear", "attention", "mlp" (`models.targets`) or a list of module names such
    as ["q_proj", "v_proj"].
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    target: str | tuple[str, ...] = "all-linear"

    searched: ClassVar[Mapping[str, Range]] = {"rank": Range(4, 32, whole=True)}
    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-3}
    experts: ClassVar[bool] = True
    """Whether a mixture's stacked experts can be targets, and with them its other MLPs."""

    def __post_init__(self) -> None:
        """Refuse what is no low-rank update; raises MethodError."""
        if self.rank < 1 or self.alpha <= 0:
            raise MethodError(f"rank and alpha must be above 0, not {self.rank}, {self.alpha:g}")
        if not 0 <= self.dropout < 1:
            raise MethodError(f"dropout must be at least 0 and below 1, not {self.dropout:g}")

    def config(self, model: Any) -> Any:
        """Return PEFT's configuration of the update."""
        from peft import LoraConfig

        found = self.targets(model)
        return LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,  # type: ignore[arg-type]  # PEFT divides it by the rank
            lora_dropout=self.dropout,
            target_modules=found.short(model),
            target_parameters=sorted(found.parameters) or None,
            task_type="CAUSAL_LM",
            **self.more(),
        )

    def more(self) -> dict[str, Any]:
        """Return what a variant sets besides in PEFT's configuration."""
        return {}

    def targets(self, model: Any) -> Targets:
        """Return what is adapted; raises MethodError for a rank that is none, or a wrong target."""
        try:
            found = targets_of(model, self.target)
        except ModelError as error:
            raise MethodError(str(error)) from None
        found = self._adapted(found) if is_mixture(model) else found
        if found.parameters and self.dropout:
            raise MethodError(
                "PEFT has no dropout for the experts of a mixture and the MLPs beside them: set "
                "`dropout: 0`, or `target: attention`"
            )
        for name, shape in _shapes(model, found):
            if self.rank > min(shape[-2:]):
                raise MethodError(
                    f"rank {self.rank} is larger than the smaller side of {name} "
                    f"({' x '.join(map(str, shape[-2:]))}): lower `rank`, or choose other targets"
                )
        return found

    def _adapted(self, found: Targets) -> Targets:
        """Return targets in a mixture as PEFT can adapt them.

        "all-linear" is then what can be adapted; raises MethodError where a part or a layer that
        was asked for by name cannot be.
        """
        named = _unmistaken(found)
        if self.experts or not named.parameters:
            return named
        if self.target == PARTS[0] and named.modules:
            return Targets(named.modules)
        left = sorted(
            {name.rpartition(".")[2] for name in (*found.modules, *found.parameters)}
            - {name.rpartition(".")[2] for name in named.modules}
        )
        raise MethodError(
            f"PEFT has no {self.title} for the experts of a mixture and the MLPs beside them "
            f"({', '.join(left)}): set `target: attention`, or choose `lora`"
        )

    def remark(self, config: Mapping[str, Any]) -> str:
        """Say where "all-linear" is less than all."""
        if self.experts or self.target != PARTS[0] or not has_experts(config):
            return ""
        return (
            "its target all-linear is the attention alone, since PEFT has no such update for "
            "stacked experts and the MLPs beside them"
        )

    def parameters(self, model: Any) -> int:
        """Return rank (a + b), summed over the targets W [a, b] (Hu et al., 2022, section 4.2)."""
        total = 0
        for _, shape in _shapes(model, self.targets(model)):
            copies = shape[0] if len(shape) == 3 else 1
            total += copies * self.rank * sum(shape[-2:])
        return total


def inject(config: Any, model: Any, name: str) -> None:
    """Put PEFT's layers in without its warnings of what is meant here.

    These are a second adapter beside the first, and layers round norms.
    """
    from peft import inject_adapter_in_model

    with warnings.catch_warnings():
        for text in ("Already found a `peft_config`", "Unsupported layer type"):
            warnings.filterwarnings("ignore", message=text)
        inject_adapter_in_model(config, model, adapter_name=name)


def layers_of(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield PEFT's layers in a model with their names, outer ones first."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in model.named_modules():
        if isinstance(module, BaseTunerLayer):
            yield name, module


def _unmistaken(found: Targets) -> Targets:
    """Return targets in a mixture so that PEFT takes them for what they are.

    PEFT reads names that a mixture's experts had before they were stacked (`MISTAKEN`) as those
    experts, also where a dense MLP or a shared expert bears them: these are named by their weights.
    """
    dense = [name for name in found.modules if name.rpartition(".")[2] in MISTAKEN]
    others = tuple(name for name in found.modules if name not in dense)
    return Targets(others, (*(f"{name}.weight" for name in dense), *found.parameters))


def _put_in_order(model: Any, names: Mapping[str, list[str]]) -> None:
    """Put each module's own parameters in the order of their names.

    PEFT takes stacked experts out and puts them back last, and an optimiser, which sums over
    parameters in their order, would round otherwise for the next method.
    """
    for name, module in model.named_modules():
        own = module._parameters
        for key in names[name]:
            own[key] = own.pop(key)


def _shapes(model: Any, targets: Targets) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name in targets.modules:
        yield name, shape_of(model.get_submodule(name).weight)
    for name in targets.parameters:
        yield name, shape_of(model.get_parameter(name))


def write_adapter(
    folder: Path, tensors: Mapping[str, Any], config: Mapping[str, Any] | None
) -> None:
    """Write tensors and, if PEFT can use them, a configuration: the same bytes for the same."""
    from safetensors.torch import save_file

    plainly = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_file(plainly, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    if config is None:
        return
    plain = {k: _plain(v) for k, v in config.items()} | {"inference_mode": True}
    text = json.dumps(plain, indent=2, sort_keys=True)
    (folder / "adapter_config.json").write_text(text + "\n")


def _plain(value: Any) -> Any:
    """Return a configuration value as JSON that has the same text every time."""
    if isinstance(value, set | frozenset):
        return sorted(value)
    return value if isinstance(value, str | int | float | bool | list | dict | None) else str(value)
