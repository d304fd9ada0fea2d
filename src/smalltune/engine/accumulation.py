"""Accumulation: the gradients of a whole batch, computed in micro-batches that fit into memory.

Every micro-batch's loss is divided by the whole batch's targets, and dropout is drawn per item,
so that where a batch is cut changes its gradient by rounding only. When memory does not suffice
the step begins anew with half the tokens at a time.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.core.errors import EngineError
from smalltune.engine.batching import by_tokens
from smalltune.engine.dropout import Dropout, no_other_dropout
from smalltune.engine.flops import Work, learning
from smalltune.engine.forward import loss_and_tokens
from smalltune.engine.fronts import front_of
from smalltune.engine.memory import Budget, is_out_of_memory
from smalltune.engine.packing import pack
from smalltune.engine.routes import route_of
from smalltune.engine.segments import Segments

__all__ = ["Accumulation"]

Batch = NDArray[np.int64]


class Accumulation:
    """Leaves the gradient of a batch in the parameters; `budget` is what has been found to fit.

    `before` is called before each attempt at a step, `tell` with what had to be done for memory.
    """

    def __init__(
        self,
        model: Any,
        data: Segments,
        budget: Budget,
        dropout: Dropout,
        *,
        cast: Any,
        before: Callable[[Any], None] = lambda model: None,
        tell: Callable[[str], None] = lambda text: None,
    ):
        """Cut batches of `data` for `model` by `budget`, computing in the context `cast`."""
        self.model, self.data, self.dropout = model, data, dropout
        self.cast, self.before, self.tell = cast, before, tell
        self.device = next(model.parameters()).device.type
        self.lengths = data.lengths - 1
        front = front_of(model)
        self.front = front.length if front else 0
        self.watched = False
        self.packs: bool | None = None  # not known before the model is in training mode
        self.budget = Budget(1)
        self.use(budget)

    def __call__(self, step: int, batch: Batch) -> tuple[float, Work, int]:
        """Return the mean loss of a batch in nats per target, and what was computed for it.

        That is the work it needs, and the tokens that were computed, padding included. Raises
        EngineError when not even one segment fits.
        """
        import torch

        work = learning(self.data, batch, front=self.front)
        random = torch.get_rng_state()
        on_gpu = torch.cuda.get_rng_state() if self.device == "cuda" else None
        while True:
            parts = self.parts(batch)
            found = self._attempt(step, parts, max(1, work.read))
            if found is not None:
                return found[0], work, found[1]
            self._clear()
            torch.set_rng_state(random)
            if on_gpu is not None:
                torch.cuda.set_rng_state(on_gpu)
            self._use_less(parts)

    def parts(self, batch: Batch) -> list[Batch]:
        """Return the micro-batches of a batch, shortest segments first."""
        if self.packs is None:
            self.packs = route_of(self.model, int(self.lengths.max())) != "padded"
        lengths = self.lengths[batch]
        return [batch[p] for p in by_tokens(lengths, self.budget.tokens, padded=not self.packs)]

    def use(self, budget: Budget) -> None:
        """Take another budget, such as the one that an interrupted run has found."""
        self.close()
        self.budget = replace(budget, checkpointing=False)
        if budget.checkpointing and self.model.supports_gradient_checkpointing:
            self._checkpoint()

    def close(self) -> None:
        """Leave the model as it was."""
        if self.budget.checkpointing:
            _method(self.model, "disable")()

    def _attempt(self, step: int, parts: list[Batch], targets: int) -> tuple[float, int] | None:
        """Return the mean loss and the tokens computed, or None when memory did not suffice."""
        try:
            self.before(self.model)
            losses, tokens = zip(*(self._gradient(step, p, targets) for p in parts), strict=True)
            return float(sum(losses)), sum(tokens)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        return None

    def _gradient(self, step: int, part: Batch, targets: int) -> tuple[Any, int]:
        """Add a micro-batch's gradient to what is there; return its loss and tokens computed."""
        packed = pack(self.data, part, self.device)
        self.dropout(step, packed)
        with self.cast, nullcontext() if self.watched else no_other_dropout(self.model):
            loss, tokens = loss_and_tokens(self.model, packed, total=targets)
        self.watched = True
        loss.backward()
        return loss.detach(), tokens

    def _clear(self) -> None:
        """Forget the gradients of an attempt that failed, and free what it took."""
        import torch

        for parameter in self.model.parameters():
            parameter.grad = None
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def _use_less(self, parts: list[Batch]) -> None:
        most = max(len(part) * int(self.lengths[part].max()) for part in parts)
        longest = max(int(self.lengths[part].max()) for part in parts)
        if any(len(part) > 1 for part in parts):
            tokens = max(1, min(most, self.budget.tokens) // 2)
            self.budget = replace(self.budget, tokens=tokens, halved=self.budget.halved + 1)
            self.tell(f"out of memory: at most {tokens} tokens at a time from here on")
        elif not self.budget.checkpointing and self.model.supports_gradient_checkpointing:
            self._checkpoint()
        else:
            raise EngineError(
                f"memory does not suffice for one text of {longest} tokens at a time: lower "
                "`max_length`, take a smaller model or a method that trains less, or run fewer "
                "workers"
            )

    def _checkpoint(self) -> None:
        self.budget = replace(self.budget, checkpointing=True)
        _method(self.model, "enable")({"use_reentrant": False})
        self.tell("little memory: gradient checkpointing computes each layer twice")


def _method(model: Any, end: str) -> Any:
    """Return Transformers' method by its present name, or by the one it had before."""
    name = f"activation_checkpointing_{end}"
    return getattr(model, name, None) or getattr(model, f"gradient_checkpointing_{end}")
