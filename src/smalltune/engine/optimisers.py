"""Optimisers: which rule turns a gradient into a step, and for which parameters."""

from typing import Any

from smalltune.core.errors import EngineError

__all__ = ["OPTIMISERS", "Muon", "optimiser_of"]

OPTIMISERS = ("adamw", "muon")
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
MOMENTUM = 0.95
RMS = 0.2


def optimiser_of(
    model: Any, name: str, *, learning_rate: float, weight_decay: float, beta2: float
) -> Any:
    """Return the optimiser of what requires a gradient: `param_groups`, `state`, `step()`.

    "adamw" is AdamW (Loshchilov and Hutter, 2019) for everything. "muon" is `Muon` for hidden
    matrices and AdamW for embeddings, the output head and vectors. Vectors are never decayed.
    Raises EngineError when nothing requires a gradient, or something that is not float32.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        raise EngineError("nothing to train: the method left no parameter with a gradient")
    for parameter in trained:
        if parameter.dtype.itemsize < 4:
            raise EngineError(
                f"a parameter in {parameter.dtype} cannot be trained, because small steps are "
                "rounded away: the method must make its new parameters in float32"
            )
    if name == "adamw":
        return _adamw(trained, learning_rate, weight_decay, beta2)
    ends = _ends(model)
    hidden = [p for p in trained if p.dim() in (2, 3) and id(p) not in ends]
    taken = {id(p) for p in hidden}
    rest = [p for p in trained if id(p) not in taken]
    adamw = _adamw(rest, learning_rate, weight_decay, beta2) if rest else None
    return Muon(hidden, adamw, weight_decay) if hidden else adamw


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

    def __init__(self, matrices: list[Any], adamw: Any, weight_decay: float):
        """Step `matrices` [.., a, b] by Muon and leave what `adamw` holds to it, if it is given."""
        self.adamw = adamw
        self.matrices: dict[str, Any] = {"params": matrices, "weight_decay": weight_decay}
        self.param_groups: list[dict[str, Any]] = [self.matrices]
        self.state: dict[Any, dict[str, Any]] = {}
        if adamw is not None:
            self.param_groups = [*adamw.param_groups, self.matrices]
            self.state = adamw.state

    def step(self) -> None:
        """Change every parameter that has a gradient; each group's `lr` is its learning rate."""
        import torch

        if self.adamw is not None:
            self.adamw.step()
        rate, decay = self.matrices["lr"], self.matrices["weight_decay"]
        with torch.no_grad():
            for parameter in self.matrices["params"]:
                if parameter.grad is None:
                    continue
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


def _adamw(trained: list[Any], rate: float, decay: float, beta2: float) -> Any:
    import torch

    groups = [
        {"params": [p for p in trained if p.dim() > 1], "weight_decay": decay},
        {"params": [p for p in trained if p.dim() <= 1], "weight_decay": 0.0},
    ]
    used = [g for g in groups if g["params"]]
    return torch.optim.AdamW(used, lr=rate, betas=(0.9, beta2), fused=True)
