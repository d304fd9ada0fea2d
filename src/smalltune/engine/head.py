"""Head: from the last hidden states to losses and log-probabilities, a piece of rows at a time.

The loss of a piece and its gradient are computed together, in the forward pass, while the piece's
logits are at hand (Hsu et al., 2024, "Liger Kernel: efficient Triton kernels for LLM training");
only what has the size of the states and of the head's weight is kept.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

from smalltune.engine.decoder import decoder_of
from smalltune.engine.fused import hooked
from smalltune.engine.held import computed_in, is_linear, product, through

__all__ = ["cross_entropy", "head_of", "log_probs", "some_logits"]

LOGITS = {"cpu": 1 << 20, "cuda": 1 << 26}
ROWS = 128
"""At least so many rows a piece, however large the vocabulary: each piece reads the whole head."""

_wholes: "WeakKeyDictionary[Any, bool]" = WeakKeyDictionary()


def head_of(model: Any) -> Any:
    """Return what makes logits [S, V] of hidden states [S, d].

    That is the model's output embedding, unless the model does more to its logits, such as a
    scale (Granite, Cohere) or a cap (Gemma 2); then it is the model's own forward around a
    decoder that answers the given states. One trial per model tells, and is kept.
    """
    import torch

    head = model.get_output_embeddings()
    if model not in _wholes:
        weight = head.weight
        with torch.no_grad(), torch.autocast(weight.device.type, enabled=False):
            states = torch.linspace(-2, 2, weight.shape[1], device=weight.device)[None]
            states = states.to(computed_in(head))
            _wholes[model] = torch.equal(head(states), _Whole(model)(states))
    return head if _wholes[model] else _Whole(model)


def cross_entropy(head: Any, states: Any, targets: Any, over: int) -> Any:
    """Return the cross-entropies in nats of targets [S] after states [S, d], summed, over `over`.

    A head that is not a plain linear layer, such as one that a method wrapped, is called for all
    rows at once, and autograd keeps its logits.
    """
    import torch

    if not _plain(head):
        logits = head(states).float()
        return torch.nn.functional.cross_entropy(logits, targets, reduction="sum") / over
    return _function().apply(states, head, head.weight, head.bias, targets, over)


def log_probs(head: Any, states: Any, targets: Any, rows: Any = None) -> Any:
    """Return the log-probability [n] of each target [n]; for evaluation.

    Target i follows the state `rows[i]` of `states` [S, d], or state i. Rows ascend.
    """
    import torch

    if rows is None:
        rows = torch.arange(len(targets), device=targets.device)
    found = []
    for part in _pieces(head, states):
        logits = head(states[part]).float()
        first, after = torch.searchsorted(rows, rows.new_tensor([part.start, part.stop])).tolist()
        mine = rows[first:after] - part.start
        sizes = logits.logsumexp(-1)
        found.append(logits[mine, targets[first:after]] - sizes[mine])
    return torch.cat(found) if found else states.new_zeros(0, dtype=torch.float32)


def some_logits(head: Any, states: Any, tokens: list[int]) -> Any:
    """Return the logits [S, C] of C tokens after states [S, d], in float32; for evaluation."""
    import torch

    if not _plain(head):
        return torch.cat([head(states[part])[:, tokens].float() for part in _pieces(head, states)])
    weight, few = head.weight[tokens], None if head.bias is None else head.bias[tokens]
    if computed_in(head) != weight.dtype and not torch.is_autocast_enabled(states.device.type):
        return product(states, weight, few)
    return torch.nn.functional.linear(states, weight, few).float()


class _Whole:
    """A model's own way from hidden states to logits."""

    def __init__(self, model: Any):
        self.model, self.decoder = model, decoder_of(model)
        self.weight = model.get_output_embeddings().weight

    def __call__(self, states: Any) -> Any:
        known = vars(self.decoder).get("forward")
        answer = _Answer(states[None])
        self.decoder.forward = lambda *_, **__: answer
        try:
            ids = states.new_zeros(1, len(states), dtype=int)
            return self.model(input_ids=ids, use_cache=False).logits[0]
        finally:
            del self.decoder.forward
            if known is not None:
                self.decoder.forward = known


