"""What a training computes, and the most this machine could: `python bases/compute.py [THREADS]`.

Measures the matrix products that NumPy's and PyTorch's library does in a second and stores it in
measured.json. A card then says which share the training reached.
"""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from measured import known, note
from records import HERE, Record

__all__ = ["flops_per_token", "share_of_peak"]

SIDE = 1536
SECONDS = 8.0


def flops_per_token(config: Mapping[str, Any], active: int, length: int) -> float:
    """Return the operations that one token of training needs, in closed form.

    A token meets `active` parameters besides the embeddings and the output head (vocabulary x
    width): one multiplication and one addition each. Attention adds the products with the keys and
    values of what comes before, (length + 1) / 2 tokens on average. Backwards costs twice that.
    """
    head = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    keys = config["qk_nope_head_dim"] + config["qk_rope_head_dim"] if _latent(config) else head
    values = config["v_head_dim"] if _latent(config) else head
    heads = config["num_hidden_layers"] * config["num_attention_heads"]
    attention = 2 * heads * (keys + values) * (length + 1) / 2
    linear = 2 * (active + config["vocab_size"] * config["hidden_size"])
    return float(3 * (linear + attention))


def share_of_peak(base: Record, root: Path) -> float | None:
    """Return which share of the measured peak a training reached; None when none is measured.

    `root` is the folder of measured.json.
    """
    peak = known(root, "peak", _place(base.made))
    if not peak:
        return None
    needed = flops_per_token(base.config, base.counts["active"], base.length)
    return float(needed * base.speed / peak)


def measure(threads: int) -> float:
    """Return the most float32 operations a second that matrix products reached in a few seconds."""
    import torch

    clock = time.thread_time if threads == 1 else time.perf_counter  # not what others take
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    best, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        began = clock()
        a @ b
        best = min(best, clock() - began)
    return 2 * SIDE**3 / best


def main(threads: int = 1) -> None:
    """Measure and store the peak of this machine with this many threads."""
    from smalltune.core.provenance import environment

    made = {**environment(), "device": "cpu", "threads": threads}
    note(HERE, "peak", _place(made), float(f"{measure(threads):.3g}"))
    print(f"{_place(made)}: {known(HERE, 'peak', _place(made)) / 1e9:.1f} GFLOP/s")


def _latent(config: Mapping[str, Any]) -> bool:
    return "qk_nope_head_dim" in config


def _place(made: Mapping[str, Any]) -> str:
    return f"{made['device']}: {made['machine']['cpu']}, {made['threads']} threads, float32"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
