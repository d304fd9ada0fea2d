"""Prefix tuning: learned keys and values before every text, in every layer (Li and Liang, 2021)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from smalltune.engine.fronts import keys_after, plain_cache
from smalltune.methods._virtual import Virtual
from smalltune.models.targets import is_latent

__all__ = ["PrefixTuning"]


@dataclass(frozen=True)
class PrefixTuning(Virtual):
    """Train the keys and values of `tokens` virtual tokens, without the paper's second network.

    They begin as those of words of the vocabulary, which the paper found to be best where there
    are few rows (section 7.4).
    """

    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 1e-2}
    title: ClassVar[str] = "Prefix tuning"
    rationale: ClassVar[str] = (
        "Virtual tokens that every layer attends to steer the base without a change to its "
        "weights, and reach deeper than embeddings at the input do."
    )
    cite: ClassVar[tuple[str, ...]] = ("li2021prefix",)

    def front(self, model: Any) -> Any:
        """Return keys and values after words drawn from the vocabulary."""
        import torch

        table = model.get_input_embeddings().weight.detach()
        drawn = torch.randint(table.shape[0], (self.tokens,)).to(table.device)
        with torch.no_grad():
            return _front()(keys_after(model, table[drawn].float()))

    def parameters(self, model: Any) -> int:
        """Return tokens times the widths of what each layer keeps of one, over all layers.

        That is a key and a value for each of their heads; where attention is latent, the vector
        that both are made from and the rotated part of the key, which all heads share.
        """
        self.check_room(model)
        plain_cache(model)
        told = model.config.get_text_config()
        heads = told.num_attention_heads
        width = getattr(told, "head_dim", None) or told.hidden_size // heads
        kept = 2 * (getattr(told, "num_key_value_heads", None) or heads) * width
        if latent := getattr(told, "kv_lora_rank", None):
            kept = latent + told.qk_rope_head_dim
        return int(told.num_hidden_layers * self.tokens * kept)

    def remark(self, config: Mapping[str, Any]) -> str:
        """Say from what keys and values are made."""
        if not is_latent(config):
            return ""
        return (
            "what is learned of a virtual token is the latent vector from which keys and values "
            "are made, and the part of the key that carries its position"
        )

    def config(self, model: Any) -> Any:
        """Return PEFT's configuration; None where its keys have another width than the base's."""
        from peft import PrefixTuningConfig

        told = model.config.get_text_config()
        width = told.hidden_size // told.num_attention_heads
        sizes = {each.shape[-1] for pair in self.front(model).states(model) for each in pair}
        if sizes != {width}:
            return None
        return PrefixTuningConfig(num_virtual_tokens=self.tokens, task_type="CAUSAL_LM")


@cache
def _front() -> Any:
    """Return the front's class; torch is imported when it is needed."""
    import torch

    class States(torch.nn.Module):
        """One row a token: of each layer the keys, then the values, as PEFT lays them out."""

        def __init__(self, states: Any):
            super().__init__()
            self.length = len(states[0][0])
            flat = [each.reshape(self.length, -1) for pair in states for each in pair]
            self.shapes = [each.shape[1:] for pair in states for each in pair]
            self.weight = torch.nn.Parameter(torch.cat(flat, dim=1).float())

        def states(self, model: Any) -> Any:
            sizes = [shape.numel() for shape in self.shapes]
            parts: Any = torch.split(self.weight, sizes, dim=1)
            shaped = [
                part.unflatten(1, shape) for part, shape in zip(parts, self.shapes, strict=True)
            ]
            return list(zip(shaped[::2], shaped[1::2], strict=True))

    return States
