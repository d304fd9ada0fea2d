"""Stopping: the dev loss after each epoch, the best weights so far, and when patience ends."""

import time
from typing import Any

import numpy as np

from smalltune.core.errors import EngineError
from smalltune.engine.checkpoint import stored_buffers
from smalltune.engine.scoring import log_likelihoods
from smalltune.engine.segments import Segments

__all__ = ["EarlyStopping"]


class EarlyStopping:
    """Judges a model on dev; `best` are the weights of its best epoch, `seconds` the time taken.

    `losses` in nats per segment belong to the training's state, which a checkpoint keeps.
    """

    def __init__(self, model: Any, dev: Segments | None, patience: int | None, cast: Any):
        """Wait `patience` epochs for a lower loss; None never judges.

        Raises EngineError when there is no dev split to judge by.
        """
        if patience and dev is None:
            raise EngineError("early_stopping needs a dev split")
        self.model, self.dev, self.patience, self.cast = model, dev, patience, cast
        self.best: dict[str, Any] = {}
        self.seconds = 0.0

    def judge(self, losses: list[float]) -> bool:
        """Append the dev loss after an epoch, keep the weights if it is the lowest.

        Return whether training is to end.
        """
        if self.dev is None or not self.patience:
            return False
        began = time.monotonic()
        self.model.eval()
        with self.cast:
            loss = -float(np.mean(log_likelihoods(self.model, self.dev)))
        self.model.train()
        losses.append(float(f"{loss:.7g}"))
        if losses[-1] <= min(losses):
            self.best = {name: t.detach().clone() for name, t in _changing(self.model)}
        self.seconds += time.monotonic() - began
        return len(losses) - 1 - int(np.argmin(losses)) >= self.patience

    def restore(self) -> None:
        """Put the best weights back, if any were kept."""
        import torch

        with torch.no_grad():
            for name, tensor in _changing(self.model):
                if name in self.best:
                    tensor.copy_(self.best[name])


def _changing(model: Any) -> list[tuple[str, Any]]:
    """Return what training may change: trained parameters and stored buffers."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    return trained + stored_buffers(model)
