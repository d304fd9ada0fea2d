"""Targets: what "attention", "mlp" and "all-linear" mean in a model, read off its layers.

    attention   every linear layer inside a layer's attention: q, k, v and o in Llama and Qwen; in
                DeepSeek's latent attention q (or its two factors), kv_a, kv_b and o
    mlp         every other linear layer of a decoder layer: gate, up and down, those of shared
                experts too, and the stacked matrices of routed experts, which are no layers but
                parameters [experts, a, b]
    all-linear  both

A router is no target: it decides which experts a token meets. The head is one only by its name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from smalltune.core.errors import ModelError
from smalltune.core.plugins import nearest

__all__ = ["PARTS", "Targets", "has_experts", "is_latent", "is_mixture", "targets_of"]

PARTS = ("all-linear", "attention", "mlp")
ROUTERS = ("gate", "router")
LATENT = ("deepseek_v2", "deepseek_v3")
MIXTURES = (*LATENT, "mixtral", "olmoe")
"""Model types; other mixtures have "moe" at the end of theirs."""


@dataclass(frozen=True)
class Targets:
    """Full names: of linear layers, and of parameters that stack the matrices of experts."""

    modules: tuple[str, ...]
    parameters: tuple[str, ...] = ()

    def short(self, model: Any) -> list[str]:
        """Return the layers' last names where these choose exactly the same, else their full names.

        PEFT takes both; the short ones also fit the same model with more layers.
        """
        last = sorted({name.rpartition(".")[2] for name in self.modules})
        chosen = {name for name, _ in _linear(model) if name.rpartition(".")[2] in last}
        return last if chosen == set(self.modules) else sorted(self.modules)


def targets_of(model: Any, what: str | Sequence[str]) -> Targets:
    """Return what one of `PARTS`, or some names such as ["q_proj", "v_proj"], means in a model.

    Raises ModelError for a name that is no linear layer of this model.
    """
    linear = [name for name, _ in _linear(model, inside=isinstance(what, str))]
    stacked = [name for name, _ in _stacked(model)]
    if isinstance(what, str) and what in PARTS:
        wanted = PARTS[1:] if what == "all-linear" else (what,)
        found = Targets(
            tuple(name for name in linear if _part(name) in wanted),
            tuple(name for name in stacked if _part(name) in wanted),
        )
        if not found.modules and not found.parameters:
            raise ModelError(f"the target {what!r} finds no linear layer in this model")
        return found
    if isinstance(what, str):
        return targets_of(model, [what])
    names = list(what)
    known = sorted({name.rpartition(".")[2] for name in [*linear, *stacked]})
    for name in names:
        if not any(_ends(each, name) for each in [*linear, *stacked]):
            raise ModelError(
                f"the target {name!r} is no linear layer of this model. "
                f"{nearest(name, [*PARTS, *known])}"
            )
    return Targets(
        tuple(each for each in linear if any(_ends(each, name) for name in names)),
        tuple(each for each in stacked if any(_ends(each, name) for name in names)),
    )


def has_experts(config: Mapping[str, Any]) -> bool:
    """Return whether a model with this configuration, or an excerpt of it, routes to experts."""
    kind = str(config.get("model_type"))
    return kind in MIXTURES or kind.endswith("_moe")


def is_latent(config: Mapping[str, Any]) -> bool:
    """Return whether keys and values are made from one latent vector in such a model."""
    return config.get("model_type") in LATENT


def is_mixture(model: Any) -> bool:
    """Return whether a model is of an architecture with routed experts.

    It may have none at reduced depth, as a mixture's first layers can be dense.
    """
    told = model.config.get_text_config().to_dict()
    return bool(list(_stacked(model))) or any("experts" in name and told[name] for name in told)


def _linear(model: Any, *, inside: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield the linear layers but routers; with `inside` only those in decoder layers."""
    import torch
    from transformers.pytorch_utils import Conv1D

    for name, module in model.named_modules():
        pieces = name.split(".")
        wanted = pieces[-1] not in ROUTERS and (not inside or any(p.isdecimal() for p in pieces))
        if wanted and isinstance(module, torch.nn.Linear | Conv1D):
            yield name, module


def _stacked(model: Any) -> Iterator[tuple[str, Any]]:
    for name, parameter in model.named_parameters():
        if parameter.dim() == 3:
            yield name, parameter


def _part(name: str) -> str:
    inside = any("attn" in piece or "attention" in piece for piece in name.lower().split("."))
    return "attention" if inside else "mlp"


def _ends(full: str, name: str) -> bool:
    return full == name or full.endswith(f".{name}")
