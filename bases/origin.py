"""Where a base's text comes from: corpus.json in words, for the card."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from records import Record

from smalltune.core.errors import DataError

__all__ = ["corpus_of", "decontamination", "held_out", "same_text", "sources"]

SPLITS = ("train", "dev", "test")
TITLES = {"novels": "novels", "wikipedia": "articles of Wikipedia"}
COLUMNS = ("documents touched", "documents removed", "spans removed", "words in spans")


def corpus_of(root: Path) -> dict[str, Any]:
    """Return what corpus.json says of how the text was made."""
    found: dict[str, Any] = json.loads((root / "corpus.json").read_text())
    return found


def same_text(base: Record, corpus: Mapping[str, Any]) -> None:
    """Raise DataError unless corpus.json is about the text that a base was trained on."""
    if set(base.shards) != {shard["sha256"] for shard in corpus["shards"].values()}:
        raise DataError(
            f"corpus.json is not about the text that {base.name} was trained on: make the corpus "
            "again (`python bases/corpus.py`), or train the base on it"
        )


def sources(corpus: Mapping[str, Any]) -> str:
    """Return what was read and what is left of it."""
    counts, parts = corpus["counts"], []
    for name in sorted(corpus["inputs"]):
        read = counts[f"{name}: documents read"]
        kept = sum(counts.get(f"{name}: {split} (characters)", 0) for split in SPLITS)
        title = TITLES.get(name, name)
        parts.append(f"{title} ({read:,} documents read, {kept / 1e6:.1f} million characters kept)")
    return f"English text: {' and '.join(parts)}."


def held_out(corpus: Mapping[str, Any]) -> str:
    """Return how many test documents there are of each source."""
    counts = corpus["counts"]
    names = sorted(corpus["inputs"])
    parts = [f"{counts.get(f'{n}: test', 0):,} {TITLES.get(n, n)}" for n in names]
    return ", ".join(parts)


def decontamination(corpus: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was removed because it repeats or because evaluation data hold it too."""
    counts, overlaps = corpus["counts"], corpus["overlaps"]
    rows = [
        f"| {name} | {' | '.join(f'{found[c]:,}' for c in COLUMNS)} |"
        for name, found in overlaps.items()
        if found
    ]
    again = (
        f"{counts.get('exactly repeated paragraphs', 0):,} exactly and "
        f"{counts.get('nearly repeated paragraphs', 0):,} nearly repeated paragraphs and "
        f"{counts.get('repeated documents', 0):,} repeated documents were dropped first"
    )
    return {
        "rule": corpus["rules"]["overlapping"],
        "repeats": again,
        "overlaps": "\n".join(rows),
        "nothing": ", ".join(n for n, found in overlaps.items() if not found) or "no other set",
        "documents_removed": counts.get("overlapping: documents removed", 0),
        "documents_shortened": counts.get("overlapping: documents shortened", 0),
        "words_removed": counts.get("overlapping: words removed", 0),
    }
