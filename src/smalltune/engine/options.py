"""Options: how long and how fast a model is trained, in which batches and by which rule."""

from dataclasses import dataclass

from smalltune.core.errors import EngineError
from smalltune.core.plugins import nearest
from smalltune.engine.batching import ORDERS
from smalltune.engine.optimisers import OPTIMISERS
from smalltune.engine.schedule import SCHEDULES

__all__ = ["Training"]

CHOICES = (
    ("optimiser", "optimiser", OPTIMISERS),
    ("schedule", "schedule", SCHEDULES),
    ("batches", "order of batches", ORDERS),
)


@dataclass(frozen=True)
class Training:
    """How long and how fast a model is trained; every field is part of a trial's identity.

    Either `steps` or whole `epochs` count. `batches` are "shuffled" or "by_length", where
    segments of similar length meet. `optimiser` is "adamw" (Loshchilov and Hutter, 2019) or
    "muon" (Jordan et al., 2024; its step matched to AdamW's as in Liu et al., 2025), which
    takes the same learning rates; `beta2` is AdamW's. `warmup` is a share of all steps.
    `weight_decay` applies to matrices only. `early_stopping` is the number of epochs without a
    lower dev loss after which training ends; the weights of the best epoch are kept.
    """

    learning_rate: float = 1e-3
    epochs: int = 3
    steps: int | None = None
    batch_size: int = 16
    batches: str = "shuffled"
    optimiser: str = "adamw"
    schedule: str = "linear"
    warmup: float = 0.1
    weight_decay: float = 0.01
    beta2: float = 0.999
    clip: float = 1.0
    early_stopping: int | None = None

    def __post_init__(self) -> None:
        """Refuse values that no training can have; raises EngineError."""
        for name in ("learning_rate", "epochs", "steps", "batch_size", "clip", "early_stopping"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise EngineError(f"{name} must be above 0, not {value:g}")
        for name in ("warmup", "beta2", "weight_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise EngineError(f"{name} must be at least 0 and below 1")
        for name, called, known in CHOICES:
            value = getattr(self, name)
            if value not in known:
                raise EngineError(f"no {called} {value!r}. {nearest(value, known)}")
