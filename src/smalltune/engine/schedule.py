"""Schedule: the learning rate of every step as a share of its peak."""

import math

__all__ = ["SCHEDULES", "rate"]

SCHEDULES = ("linear", "cosine", "constant")


def rate(step: int, steps: int, *, schedule: str, warmup: float) -> float:
    """Return the multiplier of the peak learning rate at `step` (from 0) of `steps`.

    The first `warmup` share of the steps rises linearly; then the rate stays, falls linearly to
    zero, or falls to zero along a half cosine.
    """
    rise = math.ceil(warmup * steps)
    if step < rise:
        return (step + 1) / rise
    if schedule == "constant":
        return 1.0
    left = (steps - step) / max(1, steps - rise)
    return left if schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))
