"""Engine: segments, batches, loss, training loop, scoring. It knows tensors, not studies.

`VERSION` rises when the same job could end in other numbers.
"""

__all__ = ["VERSION"]

VERSION = 3
