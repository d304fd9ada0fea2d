"""Remarks on splits: what a reader should know of them and no number in a table says."""

import re
from collections.abc import Mapping, Sequence

from smalltune.data.splits import Parts, Row

__all__ = ["remarks"]

SHOWN = 10
_LIST = re.compile(r"""\[\s*["']""")


def remarks(rows: Mapping[str, Sequence[Row]], labels: Sequence[str], *, parts: bool) -> list[str]:
    """Return one sentence for each thing to know of the rows of train, dev and test.

    Labels that are never learned or never asked for are named. With `parts`, the train rows that
    are a part of a test row are counted: they are kept, because the test rows are not known in
    advance in use either, but a phrase of a test row in train is help that a reader may weigh.
    Reference texts that all look like a list are named, since each is one text: in a CSV several
    references are columns or rows.
    """
    held = {split: {row.label for row in rows[split]} for split in ("train", "dev", "test")}
    everywhere = held["train"] | held["dev"] | held["test"]
    said = []
    if unused := [label for label in labels if label not in everywhere]:
        said.append(f"no row has the {_named(unused)}")
    for split in ("dev", "test"):
        if new := [label for label in labels if label in held[split] - held["train"]]:
            said.append(f"train has no row with the {_named(new)}, which {split} asks for")
    texts = [text for row in rows["test"] for text in row.references]
    if texts and all(_LIST.match(text) for text in texts):
        said.append("the references of test are written as lists, and each is read as one text")
    if parts:
        test = Parts(row.key for row in rows["test"])
        inside = sum(test.hold(row.key) for row in rows["train"])
        said.append(f"{inside} train rows are a part of a test row, word for word, and were kept")
    return said


def _named(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    return ("labels " if len(labels) > 1 else "label ") + ", ".join(labels[:SHOWN]) + more