class _Answer:
    """A decoder's output of which nothing but the hidden states is known."""

    def __init__(self, states: Any):
        self.last_hidden_state = states

    def __getattr__(self, name: str) -> None:
        return None

    def __getitem__(self, place: int) -> Any:
        return (self.last_hidden_state,)[place]


def _plain(head: Any) -> bool:
    return is_linear(head) and not hooked(head) and "forward" not in vars(head)


def _pieces(head: Any, states: Any) -> Iterator[slice]:
    """Yield slices of rows whose logits are few enough to be at hand together."""
    at_hand = LOGITS.get(states.device.type, LOGITS["cpu"])
    rows = max(ROWS, at_hand // int(head.weight.shape[0]))
    for start in range(0, len(states), rows):
        yield slice(start, min(start + rows, len(states)))


@cache
def _function() -> Any:
    """Return the autograd function; torch is imported when it is needed."""
    import torch

    class CrossEntropy(torch.autograd.Function):
        @staticmethod
        def forward(
            ctx: Any, states: Any, head: Any, weight: Any, bias: Any, targets: Any, over: int
        ) -> Any:
            kind = _format(states, head)
            low, matrix = states.to(kind), _at_most(weight, kind)
            offset = None if bias is None else bias.to(kind)
            wanted = [ctx.needs_input_grad[place] for place in (0, 2, 3)]
            of_states = torch.empty_like(states) if wanted[0] else None
            of_weight = of_bias = None
            total = states.new_zeros((), dtype=torch.float32)
            for part in _pieces(head, states):
                logits = product(low[part], matrix, offset).float()
                total += _slope(logits, targets[part, None], any(wanted), over)
                slope = logits.to(kind)
                if of_states is not None:
                    of_states[part] = through(slope, matrix)
                if wanted[1]:
                    of_weight = _plus_product(of_weight, slope.T, low[part], weight.dtype)
                if wanted[2]:
                    added = slope.sum(0).to(bias.dtype)
                    of_bias = added if of_bias is None else of_bias.add_(added)
            ctx.save_for_backward(of_states, of_weight, of_bias)
            ctx.leaf = weight if weight.is_leaf else None
            return total / over

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            slopes = ctx.saved_tensors
            if gradient.is_cuda or float(gradient) != 1.0:
                slopes = tuple(None if slope is None else slope.mul_(gradient) for slope in slopes)
            of_states, of_weight, of_bias = slopes
            return of_states, None, _kept(ctx.leaf, of_weight), of_bias, None, None

    return CrossEntropy


def _kept(weight: Any, gradient: Any) -> Any:
    """Add to the gradient of a weight that is a leaf, now; return what is left for autograd.

    Autograd would first sum all gradients of a table that is head and embedding, in a copy. A
    weight with a hook, which is to see the sum, is left to it.
    """
    if weight is None or gradient is None:
        return gradient
    if weight._backward_hooks or weight._post_accumulate_grad_hooks:
        return gradient
    if weight.grad is None:
        weight.grad = gradient
    else:
        weight.grad.add_(gradient)
    return None


def _format(states: Any, head: Any) -> Any:
    """Return the number format in which a head computes here."""
    import torch

    device = states.device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return computed_in(head)


def _at_most(weight: Any, kind: Any) -> Any:
    """Return a matrix in a number format, or as it is held where that takes less room."""
    return weight if weight.dtype.itemsize < kind.itemsize else weight.to(kind)


def _plus_product(total: Any, one: Any, other: Any, kind: Any) -> Any:
    """Return `total`, or nothing yet, plus a matrix product, in a format that may be wider."""
    if total is None:
        return (one @ other).to(kind)
    return total.addmm_(one, other) if total.dtype == one.dtype else total.add_(one @ other)


def _slope(logits: Any, wanted: Any, keep: bool, over: int) -> Any:
    """Return the summed loss of logits [n, V] for targets [n, 1].

    With `keep` the logits become the derivative by them of the loss over `over`: the softmax less
    the one-hot target.
    """
    logits -= logits.amax(-1, keepdim=True)
    chosen = logits.gather(1, wanted)
    sizes = logits.exp_().sum(-1, keepdim=True)
    if keep:
        minus = sizes.new_full((), -1 / over).expand_as(sizes)
        logits.div_(sizes * over).scatter_add_(1, wanted, minus)
    return (sizes.log() - chosen).sum()
