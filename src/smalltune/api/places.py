"""Places: the local backend with as many workers as a study's models leave memory for."""

from smalltune.backends.local import Local
from smalltune.core.store import Store
from smalltune.planning.lock import Lock
from smalltune.planning.spec import StudySpec

__all__ = ["local"]

TRAINED_WHOLE = 16
"""Bytes per parameter in float32 when all are trained: weights, gradients, two moments of Adam."""

FROZEN = 5
"""Bytes per parameter when the base stays frozen: weights and a small share of trained ones."""


def local(
    study: StudySpec,
    lock: Lock,
    store: Store,
    *,
    workers: int | None,
    threads: int,
    checkpoint_seconds: float,
) -> Local:
    """Return the local backend; `workers` None means as many as cores and memory allow."""
    whole = any(getattr(method.kind, "changes_base", False) for method in study.methods)
    largest = max((model.parameters or 0 for model in lock.models.values()), default=0)
    bytes_each = (TRAINED_WHOLE if whole else FROZEN) * largest
    return Local(
        store,
        workers=workers,
        threads=threads,
        model_bytes=bytes_each,
        checkpoint_seconds=checkpoint_seconds,
    )
