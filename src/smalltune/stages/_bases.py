"""Bases: a model that a bench lends again and again, with the bits that it was loaded with."""

from itertools import chain
from typing import Any

from smalltune.engine.memory import free_memory
from smalltune.models.loading import fingerprint

__all__ = ["COPIED", "Base"]

COPIED = 1 / 8
"""The share of the free memory that a copy of a base may take."""


class Base:
    """A model, its fingerprint as it was loaded, and while it is trained a copy of its tensors."""

    def __init__(self, model: Any):
        """Take a model as it was loaded."""
        self.model = model
        self._print = fingerprint(model)
        self._copy: dict[str, Any] | None = None

    def same(self) -> bool:
        """Tell whether the model has the bits that it was loaded with."""
        return fingerprint(self.model) == self._print

    def keep_copy(self) -> None:
        """Copy the tensors into main memory, unless that would take much of it."""
        tensors = self._tensors()
        if _bytes(tensors) <= COPIED * free_memory():
            self._copy = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}

    def put_back(self) -> bool:
        """Give the model the tensors of the copy, frozen; return False if it cannot have them.

        The copy is gone then, so that it does not count for jobs that leave the base alone.
        """
        import torch

        tensors, copy, self._copy = self._tensors(), self._copy or {}, None
        if {n: t.shape for n, t in tensors.items()} != {n: t.shape for n, t in copy.items()}:
            return False
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(copy[name])
        for parameter in self.model.parameters():
            parameter.requires_grad_(False).grad = None
        self.model.eval()
        return True

    def _tensors(self) -> dict[str, Any]:
        return dict(chain(self.model.named_parameters(), self.model.named_buffers()))


def _bytes(tensors: dict[str, Any]) -> int:
    return sum(tensor.nbytes for tensor in tensors.values())
