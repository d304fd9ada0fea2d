"""Bottleneck adapters: small networks between the layers of a frozen base."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from smalltune.core.errors import MethodError
from smalltune.methods import Range
from smalltune.methods._own import Inserted, decoder_layers

__all__ = ["Adapter"]

PLACEMENTS = ("houlsby", "pfeiffer")


@dataclass(frozen=True)
class Adapter(Inserted):
    """Add to a sublayer's output h the bottleneck W2 gelu(W1 h + b1) + b2, with W2 and b2 zero.

    "houlsby" puts one after the attention and one after the MLP of every layer (Houlsby et al.,
    2019), "pfeiffer" only the second (Pfeiffer et al., 2021), both before the residual sum. `width`
    is the bottleneck's. The norms are not trained, unlike Houlsby's.
    """

    width: int = 16
    placement: str = "houlsby"

    searched: ClassVar[Mapping[str, Range]] = {"width": Range(8, 64, whole=True)}
    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-3}
    title: ClassVar[str] = "Adapters"
    rationale: ClassVar[str] = (
        "Bottleneck networks after the sublayers were the first parameter-efficient method for "
        "Transformers; they cost a little in inference, as they cannot be merged into the base."
    )
    cite: ClassVar[tuple[str, ...]] = ("houlsby2019adapters", "pfeiffer2021adapterfusion")

    def __post_init__(self) -> None:
        """Refuse what is no adapter; raises MethodError."""
        if self.width < 1:
            raise MethodError(f"width must be at least 1, not {self.width}")
        if self.placement not in PLACEMENTS:
            raise MethodError(
                f"no placement {self.placement!r}. There are: {', '.join(PLACEMENTS)}."
            )

    def around(self, model: Any) -> Iterator[tuple[str, Any]]:
        """Yield the sublayers of every decoder layer with an adapter after them."""
        hidden = model.get_input_embeddings().weight.shape[1]
        device = model.get_input_embeddings().weight.device
        for name, sublayer in self._sublayers(model):
            yield name, _module()(sublayer, hidden, self.width).to(device)

    def parameters(self, model: Any) -> int:
        """Return 2 d m + d + m for each adapter of width m (Houlsby et al., 2019, section 2.1)."""
        hidden = int(model.get_input_embeddings().weight.shape[1])
        each = 2 * hidden * self.width + hidden + self.width
        return each * len(self._sublayers(model))

    def _sublayers(self, model: Any) -> list[tuple[str, Any]]:
        found = []
        for name, layer in decoder_layers(model):
            children = dict(layer.named_children())
            attention = next((n for n in children if "attn" in n or "attention" in n), None)
            mlp = next((n for n in children if n in ("mlp", "feed_forward", "ffn")), None)
            if attention is None or mlp is None:
                raise MethodError(
                    f"adapter: {type(layer).__name__} has no attention and MLP as parts of its "
                    "own: choose `lora`"
                )
            if self.placement == "houlsby":
                found.append(_output(f"{name}.{attention}", children[attention]))
            found.append((f"{name}.{mlp}", children[mlp]))
        return found


def _output(name: str, attention: Any) -> tuple[str, Any]:
    """Return the linear layer that ends an attention."""
    for own in ("o_proj", "out_proj", "c_proj", "dense"):
        if hasattr(attention, own):
            return f"{name}.{own}", getattr(attention, own)
    raise MethodError(f"adapter: {type(attention).__name__} has no output layer that is known")


@cache
def _module() -> Any:
    """Return the module's class; torch is imported when it is needed."""
    import torch

    class Bottleneck(torch.nn.Module):
        smalltune = True

        def __init__(self, base: Any, hidden: int, width: int):
            super().__init__()
            self.base = base
            self.down = torch.nn.Linear(hidden, width)
            self.up = torch.nn.Linear(width, hidden)
            torch.nn.init.zeros_(self.up.weight)
            torch.nn.init.zeros_(self.up.bias)

        def forward(self, states: Any) -> Any:
            out = self.base(states)
            return out + self.up(torch.nn.functional.gelu(self.down(out)))

    return Bottleneck
