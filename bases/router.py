"""How evenly a mixture's router spreads tokens over its experts.

Nothing in the training asks the router for balance, so it has to be looked at: an expert that no
token meets is a part of the model that was never trained.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["expert_shares"]


def expert_shares(model: Any, segments: Any) -> dict[str, list[float]]:
    """Return, for each layer with experts, which share of the choices each expert got.

    Every token of the segments chooses as many experts as the model has it choose. A layer's
    shares add up to one; {} for a model without experts.
    """
    import torch

    from smalltune.engine.batching import by_tokens
    from smalltune.engine.forward import hidden_at
    from smalltune.engine.packing import pack_prompts
    from smalltune.engine.routes import route_of
    from smalltune.engine.scoring import BUDGET

    layers = {n: m for n, m in model.named_modules() if n.endswith(".experts")}
    totals: dict[str, NDArray[np.int64]] = {}

    def watch(name: str) -> Any:
        def before(module: Any, arguments: Any) -> None:
            chosen = next(a for a in arguments if not a.is_floating_point())
            counts = torch.bincount(chosen.flatten(), minlength=module.num_experts).numpy()
            totals[name] = totals.get(name, 0) + counts

        return before

    route_of(model)  # it tries the model on a few tokens, which are not to be counted
    hooks = [m.register_forward_pre_hook(watch(n)) for n, m in layers.items()]
    try:
        for batch in by_tokens(segments.lengths, BUDGET) if layers else ():
            with torch.inference_mode():
                hidden_at(model, pack_prompts(segments, batch, "cpu"))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: (count / count.sum()).tolist() for name, count in totals.items()}
