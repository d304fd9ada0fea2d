"""Yardsticks for a base: a 5-gram model of exactly the tokens that it saw, and `xz -9e`, both in
bits on the same held-out documents; for a mixture, how its router spreads their tokens."""

import lzma
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ngram import ORDER, KneserNey
from numpy.typing import NDArray
from router import expert_shares
from trained import Trained

from smalltune.core.errors import DataError
from smalltune.data.splits import draw
from smalltune.engine.batching import epoch_order
from smalltune.engine.segments import Segments

__all__ = ["continuous", "experts", "measure", "seen"]


def seen(base: Trained, pieces: Segments) -> NDArray[np.int64]:
    """Return the pieces that the training read, each once, ascending.

    Goes through the training's own batches. Raises DataError when they do not hold as many tokens
    as the training counted, for then this is not what it read.
    """
    spec, facts = base.spec, base.record.facts
    steps, tokens = facts["steps"], facts["tokens"]
    drawn = draw(pieces.labels.tolist(), spec["limit"], spec["seed"])
    lengths, size = pieces.lengths[drawn], spec["training"]["batch_size"]
    order = spec["training"].get("batches", "by_length")  # the only one before it was a choice
    batches: list[NDArray[np.int64]] = []
    epoch = 0
    while len(batches) < steps:
        batches += epoch_order(lengths, size, spec["seed"], epoch, order)
        epoch += 1
    read = np.concatenate(batches[:steps])
    if int(lengths[read].sum()) != tokens:
        raise DataError(
            f"{base.name}: the batches of {steps} steps hold {int(lengths[read].sum()):,} tokens "
            f"and the training counted {tokens:,}: was it another engine's?"
        )
    found: NDArray[np.int64] = np.unique(drawn[read])
    return found


def continuous(pieces: Segments, which: Sequence[int] | NDArray[np.int64]) -> list[Any]:
    """Return ascending pieces as runs of text: those that follow each other in a document joined.

    A piece repeats the last token of the one before, which then counts once. So the n-gram model
    looks across the borders of pieces, where the base cannot: it is not put at a disadvantage.
    """
    runs: list[list[Any]] = []
    for number, index in enumerate(which):
        before = which[number - 1] if number else -2
        follows = index == before + 1 and pieces.labels[index] == pieces.labels[before]
        if follows:
            runs[-1].append(pieces[int(index)][1:])
        else:
            runs.append([pieces[int(index)]])
    return [np.concatenate(parts) for parts in runs]


def measure(base: Trained) -> dict[str, Any]:
    """Return bits by document of the yardsticks, on the test documents, with their bytes."""
    pieces, held = base.segments("train"), base.segments("test")
    read = seen(base, pieces)
    model = KneserNey(continuous(pieces, read), base.config["vocab_size"])
    texts = continuous(held, np.arange(len(held)))
    bits = [-float(values.sum()) / np.log(2) for values in model.log_probs(texts)]
    plain = base.texts("test")
    return {
        "items": base.record.items,
        "bytes": [len(text) for text in plain],
        "tokens": int(pieces.lengths[read].sum()) - len(read),
        "pieces": len(read),
        "order": ORDER,
        "discounts": [[float(f"{d:.6g}") for d in lv.discounts[1:]] for lv in model.levels],
        "ngram_bits": [float(f"{value:.9g}") for value in bits],
        "xz_bits": [8 * len(squeezed(text)) for text in plain],
        "xz_together_bits": 8 * len(squeezed(b"".join(plain))),
    }


def squeezed(text: bytes) -> bytes:
    """Return what `xz -9e` makes of a text, its container included."""
    return lzma.compress(text, preset=9 | lzma.PRESET_EXTREME)


def experts(base: Trained) -> Mapping[str, list[float]]:
    """Return the shares of a mixture's experts on the held-out test documents."""
    shares = expert_shares(base.model(), base.segments("test"))
    return {name: [float(f"{s:.6g}") for s in each] for name, each in shares.items()}
