"""Yardsticks for the bases: `python bases/yardsticks.py` measures what is not measured yet.

For each trained base a 5-gram model of exactly the tokens that the base saw, and `xz -9e`, both
in bits on the same held-out documents; for a mixture, how its router spreads them. What was
measured goes into measured.json, where the report finds it.
"""

import lzma
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from measured import known, note
from ngram import ORDER, KneserNey
from numpy.typing import NDArray
from router import expert_shares
from trained import HERE, Trained, finished

from smalltune.core.errors import DataError
from smalltune.core.keys import key_of
from smalltune.data.splits import draw
from smalltune.engine.batching import epoch_order
from smalltune.engine.segments import Segments

__all__ = ["continuous", "measure", "question", "seen"]


def question(base: Trained) -> str:
    """Return the key of what the yardsticks of a base depend on: the text, and what it saw of it.

    Bases that were trained alike have one key, for they saw the same tokens.
    """
    spec = base.job.spec
    return key_of(
        {
            "tokens": base.job.inputs["tokens"].key,
            "drawn": [spec["limit"], spec["seed"], spec["training"]["batch_size"]],
            "steps": base.facts["steps"],
            "order": ORDER,
        }
    )


def seen(base: Trained, pieces: Segments) -> NDArray[np.int64]:
    """Return the pieces that the training read, each once, ascending.

    Goes through the training's own batches. Raises DataError when they do not hold as many tokens
    as the training counted, for then this is not what it read.
    """
    spec, steps = base.job.spec, base.facts["steps"]
    drawn = draw(pieces.labels.tolist(), spec["limit"], spec["seed"])
    lengths, size = pieces.lengths[drawn], spec["training"]["batch_size"]
    order = spec["training"].get("batches", "by_length")  # the only one before it was a choice
    batches: list[NDArray[np.int64]] = []
    epoch = 0
    while len(batches) < steps:
        batches += epoch_order(lengths, size, spec["seed"], epoch, order)
        epoch += 1
    read = np.concatenate(batches[:steps])
    if int(lengths[read].sum()) != base.facts["tokens"]:
        raise DataError(
            f"{base.name}: the batches of {steps} steps hold {int(lengths[read].sum()):,} tokens "
            f"and the training counted {base.facts['tokens']:,}: was it another engine's?"
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
    rows = base.study.store.read_lines(base.job.inputs["tokens"].inputs["data"].key, "test.jsonl")
    plain = ["".join(row["fields"].values()).encode() for row in rows]
    return {
        "items": [row["id"] for row in rows],
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


def main(root: Path = HERE) -> None:
    """Measure what the report wants and nobody has measured."""
    bases, reasons = finished(root)
    for base in bases:
        if known(root, "yardsticks", question(base)) is None:
            note(root, "yardsticks", question(base), measure(base))
        mixture = base.counts["active"] < base.counts["inner"]
        if mixture and known(root, "experts", base.job.key) is None:
            note(root, "experts", base.job.key, experts(base))
        print(f"{base.name}: measured")
    for name, reason in reasons.items():
        print(f"{name}: {reason}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
