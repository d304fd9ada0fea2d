"""Plural: a count and its noun, `1 job` and `2 jobs`."""

__all__ = ["plural"]


def plural(count: int, noun: str) -> str:
    """Return a count with its noun, which takes an s unless there is exactly one."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
