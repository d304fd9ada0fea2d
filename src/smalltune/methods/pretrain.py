"""Pre-training: every weight from the start, and a mixture's experts kept in use."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from smalltune.core.errors import MethodError
from smalltune.methods import WholeModel

__all__ = ["Pretrain"]


@dataclass(frozen=True)
class Pretrain(WholeModel):
    """Train all parameters; where a router has a correction bias, balance its experts by it.

    After each step the bias of an expert that got more than its share of the step's tokens falls
    by `balance`, that of one that got less rises by it: the loss-free balancing of Wang et al.
    (2024), as in DeepSeek-V3. Without it a router soon leaves experts that are never trained. A
    model without such a router is trained as by full fine-tuning.
    """

    balance: float = 1e-3

    training: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-3}
    title: ClassVar[str] = "Pre-training"
    rationale: ClassVar[str] = (
        "A base is made: all weights learn from running text, and the experts of a mixture are "
        "kept in use without a term in the loss."
    )

    def __post_init__(self) -> None:
        """Refuse a negative step; raises MethodError."""
        if self.balance < 0:
            raise MethodError(f"balance must be at least 0, not {self.balance:g}")

    def attach(self, model: Any) -> None:
        """Let every parameter have a gradient; note which experts the routers choose."""
        super().attach(model)
        for router in _routers(model):
            router.chosen = 0
            router.watched = router.register_forward_hook(_note)

    def before_step(self, model: Any) -> None:
        """Count anew: a step may be several forwards, or begin again."""
        for router in _routers(model):
            router.chosen = 0

    def after_step(self, model: Any) -> None:
        """Move each router's bias by what it chose in this step."""
        import torch

        for router in _routers(model):
            load = router.chosen.float()
            router.e_score_correction_bias += self.balance * torch.sign(load.mean() - load)

    def detach(self, model: Any) -> None:
        """Freeze again and look away; the weights stay changed."""
        super().detach(model)
        for router in _routers(model):
            watched = vars(router).pop("watched", None)  # not there on what was only loaded
            vars(router).pop("chosen", None)
            if watched:
                watched.remove()


def _routers(model: Any) -> Iterator[Any]:
    return (m for m in model.modules() if hasattr(m, "e_score_correction_bias"))


def _note(router: Any, _: Any, answer: tuple[Any, ...]) -> None:
    """Count how often each expert was chosen; a router answers their numbers last."""
    import torch

    if router.training:
        router.chosen += torch.bincount(answer[-1].flatten(), minlength=router.num_experts)
