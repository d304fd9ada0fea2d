"""Optimisers: which rule turns a gradient into a step, and for which parameters."""

from collections.abc import Callable
from typing import Any

from smalltune.core.errors import EngineError

__all__ = ["OPTIMISERS", "Muon", "optimiser_of"]

OPTIMISERS = ("adamw", "muon")
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
MOMENTUM = 0.95
RMS = 0.2


def _alike(name: str) -> float:
    """What a method makes of the learning rate if it says nothing else."""
    return 1.0


def optimiser_of(
    model: Any,
    name: str,
    *,
    learning_rate: float,
    weight_decay: float,
    beta2: float,
    factor: Callable[[str], float] = _alike,
) -> Any:
    """Return the optimiser of what requires a gradient: `param_groups`, `state`, `step()`.

    "adamw" is AdamW (Loshchilov and Hutter, 2019) for everything. "muon" is `Muon` for hidden
    matrices and AdamW for embeddings, the output head and vectors. Vectors are never decayed.
    By `factor(name)` a parameter's learning rate is multiplied; each group holds its own as
    "factor", for whoever sets its "lr". Raises EngineError when nothing requires a gradient, or
    something that is not float32.
    """
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    trained = [p for _, p in named]
    if not trained:
        raise EngineError("nothing to train: the method left no parameter with a gradient")
    for parameter in trained:
        if parameter.dtype.itemsize < 4:
            raise EngineError(
                f"a parameter in {parameter.dtype} cannot be trained, because small steps are "
                "rounded away: the method must make its new parameters in float32"
            )
    factors = {id(p): factor(own) for own, p in named}
    if name == "adamw":
        return _adamw(_groups(trained, factors, weight_decay), learning_rate, beta2)
    ends = _ends(model)
    hidden = [p for p in trained if p.dim() in (2, 3) and id(p) not in ends]
    taken = {id(p) for p in hidden}
    rest = [p for p in trained if id(p) not in taken]
    adamw = None
    if rest:
        adamw = _adamw(_groups(rest, factors, weight_decay), learning_rate, beta2)
    return Muon(_groups(hidden, factors, weight_decay), adamw) if hidden else adamw


class Muon:
    """Momentum whose update is orthogonalised, for matrices; AdamW for the rest.

    Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks": Nesterov
    momentum, then five Newton-Schulz iterations, which bring the update's singular values near
    one. Its size is that of Liu et al. (2025), "Muon is scalable for LLM training": 0.2 times
    the root of the longer side gives the root mean square of AdamW's usual update, so that one
    learning rate and one decay serve both. A parameter of three dimensions, such as the fused
    experts of a mixture, is a stack of matrices [n, a, b], each orthogonalised by itself.

    Computes in float32 (`torch.optim.Muon` has bfloat16, which takes several times as long on a
    CPU without units for it, and refuses stacks). One `state` and one list of `param_groups`
    cover both rules.
    """

    def __init__(self, matrices: list[dict[str, Any]], adamw: Any):
        """Step groups of matrices [.., a, b] by Muon and leave what `adamw` holds to it, if given.

        A group has its "params" and a "weight_decay".
        """
        self.adamw, self.matrices = adamw, matrices
        self.param_groups = matrices
        self.state: dict[Any, dict[str, Any]] = {}
        if adamw is not None:
            self.param_groups = [*adamw.param_groups, *matrices]
            self.state = adamw.state

    def step(self) -> None:
        """Change every parameter that has a gradient; each group's `lr` is its learning rate."""
        import torch

        if self.adamw is not None:
            self.adamw.step()
        with torch.no_grad():
            for group in self.matrices:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._move(parameter, group["lr"], group["weight_decay"])

    def _move(self, parameter: Any, rate: float, decay: float) -> None:
        import torch

        state = self.state.setdefault(parameter, {})
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
        ahead = parameter.grad.lerp(state["momentum"], MOMENTUM)
        size = RMS * max(parameter.shape[-2:]) ** 0.5
        parameter.mul_(1 - rate * decay)
        parameter.add_(orthogonal(ahead), alpha=-rate * size)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None


def orthogonal(matrices: Any) -> Any:
    """Return matrices [..., a, b] with singular values brought to about one (0.7 to 1.2).

    The quintic Newton-Schulz iteration of Jordan et al. (2024); a matrix of zeros stays zero.
    """
    a, b, c = COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


def _ends(model: Any) -> set[int]:
    """Return the ids of the parameters that meet tokens: all embeddings and the output head."""
    import torch

    modules = [m for m in model.modules() if isinstance(m, torch.nn.Embedding)]
    head = model.get_output_embeddings()
    return {
        id(p) for m in [*modules, *([head] if head is not None else [])] for p in m.parameters()
    }


def _groups(trained: list[Any], factors: dict[int, float], decay: float) -> list[dict[str, Any]]:
    """Return the parameters in groups of one decay and one factor, matrices first."""
    groups: dict[tuple[bool, float], dict[str, Any]] = {}
    for parameter in sorted(trained, key=lambda p: p.dim() <= 1):
        vector, factor = parameter.dim() <= 1, factors[id(parameter)]
        empty = {"params": [], "weight_decay": 0.0 if vector else decay, "factor": factor}
        groups.setdefault((vector, factor), empty)["params"].append(parameter)
    return list(groups.values())


def _adamw(groups: list[dict[str, Any]], rate: float, beta2: float) -> Any:
    import torch

    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, beta2), fused=True)
