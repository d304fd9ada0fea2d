"""(IA)^3: learned scales on keys, values and the MLP's inner states (Liu et al., 2022)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from smalltune.core.errors import MethodError
from smalltune.methods._peft import PeftLayers
from smalltune.models.targets import has_experts, is_latent, targets_of

__all__ = ["IA3"]

INNER = ("k_proj", "v_proj", "kv_b_proj")
OUTER = ("down_proj",)


@dataclass(frozen=True)
class IA3(PeftLayers):
    """Multiply keys, values and what enters the MLP's last layer by vectors that begin at one.

    In DeepSeek's latent attention keys and values leave one layer (kv_b_proj), which has one vector
    for both. Of a mixture's experts only the shared ones are scaled: the routed ones are stacked.
    """

    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-2}
    title: ClassVar[str] = "(IA)^3"
    rationale: ClassVar[str] = (
        "Vectors that scale keys, values and the inner states of each MLP are among the fewest "
        "parameters that still reach every layer; they can be multiplied into the weights, so that "
        "inference costs nothing."
    )
    cite: ClassVar[tuple[str, ...]] = ("liu2022ia3",)

    def config(self, model: Any) -> Any:
        """Return PEFT's configuration: which layers are scaled, and which at their input."""
        from peft import IA3Config

        inner, outer = self._names(model)
        return IA3Config(
            target_modules=[*inner, *outer], feedforward_modules=outer, task_type="CAUSAL_LM"
        )

    def parameters(self, model: Any) -> int:
        """Return a number for each key, value and inner state of an MLP, over all layers.

        With plain attention and one MLP a layer that is d_k + d_v + d_ff (Liu et al., 2022,
        section 3.3).
        """
        inner, outer = self._names(model)
        found = targets_of(model, [*inner, *outer]).modules
        shapes = {name: model.get_submodule(name).weight.shape for name in found}
        return sum(s[1] if n.endswith(tuple(outer)) else s[0] for n, s in shapes.items())

    def remark(self, config: Mapping[str, Any]) -> str:
        """Say what is scaled together, and what is not."""
        parts = ["keys and values leave one layer, which has one vector for both"] * is_latent(
            config
        )
        parts += ["the routed experts, which are stacked, are not scaled"] * has_experts(config)
        return ", and ".join(parts)

    def _names(self, model: Any) -> tuple[list[str], list[str]]:
        linear = {name.rpartition(".")[2] for name in targets_of(model, "all-linear").modules}
        inner, outer = ([n for n in names if n in linear] for names in (INNER, OUTER))
        if not inner or not outer:
            raise MethodError(
                "ia3 knows keys, values and the MLP's last layer as "
                f"{', '.join((*INNER, *OUTER))}; this model has {', '.join(sorted(linear))}: "
                "choose `lora`"
            )
        return inner, outer
