"""Forward: hidden states where they are read, and the output head only there."""

from typing import Any

from smalltune.engine.attention import Unfit
from smalltune.engine.fronts import as_cache, front_of
from smalltune.engine.head import cross_entropy, head_of
from smalltune.engine.lean import lean_states
from smalltune.engine.packing import Packed
from smalltune.engine.routes import packed_states, padded_states, route_of

__all__ = ["answer_loss", "hidden_at", "loss_and_tokens"]


def hidden_at(model: Any, packed: Packed, *, route: str | None = None) -> Any:
    """Return the last hidden states [S, d] at the read positions of a batch.

    The route is the fastest that fits the model (`engine.routes`) unless one is named.
    """
    return _states_and_tokens(model, packed, route)[0]


def answer_loss(
    model: Any, packed: Packed, *, total: int | None = None, route: str | None = None
) -> Any:
    """Return the cross-entropies in nats of the targets [S], summed, over `total` or else S.

    A batch without targets has the loss 0.
    """
    return loss_and_tokens(model, packed, total=total, route=route)[0]


def loss_and_tokens(
    model: Any, packed: Packed, *, total: int | None = None, route: str | None = None
) -> tuple[Any, int]:
    """Return `answer_loss`, and how many tokens were computed for it, padding included."""
    if not packed.items:
        return sum(p.sum() * 0.0 for p in model.parameters() if p.requires_grad), 0
    states, tokens = _states_and_tokens(model, packed, route)
    over = total or len(packed.targets)
    return cross_entropy(head_of(model), states, packed.targets, over), tokens


def _states_and_tokens(model: Any, packed: Packed, route: str | None) -> tuple[Any, int]:
    front = front_of(model)
    before = front.length if front else 0
    way = route or route_of(model, before + max(packed.lengths))
    states = front.states(model) if front else None
    if way == "lean":
        found = lean_states(model, packed.behind(before), context=states)
        return found, len(packed.ids)
    if way == "packed":
        try:
            cache = as_cache(model, states) if states else None
            return packed_states(model, packed.behind(before), cache=cache), len(packed.ids)
        except Unfit:  # attention dropout, which the trial could not meet; padding_share tells it
            if route:
                raise
    rows, width = len(packed.lengths), max(packed.lengths)
    cache = as_cache(model, states, rows) if states else None
    return padded_states(model, packed, cache=cache), rows * width
