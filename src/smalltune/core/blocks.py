"""Blocks: how a worker on glibc keeps large blocks of memory from one training step to the next.

By default glibc maps each large tensor afresh and returns it at once, so that every step touches
tens of thousands of new pages. Kept blocks save that time and change no bit of an answer. Between
two jobs all that is free goes back, so that one job's peak is not counted for the next.
"""

import contextlib
import ctypes

__all__ = ["keep_large_blocks", "return_free_blocks"]

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST = (1 << 30, 1 << 25)
"""Bytes above which a block is mapped: a gibibyte, or what an older glibc allows at most."""


def keep_large_blocks() -> None:
    """Let freed blocks below a gibibyte stay with the process; does nothing without glibc.

    The trim threshold is set only after the other: alone it would freeze that at its small default.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        if any(library.mallopt(M_MMAP_THRESHOLD, size) == 1 for size in LARGEST):
            library.mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def return_free_blocks() -> None:
    """Give free memory back to the system; does nothing without glibc."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
