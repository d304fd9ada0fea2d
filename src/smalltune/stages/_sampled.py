"""Sampled: a few rows of a task, as the folders of rows and tokens that a stage reads."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.stages.bench import Bench, Inputs
from smalltune.stages.tokens import tokens

__all__ = ["evenly", "sampled"]


def sampled(
    inputs: Inputs, rows: int, asked: Mapping[str, Any] | None, folder: Path, bench: Bench
) -> Inputs:
    """Return inputs of at most `rows` rows of train and dev; dev's stand for test's, too.

    So no row of test is read. They are tokenised as the spec of a tokens job `asked` for it.
    """
    data = folder / "data"
    data.mkdir(parents=True)
    for split in ("train", "dev"):
        text = (inputs["data"] / f"{split}.jsonl").read_text(encoding="utf-8")
        lines = text.split("\n")[:-1]
        kept = evenly(np.array([len(line) for line in lines]), rows)
        few = "".join(f"{lines[i]}\n" for i in np.sort(kept))
        (data / f"{split}.jsonl").write_text(few, encoding="utf-8")
    shutil.copy(data / "dev.jsonl", data / "test.jsonl")
    keys = {"data": str(data), "tokens": str(folder / "tokens")}
    found = Inputs({"data": data, "tokens": folder / "tokens"}, keys, inputs.sources)
    if asked is not None:
        found["tokens"].mkdir()
        tokens(asked, found, found["tokens"], bench)
    return found


def evenly(sizes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return `count` places, or all, evenly spaced in the order of size: their mean is all's."""
    order = np.argsort(sizes, kind="stable")
    if count >= len(order):
        return order
    return order[((np.arange(count) + 0.5) * len(order) / count).astype(np.int64)]
