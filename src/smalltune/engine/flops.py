"""FLOPs: the operations that a training or an evaluation needs, in closed form.

Counted are the products of matrices, two operations for each multiplication: linear layers, a
mixture's experts that a token meets, the two products of attention over what a token sees, and
the output head where it is read. The last layer's queries, output and MLP are counted where a
state is read and nowhere else, whether or not the forward leaves out the rest. Backwards, every
weight that is trained costs its product once more, and everything above the lowest trained weight
the product for its input; attention costs twice its forward. What is computed again (gradient
checkpointing), what meets padding, and elementwise work are not needed and not counted; tokens
that all texts begin with, and virtual tokens before them (`engine.fronts`), are needed once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from smalltune.engine.decoder import decoder_of
from smalltune.engine.fronts import front_of
from smalltune.engine.held import shape_of
from smalltune.engine.memory import experts_met
from smalltune.engine.segments import Segments

__all__ = ["Flops", "Work", "asking", "flops_of", "learning"]

EXPERTS = ("num_local_experts", "n_routed_experts", "num_experts")


@dataclass(frozen=True)
class Work:
    """What a forward is about: `tokens` fed, `pairs` of a token and one it sees (itself too).

    `read` states are read, which see `read_pairs` tokens.
    """

    tokens: int = 0
    pairs: int = 0
    read: int = 0
    read_pairs: int = 0

    @classmethod
    def of(cls, tokens: int, *, behind: int = 0) -> "Work":
        """Return the work of keys and values of tokens of which no state is read."""
        return cls(tokens, int(_pairs(behind, behind + tokens)))

    def __add__(self, other: "Work") -> "Work":
        """Return the work of both."""
        return Work(
            self.tokens + other.tokens,
            self.pairs + other.pairs,
            self.read + other.read,
            self.read_pairs + other.read_pairs,
        )


@dataclass(frozen=True)
class Flops:
    """Operations per unit of each count of a `Work`."""

    per_token: float = 0.0
    per_pair: float = 0.0
    per_read: float = 0.0
    per_read_pair: float = 0.0

    def of(self, work: Work) -> float:
        """Return the operations that `work` needs."""
        return float(np.dot(astuple(self), astuple(work)))


def learning(
    segments: Segments,
    batch: NDArray[np.int64] | None = None,
    *,
    shared: int = 0,
    front: int = 0,
) -> Work:
    """Return the work of predicting the supervised tokens of the segments at `batch`, or of all.

    The last token of a segment predicts nothing and is not fed, nor is a segment with nothing to
    predict. The first `shared` tokens, none of which is read, are the same in all of them and fed
    once. Every token sees `front` more before it, whose own work is not counted here.
    """
    at = np.arange(len(segments)) if batch is None else batch
    lengths = segments.starts[at + 1] - segments.starts[at]
    first = np.maximum(segments.answers[at], 1).astype(np.int64)
    first, fed = first[first < lengths], lengths[first < lengths] - 1
    own = Work(
        int((fed - shared).sum()), int(_pairs(shared + front, fed + front).sum()),
        int((fed + 1 - first).sum()), int(_pairs(first - 1 + front, fed + front).sum()),
    )  # fmt: skip
    return own + Work.of(shared, behind=front)


def asking(
    prompts: Segments, labels: Sequence[Sequence[int]], *, shared: int = 0, front: int = 0
) -> Work:
    """Return the work of scoring labels [C] of one token or more after each prompt, fed once.

    `shared` and `front` as in `learning`.
    """
    n = prompts.lengths + front
    own = Work(
        int((prompts.lengths - shared).sum()), int(_pairs(shared + front, n).sum()),
        len(n), int(n.sum()),
    )  # fmt: skip
    places = [j for tokens in labels for j in range(1, len(tokens))]
    more, seen = len(n) * len(places), int((n[:, None] + np.array(places, dtype=np.int64)).sum())
    return own + Work(more, seen, more, seen) + Work.of(shared, behind=front)


def _pairs(start: Any, stop: Any) -> Any:
    """Return the pairs of a token and one that it sees, of the tokens from `start` to `stop`."""
    return (stop * (stop + 1) - start * (start + 1)) // 2


def flops_of(model: Any, *, backward: bool = False, rows: int | None = None) -> Flops:
    """Return what a model's forward costs, with `backward` also the gradients of what it trains.

    `rows` is how many rows of the output head are read; None is the whole vocabulary.
    """
    layers, pair = _layers(model), _pair(model.config.get_text_config())
    embedding, weight = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    reached, learnt = embedding.requires_grad, backward and _learns_front(model)
    everywhere, at_read = [0.0, 0.0], [0.0, 0.0]
    for place, layer in enumerate(layers):
        last = place == len(layers) - 1 and layer is not decoder_of(model)
        before = reached
        reached |= learnt  # by attention, through the front's keys, and from there on upwards
        for linear in _linears(model, layer):
            gradient = before if linear.at_input else reached
            cost = 2 * linear.size * (1 + backward * (gradient + linear.trained))
            (at_read if last and linear.pruned else everywhere)[0] += cost
            reached |= linear.trained
        reached |= any(p.requires_grad for p in layer.parameters())
        (at_read if last else everywhere)[1] += pair * (1 + 2 * backward * reached)
    reached |= any(p.requires_grad for p in decoder_of(model).parameters())
    head = 2 * weight.shape[1] * (rows or weight.shape[0])
    at_read[0] += head * (1 + backward * (reached + weight.requires_grad))
    return Flops(*everywhere, *at_read)


def _learns_front(model: Any) -> bool:
    front = front_of(model)
    return front is not None and any(p.requires_grad for p in front.parameters())


class _Linear(NamedTuple):
    """A product with a weight of `size` numbers.

    `at_input` says that it reads what enters the layer, `pruned` that the last layer needs it
    only where a state is read.
    """

    size: float
    trained: bool
    at_input: bool
    pruned: bool


def _linears(model: Any, layer: Any) -> Iterator[_Linear]:
    """Yield the weights of a layer in the order of their modules."""
    config = model.config.get_text_config()
    every = max((getattr(config, name, None) or 0 for name in EXPERTS), default=0)
    table = model.get_input_embeddings().weight
    weights = [
        (name, parameter)
        for name, parameter in layer.named_parameters()
        if parameter.dim() > 1 and parameter is not table and "norm" not in name
    ]
    inside = [n for n, _ in weights if "attn" in n or "attention" in n]
    output = _stem(inside[-1]) if inside else ""
    for name, parameter in weights:
        share = 1.0
        if ".experts." in f".{name}" and every:
            share = experts_met(model, every) / every
        attention, leaves = name in inside, _stem(name) == output
        shape = shape_of(parameter)
        yield _Linear(
            size=prod(shape) * share,
            trained=parameter.requires_grad,
            at_input=attention and not leaves and shape[-1] == table.shape[1],
            pruned=not attention or leaves or _stem(name).rpartition(".")[2].startswith("q_"),
        )


def _stem(name: str) -> str:
    """Return a linear layer's own name: what PEFT puts round it and the word "weight" are cut."""
    for part in (".base_layer", ".lora_", ".weight"):
        name = name.partition(part)[0]
    return name


def _layers(model: Any) -> Any:
    """Return the decoder's layers; of a model without a list of them, the decoder as one."""
    import torch

    decoder, number = decoder_of(model), model.config.get_text_config().num_hidden_layers
    lists = (m for m in decoder.modules() if isinstance(m, torch.nn.ModuleList))
    return next((found for found in lists if len(found) == number), [decoder])


def _pair(config: Any) -> float:
    """Return the operations of one layer's attention for a token and one that it sees."""
    heads = getattr(config, "num_attention_heads", None) or 0
    if not heads:
        return 0.0
    if getattr(config, "kv_lora_rank", None):
        width = config.qk_nope_head_dim + config.qk_rope_head_dim + config.v_head_dim
    else:
        width = 2 * (getattr(config, "head_dim", None) or config.hidden_size // heads)
    return float(2 * heads * width)
