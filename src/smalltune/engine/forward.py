"""Forward: hidden states where they are read, and the output head only there."""

from typing import Any

from smalltune.engine.attention import Unfit
from smalltune.engine.fronts import as_cache, front_of
from smalltune.engine.head import cross_entropy, head_of, log_probs
from smalltune.engine.lean import lean_states
from smalltune.engine.packing import Packed
from smalltune.engine.routes import packed_states, padded_states, route_of

__all__ = ["answer_loss", "hidden_at", "token_log_probs"]


def hidden_at(model: Any, packed: Packed, *, route: str | None = None) -> Any:
    """Return the last hidden states [S, d] at the read positions of a batch.

    The route is the fastest that fits the model (`engine.routes`) unless one is named.
    """
    front = front_of(model)
    before = front.length if front else 0
    way = route or route_of(model, before + max(packed.lengths))
    states = front.states(model) if front else None
    if way == "lean":
        return lean_states(model, packed.behind(before), context=states)
    if way == "packed":
        try:
            cache = as_cache(model, states) if states else None
            return packed_states(model, packed.behind(before), cache=cache)
        except Unfit:  # attention dropout, which the trial could not meet
            if route:
                raise
    cache = as_cache(model, states, len(packed.lengths)) if states else None
    return padded_states(model, packed, cache=cache)


def answer_loss(
    model: Any, packed: Packed, *, total: int | None = None, route: str | None = None
) -> Any:
    """Return the cross-entropies in nats of the targets [S], summed, over `total` or else S.

    A batch without targets has the loss 0.
    """
    if not packed.items:
        return sum(p.sum() * 0.0 for p in model.parameters() if p.requires_grad)
    states = hidden_at(model, packed, route=route)
    return cross_entropy(head_of(model), states, packed.targets, total or len(packed.targets))


def token_log_probs(model: Any, packed: Packed, *, route: str | None = None) -> Any:
    """Return the log-probability [S] of each target token; for evaluation."""
    states = hidden_at(model, packed, route=route)
    return log_probs(head_of(model), states, packed.targets)
